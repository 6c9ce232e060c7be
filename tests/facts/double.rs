//! A Stripe that others wrote (localstripe), in a process of its own; `.ci/packages` installs it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::sender::STRIPE_SECRET;
use crate::{ports, wait};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-peers/localstripe/bin/localstripe");

pub(crate) struct Stripe {
    child: Child,
    port: u16,
}

impl Stripe {
    /// Starts it; it tells events of these types to the service on a port.
    pub(crate) fn start(service: u16, types: &[&str]) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is not there: run .ci/packages, which installs the double of Stripe");
        let port = ports::free();
        let mut command = Command::new(PROGRAM);
        command.args(["--from-scratch", "--port", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let stripe = Self { child: command.spawn().expect("it starts"), port };
        wait::until("the double of Stripe listens", wait::LONG, || TcpStream::connect(("127.0.0.1", port)).ok(), String::new);
        let url = format!("http://127.0.0.1:{service}/webhooks/stripe");
        let mut form = vec![("url", url.as_str()), ("secret", STRIPE_SECRET)];
        form.extend(types.iter().map(|name| ("events[]", *name)));
        let (status, _) = stripe.send("POST", "/_config/webhooks/tributary", &form);
        assert_eq!(status, 200);
        stripe
    }

    /// Makes or changes something by its API.
    pub(crate) fn post(&self, page: &str, form: &[(&str, &str)]) -> Value {
        let (status, body) = self.send("POST", page, form);
        assert_eq!(status, 200, "{page} {form:?}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    pub(crate) fn get(&self, page: &str) -> Value {
        let (status, body) = self.send("GET", page, &[]);
        assert_eq!(status, 200, "{page}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn send(&self, method: &str, page: &str, form: &[(&str, &str)]) -> (u16, String) {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in form {
            encoded.append_pair(name, value);
        }
        let body = encoded.finish();
        let head = format!(
            "{method} {page} HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer sk_test_12345\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
