//! Framers: bytes in any split, whole frames out. Push style, no I/O, no panic on any input.

pub mod eventstream;
pub mod sse;

use bytes::Bytes;

use eventstream::EventStreamFramer;
use sse::SseFramer;

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

/// Why bytes cannot be framed: the stream is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// One frame is larger than may be held.
    #[error("one event of the stream is larger than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The bytes do not match their checksum, or are no message at all.
    #[error("the event stream is corrupt: {0}")]
    Corrupt(String),
}

/// The framer of one response.
#[derive(Debug)]
pub enum Framer {
    /// Of server-sent events.
    Sse(SseFramer),
    /// Of an AWS event stream.
    EventStream(EventStreamFramer),
}

impl Framer {
    /// The framer for a response's (lower-case) `content-type`; whatever is no AWS event stream is taken for server-sent
    /// events, which many providers mislabel. It holds at most `max_frame_bytes` of one frame.
    #[must_use]
    pub fn of(content_type: &str, max_frame_bytes: usize) -> Self {
        if content_type.starts_with(eventstream::MEDIA_TYPE) {
            Self::EventStream(EventStreamFramer::new(max_frame_bytes))
        } else {
            Self::Sse(SseFramer::new(max_frame_bytes))
        }
    }

    /// Takes the next bytes, cut anywhere, and appends the frames that they complete to `out`.
    ///
    /// # Errors
    /// The stream cannot be framed. Frames that were whole before are in `out`; the framer stays unusable.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), FramingError> {
        match self {
            Self::Sse(framer) => framer.push(bytes, out).map_err(|error| FramingError::TooLong { limit: error.limit }),
            Self::EventStream(framer) => framer.push(bytes, out),
        }
    }

    /// The bytes are at an end: appends what is as good as whole. Whether that was the end is the decoder's judgement.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        match self {
            Self::Sse(framer) => framer.finish(out),
            // A message without its checksum is none.
            Self::EventStream(_) => {}
        }
    }
}
