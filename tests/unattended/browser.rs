//! Somebody at a real browser: Chromium, by the protocol of its developer tools, over a pipe. People press and type by input events, as hands do,
//! and find what they press by what is written on it; scripts only look.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::serving::tail;
use crate::wait;

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How it is started, whoever looks at it.
pub(crate) const FLAGS: [&str; 6] =
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"];
/// A phone: its width and height, and how many dots a unit has.
const PHONE: (u32, u32, u32) = (390, 844, 2);

/// The browser; one that is missing is a failure.
pub(crate) fn installed() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|directory| NAMES.map(|name| directory.join(name))).find(|file| file.is_file());
    found.expect("chromium is installed; .ci/packages does it")
}

/// A running browser, in a process group of its own. It ends with this value, whatever becomes of the test.
pub(crate) struct Browser {
    child: Child,
    wire: RefCell<Wire>,
    reader: Option<JoinHandle<()>>,
    log: PathBuf,
    /// Where files are kept that people download.
    downloads: PathBuf,
}

/// What is said to the browser, and what it says.
struct Wire {
    to: ChildStdin,
    from: Receiver<Value>,
    asked: u64,
    complaints: Vec<String>,
}

impl Browser {
    /// Starts it with its data in a directory.
    pub(crate) fn start(directory: &Path) -> Self {
        let log = directory.join("browser.log");
        let mut command = Command::new("sh");
        // The protocol is spoken on the descriptors 3 and 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]).arg(installed()).args(FLAGS);
        command.args(["--remote-debugging-pipe", "--no-startup-window"]).arg(format!("--user-data-dir={}", directory.join("person").display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        command.stderr(File::create(&log).expect("a log can be written"));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let to = child.stdin.take().expect("standard input is a pipe");
        let output = child.stdout.take().expect("standard output is a pipe");
        let (send, from) = mpsc::channel();
        let reader = Some(std::thread::spawn(move || read(output, &send)));
        let browser = Self {
            child,
            wire: RefCell::new(Wire { to, from, asked: 0, complaints: Vec::new() }),
            reader,
            log,
            downloads: directory.join("downloads"),
        };
        browser.ok(None, "Browser.getVersion", json!({}));
        browser
    }

    /// A page on a phone of somebody's own: nobody else's cookies are there.
    pub(crate) fn phone(&self) -> Phone<'_> {
        let context = self.ok(None, "Target.createBrowserContext", json!({}))["browserContextId"].clone();
        let kept = json!({ "behavior": "allow", "browserContextId": context, "downloadPath": self.downloads });
        self.ok(None, "Browser.setDownloadBehavior", kept);
        let target = self.ok(None, "Target.createTarget", json!({ "url": "about:blank", "browserContextId": context }))["targetId"].clone();
        let session = self.ok(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        let phone = Phone { browser: self, session };
        for domain in ["Page.enable", "Log.enable", "Runtime.enable"] {
            phone.ok(domain, json!({}));
        }
        let (width, height, scale) = PHONE;
        phone.ok("Emulation.setDeviceMetricsOverride", json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": true }));
        phone
    }

    /// What pages did that ours never do, as the browser has seen it until its last answer: scripts that failed or opened a dialog, and
    /// what a policy forbade.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.wire.borrow().complaints.clone()
    }

    fn ok(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.ask(session, method, parameters).unwrap_or_else(|error| panic!("{method}: {error}\n{}", tail(&self.log)))
    }

    /// One question and its answer; events are heard on the way.
    fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value, Value> {
        let mut wire = self.wire.borrow_mut();
        wire.asked += 1;
        let id = wire.asked;
        let mut message = json!({ "id": id, "method": method });
        message["params"] = parameters;
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let sent = wire.to.write_all(format!("{message}\0").as_bytes());
        assert!(sent.is_ok(), "the browser does not listen: {sent:?}\n{}", tail(&self.log));
        loop {
            let heard = wire.from.recv_timeout(wait::LONG);
            let mut heard = heard.unwrap_or_else(|error| panic!("no answer to {method}: {error}\n{}", tail(&self.log)));
            if heard["id"] == id {
                return if heard["error"].is_null() { Ok(heard["result"].take()) } else { Err(heard["error"].take()) };
            }
            wire.complaints.extend(complaint(&heard));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let killed = Command::new("kill").args(["-KILL", "--"]).arg(format!("-{}", self.child.id())).status();
        assert!(killed.is_ok_and(|status| status.success()) || std::thread::panicking(), "the browser had ended before it was killed");
        // It may have ended by itself, which has been told.
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Messages end with a zero.
fn read(output: ChildStdout, heard: &Sender<Value>) {
    for message in BufReader::new(output).split(0) {
        let Ok(message) = message else { return };
        let message = serde_json::from_slice(&message).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&message)));
        if heard.send(message).is_err() {
            return;
        }
    }
}

fn complaint(event: &Value) -> Option<String> {
    let entry = &event["params"]["entry"];
    let is_one = match event["method"].as_str()? {
        "Page.javascriptDialogOpening" | "Runtime.exceptionThrown" => true,
        "Log.entryAdded" => entry["source"] == "security" || entry["source"] == "javascript",
        _ => false,
    };
    is_one.then(|| event.to_string())
}

/// A page on a phone.
pub(crate) struct Phone<'a> {
    browser: &'a Browser,
    session: String,
}

impl Phone<'_> {
    fn ok(&self, method: &str, parameters: Value) -> Value {
        self.browser.ok(Some(&self.session), method, parameters)
    }

    /// Opens an address, as a tap on a link in a mail does.
    pub(crate) fn open(&self, address: &str) {
        let opened = self.ok("Page.navigate", json!({ "url": address }));
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
    }

    /// What an expression is in the page as it is now; `null` while there is none.
    fn look(&self, expression: &str) -> Value {
        let parameters = json!({ "expression": format!("document.readyState === 'complete' ? ({expression}) : null"), "returnByValue": true });
        // A page that goes takes its answers along.
        let Ok(mut seen) = self.browser.ask(Some(&self.session), "Runtime.evaluate", parameters) else { return Value::Null };
        assert!(seen["exceptionDetails"].is_null(), "{expression}: {seen}");
        seen["result"]["value"].take()
    }

    /// Looks until an expression is something, which is neither nothing nor no.
    pub(crate) fn until(&self, what: &str, expression: &str) -> Value {
        let look = || Some(self.look(expression)).filter(|value| !value.is_null() && *value != false);
        wait::until(what, wait::LONG, look, || {
            format!("{}\n{:?}", self.look("location.href + '\\n' + document.body.innerText"), self.browser.complaints())
        })
    }

    /// Waits until the page says something, and gives all that it says.
    pub(crate) fn until_says(&self, text: &str) -> String {
        let all = self.until(text, &format!("document.body.innerText.includes({}) && document.body.innerText", json!(text)));
        all.as_str().expect("text").to_owned()
    }

    /// Presses what says just this.
    pub(crate) fn press(&self, text: &str) {
        self.press_on(text, &format!("[...document.querySelectorAll('button, summary, a')].find(one => one.innerText.trim() === {})", json!(text)));
    }

    /// Presses the field under a label and types into it.
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let field = format!("[...document.querySelectorAll('label')].find(one => one.innerText.trim() === {})?.control", json!(label));
        self.press_on(label, &field);
        self.until(label, &format!("{field} === document.activeElement"));
        self.ok("Input.insertText", json!({ "text": text }));
        self.until(text, &format!("{field}.value === {}", json!(text)));
    }

    /// Scrolls to it, goes there, and presses once the page has noticed.
    fn press_on(&self, what: &str, element: &str) {
        let place = self.until(
            what,
            &format!(
                "(() => {{ const one = {element}; if (!one?.checkVisibility()) return null; one.scrollIntoView({{ block: 'center' }}); \
                 const box = one.getBoundingClientRect(); return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }}; }})()"
            ),
        );
        let mouse = |kind: &str, button: &str| {
            let presses = u8::from(button == "left");
            let event = json!({ "type": kind, "x": place["x"], "y": place["y"], "button": button, "clickCount": presses });
            self.ok("Input.dispatchMouseEvent", event);
        };
        let is_under = || {
            mouse("mouseMoved", "none");
            self.look(&format!("{element}?.matches(':hover')")).as_bool().filter(|is_so| *is_so)
        };
        wait::until(what, wait::LONG, is_under, || format!("something else is at {place}: {}", self.look("document.body.innerText")));
        mouse("mousePressed", "left");
        mouse("mouseReleased", "left");
    }

    /// Presses a link to a file and waits until all of it is kept under a name. The browser first makes an empty file of the name, and
    /// then writes to one of another name.
    pub(crate) fn download(&self, link: &str, name: &str, text: &str) {
        self.press(link);
        let downloads = &self.browser.downloads;
        let kept = || {
            let files: Vec<_> = std::fs::read_dir(downloads).into_iter().flatten().flatten().map(|file| file.file_name()).collect();
            format!("{files:?}\n{}", tail(&self.browser.log))
        };
        wait::until(name, wait::LONG, || std::fs::read(downloads.join(name)).ok().filter(|all| all == text.as_bytes()), kept);
    }

    /// The whole page as a PNG, as wide as the phone.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let height = self.until("a height", "document.documentElement.scrollHeight");
        let clip = json!({ "x": 0, "y": 0, "width": PHONE.0, "height": height, "scale": 1 });
        let taken = self.ok("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }));
        let picture = STANDARD.decode(taken["data"].as_str().expect("text")).expect("base64");
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "a PNG");
        assert_eq!(picture[16..20], (PHONE.0 * PHONE.2).to_be_bytes(), "its width");
        picture
    }
}
