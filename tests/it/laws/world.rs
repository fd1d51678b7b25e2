//! Generated worlds: a request, candidates, a policy and a seed, decoded from bytes so that they shrink towards the
//! plain case (a zero byte is always the dullest choice).

use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::price::{Comparator, Fee, FeeItem, Item, Meter, Tier};
use openmux::catalog::{Capability, Endpoint, EndpointId, Modality, ModelId, Pricing, ProviderId};
use openmux::catalog::{ProviderKind, Status};
use openmux::observe::{CacheHits, Cooling, EndpointStats, ErrorClass, Moments, Share};
use openmux::routing::{Ability, Candidate, Constraints, Credential, Decision, Expected, Measure, Needs, Policy};
use openmux::routing::{Preset, RouteRequest, Threshold, Warm};
use openmux::units::Tokens;
use proptest::prelude::*;

/// What a law is tried on: the real `decide`, or one with a planted bug.
pub(super) type Decider<'a> = &'a dyn Fn(&RouteRequest, &[Candidate<'_>], &Policy, Timestamp, u64) -> Decision;

/// A candidate that owns its endpoint.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) endpoint: Endpoint,
    pub(super) kind: ProviderKind,
    pub(super) credential: Credential,
    pub(super) unsupported: Option<String>,
    pub(super) no_base_url: bool,
    pub(super) missing_settings: Vec<String>,
    pub(super) outside_sandbox: bool,
    pub(super) in_flight: u32,
    pub(super) foreign_state: Option<ProviderId>,
    pub(super) stats: EndpointStats,
}

impl Spec {
    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            credential: self.credential.clone(),
            unsupported: self.unsupported.clone(),
            foreign_state: self.foreign_state.clone(),
            no_base_url: self.no_base_url,
            missing_settings: self.missing_settings.clone(),
            outside_sandbox: self.outside_sandbox,
            in_flight: self.in_flight,
            stats: self.stats.clone(),
            ..Candidate::new(&self.endpoint, self.kind)
        }
    }

    pub(super) fn id(&self) -> &EndpointId {
        &self.endpoint.id
    }
}

/// Everything that `decide` is told, and a little luck for the law.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) request: RouteRequest,
    pub(super) specs: Vec<Spec>,
    pub(super) policy: Policy,
    pub(super) seed: u64,
    /// Chooses whatever a law has to choose.
    pub(super) luck: u64,
}

/// The moment of every decision.
pub(crate) fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

impl World {
    pub(super) fn decide(&self, decider: Decider<'_>) -> Decision {
        self.decide_with(decider, self.seed)
    }

    pub(super) fn decide_with(&self, decider: Decider<'_>, seed: u64) -> Decision {
        let candidates: Vec<Candidate<'_>> = self.specs.iter().map(Spec::candidate).collect();
        decider(&self.request, &candidates, &self.policy, now(), seed)
    }

    /// The same where nobody comes back from a pause.
    pub(super) fn long_back(&self) -> Self {
        let mut world = self.clone();
        world.specs.iter_mut().for_each(|spec| spec.stats.reopened = None);
        world
    }

    pub(super) fn spec(&self, id: &EndpointId) -> &Spec {
        self.specs.iter().find(|spec| spec.id() == id).unwrap()
    }

    /// Where the request's own order puts an endpoint.
    pub(super) fn place(&self, id: &EndpointId) -> usize {
        let order = &self.request.constraints.order;
        order.iter().position(|provider| *provider == id.provider).unwrap_or(order.len())
    }
}

/// Reads choices from bytes; beyond their end everything is zero.
struct Genes<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl Genes<'_> {
    fn byte(&mut self) -> usize {
        self.bytes.next().copied().unwrap_or(0).into()
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.byte() % choices.len()].clone()
    }

    /// True in about `percent` of all cases.
    fn chance(&mut self, percent: usize) -> bool {
        self.byte() >= 256 - percent * 256 / 100
    }

    fn long(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::try_from(self.byte()).unwrap())
    }
}

/// Worlds of two to eight candidates.
pub(super) fn worlds() -> impl Strategy<Value = World> {
    prop::collection::vec(any::<u8>(), 640).prop_map(|bytes| {
        let mut genes = Genes { bytes: bytes.iter() };
        let (seed, luck) = (genes.long(), genes.long());
        let policy =
            Policy::preset(genes.pick(&[Preset::Balanced, Preset::Price, Preset::Latency, Preset::Throughput]));
        // Few are in flight in these worlds.
        let policy = Policy { ramp_free: 1, ..policy };
        let request = request(&mut genes);
        let mut specs: Vec<Spec> = Vec::new();
        for at in 0..2 + genes.byte() % 7 {
            let twin = genes.chance(35);
            let id = EndpointId {
                provider: ProviderId::new(format!("p{}", if genes.chance(20) { at.saturating_sub(1) } else { at })),
                upstream_model: format!("m{at}"),
            };
            let fresh = spec(&mut genes, &id);
            let spec = match specs.last() {
                Some(last) if twin => {
                    let mut twin = Spec { endpoint: Endpoint { id, ..last.endpoint.clone() }, ..last.clone() };
                    // A little better than its twin, so that they are near-tied and not equal.
                    twin.stats.lasting.successes += if genes.chance(50) { 0.3 } else { 0.0 };
                    twin
                }
                _ => fresh,
            };
            specs.push(spec);
        }
        World { request, specs, policy, seed, luck }
    })
}

fn request(genes: &mut Genes<'_>) -> RouteRequest {
    let provider = |genes: &mut Genes<'_>| ProviderId::new(format!("p{}", genes.byte() % 8));
    let mut some = |percent: usize, most: usize| -> Vec<ProviderId> {
        let many = if genes.chance(percent) { 1 + genes.byte() % most } else { 0 };
        (0..many).map(|_| provider(genes)).collect()
    };
    let (order, only, ignore) = (some(20, 2), some(15, 4), some(15, 2));
    let constraints = Constraints {
        order,
        only,
        ignore,
        max_price_in: genes.chance(15).then(|| genes.pick(&["1", "3"]).parse().unwrap()),
        max_price_out: genes.chance(15).then(|| genes.pick(&["5", "15"]).parse().unwrap()),
        max_cost: genes.chance(15).then(|| genes.pick(&["0.05", "1"]).parse().unwrap()),
        allow_unpriced: genes.chance(15),
        no_gateways: genes.chance(20),
        thresholds: thresholds(genes),
        quantization: if genes.chance(10) { vec!["fp8".to_owned(), "unknown".to_owned()] } else { Vec::new() },
        region: genes.chance(8).then(|| "eu".to_owned()),
        require: if genes.chance(8) { vec![Ability::Can(Capability::Tools)] } else { Vec::new() },
        lenient: genes.chance(20),
    };
    let input = genes.pick(&[1000, 90_000, 250_000]);
    let warm_at = genes.byte() % 8;
    let warm = genes.chance(25).then(|| Warm {
        endpoint: EndpointId {
            provider: ProviderId::new(format!("p{warm_at}")),
            upstream_model: format!("m{warm_at}"),
        },
        tokens: Tokens::new(input / 2),
    });
    RouteRequest {
        model: ModelId::new("a/m"),
        input: Tokens::new(input),
        input_estimated: true,
        guessed: Tokens::new(genes.pick(&[0, 0, input / 3])),
        input_bound: Tokens::new(input * 2),
        cached: Tokens::new(genes.pick(&[0, 400])),
        // Who is told what to keep, somebody else says.
        marked: Tokens::new(input / 2),
        marked_1h: Tokens::new(input / 4),
        expected_output: Tokens::new(genes.pick(&[250, 2000])),
        output_from: Expected::Assumed,
        max_output: genes.pick(&[None, Some(500), Some(5000)]).map(Tokens::new),
        stream: true,
        needs: Needs {
            temperature: genes.chance(30),
            tools: genes.chance(30),
            images: genes.chance(20),
            pdfs: genes.chance(10),
        },
        warm: warm.into_iter().collect(),
        state: Vec::new(),
        continues: genes.chance(30),
        constraints,
    }
}

/// Limits on estimates, firm and soft.
fn thresholds(genes: &mut Genes<'_>) -> Vec<Threshold> {
    let limits = [
        (Measure::Ttft, [700_000, 1_500_000]),
        (Measure::Throughput, [40_000_000, 70_000_000]),
        (Measure::Availability, [950_000, 990_000]),
    ];
    let mut found = Vec::new();
    for (measure, values) in limits {
        if genes.chance(20) {
            found.push(Threshold { measure, millionths: genes.pick(&values), firm: genes.chance(50) });
        }
    }
    found
}

/// A candidate; about half of them have nothing that speaks against them but the request's own limits.
fn spec(genes: &mut Genes<'_>, id: &EndpointId) -> Spec {
    let odd = genes.chance(45);
    let flaw = |genes: &mut Genes<'_>, percent: usize| genes.chance(percent) && odd;
    let kind = genes.pick(&[
        ProviderKind::Host,
        ProviderKind::Lab,
        ProviderKind::Cloud,
        ProviderKind::Host,
        ProviderKind::Gateway,
        ProviderKind::Plan,
        ProviderKind::Local,
    ]);
    let unpriced = flaw(genes, 30) || kind == ProviderKind::Plan || kind == ProviderKind::Local;
    let mut pricing = (!unpriced).then(|| pricing(genes));
    if let Some(sheet) = pricing.as_mut()
        && flaw(genes, 15)
    {
        sheet.rates.remove(&genes.pick(&[Item::Output, Item::Input]));
    }
    let mut capabilities = std::collections::BTreeSet::new();
    if flaw(genes, 20) {
        capabilities.extend([Capability::NoTemperature, Capability::NoTools]);
    } else if genes.chance(50) {
        capabilities.insert(Capability::Tools);
    }
    let endpoint = Endpoint {
        pricing,
        capabilities,
        context: genes.pick(&[None, Some(1_000_000), Some(128_000)]).map(Tokens::new),
        max_input: if flaw(genes, 20) { Some(Tokens::new(50_000)) } else { None },
        max_output: genes.pick(&[Some(64_000), Some(4096), None]).map(Tokens::new),
        quant: genes.pick(&[None, None, Some("fp8".to_owned()), Some("int4".to_owned())]),
        region: genes.pick(&[None, Some("eu".to_owned()), Some("eu-west-1".to_owned()), Some("us".to_owned())]),
        output: if flaw(genes, 10) { [Modality::Image].into() } else { [].into() },
        status: if flaw(genes, 20) { Status::Retired } else { genes.pick(&[Status::Active, Status::Deprecated]) },
        ..plain(id)
    };
    let credential = if flaw(genes, 25) {
        Credential::Missing { looked_in: vec!["KEY".into()] }
    } else {
        Credential::Found { source: "KEY".into() }
    };
    Spec {
        endpoint,
        kind,
        credential,
        unsupported: flaw(genes, 15).then(|| "watsonx".to_owned()),
        no_base_url: flaw(genes, 15),
        missing_settings: if flaw(genes, 15) { vec!["REGION".into()] } else { Vec::new() },
        outside_sandbox: flaw(genes, 10),
        in_flight: genes.pick(&[0, 0, 0, 1, 2]),
        foreign_state: None,
        stats: stats(genes),
    }
}

/// An endpoint of which little is known.
pub(crate) fn plain(id: &EndpointId) -> Endpoint {
    Endpoint::new(id.clone(), ModelId::new("a/m"))
}

fn pricing(genes: &mut Genes<'_>) -> Pricing {
    let mut sheet = Pricing::default();
    sheet.set("input", genes.pick(&["3", "1", "0.27", "0"])).unwrap();
    sheet.set("output", genes.pick(&["15", "5", "15.2", "1.1"])).unwrap();
    if genes.chance(40) {
        sheet.set("cache_read", genes.pick(&["0.1", "0.027"])).unwrap();
    }
    if genes.chance(20) {
        sheet.set("cache_write", "3.75").unwrap();
    }
    if genes.chance(15) {
        sheet.set("reasoning", "20").unwrap();
    }
    if genes.chance(20) {
        sheet.fees.insert(FeeItem::Request, Fee { price: "0.001".parse().unwrap(), per: 1 });
    }
    if genes.chance(25) {
        let (item, price) = genes.pick(&[(Item::Input, "6"), (Item::Output, "22.5")]);
        sheet.rates.get_mut(&item).unwrap().tiers.push(Tier {
            threshold: Tokens::new(genes.pick(&[200_000, 90_000])),
            comparator: genes.pick(&[Comparator::Gt, Comparator::Ge]),
            meter: Meter::Input,
            price: price.parse().ok(),
        });
    }
    if genes.chance(15) {
        sheet.multiplier = "1.1".parse().unwrap();
    }
    sheet
}

fn stats(genes: &mut Genes<'_>) -> EndpointStats {
    let cooling = genes.chance(22).then(|| Cooling {
        until: now() + Duration::from_secs(genes.pick(&[40, 3600])),
        class: genes.pick(&[ErrorClass::RateLimited, ErrorClass::Auth]),
    });
    let ago = genes.pick(&[0, 9, 12, 25, 31]);
    let reopened = (genes.chance(20) && cooling.is_none()).then(|| now() - Duration::from_secs(ago));
    if !genes.chance(60) {
        return EndpointStats { cooling, reopened, ..EndpointStats::default() };
    }
    let ttft: f64 = genes.pick(&[0.8, 0.3, 2.5]);
    let speed: f64 = genes.pick(&[60.0, 25.0, 140.0]);
    let moments = |value: f64, weight: f64| Moments { weight, mean: value.ln(), squares: 0.3 * weight };
    let (successes, faults) = (genes.pick(&[4.0, 0.5, 60.0]), genes.pick(&[0.0, 1.0, 12.0]));
    let limited = genes.pick(&[0.0, 1.0, 6.0]);
    let weight = genes.pick(&[3.0, 20.0]);
    let (ttft, speed) = (moments(ttft, weight), moments(speed, 3.0));
    EndpointStats {
        recent: Share { successes: successes / 2.0, faults: faults / 2.0 },
        lasting: Share { successes, faults },
        limited,
        ttft,
        ttft_by_size: [ttft; 4],
        ttft_lasting: ttft,
        speed,
        speed_lasting: speed,
        failure_s: genes.pick(&[None, None, Some(6.0)]),
        cache: genes.pick(
            &[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (40.0, 10.0)].map(|(asked, served)| CacheHits { asked, served }),
        ),
        last_fault: genes.pick(&[None, None, Some(10), Some(29), Some(31)]).map(|ago| now() - Duration::from_secs(ago)),
        age: Some(Duration::from_secs(60)),
        cooling,
        reopened,
        ..EndpointStats::default()
    }
}
