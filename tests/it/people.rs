//! People: who is added, disabled, and may not act.

use crate::app::App;
use crate::broken_books::three_months;
use crate::library::people;

fn people_are_added_listed_and_disabled(app: &App) {
    three_months(app);
    assert_eq!(app.json("user list --json"), serde_json::json!({ "users": [] }));
    app.ok("user add --id jo --email jo@example.com --name Jo --role finance --role channel_manager");
    let before = app.access().dump();
    app.ok("user add --id jo --email jo@example.com --name Jo --role channel_manager,finance");
    crate::database::assert_same(&before, &app.access().dump(), "adding the same again");
    app.refused("user add --id jo --email other@example.com --name Jo --role finance");
    for (line, why) in [
        ("user add --id x --email nobody --role ops", "address"),
        ("user add --id x --email x@example.com --role partner", "--partner"),
        ("user add --id x --email x@example.com --role ops --partner nobody", "nobody"),
        ("user add --id x --email x@example.com", "--role"),
        ("user disable nobody --reason gone", "nobody"),
    ] {
        let said = app.refused(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    for address in ["jo@example.com", "JO@Example.COM"] {
        let said = app.refused(&format!("user add --id jo2 --email {address} --role ops"));
        assert!(said.contains("is the address of user jo"), "{said}");
    }
    app.ok("user add --id pat --email pat@example.com --role partner,finance --partner acme");
    let listed = app.json("user list --json");
    assert_eq!(listed["users"][0]["roles"], serde_json::json!(["channel_manager", "finance"]));
    assert_eq!(listed["users"][1]["partner"], "acme");
    let said = app.refused("settlement hold --program p --partner acme --period 2026-07 --reason x --by pat");
    assert!(said.contains("acme"), "nobody decides about the own partner's money: {said}");
    app.ok("settlement hold --program p --partner beta --period 2026-07 --reason x --by pat");
    app.ok("user disable jo --reason left");
    app.ok("user disable jo --reason again");
    app.ok("user add --id jo2 --email Jo@example.com --role ops");
    app.ok("user disable jo2 --reason left");
    let said = app.refused("payout pause --by jo --reason drill");
    assert!(said.contains("left"), "{said}");
    assert!(app.ok("user list").stdout_text().contains("left"));
    let acts = app.access().texts("SELECT act FROM audit_log WHERE subject LIKE 'user/%' ORDER BY no");
    assert_eq!(acts, ["user.added", "user.added", "user.disabled", "user.added", "user.disabled"]);
}

fn destinations_take_two_people(app: &App) {
    three_months(app);
    people(app);
    app.ok("user add --id pat --email pat@example.com --role partner --partner acme");
    for (line, why) in [
        ("payout destination add --partner acme --currency USD --name A --iban DE89370400440532013001 --bic COBADEFF --by op", "IBAN"),
        ("payout destination add --partner acme --currency XXX --name A --token t --by op", "XXX"),
        ("payout destination add --partner nobody --currency USD --name A --token t --by op", "nobody"),
        ("payout destination add --partner beta --currency USD --name A --token t --by pat", "beta"),
        ("payout destination add --partner acme --currency USD --name A --by op", "--token"),
        ("payout destination approve dst_none --by fin", "dst_none"),
    ] {
        let said = app.refused(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    let first = app.json("payout destination add --partner acme --currency USD --name Acme --token secret-token-1 --by pat --json");
    let again = app.json("payout destination add --partner acme --currency USD --name Acme --token secret-token-1 --by pat --json");
    assert_eq!((first["id"].as_str(), first["status"].as_str()), (again["id"].as_str(), Some("waiting")));
    let second = app.json("payout destination add --partner acme --currency USD --name Acme --token secret-token-2 --by fin --json");
    let (first, second) = (first["id"].as_str().expect("an id"), second["id"].as_str().expect("an id"));
    let said = app.refused(&format!("payout destination approve {first} --by fin"));
    assert!(said.contains("place"), "{said}");
    app.refused(&format!("payout destination approve {second} --by fin"));
    app.refused(&format!("payout destination approve {second} --by op"));
    let approved = app.json(&format!("payout destination approve {second} --by fin2 --json"));
    assert_eq!((&approved["status"], &approved["usable_from"]), (&"approved".into(), &"2027-01-17T12:00:00Z".into()));
    let books = app.access().dump();
    app.ok(&format!("payout destination approve {second} --by fin2"));
    crate::database::assert_same(&books, &app.access().dump(), "approving it again");
    let shown = app.ok("payout destination list").stdout_text() + &app.ok("payout destination list --json").stdout_text();
    let log = app.access().texts("SELECT detail FROM audit_log").join("\n");
    assert!(!shown.contains("secret-token") && !log.contains("secret-token"), "{shown}\n{log}");
    assert!(app.access().try_execute("UPDATE payout_destinations SET account = '{}'").is_err());
    let by_one = "UPDATE payout_destinations SET approved_by = added_by, approved_at = 1, usable_from = 1 WHERE approved_by IS NULL";
    app.ok("payout destination add --partner beta --currency USD --name Beta --token secret-token-3 --by op");
    assert!(app.access().try_execute(by_one).is_err(), "the constraint alone asks for another person");
}

fn the_switch_is_durable_and_says_who(app: &App) {
    people(app);
    app.refused("payout pause --by nobody --reason drill");
    app.ok("payout pause --by op --reason drill");
    assert_eq!(app.json("payout pause --by fin --reason other --json")["unchanged"], true);
    let listed = app.json("payout list --json");
    assert_eq!((&listed["paused"]["by"], &listed["paused"]["reason"]), (&"op".into(), &"drill".into()));
    assert!(app.ok("payout list").stdout_text().contains("paused by op: drill"));
    app.ok("payout resume --by fin --reason over");
    assert_eq!(app.json("payout list --json")["paused"], serde_json::Value::Null);
    app.refused("payout show pay_none");
    app.refused("payout show pay_0190b6a2-7c3d-7e4f-8a5b-000000000001");
}

on_both_databases!(people_are_added_listed_and_disabled, destinations_take_two_people, the_switch_is_durable_and_says_who);
