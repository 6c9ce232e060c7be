//! The demo's outcome on a terminal: charts of blocks, where everything is, and what to try next.

use std::path::Path;

use program::calendar::Period;
use program::money::Currency;

use super::claims::Mailed;
use super::figures::Part;
use super::outcome::{Outcome, Paying};
use super::payment::{Held, Payment};
use crate::counted::counted;

/// A chart's bars are at least this wide, however narrow the terminal is.
const BAR_MIN: usize = 8;
/// A label is shortened to this, where the terminal is too narrow.
const LABEL_MIN: usize = 12;
/// Wider than this a bar says no more.
const BAR_MAX: usize = 60;

/// Eighths of a block, from none to seven.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// How to draw.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// Columns there are.
    pub(crate) width: usize,
    /// Whether colours are wanted.
    pub(crate) colour: bool,
    /// How this program was called, for the commands to try.
    pub(crate) program: String,
}

/// A row of a chart.
struct Bar {
    label: String,
    value: i64,
    /// Columns right of the bar, each aligned to the right.
    notes: Vec<String>,
}

impl Style {
    fn heading(&self, text: &str) -> String {
        if self.colour { format!("\n\u{1b}[1m{text}\u{1b}[0m\n") } else { format!("\n{text}\n") }
    }

    fn bar(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[36m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Bars of one scale, below one another. Where the terminal is too narrow, the later notes are left out and long labels shortened.
    fn chart(&self, bars: &[Bar]) -> String {
        let label_width = bars.iter().map(|bar| columns(&bar.label)).max().unwrap_or(0);
        let notes = bars.iter().map(|bar| bar.notes.len()).max().unwrap_or(0);
        let mut note_widths: Vec<usize> =
            (0..notes).map(|place| bars.iter().filter_map(|bar| bar.notes.get(place)).map(|note| columns(note)).max().unwrap_or(0)).collect();
        let beside = |label: usize, notes: &[usize]| 2 + label + 2 + notes.iter().map(|width| width + 2).sum::<usize>();
        while note_widths.len() > 1 && beside(label_width.min(LABEL_MIN), &note_widths) + BAR_MIN > self.width {
            note_widths.pop();
        }
        let too_wide = (beside(label_width, &note_widths) + BAR_MIN).saturating_sub(self.width);
        let label_width = label_width.saturating_sub(too_wide).max(label_width.min(LABEL_MIN));
        let taken = beside(label_width, &note_widths);
        let room = self.width.saturating_sub(taken).clamp(BAR_MIN, BAR_MAX);
        let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
        let row = |Bar { label, value, notes }: &Bar| {
            let drawn = blocks(*value, most, room);
            let space = " ".repeat(room - columns(&drawn));
            let label = shortened(label, label_width);
            let notes = notes.iter().zip(&note_widths).map(|(note, width)| format!("  {}{note}", " ".repeat(width - columns(note))));
            let notes = notes.collect::<Vec<_>>().concat();
            format!("  {label}{}  {}{space}{notes}\n", " ".repeat(label_width - columns(&label)), self.bar(&drawn))
        };
        bars.iter().map(row).collect::<Vec<_>>().concat()
    }
}

/// A text of at most so many columns.
fn shortened(text: &str, most: usize) -> String {
    if columns(text) <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}

/// What fits on screens: all characters here are one column wide.
fn columns(text: &str) -> usize {
    text.chars().count()
}

/// A bar of `room` columns for the greatest value, to an eighth of a column; nothing for what is not above zero.
fn blocks(value: i64, most: i64, room: usize) -> String {
    if value <= 0 || most <= 0 {
        return String::new();
    }
    let eighths = i128::from(value) * i128::try_from(room * 8).unwrap_or(0) / i128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(0).clamp(1, room * 8);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// `1234567.50` as `1,234,567.50`.
fn grouped(amount: &str) -> String {
    let (sign, digits) = amount.strip_prefix('-').map_or(("", amount), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A part of a whole in percent with one decimal.
fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return String::new();
    }
    let per_mille = (i128::from(part) * 2_000 + i128::from(whole)).div_euclid(i128::from(whole) * 2);
    format!("{}{}.{}%", if per_mille < 0 { "-" } else { "" }, per_mille.abs() / 10, per_mille.abs() % 10)
}

fn component_name(part: &Part) -> String {
    match part.component.as_str() {
        "base" => "base commission".into(),
        "volume_bonus" => "volume bonus".into(),
        "rank_bonus" => "rank bonus".into(),
        "coop" => "co-op credit".into(),
        other => other.replace('_', " "),
    }
}

/// The whole report.
pub(crate) fn report(outcome: &Outcome, style: &Style) -> String {
    let figures = &outcome.figures;
    let currency = figures.currency;
    let (first, last) = (&figures.months[0].period, &figures.months[figures.months.len() - 1].period);
    let settlements: usize = figures.months.iter().map(|month| month.settlements).sum();
    let (partners, seed) = (outcome.options.partners, outcome.options.seed);
    let head = format!(
        "A year of made-up data, {first} to {last}: {partners} partners on three levels, seed {seed}.\n\
         {} rows of facts in {} files, {settlements} settlements, {} reviews; the books verify ({} invariants).\n",
        grouped(&outcome.rows.to_string()),
        outcome.files,
        outcome.reviews.len(),
        outcome.invariants,
    );
    [
        head,
        style.heading(&format!("Owed by month, {currency}")),
        months(outcome, style),
        style.heading(&format!("What it was for, {currency}")),
        components(outcome, style),
        style.heading(&format!("Earned by tier, {currency}, with active members before and after")),
        tiers(outcome, style),
        style.heading(&format!("Owed most, {currency}")),
        top(outcome, style),
        style.heading("Reviews and ranks"),
        reviews(outcome),
        style.heading(&format!("Paid and mailed, {last}")),
        paying(outcome, style),
        claims(outcome, style),
        style.heading("Where it is"),
        places(outcome, *last),
        style.heading("What to try"),
        commands(outcome, *last, style),
        format!("\n{}\n", timings(outcome)),
    ]
    .concat()
}

fn months(outcome: &Outcome, style: &Style) -> String {
    let currency = outcome.figures.currency;
    let bars: Vec<Bar> = outcome
        .figures
        .months
        .iter()
        .map(|month| {
            let value = month.paid_minor.get(&currency).copied().unwrap_or(0);
            Bar { label: month.period.to_string(), value, notes: vec![grouped(&currency.format_minor(value))] }
        })
        .collect();
    let others: Vec<String> = outcome
        .figures
        .paid_otherwise()
        .iter()
        .filter(|(_, minor)| **minor != 0)
        .map(|(currency, minor)| format!("{currency} {}", grouped(&currency.format_minor(*minor))))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!("  In the year also {}.\n", others.join(", ")) };
    style.chart(&bars) + &others
}

fn components(outcome: &Outcome, style: &Style) -> String {
    let currency = outcome.figures.currency;
    let parts: Vec<&Part> = outcome.figures.components.iter().filter(|part| part.currency == currency).collect();
    let cash: i64 = parts.iter().filter(|part| part.fund.is_none()).map(|part| part.amount_minor).sum();
    let bars: Vec<Bar> = parts
        .into_iter()
        .map(|part| {
            let of_cash = if part.fund.is_none() { percent(part.amount_minor, cash) } else { "fund".into() };
            let lines = format!("{} {}", grouped(&part.lines.to_string()), if part.lines == 1 { "line" } else { "lines" });
            Bar {
                label: component_name(part),
                value: part.amount_minor,
                notes: vec![grouped(&currency.format_minor(part.amount_minor)), of_cash, lines],
            }
        })
        .collect();
    style.chart(&bars)
}

fn tiers(outcome: &Outcome, style: &Style) -> String {
    let currency = outcome.figures.currency;
    let bars: Vec<Bar> = outcome
        .figures
        .tiers
        .iter()
        .map(|tier| {
            let members = format!("{:>2} → {:>2}", tier.before, tier.after);
            Bar { label: tier.name.clone(), value: tier.amount_minor, notes: vec![grouped(&currency.format_minor(tier.amount_minor)), members] }
        })
        .collect();
    style.chart(&bars)
}

fn top(outcome: &Outcome, style: &Style) -> String {
    let currency = outcome.figures.currency;
    let bars: Vec<Bar> = outcome
        .figures
        .top
        .iter()
        .map(|earner| {
            let label = format!("{}  {}", earner.partner, earner.name);
            Bar { label, value: earner.paid_minor, notes: vec![grouped(&currency.format_minor(earner.paid_minor))] }
        })
        .collect();
    style.chart(&bars)
}

fn reviews(outcome: &Outcome) -> String {
    let reviews = outcome.reviews.iter().map(|review| {
        let outcomes: Vec<String> = review.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let changed: Vec<String> = review.changed.iter().map(|(partner, before, after)| format!("{partner} {before} → {after}")).collect();
        let changed = if changed.is_empty() { String::new() } else { format!("\n              {}", changed.join(", ")) };
        format!("  {}  {}{changed}\n", review.as_of, outcomes.join(", "))
    });
    let winners = &outcome.figures.winners;
    let mut quarters: Vec<&str> = winners.iter().map(|(quarter, _)| quarter.as_str()).collect();
    quarters.dedup();
    let ranks = quarters.into_iter().map(|quarter| {
        let partners: Vec<&str> = winners.iter().filter(|(of, _)| of == quarter).map(|(_, partner)| partner.as_str()).collect();
        format!("  {quarter}     best tenth: {}\n", partners.join(", "))
    });
    let coop = outcome.figures.coop_minor.iter().filter(|(_, minor)| *minor != 0);
    let coop: Vec<String> = coop.map(|(currency, minor)| format!("{currency} {}", grouped(&currency.format_minor(*minor)))).collect();
    let coop = if coop.is_empty() { String::new() } else { format!("  In the co-op wallets: {}\n", coop.join(", ")) };
    reviews.chain(ranks).chain([coop]).collect()
}

fn paying(outcome: &Outcome, style: &Style) -> String {
    let payment = match &outcome.paying {
        Paying::Paid(payment) => payment,
        Paying::Not { reason } => return paragraph(style, &format!("Nothing is paid or mailed: {reason}, for the next demo.")),
    };
    let amount = |currency: Currency, minor: i64| format!("{}{UNBROKEN}{}", currency.code(), grouped(&currency.format_minor(minor)));
    let totals: Vec<String> = payment.paid_minor.iter().map(|(currency, minor)| amount(*currency, *minor)).collect();
    let mut lines = vec![paragraph(
        style,
        &format!("{} {} paid: {}.", counted(payment.paid, "payout"), if payment.paid == 1 { "is" } else { "are" }, totals.join(", ")),
    )];
    for Held { partner, currency, amount_minor, reason } in &payment.held {
        let reason = reason.replace('_', " ");
        lines.push(paragraph(style, &format!("Held: {} of {partner} ({reason}).", amount(*currency, *amount_minor))));
    }
    let Payment { requests, payments, looked_up, .. } = payment;
    let lost = match looked_up {
        0 => String::new(),
        1 => " One answer was lost on purpose: that payout was unknown until it was looked up by its key.".into(),
        more => format!(" {more} answers were lost: those payouts were unknown until they were looked up by their keys."),
    };
    lines.push(paragraph(
        style,
        &format!("The provider, in a process of its own, had {} and paid {}.{lost}", counted(*requests, "request"), counted(*payments, "time")),
    ));
    let letters: Vec<String> = payment.letters.iter().map(|(about, count)| format!("{count} {}", about.replace('_', " "))).collect();
    lines.push(paragraph(style, &format!("{}: {}.", counted(payment.letters.values().sum::<usize>(), "mail"), letters.join(", "))));
    lines.concat()
}

/// What became of the claims, with the mails about them.
fn claims(outcome: &Outcome, style: &Style) -> String {
    let Paying::Paid(payment) = &outcome.paying else { return String::new() };
    let Some(claims) = &payment.claims else { return paragraph(style, "No wallet has enough for a claim.") };
    let money = |minor: i64| format!("{}{UNBROKEN}{}", claims.currency.code(), grouped(&claims.currency.format_minor(minor)));
    let mut text = style.heading(&format!("Claims on the co-op fund of {}", claims.partner));
    for told in &claims.told {
        let decisions: Vec<String> = told.decisions.iter().map(|(role, by, word)| format!("{word} by {by} as {role}")).collect();
        let words = format!(
            "{} over {}: {}; {}. The wallet has {} after it.",
            told.id,
            money(told.amount_minor),
            decisions.join(", "),
            told.status,
            money(told.wallet_minor)
        );
        text.push_str(&paragraph(style, &words));
    }
    text.push_str(&paragraph(style, &format!("Before both it had {}.", money(claims.before_minor))));
    for Mailed { to, subject, text: body, attachments } in &claims.mails {
        text.push_str(&format!("\n  To: {to}\n  Subject: {subject}\n"));
        for name in attachments {
            text.push_str(&format!("  Attached: {name}\n"));
        }
        for line in body.trim().lines() {
            text.push_str(format!("  │ {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// A space at which no line is broken.
const UNBROKEN: char = '\u{a0}';

/// Words in lines of the terminal's width, set in by two; a line that goes on, by four.
fn paragraph(style: &Style, text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from(" "));
    for word in text.split(' ') {
        if columns(&line) + 1 + columns(word) > style.width && line.trim() != "" {
            lines.push_str(&line);
            lines.push('\n');
            line = "   ".into();
        }
        line.push(' ');
        line.push_str(word);
    }
    (lines + &line + "\n").replace(UNBROKEN, " ")
}

fn places(outcome: &Outcome, last: Period) -> String {
    let path = |name: &str| outcome.directory.join(name).display().to_string();
    let statements = match outcome.statements {
        Some(count) if outcome.options.all_statements => format!("{} ({count} files, a folder a month)", path("statements")),
        Some(count) => format!("{} ({count} files; --all-statements sets those of every month)", path(&format!("statements/{last}"))),
        None => "this build sets none; build with the feature `pdf`".into(),
    };
    let mut rows = vec![
        ("database", outcome.directory.database_file().display().to_string()),
        ("programme", outcome.directory.program_file().display().to_string()),
        ("facts", format!("{} (CSV by the month in which they became known)", path("facts"))),
        ("statements", statements),
        ("journal", format!("{} (beancount, hledger, CSV)", path("journal"))),
    ];
    if let Paying::Paid(_) = outcome.paying {
        rows.push(("mails", format!("{} (.eml)", outcome.directory.mails().display())));
        rows.push(("proofs", format!("{} (of claims, by their content)", path("files"))));
        rows.push(("provider", format!("{} (its own books)", outcome.directory.provider_journal().display())));
    }
    rows.into_iter().map(|(name, place)| format!("  {name:<10}  {place}\n")).collect()
}

fn commands(outcome: &Outcome, last: Period, style: &Style) -> String {
    let figures = &outcome.figures;
    let program = &figures.program;
    let mut tries = vec![format!("settlement list --period {last}")];
    if let Some(partner) = &figures.examples.partner {
        tries.push(format!("settlement show --program {program} --partner {partner} --period {last}"));
        tries.push(format!("wallet show --partner {partner}"));
    }
    for invoice in [&figures.examples.invoice, &figures.examples.refunded].into_iter().flatten() {
        tries.push(format!("explain --invoice {invoice}"));
    }
    if let Paying::Paid(payment) = &outcome.paying {
        tries.push("payout list --status held".into());
        tries.push("workflow list".into());
        tries.push("mail list".into());
        for told in payment.claims.iter().flat_map(|claims| &claims.told) {
            tries.push(format!("mdf claim show {}", told.id));
        }
    }
    tries.push(format!("settle --program {program} --through {} --preview", last.next()));
    tries.push("verify".into());
    tries.push("export journal --format hledger".into());
    let address = quoted(&outcome.directory.database_url());
    let program = quoted(&style.program);
    let mut lines = vec![format!(
        "  export TRIBUTARY_DATABASE_URL={address}
"
    )];
    lines.extend(tries.iter().map(|command| {
        format!(
            "  {program} {command}
"
        )
    }));
    lines.concat()
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-~:%+".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn timings(outcome: &Outcome) -> String {
    let seconds = |ms: u128| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let parts: Vec<String> = outcome.took.iter().map(|(part, time)| format!("{part} {}", seconds(time.as_millis()))).collect();
    let whole: u128 = outcome.took.iter().map(|(_, time)| time.as_millis()).sum();
    format!("Took {}: {}.", seconds(whole), parts.join(", "))
}

/// How the program was called, as a shell takes it again.
pub(crate) fn called() -> String {
    let argument = std::env::args().next().unwrap_or_default();
    let is_path = Path::new(&argument).components().count() > 1;
    if is_path { argument } else { "tributary".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth_and_never_wider_than_their_room() {
        assert_eq!(blocks(100, 100, 10), "██████████");
        assert_eq!(blocks(50, 100, 1), "▌");
        assert_eq!(blocks(1, 1_000_000, 10), "▏");
        assert_eq!(blocks(0, 100, 10), "");
        assert_eq!(blocks(-5, 100, 10), "");
        assert_eq!(blocks(i64::MAX, i64::MAX, 60).chars().count(), 60);
    }

    #[test]
    fn amounts_are_grouped_and_shares_rounded() {
        assert_eq!(["0.00", "999.10", "-1000.00", "1234567"].map(grouped), ["0.00", "999.10", "-1,000.00", "1,234,567"]);
        assert_eq!([percent(1, 3), percent(2, 3), percent(-1, 200), percent(1, 0)], ["33.3%", "66.7%", "-0.5%", ""]);
    }

    #[test]
    fn a_chart_fits_the_terminal_and_stands_in_columns() {
        let bar = |label: &str, value: i64, note: &str| Bar { label: label.into(), value, notes: vec![note.into()] };
        let chart = |width, colour| Style { width, colour, program: String::new() }.chart(&[bar("a", 8, "8.00"), bar("bcd", 4, "12.00")]);
        let plain = chart(40, false);
        assert!(plain.lines().all(|line| columns(line) == 40), "{plain}");
        assert!(plain.contains("  bcd  █"), "{plain}");
        let long = |width| {
            let bar = Bar { label: "p01  A rather long name".into(), value: 8, notes: vec!["8.00".into(), "50.0%".into(), "12 lines".into()] };
            Style { width, colour: false, program: String::new() }.chart(&[bar])
        };
        assert!(long(80).contains("A rather long name") && long(80).contains("12 lines"));
        assert_eq!(long(40), "  p01  A rather …  ████████  8.00  50.0%\n");
        assert_eq!(long(32), "  p01  A rather…  ████████  8.00\n");
        assert!(chart(10, false).lines().all(|line| columns(line) == 22), "no narrower than its texts and the least bar");
        assert!(chart(40, true).contains("\u{1b}[36m") && !plain.contains('\u{1b}'));
    }

    #[test]
    fn paragraphs_break_between_words_and_keep_within_the_terminal() {
        let style = Style { width: 20, colour: false, program: String::new() };
        assert_eq!(paragraph(&style, "one two three four five six"), "  one two three four\n    five six\n");
        assert_eq!(paragraph(&style, &format!("one two three USD{UNBROKEN}1")), "  one two three\n    USD 1\n");
        assert_eq!(paragraph(&style, "a-word-wider-than-the-terminal is kept"), "  a-word-wider-than-the-terminal\n    is kept\n");
    }

    #[test]
    fn words_are_quoted_for_shells() {
        assert_eq!([quoted("target/debug/tributary"), quoted("a b"), quoted("it's")], ["target/debug/tributary", "'a b'", "'it'\\''s'"]);
    }
}
