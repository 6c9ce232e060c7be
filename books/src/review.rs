//! The quarterly review: assigns tiers from T12M and what tiers require, and stores its evidence (domain.md §5.2).

use std::collections::HashMap;

use program::calendar::{Date, Instant, Period, days_after, months_before};
use program::condition::Fact;
use program::exact::Exact;
use program::line::Text;
use program::member::{PartnerNo, is_frozen};
use program::recertify::{Decision, Outcome, Standing, decide};
use program::revenue::RevenueIndex;
use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, execute, first_row, rows};
use crate::load::{Knowledge, deals, revenue, versions};
use crate::settlement::SettleError;
use crate::settlement::tiers::{self, requires_name};

mod made;

pub use made::Made;

/// The result of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// The member.
    pub partner: Text,
    /// The tier that it held.
    pub tier: Text,
    /// T12M in minor units of the programme's currency.
    pub t12m_minor: i64,
    /// The tier that it earned.
    pub earned: Text,
    /// What was done.
    pub outcome: String,
    /// The tier from the day on.
    pub new_tier: Text,
    /// Misses counted.
    pub misses: i64,
}

/// Why a review can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// As in settling.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The day lies in a period that is final or closing.
    #[error("{as_of} lies in {period}, which is final; a review can only be made in an open period of {program}")]
    FinalPeriod {
        /// The programme.
        program: String,
        /// The day.
        as_of: Date,
        /// The period.
        period: Period,
    },
    /// The day lies before the first period, once a period is final or closing.
    #[error("{as_of} lies before {first_period}, the first period of {program}; a review can only be made in an open period")]
    BeforeFirst {
        /// The programme.
        program: String,
        /// The day.
        as_of: Date,
        /// The first period.
        first_period: Period,
    },
    /// A later review was made.
    #[error("{program} was last reviewed on {last}; reviews are made in order of date, and {as_of} is before it")]
    OutOfOrder {
        /// The programme.
        program: String,
        /// The last review.
        last: Date,
        /// The day asked for.
        as_of: Date,
    },
    /// The day is still to come.
    #[error("{as_of} is still to come in {program}'s time zone; use --preview to see it as it stands")]
    Future {
        /// The programme.
        program: String,
        /// The day.
        as_of: Date,
    },
    /// Facts are missing or wrong.
    #[error("{program} can't be reviewed on {as_of}; nothing was changed:\n{}", .reasons.join("\n"))]
    Data {
        /// The programme.
        program: String,
        /// The day.
        as_of: Date,
        /// All that is wrong.
        reasons: Vec<String>,
    },
}

impl ReviewError {
    /// Whether the caller's input or the recorded facts are at fault, rather than the machine.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Settle(error) => error.is_input(),
            Self::FinalPeriod { .. } | Self::BeforeFirst { .. } | Self::OutOfOrder { .. } | Self::Future { .. } | Self::Data { .. } => true,
        }
    }

    /// Whether the review can never be made any more, whatever anybody mends.
    #[must_use]
    pub fn is_too_late(&self) -> bool {
        match self {
            Self::FinalPeriod { .. } | Self::BeforeFirst { .. } | Self::OutOfOrder { .. } => true,
            Self::Settle(_) | Self::Future { .. } | Self::Data { .. } => false,
        }
    }
}

impl From<LoadError> for ReviewError {
    fn from(error: LoadError) -> Self {
        Self::Settle(error.into())
    }
}

/// The day of a programme's last review.
///
/// # Errors
/// The database failed.
pub async fn last(tx: &DatabaseTransaction, program: &str) -> Result<Option<Date>, LoadError> {
    let last = first_row(tx, "SELECT as_of FROM reviews WHERE program = ? ORDER BY as_of DESC LIMIT 1", vec![program.into()]).await?;
    last.map(|row| row.date(0)).transpose()
}

/// Makes the review of a day in the caller's transaction, or finds the stored one.
///
/// # Idempotency
/// (program, `as_of`): the same day again gives the stored review.
///
/// # Errors
/// The day can't be reviewed or is still to come in the programme's zone, facts are missing, or the database failed.
pub async fn review(tx: &DatabaseTransaction, program: &str, as_of: Date, now: Instant) -> Result<Vec<Reviewed>, ReviewError> {
    let zone = versions::load(tx, program, i64::MAX).await?.constant().timezone;
    if as_of > now.date_in(zone) {
        return Err(ReviewError::Future { program: program.into(), as_of });
    }
    preview(tx, program, as_of, now).await
}

/// As [`review`], of a day to come too: what it would come to as things stand, for a transaction that is never committed.
///
/// # Idempotency
/// As [`review`].
///
/// # Errors
/// The day can't be reviewed, facts are missing, or the database failed.
pub async fn preview(tx: &DatabaseTransaction, program: &str, as_of: Date, now: Instant) -> Result<Vec<Reviewed>, ReviewError> {
    let made = Made::load(tx, program).await?;
    if made.is_made(as_of) {
        return Ok(stored(tx, program, as_of).await?);
    }
    if let Some(error) = made.too_late(as_of) {
        return Err(error);
    }
    let seq = crate::gate::advance(tx, "review", &format!("{program} {as_of}"), now).await?;
    let mut knowledge = Knowledge::load(tx, program, seq).await?;
    let mut wrong = Vec::new();
    look_before(tx, &mut knowledge, as_of, seq, &mut wrong).await?;
    let reviewed = decide_all(tx, &knowledge, as_of, &mut wrong).await?;
    if !wrong.is_empty() {
        wrong.sort();
        return Err(ReviewError::Data { program: program.into(), as_of, reasons: wrong });
    }
    store(tx, &knowledge, as_of, seq, now, &reviewed).await?;
    Ok(reviewed.into_iter().map(|(result, _)| result).collect())
}

/// Looks between reviews, up to and including the day of this one (domain.md §5.3).
async fn look_before(tx: &DatabaseTransaction, knowledge: &mut Knowledge, as_of: Date, seq: i64, wrong: &mut Vec<String>) -> Result<(), LoadError> {
    let found = tiers::look(tx, knowledge, Period::of(as_of), as_of, wrong).await?;
    tiers::store(tx, knowledge, &found, None, seq).await
}

type Evidence = serde_json::Value;

async fn decide_all(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    as_of: Date,
    wrong: &mut Vec<String>,
) -> Result<Vec<(Reviewed, Evidence)>, LoadError> {
    let version = &knowledge.versions.on(as_of).programme;
    let entries = revenue::entries(tx, knowledge, months_before(as_of, 12), days_after(as_of, 1)).await?;
    let index = RevenueIndex::new(&knowledge.fx, entries);
    let active_deals = if requires_name(version, &Fact::ActiveDeals) {
        deals::DealBook::load(tx, knowledge).await?.active_on(knowledge, as_of)
    } else {
        HashMap::new()
    };
    let misses = last_misses(tx, &knowledge.program).await?;
    let mut reviewed = Vec::new();
    for (partner, facts) in knowledge.directory.iter() {
        if !facts.active(as_of) || facts.assigned_by_hand_on(as_of) {
            continue;
        }
        let min_age = version.recertification.customer_min_age_days;
        let result = index.trailing_twelve_months(partner, as_of, min_age).and_then(|t12m| {
            let active_deals = active_deals.get(&partner).copied().unwrap_or(0);
            let standing = Standing { version, directory: &knowledge.directory, partner, on: as_of, t12m, revenue: &index, active_deals };
            let Some(held) = standing.held() else { return Ok(None) };
            let earned = standing.earned(held)?;
            Ok(Some((held, earned, t12m, active_deals)))
        });
        match result {
            Ok(None) => {}
            Ok(Some((held, earned, t12m, active_deals))) => {
                let before = misses.get(&facts.id.0).copied().unwrap_or(0);
                let decision = decide(version, held, earned, before, &|what| is_frozen(&knowledge.freezes, what, partner, as_of));
                match result_of(knowledge, partner, as_of, (held, earned), t12m, active_deals, decision) {
                    Ok(result) => reviewed.push(result),
                    Err(reason) => wrong.push(format!("{}: {reason}", facts.id.0)),
                }
            }
            Err(reason) => wrong.push(format!("{}: {reason}", facts.id.0)),
        }
    }
    Ok(reviewed)
}

fn result_of(
    knowledge: &Knowledge,
    partner: PartnerNo,
    as_of: Date,
    (held, earned): (usize, usize),
    t12m: Exact,
    active_deals: usize,
    decision: Decision,
) -> Result<(Reviewed, Evidence), String> {
    let version = knowledge.versions.on(as_of);
    let tier = |rank: usize| Text::from(version.programme.tiers[rank].id.as_str());
    let facts = knowledge.directory.partner(partner);
    let t12m_minor = version.programme.currency.round_minor(t12m, version.programme.rounding);
    let t12m_minor = t12m_minor.map_err(|_| {
        format!(
            "a T12M of {t12m} {} is too large to be computed with; look for invoices with wrong amounts and void them",
            version.programme.currency
        )
    })?;
    let metrics: serde_json::Map<String, Evidence> = version
        .programme
        .metrics
        .keys()
        .filter_map(|name| {
            facts
                .metrics
                .get(name)
                .and_then(|values| values.iter().rev().find(|(on, _)| *on <= as_of))
                .map(|(_, value)| (name.clone(), value.clone().into()))
        })
        .collect();
    let evidence = serde_json::json!({
        "version": version.number, "t12m": t12m.to_string(), "certified_reps": facts.certified_reps(as_of), "active_deals": active_deals, "metrics": metrics,
    });
    let reviewed = Reviewed {
        partner: facts.id.0.clone(),
        tier: tier(held),
        t12m_minor,
        earned: tier(earned),
        outcome: decision.outcome.name().into(),
        new_tier: tier(decision.new_rank),
        misses: decision.misses.into(),
    };
    Ok((reviewed, evidence))
}

async fn last_misses(tx: &DatabaseTransaction, program: &str) -> Result<HashMap<Text, u32>, LoadError> {
    let query = "SELECT r.partner, r.misses FROM review_results r WHERE r.program = ? ORDER BY r.partner, r.as_of";
    let mut misses = HashMap::new();
    for row in rows(tx, query, vec![program.into()]).await? {
        misses.insert(row.text(0)?, u32::try_from(row.int(1)?).unwrap_or(u32::MAX));
    }
    Ok(misses)
}

async fn store(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    as_of: Date,
    seq: i64,
    now: Instant,
    reviewed: &[(Reviewed, Evidence)],
) -> Result<(), LoadError> {
    let program = &*knowledge.program;
    let version = knowledge.versions.on(as_of).number;
    let insert = "INSERT INTO reviews (program, as_of, version, seq, reviewed_at) VALUES (?, ?, ?, ?, ?)";
    execute(tx, insert, vec![program.into(), as_of.to_string().into(), version.into(), seq.into(), now.0.into()]).await?;
    for (result, evidence) in reviewed {
        let insert = "INSERT INTO review_results (program, as_of, partner, tier, t12m_minor, earned, outcome, new_tier, misses, evidence) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            program.into(),
            as_of.to_string().into(),
            (&*result.partner).into(),
            (&*result.tier).into(),
            result.t12m_minor.into(),
            (&*result.earned).into(),
            result.outcome.as_str().into(),
            (&*result.new_tier).into(),
            result.misses.into(),
            evidence.to_string().into(),
        ];
        execute(tx, insert, values).await?;
        let changed = [Outcome::Promoted, Outcome::Demoted].iter().any(|outcome| outcome.name() == result.outcome);
        if changed {
            let insert =
                "INSERT INTO tier_assignments (program, partner, effective_from, tier, origin, reason, seq) VALUES (?, ?, ?, ?, 'review', ?, ?)";
            let values = vec![
                program.into(),
                (&*result.partner).into(),
                as_of.to_string().into(),
                (&*result.new_tier).into(),
                result.outcome.as_str().into(),
                seq.into(),
            ];
            execute(tx, insert, values).await?;
        }
    }
    Ok(())
}

async fn stored(tx: &DatabaseTransaction, program: &str, as_of: Date) -> Result<Vec<Reviewed>, LoadError> {
    let query =
        "SELECT partner, tier, t12m_minor, earned, outcome, new_tier, misses FROM review_results WHERE program = ? AND as_of = ? ORDER BY partner";
    let mut results = Vec::new();
    for row in rows(tx, query, vec![program.into(), as_of.to_string().into()]).await? {
        results.push(Reviewed {
            partner: row.text(0)?,
            tier: row.text(1)?,
            t12m_minor: row.int(2)?,
            earned: row.text(3)?,
            outcome: row.string(4)?,
            new_tier: row.text(5)?,
            misses: row.int(6)?,
        });
    }
    Ok(results)
}

/// The review as interface.md §3 prints it.
///
/// # Errors
/// The programme is not recorded, or the database failed.
pub async fn json(tx: &DatabaseTransaction, program: &str, as_of: Date, reviewed: &[Reviewed]) -> Result<serde_json::Value, LoadError> {
    let currency = versions::load(tx, program, i64::MAX).await?.constant().currency;
    let reviews: Vec<serde_json::Value> = reviewed
        .iter()
        .map(|r| {
            serde_json::json!({
                "partner": &*r.partner, "tier": &*r.tier, "t12m": currency.format_minor(r.t12m_minor), "earned": &*r.earned,
                "outcome": r.outcome, "new_tier": &*r.new_tier, "misses": r.misses,
            })
        })
        .collect();
    Ok(serde_json::json!({ "program": program, "as_of": as_of.to_string(), "reviews": reviews }))
}
