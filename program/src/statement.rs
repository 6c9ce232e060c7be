//! What a statement shows a partner: names, exact decimal texts and marks, ready for a template (interface.md §3, domain.md §4.6).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::exact::{Exact, Overflow};
use crate::line::{Line, Source};
use crate::money::{Currency, Rate};
use crate::settlement::Settlement;

/// The number of the model's form, for templates that users keep: it rises when a field goes or changes its meaning.
pub const STATEMENT_FORMAT: u32 = 1;

/// Everything that a statement shows. Its JSON is what a template reads.
///
/// # Units
/// Amounts are decimal texts with the currency's decimals, not grouped: `-1234.50`. Rates and shares are percentages: `10.75`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// [`STATEMENT_FORMAT`].
    pub format: u32,
    /// The programme.
    pub program: Named,
    /// The member.
    pub partner: Named,
    /// The period, `YYYY-MM`.
    pub period: String,
    /// Its first day.
    pub period_from: String,
    /// Its last day.
    pub period_through: String,
    /// The ISO 4217 code of every amount.
    pub currency: String,
    /// `draft`, `final`, `paying`, `paid` or `failed`.
    pub status: String,
    /// The settlement's digest; `None` for a draft.
    pub digest: Option<String>,
    /// The settlement's totals.
    pub totals: StatementTotals,
    /// What each component adds up to, in the order in which they first appear.
    pub components: Vec<ComponentTotal>,
    /// How the co-op wallet moved; `None` when the partner has none.
    pub coop: Option<CoopMovement>,
    /// Every line, in the settlement's order.
    pub lines: Vec<StatementLine>,
    /// How many lines a summary leaves out; 0 in a full statement.
    pub lines_left_out: usize,
}

/// An id and the name that readers know it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name; the id where none is known.
    pub name: String,
}

/// The totals of a settlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementTotals {
    /// What paid items count for the member, less refunds.
    pub referred_revenue: String,
    /// What was carried into the period.
    pub opening_balance: String,
    /// The sum of cash lines.
    pub cash_lines: String,
    /// Opening balance and cash lines.
    pub net: String,
    /// What is paid out.
    pub cash_payout: String,
    /// What is carried on.
    pub carried_forward: String,
    /// The sum of co-op lines.
    pub coop_credit: String,
}

/// What one component adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentTotal {
    /// The component.
    pub component: String,
    /// The fund that it goes to; `None`: cash.
    pub fund: Option<String>,
    /// How many lines it has.
    pub lines: usize,
    /// Their sum.
    pub amount: String,
}

/// How the co-op wallet moved (domain.md §6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoopMovement {
    /// The balance before the period.
    pub balance_before: String,
    /// What this statement's lines add.
    pub accruals: String,
    /// What this statement's refunds take back (negative).
    pub reversals: String,
    /// Claims, expiries and all else that moved it.
    pub other: String,
    /// The balance after the period.
    pub balance_after: String,
}

/// One line (interface.md §3), with its marks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementLine {
    /// The day that decided tier, status and versions.
    pub earned_on: String,
    /// `invoice`, `refund`, `ranking` or `adjustment`.
    pub source: String,
    /// The id of what it comes from.
    pub source_id: String,
    /// The invoice that it comes from.
    pub invoice: Option<String>,
    /// The item of the invoice.
    pub item: Option<String>,
    /// The credit's role.
    pub role: Option<String>,
    /// By what it is earned.
    pub component: String,
    /// The id of the spiff, bonus or ranking.
    pub rule: Option<String>,
    /// Where a base rate comes from.
    pub rate_source: Option<String>,
    /// The band of a marginal rate.
    pub part: u32,
    /// 0 for the credited partner, n for its n-th ancestor.
    pub level: u32,
    /// The credited partner.
    pub from_partner: Named,
    /// The payee's tier on that day.
    pub tier: Option<Named>,
    /// What the rate is applied to.
    pub base: String,
    /// The rate in percent; `None` where an amount is fixed.
    pub rate_percent: Option<String>,
    /// The share in percent.
    pub share_percent: String,
    /// The amount.
    pub amount: String,
    /// The fund that it goes to; `None`: cash.
    pub fund: Option<String>,
    /// The origin period of a late line.
    pub late_from: Option<String>,
    /// What an adjustment corrects.
    pub corrects: Option<String>,
    /// Whether it comes from a refund, credit note or chargeback.
    pub is_refund: bool,
    /// Whether it gives back what a chargeback took: its base is positive.
    pub is_dispute_won: bool,
    /// Whether `max_total_rate` cut it, so that base × rate is more than the amount.
    pub is_capped: bool,
}

/// What a statement shows beside its settlement.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The programme's name.
    pub program: &'a str,
    /// The partner's name.
    pub partner: &'a str,
    /// Names of the partners that lines come from, by id; the id stands for one that is not here.
    pub partners: &'a BTreeMap<String, String>,
    /// Names of the tiers, by id.
    pub tiers: &'a BTreeMap<String, String>,
    /// The settlement's status.
    pub status: &'a str,
    /// The settlement's digest.
    pub digest: Option<&'a str>,
    /// The co-op wallet, if the partner has one.
    pub wallet: Option<WalletBalances>,
}

/// The co-op wallet of (program, partner, currency) around a settlement.
///
/// # Units
/// Minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletBalances {
    /// Before the period.
    pub before_minor: i64,
    /// After it, this settlement's lines included.
    pub after_minor: i64,
}

impl Statement {
    /// What the statement of a settlement shows.
    ///
    /// # Errors
    /// [`Overflow`] when a sum is no amount.
    pub fn of(settlement: &Settlement, setting: &Setting<'_>) -> Result<Self, Overflow> {
        let currency = settlement.currency;
        Ok(Self {
            format: STATEMENT_FORMAT,
            program: Named { id: plain(&settlement.program), name: plain(setting.program) },
            partner: Named { id: plain(&settlement.partner), name: plain(setting.partner) },
            period: settlement.period.to_string(),
            period_from: settlement.period.first_day().to_string(),
            period_through: settlement.period.last_day().to_string(),
            currency: currency.code().to_owned(),
            status: plain(setting.status),
            digest: setting.digest.map(plain),
            totals: totals(settlement),
            components: component_totals(&settlement.lines, currency)?,
            coop: setting.wallet.map(|wallet| coop_movement(&settlement.lines, wallet, currency)).transpose()?,
            lines: settlement.lines.iter().map(|line| statement_line(line, setting)).collect::<Result<_, _>>()?,
            lines_left_out: 0,
        })
    }

    /// The statement with its totals and without its lines, for one with more lines than a document can take.
    #[must_use]
    pub fn summary(mut self) -> Self {
        self.lines_left_out += self.lines.len();
        self.lines = Vec::new();
        self
    }
}

fn totals(settlement: &Settlement) -> StatementTotals {
    let text = |minor| settlement.currency.format_minor(minor);
    let totals = &settlement.totals;
    StatementTotals {
        referred_revenue: text(totals.referred_revenue_minor),
        opening_balance: text(totals.opening_balance_minor),
        cash_lines: text(totals.cash_lines_minor),
        net: text(totals.net_minor),
        cash_payout: text(totals.cash_payout_minor),
        carried_forward: text(totals.carried_forward_minor),
        coop_credit: text(totals.coop_credit_minor),
    }
}

fn component_totals(lines: &[Line], currency: Currency) -> Result<Vec<ComponentTotal>, Overflow> {
    let mut sums: Vec<(&Line, usize, i64)> = Vec::new();
    for line in lines {
        // A handful of components: a scan keeps their order of appearance.
        if let Some((_, count, sum)) = sums.iter_mut().find(|(first, _, _)| first.component == line.component) {
            *count += 1;
            *sum = sum.checked_add(line.amount_minor).ok_or(Overflow)?;
        } else {
            sums.push((line, 1, line.amount_minor));
        }
    }
    let total = |(first, lines, sum): (&Line, usize, i64)| ComponentTotal {
        component: first.component.name().to_owned(),
        fund: first.fund().map(str::to_owned),
        lines,
        amount: currency.format_minor(sum),
    };
    Ok(sums.into_iter().map(total).collect())
}

fn coop_movement(lines: &[Line], wallet: WalletBalances, currency: Currency) -> Result<CoopMovement, Overflow> {
    let sum = |refunds: bool| {
        let coop = lines.iter().filter(|line| line.fund() == Some("coop") && (line.source == Source::Refund) == refunds);
        coop.map(|line| line.amount_minor).try_fold(0_i64, i64::checked_add).ok_or(Overflow)
    };
    let (accruals, reversals) = (sum(false)?, sum(true)?);
    let moved = wallet.after_minor.checked_sub(wallet.before_minor).ok_or(Overflow)?;
    let other = moved.checked_sub(accruals).and_then(|rest| rest.checked_sub(reversals)).ok_or(Overflow)?;
    Ok(CoopMovement {
        balance_before: currency.format_minor(wallet.before_minor),
        accruals: currency.format_minor(accruals),
        reversals: currency.format_minor(reversals),
        other: currency.format_minor(other),
        balance_after: currency.format_minor(wallet.after_minor),
    })
}

fn statement_line(line: &Line, setting: &Setting<'_>) -> Result<StatementLine, Overflow> {
    let optional = |text: &Option<crate::line::Text>| text.as_deref().map(plain);
    Ok(StatementLine {
        earned_on: line.earned_on.to_string(),
        source: line.source.name().to_owned(),
        source_id: plain(&line.source_id),
        invoice: optional(&line.invoice),
        item: optional(&line.item),
        role: optional(&line.role),
        component: line.component.name().to_owned(),
        rule: optional(&line.rule),
        rate_source: optional(&line.rate_source),
        part: line.part,
        level: line.level,
        from_partner: named(&line.from_partner, setting.partners),
        tier: line.tier.as_deref().map(|tier| named(tier, setting.tiers)),
        base: line.currency.format_minor(line.base_minor),
        rate_percent: line.rate.map(percent).transpose()?,
        share_percent: percent(line.share)?,
        amount: line.currency.format_minor(line.amount_minor),
        fund: line.fund().map(str::to_owned),
        late_from: line.late_from.map(|period| period.to_string()),
        corrects: optional(&line.corrects),
        is_refund: line.source == Source::Refund,
        is_dispute_won: line.source == Source::Refund && line.base_minor > 0,
        is_capped: line.uncut_minor.is_some_and(|uncut| uncut != line.amount_minor),
    })
}

fn named(id: &str, names: &BTreeMap<String, String>) -> Named {
    Named { id: plain(id), name: plain(names.get(id).map_or(id, String::as_str)) }
}

/// A rate as an exact percentage: millionths are percent with four decimals.
fn percent(rate: Rate) -> Result<String, Overflow> {
    Ok(Exact::new(i128::from(rate.micro()), 4)?.to_string())
}

/// Text without what a page can't show: control characters become spaces, and marks that turn the reading direction go, so that no name turns the
/// figures beside it.
pub(crate) fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| !turns(c)).map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;
    use crate::component::Component;
    use crate::settlement::Totals;

    const GOLDEN: &str = include_str!("../golden/statement.json");

    fn line(source: Source, source_id: &str, component: Component, base_minor: i64, amount_minor: i64) -> Line {
        Line {
            payee: "acme".into(),
            currency: "USD".parse().unwrap(),
            source,
            source_id: source_id.into(),
            invoice: Some("INV-1".into()),
            item: Some("1".into()),
            role: Some("sourced".into()),
            component,
            rule: None,
            rate_source: Some("tier:gold".into()),
            part: 0,
            level: 0,
            from_partner: "acme".into(),
            earned_on: parse_date("2026-04-20").unwrap(),
            tier: Some("gold".into()),
            base_minor,
            rate: Some("12%".parse().unwrap()),
            share: "70%".parse().unwrap(),
            amount_minor,
            uncut_minor: None,
            referred_minor: 0,
            late_from: None,
            corrects: None,
            version: 1,
        }
    }

    fn settlement() -> Settlement {
        let mut lines = vec![
            line(Source::Invoice, "INV-1", Component::BASE, 10_000_000, 840_000),
            line(Source::Invoice, "INV-1", Component::COOP, 10_000_000, 140_000),
            line(Source::Refund, "RF-1", Component::BASE, -1_000_000, -84_000),
            line(Source::Refund, "RF-1", Component::COOP, -1_000_000, -14_000),
            line(Source::Refund, "CBW-1", Component::BASE, 500_000, 42_000),
            line(Source::Invoice, "INV-0", Component::OVERRIDE, 20_000, 1_500),
            line(Source::Adjustment, "ADJ-7", Component::ADJUSTMENT, 4_000, 4_000),
        ];
        lines[5].uncut_minor = Some(2_000);
        lines[5].level = 1;
        lines[5].from_partner = "beta".into();
        lines[5].late_from = Some("2026-03".parse().unwrap());
        lines[6].invoice = None;
        lines[6].item = None;
        lines[6].role = None;
        lines[6].rate = None;
        lines[6].rate_source = None;
        lines[6].share = Rate::ONE;
        lines[6].corrects = Some("INV-0".into());
        let mut totals = Totals { referred_revenue_minor: 6_300_000, ..Totals::default() };
        for line in &lines {
            totals.count(line).unwrap();
        }
        totals.close(-5_000, 0, false).unwrap();
        Settlement {
            program: "reseller".into(),
            partner: "acme".into(),
            period: "2026-04".parse().unwrap(),
            currency: "USD".parse().unwrap(),
            lines,
            totals,
        }
    }

    fn statement_with_names(partner: &str, wallet: Option<WalletBalances>) -> Statement {
        let partners = BTreeMap::from([("acme".to_owned(), partner.to_owned())]);
        let tiers = BTreeMap::from([("gold".to_owned(), "Gold".to_owned())]);
        let setting = Setting {
            program: "Reseller programme",
            partner,
            partners: &partners,
            tiers: &tiers,
            status: "final",
            digest: Some("sha256:00"),
            wallet,
        };
        Statement::of(&settlement(), &setting).unwrap()
    }

    #[test]
    fn json_is_as_released() {
        let wallet = WalletBalances { before_minor: 100_000, after_minor: 206_000 };
        let json = serde_json::to_string_pretty(&statement_with_names("Acme & Co", Some(wallet))).unwrap();
        assert_eq!(json.trim(), GOLDEN.trim(), "the model changed; templates that users keep read it:\n{json}");
    }

    #[test]
    fn components_add_up_to_the_totals() {
        let statement = statement_with_names("Acme", None);
        let usd: Currency = "USD".parse().unwrap();
        let sum = |fund: Option<&str>| {
            let of_fund = statement.components.iter().filter(|total| total.fund.as_deref() == fund);
            of_fund.map(|total| usd.parse_minor(&total.amount).unwrap()).sum::<i64>()
        };
        assert_eq!(usd.format_minor(sum(None)), statement.totals.cash_lines);
        assert_eq!(usd.format_minor(sum(Some("coop"))), statement.totals.coop_credit);
        assert_eq!(statement.components.iter().map(|total| total.lines).sum::<usize>(), statement.lines.len());
    }

    #[test]
    fn a_wallet_that_moved_otherwise_says_by_how_much() {
        let coop = statement_with_names("Acme", Some(WalletBalances { before_minor: 100_000, after_minor: 206_000 })).coop.unwrap();
        assert_eq!((coop.accruals.as_str(), coop.reversals.as_str(), coop.other.as_str()), ("1400.00", "-140.00", "-200.00"));
    }

    #[test]
    fn names_keep_their_letters_but_nothing_that_turns_or_breaks_the_page() {
        let name = statement_with_names("Α\u{202E}к\nm\te \u{2067}*x* #panic()", None).partner.name;
        assert_eq!(name, "Αк m e *x* #panic()");
    }

    #[test]
    fn a_summary_says_how_many_lines_it_leaves_out() {
        let full = statement_with_names("Acme", None);
        let (lines, components) = (full.lines.len(), full.components.clone());
        let summary = full.summary().summary();
        assert_eq!((summary.lines.len(), summary.lines_left_out, summary.components), (0, lines, components));
    }

    #[test]
    fn rates_become_exact_percentages() {
        let shown = |text: &str| percent(text.parse().unwrap()).unwrap();
        assert_eq!(["0.1075", "1", "0.333333", "0", "0.00001"].map(shown), ["10.75", "100", "33.3333", "0", "0.001"]);
    }
}
