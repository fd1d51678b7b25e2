//! From how an attempt stopped to its class.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::super::transport::{WireError, WireErrorKind};
use super::super::{DecodeError, UpstreamError, classify};
use super::attempt::{Attempt, End};
use super::tally::Tally;
use super::{Limit, Outcome};
use crate::chat::Finish;
use crate::observe::{ErrorClass, Evidence, Flags, Others, Phase, Streamed, Timings, blame};

/// What a tool is called with: an object of anything.
type Arguments = BTreeMap<String, IgnoredAny>;

impl Attempt {
    pub(super) fn outcome(mut self, end: End, loopback: bool) -> Outcome {
        self.tally.end_read();
        let now = Instant::now();
        // Printing what was read last is none of the provider's time.
        let ended = if matches!(end, End::Done) { self.last_read } else { now };
        let timings = self.timings(ended);
        let (mut limit, mut wire) = (None, None);
        let told = matches!(end, End::Status(_) | End::Decode(DecodeError::Upstream(_)));
        let (class, error) = match end {
            End::Done => self.finished(),
            End::Cancelled => (ErrorClass::Aborted, None),
            End::Limit(fired) => {
                let waited = match fired {
                    Limit::Idle => now.saturating_duration_since(self.last_read),
                    _ => now.saturating_duration_since(self.started),
                };
                limit = Some((fired, waited));
                let (class, kind) = self.limit_class(fired);
                wire = kind;
                (class, None)
            }
            End::Status(error) => (error.class, Some(error)),
            End::BadBody(message) => (ErrorClass::ProviderFault, Some(plain_error(ErrorClass::ProviderFault, message))),
            End::Wire(error) => {
                wire = Some(error.kind);
                wire_class(&error, self.first_token.is_some(), loopback)
            }
            End::Decode(DecodeError::Upstream(error)) => {
                let class = if self.first_token.is_some() { ErrorClass::StreamBroken } else { error.class };
                (class, Some(error))
            }
            End::Decode(error) => {
                let class = self.broken();
                (class, Some(plain_error(class, error.to_string())))
            }
        };
        let streamed =
            if self.streamed { self.tally.streamed(self.usage.as_ref(), self.summarizes) } else { Streamed::default() };
        let cached = self.usage.as_ref().and_then(|usage| usage.cache_read);
        let flags = Flags::NONE
            .with_if(Flags::REUSED, self.reused)
            .with_if(Flags::H2, self.http2)
            .with_if(Flags::CACHE_HIT, cached.is_some_and(|read| read.count() > 0))
            .with_if(Flags::BURST, Tally::is_burst(&streamed))
            .with_if(Flags::CENSORED, limit.is_some() && self.first_token.is_none())
            .with_if(Flags::LOADING, error.as_ref().is_some_and(classify::is_loading))
            .with_if(Flags::ABORTED, class == ErrorClass::Aborted)
            .with_if(Flags::IMPATIENT, limit.is_some_and(|fired| self.is_impatient(fired)));
        tracing::debug!(class = class.name(), events = self.tally.events(), reads = self.tally.reads(), "end");
        Outcome {
            class,
            request_id: error.as_ref().and_then(|error| error.request_id.clone()).or(self.request_id),
            error,
            told,
            limit,
            wire,
            phase: if class.is_success() { Phase::Done } else { self.phase },
            http_status: self.status,
            headroom: self.headroom,
            timings,
            usage: self.usage,
            billed: self.billed,
            finish: self.finish,
            events: if self.streamed { self.tally.events() } else { 0 },
            reads: if self.streamed { self.tally.reads() } else { 0 },
            streamed,
            shown: self.shown,
            flags,
        }
    }

    /// All durations, of an attempt that ended then.
    fn timings(&self, ended: Instant) -> Timings {
        let since = |moment: Option<Instant>| moment.map(|moment| moment.saturating_duration_since(self.ready));
        // What is not streamed has no first token of its own.
        let token = |moment: Option<Instant>| moment.filter(|_| self.streamed);
        let (first, last) = (token(self.first_token), token(self.last_token));
        let (began, up) = (self.stamps.began, self.stamps.up);
        Timings {
            connect: began.zip(up).map(|(began, up)| up.saturating_duration_since(began)),
            dns: self.stamps.dns(),
            tcp: self.stamps.tcp(),
            tls: self.stamps.tls(),
            sched_lag: None,
            head: since(self.head),
            ttft: since(first),
            ttfa: since(token(self.first_answer)),
            decode: first.zip(last).map(|(first, last)| last.saturating_duration_since(first)),
            e2e: Some(ended.saturating_duration_since(self.ready)),
        }
    }

    /// The class where one of our limits fired. Before the connection was up, the request has not been sent: then a wait
    /// that the provider was given is one for a connection, and a limit of the user's own is nobody's fault.
    fn limit_class(&self, fired: Limit) -> (ErrorClass, Option<WireErrorKind>) {
        let unsent = self.phase < Phase::Send;
        match fired {
            Limit::Total if unsent => (ErrorClass::Aborted, None),
            Limit::FirstToken if unsent => (ErrorClass::Unreachable, Some(WireErrorKind::ConnectTimeout)),
            Limit::Connect => (ErrorClass::Unreachable, Some(WireErrorKind::ConnectTimeout)),
            Limit::FirstToken | Limit::Idle | Limit::Total => (ErrorClass::ProviderTimeout, None),
        }
    }

    /// Whether a limit of the caller's fired that says nothing of the endpoint: before it had its time, or while it answered.
    fn is_impatient(&self, (fired, waited): (Limit, Duration)) -> bool {
        let Some(patience) = self.limits.patience else { return false };
        match fired {
            Limit::Connect | Limit::Idle => false,
            Limit::Total if self.first_token.is_some() => true,
            Limit::FirstToken | Limit::Total => waited < patience,
        }
    }

    fn broken(&self) -> ErrorClass {
        if self.first_token.is_some() { ErrorClass::StreamBroken } else { ErrorClass::ProviderFault }
    }

    /// The class of an answer that ended by the provider's own word.
    fn finished(&self) -> (ErrorClass, Option<UpstreamError>) {
        let fault = |message: &str| {
            let class = self.broken();
            (class, Some(plain_error(class, message.to_owned())))
        };
        let cut = |text: &String| serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof());
        // An empty text is `{}`.
        let broken = |text: &String| !text.is_empty() && serde_json::from_str::<Arguments>(text).is_err();
        match self.finish {
            None => fault("the answer ended without a finish reason"),
            Some((Finish::Error, _)) => fault("the provider finished the answer with an error"),
            Some((Finish::Filter, _)) => (ErrorClass::OkFiltered, None),
            Some((Finish::Length, _)) if self.answered => (ErrorClass::OkTruncated, None),
            Some((Finish::Length, _)) => (ErrorClass::OkNoAnswer, None),
            Some(_) if self.tool_calls.iter().any(broken) => match self.tool_calls.iter().any(cut) {
                true => fault("a tool call was cut off"),
                false => fault("the arguments of a tool call are not a JSON object"),
            },
            Some(_) if self.answered => (ErrorClass::Ok, None),
            Some(_) if self.first_token.is_some() => (ErrorClass::OkNoAnswer, None),
            Some(_) => fault("the answer is empty"),
        }
    }
}

fn plain_error(class: ErrorClass, message: String) -> UpstreamError {
    UpstreamError { class, message, code: None, retry_after: None, request_id: None }
}

fn wire_class(error: &WireError, tokens: bool, loopback: bool) -> (ErrorClass, Option<UpstreamError>) {
    let class = match error.kind {
        WireErrorKind::Broken if tokens => ErrorClass::StreamBroken,
        WireErrorKind::Broken => ErrorClass::ProviderFault,
        // What is seen from here alone; whoever has others to ask may find another.
        kind => blame(&Evidence { kind, loopback, answered_before: true, others: Others::Unknown }).class(),
    };
    (class, Some(plain_error(class, error.message.clone())))
}
