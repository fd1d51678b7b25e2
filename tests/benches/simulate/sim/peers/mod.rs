//! Other people's rules, as their sources and documents state them, at their defaults but for a limit of 30 s for a
//! first token, which is kinder to them than waiting on. Each sees what it could see: public prices, and its own
//! attempts.

pub mod balancers;
pub mod fixed;
pub mod hosted;
pub mod litellm;

use super::catalogs::Host;
use super::run::{Ending, Router, Seen};
use super::world::World;

/// The limit for a first token, in seconds.
const LIMIT: f64 = 30.0;

/// Every peer, by the name in the table.
pub const NAMES: [&str; 15] = [
    "static order",
    "litellm shuffle",
    "litellm least-busy",
    "litellm latency",
    "litellm cost",
    "litellm usage-v2",
    "openrouter 1/p^2",
    "zenmux original",
    "zenmux ttft",
    "helicone",
    "helicone + failover",
    "agentgateway",
    "prequal hcl",
    "least price, failover",
    "affinity, ttft, 10 s",
];

/// The peer of that name.
pub fn peer(name: &str, world: &World) -> Option<Box<dyn Router>> {
    use litellm::Strategy;
    let hosts = world.market.hosts.clone();
    let seed = world.seed;
    let router: Box<dyn Router> = match name {
        "static order" => Box::new(fixed::Order::listed(&hosts)),
        "least price, failover" => Box::new(fixed::Order::cheapest(&hosts)),
        "affinity, ttft, 10 s" => Box::new(fixed::Affinity::new(&hosts)),
        "litellm shuffle" => Box::new(litellm::Router::new(Strategy::Shuffle, hosts, seed)),
        "litellm least-busy" => Box::new(litellm::Router::new(Strategy::LeastBusy, hosts, seed)),
        "litellm latency" => Box::new(litellm::Router::new(Strategy::Latency, hosts, seed)),
        "litellm cost" => Box::new(litellm::Router::new(Strategy::Cost, hosts, seed)),
        "litellm usage-v2" => Box::new(litellm::Router::new(Strategy::Usage, hosts, seed)),
        "openrouter 1/p^2" => Box::new(hosted::OpenRouter::new(&hosts, seed)),
        "zenmux original" => Box::new(hosted::ZenMux::new(&hosts, true)),
        "zenmux ttft" => Box::new(hosted::ZenMux::new(&hosts, false)),
        "helicone" => Box::new(balancers::Helicone::new(hosts.len(), seed, false)),
        "helicone + failover" => Box::new(balancers::Helicone::new(hosts.len(), seed, true)),
        "agentgateway" => Box::new(balancers::Agentgateway::new(hosts.len(), seed)),
        "prequal hcl" => Box::new(balancers::Prequal::new(hosts.len())),
        _ => return None,
    };
    Some(router)
}

/// Input plus output, which is what price rules sort by.
fn price(host: &Host) -> f64 {
    [host.input, host.output].iter().filter_map(|price| price.parse::<f64>().ok()).sum()
}

/// Whether a host was tried for this request.
fn was_tried(tried: &[Seen], host: usize) -> bool {
    tried.iter().any(|seen| seen.host == host)
}

/// Whether an attempt counts against the host, a refusal for load included.
fn failed(seen: &Seen) -> bool {
    seen.ending != Ending::Answered
}

/// The latest samples of something, with their times.
#[derive(Debug, Clone, Default)]
struct Recent {
    samples: Vec<(f64, f64)>,
}

impl Recent {
    /// Adds one and keeps so many.
    fn push(&mut self, at: f64, value: f64, most: usize) {
        self.samples.push((at, value));
        if self.samples.len() > most {
            self.samples.remove(0);
        }
    }

    /// The values since a moment.
    fn since(&self, from: f64) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().filter(move |(at, _)| *at >= from).map(|(_, value)| *value)
    }

    fn mean_since(&self, from: f64) -> Option<f64> {
        let (sum, many) = self.since(from).fold((0.0, 0.0), |(sum, many), value| (sum + value, many + 1.0));
        (many > 0.0).then(|| sum / many)
    }

    fn median_since(&self, from: f64) -> Option<f64> {
        let mut values: Vec<f64> = self.since(from).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// The host with the lowest value; of equals the first.
fn lowest(hosts: impl IntoIterator<Item = usize>, value: impl Fn(usize) -> f64) -> Option<usize> {
    hosts.into_iter().min_by(|&a, &b| value(a).total_cmp(&value(b)))
}
