//! Every error of a programme file: where it is shown, what it says and what helps.

use proptest::prelude::*;

use program::file::{FileErrors, load};

/// The smallest programme; tests put what they try in front of or behind it, or replace a part.
const SMALL: &str = r#"[program]
id = "reseller"
name = "Reseller programme"
currency = "USD"
timezone = "UTC"

[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"

[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "0.12"

[roles.influenced]
referred = true

[metrics]
csat = "number"
region = "text"
[settlement]
first_period = "2026-01"
"#;

fn faults(text: &str) -> FileErrors {
    load("p.toml", text).expect_err("this file is wrong")
}

/// The one error of a file, as `line:column reason | help`.
fn only(text: &str) -> String {
    let errors = faults(text);
    let shown: Vec<String> =
        errors.errors().iter().map(|e| format!("{}:{} {} | {}", e.line, e.column, e.reason, e.help.as_deref().unwrap_or("-"))).collect();
    assert_eq!(shown.len(), 1, "one error expected: {shown:#?}");
    shown.join("")
}

/// The error of the small programme with a part replaced.
fn replaced(part: &str, by: &str) -> String {
    assert!(SMALL.contains(part), "{part}");
    only(&SMALL.replacen(part, by, 1))
}

/// The error of the small programme with lines behind it; they begin in line 28.
fn appended(lines: &str) -> String {
    only(&format!("{SMALL}\n{lines}\n"))
}

fn check(found: &str, place: &str, reason: &str, help: &str) {
    let start = found.split(' ').next().unwrap_or_default();
    assert!(start == place && found.contains(reason) && found.contains(help), "wanted {place} … {reason} … {help}\n found {found}");
}

#[test]
fn the_small_programme_is_valid() {
    let programme = load("p.toml", SMALL).unwrap();
    assert_eq!((programme.tiers.len(), programme.tiers[1].rate.to_string().as_str()), (2, "0.12"));
    assert_eq!(programme.tiers[1].threshold.to_string(), "500000");
    assert_eq!((programme.recertification.grace_cycles, programme.recertification.max_demotion_steps), (1, 1));
    assert!(programme.hierarchy.is_none() && programme.mdf.is_none());
}

#[test]
fn header() {
    for (part, by, place, reason, help) in [
        ("id = \"reseller\"\n", "", "1:1", "`id` is missing in [program]", ""),
        ("\"reseller\"", "\"\"", "2:6", "`id` is empty", ""),
        ("\"reseller\"", "\"a\\nb\"", "2:6", "control character", ""),
        ("\"reseller\"", "7", "2:6", "`id` must be text, but is a bare number", "id = \"7\""),
        ("currency =", "curency =", "1:1", "`currency` is missing", ""),
        ("\"USD\"", "\"usd\"", "4:12", "not an ISO 4217 currency", "\"USD\""),
        ("\"USD\"", "\"XAU\"", "4:12", "no minor unit", ""),
        ("\"UTC\"", "\"America/New_Yrok\"", "5:12", "not an IANA time zone", "America/New_York"),
        ("\"UTC\"", "\"UTC\"\nrounding = \"half_upp\"", "6:12", "`rounding` must be \"half_up\" or \"half_even\"", "\"half_up\""),
    ] {
        if by == "curency =" {
            let errors = faults(&SMALL.replacen(part, by, 1));
            assert_eq!(errors.errors().len(), 2, "the missing key and the unknown one");
            assert_eq!(errors.errors()[1].reason, "unknown key `curency` in [program]");
            assert_eq!(errors.errors()[1].help.as_deref(), Some("did you mean `currency`?"));
            continue;
        }
        check(&replaced(part, by), place, reason, help);
    }
    check(&only(&format!("schema = 2\n{SMALL}")), "1:10", "`schema` must be a whole number from 1 to 1", "");
    check(&replaced("[settlement]\nfirst_period = \"2026-01\"\n", ""), "1:1", "`settlement` is missing in the file", "");
}

#[test]
fn unknown_keys_everywhere() {
    for (lines, place, reason, help) in [
        ("[settlements]", "28:2", "unknown key `settlements` in the file", "`settlement`"),
        ("[hierarchy]\nlevel = [\"1%\"]", "29:1", "unknown key `level` in [hierarchy]", "`levels`"),
        ("[coop]\nfunded = \"vendor\"", "29:1", "unknown key `funded` in [coop]", "known here: funded_by, expires_after_months"),
        ("[recertification]\ngrace_cycle = 1", "29:1", "unknown key `grace_cycle`", "`grace_cycles`"),
        ("[mdf]\ncostshare = \"50%\"", "29:1", "unknown key `costshare` in [mdf]", "`cost_share`"),
        ("[[mdf.approvals]]\nrole = \"finance\"\nwhithin = \"1h\"", "30:1", "unknown key `whithin` in [[mdf.approvals]]", "`within`"),
        ("[[rules]]\nid = \"a\"\nkind = \"spiff\"\nrate = \"1%\"\nwhne = \"true\"", "32:1", "unknown key `whne` in [[rules]]", "`when`"),
        ("[[rates]]\nid = \"a\"\nrate = \"1%\"\nparter = \"x\"", "31:1", "unknown key `parter` in [[rates]]", "`partner`"),
        ("[[rankings]]\nid = \"a\"\nrate = \"1%\"\ntop = \"1%\"\nfor = 1", "32:1", "unknown key `for` in [[rankings]]", ""),
        ("[roles.assist]\nextra = true", "29:1", "unknown key `extra` in [roles.assist]", "`extras`"),
    ] {
        check(&appended(lines), place, reason, help);
    }
    check(&replaced("threshold = \"0\"", "threshold = \"0\"\ncoop = \"1%\""), "11:1", "unknown key `coop` in [[tiers]]", "");
}

#[test]
fn tiers() {
    for (part, by, place, reason, help) in [
        ("name = \"Gold\"\n", "", "13:1", "`name` is missing in [[tiers]]", ""),
        ("\"gold\"", "\"base\"", "14:6", "\"base\" is used twice", "line 8"),
        ("\"500k\"", "\"-1\"", "16:13", "is below zero", ""),
        ("\"500k\"", "500000", "16:13", "must be text, but is a bare number", "\"500000\""),
        ("\"500k\"", "\"500K\"", "16:13", "unknown suffix", "500k"),
        ("\"500k\"", "\"5%\"", "16:13", "not an amount", ""),
        ("\"500k\"", "\"10000B\"", "16:13", "too large", ""),
        ("threshold = \"0\"", "threshold = \"1M\"", "16:13", "500000 is below 1000000", "from the lowest"),
        ("\"0.12\"", "0.12", "17:8", "must be text, but is a bare number", "\"0.12\" (a fraction) or \"12%\""),
        ("\"0.12\"", "\"12\"", "17:8", "is more than 1000 %", "12%"),
        ("\"0.12\"", "\"-1%\"", "17:8", "is below zero", ""),
        ("\"0.12\"", "\"12.34567%\"", "17:8", "is not a rate", "6 decimals"),
        ("\"0.12\"", "\"0.12\"\ncertifications = { sales = 0 }", "18:28", "`sales` must be a whole number from 1", ""),
        ("\"0.12\"", "\"0.12\"\ncertifications = [\"sales\"]", "18:18", "`certifications` must be a table", ""),
        ("\"0.12\"", "\"0.12\"\ninvitation_only = \"yes\"", "18:19", "must be true or false, but is text", "without quotes"),
        ("\"0.12\"", "\"0.12\"\nrequires = \"amount > 5\"", "18:13", "`amount` is not known in reviews", "`when`"),
        ("\"0.12\"", "\"0.12\"\nrequires = \"csta > 5\"", "18:13", "unknown fact `csta`", "`csat`"),
    ] {
        check(&replaced(part, by), place, reason, help);
    }
    let none =
        only("tiers = []\n[program]\nid = \"a\"\nname = \"A\"\ncurrency = \"USD\"\ntimezone = \"UTC\"\n[settlement]\nfirst_period = \"2026-01\"");
    check(&none, "1:1", "at least one tier", "[[tiers]]");
}

#[test]
fn rules() {
    let spiff = "[[rules]]\nid = \"a\"\nkind = \"spiff\"\n";
    let bonus = "[[rules]]\nid = \"a\"\nkind = \"volume_bonus\"\n";
    for (start, lines, place, reason, help) in [
        (spiff, "", "28:1", "neither `rate` nor `amount`", "rate = \"3%\""),
        (spiff, "rate = \"3%\"\namount = \"5.00\"", "32:1", "not both", ""),
        (spiff, "amount = \"5.005\"", "31:10", "more decimals than USD (2)", ""),
        (spiff, "amount = \"-5\"", "31:10", "below zero", ""),
        (spiff, "amount = \"10000B\"", "31:10", "too large", ""),
        (spiff, "rate = \"3%\"\nwindow_on = \"signed\"", "32:13", "\"signed_on\" or \"paid_on\" or \"both\"", "\"signed_on\""),
        (spiff, "rate = \"3%\"\npays = \"once\"", "32:8", "\"each_invoice\" or \"first_invoice\"", ""),
        (spiff, "rate = \"3%\"\npartners = \"acme\"", "32:12", "must be a list", "[\"a\", \"b\"]"),
        (spiff, "rate = \"3%\"\npartners = []", "32:12", "is empty", "leave it out"),
        (spiff, "rate = \"3%\"\npartners = [\"acme\", 7]", "32:21", "must be text", ""),
        (spiff, "rate = \"3%\"\nfrom = \"2026-04-01\"", "32:8", "must be a date, but is text", "without quotes"),
        (spiff, "rate = \"3%\"\nfrom = 2026-04-01T10:00:00Z", "32:8", "not a calendar date", "without a time"),
        (spiff, "rate = \"3%\"\nfrom = 2026-04-02\nthrough = 2026-04-01", "33:11", "lies before `from`", "first day"),
        (spiff, "rate = \"3%\"\nwhen = \"active_deals > 1\"", "32:9", "known in reviews only", "`requires`"),
        (spiff, "rate = \"3%\"\nwhen = \"tier in [\\\"gold\\\", 5]\"", "32:28", "`5` is a number, but `tier` is text", ""),
        (bonus, "", "28:1", "`rate` is missing in this volume bonus", ""),
        (bonus, "rate = \"1%\"\namount = \"5\"", "32:1", "`amount` belongs to spiffs only", ""),
        (bonus, "rate = \"1%\"\nwindow_on = \"both\"", "32:1", "`window_on` belongs to spiffs only", ""),
        (bonus, "rate = \"1%\"\npays = \"each_invoice\"", "32:1", "`pays` belongs to spiffs only", ""),
        ("[[rules]]\nid = \"a\"\n", "kind = \"bonus\"", "30:8", "\"spiff\" or \"volume_bonus\"", ""),
        ("[[rules]]\nkind = \"spiff\"\n", "rate = \"1%\"", "28:1", "`id` is missing in [[rules]]", ""),
        ("[rules]\n", "", "28:2", "`rules` must be a list of tables", "[[rules]]"),
    ] {
        check(&appended(&format!("{start}{lines}")), place, reason, help);
    }
}

#[test]
fn rates_and_rankings() {
    let rate = "[[rates]]\nid = \"a\"\nrate = \"3%\"\n";
    let ranking = "[[rankings]]\nid = \"a\"\nrate = \"1%\"\n";
    for (start, lines, place, reason, help) in [
        (rate, "tiers = [\"base\", \"glod\"]", "31:18", "there is no tier \"glod\"", "\"gold\""),
        (rate, "role = \"influence\"", "31:8", "\"influence\" is not declared", "\"influenced\""),
        (rate, "role = \"oem\"", "31:8", "\"oem\" is not declared", "[roles.oem]"),
        (rate, "partner = \"\"", "31:11", "`partner` is empty", ""),
        (rate, "[[rates]]\nid = \"a\"\nrate = \"1%\"", "32:6", "used twice", "line 29"),
        (ranking, "", "28:1", "`top` is missing in [[rankings]]", ""),
        (ranking, "top = \"0%\"", "31:7", "nobody wins", ""),
        (ranking, "top = \"101%\"", "31:7", "is more than 100 %", ""),
        (ranking, "top = \"10%\"\napplies = \"this_quarter\"", "32:11", "\"next_quarter\" or \"ranked_quarter\"", ""),
    ] {
        check(&appended(&format!("{start}{lines}")), place, reason, help);
    }
}

#[test]
fn roles_and_metrics() {
    for (lines, place, reason, help) in [
        ("[roles.sourced]", "28:8", "`sourced` can't be declared", "every programme has it"),
        ("[roles.\"\"]", "28:8", "is empty", ""),
        ("[roles.assist]\nreferred = 1", "29:12", "must be true or false", "referred = true"),
    ] {
        check(&appended(lines), place, reason, help);
    }
    for (by, place, reason) in [
        ("score = \"number\"", "23:1", "`score` is reserved"),
        ("tier = \"text\"", "23:1", "`tier` is a built-in fact"),
        ("and = \"text\"", "23:1", "`and` is a word of the condition language"),
        ("\"e-mail\" = \"text\"", "23:1", "`e-mail` is not a name"),
        ("csat = \"numbr\"", "23:8", "\"number\" or \"text\" or \"bool\""),
    ] {
        check(&replaced("csat = \"number\"", by), place, reason, "");
    }
}

#[test]
fn terms() {
    for (lines, place, reason, help) in [
        ("schedule = \"0 6 1 * *\"", "27:12", "5 parts instead of 6", "0 0 6 1 * *"),
        ("schedule = \"0 0 6 * * 1\"", "27:12", "days by name", ""),
        ("minimum_payout = 50.00", "27:18", "must be text, but is a bare number", "\"50.00\""),
        ("minimum_payout = \"50.001\"", "27:18", "more decimals than USD (2)", ""),
        ("minimum_payout_in = { EURO = \"5\" }", "27:23", "\"EURO\" is not an ISO 4217 currency", ""),
        ("minimum_payout_in = { JPY = \"5.5\" }", "27:29", "more decimals than JPY (0)", ""),
        ("minimum_payout = \"1\"\nminimum_payout_in = { USD = \"5\" }", "27:1", "USD has two minimum payouts", ""),
        ("release = \"later\"", "27:11", "\"auto\" or \"manual\"", ""),
        ("hold_days = -1", "27:13", "from 0 to 3650", ""),
        ("hold_days = \"3\"", "27:13", "must be a whole number, but is text", "without quotes"),
        ("hold_days = 99999999999999999999", "27:13", "", ""),
        ("[recertification]\ncustomer_min_age_days = 1.5", "28:25", "must be a whole number", ""),
        ("[recertification]\npromotion = \"instant\"", "28:13", "\"recertification\" or \"immediate\"", ""),
        ("[recertification]\nmax_demotion_steps = 0", "28:22", "from 1 to 1000", ""),
        ("[coop]\nexpires_after_months = 0", "28:24", "from 1 to 1200", ""),
        ("[hierarchy]\nmode = \"diff\"", "28:8", "\"override\" or \"share\" or \"differential\"", ""),
        ("[hierarchy]\nlevels = \"3%\"", "28:10", "`levels` must be a list", "the parent's rate first"),
        ("[hierarchy]\nlevels = [\"3%\", 0.01]", "28:17", "must be text, but is a bare number", "\"0.01\""),
        ("[mdf]\ncost_share = \"150%\"", "28:14", "is more than 100 %", ""),
        ("[[mdf.approvals]]\nrole = \"finance\"\nwithin = \"48\"", "29:10", "not a length of time", "48h"),
        ("[[mdf.approvals]]\nrole = \"finance\"\nescalate_to = \"cfo\"", "29:1", "needs `within`", ""),
        ("[[mdf.approvals]]\nrole = \"finance\"\nover = \"10.001\"", "29:8", "more decimals than USD", ""),
        ("[[mdf.approvals]]\nrole = \"a\"\n[[mdf.approvals]]\nrole = \"a\"", "30:8", "used twice", "line 28"),
    ] {
        check(&only(&format!("{SMALL}{lines}\n")), place, reason, help);
    }
    check(&replaced("\"2026-01\"", "\"2026-1\""), "26:16", "\"2026-1\" is not a period", "");
    check(&replaced("\"2026-01\"", "2026-01-01"), "26:16", "must be text, but is a date", "");
    check(&replaced("first_period = \"2026-01\"", "hold_days = 1"), "25:1", "`first_period` is missing in [settlement]", "");
    let levels = vec!["\"1%\""; 33].join(", ");
    check(&appended(&format!("[hierarchy]\nlevels = [{levels}]")), "29:10", "33 rates; at most 32", "");
}

#[test]
fn places_count_characters_and_escapes() {
    let rule = "[[rules]]\nid = \"a\"\nkind = \"spiff\"\nrate = \"1%\"\n";
    for (when, place) in [
        ("when = 'region == \"nörd\" and wrong'", "32:30"),
        ("when = \"region == \\\"n\\u00f6rd\\\" and wrong\"", "32:37"),
        ("when = \"\"\"\nnew_logo and\n  wrong\"\"\"", "34:3"),
        ("when = '''new_logo and wrong'''", "32:24"),
        ("when = \"\"\"new_logo and \\\n   wrong\"\"\"", "33:4"),
    ] {
        check(&appended(&format!("{rule}{when}")), place, "unknown fact `wrong`", "");
    }
    check(&only(&format!("{}\r\n[x]\r\n", SMALL.replace('\n', "\r\n"))), "28:2", "unknown key `x`", "");
}

#[test]
fn what_is_not_toml_is_shown_at_its_place() {
    check(&replaced("id = \"reseller\"", "id = \"reseller"), "2:15", "not valid TOML: invalid basic string", "");
    check(&appended("[program]"), "28:2", "duplicate key `program`", "toml.io");
    check(&appended("x = 2026-02-30"), "28:5", "not valid TOML", "");
}

/// The parser has its own bounds; of dotted keys it names no place, so the line that nests deepest is shown.
#[test]
fn what_nests_too_deeply_is_shown_at_its_place() {
    let dotted = ".a".repeat(300);
    let (open, close) = ("[".repeat(300), "]".repeat(300));
    let (inner, end) = ("{a = ".repeat(300), "}".repeat(300));
    for (lines, place) in [
        (format!("x{dotted} = 1"), "28:1"),
        (format!("\n\n[x{dotted}]\ny = 1"), "30:1"),
        (format!("x = 1\ny = {open}{close}"), "29:85"),
        (format!("x = {inner}1{end}"), "28:405"),
        (format!("x = [\n{}{}]", "[\n".repeat(300), "]\n".repeat(300)), "108:1"),
    ] {
        check(&appended(&lines), place, "nested too deeply", "no more than a few levels");
    }
    let condition = |levels: usize| format!("[[rules]]\nid = \"a\"\nkind = \"spiff\"\nrate = \"1%\"\nwhen = \"{}true\"", "not ".repeat(levels));
    assert!(load("p.toml", &format!("{SMALL}\n{}\n", condition(64))).is_ok());
    check(&appended(&condition(65)), "32:268", "`when`: `not` and parentheses are nested deeper than 64", "fewer levels");
}

#[test]
fn all_errors_are_told_at_once_in_order() {
    let text = SMALL.replace("\"5%\"", "5").replace("\"Gold\"", "\"\"").replace("\"2026-01\"", "\"soon\"");
    let errors = faults(&text);
    let lines: Vec<usize> = errors.errors().iter().map(|error| error.line).collect();
    assert_eq!(lines, [11, 15, 26]);
    assert_eq!(errors.to_string(), "p.toml is not a valid programme file: 3 errors");
    assert_eq!(errors.errors()[1].to_string(), "p.toml:15:8: `name` is empty");
}

#[test]
fn a_report_shows_the_line_with_a_caret() {
    let report = miette::Report::new(faults(&SMALL.replace("threshold = \"500k\"", "treshold = \"500k\"")));
    let mut shown = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    handler.render_report(&mut shown, report.as_ref()).unwrap();
    for part in ["p.toml:16:1", "treshold = \"500k\"", "did you mean `threshold`?", "here"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

#[test]
fn too_long_a_file_is_refused() {
    let found = only(&"#".repeat(program::file::LENGTH_LIMIT_BYTES + 1));
    check(&found, "1:1", "at most 1048576", "");
}

#[test]
fn many_errors_are_counted_and_the_first_are_listed() {
    let text = format!("{SMALL}{}", "[[rules]]\n".repeat(300));
    let errors = faults(&text);
    assert_eq!(errors.errors().len(), 100);
    assert_eq!(errors.to_string(), "p.toml is not a valid programme file: 600 errors");
}

/// Text that looks like a programme file, with everything in the wrong place.
fn shuffled() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[",
        "]",
        "[[",
        "]]",
        "tiers",
        "rules",
        "program",
        "mdf.approvals",
        "roles.x",
        "id",
        "rate",
        "when",
        "requires",
        "levels",
        "schedule",
        "=",
        "\"",
        "'",
        "\"\"\"",
        "\\",
        "\\u00e9",
        "12%",
        "500k",
        "2026-04-01",
        "0 0 6 1 * *",
        "{",
        "}",
        ",",
        ".",
        "\n",
        "\r\n",
        " ",
        "true",
        "csat >",
        "not (",
        "é",
        "\u{0}",
        "1e400",
        "-0x1",
        "[settlement]",
        "first_period",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = load("p.toml", &text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = load("p.toml", &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn words_in_any_order_are_read_or_refused(text in shuffled()) {
        if let Err(errors) = load("p.toml", &text) {
            prop_assert!(!errors.errors().is_empty());
            prop_assert!(errors.errors().iter().all(|error| error.line >= 1 && error.column >= 1));
        }
    }

    #[test]
    fn a_damaged_programme_is_read_or_refused(at in 0..SMALL.len(), cut in 0_usize..12, put in shuffled()) {
        let end = (at + cut).min(SMALL.len());
        let text = format!("{}{}{}", &SMALL[..at], put, &SMALL[end..]);
        if let Err(errors) = load("p.toml", &text) {
            prop_assert!(!errors.errors().is_empty());
        }
    }
}
