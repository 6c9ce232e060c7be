//! Reads settlements as they were made final.

use std::collections::{BTreeMap, BTreeSet};

use entities::settlement::{self, Settlements};
use program::calendar::Period;
use program::line::{Line, Source, Text};
use program::settlement::Settlement;
use sea_orm::{DatabaseTransaction, EntityTrait};

use crate::explain::text::percent;
use crate::load::row::{LoadError, rows};
use crate::payouts::standing;
use crate::settlement::lines;

/// A settlement with its status and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSettlement {
    /// The settlement.
    pub settlement: Settlement,
    /// Where it stands: `draft`, `final`, `paying`, `paid`, `failed`.
    pub status: String,
    /// Its digest; `None` for a draft.
    pub digest: Option<String>,
}

/// How a table is drawn: heads, which columns stand to the right, rows.
pub type Table<'a> = dyn Fn(&[&str], &[bool], &[Vec<String>]) -> String + 'a;

impl StoredSettlement {
    /// Its JSON (interface.md §3).
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        self.settlement.json(&self.status, self.digest.as_deref())
    }

    /// Its JSON without lines, for lists.
    #[must_use]
    pub fn head_json(&self) -> serde_json::Value {
        let mut json = self.json();
        if let Some(fields) = json.as_object_mut() {
            fields.shift_remove("lines");
        }
        json
    }

    /// Marks it as computed only.
    pub fn make_draft(&mut self) {
        "draft".clone_into(&mut self.status);
        self.digest = None;
    }
}

/// Settlements without their lines, by programme, period, partner, currency.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(
    tx: &DatabaseTransaction,
    program: Option<&str>,
    period: Option<Period>,
    partner: Option<&str>,
) -> Result<Vec<StoredSettlement>, LoadError> {
    let query = settlement::Entity::find().of_program(program).of_period(period).of_partner(partner).in_order();
    let standings = standing::standings(tx, program, period, partner).await?;
    let mut found = Vec::new();
    for row in query.all(tx).await? {
        let (mut status, digest) = (row.status.clone(), row.digest.clone());
        let key = format!("{}/{}/{}", row.program, row.partner, row.period);
        let settlement = Settlement::try_from(row).map_err(|_| LoadError::Corrupt { value: key, what: "a settlement" })?;
        let Settlement { program, partner, period, currency, .. } = &settlement;
        if let Some(standing) = standings.get(&(program.clone(), partner.clone(), *period, currency.to_string())) {
            standing.name().clone_into(&mut status);
        }
        found.push(StoredSettlement { settlement, status, digest: Some(digest) });
    }
    Ok(found)
}

/// Reads the lines of settlements of one programme and period, given in order of partner and currency.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn with_lines(
    tx: &DatabaseTransaction,
    program: &str,
    period: Period,
    mut found: Vec<StoredSettlement>,
) -> Result<Vec<StoredSettlement>, LoadError> {
    for chunk in found.chunks_mut(500) {
        let mut payees: Vec<Text> = chunk.iter().map(|stored| stored.settlement.partner.clone()).collect();
        payees.dedup();
        let mut owner = 0;
        lines::each_of_payees(tx, (program, &period.to_string()), &payees, |line| {
            // Settlements and lines come in the same order of partner and currency.
            let owns = |stored: &StoredSettlement| stored.settlement.partner == line.payee && stored.settlement.currency == line.currency;
            while chunk.get(owner).is_some_and(|stored| !owns(stored)) {
                owner += 1;
            }
            if let Some(stored) = chunk.get_mut(owner) {
                stored.settlement.lines.push(line);
            }
            Ok::<(), LoadError>(())
        })
        .await?;
    }
    Ok(found)
}

/// The settlements of a period, with lines.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_period(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Vec<StoredSettlement>, LoadError> {
    let found = list(tx, Some(program), Some(period), None).await?;
    with_lines(tx, program, period, found).await
}

/// The settlements of a partner in a period, with lines.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn of_partner(tx: &DatabaseTransaction, program: &str, partner: &str, period: Period) -> Result<Vec<StoredSettlement>, LoadError> {
    let found = list(tx, Some(program), Some(period), Some(partner)).await?;
    with_lines(tx, program, period, found).await
}

/// Settlements as a table for people.
#[must_use]
pub fn summary_table(settlements: &[StoredSettlement], table: &Table<'_>) -> String {
    if settlements.is_empty() {
        return "no settlements\n".into();
    }
    let heads = ["period", "partner", "currency", "status", "referred", "opening", "cash lines", "payout", "carried", "co-op"];
    let right = [false, false, false, false, true, true, true, true, true, true];
    let rows: Vec<Vec<String>> = settlements
        .iter()
        .map(|stored| {
            let Settlement { partner, period, currency, totals, .. } = &stored.settlement;
            let text = |minor: i64| currency.format_minor(minor);
            vec![
                period.to_string(),
                partner.to_string(),
                currency.to_string(),
                stored.status.clone(),
                text(totals.referred_revenue_minor),
                text(totals.opening_balance_minor),
                text(totals.cash_lines_minor),
                text(totals.cash_payout_minor),
                text(totals.carried_forward_minor),
                text(totals.coop_credit_minor),
            ]
        })
        .collect();
    table(&heads, &right, &rows)
}

/// Why the adjustments of settlements were made, by their ids.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn reasons(tx: &DatabaseTransaction, settlements: &[StoredSettlement]) -> Result<BTreeMap<String, String>, LoadError> {
    let lines = settlements.iter().flat_map(|stored| &stored.settlement.lines);
    let ids: BTreeSet<&str> = lines.filter(|line| line.source == Source::Adjustment).map(|line| &*line.source_id).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut reasons = BTreeMap::new();
    for ids in ids.chunks(REASONS_AT_ONCE) {
        let query = format!("SELECT id, reason FROM adjustments WHERE id IN {}", crate::sql::places(1, ids.len()));
        for row in rows(tx, &query, ids.iter().map(|id| (*id).into()).collect()).await? {
            reasons.insert(row.string(0)?, row.string(1)?);
        }
    }
    Ok(reasons)
}

/// Reasons that are looked up in one query.
const REASONS_AT_ONCE: usize = 500;

/// A settlement and its lines for people: what is paid and what goes to the co-op fund each in a table with its total. Where the whole
/// table is wider than the terminal, it leaves out what the figures can be told without.
#[must_use]
pub fn lines_table(stored: &StoredSettlement, reasons: &BTreeMap<String, String>, width: Option<usize>, table: &Table<'_>) -> String {
    let Settlement { lines, totals, currency, .. } = &stored.settlement;
    let (coop, cash): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.fund().is_some());
    let shown = Lines { settlement: &stored.settlement, reasons, width, table };
    let mut text = summary_table(std::slice::from_ref(stored), table);
    text.push_str(&format!("\ncommission in {currency}\n"));
    text.push_str(&shown.with_total(&cash, "total commission", totals.cash_lines_minor));
    if !coop.is_empty() {
        text.push_str(&format!("\nco-op credits in {currency}: they go to the co-op fund and are in no cash figure\n"));
        text.push_str(&shown.with_total(&coop, "total co-op credits", totals.coop_credit_minor));
    }
    text.push_str(&format!("\n{}\n", stored.digest.as_deref().unwrap_or("draft")));
    text
}

/// What tables of lines have in common.
struct Lines<'a> {
    settlement: &'a Settlement,
    reasons: &'a BTreeMap<String, String>,
    width: Option<usize>,
    table: &'a Table<'a>,
}

/// A column of lines: its head, whether it stands to the right, and its rank: the greater, the sooner it is left out.
type Column = (&'static str, bool, u8);

const COLUMNS: [Column; 14] = [
    ("earned on", false, 0),
    ("source", false, 0),
    ("item", false, 0),
    ("from", false, 0),
    ("as", false, 1),
    ("level", true, 2),
    ("component", false, 0),
    ("by", false, 1),
    ("tier", false, 4),
    ("base", true, 0),
    ("rate", true, 0),
    ("share", true, 3),
    ("amount", true, 0),
    ("late from", false, 0),
];

/// Columns that are left out where no line has anything in them.
const MAY_BE_EMPTY: [&str; 3] = ["item", "by", "late from"];

impl Lines<'_> {
    /// The lines as a table, and their total below their amounts.
    fn with_total(&self, lines: &[&Line], name: &str, total_minor: i64) -> String {
        let mut rows: Vec<Vec<String>> = lines.iter().map(|line| self.cells(line)).collect();
        let mut total = vec![String::new(); COLUMNS.len()];
        total[AMOUNT] = self.settlement.currency.format_minor(total_minor);
        rows.push(total);
        for least in (0..=4).rev() {
            let text = self.drawn(&rows, name, least);
            if least == 0 || self.width.is_none_or(|width| text.lines().all(|line| line.chars().count() <= width)) {
                return text;
            }
        }
        String::new()
    }

    /// The table without the columns above a rank. The total's name stands before its amount, over the columns that it has no value in.
    fn drawn(&self, rows: &[Vec<String>], name: &str, rank_max: u8) -> String {
        let has_any = |column: usize| rows.iter().any(|row| !row[column].is_empty());
        let kept =
            |(column, (head, _, rank)): (usize, &Column)| (*rank <= rank_max && (!MAY_BE_EMPTY.contains(head) || has_any(column))).then_some(column);
        let kept: Vec<usize> = COLUMNS.iter().enumerate().filter_map(kept).collect();
        let heads: Vec<&str> = kept.iter().map(|&column| COLUMNS[column].0).collect();
        let right: Vec<bool> = kept.iter().map(|&column| COLUMNS[column].1).collect();
        let cells: Vec<Vec<String>> = rows.iter().map(|row| kept.iter().map(|&column| row[column].clone()).collect()).collect();
        let drawn = (self.table)(&heads, &right, &cells);
        // The last row is spaces and the total.
        let (before, last) = drawn.trim_end_matches('\n').rsplit_once('\n').unwrap_or(("", &drawn));
        let space = last.chars().take_while(|c| *c == ' ').count();
        let amount = last.trim_start();
        format!("{before}\n{name:<width$}{amount}\n", width = space.max(name.chars().count() + 2))
    }

    fn cells(&self, line: &Line) -> Vec<String> {
        let currency = self.settlement.currency;
        let text = |text: &Option<Text>| text.as_deref().unwrap_or("").to_owned();
        let source = match (self.reasons.get(&*line.source_id).filter(|_| line.source == Source::Adjustment), &line.invoice) {
            (Some(reason), _) => format!("{}: {reason}", line.source_id),
            (None, Some(invoice)) if line.source == Source::Refund => format!("{} of {invoice}", line.source_id),
            (None, _) => line.source_id.to_string(),
        };
        vec![
            line.earned_on.to_string(),
            source,
            text(&line.item),
            line.from_partner.to_string(),
            text(&line.role),
            line.level.to_string(),
            line.component.name().to_owned(),
            text(&line.rule.clone().or_else(|| line.rate_source.clone())),
            text(&line.tier),
            currency.format_minor(line.base_minor),
            line.rate.map(percent).unwrap_or_default(),
            percent(line.share),
            currency.format_minor(line.amount_minor),
            line.late_from.map(|period| period.to_string()).unwrap_or_default(),
        ]
    }
}

/// Where the amount stands in [`COLUMNS`].
const AMOUNT: usize = 12;

/// The members with an address whose settlement of a period has nothing to pay out and carries a balance forward, after one of them, by
/// partner and currency.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn carried_forward(
    tx: &DatabaseTransaction,
    program: &str,
    period: Period,
    after: Option<(&str, &str)>,
    limit: usize,
) -> Result<Vec<(String, String)>, LoadError> {
    let query = "SELECT s.partner, s.currency FROM settlements s JOIN partners p ON p.id = s.partner WHERE s.program = ? AND s.period = ? \
                 AND s.cash_payout_minor = 0 AND s.carried_forward_minor <> 0 AND p.email IS NOT NULL \
                 AND (s.partner > ? OR (s.partner = ? AND s.currency > ?)) ORDER BY s.partner, s.currency LIMIT ?";
    let (partner, currency) = after.unwrap_or(("", ""));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = vec![program.into(), period.to_string().into(), partner.into(), partner.into(), currency.into(), limit.into()];
    let mut found = Vec::new();
    for row in rows(tx, query, values).await? {
        found.push((row.string(0)?, row.string(1)?));
    }
    Ok(found)
}
