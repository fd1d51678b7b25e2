//! Reads a request of Anthropic Messages, and refuses what the real one refuses.

use serde_json::Value;

use crate::sandbox::check::{
    begun_claude, decoded, first_of, has, input_tokens, is_tool_name, list, mark, model, output_limit, remark,
    remark_url, stranger, text,
};
use crate::sandbox::dialect::{Ask, Failure};
use crate::sandbox::wants::{Choice, Offered, Wants};

/// The API version that no longer takes sampling parameters.
const WITHOUT_SAMPLING: &str = "2026-10-21";
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];
/// What not every model takes.
const REFUSABLE: [&str; 4] = ["temperature", "top_p", "top_k", "thinking"];
/// How many blocks may carry a mark for the prompt cache.
const MARKS: usize = 4;

const FIELDS: [&str; 22] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "container",
    "context_management",
    "mcp_servers",
    "cache_control",
    "inference_geo",
    "speed",
];

/// Where the protocol is spoken.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Host<'a> {
    /// The model, where the path names it; the body must not then.
    pub(in crate::sandbox) model: Option<&'a str>,
    /// The API version.
    pub(in crate::sandbox) version: &'a str,
    /// Whether the version stands in the body.
    pub(in crate::sandbox) in_body: bool,
}

/// What is asked, or what is wrong with it.
pub(in crate::sandbox) fn read(body: &Value, host: &Host<'_>) -> Result<Ask, Failure> {
    let missing = |field: &'static str| Failure::field(field, format!("{field}: Field required"));
    let extra = |field: &str| Failure::invalid(format!("{field}: Extra inputs are not permitted"));
    let version = host.version;
    let model = match host.model {
        Some(_) if has(body, "model") => return Err(extra("model")),
        Some(model) => model,
        None => model(body).ok_or_else(|| missing("model"))?,
    };
    let of_body: &[&str] = if host.in_body { &["anthropic_version", "anthropic_beta"] } else { &[] };
    if let Some(name) = stranger(body, &[&FIELDS, of_body].concat()) {
        return Err(extra(name));
    }
    let messages = body.get("messages").and_then(Value::as_array).ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(Failure::field("messages", "messages: at least one message is required"));
    }
    let too_small = |()| Failure::field("max_tokens", "max_tokens: Input should be greater than or equal to 1");
    let limit = output_limit(body, "max_tokens").map_err(too_small)?.ok_or_else(|| missing("max_tokens"))?;
    match first_of(body, &SAMPLING) {
        Some(field) if version == WITHOUT_SAMPLING => {
            return Err(Failure::field(field, format!("{field}: Extra inputs are not permitted")));
        }
        _ => {}
    }
    let mut wants = Wants::default();
    tools(body, &mut wants)?;
    thinking(body, limit, &mut wants)?;
    wants.schema = schema(body)?;
    turns(messages, &mut wants)?;
    let thinks = body.pointer("/thinking/type").is_some_and(|kind| kind != "disabled");
    wants.begun = begun_claude(model, messages.last(), thinks)?;
    let marks = body.to_string().matches("\"cache_control\"").count();
    if marks > MARKS {
        let message = format!("A maximum of {MARKS} blocks with cache_control may be provided. Found {marks}.");
        return Err(Failure::invalid(message));
    }
    let contents = messages.iter().filter_map(|message| message.get("content"));
    let input_tokens = input_tokens(contents.chain(body.get("system")));
    let order = [body.get("tools"), body.get("system"), body.get("messages")];
    Ok(Ask {
        model: model.to_owned(),
        stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
        stream_usage: true,
        max_tokens: Some(limit),
        input_tokens,
        mark: mark(&order, "cache_control", input_tokens),
        refusable: first_of(body, &REFUSABLE),
        wants,
    })
}

fn tools(body: &Value, wants: &mut Wants) -> Result<(), Failure> {
    for (at, tool) in list(body, "tools").iter().enumerate() {
        // The provider's own tools have a type and no schema; the sandbox never calls them.
        if text(tool, "type").is_some_and(|kind| kind != "custom") {
            continue;
        }
        let name = text(tool, "name").unwrap_or_default();
        if !is_tool_name(name, 128) {
            let message = format!("tools.{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
            return Err(Failure::field("tools", message));
        }
        let schema = tool.get("input_schema").filter(|schema| schema.is_object());
        let schema =
            schema.ok_or_else(|| Failure::field("tools", format!("tools.{at}.input_schema: Field required")))?;
        if text(schema, "type") != Some("object") {
            let message = format!("tools.{at}.custom.input_schema.type: Input should be 'object'");
            return Err(Failure::field("tools", message));
        }
        wants.tools.push(Offered { name: name.to_owned(), parameters: schema.clone() });
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    let bad = |message: &str| Failure::field("tool_choice", format!("tool_choice: {message}"));
    if list(body, "tools").is_empty() {
        return Err(bad("may only be specified while providing tools"));
    }
    wants.choice = match text(choice, "type") {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::Never,
        Some("any") => Choice::Must,
        Some("tool") => {
            let name = text(choice, "name").ok_or_else(|| bad("name: Field required"))?;
            if !wants.tools.iter().any(|tool| tool.name == name) {
                return Err(bad(&format!("Tool '{name}' not found in provided tools")));
            }
            Choice::Named(name.to_owned())
        }
        _ => return Err(bad("Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'")),
    };
    Ok(())
}

fn thinking(body: &Value, limit: u64, wants: &mut Wants) -> Result<(), Failure> {
    let Some(thinking) = body.get("thinking").filter(|thinking| !thinking.is_null()) else {
        wants.thinks = body.pointer("/output_config/effort").is_some_and(Value::is_string);
        return Ok(());
    };
    match text(thinking, "type") {
        Some("disabled") => return Ok(()),
        Some("adaptive") => {}
        Some("enabled") => {
            let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
            if budget < 1024 {
                let message = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
                return Err(Failure::field("thinking", message));
            }
            if budget >= limit {
                return Err(Failure::field(
                    "max_tokens",
                    "`max_tokens` must be greater than `thinking.budget_tokens`.",
                ));
            }
        }
        _ => {
            let message =
                "thinking: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'";
            return Err(Failure::field("thinking", message));
        }
    }
    if matches!(wants.choice, Choice::Must | Choice::Named(_)) {
        return Err(Failure::field("thinking", "Thinking may not be enabled when tool_choice forces tool use."));
    }
    let temperature = body.get("temperature").map(Value::to_string);
    if temperature.is_some_and(|text| text != "1" && text != "1.0" && text != "null") {
        let message = "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.";
        return Err(Failure::field("temperature", message));
    }
    wants.thinks = text(thinking, "display") != Some("omitted");
    Ok(())
}

/// The wanted shape, in the present field or in the one that a beta had.
fn schema(body: &Value) -> Result<Option<Value>, Failure> {
    let format = body.pointer("/output_config/format").or_else(|| body.get("output_format"));
    let Some(format) = format.filter(|format| !format.is_null()) else { return Ok(None) };
    let schema = format.get("schema").filter(|schema| schema.is_object());
    match (text(format, "type"), schema) {
        (Some("json_schema"), Some(schema)) => Ok(Some(schema.clone())),
        _ => Err(Failure::field("output_config", "output_config.format.schema: Field required")),
    }
}

/// Roles, blocks, and that every call of a tool is answered in the very next message.
fn turns(messages: &[Value], wants: &mut Wants) -> Result<(), Failure> {
    let bad = |message: String| Failure::field("messages", message);
    let mut called: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role").unwrap_or_default();
        match role {
            "user" | "assistant" => {}
            "system" => {
                let message = "messages: Unexpected role \"system\". Use the top-level `system` parameter.";
                return Err(bad(message.to_owned()));
            }
            _ => return Err(bad(format!("messages.{at}.role: Input should be 'user' or 'assistant'"))),
        }
        if at == 0 && role != "user" {
            return Err(bad("messages: first message must use the \"user\" role".to_owned()));
        }
        // What a person says behind a result is of the same turn.
        if role == "assistant" {
            wants.result = None;
        }
        let mut calls = Vec::new();
        let blocks = match message.get("content") {
            Some(Value::String(text)) if text.is_empty() => {
                return Err(bad(format!("messages.{at}: all messages must have non-empty content")));
            }
            Some(Value::String(_)) => &[][..],
            Some(Value::Array(blocks)) if !blocks.is_empty() => blocks,
            _ => return Err(bad(format!("messages.{at}.content: Input should be a valid list"))),
        };
        for (place, block) in blocks.iter().enumerate() {
            let path = format!("messages.{at}.content.{place}");
            match text(block, "type") {
                Some("tool_use") => {
                    let (Some(id), Some(_), true) =
                        (text(block, "id"), text(block, "name"), block.get("input").is_some_and(Value::is_object))
                    else {
                        return Err(bad(format!("{path}.tool_use: id, name and input are required")));
                    };
                    calls.push(id);
                }
                Some("tool_result") => {
                    let id = text(block, "tool_use_id").unwrap_or_default();
                    let Some(known) = called.iter().position(|known| *known == id) else {
                        return Err(bad(format!(
                            "{path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` \
                             block must have a corresponding `tool_use` block in the previous message."
                        )));
                    };
                    called.remove(known);
                    wants.result = Some(result(block, &path, wants)?);
                }
                _ => said(block, &path, wants)?,
            }
        }
        if let [first, ..] = called[..] {
            return Err(bad(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {first}. Each \
                 `tool_use` block must have a corresponding `tool_result` block in the next message."
            )));
        }
        called = calls;
    }
    Ok(())
}

/// The text of a tool's result; its images are remarked upon.
fn result(block: &Value, path: &str, wants: &mut Wants) -> Result<String, Failure> {
    let parts = match block.get("content") {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        Some(_) => {
            return Err(Failure::field("messages", format!("{path}.tool_result.content: Input should be a list")));
        }
    };
    let mut all = String::new();
    for (at, part) in parts.iter().enumerate() {
        said(part, &format!("{path}.tool_result.content.{at}"), wants)?;
        all += part.get("text").and_then(Value::as_str).unwrap_or_default();
    }
    Ok(all)
}

/// Checks a block that is neither a call nor a result.
fn said(block: &Value, path: &str, wants: &mut Wants) -> Result<(), Failure> {
    let bad = |message: String| Failure::field("messages", message);
    match text(block, "type") {
        Some("text") => match block.get("text").and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() => Ok(()),
            Some(_) => Err(bad("messages: text content blocks must be non-empty".to_owned())),
            None => Err(bad(format!("{path}.text.text: Field required"))),
        },
        Some("image") => file(block, path, "an image", wants),
        Some("document") => file(block, path, "a document", wants),
        Some("thinking") if text(block, "signature").is_none() => {
            Err(bad(format!("{path}: Invalid `signature` in `thinking` block")))
        }
        Some("thinking" | "redacted_thinking" | "search_result" | "server_tool_use" | "container_upload") => Ok(()),
        Some(kind) if kind.ends_with("_tool_result") => Ok(()),
        other => Err(bad(format!(
            "{path}: Input tag '{}' found using 'type' does not match any of the expected tags",
            other.unwrap_or_default()
        ))),
    }
}

fn file(block: &Value, path: &str, kind: &str, wants: &mut Wants) -> Result<(), Failure> {
    let source = block.get("source").unwrap_or(&Value::Null);
    let bad = |what: &str| Failure::field("messages", format!("{path}.source: {what}"));
    let remarked = match text(source, "type") {
        Some("base64") => {
            let mime = text(source, "media_type").ok_or_else(|| bad("media_type: Field required"))?;
            let data = text(source, "data").ok_or_else(|| bad("data: Field required"))?;
            let is_pdf = mime == "application/pdf";
            if is_pdf != (kind == "a document") {
                return Err(bad(&format!("media_type: '{mime}' is none of those of {kind}")));
            }
            decoded(data).map_err(str::to_owned).and_then(|bytes| remark(mime, &bytes))
        }
        Some("url") => remark_url(kind, text(source, "url").unwrap_or_default()),
        Some("text" | "content" | "file") => return Ok(()),
        _ => return Err(bad("Input tag does not match any of the expected tags: 'base64', 'url'")),
    };
    wants.remarks.push(remarked.map_err(|why| bad(&why))?);
    Ok(())
}
