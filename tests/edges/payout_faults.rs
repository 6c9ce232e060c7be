//! What a provider can do to us, and what we make of it. Whether money moved is asked of the provider's own books.

use std::time::Duration;

use tributary::config::Refusal;
use workflows::ports::{Certainty, PayoutPort, PortError, Word};

use crate::provider::{Double, SECRET, adapter, request, request_of};

const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn is_paid(word: &Result<Word, PortError>) -> bool {
    matches!(word, Ok(Word::Paid { provider_id: Some(id) }) if id.starts_with("tr_"))
}

#[tokio::test]
async fn what_may_have_been_paid_is_unknown_and_found_by_looking_it_up() {
    for mode in ["pay-then-hang", "pay-then-drop", "pay-then-error", "pay-then-garbage"] {
        let double = Double::start(&[mode, "pay"]);
        let port = double.adapter(Refusal::Failed, true);
        let asked = request("pay_1");
        let error = port.request(&asked).await.expect_err(mode);
        assert_eq!(error.certainty(), Certainty::Unknown, "{mode}: {error}");
        assert_eq!(double.effects("pay_1").await, (1, "25000.00".into()), "{mode}");
        assert!(is_paid(&port.look_up("pay_1").await), "{mode}");
        // And the same bytes under the same key pay nothing a second time.
        assert!(is_paid(&port.request(&asked).await), "{mode}");
        assert_eq!(double.effects("pay_1").await, (1, "25000.00".into()), "{mode}");
        assert_eq!(double.ledger().await["requests"], 2, "{mode}");
    }
}

#[tokio::test]
async fn what_was_not_paid_may_look_the_same() {
    for mode in ["hang", "drop", "status-500", "status-502", "status-503", "status-504", "status-408", "status-425", "status-204", "status-201"] {
        let double = Double::start(&[mode, "pay"]);
        let port = double.adapter(Refusal::Failed, true);
        let error = port.request(&request("pay_1")).await.expect_err(mode);
        assert_eq!(error.certainty(), Certainty::Unknown, "{mode}: {error}");
        assert_eq!(port.look_up("pay_1").await, Ok(Word::NotFound), "{mode}");
        assert_eq!(double.effects("pay_1").await, (0, String::new()), "{mode}");
    }
}

#[tokio::test]
async fn refusals_mean_what_the_configuration_says() {
    let double = Double::start(&["status-400", "status-402", "status-418", "status-400"]);
    let port = double.adapter(Refusal::Failed, false);
    for status in [400, 402, 418] {
        let error = port.request(&request("pay_1")).await.expect_err("refused");
        assert_eq!(error, PortError::Refused { status, reason: "as the plan says".into() });
    }
    let port = double.adapter(Refusal::Unknown, false);
    let error = port.request(&request("pay_1")).await.expect_err("refused");
    assert_eq!(error.certainty(), Certainty::Unknown);
}

#[tokio::test]
async fn mistakes_between_us_stop_everything_until_somebody_looks() {
    let double = Double::start(&["status-401", "status-403", "status-404", "status-405", "status-415", "status-422"]);
    for refusal in [Refusal::Failed, Refusal::Unknown] {
        double.plan(&["status-401", "status-403", "status-404", "status-405", "status-415", "status-422"], &[]).await;
        let port = double.adapter(refusal, false);
        for status in [401, 403, 404, 405, 415, 422] {
            let error = port.request(&request("pay_1")).await.expect_err("refused");
            assert_eq!(error, PortError::Stop { status, reason: "as the plan says".into() });
        }
    }
    // A key that the provider does not know, really.
    let port = adapter(&double.url(), OTHER_SECRET, Refusal::Failed, Duration::from_secs(20));
    assert!(matches!(port.request(&request("pay_1")).await, Err(PortError::Stop { status: 401, .. })));
    assert!(matches!(port.look_up("pay_1").await, Err(PortError::Stop { status: 401, .. })), "and no look-up says that it was never received");
}

#[tokio::test]
async fn a_conflict_is_looked_up_and_waiting_is_honoured() {
    let double = Double::start(&["status-409", "status-429", "pay"]);
    let port = double.adapter(Refusal::Failed, false);
    let conflict = port.request(&request("pay_1")).await.expect_err("a conflict");
    assert!(matches!(conflict, PortError::Conflict { .. }) && conflict.certainty() == Certainty::Unknown);
    let throttled = port.request(&request("pay_1")).await.expect_err("throttled");
    assert_eq!((throttled.certainty(), throttled.retry_after()), (Certainty::NotTaken, Some(Duration::from_secs(1))));
    assert!(is_paid(&port.request(&request("pay_1")).await));
}

#[tokio::test]
async fn redirects_are_failures_and_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let double = Double::start(&[&format!("status-{status}"), "pay"]);
        let port = double.adapter(Refusal::Failed, false);
        assert_eq!(port.request(&request("pay_1")).await, Err(PortError::Redirected { status }));
        assert_eq!(double.ledger().await["requests"], 1);
    }
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let mut double = Double::start(&["pay"]);
    let port = double.adapter(Refusal::Failed, false);
    let asked = request("pay_1");
    double.restart();
    // The port of the one that was killed is free now.
    let error = port.request(&asked).await.expect_err("nobody listens");
    assert!(matches!(error, PortError::NotSent { .. }) && error.certainty() == Certainty::NotTaken, "{error}");
    let elsewhere = adapter("https://10.0.0.1/payouts", SECRET, Refusal::Failed, Duration::from_secs(5));
    assert!(matches!(elsewhere.request(&asked).await, Err(PortError::NotSent { .. })));
}

#[tokio::test]
async fn look_ups_that_fail_say_nothing() {
    let double = Double::start(&["pay"]);
    let port = double.adapter(Refusal::Failed, true);
    assert!(is_paid(&port.request(&request("pay_1")).await));
    double.plan(&["pay"], &["status-500", "drop", "hang", "status-429", "pay"]).await;
    for _ in 0..3 {
        assert!(matches!(port.look_up("pay_1").await, Err(PortError::Unknown { .. })));
    }
    assert!(matches!(port.look_up("pay_1").await, Err(PortError::Throttled { .. })));
    assert!(is_paid(&port.look_up("pay_1").await));
}

#[tokio::test]
async fn the_provider_remembers_what_it_did_before_a_kill() {
    let mut double = Double::start(&["pay", "accept"]);
    let port = double.adapter(Refusal::Failed, false);
    let asked = request("pay_1");
    assert!(is_paid(&port.request(&asked).await));
    assert!(matches!(port.request(&request_of("pay_2", "7.00")).await, Ok(Word::Accepted { .. })));
    double.restart();
    let port = double.adapter(Refusal::Failed, false);
    assert!(is_paid(&port.request(&asked).await));
    assert!(matches!(port.look_up("pay_2").await, Ok(Word::Accepted { .. })));
    double.settle("pay_2", true).await;
    assert!(is_paid(&port.look_up("pay_2").await));
    double.settle("pay_2", false).await;
    assert!(matches!(port.look_up("pay_2").await, Ok(Word::Failed { reason, .. }) if reason == "returned by the bank"));
    assert_eq!(double.effects("pay_1").await, (1, "25000.00".into()));
    assert_eq!(double.effects("pay_2").await, (1, "7.00".into()));
    let journal = std::fs::read_to_string(double.journal()).expect("a journal");
    assert_eq!(journal.lines().filter(|line| line.contains(r#""event":"request""#)).count(), 3);
}

#[tokio::test]
async fn keys_and_ids_that_can_t_be_sent_are_refused_before_anything_is() {
    let double = Double::start(&["pay"]);
    let port = double.adapter(Refusal::Failed, false);
    let good = request("pay_1");
    for (payout, key) in [("pay_1", ""), ("pay_1", "a\r\nx: y"), ("pay_1", "schlüssel"), ("pay/1", "k"), ("../pay_1", "k"), ("", "k"), ("pay.1", "k")]
    {
        let mut asked = good.clone();
        (asked.payout, asked.idempotency_key) = (payout.into(), key.into());
        let error = port.request(&asked).await.expect_err(key);
        assert!(matches!(error, PortError::Unusable { .. }), "{payout} {key}: {error}");
    }
    assert!(matches!(port.look_up("../control/ledger").await, Err(PortError::Unusable { .. })));
    assert_eq!(double.ledger().await["requests"], 0);
}
