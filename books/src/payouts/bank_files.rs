//! Files for the bank (adapter `pain001`): a payout that was requested waits until one takes it, and is in one at most.
//!
//! A file is committed with its exact bytes before any of them leaves the database: whoever writes it down, again or after a crash, writes
//! the same bytes under the same message id.

use program::bank_file::{BankFile, BankFileId, Debtor, Full, Transfer};
use program::calendar::{Date, Instant};
use program::payout::{Kind, Payout, PayoutId};
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::record::{self, Event};
use super::{PayoutError, destinations, intend, switch};
use crate::audit::{self, Act};
use crate::load::row::{LoadError, Row, execute, first_row, rows};
use crate::users::{self, FINANCE, PersonError};

/// The adapter whose payouts go by files.
pub const PAIN001: &str = "pain001";

/// A file as recorded, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: BankFileId,
    /// What the bank knows it by (`MsgId`).
    pub message_id: String,
    /// When the bank is asked to execute it.
    pub execution_on: Date,
    /// How many payouts it pays.
    pub payouts: i64,
    /// Σ of their amounts, whatever their currencies, as the file says it.
    pub control_sum: String,
    /// The SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Instant,
    /// When it was first known to be written down whole.
    pub written_at: Option<Instant>,
}

impl Recorded {
    /// What it is called where it is written down.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("pain001-{}-{}.xml", self.execution_on, self.message_id)
    }

    /// Its JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        json!({
            "id": self.id.as_str(), "message_id": self.message_id, "name": self.file_name(), "execution_on": self.execution_on.to_string(),
            "payouts": self.payouts, "control_sum": self.control_sum, "sha256": self.sha256, "created_by": self.created_by,
            "created_at": self.created_at.to_string(), "written_at": self.written_at.map(|at| at.to_string()),
        })
    }
}

/// A payout that waits for a file and can't be in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The payout.
    pub payout: PayoutId,
    /// Whom it pays.
    pub partner: String,
    /// Why not.
    pub reason: String,
}

/// What a call of [`make`] has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The file; `None`: nothing waits that can be in one.
    pub file: Option<Recorded>,
    /// What waits and can't be in one. Where the file was full, those before its last payout alone.
    pub left_out: Vec<LeftOut>,
}

const COLUMNS: &str = "id, message_id, execution_on, payouts, control_sum, sha256, created_by, created_at, written_at";

fn read(row: &Row) -> Result<Recorded, LoadError> {
    let id = row.string(0)?;
    Ok(Recorded {
        id: id.parse().map_err(|_| LoadError::Corrupt { value: id, what: "a bank file's id" })?,
        message_id: row.string(1)?,
        execution_on: row.date(2)?,
        payouts: row.int(3)?,
        control_sum: row.string(4)?,
        sha256: row.string(5)?,
        created_by: row.string(6)?,
        created_at: row.instant(7)?,
        written_at: row.int_or_null(8)?.map(Instant),
    })
}

/// Makes a file of what was requested and is in none, oldest first, until it is full. Nothing is written down yet.
///
/// What holds a payout meanwhile, and a destination that another one has replaced, keep it out: nothing of it has left.
///
/// # Idempotency
/// The payouts: each is in one file at most; when all are, nothing is made.
///
/// # Errors
/// Payouts are paused, the person may not or belongs to a partner that would be paid, the id is taken, or the database failed.
pub async fn make(tx: &DatabaseTransaction, id: &BankFileId, debtor: &Debtor, by: &str, now: Instant) -> Result<Made, PayoutError> {
    let person = may_write(tx, by).await?;
    let mut file = BankFile::new(id.clone(), debtor.clone(), now);
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    for payout in waiting(tx).await? {
        let payout = record::locked(tx, &payout).await?;
        // Somebody may have ended it since.
        if !payout.state.is_in_transit() {
            continue;
        }
        if person.partner.as_deref() == Some(&*payout.partner) {
            return Err(PersonError::Beneficiary { id: person.id, partner: payout.partner.to_string() }.into());
        }
        match admissible(tx, &payout, now).await? {
            Err(reason) => left_out.push(LeftOut { payout: payout.id, partner: payout.partner.to_string(), reason }),
            Ok(transfer) => match file.push(transfer) {
                Ok(()) => taken.push(payout),
                Err(Full) => break,
            },
        }
    }
    if taken.is_empty() {
        return Ok(Made { file: None, left_out });
    }
    keep(tx, &file, &taken, debtor, by, now).await?;
    Ok(Made { file: Some(find(tx, id).await?), left_out })
}

/// Whether files may be written at all, and by whom.
async fn may_write(tx: &DatabaseTransaction, by: &str) -> Result<users::User, PayoutError> {
    let switch = switch::lock(tx).await?;
    if switch.is_paused {
        return Err(PayoutError::Paused(switch.reason.unwrap_or_default()));
    }
    Ok(users::entitled(tx, by, &[FINANCE]).await?)
}

/// What was requested and is in no file, oldest first.
async fn waiting(tx: &DatabaseTransaction) -> Result<Vec<PayoutId>, PayoutError> {
    let query = "SELECT p.id FROM payouts p WHERE p.provider = ? AND p.status IN ('requested', 'unknown') \
                 AND NOT EXISTS (SELECT 1 FROM bank_file_payouts f WHERE f.payout = p.id) ORDER BY p.requested_at, p.id";
    rows(tx, query, vec![PAIN001.into()]).await?.iter().map(|row| Ok(row.string(0)?.parse()?)).collect()
}

/// A payout as the bank is told of it, or why it is not.
async fn admissible(tx: &DatabaseTransaction, payout: &Payout, now: Instant) -> Result<Result<Transfer, String>, PayoutError> {
    if let Some(held) = intend::by_rule(tx, payout, now).await? {
        let goes_on = match payout.kind {
            Kind::Settlement => "let it go by `settlement unhold`",
            Kind::MdfClaim => "it goes on when the member is active again",
        };
        return Ok(Err(format!("it is held ({}); {goes_on}, or {}", held.name(), given_up(payout.kind))));
    }
    let in_force = destinations::in_force(tx, &payout.partner, payout.currency).await?;
    if in_force.is_none_or(|usable| Some(usable.id.as_str()) != payout.destination.as_deref()) {
        return Ok(Err(format!("another destination has taken the place of the one that it names; {}", given_up(payout.kind))));
    }
    Ok(Transfer::of(payout).map_err(|error| format!("{error}; {}", given_up(payout.kind))))
}

/// What a person does with a payout that no file can pay, and what comes of it.
const fn given_up(kind: Kind) -> &'static str {
    match kind {
        Kind::Settlement => "say `payout mark-failed`, then `payout retry`",
        Kind::MdfClaim => "say `payout mark-failed`: that ends the claim, its money goes back to the wallet, and a new claim is needed",
    }
}

async fn keep(tx: &DatabaseTransaction, file: &BankFile, taken: &[Payout], debtor: &Debtor, by: &str, now: Instant) -> Result<(), PayoutError> {
    let (id, content) = (file.id(), file.xml()?);
    let insert = "INSERT INTO bank_files (id, message_id, debtor_iban, execution_on, payouts, control_sum, sha256, content, created_by, created_at) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let (message_id, digest) = (id.message_id(), digest(&content));
    let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    let values = vec![
        id.as_str().into(),
        message_id.as_str().into(),
        debtor.iban().into(),
        file.execution_on().to_string().into(),
        count.into(),
        file.control_sum().into(),
        digest.as_str().into(),
        content.into(),
        by.into(),
        now.0.into(),
    ];
    if execute(tx, insert, values).await? == 0 {
        return Err(PayoutError::BankFileTaken(id.to_string()));
    }
    for (ordinal, before) in (1_i64..).zip(taken) {
        let insert = "INSERT INTO bank_file_payouts (file, ordinal, payout) VALUES (?, ?, ?)";
        execute(tx, insert, vec![id.as_str().into(), ordinal.into(), before.id.as_str().into()]).await?;
        let event = Event { ruling: "confirmed", provider: Some(PAIN001), ..Event::person("filed", Some(&message_id), by) };
        record::store(tx, before, before.clone(), &event, now).await?;
    }
    let detail = json!({
        "message_id": message_id, "execution_on": file.execution_on().to_string(), "payouts": count, "control_sum": file.control_sum(), "sha256": digest,
    });
    Ok(audit::write(tx, &Act { by: Some(by), act: "bank_file.made", subject: &subject(id), detail }, now).await?)
}

fn subject(id: &BankFileId) -> String {
    format!("bank_file/{id}")
}

fn digest(content: &str) -> String {
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files that were made and are not known to be written down, oldest first: a crash came between.
///
/// # Errors
/// Payouts are paused, the person may not, or the database failed.
pub async fn unwritten(tx: &DatabaseTransaction, by: &str) -> Result<Vec<Recorded>, PayoutError> {
    may_write(tx, by).await?;
    let query = format!("SELECT {COLUMNS} FROM bank_files WHERE written_at IS NULL ORDER BY created_at, id");
    Ok(rows(tx, &query, vec![]).await?.iter().map(read).collect::<Result<_, _>>()?)
}

/// Notes that somebody wants a file written down once more.
///
/// # Errors
/// Payouts are paused, the person may not, there is no such file, or the database failed.
pub async fn again(tx: &DatabaseTransaction, id: &BankFileId, by: &str, now: Instant) -> Result<Recorded, PayoutError> {
    may_write(tx, by).await?;
    let found = find(tx, id).await?;
    audit::write(tx, &Act { by: Some(by), act: "bank_file.asked_again", subject: &subject(id), detail: json!({ "sha256": found.sha256 }) }, now)
        .await?;
    Ok(found)
}

/// The bytes of a file.
///
/// # Errors
/// [`PayoutError::NoBankFile`]; the bytes are not those of their digest; or the database failed.
pub async fn content(tx: &DatabaseTransaction, id: &BankFileId) -> Result<String, PayoutError> {
    let row = first_row(tx, "SELECT content, sha256 FROM bank_files WHERE id = ?", vec![id.as_str().into()]).await?;
    let row = row.ok_or_else(|| PayoutError::NoBankFile(id.to_string()))?;
    let content = row.string(0)?;
    if digest(&content) != row.string(1)? {
        return Err(LoadError::Corrupt { value: id.to_string(), what: "a bank file that fits its digest" }.into());
    }
    Ok(content)
}

/// Notes that a file is written down whole; whether that is new.
///
/// # Idempotency
/// The file: the first time stands.
///
/// # Errors
/// The database failed.
pub async fn written(tx: &DatabaseTransaction, id: &BankFileId, by: &str, now: Instant) -> Result<bool, PayoutError> {
    let update = "UPDATE bank_files SET written_at = ? WHERE id = ? AND written_at IS NULL";
    if execute(tx, update, vec![now.0.into(), id.as_str().into()]).await? == 0 {
        return Ok(false);
    }
    audit::write(tx, &Act { by: Some(by), act: "bank_file.written", subject: &subject(id), detail: json!({}) }, now).await?;
    Ok(true)
}

/// A file.
///
/// # Errors
/// [`PayoutError::NoBankFile`], or the database failed.
pub async fn find(tx: &DatabaseTransaction, id: &BankFileId) -> Result<Recorded, PayoutError> {
    let row = first_row(tx, &format!("SELECT {COLUMNS} FROM bank_files WHERE id = ?"), vec![id.as_str().into()]).await?;
    Ok(read(&row.ok_or_else(|| PayoutError::NoBankFile(id.to_string()))?)?)
}

/// The file that a payout is in.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_payout(tx: &DatabaseTransaction, payout: &PayoutId) -> Result<Option<Recorded>, LoadError> {
    let query = format!("SELECT {COLUMNS} FROM bank_files WHERE id = (SELECT file FROM bank_file_payouts WHERE payout = ?)");
    first_row(tx, &query, vec![payout.as_str().into()]).await?.as_ref().map(read).transpose()
}
