//! A month that several runs settle: what one has frozen or rated, another neither opens again nor takes for final.

use books::settlement::SettleError;
use books::settlement::freeze::{self, Frozen, Stage};
use books::settlement::run;
use program::calendar::Period;

use crate::app::App;
use crate::broken_books::three_months;
use crate::database::assert_same;
use crate::library::{RUNTIME, act, day, open};

fn month(text: &str) -> Period {
    text.parse().expect("a period")
}

fn frozen(app: &App, period: &str) -> Result<Frozen, SettleError> {
    act(app, async |tx| freeze::freeze(tx, "p", month(period), day(0)).await)
}

fn thaw(app: &App, frozen: Frozen) -> bool {
    act(app, async |tx| freeze::thaw(tx, "p", frozen).await).expect("the database answers")
}

/// A run that was stopped between its error and its thaw, and goes on when another has rated the month.
fn what_another_has_rated_stays_rated(app: &App) {
    three_months(app);
    let first = frozen(app, "2026-07").expect("it is the next month");
    app.import("invoices", "id,customer,deal,partner,currency,subtotal,paid_at\nA4,c1,D1,,USD,1000.00,2026-07-10T10:00:00Z");
    assert!(thaw(app, first), "nobody else has touched it");
    RUNTIME.block_on(async { run::rate_period(&open(&app.url()).await, "p", month("2026-07"), day(0)).await }).expect("it is rated");
    let rated = frozen(app, "2026-07").expect("it is found");
    assert_eq!(rated.stage, Stage::Rated);
    assert!(rated.cutoff > first.cutoff);
    let before = app.access().dump();
    assert!(!thaw(app, first), "it is no longer what it was");
    assert!(!thaw(app, rated), "it has come further");
    assert_same(&before, &app.access().dump(), "a late thaw");
    app.settle("p", "2026-07");
    assert!(!thaw(app, rated), "it is final");
    app.assert_verified();
}

/// A run that finds a month frozen which the other then opens again.
fn what_was_opened_again_is_not_final(app: &App) {
    three_months(app);
    let stage = |period: &str| act(app, async |tx| freeze::lock(tx, "p", month(period)).await).map(|frozen| frozen.stage);
    assert_eq!(stage("2026-06").expect("it is there"), Stage::Final);
    let first = frozen(app, "2026-07").expect("it is the next month");
    assert_eq!(stage("2026-07").expect("it is there"), Stage::Frozen);
    assert!(thaw(app, first));
    assert!(matches!(stage("2026-07"), Err(SettleError::Reopened { .. })));
    let closed = RUNTIME.block_on(async { run::close_period(&open(&app.url()).await, "p", month("2026-07"), day(0)).await });
    assert!(matches!(closed, Err(SettleError::Reopened { .. })), "{closed:?}");
    assert!(matches!(frozen(app, "2026-08"), Err(SettleError::OutOfOrder { .. })), "July is open");
    assert_eq!(app.access().number("SELECT COUNT(*) FROM periods WHERE period > '2026-06'"), 0);
    app.settle("p", "2026-08");
    app.assert_verified();
}

on_both_databases!(what_another_has_rated_stays_rated, what_was_opened_again_is_not_final);
