//! One endpoint as several machines see it: the sums of what each has seen, and one breaker that all attempts are told to.

use jiff::Timestamp;

use super::{Breaker, Cooling, EndpointStats, Headroom, Learning, Observation, StatsState};

/// What is known of an endpoint beside this machine's own fold of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// The fold of what others have seen; `None` where they have told nothing.
    others: Option<StatsState>,
    /// Told of every attempt, this process's and others', in the order in which they are heard of.
    breaker: Breaker,
    /// When anybody's last success began.
    last_success: Option<Timestamp>,
    /// Whether an attempt of this process has failed: then the breaker has heard why this machine leaves it alone.
    failed_here: bool,
}

impl Together {
    /// Begins with what this machine knows of the endpoint: a pause that it keeps is kept.
    #[must_use]
    pub fn new(own: Option<&EndpointStats>) -> Self {
        let pause = own.and_then(|own| own.cooling.or(own.paused));
        let breaker = Breaker {
            cooling: pause,
            since: own.and_then(|own| own.last_fault).filter(|_| pause.is_some()),
            ejections: u32::from(pause.is_some()),
            reopened: own.and_then(|own| own.reopened),
            ..Breaker::default()
        };
        Self { others: None, breaker, last_success: None, failed_here: false }
    }

    /// This process has made an attempt.
    pub fn made(&mut self, seen: &Observation) {
        self.failed_here |= !seen.counted_class().is_success();
        self.judge(seen);
    }

    /// Somebody else has made an attempt.
    pub fn heard(&mut self, seen: &Observation) {
        self.others.get_or_insert_with(|| StatsState::new(seen.at)).observe(seen, &Learning::default());
        self.judge(seen);
    }

    fn judge(&mut self, seen: &Observation) {
        if seen.counted_class().is_success() {
            self.last_success = self.last_success.max(Some(seen.at));
        }
        self.breaker.observe(seen);
    }

    /// When others made their last attempt.
    #[must_use]
    pub fn updated(&self) -> Option<Timestamp> {
        self.others.as_ref().map(|others| others.updated)
    }

    /// Takes the one trial after a pause, as [`Breaker::claim`] does; true where nobody here leaves it alone.
    pub fn claim(&mut self, now: Timestamp, until: Timestamp) -> bool {
        self.breaker.cooling.is_none() || self.breaker.claim(now, until)
    }

    /// Somebody else has the trial until then.
    pub fn claimed(&mut self, until: Timestamp) {
        if self.breaker.cooling.is_some() {
            self.breaker.trial_until = self.breaker.trial_until.max(Some(until));
        }
    }

    /// What routing reads as of `now`, given this machine's own fold.
    #[must_use]
    pub fn at(&self, own: Option<EndpointStats>, now: Timestamp) -> EndpointStats {
        let own = own.unwrap_or_default();
        let (pause, paused, reopened) = (own.cooling, own.paused, own.reopened);
        // What another process of this machine leaves alone, and nobody has seen well since.
        let seen_well = own.last_fault.zip(self.last_success).is_some_and(|(fault, success)| success > fault);
        let elsewhere = |pause: Option<Cooling>| pause.filter(|_| !self.failed_here && !seen_well);
        let others = self.others.as_ref().map(|others| others.at(now.max(others.updated), &Learning::default()));
        let mut all = match others {
            Some(others) => sum(own, others),
            None => own,
        };
        let cooling = self.breaker.cooling_at(now).into_iter().chain(elsewhere(pause));
        all.cooling = cooling.max_by_key(|cooling| cooling.until);
        let own_trial = self.breaker.cooling.filter(|_| self.breaker.is_half_open(now));
        all.paused = own_trial.or_else(|| elsewhere(paused)).filter(|_| all.cooling.is_none());
        all.half_open = all.paused.is_some();
        let reopened = self.breaker.reopened_at(now).max(reopened.filter(|_| !self.failed_here));
        all.reopened = reopened.filter(|_| all.cooling.is_none() && !all.half_open);
        all
    }
}

/// Both of two machines' figures, decayed to the same moment; pauses aside, which do not add up.
fn sum(one: EndpointStats, two: EndpointStats) -> EndpointStats {
    let faults = (one.lasting.faults, two.lasting.faults);
    let newest = |one: Headroom, two: Headroom| if two.said() > one.said() { two.or(one) } else { one.or(two) };
    let mut by_size = one.ttft_by_size;
    by_size.iter_mut().zip(&two.ttft_by_size).for_each(|(size, other)| *size = size.and(other));
    EndpointStats {
        recent: one.recent.and(two.recent),
        lasting: one.lasting.and(two.lasting),
        limited: one.limited + two.limited,
        ttft: one.ttft.and(&two.ttft),
        ttft_by_size: by_size,
        ttft_lasting: one.ttft_lasting.and(&two.ttft_lasting),
        speed: one.speed.and(&two.speed),
        speed_lasting: one.speed_lasting.and(&two.speed_lasting),
        output: one.output.and(&two.output),
        failure_s: match (one.failure_s, two.failure_s) {
            (Some(a), Some(b)) if faults.0 + faults.1 > 0.0 => {
                Some((a * faults.0 + b * faults.1) / (faults.0 + faults.1))
            }
            (a, b) => a.or(b),
        },
        cache: one.cache.and(two.cache),
        headroom: newest(one.headroom, two.headroom),
        age: one.age.into_iter().chain(two.age).min(),
        last_success: one.last_success.max(two.last_success),
        last_fault: one.last_fault.max(two.last_fault),
        cooling: None,
        half_open: false,
        paused: None,
        reopened: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::stats::tests::seen;
    use super::super::{Bucket, ErrorClass};
    use super::*;

    const CLASSES: [ErrorClass; 5] =
        [ErrorClass::Ok, ErrorClass::ProviderFault, ErrorClass::RateLimited, ErrorClass::Overloaded, ErrorClass::Quota];

    fn attempt(millis: u64, class: ErrorClass) -> Observation {
        let begins = seen("2026-11-24T10:00:00Z", class);
        Observation { at: begins.at + Duration::from_millis(millis), ..begins }
    }

    proptest! {
        /// Whoever made which attempt, two machines that tell each other leave alone what one that made all would, and
        /// have seen as much.
        #[test]
        fn two_that_tell_each_other_are_one(
            steps in prop::collection::vec((any::<bool>(), 0..CLASSES.len(), 0..20_000_u64), 1..40),
            later in 0..120_000_u64,
        ) {
            let learning = Learning::default();
            let mut whole: Option<StatsState> = None;
            let mut own: Option<StatsState> = None;
            let mut both = Together::new(None);
            let mut millis = 0;
            for (mine, class, passed) in steps {
                millis += passed;
                let seen = attempt(millis, CLASSES[class]);
                whole.get_or_insert_with(|| StatsState::new(seen.at)).observe(&seen, &learning);
                if mine {
                    own.get_or_insert_with(|| StatsState::new(seen.at)).observe(&seen, &learning);
                    both.made(&seen);
                } else {
                    both.heard(&seen);
                }
            }
            let now = attempt(millis + later, ErrorClass::Ok).at;
            let one = whole.unwrap().at(now, &learning);
            let two = both.at(own.map(|own| own.at(now, &learning)), now);
            prop_assert_eq!((one.cooling, one.half_open, one.paused), (two.cooling, two.half_open, two.paused));
            prop_assert_eq!(one.reopened, two.reopened);
            prop_assert!((one.recent.tried() - two.recent.tried()).abs() < 1e-9);
            prop_assert!((one.limited - two.limited).abs() < 1e-9);
            prop_assert_eq!((one.last_success, one.last_fault), (two.last_success, two.last_fault));
        }
    }

    #[test]
    fn a_pause_that_the_machine_keeps_is_kept_until_somebody_sees_it_well() {
        let learning = Learning::default();
        let failed = attempt(0, ErrorClass::ProviderFault);
        let own =
            || Some(StatsState::of([&failed], &learning).unwrap().at(failed.at + Duration::from_secs(1), &learning));
        let now = failed.at + Duration::from_secs(2);
        let mut both = Together::new(own().as_ref());
        assert!(both.at(own(), now).cooling.is_some());
        both.heard(&attempt(500, ErrorClass::Ok));
        assert_eq!(both.at(own(), now).cooling, None);
        // Another process of this machine met it, and nobody knew.
        let unaware = Together::new(None);
        assert!(unaware.at(own(), now).cooling.is_some());
    }

    #[test]
    fn of_two_that_tell_what_is_left_the_later_is_believed() {
        let headroom = |millis, left| {
            let at = attempt(millis, ErrorClass::Ok).at;
            let bucket = Bucket { limit: 60, left, at, full_at: at + Duration::from_secs(60) };
            Headroom { requests: Some(bucket), tokens: None }
        };
        let told = |headroom| EndpointStats { headroom, ..EndpointStats::default() };
        let (early, late) = (told(headroom(0, 50)), told(headroom(1, 2)));
        assert_eq!(sum(early.clone(), late.clone()).headroom, late.headroom);
        assert_eq!(sum(late.clone(), early).headroom, late.headroom);
        assert_eq!(sum(EndpointStats::default(), late.clone()), late);
    }

    #[test]
    fn one_of_all_takes_the_trial() {
        let mut both = Together::new(None);
        both.heard(&attempt(0, ErrorClass::ProviderFault));
        let until = both.at(None, attempt(1, ErrorClass::Ok).at).cooling.unwrap().until;
        let trial = until + Duration::from_secs(30);
        assert!(!both.clone().claim(attempt(1, ErrorClass::Ok).at, trial), "not yet");
        let mut second = both.clone();
        assert!(both.claim(until, trial) && !both.claim(until, trial));
        second.claimed(trial);
        assert!(second.at(None, until).cooling.is_some() && !second.claim(until, trial));
        assert!(Together::new(None).claim(until, trial), "what nobody leaves alone needs no trial");
    }
}
