//! The fixed schedule: every call at its time, whatever became of those before it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Caller, Due, Run, plan, until};
use crate::probe::sample::{Ended, Sample};

/// How many visits may be under way at once: where all of them hang, the next one is late.
const MOST: usize = 32;

/// What came of one visit.
struct Landed {
    at: usize,
    round: u32,
    /// `None` where it was stopped before it began.
    samples: Option<Vec<Sample>>,
    late: Duration,
}

impl Run<'_> {
    /// Round after round at a fixed time.
    pub(super) async fn on_the_beat(&mut self, every: Duration, caller: &impl Caller) {
        let mut flying = FuturesUnordered::new();
        let share = every / u32::try_from(self.targets.len().max(1)).unwrap_or(u32::MAX);
        'rounds: for round in 0..self.schedule.rounds {
            self.states.iter_mut().for_each(|state| state.rounds.push(Vec::new()));
            for (place, at) in (0..).zip(plan::order(self.schedule.seed, round, self.targets.len())) {
                let due = self.began + every.saturating_mul(round) + share.saturating_mul(place);
                loop {
                    let room = flying.len() < MOST;
                    tokio::select! {
                        Some(landed) = flying.next(), if !flying.is_empty() => self.land(landed),
                        () = self.until(due), if room => break,
                    }
                }
                if self.is_cancelled() {
                    break 'rounds;
                }
                if self.may_ask(at) {
                    let dues = self.dues(at, None);
                    let (not_before, cancel) = (self.states[at].not_before, self.cancel.clone());
                    flying.push(visit(caller, (at, round), dues, (due, not_before), cancel));
                }
            }
            if self.is_over(round) {
                break;
            }
        }
        while let Some(landed) = flying.next().await {
            self.land(landed);
        }
    }

    fn land(&mut self, Landed { at, round, samples, late }: Landed) {
        let Some(samples) = samples else {
            self.states[at].ended = Some(Ended::Cancelled);
            return;
        };
        self.states[at].late = self.states[at].late.max(Some(late));
        self.take(at, round, samples);
    }
}

/// Waits as long as the endpoint asked for, then makes the calls of one visit.
async fn visit(
    caller: &impl Caller,
    (at, round): (usize, u32),
    mut dues: Vec<Due>,
    (due, not_before): (Instant, Option<Instant>),
    cancel: watch::Receiver<bool>,
) -> Landed {
    if let Some(not_before) = not_before {
        until(not_before, cancel.clone()).await;
        if *cancel.borrow() {
            return Landed { at, round, samples: None, late: Duration::ZERO };
        }
    }
    let late = Instant::now().saturating_duration_since(due);
    dues.iter_mut().for_each(|due| due.late = Some(late));
    let samples = join_all(dues.iter().map(|due| caller.call(due))).await;
    Landed { at, round, samples: Some(samples), late }
}
