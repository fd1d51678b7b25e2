//! Rows: an attempt and the fold of its endpoint, written and read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, OptionalExtension, ToSql, Transaction, named_params, params};

use super::super::StoreError;
use super::super::words::headroom_text;
use super::state::{read_state, write_state};
use crate::catalog::price::SheetVersion;
use crate::observe::hourly::{speed_bin, ttft_bin};
use crate::observe::{CostState, Learning, Observation, Phase, Source, StatsState, TokenSource};

/// Keeps one attempt: its row, the fold of its endpoint, and the hourly sums that outlive the row.
pub(super) fn keep(transaction: &Transaction<'_>, seen: &Observation) -> Result<(), StoreError> {
    keep_all(transaction, std::slice::from_ref(seen), When::Now)
}

/// When attempts ended that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// A moment ago: what is known as of a much later moment is of a clock that ran ahead.
    Now,
    /// Nobody knows.
    Once,
}

/// Keeps attempts, in order; what many of them have in common is read and written once.
pub(super) fn keep_all(transaction: &Transaction<'_>, all: &[Observation], when: When) -> Result<(), StoreError> {
    let mut folds: BTreeMap<i64, StatsState> = BTreeMap::new();
    let (mut places, mut sums) = (Places::default(), Sums::default());
    let mut rows = Rows::new(transaction)?;
    for seen in all {
        let endpoint = places.endpoint(transaction, seen)?;
        rows.insert((endpoint, places.sheet(transaction, seen)?), seen)?;
        sums.add(endpoint, seen);
        let fold = match folds.entry(endpoint) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(read_state(transaction, endpoint)?.unwrap_or_else(|| StatsState::new(seen.at)))
            }
        };
        if when == When::Now {
            fold.set_back_at_end_of(seen);
        }
        fold.observe(seen, &Learning::default());
    }
    sums.write(transaction)?;
    folds.iter().try_for_each(|(endpoint, fold)| write_state(transaction, *endpoint, fold))
}

/// What a histogram counts; the position is the number in the store.
pub(super) const METRIC_TTFT: i64 = 0;
pub(super) const METRIC_SPEED: i64 = 1;

/// Hourly counts by class, and histograms with bins 2 % wide: additive, so that nothing is read before it is written.
#[derive(Default)]
struct Sums {
    /// How many of an endpoint, an hour and a class, and their cost in picodollars.
    tally: BTreeMap<(i64, i64, i64), (i64, i64)>,
    /// How many of an endpoint, a metric, an hour and a bin.
    histogram: BTreeMap<(i64, i64, i64, i64), i64>,
}

impl Sums {
    fn add(&mut self, endpoint: i64, seen: &Observation) {
        let hour = seen.at.as_second().div_euclid(3600);
        let cost = seen.cost.and_then(crate::units::Usd::to_pico).unwrap_or(0);
        let (count, sum) = self.tally.entry((endpoint, hour, seen.class.number())).or_default();
        (*count, *sum) = (*count + 1, sum.saturating_add(cost));
        for (metric, bin) in [(METRIC_TTFT, ttft_bin(seen)), (METRIC_SPEED, speed_bin(seen))] {
            if let Some(bin) = bin {
                *self.histogram.entry((endpoint, metric, hour, bin)).or_default() += 1;
            }
        }
    }

    fn write(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut tally = transaction.prepare_cached(
            "INSERT INTO tally(ep, hour, class, n, cost_pd) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(ep, hour, class) DO UPDATE SET n = n + excluded.n, cost_pd = cost_pd + excluded.cost_pd",
        )?;
        for ((endpoint, hour, class), (count, cost)) in &self.tally {
            tally.execute(params![endpoint, hour, class, count, cost])?;
        }
        let mut histogram = transaction.prepare_cached(
            "INSERT INTO hist(ep, metric, hour, bin, n) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(ep, metric, hour, bin) DO UPDATE SET n = n + excluded.n",
        )?;
        for ((endpoint, metric, hour, bin), count) in &self.histogram {
            histogram.execute(params![endpoint, metric, hour, bin, count])?;
        }
        Ok(())
    }
}

/// The numbers of the endpoints and of the price sheets that were looked up last.
#[derive(Default)]
struct Places<'a> {
    endpoint: Option<(&'a Observation, i64)>,
    sheet: Option<(&'a SheetVersion, i64)>,
}

impl<'a> Places<'a> {
    fn endpoint(&mut self, transaction: &Transaction<'_>, seen: &'a Observation) -> Result<i64, StoreError> {
        let is_same = |last: &Observation| {
            last.endpoint == seen.endpoint
                && (last.host == seen.host && last.protocol == seen.protocol)
                && (last.model == seen.model && last.key_fingerprint == seen.key_fingerprint)
        };
        if let Some((_, place)) = self.endpoint.filter(|(last, _)| is_same(last)) {
            return Ok(place);
        }
        let place = endpoint_row(transaction, seen)?;
        self.endpoint = Some((seen, place));
        Ok(place)
    }

    fn sheet(&mut self, transaction: &Transaction<'_>, seen: &'a Observation) -> Result<Option<i64>, StoreError> {
        let Some(sheet) = seen.asked.sheet.as_deref() else { return Ok(None) };
        if let Some((_, place)) = self.sheet.filter(|(last, _)| last.sha256 == sheet.sha256) {
            return Ok(Some(place));
        }
        let place = sheet_row(transaction, sheet)?;
        self.sheet = Some((sheet, place));
        Ok(Some(place))
    }
}

/// The number of a price sheet, which is written down where it is new.
fn sheet_row(transaction: &Transaction<'_>, sheet: &SheetVersion) -> Result<i64, StoreError> {
    let find = |transaction: &Transaction<'_>| {
        let mut statement = transaction.prepare_cached("SELECT ver FROM price WHERE sha256 = ?1")?;
        statement.query_row([&sheet.sha256], |row| row.get(0)).optional()
    };
    if let Some(known) = find(transaction)? {
        return Ok(known);
    }
    let taken = format!("{}T00:00:00Z", sheet.day).parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    transaction.execute(
        "INSERT INTO price(sha256, taken_ms, sheet) VALUES (?1, ?2, ?3)",
        params![sheet.sha256, taken.as_millisecond(), sheet.sheet],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// The number of an endpoint as it was called, which is written down where it is new or serves another model now.
fn endpoint_row(transaction: &Transaction<'_>, seen: &Observation) -> Result<i64, StoreError> {
    let find = |model: Option<&str>| {
        let mut statement = transaction.prepare_cached(
            "SELECT id FROM endpoint WHERE provider = ?1 AND host = ?2 AND protocol = ?3 AND upstream_model = ?4
             AND variant = '' AND key_fp = ?5 AND (?6 IS NULL OR model = ?6)",
        )?;
        let (provider, upstream) = (seen.endpoint.provider.as_str(), &seen.endpoint.upstream_model);
        let values = params![provider, seen.host, seen.protocol.name(), upstream, seen.key_fingerprint, model];
        statement.query_row(values, |row| row.get(0)).optional()
    };
    if let Some(known) = find(Some(seen.model.as_str()))? {
        return Ok(known);
    }
    transaction.execute(
        "INSERT INTO endpoint(provider, host, protocol, upstream_model, model, key_fp)
         VALUES (:provider, :host, :protocol, :upstream, :model, :key)
         ON CONFLICT(provider, host, protocol, upstream_model, variant, key_fp) DO UPDATE SET model = excluded.model",
        named_params! {
            ":provider": seen.endpoint.provider.as_str(), ":host": seen.host, ":protocol": seen.protocol.name(),
            ":upstream": seen.endpoint.upstream_model, ":model": seen.model.as_str(), ":key": seen.key_fingerprint,
        },
    )?;
    find(None)?.ok_or_else(|| StoreError("an endpoint was not written down".to_owned()))
}

/// The sources, phases and states of a cost; the position is the number in the store.
pub(super) const SOURCES: [Source; 3] = [Source::Probe, Source::Chat, Source::Gateway];
pub(super) const PHASES: [Phase; 8] =
    [Phase::Dns, Phase::Tcp, Phase::Tls, Phase::Send, Phase::Head, Phase::FirstToken, Phase::Stream, Phase::Done];
pub(super) const COST_STATES: [CostState; 3] = [CostState::Exact, CostState::None, CostState::Unknown];

pub(super) fn place<T: PartialEq>(all: &[T], value: &T) -> Option<i64> {
    all.iter().position(|known| known == value).and_then(|at| i64::try_from(at).ok())
}

/// What an attempt's row is made of.
const COLUMNS: usize = 45;

/// By place, in the order of the columns: looking forty names up takes longer than writing the row.
const INSERT: &str = "INSERT INTO obs(ts_ms, ep, grp, src, class, http, code, phase,
   head_us, ttft_us, ttfa_us, decode_us, e2e_us,
   in_tok, cached_tok, cw5_tok, cw1h_tok, out_tok, reason_tok,
   events, reads, finish, retry_after_ms, flags,
   cost_pd, bill_pd, cost_state, connect_us, dns_us, tcp_us, tls_us, sched_lag_us,
   stream_tok, n1_tok, burst_pm, tok_src, effort, prompt_ver,
   warm_tok, room, price_ver, expect_pd, bound_pd, est_tok, streamed)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?,
   ?, ?, ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?, ?)";

/// Writes rows of attempts, one after the other.
struct Rows<'a> {
    statement: CachedStatement<'a>,
    /// What stands in each place of the statement since the row before: a number or nothing; `None` where it is a text.
    last: [Option<Option<i64>>; COLUMNS],
}

impl<'a> Rows<'a> {
    fn new(transaction: &'a Transaction<'_>) -> Result<Self, StoreError> {
        Ok(Self { statement: transaction.prepare_cached(INSERT)?, last: [Some(None); COLUMNS] })
    }

    fn insert(&mut self, (endpoint, sheet): (i64, Option<i64>), seen: &Observation) -> Result<(), StoreError> {
        let micros = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_micros()).ok());
        let millis = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_millis()).ok());
        let usage = seen.usage.clone().unwrap_or_default();
        let count = |tokens: Option<crate::units::Tokens>| tokens.and_then(|tokens| i64::try_from(tokens.count()).ok());
        let whole = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        let to_pico = |amount: crate::units::Usd| amount.to_pico().or_else(|| amount.rounded().to_pico());
        let five_minutes = usage.cache_write.map(|all| all.saturating_sub(usage.cache_write_1h.unwrap_or_default()));
        let (times, streamed) = (&seen.timings, &seen.streamed);
        #[rustfmt::skip]
        let values = params![
            seen.at.as_millisecond(), endpoint, seen.group.as_slice(), place(&SOURCES, &seen.source),
            seen.class.number(), seen.http_status, seen.code, place(&PHASES, &seen.phase),
            micros(times.head), micros(times.ttft), micros(times.ttfa), micros(times.decode), micros(times.e2e),
            count(usage.input), count(usage.cache_read), count(five_minutes), count(usage.cache_write_1h),
            count(usage.output), count(usage.reasoning),
            seen.events, seen.reads, seen.finish, millis(seen.retry_after), seen.flags.bits(),
            seen.cost.and_then(crate::units::Usd::to_pico), seen.billed.and_then(crate::units::Usd::to_pico),
            place(&COST_STATES, &seen.cost_state), micros(times.connect), micros(times.dns), micros(times.tcp),
            micros(times.tls), micros(times.sched_lag),
            whole(streamed.tokens), whole(streamed.first), streamed.burst_pm, streamed.source.map(TokenSource::number),
            seen.effort, seen.prompt_version,
            count(seen.warm), headroom_text(&seen.headroom), sheet, seen.asked.expected.and_then(to_pico),
            seen.asked.bound.and_then(to_pico), count(seen.asked.input), seen.asked.stream,
        ];
        self.put(values)
    }

    /// Most of a row says nothing, or what the row before said.
    fn put(&mut self, values: &[&dyn ToSql]) -> Result<(), StoreError> {
        debug_assert_eq!(values.len(), COLUMNS);
        for (at, (value, last)) in values.iter().zip(&mut self.last).enumerate() {
            let value = value.to_sql()?;
            let told = match value {
                ToSqlOutput::Borrowed(ValueRef::Null) | ToSqlOutput::Owned(Value::Null) => Some(None),
                ToSqlOutput::Borrowed(ValueRef::Integer(number)) | ToSqlOutput::Owned(Value::Integer(number)) => {
                    Some(Some(number))
                }
                _ => None,
            };
            if told.is_none() || told != *last {
                self.statement.raw_bind_parameter(at + 1, value)?;
                *last = told;
            }
        }
        self.statement.raw_execute()?;
        Ok(())
    }
}
