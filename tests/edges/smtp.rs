//! A real mail server (aiosmtpd) in a process of its own, and our adapter to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tributary::adapters::mail::smtp::SmtpMail;
use tributary::config::{Secret, Smtp, Tls};

use crate::child::Process;

pub(crate) const PASSWORD: &str = "correct horse";

/// Long enough for anything that does not hang.
const PATIENT: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    process: Process,
    directory: TempDir,
    tls: Tls,
    has_password: bool,
}

/// An authority, and a server's certificate for localhost by it.
static CERTIFICATES: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test-CA -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\nextendedKeyUsage=serverAuth\\n' > server.ext
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem";
    let made = Command::new("sh").args(["-c", script]).current_dir(directory.path()).output().expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    directory
});

impl Server {
    pub(crate) fn start(tls: Tls, has_password: bool) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // The package is for the system's own Python.
        let system = Path::new("/usr/bin/python3");
        let mut command = Command::new(if system.exists() { system } else { Path::new("python3") });
        command.args(["-c", include_str!("smtp_server.py")]).arg("--journal").arg(directory.path().join("journal"));
        if tls != Tls::None {
            command.args(["--tls", if tls == Tls::Implicit { "implicit" } else { "starttls" }]);
            command.arg("--certificate").arg(CERTIFICATES.path().join("server.pem")).arg("--key").arg(CERTIFICATES.path().join("server.key"));
        }
        if has_password {
            command.args(["--password", PASSWORD]);
        }
        Self { process: Process::start(&mut command), directory, tls, has_password }
    }

    pub(crate) fn plain() -> Self {
        Self::start(Tls::None, false)
    }

    /// How to reach it.
    pub(crate) fn settings(&self) -> Smtp {
        Smtp {
            host: "localhost".into(),
            port: self.process.said.parse().expect("a port"),
            tls: self.tls,
            credentials: self.has_password.then(|| ("tributary".into(), Secret::new(PASSWORD.into()))),
            ca_file: (self.tls != Tls::None).then(authority),
            timeout: PATIENT,
        }
    }

    pub(crate) fn adapter(&self) -> SmtpMail {
        SmtpMail::new(&self.settings(), "Finance <finance@example.com>").expect("an adapter")
    }

    /// What it took, in order. A line that is being written is not there yet.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("journal")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Ends it; its port is free then.
    pub(crate) fn stop(self) -> Smtp {
        let settings = self.settings();
        self.process.kill();
        settings
    }
}

fn authority() -> PathBuf {
    CERTIFICATES.path().join("ca.pem")
}
