use std::collections::BTreeSet;

use super::known::{KEYS, Kind};
use super::*;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("own.toml");
    std::fs::write(&path, file).expect("a file");
    Config::layered(Some(&path), variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = load(file, variables).expect_err("it can't be used");
    // The directory is another one each time.
    let shown = |problem: &Problem| problem.to_string().split_once("own.toml").map_or(problem.to_string(), |(_, rest)| format!("own.toml{rest}"));
    errors.problems().iter().map(shown).collect()
}

#[test]
fn the_defaults_are_good() {
    let config = Config::layered(None, std::iter::empty()).expect("the defaults can be used");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.url.expose(), "sqlite://tributary.db");
    assert!(matches!(config.payouts.adapter, PayoutAdapter::Manual));
    assert_eq!(config.payouts.holds.destination_cooling_off, Duration::from_hours(48));
    assert!(matches!(config.mail.transport, Transport::File { .. }));
    assert_eq!(config.workflows.workers, 8);
    assert!(config.clock.start.is_none());
}

#[test]
fn every_key_is_in_the_defaults_with_a_word_on_it() {
    let mut section = String::new();
    let mut written = BTreeSet::new();
    let mut before = "";
    for line in DEFAULTS.lines() {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            assert!(!before.is_empty(), "nothing is said on {key}");
            written.insert(format!("{section}.{key}"));
        }
        before = line;
    }
    for known in KEYS {
        let path = if known.kind == Kind::Secret { format!("{}_file", known.path) } else { known.path.to_owned() };
        assert!(written.contains(&path), "{path} is not in config/tributary.toml");
    }
    for path in written {
        assert!(known::named(&path).is_some(), "{path} is no key");
    }
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\nrequest_limit = \"7s\"\n[statements]\nfonts = [\"a\"]\n[workflows]\nworkers = 3\n";
    let variables = [
        ("TRIBUTARY_SERVER__LISTEN", "127.0.0.1:2"),
        ("TRIBUTARY_STATEMENTS__FONTS", "b:c"),
        ("TRIBUTARY_MAIL__DIRECTORY", ""),
        ("TRIBUTARY_LOG", "debug"),
        ("PATH", "/x"),
    ];
    let config = load(file, &variables).expect("it can be used");
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.request_limit, Duration::from_secs(7));
    assert_eq!(config.server.shutdown_limit, Duration::from_secs(20));
    assert_eq!(config.statements.fonts, [PathBuf::from("b"), PathBuf::from("c")]);
    assert_eq!(config.workflows.workers, 3);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_at_its_place() {
    let file = "[server]\nlisten = \"here\"\nlissten = 1\n[payouts]\nadapter = \"webhook\"\nurl = \"http://payments.example.com/\"\nmax_per_day = \"a lot\"\n[mail]\ntransport = \"smtp\"\nhost = \"smtp.example.com\"\ntls = \"none\"\n[nowhere]\nx = 1\n";
    let found = problems(file, &[("TRIBUTARY_WORKFLOWS__LEASE", "30"), ("TRIBUTARY_WORKFLOW__LEASE", "30s")]).join("\n");
    for part in [
        "own.toml:2:10: `server.listen` = \"here\"",
        "own.toml:3:1: unknown key `server.lissten`\n  help: did you mean `server.listen`?",
        "own.toml:6:7: `payouts.url` = \"http://payments.example.com/\" is not https",
        "own.toml:7:15: `payouts.max_per_day` = \"a lot\" is not an amount",
        "own.toml:11:7: `mail.tls` = \"none\" sends mails and passwords in clear",
        "own.toml:12:2: unknown key `nowhere`",
        "missing: `payouts.secret` is needed where payouts.adapter is \"webhook\"\n  help: set TRIBUTARY_PAYOUTS__SECRET, or payouts.secret_file",
        "TRIBUTARY_WORKFLOWS__LEASE: `workflows.lease` = \"30\" is not a duration",
        "TRIBUTARY_WORKFLOW__LEASE: unknown key `workflow.lease`\n  help: did you mean `TRIBUTARY_WORKFLOWS__LEASE`?",
    ] {
        assert!(found.contains(part), "{part}\nis not in\n{found}");
    }
}

#[test]
fn secrets_come_by_variable_or_file_and_never_show() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let file = format!("[payouts]\nadapter = \"webhook\"\nurl = \"https://payments.example.com/payouts\"\nsecret_file = {path:?}\n");
    let config =
        load(&file, &[("TRIBUTARY_WEBHOOKS__PAYOUTS_SECRET", KEY), ("TRIBUTARY_DATABASE__URL", "postgres://u:hunter2@h/d")]).expect("it can be used");
    assert!(matches!(config.payouts.adapter, PayoutAdapter::Webhook(_)));
    assert!(config.webhooks.payouts.is_some() && config.webhooks.facts.is_none());
    let shown = format!("{config:?}");
    assert!(!shown.contains("MfKQ9r8") && !shown.contains("hunter2") && shown.contains("***"), "{shown}");

    let refused = problems(&format!("[payouts]\nsecret = {KEY:?}\n"), &[]);
    assert!(
        matches!(&refused[..], [only] if only.starts_with("own.toml:2:1: `payouts.secret` is a secret") && !only.contains("MfKQ9r8")),
        "{refused:?}"
    );
    let refused = problems(&file, &[("TRIBUTARY_PAYOUTS__SECRET", "whsec_short"), ("TRIBUTARY_DATABASE__URL", "mysql://u:hunter2@h/d")]).join("\n");
    assert!(refused.contains("TRIBUTARY_PAYOUTS__SECRET: `payouts.secret`") && !refused.contains("whsec_short"), "{refused}");
    assert!(refused.contains("TRIBUTARY_DATABASE__URL") && !refused.contains("hunter2"), "{refused}");
    let both = problems("", &[("TRIBUTARY_PAYOUTS__SECRET", KEY), ("TRIBUTARY_PAYOUTS__SECRET_FILE", path)]).join("\n");
    assert!(both.contains("both by itself and by a file"), "{both}");
    let gone = problems("[mail]\npassword_file = \"/nowhere/at/all\"\n", &[]).join("\n");
    assert!(gone.contains("own.toml:2:17: the file \"/nowhere/at/all\" with `mail.password` can't be read"), "{gone}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_named() {
    assert!(problems("[server\nlisten = 1\n", &[]).join("\n").contains("own.toml:1:8: not valid TOML"));
    let missing = Config::layered(Some(Path::new("/nowhere/at/all.toml")), std::iter::empty()).expect_err("not there");
    assert!(missing.to_string().contains("/nowhere/at/all.toml:1:1: the file can't be read"), "{missing}");
    assert!(problems("server = 1\n[mail]\nport = 1.5\nfrom = [\"a\"]\n", &[]).len() == 3);
}

#[test]
fn a_provider_without_tls_is_on_this_machine_and_allowed() {
    let file = |url: &str, allow: bool| format!("[payouts]\nadapter = \"webhook\"\nurl = {url:?}\nallow_loopback = {allow}\n");
    let secret = [("TRIBUTARY_PAYOUTS__SECRET", KEY)];
    assert!(load(&file("http://127.0.0.1:9/payouts", true), &secret).is_ok());
    for (url, allow) in [
        ("http://127.0.0.1:9/", false),
        ("http://10.0.0.1/", true),
        ("http://localhost.example.com/", true),
        ("ftp://localhost/", true),
        ("https://u:p@h/", true),
    ] {
        assert!(load(&file(url, allow), &secret).is_err(), "{url}");
    }
}

#[test]
fn account_numbers_are_checked() {
    for good in ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO9386011117947"] {
        assert!(checks::iban(good).is_ok(), "{good}");
    }
    for bad in ["DE89370400440532013001", "DE8937040044053201300O", "de89370400440532013000", "", "DE", "1189370400440532013000"] {
        assert!(checks::iban(bad).is_err(), "{bad}");
    }
    assert!(checks::bic("COBADEFFXXX").is_ok() && checks::bic("COBADEFF").is_ok() && checks::bic("COBADEF").is_err());
}

#[test]
fn the_account_that_pays_is_whole_and_can_be_told_to_banks() {
    let file = |name: &str, iban: &str| {
        format!(
            "[payouts]\nadapter = \"pain001\"\n[payouts.pain001]\ndebtor_name = {name:?}\ndebtor_iban = {iban:?}\ndebtor_bic = \"COBADEFFXXX\"\n\
             directory = \"out\"\n"
        )
    };
    let config = load(&file("Müller & Söhne", "DE89 3704 0044 0532 0130 00"), &[]).expect("it can be used");
    let PayoutAdapter::Pain001(account) = config.payouts.adapter else { unreachable!("the adapter is named") };
    assert_eq!((account.debtor.name(), account.debtor.iban()), ("Mueller + Soehne", "DE89370400440532013000"));
    assert!(problems(&file("…", "DE89370400440532013000"), &[]).join("\n").contains("own.toml:4:15: `payouts.pain001.debtor_name`"));
    assert!(problems(&file("Acme", "DE89370400440532013001"), &[]).join("\n").contains("check digits"));
    let missing = problems("[payouts]\nadapter = \"pain001\"\n", &[]).join("\n");
    for key in ["debtor_name", "debtor_iban", "debtor_bic", "directory"] {
        assert!(missing.contains(&format!("`payouts.pain001.{key}` is needed")), "{missing}");
    }
}
