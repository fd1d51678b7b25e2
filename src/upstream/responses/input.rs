//! The conversation as the `input` items of OpenAI Responses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::catalog::{Protocol, Quirks};
use crate::chat::{
    ChatRequest, Detail, Media, MediaKind, MediaSource, Message, Native, Part, Role, ToolResult, flat_name,
};
use crate::upstream::openai::{address, arguments, file_name, misplaced, result_text, role};

/// What of a conversation the dialect cannot carry.
pub(super) fn lacks(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    misplaced(request)
}

/// All items, in order. Instructions stay messages, since not everyone knows the parameter `instructions`.
pub(super) fn items(request: &ChatRequest, quirks: &Quirks) -> Vec<Value> {
    let own = Own::of(request);
    let mut items = own.after(None).cloned().collect();
    for (number, message) in request.messages.iter().enumerate() {
        match message.role {
            Role::Assistant => assistant(message, quirks, (&own, number), &mut items),
            _ => {
                told(message, quirks, (&own, number), &mut items);
                items.extend(own.after(Some((number, None))).cloned());
            }
        }
    }
    items
}

/// What of a request only this dialect has.
struct Own<'a> {
    /// Items, each behind a piece of a message: the message's number, and how many of its pieces.
    items: &'a [Value],
    /// The functions that stand in groups: the group and the name there, by the name that they have elsewhere.
    grouped: BTreeMap<String, (&'a str, &'a str)>,
    /// What stands beside what is known of an item, by the numbers of the message and of the piece that it begins with.
    beside: BTreeMap<(usize, usize), &'a Map<String, Value>>,
}

impl<'a> Own<'a> {
    fn of(request: &'a ChatRequest) -> Self {
        let own = |name: &str| {
            let mut natives = request.native.iter().filter(|native| native.is_of(Protocol::OpenaiResponses));
            let list = natives.find(|native| native.name == name).and_then(|native| native.value.as_array());
            list.map_or(&[][..], Vec::as_slice)
        };
        let mut grouped = BTreeMap::new();
        for group in own("tools") {
            let (namespace, tools) = (group["name"].as_str().unwrap_or_default(), group["tools"].as_array());
            for name in tools.into_iter().flatten().filter_map(|tool| tool["name"].as_str()) {
                grouped.insert(flat_name(namespace, name), (namespace, name));
            }
        }
        let at =
            |entry: &Value, index: usize| entry["at"][index].as_u64().and_then(|number| usize::try_from(number).ok());
        let beside = own(Native::BESIDE_ITEMS).iter();
        let beside = beside.filter_map(|entry| Some(((at(entry, 0)?, at(entry, 1)?), entry["more"].as_object()?)));
        Self { items: own("input"), grouped, beside: beside.collect() }
    }

    /// Lays beside an item what a client had there.
    fn lay(&self, place: (usize, usize), item: &mut Value) {
        for (name, value) in self.beside.get(&place).into_iter().flat_map(|more| more.iter()) {
            if let Value::Object(item) = item {
                item.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }

    /// The items behind so many pieces of a message, behind all of them that are left (`None`), or before everything.
    fn after(&self, place: Option<(usize, Option<usize>)>) -> impl Iterator<Item = &'a Value> {
        let is_there = move |entry: &&Value| {
            let at = |index: usize| entry["after"][index].as_u64().and_then(|number| usize::try_from(number).ok());
            match place {
                None => at(0).is_none(),
                Some((message, None)) => at(0) == Some(message),
                Some((message, parts)) => at(0) == Some(message) && at(1) == parts,
            }
        };
        self.items.iter().filter(is_there).map(|entry| &entry["item"])
    }
}

/// Instructions, or a turn of the user's: the results of tools first, then one message for all else.
fn told(message: &Message, quirks: &Quirks, (own, number): (&Own<'_>, usize), items: &mut Vec<Value>) {
    let (mut rest, mut first) = (Vec::new(), None);
    for (at, part) in message.parts.iter().enumerate() {
        match part {
            Part::ToolResult(result) => {
                let mut item = output(result);
                own.lay((number, at), &mut item);
                items.push(item);
            }
            part => {
                first.get_or_insert(at);
                rest.push(part);
            }
        }
    }
    let Some(first) = first else { return };
    let is_text = rest.iter().all(|part| part.as_text().is_some());
    let content: Value = if is_text { message.joined().into() } else { rest.into_iter().filter_map(content).collect() };
    let mut item = json!({ "role": role(message.role, quirks.developer_role), "content": content });
    own.lay((number, first), &mut item);
    items.push(item);
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
fn assistant(message: &Message, quirks: &Quirks, (own, number): (&Own<'_>, usize), items: &mut Vec<Value>) {
    // A message that has been begun: its text, and the piece that it begins with.
    let (mut text, mut first) = (String::new(), None);
    let say = |text: &mut String, first: &mut Option<usize>, items: &mut Vec<Value>| {
        let first = first.take();
        items.extend(said(std::mem::take(text)).map(|mut item| {
            first.into_iter().for_each(|first| own.lay((number, first), &mut item));
            item
        }));
    };
    for (at, part) in message.parts.iter().enumerate() {
        let mut between = own.after(Some((number, Some(at)))).cloned().peekable();
        if between.peek().is_some() || own.beside.contains_key(&(number, at)) {
            say(&mut text, &mut first, items);
            items.extend(between);
        }
        match part {
            Part::Text(piece) => {
                first.get_or_insert(at);
                text.push_str(piece);
            }
            Part::ToolCall(call) => {
                say(&mut text, &mut first, items);
                let grouped = own.grouped.get(&call.name);
                let mut item = json!({
                    "type": "function_call",
                    "call_id": call.id,
                    "name": grouped.map_or(call.name.as_str(), |(_, name)| name),
                    "arguments": arguments(call),
                });
                if let Some((namespace, _)) = grouped {
                    item["namespace"] = (*namespace).into();
                }
                own.lay((number, at), &mut item);
                items.push(item);
            }
            Part::Reasoning { text: thought, signature } => {
                say(&mut text, &mut first, items);
                let mut item = reasoning(thought, signature.as_deref(), quirks, items.len());
                item.iter_mut().for_each(|item| own.lay((number, at), item));
                items.extend(item);
            }
            _ => {}
        }
    }
    say(&mut text, &mut first, items);
    items.extend(own.after(Some((number, Some(message.parts.len())))).cloned());
}

/// A message of the model's that says something. llama.cpp takes no plain text here, as OpenAI does.
fn said(text: String) -> Option<Value> {
    let part = (!text.is_empty()).then(|| json!({ "type": "output_text", "text": text }))?;
    Some(json!({ "type": "message", "role": role(Role::Assistant, false), "content": [part] }))
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
