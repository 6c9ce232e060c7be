//! Customers, their deals and renewals, and who is credited with them.

use books::record::FactKind;
use program::calendar::{Date, days_after, months_after, months_before};
use program::money::Currency;

use super::facts::Facts;
use super::names;
use super::network::{Class, Partner, Story};
use super::random::Random;
use super::year::{MONTHS, Year};

/// A contract.
#[derive(Debug, Clone)]
pub(crate) struct Deal {
    /// Its id.
    pub(crate) id: String,
    /// Its customer.
    pub(crate) customer: String,
    /// The place of the partner that sells it.
    pub(crate) seller: usize,
    /// The currency.
    pub(crate) currency: Currency,
    /// What it is worth, minor units.
    pub(crate) value_minor: i64,
    /// When it was signed.
    pub(crate) signed_on: Date,
    /// Months between its invoices.
    pub(crate) every: u32,
}

/// Ranges of what a class sells, in whole units of the programme's currency.
struct Plan {
    /// What it sells a month when the year begins.
    monthly: (i64, i64),
    /// Deals that this comes from.
    deals: (i64, i64),
    /// New customers in the year.
    new: (i64, i64),
    /// What a new customer's contract is worth.
    worth: (i64, i64),
}

fn plan(class: Class) -> Plan {
    match class {
        Class::Bronze => Plan { monthly: (1_500, 6_500), deals: (2, 3), new: (0, 2), worth: (6_000, 18_000) },
        Class::Silver => Plan { monthly: (11_000, 30_000), deals: (3, 5), new: (1, 2), worth: (20_000, 110_000) },
        Class::Gold => Plan { monthly: (52_000, 88_000), deals: (5, 7), new: (1, 3), worth: (80_000, 190_000) },
        Class::Platinum => Plan { monthly: (215_000, 280_000), deals: (8, 10), new: (2, 4), worth: (120_000, 320_000) },
    }
}

/// Makes the customers and deals of all partners.
pub(crate) fn generate(facts: &mut Facts, year: Year, seed: u64, partners: &[Partner], currency: &dyn Fn(&str) -> Currency) -> Vec<Deal> {
    let mut trade = Trade { facts, year, partners, currency, deals: Vec::new(), customers: 0, credits: 0 };
    for (place, partner) in partners.iter().enumerate() {
        let mut random = Random::new(seed, &format!("trade {}", partner.id));
        let plan = plan(partner.class);
        if partner.joined_on < year.begins() {
            trade.old_customers(&mut random, place, &plan);
        }
        trade.new_customers(&mut random, place, &plan);
    }
    trade.deals
}

struct Trade<'a> {
    facts: &'a mut Facts,
    year: Year,
    partners: &'a [Partner],
    currency: &'a dyn Fn(&str) -> Currency,
    deals: Vec<Deal>,
    customers: usize,
    credits: usize,
}

impl Trade<'_> {
    /// Contracts signed the year before history begins, and what they were renewed to.
    fn old_customers(&mut self, random: &mut Random, seller: usize, plan: &Plan) {
        // Who will lose its tier begins a little above its threshold.
        let most = if self.partners[seller].story == Story::Declines { plan.monthly.0 } else { plan.monthly.1 };
        let annual = random.between(plan.monthly.0, most) * i64::from(MONTHS);
        let count = random.between(plan.deals.0, plan.deals.1);
        let first = months_before(self.year.history_begins(), MONTHS);
        for _ in 0..count {
            let worth = annual / count * random.between(75, 125) / 100;
            let signed_on = days_after(first, draw(random, 0, 364));
            self.customer(random, seller, worth, signed_on);
        }
    }

    fn new_customers(&mut self, random: &mut Random, seller: usize, plan: &Plan) {
        let partner = &self.partners[seller];
        let (count, worth) = match (partner.story, partner.class) {
            (Story::Climbs, Class::Silver) => ((4, 4), (115_000, 160_000)),
            (Story::Climbs | Story::Joins, _) => ((4, 4), (26_000, 40_000)),
            (Story::Declines, _) => ((0, 0), plan.worth),
            _ => (plan.new, plan.worth),
        };
        let first = if partner.joined_on < self.year.begins() { 0 } else { 70 };
        // Who climbs does so early, so that the year shows it.
        let last = if matches!(partner.story, Story::Climbs | Story::Joins) { 170 } else { 320 };
        for _ in 0..random.between(count.0, count.1) {
            let signed_on = days_after(self.year.begins(), draw(random, first, last));
            let worth = random.between(worth.0, worth.1);
            self.customer(random, seller, worth, signed_on);
        }
    }

    /// A customer with its deal and the renewals of that.
    fn customer(&mut self, random: &mut Random, seller: usize, worth: i64, signed_on: Date) {
        let partner = &self.partners[seller];
        let code = if random.chance(60) { partner.currency } else { "USD" };
        let word = names::CUSTOMERS[self.customers % names::CUSTOMERS.len()];
        self.customers += 1;
        let customer = format!("c{:03}", self.customers);
        let row = [customer.clone(), format!("Customer {:03} – {word}", self.customers), partner.id.clone(), signed_on.to_string()];
        self.facts.add(signed_on, FactKind::Customers, row);
        let every = match (random.between(1, 100), partner.story) {
            // Whose sales are to show within the year is paid a year ahead.
            (_, Story::Climbs | Story::Joins) if signed_on >= self.year.begins() => MONTHS,
            (1..=45, _) => 1,
            (46..=80, _) => 3,
            _ => MONTHS,
        };
        let currency = (self.currency)(code);
        let (mut worth, mut signed_on, mut new_logo) = (worth, signed_on, true);
        while signed_on <= self.year.last_day() {
            let value_minor = rounded(in_currency(worth, code), currency);
            self.deal(random, Deal { id: String::new(), customer: customer.clone(), seller, currency, value_minor, signed_on, every }, new_logo);
            let chance = if partner.story == Story::Declines { 10 } else { 90 };
            let renews = signed_on < self.year.history_begins() || random.chance(chance);
            if !renews {
                break;
            }
            worth = worth * random.between(97, 110) / 100;
            signed_on = months_after(signed_on, MONTHS);
            new_logo = false;
        }
    }

    fn deal(&mut self, random: &mut Random, mut deal: Deal, new_logo: bool) {
        deal.id = format!("D-{:04}", self.deals.len() + 1);
        let partner = &self.partners[deal.seller];
        // Without a partner of its own the deal is credited to whoever referred its customer.
        let named = if random.chance(60) { partner.id.clone() } else { String::new() };
        let row = [
            deal.id.clone(),
            deal.customer.clone(),
            named,
            deal.currency.format_minor(deal.value_minor),
            deal.currency.code().into(),
            deal.signed_on.to_string(),
            new_logo.to_string(),
            if new_logo { "referral".into() } else { "renewal".into() },
        ];
        self.facts.add(deal.signed_on, FactKind::Deals, row);
        if random.chance(12) {
            self.share(random, &deal);
        }
        self.deals.push(deal);
    }

    /// Two partners on one deal: one that helped, or two that sold it together.
    fn share(&mut self, random: &mut Random, deal: &Deal) {
        let other = random.index(self.partners.len());
        if other == deal.seller || self.partners[other].story != Story::Steady {
            return;
        }
        let roles = if random.chance(60) { [("sourced", "1"), ("influenced", "1")] } else { [("sourced", "0.7"), ("sourced", "0.3")] };
        for (partner, (role, share)) in [deal.seller, other].into_iter().zip(roles) {
            self.credits += 1;
            let id = format!("CR-{:03}", self.credits);
            let row = [id, self.partners[partner].id.clone(), role.into(), share.into(), deal.id.clone()];
            self.facts.add(deal.signed_on, FactKind::Credits, row);
        }
    }
}

fn draw(random: &mut Random, low: i64, high: i64) -> u32 {
    u32::try_from(random.between(low, high)).unwrap_or(0)
}

/// About what an amount is in another currency, in whole units.
fn in_currency(units: i64, code: &str) -> i64 {
    match code {
        "EUR" => units * 92 / 100,
        "GBP" => units * 79 / 100,
        "JPY" => units * 150,
        _ => units,
    }
}

/// A price as people write it: tens of whole units.
fn rounded(units: i64, currency: Currency) -> i64 {
    units / 10 * 10 * 10_i64.pow(currency.exponent())
}
