//! Any split of a full refund returns every line to exactly zero; chargebacks that are won restore exactly (domain.md §4.2–4.3).

#![allow(clippy::unwrap_used, reason = "a test's own helpers may fail loudly")]

use program::calendar::parse_date;
use program::component::{Component, REGISTRY};
use program::line::{Line, Source};
use program::money::{Rate, Rounding};
use program::refund::{Refund, RefundError, RefundKind, returns_cost, spread};
use program::reversal::{self, ItemRefund};
use proptest::prelude::*;

fn line(component: Component, amount_minor: i64, share: Rate, base_minor: i64, referred_minor: i64) -> Line {
    Line {
        payee: "p".into(),
        currency: "USD".parse().unwrap(),
        source: Source::Invoice,
        source_id: "INV".into(),
        invoice: Some("INV".into()),
        item: None,
        role: Some("sourced".into()),
        component,
        rule: None,
        rate_source: None,
        part: 0,
        level: 0,
        from_partner: "p".into(),
        earned_on: parse_date("2026-01-01").unwrap(),
        tier: None,
        base_minor,
        rate: None,
        share,
        amount_minor,
        uncut_minor: None,
        referred_minor,
        late_from: None,
        corrects: None,
        version: 1,
    }
}

/// Cuts a total into parts above zero by sorted cut points.
fn parts(total: i64, cuts: &[u32]) -> Vec<i64> {
    let mut points: Vec<i64> = cuts.iter().map(|cut| i64::from(*cut) % total.max(1)).chain([0, total]).collect();
    points.sort_unstable();
    points.windows(2).map(|pair| pair[1] - pair[0]).filter(|part| *part > 0).collect()
}

fn refund(number: usize, item: Option<&str>, amount_minor: i64) -> Refund {
    Refund { id: format!("R-{number:03}"), item: item.map(str::to_owned), amount_minor, kind: RefundKind::Refund, of: None, cost_returned: true }
}

/// A history that gives back an invoice whole: some items by name first, what is left without a name.
fn full_history(items: &[(String, i64)], named: &[bool], cuts: &[u32]) -> Vec<Refund> {
    let mut refunds = Vec::new();
    let mut rest = 0;
    for ((id, amount), named) in items.iter().zip(named) {
        if *named {
            for part in parts(*amount, cuts) {
                refunds.push(refund(refunds.len(), Some(id), part));
            }
        } else {
            rest += amount;
        }
    }
    for part in parts(rest, cuts) {
        refunds.push(refund(refunds.len(), None, part));
    }
    refunds
}

fn of_item(refunds: &[Refund], spreads: &[Vec<i64>], item: usize) -> Vec<ItemRefund> {
    refunds
        .iter()
        .zip(spreads)
        .map(|(refund, taken)| ItemRefund {
            refund: refund.id.as_str().into(),
            taken_minor: taken[item],
            returns_cost: returns_cost(refund, refunds),
            new: true,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_split_of_a_full_refund_returns_every_line_to_zero(
        amounts in prop::collection::vec(0_i64..50_000, 1..6),
        named in prop::collection::vec(any::<bool>(), 6),
        cuts in prop::collection::vec(any::<u32>(), 0..6),
        line_minor in -9_000_i64..9_000,
        share in 1_i64..=1_000_000,
        even in any::<bool>(),
    ) {
        let items: Vec<(String, i64)> = amounts.iter().enumerate().map(|(n, amount)| (format!("{n}"), *amount)).collect();
        let refunds = full_history(&items, &named, &cuts);
        let borrowed: Vec<(&str, i64)> = items.iter().map(|(id, amount)| (id.as_str(), *amount)).collect();
        let spreads = spread(&borrowed, &refunds).unwrap();
        let rounding = if even { Rounding::HalfEven } else { Rounding::HalfUp };
        let share = Rate::from_micro(share);
        for (place, (_, amount)) in borrowed.iter().enumerate() {
            prop_assert_eq!(spreads.iter().map(|taken| taken[place]).sum::<i64>(), *amount);
            let item_refunds = of_item(&refunds, &spreads, place);
            for component in REGISTRY.into_iter().filter(|component| *component != Component::ADJUSTMENT && *amount > 0) {
                let referred = Rate::ONE.of(*amount, share, rounding).unwrap();
                let posted = line(component, line_minor, share, *amount, referred);
                let reversals = reversal::lines(&posted, true, *amount, &item_refunds, rounding).unwrap();
                prop_assert_eq!(posted.amount_minor + reversals.iter().map(|reversal| reversal.amount_minor).sum::<i64>(), 0);
                if component == Component::BASE {
                    prop_assert_eq!(referred + reversals.iter().map(|reversal| reversal.referred_minor).sum::<i64>(), 0);
                    prop_assert_eq!(reversals.iter().map(|reversal| reversal.base_minor).sum::<i64>(), -*amount);
                }
            }
        }
    }

    #[test]
    fn reversals_never_exceed_their_line_at_any_step(
        amount in 1_i64..50_000, line_minor in -9_000_i64..9_000, cuts in prop::collection::vec(any::<u32>(), 0..8),
    ) {
        let refunds: Vec<Refund> = parts(amount, &cuts).into_iter().enumerate().map(|(n, part)| refund(n, None, part)).collect();
        let spreads = spread(&[("", amount)], &refunds).unwrap();
        let posted = line(Component::SPIFF, line_minor, Rate::ONE, amount, 0);
        let reversals = reversal::lines(&posted, true, amount, &of_item(&refunds, &spreads, 0), Rounding::HalfUp).unwrap();
        let mut left = line_minor;
        for reversal in reversals {
            left += reversal.amount_minor;
            prop_assert!(left.signum() * line_minor.signum() >= 0 && left.abs() <= line_minor.abs());
        }
    }

    #[test]
    fn a_chargeback_that_is_won_restores_exactly(
        amounts in prop::collection::vec(1_i64..50_000, 1..5), taken in 1_i64..50_000, cuts in prop::collection::vec(any::<u32>(), 0..4), line_minor in 1_i64..9_000,
    ) {
        let total: i64 = amounts.iter().sum();
        let taken = taken.min(total);
        let names: Vec<String> = (0..amounts.len()).map(|n| n.to_string()).collect();
        let items: Vec<(&str, i64)> = names.iter().map(String::as_str).zip(amounts.iter().copied()).collect();
        let mut refunds = vec![Refund { kind: RefundKind::Chargeback, ..refund(0, None, taken) }];
        for part in parts(taken, &cuts) {
            let number = refunds.len();
            refunds.push(Refund { kind: RefundKind::ChargebackWon, of: Some("R-000".into()), cost_returned: false, ..refund(number, None, part) });
        }
        let spreads = spread(&items, &refunds).unwrap();
        for (place, (_, amount)) in items.iter().enumerate() {
            prop_assert_eq!(spreads.iter().map(|taken| taken[place]).sum::<i64>(), 0);
            for component in [Component::BASE, Component::COOP, Component::PROCESSING_COST] {
                let posted = line(component, line_minor, Rate::ONE, *amount, *amount);
                let reversals = reversal::lines(&posted, true, *amount, &of_item(&refunds, &spreads, place), Rounding::HalfUp).unwrap();
                prop_assert_eq!(reversals.iter().map(|reversal| reversal.amount_minor).sum::<i64>(), 0);
            }
        }
    }
}

#[test]
fn a_refund_in_two_halves() {
    // domain.md §8.4.
    let refunds = [refund(0, None, 5_000), refund(1, None, 5_005)];
    let spreads = spread(&[("", 10_005)], &refunds).unwrap();
    let posted = line(Component::BASE, 1_201, Rate::ONE, 10_005, 10_005);
    let reversals = reversal::lines(&posted, true, 10_005, &of_item(&refunds, &spreads, 0), Rounding::HalfUp).unwrap();
    assert_eq!(reversals.iter().map(|reversal| reversal.amount_minor).collect::<Vec<_>>(), [-600, -601]);
}

#[test]
fn what_an_invoice_cannot_bear_is_named() {
    let items = [("a", 1_000), ("b", 500)];
    let too_much = |refunds: &[Refund]| spread(&items, refunds).unwrap_err();
    assert!(matches!(too_much(&[refund(0, Some("b"), 501)]), RefundError::MoreThanLeft { .. }));
    assert!(matches!(too_much(&[refund(0, None, 1_000), refund(1, None, 501)]), RefundError::MoreThanLeft { .. }));
    assert!(matches!(too_much(&[refund(0, Some("c"), 1)]), RefundError::NoSuchItem { .. }));
    let won = |of: &str, amount| Refund { kind: RefundKind::ChargebackWon, of: Some(of.into()), ..refund(1, None, amount) };
    assert!(matches!(too_much(&[refund(0, None, 10), won("R-000", 5)]), RefundError::NoSuchChargeback { .. }));
    let chargeback = Refund { kind: RefundKind::Chargeback, ..refund(0, None, 10) };
    assert!(matches!(too_much(&[chargeback, won("R-000", 11)]), RefundError::MoreThanChargedBack { .. }));
}
