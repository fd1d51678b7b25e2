//! `openmux usage --each`: the attempts themselves, for export.

use super::super::args::{Format, UsageArgs};
use super::super::contract::Exit;
use super::super::offline::{Offline, column_names};
use super::super::render::sheet::{Cell, Column, Sheet, Show};
use super::super::{Outcome, note};
use crate::catalog::price::SheetVersion;
use crate::observe::ledger::drift;
use crate::observe::{CostState, Observation};
use crate::units::{Tokens, Usd};
use data_encoding::HEXLOWER;

const COLUMNS: [Column; 20] = [
    Column::new("at", "", "AT (UTC)", Show::Plain, 0),
    Column::new("source", "", "SOURCE", Show::Plain, 5),
    Column::new("provider", "", "PROVIDER", Show::Plain, 1),
    Column::new("model", "", "MODEL", Show::Plain, 2),
    Column::new("class", "", "ENDED", Show::Plain, 1),
    Column::new("input_tokens", "input", "IN", Show::Tokens, 4),
    Column::new("cached_tokens", "cached", "CACHED", Show::Tokens, 9),
    Column::new("cache_write_tokens", "", "WRITTEN", Show::Tokens, 10),
    Column::new("output_tokens", "output", "OUT", Show::Tokens, 4),
    Column::new("reasoning_tokens", "reasoning", "THOUGHT", Show::Tokens, 9),
    Column::new("expected_usd", "expected", "EXPECTED", Show::Dollars, 3),
    Column::new("cost_usd", "cost", "COST", Show::Dollars, 0),
    Column::new("billed_usd", "billed", "BILLED", Show::Dollars, 6),
    Column::new("drift_usd", "drift", "DRIFT", Show::Dollars, 7),
    Column::new("cost_state", "", "COST IS", Show::Plain, 3),
    Column::new("bound_usd", "bound", "AT MOST", Show::Dollars, 8),
    Column::new("price_sheet", "sheet", "PRICE SHEET", Show::Plain, 10),
    Column::new("price_sheet_sha256", "", "SHEET HASH", Show::Plain, 11),
    Column::new("request", "", "REQUEST", Show::Plain, 10),
    Column::new("upstream_model", "wire_id", "WIRE ID", Show::Plain, 10),
];

/// Prints the attempts, oldest first.
///
/// # Errors
/// A field does not exist, or stdout cannot be written.
pub(super) fn print(offline: &Offline<'_>, args: &UsageArgs, format: Format, attempts: &[Observation]) -> Outcome {
    let rows = attempts.iter().map(row).collect();
    let mut sheet =
        Sheet { schema: "usage.each/1", command: "usage --each", columns: COLUMNS.to_vec(), rows, marked: Vec::new() };
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        note(offline.settings, "nothing was sent in that time");
    }
    if found == 0 && format.is_page() {
        return Ok(Exit::Ok);
    }
    let legend =
        format!("{found} attempts; those of one request share its REQUEST. COST is by the sheet of PRICE SHEET.");
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

fn row(seen: &Observation) -> Vec<Cell> {
    let usage = seen.usage.clone().unwrap_or_default();
    let count = |tokens: Option<Tokens>| Cell::count(tokens.map(Tokens::count));
    let money = |amount: Option<Usd>| Cell::money(amount.map(Usd::decimal));
    let state = match (seen.billed, seen.cost_state) {
        (Some(_), _) => "billed",
        (None, CostState::Exact) => "exact",
        (None, CostState::None) => "none",
        (None, CostState::Unknown) => "unknown",
    };
    let sheet = seen.asked.sheet.as_deref();
    vec![
        Cell::Text(seen.at.to_string()),
        Cell::Text(seen.source.name().to_owned()),
        Cell::Text(seen.endpoint.provider.to_string()),
        Cell::Text(seen.model.to_string()),
        Cell::Text(seen.class.name().to_owned()),
        count(usage.input),
        count(usage.cache_read),
        count(usage.cache_write),
        count(usage.output),
        count(usage.reasoning),
        money(seen.asked.expected),
        money(seen.cost),
        money(seen.billed),
        money(drift(seen)),
        Cell::Text(state.to_owned()),
        money(seen.asked.bound),
        Cell::text(sheet.map(SheetVersion::name)),
        Cell::text(sheet.map(|sheet| sheet.sha256.clone())),
        Cell::Text(HEXLOWER.encode(&seen.group[..4])),
        Cell::Text(seen.endpoint.upstream_model.clone()),
    ]
}
