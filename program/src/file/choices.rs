//! The words that the file chooses among; the first of each is the default.

use crate::condition::MetricKind;
use crate::money::Rounding;
use crate::programme::{Applies, FundedBy, HierarchyMode, Inactive, PaidBy, Pays, Promotion, Release, WindowOn};

/// A value that the file writes as one of several words.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl Choice for Rounding {
    const WORDS: &'static [(&'static str, Self)] = &[("half_up", Self::HalfUp), ("half_even", Self::HalfEven)];
}

impl Choice for MetricKind {
    const WORDS: &'static [(&'static str, Self)] = &[("number", Self::Number), ("text", Self::Text), ("bool", Self::Bool)];
}

impl Choice for WindowOn {
    const WORDS: &'static [(&'static str, Self)] = &[("signed_on", Self::SignedOn), ("paid_on", Self::PaidOn), ("both", Self::Both)];
}

impl Choice for Pays {
    const WORDS: &'static [(&'static str, Self)] = &[("each_invoice", Self::EachInvoice), ("first_invoice", Self::FirstInvoice)];
}

impl Choice for Applies {
    const WORDS: &'static [(&'static str, Self)] = &[("next_quarter", Self::NextQuarter), ("ranked_quarter", Self::RankedQuarter)];
}

impl Choice for HierarchyMode {
    const WORDS: &'static [(&'static str, Self)] = &[("override", Self::Override), ("share", Self::Share), ("differential", Self::Differential)];
}

impl Choice for PaidBy {
    const WORDS: &'static [(&'static str, Self)] = &[("vendor", Self::Vendor), ("child", Self::Child)];
}

impl Choice for Inactive {
    const WORDS: &'static [(&'static str, Self)] = &[("breakage", Self::Breakage), ("compress", Self::Compress)];
}

impl Choice for FundedBy {
    const WORDS: &'static [(&'static str, Self)] = &[("vendor", Self::Vendor), ("commission", Self::Commission)];
}

impl Choice for Release {
    const WORDS: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("manual", Self::Manual)];
}

impl Choice for Promotion {
    const WORDS: &'static [(&'static str, Self)] = &[("recertification", Self::Recertification), ("immediate", Self::Immediate)];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_is_the_default<T: Choice + Default + std::fmt::Debug>() {
        assert_eq!(T::WORDS[0].1, T::default());
        let words: std::collections::BTreeSet<&str> = T::WORDS.iter().map(|(_, value)| value.word()).collect();
        assert_eq!(words.len(), T::WORDS.len(), "each value has a word of its own");
    }

    #[test]
    fn without_a_value_the_first_choice_counts() {
        first_is_the_default::<Rounding>();
        first_is_the_default::<WindowOn>();
        first_is_the_default::<Pays>();
        first_is_the_default::<Applies>();
        first_is_the_default::<HierarchyMode>();
        first_is_the_default::<PaidBy>();
        first_is_the_default::<Inactive>();
        first_is_the_default::<FundedBy>();
        first_is_the_default::<Release>();
        first_is_the_default::<Promotion>();
    }
}
