//! The table `payouts`.

use program::calendar::{CalendarError, Instant, parse_date};
use program::money::{Currency, MoneyError};
use program::payout::{Kind, NotAPayoutId, Payout, PayoutId, State};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Select};

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payouts")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What it pays.
    pub kind: String,
    /// The settlement or claim.
    pub reference: String,
    /// The programme.
    pub program: String,
    /// Whom.
    pub partner: String,
    /// The settlement's period.
    pub period: Option<String>,
    /// Minor units.
    pub amount_minor: i64,
    /// The currency.
    pub currency: String,
    /// Its status.
    pub status: String,
    /// Why it is held, unknown or failed.
    pub reason: Option<String>,
    /// The destination.
    pub destination: Option<String>,
    /// Its digest.
    pub destination_digest: Option<String>,
    /// The key of its request.
    pub idempotency_key: String,
    /// The request's body.
    pub request: Option<String>,
    /// The body's SHA-256.
    pub request_digest: Option<String>,
    /// How often it was sent.
    pub attempts: i64,
    /// The adapter.
    pub provider: Option<String>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// The failed payout before it.
    pub retried_from: Option<String>,
    /// The run that sees to it.
    pub workflow: Option<String>,
    /// The day whose caps it counts in.
    pub counted_on: Option<String>,
    /// Who let it go over the caps.
    pub released_by: Option<String>,
    /// Microseconds since 1970 UTC.
    pub intended_at: i64,
    /// Microseconds since 1970 UTC.
    pub requested_at: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub ended_at: Option<i64>,
    /// How often it was changed.
    pub revision: i64,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which payouts.
pub trait Payouts: Sized {
    /// In a status, if one is named.
    #[must_use]
    fn in_status(self, status: Option<&str>) -> Self;
    /// For one settlement or claim.
    #[must_use]
    fn paying(self, kind: Kind, reference: &str) -> Self;
    /// Those that have not failed: one a settlement or claim at most.
    #[must_use]
    fn live(self) -> Self;
    /// The try after a failed payout.
    #[must_use]
    fn retrying(self, failed: &PayoutId) -> Self;
    /// Oldest first.
    #[must_use]
    fn in_order(self) -> Self;
    /// Latest first.
    #[must_use]
    fn latest_first(self) -> Self;
    /// By id, those after one.
    #[must_use]
    fn after(self, id: Option<&PayoutId>) -> Self;
    /// Nobody else changes them until the caller's transaction ends.
    #[must_use]
    fn locked(self) -> Self;
}

impl Payouts for Select<Entity> {
    fn in_status(self, status: Option<&str>) -> Self {
        match status {
            Some(status) => self.filter(Column::Status.eq(status)),
            None => self,
        }
    }

    fn paying(self, kind: Kind, reference: &str) -> Self {
        self.filter(Column::Kind.eq(kind.name())).filter(Column::Reference.eq(reference))
    }

    fn live(self) -> Self {
        self.filter(Column::Status.ne("failed"))
    }

    fn retrying(self, failed: &PayoutId) -> Self {
        self.filter(Column::RetriedFrom.eq(failed.as_str()))
    }

    fn in_order(self) -> Self {
        self.order_by_asc(Column::IntendedAt).order_by_asc(Column::Id)
    }

    fn latest_first(self) -> Self {
        self.order_by_desc(Column::IntendedAt).order_by_desc(Column::Id)
    }

    fn after(self, id: Option<&PayoutId>) -> Self {
        let ordered = self.order_by_asc(Column::Id);
        match id {
            Some(id) => ordered.filter(Column::Id.gt(id.as_str())),
            None => ordered,
        }
    }

    fn locked(self) -> Self {
        // SQLite has one writer and no such clause; SeaORM leaves it out there.
        self.lock_exclusive()
    }
}

/// A row that the product never wrote.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// An id can't be read.
    #[error("a payout's id can't be read")]
    Id(#[from] NotAPayoutId),
    /// A date or period can't be read.
    #[error("a payout's date can't be read")]
    Date(#[from] CalendarError),
    /// The currency can't be read.
    #[error("a payout's currency can't be read")]
    Currency(#[from] MoneyError),
    /// Kind or status can't be read.
    #[error("a payout's kind or status can't be read")]
    State,
}

impl TryFrom<Model> for Payout {
    type Error = RowError;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let currency: Currency = row.currency.parse()?;
        let text = |text: Option<String>| text.map(Into::into);
        Ok(Self {
            id: row.id.parse()?,
            kind: Kind::named(&row.kind).ok_or(RowError::State)?,
            reference: row.reference.into(),
            program: row.program.into(),
            partner: row.partner.into(),
            period: row.period.map(|period| period.parse()).transpose()?,
            amount_minor: row.amount_minor,
            currency,
            state: State::named(&row.status, row.reason.as_deref()).ok_or(RowError::State)?,
            destination: text(row.destination),
            destination_digest: text(row.destination_digest),
            idempotency_key: row.idempotency_key.into(),
            request: text(row.request),
            attempts: row.attempts,
            provider: text(row.provider),
            provider_id: text(row.provider_id),
            retried_from: row.retried_from.map(|id| id.parse()).transpose()?,
            workflow: text(row.workflow),
            counted_on: row.counted_on.map(|day| parse_date(&day)).transpose()?,
            released_by: text(row.released_by),
            intended_at: Instant(row.intended_at),
            requested_at: row.requested_at.map(Instant),
            ended_at: row.ended_at.map(Instant),
            revision: row.revision,
        })
    }
}
