//! The bases that spiffs have on the items of a period, in order of payment (domain.md §3.5).

use std::collections::{BTreeSet, HashMap};

use program::commission::spiff_amount;
use program::fx::Fx;
use program::line::Text;
use program::programme::{Pays, Reward, RuleKind};
use program::rating::{CreditFacts, ItemCase, ReferredRevenue};
use program::spiff::{self, DealUses, FirstInvoice, Grant};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::workset::Workset;
use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, rows};

/// What a spiff uses of a deal by an item of this period.
#[derive(Debug, Clone)]
pub struct Use {
    /// The rule.
    pub rule: Text,
    /// The deal.
    pub deal: Text,
    /// The invoice.
    pub invoice: Text,
    /// The item, "" for the unnamed one.
    pub item: Text,
    /// The base used, minor units.
    pub base_minor: i64,
}

/// Grants by job and item, and what they use.
#[derive(Debug, Default)]
pub struct Grants {
    by_item: HashMap<(usize, usize), Vec<Grant>>,
    /// What is used of deals.
    pub uses: Vec<Use>,
}

impl Grants {
    /// The grants of an item of a job.
    #[must_use]
    pub fn of(&self, job: usize, item: usize) -> &[Grant] {
        self.by_item.get(&(job, item)).map_or(&[], Vec::as_slice)
    }
}

/// What rules posted for deals so far, and the deals' first paid invoices.
#[derive(Debug, Default)]
pub struct DealHistory {
    uses: DealUses,
    first: HashMap<Text, FirstInvoice>,
}

impl DealHistory {
    /// Loads it for the deals of a period's new items, but for what the period itself or a later one posted.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load(tx: &DatabaseTransaction, knowledge: &Knowledge, deals: &[Text], before: program::calendar::Period) -> Result<Self, LoadError> {
        let mut history = Self::default();
        if deals.is_empty() {
            return Ok(history);
        }
        let list = in_list(tx.get_database_backend());
        let query = format!(
            "SELECT rule, deal, MAX(invoice), CAST(SUM(base_minor) AS BIGINT) FROM spiff_uses WHERE program = ? AND deal {list} AND period < ? \
             GROUP BY deal, rule"
        );
        for row in rows(tx, &query, vec![(&*knowledge.program).into(), json_list(deals), before.to_string().into()]).await? {
            history.uses.count(&row.text(0)?, &row.text(1)?, &row.text(2)?, row.int(3)?);
        }
        let rules = knowledge.versions.iter().flat_map(|version| &version.programme.rules);
        let by_first = rules
            .into_iter()
            .any(|rule| matches!(rule.kind, RuleKind::Spiff { pays: Pays::FirstInvoice, .. } | RuleKind::Spiff { reward: Reward::Amount(_), .. }));
        if by_first {
            history.load_first(tx, knowledge, deals, list).await?;
        }
        Ok(history)
    }

    async fn load_first(&mut self, tx: &DatabaseTransaction, knowledge: &Knowledge, deals: &[Text], list: &str) -> Result<(), LoadError> {
        let known = "i.paid_at IS NOT NULL AND i.seq <= ? AND (i.filled <= ? OR NOT EXISTS (SELECT 1 FROM fills f WHERE f.kind = 'invoices' \
                     AND f.id = i.id AND f.field IN ('paid_at', 'deal') AND f.seq > ?))";
        let query = format!(
            "SELECT deal, invoice, item, paid_at FROM (SELECT u.deal, u.invoice, u.item, u.paid_at, \
               ROW_NUMBER() OVER (PARTITION BY u.deal ORDER BY u.paid_at, u.invoice, u.item) AS place FROM ( \
                 SELECT i.deal AS deal, i.id AS invoice, '' AS item, i.paid_at AS paid_at FROM invoices i WHERE i.deal {list} AND {known} \
                   AND NOT EXISTS (SELECT 1 FROM invoice_items t WHERE t.invoice = i.id AND t.seq <= ?) \
                 UNION ALL SELECT t.deal, i.id, t.item, i.paid_at FROM invoice_items t JOIN invoices i ON i.id = t.invoice \
                   WHERE t.deal {list} AND {known} AND t.seq <= ? \
                 UNION ALL SELECT i.deal, i.id, t.item, i.paid_at FROM invoice_items t JOIN invoices i ON i.id = t.invoice \
                   WHERE t.deal IS NULL AND i.deal {list} AND {known} AND t.seq <= ?) u) w WHERE place = 1"
        );
        let mut values: Vec<Value> = Vec::new();
        for _ in 0..3 {
            values.push(json_list(deals));
            values.extend(std::iter::repeat_n(Value::from(knowledge.cutoff), 4));
        }
        for row in rows(tx, &query, values).await? {
            self.first.insert(row.text(0)?, FirstInvoice { paid_at: row.instant(3)?, invoice: row.text(1)?, item: row.text(2)? });
        }
        Ok(())
    }
}

/// The deals that new items of a period are under.
#[must_use]
pub fn deals_of(work: &Workset) -> Vec<Text> {
    let mut deals: BTreeSet<Text> = BTreeSet::new();
    for job in work.jobs.iter().filter(|job| job.credits.is_some()) {
        let set = &work.sets[job.set];
        deals.extend(set.invoices[job.place].items.iter().filter_map(|item| set.deal(item)).map(|deal| deal.id.clone()));
    }
    deals.into_iter().collect()
}

/// Gives each new item its bases, in order of (`paid_at`, invoice, item); what is posted keeps its share.
pub fn allocate(
    knowledge: &Knowledge,
    fx: &Fx,
    revenue: &dyn ReferredRevenue,
    work: &Workset,
    history: &mut DealHistory,
    wrong: &mut Vec<String>,
) -> Grants {
    let mut grants = Grants::default();
    for (number, job) in work.jobs.iter().enumerate() {
        let Some(credits) = &job.credits else { continue };
        let set = &work.sets[job.set];
        let invoice = &set.invoices[job.place];
        let version = knowledge.versions.on(invoice.paid_on);
        for (rule_place, rule) in version.programme.rules.iter().enumerate() {
            if !matches!(rule.kind, RuleKind::Spiff { .. }) {
                continue;
            }
            let rule_id: Text = rule.id.as_str().into();
            for (item_place, item) in invoice.items.iter().enumerate() {
                let case = ItemCase {
                    version: &version.programme,
                    version_number: version.number,
                    fx,
                    directory: &knowledge.directory,
                    revenue,
                    invoice,
                    item,
                    deal: set.deal(item),
                };
                let first = case.deal.and_then(|deal| history.first.get(&deal.id));
                let Some(base_minor) = spiff::base_minor(rule, &case, first, &history.uses, &rule_id) else { continue };
                grants.by_item.entry((number, item_place)).or_default().push(Grant { rule: rule_place, base_minor });
                let Some(deal) = case.deal else { continue };
                match uses_it(&case, rule_place, base_minor, &credits[item_place]) {
                    Ok(true) => {
                        history.uses.count(&rule_id, &deal.id, &invoice.id, base_minor);
                        let item = item.key().into();
                        grants.uses.push(Use { rule: rule_id.clone(), deal: deal.id.clone(), invoice: invoice.id.clone(), item, base_minor });
                    }
                    Ok(false) => {}
                    Err(reason) => wrong.push(format!("invoice {}: {reason}", invoice.id)),
                }
            }
        }
    }
    grants
}

/// Whether any credit of the item posts a line by the rule: what comes to zero uses nothing (domain.md §2.7).
fn uses_it(case: &ItemCase<'_>, rule: usize, base_minor: i64, credits: &[program::credit::Credit]) -> Result<bool, program::condition::FactError> {
    let rule = &case.version.rules[rule];
    for credit in credits {
        let partner = case.directory.partner(credit.partner);
        let extras = case.version.role(&credit.role).is_some_and(|role| role.extras);
        if !extras || !partner.active(case.day()) {
            continue;
        }
        let facts = CreditFacts { case, partner: credit.partner, tier: partner.effective_tier(case.day(), case.version), role: &credit.role };
        if spiff::pays(rule, &facts)? && spiff_amount(case, rule, base_minor, credit.share)? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
