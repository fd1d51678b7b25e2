//! What was measured, as it is shown: raw samples of a window, percentiles only where the sample allows them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{ErrorClass, Judged, Observation, Percentile, Stratum, decode_speed};

/// The fewest samples that can certify a median at 95 % confidence (`metrics.md` 1.6).
pub const MEDIAN_FLOOR: usize = Percentile::P50.floor();

/// A wait that was measured, or cut off by a limit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// How long, in microseconds.
    pub micros: u64,
    /// Whether it was cut off: it would have taken at least that long.
    pub at_least: bool,
}

impl Wait {
    /// The time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.micros)
    }
}

/// Samples that may be compared with each other: those of one stratum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// Times to the first token; an attempt that ran into a limit counts with that limit.
    pub waits: Vec<Wait>,
    /// Times to the first answer token, in microseconds.
    pub answers_us: Vec<u64>,
    /// Decode speeds in tokens per second, where they mean anything.
    pub speeds: Vec<f64>,
    /// When the newest attempt with a sample began.
    pub newest: Option<Timestamp>,
}

impl Samples {
    /// A percentile of the time to the first token; `None` below its floor.
    #[must_use]
    pub fn ttft(&self, percentile: Percentile) -> Option<Wait> {
        percentile.of(&sorted(&self.waits, Ord::cmp))
    }

    /// A percentile of the time to the first answer token; `None` below its floor.
    #[must_use]
    pub fn ttfa(&self, percentile: Percentile) -> Option<Duration> {
        percentile.of(&sorted(&self.answers_us, Ord::cmp)).map(Duration::from_micros)
    }

    /// A percentile of the decode speed in tokens per second; `None` below its floor. The slow tail is the 10th.
    #[must_use]
    pub fn speed(&self, percentile: Percentile) -> Option<f64> {
        percentile.of(&sorted(&self.speeds, f64::total_cmp))
    }

    /// Attempts that ran into a limit before their first token.
    #[must_use]
    pub fn cut_off(&self) -> usize {
        self.waits.iter().filter(|wait| wait.at_least).count()
    }

    const fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.speeds.is_empty()
    }

    fn add(&mut self, seen: &Observation) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).ok();
        let wait = match seen.counted_ttft() {
            Some(ttft) => micros(ttft).map(|micros| Wait { micros, at_least: false }),
            None => seen.cut_off().and_then(micros).map(|micros| Wait { micros, at_least: true }),
        };
        let answer = seen.timings.ttfa.filter(|_| seen.counted_ttft().is_some());
        let speed = decode_speed(seen);
        if wait.is_some() || speed.is_some() {
            self.newest = self.newest.max(Some(seen.at));
        }
        self.waits.extend(wait);
        self.answers_us.extend(answer.and_then(micros));
        self.speeds.extend(speed);
    }
}

fn sorted<T: Copy>(samples: &[T], order: impl FnMut(&T, &T) -> std::cmp::Ordering) -> Vec<T> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(order);
    sorted
}

/// What was seen of one endpoint within a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Whole answers.
    pub successes: u32,
    /// Provider faults.
    pub faults: u32,
    /// Rate-limited attempts.
    pub limited: u32,
    /// When the newest attempt began.
    pub newest: Option<Timestamp>,
    /// When it last gave a whole answer.
    pub last_success: Option<Timestamp>,
    /// When it last failed by its own fault.
    pub last_fault: Option<Timestamp>,
    /// Attempts that count for availability, in the order in which they were added: when, and whether it was answered.
    pub outcomes: Vec<(Timestamp, bool)>,
    /// Times and speeds, by stratum.
    pub samples: BTreeMap<Stratum, Samples>,
}

impl Measured {
    /// Adds one attempt.
    pub fn add(&mut self, seen: &Observation) {
        self.newest = self.newest.max(Some(seen.at));
        let class = seen.counted_class();
        if class.is_success() {
            self.successes += 1;
            self.last_success = self.last_success.max(Some(seen.at));
            self.outcomes.push((seen.at, true));
        } else if class.is_provider_fault() {
            self.faults += 1;
            self.last_fault = self.last_fault.max(Some(seen.at));
            self.outcomes.push((seen.at, false));
        }
        self.limited += u32::from(class == ErrorClass::RateLimited);
        self.samples.entry(Stratum::of(seen)).or_default().add(seen);
    }

    /// The samples nearest to what is asked: of those that are enough for a median, else of all; never a mixture.
    #[must_use]
    pub fn nearest(&self, asked: &Stratum) -> Option<(&Stratum, &Samples)> {
        let of_at_least = |least: usize| {
            let enough = self.samples.iter().filter(|(_, samples)| samples.waits.len() >= least && !samples.is_empty());
            enough.min_by_key(|(stratum, _)| asked.distance(stratum))
        };
        of_at_least(MEDIAN_FLOOR).or_else(|| of_at_least(0))
    }

    /// Attempts that count for availability: whole answers and provider faults.
    #[must_use]
    pub const fn judged(&self) -> Judged {
        Judged { successes: self.successes, faults: self.faults }
    }

    /// The share of all attempts that came too fast for the provider; `None` without any.
    #[must_use]
    pub fn limited_share(&self) -> Option<f64> {
        let all = self.judged().count() + self.limited;
        (all > 0).then(|| f64::from(self.limited) / f64::from(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Usage;
    use crate::observe::Flags;
    use crate::observe::tests_support::seen;
    use crate::units::Tokens;

    fn timed(class: ErrorClass, millis: u64, input: u64) -> Observation {
        let mut timed = seen("2026-11-24T10:00:00Z", class);
        timed.timings.ttft = Some(Duration::from_millis(millis));
        timed.usage = Some(Usage::text(input, 10));
        timed
    }

    #[test]
    fn there_is_no_median_below_its_floor() {
        let mut measured = Measured::default();
        let asked = Stratum::plain(Tokens::new(100));
        for millis in 1..=7 {
            measured.add(&timed(ErrorClass::Ok, millis, 100));
        }
        let median = |measured: &Measured| measured.nearest(&asked).unwrap().1.ttft(Percentile::P50);
        assert_eq!(median(&measured), None);
        measured.add(&timed(ErrorClass::ProviderFault, 8, 100));
        assert_eq!(median(&measured), Some(Wait { micros: 4_000, at_least: false }));
        assert_eq!(measured.judged().share(), Some(0.875));
        assert_eq!(Measured::default().judged().share(), None, "unknown is not zero");
    }

    #[test]
    fn long_and_short_prompts_are_not_mixed_and_the_nearest_that_is_enough_is_shown() {
        let mut measured = Measured::default();
        (0..8).for_each(|_| measured.add(&timed(ErrorClass::Ok, 100, 100)));
        (0..9).for_each(|_| measured.add(&timed(ErrorClass::Ok, 9_000, 50_000)));
        measured.add(&timed(ErrorClass::Ok, 1_000, 5_000));
        let at = |input: u64| {
            let asked = Stratum::plain(Tokens::new(input));
            let (stratum, samples) = measured.nearest(&asked).unwrap();
            (stratum.name(), samples.ttft(Percentile::P50).unwrap().duration().as_millis())
        };
        assert_eq!(at(10), ("<=1k in".to_owned(), 100));
        assert_eq!(at(60_000), ("10k-100k in".to_owned(), 9_000));
        assert_eq!(at(500_000), ("10k-100k in".to_owned(), 9_000));
        // One sample of the very size says less than eight of the next.
        assert_eq!(at(5_000).0, "<=1k in");
    }

    #[test]
    fn what_ran_into_a_limit_took_at_least_that_long() {
        let mut measured = Measured::default();
        (0..5).for_each(|_| measured.add(&timed(ErrorClass::Ok, 100, 100)));
        for _ in 0..6 {
            let mut cut = seen("2026-11-24T10:00:00Z", ErrorClass::ProviderTimeout);
            cut.timings.e2e = Some(Duration::from_secs(30));
            cut.flags = Flags::CENSORED;
            cut.asked = crate::observe::Asked {
                input: Some(Tokens::new(100)),
                stream: Some(true),
                ..crate::observe::Asked::default()
            };
            measured.add(&cut);
        }
        let (_, samples) = measured.nearest(&Stratum::plain(Tokens::new(1))).unwrap();
        assert_eq!(samples.ttft(Percentile::P50), Some(Wait { micros: 30_000_000, at_least: true }));
        assert_eq!(samples.cut_off(), 6);
    }
}
