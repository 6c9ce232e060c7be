//! What holds payouts by the configuration, for the books (reliability.md §3.6).

use books::payouts::limits::{Cap, Limits};

use crate::config::{AmountLimit, PayoutAdapter, Payouts};

/// The caps of `[payouts]`, its cooling-off time, and whether its adapter pays bank accounts alone.
#[must_use]
pub fn limits(payouts: &Payouts) -> Limits {
    let accounts_only = matches!(payouts.adapter, PayoutAdapter::Pain001(_));
    let (payout, partner_day, day) = (cap(payouts.max_per_payout), cap(payouts.max_per_partner_per_day), cap(payouts.max_per_day));
    let cooling_off_us = i64::try_from(payouts.destination_cooling_off.as_micros()).unwrap_or(i64::MAX);
    Limits { payout, partner_day, day, cooling_off_us, accounts_only }
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
        let found = limits(&config.payouts);
        for code in ["USD", "JPY", "KWD"] {
            let currency: Currency = code.parse().expect("a currency");
            assert_eq!(found.payout.minor(currency), config.payouts.max_per_payout.map(|limit| limit.minor_in(currency)), "{code}");
            assert_eq!(found.day.minor(currency), config.payouts.max_per_day.map(|limit| limit.minor_in(currency)), "{code}");
            assert_eq!(found.partner_day.minor(currency), None);
        }
    }
}
