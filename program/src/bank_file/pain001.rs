//! The bytes of a file, element by element in the order of the schema.

use std::collections::BTreeMap;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::transfer::Service;
use super::{BankFile, Debtor, Transfer, decimal, end_to_end};
use crate::exact::{Exact, Overflow};
use crate::money::Currency;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";

type Xml = Writer<Vec<u8>>;

/// Payments that a bank books together.
struct Batch<'a> {
    service: Service,
    currency: Currency,
    transfers: Vec<&'a Transfer>,
}

pub(super) fn write(file: &BankFile) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("Document").with_attribute(("xmlns", NAMESPACE)).write_inner_content(|xml| {
        within(xml, "CstmrCdtTrfInitn", |xml| {
            header(xml, file)?;
            batches(&file.transfers, &file.debtor).iter().enumerate().try_for_each(|(place, batch)| write_batch(xml, file, place + 1, batch))
        })
    })?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// By currency and way of paying; within each, as they came.
fn batches<'a>(transfers: &'a [Transfer], debtor: &Debtor) -> Vec<Batch<'a>> {
    let mut batches: BTreeMap<(Currency, Service), Vec<&Transfer>> = BTreeMap::new();
    for transfer in transfers {
        batches.entry((transfer.currency, transfer.service(debtor))).or_default().push(transfer);
    }
    batches.into_iter().map(|((currency, service), transfers)| Batch { service, currency, transfers }).collect()
}

fn header(xml: &mut Xml, file: &BankFile) -> io::Result<()> {
    within(xml, "GrpHdr", |xml| {
        text(xml, "MsgId", &file.id.message_id())?;
        text(xml, "CreDtTm", &file.made_at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string())?;
        text(xml, "NbOfTxs", &file.transfers.len().to_string())?;
        text(xml, "CtrlSum", &file.control_sum())?;
        within(xml, "InitgPty", |xml| text(xml, "Nm", file.debtor.name()))
    })
}

fn write_batch(xml: &mut Xml, file: &BankFile, number: usize, batch: &Batch<'_>) -> io::Result<()> {
    let Batch { service, currency, transfers } = batch;
    let major = |transfer: &&Transfer| currency.major(transfer.amount_minor);
    let sum = transfers.iter().try_fold(Exact::ZERO, |sum, transfer| sum.add(major(transfer)));
    let sum = sum.map_err(|error: Overflow| io::Error::other(error))?;
    let (debtor, execution_on) = (&file.debtor, file.execution_on.to_string());
    within(xml, "PmtInf", |xml| {
        text(xml, "PmtInfId", &file.id.batch_id(number))?;
        text(xml, "PmtMtd", "TRF")?;
        text(xml, "NbOfTxs", &transfers.len().to_string())?;
        text(xml, "CtrlSum", &decimal(sum, currency.exponent()))?;
        if *service == Service::Sepa {
            within(xml, "PmtTpInf", |xml| within(xml, "SvcLvl", |xml| text(xml, "Cd", "SEPA")))?;
        }
        within(xml, "ReqdExctnDt", |xml| text(xml, "Dt", &execution_on))?;
        within(xml, "Dbtr", |xml| text(xml, "Nm", debtor.name()))?;
        account(xml, "DbtrAcct", &debtor.iban)?;
        bank(xml, "DbtrAgt", &debtor.bic)?;
        text(xml, "ChrgBr", if *service == Service::Sepa { "SLEV" } else { "SHAR" })?;
        transfers.iter().try_for_each(|transfer| write_transfer(xml, transfer))
    })
}

fn write_transfer(xml: &mut Xml, transfer: &Transfer) -> io::Result<()> {
    let Transfer { payout, amount_minor, currency, name, iban, bic, reference } = transfer;
    let (id, amount) = (end_to_end(payout), currency.format_minor(*amount_minor));
    within(xml, "CdtTrfTxInf", |xml| {
        within(xml, "PmtId", |xml| {
            text(xml, "InstrId", &id)?;
            text(xml, "EndToEndId", &id)
        })?;
        within(xml, "Amt", |xml| {
            xml.create_element("InstdAmt").with_attribute(("Ccy", currency.code())).write_text_content(BytesText::new(&amount)).map(drop)
        })?;
        bank(xml, "CdtrAgt", bic)?;
        within(xml, "Cdtr", |xml| text(xml, "Nm", name))?;
        account(xml, "CdtrAcct", iban)?;
        within(xml, "RmtInf", |xml| text(xml, "Ustrd", reference))
    })
}

fn account(xml: &mut Xml, element: &str, iban: &str) -> io::Result<()> {
    within(xml, element, |xml| within(xml, "Id", |xml| text(xml, "IBAN", iban)))
}

fn bank(xml: &mut Xml, element: &str, bic: &str) -> io::Result<()> {
    within(xml, element, |xml| within(xml, "FinInstnId", |xml| text(xml, "BICFI", bic)))
}

fn within(xml: &mut Xml, element: &str, inner: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<()> {
    xml.create_element(element).write_inner_content(inner).map(drop)
}

fn text(xml: &mut Xml, element: &str, text: &str) -> io::Result<()> {
    xml.create_element(element).write_text_content(BytesText::new(text)).map(drop)
}
