//! `tributary verify` sees what should never be of claims: each is broken on purpose, past the application and its triggers, and is named; and
//! what the database alone refuses.

use program::mdf::Verdict;
use program::payout::Word;

use crate::app::App;
use crate::broken_books::{assert_named, broken};
use crate::claims::{approve, pay, say, submit, world};
use crate::library::{day, hear, request, said};

/// A paid claim, an approved one, one that waits for its second step with a lower amount, and a rejected one.
fn decided(app: &App) {
    world(app);
    submit(app, "CL-1", 2_400_000);
    approve(app, "CL-1", "jo");
    approve(app, "CL-1", "fin");
    pay(app, "CL-1", 1);
    request(app, 1, "webhook");
    hear(app, 1, said(Word::Paid, books::payouts::record::Source::Answer));
    submit(app, "CL-2", 400_000);
    approve(app, "CL-2", "jo");
    submit(app, "CL-3", 3_000_000);
    say(app, "CL-3", "al", Verdict::Approve { amount_minor: Some(1_200_000) }, day(0)).expect("an approval counts");
    submit(app, "CL-4", 100_000);
    say(app, "CL-4", "jo", Verdict::Reject, day(0)).expect("a rejection counts");
}

/// What breaks which invariant. Each begins from the same sound books.
const BREAKS: [(&str, &str, &[&str]); 32] = [
    ("ledger.5", "a hold that is gone", &["DELETE FROM claim_moves WHERE claim = 'CL-2'"]),
    ("ledger.5", "a hold that ended twice", &["UPDATE claims SET status = 'approved', reason = NULL WHERE id = 'CL-4'"]),
    ("ledger.5", "more held than claims ask for", &["UPDATE wallets SET held_minor = held_minor + 1 WHERE partner = 'acme' AND currency = 'USD'"]),
    ("ledger.5", "a capture of more than was held", &["UPDATE claim_moves SET amount_minor = amount_minor + 1 WHERE act = 'captured'"]),
    ("ledger.5", "a hold of no claim", &["UPDATE lot_draws SET reference = 'CL-9' WHERE reference = 'CL-2'"]),
    ("ledger.5", "a hold that the ledger does not have", &["UPDATE claim_moves SET posted = 'settlement/x' WHERE claim = 'CL-2'"]),
    (
        "ledger.4",
        "a wallet debited without a capture",
        &["UPDATE wallets SET balance_minor = balance_minor - 1 WHERE partner = 'acme' AND currency = 'USD'"],
    ),
    ("approval.20", "a decision of somebody without the role", &["UPDATE claim_decisions SET person = 'op' WHERE claim = 'CL-2'"]),
    ("approval.20", "a decision in another role", &["UPDATE claim_decisions SET role = 'finance' WHERE claim = 'CL-2'"]),
    ("approval.20", "a decision of the submitter", &["UPDATE claims SET submitted_by = 'jo' WHERE id = 'CL-2'"]),
    ("approval.20", "a decision of who added to it", &["UPDATE claim_rounds SET begun_by = 'jo' WHERE claim = 'CL-2'"]),
    ("approval.20", "a decision of somebody who benefits", &["UPDATE claim_decisions SET person = 'pat' WHERE claim = 'CL-2'"]),
    ("approval.20", "a decision of somebody disabled", &["UPDATE claim_decisions SET person = 'gone', at = at + 1 WHERE claim = 'CL-2'"]),
    ("approval.20", "one person for two steps", &["DROP_UNIQUE", "UPDATE claim_decisions SET person = 'al' WHERE claim = 'CL-1'"]),
    ("approval.20", "a step out of order", &["DELETE FROM claim_decisions WHERE claim = 'CL-1' AND ordinal = 1"]),
    ("approval.20", "a decision after its time", &["UPDATE claim_steps SET due_at = opened_at WHERE claim = 'CL-2'"]),
    (
        "approval.20",
        "an approved claim that a step has not approved",
        &["UPDATE claim_steps SET status = 'pending', opened_at = NULL, due_at = NULL WHERE claim = 'CL-2'"],
    ),
    ("approval.20", "two decisions that were turned", &["UPDATE claim_steps SET status = 'rejected' WHERE claim = 'CL-2'"]),
    ("approval.20", "a claim that waits for nobody", &["UPDATE claim_steps SET status = 'void' WHERE claim = 'CL-3' AND status = 'waiting'"]),
    ("approval.20", "a campaign that was never approved", &["UPDATE campaigns SET status = 'rejected' WHERE id = 'webinar'"]),
    ("approval.20", "a campaign approved by somebody of the partner", &["UPDATE campaigns SET decided_by = 'pat' WHERE id = 'webinar'"]),
    ("durability.25", "a decision by a message that nobody knows", &["UPDATE claim_decisions SET via = 'webhook' WHERE claim = 'CL-2'"]),
    (
        "durability.25",
        "a message that decided what another way decided",
        &["INSERT INTO decision_events (event, body_digest, claim, person, outcome, round, ordinal, answer, received_at) \
           VALUES ('evt_1', 'sha256:0', 'CL-2', 'jo', 'decided', 1, 1, '{}', 0)"],
    ),
    ("approval.21", "a decision about something else", &["UPDATE claim_decisions SET digest = 'sha256:0' WHERE claim = 'CL-1' AND ordinal = 2"]),
    ("approval.21", "a round with other receipts", &["UPDATE claim_rounds SET receipts_minor = receipts_minor + 2 WHERE claim = 'CL-1'"]),
    ("approval.21", "a round with another destination", &["UPDATE claim_rounds SET destination = 'sha256:0' WHERE claim = 'CL-1'"]),
    (
        "approval.21",
        "a document that nobody was shown",
        &[
            "INSERT INTO claim_proofs (claim, sha256, name, media_type, bytes, round, by_user, at) VALUES ('CL-1', 'sha256:0', 'x', 'text/plain', 1, 1, 'sue', 1)",
        ],
    ),
    ("approval.21", "a step that was shown another amount", &["UPDATE claim_decisions SET shown_minor = shown_minor + 1 WHERE claim = 'CL-3'"]),
    (
        "approval.22",
        "more captured than approved",
        &["UPDATE claim_decisions SET amount_minor = amount_minor - 1 WHERE claim = 'CL-1' AND ordinal = 2"],
    ),
    ("approval.22", "a budget that was passed", &["UPDATE campaigns SET budget_minor = committed_minor - 1 WHERE id = 'webinar'"]),
    ("approval.22", "a budget that does not know its claims", &["UPDATE campaigns SET committed_minor = 0 WHERE id = 'webinar'"]),
    ("durability.29", "a claim on another member's wallet", &["UPDATE claims SET partner = 'beta' WHERE id = 'CL-2'"]),
];

fn verify_names_what_is_broken_of_claims(app: &App) {
    decided(app);
    assert_eq!(broken(app), []);
    for (invariant, what, statements) in BREAKS {
        // A key of the table itself can't be dropped on SQLite: there the database alone refuses it.
        if statements[0] == "DROP_UNIQUE" && app.access().is_sqlite() {
            continue;
        }
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            if books.is_sqlite() {
                books.execute("PRAGMA ignore_check_constraints = ON");
            }
            for statement in statements {
                if *statement == "DROP_UNIQUE" {
                    books.execute("ALTER TABLE claim_decisions DROP CONSTRAINT claim_decisions_claim_round_person_key");
                    continue;
                }
                if let Err(error) = books.try_execute(statement) {
                    // PostgreSQL keeps its checks on whatever is switched off.
                    drop_checks(books);
                    assert!(books.execute(statement) > 0, "{what}: {statement}: {error}");
                }
            }
        });
        assert_named(&copy, invariant, what);
    }
}

fn drop_checks(books: &crate::database::Access) {
    for table in ["claims", "claim_decisions", "claim_steps", "campaigns", "claim_rounds"] {
        let query = format!("SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass");
        for name in books.texts(&query) {
            books.execute(&format!("ALTER TABLE {table} DROP CONSTRAINT {name}"));
        }
    }
}

/// What is refused of claims, whatever the application does.
const REFUSED: [&str; 24] = [
    "UPDATE claims SET amount_minor = amount_minor + 1, revision = revision + 1 WHERE id = 'CL-3'",
    "UPDATE claims SET amount_minor = amount_minor - 1, revision = revision + 1 WHERE id = 'CL-1'",
    "UPDATE claims SET partner = 'beta', revision = revision + 1 WHERE id = 'CL-3'",
    "UPDATE claims SET campaign = 'other', revision = revision + 1 WHERE id = 'CL-3'",
    "UPDATE claims SET receipts_minor = receipts_minor + 1, revision = revision + 1 WHERE id = 'CL-3'",
    "UPDATE claims SET status = 'awaiting_approval', revision = revision + 1 WHERE id = 'CL-1'",
    "UPDATE claims SET status = 'cancelled', reason = 'x', revision = revision + 1 WHERE id = 'CL-1'",
    "UPDATE claims SET status = 'paying', revision = revision + 1 WHERE id = 'CL-3'",
    "UPDATE claims SET status = 'submitted', revision = revision + 1 WHERE id = 'CL-4'",
    "UPDATE claims SET reason = 'x' WHERE id = 'CL-3'",
    "DELETE FROM claims WHERE id = 'CL-4'",
    "UPDATE claim_moves SET amount_minor = 1",
    "DELETE FROM claim_moves",
    "UPDATE claim_rounds SET destination = NULL",
    "UPDATE claim_decisions SET amount_minor = 1",
    "DELETE FROM claim_decisions",
    "UPDATE claim_steps SET role = 'x' WHERE claim = 'CL-3'",
    "UPDATE claim_steps SET status = 'waiting' WHERE claim = 'CL-2'",
    "UPDATE claim_steps SET due_at = due_at + 1 WHERE claim = 'CL-3' AND status = 'waiting'",
    "UPDATE campaigns SET budget_minor = budget_minor + 1, revision = revision + 1",
    "UPDATE campaigns SET committed_minor = budget_minor + 1, revision = revision + 1",
    "UPDATE campaigns SET status = 'requested', decided_by = NULL, decided_at = NULL, revision = revision + 1",
    "UPDATE campaign_acts SET by_user = 'op'",
    "DELETE FROM campaigns",
];

/// Decisions that keys and checks alone refuse: of CL-3 the first step is decided by al, the second waits.
const DECISIONS: [(&str, &str); 5] = [
    ("the same person", "2, 'approve', 'al', 'finance', 'sue', 1200000, 1200000, 1, 'approve'"),
    ("the submitter", "2, 'approve', 'sue', 'finance', 'sue', 1200000, 1200000, 1, 'approve'"),
    ("a higher amount", "2, 'approve', 'fin', 'finance', 'sue', 1200000, 1200001, 1, 'approve'"),
    ("out of order", "2, 'approve', 'fin', 'finance', 'sue', 1200000, 1200000, NULL, NULL"),
    ("another submitter", "2, 'approve', 'fin', 'finance', 'op', 1200000, 1200000, 1, 'approve'"),
];

fn the_database_alone_refuses(app: &App) {
    decided(app);
    let books = app.access();
    for statement in REFUSED {
        assert!(books.try_execute(statement).is_err(), "{statement} was taken");
    }
    for (what, values) in DECISIONS {
        let (before, after) = values.split_at(values.rfind(", 1, ").or_else(|| values.rfind(", NULL, ")).expect("the step before"));
        let insert = format!(
            "INSERT INTO claim_decisions (claim, round, ordinal, decision, person, role, submitted_by, shown_minor, amount_minor, digest, via, at, \
             previous, previous_decision) VALUES ('CL-3', 1, {before}, 'd', 'command', 1{after})"
        );
        assert!(books.try_execute(&insert).is_err(), "{what} was taken: {insert}");
    }
}

on_both_databases!(verify_names_what_is_broken_of_claims, the_database_alone_refuses);
