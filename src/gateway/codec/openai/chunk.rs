//! A streamed answer as OpenAI writes it: server-sent events with a chunk each, and `[DONE]` after a whole answer alone.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::answer::call_id;
use super::super::{Dialect, Ended, Stream, Voice, quoted};
use super::whole::{completion, error, finish_reason, usage};
use crate::chat::{ChatEvent, Finish};
use crate::gateway::problem::Problem;

/// How a request's answer is put.
#[derive(Debug, Clone, Copy)]
pub struct Completions {
    /// Whether a stream is to end with what was used.
    pub include_usage: bool,
}

impl Voice for Completions {
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> Value {
        completion(events, ended)
    }

    fn include_usage(&mut self) {
        self.include_usage = true;
    }

    fn stream(&self, decision: &str, created: i64, model: &str) -> Box<dyn Stream> {
        let id = Dialect::OpenaiChat.answer_id(decision);
        Box::new(Chunks::new(&id, created, model, self.include_usage))
    }
}

/// One stream.
#[derive(Debug)]
pub struct Chunks {
    /// What every chunk begins with, up to its choices.
    head: String,
    include_usage: bool,
    begun: bool,
}

impl Chunks {
    /// A stream of an answer by this id (`chatcmpl-...`), begun at that second, of that model.
    #[must_use]
    pub fn new(id: &str, created: i64, model: &str, include_usage: bool) -> Self {
        Self { head: head(id, created, model), include_usage, begun: false }
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
        out.push_str(if self.include_usage { ",\"usage\":null}\n\n" } else { "}\n\n" });
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
            ChatEvent::Text(text) => format!("\"content\":{}", quoted(text)),
            ChatEvent::Reasoning(text) => format!("\"reasoning_content\":{}", quoted(text)),
            ChatEvent::ToolCall { index, id, name, arguments } => {
                let mut call = format!("\"tool_calls\":[{{\"index\":{index}");
                if let Some(name) = name {
                    // Some providers give none; a result has to name it.
                    let id = id.clone().unwrap_or_else(|| call_id(index));
                    let _ = write!(call, ",\"id\":{},\"type\":\"function\"", quoted(&id));
                    let _ = write!(call, ",\"function\":{{\"name\":{},", quoted(name));
                } else {
                    call.push_str(",\"function\":{");
                }
                let _ = write!(call, "\"arguments\":{}}}}}]", quoted(arguments));
                call
            }
            ChatEvent::Signature { index: None, signature } => format!("\"signature\":{}", quoted(signature)),
            ChatEvent::Signature { index: Some(index), signature } => {
                format!("\"tool_calls\":[{{\"index\":{index},\"signature\":{}}}]", quoted(signature))
            }
            ChatEvent::Started { .. } | ChatEvent::Usage(_) | ChatEvent::Billed(_) | ChatEvent::Finished { .. } => {
                return;
            }
        };
        self.chunk(&delta, None, &[], out);
    }

    fn end(&mut self, ended: &Ended, out: &mut String) {
        self.chunk("", ended.finish.as_ref(), &ended.dropped, out);
        if self.include_usage || ended.metadata.is_some() {
            out.push_str(&self.head);
            let _ = write!(out, "],\"provider\":{}", quoted(&ended.provider));
            let _ = write!(out, ",\"usage\":{}", if self.include_usage { usage(ended) } else { Value::Null });
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
