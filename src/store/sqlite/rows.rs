//! Rows: an attempt and the fold of its endpoint, written and read.

use std::time::Duration;

use rusqlite::{Transaction, named_params, params};

use super::super::StoreError;
use super::super::words::headroom_text;
use super::state::{read_state, write_state};
use crate::observe::{CostState, Learning, Observation, Phase, Source, StatsState, decode_speed};

/// Keeps one attempt: its row, the fold of its endpoint, and the hourly sums that outlive the row.
pub(super) fn keep(transaction: &Transaction<'_>, seen: &Observation) -> Result<(), StoreError> {
    let endpoint = endpoint_row(transaction, seen)?;
    insert(transaction, endpoint, seen)?;
    sum_up(transaction, endpoint, seen)?;
    let mut state = read_state(transaction, endpoint)?.unwrap_or_else(|| StatsState::new(seen.at));
    state.observe(seen, &Learning::default());
    write_state(transaction, endpoint, &state)
}

/// What a histogram counts; the position is the number in the store.
const METRIC_TTFT: i64 = 0;
const METRIC_SPEED: i64 = 1;

/// Hourly counts by class, and histograms with bins 2 % wide: additive, so that nothing is read before it is written.
fn sum_up(transaction: &Transaction<'_>, endpoint: i64, seen: &Observation) -> Result<(), StoreError> {
    let hour = seen.at.as_second().div_euclid(3600);
    let cost = seen.cost.and_then(crate::units::Usd::to_pico).unwrap_or(0);
    transaction.execute(
        "INSERT INTO tally(ep, hour, class, n, cost_pd) VALUES (?1, ?2, ?3, 1, ?4)
         ON CONFLICT(ep, hour, class) DO UPDATE SET n = n + 1, cost_pd = cost_pd + excluded.cost_pd",
        params![endpoint, hour, seen.class.number(), cost],
    )?;
    let ttft = seen.timings.ttft.map(|ttft| ttft.as_secs_f64() * 1e6);
    let speed = decode_speed(seen).map(|speed| speed * 1e3);
    for (metric, value) in [(METRIC_TTFT, ttft), (METRIC_SPEED, speed)] {
        let Some(bin) = value.and_then(bin_of) else { continue };
        transaction.execute(
            "INSERT INTO hist(ep, metric, hour, bin, n) VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT(ep, metric, hour, bin) DO UPDATE SET n = n + 1",
            params![endpoint, metric, hour, bin],
        )?;
    }
    Ok(())
}

/// The bin of a positive value: the ceiling of its logarithm to the base 1.02.
fn bin_of(value: f64) -> Option<i64> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let bin = libm::ceil(libm::log(value) / libm::log(1.02));
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of any finite number is small")]
    let bin = bin as i64;
    Some(bin)
}

fn endpoint_row(transaction: &Transaction<'_>, seen: &Observation) -> Result<i64, StoreError> {
    let values = named_params! {
        ":provider": seen.endpoint.provider.as_str(), ":host": seen.host, ":protocol": seen.protocol.name(),
        ":upstream": seen.endpoint.upstream_model, ":model": seen.model.as_str(), ":key": seen.key_fingerprint,
    };
    transaction.execute(
        "INSERT INTO endpoint(provider, host, protocol, upstream_model, model, key_fp)
         VALUES (:provider, :host, :protocol, :upstream, :model, :key)
         ON CONFLICT(provider, host, protocol, upstream_model, variant, key_fp) DO UPDATE SET model = excluded.model",
        values,
    )?;
    let id = transaction.query_row(
        "SELECT id FROM endpoint WHERE provider = ?1 AND host = ?2 AND protocol = ?3 AND upstream_model = ?4
         AND variant = '' AND key_fp = ?5",
        params![
            seen.endpoint.provider.as_str(),
            seen.host,
            seen.protocol.name(),
            seen.endpoint.upstream_model,
            seen.key_fingerprint
        ],
        |row| row.get(0),
    )?;
    Ok(id)
}

/// Bits of `obs.flags`.
pub(super) const FLAG_REUSED: i64 = 1;
/// The sources, phases and states of a cost; the position is the number in the store.
pub(super) const SOURCES: [Source; 3] = [Source::Probe, Source::Chat, Source::Gateway];
pub(super) const PHASES: [Phase; 8] =
    [Phase::Dns, Phase::Tcp, Phase::Tls, Phase::Send, Phase::Head, Phase::FirstToken, Phase::Stream, Phase::Done];
pub(super) const COST_STATES: [CostState; 3] = [CostState::Exact, CostState::None, CostState::Unknown];

fn place<T: PartialEq>(all: &[T], value: &T) -> Option<i64> {
    all.iter().position(|known| known == value).and_then(|at| i64::try_from(at).ok())
}

fn insert(transaction: &Transaction<'_>, endpoint: i64, seen: &Observation) -> Result<(), StoreError> {
    let micros = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_micros()).ok());
    let millis = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_millis()).ok());
    let usage = seen.usage.clone().unwrap_or_default();
    let count = |tokens: Option<crate::units::Tokens>| tokens.and_then(|tokens| i64::try_from(tokens.count()).ok());
    let five_minutes = usage.cache_write.map(|all| all.saturating_sub(usage.cache_write_1h.unwrap_or_default()));
    transaction.execute(
        "INSERT INTO obs(ts_ms, ep, grp, src, class, http, code, phase, head_us, ttft_us, ttfa_us, decode_us, e2e_us,
           in_tok, cached_tok, cw5_tok, cw1h_tok, out_tok, reason_tok, events, reads, finish, retry_after_ms, flags,
           cost_pd, bill_pd, cost_state, connect_us, dns_us, warm_tok, room)
         VALUES (:ts, :ep, :grp, :src, :class, :http, :code, :phase, :head, :ttft, :ttfa, :decode, :e2e,
           :input, :cached, :cw5, :cw1h, :output, :reason, :events, :reads, :finish, :retry, :flags,
           :cost, :bill, :state, :connect, :dns, :warm, :room)",
        named_params! {
            ":ts": seen.at.as_millisecond(), ":ep": endpoint, ":grp": seen.group.as_slice(),
            ":src": place(&SOURCES, &seen.source),
            ":class": seen.class.number(), ":http": seen.http_status, ":code": seen.code,
            ":phase": place(&PHASES, &seen.phase), ":head": micros(seen.timings.head),
            ":ttft": micros(seen.timings.ttft), ":ttfa": micros(seen.timings.ttfa),
            ":decode": micros(seen.timings.decode), ":e2e": micros(seen.timings.e2e),
            ":input": count(usage.input), ":cached": count(usage.cache_read), ":cw5": count(five_minutes),
            ":cw1h": count(usage.cache_write_1h), ":output": count(usage.output), ":reason": count(usage.reasoning),
            ":events": seen.events, ":reads": seen.reads, ":finish": seen.finish,
            ":retry": millis(seen.retry_after), ":flags": if seen.reused { FLAG_REUSED } else { 0 },
            ":cost": seen.cost.and_then(crate::units::Usd::to_pico),
            ":bill": seen.billed.and_then(crate::units::Usd::to_pico),
            ":state": place(&COST_STATES, &seen.cost_state),
            ":connect": micros(seen.timings.connect), ":dns": micros(seen.timings.dns),
            ":warm": count(seen.warm), ":room": headroom_text(&seen.headroom),
        },
    )?;
    Ok(())
}
