//! What each partner was paid in a calendar year, by currency, as tax reports ask for it: by the dates of payment in the programmes'
//! zones. What came back after it was paid is taken off in the year in which it came back.

use std::collections::BTreeMap;
use std::io::Write;

use program::exact::Overflow;
use program::money::Currency;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use super::ExportError;
use super::cells::{Cell, write_row};
use crate::load::row::rows;

/// What one partner was paid in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paid {
    /// The partner's name.
    pub name: String,
    /// How many payouts were paid.
    pub payouts: i64,
    /// What was paid, minor units.
    pub paid_minor: i64,
    /// What of this or an earlier year's payments came back, minor units.
    pub returned_minor: i64,
}

impl Paid {
    /// Paid less returned, minor units.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn net_minor(&self) -> Result<i64, Overflow> {
        self.paid_minor.checked_sub(self.returned_minor).ok_or(Overflow)
    }
}

/// A year's payments by partner and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earnings {
    /// The year.
    pub year: u16,
    /// By partner and currency.
    pub paid: BTreeMap<(String, Currency), Paid>,
}

/// Sums up a year's payments from the ledger.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn earnings(tx: &DatabaseTransaction, year: u16) -> Result<Earnings, ExportError> {
    let query = "SELECT p.partner, p.currency, n.name, t.kind, p.amount_minor FROM transactions t JOIN payouts p ON p.id = SUBSTR(t.id, 8, 40) \
                 JOIN partners n ON n.id = p.partner WHERE t.kind IN ('payout_paid', 'payout_returned') AND t.dated_on >= ? AND t.dated_on <= ?";
    let mut earnings = Earnings { year, paid: BTreeMap::new() };
    for row in rows(tx, query, vec![format!("{year:04}-01-01").into(), format!("{year:04}-12-31").into()]).await? {
        let paid = earnings.paid.entry((row.string(0)?, row.currency(1)?)).or_default();
        paid.name = row.string(2)?;
        let minor = row.int(4)?;
        if row.string(3)? == "payout_paid" {
            paid.payouts += 1;
            paid.paid_minor = paid.paid_minor.checked_add(minor).ok_or(Overflow)?;
        } else {
            paid.returned_minor = paid.returned_minor.checked_add(minor).ok_or(Overflow)?;
        }
    }
    Ok(earnings)
}

/// Names of the columns.
pub const HEADS: [&str; 7] = ["partner", "name", "currency", "payouts", "paid", "returned", "net"];

impl Earnings {
    /// A row a partner and currency.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn rows(&self) -> Result<Vec<[String; 7]>, Overflow> {
        let row = |((partner, currency), paid): (&(String, Currency), &Paid)| {
            let money = |minor| currency.format_minor(minor);
            let net = money(paid.net_minor()?);
            let (name, sums) = (paid.name.clone(), [money(paid.paid_minor), money(paid.returned_minor)]);
            let [sum, returned] = sums;
            Ok([partner.clone(), name, currency.to_string(), paid.payouts.to_string(), sum, returned, net])
        };
        self.paid.iter().map(row).collect()
    }

    /// As CSV (RFC 4180).
    ///
    /// # Errors
    /// The writer fails, or a sum does not fit.
    pub fn csv(&self, out: &mut impl Write) -> Result<(), ExportError> {
        write_row(out, &HEADS.map(Cell::Plain))?;
        for [partner, name, rest @ ..] in self.rows()? {
            let rest = rest.each_ref().map(|cell| Cell::Plain(cell));
            write_row(out, &[&[Cell::Text(&partner), Cell::Text(&name)], rest.as_slice()].concat())?;
        }
        Ok(())
    }

    /// As JSON.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn json(&self) -> Result<Json, Overflow> {
        let one = |[partner, name, currency, payouts, paid, returned, net]: [String; 7]| {
            json!({
                "partner": partner, "name": name, "currency": currency, "payouts": payouts.parse::<i64>().unwrap_or(0), "paid": paid,
                "returned": returned, "net": net,
            })
        };
        Ok(json!({ "year": self.year, "earnings": self.rows()?.into_iter().map(one).collect::<Vec<_>>() }))
    }
}
