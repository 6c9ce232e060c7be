//! The provider that pays in a demo: the other binary of this package, in a process of its own, with books of its own.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::ids;

/// The binary, as `cargo build --bins` puts it beside this one.
const NAME: &str = "tributary-provider-double";
/// What it says first, before its address.
const READY: &str = "listening on ";
/// How long it may take to say that it listens.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// What becomes of requests: the first is paid, but its answer is lost; the others are paid and answered.
const MODES: [&str; 2] = ["pay-then-drop*1", "pay"];

/// A provider that can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoubleError {
    /// It was not built.
    #[error("{} is not there; `cargo build --bins` builds it", .0.display())]
    Missing(PathBuf),
    /// It can't be found or started.
    #[error("{}: {source}", .path.display())]
    Start {
        /// The binary.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not say that it listens.
    #[error("{} does not say where it listens; it said {said:?}", .path.display())]
    Silent {
        /// The binary.
        path: PathBuf,
        /// What it said instead.
        said: String,
    },
}

/// A provider that runs; it ends with this.
#[derive(Debug)]
pub(crate) struct Double {
    _process: Process,
    /// Its pipe: it may go on to speak.
    _output: BufReader<ChildStdout>,
    /// Where it takes requests.
    pub(crate) url: String,
    /// The key by which it believes them.
    pub(crate) key: String,
}

/// A process that ends with this.
#[derive(Debug)]
struct Process(Child);

/// Where the binary is.
///
/// # Errors
/// [`DoubleError::Missing`].
pub(crate) fn find() -> Result<PathBuf, DoubleError> {
    let this = std::env::current_exe().map_err(|source| DoubleError::Start { path: PathBuf::from(NAME), source })?;
    let path = this.with_file_name(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() { Ok(path) } else { Err(DoubleError::Missing(path)) }
}

impl Double {
    /// Starts it on a free port of this machine, and waits until it listens.
    ///
    /// # Errors
    /// [`DoubleError::Start`], [`DoubleError::Silent`].
    pub(crate) async fn start(path: &Path, journal: &Path) -> Result<Self, DoubleError> {
        let failed = |source| DoubleError::Start { path: path.to_owned(), source };
        let key = fresh_key();
        let mut command = Command::new(path);
        command.arg("--until-input-closes").arg("--journal").arg(journal);
        command.args(MODES.iter().flat_map(|mode| ["--mode", mode]));
        command.env("TRIBUTARY_PROVIDER_SECRET", &key).env_remove("TRIBUTARY_PROVIDER_CALLBACK_SECRET");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // Ctrl-C is for the service, which ends what it is at before its provider goes.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = Process(command.spawn().map_err(failed)?);
        let Some(output) = process.0.stdout.take() else { return Err(failed(io::ErrorKind::BrokenPipe.into())) };
        let reading = tokio::task::spawn_blocking(move || {
            let mut output = BufReader::new(output);
            let mut said = String::new();
            output.read_line(&mut said).map(|_| (output, said))
        });
        // Where it stays silent, it is ended when `process` is dropped, and the reading with it.
        let Ok(read) = tokio::time::timeout(READY_LIMIT, reading).await else {
            return Err(DoubleError::Silent { path: path.to_owned(), said: String::new() });
        };
        let (output, said) = read.map_err(io::Error::other).and_then(|read| read).map_err(failed)?;
        let Some(url) = said.trim().strip_prefix(READY) else { return Err(DoubleError::Silent { path: path.to_owned(), said }) };
        Ok(Self { url: url.to_owned(), key, _process: process, _output: output })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // All that it has answered is on disk; if it has ended already there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A key that nobody else has.
fn fresh_key() -> String {
    let seed = [ids::new("key"), ids::new("key"), ids::new("key")].concat();
    format!("whsec_{}", STANDARD.encode(Sha256::digest(seed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::standard_webhooks::SigningKeys;

    #[test]
    fn keys_are_such_and_never_the_same() {
        assert!(SigningKeys::parse(&fresh_key()).is_ok());
        assert_ne!(fresh_key(), fresh_key());
    }

    #[tokio::test]
    async fn a_provider_that_says_something_else_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let started = Double::start(Path::new("/bin/echo"), &place.path().join("journal")).await;
        assert!(matches!(started, Err(DoubleError::Silent { said, .. }) if said.contains("--journal")));
        let started = Double::start(&place.path().join("nowhere"), &place.path().join("journal")).await;
        assert!(matches!(started, Err(DoubleError::Start { .. })));
    }
}
