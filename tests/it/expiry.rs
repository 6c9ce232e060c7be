//! Lots that expire by a schedule before their period is made final, and certificates that end soon.

use books::{certifications, wallet};
use program::calendar::{Date, Instant, parse_date};

use crate::app::App;
use crate::broken_books::PROGRAMME;
use crate::library::act;

fn on(text: &str) -> Date {
    parse_date(text).expect("a date")
}

/// Two lots of 20.00 and 40.00 that end on 2026-07-10 and 2026-08-10.
fn two_lots(app: &App) {
    app.apply(&PROGRAMME.replace("[settlement]", "[coop]\nexpires_after_months = 3\n\n[settlement]"));
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,gold,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
    app.import(
        "invoices",
        "id,customer,partner,currency,subtotal,paid_at\nA1,c1,acme,USD,1000.00,2026-04-10T10:00:00Z\nA2,c1,acme,USD,2000.00,2026-05-10T10:00:00Z",
    );
    app.settle("p", "2026-06");
}

fn expire(app: &App, day: &str, now: &str) -> usize {
    let now: Instant = now.parse().expect("an instant");
    act(app, async |tx| wallet::expire_until(tx, "p", on(day), now).await).expect("lots expire")
}

fn balance(app: &App) -> i64 {
    app.access().number("SELECT balance_minor FROM wallets WHERE partner = 'acme'")
}

fn a_schedule_expires_what_its_period_would(app: &App) {
    two_lots(app);
    let apart = app.copy();
    assert_eq!(balance(app), 6_000);
    assert_eq!(expire(app, "2026-07-09", "2026-07-20T00:00:00Z"), 0);
    assert_eq!(expire(app, "2026-08-31", "2026-07-09T23:00:00Z"), 0, "a day to come has not ended");
    assert_eq!((expire(app, "2026-07-10", "2026-07-20T00:00:00Z"), balance(app)), (1, 4_000));
    let before = app.access().dump();
    assert_eq!(expire(app, "2026-07-15", "2026-07-20T00:00:00Z"), 0);
    crate::database::assert_same(&before, &app.access().dump(), "expiring again");
    app.assert_verified();
    // What is booked late on the same day's lot expires with its period, beside the first.
    for app in [app, &apart] {
        app.import("invoices", "id,customer,partner,currency,subtotal,paid_at\nA3,c1,acme,USD,500.00,2026-04-10T11:00:00Z");
        app.settle("p", "2026-08");
    }
    assert_eq!((balance(app), balance(&apart)), (0, 0));
    let expired =
        "SELECT CAST(SUM(amount_minor) AS TEXT) || ' ' || dated_on FROM lot_draws WHERE kind = 'expiry' GROUP BY dated_on ORDER BY dated_on";
    assert_eq!(app.access().texts(expired), apart.access().texts(expired));
    let ids = app.access().texts("SELECT id FROM transactions WHERE kind = 'expiry' ORDER BY id");
    assert_eq!(ids, ["expiry/p/acme/USD/2026-07-10", "expiry/p/acme/USD/2026-07-10/2", "expiry/p/acme/USD/2026-08-10"]);
    apart.finish();
}

fn certificates_that_end_soon_are_found(app: &App) {
    app.apply(PROGRAMME);
    app.import("partners", "id,name,email,program,tier,tier_since\nacme,Acme,a@example.com,p,gold,2026-01-01");
    app.import(
        "certifications",
        "id,partner,certification,holder,issued_on,expires_on,revoked_on
         c1,acme,sales,ann,2026-01-01,2026-07-01,
         c2,acme,sales,bob,2026-01-01,2026-07-02,
         c3,acme,sales,bob,2026-06-01,2027-07-02,
         c4,acme,sales,cat,2026-01-01,2026-07-03,2026-06-01
         c5,acme,sales,dan,2026-01-01,2026-09-01,",
    );
    let found = |day: &str, days: u32| -> Vec<String> {
        act(app, async |tx| certifications::expiring(tx, on(day), days, "", 100).await).expect("a look").into_iter().map(|one| one.id).collect()
    };
    assert_eq!(found("2026-06-15", 30), ["c1"]);
    assert_eq!(found("2026-06-15", 15), Vec::<String>::new());
    assert_eq!(found("2026-06-15", 90), ["c1", "c5"]);
    assert_eq!(found("2026-07-01", 90), ["c5"], "what has ended is not ending");
}

on_both_databases!(a_schedule_expires_what_its_period_would, certificates_that_end_soon_are_found);
