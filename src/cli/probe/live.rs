//! The calls of a probe, and the line on the terminal that shows how far it is.

use tokio::sync::watch;

use super::super::out;
use super::super::render::money::dollars;
use super::super::render::text::duration;
use super::super::settings::Settings;
use crate::chat::{ChatEvent, ChatRequest};
use crate::dispatch::{AttemptReport, Dispatcher, Forecast, Marks, Notice, Observer, Once, Reach, Wire};
use crate::observe::{CostState, Source};
use crate::probe::plan::PROMPT_VERSION;
use crate::probe::run::{Caller, Sample};
use crate::units::Usd;
use crate::upstream::exchange::Limits;

/// Calls the endpoints themselves.
pub(super) struct Live<'a> {
    /// Makes and records the attempts.
    pub(super) dispatcher: &'a Dispatcher<'a>,
    /// How each target is called.
    pub(super) reaches: &'a [Reach],
    /// What each call can cost at most.
    pub(super) forecasts: Vec<Forecast>,
    /// Connections and credentials.
    pub(super) wire: Wire<'a>,
    /// Turns true where it is to stop.
    pub(super) cancel: watch::Receiver<bool>,
    /// The line on the terminal.
    pub(super) progress: Progress,
    /// Why a call could not be recorded, if one could not.
    pub(super) not_recorded: Option<String>,
    /// By how much the next call begins too late.
    pub(super) late: Option<std::time::Duration>,
}

impl Caller for Live<'_> {
    async fn call(&mut self, target: usize, request: &ChatRequest, limits: Limits) -> Sample {
        let reach = &self.reaches[target];
        let group = super::super::chat::group();
        let (forecast, sched_lag) = (self.forecasts[target], self.late);
        let marks = Marks { prompt_version: Some(PROMPT_VERSION), sched_lag, forecast, ..Marks::default() };
        let once = Once { request, reach, wire: self.wire, limits, hold: false, group, source: Source::Probe, marks };
        let mut watcher = Watcher { not_recorded: &mut self.not_recorded };
        let report = self.dispatcher.once(&once, self.cancel.clone(), &mut watcher).await;
        let sample = sample(&report);
        self.progress.advance(reach.provider.id.as_str(), &sample);
        sample
    }

    fn late(&mut self, late: Option<std::time::Duration>) {
        self.late = late;
    }
}

/// Hears of calls that could not be recorded, and of nothing else: what the answer is does not matter.
struct Watcher<'a> {
    not_recorded: &'a mut Option<String>,
}

impl Observer for Watcher<'_> {
    fn event(&mut self, _: ChatEvent) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::NotRecorded(reason) = notice {
            *self.not_recorded = Some(reason);
        }
    }
}

/// What an attempt says of the endpoint.
fn sample(report: &AttemptReport) -> Sample {
    let outcome = &report.outcome;
    let pace = outcome.pace(Source::Probe);
    Sample {
        class: outcome.class,
        ttft: pace.timings.ttft,
        total: outcome.timings.e2e,
        speed: pace.decode_tps(),
        http_status: outcome.http_status,
        retry_after: outcome.error.as_ref().and_then(|error| error.retry_after),
        cost: match (report.cost_state, &report.cost) {
            (CostState::Exact, Some(Ok(cost))) => Some(cost.total),
            (CostState::None, _) => Some(Usd::ZERO),
            _ => None,
        },
        flags: outcome.flags,
    }
}

/// One line on stderr that is written over; nothing where that is no terminal.
pub(super) struct Progress {
    shown: bool,
    all: u64,
    done: u64,
    spent: Usd,
}

impl Progress {
    /// Of so many calls.
    pub(super) fn new(settings: &Settings, all: u64) -> Self {
        Self { shown: settings.err_is_terminal && !settings.quiet, all, done: 0, spent: Usd::ZERO }
    }

    fn advance(&mut self, provider: &str, sample: &Sample) {
        self.done += 1;
        self.spent += sample.cost.unwrap_or(Usd::ZERO);
        if self.shown {
            let said = match sample.ttft {
                Some(ttft) if sample.class.is_success() => duration(ttft),
                _ => sample.class.name().to_owned(),
            };
            let (done, all) = (self.done, self.all);
            out::talk(&format!("\r\x1b[K{done}/{all}  {provider} {said}  spent {}", dollars(self.spent)));
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.shown && self.done > 0 {
            out::talk("\r\x1b[K");
        }
    }
}
