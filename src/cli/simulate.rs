//! `openmux route simulate`: one's own traffic under other policies, beside what happened.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::RouteSimulate;
use super::error::CliError;
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Mark, Sheet, Show};
use super::settings::Settings;
use super::usage::begins;
use super::{Outcome, facts, note, warn};
use crate::catalog::ModelId;
use crate::observe::{Observation, Source};
use crate::routing::{Difference, Kept, Policy, Preset, Tally, happened, would};
use crate::store::StoreError;
use crate::units::Usd;

const COLUMNS: [Column; 20] = [
    Column::new("policy", "", "POLICY", Show::Plain, 0),
    Column::new("requests", "", "REQUESTS", Show::Number, 4),
    Column::new("differing", "", "DIFFERS", Show::Number, 2),
    Column::new("measured", "", "MEASURED", Show::Percent, 1),
    Column::new("paid_usd", "paid", "PAID", Show::Dollars, 0),
    Column::new("paid_verdict", "", "CHANGE", Show::Plain, 0),
    Column::new("wait_s", "wait", "WAITED", Show::Number, 0),
    Column::new("wait_verdict", "", "CHANGE", Show::Plain, 0),
    Column::new("failures", "", "FAILED", Show::Number, 3),
    Column::new("paid_change_usd", "", "PAID MORE", Show::Dollars, 10),
    Column::new("paid_change_low_usd", "", "AT LEAST", Show::Dollars, 10),
    Column::new("paid_change_high_usd", "", "AT MOST", Show::Dollars, 10),
    Column::new("wait_change_s", "", "WAITED MORE", Show::Number, 10),
    Column::new("wait_change_low_s", "", "AT LEAST", Show::Number, 10),
    Column::new("wait_change_high_s", "", "AT MOST", Show::Number, 10),
    Column::new("failures_verdict", "", "FAILURES", Show::Plain, 10),
    Column::new("failures_change_low", "", "AT LEAST", Show::Number, 10),
    Column::new("failures_change_high", "", "AT MOST", Show::Number, 10),
    Column::new("stream_s", "stream", "ANSWER", Show::Number, 10),
    Column::new("unknown_cost", "unknown", "COST UNKNOWN", Show::Number, 10),
];
const PAID: usize = 4;
const PAID_CHANGE: usize = 9;

/// One policy, and what it came to.
struct Line {
    name: String,
    /// `None` is what happened; an inner `None` is each decision's own policy.
    policy: Option<Option<Policy>>,
    tally: Tally,
}

/// What is not in the sums.
#[derive(Debug, Default)]
struct LeftOut {
    /// Decisions without an attempt that says something.
    interrupted: u64,
    /// Requests whose decision is not kept.
    undecided: u64,
    /// Decisions that cannot be read.
    unreadable: u64,
    /// Why, for one of them.
    why: Option<StoreError>,
}

/// Runs the command.
///
/// # Errors
/// There is no such model or field, or the measurements cannot be read.
pub(crate) fn simulate(settings: &Settings, args: &RouteSimulate) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, None)?;
    let models = args
        .model
        .iter()
        .map(|name| facts::model(&offline.catalog, name).map(|found| found.model))
        .collect::<Result<Vec<_>, _>>()?;
    let mut lines = lines(args);
    let left_out = replayed(&offline, args, &models, &mut lines)?;
    let requests = lines[0].tally.requests;
    let rows = lines.iter().filter(|_| requests > 0).map(row).collect();
    let mut sheet = Sheet {
        schema: "route.simulate/1",
        command: "route simulate",
        columns: COLUMNS.to_vec(),
        rows,
        marked: Vec::new(),
    };
    for (row, _) in lines.iter().enumerate().filter(|(_, line)| requests > 0 && !line.tally.is_measured()) {
        sheet.marked.extend([PAID, PAID_CHANGE].map(|column| Mark { row, column, sign: '~' }));
    }
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    told(settings, &left_out, requests);
    if found == 0 {
        note(settings, "nothing was decided and sent in that time");
    }
    let legend = "WAITED is seconds to the first token, a request; ~ is partly estimated; -o wide has the intervals.";
    offline.close(&printed.text, format, legend, &printed.hidden)
}

fn lines(args: &RouteSimulate) -> Vec<Line> {
    let presets = if args.policy.is_empty() && args.time_value.is_none() { &Preset::ALL[..] } else { &args.policy };
    let line = |name: String, policy| Line { name, policy, tally: Tally::default() };
    let mut lines = vec![line("actual".to_owned(), None), line("recorded".to_owned(), Some(None))];
    for preset in presets {
        lines.push(line(preset.name().to_owned(), Some(Some(Policy::preset(*preset)))));
    }
    if let Some(per_hour) = args.time_value {
        lines.push(line(format!("${}/h", per_hour.exact()), Some(Some(Policy::time_value(per_hour)))));
    }
    lines
}

/// Adds every request of the span to every line.
fn replayed(
    offline: &Offline<'_>,
    args: &RouteSimulate,
    models: &[ModelId],
    lines: &mut [Line],
) -> Result<LeftOut, CliError> {
    let unreadable = |error: StoreError| CliError::no_measurements(&error);
    let since = begins(&args.since, offline.now);
    let until = offline.now.checked_add(Duration::from_secs(1)).unwrap_or(offline.now);
    let attempts = offline.store.attempts(since, until).map_err(unreadable)?;
    let mut by_request: BTreeMap<[u8; 16], Vec<&Observation>> = BTreeMap::new();
    for seen in attempts.iter().filter(|seen| seen.source != Source::Probe) {
        if models.is_empty() || models.contains(&seen.model) {
            by_request.entry(seen.group).or_default().push(seen);
        }
    }
    let mut left_out = LeftOut::default();
    let mut each = |kept: Result<Kept, StoreError>| {
        let kept = match kept {
            Ok(kept) => kept,
            Err(why) => {
                left_out.unreadable += 1;
                left_out.why = Some(why);
                return;
            }
        };
        if !models.is_empty() && !models.contains(&kept.input.request.model) {
            return;
        }
        let attempts = by_request.remove(&kept.id).unwrap_or_default();
        let Some(truth) = happened(&attempts) else {
            left_out.interrupted += 1;
            return;
        };
        for line in lines.iter_mut() {
            let outcome = match &line.policy {
                None => Some(truth),
                Some(None) => would(&kept, &attempts, &kept.input.policy),
                Some(Some(trade)) => would(&kept, &attempts, &kept.input.traded(trade)),
            };
            line.tally.add(&outcome.unwrap_or(truth), &truth);
        }
    };
    offline.store.decisions(since, until, &mut each).map_err(unreadable)?;
    left_out.undecided = u64::try_from(by_request.len()).unwrap_or(u64::MAX).saturating_sub(left_out.unreadable);
    Ok(left_out)
}

/// What a reader must know of the sums.
fn told(settings: &Settings, left_out: &LeftOut, requests: u64) {
    let many = |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    if left_out.interrupted > 0 {
        let text = many(left_out.interrupted, "request that was", "requests that were");
        note(settings, &format!("{text} stopped here, or never sent, left out"));
    }
    if left_out.undecided > 0 {
        let text = many(left_out.undecided, "request", "requests");
        note(settings, &format!("{text} left out: what was decided for them is not kept"));
    }
    if let Some(why) = &left_out.why {
        warn(settings, &format!("{} left out: {why}", many(left_out.unreadable, "decision", "decisions")));
    }
    let least = u64::try_from(Tally::LEAST).unwrap_or(u64::MAX);
    if requests > 0 && requests < least {
        let text = many(requests, "request", "requests");
        note(settings, &format!("{text}: too few for an interval, which needs {least}"));
    }
}

fn row(line: &Line) -> Vec<Cell> {
    let tally = &line.tally;
    let (paid, wait, failed) = (tally.paid_change(), tally.wait_change(), tally.failed_change());
    let requests = float(tally.requests.into());
    // Of what happened there is no change.
    let against = |cell: Cell| if line.policy.is_none() { Cell::Unknown } else { cell };
    let verdict = |change: &Difference| against(Cell::Text(change.verdict.name().to_owned()));
    let money = |pico: i128| against(dollars(pico));
    let seconds = |nanos: i128| against(Cell::Figure(signed(nanos) / 1e9 / requests, 3));
    let count = |trillionths: i128| against(Cell::Figure(signed(trillionths) / 1e12, 2));
    let end = |change: &Difference, high: bool, cell: &dyn Fn(i128) -> Cell| {
        change.interval.map_or(Cell::Unknown, |(low, up)| cell(if high { up } else { low }))
    };
    vec![
        Cell::Text(line.name.clone()),
        Cell::Count(tally.requests),
        against(Cell::Count(tally.differs)),
        Cell::Figure(float(tally.measured) / 1e12 / requests, 4),
        Cell::Money(tally.paid.decimal()),
        verdict(&paid),
        Cell::Figure(tally.wait.as_secs_f64() / requests, 3),
        verdict(&wait),
        Cell::Figure(float(tally.failed) / 1e12, 2),
        money(paid.sum),
        end(&paid, false, &money),
        end(&paid, true, &money),
        seconds(wait.sum),
        end(&wait, false, &seconds),
        end(&wait, true, &seconds),
        verdict(&failed),
        end(&failed, false, &count),
        end(&failed, true, &count),
        Cell::Figure(tally.stream.as_secs_f64() / requests, 3),
        Cell::Count(tally.unknown),
    ]
}

fn dollars(pico: i128) -> Cell {
    i64::try_from(pico).map_or(Cell::Unknown, |pico| Cell::Money(Usd::from_pico(pico).decimal()))
}

#[expect(clippy::cast_precision_loss, reason = "a mean that is printed to three places")]
fn float(count: u128) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a mean that is printed to three places")]
fn signed(count: i128) -> f64 {
    count as f64
}
