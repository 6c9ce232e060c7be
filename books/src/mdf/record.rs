//! Reads claims with their rounds, steps, decisions and proofs, and stores what changes of them.

use program::calendar::Instant;
use program::line::Text;
use program::mdf::{self, Document, Status};
use program::money::Currency;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};
use serde_json::Value as Json;

use super::MdfError;
use crate::audit::{self, Act};
use crate::load::row::{LoadError, Row, execute, first_row, rows};
use crate::wallet::WalletKey;

/// Claims that one listing gives at most.
pub(super) const LISTED_MAX: u64 = 10_000;

/// A claim as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its id.
    pub id: String,
    /// Its campaign.
    pub campaign: String,
    /// The programme.
    pub program: String,
    /// Who benefits.
    pub partner: String,
    /// Its currency.
    pub currency: Currency,
    /// The receipts, minor units.
    pub receipts_minor: i64,
    /// What was asked for, minor units.
    pub asked_minor: i64,
    /// What is asked for now: less once an approver has lowered it, minor units.
    pub amount_minor: i64,
    /// Where it stands.
    pub status: Status,
    /// How often its route was begun.
    pub round: i64,
    /// Who submitted it first.
    pub submitted_by: String,
    /// When.
    pub submitted_at: Instant,
    /// The run that sees to it.
    pub workflow: Option<String>,
    /// Why it was rejected, cancelled, or has failed; or why it waits though nobody has to decide it.
    pub reason: Option<String>,
    /// Counts its changes.
    pub revision: i64,
}

/// A step of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its place, 1 the first.
    pub ordinal: i64,
    /// The role.
    pub role: String,
    /// Seconds until its deadline.
    pub within_s: Option<i64>,
    /// Seconds between reminders.
    pub remind_every_s: Option<i64>,
    /// The role after its deadline.
    pub escalate_to: Option<String>,
    /// `pending waiting approved rejected expired void`.
    pub status: String,
    /// Since when it waits.
    pub opened_at: Option<Instant>,
    /// When its run first looked at it, to ask: its time began.
    pub asked_at: Option<Instant>,
    /// Its deadline.
    pub due_at: Option<Instant>,
    /// When it went to `escalate_to`.
    pub escalated_at: Option<Instant>,
    /// How many reminders were sent.
    pub reminders: i64,
    /// When the last one was.
    pub reminded_at: Option<Instant>,
    /// What was decided.
    pub decision: Option<Decision>,
}

/// A decision of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is an approval.
    pub is_approval: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Instant,
    /// What later steps were asked about, minor units.
    pub amount_minor: i64,
    /// Why.
    pub reason: Option<String>,
}

/// A proof: its bytes are stored elsewhere, by their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The SHA-256 of its bytes, `sha256:…`.
    pub sha256: String,
    /// The name under which it was handed in: inert text.
    pub name: String,
    /// What its content is, like `application/pdf`.
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
}

impl Step {
    /// The role that is asked now.
    #[must_use]
    pub fn role_asked(&self) -> &str {
        self.escalate_to.as_deref().filter(|_| self.escalated_at.is_some()).unwrap_or(&self.role)
    }

    pub(super) fn of_route(&self) -> mdf::StepOfRoute<'_> {
        mdf::StepOfRoute {
            role: &self.role,
            escalate_to: self.escalate_to.as_deref(),
            is_escalated: self.escalated_at.is_some(),
            due_at: self.due_at,
            approved_by: self.decision.as_ref().filter(|decision| decision.is_approval).map(|decision| &*decision.by),
        }
    }
}

impl Claim {
    /// Whether a run is the one that sees to it: of a rejected claim that was submitted again, only the last is.
    #[must_use]
    pub fn is_seen_to_by(&self, run: &str) -> bool {
        self.workflow.as_deref().is_none_or(|workflow| workflow == run)
    }

    /// Its wallet.
    pub(super) fn wallet(&self) -> WalletKey {
        WalletKey { program: self.program.as_str().into(), partner: Text::from(self.partner.as_str()), currency: self.currency }
    }

    /// The digest of the claim as it is shown now, with a destination.
    pub(super) fn digest(&self, destination: Option<&str>, documents: &[Document]) -> String {
        let Self { id, program, partner, currency, amount_minor, round, .. } = self;
        mdf::Claim { id, program, partner, currency: *currency, amount_minor: *amount_minor, destination, documents, round: *round }.digest()
    }
}

const COLUMNS: &str = "id, campaign, program, partner, currency, receipts_minor, asked_minor, amount_minor, status, round, submitted_by, submitted_at, \
                       workflow, reason, revision";

fn read(row: &Row) -> Result<Claim, LoadError> {
    let status = row.string(8)?;
    Ok(Claim {
        id: row.string(0)?,
        campaign: row.string(1)?,
        program: row.string(2)?,
        partner: row.string(3)?,
        currency: row.currency(4)?,
        receipts_minor: row.int(5)?,
        asked_minor: row.int(6)?,
        amount_minor: row.int(7)?,
        status: Status::named(&status).ok_or(LoadError::Corrupt { value: status, what: "a claim's status" })?,
        round: row.int(9)?,
        submitted_by: row.string(10)?,
        submitted_at: row.instant(11)?,
        workflow: row.string_or_null(12)?,
        reason: row.string_or_null(13)?,
        revision: row.int(14)?,
    })
}

/// A claim, if there is one of the id.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Option<Claim>, LoadError> {
    let query = format!("SELECT {COLUMNS} FROM claims WHERE id = ?");
    first_row(tx, &query, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// The claim that a run sees to.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_workflow(tx: &DatabaseTransaction, run: &str) -> Result<Option<Claim>, LoadError> {
    let query = format!("SELECT {COLUMNS} FROM claims WHERE workflow = ?");
    first_row(tx, &query, vec![run.into()]).await?.as_ref().map(read).transpose()
}

/// A claim that nobody else changes until the caller's transaction ends.
///
/// # Errors
/// [`MdfError::NoClaim`], or the database failed.
pub(super) async fn locked(tx: &DatabaseTransaction, id: &str) -> Result<Claim, MdfError> {
    let end = if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres { " FOR UPDATE" } else { "" };
    let query = format!("SELECT {COLUMNS} FROM claims WHERE id = ?{end}");
    let row = first_row(tx, &query, vec![id.into()]).await?;
    let row = row.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?;
    Ok(read(&row)?)
}

/// Claims in order of their submission, of one status, partner or campaign if it is named; at most ten thousand, the latest.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(tx: &DatabaseTransaction, status: Option<Status>, partner: Option<&str>, campaign: Option<&str>) -> Result<Vec<Claim>, LoadError> {
    let mut query = format!("SELECT {COLUMNS} FROM claims WHERE 1 = 1");
    let mut values: Vec<Value> = Vec::new();
    for (column, value) in [("status", status.map(Status::name)), ("partner", partner), ("campaign", campaign)] {
        if let Some(value) = value {
            query.push_str(&format!(" AND {column} = ?"));
            values.push(value.into());
        }
    }
    query.push_str(&format!(" ORDER BY submitted_at DESC, id DESC LIMIT {LISTED_MAX}"));
    let mut found = rows(tx, &query, values).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

/// The steps of a claim's round with their decisions, in order.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn steps(tx: &DatabaseTransaction, claim: &str, round: i64) -> Result<Vec<Step>, LoadError> {
    let query = "SELECT s.ordinal, s.role, s.within_s, s.remind_every_s, s.escalate_to, s.status, s.opened_at, s.due_at, s.escalated_at, s.reminders, \
                   s.reminded_at, d.decision, d.person, d.at, d.amount_minor, d.reason, s.asked_at FROM claim_steps s LEFT JOIN claim_decisions d \
                   ON d.claim = s.claim AND d.round = s.round AND d.ordinal = s.ordinal WHERE s.claim = ? AND s.round = ? ORDER BY s.ordinal";
    let mut steps = Vec::new();
    for row in rows(tx, query, vec![claim.into(), round.into()]).await? {
        let decision = match row.string_or_null(11)? {
            Some(word) => Some(Decision {
                is_approval: word == "approve",
                by: row.string(12)?,
                at: row.instant(13)?,
                amount_minor: row.int(14)?,
                reason: row.string_or_null(15)?,
            }),
            None => None,
        };
        steps.push(Step {
            ordinal: row.int(0)?,
            role: row.string(1)?,
            within_s: row.int_or_null(2)?,
            remind_every_s: row.int_or_null(3)?,
            escalate_to: row.string_or_null(4)?,
            status: row.string(5)?,
            opened_at: row.int_or_null(6)?.map(Instant),
            asked_at: row.int_or_null(16)?.map(Instant),
            due_at: row.int_or_null(7)?.map(Instant),
            escalated_at: row.int_or_null(8)?.map(Instant),
            reminders: row.int(9)?,
            reminded_at: row.int_or_null(10)?.map(Instant),
            decision,
        });
    }
    Ok(steps)
}

/// What a round of a claim asked for, minor units.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn asked_in_round(tx: &DatabaseTransaction, claim: &str, round: i64) -> Result<Option<i64>, LoadError> {
    let query = "SELECT asked_minor FROM claim_rounds WHERE claim = ? AND round = ?";
    first_row(tx, query, vec![claim.into(), round.into()]).await?.map(|row| row.int(0)).transpose()
}

/// The proofs of a claim, by digest.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn proofs(tx: &DatabaseTransaction, claim: &str) -> Result<Vec<Proof>, LoadError> {
    let query = "SELECT sha256, name, media_type, bytes FROM claim_proofs WHERE claim = ? ORDER BY sha256";
    let read = |row: &Row| Ok(Proof { sha256: row.string(0)?, name: row.string(1)?, media_type: row.string(2)?, bytes: row.int(3)? });
    rows(tx, query, vec![claim.into()]).await?.iter().map(read).collect()
}

/// What decisions bind to of a claim's proofs.
pub(super) async fn documents(tx: &DatabaseTransaction, claim: &str) -> Result<Vec<Document>, LoadError> {
    let documents = proofs(tx, claim).await?.into_iter();
    Ok(documents.map(|proof| Document { sha256: proof.sha256, name: proof.name }).collect())
}

/// The destination that the claim's round was begun with.
pub(super) async fn destination(tx: &DatabaseTransaction, claim: &Claim) -> Result<Option<String>, LoadError> {
    let query = "SELECT destination FROM claim_rounds WHERE claim = ? AND round = ?";
    let row = first_row(tx, query, vec![claim.id.as_str().into(), claim.round.into()]).await?;
    row.ok_or(LoadError::Corrupt { value: claim.id.clone(), what: "a claim with its round" })?.string_or_null(0)
}

/// Everybody who submitted the claim, submitted it again or added a proof.
pub(super) async fn submitters(tx: &DatabaseTransaction, claim: &str) -> Result<Vec<String>, LoadError> {
    let query = "SELECT submitted_by FROM claims WHERE id = ? UNION SELECT begun_by FROM claim_rounds WHERE claim = ? AND begun_by IS NOT NULL \
                 UNION SELECT by_user FROM claim_proofs WHERE claim = ? ORDER BY 1";
    rows(tx, query, vec![claim.into(), claim.into(), claim.into()]).await?.iter().map(|row| row.string(0)).collect()
}

/// Stores a change of a claim.
///
/// # Errors
/// Somebody else changed it, or the database failed.
pub(super) async fn store(tx: &DatabaseTransaction, before: &Claim, mut after: Claim) -> Result<Claim, MdfError> {
    after.revision = before.revision + 1;
    let update = "UPDATE claims SET receipts_minor = ?, asked_minor = ?, amount_minor = ?, status = ?, round = ?, workflow = ?, reason = ?, \
                  revision = ? WHERE id = ? AND revision = ?";
    let values = vec![
        after.receipts_minor.into(),
        after.asked_minor.into(),
        after.amount_minor.into(),
        after.status.name().into(),
        after.round.into(),
        after.workflow.clone().into(),
        after.reason.clone().into(),
        after.revision.into(),
        after.id.as_str().into(),
        before.revision.into(),
    ];
    if execute(tx, update, values).await? == 0 {
        return Err(MdfError::Changed(format!("claim {}", before.id)));
    }
    Ok(after)
}

/// A claim in another status.
///
/// # Errors
/// [`MdfError::Illegal`].
pub(super) fn moved(before: &Claim, to: Status, reason: Option<&str>) -> Result<Claim, MdfError> {
    let status = before.status.moved_to(to).map_err(|illegal| MdfError::Illegal { claim: before.id.clone(), illegal })?;
    Ok(Claim { status, reason: reason.map(str::to_owned), ..before.clone() })
}

/// Writes an act on a claim into the audit log.
pub(super) async fn tell(tx: &DatabaseTransaction, claim: &Claim, by: Option<&str>, act: &str, more: Json, now: Instant) -> Result<(), LoadError> {
    let mut detail = serde_json::json!({
        "campaign": claim.campaign, "partner": claim.partner, "program": claim.program, "status": claim.status.name(), "round": claim.round,
        "amount": claim.currency.format_minor(claim.amount_minor), "currency": claim.currency.code(),
    });
    if let (Some(detail), Json::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    audit::write(tx, &Act { by, act: &format!("claim.{act}"), subject: &format!("claim/{}", claim.id), detail }, now).await
}
