//! `openmux providers compare`: the providers of one model, in the order in which a call of a stated shape would try
//! them, with price, limits, abilities and what was measured.

use std::collections::BTreeSet;

use super::args::{Choice, ProvidersCompare};
use super::contract::Exit;
use super::error::CliError;
use super::measured::{self, View};
use super::mix::Call;
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, facts, note, prompt};
use crate::catalog::price::Item;
use crate::catalog::{Catalog, EndpointId};
use crate::dispatch::{Reach, Suppose, shape};
use crate::routing::{Decision, Ranked, Rejection};
use crate::units::Tokens;
use crate::upstream::auth::Found;

/// The columns before what was measured.
const BEFORE: [Column; 11] = [
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
];

/// The columns after it.
const AFTER: [Column; 20] = [
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
    Column::new("ranked_by", "basis", "RANKED BY", Show::Plain, 10),
    Column::new("call_input_tokens", "", "CALL IN", Show::Tokens, 11),
    Column::new("call_output_tokens", "", "CALL OUT", Show::Tokens, 11),
    Column::new("call_cached_tokens", "", "CALL CACHED", Show::Tokens, 11),
    Column::new("call_basis", "", "CALL OF", Show::Plain, 11),
    Column::new("max_input_tokens", "max_input", "MAX IN", Show::Tokens, 11),
    Column::new("request_usd", "request", "PER REQUEST", Show::Dollars, 11),
    Column::new("call_input_usd_per_mtok", "", "CALL IN $/M", Show::Price, 11),
    Column::new("call_output_usd_per_mtok", "", "CALL OUT $/M", Show::Price, 11),
    Column::new("call_cache_read_usd_per_mtok", "", "CALL CACHED $/M", Show::Price, 11),
];

/// Runs the command.
///
/// # Errors
/// There is no such model, an overlay is broken, or a field does not exist.
pub(crate) fn compare(settings: &Settings, args: &ProvidersCompare) -> Outcome {
    let format = settings.list_format()?;
    let typed = &args.choice;
    let args = &ProvidersCompare { choice: prompt::choice(settings, typed)?, ..args.clone() };
    // What is merely configured for calls is told of each and leaves nobody out; a profile that was asked for does.
    let limits = if typed.profile.is_some() { &args.choice } else { typed };
    let offline = Offline::open(settings, args.at.at)?;
    let resolved = facts::model(&offline.catalog, &args.model)?;
    // A comparison leaves nobody out for what the environment says of calls.
    let mut constraints = prompt::constrained(settings, &offline.catalog, &resolved, (&args.choice, &[]))?;
    constraints.max_cost = args.choice.max_cost;
    let dispatcher = offline.dispatcher(None, args.choice.region.as_ref().map(|region| region.name.as_str()));
    let variant = resolved.variant.as_deref();
    let mut reaches = dispatcher.reach_wanting(&resolved.model, variant, args.all, None, &constraints);
    if let Some(provider) = &resolved.provider {
        reaches.retain(|reach| reach.provider.id == *provider);
    }
    if reaches.is_empty()
        && let Some(kind) = facts::other_kind(&offline.catalog, &resolved)
    {
        let model = &resolved.model;
        let message = format!(
            "{model} is not for chats but for another kind of call ({kind}): only providers of chats are compared"
        );
        return Err(CliError::new(Exit::NotFound, "model", message).fix(format!("openmux models show {model}")));
    }
    offline.is_about(reaches.iter().map(|reach| &reach.endpoint));
    let call = Call::of(&offline, args.tokens, &resolved.model);
    let tokens = call.shape;
    let request = shape(&resolved.model, tokens.input, tokens.output, tokens.cached, constraints);
    let policy = prompt::policy(&args.choice);
    let decision = dispatcher
        .route(
            &request,
            None,
            &built(&reaches, settings.sandbox.is_some()),
            &policy,
            args.choice.seed.unwrap_or(0),
            Suppose::All,
        )
        .decision;
    let left_out: BTreeSet<EndpointId> = decision
        .rejected
        .iter()
        .filter(|entry| entry.reasons.iter().any(|reason| breaks(reason, limits)))
        .map(|entry| entry.endpoint.clone())
        .collect();
    if !args.all {
        reaches.retain(|reach| !left_out.contains(&reach.endpoint.id));
    }
    let view = View::read(&offline, &args.window, args.unit, tokens.input, format);
    let mut sheet = sheet(&reaches, &decision, args, &call, &view);
    if args.all && !left_out.is_empty() {
        sheet.columns.iter_mut().filter(|column| column.name == "usable").for_each(|column| column.rank = 2);
    }
    let assumed = !view.is_empty() && mark_assumed(&mut sheet);
    let sort = column_names(&args.list.sort);
    let faster_first =
        sort.first().is_some_and(|name| ["tps", "availability", "decode_tps_p50"].contains(&name.as_str()));
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse != faster_first)?;
    let shown = sheet.rows.len();
    let order = match (sort.is_empty(), view.is_empty(), assumed) {
        (false, ..) => "ordered as asked",
        (true, true, _) => "best first as `route explain` would try them, by assumed waits",
        (true, false, true) => {
            "best first as `route explain` would try them; assumed: never measured, taken to be better than most, so that \
             it is called once"
        }
        (true, false, false) => "best first as `route explain` would try them",
    };
    let beyond = match (left_out.len(), args.all) {
        (0, _) => String::new(),
        (count, true) => format!("; USABLE says why {count} are not within your limits"),
        (count, false) => format!("; {count} are not within your limits (--all shows them)"),
    };
    if found == 0 && !left_out.is_empty() {
        let count = left_out.len();
        note(settings, &format!("none of {count} providers is within your limits; --all shows why"));
    }
    let legend = format!(
        "{shown} of {found}{beyond}, {order}. {}. {}. * differs from the author's own endpoint, ~ sources disagree{}. {}.",
        call.told(),
        view.legend(),
        super::show::legend(&sheet),
        facts::LEGEND,
    );
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

/// Whether a rejection is for a limit that was stated, not for what the endpoint is or the call needs.
fn breaks(reason: &Rejection, limits: &Choice) -> bool {
    match reason {
        Rejection::AboveMaxPrice { item: Item::Input, .. } | Rejection::Unpriced { missing: Some(Item::Input) } => {
            limits.max_price_in.is_some()
        }
        Rejection::AboveMaxPrice { item: Item::Output, .. } | Rejection::Unpriced { missing: Some(Item::Output) } => {
            limits.max_price_out.is_some()
        }
        Rejection::AboveMaxCost { .. } | Rejection::UnboundedCost { .. } => limits.max_cost.is_some(),
        Rejection::NotAllowed => !limits.provider.is_empty() || !limits.only.is_empty(),
        Rejection::Ignored => !limits.ignore.is_empty(),
        Rejection::Gateway => limits.no_gateways,
        Rejection::Beyond { measure, .. } => {
            let stated = [&limits.max_ttft, &limits.min_throughput, &limits.min_availability];
            stated.into_iter().flatten().any(|threshold| threshold.firm && threshold.measure == *measure)
        }
        Rejection::Quantization { .. } => !limits.quantization.is_empty(),
        Rejection::Region { .. } => limits.region.as_ref().is_some_and(|region| region.firm),
        Rejection::NotStated { ability } => limits.require.contains(ability),
        _ => false,
    }
}

/// Beside what was measured, says of the others by what they are ranked; whether there are any.
fn mark_assumed(sheet: &mut Sheet) -> bool {
    let at = |name: &str| sheet.columns.iter().position(|column| column.name == name);
    let (Some(wait), Some(basis)) = (at("ttft_p50_ms"), at("ranked_by")) else { return false };
    if sheet.rows.iter().all(|row| row[wait] == Cell::Unknown) {
        return false;
    }
    let mut any = false;
    for row in &mut sheet.rows {
        if row[wait] == Cell::Unknown && row[basis] == Cell::Text("assumed".to_owned()) {
            row[wait] = Cell::Unknown.told("assumed");
            any = true;
        }
    }
    any
}

/// As if every address were known and every protocol built, but of those who are never called. What the sandbox measured was
/// measured with none of the user's keys.
fn built(reaches: &[Reach], sandbox: bool) -> Vec<Reach> {
    let with_everything = |reach: &Reach| {
        if facts::is_uncalled(&reach.provider) {
            return reach.clone();
        }
        Reach {
            unsupported: None,
            no_base_url: false,
            found: if sandbox { Found::Missing { looked_in: Vec::new() } } else { reach.found.clone() },
            ..reach.clone()
        }
    };
    reaches.iter().map(with_everything).collect()
}

fn sheet(reaches: &[Reach], decision: &Decision, args: &ProvidersCompare, call: &Call, view: &View) -> Sheet {
    let mut columns = [&BEFORE[..], &measured::COLUMNS, &AFTER].concat();
    let measured = reaches.iter().any(|reach| view.has(&reach.endpoint.id));
    view.tune(&mut columns, reaches.iter().map(|reach| &reach.endpoint.id), (2, 2));
    for column in &mut columns {
        match column.name {
            "region" | "upstream_model" if args.all => column.rank = 6,
            // What was measured tells providers of one model apart better than what they all have.
            "context_tokens" if measured => column.rank = 5,
            "kind" if measured => column.rank = 6,
            _ => {}
        }
    }
    let ranked = decision.ranked.iter().map(|ranked| (&ranked.endpoint, Some(ranked), &[][..]));
    let rejected = decision.rejected.iter().map(|rejected| (&rejected.endpoint, None, &rejected.reasons[..]));
    let (mut rows, mut other, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for (id, ranked, reasons) in ranked.chain(rejected) {
        let Some(reach) = reaches.iter().find(|reach| reach.endpoint.id == *id) else { continue };
        let (cells, is_other) = row(reach, ranked, reasons, (call, decision.at), view.cells(id));
        rows.push(cells);
        other.push(is_other);
        shown.push(reach);
    }
    let own = reaches.first().and_then(|first| Catalog::own_provider(first.endpoint.model.author()));
    let author = rows.iter().position(|row| matches!(&row[0], Cell::Text(name) if Some(name.as_str()) == own));
    let mut marked = author.map(|author| super::show::differences(&columns, &rows, author)).unwrap_or_default();
    marked.extend(super::show::disputed(&columns, &rows));
    marked.extend(super::show::other_rates(&columns, other.into_iter()));
    marked.extend(super::show::uncalled(shown.iter().map(|reach| facts::is_uncalled(&reach.provider))));
    marked.extend(view.marks(&columns, shown.iter().map(|reach| Some(&reach.endpoint.id))));
    Sheet { schema: "providers.compare/1", command: "providers compare", columns, rows, marked }
}

/// The cells of an endpoint, and whether the price of a call does not come out of the rates among them.
fn row(
    reach: &Reach,
    ranked: Option<&Ranked>,
    reasons: &[Rejection],
    (call, now): (&Call, jiff::Timestamp),
    measured: Vec<Cell>,
) -> (Vec<Cell>, bool) {
    let endpoint = &reach.endpoint;
    let (price, is_other) = facts::call(endpoint, call.shape, now);
    let key = match &reach.found {
        crate::upstream::auth::Found::Key { .. } | crate::upstream::auth::Found::Lazy { .. } => {
            Cell::Text("yes".to_owned())
        }
        crate::upstream::auth::Found::NotNeeded => Cell::Text("not needed".to_owned()),
        crate::upstream::auth::Found::Missing { .. } => Cell::Unknown,
    };
    let mut usable: Vec<String> = reasons.iter().map(|reason| reason.code().to_owned()).collect();
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
    let mut cells = vec![
        Cell::Text(reach.provider.id.to_string()),
        Cell::Text(facts::kind(reach).to_owned()),
        key,
        facts::rate(endpoint, Item::Input),
        facts::rate(endpoint, Item::Output),
        facts::rate(endpoint, Item::CacheRead),
        Cell::money(price.map(|amount| amount.decimal())),
        Cell::count(endpoint.context.map(Tokens::count)),
        Cell::count(endpoint.max_output.map(Tokens::count)),
        Cell::words(facts::abilities(&endpoint.capabilities, &endpoint.input)),
        Cell::Text(facts::compatibility(reach.protocol).to_owned()),
    ];
    cells.extend(measured);
    let tokens = call.shape;
    cells.extend([
        Cell::money(ranked.map(|ranked| ranked.score.total().decimal())),
        Cell::Text(endpoint.status.name().to_owned()),
        Cell::text(endpoint.sunset.clone()),
        Cell::text(endpoint.region.clone()),
        Cell::text(endpoint.quant.clone()),
        facts::rate(endpoint, Item::CacheWrite),
        Cell::Text(endpoint.id.upstream_model.clone()),
        Cell::Flag(endpoint.dispute.is_some()),
        Cell::words(usable),
        facts::web_search(endpoint),
        Cell::text(ranked.map(|ranked| ranked.expectation.ttft_s.basis.name())),
        Cell::Count(tokens.input.count()),
        Cell::Count(tokens.output.count()),
        Cell::Count(tokens.cached.count()),
        Cell::Text(call.basis.name().to_owned()),
        Cell::count(endpoint.max_input.map(Tokens::count)),
        facts::per_request(endpoint),
        facts::call_rate(endpoint, Item::Input, tokens, now),
        facts::call_rate(endpoint, Item::Output, tokens, now),
        facts::call_rate(endpoint, Item::CacheRead, tokens, now),
    ]);
    (cells, is_other)
}
