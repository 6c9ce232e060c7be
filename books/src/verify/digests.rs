//! Settlements one by one: the digest, the totals and the ledger's transaction, from the lines (invariants 10 and 12).

use std::collections::{BTreeMap, HashMap};

use program::calendar::Period;
use program::money::Currency;

use super::canonical::{Json, SettlementHash};
use super::figures::{decimal, micro_of, micro_text};
use super::finding::Invariant::{FinalUnchanged, TotalsEqualLines};
use super::known::terms::Terms;
use super::scan::Scan;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, Row, each_row, rows};

/// Settlements that are looked at together.
const AT_ONCE: i64 = 300;

const DRAFTS: &str = "SELECT program, partner, period, currency FROM settlements WHERE status = 'draft' ORDER BY 1, 3, 2, 4";
const TRANSACTION_OF_NONE: &str = "SELECT id FROM transactions WHERE kind = 'settlement' \
     EXCEPT SELECT 'settlement/' || program || '/' || period || '/' || partner || '/' || currency FROM settlements ORDER BY 1";

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    let settlement = ["program", "partner", "period", "currency"];
    scan.offending(FinalUnchanged, DRAFTS, &settlement, "a settlement that was final is a draft").await?;
    scan.offending(TotalsEqualLines, TRANSACTION_OF_NONE, &["transaction"], "a transaction of a settlement that is not there").await?;
    for program in scan.programs() {
        let checked = of_program(scan, &program).await;
        scan.tolerate(FinalUnchanged, checked)?;
    }
    Ok(())
}

async fn of_program(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let terms = Terms::load(scan.tx, program).await?;
    for row in rows(scan.tx, "SELECT DISTINCT period FROM settlements WHERE program = ? ORDER BY 1", vec![program.into()]).await? {
        check_period(scan, &terms, row.period(0)?).await?;
    }
    Ok(())
}

/// A settlement as stored.
struct Head {
    partner: String,
    currency: Currency,
    digest: String,
    lines: i64,
    referred_revenue_minor: i64,
    opening_balance_minor: i64,
    cash_lines_minor: i64,
    net_minor: i64,
    cash_payout_minor: i64,
    carried_forward_minor: i64,
    coop_credit_minor: i64,
}

impl Head {
    fn read(row: &Row) -> Result<Self, LoadError> {
        Ok(Self {
            partner: row.string(0)?,
            currency: row.currency(1)?,
            digest: row.string(2)?,
            lines: row.int(3)?,
            referred_revenue_minor: row.int(4)?,
            opening_balance_minor: row.int(5)?,
            cash_lines_minor: row.int(6)?,
            net_minor: row.int(7)?,
            cash_payout_minor: row.int(8)?,
            carried_forward_minor: row.int(9)?,
            coop_credit_minor: row.int(10)?,
        })
    }

    fn key(&self) -> (String, String) {
        (self.partner.clone(), self.currency.code().to_owned())
    }

    fn totals(&self) -> Json {
        let fields = [
            ("carried_forward", self.carried_forward_minor),
            ("cash_lines", self.cash_lines_minor),
            ("cash_payout", self.cash_payout_minor),
            ("coop_credit", self.coop_credit_minor),
            ("net", self.net_minor),
            ("opening_balance", self.opening_balance_minor),
            ("referred_revenue", self.referred_revenue_minor),
        ];
        Json::Object(fields.into_iter().map(|(name, minor)| (name, amount(minor, self.currency))).collect())
    }
}

/// What the lines of a settlement come to.
struct Tally {
    hash: SettlementHash,
    currency: Currency,
    lines: i64,
    referred_minor: i64,
    cash_minor: i64,
    coop_minor: i64,
    components: BTreeMap<String, i64>,
}

async fn check_period(scan: &mut Scan<'_>, terms: &Terms, period: Period) -> Result<(), LoadError> {
    let query = format!(
        "SELECT partner, currency, digest, lines, referred_revenue_minor, opening_balance_minor, cash_lines_minor, net_minor, cash_payout_minor, \
         carried_forward_minor, coop_credit_minor FROM settlements WHERE program = ? AND period = ? AND (partner, currency) > (?, ?) \
         ORDER BY partner, currency LIMIT {AT_ONCE}"
    );
    let (mut partner, mut currency) = (String::new(), String::new());
    loop {
        let values = vec![terms.program.as_str().into(), period.to_string().into(), partner.as_str().into(), currency.as_str().into()];
        let heads = rows(scan.tx, &query, values).await?.iter().map(Head::read).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = heads.last() else { return Ok(()) };
        (partner, currency) = last.key();
        check_page(scan, terms, period, &heads).await?;
    }
}

async fn check_page(scan: &mut Scan<'_>, terms: &Terms, period: Period, heads: &[Head]) -> Result<(), LoadError> {
    let mut tallies = tally(scan, terms, period, heads).await?;
    let terminated = terminated(scan, terms, period, heads).await?;
    let mut posted = postings(scan, terms, period, heads).await?;
    for head in heads {
        let (shown, code) = (period.to_string(), head.currency.code().to_owned());
        let keys = [("program", terms.program.as_str()), ("partner", &head.partner), ("period", &shown), ("currency", &code)];
        let Some(tally) = tallies.remove(&head.key()) else { continue };
        for what in other_totals(head, &tally, terms, period, terminated.contains(&head.partner)) {
            scan.add(TotalsEqualLines, &keys, what);
        }
        let accounts = accounts(&terms.program, &head.partner, &tally);
        if accounts != posted.remove(&transaction_of(&terms.program, &shown, head)).unwrap_or_default() {
            scan.add(TotalsEqualLines, &keys, "the ledger's transaction is not what the lines come to");
        }
        if tally.hash.end(&head.partner, &shown, &terms.program, &head.totals()) != head.digest {
            scan.add(FinalUnchanged, &keys, format!("the digest does not recompute: {} is stored", head.digest));
        }
    }
    Ok(())
}

fn transaction_of(program: &str, period: &str, head: &Head) -> String {
    format!("settlement/{program}/{period}/{}/{}", head.partner, head.currency)
}

/// What a total of the settlement is instead of what its lines ask for (domain.md §4.6).
fn other_totals(head: &Head, tally: &Tally, terms: &Terms, period: Period, is_terminated: bool) -> Vec<String> {
    let says = &terms.on(period.last_day(), terms.cutoff(&period.to_string())).says;
    let own = says.settlement.minimum_payout_in.get(&head.currency).copied();
    let minimum_minor = own.unwrap_or(if head.currency == says.currency { says.settlement.minimum_payout_minor } else { 0 });
    let net_minor = head.opening_balance_minor + tally.cash_minor;
    let is_paid = net_minor > 0 && (is_terminated || net_minor >= minimum_minor);
    let (payout_minor, carried_minor) = if is_paid { (net_minor, 0) } else { (0, net_minor) };
    let compared = [
        ("number of lines", head.lines, tally.lines),
        ("referred revenue", head.referred_revenue_minor, tally.referred_minor),
        ("sum of cash lines", head.cash_lines_minor, tally.cash_minor),
        ("co-op credit", head.coop_credit_minor, tally.coop_minor),
        ("net", head.net_minor, net_minor),
        ("payout", head.cash_payout_minor, payout_minor),
        ("balance carried forward", head.carried_forward_minor, carried_minor),
    ];
    let other = compared.into_iter().filter(|(_, stored, asked)| stored != asked);
    other.map(|(name, stored, asked)| format!("the {name} is {stored}, its lines come to {asked}")).collect()
}

/// Reads the lines of a page of settlements in the order of interface.md §3 and sums them up as they come.
async fn tally(scan: &Scan<'_>, terms: &Terms, period: Period, heads: &[Head]) -> Result<HashMap<(String, String), Tally>, LoadError> {
    let mut tallies: HashMap<(String, String), Tally> = HashMap::new();
    for head in heads {
        let (hash, currency) = (SettlementHash::begin(head.currency.code()), head.currency);
        let empty = Tally { hash, currency, lines: 0, referred_minor: 0, cash_minor: 0, coop_minor: 0, components: BTreeMap::new() };
        tallies.insert(head.key(), empty);
    }
    let query = format!(
        "SELECT payee, currency, source, source_id, invoice, item, role, component, rule, rate_source, part, level, from_partner, earned_on, tier, \
         base_minor, rate, share, amount_minor, fund, late_from, corrects, referred_minor FROM commission_lines \
         WHERE program = ? AND period = ? AND payee {} \
         ORDER BY payee, currency, earned_on, invoice, source, source_id, item, level, component, rule, from_partner, role, part",
        in_list(scan.backend())
    );
    let values = vec![terms.program.as_str().into(), period.to_string().into(), json_list(&partners(heads))];
    each_row(scan.tx, &query, values, |row| {
        let Some(tally) = tallies.get_mut(&(row.string(0)?, row.string(1)?)) else { return Ok(()) };
        tally.hash.line(&line(&row, tally.currency)?);
        let amount_minor = row.int(18)?;
        tally.lines += 1;
        tally.referred_minor += row.int(22)?;
        if row.string_or_null(19)?.is_some() {
            tally.coop_minor += amount_minor;
        } else {
            tally.cash_minor += amount_minor;
        }
        *tally.components.entry(row.string(7)?).or_insert(0) += amount_minor;
        Ok::<(), LoadError>(())
    })
    .await?;
    Ok(tallies)
}

fn amount(minor: i64, currency: Currency) -> Json {
    Json::Text(decimal(i128::from(minor), usize::try_from(currency.exponent()).unwrap_or(0)))
}

/// A line as interface.md §3 prints it, of the columns that [`tally`] reads.
fn line(row: &Row, currency: Currency) -> Result<Json, LoadError> {
    let number = |column: usize| row.int(column).map(Json::Number);
    let shortest = |text: String| micro_of(&text).map_or(text, micro_text);
    Ok(Json::Object(BTreeMap::from([
        ("source", Json::Text(row.string(2)?)),
        ("source_id", Json::Text(row.string(3)?)),
        ("invoice", Json::unless_empty(&row.string(4)?)),
        ("item", Json::unless_empty(&row.string(5)?)),
        ("role", Json::unless_empty(&row.string(6)?)),
        ("component", Json::Text(row.string(7)?)),
        ("rule", Json::unless_empty(&row.string(8)?)),
        ("rate_source", Json::optional(row.string_or_null(9)?)),
        ("part", number(10)?),
        ("level", number(11)?),
        ("from_partner", Json::Text(row.string(12)?)),
        ("earned_on", Json::Text(row.string(13)?)),
        ("tier", Json::optional(row.string_or_null(14)?)),
        ("base", amount(row.int(15)?, currency)),
        ("rate", Json::optional(row.string_or_null(16)?.map(shortest))),
        ("share", Json::Text(shortest(row.string(17)?))),
        ("amount", amount(row.int(18)?, currency)),
        ("fund", Json::optional(row.string_or_null(19)?)),
        ("late_from", Json::optional(row.string_or_null(20)?)),
        ("corrects", Json::optional(row.string_or_null(21)?)),
    ])))
}

fn partners(heads: &[Head]) -> Vec<&str> {
    let mut partners: Vec<&str> = heads.iter().map(|head| head.partner.as_str()).collect();
    partners.dedup();
    partners
}

/// The members of a page that are terminated on the period's last day.
async fn terminated(scan: &Scan<'_>, terms: &Terms, period: Period, heads: &[Head]) -> Result<Vec<String>, LoadError> {
    let query = format!(
        "SELECT s.partner FROM statuses s WHERE s.program = ? AND s.partner {} AND s.status = 'terminated' AND s.effective_from = \
           (SELECT MAX(x.effective_from) FROM statuses x WHERE x.program = s.program AND x.partner = s.partner AND x.effective_from <= ? AND x.seq <= ?)",
        in_list(scan.backend())
    );
    let cutoff = terms.cutoff(&period.to_string());
    let values = vec![terms.program.as_str().into(), json_list(&partners(heads)), period.last_day().to_string().into(), cutoff.into()];
    rows(scan.tx, &query, values).await?.iter().map(|row| row.string(0)).collect()
}

/// What the ledger posted for a page of settlements: by transaction, the sum of each account that is not zero.
async fn postings(scan: &Scan<'_>, terms: &Terms, period: Period, heads: &[Head]) -> Result<HashMap<String, BTreeMap<String, i64>>, LoadError> {
    let transactions: Vec<String> = heads.iter().map(|head| transaction_of(&terms.program, &period.to_string(), head)).collect();
    let query = format!(
        "SELECT transaction_id, account, CAST(SUM(amount_minor) AS BIGINT) FROM postings WHERE transaction_id {} \
         GROUP BY transaction_id, account HAVING SUM(amount_minor) <> 0",
        in_list(scan.backend())
    );
    let mut posted: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
    for row in rows(scan.tx, &query, vec![json_list(&transactions)]).await? {
        posted.entry(row.string(0)?).or_default().insert(row.string(1)?, row.int(2)?);
    }
    Ok(posted)
}

/// What lines ask the ledger to post: each component from its expense to the payable, or to the co-op wallet (domain.md §7).
fn accounts(program: &str, partner: &str, tally: &Tally) -> BTreeMap<String, i64> {
    let mut accounts: BTreeMap<String, i64> =
        tally.components.iter().map(|(component, sum)| (format!("expense:{program}:{component}"), *sum)).collect();
    accounts.insert(format!("partner:{partner}:{program}:payable"), -tally.cash_minor);
    accounts.insert(format!("partner:{partner}:{program}:coop"), -tally.coop_minor);
    accounts.retain(|_, sum| *sum != 0);
    accounts
}
