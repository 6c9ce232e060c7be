//! Reads settlements as they were made final.

use entities::settlement::{self, Settlements};
use program::calendar::Period;
use program::line::Text;
use program::settlement::Settlement;
use sea_orm::{DatabaseTransaction, EntityTrait};

use crate::load::row::LoadError;
use crate::settlement::lines;

/// A settlement with its status and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSettlement {
    /// The settlement.
    pub settlement: Settlement,
    /// Its status.
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
    let mut found = Vec::new();
    for row in query.all(tx).await? {
        let (status, digest) = (row.status.clone(), row.digest.clone());
        let key = format!("{}/{}/{}", row.program, row.partner, row.period);
        let settlement = Settlement::try_from(row).map_err(|_| LoadError::Corrupt { value: key, what: "a settlement" })?;
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
    let heads = ["period", "partner", "", "status", "referred", "opening", "cash lines", "payout", "carried", "co-op"];
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

/// A settlement and its lines for people.
#[must_use]
pub fn lines_table(stored: &StoredSettlement, table: &Table<'_>) -> String {
    let settlement = &stored.settlement;
    let heads = ["earned on", "source", "item", "component", "rule", "tier", "base", "rate", "share", "amount", "late from"];
    let right = [false, false, false, false, false, false, true, true, true, true, false];
    let text = |text: &Option<Text>| text.as_deref().unwrap_or("").to_owned();
    let rows: Vec<Vec<String>> = settlement
        .lines
        .iter()
        .map(|line| {
            vec![
                line.earned_on.to_string(),
                line.source_id.to_string(),
                text(&line.item),
                line.component.name().to_owned(),
                text(&line.rule.clone().or_else(|| line.rate_source.clone())),
                text(&line.tier),
                settlement.currency.format_minor(line.base_minor),
                line.rate.map(|rate| rate.to_string()).unwrap_or_default(),
                line.share.to_string(),
                settlement.currency.format_minor(line.amount_minor),
                line.late_from.map(|period| period.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    let summary = summary_table(std::slice::from_ref(stored), table);
    format!("{summary}\n{}\n{}\n", table(&heads, &right, &rows), stored.digest.as_deref().unwrap_or("draft"))
}
