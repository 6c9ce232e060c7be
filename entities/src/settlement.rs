//! The table `settlements`.

use program::calendar::{CalendarError, Period};
use program::money::{Currency, MoneyError};
use program::settlement::{Settlement, Totals};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, Select};

/// A settlement without its lines.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settlements")]
pub struct Model {
    /// The programme.
    #[sea_orm(primary_key, auto_increment = false)]
    pub program: String,
    /// The member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner: String,
    /// The currency.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// The period.
    #[sea_orm(primary_key, auto_increment = false)]
    pub period: String,
    /// Its status.
    pub status: String,
    /// The SHA-256 of its canonical JSON.
    pub digest: String,
    /// How many lines it has.
    pub lines: i64,
    /// Minor units.
    pub referred_revenue_minor: i64,
    /// Minor units.
    pub opening_balance_minor: i64,
    /// Minor units.
    pub cash_lines_minor: i64,
    /// Minor units.
    pub net_minor: i64,
    /// Minor units.
    pub cash_payout_minor: i64,
    /// Minor units.
    pub carried_forward_minor: i64,
    /// Minor units.
    pub coop_credit_minor: i64,
    /// Microseconds since 1970 UTC.
    pub final_at: i64,
}

/// None is followed by SeaORM: the schema's foreign keys hold.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which settlements.
pub trait Settlements: Sized {
    /// Of a programme, if one is named.
    #[must_use]
    fn of_program(self, program: Option<&str>) -> Self;
    /// Of a period, if one is named.
    #[must_use]
    fn of_period(self, period: Option<Period>) -> Self;
    /// Of a partner, if one is named.
    #[must_use]
    fn of_partner(self, partner: Option<&str>) -> Self;
    /// By programme, period, partner and currency (interface.md §3).
    #[must_use]
    fn in_order(self) -> Self;
}

impl Settlements for Select<Entity> {
    fn of_program(self, program: Option<&str>) -> Self {
        self.filter_if(program.map(|program| Column::Program.eq(program)))
    }

    fn of_period(self, period: Option<Period>) -> Self {
        self.filter_if(period.map(|period| Column::Period.eq(period.to_string())))
    }

    fn of_partner(self, partner: Option<&str>) -> Self {
        self.filter_if(partner.map(|partner| Column::Partner.eq(partner)))
    }

    fn in_order(self) -> Self {
        [Column::Program, Column::Period, Column::Partner, Column::Currency].into_iter().fold(self, QueryOrder::order_by_asc)
    }
}

trait FilterIf: QueryFilter {
    fn filter_if(self, condition: Option<sea_orm::sea_query::SimpleExpr>) -> Self {
        match condition {
            Some(condition) => self.filter(condition),
            None => self,
        }
    }
}

impl FilterIf for Select<Entity> {}

/// A row that the product never wrote.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The period can't be read.
    #[error("a settlement's period can't be read")]
    Period(#[from] CalendarError),
    /// The currency can't be read.
    #[error("a settlement's currency can't be read")]
    Currency(#[from] MoneyError),
}

impl TryFrom<Model> for Settlement {
    type Error = RowError;

    fn try_from(row: Model) -> Result<Self, Self::Error> {
        let currency: Currency = row.currency.parse()?;
        let totals = Totals {
            referred_revenue_minor: row.referred_revenue_minor,
            opening_balance_minor: row.opening_balance_minor,
            cash_lines_minor: row.cash_lines_minor,
            net_minor: row.net_minor,
            cash_payout_minor: row.cash_payout_minor,
            carried_forward_minor: row.carried_forward_minor,
            coop_credit_minor: row.coop_credit_minor,
        };
        Ok(Self { program: row.program.into(), partner: row.partner.into(), period: row.period.parse()?, currency, lines: Vec::new(), totals })
    }
}
