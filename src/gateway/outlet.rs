//! A client's connection, which ends where the client does not read: a chat that waits for its reader holds a place, a
//! provider's connection and a part of a budget. What hyper refuses by itself, in no words, gets its words here.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::codec::Dialect;
use super::problem::Problem;

/// What is left to read after a chat's own time is over may take so long.
const REST: Duration = Duration::from_secs(1);

/// When the answer that is under way on a connection has to have been read; `None` where only silence ends it.
pub(super) type Due = Rc<Cell<Option<Instant>>>;

/// What was refused on a connection in place of hyper, for whoever notes it.
pub(super) type Refused = Rc<RefCell<Option<Problem>>>;

/// A connection to a client.
pub(super) struct Outlet {
    socket: TcpStream,
    /// How long nothing at all may be read.
    patience: Duration,
    due: Due,
    refused: Refused,
    /// Since nothing more can be written: until when that is waited for.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is written in place of what hyper has said, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

impl Outlet {
    pub(super) const fn new(socket: TcpStream, patience: Duration, due: Due, refused: Refused) -> Self {
        Self { socket, patience, due, refused, stalled: None, instead: None }
    }

    /// Writes what there is in place of these bytes; `None` where there is nothing.
    fn reword(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        if self.instead.is_none() {
            let (words, problem) = worded(bytes)?;
            *self.refused.borrow_mut() = Some(problem);
            self.instead = Some((words, 0));
        }
        let (words, written) = self.instead.as_mut()?;
        while let Some(rest) = words.get(*written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.socket).poll_write(context, rest) {
                Poll::Ready(Ok(more)) if more > 0 => *written += more,
                Poll::Ready(Ok(_)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.instead = None;
        Some(Poll::Ready(Ok(bytes.len())))
    }

    /// What writing came to, unless the client has had its time.
    fn within<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let now = Instant::now();
        let silent = now + self.patience;
        let until = self.due.get().map_or(silent, |due| due.max(now + REST).min(silent));
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(until)));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for Outlet {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, read: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, read)
    }
}

impl AsyncWrite for Outlet {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(written) = self.reword(bytes, context) {
            return self.within(written, context);
        }
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.within(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [bytes] = slices
            && let Some(written) = self.reword(bytes, context)
        {
            return self.within(written, context);
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.within(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// What hyper answers to a head that it cannot read, with the words that every other refusal has; `None` is an answer of
/// somebody else. Who asked is not known, so the envelope is OpenAI's.
fn worded(bytes: &[u8]) -> Option<(Vec<u8>, Problem)> {
    let status = bytes.strip_prefix(b"HTTP/1.1 4")?.get(..3)?;
    let (code, message, fix) = match status {
        b"00 " => ("bad_request", "the head of the request is no HTTP/1.1", "send it as plain HTTP, with one length"),
        b"14 " => ("uri_too_long", "the path and the query are longer than 64 KiB", "send what is long as the body"),
        b"31 " => {
            ("head_too_large", "there are more than 100 headers, or 64 KiB of them", "send fewer, or shorter ones")
        }
        _ => return None,
    };
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let (line, headers) = head.split_once("\r\n")?;
    // Whatever openmux refuses has a body.
    let is_empty = |header: &str| header.eq_ignore_ascii_case("content-length: 0");
    if !headers.split("\r\n").any(is_empty) {
        return None;
    }
    let status = http::StatusCode::from_bytes(line.split(' ').nth(1)?.as_bytes()).ok()?;
    let problem = Problem::new(status, code, message).fix(fix);
    let body = Dialect::OpenaiChat.error(&problem, None).to_string();
    let kept = headers.split("\r\n").filter(|header| !is_empty(header)).map(|header| format!("{header}\r\n"));
    let (kept, length) = (kept.collect::<String>(), body.len());
    let words = format!("{line}\r\n{kept}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    Some((words.into_bytes(), problem))
}
