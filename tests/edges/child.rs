//! A process that a test has started: it ends with the test, whatever becomes of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) struct Process {
    child: Child,
    /// Its first line.
    pub(crate) said: String,
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it and waits for its first line, which says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        output.read_line(&mut said).expect("its output can be read");
        assert!(!said.is_empty(), "{command:?} ended without a word");
        Self { child, said: said.trim().to_owned(), _output: output }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
