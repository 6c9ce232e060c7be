//! How much a payout pays, beside what a provider says of it.

use std::fmt;

use crate::exact::Exact;
use crate::money::Currency;

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Minor units.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl Amount {
    /// Whether what a provider says is this amount: a figure in major units, a currency; what it does not say disagrees with nothing.
    #[must_use]
    pub fn agrees(self, figure: Option<&str>, currency: Option<&str>) -> bool {
        let is_same = |figure: &str| figure.parse().is_ok_and(|told: Exact| told == self.currency.major(self.minor));
        currency.is_none_or(|code| code == self.currency.code()) && figure.is_none_or(is_same)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency.format_minor(self.minor), self.currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_money_agrees() {
        let ours = Amount { minor: 24_000, currency: "USD".parse().unwrap() };
        assert_eq!(ours.to_string(), "240.00 USD");
        for (figure, currency, agrees) in [
            (None, None, true),
            (Some("240.00"), None, true),
            (Some("240.00"), Some("USD"), true),
            (Some("240"), Some("USD"), true),
            (Some("240.0000"), Some("USD"), true),
            (None, Some("EUR"), false),
            (Some("240.00"), Some("EUR"), false),
            (Some("100.00"), Some("USD"), false),
            (Some("24000"), None, false),
            (Some("much"), None, false),
        ] {
            assert_eq!(ours.agrees(figure, currency), agrees, "{figure:?} {currency:?}");
        }
    }
}
