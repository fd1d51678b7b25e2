//! A thread that writes, so that a slow or paused reader holds nobody up: what is read from a provider is stamped when it
//! comes, not when the last piece was taken.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::out::{self, Reader};

/// Something to write, or to say once everything before it is written.
enum Piece {
    Data(String),
    Talk(String),
    Done(oneshot::Sender<()>),
}

/// Writes data to stdout and talk to stderr, in the order in which it is given them. Dropped, it waits until that is done.
pub(crate) struct Writer {
    pieces: Option<Sender<Piece>>,
    thread: Option<JoinHandle<()>>,
    gone: watch::Receiver<bool>,
    broken: Arc<Mutex<Option<std::io::Error>>>,
}

impl Writer {
    /// Nothing was written yet.
    pub(crate) fn new() -> Self {
        let (pieces, given) = mpsc::channel();
        let (leave, gone) = watch::channel(false);
        let broken = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&broken);
        let thread = std::thread::spawn(move || {
            for piece in given {
                match piece {
                    // Nobody reads any more: what is left has no place to go.
                    Piece::Data(_) if *leave.borrow() => {}
                    Piece::Data(text) => match out::data(&text) {
                        Ok(Reader::Listening) => {}
                        Ok(Reader::Gone) => {
                            let _ = leave.send(true);
                        }
                        Err(error) => {
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            let _ = leave.send(true);
                        }
                    },
                    Piece::Talk(text) => out::talk(&text),
                    Piece::Done(told) => {
                        let _ = told.send(());
                    }
                }
            }
        });
        Self { pieces: Some(pieces), thread: Some(thread), gone, broken }
    }

    fn give(&self, piece: Piece) {
        // The thread ends after the last sender.
        let _ = self.pieces.as_ref().map(|pieces| pieces.send(piece));
    }

    /// Writes data to stdout and flushes it.
    pub(crate) fn data(&self, text: String) {
        self.give(Piece::Data(text));
    }

    /// Writes to stderr.
    pub(crate) fn talk(&self, text: String) {
        self.give(Piece::Talk(text));
    }

    /// Turns true where nobody reads stdout any more, or it cannot be written.
    pub(crate) fn gone(&self) -> watch::Receiver<bool> {
        self.gone.clone()
    }

    /// Whether nobody reads stdout any more, or it cannot be written, as far as that is known.
    pub(crate) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Why stdout cannot be written, if it cannot.
    pub(crate) fn broken(&self) -> Option<std::io::Error> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until everything so far is written.
    pub(crate) async fn written(&self) {
        let (done, told) = oneshot::channel();
        self.give(Piece::Done(done));
        let _ = told.await;
    }

    /// Does not wait for what nobody takes.
    pub(crate) fn give_up(&mut self) {
        self.thread = None;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.pieces.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
