//! What others reach by HTTP (interface.md §4 and §5).

mod approvals;
mod connections;
pub mod decisions;
pub mod facts;
mod guard;
pub mod metrics;
pub mod payouts;
pub mod problem;
mod status;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use futures::future::BoxFuture;
use tokio::net::TcpListener;

pub use self::connections::{ServeError, Stopped};
use self::decisions::DecisionWebhooks;
use self::facts::FactWebhooks;
use self::metrics::Metrics;
use self::payouts::PayoutWebhooks;
use self::problem::Problem;
use crate::approvals::Approvals;

/// Whether the service can do its work.
pub trait Readiness: Send + Sync {
    /// What keeps it from working, for people; nothing secret.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// What the routes work with.
pub struct Service {
    /// Behind `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// Behind `/metrics`.
    pub metrics: Metrics,
    /// Behind `/webhooks/payouts`; `None` where there is no key to believe them by.
    pub payouts: Option<PayoutWebhooks>,
    /// Behind `/webhooks/facts` and `/webhooks/stripe`.
    pub facts: FactWebhooks,
    /// Behind `/approvals`; `None` where nobody decides here.
    pub approvals: Option<Arc<Approvals>>,
    /// Behind `/webhooks/decisions`; `None` where there is no key to believe them by.
    pub decisions: Option<DecisionWebhooks>,
    /// How long a request may take.
    pub request_limit: Duration,
    /// How long a stop waits for the requests that are at work.
    pub shutdown_limit: Duration,
}

type Shared = Arc<Service>;

/// Answers requests until `shutdown` ends; then takes no more, and waits for those at work within the limit.
///
/// # Errors
/// [`ServeError`]: the socket is broken.
pub async fn serve(listener: TcpListener, service: Service, shutdown: impl Future<Output = ()> + Send) -> Result<Stopped, ServeError> {
    let shutdown_limit = service.shutdown_limit;
    connections::serve(listener, router(Arc::new(service)), shutdown, shutdown_limit).await
}

fn router(service: Shared) -> Router {
    let routes = Router::new()
        .route("/healthz", get(status::health))
        .route("/readyz", get(status::readiness))
        .route("/metrics", get(status::metrics))
        .route("/webhooks/facts", post(facts::receive))
        .route("/webhooks/payouts", post(payouts::receive))
        .route("/webhooks/stripe", post(facts::receive_from_stripe))
        .route("/webhooks/decisions", post(decisions::receive))
        .route("/approvals/{claim}", get(approvals::show))
        .route("/approvals/{claim}/code", post(approvals::ask))
        .route("/approvals/{claim}/session", post(approvals::sign_in))
        .route("/approvals/{claim}/decision", post(approvals::decide))
        .route("/approvals/{claim}/proofs/{sha256}", get(approvals::proof));
    // Routes first: what wraps them knows which one it was.
    routes
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound)
        .layer(axum::middleware::from_fn_with_state(service.clone(), guard::guard))
        .with_state(service)
}
