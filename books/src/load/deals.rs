//! Loads all deals with their credits, for `active_deals` (domain.md §5.2).

use std::collections::{BTreeSet, HashMap};

use program::calendar::Date;
use program::credit::{Place, RecordedCredit, resolve};
use program::line::Text;
use program::member::PartnerNo;
use program::programme::{SOURCED, Window};
use sea_orm::DatabaseTransaction;

use super::Knowledge;
use super::row::{LoadError, rows};

struct KnownDeal {
    id: Text,
    customer: Text,
    partner: Option<PartnerNo>,
    referred_by: Option<PartnerNo>,
    signed_on: Date,
    churned_on: Option<Date>,
}

/// All deals and the credits at them and at their customers.
pub struct DealBook {
    deals: Vec<KnownDeal>,
    by_deal: HashMap<Text, Vec<RecordedCredit>>,
    by_customer: HashMap<Text, Vec<RecordedCredit>>,
}

impl DealBook {
    /// Loads them as they were known.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load(tx: &DatabaseTransaction, knowledge: &Knowledge) -> Result<Self, LoadError> {
        let query = "SELECT d.id, d.customer, d.partner, d.signed_on, c.referred_by, c.churned_on FROM deals d JOIN customers c ON c.id = d.customer \
                     WHERE d.seq <= ? ORDER BY d.id";
        let find = |id: Option<String>| id.and_then(|id| knowledge.directory.find(&id));
        let mut deals = Vec::new();
        for row in rows(tx, query, vec![knowledge.cutoff.into()]).await? {
            let (id, customer) = (row.text(0)?, row.text(1)?);
            let empty = |kind: &str, id: &str, field: &str| knowledge.later.was_empty(kind, id, field);
            deals.push(KnownDeal {
                partner: if empty("deals", &id, "partner") { None } else { find(row.string_or_null(2)?) },
                referred_by: if empty("customers", &customer, "referred_by") { None } else { find(row.string_or_null(4)?) },
                churned_on: if empty("customers", &customer, "churned_on") { None } else { row.date_or_null(5)? },
                signed_on: row.date(3)?,
                id,
                customer,
            });
        }
        let mut book = Self { deals, by_deal: HashMap::new(), by_customer: HashMap::new() };
        let query = "SELECT id, partner, role, share, program, from_on, through_on, deal, customer FROM credits WHERE invoice IS NULL AND seq <= ? ORDER BY id";
        for row in rows(tx, query, vec![knowledge.cutoff.into()]).await? {
            let id = row.text(0)?;
            let Some(partner) = find(Some(row.string(1)?)) else { continue };
            let program = row.text_or_null(4)?.unwrap_or_else(|| knowledge.homes[partner].clone());
            let empty = |field: &str| knowledge.later.was_empty("credits", &id, field);
            let window = Window {
                from: if empty("from_on") { None } else { row.date_or_null(5)? },
                through: if empty("through_on") { None } else { row.date_or_null(6)? },
            };
            let credit = RecordedCredit { id: id.clone(), partner, role: row.text(2)?, share: row.rate(3)?, program, window };
            match (row.text_or_null(7)?, row.text_or_null(8)?) {
                (Some(deal), _) => book.by_deal.entry(deal).or_default().push(credit),
                (None, Some(customer)) => book.by_customer.entry(customer).or_default().push(credit),
                (None, None) => {}
            }
        }
        Ok(book)
    }

    /// The number of active deals of each partner that has any on a day.
    #[must_use]
    pub fn active_on(&self, knowledge: &Knowledge, day: Date) -> HashMap<PartnerNo, usize> {
        let sourced: Text = SOURCED.into();
        let column = |partner: Option<PartnerNo>| partner.map(|partner| (partner, &knowledge.homes[partner]));
        let mut counts = HashMap::new();
        for deal in self.deals.iter().filter(|deal| deal.signed_on <= day && deal.churned_on.is_none_or(|churned| churned >= day)) {
            let places = [
                Place { credits: self.by_deal.get(&deal.id).map_or(&[], Vec::as_slice), column: column(deal.partner) },
                Place { credits: self.by_customer.get(&deal.customer).map_or(&[], Vec::as_slice), column: column(deal.referred_by) },
            ];
            let partners: BTreeSet<PartnerNo> = resolve(&places, day, &sourced)
                .into_iter()
                .filter(|credit| credit.program == knowledge.program)
                .map(|credit| credit.partner)
                .collect();
            for partner in partners {
                *counts.entry(partner).or_insert(0) += 1;
            }
        }
        counts
    }
}
