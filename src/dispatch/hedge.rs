//! Two attempts side by side: the second is sent where the first has not begun to answer in time, whoever begins first goes
//! on, and the other is cancelled at once. Nothing of the cancelled one reaches the caller.

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::budget::Held;
use super::doubt::Doubts;
use super::ready::{Common, forecast};
use super::{AttemptReport, Dispatcher, Notice, Observer, Once, Plan, Recording};
use crate::catalog::EndpointId;
use crate::chat::ChatEvent;
use crate::observe::{ErrorClass, Flags, Phase};
use crate::routing::{Decision, Failover, HEDGED_WITHIN, Hedge, Hedging, Step, Unhedged};

/// An attempt that is ready to be made, and what is set aside for it.
pub(super) struct Ready<'a> {
    pub(super) once: Once<'a>,
    pub(super) held: Held,
}

/// An attempt that was made.
struct Ended<'a> {
    ready: Ready<'a>,
    report: AttemptReport,
    /// Whether it was cancelled because the other one began to answer.
    spared: bool,
}

/// What the attempts of one request have come to, and what they have in common.
pub(super) struct Chain<'r, 'a> {
    pub(super) failover: &'r mut Failover,
    pub(super) attempts: &'r mut Vec<AttemptReport>,
    pub(super) doubts: &'r mut Doubts<'a>,
    pub(super) common: &'a Common<'a>,
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

/// A share of what may be hedged, which is given back unless it is kept.
struct Taken<'a>(Option<&'a Plan<'a>>);

impl<'a> Taken<'a> {
    /// `None` where there is no share left.
    fn of(plan: &'a Plan<'a>) -> Option<Self> {
        (plan.hedges(Hedging::take) != Some(false)).then_some(Self(Some(plan)))
    }

    const fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.and_then(|plan| plan.hedges(|shared| shared.hedged -= 1));
    }
}

impl Dispatcher<'_> {
    /// The second request that goes with a decision, from the decision and what was hedged of late; none where that cannot
    /// be read.
    ///
    /// # Errors
    /// There is none.
    pub fn hedge(&self, decision: &Decision, wanted: bool) -> Result<Hedge, Unhedged> {
        let since = (self.now)().checked_sub(HEDGED_WITHIN).unwrap_or(Timestamp::UNIX_EPOCH);
        let history = wanted.then(|| self.store.hedging(since)).transpose();
        decision.hedge(history.map_err(|_| Unhedged::HistoryUnread)?)
    }

    /// Makes an attempt, and where the plan has a second one to be sent beside it in time, that too. What comes back is the
    /// one that counts: it answers, or it failed last. The other one is in the chain already.
    pub(super) async fn hedged<'a>(
        &self,
        first: Ready<'a>,
        chain: Chain<'_, 'a>,
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> (Ready<'a>, AttemptReport) {
        let Chain { failover, attempts, doubts, common } = chain;
        let hedge = common.plan.hedge.as_ref().filter(|hedge| hedge.first == first.once.reach.endpoint.id);
        let Some(hedge) = hedge.filter(|_| attempts.is_empty()) else {
            let report = Box::pin(self.attempt(&first.once, cancel, observer)).await;
            return (first, report);
        };
        let second = (common, &mut *failover);
        let (other, last) = Box::pin(self.side_by_side(first, hedge, second, cancel, observer)).await;
        if let Some(Ended { ready: Ready { once, held }, report, spared }) = other {
            if let Err(error) = self.release(held, &report) {
                observer.notice(Notice::NotRecorded(error.to_string()));
            }
            failover.about(&report.endpoint);
            if spared {
                failover.spared();
            } else {
                let retry_after = report.outcome.error.as_ref().and_then(|error| error.retry_after);
                failover.failed(report.outcome.class, retry_after, common.elapsed());
            }
            attempts.push(report);
            doubts.add(self, once, attempts, observer);
        }
        failover.about(&last.report.endpoint);
        (last.ready, last.report)
    }

    /// Makes the second attempt ready, like the first but elsewhere, and says so; `None` where it may not be made any more.
    async fn second<'a>(
        &self,
        common: &'a Common<'_>,
        hedge: &Hedge,
        failover: &mut Failover,
        race: &Race<'_>,
    ) -> Option<Ready<'a>> {
        let reach = common.reach(&hedge.second)?;
        let mut ahead = failover.clone();
        let step = ahead.beside(&hedge.second, common.elapsed());
        let Some(Step::Try { first_token, patience, .. }) = step else { return None };
        let (slow, endpoint, after) = (hedge.first.clone(), hedge.second.clone(), hedge.after);
        // Others have hedged since this was planned.
        let mut taken = Taken::of(common.plan)?;
        let forecast = forecast(common.plan.decision, &endpoint);
        let held = match self.hold(common.plan, &endpoint, forecast.bound).await {
            Ok(held) => held,
            Err(over) => {
                race.notice(Notice::NotHedged { slow, after, over });
                return None;
            }
        };
        if race.begun.get().is_some() {
            // It has begun to answer while the store was asked.
            self.put_back(held);
            return None;
        }
        taken.keep();
        *failover = ahead;
        race.notice(Notice::Hedging { slow, endpoint, after, bound: hedge.bound });
        let mut observer = race.observer.borrow_mut();
        Some(Ready { once: common.once(reach, (first_token, patience), forecast, &mut **observer), held })
    }

    /// Makes an attempt, and beside it another where no token has come in time. The second value is the one that began to
    /// answer, else the one that ended last.
    async fn side_by_side<'a>(
        &self,
        first: Ready<'a>,
        hedge: &Hedge,
        (common, failover): (&'a Common<'_>, &mut Failover),
        mut cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> (Option<Ended<'a>>, Ended<'a>) {
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
            let report = Box::pin(self.attempt(&once, race.stops[0].subscribe(), &mut lane)).await;
            race.ends(0, &report);
            report
        };
        let other = async {
            sleep(hedge.after).await;
            let begun = race.begun.get().is_some();
            let ready = if begun { None } else { self.second(common, hedge, failover, &race).await }?;
            race.both.set(true);
            let mut lane = Lane { race: &race, lane: 1 };
            let report = Box::pin(self.attempt(&ready.once, race.stops[1].subscribe(), &mut lane)).await;
            race.ends(1, &report);
            Some((ready, report))
        };
        let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
        let (mut ours, mut theirs, mut ours_last) = (None, None, false);
        let (mut asked, mut heard) = (true, true);
        let ours = loop {
            if let Some(ours) = ours.take_if(|_| !race.both.get() || !asked) {
                break ours;
            }
            tokio::select! {
                biased;
                stopped = cancel.wait_for(|stop| *stop), if heard => {
                    heard = false;
                    if stopped.is_ok() {
                        race.stops.iter().for_each(|stop| _ = stop.send_replace(true));
                    }
                }
                report = &mut one, if ours.is_none() => (ours, ours_last) = (Some(report), true),
                ended = &mut other, if asked => (theirs, ours_last, asked) = (ended, false, false),
            }
        };
        let (hedged, begun, spared) = (race.both.get(), race.begun.get(), race.spared.get());
        let ended = |lane: usize, ready: Ready<'a>, mut report: AttemptReport| {
            mark(&mut report, hedged, spared == Some(lane));
            Ended { ready, report, spared: spared == Some(lane) }
        };
        let ours = ended(0, first, ours);
        let Some((ready, report)) = theirs else { return (None, ours) };
        let theirs = ended(1, ready, report);
        if begun.map_or(ours_last, |lane| lane == 0) { (Some(theirs), ours) } else { (Some(ours), theirs) }
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
