//! The kit's three plays, on each process.

use durable::kit::{crash_at_every_step, fail_and_unwind, repeat_every_step};
use workflows::certification_notices::NoticesInput;
use workflows::lot_expiry::ExpiryInput;
use workflows::payout::PayoutInput;
use workflows::recertification::ReviewInput;
use workflows::settlement_run::SettlementInput;
use workflows::{CertificationNotices, LotExpiry, PayoutRun, Recertification, SettlementRun};

use crate::claims::{ClaimStage, Word};
use crate::journals;
use crate::provider::Mood;
use crate::world::{Before, Stage};

fn date(text: &str) -> program::calendar::Date {
    text.parse().expect("a date")
}

fn payout() -> PayoutInput {
    PayoutInput { program: "p".into(), partner: "acme".into(), period: "2026-04".into(), currency: "USD".into(), retry_of: None }
}

pub(crate) fn stage_of_payout(mood: Mood) -> Stage<PayoutRun> {
    Stage { before: Before::Settled, mood, key: payout().key(), input: payout }
}

fn settlement() -> SettlementInput {
    SettlementInput { program: "p".into(), period: "2026-04".into() }
}

/// The kit's plays of a stage, as the tests of a module.
macro_rules! plays {
    ($stage:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn crashes() {
            let report = crash_at_every_step(&$stage).await.unwrap_or_else(|error| panic!("{error}"));
            assert!(report.plays > report.steps.len(), "{report:?}");
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn repeats() {
            repeat_every_step(&$stage).await.unwrap_or_else(|error| panic!("{error}"));
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn failures() {
            fail_and_unwind(&$stage).await.unwrap_or_else(|error| panic!("{error}"));
        }
    };
}

/// `NAME::crashes`, `NAME::repeats` and `NAME::failures` of a stage, and `NAME::journals_of_all_releases_replay`.
macro_rules! bears_everything {
    ($($name:ident: $stage:expr;)+) => {$(
        mod $name {
            use super::*;

            plays!($stage);

            #[tokio::test(flavor = "multi_thread")]
            async fn journals_of_all_releases_replay() {
                journals::all_replay(stringify!($name), &$stage).await;
            }
        }
    )+};
}

bears_everything! {
    a_claim_that_is_paid: ClaimStage { mood: Mood::Pays, word: Word::Approves };
    a_claim_whose_payout_is_refused: ClaimStage { mood: Mood::Refuses, word: Word::Approves };
    a_claim_that_is_rejected: ClaimStage { mood: Mood::Pays, word: Word::Rejects };
    a_claim_that_is_changed_while_it_waits: ClaimStage { mood: Mood::Pays, word: Word::Adds };
    a_claim_that_nobody_decides: ClaimStage { mood: Mood::Pays, word: Word::Nothing };
    a_claim_that_is_escalated: ClaimStage { mood: Mood::Pays, word: Word::Escalates };
    a_claim_whose_payout_is_withdrawn: ClaimStage { mood: Mood::Pays, word: Word::Withdraws };
    a_payout_that_is_paid: stage_of_payout(Mood::Pays);
    a_payout_whose_answer_is_lost: stage_of_payout(Mood::PaysInSilence);
    a_payout_that_is_refused: stage_of_payout(Mood::Refuses);
    a_settlement: Stage::<SettlementRun> { before: Before::Recorded, mood: Mood::Pays, key: settlement().key(), input: settlement };
    a_review: Stage::<Recertification> {
        before: Before::Recorded, mood: Mood::Pays, key: "p/2026-04-01".into(),
        input: || ReviewInput { program: "p".into(), as_of: date("2026-04-01") },
    };
    an_expiry: Stage::<LotExpiry> {
        before: Before::Settled, mood: Mood::Pays, key: "p/2026-05-02".into(),
        input: || ExpiryInput { program: "p".into(), day: date("2026-05-02") },
    };
    notices: Stage::<CertificationNotices> {
        before: Before::Recorded, mood: Mood::Pays, key: "2026-05-02".into(),
        input: || NoticesInput { day: date("2026-05-02") },
    };
}
