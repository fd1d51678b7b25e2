//! `openmux usage`: what was spent, by day, model, provider, source or price sheet, from the attempts that this machine
//! kept; what was expected beside it, and what is left of today's budgets.

mod budget;
mod each;

use std::time::Duration;

use budget::Budgets;
use jiff::Timestamp;

use super::args::{Format, Since, UsageArgs};
use super::contract::Exit;
use super::error::CliError;
use super::offline::{Offline, column_names};
use super::render::money::dollars;
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, day, facts, note};
use crate::catalog::{EndpointId, ModelId};
use crate::observe::ledger::{self, By, Line};
use crate::observe::{Observation, Source};
use crate::units::Usd;

/// The columns after the keys.
const COLUMNS: [Column; 19] = [
    Column::new("requests", "", "REQUESTS", Show::Number, 1),
    Column::new("attempts", "", "ATTEMPTS", Show::Number, 6),
    Column::new("successes", "", "OK", Show::Number, 7),
    Column::new("input_tokens", "input", "IN", Show::Tokens, 2),
    Column::new("cached_tokens", "cached", "CACHED", Show::Tokens, 8),
    Column::new("output_tokens", "output", "OUT", Show::Tokens, 2),
    Column::new("reasoning_tokens", "reasoning", "THOUGHT", Show::Tokens, 9),
    Column::new("cost_usd", "cost", "COST", Show::Dollars, 0),
    Column::new("sheet_usd", "", "BY THE SHEET", Show::Dollars, 10),
    Column::new("billed_usd", "", "BILLED", Show::Dollars, 10),
    Column::new("drift_usd", "", "DRIFT", Show::Dollars, 10),
    Column::new("unknown_cost", "unknown", "COST UNKNOWN", Show::Number, 3),
    Column::new("unknown_cost_failed", "", "OF FAILURES", Show::Number, 10),
    Column::new("unknown_cost_bound_usd", "at_most", "AT MOST", Show::Dollars, 10),
    Column::new("unknown_cost_unbounded", "", "UNBOUNDED", Show::Number, 11),
    Column::new("expected_usd", "expected", "EXPECTED", Show::Dollars, 5),
    Column::new("cost_over_expected", "over", "OFF BY", Show::Change, 4),
    Column::new("expected_attempts", "", "FORECAST", Show::Number, 11),
    Column::new("drifted_attempts", "", "DRIFTED", Show::Number, 11),
];

/// Runs the command.
///
/// # Errors
/// A key, a source or a field does not exist, or the measurements cannot be read.
pub(crate) fn usage(settings: &Settings, args: &UsageArgs) -> Outcome {
    let format = settings.list_format()?;
    let by = keys(&args.by)?;
    let sources = sources(&args.source)?;
    let offline = Offline::open(settings, args.at.at)?;
    let models = args
        .model
        .iter()
        .map(|name| facts::model(&offline.catalog, name).map(|found| found.model))
        .collect::<Result<Vec<_>, _>>()?;
    let (since, until) = (begins(&args.since, offline.now), ends(args.until.as_deref(), offline.now));
    let attempts = offline.store.attempts(since, until).map_err(|error| CliError::no_measurements(&error))?;
    let of = |endpoint: &EndpointId, model: &ModelId| {
        (models.is_empty() || models.contains(model))
            && (args.provider.is_empty() || args.provider.iter().any(|id| id == endpoint.provider.as_str()))
    };
    older(&offline, &attempts, since, &of);
    let wanted =
        |seen: &Observation| of(&seen.endpoint, &seen.model) && (sources.is_empty() || sources.contains(&seen.source));
    let attempts: Vec<Observation> = attempts.into_iter().filter(wanted).collect();
    let total = ledger::sum(&attempts, &[]).into_iter().next().unwrap_or_default();
    told(&offline, &total, &attempts);
    let budgets = Budgets::today(&offline);
    budgets.told().for_each(|line| note(settings, &line));
    if args.each {
        return each::print(&offline, args, format, &attempts);
    }
    let mut columns: Vec<Column> = by.iter().map(|by| key_column(*by)).collect();
    columns.extend(COLUMNS);
    for column in &mut columns {
        match column.name {
            "billed_usd" | "drift_usd" if total.drifted > 0 => column.rank = 3,
            "unknown_cost" if total.unknown == 0 => column.rank = 10,
            "unknown_cost_bound_usd" if total.unknown > 0 => column.rank = 3,
            _ => {}
        }
    }
    let rows = ledger::sum(&attempts, &by).into_iter().map(row).collect();
    let mut sheet = Sheet { schema: "usage/1", command: "usage", columns, rows, marked: Vec::new() };
    let mut sort = column_names(&args.list.sort);
    let mut reverse = args.list.reverse;
    // The dearest first, unless the rows are a calendar.
    if sort.is_empty() && by.first() != Some(&By::Day) {
        sort.push("cost_usd".to_owned());
        reverse = !reverse;
    }
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, reverse)?;
    if found == 0 {
        note(settings, "nothing was sent in that time");
    }
    if found == 0 && format.is_page() {
        // An empty table's headings would look like a result.
        return Ok(Exit::Ok);
    }
    let legend = format!(
        "{} requests, {} attempts, ${} from {} to {} UTC. COST is the provider's own bill where it gave one, else the \
         catalog's sheet at the time of the call. EXPECTED is what the decisions expected of the attempts whose cost is \
         known, OFF BY how far the sheet's figure lies above it.",
        total.requests,
        total.attempts,
        total.spent.exact(),
        day::of(since),
        day::of(until)
    );
    let text = if format == Format::Json { budgets.with(&printed.text) } else { printed.text };
    offline.close(&text, format, &legend, &printed.hidden)
}

/// What a person should know beside the sums, whatever their form.
fn told(offline: &Offline<'_>, total: &Line, attempts: &[Observation]) {
    let settings = offline.settings;
    if total.unknown > 0 {
        note(settings, &unknown(total));
    }
    for line in ledger::sum(attempts, &[By::Provider]).iter().filter(|line| line.drifted > 0) {
        let Some((billed, cost)) = line.billed else { continue };
        note(
            settings,
            &format!(
                "{} billed {} where the catalog's sheet says {} ({} of {} attempts differ): COST is the bill",
                line.keys.join(" "),
                dollars(billed),
                dollars(cost),
                line.drifted,
                line.attempts
            ),
        );
    }
}

/// What cannot be read attempt by attempt any more is at least said: of these models and providers, whatever the source.
fn older(offline: &Offline<'_>, all: &[Observation], since: Timestamp, of: &dyn Fn(&EndpointId, &ModelId) -> bool) {
    let Some(whole) = offline.store.oldest().ok().flatten().filter(|whole| *whole > since) else { return };
    let hours = offline.store.hours(since, whole).unwrap_or_default();
    let mut sum = (0_u64, Usd::ZERO);
    for hour in hours.iter().filter(|hour| hour.at < whole && of(&hour.endpoint, &hour.model)) {
        sum = (sum.0 + hour.classes.values().sum::<u64>(), sum.1 + hour.cost);
    }
    // Of the hour in which the rows begin some are still rows.
    for seen in all.iter().filter(|seen| seen.at < whole && of(&seen.endpoint, &seen.model)) {
        sum = (sum.0.saturating_sub(1), sum.1 - seen.cost.unwrap_or_default());
    }
    if sum.0 > 0 {
        let text = format!(
            "{} attempts before {}, {} by the sheets, are kept as hourly sums only and are not in these rows",
            sum.0,
            day::of(whole),
            dollars(sum.1)
        );
        note(offline.settings, &text);
    }
}

fn unknown(total: &Line) -> String {
    let attempts = if total.unknown == 1 { "attempt" } else { "attempts" };
    let bound = match (total.unbounded, total.unknown_bound) {
        (0, bound) => format!("at most {}", dollars(bound)),
        (all, _) if all == total.unknown => "no bound is known".to_owned(),
        (some, bound) => {
            format!("at most {} for {} of them, and no bound is known for {some}", dollars(bound), total.unknown - some)
        }
    };
    format!(
        "{} {attempts} may have been billed and nobody said how much ({} of them failed): {bound}, not in COST",
        total.unknown, total.unknown_failed
    )
}

fn keys(typed: &[String]) -> Result<Vec<By>, CliError> {
    let names = By::ALL.map(By::name);
    let key = |name: &String| {
        let error = || CliError::usage(format!("usage is not summed by \"{name}\"")).one_of(name, &names, "keys");
        By::parse(name).ok_or_else(error)
    };
    typed.iter().map(key).collect()
}

fn sources(typed: &[String]) -> Result<Vec<Source>, CliError> {
    let all = [Source::Chat, Source::Probe, Source::Gateway];
    let source = |name: &String| {
        all.into_iter().find(|source| source.name() == name).ok_or_else(|| {
            let names = all.map(Source::name);
            CliError::usage(format!("there is no source \"{name}\"")).one_of(name, &names, "sources")
        })
    };
    typed.iter().map(source).collect()
}

const fn key_column(by: By) -> Column {
    match by {
        By::Day => Column::new("day", "", "DAY", Show::Plain, 0),
        By::Model => Column::new("model", "", "MODEL", Show::Plain, 0),
        By::Provider => Column::new("provider", "", "PROVIDER", Show::Plain, 0),
        By::Source => Column::new("source", "", "SOURCE", Show::Plain, 0),
        By::Sheet => Column::new("price_sheet", "sheet", "PRICE SHEET", Show::Plain, 0),
    }
}

fn row(line: Line) -> Vec<Cell> {
    let money = |amount: Usd| Cell::Money(amount.decimal());
    let mut cells: Vec<Cell> = line.keys.into_iter().map(Cell::Text).collect();
    let drift = line.billed.map(|(billed, cost)| billed.decimal() - cost.decimal());
    cells.extend([
        Cell::Count(line.requests),
        Cell::Count(line.attempts),
        Cell::Count(line.successes),
        Cell::Count(line.input.count()),
        Cell::Count(line.cached.count()),
        Cell::Count(line.output.count()),
        Cell::Count(line.reasoning.count()),
        money(line.spent),
        money(line.cost),
        Cell::money(line.billed.map(|(billed, _)| billed.decimal())),
        Cell::money(drift),
        Cell::Count(line.unknown),
        Cell::Count(line.unknown_failed),
        Cell::money((line.unknown > line.unbounded).then(|| line.unknown_bound.decimal())),
        Cell::Count(line.unbounded),
        Cell::money(line.expected.map(|(expected, _)| expected.decimal())),
        Cell::money(line.expected.and_then(|(expected, cost)| cost.above(expected))),
        Cell::Count(line.forecast),
        Cell::Count(line.drifted),
    ]);
    cells
}

/// The moment at which a span begins.
pub(crate) fn begins(since: &Since, now: Timestamp) -> Timestamp {
    match since {
        Since::Ago(seconds) => now.checked_sub(Duration::from_secs(*seconds)).unwrap_or(Timestamp::UNIX_EPOCH),
        Since::Day(day) => day::midnight(day).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// The moment before which it ends: the midnight after a day, or just after now.
fn ends(until: Option<&str>, now: Timestamp) -> Timestamp {
    let after = until.and_then(day::midnight).and_then(|at| at.checked_add(Duration::from_secs(86_400)).ok());
    after.unwrap_or_else(|| now.checked_add(Duration::from_secs(1)).unwrap_or(now))
}
