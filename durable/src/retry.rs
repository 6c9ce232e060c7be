//! How often and how late something is tried again.

use std::time::Duration;

/// Bounded attempts with growing, jittered waits between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// After so many attempts the run is parked.
    pub attempts_max: u32,
    /// The wait after the first attempt.
    pub first: Duration,
    /// Each further wait is this many times the one before.
    pub factor: u32,
    /// No wait is longer.
    pub longest: Duration,
}

impl RetryPolicy {
    /// For a step in the database: five attempts within about five seconds.
    pub const TX: Self = Self { attempts_max: 5, first: Duration::from_millis(200), factor: 3, longest: Duration::from_mins(1) };
    /// For a step in the outside world: eight attempts within some ten minutes.
    pub const STEP: Self = Self { attempts_max: 8, first: Duration::from_secs(1), factor: 3, longest: Duration::from_mins(5) };

    /// The wait after attempt number `attempt` (from 1), without jitter.
    #[must_use]
    pub fn wait_after(&self, attempt: u32) -> Duration {
        let mut wait = self.first.min(self.longest);
        for _ in 1..attempt.min(64) {
            wait = wait.saturating_mul(self.factor).min(self.longest);
        }
        wait
    }
}

/// Between half of a wait and all of it.
pub(crate) fn jittered(wait: Duration, random: &mut fastrand::Rng) -> Duration {
    let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.u64(micros / 2..=micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        let policy = RetryPolicy { attempts_max: 9, first: Duration::from_secs(1), factor: 3, longest: Duration::from_secs(10) };
        let waits: Vec<u64> = (1..=5).map(|attempt| policy.wait_after(attempt).as_secs()).collect();
        assert_eq!(waits, [1, 3, 9, 10, 10]);
        assert_eq!(policy.wait_after(u32::MAX).as_secs(), 10);
    }

    #[test]
    fn jitter_stays_between_half_and_all_and_repeats_by_seed() {
        let wait = Duration::from_millis(100);
        let waits = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..100).map(|_| jittered(wait, &mut random)).collect::<Vec<_>>()
        };
        assert!(waits(1).iter().all(|jittered| *jittered >= wait / 2 && *jittered <= wait));
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
