//! openmux itself: the library's `decide`, `Failover` and fold of observations, told what its dispatcher would be told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{Endpoint, EndpointId, ModelId, Pricing, Protocol, ProviderId, ProviderKind, Usage};
use openmux::observe::{CostState, ErrorClass, Observation, Phase, Source, StatsState, Timings};
use openmux::routing::{Candidate, Constraints, Credential, Failover, Limits, Policy, RouteRequest, Warm, decide};
use openmux::units::Tokens;

use super::catalogs::Host;
use super::run::{Ending, PATIENCE, Router, Seen, Step, View};
use super::workload::Question;
use super::world::World;

/// How long a conversation counts as warm where it was answered, in seconds.
const WARM: f64 = 300.0;

/// The router under test.
#[derive(Debug)]
pub struct Product {
    policy: Policy,
    model: ModelId,
    endpoints: Vec<Endpoint>,
    states: Vec<StatsState>,
    under_way: BTreeMap<usize, (Failover, Vec<usize>)>,
    warm: BTreeMap<usize, (usize, u32, f64)>,
    epoch: Timestamp,
    seed: u64,
}

impl Product {
    /// The product as it ships but for its policy.
    pub fn new(world: &World, policy: Policy) -> Self {
        let model = ModelId::new("author/model");
        let epoch = Timestamp::UNIX_EPOCH.checked_add(Duration::from_secs(1_795_000_000)).unwrap_or_default();
        let endpoints: Vec<Endpoint> =
            world.market.hosts.iter().map(|host| endpoint(host, &model, world.market.cache_min)).collect();
        let states = vec![StatsState::new(epoch); endpoints.len()];
        let (under_way, warm) = (BTreeMap::new(), BTreeMap::new());
        Self { policy, model, endpoints, states, under_way, warm, epoch, seed: world.seed }
    }

    /// The policy for what a second is worth, in USD.
    pub fn policy(wait: f64) -> Policy {
        Policy::time_value(format!("{:.6}", wait * 3600.0).parse().unwrap_or_default())
    }

    /// Changes one constant of a policy; `None` where there is no such constant.
    pub fn tuned(policy: &mut Policy, constant: &str, value: f64) -> Option<()> {
        let field = match constant {
            "prior_ttft_s" => &mut policy.prior_ttft_s,
            "prior_samples" => &mut policy.prior_samples,
            "prior_attempts" => &mut policy.prior_attempts,
            "prior_availability" => &mut policy.prior_availability,
            _ => return None,
        };
        *field = value;
        Some(())
    }

    fn at(&self, seconds: f64) -> Timestamp {
        let nanos = (seconds * 1e9) as i64;
        self.epoch.checked_add(jiff::SignedDuration::from_nanos(nanos)).unwrap_or(self.epoch)
    }

    fn request(&self, question: &Question, now: f64) -> RouteRequest {
        let input = Tokens::new(u64::from(question.input));
        let shape = (input, Tokens::new(250));
        let mut request = openmux::dispatch::shape(&self.model, shape.0, shape.1, Tokens::ZERO, Constraints::default());
        request.warm =
            self.warm.get(&question.session).filter(|(_, _, at)| now - at < WARM).map(|&(host, tokens, _)| Warm {
                endpoint: self.endpoints[host].id.clone(),
                tokens: Tokens::new(u64::from(tokens.min(question.input))),
            });
        request
    }

    fn decided(&self, question: &Question, view: View<'_>) -> (Failover, Vec<usize>) {
        let now = self.at(view.now);
        let candidates: Vec<Candidate<'_>> = self
            .endpoints
            .iter()
            .zip(&self.states)
            .zip(view.in_flight)
            .map(|((endpoint, state), in_flight)| Candidate {
                endpoint,
                kind: ProviderKind::Host,
                credential: Credential::NotNeeded,
                unsupported: None,
                lacks: Vec::new(),
                no_base_url: false,
                missing_settings: Vec::new(),
                outside_sandbox: false,
                hides_reasoning: false,
                in_flight: *in_flight,
                stats: state.at(now),
            })
            .collect();
        let request = self.request(question, view.now);
        let decision = decide(&request, &candidates, &self.policy, now, self.seed ^ question.id as u64);
        let limits = Limits {
            max_attempts: self.policy.max_attempts,
            retries: self.policy.retries,
            first_token: Some(Duration::from_secs_f64(PATIENCE)),
            max_wait: Duration::from_secs(30),
        };
        let place = |id: &EndpointId| self.endpoints.iter().position(|endpoint| endpoint.id == *id).unwrap_or(0);
        let order = decision.ranked.iter().map(|ranked| place(&ranked.endpoint)).collect();
        (Failover::new(&decision, limits), order)
    }
}

fn endpoint(host: &Host, model: &ModelId, cache_min: u32) -> Endpoint {
    let mut pricing = Pricing::default();
    let sheet = [
        ("input", Some(host.input)),
        ("output", Some(host.output)),
        ("cache_read", host.cache_read),
        ("cache_write", host.cache_write),
    ];
    let priced = sheet.iter().all(|(key, price)| price.is_none_or(|price| pricing.set(key, price) == Ok(true)));
    let id = EndpointId { provider: ProviderId::new(host.name), upstream_model: "model".to_owned() };
    Endpoint {
        context: Some(Tokens::new(200_000)),
        max_output: Some(Tokens::new(64_000)),
        cache_min: Some(Tokens::new(u64::from(cache_min))),
        pricing: priced.then_some(pricing),
        ..Endpoint::new(id, model.clone())
    }
}

const fn class(ending: Ending) -> (ErrorClass, Phase, u16) {
    match ending {
        Ending::Answered => (ErrorClass::Ok, Phase::Done, 200),
        Ending::Cut => (ErrorClass::StreamBroken, Phase::Stream, 200),
        Ending::Failed => (ErrorClass::ProviderFault, Phase::Head, 500),
        Ending::Overloaded => (ErrorClass::Overloaded, Phase::Head, 503),
        Ending::RateLimited => (ErrorClass::RateLimited, Phase::Head, 429),
        Ending::TimedOut => (ErrorClass::ProviderTimeout, Phase::FirstToken, 200),
    }
}

impl Router for Product {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let arrived = tried.first().map_or(view.now, |seen| seen.began);
        if !self.under_way.contains_key(&question.id) {
            let decided = self.decided(question, view);
            self.under_way.insert(question.id, decided);
        }
        let Some((failover, order)) = self.under_way.get_mut(&question.id) else { return Step::GiveUp };
        match failover.next(Duration::from_secs_f64(view.now - arrived)) {
            openmux::routing::Step::Try { index, first_token, .. } => {
                Step::Try(order[index], first_token.map_or(PATIENCE, |limit| limit.as_secs_f64()))
            }
            openmux::routing::Step::Wait(wait) => Step::Wait(wait.as_secs_f64()),
            openmux::routing::Step::GiveUp(_) => Step::GiveUp,
        }
    }

    fn seen(&mut self, question: &Question, seen: &Seen, now: f64) {
        let (class, phase, status) = class(seen.ending);
        let duration = |seconds: f64| Duration::from_secs_f64(seconds.max(0.0));
        let count = |tokens: u32| Tokens::new(u64::from(tokens));
        let endpoint = &self.endpoints[seen.host];
        let usage = seen.answered().then(|| Usage {
            cache_read: Some(count(seen.cached)),
            cache_write: (seen.written > 0).then(|| count(seen.written)),
            ..Usage::text(u64::from(seen.input), u64::from(seen.output))
        });
        let began = self.at(seen.began);
        let cost =
            usage.as_ref().zip(endpoint.pricing.as_ref()).and_then(|(usage, sheet)| sheet.cost(usage, began).ok());
        let retry_after = seen.retry_after.map(duration);
        let observation = Observation {
            at: began,
            endpoint: endpoint.id.clone(),
            model: self.model.clone(),
            host: String::new(),
            protocol: Protocol::OpenaiChat,
            key_fingerprint: String::new(),
            group: [0; 16],
            source: Source::Gateway,
            class,
            phase,
            http_status: Some(status).filter(|_| seen.ending != Ending::TimedOut),
            code: None,
            timings: Timings {
                ttft: seen.ttft.map(duration),
                decode: seen.ttft.map(|_| duration(seen.decode)),
                e2e: Some(duration(seen.took)),
                ..Timings::default()
            },
            usage,
            events: seen.output,
            reads: seen.output,
            retry_after,
            cost_state: if cost.is_some() { CostState::Exact } else { CostState::None },
            cost: cost.map(|cost| cost.total),
            billed: None,
            finish: seen.answered().then(|| "stop".to_owned()),
            reused: true,
        };
        self.states[seen.host].observe(&observation);
        if seen.answered() {
            self.warm.insert(question.session, (seen.host, seen.input, seen.began));
        } else if let Some((failover, _)) = self.under_way.get_mut(&question.id) {
            if seen.ending == Ending::Cut {
                failover.committed();
            }
            let arrived = now - seen.took;
            failover.failed(class, retry_after, Duration::from_secs_f64((now - arrived).max(0.0)));
        }
    }

    fn done(&mut self, question: &Question) {
        self.under_way.remove(&question.id);
    }
}
