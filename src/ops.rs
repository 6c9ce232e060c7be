//! What ops do to runs, schedules and letters: only who may, with who and why in the audit log, all in the caller's transaction.

use books::audit::{self, Act};
use books::load::row::LoadError;
use books::load::versions;
use books::payouts::due;
use books::payouts::record;
use books::release;
use books::review::ReviewError;
use books::users::{self, ADMIN, FINANCE, OPS, PersonError};
use durable::operate::{self, Cancelled, OperateError};
use durable::outbox::{self, OutboxError};
use durable::schedules::{self as engine, ScheduleError, Slot};
use durable::{RunId, RunStatus, Workflow, runs};
use program::calendar::{Date, Instant, Period};
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};
use workflows::letters::TOPICS;
use workflows::payout::PayoutInput;
use workflows::recertification::{self, ReviewFirst, ReviewsError};
use workflows::{PayoutRun, mdf_claim};

use crate::schedules::{self, Deciding, RecordError, Scheduled, UnknownSchedule};

/// Characters of a reason at most.
const REASON_MAX: usize = 500;

/// Why an act can't be done.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The database failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The person may not.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// Not to this run, or not now.
    #[error(transparent)]
    Run(#[from] OperateError),
    /// Nobody would see to its payout any more.
    #[error("run {run} sees to payout {payout}, which is {status}, and can't be cancelled before that has ended; pause it, or hold what it pays")]
    PayoutOpen {
        /// The run.
        run: RunId,
        /// Its payout.
        payout: String,
        /// Where it stands.
        status: String,
    },
    /// Nobody would pay it any more.
    #[error("run {run} is to pay {reference}, which is due, and can't be cancelled; `settlement hold` it first, or pause the run")]
    PayoutDue {
        /// The run.
        run: RunId,
        /// The settlement.
        reference: String,
    },
    /// The claim that it saw to can't be taken back.
    #[error(transparent)]
    Claim(#[from] mdf_claim::EndError),
    /// Not to this schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The schedules can't be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The schedule is of another version.
    #[error(transparent)]
    Unknown(#[from] UnknownSchedule),
    /// What the slot works with is not complete yet.
    #[error("{schedule} {slot} is not due before {due_at}; run it then, or let the service do so")]
    NotDue {
        /// The schedule.
        schedule: String,
        /// The local time.
        slot: Slot,
        /// When it is due.
        due_at: durable::Instant,
    },
    /// A review comes first.
    #[error(transparent)]
    ReviewFirst(#[from] ReviewFirst),
    /// The review can't be made any more.
    #[error(transparent)]
    TooLate(#[from] ReviewError),
    /// Nobody can say whether a review comes first.
    #[error(transparent)]
    Reviews(#[from] ReviewsError),
    /// There is no such letter.
    #[error("there is no mail {0}; see `mail list`")]
    NoMail(String),
    /// The letter is on its way, or has left.
    #[error("mail {id} is {status}; only what is parked or has bounced is sent again")]
    MailNotNow {
        /// The letter.
        id: String,
        /// Where it stands.
        status: String,
    },
    /// The letter can't be changed.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl OpsError {
    /// Whether the caller's input is at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Load(_) | Self::Claim(_) | Self::Record(_) | Self::Reviews(_) | Self::Outbox(_) => false,
            Self::Person(error) => error.is_input(),
            Self::TooLate(error) => error.is_input(),
            Self::Run(OperateError::Run(error)) => is_wrong_run(error),
            Self::Run(_)
            | Self::PayoutOpen { .. }
            | Self::PayoutDue { .. }
            | Self::Unknown(_)
            | Self::NotDue { .. }
            | Self::ReviewFirst(_)
            | Self::NoMail(_)
            | Self::MailNotNow { .. } => true,
            Self::Schedule(error) => match error {
                ScheduleError::Rule(_) | ScheduleError::NotFound(_) | ScheduleError::NoSlot { .. } => true,
                ScheduleError::TooMany(_) | ScheduleError::Run(_) | ScheduleError::Database(_) => false,
            },
        }
    }
}

/// Whether an error speaks of the run that was named, rather than of the machine.
#[must_use]
pub fn is_wrong_run(error: &durable::runs::RunError) -> bool {
    use durable::runs::RunError;
    match error {
        RunError::NotFound(_) | RunError::Ended { .. } | RunError::Name { .. } => true,
        RunError::Json(_) | RunError::OtherPayload { .. } | RunError::Status(_) | RunError::Id(_) | RunError::Database(_) => false,
    }
}

/// What is done to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAct {
    /// Stop it until it is resumed.
    Pause,
    /// Let it go on.
    Resume,
    /// Go on from the step that failed.
    Retry,
    /// End it, undoing what it has registered.
    Cancel,
}

impl RunAct {
    /// As the audit log tells it.
    const fn told(self) -> &'static str {
        match self {
            Self::Pause => "workflow.paused",
            Self::Resume => "workflow.resumed",
            Self::Retry => "workflow.retried",
            Self::Cancel => "workflow.cancelled",
        }
    }
}

/// Who acts, why, and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The person.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub now: Instant,
}

impl Actor<'_> {
    const fn at(&self) -> durable::Instant {
        durable::Instant(self.now.0)
    }

    async fn tell(&self, tx: &DatabaseTransaction, act: &str, subject: &str, detail: Json) -> Result<(), LoadError> {
        audit::write(tx, &Act { by: Some(self.by), act, subject, detail }, self.now).await
    }
}

/// Pauses, resumes, retries or cancels a run; a worker that holds it loses it within a second. How it stands after that.
///
/// # Errors
/// The person is neither ops nor admin, or the run can't take the act.
pub async fn run(tx: &DatabaseTransaction, id: &RunId, act: RunAct, who: Actor<'_>) -> Result<RunStatus, OpsError> {
    users::entitled(tx, who.by, &[OPS, ADMIN]).await?;
    users::checked("the reason", who.reason, REASON_MAX)?;
    if act == RunAct::Cancel
        && let Some((payout, status)) = record::open_of_run(tx, id.as_str()).await?
    {
        return Err(OpsError::PayoutOpen { run: id.clone(), payout, status });
    }
    if act == RunAct::Cancel
        && let Some(reference) = due_of_run(tx, id).await?
    {
        return Err(OpsError::PayoutDue { run: id.clone(), reference });
    }
    let status = match act {
        RunAct::Pause => operate::pause(tx, id, who.by, who.reason, who.at()).await.map(|()| RunStatus::Paused)?,
        RunAct::Resume => operate::resume(tx, id, who.by, who.reason, who.at()).await.map(|()| RunStatus::Ready)?,
        RunAct::Retry => operate::retry(tx, id, who.by, who.reason, who.at()).await.map(|()| RunStatus::Ready)?,
        RunAct::Cancel => match operate::cancel(tx, id, who.by, who.reason, who.at()).await? {
            Cancelled::Now => {
                mdf_claim::ended(tx, id, who.now).await?;
                RunStatus::Cancelled
            }
            Cancelled::AfterUndoing => RunStatus::Ready,
        },
    };
    who.tell(tx, act.told(), &format!("workflow/{id}"), json!({ "reason": who.reason })).await?;
    Ok(status)
}

/// What a run of a payout is to pay that is due, not held, and has no payout yet.
async fn due_of_run(tx: &DatabaseTransaction, id: &RunId) -> Result<Option<String>, OpsError> {
    let view = runs::show(tx, id).await.map_err(OperateError::from)?;
    if view.run.workflow != <PayoutRun as Workflow>::NAME || view.run.finished_at.is_some() {
        return Ok(None);
    }
    // What can't be read has never paid anything, and never will.
    let Ok(input) = serde_json::from_value::<PayoutInput>(view.input) else { return Ok(None) };
    let Ok(period) = input.period.parse() else { return Ok(None) };
    let due = due::due(tx, &input.program, period).await?;
    let Some(due) = due.iter().find(|due| PayoutInput::of(due) == input) else { return Ok(None) };
    Ok(release::held(tx, due.whose()).await?.is_none().then(|| due.reference()))
}

/// Pauses a schedule: its slots are recorded as missed until it is resumed.
///
/// # Errors
/// The person is neither ops nor admin, or there is no such schedule.
pub async fn pause_schedule(tx: &DatabaseTransaction, schedule: &str, who: Actor<'_>) -> Result<(), OpsError> {
    users::entitled(tx, who.by, &[OPS, ADMIN]).await?;
    users::checked("the reason", who.reason, REASON_MAX)?;
    schedules::record(tx, who.now).await?;
    engine::pause(tx, schedule, who.by, who.reason).await?;
    Ok(who.tell(tx, "schedule.paused", &format!("schedule/{schedule}"), json!({ "reason": who.reason })).await?)
}

/// Lets a schedule go on; how many slots it has missed meanwhile.
///
/// # Errors
/// The person is neither ops nor admin, or there is no such schedule.
pub async fn resume_schedule(tx: &DatabaseTransaction, schedule: &str, who: Actor<'_>) -> Result<usize, OpsError> {
    users::entitled(tx, who.by, &[OPS, ADMIN]).await?;
    schedules::record(tx, who.now).await?;
    let missed = engine::resume(tx, schedule, who.at()).await?;
    let detail = json!({ "reason": Some(who.reason).filter(|reason| !reason.is_empty()), "missed": missed });
    who.tell(tx, "schedule.resumed", &format!("schedule/{schedule}"), detail).await?;
    Ok(missed)
}

/// Runs a slot of a schedule that is due; without a slot, one of the present local time. A paused schedule, too.
///
/// # Idempotency
/// (schedule, local time): a slot that has a run returns it; where that was cancelled or has failed, its successor.
///
/// # Errors
/// The person is neither ops nor admin, there is no such schedule or slot, or the slot is still to come, or comes after what it is for.
pub async fn run_schedule(tx: &DatabaseTransaction, schedule: &str, slot: Option<Slot>, who: Actor<'_>) -> Result<RunId, OpsError> {
    users::entitled(tx, who.by, &[OPS, ADMIN]).await?;
    let what: Scheduled = schedule.parse()?;
    schedules::record(tx, who.now).await?;
    if let Some(slot) = slot {
        let due_at = engine::due_at(tx, schedule, slot).await?;
        if due_at > who.at() {
            return Err(OpsError::NotDue { schedule: schedule.to_owned(), slot, due_at });
        }
    }
    match &what {
        Scheduled::Settlement { program } => review_first(tx, program, day_of(tx, program, slot, who).await?).await?,
        Scheduled::Recertification { program } => {
            let day = day_of(tx, program, slot, who).await?;
            Deciding::load(tx, &what).await?.too_late(day).map_or(Ok(()), Err)?;
        }
        Scheduled::LotExpiry { .. } | Scheduled::CertificationNotices => {}
    }
    let run = engine::run_slot(tx, schedule, slot, who.by, who.at(), |slot| what.starts(slot)).await?;
    let detail = json!({ "slot": slot.map(|slot| slot.to_string()), "run": run });
    who.tell(tx, "schedule.run", &format!("schedule/{schedule}"), detail).await?;
    Ok(run)
}

/// The local day of a slot, or of now.
async fn day_of(tx: &DatabaseTransaction, program: &str, slot: Option<Slot>, who: Actor<'_>) -> Result<Date, LoadError> {
    let zone = versions::load(tx, program, i64::MAX).await?.constant().timezone;
    Ok(slot.map_or_else(|| who.now.date_in(zone), |slot| slot.0.date()))
}

/// Refuses to settle a month by a slot before the reviews that its tiers come from.
async fn review_first(tx: &DatabaseTransaction, program: &str, day: Date) -> Result<(), OpsError> {
    match recertification::first_before(tx, program, Period::of(day).previous()).await? {
        Some(review) => Err(review.into()),
        None => Ok(()),
    }
}

/// Lets a letter that was given up or has bounced be sent again.
///
/// # Errors
/// The person is neither ops, finance nor admin, or the letter is not parked or bounced.
pub async fn retry_mail(tx: &DatabaseTransaction, id: &str, by: &str, now: Instant) -> Result<(), OpsError> {
    users::entitled(tx, by, &[OPS, FINANCE, ADMIN]).await?;
    let found = outbox::find(tx, id).await?.filter(|message| TOPICS.contains(&message.topic.as_str()));
    let message = found.ok_or_else(|| OpsError::NoMail(id.chars().take(60).collect()))?;
    match outbox::again(tx, id, durable::Instant(now.0)).await {
        Err(OutboxError::NotHeld(_)) => return Err(OpsError::MailNotNow { id: message.id, status: message.status }),
        done => done?,
    }
    let who = Actor { by, reason: "", now };
    Ok(who.tell(tx, "mail.retried", &format!("mail/{id}"), json!({ "key": message.key, "error": message.error })).await?)
}
