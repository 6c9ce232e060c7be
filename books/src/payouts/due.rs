//! Which settlements of a period are to be paid now.

use program::calendar::Period;
use program::line::Text;
use program::money::Currency;
use sea_orm::DatabaseTransaction;

use crate::load::row::{LoadError, rows};
use crate::release::{self, Whose};

/// A settlement that is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The programme.
    pub program: Text,
    /// The member.
    pub partner: Text,
    /// The period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
    /// How much, minor units.
    pub amount_minor: i64,
}

impl Due {
    /// Whose it is.
    #[must_use]
    pub fn whose(&self) -> Whose<'_> {
        Whose { program: &self.program, partner: &self.partner, period: self.period }
    }

    /// What a payout of it refers to.
    #[must_use]
    pub fn reference(&self) -> String {
        let Self { program, partner, period, currency, .. } = self;
        format!("{program}/{period}/{partner}/{currency}")
    }
}

/// The settlements of a period that are released and have no payout, by partner and currency. What is held is among them: its payout is
/// made, waits, and says why. One whose payout failed is retried by a person, not by this.
///
/// # Errors
/// The programme is not recorded, or the database failed.
pub async fn due(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Vec<Due>, LoadError> {
    if !release::is_released(tx, program, period).await? {
        return Ok(Vec::new());
    }
    let query = "SELECT s.partner, s.currency, s.cash_payout_minor FROM settlements s WHERE s.program = ? AND s.period = ? AND s.cash_payout_minor > 0 \
                 AND NOT EXISTS (SELECT 1 FROM payouts p WHERE p.kind = 'settlement' AND p.program = s.program AND p.period = s.period \
                   AND p.partner = s.partner AND p.currency = s.currency) \
                 ORDER BY s.partner, s.currency";
    let values = vec![program.into(), period.to_string().into()];
    let mut due = Vec::new();
    for row in rows(tx, query, values).await? {
        due.push(Due { program: program.into(), partner: row.text(0)?, period, currency: row.currency(1)?, amount_minor: row.int(2)? });
    }
    Ok(due)
}

/// One settlement that has something to be paid, whether it may be paid now or not.
///
/// # Errors
/// The database failed.
pub async fn settlement(tx: &DatabaseTransaction, whose: Whose<'_>, currency: Currency) -> Result<Option<Due>, LoadError> {
    let query = "SELECT cash_payout_minor FROM settlements WHERE program = ? AND partner = ? AND period = ? AND currency = ? AND cash_payout_minor > 0 \
                 AND status <> 'draft'";
    let Whose { program, partner, period } = whose;
    let found = rows(tx, query, vec![program.into(), partner.into(), period.to_string().into(), currency.code().into()]).await?;
    let due = |amount_minor| Due { program: program.into(), partner: partner.into(), period, currency, amount_minor };
    found.first().map(|row| row.int(0).map(due)).transpose()
}
