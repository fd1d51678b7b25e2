//! So much a minute, refilled evenly.

use std::time::Duration;

use jiff::Timestamp;

/// A minute, in the milliseconds that a bucket is filled by.
const MINUTE: i64 = 60_000;

/// What is left of so much a minute: full at first, and never more than a minute's.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    most: i64,
    /// In sixty-thousandths of one: each millisecond adds `most` of them.
    left: i64,
    filled: Option<Timestamp>,
}

impl Bucket {
    pub(super) fn new(most: u64) -> Self {
        let most = i64::try_from(most).unwrap_or(i64::MAX).clamp(1, i64::MAX / MINUTE / 2);
        Self { most, left: most * MINUTE, filled: None }
    }

    /// How much a minute.
    pub(super) const fn most(&self) -> i64 {
        self.most
    }

    fn fill(&mut self, now: Timestamp) {
        let passed = self.filled.map_or(0, |filled| now.as_millisecond().saturating_sub(filled.as_millisecond()));
        let more = passed.clamp(0, MINUTE * 1_000).saturating_mul(self.most);
        self.left = self.left.saturating_add(more).min(self.most * MINUTE);
        self.filled = self.filled.max(Some(now));
    }

    /// Takes so much. What is more than a minute's is let through when all of it is there, and is owed.
    ///
    /// # Errors
    /// There is not enough; how long until there is.
    pub(super) fn take(&mut self, amount: u64, now: Timestamp) -> Result<(), Duration> {
        self.fill(now);
        let amount = i64::try_from(amount).unwrap_or(i64::MAX / MINUTE).min(i64::MAX / MINUTE);
        let short = amount.min(self.most) * MINUTE - self.left;
        if short > 0 {
            let millis = short.div_euclid(self.most) + i64::from(short.rem_euclid(self.most) > 0);
            return Err(Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
        }
        self.left = self.left.saturating_sub(amount * MINUTE);
        Ok(())
    }

    /// So much was taken, and so much was used.
    pub(super) fn correct(&mut self, taken: u64, used: u64) {
        let count = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX / MINUTE).min(i64::MAX / MINUTE) * MINUTE;
        let left = self.left.saturating_add(count(taken)).saturating_sub(count(used));
        self.left = left.min(self.most * MINUTE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_one_after_the_other() {
        let mut bucket = Bucket::new(3);
        let taken = |bucket: &mut Bucket, millis| (0..10).take_while(|_| bucket.take(1, at(millis)).is_ok()).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(bucket.take(1, at(0)), Err(Duration::from_secs(20)));
        assert_eq!(bucket.take(1, at(19_999)), Err(Duration::from_millis(1)));
        assert_eq!(taken(&mut bucket, 20_000), 1);
        assert_eq!(taken(&mut bucket, 3_600_000), 3, "no more than a minute's");
        assert_eq!(taken(&mut bucket, 0), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn what_was_not_used_is_given_back_and_what_was_used_beyond_is_owed() {
        let mut bucket = Bucket::new(100);
        assert_eq!(bucket.take(100, at(0)), Ok(()));
        bucket.correct(100, 40);
        assert_eq!(bucket.take(60, at(0)), Ok(()));
        bucket.correct(60, 160);
        assert_eq!(bucket.take(1, at(0)), Err(Duration::from_millis(60_600)));
        // More than a minute's passes when all of it is there.
        assert_eq!(bucket.take(500, at(200_000)), Ok(()));
        assert_eq!(bucket.take(1, at(200_000)), Err(Duration::from_millis(240_600)));
    }

    proptest! {
        /// However it is asked, no more than a minute's, and what the time allows, is taken of small amounts.
        #[test]
        fn never_more_than_the_rate(
            most in 1..200_u64,
            steps in prop::collection::vec((1..20_u64, 0..3_000_u64), 1..200),
        ) {
            let mut bucket = Bucket::new(most);
            let (mut now, mut taken) = (0, 0);
            for (amount, passed) in steps {
                now += passed;
                let amount = amount.min(most);
                match bucket.take(amount, at(now)) {
                    Ok(()) => taken += amount,
                    Err(wait) => {
                        let wait = u64::try_from(wait.as_millis()).unwrap();
                        prop_assert!(bucket.clone().take(amount, at(now + wait)).is_ok(), "after the wait there is enough");
                        prop_assert!(bucket.clone().take(amount, at(now + wait - 1)).is_err(), "and not before");
                    }
                }
                prop_assert!(taken * 60_000 <= most * 60_000 + now * most);
            }
        }
    }
}
