//! One request carried out: its attempts, until one answers, a limit fires or a signal comes.

use std::time::Duration;

use tokio::sync::watch;

use super::super::contract::Exit;
use super::stop_signal;
use crate::chat::{ChatEvent, ChatRequest};
use crate::dispatch::{ChatReport, Dispatcher, Notice, Observer, Plan, Reach, Recording, Routed, Talk, Wire, group};
use crate::observe::Source;
use crate::routing::{Hedge, Kept, Limits};
use crate::units::Usd;

/// What all requests of one command have in common.
pub(super) struct Session<'a> {
    /// Decides, and carries decisions out.
    pub(super) dispatcher: &'a Dispatcher<'a>,
    /// The endpoints that are weighed.
    pub(super) reaches: &'a [Reach],
    /// Connections and credentials.
    pub(super) wire: Wire<'a>,
    /// Limits over all attempts of one request.
    pub(super) limits: Limits,
    /// The longest silence within an answer.
    pub(super) idle: Option<Duration>,
    /// What is left of the time for all of them; `None` is no limit.
    pub(super) total: Option<Duration>,
    /// Whether nothing is shown before an answer is whole.
    pub(super) hold: bool,
    /// Whether an answer that breaks off is gone on with.
    pub(super) resume: bool,
    /// The conversation that they are a turn of.
    pub(super) talk: Option<Talk>,
    /// Turns true where nobody reads what is said any more.
    pub(super) gone: watch::Receiver<bool>,
    /// The most that chats may spend in a day, in USD.
    pub(super) day_cap: Option<Usd>,
    /// Whom to ask beside the first, once.
    pub(super) hedge: Option<Hedge>,
    /// Which signal came, if one did.
    pub(super) signalled: Option<Exit>,
    /// The id of the first decision that was kept.
    pub(super) kept: Option<[u8; 16]>,
}

impl Session<'_> {
    /// Carries one request out.
    pub(super) async fn send(
        &mut self,
        request: &ChatRequest,
        routed: &Routed,
        observer: &mut dyn Observer,
    ) -> ChatReport {
        let plan = Plan {
            hedges: None,
            retries: None,
            request,
            reaches: self.reaches,
            decision: &routed.decision,
            route_limits: self.limits,
            idle: self.idle,
            total: self.total,
            before: 0,
            hold: self.hold,
            resume: self.resume,
            group: group((self.dispatcher.now)()),
            source: Source::Chat,
            talk: self.talk,
            day_cap: self.day_cap,
            purses: &[],
            hedge: self.hedge.take(),
        };
        let (stop, stopped) = watch::channel(false);
        let report = {
            let chatting = self.dispatcher.chat(&plan, self.wire, stopped, observer);
            tokio::pin!(chatting);
            let signal = stop_signal();
            tokio::pin!(signal);
            let mut gone = self.gone.clone();
            let left = async move {
                // A writer that is no more has nobody to lose.
                if gone.wait_for(|gone| *gone).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::pin!(left);
            let mut unread = false;
            loop {
                tokio::select! {
                    report = &mut chatting => break report,
                    exit = &mut signal, if self.signalled.is_none() => {
                        self.signalled = Some(exit);
                        let _ = stop.send(true);
                    }
                    () = &mut left, if !unread => {
                        unread = true;
                        let _ = stop.send(true);
                    }
                }
            }
        };
        self.total = self.total.map(|total| total.saturating_sub(report.elapsed));
        // Only now: the answer waited for nothing.
        let kept = Kept::new(plan.group, routed.input.clone(), &routed.decision);
        match self.dispatcher.store.keep_decision(kept) {
            Ok(()) => self.kept = self.kept.or(Some(plan.group)),
            Err(error) => observer.notice(Notice::NotKept(error.to_string())),
        }
        report
    }
}

/// Keeps the events of an answer back; everything else passes.
pub(super) struct Held<'a> {
    /// The events so far.
    pub(super) events: Vec<ChatEvent>,
    rest: &'a mut dyn Observer,
}

impl<'a> Held<'a> {
    /// Nothing was kept yet.
    pub(super) fn new(rest: &'a mut dyn Observer) -> Self {
        Self { events: Vec::new(), rest }
    }
}

impl Observer for Held<'_> {
    fn event(&mut self, event: ChatEvent) -> bool {
        self.events.push(event);
        true
    }

    fn notice(&mut self, notice: Notice) {
        self.rest.notice(notice);
    }

    fn records(&self) -> bool {
        self.rest.records()
    }

    fn recorded(&mut self, recording: Recording) {
        self.rest.recorded(recording);
    }
}
