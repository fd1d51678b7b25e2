//! The parts of a turn.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Gemini, is_recent};
use crate::chat::{ChatRequest, Media, MediaKind, MediaSource, Part, Role, ToolCall, ToolResult};
use crate::upstream::Call;

/// What Google's documentation gives to sign a call with that another model made.
const UNSIGNED: &str = "skip_thought_signature_validator";
/// How an id begins that was invented here, where Gemini gave none.
const INVENTED: &str = "call_";

/// An id for the call of that number in the conversation.
pub(super) fn invented_id(ordinal: usize) -> String {
    format!("{INVENTED}{ordinal}")
}

/// The turns of user and model. Messages of one role in a row become one turn, since the results of calls made together
/// must come together.
pub(super) fn contents(call: &Call<'_>) -> Vec<Value> {
    let request = call.request;
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::System | Role::Developer => continue,
            Role::User => "user",
            Role::Assistant => "model",
        };
        let parts: Vec<Value> = message.parts.iter().filter_map(|part| self::part(request, part)).collect();
        match turns.last_mut() {
            // A turn in which nothing is said is refused.
            _ if parts.is_empty() => {}
            Some((last, turn)) if *last == role => turn.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    if is_recent(call.endpoint) {
        turns.iter_mut().for_each(|(_, parts)| sign(parts));
    }
    turns.into_iter().map(|(role, parts)| json!({ "role": role, "parts": parts })).collect()
}

/// Signs the first call of a turn where nobody has: Gemini signs that one alone and insists on it.
fn sign(parts: &mut [Value]) {
    let call = parts.iter_mut().filter_map(Value::as_object_mut).find(|part| part.contains_key("functionCall"));
    if let Some(part) = call {
        part.entry("thoughtSignature").or_insert(UNSIGNED.into());
    }
}

fn part(request: &ChatRequest, part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) if text.is_empty() => return None,
        Part::Text(text) => json!({ "text": text }),
        Part::Media(media) => file(media),
        Part::ToolCall(call) => function_call(call),
        Part::ToolResult(result) => function_response(request, result),
        Part::Reasoning { text, signature } => match (text.as_str(), signature) {
            ("", None) => return None,
            // A signature without a thought streams as an empty text, and goes back as it came.
            ("", Some(signature)) => json!({ "text": "", "thoughtSignature": signature }),
            (text, None) => json!({ "text": text, "thought": true }),
            (text, Some(signature)) => json!({ "text": text, "thought": true, "thoughtSignature": signature }),
        },
    })
}

fn file(media: &Media) -> Value {
    match &media.source {
        MediaSource::Bytes(bytes) => {
            json!({ "inlineData": { "mimeType": media.mime, "data": STANDARD.encode(bytes) } })
        }
        MediaSource::Url(url) => json!({ "fileData": { "mimeType": media.mime, "fileUri": url } }),
    }
}

fn function_call(call: &ToolCall) -> Value {
    let mut body = Map::new();
    if let Some(id) = own_id(&call.id) {
        body.insert("id".into(), id.into());
    }
    body.insert("name".into(), call.name.as_str().into());
    body.insert("args".into(), Value::Object(arguments(call).unwrap_or_default()));
    let mut part = Map::from_iter([("functionCall".to_owned(), Value::Object(body))]);
    if let Some(signature) = &call.signature {
        part.insert("thoughtSignature".into(), signature.as_str().into());
    }
    Value::Object(part)
}

fn function_response(request: &ChatRequest, result: &ToolResult) -> Value {
    let mut body = Map::new();
    if let Some(id) = own_id(&result.call_id) {
        body.insert("id".into(), id.into());
    }
    body.insert("name".into(), tool_of(request, result).unwrap_or_default().into());
    let said: String = result.content.iter().filter_map(Part::as_text).collect();
    let key = if result.is_error { "error" } else { "output" };
    body.insert("response".into(), json!({ key: said }));
    let files =
        result.content.iter().filter_map(|part| if let Part::Media(media) = part { Some(file(media)) } else { None });
    let files: Vec<Value> = files.collect();
    if !files.is_empty() {
        body.insert("parts".into(), files.into());
    }
    json!({ "functionResponse": body })
}

/// An id that is somebody's own. An invented one stays here: Gemini matches results without ids by name and order.
fn own_id(id: &str) -> Option<&str> {
    let is_invented = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    Some(id).filter(|id| !id.is_empty() && !id.strip_prefix(INVENTED).is_some_and(is_invented))
}

/// The arguments of a call; `None` where they are no JSON object.
fn arguments(call: &ToolCall) -> Option<Map<String, Value>> {
    if call.arguments.trim().is_empty() {
        return Some(Map::new());
    }
    serde_json::from_str(&call.arguments).ok()
}

/// The tool that a result is of, which Gemini wants by name: as it says, or as the latest call of its id does.
fn tool_of<'a>(request: &'a ChatRequest, result: &'a ToolResult) -> Option<&'a str> {
    let calls = request.messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::ToolCall(call) if call.id == result.call_id => Some(call.name.as_str()),
        _ => None,
    });
    result.name.as_deref().filter(|name| !name.is_empty()).or_else(|| calls.last())
}

/// What a part of a turn says that cannot be said to this endpoint.
pub(super) fn gap(gemini: Gemini, call: &Call<'_>, part: &Part) -> Option<&'static str> {
    match part {
        Part::Media(media) => unfetched(gemini, media),
        Part::ToolCall(made) if arguments(made).is_none() => Some("tool arguments that are no object"),
        Part::ToolResult(result) if tool_of(call.request, result).is_none() => Some("tool results without a name"),
        Part::ToolResult(result) => result.content.iter().find_map(|part| match part {
            Part::Text(_) => None,
            Part::Media(Media { source: MediaSource::Bytes(_), .. }) if is_recent(call.endpoint) => None,
            Part::Media(_) => Some("files in tool results"),
            _ => Some("tool results beyond text and files"),
        }),
        _ => None,
    }
}

/// Both fetch from public or signed addresses of the web, over TLS alone; Vertex from its own storage besides.
fn unfetched(gemini: Gemini, media: &Media) -> Option<&'static str> {
    let MediaSource::Url(url) = &media.source else { return None };
    let is_fetched = url.starts_with("https://") || (gemini == Gemini::Vertex && url.starts_with("gs://"));
    let name = match media.kind {
        MediaKind::Image => "image input by URL",
        MediaKind::Pdf => "PDF input by URL",
    };
    (!is_fetched).then_some(name)
}
