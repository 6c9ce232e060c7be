//! Where the partners' money goes: accounts that one person adds and another approves, two days before they are used.

use books::connection::Books;
use books::payouts::destinations::{self, New};
use books::payouts::due::{self, Due};
use books::users::{self, FINANCE, User};
use program::calendar::{Instant, Period};
use program::payout::Destination;
use sea_orm::DatabaseTransaction;

use super::DemoError;
use crate::ids;

/// Who adds accounts, and who approves them.
const PEOPLE: [(&str, &str); 2] = [("finance-1", "First of finance"), ("finance-2", "Second of finance")];
/// The time in which the partner can say that an account is not its own.
const COOLING_OFF_US: i64 = 48 * 3_600 * 1_000_000;

/// Adds and approves an account for each settlement of a month that is to be paid. The last partner is left without one, so that its
/// payouts are held.
pub(super) async fn open(books: &Books, program: &str, period: Period, added_at: Instant, approved_at: Instant) -> Result<(), DemoError> {
    let tx = books.begin_write().await?;
    for (id, name) in PEOPLE {
        users::add(&tx, &person(id, name), added_at).await?;
    }
    let due = due::due(&tx, program, period).await?;
    let without = due.last().map(|last| last.partner.clone());
    let mut added = Vec::new();
    for one in due.iter().filter(|one| Some(&one.partner) != without.as_ref()) {
        added.push(add(&tx, one, added_at).await?);
    }
    for id in added {
        destinations::approve(&tx, &id, PEOPLE[1].0, COOLING_OFF_US, approved_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn person(id: &str, name: &str) -> User {
    let email = format!("{id}@vendor.example");
    User { id: id.into(), email, name: name.into(), partner: None, roles: vec![FINANCE.into()], disabled: None }
}

async fn add(tx: &DatabaseTransaction, due: &Due, now: Instant) -> Result<String, DemoError> {
    let Due { partner, currency, .. } = due;
    let token = format!("tok_{partner}_{}", currency.code().to_lowercase());
    let destination = Destination::token(partner, &token)?;
    let new = New { id: &ids::new("dst"), partner, currency: *currency, destination: &destination };
    Ok(destinations::add(tx, new, PEOPLE[0].0, now).await?.id)
}
