//! What the year came to, read from the books.

use std::collections::BTreeMap;

use books::connection::Books;
use books::load::Knowledge;
use books::load::row::{LoadError, first_row, rows};
use books::statements;
use program::calendar::{Date, Period};
use program::money::Currency;
use program::programme::Programme;
use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};

use super::year::Year;

/// Partners that are named.
const TOP_MAX: usize = 8;

/// What the year came to.
#[derive(Debug)]
pub(crate) struct Figures {
    /// The programme's id.
    pub(crate) program: String,
    /// The programme's currency.
    pub(crate) currency: Currency,
    /// Month by month.
    pub(crate) months: Vec<Month>,
    /// By component.
    pub(crate) components: Vec<Part>,
    /// By tier, the highest first.
    pub(crate) tiers: Vec<Tier>,
    /// Who got most, in the programme's currency.
    pub(crate) top: Vec<Earner>,
    /// Who won the stack ranks: quarter and partner.
    pub(crate) winners: Vec<(String, String)>,
    /// What is in the co-op wallets, by currency.
    pub(crate) coop_minor: Vec<(Currency, i64)>,
    /// Things to look at.
    pub(crate) examples: Examples,
}

/// A month.
#[derive(Debug)]
pub(crate) struct Month {
    /// The month.
    pub(crate) period: Period,
    /// How many settlements it has.
    pub(crate) settlements: usize,
    /// What they pay out.
    pub(crate) paid_minor: BTreeMap<Currency, i64>,
}

/// What one component adds up to in one currency.
#[derive(Debug)]
pub(crate) struct Part {
    /// The component.
    pub(crate) component: String,
    /// The currency.
    pub(crate) currency: Currency,
    /// The fund, if it is no cash.
    pub(crate) fund: Option<String>,
    /// How many lines it has.
    pub(crate) lines: i64,
    /// Their sum.
    pub(crate) amount_minor: i64,
}

/// A tier.
#[derive(Debug)]
pub(crate) struct Tier {
    /// Its name.
    pub(crate) name: String,
    /// Active members on the first day.
    pub(crate) before: usize,
    /// Active members on the day after the last.
    pub(crate) after: usize,
    /// Cash lines of its members while they were in it, in the programme's currency.
    pub(crate) amount_minor: i64,
}

/// A partner that got much.
#[derive(Debug)]
pub(crate) struct Earner {
    /// Its id.
    pub(crate) partner: String,
    /// Its name.
    pub(crate) name: String,
    /// What it was paid.
    pub(crate) paid_minor: i64,
}

/// Things to look at in what was settled; `None` where the data has none.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    /// A partner with a settlement of many kinds of lines in the last month.
    pub(crate) partner: Option<String>,
    /// The invoice of the most kinds of lines.
    pub(crate) invoice: Option<String>,
    /// An invoice of which something came back.
    pub(crate) refunded: Option<String>,
}

/// Reads the figures of a year from one snapshot.
pub(crate) async fn gather(books: &Books, programme: &Programme, year: Year) -> Result<Figures, LoadError> {
    let tx = books.begin_read().await?;
    let last = Period::of(year.last_day());
    let figures = Figures {
        program: programme.id.clone(),
        currency: programme.currency,
        months: months(&tx, programme, year).await?,
        components: components(&tx, &programme.id).await?,
        tiers: tiers(&tx, programme, year.begins(), last.next().first_day()).await?,
        top: top(&tx, programme).await?,
        winners: winners(&tx, &programme.id).await?,
        coop_minor: coop(&tx, &programme.id).await?,
        examples: examples(&tx, &programme.id, last).await?,
    };
    tx.rollback().await?;
    Ok(figures)
}

async fn months(tx: &DatabaseTransaction, programme: &Programme, year: Year) -> Result<Vec<Month>, LoadError> {
    let mut months: Vec<Month> = year.months().map(|period| Month { period, settlements: 0, paid_minor: BTreeMap::new() }).collect();
    for stored in statements::list(tx, Some(&programme.id), None, None).await? {
        let settlement = stored.settlement;
        if let Some(month) = months.iter_mut().find(|month| month.period == settlement.period) {
            month.settlements += 1;
            *month.paid_minor.entry(settlement.currency).or_default() += settlement.totals.cash_payout_minor;
        }
    }
    Ok(months)
}

async fn components(tx: &DatabaseTransaction, program: &str) -> Result<Vec<Part>, LoadError> {
    let query = "SELECT component, currency, fund, COUNT(*), CAST(SUM(amount_minor) AS BIGINT) FROM commission_lines WHERE program = ? \
                 GROUP BY component, currency, fund ORDER BY currency, 5 DESC, component";
    let mut parts = Vec::new();
    for row in rows(tx, query, vec![program.into()]).await? {
        let (component, currency, fund) = (row.string(0)?, row.currency(1)?, row.string_or_null(2)?);
        parts.push(Part { component, currency, fund, lines: row.int(3)?, amount_minor: row.int(4)? });
    }
    Ok(parts)
}

async fn tiers(tx: &DatabaseTransaction, programme: &Programme, first: Date, after: Date) -> Result<Vec<Tier>, LoadError> {
    let mut tiers: Vec<Tier> = programme.tiers.iter().map(|tier| Tier { name: tier.name.clone(), before: 0, after: 0, amount_minor: 0 }).collect();
    let rank_of = |id: &str| programme.tiers.iter().position(|tier| tier.id == id);
    let knowledge = Knowledge::load(tx, &programme.id, i64::MAX).await?;
    for (_, partner) in knowledge.directory.iter() {
        let held_on = |day: Date| partner.earned_tier(day).filter(|_| partner.active(day)).and_then(|id| rank_of(id));
        if let Some(rank) = held_on(first) {
            tiers[rank].before += 1;
        }
        if let Some(rank) = held_on(after) {
            tiers[rank].after += 1;
        }
    }
    let query = "SELECT tier, CAST(SUM(amount_minor) AS BIGINT) FROM commission_lines WHERE program = ? AND currency = ? AND fund IS NULL AND tier IS NOT NULL GROUP BY tier";
    for row in rows(tx, query, vec![programme.id.as_str().into(), programme.currency.code().into()]).await? {
        if let Some(rank) = rank_of(&row.string(0)?) {
            tiers[rank].amount_minor = row.int(1)?;
        }
    }
    tiers.reverse();
    Ok(tiers)
}

async fn top(tx: &DatabaseTransaction, programme: &Programme) -> Result<Vec<Earner>, LoadError> {
    let query = "SELECT s.partner, p.name, CAST(SUM(s.cash_payout_minor) AS BIGINT) FROM settlements s JOIN partners p ON p.id = s.partner \
                 WHERE s.program = ? AND s.currency = ? GROUP BY s.partner, p.name ORDER BY 3 DESC, 1 LIMIT ?";
    let most = i64::try_from(TOP_MAX).unwrap_or(i64::MAX);
    let mut top = Vec::new();
    for row in rows(tx, query, vec![programme.id.as_str().into(), programme.currency.code().into(), most.into()]).await? {
        top.push(Earner { partner: row.string(0)?, name: row.string(1)?, paid_minor: row.int(2)? });
    }
    Ok(top)
}

async fn winners(tx: &DatabaseTransaction, program: &str) -> Result<Vec<(String, String)>, LoadError> {
    let query = "SELECT quarter, partner FROM ranking_places WHERE program = ? AND winner = 1 ORDER BY quarter, place, partner";
    let mut winners = Vec::new();
    for row in rows(tx, query, vec![program.into()]).await? {
        winners.push((row.string(0)?, row.string(1)?));
    }
    Ok(winners)
}

async fn coop(tx: &DatabaseTransaction, program: &str) -> Result<Vec<(Currency, i64)>, LoadError> {
    let query = "SELECT currency, CAST(SUM(balance_minor) AS BIGINT) FROM wallets WHERE program = ? GROUP BY currency ORDER BY currency";
    let mut balances = Vec::new();
    for row in rows(tx, query, vec![program.into()]).await? {
        balances.push((row.currency(0)?, row.int(1)?));
    }
    Ok(balances)
}

async fn examples(tx: &DatabaseTransaction, program: &str, last: Period) -> Result<Examples, LoadError> {
    let period = || last.to_string();
    let text = |row: Option<books::load::row::Row>| row.map(|row| row.string(0)).transpose();
    let partner = "SELECT payee FROM commission_lines WHERE program = ? AND period = ? \
                   GROUP BY payee ORDER BY COUNT(DISTINCT component) DESC, COUNT(DISTINCT source) DESC, COUNT(*), payee LIMIT 1";
    let invoice = "SELECT invoice FROM commission_lines WHERE program = ? AND period = ? AND invoice <> '' \
                   GROUP BY invoice ORDER BY COUNT(DISTINCT component) DESC, COUNT(DISTINCT payee) DESC, invoice LIMIT 1";
    let refunded = "SELECT invoice FROM commission_lines WHERE program = ? AND source = 'refund' \
                    GROUP BY invoice ORDER BY COUNT(DISTINCT source_id) DESC, COUNT(DISTINCT payee) DESC, invoice LIMIT 1";
    Ok(Examples {
        partner: text(first_row(tx, partner, vec![program.into(), period().into()]).await?)?,
        invoice: text(first_row(tx, invoice, vec![program.into(), period().into()]).await?)?,
        refunded: text(first_row(tx, refunded, vec![program.into()]).await?)?,
    })
}

impl Figures {
    /// What was paid out in the year in other currencies than the programme's.
    pub(crate) fn paid_otherwise(&self) -> BTreeMap<Currency, i64> {
        let mut sums = BTreeMap::new();
        for (currency, paid_minor) in self.months.iter().flat_map(|month| &month.paid_minor).filter(|(currency, _)| **currency != self.currency) {
            *sums.entry(*currency).or_default() += paid_minor;
        }
        sums
    }

    /// Everything as a document.
    pub(crate) fn json(&self) -> Value {
        let text = |minor: i64| self.currency.format_minor(minor);
        let month = |month: &Month| {
            let paid: BTreeMap<String, String> =
                month.paid_minor.iter().map(|(currency, minor)| (currency.to_string(), currency.format_minor(*minor))).collect();
            json!({ "period": month.period.to_string(), "settlements": month.settlements, "paid": paid })
        };
        let part = |part: &Part| {
            let Part { component, currency, fund, lines, amount_minor } = part;
            json!({ "component": component, "currency": currency.code(), "fund": fund, "lines": lines, "amount": currency.format_minor(*amount_minor) })
        };
        let tier =
            |tier: &Tier| json!({ "tier": tier.name, "members_before": tier.before, "members_after": tier.after, "earned": text(tier.amount_minor) });
        let earner = |earner: &Earner| json!({ "partner": earner.partner, "name": earner.name, "paid": text(earner.paid_minor) });
        json!({
            "program": self.program,
            "currency": self.currency.code(),
            "months": self.months.iter().map(month).collect::<Vec<_>>(),
            "components": self.components.iter().map(part).collect::<Vec<_>>(),
            "tiers": self.tiers.iter().map(tier).collect::<Vec<_>>(),
            "top": self.top.iter().map(earner).collect::<Vec<_>>(),
            "rank_winners": self.winners.iter().map(|(quarter, partner)| json!({ "quarter": quarter, "partner": partner })).collect::<Vec<_>>(),
        })
    }
}
