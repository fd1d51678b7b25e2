//! The fold of an endpoint: one row, read with one look-up, written with every attempt.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::super::words::{headroom_of, headroom_text};
use super::super::{StateKey, StoreError};
use super::ledger::attempts_of;
use crate::observe::{
    Breaker, CacheHits, Cooling, EndpointStats, ErrorClass, Learning, Moments, Share, StatsState, Window,
};

const COLUMNS: &str = "upd_ms, rate, a, b, af, bf, r, fail_s, hit_asked, hit_served, moments, room, fails, ejections,
    cool_until_ms, cool_since_ms, cool_why, trial_ms, window, last_ok_ms, last_fail_ms, reopened_ms";

/// The rows of the endpoint, under whichever host and protocol, the newest first; of every key where none is at hand.
pub(super) fn endpoints(connection: &Connection, key: &StateKey) -> Result<Vec<i64>, StoreError> {
    let (provider, model) = (key.endpoint.provider.as_str(), &key.endpoint.upstream_model);
    let id = |row: &Row<'_>| row.get(0);
    let ids = match &key.key_fingerprint {
        Some(fingerprint) => connection
            .prepare_cached(
                "SELECT id FROM endpoint WHERE provider = ?1 AND upstream_model = ?2 AND key_fp = ?3 ORDER BY id DESC",
            )?
            .query_map(params![provider, model, fingerprint], id)?
            .collect::<Result<_, _>>(),
        None => connection
            .prepare_cached("SELECT id FROM endpoint WHERE provider = ?1 AND upstream_model = ?2 ORDER BY id DESC")?
            .query_map(params![provider, model], id)?
            .collect(),
    };
    Ok(ids?)
}

pub(super) fn read_state(connection: &Connection, endpoint: i64) -> Result<Option<StatsState>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM state WHERE ep = ?1"))?;
    Ok(statement.query_row([endpoint], state_of).optional()?)
}

/// So many attempts say what was known at a moment: those before them count for little.
const PAST: u32 = 5_000;

/// What is known of an endpoint as of `now`. Of a moment before the last attempt, what was known then: the last attempts
/// until then are folded anew.
pub(super) fn stats_at(
    connection: &Connection,
    endpoint: i64,
    now: Timestamp,
) -> Result<Option<(Timestamp, EndpointStats)>, StoreError> {
    let learning = Learning::default();
    let state = match read_state(connection, endpoint)? {
        Some(state) if state.updated > now => {
            StatsState::of(&attempts_of(connection, endpoint, now, Some(PAST))?, &learning)
        }
        state => state,
    };
    Ok(state.map(|state| (state.updated, state.at(now, &learning))))
}

/// Folds the attempts of every endpoint anew, where the rows of another version are of no use.
pub(super) fn refold(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("SELECT id FROM endpoint")?;
    let endpoints = statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    for endpoint in endpoints {
        let attempts = attempts_of(transaction, endpoint, Timestamp::MAX, None)?;
        if let Some(state) = StatsState::of(&attempts, &Learning::default()) {
            write_state(transaction, endpoint, &state)?;
        }
    }
    Ok(())
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn state_of(row: &Row<'_>) -> Result<StatsState, rusqlite::Error> {
    let at = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(moment));
    let moments = moments_of(row.get_ref(10)?.as_blob().unwrap_or_default());
    let [ttft, small, middle, large, huge, ttft_lasting, speed, speed_lasting, output] = moments;
    let why = row.get::<_, Option<i64>>(16)?.and_then(ErrorClass::from_number);
    Ok(StatsState {
        updated: moment(row.get(0)?),
        rate: row.get(1)?,
        lasting: Share { successes: row.get(2)?, faults: row.get(3)? },
        recent: Share { successes: row.get(4)?, faults: row.get(5)? },
        limited: row.get(6)?,
        ttft,
        ttft_by_size: [small, middle, large, huge],
        ttft_lasting,
        speed,
        speed_lasting,
        output,
        failure_s: row.get(7)?,
        cache: CacheHits { asked: row.get(8)?, served: row.get(9)? },
        headroom: headroom_of(row.get_ref(11)?.as_str().unwrap_or_default()),
        breaker: Breaker {
            failures_in_row: row.get(12)?,
            ejections: row.get(13)?,
            cooling: at(14)?.zip(why).map(|(until, class)| Cooling { until, class }),
            since: at(15)?,
            trial_until: at(17)?,
            reopened: at(21)?,
            window: window_of(row.get_ref(18)?.as_blob().unwrap_or_default()),
        },
        last_success: at(19)?,
        last_fault: at(20)?,
    })
}

pub(super) fn write_state(transaction: &Transaction<'_>, endpoint: i64, state: &StatsState) -> Result<(), StoreError> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let [small, middle, large, huge] = state.ttft_by_size;
    let moments =
        [state.ttft, small, middle, large, huge, state.ttft_lasting, state.speed, state.speed_lasting, state.output];
    let breaker = &state.breaker;
    let mut statement = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO state(ep, {COLUMNS})
         VALUES (:ep, :updated, :rate, :a, :b, :af, :bf, :r, :fail, :asked, :served, :moments, :room, :fails, :ejections,
           :until, :since, :why, :trial, :window, :ok, :fault, :reopened)"
    ))?;
    statement.execute(named_params! {
        ":ep": endpoint, ":updated": state.updated.as_millisecond(), ":rate": state.rate,
        ":a": state.lasting.successes, ":b": state.lasting.faults,
        ":af": state.recent.successes, ":bf": state.recent.faults, ":r": state.limited,
        ":fail": state.failure_s, ":asked": state.cache.asked, ":served": state.cache.served,
        ":moments": moments_blob(&moments), ":room": headroom_text(&state.headroom),
        ":fails": breaker.failures_in_row, ":ejections": breaker.ejections,
        ":until": millis(breaker.cooling.map(|cooling| cooling.until)), ":since": millis(breaker.since),
        ":why": breaker.cooling.map(|cooling| cooling.class.number()), ":trial": millis(breaker.trial_until),
        ":window": window_blob(&breaker.window),
        ":ok": millis(state.last_success), ":fault": millis(state.last_fault), ":reopened": millis(breaker.reopened),
    })?;
    Ok(())
}

/// Takes what is known of an endpoint as of `now` where it is of a moment that the clock has not reached.
pub(super) fn set_back(transaction: &Transaction<'_>, key: &StateKey, now: Timestamp) -> Result<(), StoreError> {
    for endpoint in endpoints(transaction, key)? {
        if let Some(mut state) = read_state(transaction, endpoint)?
            && state.set_back(now)
        {
            write_state(transaction, endpoint, &state)?;
        }
    }
    Ok(())
}

/// Takes the one trial after a pause; false where it is not due, or somebody else has it.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    endpoint: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let Some(mut state) = read_state(transaction, endpoint)? else { return Ok(true) };
    if state.set_back(now) {
        write_state(transaction, endpoint, &state)?;
    }
    let claimed = state.breaker.claim(now, until);
    if claimed {
        let until = state.breaker.trial_until.map(Timestamp::as_millisecond);
        transaction.execute("UPDATE state SET trial_ms = ?2 WHERE ep = ?1", params![endpoint, until])?;
    }
    Ok(claimed)
}

/// Nine times weight, mean and squares, as little-endian floats.
fn moments_blob(all: &[Moments; 9]) -> Vec<u8> {
    let figures = all.iter().flat_map(|moments| [moments.weight, moments.mean, moments.squares]);
    figures.flat_map(f64::to_le_bytes).collect()
}

fn moments_of(blob: &[u8]) -> [Moments; 9] {
    let (words, _) = blob.as_chunks::<8>();
    let figure = |at: usize| words.get(at).map_or(0.0, |word| f64::from_le_bytes(*word));
    std::array::from_fn(|at| Moments { weight: figure(3 * at), mean: figure(3 * at + 1), squares: figure(3 * at + 2) })
}

/// The newest bucket, then successes and faults by bucket, little-endian.
fn window_blob(window: &Window) -> Vec<u8> {
    let counts = window.good.iter().chain(&window.bad).flat_map(|count| count.to_le_bytes());
    window.newest.to_le_bytes().into_iter().chain(counts).collect()
}

fn window_of(blob: &[u8]) -> Window {
    let Some((newest, counts)) = blob.split_first_chunk::<8>() else { return Window::default() };
    let (counts, _) = counts.as_chunks::<2>();
    let count = |at: usize| counts.get(at).map_or(0, |word| u16::from_le_bytes(*word));
    Window {
        newest: i64::from_le_bytes(*newest),
        good: std::array::from_fn(count),
        bad: std::array::from_fn(|at| count(10 + at)),
    }
}
