//! Items of an invoice come together, before it is booked, and add up to it (domain.md §3.1, interface.md §2).

use program::calendar::{Instant, Period};
use program::money::Currency;

use super::{Merged, text};
use crate::record::blame::column_at;
use crate::record::error::{Findings, ImportError, RecordError};
use crate::record::stage::{LOOKED_AT, line_number};

/// What splits a sum into two that stay small.
const HALF: i64 = 1_000_000;

/// Looks at the invoices whose items are new.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    come_together(merged, findings).await?;
    add_up(merged, findings).await?;
    not_booked(merged, findings).await?;
    not_closing(merged, findings).await?;
    currency_of_deal(merged, findings).await
}

/// The invoices with new items, each with its first line; what is wrong with all of its items that a line of JSON carries is at `items`.
fn invoices(merged: &Merged<'_>) -> String {
    format!(
        "(SELECT s.invoice, MIN(s.line) AS line, CASE WHEN MIN(s.place) IS NULL THEN NULL ELSE 'items' END AS place \
         FROM {} s WHERE s.known0 = 0 AND s.invoice IS NOT NULL GROUP BY s.invoice) s",
        merged.staged()
    )
}

async fn come_together(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let earlier = format!("EXISTS (SELECT 1 FROM invoice_items i WHERE i.invoice = s.invoice AND i.seq <> {})", merged.seq);
    let from = format!("FROM {} WHERE {earlier}", invoices(merged));
    merged
        .blame(findings, "invoice", ("s.line, s.invoice", &from), |row| {
            Ok(format!(
                "items of invoice {:?} were recorded before; all items of an invoice come in one file: void the invoice to begin anew",
                text(row, 1)?
            ))
        })
        .await?;
    Ok(())
}

async fn add_up(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    // What the items of an invoice come to is not known where one of them is wrong, or a row names no invoice.
    let all_right = format!("NOT EXISTS (SELECT 1 FROM {} x WHERE x.bad = 1 AND (x.invoice IS NULL OR x.invoice = s.invoice))", merged.staged());
    // Two halves of each amount: their sums can't overflow.
    let text_of_sums = format!(
        "SELECT s.line, s.invoice, i.subtotal_minor, i.currency, CAST(SUM(t.amount_minor / {HALF}) AS BIGINT), CAST(SUM(t.amount_minor % {HALF}) AS BIGINT), s.place \
         FROM {} JOIN invoices i ON i.id = s.invoice JOIN invoice_items t ON t.invoice = s.invoice WHERE {all_right} \
         GROUP BY s.line, s.place, s.invoice, i.subtotal_minor, i.currency \
         HAVING SUM(t.amount_minor / {HALF}) + CAST(SUM(t.amount_minor % {HALF}) AS BIGINT) / {HALF} <> i.subtotal_minor / {HALF} \
         OR CAST(SUM(t.amount_minor % {HALF}) AS BIGINT) % {HALF} <> i.subtotal_minor % {HALF}",
        invoices(merged)
    );
    for row in merged.rows(&text_of_sums, []).await? {
        let (subtotal, high, low): (i64, i64, i64) = (row.try_get_by_index(2)?, row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        let sum = i128::from(high) * i128::from(HALF) + i128::from(low);
        let code = text(&row, 3)?;
        let currency: Currency = code.parse().map_err(|_| RecordError::Corrupt(format!("currency {code:?}")))?;
        let sum = i64::try_from(sum).map_or_else(|_| "far more".to_owned(), |sum| currency.format_minor(sum));
        let reason =
            format!("the items of invoice {:?} add up to {sum} {currency}, its subtotal is {}", text(&row, 1)?, currency.format_minor(subtotal));
        let place: Option<String> = row.try_get_by_index(6)?;
        findings.push(ImportError { line: line_number(row.try_get_by_index(0)?), column: column_at(place.as_deref(), "amount"), reason });
    }
    Ok(())
}

async fn not_booked(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let from = format!(
        "FROM {} JOIN (SELECT invoice, MIN(program) AS program, MIN(period) AS period FROM bookings GROUP BY invoice) b ON b.invoice = s.invoice",
        invoices(merged)
    );
    merged
        .blame(findings, "invoice", ("s.line, s.invoice, b.period, b.program", &from), |row| {
            let (invoice, period, program) = (text(row, 1)?, text(row, 2)?, text(row, 3)?);
            Ok(format!("invoice {invoice:?} is booked in {period} of {program}; items come before the invoice is booked"))
        })
        .await?;
    Ok(())
}

/// A period that is closing may hold the invoice as it was at the cut-off, without items.
async fn not_closing(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let closing = "SELECT p.program, p.period, g.timezone FROM periods p JOIN programs g ON g.id = p.program WHERE p.status = 'closing'";
    for row in merged.rows(closing, []).await? {
        let (program, period, zone) = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?);
        let after: Period = period.parse().map_err(|_| RecordError::Corrupt(format!("period {period:?}")))?;
        let zone = zone.parse().map_err(|_| RecordError::Corrupt(format!("time zone {zone:?}")))?;
        let end = Instant::start_of(after.next().first_day(), zone);
        let from = format!("FROM {} JOIN invoices i ON i.id = s.invoice WHERE i.paid_at < {}", invoices(merged), end.0);
        merged
            .blame(findings, "invoice", ("s.line, s.invoice", &from), |row| {
                Ok(format!("{period} of {program} is closing and may hold invoice {:?}; import its items when the period is final", text(row, 1)?))
            })
            .await?;
    }
    Ok(())
}

async fn currency_of_deal(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let from = format!(
        "FROM {} s JOIN deals d ON d.id = s.deal JOIN invoices i ON i.id = s.invoice WHERE s.deal IS NOT NULL AND {LOOKED_AT} AND d.currency <> i.currency",
        merged.staged()
    );
    merged
        .blame(findings, "deal", ("s.line, i.currency, s.deal, d.currency", &from), |row| {
            Ok(format!(
                "the invoice is in {}, deal {:?} in {}; an invoice's currency must be its deals'",
                text(row, 1)?,
                text(row, 2)?,
                text(row, 3)?
            ))
        })
        .await?;
    Ok(())
}
