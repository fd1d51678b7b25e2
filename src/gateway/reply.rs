//! What goes back over HTTP: bytes that are there, or an answer that is driven as it is written.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep_until};

use super::codec::members::written;
use super::codec::{Dialect, Stream};
use super::count::Held;
use super::problem::Problem;
use super::run::{Run, Said, ended};
use crate::dispatch::ChatReport;

/// The body of a response.
#[derive(Debug)]
pub(super) enum Reply {
    /// All of it.
    Whole(Option<Bytes>),
    /// An answer that comes.
    Stream(Box<Answering>),
}

/// A response.
pub(super) type Answer = Response<Reply>;

/// The type of JSON.
pub(super) const JSON: &str = "application/json";

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &Value) -> Answer {
    whole(status, JSON, written(document))
}

/// A text of some type.
pub(super) fn whole(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Reply::Whole(Some(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A problem in a dialect's envelope; `id` is that of the request, once it has one.
pub(super) fn refusal(dialect: Dialect, problem: &Problem, id: Option<&str>) -> Answer {
    let mut response = json(problem.status, &dialect.error(problem, id));
    if let Some(seconds) = problem.retry_seconds() {
        set(&mut response, header::RETRY_AFTER, &seconds.to_string());
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
    }
    response
}

/// Sets a header; what cannot be one is left out.
pub(super) fn set(response: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// An answer that is driven by whoever writes it.
pub(super) struct Answering {
    /// The chat.
    run: Run,
    /// How it is put.
    stream: Box<dyn Stream>,
    /// Its report, where it had ended before the first byte went out.
    report: Option<Arc<ChatReport>>,
    /// Whether the client asked how it was routed.
    metadata: bool,
    /// Its place among those that are served at once; given back with it.
    _held: Held,
    /// When nobody has said anything for too long.
    quiet: Pin<Box<Sleep>>,
    /// How long that is.
    alive: Duration,
    sent: Instant,
    over: bool,
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answering").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Answering {
    /// An answer that begins with what the chat has said so far.
    pub(super) fn new(
        (run, report): (Run, Option<Arc<ChatReport>>),
        stream: Box<dyn Stream>,
        (metadata, alive): (bool, Duration),
        held: Held,
    ) -> Self {
        let sent = Instant::now();
        let quiet = Box::pin(sleep_until(sent + alive));
        Self { run, stream, report, metadata, _held: held, quiet, alive, sent, over: false }
    }

    /// When all of it has to have been read: the chat's own time is over then.
    pub(super) fn due(&self) -> Option<Instant> {
        self.run.decided.wishes.total.and_then(|total| Instant::now().checked_add(total))
    }

    /// The next piece of it; `None` at its end.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over {
            return Poll::Ready(None);
        }
        let report = match self.report.take() {
            None => match self.run.poll(context) {
                Poll::Ready(report) => Some(report),
                Poll::Pending => None,
            },
            report => report,
        };
        let mut out = String::new();
        if self.run.has_moved() {
            let decided = &self.run.decided;
            self.stream.falls_back(&decided.hex(), decided.created(), decided.request.model.as_str());
        }
        for said in self.run.take() {
            match said {
                Said::Event(event) => self.stream.event(&event, &mut out),
                Said::Seam(seam) => self.stream.seam(&seam, &mut out),
            }
        }
        if let Some(report) = report {
            self.over = true;
            self.close(&report, &mut out);
        }
        if !out.is_empty() {
            self.sent = Instant::now();
            return Poll::Ready(Some(out.into()));
        }
        self.wait(context)
    }

    fn close(&mut self, report: &ChatReport, out: &mut String) {
        let decided = &self.run.decided;
        match report.answered() {
            Some(answered) => self.stream.end(&ended(&self.run, report, answered, self.metadata), out),
            None => {
                let problem = Problem::failed(report, &decided.decision, &decided.request.model);
                self.stream.failed(&problem, out);
            }
        }
    }

    /// Nothing is there: a comment where that has been so for too long.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            std::task::ready!(self.quiet.as_mut().poll(context));
            let (now, due) = (Instant::now(), self.sent + self.alive);
            if now >= due {
                self.sent = now;
                self.quiet.as_mut().reset(now + self.alive);
                let mut out = String::new();
                self.stream.alive(&mut out);
                return Poll::Ready(Some(out.into()));
            }
            self.quiet.as_mut().reset(due);
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Stream(answering) => std::task::ready!(answering.next(context)),
        };
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(answering) => answering.over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
