//! When an endpoint is left alone, and when it is tried again (`routing.md` 5): pure, told by attempts.
//!
//! Three failures in a row open the breaker, one alone where nothing succeeded within 30 s (a command line calls seldom, and
//! the next call must know), and so does half of at least eight attempts within 30 s, or a failure that says when
//! to come back. After the pause one trial goes through; what fails its trial is left alone twice as long. A pause only
//! ever lengthens. When one that the provider's faults began is over is told for a while ([`RETURNING`]): whatever has just
//! got up is not to be run over (`routing/ramp.rs`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Cooldown, ErrorClass, Observation, draw};

/// So long it is told when a pause was over.
pub const RETURNING: Duration = Duration::from_secs(60);

/// Why an endpoint is left alone, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    /// Until when.
    pub until: Timestamp,
    /// The failure that began it.
    pub class: ErrorClass,
}

/// Attempts of the last 30 s, exact: ten buckets of 3 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The newest bucket: seconds since 1970 over three.
    pub newest: i64,
    /// Successes by bucket, at the bucket's number modulo ten.
    pub good: [u16; 10],
    /// Provider faults, likewise.
    pub bad: [u16; 10],
}

const BUCKET_S: i64 = 3;
const BUCKETS: i64 = 10;
/// Fewer attempts than this open nothing by their share.
const WINDOW_LEAST: u32 = 8;

impl Window {
    fn place(bucket: i64) -> usize {
        usize::try_from(bucket.rem_euclid(BUCKETS)).unwrap_or(0)
    }

    fn add(&mut self, at: Timestamp, good: bool) {
        let bucket = at.as_second().div_euclid(BUCKET_S);
        let behind = bucket.saturating_sub(self.newest);
        if behind <= -BUCKETS {
            return;
        }
        for passed in 0..behind.min(BUCKETS) {
            let place = Self::place(bucket - passed);
            (self.good[place], self.bad[place]) = (0, 0);
        }
        self.newest = self.newest.max(bucket);
        let counts = if good { &mut self.good } else { &mut self.bad };
        let count = &mut counts[Self::place(bucket)];
        *count = count.saturating_add(1);
    }

    fn set_back(&mut self, ahead: SignedDuration) {
        let was = *self;
        self.newest = was.newest.saturating_sub(ahead.as_secs().div_euclid(BUCKET_S));
        for passed in 0..BUCKETS {
            let (from, to) = (Self::place(was.newest - passed), Self::place(self.newest - passed));
            (self.good[to], self.bad[to]) = (was.good[from], was.bad[from]);
        }
    }

    /// Whether enough attempts failed that the endpoint is left alone: nothing succeeded, or most of many did not.
    fn is_bad(&self) -> bool {
        let sum = |counts: &[u16; 10]| counts.iter().map(|count| u32::from(*count)).sum::<u32>();
        let (good, bad) = (sum(&self.good), sum(&self.bad));
        bad > good && (good == 0 || good + bad >= WINDOW_LEAST)
    }
}

/// The breaker of one endpoint as used with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaker {
    /// The provider's faults in a row.
    pub failures_in_row: u32,
    /// Pauses in a row, without a success between them.
    pub ejections: u32,
    /// The last pause that began, over or not.
    pub cooling: Option<Cooling>,
    /// When that pause began.
    pub since: Option<Timestamp>,
    /// Until when a trial after the pause may be under way, so that there is no second one.
    pub trial_until: Option<Timestamp>,
    /// When the last pause that the provider's faults began was over: it was seen well then.
    pub reopened: Option<Timestamp>,
    /// The last attempts.
    pub window: Window,
}

impl Breaker {
    /// Folds one attempt in.
    pub fn observe(&mut self, seen: &Observation) {
        let ended = seen.at.checked_add(seen.timings.e2e.unwrap_or_default()).unwrap_or(seen.at);
        let class = seen.counted_class();
        if class.is_success() {
            self.window.add(seen.at, true);
            self.failures_in_row = 0;
            // What began before the pause says nothing of how it is now.
            if self.since.is_none_or(|since| seen.at >= since) {
                *self = self.closed(ended);
            }
            return;
        }
        if class.is_provider_fault() {
            self.window.add(seen.at, false);
        }
        let doubled = |base: Duration, most: Duration| base.saturating_mul(1 << self.ejections.min(8)).min(most);
        let in_row = self.failures_in_row.saturating_add(u32::from(class.is_provider_fault()));
        let pause = match class.cooldown() {
            Cooldown::None => return self.tried((seen.at, ended), class),
            Cooldown::Fixed(pause) => Some(pause),
            Cooldown::Hint(base, most) => Some(seen.retry_after.map_or(doubled(base, most), at_least_a_second)),
            // What has failed its trial after a pause need not fail three times more.
            Cooldown::InARow(least, base, most) => seen.retry_after.map(at_least_a_second).or_else(|| {
                (in_row >= least || self.ejections > 0 || self.window.is_bad())
                    .then(|| jittered(doubled(base, most), seen, self.ejections))
            }),
        };
        self.failures_in_row = in_row;
        let Some(pause) = pause else { return };
        // Attempts side by side that fail for one cause are one pause, not several.
        if self.cooling.is_none_or(|cooling| ended >= cooling.until) || self.trial_until.is_some() {
            self.ejections = self.ejections.saturating_add(1);
        }
        self.trial_until = None;
        let until = ended.checked_add(pause).unwrap_or(ended);
        if self.cooling.is_none_or(|cooling| until > cooling.until) {
            self.cooling = Some(Cooling { until, class });
            self.since = Some(ended);
        }
    }

    /// A trial after the pause that ended neither well nor in a fault. What refuses the request for the caller's sake lives;
    /// else the next attempt is the trial.
    fn tried(&mut self, (began, ended): (Timestamp, Timestamp), class: ErrorClass) {
        if self.trial_until.is_none() || self.since.is_some_and(|since| began < since) {
            return;
        }
        self.trial_until = None;
        if matches!(class, ErrorClass::Invalid | ErrorClass::Unsupported | ErrorClass::TooLarge) {
            *self = self.closed(ended);
        }
    }

    /// What it is once the endpoint is seen well: closed, with the window begun anew after a pause.
    fn closed(&self, at: Timestamp) -> Self {
        // What turns away for a limit or a key has not been down.
        let got_up = self.cooling.is_some_and(|cooling| cooling.class.is_provider_fault());
        Self {
            reopened: if got_up { Some(at) } else { self.reopened },
            window: if self.ejections > 0 { Window::default() } else { self.window },
            ..Self::default()
        }
    }

    /// Every moment earlier by as much as the clock was ahead.
    pub(super) fn set_back(&mut self, ahead: SignedDuration) {
        let back = |at: Timestamp| at.checked_sub(ahead).unwrap_or(at);
        self.cooling = self.cooling.map(|cooling| Cooling { until: back(cooling.until), ..cooling });
        (self.since, self.trial_until) = (self.since.map(back), self.trial_until.map(back));
        self.reopened = self.reopened.map(back);
        self.window.set_back(ahead);
    }

    /// Whether it is left alone at `now`: for its pause, or because a trial after it is under way.
    #[must_use]
    pub fn cooling_at(&self, now: Timestamp) -> Option<Cooling> {
        let cooling = self.cooling?;
        let until = cooling.until.max(self.trial_until.unwrap_or(cooling.until));
        (until > now).then_some(Cooling { until, ..cooling })
    }

    /// When it was seen well again, where that is not long ago and it is not left alone anew.
    #[must_use]
    pub fn reopened_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.reopened.filter(|at| self.cooling.is_none() && at.checked_add(RETURNING).is_ok_and(|end| end > now))
    }

    /// Whether the next attempt at `now` is the one trial after a pause.
    #[must_use]
    pub fn is_half_open(&self, now: Timestamp) -> bool {
        self.cooling.is_some() && self.cooling_at(now).is_none()
    }

    /// Takes the one trial after a pause, for somebody who will have ended it by `until`; false where it is not due, or
    /// somebody else has taken it.
    pub fn claim(&mut self, now: Timestamp, until: Timestamp) -> bool {
        let due = self.is_half_open(now);
        if due {
            self.trial_until = Some(until);
        }
        due
    }
}

/// What a provider asks for, which is not to be asked again at once.
fn at_least_a_second(asked: Duration) -> Duration {
    asked.max(Duration::from_secs(1))
}

/// A pause made up to a fifth shorter or longer, so that many do not come back at once; the same for the same attempt.
fn jittered(pause: Duration, seen: &Observation, ejections: u32) -> Duration {
    let drawn = draw(ejections.into(), seen.endpoint.provider.as_str().bytes().chain(seen.group));
    let permille = u32::try_from(drawn % 401).unwrap_or(200);
    pause.saturating_mul(800 + permille) / 1000
}

#[cfg(test)]
mod tests {
    use super::super::stats::tests::seen;
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-24T10:{text}Z").parse().unwrap()
    }

    fn attempt(moment: &str, class: ErrorClass) -> Observation {
        seen(&format!("2026-11-24T10:{moment}Z"), class)
    }

    /// Whether `until` lies so many seconds after a moment, within the jitter.
    fn about(breaker: &Breaker, moment: &str, seconds: f64) -> bool {
        let pause = breaker.cooling.unwrap().until.duration_since(at(moment)).as_secs_f64();
        (seconds * 0.799..=seconds * 1.201).contains(&pause)
    }

    #[test]
    fn a_fault_rests_it_for_as_long_as_it_asks_and_alone_for_nothing() {
        for class in [ErrorClass::Overloaded, ErrorClass::ProviderFault] {
            let mut breaker = Breaker::default();
            breaker.observe(&attempt("00:00", ErrorClass::Ok));
            breaker.observe(&attempt("00:01", class));
            assert_eq!(breaker.cooling_at(at("00:01")), None);
            breaker.observe(&Observation { retry_after: Some(Duration::from_secs(20)), ..attempt("00:02", class) });
            assert_eq!(breaker.cooling_at(at("00:21")).map(|cooling| cooling.until), Some(at("00:22")));
        }
    }

    #[test]
    fn three_in_a_row_open_it_and_a_failed_trial_opens_it_twice_as_long() {
        let mut breaker = Breaker::default();
        breaker.observe(&attempt("00:00", ErrorClass::Ok));
        for class in [ErrorClass::ProviderFault, ErrorClass::ProviderTimeout] {
            breaker.observe(&attempt("00:00", class));
            assert_eq!(breaker.cooling_at(at("00:00")), None);
        }
        breaker.observe(&attempt("00:00", ErrorClass::Unreachable));
        assert!(about(&breaker, "00:00", 2.0));
        assert!(breaker.is_half_open(at("00:03")));
        breaker.observe(&attempt("00:05", ErrorClass::StreamBroken));
        assert!(about(&breaker, "00:05", 4.0));
        breaker.observe(&attempt("00:10", ErrorClass::Ok));
        assert_eq!((breaker.cooling, breaker.failures_in_row), (None, 0));
        // The window begins anew after a trial: half a minute later one fault alone is all that is known.
        breaker.observe(&attempt("01:10", ErrorClass::ProviderFault));
        assert!(about(&breaker, "01:10", 2.0));
    }

    #[test]
    fn most_of_eight_within_the_window_open_it_although_no_three_are_in_a_row() {
        let mut breaker = Breaker::default();
        let pattern = [true, false, false, true, false, false, true, false];
        for (second, good) in pattern.into_iter().enumerate() {
            let class = if good { ErrorClass::Ok } else { ErrorClass::ProviderFault };
            assert_eq!(breaker.cooling, None, "{second}");
            breaker.observe(&attempt(&format!("00:{second:02}"), class));
        }
        assert!(breaker.cooling.is_some());
        let mut slow = Breaker::default();
        for good in [true, false, true, false] {
            let class = if good { ErrorClass::Ok } else { ErrorClass::ProviderFault };
            slow.observe(&attempt("20:00", class));
        }
        assert_eq!(slow.cooling, None, "half of four is no outage");
    }

    #[test]
    fn one_trial_goes_through_and_no_second_one() {
        let mut breaker = Breaker::default();
        let mut limited = attempt("00:00", ErrorClass::RateLimited);
        limited.retry_after = Some(Duration::from_secs(20));
        breaker.observe(&limited);
        assert!(!breaker.claim(at("00:19"), at("00:49")));
        assert!(breaker.claim(at("00:20"), at("00:50")));
        assert!(!breaker.claim(at("00:21"), at("00:51")));
        assert_eq!(breaker.cooling_at(at("00:21")).unwrap().until, at("00:50"));
        breaker.observe(&attempt("00:20", ErrorClass::RateLimited));
        assert!(breaker.cooling_at(at("00:21")).is_some(), "a refused trial does not close it");
        assert!(breaker.claim(at("01:00"), at("01:30")));
        breaker.observe(&attempt("01:00", ErrorClass::Ok));
        assert_eq!(breaker.cooling_at(at("01:01")), None);
        assert!(!breaker.is_half_open(at("01:01")));
    }

    #[test]
    fn a_trial_that_says_nothing_leaves_room_for_the_next_and_a_refusal_shows_that_it_lives() {
        let mut breaker = Breaker::default();
        breaker.observe(&Observation {
            retry_after: Some(Duration::from_secs(20)),
            ..attempt("00:00", ErrorClass::RateLimited)
        });
        assert!(breaker.claim(at("00:20"), at("00:50")));
        let before = Observation { at: at("00:00") - Duration::from_secs(1), ..attempt("00:00", ErrorClass::Aborted) };
        breaker.observe(&before);
        assert!(!breaker.is_half_open(at("00:21")), "what began before the pause was not the trial");
        for class in [ErrorClass::Aborted, ErrorClass::LocalNetwork, ErrorClass::Conflict] {
            breaker.observe(&attempt("00:21", class));
            assert!(breaker.claim(at("00:22"), at("00:52")), "{}", class.name());
        }
        breaker.observe(&attempt("00:23", ErrorClass::Invalid));
        assert_eq!((breaker.cooling, breaker.trial_until, breaker.ejections), (None, None, 0));
    }

    #[test]
    fn what_got_up_again_is_told_for_a_minute_and_what_only_turned_away_is_not() {
        let mut breaker = Breaker::default();
        let told = |breaker: &Breaker, moment: &str| breaker.reopened_at(at(moment));
        breaker.observe(&Observation {
            retry_after: Some(Duration::from_secs(5)),
            ..attempt("00:00", ErrorClass::RateLimited)
        });
        breaker.observe(&attempt("00:06", ErrorClass::Ok));
        assert_eq!((breaker.cooling, told(&breaker, "00:06")), (None, None), "a limit is no outage");
        for class in [ErrorClass::Ok, ErrorClass::Invalid] {
            breaker.observe(&attempt("01:00", ErrorClass::ProviderFault));
            assert!(breaker.claim(at("01:03"), at("01:33")));
            let mut trial = attempt("01:03", class);
            trial.timings.e2e = Some(Duration::from_secs(4));
            breaker.observe(&trial);
            assert_eq!(told(&breaker, "01:08"), Some(at("01:07")), "from the end of the trial: {}", class.name());
            assert_eq!(told(&breaker, "01:02"), Some(at("01:07")), "whoever looked a moment before");
        }
        // More successes change nothing, nor does a limit, but for its pause.
        breaker.observe(&attempt("01:10", ErrorClass::Ok));
        breaker.observe(&attempt("01:11", ErrorClass::RateLimited));
        assert_eq!((told(&breaker, "01:11"), told(&breaker, "01:20")), (None, None));
        breaker.observe(&attempt("01:20", ErrorClass::Ok));
        assert_eq!((told(&breaker, "01:21"), told(&breaker, "02:07")), (Some(at("01:07")), None));
    }

    #[test]
    fn a_pause_only_lengthens_and_an_answer_from_before_it_does_not_end_it() {
        let mut breaker = Breaker::default();
        let mut limited = attempt("00:00", ErrorClass::RateLimited);
        limited.retry_after = Some(Duration::from_secs(50));
        breaker.observe(&limited);
        limited.retry_after = Some(Duration::from_secs(5));
        breaker.observe(&limited);
        assert_eq!(breaker.cooling.unwrap().until, at("00:50"));
        assert_eq!(breaker.ejections, 1, "two refusals side by side are one pause");
        let before = Observation { at: limited.at - Duration::from_secs(1), ..attempt("00:00", ErrorClass::Ok) };
        breaker.observe(&before);
        assert_eq!(breaker.cooling_at(at("00:10")).unwrap().until, at("00:50"));
    }
}
