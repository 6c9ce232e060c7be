//! What comes back to a wallet when the payout of a claim fails after the debit (domain.md §6.2, §6.4).

use program::calendar::Date;
use sea_orm::DatabaseTransaction;

use super::{Draw, WalletKey, draw, fill_debt, lots};
use crate::load::row::{execute, rows};
use crate::payouts::PayoutError;

/// Gives the captured money of a claim back to its wallet and into the lots that its hold took it from. The caller posts it.
///
/// # Errors
/// The claim's holds do not come to the amount, or the database failed.
pub(crate) async fn give_back(tx: &DatabaseTransaction, key: &WalletKey, claim: &str, amount_minor: i64, day: Date) -> Result<(), PayoutError> {
    let of_key = || vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    let wrong = |why: &str| PayoutError::Wallet { claim: claim.to_owned(), why: why.to_owned() };
    let update = "UPDATE wallets SET balance_minor = balance_minor + ?, revision = revision + 1 \
                  WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ?";
    if execute(tx, update, [vec![amount_minor.into()], of_key()].concat()).await? == 0 {
        return Err(wrong("the member has no wallet in the currency"));
    }
    let query = "SELECT invoice, item, role, CAST(SUM(amount_minor) AS BIGINT) FROM lot_draws WHERE program = ? AND partner = ? AND currency = ? \
                 AND reference = ? AND kind IN ('hold', 'release') GROUP BY invoice, item, role HAVING SUM(amount_minor) > 0 ORDER BY 1, 2, 3";
    let held = rows(tx, query, [of_key(), vec![claim.into()]].concat()).await?;
    let mut lots = lots(tx, key).await?;
    let mut left_minor = amount_minor;
    for row in held {
        let (invoice, item, role, held_minor) = (row.string(0)?, row.string(1)?, row.string(2)?, row.int(3)?);
        let lot = lots.iter_mut().find(|lot| *lot.invoice == *invoice && *lot.item == *item && *lot.role == *role);
        let lot = lot.ok_or_else(|| wrong("it holds a lot that the wallet does not have"))?;
        left_minor -= held_minor;
        let reference = claim.to_owned();
        draw(tx, key, lot, Draw { kind: "release", amount_minor: -held_minor, dated_on: day, reference }).await?;
    }
    if left_minor != 0 {
        return Err(wrong("its holds do not come to its amount"));
    }
    Ok(fill_debt(tx, key, day, claim).await?)
}
