//! The attempt while it runs: stamps, counts, and events that are held back until the first token.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::super::headroom::{self, Told};
use super::super::transport::{Incoming, Noted, Stamps, Transport, WireError, WireErrorKind};
use super::super::wire::{Frame, Framer};
use super::super::{Adapter, Call, DecodeError, Decoder, MAX_FRAME, UpstreamError};
use super::held::Held;
use super::tally::Tally;
use super::{Limit, Limits, Sink};
use crate::catalog::Usage;
use crate::chat::{ChatEvent, Finish};
use crate::observe::Phase;
use crate::units::Usd;

/// How an attempt stopped.
pub(super) enum End {
    Done,
    Wire(WireError),
    Limit(Limit),
    Status(UpstreamError),
    Decode(DecodeError),
    BadBody(String),
    Cancelled,
}

pub(super) struct Attempt {
    pub(super) started: Instant,
    pub(super) limits: Limits,
    pub(super) cancel: watch::Receiver<bool>,
    pub(super) phase: Phase,
    pub(super) status: Option<u16>,
    pub(super) request_id: Option<String>,
    pub(super) ready: Instant,
    pub(super) stamps: Stamps,
    pub(super) reused: bool,
    pub(super) http2: bool,
    pub(super) head: Option<Instant>,
    pub(super) first_token: Option<Instant>,
    pub(super) first_answer: Option<Instant>,
    pub(super) last_token: Option<Instant>,
    pub(super) last_read: Instant,
    pub(super) streamed: bool,
    pub(super) summarizes: bool,
    pub(super) tally: Tally,
    pub(super) usage: Option<Usage>,
    pub(super) billed: Option<Usd>,
    pub(super) finish: Option<(Finish, String)>,
    pub(super) held: Held,
    pub(super) shown: bool,
    pub(super) answered: bool,
    pub(super) stopped: bool,
    pub(super) tool_calls: Vec<String>,
    pub(super) headroom: Told,
}

impl Attempt {
    pub(super) fn new(started: Instant, limits: Limits, cancel: watch::Receiver<bool>, summarizes: bool) -> Self {
        Self {
            started,
            limits,
            cancel,
            phase: Phase::Tcp,
            status: None,
            request_id: None,
            ready: started,
            stamps: Stamps::default(),
            reused: false,
            http2: false,
            head: None,
            first_token: None,
            first_answer: None,
            last_token: None,
            last_read: started,
            streamed: false,
            summarizes,
            tally: Tally::default(),
            usage: None,
            billed: None,
            finish: None,
            held: Held::default(),
            shown: false,
            answered: false,
            stopped: false,
            tool_calls: Vec::new(),
            headroom: Told::default(),
        }
    }

    pub(super) async fn run(
        &mut self,
        transport: &Transport,
        adapter: &dyn Adapter,
        call: &Call<'_>,
        request: http::Request<bytes::Bytes>,
        sink: &mut Sink<'_>,
    ) -> End {
        // The URL of a chat holds no key in the built protocols; headers are never logged.
        tracing::debug!(provider = %call.provider.id, url = %request.uri(), bytes = request.body().len(), "send");
        let noted = Noted::default();
        let sent = self.guard(pin!(transport.send_noting(request, &noted))).await;
        self.stamps = noted.stamps();
        self.phase = self.stamps.phase();
        let mut incoming = match sent {
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
            let framer = Framer::of(&kind, MAX_FRAME);
            self.stream(&mut incoming, framer, adapter.decoder(call), sink).await
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
        self.headroom = headroom::told(&incoming.head.headers);
        self.reused = incoming.connected.is_none();
        self.http2 = incoming.head.version == http::Version::HTTP_2;
        if let Some((_, up)) = incoming.connected {
            self.ready = up.max(self.started);
        }
        let id =
            ["x-request-id", "request-id", "x-amzn-requestid"].iter().find_map(|name| incoming.head.headers.get(*name));
        tracing::debug!(status = incoming.head.status.as_u16(), reused = self.reused, "head");
        self.request_id = id.and_then(|value| value.to_str().ok()).map(|text| text.chars().take(64).collect());
    }

    async fn stream(
        &mut self,
        incoming: &mut Incoming,
        mut framer: Framer,
        mut decoder: Box<dyn Decoder>,
        sink: &mut Sink<'_>,
    ) -> End {
        self.phase = Phase::FirstToken;
        self.streamed = true;
        let mut frames = Vec::new();
        loop {
            // Whatever had arrived along with the last read is handed over first; what has to be waited for is another.
            tokio::task::yield_now().await;
            let mut waited = false;
            let chunk = self.guard(pin!(noticing(incoming.chunk(), &mut waited))).await;
            if waited {
                self.tally.end_read();
            }
            let chunk = match chunk {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(error)) => return End::Wire(error),
                Err(end) => {
                    // A provider that has said how the answer ended may leave the connection open.
                    let mut events = Vec::new();
                    if matches!(end, End::Limit(Limit::Idle)) && decoder.end(&mut events).is_ok() {
                        self.take(events, self.last_read, sink);
                        return End::Done;
                    }
                    return end;
                }
            };
            let stamp = Instant::now();
            self.last_read = stamp;
            let ended = chunk.is_none();
            let framed = match chunk {
                Some(bytes) => framer.push(&bytes, &mut frames),
                None => {
                    framer.finish(&mut frames);
                    Ok(())
                }
            };
            if let Err(error) = self.decode(&mut *decoder, &mut frames, stamp, sink) {
                return End::Decode(error);
            }
            if self.stopped {
                return End::Cancelled;
            }
            // What was whole before the stream broke still counts, and may even be the end.
            if let (Err(error), false) = (framed, decoder.ended()) {
                return End::BadBody(error.to_string());
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
        let mut events = Vec::with_capacity(frames.len());
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
        let body = match self.body(incoming, MAX_FRAME).await {
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
            match self.guard(pin!(incoming.chunk())).await? {
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

    /// Awaits within the limit that is nearest, or until cancelled. What is there already is had without a timer. The future
    /// stays where it is: whoever awaits one that is handed over has room for it twice, and moves it there.
    async fn guard<T>(&mut self, mut future: Pin<&mut impl Future<Output = T>>) -> Result<T, End> {
        let (limit, deadline) = self.deadline();
        if *self.cancel.borrow() {
            return Err(End::Cancelled);
        }
        if let Poll::Ready(result) = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            // What arrived in time and is only read late is no silence; an answer without an end is one all the same.
            let endless = limit == Limit::Total && Instant::now() >= deadline;
            return if endless { Err(End::Limit(limit)) } else { Ok(result) };
        }
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
        for event in events {
            self.tally.add(&event);
            if event.bears_tokens() {
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
    }

    fn note(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Usage(usage) => self.usage = Some(usage.as_ref().clone()),
            ChatEvent::Billed(amount) => self.billed = Some(*amount),
            ChatEvent::Finished { finish, native } => self.finish = Some((*finish, native.clone())),
            ChatEvent::ToolCall { index, arguments, .. } => {
                let at = usize::try_from(*index).unwrap_or(0).min(127);
                if self.tool_calls.len() <= at {
                    self.tool_calls.resize(at + 1, String::new());
                }
                self.tool_calls[at].push_str(arguments);
            }
            ChatEvent::Started { .. }
            | ChatEvent::Signature { .. }
            | ChatEvent::Text(_)
            | ChatEvent::Refusal(_)
            | ChatEvent::Item(_)
            | ChatEvent::Reasoning(_)
            | ChatEvent::StopSequence(_) => {}
        }
    }

    /// Holds events back until the first token, or until there are too many of them, then passes them on.
    fn pass(&mut self, event: ChatEvent, sink: &mut Sink<'_>) {
        if self.stopped {
            return;
        }
        if self.shown {
            self.stopped = !sink(event);
            return;
        }
        self.held.push(event);
        if self.first_token.is_none() && !self.held.is_full() {
            return;
        }
        self.shown = true;
        self.stopped = !std::mem::take(&mut self.held).give(sink);
    }
}

/// The same future; `waited` turns true where it is not ready at once.
async fn noticing<T>(future: impl Future<Output = T>, waited: &mut bool) -> T {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        *waited |= polled.is_pending();
        polled
    })
    .await
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
