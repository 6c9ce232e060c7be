//! Runs periods through freeze, rating and finishing, batch by batch, and resumes what was interrupted.

use program::calendar::{Instant, Period};
use program::line::Line;
use sea_orm::DatabaseTransaction;

use super::error::SettleError;
use super::freeze::{self, Frozen, Stage};
use super::lines::{self, LineWriter};
use super::rate::{Rating, adjustment_line, due_adjustments};
use super::{finish, ranks, tiers, workset};
use crate::connection::Books;
use crate::load::{Knowledge, versions};

/// Payees that are made final in one transaction.
const PAYEES_AT_ONCE: usize = 500;
/// Periods that one command makes final at most: a century.
pub const PERIODS_AT_ONCE: usize = 1_200;

/// Logs how long the stages of a period take.
struct Stopwatch<'a> {
    program: &'a str,
    period: Period,
    since: std::time::Instant,
}

impl<'a> Stopwatch<'a> {
    fn start(program: &'a str, period: Period) -> Self {
        Self { program, period, since: std::time::Instant::now() }
    }

    fn lap(&mut self, stage: &'static str, count: usize) {
        let elapsed_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(program = self.program, period = %self.period, stage, count, elapsed_ms, "settlement.stage");
        self.since = std::time::Instant::now();
    }
}

/// What to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One period; those before it must be final.
    Period(Period),
    /// All open periods through one.
    Through(Period),
}

/// The open periods that a target asks for; none if it is final already.
///
/// # Errors
/// The period is history, out of order or not over (`now`; `None`: a preview may look at any).
pub async fn open_periods(tx: &DatabaseTransaction, program: &str, target: Target, now: Option<Instant>) -> Result<Vec<Period>, SettleError> {
    let versions = versions::load(tx, program, i64::MAX).await?;
    let constant = versions.constant();
    let first = constant.settlement.first_period;
    let (Target::Period(period) | Target::Through(period)) = target;
    let name = || program.to_owned();
    if period < first {
        return Err(SettleError::BeforeFirst { program: name(), first, period });
    }
    if now.is_some_and(|now| now.date_in(constant.timezone) <= period.last_day()) {
        return Err(SettleError::NotOver { program: name(), period });
    }
    let open = freeze::first_open(tx, program, first).await?;
    if let (Target::Period(_), Some(_)) = (target, now)
        && open < period
    {
        return Err(SettleError::OutOfOrder { program: name(), open, period });
    }
    let mut periods = Vec::new();
    let mut next = open;
    while next <= period {
        if periods.len() >= PERIODS_AT_ONCE {
            return Err(SettleError::TooFar { open, period, most: PERIODS_AT_ONCE });
        }
        periods.push(next);
        next = next.next();
    }
    Ok(periods)
}

/// Tier changes and rankings of a frozen period (architecture: pass a).
async fn tier(tx: &DatabaseTransaction, knowledge: &mut Knowledge, period: Period, now: Instant) -> Result<Vec<String>, SettleError> {
    let mut wrong = Vec::new();
    let found = tiers::look(tx, knowledge, period, period.last_day(), &mut wrong).await?;
    tiers::store(tx, knowledge, &found, Some(period), knowledge.cutoff).await?;
    ranks::make(tx, knowledge, period, &mut wrong).await?;
    freeze::reach(tx, &knowledge.program, period, Stage::Tiered, now).await?;
    Ok(wrong)
}

/// Rates everything that a period books and stores it (architecture: pass b); nothing when something is wrong.
async fn rate(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period) -> Result<Vec<String>, SettleError> {
    let mut wrong = Vec::new();
    let mut clock = Stopwatch::start(&knowledge.program, period);
    let previous = freeze::cutoff_before(tx, &knowledge.program, period).await?;
    let work = workset::gather(tx, knowledge, period, previous).await?;
    clock.lap("gathered", work.jobs.len());
    let rating = Rating::prepare(tx, knowledge, &work, &knowledge.fx, &mut wrong).await?;
    clock.lap("prepared", rating.spiff_uses().len());
    let mut writer = LineWriter::new(tx, &knowledge.program, period);
    for (earner, jobs) in rating.earners() {
        let rated = rating.earner(earner, &jobs);
        wrong.extend(rated.wrong);
        // Once something is wrong nothing will be kept; the rest is rated to list all that is wrong.
        if wrong.is_empty() {
            writer.push(rated.lines).await?;
        }
    }
    writer.finish().await?;
    if wrong.is_empty() {
        let mut others: Vec<Line> =
            due_adjustments(tx, knowledge, period).await?.iter().filter_map(|due| adjustment_line(knowledge, due, period)).collect();
        others.extend(ranks::lump_sums(tx, knowledge, period).await?);
        let mut writer = LineWriter::new(tx, &knowledge.program, period);
        writer.push(others).await?;
        writer.finish().await?;
        clock.lap("rated and stored", work.jobs.len());
        lines::store_bookings(tx, knowledge, &work, &rating.booked_refunds(), rating.spiff_uses()).await?;
        clock.lap("booked", work.jobs.len());
    }
    Ok(wrong)
}

fn data_error(program: &str, period: Period, mut reasons: Vec<String>) -> SettleError {
    reasons.sort();
    reasons.dedup();
    SettleError::Data { program: program.into(), period, reasons }
}

/// Computes periods within one transaction, which the caller rolls back (a preview) or commits.
///
/// # Errors
/// Facts are missing or wrong, or the database failed.
pub async fn settle_within(tx: &DatabaseTransaction, program: &str, periods: &[Period], now: Instant) -> Result<(), SettleError> {
    for &period in periods {
        let frozen = freeze::freeze(tx, program, period, now).await?;
        let knowledge = Knowledge::load(tx, program, frozen.cutoff).await?;
        let knowledge = tier_and_rate(tx, knowledge, frozen, now).await?;
        for payees in finish::payees(tx, program, period).await?.chunks(PAYEES_AT_ONCE) {
            finish::finish(tx, &knowledge, period, payees, now).await?;
        }
        finish::close(tx, &knowledge, period, now).await?;
    }
    Ok(())
}

/// Makes one period final, in transactions of bounded size; interrupted anywhere and run again, it comes to the same bytes.
///
/// # Errors
/// Facts are missing or wrong (nothing is posted, the period is open again), or the database failed.
pub async fn settle_period(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    freeze::freeze(&tx, program, period, now).await?;
    tx.commit().await?;
    let result = settle_frozen(books, program, period, now).await;
    if let Err(SettleError::Data { .. }) = &result {
        let tx = books.begin_write().await?;
        freeze::thaw(&tx, program, period).await?;
        tx.commit().await?;
    }
    result
}

async fn settle_frozen(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    let frozen = freeze::lock(&tx, program, period).await?;
    if frozen.stage == Stage::Final {
        tx.rollback().await?;
        return Ok(());
    }
    let knowledge = Knowledge::load(&tx, program, frozen.cutoff).await?;
    let knowledge = match tier_and_rate(&tx, knowledge, frozen, now).await {
        Ok(knowledge) => knowledge,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    tx.commit().await?;
    finish_in_batches(books, &knowledge, period, now).await
}

/// Brings a frozen period to where all its lines are stored, from wherever it stands.
async fn tier_and_rate(tx: &DatabaseTransaction, mut knowledge: Knowledge, frozen: Frozen, now: Instant) -> Result<Knowledge, SettleError> {
    let period = frozen.period;
    let program = knowledge.program.clone();
    if frozen.stage == Stage::Frozen {
        let wrong = tier(tx, &mut knowledge, period, now).await?;
        if !wrong.is_empty() {
            return Err(data_error(&program, period, wrong));
        }
    }
    if matches!(frozen.stage, Stage::Frozen | Stage::Tiered) {
        freeze::clear_rating(tx, &program, period).await?;
        let wrong = rate(tx, &knowledge, period).await?;
        if !wrong.is_empty() {
            return Err(data_error(&program, period, wrong));
        }
        freeze::reach(tx, &program, period, Stage::Rated, now).await?;
    }
    Ok(knowledge)
}

async fn finish_in_batches(books: &Books, knowledge: &Knowledge, period: Period, now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_read().await?;
    let payees = finish::payees(&tx, &knowledge.program, period).await?;
    tx.rollback().await?;
    let mut clock = Stopwatch::start(&knowledge.program, period);
    for batch in payees.chunks(PAYEES_AT_ONCE) {
        let tx = books.begin_write().await?;
        if freeze::lock(&tx, &knowledge.program, period).await?.stage == Stage::Final {
            tx.rollback().await?;
            return Ok(());
        }
        finish::finish(&tx, knowledge, period, batch, now).await?;
        tx.commit().await?;
    }
    clock.lap("payees finished", payees.len());
    let tx = books.begin_write().await?;
    if freeze::lock(&tx, &knowledge.program, period).await?.stage != Stage::Final {
        finish::close(&tx, knowledge, period, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
