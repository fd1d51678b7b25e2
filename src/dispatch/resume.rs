//! `--resume`: an answer that broke off in the middle is gone on with by another endpoint, as if one had said it all.

use std::fmt;

use super::{AttemptReport, Notice, Observer, Reach, Recording};
use crate::catalog::{EndpointId, Prefill};
use crate::chat::{ChatEvent, ChatRequest, Message, Role};
use crate::observe::{ErrorClass, Failover};

/// Where one endpoint went on with what another had begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seam {
    /// Who broke off.
    pub from: EndpointId,
    /// Who went on.
    pub to: EndpointId,
    /// How the first failed.
    pub class: ErrorClass,
    /// How many characters (Unicode scalar values) of the text stand before it.
    pub characters: usize,
    /// The same in bytes of UTF-8.
    pub bytes: usize,
    /// The place of the attempt that broke off, among all of the request.
    pub attempt: usize,
}

/// Why an answer that broke off was not gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A schema was asked for: such an answer is whole or nothing.
    Schema,
    /// The conversation itself ends in the beginning of an answer.
    Begun,
    /// A tool was being called.
    ToolCall,
    /// No text had come yet.
    NoText,
    /// Nothing is left of the output limit.
    Limit,
    /// It could cost more than is allowed.
    Cost,
    /// None of these is known to go on with an answer.
    Nobody(Vec<EndpointId>),
    /// Those who could are not open any more.
    Closed,
    /// As many attempts as are allowed were made.
    Attempts,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "an answer with a schema is asked for anew",
            Self::Begun => "the conversation ended in a beginning of your own",
            Self::ToolCall => "it broke off in a tool call",
            Self::NoText => "no text of the answer had come yet",
            Self::Limit => "nothing is left of --max-tokens",
            Self::Cost => "it could cost more than is left of --max-cost",
            Self::Closed => "nobody else who could is open",
            Self::Attempts => "no further attempt is allowed",
            Self::Nobody(asked) => {
                let mut names: Vec<&str> = asked.iter().map(|endpoint| endpoint.provider.as_str()).collect();
                names.dedup();
                let (shown, more) = names.split_at(names.len().min(4));
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                return match shown {
                    [one] if more.is_empty() => write!(f, "{one} is not known to take a beginning of this answer"),
                    _ => write!(f, "none of {}{more} is known to take a beginning of this answer", shown.join(", ")),
                };
            }
        })
    }
}

/// What a provider says after a beginning, made to go on where the text stands: no character is lost, and none is there
/// twice.
///
/// What is sent of the text ends without white space, which providers refuse there; the model says it once more, since
/// it does not know that it was said. And some repeat the whole beginning first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    /// The beginning that may be repeated; empty once that is settled.
    echo: String,
    /// What came and may be such a repetition.
    held: String,
    /// White space that was said already.
    white: String,
}

impl Joint {
    /// A joint after this text. `echoes` says that the provider repeats what it was sent.
    #[must_use]
    pub fn new(said: &str, echoes: bool) -> Self {
        let sent = sendable(said);
        let echo = if echoes { sent.to_owned() } else { String::new() };
        Self { echo, held: String::new(), white: said.split_at(sent.len()).1.to_owned() }
    }

    /// The part of a piece that is new; pieces may be cut anywhere.
    pub fn take(&mut self, piece: &str) -> String {
        if self.echo.is_empty() {
            return self.fresh(piece);
        }
        self.held.push_str(piece);
        if self.echo.len() > self.held.len() && self.echo.starts_with(&self.held) {
            return String::new();
        }
        let (echo, held) = (std::mem::take(&mut self.echo), std::mem::take(&mut self.held));
        self.fresh(held.strip_prefix(&echo).unwrap_or(&held))
    }

    /// The provider is at its end: what was held back was no repetition.
    pub fn end(&mut self) -> String {
        self.echo.clear();
        let held = std::mem::take(&mut self.held);
        self.fresh(&held)
    }

    fn fresh(&mut self, piece: &str) -> String {
        if piece.is_empty() || self.white.is_empty() {
            return piece.to_owned();
        }
        let same = |(said, again): &(char, char)| said == again;
        let doubled: usize =
            self.white.chars().zip(piece.chars()).take_while(same).map(|(said, _)| said.len_utf8()).sum();
        if doubled < piece.len() {
            self.white.clear();
        } else {
            self.white.drain(..doubled);
        }
        piece.split_at(doubled).1.to_owned()
    }
}

/// What of a text can be sent as a beginning.
fn sendable(said: &str) -> &str {
    said.trim_end()
}

/// What reaches the observer, in its order.
enum Told {
    Event(ChatEvent),
    Seam(Seam),
}

/// Stands between the attempts and the observer: keeps what was said, and joins what comes after a break to it.
pub(super) struct Teller<'a> {
    rest: &'a mut dyn Observer,
    /// Whether breaks may be gone on with at all.
    wanted: bool,
    /// Whether nothing reaches the observer before the answer is whole.
    hold: bool,
    held: Vec<Told>,
    said: String,
    /// Tokens that came so far.
    tokens: u64,
    called: bool,
    joint: Option<Joint>,
    /// The seam that comes before the next piece.
    next: Option<Seam>,
    /// Every seam that was passed.
    pub(super) seams: Vec<Seam>,
    /// The last attempt that broke off after it had added something, and how it failed.
    pub(super) broken: Option<(usize, EndpointId, ErrorClass)>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(rest: &'a mut dyn Observer, wanted: bool, hold: bool) -> Self {
        Self {
            rest,
            wanted,
            hold,
            held: Vec::new(),
            said: String::new(),
            tokens: 0,
            called: false,
            joint: None,
            next: None,
            seams: Vec::new(),
            broken: None,
        }
    }

    /// Forgets what was held back: the answer begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.held.clear();
        self.said.clear();
        self.seams.clear();
        (self.tokens, self.called, self.joint, self.next, self.broken) = (0, false, None, None, None);
    }

    /// An attempt failed after something of it had come.
    pub(super) fn broke(&mut self, at: usize, report: &AttemptReport) {
        self.tokens = self.tokens.saturating_add(report.outcome.streamed.tokens.unwrap_or(0));
        // Where the seam was never passed, nothing was added.
        if self.next.take().is_none() {
            self.broken = Some((at, report.endpoint.clone(), report.outcome.class));
        }
    }

    /// Why what was said cannot be gone on with, whoever is asked.
    pub(super) fn obstacle(&self, request: &ChatRequest) -> Option<Obstacle> {
        let begun = request.messages.last().is_some_and(|last| last.role == Role::Assistant);
        let checks = [
            (request.schema.is_some(), Obstacle::Schema),
            (begun, Obstacle::Begun),
            (self.called, Obstacle::ToolCall),
            (sendable(&self.said).is_empty(), Obstacle::NoText),
            (request.max_tokens.is_some_and(|most| most <= self.tokens), Obstacle::Limit),
        ];
        checks.into_iter().find(|(holds, _)| *holds).map(|(_, why)| why)
    }

    /// The request that goes on with what was said.
    pub(super) fn request(&self, asked: &ChatRequest) -> ChatRequest {
        let limit = asked.max_tokens.map(|most| most.saturating_sub(self.tokens).max(1));
        ChatRequest { max_tokens: limit, ..going_on(asked, sendable(&self.said)) }
    }

    /// From now on an endpoint goes on with what was said; the observer is told so.
    pub(super) fn go_on_at(&mut self, reach: &Reach, last: &AttemptReport) {
        let Some((attempt, from, class)) = self.broken.clone() else { return };
        let echoes = Prefill::echoes(reach.provider.quirks.prefill);
        self.joint = Some(Joint::new(&self.said, echoes));
        let seam = Seam {
            from,
            to: reach.endpoint.id.clone(),
            class,
            characters: self.said.chars().count(),
            bytes: self.said.len(),
            attempt,
        };
        let since = (last.endpoint != seam.from).then(|| (last.endpoint.clone(), last.outcome.class));
        self.rest.notice(Notice::Resuming { seam: seam.clone(), since });
        self.next = Some(seam);
    }

    /// The answer is whole.
    pub(super) fn finish(&mut self) {
        self.pass_seam();
        for told in std::mem::take(&mut self.held) {
            match told {
                Told::Seam(seam) => self.rest.seam(&seam),
                Told::Event(event) => {
                    if !self.rest.event(event) {
                        return;
                    }
                }
            }
        }
    }

    fn pass_seam(&mut self) {
        let Some(seam) = self.next.take() else { return };
        if self.hold {
            self.held.push(Told::Seam(seam.clone()));
        } else {
            self.rest.seam(&seam);
        }
        self.seams.push(seam);
    }

    fn tell(&mut self, event: ChatEvent) -> bool {
        if event.bears_tokens() {
            self.pass_seam();
        }
        match &event {
            ChatEvent::Text(text) => self.said.push_str(text),
            // What refuses, and what only one dialect has, is not gone on with either.
            ChatEvent::ToolCall { .. } | ChatEvent::Refusal(_) | ChatEvent::Item(_) => self.called = true,
            _ => {}
        }
        if self.hold {
            self.held.push(Told::Event(event));
            return true;
        }
        self.rest.event(event)
    }
}

impl Observer for Teller<'_> {
    fn begins(&mut self) -> bool {
        self.rest.begins()
    }

    fn event(&mut self, event: ChatEvent) -> bool {
        if !self.wanted {
            return self.rest.event(event);
        }
        match (event, &mut self.joint) {
            (ChatEvent::Text(piece), Some(joint)) => {
                let fresh = joint.take(&piece);
                fresh.is_empty() || self.tell(ChatEvent::Text(fresh))
            }
            (event @ ChatEvent::Finished { .. }, Some(joint)) => {
                let rest = joint.end();
                (rest.is_empty() || self.tell(ChatEvent::Text(rest))) && self.tell(event)
            }
            (event, _) => self.tell(event),
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.rest.notice(notice);
    }

    fn records(&self) -> bool {
        self.rest.records()
    }

    fn recorded(&mut self, recording: Recording) {
        self.rest.recorded(recording);
    }
}

/// The request that goes on with a text.
fn going_on(asked: &ChatRequest, said: &str) -> ChatRequest {
    let mut request = asked.clone();
    request.messages.push(Message::text(Role::Assistant, said));
    request.continues = true;
    request
}

/// Whether an endpoint could go on with an answer to a request, whatever is said in it.
pub(super) fn could_go_on(reach: &Reach, asked: &ChatRequest) -> bool {
    reach.continues(&going_on(asked, "x"))
}

/// Whether a failure is one after which an answer may be gone on with: not where the caller, or all that we send, is at
/// fault.
pub(super) fn is_break(class: ErrorClass) -> bool {
    matches!(class.failover(), Failover::Next { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Eins,  zwei\n\n- drei\u{a0}\n\tvier ü 漢字\n\n";

    fn bounds(text: &str) -> Vec<usize> {
        text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
    }

    /// What the caller has in the end where the text breaks off at `cut` and the rest comes in pieces that end at `ends`.
    fn joined(text: &str, cut: usize, echoes: bool, ends: &[usize]) -> String {
        let (said, _) = text.split_at(cut);
        let sent = said.trim_end();
        let rest = &text[sent.len()..];
        let spoken = if echoes { format!("{sent}{rest}") } else { rest.to_owned() };
        let mut joint = Joint::new(said, echoes);
        let (mut all, mut from) = (said.to_owned(), 0);
        for &end in ends.iter().filter(|end| spoken.is_char_boundary(**end)) {
            all += &joint.take(&spoken[from..end]);
            from = end;
        }
        all += &joint.take(&spoken[from..]);
        all + &joint.end()
    }

    #[test]
    fn the_text_is_whole_wherever_it_breaks_and_however_the_rest_comes() {
        for cut in bounds(TEXT) {
            for echoes in [false, true] {
                let whole: Vec<usize> = (1..TEXT.len()).collect();
                assert_eq!(joined(TEXT, cut, echoes, &[]), TEXT, "{cut} {echoes}");
                assert_eq!(joined(TEXT, cut, echoes, &whole), TEXT, "{cut} {echoes}");
                for end in bounds(TEXT) {
                    assert_eq!(joined(TEXT, cut, echoes, &[end]), TEXT, "{cut} {echoes} {end}");
                }
            }
        }
    }

    #[test]
    fn white_space_that_was_said_otherwise_is_kept_once() {
        let after = |said: &str, pieces: &[&str]| {
            let mut joint = Joint::new(said, false);
            pieces.iter().map(|piece| joint.take(piece)).collect::<String>()
        };
        assert_eq!(after("one\n\n", &["\n", "two"]), "two");
        assert_eq!(after("one ", &["two"]), "two");
        assert_eq!(after("one\n", &[" two"]), " two");
        assert_eq!(after("one", &[" ", " two"]), "  two");
        assert_eq!(after("one ", &[" ", "two ", " three"]), "two  three");
    }

    #[test]
    fn who_does_not_repeat_the_beginning_after_all_loses_nothing() {
        let mut joint = Joint::new("one two", true);
        assert_eq!(joint.take("one"), "");
        assert_eq!(joint.take(" three"), "one three");
        assert_eq!(joint.take("one two"), "one two", "only the beginning is a repetition");
        let mut joint = Joint::new("one two", true);
        assert_eq!((joint.take("one"), joint.end()), (String::new(), "one".to_owned()));
    }
}
