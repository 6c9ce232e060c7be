//! Booked invoices: that they have exactly the lines that their programme asks for, at the amounts that recompute (invariants 6 and 7).
//!
//! What a credit asks for is computed again from the facts as they were known at the cut-off of the period that booked it. Two things
//! are taken as posted: whether a condition over referred revenue held, and what follows from it alone.

mod asked;
mod case;
mod chain;
mod line;
mod page;
mod reversals;
mod spiffs;
mod unbooked;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono_tz::Tz;
use program::calendar::{Date, Instant, Period};
use program::condition::Fact;

use self::asked::{Asked, Given};
use self::case::Case;
use self::line::{Key, Line};
use self::page::Page;
use self::reversals::{Refund, Taken};
use super::figures::{product, shared};
use super::finding::Invariant::{AmountRecomputes, LineAsAsked, ReversalBounded};
use super::known::invoices::{Invoice, Item};
use super::known::members::{Members, micro};
use super::known::places::{Places, Voided};
use super::known::rates::Rates;
use super::known::terms::{Terms, Version};
use super::scan::Scan;
use crate::load::row::{LoadError, rows};

/// What one programme's invoices are looked at with.
struct Known {
    terms: Terms,
    members: Members,
    rates: Rates,
    voided: Voided,
    /// Who won which rankings with which rates, by ranked quarter and partner.
    ranks: HashMap<(String, String), Vec<(String, i64)>>,
    /// The time zones of all programmes: a credit holds on the paid date in its own programme's.
    zones: Vec<(String, Tz)>,
}

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for program in scan.programs() {
        let checked = of_program(scan, &program).await;
        scan.tolerate(LineAsAsked, checked)?;
    }
    Ok(())
}

async fn of_program(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let known = Known::load(scan, program).await?;
    let mut after = String::new();
    while let Some(page) = Page::after(scan, &known.terms, &after).await? {
        let places = Places::load(scan.tx, &page.invoices, &page.deals, &known.voided).await?;
        for (invoice, period) in &page.booked {
            if let Some(booked) = Booked::new(&known, &page, invoice, period) {
                booked.check(scan, &places);
            } else {
                let keys = [("program", program), ("invoice", invoice.as_str()), ("period", period.as_str())];
                scan.add(LineAsAsked, &keys, "the booked invoice is not recorded, or not paid");
            }
            invoice.clone_into(&mut after);
        }
    }
    lines_of_no_booking(scan, program).await?;
    unbooked::check(scan, &known).await
}

/// Whether a period comes after one that is stored: compared as text, one of the year 10000 would not.
fn is_after(period: Period, stored: &str) -> bool {
    stored.parse().is_ok_and(|stored: Period| period > stored)
}

/// As [`is_after`], the other way about.
fn is_before(period: Period, stored: &str) -> bool {
    stored.parse().is_ok_and(|stored: Period| period < stored)
}

impl Known {
    async fn load(scan: &Scan<'_>, program: &str) -> Result<Self, LoadError> {
        let terms = Terms::load(scan.tx, program).await?;
        let mut metrics = BTreeSet::new();
        for version in terms.versions() {
            let conditions = version.says.rules.iter().filter_map(|rule| rule.when.as_ref());
            for fact in
                conditions.chain(version.says.rates.iter().filter_map(|entry| entry.when.as_ref())).flat_map(program::condition::Condition::facts)
            {
                if let Fact::Metric(name) = fact {
                    metrics.insert(name.clone());
                }
            }
        }
        let members = Members::load(scan.tx, program, &metrics).await?;
        let rates = Rates::load(scan.tx, terms.constant().currency).await?;
        let voided = Voided::load(scan.tx, &members).await?;
        let query = "SELECT r.quarter, p.partner, r.ranking, r.rate FROM rankings r JOIN ranking_places p ON p.program = r.program \
                     AND p.ranking = r.ranking AND p.quarter = r.quarter WHERE r.program = ? AND r.applies = 'next_quarter' AND p.winner = 1";
        let mut ranks: HashMap<(String, String), Vec<(String, i64)>> = HashMap::new();
        for row in rows(scan.tx, query, vec![program.into()]).await? {
            ranks.entry((row.string(0)?, row.string(1)?)).or_default().push((row.string(2)?, micro(&row, 3)?));
        }
        let mut zones = Vec::new();
        for row in rows(scan.tx, "SELECT id, timezone FROM programs", vec![]).await? {
            let name = row.string(1)?;
            let zone = name.parse().map_err(|_| LoadError::Corrupt { value: name, what: "a time zone" })?;
            zones.push((row.string(0)?, zone));
        }
        Ok(Self { terms, members, rates, voided, ranks, zones })
    }
}

/// Lines that name an invoice which their programme did not book.
async fn lines_of_no_booking(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let query = "SELECT DISTINCT l.program, l.invoice FROM commission_lines l WHERE l.program = ? AND l.source IN ('invoice', 'refund') AND NOT EXISTS \
                 (SELECT 1 FROM bookings b WHERE b.program = l.program AND b.invoice = l.invoice) ORDER BY 1, 2";
    scan.offending_with(LineAsAsked, (query, vec![program.into()]), &["program", "invoice"], "lines of an invoice that is not booked").await
}

/// A booked invoice as it was known at the cut-off of its period.
struct Booked<'a> {
    known: &'a Known,
    page: &'a Page,
    invoice: &'a Invoice,
    period: &'a str,
    cutoff: i64,
    paid_at: i64,
    paid_on: Date,
    own_period: Period,
    version: &'a Version,
    items: Vec<Item>,
    lines: &'a [Line],
}

impl<'a> Booked<'a> {
    /// `None`: the invoice is not there, or is not paid.
    fn new(known: &'a Known, page: &'a Page, invoice: &str, period: &'a str) -> Option<Self> {
        let terms = &known.terms;
        let invoice = page.invoices.get(invoice)?;
        let cutoff = terms.cutoff(period);
        let paid_at = invoice.paid_at.value?;
        let paid_on = Instant(paid_at).date_in(terms.constant().timezone);
        let own_period = terms.own_period(paid_on, cutoff);
        let version = terms.on(paid_on, cutoff);
        let lines = page.lines.get(&invoice.id).map_or(&[][..], Vec::as_slice);
        Some(Self { known, page, invoice, period, cutoff, paid_at, paid_on, own_period, version, items: invoice.items(cutoff), lines })
    }

    fn check(&self, scan: &mut Scan<'_>, places: &Places) {
        self.check_booking(scan);
        self.check_credits(scan, places);
        let mut stored: BTreeMap<Key, &Line> = BTreeMap::new();
        for line in self.lines {
            self.check_amount(scan, line);
            if stored.insert(line.key(), line).is_some() {
                self.add(scan, line, "the line is there more than once");
            }
        }
        let (asked, not_told) = self.asked();
        for line in asked.iter().chain(&self.reversals(scan)) {
            match stored.remove(&line.key()) {
                None => self.add(scan, line, &format!("the line is missing: {} minor units are asked for in {}", line.amount_minor, line.period)),
                Some(found) => {
                    for difference in found.differences(line) {
                        scan.add(AmountRecomputes, &keys(&self.known.terms.program, found), difference);
                    }
                }
            }
        }
        stored.retain(|_, line| !not_told.iter().any(|(item, partner, role)| is_chain(line) && line.is_of(item, partner, role)));
        for line in stored.into_values() {
            self.add(scan, line, "nothing asks for the line");
        }
    }

    fn add(&self, scan: &mut Scan<'_>, line: &Line, what: &str) {
        scan.add(LineAsAsked, &keys(&self.known.terms.program, line), what);
    }

    /// Booked by the first period in which it could be: its own, or a later one that is the first to know of it.
    fn check_booking(&self, scan: &mut Scan<'_>) {
        let keys = [("program", self.known.terms.program.as_str()), ("invoice", self.invoice.id.as_str()), ("period", self.period)];
        if self.invoice.paid_at(self.cutoff).is_none() {
            scan.add(LineAsAsked, &keys, "the invoice was not known to be paid when it was booked");
        }
        if is_after(self.own_period, self.period) {
            scan.add(LineAsAsked, &keys, format!("the invoice is booked before {}, the period of its eligible date", self.own_period));
        }
        if self.paid_on < self.known.terms.constant().settlement.first_period.first_day() {
            scan.add(LineAsAsked, &keys, "the invoice was paid before the programme's first period and is booked");
        }
        let fixed = self.page.fixed.get(&self.invoice.id).into_iter().flatten();
        if !fixed.into_iter().any(|fixed| fixed.credit.program == self.known.terms.program) {
            scan.add(LineAsAsked, &keys, "the invoice is booked and no item of it has a credit here");
        }
    }

    /// The credits that this booking fixed are those that the nearest places had.
    fn check_credits(&self, scan: &mut Scan<'_>, places: &Places) {
        let fixed = self.page.fixed.get(&self.invoice.id).map_or(&[][..], Vec::as_slice);
        let by = (self.known.terms.program.clone(), self.period.to_owned());
        if fixed.iter().any(|fixed| fixed.by != by) {
            return;
        }
        for item in &self.items {
            let deal = self.invoice.deal(item, self.cutoff).and_then(|deal| self.page.deals.get(deal));
            let mut asked = Vec::new();
            for (program, zone) in &self.known.zones {
                let day = Instant(self.paid_at).date_in(*zone);
                let of_day = places.credits(&self.known.members, self.invoice, item, deal, day, self.cutoff);
                asked.extend(of_day.into_iter().filter(|credit| credit.program == *program));
            }
            asked.sort();
            let mut found: Vec<_> = fixed.iter().filter(|fixed| fixed.item == item.id).map(|fixed| fixed.credit.clone()).collect();
            found.sort();
            if found != asked {
                let keys = [("program", by.0.as_str()), ("invoice", &self.invoice.id), ("item", &item.id)];
                scan.add(LineAsAsked, &keys, format!("{} credits are fixed that are not the {} recorded", found.len(), asked.len()));
            }
        }
    }

    /// Every line that the booked credits ask for, and the credits of which the chain can't be told.
    fn asked(&self) -> (Vec<Line>, Vec<(String, String, String)>) {
        let Known { terms, members, rates, ranks, .. } = self.known;
        let weights: Vec<i64> = self.items.iter().map(|item| item.amount_minor).collect();
        let costs = shared(self.invoice.cost_minor(self.cutoff), &weights);
        let quarter = program::calendar::Period::of(self.paid_on).quarter().previous().to_string();
        let (mut lines, mut not_told) = (Vec::new(), Vec::new());
        for (item, &cost_minor) in self.items.iter().zip(&costs) {
            let case = Case {
                says: &self.version.says,
                version: self.version.number,
                members,
                rates,
                cutoff: self.cutoff,
                period: self.period,
                own_period: self.own_period,
                paid_on: self.paid_on,
                invoice: self.invoice,
                item,
                deal: self.invoice.deal(item, self.cutoff).and_then(|deal| self.page.deals.get(deal)),
                cost_minor,
            };
            for fixed in self.page.fixed.get(&self.invoice.id).into_iter().flatten() {
                let credit = &fixed.credit;
                if fixed.item != item.id || credit.program != terms.program {
                    continue;
                }
                let ranks = ranks.get(&(quarter.clone(), credit.partner.clone())).map_or(&[][..], Vec::as_slice);
                let Asked { lines: of_credit, chain_not_told } =
                    asked::of_credit(&case, credit, &Given { uses: &self.page.uses, ranks, posted: self.lines });
                lines.extend(of_credit);
                if chain_not_told {
                    not_told.push((item.id.clone(), credit.partner.clone(), credit.role.clone()));
                }
            }
        }
        (lines, not_told)
    }

    /// The reversals that the booked refunds ask for of each stored line.
    fn reversals(&self, scan: &mut Scan<'_>) -> Vec<Line> {
        let refunds: &[Refund] = self.page.refunds.get(&self.invoice.id).map_or(&[], Vec::as_slice);
        let taken: Vec<Taken> = match reversals::spread(&self.items, refunds) {
            Ok(taken) => taken,
            Err(reason) => {
                scan.add(AmountRecomputes, &[("program", &self.known.terms.program), ("invoice", &self.invoice.id)], reason);
                return Vec::new();
            }
        };
        for refund in refunds.iter().filter(|refund| is_after(refund.own_period, &refund.period)) {
            let keys =
                [("program", self.known.terms.program.as_str()), ("invoice", &self.invoice.id), ("refund", &refund.id), ("period", &refund.period)];
            scan.add(ReversalBounded, &keys, format!("the refund is booked before {}, the period of its date", refund.own_period));
        }
        let mut all = Vec::new();
        for line in self.lines.iter().filter(|line| line.source == "invoice") {
            let Some(place) = self.items.iter().position(|item| item.id == line.item) else { continue };
            let rounding = self.known.terms.version(line.version).map_or(self.version.says.rounding, |version| version.says.rounding);
            all.extend(reversals::of_line(line, self.own_period, (place, &self.items[place]), (refunds, &taken), rounding));
        }
        all
    }

    /// A line of a rate recomputes from what it stores, whatever asks for it.
    fn check_amount(&self, scan: &mut Scan<'_>, line: &Line) {
        let (Some(rate_micro), "invoice") = (line.rate_micro, line.source.as_str()) else { return };
        let rounding = self.known.terms.version(line.version).map_or(self.version.says.rounding, |version| version.says.rounding);
        let sign = if ["cascade", "coop_funding"].contains(&line.component.as_str()) { -1 } else { 1 };
        let whole = line.uncut_minor.unwrap_or(line.amount_minor);
        let computed = product(line.base_minor, rate_micro, line.share_micro, rounding).map(|amount| sign * amount);
        if computed != Some(whole) || (line.uncut_minor.is_some() && !(0..whole).contains(&line.amount_minor)) {
            let computed = computed.map_or_else(|| "too much".to_owned(), |amount| amount.to_string());
            let what = format!("base × rate × share is {computed} minor units, stored is {whole}, paid {}", line.amount_minor);
            scan.add(AmountRecomputes, &keys(&self.known.terms.program, line), what);
        }
    }
}

fn is_chain(line: &Line) -> bool {
    ["override", "cascade"].contains(&line.component.as_str())
}

fn keys<'a>(program: &'a str, line: &'a Line) -> [(&'static str, &'a str); 8] {
    [
        ("program", program),
        ("source", &line.source),
        ("source_id", &line.source_id),
        ("item", &line.item),
        ("payee", &line.payee),
        ("component", &line.component),
        ("rule", &line.rule),
        ("from_partner", &line.from_partner),
    ]
}
