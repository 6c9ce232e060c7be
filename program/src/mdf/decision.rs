//! Who may decide about a claim, when, and about what (domain.md §6.3, §6.5; reliability.md §1.20–1.21, §3.4).

use crate::calendar::Instant;
use crate::money::Currency;

use super::Status;
use super::changes::{self, Change};

/// A step of the route of a claim's round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOfRoute<'a> {
    /// Its role.
    pub role: &'a str,
    /// The role that is asked after its deadline.
    pub escalate_to: Option<&'a str>,
    /// Whether it went there.
    pub is_escalated: bool,
    /// When its time is over.
    pub due_at: Option<Instant>,
    /// Who has approved it.
    pub approved_by: Option<&'a str>,
}

impl<'a> StepOfRoute<'a> {
    /// The role that is asked now.
    #[must_use]
    pub fn role_asked(&self) -> &'a str {
        self.escalate_to.filter(|_| self.is_escalated).unwrap_or(self.role)
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.due_at.is_some_and(|due_at| now >= due_at)
    }
}

/// A claim as it stands before whoever decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Where it stands.
    pub status: Status,
    /// Who benefits.
    pub partner: &'a str,
    /// Everybody who submitted it, submitted it again or added a proof.
    pub submitters: &'a [&'a str],
    /// The steps of its round, in order; the first without an approval waits.
    pub steps: &'a [StepOfRoute<'a>],
    /// Its currency.
    pub currency: Currency,
    /// What is asked for now, minor units.
    pub amount_minor: i64,
    /// The digest of what is shown now.
    pub digest: &'a str,
}

/// A person who would decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decider<'a> {
    /// Who.
    pub id: &'a str,
    /// The partner that the person belongs to.
    pub partner: Option<&'a str>,
    /// The person's roles.
    pub roles: &'a [String],
    /// Whether the person may do nothing any more.
    pub is_disabled: bool,
}

impl Decider<'_> {
    fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|one| one == role)
    }
}

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, to all of it or to a lower amount in minor units.
    Approve {
        /// The lower amount.
        amount_minor: Option<i64>,
    },
    /// No.
    Reject,
}

/// A verdict that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided<'a> {
    /// The place of the step in its round, 0 the first.
    pub place: usize,
    /// The role in which the person decided.
    pub role: &'a str,
    /// What later steps are asked about, minor units.
    pub amount_minor: i64,
}

/// Why a verdict does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody is asked about it.
    #[error("the claim is {status} and waits for no decision")]
    NotWaiting {
        /// Where it stands.
        status: Status,
    },
    /// The person may do nothing.
    #[error("user {by} is disabled")]
    Disabled {
        /// Who.
        by: String,
    },
    /// The person submitted it or added to it.
    #[error("user {by} submitted the claim or added to it; somebody else decides")]
    Submitter {
        /// Who.
        by: String,
    },
    /// Refunds have taken what the claim would pay.
    #[error("the wallet is short of {short} {currency}, which refunds have taken; nothing is approved before accruals bring it back")]
    WalletShort {
        /// How much, in its currency.
        short: String,
        /// Which.
        currency: Currency,
    },
    /// The person would benefit.
    #[error("user {by} belongs to {partner}, which the claim pays; somebody else decides")]
    OfPartner {
        /// Who.
        by: String,
        /// The partner.
        partner: String,
    },
    /// Each step of a round needs another person.
    #[error("user {by} has decided the step {role} of this round; each step takes another person")]
    SamePerson {
        /// Who.
        by: String,
        /// The step that the person decided.
        role: String,
    },
    /// A later step is not asked before the earlier ones have approved.
    #[error("the step {role} is not asked yet: {waits} decides before it")]
    OutOfOrder {
        /// The person's step.
        role: String,
        /// The step that waits.
        waits: String,
    },
    /// The person lacks the role that is asked.
    #[error("user {by} may not decide this step: it takes the role {role}")]
    NotAsked {
        /// Who.
        by: String,
        /// The role that is asked.
        role: String,
    },
    /// The time of the step is over.
    #[error("the time to decide the step {role} was over at {due_at}")]
    AfterDeadline {
        /// The step.
        role: String,
        /// Its deadline.
        due_at: Instant,
    },
    /// The decision is about something else than what the claim is now.
    #[error("the claim was changed since it was shown: {}; look at it again", changes::told(.changed, .shown, .current))]
    Stale {
        /// The digest of the decision.
        shown: String,
        /// The digest now.
        current: String,
        /// What has changed, as far as it is known to whoever asks.
        changed: Vec<Change>,
    },
    /// An approver never raises the amount.
    #[error("{amount} is more than the {most} that the claim asks for; an approver may lower the amount, never raise it")]
    Raised {
        /// The amount of the decision.
        amount: String,
        /// The amount of the claim.
        most: String,
    },
    /// Nothing can't be approved.
    #[error("an approval is of more than zero; reject the claim with a reason instead")]
    Nothing,
}

/// Judges a verdict. `digest` is that of the claim as the person saw it, where it was shown elsewhere than here.
///
/// The caller has moved a step whose time is over to the role that is asked after it.
///
/// # Errors
/// [`Refusal`], the first that applies in the order of its variants.
///
/// # Source
/// domain.md §6.3, §6.5.
pub fn decide<'a>(shown: &Shown<'a>, by: &Decider<'_>, verdict: Verdict, digest: Option<&str>, now: Instant) -> Result<Decided<'a>, Refusal> {
    let waiting = shown.steps.iter().position(|step| step.approved_by.is_none()).filter(|_| shown.status.is_open());
    let Some((place, step)) = waiting.and_then(|place| Some((place, shown.steps.get(place)?))) else {
        return Err(Refusal::NotWaiting { status: shown.status });
    };
    may(shown, by)?;
    is_asked(shown.steps.get(place + 1..).unwrap_or_default(), step, by)?;
    if let Some(due_at) = step.due_at.filter(|_| step.is_over(now)) {
        return Err(Refusal::AfterDeadline { role: step.role.to_owned(), due_at });
    }
    if let Some(digest) = digest.filter(|digest| *digest != shown.digest) {
        return Err(Refusal::Stale { shown: digest.chars().take(80).collect(), current: shown.digest.to_owned(), changed: Vec::new() });
    }
    Ok(Decided { place, role: step.role_asked(), amount_minor: amount(shown, verdict)? })
}

/// Whether the person may have any say in this round.
fn may(shown: &Shown<'_>, by: &Decider<'_>) -> Result<(), Refusal> {
    let who = || by.id.to_owned();
    if by.is_disabled {
        return Err(Refusal::Disabled { by: who() });
    }
    if shown.submitters.contains(&by.id) {
        return Err(Refusal::Submitter { by: who() });
    }
    if by.partner == Some(shown.partner) {
        return Err(Refusal::OfPartner { by: who(), partner: shown.partner.to_owned() });
    }
    match shown.steps.iter().find(|step| step.approved_by == Some(by.id)) {
        Some(step) => Err(Refusal::SamePerson { by: who(), role: step.role.to_owned() }),
        None => Ok(()),
    }
}

/// Whether the step that waits is the person's.
fn is_asked(later: &[StepOfRoute<'_>], step: &StepOfRoute<'_>, by: &Decider<'_>) -> Result<(), Refusal> {
    let asked = step.role_asked();
    if by.has(asked) {
        return Ok(());
    }
    // The step was the person's until its deadline.
    if let Some(due_at) = step.due_at.filter(|_| step.is_escalated && by.has(step.role)) {
        return Err(Refusal::AfterDeadline { role: step.role.to_owned(), due_at });
    }
    Err(match later.iter().find(|step| by.has(step.role)) {
        Some(own) => Refusal::OutOfOrder { role: own.role.to_owned(), waits: asked.to_owned() },
        None => Refusal::NotAsked { by: by.id.to_owned(), role: asked.to_owned() },
    })
}

fn amount(shown: &Shown<'_>, verdict: Verdict) -> Result<i64, Refusal> {
    match verdict {
        Verdict::Approve { amount_minor: Some(amount) } if amount > shown.amount_minor => {
            Err(Refusal::Raised { amount: shown.currency.format_minor(amount), most: shown.currency.format_minor(shown.amount_minor) })
        }
        Verdict::Approve { amount_minor: Some(amount) } if amount <= 0 => Err(Refusal::Nothing),
        Verdict::Approve { amount_minor: Some(amount) } => Ok(amount),
        Verdict::Approve { amount_minor: None } | Verdict::Reject => Ok(shown.amount_minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: Instant = Instant(1_000);
    const YES: Verdict = Verdict::Approve { amount_minor: None };

    fn step<'a>(role: &'a str, approved_by: Option<&'a str>) -> StepOfRoute<'a> {
        StepOfRoute { role, escalate_to: None, is_escalated: false, due_at: None, approved_by }
    }

    fn shown<'a>(steps: &'a [StepOfRoute<'a>]) -> Shown<'a> {
        let currency = "USD".parse().unwrap();
        Shown {
            status: Status::AwaitingApproval,
            partner: "acme",
            submitters: &["sue"],
            steps,
            currency,
            amount_minor: 2_500_000,
            digest: "sha256:a",
        }
    }

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn by<'a>(id: &'a str, roles: &'a [String]) -> Decider<'a> {
        Decider { id, partner: None, roles, is_disabled: false }
    }

    #[test]
    fn steps_are_decided_in_order_by_different_people() {
        let (manager, finance, both) = (roles(&["manager"]), roles(&["finance"]), roles(&["manager", "finance"]));
        let none = [step("manager", None), step("finance", None)];
        let decided = decide(&shown(&none), &by("jo", &manager), YES, None, NOON).unwrap();
        assert_eq!((decided.place, decided.role, decided.amount_minor), (0, "manager", 2_500_000));
        let early = decide(&shown(&none), &by("fi", &finance), YES, None, NOON);
        assert_eq!(early, Err(Refusal::OutOfOrder { role: "finance".into(), waits: "manager".into() }));
        let first = [step("manager", Some("jo")), step("finance", None)];
        assert_eq!(decide(&shown(&first), &by("fi", &finance), YES, None, NOON).map(|decided| decided.place), Ok(1));
        let again = decide(&shown(&first), &by("jo", &both), YES, None, NOON);
        assert_eq!(again, Err(Refusal::SamePerson { by: "jo".into(), role: "manager".into() }));
        let all = [step("manager", Some("jo")), step("finance", Some("fi"))];
        let late = decide(&shown(&all), &by("al", &both), YES, None, NOON);
        assert_eq!(late, Err(Refusal::NotWaiting { status: Status::AwaitingApproval }));
    }

    #[test]
    fn who_may_not_decide_is_told_why() {
        let manager = roles(&["manager"]);
        let steps = [step("manager", None)];
        let refused = |decider: Decider<'_>| decide(&shown(&steps), &decider, YES, None, NOON).unwrap_err();
        assert_eq!(refused(Decider { is_disabled: true, ..by("jo", &manager) }), Refusal::Disabled { by: "jo".into() });
        assert_eq!(refused(by("sue", &manager)), Refusal::Submitter { by: "sue".into() });
        let of_partner = Decider { partner: Some("acme"), ..by("jo", &manager) };
        assert_eq!(refused(of_partner), Refusal::OfPartner { by: "jo".into(), partner: "acme".into() });
        assert!(decide(&shown(&steps), &Decider { partner: Some("beta"), ..by("jo", &manager) }, YES, None, NOON).is_ok());
        assert_eq!(refused(by("jo", &roles(&["ops"]))), Refusal::NotAsked { by: "jo".into(), role: "manager".into() });
    }

    #[test]
    fn only_a_claim_that_waits_is_decided() {
        let manager = roles(&["manager"]);
        let steps = [step("manager", None)];
        for status in Status::ALL {
            let decided = decide(&Shown { status, ..shown(&steps) }, &by("jo", &manager), YES, None, NOON);
            match status {
                Status::Submitted | Status::AwaitingApproval => assert!(decided.is_ok()),
                Status::Approved | Status::Paying | Status::Paid | Status::Rejected | Status::Cancelled | Status::Expired | Status::Failed => {
                    assert_eq!(decided, Err(Refusal::NotWaiting { status }));
                }
            }
        }
    }

    #[test]
    fn a_step_goes_to_another_role_after_its_deadline() {
        let (manager, chief) = (roles(&["manager"]), roles(&["chief"]));
        let due_at = Some(NOON);
        let waits = [StepOfRoute { escalate_to: Some("chief"), due_at, ..step("manager", None) }];
        assert!(decide(&shown(&waits), &by("jo", &manager), YES, None, Instant(999)).is_ok());
        let over = decide(&shown(&waits), &by("jo", &manager), YES, None, NOON);
        assert_eq!(over, Err(Refusal::AfterDeadline { role: "manager".into(), due_at: NOON }));
        assert!(matches!(decide(&shown(&waits), &by("ch", &chief), YES, None, Instant(999)), Err(Refusal::NotAsked { .. })));
        let gone = [StepOfRoute { escalate_to: Some("chief"), is_escalated: true, due_at: Some(Instant(2_000)), ..step("manager", None) }];
        assert_eq!(decide(&shown(&gone), &by("ch", &chief), YES, None, NOON).map(|decided| decided.role), Ok("chief"));
        assert!(matches!(decide(&shown(&gone), &by("jo", &manager), YES, None, NOON), Err(Refusal::AfterDeadline { .. })));
        assert!(matches!(decide(&shown(&gone), &by("ch", &chief), YES, None, Instant(2_000)), Err(Refusal::AfterDeadline { .. })));
    }

    #[test]
    fn a_decision_is_about_what_was_shown() {
        let manager = roles(&["manager"]);
        let steps = [step("manager", None)];
        let decided = |digest| decide(&shown(&steps), &by("jo", &manager), YES, Some(digest), NOON);
        assert!(decided("sha256:a").is_ok());
        assert_eq!(decided("sha256:b"), Err(Refusal::Stale { shown: "sha256:b".into(), current: "sha256:a".into(), changed: Vec::new() }));
    }

    #[test]
    fn an_amount_may_be_lowered_only() {
        let manager = roles(&["manager"]);
        let steps = [step("manager", None)];
        let decided = |amount| decide(&shown(&steps), &by("jo", &manager), Verdict::Approve { amount_minor: Some(amount) }, None, NOON);
        assert_eq!(decided(2_500_000).map(|decided| decided.amount_minor), Ok(2_500_000));
        assert_eq!(decided(1).map(|decided| decided.amount_minor), Ok(1));
        assert_eq!(decided(2_500_001), Err(Refusal::Raised { amount: "25000.01".into(), most: "25000.00".into() }));
        assert_eq!((decided(0), decided(-1)), (Err(Refusal::Nothing), Err(Refusal::Nothing)));
    }

    proptest! {
        /// Whatever people try in whatever order, a route is approved by different people in order, none of whom benefits, and amounts fall.
        #[test]
        fn no_order_of_attempts_breaks_the_rules(tries in prop::collection::vec((0_usize..6, prop::option::of(1_i64..3_000_000), any::<bool>()), 0..40)) {
            let people = [("jo", &["manager"][..], None), ("fi", &["finance"], None), ("al", &["manager", "finance"], None), ("sue", &["manager", "finance"], None),
                ("pat", &["manager", "finance"], Some("acme")), ("op", &["ops"], None)];
            let mut approved: Vec<(&str, i64)> = Vec::new();
            let mut amount = 2_500_000;
            for (who, wanted, is_stale) in tries {
                let steps: Vec<StepOfRoute<'_>> =
                    ["manager", "finance"].iter().enumerate().map(|(place, role)| step(role, approved.get(place).map(|(id, _)| *id))).collect();
                let (id, names, partner) = people[who];
                let names = roles(names);
                let decider = Decider { partner, ..by(id, &names) };
                let digest = if is_stale { "sha256:old" } else { "sha256:a" };
                let verdict = Verdict::Approve { amount_minor: wanted };
                if let Ok(decided) = decide(&Shown { amount_minor: amount, ..shown(&steps) }, &decider, verdict, Some(digest), NOON) {
                    prop_assert_eq!(decided.place, approved.len());
                    prop_assert!(!is_stale && names.iter().any(|name| name == decided.role));
                    prop_assert!(decided.amount_minor <= amount && decided.amount_minor > 0);
                    amount = decided.amount_minor;
                    approved.push((id, amount));
                }
            }
            prop_assert!(approved.iter().all(|(id, _)| !["sue", "pat", "op"].contains(id)));
            if let [(first, _), (second, _)] = approved[..] {
                prop_assert_ne!(first, second);
            }
        }
    }
}
