//! What a period books: invoices that became eligible, late ones, items that get a late bonus, refunds that fall due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use program::calendar::{Date, Instant, Period, days_after};
use program::credit::Credit;
use program::line::{Line, Text};
use program::member::PartnerNo;
use program::programme::{RuleKind, SOURCED};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::ahead::FactsAhead;
use super::lines;
use super::refunds::RefundBook;
use crate::load::Knowledge;
use crate::load::invoices::{InvoiceSet, Scope, in_list, json_list};
use crate::load::row::{LoadError, rows};

/// An invoice that this period does something with.
#[derive(Debug)]
pub struct Job {
    /// The set that holds it.
    pub set: usize,
    /// Its place there.
    pub place: usize,
    /// The period that it would have been booked in.
    pub own_period: Period,
    /// The credits of each item, where it is booked now.
    pub credits: Option<Vec<Vec<Credit>>>,
    /// Lines posted before, where refunds fall due.
    pub posted: Vec<Line>,
    /// Items booked before whose volume bonus is looked at again.
    pub again: Vec<BookedItem>,
}

/// A base line posted before.
#[derive(Debug, Clone)]
pub struct BookedItem {
    /// Its item.
    pub item: Text,
    /// Its credit.
    pub credit: Credit,
    /// The tier it was rated with.
    pub tier: Text,
    /// The volume bonuses that it has.
    pub bonuses: Vec<Text>,
}

/// All jobs of a period.
#[derive(Debug)]
pub struct Workset {
    /// The period.
    pub period: Period,
    /// The invoices; the first set holds all those paid in `covered`.
    pub sets: Vec<InvoiceSet>,
    /// Instants from (inclusive) and before (exclusive), microseconds.
    pub covered: (i64, i64),
    /// The jobs; those that book an invoice are in order of (`paid_at`, id).
    pub jobs: Vec<Job>,
    /// Refunds of all invoices at hand.
    pub refunds: RefundBook,
}

/// Invoices are loaded by id in chunks of this size.
const IDS_AT_ONCE: usize = 5_000;

struct Gatherer<'a> {
    tx: &'a DatabaseTransaction,
    knowledge: &'a Knowledge,
    period: Period,
    previous_cutoff: i64,
    sourced: Text,
}

/// Gathers what the period books, from what was known at its cut-off.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn gather(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    period: Period,
    previous_cutoff: i64,
    ahead: Option<FactsAhead>,
) -> Result<Workset, LoadError> {
    let gatherer = Gatherer { tx, knowledge, period, previous_cutoff, sourced: SOURCED.into() };
    let mut work = Workset { period, sets: Vec::new(), covered: (0, 0), jobs: Vec::new(), refunds: RefundBook::default() };
    gatherer.eligible(&mut work, ahead).await?;
    gatherer.stragglers(&mut work).await?;
    sort_by_payment(&mut work);
    gatherer.late_bonuses(&mut work).await?;
    gatherer.due_refunds(&mut work).await?;
    Ok(work)
}

fn sort_by_payment(work: &mut Workset) {
    let sets = &work.sets;
    work.jobs.sort_by(|a, b| {
        let (a, b) = (&sets[a.set].invoices[a.place], &sets[b.set].invoices[b.place]);
        (a.paid_at, &a.id).cmp(&(b.paid_at, &b.id))
    });
}

/// The instants from (inclusive) and before (exclusive), microseconds, between which everything is paid that a period books in its turn.
#[must_use]
pub fn covered(knowledge: &Knowledge, period: Period) -> (i64, i64) {
    let holds: Vec<u32> = knowledge.versions.iter().map(|version| version.programme.settlement.hold_days).collect();
    let longest = holds.iter().copied().max().unwrap_or(0);
    let shortest = holds.iter().copied().min().unwrap_or(0);
    let first = period.first_day() - chrono::Days::new(longest.into());
    let end = period.next().first_day() - chrono::Days::new(shortest.into());
    let zone = knowledge.versions.constant().timezone;
    (Instant::start_of(first, zone).0, Instant::start_of(end, zone).0)
}

impl Gatherer<'_> {
    fn start_of(&self, day: Date) -> i64 {
        Instant::start_of(day, self.knowledge.versions.constant().timezone).0
    }

    /// The period of an invoice's eligible date (domain.md §2.3).
    fn own_period(&self, paid_on: Date) -> Period {
        let hold_days = self.knowledge.versions.on(paid_on).programme.settlement.hold_days;
        Period::of(days_after(paid_on, hold_days))
    }

    fn is_history(&self, paid_on: Date) -> bool {
        paid_on < self.knowledge.versions.constant().settlement.first_period.first_day()
    }

    async fn eligible(&self, work: &mut Workset, ahead: Option<FactsAhead>) -> Result<(), LoadError> {
        work.covered = covered(self.knowledge, self.period);
        let scope = Scope::paid_between(work.covered.0, work.covered.1);
        // What was recorded since, or a version that covers other days, makes what was read ahead useless.
        let mut set = match ahead.filter(|ahead| ahead.cutoff == self.knowledge.cutoff && ahead.covered == work.covered) {
            Some(ahead) => ahead.set,
            None => InvoiceSet::load_facts(self.tx, self.knowledge, &scope).await?,
        };
        set.load_booked(self.tx, self.knowledge, &scope).await?;
        self.book(work, set, |own| own == self.period);
        Ok(())
    }

    /// Invoices of earlier periods that were not booked then: recorded, filled or credited since the cut-off before.
    async fn stragglers(&self, work: &mut Workset) -> Result<(), LoadError> {
        if self.period <= self.knowledge.versions.constant().settlement.first_period {
            return Ok(());
        }
        let since: Value = self.previous_cutoff.into();
        let mut ids: BTreeSet<Text> = BTreeSet::new();
        for query in TOUCHED {
            let times = query.matches('?').count();
            for row in rows(self.tx, query, vec![since.clone(); times]).await? {
                ids.insert(row.text(0)?);
            }
        }
        self.uncovered_by_voids(&mut ids).await?;
        let in_range: BTreeSet<Text> = work.jobs.iter().map(|job| work.sets[job.set].invoices[job.place].id.clone()).collect();
        let ids: Vec<Text> = ids.into_iter().filter(|id| !in_range.contains(id)).collect();
        for ids in ids.chunks(IDS_AT_ONCE) {
            let scope = Scope::ids(self.tx.get_database_backend(), ids);
            let set = InvoiceSet::load(self.tx, self.knowledge, &scope).await?;
            self.book(work, set, |own| own < self.period);
        }
        Ok(())
    }

    /// Invoices whose nearest credit was voided since: a farther place may now give them one.
    async fn uncovered_by_voids(&self, ids: &mut BTreeSet<Text>) -> Result<(), LoadError> {
        let voided = rows(self.tx, "SELECT body FROM voids WHERE kind = 'credits' AND seq > ?", vec![self.previous_cutoff.into()]).await?;
        for row in voided {
            let body: serde_json::Value = serde_json::from_str(&row.string(0)?).unwrap_or_default();
            let place = |name: &str| find_text(&body, name);
            for (column, query) in [
                ("invoice", "SELECT id FROM invoices WHERE id = ?"),
                ("deal", "SELECT id FROM invoices WHERE deal = ? UNION SELECT invoice FROM invoice_items WHERE deal = ?"),
                ("customer", "SELECT id FROM invoices WHERE customer = ?"),
            ] {
                let Some(id) = place(column) else { continue };
                for row in rows(self.tx, query, vec![Value::from(id); query.matches('?').count()]).await? {
                    ids.insert(row.text(0)?);
                }
            }
        }
        Ok(())
    }

    /// Books the invoices of a scope whose own period fits, that this programme has not booked and of which any item has a credit in it.
    fn book(&self, work: &mut Workset, set: InvoiceSet, fits: impl Fn(Period) -> bool) {
        let number = work.sets.len();
        for (place, invoice) in set.invoices.iter().enumerate() {
            let own_period = self.own_period(invoice.paid_on);
            if self.is_history(invoice.paid_on) || !fits(own_period) || set.is_booked(&invoice.id) {
                continue;
            }
            let credits: Vec<Vec<Credit>> = invoice.items.iter().map(|item| set.credits(self.knowledge, place, item, &self.sourced)).collect();
            if credits.iter().any(|credits| !credits.is_empty()) {
                work.jobs.push(Job { set: number, place, own_period, credits: Some(credits), posted: Vec::new(), again: Vec::new() });
            }
        }
        work.sets.push(set);
    }

    /// Items of members whose settlement books an invoice of a month: those of the month booked before may now get its bonus (domain.md §4.1).
    async fn late_bonuses(&self, work: &mut Workset) -> Result<(), LoadError> {
        // The bonus may be of the version of the items booked before, not of the one of what is booked now.
        let mut rules = self.knowledge.versions.iter().flat_map(|version| &version.programme.rules);
        if !rules.any(|rule| matches!(rule.kind, RuleKind::VolumeBonus { .. })) {
            return Ok(());
        }
        let mut months: BTreeMap<Period, BTreeSet<PartnerNo>> = BTreeMap::new();
        for job in &work.jobs {
            let month = Period::of(work.sets[job.set].invoices[job.place].paid_on);
            if month < self.period {
                let partners = job.credits.iter().flatten().flatten().map(|credit| credit.partner);
                months.entry(month).or_default().extend(partners);
            }
        }
        let mut again: BTreeMap<Text, Vec<BookedItem>> = BTreeMap::new();
        for (month, partners) in months {
            let ids: Vec<Text> = partners.iter().map(|&partner| self.knowledge.directory.id(partner).clone()).collect();
            for (invoice, item) in self.booked_items(month, &ids).await? {
                again.entry(invoice).or_default().push(item);
            }
        }
        let invoices: Vec<Text> = again.keys().cloned().collect();
        for job in self.old_jobs(work, &invoices).await? {
            let id = &work.sets[job.set].invoices[job.place].id;
            let again = again.remove(id).unwrap_or_default();
            work.jobs.push(Job { again, ..job });
        }
        Ok(())
    }

    async fn booked_items(&self, month: Period, partners: &[Text]) -> Result<Vec<(Text, BookedItem)>, LoadError> {
        let backend = self.tx.get_database_backend();
        let query = format!(
            "SELECT l.invoice, l.item, l.from_partner, l.role, l.share, l.tier, l.component, l.rule FROM periods p \
             JOIN commission_lines l ON l.program = p.program AND l.period = p.period WHERE p.program = ? AND l.payee {} AND l.source = 'invoice' \
             AND l.component IN ('base', 'volume_bonus') AND l.level = 0 AND l.earned_on >= ? AND l.earned_on <= ? AND p.period >= ? AND p.period < ? ORDER BY l.invoice, l.item, l.from_partner, l.role, l.component, l.rule",
            in_list(backend)
        );
        let values = vec![
            (&*self.knowledge.program).into(),
            json_list(partners),
            month.first_day().to_string().into(),
            month.last_day().to_string().into(),
            month.to_string().into(),
            self.period.to_string().into(),
        ];
        let mut found: Vec<(Text, BookedItem)> = Vec::new();
        for row in rows(self.tx, &query, values).await? {
            if row.string(6)? == "volume_bonus" {
                // Its base line sorts just before it.
                if let Some((_, item)) = found.last_mut() {
                    item.bonuses.push(row.text(7)?);
                }
                continue;
            }
            let partner = row.string(2)?;
            let partner = self.knowledge.directory.find(&partner).ok_or(LoadError::Corrupt { value: partner, what: "a recorded partner" })?;
            let credit = Credit { id: None, program: self.knowledge.program.clone(), partner, role: row.text(3)?, share: row.rate(4)? };
            let tier = row.text_or_null(5)?.unwrap_or_else(|| "".into());
            found.push((row.text(0)?, BookedItem { item: row.text(1)?, credit, tier, bonuses: Vec::new() }));
        }
        Ok(found)
    }

    /// Jobs for invoices booked before, not yet doing anything.
    async fn old_jobs(&self, work: &mut Workset, ids: &[Text]) -> Result<Vec<Job>, LoadError> {
        let mut jobs = Vec::new();
        for ids in ids.chunks(IDS_AT_ONCE) {
            let set = InvoiceSet::load(self.tx, self.knowledge, &Scope::ids(self.tx.get_database_backend(), ids)).await?;
            let number = work.sets.len();
            for (place, invoice) in set.invoices.iter().enumerate() {
                let own_period = self.own_period(invoice.paid_on);
                jobs.push(Job { set: number, place, own_period, credits: None, posted: Vec::new(), again: Vec::new() });
            }
            work.sets.push(set);
        }
        Ok(jobs)
    }

    /// Refunds dated up to the period's end that are not booked, of invoices booked before or now.
    async fn due_refunds(&self, work: &mut Workset) -> Result<(), LoadError> {
        let query = "SELECT DISTINCT r.invoice, k.invoice FROM refunds r LEFT JOIN booked_refunds b ON b.refund = r.id AND b.program = ? \
                     LEFT JOIN bookings k ON k.program = ? AND k.invoice = r.invoice \
                     WHERE b.refund IS NULL AND r.refunded_at < ? AND r.seq <= ? ORDER BY r.invoice";
        let end = self.start_of(self.period.next().first_day());
        let program: Value = (&*self.knowledge.program).into();
        let values = vec![program.clone(), program, end.into(), self.knowledge.cutoff.into()];
        let mut places: HashMap<Text, usize> = HashMap::new();
        for (place, job) in work.jobs.iter().enumerate() {
            places.insert(work.sets[job.set].invoices[job.place].id.clone(), place);
        }
        let (mut with_refunds, mut old, mut posted_of): (Vec<Text>, Vec<Text>, Vec<Text>) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows(self.tx, query, values).await? {
            let (invoice, booked) = (row.text(0)?, row.string_or_null(1)?.is_some());
            match places.get(&invoice) {
                Some(&place) if work.jobs[place].credits.is_none() => posted_of.push(invoice.clone()),
                Some(_) => {}
                None if booked => {
                    old.push(invoice.clone());
                    posted_of.push(invoice.clone());
                }
                None => continue,
            }
            with_refunds.push(invoice);
        }
        for job in self.old_jobs(work, &old).await? {
            places.insert(work.sets[job.set].invoices[job.place].id.clone(), work.jobs.len());
            work.jobs.push(job);
        }
        for line in lines::posted_for_invoices(self.tx, &self.knowledge.program, &posted_of).await? {
            let place = line.invoice.as_ref().and_then(|invoice| places.get(invoice));
            if let Some(&place) = place {
                work.jobs[place].posted.push(line);
            }
        }
        // A late bonus line mirrors the refunds booked before, too.
        let again = work.jobs.iter().filter(|job| !job.again.is_empty()).map(|job| work.sets[job.set].invoices[job.place].id.clone());
        with_refunds.extend(again);
        work.refunds = RefundBook::load(self.tx, self.knowledge, &with_refunds).await?;
        Ok(())
    }
}

fn find_text<'a>(body: &'a serde_json::Value, name: &str) -> Option<&'a str> {
    match body {
        serde_json::Value::Object(fields) => {
            fields.get(name).and_then(serde_json::Value::as_str).or_else(|| fields.values().find_map(|value| find_text(value, name)))
        }
        serde_json::Value::Array(values) => values.iter().find_map(|value| find_text(value, name)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::String(_) => None,
    }
}

/// Invoices touched since a cut-off: by themselves, their items, or a credit or a partner at their places.
const TOUCHED: [&str; 14] = [
    "SELECT id FROM invoices WHERE seq > ?",
    "SELECT id FROM invoices WHERE filled > 0 AND filled > ?",
    "SELECT invoice FROM invoice_items WHERE seq > ?",
    "SELECT invoice FROM invoice_items WHERE filled > 0 AND filled > ?",
    "SELECT invoice FROM credits WHERE invoice IS NOT NULL AND seq > ?",
    "SELECT i.id FROM invoices i JOIN credits k ON k.deal = i.deal WHERE k.seq > ?",
    "SELECT t.invoice FROM invoice_items t JOIN credits k ON k.deal = t.deal WHERE k.seq > ?",
    "SELECT i.id FROM invoices i JOIN credits k ON k.customer = i.customer WHERE k.seq > ?",
    "SELECT invoice FROM credits WHERE invoice IS NOT NULL AND filled > 0 AND filled > ?",
    "SELECT i.id FROM invoices i JOIN credits k ON k.deal = i.deal OR k.customer = i.customer WHERE k.filled > 0 AND k.filled > ?",
    "SELECT t.invoice FROM invoice_items t JOIN credits k ON k.deal = t.deal WHERE k.filled > 0 AND k.filled > ?",
    "SELECT i.id FROM invoices i JOIN customers c ON c.id = i.customer WHERE c.filled > 0 AND c.filled > ?",
    "SELECT i.id FROM invoices i JOIN deals d ON d.id = i.deal WHERE d.filled > 0 AND d.filled > ?",
    "SELECT t.invoice FROM invoice_items t JOIN deals d ON d.id = t.deal WHERE d.filled > 0 AND d.filled > ?",
];
