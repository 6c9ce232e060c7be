//! What schedules there are, when each fires next, and what keeps it waiting.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};
use serde::Serialize;

use super::order::{self, Behind};
use super::{Rule, ScheduleError, next_slot};
use crate::clock::Instant;
use crate::entities::schedule;
use crate::sql;

/// A schedule with its times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleLine {
    /// Its id.
    pub id: String,
    /// Cron with seconds, or [`NEVER`](super::NEVER): what holds today.
    pub expression: String,
    /// IANA zone.
    pub zone: String,
    /// What holds after it.
    pub change: Option<Change>,
    /// What its slots start.
    pub workflow: String,
    /// Whether it is paused, by whom and why.
    pub paused: Option<String>,
    /// The next slot: its local time.
    pub next_slot: Option<String>,
    /// The next slot: its instant.
    pub next_at: Option<String>,
    /// The slot, of this or another schedule, that it waits for although it is due.
    pub waits_for: Option<String>,
    /// The last slot that was decided.
    pub last_slot: Option<String>,
    /// What became of it.
    pub last_state: Option<String>,
    /// The run that it started.
    pub last_run: Option<String>,
}

/// An expression that holds from a day to come on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The local day.
    pub from: String,
    /// Cron with seconds, or [`NEVER`](super::NEVER).
    pub expression: String,
}

impl Rule {
    /// What holds at an instant, and what after it.
    #[must_use]
    pub fn at(&self, now: Instant) -> (String, Option<Change>) {
        let today = self.local(now).0.date();
        let change = self.change_after(today).map(|(from, expression)| Change { from: from.to_string(), expression: expression.to_owned() });
        (self.expression_on(today).to_owned(), change)
    }
}

/// The ids of all schedules.
///
/// # Errors
/// The database failed.
pub async fn ids<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let rows = sql::rows(db, "SELECT id FROM schedules ORDER BY id", []).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// All schedules with their next and last times, by id; `behind` says whose slots those of a schedule are behind.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
pub async fn list<C: ConnectionTrait>(db: &C, now: Instant, behind: impl Fn(&str) -> Vec<Behind> + Send) -> Result<Vec<ScheduleLine>, ScheduleError> {
    let mut lines = Vec::new();
    for known in schedule::Entity::find().order_by_asc(schedule::Column::Id).all(db).await? {
        let rule = Rule::new(&known.expression, &known.zone)?;
        let next = next_slot(&rule, &known)?;
        let waits_for = match next.map(|slot| (slot, rule.due_at(slot))) {
            Some((slot, due_at)) if due_at <= now && known.paused == 0 => order::first_before(db, &known, &behind(&known.id), slot, due_at).await?,
            Some(_) | None => None,
        };
        let (expression, change) = rule.at(now);
        let text = "SELECT slot, state, run FROM schedule_slots WHERE schedule = ? ORDER BY slot DESC LIMIT 1";
        let last = sql::row(db, text, [known.id.as_str().into()]).await?;
        let column = |index: usize| last.as_ref().map(|row| row.try_get_by_index::<Option<String>>(index)).transpose().map(Option::flatten);
        lines.push(ScheduleLine {
            paused: (known.paused == 1)
                .then(|| format!("by {}: {}", known.paused_by.as_deref().unwrap_or_default(), known.paused_reason.as_deref().unwrap_or_default())),
            next_slot: next.map(|slot| slot.to_string()),
            next_at: next.map(|slot| rule.due_at(slot).to_string()),
            waits_for: waits_for.map(|open| open.to_string()),
            last_slot: column(0)?,
            last_state: column(1)?,
            last_run: column(2)?,
            id: known.id,
            expression,
            change,
            zone: known.zone,
            workflow: known.workflow,
        });
    }
    Ok(lines)
}

/// When the next slot of any schedule is due.
///
/// # Errors
/// [`ScheduleError::Rule`], [`ScheduleError::Database`].
pub async fn next_due<C: ConnectionTrait>(db: &C) -> Result<Option<Instant>, ScheduleError> {
    let mut first = None;
    for known in schedule::Entity::find().all(db).await? {
        let rule = Rule::new(&known.expression, &known.zone)?;
        let due = next_slot(&rule, &known)?.map(|slot| rule.due_at(slot));
        first = match (first, due) {
            (Some(first), Some(due)) => Some(std::cmp::min(first, due)),
            (first, due) => first.or(due),
        };
    }
    Ok(first)
}
