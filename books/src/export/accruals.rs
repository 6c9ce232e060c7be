//! What is earned and not yet paid on a day, as finance accrues it at a month's end.
//!
//! Two parts make the figure. What settlements posted by the day stands in the ledger: payables (with what was carried forward) and co-op
//! funds. What was earned by the day and settled later, or not yet, is computed: by the lines of later settlements, and by settling the
//! open periods in savepoints of the caller's transaction, which the caller rolls back.

use std::collections::BTreeMap;

use program::calendar::{Date, Instant, Period, days_after};
use program::exact::Overflow;
use program::money::Currency;
use sea_orm::{DatabaseTransaction, TransactionTrait};

use super::ExportError;
use super::cells::{Cell, write_row};
use crate::load::row::{LoadError, rows};
use crate::load::versions;
use crate::settlement::freeze;
use crate::settlement::run::{Target, open_periods, settle_within};

/// What one member is owed in one programme and currency, minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    /// The partner's name.
    pub name: String,
    /// Posted by the day and not asked to be paid: what was carried forward, and what waits for its payout.
    pub payable_minor: i64,
    /// Of that, what the last settlement by the day carried forward.
    pub carried_forward_minor: i64,
    /// Earned by the day, in no settlement of a period that ended by it.
    pub unsettled_minor: i64,
    /// Co-op funds by the day, held ones too.
    pub coop_minor: i64,
    /// Co-op funds earned by the day, in no settlement of a period that ended by it; less what expired.
    pub coop_unsettled_minor: i64,
}

impl Owed {
    /// All of it, minor units.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn total_minor(&self) -> Result<i64, Overflow> {
        let parts = [self.payable_minor, self.unsettled_minor, self.coop_minor, self.coop_unsettled_minor];
        parts.into_iter().try_fold(0_i64, i64::checked_add).ok_or(Overflow)
    }

    fn is_nothing(&self) -> bool {
        [self.payable_minor, self.carried_forward_minor, self.unsettled_minor, self.coop_minor, self.coop_unsettled_minor]
            .iter()
            .all(|part| *part == 0)
    }
}

/// A programme, partner and currency.
pub type Owner = (String, String, Currency);

/// What is owed as of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accruals {
    /// The day.
    pub as_of: Date,
    /// By programme, partner and currency; where nothing is owed there is no entry.
    pub owed: BTreeMap<Owner, Owed>,
    /// By programme and currency what was asked to be paid and has not arrived, minor units.
    pub in_transit_minor: BTreeMap<(String, Currency), i64>,
}

/// Computes what is owed as of a day.
///
/// The caller's transaction must be able to write, and the caller rolls it back.
///
/// # Errors
/// Facts of an open period are missing or wrong, or the database failed.
pub async fn accruals(tx: &DatabaseTransaction, as_of: Date, program: Option<&str>, now: Instant) -> Result<Accruals, ExportError> {
    let mut all = Accruals { as_of, owed: BTreeMap::new(), in_transit_minor: BTreeMap::new() };
    let mut programs = Vec::new();
    for row in rows(tx, "SELECT id FROM programs ORDER BY id", vec![]).await? {
        let id = row.string(0)?;
        if program.is_none_or(|only| only == id) {
            programs.push(id);
        }
    }
    for program in &programs {
        all.posted(tx, program).await?;
        all.carried_forward(tx, program).await?;
        all.unsettled(tx, program, now).await?;
    }
    all.owed.retain(|_, owed| !owed.is_nothing());
    all.name(tx).await?;
    Ok(all)
}

/// The partner and fund of a partner's account in a programme.
fn owner_of<'a>(account: &'a str, program: &str) -> Option<(&'a str, &'a str)> {
    let (owner, fund) = account.strip_prefix("partner:")?.rsplit_once(':')?;
    Some((owner.strip_suffix(program)?.strip_suffix(':')?, fund))
}

impl Accruals {
    fn entry(&mut self, program: &str, partner: &str, currency: Currency) -> &mut Owed {
        self.owed.entry((program.to_owned(), partner.to_owned(), currency)).or_default()
    }

    /// What the ledger holds by postings dated up to the day.
    async fn posted(&mut self, tx: &DatabaseTransaction, program: &str) -> Result<(), ExportError> {
        let query = "SELECT p.account, p.currency, CAST(SUM(p.amount_minor) AS BIGINT) FROM postings p JOIN transactions t ON t.id = p.transaction_id \
                     WHERE t.program = ? AND t.dated_on <= ? GROUP BY p.account, p.currency ORDER BY p.account, p.currency";
        for row in rows(tx, query, vec![program.into(), self.as_of.to_string().into()]).await? {
            let (account, currency, debit_minor) = (row.string(0)?, row.currency(1)?, row.int(2)?);
            if account == "payouts:in-transit" && debit_minor != 0 {
                self.in_transit_minor.insert((program.to_owned(), currency), -debit_minor);
            }
            let Some((partner, fund)) = owner_of(&account, program) else { continue };
            let owed = self.entry(program, partner, currency);
            let part = if fund == "payable" { &mut owed.payable_minor } else { &mut owed.coop_minor };
            *part = part.checked_sub(debit_minor).ok_or(Overflow)?;
        }
        Ok(())
    }

    /// What each member's last settlement of a period that ended by the day carried forward.
    async fn carried_forward(&mut self, tx: &DatabaseTransaction, program: &str) -> Result<(), ExportError> {
        let query = "SELECT s.partner, s.currency, s.carried_forward_minor FROM settlements s WHERE s.program = ? AND s.period < ? AND s.carried_forward_minor <> 0 \
                     AND NOT EXISTS (SELECT 1 FROM settlements n WHERE n.program = s.program AND n.partner = s.partner AND n.currency = s.currency \
                     AND n.period > s.period AND n.period < ?)";
        let first_running = self.first_running().to_string();
        for row in rows(tx, query, vec![program.into(), first_running.as_str().into(), first_running.as_str().into()]).await? {
            let minor = row.int(2)?;
            self.entry(program, &row.string(0)?, row.currency(1)?).carried_forward_minor = minor;
        }
        Ok(())
    }

    /// The first period that had not ended on the day.
    fn first_running(&self) -> Period {
        let period = Period::of(self.as_of);
        if self.as_of == period.last_day() { period.next() } else { period }
    }

    /// What was earned by the day and is in no settlement of a period that ended by it.
    async fn unsettled(&mut self, tx: &DatabaseTransaction, program: &str, now: Instant) -> Result<(), ExportError> {
        let versions = versions::load(tx, program, i64::MAX).await?;
        let constant = versions.constant();
        let open = freeze::first_open(tx, program, constant.settlement.first_period).await?;
        let hold_days = versions.iter().map(|version| version.programme.settlement.hold_days).max().unwrap_or(0);
        // What is held longest is eligible in the one, what was recorded late is booked by the other.
        let through = Period::of(days_after(self.as_of, hold_days)).max(open);
        let before = Instant::start_of(days_after(self.as_of, 1), constant.timezone);
        let expired = self.expired(tx, program).await?;
        let inner = tx.begin().await?;
        let periods = open_periods(&inner, program, Target::Through(through), None).await?;
        settle_within(&inner, program, &periods, now).await?;
        self.lines(&inner, program, open.min(self.first_running()), before).await?;
        for (owner, minor) in self.expired(&inner, program).await? {
            let before = expired.get(&owner).copied().unwrap_or(0);
            let owed = self.owed.entry(owner).or_default();
            owed.coop_unsettled_minor = owed.coop_unsettled_minor.checked_sub(minor - before).ok_or(Overflow)?;
        }
        inner.rollback().await?;
        Ok(())
    }

    /// Lines of periods from one on that were earned by the day; a reversal when its refund was made.
    async fn lines(&mut self, tx: &DatabaseTransaction, program: &str, from: Period, before: Instant) -> Result<(), ExportError> {
        let query = "SELECT l.payee, l.currency, CAST(SUM(CASE WHEN l.fund IS NULL THEN l.amount_minor ELSE 0 END) AS BIGINT), \
                     CAST(SUM(CASE WHEN l.fund IS NULL THEN 0 ELSE l.amount_minor END) AS BIGINT) FROM commission_lines l \
                     LEFT JOIN refunds r ON l.source = 'refund' AND r.id = l.source_id \
                     WHERE l.program = ? AND l.period >= ? AND ((r.id IS NULL AND l.earned_on <= ?) OR r.refunded_at < ?) \
                     GROUP BY l.payee, l.currency";
        let values = vec![program.into(), from.to_string().into(), self.as_of.to_string().into(), before.0.into()];
        for row in rows(tx, query, values).await? {
            let (cash_minor, coop_minor) = (row.int(2)?, row.int(3)?);
            let owed = self.entry(program, &row.string(0)?, row.currency(1)?);
            owed.unsettled_minor = cash_minor;
            owed.coop_unsettled_minor = coop_minor;
        }
        Ok(())
    }

    /// Expiries of co-op funds dated up to the day, minor units.
    async fn expired(&self, tx: &DatabaseTransaction, program: &str) -> Result<BTreeMap<Owner, i64>, LoadError> {
        let query = "SELECT p.account, p.currency, CAST(SUM(p.amount_minor) AS BIGINT) FROM postings p JOIN transactions t ON t.id = p.transaction_id \
                     WHERE t.program = ? AND t.kind = 'expiry' AND t.dated_on <= ? GROUP BY p.account, p.currency";
        let mut expired = BTreeMap::new();
        for row in rows(tx, query, vec![program.into(), self.as_of.to_string().into()]).await? {
            let account = row.string(0)?;
            if let Some((partner, _)) = owner_of(&account, program) {
                expired.insert((program.to_owned(), partner.to_owned(), row.currency(1)?), row.int(2)?);
            }
        }
        Ok(expired)
    }

    async fn name(&mut self, tx: &DatabaseTransaction) -> Result<(), LoadError> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for row in rows(tx, "SELECT id, name FROM partners", vec![]).await? {
            names.insert(row.string(0)?, row.string(1)?);
        }
        for ((_, partner, _), owed) in &mut self.owed {
            owed.name = names.get(partner).cloned().unwrap_or_default();
        }
        Ok(())
    }

    /// The sums of each programme and currency.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn totals(&self) -> Result<BTreeMap<(&str, Currency), Owed>, Overflow> {
        let mut totals: BTreeMap<(&str, Currency), Owed> = BTreeMap::new();
        for ((program, _, currency), owed) in &self.owed {
            let total = totals.entry((program, *currency)).or_default();
            let add = |sum: &mut i64, part: i64| sum.checked_add(part).map(|added| *sum = added).ok_or(Overflow);
            add(&mut total.payable_minor, owed.payable_minor)?;
            add(&mut total.carried_forward_minor, owed.carried_forward_minor)?;
            add(&mut total.unsettled_minor, owed.unsettled_minor)?;
            add(&mut total.coop_minor, owed.coop_minor)?;
            add(&mut total.coop_unsettled_minor, owed.coop_unsettled_minor)?;
        }
        Ok(totals)
    }

    /// As JSON.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn json(&self) -> Result<serde_json::Value, Overflow> {
        let mut list = Vec::new();
        for ((program, partner, currency), owed) in &self.owed {
            let mut json = serde_json::json!({ "program": program, "partner": partner, "name": owed.name, "currency": currency.code() });
            put_amounts(&mut json, &amounts(owed, *currency)?);
            list.push(json);
        }
        let mut totals = Vec::new();
        for ((program, currency), owed) in &self.totals()? {
            let mut json = serde_json::json!({ "program": program, "currency": currency.code() });
            put_amounts(&mut json, &amounts(owed, *currency)?);
            totals.push(json);
        }
        let in_transit: Vec<serde_json::Value> = self
            .in_transit_minor
            .iter()
            .map(|((program, currency), minor)| serde_json::json!({ "program": program, "currency": currency.code(), "amount": currency.format_minor(*minor) }))
            .collect();
        Ok(serde_json::json!({ "as_of": self.as_of.to_string(), "accruals": list, "totals": totals, "in_transit": in_transit }))
    }

    /// Writes a row of CSV for each member, programme and currency.
    ///
    /// # Errors
    /// The writer fails, or a sum does not fit.
    pub fn csv(&self, out: &mut impl std::io::Write) -> Result<(), ExportError> {
        let heads: Vec<Cell<'_>> = ["as_of", "program", "partner", "name", "currency"].into_iter().chain(AMOUNTS).map(Cell::Plain).collect();
        write_row(out, &heads)?;
        let as_of = self.as_of.to_string();
        for ((program, partner, currency), owed) in &self.owed {
            let amounts = amounts(owed, *currency)?;
            let mut cells = vec![Cell::Plain(&as_of), Cell::Text(program), Cell::Text(partner), Cell::Text(&owed.name), Cell::Plain(currency.code())];
            cells.extend(amounts.iter().map(|amount| Cell::Plain(amount)));
            write_row(out, &cells)?;
        }
        Ok(())
    }
}

/// The names of the amounts, in order.
pub const AMOUNTS: [&str; 6] = ["payable", "carried_forward", "unsettled", "coop", "coop_unsettled", "total"];

/// The amounts as text, in the order of [`AMOUNTS`].
///
/// # Errors
/// [`Overflow`].
pub fn amounts(owed: &Owed, currency: Currency) -> Result<[String; 6], Overflow> {
    let minor =
        [owed.payable_minor, owed.carried_forward_minor, owed.unsettled_minor, owed.coop_minor, owed.coop_unsettled_minor, owed.total_minor()?];
    Ok(minor.map(|minor| currency.format_minor(minor)))
}

fn put_amounts(json: &mut serde_json::Value, amounts: &[String; 6]) {
    if let Some(fields) = json.as_object_mut() {
        for (name, amount) in AMOUNTS.iter().zip(amounts) {
            fields.insert((*name).to_owned(), amount.as_str().into());
        }
    }
}
