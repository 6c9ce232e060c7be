//! Computes months of history anew under another programme file, and what would differ; nothing is kept.
//!
//! In one transaction that is always rolled back, the months from the first one on are taken back and settled again, each from what was
//! known at its own cut-off, and reviews are made again in the order and from the knowledge of then. So the only thing that differs is the
//! programme, and the programme that is in force differs in nothing.

mod take_back;

use std::collections::{BTreeMap, BTreeSet};

use program::calendar::{Date, Instant, Period, days_after};
use program::exact::Overflow;
use program::line::Text;
use program::money::Currency;
use program::programme::Programme;
use sea_orm::{DatabaseTransaction, DbErr};

use crate::connection::Books;
use crate::load::row::{LoadError, execute, rows};
use crate::load::{Knowledge, versions};
use crate::review::{self, ReviewError};
use crate::settlement::SettleError;
use crate::settlement::freeze;
use crate::settlement::run::{self, Target};

/// What to compute.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The other programme.
    pub programme: &'a Programme,
    /// The text that it was loaded from.
    pub source: &'a str,
    /// The first month; from its first day on the other programme holds, instead of every version that began then or later.
    pub from: Period,
    /// The last month.
    pub through: Period,
    /// What time it is.
    pub now: Instant,
}

/// What would differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The programme.
    pub program: String,
    /// The first month.
    pub from: Period,
    /// The last month.
    pub through: Period,
    /// The months of the range that are not final: both sides of the comparison are previews of them.
    pub open: Vec<Period>,
    /// Every member with a settlement or with another tier on one of the two sides, by partner and currency.
    pub differences: Vec<Difference>,
}

/// One member in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The member.
    pub partner: Text,
    /// The currency.
    pub currency: Currency,
    /// What it earned in the range as it was.
    pub before: Earned,
    /// What it would have earned.
    pub after: Earned,
    /// The tier that it had on the day after the range; `None`: it was no member.
    pub tier_before: Option<Text>,
    /// The tier that it would have had.
    pub tier_after: Option<Text>,
}

impl Difference {
    /// Whether the other programme makes any difference to it.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.before != self.after || self.tier_before != self.tier_after
    }
}

/// What a range of months comes to.
///
/// # Units
/// Minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Earned {
    /// Cash lines.
    pub cash_minor: i64,
    /// Co-op lines.
    pub coop_minor: i64,
}

impl Earned {
    /// The sum of both.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        let add = |a: i64, b: i64| a.checked_add(b).ok_or(Overflow);
        Ok(Self { cash_minor: add(self.cash_minor, other.cash_minor)?, coop_minor: add(self.coop_minor, other.coop_minor)? })
    }
}

/// Why history can't be computed anew.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The months are in the wrong order.
    #[error("{through} is before {from}; give the first month with --from and the last with --through")]
    Backwards {
        /// The first month.
        from: Period,
        /// The last month.
        through: Period,
    },
    /// The file can't follow the recorded versions.
    #[error("{0}")]
    Successor(String),
    /// A month can't be settled.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// A month can't be settled under the other programme.
    #[error("under the other programme {0}")]
    SettleAnew(#[source] SettleError),
    /// A review can't be made under the other programme.
    #[error("under the other programme {0}")]
    ReviewAnew(#[source] ReviewError),
}

impl From<LoadError> for SimulateError {
    fn from(error: LoadError) -> Self {
        Self::Settle(error.into())
    }
}

impl From<DbErr> for SimulateError {
    fn from(error: DbErr) -> Self {
        LoadError::from(error).into()
    }
}

/// Computes what would differ. Nothing is kept, whatever happens; recordings and settlements wait meanwhile.
///
/// # Errors
/// [`SimulateError`].
pub async fn simulate(books: &Books, request: &Request<'_>) -> Result<Simulation, SimulateError> {
    let tx = books.begin_write().await?;
    let simulation = within(&tx, request).await;
    tx.rollback().await?;
    simulation
}

async fn within(tx: &DatabaseTransaction, request: &Request<'_>) -> Result<Simulation, SimulateError> {
    let Request { programme, from, through, now, .. } = *request;
    let program = programme.id.as_str();
    if through < from {
        return Err(SimulateError::Backwards { from, through });
    }
    // From here on nobody else records or freezes, so that the books hold still.
    let known = freeze::lock_recordings(tx).await?;
    take_back::let_final_rows_go(tx).await?;
    let versions = versions::load(tx, program, i64::MAX).await?;
    program::file::check_successor(versions.constant(), programme).map_err(|error| SimulateError::Successor(error.to_string()))?;
    if from < versions.constant().settlement.first_period {
        return Err(SettleError::BeforeFirst { program: program.into(), first: versions.constant().settlement.first_period, period: from }.into());
    }
    let open = run::open_periods(tx, program, Target::Through(through), None).await?;
    run::settle_within(tx, program, &open, now).await?;

    let after_range = days_after(through.last_day(), 1);
    let before = Side::read(tx, program, (from, through), after_range).await?;
    let history = History::read(tx, program, (from, through), after_range).await?;
    take_back::take_back(tx, program, from).await?;
    replace_versions(tx, request).await?;
    history.repeat(tx, program, known, now).await?;
    let after = Side::read(tx, program, (from, through), after_range).await?;
    let open = open.into_iter().filter(|period| *period >= from).collect();
    Ok(Simulation { program: program.into(), from, through, open, differences: differences(&before, &after, programme.currency) })
}

/// The other programme in place of all versions that began on its first day or later.
async fn replace_versions(tx: &DatabaseTransaction, request: &Request<'_>) -> Result<(), LoadError> {
    let program = request.programme.id.as_str();
    let effective_from = request.from.first_day().to_string();
    let last = rows(tx, "SELECT number FROM program_versions WHERE program = ? ORDER BY number DESC LIMIT 1", vec![program.into()]).await?;
    let number = last.first().map(|row| row.int(0)).transpose()?.unwrap_or(0) + 1;
    let delete = "DELETE FROM program_versions WHERE program = ? AND effective_from >= ?";
    execute(tx, delete, vec![program.into(), effective_from.as_str().into()]).await?;
    // Known at every cut-off, as if it had been there from the beginning.
    let insert = "INSERT INTO program_versions (program, number, effective_from, source, digest, seq) VALUES (?, ?, ?, ?, '', 0)";
    execute(tx, insert, vec![program.into(), number.into(), effective_from.into(), request.source.into()]).await?;
    Ok(())
}

/// What was done in the range: months with their cut-offs, reviews with the recording that each one is.
#[derive(Debug)]
struct History {
    periods: Vec<(Period, i64)>,
    reviews: Vec<(Date, i64)>,
}

impl History {
    async fn read(tx: &DatabaseTransaction, program: &str, (from, through): (Period, Period), after_range: Date) -> Result<Self, LoadError> {
        let query = "SELECT period, cutoff FROM periods WHERE program = ? AND period BETWEEN ? AND ? ORDER BY period";
        let mut history = Self { periods: Vec::new(), reviews: Vec::new() };
        for row in rows(tx, query, vec![program.into(), from.to_string().into(), through.to_string().into()]).await? {
            history.periods.push((row.period(0)?, row.int(1)?));
        }
        let query = "SELECT as_of, seq FROM reviews WHERE program = ? AND as_of BETWEEN ? AND ? ORDER BY as_of";
        for row in rows(tx, query, vec![program.into(), from.first_day().to_string().into(), after_range.to_string().into()]).await? {
            history.reviews.push((row.date(0)?, row.int(1)?));
        }
        Ok(history)
    }

    /// Does the same again, in the same order, each from what was known then.
    async fn repeat(&self, tx: &DatabaseTransaction, program: &str, known: i64, now: Instant) -> Result<(), SimulateError> {
        let mut reviews = self.reviews.iter().peekable();
        for &(period, cutoff) in &self.periods {
            while let Some(&(as_of, seq)) = reviews.next_if(|(_, seq)| *seq <= cutoff) {
                review_again(tx, program, as_of, seq, now).await?;
            }
            let insert = "INSERT INTO periods (program, period, status, stage, cutoff, frozen_at) VALUES (?, ?, 'closing', 'frozen', ?, ?)";
            execute(tx, insert, vec![program.into(), period.to_string().into(), cutoff.into(), now.0.into()]).await?;
            run::settle_within(tx, program, &[period], now).await.map_err(SimulateError::SettleAnew)?;
        }
        for &(as_of, seq) in reviews {
            review_again(tx, program, as_of, seq, now).await?;
        }
        set_gate(tx, known).await?;
        Ok(())
    }
}

/// Makes a review as the recording that it was: it knows what was recorded before, and later months know it.
async fn review_again(tx: &DatabaseTransaction, program: &str, as_of: Date, seq: i64, now: Instant) -> Result<(), SimulateError> {
    execute(tx, "DELETE FROM recordings WHERE seq = ?", vec![seq.into()]).await?;
    set_gate(tx, seq - 1).await?;
    review::preview(tx, program, as_of, now).await.map_err(SimulateError::ReviewAnew)?;
    Ok(())
}

async fn set_gate(tx: &DatabaseTransaction, seq: i64) -> Result<(), LoadError> {
    execute(tx, "UPDATE gate SET seq = ? WHERE id = 1", vec![seq.into()]).await?;
    Ok(())
}

/// What one of the two sides comes to.
#[derive(Debug)]
struct Side {
    earned: BTreeMap<(Text, Currency), Earned>,
    tiers: BTreeMap<Text, Text>,
}

impl Side {
    async fn read(tx: &DatabaseTransaction, program: &str, (from, through): (Period, Period), tiers_on: Date) -> Result<Self, LoadError> {
        let query = "SELECT partner, currency, CAST(SUM(cash_lines_minor) AS BIGINT), CAST(SUM(coop_credit_minor) AS BIGINT) FROM settlements \
                     WHERE program = ? AND period BETWEEN ? AND ? GROUP BY partner, currency";
        let mut earned = BTreeMap::new();
        for row in rows(tx, query, vec![program.into(), from.to_string().into(), through.to_string().into()]).await? {
            earned.insert((row.text(0)?, row.currency(1)?), Earned { cash_minor: row.int(2)?, coop_minor: row.int(3)? });
        }
        let knowledge = Knowledge::load(tx, program, i64::MAX).await?;
        let tiers = knowledge.directory.iter().filter_map(|(_, partner)| Some((partner.id.0.clone(), partner.earned_tier(tiers_on)?.clone())));
        Ok(Self { earned, tiers: tiers.collect() })
    }
}

fn differences(before: &Side, after: &Side, home: Currency) -> Vec<Difference> {
    let mut keys: BTreeSet<(Text, Currency)> = before.earned.keys().chain(after.earned.keys()).cloned().collect();
    let earners: BTreeSet<Text> = keys.iter().map(|(partner, _)| partner.clone()).collect();
    let changed = before.tiers.keys().chain(after.tiers.keys()).filter(|partner| before.tiers.get(*partner) != after.tiers.get(*partner));
    keys.extend(changed.filter(|partner| !earners.contains(*partner)).map(|partner| (partner.clone(), home)));
    let difference = |key: (Text, Currency)| Difference {
        before: before.earned.get(&key).copied().unwrap_or_default(),
        after: after.earned.get(&key).copied().unwrap_or_default(),
        tier_before: before.tiers.get(&key.0).cloned(),
        tier_after: after.tiers.get(&key.0).cloned(),
        partner: key.0,
        currency: key.1,
    };
    keys.into_iter().map(difference).collect()
}
