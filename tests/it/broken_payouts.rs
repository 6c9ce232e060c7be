//! `tributary verify` sees what should never be of payouts, messages and the audit log: each is broken on purpose, past the application and
//! its triggers, and is named.

use books::payouts::inbound::{self, Message};
use books::payouts::record::Source;
use program::payout::Word;

use crate::app::App;
use crate::broken_books::{assert_named, broken, three_months};
use crate::library::{act, day, destination, hear, id, intend, people, request, said};

/// One payout paid by a provider's message, one that waits for its provider, a release and a hold.
pub(crate) fn paid(app: &App) {
    three_months(app);
    people(app);
    destination(app, "D1", "acme", "tok_acme_0001");
    destination(app, "D2", "top", "tok_top_0001");
    app.ok("settlement release --program p --period 2026-04 --by fin");
    app.ok("settlement hold --program p --partner beta --period 2026-07 --reason dispute --by fin");
    intend(app, crate::library::of("acme", "2026-04"), 1);
    request(app, 1, "webhook");
    let payout = id(1).to_string();
    let message = Message {
        provider: "webhook",
        event: "ev1",
        body_digest: "d",
        payout: &payout,
        word: Some(Word::Paid),
        provider_id: Some("po_1"),
        reason: None,
    };
    act(app, async |tx| inbound::record(tx, &message, day(0)).await).expect("a message is recorded");
    intend(app, crate::library::of("acme", "2026-05"), 2);
    request(app, 2, "webhook");
    hear(app, 2, said(Word::Accepted, Source::Answer));
}

/// What breaks which invariant. Each begins from the same sound books.
const BREAKS: [(&str, &str, &[&str]); 26] = [
    ("payout.15", "a payout of more than its settlement", &["UPDATE payouts SET amount_minor = amount_minor + 1 WHERE status = 'paid'"]),
    ("payout.15", "other bytes", &["UPDATE payouts SET request = REPLACE(request, '150.00', '250.00') WHERE status = 'paid'"]),
    ("payout.15", "another digest of the bytes", &["UPDATE payouts SET request_digest = 'sha256:0' WHERE status = 'paid'"]),
    ("payout.15", "another destination than the bytes name", &["UPDATE payouts SET destination_digest = 'sha256:0' WHERE status = 'paid'"]),
    ("payout.15", "a reference to another settlement", &["UPDATE payouts SET reference = 'p/2026-06/acme/USD' WHERE status = 'paid'"]),
    ("payout.15", "no key against a second live payout", &["DROP INDEX payouts_live"]),
    (
        "payout.15",
        "a second live payout",
        &[
            "DROP INDEX payouts_live_of_settlement",
            "UPDATE payouts SET period = '2026-04', reference = 'p/2026-04/acme/usd' WHERE status = 'requested'",
        ],
    ),
    (
        "payout.15",
        "a retry of what has not failed",
        &["UPDATE payouts SET retried_from = (SELECT id FROM payouts WHERE status = 'paid') WHERE status = 'requested'"],
    ),
    ("payout.16", "a request before its intent", &["UPDATE payouts SET requested_at = intended_at - 1 WHERE status = 'paid'"]),
    ("payout.16", "a request without an intent", &["UPDATE payout_events SET word = 'guessed' WHERE word = 'intended'"]),
    ("payout.17", "a paid payout that is requested again", &["UPDATE payouts SET status = 'requested', ended_at = NULL WHERE status = 'paid'"]),
    ("payout.17", "a history with a gap", &["DELETE FROM payout_events WHERE word = 'requested'"]),
    ("payout.17", "a history without its end", &["DELETE FROM payout_events WHERE word = 'paid'"]),
    (
        "payout.17",
        "a paid payout that we failed ourselves",
        &[
            "INSERT INTO payout_events (payout, ordinal, at, source, word, ruling, status_before, status_after) \
             SELECT id, revision + 1, 1, 'ours', 'failed', 'moved', 'paid', 'failed' FROM payouts WHERE status = 'paid'",
            "UPDATE payouts SET status = 'failed', reason = 'x', revision = revision + 1 WHERE status = 'paid'",
        ],
    ),
    ("payout.18", "a paid payout that the ledger has in transit", &["UPDATE postings SET account = 'payouts:in-transit' WHERE account = 'cash'"]),
    ("payout.18", "a payout that was not paid", &["UPDATE payouts SET status = 'unknown', ended_at = NULL WHERE status = 'paid'"]),
    ("payout.18", "a transaction of no payout", &["UPDATE transactions SET id = REPLACE(id, '1/paid', '9/paid') WHERE kind = 'payout_paid'"]),
    ("payout.19", "a message about nothing that is applied", &["UPDATE inbound_events SET payout = 'pay_nobody'"]),
    ("payout.19", "a message about a payout that is ignored", &["UPDATE inbound_events SET state = 'ignored', applied_at = NULL"]),
    ("durability.25", "a message without its effect", &["UPDATE payout_events SET event = NULL WHERE event IS NOT NULL"]),
    ("durability.28", "an entry that was changed", &["UPDATE audit_log SET detail = '{}' WHERE act = 'payout.paid'"]),
    ("durability.28", "an entry that is gone", &["DELETE FROM audit_log WHERE no = (SELECT MIN(no) FROM audit_log)"]),
    ("durability.28", "the last seal gone", &["DELETE FROM audit_seals WHERE position = (SELECT MAX(position) FROM audit_seals)"]),
    (
        "durability.28",
        "two entries changed places",
        &["UPDATE audit_seals SET entry = -entry", "UPDATE audit_seals SET entry = CASE entry WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE -entry END"],
    ),
    (
        "durability.28",
        "an entry that waits for its seal too long",
        &[
            "INSERT INTO audit_log (at, act, subject, detail) VALUES (1, 'x', 'y', '{}')",
            "INSERT INTO audit_pending (entry) SELECT MAX(no) FROM audit_log",
        ],
    ),
    ("durability.29", "a destination of another partner", &["UPDATE payouts SET destination = 'D2' WHERE status = 'paid'"]),
];

fn verify_names_what_is_broken_of_payouts(app: &App) {
    paid(app);
    assert_eq!(broken(app), []);
    for (invariant, what, statements) in BREAKS {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            for statement in statements {
                assert!(books.execute(statement) > 0 || statement.starts_with("DROP"), "{what}: {statement} changes nothing");
            }
        });
        assert_named(&copy, invariant, what);
    }
}

fn verify_misses_the_guards_that_are_gone(app: &App) {
    paid(app);
    let of_sqlite = ["DROP TRIGGER payouts_guarded_update", "DROP TRIGGER audit_log_final_delete", "DROP TRIGGER inbound_events_guarded_delete"];
    let of_postgres = [
        "DROP TRIGGER payouts_guarded ON payouts",
        "DROP TRIGGER audit_log_final ON audit_log",
        "DROP TRIGGER inbound_events_guarded ON inbound_events",
    ];
    let is_sqlite = app.access().is_sqlite();
    for (statement, invariant) in (if is_sqlite { of_sqlite } else { of_postgres }).into_iter().zip(["payout.17", "durability.28", "durability.25"]) {
        let copy = app.copy();
        copy.access().execute(statement);
        assert_named(&copy, invariant, statement);
    }
}

on_both_databases!(verify_names_what_is_broken_of_payouts, verify_misses_the_guards_that_are_gone);
