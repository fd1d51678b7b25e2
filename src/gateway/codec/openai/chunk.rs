//! A streamed answer as OpenAI writes it: server-sent events with a chunk each, and `[DONE]` after a whole answer alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::answer::call_id;
use super::super::signed::signed;
use super::super::{Dialect, Ended, Stream, Voice, quoted};
use super::thoughts::{Telling, detail};
use super::whole::{completion, error, finish_reason, usage};
use crate::chat::{ChatEvent, Finish, REDACTED_THINKING};
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
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> Value {
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
    /// The thought that is open: its place, and whether it has words.
    thought: Option<(usize, bool)>,
    /// How many thoughts have begun.
    thoughts: usize,
    /// The calls that have begun, and what those are signed with that have not.
    calls: BTreeSet<u32>,
    signatures: BTreeMap<u32, String>,
}

impl Chunks {
    /// A stream of an answer by this id (`chatcmpl-...`), begun at that second, of that model.
    #[must_use]
    pub fn new(id: &str, created: i64, model: &str, voice: Completions) -> Self {
        Self {
            head: head(id, created, model),
            voice,
            begun: false,
            thought: None,
            thoughts: 0,
            calls: BTreeSet::new(),
            signatures: BTreeMap::new(),
        }
    }

    /// The place of the thought that is open, or of a new one; and whether it had words before these.
    fn thought(&mut self, has_words: bool) -> (usize, bool) {
        let (index, had_words) = self.thought.unwrap_or((self.thoughts, false));
        self.thoughts = self.thoughts.max(index + 1);
        self.thought = Some((index, had_words || has_words));
        (index, had_words)
    }

    /// A piece of a thought, as it is told; `None` where it is not.
    fn think(&mut self, text: &str) -> Option<String> {
        let text = quoted(text);
        match self.voice.telling {
            Telling::Content => Some(format!("\"reasoning_content\":{text}")),
            Telling::Details => {
                let (index, _) = self.thought(true);
                let detail = format!("{{\"type\":\"reasoning.text\",\"text\":{text},\"index\":{index}}}");
                Some(format!("\"reasoning\":{text},\"reasoning_details\":[{detail}]"))
            }
            Telling::Nothing => None,
        }
    }

    /// What signs a thought, and ends it.
    fn sign(&mut self, signature: &str) -> Option<String> {
        match self.voice.telling {
            Telling::Content => Some(format!("\"signature\":{}", quoted(signature))),
            Telling::Details => {
                if signature.starts_with(REDACTED_THINKING) {
                    self.thought = None;
                }
                let (index, had_words) = self.thought(false);
                self.thought = None;
                let detail = match had_words {
                    true => json!({ "type": "reasoning.text", "text": "", "signature": signature, "index": index }),
                    false => detail(index, "", Some(signature)),
                };
                Some(format!("\"reasoning_details\":[{detail}]"))
            }
            Telling::Nothing => None,
        }
    }

    /// A piece of a call. What it is signed with is in its id.
    fn call(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
        let mut call = format!("\"tool_calls\":[{{\"index\":{index}");
        if let Some(name) = name {
            // Some providers give none; a result has to name it.
            let id = id.map_or_else(|| call_id(index), str::to_owned);
            let id = quoted(&signed(&id, self.signatures.remove(&index).as_deref()));
            self.calls.insert(index);
            let _ = write!(call, ",\"id\":{id},\"type\":\"function\",\"function\":{{\"name\":{},", quoted(name));
        } else {
            call.push_str(",\"function\":{");
        }
        let _ = write!(call, "\"arguments\":{}}}}}]", quoted(arguments));
        call
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
        let delta = match event {
            ChatEvent::Text(text) => {
                self.thought = None;
                Some(format!("\"content\":{}", quoted(text)))
            }
            ChatEvent::Reasoning(text) => self.think(text),
            ChatEvent::ToolCall { index, id, name, arguments } => {
                self.thought = None;
                Some(self.call(*index, id.as_deref(), name.as_deref(), arguments))
            }
            ChatEvent::Signature { index: None, signature } => self.sign(signature),
            ChatEvent::Signature { index: Some(index), signature } if self.calls.contains(index) => {
                Some(format!("\"tool_calls\":[{{\"index\":{index},\"signature\":{}}}]", quoted(signature)))
            }
            ChatEvent::Signature { index: Some(index), signature } => {
                self.signatures.insert(*index, signature.clone());
                None
            }
            ChatEvent::Started { .. } | ChatEvent::Usage(_) | ChatEvent::Billed(_) | ChatEvent::Finished { .. } => None,
        };
        let Some(delta) = delta else { return };
        self.chunk(&delta, None, &[], out);
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.chunk("", ended.finish.as_ref(), &ended.dropped, out);
        if self.voice.include_usage || ended.metadata.is_some() {
            out.push_str(&self.head);
            let _ = write!(out, "],\"provider\":{}", quoted(&ended.provider));
            let _ = write!(out, ",\"usage\":{}", if self.voice.include_usage { usage(ended) } else { Value::Null });
            if let Some(metadata) = &ended.metadata {
                let _ = write!(out, ",\"openmux\":{metadata}");
            }
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
