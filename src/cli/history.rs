//! `openmux providers history`: how an endpoint did, hour by hour or day by day, as this machine saw it. What is too old to
//! be kept attempt by attempt is read from hourly counts and histograms, and said to be.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::args::{ProvidersHistory, Step, Unit};
use super::contract::Exit;
use super::error::CliError;
use super::measured::{availability, factor, health, millis, part_of, unit_name};
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::render::text::bars;
use super::settings::Settings;
use super::usage::begins;
use super::{Outcome, facts, note};
use crate::catalog::{EndpointId, ModelId, ProviderId};
use crate::observe::hourly::{Bins, Hour, duration_of, speed_bin, ttft_bin};
use crate::observe::{ErrorClass, Measured, Observation, Percentile, Stratum};
use crate::store::StoreError;
use crate::units::{Tokens, Usd};

const COLUMNS: [Column; 18] = [
    Column::new("from", "", "FROM (UTC)", Show::Plain, 0),
    Column::new("provider", "", "PROVIDER", Show::Plain, 1),
    Column::new("model", "", "MODEL", Show::Plain, 2),
    Column::new("attempts", "", "ATTEMPTS", Show::Number, 3),
    Column::new("successes", "", "OK", Show::Number, 4),
    Column::new("provider_faults", "faults", "FAULTS", Show::Number, 3),
    Column::new("rate_limited", "limited", "LIMITED", Show::Number, 4),
    Column::new("availability", "", "AVAILABLE", Show::Percent, 5),
    Column::new("availability_low", "", "AT LEAST", Show::Percent, 10),
    Column::new("health", "", "STATE", Show::Plain, 2),
    Column::new("ttft_p50_ms", "ttft", "TTFT", Show::Millis, 1),
    Column::new("decode_tps_p50", "tps", "TOK/S", Show::Number, 1),
    Column::new("measured_at", "stratum", "MEASURED AT", Show::Plain, 6),
    Column::new("ttft_samples", "n", "N", Show::Number, 5),
    Column::new("cost_usd", "cost", "COST", Show::Dollars, 10),
    Column::new("hourly", "", "HOURLY SUMS", Show::Mark, 10),
    Column::new("availability_high", "", "AT MOST", Show::Percent, 10),
    Column::new("throughput_unit", "unit", "UNIT", Show::Plain, 11),
];

/// The most bars of a line.
const BARS: usize = 48;

/// Runs the command.
///
/// # Errors
/// There is no such provider or model, or the measurements cannot be read.
pub(crate) fn history(settings: &Settings, args: &ProvidersHistory) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, args.at.at)?;
    let of = Of::find(&offline, &args.of)?;
    let since = begins(&args.since, offline.now);
    let seen = Seen::read(&offline, &of, since, args.by).map_err(|error| CliError::no_measurements(&error))?;
    // A picture helps a person, and nobody else.
    let drawn = format.is_page() && settings.out_is_terminal;
    let picture = if drawn { seen.picture(since, offline.now, settings) } else { String::new() };
    let asked = Stratum::plain(args.tokens.map_or(Tokens::new(1_000), |shape| shape.input));
    let (unit, mut columns) = (settings.unit(args.unit), COLUMNS.to_vec());
    for column in columns.iter_mut().filter(|column| column.name == "decode_tps_p50" && unit == Unit::PerMinute) {
        column.header = "TOK/MIN";
    }
    let (hourly, whole_from) = (seen.spans.values().any(|span| span.hourly), seen.whole_from);
    let rows = seen.spans.into_iter().map(|(key, span)| span.row(key, &asked, unit)).collect();
    let mut sheet =
        Sheet { schema: "providers.history/1", command: "providers history", columns, rows, marked: Vec::new() };
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        note(settings, &format!("nothing was measured of {} in that time", args.of));
    }
    if let Some(day) = whole_from.filter(|_| hourly) {
        note(
            settings,
            &format!(
                "before {day} only hourly sums are kept: counts are exact, medians are read from bins 2 % wide (off by at \
                 most 1 %) and mix all sizes of input"
            ),
        );
    }
    if found == 0 && format.is_page() {
        // An empty table's headings would look like a result.
        return Ok(Exit::Ok);
    }
    let text = if found > 2 { format!("{}{picture}", printed.text) } else { printed.text };
    let legend = format!(
        "What this machine saw, probes and calls alike. TTFT, TOK/S: medians at {}, or at the nearest size that there is; \
         n=3 is too few for one (8). STATE by the interval of the availability (95 %)",
        asked.name()
    );
    offline.close(&text, format, &format!("{legend}."), &printed.hidden)
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

    fn holds(&self, endpoint: &EndpointId, of: &ModelId) -> bool {
        match self {
            Self::Provider(id) => endpoint.provider == *id,
            Self::Model(id) => of == id,
        }
    }
}

/// From, provider and model.
type Key = (String, ProviderId, ModelId);

/// Everything that was seen, by span.
#[derive(Default)]
struct Seen {
    spans: BTreeMap<Key, Span>,
    /// When, of whom, how many were answered, and of how many.
    outcomes: Vec<(Timestamp, ProviderId, ModelId, u64, u64)>,
    /// From here on every attempt is kept; `None` where it always was.
    whole_from: Option<Timestamp>,
}

impl Seen {
    fn read(offline: &Offline<'_>, of: &Of, since: Timestamp, by: Step) -> Result<Self, StoreError> {
        let store = offline.store.as_ref();
        let until = offline.now.checked_add(std::time::Duration::from_secs(1)).unwrap_or(offline.now);
        let mut seen = Self { whole_from: store.oldest()?, ..Self::default() };
        let from = seen.whole_from.map_or(since, |whole| whole.max(since));
        if from > since {
            for hour in store.hours(since, from)? {
                if hour.at < from && of.holds(&hour.endpoint, &hour.model) {
                    seen.add_hour(&hour, by);
                }
            }
        }
        for attempt in store.attempts(from, until)? {
            if of.holds(&attempt.endpoint, &attempt.model) {
                seen.add(&attempt, by);
            }
        }
        Ok(seen)
    }

    fn add_hour(&mut self, hour: &Hour, by: Step) {
        let (provider, model) = (hour.endpoint.provider.clone(), hour.model.clone());
        let span = self.spans.entry((begin(hour.at, by), provider.clone(), model.clone())).or_default();
        span.hourly = true;
        span.ttft_us.merge(&hour.ttft_us);
        span.speed_milli.merge(&hour.speed_milli);
        span.cost += hour.cost;
        let mut judged = (0, 0);
        for (&class, &count) in &hour.classes {
            span.count(class, count);
            judged.0 += if class.is_success() { count } else { 0 };
            judged.1 += if class.is_success() || class.is_provider_fault() { count } else { 0 };
        }
        self.outcomes.push((hour.at, provider, model, judged.0, judged.1));
    }

    fn add(&mut self, seen: &Observation, by: Step) {
        let (provider, model) = (seen.endpoint.provider.clone(), seen.model.clone());
        let span = self.spans.entry((begin(seen.at, by), provider.clone(), model.clone())).or_default();
        span.samples.add(seen);
        ttft_bin(seen).into_iter().for_each(|bin| span.ttft_us.add(bin, 1));
        speed_bin(seen).into_iter().for_each(|bin| span.speed_milli.add(bin, 1));
        span.cost += seen.cost.unwrap_or_default();
        span.count(seen.class, 1);
        if seen.class.is_success() || seen.class.is_provider_fault() {
            self.outcomes.push((seen.at, provider, model, u64::from(seen.class.is_success()), 1));
        }
    }

    /// A line of bars for each provider and model: the share of whole answers over the time that is shown.
    fn picture(&self, since: Timestamp, now: Timestamp, settings: &Settings) -> String {
        let first = self.outcomes.iter().map(|(at, ..)| *at).min().unwrap_or(since).max(since);
        let mut lines: BTreeMap<(&ProviderId, &ModelId), Vec<(u64, u64)>> = BTreeMap::new();
        for (at, provider, model, answered, judged) in &self.outcomes {
            let parts = lines.entry((provider, model)).or_insert_with(|| vec![(0, 0); BARS]);
            let part = &mut parts[part_of(*at, first, now, BARS)];
            *part = (part.0 + answered, part.1 + judged);
        }
        let mut text = String::new();
        for ((provider, model), parts) in lines {
            #[expect(clippy::cast_precision_loss, reason = "a count of attempts is small")]
            let share = |(answered, judged): (u64, u64)| (judged > 0).then(|| answered as f64 / judged as f64);
            let shares: Vec<Option<f64>> = parts.into_iter().map(share).collect();
            text += &format!("\n{}  {provider} {model}", bars(&shares, settings.unicode));
        }
        if text.is_empty() { text } else { format!("\nAnswered, {} to now:{text}\n", begin(first, Step::Hour)) }
    }
}

/// What was seen in one span.
#[derive(Default)]
struct Span {
    /// What is kept attempt by attempt.
    samples: Measured,
    /// How many attempts there were, and how they ended.
    attempts: u64,
    judged: Measured,
    cost: Usd,
    /// Whether a part of it is hourly sums.
    hourly: bool,
    ttft_us: Bins,
    speed_milli: Bins,
}

impl Span {
    fn count(&mut self, class: ErrorClass, count: u64) {
        let few = u32::try_from(count).unwrap_or(u32::MAX);
        self.attempts += count;
        if class.is_success() {
            self.judged.successes += few;
        } else if class.is_provider_fault() {
            self.judged.faults += few;
        } else if class == ErrorClass::RateLimited {
            self.judged.limited += few;
        }
    }

    fn row(&self, (from, provider, model): Key, asked: &Stratum, unit: Unit) -> Vec<Cell> {
        let judged = &self.judged;
        let interval = judged.judged().interval();
        let share = |share: Option<f64>| share.map_or(Cell::Unknown, |share| Cell::Figure(share, 4));
        let known = judged.judged().count() > 0;
        let (ttft, speed, at, samples) = self.medians(asked, unit);
        vec![
            Cell::Text(from),
            Cell::Text(provider.to_string()),
            Cell::Text(model.to_string()),
            Cell::Count(self.attempts),
            Cell::Count(u64::from(judged.successes)),
            Cell::Count(u64::from(judged.faults)),
            Cell::Count(u64::from(judged.limited)),
            availability(judged),
            share(interval.map(|(low, _)| low)),
            if known { health(judged) } else { Cell::Unknown },
            ttft,
            speed,
            at,
            Cell::Count(samples),
            Cell::Money(self.cost.decimal()),
            Cell::Flag(self.hourly),
            share(interval.map(|(_, high)| high)),
            Cell::Text(unit_name(unit).to_owned()),
        ]
    }

    /// Median wait and speed, of which calls, and of how many.
    fn medians(&self, asked: &Stratum, unit: Unit) -> (Cell, Cell, Cell, u64) {
        let few = |count: u64| if count == 0 { Cell::Unknown } else { Cell::Unknown.told(format!("n={count}")) };
        let figure = |speed: f64| Cell::Figure(speed * factor(unit), 1);
        if self.hourly {
            let ttft = self.ttft_us.percentile(Percentile::P50).map(|micros| Cell::Count(millis(duration_of(micros))));
            let speed = self.speed_milli.percentile(Percentile::P50).map(|milli| figure(milli / 1e3));
            let samples = self.ttft_us.count();
            let speeds = self.speed_milli.count();
            let at = Cell::Text("all sizes".to_owned());
            return (ttft.unwrap_or_else(|| few(samples)), speed.unwrap_or_else(|| few(speeds)), at, samples);
        }
        let Some((stratum, samples)) = self.samples.nearest(asked) else {
            return (Cell::Unknown, Cell::Unknown, Cell::Unknown, 0);
        };
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let (waits, speeds) = (count(samples.waits.len()), count(samples.speeds.len()));
        let ttft = samples.ttft(Percentile::P50).map(|wait| {
            let shown = millis(wait.duration());
            if wait.at_least { Cell::Count(shown).told(format!(">= {shown} ms")) } else { Cell::Count(shown) }
        });
        let speed = samples.speed(Percentile::P50).map(figure);
        let at = Cell::Text(stratum.name());
        (ttft.unwrap_or_else(|| few(waits)), speed.unwrap_or_else(|| few(speeds)), at, waits)
    }
}

/// The hour or the day of a moment, UTC.
fn begin(at: Timestamp, by: Step) -> String {
    let text = at.to_string();
    match by {
        Step::Day => text.chars().take(10).collect(),
        Step::Hour => text.chars().take(13).collect::<String>() + ":00",
    }
}
