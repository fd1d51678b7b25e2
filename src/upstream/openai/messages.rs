//! The conversation as the `messages` of OpenAI Chat.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::parts::{address, arguments, file_name, media_in_results, misplaced, result_text, role};
use crate::catalog::{Protocol, Quirks};
use crate::chat::{ChatRequest, Media, MediaKind, MediaSource, Message, Native, Part, Role};

/// What of a conversation the dialect cannot carry.
pub(super) fn lacks(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    let by_url = request.media().filter(|media| media.kind == MediaKind::Pdf);
    let by_url = by_url.filter(|media| matches!(media.source, MediaSource::Url(_))).map(|_| "PDF input by URL");
    let in_results = media_in_results(request).map(|kind| match kind {
        MediaKind::Image => "images in tool results",
        MediaKind::Pdf => "PDFs in tool results",
    });
    misplaced(request).chain(in_results).chain(by_url)
}

/// A message: its role, and then its other members, in order.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    role: &'static str,
    members: Vec<(&'a str, Value)>,
}

impl<'a> Turn<'a> {
    /// Sets a member, of which there are few.
    pub(super) fn put(&mut self, name: &'a str, value: Value) {
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.members.push((name, value)),
        }
    }

    /// Adds what is not there yet.
    fn fill(&mut self, more: &'a Map<String, Value>) {
        let own = self.members.len();
        for (name, value) in more.iter().filter(|(name, _)| *name != "role") {
            if !self.members.iter().take(own).any(|(known, _)| known == name) {
                self.members.push((name, value.clone()));
            }
        }
    }
}

impl Serialize for Turn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("role", self.role)?;
        for (name, value) in &self.members {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// All messages. A turn of the user's becomes one message for every result of a tool, and then one for all else.
///
/// Reasoning of earlier turns goes along only where the provider wants it back, in `reasoning_content`; the others take
/// none, and [`untold`](crate::upstream::untold) names it.
pub(super) fn messages<'a>(request: &'a ChatRequest, quirks: &Quirks) -> Vec<Turn<'a>> {
    let mut messages = Vec::new();
    let own = request.native.iter().filter(|native| native.is_of(Protocol::OpenaiChat));
    let beside = own.filter(|native| native.name == Native::BESIDE).find_map(|native| native.value.as_object());
    for (number, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::Assistant => messages.push(assistant(message, quirks)),
            Role::System | Role::Developer => {
                let role = role(message.role, quirks.developer_role);
                messages.push(Turn { role, members: vec![("content", message.joined().into())] });
            }
            Role::User => user(message, &mut messages),
        }
        let more = beside.and_then(|beside| beside.get(&number.to_string())).and_then(Value::as_object);
        if let (Some(last), Some(more)) = (messages.last_mut(), more) {
            last.fill(more);
        }
    }
    messages
}

fn user<'a>(message: &'a Message, messages: &mut Vec<Turn<'a>>) {
    let mut rest = Vec::new();
    for part in &message.parts {
        match part {
            // The results follow the calls directly: anything between them is refused.
            Part::ToolResult(result) => {
                let id = result.call_id.as_str().into();
                let members = vec![("tool_call_id", id), ("content", result_text(result).into())];
                messages.push(Turn { role: "tool", members });
            }
            part => rest.push(part),
        }
    }
    if rest.is_empty() {
        return;
    }
    let is_text = rest.iter().all(|part| part.as_text().is_some());
    let content: Value = if is_text { message.joined().into() } else { rest.into_iter().filter_map(content).collect() };
    messages.push(Turn { role: "user", members: vec![("content", content)] });
}

/// A piece of a list of content.
fn content(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({ "type": "text", "text": text })),
        Part::Media(media) => Some(media_part(media)),
        _ => None,
    }
}

fn media_part(media: &Media) -> Value {
    match media.kind {
        MediaKind::Image => {
            let mut image = Map::from_iter([("url".to_owned(), address(media).into())]);
            image.extend(media.detail.map(|detail| ("detail".to_owned(), detail.word().into())));
            json!({ "type": "image_url", "image_url": image })
        }
        MediaKind::Pdf => {
            json!({ "type": "file", "file": { "filename": file_name(media), "file_data": address(media) } })
        }
    }
}

fn assistant<'a>(message: &Message, quirks: &Quirks) -> Turn<'a> {
    let mut calls = Vec::new();
    let mut thought = String::new();
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => {
                let function = json!({ "name": call.name, "arguments": arguments(call) });
                calls.push(json!({ "id": call.id, "type": "function", "function": function }));
            }
            Part::Reasoning { text, .. } => thought.push_str(text),
            _ => {}
        }
    }
    let text = message.joined();
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
    let mut members = vec![("content", content)];
    if quirks.replays_reasoning && !thought.is_empty() {
        members.push(("reasoning_content", thought.into()));
    }
    if !calls.is_empty() {
        members.push(("tool_calls", calls.into()));
    }
    Turn { role: role(message.role, quirks.developer_role), members }
}
