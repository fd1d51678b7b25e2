//! `openmux providers compare`: the providers of one model, in the order in which a call of a stated shape would try
//! them, with price, limits, abilities and what was measured.

use std::collections::BTreeMap;

use super::args::{ProvidersCompare, Unit};
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::render::text;
use super::settings::Settings;
use super::{Outcome, facts, prompt};
use crate::catalog::Catalog;
use crate::catalog::price::Item;
use crate::dispatch::{Reach, shape};
use crate::routing::{Decision, Rejection};
use crate::units::Tokens;

const COLUMNS: [Column; 32] = [
    Column::new("provider", "", "PROVIDER", Show::Plain, 0),
    Column::new("kind", "", "KIND", Show::Plain, 5),
    Column::new("key", "", "KEY", Show::Plain, 4),
    Column::new("input_usd_per_mtok", "input", "IN $/M", Show::Price, 1),
    Column::new("output_usd_per_mtok", "output", "OUT $/M", Show::Price, 1),
    Column::new("cache_read_usd_per_mtok", "cache_read", "CACHED", Show::Price, 7),
    Column::new("call_usd", "price", "PER CALL", Show::Dollars, 1),
    Column::new("context_tokens", "context", "CONTEXT", Show::Tokens, 3),
    Column::new("max_output_tokens", "max_output", "MAX OUT", Show::Tokens, 8),
    Column::new("abilities", "can", "CAN", Show::Letters, 6),
    Column::new("api", "", "API", Show::Plain, 10),
    Column::new("ttft_p50_ms", "ttft", "TTFT", Show::Millis, 2),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 2),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 10),
    Column::new("ok", "", "OK", Show::Plain, 4),
    Column::new("samples", "", "SAMPLES", Show::Number, 11),
    Column::new("score_usd", "score", "SCORE", Show::Dollars, 10),
    Column::new("status", "", "STATUS", Show::Plain, 9),
    Column::new("retires", "", "RETIRES", Show::Plain, 10),
    Column::new("region", "", "REGION", Show::Plain, 10),
    Column::new("quantization", "quant", "QUANT", Show::Plain, 10),
    Column::new("cache_write_usd_per_mtok", "cache_write", "CACHE WRITE", Show::Price, 10),
    Column::new("upstream_model", "wire_id", "WIRE ID", Show::Plain, 10),
    Column::new("price_disputed", "disputed", "DISPUTED", Show::Mark, 10),
    Column::new("usable", "", "USABLE", Show::Plain, 10),
    Column::new("web_search_usd_per_1k", "web_search", "SEARCH $/K", Show::Price, 10),
    Column::new("health", "", "STATE", Show::Plain, 4),
    Column::new("availability_low", "", "AT LEAST", Show::Percent, 10),
    Column::new("availability_high", "", "AT MOST", Show::Percent, 10),
    Column::new("rate_limited_share", "limited", "LIMITED", Show::Percent, 10),
    Column::new("ttft_p95_ms", "ttft_p95", "TTFT P95", Show::Millis, 10),
    Column::new("measured_age_s", "age", "AGE", Show::Seconds, 4),
];

/// Runs the command.
///
/// # Errors
/// There is no such model, an overlay is broken, or a field does not exist.
pub(crate) fn compare(settings: &Settings, args: &ProvidersCompare) -> Outcome {
    let format = settings.list_format()?;
    let args = &ProvidersCompare { choice: prompt::choice(settings, &args.choice)?, ..args.clone() };
    let offline = Offline::open(settings, args.at.at)?;
    let resolved = facts::model(&offline.catalog, &args.model)?;
    let mut constraints = prompt::constraints(settings, &offline.catalog, &resolved, &args.choice)?;
    // A comparison leaves nobody out for what the environment says of calls.
    if args.choice.provider.is_empty() && args.choice.only.is_empty() {
        constraints.only.clear();
    }
    constraints.max_cost = args.choice.max_cost;
    let dispatcher = offline.dispatcher(None, args.choice.region.as_ref().map(|region| region.name.as_str()));
    let variant = resolved.variant.as_deref();
    let mut reaches = dispatcher.reach_wanting(&resolved.model, variant, args.all, None, &constraints);
    if let Some(provider) = &resolved.provider {
        reaches.retain(|reach| reach.provider.id == *provider);
    }
    let request = shape(&resolved.model, args.tokens.input, args.tokens.output, args.tokens.cached, constraints);
    let policy = prompt::policy(&args.choice);
    let decision =
        dispatcher.route(&request, None, &supposed(&reaches), &policy, args.choice.seed.unwrap_or(0), true).decision;
    let measured = facts::measured(offline.store.as_ref(), offline.now);
    let mut sheet = sheet(&reaches, &decision, args, &measured);
    let sort = column_names(&args.list.sort);
    let faster_first =
        sort.first().is_some_and(|name| ["tps", "availability", "decode_tps_p50"].contains(&name.as_str()));
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse != faster_first)?;
    let shown = sheet.rows.len();
    let cached = if args.tokens.cached == Tokens::ZERO {
        "nothing cached".to_owned()
    } else {
        format!("{} cached", text::grouped(args.tokens.cached.count()))
    };
    let legend = format!(
        "{shown} of {found}, {}. Call = {} in + {} out, {cached}. * differs from the author's own endpoint, ~ sources \
         disagree. OK, STATE and times: your own attempts of the last 72 hours, medians from 8 samples on; - is unknown. {}.",
        if sort.is_empty() { "best first as `route explain` would try them" } else { "ordered as asked" },
        text::grouped(args.tokens.input.count()),
        text::grouped(args.tokens.output.count()),
        facts::LEGEND,
    );
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

/// As if every key and setting were there, and every protocol built: a comparison leaves nobody out for lack of a key.
fn supposed(reaches: &[Reach]) -> Vec<Reach> {
    let with_everything = |reach: &Reach| Reach {
        unsupported: None,
        no_base_url: false,
        missing_settings: Vec::new(),
        found: crate::upstream::auth::Found::NotNeeded,
        ..reach.clone()
    };
    reaches.iter().map(with_everything).collect()
}

fn sheet(
    reaches: &[Reach],
    decision: &Decision,
    args: &ProvidersCompare,
    measured: &BTreeMap<crate::catalog::EndpointId, crate::observe::Measured>,
) -> Sheet {
    let mut columns = COLUMNS.to_vec();
    let nothing_measured = !reaches.iter().any(|reach| measured.contains_key(&reach.endpoint.id));
    for column in &mut columns {
        match column.name {
            "decode_tps_p50" if args.unit == Unit::PerMinute => column.header = "TOK/MIN",
            "region" | "upstream_model" if args.all => column.rank = 6,
            // Where nothing was measured, they would only take the room of others.
            "ok" | "health" | "measured_age_s" if nothing_measured => column.rank = 10,
            _ => {}
        }
    }
    let ranked = decision.ranked.iter().map(|ranked| (&ranked.endpoint, Some(ranked.score.total()), Vec::new()));
    let rejected = decision
        .rejected
        .iter()
        .map(|rejected| (&rejected.endpoint, None, rejected.reasons.iter().map(Rejection::code).collect::<Vec<_>>()));
    let mut rows = Vec::new();
    for (id, score, reasons) in ranked.chain(rejected) {
        let Some(reach) = reaches.iter().find(|reach| reach.endpoint.id == *id) else { continue };
        rows.push(row(reach, score, &reasons, args, measured.get(id), decision.at));
    }
    let own = reaches.first().and_then(|first| Catalog::own_provider(first.endpoint.model.author()));
    let author = rows.iter().position(|row| matches!(&row[0], Cell::Text(name) if Some(name.as_str()) == own));
    let mut marked = author.map(|author| super::show::differences(&columns, &rows, author)).unwrap_or_default();
    marked.extend(super::show::disputed(&columns, &rows));
    Sheet { schema: "providers.compare/1", command: "providers compare", columns, rows, marked }
}

fn row(
    reach: &Reach,
    score: Option<crate::units::Usd>,
    reasons: &[&'static str],
    args: &ProvidersCompare,
    measured: Option<&crate::observe::Measured>,
    now: jiff::Timestamp,
) -> Vec<Cell> {
    let endpoint = &reach.endpoint;
    let cells = facts::measured_cells(measured, args.unit, now);
    let call = facts::per_call(endpoint, args.tokens, now);
    let key = match &reach.found {
        crate::upstream::auth::Found::Key { .. } | crate::upstream::auth::Found::Lazy { .. } => {
            Cell::Text("yes".to_owned())
        }
        crate::upstream::auth::Found::NotNeeded => Cell::Text("not needed".to_owned()),
        crate::upstream::auth::Found::Missing { .. } => Cell::Unknown,
    };
    let mut usable: Vec<String> = reasons.iter().map(|reason| (*reason).to_owned()).collect();
    if reach.unsupported.is_some() {
        usable.push("protocol_unsupported".to_owned());
    }
    if reach.no_base_url {
        usable.push("no_base_url".to_owned());
    }
    if matches!(reach.found, crate::upstream::auth::Found::Missing { .. }) {
        usable.push("no_credential".to_owned());
    }
    if !reach.missing_settings.is_empty() {
        usable.push("missing_setting".to_owned());
    }
    if usable.is_empty() {
        usable.push("yes".to_owned());
    }
    vec![
        Cell::Text(reach.provider.id.to_string()),
        Cell::Text(facts::kind(reach).to_owned()),
        key,
        facts::rate(endpoint, Item::Input),
        facts::rate(endpoint, Item::Output),
        facts::rate(endpoint, Item::CacheRead),
        Cell::money(call.map(|amount| amount.decimal())),
        Cell::count(endpoint.context.map(Tokens::count)),
        Cell::count(endpoint.max_output.map(Tokens::count)),
        Cell::Words(facts::abilities(&endpoint.capabilities, &endpoint.input)),
        Cell::Text(facts::compatibility(reach.protocol).to_owned()),
        cells.ttft,
        cells.speed,
        cells.availability,
        cells.ok,
        cells.samples,
        Cell::money(score.map(|amount| amount.decimal())),
        Cell::Text(endpoint.status.name().to_owned()),
        Cell::text(endpoint.sunset.clone()),
        Cell::text(endpoint.region.clone()),
        Cell::text(endpoint.quant.clone()),
        facts::rate(endpoint, Item::CacheWrite),
        Cell::Text(endpoint.id.upstream_model.clone()),
        Cell::Flag(endpoint.dispute.is_some()),
        Cell::Words(usable),
        facts::web_search(endpoint),
        cells.health,
        cells.low,
        cells.high,
        cells.limited,
        cells.ttft_p95,
        cells.age,
    ]
}
