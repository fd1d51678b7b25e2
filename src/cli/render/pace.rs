//! How long each part of an attempt took and how fast it came: as members of JSON, and as a line for people.

use std::time::Duration;

use serde_json::{Map, Value};

use super::json::literal;
use super::text::{duration, grouped};
use crate::dispatch::AttemptReport;
use crate::observe::{Flags, Source, Why};

/// The times and rates of an attempt. Milliseconds have microseconds behind the point, rates three places; what does not
/// exist is null, and where a rate is, `decode_why` says why.
pub(crate) fn timing(attempt: &AttemptReport) -> Value {
    let outcome = &attempt.outcome;
    let (times, pace) = (&outcome.timings, outcome.pace(Source::Chat));
    let thought = times.ttfa.zip(times.ttft).map(|(answer, first)| answer.saturating_sub(first));
    let count = |count: Option<u64>| count.map_or(Value::Null, Value::from);
    let word = |word: Option<&'static str>| word.map_or(Value::Null, Value::from);
    let members = [
        ("connect_ms", millis(times.connect)),
        ("dns_ms", millis(times.dns)),
        ("tcp_ms", millis(times.tcp)),
        ("tls_ms", millis(times.tls)),
        ("head_ms", millis(times.head)),
        ("ttft_ms", millis(times.ttft)),
        ("ttfa_ms", millis(times.ttfa)),
        ("think_ms", millis(thought.filter(|thought| !thought.is_zero()))),
        ("e2e_ms", millis(times.e2e.filter(|_| outcome.class.is_success()))),
        ("decode_tps", rate(pace.decode_tps().ok())),
        ("decode_why", word(pace.decode_tps().err().map(Why::name))),
        ("tpot_ms", rate(pace.tpot_ms().ok())),
        ("e2e_tps", rate(pace.e2e_tps())),
        ("after_first_tps", rate(pace.after_first_tps().ok())),
        ("streamed_tokens", count(pace.streamed.tokens)),
        ("tokens_source", word(pace.streamed.source.map(crate::observe::TokenSource::name))),
        ("tokens_per_chunk", rate(pace.tokens_per_chunk())),
        ("chunks", if pace.reads > 0 { pace.events.into() } else { Value::Null }),
        ("chunk_gap_ms", rate(pace.chunk_gap_ms())),
        ("itl_ms", rate(pace.itl_ms())),
        ("burst_share", rate(pace.streamed.burst_pm.map(|share| f64::from(share) / 1000.0))),
        ("server_est_ms", millis(pace.server_est())),
        ("flags", pace.flags.names().collect::<Vec<_>>().into()),
    ];
    Map::from_iter(members.map(|(name, value)| (name.to_owned(), value))).into()
}

/// `alpha: connected in 31 ms (name 1 ms, TCP 14 ms, TLS 16 ms); first token 420 ms, answer 2.1 s; 61.3 tok/s ...`
pub(crate) fn line(attempt: &AttemptReport) -> String {
    let outcome = &attempt.outcome;
    let (times, pace) = (&outcome.timings, outcome.pace(Source::Chat));
    let mut parts = Vec::new();
    match times.connect {
        Some(connect) => {
            let steps = [("name", times.dns), ("TCP", times.tcp), ("TLS", times.tls)];
            let steps: Vec<String> =
                steps.iter().filter_map(|(step, time)| Some(format!("{step} {}", duration((*time)?)))).collect();
            parts.push(format!("connected in {} ({})", duration(connect), steps.join(", ")));
        }
        None if pace.flags.has(Flags::REUSED) => parts.push("on a kept connection".to_owned()),
        None => {}
    }
    if let Some(first) = times.ttft {
        let answer = times.ttfa.filter(|answer| *answer > first);
        let answer = answer.map(|answer| format!(", first answer {}", duration(answer))).unwrap_or_default();
        let server = pace.server_est().map(|own| format!(", about {} of it the server's", duration(own)));
        parts.push(format!("first token {}{answer}{}", duration(first), server.unwrap_or_default()));
    }
    match (pace.decode_tps(), pace.tpot_ms()) {
        (Ok(speed), Ok(each)) => parts.push(format!("{speed:.1} tok/s after it ({each:.1} ms a token)")),
        (Err(why), _) | (_, Err(why)) => parts.push(format!("no tok/s: {}", said(why))),
    }
    if let Some(speed) = pace.e2e_tps() {
        parts.push(format!("{speed:.1} tok/s in all"));
    }
    if let (Some(tokens), Some(each)) = (pace.streamed.tokens, pace.tokens_per_chunk()) {
        let about = if pace.streamed.source == Some(crate::observe::TokenSource::Usage) { "" } else { "about " };
        parts.push(format!("{about}{} tokens streamed, {each:.1} a chunk", grouped(tokens)));
    }
    match (pace.itl_ms(), pace.chunk_gap_ms()) {
        (Some(gap), _) => parts.push(format!("{gap:.1} ms between tokens")),
        (None, Some(gap)) => parts.push(format!("{gap:.1} ms between chunks")),
        (None, None) => {}
    }
    let flags: Vec<&str> = pace.flags.names().filter(|name| !matches!(*name, "reused" | "burst")).collect();
    if !flags.is_empty() {
        parts.push(flags.join(", "));
    }
    format!("{}: {}", attempt.endpoint.provider, parts.join("; "))
}

/// A reason in words.
const fn said(why: Why) -> &'static str {
    match why {
        Why::Failed => "it failed",
        Why::NotStreamed => "not streamed",
        Why::TooFewTokens => "too few tokens",
        Why::TooShort => "too short a time",
        Why::Burst => "it came in a burst",
        Why::UsageMissing => "no usage was reported",
        Why::Suspended => "this machine slept meanwhile",
        Why::ClientBusy => "this machine was too busy",
    }
}

fn millis(time: Option<Duration>) -> Value {
    time.map_or(Value::Null, |time| literal(&format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000)))
}

fn rate(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| literal(&format!("{value:.3}")))
}
