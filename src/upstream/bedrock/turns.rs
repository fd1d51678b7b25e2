//! The turns of user and assistant, as blocks of content.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::marks::Marks;
use crate::chat::{CachePlace, Media, MediaKind, MediaSource, Message, Part, Role, ToolCall, ToolResult};

/// What marks reasoning that the provider keeps to itself among the signatures: its base64 follows. No signature holds a
/// colon.
pub(super) const REDACTED: &str = "redacted:";

/// The longest name of a document.
const NAME_CHARS: usize = 200;
/// The longest id of a tool call.
const ID_CHARS: usize = 64;

/// The turns, and what in them cannot be said.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) values: Vec<Value>,
    pub(super) lacks: Vec<&'static str>,
    /// The documents' names so far; the API wants each once.
    names: BTreeSet<String>,
}

impl Turns {
    /// Messages of one role in a row become one turn. A result of a tool has no place for a cache point, so that one within
    /// stands behind it. Where it is up to us, the last turn before the newest one of the user ends in one.
    pub(super) fn of(messages: &[Message], marks: Marks<'_>) -> Self {
        let mut turns = Self::default();
        let mut spoken: Vec<(&str, Vec<Value>)> = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            let role = match message.role {
                Role::System | Role::Developer => continue,
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let mut blocks: Vec<Value> = Vec::new();
            for (at, part) in message.parts.iter().enumerate() {
                blocks.extend(turns.block(role, part));
                marks.put(
                    &mut blocks,
                    |place| matches!(place, CachePlace::Part { message, part, .. } if (message, part) == (number, at)),
                );
            }
            match spoken.last_mut() {
                Some((last, content)) if *last == role => content.extend(blocks),
                _ if blocks.is_empty() => {}
                _ => spoken.push((role, blocks)),
            }
        }
        for (_, content) in &spoken {
            let has = |kind: &str| content.iter().any(|block| block.get(kind).is_some());
            // A rule of the API; words of our own would change what was asked.
            if has("document") && !has("text") {
                turns.lacks.push("a document without text beside it");
            }
        }
        let newest = spoken.iter().rposition(|(role, _)| *role == "user");
        if let Some(before) = newest.and_then(|newest| newest.checked_sub(1)) {
            marks.put_usual(&mut spoken[before].1);
        }
        if let Some((_, last)) = spoken.last_mut() {
            marks.put(last, |place| place == CachePlace::End);
        }
        turns.values = spoken.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect();
        turns
    }

    fn block(&mut self, role: &str, part: &Part) -> Option<Value> {
        match part {
            Part::Text(text) => text_block(text),
            Part::Media(_) if role != "user" => {
                self.lacks.push("images or documents in the assistant's turns");
                None
            }
            Part::Media(media) => self.media(media),
            Part::ToolCall(call) => self.call(call),
            Part::ToolResult(result) => Some(self.result(result)),
            Part::Reasoning { text, signature } => reasoning(text, signature.as_deref()),
        }
    }

    fn call(&mut self, call: &ToolCall) -> Option<Value> {
        self.check_id(&call.id);
        let input = match call.arguments.trim() {
            "" => Some(Map::new()),
            text => serde_json::from_str::<Map<String, Value>>(text).ok(),
        };
        let Some(input) = input else {
            self.lacks.push("a tool call whose arguments are no JSON object");
            return None;
        };
        Some(json!({ "toolUse": { "toolUseId": call.id, "name": call.name, "input": input } }))
    }

    fn result(&mut self, result: &ToolResult) -> Value {
        self.check_id(&result.call_id);
        let content: Vec<Value> = result.content.iter().filter_map(|part| self.result_block(part)).collect();
        let mut block = json!({ "toolUseId": result.call_id, "content": content });
        // Success is the default, and some models know no status at all.
        if result.is_error {
            block["status"] = "error".into();
        }
        json!({ "toolResult": block })
    }

    fn result_block(&mut self, part: &Part) -> Option<Value> {
        match part {
            Part::Text(text) => text_block(text),
            Part::Media(media) => self.media(media),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning { .. } => {
                self.lacks.push("anything but text, images and documents in a tool's result");
                None
            }
        }
    }

    fn check_id(&mut self, id: &str) {
        let is_safe = |sign: char| sign.is_ascii_alphanumeric() || "_.:-".contains(sign);
        if id.is_empty() || id.len() > ID_CHARS || !id.chars().all(is_safe) {
            self.lacks.push("the id of a tool call");
        }
    }

    fn media(&mut self, media: &Media) -> Option<Value> {
        let source = match &media.source {
            MediaSource::Bytes(bytes) => json!({ "bytes": BASE64_STANDARD.encode(bytes) }),
            MediaSource::Url(url) if url.starts_with("s3://") => json!({ "s3Location": { "uri": url } }),
            MediaSource::Url(_) => {
                self.lacks.push(match media.kind {
                    MediaKind::Image => "image input by URL",
                    MediaKind::Pdf => "PDF input by URL",
                });
                return None;
            }
        };
        match media.kind {
            MediaKind::Pdf => {
                let name = self.name(media.name.as_deref().unwrap_or_default());
                Some(json!({ "document": { "format": "pdf", "name": name, "source": source } }))
            }
            MediaKind::Image => {
                let format = match media.mime.as_str() {
                    "image/png" => "png",
                    "image/jpeg" => "jpeg",
                    "image/gif" => "gif",
                    "image/webp" => "webp",
                    _ => {
                        self.lacks.push("this image format");
                        return None;
                    }
                };
                Some(json!({ "image": { "format": format, "source": source } }))
            }
        }
    }

    /// A name as the API allows it: letters, digits, single spaces, hyphens, parentheses and brackets; each once.
    fn name(&mut self, file: &str) -> String {
        let stem = file.strip_suffix(".pdf").or(file.strip_suffix(".PDF")).unwrap_or(file);
        let allowed = |sign: char| if sign.is_ascii_alphanumeric() || "-()[]".contains(sign) { sign } else { ' ' };
        let clean: String = stem.chars().map(allowed).collect();
        let words: Vec<&str> = clean.split_whitespace().collect();
        // Room for a number.
        let base: String = words.join(" ").chars().take(NAME_CHARS - 20).collect();
        let base = if base.is_empty() { "document".to_owned() } else { base.trim_end().to_owned() };
        let mut name = base.clone();
        let mut number = 1_u64;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{base} ({number})");
        }
        name
    }
}

/// A block of text; the API refuses one that is empty, which says nothing anyway.
pub(super) fn text_block(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({ "text": text }))
}

/// Reasoning goes back with its signature, as it came. Without one nobody wants it back: it is checked on arrival.
fn reasoning(text: &str, signature: Option<&str>) -> Option<Value> {
    let signature = signature?;
    if let Some(redacted) = signature.strip_prefix(REDACTED) {
        return Some(json!({ "reasoningContent": { "redactedContent": redacted } }));
    }
    Some(json!({ "reasoningContent": { "reasoningText": { "text": text, "signature": signature } } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_documents_are_clean_and_each_is_there_once() {
        let mut turns = Turns::default();
        for (file, expected) in [
            ("Q3 report_final.pdf", "Q3 report final"),
            ("Q3/report  final", "Q3 report final (2)"),
            ("", "document"),
            ("données.PDF", "donn es"),
            ("../[a](b)-c", "[a](b)-c"),
        ] {
            assert_eq!(turns.name(file), expected);
        }
        assert!(turns.name(&"x".repeat(500)).len() <= NAME_CHARS);
    }
}
