//! The count of kills: which of them met work in flight, and whether they were enough.

use std::time::Duration;

use crate::seeded::Seeded;

/// Of a hundred kills at least so many meet work, or the harness has shown too little.
const MEET_WORK_MIN: u64 = 80;
/// Below so many, kills come as soon as work is seen.
const AIM_CLOSER_BELOW: u64 = 90;

/// Kills that were sent, and those of them that met work in flight.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Shots {
    pub(crate) sent: u64,
    pub(crate) counted: u64,
}

impl Shots {
    pub(crate) fn note(&mut self, met_work: bool) {
        self.sent += 1;
        self.counted += u64::from(met_work);
    }

    pub(crate) fn add(&mut self, other: Self) {
        (self.sent, self.counted) = (self.sent + other.sent, self.counted + other.counted);
    }

    /// Whether so many have counted, or so many more were sent that the rest would not help.
    pub(crate) fn are_enough(&self, wanted: u64) -> bool {
        self.counted >= wanted || self.sent >= wanted * 2
    }

    /// Whether it is time to aim closer: how long work lasts differs from machine to machine.
    pub(crate) fn miss_too_often(&self) -> bool {
        self.counted * 100 < self.sent * AIM_CLOSER_BELOW
    }

    /// How long after work was seen the kill comes.
    pub(crate) fn moment(&self, random: &mut Seeded, longest_ms: u64) -> Duration {
        Duration::from_millis(random.between(0, if self.miss_too_often() { 2 } else { longest_ms }))
    }

    /// Enough kills counted, and few did not.
    pub(crate) fn assert_met_work(&self, wanted: u64) {
        let Self { sent, counted } = *self;
        assert!(counted >= wanted, "only {counted} of {sent} kills met work in flight, and {wanted} were wanted");
        assert!(counted * 100 >= sent * MEET_WORK_MIN, "only {counted} of {sent} kills met work in flight: fewer than {MEET_WORK_MIN} %");
    }
}
