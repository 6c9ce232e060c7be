//! Makes payees' settlements final: sums, minimum, ledger postings, wallet, digest (architecture: pass c; domain.md §4.6–4.7, §7).

use std::collections::BTreeMap;

use program::calendar::{Instant, Period};
use program::line::{Line, Text};
use program::member::Status;
use program::money::Currency;
use program::settlement::{Settlement, Totals};
use sea_orm::{DatabaseTransaction, Value};

use super::error::SettleError;
use super::lines;
use crate::ledger::{Posting, Transaction};
use crate::load::Knowledge;
use crate::load::row::{LoadError, execute, rows};
use crate::wallet;

/// Who has a settlement in a period: every payee of a line, and every member with a balance carried into it.
///
/// # Errors
/// The database failed.
pub async fn payees(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Vec<Text>, LoadError> {
    let query = "SELECT DISTINCT payee FROM commission_lines WHERE program = ? AND period = ? \
                 UNION SELECT partner FROM settlements WHERE program = ? AND period = ? AND carried_forward_minor <> 0 ORDER BY 1";
    let values = vec![program.into(), period.to_string().into(), program.into(), period.previous().to_string().into()];
    let mut payees = Vec::new();
    for row in rows(tx, query, values).await? {
        payees.push(row.text(0)?);
    }
    Ok(payees)
}

/// The payees of a period whose settlements are final already.
///
/// # Errors
/// The database failed.
pub async fn finished(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<std::collections::HashSet<Text>, LoadError> {
    let query = "SELECT DISTINCT partner FROM settlements WHERE program = ? AND period = ?";
    let mut finished = std::collections::HashSet::new();
    for row in rows(tx, query, vec![program.into(), period.to_string().into()]).await? {
        finished.insert(row.text(0)?);
    }
    Ok(finished)
}

/// Computes the settlements of some payees from their stored lines and the balances carried into the period.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn compute(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period, payees: &[Text]) -> Result<Vec<Settlement>, SettleError> {
    let program = &knowledge.program;
    let mut groups: BTreeMap<(Text, Currency), Vec<Line>> = BTreeMap::new();
    for line in lines::of_payees(tx, program, &period.to_string(), payees).await? {
        groups.entry((line.payee.clone(), line.currency)).or_default().push(line);
    }
    let opening = opening_balances(tx, program, period, payees).await?;
    for key in opening.keys() {
        groups.entry(key.clone()).or_default();
    }
    let terms = &knowledge.versions.on(period.last_day()).programme;
    let mut settlements = Vec::with_capacity(groups.len());
    for ((partner, currency), mut lines) in groups {
        lines.sort_by(Line::order);
        let mut totals = Totals::default();
        for line in &lines {
            totals.count(line)?;
        }
        let terminated = knowledge.directory.find(&partner).is_some_and(|no| knowledge.directory.partner(no).status(period.last_day()) == Status::Terminated);
        let minimum_minor = terms.settlement.minimum_minor(terms.currency, currency);
        let opening_minor = opening.get(&(partner.clone(), currency)).copied().unwrap_or(0);
        totals.close(opening_minor, minimum_minor, terminated)?;
        settlements.push(Settlement { program: program.clone(), partner, period, currency, lines, totals });
    }
    Ok(settlements)
}

/// What the settlements of the period before carried forward, where it is not zero.
async fn opening_balances(tx: &DatabaseTransaction, program: &str, period: Period, payees: &[Text]) -> Result<BTreeMap<(Text, Currency), i64>, LoadError> {
    let wanted: std::collections::HashSet<&Text> = payees.iter().collect();
    let query = "SELECT partner, currency, carried_forward_minor FROM settlements WHERE program = ? AND period = ? AND carried_forward_minor <> 0";
    let mut opening = BTreeMap::new();
    for row in rows(tx, query, vec![program.into(), period.previous().to_string().into()]).await? {
        let partner = row.text(0)?;
        if wanted.contains(&partner) {
            opening.insert((partner, row.currency(1)?), row.int(2)?);
        }
    }
    Ok(opening)
}

/// Makes the settlements of some payees final: one row each with its digest, one ledger transaction each, and the wallet's movements.
///
/// # Idempotency
/// (program, partner, period, currency): the database refuses a second one.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn finish(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period, payees: &[Text], now: Instant) -> Result<Vec<Settlement>, SettleError> {
    let settlements = compute(tx, knowledge, period, payees).await?;
    let mut records: Vec<Vec<Value>> = Vec::with_capacity(settlements.len());
    let mut transactions = Vec::new();
    for settlement in &settlements {
        records.push(record(settlement, &settlement.digest()?, now));
        transactions.extend(postings(settlement)?);
    }
    lines::insert_rows(tx, "settlements", &COLUMNS, records).await?;
    crate::ledger::post(tx, &transactions, now).await?;
    for settlement in &settlements {
        wallet::accrue(tx, settlement).await?;
    }
    Ok(settlements)
}

const COLUMNS: [&str; 15] = [
    "program",
    "partner",
    "period",
    "currency",
    "status",
    "digest",
    "lines",
    "referred_revenue_minor",
    "opening_balance_minor",
    "cash_lines_minor",
    "net_minor",
    "cash_payout_minor",
    "carried_forward_minor",
    "coop_credit_minor",
    "final_at",
];

fn record(settlement: &Settlement, digest: &str, now: Instant) -> Vec<Value> {
    let totals = &settlement.totals;
    vec![
        (&*settlement.program).into(),
        (&*settlement.partner).into(),
        settlement.period.to_string().into(),
        settlement.currency.code().into(),
        "final".into(),
        digest.into(),
        i64::try_from(settlement.lines.len()).unwrap_or(i64::MAX).into(),
        totals.referred_revenue_minor.into(),
        totals.opening_balance_minor.into(),
        totals.cash_lines_minor.into(),
        totals.net_minor.into(),
        totals.cash_payout_minor.into(),
        totals.carried_forward_minor.into(),
        totals.coop_credit_minor.into(),
        now.0.into(),
    ]
}

/// One transaction with a pair of postings per component: expense to payable, or to the co-op wallet (domain.md §7).
fn postings(settlement: &Settlement) -> Result<Option<Transaction>, SettleError> {
    let Settlement { program, partner, period, currency, .. } = settlement;
    let mut sums: BTreeMap<&str, (Option<&str>, i64)> = BTreeMap::new();
    for line in &settlement.lines {
        let sum = sums.entry(line.component.name()).or_insert((line.fund(), 0));
        sum.1 = sum.1.checked_add(line.amount_minor).ok_or(program::exact::Overflow)?;
    }
    let mut postings = Vec::new();
    for (component, (fund, amount_minor)) in sums {
        if amount_minor == 0 {
            continue;
        }
        let liability = format!("partner:{partner}:{program}:{}", fund.unwrap_or("payable"));
        postings.push(Posting { account: format!("expense:{program}:{component}"), currency: *currency, amount_minor });
        postings.push(Posting { account: liability, currency: *currency, amount_minor: -amount_minor });
    }
    if postings.is_empty() {
        return Ok(None);
    }
    Ok(Some(Transaction {
        id: format!("settlement/{program}/{partner}/{period}/{currency}"),
        program: program.clone(),
        kind: "settlement",
        dated_on: period.last_day(),
        description: format!("settlement {period} of {partner} in {program}"),
        postings,
    }))
}

/// Marks the period final after all its payees are, and posts the expiry of lots that ended in it.
///
/// # Errors
/// The database failed.
pub async fn close(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period, now: Instant) -> Result<(), SettleError> {
    wallet::expire(tx, knowledge, period, now).await?;
    super::freeze::reach(tx, &knowledge.program, period, super::freeze::Stage::Final, now).await?;
    let raise = "UPDATE programs SET revision = revision + 1 WHERE id = ?";
    execute(tx, raise, vec![(&*knowledge.program).into()]).await?;
    Ok(())
}
