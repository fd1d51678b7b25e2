//! What a probe found, as a list, and what is said of the calls that failed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::args::{Format, ProvidersProbe};
use super::super::error::CliError;
use super::super::offline::{Offline, column_names};
use super::super::render::sheet::{Cell, Column, Sheet, Show};
use super::super::render::text::duration;
use super::Found;
use crate::observe::ErrorClass;
use crate::probe::report::Line;
use crate::probe::run::{Ended, Sample};

const COLUMNS: [Column; 19] = [
    Column::new("provider", "id", "PROVIDER", Show::Plain, 0),
    Column::new("model", "", "MODEL", Show::Plain, 10),
    Column::new("order_settled", "settled", "≈", Show::Near, 0),
    Column::new("ttft_p50_ms", "ttft", "TTFT P50", Show::Millis, 0),
    Column::new("ttft_min_ms", "min", "MIN", Show::Millis, 1),
    Column::new("ttft_max_ms", "max", "MAX", Show::Millis, 1),
    Column::new("ttft_p50_low_ms", "low", "AT LEAST", Show::Millis, 6),
    Column::new("ttft_p50_high_ms", "high", "AT MOST", Show::Millis, 6),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 2),
    Column::new("decode_why", "", "NO TOK/S", Show::Plain, 10),
    Column::new("total_p50_ms", "total", "TOTAL P50", Show::Millis, 4),
    Column::new("ok", "", "OK", Show::Number, 0),
    Column::new("cost_usd", "cost", "COST", Show::Dollars, 3),
    Column::new("attempts", "", "ATTEMPTS", Show::Number, 10),
    Column::new("successes", "", "SUCCESSES", Show::Number, 10),
    Column::new("times_above", "", "TIMES ABOVE", Show::Number, 10),
    Column::new("unknown_cost", "unknown", "COST UNKNOWN", Show::Number, 10),
    Column::new("ended", "", "ENDED", Show::Plain, 10),
    Column::new("upstream_model", "", "UPSTREAM MODEL", Show::Plain, 10),
];

/// Prints the list.
///
/// # Errors
/// A field does not exist, or stdout cannot be written.
pub(super) fn print(
    offline: &Offline<'_>,
    args: &ProvidersProbe,
    format: Format,
    found: &Found,
    lines: &[Line],
) -> Result<(), CliError> {
    let mut columns = COLUMNS.to_vec();
    let several = found.targets.windows(2).any(|pair| pair[0].model != pair[1].model);
    if several {
        columns[1].rank = 0;
    }
    let rows = lines.iter().map(|line| row(found, line)).collect();
    let mut sheet =
        Sheet { schema: "providers.probe/1", command: "providers probe", columns, rows, marked: Vec::new() };
    let sort = column_names(&args.list.sort);
    let (printed, _) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    let legend = "The fastest first; ≈: not told apart from the line above. A median needs 8 answers; it lies between AT \
                  LEAST and AT MOST with 95 % confidence. Failed calls are not in the times.";
    offline.close(&printed.text, format, legend, &printed.hidden).map(|_| ())
}

fn row(found: &Found, line: &Line) -> Vec<Cell> {
    let target = &found.targets[line.target];
    let millis = |time: Option<Duration>| {
        Cell::count(time.map(|time| u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)))
    };
    let figure = |value: Option<f64>, places| value.map_or(Cell::Unknown, |value| Cell::Figure(value, places));
    vec![
        Cell::Text(target.endpoint.id.provider.to_string()),
        Cell::Text(target.model.to_string()),
        line.above.map_or(Cell::Unknown, |above| Cell::Flag(above.is_settled())),
        millis(line.ttft_p50),
        millis(line.ttft_range.map(|range| range.0)),
        millis(line.ttft_range.map(|range| range.1)),
        millis(line.ttft_interval.map(|interval| interval.0)),
        millis(line.ttft_interval.map(|interval| interval.1)),
        figure(line.speed_p50, 1),
        line.speed_why.map_or(Cell::Unknown, |why| Cell::Text(why.name().to_owned())),
        millis(line.total_p50),
        Cell::Text(format!("{}/{}", line.successes, line.attempts)),
        Cell::Money(line.cost.decimal()),
        Cell::Count(u64::from(line.attempts)),
        Cell::Count(u64::from(line.successes)),
        figure(line.above.and_then(|above| above.ratio), 2),
        Cell::Count(u64::from(line.unknown_cost)),
        Cell::Text(line.ended.name().to_owned()),
        Cell::Text(target.endpoint.id.upstream_model.clone()),
    ]
}

/// Sentences about calls that failed, and about endpoints that were not asked to the end.
pub(super) fn told(found: &Found, lines: &[Line]) -> Vec<String> {
    let mut told = Vec::new();
    for line in lines {
        let provider = &found.targets[line.target].endpoint.id.provider;
        let mut groups: BTreeMap<(ErrorClass, Option<u16>), Vec<&Sample>> = BTreeMap::new();
        for failure in &line.failures {
            groups.entry((failure.class, failure.http_status)).or_default().push(failure);
        }
        for ((class, status), failures) in groups {
            let calls = if failures.len() == 1 { "1 call".to_owned() } else { format!("{} calls", failures.len()) };
            let how = match status {
                Some(status) if !(200..300).contains(&status) => format!("answered {status} ({})", class.name()),
                _ => format!("failed ({})", class.name()),
            };
            let after = match failures.as_slice() {
                [one] => one.total.map(|total| format!(" after {}", duration(total))).unwrap_or_default(),
                _ => String::new(),
            };
            let (verb, noun) = if failures.len() == 1 { ("is", "it") } else { ("are", "they") };
            told.push(format!("{provider}: {calls} {how}{after}; {noun} {verb} not in the times"));
        }
        match line.ended {
            Ended::RateLimited => told.push(format!("{provider} was not asked any more: two refusals in a row")),
            Ended::AskedToWait(wait) => {
                told.push(format!("{provider} was not asked any more: it asks to wait {}", duration(wait)));
            }
            Ended::Hopeless(class) => {
                told.push(format!("{provider} was not asked any more: {} would come again", class.name()));
            }
            Ended::Budget => told.push(format!("{provider} was not asked any more: the budget is used up")),
            Ended::Rounds | Ended::Known | Ended::Cancelled => {}
        }
        if line.unknown_cost > 0 {
            let calls =
                if line.unknown_cost == 1 { "1 call".to_owned() } else { format!("{} calls", line.unknown_cost) };
            told.push(format!("{provider}: {calls} may have been billed and nobody said how much; not in COST"));
        }
    }
    told
}
