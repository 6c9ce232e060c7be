//! Journals for hledger: `hledger check --strict` takes them as they are.

use std::fmt::Write as _;
use std::io::{self, Write};

use program::money::Currency;

use super::journal::{Entry, Journal, Outline};

/// Writes journals for hledger.
pub(super) struct Hledger;

/// A tag's value: it would end at a comma, so what is not a letter, a digit or one of `-_./` is written as in a URL.
fn tag_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || "-_./".contains(character) {
            out.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a string does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A description: `;` would begin a comment, `|` end a payee.
fn description(text: &str) -> String {
    text.replace([';', '|'], ",").replace(char::is_control, " ")
}

/// How the decimals of a currency are declared: `1000.00`, or `1000.` without any.
fn sample(currency: Currency) -> String {
    let mut sample = currency.format_minor(1000 * 10_i64.pow(currency.exponent()));
    if currency.exponent() == 0 {
        sample.push('.');
    }
    sample
}

impl Journal for Hledger {
    fn begin(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "; tributary\ndecimal-mark .\n")?;
        let Some(first_on) = outline.first_on else { return Ok(()) };
        for currency in &outline.currencies {
            writeln!(out, "commodity {} {currency}", sample(*currency))?;
        }
        writeln!(out)?;
        for name in outline.holdings.keys() {
            writeln!(out, "account {name}")?;
        }
        let mut opening = outline.opening().peekable();
        if opening.peek().is_some() {
            writeln!(out, "\n{first_on} * opening balances")?;
            for (name, currency, minor) in opening {
                writeln!(out, "    {name}  {} {currency}", currency.format_minor(minor))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{} * {}", entry.dated_on, description(&entry.description))?;
        writeln!(out, "    ; transaction:{}", tag_value(&entry.id))?;
        writeln!(out, "    ; kind:{}, program:{}", tag_value(&entry.kind), tag_value(&entry.program))?;
        writeln!(out, "    ; recorded_at:{}", entry.recorded_at)?;
        for side in &entry.sides {
            writeln!(out, "    {}  {} {}", side.shown, side.amount(), side.currency)?;
        }
        Ok(())
    }

    fn end(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        let Some(asserted_on) = outline.asserted_on else { return Ok(()) };
        writeln!(out, "\n{asserted_on} * balances")?;
        for (name, currency, minor) in outline.closing() {
            writeln!(out, "    {name}  {} {currency} = {} {currency}", currency.format_minor(0), currency.format_minor(minor))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_declared_for_every_exponent() {
        for (code, shown) in [("USD", "1000.00"), ("JPY", "1000."), ("KWD", "1000.000")] {
            assert_eq!(sample(code.parse().unwrap()), shown);
        }
    }

    #[test]
    fn nothing_ends_a_tag_or_a_description_early() {
        assert_eq!(tag_value("a,b c:d/é-1%"), "a%2Cb%20c%3Ad/é-1%25");
        assert_eq!(description("x ; y | z\n"), "x , y , z ");
    }
}
