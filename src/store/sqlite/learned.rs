//! What was learned of an endpoint that no table of the catalog knows: in `meta`, so that the next process need not find
//! it out again. It is forgotten after a month, since servers are replaced.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::super::{LEARNED_DAYS, StoreError};
use crate::catalog::EndpointId;

pub(super) fn read(
    connection: &Connection,
    endpoint: &EndpointId,
    host: &str,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT v FROM meta WHERE k = ?1")?;
    let kept: Option<String> = statement.query_row([key(endpoint, host)], |row| row.get(0)).optional()?;
    let Some((day, facts)) = kept.as_deref().and_then(|kept| kept.split_once('\n')) else { return Ok(Vec::new()) };
    let age = day.parse::<i64>().map_or(i64::MAX, |day| now.as_second().div_euclid(86_400).saturating_sub(day));
    if age > LEARNED_DAYS {
        return Ok(Vec::new());
    }
    Ok(facts.lines().map(str::to_owned).collect())
}

pub(super) fn write(
    connection: &Connection,
    endpoint: &EndpointId,
    host: &str,
    at: Timestamp,
    facts: &[String],
) -> Result<(), StoreError> {
    let key = key(endpoint, host);
    if facts.is_empty() {
        connection.execute("DELETE FROM meta WHERE k = ?1", [key])?;
        return Ok(());
    }
    let value = format!("{}\n{}", at.as_second().div_euclid(86_400), facts.join("\n"));
    connection.execute("INSERT OR REPLACE INTO meta(k, v) VALUES (?1, ?2)", [key, value])?;
    Ok(())
}

fn key(endpoint: &EndpointId, host: &str) -> String {
    format!("learned {} {host} {}", endpoint.provider.as_str(), endpoint.upstream_model)
}
