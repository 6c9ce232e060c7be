//! Referred revenue of members by day, converted when it is needed (domain.md §1, §2.8, §5.1).

use crate::calendar::{Date, months_before};
use crate::condition::FactError;
use crate::exact::Exact;
use crate::fx::Fx;
use crate::member::{PartnerNo, customer_excluded};
use crate::money::Currency;
use crate::rating::ReferredRevenue;

/// A referred amount of an item, or what a refund takes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The member.
    pub partner: PartnerNo,
    /// The paid date, or the refund's.
    pub dated_on: Date,
    /// The paid date: that of the exchange rate.
    pub paid_on: Date,
    /// The currency.
    pub currency: Currency,
    /// The amount, minor units; what a refund takes is negative.
    pub amount_minor: i64,
    /// When the customer was activated.
    pub activated_on: Option<Date>,
    /// When the customer churned.
    pub churned_on: Option<Date>,
}

/// Entries of many members, ordered by member and day, with running sums.
#[derive(Debug)]
pub struct RevenueIndex<'a> {
    fx: &'a Fx,
    entries: Vec<Entry>,
    /// `sums[i]` is the sum of the member's entries up to and including `i`, as long as every rate was there.
    sums: Vec<Result<Exact, FactError>>,
}

impl<'a> RevenueIndex<'a> {
    /// Orders the entries.
    #[must_use]
    pub fn new(fx: &'a Fx, mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by_key(|entry| (entry.partner, entry.dated_on, entry.paid_on, entry.currency, entry.amount_minor));
        let mut sums: Vec<Result<Exact, FactError>> = Vec::with_capacity(entries.len());
        let mut previous: Option<PartnerNo> = None;
        for entry in &entries {
            let before = match sums.last() {
                Some(sum) if previous == Some(entry.partner) => sum.clone(),
                _ => Ok(Exact::ZERO),
            };
            previous = Some(entry.partner);
            sums.push(before.and_then(|before| Ok(before.add(fx.convert(entry.amount_minor, entry.currency, entry.paid_on)?)?)));
        }
        Self { fx, entries, sums }
    }

    fn range(&self, partner: PartnerNo, from: Date, before: Date) -> std::ops::Range<usize> {
        let start = self.entries.partition_point(|entry| (entry.partner, entry.dated_on) < (partner, from));
        let end = self.entries.partition_point(|entry| (entry.partner, entry.dated_on) < (partner, before));
        start..end.max(start)
    }

    /// The entries of a member in `[from, before)`.
    #[must_use]
    pub fn entries(&self, partner: PartnerNo, from: Date, before: Date) -> &[Entry] {
        &self.entries[self.range(partner, from, before)]
    }

    /// T12M on a day, under the customer-age rule (domain.md §5.1; 0 days: all count).
    ///
    /// # Errors
    /// A missing rate or an overflow.
    pub fn trailing_twelve_months(&self, partner: PartnerNo, on: Date, customer_min_age_days: u32) -> Result<Exact, FactError> {
        let from = months_before(on, 12);
        if customer_min_age_days == 0 {
            return self.between(partner, from, on);
        }
        let counted = self.entries(partner, from, on).iter();
        let mut sum = Exact::ZERO;
        for entry in counted.filter(|entry| !customer_excluded(entry.activated_on, entry.churned_on, customer_min_age_days, on)) {
            sum = sum.add(self.fx.convert(entry.amount_minor, entry.currency, entry.paid_on)?)?;
        }
        Ok(sum)
    }
}

impl ReferredRevenue for RevenueIndex<'_> {
    fn between(&self, partner: PartnerNo, from: Date, before: Date) -> Result<Exact, FactError> {
        let range = self.range(partner, from, before);
        let Some(last) = range.clone().next_back() else { return Ok(Exact::ZERO) };
        let first_of_member = range.start == 0 || self.entries[range.start - 1].partner != partner;
        let opening = if first_of_member { Ok(Exact::ZERO) } else { self.sums[range.start - 1].clone() };
        if let (Ok(opening), Ok(closing)) = (opening, &self.sums[last]) {
            return Ok(closing.add(opening.neg())?);
        }
        // A rate is missing on some day; it matters only if it is one of these days.
        let mut sum = Exact::ZERO;
        for entry in &self.entries[range] {
            sum = sum.add(self.fx.convert(entry.amount_minor, entry.currency, entry.paid_on)?)?;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{days_after, parse_date};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn running_sums_equal_plain_sums(rows in prop::collection::vec((0_usize..3, 0_u32..30, -500_i64..500, any::<bool>()), 0..60), from in 0_u32..30, length in 0_u32..30) {
            let start = parse_date("2024-01-01").unwrap();
            let (usd, kwd): (Currency, Currency) = ("USD".parse().unwrap(), "KWD".parse().unwrap());
            let mut fx = Fx::new(usd);
            fx.record(kwd, days_after(start, 10), "3.25".parse().unwrap());
            let entries: Vec<Entry> = rows.iter().map(|&(partner, day, amount_minor, foreign)| {
                let dated_on = days_after(start, day);
                let currency = if foreign && (10..=17).contains(&day) { kwd } else { usd };
                Entry { partner, dated_on, paid_on: dated_on, currency, amount_minor, activated_on: None, churned_on: None }
            }).collect();
            let index = RevenueIndex::new(&fx, entries.clone());
            for partner in 0..3 {
                let (from, before) = (days_after(start, from), days_after(start, from + length));
                let mut plain = Exact::ZERO;
                for entry in entries.iter().filter(|e| e.partner == partner && e.dated_on >= from && e.dated_on < before) {
                    plain = plain.add(fx.convert(entry.amount_minor, entry.currency, entry.paid_on).unwrap()).unwrap();
                }
                prop_assert_eq!(index.between(partner, from, before).unwrap(), plain);
            }
        }
    }

    #[test]
    fn a_missing_rate_matters_only_on_its_days() {
        let (usd, kwd): (Currency, Currency) = ("USD".parse().unwrap(), "KWD".parse().unwrap());
        let fx = Fx::new(usd);
        let day = |text: &str| parse_date(text).unwrap();
        let entry = |on: &str, currency| Entry {
            partner: 0,
            dated_on: day(on),
            paid_on: day(on),
            currency,
            amount_minor: 100,
            activated_on: None,
            churned_on: None,
        };
        let index = RevenueIndex::new(&fx, vec![entry("2024-01-01", kwd), entry("2024-02-01", usd)]);
        assert_eq!(index.between(0, day("2024-01-02"), day("2024-03-01")).unwrap().to_string(), "1");
        assert!(index.between(0, day("2024-01-01"), day("2024-03-01")).is_err());
    }
}
