//! A settlement: its totals, its JSON and its digest (domain.md §4.6–4.7, interface.md §3).

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::calendar::Period;
use crate::exact::Overflow;
use crate::line::{Line, Text};
use crate::money::Currency;

/// The number of the canonical form that digests are taken of.
pub const FORMAT: u32 = 1;

/// All that one member earned in one period and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The programme.
    pub program: Text,
    /// The member.
    pub partner: Text,
    /// The period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
    /// Its lines, in order.
    pub lines: Vec<Line>,
    /// Its totals.
    pub totals: Totals,
}

/// The sums of a settlement, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Referred amounts of base lines whose role counts, less those of their reversals.
    pub referred_revenue_minor: i64,
    /// What was carried into the period.
    pub opening_balance_minor: i64,
    /// The sum of cash lines.
    pub cash_lines_minor: i64,
    /// Opening balance and cash lines.
    pub net_minor: i64,
    /// What is paid out.
    pub cash_payout_minor: i64,
    /// What is carried on.
    pub carried_forward_minor: i64,
    /// The sum of co-op lines.
    pub coop_credit_minor: i64,
}

impl Totals {
    /// Adds one line.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn count(&mut self, line: &Line) -> Result<(), Overflow> {
        let add = |sum: i64, amount: i64| sum.checked_add(amount).ok_or(Overflow);
        self.referred_revenue_minor = add(self.referred_revenue_minor, line.referred_minor)?;
        match line.fund() {
            None => self.cash_lines_minor = add(self.cash_lines_minor, line.amount_minor)?,
            Some(_) => self.coop_credit_minor = add(self.coop_credit_minor, line.amount_minor)?,
        }
        Ok(())
    }

    /// Decides payout and carry-forward (domain.md §4.6).
    ///
    /// `minimum_minor` holds back smaller payouts unless the member is terminated on the period's last day.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn close(&mut self, opening_balance_minor: i64, minimum_minor: i64, terminated: bool) -> Result<(), Overflow> {
        self.opening_balance_minor = opening_balance_minor;
        self.net_minor = opening_balance_minor.checked_add(self.cash_lines_minor).ok_or(Overflow)?;
        let reached = terminated || self.net_minor >= minimum_minor;
        self.cash_payout_minor = if self.net_minor > 0 && reached { self.net_minor } else { 0 };
        self.carried_forward_minor = self.net_minor - self.cash_payout_minor;
        Ok(())
    }
}

// Fields stand in the order of RFC 8785, so that plain serialisation is canonical.
#[derive(Serialize)]
struct CanonicalLine<'a> {
    amount: String,
    base: String,
    component: &'a str,
    corrects: Option<&'a str>,
    earned_on: String,
    from_partner: &'a str,
    fund: Option<&'a str>,
    invoice: Option<&'a str>,
    item: Option<&'a str>,
    late_from: Option<String>,
    level: u32,
    part: u32,
    rate: Option<String>,
    rate_source: Option<&'a str>,
    role: Option<&'a str>,
    rule: Option<&'a str>,
    share: String,
    source: &'a str,
    source_id: &'a str,
    tier: Option<&'a str>,
}

#[derive(Serialize)]
struct CanonicalTotals {
    carried_forward: String,
    cash_lines: String,
    cash_payout: String,
    coop_credit: String,
    net: String,
    opening_balance: String,
    referred_revenue: String,
}

fn canonical_line(line: &Line) -> CanonicalLine<'_> {
    CanonicalLine {
        amount: line.currency.format_minor(line.amount_minor),
        base: line.currency.format_minor(line.base_minor),
        component: line.component.name(),
        corrects: line.corrects.as_deref(),
        earned_on: line.earned_on.to_string(),
        from_partner: &line.from_partner,
        fund: line.fund(),
        invoice: line.invoice.as_deref(),
        item: line.item.as_deref(),
        late_from: line.late_from.map(|period| period.to_string()),
        level: line.level,
        part: line.part,
        rate: line.rate.map(|rate| rate.to_string()),
        rate_source: line.rate_source.as_deref(),
        role: line.role.as_deref(),
        rule: line.rule.as_deref(),
        share: line.share.to_string(),
        source: line.source.name(),
        source_id: &line.source_id,
        tier: line.tier.as_deref(),
    }
}

fn canonical_totals(totals: &Totals, currency: Currency) -> CanonicalTotals {
    let text = |minor| currency.format_minor(minor);
    CanonicalTotals {
        carried_forward: text(totals.carried_forward_minor),
        cash_lines: text(totals.cash_lines_minor),
        cash_payout: text(totals.cash_payout_minor),
        coop_credit: text(totals.coop_credit_minor),
        net: text(totals.net_minor),
        opening_balance: text(totals.opening_balance_minor),
        referred_revenue: text(totals.referred_revenue_minor),
    }
}

/// What a digest names beside lines and totals.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// The programme.
    pub program: &'a str,
    /// The member.
    pub partner: &'a str,
    /// The period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
}

/// Takes the digest of a settlement line by line, so that its lines need not be held together.
#[derive(Debug)]
pub struct DigestWriter {
    sink: Sink,
    first: bool,
}

#[derive(Debug)]
struct Sink(Sha256);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DigestWriter {
    /// Begins the canonical form (RFC 8785; without `digest` and `status`).
    #[must_use]
    pub fn new(currency: Currency) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{{\"currency\":\"{currency}\",\"format\":{FORMAT},\"lines\":["));
        Self { sink: Sink(hash), first: true }
    }

    /// The next line.
    ///
    /// # Errors
    /// None in practice: writing into a hash does not fail.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.sink.write_all(b",")?;
        }
        self.sink.write_all(&serde_json::to_vec(&canonical_line(line))?)
    }

    /// The end: `sha256:` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// None in practice: writing into a hash does not fail.
    pub fn finish(mut self, heading: &Heading<'_>, totals: &Totals) -> io::Result<String> {
        self.sink.write_all(b"],\"partner\":")?;
        serde_json::to_writer(&mut self.sink, heading.partner)?;
        write!(self.sink, ",\"period\":\"{}\",\"program\":", heading.period)?;
        serde_json::to_writer(&mut self.sink, heading.program)?;
        self.sink.write_all(b",\"totals\":")?;
        serde_json::to_writer(&mut self.sink, &canonical_totals(totals, heading.currency))?;
        self.sink.write_all(b"}")?;
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in self.sink.0.finalize() {
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        }
        Ok(text)
    }
}

impl Settlement {
    /// What its digest names.
    #[must_use]
    pub fn heading(&self) -> Heading<'_> {
        Heading { program: &self.program, partner: &self.partner, period: self.period, currency: self.currency }
    }

    /// The SHA-256 of its canonical JSON.
    ///
    /// # Errors
    /// None in practice: writing into a hash does not fail.
    pub fn digest(&self) -> io::Result<String> {
        let mut digest = DigestWriter::new(self.currency);
        for line in &self.lines {
            digest.line(line)?;
        }
        digest.finish(&self.heading(), &self.totals)
    }

    /// Its JSON as interface.md §3 has it.
    #[must_use]
    pub fn json(&self, status: &str, digest: Option<&str>) -> serde_json::Value {
        let text = |minor| self.currency.format_minor(minor);
        serde_json::json!({
            "format": FORMAT, "program": &*self.program, "partner": &*self.partner, "period": self.period.to_string(),
            "currency": self.currency.code(), "status": status, "digest": digest,
            "lines": self.lines.iter().map(line_json).collect::<Vec<_>>(),
            "totals": {
                "referred_revenue": text(self.totals.referred_revenue_minor), "opening_balance": text(self.totals.opening_balance_minor),
                "cash_lines": text(self.totals.cash_lines_minor), "net": text(self.totals.net_minor),
                "cash_payout": text(self.totals.cash_payout_minor), "carried_forward": text(self.totals.carried_forward_minor),
                "coop_credit": text(self.totals.coop_credit_minor),
            },
        })
    }
}

/// A line's JSON as interface.md §3 has it.
#[must_use]
pub fn line_json(line: &Line) -> serde_json::Value {
    let c = canonical_line(line);
    serde_json::json!({
        "source": c.source, "source_id": c.source_id, "invoice": c.invoice, "item": c.item, "role": c.role, "component": c.component,
        "rule": c.rule, "rate_source": c.rate_source, "part": c.part, "level": c.level, "from_partner": c.from_partner,
        "earned_on": c.earned_on, "tier": c.tier, "base": c.base, "rate": c.rate, "share": c.share, "amount": c.amount,
        "fund": c.fund, "late_from": c.late_from, "corrects": c.corrects,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pays_out_from_the_minimum_on() {
        // domain.md §8.7.
        let close = |opening, lines, minimum, terminated| {
            let mut totals = Totals { cash_lines_minor: lines, ..Totals::default() };
            totals.close(opening, minimum, terminated).unwrap();
            (totals.cash_payout_minor, totals.carried_forward_minor)
        };
        assert_eq!(close(0, 3000, 5000, false), (0, 3000));
        assert_eq!(close(3000, 2500, 5000, false), (5500, 0));
        assert_eq!(close(0, -8000, 5000, false), (0, -8000));
        assert_eq!(close(0, 3000, 5000, true), (3000, 0));
        assert_eq!(close(0, -3000, 5000, true), (0, -3000));
        assert_eq!(close(0, 0, 0, false), (0, 0));
    }
}
