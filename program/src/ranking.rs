//! The stack rank of a quarter (domain.md §5.4).

use crate::calendar::{Date, Quarter};
use crate::exact::Exact;
use crate::member::PartnerNo;
use crate::money::Rate;
use crate::programme::Ranking;

/// A member's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The member.
    pub partner: PartnerNo,
    /// Its referred revenue of the quarter, programme currency, not rounded.
    pub revenue: Exact,
    /// 1 for the highest; equal revenue has equal place.
    pub place: usize,
    /// Whether it wins.
    pub winner: bool,
}

/// Whether a ranking is made for a quarter: none that begins before the rule's first day.
#[must_use]
pub fn is_made_for(ranking: &Ranking, quarter: Quarter) -> bool {
    let contains = |day: Date| ranking.window.contains(day);
    contains(quarter.first_day()) && contains(quarter.last_day())
}

/// Ranks members by revenue: winners have at least that of the k-th, k = ⌈top × N⌉, so ties at the cut all win.
///
/// `revenues` are those of the members active on the quarter's last day; who has nothing above zero is not ranked.
#[must_use]
pub fn rank(top: Rate, revenues: Vec<(PartnerNo, Exact)>) -> Vec<Place> {
    let mut ranked: Vec<(PartnerNo, Exact)> = revenues.into_iter().filter(|(_, revenue)| *revenue > Exact::ZERO).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let count = i128::try_from(ranked.len()).unwrap_or(i128::MAX);
    let whole = i128::from(Rate::ONE.micro());
    let k = (i128::from(top.micro()).saturating_mul(count) + whole - 1).div_euclid(whole);
    let cut = usize::try_from(k)
        .ok()
        .and_then(|k| k.checked_sub(1))
        .and_then(|last| ranked.get(last.min(ranked.len().saturating_sub(1))))
        .map(|(_, revenue)| *revenue);
    let mut places: Vec<Place> = Vec::with_capacity(ranked.len());
    for (index, (partner, revenue)) in ranked.into_iter().enumerate() {
        let place = match places.last() {
            Some(above) if above.revenue == revenue => above.place,
            _ => index + 1,
        };
        places.push(Place { partner, revenue, place, winner: cut.is_some_and(|cut| revenue >= cut) });
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_at_the_cut_all_win() {
        // domain.md §8.8.
        let mut revenues: Vec<(PartnerNo, Exact)> = (0..21).map(|no| (no, Exact::integer(1000 - i64::try_from(no).unwrap()))).collect();
        revenues[3].1 = revenues[2].1;
        let places = rank("10%".parse().unwrap(), revenues);
        assert_eq!(places.iter().filter(|place| place.winner).count(), 4);
        assert_eq!(places[3].place, 3);
    }

    #[test]
    fn who_has_nothing_is_not_ranked() {
        let places = rank("100%".parse().unwrap(), vec![(0, Exact::ZERO), (1, Exact::integer(-5)), (2, Exact::integer(5))]);
        assert_eq!(places.len(), 1);
        assert!(places[0].winner);
        assert!(rank("10%".parse().unwrap(), Vec::new()).is_empty());
    }
}
