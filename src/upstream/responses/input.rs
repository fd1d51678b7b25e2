//! The conversation as the `input` items of OpenAI Responses.

use serde_json::{Map, Value, json};

use crate::catalog::Quirks;
use crate::chat::{ChatRequest, Detail, Media, MediaKind, MediaSource, Message, Part, Role, ToolResult};
use crate::upstream::openai::{address, arguments, file_name, misplaced, result_text, role};

/// What of a conversation the dialect cannot carry.
pub(super) fn lacks(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    misplaced(request)
}

/// All items, in order. Instructions stay messages, since not everyone knows the parameter `instructions`.
pub(super) fn items(request: &ChatRequest, quirks: &Quirks) -> Vec<Value> {
    let mut items = Vec::new();
    for message in &request.messages {
        match message.role {
            Role::Assistant => assistant(message, quirks, &mut items),
            _ => told(message, quirks, &mut items),
        }
    }
    items
}

/// Instructions, or a turn of the user's: the results of tools first, then one message for all else.
fn told(message: &Message, quirks: &Quirks, items: &mut Vec<Value>) {
    let mut rest = Vec::new();
    for part in &message.parts {
        match part {
            Part::ToolResult(result) => items.push(output(result)),
            part => rest.push(part),
        }
    }
    if rest.is_empty() {
        return;
    }
    let is_text = rest.iter().all(|part| part.as_text().is_some());
    let content: Value = if is_text { message.joined().into() } else { rest.into_iter().filter_map(content).collect() };
    items.push(json!({ "role": role(message.role, quirks.developer_role), "content": content }));
}

/// A piece of what is told to the model.
fn content(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(input_text(text)),
        Part::Media(media) => Some(media_part(media)),
        _ => None,
    }
}

fn input_text(text: &str) -> Value {
    json!({ "type": "input_text", "text": text })
}

fn media_part(media: &Media) -> Value {
    match (media.kind, &media.source) {
        (MediaKind::Image, _) => json!({
            "type": "input_image", "image_url": address(media), "detail": media.detail.map_or("auto", Detail::word),
        }),
        (MediaKind::Pdf, MediaSource::Url(url)) => json!({ "type": "input_file", "file_url": url }),
        (MediaKind::Pdf, MediaSource::Bytes(_)) => {
            json!({ "type": "input_file", "filename": file_name(media), "file_data": address(media) })
        }
    }
}

fn output(result: &ToolResult) -> Value {
    let is_text = result.content.iter().all(|part| part.as_text().is_some());
    let output: Value = if is_text {
        result_text(result).into()
    } else {
        // The dialect has no flag for a tool that failed.
        let failed = result.is_error.then(|| input_text("Error:"));
        failed.into_iter().chain(result.content.iter().filter_map(content)).collect()
    };
    json!({ "type": "function_call_output", "call_id": result.call_id, "output": output })
}

/// A turn of the assistant's: every piece an item of its own, so that reasoning stands before what it led to.
fn assistant(message: &Message, quirks: &Quirks, items: &mut Vec<Value>) {
    let mut text = String::new();
    for part in &message.parts {
        match part {
            Part::Text(piece) => {
                text.push_str(piece);
                continue;
            }
            Part::ToolCall(call) => {
                say(&mut text, items);
                items.push(json!({
                    "type": "function_call",
                    "call_id": call.id,
                    "name": call.name,
                    "arguments": arguments(call),
                }));
            }
            Part::Reasoning { text: thought, signature } => {
                say(&mut text, items);
                let number = items.len();
                items.extend(reasoning(thought, signature.as_deref(), quirks, number));
            }
            _ => {}
        }
    }
    say(&mut text, items);
}

/// Ends a message, if one has been begun. llama.cpp takes no plain text here, as OpenAI does.
fn say(text: &mut String, items: &mut Vec<Value>) {
    if !text.is_empty() {
        let said = json!({ "type": "output_text", "text": std::mem::take(text) });
        items.push(json!({ "type": "message", "role": role(Role::Assistant, false), "content": [said] }));
    }
}

/// A thought of an earlier turn: with its encrypted content where it has some, in plain words where the provider wants
/// them back, and not at all elsewhere. Nothing is stored, so an id names nothing: OpenAI takes encrypted content without
/// one, and those who read the words want any.
fn reasoning(thought: &str, signature: Option<&str>, quirks: &Quirks, number: usize) -> Option<Value> {
    let mut item = Map::new();
    item.insert("type".into(), "reasoning".into());
    match signature.filter(|signature| !signature.is_empty()) {
        Some(signature) => {
            let summary = (!thought.is_empty()).then(|| json!({ "type": "summary_text", "text": thought }));
            item.insert("summary".into(), summary.into_iter().collect());
            item.insert("encrypted_content".into(), signature.into());
        }
        None if quirks.replays_reasoning && !thought.is_empty() => {
            item.insert("id".into(), format!("rs_{number}").into());
            item.insert("summary".into(), json!([]));
            item.insert("content".into(), json!([{ "type": "reasoning_text", "text": thought }]));
        }
        None => return None,
    }
    Some(Value::Object(item))
}
