//! Repeatable choices on integers: the same seed gives the same data on every machine.

/// One stream of choices (splitmix64). Streams of different names are independent, so that a choice more in one part changes no other part.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a name under a seed.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a: names that differ in one byte start far apart.
        let named = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        let mut stream = Self(named ^ seed);
        stream.next();
        stream
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` through `high`, which is not below it.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let choices = u128::from(high.abs_diff(low)) + 1;
        let chosen = (u128::from(self.next()) * choices) >> 64;
        low + i64::try_from(chosen).unwrap_or(0)
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of some things, of which there is at least one.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// A number below `length`, which is not zero.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        let last = i64::try_from(length).unwrap_or(i64::MAX) - 1;
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// Puts things in another order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.index(last + 1);
            things.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_name_and_seed() {
        let first = |seed, name| {
            let mut random = Random::new(seed, name);
            [(); 4].map(|()| random.between(0, i64::MAX))
        };
        assert_eq!(first(1, "deals"), first(1, "deals"));
        assert_ne!(first(1, "deals"), first(2, "deals"));
        assert_ne!(first(1, "deals"), first(1, "deal"));
    }

    #[test]
    fn numbers_reach_both_ends_and_go_no_further() {
        let mut random = Random::new(0, "ends");
        let drawn: Vec<i64> = (0..1_000).map(|_| random.between(-2, 3)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&3)));
    }

    #[test]
    fn shuffling_keeps_everything() {
        let mut things: Vec<u32> = (0..50).collect();
        Random::new(3, "shuffle").shuffle(&mut things);
        assert_ne!(things, (0..50).collect::<Vec<_>>());
        things.sort_unstable();
        assert_eq!(things, (0..50).collect::<Vec<_>>());
    }
}
