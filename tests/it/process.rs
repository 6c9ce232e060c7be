//! Runs a child process with a limit on its time, and can kill it and all its children at a chosen moment.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No command of a test may take longer; one that does is killed and fails the test.
const LIMIT: Duration = Duration::from_mins(5);

/// What a finished process left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// Whether SIGKILL ended it.
    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("standard output is UTF-8")
    }
}

/// Runs the command to its end.
pub(crate) fn run(command: &mut Command) -> Finished {
    let (finished, in_time) = run_until(command, LIMIT);
    assert!(in_time, "took longer than {LIMIT:?}: {command:?}\n{}", finished.stderr);
    finished
}

/// Runs the command and kills its whole process group if it still runs after `moment`.
pub(crate) fn kill_after(command: &mut Command, moment: Duration) -> Finished {
    run_until(command, moment).0
}

/// The second value says whether the command ended by itself.
fn run_until(command: &mut Command, moment: Duration) -> (Finished, bool) {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let group = child.id();
    let (send, ended) = mpsc::channel();
    let waiter = thread::spawn(move || send.send(collect(child)));
    let by_itself = ended.recv_timeout(moment);
    let in_time = by_itself.is_ok();
    let finished = by_itself.unwrap_or_else(|_| {
        kill_group(group);
        ended.recv_timeout(LIMIT).expect("a killed process group ends")
    });
    waiter.join().expect("the waiting thread ends").expect("the channel is open");
    (finished, in_time)
}

fn kill_group(group: u32) {
    let killed = Command::new("sh").arg("-c").arg(format!("kill -KILL -{group}")).status();
    killed.expect("a shell can be started");
}

fn collect(mut child: Child) -> Finished {
    let mut errors = child.stderr.take().expect("standard error is a pipe");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        errors.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut stdout = Vec::new();
    child.stdout.take().expect("standard output is a pipe").read_to_end(&mut stdout).expect("standard output can be read");
    let stderr = reader.join().expect("the reading thread ends").expect("standard error can be read");
    let status = child.wait().expect("a child can be waited for");
    Finished { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}
