//! Runs periods through freeze, rating and finishing, batch by batch, and resumes what was interrupted.

use futures::FutureExt;
use program::calendar::{Instant, Period};
use program::line::{Line, Text};
use sea_orm::DatabaseTransaction;
use tokio::task::JoinHandle;

use super::ahead::{Beside, FactsAhead};
use super::bounds::Bounds;
use super::error::SettleError;
use super::finish::SummedUp;
use super::freeze::{self, Frozen, Stage};
use super::lines::{self, LineWriter};
use super::rate::{Rating, adjustment_line, due_adjustments};
use super::{finish, ranks, tiers, workset};
use crate::audit::seal;
use crate::connection::Books;
use crate::load::row::LoadError;
use crate::load::{Knowledge, versions};

/// Payees that are made final in one transaction.
const PAYEES_AT_ONCE: usize = 1_000;
/// Lines of a period that are kept in memory from rating to finishing at most (about 300 bytes each); more are read back.
const LINES_KEPT_MAX: usize = 500_000;
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
    let open = freeze::first_open(tx, program, first).await?;
    // What is final is over, whatever the clock says that has gone back meanwhile.
    if open <= period && now.is_some_and(|now| now.date_in(constant.timezone) <= period.last_day()) {
        return Err(SettleError::NotOver { program: name(), period });
    }
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

/// The lines of a period as long as they are few enough to be kept.
#[derive(Default)]
struct Kept {
    /// As they come: one growing list of all would be moved again and again.
    parts: Vec<Vec<Line>>,
    count: usize,
}

impl Kept {
    fn keep(&mut self, mut lines: Vec<Line>) {
        self.count += lines.len();
        if self.count > LINES_KEPT_MAX {
            self.parts = Vec::new();
        } else {
            lines.shrink_to_fit();
            self.parts.push(lines);
        }
    }

    /// Sums them up on a thread of its own.
    fn sum_up(self) -> Summing {
        Summing((self.count <= LINES_KEPT_MAX).then(|| tokio::task::spawn_blocking(move || SummedUp::of(&self.parts))))
    }
}

/// The summing up of kept lines, on its way beside the database's work; nothing when they were too many.
struct Summing(Option<JoinHandle<Result<SummedUp, SettleError>>>);

impl Summing {
    async fn end(self) -> Result<Option<SummedUp>, SettleError> {
        match self.0 {
            // If its thread ended early, the lines are read back.
            Some(summing) => summing.await.ok().transpose(),
            None => Ok(None),
        }
    }
}

/// Rates everything that a period books and stores it (architecture: pass b); nothing when something is wrong.
async fn rate(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    period: Period,
    ahead: Option<FactsAhead>,
) -> Result<Result<Summing, Vec<String>>, SettleError> {
    let mut wrong = Vec::new();
    let mut clock = Stopwatch::start(&knowledge.program, period);
    let previous = freeze::cutoff_before(tx, &knowledge.program, period).await?;
    let work = workset::gather(tx, knowledge, period, previous, ahead).await?;
    clock.lap("gathered", work.jobs.len());
    let rating = Rating::prepare(tx, knowledge, &work, &knowledge.fx, &mut wrong).await?;
    clock.lap("prepared", rating.spiff_uses().len());
    let mut writer = LineWriter::new(tx, &knowledge.program, period);
    let mut kept = Kept::default();
    let mut bounds = Bounds::default();
    for (earner, jobs) in rating.earners() {
        let rated = rating.earner(earner, &jobs);
        wrong.extend(rated.wrong);
        bounds.count(&rated.lines);
        // Once something is wrong nothing will be kept; the rest is rated to list all that is wrong.
        if wrong.is_empty() {
            writer.push(&rated.lines).await?;
            kept.keep(rated.lines);
        }
    }
    writer.finish().await?;
    let mut others: Vec<Line> =
        due_adjustments(tx, knowledge, period).await?.iter().filter_map(|due| adjustment_line(knowledge, due, period)).collect();
    others.extend(ranks::lump_sums(tx, knowledge, period).await?);
    bounds.count(&others);
    wrong.extend(bounds.exceeded(tx, &knowledge.program, period).await?);
    if !wrong.is_empty() {
        return Ok(Err(wrong));
    }
    let mut writer = LineWriter::new(tx, &knowledge.program, period);
    writer.push(&others).await?;
    writer.finish().await?;
    kept.keep(others);
    clock.lap("rated and stored", work.jobs.len());
    let summing = kept.sum_up();
    lines::store_bookings(tx, knowledge, &work, &rating.booked_refunds(), rating.spiff_uses()).await?;
    clock.lap("booked", work.jobs.len());
    Ok(Ok(summing))
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
        let (knowledge, summing) = tier_and_rate(tx, knowledge, frozen, None, now).await?;
        let mut summed = summing.end().await?;
        for payees in finish::payees(tx, program, period).await?.chunks(PAYEES_AT_ONCE) {
            finish::finish(tx, &knowledge, period, payees, summed.as_mut(), now).await?;
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
    settle_periods(books, program, &[period], now, |_| ()).await
}

/// Makes periods final, one after the other, and tells of each that is; see [`settle_period`].
///
/// # Errors
/// As [`settle_period`]; those told of before stay final.
pub async fn settle_periods(
    books: &Books,
    program: &str,
    periods: &[Period],
    now: Instant,
    mut made_final: impl FnMut(Period) + Send,
) -> Result<(), SettleError> {
    let mut beside = Beside::default();
    let mut result = Ok(());
    for (place, &period) in periods.iter().enumerate() {
        result = settle_one(books, program, (period, periods.get(place + 1).copied()), &mut beside, now).await;
        if result.is_err() {
            break;
        }
        made_final(period);
    }
    beside.end(books).await;
    let sealed = seal::seal_all(books, now).await;
    result.and(sealed.map(|_| ()).map_err(SettleError::from))
}

/// Freezes a period in a transaction of its own: recording waits no longer than for that.
async fn frozen(books: &Books, program: &str, period: Period, now: Instant) -> Result<Frozen, SettleError> {
    let tx = books.begin_write().await?;
    match freeze::freeze(&tx, program, period, now).await {
        Ok(frozen) => {
            tx.commit().await?;
            Ok(frozen)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn settle_one(
    books: &Books,
    program: &str,
    (period, next): (Period, Option<Period>),
    beside: &mut Beside,
    now: Instant,
) -> Result<(), SettleError> {
    let frozen = frozen(books, program, period, now).await?;
    let result = settle_frozen(books, program, (period, next), beside, now).await;
    if let Err(SettleError::Data { .. }) = &result {
        let tx = books.begin_write().await?;
        freeze::thaw(&tx, program, frozen).await?;
        tx.commit().await?;
    }
    result
}

async fn settle_frozen(
    books: &Books,
    program: &str,
    (period, next): (Period, Option<Period>),
    beside: &mut Beside,
    now: Instant,
) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    let frozen = freeze::lock(&tx, program, period).await?;
    if frozen.stage == Stage::Final {
        tx.rollback().await?;
        return Ok(());
    }
    let mut clock = Stopwatch::start(program, period);
    let knowledge = Knowledge::load(&tx, program, frozen.cutoff).await?;
    clock.lap("knowledge loaded", knowledge.homes.len());
    let ahead = beside.facts().await;
    clock.lap("facts read ahead", ahead.as_ref().map_or(0, |ahead| ahead.set.invoices.len()));
    let (knowledge, summing) = match tier_and_rate(&tx, knowledge, frozen, ahead, now).await {
        Ok(rated) => rated,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    // Not before what this period was rated from is gone: both at once would need too much memory.
    if let Some(next) = next {
        beside.read_ahead(books, program, next);
    }
    let mut clock = Stopwatch::start(program, period);
    tx.commit().await?;
    clock.lap("rating committed", 1);
    beside.checkpoint(books);
    let summed = summing.end().await?;
    clock.lap("summed up", 1);
    finish_in_batches(books, &knowledge, period, summed, now).await
}

/// Brings a frozen period to where all its lines are stored, from wherever it stands.
async fn tier_and_rate(
    tx: &DatabaseTransaction,
    mut knowledge: Knowledge,
    frozen: Frozen,
    ahead: Option<FactsAhead>,
    now: Instant,
) -> Result<(Knowledge, Summing), SettleError> {
    let mut summing = Summing(None);
    let period = frozen.period;
    let program = knowledge.program.clone();
    if frozen.stage == Stage::Frozen {
        let mut clock = Stopwatch::start(&program, period);
        let wrong = tier(tx, &mut knowledge, period, now).await?;
        clock.lap("tiered", knowledge.homes.len());
        if !wrong.is_empty() {
            return Err(data_error(&program, period, wrong));
        }
    }
    if matches!(frozen.stage, Stage::Frozen | Stage::Tiered) {
        summing = rate(tx, &knowledge, period, ahead).await?.map_err(|wrong| data_error(&program, period, wrong))?;
        freeze::reach(tx, &program, period, Stage::Rated, now).await?;
    }
    Ok((knowledge, summing))
}

async fn finish_in_batches(
    books: &Books,
    knowledge: &Knowledge,
    period: Period,
    mut summed: Option<SummedUp>,
    now: Instant,
) -> Result<(), SettleError> {
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
        finish::finish(&tx, knowledge, period, batch, summed.as_mut(), now).await?;
        tx.commit().await?;
    }
    clock.lap("payees finished", payees.len());
    let tx = books.begin_write().await?;
    if freeze::lock(&tx, &knowledge.program, period).await?.stage != Stage::Final {
        finish::close(&tx, knowledge, period, now).await?;
    }
    tx.commit().await?;
    clock.lap("closed", 1);
    Ok(())
}

/// A settlement that can't be made final now, and why; the others are not kept back by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The payee.
    pub payee: Text,
    /// Why.
    pub reason: String,
}

/// Freezes a period and stores all its lines (architecture: passes a and b), from wherever an interruption left it.
///
/// # Idempotency
/// (program, period): what is stored stays; a period that is rated or final is left alone.
///
/// # Errors
/// Facts are missing or wrong (nothing is posted, the period is open again), or the database failed.
pub async fn rate_period(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let frozen = frozen(books, program, period, now).await?;
    let result = rate_frozen(books, program, period, now).await;
    if let Err(SettleError::Data { .. }) = &result {
        let tx = books.begin_write().await?;
        freeze::thaw(&tx, program, frozen).await?;
        tx.commit().await?;
    }
    result
}

async fn rate_frozen(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    let frozen = freeze::lock(&tx, program, period).await?;
    let rated = if frozen.stage == Stage::Final {
        Ok(())
    } else {
        match Knowledge::load(&tx, program, frozen.cutoff).await {
            Ok(knowledge) => tier_and_rate(&tx, knowledge, frozen, None, now).await.map(|_| ()),
            Err(error) => Err(error.into()),
        }
    };
    match rated {
        Ok(()) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

/// The payees of a rated period whose settlements are not final yet, by id.
///
/// # Errors
/// The database failed.
pub async fn unfinished(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Vec<Text>, LoadError> {
    if freeze::last(tx, program).await?.is_none_or(|last| last.period != period || last.stage == Stage::Final) {
        return Ok(Vec::new());
    }
    let payees = finish::payees(tx, program, period).await?;
    let done = finish::finished(tx, program, period, &payees).await?;
    Ok(payees.into_iter().filter(|payee| !done.contains(payee)).collect())
}

/// Makes the settlements of some payees final (architecture: pass c): all in one transaction, or, where one of them can't be made, the
/// others without it.
///
/// # Idempotency
/// (program, partner, period, currency).
///
/// # Errors
/// The database failed in a way that concerns all of them, or may pass.
pub async fn finish_payees(books: &Books, program: &str, period: Period, payees: &[Text], now: Instant) -> Result<Vec<Parked>, SettleError> {
    let tx = books.begin_read().await?;
    let cutoff = freeze::last(&tx, program).await?.filter(|last| last.period == period && last.stage != Stage::Final).map(|last| last.cutoff);
    let knowledge = match cutoff {
        Some(cutoff) => Some(Knowledge::load(&tx, program, cutoff).await?),
        None => None,
    };
    tx.rollback().await?;
    let Some(knowledge) = knowledge else { return Ok(Vec::new()) };
    let mut parked = Vec::new();
    // The halves of what fails as a whole: as many as payees at most.
    let mut open: Vec<&[Text]> = payees.chunks(PAYEES_AT_ONCE).rev().collect();
    while let Some(batch) = open.pop() {
        let result = match std::panic::AssertUnwindSafe(finish_batch(books, &knowledge, period, batch, now)).catch_unwind().await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) if error.is_transient() => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_text(panic.as_ref()),
        };
        match batch {
            [] => {}
            [payee] => parked.push(Parked { payee: payee.clone(), reason: result }),
            _ => {
                let (first, second) = batch.split_at(batch.len() / 2);
                open.extend([second, first]);
            }
        }
    }
    Ok(parked)
}

async fn finish_batch(books: &Books, knowledge: &Knowledge, period: Period, batch: &[Text], now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    if freeze::lock(&tx, &knowledge.program, period).await?.stage == Stage::Final {
        tx.rollback().await?;
        return Ok(());
    }
    match finish::finish(&tx, knowledge, period, batch, None, now).await {
        Ok(()) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_else(|| "without a word".into()))
}

/// Makes a period final of which all settlements are.
///
/// # Idempotency
/// (program, period).
///
/// # Errors
/// A settlement is not final yet, or the database failed.
pub async fn close_period(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let tx = books.begin_write().await?;
    let frozen = freeze::lock(&tx, program, period).await?;
    if frozen.stage == Stage::Final {
        tx.rollback().await?;
        return Ok(());
    }
    let open = unfinished(&tx, program, period).await?;
    if let Some(payee) = open.first() {
        let error = SettleError::Unfinished { program: program.into(), period, payee: payee.to_string(), count: open.len() };
        tx.rollback().await?;
        return Err(error);
    }
    let knowledge = Knowledge::load(&tx, program, frozen.cutoff).await?;
    finish::close(&tx, &knowledge, period, now).await?;
    Ok(tx.commit().await?)
}
