//! A programme's schedules go in one order: what a month pays is rated by the tiers of the reviews before it, whatever was down meanwhile.

use std::fmt::Write as _;

use books::connection::Books;
use durable::Workflow;
use serde_json::Value;
use workflows::recertification::ReviewInput;
use workflows::settlement_run::SettlementInput;
use workflows::{Recertification, SettlementRun};

use crate::app::{App, Engine};
use crate::database::Access;
use crate::facts::Facts;
use crate::world::{self, MONTHLY, RUNTIME, World};

const MONTHS: Facts = Facts { partners: 3, first: 2, last: 6 };
const SETTLES: &str = "settlement/p";
const REVIEWS: &str = "recertification/p";
const QUARTERLY: &str = "schedule = \"0 0 7 1 1,4,7,10 *\"";

/// Reviews promote one member in April and demote another twice; between them a third crosses a threshold.
fn programme(promotion: &str, settlement: &str, recertification: &str) -> String {
    let tiers = [("base", "0", "10%"), ("silver", "5000", "15%"), ("gold", "20000", "20%")];
    let tiers = tiers.iter().fold(String::new(), |mut text, (id, threshold, rate)| {
        let _ = writeln!(text, "[[tiers]]\nid = \"{id}\"\nname = \"{id}\"\nthreshold = \"{threshold}\"\nrate = \"{rate}\"\ncoop_rate = \"2%\"");
        text
    });
    format!(
        "[program]\nid = \"p\"\nname = \"In order\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n{tiers}\
         [recertification]\npromotion = \"{promotion}\"\ngrace_cycles = 0\n{recertification}\n[settlement]\nfirst_period = \"2026-02\"\n{settlement}\n"
    )
}

/// The same, and lots of its co-op fund end after a month.
fn expiring(programme: &str) -> String {
    format!("{programme}[coop]\nexpires_after_months = 1\n")
}

fn record(app: &App, programme: &str) {
    app.apply(programme);
    app.import(
        "partners",
        "id,name,email,program,tier,tier_since\np01,One,p01@example.com,p,base,2026-01-01\np02,Two,p02@example.com,p,gold,2026-01-01\n\
         p03,Three,p03@example.com,p,base,2026-01-01",
    );
    app.import("customers", "id,name\nc1,Customer");
    let mut rows = "id,customer,partner,currency,subtotal,paid_at\n".to_owned();
    for month in MONTHS.months() {
        let sold = [("p01", if month < 4 { 3_000 } else { 1_000 }), ("p02", 100 * month), ("p03", if month == 5 { 25_000 } else { 200 })];
        for (partner, dollars) in sold {
            let _ = writeln!(rows, "{partner}-{month},c1,{partner},USD,{dollars}.00,2026-{month:02}-10T10:00:00Z");
        }
    }
    app.import("invoices", &rows);
    // It takes from a lot that ends a day after the month of the refund is settled.
    app.import("refunds", "id,invoice,amount,refunded_at\nr1,p01-3,500.00,2026-03-20T10:00:00Z");
    world::destine(app, MONTHS);
}

/// A world, and the same facts apart.
fn worlds(engine: Engine, programme: &str) -> (World, App) {
    let app = App::fresh(engine);
    record(&app, programme);
    let apart = app.copy();
    let mut world = World::around(app, MONTHS, &["call-after"]);
    world.set_plain_statements();
    (world, apart)
}

/// What the books say of months, reviews, tiers and wallets, without what says when and in which run it came to be.
fn books_of(app: &App) -> Vec<String> {
    [
        "SELECT partner || ' ' || period || ' ' || digest FROM settlements ORDER BY period, partner",
        "SELECT as_of || ' ' || partner || ' ' || tier || ' ' || CAST(t12m_minor AS TEXT) || ' ' || outcome || ' ' || new_tier || ' ' || \
         CAST(misses AS TEXT) FROM review_results ORDER BY as_of, partner",
        "SELECT partner || ' ' || effective_from || ' ' || tier || ' ' || origin FROM tier_assignments ORDER BY partner, effective_from, origin, tier",
        "SELECT partner || ' ' || CAST(balance_minor AS TEXT) FROM wallets ORDER BY partner",
        "SELECT kind || ' ' || dated_on || ' ' || CAST(SUM(amount_minor) AS TEXT) FROM lot_draws GROUP BY kind, dated_on ORDER BY kind, dated_on",
        "SELECT id FROM transactions WHERE kind = 'expiry' ORDER BY id",
    ]
    .iter()
    .flat_map(|query| app.access().texts(query))
    .collect()
}

/// Lots expire every night of a month, from the second day on to the first of the next.
fn expire(app: &App, month: u32) {
    let first = chrono::NaiveDate::from_ymd_opt(2026, month, 1).expect("a day");
    let nights = first.iter_days().skip(1).take_while(|day| *day <= first + chrono::Months::new(1));
    RUNTIME.block_on(async {
        let books = Books::open(&app.url()).await.expect("the database opens");
        for night in nights {
            let now = format!("{night}T00:30:00Z").parse().expect("an instant");
            let tx = books.begin_write().await.expect("a transaction begins");
            books::wallet::expire_until(&tx, "p", night, now).await.expect("lots expire");
            tx.commit().await.expect("a transaction is committed");
        }
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
    });
}

/// The same facts where nothing was ever down: a service of each moment at which something is due.
fn undisturbed(app: &App) -> Vec<String> {
    let step = |clock: &str, line: &str| {
        let finished = crate::process::run(app.command(line).env("TRIBUTARY_CLOCK__START", clock));
        assert_eq!(finished.status.code(), Some(0), "tributary {line}\n{}{}", finished.stdout_text(), finished.stderr);
    };
    for month in MONTHS.months() {
        let next = month + 1;
        expire(app, month);
        step(&format!("2026-{next:02}-01T06:00:00Z"), &format!("settle --program p --period 2026-{month:02}"));
        if [4, 7].contains(&next) {
            step(&format!("2026-{next:02}-01T07:00:00Z"), &format!("recertify --program p --as-of 2026-{next:02}-01"));
        }
    }
    books_of(app)
}

fn started(world: &World, schedule: &str) -> Vec<String> {
    world.books.texts(&format!("SELECT slot FROM schedule_slots WHERE schedule = '{schedule}' AND state = 'started' ORDER BY slot"))
}

/// The slots of the programme whose run began its first step before that of an earlier one had ended.
fn overtakers(world: &World) -> Vec<String> {
    world.books.texts(
        "SELECT b.schedule || ' ' || b.slot || ' before ' || a.schedule || ' ' || a.slot FROM schedule_slots a JOIN schedule_slots b ON a.due_at < b.due_at \
         JOIN workflow_runs r ON r.id = a.run JOIN (SELECT run, MIN(begun_at) AS first FROM run_steps GROUP BY run) s ON s.run = b.run \
         WHERE a.schedule <> 'certification_notices' AND b.schedule <> 'certification_notices' AND (r.finished_at IS NULL OR s.first < r.finished_at) ORDER BY b.due_at, a.due_at LIMIT 20",
    )
}

fn months_of_downtime_end_as_if_nothing_had_been_down(engine: Engine) {
    let by_review = programme("recertification", MONTHLY, QUARTERLY);
    for programme in [by_review, expiring(&programme("immediate", MONTHLY, QUARTERLY))] {
        let (world, apart) = worlds(engine, &programme);
        until_caught_up(&world, "everything is caught up", || world.all_is_done() && started(&world, REVIEWS).len() == 2);
        assert_eq!(started(&world, SETTLES), (3..=7).map(|month| format!("2026-{month:02}-01T06:00:00")).collect::<Vec<_>>());
        assert_eq!(started(&world, REVIEWS), ["2026-04-01T07:00:00", "2026-07-01T07:00:00"]);
        assert_eq!(world.count("schedule_slots WHERE state <> 'started'"), 0, "none was missed");
        assert_eq!(overtakers(&world), Vec::<String>::new());
        assert_eq!(books_of(&world.app), undisturbed(&apart), "{programme}");
        world.assert_sound();
    }
}

/// The service was down from February on; what was missed by the morning of 1 July is caught up.
fn until_caught_up(world: &World, what: &str, is_so: impl Fn() -> bool) {
    world.know_schedules("2026-02-20T00:00:00Z");
    until_july(world, what, is_so);
}

/// A service of the morning of 1 July, which knew the schedules before.
fn until_july(world: &World, what: &str, is_so: impl Fn() -> bool) {
    let serving = world.serve("2026-07-01T07:00:01Z");
    world.until(what, |_| is_so() && world.is_at_rest());
    serving.stop();
}

fn line(world: &World, schedule: &str, clock: &str) -> Value {
    let listed: Value = serde_json::from_slice(&world.ok_at(clock, "schedule list --json").stdout).expect("JSON");
    let lines = listed["schedules"].as_array().expect("a list");
    lines.iter().find(|line| line["id"] == schedule).cloned().unwrap_or_else(|| panic!("{schedule} is not in {listed}"))
}

fn missed(world: &World, schedule: &str) -> Vec<String> {
    world.books.texts(&format!("SELECT slot FROM schedule_slots WHERE schedule = '{schedule}' AND state = 'missed' ORDER BY slot"))
}

fn paused_reviews_hold_no_month_up(engine: Engine) {
    let (world, _) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-02-20T00:00:00Z");
    world.ok_at("2026-02-20T00:01:00Z", "schedule pause recertification/p --by op --reason audit");
    until_caught_up(&world, "all months are final", || world.all_is_done() && missed(&world, REVIEWS).len() == 2);
    assert_eq!(started(&world, SETTLES).len(), 5);
    assert_eq!(missed(&world, REVIEWS), ["2026-04-01T07:00:00", "2026-07-01T07:00:00"]);
    assert_eq!(world.count("reviews"), 0);
    world.assert_sound();
}

/// Refuses reviews, past the application.
fn poison(books: &Access) {
    if books.is_sqlite() {
        books.execute("CREATE TRIGGER poison BEFORE INSERT ON reviews BEGIN SELECT RAISE(ABORT, 'the shelf is broken'); END");
        return;
    }
    books.execute("CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the shelf is broken'; END $$");
    books.execute("CREATE TRIGGER poison BEFORE INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION poison()");
}

fn mend(books: &Access) {
    books.execute(if books.is_sqlite() { "DROP TRIGGER poison" } else { "DROP TRIGGER poison ON reviews" });
}

fn parked(world: &World, workflow: &str) -> Vec<(String, String)> {
    let query = format!("SELECT id || '|' || COALESCE(error, '') FROM workflow_runs WHERE workflow = '{workflow}' AND status = 'parked'");
    world.books.texts(&query).iter().map(|row| row.split_once('|').map(|(id, error)| (id.to_owned(), error.to_owned())).expect("two parts")).collect()
}

/// Refuses a command at a time, and nothing is changed; what it says.
fn refused(world: &World, clock: &str, line: &str) -> String {
    let before = world.books.dump();
    let finished = crate::process::run(world.app.command(line).env("TRIBUTARY_CLOCK__START", clock));
    assert_eq!(finished.status.code(), Some(2), "tributary {line}\n{}{}", finished.stdout_text(), finished.stderr);
    crate::database::assert_same(&before, &world.books.dump(), line);
    finished.stderr
}

fn start<W: Workflow>(world: &World, key: &str, input: &W::Input) {
    RUNTIME.block_on(async {
        let books = Books::open(&world.app.url()).await.expect("the database opens");
        let tx = books.begin_write().await.expect("a transaction begins");
        let now = durable::Instant("2026-02-20T00:00:00Z".parse::<program::calendar::Instant>().expect("an instant").0);
        durable::runs::start_as::<W>(&tx, key, input, now).await.expect("a run is started");
        tx.commit().await.expect("a transaction is committed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
    });
}

/// A run of April that nobody has asked about reviews: not by a slot, nor by the command.
fn start_april(world: &World) {
    let input = SettlementInput { program: "p".into(), period: "2026-04".into() };
    start::<SettlementRun>(world, &input.key(), &input);
}

fn a_month_waits_visibly_for_a_review_that_is_parked(engine: Engine) {
    let clock = "2026-07-01T07:00:01Z";
    let (world, apart) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-02-20T00:00:00Z");
    poison(&world.books);
    let serving = world.serve(clock);
    world.until("the review waits for a person", |_| parked(&world, "recertification").len() == 1);
    let (review, reason) = parked(&world, "recertification").remove(0);
    assert!(reason.contains("shelf is broken"), "{reason}");
    world.until("what comes before it is done", |_| world.count("periods WHERE status = 'final'") == 2);

    // The slot of April waits, and says for what; so does whoever else would settle the month.
    let waits = line(&world, SETTLES, clock);
    assert_eq!(waits["next_slot"], "2026-05-01T06:00:00", "{waits}");
    for place in ["recertification/p 2026-04-01T07:00:00", &review, "parked", "shelf is broken"] {
        assert!(waits["waits_for"].as_str().is_some_and(|text| text.contains(place)), "{place}: {waits}");
        assert!(world.ok_at(clock, "schedule list").stdout_text().contains(place), "{place}");
    }
    for refused in [
        "settle --program p --period 2026-04",
        "settle --program p --through 2026-06",
        "schedule run settlement/p --slot 2026-05-01T06:00:00 --by op",
    ] {
        let finished = crate::process::run(world.app.command(refused).env("TRIBUTARY_CLOCK__START", clock));
        assert_eq!(finished.status.code(), Some(2), "{refused}\n{}", finished.stderr);
        assert!(finished.stderr.contains("before the review of 2026-04-01") && finished.stderr.contains(&review), "{refused}: {}", finished.stderr);
    }
    assert_eq!(world.count("workflow_runs WHERE workflow = 'settlement_run'"), 2, "nothing was begun");
    start_april(&world);
    world.until("a run that was started all the same waits for a person", |_| parked(&world, "settlement_run").len() == 1);
    let (april, reason) = parked(&world, "settlement_run").remove(0);
    assert!(reason.contains("before the review of 2026-04-01") && reason.contains(&review), "{reason}");
    assert_eq!(world.count("periods"), 2, "April is not even frozen");

    mend(&world.books);
    world.retry(&review, "mended");
    world.until("the review is made", |_| world.count("reviews") == 1);
    world.retry(&april, "mended");
    world.until("all is caught up", |_| world.all_is_done() && started(&world, REVIEWS).len() == 2);
    serving.stop();
    assert_eq!(books_of(&world.app), undisturbed(&apart));
    world.assert_sound();
}

fn by_hand_a_month_comes_after_its_review_too(engine: Engine) {
    let clock = "2026-07-01T05:00:00Z";
    let (world, apart) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.ok_at(clock, "settle --program p --period 2026-02 --preview");
    world.know_schedules("2026-02-20T00:00:00Z");
    let before = world.books.dump();
    let finished = crate::process::run(world.app.command("settle --program p --through 2026-06").env("TRIBUTARY_CLOCK__START", clock));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    for said in ["before the review of 2026-04-01", "recertification/p 2026-04-01T07:00:00", "recertify --program p --as-of 2026-04-01"] {
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    }
    crate::database::assert_same(&before, &world.books.dump(), "a refusal");
    // The months before it are none of its concern, and when somebody has made it the rest is neither.
    world.ok_at("2026-04-01T06:00:00Z", "settle --program p --through 2026-03");
    world.ok_at("2026-04-01T07:00:00Z", "recertify --program p --as-of 2026-04-01");
    world.ok_at("2026-07-01T06:00:00Z", "settle --program p --through 2026-06");
    until_july(&world, "the slots are done", || started(&world, REVIEWS).len() == 2 && started(&world, SETTLES).len() == 5);
    assert_eq!(world.count("reviews"), 2);
    let digests = "SELECT partner || ' ' || period || ' ' || digest FROM settlements ORDER BY period, partner";
    let found = world.books.texts(digests);
    undisturbed(&apart);
    assert_eq!(found, apart.access().texts(digests));
    world.assert_sound();
}

fn from_a_version_on_slots_are_its_own(engine: Engine) {
    let (world, _) = worlds(engine, &expiring(&programme("recertification", MONTHLY, QUARTERLY)));
    let apply = |text: &str, from: &str| {
        let file = world.app.write("version", "toml", text);
        world.ok_at("2026-02-20T00:00:00Z", &format!("program apply {file} --from {from}"));
    };
    world.know_schedules("2026-02-20T00:00:00Z");
    // One that reviews no more and settles on another day, and one that does nothing by itself; both told of while nothing runs.
    apply(&expiring(&programme("recertification", "schedule = \"0 0 6 2 * *\"", "")), "2026-05-01");
    apply(&programme("recertification", "", ""), "2026-06-01");
    until_caught_up(&world, "what was asked for is done", || started(&world, SETTLES).len() == 3 && started(&world, "lot_expiry/p").len() == 101);
    assert_eq!(started(&world, SETTLES), ["2026-03-01T06:00:00", "2026-04-01T06:00:00", "2026-05-02T06:00:00"]);
    assert_eq!(started(&world, REVIEWS), ["2026-04-01T07:00:00"]);
    assert_eq!(started(&world, "lot_expiry/p").last().map(String::as_str), Some("2026-05-31T00:30:00"));
    assert_eq!(world.count("schedule_slots WHERE state <> 'started'"), 0, "none was missed");
    for schedule in [SETTLES, REVIEWS, "lot_expiry/p"] {
        let gone = line(&world, schedule, "2026-07-01T08:00:00Z");
        assert_eq!((&gone["expression"], &gone["next_slot"], &gone["change"]), (&"never".into(), &Value::Null, &Value::Null), "{gone}");
    }
    assert!(world.ok_at("2026-07-01T08:00:00Z", "schedule list").stdout_text().contains("no longer asks for it"));
    let to_come = line(&world, SETTLES, "2026-05-20T00:00:00Z");
    assert_eq!((&to_come["expression"], &to_come["change"]["from"]), (&"0 0 6 2 * *".into(), &"2026-06-01".into()), "{to_come}");
    // What does not fire does not keep anybody waiting, and what comes back fires from its day on.
    world.ok_at("2026-07-01T08:00:00Z", "settle --program p --through 2026-06");
    apply(&programme("recertification", MONTHLY, QUARTERLY), "2026-08-01");
    world.know_schedules("2026-07-10T00:00:00Z");
    assert_eq!(line(&world, SETTLES, "2026-07-10T00:01:00Z")["next_slot"], "2026-08-01T06:00:00");
    assert_eq!(line(&world, REVIEWS, "2026-07-10T00:01:00Z")["next_slot"], "2026-10-01T07:00:00");
    world.assert_sound();
}

fn what_is_not_due_is_not_run(engine: Engine) {
    let clock = "2026-06-20T00:00:00Z";
    let (world, _) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-06-19T12:00:00Z");
    for (at, schedule, slot) in [
        (clock, REVIEWS, "2028-01-01T07:00:00"),
        // The day has begun, its slot is still to come.
        ("2026-07-01T06:59:59Z", REVIEWS, "2026-07-01T07:00:00"),
        (clock, SETTLES, "2026-07-01T06:00:00"),
        ("2026-07-01T05:59:59Z", SETTLES, "2026-07-01T06:00:00"),
    ] {
        let said = refused(&world, at, &format!("schedule run {schedule} --slot {slot} --by op"));
        assert!(said.contains(slot) && said.contains("is not due before"), "{said}");
    }
    // Nor is the review of a day to come made by a run that there is all the same.
    let input = ReviewInput { program: "p".into(), as_of: "2028-01-01".parse().expect("a date") };
    start::<Recertification>(&world, &input.key(), &input);
    let serving = world.serve(clock);
    world.until("it waits for a person", |_| parked(&world, "recertification").len() == 1);
    serving.stop();
    let (_, reason) = parked(&world, "recertification").remove(0);
    assert!(reason.contains("2028-01-01 is still to come"), "{reason}");
    assert_eq!(world.count("reviews"), 0);
    world.ok_at(clock, "recertify --program p --as-of 2026-06-20");
    world.ok_at("2026-07-01T07:00:00Z", "schedule run recertification/p --slot 2026-07-01T07:00:00 --by op");
    world.assert_sound();
}

/// By hand for a later day while nothing runs: the slot between is none that anybody waits for.
fn a_review_that_a_later_one_has_overtaken_is_missed(engine: Engine) {
    let (world, _) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-02-20T00:00:00Z");
    world.ok_at("2026-04-20T00:00:00Z", "recertify --program p --as-of 2026-04-15");
    until_july(&world, "all months are final", || world.all_is_done() && started(&world, REVIEWS).len() == 1);
    assert_eq!((missed(&world, REVIEWS), started(&world, REVIEWS)), (vec!["2026-04-01T07:00:00".into()], vec!["2026-07-01T07:00:00".into()]));
    assert_eq!(started(&world, SETTLES).len(), 5);
    assert_eq!(world.books.texts("SELECT as_of FROM reviews ORDER BY as_of"), ["2026-04-15", "2026-07-01"]);
    let reasons = world.books.texts("SELECT reason FROM schedule_slots WHERE state = 'missed'");
    assert!(reasons.iter().all(|reason| reason.contains("last reviewed on 2026-04-15")), "{reasons:?}");
    let said = refused(&world, "2026-07-02T00:00:00Z", "schedule run recertification/p --slot 2026-04-01T07:00:00 --by op");
    assert!(said.contains("last reviewed on 2026-07-01"), "{said}");
    world.assert_sound();
}

/// One that was started before it was overtaken.
fn a_run_whose_review_was_overtaken_holds_nobody_up(engine: Engine) {
    let (world, _) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-03-31T00:00:00Z");
    world.ok_at("2026-04-01T07:00:00Z", "schedule run recertification/p --slot 2026-04-01T07:00:00 --by op");
    world.ok_at("2026-04-20T00:00:00Z", "recertify --program p --as-of 2026-04-15");
    let serving = world.serve("2026-07-01T07:00:01Z");
    world.until("all months are final", |_| world.all_is_done() && started(&world, REVIEWS).len() == 2);
    serving.stop();
    let failed = world.books.texts("SELECT key || ' ' || error FROM workflow_runs WHERE status = 'failed'");
    assert!(failed.len() == 1 && failed[0].starts_with("p/2026-04-01 ") && failed[0].contains("last reviewed on 2026-04-15"), "{failed:?}");
    world.assert_sound();
}

fn a_review_in_a_final_month_is_not_made_up_for(engine: Engine) {
    let (world, _) = worlds(engine, &programme("recertification", MONTHLY, QUARTERLY));
    world.know_schedules("2026-02-20T00:00:00Z");
    world.ok_at("2026-02-20T00:01:00Z", "schedule pause recertification/p --by op --reason audit");
    until_july(&world, "all months are final", || world.all_is_done() && missed(&world, REVIEWS).len() == 2);
    let said = refused(&world, "2026-07-02T00:00:00Z", "schedule run recertification/p --slot 2026-04-01T07:00:00 --by op");
    assert!(said.contains("2026-04-01 lies in 2026-04, which is final"), "{said}");
    // July is open.
    world.ok_at("2026-07-02T00:00:00Z", "schedule run recertification/p --slot 2026-07-01T07:00:00 --by op");
    let serving = world.serve("2026-07-02T00:00:01Z");
    world.until("the review is made", |_| world.count("reviews") == 1 && world.is_at_rest());
    serving.stop();
    world.assert_sound();
}

each_engine!(
    months_of_downtime_end_as_if_nothing_had_been_down,
    paused_reviews_hold_no_month_up,
    a_month_waits_visibly_for_a_review_that_is_parked,
    by_hand_a_month_comes_after_its_review_too,
    from_a_version_on_slots_are_its_own,
    what_is_not_due_is_not_run,
    a_review_that_a_later_one_has_overtaken_is_missed,
    a_run_whose_review_was_overtaken_holds_nobody_up,
    a_review_in_a_final_month_is_not_made_up_for,
);
