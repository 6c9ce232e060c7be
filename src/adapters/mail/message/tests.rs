use mailparse::MailHeaderMap as _;
use program::calendar::Instant;
use proptest::prelude::*;
use workflows::ports::Attachment;

use super::*;

/// An example.
pub(in crate::adapters::mail) fn mail() -> Mail {
    Mail {
        message_id: "<stm_1@tributary.example.com>".into(),
        to: vec!["jo@example.com".into()],
        subject: "Your statement for 2026-04".into(),
        text: "Hello,\nit is über 100 €.\n".into(),
        html: "<p>it is über 100 €</p>\n".into(),
        attachments: vec![Attachment { name: "statement.pdf".into(), media_type: "application/pdf".into(), bytes: b"%PDF-1.7 \r \n \xff".to_vec() }],
        at: "2026-05-01T06:00:00Z".parse::<Instant>().expect("an instant"),
    }
}

fn bytes(mail: &Mail) -> Vec<u8> {
    compose(mail, &sender("Finance <finance@example.com>").expect("a sender")).expect("it can be written")
}

/// Names of the headers before the first empty line.
fn header_names(bytes: &[u8]) -> Vec<String> {
    let (headers, _) = mailparse::parse_headers(bytes).expect("headers");
    headers.iter().map(mailparse::MailHeader::get_key).collect()
}

const NAMES: [&str; 8] = ["Message-ID", "Date", "From", "To", "Subject", "MIME-Version", "Content-Type", "Auto-Submitted"];

fn has_only_its_headers(bytes: &[u8]) -> bool {
    let mut names = header_names(bytes);
    let mut expected: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    expected.sort();
    names == expected
}

/// No line end but CRLF, no line that SMTP would refuse, nothing but ASCII.
fn is_fit_for_the_wire(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    bytes.is_ascii() && !text.replace("\r\n", "").contains(['\r', '\n']) && text.split("\r\n").all(|line| line.len() <= 998)
}

#[test]
fn a_mail_has_both_forms_and_its_attachment() {
    let (mail, bytes) = (mail(), bytes(&mail()));
    let parsed = mailparse::parse_mail(&bytes).expect("a mail");
    for (name, value) in [
        ("Message-ID", "<stm_1@tributary.example.com>"),
        ("From", "Finance <finance@example.com>"),
        ("To", "jo@example.com"),
        ("Subject", "Your statement for 2026-04"),
        ("Date", "Fri, 01 May 2026 06:00:00 +0000"),
        ("Auto-Submitted", "auto-generated"),
    ] {
        assert_eq!(parsed.headers.get_first_value(name).as_deref(), Some(value), "{name}");
    }
    let [alternative, pdf] = &parsed.subparts[..] else { panic!("two parts") };
    let [text, html] = &alternative.subparts[..] else { panic!("two forms") };
    assert_eq!(text.get_body().expect("text").replace("\r\n", "\n"), mail.text);
    assert_eq!(html.get_body().expect("HTML").replace("\r\n", "\n"), mail.html);
    assert_eq!(pdf.get_body_raw().expect("bytes"), mail.attachments[0].bytes);
    assert_eq!(pdf.get_content_disposition().params["filename"], "statement.pdf");
    assert!(is_fit_for_the_wire(&bytes) && has_only_its_headers(&bytes));
}

#[test]
fn the_same_mail_gives_the_same_bytes() {
    assert_eq!(bytes(&mail()), bytes(&mail()));
}

#[test]
fn text_from_others_never_becomes_a_header() {
    for hostile in [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com",
        "x\rBcc: eve@example.com",
        "x\r\n\r\n<h1>owned</h1>",
        "x\u{0}y",
        "ü\r\nBcc: eve@example.com",
        "=?utf-8?q?=0D=0ABcc:_eve@example.com?=",
        "x\u{2028}Bcc: eve@example.com",
        "\u{202E}evil",
    ] {
        let mut mail = mail();
        mail.subject = hostile.into();
        mail.attachments[0].name = hostile.into();
        mail.to.push(hostile.into());
        mail.to.push(format!("\"{hostile}\"@example.com"));
        mail.to.push(format!("eve@example.com>, <{hostile}@example.com"));
        let bytes = bytes(&mail);
        assert!(has_only_its_headers(&bytes) && is_fit_for_the_wire(&bytes), "{hostile:?}: {}", String::from_utf8_lossy(&bytes));
        let parsed = mailparse::parse_mail(&bytes).expect("a mail");
        assert_eq!(parsed.headers.get_first_value("To").as_deref(), Some("jo@example.com"), "{hostile:?}");
        assert_eq!(parsed.subparts.len(), 2, "{hostile:?}");
    }
}

#[test]
fn message_ids_that_would_break_out_are_refused() {
    for id in ["", "x@y", "<x>", "<x@y", "<x@y>\r\nBcc: z@z", "<x y@z>", "<x@y@z>", "<ü@y>", "<x@y><a@b>", &format!("<{}@y>", "x".repeat(300))] {
        let refused = compose(&Mail { message_id: id.to_owned(), ..mail() }, &sender("finance@example.com").expect("a sender"));
        assert!(matches!(refused, Err(MailError::MessageId { .. })), "{id}");
    }
}

#[test]
fn limits_are_told() {
    let from = sender("finance@example.com").expect("a sender");
    let refused = |mail: Mail| compose(&mail, &from).expect_err("refused").to_string();
    assert!(refused(Mail { to: Vec::new(), ..mail() }).contains("no recipient"));
    assert!(refused(Mail { to: vec!["a@b.example".into(); 51], ..mail() }).contains("51 recipients; at most 50"));
    assert!(refused(Mail { text: "x".repeat(CONTENT_MAX_BYTES), ..mail() }).contains("bytes; at most"));
    assert!(refused(Mail { attachments: vec![mail().attachments[0].clone(); 11], ..mail() }).contains("11 attachments"));
    assert!(refused(Mail { at: Instant(-1), ..mail() }).contains("before 1970"));
}

#[test]
fn senders_that_are_none_are_refused() {
    for from in ["", "finance", "Finance <finance>", "ü@example.com", "a@b\r\nBcc: c@d"] {
        assert!(sender(from).is_err(), "{from:?}");
    }
}

proptest! {
    #[test]
    fn any_text_arrives_as_it_was(subject in any::<String>(), text in any::<String>(), html in any::<String>(), name in any::<String>(), content in proptest::collection::vec(any::<u8>(), 0..500)) {
        let mut mail = Mail { subject, text, html, ..mail() };
        mail.attachments[0].name = name;
        mail.attachments[0].bytes = content;
        let bytes = bytes(&mail);
        prop_assert!(is_fit_for_the_wire(&bytes) && has_only_its_headers(&bytes));
        let parsed = mailparse::parse_mail(&bytes).expect("a mail");
        let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        let body = parsed.subparts[0].subparts[0].get_body_raw().expect("text");
        prop_assert_eq!(lines(&String::from_utf8(body).expect("UTF-8")), lines(&mail.text));
        prop_assert_eq!(parsed.subparts[1].get_body_raw().expect("bytes"), mail.attachments[0].bytes.clone());
    }

    #[test]
    fn an_address_that_is_taken_is_one_word(text in "[ -~]{0,12}@?[ -~]{0,12}|\\PC{0,20}") {
        if let Ok(address) = address(&text) {
            prop_assert_eq!(address.to_string(), text.clone());
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
