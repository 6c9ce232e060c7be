//! How the service is: for those who start it, send requests to it and watch it.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;

/// The process answers.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// It can work, too.
pub(super) async fn readiness(State(service): State<Shared>) -> Result<&'static str, Problem> {
    service.readiness.ready().await.map_err(Problem::NotReady)?;
    Ok("ready\n")
}

/// For Prometheus.
pub(super) async fn metrics(State(service): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], service.metrics.render()).into_response()
}
