//! Where a claim stands and what it may become (domain.md §6.4, interface.md §5).

use std::fmt;

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Its amount is held; nobody was asked yet.
    Submitted,
    /// A step of its route waits.
    AwaitingApproval,
    /// Every step has approved it; its amount is still held.
    Approved,
    /// The wallet is debited; its payout has not ended.
    Paying,
    /// Its payout is paid.
    Paid,
    /// An approver said no; the hold is released. It may be submitted again.
    Rejected,
    /// Taken back; the hold is released.
    Cancelled,
    /// Nobody decided in time; the hold is released.
    Expired,
    /// Its payout failed; the wallet has its money back.
    Failed,
}

/// A move that a claim can't make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a claim that is {from} can't become {to}{}", instead(*.from, *.to))]
pub struct IllegalMove {
    /// Where it stands.
    pub from: Status,
    /// Where it was to go.
    pub to: Status,
}

/// What leads to the same end, where something does.
const fn instead(from: Status, to: Status) -> &'static str {
    match (from, to) {
        (Status::Paying, Status::Cancelled) => {
            ": its wallet is debited; while its payout has not been asked for, finance ends that with `payout withdraw`"
        }
        _ => "",
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Submitted,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Paying,
        Self::Paid,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
        Self::Failed,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Paying => "paying",
            Self::Paid => "paid",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// The status of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// What it may become. An approved claim is asked about again when what was approved changes before its capture; a paid one fails by the
    /// provider's later word (domain.md §7).
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Submitted => &[Self::AwaitingApproval, Self::Approved, Self::Cancelled],
            Self::AwaitingApproval => &[Self::Approved, Self::Rejected, Self::Cancelled, Self::Expired],
            Self::Approved => &[Self::AwaitingApproval, Self::Paying, Self::Cancelled],
            Self::Paying => &[Self::Paid, Self::Failed],
            Self::Paid => &[Self::Failed],
            Self::Rejected => &[Self::Submitted],
            Self::Cancelled | Self::Expired | Self::Failed => &[],
        }
    }

    /// The status after a move.
    ///
    /// # Errors
    /// [`IllegalMove`].
    pub fn moved_to(self, to: Self) -> Result<Self, IllegalMove> {
        if self.next().contains(&to) { Ok(to) } else { Err(IllegalMove { from: self, to }) }
    }

    /// Whether a step of its route may be decided.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Submitted | Self::AwaitingApproval)
    }

    /// Whether its amount is held and not debited.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(self, Self::Submitted | Self::AwaitingApproval | Self::Approved)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::named(status.name()), Some(status));
        }
        assert_eq!(Status::named("gone"), None);
    }

    #[test]
    fn a_claim_makes_exactly_these_moves() {
        use Status::{Approved, AwaitingApproval, Cancelled, Expired, Failed, Paid, Paying, Rejected, Submitted};
        let legal = [
            (Submitted, AwaitingApproval),
            (Submitted, Approved),
            (Submitted, Cancelled),
            (AwaitingApproval, Approved),
            (AwaitingApproval, Rejected),
            (AwaitingApproval, Cancelled),
            (AwaitingApproval, Expired),
            (Approved, AwaitingApproval),
            (Approved, Paying),
            (Approved, Cancelled),
            (Paying, Paid),
            (Paying, Failed),
            (Paid, Failed),
            (Rejected, Submitted),
        ];
        for from in Status::ALL {
            for to in Status::ALL {
                let moved = from.moved_to(to);
                assert_eq!(moved.is_ok(), legal.contains(&(from, to)), "{from} to {to}");
                if let Err(illegal) = moved {
                    assert_eq!((illegal.from, illegal.to), (from, to));
                }
            }
        }
    }

    #[test]
    fn what_was_debited_is_never_held_or_cancelled() {
        for status in [Status::Paying, Status::Paid, Status::Failed] {
            assert!(!status.holds());
            assert!(status.moved_to(Status::Cancelled).is_err());
        }
        for status in Status::ALL.into_iter().filter(|status| status.is_open()) {
            assert!(status.holds());
        }
    }
}
