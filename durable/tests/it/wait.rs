//! Waiting for a condition, with a limit.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks until the answer is yes; fails after twenty seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl FnMut() -> F) {
    within(Duration::from_secs(20), what, condition).await;
}

/// Asks until the answer is yes; fails after the limit.
pub(crate) async fn within<F: Future<Output = bool>>(limit: Duration, what: &str, mut condition: impl FnMut() -> F) {
    let limit = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < limit, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
