//! What is known as of a moment that the clock has not reached, because it ran ahead and was set back.

use jiff::{SignedDuration, Timestamp};

use super::{Observation, StatsState};

/// So much later than the clock may be what another thread has seen.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// No attempt takes longer, nor waits longer for its end to be told.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

impl StatsState {
    /// Where the sums hold as of a moment that the clock has not reached, because it was set back: as of `now`, with all
    /// else as long before and after that as it was. True where that is so.
    pub fn set_back(&mut self, now: Timestamp) -> bool {
        self.set_back_beyond(now, AHEAD)
    }

    /// The same when an attempt has ended; others that began after it may have ended before.
    pub fn set_back_at_end_of(&mut self, seen: &Observation) {
        if self.updated > seen.at {
            self.set_back_beyond(seen.at + seen.timings.e2e.unwrap_or_default(), LONGEST);
        }
    }

    fn set_back_beyond(&mut self, now: Timestamp, slack: SignedDuration) -> bool {
        let ahead = self.updated.duration_since(now);
        if ahead <= slack {
            return false;
        }
        let back = |at: Timestamp| at.checked_sub(ahead).unwrap_or(at);
        self.updated = now;
        (self.last_success, self.last_fault) = (self.last_success.map(back), self.last_fault.map(back));
        for bucket in self.headroom.requests.iter_mut().chain(&mut self.headroom.tokens) {
            (bucket.at, bucket.full_at) = (back(bucket.at), back(bucket.full_at));
        }
        self.breaker.set_back(ahead);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::tests::seen;
    use super::super::{Bucket, ErrorClass, Headroom, Learning};
    use super::*;

    /// What a clock that runs a day ahead saw is, once it is set back, what a right one would have seen.
    #[test]
    fn what_is_set_back_is_what_a_right_clock_would_have_seen() {
        let day = Duration::from_secs(86_400);
        let classes = [
            ErrorClass::Ok,
            ErrorClass::ProviderFault,
            ErrorClass::ProviderFault,
            ErrorClass::Ok,
            ErrorClass::RateLimited,
            ErrorClass::Unreachable,
            ErrorClass::Ok,
            ErrorClass::ProviderFault,
        ];
        let fold = |ahead: Duration| {
            let mut moment = "2026-11-24T10:00:00Z".parse::<Timestamp>().unwrap() + ahead;
            let mut all = Vec::new();
            for class in classes {
                moment += Duration::from_secs(7);
                let bucket = Bucket { limit: 9, left: 1, at: moment, full_at: moment + Duration::from_secs(60) };
                let headroom = Headroom { requests: Some(bucket), tokens: None };
                all.push(Observation { at: moment, headroom, ..seen("2026-11-24T10:00:00Z", class) });
            }
            StatsState::of(&all, &Learning::default()).unwrap()
        };
        let (right, mut ahead) = (fold(Duration::ZERO), fold(day));
        assert!(!ahead.set_back(ahead.updated) && !ahead.set_back(ahead.updated - Duration::from_secs(60)));
        let now = ahead.updated - day;
        assert!(ahead.set_back(now) && !ahead.set_back(now));
        assert_eq!(ahead, right);
        let mut late = fold(day);
        let long = Observation { at: now + day, ..seen("2026-11-24T10:00:00Z", ErrorClass::Ok) };
        late.set_back_at_end_of(&Observation { at: long.at - Duration::from_secs(1800), ..long.clone() });
        assert_eq!(late, fold(day), "it began earlier, and others ended before it");
        late.set_back_at_end_of(&Observation { at: now, ..long });
        assert_eq!(late, right);
    }
}
