//! What somebody must look at: words that contradict what is known, and messages about payouts that are not there (invariant 19).
//!
//! Neither ever moves anything. A person closes one when it is dealt with; it stays where it is.

use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

use super::PayoutError;
use super::record::LISTED_MAX;
use crate::audit::{self, Act};
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::users::{self, FINANCE};

/// Every exception by its id, open or closed.
const ALL: &str = "SELECT at, payout, word, provider, provider_id, event, reason, 'contradicted' AS what, \
                     'contradicted/' || payout || '/' || CAST(ordinal AS TEXT) AS exception FROM payout_events WHERE ruling = 'contradicted' \
                   UNION ALL SELECT received_at, payout, word, provider, provider_id, event, effect, 'parked', 'parked/' || provider || '/' || event \
                     FROM inbound_events WHERE state = 'parked'";

/// Those that are open, oldest first.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn open(tx: &DatabaseTransaction) -> Result<Vec<Json>, LoadError> {
    let query = format!(
        "SELECT x.at, x.payout, x.word, x.provider, x.provider_id, x.event, x.reason, x.what, x.exception FROM ({ALL}) x \
         WHERE NOT EXISTS (SELECT 1 FROM closed_exceptions c WHERE c.exception = x.exception) ORDER BY 1, 2, 6 LIMIT {LISTED_MAX}"
    );
    let mut found = Vec::new();
    for row in rows(tx, &query, vec![]).await? {
        found.push(json!({
            "id": row.string(8)?, "at": row.instant(0)?.to_string(), "payout": row.string(1)?, "word": row.string(2)?,
            "provider": row.string_or_null(3)?, "provider_id": row.string_or_null(4)?, "event": row.string_or_null(5)?,
            "reason": row.string_or_null(6)?, "what": row.string(7)?,
        }));
    }
    Ok(found)
}

/// Closes an exception that was dealt with. Nothing else changes: a parked message stays parked, and is applied when its payout comes.
///
/// # Idempotency
/// The exception: the first word stands.
///
/// # Errors
/// The person may not, or there is no such exception.
pub async fn close(tx: &DatabaseTransaction, exception: &str, by: &str, reason: &str, now: Instant) -> Result<bool, PayoutError> {
    users::entitled(tx, by, &[FINANCE]).await?;
    users::checked("the reason", reason, users::TEXT_MAX)?;
    let known = first_row(tx, &format!("SELECT 1 FROM ({ALL}) x WHERE x.exception = ?"), vec![exception.into()]).await?;
    if known.is_none() {
        return Err(PayoutError::NoException(exception.chars().take(200).collect()));
    }
    let insert = "INSERT INTO closed_exceptions (exception, closed_by, reason, closed_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    if execute(tx, insert, vec![exception.into(), by.into(), reason.into(), now.0.into()]).await? == 0 {
        return Ok(false);
    }
    let detail = json!({ "reason": reason });
    audit::write(tx, &Act { by: Some(by), act: "payout.exception_closed", subject: exception, detail }, now).await?;
    Ok(true)
}
