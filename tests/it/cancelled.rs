//! A run that is cancelled takes nothing with it: what is due stays payable, and `verify` sees where nobody sees to it.

use crate::app::App;
use crate::broken_books::{assert_named, broken, three_months};
use crate::library::people;

fn what_is_due_stays_payable(app: &App) {
    three_months(app);
    people(app);
    app.ok("settlement release --program p --period 2026-04 --by fin");
    let runs = |status: &str| {
        app.access().texts(&format!(
            "SELECT key FROM workflow_runs WHERE workflow = 'payout' AND key LIKE 'p/2026-04/acme/%' AND status = '{status}' ORDER BY key"
        ))
    };
    assert_eq!(runs("ready"), ["p/2026-04/acme/USD"]);
    let cancel = "workflow cancel payout/p/2026-04/acme/USD --by op --reason mistake";
    let said = app.refused(cancel);
    assert!(said.contains("p/2026-04/acme/USD") && said.contains("settlement hold"), "{said}");

    // What must not be paid is held; then its run may go, and there is a new one when it may be paid after all.
    app.ok("settlement hold --program p --partner acme --period 2026-04 --reason dispute --by fin");
    app.ok(cancel);
    assert_eq!((runs("ready").len(), runs("cancelled").len()), (0, 1));
    assert_eq!(broken(app), [], "held: nobody has to see to it");
    let listed = app.ok("workflow list --status cancelled").stdout_text();
    let shown = app.ok("workflow show payout/p/2026-04/acme/USD").stdout_text();
    assert!(listed.contains(" cancelled ") && !listed.contains("cancelling"), "{listed}");
    assert!(shown.contains("cancelled") && !shown.contains("being cancelled"), "{shown}");
    app.ok("settlement unhold --program p --partner acme --period 2026-04 --reason settled --by fin");
    assert_eq!(runs("ready"), ["p/2026-04/acme/USD (again 1)"]);
    assert_eq!(broken(app), []);

    // As an older version left it behind.
    let copy = app.copy();
    copy.access().execute(
        "UPDATE workflow_runs SET status = 'cancelled', finished_at = created_at, wake_at = NULL WHERE key = 'p/2026-04/acme/USD (again 1)'",
    );
    assert_named(&copy, "runs.stall", "a settlement that is due and that nobody pays");
    copy.ok("settlement release --program p --period 2026-04 --by fin");
    let stalled = broken(&copy).iter().any(|(invariant, _)| *invariant == *"runs.stall");
    assert!(!stalled, "the next one who releases it starts another run");
}

on_both_databases!(what_is_due_stays_payable);
