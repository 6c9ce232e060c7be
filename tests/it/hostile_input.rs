//! Huge, malformed and hostile files: always a clear refusal or a success, never a panic, and never more than a bounded memory.

use crate::app::{App, Engine};
use crate::database::assert_same;
use crate::process::{self, Finished};
use crate::seeded::Seeded;

/// The memory of its own that a command may take, in KiB: what it allocates, without its code, which grows with what is linked into it.
const MEMORY: u32 = 512 * 1024;
/// The same where a file is larger than that.
const LESS_THAN_THE_FILE: u32 = 128 * 1024;

const PROGRAMME: &str = r#"[program]
id = "p"
name = "Programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[[rules]]
id = "spiff"
kind = "spiff"
rate = "3%"
when = "new_logo and (contract_value > 100k or not motion in [\"a\", \"b\"])"
from = 2026-04-01

[settlement]
first_period = "2026-04"
schedule = "0 0 6 1 * *"
"#;

const INVOICES: &str = "id,customer,partner,currency,subtotal,paid_at
I1,c1,acme,USD,100.00,2026-04-10T10:00:00Z
\"I2\",c1,acme,USD,\"2,5\",2026-04-11T10:00:00+02:00
";

const INVOICES_JSONL: &str = r#"{"id": "I1", "customer": "c1", "partner": "acme", "currency": "USD", "subtotal": "100.00", "paid_at": "2026-04-10T10:00:00Z"}
{"id": "I2", "customer": "c1", "currency": "USD", "subtotal": 3.5, "items": [{"item": "1", "amount": 3.5, "product": null}]}
"#;

/// What a mutation may put into a file.
const SPLINTERS: [&[u8]; 24] = [
    b"\"",
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"[[",
    b"]",
    b"=",
    b"-",
    b"1e999",
    b"NaN",
    b"999999999999999999999999999",
    b"0.0000001",
    b"9999-99-99",
    b"\xe2\x80\xae",
    b"'''",
    b"not not not ",
    b"((((",
    b"\\u0000",
    b"; DROP TABLE invoices; --",
];

fn prepared(app: &App) {
    app.apply(PROGRAMME);
    app.import("partners", "id,name,program,tier,tier_since\nacme,Acme,p,base,2026-01-01");
    app.import("customers", "id,name\nc1,Customer");
}

/// Runs the command with little memory; a file of this kind is always either taken or refused.
fn run_bounded(app: &App, line: &str, memory: u32) -> Finished {
    let command = app.command(line);
    let mut bounded = std::process::Command::new("sh");
    bounded.args(["-c", &format!("ulimit -d {memory} && exec \"$0\" \"$@\"")]).arg(command.get_program()).args(command.get_args()).env_clear();
    bounded.current_dir(command.get_current_dir().expect("a command has a directory"));
    bounded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Each worker reserves memory of its own, whatever it uses of it.
    bounded.env("TOKIO_WORKER_THREADS", "2");
    process::run(&mut bounded)
}

fn assert_bearable(app: &App, line: &str, content: &[u8]) -> bool {
    let too_large = content.len() > 1024 * 1024;
    let finished = run_bounded(app, line, if too_large { LESS_THAN_THE_FILE } else { MEMORY });
    let said = &finished.stderr;
    let shown = String::from_utf8_lossy(&content[..content.len().min(2000)]);
    assert!(matches!(finished.status.code(), Some(0 | 2)), "tributary {line}: {:?}\n{said}\nof\n{shown}", finished.status);
    assert!(!said.contains("panicked"), "tributary {line} panicked\n{said}\nof\n{shown}");
    assert!(finished.status.success() || !said.trim().is_empty(), "tributary {line} says no reason of\n{shown}");
    finished.status.success()
}

fn mutated(random: &mut Seeded, seed: &str) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..random.between(1, 4) {
        let place = random.index(bytes.len());
        match random.between(0, 3) {
            0 => {
                bytes.splice(place..place, random.pick(&SPLINTERS).iter().copied());
            }
            1 => bytes[place] ^= 1 << random.between(0, 7),
            2 => {
                let end = (place + random.index(20)).min(bytes.len());
                bytes.drain(place..end);
            }
            _ => {
                let end = (place + random.index(60)).min(bytes.len());
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn mutated_files_are_taken_or_refused(engine: Engine, times: u64) {
    let app = App::fresh(engine);
    prepared(&app);
    let mut random = Seeded::new(7);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..times {
        for (seed, command, ending) in
            [(PROGRAMME, "program check", "toml"), (INVOICES, "import invoices", "csv"), (INVOICES_JSONL, "import invoices", "jsonl")]
        {
            let content = mutated(&mut random, seed);
            let file = app.write_bytes("mutated", ending, &content);
            let before = app.access().dump();
            if assert_bearable(&app, &format!("{command} {file}"), &content) {
                taken += 1;
            } else {
                refused += 1;
                assert_same(&before, &app.access().dump(), "a refused file");
            }
        }
    }
    assert!(refused > times, "only {refused} were refused and {taken} taken: the mutations are too mild");
    app.finish();
}

#[test]
fn mutated_files_are_taken_or_refused_on_sqlite() {
    mutated_files_are_taken_or_refused(Engine::Sqlite, 40);
}

#[test]
fn mutated_files_are_taken_or_refused_on_postgres() {
    mutated_files_are_taken_or_refused(Engine::Postgres, 15);
}

/// Files that are large in one thing only; each is refused.
fn oversized() -> Vec<(&'static str, &'static str, String)> {
    let megabytes = |of: &str, count: usize| of.repeat(count * 1024 * 1024 / of.len());
    let condition = |text: &str| PROGRAMME.replace("new_logo and (contract_value > 100k or not motion in [\\\"a\\\", \\\"b\\\"])", text);
    vec![
        ("import invoices", "csv", format!("{INVOICES}I3,c1,acme,USD,1.00,{}\n", megabytes("9", 200))),
        ("import invoices", "csv", format!("{INVOICES}\"I3,{}", megabytes("x\n", 64))),
        ("import invoices", "csv", megabytes("a,", 32)),
        ("import invoices", "csv", format!("{INVOICES}{}\n", megabytes(",", 32))),
        ("import invoices", "jsonl", format!("{{\"id\": \"{}\"}}\n", megabytes("x", 200))),
        ("import invoices", "jsonl", megabytes("[", 8)),
        ("import invoices", "jsonl", format!("{{\"id\": {}1}}\n", megabytes("[", 1))),
        ("program check", "toml", format!("{PROGRAMME}x = {}\n", megabytes("[", 16))),
        ("program check", "toml", format!("{PROGRAMME}{}", "[[tiers]]\nid = \"x\"\n".repeat(200_000))),
        ("program check", "toml", condition(&"(".repeat(100_000))),
        ("program check", "toml", condition(&"not ".repeat(100_000))),
        ("program check", "toml", condition(&format!("new_logo{}", " and new_logo".repeat(100_000)))),
        ("program check", "toml", condition(&format!("contract_value > {}", "9".repeat(100_000)))),
        ("program check", "toml", PROGRAMME.replace("\"3%\"", &format!("\"0.{}1\"", "0".repeat(100_000)))),
    ]
}

#[test]
fn oversized_files_are_refused_within_bounded_memory() {
    let app = App::fresh(Engine::Sqlite);
    prepared(&app);
    for (command, ending, content) in oversized() {
        let file = app.write("oversized", ending, &content);
        let taken = assert_bearable(&app, &format!("{command} {file}"), content.as_bytes());
        let start: String = content.chars().take(200).collect();
        assert!(!taken, "{command} took an oversized file that begins with {start}");
        std::fs::remove_file(app.path(&file)).expect("the file can be removed");
    }
    app.finish();
}

/// Every line of a long file is wrong: what is said about them is bounded, and says how many there are.
fn a_flood_of_errors_is_bounded(app: &App) {
    prepared(app);
    let rows: Vec<String> = (0..50_000).map(|number| format!("I{number},nobody,nobody,XXX,-1,yesterday")).collect();
    let content = format!("id,customer,partner,currency,subtotal,paid_at\n{}\n", rows.join("\n"));
    let file = app.write("flood", "csv", &content);
    for dry in ["", " --dry-run"] {
        let finished = run_bounded(app, &format!("import invoices {file}{dry}"), MEMORY);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr.chars().take(2000).collect::<String>());
        let length = finished.stderr.len() + finished.stdout.len();
        // A dry run lists far more, and is bounded too.
        let most = if dry.is_empty() { 4 } else { 64 };
        assert!(length < most * 1024 * 1024, "{length} bytes are said about one file");
        assert!(finished.stderr.contains(&format!("{file}:2")), "the first wrong line is not named");
    }
}

on_both_databases!(a_flood_of_errors_is_bounded);
