//! Whether a second provider is asked where the first is slow, when, and what that costs at worst: from the decision alone.
//!
//! Never unless it is asked for. A second request costs money, so it waits until the time that is likely saved is worth its
//! price, and is not planned where its cost has no bound, or where a provider bills an answer that is cancelled to its end
//! (`routing.md` 5).

use std::time::Duration;

use super::score::seconds;
use super::{Basis, Decision, Ranked};
use crate::catalog::{CancelBilling, EndpointId};
use crate::units::Usd;

/// The largest share of requests that are hedged, in percent.
const PERCENT: u64 = 5;
/// How many may be hedged before that share is counted, so that a command line that is used now and then may hedge at all.
const RESERVE: u64 = 2;
/// The time whose requests are counted.
pub const HEDGED_WITHIN: Duration = Duration::from_secs(30 * 24 * 3600);

/// The wish to hedge, and what there was within [`HEDGED_WITHIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hedging {
    /// Requests.
    pub requests: u64,
    /// Of these, hedged ones.
    pub hedged: u64,
}

impl Hedging {
    /// Whether one more leaves the share within its limit.
    #[must_use]
    pub const fn has_room(self) -> bool {
        let most = RESERVE * 100 + self.requests.saturating_mul(PERCENT);
        self.hedged.saturating_add(1).saturating_mul(100) <= most
    }

    /// Takes one of them, where there is room; whoever does not use it gives it back.
    pub const fn take(&mut self) -> bool {
        let room = self.has_room();
        if room {
            self.hedged += 1;
        }
        room
    }

    /// The largest share, in percent, and how many may be hedged before it counts.
    #[must_use]
    pub const fn limit() -> (u64, u64) {
        (PERCENT, RESERVE)
    }
}

/// A second request that is sent unless the first has begun to be answered by then.
#[derive(Debug, Clone, PartialEq)]
pub struct Hedge {
    /// Who is asked first.
    pub first: EndpointId,
    /// Who is asked beside it.
    pub second: EndpointId,
    /// How long after the first: the later of the two times below.
    pub after: Duration,
    /// What the first takes in one case of twenty, or more.
    pub p95: Duration,
    /// From when on the wait is worth the price of the second, which has a wait of its own.
    pub worth: Duration,
    /// Where the first one's wait comes from.
    pub basis: Basis,
    /// What the second is expected to cost, in USD.
    pub expected: Usd,
    /// The most that the second can cost, in USD.
    pub bound: Usd,
    /// The most that both can cost, in USD.
    pub both: Usd,
}

/// Why nobody is asked beside the first.
#[derive(Debug, Clone, PartialEq)]
pub enum Unhedged {
    /// It was not asked for.
    NotAsked,
    /// There is no other candidate.
    Alone,
    /// Of this one it is billed, or may be, what is cancelled.
    Bills {
        /// Which.
        endpoint: EndpointId,
        /// What it bills of a stream.
        how: CancelBilling,
        /// Whether it would bill less of a stream, and this answer is not one.
        whole: bool,
    },
    /// This one is being left alone, or has just been.
    Cooling(EndpointId),
    /// No bound on the cost of this one is known.
    Unbounded(EndpointId),
    /// Both together could cost more than the limit.
    AboveMaxCost {
        /// What they could cost, in USD.
        both: Usd,
        /// The limit, in USD.
        limit: Usd,
    },
    /// As many requests as may be were hedged.
    ShareSpent(Hedging),
    /// How many were hedged of late cannot be read, and so not whether one more may be.
    HistoryUnread,
    /// No wait is worth money.
    FreeTime,
    /// Before the wait is worth it, the first has failed over.
    TooLate {
        /// When the second would be asked.
        after: Duration,
        /// When the first has failed for want of a token.
        limit: Duration,
    },
}

impl Unhedged {
    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Alone => "one_candidate",
            Self::Bills { how: CancelBilling::Unknown, .. } => "billing_unknown",
            Self::Bills { .. } => "bills_on_cancel",
            Self::Cooling(_) => "cooling_down",
            Self::Unbounded(_) => "unbounded_cost",
            Self::AboveMaxCost { .. } => "above_max_cost",
            Self::ShareSpent(_) => "share_spent",
            Self::HistoryUnread => "history_unread",
            Self::FreeTime => "time_is_free",
            Self::TooLate { .. } => "too_late",
        }
    }
}

impl Decision {
    /// The second request that goes with this decision where `wish` asks for one: to the first of the others that may be
    /// cancelled cheaply and whose cost is bounded. Pure, as the decision is.
    ///
    /// # Errors
    /// There is none; of several reasons against several others the first one's.
    pub fn hedge(&self, wish: Option<Hedging>) -> Result<Hedge, Unhedged> {
        let wish = wish.ok_or(Unhedged::NotAsked)?;
        let tried = usize::try_from(self.policy.max_attempts).unwrap_or(usize::MAX);
        let mut ranked = self.ranked.iter().take(tried);
        let first = ranked.next().ok_or(Unhedged::Alone)?;
        self.may_be_cancelled(first)?;
        let mut why = None;
        for second in ranked {
            match self.beside(first, second) {
                Ok(_) if !wish.has_room() => return Err(Unhedged::ShareSpent(wish)),
                Ok(hedge) => return Ok(hedge),
                Err(reason) => why = why.or(Some(reason)),
            }
        }
        Err(why.unwrap_or(Unhedged::Alone))
    }

    fn may_be_cancelled(&self, entry: &Ranked) -> Result<(), Unhedged> {
        let whole = !self.request.stream;
        match entry.bills_on_cancel {
            CancelBilling::None => Ok(()),
            // What is not streamed is made to its end, whether or not somebody waits for it.
            CancelBilling::Partial if !whole => Ok(()),
            how => {
                let whole = how == CancelBilling::Partial;
                Err(Unhedged::Bills { endpoint: entry.endpoint.clone(), how, whole })
            }
        }
    }

    fn beside(&self, first: &Ranked, second: &Ranked) -> Result<Hedge, Unhedged> {
        self.may_be_cancelled(second)?;
        if second.cooling.is_some() || second.half_open || second.is_held_back() {
            return Err(Unhedged::Cooling(second.endpoint.clone()));
        }
        let expected = second.score.call().ok_or_else(|| Unhedged::Unbounded(second.endpoint.clone()))?;
        let bound = second.bound.ok_or_else(|| Unhedged::Unbounded(second.endpoint.clone()))?;
        let both = first.bound.ok_or_else(|| Unhedged::Unbounded(first.endpoint.clone()))? + bound;
        if let Some(limit) = self.request.constraints.max_cost.filter(|limit| both > *limit) {
            return Err(Unhedged::AboveMaxCost { both, limit });
        }
        let price = self.policy.wait_value.worth(expected).ok_or(Unhedged::FreeTime)?;
        let p95 = seconds(first.expectation.ttft_p95_s) + self.rest(first);
        let worth = price.saturating_add(seconds(second.expectation.ttft_s.value) + self.rest(second));
        let (after, limit) = (p95.max(worth), first.first_token_limit);
        if self.request.stream && after >= limit {
            return Err(Unhedged::TooLate { after, limit });
        }
        let basis = first.expectation.ttft_s.basis;
        let (first, second) = (first.endpoint.clone(), second.endpoint.clone());
        Ok(Hedge { first, second, after, p95, worth, basis, expected, bound, both })
    }

    /// What follows the first token before anything is there to be seen: all of an answer that is not streamed.
    fn rest(&self, entry: &Ranked) -> Duration {
        if self.request.stream {
            return Duration::ZERO;
        }
        let tokens = u32::try_from(entry.expectation.output.count()).unwrap_or(u32::MAX);
        seconds(f64::from(tokens) / entry.expectation.tokens_per_s.value.max(1e-3))
    }
}
