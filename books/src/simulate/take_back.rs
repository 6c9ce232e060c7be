//! Takes back what a programme's months made, in a transaction that will be rolled back: final rows go only there.

use program::calendar::Period;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};

use crate::load::row::{LoadError, execute, rows};

/// Lets rows that are final be deleted until the transaction is rolled back. On SQLite other connections see nothing of it, on PostgreSQL
/// they go on reading and wait with writing.
pub(super) async fn let_final_rows_go(tx: &DatabaseTransaction) -> Result<(), LoadError> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let postgres = tx.get_database_backend() == DbBackend::Postgres;
    let query = if postgres {
        "SELECT DISTINCT CAST(c.relname AS TEXT) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND n.nspname = current_schema() ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1"
    };
    for row in rows(tx, query, vec![]).await? {
        let name = quoted(&row.string(0)?);
        let statement = if postgres { format!("ALTER TABLE {name} DISABLE TRIGGER USER") } else { format!("DROP TRIGGER {name}") };
        tx.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Deletes what was booked, settled, posted, ranked and reviewed from a month on. Facts, assignments by hand and claims stay.
pub(super) async fn take_back(tx: &DatabaseTransaction, program: &str, from: Period) -> Result<(), LoadError> {
    let by_period = || -> Vec<Value> { vec![program.into(), from.to_string().into()] };
    let by_day = || -> Vec<Value> { vec![program.into(), from.first_day().to_string().into()] };
    for table in ["commission_lines", "bookings", "booked_refunds", "spiff_uses", "settlements", "periods"] {
        execute(tx, &format!("DELETE FROM {table} WHERE program = ? AND period >= ?"), by_period()).await?;
    }
    // The credits of an invoice that another programme has booked too stay as they were fixed, as if by that one.
    let other = "(SELECT MIN(o.program) FROM bookings o WHERE o.invoice = booked_credits.invoice)";
    let pass_on = format!("UPDATE booked_credits SET booked_by = {other} WHERE booked_by = ? AND period >= ? AND {other} IS NOT NULL");
    execute(tx, &pass_on, by_period()).await?;
    execute(tx, "DELETE FROM booked_credits WHERE booked_by = ? AND period >= ?", by_period()).await?;
    let places = "DELETE FROM ranking_places WHERE program = ? AND EXISTS (SELECT 1 FROM rankings r WHERE r.program = ranking_places.program \
                  AND r.ranking = ranking_places.ranking AND r.quarter = ranking_places.quarter AND r.period >= ?)";
    execute(tx, places, by_period()).await?;
    execute(tx, "DELETE FROM rankings WHERE program = ? AND period >= ?", by_period()).await?;

    for table in ["review_results", "reviews"] {
        execute(tx, &format!("DELETE FROM {table} WHERE program = ? AND as_of >= ?"), by_day()).await?;
    }
    execute(tx, "DELETE FROM tier_assignments WHERE program = ? AND effective_from >= ? AND origin <> 'hand'", by_day()).await?;

    let of_months = "program = ? AND dated_on >= ? AND kind IN ('settlement', 'expiry')";
    execute(tx, &format!("DELETE FROM postings WHERE transaction_id IN (SELECT id FROM transactions WHERE {of_months})"), by_day()).await?;
    execute(tx, &format!("DELETE FROM transactions WHERE {of_months}"), by_day()).await?;
    let draws = "DELETE FROM lot_draws WHERE program = ? AND dated_on >= ? AND kind IN ('debt', 'reversal', 'restored', 'expiry')";
    execute(tx, draws, by_day()).await?;
    refill_wallets(tx, program).await
}

/// Wallets hold what is left in the ledger; the accounts of what is owed are credited, which is below zero.
async fn refill_wallets(tx: &DatabaseTransaction, program: &str) -> Result<(), LoadError> {
    let account = "'partner:' || wallets.partner || ':' || wallets.program || ':coop'";
    let update = format!(
        "UPDATE wallets SET balance_minor = (SELECT CAST(-COALESCE(SUM(p.amount_minor), 0) AS BIGINT) FROM postings p JOIN transactions t ON t.id = p.transaction_id \
         WHERE p.account IN ({account}, {account} || '-held') AND t.program = wallets.program AND p.currency = wallets.currency) WHERE program = ?"
    );
    execute(tx, &update, vec![program.into()]).await?;
    Ok(())
}
