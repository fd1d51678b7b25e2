//! What is left of attempts once they are too old to be kept one by one: counts by hour and class, and histograms whose
//! bins are 2 % wide. A figure read from a bin is that of its middle, and off by at most 1 %.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{ErrorClass, Observation, Percentile, decode_speed};
use crate::catalog::{EndpointId, ModelId};
use crate::units::Usd;

/// How much wider each bin is than the one before.
const WIDTH: f64 = 1.02;

/// The bin of a positive value: the ceiling of its logarithm to the base 1.02; `None` for anything else.
#[must_use]
pub fn bin_of(value: f64) -> Option<i64> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of any finite number is small")]
    let bin = libm::ceil(libm::log(value) / libm::log(WIDTH)) as i64;
    Some(bin)
}

/// The middle of a bin.
#[must_use]
pub fn middle_of(bin: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "bins are small")]
    let bin = bin as f64;
    libm::exp((bin - 0.5) * libm::log(WIDTH))
}

/// How often values fell into each bin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bins(pub BTreeMap<i64, u64>);

impl Bins {
    /// Adds so many values to a bin.
    pub fn add(&mut self, bin: i64, count: u64) {
        *self.0.entry(bin).or_default() += count;
    }

    /// Adds everything of another histogram.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(&bin, &count)| self.add(bin, count));
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// A percentile by nearest rank, read at the middle of its bin; `None` below its floor.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<f64> {
        let rank = percentile.rank(usize::try_from(self.count()).ok()?)?;
        let mut seen = 0_usize;
        let bin = self.0.iter().find(|(_, count)| {
            seen = seen.saturating_add(usize::try_from(**count).unwrap_or(usize::MAX));
            seen >= rank
        });
        bin.map(|(&bin, _)| middle_of(bin))
    }
}

/// One endpoint in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// When the hour began.
    pub at: Timestamp,
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// The model that it serves.
    pub model: ModelId,
    /// Attempts, by how they ended.
    pub classes: BTreeMap<ErrorClass, u64>,
    /// What the priced ones cost.
    pub cost: Usd,
    /// Times to first token, in microseconds; all sizes of input together.
    pub ttft_us: Bins,
    /// Decode speeds, in thousandths of a token per second.
    pub speed_milli: Bins,
}

impl Hour {
    /// An hour of an endpoint in which nothing happened yet.
    #[must_use]
    pub fn empty(at: Timestamp, endpoint: EndpointId, model: ModelId) -> Self {
        let (ttft_us, speed_milli) = (Bins::default(), Bins::default());
        Self { at, endpoint, model, classes: BTreeMap::new(), cost: Usd::ZERO, ttft_us, speed_milli }
    }

    /// Adds one attempt.
    pub fn add(&mut self, seen: &Observation) {
        *self.classes.entry(seen.class).or_default() += 1;
        self.cost += seen.cost.unwrap_or_default();
        ttft_bin(seen).into_iter().for_each(|bin| self.ttft_us.add(bin, 1));
        speed_bin(seen).into_iter().for_each(|bin| self.speed_milli.add(bin, 1));
    }
}

/// The bin of an attempt's time to first token.
#[must_use]
pub fn ttft_bin(seen: &Observation) -> Option<i64> {
    seen.counted_ttft().map(|ttft| ttft.as_secs_f64() * 1e6).and_then(bin_of)
}

/// The bin of its decode speed.
#[must_use]
pub fn speed_bin(seen: &Observation) -> Option<i64> {
    decode_speed(seen).map(|speed| speed * 1e3).and_then(bin_of)
}

/// The hour in which a moment lies.
#[must_use]
pub fn hour_of(at: Timestamp) -> Timestamp {
    let second = at.as_second().div_euclid(3600) * 3600;
    Timestamp::from_second(second).unwrap_or(at)
}

/// A time that was read from a bin of microseconds.
#[must_use]
pub fn duration_of(micros: f64) -> Duration {
    Duration::from_secs_f64((micros / 1e6).clamp(0.0, 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_read_at_the_middle_of_its_bin_is_off_by_at_most_one_percent() {
        let mut value = 0.7_f64;
        while value < 1e9 {
            let read = middle_of(bin_of(value).unwrap());
            assert!((read / value - 1.0).abs() <= 0.010_001, "{value} was read as {read}");
            value *= 1.003_7;
        }
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(bin_of), [None; 4]);
    }

    #[test]
    fn percentiles_of_bins_keep_their_floors_and_ranks() {
        let mut bins = Bins::default();
        (1..=7).for_each(|value| bins.add(bin_of(f64::from(value) * 1000.0).unwrap(), 1));
        assert_eq!(bins.percentile(Percentile::P50), None);
        bins.add(bin_of(8000.0).unwrap(), 1);
        let median = bins.percentile(Percentile::P50).unwrap();
        assert!((median / 4000.0 - 1.0).abs() < 0.0101, "{median}");
        let mut twice = bins.clone();
        twice.merge(&bins);
        assert_eq!((twice.count(), twice.percentile(Percentile::P50)), (16, Some(median)));
    }
}
