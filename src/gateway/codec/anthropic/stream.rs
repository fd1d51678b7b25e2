//! A streamed message as Anthropic writes it: named events, a block after the other, and `message_stop` after a whole answer
//! alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::answer::call_id;
use super::super::signed::signed;
use super::super::{Dialect, Ended, Stream, Voice, quoted};
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
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> Value {
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
    /// How many blocks have begun.
    count: usize,
    /// The block that what is said next may belong to; calls of tools stay open beside one another.
    open: Option<Open>,
    /// The blocks of the calls that are open.
    calls: Vec<usize>,
    /// By number of the call: its block.
    places: BTreeMap<u32, usize>,
    /// By number of the call: what it is signed with, until it begins.
    signatures: BTreeMap<u32, String>,
}

/// A block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text(usize),
    Thought(usize),
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
            count: 0,
            open: None,
            calls: Vec::new(),
            places: BTreeMap::new(),
            signatures: BTreeMap::new(),
        }
    }

    /// The message begins. Counts only grow, and clients want numbers: what nobody has counted yet is 0 so far.
    fn begin(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let so_far = Usage { output: Some(Tokens::ZERO), ..self.usage.clone() };
        let input = so_far.input.or(Some(Tokens::ZERO));
        let message = json!({
            "id": Dialect::AnthropicMessages.answer_id(&self.decision),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": counts(&Usage { input, ..so_far }),
        });
        event("message_start", &format!("\"message\":{message}"), out);
    }

    /// Begins a block, whose members follow its type.
    fn start(&mut self, block: &str, out: &mut String) -> usize {
        self.begin(out);
        let index = self.count;
        self.count += 1;
        event("content_block_start", &format!("\"index\":{index},\"content_block\":{{\"type\":{block}}}"), out);
        index
    }

    /// Ends what is open: what follows is another block.
    fn close(&mut self, out: &mut String) {
        let said = self.open.take().map(|(Open::Text(index) | Open::Thought(index))| index);
        for index in said.into_iter().chain(std::mem::take(&mut self.calls)) {
            event("content_block_stop", &format!("\"index\":{index}"), out);
        }
    }

    fn text(&mut self, out: &mut String) -> usize {
        if let Some(Open::Text(index)) = self.open {
            return index;
        }
        self.close(out);
        let index = self.start("\"text\",\"text\":\"\"", out);
        self.open = Some(Open::Text(index));
        index
    }

    fn thought(&mut self, out: &mut String) -> usize {
        if let Some(Open::Thought(index)) = self.open {
            return index;
        }
        self.close(out);
        let index = self.start("\"thinking\",\"thinking\":\"\",\"signature\":\"\"", out);
        self.open = Some(Open::Thought(index));
        index
    }

    /// A signature ends its thought.
    fn signature(&mut self, signature: &str, out: &mut String) {
        if let Some(data) = signature.strip_prefix(REDACTED_THINKING) {
            self.close(out);
            let index = self.start(&format!("\"redacted_thinking\",\"data\":{}", quoted(data)), out);
            self.open = Some(Open::Thought(index));
        } else {
            let index = self.thought(out);
            delta(index, "signature_delta", "signature", signature, out);
        }
        self.close(out);
    }

    fn call(&mut self, number: u32, id: Option<&str>, name: Option<&str>, out: &mut String) -> usize {
        if let Some(index) = self.places.get(&number) {
            return *index;
        }
        if self.open.is_some() {
            self.close(out);
        }
        let id = id.map_or_else(|| call_id(number), str::to_owned);
        let id = signed(&id, self.signatures.remove(&number).as_deref()).into_owned();
        let (id, name) = (quoted(&id), quoted(name.unwrap_or_default()));
        let index = self.start(&format!("\"tool_use\",\"id\":{id},\"name\":{name},\"input\":{{}}"), out);
        self.places.insert(number, index);
        self.calls.push(index);
        index
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
    fn falls_back(&mut self, decision: &str, _created: i64, model: &str) {
        (self.decision, self.model) = (decision.to_owned(), model.to_owned());
        self.usage = Usage::default();
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::Started { .. } | ChatEvent::Billed(_) | ChatEvent::Finished { .. } => {}
            ChatEvent::Usage(usage) => self.usage = usage.clone(),
            ChatEvent::Text(text) => {
                let index = self.text(out);
                delta(index, "text_delta", "text", text, out);
            }
            ChatEvent::Reasoning(_) if self.hides_thoughts => {}
            ChatEvent::Reasoning(text) => {
                let index = self.thought(out);
                delta(index, "thinking_delta", "thinking", text, out);
            }
            ChatEvent::ToolCall { index, id, name, arguments } => {
                let index = self.call(*index, id.as_deref(), name.as_deref(), out);
                if !arguments.is_empty() {
                    delta(index, "input_json_delta", "partial_json", arguments, out);
                }
            }
            ChatEvent::Signature { index: None, signature } => self.signature(signature, out),
            // Of no use to Anthropic's own models; others want it back with the call.
            ChatEvent::Signature { index: Some(number), signature } => match self.places.get(number) {
                Some(index) => delta(*index, "signature_delta", "signature", signature, out),
                None => drop(self.signatures.insert(*number, signature.clone())),
            },
        }
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.begin(out);
        self.close(out);
        let mut members = Map::new();
        members.insert("delta".to_owned(), Map::from_iter(stop(ended)).into());
        members.insert("usage".to_owned(), usage(ended).into());
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
