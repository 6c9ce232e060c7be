//! What the process counts, in the words of Prometheus.

use std::sync::{Mutex, PoisonError};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests by method, route and status.
pub const REQUESTS: &str = "tributary_http_requests_total";
/// How long they took.
pub const REQUEST_SECONDS: &str = "tributary_http_request_seconds";
/// Webhooks with decisions by what became of them.
pub const DECISION_WEBHOOKS: &str = "tributary_decision_webhooks_total";
/// Payout webhooks by what became of them.
pub const PAYOUT_WEBHOOKS: &str = "tributary_payout_webhooks_total";
/// Messages with facts by source and by what became of them.
pub const FACT_WEBHOOKS: &str = "tributary_fact_webhooks_total";
/// Messages with facts that wait.
pub const FACTS_PARKED: &str = "tributary_facts_parked";

/// Runs that have not ended, by status.
pub const RUNS: &str = "tributary_runs";
/// How long the run that should have gone on first is late, in seconds.
pub const RUN_OVERDUE_SECONDS: &str = "tributary_run_overdue_max_s";
/// Payouts that have not ended, by status.
pub const PAYOUTS: &str = "tributary_payouts";
/// Whether all payouts are paused.
pub const PAYOUTS_PAUSED: &str = "tributary_payouts_paused";
/// Letters that were given up, by status.
pub const LETTERS: &str = "tributary_letters_given_up";
/// How long ago the service last committed the renewal of its lease, in seconds.
pub const LEASE_AGE_SECONDS: &str = "tributary_lease_age_s";

/// Upper ends of the classes of times, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// What the process has counted.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

/// Counting can't be started.
#[derive(Debug, thiserror::Error)]
#[error("metrics can't be counted: {0}")]
pub struct MetricsError(#[from] BuildError);

impl Metrics {
    /// Starts counting; a process counts once, however often this is called.
    ///
    /// # Errors
    /// [`MetricsError`]: somebody else counts in this process.
    pub fn start() -> Result<Self, MetricsError> {
        // What a panic left behind is either nothing or the whole handle.
        let mut started = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*started {
            return Ok(Self(handle.clone()));
        }
        let handle = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?.install_recorder()?;
        *started = Some(handle.clone());
        Ok(Self(handle))
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}
