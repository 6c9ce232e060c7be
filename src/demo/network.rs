//! The partners: three levels, their tiers, certificates and metrics, and what happens to some of them.

use books::record::FactKind;
use program::calendar::{Date, days_after, months_after, months_before};

use super::facts::Facts;
use super::names;
use super::random::Random;
use super::year::Year;

/// How much a partner sells, by the tier that this comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Bronze,
    Silver,
    Gold,
    Platinum,
}

/// What happens to a partner in the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// Nothing in particular.
    Steady,
    /// It sells enough for the next tier.
    Climbs,
    /// Its customers do not renew.
    Declines,
    /// It joins in spring.
    Joins,
    /// It is suspended for some weeks.
    Suspended,
    /// Its certificates end and are renewed late.
    Lapses,
    /// It gets another parent.
    Moves,
    /// It leaves in autumn.
    Leaves,
    /// Its demotion is frozen.
    Protected,
}

/// A partner.
#[derive(Debug, Clone)]
pub(crate) struct Partner {
    /// Its id.
    pub(crate) id: String,
    /// What it sells.
    pub(crate) class: Class,
    /// What happens to it.
    pub(crate) story: Story,
    /// Since when it is there.
    pub(crate) joined_on: Date,
    /// The currency of many of its customers.
    pub(crate) currency: &'static str,
    kind: &'static str,
    country: &'static str,
    parent: Option<usize>,
}

/// Countries with their currencies and how many of twenty partners are there.
const COUNTRIES: [(&str, &str, usize); 6] =
    [("US", "USD", 12), ("CA", "USD", 3), ("DE", "EUR", 1), ("GR", "EUR", 1), ("GB", "GBP", 2), ("JP", "JPY", 1)];

/// Who gets which story: the first of these classes that have none yet, in this order.
const STORIES: [(Class, Story); 10] = [
    (Class::Gold, Story::Declines),
    (Class::Gold, Story::Lapses),
    (Class::Silver, Story::Climbs),
    (Class::Bronze, Story::Climbs),
    (Class::Bronze, Story::Suspended),
    (Class::Silver, Story::Moves),
    (Class::Bronze, Story::Joins),
    (Class::Bronze, Story::Leaves),
    (Class::Silver, Story::Declines),
    (Class::Silver, Story::Protected),
];

impl Class {
    /// The tier's id.
    pub(crate) fn tier(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Platinum => "platinum",
        }
    }

    /// Certified people that it has: in sales, as architects.
    fn certified(self) -> (u32, u32) {
        match self {
            Self::Bronze => (0, 0),
            Self::Silver => (1, 0),
            Self::Gold => (2, 0),
            Self::Platinum => (4, 1),
        }
    }
}

/// Makes `count` partners, at least a dozen, and their facts.
pub(crate) fn generate(facts: &mut Facts, year: Year, seed: u64, count: usize) -> Vec<Partner> {
    let partners = partners(year, seed, count);
    for (place, partner) in partners.iter().enumerate() {
        add_partner(facts, year, &partners, place, partner);
        tell(facts, year, partner);
    }
    add_certificates(facts, year, seed, &partners);
    add_metrics(facts, year, seed, &partners);
    partners
}

fn partners(year: Year, seed: u64, count: usize) -> Vec<Partner> {
    let mut random = Random::new(seed, "network");
    let distributors = (count / 13).max(2);
    let middle = (count / 5).max(2);
    let classes = classes(&mut random, count, distributors);
    let countries: Vec<(&str, &str)> = COUNTRIES.iter().flat_map(|(country, currency, share)| vec![(*country, *currency); *share]).collect();
    let mut partners: Vec<Partner> = Vec::with_capacity(count);
    for (place, class) in classes.into_iter().enumerate() {
        let (kind, parent) = if place < distributors {
            ("distributor", None)
        } else if place < distributors + middle {
            ("msp", Some(place % distributors))
        } else if random.chance(88) {
            ("reseller", Some(distributors + random.index(middle)))
        } else {
            ("reseller", random.chance(60).then(|| random.index(distributors)))
        };
        let (country, currency) = *random.pick(&countries);
        let joined_on = year.history_begins();
        partners.push(Partner { id: format!("p{:02}", place + 1), class, story: Story::Steady, joined_on, currency, kind, country, parent });
    }
    for (class, story) in STORIES {
        let fits = |partner: &&mut Partner| partner.class == class && partner.story == Story::Steady && partner.kind == "reseller";
        if let Some(partner) = partners.iter_mut().find(fits) {
            partner.story = story;
            if story == Story::Joins {
                partner.joined_on = year.day(3, 10);
            }
        }
    }
    partners
}

/// Few sell very much: of those below the distributors one in 25 is platinum, one in 7 gold, one in 3 silver.
fn classes(random: &mut Random, count: usize, distributors: usize) -> Vec<Class> {
    let sellers = count - distributors;
    let mut classes = vec![Class::Bronze; sellers];
    let (platinum, gold, silver) = ((sellers / 25).max(1), (sellers / 7).max(2), (sellers / 3).max(4));
    for (place, class) in classes.iter_mut().enumerate().take(platinum + gold + silver) {
        *class = match place {
            place if place < platinum => Class::Platinum,
            place if place < platinum + gold => Class::Gold,
            _ => Class::Silver,
        };
    }
    random.shuffle(&mut classes);
    [vec![Class::Silver; distributors], classes].concat()
}

fn add_partner(facts: &mut Facts, year: Year, all: &[Partner], place: usize, partner: &Partner) {
    let parent = partner.parent.map(|parent| all[parent].id.clone());
    let since = partner.joined_on.to_string();
    // One link has a rate of its own.
    let own_rate = if partner.story == Story::Protected && parent.is_some() { "4%" } else { "" };
    facts.add(
        partner.joined_on,
        FactKind::Partners,
        [
            partner.id.clone(),
            format!("Partner {:02} – {}", place + 1, names::PARTNERS[place % names::PARTNERS.len()]),
            format!("{}@partners.example", partner.id),
            "reseller".into(),
            partner.class.tier().into(),
            since.clone(),
            parent.clone().unwrap_or_default(),
            if parent.is_some() { since.clone() } else { String::new() },
            own_rate.into(),
            partner.kind.into(),
            since,
            partner.country.into(),
        ],
    );
    if partner.story == Story::Moves {
        let other = all.iter().find(|other| other.kind == "msp" && Some(&other.id) != parent.as_ref());
        if let Some(other) = other {
            let on = year.day(7, 1);
            facts.add(on, FactKind::Parents, [partner.id.clone(), other.id.clone(), on.to_string()]);
        }
    }
}

/// What happens to the partner's membership.
fn tell(facts: &mut Facts, year: Year, partner: &Partner) {
    let mut status = |on: Date, status: &str, reason: &str| {
        facts.add(on, FactKind::Statuses, [partner.id.clone(), status.into(), on.to_string(), reason.into()]);
    };
    match partner.story {
        Story::Suspended => {
            status(year.day(5, 12), "suspended", "documents missing");
            status(year.day(7, 7), "active", "documents complete");
        }
        Story::Leaves => status(year.day(10, 20), "terminated", "contract ended by the partner"),
        Story::Protected => {
            let (from, through) = (year.day(4, 1), year.day(9, 30));
            let row = [
                format!("freeze-{}", partner.id),
                "reseller".into(),
                partner.id.clone(),
                "demotion".into(),
                from.to_string(),
                through.to_string(),
                "agreed while its office moves".into(),
            ];
            facts.add(year.day(3, 15), FactKind::Freezes, row);
        }
        Story::Steady | Story::Climbs | Story::Declines | Story::Joins | Story::Lapses | Story::Moves => {}
    }
}

/// Certificates last two years; who climbs has those of the next tier in time.
fn add_certificates(facts: &mut Facts, year: Year, seed: u64, partners: &[Partner]) {
    let mut random = Random::new(seed, "certificates");
    let mut number = 0;
    let mut add = |partner: &Partner, certification: &str, holder: u32, issued_on: Date| {
        number += 1;
        let row = [
            format!("CERT-{number:03}"),
            partner.id.clone(),
            certification.to_owned(),
            format!("{} consultant {holder}", partner.id),
            issued_on.to_string(),
            months_after(issued_on, 24).to_string(),
        ];
        facts.add(issued_on, FactKind::Certifications, row);
    };
    for partner in partners {
        let class = match (partner.story, partner.class) {
            (Story::Climbs | Story::Joins, Class::Bronze) => Class::Silver,
            (Story::Climbs, Class::Silver) => Class::Gold,
            (_, class) => class,
        };
        let (sales, architects) = class.certified();
        for holder in 1..=sales {
            let spread = u32::try_from(random.between(0, 300)).unwrap_or(0);
            if partner.story == Story::Lapses {
                add(partner, "sales-professional", holder, months_before(year.day(8, 15), 24));
                add(partner, "sales-professional", holder, year.day(10, 6));
            } else {
                add(partner, "sales-professional", holder, days_after(partner.joined_on, spread));
            }
        }
        for holder in 1..=architects {
            add(partner, "solution-architect", sales + holder, days_after(partner.joined_on, 20));
        }
    }
}

/// Satisfaction and retention, at the end of every quarter.
fn add_metrics(facts: &mut Facts, year: Year, seed: u64, partners: &[Partner]) {
    let mut random = Random::new(seed, "metrics");
    for quarter in 0..=4 {
        let on = months_after(year.begins(), quarter * 3).pred_opt().unwrap_or(year.begins());
        for partner in partners.iter().filter(|partner| partner.joined_on <= on) {
            let low = if partner.class >= Class::Gold || partner.story == Story::Climbs { 40 } else { 34 };
            let csat = random.between(low, 49);
            facts.add(on, FactKind::Metrics, [partner.id.clone(), "csat".into(), format!("{}.{}", csat / 10, csat % 10), on.to_string()]);
            let retention = random.between(81, 97);
            facts.add(on, FactKind::Metrics, [partner.id.clone(), "retention".into(), format!("0.{retention}"), on.to_string()]);
        }
    }
}
