//! Reads a file for the bank as a bank would: with a reader and arithmetic of its own, that share nothing with what writes it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use roxmltree::{Document, Node};

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
const PERMITTED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ";
const LENGTHS: [(&str, usize); 7] = [("MsgId", 35), ("PmtInfId", 35), ("InstrId", 35), ("EndToEndId", 35), ("Nm", 70), ("Ustrd", 140), ("IBAN", 34)];

/// A payment as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) end_to_end: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    pub(crate) name: String,
    pub(crate) iban: String,
    pub(crate) bic: String,
    pub(crate) reference: String,
    pub(crate) execution_on: String,
    pub(crate) service: Option<String>,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) message: String,
    pub(crate) count: String,
    pub(crate) control_sum: String,
    pub(crate) debtor_ibans: BTreeSet<String>,
    pub(crate) payments: Vec<Payment>,
}

/// Reads a file, or says everything that a bank would refuse of it.
pub(crate) fn read(text: &str) -> Result<Read, Vec<String>> {
    let document = Document::parse(text).map_err(|error| vec![error.to_string()])?;
    let mut wrong = Vec::new();
    let root = document.root_element();
    if !root.has_tag_name((NAMESPACE, "Document")) {
        wrong.push("it is no pain.001.001.09".to_owned());
    }
    characters(root, &mut wrong);
    let header = find(root, "GrpHdr");
    let batches: Vec<Node<'_, '_>> = root.descendants().filter(|node| name(*node) == "PmtInf").collect();
    let payments: Vec<Payment> = batches.iter().flat_map(|batch| payments(*batch)).collect();
    for (part, batch) in header.iter().chain(&batches).zip(std::iter::once(None).chain(batches.iter().map(Some))) {
        let inside: Vec<Payment> = batch.map_or_else(|| payments.clone(), |batch| self::payments(*batch));
        figures(*part, &inside, &mut wrong);
    }
    let mut seen = BTreeSet::new();
    for payment in &payments {
        if !seen.insert(&payment.end_to_end) {
            wrong.push(format!("{} is in it twice", payment.end_to_end));
        }
        one(payment, &mut wrong);
    }
    let batch_ids: BTreeSet<String> = batches.iter().map(|batch| value(*batch, &["PmtInfId"])).collect();
    if batch_ids.len() != batches.len() || batches.is_empty() {
        wrong.push("its batches are not told apart".to_owned());
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let told = |element: &str| header.map(|header| value(header, &[element])).unwrap_or_default();
    Ok(Read {
        message: told("MsgId"),
        count: told("NbOfTxs"),
        control_sum: told("CtrlSum"),
        debtor_ibans: batches.iter().map(|batch| value(*batch, &["DbtrAcct", "Id", "IBAN"])).collect(),
        payments,
    })
}

/// What the schema of ISO 20022 says of a file; empty: it is valid.
pub(crate) fn refused_by_schema(file: &Path) -> String {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|up| {
        let schema = up.join("program/tests/bank_file/pain.001.001.09.xsd");
        schema.exists().then_some(schema)
    });
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(schema.expect("the schema is there")).arg(file);
    let done = command.output().expect("xmllint (libxml2) is needed to check files for banks");
    if done.status.success() { String::new() } else { String::from_utf8_lossy(&done.stderr).into_owned() }
}

fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

fn find<'a, 'b>(node: Node<'a, 'b>, element: &str) -> Option<Node<'a, 'b>> {
    node.descendants().find(|node| name(*node) == element)
}

/// The text at the end of a path of children, or nothing.
fn value(node: Node<'_, '_>, path: &[&str]) -> String {
    let end = path.iter().try_fold(node, |node, element| node.children().find(|child| name(*child) == *element));
    end.and_then(|end| end.text()).unwrap_or_default().to_owned()
}

fn payments(batch: Node<'_, '_>) -> Vec<Payment> {
    let execution_on = value(batch, &["ReqdExctnDt", "Dt"]);
    let service = Some(value(batch, &["PmtTpInf", "SvcLvl", "Cd"])).filter(|service| !service.is_empty());
    let transfers = batch.children().filter(|node| name(*node) == "CdtTrfTxInf");
    transfers
        .map(|node| Payment {
            end_to_end: value(node, &["PmtId", "EndToEndId"]),
            amount: value(node, &["Amt", "InstdAmt"]),
            currency: find(node, "InstdAmt").and_then(|amount| amount.attribute("Ccy")).unwrap_or_default().to_owned(),
            name: value(node, &["Cdtr", "Nm"]),
            iban: value(node, &["CdtrAcct", "Id", "IBAN"]),
            bic: value(node, &["CdtrAgt", "FinInstnId", "BICFI"]),
            reference: value(node, &["RmtInf", "Ustrd"]),
            execution_on: execution_on.clone(),
            service: service.clone(),
        })
        .collect()
}

fn characters(root: Node<'_, '_>, wrong: &mut Vec<String>) {
    for node in root.descendants().filter(|node| node.is_element() && node.children().all(|child| child.is_text())) {
        let (element, text) = (name(node), node.text().unwrap_or_default());
        if let Some(c) = text.chars().find(|c| !PERMITTED.contains(*c)) {
            wrong.push(format!("{element} has the character {c:?}"));
        }
        let most = LENGTHS.iter().find(|(known, _)| *known == element).map_or(usize::MAX, |(_, most)| *most);
        if text.is_empty() || text.chars().count() > most {
            wrong.push(format!("{element} has {} characters", text.chars().count()));
        }
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            wrong.push(format!("{element} has slashes where banks read them as marks: {text}"));
        }
    }
}

/// Count and sum of a header or batch against the payments inside.
fn figures(part: Node<'_, '_>, inside: &[Payment], wrong: &mut Vec<String>) {
    let (count, sum) = (value(part, &["NbOfTxs"]), value(part, &["CtrlSum"]));
    if count != inside.len().to_string() {
        wrong.push(format!("{} counts {count} payments and has {}", name(part), inside.len()));
    }
    let computed: Option<i128> = inside.iter().map(|payment| thousandths(&payment.amount)).sum();
    if computed.is_none() || computed != thousandths(&sum) {
        wrong.push(format!("{} has the sum {sum}, its payments come to {computed:?} thousandths", name(part)));
    }
}

fn one(payment: &Payment, wrong: &mut Vec<String>) {
    let decimals = match payment.currency.as_str() {
        "JPY" | "KRW" => 0,
        "KWD" | "TND" => 3,
        _ => 2,
    };
    let has = payment.amount.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if has != decimals || thousandths(&payment.amount).is_none_or(|amount| amount <= 0) {
        wrong.push(format!("{} is no amount of {}", payment.amount, payment.currency));
    }
    let turned = payment.iban.chars().skip(4).chain(payment.iban.chars().take(4));
    let rest = turned.filter_map(|c| c.to_digit(36)).fold(0_u32, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97);
    if rest != 1 {
        wrong.push(format!("{} is no IBAN", payment.iban));
    }
}

/// A decimal of three places at most.
fn thousandths(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = !whole.is_empty() && fraction.len() <= 3 && whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit());
    is_plain.then(|| format!("{whole}{fraction:0<3}").parse().ok()).flatten()
}
