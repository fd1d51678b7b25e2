//! Server-sent events, push style: bytes in any split, whole frames out, in linear time.
//!
//! Follows the WHATWG parsing rules with one addition: [`SseFramer::finish`] delivers a last event that lacks its blank
//! line, because a usage trailer or a `[DONE]` is worth having. Whether that was the end is the decoder's judgement.

use super::Frame;

/// An event is larger than the framer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one event of the stream is larger than {limit} bytes")]
pub struct TooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Turns the bytes of an event stream into frames.
#[derive(Debug)]
pub struct SseFramer {
    /// The most bytes that one unfinished event may hold.
    limit: usize,
    /// The unfinished line, without its end.
    line: Vec<u8>,
    event: String,
    data: String,
    /// Whether the event has a `data:` line; without one it is dropped.
    has_data: bool,
    /// Whether the last byte was a CR, so that a LF right after it belongs to the same line end.
    after_cr: bool,
    /// Whether no line has ended yet, so that a byte-order mark may lead.
    at_start: bool,
    /// Whether the limit was passed; nothing comes out any more.
    overflowed: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl SseFramer {
    /// A framer that holds at most `max_frame_bytes` of one event.
    #[must_use]
    pub fn new(max_frame_bytes: usize) -> Self {
        Self {
            limit: max_frame_bytes,
            line: Vec::new(),
            event: String::new(),
            data: String::new(),
            has_data: false,
            after_cr: false,
            at_start: true,
            overflowed: false,
        }
    }

    /// Takes the next bytes, cut anywhere, and appends the frames that they complete to `out`.
    ///
    /// # Errors
    /// The unfinished event passes the limit. Frames that were whole before it are in `out`; the framer stays unusable.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), TooLong> {
        let mut rest = bytes;
        if self.overflowed {
            return Err(TooLong { limit: self.limit });
        }
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
                rest = &rest[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest);
            self.hold(&rest[..end.unwrap_or(rest.len())])?;
            let Some(end) = end else { return Ok(()) };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(out);
        }
        Ok(())
    }

    /// The bytes are at an end: appends an event that lacks its blank line, or even the end of its last line.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        if self.overflowed {
            return;
        }
        if !self.line.is_empty() {
            self.end_line(out);
        }
        self.dispatch(out);
    }

    fn hold(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        let held = self.line.len() + self.data.len() + self.event.len();
        if piece.len() > self.limit.saturating_sub(held) {
            self.overflowed = true;
            self.line = Vec::new();
            self.data = String::new();
            return Err(TooLong { limit: self.limit });
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn end_line(&mut self, out: &mut Vec<Frame>) {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if std::mem::take(&mut self.at_start) {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        if text.is_empty() {
            self.dispatch(out);
        } else {
            self.field(text, out);
        }
        // The buffer is kept, so that many short lines do not allocate each.
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, line: &[u8], out: &mut Vec<Frame>) {
        let colon = memchr::memchr(b':', line);
        let (name, value) = match colon {
            Some(0) => return out.push(Frame::Comment),
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                // Nearly all of it is text, and to see that takes a tenth of what looking for what is none does.
                match std::str::from_utf8(value) {
                    Ok(text) => self.data.push_str(text),
                    Err(_) => self.data.push_str(&String::from_utf8_lossy(value)),
                }
            }
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            // `id`, `retry` and whatever else: nothing that an answer is made of.
            _ => {}
        }
    }

    fn dispatch(&mut self, out: &mut Vec<Frame>) {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            out.push(Frame::Sse { event, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{FutureExt, StreamExt, stream};
    use proptest::prelude::*;

    use super::*;

    fn frames_of(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut framer = SseFramer::new(1 << 20);
        let mut out = Vec::new();
        for piece in pieces {
            framer.push(piece, &mut out).unwrap();
        }
        framer.finish(&mut out);
        out
    }

    fn sse(event: &str, data: &str) -> Frame {
        Frame::Sse { event: event.into(), data: data.into() }
    }

    #[test]
    fn fields_comments_and_line_ends() {
        let expected = [sse("ping", "a\nb"), Frame::Comment, sse("", " c")];
        for end in ["\n", "\r\n", "\r"] {
            let text = "event: ping\ndata: a\ndata:b\n\n: alive\nid: 7\nretry: 5\ndata:  c\n\n".replace('\n', end);
            assert_eq!(frames_of(&[text.as_bytes()]), expected, "{end:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_only() {
        assert_eq!(frames_of(&["\u{feff}data: x\n\n".as_bytes()]), [sse("", "x")]);
        assert_eq!(frames_of(&["data: x\n\n\u{feff}data: y\n\n".as_bytes()]), [sse("", "x")]);
    }

    #[test]
    fn an_event_without_data_is_dropped_and_empty_data_is_kept() {
        assert_eq!(frames_of(&[b"event: a\n\ndata: x\n\n"]), [sse("", "x")]);
        assert_eq!(frames_of(&[b"data\n\ndata:\n\n"]), [sse("", ""), sse("", "")]);
        assert_eq!(frames_of(&[b"data:\ndata:\n\n"]), [sse("", "\n")]);
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_delivered() {
        assert_eq!(frames_of(&[b"data: [DONE]"]), [sse("", "[DONE]")]);
        assert_eq!(frames_of(&[b"event: x\ndata: 1\n"]), [sse("x", "1")]);
        assert_eq!(frames_of(&[b"event: x\n"]), []);
    }

    #[test]
    fn invalid_text_is_replaced() {
        assert_eq!(frames_of(&[b"data: a\xffb\n\n"]), [sse("", "a\u{fffd}b")]);
    }

    #[test]
    fn the_limit_holds_for_a_line_and_for_an_event() {
        let mut out = Vec::new();
        let mut framer = SseFramer::new(16);
        assert_eq!(framer.push(b"data: ok\n\ndata: 0123456789A", &mut out), Err(TooLong { limit: 16 }));
        assert_eq!(out, [sse("", "ok")]);
        assert_eq!(framer.push(b"\n\n", &mut out), Err(TooLong { limit: 16 }));
        framer.finish(&mut out);
        assert_eq!(out.len(), 1);
        let mut framer = SseFramer::new(16);
        assert!(framer.push(b"data:01234\ndata:01234\ndata:01234\n", &mut out).is_err());
    }

    #[test]
    fn a_long_line_in_small_pieces_takes_linear_time() {
        let mut framer = SseFramer::new(64 << 20);
        let mut out = Vec::new();
        framer.push(b"data: ", &mut out).unwrap();
        for _ in 0..(8 << 20) / 512 {
            framer.push(&[b'x'; 512], &mut out).unwrap();
        }
        framer.push(b"\n\n", &mut out).unwrap();
        // A quadratic framer would copy 64 GiB here, which no test run survives unnoticed.
        assert!(matches!(&out[..], [Frame::Sse { data, .. }] if data.len() == 8 << 20));
    }

    /// Pieces of streams, likely to meet each other in awkward ways.
    fn stream_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("data: ".as_bytes().to_vec()),
            Just(b"event: ping".to_vec()),
            Just(b"data".to_vec()),
            Just(b": note".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n\n".to_vec()),
            Just("\u{feff}".as_bytes().to_vec()),
            Just("é漢🦀".as_bytes().to_vec()),
            Just(b"[DONE]".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        // Nothing is kept on disk: a failure becomes a fixture or a test of its own.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_split_gives_the_same_frames(bytes in stream_bytes(), cuts in proptest::collection::vec(0..400_usize, 0..12)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let whole = frames_of(&[&bytes]);
            prop_assert_eq!(&frames_of(&pieces), &whole);
            prop_assert_eq!(&frames_of(&single), &whole);
        }

        #[test]
        fn the_limit_does_not_depend_on_the_split(bytes in stream_bytes(), limit in 0..40_usize) {
            let run = |size: usize| {
                let mut framer = SseFramer::new(limit);
                let mut out = Vec::new();
                let failed = bytes.chunks(size).any(|piece| framer.push(piece, &mut out).is_err());
                framer.finish(&mut out);
                (failed, out)
            };
            prop_assert_eq!(run(1), run(bytes.len().max(1)));
        }

        #[test]
        fn ordinary_streams_agree_with_an_independent_parser(
            events in proptest::collection::vec(("[a-z_]{0,8}", proptest::collection::vec("[ -~é漢]{0,20}", 1..4)), 0..8),
            end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        ) {
            let mut text = String::new();
            for (event, lines) in &events {
                if !event.is_empty() {
                    text.push_str(&format!("event: {event}\n"));
                }
                for line in lines {
                    text.push_str(&format!("data: {line}\n"));
                }
                text.push_str(": comment\n\n");
            }
            let text = text.replace('\n', end);
            let oracle: Vec<Frame> = sse_stream::SseByteStream::new(stream::iter([Ok::<_, std::io::Error>(Bytes::from(text.clone()))]))
                .map(Result::unwrap)
                .filter_map(async |block| {
                    block.data.map(|data| Frame::Sse { event: block.event.unwrap_or_default(), data })
                })
                .collect()
                .now_or_never()
                .unwrap();
            let ours: Vec<Frame> = frames_of(&[text.as_bytes()]).into_iter().filter(|frame| *frame != Frame::Comment).collect();
            prop_assert_eq!(ours, oracle);
        }
    }
}
