//! Framers: bytes in any split, whole frames out. Push style, no I/O, no panic on any input.

pub mod sse;

use bytes::Bytes;

/// One whole frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A server-sent event.
    Sse {
        /// The `event:` field; empty where there is none.
        event: String,
        /// All `data:` lines, joined by newlines.
        data: String,
    },
    /// A message of an AWS event stream.
    Event {
        /// `:message-type`: `event`, `exception` or `error`.
        message_type: String,
        /// `:event-type`, `:exception-type` or `:error-code`.
        name: String,
        /// Its payload, JSON.
        payload: Bytes,
    },
    /// A comment (`: ping`): shows that the server lives, carries nothing.
    Comment,
}
