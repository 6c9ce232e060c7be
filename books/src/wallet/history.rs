//! A partner's wallets as they stand, with their lots and what moved them (domain.md §6.1–6.2).

use program::calendar::{Date, Instant, Period};
use program::exact::Overflow;
use program::line::{Source, Text};
use sea_orm::DatabaseTransaction;

use super::{Lot, WalletKey, lot_ends_on, lots};
use crate::load::row::{LoadError, Row, first_row, rows};
use crate::load::versions;

/// A wallet with all that explains its balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Which wallet.
    pub key: WalletKey,
    /// Its fund.
    pub fund: String,
    /// Accruals less reversals, captured claims and what expired, minor units.
    pub balance_minor: i64,
    /// What claims hold of it, minor units.
    pub held_minor: i64,
    /// What is left of lots that have ended and whose expiry is not posted yet, minor units.
    pub ended_minor: i64,
    /// Its lots, oldest first, with the day on which each ends.
    pub lots: Vec<(Lot, Option<Date>)>,
    /// What moved it, oldest first.
    pub history: Vec<Movement>,
}

/// What a movement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MovementKind {
    /// An accrual.
    Accrual,
    /// Part of an accrual that filled a negative wallet: the lot is smaller by it, the balance is not.
    DebtFill,
    /// A reversal by a refund.
    Reversal,
    /// What a chargeback won gave back.
    Restored,
    /// A hold of a claim: the lot is smaller by it, the balance is not.
    Hold,
    /// A hold given back.
    Release,
    /// What a claim took for good: its payout goes out.
    Capture,
    /// What came back because the payout of a claim failed.
    Returned,
    /// An expiry.
    Expiry,
}

impl MovementKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accrual => "accrual",
            Self::DebtFill => "debt fill",
            Self::Reversal => "reversal",
            Self::Restored => "restored",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Capture => "capture",
            Self::Returned => "returned",
            Self::Expiry => "expiry",
        }
    }

    /// Whether it moves the balance, rather than a lot alone.
    #[must_use]
    pub fn moves_balance(self) -> bool {
        match self {
            Self::Accrual | Self::Reversal | Self::Restored | Self::Capture | Self::Returned | Self::Expiry => true,
            Self::DebtFill | Self::Hold | Self::Release => false,
        }
    }
}

/// One movement of a wallet or of its lots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The day as which it is posted.
    pub dated_on: Date,
    /// What it is.
    pub kind: MovementKind,
    /// The amount, minor units: above zero adds to the balance, or to the lot where the balance does not move.
    pub amount_minor: i64,
    /// The balance after it, minor units.
    pub balance_minor: i64,
    /// The refund, claim or period that it comes from.
    pub reference: String,
    /// The invoice of the lot, "" where no lot moves.
    pub invoice: Text,
    /// Its item, "" for the unnamed one.
    pub item: Text,
    /// Its role.
    pub role: Text,
}

impl Wallet {
    /// What a claim could hold, minor units.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn available_minor(&self) -> Result<i64, Overflow> {
        let unheld = self.balance_minor.checked_sub(self.held_minor).ok_or(Overflow)?;
        unheld.checked_sub(self.ended_minor).ok_or(Overflow)
    }

    /// Its JSON.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn json(&self) -> Result<serde_json::Value, Overflow> {
        let text = |minor| self.key.currency.format_minor(minor);
        let or_null = |text: &Text| Some(text.to_string()).filter(|text| !text.is_empty());
        let lots: Vec<serde_json::Value> = self
            .lots
            .iter()
            .map(|(lot, ends_on)| {
                serde_json::json!({
                    "earned_on": lot.earned_on.to_string(), "ends_on": ends_on.map(|day| day.to_string()), "invoice": &*lot.invoice,
                    "item": or_null(&lot.item), "role": &*lot.role, "amount": text(lot.amount_minor), "remaining": text(lot.remaining_minor),
                })
            })
            .collect();
        let history: Vec<serde_json::Value> = self
            .history
            .iter()
            .map(|moved| {
                serde_json::json!({
                    "date": moved.dated_on.to_string(), "kind": moved.kind.name().replace(' ', "_"), "amount": text(moved.amount_minor),
                    "moves_balance": moved.kind.moves_balance(), "balance": text(moved.balance_minor), "reference": moved.reference,
                    "invoice": or_null(&moved.invoice), "item": or_null(&moved.item), "role": or_null(&moved.role),
                })
            })
            .collect();
        Ok(serde_json::json!({
            "program": &*self.key.program, "fund": self.fund, "currency": self.key.currency.code(), "balance": text(self.balance_minor),
            "held": text(self.held_minor), "ended": text(self.ended_minor), "available": text(self.available_minor()?),
            "lots": lots, "history": history,
        }))
    }
}

/// Whether a partner is recorded.
///
/// # Errors
/// The database failed.
pub async fn is_partner(tx: &DatabaseTransaction, partner: &str) -> Result<bool, LoadError> {
    Ok(first_row(tx, "SELECT 1 FROM partners WHERE id = ?", vec![partner.into()]).await?.is_some())
}

/// The wallets of a partner by programme, fund and currency, as they stand at an instant.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_partner(tx: &DatabaseTransaction, partner: &str, program: Option<&str>, now: Instant) -> Result<Vec<Wallet>, LoadError> {
    let mut query = "SELECT program, fund, currency, balance_minor, held_minor FROM wallets WHERE partner = ?".to_owned();
    let mut values: Vec<sea_orm::Value> = vec![partner.into()];
    if let Some(program) = program {
        query.push_str(" AND program = ?");
        values.push(program.into());
    }
    query.push_str(" ORDER BY program, fund, currency");
    let mut wallets = Vec::new();
    for row in rows(tx, &query, values).await? {
        wallets.push(wallet(tx, partner, &row, now).await?);
    }
    Ok(wallets)
}

async fn wallet(tx: &DatabaseTransaction, partner: &str, row: &Row, now: Instant) -> Result<Wallet, LoadError> {
    let key = WalletKey { program: row.text(0)?, partner: partner.into(), currency: row.currency(2)? };
    let versions = versions::load(tx, &key.program, i64::MAX).await?;
    let today = now.date_in(versions.constant().timezone);
    let lots: Vec<(Lot, Option<Date>)> = lots(tx, &key)
        .await?
        .into_iter()
        .map(|lot| {
            let ends_on = lot_ends_on(&versions, lot.earned_on);
            (lot, ends_on)
        })
        .collect();
    let ended = lots.iter().filter(|(_, ends_on)| ends_on.is_some_and(|day| day <= today));
    let ended_minor = ended.map(|(lot, _)| lot.remaining_minor).sum();
    let history = history(tx, &key).await?;
    Ok(Wallet { key, fund: row.string(1)?, balance_minor: row.int(3)?, held_minor: row.int(4)?, ended_minor, lots, history })
}

async fn history(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Vec<Movement>, LoadError> {
    let mut moved = of_lines(tx, key).await?;
    moved.extend(of_lots(tx, key).await?);
    moved.extend(of_payouts(tx, key).await?);
    moved.sort_by(|a, b| {
        (a.dated_on, a.kind, &a.invoice, &a.item, &a.role, &a.reference).cmp(&(b.dated_on, b.kind, &b.invoice, &b.item, &b.role, &b.reference))
    });
    let mut balance_minor: i64 = 0;
    for movement in &mut moved {
        if movement.kind.moves_balance() {
            balance_minor = balance_minor.saturating_add(movement.amount_minor);
        }
        movement.balance_minor = balance_minor;
    }
    Ok(moved)
}

/// Accruals and what refunds took or gave back, as the settlements posted them.
async fn of_lines(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Vec<Movement>, LoadError> {
    let query = "SELECT l.period, l.source, l.source_id, l.invoice, l.item, l.role, l.amount_minor FROM commission_lines l \
                 JOIN settlements s ON s.program = l.program AND s.partner = l.payee AND s.currency = l.currency AND s.period = l.period \
                 WHERE l.payee = ? AND l.program = ? AND l.currency = ? AND l.fund IS NOT NULL";
    let values = vec![(&*key.partner).into(), (&*key.program).into(), key.currency.code().into()];
    let mut moved = Vec::new();
    for row in rows(tx, query, values).await? {
        let (period, amount_minor): (Period, i64) = (row.period(0)?, row.int(6)?);
        let kind = match (row.string(1)? == Source::Refund.name(), amount_minor < 0) {
            (false, _) => MovementKind::Accrual,
            (true, true) => MovementKind::Reversal,
            (true, false) => MovementKind::Restored,
        };
        let reference = if kind == MovementKind::Accrual { period.to_string() } else { row.string(2)? };
        let dated_on = period.last_day();
        moved.push(Movement {
            dated_on,
            kind,
            amount_minor,
            balance_minor: 0,
            reference,
            invoice: row.text(3)?,
            item: row.text(4)?,
            role: row.text(5)?,
        });
    }
    Ok(moved)
}

/// What happened to lots beside the lines: debt fills, holds and releases, expiries.
async fn of_lots(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Vec<Movement>, LoadError> {
    let query = "SELECT dated_on, kind, amount_minor, reference, invoice, item, role FROM lot_draws \
                 WHERE program = ? AND partner = ? AND currency = ? AND kind IN ('debt', 'hold', 'release', 'expiry') ORDER BY no";
    let values = vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    let mut moved = Vec::new();
    for row in rows(tx, query, values).await? {
        let kind = match row.string(1)?.as_str() {
            "debt" => MovementKind::DebtFill,
            "hold" => MovementKind::Hold,
            "release" => MovementKind::Release,
            _ => MovementKind::Expiry,
        };
        // What a draw takes from a lot stands there above zero.
        let amount_minor = -row.int(2)?;
        moved.push(Movement {
            dated_on: row.date(0)?,
            kind,
            amount_minor,
            balance_minor: 0,
            reference: row.string(3)?,
            invoice: row.text(4)?,
            item: row.text(5)?,
            role: row.text(6)?,
        });
    }
    Ok(moved)
}

/// What claims took for good, and what came back of it: the ledger's movements to and from transit.
async fn of_payouts(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Vec<Movement>, LoadError> {
    let query = "SELECT t.dated_on, m.claim, CAST(-m.amount_minor AS BIGINT) FROM claim_moves m JOIN claims c ON c.id = m.claim \
                 JOIN transactions t ON t.id = m.posted WHERE m.act = 'captured' AND c.program = ? AND c.partner = ? AND c.currency = ? \
                 UNION ALL SELECT t.dated_on, p.reference, p.amount_minor FROM payouts p JOIN transactions t ON t.id = 'payout/' || p.id || '/failed' \
                 WHERE p.kind = 'mdf_claim' AND p.program = ? AND p.partner = ? AND p.currency = ? ORDER BY 1, 2";
    let of_key = || [(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    let mut moved = Vec::new();
    for row in rows(tx, query, of_key().into_iter().chain(of_key()).collect()).await? {
        let amount_minor = row.int(2)?;
        let kind = if amount_minor < 0 { MovementKind::Capture } else { MovementKind::Returned };
        let nothing = || Text::from("");
        let (invoice, item, role) = (nothing(), nothing(), nothing());
        moved.push(Movement { dated_on: row.date(0)?, kind, amount_minor, balance_minor: 0, reference: row.string(1)?, invoice, item, role });
    }
    Ok(moved)
}
