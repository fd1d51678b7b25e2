//! Executes a decision: attempt after attempt until one answers, each of them recorded.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::doubt::{Doubts, is_hopeless};
use super::hedge::{Chain, Ready};
use super::ready::{Common, forecast};
use super::resume::{Teller, could_go_on, is_break};
use super::{
    AttemptReport, ChatReport, Dispatcher, Forecast, Obstacle, Once, OverBudget, Purse, Reach, Recording, Seam, Talk,
    route_request,
};
use crate::catalog::EndpointId;
use crate::chat::{ChatEvent, ChatRequest};
use crate::observe::{ErrorClass, Source};
use crate::routing::{Candidate, Decision, Failover, GiveUp, Hedge, Hedging, Limits as RouteLimits, RetryBudget, Step};
use crate::units::Usd;
use crate::upstream::Adaptation;
use crate::upstream::auth::Signer;
use crate::upstream::exchange::Limit;
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
    /// The answer broke off, and an endpoint is asked to go on with it.
    Resuming {
        /// Where, and who.
        seam: Seam,
        /// Who was asked to go on before and failed, and how.
        since: Option<(EndpointId, ErrorClass)>,
    },
    /// The answer broke off, and nobody goes on with it.
    NotResumed(Obstacle),
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
    /// What comes next was said by another endpoint than what came before.
    fn seam(&mut self, seam: &Seam) {
        let _ = seam;
    }
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
    /// Attempts that were made for this request before, at other models.
    pub before: usize,
    /// Whether nothing reaches the observer before the answer is whole, so that a break may still fail over.
    pub hold: bool,
    /// Whether an answer that breaks off in the middle is gone on with by an endpoint that can.
    pub resume: bool,
    /// Groups the attempts of this request in the store.
    pub group: [u8; 16],
    /// Who asks.
    pub source: Source,
    /// The conversation that it is a turn of, to be remembered where it is answered.
    pub talk: Option<Talk>,
    /// The most that this source may spend in a day (UTC), all processes together; `None` is no limit.
    pub day_cap: Option<Usd>,
    /// Further budgets that it is of.
    pub purses: &'a [Purse],
    /// Whom to ask beside the first where that one is slow; `None` is nobody.
    pub hedge: Option<Hedge>,
    /// The requests of a process and those that it hedged, which share one limit; `None` is what the history allowed.
    pub hedges: Option<&'a Mutex<Hedging>>,
    /// The attempts beyond the second that all requests of a process share; `None` is as many as the request may make.
    pub retries: Option<&'a Mutex<RetryBudget>>,
}

impl Plan<'_> {
    /// Whether one more attempt may be made where so many were: a request always has its first and one elsewhere.
    fn may_go_on(&self, made: usize, now: Timestamp) -> bool {
        let made = self.before + made;
        let Some(shared) = self.retries else { return true };
        let mut budget = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if made == 0 {
            budget.request(now);
        }
        made < 2 || budget.retry(now)
    }

    /// Something done to what all requests of the process have hedged; `None` where nobody shares that.
    pub(super) fn hedges<T>(&self, change: impl FnOnce(&mut Hedging) -> T) -> Option<T> {
        self.hedges.map(|shared| change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner)))
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
        let common = Common::new(plan, wire, began);
        let could_resume =
            |id: &EndpointId| plan.resume && common.reach(id).is_some_and(|reach| could_go_on(reach, common.asked(id)));
        let mut failover = Failover::new(plan.decision, plan.route_limits).resuming(could_resume);
        if !plan.request.stream {
            failover = failover.whole(plan.decision);
        }
        let mut teller = Teller::new(observer, plan.resume, plan.resume && plan.hold);
        let mut obstacle = Obstacle::Closed;
        let mut unresumed = false;
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
                        teller.notice(Notice::Retrying { endpoint, class: failed.outcome.class, wait });
                    }
                    waited = wait;
                    if slept_or_cancelled(wait, cancel.clone()).await {
                        break Some(GiveUp::Final);
                    }
                }
                Step::Try { endpoint, first_token, patience, again, resume, .. } => {
                    if !self.may_try(plan, &endpoint, first_token).await && failover.pass_over() {
                        continue;
                    }
                    if !plan.may_go_on(attempts.len(), (self.now)()) {
                        break Some(GiveUp::Storm);
                    }
                    let Some(reach) = common.reach(&endpoint) else { break Some(GiveUp::Exhausted) };
                    let resumed = resume.then(|| teller.request(common.asked(&endpoint)));
                    let forecast = match &resumed {
                        None => forecast(plan.decision, &endpoint),
                        Some(request) => match forecast_again(plan, reach, request, &attempts) {
                            Some(forecast) => forecast,
                            None => {
                                obstacle = Obstacle::Cost;
                                failover.decline();
                                continue;
                            }
                        },
                    };
                    let held = match self.hold(plan, &endpoint, forecast.bound).await {
                        Ok(held) => held,
                        Err(over) => {
                            over_budget = Some(over);
                            break Some(GiveUp::Final);
                        }
                    };
                    if resume {
                        unresumed = false;
                        attempts.last().into_iter().for_each(|last| teller.go_on_at(reach, last));
                    } else {
                        if std::mem::take(&mut unresumed) {
                            teller.notice(Notice::NotResumed(obstacle.clone()));
                        }
                        teller.begin_anew();
                        // What is tried after a wait was said before it.
                        if waited.is_zero() {
                            announce(&attempts, &endpoint, again, &mut teller);
                        }
                    }
                    waited = Duration::ZERO;
                    let once = common.once(reach, (first_token, patience), forecast, &mut teller);
                    let chain = Chain {
                        failover: &mut failover,
                        attempts: &mut attempts,
                        doubts: &mut doubts,
                        common: &common,
                    };
                    let ready = Ready { once, held };
                    let (Ready { once, held }, report) = match &resumed {
                        // A request in flight is large, and most of it is not needed most of the time.
                        None => Box::pin(self.hedged(ready, chain, cancel.clone(), &mut teller)).await,
                        Some(request) => {
                            let sent = Once { request, ..once };
                            (ready, Box::pin(self.attempt(&sent, cancel.clone(), &mut teller)).await)
                        }
                    };
                    if let Err(error) = self.release(held, &report) {
                        teller.notice(Notice::NotRecorded(error.to_string()));
                    }
                    let retry_after = report.outcome.error.as_ref().and_then(|error| error.retry_after);
                    let came = report.outcome.shown;
                    let out_of_time = matches!(report.outcome.limit, Some((Limit::Total, _)));
                    attempts.push(report);
                    doubts.add(self, once, &mut attempts, &mut teller);
                    if attempts.last().is_some_and(|last| doubts.matter(&failover, last, began.elapsed())) {
                        doubts.settle(self, plan.reaches, cancel.clone(), &mut attempts, &mut teller).await;
                    }
                    let Some(last) = attempts.last() else { break None };
                    let class = last.outcome.class;
                    if class.is_success() {
                        teller.finish();
                        if let Some(talk) = plan.talk {
                            self.remember(talk, once.reach, last.outcome.usage.as_ref());
                        }
                        break None;
                    }
                    if came {
                        teller.broke(attempts.len() - 1, last);
                        let why = if plan.resume && is_break(class) && !out_of_time {
                            unresumed = true;
                            teller.obstacle(plan.request)
                        } else {
                            Some(Obstacle::Closed)
                        };
                        match why {
                            None => {
                                failover.broke(!plan.hold, began.elapsed());
                                obstacle = nobody(plan.decision, could_resume);
                            }
                            Some(why) => {
                                obstacle = why;
                                if plan.hold {
                                    failover.begin_anew();
                                } else {
                                    failover.committed();
                                }
                            }
                        }
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
        if unresumed {
            let all_made = gave_up == Some(GiveUp::Attempts) && obstacle == Obstacle::Closed;
            teller.notice(Notice::NotResumed(if all_made { Obstacle::Attempts } else { obstacle }));
        }
        doubts.settle(self, plan.reaches, cancel, &mut attempts, &mut teller).await;
        let answered = attempts.last().is_some_and(|last| last.outcome.class.is_success());
        let broke_off = teller.broken.as_ref().map(|(at, ..)| *at).filter(|_| plan.resume && !plan.hold && !answered);
        let seams = std::mem::take(&mut teller.seams);
        ChatReport { attempts, gave_up, seams, broke_off, over_budget, elapsed: began.elapsed() }
    }
}

/// Why nobody goes on with an answer, where nothing else turns out to be the reason.
fn nobody(decision: &Decision, could: impl Fn(&EndpointId) -> bool) -> Obstacle {
    let ranked: Vec<EndpointId> = decision.ranked.iter().map(|ranked| ranked.endpoint.clone()).collect();
    if ranked.iter().any(could) { Obstacle::Closed } else { Obstacle::Nobody(ranked) }
}

/// What going on with an answer may cost; `None` where that, with all that was sent before, is more than is allowed.
fn forecast_again(plan: &Plan<'_>, reach: &Reach, request: &ChatRequest, before: &[AttemptReport]) -> Option<Forecast> {
    let constraints = &plan.decision.request.constraints;
    let route = route_request(request, constraints.clone());
    let bound = Candidate::new(&reach.endpoint, reach.provider.kind).bound(&route);
    if let Some(limit) = constraints.max_cost {
        let most = |attempt: &AttemptReport| attempt.spent().or(forecast(plan.decision, &attempt.endpoint).bound);
        before.iter().map(most).chain([bound]).sum::<Option<Usd>>().filter(|all| *all <= limit)?;
    }
    Some(Forecast { input: Some(route.input), expected: None, bound })
}

impl Dispatcher<'_> {
    /// After a cool-down one trial goes through, of all processes that share a store.
    async fn may_try(&self, plan: &Plan<'_>, endpoint: &EndpointId, first_token: Option<Duration>) -> bool {
        let trial = plan.decision.ranked.iter().any(|ranked| ranked.half_open && ranked.endpoint == *endpoint);
        let reach = plan.reaches.iter().find(|reach| reach.endpoint.id == *endpoint);
        let Some(reach) = reach.filter(|_| trial) else { return true };
        let now = (self.now)();
        let key = reach.state_key(self.store.salt().ok().as_ref());
        let until = now + first_token.unwrap_or(TRIAL).min(TRIAL);
        self.at_store(move |store| store.claim_trial(&key, now, until).unwrap_or(true), |_, _| {}).await.unwrap_or(true)
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
