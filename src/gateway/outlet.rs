//! A client's connection, which ends where the client does not read: a chat that waits for its reader holds a place, a
//! provider's connection and a part of a budget.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is left to read after a chat's own time is over may take so long.
const REST: Duration = Duration::from_secs(1);

/// When the answer that is under way on a connection has to have been read; `None` where only silence ends it.
pub(super) type Due = Rc<Cell<Option<Instant>>>;

/// A connection to a client.
pub(super) struct Outlet {
    socket: TcpStream,
    /// How long nothing at all may be read.
    patience: Duration,
    due: Due,
    /// Since nothing more can be written: until when that is waited for.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Outlet {
    pub(super) const fn new(socket: TcpStream, patience: Duration, due: Due) -> Self {
        Self { socket, patience, due, stalled: None }
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
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.within(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
