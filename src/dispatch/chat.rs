//! Executes a decision: attempt after attempt until one answers, each of them recorded.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::signing::{Called, within};
use super::{Dispatcher, Reach, Recording};
use crate::catalog::price::{Cost, CostError, Item};
use crate::catalog::{EndpointId, Protocol, ProviderKind, Usage};
use crate::chat::{ChatEvent, ChatRequest};
use crate::observe::{CostState, ErrorClass, Observation, Phase, Source};
use crate::routing::{Decision, Failover, GiveUp, Limits as RouteLimits, Step};
use crate::store::StateKey;
use crate::units::Usd;
use crate::upstream::auth::{AuthError, Found, Secret, Signer};
use crate::upstream::exchange::{Limit, Limits, Outcome, exchange};
use crate::upstream::transport::Transport;
use crate::upstream::{Call, adapter};

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
    /// An attempt could not be recorded.
    NotRecorded(String),
}

/// Watches a chat: takes its events and its notices.
pub trait Observer {
    /// One event of the answer; `false` where nobody reads any more.
    fn event(&mut self, event: ChatEvent) -> bool;
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
    /// Whether nothing reaches the observer before the answer is whole, so that a break may still fail over.
    pub hold: bool,
    /// Groups the attempts of this request in the store.
    pub group: [u8; 16],
    /// Who asks.
    pub source: Source,
}

/// One attempt, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptReport {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// The variable that held the key, if one was used.
    pub key_source: Option<String>,
    /// The last characters of the key.
    pub key_ending: Option<String>,
    /// What to do where it is rejected, for credentials that are obtained.
    pub key_cure: Option<&'static str>,
    /// The host that was called.
    pub host: String,
    /// When it began.
    pub at: Timestamp,
    /// What it came to.
    pub outcome: Outcome,
    /// Why its credential could not be obtained or carried, where that is why nothing was sent.
    pub unsigned: Option<AuthError>,
    /// Its bill, or why there is none.
    pub cost: Option<Result<Cost, CostError>>,
    /// What is known of its cost.
    pub cost_state: CostState,
}

/// What a chat came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatReport {
    /// Every attempt, in order.
    pub attempts: Vec<AttemptReport>,
    /// Why no further attempt was made, where the last one failed.
    pub gave_up: Option<GiveUp>,
    /// From the first attempt to the end.
    pub elapsed: Duration,
}

impl ChatReport {
    /// The attempt that answered.
    #[must_use]
    pub fn answered(&self) -> Option<&AttemptReport> {
        self.attempts.last().filter(|attempt| attempt.outcome.class.is_success())
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
        let mut failover = Failover::new(plan.decision, plan.route_limits);
        let mut attempts: Vec<AttemptReport> = Vec::new();
        let mut waited = Duration::ZERO;
        let gave_up = loop {
            match failover.next(began.elapsed()) {
                Step::GiveUp(why) => break Some(why),
                Step::Wait(wait) => {
                    let endpoint = failover.waiting_for().cloned();
                    let failed = attempts.iter().rev().find(|attempt| Some(&attempt.endpoint) == endpoint.as_ref());
                    if let Some((endpoint, failed)) = endpoint.zip(failed) {
                        observer.notice(Notice::Retrying { endpoint, class: failed.outcome.class, wait });
                    }
                    waited = wait;
                    if slept_or_cancelled(wait, cancel.clone()).await {
                        break Some(GiveUp::Final);
                    }
                }
                Step::Try { endpoint, first_token, again, .. } => {
                    // What is tried after a wait was said before it.
                    if waited.is_zero() {
                        announce(&attempts, &endpoint, again, observer);
                    }
                    waited = Duration::ZERO;
                    let Some(reach) = plan.reaches.iter().find(|reach| reach.endpoint.id == endpoint) else {
                        break Some(GiveUp::Exhausted);
                    };
                    let limits = Limits {
                        // An answer that is not streamed has no first token to wait for.
                        first_token: first_token.filter(|_| plan.request.stream),
                        idle: plan.idle.filter(|_| plan.request.stream),
                        total: plan.total.map(|total| total.saturating_sub(began.elapsed())),
                    };
                    let report = self.attempt(plan, reach, wire, limits, cancel.clone(), observer).await;
                    let class = report.outcome.class;
                    let retry_after = report.outcome.error.as_ref().and_then(|error| error.retry_after);
                    let shown = report.outcome.shown && !plan.hold;
                    let out_of_time = matches!(report.outcome.limit, Some((Limit::Total, _)));
                    attempts.push(report);
                    if class.is_success() {
                        break None;
                    }
                    if shown {
                        failover.committed();
                    }
                    if out_of_time {
                        break Some(GiveUp::Deadline);
                    }
                    failover.failed(class, retry_after, began.elapsed());
                }
            }
        };
        ChatReport { attempts, gave_up, elapsed: began.elapsed() }
    }

    async fn attempt(
        &self,
        plan: &Plan<'_>,
        reach: &Reach,
        wire: Wire<'_>,
        limits: Limits,
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> AttemptReport {
        let at = (self.now)();
        let taped = observer.records().then(|| wire.transport.taped());
        let wire = Wire { transport: taped.as_ref().map_or(wire.transport, |(transport, _)| transport), ..wire };
        let mut held = Vec::new();
        let mut sink = |event: ChatEvent| {
            if plan.hold {
                held.push(event);
                true
            } else {
                observer.event(event)
            }
        };
        let mut sent: Sent = None;
        let copy = taped.is_some().then_some(&mut sent);
        let Called { mut outcome, spent, unsigned } =
            call(plan.request, reach, (wire, at), limits, cancel, &mut sink, copy).await;
        spent.iter().for_each(|secret| redact(&mut outcome, secret));
        if let (Some(sent), Some((_, tape)), Some(protocol)) = (sent, taped, reach.protocol) {
            let id = (reach.endpoint.id.clone(), protocol);
            let (went, came) = ((plan.request, &sent), tape.take());
            observer.recorded(Recording::new(id, (at, outcome.class), went, came, &spent));
        }
        if outcome.class.is_success() {
            for event in held {
                if !observer.event(event) {
                    break;
                }
            }
        }
        let cost = outcome.usage.as_ref().and_then(|usage| bill(reach, usage, at));
        let cost_state = if unsigned.is_some() { CostState::None } else { cost_state(&outcome, cost.as_ref()) };
        let (key_source, key_ending, key_cure) = match &reach.found {
            Found::Key { source, secret, .. } => (Some(source.clone()), secret.ending().map(str::to_owned), None),
            Found::Lazy { source, lazy } => (Some(source.clone()), None, Some(lazy.cure())),
            _ => (None, None, None),
        };
        let host = host_of(&reach.base_url);
        let report = AttemptReport {
            endpoint: reach.endpoint.id.clone(),
            key_source,
            key_ending,
            key_cure,
            host,
            at,
            outcome,
            unsigned,
            cost,
            cost_state,
        };
        // Nothing was seen of the provider where there was no credential; the next log-in cures that at once.
        if report.unsigned.is_none()
            && let Err(error) = self.store.record(&self.observation(plan, reach, &report))
        {
            observer.notice(Notice::NotRecorded(error.to_string()));
        }
        report
    }

    fn observation(&self, plan: &Plan<'_>, reach: &Reach, report: &AttemptReport) -> Observation {
        let StateKey { endpoint, key_fingerprint } = reach.state_key(self.store.salt().ok().as_ref());
        let outcome = &report.outcome;
        let total = match &report.cost {
            Some(Ok(cost)) if report.cost_state == CostState::Exact => Some(cost.total),
            _ => None,
        };
        Observation {
            at: report.at,
            endpoint,
            model: reach.endpoint.model.clone(),
            host: report.host.clone(),
            protocol: reach.protocol.unwrap_or(Protocol::OpenaiChat),
            key_fingerprint,
            group: plan.group,
            source: plan.source,
            class: outcome.class,
            phase: outcome.phase,
            http_status: outcome.http_status,
            code: outcome.error.as_ref().and_then(|error| error.code.clone()),
            timings: outcome.timings,
            usage: outcome.usage.clone(),
            events: outcome.events,
            reads: outcome.reads,
            retry_after: outcome.error.as_ref().and_then(|error| error.retry_after),
            cost: total,
            billed: outcome.billed,
            cost_state: report.cost_state,
            finish: outcome.finish.as_ref().map(|(_, native)| native.chars().take(64).collect()),
            reused: outcome.reused,
        }
    }
}

/// A request as it went out, where somebody wants a copy.
type Sent = Option<http::Request<bytes::Bytes>>;

/// Encodes, signs and sends one attempt, and leaves a copy of the request where one is wanted.
async fn call(
    request: &ChatRequest,
    reach: &Reach,
    (wire, at): (Wire<'_>, Timestamp),
    limits: Limits,
    cancel: watch::Receiver<bool>,
    sink: &mut dyn FnMut(ChatEvent) -> bool,
    copy: Option<&mut Sent>,
) -> Called {
    let Some(adapter) = reach.protocol.and_then(adapter) else {
        let message = "this version does not speak the endpoint's protocol".to_owned();
        return Called::refused(ErrorClass::Unsupported, message);
    };
    let call = Call { endpoint: &reach.endpoint, provider: &reach.provider, base_url: &reach.base_url, request };
    let mut encoded = match adapter.encode(&call) {
        Ok(encoded) => encoded,
        Err(error) => return Called::refused(ErrorClass::LocalConfig, error.to_string()),
    };
    let began = Instant::now();
    let signing = wire.signer.sign(&mut encoded, &reach.found, at);
    let spent = match within(signing, limits.total, cancel.clone()).await {
        Ok(spent) => spent,
        Err(why) => return why.into(),
    };
    if let Some(copy) = copy {
        *copy = Some(encoded.clone());
    }
    let limits = Limits { total: limits.total.map(|total| total.saturating_sub(began.elapsed())), ..limits };
    let outcome = exchange(wire.transport, adapter, &call, encoded, limits, cancel, sink).await;
    Called { outcome, spent, unsigned: None }
}

/// A provider may quote the key that it rejects.
fn redact(outcome: &mut Outcome, secret: &Secret) {
    let clean = |text: &mut Option<String>| *text = text.as_deref().map(|text| secret.redact(text));
    clean(&mut outcome.request_id);
    if let Some(error) = &mut outcome.error {
        error.message = secret.redact(&error.message);
        clean(&mut error.code);
        clean(&mut error.request_id);
    }
}

/// What the endpoint's sheet makes of a usage; `None` where it has no sheet.
fn bill(reach: &Reach, usage: &Usage, at: Timestamp) -> Option<Result<Cost, CostError>> {
    // What was not reported is not zero.
    let unreported = [(usage.input, Item::Input), (usage.output, Item::Output)];
    if let Some((_, item)) = unreported.into_iter().find(|(count, _)| count.is_none()) {
        return Some(Err(CostError::MissingCount { item }));
    }
    match &reach.endpoint.pricing {
        Some(pricing) => Some(pricing.cost(usage, at)),
        None if reach.provider.kind == ProviderKind::Local => {
            Some(Ok(Cost { items: Vec::new(), total: Usd::ZERO, inexact: false, notes: Vec::new() }))
        }
        None => None,
    }
}

/// Exact where a whole answer reported its usage; none where the provider cannot have accepted the request.
fn cost_state(outcome: &Outcome, cost: Option<&Result<Cost, CostError>>) -> CostState {
    let refused = outcome.http_status.is_some_and(|status| !(200..300).contains(&status));
    if outcome.class.is_success() && matches!(cost, Some(Ok(_))) {
        CostState::Exact
    } else if refused || (outcome.http_status.is_none() && outcome.phase < Phase::Head && outcome.limit.is_none()) {
        CostState::None
    } else {
        CostState::Unknown
    }
}

pub(super) fn host_of(base_url: &str) -> String {
    let uri = base_url.parse::<http::Uri>().ok();
    // Not with a user and password, which an override may hold.
    let place = |host: &http::uri::Authority| host.as_str().rsplit('@').next().unwrap_or_default().to_owned();
    uri.as_ref().and_then(http::Uri::authority).map(place).unwrap_or_default()
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
