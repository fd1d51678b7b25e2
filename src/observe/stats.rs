//! The fold of many attempts: decayed sums that are updated by an [`Observation`] and read at a given `now`.
//!
//! Weights halve with time, not with samples, because the samples of a command line are irregular; an endpoint that is
//! left alone drifts back to its prior. The half-life follows `metrics.md` 3.3: 2 h / sqrt(samples per hour), held
//! within 15 minutes and 6 hours.

use std::time::Duration;

use jiff::Timestamp;

use super::{Cooldown, ErrorClass, Observation, decode_speed};

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
    fn decay(&mut self, factor: f64) {
        self.weight *= factor;
        self.squares *= factor;
    }

    fn add(&mut self, value: f64) {
        if !(value.is_finite() && value > 0.0) {
            return;
        }
        let log = libm::log(value);
        self.weight += 1.0;
        let delta = log - self.mean;
        self.mean += delta / self.weight;
        self.squares += delta * (log - self.mean);
    }

    /// Variance of the logarithms; 0 below two samples.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.weight > 1.0 { (self.squares / self.weight).max(0.0) } else { 0.0 }
    }
}

/// Why an endpoint is left alone, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    /// Until when.
    pub until: Timestamp,
    /// The failure that began it.
    pub class: ErrorClass,
}

/// What routing reads of one endpoint, as of a given `now`. Everything is decayed to that moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointStats {
    /// Decayed successes.
    pub successes: f64,
    /// Decayed provider faults.
    pub faults: f64,
    /// Decayed rate-limited attempts.
    pub limited: f64,
    /// Time to first token, ln seconds.
    pub ttft: Moments,
    /// Decode speed, ln tokens per second.
    pub speed: Moments,
    /// Age of the newest attempt.
    pub age: Option<Duration>,
    /// When it last succeeded, and last failed by its own fault.
    pub last_success: Option<Timestamp>,
    /// When it last failed by its own fault.
    pub last_fault: Option<Timestamp>,
    /// Whether it is being left alone.
    pub cooling: Option<Cooling>,
}

/// The decayed sums of one endpoint as they are stored: valid at `updated`.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsState {
    /// The moment at which the sums hold.
    pub updated: Timestamp,
    /// Decayed successes.
    pub successes: f64,
    /// Decayed provider faults.
    pub faults: f64,
    /// Decayed rate-limited attempts.
    pub limited: f64,
    /// Time to first token, ln seconds.
    pub ttft: Moments,
    /// Decode speed, ln tokens per second.
    pub speed: Moments,
    /// Decayed attempts, from which the rate per hour follows.
    pub attempts: f64,
    /// Failures in a row that the provider is left alone for, sooner or later.
    pub failures_in_row: u32,
    /// Pauses in a row, without a success between them.
    pub ejections: u32,
    /// Whether it is being left alone.
    pub cooling: Option<Cooling>,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// When it last failed by its own fault.
    pub last_fault: Option<Timestamp>,
}

/// The window over which `attempts` is a rate, in hours: attempts decay with this half-life times ln 2.
const RATE_HOURS: f64 = 24.0;

impl StatsState {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            updated: at,
            successes: 0.0,
            faults: 0.0,
            limited: 0.0,
            ttft: Moments::default(),
            speed: Moments::default(),
            attempts: 0.0,
            failures_in_row: 0,
            ejections: 0,
            cooling: None,
            last_success: None,
            last_fault: None,
        }
    }

    /// Half-life of the sums: 2 h / sqrt(attempts per hour), within 15 minutes and 6 hours.
    #[must_use]
    pub fn half_life(&self) -> Duration {
        let per_hour = (self.attempts / RATE_HOURS).max(1e-6);
        let hours = (2.0 / libm::sqrt(per_hour)).clamp(0.25, 6.0);
        Duration::from_secs_f64(hours * 3600.0)
    }

    fn decay_to(&mut self, now: Timestamp) {
        let elapsed = seconds_between(self.updated, now);
        if elapsed <= 0.0 {
            return;
        }
        let factor = libm::exp2(-elapsed / self.half_life().as_secs_f64());
        self.successes *= factor;
        self.faults *= factor;
        self.limited *= factor;
        self.ttft.decay(factor);
        self.speed.decay(factor);
        self.attempts *= libm::exp(-elapsed / (RATE_HOURS * 3600.0));
        self.updated = now;
    }

    /// Folds one attempt in.
    pub fn observe(&mut self, seen: &Observation) {
        self.decay_to(seen.at);
        self.attempts += 1.0;
        if seen.class.is_success() {
            self.successes += 1.0;
            self.failures_in_row = 0;
            self.ejections = 0;
            self.cooling = None;
            self.last_success = Some(seen.at);
        } else if seen.class.is_provider_fault() {
            self.faults += 1.0;
            self.last_fault = Some(seen.at);
        } else if seen.class == ErrorClass::RateLimited {
            self.limited += 1.0;
        }
        if let Some(ttft) = seen.timings.ttft {
            self.ttft.add(ttft.as_secs_f64());
        }
        if let Some(speed) = decode_speed(seen) {
            self.speed.add(speed);
        }
        self.cool(seen);
    }

    /// Cool-downs only lengthen.
    fn cool(&mut self, seen: &Observation) {
        let doubled = |base: Duration, most: Duration| base.saturating_mul(1 << self.ejections.min(8)).min(most);
        let in_row = self.failures_in_row.saturating_add(1);
        let pause = match seen.class.cooldown() {
            Cooldown::None => return,
            Cooldown::Fixed(pause) => Some(pause),
            Cooldown::Hint(base, most) => {
                let asked = seen.retry_after.map(|asked| asked.max(Duration::from_secs(1)));
                Some(asked.unwrap_or(doubled(base, most)))
            }
            // What has failed its trial after a pause need not fail three times more.
            Cooldown::InARow(least, base, most) => (in_row >= least || self.ejections > 0).then(|| doubled(base, most)),
        };
        self.failures_in_row = in_row;
        let Some(pause) = pause else { return };
        self.ejections = self.ejections.saturating_add(1);
        let ended = seen.timings.e2e.unwrap_or_default();
        let until = seen.at.checked_add(ended).and_then(|at| at.checked_add(pause)).unwrap_or(seen.at);
        if self.cooling.is_none_or(|cooling| until > cooling.until) {
            self.cooling = Some(Cooling { until, class: seen.class });
        }
    }

    /// What routing reads, as of `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> EndpointStats {
        let mut state = self.clone();
        state.decay_to(now);
        EndpointStats {
            successes: state.successes,
            faults: state.faults,
            limited: state.limited,
            ttft: state.ttft,
            speed: state.speed,
            age: (self.attempts > 0.0).then(|| Duration::from_secs_f64(seconds_between(self.updated, now).max(0.0))),
            last_success: state.last_success,
            last_fault: state.last_fault,
            cooling: state.cooling.filter(|cooling| cooling.until > now),
        }
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::{EndpointId, ModelId, Protocol, ProviderId};
    use crate::observe::{CostState, Flags, Phase, Source, Streamed, Timings};

    pub(crate) fn seen(at: &str, class: ErrorClass) -> Observation {
        Observation {
            at: at.parse().unwrap(),
            endpoint: EndpointId { provider: ProviderId::new("p"), upstream_model: "m".into() },
            model: ModelId::new("a/m"),
            host: "127.0.0.1".into(),
            protocol: Protocol::OpenaiChat,
            key_fingerprint: String::new(),
            group: [0; 16],
            source: Source::Chat,
            class,
            phase: Phase::Done,
            http_status: Some(200),
            code: None,
            timings: Timings::default(),
            usage: None,
            events: 0,
            reads: 0,
            streamed: Streamed::default(),
            effort: None,
            prompt_version: None,
            retry_after: None,
            cost: None,
            billed: None,
            cost_state: CostState::None,
            finish: None,
            flags: Flags::NONE,
            asked: crate::observe::Asked::default(),
        }
    }

    #[test]
    fn a_rate_limit_cools_for_what_was_asked_and_a_success_clears_it() {
        let mut state = StatsState::new("2026-11-24T10:00:00Z".parse().unwrap());
        let mut limited = seen("2026-11-24T10:00:00Z", ErrorClass::RateLimited);
        limited.retry_after = Some(Duration::from_secs(20));
        state.observe(&limited);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(state.at(at("2026-11-24T10:00:19Z")).cooling.unwrap().class, ErrorClass::RateLimited);
        assert_eq!(state.at(at("2026-11-24T10:00:20Z")).cooling, None);
        state.observe(&seen("2026-11-24T10:00:10Z", ErrorClass::Ok));
        assert_eq!(state.at(at("2026-11-24T10:00:11Z")).cooling, None);
    }

    #[test]
    fn faults_in_a_row_open_the_breaker_and_a_failed_trial_opens_it_longer() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut state = StatsState::new(at("2026-11-24T10:00:00Z"));
        for class in [ErrorClass::ProviderFault, ErrorClass::ProviderTimeout] {
            state.observe(&seen("2026-11-24T10:00:00Z", class));
            assert_eq!(state.at(at("2026-11-24T10:00:00Z")).cooling, None);
        }
        state.observe(&seen("2026-11-24T10:00:00Z", ErrorClass::Unreachable));
        let until = |state: &StatsState| state.cooling.unwrap().until;
        assert_eq!(until(&state), at("2026-11-24T10:00:02Z"));
        state.observe(&seen("2026-11-24T10:00:05Z", ErrorClass::StreamBroken));
        assert_eq!(until(&state), at("2026-11-24T10:00:09Z"));
        state.observe(&seen("2026-11-24T10:00:09Z", ErrorClass::Ok));
        state.observe(&seen("2026-11-24T10:00:10Z", ErrorClass::ProviderFault));
        assert_eq!(state.cooling, None);
    }

    #[test]
    fn estimates_fade_with_time_and_reading_changes_nothing() {
        let mut state = StatsState::new("2026-11-24T10:00:00Z".parse().unwrap());
        let mut good = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        good.timings.ttft = Some(Duration::from_millis(500));
        state.observe(&good);
        let before = state.clone();
        let later = state.at("2026-11-24T16:00:00Z".parse().unwrap());
        assert_eq!(state, before);
        assert!((later.successes - 0.5).abs() < 1e-9, "six hours are one half-life when samples are rare");
        assert!((libm::exp(later.ttft.mean) - 0.5).abs() < 1e-9, "the mean stays, its weight fades");
    }
}
