//! Statements of claims.

use program::mdf::statement::{Approval, ClaimStatement, FORMAT, Named, Proof};

use super::sample::{pages_of, text_in};
use crate::{FontDirs, Template, Typesetter};

fn named(id: &str, name: &str) -> Named {
    Named { id: id.into(), name: name.into() }
}

fn claim() -> ClaimStatement {
    ClaimStatement {
        format: FORMAT,
        claim: "CL-1".into(),
        campaign: named("webinar", "Spring webinar"),
        program: named("reseller", "Reseller programme"),
        partner: named("acme", "Acme & Söhne"),
        currency: "USD".into(),
        receipts: "50000.00".into(),
        asked: "25000.00".into(),
        amount: "20000.00".into(),
        wallet_balance: "20000.00".into(),
        submitted_on: "2026-05-04".into(),
        paid_on: "2026-05-06".into(),
        payout: "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".into(),
        account_ends_in: "3000".into(),
        approvals: vec![Approval { role: "channel_manager".into(), by: "Jo".into(), on: "2026-05-05".into(), amount: "20000.00".into() }],
        proofs: vec![Proof { name: "#eval(\"1\") *invoice*.pdf".into(), sha256: format!("sha256:{}", "ab".repeat(32)) }],
        digest: format!("sha256:{}", "cd".repeat(32)),
    }
}

fn typesetter() -> Typesetter {
    Typesetter::new(Template::claim(), &FontDirs::default()).expect("the built-in template is one")
}

#[test]
fn a_claim_shows_its_figures_people_and_proofs_as_text() {
    // Words that may break are drawn in parts.
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let text = bare(&pages_of(&typesetter(), &serde_json::to_vec(&claim()).expect("JSON")).join("\n"));
    for shown in ["Claim statement", "Acme & Söhne", "Spring webinar", "50,000.00 USD", "25,000.00 USD", "20,000.00 USD", "channel_manager", "Jo"] {
        assert!(text.contains(&bare(shown)), "{shown} is not in {text}");
    }
    assert!(text.contains(&bare("#eval(\"1\") *invoice*.pdf")), "names are inert: {text}");
}

/// A name that turns the reading direction would turn the figures beside it.
#[test]
fn names_turn_no_figures_and_break_no_lines() {
    let turned = "Ac\u{202E}me\u{2067} \u{7}Ltd";
    let of = |id: &str| Named { id: format!("{id}\u{202E}"), name: turned.into() };
    let hostile = ClaimStatement {
        claim: "CL-1\u{202D}".into(),
        campaign: of("webinar"),
        program: of("reseller"),
        partner: of("acme"),
        approvals: vec![Approval { role: "channel\u{200F}".into(), by: turned.into(), ..claim().approvals[0].clone() }],
        proofs: vec![Proof { name: "fdp.\u{202E}invoice\u{2028}.csv".into(), ..claim().proofs[0].clone() }],
        ..claim()
    };
    let typesetter = typesetter();
    let (document, warnings) = typesetter.lay_out(&typesetter.world_of_claim(&hostile).expect("JSON")).expect("a claim is set");
    assert_eq!(warnings, []);
    let text: String = document.pages().iter().map(|page| text_in(&page.frame)).collect();
    let turns = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{7}');
    assert!(!text.contains(turns), "{text:?}");
    let unread = pages_of(&typesetter, &serde_json::to_vec(&hostile).expect("JSON")).join("\n");
    assert!(unread.contains(turns), "a page would show them as they are: {unread:?}");
    assert!(text.contains("Acme") && text.contains("fdp.invoice"), "{text}");
    let set = typesetter.claim(&hostile).expect("a claim is set");
    assert!(set.pdf.starts_with(b"%PDF-"));
}

#[test]
fn a_claim_has_the_same_bytes_again_and_bare_ones_are_set_too() {
    let first = typesetter().claim(&claim()).expect("a claim is set");
    assert_eq!(first.pdf, typesetter().claim(&claim()).expect("a claim is set").pdf);
    assert!(first.warnings.is_empty() && first.pdf.starts_with(b"%PDF-"));
    let bare = ClaimStatement { approvals: Vec::new(), proofs: Vec::new(), account_ends_in: String::new(), ..claim() };
    assert_eq!(typesetter().claim(&bare).expect("a bare claim is set").pages, 1);
}
