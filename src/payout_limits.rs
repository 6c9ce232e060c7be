//! What holds payouts by the configuration, for the books (reliability.md §3.6).

use books::payouts::limits::{Cap, Limits};

use crate::config::{AmountLimit, Holds};

/// The caps of `[payouts]`, its cooling-off time, and whether its adapter pays bank accounts alone.
#[must_use]
pub fn limits(holds: &Holds) -> Limits {
    let (payout, partner_day, day) = (cap(holds.max_per_payout), cap(holds.max_per_partner_per_day), cap(holds.max_per_day));
    let cooling_off_us = i64::try_from(holds.destination_cooling_off.as_micros()).unwrap_or(i64::MAX);
    Limits { payout, partner_day, day, cooling_off_us, accounts_only: holds.accounts_only }
}

/// One figure for whatever currency; without a figure nothing is held for it.
fn cap(limit: Option<AmountLimit>) -> Cap {
    limit.map(|limit| Cap::of_any(limit.major())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use program::money::Currency;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_books_hold_what_the_configuration_says() {
        let variables = [("TRIBUTARY_PAYOUTS__MAX_PER_PAYOUT", "1234.56"), ("TRIBUTARY_PAYOUTS__MAX_PER_DAY", "0.999")];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::layered(None, variables).expect("a configuration");
        let found = limits(&config.payouts.holds);
        // What a currency has no decimals for is cut: a limit is never looser than written.
        for (code, payout, day) in [("USD", 123_456, 99), ("JPY", 1_234, 0), ("KWD", 1_234_560, 999)] {
            let currency: Currency = code.parse().expect("a currency");
            assert_eq!(found.payout.minor(currency), Some(payout), "{code}");
            assert_eq!(found.day.minor(currency), Some(day), "{code}");
            assert_eq!(found.partner_day.minor(currency), None);
        }
    }
}
