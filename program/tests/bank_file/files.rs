//! Whatever goes in, the file is valid, its sums are right, and what is wrong of one is seen.

use program::bank_file::{BankFile, Debtor, Transfer, end_to_end, payout_of};
use program::money::Currency;
use program::payout::{Destination, PayoutId};
use proptest::prelude::*;

use crate::checker::{Read, read, refused_by_schema};

const IBANS: [&str; 4] = ["DE89370400440532013000", "GB29NWBK60161331926819", "NO9386011117947", "TR330006100519786457841326"];
const CURRENCIES: [&str; 4] = ["EUR", "USD", "JPY", "KWD"];

fn payout(number: usize) -> PayoutId {
    format!("pay_0190b6a2-7c3d-7e4f-8a5b-{number:012x}").parse().expect("an id")
}

fn empty(debtor: &str) -> Option<BankFile> {
    let debtor = Debtor::new(debtor, IBANS[0], "COBADEFFXXX").ok()?;
    let id = "bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().expect("an id");
    Some(BankFile::new(id, debtor, "2026-04-30T06:00:00.123456Z".parse().expect("an instant")))
}

fn valid(xml: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file.xml");
    std::fs::write(&file, xml).expect("a file");
    assert_eq!(refused_by_schema(&file), "", "{xml}");
}

/// Three payments in two currencies, two of them alike.
fn sample() -> String {
    let mut file = empty("Müller & Söhne GmbH").expect("a debtor");
    for (number, (name, iban, amount_minor, currency)) in
        [("Société Générale", IBANS[1], 12_345, "EUR"), ("Αθήνα Α.Ε.", IBANS[0], 655, "EUR"), ("Acme <Ltd>", IBANS[3], 1_000, "JPY")]
            .into_iter()
            .enumerate()
    {
        let currency: Currency = currency.parse().expect("a currency");
        let to = Destination::bank(name, iban, "NWBKGB2L").expect("a destination");
        let transfer = Transfer::new(&payout(number), (amount_minor, currency), &to, "/reseller//2026-04/acme_1/EUR/").expect("it can be paid");
        file.push(transfer).expect("there is room");
    }
    file.xml().expect("bytes")
}

#[test]
fn a_file_is_byte_for_byte_that_of_the_golden_one() {
    let xml = sample();
    assert_eq!(xml, include_str!("golden.xml"));
    valid(&xml);
    let Read { message, count, control_sum, debtor_ibans, payments } = read(&xml).expect("a bank takes it");
    assert_eq!((message.as_str(), count.as_str(), control_sum.as_str()), ("BKF0190B6A27C3D7E4F8A5B6C7D8E9F0A1B", "3", "1130.00"));
    assert_eq!(debtor_ibans.into_iter().collect::<Vec<_>>(), [IBANS[0]]);
    let told: Vec<_> = payments.iter().map(|one| (one.name.as_str(), one.amount.as_str(), one.currency.as_str(), one.service.as_deref())).collect();
    let wanted =
        [("Societe Generale", "123.45", "EUR", Some("SEPA")), ("Athena A.E.", "6.55", "EUR", Some("SEPA")), ("Acme (Ltd)", "1000", "JPY", None)];
    assert_eq!(told, wanted);
    // The day after is a holiday, and then comes a weekend.
    assert!(payments.iter().all(|one| one.execution_on == "2026-05-04" && one.reference == "reseller/2026-04/acme-1/EUR"), "{payments:?}");
}

#[test]
fn what_is_wrong_of_a_file_is_seen() {
    let good = sample();
    let second = end_to_end(&payout(1));
    for (part, other, said) in [
        ("<CtrlSum>1130.00</CtrlSum>", "<CtrlSum>1130.01</CtrlSum>", "GrpHdr has the sum"),
        ("<CtrlSum>130.00</CtrlSum>", "<CtrlSum>131.00</CtrlSum>", "PmtInf has the sum"),
        (">123.45</InstdAmt>", ">123.46</InstdAmt>", "has the sum"),
        ("<NbOfTxs>3</NbOfTxs>", "<NbOfTxs>4</NbOfTxs>", "counts 4"),
        ("<Nm>Societe Generale</Nm>", "<Nm>Société Générale</Nm>", "the character 'é'"),
        ("<Nm>Societe Generale</Nm>", "<Nm>A &amp; B</Nm>", "the character '&'"),
        ("<Ustrd>reseller/2026-04/acme-1/EUR</Ustrd>", "<Ustrd>/x</Ustrd>", "slashes"),
        ("<Ustrd>reseller/2026-04/acme-1/EUR</Ustrd>", "<Ustrd>x//y</Ustrd>", "slashes"),
        (second.as_str(), end_to_end(&payout(0)).as_str(), "is in it twice"),
        (IBANS[1], "GB29NWBK60161331926818", "is no IBAN"),
        (">1000</InstdAmt>", ">1000.00</InstdAmt>", "is no amount of JPY"),
        ("001</PmtInfId>", "002</PmtInfId>", "not told apart"),
    ] {
        assert!(good.contains(part), "{part}");
        let wrong = read(&good.replace(part, other)).expect_err(said);
        assert!(wrong.iter().any(|what| what.contains(said)), "{said}: {wrong:?}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file.xml");
    for (part, other) in [("<PmtMtd>TRF</PmtMtd>", ""), ("<EndToEndId>", "<EndToEndId>1"), ("CtrlSum", "ControlSum"), ("SLEV", "OURS")] {
        std::fs::write(&file, good.replace(part, other)).expect("a file");
        assert!(!refused_by_schema(&file).is_empty(), "{part} and then {other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_names_and_references_make_a_file_that_banks_take(
        debtor in "\\PC{1,90}",
        facts in prop::collection::vec(("\\PC{1,70}", any::<String>(), 0_usize..4, 0_usize..4, 1_i64..1_000_000_000_000_000), 1..12),
    ) {
        let Some(mut file) = empty(&debtor) else { return Ok(()) };
        let mut paid = Vec::new();
        for (number, (name, reference, currency, iban, amount_minor)) in facts.iter().enumerate() {
            let Ok(to) = Destination::bank(name, IBANS[*iban], "NWBKGB2L") else { continue };
            let currency: Currency = CURRENCIES[*currency].parse().expect("a currency");
            let Ok(transfer) = Transfer::new(&payout(number), (*amount_minor, currency), &to, reference) else { continue };
            if file.push(transfer).is_ok() {
                paid.push((payout(number), currency.format_minor(*amount_minor), currency.code().to_owned(), IBANS[*iban].to_owned()));
            }
        }
        prop_assume!(!paid.is_empty());
        let xml = file.xml().expect("bytes");
        prop_assert_eq!(&xml, &file.clone().xml().expect("bytes"));
        let read = read(&xml).map_err(|wrong| TestCaseError::fail(format!("{wrong:?}\n{xml}")))?;
        let mut told: Vec<_> =
            read.payments.iter().map(|one| (payout_of(&one.end_to_end).expect("ours"), one.amount.clone(), one.currency.clone(), one.iban.clone())).collect();
        told.sort();
        prop_assert_eq!(told, paid);
        prop_assert_eq!(read.control_sum, file.control_sum());
        valid(&xml);
    }
}
