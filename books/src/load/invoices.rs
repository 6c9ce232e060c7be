//! Loads paid invoices with their items, deals, customers and credits, a scope at a time: a few set-wise queries, not one an invoice.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use program::calendar::{Date, Instant};
use program::credit::{Credit, Place, RecordedCredit, resolve};
use program::invoice::{Deal, Item, PaidInvoice};
use program::line::Text;
use program::member::PartnerNo;
use program::programme::Window;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};

use super::Knowledge;
use super::row::{Fields, LoadError, Row, each_row, packed, rows};

/// Which invoices: a condition over `invoices i`, with its values.
#[derive(Debug, Clone)]
pub struct Scope {
    condition: String,
    values: Vec<Value>,
}

impl Scope {
    /// Paid from one instant (inclusive) to another (exclusive), microseconds.
    #[must_use]
    pub fn paid_between(from: i64, before: i64) -> Self {
        Self { condition: "i.paid_at >= ? AND i.paid_at < ?".into(), values: vec![from.into(), before.into()] }
    }

    /// By id.
    #[must_use]
    pub fn ids(backend: DbBackend, ids: &[Text]) -> Self {
        Self { condition: format!("i.id {}", in_list(backend)), values: vec![json_list(ids)] }
    }
}

/// `IN (…)` over a JSON list given as one value.
#[must_use]
pub fn in_list(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "IN (SELECT jsonb_array_elements_text(CAST(? AS jsonb)))",
        DbBackend::Sqlite | DbBackend::MySql | _ => "IN (SELECT value FROM json_each(?))",
    }
}

/// The value of an [`in_list`].
#[must_use]
pub fn json_list<T: AsRef<str>>(ids: &[T]) -> Value {
    let list: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    serde_json::Value::from(list).to_string().into()
}

/// A customer as far as credits and tiers look at it.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    referred_by: Option<PartnerNo>,
    /// When it was activated.
    pub activated_on: Option<Date>,
    /// When it churned.
    pub churned_on: Option<Date>,
}

/// What stands beside an invoice but is not rated.
#[derive(Debug, Clone)]
struct Sources {
    partner: Option<PartnerNo>,
    deal: Option<usize>,
    product: Text,
}

/// Paid invoices and all that their credits are found by.
#[derive(Debug, Default)]
pub struct InvoiceSet {
    /// The invoices, in order of (`paid_at`, id).
    pub invoices: Vec<PaidInvoice>,
    /// The deals that their items are under.
    pub deals: Vec<Deal>,
    sources: Vec<Sources>,
    deal_partners: Vec<Option<PartnerNo>>,
    customers: HashMap<Text, Customer>,
    by_invoice: HashMap<Text, Vec<(Option<Text>, RecordedCredit)>>,
    by_deal: HashMap<Text, Vec<RecordedCredit>>,
    by_customer: HashMap<Text, Vec<RecordedCredit>>,
    /// Invoices that this programme booked.
    booked: HashSet<Text>,
    /// Credits of this programme, fixed when the first programme booked an invoice: by invoice, then item.
    fixed: HashMap<Text, HashMap<Text, Vec<Credit>>>,
}

impl InvoiceSet {
    /// Loads the paid invoices of a scope as they were known.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load(tx: &DatabaseTransaction, knowledge: &Knowledge, scope: &Scope) -> Result<Self, LoadError> {
        let mut set = Self::load_facts(tx, knowledge, scope).await?;
        set.load_booked(tx, knowledge, scope).await?;
        Ok(set)
    }

    /// As [`load`](Self::load), but without what is booked of them.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load_facts(tx: &DatabaseTransaction, knowledge: &Knowledge, scope: &Scope) -> Result<Self, LoadError> {
        let loader = Loader { tx, knowledge, scope };
        let mut set = Self::default();
        loader.deals(&mut set).await?;
        loader.invoices(&mut set).await?;
        loader.items(&mut set).await?;
        loader.customers(&mut set).await?;
        loader.credits(&mut set).await?;
        Ok(set)
    }

    /// Adds what is booked of the scope that was loaded.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load_booked(&mut self, tx: &DatabaseTransaction, knowledge: &Knowledge, scope: &Scope) -> Result<(), LoadError> {
        Loader { tx, knowledge, scope }.booked(self).await
    }

    /// Whether an invoice was booked in this programme before.
    #[must_use]
    pub fn is_booked(&self, invoice: &str) -> bool {
        self.booked.contains(invoice)
    }

    /// Whether any programme booked an invoice before, which fixed its credits.
    #[must_use]
    pub fn is_fixed(&self, invoice: &str) -> bool {
        self.fixed.contains_key(invoice)
    }

    /// The customer of an invoice.
    #[must_use]
    pub fn customer(&self, invoice: &PaidInvoice) -> Customer {
        self.customers.get(&invoice.customer).cloned().unwrap_or_default()
    }

    /// The deal of an item.
    #[must_use]
    pub fn deal(&self, item: &Item) -> Option<&Deal> {
        item.deal.map(|deal| &self.deals[deal])
    }

    /// The place of an invoice in the set.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.invoices.iter().position(|invoice| &*invoice.id == id)
    }

    /// The credits of this programme on an item: fixed when a programme first booked it, else as they resolve now (domain.md §3.2, §2.6).
    #[must_use]
    pub fn credits(&self, knowledge: &Knowledge, invoice: usize, item: &Item, sourced: &Text) -> Vec<Credit> {
        let id = &self.invoices[invoice].id;
        if let Some(items) = self.fixed.get(id) {
            return items.get(item.key()).cloned().unwrap_or_default();
        }
        let mut credits = self.resolve(knowledge, invoice, item, sourced);
        credits.retain(|credit| credit.program == knowledge.program);
        credits
    }

    /// The credits of all programmes on an item as they resolve now, each programme's on the paid date in its own zone (domain.md §2.3).
    #[must_use]
    pub fn resolve(&self, knowledge: &Knowledge, invoice: usize, item: &Item, sourced: &Text) -> Vec<Credit> {
        let paid = &self.invoices[invoice];
        let column = |partner: Option<PartnerNo>| partner.map(|partner| (partner, &knowledge.homes[partner]));
        let (mut of_item, mut of_invoice) = (Vec::new(), Vec::new());
        for (named, credit) in self.by_invoice.get(&paid.id).map_or(&[][..], Vec::as_slice) {
            match named {
                Some(named) if Some(named) == item.id.as_ref() => of_item.push(credit.clone()),
                Some(_) => {}
                None => of_invoice.push(credit.clone()),
            }
        }
        let deal = item.deal.map(|deal| (&self.deals[deal].id, self.deal_partners[deal]));
        let places = [
            Place { credits: &of_item, column: None },
            Place { credits: &of_invoice, column: column(self.sources[invoice].partner) },
            deal.map_or(Place::default(), |(id, partner)| Place {
                credits: self.by_deal.get(id).map_or(&[], Vec::as_slice),
                column: column(partner),
            }),
            Place {
                credits: self.by_customer.get(&paid.customer).map_or(&[], Vec::as_slice),
                column: column(self.customers.get(&paid.customer).and_then(|customer| customer.referred_by)),
            },
        ];
        let day_of = |zone: &Tz| paid.paid_at.date_in(*zone);
        if knowledge.zones.len() < 2 || knowledge.zones.iter().all(|(_, zone)| day_of(zone) == paid.paid_on) {
            return resolve(&places, paid.paid_on, sourced);
        }
        let mut credits = Vec::new();
        for (program, zone) in &knowledge.zones {
            credits.extend(resolve(&places, day_of(zone), sourced).into_iter().filter(|credit| credit.program == *program));
        }
        credits
    }
}

struct Loader<'a> {
    tx: &'a DatabaseTransaction,
    knowledge: &'a Knowledge,
    scope: &'a Scope,
}

/// The deals that items of a scope are under, by their own or their invoice's deal.
const OF_DEALS: &str = "(SELECT i.deal FROM invoices i WHERE {scope} AND i.deal IS NOT NULL \
     UNION SELECT t.deal FROM invoice_items t JOIN invoices i ON i.id = t.invoice WHERE {scope} AND t.deal IS NOT NULL)";

impl Loader<'_> {
    /// A query with `{scope}` standing for the scope's condition, and its values: the scope's as often, then the cut-off.
    fn scoped(&self, text: &str) -> (String, Vec<Value>) {
        let mut values: Vec<Value> = Vec::new();
        for _ in text.matches("{scope}") {
            values.extend(self.scope.values.iter().cloned());
        }
        values.push(self.knowledge.cutoff.into());
        (text.replace("{scope}", &self.scope.condition), values)
    }

    async fn query(&self, text: &str) -> Result<Vec<Row>, LoadError> {
        let (text, values) = self.scoped(text);
        rows(self.tx, &text, values).await
    }

    /// Some columns of many rows, taken as they come.
    async fn each(&self, columns: &[&str], from: &str, mut each: impl FnMut(Fields<'_>) -> Result<(), LoadError> + Send) -> Result<(), LoadError> {
        let columns = packed(self.tx.get_database_backend(), columns);
        let (text, values) = self.scoped(&format!("SELECT {columns} {from}"));
        each_row(self.tx, &text, values, |row| each(Fields::of(&row.string(0)?))).await
    }

    fn partner(&self, id: Option<&str>) -> Result<Option<PartnerNo>, LoadError> {
        let corrupt = |id: &str| LoadError::Corrupt { value: id.to_owned(), what: "a recorded partner" };
        id.map(|id| self.knowledge.directory.find(id).ok_or_else(|| corrupt(id))).transpose()
    }

    /// Whether a column was still empty at the cut-off, given the row's last fill.
    fn empty(&self, filled: i64, kind: &str, id: &str, field: &str) -> bool {
        filled > self.knowledge.cutoff && self.knowledge.later.was_empty(kind, id, field)
    }

    async fn deals(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let columns = [
            "d.id",
            "d.filled",
            "d.motion",
            "d.partner",
            "d.customer",
            "d.contract_value_minor",
            "d.currency",
            "d.signed_on",
            "d.new_logo",
            "d.registered",
        ];
        let from = format!("FROM deals d WHERE d.id IN {OF_DEALS} AND d.seq <= ? ORDER BY d.id");
        self.each(&columns, &from, |mut deal| {
            let id: Text = deal.text()?.into();
            let filled = deal.parse("a recording")?;
            let motion = deal.optional()?.filter(|_| !self.empty(filled, "deals", &id, "motion"));
            let partner = deal.optional_str()?.filter(|_| !self.empty(filled, "deals", &id, "partner"));
            set.deal_partners.push(self.partner(partner)?);
            set.deals.push(Deal {
                id,
                customer: deal.text()?.into(),
                contract_value_minor: deal.parse("an amount")?,
                currency: deal.parse("a currency")?,
                signed_on: deal.date()?,
                new_logo: deal.text()? != "0",
                registered: deal.text()? != "0",
                motion: motion.unwrap_or_else(|| "".into()),
            });
            Ok(())
        })
        .await
    }

    async fn invoices(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let columns = [
            "i.id",
            "i.filled",
            "i.customer",
            "i.deal",
            "i.partner",
            "i.currency",
            "i.subtotal_minor",
            "i.processing_cost_minor",
            "i.paid_at",
            "i.product",
            "i.payment_method",
        ];
        let from = "FROM invoices i WHERE {scope} AND i.paid_at IS NOT NULL AND i.seq <= ? ORDER BY i.paid_at, i.id";
        let zone = self.knowledge.versions.constant().timezone;
        let deals: HashMap<Text, usize> = set.deals.iter().enumerate().map(|(place, deal)| (deal.id.clone(), place)).collect();
        let mut names: HashSet<Text> = HashSet::new();
        self.each(&columns, from, |mut row| {
            let id: Text = row.text()?.into();
            let filled = row.parse("a recording")?;
            let known = |field: &str| !self.empty(filled, "invoices", &id, field);
            if !known("paid_at") {
                return Ok(());
            }
            let customer = row.text()?.into();
            let deal = row.optional_str()?.filter(|_| known("deal")).and_then(|deal| deals.get(deal).copied());
            let partner = self.partner(row.optional_str()?.filter(|_| known("partner")))?;
            let currency = row.parse("a currency")?;
            let subtotal_minor = row.parse("an amount")?;
            let cost: Option<i64> = row.parse_optional("an amount")?.filter(|_| known("processing_cost_minor"));
            let paid_at = Instant(row.parse("an instant")?);
            let mut name = |field: &str| -> Result<Text, LoadError> {
                let text = row.optional_str()?.filter(|_| known(field)).unwrap_or_default();
                if let Some(known) = names.get(text) {
                    return Ok(known.clone());
                }
                let text: Text = text.into();
                names.insert(text.clone());
                Ok(text)
            };
            let product = name("product")?;
            let payment_method = name("payment_method")?;
            set.sources.push(Sources { partner, deal, product: product.clone() });
            set.invoices.push(PaidInvoice {
                id,
                customer,
                currency,
                subtotal_minor,
                paid_at,
                paid_on: paid_at.date_in(zone),
                payment_method,
                processing_cost_minor: cost.unwrap_or(0),
                items: vec![Item { id: None, amount_minor: subtotal_minor, product, deal }],
            });
            Ok(())
        })
        .await
    }

    async fn items(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let query = "SELECT t.invoice, t.item, t.amount_minor, t.product, t.deal, t.filled FROM invoice_items t JOIN invoices i ON i.id = t.invoice \
                     WHERE {scope} AND t.seq <= ? ORDER BY t.invoice, t.item";
        let found = self.query(query).await?;
        if found.is_empty() {
            return Ok(());
        }
        let places: HashMap<Text, usize> = set.invoices.iter().enumerate().map(|(place, invoice)| (invoice.id.clone(), place)).collect();
        let deals: HashMap<Text, usize> = set.deals.iter().enumerate().map(|(place, deal)| (deal.id.clone(), place)).collect();
        for row in found {
            let invoice_id = row.string(0)?;
            let Some(&place) = places.get(invoice_id.as_str()) else { continue };
            let id = row.text(1)?;
            let filled = row.int(5)?;
            let key = format!("{invoice_id}/{id}");
            let empty = |field: &str| self.empty(filled, "invoice_items", &key, field);
            let product = if empty("product") { None } else { row.text_or_null(3)? };
            let deal = if empty("deal") { None } else { row.string_or_null(4)? };
            let deal = deal.and_then(|deal| deals.get(deal.as_str()).copied()).or(set.sources[place].deal);
            let invoice = &mut set.invoices[place];
            let product = product.unwrap_or_else(|| set.sources[place].product.clone());
            let item = Item { id: Some(id), amount_minor: row.int(2)?, product, deal };
            if invoice.items[0].id.is_none() {
                invoice.items.clear();
            }
            invoice.items.push(item);
        }
        Ok(())
    }

    async fn customers(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let columns = ["c.id", "c.filled", "c.referred_by", "c.activated_on", "c.churned_on"];
        let from = "FROM customers c WHERE c.id IN (SELECT i.customer FROM invoices i WHERE {scope}) AND c.seq <= ?";
        self.each(&columns, from, |mut row| {
            let id: Text = row.text()?.into();
            let filled = row.parse("a recording")?;
            let known = |field: &str| !self.empty(filled, "customers", &id, field);
            let customer = Customer {
                referred_by: self.partner(row.optional_str()?.filter(|_| known("referred_by")))?,
                activated_on: row.optional_date()?.filter(|_| known("activated_on")),
                churned_on: row.optional_date()?.filter(|_| known("churned_on")),
            };
            set.customers.insert(id, customer);
            Ok(())
        })
        .await
    }

    async fn credits(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let columns = "k.id, k.partner, k.role, k.share, k.program, k.from_on, k.through_on, k.filled, k.invoice, k.item, k.deal, k.customer";
        let query =
            format!("SELECT {columns} FROM credits k WHERE k.invoice IN (SELECT i.id FROM invoices i WHERE {{scope}}) AND k.seq <= ? ORDER BY k.id");
        for row in self.query(&query).await? {
            let credit = self.credit(&row)?;
            set.by_invoice.entry(row.text(8)?).or_default().push((row.text_or_null(9)?, credit));
        }
        let query = format!("SELECT {columns} FROM credits k WHERE k.deal IN {OF_DEALS} AND k.seq <= ? ORDER BY k.id");
        for row in self.query(&query).await? {
            let credit = self.credit(&row)?;
            set.by_deal.entry(row.text(10)?).or_default().push(credit);
        }
        let query = format!(
            "SELECT {columns} FROM credits k WHERE k.customer IN (SELECT i.customer FROM invoices i WHERE {{scope}}) AND k.seq <= ? ORDER BY k.id"
        );
        for row in self.query(&query).await? {
            let credit = self.credit(&row)?;
            set.by_customer.entry(row.text(11)?).or_default().push(credit);
        }
        Ok(())
    }

    fn credit(&self, row: &Row) -> Result<RecordedCredit, LoadError> {
        let id = row.text(0)?;
        let partner = self.partner(Some(&row.string(1)?))?.unwrap_or_default();
        let program = row.text_or_null(4)?.unwrap_or_else(|| self.knowledge.homes[partner].clone());
        let filled = row.int(7)?;
        let empty = |field: &str| self.empty(filled, "credits", &id, field);
        let window = Window {
            from: if empty("from_on") { None } else { row.date_or_null(5)? },
            through: if empty("through_on") { None } else { row.date_or_null(6)? },
        };
        Ok(RecordedCredit { id: id.clone(), partner, role: row.text(2)?, share: row.rate(3)?, program, window })
    }

    async fn booked(&self, set: &mut InvoiceSet) -> Result<(), LoadError> {
        let condition = &self.scope.condition;
        let query = format!("SELECT b.invoice, b.program FROM bookings b JOIN invoices i ON i.id = b.invoice WHERE {condition}");
        for row in rows(self.tx, &query, self.scope.values.clone()).await? {
            let invoice = row.text(0)?;
            if row.string(1)? == *self.knowledge.program {
                set.booked.insert(invoice.clone());
            }
            set.fixed.entry(invoice).or_default();
        }
        if set.fixed.is_empty() {
            return Ok(());
        }
        let query = format!(
            "SELECT b.invoice, b.item, b.partner, b.role, b.share, b.credit FROM booked_credits b JOIN invoices i ON i.id = b.invoice \
             WHERE {condition} AND b.program = ? ORDER BY b.invoice, b.item, b.partner, b.role"
        );
        let mut values = self.scope.values.clone();
        values.push((&*self.knowledge.program).into());
        for row in rows(self.tx, &query, values).await? {
            // Another programme may have fixed a credit of a partner that was not known at this cut-off.
            let Some(partner) = self.knowledge.directory.find(&row.string(2)?) else { continue };
            let program = self.knowledge.program.clone();
            let credit = Credit { id: row.text_or_empty(5)?, program, partner, role: row.text(3)?, share: row.rate(4)? };
            set.fixed.entry(row.text(0)?).or_default().entry(row.text(1)?).or_default().push(credit);
        }
        Ok(())
    }
}
