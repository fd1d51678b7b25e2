//! What came over the stream, read by read: counts and lengths, from which the tokens follow once the usage is known.

use serde_json::Value;

use crate::catalog::Usage;
use crate::chat::ChatEvent;
use crate::observe::{BURST_PM, Streamed, TokenSource};

/// Characters that make a token where nobody counted.
const CHARACTERS: u64 = 4;

/// A count of token-bearing events and of their characters.
#[derive(Debug, Clone, Copy, Default)]
struct Amount {
    events: u64,
    characters: u64,
}

/// What came over the stream so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    all: Amount,
    first: Amount,
    largest: Amount,
    current: Amount,
    reads: u32,
    bytes: u64,
    reasoning_characters: u64,
    reasoned: bool,
}

impl Tally {
    /// One event of the read that is being taken in.
    pub(super) fn add(&mut self, event: &ChatEvent) {
        self.reasoned |= matches!(event, ChatEvent::Reasoning(_) | ChatEvent::Signature { index: None, .. });
        if !event.bears_tokens() {
            return;
        }
        let pieces: [&str; 2] = match event {
            ChatEvent::Text(text) | ChatEvent::Refusal(text) | ChatEvent::Reasoning(text) => [text, ""],
            ChatEvent::Item(item) => [item.get("input").and_then(Value::as_str).unwrap_or_default(), ""],
            ChatEvent::ToolCall { name, arguments, .. } => [name.as_deref().unwrap_or_default(), arguments],
            _ => ["", ""],
        };
        let characters: u64 = pieces.iter().map(|piece| length(piece.chars().count())).sum();
        self.bytes += pieces.iter().map(|piece| length(piece.len())).sum::<u64>();
        if matches!(event, ChatEvent::Reasoning(_)) {
            self.reasoning_characters += characters;
        }
        self.current.events += 1;
        self.current.characters += characters;
    }

    /// The end of a read.
    pub(super) fn end_read(&mut self) {
        let read = std::mem::take(&mut self.current);
        if read.events == 0 {
            return;
        }
        if self.reads == 0 {
            self.first = read;
        }
        self.reads += 1;
        self.all.events += read.events;
        self.all.characters += read.characters;
        self.largest.events = self.largest.events.max(read.events);
        self.largest.characters = self.largest.characters.max(read.characters);
    }

    /// Token-bearing events.
    pub(super) fn events(&self) -> u32 {
        u32::try_from(self.all.events).unwrap_or(u32::MAX)
    }

    /// Token-bearing reads.
    pub(super) const fn reads(&self) -> u32 {
        self.reads
    }

    /// The tokens that were streamed. `summarizes` says that the protocol streams a summary of the reasoning in its place.
    pub(super) fn streamed(&self, usage: Option<&Usage>, summarizes: bool) -> Streamed {
        if self.reads == 0 {
            return Streamed::default();
        }
        let (tokens, source) = match self.reported(usage, summarizes) {
            // A token is at least a byte: what has fewer bytes than tokens was not streamed whole.
            Some(counted) if counted.0 <= self.bytes || self.bytes == 0 => counted,
            _ => (estimate(self.all.characters), TokenSource::Characters),
        };
        let share = |part: Amount| self.share(part, tokens);
        let first = share(self.first).map(|(part, whole)| (tokens.saturating_mul(part) + whole / 2) / whole);
        let burst = share(self.largest).map(|(part, whole)| part.saturating_mul(1000) / whole);
        Streamed {
            tokens: Some(tokens),
            first: Some(first.unwrap_or(1).clamp(1, tokens.max(1))),
            burst_pm: burst.and_then(|share| u16::try_from(share).ok()),
            source: Some(source),
        }
    }

    /// The billed tokens without those that stayed hidden; `None` where that is not told.
    fn reported(&self, usage: Option<&Usage>, summarizes: bool) -> Option<(u64, TokenSource)> {
        let usage = usage?;
        let output = usage.output?.count();
        let hidden = usage.reasoning.map(crate::units::Tokens::count);
        let shown = self.reasoning_characters > 0;
        match hidden {
            // Thoughts that are read to us are among what was streamed.
            _ if shown && !summarizes => Some((output, TokenSource::Usage)),
            Some(hidden) if shown => {
                let summary = estimate(self.reasoning_characters);
                Some((output.saturating_sub(hidden) + summary, TokenSource::Characters))
            }
            Some(hidden) => Some((output.saturating_sub(hidden), TokenSource::Usage)),
            None if self.reasoned => None,
            None => Some((output, TokenSource::Usage)),
        }
    }

    /// A part of the whole: by events where an event is about a token, else by characters.
    fn share(&self, part: Amount, tokens: u64) -> Option<(u64, u64)> {
        let by_events = tokens.saturating_mul(2) <= self.all.events.saturating_mul(3);
        if by_events || self.all.characters == 0 {
            return (self.all.events > 0).then_some((part.events, self.all.events));
        }
        Some((part.characters, self.all.characters))
    }
}

impl Tally {
    /// Whether more than half of it came in one read.
    pub(super) fn is_burst(streamed: &Streamed) -> bool {
        streamed.burst_pm.is_some_and(|share| share > BURST_PM)
    }
}

fn estimate(characters: u64) -> u64 {
    characters.div_ceil(CHARACTERS)
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    fn text(piece: &str) -> ChatEvent {
        ChatEvent::Text(piece.to_owned())
    }

    fn thought(piece: &str) -> ChatEvent {
        ChatEvent::Reasoning(piece.to_owned())
    }

    fn tally(reads: &[&[ChatEvent]]) -> Tally {
        let mut tally = Tally::default();
        for read in reads {
            read.iter().for_each(|event| tally.add(event));
            tally.end_read();
        }
        tally
    }

    fn usage(output: u64, reasoning: Option<u64>) -> Usage {
        Usage { reasoning: reasoning.map(Tokens::new), ..Usage::text(10, output) }
    }

    #[test]
    fn an_event_that_is_a_token_counts_as_one() {
        let read = [text("word ")];
        let tally = tally(&[&read, &[text("a"), text("b")], &[], &read]);
        assert_eq!((tally.events(), tally.reads()), (4, 3));
        let streamed = tally.streamed(Some(&usage(4, None)), false);
        let (tokens, first, burst) = (Some(4), Some(1), Some(500));
        assert_eq!(streamed, Streamed { tokens, first, burst_pm: burst, source: Some(TokenSource::Usage) });
    }

    #[test]
    fn chunks_of_several_tokens_are_weighed_by_their_characters() {
        let tally = tally(&[&[text("0123456789abcdef")], &[text("0123")], &[text("0123")]]);
        let streamed = tally.streamed(Some(&usage(12, None)), false);
        assert_eq!((streamed.first, streamed.burst_pm), (Some(8), Some(666)));
        assert!(Tally::is_burst(&streamed));
    }

    #[test]
    fn reasoning_that_stays_hidden_is_not_streamed() {
        let answer = [text("an answer of some length")];
        let hidden = tally(&[&answer]).streamed(Some(&usage(106, Some(100))), true);
        assert_eq!((hidden.tokens, hidden.source), (Some(6), Some(TokenSource::Usage)));
        let thoughts = [thought("all of it is streamed, word by word, as it was thought")];
        let shown = tally(&[&thoughts, &answer]).streamed(Some(&usage(18, Some(12))), false);
        assert_eq!((shown.tokens, shown.source), (Some(18), Some(TokenSource::Usage)));
        let summary = tally(&[&[thought("in short")], &answer]);
        let counted = summary.streamed(Some(&usage(106, Some(100))), true);
        assert_eq!((counted.tokens, counted.source), (Some(6 + 2), Some(TokenSource::Characters)));
        let uncounted = summary.streamed(Some(&usage(30, None)), true);
        assert_eq!((uncounted.tokens, uncounted.source), (Some(8), Some(TokenSource::Characters)));
        let signature = ChatEvent::Signature { index: None, signature: "s".to_owned() };
        let sealed = tally(&[&[signature], &answer]).streamed(Some(&usage(20, None)), true);
        assert_eq!((sealed.tokens, sealed.source), (Some(6), Some(TokenSource::Characters)));
    }

    #[test]
    fn more_tokens_than_bytes_were_not_streamed() {
        let streamed = tally(&[&[text("four")]]).streamed(Some(&usage(5, None)), false);
        assert_eq!((streamed.tokens, streamed.source), (Some(1), Some(TokenSource::Characters)));
    }

    #[test]
    fn without_usage_the_count_is_an_estimate_and_without_a_stream_there_is_none() {
        let streamed = tally(&[&[text("four and more")]]).streamed(None, false);
        assert_eq!((streamed.tokens, streamed.source), (Some(4), Some(TokenSource::Characters)));
        assert_eq!(Tally::default().streamed(Some(&usage(5, None)), false), Streamed::default());
    }
}
