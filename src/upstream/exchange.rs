//! One attempt: drives one [`Adapter`] over the one [`Transport`]: send, frame, time, deadlines, finish.
//!
//! Events are held back until the first token-bearing one, so that an attempt that fails before it has shown nothing; 64
//! events or 256 KiB at most, and what is more is passed on. An answer without a token passes them on at its end.
//! Stamps are taken on read, before parsing; every event of a read shares its stamp.

mod attempt;
mod held;
mod outcome;
mod tally;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::headroom::Told;
use super::transport::Transport;
use super::{Adapter, Call, UpstreamError};
use crate::catalog::{Usage, is_loopback};
use crate::chat::{ChatEvent, Finish};
use crate::observe::{ErrorClass, Flags, Pace, Phase, Source, Streamed, Timings, WireErrorKind};
use crate::units::{Tokens, Usd};

/// The limits of one attempt; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// From the start to the first token.
    pub first_token: Option<Duration>,
    /// Between two reads once tokens flow; comments count as life.
    pub idle: Option<Duration>,
    /// From the start to the end.
    pub total: Option<Duration>,
    /// How long it may be waited for before a limit that fires is held against the endpoint; `None` is from the start on.
    pub patience: Option<Duration>,
}

/// Which of our limits fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Connecting took too long.
    Connect,
    /// No token in time.
    FirstToken,
    /// The stream stalled.
    Idle,
    /// The whole took too long.
    Total,
}

impl Limit {
    /// The word in the store, where no provider said anything.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Connect => "limit:connect",
            Self::FirstToken => "limit:first_token",
            Self::Idle => "limit:idle",
            Self::Total => "limit:total",
        }
    }

    /// The flag that sets it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Connect => "--connect-timeout",
            Self::FirstToken => "--first-token-timeout",
            Self::Idle => "--idle-timeout",
            Self::Total => "--timeout",
        }
    }
}

/// Everything that one attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub class: ErrorClass,
    /// What the provider or the wire said, where it failed.
    pub error: Option<UpstreamError>,
    /// Whether `error` is in the provider's own words.
    pub told: bool,
    /// Which limit of ours fired, and after how long.
    pub limit: Option<(Limit, Duration)>,
    /// What failed on the wire, where that is why it ended.
    pub wire: Option<WireErrorKind>,
    /// How far it got.
    pub phase: Phase,
    /// The HTTP status, if a response came.
    pub http_status: Option<u16>,
    /// The provider's id of the request, if it gave one.
    pub request_id: Option<String>,
    /// How long everything took.
    pub timings: Timings,
    /// What was used, as last reported.
    pub usage: Option<Usage>,
    /// What the provider says that it bills.
    pub billed: Option<Usd>,
    /// The finish, native and normalised, if the answer ended.
    pub finish: Option<(Finish, String)>,
    /// Token-bearing events of the stream.
    pub events: u32,
    /// Token-bearing reads of the stream; 0 where the answer was not streamed.
    pub reads: u32,
    /// The tokens that were streamed.
    pub streamed: Streamed,
    /// Whether a part of the answer went to the sink.
    pub shown: bool,
    /// What is to be known before its times are believed.
    pub flags: Flags,
    /// What is left of the rate limits, as the response's headers tell.
    pub headroom: Told,
}

impl Outcome {
    /// Whether a limit of the caller's own ended it, before the endpoint had had its time.
    #[must_use]
    pub const fn is_impatient(&self) -> bool {
        self.flags.has(Flags::IMPATIENT)
    }

    /// Whose its failure is, in a word.
    #[must_use]
    pub const fn owner(&self) -> &'static str {
        if self.is_impatient() { "your request" } else { self.class.owner() }
    }

    /// What the rates of the attempt follow from.
    #[must_use]
    pub fn pace(&self, source: Source) -> Pace {
        Pace {
            source,
            class: self.class,
            flags: self.flags,
            timings: self.timings,
            streamed: self.streamed,
            events: self.events,
            reads: self.reads,
            output: self.usage.as_ref().and_then(|usage| usage.output).map(Tokens::count),
        }
    }
}

/// Takes events as they come; `false` stops the attempt, e.g. because nobody reads any more.
pub type Sink<'a> = dyn FnMut(ChatEvent) -> bool + 'a;

/// Makes one attempt. `request` is encoded and signed; `cancel` turning true aborts.
pub async fn exchange(
    transport: &Transport,
    adapter: &dyn Adapter,
    call: &Call<'_>,
    request: http::Request<bytes::Bytes>,
    limits: Limits,
    cancel: watch::Receiver<bool>,
    sink: &mut Sink<'_>,
) -> Outcome {
    let started = Instant::now();
    let mut attempt = attempt::Attempt::new(started, limits, cancel, adapter.summarizes_reasoning());
    // What is only gone on with has been begun: nothing more to say is an end, too.
    attempt.answered = call.request.continues;
    let loopback = is_loopback(call.base_url);
    let end = attempt.run(transport, adapter, call, request, sink).await;
    let held = std::mem::take(&mut attempt.held);
    let mut outcome = attempt.outcome(end, loopback);
    if outcome.class.is_success() {
        outcome.shown |= held.give(sink);
    }
    outcome
}
