//! `demo` gives the same for the same seed, shows what it promises, pays once and mails, and leaves alone what no demo made; its books
//! serve to prove `settlement show --pdf`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

const PARTNERS: &str = "14";

fn tributary(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(arguments).env_remove("TRIBUTARY_DATABASE_URL").env_remove("TRIBUTARY_CLOCK__START");
    command.output().expect("the binary can be started")
}

fn succeeded(arguments: &[&str]) -> Output {
    let output = tributary(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A demo that the tests of this file read, and copy before they change it.
struct Demo {
    path: PathBuf,
    summary: Value,
}

impl Demo {
    fn play(seed: &str, path: PathBuf) -> Self {
        let output = succeeded(&["demo", &path.display().to_string(), "--force", "--partners", PARTNERS, "--seed", seed, "--json"]);
        let summary = serde_json::from_slice(&output.stdout).expect("one JSON document is printed");
        Self { path, summary }
    }

    /// One for all tests, in a place that the next run takes again: what is static is never dropped.
    fn shared() -> &'static Self {
        static DEMO: OnceLock<(File, Demo)> = OnceLock::new();
        let play = || {
            let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let lock = File::create(place.join("demo.lock")).expect("a file can be made");
            // Until this process ends, no other run of these tests plays there.
            lock.lock().expect("a file can be locked");
            (lock, Self::play("7", place.join("demo")))
        };
        &DEMO.get_or_init(play).1
    }

    fn database(&self) -> String {
        format!("sqlite://{}", self.path.join("tributary.db").display())
    }

    /// A copy of its database with another name for a partner.
    fn renamed(&self, partner: &str, name: &str) -> (TempDir, String) {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("copy.db");
        fs::copy(self.path.join("tributary.db"), &file).expect("the database is one file");
        let database = format!("sqlite://{}", file.display());
        let history = fs::read_to_string(self.path.join("facts/history/partners.csv")).expect("partners are facts");
        let line = history.lines().find(|line| line.starts_with(&format!("{partner},"))).expect("the partner was there");
        let fields: Vec<&str> = line.split(',').collect();
        let row = line.replacen(fields[1], name, 1);
        let header = history.lines().next().expect("a header");
        let rows = directory.path().join("partners.csv");
        fs::write(&rows, format!("{header}\n{row}\n")).expect("a file can be written");
        succeeded(&["--database", &database, "import", "partners", &rows.display().to_string()]);
        (directory, database)
    }
}

/// Every file below a directory with its content, but the database's.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains("tributary.db") {
                let name = path.strip_prefix(directory).expect("it is below").to_owned();
                found.insert(name, fs::read(&path).expect("a file can be read"));
            }
        }
    }
    found
}

fn settlements(database: &str) -> String {
    let listed = succeeded(&["--database", database, "--json", "settlement", "list"]);
    String::from_utf8(listed.stdout).expect("JSON is UTF-8")
}

/// A mail as its reader sees it: to whom, about what, and its parts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mail {
    to: String,
    subject: String,
    parts: Vec<Vec<u8>>,
}

fn mails(demo: &Demo) -> Vec<Mail> {
    let read = |(name, content): (PathBuf, Vec<u8>)| {
        assert_eq!(name.extension().and_then(|ending| ending.to_str()), Some("eml"), "{}", name.display());
        let mail = mailparse::parse_mail(&content).expect("a mail");
        let header = |name: &str| mailparse::MailHeaderMap::get_first_value(&mail.headers[..], name).expect("a header");
        let leaves = mail.parts().filter(|part| part.subparts.is_empty());
        let parts = leaves.map(|part| without_deadline(part.get_body_raw().expect("a part"))).collect();
        Mail { to: header("To"), subject: header("Subject"), parts }
    };
    let mut mails: Vec<Mail> = files(&demo.path.join("mails")).into_iter().map(read).collect();
    mails.sort();
    mails
}

/// What a mail says but for the deadline of a claim, which is of the run, not of the seed.
fn without_deadline(part: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(part) {
        Ok(text) => text.lines().filter(|line| !line.contains("decide before")).collect::<Vec<_>>().join("\n").into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

/// The provider's own books.
fn provider(demo: &Demo) -> Vec<Value> {
    let text = fs::read_to_string(demo.path.join("provider.jsonl")).expect("the provider has kept books");
    text.lines().map(|line| serde_json::from_str(line).expect("one JSON document a line")).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect("a text")
}

/// What happened at the provider, but for ids and times: those are of the run, not of the seed.
fn moved(demo: &Demo) -> Vec<[String; 3]> {
    let told = |event: &Value| ["event", "amount", "currency"].map(|field| text(event, field).to_owned());
    let mut moved: Vec<[String; 3]> = provider(demo).iter().map(told).collect();
    moved.sort();
    moved
}

/// A journal up to the claims and payouts as it is; their lines without ids and times of day, sorted, since they were paid side by side.
fn journal(content: &[u8]) -> (String, Vec<String>) {
    let content = String::from_utf8(content.to_vec()).expect("a journal is UTF-8");
    let begins = ["pay_", "claim CL-", "claim/CL-"].into_iter().filter_map(|mark| content.find(mark));
    let paid_at = begins.min().expect("payouts are in the journal");
    let (settled, paid) = content.split_at(content[..paid_at].rfind('\n').expect("it is not the first line"));
    let steady = |line: &str| {
        let mut words: Vec<&str> = line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).collect();
        words.retain(|word| !word.contains("pay_") && !word.contains("2026-01-05T"));
        words.join(" ")
    };
    let mut paid: Vec<String> = paid.lines().map(steady).collect();
    paid.sort();
    (settled.to_owned(), paid)
}

#[test]
fn the_same_seed_gives_the_same_and_another_one_does_not() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let play = |seed: &str| Demo::play(seed, directory.path().join(seed));
    let (first, again, other) = (Demo::shared(), play("7"), play("8"));
    let (mut one, mut two) = (files(&first.path), files(&again.path));
    for all in [&mut one, &mut two] {
        all.retain(|name, _| !name.starts_with("mails") && name != Path::new("provider.jsonl"));
    }
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, content) in &one {
        if name.starts_with("journal") {
            assert_eq!(journal(content), journal(&two[name]), "{}", name.display());
        } else {
            assert!(two.get(name) == Some(content), "{} differs", name.display());
        }
    }
    assert!(one.keys().filter(|name| name.extension().is_some_and(|ending| ending == "pdf")).count() >= 10);
    let (mails_one, mails_two) = (mails(first), mails(&again));
    assert_eq!(mails_one.len(), mails_two.len());
    for (one, two) in mails_one.iter().zip(&mails_two) {
        // A claim's statement tells when people have decided.
        let is_claim = one.subject.starts_with("Claim ") && (&one.to, &one.subject, one.parts.len()) == (&two.to, &two.subject, two.parts.len());
        assert!(is_claim || one == two, "the mail {:?} to {} differs", one.subject, one.to);
    }
    assert_eq!(moved(first), moved(&again));
    assert_eq!(first.summary["payment"], again.summary["payment"]);
    assert_eq!(settlements(&first.database()), settlements(&again.database()));
    assert_ne!(settlements(&first.database()), settlements(&other.database()));
}

#[test]
fn the_last_month_is_paid_once_by_the_providers_own_books() {
    let demo = Demo::shared();
    let listed = succeeded(&["--database", &demo.database(), "payout", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("one JSON document is printed");
    let payouts = listed["payouts"].as_array().expect("a list");
    let (paid, held): (Vec<&Value>, Vec<&Value>) = payouts.iter().partition(|payout| payout["status"] == "paid");
    assert!(!held.is_empty() && held.iter().all(|payout| payout["status"] == "held" && payout["reason"] == "no_destination"), "{held:?}");
    let wanted: BTreeMap<&str, [&str; 2]> =
        paid.iter().map(|payout| (text(payout, "id"), [text(payout, "amount"), text(payout, "currency")])).collect();

    let events = provider(demo);
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<&Value>>();
    let payout_of: BTreeMap<&str, &str> = of("taken").iter().map(|taken| (text(taken, "key"), text(taken, "payout"))).collect();
    let mut moved = BTreeMap::new();
    for event in of("paid") {
        let before = moved.insert(payout_of[text(event, "key")], [text(event, "amount"), text(event, "currency")]);
        assert_eq!(before, None, "paid twice: {event}");
    }
    assert_eq!(moved, wanted);
    assert_eq!(of("request").len(), wanted.len(), "nothing was sent twice, not even that of which the answer was lost");

    let payment = &demo.summary["payment"];
    let (claims, settlements): (Vec<&Value>, Vec<&Value>) = paid.iter().partition(|payout| payout["kind"] == "mdf_claim");
    assert_eq!(claims.iter().map(|payout| text(payout, "reference")).collect::<Vec<_>>(), ["CL-1"]);
    assert_eq!([&payment["paid"], &payment["looked_up"]], [settlements.len(), 1]);
    assert_eq!(payment["held"].as_array().map(Vec::len), Some(held.len()));
    assert_eq!([&payment["provider"]["requests"], &payment["provider"]["payments"]], [settlements.len(), settlements.len()]);
}

#[test]
fn a_claim_is_approved_twice_and_paid_and_another_is_rejected_and_moves_nothing() {
    let demo = Demo::shared();
    let claims = &demo.summary["payment"]["claims"];
    let cents = |value: &Value| value.as_str().expect("an amount").replace('.', "").parse::<i64>().expect("cents");
    let (paid, rejected) = (&claims["claims"][0], &claims["claims"][1]);
    assert_eq!((&paid["status"], &rejected["status"]), (&"paid".into(), &"rejected".into()));
    let roles = |told: &Value| told["decisions"].as_array().expect("a list").iter().map(|said| text(said, "role").to_owned()).collect::<Vec<_>>();
    assert_eq!((roles(paid), roles(rejected)), (vec!["channel_manager".to_owned(), "finance".to_owned()], vec!["channel_manager".to_owned()]));
    assert_eq!(cents(&claims["before"]) - cents(&paid["amount"]), cents(&paid["wallet"]));
    assert_eq!((&paid["wallet"], &rejected["wallet"]), (&rejected["wallet"], &claims["after"]), "a rejected claim leaves the wallet as it was");
    let partner = text(claims, "partner");
    let shown = succeeded(&["--database", &demo.database(), "wallet", "show", "--partner", partner, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("one JSON document is printed");
    let wallet = shown["wallets"].as_array().expect("a list").iter().find(|wallet| wallet["currency"] == claims["currency"]).expect("its wallet");
    assert_eq!((&wallet["balance"], &wallet["held"]), (&claims["after"], &"0.00".into()));
    let found = mails(demo);
    for mail in claims["mails"].as_array().expect("a list") {
        assert!(found.iter().any(|one| one.to == text(mail, "to") && one.subject == text(mail, "subject")), "{mail}");
    }
}

#[test]
fn whoever_was_paid_or_held_has_one_mail_that_says_so() {
    let demo = Demo::shared();
    let all: Value = serde_json::from_str(&settlements(&demo.database())).expect("JSON");
    let month = all["settlements"].as_array().expect("a list").iter().filter(|settlement| settlement["period"] == "2025-12");
    let found = mails(demo);
    let mut told = 0;
    for settlement in month {
        let (partner, currency) = (text(settlement, "partner"), text(settlement, "currency"));
        let (cash, carried) = (text(&settlement["totals"], "cash_payout"), text(&settlement["totals"], "carried_forward"));
        let is_zero = |amount: &str| amount.chars().all(|c| "0.".contains(c));
        let amount = match (is_zero(cash), is_zero(carried)) {
            (false, _) => cash,
            (true, false) => carried,
            (true, true) => continue,
        };
        let to = format!("{partner}@partners.example");
        let about = |mail: &&Mail| mail.to == to && mail.subject.contains(&format!("{amount} {currency}"));
        assert_eq!(found.iter().filter(about).count(), 1, "{partner} {amount} {currency}");
        told += 1;
    }
    assert!(told > 5);
    let of_claims = demo.summary["payment"]["claims"]["mails"].as_array().expect("a list");
    assert_eq!(found.len(), told + of_claims.len(), "nobody has another mail");
    let statements = found.iter().filter(|mail| mail.parts.iter().any(|part| part.starts_with(b"%PDF"))).count();
    let letters = &demo.summary["payment"]["letters"];
    let count = |about: &str| letters[about].as_u64().unwrap_or(0);
    assert_eq!(u64::try_from(statements).expect("a count"), count("statement") + count("carried_forward") + 1, "a claim has its statement, too");
    assert_eq!(count("statement"), demo.summary["payment"]["paid"]);
}

/// The binary in a place where no provider is beside it.
fn alone(place: &Path) -> PathBuf {
    let binary = place.join("tributary");
    fs::copy(env!("CARGO_BIN_EXE_tributary"), &binary).expect("a file can be copied");
    binary
}

#[test]
fn without_a_provider_nothing_is_paid_and_that_is_said() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (binary, path) = (alone(directory.path()), directory.path().join("demo"));
    let play = |more: &[&str]| {
        let mut command = Command::new(&binary);
        command.args(["demo", "--partners", PARTNERS]).arg(&path).args(more).env_remove("TRIBUTARY_CLOCK__START");
        command.output().expect("the binary can be started")
    };
    let refused = play(&["--serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cargo build --bins"));
    assert!(!path.exists(), "nothing is begun that can't be ended");
    let output = play(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("one JSON document is printed");
    assert!(text(&summary["payment"], "not_paid").contains("cargo build --bins"), "{}", summary["payment"]);
    assert!(!path.join("mails").exists() && !path.join("provider.jsonl").exists());
}

/// A process that ends with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn the_service_goes_on_until_it_is_interrupted() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("demo");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(["demo", "--serve", "--partners", PARTNERS]).arg(&path).env_remove("TRIBUTARY_CLOCK__START");
    let mut served = Served(command.stdout(Stdio::piped()).spawn().expect("the binary can be started"));
    let mut lines = BufReader::new(served.0.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let listens = lines.find(|line| line.contains("listens on http://")).expect("it says where it listens");
    let address = listens.rsplit("http://").next().expect("an address").to_owned();
    assert!(lines.next().expect("its schedules follow").contains("next 2026-01-06T"), "the clock is the demo's");
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let interrupt = Command::new("kill").args(["-INT", &served.0.id().to_string()]).status().expect("kill can be started");
    assert!(interrupt.success());
    // Its output ends when it does.
    let (ended, has_ended) = mpsc::channel();
    thread::spawn(move || ended.send(lines.count()));
    has_ended.recv_timeout(Duration::from_mins(1)).expect("it ends");
    let code = served.0.wait().expect("it can be waited for").code();
    assert_eq!(code, Some(0));
    let database = format!("sqlite://{}", path.join("tributary.db").display());
    succeeded(&["--database", &database, "verify"]);
}

#[test]
fn the_year_shows_what_the_programme_can_do() {
    let summary = &Demo::shared().summary;
    let texts = |list: &str, field: &str| -> Vec<String> {
        let values = summary[list].as_array().expect("a list").iter();
        values.map(|value| value[field].as_str().expect("a text").to_owned()).collect()
    };
    let components = texts("components", "component");
    for component in ["base", "spiff", "override", "rank_bonus", "coop", "adjustment"] {
        assert!(components.iter().any(|one| one == component), "no {component} in {components:?}");
    }
    assert_eq!(texts("months", "period").len(), 12);
    assert_eq!(summary["reviews"].as_array().map(Vec::len), Some(5));
    let changes =
        |outcome: &str| summary["reviews"].as_array().expect("a list").iter().filter_map(|review| review["outcomes"][outcome].as_u64()).sum::<u64>();
    assert!(changes("promoted") >= 2, "{}", summary["reviews"]);
    assert!(changes("notice") >= 1 && changes("demoted") >= 1, "{}", summary["reviews"]);
    assert!(!texts("rank_winners", "partner").is_empty());
}

#[test]
fn its_books_verify() {
    let output = succeeded(&["--database", &Demo::shared().database(), "verify", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document is printed");
    assert_eq!(found["ok"], true, "{found}");
}

#[test]
fn a_directory_that_no_demo_made_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(directory.path().join("mine.txt"), "mine").expect("a file can be written");
    let path = directory.path().display().to_string();
    for arguments in [vec!["demo", &path], vec!["demo", &path, "--force"]] {
        let output = tributary(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    }
    assert_eq!(files(directory.path()).into_values().collect::<Vec<_>>(), [b"mine".to_vec()]);
}

#[test]
fn a_demo_is_replaced_only_when_asked() {
    let demo = Demo::shared();
    let output = tributary(&["demo", &demo.path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
}

#[test]
fn too_few_partners_are_refused() {
    assert_eq!(tributary(&["demo", "nowhere", "--partners", "3"]).status.code(), Some(2));
}

/// A partner with a statement in the last month, in the programme's currency.
fn partner(demo: &Demo) -> String {
    demo.summary["top"][0]["partner"].as_str().expect("a partner").to_owned()
}

fn show<'a>(database: &'a str, partner: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["--database", database, "settlement", "show", "--program", "reseller", "--partner", partner];
    arguments.extend(["--period", "2025-12", "--currency", "USD"]);
    arguments.extend(more);
    arguments
}

#[test]
fn a_statement_shown_again_is_the_one_that_the_demo_wrote() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("again.pdf").display().to_string();
    let output = succeeded(&show(&demo.database(), &partner, &["--pdf", &file]));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&partner));
    let (again, written) = (fs::read(&file), fs::read(demo.path.join(format!("statements/2025-12/{partner}.pdf"))));
    let (again, written) = (again.expect("the file is there"), written.expect("the demo wrote it"));
    assert!(again.starts_with(b"%PDF") && again == written);
}

#[test]
fn a_character_that_no_font_has_is_refused_by_name() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let (directory, database) = demo.renamed(&partner, "Partner 会");
    let file = directory.path().join("boxes.pdf").display().to_string();
    let refused = tributary(&show(&database, &partner, &["--pdf", &file]));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains(&partner) && error.contains("U+4F1A"), "{error}");
    assert!(!Path::new(&file).exists());
    let allowed = succeeded(&show(&database, &partner, &["--pdf", &file, "--allow-missing-glyphs"]));
    assert!(String::from_utf8_lossy(&allowed.stderr).contains("U+4F1A"));
    assert!(Path::new(&file).exists());
}

#[test]
fn a_template_of_ones_own_is_used_and_its_faults_have_a_place() {
    let demo = Demo::shared();
    let partner = partner(demo);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("own.typ"), "#let s = json(\"statement.json\")\n#s.partner.name: #s.totals.net\n").expect("a file can be written");
    fs::write(path("bad.typ"), "text\n#let s = json(\"statement.json\")\n#s.nothing\n").expect("a file can be written");
    let (own, bad, file) = (path("own.typ"), path("bad.typ"), path("out.pdf"));
    let output = succeeded(&show(&demo.database(), &partner, &["--pdf", &file, "--template", &own, "--json"]));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("the settlement is printed as JSON");
    assert_eq!(shown["partner"], partner.as_str());
    assert!(fs::read(&file).expect("the file is there").starts_with(b"%PDF"));
    let refused = tributary(&show(&demo.database(), &partner, &["--pdf", &file, "--template", &bad]));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("bad.typ:3:"), "{error}");
}
