//! Attempts of one request of which it is not known yet whose fault they were. They wait until somebody answers, or until
//! it matters: before a second one in a row is followed by a third, before the same endpoint is tried again, and at the
//! end. Going on to the next provider never waits.

use std::time::Duration;

use tokio::sync::watch;

use super::{AttemptReport, Dispatcher, Observer, Once, Reach};
use crate::catalog::is_loopback;
use crate::observe::{Fault, Others, WireErrorKind};
use crate::routing::{Failover, Step};

/// How many connections in a row may fail before it is asked why.
const IN_A_ROW: usize = 2;

/// The attempts in doubt, oldest first, by their place among all of the request.
#[derive(Default)]
pub(super) struct Doubts<'a> {
    held: Vec<(usize, Once<'a>, WireErrorKind)>,
    /// Whether anybody elsewhere has answered within this request: then the network is up.
    answered: bool,
}

impl<'a> Doubts<'a> {
    /// Takes the last attempt in; what is in no doubt is settled and recorded at once.
    pub(super) fn add(
        &mut self,
        dispatcher: &Dispatcher<'_>,
        once: Once<'a>,
        attempts: &mut [AttemptReport],
        observer: &mut dyn Observer,
    ) {
        let Some(at) = attempts.len().checked_sub(1) else { return };
        let last = &mut attempts[at];
        if let Some(kind) = dispatcher.suspicion(once.reach, last) {
            self.held.push((at, once, kind));
            return;
        }
        self.answered |= last.outcome.http_status.is_some() && !is_loopback(&once.reach.base_url);
        if let Some(kind) = last.outcome.wire.filter(|kind| *kind != WireErrorKind::Broken) {
            last.take_fault(dispatcher.fault(once.reach, kind, Others::Unknown));
        }
        // The network was up for those before, too.
        if self.answered && !self.asks_time() {
            self.decide(dispatcher, &Others::Up { clock_off: None }, attempts, observer);
        }
        dispatcher.keep(&once, &attempts[at], observer);
    }

    fn asks_time(&self) -> bool {
        self.held.iter().any(|(_, _, kind)| *kind == WireErrorKind::CertificateTime)
    }

    /// Gives each its fault, and records it.
    fn decide(
        &mut self,
        dispatcher: &Dispatcher<'_>,
        others: &Others,
        attempts: &mut [AttemptReport],
        observer: &mut dyn Observer,
    ) {
        for (at, once, kind) in self.held.drain(..) {
            let Some(report) = attempts.get_mut(at) else { continue };
            report.take_fault(dispatcher.fault(once.reach, kind, others.clone()));
            dispatcher.keep(&once, report, observer);
        }
    }

    /// Whether the doubt is to be settled now: the answer is there already, or it changes what happens next.
    pub(super) fn matter(&self, failover: &Failover, last: &AttemptReport, elapsed: Duration) -> bool {
        if self.held.is_empty() {
            return false;
        }
        let mut ahead = failover.clone();
        ahead.failed(last.outcome.class, None, elapsed);
        let goes_on = matches!(ahead.next(elapsed), Step::Try { again: false, .. });
        self.answered || !goes_on || self.held.len() >= IN_A_ROW
    }

    /// Settles and records all of them; where nobody has answered yet, others are asked first.
    pub(super) async fn settle(
        &mut self,
        dispatcher: &Dispatcher<'_>,
        reaches: &[Reach],
        cancel: watch::Receiver<bool>,
        attempts: &mut [AttemptReport],
        observer: &mut dyn Observer,
    ) {
        let Some((_, last, kind)) = self.held.last() else { return };
        let others = if self.answered && !self.asks_time() {
            Others::Up { clock_off: None }
        } else {
            dispatcher.others(last.wire.transport, last.reach, *kind, reaches, cancel).await
        };
        self.answered |= matches!(others, Others::Up { .. });
        self.decide(dispatcher, &others, attempts, observer);
    }
}

/// Whether the last attempt shows that every other would fail alike.
pub(super) fn is_hopeless(attempts: &[AttemptReport]) -> bool {
    attempts.last().and_then(|last| last.fault).is_some_and(Fault::is_everywhere)
}
