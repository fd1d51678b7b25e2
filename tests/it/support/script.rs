//! What a scripted server does with one request: a head, and steps.

use std::time::Duration;

use serde_json::Value;

use super::gate::Gate;

/// One thing that the server does after the head of a response.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends these bytes of the body, in one write.
    Bytes(Vec<u8>),
    /// Waits until the test opens the gate.
    Pause(Gate),
    /// Opens a gate, at which another server may stand.
    Open(Gate),
    /// Waits this long; for what is about time only. Elsewhere use `Pause`.
    Sleep(Duration),
    /// Ends the connection with a reset.
    Reset,
    /// Ends the connection without ending the body.
    Close,
    /// Neither sends nor closes anything until the client goes away or the server is dropped.
    HangForever,
}

impl Step {
    /// Bytes of the body.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// What one request gets.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    head: Head,
    headers: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Head {
    /// None: the steps are all there is, and the connection closes after them.
    Raw,
    /// A status and `content-length`.
    Sized(u16, usize),
    /// A status and `transfer-encoding: chunked`; steps that run out end the body.
    Chunked(u16),
}

impl Script {
    /// A status, and a body as JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// A status, and a body of some type.
    pub(crate) fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { head: Head::Sized(status, body.len()), headers, steps: vec![Step::Bytes(body)] }
    }

    /// 200 and server-sent events. Where the steps run out, the body ends as HTTP says it should.
    pub(crate) fn stream(steps: Vec<Step>) -> Self {
        Self::stream_of("text/event-stream", steps)
    }

    /// 200 and a body of some type without a length.
    pub(crate) fn stream_of(content_type: &str, steps: Vec<Step>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { head: Head::Chunked(200), headers, steps }
    }

    /// Nothing but the steps: no head, no framing.
    pub(crate) fn raw(steps: Vec<Step>) -> Self {
        Self { head: Head::Raw, headers: Vec::new(), steps }
    }

    /// One more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more step after the body, e.g. a `Close` of the kept connection.
    pub(crate) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The same once the gate is open; the head may come earlier.
    pub(crate) fn after(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Pause(gate.clone()));
        self
    }

    pub(super) const fn is_chunked(&self) -> bool {
        matches!(self.head, Head::Chunked(_))
    }

    /// What comes before the steps.
    pub(super) fn head(&self) -> String {
        let (status, framing) = match self.head {
            Head::Raw => return String::new(),
            Head::Sized(status, length) => (status, format!("content-length: {length}\r\n")),
            Head::Chunked(status) => (status, "transfer-encoding: chunked\r\n".to_owned()),
        };
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {status} Scripted\r\n{headers}{framing}\r\n")
    }

    /// What comes after the steps; `None` where that is the end of the connection.
    pub(super) const fn end(&self) -> Option<&'static [u8]> {
        match self.head {
            Head::Raw => None,
            Head::Sized(..) => Some(b""),
            Head::Chunked(_) => Some(b"0\r\n\r\n"),
        }
    }
}
