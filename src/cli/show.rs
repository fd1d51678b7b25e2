//! `openmux models show`: everything known about one model, and every provider of it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::args::{Format, ModelsShow, Unit};
use super::error::CliError;
use super::render::sheet::{Cell, Column, Printing, Sheet, Show};
use super::render::{json, money, text};
use super::settings::Settings;
use super::{Outcome, facts, footer, print, settings};
use crate::catalog::price::{Fee, FeeItem, Item, Rate};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Endpoint, Model, Pricing, Status, own_provider};
use crate::dispatch::{Dispatcher, Reach};

const COLUMNS: [Column; 25] = [
    Column::new("provider", "", "PROVIDER", Show::Plain, 0),
    Column::new("kind", "", "KIND", Show::Plain, 4),
    Column::new("key", "", "KEY", Show::Plain, 10),
    Column::new("upstream_model", "wire_id", "WIRE ID", Show::Plain, 10),
    Column::new("region", "", "REGION", Show::Plain, 10),
    Column::new("input_usd_per_mtok", "input", "IN $/M", Show::Price, 1),
    Column::new("output_usd_per_mtok", "output", "OUT $/M", Show::Price, 1),
    Column::new("cache_read_usd_per_mtok", "cache_read", "CACHED", Show::Price, 6),
    Column::new("call_usd", "price", "PER CALL", Show::Dollars, 11),
    Column::new("context_tokens", "context", "CONTEXT", Show::Tokens, 3),
    Column::new("max_output_tokens", "max_output", "MAX OUT", Show::Tokens, 7),
    Column::new("abilities", "can", "CAN", Show::Letters, 5),
    Column::new("api", "", "API", Show::Plain, 10),
    Column::new("ttft_p50_ms", "ttft", "TTFT", Show::Millis, 8),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 8),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 11),
    Column::new("ok", "", "OK", Show::Plain, 9),
    Column::new("samples", "", "SAMPLES", Show::Number, 11),
    Column::new("status", "", "STATUS", Show::Plain, 2),
    Column::new("retires", "", "RETIRES", Show::Plain, 10),
    Column::new("protocol", "", "PROTOCOL", Show::Plain, 10),
    Column::new("variant", "", "VARIANT", Show::Plain, 10),
    Column::new("quantization", "quant", "QUANT", Show::Plain, 10),
    Column::new("price_disputed", "disputed", "DISPUTED", Show::Plain, 10),
    Column::new("cache_write_usd_per_mtok", "cache_write", "CACHE WRITE", Show::Price, 10),
];

/// Columns in which a difference from the author's own endpoint can matter.
const COMPARED: [&str; 6] = [
    "input_usd_per_mtok",
    "output_usd_per_mtok",
    "cache_read_usd_per_mtok",
    "context_tokens",
    "max_output_tokens",
    "abilities",
];

/// Runs the command.
///
/// # Errors
/// There is no such model, an overlay is broken, or a field does not exist.
pub(crate) fn show(settings: &Settings, args: &ModelsShow) -> Outcome {
    let format =
        if settings.format.is_none() && !settings.out_is_terminal { Format::Table } else { settings.list_format()? };
    let now = args.at.at.unwrap_or_else(settings::now);
    let (catalog, overlays) = settings.catalog()?;
    let resolved = facts::model(&catalog, &args.model)?;
    let (store, warning) = settings.store_to_read();
    let warnings: Vec<String> = warning.into_iter().collect();
    let clock = move || now;
    let dispatcher = Dispatcher {
        catalog: &catalog,
        store: store.as_ref(),
        vars: &settings.vars,
        now: &clock,
        sandbox: None,
        region: settings.vars.plain("OPENMUX_REGION"),
    };
    let reaches = reaches(&dispatcher, &resolved, args.all);
    let missing =
        || CliError::new(super::contract::Exit::NotFound, "model", format!("no model is called \"{}\"", args.model));
    let model = catalog.model(&resolved.model).ok_or_else(missing)?;
    let mut sheet = sheet(&reaches, args, &facts::measured(store.as_ref(), now), now);
    sheet.sort(&args.list.sort.iter().map(|name| name.replace('-', "_")).collect::<Vec<_>>(), args.list.reverse)?;
    sheet.rows.truncate(args.list.limit.unwrap_or(usize::MAX));
    let printing = Printing {
        format,
        fields: &args.list.fields,
        width: settings.width,
        style: settings.out,
        envelope: settings.envelope(&catalog, overlays, now, &warnings),
    };
    match format {
        Format::Json => {
            let mut document = json::head("models.show/1", &printing.envelope);
            document.insert("data".to_owned(), model_json(&model, &resolved, &reaches));
            return print(&format!("{}\n", Value::Object(document)));
        }
        Format::Table | Format::Wide | Format::Text => {}
        _ => return print(&sheet.print(&printing)?.text),
    }
    let mut page = head(&model, &resolved, &reaches, settings, args, now);
    if args.prices {
        page += &price_sheets(&reaches);
        return print(&page);
    }
    let printed = sheet.print(&printing)?;
    page.push('\n');
    page += &printed.text;
    let outcome = print(&page)?;
    let mut text = format!(
        "* differs from the author's own endpoint. {}. OK and times: your own attempts of the last 72 hours, medians from \
         8 samples on. Catalog {}, {} days old.",
        facts::LEGEND,
        catalog.generated(),
        settings::age_days(&catalog, now)
    );
    if !printed.hidden.is_empty() {
        let _ = write!(text, " Hidden: {} (-o wide shows all).", printed.hidden.join(", "));
    }
    footer(settings, format, &text);
    Ok(outcome)
}

/// The endpoints that are shown: one a provider, or all; the pinned one alone where one was pinned.
fn reaches(dispatcher: &Dispatcher<'_>, resolved: &Resolved, all: bool) -> Vec<Reach> {
    let mut reaches = dispatcher.reach(&resolved.model, resolved.variant.as_deref(), all);
    if all && resolved.variant.is_none() {
        let endpoints = dispatcher.catalog.endpoints_for(&resolved.model);
        let variants: std::collections::BTreeSet<String> =
            endpoints.into_iter().flat_map(|endpoint| endpoint.variant).collect();
        for variant in variants {
            for reach in dispatcher.reach(&resolved.model, Some(&variant), true) {
                if reaches.iter().all(|known| known.endpoint.id != reach.endpoint.id) {
                    reaches.push(reach);
                }
            }
        }
    }
    if let Some(provider) = &resolved.provider {
        reaches.retain(|reach| reach.provider.id == *provider);
    }
    let own = own_provider(resolved.model.author());
    reaches.sort_by_key(|reach| {
        let kind = reach.provider.kind;
        (
            own != Some(reach.provider.id.as_str()),
            kind,
            reach.provider.id.clone(),
            reach.endpoint.id.upstream_model.clone(),
        )
    });
    reaches
}

fn sheet(
    reaches: &[Reach],
    args: &ModelsShow,
    measured: &std::collections::BTreeMap<crate::catalog::EndpointId, crate::observe::Measured>,
    now: Timestamp,
) -> Sheet {
    let mut columns = COLUMNS.to_vec();
    for column in &mut columns {
        match column.name {
            "call_usd" if args.tokens.is_some() => column.rank = 2,
            "upstream_model" | "region" if args.all => column.rank = 8,
            "decode_tps_p50" if args.unit == Unit::PerMinute => column.header = "TOK/MIN",
            _ => {}
        }
    }
    let rows: Vec<Vec<Cell>> =
        reaches.iter().map(|reach| row(reach, args, measured.get(&reach.endpoint.id), now)).collect();
    let own = reaches.first().and_then(|first| own_provider(first.endpoint.model.author()));
    let author = reaches.iter().position(|reach| own == Some(reach.provider.id.as_str()) && reach.endpoint.is_plain());
    let marked = author.map(|author| differences(&columns, &rows, author)).unwrap_or_default();
    Sheet { schema: "models.show/1", command: "models show", columns, rows, marked }
}

/// Cells that are known on both sides and differ from the author's row.
pub(crate) fn differences(columns: &[Column], rows: &[Vec<Cell>], author: usize) -> Vec<(usize, usize)> {
    let compared: Vec<usize> = (0..columns.len()).filter(|&at| COMPARED.contains(&columns[at].name)).collect();
    let mut marked = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for &at in &compared {
            let (own, other) = (&rows[author][at], &row[at]);
            let lettered = |cell: &Cell| columns[at].human(cell);
            if *own != Cell::Unknown && *other != Cell::Unknown && lettered(own) != lettered(other) {
                marked.push((number, at));
            }
        }
    }
    marked
}

fn row(reach: &Reach, args: &ModelsShow, measured: Option<&crate::observe::Measured>, now: Timestamp) -> Vec<Cell> {
    let endpoint = &reach.endpoint;
    let cells = facts::measured_cells(measured, args.unit);
    let call = args.tokens.and_then(|shape| facts::per_call(endpoint, shape, now));
    vec![
        Cell::Text(reach.provider.id.to_string()),
        Cell::Text(facts::kind(reach).to_owned()),
        facts::key(&reach.found),
        Cell::Text(endpoint.id.upstream_model.clone()),
        Cell::text(endpoint.region.clone()),
        facts::rate(endpoint, Item::Input),
        facts::rate(endpoint, Item::Output),
        facts::rate(endpoint, Item::CacheRead),
        Cell::money(call.map(|amount| amount.decimal())),
        Cell::count(endpoint.context.map(crate::units::Tokens::count)),
        Cell::count(endpoint.max_output.map(crate::units::Tokens::count)),
        Cell::Words(facts::abilities(&endpoint.capabilities, &endpoint.input)),
        Cell::Text(facts::compatibility(reach.protocol).to_owned()),
        cells.ttft,
        cells.speed,
        cells.availability,
        cells.ok,
        cells.samples,
        Cell::Text(endpoint.status.name().to_owned()),
        Cell::text(endpoint.sunset.clone()),
        Cell::text(endpoint.protocol.map(|protocol| protocol.name().to_owned())),
        if endpoint.variant.is_empty() { Cell::Unknown } else { Cell::Words(endpoint.variant.clone()) },
        Cell::text(endpoint.quant.clone()),
        endpoint.dispute.map_or(Cell::Unknown, |dispute| {
            let ((low, high), (low_out, high_out)) = (dispute.input, dispute.output);
            Cell::Text(format!("in {low} to {high}, out {low_out} to {high_out}"))
        }),
        facts::rate(endpoint, Item::CacheWrite),
    ]
}

/// The facts above the table.
fn head(
    model: &Model,
    resolved: &Resolved,
    reaches: &[Reach],
    settings: &Settings,
    args: &ModelsShow,
    now: Timestamp,
) -> String {
    let style = settings.out;
    let mut page = String::new();
    let id = model.id.to_string();
    let room = settings.width.clamp(40, 100);
    let gap = room.saturating_sub(text::width(&model.name) + text::width(&id)).max(2);
    let _ = writeln!(page, "{}{}{id}", style.bold(&model.name), " ".repeat(gap));
    if let Some(alias) = &resolved.via_alias {
        let _ = writeln!(page, "{}", style.dim(&format!("\"{alias}\" is an alias of it")));
    }
    page.push('\n');
    let mut line = |key: &str, value: &str| {
        for (at, part) in text::wrap(value, room.saturating_sub(14)).into_iter().enumerate() {
            let _ = writeln!(page, "  {:<12}{part}", if at == 0 { key } else { "" });
        }
    };
    line("Status", &status(reaches));
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let weights = match model.open_weights {
        Some(true) => "open",
        Some(false) => "closed",
        None => "-",
    };
    line(
        "Released",
        &format!("{}; knowledge until {}; weights {weights}", known(&model.released), known(&model.knowledge)),
    );
    let tokens = |count: Option<crate::units::Tokens>| {
        count.map_or_else(|| "-".to_owned(), |count| format!("{} tokens", text::grouped(count.count())))
    };
    line("Context", &format!("{}; longest answer {}", tokens(model.context), tokens(model.max_output)));
    if let Some(own) = reaches.first().filter(|reach| facts::kind(reach) == "official") {
        let names = facts::abilities(&own.endpoint.capabilities, &own.endpoint.input);
        if !names.is_empty() {
            line("Can", &names.join(", "));
        }
        let cannot = crate::catalog::Capability::ALL.into_iter().filter(|can| own.endpoint.can(*can));
        let cannot: Vec<&str> = cannot.filter_map(|can| can.name().strip_prefix("no_")).collect();
        if !cannot.is_empty() {
            line("Cannot", &cannot.join(", "));
        }
    }
    let priced = reaches.iter().filter(|reach| reach.endpoint.status != Status::Retired && reach.endpoint.is_plain());
    let cheapest = priced
        .filter_map(|reach| {
            let pricing = reach.endpoint.pricing.as_ref()?;
            let (input, output) = (pricing.base(Item::Input)?, pricing.base(Item::Output)?);
            Some((input, output, reach.provider.id.clone()))
        })
        .min();
    let count = reaches.iter().map(|reach| &reach.provider.id).collect::<std::collections::BTreeSet<_>>().len();
    let mut providers = format!("{count}");
    if let Some((input, output, provider)) = cheapest {
        let _ = write!(providers, "; cheapest {provider} {}/{}", money::per_mtok(input), money::per_mtok(output));
    }
    line("Providers", &providers);
    if let Some(shape) = args.tokens {
        line(
            "Call",
            &format!(
                "{} in + {} out, {} of the input cached; at {now}",
                text::grouped(shape.input.count()),
                text::grouped(shape.output.count()),
                text::grouped(shape.cached.count()),
            ),
        );
    }
    page
}

/// The status at the author's own provider, and where it differs elsewhere.
fn status(reaches: &[Reach]) -> String {
    let told = |endpoint: &Endpoint| match (&endpoint.status, &endpoint.sunset) {
        (Status::Retired, Some(day)) => format!("retired {day}"),
        (status, Some(day)) => format!("{}, ends {day}", status.name()),
        (status, None) => status.name().to_owned(),
    };
    let mut parts = Vec::new();
    let main = ["lab", "cloud"];
    for reach in reaches.iter().filter(|reach| reach.endpoint.is_plain()) {
        let first = parts.is_empty();
        let notable = reach.endpoint.status != Status::Active && main.contains(&reach.provider.kind.name());
        if first || notable {
            let part = format!("{} at {}", told(&reach.endpoint), reach.provider.id);
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

/// The whole price sheet of each provider, all billing items.
fn price_sheets(reaches: &[Reach]) -> String {
    let mut page = String::new();
    for reach in reaches {
        let endpoint = &reach.endpoint;
        let place = endpoint.region.as_ref().map(|region| format!(" ({region})")).unwrap_or_default();
        let _ = write!(page, "\n{}{place}  {}\n", reach.provider.id, endpoint.id.upstream_model);
        match &endpoint.pricing {
            None => page += "  price not known\n",
            Some(pricing) => page += &price_lines(pricing),
        }
        if let Some(dispute) = endpoint.dispute {
            let _ = writeln!(
                page,
                "  sources disagree: input {} to {}, output {} to {}",
                dispute.input.0, dispute.input.1, dispute.output.0, dispute.output.1
            );
        }
    }
    page
}

fn price_lines(pricing: &Pricing) -> String {
    let mut lines = String::new();
    let tiered = |rate: &Rate| {
        let tiers = rate.tiers.iter().map(|tier| {
            let size = text::grouped(tier.threshold.count());
            format!("; {} where input {} {size}", money::per_mtok(tier.price), tier.comparator.sign())
        });
        format!("{}{}", money::per_mtok(rate.base), tiers.collect::<String>())
    };
    for (item, rate) in &pricing.rates {
        let _ = writeln!(lines, "  {:<24}{} per 1M tokens", item.key(), tiered(rate));
    }
    for (service, rates) in &pricing.service {
        for (item, rate) in rates {
            let _ =
                writeln!(lines, "  {:<24}{} per 1M tokens", format!("{} {}", service.name(), item.key()), tiered(rate));
        }
    }
    for (item, fee) in &pricing.fees {
        let _ = writeln!(lines, "  {:<24}{}", item.key(), fee_text(*item, *fee));
    }
    if let Some(off_peak) = &pricing.off_peak {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let windows: Vec<String> = off_peak
            .windows
            .iter()
            .map(|window| {
                let days: Vec<String> = window.weekdays.iter().map(u8::to_string).collect();
                let days = if days.is_empty() { String::new() } else { format!(" on weekdays {}", days.join(",")) };
                format!("{}-{}{days}", clock(window.from), clock(window.to))
            })
            .collect();
        for (item, rate) in &off_peak.rates {
            let name = format!("off-peak {}", item.key());
            let _ = writeln!(lines, "  {name:<24}{} per 1M tokens", money::per_mtok(*rate));
        }
        let _ = writeln!(lines, "  {:<24}{} UTC", "off-peak hours", windows.join("; "));
    }
    lines
}

fn fee_text(item: FeeItem, fee: Fee) -> String {
    let what = match item {
        FeeItem::Request => "request",
        FeeItem::WebSearch => "search",
        FeeItem::InputImages | FeeItem::OutputImages => "image",
        FeeItem::InputSeconds | FeeItem::OutputSeconds => "second",
    };
    let per = if fee.per == 1 { what.to_owned() } else { format!("{} {what}s", text::grouped(u64::from(fee.per))) };
    format!("{} per {per}", money::price(fee.price.decimal()))
}

fn model_json(model: &Model, resolved: &Resolved, reaches: &[Reach]) -> Value {
    let mut object = Map::new();
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::from);
    let count = |tokens: Option<crate::units::Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    object.insert("id".to_owned(), model.id.as_str().into());
    object.insert("alias".to_owned(), text(&resolved.via_alias));
    object.insert("name".to_owned(), model.name.as_str().into());
    object.insert("vendor".to_owned(), model.id.author().into());
    object.insert("released".to_owned(), text(&model.released));
    object.insert("knowledge".to_owned(), text(&model.knowledge));
    object.insert("open_weights".to_owned(), model.open_weights.map_or(Value::Null, Value::from));
    object.insert("context_tokens".to_owned(), count(model.context));
    object.insert("max_output_tokens".to_owned(), count(model.max_output));
    object.insert("floating".to_owned(), model.floating.into());
    object.insert("endpoints".to_owned(), reaches.iter().map(endpoint_json).collect::<Vec<_>>().into());
    object.into()
}

/// One endpoint with its whole price sheet.
fn endpoint_json(reach: &Reach) -> Value {
    let endpoint = &reach.endpoint;
    let mut object = Map::new();
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::from);
    let count = |tokens: Option<crate::units::Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("provider", reach.provider.id.as_str().into());
    put("kind", facts::kind(reach).into());
    put("upstream_model", endpoint.id.upstream_model.as_str().into());
    put("region", text(&endpoint.region));
    put("variant", endpoint.variant.clone().into());
    put("quantization", text(&endpoint.quant));
    put("status", endpoint.status.name().into());
    put("retires", text(&endpoint.sunset));
    put("protocol", endpoint.protocol.map_or(Value::Null, |protocol| protocol.name().into()));
    put("api", facts::compatibility(reach.protocol).into());
    put("context_tokens", count(endpoint.context));
    put("max_input_tokens", count(endpoint.max_input));
    put("max_output_tokens", count(endpoint.max_output));
    put("abilities", facts::abilities(&endpoint.capabilities, &endpoint.input).into());
    put("reasoning_options", endpoint.reasoning_options.clone().into());
    put("price", endpoint.pricing.as_ref().map_or(Value::Null, pricing_json));
    put(
        "price_disputed",
        endpoint.dispute.map_or(Value::Null, |dispute| {
            let pair = |low: crate::units::UsdPerMtok, high: crate::units::UsdPerMtok| {
                Value::Array(vec![json::literal(&low.exact()), json::literal(&high.exact())])
            };
            let mut range = Map::new();
            range.insert("input".to_owned(), pair(dispute.input.0, dispute.input.1));
            range.insert("output".to_owned(), pair(dispute.output.0, dispute.output.1));
            range.into()
        }),
    );
    put("overlay", text(&endpoint.overlay));
    object.into()
}

fn pricing_json(pricing: &Pricing) -> Value {
    let rate_json = |rate: &Rate| {
        let mut object = Map::new();
        object.insert("usd_per_mtok".to_owned(), json::literal(&rate.base.exact()));
        let tiers: Vec<Value> = rate
            .tiers
            .iter()
            .map(|tier| {
                let mut object = Map::new();
                object.insert("input_tokens".to_owned(), tier.threshold.count().into());
                object.insert("comparator".to_owned(), tier.comparator.sign().into());
                object.insert("usd_per_mtok".to_owned(), json::literal(&tier.price.exact()));
                object.into()
            })
            .collect();
        if !tiers.is_empty() {
            object.insert("tiers".to_owned(), tiers.into());
        }
        Value::from(object)
    };
    let mut object = Map::new();
    for (item, rate) in &pricing.rates {
        object.insert(item.key().to_owned(), rate_json(rate));
    }
    for (service, rates) in &pricing.service {
        for (item, rate) in rates {
            object.insert(format!("{}_{}", service.name(), item.key()), rate_json(rate));
        }
    }
    for (item, fee) in &pricing.fees {
        let mut entry = Map::new();
        entry.insert("usd".to_owned(), json::literal(&fee.price.exact()));
        entry.insert("per".to_owned(), fee.per.into());
        object.insert(format!("fee_{}", item.key()), entry.into());
    }
    if let Some(off_peak) = &pricing.off_peak {
        let rates = off_peak.rates.iter();
        let rates: Map<String, Value> =
            rates.map(|(item, rate)| (item.key().to_owned(), json::literal(&rate.exact()))).collect();
        let windows = off_peak.windows.iter().map(|window| {
            let mut entry = Map::new();
            entry.insert("from_minute_utc".to_owned(), window.from.into());
            entry.insert("to_minute_utc".to_owned(), window.to.into());
            entry.insert("weekdays".to_owned(), window.weekdays.clone().into());
            Value::from(entry)
        });
        let mut entry = Map::new();
        entry.insert("windows".to_owned(), windows.collect::<Vec<_>>().into());
        entry.insert("usd_per_mtok".to_owned(), rates.into());
        object.insert("off_peak".to_owned(), entry.into());
    }
    object.into()
}
