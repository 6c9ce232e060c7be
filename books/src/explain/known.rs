//! What a programme knew about one invoice when it booked it, loaded to be rated again.

use std::collections::{BTreeMap, HashMap};

use program::calendar::{Period, Quarter, days_after, months_before};
use program::commission::spiff_amount;
use program::condition::{Fact, FactError};
use program::credit::Credit;
use program::line::Text;
use program::member::PartnerNo;
use program::money::Rate;
use program::programme::{Programme, RuleKind, SOURCED};
use program::rating::{CreditFacts, ItemCase, ReferredRevenue};
use program::revenue::Entry;
use program::spiff::{self, DealUses, FirstInvoice, Grant};
use program::version::Version;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::revenue;
use crate::load::Knowledge;
use crate::load::invoices::{InvoiceSet, Scope};
use crate::load::row::{LoadError, first_row, rows};

/// An invoice as a programme knew it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) knowledge: Knowledge,
    pub(super) set: InvoiceSet,
    /// Its place in the set.
    pub(super) place: usize,
    /// The period that books it.
    pub(super) period: Period,
    /// The period of its eligible date.
    pub(super) own_period: Period,
    /// Referred revenue that conditions may ask for.
    pub(super) entries: Vec<Entry>,
    /// The rankings that pay in the paid date's quarter: by member.
    pub(super) ranks: HashMap<PartnerNo, Vec<(Text, Rate)>>,
    /// What spiffs posted for the deals before this invoice.
    pub(super) uses: DealUses,
    /// The deals' first paid invoices.
    pub(super) first: BTreeMap<Text, FirstInvoice>,
}

/// What spiffs are given on an item, and what they had posted before it.
#[derive(Debug, Clone)]
pub(super) struct ItemGrants {
    pub(super) grants: Vec<Grant>,
    pub(super) uses_before: DealUses,
}

impl Known {
    /// Loads the invoice as known at a cut-off; `None`: it was not known, or not as paid.
    pub(super) async fn load(
        tx: &DatabaseTransaction,
        program: &str,
        invoice: &str,
        cutoff: i64,
        period: Option<Period>,
    ) -> Result<Option<Self>, LoadError> {
        let mut knowledge = Knowledge::load(tx, program, cutoff).await?;
        let scope = Scope::ids(tx.get_database_backend(), &[Text::from(invoice)]);
        let set = InvoiceSet::load(tx, &knowledge, &scope).await?;
        let Some(place) = set.find(invoice) else { return Ok(None) };
        let paid_on = set.invoices[place].paid_on;
        let hold_days = knowledge.versions.on(paid_on).programme.settlement.hold_days;
        let own_period = Period::of(days_after(paid_on, hold_days));
        let period = period.unwrap_or(own_period);
        let entries = match looks_back_to(&knowledge.versions.on(paid_on).programme, Period::of(paid_on)) {
            Some(from) => revenue::entries(tx, &mut knowledge, from, Period::of(paid_on).next().first_day()).await?,
            None => Vec::new(),
        };
        let ranks = ranks(tx, &knowledge, Period::of(paid_on).quarter(), period).await?;
        let mut known = Self { knowledge, set, place, period, own_period, entries, ranks, uses: DealUses::default(), first: BTreeMap::new() };
        known.load_deals(tx).await?;
        Ok(Some(known))
    }

    pub(super) fn invoice(&self) -> &program::invoice::PaidInvoice {
        &self.set.invoices[self.place]
    }

    pub(super) fn version(&self) -> &Version {
        self.knowledge.versions.on(self.invoice().paid_on)
    }

    /// An item as the rules look at it.
    pub(super) fn case<'a>(&'a self, item: usize, revenue: &'a dyn ReferredRevenue) -> ItemCase<'a> {
        let version = self.version();
        let invoice = self.invoice();
        let item = &invoice.items[item];
        ItemCase {
            version: &version.programme,
            version_number: version.number,
            fx: &self.knowledge.fx,
            directory: &self.knowledge.directory,
            revenue,
            invoice,
            item,
            deal: self.set.deal(item),
        }
    }

    /// The credits of each item in this programme.
    pub(super) fn credits(&self) -> Vec<Vec<Credit>> {
        let sourced: Text = SOURCED.into();
        self.invoice().items.iter().map(|item| self.set.credits(&self.knowledge, self.place, item, &sourced)).collect()
    }

    /// The bases that spiffs have on each item, in order; what is posted before keeps its share (domain.md §3.5).
    pub(super) fn grants(&self, revenue: &dyn ReferredRevenue, credits: &[Vec<Credit>]) -> Result<Vec<ItemGrants>, FactError> {
        let mut uses = self.uses.clone();
        let mut all = Vec::with_capacity(credits.len());
        for (place, credits) in credits.iter().enumerate() {
            let case = self.case(place, revenue);
            let mut of_item = ItemGrants { grants: Vec::new(), uses_before: uses.clone() };
            for (number, rule) in case.version.rules.iter().enumerate() {
                let rule_id: Text = rule.id.as_str().into();
                let first = case.deal.and_then(|deal| self.first.get(&deal.id));
                let Some(base_minor) = spiff::base_minor(rule, &case, first, &uses, &rule_id) else { continue };
                of_item.grants.push(Grant { rule: number, base_minor });
                if let Some(deal) = case.deal.filter(|_| matches!(rule.kind, RuleKind::Spiff { .. }))
                    && any_pays(&case, number, base_minor, credits)?
                {
                    uses.count(&rule_id, &deal.id, &case.invoice.id, base_minor);
                }
            }
            all.push(of_item);
        }
        Ok(all)
    }

    async fn load_deals(&mut self, tx: &DatabaseTransaction) -> Result<(), LoadError> {
        let deals: Vec<Text> = self.set.deals.iter().map(|deal| deal.id.clone()).collect();
        let (paid_at, id) = (self.invoice().paid_at, self.invoice().id.clone());
        for deal in deals {
            let query = "SELECT u.rule, u.invoice, u.base_minor, u.period, i.paid_at FROM spiff_uses u JOIN invoices i ON i.id = u.invoice \
                         WHERE u.program = ? AND u.deal = ? ORDER BY i.paid_at, u.invoice, u.item";
            for row in rows(tx, query, vec![(&*self.knowledge.program).into(), (&*deal).into()]).await? {
                let (other, period) = (row.text(1)?, row.period(3)?);
                let earlier_in_period = period == self.period && (row.instant(4)?, &other) < (paid_at, &id);
                if period < self.period || earlier_in_period {
                    self.uses.count(&row.text(0)?, &deal, &other, row.int(2)?);
                }
            }
            if let Some(first) = first_paid(tx, &deal, self.knowledge.cutoff).await? {
                self.first.insert(deal, first);
            }
        }
        Ok(())
    }
}

/// Whether any credit of the item posts a line by a spiff: what comes to zero uses nothing (domain.md §2.7).
fn any_pays(case: &ItemCase<'_>, rule: usize, base_minor: i64, credits: &[Credit]) -> Result<bool, FactError> {
    let rule = &case.version.rules[rule];
    for credit in credits {
        let partner = case.directory.partner(credit.partner);
        let extras = case.version.role(&credit.role).is_some_and(|role| role.extras);
        let facts = CreditFacts { case, partner: credit.partner, tier: partner.effective_tier(case.day(), case.version), role: &credit.role };
        if extras && partner.active(case.day()) && spiff::pays(rule, &facts)? && spiff_amount(case, rule, base_minor, credit.share)? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first day of referred revenue that a condition of the version may ask for on an item of a month.
fn looks_back_to(version: &Programme, month: Period) -> Option<program::calendar::Date> {
    let conditions =
        || version.rules.iter().filter_map(|rule| rule.when.as_ref()).chain(version.rates.iter().filter_map(|entry| entry.when.as_ref()));
    let names = |fact: &Fact| conditions().any(|when| when.names(fact));
    if names(&Fact::TrailingTwelveMonths) {
        Some(months_before(month.quarter().first_day(), 12))
    } else if names(&Fact::QuarterlyReferredRevenue) {
        Some(month.quarter().first_day())
    } else {
        names(&Fact::MonthlyReferredRevenue).then(|| month.first_day())
    }
}

/// Who won a ranking that pays on items of a quarter, as far as made by a period.
async fn ranks(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    quarter: Quarter,
    period: Period,
) -> Result<HashMap<PartnerNo, Vec<(Text, Rate)>>, LoadError> {
    let query = "SELECT r.ranking, r.period, r.rate, p.partner FROM rankings r JOIN ranking_places p ON p.program = r.program AND p.ranking = r.ranking \
                 AND p.quarter = r.quarter WHERE r.program = ? AND r.applies = 'next_quarter' AND p.winner = 1 AND r.period <= ? ORDER BY p.partner, r.ranking";
    let mut ranks: HashMap<PartnerNo, Vec<(Text, Rate)>> = HashMap::new();
    for row in rows(tx, query, vec![(&*knowledge.program).into(), period.to_string().into()]).await? {
        let partner = row.string(3)?;
        if row.period(1)?.quarter().next() == quarter
            && let Some(partner) = knowledge.directory.find(&partner)
        {
            ranks.entry(partner).or_default().push((row.text(0)?, row.rate(2)?));
        }
    }
    Ok(ranks)
}

/// The first paid invoice known with an item under a deal: the least (`paid_at`, id), history too.
async fn first_paid(tx: &DatabaseTransaction, deal: &str, cutoff: i64) -> Result<Option<FirstInvoice>, LoadError> {
    let known = "i.paid_at IS NOT NULL AND i.seq <= ? AND (i.filled <= ? OR NOT EXISTS (SELECT 1 FROM fills f WHERE f.kind = 'invoices' \
                 AND f.id = i.id AND f.field IN ('paid_at', 'deal') AND f.seq > ?))";
    let query = format!(
        "SELECT u.paid_at, u.invoice, u.item FROM ( \
           SELECT i.paid_at AS paid_at, i.id AS invoice, '' AS item FROM invoices i WHERE i.deal = ? AND {known} \
             AND NOT EXISTS (SELECT 1 FROM invoice_items t WHERE t.invoice = i.id AND t.seq <= ?) \
           UNION ALL SELECT i.paid_at, i.id, t.item FROM invoice_items t JOIN invoices i ON i.id = t.invoice WHERE t.deal = ? AND {known} AND t.seq <= ? \
           UNION ALL SELECT i.paid_at, i.id, t.item FROM invoice_items t JOIN invoices i ON i.id = t.invoice \
             WHERE t.deal IS NULL AND i.deal = ? AND {known} AND t.seq <= ?) u ORDER BY u.paid_at, u.invoice, u.item LIMIT 1"
    );
    let mut values: Vec<sea_orm::Value> = Vec::new();
    for _ in 0..3 {
        values.push(deal.into());
        values.extend(std::iter::repeat_n(sea_orm::Value::from(cutoff), 4));
    }
    let Some(row) = first_row(tx, &query, values).await? else { return Ok(None) };
    Ok(Some(FirstInvoice { paid_at: row.instant(0)?, invoice: row.text(1)?, item: row.text(2)? }))
}
