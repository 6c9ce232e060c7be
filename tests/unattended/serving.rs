//! `tributary serve`, in a process group of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait;

/// How long a service takes to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// A service that listens. It ends with this value, whatever becomes of the test.
pub(crate) struct Serving {
    child: Child,
    output: BufReader<ChildStdout>,
    has_ended: bool,
}

impl Serving {
    /// Starts it and waits until it says that it listens; what it logs is appended to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let mut serving = Self::begin(command, log);
        let mut said = String::new();
        serving.output.read_line(&mut said).expect("standard output can be read");
        assert!(said.contains("listens on"), "the service did not start: {said:?}\n{}", tail(log));
        serving
    }

    /// Starts it, and does not wait: one that is to stand still somewhere may do so before it listens.
    pub(crate) fn begin(command: &mut Command, log: &Path) -> Self {
        let errors = File::options().create(true).append(true).open(log).expect("a log can be written");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Self { child, output, has_ended: false }
    }

    /// SIGKILL to the whole process group. Fails if it had ended by itself.
    pub(crate) fn kill(mut self) {
        self.signal("KILL");
        let status = self.ended();
        assert_eq!(status.signal(), Some(9), "the service ended before it was killed: {status}");
    }

    /// What a service manager sends; it ends in order.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let child = &mut self.child;
        let status = wait::until("the service ends", STOP_LIMIT, || child.try_wait().expect("a child can be waited for"), String::new);
        self.has_ended = true;
        assert!(status.success(), "the service ended with {status}");
    }

    /// Stands still, or goes on: SIGSTOP and SIGCONT to the whole process group.
    pub(crate) fn stand_still(&self, is_still: bool) {
        self.signal(if is_still { "STOP" } else { "CONT" });
    }

    fn signal(&self, name: &str) {
        let group = self.child.id();
        let sent = Command::new("kill").arg(format!("-{name}")).arg("--").arg(format!("-{group}")).status();
        assert!(sent.expect("there is a command kill").success(), "SIG{name} can be sent");
    }

    fn ended(&mut self) -> ExitStatus {
        self.has_ended = true;
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.has_ended {
            self.signal("KILL");
            self.ended();
        }
    }
}

/// The end of what a service logged.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
