//! An explanation for people.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

use program::explain::{ChainShown, LayerShown, RuleShown};
use program::money::Rate;

pub(crate) use super::evidence::percent;
use super::model::{
    BaseShown, CreditShown, Difference, Explanation, InProgram, InvoiceShown, ItemShown, LineShown, PlaceShown, RankShown, RefundShown, TierShown,
};
use crate::programs::FROM_EVER;

/// Text without what a terminal would obey: control characters, and marks that turn the reading direction, are spelled out.
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    let active = |c: char| {
        c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(active) {
        return Cow::Borrowed(text);
    }
    let spelled = |c: char| if active(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(spelled).collect())
}

/// Text that grows line by line, indented.
struct Page {
    text: String,
    depth: usize,
}

impl Page {
    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{:width$}{}", "", inert(&line.to_string()), width = self.depth * 2);
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn inside(&mut self, tell: impl FnOnce(&mut Self)) {
        self.depth += 1;
        tell(self);
        self.depth -= 1;
    }

    /// A head and what belongs to it on the same line.
    fn fact(&mut self, head: &str, what: impl Display) {
        self.line(format_args!("{head:<10} {what}"));
    }
}

/// Text or nothing, with words before it.
struct With<'a>(&'a str, Option<&'a str>);

impl Display for With<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(text) => write!(f, "{}{text}", self.0),
            None => Ok(()),
        }
    }
}

/// A rate as text in percent.
fn in_percent(rate: &str) -> String {
    rate.parse::<Rate>().map_or_else(|_| rate.to_owned(), percent)
}

/// Since when something holds.
fn since(day: Option<&str>) -> String {
    match day {
        Some(FROM_EVER) | None => String::new(),
        Some(day) => format!(" since {day}"),
    }
}

/// The explanation as text.
#[must_use]
pub fn text(told: &Explanation) -> String {
    let mut page = Page { text: String::new(), depth: 0 };
    invoice(&mut page, &told.invoice);
    for note in &told.notes {
        page.gap();
        page.line(note);
    }
    for item in &told.uncredited {
        page.gap();
        page.line(name_of_item(item.item.as_deref()));
        page.inside(|page| places(page, &item.places));
    }
    for program in &told.programs {
        page.gap();
        in_program(&mut page, program);
    }
    page.text
}

fn invoice(page: &mut Page, invoice: &InvoiceShown) {
    let paid = With(", paid ", invoice.paid_at.as_deref());
    page.line(format_args!("invoice {}: {} {}{paid}", invoice.id, invoice.subtotal, invoice.currency));
    let parts = [
        (Some(invoice.customer.as_str()), "customer "),
        (invoice.deal.as_deref(), "deal "),
        (invoice.partner.as_deref(), "partner "),
        (invoice.product.as_deref(), "product "),
        (invoice.payment_method.as_deref(), "paid by "),
        (invoice.processing_cost.as_deref(), "processing cost "),
        (invoice.issued_on.as_deref(), "issued on "),
        (Some(invoice.recorded_at.as_str()), "recorded "),
    ];
    let parts: Vec<String> = parts.iter().filter_map(|(value, words)| value.map(|value| format!("{words}{value}"))).collect();
    page.inside(|page| page.line(parts.join(", ")));
}

fn in_program(page: &mut Page, program: &InProgram) {
    page.line(format_args!("programme {}", program.program));
    page.inside(|page| {
        for sentence in &program.says {
            page.line(sentence);
        }
        let from = program.version.effective_from.as_deref().map_or_else(|| "from ever".to_owned(), |from| format!("from {from}"));
        page.line(format_args!(
            "paid on {}; version {} (in force {from}) rates it and rounds {}",
            program.paid_on, program.version.number, program.version.rounding
        ));
        if let (Some(period), Some(cutoff)) = (&program.period, program.cutoff) {
            page.line(format_args!("as known at the cut-off of {period} (recording {cutoff})"));
        } else {
            page.line("as known now");
        }
        if let Some((fixer, period)) = program.credits_fixed_by.as_ref().filter(|(fixer, _)| *fixer != program.program) {
            page.line(format_args!("its credits were fixed when {fixer} booked it in {period}"));
        }
        for item in &program.items {
            page.gap();
            self::item(page, item);
        }
        if !program.refunds.is_empty() {
            page.gap();
            refunds(page, &program.refunds);
        }
        if !program.differences.is_empty() {
            page.gap();
            differences(page, &program.differences);
        }
    });
}

fn name_of_item(item: Option<&str>) -> String {
    item.map_or_else(|| "the whole invoice".to_owned(), |item| format!("item {item}"))
}

fn item(page: &mut Page, item: &ItemShown) {
    page.line(format_args!("{}: {}{}", name_of_item(item.item.as_deref()), item.amount, With(", product ", item.product.as_deref())));
    page.inside(|page| {
        if let Some(deal) = &item.deal {
            let mut marks = vec![if deal.new_logo { "new logo" } else { "no new logo" }];
            if deal.registered {
                marks.push("registered");
            }
            let motion = With(", motion ", deal.motion.as_deref());
            page.line(format_args!(
                "under deal {}: {} {}, signed on {}, {}{motion}",
                deal.id,
                deal.contract_value,
                deal.currency,
                deal.signed_on,
                marks.join(", ")
            ));
        }
        places(page, &item.places);
        if item.credits.is_empty() {
            page.line("nobody has a credit of it in this programme, so it earns nothing here");
        }
        for credit in &item.credits {
            page.gap();
            self::credit(page, credit);
        }
    });
}

fn places(page: &mut Page, places: &[PlaceShown]) {
    page.line("credits were looked for, nearest first, at");
    page.inside(|page| {
        let mut won = false;
        for place in places {
            let mut found: Vec<String> = Vec::new();
            for credit in &place.credits {
                let force = credit.not_in_force.as_ref().map(|days| format!(", not in force: {days}")).unwrap_or_default();
                let (share, program) = (in_percent(&credit.share), &credit.program);
                found.push(format!("{} ({} as {}, {share}, in {program}{force})", credit.id, credit.partner, credit.role));
            }
            if let Some(partner) = &place.column {
                found.push(format!("{partner} (its plain column)"));
            }
            let found = if found.is_empty() { "nothing".to_owned() } else { found.join("; ") };
            let verdict = match (place.wins, won) {
                (true, _) => " – it wins",
                (false, true) => " – not reached",
                (false, false) => "",
            };
            won |= place.wins;
            page.line(format_args!("the {} {}: {found}{verdict}", place.place, place.id));
        }
    });
}

fn credit(page: &mut Page, credit: &CreditShown) {
    let place = With(", from the ", credit.place);
    page.line(format_args!(
        "{} as {}, {}{place}{}",
        credit.partner,
        credit.role,
        in_percent(&credit.share),
        With(", credit ", credit.credit.as_deref())
    ));
    page.inside(|page| {
        tier(page, &credit.tier);
        page.fact("status", format_args!("{}{}", credit.status, since(credit.status_since.as_deref())));
        let has = if credit.role_has.is_empty() { "none of tier_rate, referred, extras".to_owned() } else { credit.role_has.join(", ") };
        page.fact("role", has);
        page.fact("referred", &credit.referred_amount);
        if let Some(found) = &credit.base {
            base(page, found);
        }
        for rule in &credit.rules {
            self::rule(page, rule);
        }
        for rank in &credit.ranks {
            self::rank(page, rank);
        }
        page.fact("cost", &credit.processing_cost);
        page.fact("co-op", &credit.coop);
        chain(page, &credit.chain);
        lines(page, "lines", &credit.lines);
        lines(page, "reversals", &credit.reversals);
    });
}

fn tier(page: &mut Page, tier: &TierShown) {
    let Some(earned) = &tier.earned else {
        page.fact("tier", "not yet a member on that day: the credit earns nobody anything");
        return;
    };
    let origin = tier.origin.map(|origin| match origin {
        "hand" => "assigned by hand",
        "review" => "assigned by a review",
        _ => "promoted when the threshold was crossed",
    });
    page.fact("tier", format_args!("{earned}{}{}{}", since(tier.since.as_deref()), With(", ", origin), With(": ", tier.reason.as_deref())));
    page.inside(|page| {
        if let Some(review) = &tier.review {
            page.line(format_args!(
                "review of {}: held {}, T12M {} earned {}, {}",
                review.as_of, review.tier, review.t12m, review.earned, review.outcome
            ));
        }
        for wanted in &tier.certifications {
            let held = if wanted.holders.is_empty() { "nobody".to_owned() } else { wanted.holders.join(", ") };
            let lapsed = if wanted.not_valid.is_empty() { String::new() } else { format!("; not valid that day: {}", wanted.not_valid.join(", ")) };
            page.line(format_args!("asks for {} × {}, held by {held}{lapsed}", wanted.needed, wanted.certification));
        }
        if tier.effective.as_ref() != Some(earned) {
            page.line(format_args!("so {} counts, as certifications are not held", tier.effective.as_deref().unwrap_or("no tier")));
        }
    });
}

fn base(page: &mut Page, base: &BaseShown) {
    match (&base.rate, &base.error) {
        (Some(rate), _) => page.fact(
            "base",
            format_args!("{} from {}", in_percent(rate), base.source.as_deref().unwrap_or("nowhere: the role has no tier rate and no entry fits")),
        ),
        (None, error) => page.fact("base", format_args!("can't be told{}", With(": ", error.as_deref()))),
    }
    page.inside(|page| {
        for entry in &base.entries {
            let rate = in_percent(&entry.rate);
            if entry.applies {
                let condition = entry.condition.as_ref().map(|condition| format!(": {}", condition.sentence())).unwrap_or_default();
                page.line(format_args!("rates:{} {rate} fits{condition}", entry.id));
            }
            let reasons: Vec<&str> = entry.reasons.iter().map(|reason| reason.text.as_str()).collect();
            let verdict = if entry.reasons.iter().any(|reason| reason.code == "earlier_entry") { "is not looked at" } else { "does not fit" };
            if !reasons.is_empty() {
                page.line(format_args!("rates:{} {rate} {verdict}: {}", entry.id, reasons.join("; ")));
            }
        }
    });
}

fn rule(page: &mut Page, rule: &RuleShown) {
    let head = if rule.kind == "spiff" { "spiff" } else { "bonus" };
    let reward = rule.rate.as_deref().map(in_percent).or_else(|| rule.flat_amount.clone()).unwrap_or_default();
    let verdict = if rule.pays { "pays" } else { "does not pay" };
    let on = With(" on ", rule.base.as_deref().filter(|_| rule.pays));
    page.fact(head, format_args!("{} ({reward}) {verdict}{on}", rule.rule));
    page.inside(|page| {
        for reason in &rule.reasons {
            page.line(&reason.text);
        }
        if let Some(condition) = rule.condition.as_ref().filter(|_| rule.pays) {
            page.line(condition.sentence());
        }
        if let Some(told) = rule.base_from.as_ref().filter(|_| rule.pays) {
            page.line(told);
        }
    });
}

fn rank(page: &mut Page, rank: &RankShown) {
    let rate = rank.rate.as_deref().map(in_percent).unwrap_or_default();
    let won =
        || format!("pays: place {} in {} with {}", rank.place.unwrap_or_default(), rank.quarter, rank.revenue.as_deref().unwrap_or("its revenue"));
    let verdict = rank.reason.as_ref().map_or_else(won, |reason| format!("does not pay: {reason}"));
    page.fact("rank", format_args!("{} ({rate}) {verdict}", rank.ranking));
}

fn chain(page: &mut Page, chain: &ChainShown) {
    let reason = chain.reason.as_ref().map(|reason| reason.text.as_str());
    let mode = chain.mode.map_or_else(String::new, |mode| format!("{mode}, paid by {}", chain.paid_by.unwrap_or("the vendor")));
    let told: Vec<&str> = [Some(mode.as_str()).filter(|mode| !mode.is_empty()), reason].into_iter().flatten().collect();
    page.fact("chain", told.join("; "));
    page.inside(|page| {
        for layer in chain.layers.iter().filter(|_| chain.mode.is_some()) {
            self::layer(page, layer);
        }
        if let (Some(rate), Some(most)) = (&chain.max_total_rate, &chain.max_total) {
            page.line(format_args!("base, spiffs, bonuses and overrides may come to {} of the item and share: {most}", in_percent(rate)));
        }
    });
}

fn layer(page: &mut Page, layer: &LayerShown) {
    let level = layer.level.map_or_else(|| "no level".to_owned(), |level| format!("level {level}"));
    let tier = With(", ", layer.tier.as_deref());
    let own = layer.base_rate.as_deref().map(|rate| format!(", base rate {}", in_percent(rate))).unwrap_or_default();
    let link = layer.link_rate.as_deref().map(|rate| format!(", link rate {}", in_percent(rate))).unwrap_or_default();
    let got = match (&layer.amount, &layer.rate, &layer.base) {
        (Some(amount), Some(rate), Some(base)) => format!(": {} of {base} is {amount}", in_percent(rate)),
        _ => ": nothing".to_owned(),
    };
    let reason = With(", ", layer.reason.as_ref().map(|reason| reason.text.as_str()));
    page.line(format_args!("{level}: {} ({}{tier}{own}{link}){got}{reason}", layer.partner, layer.status));
}

fn lines(page: &mut Page, head: &str, lines: &[LineShown]) {
    if lines.is_empty() {
        return;
    }
    page.line(head);
    let cell = |line: &LineShown, name: &str| line.line[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<[String; 4]> = lines
        .iter()
        .map(|line| {
            let of = if head == "reversals" { format!("{} ", cell(line, "source_id")) } else { String::new() };
            let rule = cell(line, "rule");
            let component = if rule.is_empty() { cell(line, "component") } else { format!("{} {rule}", cell(line, "component")) };
            let late = line.line["late_from"].as_str().map(|period| format!(", late from {period}")).unwrap_or_default();
            let status = line.settlement.as_deref().unwrap_or("not final");
            [line.payee.clone(), format!("{of}{component}"), line.computed.clone(), format!("{} ({status}{late})", line.period)]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (payee, what, computed) = (width(0), width(1), width(2));
    page.inside(|page| {
        for row in &rows {
            page.line(format_args!("{:<payee$}  {:<what$}  {:<computed$}  in {}", row[0], row[1], row[2], row[3]));
        }
    });
}

fn refunds(page: &mut Page, refunds: &[RefundShown]) {
    page.line("refunds, in the order in which they are taken");
    page.inside(|page| {
        for refund in refunds {
            let item = With(" of item ", refund.item.as_deref());
            let of = With(", winning ", refund.of.as_deref());
            let cost = if refund.cost_returned { ", processing cost returned" } else { "" };
            let booked = refund.period.as_ref().map(|period| format!(", booked in {period}")).unwrap_or_default();
            page.line(format_args!("{}: {} of {}{item} on {}{of}{cost}{booked}", refund.refund, refund.kind, refund.amount, refund.refunded_at));
            page.inside(|page| {
                for spread in &refund.spread {
                    page.line(format_args!("takes {} of {}, {} so far", spread.taken, name_of_item(spread.item.as_deref()), spread.cumulative));
                }
                if let Some(note) = &refund.note {
                    page.line(note);
                }
            });
        }
    });
}

fn differences(page: &mut Page, differences: &[Difference]) {
    page.line("DIFFERENCES: what is posted is not what comes out again");
    page.inside(|page| {
        for difference in differences {
            page.line(&difference.what);
            page.inside(|page| {
                for (head, value) in [("posted", &difference.posted), ("recomputed", &difference.recomputed)] {
                    if let Some(value) = value {
                        page.fact(head, value);
                    }
                }
            });
        }
    });
}
