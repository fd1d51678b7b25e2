//! `GET /v1/generation/{id}`: what became of an answer, who was asked for it, and what it cost.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::Gateway;
use super::client::Client;
use super::codec::{Dialect, literal};
use super::problem::{Problem, millis};
use crate::observe::{Flags, Observation};
use crate::routing::{Kept, decision_hex};
use crate::store::ObservationStore;
use crate::units::{Tokens, Usd};

/// No request takes longer than this.
const LONGEST: Duration = Duration::from_secs(3600);
/// More models than any request names.
const LONGEST_CHAIN: usize = 64;

/// What is kept of an answer; `id` is its own (`chatcmpl-...`) or its decision's. A client with a name has only its own.
///
/// # Errors
/// There is none of that id that is whoever's that asks, or what is kept of it cannot be read.
pub(super) fn one(gateway: &Gateway, client: Option<&Client>, id: &str) -> Result<Value, Problem> {
    let hex = Dialect::decision_id(id).to_ascii_lowercase();
    let none = || {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "no answer of that id is kept")
            .fix("the id of an answer of this gateway, asked with the token that had it")
    };
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(none().fix("the answer's id, or x-openmux-decision-id: 32 hex digits"));
    }
    let unreadable = |error: String| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "store", error)
            .fix("look at obs.db where openmux serve runs (openmux providers list says where it is)")
    };
    let store = &gateway.owned.store;
    let found = store.decision(&hex).map_err(|error| unreadable(error.to_string()))?;
    let is_own = |kept: &Kept| client.is_none_or(|client| kept.client.as_ref() == Some(&client.name));
    let Some(kept) = found.into_iter().find(is_own) else { return Err(none()) };
    let at = kept.input.now;
    let before = before(store.as_ref(), &kept);
    // Of all models of a chain, in the order in which they were asked.
    let mut own: Vec<(&str, Observation)> = Vec::new();
    for one in before.iter().chain([&kept]) {
        let (model, from) = (one.input.request.model.as_str(), one.input.now);
        let seen = store.of_request(one.id, from, from + LONGEST).map_err(|error| unreadable(error.to_string()))?;
        own.extend(seen.into_iter().map(|seen| (model, seen)));
    }
    let last = own.last().map(|(_, seen)| seen).filter(|seen| seen.group == kept.id);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    let answering: Vec<&Observation> = own.iter().map(|(_, seen)| seen).filter(|seen| seen.group == kept.id).collect();
    let charged = charged(&answering, kept.input.request.stream);
    let usage = last.and_then(|seen| seen.usage.as_ref());
    put("id", Dialect::OpenaiChat.answer_id(&decision_hex(&kept.id)).into());
    put("decision_id", decision_hex(&kept.id).into());
    put("created_at", at.to_string().into());
    put("model", kept.input.request.model.as_str().into());
    put("provider_name", last.map_or(Value::Null, |seen| seen.endpoint.provider.as_str().into()));
    put("client", kept.client.clone().map_or(Value::Null, Value::from));
    put("streamed", kept.input.request.stream.into());
    put("class", last.map_or(Value::Null, |seen| seen.class.name().into()));
    put("native_finish_reason", last.and_then(|seen| seen.finish.clone()).map_or(Value::Null, Value::from));
    put("tokens_prompt", count(usage.and_then(|usage| usage.input)));
    put("tokens_completion", count(usage.and_then(|usage| usage.output)));
    put("tokens_reasoning", count(usage.and_then(|usage| usage.reasoning)));
    put("tokens_cached", count(usage.and_then(|usage| usage.cache_read)));
    put("total_cost", usd(charged));
    put("expected_cost", usd(last.and_then(|seen| seen.asked.expected)));
    put("latency", time(last.and_then(|seen| seen.timings.ttft)));
    put("generation_time", time(last.and_then(|seen| seen.timings.e2e)));
    let models = before.iter().chain([&kept]).map(|one| one.input.request.model.as_str());
    put("models", models.collect::<Vec<_>>().into());
    put("provider_responses", own.iter().map(|(model, seen)| attempt(model, seen)).collect::<Vec<_>>().into());
    let order = kept.order.iter().map(
        |placed| serde_json::json!({ "provider": placed.endpoint.provider.as_str(), "total_usd": usd(placed.total) }),
    );
    put("candidates", order.collect::<Vec<_>>().into());
    Ok(Value::from(Map::from_iter([("data".to_owned(), object.into())])))
}

/// What the answer cost: that of all its parts. A stream of which something came is never begun anew, so that what broke off
/// before it was whole is a part of it.
fn charged(own: &[&Observation], stream: bool) -> Option<Usd> {
    let (last, before) = own.split_last()?;
    let begun = |seen: &&&Observation| seen.timings.ttft.is_some() && !seen.flags.has(Flags::SPARED);
    let parts = before.iter().filter(|_| stream && last.class.is_success()).filter(begun);
    parts.chain([last]).map(|seen| seen.billed.or(seen.cost)).sum()
}

/// The decisions for the models of a chain that were asked before, the first one first; none where they are gone.
fn before(store: &dyn ObservationStore, kept: &Kept) -> Vec<Kept> {
    let mut before: Vec<Kept> = Vec::new();
    let mut after = kept.after;
    while let Some(id) = after.filter(|_| before.len() < LONGEST_CHAIN) {
        let Some(one) = store.decision(&decision_hex(&id)).ok().and_then(|found| found.into_iter().next()) else {
            break;
        };
        after = one.after;
        before.push(one);
    }
    before.reverse();
    before
}

fn attempt(model: &str, seen: &Observation) -> Value {
    let mut object = Map::new();
    object.insert("model".to_owned(), model.into());
    object.insert("provider_name".to_owned(), seen.endpoint.provider.as_str().into());
    object.insert("upstream_model".to_owned(), seen.endpoint.upstream_model.as_str().into());
    object.insert("status".to_owned(), seen.http_status.map_or(Value::Null, Value::from));
    object.insert("class".to_owned(), seen.class.name().into());
    object.insert("code".to_owned(), seen.code.clone().map_or(Value::Null, Value::from));
    object.insert("latency".to_owned(), time(seen.timings.ttft));
    object.insert("generation_time".to_owned(), time(seen.timings.e2e));
    object.insert("cost".to_owned(), usd(seen.billed.or(seen.cost)));
    object.into()
}

fn count(tokens: Option<Tokens>) -> Value {
    tokens.map_or(Value::Null, |tokens| tokens.count().into())
}

fn usd(amount: Option<Usd>) -> Value {
    amount.map_or(Value::Null, |amount| literal(&amount.exact()))
}

/// Milliseconds.
fn time(time: Option<Duration>) -> Value {
    time.map_or(Value::Null, |time| literal(&millis(time)))
}
