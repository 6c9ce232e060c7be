//! Mail to a real server that somebody else wrote: what arrives, and what we make of each way in which it does not.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use tributary::adapters::mail::smtp::SmtpMail;
use tributary::config::{Secret, Tls};
use workflows::ports::{Attachment, Delivery, Mail, MailPort, Receipt};

use crate::smtp::Server;

fn mail(to: &[&str]) -> Mail {
    Mail {
        message_id: "<stm_1@tributary.example.com>".into(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        subject: "Statement für 2026-04".into(),
        text: ".\nHello,\n..\n.leading dots, and it is 100 €\n".into(),
        html: format!("<p>100 €</p>{}", "<b>long</b>".repeat(500)),
        attachments: vec![Attachment {
            name: "statement.pdf".into(),
            media_type: "application/pdf".into(),
            bytes: (0..=255).cycle().take(100_000).collect(),
        }],
        at: "2026-05-01T06:00:00Z".parse().expect("an instant"),
    }
}

async fn send(port: &dyn MailPort, mail: &Mail, recipients: &[&str]) -> Vec<Delivery> {
    let recipients: Vec<String> = recipients.iter().map(|recipient| (*recipient).to_owned()).collect();
    let receipts: Vec<Receipt> = port.send(mail, &recipients).await.expect("nothing is wrong with the mail");
    assert_eq!(receipts.iter().map(|receipt| &receipt.recipient).collect::<Vec<_>>(), recipients.iter().collect::<Vec<_>>());
    receipts.into_iter().map(|receipt| receipt.delivery).collect()
}

fn is_delivered(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Delivered { response } if response.contains("kept"))
}

fn is_temporary(delivery: &Delivery, part: &str) -> bool {
    matches!(delivery, Delivery::Temporary { reason } if reason.contains(part))
}

fn is_bounced(delivery: &Delivery, part: &str) -> bool {
    matches!(delivery, Delivery::Bounced { reason } if reason.contains(part))
}

#[tokio::test]
async fn a_mail_arrives_whole_over_every_kind_of_connection() {
    for (tls, has_password) in [(Tls::None, false), (Tls::StartTls, false), (Tls::StartTls, true), (Tls::Implicit, false), (Tls::Implicit, true)] {
        let server = Server::start(tls, has_password);
        let mail = mail(&["jo@example.com"]);
        let deliveries = send(&server.adapter(), &mail, &["jo@example.com"]).await;
        assert!(matches!(&deliveries[..], [only] if is_delivered(only)), "{tls:?}: {deliveries:?}");
        let journal = server.journal();
        let [entry] = &journal[..] else { panic!("one mail, not {journal:?}") };
        assert_eq!(entry["message_id"], mail.message_id);
        assert_eq!(entry["subject"], mail.subject);
        assert_eq!(entry["text"], mail.text);
        assert_eq!(entry["html"].as_str().expect("text").trim_end(), mail.html);
        assert_eq!(entry["attachments"], json!([["statement.pdf", "application/pdf", hex::encode(Sha256::digest(&mail.attachments[0].bytes))]]));
        assert_eq!((&entry["from"], &entry["to"]), (&json!("finance@example.com"), &json!(["jo@example.com"])));
        assert_eq!(entry["defects"], json!([]));
        assert_eq!(entry["encrypted"], tls != Tls::None);
        assert_eq!(entry["user"], if has_password { json!("tributary") } else { json!(null) });
    }
}

#[tokio::test]
async fn one_of_two_recipients_is_refused_and_the_other_has_the_mail() {
    let server = Server::plain();
    let to = ["refused@example.com", "jo@example.com"];
    let deliveries = send(&server.adapter(), &mail(&to), &to).await;
    assert!(is_bounced(&deliveries[0], "no such mailbox") && is_delivered(&deliveries[1]), "{deliveries:?}");
    assert_eq!(server.journal()[0]["to"], json!(["jo@example.com"]));
}

#[tokio::test]
async fn only_who_is_for_later_is_sent_to_again_and_gets_the_same_bytes() {
    let server = Server::plain();
    let (port, to) = (server.adapter(), ["later@example.com", "jo@example.com", "not an address"]);
    let deliveries = send(&port, &mail(&to), &to).await;
    assert!(is_temporary(&deliveries[0], "greylisted") && is_delivered(&deliveries[1]), "{deliveries:?}");
    assert!(is_bounced(&deliveries[2], "characters"), "{deliveries:?}");
    assert!(is_delivered(&send(&port, &mail(&to), &to[..1]).await[0]));
    let journal = server.journal();
    assert_eq!(journal.iter().map(|entry| &entry["to"]).collect::<Vec<_>>(), [&json!(["jo@example.com"]), &json!(["later@example.com"])]);
    assert_eq!(journal[0]["digest"], journal[1]["digest"]);
}

#[tokio::test]
async fn what_the_server_says_after_the_data_counts() {
    let server = Server::plain();
    let port = server.adapter();
    let refused = send(&port, &mail(&["data-refused@example.com"]), &["data-refused@example.com"]).await;
    assert!(is_bounced(&refused[0], "looks like spam"), "{refused:?}");
    let later = send(&port, &mail(&["data-later@example.com"]), &["data-later@example.com"]).await;
    assert!(is_temporary(&later[0], "try again"), "{later:?}");
    assert!(is_delivered(&send(&port, &mail(&["data-later@example.com"]), &["data-later@example.com"]).await[0]));
    assert_eq!(server.journal().len(), 1);
}

#[tokio::test]
async fn a_connection_that_drops_after_the_data_means_the_same_message_id_again() {
    let server = Server::plain();
    let (port, mail) = (server.adapter(), mail(&["drop@example.com"]));
    let first = send(&port, &mail, &["drop@example.com"]).await;
    assert!(is_temporary(&first[0], "may have arrived"), "{first:?}");
    assert!(is_delivered(&send(&port, &mail, &["drop@example.com"]).await[0]));
    let journal = server.journal();
    assert_eq!(journal.len(), 2, "the first one had arrived");
    assert_eq!(journal[0]["message_id"], journal[1]["message_id"]);
    assert_eq!(journal[0]["digest"], journal[1]["digest"]);
}

#[tokio::test]
async fn a_silent_server_is_for_later_and_what_it_said_before_is_kept() {
    let server = Server::plain();
    let mut settings = server.settings();
    settings.timeout = Duration::from_secs(2);
    let port = SmtpMail::new(&settings, "finance@example.com").expect("an adapter");
    let to = ["refused@example.com", "silent@example.com"];
    let deliveries = send(&port, &mail(&to), &to).await;
    assert!(is_bounced(&deliveries[0], "no such mailbox") && is_temporary(&deliveries[1], "may have arrived"), "{deliveries:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_for_later() {
    let settings = Server::plain().stop();
    let port = SmtpMail::new(&settings, "finance@example.com").expect("an adapter");
    let deliveries = send(&port, &mail(&["jo@example.com"]), &["jo@example.com"]).await;
    assert!(matches!(&deliveries[0], Delivery::Temporary { reason } if !reason.contains("may have arrived")), "{deliveries:?}");
}

#[tokio::test]
async fn nothing_is_sent_where_the_connection_is_not_what_was_asked_for() {
    // No TLS offered where it is asked for; a certificate that nobody vouches for, or for another name; a wrong password.
    let (plain, encrypted, guarded) = (Server::plain(), Server::start(Tls::StartTls, false), Server::start(Tls::StartTls, true));
    let mut downgraded = plain.settings();
    (downgraded.tls, downgraded.ca_file) = (Tls::StartTls, encrypted.settings().ca_file);
    let mut unknown = encrypted.settings();
    unknown.ca_file = None;
    let mut misnamed = encrypted.settings();
    misnamed.host = "127.0.0.1".into();
    let mut wrong = guarded.settings();
    wrong.credentials = Some(("tributary".into(), Secret::new("battery staple".into())));
    for (case, settings) in [("no TLS", downgraded), ("unknown authority", unknown), ("other name", misnamed), ("wrong password", wrong)] {
        let port = SmtpMail::new(&settings, "finance@example.com").expect("an adapter");
        let deliveries = send(&port, &mail(&["jo@example.com"]), &["jo@example.com"]).await;
        assert!(matches!(&deliveries[0], Delivery::Temporary { reason } if !reason.contains("battery")), "{case}: {deliveries:?}");
    }
    assert!([plain, encrypted, guarded].iter().all(|server| server.journal().is_empty()));
}

#[test]
fn certificates_that_can_t_be_read_are_named() {
    let server = Server::start(Tls::StartTls, false);
    let mut settings = server.settings();
    settings.ca_file = Some("/nowhere/ca.pem".into());
    let error = SmtpMail::new(&settings, "finance@example.com").expect_err("not there");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}
