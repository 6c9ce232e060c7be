//! Settlements to set.

use std::collections::BTreeMap;

use program::calendar::parse_date;
use program::component::Component;
use program::line::{Line, Source};
use program::money::{Currency, Rate, Rounding};
use program::settlement::{Settlement, Totals};
use program::statement::{Setting, Statement, WalletBalances};
use typst::layout::{Frame, FrameItem};

use crate::{FontDirs, Reasons, Template, Typesetter};

pub(super) fn base_line(number: usize, currency: &str, base_minor: i64) -> Line {
    let currency: Currency = currency.parse().unwrap();
    let rate: Rate = "12%".parse().unwrap();
    Line {
        payee: "acme".into(),
        currency,
        source: Source::Invoice,
        source_id: format!("INV-{number}").into(),
        invoice: Some(format!("INV-{number}").into()),
        item: None,
        role: Some("sourced".into()),
        component: Component::BASE,
        rule: None,
        rate_source: Some("tier:gold".into()),
        part: 0,
        level: 0,
        from_partner: "acme".into(),
        earned_on: parse_date("2026-04-20").unwrap(),
        tier: Some("gold".into()),
        base_minor,
        rate: Some(rate),
        share: Rate::ONE,
        amount_minor: rate.of(base_minor, Rate::ONE, Rounding::HalfUp).unwrap(),
        uncut_minor: None,
        referred_minor: base_minor,
        late_from: None,
        corrects: None,
        version: 1,
    }
}

/// One line of every sort that a statement marks or words in its own way.
pub(super) fn lines_of_every_sort() -> Vec<Line> {
    let mut lines: Vec<Line> = (1..=8).map(|number| base_line(number, "USD", 1_000_000)).collect();
    lines[1].source = Source::Refund;
    lines[1].source_id = "RF-2".into();
    lines[1].base_minor = -250_000;
    lines[1].amount_minor = -30_000;
    lines[2].source = Source::Refund;
    lines[2].source_id = "WON-3".into();
    lines[3].late_from = Some("2026-03".parse().unwrap());
    lines[3].item = Some("7".into());
    lines[4].component = Component::OVERRIDE;
    lines[4].from_partner = "beta".into();
    lines[4].level = 1;
    lines[4].uncut_minor = Some(200_000);
    lines[5].component = Component::COOP;
    lines[5].amount_minor = 20_000;
    lines[6].component = Component::SPIFF;
    lines[6].rule = Some("new-logo".into());
    lines[7].component = Component::ADJUSTMENT;
    lines[7].source = Source::Adjustment;
    lines[7].source_id = "ADJ-8".into();
    lines[7].invoice = None;
    lines[7].rate = None;
    lines[7].corrects = Some("INV-0".into());
    lines
}

pub(super) fn settlement(lines: Vec<Line>, opening_balance_minor: i64, minimum_minor: i64) -> Settlement {
    let currency = lines.first().map_or_else(|| "USD".parse().unwrap(), |line| line.currency);
    let mut totals = Totals::default();
    for line in &lines {
        totals.count(line).unwrap();
    }
    totals.close(opening_balance_minor, minimum_minor, false).unwrap();
    Settlement { program: "reseller".into(), partner: "acme".into(), period: "2026-04".parse().unwrap(), currency, lines, totals }
}

pub(super) fn statement_named(partner: &str, settlement: &Settlement) -> Statement {
    let partners = BTreeMap::from([("beta".to_owned(), "Beta Integrators".to_owned())]);
    let tiers = BTreeMap::from([("gold".to_owned(), "Gold".to_owned())]);
    let digest = settlement.digest().unwrap();
    let wallet = WalletBalances { before_minor: 100_000, after_minor: 100_000 + settlement.totals.coop_credit_minor };
    let setting = Setting {
        program: "Reseller programme",
        partner,
        partners: &partners,
        tiers: &tiers,
        status: "final",
        digest: Some(&digest),
        wallet: Some(wallet),
    };
    Statement::of(settlement, &setting).unwrap()
}

pub(super) fn statement(lines: Vec<Line>) -> Statement {
    statement_named("Acme", &settlement(lines, 0, 0))
}

/// Why the adjustment of [`lines_of_every_sort`] was made.
fn reasons() -> Reasons {
    Reasons::from([("ADJ-8".to_owned(), "late delivery".to_owned())])
}

pub(super) fn typesetter() -> Typesetter {
    Typesetter::new(Template::standard(), &FontDirs::default()).unwrap()
}

/// The text of each page, a run of text a line, spaces of no width as they are drawn: not at all.
pub(super) fn pages(typesetter: &Typesetter, statement: &Statement) -> Vec<String> {
    let (document, warnings) = typesetter.lay_out(&typesetter.world(statement, &reasons()).unwrap()).unwrap();
    assert_eq!(warnings, []);
    document.pages().iter().map(|page| text_in(&page.frame)).collect()
}

/// The text of each page of what a template makes of data.
pub(super) fn pages_of(typesetter: &Typesetter, data: &[u8]) -> Vec<String> {
    let (document, warnings) = typesetter.lay_out(&typesetter.world_of(data.to_vec())).unwrap();
    assert_eq!(warnings, []);
    document.pages().iter().map(|page| text_in(&page.frame)).collect()
}

pub(super) fn text_in(frame: &Frame) -> String {
    let mut text = String::new();
    for (_, item) in frame.items() {
        match item {
            FrameItem::Group(group) => text.push_str(&text_in(&group.frame)),
            FrameItem::Text(run) => {
                text.push_str(&run.text);
                text.push('\n');
            }
            FrameItem::Shape(..) | FrameItem::Image(..) | FrameItem::Link(..) | FrameItem::Tag(_) => {}
        }
    }
    text
}

/// A page's text as one line, for words that are set in several runs.
pub(super) fn flat(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}
