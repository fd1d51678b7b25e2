//! The hard filter: every reason why a candidate may not be used, not only the first.

use std::time::Duration;

use jiff::Timestamp;

use super::{Ability, Candidate, Credential, Judgement, Measure, Policy, RouteRequest, score};
use crate::catalog::price::Item;
use crate::catalog::{Capability, Modality, ProviderId, ProviderKind, Status};
use crate::observe::{Cooling, ErrorClass};
use crate::units::{Tokens, Usd, UsdPerMtok};

/// Why a candidate may not be used, with both sides of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// None of these places held a key.
    NoCredential {
        /// The environment variables that were looked at.
        looked_in: Vec<String>,
    },
    /// This version does not speak the endpoint's protocol, or cannot authenticate to it.
    ProtocolUnsupported {
        /// The protocol's or scheme's name, or `unknown`.
        protocol: String,
    },
    /// The address needs settings that are not there.
    MissingSetting {
        /// The variables that are not set.
        variables: Vec<String>,
    },
    /// The catalog knows no address for it.
    NoBaseUrl,
    /// It is gone.
    Retired {
        /// The day it ended, where the catalog says.
        since: Option<String>,
    },
    /// Prompt and answer do not fit into its window.
    ContextTooSmall {
        /// What the request needs.
        needed: Tokens,
        /// What the endpoint has.
        limit: Tokens,
    },
    /// The prompt alone is longer than it takes.
    InputTooLong {
        /// What the request needs.
        needed: Tokens,
        /// What the endpoint takes.
        limit: Tokens,
    },
    /// The answer that was asked for is longer than it gives.
    OutputTooSmall {
        /// What the request asks for.
        needed: Tokens,
        /// What the endpoint gives.
        limit: Tokens,
    },
    /// It cannot honour something that the request needs.
    Unsupported {
        /// The parameter or ability, e.g. `temperature`.
        parameter: &'static str,
    },
    /// Its price is not known.
    Unpriced {
        /// The item without a price, where only that one is missing.
        missing: Option<Item>,
    },
    /// A subscription: there is no price per token to weigh.
    PlanPrice,
    /// Dearer than the limit.
    AboveMaxPrice {
        /// Which price: `input` or `output`.
        item: Item,
        /// What it costs per 1M tokens.
        price: UsdPerMtok,
        /// What was allowed.
        limit: UsdPerMtok,
    },
    /// The worst case of this request is dearer than the limit.
    AboveMaxCost {
        /// The worst case.
        bound: Usd,
        /// The same of an answer of one token.
        least: Usd,
        /// What was allowed.
        limit: Usd,
    },
    /// The worst case of this request cannot be known, so the limit cannot be kept.
    UnboundedCost {
        /// What was allowed.
        limit: Usd,
    },
    /// Not among the providers that the request allows.
    NotAllowed,
    /// Among the providers that the request rules out.
    Ignored,
    /// A gateway, and gateways were ruled out.
    Gateway,
    /// It was measured beyond a limit that was required.
    Beyond {
        /// What was limited.
        measure: Measure,
        /// What is expected of it, in millionths of the measure's unit.
        expected: u64,
        /// What was allowed, likewise.
        limit: u64,
    },
    /// Not in a quantisation that was asked for.
    Quantization {
        /// Its own; `None` is not known.
        is: Option<String>,
        /// Those that may be used.
        wanted: Vec<String>,
    },
    /// Not in the region that was required.
    Region {
        /// Its own; `None` is not known.
        is: Option<String>,
        /// The one that may be used.
        wanted: String,
    },
    /// No source says that it can do something that was required.
    NotStated {
        /// What.
        ability: Ability,
    },
    /// It failed a short while ago and is left alone until then.
    CoolingDown {
        /// Until when.
        until: Timestamp,
        /// The failure that began it.
        class: ErrorClass,
    },
    /// The conversation holds reasoning or tool calls that another provider signed, and it cannot take them back.
    ForeignState {
        /// Who signed them.
        made_by: ProviderId,
    },
    /// The sandbox does not simulate it.
    NotSimulated,
}

impl Rejection {
    /// The code in JSON, e.g. `context_too_small`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCredential { .. } => "no_credential",
            Self::ProtocolUnsupported { .. } => "protocol_unsupported",
            Self::MissingSetting { .. } => "missing_setting",
            Self::NoBaseUrl => "no_base_url",
            Self::Retired { .. } => "retired",
            Self::ContextTooSmall { .. } => "context_too_small",
            Self::InputTooLong { .. } => "input_too_long",
            Self::OutputTooSmall { .. } => "output_too_small",
            Self::Unsupported { .. } => "unsupported",
            Self::Unpriced { .. } => "unpriced",
            Self::PlanPrice => "plan_price",
            Self::AboveMaxPrice { .. } => "above_max_price",
            Self::AboveMaxCost { .. } => "above_max_cost",
            Self::UnboundedCost { .. } => "unbounded_cost",
            Self::NotAllowed => "not_allowed",
            Self::Ignored => "ignored",
            Self::Gateway => "gateway",
            Self::Beyond { measure: Measure::Ttft, .. } => "above_max_ttft",
            Self::Beyond { measure: Measure::Throughput, .. } => "below_min_throughput",
            Self::Beyond { measure: Measure::Availability, .. } => "below_min_availability",
            Self::Quantization { .. } => "quantization",
            Self::Region { .. } => "region",
            Self::NotStated { .. } => "not_stated",
            Self::CoolingDown { .. } => "cooling_down",
            Self::ForeignState { .. } => "foreign_state",
            Self::NotSimulated => "not_simulated",
        }
    }
}

/// Every hard reason against a candidate; empty where it may be used. Cool-downs and missing prices are judged by
/// `decide`, because they depend on the other candidates.
pub(super) fn reasons(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Vec<Rejection> {
    let mut found = Vec::new();
    reach(candidate, &mut found);
    wishes(request, candidate, &mut found);
    fit(request, candidate, &mut found);
    money(request, candidate, &mut found);
    if request.constraints.thresholds.iter().any(|threshold| threshold.firm) {
        measured(request, candidate, policy, now, &mut found);
    }
    found
}

/// Can it be called at all?
fn reach(candidate: &Candidate<'_>, found: &mut Vec<Rejection>) {
    if candidate.outside_sandbox {
        found.push(Rejection::NotSimulated);
    }
    if candidate.endpoint.status == Status::Retired {
        found.push(Rejection::Retired { since: candidate.endpoint.sunset.clone() });
    }
    if let Some(scheme) = &candidate.unsupported {
        found.push(Rejection::ProtocolUnsupported { protocol: scheme.clone() });
    }
    if candidate.no_base_url {
        found.push(Rejection::NoBaseUrl);
    }
    if !candidate.missing_settings.is_empty() {
        found.push(Rejection::MissingSetting { variables: candidate.missing_settings.clone() });
    }
    if let Credential::Missing { looked_in } = &candidate.credential {
        found.push(Rejection::NoCredential { looked_in: looked_in.clone() });
    }
}

/// Does the user want it?
fn wishes(request: &RouteRequest, candidate: &Candidate<'_>, found: &mut Vec<Rejection>) {
    let provider = &candidate.endpoint.id.provider;
    let constraints = &request.constraints;
    if !constraints.only.is_empty() && !constraints.only.contains(provider) {
        found.push(Rejection::NotAllowed);
    }
    if constraints.ignore.contains(provider) {
        found.push(Rejection::Ignored);
    }
    if constraints.no_gateways && candidate.kind == ProviderKind::Gateway {
        found.push(Rejection::Gateway);
    }
    let endpoint = candidate.endpoint.as_ref();
    if !constraints.takes_quantization(endpoint) {
        found.push(Rejection::Quantization { is: endpoint.quant.clone(), wanted: constraints.quantization.clone() });
    }
    if let Some(wanted) = constraints.region.as_ref().filter(|_| !constraints.takes_region(endpoint)) {
        found.push(Rejection::Region { is: endpoint.region.clone(), wanted: wanted.clone() });
    }
    let lacking = constraints.require.iter().filter(|ability| !ability.stated(endpoint));
    found.extend(lacking.map(|&ability| Rejection::NotStated { ability }));
}

/// Is it as fast and as steady as was required? What was not measured is not judged here: it goes behind what was.
fn measured(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    now: Timestamp,
    found: &mut Vec<Rejection>,
) {
    let expectation = score::expect(request, candidate, policy, now);
    for threshold in request.constraints.thresholds.iter().filter(|threshold| threshold.firm) {
        if let Judgement::Beyond(expected) = threshold.judge(&expectation) {
            found.push(Rejection::Beyond { measure: threshold.measure, expected, limit: threshold.millionths });
        }
    }
}

/// Does the request fit into it?
fn fit(request: &RouteRequest, candidate: &Candidate<'_>, found: &mut Vec<Rejection>) {
    let endpoint = candidate.endpoint.as_ref();
    let input = request.known_input();
    let needed = input + request.max_output.unwrap_or(Tokens::new(1));
    if let Some(limit) = endpoint.context
        && needed > limit
    {
        found.push(Rejection::ContextTooSmall { needed, limit });
    }
    if let Some(limit) = endpoint.max_input
        && input > limit
    {
        found.push(Rejection::InputTooLong { needed: input, limit });
    }
    if let (Some(needed), Some(limit)) = (request.max_output, endpoint.max_output)
        && needed > limit
    {
        found.push(Rejection::OutputTooSmall { needed, limit });
    }
    if request.needs.temperature && !request.constraints.lenient && endpoint.can(Capability::NoTemperature) {
        found.push(Rejection::Unsupported { parameter: "temperature" });
    }
    if request.needs.tools && endpoint.can(Capability::NoTools) {
        found.push(Rejection::Unsupported { parameter: "tools" });
    }
    let takes = |modality| endpoint.input.is_empty() || endpoint.input.contains(&modality);
    if request.needs.images && !takes(Modality::Image) {
        found.push(Rejection::Unsupported { parameter: "image input" });
    }
    if request.needs.pdfs && !takes(Modality::Pdf) {
        found.push(Rejection::Unsupported { parameter: "PDF input" });
    }
    let lacks = candidate.lacks.iter().map(|&parameter| Rejection::Unsupported { parameter });
    for lack in lacks {
        if !found.contains(&lack) {
            found.push(lack);
        }
    }
    if let Some(made_by) = &candidate.foreign_state {
        found.push(Rejection::ForeignState { made_by: made_by.clone() });
    }
    if !endpoint.output.is_empty() && !endpoint.output.contains(&Modality::Text) {
        found.push(Rejection::Unsupported { parameter: "text output" });
    }
}

/// May it cost what it costs?
fn money(request: &RouteRequest, candidate: &Candidate<'_>, found: &mut Vec<Rejection>) {
    let constraints = &request.constraints;
    let limits = [(Item::Input, constraints.max_price_in), (Item::Output, constraints.max_price_out)];
    for (item, limit) in limits {
        let Some(limit) = limit else { continue };
        match candidate.price(item) {
            Some(price) if price > limit => found.push(Rejection::AboveMaxPrice { item, price, limit }),
            Some(_) => {}
            None => found.push(Rejection::Unpriced { missing: Some(item) }),
        }
    }
    if let Some(limit) = constraints.max_cost {
        match candidate.bound(request) {
            Some(bound) if bound > limit => {
                let least = candidate.bound_of(request, Tokens::new(1)).unwrap_or(bound);
                found.push(Rejection::AboveMaxCost { bound, least, limit });
            }
            Some(_) => {}
            None => found.push(Rejection::UnboundedCost { limit }),
        }
    }
}

/// The cool-down as a reason, with how long it still lasts.
pub(super) fn cooling(cooling: Cooling, now: Timestamp) -> Option<Rejection> {
    let left = cooling.until.duration_since(now);
    (left.is_positive() && Duration::try_from(left).is_ok())
        .then_some(Rejection::CoolingDown { until: cooling.until, class: cooling.class })
}
