//! The conversation as the `messages` of OpenAI Chat.

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

/// All messages. A turn of the user's becomes one message for every result of a tool, and then one for all else.
///
/// Reasoning of earlier turns goes along only where the provider wants it back, in `reasoning_content`; the others take
/// none, and [`untold`](crate::upstream::untold) names it.
pub(super) fn messages(request: &ChatRequest, quirks: &Quirks) -> Vec<Value> {
    let mut messages = Vec::new();
    let own = request.native.iter().filter(|native| native.is_of(Protocol::OpenaiChat));
    let beside = own.filter(|native| native.name == Native::BESIDE).find_map(|native| native.value.as_object());
    for (number, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::Assistant => messages.push(assistant(message, quirks)),
            Role::System | Role::Developer => {
                messages
                    .push(json!({ "role": role(message.role, quirks.developer_role), "content": message.joined() }));
            }
            Role::User => user(message, &mut messages),
        }
        let more = beside.and_then(|beside| beside.get(&number.to_string())).and_then(Value::as_object);
        if let (Some(Value::Object(last)), Some(more)) = (messages.last_mut(), more) {
            for (name, value) in more {
                last.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    messages
}

fn user(message: &Message, messages: &mut Vec<Value>) {
    let mut rest = Vec::new();
    for part in &message.parts {
        match part {
            // The results follow the calls directly: anything between them is refused.
            Part::ToolResult(result) => {
                let content = result_text(result);
                messages.push(json!({ "role": "tool", "tool_call_id": result.call_id, "content": content }));
            }
            part => rest.push(part),
        }
    }
    if rest.is_empty() {
        return;
    }
    let is_text = rest.iter().all(|part| part.as_text().is_some());
    let content: Value = if is_text { message.joined().into() } else { rest.into_iter().filter_map(content).collect() };
    messages.push(json!({ "role": "user", "content": content }));
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

fn assistant(message: &Message, quirks: &Quirks) -> Value {
    let mut turn = Map::new();
    turn.insert("role".into(), role(message.role, quirks.developer_role).into());
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
    turn.insert("content".into(), content);
    if quirks.replays_reasoning && !thought.is_empty() {
        turn.insert("reasoning_content".into(), thought.into());
    }
    if !calls.is_empty() {
        turn.insert("tool_calls".into(), calls.into());
    }
    Value::Object(turn)
}
