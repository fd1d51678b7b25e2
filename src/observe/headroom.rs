//! What is left of a rate limit, as the provider's own headers say.

use jiff::Timestamp;

use crate::units::Tokens;

/// One limit: so much in all, so much left, and full again at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How much there is when it is full.
    pub limit: u64,
    /// How much was left.
    pub left: u64,
    /// When that was said.
    pub at: Timestamp,
    /// When it will be full again.
    pub full_at: Timestamp,
}

impl Bucket {
    /// What is left at `now`, refilled evenly since it was said.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
    pub fn left_at(&self, now: Timestamp) -> f64 {
        let (limit, left) = (self.limit as f64, self.left.min(self.limit) as f64);
        let whole = self.full_at.duration_since(self.at).as_secs_f64();
        let passed = now.duration_since(self.at).as_secs_f64();
        if passed >= whole || whole <= 0.0 {
            return limit;
        }
        left + (limit - left) * (passed / whole).max(0.0)
    }
}

/// The limits of one key at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headroom {
    /// Requests.
    pub requests: Option<Bucket>,
    /// Tokens.
    pub tokens: Option<Bucket>,
}

impl Headroom {
    /// The same where a later answer says more.
    #[must_use]
    pub fn or(self, earlier: Self) -> Self {
        Self { requests: self.requests.or(earlier.requests), tokens: self.tokens.or(earlier.tokens) }
    }

    /// When it was said, the newest of it.
    #[must_use]
    pub fn said(&self) -> Option<Timestamp> {
        self.requests.into_iter().chain(self.tokens).map(|bucket| bucket.at).max()
    }

    /// The chance that a request of so many tokens is turned away at `now`, beside so many others in flight: the share of
    /// what it needs that is not there. `None` where no limit is known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
    pub fn rejection(&self, tokens: Tokens, in_flight: u32, now: Timestamp) -> Option<f64> {
        let others = f64::from(in_flight) + 1.0;
        let short = |bucket: Option<Bucket>, need: f64| {
            bucket.map(|bucket| (1.0 - bucket.left_at(now) / need.max(1.0)).clamp(0.0, 1.0))
        };
        let requests = short(self.requests, others);
        let tokens = short(self.tokens, others * tokens.count() as f64);
        match (requests, tokens) {
            (Some(one), Some(two)) => Some(one.max(two)),
            (one, two) => one.or(two),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_short_is_the_chance_of_a_refusal_and_refills_with_time() {
        let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let minute = at + Duration::from_secs(60);
        let bucket = |limit, left| Some(Bucket { limit, left, at, full_at: minute });
        let headroom = Headroom { requests: bucket(60, 0), tokens: bucket(10_000, 4000) };
        let need = Tokens::new(5000);
        assert_eq!(headroom.rejection(need, 0, at), Some(1.0));
        let only_tokens = Headroom { requests: None, ..headroom };
        assert!((only_tokens.rejection(need, 0, at).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(only_tokens.rejection(need, 0, at + Duration::from_secs(10)), Some(0.0));
        assert!(only_tokens.rejection(need, 1, at + Duration::from_secs(10)).unwrap() > 0.4);
        assert_eq!(headroom.rejection(need, 0, minute), Some(0.0));
        assert_eq!(Headroom::default().rejection(need, 0, at), None);
    }
}
