//! Makes payees' settlements final: sums, minimum, ledger postings, wallet, digest (architecture: pass c; domain.md §4.6–4.7, §7).

use std::collections::{BTreeMap, HashMap, HashSet};

use program::calendar::{Instant, Period};
use program::line::{Line, Source, Text};
use program::member::Status;
use program::money::Currency;
use program::settlement::{DigestWriter, Heading, Totals};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::bulk_insert::insert_rows;
use super::error::SettleError;
use super::lines;
use crate::audit::{self, Act};
use crate::ledger::{Posting, Transaction};
use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, execute, rows};
use crate::wallet::{self, Movement, WalletKey};

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

/// Those of some payees whose settlements of a period are final already.
///
/// # Errors
/// The database failed.
pub async fn finished(tx: &DatabaseTransaction, program: &str, period: Period, payees: &[Text]) -> Result<HashSet<Text>, LoadError> {
    let list = in_list(tx.get_database_backend());
    let query = format!("SELECT DISTINCT partner FROM settlements WHERE program = ? AND partner {list} AND period = ?");
    let mut finished = HashSet::new();
    for row in rows(tx, &query, vec![program.into(), json_list(payees), period.to_string().into()]).await? {
        finished.insert(row.text(0)?);
    }
    Ok(finished)
}

/// A settlement as it is summed up, line by line.
#[derive(Debug)]
struct Open {
    partner: Text,
    currency: Currency,
    digest: DigestWriter,
    totals: Totals,
    lines: i64,
    /// By component: its fund and its sum, minor units.
    components: BTreeMap<&'static str, (Option<&'static str>, i64)>,
    only_accruals: bool,
}

impl Open {
    fn new(partner: Text, currency: Currency) -> Self {
        let (digest, totals, components) = (DigestWriter::new(currency), Totals::default(), BTreeMap::new());
        Self { partner, currency, digest, totals, lines: 0, components, only_accruals: true }
    }

    fn count(&mut self, line: &Line) -> Result<(), SettleError> {
        self.digest.line(line)?;
        let too_large = || SettleError::SumTooLarge { partner: line.payee.to_string(), currency: line.currency };
        self.totals.count(line).map_err(|_| too_large())?;
        self.lines += 1;
        let sum = self.components.entry(line.component.name()).or_insert((line.fund(), 0));
        sum.1 = sum.1.checked_add(line.amount_minor).ok_or_else(too_large)?;
        self.only_accruals &= line.fund().is_none() || line.source == Source::Invoice;
        Ok(())
    }
}

/// Counts a line into the last settlement, or into a next one.
fn count_into(open: &mut Vec<Open>, line: &Line) -> Result<(), SettleError> {
    match open.last_mut() {
        Some(last) if last.partner == line.payee && last.currency == line.currency => last.count(line),
        _ => {
            let mut next = Open::new(line.payee.clone(), line.currency);
            next.count(line)?;
            open.push(next);
            Ok(())
        }
    }
}

/// The settlements of a period, summed up from the lines as they were rated: what is stored need not be read again.
#[derive(Debug, Default)]
pub struct SummedUp(HashMap<Text, Vec<Open>>);

impl SummedUp {
    /// Of all lines of a period, in any order.
    ///
    /// # Errors
    /// A sum does not fit.
    pub fn of(parts: &[Vec<Line>]) -> Result<Self, SettleError> {
        let mut lines: Vec<&Line> = parts.iter().flatten().collect();
        lines.sort_unstable_by(|a, b| (&a.payee, a.currency.code()).cmp(&(&b.payee, b.currency.code())).then_with(|| a.order(b)));
        let mut open = Vec::new();
        for line in lines {
            count_into(&mut open, line)?;
        }
        let mut summed = Self::default();
        for settlement in open {
            summed.0.entry(settlement.partner.clone()).or_default().push(settlement);
        }
        Ok(summed)
    }
}

/// The settlements of some payees; balances carried into the period make one without lines, too.
async fn sum_up(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    period: Period,
    payees: &[Text],
    summed: Option<&mut SummedUp>,
) -> Result<Vec<Open>, SettleError> {
    let mut opening = opening_balances(tx, &knowledge.program, period, payees).await?;
    let mut open: Vec<Open> = Vec::new();
    if let Some(summed) = summed {
        open.extend(payees.iter().filter_map(|payee| summed.0.remove(payee)).flatten());
    } else {
        let of_period = (&*knowledge.program, &*period.to_string());
        lines::each_of_payees(tx, of_period, payees, |line| count_into(&mut open, &line)).await?;
    }
    let terms = &knowledge.versions.on(period.last_day()).programme;
    for settlement in &mut open {
        let opening_minor = opening.remove(&(settlement.partner.clone(), settlement.currency)).unwrap_or(0);
        settlement.totals.opening_balance_minor = opening_minor;
    }
    for ((partner, currency), opening_minor) in opening {
        let mut settlement = Open::new(partner, currency);
        settlement.totals.opening_balance_minor = opening_minor;
        open.push(settlement);
    }
    for settlement in &mut open {
        let no = knowledge.directory.find(&settlement.partner);
        let terminated = no.is_some_and(|no| knowledge.directory.partner(no).status(period.last_day()) == Status::Terminated);
        let minimum_minor = terms.settlement.minimum_minor(terms.currency, settlement.currency);
        settlement.totals.close(settlement.totals.opening_balance_minor, minimum_minor, terminated)?;
    }
    Ok(open)
}

/// What the settlements of the period before carried forward, where it is not zero.
async fn opening_balances(
    tx: &DatabaseTransaction,
    program: &str,
    period: Period,
    payees: &[Text],
) -> Result<BTreeMap<(Text, Currency), i64>, LoadError> {
    let query = format!(
        "SELECT partner, currency, carried_forward_minor FROM settlements WHERE program = ? AND partner {} AND period = ? AND carried_forward_minor <> 0",
        in_list(tx.get_database_backend())
    );
    let mut opening = BTreeMap::new();
    for row in rows(tx, &query, vec![program.into(), json_list(payees), period.previous().to_string().into()]).await? {
        opening.insert((row.text(0)?, row.currency(1)?), row.int(2)?);
    }
    Ok(opening)
}

/// Makes the settlements of some payees final, but for those that are already: one row each with its digest, one ledger transaction each, and the wallet's movements.
///
/// `summed` spares reading the lines, if the same command rated them.
///
/// # Idempotency
/// (program, partner, period, currency): the database refuses a second one.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn finish(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    period: Period,
    payees: &[Text],
    summed: Option<&mut SummedUp>,
    now: Instant,
) -> Result<(), SettleError> {
    let program = &knowledge.program;
    let done = finished(tx, program, period, payees).await?;
    let payees: Vec<Text> = payees.iter().filter(|payee| !done.contains(*payee)).cloned().collect();
    let open = sum_up(tx, knowledge, period, &payees, summed).await?;
    let mut records: Vec<Vec<Value>> = Vec::with_capacity(open.len());
    let mut transactions = Vec::new();
    let mut movements = Vec::new();
    for settlement in open {
        transactions.extend(postings(program, period, &settlement));
        if settlement.components.values().any(|(fund, _)| fund.is_some()) {
            let key = WalletKey { program: program.clone(), partner: settlement.partner.clone(), currency: settlement.currency };
            movements.push(Movement { key, credit_minor: settlement.totals.coop_credit_minor, only_accruals: settlement.only_accruals });
        }
        records.push(record(program, period, settlement, now)?);
    }
    insert_rows(tx, "settlements", &COLUMNS, records).await?;
    // Wallets are locked before balances, as claims do it.
    wallet::accrue(tx, &movements, period).await?;
    Ok(crate::ledger::post(tx, &transactions, now).await?)
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

fn record(program: &str, period: Period, settlement: Open, now: Instant) -> Result<Vec<Value>, SettleError> {
    let Open { partner, currency, digest, totals, lines, .. } = settlement;
    let digest = digest.finish(&Heading { program, partner: &partner, period, currency }, &totals)?;
    Ok(vec![
        program.into(),
        (&*partner).into(),
        period.to_string().into(),
        currency.code().into(),
        "final".into(),
        digest.into(),
        lines.into(),
        totals.referred_revenue_minor.into(),
        totals.opening_balance_minor.into(),
        totals.cash_lines_minor.into(),
        totals.net_minor.into(),
        totals.cash_payout_minor.into(),
        totals.carried_forward_minor.into(),
        totals.coop_credit_minor.into(),
        now.0.into(),
    ])
}

/// One transaction with a pair of postings per component: expense to payable, or to the co-op wallet (domain.md §7).
fn postings(program: &Text, period: Period, settlement: &Open) -> Option<Transaction> {
    let Open { partner, currency, components, .. } = settlement;
    let mut postings = Vec::new();
    for (component, (fund, amount_minor)) in components.iter().filter(|(_, (_, amount_minor))| *amount_minor != 0) {
        let liability = format!("partner:{partner}:{program}:{}", fund.unwrap_or("payable"));
        postings.push(Posting { account: format!("expense:{program}:{component}"), currency: *currency, amount_minor: *amount_minor });
        postings.push(Posting { account: liability, currency: *currency, amount_minor: -amount_minor });
    }
    (!postings.is_empty()).then(|| Transaction {
        id: format!("settlement/{program}/{period}/{partner}/{currency}"),
        program: program.clone(),
        kind: "settlement",
        dated_on: period.last_day(),
        description: format!("settlement {period} of {partner} in {program}"),
        postings,
    })
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
    tell(tx, &knowledge.program, period, now).await
}

/// Writes into the audit log how many settlements the period has, by currency; their sums are theirs to tell, by their digests.
async fn tell(tx: &DatabaseTransaction, program: &str, period: Period, now: Instant) -> Result<(), SettleError> {
    let query = "SELECT currency, COUNT(*) FROM settlements WHERE program = ? AND period = ? GROUP BY currency ORDER BY currency";
    let mut counts = serde_json::Map::new();
    for row in rows(tx, query, vec![program.into(), period.to_string().into()]).await? {
        counts.insert(row.string(0)?, row.int(1)?.into());
    }
    let (subject, detail) = (format!("period/{program}/{period}"), serde_json::json!({ "settlements": counts }));
    Ok(audit::write(tx, &Act { by: None, act: "period.final", subject: &subject, detail }, now).await?)
}
