//! A streamed message as Anthropic writes it: named events, a block after the other, and `message_stop` after a whole answer
//! alone.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::turn::{Kind, Start, Step, Turn};
use super::super::{Dialect, Ended, Likely, Stream, Voice, quoted};
use super::whole::{counts, error, message, stop, usage};
use crate::catalog::Usage;
use crate::chat::{ChatEvent, REDACTED_THINKING};
use crate::gateway::problem::Problem;
use crate::units::Tokens;

/// How a request's answer is put.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    /// Whether only the signatures of thoughts are told.
    pub hides_thoughts: bool,
}

impl Voice for Messages {
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> String {
        message(events, ended, self.hides_thoughts)
    }

    fn stream(&self, decision: &str, _created: i64, model: &str) -> Box<dyn Stream> {
        Box::new(Blocks::new(decision, model, self.hides_thoughts))
    }
}

/// One stream.
#[derive(Debug)]
pub struct Blocks {
    decision: String,
    model: String,
    hides_thoughts: bool,
    begun: bool,
    /// What is known to be used before the first block.
    usage: Usage,
    /// The text that it ended at, where the provider says so.
    stopped_at: Option<String>,
    /// Whether the model refuses.
    refuses: bool,
    /// What the request likely has, where that says nothing of it.
    likely: Likely,
    turn: Turn,
}

impl Blocks {
    /// A stream of an answer by the id of its decision, of that model.
    #[must_use]
    pub fn new(decision: &str, model: &str, hides_thoughts: bool) -> Self {
        Self {
            decision: decision.to_owned(),
            model: model.to_owned(),
            hides_thoughts,
            begun: false,
            usage: Usage::default(),
            stopped_at: None,
            refuses: false,
            likely: Likely::default(),
            turn: Turn::default(),
        }
    }

    /// The message begins, and nothing of it was written so far. Where the provider tells at the end alone what was read of
    /// the request, its estimate stands here: clients take no message without a number, and the last one they are told.
    fn begin(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let so_far = Usage { output: Some(Tokens::ZERO), ..self.usage.clone() };
        let message = json!({
            "id": Dialect::AnthropicMessages.answer_id(&self.decision),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": counts(&so_far, self.likely),
        });
        event("message_start", &format!("\"message\":{message}"), out);
    }

    /// What happens to a block.
    fn step(&mut self, step: Step<'_>, out: &mut String) {
        match step {
            Step::Begins(at, start) => self.start(at, start, out),
            Step::Grows(at, Kind::Text | Kind::Refusal, piece) => delta(at, "text_delta", "text", piece, out),
            Step::Grows(at, Kind::Thought, piece) => delta(at, "thinking_delta", "thinking", piece, out),
            Step::Grows(at, Kind::Call(_), piece) => delta(at, "input_json_delta", "partial_json", piece, out),
            // A call's is of no use to Anthropic's own models; others want it back.
            Step::Signed(at, _, signature) => delta(at, "signature_delta", "signature", signature, out),
            Step::Ends(at, _) => event("content_block_stop", &format!("\"index\":{at}"), out),
        }
    }

    fn start(&mut self, at: usize, start: Start<'_>, out: &mut String) {
        self.begin(out);
        let block = match start {
            Start::Text | Start::Refusal => "\"text\",\"text\":\"\"".to_owned(),
            Start::Thought => "\"thinking\",\"thinking\":\"\",\"signature\":\"\"".to_owned(),
            Start::Sealed(signature) => {
                let data = signature.strip_prefix(REDACTED_THINKING).unwrap_or(signature);
                format!("\"redacted_thinking\",\"data\":{}", quoted(data))
            }
            Start::Call { id, name, .. } => {
                format!("\"tool_use\",\"id\":{},\"name\":{},\"input\":{{}}", quoted(id), quoted(name))
            }
        };
        event("content_block_start", &format!("\"index\":{at},\"content_block\":{{\"type\":{block}}}"), out);
        if let Start::Call { arguments, .. } = start
            && !arguments.is_empty()
        {
            delta(at, "input_json_delta", "partial_json", arguments, out);
        }
    }

    /// Hands on what an event does to blocks.
    fn turn(&mut self, take: impl FnOnce(&mut Turn, &mut dyn FnMut(Step<'_>)), out: &mut String) {
        let mut turn = std::mem::take(&mut self.turn);
        take(&mut turn, &mut |step| self.step(step, out));
        self.turn = turn;
    }
}

/// One event of the stream; `members` follow its type.
fn event(kind: &str, members: &str, out: &mut String) {
    let comma = if members.is_empty() { "" } else { "," };
    let _ = write!(out, "event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{members}}}\n\n");
}

/// A piece of a block.
fn delta(index: usize, kind: &str, name: &str, text: &str, out: &mut String) {
    let members = format!("\"index\":{index},\"delta\":{{\"type\":\"{kind}\",\"{name}\":{}}}", quoted(text));
    event("content_block_delta", &members, out);
}

impl Stream for Blocks {
    fn expects(&mut self, input: Tokens) {
        self.likely.input = input;
    }

    fn falls_back(&mut self, decision: &str, _created: i64, model: &str) {
        (self.decision, self.model) = (decision.to_owned(), model.to_owned());
        (self.usage, self.stopped_at) = (Usage::default(), None);
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        self.refuses |= matches!(event, ChatEvent::Refusal(_));
        match event {
            ChatEvent::Usage(usage) => self.usage = usage.as_ref().clone(),
            ChatEvent::StopSequence(text) => self.stopped_at = Some(text.clone()),
            ChatEvent::Reasoning(_) if self.hides_thoughts => {}
            event => self.turn(|turn, tell| turn.event(event, tell), out),
        }
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.begin(out);
        self.turn(|turn, tell| turn.end(tell), out);
        let mut members = Map::new();
        members
            .insert("delta".to_owned(), Map::from_iter(stop(ended, self.stopped_at.as_deref(), self.refuses)).into());
        members.insert("usage".to_owned(), usage(ended, ended.likely).into());
        members.insert("provider".to_owned(), ended.provider.as_str().into());
        if !ended.dropped.is_empty() {
            members.insert("dropped".to_owned(), ended.dropped.clone().into());
        }
        if let Some(metadata) = &ended.metadata {
            members.insert("openmux".to_owned(), metadata.clone());
        }
        let members = Value::from(members).to_string();
        event("message_delta", members.trim_start_matches('{').strip_suffix('}').unwrap_or_default(), out);
        event("message_stop", "", out);
    }

    fn failed(&mut self, problem: &Problem, out: &mut String) {
        let _ = write!(out, "event: error\ndata: {}\n\n", error(problem, Some(&self.decision)));
    }

    fn alive(&mut self, out: &mut String) {
        event("ping", "", out);
    }
}
