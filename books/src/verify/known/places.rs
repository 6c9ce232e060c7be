//! Who gets an item: the credits at its four places, as known at a cut-off (domain.md §3.2).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use program::calendar::{Date, parse_date};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::Filled;
use super::invoices::{Deal, Invoice, Item};
use super::members::{Members, micro, since};
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, Row, rows};
use crate::verify::figures::micro_of;

/// A credit that an item has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Credit {
    pub(crate) program: String,
    pub(crate) partner: String,
    pub(crate) role: String,
    pub(crate) share_micro: i64,
    /// Its id, "" for a plain column.
    pub(crate) id: String,
}

/// Where a credit is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Item(String, String),
    Invoice(String),
    Deal(String),
    Customer(String),
}

#[derive(Debug, Clone)]
struct Recorded {
    credit: Credit,
    from: Filled<Date>,
    through: Filled<Date>,
    seq: i64,
    /// The recording that voided it.
    voided: i64,
}

/// Credits that were voided: they held until then.
#[derive(Debug, Default)]
pub(crate) struct Voided(Vec<(Place, Recorded)>);

impl Voided {
    pub(crate) async fn load(tx: &DatabaseTransaction, members: &Members) -> Result<Self, LoadError> {
        let mut voided = Self::default();
        for row in rows(tx, "SELECT body, seq, id FROM voids WHERE kind = 'credits' ORDER BY no", Vec::new()).await? {
            let text = row.string(0)?;
            let body: serde_json::Value = serde_json::from_str(&text).map_err(|_| LoadError::Corrupt { value: text, what: "a voided credit" })?;
            let field = |name: &str| body.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
            let day = |name: &str| Filled { value: field(name).and_then(|text| parse_date(&text).ok()), since: 0 };
            let (Some(partner), Some(role), Some(share)) = (field("partner"), field("role"), field("share").and_then(|share| micro_of(&share)))
            else {
                continue;
            };
            let Some(place) = place_of(field("invoice"), field("item"), field("deal"), field("customer")) else { continue };
            let home = members.get(&partner).map(|member| member.home.clone()).unwrap_or_default();
            let credit = Credit { program: field("program").unwrap_or(home), partner, role, share_micro: share, id: row.string(2)? };
            let seq = body.get("seq").and_then(serde_json::Value::as_i64).unwrap_or(0);
            voided.0.push((place, Recorded { credit, from: day("from_on"), through: day("through_on"), seq, voided: row.int(1)? }));
        }
        Ok(voided)
    }
}

fn place_of(invoice: Option<String>, item: Option<String>, deal: Option<String>, customer: Option<String>) -> Option<Place> {
    match (invoice, item) {
        (Some(invoice), Some(item)) => Some(Place::Item(invoice, item)),
        (Some(invoice), None) => Some(Place::Invoice(invoice)),
        (None, _) => deal.map(Place::Deal).or_else(|| customer.map(Place::Customer)),
    }
}

/// The credits at the places of some invoices.
#[derive(Debug)]
pub(crate) struct Places {
    recorded: HashMap<Place, Vec<Recorded>>,
    referred_by: HashMap<String, Filled<String>>,
}

impl Places {
    /// Loads what is recorded at the places of some invoices and their deals.
    pub(crate) async fn load(
        tx: &DatabaseTransaction,
        invoices: &BTreeMap<String, Invoice>,
        deals: &HashMap<String, Deal>,
        voided: &Voided,
    ) -> Result<Self, LoadError> {
        let list = in_list(ConnectionTrait::get_database_backend(tx));
        let mut places = Self { recorded: HashMap::new(), referred_by: HashMap::new() };
        let customers: BTreeSet<&str> = invoices.values().map(|invoice| invoice.customer.as_str()).collect();
        let customers: Vec<&str> = customers.into_iter().collect();
        for (column, ids) in [
            ("invoice", json_list(&invoices.keys().collect::<Vec<_>>())),
            ("deal", json_list(&deals.keys().collect::<Vec<_>>())),
            ("customer", json_list(&customers)),
        ] {
            let query = format!(
                "SELECT k.invoice, k.item, k.deal, k.customer, k.partner, k.role, k.share, COALESCE(k.program, p.program), k.id, k.from_on, f.seq, \
                 k.through_on, t.seq, k.seq FROM credits k JOIN partners p ON p.id = k.partner \
                 LEFT JOIN fills f ON f.kind = 'credits' AND f.id = k.id AND f.field = 'from_on' \
                 LEFT JOIN fills t ON t.kind = 'credits' AND t.id = k.id AND t.field = 'through_on' WHERE k.{column} {list}"
            );
            for row in rows(tx, &query, vec![ids]).await? {
                let place = place_of(row.string_or_null(0)?, row.string_or_null(1)?, row.string_or_null(2)?, row.string_or_null(3)?);
                if let Some(place) = place {
                    places.recorded.entry(place).or_default().push(recorded(&row)?);
                }
            }
        }
        for (place, recorded) in &voided.0 {
            places.recorded.entry(place.clone()).or_default().push(recorded.clone());
        }
        let query = format!(
            "SELECT c.id, c.referred_by, f.seq FROM customers c LEFT JOIN fills f ON f.kind = 'customers' AND f.id = c.id AND f.field = 'referred_by' \
             WHERE c.id {list}"
        );
        for row in rows(tx, &query, vec![json_list(&customers)]).await? {
            places.referred_by.insert(row.string(0)?, Filled { value: row.string_or_null(1)?, since: since(&row, 2)? });
        }
        Ok(places)
    }

    /// The credits of an item in all programmes: those of the nearest place that has any.
    pub(crate) fn credits(&self, members: &Members, invoice: &Invoice, item: &Item, deal: Option<&Deal>, day: Date, cutoff: i64) -> Vec<Credit> {
        let sourced = |partner: Option<&String>| -> Vec<Credit> {
            let Some(partner) = partner else { return Vec::new() };
            let program = members.get(partner).map(|member| member.home.clone()).unwrap_or_default();
            vec![Credit { program, partner: partner.clone(), role: "sourced".into(), share_micro: 1_000_000, id: String::new() }]
        };
        let of = |place: Place| self.in_force(&place, day, cutoff);
        let or_column = |credits: Vec<Credit>, partner: Option<&String>| if credits.is_empty() { sourced(partner) } else { credits };
        let mut found = if item.id.is_empty() { Vec::new() } else { of(Place::Item(invoice.id.clone(), item.id.clone())) };
        if found.is_empty() {
            found = or_column(of(Place::Invoice(invoice.id.clone())), invoice.partner.at(cutoff));
        }
        if let Some(deal) = deal.filter(|_| found.is_empty()) {
            found = or_column(of(Place::Deal(deal.id.clone())), deal.partner.at(cutoff));
        }
        if found.is_empty() {
            let referred_by = self.referred_by.get(&invoice.customer).and_then(|partner| partner.at(cutoff));
            found = or_column(of(Place::Customer(invoice.customer.clone())), referred_by);
        }
        found.sort();
        found
    }

    fn in_force(&self, place: &Place, day: Date, cutoff: i64) -> Vec<Credit> {
        let recorded = self.recorded.get(place).map_or(&[][..], Vec::as_slice);
        let holds = |recorded: &&Recorded| {
            let is_known = recorded.seq <= cutoff && cutoff < recorded.voided;
            is_known && recorded.from.at(cutoff).is_none_or(|from| *from <= day) && recorded.through.at(cutoff).is_none_or(|through| day <= *through)
        };
        recorded.iter().filter(holds).map(|recorded| recorded.credit.clone()).collect()
    }
}

fn recorded(row: &Row) -> Result<Recorded, LoadError> {
    let credit = Credit { program: row.string(7)?, partner: row.string(4)?, role: row.string(5)?, share_micro: micro(row, 6)?, id: row.string(8)? };
    Ok(Recorded {
        credit,
        from: Filled { value: row.date_or_null(9)?, since: since(row, 10)? },
        through: Filled { value: row.date_or_null(11)?, since: since(row, 12)? },
        seq: row.int(13)?,
        voided: i64::MAX,
    })
}
