//! AWS event streams (`application/vnd.amazon.eventstream`), push style: bytes in any split, whole messages out.
//!
//! A message is a prelude (its length, the length of its headers, a checksum of both), headers, a payload, and a
//! checksum of everything. The length is read first and refused over the limit; AWS's own decoder sees only messages
//! that are whole, because it takes the prelude off one that is not.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::{HeaderValue, Message};
use bytes::{Buf, Bytes, BytesMut};
use serde_json::json;

use super::{Frame, FramingError};

/// The media type of such a stream.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

/// The prelude with its checksum, and the checksum of the message: the shortest that there can be.
const SHORTEST: usize = 16;

/// Turns the bytes of an AWS event stream into frames.
#[derive(Debug)]
pub struct EventStreamFramer {
    /// The most bytes that one message may have.
    limit: usize,
    held: BytesMut,
    /// What broke the stream; nothing comes out any more.
    broken: Option<FramingError>,
}

impl EventStreamFramer {
    /// A framer of messages of at most `max_frame_bytes` each.
    #[must_use]
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { limit: max_frame_bytes, held: BytesMut::new(), broken: None }
    }

    /// Takes the next bytes, cut anywhere, and appends the messages that they complete to `out`.
    ///
    /// # Errors
    /// A message is too long, does not match its checksum or cannot be read. Messages that were whole before it are in
    /// `out`; the framer stays unusable.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), FramingError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        self.held.extend_from_slice(bytes);
        self.take(out).inspect_err(|error| {
            self.held = BytesMut::new();
            self.broken = Some(error.clone());
        })
    }

    fn take(&mut self, out: &mut Vec<Frame>) -> Result<(), FramingError> {
        while let Some(prelude) = self.held.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*prelude)).unwrap_or(usize::MAX);
            if length > self.limit {
                return Err(FramingError::TooLong { limit: self.limit });
            }
            if length < SHORTEST {
                return Err(FramingError::Corrupt(format!("a message of {length} bytes is too short to be one")));
            }
            if self.held.len() < length {
                self.held.reserve(length - self.held.len());
                return Ok(());
            }
            let mut whole: Bytes = self.held.split_to(length).freeze();
            let message = read_message_from(&mut whole).map_err(|error| FramingError::Corrupt(error.to_string()))?;
            if whole.has_remaining() {
                return Err(FramingError::Corrupt("a message is longer than its parts".to_owned()));
            }
            out.push(frame(&message));
        }
        Ok(())
    }
}

/// The message in our own form. A failure that the stream itself reports has its words in a header.
fn frame(message: &Message) -> Frame {
    let header = |name: &str| {
        let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
        match header.value() {
            HeaderValue::String(text) => Some(text.as_str().to_owned()),
            _ => None,
        }
    };
    let message_type = header(":message-type").unwrap_or_default();
    let name = match message_type.as_str() {
        "exception" => header(":exception-type"),
        "error" => header(":error-code"),
        _ => header(":event-type"),
    };
    let payload = match header(":error-message") {
        Some(words) if message.payload().is_empty() => Bytes::from(json!({ "message": words }).to_string()),
        _ => message.payload().clone(),
    };
    Frame::Event { message_type, name: name.unwrap_or_default(), payload }
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::Header;
    use proptest::prelude::*;

    use super::*;

    fn encoded(headers: &[(&'static str, &'static str)], payload: &'static str) -> Vec<u8> {
        let mut message = Message::new(payload);
        for (name, value) in headers {
            message = message.add_header(Header::new(*name, HeaderValue::String((*value).into())));
        }
        let mut bytes = Vec::new();
        write_message_to(&message, &mut bytes).unwrap();
        bytes
    }

    fn event(name: &'static str, payload: &'static str) -> Vec<u8> {
        encoded(&[(":message-type", "event"), (":event-type", name)], payload)
    }

    fn framed(pieces: &[&[u8]], limit: usize) -> (Vec<Frame>, Result<(), FramingError>) {
        let mut framer = EventStreamFramer::new(limit);
        let mut out = Vec::new();
        let result = pieces.iter().try_for_each(|piece| framer.push(piece, &mut out));
        (out, result)
    }

    #[test]
    fn a_message_has_a_type_a_name_and_a_payload() {
        let bytes = [
            event("messageStop", "{}"),
            encoded(
                &[(":message-type", "exception"), (":exception-type", "throttlingException")],
                r#"{"message":"x"}"#,
            ),
            encoded(&[(":message-type", "error"), (":error-code", "Internal"), (":error-message", "gone")], ""),
            encoded(&[], "p"),
        ]
        .concat();
        let frame = |message_type: &str, name: &str, payload: &'static str| Frame::Event {
            message_type: message_type.to_owned(),
            name: name.to_owned(),
            payload: Bytes::from_static(payload.as_bytes()),
        };
        let expected = vec![
            frame("event", "messageStop", "{}"),
            frame("exception", "throttlingException", r#"{"message":"x"}"#),
            frame("error", "Internal", r#"{"message":"gone"}"#),
            frame("", "", "p"),
        ];
        assert_eq!(framed(&[&bytes], 1 << 20), (expected, Ok(())));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_the_rest_is_there() {
        let whole = event("a", "{}");
        let long = u32::to_be_bytes(1_000_001);
        let (frames, result) = framed(&[&whole, &long], 1_000_000);
        assert_eq!((frames.len(), result), (1, Err(FramingError::TooLong { limit: 1_000_000 })));
        assert!(matches!(framed(&[&u32::to_be_bytes(15)], 64).1, Err(FramingError::Corrupt(_))));
        assert_eq!(framed(&[&whole], whole.len()).1, Ok(()));
        assert!(framed(&[&whole], whole.len() - 1).1.is_err());
    }

    #[test]
    fn a_broken_stream_stays_broken_and_gives_what_was_whole() {
        let (good, mut bad) = (event("a", "{}"), event("b", "{}"));
        *bad.last_mut().unwrap() ^= 1;
        let mut framer = EventStreamFramer::new(1 << 20);
        let mut out = Vec::new();
        assert!(framer.push(&[good.clone(), bad].concat(), &mut out).is_err());
        assert_eq!(out.len(), 1);
        assert!(framer.push(&good, &mut out).is_err());
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = event("contentBlockDelta", r#"{"delta":{"text":"hello"}}"#);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                // A length that grew waits for more; everything else is an error at once.
                let (frames, result) = framed(&[&bytes], 1 << 20);
                assert!(frames.is_empty(), "bit {bit} of byte {at} goes unnoticed");
                assert!(result.is_err() || at < 4, "bit {bit} of byte {at} is no error");
            }
        }
    }

    proptest! {
        // Nothing is kept on disk: a failure becomes a fixture or a test of its own.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_split_gives_the_same_frames(
            bytes in prop_oneof![
                Just([event("a", "{}"), event("b", r#"{"x":1}"#), encoded(&[], "")].concat()),
                proptest::collection::vec(any::<u8>(), 0..200),
            ],
            size in 1..40_usize,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(framed(&pieces, 1 << 10), framed(&[&bytes], 1 << 10));
        }
    }
}
