//! How the amount of a line came about, as a calculation that a reader can repeat (domain.md §2.2).

use program::component::Component;
use program::exact::{Exact, Overflow};
use program::line::Line;
use program::money::{Currency, Rate, Rounding};
use program::programme::{Reward, RuleKind};
use program::rating::ItemCase;

use super::evidence::percent;

/// A mode of rounding in words.
pub(super) fn rounding_name(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::HalfUp => "half away from zero",
        Rounding::HalfEven => "half to even",
    }
}

/// The calculation of a line that an invoice produced; `cost_minor` is its item's part of the processing cost.
pub(super) fn of_line(line: &Line, case: &ItemCase<'_>, cost_minor: i64) -> String {
    let currency = line.currency;
    let amount = currency.format_minor(line.amount_minor);
    let rounding = case.version.rounding;
    if line.component == Component::PROCESSING_COST {
        let product = product(currency, cost_minor, Rate::ONE, line.share);
        return format!("−({} × {}) = −{}", currency.format_minor(cost_minor), line.share, result(product, currency, -line.amount_minor, rounding));
    }
    let Some(rate) = line.rate else { return flat(line, case) };
    let calculation = format!("{} × {} × {}", currency.format_minor(line.base_minor), percent(rate), line.share);
    let product = product(currency, line.base_minor, rate, line.share);
    if line.component == Component::COOP_FUNDING || line.component == Component::CASCADE {
        // The equal negative of a line that was rounded, and perhaps cut, on its own.
        return format!("−({calculation}) = −{}", result(product, currency, -line.amount_minor, rounding));
    }
    match line.uncut_minor {
        Some(uncut) => format!("{calculation} = {}, cut to {amount} by max_total_rate", result(product, currency, uncut, rounding)),
        None => format!("{calculation} = {}", result(product, currency, line.amount_minor, rounding)),
    }
}

fn product(currency: Currency, base_minor: i64, rate: Rate, share: Rate) -> Result<Exact, Overflow> {
    let exact = |rate: Rate| Exact::new(i128::from(rate.micro()), 6);
    currency.major(base_minor).mul(exact(rate)?)?.mul(exact(share)?)
}

/// The exact product and what it rounds to; one figure where they are the same.
fn result(product: Result<Exact, Overflow>, currency: Currency, rounded_minor: i64, rounding: Rounding) -> String {
    let rounded = currency.format_minor(rounded_minor);
    match product {
        Ok(product) if product != currency.major(rounded_minor) => format!("{product} → {rounded} ({})", rounding_name(rounding)),
        _ => rounded,
    }
}

/// A flat spiff: an amount of the programme's currency, converted at the paid date, times the share.
fn flat(line: &Line, case: &ItemCase<'_>) -> String {
    let amount = line.currency.format_minor(line.amount_minor);
    let rule = case.version.rules.iter().find(|rule| Some(rule.id.as_str()) == line.rule.as_deref());
    let Some(RuleKind::Spiff { reward: Reward::Amount(minor), .. }) = rule.map(|rule| &rule.kind) else { return amount };
    let own = case.version.currency;
    let calculation = format!("{} {own} × {}", own.format_minor(*minor), line.share);
    if own == line.currency {
        let product = product(own, *minor, line.share, Rate::ONE);
        return format!("{calculation} = {}", result(product, own, line.amount_minor, case.version.rounding));
    }
    match case.fx.rate(line.currency, case.day()) {
        Ok(rate) => {
            format!("{calculation} ÷ {rate} {own} for a {} → {amount} {} ({})", line.currency, line.currency, rounding_name(case.version.rounding))
        }
        Err(error) => format!("{calculation}, converted: {error}"),
    }
}

/// One step of the reversals of a line: what refunds so far come to, less what was reversed before (domain.md §4.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct ReversalStep {
    /// What refunds have taken from the item so far, minor units.
    pub(super) cumulative_minor: i64,
    /// The item's amount, minor units.
    pub(super) item_minor: i64,
    /// What was reversed before, minor units.
    pub(super) before_minor: i64,
}

/// The calculation of a reversal.
pub(super) fn of_reversal(original: &Line, reversal: &Line, step: ReversalStep) -> String {
    let text = |minor| original.currency.format_minor(minor);
    format!(
        "−(round({} × {} / {}) − {}) = {}",
        text(original.amount_minor),
        text(step.cumulative_minor.min(step.item_minor)),
        text(step.item_minor),
        text(step.before_minor),
        text(reversal.amount_minor)
    )
}
