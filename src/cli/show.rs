//! `openmux models show`: everything known about one model, and every provider of it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::args::{Format, ModelsShow};
use super::error::CliError;
use super::measured::{self, View};
use super::offline::{Offline, column_names};
use super::render::narrow::each_line;
use super::render::sheet::{Cell, Column, Mark, OTHER_RATES, Sheet, Show, UNCALLED};
use super::render::{json, model as page};
use super::settings::Settings;
use super::{Outcome, facts, print, print_page};
use crate::catalog::Catalog;
use crate::catalog::price::Item;
use crate::catalog::resolve::Resolved;
use crate::dispatch::{Dispatcher, Reach};

/// The columns before what was measured.
const BEFORE: [Column; 13] = [
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
];

/// The columns after it.
const AFTER: [Column; 10] = [
    Column::new("status", "", "STATUS", Show::Plain, 2),
    Column::new("retires", "", "RETIRES", Show::Plain, 10),
    Column::new("protocol", "", "PROTOCOL", Show::Plain, 10),
    Column::new("variant", "", "VARIANT", Show::Plain, 10),
    Column::new("quantization", "quant", "QUANT", Show::Plain, 10),
    Column::new("price_disputed", "disputed", "DISPUTED", Show::Plain, 10),
    Column::new("cache_write_usd_per_mtok", "cache_write", "CACHE WRITE", Show::Price, 10),
    Column::new("web_search_usd_per_1k", "web_search", "SEARCH $/K", Show::Price, 10),
    Column::new("max_input_tokens", "max_input", "MAX IN", Show::Tokens, 11),
    Column::new("request_usd", "request", "PER REQUEST", Show::Dollars, 11),
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
    let format = if settings.format.or(settings.listed).is_none() && !settings.out_is_terminal {
        Format::Table
    } else {
        settings.list_format()?
    };
    let offline = Offline::open(settings, args.at.at)?;
    let resolved = facts::model(&offline.catalog, &args.model)?;
    let reaches = reaches(&offline.dispatcher(None, None), &resolved, args.all);
    offline.is_about(reaches.iter().map(|reach| &reach.endpoint));
    let missing = || {
        CliError::new(super::contract::Exit::NotFound, "model", format!("no model is called \"{}\"", args.model))
            .fix("openmux models list")
    };
    let model = offline.catalog.model(&resolved.model).ok_or_else(missing)?;
    let input = args.tokens.map_or(crate::units::Tokens::new(1_000), |shape| shape.input);
    let measured = View::read(&offline, &args.window, args.unit, input, format);
    let mut sheet = sheet(&reaches, args, &measured, offline.now);
    let sort = column_names(&args.list.sort);
    // A document holds the rows of the list, and more of each.
    let laid = if format == Format::Json { Format::Jsonl } else { format };
    let (printed, _) = offline.lay_out(&mut sheet, laid, &args.list, &sort, args.list.reverse)?;
    match format {
        Format::Json => {
            let mut document = json::head("models.show/1", &offline.envelope());
            let whole = args.list.fields.is_empty();
            let rows = endpoints(&printed.text, &reaches, whole.then_some(&offline.catalog))?;
            let stands_for = resolved.via_alias.as_deref().and_then(|name| offline.catalog.own_name(name));
            document.insert("data".to_owned(), page::json(&model, (&resolved, stands_for), rows));
            return print(&format!("{}\n", Value::Object(document)));
        }
        Format::Table | Format::Wide | Format::Text => {}
        _ => return print(&printed.text),
    }
    let view = page::View { width: settings.width, style: settings.out, shape: args.tokens, now: offline.now };
    let mut head = page::head(&model, called(&offline, &resolved).as_deref(), &reaches, view);
    if args.prices {
        head += &each_line(&page::price_sheets(&reaches), settings.width.max(40));
        return print_page(settings, &head);
    }
    head.push('\n');
    head += &printed.text;
    let legend = format!(
        "* differs from the author's own endpoint, ~ sources disagree{}. {}. {}.",
        legend(&sheet),
        measured.legend(),
        facts::LEGEND
    );
    offline.close(&head, format, &legend, &printed.hidden)
}

/// Why a name that is no id means the model: an alias of the user's own with its place, or a published one.
fn called(offline: &Offline<'_>, resolved: &Resolved) -> Option<String> {
    let name = resolved.via_alias.as_deref()?;
    let Some(target) = offline.catalog.own_name(name) else { return Some(format!("\"{name}\" is an alias of it")) };
    let key = format!("aliases.{name}");
    let place = offline.settings.config.entries().iter().find(|entry| entry.key == key);
    let place = place.map(|entry| format!(" ({})", entry.place())).unwrap_or_default();
    Some(format!("\"{name}\" stands for {target}{place}"))
}

/// The endpoints that are shown: one a provider, or all; the pinned one alone where one was pinned.
fn reaches(dispatcher: &Dispatcher<'_>, resolved: &Resolved, all: bool) -> Vec<Reach> {
    let mut reaches = dispatcher.reach_shown(&resolved.model, resolved.variant.as_deref(), all);
    if all && resolved.variant.is_none() {
        let endpoints = dispatcher.catalog.endpoints_for(&resolved.model);
        let variants: std::collections::BTreeSet<String> =
            endpoints.into_iter().flat_map(|endpoint| endpoint.variant).collect();
        for variant in variants {
            for reach in dispatcher.reach_shown(&resolved.model, Some(&variant), true) {
                if reaches.iter().all(|known| known.endpoint.id != reach.endpoint.id) {
                    reaches.push(reach);
                }
            }
        }
    }
    if let Some(provider) = &resolved.provider {
        reaches.retain(|reach| reach.provider.id == *provider);
    }
    let own = Catalog::own_provider(resolved.model.author());
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

/// Rows, a line each, as objects; `whole` adds what only a document has room for, the price sheet first of all.
fn endpoints(lines: &str, reaches: &[Reach], whole: Option<&Catalog>) -> Result<Vec<Value>, CliError> {
    let read = |line: &str| {
        let mut object: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| CliError::bug("row", error.to_string()))?;
        let is = |key: &str, value: &str| object.get(key).is_some_and(|known| known == value);
        let reach = reaches.iter().find(|reach| {
            is("provider", reach.provider.id.as_str()) && is("upstream_model", &reach.endpoint.id.upstream_model)
        });
        if let (Some(reach), Some(catalog)) = (reach, whole) {
            object.extend(page::endpoint_json(reach));
            object.insert("dated".to_owned(), catalog.day_of(&reach.endpoint).into());
        }
        Ok(Value::Object(object))
    };
    lines.lines().map(read).collect()
}

fn sheet(reaches: &[Reach], args: &ModelsShow, measured: &View, now: Timestamp) -> Sheet {
    let mut columns = [&BEFORE[..], &measured::COLUMNS, &AFTER].concat();
    measured.tune(&mut columns, reaches.iter().map(|reach| &reach.endpoint.id), (2, 8));
    let known = reaches.iter().any(|reach| measured.has(&reach.endpoint.id));
    for column in &mut columns {
        match column.name {
            "call_usd" if args.tokens.is_some() => column.rank = 2,
            "upstream_model" | "region" if args.all => column.rank = 8,
            // What was measured tells providers of one model apart better than what they all have.
            "context_tokens" if known => column.rank = 5,
            "kind" if known => column.rank = 6,
            _ => {}
        }
    }
    let rows = reaches.iter().map(|reach| row(reach, args, measured.cells(&reach.endpoint.id), now));
    let (rows, other): (Vec<Vec<Cell>>, Vec<bool>) = rows.unzip();
    let own = reaches.first().and_then(|first| Catalog::own_provider(first.endpoint.model.author()));
    let author = reaches.iter().position(|reach| own == Some(reach.provider.id.as_str()) && reach.endpoint.is_plain());
    let mut marked = author.map(|author| differences(&columns, &rows, author)).unwrap_or_default();
    marked.extend(disputed(&columns, &rows));
    marked.extend(other_rates(&columns, other.into_iter()));
    marked.extend(uncalled(reaches.iter().map(|reach| facts::is_uncalled(&reach.provider))));
    marked.extend(measured.marks(&columns, reaches.iter().map(|reach| Some(&reach.endpoint.id))));
    Sheet { schema: "models.show/1", command: "models show", columns, rows, marked }
}

/// Cells that are known on both sides and differ from the author's row.
pub(crate) fn differences(columns: &[Column], rows: &[Vec<Cell>], author: usize) -> Vec<Mark> {
    let compared: Vec<usize> = (0..columns.len()).filter(|&at| COMPARED.contains(&columns[at].name)).collect();
    let mut marked = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for &at in &compared {
            let (own, other) = (&rows[author][at], &row[at]);
            let lettered = |cell: &Cell| columns[at].human(cell);
            let unknown = |cell: &Cell| *cell == Cell::Unknown || *cell == Cell::Words(Box::default());
            if !unknown(own) && !unknown(other) && lettered(own) != lettered(other) {
                marked.push(Mark { row: number, column: at, sign: '*' });
            }
        }
    }
    marked
}

/// Prices on which sources disagree.
pub(crate) fn disputed(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<Mark> {
    let Some(told) = columns.iter().position(|column| column.name == "price_disputed") else { return Vec::new() };
    let prices: Vec<usize> = (0..columns.len())
        .filter(|&at| ["input_usd_per_mtok", "output_usd_per_mtok"].contains(&columns[at].name))
        .collect();
    let in_dispute = (0..rows.len()).filter(|&row| rows[row][told].is_yes());
    in_dispute.flat_map(|row| prices.iter().map(move |&column| Mark { row, column, sign: '~' })).collect()
}

/// Prices of a call that do not come out of the rates beside them.
pub(crate) fn other_rates(columns: &[Column], rows: impl Iterator<Item = bool>) -> Vec<Mark> {
    let Some(column) = columns.iter().position(|column| column.name == "call_usd") else { return Vec::new() };
    let rows = rows.enumerate().filter(|(_, is_other)| *is_other);
    rows.map(|(row, _)| Mark { row, column, sign: OTHER_RATES }).collect()
}

/// Providers that are never called.
pub(crate) fn uncalled(rows: impl Iterator<Item = bool>) -> Vec<Mark> {
    let rows = rows.enumerate().filter(|(_, uncalled)| *uncalled);
    rows.map(|(row, _)| Mark { row, column: 0, sign: UNCALLED }).collect()
}

/// What the marks of other rates and of who is not called mean, where there are any.
pub(crate) fn legend(sheet: &Sheet) -> String {
    let has = |sign| sheet.marked.iter().any(|mark| mark.sign == sign);
    let rates = ", + with other rates than these (off-peak hours, its size) or a fee a request";
    let uncalled = ", ! known from a fetched list alone, and not called";
    [(OTHER_RATES, rates), (UNCALLED, uncalled)]
        .into_iter()
        .filter(|(sign, _)| has(*sign))
        .map(|(_, told)| told)
        .collect()
}

/// The cells of an endpoint, and whether the price of a call does not come out of the rates among them.
fn row(reach: &Reach, args: &ModelsShow, measured: Vec<Cell>, now: Timestamp) -> (Vec<Cell>, bool) {
    let endpoint = &reach.endpoint;
    let (call, is_other) = args.tokens.map(|shape| facts::call(endpoint, shape, now)).unwrap_or_default();
    let mut cells = vec![
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
        Cell::words(facts::abilities(&endpoint.capabilities, &endpoint.input)),
        Cell::Text(facts::compatibility(reach.protocol).to_owned()),
    ];
    cells.extend(measured);
    cells.extend([
        Cell::Text(endpoint.status.name().to_owned()),
        Cell::text(endpoint.sunset.clone()),
        Cell::text(endpoint.protocol.map(|protocol| protocol.name().to_owned())),
        match Cell::words(endpoint.variant.clone()) {
            none if endpoint.variant.is_empty() => none.told("-"),
            words => words,
        },
        Cell::text(endpoint.quant.clone()),
        endpoint.dispute.map_or_else(
            || Cell::Flag(false).told("-"),
            |dispute| {
                let ((low, high), (low_out, high_out)) = (dispute.input, dispute.output);
                Cell::Flag(true).told(format!("in {low} to {high}, out {low_out} to {high_out}"))
            },
        ),
        facts::rate(endpoint, Item::CacheWrite),
        facts::web_search(endpoint),
        Cell::count(endpoint.max_input.map(crate::units::Tokens::count)),
        facts::per_request(endpoint),
    ]);
    (cells, is_other)
}
