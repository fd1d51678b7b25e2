//! How many attempts beyond their second the requests of a process make together: each may fail over once, but where
//! everything fails, asking everybody for each request would only make it worse.

use jiff::Timestamp;

/// In thousandths of an attempt: what a request adds, what there is to begin with and after a quiet while, the most.
const OF_A_REQUEST: u32 = 200;
const RESERVE: u32 = 10_000;
const MOST: u32 = 30_000;

/// One further attempt for five requests, and a reserve of ten that fills by one a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryBudget {
    thousandths: u32,
    filled: Option<Timestamp>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { thousandths: RESERVE, filled: None }
    }
}

impl RetryBudget {
    /// A request begins.
    pub fn request(&mut self, now: Timestamp) {
        self.fill(now);
        self.thousandths = (self.thousandths + OF_A_REQUEST).min(MOST);
    }

    /// A request wants a further attempt; whether there is one left.
    pub fn retry(&mut self, now: Timestamp) -> bool {
        self.fill(now);
        let left = self.thousandths.checked_sub(1_000);
        self.thousandths = left.unwrap_or(self.thousandths);
        left.is_some()
    }

    fn fill(&mut self, now: Timestamp) {
        let millis = self.filled.map_or(0, |filled| now.as_millisecond().saturating_sub(filled.as_millisecond()));
        let quiet = u32::try_from(millis.max(0)).unwrap_or(u32::MAX);
        self.thousandths = self.thousandths.max(self.thousandths.saturating_add(quiet).min(RESERVE));
        self.filled = self.filled.max(Some(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_millis(millis)
    }

    proptest! {
        /// However requests and failures come, the further attempts of any stretch are a fifth of its requests, what the most
        /// savings and the seconds allow, and never more.
        #[test]
        fn a_storm_of_failures_is_no_storm_of_attempts(steps in prop::collection::vec((any::<bool>(), 0..400_u64), 1..400)) {
            let mut budget = RetryBudget::default();
            let (mut now, mut requests, mut granted) = (0, 0_u64, 0_u64);
            for (is_request, passed) in steps {
                now += passed;
                if is_request {
                    budget.request(at(now));
                    requests += 1;
                } else {
                    granted += u64::from(budget.retry(at(now)));
                }
                prop_assert!(granted * 1_000 <= 10_000 + requests * 200 + now);
            }
        }
    }

    #[test]
    fn a_lone_request_has_its_attempts_and_a_quiet_while_gives_them_back() {
        let mut budget = RetryBudget::default();
        let used = |budget: &mut RetryBudget, now| (0..100).take_while(|_| budget.retry(at(now))).count();
        budget.request(at(0));
        assert_eq!(used(&mut budget, 0), 10);
        assert_eq!(used(&mut budget, 2_500), 2);
        assert_eq!(used(&mut budget, 3_600_000), 10, "no more than the reserve");
        assert_eq!(used(&mut budget, 0), 0, "a clock that goes back gives nothing");
        (0..1_000).for_each(|_| budget.request(at(3_600_000)));
        assert_eq!(used(&mut budget, 3_600_000), 30);
    }
}
