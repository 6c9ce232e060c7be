//! What the ledger posts when a payout moves (domain.md §7).
//!
//! | move | settlement | claim |
//! |---|---|---|
//! | requested | payable → in transit | none: its capture moved coop-held → in transit |
//! | paid | in transit → cash | the same |
//! | returned | cash → in transit | the same |
//! | failed | in transit → payable | in transit → coop, and back into its lots, of which those that have ended expire |

use program::calendar::{Date, Instant};
use program::payout::{Kind, Move, Payout, State};
use sea_orm::DatabaseTransaction;

use super::{PayoutError, record};
use crate::ledger::{self, Posting, Transaction};
use crate::wallet::{WalletKey, give_back, holds};

const IN_TRANSIT: &str = "payouts:in-transit";
const CASH: &str = "cash";

/// Posts what a change of a payout moves, dated the day in its programme's zone.
///
/// # Idempotency
/// The payout and the move: the database refuses a second transaction.
///
/// # Errors
/// The database failed, or a claim's wallet can't take its money back.
pub(super) async fn post(tx: &DatabaseTransaction, before: &Payout, after: &Payout, now: Instant) -> Result<(), PayoutError> {
    let moves = moves(after.kind, &before.state, &after.state);
    if moves.is_empty() {
        return Ok(());
    }
    let day = record::day_in(tx, &after.program, now).await?;
    let key = WalletKey { program: after.program.clone(), partner: after.partner.clone(), currency: after.currency };
    let comes_back = after.kind == Kind::MdfClaim && moves.contains(&Move::Failed);
    // Before the wallet is locked.
    let returning = if comes_back { holds::before_return(tx, &key.program, now).await? } else { None };
    if comes_back {
        give_back(tx, &key, &after.reference, after.amount_minor, day).await?;
    }
    let transactions: Vec<Transaction> = moves.into_iter().filter_map(|one| transaction(after, one, day)).collect();
    ledger::post(tx, &transactions, now).await?;
    holds::after_return(tx, returning, &key, now).await?;
    Ok(())
}

/// A claim's money is in transit from its capture on, so one that was never requested goes back, too.
fn moves(kind: Kind, from: &State, to: &State) -> Vec<Move> {
    let moves = Move::between(from, to).to_vec();
    let is_withdrawn = moves.is_empty() && !from.has_ended() && matches!(to, State::Failed { .. });
    if kind == Kind::MdfClaim && is_withdrawn { vec![Move::Failed] } else { moves }
}

fn transaction(payout: &Payout, moved: Move, day: Date) -> Option<Transaction> {
    let Payout { id, program, partner, currency, amount_minor, kind, reference, .. } = payout;
    let owed = match kind {
        Kind::Settlement => format!("partner:{partner}:{program}:payable"),
        Kind::MdfClaim => format!("partner:{partner}:{program}:coop"),
    };
    // Debits come first.
    let (debit, credit, name) = match moved {
        Move::Requested if *kind == Kind::MdfClaim => return None,
        Move::Requested => (owed, IN_TRANSIT.to_owned(), "payout_requested"),
        Move::Paid => (IN_TRANSIT.to_owned(), CASH.to_owned(), "payout_paid"),
        Move::Returned => (CASH.to_owned(), IN_TRANSIT.to_owned(), "payout_returned"),
        Move::Failed => (IN_TRANSIT.to_owned(), owed, "payout_failed"),
    };
    let posting = |account, amount_minor| Posting { account, currency: *currency, amount_minor };
    Some(Transaction {
        id: format!("payout/{id}/{}", moved.name()),
        program: program.clone(),
        kind: name,
        dated_on: day,
        description: format!("payout {id} of {reference} to {partner}: {}", moved.name()),
        postings: vec![posting(debit, *amount_minor), posting(credit, -amount_minor)],
    })
}
