//! A streamed response as OpenAI writes it: numbered events, an item after the other, and one at the end that says how the
//! response ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::answer::{Call, call_id};
use super::super::signed::signed;
use super::super::{Ended, Stream, quote};
use super::whole::{Document, function_call, item_id, message, summary_part, text_part, thought};
use crate::chat::{ChatEvent, REDACTED_THINKING};
use crate::gateway::problem::Problem;

/// One stream.
#[derive(Debug)]
pub struct Items {
    echo: Map<String, Value>,
    decision: String,
    created: i64,
    model: String,
    begun: bool,
    sequence: u64,
    /// The items, in the order in which they began; null until they are done.
    output: Vec<Value>,
    /// The item that what is said next may belong to; calls of tools stay open beside one another.
    open: Option<Open>,
    /// The calls by their number, and those of them that are open.
    calls: BTreeMap<u32, (usize, Call)>,
    calling: Vec<u32>,
    /// What calls are signed with that have not begun.
    signatures: BTreeMap<u32, String>,
}

/// An item that is open, and what it holds.
#[derive(Debug)]
enum Open {
    Text(usize, String),
    Thought(usize, String),
}

impl Items {
    /// A stream of an answer by the id of its decision, begun at that second, of that model.
    #[must_use]
    pub fn new(echo: Map<String, Value>, decision: &str, created: i64, model: &str) -> Self {
        Self {
            echo,
            decision: decision.to_owned(),
            created,
            model: model.to_owned(),
            begun: false,
            sequence: 0,
            output: Vec::new(),
            open: None,
            calls: BTreeMap::new(),
            calling: Vec::new(),
            signatures: BTreeMap::new(),
        }
    }

    fn document(&self) -> Document<'_> {
        Document { echo: &self.echo, decision: &self.decision, created: self.created, model: &self.model }
    }

    /// One event; `members` are an object.
    fn tell(&mut self, kind: &str, members: Value, out: &mut String) {
        let mut event = Map::new();
        event.insert("type".to_owned(), kind.into());
        event.insert("sequence_number".to_owned(), self.sequence.into());
        if let Value::Object(members) = members {
            event.extend(members);
        }
        self.sequence += 1;
        let _ = write!(out, "event: {kind}\ndata: {}\n\n", Value::from(event));
    }

    /// A piece of an item, by far the most frequent event: written straight. `place` and `rest` are members before and after
    /// the piece.
    fn piece(
        &mut self,
        (kind, place, rest): (&str, &str, &str),
        (item, index): (&str, usize),
        piece: &str,
        out: &mut String,
    ) {
        let (sequence, decision) = (self.sequence, &self.decision);
        self.sequence += 1;
        let _ = write!(out, "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{sequence},");
        let _ = write!(out, "\"item_id\":\"{item}_{decision}_{index}\",\"output_index\":{index},{place}\"delta\":");
        quote(piece, out);
        let _ = write!(out, "{rest}}}\n\n");
    }

    fn begin(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = Value::from(self.document().of("in_progress", Vec::new()));
        self.tell("response.created", json!({ "response": response }), out);
        self.tell("response.in_progress", json!({ "response": response }), out);
    }

    /// Begins an item.
    fn start(&mut self, item: impl FnOnce(&str, usize) -> Value, out: &mut String) -> usize {
        self.begin(out);
        let index = self.output.len();
        self.output.push(Value::Null);
        let item = item(&self.decision, index);
        self.tell("response.output_item.added", json!({ "output_index": index, "item": item }), out);
        index
    }

    fn done(&mut self, index: usize, item: Value, out: &mut String) {
        self.output[index] = item.clone();
        self.tell("response.output_item.done", json!({ "output_index": index, "item": item }), out);
    }

    /// Ends what is open: what follows is another item. A thought takes its signature along.
    fn close(&mut self, signature: Option<&str>, out: &mut String) {
        match self.open.take() {
            None => {}
            Some(Open::Text(index, text)) => {
                let id = item_id("msg", &self.decision, index);
                let at = json!({ "item_id": id, "output_index": index, "content_index": 0 });
                self.tell("response.output_text.done", with(&at, json!({ "text": text, "logprobs": [] })), out);
                self.tell("response.content_part.done", with(&at, json!({ "part": text_part(&text) })), out);
                self.done(index, message(&self.decision, index, &text), out);
            }
            Some(Open::Thought(index, text)) => {
                if !text.is_empty() {
                    let id = item_id("rs", &self.decision, index);
                    let at = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
                    self.tell("response.reasoning_summary_text.done", with(&at, json!({ "text": text })), out);
                    let part = json!({ "part": summary_part(&text) });
                    self.tell("response.reasoning_summary_part.done", with(&at, part), out);
                }
                self.done(index, thought(&self.decision, index, &text, signature), out);
            }
        }
        for number in std::mem::take(&mut self.calling) {
            let Some((index, call)) = self.calls.get(&number).cloned() else { continue };
            let item = function_call(&self.decision, index, &call);
            let at = json!({ "item_id": item["id"], "output_index": index });
            let all = json!({ "name": call.name, "arguments": item["arguments"] });
            self.tell("response.function_call_arguments.done", with(&at, all), out);
            self.done(index, item, out);
        }
    }

    fn text(&mut self, piece: &str, out: &mut String) {
        if !matches!(self.open, Some(Open::Text(..))) {
            self.close(None, out);
            let index = self.start(
                |decision, index| {
                    json!({ "id": item_id("msg", decision, index), "type": "message", "status": "in_progress",
                            "role": "assistant", "content": [] })
                },
                out,
            );
            let at = json!({ "item_id": item_id("msg", &self.decision, index), "output_index": index });
            let part = json!({ "content_index": 0, "part": text_part("") });
            self.tell("response.content_part.added", with(&at, part), out);
            self.open = Some(Open::Text(index, String::new()));
        }
        if let Some(Open::Text(index, text)) = &mut self.open {
            text.push_str(piece);
            let at = ("msg", *index);
            self.piece(("response.output_text.delta", "\"content_index\":0,", ",\"logprobs\":[]"), at, piece, out);
        }
    }

    /// The thought that is open, or a new one.
    fn thought(&mut self, out: &mut String) {
        if !matches!(self.open, Some(Open::Thought(..))) {
            self.close(None, out);
            let index = self.start(|decision, index| thought(decision, index, "", None), out);
            self.open = Some(Open::Thought(index, String::new()));
        }
    }

    fn think(&mut self, piece: &str, out: &mut String) {
        self.thought(out);
        if let Some(Open::Thought(index, text)) = &mut self.open {
            let is_first = text.is_empty();
            text.push_str(piece);
            let index = *index;
            if is_first {
                let id = item_id("rs", &self.decision, index);
                let at = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
                let part = json!({ "part": summary_part("") });
                self.tell("response.reasoning_summary_part.added", with(&at, part), out);
            }
            let kind = ("response.reasoning_summary_text.delta", "\"summary_index\":0,", "");
            self.piece(kind, ("rs", index), piece, out);
        }
    }

    fn call(&mut self, number: u32, id: Option<&str>, name: Option<&str>, out: &mut String) {
        if self.calls.contains_key(&number) {
            return;
        }
        if self.open.is_some() {
            self.close(None, out);
        }
        let id = id.map_or_else(|| call_id(number), str::to_owned);
        let id = signed(&id, self.signatures.remove(&number).as_deref()).into_owned();
        let call = Call { id, name: name.unwrap_or_default().to_owned(), ..Call::default() };
        let begun = |decision: &str, index| {
            json!({ "id": item_id("fc", decision, index), "type": "function_call", "status": "in_progress",
                    "call_id": call.id, "name": call.name, "arguments": "" })
        };
        let index = self.start(begun, out);
        self.calls.insert(number, (index, call));
        self.calling.push(number);
    }
}

/// The members of both.
fn with(one: &Value, other: Value) -> Value {
    let mut all = one.clone();
    if let (Value::Object(all), Value::Object(other)) = (&mut all, other) {
        all.extend(other);
    }
    all
}

impl Stream for Items {
    fn falls_back(&mut self, decision: &str, created: i64, model: &str) {
        (self.decision, self.created, self.model) = (decision.to_owned(), created, model.to_owned());
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        match event {
            ChatEvent::Started { .. } | ChatEvent::Usage(_) | ChatEvent::Billed(_) | ChatEvent::Finished { .. } => {}
            ChatEvent::Text(text) => self.text(text, out),
            ChatEvent::Reasoning(text) => self.think(text, out),
            ChatEvent::ToolCall { index, id, name, arguments } => {
                self.call(*index, id.as_deref(), name.as_deref(), out);
                let Some((at, call)) = self.calls.get_mut(index).filter(|_| !arguments.is_empty()) else { return };
                call.arguments.push_str(arguments);
                let at = ("fc", *at);
                self.piece(("response.function_call_arguments.delta", "", ""), at, arguments, out);
            }
            ChatEvent::Signature { index: None, signature } => {
                if signature.starts_with(REDACTED_THINKING) {
                    // What nobody may read is a thought of its own.
                    self.close(None, out);
                }
                self.thought(out);
                self.close(Some(signature), out);
            }
            ChatEvent::Signature { index: Some(number), signature } => match self.calls.get_mut(number) {
                Some((_, call)) => call.signature.get_or_insert_default().push_str(signature),
                None => drop(self.signatures.insert(*number, signature.clone())),
            },
        }
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.begin(out);
        self.close(None, out);
        let output = std::mem::take(&mut self.output);
        let response = self.document().ended(output, ended);
        let kind = if response["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.tell(kind, json!({ "response": response }), out);
    }

    fn failed(&mut self, problem: &Problem, out: &mut String) {
        self.begin(out);
        // What was said in part is no item.
        let output = std::mem::take(&mut self.output).into_iter().filter(|item| !item.is_null()).collect();
        let response = self.document().failed(problem, output);
        self.tell("response.failed", json!({ "response": response }), out);
    }

    fn alive(&mut self, out: &mut String) {
        out.push_str(": openmux is waiting for the provider\n\n");
    }
}
