//! What has changed of a claim since somebody saw it, in people's words (domain.md §6.5; reliability.md §3.4).

use std::fmt;

use crate::money::Currency;

/// Characters of a digest that are shown: enough to tell two apart by eye.
const DIGEST_SHOWN: usize = 15;

/// Why a version of a claim came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was submitted.
    Submitted,
    /// It was submitted again.
    Resubmitted,
    /// A proof was added.
    Documents,
    /// The account that its money goes to was changed.
    Destination,
    /// An approver lowered its amount.
    Lowered,
}

/// A claim as it was shown at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its digest.
    pub digest: String,
    /// What was asked for, minor units.
    pub amount_minor: i64,
    /// Why it came to be.
    pub cause: Cause,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The amount, in the claim's currency.
    Amount {
        /// What was shown.
        from: String,
        /// What it is now.
        to: String,
    },
    /// A proof was added.
    Documents,
    /// The account that its money goes to.
    Destination,
    /// It was submitted again.
    Resubmitted,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount { from, to } => write!(f, "it asks for {to} instead of {from}"),
            Self::Documents => f.write_str("a proof was added"),
            Self::Destination => f.write_str("the account that it is paid to was changed"),
            Self::Resubmitted => f.write_str("it was submitted again"),
        }
    }
}

/// What has changed between the version of a digest and the last one, each thing once; nothing where the digest is that of none.
#[must_use]
pub fn since(versions: &[Version], shown: &str, currency: Currency) -> Vec<Change> {
    let Some(place) = versions.iter().rposition(|version| version.digest == shown) else { return Vec::new() };
    let (Some(seen), Some(last), Some(later)) = (versions.get(place), versions.last(), versions.get(place + 1..)) else { return Vec::new() };
    let mut changes = Vec::new();
    for (cause, change) in
        [(Cause::Resubmitted, Change::Resubmitted), (Cause::Documents, Change::Documents), (Cause::Destination, Change::Destination)]
    {
        if later.iter().any(|version| version.cause == cause) {
            changes.push(change);
        }
    }
    if seen.amount_minor != last.amount_minor {
        changes.push(Change::Amount { from: currency.format_minor(seen.amount_minor), to: currency.format_minor(last.amount_minor) });
    }
    changes
}

/// The changes in a sentence's part, and the beginnings of both digests.
pub(super) fn told(changes: &[Change], shown: &str, current: &str) -> String {
    let what = if changes.is_empty() { "what was shown is not known here".to_owned() } else { list(changes) };
    format!("{what} (shown {}, now {})", short(shown), short(current))
}

fn list(changes: &[Change]) -> String {
    changes.iter().map(Change::to_string).collect::<Vec<_>>().join(", ")
}

/// The beginning of a digest; of text that is none, what can do no harm.
fn short(digest: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_');
    let beginning: String = digest.chars().filter(plain).take(DIGEST_SHOWN).collect();
    let is_cut = beginning.len() < digest.len();
    if is_cut { format!("{beginning}…") } else { beginning }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(digest: &str, amount_minor: i64, cause: Cause) -> Version {
        Version { digest: digest.to_owned(), amount_minor, cause }
    }

    fn texts(versions: &[Version], shown: &str) -> Vec<String> {
        since(versions, shown, "USD".parse().unwrap()).iter().map(Change::to_string).collect()
    }

    #[test]
    fn what_changed_is_told_once_each() {
        let versions = [
            version("a", 2_500_000, Cause::Submitted),
            version("b", 2_000_000, Cause::Lowered),
            version("c", 2_000_000, Cause::Documents),
            version("d", 2_000_000, Cause::Documents),
            version("e", 2_000_000, Cause::Destination),
            version("f", 1_000_000, Cause::Resubmitted),
        ];
        assert_eq!(texts(&versions[..2], "a"), ["it asks for 20000.00 instead of 25000.00"]);
        assert_eq!(texts(&versions[..4], "b"), ["a proof was added"]);
        assert_eq!(texts(&versions[..5], "d"), ["the account that it is paid to was changed"]);
        let all =
            ["it was submitted again", "a proof was added", "the account that it is paid to was changed", "it asks for 10000.00 instead of 25000.00"];
        assert_eq!(texts(&versions, "a"), all);
        assert_eq!(texts(&versions, "f"), [""; 0]);
        assert_eq!(texts(&versions, "z"), [""; 0]);
    }

    #[test]
    fn digests_are_short_and_text_is_inert() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(short(&digest), "sha256:01234567…");
        assert_eq!(short("a\r\nb\u{202E}<script>"), "abscript…");
        assert_eq!(told(&[], "x", &digest), "what was shown is not known here (shown x, now sha256:01234567…)");
    }
}
