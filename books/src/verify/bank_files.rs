//! Files for the bank against their payouts: each file's bytes are read back as a bank reads them (interface.md §5, `export pain001`).

use std::collections::BTreeMap;

use program::money::Currency;
use roxmltree::{Document, Node};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::figures::decimal;
use super::finding::Invariant;
use super::finding::Invariant::OneFile;
use super::scan::Scan;
use crate::load::row::{LoadError, first_row, rows};

/// A query, what its columns are called, and what is wrong with its rows.
const RULES: [(Invariant, &str, &[&str], &str); 4] = [
    (
        OneFile,
        "SELECT payout, COUNT(*) FROM bank_file_payouts GROUP BY payout HAVING COUNT(*) > 1 ORDER BY 1",
        &["payout", "files"],
        "the payout is in more than one file",
    ),
    (
        OneFile,
        "SELECT f.file, f.payout, p.provider, p.status FROM bank_file_payouts f LEFT JOIN payouts p ON p.id = f.payout \
         WHERE p.id IS NULL OR p.provider IS NULL OR p.provider <> 'pain001' OR p.requested_at IS NULL ORDER BY 1, 2",
        &["file", "payout", "provider", "status"],
        "the payout was not requested of the bank",
    ),
    (
        OneFile,
        "SELECT f.file, f.payout FROM bank_file_payouts f LEFT JOIN bank_files b ON b.id = f.file WHERE b.id IS NULL ORDER BY 1, 2",
        &["file", "payout"],
        "the file of the payout is not there",
    ),
    (
        OneFile,
        "SELECT b.id, b.payouts, COUNT(f.payout) FROM bank_files b LEFT JOIN bank_file_payouts f ON f.file = b.id GROUP BY b.id, b.payouts \
         HAVING b.payouts <> COUNT(f.payout) ORDER BY 1",
        &["file", "payouts", "recorded"],
        "the file has another number of payouts",
    ),
];

/// What a file must say of a payout.
struct Wanted {
    payout: String,
    amount: String,
    currency: Currency,
    iban: String,
    bic: String,
}

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (invariant, query, keys, what) in RULES {
        scan.offending(invariant, query, keys, what).await?;
    }
    for row in rows(scan.tx, "SELECT id FROM bank_files ORDER BY id", vec![]).await? {
        let file = row.string(0)?;
        for what in check_file(scan, &file).await? {
            scan.add(OneFile, &[("file", &file)], what);
        }
    }
    Ok(())
}

/// Everything that is wrong of one file.
async fn check_file(scan: &Scan<'_>, file: &str) -> Result<Vec<String>, LoadError> {
    let query = "SELECT message_id, execution_on, debtor_iban, control_sum, sha256, content FROM bank_files WHERE id = ?";
    let Some(row) = first_row(scan.tx, query, vec![file.into()]).await? else { return Ok(Vec::new()) };
    let wanted = wanted(scan, file).await?;
    let content = row.string(5)?;
    let mut wrong = Vec::new();
    let digest: String = Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != row.string(4)? {
        wrong.push("its bytes are not those of their digest".to_owned());
    }
    if sum(wanted.values().map(|one| one.amount.as_str())) != thousandths(&row.string(3)?) {
        wrong.push("its control sum is not that of its payouts".to_owned());
    }
    let Ok(document) = Document::parse(&content) else {
        wrong.push("its bytes are no XML".to_owned());
        return Ok(wrong);
    };
    let root = document.root_element();
    check_figures(root, &wanted, &row.string(3)?, &mut wrong);
    let is_everywhere = |element: &str, text: &str| texts(root, element).all(|told| told == text);
    let head = [("MsgId", row.string(0)?), ("Dt", row.string(1)?)];
    if head.iter().any(|(element, text)| !is_everywhere(element, text)) || digits_of(file) != row.string(0)?.trim_start_matches("BKF") {
        wrong.push("its bytes have another message id or execution date".to_owned());
    }
    let debtors = root.descendants().filter(|node| node.tag_name().name() == "DbtrAcct");
    if debtors.filter_map(|account| texts(account, "IBAN").next()).any(|iban| row.string(2).is_ok_and(|known| known != iban)) {
        wrong.push("its bytes take the money from another account".to_owned());
    }
    check_transfers(root, wanted, &mut wrong);
    Ok(wrong)
}

/// What the payouts of a file must be there, by what the bank calls them.
async fn wanted(scan: &Scan<'_>, file: &str) -> Result<BTreeMap<String, Wanted>, LoadError> {
    let query = "SELECT p.id, p.amount_minor, p.currency, COALESCE(p.request, '') FROM bank_file_payouts f JOIN payouts p ON p.id = f.payout \
                 WHERE f.file = ? ORDER BY p.id";
    let mut wanted = BTreeMap::new();
    for row in rows(scan.tx, query, vec![file.into()]).await? {
        let (payout, currency) = (row.string(0)?, row.currency(2)?);
        let amount = decimal(i128::from(row.int(1)?), usize::try_from(currency.exponent()).unwrap_or(0));
        // What can't be read is an offence of payout.15 already, and fits no transfer.
        let request: Json = serde_json::from_str(&row.string(3)?).unwrap_or_default();
        let to = |name: &str| request["data"]["destination"][name].as_str().unwrap_or_default().to_owned();
        let one = Wanted { amount, currency, iban: to("iban"), bic: to("bic"), payout: payout.clone() };
        wanted.insert(format!("PAY{}", digits_of(&payout)), one);
    }
    Ok(wanted)
}

/// The digits of an id's UUID, capitals.
fn digits_of(id: &str) -> String {
    id.chars().skip(4).filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect()
}

fn check_figures(root: Node<'_, '_>, wanted: &BTreeMap<String, Wanted>, control_sum: &str, wrong: &mut Vec<String>) {
    let header = root.descendants().find(|node| node.tag_name().name() == "GrpHdr");
    let told = |element| header.and_then(|header| texts(header, element).next()).unwrap_or_default();
    if told("NbOfTxs") != wanted.len().to_string() || told("CtrlSum") != control_sum {
        wrong.push("its bytes have another count or control sum".to_owned());
    }
    for batch in root.descendants().filter(|node| node.tag_name().name() == "PmtInf") {
        let count = batch.children().filter(|node| node.tag_name().name() == "CdtTrfTxInf").count();
        let told = |element| texts(batch, element).next().unwrap_or_default();
        if told("NbOfTxs") != count.to_string() || thousandths(told("CtrlSum")) != sum(texts(batch, "InstdAmt")) {
            wrong.push(format!("the batch {} of its bytes has another count or sum", told("PmtInfId")));
        }
    }
}

/// Every transfer is of one of the payouts, to its account, and none is missing.
fn check_transfers(root: Node<'_, '_>, mut wanted: BTreeMap<String, Wanted>, wrong: &mut Vec<String>) {
    for transfer in root.descendants().filter(|node| node.tag_name().name() == "CdtTrfTxInf") {
        let told = |element| texts(transfer, element).next().unwrap_or_default();
        let id = told("EndToEndId");
        let Some(one) = wanted.remove(id) else {
            wrong.push(format!("its bytes pay {id}, which is none of its payouts, or pay it twice"));
            continue;
        };
        let currency = transfer.descendants().find_map(|node| node.attribute("Ccy")).unwrap_or_default();
        if told("InstdAmt") != one.amount || currency != one.currency.code() {
            wrong.push(format!("its bytes pay another amount for {}", one.payout));
        }
        if told("IBAN") != one.iban || told("BICFI") != one.bic {
            wrong.push(format!("its bytes pay {} to another account", one.payout));
        }
    }
    wrong.extend(wanted.into_values().map(|one| format!("its bytes do not pay {}", one.payout)));
}

fn texts<'a>(node: Node<'a, '_>, element: &'a str) -> impl Iterator<Item = &'a str> {
    node.descendants().filter(move |node| node.tag_name().name() == element).map(|node| node.text().unwrap_or_default())
}

fn sum<'a>(amounts: impl Iterator<Item = &'a str>) -> Option<i128> {
    amounts.map(thousandths).try_fold(0_i128, |sum, amount| sum.checked_add(amount?))
}

/// A decimal of three places at most; no currency here has more.
fn thousandths(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = !whole.is_empty() && fraction.len() <= 3 && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    is_plain.then(|| format!("{whole}{fraction:0<3}").parse().ok()).flatten()
}
