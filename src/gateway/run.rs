//! One chat on its way: decided, then driven by whoever writes the answer. A client that reads slowly is read from slowly
//! itself, and a client that goes away ends the attempt, which is recorded all the same.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::codec::Ended;
use super::problem::{self, Problem};
use super::{Config, Gateway, Worker};
use crate::catalog::resolve::Resolved;
use crate::catalog::{EndpointId, Origin};
use crate::chat::{ChatEvent, ChatRequest};
use crate::dispatch::{
    AttemptReport, ChatReport, Notice, Observer, Plan, Reach, Routed, Suppose, Talk, group, route_request,
};
use crate::observe::Source;
use crate::routing::{Constraints, Decision, Input, Kept, Limits, Policy, decision_hex};

/// A chat that is decided and not yet sent.
#[derive(Debug)]
pub(super) struct Decided {
    /// What is asked.
    pub request: ChatRequest,
    /// Who was weighed.
    pub reaches: Vec<Reach>,
    /// The decision.
    pub decision: Decision,
    /// What it was made of, until that is kept.
    input: RefCell<Option<Input>>,
    /// The conversation.
    pub talk: Option<Talk>,
    /// The request's id, which its attempts and its decision carry.
    pub id: [u8; 16],
}

/// What is not negotiable, and what is traded.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// What is not negotiable.
    pub constraints: Constraints,
    /// What is traded.
    pub policy: Policy,
    /// The session that the client names.
    pub session: Option<String>,
}

impl Wishes {
    /// What holds for every request, and what a name says already: a provider that it pins.
    pub(super) fn of(config: &Config, resolved: &Resolved) -> Self {
        let mut constraints = config.constraints.clone();
        if let Some(pinned) = &resolved.provider {
            constraints.only = vec![pinned.clone()];
        }
        Self { constraints, ..Self::default() }
    }
}

impl Decided {
    /// Decides.
    ///
    /// # Errors
    /// Nobody may be used.
    pub(super) fn new(
        gateway: &Gateway,
        resolved: &Resolved,
        request: ChatRequest,
        wishes: Wishes,
    ) -> Result<Self, Problem> {
        let Wishes { constraints, policy, session } = wishes;
        let dispatcher = gateway.owned.dispatcher();
        let variant = resolved.variant.as_deref();
        let reaches = dispatcher.reach_wanting(&resolved.model, variant, false, Some(&request), &constraints);
        let seed = dispatcher.store.take_seed().unwrap_or(0);
        let talk = dispatcher.talk(session.as_deref(), &request);
        let route = route_request(&request, constraints);
        let route = match talk {
            Some(talk) => dispatcher.recall(route, (talk, &request), &reaches, &policy),
            None => route,
        };
        let routed = dispatcher.route(&route, Some(&request), &reaches, &policy, seed, Suppose::Nothing);
        let Routed { decision, input, .. } = routed;
        if decision.chosen().is_none() {
            return Err(Problem::unroutable(&decision, &resolved.model));
        }
        Ok(Self { request, reaches, decision, input: RefCell::new(Some(input)), talk, id: group() })
    }

    /// The id as it is printed.
    pub(super) fn hex(&self) -> String {
        decision_hex(&self.id)
    }

    /// When it was decided, in seconds since 1970.
    pub(super) fn created(&self) -> i64 {
        self.decision.at.as_second()
    }

    fn plan<'a>(&'a self, gateway: &'a Gateway) -> Plan<'a> {
        let decision = &self.decision;
        let hidden = |reach: &&Reach| decision.chosen().is_some_and(|first| first.endpoint == reach.endpoint.id);
        let hidden = self.reaches.iter().find(hidden).is_some_and(Reach::hides_reasoning);
        Plan {
            request: &self.request,
            reaches: &self.reaches,
            decision,
            route_limits: Limits {
                max_attempts: decision.policy.max_attempts,
                retries: decision.policy.retries,
                first_token: Some(Duration::from_secs(if hidden { 180 } else { 60 })),
                max_wait: Duration::from_secs(30),
            },
            idle: Some(Duration::from_secs(30)),
            total: gateway.config.total,
            // What is not streamed reaches nobody before it is whole.
            hold: !self.request.stream,
            resume: false,
            hedge: None,
            retries: Some(&gateway.owned.retries),
            group: self.id,
            source: Source::Gateway,
            talk: self.talk,
            day_cap: gateway.config.day_cap,
        }
    }
}

/// What has happened so far: what the chat says, and what whoever writes the answer has not taken yet.
#[derive(Debug, Default)]
struct Told {
    events: RefCell<VecDeque<ChatEvent>>,
    attempts: Cell<usize>,
    /// Who is asked now.
    trying: RefCell<Option<EndpointId>>,
    /// What who was not told.
    dropped: RefCell<Vec<(EndpointId, Vec<&'static str>)>>,
}

/// Hands on what is told.
struct Teller(Rc<Told>);

impl Observer for Teller {
    fn event(&mut self, event: ChatEvent) -> bool {
        self.0.events.borrow_mut().push_back(event);
        true
    }

    fn notice(&mut self, notice: Notice) {
        let tried = match notice {
            Notice::Trying { endpoint } | Notice::Retrying { endpoint, .. } => endpoint,
            Notice::FailingOver { to, .. } => to,
            Notice::Dropped { endpoint, hints } => {
                self.0.dropped.borrow_mut().push((endpoint, hints));
                return;
            }
            Notice::NotRecorded(reason) | Notice::NotKept(reason) => {
                tracing::warn!(reason, "not kept");
                return;
            }
            Notice::Adapting { .. }
            | Notice::Hedging { .. }
            | Notice::NotHedged { .. }
            | Notice::Answering { .. }
            | Notice::Resuming { .. }
            | Notice::NotResumed(_) => return,
        };
        self.0.attempts.set(self.0.attempts.get() + 1);
        *self.0.trying.borrow_mut() = Some(tried);
    }
}

/// A chat that somebody still has to see to its end.
pub(super) type Orphan = Pin<Box<dyn Future<Output = ChatReport>>>;

/// A chat under way.
pub(super) struct Run {
    /// What was decided.
    pub decided: Rc<Decided>,
    told: Rc<Told>,
    /// `None` once it has ended.
    chat: Option<Orphan>,
    stop: watch::Sender<bool>,
    orphans: mpsc::UnboundedSender<Orphan>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.decided.hex()).finish_non_exhaustive()
    }
}

impl Run {
    /// Begins; nothing happens before it is polled.
    pub(super) fn start(worker: &Rc<Worker>, decided: Decided) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (decided, told) = (Rc::new(decided), Rc::new(Told::default()));
        let chat = chat(Rc::clone(worker), Rc::clone(&decided), Rc::clone(&told), stopped);
        Self { decided, told, chat: Some(Box::pin(chat)), stop, orphans: worker.orphans.clone() }
    }

    /// Goes on; the report where it has ended. Is not to be called after that.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<ChatReport> {
        let Some(chat) = &mut self.chat else { return Poll::Pending };
        let report = std::task::ready!(chat.as_mut().poll(context));
        self.chat = None;
        Poll::Ready(report)
    }

    /// Goes on until it has ended.
    pub(super) async fn ended(&mut self) -> ChatReport {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// Goes on until something of the answer is there, or it has ended without.
    pub(super) async fn begun(&mut self) -> Option<ChatReport> {
        std::future::poll_fn(|context| match self.poll(context) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending if self.has_events() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether something of the answer waits to be taken.
    pub(super) fn has_events(&self) -> bool {
        !self.told.events.borrow().is_empty()
    }

    /// The events that nobody has taken yet.
    pub(super) fn take(&self) -> VecDeque<ChatEvent> {
        std::mem::take(&mut *self.told.events.borrow_mut())
    }

    /// How often somebody was asked so far, and who is asked now.
    pub(super) fn so_far(&self) -> (usize, String) {
        let trying = self.told.trying.borrow();
        (self.told.attempts.get(), trying.as_ref().map_or_else(String::new, |id| id.provider.to_string()))
    }

    /// What of the request the one who is asked now is not told.
    pub(super) fn dropped_now(&self) -> Vec<String> {
        self.told.trying.borrow().as_ref().map_or_else(Vec::new, |endpoint| self.dropped(endpoint))
    }

    /// What of the request an endpoint was not told.
    fn dropped(&self, endpoint: &EndpointId) -> Vec<String> {
        let told = self.told.dropped.borrow();
        let hints = told.iter().rev().find(|(id, _)| id == endpoint).map(|(_, hints)| hints.as_slice());
        let protocol = self.decided.reaches.iter().find(|reach| reach.endpoint.id == *endpoint);
        let protocol = protocol.and_then(|reach| reach.protocol);
        let native = self.decided.request.native.iter();
        let foreign = native.filter(|native| !protocol.is_some_and(|protocol| native.is_of(protocol)));
        hints.unwrap_or_default().iter().copied().chain(foreign.map(|native| native.name)).map(str::to_owned).collect()
    }
}

impl Drop for Run {
    /// A client went away: the attempt is stopped, and recorded.
    fn drop(&mut self) {
        if let Some(chat) = self.chat.take() {
            let _ = self.stop.send(true);
            let _ = self.orphans.send(chat);
        }
    }
}

async fn chat(worker: Rc<Worker>, decided: Rc<Decided>, told: Rc<Told>, stopped: watch::Receiver<bool>) -> ChatReport {
    let gateway = &worker.gateway;
    let dispatcher = gateway.owned.dispatcher();
    let mut teller = Teller(told);
    let plan = decided.plan(gateway);
    let report = dispatcher.chat(&plan, worker.line.wire(), stopped, &mut teller).await;
    let kept = decided.input.take().map(|input| Kept::new(decided.id, input, &decided.decision));
    if let Some(Err(error)) = kept.map(|kept| dispatcher.store.keep_decision(&kept)) {
        teller.notice(Notice::NotKept(error.to_string()));
    }
    report
}

/// How an answer ended.
pub(super) fn ended(run: &Run, report: &ChatReport, answered: &AttemptReport, metadata: bool) -> Ended {
    let decided = &run.decided;
    let provider = answered.endpoint.provider.clone();
    Ended {
        id: decided.hex(),
        created: decided.created(),
        model: decided.request.model.as_str().to_owned(),
        maker: answered.protocol.map(|protocol| Origin { provider: provider.clone(), protocol }),
        provider: provider.as_str().to_owned(),
        usage: answered.outcome.usage.clone(),
        cost: answered.charged(),
        dropped: run.dropped(&answered.endpoint),
        metadata: metadata.then(|| routing(decided, report)),
    }
}

/// How a request was routed, for a client that asked.
pub(super) fn routing(decided: &Decided, report: &ChatReport) -> Value {
    let ranked = decided.decision.ranked.iter().map(|entry| {
        let total = super::codec::literal(&entry.score.total().exact());
        serde_json::json!({ "provider": entry.endpoint.provider.as_str(), "total_usd": total })
    });
    serde_json::json!({
        "decision_id": decided.hex(),
        "attempts": problem::attempts(report),
        "candidates": ranked.collect::<Vec<_>>(),
        "rejected": decided.decision.rejected.len(),
    })
}
