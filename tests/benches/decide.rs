//! What a decision costs in CPU time: `cargo bench --bench decide`.

use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{Endpoint, EndpointId, ModelId, Pricing, ProviderId, ProviderKind};
use openmux::observe::{EndpointStats, Moments, Share};
use openmux::routing::{Candidate, Constraints, Policy, RouteRequest, decide};
use openmux::units::Tokens;

fn main() {
    divan::main();
}

/// Measured, priced endpoints, no two alike.
fn endpoints(many: usize) -> Vec<Endpoint> {
    let of = |at: usize| {
        let mut pricing = Pricing::default();
        let prices = [("input", format!("{}.{at:04}", 1 + at % 5)), ("output", format!("1{}.5", at % 7))];
        let usable = prices.iter().all(|(key, price)| pricing.set(key, price) == Ok(true));
        let id = EndpointId { provider: ProviderId::new(format!("provider-{at}")), upstream_model: "model".to_owned() };
        Endpoint {
            context: Some(Tokens::new(if at % 9 == 8 { 100 } else { 200_000 })),
            max_output: Some(Tokens::new(64_000)),
            pricing: usable.then_some(pricing),
            ..Endpoint::new(id, ModelId::new("author/model"))
        }
    };
    (0..many).map(of).collect()
}

fn candidate((at, endpoint): (u32, &Endpoint)) -> Candidate<'_> {
    let slow = f64::from(at % 11) / 10.0;
    let stats = EndpointStats {
        recent: Share { successes: 4.0, faults: 0.0 },
        lasting: Share { successes: 40.0, faults: f64::from(at % 3) },
        ttft: Moments { weight: 12.0, mean: slow - 0.7, squares: 3.0 },
        ttft_lasting: Moments { weight: 40.0, mean: slow - 0.7, squares: 9.0 },
        speed: Moments { weight: 12.0, mean: 4.1, squares: 1.0 },
        age: Some(Duration::from_secs(30)),
        ..EndpointStats::default()
    };
    Candidate { stats, ..Candidate::new(endpoint, ProviderKind::Host) }
}

fn request() -> RouteRequest {
    let (input, output) = (Tokens::new(1000), Tokens::new(400));
    openmux::dispatch::shape(&ModelId::new("author/model"), input, output, Tokens::ZERO, Constraints::default())
}

#[divan::bench(args = [10, 1000])]
fn candidates(bencher: divan::Bencher<'_, '_>, many: usize) {
    let endpoints = endpoints(many);
    let candidates: Vec<Candidate<'_>> = (0..).zip(&endpoints).map(candidate).collect();
    let (request, policy) = (request(), Policy::default());
    bencher.bench_local(|| {
        decide(divan::black_box(&request), divan::black_box(&candidates), &policy, Timestamp::UNIX_EPOCH, 7)
    });
}
