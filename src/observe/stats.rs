//! The fold of many attempts: decayed sums that are updated by an [`Observation`] and read at a given `now`.
//!
//! Weights halve with time, not with samples, because the samples of a command line are irregular; an endpoint that is
//! left alone drifts back to what is known of it in the long run, and then to the prior. [`Learning`] says how fast.

use std::time::Duration;

use jiff::Timestamp;

use super::learning::RATE_HOURS;
use super::{
    Breaker, Cooling, ErrorClass, Headroom, InputSize, Learning, Moments, Observation, Source, censored, decode_speed,
};
use crate::units::Tokens;

/// Successes and the provider's own faults, decayed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    /// Decayed successes.
    pub successes: f64,
    /// Decayed provider faults.
    pub faults: f64,
}

impl Share {
    /// Both.
    #[must_use]
    pub fn tried(&self) -> f64 {
        self.successes + self.faults
    }

    /// The share of successes, leant on a prior that weighs so many attempts.
    #[must_use]
    pub fn shrunk(&self, prior: f64, attempts: f64) -> f64 {
        (self.successes + attempts * prior) / (self.tried() + attempts).max(1e-12)
    }

    /// Both of two shares.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { successes: self.successes + other.successes, faults: self.faults + other.faults }
    }

    fn decay(&mut self, factor: f64) {
        self.successes *= factor;
        self.faults *= factor;
    }
}

/// How often a prompt cache held what it was expected to hold, decayed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CacheHits {
    /// Attempts whose prompt began with what had been sent here before.
    pub asked: f64,
    /// The sum of the shares of it that were served from the cache.
    pub served: f64,
}

impl CacheHits {
    /// Both of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { asked: self.asked + other.asked, served: self.served + other.served }
    }

    /// The share that is expected of the next one, leant on a prior that weighs so many attempts.
    #[must_use]
    pub fn shrunk(&self, prior: f64, attempts: f64) -> f64 {
        ((self.served + attempts * prior) / (self.asked + attempts).max(1e-12)).clamp(0.0, 1.0)
    }
}

/// What routing reads of one endpoint, as of a given `now`. Everything is decayed to that moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointStats {
    /// Successes and faults in short memory: what is going on.
    pub recent: Share,
    /// The same in lasting memory: what is usual.
    pub lasting: Share,
    /// Rate-limited attempts in short memory.
    pub limited: f64,
    /// Time to first token, ln seconds.
    pub ttft: Moments,
    /// The same by the size of the input.
    pub ttft_by_size: [Moments; InputSize::KNOWN],
    /// The same of all sizes in lasting memory.
    pub ttft_lasting: Moments,
    /// Decode speed, ln tokens per second.
    pub speed: Moments,
    /// The same in lasting memory.
    pub speed_lasting: Moments,
    /// Output tokens of whole answers, logarithms, in lasting memory.
    pub output: Moments,
    /// Seconds that a failed attempt lost, averaged; `None` where none failed.
    pub failure_s: Option<f64>,
    /// How often the prompt cache held what it should.
    pub cache: CacheHits,
    /// What is left of the rate limits, where the provider says.
    pub headroom: Headroom,
    /// Age of the newest attempt.
    pub age: Option<Duration>,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// When it last failed by its own fault.
    pub last_fault: Option<Timestamp>,
    /// Whether it is being left alone.
    pub cooling: Option<Cooling>,
    /// Whether the next attempt is the one trial after a pause.
    pub half_open: bool,
    /// The pause that is over and has not been followed by a success, where the next attempt is the trial after it.
    pub paused: Option<Cooling>,
    /// When a pause that its faults began was over, where that is not long ago.
    pub reopened: Option<Timestamp>,
}

/// The decayed sums of one endpoint as they are stored: valid at `updated`.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsState {
    /// The moment at which the sums hold.
    pub updated: Timestamp,
    /// Attempts an hour, decayed.
    pub rate: f64,
    /// Successes and faults in short memory.
    pub recent: Share,
    /// The same in lasting memory.
    pub lasting: Share,
    /// Rate-limited attempts in short memory.
    pub limited: f64,
    /// Time to first token, ln seconds.
    pub ttft: Moments,
    /// The same by the size of the input.
    pub ttft_by_size: [Moments; InputSize::KNOWN],
    /// The same of all sizes in lasting memory.
    pub ttft_lasting: Moments,
    /// Decode speed, ln tokens per second.
    pub speed: Moments,
    /// The same in lasting memory.
    pub speed_lasting: Moments,
    /// Output tokens of whole answers, logarithms, in lasting memory.
    pub output: Moments,
    /// Seconds that a failed attempt lost, averaged.
    pub failure_s: Option<f64>,
    /// How often the prompt cache held what it should.
    pub cache: CacheHits,
    /// What is left of the rate limits.
    pub headroom: Headroom,
    /// Whether it is being left alone.
    pub breaker: Breaker,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// When it last failed by its own fault.
    pub last_fault: Option<Timestamp>,
}

impl StatsState {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            updated: at,
            rate: 0.0,
            recent: Share::default(),
            lasting: Share::default(),
            limited: 0.0,
            ttft: Moments::default(),
            ttft_by_size: [Moments::default(); InputSize::KNOWN],
            ttft_lasting: Moments::default(),
            speed: Moments::default(),
            speed_lasting: Moments::default(),
            output: Moments::default(),
            failure_s: None,
            cache: CacheHits::default(),
            headroom: Headroom::default(),
            breaker: Breaker::default(),
            last_success: None,
            last_fault: None,
        }
    }

    /// The fold of attempts of one endpoint, in their order; `None` without any.
    #[must_use]
    pub fn of<'a>(attempts: impl IntoIterator<Item = &'a Observation>, learning: &Learning) -> Option<Self> {
        let mut attempts = attempts.into_iter().peekable();
        let mut state = Self::new(attempts.peek()?.at);
        attempts.for_each(|seen| state.observe(seen, learning));
        Some(state)
    }

    fn decay_to(&mut self, now: Timestamp, learning: &Learning) {
        let elapsed = seconds_between(self.updated, now);
        if elapsed <= 0.0 {
            return;
        }
        let recent = libm::exp2(-elapsed / learning.recent.as_secs_f64());
        self.recent.decay(recent);
        self.limited *= recent;
        let times = libm::exp2(-learning.halvings(self.rate, elapsed));
        self.ttft.decay(times);
        self.speed.decay(times);
        self.ttft_by_size.iter_mut().for_each(|size| size.decay(times));
        let lasting = libm::exp2(-learning.lasting_halvings(self.rate, elapsed));
        self.lasting.decay(lasting);
        for moments in [&mut self.ttft_lasting, &mut self.speed_lasting, &mut self.output] {
            moments.decay(lasting);
        }
        self.cache.asked *= lasting;
        self.cache.served *= lasting;
        self.rate *= libm::exp(-elapsed / (RATE_HOURS * 3600.0));
        self.updated = now;
    }

    /// Folds one attempt in.
    pub fn observe(&mut self, seen: &Observation, learning: &Learning) {
        self.decay_to(seen.at, learning);
        self.rate += 1.0 / RATE_HOURS;
        // A failure that may as well be the network's is nobody's.
        let class = seen.counted_class();
        if class.is_success() {
            self.recent.successes += 1.0;
            self.lasting.successes += 1.0;
            self.last_success = self.last_success.max(Some(seen.at));
        } else if class.is_provider_fault() {
            self.recent.faults += 1.0;
            self.lasting.faults += 1.0;
            self.last_fault = self.last_fault.max(Some(seen.at));
            self.lost(seen, learning);
        } else if class == ErrorClass::RateLimited {
            self.limited += 1.0;
        }
        self.times(seen, learning);
        // What a probe asks for says nothing of how long the answers are that are asked for in earnest.
        let told = seen.class.is_success() && seen.source != Source::Probe;
        if let Some(output) = seen.usage.as_ref().and_then(|usage| usage.output).filter(|_| told) {
            self.output.add(f64_of(output), f64::INFINITY);
        }
        if let Some((expected, usage)) = seen.warm.zip(seen.usage.as_ref()).filter(|(warm, _)| *warm > Tokens::ZERO) {
            let read = usage.cache_read.unwrap_or_default();
            self.cache.asked += 1.0;
            self.cache.served += (f64_of(read) / f64_of(expected)).min(1.0);
        }
        self.headroom = seen.headroom.or(self.headroom);
        self.breaker.observe(seen);
    }

    /// The time that a failure took away.
    fn lost(&mut self, seen: &Observation, learning: &Learning) {
        let took = seen.timings.connect.unwrap_or_default() + seen.timings.e2e.unwrap_or_default();
        let took = took.as_secs_f64();
        let share = learning.failure_share;
        self.failure_s = Some(self.failure_s.map_or(took, |known| known + share * (took - known)));
    }

    fn times(&mut self, seen: &Observation, learning: &Learning) {
        if let Some(ttft) = seen.counted_ttft() {
            let seconds = ttft.as_secs_f64();
            self.ttft.add(seconds, learning.cap);
            self.ttft_lasting.add(seconds, f64::INFINITY);
            if let Some(place) = InputSize::of(seen.usage.as_ref().and_then(uncached)).place() {
                self.ttft_by_size[place].add(seconds, learning.cap);
            }
        } else if let Some(waited) = seen.cut_off().map(|waited| waited.as_secs_f64()).filter(|waited| *waited > 0.0) {
            // It would have taken longer than it was waited for: how much longer, nobody knows.
            let log = censored(learning.usual_ttft(&self.ttft, &self.ttft_lasting), libm::log(waited));
            self.ttft.add_log(log, learning.cap);
            self.ttft_lasting.add_log(log, f64::INFINITY);
        }
        if let Some(speed) = decode_speed(seen) {
            self.speed.add(speed, learning.cap);
            self.speed_lasting.add(speed, f64::INFINITY);
        }
    }

    /// What routing reads, as of `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp, learning: &Learning) -> EndpointStats {
        let mut state = self.clone();
        state.decay_to(now, learning);
        EndpointStats {
            recent: state.recent,
            lasting: state.lasting,
            limited: state.limited,
            ttft: state.ttft,
            ttft_by_size: state.ttft_by_size,
            ttft_lasting: state.ttft_lasting,
            speed: state.speed,
            speed_lasting: state.speed_lasting,
            output: state.output,
            failure_s: state.failure_s,
            cache: state.cache,
            headroom: state.headroom,
            age: (self.rate > 0.0).then(|| Duration::from_secs_f64(seconds_between(self.updated, now).max(0.0))),
            last_success: state.last_success,
            last_fault: state.last_fault,
            cooling: state.breaker.cooling_at(now),
            half_open: state.breaker.is_half_open(now),
            paused: state.breaker.cooling.filter(|_| state.breaker.is_half_open(now)),
            reopened: state.breaker.reopened_at(now),
        }
    }
}

/// Input tokens that no cache served.
fn uncached(usage: &crate::catalog::Usage) -> Option<Tokens> {
    Some(usage.input?.saturating_sub(usage.cache_read.unwrap_or_default()))
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a count of tokens is far below 2^53")]
fn f64_of(tokens: Tokens) -> f64 {
    tokens.count() as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::{EndpointId, ModelId, Protocol, ProviderId, Usage};
    use crate::observe::{CostState, Flags, Phase, Streamed, Timings};

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
            warm: None,
            headroom: Headroom::default(),
            asked: crate::observe::Asked::default(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_limit_cools_for_what_was_asked_and_a_success_clears_it() {
        let learning = Learning::default();
        let mut limited = seen("2026-11-24T10:00:00Z", ErrorClass::RateLimited);
        limited.retry_after = Some(Duration::from_secs(20));
        let mut state = StatsState::of([&limited], &learning).unwrap();
        let cooling = |state: &StatsState, text: &str| state.at(at(text), &learning).cooling;
        assert_eq!(cooling(&state, "2026-11-24T10:00:19Z").unwrap().class, ErrorClass::RateLimited);
        assert_eq!(cooling(&state, "2026-11-24T10:00:20Z"), None);
        assert!(state.at(at("2026-11-24T10:00:20Z"), &learning).half_open);
        state.observe(&seen("2026-11-24T10:00:10Z", ErrorClass::Ok), &learning);
        assert_eq!(cooling(&state, "2026-11-24T10:00:11Z"), None);
    }

    #[test]
    fn estimates_fade_with_time_and_reading_changes_nothing() {
        let learning = Learning::default();
        let mut good = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        good.timings.ttft = Some(Duration::from_millis(500));
        let state = StatsState::of([&good], &learning).unwrap();
        let before = state.clone();
        let later = state.at(at("2026-11-24T10:01:00Z"), &learning);
        assert_eq!(state, before);
        assert!((later.recent.successes - 0.25).abs() < 1e-9, "a minute is two half-lives of what is going on");
        assert!(later.lasting.successes > 0.99, "and nothing to what is usual");
        assert!(later.ttft.weight > 0.97 && later.ttft.weight < 1.0);
        assert!((libm::exp(later.ttft.mean) - 0.5).abs() < 1e-9, "the mean stays, its weight fades");
        let day = state.at(at("2026-11-25T10:00:00Z"), &learning);
        assert!(day.ttft.weight < 0.1 && day.lasting.successes > 0.4);
    }

    #[test]
    fn a_wait_that_was_cut_off_makes_the_wait_longer_not_shorter() {
        let learning = Learning::default();
        let mut good = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        good.timings.ttft = Some(Duration::from_millis(800));
        let mut hung = seen("2026-11-24T10:00:02Z", ErrorClass::ProviderTimeout);
        (hung.flags, hung.timings.e2e) = (Flags::CENSORED, Some(Duration::from_secs(6)));
        let state = StatsState::of([&good, &good, &hung], &learning).unwrap();
        assert!(state.ttft.mean > (2.0 * libm::log(0.8) + libm::log(6.0)) / 3.0);
        assert_eq!(state.failure_s, Some(6.0));
        // A break after tokens says nothing of the wait before them.
        hung.flags = Flags::NONE;
        let state = StatsState::of([&good, &hung], &learning).unwrap();
        assert!((state.ttft.weight - 1.0).abs() < 1e-3);
    }

    #[test]
    fn what_counts_for_nobody_counts_for_no_estimate() {
        let learning = Learning::default();
        let mut doubtful = seen("2026-11-24T10:00:00Z", ErrorClass::Unreachable);
        doubtful.flags = Flags::UNCONFIRMED;
        let state = StatsState::of([&doubtful, &doubtful, &doubtful], &learning).unwrap();
        assert_eq!((state.recent.tried(), state.breaker.cooling, state.last_fault), (0.0, None, None));
        let mut asleep = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        (asleep.flags, asleep.timings.ttft) = (Flags::SUSPENDED, Some(Duration::from_secs(3600)));
        let state = StatsState::of([&asleep], &learning).unwrap();
        assert_eq!((state.ttft.weight, state.recent.successes), (0.0, 1.0));
    }

    #[test]
    fn times_are_kept_apart_by_the_size_of_what_no_cache_served() {
        let learning = Learning::default();
        let mut long = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        long.timings.ttft = Some(Duration::from_secs(9));
        long.usage = Some(Usage { cache_read: Some(Tokens::new(90_000)), ..Usage::text(120_000, 50) });
        long.warm = Some(Tokens::new(100_000));
        let state = StatsState::of([&long], &learning).unwrap();
        let weights = state.ttft_by_size.map(|size| size.weight);
        assert_eq!(weights, [0.0, 0.0, 1.0, 0.0]);
        assert!((state.cache.shrunk(0.5, 1.0) - 0.7).abs() < 1e-9);
    }
}
