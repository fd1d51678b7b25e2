//! A streamed response as OpenAI writes it: numbered events, an item after the other, and one at the end that says how the
//! response ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::answer::Call;
use super::super::turn::{Kind, Start, Step, Turn};
use super::super::{Ended, Stream, quote};
use super::whole::{
    Document, Responses, function_call, item_id, message, refusal_part, regroup, summary_part, text_part, thought,
};
use crate::chat::ChatEvent;
use crate::gateway::problem::Problem;

/// One stream.
#[derive(Debug)]
pub struct Items {
    voice: Responses,
    decision: String,
    created: i64,
    model: String,
    begun: bool,
    sequence: u64,
    /// The items, in the order in which they began; null until they are done.
    output: Vec<Value>,
    turn: Turn,
    /// What is in the items that are open, by their places.
    open: BTreeMap<usize, Open>,
}

/// What is in an item that is open.
#[derive(Debug)]
enum Open {
    Text(String),
    Refusal(String),
    /// A thought, with what its maker wants back.
    Thought(String, Option<String>),
    Call(Call),
}

impl Items {
    /// A stream of an answer by the id of its decision, begun at that second, of that model.
    #[must_use]
    pub fn new(voice: Responses, decision: &str, created: i64, model: &str) -> Self {
        Self {
            voice,
            decision: decision.to_owned(),
            created,
            model: model.to_owned(),
            begun: false,
            sequence: 0,
            output: Vec::new(),
            turn: Turn::default(),
            open: BTreeMap::new(),
        }
    }

    fn document(&self) -> Document<'_> {
        Document { echo: &self.voice.echo, decision: &self.decision, created: self.created, model: &self.model }
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

    /// What happens to an item.
    fn step(&mut self, step: Step<'_>, out: &mut String) {
        match step {
            Step::Begins(at, start) => self.start(at, start, out),
            Step::Grows(at, _, piece) => self.grow(at, piece, out),
            Step::Signed(at, kind, signature) => match (self.open.get_mut(&at), kind) {
                (Some(Open::Thought(_, signed)), _) => *signed = Some(signature.to_owned()),
                (Some(Open::Call(call)), Kind::Call(_)) => {
                    call.signature.get_or_insert_default().push_str(signature);
                }
                _ => {}
            },
            Step::Ends(at, _) => self.end_of(at, out),
        }
    }

    fn start(&mut self, at: usize, start: Start<'_>, out: &mut String) {
        self.begin(out);
        self.output.push(Value::Null);
        let decision = &self.decision;
        let (open, item) = match start {
            Start::Text | Start::Refusal => {
                let item = json!({ "id": item_id("msg", decision, at), "type": "message", "status": "in_progress",
                                   "role": "assistant", "content": [] });
                let said = String::new();
                (if start == Start::Text { Open::Text(said) } else { Open::Refusal(said) }, item)
            }
            Start::Thought => (Open::Thought(String::new(), None), thought(decision, at, "", None)),
            Start::Sealed(signature) => {
                (Open::Thought(String::new(), Some(signature.to_owned())), thought(decision, at, "", None))
            }
            Start::Call { id, name, .. } => {
                let call = Call { id: id.to_owned(), name: name.to_owned(), ..Call::default() };
                let mut item = json!({ "id": item_id("fc", decision, at), "type": "function_call",
                                       "status": "in_progress", "call_id": id, "name": name, "arguments": "" });
                regroup(&mut item, &self.voice.grouped);
                (Open::Call(call), item)
            }
        };
        self.open.insert(at, open);
        self.tell("response.output_item.added", json!({ "output_index": at, "item": item }), out);
        match start {
            Start::Text | Start::Refusal => {
                let place = json!({ "item_id": item_id("msg", &self.decision, at), "output_index": at });
                let part = if start == Start::Text { text_part("") } else { refusal_part("") };
                let part = json!({ "content_index": 0, "part": part });
                self.tell("response.content_part.added", with(&place, part), out);
            }
            Start::Call { arguments, .. } if !arguments.is_empty() => self.grow(at, arguments, out),
            Start::Thought | Start::Sealed(_) | Start::Call { .. } => {}
        }
    }

    fn grow(&mut self, at: usize, piece: &str, out: &mut String) {
        match self.open.get_mut(&at) {
            None => {}
            Some(Open::Text(text)) => {
                text.push_str(piece);
                let kind = ("response.output_text.delta", "\"content_index\":0,", ",\"logprobs\":[]");
                self.piece(kind, ("msg", at), piece, out);
            }
            Some(Open::Refusal(text)) => {
                text.push_str(piece);
                self.piece(("response.refusal.delta", "\"content_index\":0,", ""), ("msg", at), piece, out);
            }
            Some(Open::Thought(text, _)) => {
                let is_first = text.is_empty();
                text.push_str(piece);
                if is_first {
                    let id = item_id("rs", &self.decision, at);
                    let place = json!({ "item_id": id, "output_index": at, "summary_index": 0 });
                    let part = json!({ "part": summary_part("") });
                    self.tell("response.reasoning_summary_part.added", with(&place, part), out);
                }
                let kind = ("response.reasoning_summary_text.delta", "\"summary_index\":0,", "");
                self.piece(kind, ("rs", at), piece, out);
            }
            Some(Open::Call(call)) => {
                call.arguments.push_str(piece);
                self.piece(("response.function_call_arguments.delta", "", ""), ("fc", at), piece, out);
            }
        }
    }

    /// An item is done.
    fn end_of(&mut self, at: usize, out: &mut String) {
        let item = match self.open.remove(&at) {
            None => return,
            Some(Open::Text(text)) => {
                let id = item_id("msg", &self.decision, at);
                let place = json!({ "item_id": id, "output_index": at, "content_index": 0 });
                self.tell("response.output_text.done", with(&place, json!({ "text": text, "logprobs": [] })), out);
                self.tell("response.content_part.done", with(&place, json!({ "part": text_part(&text) })), out);
                message(&self.decision, at, text_part(&text))
            }
            Some(Open::Refusal(text)) => {
                let id = item_id("msg", &self.decision, at);
                let place = json!({ "item_id": id, "output_index": at, "content_index": 0 });
                self.tell("response.refusal.done", with(&place, json!({ "refusal": text })), out);
                self.tell("response.content_part.done", with(&place, json!({ "part": refusal_part(&text) })), out);
                message(&self.decision, at, refusal_part(&text))
            }
            Some(Open::Thought(text, signature)) => {
                if !text.is_empty() {
                    let id = item_id("rs", &self.decision, at);
                    let place = json!({ "item_id": id, "output_index": at, "summary_index": 0 });
                    self.tell("response.reasoning_summary_text.done", with(&place, json!({ "text": text })), out);
                    let part = json!({ "part": summary_part(&text) });
                    self.tell("response.reasoning_summary_part.done", with(&place, part), out);
                }
                thought(&self.decision, at, &text, signature.as_deref())
            }
            Some(Open::Call(call)) => {
                let item = function_call(&self.decision, at, &call, &self.voice.grouped);
                let place = json!({ "item_id": item["id"], "output_index": at });
                let all = json!({ "name": item["name"], "arguments": item["arguments"] });
                self.tell("response.function_call_arguments.done", with(&place, all), out);
                item
            }
        };
        self.output[at] = item.clone();
        self.tell("response.output_item.done", json!({ "output_index": at, "item": item }), out);
    }

    /// An item that came whole, from who speaks the dialect.
    fn own(&mut self, item: &Value, out: &mut String) {
        self.begin(out);
        let mut at = 0;
        self.turn(|turn, tell| at = turn.place(tell), out);
        self.output.push(item.clone());
        self.tell("response.output_item.added", json!({ "output_index": at, "item": item }), out);
        self.tell("response.output_item.done", json!({ "output_index": at, "item": item }), out);
    }

    /// Hands on what an event does to items.
    fn turn(&mut self, take: impl FnOnce(&mut Turn, &mut dyn FnMut(Step<'_>)), out: &mut String) {
        let mut turn = std::mem::take(&mut self.turn);
        take(&mut turn, &mut |step| self.step(step, out));
        self.turn = turn;
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
            ChatEvent::Item(item) => self.own(item, out),
            event => self.turn(|turn, tell| turn.event(event, tell), out),
        }
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.begin(out);
        self.turn(|turn, tell| turn.end(tell), out);
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
