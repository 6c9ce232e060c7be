//! What every way of paying keeps, whatever is behind it.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Mutex;

use tributary::adapters::payout_manual::ManualPayouts;
use tributary::adapters::payout_pain001::Pain001Payouts;
use tributary::config::Refusal;
use workflows::ports::{Capabilities, Handling, PayoutPort, PayoutRequest, PortError, Word};

use crate::provider::{Double, request, request_of};

/// Everything that can be asked of any adapter; what it can't do, it says.
async fn keeps_the_contract(port: &dyn PayoutPort) {
    let can = port.capabilities();
    let first = request("pay_contract-1");

    if can.looks_up {
        assert_eq!(port.look_up("pay_contract-1").await, Ok(Word::NotFound), "nothing was asked for yet");
    } else {
        assert!(matches!(port.look_up("pay_contract-1").await, Err(PortError::Unsupported { .. })));
    }

    let word = port.request(&first).await.expect("it is taken");
    assert_ne!(word, Word::NotFound, "a request that was taken is there");
    let is_by_people = matches!(can.handling, Handling::Manual | Handling::Files);
    if is_by_people {
        assert!(matches!(word, Word::Accepted { .. }), "a person has yet to pay");
    }
    if can.looks_up {
        assert_eq!(port.look_up("pay_contract-1").await, Ok(word.clone()), "a look-up says the same");
    }
    if can.dedupe_window.is_some() || is_by_people {
        assert_eq!(port.request(&first).await, Ok(word), "a repeat has the first answer");
    }
    if can.dedupe_window.is_some() {
        let other = PayoutRequest { body: request_of("pay_contract-1", "1.00").body, ..first };
        assert!(matches!(port.request(&other).await, Err(PortError::Stop { status: 422, .. })), "another body under the same key stops");
    }
}

/// The least that a provider can be: what the contract is checked with, beside the real ones.
#[derive(Default)]
struct InMemory {
    bodies: Mutex<BTreeMap<String, PayoutRequest>>,
}

impl PayoutPort for InMemory {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            adapter: "memory",
            handling: Handling::Provider,
            looks_up: true,
            dedupe_window: Some(std::time::Duration::from_hours(1)),
            reports_by_webhook: false,
            poll_every: None,
        }
    }

    fn request<'a>(&'a self, request: &'a PayoutRequest) -> BoxFuture<'a, Result<Word, PortError>> {
        let mut bodies = self.bodies.lock().expect("no panic before");
        let known = bodies.entry(request.payout.clone()).or_insert_with(|| request.clone());
        let word = if known.body == request.body {
            Ok(Word::Paid { provider_id: None })
        } else {
            Err(PortError::Stop { status: 422, reason: String::new() })
        };
        async { word }.boxed()
    }

    fn look_up<'a>(&'a self, payout: &'a str) -> BoxFuture<'a, Result<Word, PortError>> {
        let is_known = self.bodies.lock().expect("no panic before").contains_key(payout);
        async move { Ok(if is_known { Word::Paid { provider_id: None } } else { Word::NotFound }) }.boxed()
    }
}

#[tokio::test]
async fn a_provider_that_pays_at_once() {
    let double = Double::start(&["pay"]);
    keeps_the_contract(&double.adapter(Refusal::Failed, false)).await;
    assert_eq!(double.effects("pay_contract-1").await, (1, "25000.00".into()));
}

#[tokio::test]
async fn a_provider_that_takes_its_time() {
    let double = Double::start(&["accept"]);
    keeps_the_contract(&double.adapter(Refusal::Failed, false)).await;
    assert_eq!(double.effects("pay_contract-1").await, (0, String::new()));
}

#[tokio::test]
async fn a_provider_that_says_no() {
    let double = Double::start(&["fail"]);
    keeps_the_contract(&double.adapter(Refusal::Failed, false)).await;
    assert_eq!(double.effects("pay_contract-1").await, (0, String::new()));
}

#[tokio::test]
async fn somebody_in_finance() {
    keeps_the_contract(&ManualPayouts).await;
}

#[tokio::test]
async fn a_bank_by_file() {
    keeps_the_contract(&Pain001Payouts).await;
}

#[tokio::test]
async fn the_one_in_memory() {
    keeps_the_contract(&InMemory::default()).await;
}
