//! The calls of a probe, and the line on the terminal that shows how far it is.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::sync::watch;

use super::super::render::money::dollars;
use super::super::render::text::duration;
use super::super::settings::Settings;
use super::super::{note, out};
use super::targets::Found;
use crate::chat::ChatEvent;
use crate::dispatch::{AttemptReport, Dispatcher, Forecast, Health, Marks, Notice, Observer, Once, Reach, Wire};
use crate::observe::{CostState, Flags, Source};
use crate::probe::plan::PROMPT_VERSION;
use crate::probe::run::{Caller, Due, Target};
use crate::probe::sample::Sample;
use crate::units::Usd;

/// How many endpoints are warmed at the same time.
const AT_ONCE: usize = 8;

/// Calls the endpoints themselves.
pub(super) struct Live<'a> {
    dispatcher: &'a Dispatcher<'a>,
    wire: Wire<'a>,
    reaches: &'a [Reach],
    /// What each call can cost at most.
    forecasts: Vec<Forecast>,
    /// How many calls there will be of each over connections that nothing has warmed.
    cold: Vec<Cell<u32>>,
    cancel: watch::Receiver<bool>,
    progress: RefCell<Progress>,
    not_recorded: RefCell<Option<String>>,
}

impl<'a> Live<'a> {
    /// Calls of these endpoints, so many at once to each.
    pub(super) fn new(
        dispatcher: &'a Dispatcher<'a>,
        wire: Wire<'a>,
        found: &'a Found,
        cancel: watch::Receiver<bool>,
        progress: Progress,
    ) -> Self {
        let cold = found.reaches.iter().map(|_| Cell::new(found.parallel)).collect();
        let bound = |target: &Target| Forecast { bound: Some(target.bound), ..Forecast::default() };
        let forecasts = found.targets.iter().map(bound).collect();
        let (progress, not_recorded) = (RefCell::new(progress), RefCell::default());
        Self { dispatcher, wire, reaches: &found.reaches, forecasts, cold, cancel, progress, not_recorded }
    }

    /// Opens the connections with a question that costs nothing, where a provider has one at the address of its calls.
    /// Elsewhere the first calls are flagged, and left out of the times.
    pub(super) async fn warm(&self, settings: &Settings, limit: Duration) {
        let all = self.reaches.iter().zip(&self.cold).map(|(reach, cold)| self.warm_one(settings, reach, cold, limit));
        let all = futures_util::stream::iter(all).buffer_unordered(AT_ONCE).collect::<Vec<()>>();
        let mut cancel = self.cancel.clone();
        tokio::select! {
            _ = all => {}
            Ok(_) = cancel.wait_for(|stop| *stop) => {}
        }
    }

    async fn warm_one(&self, settings: &Settings, reach: &Reach, cold: &Cell<u32>, limit: Duration) {
        // What is asked at the same time goes over connections of its own.
        let asked = (0..cold.get()).map(|_| self.dispatcher.check(std::slice::from_ref(reach), self.wire, limit, true));
        for checked in join_all(asked).await.into_iter().flatten() {
            let url = checked.url.as_deref().unwrap_or_default();
            let warmed = checked.http_status.is_some() && is_same_origin(url, &reach.base_url);
            if warmed {
                cold.set(cold.get().saturating_sub(1));
            }
            if settings.verbose > 0 {
                let said = match (warmed, checked.elapsed, &checked.health) {
                    (true, Some(elapsed), _) => format!("the connection is warm after {}", duration(elapsed)),
                    (_, _, Health::Bad(error)) => format!("nothing warmed the connection: {}", error.message),
                    _ => "nothing warms the connection without spending".to_owned(),
                };
                note(settings, &format!("{}: {said}", reach.provider.id));
            }
        }
    }

    /// Takes the line on the terminal away, and says why a call could not be recorded, if one could not.
    pub(super) fn finish(self) -> Option<String> {
        self.progress.borrow().clear();
        self.not_recorded.into_inner()
    }
}

/// Whether two addresses share their connections.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let uri = url.parse::<http::Uri>().ok()?;
        Some((uri.scheme_str()?.to_owned(), uri.host()?.to_owned(), uri.port_u16()))
    };
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

impl Caller for Live<'_> {
    async fn call(&self, due: &Due) -> Sample {
        let (reach, cold) = (&self.reaches[due.target], &self.cold[due.target]);
        let flags = Flags::NONE.with_if(Flags::WARMUP, cold.get() > 0);
        cold.set(cold.get().saturating_sub(1));
        let forecast = self.forecasts[due.target];
        let once = Once {
            request: &due.request,
            reach,
            wire: self.wire,
            limits: due.limits,
            hold: false,
            group: crate::dispatch::group((self.dispatcher.now)()),
            source: Source::Probe,
            marks: Marks { prompt_version: Some(PROMPT_VERSION), sched_lag: due.late, flags, warm: None, forecast },
        };
        let mut watcher = Watcher::default();
        let report = self.dispatcher.once(&once, self.cancel.clone(), &mut watcher).await;
        if watcher.not_recorded.is_some() {
            self.not_recorded.replace(watcher.not_recorded);
        }
        let sample = sample(&report);
        self.progress.borrow_mut().advance(reach.provider.id.as_str(), &sample);
        sample
    }
}

/// Hears of calls that could not be recorded, and of nothing else: what the answer is does not matter.
#[derive(Default)]
struct Watcher {
    not_recorded: Option<String>,
}

impl Observer for Watcher {
    fn event(&mut self, _: ChatEvent) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::NotRecorded(reason) = notice {
            self.not_recorded = Some(reason);
        }
    }
}

/// What an attempt says of the endpoint.
fn sample(report: &AttemptReport) -> Sample {
    let cost = match (report.cost_state, &report.cost) {
        (CostState::Exact, Some(Ok(cost))) => Some(cost.total),
        (CostState::None, _) => Some(Usd::ZERO),
        _ => None,
    };
    Sample::of(&report.outcome, cost)
}

/// One line on stderr that is written over; nothing where that is no terminal, with `-q` or `-v`, or in CI.
pub(super) struct Progress {
    shown: bool,
    all: u64,
    done: u64,
    spent: Usd,
}

impl Progress {
    /// Of so many calls.
    pub(super) fn new(settings: &Settings, all: u64) -> Self {
        let vars = &settings.keys.vars;
        // A log of CI would hold every state of it, and what -v says stands on lines of its own.
        let is_bare = vars.plain("CI").is_some() || vars.plain("TERM") == Some("dumb");
        let shown = settings.err_is_terminal && !settings.quiet && settings.verbose == 0 && !is_bare;
        Self { shown, all, done: 0, spent: Usd::ZERO }
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
    fn clear(&self) {
        if self.shown && self.done > 0 {
            out::talk("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_scheme_host_and_port_share_connections() {
        let same = |one, other| is_same_origin(one, other);
        assert!(same("https://api.example/v1/models?limit=1", "https://api.example/v1"));
        assert!(!same("https://bedrock.example/foundation-models", "https://bedrock-runtime.example"));
        assert!(!same("http://127.0.0.1:1/v1/models", "http://127.0.0.1:2/v1"));
        assert!(!same("", ""));
    }
}
