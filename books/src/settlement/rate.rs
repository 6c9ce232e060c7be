//! Rates a period: all lines of each earner's items and credits, for every payee (architecture: pass b).

use std::collections::{BTreeMap, HashMap};

use program::calendar::{Period, Quarter, months_before};
use program::commission::{self, Earning};
use program::component::Component;
use program::condition::Fact;
use program::fx::Fx;
use program::line::{Line, Source, Text};
use program::member::PartnerNo;
use program::money::Rate;
use program::rating::{ItemCase, RatingError};
use program::refund::{self, spread};
use program::revenue::RevenueIndex;
use program::reversal::{self, ItemRefund};
use sea_orm::DatabaseTransaction;

use super::grants::{self, DealHistory, Grants};
use super::refunds::KnownRefund;
use super::workset::{Job, Workset};
use crate::load::row::{LoadError, rows};
use crate::load::{Knowledge, revenue};

/// The rankings that members won, by the quarter whose items they pay on.
pub type Ranks = HashMap<(Quarter, PartnerNo), Vec<(Text, Rate)>>;

/// All that an earner's lines are computed from; nothing of it asks the database again.
#[derive(Debug)]
pub struct Rating<'a> {
    knowledge: &'a Knowledge,
    work: &'a Workset,
    revenue: RevenueIndex<'a>,
    grants: Grants,
    ranks: Ranks,
}

/// A refund that a period books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedRefund {
    /// Its id.
    pub refund: Text,
    /// Its invoice.
    pub invoice: Text,
    /// Its place among those booked of the invoice.
    pub ordinal: i64,
}

/// What one earner's part of an invoice comes to.
#[derive(Debug, Default)]
pub struct Rated {
    /// Its lines, for every payee.
    pub lines: Vec<Line>,
    /// What can't be rated, and why.
    pub wrong: Vec<String>,
}

impl<'a> Rating<'a> {
    /// Loads what conditions and caps look at, and gives spiffs their bases.
    ///
    /// # Errors
    /// The database failed; reasons of data are collected in `wrong`.
    pub async fn prepare(
        tx: &DatabaseTransaction,
        knowledge: &'a Knowledge,
        work: &'a Workset,
        fx: &'a Fx,
        wrong: &mut Vec<String>,
    ) -> Result<Self, LoadError> {
        let revenue = RevenueIndex::new(fx, condition_revenue(tx, knowledge, work).await?);
        let mut history = DealHistory::load(tx, knowledge, &grants::deals_of(work), work.period).await?;
        let grants = grants::allocate(knowledge, fx, &revenue, work, &mut history, wrong);
        let ranks = load_ranks(tx, knowledge).await?;
        Ok(Self { knowledge, work, revenue, grants, ranks })
    }

    /// The bases used of deals by spiffs in this period.
    #[must_use]
    pub fn spiff_uses(&self) -> &[grants::Use] {
        &self.grants.uses
    }

    /// The jobs of each earner, by id, so that its lines are written together.
    #[must_use]
    pub fn earners(&self) -> BTreeMap<&'a Text, Vec<usize>> {
        let mut earners: BTreeMap<&Text, Vec<usize>> = BTreeMap::new();
        for (number, job) in self.work.jobs.iter().enumerate() {
            let mut of_job: Vec<&Text> = Vec::new();
            of_job.extend(job.credits.iter().flatten().flatten().map(|credit| self.knowledge.directory.id(credit.partner)));
            of_job.extend(job.again.iter().map(|item| self.knowledge.directory.id(item.credit.partner)));
            of_job.extend(
                job.posted.iter().filter_map(|line| self.knowledge.directory.find(&line.from_partner)).map(|no| self.knowledge.directory.id(no)),
            );
            of_job.sort_unstable();
            of_job.dedup();
            for earner in of_job {
                earners.entry(earner).or_default().push(number);
            }
        }
        earners
    }

    /// The refunds that this period books.
    #[must_use]
    pub fn booked_refunds(&self) -> Vec<BookedRefund> {
        let mut booked = Vec::new();
        for job in &self.work.jobs {
            let invoice = &self.work.sets[job.set].invoices[job.place].id;
            let due = self.due(invoice);
            let last = due.iter().filter_map(|known| known.ordinal).max().unwrap_or(0);
            for (ordinal, known) in (last + 1..).zip(due.iter().filter(|known| known.ordinal.is_none())) {
                booked.push(BookedRefund { refund: known.refund.id.as_str().into(), invoice: invoice.clone(), ordinal });
            }
        }
        booked
    }

    /// The refunds of an invoice that are booked or fall due in this period, in the order in which they are taken.
    fn due(&self, invoice: &str) -> Vec<&KnownRefund> {
        let zone = self.knowledge.versions.constant().timezone;
        let last = self.work.period.last_day();
        self.work.refunds.of(invoice).iter().filter(|known| known.ordinal.is_some() || known.refunded_at.date_in(zone) <= last).collect()
    }

    /// All lines of one earner: of its new items, late bonuses, and the reversals of what it earned.
    #[must_use]
    pub fn earner(&self, earner: &Text, jobs: &[usize]) -> Rated {
        let mut rated = Rated::default();
        for &number in jobs {
            if let Err(reason) = self.job(number, earner, &mut rated.lines) {
                rated.wrong.push(reason);
            }
        }
        rated
    }

    fn job(&self, number: usize, earner: &Text, lines: &mut Vec<Line>) -> Result<(), String> {
        let job = &self.work.jobs[number];
        let invoice = &self.work.sets[job.set].invoices[job.place];
        let refunds = self.item_refunds(job)?;
        let version = self.knowledge.versions.on(invoice.paid_on);
        let rounding = version.programme.rounding;
        let costs = invoice.item_costs_minor().map_err(|reason| format!("invoice {}: {reason}", invoice.id))?;
        let amount_of = |key: &str| invoice.items.iter().find(|item| item.key() == key).map_or(0, |item| item.amount_minor);
        let mirror = |line: &Line, new_line: bool, out: &mut Vec<Line>| -> Result<(), String> {
            let key = line.item.as_deref().unwrap_or("");
            let Some(of_item) = refunds.get(key) else { return Ok(()) };
            let reversals =
                reversal::lines(line, new_line, amount_of(key), of_item, rounding).map_err(|reason| format!("invoice {}: {reason}", invoice.id))?;
            for mut reversal in reversals {
                reversal.late_from = self.reversal_late_from(&reversal.source_id, line, job);
                out.push(reversal);
            }
            Ok(())
        };
        for mut line in self.new_lines(number, earner, &costs)? {
            line.late_from = (job.own_period < self.work.period).then_some(job.own_period);
            mirror(&line, true, lines)?;
            lines.push(line);
        }
        for line in job.posted.iter().filter(|line| line.from_partner == *earner) {
            mirror(line, false, lines)?;
        }
        Ok(())
    }

    /// A reversal's own period is the later of its refund's and of the line's (interface.md §3).
    fn reversal_late_from(&self, refund: &str, line: &Line, job: &Job) -> Option<Period> {
        let zone = self.knowledge.versions.constant().timezone;
        let invoice = line.invoice.as_deref().unwrap_or("");
        let refunded = self.work.refunds.of(invoice).iter().find(|known| known.refund.id == refund)?;
        let own = Period::of(refunded.refunded_at.date_in(zone)).max(job.own_period);
        (own < self.work.period).then_some(own)
    }

    fn new_lines(&self, number: usize, earner: &Text, costs: &[i64]) -> Result<Vec<Line>, String> {
        let job = &self.work.jobs[number];
        let set = &self.work.sets[job.set];
        let invoice = &set.invoices[job.place];
        let directory = &self.knowledge.directory;
        let mut lines = Vec::new();
        for (place, item) in invoice.items.iter().enumerate() {
            let version = self.knowledge.versions.on(invoice.paid_on);
            let case = ItemCase {
                version: &version.programme,
                version_number: version.number,
                fx: &self.knowledge.fx,
                directory,
                revenue: &self.revenue,
                invoice,
                item,
                deal: set.deal(item),
            };
            let credits = job.credits.as_ref().map_or(&[][..], |credits| &credits[place]);
            for credit in credits.iter().filter(|credit| directory.id(credit.partner) == earner) {
                let ranks = self.ranks.get(&(Period::of(invoice.paid_on).quarter(), credit.partner)).map_or(&[][..], Vec::as_slice);
                let earning = Earning { credit, grants: self.grants.of(number, place), ranks, cost_minor: costs[place] };
                lines.extend(commission::lines(&case, &earning).map_err(named)?);
            }
            for booked in job.again.iter().filter(|booked| &*booked.item == item.key() && directory.id(booked.credit.partner) == earner) {
                let Some(tier) = version.programme.tier_rank(&booked.tier) else { continue };
                if !version.programme.role(&booked.credit.role).is_some_and(|role| role.extras) {
                    continue;
                }
                let posted: Vec<&str> = booked.bonuses.iter().map(|rule| &**rule).collect();
                lines.extend(commission::late_volume_bonuses(&case, &booked.credit, tier, &posted).map_err(named)?);
            }
        }
        Ok(lines)
    }

    /// What refunds take from each item of a job, in the order in which they are taken.
    fn item_refunds(&self, job: &Job) -> Result<HashMap<String, Vec<ItemRefund>>, String> {
        let invoice = &self.work.sets[job.set].invoices[job.place];
        let due = self.due(&invoice.id);
        let mut of_items: HashMap<String, Vec<ItemRefund>> = HashMap::new();
        if due.is_empty() {
            return Ok(of_items);
        }
        let plain: Vec<refund::Refund> = due.iter().map(|known| known.refund.clone()).collect();
        let spreads = spread(&invoice.item_amounts(), &plain).map_err(|reason| format!("invoice {}: {reason}", invoice.id))?;
        for ((known, refund), taken) in due.iter().zip(&plain).zip(&spreads) {
            let returns_cost = refund::returns_cost(refund, &plain);
            for (item, &taken_minor) in invoice.items.iter().zip(taken) {
                let entry = ItemRefund { refund: refund.id.as_str().into(), taken_minor, returns_cost, new: known.ordinal.is_none() };
                of_items.entry(item.key().to_owned()).or_default().push(entry);
            }
        }
        Ok(of_items)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn named(reason: RatingError) -> String {
    reason.to_string()
}

/// Referred revenue that conditions on the period's items may ask for.
async fn condition_revenue(tx: &DatabaseTransaction, knowledge: &Knowledge, work: &Workset) -> Result<Vec<program::revenue::Entry>, LoadError> {
    let names = |fact: &Fact| {
        knowledge.versions.iter().any(|version| {
            let rules = version.programme.rules.iter().filter_map(|rule| rule.when.as_ref());
            let rates = version.programme.rates.iter().filter_map(|entry| entry.when.as_ref());
            rules.chain(rates).any(|when| when.names(fact))
        })
    };
    let days = work.jobs.iter().map(|job| work.sets[job.set].invoices[job.place].paid_on);
    let (Some(first), Some(last)) = (days.clone().min(), days.max()) else { return Ok(Vec::new()) };
    let mut from = None;
    if names(&Fact::MonthlyReferredRevenue) {
        from = Some(Period::of(first).first_day());
    }
    if names(&Fact::QuarterlyReferredRevenue) {
        from = Some(Period::of(first).quarter().first_day());
    }
    if names(&Fact::TrailingTwelveMonths) {
        from = Some(months_before(Period::of(first).quarter().first_day(), 12));
    }
    match from {
        Some(from) => {
            let at_hand = work.sets.first().map(|set| revenue::AtHand { set, from: work.covered.0, before: work.covered.1 });
            revenue::entries_beside(tx, knowledge, from, Period::of(last).next().first_day(), at_hand).await
        }
        None => Ok(Vec::new()),
    }
}

async fn load_ranks(tx: &DatabaseTransaction, knowledge: &Knowledge) -> Result<Ranks, LoadError> {
    let query = "SELECT r.ranking, r.period, r.rate, p.partner FROM rankings r JOIN ranking_places p ON p.program = r.program AND p.ranking = r.ranking \
                 AND p.quarter = r.quarter WHERE r.program = ? AND r.applies = 'next_quarter' AND p.winner = 1 ORDER BY r.quarter, p.partner, r.ranking";
    let mut ranks = Ranks::new();
    for row in rows(tx, query, vec![(&*knowledge.program).into()]).await? {
        let partner = row.string(3)?;
        let Some(partner) = knowledge.directory.find(&partner) else { continue };
        let quarter = row.period(1)?.quarter().next();
        ranks.entry((quarter, partner)).or_default().push((row.text(0)?, row.rate(2)?));
    }
    Ok(ranks)
}

/// The line of an adjustment (domain.md §4.5).
#[must_use]
pub fn adjustment_line(knowledge: &Knowledge, adjustment: &Adjustment, period: Period) -> Option<Line> {
    let no = knowledge.directory.find(&adjustment.partner)?;
    let version = knowledge.versions.on(adjustment.adjusted_on);
    let tier = knowledge.directory.partner(no).effective_tier(adjustment.adjusted_on, &version.programme);
    let own = Period::of(adjustment.adjusted_on);
    Some(Line {
        base_minor: adjustment.amount_minor,
        amount_minor: adjustment.amount_minor,
        corrects: adjustment.corrects.clone(),
        late_from: (own < period).then_some(own),
        tier: tier.map(|rank| version.programme.tiers[rank].id.as_str().into()),
        currency: adjustment.currency,
        version: version.number,
        earned_on: adjustment.adjusted_on,
        ..blank(&adjustment.partner, Source::Adjustment, &adjustment.id, Component::ADJUSTMENT, knowledge)
    })
}

/// A line without an invoice.
#[must_use]
pub fn blank(partner: &Text, source: Source, source_id: &Text, component: Component, knowledge: &Knowledge) -> Line {
    Line {
        payee: partner.clone(),
        currency: knowledge.versions.constant().currency,
        source,
        source_id: source_id.clone(),
        invoice: None,
        item: None,
        role: None,
        component,
        rule: None,
        rate_source: None,
        part: 0,
        level: 0,
        from_partner: partner.clone(),
        earned_on: program::calendar::EVER,
        tier: None,
        base_minor: 0,
        rate: None,
        share: Rate::ONE,
        amount_minor: 0,
        uncut_minor: None,
        referred_minor: 0,
        late_from: None,
        corrects: None,
        version: 0,
    }
}

/// An adjustment as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Its id.
    pub id: Text,
    /// The member.
    pub partner: Text,
    /// Its amount, minor units, signed.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: program::money::Currency,
    /// Its date.
    pub adjusted_on: program::calendar::Date,
    /// What it corrects.
    pub corrects: Option<Text>,
}

/// The adjustments dated up to the period's end that no settlement has.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn due_adjustments(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period) -> Result<Vec<Adjustment>, LoadError> {
    let query = "SELECT a.id, a.partner, a.amount_minor, a.currency, a.adjusted_on, a.corrects FROM adjustments a \
                 WHERE a.program = ? AND a.adjusted_on <= ? AND a.seq <= ? AND NOT EXISTS (SELECT 1 FROM commission_lines l \
                 WHERE l.program = a.program AND l.from_partner = a.partner AND l.source = 'adjustment' AND l.source_id = a.id) ORDER BY a.id";
    let mut due = Vec::new();
    for row in rows(tx, query, vec![(&*knowledge.program).into(), period.last_day().to_string().into(), knowledge.cutoff.into()]).await? {
        let id = row.text(0)?;
        let corrects = if knowledge.later.was_empty("adjustments", &id, "corrects") { None } else { row.text_or_null(5)? };
        due.push(Adjustment {
            id,
            partner: row.text(1)?,
            amount_minor: row.int(2)?,
            currency: row.currency(3)?,
            adjusted_on: row.date(4)?,
            corrects,
        });
    }
    Ok(due)
}
