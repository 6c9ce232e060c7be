//! What one credit of one item earns, for every payee: the worked examples of domain.md §8 and properties of chains.

#![allow(clippy::unwrap_used, reason = "a test's own helpers may fail loudly")]

use program::calendar::{Date, EVER, parse_date};
use program::commission::{Earning, lines};
use program::component::Component;
use program::condition::FactError;
use program::credit::Credit;
use program::exact::Exact;
use program::fx::Fx;
use program::invoice::{Deal, Item, PaidInvoice};
use program::line::Line;
use program::member::{Assignment, Directory, Origin, ParentLink, Partner, PartnerId, PartnerNo, Status};
use program::money::Rate;
use program::programme::Programme;
use program::rating::{ItemCase, ReferredRevenue};
use program::spiff::Grant;
use proptest::prelude::*;

struct NoRevenue;

impl ReferredRevenue for NoRevenue {
    fn between(&self, _: PartnerNo, _: Date, _: Date) -> Result<Exact, FactError> {
        Ok(Exact::ZERO)
    }
}

/// The programme of domain.md §8, with a hierarchy and more.
fn programme(more: &str) -> Programme {
    let text = format!(
        r#"[program]
id = "p"
name = "P"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "bronze"
name = "Bronze"
threshold = "0"
rate = "5%"
[[tiers]]
id = "silver"
name = "Silver"
threshold = "100k"
rate = "8%"
[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"
[[tiers]]
id = "platinum"
name = "Platinum"
threshold = "2M"
rate = "15%"
[[rules]]
id = "new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 100k"
from = 2026-04-01
through = 2026-06-30
[settlement]
first_period = "2026-01"
{more}"#
    );
    program::file::load("p.toml", &text).unwrap()
}

fn day(text: &str) -> Date {
    parse_date(text).unwrap()
}

/// A chain of members, the credited one first: tier, whether active, link rate to the parent.
fn chain(members: &[(&str, bool, Option<&str>)]) -> Directory {
    let mut directory = Directory::default();
    for (place, (tier, active, link)) in members.iter().enumerate() {
        let has_parent = place + 1 < members.len();
        directory.add(Partner {
            id: PartnerId(format!("m{place}").into()),
            tiers: vec![Assignment { effective_from: EVER, tier: (*tier).into(), origin: Origin::Hand }],
            parents: vec![ParentLink {
                effective_from: EVER,
                parent: has_parent.then_some(place + 1),
                override_rate: link.map(|rate| rate.parse().unwrap()),
            }],
            statuses: vec![(EVER, if *active { Status::Active } else { Status::Suspended })],
            ..Partner::default()
        });
    }
    directory
}

fn invoice(amount_minor: i64) -> PaidInvoice {
    PaidInvoice {
        id: "INV-1".into(),
        customer: "c".into(),
        currency: "USD".parse().unwrap(),
        subtotal_minor: amount_minor,
        paid_at: "2026-04-20T12:00:00Z".parse().unwrap(),
        paid_on: day("2026-04-20"),
        payment_method: "".into(),
        processing_cost_minor: 0,
        items: vec![Item { id: None, amount_minor, product: "".into(), deal: None }],
    }
}

fn credit(share: &str) -> Credit {
    Credit { id: None, program: "p".into(), partner: 0, role: "sourced".into(), share: share.parse().unwrap() }
}

fn rate_it(programme: &Programme, directory: &Directory, amount_minor: i64, share: &str, deal: Option<&Deal>, grants: &[Grant]) -> Vec<Line> {
    let fx = Fx::new(programme.currency);
    let invoice = invoice(amount_minor);
    let case =
        ItemCase { version: programme, version_number: 1, fx: &fx, directory, revenue: &NoRevenue, invoice: &invoice, item: &invoice.items[0], deal };
    let credit = credit(share);
    lines(&case, &Earning { credit: &credit, grants, ranks: &[], cost_minor: 0 }).unwrap()
}

fn amounts(lines: &[Line], component: Component) -> Vec<(String, i64)> {
    lines.iter().filter(|line| line.component == component).map(|line| (line.payee.to_string(), line.amount_minor)).collect()
}

#[test]
fn gold_with_a_new_logo_spiff_and_coop() {
    // domain.md §8.1.
    let deal = Deal {
        id: "D".into(),
        contract_value_minor: 15_000_000,
        currency: "USD".parse().unwrap(),
        signed_on: day("2026-04-10"),
        new_logo: true,
        registered: false,
        motion: "".into(),
        customer: "c".into(),
    };
    let lines = rate_it(&programme(""), &chain(&[("gold", true, None)]), 10_000_000, "1", Some(&deal), &[Grant { rule: 0, base_minor: 10_000_000 }]);
    assert_eq!(amounts(&lines, Component::BASE), [("m0".into(), 1_200_000)]);
    assert_eq!(amounts(&lines, Component::SPIFF), [("m0".into(), 300_000)]);
    assert_eq!(amounts(&lines, Component::COOP), [("m0".into(), 200_000)]);
}

#[test]
fn a_share_of_the_child() {
    // domain.md §8.5.
    let programme = programme("[hierarchy]\nmode = \"share\"\nlevels = [\"10%\", \"5%\"]");
    let lines = rate_it(&programme, &chain(&[("gold", true, None), ("gold", true, None), ("gold", true, None)]), 100_000, "1", None, &[]);
    assert_eq!(amounts(&lines, Component::OVERRIDE), [("m1".into(), 1_200), ("m2".into(), 60)]);
}

#[test]
fn a_differential() {
    // domain.md §8.6.
    let programme = programme("[hierarchy]\nmode = \"differential\"");
    let lines = rate_it(&programme, &chain(&[("silver", true, None), ("gold", true, None), ("gold", true, None)]), 100_000, "1", None, &[]);
    assert_eq!(amounts(&lines, Component::OVERRIDE), [("m1".into(), 4_000)]);
}

#[test]
fn shares_of_a_credit() {
    // domain.md §8.10.
    let lines = rate_it(&programme(""), &chain(&[("gold", true, None)]), 5_000_000, "70%", None, &[]);
    assert_eq!(amounts(&lines, Component::BASE), [("m0".into(), 420_000)]);
    assert_eq!(amounts(&lines, Component::COOP), [("m0".into(), 70_000)]);
    assert_eq!(lines[0].referred_minor, 3_500_000);
}

#[test]
fn breakage_leaves_a_level_unpaid_and_compress_moves_the_rest_down() {
    let members = [("gold", true, None), ("gold", false, Some("2%")), ("gold", true, Some("7%")), ("gold", true, None)];
    let levels = "levels = [\"3%\", \"1%\", \"0.5%\"]";
    let breakage = rate_it(&programme(&format!("[hierarchy]\n{levels}")), &chain(&members), 100_000, "1", None, &[]);
    // The link from m1 to m2 has 2 %, that from m2 to m3 has 7 %: a link keeps its rate whichever level it comes to.
    assert_eq!(amounts(&breakage, Component::OVERRIDE), [("m2".into(), 2_000), ("m3".into(), 7_000)]);
    let compress = rate_it(&programme(&format!("[hierarchy]\n{levels}\ninactive = \"compress\"")), &chain(&members), 100_000, "1", None, &[]);
    assert_eq!(amounts(&compress, Component::OVERRIDE), [("m2".into(), 2_000), ("m3".into(), 7_000)]);
    assert_eq!(compress.iter().filter(|line| line.component == Component::OVERRIDE).map(|line| line.level).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_inactive_partner_earns_nothing_and_its_ancestors_do() {
    let members = [("gold", false, None), ("gold", true, None)];
    let of =
        |mode: &str| rate_it(&programme(&format!("[hierarchy]\nmode = \"{mode}\"\nlevels = [\"3%\"]")), &chain(&members), 100_000, "1", None, &[]);
    assert_eq!(of("override").iter().map(|line| (&*line.payee, line.amount_minor)).collect::<Vec<_>>(), [("m1", 3_000)]);
    assert!(of("share").is_empty());
}

fn tier(number: usize) -> &'static str {
    ["bronze", "silver", "gold", "platinum"][number % 4]
}

proptest! {
    #[test]
    fn a_differential_chain_costs_its_highest_rate(tiers in prop::collection::vec(0_usize..4, 1..7), cents in 1_i64..1_000) {
        let members: Vec<(&str, bool, Option<&str>)> = tiers.iter().map(|number| (tier(*number), true, None)).collect();
        let amount = cents * 10_000;
        let lines = rate_it(&programme("[hierarchy]\nmode = \"differential\""), &chain(&members), amount, "1", None, &[]);
        let highest = tiers.iter().map(|number| [5, 8, 12, 15][*number]).max().unwrap();
        let paid: i64 = lines.iter().filter(|line| line.fund().is_none()).map(|line| line.amount_minor).sum();
        prop_assert_eq!(paid, amount * highest / 100);
    }

    #[test]
    fn overrides_that_children_pay_cost_the_vendor_nothing(actives in prop::collection::vec(any::<bool>(), 1..6), amount in 1_i64..10_000_000, compress in any::<bool>()) {
        let mut members: Vec<(&str, bool, Option<&str>)> = vec![("silver", true, None)];
        members.extend(actives.iter().map(|active| ("gold", *active, None)));
        let inactive = if compress { "compress" } else { "breakage" };
        let with = format!("[hierarchy]\nlevels = [\"3%\", \"1%\", \"0.5%\"]\npaid_by = \"child\"\ninactive = \"{inactive}\"");
        let lines = rate_it(&programme(&with), &chain(&members), amount, "1", None, &[]);
        let sum = |component| amounts(&lines, component).iter().map(|(_, amount)| amount).sum::<i64>();
        prop_assert_eq!(sum(Component::OVERRIDE) + sum(Component::CASCADE), 0);
    }

    #[test]
    fn the_total_keeps_within_its_cap_and_only_overrides_are_cut(amount in 1_i64..10_000_000, cap in 1_i64..30, share in 1_i64..=100) {
        let share = format!("{share}%");
        let members = [("gold", true, None), ("gold", true, None), ("gold", true, None), ("gold", true, None)];
        let levels = "[hierarchy]\nlevels = [\"3%\", \"1%\", \"0.5%\"]";
        let free = rate_it(&programme(levels), &chain(&members), amount, &share, None, &[]);
        let cut = rate_it(&programme(&format!("{levels}\nmax_total_rate = \"{cap}%\"")), &chain(&members), amount, &share, None, &[]);
        let counted = |lines: &[Line]| lines.iter().filter(|line| line.component.spec().counted).map(|line| line.amount_minor).sum::<i64>();
        let most = format!("{cap}%").parse::<Rate>().unwrap().floor_of(amount, share.parse().unwrap()).unwrap();
        let base: i64 = amounts(&cut, Component::BASE).iter().map(|(_, amount)| amount).sum();
        prop_assert!(counted(&cut) <= most.max(base));
        prop_assert_eq!(counted(&cut), counted(&free).min(most.max(base)));
        prop_assert_eq!(amounts(&cut, Component::BASE), amounts(&free, Component::BASE));
    }
}
