//! The books through the library, on the database of an [`App`]: what workflows will do, beside what commands do.

use std::sync::LazyLock;

use books::connection::Books;
use books::payouts::hear::{Said, provider_says};
use books::payouts::intend::{self, Names, Purpose};
use books::payouts::limits::Limits;
use books::payouts::record::Source;
use books::payouts::{PayoutError, destinations, request};
use books::release::Whose;
use program::calendar::Instant;
use program::payout::{Destination, Payout, PayoutId, Ruling, Word};
use sea_orm::DatabaseTransaction;
use tokio::runtime::Runtime;

use crate::app::App;

pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made"));

/// The moment of the commands' clock, and days after it.
pub(crate) fn day(after: i64) -> Instant {
    let clock: Instant = "2027-01-15T12:00:00Z".parse().expect("an instant");
    Instant(clock.0 + after * 86_400_000_000)
}

pub(crate) async fn open(url: &str) -> Books {
    Books::open(url).await.expect("the database opens")
}

/// Runs `work` in a transaction, commits what is well, and seals the audit log as a command does.
pub(crate) fn act<T, E>(app: &App, work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>) -> Result<T, E> {
    RUNTIME.block_on(async {
        let books = open(&app.url()).await;
        let tx = books.begin_write().await.expect("a transaction begins");
        let done = work(&tx).await;
        match &done {
            Ok(_) => tx.commit().await.expect("a transaction is committed"),
            Err(_) => tx.rollback().await.expect("a transaction is rolled back"),
        }
        books::audit::seal::seal_all(&books, day(0)).await.expect("the audit log is sealed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
        done
    })
}

/// A payout's id; each number another one.
pub(crate) fn id(number: u64) -> PayoutId {
    format!("pay_0190b6a2-7c3d-7e4f-8a5b-{number:012x}").parse().expect("an id")
}

/// A settlement of the programme `p` for a month of 2026, in US dollars.
pub(crate) fn of<'a>(partner: &'a str, month: &str) -> Whose<'a> {
    Whose { program: "p", partner, period: month.parse().expect("a period") }
}

pub(crate) fn try_intend(app: &App, whose: Whose<'_>, number: u64, now: Instant, limits: &Limits) -> Result<Payout, PayoutError> {
    let (id, key) = (id(number), format!("key-{number}"));
    let purpose = Purpose::Settlement { whose, currency: "USD".parse().expect("a currency") };
    act(app, async |tx| intend::intend(tx, purpose, Names { id: &id, key: &key, workflow: None }, now, limits).await)
}

pub(crate) fn intend(app: &App, whose: Whose<'_>, number: u64) -> Payout {
    try_intend(app, whose, number, day(0), &Limits::default()).expect("a payout is made")
}

pub(crate) fn request(app: &App, number: u64, provider: &str) -> Payout {
    act(app, async |tx| request::request(tx, &id(number), provider, day(0)).await).expect("a payout is requested")
}

pub(crate) fn reconsider(app: &App, number: u64, now: Instant, limits: &Limits) -> Payout {
    act(app, async |tx| intend::reconsider(tx, &id(number), now, limits).await).expect("a payout is looked at again")
}

/// What the provider `webhook` says.
pub(crate) fn said(word: Word, source: Source) -> Said<'static> {
    Said { word, source, provider: "webhook", provider_id: None, reason: Some("told so"), event: None, by: None }
}

pub(crate) fn hear(app: &App, number: u64, said: Said<'_>) -> (Payout, Ruling) {
    act(app, async |tx| provider_says(tx, &id(number), &said, day(0)).await).expect("a word is heard")
}

/// People, and a destination of a partner in US dollars that is usable at once.
pub(crate) fn people(app: &App) {
    for (id, role) in [("fin", "finance"), ("fin2", "finance"), ("op", "ops")] {
        app.ok(&format!("user add --id {id} --email {id}@example.com --role {role}"));
    }
}

pub(crate) fn destination(app: &App, id: &str, partner: &str, token: &str) {
    let destination = Destination::token(partner, token).expect("a destination");
    let new = destinations::New { id, partner, currency: "USD".parse().expect("a currency"), destination: &destination };
    act(app, async |tx| {
        destinations::add(tx, new, "op", day(-3)).await?;
        destinations::approve(tx, id, "fin", 0, day(-3)).await
    })
    .expect("a destination is approved");
}

/// Balances of the accounts that payouts of a partner move, minor units of US dollars: payable, in transit, cash.
pub(crate) fn balances(app: &App, partner: &str) -> [i64; 3] {
    let of = |account: &str| {
        app.access()
            .number(&format!("SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM postings WHERE account = '{account}' AND currency = 'USD'"))
    };
    [of(&format!("partner:{partner}:p:payable")), of("payouts:in-transit"), of("cash")]
}
