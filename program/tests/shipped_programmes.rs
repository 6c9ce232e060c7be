//! The programme files that are shipped, the one that the interface documents, and what differs between versions.

#![allow(clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeSet;

use program::condition::Condition;
use program::file::{Change, check_successor, differences, load};
use program::programme::{HierarchyMode, PaidBy, Pays, Programme, Reward, RuleKind, WindowOn};

const RESELLER: &str = include_str!("../../config/programs/reseller.toml");
const SHARE: &str = include_str!("../../config/programs/reseller-share.toml");
const DIFFERENTIAL: &str = include_str!("../../config/programs/reseller-differential.toml");

fn loaded(text: &str) -> Programme {
    load("p.toml", text).unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(errors)))
}

#[test]
fn every_shipped_programme_is_valid() {
    let programmes = [RESELLER, SHARE, DIFFERENTIAL].map(loaded);
    let ids: BTreeSet<&str> = programmes.iter().map(|programme| programme.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["reseller", "reseller-share", "reseller-differential"]));
    for programme in &programmes {
        let rates: Vec<String> = programme.tiers.iter().map(|tier| tier.rate.to_string()).collect();
        assert_eq!(rates, ["0.05", "0.08", "0.12", "0.15"]);
        assert!(programme.mdf.as_ref().is_some_and(|mdf| mdf.approvals.len() == 2), "{}", programme.id);
    }
    let modes = programmes.map(|programme| programme.hierarchy.map(|hierarchy| hierarchy.mode));
    assert_eq!(modes, [Some(HierarchyMode::Override), Some(HierarchyMode::Share), Some(HierarchyMode::Differential)]);
}

#[test]
fn the_reseller_programme_says_what_it_says() {
    let programme = loaded(RESELLER);
    let gold = &programme.tiers[2];
    assert_eq!((gold.threshold.to_string().as_str(), gold.coop_rate.to_string().as_str()), ("500000", "0.02"));
    assert_eq!(gold.certifications["sales-professional"], 2);
    let RuleKind::Spiff { reward: Reward::Rate(rate), window_on: WindowOn::SignedOn, pays: Pays::EachInvoice } = programme.rules[0].kind else {
        panic!("{:?}", programme.rules[0]);
    };
    assert_eq!(rate.to_string(), "0.03");
    assert_eq!(programme.rules[0].when.as_ref().map(Condition::source), Some("new_logo and contract_value > 100k"));
    let hierarchy = programme.hierarchy.as_ref().unwrap();
    assert_eq!(hierarchy.levels.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.03", "0.01", "0.005"]);
    assert_eq!(hierarchy.paid_by, PaidBy::Vendor);
    let mdf = programme.mdf.as_ref().unwrap();
    assert_eq!((mdf.approvals[0].within_s, mdf.approvals[0].remind_every_s), (Some(172_800), Some(86_400)));
    assert_eq!((mdf.approvals[1].over_minor, mdf.approvals[1].role.as_str()), (Some(1_000_000), "finance"));
    assert_eq!(programme.settlement.minimum_payout_minor, 5_000);
}

#[test]
fn the_same_file_has_no_differences() {
    for text in [RESELLER, SHARE, DIFFERENTIAL] {
        assert_eq!(differences(&loaded(text), &loaded(text)), []);
        assert_eq!(check_successor(&loaded(text), &loaded(text)), Ok(()));
    }
}

/// What changes when a part of the reseller programme is replaced.
fn changes(part: &str, by: &str) -> Vec<String> {
    assert!(RESELLER.contains(part), "{part}");
    differences(&loaded(RESELLER), &loaded(&RESELLER.replacen(part, by, 1))).iter().map(Change::to_string).collect()
}

#[test]
fn differences_name_the_field() {
    for (part, by, change) in [
        ("rate = \"12%\"", "rate = \"0.125\"", "tiers.gold.rate: 0.12 → 0.125"),
        ("threshold = \"500k\"", "threshold = \"600k\"", "tiers.gold.threshold: 500000 → 600000"),
        ("{ \"sales-professional\" = 2 }", "{}", "tiers.gold.certifications.sales-professional: 2 → nothing"),
        ("through = 2026-06-30\n", "", "rules.q2-new-logo.through: 2026-06-30 → nothing"),
        ("rate = \"2%\"\nrole = \"influenced\"", "rate = \"2%\"", "rates.influenced.role: influenced → nothing"),
        ("top = \"10%\"", "top = \"20%\"", "rankings.top-ten-percent.top: 0.1 → 0.2"),
        ("levels = [\"3%\", \"1%\", \"0.5%\"]", "levels = []", "hierarchy.levels: 0.03, 0.01, 0.005 → none"),
        ("minimum_payout = \"50.00\"", "minimum_payout = \"75.00\"", "settlement.minimum_payout: 50.00 → 75.00"),
        ("release = \"auto\"", "hold_days = 3", "settlement.hold_days: 0 → 3"),
        ("csat = \"number\"", "csat = \"number\"\nnps = \"number\"", "metrics.nps: nothing → number"),
        ("extras = false", "extras = true", "roles.influenced: none → extras"),
        ("over = \"10k\"", "over = \"20k\"", "mdf.approvals.finance.over: 10000.00 → 20000.00"),
        ("rounding = \"half_up\"", "rounding = \"half_even\"", "program.rounding: half_up → half_even"),
        ("[hierarchy]", "[[rates]]\nid = \"oem\"\nrate = \"4%\"\npartner = \"acme\"\n\n[hierarchy]", "rates.oem: nothing → rate 0.04, partner acme"),
        (
            "[[rules]]\nid = \"big-month\"\nkind = \"volume_bonus\"\nrate = \"1%\"\nwhen = \"monthly_referred_revenue >= 250k\"\n",
            "",
            "rules.big-month: kind volume_bonus, rate 0.01, when monthly_referred_revenue >= 250k → nothing",
        ),
    ] {
        assert_eq!(changes(part, by), [change]);
    }
}

#[test]
fn the_order_of_rates_is_a_difference() {
    let rates = |first: &str, second: &str| {
        loaded(&format!("{SHARE}\n[[rates]]\nid = \"{first}\"\nrate = \"1%\"\n[[rates]]\nid = \"{second}\"\nrate = \"1%\"\n"))
    };
    let changes = differences(&rates("a", "b"), &rates("b", "a"));
    assert_eq!(changes.iter().map(Change::to_string).collect::<Vec<_>>(), ["rates (order): a, b → b, a"]);
    assert_eq!(differences(&loaded(SHARE), &rates("a", "b")).len(), 2);
}

#[test]
fn a_version_keeps_what_all_versions_share() {
    for (part, by, path) in [
        ("id = \"reseller\"", "id = \"other\"", "program.id"),
        ("currency = \"USD\"", "currency = \"CAD\"", "program.currency"),
        ("\"America/New_York\"", "\"UTC\"", "program.timezone"),
        ("first_period = \"2026-01\"", "first_period = \"2026-02\"", "settlement.first_period"),
        ("id = \"gold\"", "id = \"or\"", "tiers"),
    ] {
        let refused = check_successor(&loaded(RESELLER), &loaded(&RESELLER.replacen(part, by, 1))).unwrap_err();
        assert_eq!(refused.changes.len(), 1, "{refused}");
        assert_eq!(refused.changes[0].path, path);
        assert!(refused.to_string().starts_with("this is not a version of programme reseller: it changes "), "{refused}");
    }
    let renamed = RESELLER.replace("Gold", "Or").replace("Reseller programme", "Resellers");
    assert_eq!(check_successor(&loaded(RESELLER), &loaded(&renamed)), Ok(()));
}

/// The example of the interface, whole.
const DOCUMENTED: &str = r#"
schema = 1
[program]
id = "reseller"
name = "Reseller programme"
currency = "USD"
timezone = "America/New_York"
rounding = "half_up"
[[tiers]]
id = "gold"
name = "Gold"
threshold = "500k"
rate = "12%"
coop_rate = "2%"
certifications = { "sales-professional" = 2 }
requires = "active_deals >= 3 and csat >= 4"
invitation_only = false
[[tiers]]
id = "platinum"
name = "Platinum"
threshold = "500k"
rate = "15%"
[[rules]]
id = "q2-new-logo"
kind = "spiff"
rate = "3%"
when = "new_logo and contract_value > 100k"
from = 2026-04-01
through = 2026-06-30
window_on = "signed_on"
pays = "each_invoice"
partners = ["acme"]
[[rates]]
id = "acme-2026"
rate = "13%"
partner = "acme"
tiers = ["gold", "platinum"]
role = "influenced"
when = 'motion == "referral"'
from = 2026-01-01
through = 2026-12-31
[roles.influenced]
tier_rate = false
referred = false
extras = false
[metrics]
csat = "number"
[[rankings]]
id = "top-ten-percent"
top = "10%"
rate = "1%"
applies = "next_quarter"
from = 2026-01-01
[hierarchy]
mode = "override"
levels = ["3%", "1%"]
paid_by = "vendor"
inactive = "breakage"
share_spiffs = false
max_total_rate = "25%"
[coop]
funded_by = "vendor"
expires_after_months = 12
[settlement]
first_period = "2026-01"
schedule = "0 0 6 1 * *"
minimum_payout = "50.00"
minimum_payout_in = { EUR = "50.00" }
release = "auto"
hold_days = 0
net_processing_cost = false
[recertification]
schedule = "0 0 7 1 1,4,7,10 *"
promotion = "recertification"
grace_cycles = 1
max_demotion_steps = 1
customer_min_age_days = 0
[mdf]
cost_share = "50%"
[[mdf.approvals]]
role = "channel_manager"
within = "48h"
remind_every = "24h"
escalate_to = "channel_chief"
[[mdf.approvals]]
role = "finance"
over = "10k"
"#;

#[test]
fn the_documented_example_is_valid() {
    let programme = loaded(DOCUMENTED);
    assert_eq!(programme.rules[0].partners.as_deref(), Some(["acme".to_owned()].as_slice()));
    assert_eq!(programme.rates[0].tiers.as_ref().map(Vec::len), Some(2));
    assert_eq!(programme.coop.expires_after_months, Some(12));
}

#[test]
fn a_limit_without_effect_is_taken() {
    // domain.md §3.10: `max_total_rate` counts only where the vendor pays.
    let child = DOCUMENTED.replace("paid_by = \"vendor\"", "paid_by = \"child\"");
    assert_eq!(loaded(&child).hierarchy.map(|hierarchy| hierarchy.paid_by), Some(PaidBy::Child));
}
