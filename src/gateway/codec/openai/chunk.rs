//! A streamed answer as OpenAI writes it: server-sent events with a chunk each, and `[DONE]` after a whole answer alone.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::answer::{apart, origin};
use super::super::turn::{Kind, Start, Step, Turn};
use super::super::{Dialect, Ended, Stream, Voice, quoted};
use super::thoughts::{Telling, detail};
use super::whole::{completion, error, finish_reason, usage};
use crate::chat::{ChatEvent, Finish};
use crate::gateway::problem::Problem;

/// How a request's answer is put.
#[derive(Debug, Clone, Copy)]
pub struct Completions {
    /// Whether a stream is to end with what was used.
    pub include_usage: bool,
    /// How thoughts are told.
    pub telling: Telling,
}

impl Voice for Completions {
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> String {
        completion(events, ended, self.telling)
    }

    fn include_usage(&mut self) {
        self.include_usage = true;
    }

    fn stream(&self, decision: &str, created: i64, model: &str) -> Box<dyn Stream> {
        let id = Dialect::OpenaiChat.answer_id(decision);
        Box::new(Chunks::new(&id, created, model, *self))
    }
}

/// One stream.
#[derive(Debug)]
pub struct Chunks {
    /// What every chunk begins with, up to its choices.
    head: String,
    voice: Completions,
    begun: bool,
    /// The thoughts so far, with what signs them.
    thoughts: Vec<(String, Option<String>)>,
    /// Whether anything is signed.
    is_signed: bool,
    turn: Turn,
}

impl Chunks {
    /// A stream of an answer by this id (`chatcmpl-...`), begun at that second, of that model.
    #[must_use]
    pub fn new(id: &str, created: i64, model: &str, voice: Completions) -> Self {
        Self {
            head: head(id, created, model),
            voice,
            begun: false,
            thoughts: Vec::new(),
            is_signed: false,
            turn: Turn::default(),
        }
    }

    /// What happens to a block of the turn.
    fn step(&mut self, step: Step<'_>, out: &mut String) {
        let delta = match step {
            Step::Begins(_, Start::Thought) => {
                self.thoughts.push(<(String, Option<String>)>::default());
                None
            }
            Step::Begins(_, Start::Sealed(signature)) => {
                self.thoughts.push(<(String, Option<String>)>::default());
                self.sign(signature)
            }
            Step::Begins(_, Start::Call { number, id, name, arguments }) => {
                let (id, name, arguments) = (quoted(id), quoted(name), quoted(arguments));
                let function = format!("{{\"name\":{name},\"arguments\":{arguments}}}");
                Some(called(number, &format!("\"id\":{id},\"type\":\"function\",\"function\":{function}")))
            }
            Step::Grows(_, Kind::Text, piece) => Some(format!("\"content\":{}", quoted(piece))),
            Step::Grows(_, Kind::Refusal, piece) => Some(format!("\"refusal\":{}", quoted(piece))),
            Step::Grows(_, Kind::Thought, piece) => self.think(piece),
            Step::Grows(_, Kind::Call(number), piece) => {
                Some(called(number, &format!("\"function\":{{\"arguments\":{}}}", quoted(piece))))
            }
            Step::Signed(_, Kind::Call(number), signature) => {
                Some(called(number, &format!("\"signature\":{}", quoted(signature))))
            }
            Step::Signed(_, _, signature) => self.sign(signature),
            Step::Begins(_, Start::Text | Start::Refusal) | Step::Ends(..) => None,
        };
        if let Some(delta) = delta {
            self.chunk(&delta, None, &[], out);
        }
    }

    /// A piece of a thought, as it is told; `None` where it is not.
    fn think(&mut self, piece: &str) -> Option<String> {
        let index = self.thoughts.len().saturating_sub(1);
        if let Some((words, _)) = self.thoughts.last_mut() {
            words.push_str(piece);
        }
        let piece = quoted(piece);
        match self.voice.telling {
            Telling::Content => Some(format!("\"reasoning_content\":{piece}")),
            Telling::Details => {
                let detail = format!("{{\"type\":\"reasoning.text\",\"text\":{piece},\"index\":{index}}}");
                Some(format!("\"reasoning\":{piece},\"reasoning_details\":[{detail}]"))
            }
            Telling::Nothing => None,
        }
    }

    /// What signs the last thought.
    fn sign(&mut self, signature: &str) -> Option<String> {
        let index = self.thoughts.len().saturating_sub(1);
        let (words, signed) = self.thoughts.last_mut()?;
        *signed = Some(signature.to_owned());
        match self.voice.telling {
            Telling::Content => Some(format!("\"signature\":{}", quoted(signature))),
            Telling::Details => {
                let detail = match words.is_empty() {
                    false => json!({ "type": "reasoning.text", "text": "", "signature": signature, "index": index }),
                    true => detail(index, "", Some(signature)),
                };
                Some(format!("\"reasoning_details\":[{detail}]"))
            }
            Telling::Nothing => None,
        }
    }

    /// What is known at the end alone: who signed, and which signature is which thought's where there are several.
    fn last(&self, ended: &Ended) -> String {
        let mut members = Map::new();
        if self.voice.telling == Telling::Content {
            let thoughts = self.thoughts.iter().map(|(words, signature)| (words.as_str(), signature.as_deref()));
            members.extend(apart(thoughts).map(|details| ("reasoning_details".to_owned(), details)));
        }
        let maker = ended.maker.as_ref().filter(|_| self.is_signed);
        members.extend(maker.map(|maker| ("origin".to_owned(), origin(maker))));
        let members = Value::from(members).to_string();
        members.trim_start_matches('{').strip_suffix('}').unwrap_or_default().to_owned()
    }

    /// Hands on what an event does to the turn.
    fn turn(&mut self, take: impl FnOnce(&mut Turn, &mut dyn FnMut(Step<'_>)), out: &mut String) {
        let mut turn = std::mem::take(&mut self.turn);
        take(&mut turn, &mut |step| self.step(step, out));
        self.turn = turn;
    }

    /// A chunk with this delta, whose braces are left out.
    fn chunk(&mut self, delta: &str, finish: Option<&(Finish, String)>, dropped: &[String], out: &mut String) {
        out.push_str(&self.head);
        out.push_str("{\"index\":0,\"delta\":{");
        if !self.begun {
            self.begun = true;
            out.push_str("\"role\":\"assistant\"");
            out.push_str(if delta.is_empty() { "" } else { "," });
        }
        out.push_str(delta);
        out.push_str("},\"logprobs\":null,\"finish_reason\":");
        match finish {
            None => out.push_str("null"),
            Some((finish, native)) => {
                let native = quoted(native);
                let _ = write!(out, "\"{}\",\"native_finish_reason\":{native}", finish_reason(*finish));
            }
        }
        out.push_str("}]");
        if !dropped.is_empty() {
            let _ = write!(out, ",\"dropped\":{}", Value::from(dropped));
        }
        out.push_str(if self.voice.include_usage { ",\"usage\":null}\n\n" } else { "}\n\n" });
    }
}

/// A piece of a call of a tool.
fn called(number: u32, members: &str) -> String {
    format!("\"tool_calls\":[{{\"index\":{number},{members}}}]")
}

/// What every chunk begins with, up to its choices.
fn head(id: &str, created: i64, model: &str) -> String {
    format!(
        "data: {{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{},\"choices\":[",
        quoted(id),
        quoted(model)
    )
}

impl Stream for Chunks {
    fn falls_back(&mut self, decision: &str, created: i64, model: &str) {
        self.head = head(&Dialect::OpenaiChat.answer_id(decision), created, model);
    }

    fn event(&mut self, event: &ChatEvent, out: &mut String) {
        self.is_signed |= matches!(event, ChatEvent::Signature { .. });
        self.turn(|turn, tell| turn.event(event, tell), out);
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.turn(|turn, tell| turn.end(tell), out);
        let last = self.last(ended);
        self.chunk(&last, ended.finish.as_ref(), &ended.dropped, out);
        if self.voice.include_usage || ended.metadata.is_some() {
            out.push_str(&self.head);
            let _ = write!(out, "],\"provider\":{}", quoted(&ended.provider));
            out.push_str(",\"usage\":");
            if self.voice.include_usage {
                usage(ended, out);
            } else {
                out.push_str("null");
            }
            if let Some(metadata) = &ended.metadata {
                let _ = write!(out, ",\"openmux\":{metadata}");
            }
            out.push_str("}\n\n");
        }
        if !self.voice.include_usage {
            // Who has not asked for a chunk of it reads no comment; a person and a proxy do.
            let provider = quoted(&ended.provider);
            let _ = write!(out, ": openmux: {{\"provider\":{provider},\"usage\":");
            usage(ended, out);
            out.push_str("}\n\n");
        }
        out.push_str("data: [DONE]\n\n");
    }

    fn failed(&mut self, problem: &Problem, out: &mut String) {
        let _ = write!(out, "data: {}\n\n", error(problem));
    }

    fn alive(&mut self, out: &mut String) {
        out.push_str(": openmux is waiting for the provider\n\n");
    }
}
