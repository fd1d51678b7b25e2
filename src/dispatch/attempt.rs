//! One attempt at one endpoint: encoded, signed, sent, billed and recorded.

use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::signing::{Called, within};
use super::watch::watched;
use super::{AttemptReport, Dispatcher, Notice, Observer, Reach, Recording, Wire};
use crate::catalog::price::{Cost, CostError, Item, SheetVersion};
use crate::catalog::{CancelBilling, Protocol, ProviderKind, Usage};
use crate::chat::{ChatEvent, ChatRequest};
use crate::observe::{
    Asked, Bucket, CostState, ErrorClass, Flags, Headroom, Observation, Others, Phase, Source, WireErrorKind,
};
use crate::units::{Tokens, Usd};
use crate::upstream::auth::{Found, Secret};
use crate::upstream::exchange::{Limits, Outcome, exchange};
use crate::upstream::headroom::Left;
use crate::upstream::{Adaptation, Call, adapter};

/// One attempt that is ready to be made.
#[derive(Debug, Clone, Copy)]
pub struct Once<'a> {
    /// What is asked.
    pub request: &'a ChatRequest,
    /// Of whom.
    pub reach: &'a Reach,
    /// Connections and credentials.
    pub wire: Wire<'a>,
    /// How long each part of it may take.
    pub limits: Limits,
    /// Whether nothing reaches the observer before the answer is whole.
    pub hold: bool,
    /// Groups the attempts of one request in the store.
    pub group: [u8; 16],
    /// Who asks.
    pub source: Source,
    /// What the caller knows of it beside.
    pub marks: Marks,
}

/// What the caller of an attempt knows of it, for whoever reads its times later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// The version of the prompt, where it is one of a probe.
    pub prompt_version: Option<i64>,
    /// By how much it begins later than a fixed schedule says.
    pub sched_lag: Option<std::time::Duration>,
    /// Further flags, e.g. that it is a warm-up.
    pub flags: Flags,
    /// Input tokens that the endpoint's prompt cache may hold, where the conversation had been there before.
    pub warm: Option<Tokens>,
    /// What the decision made of it.
    pub forecast: Forecast,
}

/// What a decision makes of an attempt before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forecast {
    /// Input tokens, estimated.
    pub input: Option<Tokens>,
    /// What it is expected to cost, in USD.
    pub expected: Option<Usd>,
    /// The most that it can cost, in USD.
    pub bound: Option<Usd>,
}

impl Dispatcher<'_> {
    /// Makes one attempt, without retries and failover, and records it. `cancel` turning true aborts it. Where no
    /// connection came up, others are asked whether it is the network, which takes two seconds at most.
    pub async fn once(
        &self,
        once: &Once<'_>,
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> AttemptReport {
        let mut report = self.attempt(once, cancel.clone(), observer).await;
        self.settle(once, &mut report, &[], cancel).await;
        self.keep(once, &report, observer);
        report
    }

    /// Whose fault it was, where that is to be asked.
    async fn settle(
        &self,
        once: &Once<'_>,
        report: &mut AttemptReport,
        reaches: &[Reach],
        cancel: watch::Receiver<bool>,
    ) {
        // What broke after it was up is the provider's, and has its class.
        let Some(kind) = report.outcome.wire.filter(|kind| *kind != WireErrorKind::Broken) else { return };
        let others = match self.suspicion(once.reach, report) {
            Some(kind) => self.others(once.wire.transport, once.reach, kind, reaches, cancel).await,
            None => Others::Unknown,
        };
        report.take_fault(self.fault(once.reach, kind, others));
    }

    /// Makes one attempt and records nothing yet: whose fault a failure was may still be asked. A request that is refused
    /// for a parameter that nobody wished for, or that has another name, is sent again at once, changed; that is learned,
    /// and no attempt of its own.
    pub(super) async fn attempt(
        &self,
        once: &Once<'_>,
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> AttemptReport {
        let host = host_of(&once.reach.base_url);
        let id = &once.reach.endpoint.id;
        let began = Instant::now();
        let known = self.store.learned(id, &host, (self.now)()).unwrap_or_default();
        let mut changes: Vec<Adaptation> = known.iter().filter_map(|fact| Adaptation::parse(fact)).collect();
        let mut tried: Vec<Adaptation> = Vec::new();
        loop {
            let left = |limit: Option<Duration>| limit.map(|limit| limit.saturating_sub(began.elapsed()));
            let (first_token, total) = (left(once.limits.first_token), left(once.limits.total));
            let limits = Limits { first_token, total, ..once.limits };
            let report = self.send(&Once { limits, ..*once }, &host, &changes, cancel.clone(), observer).await;
            let Some((change, wanted)) = change_after(once, &report.outcome, &changes, &tried) else { return report };
            tried.push(change);
            if wanted {
                observer.notice(Notice::Adapting { endpoint: id.clone(), change });
                changes.push(change);
            } else {
                changes.retain(|other| *other != change);
            }
            let facts: Vec<String> = changes.iter().map(ToString::to_string).collect();
            if let Err(error) = self.store.learn(id, &host, (self.now)(), &facts) {
                tracing::debug!(%error, "what was learned is not kept");
            }
        }
    }

    /// Sends one request and reads its answer.
    async fn send(
        &self,
        once: &Once<'_>,
        host: &str,
        changes: &[Adaptation],
        cancel: watch::Receiver<bool>,
        observer: &mut dyn Observer,
    ) -> AttemptReport {
        let Once { request, reach, wire, limits, .. } = *once;
        let at = (self.now)();
        let taped = observer.records().then(|| wire.transport.taped());
        let wire = Wire { transport: taped.as_ref().map_or(wire.transport, |(transport, _)| transport), ..wire };
        let mut held = Vec::new();
        // What is not streamed has begun once it is known to be an answer.
        let mut sink = |event: ChatEvent| {
            if request.stream && !observer.begins() {
                false
            } else if once.hold {
                held.push(event);
                true
            } else {
                observer.event(event)
            }
        };
        let mut sent: Sent = None;
        let copy = taped.is_some().then_some(&mut sent);
        let called = call((request, changes), reach, (wire, at), limits, cancel, &mut sink, copy);
        let (called, absent) = watched(self.now, once.source != Source::Gateway, pin!(called)).await;
        let Called { mut outcome, spent, unsigned } = called;
        spent.iter().for_each(|secret| redact(&mut outcome, secret));
        outcome.flags = outcome.flags | once.marks.flags | absent;
        outcome.timings.sched_lag = once.marks.sched_lag;
        if let (Some(sent), Some((_, tape)), Some(protocol)) = (sent, taped, reach.protocol) {
            let id = (reach.endpoint.id.clone(), protocol);
            let (went, came) = ((request, &sent), tape.take());
            observer.recorded(Recording::new(id, (at, outcome.class), went, came, &spent));
        }
        if outcome.class.is_success() && (request.stream || observer.begins()) {
            for event in held {
                if !observer.event(event) {
                    break;
                }
            }
        }
        outcome.usage.iter_mut().for_each(|usage| date_writes(reach, request, usage));
        let cost = outcome.usage.as_ref().and_then(|usage| bill(reach, usage, at));
        let cost_state = if unsigned.is_some() { CostState::None } else { cost_state(&outcome, cost.as_ref()) };
        let forecast = once.marks.forecast;
        let left = cost_state == CostState::Unknown && outcome.class == ErrorClass::Aborted;
        let likely = left.then(|| likely_cost(reach, &outcome, forecast, at)).flatten();
        let estimate = (cost_state == CostState::Unknown).then(|| estimated(reach, &outcome, forecast, at)).flatten();
        let (key_source, key_ending, key_cure) = match &reach.found {
            Found::Key { source, secret, .. } => (Some(source.clone()), secret.ending().map(str::to_owned), None),
            Found::Lazy { source, lazy } => (Some(source.clone()), None, Some(lazy.cure())),
            _ => (None, None, None),
        };
        AttemptReport {
            endpoint: reach.endpoint.id.clone(),
            model: reach.endpoint.model.clone(),
            protocol: reach.protocol,
            key_source,
            key_ending,
            key_cure,
            host: host.to_owned(),
            at,
            outcome,
            unsigned,
            adapted: changes.to_vec(),
            fault: None,
            cost,
            cost_state,
            likely,
            estimate,
            forecast,
        }
    }

    /// Records an attempt.
    pub(super) fn keep(&self, once: &Once<'_>, report: &AttemptReport, observer: &mut dyn Observer) {
        // Nothing was seen of the provider where there was no credential; the next log-in cures that at once.
        if report.unsigned.is_none()
            && let Err(error) = self.store.record(&self.observation(once, report))
        {
            observer.notice(Notice::NotRecorded(error.to_string()));
        }
    }

    fn observation(&self, once: &Once<'_>, report: &AttemptReport) -> Observation {
        let reach = once.reach;
        let (outcome, pricing) = (&report.outcome, reach.endpoint.pricing.as_ref());
        Observation {
            at: report.at,
            endpoint: reach.endpoint.id.clone(),
            model: reach.endpoint.model.clone(),
            host: report.host.clone(),
            protocol: reach.protocol.unwrap_or(Protocol::OpenaiChat),
            key_fingerprint: reach.fingerprint(self.store.salt().ok().as_ref()),
            group: once.group,
            source: once.source,
            class: outcome.class,
            phase: outcome.phase,
            http_status: outcome.http_status,
            code: code(outcome),
            timings: outcome.timings,
            usage: outcome.usage.clone(),
            events: outcome.events,
            reads: outcome.reads,
            streamed: outcome.streamed,
            effort: once.request.effort.map(|effort| effort.to_string()),
            prompt_version: once.marks.prompt_version,
            retry_after: outcome.error.as_ref().and_then(|error| error.retry_after),
            cost: report.by_sheet(),
            billed: outcome.billed,
            cost_state: report.cost_state,
            finish: outcome.finish.as_ref().map(|(_, native)| native.chars().take(64).collect()),
            flags: outcome.flags,
            warm: once.marks.warm,
            headroom: headroom(report),
            asked: Asked {
                input: once.marks.forecast.input,
                stream: Some(once.request.stream),
                expected: once.marks.forecast.expected,
                bound: once.marks.forecast.bound,
                sheet: pricing.map(|pricing| SheetVersion::shared(pricing, self.catalog.generated())),
            },
        }
    }
}

/// What is left of the rate limits, from the moment at which the response's head came.
fn headroom(report: &AttemptReport) -> Headroom {
    let timings = report.outcome.timings;
    let at = report.at + timings.connect.unwrap_or_default() + timings.head.unwrap_or_default();
    let bucket = |told: Option<Left>| {
        let Left { limit, left, full_in } = told?;
        Some(Bucket { limit, left, at, full_at: at.checked_add(full_in).ok()? })
    };
    let told = report.outcome.headroom;
    Headroom { requests: bucket(told.requests), tokens: bucket(told.tokens) }
}

/// What to change in a request that was refused, and whether it is to be made or unmade; `None` where it stands as it is.
fn change_after(
    once: &Once<'_>,
    outcome: &Outcome,
    made: &[Adaptation],
    tried: &[Adaptation],
) -> Option<(Adaptation, bool)> {
    let error = outcome.error.as_ref().filter(|_| matches!(outcome.http_status, Some(400 | 422)))?;
    // What was learned of a server that was replaced.
    let unmade = made.iter().copied().find(|change| change.is_refused(error));
    let reach = once.reach;
    let (endpoint, provider, base_url) = (&reach.endpoint, &reach.provider, reach.base_url.as_str());
    let call = Call { endpoint, provider, base_url, request: once.request };
    let fresh = || adapter(reach.protocol?)?.adapt(&call, error).filter(|change| !made.contains(change));
    let change = unmade.map(|change| (change, false)).or_else(|| Some((fresh()?, true)))?;
    (!tried.contains(&change.0)).then_some(change)
}

/// The provider's own code, or which limit of ours fired.
fn code(outcome: &Outcome) -> Option<String> {
    let theirs = outcome.error.as_ref().and_then(|error| error.code.clone());
    theirs.or_else(|| outcome.limit.map(|(limit, _)| limit.code().to_owned()))
}

/// A request as it went out, where somebody wants a copy.
type Sent = Option<http::Request<bytes::Bytes>>;

/// Encodes, signs and sends one attempt, and leaves a copy of the request where one is wanted.
async fn call(
    (request, changes): (&ChatRequest, &[Adaptation]),
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
    changes.iter().for_each(|change| change.apply(&mut encoded));
    let began = Instant::now();
    let signing = wire.signer.sign(&mut encoded, &reach.found, at);
    let spent = match within(pin!(signing), limits.total, cancel.clone()).await {
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

/// Where a provider does not say for how long it keeps what it wrote to its cache, it is an hour if all that it was told to
/// keep is.
fn date_writes(reach: &Reach, request: &ChatRequest, usage: &mut Usage) {
    let hours = !request.marks.is_empty() && request.marks.iter().all(|mark| mark.hour);
    let told = || !reach.untold(request).iter().any(|name| name.starts_with("cache_control"));
    if hours && usage.cache_write_1h.is_none() && told() {
        usage.cache_write_1h = usage.cache_write;
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

/// What a part of an answer comes to by the sheet: what the provider said that it has read of the request, else its input by
/// the estimate, and what came of the answer. `None` where nothing came, or the sheet has no price for it.
fn estimated(reach: &Reach, outcome: &Outcome, forecast: Forecast, at: Timestamp) -> Option<Usd> {
    let pricing = reach.endpoint.pricing.as_ref()?;
    let came = Tokens::new(outcome.streamed.tokens.filter(|tokens| *tokens > 0)?);
    let told = outcome.usage.as_ref().filter(|usage| usage.input.is_some());
    // What it said of its output before it broke off may be less than what came.
    let told =
        told.map(|usage| Usage { output: Some(usage.output.map_or(came, |said| said.max(came))), ..usage.clone() });
    match told {
        Some(usage) => pricing.cost(&usage, at).ok().map(|cost| cost.total),
        None => pricing.of_text(forecast.input?, Tokens::ZERO, came, at),
    }
}

/// What an answer likely costs that nobody wanted to the end: its input and what came of it; and where the model is not
/// known to stop once nobody listens, at least what the whole was expected to.
fn likely_cost(reach: &Reach, outcome: &Outcome, forecast: Forecast, at: Timestamp) -> Option<Usd> {
    let pricing = reach.endpoint.pricing.as_ref()?;
    let came = Tokens::new(outcome.streamed.tokens.unwrap_or(0));
    let part = pricing.of_text(forecast.input?, Tokens::ZERO, came, at)?;
    match reach.provider.quirks.bills_on_cancel {
        CancelBilling::None => Some(Usd::ZERO),
        CancelBilling::Partial => Some(part),
        CancelBilling::Unknown | CancelBilling::Full => Some(forecast.expected?.max(part)),
    }
}

/// Exact where a whole answer reported its usage; none where the provider refused it, or it never went out. What was on
/// its way may have been taken.
fn cost_state(outcome: &Outcome, cost: Option<&Result<Cost, CostError>>) -> CostState {
    let refused = outcome.http_status.is_some_and(|status| !(200..300).contains(&status));
    if outcome.class.is_success() && matches!(cost, Some(Ok(_))) {
        CostState::Exact
    } else if refused || outcome.phase < Phase::Send {
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
