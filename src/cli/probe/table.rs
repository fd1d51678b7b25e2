//! What a probe found, as a list.

use std::time::Duration;

use super::super::args::{Format, ProvidersProbe, Unit};
use super::super::error::CliError;
use super::super::offline::{Offline, column_names};
use super::super::render::sheet::{Cell, Column, Sheet, Show};
use super::super::render::text::duration;
use super::{Found, times};
use crate::observe::MEDIAN_FLOOR;
use crate::probe::plan::{self, Kind};
use crate::probe::report::Line;
use crate::probe::run::Target;
use crate::probe::sample::Wait;
use crate::units::Usd;

const COLUMNS: [Column; 39] = [
    Column::new("provider", "id", "PROVIDER", Show::Plain, 0),
    Column::new("model", "", "MODEL", Show::Plain, 10),
    Column::new("order_settled", "settled", "≈", Show::Near, 0),
    Column::new("ttft_p50_ms", "ttft", "TTFT P50", Show::Millis, 0),
    Column::new("ttft_p50_low_ms", "low", "P50 WITHIN", Show::Millis, 4),
    Column::new("ttft_p50_high_ms", "high", "P50 AT MOST", Show::Millis, 11),
    Column::new("ttft_ms", "each", "TTFT OF EACH", Show::Number, 11),
    Column::new("ttft_min_ms", "min", "MIN - MAX", Show::Millis, 6),
    Column::new("ttft_max_ms", "max", "MAX", Show::Millis, 11),
    Column::new("ttft_p90_ms", "ttft_p90", "TTFT P90", Show::Millis, 10),
    Column::new("ttft_p95_ms", "ttft_p95", "TTFT P95", Show::Millis, 10),
    Column::new("ttfa_p50_ms", "ttfa", "TTFA P50", Show::Millis, 10),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 2),
    Column::new("decode_tps_p10", "tps_p10", "SLOW TAIL", Show::Number, 10),
    Column::new("decode_why", "why", "NO TOK/S", Show::Plain, 10),
    Column::new("decode_tps", "each_tps", "TOK/S OF EACH", Show::Number, 11),
    Column::new("total_p50_ms", "total", "TOTAL P50", Show::Millis, 5),
    Column::new("ok", "", "OK", Show::Number, 0),
    Column::new("cost_usd", "cost", "COST", Show::Dollars, 3),
    Column::new("health", "state", "STATE", Show::Plain, 8),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 10),
    Column::new("availability_low", "", "AT LEAST", Show::Percent, 10),
    Column::new("availability_high", "", "AT MOST", Show::Percent, 10),
    Column::new("rate_limited", "limited", "LIMITED", Show::Number, 10),
    Column::new("effort", "", "EFFORT", Show::Plain, 10),
    Column::new("attempts", "", "ATTEMPTS", Show::Number, 10),
    Column::new("successes", "", "SUCCESSES", Show::Number, 10),
    Column::new("ttft_samples", "samples", "TTFT SAMPLES", Show::Number, 10),
    Column::new("times_above", "", "TIMES ABOVE", Show::Number, 10),
    Column::new("unknown_cost", "unknown", "COST UNKNOWN", Show::Number, 10),
    Column::new("ended", "", "ENDED", Show::Plain, 10),
    Column::new("upstream_model", "", "UPSTREAM MODEL", Show::Plain, 10),
    Column::new("sched_lag_ms", "lag", "LATE", Show::Millis, 10),
    Column::new("kind", "", "KIND", Show::Plain, 11),
    Column::new("parallel", "", "PARALLEL", Show::Number, 11),
    Column::new("prompt_version", "", "PROMPT", Show::Number, 11),
    Column::new("warmups", "", "WARM-UPS", Show::Number, 11),
    Column::new("cache_hits", "", "CACHE HITS", Show::Number, 11),
    Column::new("ttft_p50_censored", "", "TTFT P50 CUT OFF", Show::Mark, 11),
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
    let few = lines.iter().all(|line| line.ttft.n < MEDIAN_FLOOR);
    let thoughts = lines.iter().any(|line| line.ttfa.p50.is_some() && line.ttfa.p50 != line.ttft.p50);
    let tails = lines.iter().any(|line| line.ttft.p90.is_some());
    let several = found.targets.windows(2).any(|pair| pair[0].model != pair[1].model);
    let mut columns = COLUMNS.to_vec();
    for column in &mut columns {
        column.rank = match column.name {
            "model" if several => 0,
            // Medians that nobody may see are no columns.
            "ttft_ms" if few => 0,
            // Two or three words have no speed.
            "decode_tps" | "decode_tps_p50" if args.kind == Kind::Ping => 11,
            "decode_tps" if few => 2,
            "ttft_p50_ms" | "ttft_p50_low_ms" | "ttft_min_ms" | "decode_tps_p50" | "total_p50_ms" if few => 11,
            "ttfa_p50_ms" if thoughts => 2,
            "ttft_p90_ms" if tails => 5,
            _ => column.rank,
        };
        if args.unit == Some(Unit::PerMinute) {
            column.header = match column.name {
                "decode_tps_p50" => "TOK/MIN",
                "decode_tps" => "TOK/MIN OF EACH",
                _ => column.header,
            };
        }
    }
    let rows = lines.iter().map(|line| row(args, found, line)).collect();
    let mut sheet =
        Sheet { schema: "providers.probe/1", command: "providers probe", columns, rows, marked: Vec::new() };
    let sort = column_names(&args.list.sort);
    let (printed, _) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    let figures = if few {
        "One figure for each call, in the order of the rounds; a median needs 8."
    } else {
        "A median needs 8 rounds; with 95 % confidence it lies within the range beside it."
    };
    let legend = format!(
        "The fastest first; ≈: not told apart from the line above. {figures} ≥: a time limit cut it off; other calls that \
         failed are not in the times."
    );
    offline.close(&printed.text, format, &legend, &printed.hidden).map(|_| ())
}

/// The columns of a run that was not made.
const PLAN: [Column; 8] = [
    Column::new("provider", "id", "PROVIDER", Show::Plain, 0),
    Column::new("model", "", "MODEL", Show::Plain, 1),
    Column::new("kind", "", "KIND", Show::Plain, 2),
    Column::new("calls", "", "CALLS", Show::Number, 0),
    Column::new("effort", "", "EFFORT", Show::Plain, 3),
    Column::new("max_output_tokens", "cap", "MAX OUT", Show::Number, 2),
    Column::new("bound_usd", "bound", "AT MOST", Show::Dollars, 0),
    Column::new("expected_usd", "expected", "EXPECTED", Show::Dollars, 0),
];

/// Prints what a run of so many rounds would do.
///
/// # Errors
/// A field does not exist, or stdout cannot be written.
pub(super) fn print_plan(
    offline: &Offline<'_>,
    args: &ProvidersProbe,
    format: Format,
    found: &Found,
    rounds: u32,
) -> Result<(), CliError> {
    let total = |one: Usd| Cell::Money(times(rounds, found.parallel, one).decimal());
    let row = |(target, expected): (&Target, &Option<Usd>)| {
        vec![
            Cell::Text(target.endpoint.id.provider.to_string()),
            Cell::Text(target.model.to_string()),
            Cell::Text(args.kind.name().to_owned()),
            Cell::Count(u64::from(rounds) * u64::from(found.parallel)),
            effort(target),
            Cell::Count(args.kind.cap(&target.endpoint)),
            if expected.is_some() { total(target.bound) } else { Cell::Unknown },
            expected.map_or(Cell::Unknown, total),
        ]
    };
    let rows = found.targets.iter().zip(&found.expected).map(row).collect();
    let (columns, marked) = (PLAN.to_vec(), Vec::new());
    let mut sheet = Sheet { schema: "providers.probe.plan/1", command: "providers probe", columns, rows, marked };
    let sort = column_names(&args.list.sort);
    let (printed, _) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    offline.close(&printed.text, format, "For all rounds together. Nothing was sent.", &printed.hidden).map(|_| ())
}

/// The effort that it is asked for; unknown where nothing is said of it.
fn effort(target: &Target) -> Cell {
    Cell::text(plan::lowest_effort(&target.endpoint).and_then(|effort| effort.word()))
}

fn row(args: &ProvidersProbe, found: &Found, line: &Line) -> Vec<Cell> {
    let target = &found.targets[line.target];
    let (count, share) = (|count: u32| Cell::Count(u64::from(count)), |share| figure(share, 4));
    let interval = line.judged().interval();
    let health = match line.judged().health() {
        _ if line.judged().count() == 0 => Cell::Unknown,
        health => Cell::Text(health.name().to_owned()).told(format!("{} (n={})", health.name(), line.judged().count())),
    };
    let speed = |speed: Option<f64>| in_unit(args.unit, figure(speed, 1), speed);
    vec![
        Cell::Text(target.endpoint.id.provider.to_string()),
        Cell::Text(target.model.to_string()),
        line.above.map_or(Cell::Unknown, |above| Cell::Flag(above.is_settled())),
        wait(line.ttft.p50),
        wait_range(line.ttft.interval),
        wait(line.ttft.interval.map(|interval| interval.1)),
        each_wait(&line.each_ttft),
        wait_range(line.ttft.range),
        wait(line.ttft.range.map(|range| range.1)),
        wait(line.ttft.p90),
        wait(line.ttft.p95),
        wait(line.ttfa.p50),
        speed(line.speed_p50),
        speed(line.speed_p10),
        // Why most answers have none, where a speed cannot be told at all.
        Cell::text(line.no_speed.first().filter(|_| line.each_speed.is_empty()).map(|(why, _)| why.name())),
        each_speed(args.unit, &line.each_speed),
        wait(line.total.p50),
        Cell::Text(format!("{}/{}", line.successes, line.attempts)),
        Cell::Money(line.cost.decimal()),
        health,
        share(line.judged().share()),
        share(interval.map(|interval| interval.0)),
        share(interval.map(|interval| interval.1)),
        count(line.limited),
        effort(target),
        count(line.attempts),
        count(line.successes),
        Cell::Count(u64::try_from(line.ttft.n).unwrap_or(u64::MAX)),
        figure(line.above.and_then(|above| above.ratio), 2),
        count(line.unknown_cost),
        Cell::Text(line.ended.name().to_owned()),
        Cell::Text(target.endpoint.id.upstream_model.clone()),
        Cell::count(line.late.map(millis)),
        Cell::Text(args.kind.name().to_owned()),
        count(found.parallel),
        Cell::count(u64::try_from(plan::PROMPT_VERSION).ok()),
        count(line.warmups),
        count(line.cached),
        line.ttft.p50.map_or(Cell::Unknown, |wait| Cell::Flag(wait.at_least)),
    ]
}

fn figure(value: Option<f64>, places: usize) -> Cell {
    value.map_or(Cell::Unknown, |value| Cell::Figure(value, places))
}

/// A speed for people in the unit that they asked for; programs read tokens per second, as the field's name says.
fn in_unit(unit: Option<Unit>, cell: Cell, speed: Option<f64>) -> Cell {
    match (unit, speed) {
        (Some(Unit::PerMinute), Some(speed)) => cell.told(format!("{:.0}", speed * 60.0)),
        _ => cell,
    }
}

fn each_speed(unit: Option<Unit>, speeds: &[f64]) -> Cell {
    if speeds.is_empty() {
        return Cell::Unknown;
    }
    let factor = if unit == Some(Unit::PerMinute) { 60.0 } else { 1.0 };
    let words: Vec<String> = speeds.iter().map(|speed| format!("{:.0}", speed * factor)).collect();
    Cell::List(speeds.iter().map(|speed| Cell::Figure(*speed, 1)).collect()).told(words.join(" "))
}

/// Whole milliseconds, upwards: nothing that took time took none.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// A wait in words; one that was cut off says so.
fn words(wait: Wait) -> String {
    let time = duration(Duration::from_millis(millis(wait.time)));
    if wait.at_least { format!("≥ {time}") } else { time }
}

fn wait(wait: Option<Wait>) -> Cell {
    wait.map_or(Cell::Unknown, |wait| Cell::Count(millis(wait.time)).told(words(wait)))
}

/// The lower end of a range, and the whole of it for people.
fn wait_range(range: Option<(Wait, Wait)>) -> Cell {
    range.map_or(Cell::Unknown, |(low, high)| Cell::Count(millis(low.time)).told(range_in_words(low, high)))
}

/// `512 - 904 ms`: the unit once where both have the same.
fn range_in_words(low: Wait, high: Wait) -> String {
    let (low, high) = (words(low), words(high));
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} - {high}"),
        _ => format!("{low} - {high}"),
    }
}

fn each_wait(waits: &[Wait]) -> Cell {
    let Some(longest) = waits.iter().max() else { return Cell::Unknown };
    let list = Cell::List(waits.iter().map(|wait| Cell::Count(millis(wait.time))).collect());
    let shown: Vec<String> = waits.iter().map(|wait| words(*wait)).collect();
    // The unit is said once where all have the same.
    let unit = words(*longest).rsplit_once(' ').map(|(_, unit)| format!(" {unit}")).unwrap_or_default();
    let bare: Option<Vec<&str>> = shown.iter().map(|word| word.strip_suffix(unit.as_str())).collect();
    list.told(bare.map_or_else(|| shown.join(" "), |bare| format!("{}{unit}", bare.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Wait {
        Wait { time: Duration::from_millis(millis), at_least: false }
    }

    #[test]
    fn people_choose_the_unit_and_programs_read_tokens_per_second() {
        let cell = in_unit(Some(Unit::PerMinute), figure(Some(74.96), 1), Some(74.96));
        assert_eq!(
            (Column::new("", "", "", Show::Number, 0).human(&cell).as_str(), cell.bare().as_str()),
            ("4498", "75.0")
        );
        assert_eq!(each_speed(Some(Unit::PerMinute), &[74.96, 60.0]).bare(), "75.0,60.0");
        assert_eq!(in_unit(Some(Unit::PerMinute), Cell::Unknown, None), Cell::Unknown);
    }

    #[test]
    fn times_are_written_with_their_unit_once_and_cut_off_ones_say_so() {
        let cut = Wait { time: Duration::from_secs(30), at_least: true };
        assert_eq!(range_in_words(at(512), at(904)), "512 - 904 ms");
        assert_eq!(range_in_words(at(512), at(1_240)), "512 ms - 1.2 s");
        assert_eq!(range_in_words(at(1_240), cut), "1.2 - ≥ 30.0 s");
        let each = |waits: &[Wait]| Column::new("", "", "", Show::Number, 0).human(&each_wait(waits));
        assert_eq!(each(&[at(512), at(90), at(704)]), "512 90 704 ms");
        assert_eq!(each(&[at(512), cut]), "512 ms ≥ 30.0 s");
        assert_eq!(each(&[]), "-");
        assert_eq!((each_wait(&[at(512), cut]).bare(), wait(Some(cut)).bare()), ("512,30000".into(), "30000".into()));
    }
}
