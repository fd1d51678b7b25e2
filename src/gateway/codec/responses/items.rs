//! The conversation, read from instructions and input items.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::json::{Wrong, list, needed, object, only, others, set, text};
use super::super::media::{located, looked_at};
use super::super::openai::messages::arguments_of;
use super::super::signed::parted;
use super::tools::{HERE, note};
use crate::chat::{Force, MediaKind, Message, Native, Part, Role, ToolCall, ToolResult, flat_name};

/// What a request says.
#[derive(Debug)]
pub(super) struct Read {
    /// The messages.
    pub(super) messages: Vec<Message>,
    /// Items that only this dialect has: each with the message and the number of its pieces that it stands behind.
    pub(super) own: Vec<Value>,
    /// What of it only this dialect has.
    pub(super) native: Vec<Native>,
}

/// The messages of a request, and what of it only this dialect has.
pub(super) fn messages(body: &Map<String, Value>) -> Result<Read, Wrong> {
    let mut reading = Reading::default();
    if let Some(instructions) = text(body, "instructions", "")?.filter(|text| !text.is_empty()) {
        reading.messages.push(Message::text(Role::System, instructions));
    }
    match set(body, "input") {
        Some(Value::String(text)) if !text.is_empty() => reading.messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                reading.item(item, &format!("input[{at}]"))?;
            }
        }
        None | Some(Value::String(_) | Value::Array(_)) => return Err("input: missing".to_owned()),
        Some(_) => return Err("input: neither text nor an array of items".to_owned()),
    }
    let Reading { messages, own, mut native, beside, .. } = reading;
    native.extend(told(beside));
    if messages.is_empty() {
        return Err("input: nothing in it that is said or called".to_owned());
    }
    Ok(Read { messages, own, native })
}

/// The conversation as far as it has been read.
#[derive(Debug, Default)]
struct Reading {
    messages: Vec<Message>,
    /// Which tool each call named, for the results that name the call alone.
    calls: BTreeMap<String, String>,
    own: Vec<Value>,
    native: Vec<Native>,
    /// What stands beside what is known of each item: with the message and the piece of it that the item begins with.
    beside: Vec<([usize; 2], Map<String, Value>)>,
}

/// Which part of a turn a message of the model's is: an answer is much the same without.
const PHASE: &str = "phase";

/// What goes untouched beside items: all of it, since an item without any ends one that has some.
fn told(beside: Vec<([usize; 2], Map<String, Value>)>) -> Option<Native> {
    let mut names = beside.iter().flat_map(|(_, more)| more.keys()).peekable();
    names.peek()?;
    let force = if names.all(|name| name == PHASE) { Force::Hint } else { Force::Wish };
    let value = beside.into_iter().map(|(at, more)| json!({ "at": at, "more": more })).collect();
    Some(Native { protocols: HERE, name: Native::BESIDE_ITEMS, value, force })
}

impl Reading {
    fn item(&mut self, value: &Value, at: &str) -> Result<(), Wrong> {
        let fields = object(value, at)?;
        match text(fields, "type", at)?.unwrap_or("message") {
            "message" => self.message(fields, at),
            "function_call" => self.call(fields, at),
            "function_call_output" => self.output(fields, at),
            "reasoning" => self.reasoning(fields, at),
            "item_reference" => Err(format!("{at}: nothing is stored here; send the item itself")),
            other => {
                self.own(other, value);
                Ok(())
            }
        }
    }

    /// An item that only this dialect has: what a tool was told to do, and what came of it. What a provider has looked up for
    /// an answer is in the answer.
    fn own(&mut self, kind: &str, item: &Value) {
        let (name, force) = match kind {
            "custom_tool_call" | "custom_tool_call_output" => ("input.custom_tool_call", Force::Term),
            "web_search_call" => ("input.web_search_call", Force::Wish),
            "file_search_call" => ("input.file_search_call", Force::Wish),
            "code_interpreter_call" => ("input.code_interpreter_call", Force::Wish),
            "image_generation_call" => ("input.image_generation_call", Force::Wish),
            "tool_search_call" | "tool_search_output" => ("input.tool_search_call", Force::Wish),
            "local_shell_call" | "local_shell_call_output" | "shell_call" | "shell_call_output" => {
                ("input.shell_call", Force::Term)
            }
            "apply_patch_call" | "apply_patch_call_output" => ("input.apply_patch_call", Force::Term),
            "computer_call" | "computer_call_output" => ("input.computer_call", Force::Term),
            "compaction" | "compaction_summary" => ("input.compaction", Force::Term),
            kind if kind.starts_with("mcp_") => ("input.mcp_call", Force::Term),
            _ => ("items of a type that openmux does not know", Force::Term),
        };
        note(&mut self.native, name, force);
        let after = self.messages.last().map(|last| [self.messages.len() - 1, last.parts.len()]);
        self.own.push(json!({ "after": after, "item": item }));
    }

    /// Notes the members that are none of those of an item whose pieces are the last of the messages.
    fn beside(&mut self, pieces: usize, fields: &Map<String, Value>, known: &[&str]) {
        if let Some(last) = self.messages.last() {
            self.beside.push(([self.messages.len() - 1, last.parts.len() - pieces], others(fields, known)));
        }
    }

    fn message(&mut self, fields: &Map<String, Value>, at: &str) -> Result<(), Wrong> {
        let role = match needed(fields, "role", at)? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            other => return Err(format!("{at}.role: \"{other}\" is none of user, assistant, system, developer")),
        };
        text(fields, PHASE, at)?;
        let place = format!("{at}.content");
        let parts = content(fields.get("content").unwrap_or(&Value::Null), role, &place)?;
        let known = ["type", "role", "content", "id", "status"];
        if role == Role::Assistant {
            self.said(parts, fields, &known);
            return Ok(());
        }
        let parts = if parts.is_empty() { vec![Part::Text(String::new())] } else { parts };
        let pieces = parts.len();
        self.messages.push(Message::of(role, parts));
        self.beside(pieces, fields, &known);
        Ok(())
    }

    /// Pieces of one turn of the model's are items in a row.
    fn said(&mut self, parts: Vec<Part>, fields: &Map<String, Value>, known: &[&str]) {
        let pieces = parts.len();
        match self.messages.last_mut() {
            _ if parts.is_empty() => return,
            Some(last) if last.role == Role::Assistant => last.parts.extend(parts),
            _ => self.messages.push(Message::of(Role::Assistant, parts)),
        }
        self.beside(pieces, fields, known);
    }

    fn call(&mut self, fields: &Map<String, Value>, at: &str) -> Result<(), Wrong> {
        let (id, within) = parted(needed(fields, "call_id", at)?);
        let name = needed(fields, "name", at)?;
        let namespace = text(fields, "namespace", at)?.filter(|namespace| !namespace.is_empty());
        let name = &namespace.map_or_else(|| name.to_owned(), |namespace| flat_name(namespace, name));
        let arguments = arguments_of(fields, at)?;
        let signature = text(fields, "signature", at)?.map(str::to_owned).or(within);
        self.calls.insert(id.to_owned(), name.to_owned());
        let call = Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments, signature });
        let known = ["type", "id", "call_id", "name", "namespace", "arguments", "status", "signature"];
        self.said(vec![call], fields, &known);
        Ok(())
    }

    fn output(&mut self, fields: &Map<String, Value>, at: &str) -> Result<(), Wrong> {
        let (id, _) = parted(needed(fields, "call_id", at)?);
        let Some(name) = self.calls.get(id).cloned() else {
            return Err(format!("{at}.call_id: \"{id}\" is no function_call before it"));
        };
        let content = match set(fields, "output") {
            None => Vec::new(),
            Some(output) => content(output, Role::User, &format!("{at}.output"))?,
        };
        let result = ToolResult { call_id: id.to_owned(), name: Some(name), content, is_error: false };
        // Results are among themselves.
        let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
        match self.messages.last_mut() {
            Some(last) if last.role == Role::User && last.parts.first().is_some_and(is_result) => {
                last.parts.push(Part::ToolResult(result));
            }
            _ => self.messages.push(Message::of(Role::User, vec![Part::ToolResult(result)])),
        }
        self.beside(1, fields, &["type", "id", "call_id", "output", "status"]);
        Ok(())
    }

    /// A thought: in its own words, else in a summary of them. One of which nothing is left goes nowhere.
    fn reasoning(&mut self, fields: &Map<String, Value>, at: &str) -> Result<(), Wrong> {
        let words = |name: &str| -> Result<String, Wrong> {
            let texts = list(fields, name, at)?.iter().enumerate().map(|(index, part)| {
                let at = format!("{at}.{name}[{index}]");
                needed(object(part, &at)?, "text", &at)
            });
            Ok(texts.collect::<Result<Vec<_>, Wrong>>()?.join("\n\n"))
        };
        let (own, summary) = (words("content")?, words("summary")?);
        let thought = if own.is_empty() { summary } else { own };
        let signature = text(fields, "encrypted_content", at)?.filter(|text| !text.is_empty()).map(str::to_owned);
        if !thought.is_empty() || signature.is_some() {
            let known = ["type", "id", "summary", "content", "encrypted_content", "status"];
            self.said(vec![Part::Reasoning { text: thought, signature }], fields, &known);
        }
        Ok(())
    }
}

/// What is said in a message or by a tool: a text, or parts.
fn content(content: &Value, role: Role, at: &str) -> Result<Vec<Part>, Wrong> {
    match content {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text(text.clone())]),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| part(item, role, &format!("{at}[{index}]"))).collect()
        }
        Value::Null => Err(format!("{at}: missing")),
        _ => Err(format!("{at}: neither text nor an array of parts")),
    }
}

fn part(value: &Value, role: Role, at: &str) -> Result<Part, Wrong> {
    let fields = object(value, at)?;
    let said = |name: &str| -> Result<Part, Wrong> {
        let text = text(fields, name, at)?.ok_or_else(|| format!("{at}.{name}: missing"))?;
        Ok(Part::Text(text.to_owned()))
    };
    match (needed(fields, "type", at)?, role) {
        ("input_text", _) => {
            only(fields, at, &["type", "text"])?;
            said("text")
        }
        ("output_text", Role::Assistant) => {
            only(fields, at, &["type", "text", "annotations", "logprobs"])?;
            said("text")
        }
        ("refusal", Role::Assistant) => {
            only(fields, at, &["type", "refusal"])?;
            said("refusal")
        }
        ("input_image", Role::User) => {
            only(fields, at, &["type", "image_url", "detail"])?;
            let url = needed(fields, "image_url", at)?;
            looked_at(located(url, Some(MediaKind::Image), None, &format!("{at}.image_url"))?, fields, at)
        }
        ("input_file", Role::User) => {
            only(fields, at, &["type", "filename", "file_data", "file_url"])?;
            let name = text(fields, "filename", at)?.map(str::to_owned);
            let key = match (set(fields, "file_url"), set(fields, "file_data")) {
                (Some(_), Some(_)) => return Err(format!("{at}: file_url and file_data say the same thing twice")),
                (Some(_), None) => "file_url",
                (None, _) => "file_data",
            };
            located(needed(fields, key, at)?, Some(MediaKind::Pdf), name, &format!("{at}.{key}"))
        }
        (other, role) => {
            let known = match role {
                Role::User => "input_text, input_image, input_file",
                Role::Assistant => "output_text, refusal",
                Role::System | Role::Developer => "input_text",
            };
            Err(format!("{at}.type: \"{other}\" is none of {known}"))
        }
    }
}
