//! What one call came to, and what all calls of one endpoint came to. Pure.

use std::cmp::Ordering;
use std::time::Duration;

use super::verdict::Samples;
use crate::observe::{BLIND, ErrorClass, Flags, Source, Why};
use crate::units::Usd;
use crate::upstream::exchange::{Limit, Outcome};

/// Marks of calls that are in no time: nothing had warmed the connection, a part of the prompt came from a cache, or this
/// machine was elsewhere.
const UNCOUNTED: Flags = BLIND.with(Flags::CACHE_HIT);

/// A time that was waited. One that a limit cut off is a lower bound, and stays in the percentiles as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// How long.
    pub time: Duration,
    /// Whether it would have been longer, and nobody knows how much.
    pub at_least: bool,
}

/// What one call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// How it ended.
    pub class: ErrorClass,
    /// From the connection being up to the first token.
    pub ttft: Option<Duration>,
    /// The same to the first token of the answer, after any thoughts.
    pub ttfa: Option<Duration>,
    /// From the connection being up to the end, or to the failure.
    pub total: Option<Duration>,
    /// Tokens per second after the first read, or why there is no such rate.
    pub speed: Result<f64, Why>,
    /// Which of our limits ended it, and after how long.
    pub limit: Option<(Limit, Duration)>,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// What the provider or the wire said, where it failed.
    pub message: Option<String>,
    /// What the provider asked to wait.
    pub retry_after: Option<Duration>,
    /// What it cost, in USD; `None` where it may have cost something that nobody told.
    pub cost: Option<Usd>,
    /// What is to be known before its times are believed.
    pub flags: Flags,
}

impl Sample {
    /// What an attempt says of its endpoint; `cost` is in USD, `None` where nobody told.
    #[must_use]
    pub fn of(outcome: &Outcome, cost: Option<Usd>) -> Self {
        Self {
            class: outcome.class,
            ttft: outcome.timings.ttft,
            ttfa: outcome.timings.ttfa,
            total: outcome.timings.e2e,
            speed: outcome.pace(Source::Probe).decode_tps(),
            limit: outcome.limit,
            http_status: outcome.http_status,
            message: outcome.error.as_ref().map(|error| error.message.clone()),
            retry_after: outcome.error.as_ref().and_then(|error| error.retry_after),
            cost,
            flags: outcome.flags,
        }
    }

    /// The wait for the first token, where the call counts for it.
    #[must_use]
    pub fn counted_ttft(&self) -> Option<Wait> {
        self.counted(self.ttft)
    }

    /// The wait for the first token of the answer, where the call counts for it.
    #[must_use]
    pub fn counted_ttfa(&self) -> Option<Wait> {
        self.counted(self.ttfa)
    }

    /// The time to the end, where the call counts for it.
    #[must_use]
    pub fn counted_total(&self) -> Option<Wait> {
        self.counted(self.total.filter(|_| self.limit.is_none()))
    }

    /// The speed, where the call counts for it.
    #[must_use]
    pub fn counted_speed(&self) -> Option<f64> {
        self.speed.ok().filter(|_| !self.flags.has(Flags::WARMUP))
    }

    /// A moment as a wait. Where it never came because a limit ended the call, the wait was longer than the call.
    fn counted(&self, moment: Option<Duration>) -> Option<Wait> {
        if self.flags.has(UNCOUNTED) {
            return None;
        }
        match (moment, self.limit) {
            (Some(time), _) if self.class.is_success() => Some(Wait { time, at_least: false }),
            (None, Some((limit, waited))) if limit != Limit::Connect => {
                Some(Wait { time: self.total.unwrap_or(waited), at_least: true })
            }
            _ => None,
        }
    }
}

/// Why an endpoint is not asked any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All rounds are over.
    Rounds,
    /// Enough is known of it.
    Known,
    /// It said twice in a row that it is asked too often.
    RateLimited,
    /// It asked to wait this long.
    AskedToWait(Duration),
    /// It would fail alike each time.
    Hopeless(ErrorClass),
    /// Nobody at all could be reached.
    Offline,
    /// The money was used up.
    Budget,
    /// It was asked as often as it may be in a day.
    Daily,
    /// The caller stopped it.
    Cancelled,
}

impl Ended {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Known => "known",
            Self::RateLimited | Self::AskedToWait(_) => "rate_limited",
            Self::Hopeless(_) => "hopeless",
            Self::Offline => "offline",
            Self::Budget => "budget",
            Self::Daily => "daily",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Everything that was seen of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// The calls of each round; none where it was not asked.
    pub rounds: Vec<Vec<Sample>>,
    /// Why it was not asked any more.
    pub ended: Ended,
    /// By how much its latest call of a fixed schedule began too late; `None` without such a schedule.
    pub late: Option<Duration>,
}

impl Tally {
    /// The calls that were made, without those that the caller stopped.
    pub fn made(&self) -> impl Iterator<Item = &Sample> {
        self.rounds.iter().flatten().filter(|sample| sample.class != ErrorClass::Aborted)
    }

    /// One wait of each round; `None` where it gave none. Calls that are made at once are no samples of their own: what
    /// slows one slows all, so that the middle one stands for them.
    pub fn waits(&self, of: fn(&Sample) -> Option<Wait>) -> Vec<Option<Wait>> {
        self.rounds.iter().map(|round| middle(round.iter().filter_map(of).collect(), Wait::cmp)).collect()
    }

    /// One speed of each round, as in [`Tally::waits`].
    #[must_use]
    pub fn speeds(&self) -> Vec<Option<f64>> {
        let one = |round: &Vec<Sample>| {
            middle(round.iter().filter_map(Sample::counted_speed).collect(), |a: &f64, b: &f64| b.total_cmp(a))
        };
        self.rounds.iter().map(one).collect()
    }

    /// The waits for the first token by round, in seconds.
    #[must_use]
    pub fn seconds(&self) -> Samples {
        self.waits(Sample::counted_ttft).iter().map(|wait| wait.map(|wait| wait.time.as_secs_f64())).collect()
    }
}

/// The one in the middle, or the worse of the two; `None` of none.
fn middle<T: Copy>(mut all: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Option<T> {
    all.sort_by(order);
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A call that ended so after so many milliseconds.
    pub(crate) fn sample(class: ErrorClass, millis: u64) -> Sample {
        let time = Duration::from_millis(millis);
        Sample {
            class,
            ttft: class.is_success().then_some(time),
            ttfa: class.is_success().then_some(time),
            total: Some(2 * time),
            speed: if class.is_success() { Ok(50.0) } else { Err(Why::Failed) },
            limit: None,
            http_status: None,
            message: None,
            retry_after: None,
            cost: Some(Usd::from_pico(1_000)),
            flags: Flags::NONE,
        }
    }

    /// A call that a limit of so many seconds ended before its first token.
    pub(crate) fn timed_out(seconds: u64) -> Sample {
        let waited = Duration::from_secs(seconds);
        let limit = Some((Limit::FirstToken, waited));
        Sample { limit, total: Some(waited), ..sample(ErrorClass::ProviderTimeout, 0) }
    }

    #[test]
    fn a_wait_that_a_limit_cut_off_counts_as_at_least_that() {
        let cut = timed_out(30);
        let wait = Some(Wait { time: Duration::from_secs(30), at_least: true });
        assert_eq!((cut.counted_ttft(), cut.counted_ttfa(), cut.counted_total()), (wait, wait, wait));
        let stalled = Sample { ttft: Some(Duration::from_secs(1)), ..cut.clone() };
        assert_eq!((stalled.counted_ttft(), stalled.counted_total()), (None, wait), "it failed, and its end was late");
        let unreached = Sample { limit: Some((Limit::Connect, Duration::from_secs(5))), ..cut };
        assert_eq!(unreached.counted_ttft(), None, "connecting is no part of the wait");
        let exact = Wait { time: Duration::from_secs(30), at_least: false };
        assert!(Some(exact) < wait);
    }

    #[test]
    fn what_a_cold_connection_or_a_cache_did_is_not_counted() {
        let good = sample(ErrorClass::Ok, 300);
        assert!(good.counted_ttft().is_some() && good.counted_speed().is_some());
        let cold = Sample { flags: Flags::WARMUP, ..good.clone() };
        assert_eq!((cold.counted_ttft(), cold.counted_total(), cold.counted_speed()), (None, None, None));
        let busy = Sample { flags: Flags::CLIENT_BUSY, ..good.clone() };
        assert_eq!((busy.counted_ttft(), busy.counted_total()), (None, None));
        let cached = Sample { flags: Flags::CACHE_HIT | Flags::REUSED, ..good };
        assert_eq!((cached.counted_ttft(), cached.counted_speed()), (None, Some(50.0)));
    }

    #[test]
    fn calls_at_once_are_one_sample_of_their_round() {
        let round = |times: &[u64]| times.iter().map(|millis| sample(ErrorClass::Ok, *millis)).collect::<Vec<_>>();
        let rounds = vec![round(&[100, 900, 200]), Vec::new(), round(&[50, 60])];
        let tally = Tally { rounds, ended: Ended::Rounds, late: None };
        assert_eq!(tally.seconds(), [Some(0.2), None, Some(0.06)]);
    }
}
