//! How an invoice stands in one programme.

use std::collections::{BTreeMap, HashMap};

use program::calendar::{Period, days_after};
use program::commission::late_volume_bonuses;
use program::component::Component;
use program::credit::Credit;
use program::explain::{ChainShown, Reason};
use program::line::{Source, Text};
use program::money::Currency;
use program::programme::SOURCED;
use program::revenue::RevenueIndex;
use program::settlement::line_json;
use sea_orm::DatabaseTransaction;

use super::compare::differences;
use super::credit::{Beside, rate};
use super::evidence::{self, Posted};
use super::formula::{of_line, rounding_name};
use super::known::Known;
use super::model::{
    CreditShown, DealShown, Difference, InProgram, ItemPlaces, ItemShown, LineShown, PlaceShown, RankShown, State, TierShown, VersionShown,
};
use super::refunds::{self, Taken};
use crate::load::row::{LoadError, first_row, rows};
use crate::programs::FROM_EVER;

/// In place of what rates, rules and the co-op fund would say.
const EARNS_NOTHING: &str = "none: history earns nothing";

/// A booking of an invoice, real or previewed.
#[derive(Debug)]
pub(super) struct Booking {
    pub(super) program: String,
    pub(super) period: Period,
    pub(super) state: State,
}

/// What was loaded about a booked invoice; nothing of it asks the database again.
struct Material {
    known: Known,
    credits: Vec<Vec<Credit>>,
    places: Vec<Vec<PlaceShown>>,
    /// Tier and rank evidence by item, then credit.
    beside: Vec<Vec<(TierShown, Vec<RankShown>)>>,
    posted: Vec<Posted>,
    statuses: HashMap<(Text, Period, Currency), String>,
    taken: Taken,
    /// As known by later periods that posted volume bonuses of it.
    later: Vec<Known>,
}

/// An invoice that a period booked, or would.
pub(super) async fn view(tx: &DatabaseTransaction, booking: &Booking, invoice: &str) -> Result<InProgram, LoadError> {
    let (cutoff, status) = period_row(tx, &booking.program, booking.period).await?;
    let Some(known) = Known::load(tx, &booking.program, invoice, cutoff, Some(booking.period)).await? else {
        return Err(LoadError::Corrupt { value: invoice.to_owned(), what: "an invoice that was paid and known when its period was frozen" });
    };
    let fixed_by = fixed_by(tx, invoice).await?;
    let mut wrong = Vec::new();
    let is_fixer = fixed_by.as_ref().is_some_and(|(program, period)| *program == booking.program && *period == booking.period);
    let fixer = match &fixed_by {
        Some((program, period)) if !is_fixer => Known::load(tx, program, invoice, period_row(tx, program, *period).await?.0, Some(*period)).await?,
        _ => None,
    };
    let places = places(tx, fixer.as_ref().unwrap_or(&known)).await?.into_iter().map(|item| item.places).collect();
    if is_fixer {
        wrong.extend(credit_difference(tx, &known).await?);
    }
    let credits = known.credits();
    let beside = beside(tx, &known, &credits).await?;
    let posted = evidence::posted(tx, &booking.program, invoice).await?;
    // Within a preview all settlements look final.
    let statuses = match booking.state {
        State::WouldBeBooked => HashMap::new(),
        State::Booked | State::History | State::Open => evidence::statuses(tx, &booking.program, &posted).await?,
    };
    let taken = refunds::load(tx, &booking.program, known.invoice()).await?;
    let later = later(tx, booking, invoice, &posted).await?;
    let mut view = head(&known, booking.state);
    view.says.push(match booking.state {
        State::WouldBeBooked => format!("{} is not final: this is what it would earn as things stand", booking.period),
        State::Booked | State::History | State::Open if status == "final" => format!("booked in {}, which is final", booking.period),
        State::Booked | State::History | State::Open => format!("booked in {}, which is being made final", booking.period),
    });
    if known.own_period < booking.period {
        view.says.push(format!("late: its own period is {}", known.own_period));
    }
    view.period = Some(booking.period.to_string());
    view.cutoff = Some(cutoff);
    view.credits_fixed_by = fixed_by.map(|(program, period)| (program, period.to_string()));
    let material = Material { known, credits, places, beside, posted, statuses, taken, later };
    let (items, recomputed) = material.items(&mut wrong);
    view.items = items;
    view.refunds = material.taken.shown(material.known.invoice());
    view.differences = wrong;
    view.differences.extend(differences(&material.posted, &recomputed));
    Ok(view)
}

/// An invoice paid before the programme's first period.
pub(super) async fn history(tx: &DatabaseTransaction, known: &Known) -> Result<InProgram, LoadError> {
    let mut view = without_lines(tx, known, State::History).await?;
    for credit in view.items.iter_mut().flat_map(|item| &mut item.credits) {
        credit.base = None;
        credit.rules.clear();
        credit.ranks.clear();
        credit.processing_cost = EARNS_NOTHING.into();
        credit.coop = EARNS_NOTHING.into();
        let reason = Some(Reason { code: "history", text: EARNS_NOTHING.into() });
        credit.chain = ChainShown { mode: None, paid_by: None, inactive: None, layers: Vec::new(), reason, max_total_rate: None, max_total: None };
    }
    let first = known.knowledge.versions.constant().settlement.first_period;
    view.says.push(format!("paid before {first}, the programme's first period: history, which counts as referred revenue and earns nothing"));
    Ok(view)
}

/// An invoice that no period books, and why.
pub(super) async fn unbooked(tx: &DatabaseTransaction, known: &Known, why: String) -> Result<InProgram, LoadError> {
    let mut view = without_lines(tx, known, State::Open).await?;
    view.says.push(why);
    Ok(view)
}

async fn without_lines(tx: &DatabaseTransaction, known: &Known, state: State) -> Result<InProgram, LoadError> {
    let credits = known.credits();
    let places = places(tx, known).await?.into_iter().map(|item| item.places).collect();
    let beside = beside(tx, known, &credits).await?;
    let taken = refunds::load(tx, &known.knowledge.program, known.invoice()).await?;
    let mut view = head(known, state);
    let bare = Bare { known, credits: &credits, places, beside };
    view.items = bare.items();
    view.refunds = taken.shown(known.invoice());
    Ok(view)
}

/// Where the credits of each item were looked for.
pub(super) async fn places(tx: &DatabaseTransaction, known: &Known) -> Result<Vec<ItemPlaces>, LoadError> {
    let mut all = Vec::new();
    for item in &known.invoice().items {
        let places = super::places::of_item(tx, &known.knowledge, &known.set, known.invoice(), item).await?;
        all.push(ItemPlaces { item: item.id.as_ref().map(ToString::to_string), places });
    }
    Ok(all)
}

async fn period_row(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<(i64, String), LoadError> {
    let query = "SELECT cutoff, status FROM periods WHERE program = ? AND period = ?";
    let row = first_row(tx, query, vec![program.into(), period.to_string().into()]).await?;
    let row = row.ok_or_else(|| LoadError::Corrupt { value: format!("{program} {period}"), what: "a period that was frozen" })?;
    Ok((row.int(0)?, row.string(1)?))
}

/// The programme and period that fixed the credits of an invoice.
async fn fixed_by(tx: &DatabaseTransaction, invoice: &str) -> Result<Option<(String, Period)>, LoadError> {
    let row = first_row(tx, "SELECT booked_by, period FROM booked_credits WHERE invoice = ? LIMIT 1", vec![invoice.into()]).await?;
    row.map(|row| Ok((row.string(0)?, row.period(1)?))).transpose()
}

/// The credits that were fixed, if they do not resolve again from what was known.
async fn credit_difference(tx: &DatabaseTransaction, known: &Known) -> Result<Option<Difference>, LoadError> {
    let query = "SELECT item, program, partner, role, share, credit FROM booked_credits WHERE invoice = ? ORDER BY item, program, partner, role";
    let mut posted = Vec::new();
    for row in rows(tx, query, vec![(&*known.invoice().id).into()]).await? {
        let text: Result<Vec<String>, LoadError> = (0..6).map(|column| row.string(column)).collect();
        posted.push(text?);
    }
    let sourced: Text = SOURCED.into();
    let mut resolved = Vec::new();
    for item in &known.invoice().items {
        for credit in known.set.resolve(&known.knowledge, known.place, item, &sourced) {
            let partner = known.knowledge.directory.id(credit.partner).to_string();
            let id = credit.id.map(|id| id.to_string()).unwrap_or_default();
            resolved.push(vec![item.key().to_owned(), credit.program.to_string(), partner, credit.role.to_string(), credit.share.to_string(), id]);
        }
    }
    resolved.sort();
    posted.sort();
    if posted == resolved {
        return Ok(None);
    }
    let what = "the credits that were fixed are not those that resolve again (item, programme, partner, role, share, credit)".to_owned();
    Ok(Some(Difference { what, posted: Some(serde_json::json!(posted)), recomputed: Some(serde_json::json!(resolved)) }))
}

/// Tier and rank evidence of each item's credits.
async fn beside(tx: &DatabaseTransaction, known: &Known, credits: &[Vec<Credit>]) -> Result<Vec<Vec<(TierShown, Vec<RankShown>)>>, LoadError> {
    let paid_on = known.invoice().paid_on;
    let mut of_partner: BTreeMap<usize, (TierShown, Vec<RankShown>)> = BTreeMap::new();
    for credit in credits.iter().flatten() {
        if of_partner.contains_key(&credit.partner) {
            continue;
        }
        let partner = known.knowledge.directory.partner(credit.partner);
        let tier = evidence::tier(tx, &known.knowledge, partner, paid_on).await?;
        let ranks = evidence::ranks(tx, &known.knowledge, &partner.id.0, paid_on, known.period).await?;
        of_partner.insert(credit.partner, (tier, ranks));
    }
    Ok(credits.iter().map(|credits| credits.iter().filter_map(|credit| of_partner.get(&credit.partner).cloned()).collect()).collect())
}

/// The invoice as known by each later period that posted a volume bonus of it.
async fn later(tx: &DatabaseTransaction, booking: &Booking, invoice: &str, posted: &[Posted]) -> Result<Vec<Known>, LoadError> {
    let late = |posted: &&Posted| {
        posted.line.source == Source::Invoice && posted.line.component == Component::VOLUME_BONUS && posted.period > booking.period
    };
    let mut periods: Vec<Period> = posted.iter().filter(late).map(|posted| posted.period).collect();
    periods.dedup();
    let mut all = Vec::new();
    for period in periods {
        let cutoff = period_row(tx, &booking.program, period).await?.0;
        all.extend(Known::load(tx, &booking.program, invoice, cutoff, Some(period)).await?);
    }
    Ok(all)
}

fn head(known: &Known, state: State) -> InProgram {
    let version = known.version();
    let paid_on = known.invoice().paid_on;
    let hold_days = version.programme.settlement.hold_days;
    let mut says = Vec::new();
    if hold_days > 0 {
        says.push(format!("held for {hold_days} days after its payment, until {}", days_after(paid_on, hold_days)));
    }
    let from = version.effective_from.to_string();
    InProgram {
        program: known.knowledge.program.to_string(),
        state,
        says,
        paid_on: paid_on.to_string(),
        eligible_on: days_after(paid_on, hold_days).to_string(),
        own_period: known.own_period.to_string(),
        period: None,
        cutoff: None,
        version: VersionShown {
            number: version.number,
            effective_from: Some(from).filter(|from| from != FROM_EVER),
            rounding: rounding_name(version.programme.rounding),
        },
        credits_fixed_by: None,
        items: Vec::new(),
        refunds: Vec::new(),
        differences: Vec::new(),
    }
}

/// An item without its credits.
fn item_shown(known: &Known, place: usize, places: Vec<PlaceShown>) -> ItemShown {
    let item = &known.invoice().items[place];
    let deal = known.set.deal(item).map(|deal| DealShown {
        id: deal.id.to_string(),
        contract_value: deal.currency.format_minor(deal.contract_value_minor),
        currency: deal.currency.code().to_owned(),
        signed_on: deal.signed_on.to_string(),
        new_logo: deal.new_logo,
        registered: deal.registered,
        motion: Some(deal.motion.to_string()).filter(|motion| !motion.is_empty()),
    });
    ItemShown {
        item: item.id.as_ref().map(ToString::to_string),
        amount: known.invoice().currency.format_minor(item.amount_minor),
        product: Some(item.product.to_string()).filter(|product| !product.is_empty()),
        deal,
        places,
        credits: Vec::new(),
    }
}

/// An invoice of which nothing is posted.
struct Bare<'a> {
    known: &'a Known,
    credits: &'a [Vec<Credit>],
    places: Vec<Vec<PlaceShown>>,
    beside: Vec<Vec<(TierShown, Vec<RankShown>)>>,
}

impl Bare<'_> {
    fn items(self) -> Vec<ItemShown> {
        let revenue = RevenueIndex::new(&self.known.knowledge.fx, self.known.entries.clone());
        let rated = Rated::new(self.known, &revenue, self.credits);
        let mut items = Vec::new();
        for (place, (places, beside)) in self.places.into_iter().zip(self.beside).enumerate() {
            let from = places.iter().find(|place| place.wins).map(|place| place.place);
            let mut item = item_shown(self.known, place, places);
            for (credit, (tier, ranks)) in self.credits[place].iter().zip(beside) {
                item.credits.push(rated.credit(place, credit, from, tier, ranks).0);
            }
            items.push(item);
        }
        items
    }
}

/// What the rating of all items of an invoice shares.
struct Rated<'a> {
    known: &'a Known,
    revenue: &'a RevenueIndex<'a>,
    grants: Vec<super::known::ItemGrants>,
    costs_minor: Vec<i64>,
    error: Option<String>,
}

impl<'a> Rated<'a> {
    fn new(known: &'a Known, revenue: &'a RevenueIndex<'a>, credits: &[Vec<Credit>]) -> Self {
        let count = known.invoice().items.len();
        let (grants, error) = match known.grants(revenue, credits) {
            Ok(grants) => (grants, None),
            Err(error) => {
                let none = super::known::ItemGrants { grants: Vec::new(), uses_before: known.uses.clone() };
                (vec![none; count], Some(error.to_string()))
            }
        };
        let costs_minor = known.invoice().item_costs_minor().unwrap_or_else(|_| vec![0; count]);
        Self { known, revenue, grants, costs_minor, error }
    }

    fn credit(
        &self,
        place: usize,
        credit: &Credit,
        from: Option<&'static str>,
        tier: TierShown,
        ranks: Vec<RankShown>,
    ) -> (CreditShown, Result<Vec<program::line::Line>, String>) {
        let case = self.known.case(place, self.revenue);
        let beside = Beside {
            grants: &self.grants[place],
            first: case.deal.and_then(|deal| self.known.first.get(&deal.id)),
            ranks: self.known.ranks.get(&credit.partner).map_or(&[][..], Vec::as_slice),
            cost_minor: self.costs_minor[place],
            invoice_cost_minor: self.known.invoice().processing_cost_minor,
            place: from,
        };
        rate(&case, credit, &beside, tier, ranks)
    }
}

impl Material {
    /// The items with their posted lines, and all lines that come out again.
    fn items(&self, wrong: &mut Vec<Difference>) -> (Vec<ItemShown>, Vec<Posted>) {
        let known = &self.known;
        let invoice = known.invoice();
        let revenue = RevenueIndex::new(&known.knowledge.fx, known.entries.clone());
        let rated = Rated::new(known, &revenue, &self.credits);
        wrong.extend(rated.error.clone().map(|error| difference(format!("it can't be computed again: {error}"))));
        wrong.extend(self.taken.error.clone().map(|error| difference(format!("its refunds can't be spread again: {error}"))));
        let mut recomputed = Vec::new();
        let originals: Vec<Posted> = self.posted.iter().filter(|posted| posted.line.source == Source::Invoice).cloned().collect();
        let rounding = known.version().programme.rounding;
        let zone = known.knowledge.versions.constant().timezone;
        let reversals = self.taken.reversals(&originals, invoice, known.own_period, zone, rounding);
        let mut items = Vec::new();
        for place in 0..invoice.items.len() {
            let places = self.places.get(place).cloned().unwrap_or_default();
            let from = places.iter().find(|place| place.wins).map(|place| place.place);
            let mut item = item_shown(known, place, places);
            for (credit, (tier, ranks)) in self.credits[place].iter().zip(&self.beside[place]) {
                let (mut shown, lines) = rated.credit(place, credit, from, tier.clone(), ranks.clone());
                match lines {
                    Ok(lines) => recomputed.extend(lines.into_iter().map(|line| self.booked(line))),
                    Err(error) => wrong.push(difference(format!("it can't be computed again: {error}"))),
                }
                recomputed.extend(self.late_bonuses(place, credit, wrong));
                self.attach(place, credit, &rated, &reversals, &mut shown);
                item.credits.push(shown);
            }
            items.push(item);
        }
        recomputed.extend(reversals.into_iter().map(|(posted, _)| posted));
        (items, recomputed)
    }

    fn booked(&self, mut line: program::line::Line) -> Posted {
        line.late_from = (self.known.own_period < self.known.period).then_some(self.known.own_period);
        Posted { line, period: self.known.period }
    }

    /// The volume bonuses that later periods gave a credit, as they come out with what was known then (domain.md §4.1).
    fn late_bonuses(&self, place: usize, credit: &Credit, wrong: &mut Vec<Difference>) -> Vec<Posted> {
        let mut all: Vec<Posted> = Vec::new();
        let partner = self.known.knowledge.directory.id(credit.partner);
        let key = self.known.invoice().items[place].key();
        let of_credit = |posted: &&Posted| {
            let line = &posted.line;
            line.from_partner == *partner
                && line.role.as_deref() == Some(&*credit.role)
                && line.item.as_deref().unwrap_or("") == key
                && line.source == Source::Invoice
        };
        let tier =
            self.posted.iter().filter(of_credit).find(|posted| posted.line.component == Component::BASE).and_then(|posted| posted.line.tier.clone());
        for known in &self.later {
            let revenue = RevenueIndex::new(&known.knowledge.fx, known.entries.clone());
            let case = known.case(place, &revenue);
            let rank = tier.as_deref().and_then(|tier| case.version.tier_rank(tier));
            let (Some(rank), Some(partner)) = (rank, known.knowledge.directory.find(partner)) else { continue };
            let before: Vec<&str> = self
                .posted
                .iter()
                .filter(of_credit)
                .filter(|posted| posted.line.component == Component::VOLUME_BONUS && posted.period < known.period)
                .filter_map(|posted| posted.line.rule.as_deref())
                .collect();
            let credit = Credit { partner, ..credit.clone() };
            match late_volume_bonuses(&case, &credit, rank, &before) {
                Ok(lines) => all.extend(lines.into_iter().map(|mut line| {
                    line.late_from = (known.own_period < known.period).then_some(known.own_period);
                    Posted { line, period: known.period }
                })),
                Err(error) => wrong.push(difference(format!("its late bonus can't be computed again: {error}"))),
            }
        }
        all
    }

    /// Puts the posted lines of a credit below it.
    fn attach(&self, place: usize, credit: &Credit, rated: &Rated<'_>, reversals: &[(Posted, String)], shown: &mut CreditShown) {
        let case = self.known.case(place, rated.revenue);
        let partner = self.known.knowledge.directory.id(credit.partner);
        for posted in &self.posted {
            let line = &posted.line;
            let same_item = line.item.as_deref().unwrap_or("") == case.item.key();
            if !same_item || line.from_partner != *partner || line.role.as_deref() != Some(&*credit.role) {
                continue;
            }
            if line.source == Source::Invoice {
                shown.lines.push(self.line(posted, of_line(line, &case, rated.costs_minor[place])));
            } else {
                let found = reversals.iter().find(|(other, _)| super::compare::same_key(other, posted));
                let computed = found.map_or_else(|| "it does not come out again".to_owned(), |(_, computed)| computed.clone());
                shown.reversals.push(self.line(posted, computed));
            }
        }
    }

    fn line(&self, posted: &Posted, computed: String) -> LineShown {
        let line = &posted.line;
        LineShown {
            payee: line.payee.to_string(),
            period: posted.period.to_string(),
            settlement: self.statuses.get(&(line.payee.clone(), posted.period, line.currency)).cloned(),
            version: line.version,
            line: line_json(line),
            uncut: line.uncut_minor.map(|minor| line.currency.format_minor(minor)),
            computed,
        }
    }
}

fn difference(what: String) -> Difference {
    Difference { what, posted: None, recomputed: None }
}
