//! Two attempts side by side: the second is sent where the first has not begun to answer in time, whoever begins first goes
//! on, and the other is cancelled at once. Nothing of the cancelled one reaches the caller.

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{AttemptReport, Dispatcher, Notice, Observer, Once, Recording};
use crate::catalog::EndpointId;
use crate::chat::ChatEvent;
use crate::observe::{ErrorClass, Flags, Phase};
use crate::routing::{Decision, HEDGED_WITHIN, Hedge, Hedging, Unhedged};

/// An attempt that is ready to be made, and the number of what is set aside for it.
pub(super) struct Ready<'a> {
    pub(super) once: Once<'a>,
    pub(super) held: Option<i64>,
}

/// An attempt that was made.
pub(super) struct Ended<'a> {
    pub(super) ready: Ready<'a>,
    pub(super) report: AttemptReport,
    /// Whether it was cancelled because the other one began to answer.
    pub(super) spared: bool,
}

/// Who has begun to answer, and how to stop the other.
struct Race<'o> {
    observer: RefCell<&'o mut dyn Observer>,
    endpoints: [EndpointId; 2],
    stops: [watch::Sender<bool>; 2],
    /// Whether the second was sent.
    both: Cell<bool>,
    ended: [Cell<bool>; 2],
    begun: Cell<Option<usize>>,
    spared: Cell<Option<usize>>,
}

impl Race<'_> {
    fn notice(&self, notice: Notice) {
        self.observer.borrow_mut().notice(notice);
    }

    /// Whether this one may go on with its answer: it is the first to begin, or was.
    fn begins(&self, lane: usize) -> bool {
        if let Some(first) = self.begun.get() {
            return first == lane;
        }
        self.begun.set(Some(lane));
        let other = 1 - lane;
        if self.both.get() {
            self.spared.set(Some(other).filter(|_| !self.ended[other].get()));
            self.stops[other].send_replace(true);
            self.notice(Notice::Answering { endpoint: self.endpoints[lane].clone() });
        }
        true
    }

    /// One of two ends; where it gave nothing, the other goes on alone.
    fn ends(&self, lane: usize, report: &AttemptReport) {
        self.ended[lane].set(true);
        let class = report.outcome.class;
        let other = 1 - lane;
        let alone = self.both.get() && self.begun.get().is_none() && !self.ended[other].get();
        if alone && class != ErrorClass::Aborted {
            let (from, to) = (self.endpoints[lane].clone(), self.endpoints[other].clone());
            self.notice(Notice::FailingOver { from, to, class });
        }
    }
}

/// What one of two tells, which counts for as long as the other has not begun.
struct Lane<'r, 'o> {
    race: &'r Race<'o>,
    lane: usize,
}

impl Observer for Lane<'_, '_> {
    fn begins(&mut self) -> bool {
        self.race.begins(self.lane)
    }

    fn event(&mut self, event: ChatEvent) -> bool {
        self.race.begins(self.lane) && self.race.observer.borrow_mut().event(event)
    }

    fn notice(&mut self, notice: Notice) {
        self.race.notice(notice);
    }

    fn records(&self) -> bool {
        self.race.observer.borrow().records()
    }

    fn recorded(&mut self, recording: Recording) {
        self.race.observer.borrow_mut().recorded(recording);
    }
}

impl Dispatcher<'_> {
    /// The second request that goes with a decision, from the decision and what was hedged of late. What cannot be read
    /// has no room.
    ///
    /// # Errors
    /// There is none.
    pub fn hedge(&self, decision: &Decision, wanted: bool) -> Result<Hedge, Unhedged> {
        let since = (self.now)().checked_sub(HEDGED_WITHIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let history = || self.store.hedging(since).unwrap_or(Hedging { requests: 0, hedged: u64::MAX });
        decision.hedge(wanted.then(history))
    }

    /// Makes an attempt, and beside it the one that `second` makes ready where no token has come in time. In the order in
    /// which they ended; whoever began to answer is last.
    pub(super) async fn side_by_side<'a>(
        &self,
        first: Ready<'a>,
        hedge: &Hedge,
        second: impl FnOnce(&mut dyn Observer) -> Option<Ready<'a>>,
        mut cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> Vec<Ended<'a>> {
        let race = Race {
            observer: RefCell::new(observer),
            endpoints: [hedge.first.clone(), hedge.second.clone()],
            stops: [watch::channel(false).0, watch::channel(false).0],
            both: Cell::new(false),
            ended: [Cell::new(false), Cell::new(false)],
            begun: Cell::new(None),
            spared: Cell::new(None),
        };
        let once = first.once;
        let one = async {
            let mut lane = Lane { race: &race, lane: 0 };
            let report = self.attempt(&once, race.stops[0].subscribe(), &mut lane).await;
            race.ends(0, &report);
            report
        };
        let other = async {
            sleep(hedge.after).await;
            let begun = race.begun.get().is_some();
            let ready = if begun { None } else { second(&mut **race.observer.borrow_mut()) }?;
            race.both.set(true);
            let mut lane = Lane { race: &race, lane: 1 };
            let report = self.attempt(&ready.once, race.stops[1].subscribe(), &mut lane).await;
            race.ends(1, &report);
            Some((ready, report))
        };
        let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
        let (mut ours, mut theirs, mut asked, mut heard) = (None, None, true, true);
        let mut ours_last = false;
        while ours.is_none() || (race.both.get() && asked) {
            tokio::select! {
                biased;
                stopped = cancel.wait_for(|stop| *stop), if heard => {
                    heard = false;
                    if stopped.is_ok() {
                        race.stops.iter().for_each(|stop| { stop.send_replace(true); });
                    }
                }
                report = &mut one, if ours.is_none() => (ours, ours_last) = (Some(report), true),
                ended = &mut other, if asked => {
                    asked = false;
                    (theirs, ours_last) = (ended, false);
                }
            }
        }
        let (hedged, begun, spared) = (race.both.get(), race.begun.get(), race.spared.get());
        let ended = |lane: usize, ready: Ready<'a>, mut report: AttemptReport| {
            mark(&mut report, hedged, spared == Some(lane));
            Ended { ready, report, spared: spared == Some(lane) }
        };
        let ours = ours.map(|report| ended(0, first, report));
        let theirs = theirs.map(|(ready, report)| ended(1, ready, report));
        let ours_last = begun.map_or(ours_last, |lane| lane == 0);
        let order = if ours_last { [theirs, ours] } else { [ours, theirs] };
        order.into_iter().flatten().collect()
    }
}

/// Says of an attempt that it was one of two, and of a cancelled one that nobody knows how long it would have taken.
fn mark(report: &mut AttemptReport, hedged: bool, spared: bool) {
    let outcome = &mut report.outcome;
    let cut = outcome.class == ErrorClass::Aborted && outcome.phase >= Phase::Send;
    outcome.flags = outcome.flags.with_if(Flags::HEDGED, hedged);
    if spared {
        // It was not the user who stopped it.
        let flags = outcome.flags.without(Flags::ABORTED);
        outcome.flags = flags.with(Flags::SPARED).with_if(Flags::CENSORED, cut);
    }
}
