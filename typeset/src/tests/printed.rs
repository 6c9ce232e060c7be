use program::component::Component;
use program::line::Source;

use super::sample::{base_line, flat, lines_of_every_sort, pages, settlement, statement, statement_named, typesetter};
use crate::{LINES_MAX, MissingGlyphs, TypesetError};

const GOLDEN: &str = include_str!("../../golden/statement.txt");

#[test]
fn the_text_of_a_statement_is_as_released() {
    let statement = statement_named("Acme & Söhne", &settlement(lines_of_every_sort(), -5_000, 0));
    let text = pages(&typesetter(), &statement).join("\u{c}\n");
    assert_eq!(text.trim(), GOLDEN.trim(), "the template prints something else:\n{text}");
}

#[test]
fn every_figure_and_mark_is_printed() {
    let statement = statement_named("Acme", &settlement(lines_of_every_sort(), -123_456, 0));
    let text = flat(&pages(&typesetter(), &statement).join("\n"));
    for figure in
        ["−1,234.56", "10,000.00", "−2,500.00", "−300.00", "1,200.00", "12%", "100%", "200.00", "REFUND", "DISPUTE WON", "LATE 2026-03", "CAPPED"]
    {
        assert!(text.contains(figure), "{figure} is not in {text}");
    }
    for word in ["INV-1", "item 7", "by RF-2", "by WON-3", "from Beta Integrators", "new-logo", "ADJ-8", "corrects INV-0", "Gold", "2026-04-20"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    for word in ["Opening balance", "Carried forward", "Balance before", "Balance after", "Page 1 of 1", "reseller / acme / 2026-04 / USD"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn long_tables_repeat_their_head_and_number_their_pages() {
    let statement = statement((0..120).map(|number| base_line(100_000 + number, "USD", 10_000)).collect());
    let pages = pages(&typesetter(), &statement);
    assert!(pages.len() >= 3, "{} pages", pages.len());
    for (page, number) in pages.iter().zip(1..) {
        let text = flat(page);
        assert!(text.contains(&format!("Page {number} of {}", pages.len())), "page {number}: {text}");
        assert_eq!(text.contains("INV-100"), text.contains("Date Invoice Earned by Tier Base Rate Share Amount"), "page {number}: {text}");
        assert_eq!(number > 1, text.contains("Commission statement, April 2026, USD"), "page {number}: {text}");
    }
    let all = flat(&pages.join(" "));
    for number in 0..120 {
        assert_eq!(all.matches(&format!("INV-{}", 100_000 + number)).count(), 1, "INV-{}", 100_000 + number);
    }
}

/// Wherever the first page ends: a page that has a total, or the fine print, has lines too.
#[test]
fn totals_and_fine_print_are_never_alone_on_a_page() {
    for count in 14..=44 {
        for coop in if count % 4 == 0 { vec![0, 4] } else { vec![0] } {
            let mut lines: Vec<_> = (0..count).map(|number| base_line(100_000 + number, "USD", 10_000)).collect();
            for number in 0..coop {
                let mut line = base_line(200_000 + number, "USD", 10_000);
                line.component = Component::COOP;
                lines.push(line);
            }
            let all = pages(&typesetter(), &statement(lines));
            for (number, page) in (1..).zip(&all) {
                let text = flat(page);
                let has = text.contains("INV-1") || text.contains("INV-2") || number == 1;
                assert!(has, "{count} lines and {coop} of co-op: page {number} of {} has no line: {text}", all.len());
                let (_, table) = text.rsplit_once("Date Invoice Earned by").unwrap_or_default();
                for total in ["Total commission", "Total co-op credits"] {
                    let on_page = if number == 1 { table } else { &text };
                    let before = on_page.split_once(total).map(|(before, _)| before);
                    assert!(before.is_none_or(|before| before.contains("INV-")), "{count} and {coop}, page {number}: {total} is alone: {text}");
                }
            }
            assert!(flat(all.last().unwrap()).contains("This statement is not a tax invoice"), "{count} and {coop}");
        }
    }
}

#[test]
fn what_is_not_paid_yet_is_to_be_paid() {
    let mut one = statement_named("Acme", &settlement(lines_of_every_sort(), 0, 0));
    let text = flat(&pages(&typesetter(), &one).join(" "));
    assert!(text.contains("To be paid") && !text.contains("Paid out") && text.contains("late delivery"), "{text}");
    one.status = "paid".into();
    let text = flat(&pages(&typesetter(), &one).join(" "));
    assert!(text.contains("Paid out") && !text.contains("To be paid"), "{text}");
}

#[test]
fn amounts_have_the_decimals_of_their_currency() {
    for (currency, minor, shown) in
        [("JPY", 1_234_567, "1,234,567"), ("KWD", 1_234_567, "1,234.567"), ("USD", 1_234_567, "12,345.67"), ("USD", -99, "−0.99")]
    {
        let text = pages(&typesetter(), &statement(vec![base_line(1, currency, minor)])).join("\n");
        assert!(text.lines().any(|line| line == shown), "{shown} is not in {text}");
    }
}

#[test]
fn what_is_not_paid_out_says_why() {
    let one = |base_minor, minimum_minor| {
        let settlement = settlement(vec![base_line(1, "USD", base_minor)], 0, minimum_minor);
        flat(&pages(&typesetter(), &statement_named("Acme", &settlement)).join(" "))
    };
    assert!(one(1_000, 5_000).contains("The balance is below the minimum payout."));
    assert!(one(-1_000, 0).contains("The balance is negative."));
    let paid = one(1_000, 0);
    assert!(!paid.contains("The balance is"), "{paid}");
}

#[test]
fn a_draft_says_so() {
    let mut draft = statement(vec![base_line(1, "USD", 1_000)]);
    assert!(!pages(&typesetter(), &draft).join("\n").contains("DRAFT"));
    draft.status = "draft".into();
    draft.digest = None;
    assert!(pages(&typesetter(), &draft).join("\n").contains("DRAFT"));
}

#[test]
fn a_member_without_lines_gets_its_balances() {
    let text = flat(&pages(&typesetter(), &statement_named("Acme", &settlement(Vec::new(), -777, 0))).join(" "));
    assert!(text.contains("Opening balance −7.77") && text.contains("No lines in this period."), "{text}");
}

#[test]
fn lines_that_earn_nothing_in_cash_are_kept_apart() {
    let mut coop = base_line(2, "USD", 1_000);
    coop.component = Component::COOP;
    let text = flat(&pages(&typesetter(), &statement(vec![base_line(1, "USD", 1_000), coop])).join(" "));
    let (cash, fund) = text.split_once("Co-op credits in USD").unwrap();
    assert!(cash.contains("INV-1") && !cash.contains("INV-2") && fund.contains("INV-2") && !fund.contains("INV-1"), "{text}");
}

#[test]
fn what_partners_write_is_printed_and_never_run() {
    let name = r#"#panic("x") *bold* _it_ $a^2$ `raw` <label> @ref // \u{41} [ ] = "quoted" #sys"#;
    let mut line = base_line(1, "USD", 1_000);
    line.invoice = Some("#read(\"/etc/hosts\")".into());
    line.source = Source::Invoice;
    let pages = pages(&typesetter(), &statement_named(name, &settlement(vec![line], 0, 0)));
    let text = flat(&pages.join(" ")).replace(' ', "");
    assert!(text.contains(&name.replace(' ', "")), "{text}");
    assert!(text.contains("#read(\"/etc/hosts\")"), "{text}");
}

#[test]
fn latin_greek_and_cyrillic_need_no_other_font() {
    let latin: String = ('\u{C0}'..='\u{17F}').filter(|c| c.is_alphabetic() && *c != '\u{149}').collect();
    let greek: String = ('\u{386}'..='\u{3CE}').filter(|c| c.is_alphabetic()).collect();
    let cyrillic: String = ('\u{400}'..='\u{45F}').chain("ҐґҒғҚқҢңҮүҰұҺһӘәӨө".chars()).collect();
    for letters in [latin, greek, cyrillic, "ăâîșțŞşĞğıİłŁẞ„“”‘’«»–—…·•°№€£¥₽₴₺§©®™ﬁ".to_owned()]
    {
        let mut line = base_line(1, "USD", 1_000);
        line.invoice = Some(letters.as_str().into());
        line.tier = Some(letters.as_str().into());
        let typeset = typesetter().statement(&statement_named(&letters, &settlement(vec![line], 0, 0))).unwrap();
        assert_eq!(typeset.missing, [], "{letters}");
    }
}

/// Runs come as they stand on the page, from left to right.
#[test]
fn names_and_ids_from_right_to_left_keep_their_places() {
    let mut line = base_line(1, "USD", 1_000);
    line.source = Source::Refund;
    (line.source_id, line.item) = ("זיכוי".into(), Some("פריט".into()));
    let mut one = statement(vec![line]);
    "תוכנית".clone_into(&mut one.program.id);
    "אלון".clone_into(&mut one.partner.id);
    let text = flat(&pages(&typesetter(), &one).join("\n"));
    for parts in [["תוכנית", "אלון", "2026-04 / USD"], ["item", "פריט", "זיכוי"]] {
        let places: Vec<Option<usize>> = parts.iter().map(|part| text.rfind(part)).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{parts:?} are at {places:?} of {text}");
    }
}

#[test]
fn a_character_that_no_font_has_is_refused_or_reported() {
    let statement = statement_named("北京 Acme", &settlement(vec![base_line(1, "USD", 1_000)], 0, 0));
    let error = typesetter().statement(&statement).unwrap_err();
    let message = error.to_string();
    let TypesetError::MissingGlyphs { partner, characters, .. } = error else { panic!("{message}") };
    assert_eq!((partner.as_str(), characters.iter().map(|missing| missing.character).collect::<String>().as_str()), ("acme", "京北"));
    assert!(message.contains("acme") && message.contains("'北' (U+5317, in \"北京"), "{message}");

    let typeset = typesetter().with_missing_glyphs(MissingGlyphs::Report).statement(&statement).unwrap();
    assert_eq!(typeset.missing, characters);
    assert!(typeset.pdf.starts_with(b"%PDF-"));
}

#[test]
fn more_lines_than_the_limit_are_refused_and_their_summary_is_not() {
    let statement = statement(vec![base_line(1, "USD", 1_000); LINES_MAX + 1]);
    let error = typesetter().statement(&statement).unwrap_err();
    assert!(matches!(&error, TypesetError::TooManyLines { lines, limit, .. } if *lines == LINES_MAX + 1 && *limit == LINES_MAX), "{error}");
    let payout = statement.totals.cash_payout.clone();
    assert_eq!(payout, "6001.20");
    let text = flat(&pages(&typesetter(), &statement.summary()).join(" "));
    assert!(text.contains("6,001.20") && text.contains("The 5,001 lines of the statement"), "{text}");
}
