//! What outlives the rows: counts and histograms by the hour.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::StoreError;
use super::rows::{METRIC_SPEED, METRIC_TTFT, SOURCES};
use crate::catalog::{EndpointId, ModelId, ProviderId};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{ErrorClass, Flags, Source};
use crate::routing::Hedging;
use crate::units::Usd;

const HOUR: i64 = 3600;

/// Every hour of a span, oldest first.
pub(super) fn hours(connection: &Connection, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError> {
    let (from, to) = (since.as_second().div_euclid(HOUR), until.as_second().div_euclid(HOUR));
    let mut found: BTreeMap<(i64, i64), Hour> = BTreeMap::new();
    let mut tally = connection.prepare_cached(
        "SELECT hour, ep, provider, upstream_model, model, class, n, cost_pd
         FROM tally JOIN endpoint ON endpoint.id = tally.ep WHERE hour >= ?1 AND hour <= ?2",
    )?;
    let mut rows = tally.query(params![from, to])?;
    while let Some(row) = rows.next()? {
        let hour = at(&mut found, row)?;
        let Some(class) = ErrorClass::from_number(row.get(5)?) else { continue };
        *hour.classes.entry(class).or_default() += row.get::<_, u32>(6).map(u64::from)?;
        hour.cost += Usd::from_pico(row.get(7)?);
    }
    let mut hist = connection.prepare_cached(
        "SELECT hour, ep, provider, upstream_model, model, metric, bin, n
         FROM hist JOIN endpoint ON endpoint.id = hist.ep WHERE hour >= ?1 AND hour <= ?2",
    )?;
    let mut rows = hist.query(params![from, to])?;
    while let Some(row) = rows.next()? {
        let (metric, bin, count): (i64, i64, u32) = (row.get(5)?, row.get(6)?, row.get(7)?);
        let hour = at(&mut found, row)?;
        match metric {
            METRIC_TTFT => hour.ttft_us.add(bin, count.into()),
            METRIC_SPEED => hour.speed_milli.add(bin, count.into()),
            _ => {}
        }
    }
    Ok(found.into_values().collect())
}

/// Requests since a moment, probes aside, and those that asked two side by side.
pub(super) fn hedging(connection: &Connection, since: Timestamp) -> Result<Hedging, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(DISTINCT grp), count(DISTINCT CASE WHEN flags & ?3 THEN grp END)
         FROM obs WHERE ts_ms >= ?1 AND src != ?2",
    )?;
    let values = params![since.as_millisecond(), source(Source::Probe), Flags::HEDGED.bits()];
    let (requests, hedged): (u32, u32) = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Hedging { requests: requests.into(), hedged: hedged.into() })
}

/// A source's number.
fn source(of: Source) -> Option<i64> {
    SOURCES.iter().position(|source| *source == of).and_then(|at| i64::try_from(at).ok())
}

/// The mean of one's own calls since a moment: of those that were answered with their usage, and are no probes.
pub(super) fn mix(
    connection: &Connection,
    model: Option<&ModelId>,
    since: Timestamp,
) -> Result<Option<Mix>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT class, count(*), SUM(in_tok), SUM(COALESCE(cached_tok, 0)), SUM(out_tok)
         FROM obs JOIN endpoint ON endpoint.id = obs.ep
         WHERE ts_ms >= ?1 AND src != ?2 AND in_tok IS NOT NULL AND out_tok IS NOT NULL AND (?3 IS NULL OR model = ?3)
         GROUP BY class",
    )?;
    let mut rows =
        statement.query(params![since.as_millisecond(), source(Source::Probe), model.map(ModelId::as_str)])?;
    let mut sums = [0_u64; 4];
    while let Some(row) = rows.next()? {
        if ErrorClass::from_number(row.get(0)?).is_some_and(ErrorClass::is_success) {
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum = sum.saturating_add(u64::try_from(row.get::<_, i64>(at + 1)?).unwrap_or(0));
            }
        }
    }
    let [calls, input, cached, output] = sums;
    Ok(Mix::of(calls, input, cached, output))
}

/// The hour of a row, which begins with hour, endpoint's number, provider, upstream model and model.
fn at<'a>(found: &'a mut BTreeMap<(i64, i64), Hour>, row: &Row<'_>) -> Result<&'a mut Hour, rusqlite::Error> {
    let key: (i64, i64) = (row.get(0)?, row.get(1)?);
    match found.entry(key) {
        Entry::Occupied(hour) => Ok(hour.into_mut()),
        Entry::Vacant(place) => {
            let begins = Timestamp::from_second(key.0.saturating_mul(HOUR)).unwrap_or(Timestamp::UNIX_EPOCH);
            let provider = ProviderId::new(row.get::<_, String>(2)?);
            let endpoint = EndpointId { provider, upstream_model: row.get(3)? };
            Ok(place.insert(Hour::empty(begins, endpoint, ModelId::new(row.get::<_, String>(4)?))))
        }
    }
}

/// The moment from which on every attempt has a row; `None` where nothing has been removed.
pub(super) fn oldest(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let (row, hour): (Option<i64>, Option<i64>) =
        connection.query_row("SELECT (SELECT min(ts_ms) FROM obs), (SELECT min(hour) FROM tally)", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let Some(hour) = hour else { return Ok(None) };
    let Some(first) = row.map(|millis| millis.div_euclid(HOUR * 1000)) else { return Ok(Some(Timestamp::MAX)) };
    // The hour in which the rows begin may have lost some of them.
    let begins = first.saturating_mul(HOUR * 1000);
    let (kept, counted): (i64, i64) = connection.query_row(
        "SELECT (SELECT count(*) FROM obs WHERE ts_ms >= ?1 AND ts_ms < ?2),
                (SELECT COALESCE(SUM(n), 0) FROM tally WHERE hour = ?3)",
        params![begins, begins.saturating_add(HOUR * 1000), first],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let whole = kept >= counted;
    if hour >= first && whole {
        return Ok(None);
    }
    let from = if whole { first } else { first.saturating_add(1) };
    Ok(Some(Timestamp::from_second(from.saturating_mul(HOUR)).unwrap_or(Timestamp::MAX)))
}
