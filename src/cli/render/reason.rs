//! Reasons against an endpoint: each with both sides of its comparison, and what would cure it.

use super::money::{dollars, per_mtok};
use super::text::grouped;
use crate::catalog::ProviderId;
use crate::routing::{Measure, Rejection, RouteRequest};
use crate::units::UsdPerMtok;
use crate::upstream::auth::base_variable;

/// A reason with both sides of its comparison, and what would cure it.
pub(crate) fn reason(rejection: &Rejection, provider: &ProviderId) -> String {
    match rejection {
        Rejection::NoCredential { looked_in } if looked_in.is_empty() => {
            "no key, and the catalog names no variable".to_owned()
        }
        Rejection::NoCredential { looked_in } => format!("no key: set {}", looked_in.join(" or ")),
        Rejection::ProtocolUnsupported { protocol } => format!("needs {protocol}, which this version lacks"),
        Rejection::MissingSetting { variables } => format!("not set: {}", variables.join(", ")),
        Rejection::NoBaseUrl => format!("no address known: set {}", base_variable(provider)),
        Rejection::Retired { since: Some(day) } => format!("retired {day}"),
        Rejection::Retired { since: None } => "retired".to_owned(),
        Rejection::ContextTooSmall { needed, limit } => {
            format!("context too small: needs {}, has {}", grouped(needed.count()), grouped(limit.count()))
        }
        Rejection::InputTooLong { needed, limit } => {
            format!("prompt too long: {} of at most {}", grouped(needed.count()), grouped(limit.count()))
        }
        Rejection::OutputTooSmall { needed, limit } => {
            format!("--max-tokens {} of at most {}", grouped(needed.count()), grouped(limit.count()))
        }
        Rejection::Unsupported { parameter } if parameter.contains(" input") => format!("cannot carry {parameter}"),
        Rejection::Unsupported { parameter } => format!("does not take {parameter}"),
        Rejection::Unpriced { missing: None } => "price not known: --allow-unpriced uses it".to_owned(),
        Rejection::Unpriced { missing: Some(item) } => format!("{item} price not known: --allow-unpriced uses it"),
        Rejection::PlanPrice => "a subscription: no price per token; --provider uses it".to_owned(),
        Rejection::AboveMaxPrice { item, price, limit } => {
            let flag = if *item == crate::catalog::price::Item::Output { "--max-price-out" } else { "--max-price-in" };
            format!("{item} {} > {flag} {}", per_mtok(*price), per_mtok(*limit))
        }
        Rejection::AboveMaxCost { bound, limit, .. } => {
            format!("could cost {} > --max-cost {}", dollars(*bound), limit.exact())
        }
        Rejection::UnboundedCost { limit } => {
            format!("no bound on its cost is known for --max-cost {}: give --max-tokens", limit.exact())
        }
        Rejection::NotAllowed => "left out by --provider or --only".to_owned(),
        Rejection::Ignored => "left out by --ignore".to_owned(),
        Rejection::Gateway => "left out by --no-gateways".to_owned(),
        Rejection::Beyond { measure, expected, limit } => beyond(*measure, *expected, *limit),
        Rejection::Quantization { is, wanted } => {
            let is = is.as_deref().map_or_else(|| "not known: `unknown` takes it".to_owned(), str::to_owned);
            format!("quantisation {}; --quantization {}", is, wanted.join(","))
        }
        Rejection::Region { is, wanted } => {
            let is = is.as_deref().unwrap_or("not known");
            format!("region {is}; --region require:{wanted}")
        }
        Rejection::NotStated { ability } => {
            format!("no source says that it has {0}: --require {0}", ability.name())
        }
        Rejection::ForeignState { made_by } => {
            format!("cannot take back the reasoning or tool calls that {made_by} signed")
        }
        Rejection::CoolingDown { until, class } => format!("cooling down until {until} after {}", class.name()),
        Rejection::NotSimulated => "not simulated by the sandbox".to_owned(),
    }
}

/// What would make a bound of the cost known.
pub(crate) fn unbounded(request: &RouteRequest) -> &'static str {
    match (request.needs.pdfs, request.needs.images) {
        _ if request.max_output.is_none() => "give --max-tokens",
        (true, _) => "what is in a PDF cannot be counted, and no window is known",
        (false, true) => "images are billed apiece here",
        (false, false) => "its price sheet does not say enough",
    }
}

/// Millionths as a plain decimal.
pub(crate) fn decimal(millionths: u64) -> String {
    UsdPerMtok::from_millionths(millionths).exact()
}

fn beyond(measure: Measure, expected: u64, limit: u64) -> String {
    let flag = measure.flag();
    match measure {
        Measure::Ttft => {
            let rounded = expected.div_ceil(1000) * 1000;
            format!("first token expected in {} s > {flag} {} s", decimal(rounded), decimal(limit))
        }
        Measure::Throughput => {
            format!("{} tok/s expected < {flag} {}", decimal(expected / 100_000 * 100_000), decimal(limit))
        }
        Measure::Availability => {
            let percent = |share: u64| decimal(share.saturating_mul(100));
            format!("{} % available < {flag} {} %", percent(expected / 100 * 100), percent(limit))
        }
    }
}
