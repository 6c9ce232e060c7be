//! `tributary verify` sees what should never be of files for the bank: each is broken on purpose, past the application and its triggers.

use serde_json::Value;

use crate::app::App;
use crate::bank_files::{export_json, ready, requested};
use crate::broken_books::{assert_named, broken};

/// What breaks them, and what `verify` says of it. The bytes get the digest that they have then, so that it is not the digest alone that tells.
const BREAKS: [(&str, &str); 13] = [
    ("its control sum is not that of its payouts", "UPDATE bank_files SET control_sum = '391.00'"),
    ("its bytes have another count or control sum", "UPDATE bank_files SET content = REPLACE(content, '<CtrlSum>390.00', '<CtrlSum>391.00')"),
    ("has another count or sum", "UPDATE bank_files SET content = REPLACE(content, '<NbOfTxs>2', '<NbOfTxs>1')"),
    ("the file has another number of payouts", "UPDATE bank_files SET payouts = 3"),
    ("which is none of its payouts", "DELETE FROM bank_file_payouts WHERE ordinal = 2"),
    ("its bytes pay another amount", "UPDATE bank_files SET content = REPLACE(content, '>150.00</InstdAmt>', '>150.01</InstdAmt>')"),
    ("its bytes pay another amount", "UPDATE bank_files SET content = REPLACE(content, 'Ccy=\"USD\">150', 'Ccy=\"EUR\">150')"),
    ("to another account", "UPDATE bank_files SET content = REPLACE(content, 'DE89370400440532013000', 'NO9386011117947')"),
    ("its bytes do not pay", "UPDATE bank_files SET content = REPLACE(content, '000000000001</EndToEndId>', '000000000009</EndToEndId>')"),
    ("take the money from another account", "UPDATE bank_files SET debtor_iban = 'NO9386011117947'"),
    ("another message id or execution date", "UPDATE bank_files SET message_id = 'BKF0190B6A27C3D7E4F8A5B6C7D8E9F0A1B'"),
    ("another message id or execution date", "UPDATE bank_files SET execution_on = '2027-01-19'"),
    ("its bytes are no XML", "UPDATE bank_files SET content = 'x'"),
];

/// Those that leave the digest as it was.
const OTHERS: [(&str, &str); 2] = [
    ("not those of their digest", "UPDATE bank_files SET content = content || ' '"),
    ("was not requested of the bank", "UPDATE payouts SET provider = 'webhook' WHERE period = '2026-04'"),
];

/// Whether the invariant names rows with these words.
fn says(app: &App, words: &str) -> bool {
    let found: Value = serde_json::from_slice(&app.run("verify --json").stdout).expect("JSON");
    let checks = found["checks"].as_array().expect("checks are a list");
    let of_files = checks.iter().find(|check| check["invariant"] == "payout.file").expect("the check is there");
    let mut rows = of_files["rows"].as_array().expect("rows are a list").iter();
    rows.any(|row| row["what"].as_str().is_some_and(|what| what.contains(words)))
}

fn verify_names_what_is_broken_of_bank_files(app: &App) {
    ready(app);
    requested(app, &["2026-04", "2026-05"]);
    assert_eq!(export_json(app).0, Some(0));
    assert_eq!(broken(app), []);
    for (words, statement) in BREAKS.into_iter().chain(OTHERS) {
        let copy = app.copy();
        copy.access().behind_the_triggers(|books| {
            let all = "SELECT message_id || control_sum || execution_on || debtor_iban || payouts || content FROM bank_files";
            let before = books.texts(all);
            assert!(books.execute(statement) > 0, "{statement} changes nothing");
            assert!(before != books.texts(all) || !statement.contains("bank_files"), "{statement} changes nothing");
            if BREAKS.contains(&(words, statement)) {
                seal(books);
            }
        });
        assert!(says(&copy, words), "{statement}: {:?}", copy.run("verify").stdout_text());
    }
    let copy = app.copy();
    copy.access().behind_the_triggers(duplicate);
    assert!(says(&copy, "more than one file") && says(&copy, "no key over payout"), "{:?}", copy.run("verify").stdout_text());
}

/// Puts every payout into a second file, too, without the key that refuses it.
fn duplicate(books: &crate::database::Access) {
    let file = "INSERT INTO bank_files (id, message_id, debtor_iban, execution_on, payouts, control_sum, sha256, content, created_by, created_at) \
                SELECT 'bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', 'BKF0190B6A27C3D7E4F8A5B6C7D8E9F0A1B', debtor_iban, execution_on, payouts, \
                control_sum, sha256, content, created_by, created_at FROM bank_files";
    assert_eq!(books.execute(file), 1);
    let second = "INSERT INTO bank_file_payouts (file, ordinal, payout) \
                  SELECT 'bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', ordinal, payout FROM bank_file_payouts";
    if books.is_sqlite() {
        books.execute("CREATE TABLE loose AS SELECT * FROM bank_file_payouts");
        books.execute(&second.replace("INTO bank_file_payouts", "INTO loose"));
        books.execute("DROP TABLE bank_file_payouts");
        books.execute("ALTER TABLE loose RENAME TO bank_file_payouts");
    } else {
        books.execute("ALTER TABLE bank_file_payouts DROP CONSTRAINT bank_file_payouts_payout_key");
        books.execute(second);
    }
}

/// Records the digest of the bytes as they are now, so that it is not the digest alone that tells.
fn seal(books: &crate::database::Access) {
    use sha2::{Digest, Sha256};
    for content in books.texts("SELECT content FROM bank_files") {
        let digest: String = Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        books.execute(&format!("UPDATE bank_files SET sha256 = '{digest}' WHERE content = '{}'", content.replace('\'', "''")));
    }
}

fn verify_misses_the_guards_of_bank_files(app: &App) {
    ready(app);
    let of_sqlite = ["DROP TRIGGER bank_files_guarded_update", "DROP TRIGGER bank_file_payouts_final_delete"];
    let of_postgres = ["DROP TRIGGER bank_files_guarded ON bank_files", "DROP TRIGGER bank_file_payouts_final ON bank_file_payouts"];
    for statement in if app.access().is_sqlite() { of_sqlite } else { of_postgres } {
        let copy = app.copy();
        copy.access().execute(statement);
        assert_named(&copy, "payout.file", statement);
    }
}

/// What was told to the bank never changes, whatever the application does.
fn nothing_of_a_bank_file_can_be_changed(app: &App) {
    ready(app);
    requested(app, &["2026-04"]);
    assert_eq!(export_json(app).0, Some(0));
    let books = app.access();
    for (table, change) in [
        ("bank_files", "content = 'x'"),
        ("bank_files", "control_sum = '1'"),
        ("bank_files", "written_at = 0"),
        ("bank_files", "written_at = NULL"),
        ("bank_file_payouts", "ordinal = 7"),
        ("bank_file_payouts", "payout = 'pay_x'"),
    ] {
        assert!(books.try_execute(&format!("UPDATE {table} SET {change}")).is_err(), "{table}: {change} was taken");
        assert!(books.try_execute(&format!("DELETE FROM {table}")).is_err(), "{table} can be emptied");
    }
}

on_both_databases!(verify_names_what_is_broken_of_bank_files, verify_misses_the_guards_of_bank_files, nothing_of_a_bank_file_can_be_changed);
