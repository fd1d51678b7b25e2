//! What a stream of each dialect must be for clients that take it at its word: whatever begins has a name and an end, nothing
//! grows after its end, and what is said to be whole is all that came.

use std::collections::BTreeMap;

use openmux::gateway::codec::Dialect;
use serde_json::Value;

/// Whether a stream is as its clients expect it.
pub(super) fn kept(dialect: Dialect, stream: &str) -> Result<(), String> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let events: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    match dialect {
        Dialect::OpenaiChat => chat(&events),
        Dialect::AnthropicMessages => messages(&events),
        Dialect::OpenaiResponses => responses(&events),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A call begins with its id and its name, and has both once; the finish is said once, in the last choice.
fn chat(chunks: &[Value]) -> Result<(), String> {
    let mut calls: BTreeMap<u64, usize> = BTreeMap::new();
    let choices: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["choices"].get(0)).collect();
    for choice in &choices {
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let pieces = calls.entry(call["index"].as_u64().ok_or("a call without an index")?).or_default();
            let (id, name) = (text(&call["id"]), text(&call["function"]["name"]));
            let is_begun = *pieces > 0;
            if is_begun == (!id.is_empty() || !name.is_empty()) || id.is_empty() != name.is_empty() {
                return Err(format!("a call begins with its id and its name: {choice}"));
            }
            *pieces += 1;
        }
    }
    let finished = choices.iter().position(|choice| choice["finish_reason"].is_string());
    let last = choices.len().checked_sub(1);
    (finished == last).then_some(()).ok_or_else(|| format!("the last choice says how it ended: {choices:?}"))
}

/// Blocks are numbered as they begin; each has its pieces, then its end.
fn messages(events: &[Value]) -> Result<(), String> {
    let mut blocks: Vec<(String, String, bool)> = Vec::new();
    for event in events {
        let at = event["index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match (text(&event["type"]), at) {
            ("content_block_start", Some(at)) => {
                let block = &event["content_block"];
                let nameless =
                    block["type"] == "tool_use" && (text(&block["id"]).is_empty() || text(&block["name"]).is_empty());
                if at != blocks.len() || nameless {
                    return Err(format!("a block begins in its place, a call with its name: {event}"));
                }
                blocks.push((text(&block["type"]).to_owned(), String::new(), true));
            }
            ("content_block_delta", Some(at)) => {
                let block = blocks.get_mut(at).filter(|(.., open)| *open);
                let (_, arguments, _) = block.ok_or_else(|| format!("nothing is open there: {event}"))?;
                arguments.push_str(text(&event["delta"]["partial_json"]));
            }
            ("content_block_stop", Some(at)) => {
                let block = blocks.get_mut(at).filter(|(.., open)| *open);
                let (kind, arguments, open) = block.ok_or_else(|| format!("nothing is open there: {event}"))?;
                *open = false;
                if kind == "tool_use" && !arguments.is_empty() && serde_json::from_str::<Value>(arguments).is_err() {
                    return Err(format!("a call ends before its arguments do: {arguments}"));
                }
            }
            ("message_delta", _) if blocks.iter().any(|(.., open)| *open) => {
                return Err("a block has no end".to_owned());
            }
            ("message_delta", _) if event["delta"]["stop_reason"].is_null() => {
                return Err("no reason to stop".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// One of a response's items.
#[derive(Debug, Default)]
struct Item {
    added: Value,
    /// What has come of its text or its arguments.
    came: String,
    /// Whether it was said that this is all of it.
    is_whole: bool,
    done: Option<Value>,
}

/// The text, the refusal, the thought or the arguments that an item holds in the end.
fn held(item: &Value) -> &str {
    text(match (text(&item["type"]), text(&item["content"][0]["type"])) {
        ("function_call", _) => &item["arguments"],
        ("reasoning", _) => &item["summary"][0]["text"],
        (_, "refusal") => &item["content"][0]["refusal"],
        _ => &item["content"][0]["text"],
    })
}

/// What is done is all that came, and is what the response holds in the end.
fn responses(events: &[Value]) -> Result<(), String> {
    let mut items: Vec<Item> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let place = || event.to_string();
        if event["sequence_number"] != number {
            return Err(format!("out of order: {event}"));
        }
        let at = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        let kind = text(&event["type"]);
        match (kind, at) {
            ("response.output_item.added", Some(at)) => {
                let item = &event["item"];
                let is_nameless = item["type"] == "function_call" && text(&item["name"]).is_empty();
                if at != items.len() || is_nameless {
                    return Err(place());
                }
                items.push(Item { added: item.clone(), ..Item::default() });
            }
            (_, Some(at)) => {
                let item = items.get_mut(at).filter(|item| item.done.is_none()).ok_or_else(place)?;
                let told = &event["item"];
                let whole = match kind {
                    "response.function_call_arguments.done" if item.came.is_empty() => "{}",
                    "response.function_call_arguments.done" => text(&event["arguments"]),
                    "response.output_text.done" | "response.reasoning_summary_text.done" => text(&event["text"]),
                    "response.refusal.done" => text(&event["refusal"]),
                    "response.output_item.done" => held(told),
                    _ => item.came.as_str(),
                };
                let same = ["id", "call_id", "name", "namespace"].iter().all(|name| told[*name] == item.added[*name]);
                if (!item.came.is_empty() && whole != item.came) || (told.is_object() && !same) {
                    return Err(format!("{} is not what is done: {event}", item.came));
                }
                item.is_whole |= ["text.done", "refusal.done", "arguments.done"].iter().any(|end| kind.ends_with(end));
                item.came.push_str(text(&event["delta"]));
                if told.is_object() && !item.came.is_empty() && !item.is_whole {
                    return Err(format!("it ends before its text does: {event}"));
                }
                item.done = told.is_object().then(|| told.clone());
            }
            ("response.completed" | "response.incomplete", _) => {
                let done: Option<Vec<Value>> = items.iter().map(|item| item.done.clone()).collect();
                if done.map(Value::from).as_ref() != Some(&event["response"]["output"]) {
                    return Err(format!("not what was done: {event}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
