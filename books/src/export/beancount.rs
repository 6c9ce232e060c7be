//! Journals for beancount: `bean-check` takes them as they are.

use std::io::{self, Write};

use super::journal::{Entry, Journal, Outline};

/// Writes journals for beancount.
pub(super) struct Beancount;

/// A text between quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " "))
}

impl Journal for Beancount {
    fn begin(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "option \"title\" \"tributary\"\n")?;
        let Some(first_on) = outline.first_on else { return Ok(()) };
        for currency in &outline.currencies {
            writeln!(out, "{first_on} commodity {currency}\n  decimals: {}", currency.exponent())?;
        }
        writeln!(out)?;
        for (name, holding) in &outline.holdings {
            let currencies: Vec<&str> = holding.balances.keys().map(program::money::Currency::code).collect();
            writeln!(out, "{} open {name} {}", holding.opened_on.unwrap_or(first_on), currencies.join(","))?;
        }
        let mut opening = outline.opening().peekable();
        if opening.peek().is_some() {
            writeln!(out, "\n{first_on} * \"opening balances\"")?;
            for (name, currency, minor) in opening {
                writeln!(out, "  {name}  {} {currency}", currency.format_minor(minor))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{} * {}", entry.dated_on, quoted(&entry.description))?;
        writeln!(out, "  transaction: {}", quoted(&entry.id))?;
        writeln!(out, "  kind: {}", quoted(&entry.kind))?;
        writeln!(out, "  program: {}", quoted(&entry.program))?;
        writeln!(out, "  recorded_at: \"{}\"", entry.recorded_at)?;
        for side in &entry.sides {
            writeln!(out, "  {}  {} {}", side.shown, side.amount(), side.currency)?;
        }
        Ok(())
    }

    fn end(&mut self, outline: &Outline, out: &mut dyn Write) -> io::Result<()> {
        let Some(asserted_on) = outline.asserted_on else { return Ok(()) };
        writeln!(out)?;
        // A tolerance of nothing: by default a unit of the last decimal may be missing.
        for (name, currency, minor) in outline.closing() {
            writeln!(out, "{asserted_on} balance {name}  {} ~ 0 {currency}", currency.format_minor(minor))?;
        }
        Ok(())
    }
}
