//! Amounts as Stripe writes them: whole numbers of the smallest unit, by Stripe's own list of currencies that have no decimals or three.
//!
//! # Source
//! <https://docs.stripe.com/currencies>: zero-decimal and three-decimal currencies, special cases (ISK and UGX are written with two decimals).

/// Currencies without decimals.
const WITHOUT: [&str; 15] = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies with three.
const WITH_THREE: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// A currency as we write it.
pub(super) fn currency(code: &str) -> String {
    code.to_ascii_uppercase()
}

/// An amount in major units, without decimals that say nothing.
pub(super) fn major(amount: i64, currency: &str) -> String {
    let decimals: usize = match currency {
        code if WITHOUT.contains(&code) => 0,
        code if WITH_THREE.contains(&code) => 3,
        _ => 2,
    };
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use program::money::Currency;

    use super::*;

    #[test]
    fn as_stripe_counts() {
        let table = [
            (1000, "USD", "10"),
            (1099, "EUR", "10.99"),
            (5, "USD", "0.05"),
            (500, "JPY", "500"),
            (5, "MGA", "5"),
            (5120, "KWD", "5.12"),
            (500, "ISK", "5"),
            (500, "UGX", "5"),
            (100_000, "HUF", "1000"),
            (0, "USD", "0"),
            (-1, "USD", "-0.01"),
            (i64::MIN, "USD", "-92233720368547758.08"),
        ];
        for (amount, code, text) in table {
            assert_eq!(major(amount, code), text, "{amount} {code}");
        }
    }

    #[test]
    fn each_is_an_amount_of_its_currency_by_iso_4217_too() {
        for code in WITHOUT.iter().chain(&WITH_THREE).chain(&["USD", "ISK", "UGX", "HUF", "TWD"]) {
            let currency: Currency = code.parse().expect("a currency");
            let thousand = major(
                if WITHOUT.contains(code) {
                    1000
                } else if WITH_THREE.contains(code) {
                    1_000_000
                } else {
                    100_000
                },
                code,
            );
            assert_eq!(currency.parse_minor(&thousand).expect("an amount"), 1000 * 10_i64.pow(currency.exponent()), "{code}");
        }
    }
}
