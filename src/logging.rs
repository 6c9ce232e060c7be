//! Logs: to standard error, as text or as one JSON document a line.

use tracing_subscriber::EnvFilter;

/// What is logged, such as `info` or `tributary=debug,warn`.
pub const FILTER_VARIABLE: &str = "TRIBUTARY_LOG";
/// `json`, or `text`.
pub const FORMAT_VARIABLE: &str = "TRIBUTARY_LOG_FORMAT";
/// What is logged where nobody says.
const DEFAULT_FILTER: &str = "warn";

/// An empty variable counts as unset.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Starts logging as the environment says. A second start changes nothing.
pub fn start() {
    let is_json = match set(FORMAT_VARIABLE).as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            eprintln!("warning: {FORMAT_VARIABLE} is {other:?}, and neither \"json\" nor \"text\": logs are text");
            false
        }
    };
    let filter = match set(FILTER_VARIABLE).map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        None => DEFAULT_FILTER.into(),
        Some(Err(error)) => {
            eprintln!("warning: {FILTER_VARIABLE} can't be read ({error}): {DEFAULT_FILTER} is logged");
            DEFAULT_FILTER.into()
        }
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The one who was first keeps it.
    let _ = if is_json { logs.json().try_init() } else { logs.try_init() };
}
