//! One attempt as it was seen ([`Observation`]), what a failure permits next ([`ErrorClass`]), and the fold of many
//! attempts ([`EndpointStats`]), read at a given `now`. No clock, no I/O.

mod breaker;
mod class;
mod clock;
mod draw;
mod fault;
mod flags;
mod headroom;
pub mod hourly;
mod learning;
pub mod ledger;
mod measured;
mod rates;
mod statistics;
mod stats;
mod stratum;
mod together;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use breaker::{Breaker, Cooling, RETURNING, Window};
pub use class::{Cooldown, ErrorClass, Failover};
pub use draw::draw;
pub use fault::{Evidence, Fault, Others, WireErrorKind, blame};
pub use flags::Flags;
pub use headroom::{Bucket, Headroom};
pub use learning::{Learning, Moments, censored};
pub use measured::{MEDIAN_FLOOR, Measured, Samples, Wait};
pub use rates::{
    BLIND, BURST_PM, ITL_TOKENS, Pace, RATE_READS, RATE_SPAN, RATE_TOKENS, Streamed, TokenSource, Why, decode_speed,
};
pub use statistics::{
    Health, INTERVAL_LEAST, Judged, Percentile, median_interval, paired_ratio, signed_rank_p, sum_interval, wilson,
};
pub use stats::{CacheHits, EndpointStats, Share, StatsState};
pub use stratum::{InputSize, Stratum};
pub use together::Together;

use crate::catalog::price::SheetVersion;
use crate::catalog::{EndpointId, ModelId, Protocol, Usage};
use crate::units::{Tokens, Usd};

/// Where an attempt came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the caller of its name")]
pub enum Source {
    Probe,
    Chat,
    Gateway,
}

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the phase of its name")]
pub enum Phase {
    Dns,
    Tcp,
    Tls,
    Send,
    Head,
    FirstToken,
    Stream,
    Done,
}

/// What is known of the cost of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostState {
    /// Computed from reported usage and the price sheet.
    Exact,
    /// Nothing can have been billed.
    None,
    /// It may have been billed, and nobody said how much.
    Unknown,
}

/// Durations of one attempt, all from one monotonic clock. `None` is "did not happen" or "not known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// From the first attempt to connect until the connection was up; `None` on a reused connection.
    pub connect: Option<Duration>,
    /// Looking the name up, within `connect`; `None` where no name was looked up.
    pub dns: Option<Duration>,
    /// From the name being known to the TCP connection being up, within `connect`: about one round trip. Through a proxy
    /// it is the way to the proxy, and the tunnel through it where there is one.
    pub tcp: Option<Duration>,
    /// From the TCP connection being up to the end of the TLS handshake, within `connect`; `None` without TLS.
    pub tls: Option<Duration>,
    /// By how much it began later than a fixed schedule said; `None` without one.
    pub sched_lag: Option<Duration>,
    /// From the connection being up to the response head.
    pub head: Option<Duration>,
    /// From the connection being up to the first token-bearing read; `None` where the answer was not streamed.
    pub ttft: Option<Duration>,
    /// The same to the first answer-bearing read.
    pub ttfa: Option<Duration>,
    /// From the first to the last token-bearing read.
    pub decode: Option<Duration>,
    /// From the connection being up to the read with the protocol's end, or to the failure.
    pub e2e: Option<Duration>,
}

/// One attempt as it was seen. Nothing of a prompt, an answer or a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When the attempt began.
    pub at: Timestamp,
    /// Which endpoint was tried.
    pub endpoint: EndpointId,
    /// The model that it serves.
    pub model: ModelId,
    /// The host that was called.
    pub host: String,
    /// The dialect that was spoken.
    pub protocol: Protocol,
    /// Which key was used: the first 8 hex digits of a salted hash of it; empty without one.
    pub key_fingerprint: String,
    /// The logical request that this attempt was made for; attempts of one request share it.
    pub group: [u8; 16],
    /// Where it came from.
    pub source: Source,
    /// How it ended.
    pub class: ErrorClass,
    /// How far it got.
    pub phase: Phase,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// The provider's own error code, at most 64 characters; or which limit of ours fired: `limit:first_token`.
    pub code: Option<String>,
    /// How long everything took.
    pub timings: Timings,
    /// What was used, as reported.
    pub usage: Option<Usage>,
    /// Token-bearing events of the stream.
    pub events: u32,
    /// Token-bearing reads of the stream; 0 where the answer was not streamed.
    pub reads: u32,
    /// The tokens that were streamed.
    pub streamed: Streamed,
    /// The effort of reasoning that was asked for: its word, or a number of tokens.
    pub effort: Option<String>,
    /// The version of the prompt, where it is one of a probe.
    pub prompt_version: Option<i64>,
    /// What the provider asked to wait before the next try.
    pub retry_after: Option<Duration>,
    /// What it cost, where that is exact.
    pub cost: Option<Usd>,
    /// What the provider says that it bills.
    pub billed: Option<Usd>,
    /// What is known of the cost.
    pub cost_state: CostState,
    /// The native finish reason, if the answer ended.
    pub finish: Option<String>,
    /// What is to be known before its times are believed.
    pub flags: Flags,
    /// Input tokens that a prompt cache was expected to serve, where the conversation had been here before.
    pub warm: Option<Tokens>,
    /// What is left of the rate limits, as the response's headers say.
    pub headroom: Headroom,
    /// What was known before it was sent.
    pub asked: Asked,
}

/// What is known of an attempt before it is sent: what it is to be compared with, and against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Input tokens, estimated.
    pub input: Option<Tokens>,
    /// Whether the answer was asked for as a stream; `None` is not known (attempts that an older version kept).
    pub stream: Option<bool>,
    /// What the decision expected it to cost, in USD.
    pub expected: Option<Usd>,
    /// The most that it could cost, in USD.
    pub bound: Option<Usd>,
    /// The price sheet that its cost is computed with.
    pub sheet: Option<Arc<SheetVersion>>,
}

/// Drawn numbers for the tests of other modules.
#[cfg(test)]
pub(crate) use statistics::tests as statistics_tests;

/// Samples for the tests of other modules.
#[cfg(test)]
pub(crate) use stats::tests as tests_support;
