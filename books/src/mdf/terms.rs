//! The terms under which claims are made: the version of the programme in force, its share, its route.

use program::calendar::{Date, Instant};
use program::exact::Exact;
use program::fx::Fx;
use program::mdf;
use program::money::Currency;
use program::programme::{ApprovalStep, Mdf, Programme};
use program::version::Versions;
use sea_orm::DatabaseTransaction;

use super::MdfError;
use crate::load::row::{LoadError, rows};
use crate::load::versions;

/// A programme on a day.
pub(super) struct Terms {
    pub(super) versions: Versions,
    /// The day in the programme's zone.
    pub(super) day: Date,
}

impl Terms {
    pub(super) async fn load(tx: &DatabaseTransaction, program: &str, now: Instant) -> Result<Self, LoadError> {
        let versions = versions::load(tx, program, i64::MAX).await?;
        let day = now.date_in(versions.constant().timezone);
        Ok(Self { versions, day })
    }

    /// The number of the version in force.
    pub(super) fn version(&self) -> i64 {
        self.versions.on(self.day).number
    }

    pub(super) fn programme(&self) -> &Programme {
        &self.versions.on(self.day).programme
    }

    /// What the version in force says of claims.
    pub(super) fn mdf(&self) -> Result<&Mdf, MdfError> {
        let programme = self.programme();
        programme.mdf.as_ref().ok_or_else(|| MdfError::NoClaims { program: programme.id.clone(), day: self.day })
    }

    /// The steps that a claim of an amount needs (domain.md §6.3).
    pub(super) async fn route(&self, tx: &DatabaseTransaction, asked_minor: i64, currency: Currency) -> Result<Vec<ApprovalStep>, MdfError> {
        let (mdf, programme) = (self.mdf()?, self.programme());
        let asked = self.converted(tx, asked_minor, currency, mdf).await?;
        Ok(mdf::route(mdf, programme.currency, asked).into_iter().cloned().collect())
    }

    /// A rate is needed where a step depends on the amount.
    async fn converted(&self, tx: &DatabaseTransaction, asked_minor: i64, currency: Currency, mdf: &Mdf) -> Result<Exact, MdfError> {
        let to = self.programme().currency;
        if currency == to || mdf.approvals.iter().all(|step| step.over_minor.is_none()) {
            return Ok(currency.major(asked_minor));
        }
        let mut fx = Fx::new(to);
        let query = "SELECT dated_on, rate FROM fx WHERE to_currency = ? AND from_currency = ? AND dated_on <= ? ORDER BY dated_on DESC LIMIT 1";
        for row in rows(tx, query, vec![to.code().into(), currency.code().into(), self.day.to_string().into()]).await? {
            let text = row.string(1)?;
            let rate = text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "an exchange rate" })?;
            fx.record(currency, row.date(0)?, rate);
        }
        fx.convert(asked_minor, currency, self.day).map_err(|error| MdfError::Rate(error.to_string()))
    }

    /// The roles that the route of today's version names, for who may ask for and decide about campaigns: who approved by an earlier one is no
    /// approver any more.
    pub(super) fn roles(&self) -> Vec<&str> {
        let mdf = self.programme().mdf.iter();
        mdf.flat_map(|mdf| &mdf.approvals).flat_map(|step| std::iter::once(&*step.role).chain(step.escalate_to.as_deref())).collect()
    }
}
