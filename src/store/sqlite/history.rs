//! What outlives the rows: counts and histograms by the hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::StoreError;
use super::rows::{METRIC_SPEED, METRIC_TTFT};
use crate::catalog::{EndpointId, ModelId, ProviderId};
use crate::observe::ErrorClass;
use crate::observe::hourly::Hour;
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

/// The hour of a row, which begins with hour, endpoint's number, provider, upstream model and model.
fn at<'a>(found: &'a mut BTreeMap<(i64, i64), Hour>, row: &Row<'_>) -> Result<&'a mut Hour, rusqlite::Error> {
    let key: (i64, i64) = (row.get(0)?, row.get(1)?);
    if !found.contains_key(&key) {
        let begins = Timestamp::from_second(key.0.saturating_mul(HOUR)).unwrap_or(Timestamp::UNIX_EPOCH);
        let provider = ProviderId::new(row.get::<_, String>(2)?);
        let endpoint = EndpointId { provider, upstream_model: row.get(3)? };
        found.insert(key, Hour::empty(begins, endpoint, ModelId::new(row.get::<_, String>(4)?)));
    }
    found.get_mut(&key).ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// The moment from which on every attempt has a row; `None` where nothing has been removed.
pub(super) fn oldest(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let (row, hour): (Option<i64>, Option<i64>) =
        connection.query_row("SELECT (SELECT min(ts_ms) FROM obs), (SELECT min(hour) FROM tally)", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let Some(hour) = hour else { return Ok(None) };
    // An hour that begins the rows may have lost some of them.
    let first = row.map_or(i64::MAX / 2, |millis| millis.div_euclid(HOUR * 1000));
    if hour >= first {
        return Ok(None);
    }
    Ok(Some(Timestamp::from_second(first.saturating_add(1).saturating_mul(HOUR)).unwrap_or(Timestamp::MAX)))
}
