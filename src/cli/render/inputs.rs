//! What each term of a sum was computed from, for programs: every input with its value and its source, and with how many
//! samples and how old where it was observed.

use serde_json::{Map, Value};

use super::json::literal;
use super::money::dollars;
use super::text::labelled;
use crate::routing::{Basis, Decision, Estimate, Ranked, Rates, TermKind};
use crate::units::{Tokens, Usd, UsdPerMtok, UsdPerSecond};

/// The word for where a figure comes from.
pub(super) const fn source(basis: Basis) -> &'static str {
    match basis {
        Basis::Catalog => "catalog",
        Basis::Measured { .. } => "observed",
        Basis::Header { .. } => "header",
        Basis::Assumed => "prior",
        Basis::Unknown => "unknown",
    }
}

/// Where requests and policies come from.
const REQUEST: &str = "request";
const CONFIG: &str = "config";
const CATALOG: &str = "catalog";

/// The inputs of one term, in a fixed order; `rates` where the price sheet is at hand.
pub(super) fn of(kind: TermKind, entry: &Ranked, decision: &Decision, rates: Option<Rates>) -> Value {
    let (request, policy, expectation) = (&decision.request, &decision.policy, &entry.expectation);
    let input_from = if request.input_estimated { "prior" } else { REQUEST };
    let warmest = request.warm.iter().map(|warm| warm.tokens).max().unwrap_or_default();
    let mut inputs = Vec::new();
    let mut put = |name: &str, value: Value, from: &str| inputs.push(input(name, value, from));
    match kind {
        TermKind::Price => {
            put("input_tokens", count(request.input), input_from);
            put("cached_tokens", count(request.cached), REQUEST);
            put("output_tokens", count(expectation.output), input_from);
            if let Some(rates) = rates {
                put("input_usd_per_mtok", rate(rates.input), CATALOG);
                put("output_usd_per_mtok", rate(rates.output), CATALOG);
                put("cache_read_usd_per_mtok", rate(rates.cache_read), CATALOG);
                put("request_usd", usd(rates.request), CATALOG);
            }
            // As if the warmest cache were here, which holds it as often as that.
            if warmest > request.cached {
                put("warmest_tokens", count(warmest), REQUEST);
                inputs.extend(expectation.cache_hit.map(|hit| estimate("cache_hit", hit)));
            }
        }
        TermKind::Write => {
            let (written, hour) = expectation.written;
            put("marked_tokens", count(request.marked), input_from);
            put("written_tokens", count(written), input_from);
            put("written_1h_tokens", count(hour), input_from);
            if let Some(rates) = rates {
                put("input_usd_per_mtok", rate(rates.input), CATALOG);
                put("cache_write_usd_per_mtok", rate(rates.cache_write), CATALOG);
                put("cache_write_1h_usd_per_mtok", rate(rates.cache_write_1h), CATALOG);
            }
        }
        TermKind::Wait => {
            put("output_tokens", count(expectation.output), input_from);
            put("wait_usd_per_s", per_second(policy.wait_value), CONFIG);
            put("stream_usd_per_s", per_second(policy.stream_value), CONFIG);
            inputs.push(estimate("ttft_s", expectation.ttft_s));
            inputs.push(estimate("tokens_per_s", expectation.tokens_per_s));
        }
        TermKind::Risk => {
            put("wait_usd_per_s", per_second(policy.wait_value), CONFIG);
            put("retry_usd", usd(policy.retry_cost), CONFIG);
            inputs.push(estimate("availability", expectation.availability));
            inputs.push(estimate("failure_s", expectation.failure_s));
        }
        TermKind::Load => {
            put("wait_usd_per_s", per_second(policy.wait_value), CONFIG);
            put("reject_s", figure(policy.reject_wait.as_secs_f64()), CONFIG);
            put("reject_usd", usd(policy.reject_cost), CONFIG);
            inputs.push(estimate("rejection", expectation.rejection));
        }
        TermKind::Switch => {
            put("warm_tokens", count(request.warm_at(&entry.endpoint)), REQUEST);
            put("warmest_tokens", count(warmest), REQUEST);
            if let Some(hit) = expectation.cache_hit {
                inputs.push(estimate("cache_hit", hit));
            }
        }
        TermKind::Next => {
            put("input_tokens", count(request.input + expectation.output), input_from);
            if let Some(rates) = rates {
                put("input_usd_per_mtok", rate(rates.next_input), CATALOG);
                put("cache_read_usd_per_mtok", rate(rates.next_cache_read), CATALOG);
                put("request_usd", usd(rates.request), CATALOG);
            }
            put("continuation", figure(policy.continuation), CONFIG);
            inputs.extend(expectation.cache_hit.map(|hit| estimate("cache_hit", hit)));
        }
    }
    inputs.into()
}

/// What is charged for each request beside its tokens, where anybody does: a note below the explanation.
pub(crate) fn fees(decision: &Decision, rates: &dyn Fn(&Ranked) -> Rates, width: usize) -> String {
    let fees = decision.ranked.iter().map(|entry| (&entry.endpoint.provider, rates(entry).request));
    let told = fees.filter(|(_, fee)| *fee > Usd::ZERO).map(|(name, fee)| format!("{} at {name}", dollars(fee)));
    let told: Vec<String> = told.take(8).collect();
    if told.is_empty() {
        return String::new();
    }
    let text = format!("{} for each request, within the price", told.join(", "));
    labelled("Fees", &text, width)
}

fn input(name: &str, value: Value, from: &str) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), name.into());
    object.insert("value".to_owned(), value);
    object.insert("source".to_owned(), from.into());
    object.into()
}

fn estimate(name: &str, estimate: Estimate) -> Value {
    let mut told = input(name, figure(estimate.value), source(estimate.basis));
    let (n, age) = match estimate.basis {
        Basis::Measured { n, age } => (Some(n), Some(age)),
        Basis::Header { age } => (None, Some(age)),
        _ => (None, None),
    };
    if let Some(object) = told.as_object_mut() {
        object.extend(n.map(|n| ("n".to_owned(), figure(n))));
        object.extend(age.map(|age| ("age_s".to_owned(), age.as_secs().into())));
    }
    told
}

fn count(tokens: Tokens) -> Value {
    tokens.count().into()
}

fn usd(amount: Usd) -> Value {
    literal(&amount.exact())
}

fn rate(rate: Option<UsdPerMtok>) -> Value {
    rate.map_or(Value::Null, |rate| literal(&rate.exact()))
}

fn per_second(value: UsdPerSecond) -> Value {
    literal(&value.exact())
}

/// Six decimals, and more where there are more: a sum has to come out of them.
fn figure(value: f64) -> Value {
    let text = format!("{value:.15}");
    let most = text.trim_end_matches('0').len();
    let least = text.len() - 9;
    literal(text.get(..most.max(least)).unwrap_or(&text))
}
