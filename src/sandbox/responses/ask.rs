//! Reads a request of OpenAI Responses, and refuses what the real one refuses.

use serde_json::{Value, json};

use crate::sandbox::check::{
    data_url, first_of, has, input_tokens, is_tool_name, list, model, output_limit, remark, remark_url, stranger, text,
};
use crate::sandbox::dialect::{Ask, Failure};
use crate::sandbox::wants::{Choice, Offered, Wants};

const FIELDS: [&str; 34] = [
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "provider",
    "models",
    "plugins",
];
/// What not every model takes.
const REFUSABLE: [&str; 3] = ["temperature", "top_p", "reasoning"];
/// The smallest output limit that is taken.
const SMALLEST: u64 = 16;

/// What is asked, or what is wrong with it.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let model = model(body).ok_or_else(|| Failure::field("model", "Missing required parameter: 'model'."))?;
    if let Some(name) = stranger(body, &FIELDS) {
        return Err(Failure::invalid(format!("Unknown parameter: '{name}'.")));
    }
    let too_small = || {
        let message =
            format!("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {SMALLEST}.");
        Failure::field("max_output_tokens", message)
    };
    let limit = output_limit(body, "max_output_tokens").map_err(|()| too_small())?;
    if limit.is_some_and(|limit| limit < SMALLEST) {
        return Err(too_small());
    }
    let effort = body.pointer("/reasoning/effort").and_then(Value::as_str);
    let mut wants = Wants { thinks: effort.is_some_and(|effort| effort != "none"), ..Wants::default() };
    wants.thinks |= body.pointer("/reasoning/summary").is_some_and(Value::is_string);
    tools(body, &mut wants)?;
    wants.schema = schema(body)?;
    let input = match body.get("input") {
        Some(Value::String(text)) if !text.is_empty() => &[][..],
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => return Err(Failure::field("input", "Missing required parameter: 'input'.")),
    };
    items(input, &mut wants)?;
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        stream_usage: true,
        max_tokens: limit,
        input_tokens: input_tokens(body.get("input").into_iter().chain(body.get("instructions"))),
        mark: None,
        refusable: first_of(body, &REFUSABLE),
        wants,
    })
}

/// Tools are flat here: no `function` around them.
fn tools(body: &Value, wants: &mut Wants) -> Result<(), Failure> {
    for (at, tool) in list(body, "tools").iter().enumerate() {
        match text(tool, "type") {
            Some("function") => {}
            Some(_) => continue,
            None => return Err(Failure::field("tools", format!("Missing required parameter: 'tools[{at}].type'."))),
        }
        let name = text(tool, "name")
            .ok_or_else(|| Failure::field("tools", format!("Missing required parameter: 'tools[{at}].name'.")))?;
        if !is_tool_name(name, 128) {
            return Err(Failure::field("tools", format!("Invalid 'tools[{at}].name': string does not match pattern.")));
        }
        let parameters = tool.get("parameters").filter(|schema| !schema.is_null()).cloned();
        let parameters = parameters.unwrap_or_else(|| json!({"type": "object"}));
        wants.tools.push(Offered { name: name.to_owned(), parameters });
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    wants.choice = match choice.as_str() {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::Never,
        Some("required") => Choice::Must,
        Some(other) => return Err(Failure::field("tool_choice", format!("Invalid value: '{other}'."))),
        None => {
            let name = text(choice, "name").unwrap_or_default();
            if !wants.tools.iter().any(|tool| tool.name == name) {
                let message = format!("Tool choice 'function' not found in 'tools' parameter: {name}.");
                return Err(Failure::field("tool_choice", message));
            }
            Choice::Named(name.to_owned())
        }
    };
    Ok(())
}

fn schema(body: &Value) -> Result<Option<Value>, Failure> {
    let Some(format) = body.pointer("/text/format") else { return Ok(None) };
    match text(format, "type") {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "object", "properties": {"answer": {}}}))),
        Some("json_schema") => {
            let missing =
                |field: &str| Failure::field("text", format!("Missing required parameter: 'text.format.{field}'."));
            text(format, "name").filter(|name| is_tool_name(name, 64)).ok_or_else(|| missing("name"))?;
            let schema = format.get("schema").filter(|schema| schema.is_object()).ok_or_else(|| missing("schema"))?;
            Ok(Some(schema.clone()))
        }
        _ => Err(Failure::field("text", "Invalid value: 'text.format.type'.")),
    }
}

/// Messages, calls of tools and their outputs, one after another.
fn items(items: &[Value], wants: &mut Wants) -> Result<(), Failure> {
    let bad = |message: String| Failure::field("input", message);
    let mut open: Vec<&str> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match text(item, "type") {
            None | Some("message") => {
                message(item, at, wants)?;
                // What a person says behind a result is of the same turn.
                if text(item, "role") == Some("assistant") {
                    wants.result = None;
                }
            }
            Some("function_call") => {
                let arguments = item.get("arguments").and_then(Value::as_str);
                let (Some(id), Some(_), Some(_)) = (text(item, "call_id"), text(item, "name"), arguments) else {
                    return Err(bad(format!("Missing required parameter in 'input[{at}]'.")));
                };
                open.push(id);
            }
            Some("function_call_output") => {
                let id = text(item, "call_id").unwrap_or_default();
                let Some(known) = open.iter().position(|known| *known == id) else {
                    return Err(bad(format!("No tool call found for function call output with call_id {id}.")));
                };
                open.remove(known);
                wants.result = Some(match item.get("output") {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Array(parts)) => content(parts, at, "input_", wants)?,
                    _ => return Err(bad(format!("Missing required parameter: 'input[{at}].output'."))),
                });
            }
            Some("reasoning") if !item.get("summary").is_some_and(Value::is_array) => {
                return Err(bad(format!("Missing required parameter: 'input[{at}].summary'.")));
            }
            Some("reasoning" | "item_reference" | "compaction") => {}
            Some(kind) if kind.ends_with("_call") || kind.ends_with("_output") => {}
            Some(other) => return Err(bad(format!("Invalid value: '{other}' of 'input[{at}].type'."))),
        }
    }
    match open[..] {
        [] => Ok(()),
        [first, ..] => Err(bad(format!("No tool output found for function call {first}."))),
    }
}

fn message(item: &Value, at: usize, wants: &mut Wants) -> Result<(), Failure> {
    let role = text(item, "role").unwrap_or_default();
    if !["user", "assistant", "system", "developer"].contains(&role) {
        let supported = "Supported values are: 'assistant', 'system', 'developer', and 'user'.";
        return Err(Failure::field("input", format!("Invalid value: '{role}'. {supported}")));
    }
    match item.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => {
            let prefix = if role == "assistant" { "output_" } else { "input_" };
            content(parts, at, prefix, wants).map(|_| ())
        }
        _ => Err(Failure::field("input", format!("Missing required parameter: 'input[{at}].content'."))),
    }
}

/// The text of some parts; what an assistant said is `output_*`, all else `input_*`.
fn content(parts: &[Value], at: usize, prefix: &str, wants: &mut Wants) -> Result<String, Failure> {
    let mut said = String::new();
    for (number, part) in parts.iter().enumerate() {
        let bad = |why: &str| Failure::field("input", format!("Invalid 'input[{at}].content[{number}]': {why}."));
        let kind = text(part, "type").unwrap_or_default();
        if !kind.starts_with(prefix) && kind != "refusal" {
            return Err(bad(&format!("'{kind}' is no part of this message")));
        }
        let file = match kind {
            "input_text" | "output_text" => {
                said += part.get("text").and_then(Value::as_str).ok_or_else(|| bad("it has no text"))?;
                continue;
            }
            "refusal" => continue,
            "input_image" | "input_file" if has(part, "file_id") => continue,
            "input_image" => text(part, "image_url").ok_or_else(|| bad("it has no image_url"))?,
            "input_file" => text(part, "file_data")
                .or_else(|| text(part, "file_url"))
                .ok_or_else(|| bad("it has neither file_data nor file_url"))?,
            other => return Err(bad(&format!("'{other}' is none of the supported values"))),
        };
        if kind == "input_file" && has(part, "file_data") && text(part, "filename").is_none() {
            return Err(bad("a filename is required with file_data"));
        }
        let remarked = match data_url(file) {
            Some(read) => read.map_err(str::to_owned).and_then(|(mime, bytes)| remark(&mime, &bytes)),
            None => remark_url("a file", file),
        };
        wants.remarks.push(remarked.map_err(|why| bad(&why))?);
    }
    Ok(said)
}
