//! What was measured of an endpoint, as cells: several commands show the same columns in the same words. Nothing is shown
//! as known that is not: too few samples say how many there are, and different kinds of calls are never mixed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::args::{Format, Since, Unit, Window};
use super::offline::Offline;
use super::render::sheet::{Cell, Column, ELSEWHERE, Mark, Show};
use super::render::text::{self, bars};
use super::usage::begins;
use crate::catalog::EndpointId;
use crate::observe::{Health, MEDIAN_FLOOR, Measured, Percentile, Samples, Stratum, Wait};
use crate::units::Tokens;

/// The columns, in the order of [`View::cells`]; `View::tune` says which are in a table.
pub(crate) const COLUMNS: [Column; 24] = [
    Column::new("ttft_p50_ms", "ttft", "TTFT", Show::Millis, 10),
    Column::new("ttft_samples", "n", "N", Show::Number, 10),
    Column::new("measured_age_s", "age", "AGE", Show::Seconds, 10),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 10),
    Column::new("health", "state", "STATE", Show::Plain, 10),
    Column::new("trend", "", "TREND", Show::Plain, 11),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 10),
    Column::new("ok", "", "OK", Show::Plain, 10),
    Column::new("rate_limited_share", "limited", "LIMITED", Show::Percent, 10),
    Column::new("measured_at", "stratum", "MEASURED AT", Show::Plain, 10),
    Column::new("ttft_p90_ms", "ttft_p90", "TTFT P90", Show::Millis, 10),
    Column::new("ttft_p95_ms", "ttft_p95", "TTFT P95", Show::Millis, 10),
    Column::new("ttft_p99_ms", "ttft_p99", "TTFT P99", Show::Millis, 10),
    Column::new("ttfa_p50_ms", "ttfa", "TTFA", Show::Millis, 10),
    Column::new("decode_tps_p10", "tps_p10", "SLOW TAIL", Show::Number, 10),
    Column::new("availability_low", "", "AT LEAST", Show::Percent, 10),
    Column::new("availability_high", "", "AT MOST", Show::Percent, 10),
    Column::new("last_success_age_s", "last_success", "LAST OK", Show::Seconds, 10),
    Column::new("last_failure_age_s", "last_failure", "LAST FAILURE", Show::Seconds, 10),
    Column::new("samples", "", "SAMPLES", Show::Number, 11),
    Column::new("decode_samples", "", "SPEEDS", Show::Number, 11),
    Column::new("ttft_cut_off", "cut_off", "CUT OFF", Show::Number, 11),
    Column::new("ttft_p50_at_least", "", "TTFT AT LEAST", Show::Mark, 11),
    Column::new("throughput_unit", "unit", "UNIT", Show::Plain, 11),
];

/// How many bars a trend has.
const BARS: usize = 8;

/// What is asked of the measurements.
pub(crate) struct View {
    /// Everything that was measured in the window.
    all: BTreeMap<EndpointId, Measured>,
    /// What kind of call is asked about.
    asked: Stratum,
    unit: Unit,
    since: Timestamp,
    now: Timestamp,
    /// Whether bars are drawn, and whether in Unicode.
    bars: Option<bool>,
    window: String,
}

impl View {
    /// Reads what was measured since `window`; nothing where it cannot be read. `input` is the size of the call that is asked
    /// about. Bars are for people at a terminal.
    pub(crate) fn read(
        offline: &Offline<'_>,
        window: &Window,
        unit: Option<Unit>,
        input: Tokens,
        format: Format,
    ) -> Self {
        let (window, unit) = (offline.settings.window(window), offline.settings.unit(unit));
        let since = begins(&window, offline.now);
        let drawn = offline.settings.out_is_terminal && format.is_page();
        Self {
            all: offline.store.measured(since).unwrap_or_default(),
            asked: Stratum::plain(input),
            unit,
            since,
            now: offline.now,
            bars: drawn.then_some(offline.settings.unicode),
            window: match &window {
                Since::Ago(_) => text::age(span(since, offline.now)),
                Since::Day(day) => format!("time since {day}"),
            },
        }
    }

    /// Whether anything was measured at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether anything was measured of an endpoint.
    pub(crate) fn has(&self, id: &EndpointId) -> bool {
        self.all.contains_key(id)
    }

    /// Says which columns are in a table: where something was measured of the endpoints that are shown, what tells whether
    /// to believe it; the ranks count from `first`. Where nothing was, `TTFT` and `TOK/S` alone, at `bare`.
    pub(crate) fn tune<'a>(
        &self,
        columns: &mut [Column],
        shown: impl Iterator<Item = &'a EndpointId>,
        (first, bare): (u8, u8),
    ) {
        let known: Vec<&Measured> = shown.filter_map(|id| self.all.get(id)).collect();
        let elsewhere = known.iter().any(|one| one.nearest(&self.asked).is_some_and(|(at, _)| *at != self.asked));
        let limited = known.iter().any(|one| one.limited > 0);
        for column in columns {
            if column.name == "decode_tps_p50" && self.unit == Unit::PerMinute {
                column.header = "TOK/MIN";
            }
            column.rank = match (column.name, known.is_empty()) {
                ("ttft_p50_ms" | "decode_tps_p50", true) => bare,
                ("ttft_p50_ms" | "decode_tps_p50", false) => first,
                ("ttft_samples" | "health", false) => (first + 1).min(9),
                ("measured_age_s", false) => (first + 2).min(9),
                ("measured_at", false) if elsewhere => (first + 2).min(9),
                ("trend", false) if self.bars.is_some() => (first + 4).min(9),
                ("rate_limited_share", false) if limited => (first + 4).min(9),
                ("availability", false) => (first + 5).min(9),
                _ => column.rank,
            };
        }
    }

    /// The cells of an endpoint; unknown where nothing was measured.
    pub(crate) fn cells(&self, id: &EndpointId) -> Vec<Cell> {
        let known = self.all.get(id).filter(|one| one.judged().count() + one.limited > 0);
        let nearest = known.and_then(|one| one.nearest(&self.asked));
        let samples = nearest.map(|(_, samples)| samples);
        let ttft = |percentile| samples.map_or(Cell::Unknown, |samples| wait(samples, percentile));
        let age = |at: Option<Timestamp>| Cell::count(at.map(|at| span(at, self.now).as_secs()));
        let interval = known.and_then(|one| one.judged().interval());
        let share = |share: Option<f64>| share.map_or(Cell::Unknown, |share| Cell::Figure(share, 4));
        let newest = samples.and_then(|samples| samples.newest).or(known.and_then(|one| one.newest));
        let median = samples.and_then(|samples| samples.ttft(Percentile::P50));
        vec![
            ttft(Percentile::P50),
            Cell::count(samples.map(|samples| count(samples.waits.len()))),
            age(newest),
            samples.map_or(Cell::Unknown, |samples| self.speed(samples, Percentile::P50)),
            known.map_or(Cell::Unknown, health),
            self.trend(known),
            known.map_or(Cell::Unknown, availability),
            known
                .filter(|one| one.judged().count() > 0)
                .map_or(Cell::Unknown, |one| Cell::Text(format!("{}/{}", one.successes, one.judged().count()))),
            share(known.and_then(Measured::limited_share)),
            Cell::text(nearest.map(|(stratum, _)| stratum.name())),
            ttft(Percentile::P90),
            ttft(Percentile::P95),
            ttft(Percentile::P99),
            Cell::count(samples.and_then(|samples| samples.ttfa(Percentile::P50)).map(millis)),
            samples.map_or(Cell::Unknown, |samples| self.speed(samples, Percentile::P10)),
            share(interval.map(|(low, _)| low)),
            share(interval.map(|(_, high)| high)),
            age(known.and_then(|one| one.last_success)),
            age(known.and_then(|one| one.last_fault)),
            Cell::count(known.map(|one| u64::from(one.judged().count() + one.limited))),
            Cell::count(samples.map(|samples| count(samples.speeds.len()))),
            Cell::count(samples.map(|samples| count(samples.cut_off()))),
            median.map_or(Cell::Unknown, |wait| Cell::Flag(wait.at_least)),
            Cell::Text(unit_name(self.unit).to_owned()),
        ]
    }

    fn speed(&self, samples: &Samples, percentile: Percentile) -> Cell {
        match samples.speed(percentile) {
            Some(speed) => Cell::Figure(speed * factor(self.unit), 1),
            None if samples.speeds.is_empty() || percentile != Percentile::P50 => Cell::Unknown,
            None => Cell::Unknown.told(format!("n={}", samples.speeds.len())),
        }
    }

    /// The window in eight parts, the newest at the right: the share of whole answers in each.
    fn trend(&self, known: Option<&Measured>) -> Cell {
        let (Some(unicode), Some(known)) = (self.bars, known) else { return Cell::Unknown };
        let mut parts = [(0_u32, 0_u32); BARS];
        for (at, answered) in &known.outcomes {
            let part = &mut parts[part_of(*at, self.since, self.now, BARS)];
            *part = (part.0 + u32::from(*answered), part.1 + 1);
        }
        let shares = parts.map(|(answered, all)| (all > 0).then(|| f64::from(answered) / f64::from(all)));
        Cell::Unknown.told(bars(&shares, unicode))
    }

    /// Marks the figures of rows whose calls are of another kind than the one that is asked about; `id` is a row's endpoint.
    pub(crate) fn marks<'a>(&self, columns: &[Column], ids: impl Iterator<Item = Option<&'a EndpointId>>) -> Vec<Mark> {
        let figures = ["ttft_p50_ms", "decode_tps_p50"];
        let places: Vec<usize> = (0..columns.len()).filter(|&at| figures.contains(&columns[at].name)).collect();
        let elsewhere = |id: &EndpointId| {
            self.all.get(id).and_then(|one| one.nearest(&self.asked)).is_some_and(|(stratum, samples)| {
                *stratum != self.asked && !(samples.waits.is_empty() && samples.speeds.is_empty())
            })
        };
        let rows = ids.enumerate().filter(|(_, id)| id.is_some_and(&elsewhere)).map(|(row, _)| row);
        rows.flat_map(|row| places.iter().map(move |&column| Mark { row, column, sign: ELSEWHERE })).collect()
    }

    /// What a person must know to read the columns.
    pub(crate) fn legend(&self) -> String {
        if self.is_empty() {
            return format!(
                "Nothing was measured here in the last {}: TTFT and TOK/S are your own calls' and probes' (`openmux providers \
                 probe`), - is never measured",
                self.window
            );
        }
        format!(
            "TTFT, TOK/S: medians of your own attempts of the last {} at {} (^ at another: MEASURED AT); N samples, the newest \
             AGE old; n=3 is too few for a median ({MEDIAN_FLOOR}), - never measured here. STATE by the interval of the \
             availability (95 %)",
            self.window,
            self.asked.name()
        )
    }
}

/// Which of so many equal parts of a span a moment lies in; what lies outside is in the first or the last.
pub(crate) fn part_of(at: Timestamp, since: Timestamp, until: Timestamp, parts: usize) -> usize {
    let (whole, passed) = (span(since, until).as_secs().max(1), span(since, at).as_secs());
    let part = u128::from(passed) * u128::try_from(parts).unwrap_or(1) / u128::from(whole);
    usize::try_from(part).unwrap_or(usize::MAX).min(parts.saturating_sub(1))
}

/// A percentile of the wait: with how many samples there are where they are too few for a median.
fn wait(samples: &Samples, percentile: Percentile) -> Cell {
    match samples.ttft(percentile) {
        Some(found) => wait_cell(found),
        None if samples.waits.is_empty() || percentile != Percentile::P50 => Cell::Unknown,
        None => Cell::Unknown.told(format!("n={}", samples.waits.len())),
    }
}

fn wait_cell(wait: Wait) -> Cell {
    let cell = Cell::Count(millis(wait.duration()));
    if wait.at_least { cell.told(format!(">= {}", text::duration(wait.duration()))) } else { cell }
}

/// `up`, `degraded`, `down`, or `unknown (n=3)`.
pub(crate) fn health(measured: &Measured) -> Cell {
    let health = measured.judged().health();
    let cell = Cell::Text(health.name().to_owned());
    if health == Health::Unknown { cell.told(format!("unknown (n={})", measured.judged().count())) } else { cell }
}

/// The share of whole answers, for people never without its interval.
pub(crate) fn availability(measured: &Measured) -> Cell {
    let (Some(share), Some((low, high))) = (measured.judged().share(), measured.judged().interval()) else {
        return Cell::Unknown;
    };
    let whole = |share: f64| format!("{:.0}", share * 100.0);
    Cell::Figure(share, 4).told(format!("{} ({}-{})", text::percent(share), whole(low), whole(high)))
}

/// How many of a unit's tokens a token a second is.
pub(crate) const fn factor(unit: Unit) -> f64 {
    match unit {
        Unit::PerSecond => 1.0,
        Unit::PerMinute => 60.0,
    }
}

/// The word of a unit.
pub(crate) const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::PerSecond => "tok/s",
        Unit::PerMinute => "tok/min",
    }
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn count(samples: usize) -> u64 {
    u64::try_from(samples).unwrap_or(u64::MAX)
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(to.as_second().saturating_sub(from.as_second())).unwrap_or(0))
}
