//! Where settlements stand, by their payouts (domain.md §4.7). Their rows stay as they were made final.

use std::collections::HashMap;

use program::calendar::Period;
use program::line::Text;
use program::payout::{SettlementState, State};
use sea_orm::{DatabaseTransaction, Value};

use crate::load::row::{LoadError, rows};

/// A settlement: programme, partner, period, currency.
pub type Key = (Text, Text, Period, String);

/// Where those settlements stand that have payouts, of a programme, a period and a partner if they are named. All others are final.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn standings(
    tx: &DatabaseTransaction,
    program: Option<&str>,
    period: Option<Period>,
    partner: Option<&str>,
) -> Result<HashMap<Key, SettlementState>, LoadError> {
    let mut query = "SELECT program, partner, period, currency, status, reason FROM payouts WHERE kind = 'settlement'".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let period_text = period.map(|period| period.to_string());
    for (column, value) in [("program", program), ("period", period_text.as_deref()), ("partner", partner)] {
        if let Some(value) = value {
            query.push_str(&format!(" AND {column} = ?"));
            values.push(value.into());
        }
    }
    let mut standings: HashMap<Key, SettlementState> = HashMap::new();
    for row in rows(tx, &query, values).await? {
        let (text, reason) = (row.string(4)?, row.string_or_null(5)?);
        let state = State::named(&text, reason.as_deref()).ok_or(LoadError::Corrupt { value: text, what: "a payout's status" })?;
        let standing = SettlementState::of(Some(&state));
        let known = standings.entry((row.text(0)?, row.text(1)?, row.period(2)?, row.string(3)?)).or_insert(standing);
        // One payout at most has not failed: it tells.
        if standing != SettlementState::Failed {
            *known = standing;
        }
    }
    Ok(standings)
}
