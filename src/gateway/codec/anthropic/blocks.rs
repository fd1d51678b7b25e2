//! Turns of content blocks, read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::cache::mark;
use super::super::json::{Wrong, flag, list, member, needed, object, only, set, text};
use super::super::media::source;
use super::super::signed::parted;
use crate::chat::{CacheMark, CachePlace, Message, Part, REDACTED_THINKING, Role, ToolCall, ToolResult};

/// What is noted while a request is read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is to be kept in the prompt cache.
    pub(super) marks: Vec<CacheMark>,
    /// Which tool each call named, for the results that name the call alone.
    calls: BTreeMap<String, String>,
}

impl Reading {
    /// One turn, the message of that number.
    pub(super) fn message(&mut self, value: &Value, number: usize, at: &str) -> Result<Message, Wrong> {
        let fields = object(value, at)?;
        only(fields, at, &["role", "content"])?;
        let role = match needed(fields, "role", at)? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => return Err(format!("{at}.role: \"{other}\" is none of user, assistant, system")),
        };
        let at = format!("{at}.content");
        let content = member(fields, "content").ok_or_else(|| format!("{at}: missing"))?;
        let parts = match role {
            Role::System | Role::Developer => self.texts(content, number, &at)?,
            Role::User | Role::Assistant => self.content(content, role, (number, None), &at)?,
        };
        if parts.is_empty() {
            return Err(format!("{at}: empty"));
        }
        Ok(Message::of(role, parts))
    }

    /// A text, or blocks of it, in the message of that number.
    pub(super) fn texts(&mut self, content: &Value, number: usize, at: &str) -> Result<Vec<Part>, Wrong> {
        let parts = self.content(content, Role::System, (number, None), at)?;
        let is_text = parts.iter().all(|part| part.as_text().is_some());
        is_text.then_some(parts).ok_or_else(|| format!("{at}: only text, where instructions are given"))
    }

    /// What a message holds, or in it the tool's result of that number.
    fn content(
        &mut self,
        content: &Value,
        role: Role,
        (message, result): (usize, Option<usize>),
        at: &str,
    ) -> Result<Vec<Part>, Wrong> {
        match content {
            Value::String(text) if text.is_empty() => Ok(Vec::new()),
            Value::String(text) => Ok(vec![Part::Text(text.clone())]),
            Value::Array(blocks) => {
                let read = |(index, block): (usize, &Value)| {
                    let (part, within) = result.map_or((index, None), |result| (result, Some(index)));
                    let at = format!("{at}[{index}]");
                    mark(object(block, &at)?, &at, CachePlace::Part { message, part, within }, &mut self.marks)?;
                    self.block(block, role, (message, part), &at)
                };
                blocks.iter().enumerate().map(read).collect()
            }
            _ => Err(format!("{at}: neither text nor an array of blocks")),
        }
    }

    fn block(&mut self, value: &Value, role: Role, place: (usize, usize), at: &str) -> Result<Part, Wrong> {
        let fields = object(value, at)?;
        match (needed(fields, "type", at)?, role) {
            ("text", _) => {
                only(fields, at, &["type", "text", "cache_control"])?;
                let text = text(fields, "text", at)?.ok_or_else(|| format!("{at}.text: missing"))?;
                Ok(Part::Text(text.to_owned()))
            }
            ("image", Role::User) => {
                only(fields, at, &["type", "source", "cache_control"])?;
                source("image", fields.get("source").unwrap_or(&Value::Null), None, &format!("{at}.source"))
            }
            ("document", Role::User) => document(fields, at),
            ("tool_result", Role::User) => self.tool_result(fields, place, at),
            ("tool_use", Role::Assistant) => self.tool_use(fields, at),
            ("thinking", Role::Assistant) => {
                only(fields, at, &["type", "thinking", "signature"])?;
                let thought = text(fields, "thinking", at)?.unwrap_or_default().to_owned();
                let signature = text(fields, "signature", at)?.filter(|signature| !signature.is_empty());
                Ok(Part::Reasoning { text: thought, signature: signature.map(str::to_owned) })
            }
            ("redacted_thinking", Role::Assistant) => {
                only(fields, at, &["type", "data"])?;
                let signature = format!("{REDACTED_THINKING}{}", needed(fields, "data", at)?);
                Ok(Part::Reasoning { text: String::new(), signature: Some(signature) })
            }
            (other, role) => {
                let known = match role {
                    Role::User => "text, image, document, tool_result",
                    Role::Assistant => "text, thinking, redacted_thinking, tool_use",
                    Role::System | Role::Developer => "text",
                };
                Err(format!("{at}.type: \"{other}\" is none of {known}"))
            }
        }
    }

    fn tool_use(&mut self, fields: &Map<String, Value>, at: &str) -> Result<Part, Wrong> {
        only(fields, at, &["type", "id", "name", "input", "cache_control", "caller", "signature"])?;
        let caller = set(fields, "caller").and_then(|caller| caller.get("type"));
        if caller.is_some_and(|kind| kind != "direct") {
            return Err(format!("{at}.caller: only calls of the model itself can be sent"));
        }
        let input = match set(fields, "input") {
            None => "{}".to_owned(),
            Some(input) => Value::from(object(input, &format!("{at}.input"))?.clone()).to_string(),
        };
        let (id, within) = parted(needed(fields, "id", at)?);
        let name = needed(fields, "name", at)?;
        self.calls.insert(id.to_owned(), name.to_owned());
        let signature = text(fields, "signature", at)?.map(str::to_owned).or(within);
        Ok(Part::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: input, signature }))
    }

    fn tool_result(
        &mut self,
        fields: &Map<String, Value>,
        (message, part): (usize, usize),
        at: &str,
    ) -> Result<Part, Wrong> {
        only(fields, at, &["type", "tool_use_id", "content", "is_error", "cache_control"])?;
        let (id, _) = parted(needed(fields, "tool_use_id", at)?);
        let Some(name) = self.calls.get(id).cloned() else {
            return Err(format!("{at}.tool_use_id: \"{id}\" is no tool_use of a turn before it"));
        };
        let place = format!("{at}.content");
        let content = match set(fields, "content") {
            None => Vec::new(),
            Some(content) => self.content(content, Role::User, (message, Some(part)), &place)?,
        };
        if content.iter().any(|part| matches!(part, Part::ToolResult(_))) {
            return Err(format!("{place}: a result within a result"));
        }
        let is_error = flag(fields, "is_error", at)?.unwrap_or(false);
        Ok(Part::ToolResult(ToolResult { call_id: id.to_owned(), name: Some(name), content, is_error }))
    }
}

/// A document. One of plain text is text, below its title and what is said of it.
fn document(fields: &Map<String, Value>, at: &str) -> Result<Part, Wrong> {
    only(fields, at, &["type", "source", "title", "context", "citations", "cache_control"])?;
    if let Some(citations) = set(fields, "citations") {
        let place = format!("{at}.citations");
        if flag(object(citations, &place)?, "enabled", &place)? == Some(true) {
            return Err(format!("{place}: this version cannot ask for them"));
        }
    }
    let (title, context) = (text(fields, "title", at)?, text(fields, "context", at)?);
    let place = format!("{at}.source");
    let from = fields.get("source").unwrap_or(&Value::Null);
    let plain = match object(from, &place)?.get("type").and_then(Value::as_str) {
        Some("text") => Some(needed(object(from, &place)?, "data", &place)?.to_owned()),
        Some("content") => Some(joined(object(from, &place)?, &place)?),
        _ => None,
    };
    match plain {
        Some(plain) => {
            let lines = title.into_iter().chain(context).chain([plain.as_str()]);
            Ok(Part::Text(lines.collect::<Vec<_>>().join("\n\n")))
        }
        None if context.is_some() => Err(format!("{at}.context: this version cannot send it beside a file")),
        None => source("document", from, title.map(str::to_owned), &place),
    }
}

/// The text of a document that is given in blocks.
fn joined(source: &Map<String, Value>, at: &str) -> Result<String, Wrong> {
    if let Some(text) = source.get("content").and_then(Value::as_str) {
        return Ok(text.to_owned());
    }
    let block = |(index, block): (usize, &Value)| {
        let at = format!("{at}.content[{index}]");
        let fields = object(block, &at)?;
        match needed(fields, "type", &at)? {
            "text" => Ok(needed(fields, "text", &at)?.to_owned()),
            other => Err(format!("{at}.type: \"{other}\" is not \"text\"")),
        }
    };
    let blocks = list(source, "content", at)?.iter().enumerate().map(block);
    Ok(blocks.collect::<Result<Vec<_>, Wrong>>()?.join("\n\n"))
}
