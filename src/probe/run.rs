//! The driver: rounds over all endpoints, no retries, no failover (`metrics.md` 2.3, 2.4).
//!
//! Without a fixed schedule each call waits for the one before, as one person's would. With one a call is sent when it is
//! due, whatever became of those before it: a provider that stalls would otherwise choose when it is measured.
//!
//! It knows no HTTP: a [`Caller`] makes the calls, so that the driver runs under a scripted one and a paused clock.

mod beat;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::plan::{self, Kind};
use super::sample::{Ended, Sample, Tally};
use super::verdict::{self, LOOKS, Samples};
use crate::catalog::{Endpoint, ModelId};
use crate::chat::ChatRequest;
use crate::observe::ErrorClass;
use crate::units::Usd;
use crate::upstream::exchange::Limits;

/// The longest wait that an endpoint may ask for; one that asks for more is left alone from then on.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// An endpoint that is probed.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The most that one call can cost, in USD; zero where that is not known and was accepted.
    pub bound: Usd,
    /// How many calls it may still get today.
    pub most: u32,
}

/// One call that is to be made now.
#[derive(Debug, Clone)]
pub struct Due {
    /// Of which target.
    pub target: usize,
    /// What is asked.
    pub request: ChatRequest,
    /// How long each part of it may take.
    pub limits: Limits,
    /// How much later than planned it is sent; `None` without a fixed schedule.
    pub late: Option<Duration>,
}

/// Makes the calls.
pub trait Caller {
    /// Makes one call, once. Several may be under way at the same time.
    fn call(&self, due: &Due) -> impl Future<Output = Sample>;
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// What is asked.
    pub kind: Kind,
    /// The most rounds.
    pub rounds: u32,
    /// How many calls an endpoint gets at once each time; at least 1.
    pub parallel: u32,
    /// Whether an endpoint of which enough is known is left alone ([`verdict::is_done`]).
    pub until_known: bool,
    /// A fixed time from the beginning of one round to the next, over which its calls are spread evenly, whatever the
    /// answers take; without it a call begins when the last one is over.
    pub every: Option<Duration>,
    /// Orders, pauses and prompts follow from it.
    pub seed: u64,
    /// No call is made that could take the sum beyond this, in USD.
    pub budget: Usd,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// A tally for each target.
    pub tallies: Vec<Tally>,
    /// What was spent at most, in USD: a call whose cost nobody told counts as its bound.
    pub spent: Usd,
}

/// Asks every target in every round, until the schedule ends or `cancel` turns true.
pub async fn run(
    schedule: &Schedule,
    targets: &[Target],
    caller: &impl Caller,
    cancel: watch::Receiver<bool>,
) -> Report {
    let mut run = Run {
        schedule,
        targets,
        cancel,
        began: Instant::now(),
        states: targets.iter().map(|_| State::default()).collect(),
        spent: Usd::ZERO,
        set_aside: Usd::ZERO,
        calls: 0,
    };
    match schedule.every {
        Some(every) => run.on_the_beat(every, caller).await,
        None => run.in_turn(caller).await,
    }
    run.report()
}

/// Where one endpoint stands.
#[derive(Debug, Default)]
struct State {
    rounds: Vec<Vec<Sample>>,
    ended: Option<Ended>,
    calls: u32,
    asked: Option<Instant>,
    not_before: Option<Instant>,
    limited: u32,
    late: Option<Duration>,
}

struct Run<'a> {
    schedule: &'a Schedule,
    targets: &'a [Target],
    cancel: watch::Receiver<bool>,
    began: Instant,
    states: Vec<State>,
    spent: Usd,
    /// The bounds of calls that are under way.
    set_aside: Usd,
    calls: u64,
}

impl Run<'_> {
    /// Round after round, each call after the one before.
    async fn in_turn(&mut self, caller: &impl Caller) {
        for round in 0..self.schedule.rounds {
            self.states.iter_mut().for_each(|state| state.rounds.push(Vec::new()));
            for at in plan::order(self.schedule.seed, round, self.targets.len()) {
                if !self.may_ask(at) {
                    continue;
                }
                self.pause(at).await;
                if self.is_cancelled() {
                    return;
                }
                let dues = self.dues(at, None);
                let samples = join_all(dues.iter().map(|due| caller.call(due))).await;
                self.take(at, round, samples);
            }
            self.look_for_network(round);
            if self.is_over(round) {
                return;
            }
        }
    }

    /// Whether the target gets another visit; where not, why is noted.
    fn may_ask(&mut self, at: usize) -> bool {
        let (state, target) = (&mut self.states[at], &self.targets[at]);
        if state.ended.is_none() {
            let bound: Usd = (0..self.schedule.parallel).map(|_| target.bound).sum();
            if self.spent + self.set_aside + bound > self.schedule.budget {
                state.ended = Some(Ended::Budget);
            } else if state.calls.saturating_add(self.schedule.parallel) > target.most {
                state.ended = Some(Ended::Daily);
            }
        }
        state.ended.is_none()
    }

    /// The calls of one visit. What they can cost is set aside.
    fn dues(&mut self, at: usize, late: Option<Duration>) -> Vec<Due> {
        let (target, Schedule { kind, seed, parallel, .. }) = (&self.targets[at], *self.schedule);
        self.states[at].calls += parallel;
        let due = |call| {
            let request = plan::request(kind, &target.model, &target.endpoint, plan::nonce(seed, call));
            Due { target: at, request, limits: limits(&target.endpoint), late }
        };
        let dues = (0..parallel).map(|_| {
            self.set_aside += target.bound;
            self.calls += 1;
            due(self.calls)
        });
        dues.collect()
    }

    /// Books what a visit came to.
    fn take(&mut self, at: usize, round: u32, samples: Vec<Sample>) {
        let bound = self.targets[at].bound;
        for sample in &samples {
            self.set_aside = self.set_aside - bound;
            self.spent += sample.cost.unwrap_or(bound);
        }
        self.states[at].take(round, samples);
    }

    /// The jittered gap, a second between two visits of one endpoint, and what it asked to wait.
    async fn pause(&mut self, at: usize) {
        let (now, state) = (Instant::now(), &self.states[at]);
        // Nothing was sent before the very first call.
        let jittered = (self.calls > 0)
            .then(|| now + plan::pause(self.schedule.seed, self.calls, state.asked.map(|asked| now - asked)));
        if let Some(due) = jittered.max(state.not_before) {
            self.until(due).await;
        }
        self.states[at].asked = Some(Instant::now());
    }

    async fn until(&self, due: Instant) {
        until(due, self.cancel.clone()).await;
    }

    fn is_cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// After a round: leaves those alone of which enough is known; whether there is nobody left to ask.
    fn is_over(&mut self, round: u32) -> bool {
        if self.schedule.until_known && LOOKS.contains(&(round + 1)) {
            let all: Vec<Samples> = self.states.iter().map(|state| state.tally(Ended::Rounds).seconds()).collect();
            for (at, state) in self.states.iter_mut().enumerate() {
                if state.ended.is_none() && verdict::is_done(at, &all) {
                    state.ended = Some(Ended::Known);
                }
            }
        }
        self.is_cancelled() || self.states.iter().all(|state| state.ended.is_some())
    }

    /// Where nobody could be reached from the beginning, more rounds would say nothing of anybody: one round of several
    /// endpoints is enough, two of a single one.
    fn look_for_network(&mut self, round: u32) {
        let enough = if self.targets.len() > 1 { 0 } else { 1 };
        let mut all = self.states.iter().flat_map(|state| state.rounds.iter().flatten()).peekable();
        if round == enough && all.peek().is_some() && all.all(|sample| sample.class == ErrorClass::Unreachable) {
            self.states.iter_mut().for_each(|state| state.ended = Some(Ended::Offline));
        }
    }

    fn report(self) -> Report {
        let last = if self.is_cancelled() { Ended::Cancelled } else { Ended::Rounds };
        Report { tallies: self.states.into_iter().map(|state| state.tally(last)).collect(), spent: self.spent }
    }
}

impl State {
    fn take(&mut self, round: u32, samples: Vec<Sample>) {
        let is_limited = |sample: &Sample| sample.class == ErrorClass::RateLimited;
        self.limited = if !samples.is_empty() && samples.iter().all(is_limited) { self.limited + 1 } else { 0 };
        let wait = samples.iter().filter_map(|sample| sample.retry_after).max().unwrap_or_default();
        let hopeless = samples.iter().map(|sample| sample.class).find(|class| is_hopeless(*class));
        let ended = if self.limited == 2 {
            Some(Ended::RateLimited)
        } else if wait > LONGEST_WAIT {
            Some(Ended::AskedToWait(wait))
        } else {
            hopeless.map(Ended::Hopeless)
        };
        self.ended = self.ended.or(ended);
        self.not_before = self.not_before.max((!wait.is_zero()).then(|| Instant::now() + wait));
        if let Some(place) = usize::try_from(round).ok().and_then(|round| self.rounds.get_mut(round)) {
            *place = samples;
        }
    }

    /// What was seen so far; `last` is why it ended where nothing else ended it.
    fn tally(&self, last: Ended) -> Tally {
        Tally { rounds: self.rounds.clone(), ended: self.ended.unwrap_or(last), late: self.late }
    }
}

/// Waits until then, or until the caller stops it.
async fn until(due: Instant, mut cancel: watch::Receiver<bool>) {
    tokio::select! {
        () = sleep_until(due) => {}
        // A caller that is gone cannot stop it any more.
        Ok(_) = cancel.wait_for(|stop| *stop) => {}
    }
}

/// Whether the same call would fail alike: a rejected key, a model that is gone, a request that is refused.
const fn is_hopeless(class: ErrorClass) -> bool {
    use ErrorClass::{Auth, Forbidden, Invalid, LocalConfig, NotFound, Quota, TooLarge, Unsupported};
    matches!(class, Auth | Forbidden | Invalid | LocalConfig | NotFound | Quota | TooLarge | Unsupported)
}

/// How long each part of a call may take: what reasons may be silent for longer.
fn limits(endpoint: &Endpoint) -> Limits {
    Limits {
        first_token: Some(Duration::from_secs(if plan::thinks(endpoint) { 120 } else { 30 })),
        idle: Some(Duration::from_secs(30)),
        total: Some(Duration::from_secs(120)),
        patience: None,
    }
}

#[cfg(test)]
mod tests;
