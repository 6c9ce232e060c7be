//! Every reason for which a rate entry, a rule or an ancestor gets nothing, by its code and a telling part of its text.

use super::*;
use crate::calendar::{Date, Instant, parse_date};
use crate::commission::{self, Earning};
use crate::condition::FactError;
use crate::credit::Credit;
use crate::exact::Exact;
use crate::fx::Fx;
use crate::invoice::{Deal, Item, PaidInvoice};
use crate::line::Text;
use crate::member::{Assignment, Directory, Origin, ParentLink, Partner, PartnerId, PartnerNo, Status};
use crate::money::Rate;
use crate::programme::{Programme, SOURCED};
use crate::rating::{ItemCase, ReferredRevenue, base_rate};
use crate::spiff::{DealUses, FirstInvoice, Grant};

struct Revenue(i64);

impl ReferredRevenue for Revenue {
    fn between(&self, _: PartnerNo, _: Date, _: Date) -> Result<Exact, FactError> {
        Ok(Exact::integer(self.0))
    }
}

const HEAD: &str = r#"
[program]
id = "p"
name = "P"
currency = "USD"
timezone = "UTC"
[[tiers]]
id = "base"
name = "Base"
threshold = "0"
rate = "5%"
[[tiers]]
id = "gold"
name = "Gold"
threshold = "100k"
rate = "12%"
[metrics]
csat = "number"
[roles.helper]
tier_rate = false
[settlement]
first_period = "2026-01"
"#;

/// acme (gold, below mid, below top) has an invoice of 1000.00 under deal D of 5000.00.
struct World {
    version: Programme,
    directory: Directory,
    fx: Fx,
    invoice: PaidInvoice,
    deal: Option<Deal>,
}

fn day(text: &str) -> Date {
    parse_date(text).unwrap()
}

fn world(rules: &str) -> World {
    let version = crate::file::load("p", &format!("{HEAD}{rules}")).unwrap();
    let mut directory = Directory::default();
    for (place, (id, tier)) in [("acme", "gold"), ("mid", "gold"), ("top", "base")].into_iter().enumerate() {
        let parents = (place < 2).then_some(ParentLink { effective_from: day("2025-01-01"), parent: Some(place + 1), override_rate: None });
        directory.add(Partner {
            id: PartnerId(id.into()),
            tiers: vec![Assignment { effective_from: day("2025-01-01"), tier: tier.into(), origin: Origin::Hand }],
            parents: parents.into_iter().collect(),
            ..Partner::default()
        });
    }
    let paid_at: Instant = "2026-04-20T10:00:00Z".parse().unwrap();
    let usd = "USD".parse().unwrap();
    let item = Item { id: None, amount_minor: 100_000, product: "E5".into(), deal: Some(0) };
    let invoice = PaidInvoice {
        id: "INV".into(),
        customer: "c".into(),
        currency: usd,
        subtotal_minor: 100_000,
        paid_at,
        paid_on: day("2026-04-20"),
        payment_method: "card".into(),
        processing_cost_minor: 0,
        items: vec![item],
    };
    let deal = Deal {
        id: "D".into(),
        contract_value_minor: 500_000,
        currency: usd,
        signed_on: day("2026-04-10"),
        new_logo: true,
        registered: false,
        motion: "".into(),
        customer: "c".into(),
    };
    World { version, directory, fx: Fx::new(usd), invoice, deal: Some(deal) }
}

impl World {
    fn case<'a>(&'a self, revenue: &'a Revenue) -> ItemCase<'a> {
        ItemCase {
            version: &self.version,
            version_number: 1,
            fx: &self.fx,
            directory: &self.directory,
            revenue,
            invoice: &self.invoice,
            item: &self.invoice.items[0],
            deal: self.deal.as_ref(),
        }
    }

    /// What stands against the one rule, as codes.
    fn refusals(&self, role: &str, share: &str, first: Option<&FirstInvoice>, uses: &DealUses) -> RuleShown {
        let revenue = Revenue(1000);
        let case = self.case(&revenue);
        let tier = self.directory.partner(0).effective_tier(case.day(), &self.version);
        let facts = CreditFacts { case: &case, partner: 0, tier, role };
        rule(&self.version.rules[0], &facts, share.parse().unwrap(), first, uses)
    }

    fn chain(&self) -> ChainShown {
        let revenue = Revenue(1000);
        let case = self.case(&revenue);
        let credit = Credit { id: None, program: "p".into(), partner: 0, role: SOURCED.into(), share: Rate::ONE };
        let grants: Vec<Grant> = Vec::new();
        let lines = commission::lines(&case, &Earning { credit: &credit, grants: &grants, ranks: &[], cost_minor: 0 }).unwrap();
        let tier = self.directory.partner(0).effective_tier(case.day(), &self.version);
        let base = base_rate(&CreditFacts { case: &case, partner: 0, tier, role: SOURCED }).unwrap().0;
        chain(&case, &credit, base, &lines)
    }

    fn suspend(mut self, partner: PartnerNo) -> Self {
        self.directory.partner_mut(partner).statuses.push((day("2026-04-01"), Status::Suspended));
        self
    }
}

fn codes(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code).collect()
}

fn spiff(more: &str) -> String {
    format!("[[rules]]\nid = \"r\"\nkind = \"spiff\"\n{more}\n")
}

fn first(invoice: &str, item: &str) -> FirstInvoice {
    FirstInvoice { paid_at: "2026-04-01T00:00:00Z".parse().unwrap(), invoice: invoice.into(), item: item.into() }
}

fn used(invoice: &str, base_minor: i64) -> DealUses {
    let mut uses = DealUses::default();
    uses.count(&Text::from("r"), &Text::from("D"), &Text::from(invoice), base_minor);
    uses
}

#[test]
fn a_rule_says_why_it_does_not_pay() {
    let none = DealUses::default;
    let ours = || Some(first("INV", ""));
    let table: Vec<(&str, Option<FirstInvoice>, DealUses, &str, &str)> = vec![
        ("rate = \"3%\"", None, none(), "", ""),
        ("rate = \"3%\"\npartners = [\"beta\", \"gamma\"]", None, none(), "partner", "for beta, gamma only"),
        ("rate = \"3%\"\nfrom = 2026-04-11", None, none(), "window", "D was signed on 2026-04-10"),
        ("rate = \"3%\"\nwindow_on = \"paid_on\"\nthrough = 2026-04-19", None, none(), "window", "this one was paid on 2026-04-20"),
        ("rate = \"3%\"\nwindow_on = \"both\"\nfrom = 2026-05-01", None, none(), "window window", "from 2026-05-01 on"),
        ("rate = \"3%\"\nwhen = \"contract_value > 10k\"", None, none(), "condition_false", "(contract_value = 5000)"),
        ("rate = \"3%\"\nwhen = \"new_logo and csat >= 4\"", None, none(), "condition_unknown", "csat is missing"),
        ("rate = \"3%\"", None, used("I0", 500_000), "cap_used_up", "nothing is left"),
        ("rate = \"3%\"\npays = \"first_invoice\"", Some(first("I0", "")), none(), "not_first", "which is I0"),
        ("rate = \"3%\"\npays = \"first_invoice\"", None, none(), "not_first", "no paid invoice yet"),
        ("rate = \"3%\"\npays = \"first_invoice\"", ours(), used("I9", 1), "already_posted", "posted for deal D with invoice I9"),
        ("rate = \"3%\"\npays = \"first_invoice\"", ours(), used("INV", 1), "", ""),
        ("amount = \"50.00\"", Some(first("INV", "2")), none(), "not_first_item", "which is 2"),
        ("amount = \"50.00\"", ours(), none(), "", ""),
        ("rate = \"0%\"", None, none(), "zero", "comes to zero"),
    ];
    for (more, first, uses, expected, text) in table {
        let shown = world(&spiff(more)).refusals(SOURCED, "1", first.as_ref(), &uses);
        assert_eq!(codes(&shown.reasons).join(" "), expected, "{more}: {shown:?}");
        assert_eq!(shown.pays, expected.is_empty(), "{more}");
        assert!(shown.reasons.iter().all(|reason| expected == "window window" || reason.text.contains(text)), "{more}: {shown:?}");
    }
}

#[test]
fn a_rule_says_what_the_cap_leaves() {
    let shown = world(&spiff("rate = \"3%\"")).refusals(SOURCED, "1", None, &used("I0", 440_000));
    assert_eq!(shown.base.as_deref(), Some("600.00"));
    assert!(shown.pays && shown.base_from.unwrap().contains("of which 4400.00 was used before: 600.00 is left"));
}

#[test]
fn a_rule_without_a_deal_says_so() {
    for (more, text) in
        [("rate = \"3%\"", "watches the day on which the deal was signed"), ("amount = \"5.00\"\nwindow_on = \"paid_on\"", "first paid invoice")]
    {
        let mut world = world(&spiff(more));
        world.deal = None;
        let shown = world.refusals(SOURCED, "1", None, &DealUses::default());
        assert_eq!(codes(&shown.reasons), ["no_deal"], "{more}");
        assert!(shown.reasons[0].text.contains(text), "{shown:?}");
    }
}

#[test]
fn who_the_partner_is_may_stand_against_a_rule() {
    let shown = world(&spiff("rate = \"3%\"")).refusals("helper", "1", None, &DealUses::default());
    assert_eq!(codes(&shown.reasons), ["role"]);
    let shown = world(&spiff("rate = \"3%\"")).suspend(0).refusals(SOURCED, "1", None, &DealUses::default());
    assert_eq!(codes(&shown.reasons), ["inactive"]);
    assert!(shown.reasons[0].text.contains("acme was suspended on 2026-04-20"), "{shown:?}");
    let mut stranger = world(&spiff("rate = \"3%\""));
    stranger.directory.partner_mut(0).tiers.clear();
    let shown = stranger.refusals(SOURCED, "1", None, &DealUses::default());
    assert!(shown.reasons[0].text.contains("not yet a member"), "{shown:?}");
}

#[test]
fn a_fact_that_nobody_asked_for_stands_against_nothing() {
    let mut world = world(&spiff("rate = \"3%\"\nwhen = \"contract_value > 1k\"\nfrom = 2027-01-01"));
    world.deal.as_mut().unwrap().currency = "EUR".parse().unwrap();
    let shown = world.refusals(SOURCED, "1", None, &DealUses::default());
    assert_eq!(codes(&shown.reasons), ["window"]);
    assert!(shown.condition.unwrap().sentence().contains("can't be told: no exchange rate from EUR to USD"));
}

#[test]
fn a_volume_bonus_tells_the_revenue_that_decided() {
    let bonus = |more: &str| {
        world(&format!("[[rules]]\nid = \"b\"\nkind = \"volume_bonus\"\nrate = \"1%\"\n{more}\n")).refusals(SOURCED, "1", None, &DealUses::default())
    };
    let shown = bonus("when = \"monthly_referred_revenue >= 2k\"");
    assert_eq!(shown.reasons[0].text, "`monthly_referred_revenue >= 2k` is false (monthly_referred_revenue = 1000)");
    assert!(bonus("when = \"monthly_referred_revenue >= 1k\"").pays);
    assert_eq!(codes(&bonus("through = 2026-04-19").reasons), ["window"]);
}

#[test]
fn every_rate_entry_says_why_it_does_not_fit() {
    let entry = |id: &str, more: &str| format!("[[rates]]\nid = \"{id}\"\nrate = \"7%\"\n{more}\n");
    let table = [
        ("other", "partner = \"beta\"", "partner", "for beta only"),
        ("tier", "tiers = [\"base\"]", "tier", "for tier base only"),
        ("role", "role = \"helper\"", "role", "for role helper only"),
        ("window", "from = 2026-05-01", "window", "paid on 2026-04-20"),
        ("condition", "when = 'product == \"X\"'", "condition_false", "product = \"E5\""),
        ("fits", "", "", ""),
        ("later", "", "earlier_entry", "fits comes before it"),
    ];
    let world = world(&table.map(|(id, more, ..)| entry(id, more)).join(""));
    let revenue = Revenue(0);
    let case = world.case(&revenue);
    let shown = rate_entries(&CreditFacts { case: &case, partner: 0, tier: Some(1), role: SOURCED });
    for (id, _, code, text) in table {
        let entry = shown.iter().find(|entry| entry.id == id).unwrap();
        assert_eq!(codes(&entry.reasons).join(" "), code, "{entry:?}");
        assert!(entry.reasons.iter().all(|reason| reason.text.contains(text)), "{entry:?}");
        assert_eq!(entry.applies, code.is_empty());
    }
    let shown = rate_entries(&CreditFacts { case: &case, partner: 0, tier: Some(1), role: "helper" });
    let fits = shown.iter().find(|entry| entry.id == "fits").unwrap();
    assert!(fits.reasons[0].text.contains("role helper has no tier rate"), "{fits:?}");
}

#[test]
fn entries_that_name_the_partner_are_looked_at_first() {
    let world = world("[[rates]]\nid = \"any\"\nrate = \"7%\"\n[[rates]]\nid = \"named\"\nrate = \"13%\"\npartner = \"acme\"\n");
    let revenue = Revenue(0);
    let case = world.case(&revenue);
    let shown = rate_entries(&CreditFacts { case: &case, partner: 0, tier: Some(1), role: SOURCED });
    assert_eq!(shown.iter().map(|entry| (entry.id.as_str(), entry.applies)).collect::<Vec<_>>(), [("named", true), ("any", false)]);
}

/// What each ancestor got, or the code of why it got nothing.
fn got(world: &World) -> Vec<String> {
    let tell = |layer: &LayerShown| match (&layer.amount, &layer.reason) {
        (Some(amount), None) => amount.clone(),
        (Some(amount), Some(reason)) => format!("{amount} {}", reason.code),
        (None, Some(reason)) => reason.code.to_owned(),
        (None, None) => "?".to_owned(),
    };
    world.chain().layers.iter().map(tell).collect()
}

#[test]
fn every_ancestor_says_what_it_got_or_why_nothing() {
    let table = [
        ("levels = [\"3%\", \"1%\"]", None, ["30.00", "10.00"]),
        ("levels = [\"3%\"]", None, ["30.00", "beyond_levels"]),
        ("levels = [\"3%\", \"0%\"]", None, ["30.00", "zero"]),
        ("levels = [\"3%\", \"1%\"]", Some(1), ["inactive", "10.00"]),
        ("levels = [\"3%\", \"1%\"]\ninactive = \"compress\"", Some(1), ["compressed", "30.00"]),
        ("mode = \"share\"\nlevels = [\"10%\", \"50%\"]", None, ["12.00", "6.00"]),
        ("mode = \"share\"\nlevels = [\"10%\", \"50%\"]", Some(1), ["inactive", "nothing_below"]),
        ("mode = \"share\"\nlevels = [\"10%\", \"50%\"]", Some(0), ["nothing_below", "nothing_below"]),
        ("mode = \"differential\"", None, ["no_difference", "no_difference"]),
        ("levels = [\"3%\", \"1%\"]\nmax_total_rate = \"14%\"", None, ["20.00 cut", "cut"]),
    ];
    for (hierarchy, suspended, expected) in table {
        let mut world = world(&format!("[hierarchy]\n{hierarchy}\n"));
        if let Some(partner) = suspended {
            world = world.suspend(partner);
        }
        assert_eq!(got(&world), expected, "{hierarchy} {suspended:?}");
    }
}

#[test]
fn a_chain_without_overrides_says_why() {
    assert_eq!(world("").chain().reason.unwrap().code, "no_hierarchy");
    let mut orphan = world("[hierarchy]\nlevels = [\"3%\"]\n");
    orphan.directory.partner_mut(0).parents.clear();
    assert_eq!(orphan.chain().reason.unwrap().code, "no_parent");
}
