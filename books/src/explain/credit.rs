//! What one credit of an item earned and why, computed again from what was known.

use program::commission::{self, Earning, referred_minor};
use program::credit::Credit;
use program::exact::Overflow;
use program::explain::{self, chain, rate_entries};
use program::line::Line;
use program::money::Rate;
use program::programme::{FundedBy, Role};
use program::rating::{CreditFacts, ItemCase, base_rate};

use super::evidence::percent;
use super::known::ItemGrants;
use super::model::{BaseShown, CreditShown, RankShown, TierShown};

/// What is known about a credit beside the item.
pub(super) struct Beside<'a> {
    pub(super) grants: &'a ItemGrants,
    pub(super) first: Option<&'a program::spiff::FirstInvoice>,
    pub(super) ranks: &'a [(program::line::Text, Rate)],
    /// The item's part of the processing cost, minor units.
    pub(super) cost_minor: i64,
    /// The invoice's processing cost, minor units.
    pub(super) invoice_cost_minor: i64,
    /// Where the credit comes from.
    pub(super) place: Option<&'static str>,
}

/// A credit as it is shown, without lines, and the lines that come out.
pub(super) fn rate(
    case: &ItemCase<'_>,
    credit: &Credit,
    beside: &Beside<'_>,
    tier: TierShown,
    ranks: Vec<RankShown>,
) -> (CreditShown, Result<Vec<Line>, String>) {
    let partner = case.directory.partner(credit.partner);
    let rank = partner.effective_tier(case.day(), case.version);
    let role = case.version.role(&credit.role).unwrap_or_default();
    let facts = CreditFacts { case, partner: credit.partner, tier: rank, role: &credit.role };
    let earning = Earning { credit, grants: &beside.grants.grants, ranks: beside.ranks, cost_minor: beside.cost_minor };
    let lines = commission::lines(case, &earning).map_err(|error| error.to_string());
    let base = rank.map(|_| base_rate(&facts));
    let base_of_chain = base.as_ref().and_then(|base| base.as_ref().ok()).map_or(Rate::ZERO, |(rate, _)| *rate);
    let base = base.map(|found| {
        let entries = rate_entries(&facts);
        match found {
            Ok((rate, source)) => BaseShown { rate: Some(rate.to_string()), error: None, source: source.label(case.version), entries },
            Err(error) => BaseShown { rate: None, error: Some(error.to_string()), source: None, entries },
        }
    });
    let rules = case.version.rules.iter().map(|rule| explain::rule(rule, &facts, credit.share, beside.first, &beside.grants.uses_before)).collect();
    let referred = referred_minor(case.item.amount_minor, credit.share, role, case.version.rounding);
    let known = partner.statuses.partition_point(|(from, _)| *from <= case.day());
    let shown = CreditShown {
        credit: credit.id.as_ref().map(ToString::to_string),
        place: beside.place,
        partner: partner.id.0.to_string(),
        role: credit.role.to_string(),
        role_has: role_has(role),
        share: credit.share.to_string(),
        referred_amount: referred.map_or_else(|Overflow| "too large".into(), |minor| case.invoice.currency.format_minor(minor)),
        tier,
        status: partner.status(case.day()).name().to_owned(),
        status_since: known.checked_sub(1).map(|last| partner.statuses[last].0.to_string()),
        base,
        rules,
        ranks: without_pay(ranks, role, partner.active(case.day())),
        processing_cost: processing_cost(case, credit, beside, role),
        coop: coop(case, rank, role),
        chain: chain(case, credit, base_of_chain, lines.as_deref().unwrap_or_default()),
        lines: Vec::new(),
        reversals: Vec::new(),
    };
    (shown, lines)
}

fn role_has(role: Role) -> Vec<&'static str> {
    let all = [(role.tier_rate, "tier_rate"), (role.referred, "referred"), (role.extras, "extras")];
    all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
}

/// A rank pays only where the role carries extras and the member is active.
fn without_pay(mut ranks: Vec<RankShown>, role: Role, active: bool) -> Vec<RankShown> {
    for rank in ranks.iter_mut().filter(|rank| rank.pays && !(role.extras && active)) {
        rank.pays = false;
        rank.reason = Some(if role.extras { "the member was not active on the paid date" } else { "the role carries no extras" }.into());
    }
    ranks
}

fn processing_cost(case: &ItemCase<'_>, credit: &Credit, beside: &Beside<'_>, role: Role) -> String {
    let text = |minor| case.invoice.currency.format_minor(minor);
    if !case.version.settlement.net_processing_cost {
        return "not netted: the programme does not ask for it".into();
    }
    if !role.extras {
        return "not netted: the role carries no extras".into();
    }
    if beside.invoice_cost_minor == 0 {
        return "the invoice has none".into();
    }
    format!(
        "{} of the invoice's {} falls to this item, of which this credit bears {}",
        text(beside.cost_minor),
        text(beside.invoice_cost_minor),
        percent(credit.share)
    )
}

fn coop(case: &ItemCase<'_>, rank: Option<usize>, role: Role) -> String {
    let Some(tier) = rank.map(|rank| &case.version.tiers[rank]) else { return "none: not a member".into() };
    if !role.extras {
        return "none: the role carries no extras".into();
    }
    if tier.coop_rate == Rate::ZERO {
        return format!("none: tier {} has no co-op rate", tier.id);
    }
    let funded = match case.version.coop.funded_by {
        FundedBy::Vendor => "on top of cash",
        FundedBy::Commission => "taken from the commission",
    };
    format!("{} at tier {}, {funded}", percent(tier.coop_rate), tier.id)
}
