//! The conversation as turns of content blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::chat::{
    CachePlace, ChatRequest, Media, MediaKind, MediaSource, Message, Part, REDACTED_THINKING, Role, ToolCall,
    ToolResult,
};

/// Image types that the API takes.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// One turn of user or assistant.
#[derive(Debug)]
pub(super) struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

impl Turn {
    /// Its place in `messages`.
    pub(super) fn into_value(self) -> Value {
        json!({ "role": self.role, "content": content(self.blocks) })
    }
}

/// Blocks as the API takes them; a lone plain text goes as itself.
pub(super) fn content(mut blocks: Vec<Value>) -> Value {
    if let [Value::Object(block)] = blocks.as_mut_slice()
        && block.len() == 2
        && block.get("type").and_then(Value::as_str) == Some("text")
        && let Some(text) = block.remove("text")
    {
        return text;
    }
    blocks.into()
}

/// All instructions, in order.
pub(super) fn system(request: &ChatRequest) -> Vec<Value> {
    let mut blocks = Vec::new();
    for (message, said) in request.messages.iter().enumerate().filter(|(_, message)| is_instruction(message)) {
        for (part, said) in said.parts.iter().enumerate() {
            blocks.extend(said.as_text().filter(|said| !said.is_empty()).map(text));
            mark_last(&mut blocks, request.mark_at(CachePlace::Part { message, part, within: None }));
        }
    }
    blocks
}

/// The turns of user and assistant.
///
/// # Errors
/// A turn cannot be put into blocks: the name of what cannot.
pub(super) fn turns(request: &ChatRequest) -> Result<Vec<Turn>, &'static str> {
    let mut turns: Vec<Turn> = Vec::new();
    for (number, message) in request.messages.iter().enumerate() {
        let role = match message.role {
            Role::System | Role::Developer => continue,
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let mut blocks = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            let place = |within| CachePlace::Part { message: number, part: at, within };
            blocks.extend(match part {
                Part::ToolResult(result) => Some(tool_result(result, |piece| request.mark_at(place(Some(piece))))?),
                part => block(part, message.role)?,
            });
            mark_last(&mut blocks, request.mark_at(place(None)));
        }
        match turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.role == role => last.blocks.append(&mut blocks),
            _ => turns.push(Turn { role, blocks }),
        }
    }
    for turn in &mut turns {
        // Results of tools must come first; a stable sort keeps all else in order.
        turn.blocks.sort_by_key(|block| block["type"] != "tool_result");
    }
    Ok(turns)
}

/// Pieces that have no place in the turn that they are in: the names of what is missing.
pub(super) fn misplaced(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    let pieces = request.messages.iter().flat_map(|message| message.parts.iter().map(|part| (message.role, part)));
    let is_taken = |media: &&Media| {
        let is_here = matches!(media.source, MediaSource::Bytes(_));
        media.kind != MediaKind::Image || !is_here || IMAGES.contains(&media.mime.as_str())
    };
    let images = request.media().filter(move |media| !is_taken(media)).map(|_| "images of this type");
    pieces.filter_map(|(role, part)| out_of_place(role, part)).chain(images)
}

fn out_of_place(role: Role, part: &Part) -> Option<&'static str> {
    Some(match (role, part) {
        (_, Part::Text(_)) | (Role::User, Part::Media(_)) => return None,
        (Role::System | Role::Developer, _) => "instructions that are not text",
        (Role::Assistant, Part::Reasoning { .. }) => return None,
        (Role::Assistant, Part::ToolCall(call)) => return arguments(call).err(),
        (Role::Assistant, Part::Media(media)) => match media.kind {
            MediaKind::Image => "images in the model's turns",
            MediaKind::Pdf => "PDFs in the model's turns",
        },
        (Role::Assistant, Part::ToolResult(_)) => "tool results in the model's turns",
        (Role::User, Part::ToolResult(result)) => {
            let is_taken = |part: &Part| matches!(part, Part::Text(_) | Part::Media(_));
            return (!result.content.iter().all(is_taken)).then_some("tool results beyond text and files");
        }
        (Role::User, Part::ToolCall(_)) => "tool calls in the user's turns",
        (Role::User, Part::Reasoning { .. }) => "reasoning in the user's turns",
    })
}

/// Puts a mark of the prompt cache on a block or a tool that has none.
pub(super) fn mark(block: &mut Value, hour: bool) {
    if let Value::Object(block) = block {
        let mark = if hour { json!({ "type": "ephemeral", "ttl": "1h" }) } else { json!({ "type": "ephemeral" }) };
        block.entry("cache_control").or_insert(mark);
    }
}

/// Marks the last of some blocks that can carry a mark, where one is to be there; `hour` as in [`ChatRequest::mark_at`]. A
/// piece that says nothing is no block, and what was said before it is marked.
fn mark_last(blocks: &mut [Value], hour: Option<bool>) {
    let last = blocks.iter_mut().rev().find(|block| !is_thought(block));
    if let (Some(block), Some(hour)) = (last, hour) {
        mark(block, hour);
    }
}

/// Thoughts cannot carry a mark.
fn is_thought(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"))
}

/// Marks the end of everything.
pub(super) fn mark_end(turns: &mut [Turn], hour: bool) {
    let blocks = turns.iter_mut().rev().flat_map(|turn| turn.blocks.iter_mut().rev());
    blocks.filter(|block| !is_thought(block)).take(1).for_each(|block| mark(block, hour));
}

/// Marks the end of what will not change: the last block before the newest turn of the user.
pub(super) fn mark_history(turns: &mut [Turn]) {
    let mut older = turns.iter_mut().rev().skip_while(|turn| turn.role != "user").skip(1);
    let Some(last) = older.next() else { return };
    mark_last(&mut last.blocks, Some(false));
}

fn is_instruction(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn block(part: &Part, role: Role) -> Result<Option<Value>, &'static str> {
    Ok(match part {
        Part::Text(said) if said.is_empty() => None,
        // Models say such things before a call; sent again, the API refuses them.
        Part::Text(said) if role == Role::Assistant && said.trim().is_empty() => None,
        Part::Text(said) => Some(text(said)),
        Part::Media(media) => Some(file(media)),
        Part::ToolCall(call) => Some(tool_use(call)?),
        Part::ToolResult(result) => Some(tool_result(result, |_| None)?),
        Part::Reasoning { text, signature } => signature.as_deref().map(|signature| thought(text, signature)),
    })
}

fn thought(text: &str, signature: &str) -> Value {
    match signature.strip_prefix(REDACTED_THINKING) {
        Some(data) => json!({ "type": "redacted_thinking", "data": data }),
        None => json!({ "type": "thinking", "thinking": text, "signature": signature }),
    }
}

fn file(media: &Media) -> Value {
    let source = match &media.source {
        MediaSource::Url(url) => json!({ "type": "url", "url": url }),
        MediaSource::Bytes(bytes) => {
            json!({ "type": "base64", "media_type": media.mime, "data": STANDARD.encode(bytes) })
        }
    };
    let mut block = Map::new();
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Pdf => "document",
    };
    block.insert("type".into(), kind.into());
    block.insert("source".into(), source);
    if let (MediaKind::Pdf, Some(name)) = (media.kind, &media.name) {
        block.insert("title".into(), name.as_str().into());
    }
    Value::Object(block)
}

fn tool_use(call: &ToolCall) -> Result<Value, &'static str> {
    Ok(json!({ "type": "tool_use", "id": id(&call.id), "name": call.name, "input": arguments(call)? }))
}

fn arguments(call: &ToolCall) -> Result<Map<String, Value>, &'static str> {
    let text = call.arguments.trim();
    let read = if text.is_empty() { Ok(Map::new()) } else { serde_json::from_str(text) };
    read.map_err(|_| "arguments of a tool that are no JSON object")
}

/// The id of a call in the signs that the API takes: others name theirs `functions.weather:0`, and a conversation may have
/// begun there.
fn id(id: &str) -> String {
    id.chars().map(|sign| if sign.is_ascii_alphanumeric() || sign == '-' { sign } else { '_' }).collect()
}

/// A tool's result; `mark` says which of its pieces are marked.
fn tool_result(result: &ToolResult, mark: impl Fn(usize) -> Option<bool>) -> Result<Value, &'static str> {
    let mut said = Vec::new();
    for (number, part) in result.content.iter().enumerate() {
        said.extend(block(part, Role::User)?);
        mark_last(&mut said, mark(number));
    }
    let mut block = Map::new();
    block.insert("type".into(), "tool_result".into());
    block.insert("tool_use_id".into(), id(&result.call_id).into());
    if !said.is_empty() {
        block.insert("content".into(), content(said));
    }
    if result.is_error {
        block.insert("is_error".into(), true.into());
    }
    Ok(Value::Object(block))
}
