//! `GET /v1/models`, `/v1/models/{model}` and `/v1/models/{model}/endpoints`: what can be asked for, what it costs, and how
//! its providers did as this machine saw them.

mod paged;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Gateway;
use super::client::Client;
use super::codec::prices::{pricing, pricings};
use super::problem::{Problem, millis};
use crate::catalog::price::Item;
use crate::catalog::resolve::resolve;
use crate::catalog::{
    Capability, Catalog, Endpoint, Modality, ModelId, ModelKind, ModelLine, Protocol, ProviderId, Status,
};
use crate::observe::{Measured, Percentile, Stratum};
use crate::units::Tokens;
pub(super) use paged::{Told, of_one, page};

/// How far back times and speeds are shown.
const HALF_HOUR: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Where to look for a model.
const LISTED: &str = "GET /v1/models lists them";

/// Every chat model that somebody may be asked for, as one document.
pub(super) fn list(gateway: &Gateway, client: Option<&Client>) -> Value {
    let rows = offered(gateway, client).into_iter().map(|(line, offers)| row(&line, &offers));
    json!({ "object": "list", "data": rows.collect::<Vec<_>>() })
}

/// Every chat model that some provider with a key serves, of those that the gateway and the client's token allow, with its
/// endpoints.
fn offered<'a>(gateway: &'a Gateway, client: Option<&Client>) -> Vec<(ModelLine<'a>, Vec<Endpoint>)> {
    let catalog = &gateway.owned.catalog;
    let dispatcher = gateway.owned.dispatcher();
    let now = (dispatcher.now)();
    // Whether it can be called is the provider's (its key, its address), in the endpoint's dialects and region.
    let mut callable: BTreeMap<(ProviderId, Vec<Protocol>, Option<String>), bool> = BTreeMap::new();
    let mut rows = Vec::new();
    let may_ask = |line: &ModelLine<'_>| client.is_none_or(|client| client.may_ask(&ModelId::new(line.id())).is_ok());
    for line in catalog.models().filter(|line| line.is(ModelKind::Chat) && may_ask(line)) {
        let mut offers = Vec::new();
        for offer in line.endpoints().filter(|offer| offer.kind() == ModelKind::Chat && offer.is_plain()) {
            if offer.status_at(now) == Status::Retired {
                continue;
            }
            let endpoint = offer.endpoint();
            if !may_use(gateway, client, &endpoint.id.provider) {
                continue;
            }
            let kind = (endpoint.id.provider.clone(), endpoint.protocols().collect(), endpoint.region.clone());
            let usable = *callable.entry(kind).or_insert_with(|| dispatcher.is_callable(endpoint.clone()));
            if usable {
                offers.push(endpoint);
            }
        }
        if !offers.is_empty() {
            rows.push((line, offers));
        }
    }
    rows
}

/// Whether a provider may be used at all, by the gateway's configuration and by the client's token.
fn may_use(gateway: &Gateway, client: Option<&Client>, provider: &ProviderId) -> bool {
    let among = |allowed: &[ProviderId]| allowed.is_empty() || allowed.contains(provider);
    let constraints = &gateway.config.constraints;
    among(&constraints.only)
        && !constraints.ignore.contains(provider)
        && client.is_none_or(|client| among(&client.allowance.providers))
}

/// One model.
///
/// # Errors
/// There is none of that name, or the client may not ask it.
pub(super) fn one(gateway: &Gateway, client: Option<&Client>, name: &str) -> Result<Value, Problem> {
    let (line, offers) = found(gateway, client, name)?;
    Ok(row(&line, &offers))
}

/// A model and its plain endpoints, of providers that may be used.
fn found<'a>(
    gateway: &'a Gateway,
    client: Option<&Client>,
    name: &str,
) -> Result<(ModelLine<'a>, Vec<Endpoint>), Problem> {
    let (catalog, now) = (&gateway.owned.catalog, (gateway.owned.dispatcher().now)());
    let resolved = resolve(catalog, name).map_err(|error| Problem::no_model(&error))?;
    let missing = || {
        Problem::new(http::StatusCode::NOT_FOUND, "model_not_found", format!("no model is called \"{name}\""))
            .fix(LISTED)
    };
    let line = catalog.model_line(resolved.model.as_str()).ok_or_else(missing)?;
    client.map_or(Ok(()), |client| client.may_ask(&resolved.model))?;
    let offers = catalog.endpoints_for(&resolved.model);
    let plain = |offer: &Endpoint| {
        offer.kind == ModelKind::Chat && offer.is_plain() && may_use(gateway, client, &offer.id.provider)
    };
    Ok((line, offers.into_iter().filter(plain).map(|offer| offer.at(now)).collect()))
}

/// The endpoint whose price stands for the model's: its author's own, else the cheapest.
fn representative(offers: &[Endpoint]) -> Option<&Endpoint> {
    let base = |offer: &Endpoint, item| offer.pricing.as_ref().and_then(|sheet| sheet.base(item));
    let priced =
        offers.iter().filter(|offer| base(offer, Item::Input).is_some() && base(offer, Item::Output).is_some());
    priced.min_by_key(|offer| {
        let own = Catalog::own_provider(offer.model.author()) == Some(offer.id.provider.as_str());
        (!own, base(offer, Item::Input), base(offer, Item::Output), offer.id.clone())
    })
}

fn row(line: &ModelLine<'_>, offers: &[Endpoint]) -> Value {
    let own = representative(offers);
    let sheet = own.and_then(|offer| offer.pricing.as_ref());
    let context = offers.iter().filter_map(|offer| offer.context).max().or_else(|| line.context());
    let any = |capability| offers.iter().any(|offer| offer.can(capability));
    let (author, _) = line.id().split_once('/').unwrap_or(("", line.id()));
    let (input, output) = modalities(offers);
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    put("id", line.id().into());
    put("object", "model".into());
    put("created", created(line).as_second().into());
    put("released", line.released().map_or(Value::Null, Value::from));
    put("owned_by", author.into());
    put("name", line.name().into());
    put("display_name", line.name().into());
    put("context_length", count(context));
    put("architecture", json!({ "input_modalities": input, "output_modalities": output }));
    put("input_modalities", input.into());
    put("output_modalities", output.into());
    put("capabilities", json!({ "reasoning": any(Capability::Reasoning) }));
    put("pricing", sheet.map_or(Value::Null, pricing));
    put("pricings", sheet.map_or(Value::Null, pricings));
    put("priced_by", own.map_or(Value::Null, |offer| offer.id.provider.as_str().into()));
    put("providers", providers(offers).into());
    row.into()
}

/// Who serves it, each once.
fn providers(offers: &[Endpoint]) -> Vec<&str> {
    let mut names: Vec<&str> = offers.iter().map(|offer| offer.id.provider.as_str()).collect();
    names.dedup();
    names
}

fn modalities(offers: &[Endpoint]) -> (Vec<&'static str>, Vec<&'static str>) {
    let names = |of: fn(&Endpoint) -> &std::collections::BTreeSet<Modality>| {
        let mut all: Vec<Modality> = offers.iter().flat_map(|offer| of(offer).iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(Modality::name).collect()
    };
    (names(|offer| &offer.input), names(|offer| &offer.output))
}

fn count(tokens: Option<Tokens>) -> Value {
    tokens.map_or(Value::Null, |tokens| tokens.count().into())
}

/// When a model came out: of a month or a year that is its first day, and where nobody knows it is 1970. Both vendors' clients
/// want a number there, and Anthropic names that year for what it does not know.
fn created(line: &ModelLine<'_>) -> Timestamp {
    let day = line.released().unwrap_or_default();
    let whole = match day.len() {
        4 => format!("{day}-01-01"),
        7 => format!("{day}-01"),
        _ => day.to_owned(),
    };
    format!("{whole}T00:00:00Z").parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The endpoints of a model, in OpenRouter's shape, with what was measured here.
///
/// # Errors
/// There is no such model, or the client may not ask it.
pub(super) fn endpoints(gateway: &Gateway, client: Option<&Client>, name: &str) -> Result<Value, Problem> {
    let (line, offers) = found(gateway, client, name)?;
    let now = (gateway.owned.now)();
    let measured = |within: Duration| gateway.owned.store.measured(now - within).unwrap_or_default();
    let (lately, today) = (measured(HALF_HOUR), measured(DAY));
    let dispatcher = gateway.owned.dispatcher();
    let rows = offers.iter().map(|offer| {
        let provider = gateway.owned.catalog.provider(&offer.id.provider);
        let provider_name = provider.map_or_else(|| offer.id.provider.to_string(), |provider| provider.name);
        let supported: Vec<&str> = supported(offer);
        let mut row = Map::new();
        let mut put = |key: &str, value: Value| {
            row.insert(key.to_owned(), value);
        };
        put("name", format!("{provider_name} | {}", offer.id.upstream_model).into());
        put("model_id", line.id().into());
        put("model_name", line.name().into());
        put("provider_name", provider_name.into());
        put("tag", offer.id.provider.as_str().into());
        put("upstream_model", offer.id.upstream_model.as_str().into());
        put("region", offer.region.clone().map_or(Value::Null, Value::from));
        put("quantization", offer.quant.clone().map_or(Value::Null, Value::from));
        put("context_length", count(offer.context));
        put("max_completion_tokens", count(offer.max_output));
        put("max_prompt_tokens", count(offer.max_input));
        put("supported_parameters", supported.into());
        put("pricing", offer.pricing.as_ref().map_or(Value::Null, pricing));
        put("pricings", offer.pricing.as_ref().map_or(Value::Null, pricings));
        put("status", if offer.status == Status::Retired { -1 } else { 0 }.into());
        put("lifecycle", offer.status.name().into());
        put("callable", dispatcher.is_callable(offer.clone()).into());
        put("uptime_last_30m", uptime(lately.get(&offer.id)));
        put("uptime_last_1d", uptime(today.get(&offer.id)));
        put("latency_last_30m", latency(lately.get(&offer.id)));
        put("throughput_last_30m", throughput(lately.get(&offer.id)));
        Value::from(row)
    });
    let rows: Vec<Value> = rows.collect();
    let (input, output) = modalities(&offers);
    let architecture = json!({ "input_modalities": input, "output_modalities": output });
    let (created, released) = (created(&line).as_second(), line.released());
    let model = json!({
        "id": line.id(), "name": line.name(), "created": created, "released": released, "architecture": architecture,
        "endpoints": rows,
    });
    Ok(json!({ "data": model }))
}

/// OpenRouter's names of what some source says that it takes.
fn supported(offer: &Endpoint) -> Vec<&'static str> {
    let mut names = vec!["max_tokens", "stop"];
    if !offer.can(Capability::NoTemperature) {
        names.extend(["temperature", "top_p"]);
    }
    let known: [(Capability, &[&'static str]); 4] = [
        (Capability::Tools, &["tools", "tool_choice"]),
        (Capability::ParallelTools, &["parallel_tool_calls"]),
        (Capability::Structured, &["response_format", "structured_outputs"]),
        (Capability::Reasoning, &["reasoning", "reasoning_effort"]),
    ];
    names.extend(known.into_iter().filter(|(capability, _)| offer.can(*capability)).flat_map(|(_, names)| names));
    names
}

/// Percent; null without an attempt that counts.
fn uptime(measured: Option<&Measured>) -> Value {
    let share = measured.and_then(|measured| measured.judged().share());
    share.map_or(Value::Null, |share| super::codec::literal(&format!("{:.2}", share * 100.0)))
}

const SHOWN: [(&str, Percentile); 4] =
    [("p50", Percentile::P50), ("p75", Percentile::P75), ("p90", Percentile::P90), ("p99", Percentile::P99)];

/// Milliseconds to the first token; null where the sample allows no such percentile.
fn latency(measured: Option<&Measured>) -> Value {
    let asked = Stratum::plain(Tokens::new(1000));
    let Some((_, samples)) = measured.and_then(|measured| measured.nearest(&asked)) else { return Value::Null };
    let of = |percentile| {
        let wait = samples.ttft(percentile);
        wait.map_or(Value::Null, |wait| super::codec::literal(&millis(wait.duration())))
    };
    SHOWN.into_iter().map(|(name, percentile)| (name.to_owned(), of(percentile))).collect::<Map<_, _>>().into()
}

/// Tokens a second; the percentiles of a speed rise: `p10` is the slow tail.
fn throughput(measured: Option<&Measured>) -> Value {
    let asked = Stratum::plain(Tokens::new(1000));
    let Some((_, samples)) = measured.and_then(|measured| measured.nearest(&asked)) else { return Value::Null };
    let of = |percentile| {
        let speed = samples.speed(percentile);
        speed.map_or(Value::Null, |speed| super::codec::literal(&format!("{speed:.1}")))
    };
    let shown = [("p10", Percentile::P10)].into_iter().chain(SHOWN);
    shown.map(|(name, percentile)| (name.to_owned(), of(percentile))).collect::<Map<_, _>>().into()
}
