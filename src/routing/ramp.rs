//! How an endpoint comes back after a pause that its own faults began: not with everything at once, because whatever has just
//! got up is easily run over again (`routing.md` 4).
//!
//! For three steps it gets a share of what comes, by a hash of the seed. What finds few of this process in flight there gets
//! through whatever the share: few run nobody over, and who calls now and then is not sent elsewhere for a share of nothing;
//! the simulation, whose hosts nobody runs over, loses no more by it than by chance. Who is held back is never excluded: it
//! comes behind all others, and where there is no other it is asked. Each endpoint is judged by itself, so that removing one
//! never reorders two others.

use jiff::Timestamp;

use super::{Candidate, Policy};
use crate::observe::draw;

/// What it gets in each step, in percent; then everything.
const SHARES: [u8; 3] = [10, 25, 50];

/// Whether an endpoint that comes back is to have a request, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Few requests of this process are in flight there.
    Few,
    /// The seed has drawn it.
    Drawn,
    /// It is not among its share.
    HeldBack,
}

/// An endpoint that comes back after a pause, as seen by one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// When the pause was over.
    pub since: Timestamp,
    /// Its share at the moment, in percent.
    pub percent: u8,
    /// Whether it is to have this request.
    pub admission: Admission,
}

impl Return {
    /// How a candidate comes back; `None` where it was not away, or has been back for long enough.
    pub(super) fn of(candidate: &Candidate<'_>, policy: &Policy, now: Timestamp, seed: u64) -> Option<Self> {
        let since = candidate.stats.reopened?;
        // Another thread may have seen it well a moment later.
        let passed = now.duration_since(since).max(jiff::SignedDuration::ZERO).unsigned_abs();
        let step = passed.as_nanos().checked_div(policy.ramp_step.as_nanos())?;
        let percent = *SHARES.get(usize::try_from(step).ok()?)?;
        let admission = if candidate.in_flight < policy.ramp_free {
            Admission::Few
        } else if drawn(candidate, seed) < u64::from(percent) {
            Admission::Drawn
        } else {
            Admission::HeldBack
        };
        Some(Self { since, percent, admission })
    }

    /// Whether it is to have this request.
    #[must_use]
    pub fn admitted(&self) -> bool {
        self.admission != Admission::HeldBack
    }

    /// The shares that it gets in turn, in percent.
    #[must_use]
    pub const fn shares() -> [u8; 3] {
        SHARES
    }
}

/// A number below 100 for the endpoint, of the seed: another than that of near-ties, so that neither leans on the other.
fn drawn(candidate: &Candidate<'_>, seed: u64) -> u64 {
    let id = &candidate.endpoint.id;
    let name = id.provider.as_str().bytes().chain([0]).chain(id.upstream_model.bytes());
    draw(seed, b"ramp\0".iter().copied().chain(name)) % 100
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::catalog::{Endpoint, EndpointId, ModelId, ProviderId, ProviderKind};

    fn back(name: &str, in_flight: u32) -> Candidate<'static> {
        let id = EndpointId { provider: ProviderId::new(name), upstream_model: "m".into() };
        let endpoint = Endpoint::new(id, ModelId::new("a/m"));
        let mut candidate = Candidate::new(&endpoint, ProviderKind::Host).into_owned();
        candidate.stats.reopened = Some(Timestamp::UNIX_EPOCH);
        candidate.in_flight = in_flight;
        candidate
    }

    fn after(millis: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn it_gets_more_in_three_steps_and_then_everything() {
        let (candidate, policy) = (back("p", 32), Policy::default());
        let percent = |millis| Return::of(&candidate, &policy, after(millis), 0).map(|returning| returning.percent);
        let steps = [0, 9_999, 10_000, 19_999, 20_000, 29_999].map(percent);
        assert_eq!(steps, [10, 10, 25, 25, 50, 50].map(Some));
        assert_eq!(percent(30_000), None);
        let before = Timestamp::UNIX_EPOCH - Duration::from_secs(3);
        assert_eq!(Return::of(&candidate, &policy, before, 0).map(|returning| returning.percent), Some(10));
        let none = Policy { ramp_step: Duration::ZERO, ..policy };
        assert_eq!(Return::of(&candidate, &none, after(0), 0), None);
    }

    #[test]
    fn the_seed_draws_its_share_and_a_few_get_through() {
        let policy = Policy::default();
        let admitted = |candidate: &Candidate<'_>, millis| {
            let of = |seed| Return::of(candidate, &policy, after(millis), seed).is_some_and(|one| one.admitted());
            (0..10_000).map(of).collect::<Vec<bool>>()
        };
        let count = |all: &[bool]| all.iter().filter(|admitted| **admitted).count();
        let (one, two) = (admitted(&back("p", 32), 0), admitted(&back("q", 32), 0));
        for (all, share) in [(&one, 1000), (&admitted(&back("p", 90), 15_000), 2500), (&two, 1000)] {
            assert!(count(all).abs_diff(share) < 150, "{} of {share}", count(all));
        }
        // What is let in at first is let in later, and two that come back draw each for itself.
        assert!(one.iter().zip(admitted(&back("p", 32), 15_000)).all(|(first, later)| !first || later));
        let both = one.iter().zip(&two).filter(|(one, two)| **one && **two).count();
        assert!((50..150).contains(&both), "{both}");
        assert_eq!(count(&admitted(&back("p", 31), 0)), 10_000);
    }
}
