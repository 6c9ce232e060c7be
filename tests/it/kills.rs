//! A settlement that is killed, again and again and at any moment, ends as one that was left alone.
//!
//! The whole process group is killed with SIGKILL at a random moment of a run over a year of facts. A kill counts only if the command was
//! still running and its work unfinished; a test fails if fewer than four in five count. `TRIBUTARY_KILLS` sets how many there are.

use std::time::{Duration, Instant};

use crate::app::{App, Engine};
use crate::generated::{self, FILES, Size};
use crate::process;
use crate::seeded::Seeded;

const SETTLE: &str = "settle --program year --through 2025-12 --json";
const KILLS_IN_SHORT: u64 = 10;
/// A run is killed this often at most before it may end.
const KILLS_OF_A_RUN: u64 = 3;

fn kills() -> u64 {
    std::env::var("TRIBUTARY_KILLS").ok().map_or(KILLS_IN_SHORT, |kills| kills.parse().expect("TRIBUTARY_KILLS is a number"))
}

/// A database that holds the facts of a year, nothing of it settled.
fn year(engine: Engine) -> App {
    let app = App::fresh(engine);
    generated::write(Size { partners: 40, invoices: 900 }, &app.path("")).expect("files can be written");
    app.ok("program apply program.toml --from 2000-01-01");
    for (kind, file) in FILES {
        app.ok(&format!("import {kind} {file}"));
    }
    app
}

/// Everything that the settled year says, apart from when it was said.
fn outcome(app: &App) -> Vec<String> {
    let mut said: Vec<String> =
        (1..=12).map(|month| app.ok(&format!("settle --program year --period 2025-{month:02} --json")).stdout_text()).collect();
    let books = app.access();
    said.extend(
        books
            .texts("SELECT account || ' ' || currency || ' ' || CAST(SUM(amount_minor) AS TEXT) FROM postings GROUP BY account, currency ORDER BY 1"),
    );
    said.extend(books.texts("SELECT partner || ' ' || currency || ' ' || CAST(balance_minor AS TEXT) FROM wallets ORDER BY 1"));
    said
}

/// The number of periods that are still to be made final.
fn unfinished(app: &App) -> u32 {
    let done = app.access().number("SELECT COUNT(*) FROM periods WHERE program = 'year' AND status = 'final'");
    12 - u32::try_from(done).expect("a count fits")
}

fn timed(app: &App) -> Duration {
    let started = Instant::now();
    app.ok(SETTLE);
    started.elapsed()
}

fn percent(share: u64) -> u32 {
    u32::try_from(share).expect("a percentage fits")
}

fn kills_lose_and_repeat_nothing(engine: Engine) {
    let facts = year(engine);
    let undisturbed = facts.copy();
    let mut whole = timed(&facts.copy()).min(timed(&undisturbed));
    let expected = outcome(&undisturbed);
    let (mut sent, mut counted) = (0, 0);
    let mut random = Seeded::new(20);
    while sent < kills() {
        let app = facts.copy();
        for _ in 0..random.between(1, KILLS_OF_A_RUN) {
            let moment = whole * percent(random.between(2, 80)) / 100 * unfinished(&app) / 12;
            let counts = killed_at_work(&app, moment);
            sent += 1;
            counted += u64::from(counts);
            app.assert_verified();
            if !counts {
                // The machine got faster than it was when the run was measured.
                whole = whole * 3 / 4;
                break;
            }
        }
        app.ok(SETTLE);
        assert!(outcome(&app) == expected, "a killed and resumed run ended otherwise than one left alone ({engine:?}, {sent} kills sent)");
        app.finish();
    }
    assert!(counted * 5 >= sent * 4, "only {counted} of {sent} kills met work in flight; a run takes {whole:?}");
    undisturbed.finish();
}

/// Whether the kill counts; says when it was sent.
fn killed_at_work(app: &App, moment: Duration) -> bool {
    let finished = process::kill_after(&mut app.command(SETTLE), moment);
    let counts = finished.was_killed() && unfinished(app) > 0;
    eprintln!("SIGKILL after {moment:?}: {}", if counts { "work was in flight" } else { "does not count" });
    assert!(finished.was_killed() || finished.status.success(), "{}", finished.stderr);
    counts
}

#[test]
fn a_killed_settlement_ends_as_one_left_alone_on_sqlite() {
    kills_lose_and_repeat_nothing(Engine::Sqlite);
}

#[test]
fn a_killed_settlement_ends_as_one_left_alone_on_postgres() {
    kills_lose_and_repeat_nothing(Engine::Postgres);
}
