//! From a [`Decision`] to the next step: a state machine without clock or I/O. It is told what happened and how much
//! time has passed since the request began, and says what to do.

use std::time::Duration;

use super::Decision;
use super::score::{f64_of, seconds};
use crate::catalog::EndpointId;
use crate::observe::{ErrorClass, Failover as Next};
use crate::units::Tokens;

/// An answer of no limit that comes in one piece is taken to be this long, in tokens.
const LONG: Tokens = Tokens::new(8192);
/// Tokens a second that nobody is slower than for long.
const SLOW: f64 = 20.0;

/// The limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most attempts.
    pub max_attempts: u32,
    /// Most tries of endpoints that were tried already.
    pub retries: u32,
    /// How long all attempts together may take to a first token; `None` is no limit.
    pub first_token: Option<Duration>,
    /// The longest wait between two tries of one endpoint.
    pub max_wait: Duration,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Call this endpoint.
    Try {
        /// Its place in the decision's order.
        index: usize,
        /// Which one.
        endpoint: EndpointId,
        /// How long it may take to its first token; `None` is no limit.
        first_token: Option<Duration>,
        /// How long it may take before that is held against it.
        patience: Duration,
        /// Whether it was tried before in this request.
        again: bool,
        /// Whether it is to go on with what was said before the break; else it begins anew.
        resume: bool,
    },
    /// Wait, then ask again.
    Wait(Duration),
    /// Stop: the last failure stands.
    GiveUp(GiveUp),
}

/// Why there is no next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// Every candidate failed.
    Exhausted,
    /// The failure would be the same everywhere, or the answer has begun to be shown.
    Final,
    /// As many attempts as are allowed were made.
    Attempts,
    /// The time for a first token is over.
    Deadline,
    /// The provider asks for a longer wait than is allowed.
    TooLong,
    /// Too many requests of this process fail at once for each to be tried once more.
    Storm,
}

#[derive(Debug, Clone)]
struct Link {
    endpoint: EndpointId,
    context: Option<Tokens>,
    first_token: Duration,
    tries: u32,
    /// After a failure: whether it may be tried again, and from when.
    again_from: Option<Duration>,
    closed: bool,
    /// Whether it can go on with an answer that was begun.
    resumes: bool,
}

impl Link {
    /// Whether it may still be asked, to go on with an answer or at all.
    const fn is_open(&self, resume: bool) -> bool {
        !self.closed && (self.resumes || !resume)
    }
}

/// An answer that broke off in the middle.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// Whether the caller has it: then nobody may begin anew.
    shown: bool,
    /// When it broke off: the time for a first token begins again.
    since: Duration,
}

/// The failover of one request.
#[derive(Debug, Clone)]
pub struct Failover {
    chain: Vec<Link>,
    limits: Limits,
    attempts: u32,
    retried: u32,
    current: Option<usize>,
    stopped: bool,
    committed: bool,
    begun: Option<Begun>,
    jitter: u64,
}

impl Failover {
    /// A chain over the decision's ranked endpoints.
    #[must_use]
    pub fn new(decision: &Decision, limits: Limits) -> Self {
        let chain = decision.ranked.iter().map(|ranked| Link {
            endpoint: ranked.endpoint.clone(),
            context: ranked.context,
            first_token: ranked.first_token_limit,
            tries: 0,
            again_from: None,
            closed: false,
            resumes: false,
        });
        Self {
            chain: chain.collect(),
            limits,
            attempts: 0,
            retried: 0,
            current: None,
            stopped: false,
            committed: false,
            begun: None,
            jitter: decision.seed,
        }
    }

    /// The same, where an answer that breaks off in the middle may be gone on with by those who can. Without this nobody
    /// can.
    #[must_use]
    pub fn resuming(mut self, can: impl Fn(&EndpointId) -> bool) -> Self {
        for link in &mut self.chain {
            link.resumes = can(&link.endpoint);
        }
        self
    }

    /// The same for an answer that comes in one piece: nothing of it is there before all of it is. Each endpoint may take
    /// what it may take to a first token, and then as long as the longest answer that is asked for takes at half of its
    /// speed, or at 20 tokens a second; time for a first token at all of them together there is none.
    #[must_use]
    pub fn whole(mut self, decision: &Decision) -> Self {
        let most = decision.request.max_output.unwrap_or(LONG);
        for (link, ranked) in self.chain.iter_mut().zip(&decision.ranked) {
            let speed = (ranked.expectation.tokens_per_s.value / 2.0).clamp(1.0, SLOW);
            link.first_token += seconds(f64_of(most) / speed);
        }
        self.limits.first_token = None;
        self
    }

    /// What to do, `elapsed` after the request began.
    pub fn next(&mut self, elapsed: Duration) -> Step {
        if self.stopped || self.committed {
            return Step::GiveUp(GiveUp::Final);
        }
        if self.attempts >= self.limits.max_attempts {
            return Step::GiveUp(GiveUp::Attempts);
        }
        let Some(begun) = self.begun else { return self.pick(false, elapsed) };
        match self.pick(true, elapsed) {
            // What nobody has seen may be begun anew.
            Step::GiveUp(_) if !begun.shown => {
                self.begun = None;
                self.pick(false, elapsed)
            }
            step => step,
        }
    }

    /// The next of those who are open, to go on with an answer or to begin one.
    fn pick(&mut self, resume: bool, elapsed: Duration) -> Step {
        let since = self.begun.map_or(Duration::ZERO, |begun| begun.since);
        let left = match self.limits.first_token {
            None => None,
            Some(limit) if elapsed.saturating_sub(since) >= limit => return Step::GiveUp(GiveUp::Deadline),
            Some(limit) => Some(limit.saturating_sub(elapsed.saturating_sub(since))),
        };
        if let Some(index) = self.chain.iter().position(|link| link.tries == 0 && link.is_open(resume)) {
            return self.attempt(index, left, resume);
        }
        if self.retried >= self.limits.retries {
            return Step::GiveUp(GiveUp::Exhausted);
        }
        let open = self.chain.iter().enumerate().filter(|(_, link)| link.is_open(resume));
        let retryable = open.filter_map(|(at, link)| Some((link.again_from?, at)));
        let Some((from, index)) = retryable.min() else { return Step::GiveUp(GiveUp::Exhausted) };
        if from <= elapsed {
            self.retried += 1;
            return self.attempt(index, left, resume);
        }
        let wait = from.saturating_sub(elapsed);
        if wait > self.limits.max_wait {
            return Step::GiveUp(GiveUp::TooLong);
        }
        if left.is_some_and(|left| wait >= left) {
            return Step::GiveUp(GiveUp::Deadline);
        }
        Step::Wait(wait)
    }

    fn attempt(&mut self, index: usize, left: Option<Duration>, resume: bool) -> Step {
        self.attempts += 1;
        self.current = Some(index);
        let open = |(at, link): (usize, &Link)| at != index && link.tries == 0 && link.is_open(resume);
        let another = self.chain.iter().enumerate().any(open) && self.attempts < self.limits.max_attempts;
        let link = &mut self.chain[index];
        let again = link.tries > 0;
        link.tries += 1;
        link.again_from = None;
        // With nowhere else to go, cutting a slow answer short would only lose it.
        let own = another.then_some(link.first_token);
        let first_token = match (own, left) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        };
        Step::Try { index, endpoint: link.endpoint.clone(), first_token, patience: link.first_token, again, resume }
    }

    /// The current attempt is not made, because somebody else is trying the endpoint after its cool-down. False where no
    /// other is open: then it is made all the same.
    pub fn pass_over(&mut self) -> bool {
        let Some(index) = self.current else { return false };
        let resume = self.begun.is_some();
        let open = |(at, link): (usize, &Link)| at != index && link.tries == 0 && link.is_open(resume);
        if !self.chain.iter().enumerate().any(open) {
            return false;
        }
        self.current = None;
        self.attempts = self.attempts.saturating_sub(1);
        self.chain[index].closed = true;
        true
    }

    /// The current attempt is not made: the endpoint may not go on with what was said.
    pub fn decline(&mut self) {
        let Some(index) = self.current.take() else { return };
        self.attempts = self.attempts.saturating_sub(1);
        let link = &mut self.chain[index];
        link.tries = link.tries.saturating_sub(1);
        link.resumes = false;
    }

    /// What was said cannot be gone on with, and nobody has seen it: the answer begins anew.
    pub fn begin_anew(&mut self) {
        self.begun = None;
    }

    /// Another endpoint is asked beside the current one, which counts as an attempt; `None` where it was tried, is closed,
    /// or no attempt or time is left.
    pub fn beside(&mut self, endpoint: &EndpointId, elapsed: Duration) -> Option<Step> {
        let current = self.current?;
        let left = self.limits.first_token.map(|limit| limit.saturating_sub(elapsed));
        let over = self.stopped || self.committed || left.is_some_and(|left| left.is_zero());
        let open = |link: &Link| link.endpoint == *endpoint && link.tries == 0 && !link.closed;
        let index = self.chain.iter().position(open)?;
        if over || self.attempts >= self.limits.max_attempts {
            return None;
        }
        let step = self.attempt(index, left, false);
        self.current = Some(current);
        Some(step)
    }

    /// What is said next is about this one of two that were asked side by side.
    pub fn about(&mut self, endpoint: &EndpointId) {
        self.current = self.chain.iter().position(|link| link.endpoint == *endpoint);
    }

    /// The current attempt was cancelled because the other began to answer: its endpoint may be asked again, should that
    /// one break off.
    pub fn spared(&mut self) {
        if let Some(index) = self.current.take() {
            self.chain[index].tries = 0;
        }
    }

    /// The current attempt failed, `elapsed` after the request began.
    pub fn failed(&mut self, class: ErrorClass, retry_after: Option<Duration>, elapsed: Duration) {
        let Some(index) = self.current.take() else { return };
        match class.failover() {
            // What others have taken is refused as a beginning, by this one.
            Next::Stop if class == ErrorClass::Invalid && self.begun.is_some() => self.chain[index].resumes = false,
            Next::Done | Next::Stop => self.stopped = true,
            Next::Next { retry_same } => {
                let backoff = self.backoff(index);
                self.chain[index].again_from =
                    retry_same.then(|| elapsed.saturating_add(retry_after.unwrap_or(backoff)));
            }
            Next::NextIfFits => self.close_smaller(index, class),
        }
    }

    /// After a context overflow, windows that are not larger would overflow as well.
    fn close_smaller(&mut self, index: usize, class: ErrorClass) {
        let Some(limit) = self.chain[index].context.filter(|_| class == ErrorClass::TooLarge) else { return };
        for link in &mut self.chain {
            link.closed |= link.context.is_some_and(|context| context <= limit);
        }
    }

    /// Full jitter over 0.5 s doubling to 8 s, from the decision's seed.
    fn backoff(&mut self, index: usize) -> Duration {
        let tries = self.chain[index].tries.saturating_sub(1).min(4);
        let ceiling = 500_u64 << tries;
        self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.jitter >> 33) % ceiling + 1)
    }

    /// Which endpoint would be tried again first, now or after a wait.
    #[must_use]
    pub fn waiting_for(&self) -> Option<&EndpointId> {
        let resume = self.begun.is_some();
        let waiting = self.chain.iter().filter(|link| link.is_open(resume));
        waiting
            .filter_map(|link| Some((link.again_from?, link)))
            .min_by_key(|(from, _)| *from)
            .map(|(_, link)| &link.endpoint)
    }

    /// A part of the answer has reached the caller: there is no second try any more.
    pub fn committed(&mut self) {
        self.committed = true;
    }

    /// The current attempt broke off in the middle of an answer that may be gone on with, `elapsed` after the request
    /// began; `shown` says that the caller has what came of it. How it failed is told next.
    pub fn broke(&mut self, shown: bool, elapsed: Duration) {
        let shown = shown || self.begun.is_some_and(|begun| begun.shown);
        self.begun = Some(Begun { shown, since: elapsed });
    }

    /// Attempts made so far.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}
