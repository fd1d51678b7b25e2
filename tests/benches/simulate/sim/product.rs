//! openmux itself: the library's `decide`, `Failover` and fold of observations, told what its dispatcher would be told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{Endpoint, EndpointId, ModelId, Pricing, Protocol, ProviderId, ProviderKind, Usage};
use openmux::observe::{
    Asked, Bucket, CostState, ErrorClass, Flags, Headroom, Observation, Phase, Source, StatsState, Streamed, Timings,
    TokenSource,
};
use openmux::routing::{self, Candidate, Constraints, Failover, Limits, Policy, RouteRequest, Warm, decide};
use openmux::units::Tokens;

use super::catalogs::Host;
use super::run::{Ending, Left, PATIENCE, Router, Seen, Step, View};
use super::workload::Question;
use super::world::World;

/// How long a conversation may be warm where it was answered, in seconds.
const WARM: f64 = 300.0;

/// No trial after a cool-down keeps other requests away for longer than this, in seconds.
const TRIAL: f64 = 30.0;

/// A request under way.
#[derive(Debug)]
struct UnderWay {
    failover: Failover,
    /// The hosts in the decision's order, and whether their next attempt is the one trial after a pause.
    order: Vec<(usize, bool)>,
    request: RouteRequest,
    arrived: f64,
}

/// The router under test.
#[derive(Debug)]
pub struct Product {
    policy: Policy,
    model: ModelId,
    endpoints: Vec<Endpoint>,
    states: Vec<StatsState>,
    under_way: BTreeMap<usize, UnderWay>,
    /// By conversation: where it was answered, with how many tokens, and when.
    warm: BTreeMap<usize, BTreeMap<usize, (u32, f64)>>,
    epoch: Timestamp,
    seed: u64,
}

impl Product {
    /// The product as it ships but for its policy.
    pub fn new(world: &World, policy: Policy) -> Self {
        let model = ModelId::new("author/model");
        let epoch = Timestamp::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
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

    /// Changes one constant of a policy; `None` where there is no such constant. Times are in seconds.
    pub fn tuned(policy: &mut Policy, constant: &str, value: f64) -> Option<()> {
        let learning = &mut policy.learning;
        let duration = match constant {
            "rate_base" => Some(&mut learning.rate_base),
            "half_life_min" => Some(&mut learning.half_life_min),
            "half_life_max" => Some(&mut learning.half_life_max),
            "recent" => Some(&mut learning.recent),
            "lasting_min" => Some(&mut learning.lasting_min),
            "lasting_max" => Some(&mut learning.lasting_max),
            "first_token_min" => Some(&mut policy.first_token_min),
            "first_token_max" => Some(&mut policy.first_token_max),
            "failure_wait" => Some(&mut policy.failure_wait),
            "ramp_step" => Some(&mut policy.ramp_step),
            _ => None,
        };
        if let Some(duration) = duration {
            *duration = Duration::try_from_secs_f64(value).ok()?;
            return Some(());
        }
        let share = match constant {
            "near_tie_percent" => {
                policy.near_tie_percent = value as u32;
                return Some(());
            }
            "ramp_free" => {
                policy.ramp_free = value as u32;
                return Some(());
            }
            "retry_cost" => {
                policy.retry_cost = format!("{value:.6}").parse().ok()?;
                return Some(());
            }
            "cap" => &mut learning.cap,
            "lasting_factor" => &mut learning.lasting_factor,
            "prior_ttft_s" => &mut learning.prior_ttft_s,
            "prior_ttft_variance" => &mut learning.prior_ttft_variance,
            "prior_samples" => &mut learning.prior_samples,
            "failure_share" => &mut learning.failure_share,
            "prior_speed" => &mut policy.prior_speed,
            "lasting_samples" => &mut learning.lasting_samples,
            "prior_ttft_doubt" => &mut learning.prior_ttft_doubt,
            "prior_speed_samples" => &mut policy.prior_speed_samples,
            "lasting_speed_samples" => &mut policy.lasting_speed_samples,
            "first_token_factor" => &mut policy.first_token_factor,
            "prior_attempts" => &mut policy.prior_attempts,
            "prior_availability" => &mut policy.prior_availability,
            "lasting_attempts" => &mut policy.lasting_attempts,
            "prior_cache_hit" => &mut policy.prior_cache_hit,
            "prior_cache_attempts" => &mut policy.prior_cache_attempts,
            "continuation" => &mut policy.continuation,
            _ => return None,
        };
        *share = value;
        Some(())
    }

    fn at(&self, seconds: f64) -> Timestamp {
        let nanos = (seconds * 1e9) as i64;
        self.epoch + jiff::SignedDuration::from_nanos(nanos)
    }

    fn request(&self, question: &Question, now: f64) -> RouteRequest {
        let (input, output) = (Tokens::new(u64::from(question.input)), Tokens::new(250));
        let mut request = openmux::dispatch::shape(&self.model, input, output, Tokens::ZERO, Constraints::default());
        request.continues = question.continues;
        let been = self.warm.get(&question.session).into_iter().flatten().filter(|(_, (_, at))| now - at < WARM);
        let warm = been.map(|(host, (tokens, _))| Warm {
            endpoint: self.endpoints[*host].id.clone(),
            tokens: Tokens::new(u64::from(*tokens.min(&question.input))),
        });
        request.warm = warm.collect();
        request
    }

    fn decided(&self, question: &Question, view: View<'_>) -> UnderWay {
        let now = self.at(view.now);
        let candidate = |((endpoint, state), in_flight): ((_, &StatsState), &u32)| Candidate {
            in_flight: *in_flight,
            stats: state.at(now, &self.policy.learning),
            ..Candidate::new(endpoint, ProviderKind::Host)
        };
        let candidates: Vec<Candidate<'_>> =
            self.endpoints.iter().zip(&self.states).zip(view.in_flight).map(candidate).collect();
        let request = self.request(question, view.now);
        let decision = decide(&request, &candidates, &self.policy, now, self.seed ^ question.id as u64);
        let limits = Limits {
            max_attempts: self.policy.max_attempts,
            retries: self.policy.retries,
            first_token: Some(Duration::from_secs_f64(PATIENCE)),
            max_wait: Duration::from_secs(30),
        };
        let place = |id: &EndpointId| self.endpoints.iter().position(|endpoint| endpoint.id == *id).unwrap_or(0);
        let order = decision.ranked.iter().map(|ranked| (place(&ranked.endpoint), ranked.half_open)).collect();
        UnderWay { failover: Failover::new(&decision, limits), order, request, arrived: view.now }
    }

    /// After a cool-down one trial goes through.
    fn claims(&mut self, host: usize, limit: f64, now: f64) -> bool {
        let (from, until) = (self.at(now), self.at(now + limit.min(TRIAL)));
        self.states[host].breaker.claim(from, until)
    }

    fn observation(&self, question: &Question, seen: &Seen) -> Observation {
        let (class, phase, status) = class(seen.ending);
        let count = |tokens: u32| Tokens::new(u64::from(tokens));
        let endpoint = &self.endpoints[seen.host];
        let usage = seen.answered().then(|| Usage {
            cache_read: Some(count(seen.cached)),
            cache_write: (seen.written > 0).then(|| count(seen.written)),
            ..Usage::text(u64::from(seen.input), u64::from(seen.output))
        });
        let began = self.at(seen.began);
        let bill = usage.as_ref().zip(endpoint.pricing.as_ref());
        let cost = bill.and_then(|(usage, sheet)| sheet.cost(usage, began).ok()).map(|cost| cost.total);
        Observation {
            at: began,
            endpoint: endpoint.id.clone(),
            model: self.model.clone(),
            host: String::new(),
            protocol: Protocol::OpenaiChat,
            key_fingerprint: String::new(),
            group: u128::try_from(question.id).unwrap_or_default().to_le_bytes(),
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
            retry_after: seen.retry_after.map(duration),
            cost_state: if cost.is_some() { CostState::Exact } else { CostState::None },
            cost,
            billed: None,
            finish: seen.answered().then(|| "stop".to_owned()),
            streamed: Streamed {
                tokens: seen.answered().then_some(u64::from(seen.output)),
                first: seen.answered().then_some(1),
                // One token a read.
                burst_pm: seen.answered().then(|| u16::try_from(1000 / seen.output.max(1)).unwrap_or(1000)),
                source: seen.answered().then_some(TokenSource::Usage),
            },
            effort: None,
            prompt_version: None,
            flags: Flags::REUSED.with_if(Flags::CENSORED, seen.ending == Ending::TimedOut && seen.ttft.is_none()),
            asked: Asked::default(),
            warm: self.under_way.get(&question.id).map(|under_way| under_way.request.warm_at(&endpoint.id)),
            headroom: seen.left.map_or(Headroom::default(), |left| headroom(left, began)),
        }
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
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

/// What the headers say: limits a minute, of which a third may come at once.
fn headroom(left: Left, at: Timestamp) -> Headroom {
    let bucket = |[limit, left]: [f64; 2]| {
        let burst = limit / 3.0;
        let full_at = at + duration((burst - left) / limit * 60.0);
        Some(Bucket { limit: burst as u64, left: left.max(0.0) as u64, at, full_at })
    };
    Headroom { requests: bucket(left.requests), tokens: bucket(left.tokens) }
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
    fn next(&mut self, question: &Question, _tried: &[Seen], view: View<'_>) -> Step {
        if !self.under_way.contains_key(&question.id) {
            let decided = self.decided(question, view);
            self.under_way.insert(question.id, decided);
        }
        loop {
            let Some(under_way) = self.under_way.get_mut(&question.id) else { return Step::GiveUp };
            let (index, first_token) = match under_way.failover.next(duration(view.now - under_way.arrived)) {
                routing::Step::Wait(wait) => return Step::Wait(wait.as_secs_f64()),
                routing::Step::GiveUp(_) => return Step::GiveUp,
                routing::Step::Try { index, first_token, .. } => (index, first_token),
            };
            let (host, trial) = under_way.order[index];
            let limit = first_token.map_or(PATIENCE, |limit| limit.as_secs_f64());
            let may = !trial || self.claims(host, limit, view.now);
            let passes = |under_way: &mut UnderWay| under_way.failover.pass_over();
            if may || !self.under_way.get_mut(&question.id).is_some_and(passes) {
                return Step::Try(host, limit);
            }
        }
    }

    fn seen(&mut self, question: &Question, seen: &Seen, now: f64) {
        let observation = self.observation(question, seen);
        self.states[seen.host].observe(&observation, &self.policy.learning);
        if seen.answered() {
            self.warm.entry(question.session).or_default().insert(seen.host, (seen.input, seen.began));
        } else if let Some(under_way) = self.under_way.get_mut(&question.id) {
            if seen.ending == Ending::Cut {
                under_way.failover.committed();
            }
            let elapsed = duration(now - under_way.arrived);
            under_way.failover.failed(observation.class, observation.retry_after, elapsed);
        }
    }

    fn done(&mut self, question: &Question) {
        self.under_way.remove(&question.id);
    }
}
