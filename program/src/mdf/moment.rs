//! When something is noted to have been done, by clocks of several machines (domain.md §2.4).

use crate::calendar::Instant;

/// When an act is noted to have been done: now, but never before what it follows, which a machine whose clock is ahead may have noted later than
/// it is here. Whether its time is over is judged by now itself.
///
/// # Source
/// reliability.md §2 (clock jump), §1.20: steps are in order.
#[must_use]
pub fn noted_at(now: Instant, follows: impl IntoIterator<Item = Option<Instant>>) -> Instant {
    follows.into_iter().flatten().fold(now, Instant::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_noted_before_what_it_follows() {
        assert_eq!(noted_at(Instant(5), []), Instant(5));
        assert_eq!(noted_at(Instant(5), [None, Some(Instant(4))]), Instant(5));
        assert_eq!(noted_at(Instant(5), [Some(Instant(6)), None, Some(Instant(7))]), Instant(7));
    }
}
