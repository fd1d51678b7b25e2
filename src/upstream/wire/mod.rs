//! Framers: bytes in any split, whole frames out. Push style, no I/O, no panic on any input.

pub mod sse;

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
    /// A comment (`: ping`): shows that the server lives, carries nothing.
    Comment,
}
