//! One chat on its way: decided, then driven by whoever writes the answer. A client that reads slowly is read from slowly
//! itself, and a client that goes away ends the attempt, which is recorded all the same.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::Worker;
use super::codec::{Ended, Likely};
use super::decided::Decided;
use super::flights::Flight;
use super::problem::{self, Problem};
use super::served::Served;
use crate::catalog::{EndpointId, Origin};
use crate::chat::{ChatEvent, Native};
use crate::dispatch::{AttemptReport, ChatReport, Notice, Observer, Seam};
use crate::routing::Kept;
use crate::units::Tokens;

/// A part of an answer.
#[derive(Debug)]
pub(super) enum Said {
    /// An event of it.
    Event(ChatEvent),
    /// What comes next is said by another provider.
    Seam(Seam),
}

/// What has happened so far: what the chat says, and what whoever writes the answer has not taken yet.
#[derive(Debug, Default)]
struct Told {
    events: RefCell<VecDeque<Said>>,
    /// Whether any of it was taken.
    taken: Cell<bool>,
    attempts: Cell<usize>,
    /// Who is asked now.
    trying: RefCell<Option<EndpointId>>,
    /// What who was not told.
    dropped: RefCell<Vec<(EndpointId, Vec<&'static str>)>>,
    /// The model that is asked now, in place of the one before.
    moved: RefCell<Option<Rc<Decided>>>,
}

/// Hands on what is told, and counts who is asked.
struct Teller(Rc<Told>, Flight);

impl Observer for Teller {
    fn event(&mut self, event: ChatEvent) -> bool {
        self.0.events.borrow_mut().push_back(Said::Event(event));
        true
    }

    fn seam(&mut self, seam: &Seam) {
        self.0.events.borrow_mut().push_back(Said::Seam(seam.clone()));
    }

    fn notice(&mut self, notice: Notice) {
        let tried = match notice {
            Notice::Trying { endpoint } | Notice::Retrying { endpoint, .. } => endpoint,
            Notice::FailingOver { to, .. } => to,
            Notice::Resuming { seam, .. } => seam.to,
            Notice::Hedging { endpoint, .. } => {
                self.1.beside(&endpoint);
                self.0.attempts.set(self.0.attempts.get() + 1);
                return;
            }
            Notice::Answering { endpoint } => {
                self.1.instead(&endpoint);
                *self.0.trying.borrow_mut() = Some(endpoint);
                return;
            }
            Notice::Dropped { endpoint, hints } => {
                self.0.dropped.borrow_mut().push((endpoint, hints));
                return;
            }
            Notice::NotRecorded(reason) | Notice::NotKept(reason) => {
                tracing::warn!(reason, "not kept");
                return;
            }
            Notice::Adapting { .. } | Notice::NotHedged { .. } | Notice::NotResumed(_) => return,
        };
        // Of two that were asked at once, the one that is left was counted when it was.
        if !self.1.instead(&tried) {
            self.0.attempts.set(self.0.attempts.get() + 1);
        }
        *self.0.trying.borrow_mut() = Some(tried);
    }
}

/// A chat that somebody still has to see to its end, so that it is noted as it ended.
pub(super) type Orphan = Pin<Box<dyn Future<Output = ()>>>;

/// A chat under way.
pub(super) struct Run {
    /// What was decided, for the model that is asked now.
    pub decided: Rc<Decided>,
    /// Whether another model is asked than before, and nobody has taken notice yet.
    moved: bool,
    told: Rc<Told>,
    /// `None` once it has ended.
    chat: Option<Pin<Box<dyn Future<Output = ChatReport>>>>,
    stop: watch::Sender<bool>,
    orphans: mpsc::UnboundedSender<Orphan>,
    /// What is noted of its request; `None` once somebody else sees to that.
    served: Option<Served>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.decided.hex()).finish_non_exhaustive()
    }
}

impl Run {
    /// Begins; nothing happens before it is polled.
    pub(super) fn start(worker: &Rc<Worker>, decided: Rc<Decided>, mut served: Served) -> Self {
        let (stop, stopped) = watch::channel(false);
        let told = Rc::new(Told::default());
        served.begun(&decided);
        let chat = chat(Rc::clone(worker), Rc::clone(&decided), Rc::clone(&told), stopped);
        let (chat, served, orphans) = (Some(Box::pin(chat) as Pin<Box<_>>), Some(served), worker.orphans.clone());
        Self { decided, moved: false, told, chat, stop, orphans, served }
    }

    /// The status that is sent.
    pub(super) fn status(&mut self, status: http::StatusCode) {
        if let Some(served) = &mut self.served {
            served.status(status);
        }
    }

    /// Nobody has answered.
    pub(super) fn refused(&mut self, problem: &Problem) {
        if let Some(served) = &mut self.served {
            served.refused(problem);
        }
    }

    /// Goes on; the report where it has ended, which is noted. Is not to be called after that.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Arc<ChatReport>> {
        let Some(chat) = &mut self.chat else { return Poll::Pending };
        let polled = chat.as_mut().poll(context);
        if let Some(decided) = self.told.moved.take() {
            (self.decided, self.moved) = (decided, true);
        }
        let report = Arc::new(std::task::ready!(polled));
        self.chat = None;
        if let Some(served) = &mut self.served {
            served.chat(&self.decided, &report);
        }
        Poll::Ready(report)
    }

    /// Goes on until it has ended.
    pub(super) async fn ended(&mut self) -> Arc<ChatReport> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// Goes on until something of the answer is there, or it has ended without.
    pub(super) async fn begun(&mut self) -> Option<Arc<ChatReport>> {
        std::future::poll_fn(|context| match self.poll(context) {
            Poll::Ready(report) => Poll::Ready(Some(report)),
            Poll::Pending if self.has_events() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether another model is asked than when this was called last.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether something of the answer waits to be taken.
    pub(super) fn has_events(&self) -> bool {
        !self.told.events.borrow().is_empty()
    }

    /// What of the answer nobody has taken yet.
    pub(super) fn take(&self) -> VecDeque<Said> {
        let events = std::mem::take(&mut *self.told.events.borrow_mut());
        self.told.taken.set(self.told.taken.get() || !events.is_empty());
        events
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
        let reach = self.decided.reaches.iter().find(|reach| reach.endpoint.id == *endpoint);
        let request = &self.decided.request;
        let is_told =
            |native: &&Native| reach.and_then(|reach| reach.protocol).is_some_and(|spoken| native.is_of(spoken));
        let foreign = request.native.iter().filter(|native| !is_told(native)).flat_map(Native::names);
        let untold = reach.map_or_else(Vec::new, |reach| reach.untold(request));
        let hints = hints.unwrap_or_default().iter().map(|hint| (*hint).to_owned());
        hints.chain(foreign).chain(untold.into_iter().map(str::to_owned)).collect()
    }
}

impl Drop for Run {
    /// A client went away: the attempt is stopped, recorded, and noted with what it came to.
    fn drop(&mut self) {
        let (Some(chat), Some(mut served)) = (self.chat.take(), self.served.take()) else { return };
        let _ = self.stop.send(true);
        let (told, decided) = (Rc::clone(&self.told), Rc::clone(&self.decided));
        let orphan = async move {
            let report = Arc::new(chat.await);
            served.chat(&told.moved.take().unwrap_or(decided), &report);
        };
        let _ = self.orphans.send(Box::pin(orphan));
    }
}

/// One model after the other is asked, until one answers or none is left.
async fn chat(
    worker: Rc<Worker>,
    mut decided: Rc<Decided>,
    told: Rc<Told>,
    stopped: watch::Receiver<bool>,
) -> ChatReport {
    loop {
        let report = one(&worker, &decided, &told, stopped.clone()).await;
        let spoke = |said: &Said| matches!(said, Said::Event(ChatEvent::Text(_) | ChatEvent::Refusal(_)));
        let silent = !told.events.borrow().iter().any(spoke);
        let held = !decided.request.stream || !told.taken.get();
        let over = *stopped.borrow() || decided.is_out_of_time(&report);
        let class = report.ended_in(held, silent && held).filter(|_| !over);
        let next = class.and_then(|class| decided.next(&worker.gateway, class, Some(&report)));
        let Some(next) = next else {
            return if decided.fallen.is_empty() { report } else { decided.fallen.whole(report) };
        };
        // What the model before has said of an answer that nobody gets.
        told.events.borrow_mut().clear();
        told.dropped.borrow_mut().clear();
        decided = next;
        *told.moved.borrow_mut() = Some(Rc::clone(&decided));
    }
}

/// One model is asked.
async fn one(worker: &Worker, decided: &Decided, told: &Rc<Told>, stopped: watch::Receiver<bool>) -> ChatReport {
    let dispatcher = worker.gateway.owned.dispatcher();
    worker.gateway.hedges(|all| all.requests += 1);
    let mut teller = Teller(Rc::clone(told), worker.gateway.flights.begin());
    let plan = decided.plan(&worker.gateway);
    let report = dispatcher.chat(&plan, worker.line.wire(), stopped, &mut teller).await;
    let client = || decided.wishes.client.as_ref().map(|client| client.name.clone());
    let kept = decided.input.take().map(|input| Kept {
        client: client(),
        after: decided.after,
        ..Kept::new(decided.id, input, &decided.decision)
    });
    if let Some(Err(error)) = kept.map(|kept| dispatcher.store.keep_decision(kept)) {
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
        finish: answered.outcome.finish.clone(),
        // Of one request all is known that was reported, of several what can be added up.
        usage: if report.seams.is_empty() { answered.outcome.usage.clone() } else { report.total().usage },
        likely: Likely {
            input: decided.decision.request.input,
            output: answered.outcome.streamed.tokens.map(Tokens::new),
        },
        cost: report.cost(),
        estimate: report.cost_estimate(),
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
        "seams": report.seams.iter().map(problem::seam).collect::<Vec<_>>(),
        "candidates": ranked.collect::<Vec<_>>(),
        "rejected": decided.decision.rejected.len(),
        "fallback": decided.fallen.json(),
        "warnings": decided.wishes.warnings.clone(),
    })
}
