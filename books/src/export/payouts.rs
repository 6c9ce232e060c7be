//! Payouts as rows, for finance: what was asked to be paid, of whom, and how it ended. No account is shown, but its digest.

use std::io::Write;

use program::payout::{Payout, PayoutId};
use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect};

use super::ExportError;
use super::cells::{Cell, write_row};
use crate::load::row::LoadError;
use entities::payout::{self, Payouts};

/// Payouts that are read at once.
const AT_ONCE: u64 = 1_000;

const HEADS: [&str; 21] = [
    "payout",
    "kind",
    "reference",
    "program",
    "partner",
    "period",
    "amount",
    "currency",
    "status",
    "reason",
    "destination",
    "destination_digest",
    "idempotency_key",
    "attempts",
    "provider",
    "provider_id",
    "retried_from",
    "workflow",
    "intended_at",
    "requested_at",
    "ended_at",
];

/// Writes all payouts as CSV (RFC 4180), oldest first, of one status if it is named.
///
/// # Errors
/// The writer or the database failed.
pub async fn csv(tx: &DatabaseTransaction, status: Option<&str>, out: &mut (impl Write + Send)) -> Result<(), ExportError> {
    write_row(out, &HEADS.map(Cell::Plain))?;
    let mut offset = 0;
    loop {
        let found = payout::Entity::find().in_status(status).in_order().limit(AT_ONCE).offset(offset).all(tx).await?;
        let count = found.len();
        for model in found {
            let id = model.id.clone();
            let payout = Payout::try_from(model).map_err(|_| LoadError::Corrupt { value: id, what: "a payout" })?;
            row(&payout, out)?;
        }
        if count < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
            return Ok(());
        }
        offset += AT_ONCE;
    }
}

fn row(payout: &Payout, out: &mut impl Write) -> std::io::Result<()> {
    let at = |at: Option<program::calendar::Instant>| at.map(|at| at.to_string()).unwrap_or_default();
    let (amount, attempts) = (payout.currency.format_minor(payout.amount_minor), payout.attempts.to_string());
    let period = payout.period.map(|period| period.to_string()).unwrap_or_default();
    let (intended_at, requested_at, ended_at) = (payout.intended_at.to_string(), at(payout.requested_at), at(payout.ended_at));
    let or_none = |text: &'_ Option<program::line::Text>| text.as_deref().unwrap_or_default().to_owned();
    let (destination, digest, provider) = (or_none(&payout.destination), or_none(&payout.destination_digest), or_none(&payout.provider));
    let (provider_id, workflow) = (or_none(&payout.provider_id), or_none(&payout.workflow));
    write_row(
        out,
        &[
            Cell::Plain(payout.id.as_str()),
            Cell::Plain(payout.kind.name()),
            Cell::Text(&payout.reference),
            Cell::Text(&payout.program),
            Cell::Text(&payout.partner),
            Cell::Plain(&period),
            Cell::Plain(&amount),
            Cell::Plain(payout.currency.code()),
            Cell::Plain(payout.state.name()),
            Cell::Text(payout.state.reason().unwrap_or_default()),
            Cell::Text(&destination),
            Cell::Plain(&digest),
            Cell::Text(&payout.idempotency_key),
            Cell::Plain(&attempts),
            Cell::Text(&provider),
            Cell::Text(&provider_id),
            Cell::Plain(payout.retried_from.as_ref().map(PayoutId::as_str).unwrap_or_default()),
            Cell::Text(&workflow),
            Cell::Plain(&intended_at),
            Cell::Plain(&requested_at),
            Cell::Plain(&ended_at),
        ],
    )
}
