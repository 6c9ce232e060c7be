//! Logs: to standard error, as text or as one JSON document a line.

use tracing_subscriber::EnvFilter;

/// What is logged, such as `info` or `tributary=debug,warn`.
pub const FILTER_VARIABLE: &str = "TRIBUTARY_LOG";
/// `json`, or text.
pub const FORMAT_VARIABLE: &str = "TRIBUTARY_LOG_FORMAT";
/// What is logged where nobody says.
const DEFAULT_FILTER: &str = "warn";

/// Starts logging as the environment says. A second start changes nothing.
pub fn start() {
    let is_json = std::env::var(FORMAT_VARIABLE).is_ok_and(|format| format == "json");
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| DEFAULT_FILTER.into());
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The one who was first keeps it.
    let _ = if is_json { logs.json().try_init() } else { logs.try_init() };
}
