//! What was measured, as it is shown: raw samples of a window, percentiles only where the sample allows them.

use std::time::Duration;

use jiff::Timestamp;

/// The fewest samples that can certify a median at 95 % confidence (`metrics.md` 1.6).
pub const MEDIAN_FLOOR: usize = 8;

/// The samples of one endpoint within a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Times to first token, in microseconds.
    pub ttft_us: Vec<u64>,
    /// Decode speeds in tokens per second, where they mean anything.
    pub speeds: Vec<f64>,
    /// Whole answers.
    pub successes: u32,
    /// Provider faults.
    pub faults: u32,
    /// Rate-limited attempts.
    pub limited: u32,
    /// When the newest attempt began.
    pub newest: Option<Timestamp>,
}

impl Measured {
    /// Adds one attempt.
    pub fn add(&mut self, at: Timestamp, class: super::ErrorClass, ttft_us: Option<u64>, speed: Option<f64>) {
        self.newest = self.newest.max(Some(at));
        self.ttft_us.extend(ttft_us);
        self.speeds.extend(speed);
        self.successes += u32::from(class.is_success());
        self.faults += u32::from(class.is_provider_fault());
        self.limited += u32::from(class == super::ErrorClass::RateLimited);
    }

    /// Median time to first token; `None` below eight samples.
    #[must_use]
    pub fn ttft_p50(&self) -> Option<Duration> {
        let mut sorted = self.ttft_us.clone();
        sorted.sort_unstable();
        median(&sorted).map(Duration::from_micros)
    }

    /// The 95th percentile of the time to first token; `None` below 93 samples.
    #[must_use]
    pub fn ttft_p95(&self) -> Option<Duration> {
        let mut sorted = self.ttft_us.clone();
        sorted.sort_unstable();
        super::Percentile::P95.of(&sorted).map(Duration::from_micros)
    }

    /// Median decode speed in tokens per second; `None` below eight samples.
    #[must_use]
    pub fn speed_p50(&self) -> Option<f64> {
        let mut sorted = self.speeds.clone();
        sorted.sort_by(f64::total_cmp);
        median(&sorted)
    }

    /// Attempts that count for availability: whole answers and provider faults.
    #[must_use]
    pub const fn judged(&self) -> u32 {
        self.successes + self.faults
    }

    /// The 95 % interval of that share (Wilson's); `None` without any.
    #[must_use]
    pub fn availability_interval(&self) -> Option<(f64, f64)> {
        super::wilson(u64::from(self.successes), u64::from(self.judged()))
    }

    /// What that share means in a word, as far as the sample allows one.
    #[must_use]
    pub fn health(&self) -> super::Health {
        super::Health::of(u64::from(self.successes), u64::from(self.judged()))
    }

    /// The share of all attempts that came too fast for the provider; `None` without any.
    #[must_use]
    pub fn limited_share(&self) -> Option<f64> {
        let all = self.judged() + self.limited;
        (all > 0).then(|| f64::from(self.limited) / f64::from(all))
    }

    /// The share of them that were whole answers; `None` without any.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        (self.judged() > 0).then(|| f64::from(self.successes) / f64::from(self.judged()))
    }
}

/// Nearest rank.
fn median<T: Copy>(sorted: &[T]) -> Option<T> {
    if sorted.len() < MEDIAN_FLOOR {
        return None;
    }
    sorted.get(sorted.len().div_ceil(2) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ErrorClass;

    #[test]
    fn there_is_no_median_below_its_floor() {
        let mut measured = Measured::default();
        for at in 1..=7_u64 {
            measured.add(Timestamp::UNIX_EPOCH, ErrorClass::Ok, Some(at * 1000), None);
        }
        assert_eq!(measured.ttft_p50(), None);
        measured.add(Timestamp::UNIX_EPOCH, ErrorClass::ProviderFault, Some(8000), None);
        assert_eq!(measured.ttft_p50(), Some(Duration::from_millis(4)));
        assert_eq!(measured.availability(), Some(0.875));
        assert_eq!(Measured::default().availability(), None, "unknown is not zero");
    }
}
