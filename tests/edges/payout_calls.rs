//! The provider's word by webhook, from the double in its own process to our service: early, twice, late and in the wrong order.

use std::time::Duration;

use tributary::config::Refusal;
use tributary::http::payouts::Said;
use workflows::ports::{PayoutPort, Word};

use crate::provider::{Double, request};
use crate::service::{Running, start};

/// No word takes longer than this.
const LIMIT: Duration = Duration::from_secs(30);

/// The ids of the words that came in, in order, once there are so many.
async fn words(running: &Running, count: usize) -> Vec<String> {
    let enough = async {
        loop {
            let calls = running.inbox.calls.lock().expect("no panic before").clone();
            if calls.len() >= count {
                return calls;
            }
            running.inbox.has_come.notified().await;
        }
    };
    tokio::time::timeout(LIMIT, enough).await.expect("the words come in")
}

fn double(running: &Running, mode: &str) -> Double {
    let callback = format!("http://{}/webhooks/payouts", running.address);
    Double::start_with(&[mode], &["--callback", &callback, "--late-ms", "300"])
}

#[tokio::test]
async fn words_come_in_whenever_the_provider_likes() {
    for (mode, ids) in [
        ("call-early", &["paid"][..]),
        ("call-after", &["paid"]),
        ("call-twice", &["paid", "paid"]),
        ("call-late", &["paid"]),
        ("bounce", &["paid", "failed"]),
        ("bounce-reversed", &["failed", "paid"]),
    ] {
        let running = start().await;
        let double = double(&running, mode);
        let port = double.adapter(Refusal::Failed, false);
        let Ok(Word::Accepted { provider_id: Some(provider_id) }) = port.request(&request("pay_1")).await else { panic!("{mode}: not accepted") };
        if mode == "call-early" {
            assert_eq!(running.inbox.calls.lock().expect("no panic before").len(), 1, "before our own request was answered");
        }
        let expected: Vec<String> = ids.iter().map(|id| format!("evt_{provider_id}_payout_{id}")).collect();
        assert_eq!(words(&running, ids.len()).await, expected, "{mode}");
        let events = running.inbox.events.lock().expect("no panic before").clone();
        assert!(events.values().all(|event| event.payout == "pay_1" && event.provider_id.as_ref() == Some(&provider_id)), "{mode}");
        assert!(events.values().any(|event| event.said == Said::Paid), "{mode}");
        assert_eq!(double.effects("pay_1").await, (1, "25000.00".into()), "{mode}");
    }
}

#[tokio::test]
async fn a_word_that_is_not_taken_comes_again() {
    let running = start().await;
    let double = double(&running, "call-after");
    running.inbox.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let port = double.adapter(Refusal::Failed, false);
    port.request(&request("pay_1")).await.expect("accepted");
    words(&running, 2).await;
    assert!(running.inbox.events.lock().expect("no panic before").is_empty());
    running.inbox.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    let before = running.inbox.calls.lock().expect("no panic before").len();
    words(&running, before + 1).await;
    let kept = async {
        while running.inbox.events.lock().expect("no panic before").is_empty() {
            running.inbox.has_come.notified().await;
        }
    };
    tokio::time::timeout(LIMIT, kept).await.expect("it is kept");
}
