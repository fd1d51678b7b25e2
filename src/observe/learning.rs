//! How attempts are folded, as data: half-lives, caps, and what a cut-off wait leans on ([`Learning`]); and the decayed
//! moments of a logarithm ([`Moments`]).

use std::time::Duration;

/// How estimates learn and forget. A part of the policy, so that it prints.
///
/// The half-life of times follows how often an endpoint is asked: `rate_base` / sqrt(attempts per hour), held within
/// `half_life_min` and `half_life_max` (`metrics.md` 3.3, with the lower bound that `routing.md` found for a busy process).
/// Shares of success have a short memory of a fixed half-life and a lasting one, `lasting_factor` times as long as that
/// of times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// The half-life of times at one attempt an hour.
    pub rate_base: Duration,
    /// The shortest half-life of times.
    pub half_life_min: Duration,
    /// The longest half-life of times.
    pub half_life_max: Duration,
    /// More samples than this are not remembered of a time, so that a change is noticed within as many.
    pub cap: f64,
    /// The half-life of the short memory of successes, faults and refusals.
    pub recent: Duration,
    /// How many times longer the lasting memory is than that of times.
    pub lasting_factor: f64,
    /// The shortest half-life of the lasting memory.
    pub lasting_min: Duration,
    /// The longest half-life of the lasting memory.
    pub lasting_max: Duration,
    /// The wait for a first token that a cut-off wait leans on where nothing was measured, in seconds.
    pub prior_ttft_s: f64,
    /// Variance of its logarithm.
    pub prior_ttft_variance: f64,
    /// How many samples that prior weighs.
    pub prior_samples: f64,
    /// How much an endpoint's own wait may differ from it, as a variance of the logarithm: what is added to the spread of
    /// an endpoint of which nothing is known, half as much after one sample, a third after two.
    pub prior_ttft_doubt: f64,
    /// How many samples a wait of the long run weighs beside those of late, and one of any size beside those of a size.
    pub lasting_samples: f64,
    /// How much of the seconds lost per failure a further failure decides.
    pub failure_share: f64,
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            rate_base: Duration::from_secs(1800),
            half_life_min: Duration::from_secs(30),
            half_life_max: Duration::from_secs(6 * 3600),
            cap: 20.0,
            recent: Duration::from_secs(30),
            lasting_factor: 12.0,
            lasting_min: Duration::from_secs(30 * 60),
            lasting_max: Duration::from_secs(24 * 3600),
            prior_ttft_s: 0.6,
            prior_ttft_variance: 0.25,
            prior_samples: 2.0,
            prior_ttft_doubt: 0.5,
            lasting_samples: 2.0,
            failure_share: 0.2,
        }
    }
}

/// The time in which the known rate of attempts falls to 1/e, in hours.
pub(super) const RATE_HOURS: f64 = 1.0;

impl Learning {
    /// Mean and variance of the logarithm of the wait for a first token, in seconds: what was seen of late leans on the long
    /// run, and that on the prior.
    #[must_use]
    pub fn usual_ttft(&self, late: &Moments, lasting: &Moments) -> (f64, f64) {
        let prior = (libm::log(self.prior_ttft_s), self.prior_ttft_variance);
        late.shrunk(lasting.shrunk(prior, self.prior_samples), self.lasting_samples)
    }

    /// By how many half-lives times fade within `elapsed` seconds that began with `rate` attempts an hour.
    #[must_use]
    pub fn halvings(&self, rate: f64, elapsed: f64) -> f64 {
        halvings(rate, elapsed, self.rate_base.as_secs_f64(), self.half_life_min, self.half_life_max)
    }

    /// The same for the lasting memory.
    #[must_use]
    pub fn lasting_halvings(&self, rate: f64, elapsed: f64) -> f64 {
        let base = self.rate_base.as_secs_f64() * self.lasting_factor;
        halvings(rate, elapsed, base, self.lasting_min, self.lasting_max)
    }
}

/// The integral of the fading over a pause in which the rate itself fades, so that two pauses in turn are one.
fn halvings(rate: f64, elapsed: f64, base: f64, shortest: Duration, longest: Duration) -> f64 {
    let (shortest, longest) = (shortest.as_secs_f64(), longest.as_secs_f64());
    // Halvings a second at the beginning, and the time in which that falls to 1/e.
    let speed = libm::sqrt(rate.max(0.0)) / base;
    let falls = 2.0 * RATE_HOURS * 3600.0;
    let until = |half_life: f64| {
        let ratio = speed * half_life;
        if ratio > 1.0 { (falls * libm::log(ratio)).min(elapsed) } else { 0.0 }
    };
    let (fast, slow) = (until(shortest), until(longest));
    let between = speed * falls * (libm::exp(-fast / falls) - libm::exp(-slow / falls));
    fast / shortest + between + (elapsed - slow) / longest
}

/// Decayed weight, mean and variance of the logarithm of a positive quantity.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// Decayed number of samples.
    pub weight: f64,
    /// Mean of the logarithms.
    pub mean: f64,
    /// Sum of squared deviations of the logarithms.
    pub squares: f64,
}

impl Moments {
    pub(super) fn decay(&mut self, factor: f64) {
        self.weight *= factor;
        self.squares *= factor;
    }

    /// Adds a positive value.
    pub(super) fn add(&mut self, value: f64, cap: f64) {
        if value.is_finite() && value > 0.0 {
            self.add_log(libm::log(value), cap);
        }
    }

    /// Adds a logarithm, and forgets the oldest beyond `cap` samples.
    pub(super) fn add_log(&mut self, log: f64, cap: f64) {
        self.weight += 1.0;
        let delta = log - self.mean;
        self.mean += delta / self.weight;
        self.squares += delta * (log - self.mean);
        if self.weight > cap {
            self.decay(cap / self.weight);
        }
    }

    /// Variance of the logarithms; 0 below two samples.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.weight > 1.0 { (self.squares / self.weight).max(0.0) } else { 0.0 }
    }

    /// These samples and those of another, as one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let weight = self.weight + other.weight;
        if weight <= 0.0 {
            return *self;
        }
        let apart = other.mean - self.mean;
        Self {
            weight,
            mean: self.mean + apart * other.weight / weight,
            squares: self.squares + other.squares + apart * apart * self.weight * other.weight / weight,
        }
    }

    /// The mean and variance of the logarithm, leant on a mean and variance that weigh so many samples.
    #[must_use]
    pub fn shrunk(&self, (mean, variance): (f64, f64), samples: f64) -> (f64, f64) {
        let weight = self.weight + samples;
        if weight <= 0.0 {
            return (mean, variance);
        }
        (
            (self.weight * self.mean + samples * mean) / weight,
            (self.weight * self.variance() + samples * variance) / weight,
        )
    }
}

/// What a logarithm that is only known to lie above `above` is taken for: its mean there, if it is normal.
#[must_use]
pub fn censored((mean, variance): (f64, f64), above: f64) -> f64 {
    let spread = libm::sqrt(variance.max(1e-4));
    let a = (above - mean) / spread;
    mean + spread * hazard(a)
}

/// The normal density at `a` over what lies above it.
fn hazard(a: f64) -> f64 {
    // Far out both vanish; there the quotient is a continued fraction.
    if a > 5.0 {
        return a + 1.0 / (a + 2.0 / (a + 3.0 / (a + 4.0 / a)));
    }
    let density = libm::exp(-a * a / 2.0) / libm::sqrt(2.0 * core::f64::consts::PI);
    density / (0.5 * libm::erfc(a / core::f64::consts::SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_half_life_follows_the_rate_within_its_bounds() {
        let learning = Learning::default();
        // Within a second the rate does not change.
        let half_life = |rate: f64| 1.0 / learning.halvings(rate, 1.0);
        for (rate, seconds) in [(0.0, 21_600.0), (0.004, 21_600.0), (1.0, 1800.0), (3600.0, 30.0), (1e6, 30.0)] {
            assert!((half_life(rate) - seconds).abs() < seconds * 1e-3, "{rate}: {}", half_life(rate));
        }
        assert!((1.0 / learning.lasting_halvings(14_400.0, 1.0) - 1800.0).abs() < 1.0);
        assert!((1.0 / learning.lasting_halvings(0.0, 1.0) - 86_400.0).abs() < 1.0);
    }

    proptest! {
        #[test]
        fn two_pauses_in_turn_fade_like_one(rate in 0.0..50_000.0_f64, one in 0.0..40_000.0_f64, two in 0.0..40_000.0_f64) {
            let learning = Learning::default();
            let later = rate * libm::exp(-one / (RATE_HOURS * 3600.0));
            let apart = learning.halvings(rate, one) + learning.halvings(later, two);
            let whole = learning.halvings(rate, one + two);
            prop_assert!((apart - whole).abs() <= 1e-9 * whole.max(1.0), "{} {}", apart, whole);
        }

        #[test]
        fn samples_in_two_parts_are_the_samples(values in prop::collection::vec(0.01..100.0_f64, 2..20), cut in 1..19_usize) {
            let of = |part: &[f64]| {
                let mut moments = Moments::default();
                part.iter().for_each(|value| moments.add(*value, 1e9));
                moments
            };
            let cut = cut.min(values.len());
            let (whole, parts) = (of(&values), of(&values[..cut]).and(&of(&values[cut..])));
            prop_assert!((whole.mean - parts.mean).abs() < 1e-9);
            prop_assert!((whole.squares - parts.squares).abs() < 1e-6);
        }
    }

    #[test]
    fn a_cut_off_wait_is_taken_for_more_than_it_was() {
        let prior = (0.0, 0.25);
        // The mean of a standard normal above 0 is 0.797885, above 2 it is 2.373216.
        assert!((censored(prior, 0.0) - 0.5 * 0.797_884_560_8).abs() < 1e-9);
        assert!((censored(prior, 1.0) - 0.5 * 2.373_215_532_8).abs() < 1e-6);
        for above in [-1.0, 0.5, 2.4, 2.6, 10.0, 40.0] {
            assert!(censored(prior, above) > above);
        }
        let (near, far) = (censored(prior, 2.499_999), censored(prior, 2.500_001));
        assert!((near - far).abs() < 1e-4, "the two ways to compute it meet: {near} {far}");
    }

    #[test]
    fn a_time_remembers_no_more_samples_than_its_cap() {
        let mut moments = Moments::default();
        (0..200).for_each(|_| moments.add(1.0, 20.0));
        assert!((moments.weight - 20.0).abs() < 1e-9);
        (0..15).for_each(|_| moments.add(core::f64::consts::E, 20.0));
        assert!(moments.mean > 0.5, "half of it is new after fifteen samples: {}", moments.mean);
    }
}
