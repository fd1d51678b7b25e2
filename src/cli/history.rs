//! `openmux providers history`: how an endpoint did, hour by hour or day by day, as this machine saw it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::args::{Format, ProvidersHistory, Step, Unit};
use super::contract::Exit;
use super::error::CliError;
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::usage::begins;
use super::{Outcome, facts, note};
use crate::catalog::{ModelId, ProviderId};
use crate::observe::{Measured, Observation, decode_speed};

const COLUMNS: [Column; 12] = [
    Column::new("from", "", "FROM (UTC)", Show::Plain, 0),
    Column::new("provider", "", "PROVIDER", Show::Plain, 1),
    Column::new("model", "", "MODEL", Show::Plain, 2),
    Column::new("attempts", "", "ATTEMPTS", Show::Number, 3),
    Column::new("successes", "", "OK", Show::Number, 4),
    Column::new("provider_faults", "faults", "FAULTS", Show::Number, 3),
    Column::new("rate_limited", "limited", "LIMITED", Show::Number, 4),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 5),
    Column::new("availability_low", "", "AT LEAST", Show::Percent, 6),
    Column::new("health", "", "STATE", Show::Plain, 2),
    Column::new("ttft_p50_ms", "ttft", "TTFT", Show::Millis, 1),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 1),
];

/// Runs the command.
///
/// # Errors
/// There is no such provider or model, or the measurements cannot be read.
pub(crate) fn history(settings: &Settings, args: &ProvidersHistory) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, None)?;
    let of = Of::find(&offline, &args.of)?;
    let since = begins(&args.since, offline.now);
    let until = offline.now.checked_add(std::time::Duration::from_secs(1)).unwrap_or(offline.now);
    let attempts = offline.store.attempts(since, until).map_err(|error| {
        CliError::new(Exit::Config, "store", "the measurements cannot be read").fact("reason", error.to_string())
    })?;
    let mut spans: BTreeMap<(String, ProviderId, ModelId), (Measured, u64)> = BTreeMap::new();
    for seen in attempts.iter().filter(|seen| of.holds(seen)) {
        let key = (span(seen.at, args.by), seen.endpoint.provider.clone(), seen.model.clone());
        let (measured, count) = spans.entry(key).or_default();
        let ttft = seen.counted_ttft().and_then(|ttft| u64::try_from(ttft.as_micros()).ok());
        measured.add(seen.at, seen.class, ttft, decode_speed(seen));
        *count += 1;
    }
    let bars = bars(&spans);
    let mut columns = COLUMNS.to_vec();
    if args.unit == Unit::PerMinute {
        columns.last_mut().into_iter().for_each(|column| column.header = "TOK/MIN");
    }
    let rows = spans.into_iter().map(|(key, (measured, count))| row(key, &measured, count, args.unit)).collect();
    let mut sheet =
        Sheet { schema: "providers.history/1", command: "providers history", columns, rows, marked: Vec::new() };
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        note(settings, &format!("nothing was measured of {} in that time", args.of));
    }
    // A picture helps a person, and nobody else.
    let drawn = matches!(format, Format::Table | Format::Wide) && settings.out_is_terminal;
    let text = if drawn && found > 2 { format!("{}{bars}", printed.text) } else { printed.text };
    let legend = "What this machine saw, probes and calls alike. STATE needs enough attempts to be anything but unknown; \
                  medians need 8 samples.";
    offline.close(&text, format, legend, &printed.hidden)
}

/// What the history is of.
enum Of {
    Provider(ProviderId),
    Model(ModelId),
}

impl Of {
    fn find(offline: &Offline<'_>, typed: &str) -> Result<Self, CliError> {
        let provider = ProviderId::new(typed.to_lowercase());
        if offline.catalog.provider(&provider).is_some() {
            return Ok(Self::Provider(provider));
        }
        facts::model(&offline.catalog, typed).map(|resolved| Self::Model(resolved.model))
    }

    fn holds(&self, seen: &Observation) -> bool {
        match self {
            Self::Provider(id) => seen.endpoint.provider == *id,
            Self::Model(id) => seen.model == *id,
        }
    }
}

/// The hour or the day of a moment, UTC.
fn span(at: Timestamp, by: Step) -> String {
    let text = at.to_string();
    match by {
        Step::Day => text.chars().take(10).collect(),
        Step::Hour => text.chars().take(13).collect::<String>() + ":00",
    }
}

fn row(
    (from, provider, model): (String, ProviderId, ModelId),
    measured: &Measured,
    attempts: u64,
    unit: Unit,
) -> Vec<Cell> {
    let cells = facts::measured_cells(Some(measured), unit, Timestamp::UNIX_EPOCH);
    vec![
        Cell::Text(from),
        Cell::Text(provider.to_string()),
        Cell::Text(model.to_string()),
        Cell::Count(attempts),
        Cell::Count(u64::from(measured.successes)),
        Cell::Count(u64::from(measured.faults)),
        Cell::Count(u64::from(measured.limited)),
        cells.availability,
        measured.availability_interval().map_or(Cell::Unknown, |(low, _)| Cell::Figure(low, 4)),
        Cell::Text(measured.health().name().to_owned()),
        cells.ttft,
        cells.speed,
    ]
}

/// One line of bars: the attempts of each span, by the share that was a whole answer.
fn bars(spans: &BTreeMap<(String, ProviderId, ModelId), (Measured, u64)>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut by_provider: BTreeMap<&ProviderId, String> = BTreeMap::new();
    for ((_, provider, _), (measured, _)) in spans {
        let sign = measured.availability().map_or('·', |share| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies in 0 to 1")]
            let step = (share * 7.0) as usize;
            BARS[step.min(7)]
        });
        by_provider.entry(provider).or_default().push(sign);
    }
    by_provider.into_iter().map(|(provider, line)| format!("\n{provider}  {line}")).collect::<String>() + "\n"
}
