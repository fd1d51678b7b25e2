//! One attempt: drives one [`Adapter`] over the one [`Transport`]: send, frame, time, deadlines, finish.
//!
//! Events are held back until the first token-bearing one, so that an attempt that fails before it has shown nothing.
//! Stamps are taken on read, before parsing; every event of a read shares its stamp.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::transport::{Incoming, Transport, WireError, WireErrorKind};
use super::wire::{Frame, sse::SseFramer};
use super::{Adapter, Call, DecodeError, Decoder, UpstreamError};
use crate::catalog::Usage;
use crate::chat::{ChatEvent, Finish};
use crate::observe::{ErrorClass, Phase, Timings};
use crate::units::Usd;

/// The limits of one attempt; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// From the start to the first token.
    pub first_token: Option<Duration>,
    /// Between two reads once tokens flow; comments count as life.
    pub idle: Option<Duration>,
    /// From the start to the end.
    pub total: Option<Duration>,
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
    /// Token-bearing events.
    pub events: u32,
    /// Token-bearing reads.
    pub reads: u32,
    /// Whether a part of the answer went to the sink.
    pub shown: bool,
    /// Whether the connection was reused.
    pub reused: bool,
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
    let mut attempt = Attempt::new(started, limits, cancel);
    let loopback = is_loopback(request.uri());
    let end = attempt.run(transport, adapter, call, request, sink).await;
    attempt.outcome(end, loopback)
}

/// How an attempt stopped.
enum End {
    Done,
    Wire(WireError),
    Limit(Limit),
    Status(UpstreamError),
    Decode(DecodeError),
    BadBody(String),
    Cancelled,
}

struct Attempt {
    started: Instant,
    limits: Limits,
    cancel: watch::Receiver<bool>,
    phase: Phase,
    status: Option<u16>,
    request_id: Option<String>,
    ready: Instant,
    connect: Option<Duration>,
    head: Option<Instant>,
    first_token: Option<Instant>,
    first_answer: Option<Instant>,
    last_token: Option<Instant>,
    last_read: Instant,
    usage: Option<Usage>,
    billed: Option<Usd>,
    finish: Option<(Finish, String)>,
    events: u32,
    reads: u32,
    held: Vec<ChatEvent>,
    shown: bool,
    answered: bool,
    stopped: bool,
    tool_calls: Vec<String>,
}

impl Attempt {
    fn new(started: Instant, limits: Limits, cancel: watch::Receiver<bool>) -> Self {
        Self {
            started,
            limits,
            cancel,
            phase: Phase::Tcp,
            status: None,
            request_id: None,
            ready: started,
            connect: None,
            head: None,
            first_token: None,
            first_answer: None,
            last_token: None,
            last_read: started,
            usage: None,
            billed: None,
            finish: None,
            events: 0,
            reads: 0,
            held: Vec::new(),
            shown: false,
            answered: false,
            stopped: false,
            tool_calls: Vec::new(),
        }
    }

    async fn run(
        &mut self,
        transport: &Transport,
        adapter: &dyn Adapter,
        call: &Call<'_>,
        request: http::Request<bytes::Bytes>,
        sink: &mut Sink<'_>,
    ) -> End {
        let sending = transport.send(request);
        let mut incoming = match self.guard(sending).await {
            Ok(Ok(incoming)) => incoming,
            Ok(Err(error)) if error.kind == WireErrorKind::ConnectTimeout => return End::Limit(Limit::Connect),
            Ok(Err(error)) => return End::Wire(error),
            Err(end) => return end,
        };
        self.headed(&incoming);
        if !incoming.head.status.is_success() {
            let body = self.body(&mut incoming, 64 * 1024).await.unwrap_or_default();
            return End::Status(adapter.classify(call, &incoming.head, &body));
        }
        let kind = content_type(&incoming.head);
        if kind.starts_with("text/html") {
            let body = self.body(&mut incoming, 4096).await.unwrap_or_default();
            return End::BadBody(format!("an HTML page instead of an answer: {}", fold_html(&body)));
        }
        if call.request.stream && !kind.starts_with("application/json") {
            self.stream(&mut incoming, adapter.decoder(call), sink).await
        } else {
            self.whole(&mut incoming, adapter, call, sink).await
        }
    }

    fn headed(&mut self, incoming: &Incoming) {
        let now = Instant::now();
        self.phase = Phase::Head;
        self.head = Some(now);
        self.last_read = now;
        self.status = Some(incoming.head.status.as_u16());
        if let Some((began, up)) = incoming.connected {
            self.connect = Some(up.saturating_duration_since(began));
            self.ready = up.max(self.started);
        }
        let id = ["x-request-id", "request-id"].iter().find_map(|name| incoming.head.headers.get(*name));
        self.request_id = id.and_then(|value| value.to_str().ok()).map(|text| text.chars().take(64).collect());
    }

    async fn stream(&mut self, incoming: &mut Incoming, mut decoder: Box<dyn Decoder>, sink: &mut Sink<'_>) -> End {
        self.phase = Phase::FirstToken;
        let mut framer = SseFramer::new(super::MAX_FRAME);
        let mut frames = Vec::new();
        loop {
            let chunk = match self.guard(incoming.chunk()).await {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(error)) => return End::Wire(error),
                Err(end) => return end,
            };
            let stamp = Instant::now();
            self.last_read = stamp;
            let ended = chunk.is_none();
            match chunk {
                Some(bytes) => {
                    if framer.push(&bytes, &mut frames).is_err() {
                        return End::BadBody("an event larger than this version accepts".to_owned());
                    }
                }
                None => framer.finish(&mut frames),
            }
            if let Err(error) = self.decode(&mut *decoder, &mut frames, stamp, sink) {
                return End::Decode(error);
            }
            if self.stopped {
                return End::Cancelled;
            }
            if decoder.ended() || ended {
                let mut events = Vec::new();
                let end = decoder.end(&mut events);
                self.take(events, stamp, sink);
                return end.map_or_else(End::Decode, |()| End::Done);
            }
        }
    }

    /// Decodes the frames of one read; what was decoded before an error still counts.
    fn decode(
        &mut self,
        decoder: &mut dyn Decoder,
        frames: &mut Vec<Frame>,
        stamp: Instant,
        sink: &mut Sink<'_>,
    ) -> Result<(), DecodeError> {
        let mut events = Vec::new();
        let mut result = Ok(());
        for frame in frames.drain(..) {
            result = decoder.frame(&frame, &mut events);
            if result.is_err() || decoder.ended() {
                break;
            }
        }
        self.take(events, stamp, sink);
        result
    }

    async fn whole(
        &mut self,
        incoming: &mut Incoming,
        adapter: &dyn Adapter,
        call: &Call<'_>,
        sink: &mut Sink<'_>,
    ) -> End {
        self.phase = Phase::Stream;
        let body = match self.body(incoming, super::MAX_FRAME).await {
            Ok(body) => body,
            Err(end) => return end,
        };
        let stamp = Instant::now();
        let mut events = Vec::new();
        if let Err(error) = adapter.whole(call, &body, &mut events) {
            return End::Decode(error);
        }
        self.take(events, stamp, sink);
        if self.stopped { End::Cancelled } else { End::Done }
    }

    /// The rest of the body, up to `most` bytes.
    async fn body(&mut self, incoming: &mut Incoming, most: usize) -> Result<Vec<u8>, End> {
        let mut body = Vec::new();
        loop {
            match self.guard(incoming.chunk()).await? {
                Ok(Some(bytes)) => {
                    self.last_read = Instant::now();
                    body.extend_from_slice(&bytes);
                }
                Ok(None) => return Ok(body),
                Err(error) => return Err(End::Wire(error)),
            }
            if body.len() > most {
                body.truncate(most);
                return Ok(body);
            }
        }
    }

    /// Awaits within the limit that is nearest, or until cancelled.
    async fn guard<T>(&mut self, future: impl Future<Output = T>) -> Result<T, End> {
        let (limit, deadline) = self.deadline();
        let mut cancel = self.cancel.clone();
        let cancelled = async move {
            // A sender that is gone can no longer cancel.
            if cancel.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = cancelled => Err(End::Cancelled),
            result = timeout_at(deadline, future) => result.map_err(|_| End::Limit(limit)),
        }
    }

    fn deadline(&self) -> (Limit, Instant) {
        let far = self.started + Duration::from_secs(30 * 24 * 3600);
        let at =
            |from: Instant, limit: Option<Duration>| limit.and_then(|limit| from.checked_add(limit)).unwrap_or(far);
        let next = if self.first_token.is_some() {
            (Limit::Idle, at(self.last_read, self.limits.idle))
        } else {
            (Limit::FirstToken, at(self.started, self.limits.first_token))
        };
        let total = (Limit::Total, at(self.started, self.limits.total));
        if total.1 < next.1 { total } else { next }
    }

    fn take(&mut self, events: Vec<ChatEvent>, stamp: Instant, sink: &mut Sink<'_>) {
        let mut bore_tokens = false;
        for event in events {
            if event.bears_tokens() {
                bore_tokens = true;
                self.events += 1;
                self.phase = Phase::Stream;
                self.first_token.get_or_insert(stamp);
                self.last_token = Some(stamp);
            }
            if event.bears_answer() {
                self.answered = true;
                self.first_answer.get_or_insert(stamp);
            }
            self.note(&event);
            self.pass(event, sink);
        }
        self.reads += u32::from(bore_tokens);
    }

    fn note(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Usage(usage) => self.usage = Some(usage.clone()),
            ChatEvent::Billed(amount) => self.billed = Some(*amount),
            ChatEvent::Finished { finish, native } => self.finish = Some((*finish, native.clone())),
            ChatEvent::ToolCall { index, arguments, .. } => {
                let at = usize::try_from(*index).unwrap_or(0).min(127);
                if self.tool_calls.len() <= at {
                    self.tool_calls.resize(at + 1, String::new());
                }
                self.tool_calls[at].push_str(arguments);
            }
            ChatEvent::Started { .. } | ChatEvent::Text(_) | ChatEvent::Reasoning(_) => {}
        }
    }

    /// Holds events back until the first token, then passes them on.
    fn pass(&mut self, event: ChatEvent, sink: &mut Sink<'_>) {
        if self.stopped {
            return;
        }
        self.held.push(event);
        if self.first_token.is_none() {
            return;
        }
        self.shown = true;
        for event in self.held.drain(..) {
            if !sink(event) {
                self.stopped = true;
                return;
            }
        }
    }

    fn outcome(self, end: End, loopback: bool) -> Outcome {
        let now = Instant::now();
        let since = |moment: Option<Instant>| moment.map(|moment| moment.saturating_duration_since(self.ready));
        let timings = Timings {
            connect: self.connect,
            head: since(self.head),
            ttft: since(self.first_token),
            ttfa: since(self.first_answer),
            decode: self.first_token.zip(self.last_token).map(|(first, last)| last.saturating_duration_since(first)),
            e2e: Some(now.saturating_duration_since(self.ready)),
        };
        let mut limit = None;
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
                let class = if fired == Limit::Connect { ErrorClass::Unreachable } else { ErrorClass::ProviderTimeout };
                (class, None)
            }
            End::Status(error) => (error.class, Some(error)),
            End::BadBody(message) => (ErrorClass::ProviderFault, Some(plain_error(ErrorClass::ProviderFault, message))),
            End::Wire(error) => wire_class(&error, self.first_token.is_some(), loopback),
            End::Decode(DecodeError::Upstream(error)) => {
                let class = if self.first_token.is_some() { ErrorClass::StreamBroken } else { error.class };
                (class, Some(error))
            }
            End::Decode(error) => {
                let class = self.broken();
                (class, Some(plain_error(class, error.to_string())))
            }
        };
        Outcome {
            class,
            request_id: error.as_ref().and_then(|error| error.request_id.clone()).or(self.request_id),
            error,
            told,
            limit,
            phase: if class.is_success() { Phase::Done } else { self.phase },
            http_status: self.status,
            reused: self.head.is_some() && self.connect.is_none(),
            timings,
            usage: self.usage,
            billed: self.billed,
            finish: self.finish,
            events: self.events,
            reads: self.reads,
            shown: self.shown,
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
        let truncated =
            |text: &String| !text.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err();
        match self.finish {
            None => fault("the answer ended without a finish reason"),
            Some((Finish::Error, _)) => fault("the provider finished the answer with an error"),
            Some((Finish::Filter, _)) => (ErrorClass::OkFiltered, None),
            Some((Finish::Length, _)) if self.answered => (ErrorClass::OkTruncated, None),
            Some((Finish::Length, _)) => (ErrorClass::OkNoAnswer, None),
            Some(_) if self.tool_calls.iter().any(truncated) => fault("a tool call was cut off"),
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
        WireErrorKind::Request => ErrorClass::LocalConfig,
        // A server on this machine that does not run is never an outage.
        WireErrorKind::Refused if loopback => ErrorClass::LocalConfig,
        WireErrorKind::Connect | WireErrorKind::Refused | WireErrorKind::Dns | WireErrorKind::ConnectTimeout => {
            ErrorClass::Unreachable
        }
        WireErrorKind::Broken if tokens => ErrorClass::StreamBroken,
        WireErrorKind::Broken => ErrorClass::ProviderFault,
    };
    (class, Some(plain_error(class, error.message.clone())))
}

fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn content_type(head: &http::response::Parts) -> String {
    let value = head.headers.get(http::header::CONTENT_TYPE);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// A page as one line of text: markup and white space folded.
fn fold_html(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut folded = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                folded.push(' ');
            }
            _ if inside => {}
            c if c.is_control() => folded.push(' '),
            c => folded.push(c),
        }
    }
    folded.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect()
}
