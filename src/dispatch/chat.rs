//! Executes a decision: attempt after attempt until one answers, each of them recorded.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::doubt::{Doubts, is_hopeless};
use super::hedge::{Chain, Ready};
use super::{AttemptReport, Dispatcher, Forecast, Marks, Once, OverBudget, Reach, Recording, Talk, softened};
use crate::catalog::EndpointId;
use crate::chat::{ChatEvent, ChatRequest};
use crate::observe::{ErrorClass, Source};
use crate::routing::{Decision, Failover, GiveUp, Hedge, Limits as RouteLimits, Step, TermKind};
use crate::units::{Tokens, Usd};
use crate::upstream::Adaptation;
use crate::upstream::auth::Signer;
use crate::upstream::exchange::{Limit, Limits};
use crate::upstream::transport::Transport;

/// No trial after a cool-down keeps others away for longer than this.
const TRIAL: Duration = Duration::from_secs(30);

/// What happens between attempts, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An endpoint is tried.
    Trying {
        /// Which.
        endpoint: EndpointId,
    },
    /// An endpoint failed and the next one is tried.
    FailingOver {
        /// What failed.
        from: EndpointId,
        /// What is tried now.
        to: EndpointId,
        /// How it failed.
        class: ErrorClass,
    },
    /// No other endpoint is open: the same one is tried again after a wait.
    Retrying {
        /// Which.
        endpoint: EndpointId,
        /// How it failed.
        class: ErrorClass,
        /// The wait.
        wait: Duration,
    },
    /// An endpoint refused a parameter that nobody wished for, or knows it by another name: it is asked again at once,
    /// and that is no attempt of its own.
    Adapting {
        /// Which.
        endpoint: EndpointId,
        /// What is changed.
        change: Adaptation,
    },
    /// No token has come from one in time: another is asked as well.
    Hedging {
        /// Who has said nothing yet.
        slow: EndpointId,
        /// Who is asked as well.
        endpoint: EndpointId,
        /// How long was waited.
        after: Duration,
        /// The most that it costs, in USD.
        bound: Usd,
    },
    /// No token has come from one in time, and the day's budget does not hold another.
    NotHedged {
        /// Who has said nothing yet.
        slow: EndpointId,
        /// How long was waited.
        after: Duration,
        /// What is over the budget.
        over: OverBudget,
    },
    /// Of two that were asked, this one answers; the other is cancelled.
    Answering {
        /// Which.
        endpoint: EndpointId,
    },
    /// Hints that the endpoint does not take are left out of what is sent to it.
    Dropped {
        /// Which endpoint.
        endpoint: EndpointId,
        /// Their names.
        hints: Vec<&'static str>,
    },
    /// An attempt could not be recorded.
    NotRecorded(String),
    /// What the decision was made of could not be kept.
    NotKept(String),
}

/// Watches a chat: takes its events and its notices.
pub trait Observer {
    /// A part of the answer has come, whether or not it is told yet; `false` where nobody wants it any more, because another
    /// answers.
    fn begins(&mut self) -> bool {
        true
    }
    /// One event of the answer; `false` where nobody reads any more.
    fn event(&mut self, event: ChatEvent) -> bool;
    /// Something happened between attempts.
    fn notice(&mut self, notice: Notice);
    /// Whether it wants the bytes of each attempt.
    fn records(&self) -> bool {
        false
    }
    /// The bytes of one attempt that was sent, where it wants them.
    fn recorded(&mut self, recording: Recording) {
        let _ = recording;
    }
}

/// What carries a chat out: the connections and the credentials.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a> {
    /// Sends requests.
    pub transport: &'a Transport,
    /// Signs them.
    pub signer: &'a Signer,
}

/// A chat that is ready to be executed.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What is asked.
    pub request: &'a ChatRequest,
    /// The endpoints that the decision weighed.
    pub reaches: &'a [Reach],
    /// The decision.
    pub decision: &'a Decision,
    /// Limits over all attempts.
    pub route_limits: RouteLimits,
    /// The longest silence once tokens flow; `None` is no limit.
    pub idle: Option<Duration>,
    /// The whole request; `None` is no limit.
    pub total: Option<Duration>,
    /// Whether nothing reaches the observer before the answer is whole, so that a break may still fail over.
    pub hold: bool,
    /// Groups the attempts of this request in the store.
    pub group: [u8; 16],
    /// Who asks.
    pub source: Source,
    /// The conversation that it is a turn of, to be remembered where it is answered.
    pub talk: Option<Talk>,
    /// The most that this source may spend in a day (UTC), all processes together; `None` is no limit.
    pub day_cap: Option<Usd>,
    /// Whom to ask beside the first where that one is slow; `None` is nobody.
    pub hedge: Option<Hedge>,
}

/// What a chat came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatReport {
    /// Every attempt, in the order in which they ended.
    pub attempts: Vec<AttemptReport>,
    /// Why no further attempt was made, where the last one failed.
    pub gave_up: Option<GiveUp>,
    /// The attempt that was not made because the day's budget does not hold it.
    pub over_budget: Option<OverBudget>,
    /// From the first attempt to the end.
    pub elapsed: Duration,
}

impl ChatReport {
    /// The attempt that answered.
    #[must_use]
    pub fn answered(&self) -> Option<&AttemptReport> {
        self.attempts.last().filter(|attempt| attempt.outcome.class.is_success())
    }
}

impl Dispatcher<'_> {
    /// Executes a plan. `cancel` turning true aborts the attempt that is under way.
    pub async fn chat(
        &self,
        plan: &Plan<'_>,
        wire: Wire<'_>,
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> ChatReport {
        let began = Instant::now();
        let lenient = plan.decision.request.constraints.lenient;
        let softer: Vec<_> = plan
            .reaches
            .iter()
            .filter(|_| lenient)
            .map(|reach| {
                let (request, hints) = softened(reach, plan.request);
                (&reach.endpoint.id, request, hints)
            })
            .collect();
        let mut failover = Failover::new(plan.decision, plan.route_limits);
        let mut attempts: Vec<AttemptReport> = Vec::new();
        let mut doubts = Doubts::default();
        let mut waited = Duration::ZERO;
        let mut over_budget = None;
        let gave_up = loop {
            match failover.next(began.elapsed()) {
                Step::GiveUp(why) => break Some(why),
                Step::Wait(wait) => {
                    let endpoint = failover.waiting_for().cloned();
                    let failed = attempts.iter().rev().find(|attempt| Some(&attempt.endpoint) == endpoint.as_ref());
                    if let Some((endpoint, failed)) = endpoint.zip(failed) {
                        observer.notice(Notice::Retrying { endpoint, class: failed.outcome.class, wait });
                    }
                    waited = wait;
                    if slept_or_cancelled(wait, cancel.clone()).await {
                        break Some(GiveUp::Final);
                    }
                }
                Step::Try { endpoint, first_token, again, .. } => {
                    if !self.may_try(plan, &endpoint, first_token) && failover.pass_over() {
                        continue;
                    }
                    // What is tried after a wait was said before it.
                    if waited.is_zero() {
                        announce(&attempts, &endpoint, again, observer);
                    }
                    waited = Duration::ZERO;
                    let Some(reach) = plan.reaches.iter().find(|reach| reach.endpoint.id == endpoint) else {
                        break Some(GiveUp::Exhausted);
                    };
                    let limits = Limits {
                        // An answer that is not streamed has no first token to wait for.
                        first_token: first_token.filter(|_| plan.request.stream),
                        idle: plan.idle.filter(|_| plan.request.stream),
                        total: plan.total.map(|total| total.saturating_sub(began.elapsed())),
                    };
                    let forecast = forecast(plan.decision, &endpoint);
                    let held = match self.hold(plan, &endpoint, forecast.bound) {
                        Ok(held) => held,
                        Err(over) => {
                            over_budget = Some(over);
                            break Some(GiveUp::Final);
                        }
                    };
                    let soft = softer.iter().find(|(id, ..)| **id == endpoint);
                    if let Some((.., hints)) = soft.filter(|(.., hints)| !hints.is_empty()) {
                        observer.notice(Notice::Dropped { endpoint: endpoint.clone(), hints: hints.clone() });
                    }
                    let request = soft.map_or(plan.request, |(_, request, _)| request);
                    let hold = plan.hold;
                    let warm = plan.decision.request.warm_at(&endpoint);
                    let warm = (warm > Tokens::ZERO).then_some(warm);
                    let (group, source, marks) =
                        (plan.group, plan.source, Marks { warm, forecast, ..Marks::default() });
                    let once = Once { request, reach, wire, limits, hold, group, source, marks };
                    let chain = Chain {
                        failover: &mut failover,
                        attempts: &mut attempts,
                        doubts: &mut doubts,
                        softer: &softer,
                        began,
                    };
                    let ready = Ready { once, held };
                    let (Ready { once, held }, report) =
                        self.hedged(plan, ready, chain, cancel.clone(), observer).await;
                    if let Err(error) = self.release(held, &report) {
                        observer.notice(Notice::NotRecorded(error.to_string()));
                    }
                    let retry_after = report.outcome.error.as_ref().and_then(|error| error.retry_after);
                    let shown = report.outcome.shown && !plan.hold;
                    let out_of_time = matches!(report.outcome.limit, Some((Limit::Total, _)));
                    attempts.push(report);
                    doubts.add(self, once, &mut attempts, observer);
                    if attempts.last().is_some_and(|last| doubts.matter(&failover, last, began.elapsed())) {
                        doubts.settle(self, plan.reaches, cancel.clone(), &mut attempts, observer).await;
                    }
                    let Some(class) = attempts.last().map(|last| last.outcome.class) else { break None };
                    if class.is_success() {
                        if let Some((talk, answered)) = plan.talk.zip(attempts.last()) {
                            self.remember(talk, once.reach, answered.outcome.usage.as_ref());
                        }
                        break None;
                    }
                    if shown {
                        failover.committed();
                    }
                    if is_hopeless(&attempts) {
                        break Some(GiveUp::Final);
                    }
                    if out_of_time {
                        break Some(GiveUp::Deadline);
                    }
                    failover.failed(class, retry_after, began.elapsed());
                }
            }
        };
        doubts.settle(self, plan.reaches, cancel, &mut attempts, observer).await;
        ChatReport { attempts, gave_up, over_budget, elapsed: began.elapsed() }
    }
}

pub(super) fn forecast(decision: &Decision, endpoint: &EndpointId) -> Forecast {
    let ranked = decision.ranked.iter().find(|ranked| ranked.endpoint == *endpoint);
    Forecast {
        input: Some(decision.request.input),
        expected: ranked.and_then(|ranked| ranked.score.amount(TermKind::Price)),
        bound: ranked.and_then(|ranked| ranked.bound),
    }
}

impl Dispatcher<'_> {
    /// After a cool-down one trial goes through, of all processes that share a store.
    fn may_try(&self, plan: &Plan<'_>, endpoint: &EndpointId, first_token: Option<Duration>) -> bool {
        let trial = plan.decision.ranked.iter().any(|ranked| ranked.half_open && ranked.endpoint == *endpoint);
        let reach = plan.reaches.iter().find(|reach| reach.endpoint.id == *endpoint);
        let Some(reach) = reach.filter(|_| trial) else { return true };
        let now = (self.now)();
        let key = reach.state_key(self.store.salt().ok().as_ref());
        let until = now + first_token.unwrap_or(TRIAL).min(TRIAL);
        self.store.claim_trial(&key, now, until).unwrap_or(true)
    }
}

fn announce(attempts: &[AttemptReport], endpoint: &EndpointId, at_once: bool, observer: &mut dyn Observer) {
    let endpoint = endpoint.clone();
    match attempts.last() {
        None => observer.notice(Notice::Trying { endpoint }),
        Some(last) if last.endpoint != endpoint => {
            let (from, class) = (last.endpoint.clone(), last.outcome.class);
            observer.notice(Notice::FailingOver { from, to: endpoint, class });
        }
        Some(last) if at_once => {
            observer.notice(Notice::Retrying { endpoint, class: last.outcome.class, wait: Duration::ZERO });
        }
        Some(_) => {}
    }
}

/// Sleeps; true where it was cancelled meanwhile.
async fn slept_or_cancelled(wait: Duration, mut cancel: watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(wait) => false,
        stopped = cancel.wait_for(|stop| *stop) => stopped.is_ok(),
    }
}
