//! Reads a request of Bedrock Converse, and refuses what the real one refuses. Fields are those of the service model
//! that AWS ships with its SDKs (`bedrock-runtime`, 2023-09-30).

use serde_json::{Value, json};

use crate::sandbox::check::{
    begun_claude, decoded, first_of, has, input_tokens, is_tool_name, list, mark, output_limit, remark, stranger, text,
};
use crate::sandbox::dialect::{Ask, Failure, Route};
use crate::sandbox::wants::{Choice, Offered, Wants};

const FIELDS: [&str; 13] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "projectIdentifier",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];
const INFERENCE: [&str; 4] = ["maxTokens", "temperature", "topP", "stopSequences"];
/// What a block is; exactly one of these.
const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];

/// What is asked, or what is wrong with it.
pub(super) fn read(route: &Route, body: &Value) -> Result<Ask, Failure> {
    if let Some(name) = stranger(body, &FIELDS) {
        return Err(Failure::invalid(format!("Malformed input request: extraneous key [{name}] is not permitted.")));
    }
    let inference = body.get("inferenceConfig").unwrap_or(&Value::Null);
    if let Some(name) = stranger(inference, &INFERENCE) {
        return Err(Failure::invalid(format!("extraneous key [inferenceConfig.{name}] is not permitted.")));
    }
    let too_small = |()| {
        let rule = "Member must have value greater than or equal to 1";
        Failure::invalid(format!("Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: {rule}"))
    };
    let limit = output_limit(inference, "maxTokens").map_err(too_small)?;
    let messages = list(body, "messages");
    if messages.is_empty() {
        return Err(Failure::invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    for block in list(body, "system") {
        let _ = union(block, &["text", "guardContent", "cachePoint"], "system")?;
        if block.get("text").is_some_and(|text| text.as_str().is_none_or(str::is_empty)) {
            return Err(Failure::invalid("The text field in the system block is blank."));
        }
    }
    let mut wants = Wants { schema: schema(body)?, ..Wants::default() };
    tools(body, &mut wants)?;
    wants.thinks = thinks(body, limit, &wants)?;
    turns(messages, has(body, "toolConfig"), &mut wants)?;
    let model = route.model.clone().unwrap_or_default();
    let thinks = body.pointer("/additionalModelRequestFields/thinking/type").is_some_and(|kind| kind != "disabled");
    if model.contains("claude") {
        wants.begun = begun_claude(&model, messages.last(), thinks)?;
    }
    let contents = messages.iter().filter_map(|message| message.get("content"));
    let input_tokens = input_tokens(contents.chain(body.get("system")));
    let order = [body.get("toolConfig"), body.get("system"), body.get("messages")];
    Ok(Ask {
        model,
        stream: route.stream,
        stream_usage: true,
        max_tokens: limit,
        input_tokens,
        mark: mark(&order, "cachePoint", input_tokens),
        refusable: first_of(inference, &["temperature", "topP"]),
        wants,
    })
}

/// Which member of a union a value is.
fn union<'a>(value: &Value, members: &[&'a str], place: &str) -> Result<&'a str, Failure> {
    let set: Vec<&str> = members.iter().copied().filter(|member| value.get(*member).is_some()).collect();
    if let Some(name) = stranger(value, members) {
        return Err(Failure::invalid(format!("extraneous key [{name}] is not permitted at {place}.")));
    }
    match set[..] {
        [one] => Ok(one),
        [] => Err(Failure::invalid(format!("The content block at {place} is empty: set one of its members."))),
        _ => Err(Failure::invalid(format!("The content block at {place} is a union: set only one of its members."))),
    }
}

fn schema(body: &Value) -> Result<Option<Value>, Failure> {
    let Some(format) = body.pointer("/outputConfig/textFormat") else { return Ok(None) };
    let bad = || Failure::invalid("outputConfig.textFormat: type must be json_schema, and the schema a JSON text.");
    let schema = format.pointer("/structure/jsonSchema/schema").and_then(Value::as_str).ok_or_else(bad)?;
    let schema: Value = serde_json::from_str(schema).map_err(|_| bad())?;
    if text(format, "type") != Some("json_schema") || !schema.is_object() {
        return Err(bad());
    }
    Ok(Some(schema))
}

fn tools(body: &Value, wants: &mut Wants) -> Result<(), Failure> {
    let Some(config) = body.get("toolConfig").filter(|config| !config.is_null()) else { return Ok(()) };
    let tools = list(config, "tools");
    if tools.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(Failure::invalid(format!("Value at 'toolConfig.tools' failed to satisfy constraint: {rule}")));
    }
    for (at, tool) in tools.iter().enumerate() {
        let place = format!("toolConfig.tools.{at}");
        if union(tool, &["toolSpec", "systemTool", "cachePoint"], &place)? != "toolSpec" {
            continue;
        }
        let spec = &tool["toolSpec"];
        let name = text(spec, "name").unwrap_or_default();
        if !is_tool_name(name, 64) {
            return Err(Failure::invalid(format!("{place}.member.toolSpec.name: must match [a-zA-Z0-9_-]+")));
        }
        if spec.get("description").is_some_and(|description| description.as_str().is_none_or(str::is_empty)) {
            return Err(Failure::invalid(format!("{place}.member.toolSpec.description: must not be empty")));
        }
        let parameters = spec.pointer("/inputSchema/json").filter(|schema| text(schema, "type") == Some("object"));
        let Some(parameters) = parameters else {
            let message =
                format!("The value at {place}.toolSpec.inputSchema.json.type must be one of the following: object.");
            return Err(Failure::invalid(message));
        };
        wants.tools.push(Offered { name: name.to_owned(), parameters: parameters.clone() });
    }
    let Some(choice) = config.get("toolChoice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    wants.choice = match union(choice, &["auto", "any", "tool"], "toolConfig.toolChoice")? {
        "any" => Choice::Must,
        "tool" => {
            let name = choice.pointer("/tool/name").and_then(Value::as_str).unwrap_or_default();
            if !wants.tools.iter().any(|tool| tool.name == name) {
                return Err(Failure::invalid(format!(
                    "The tool '{name}' of toolConfig.toolChoice is not in toolConfig.tools."
                )));
            }
            Choice::Named(name.to_owned())
        }
        _ => Choice::Auto,
    };
    Ok(())
}

/// Thinking as Claude and Nova take it, in the model's own fields.
fn thinks(body: &Value, limit: Option<u64>, wants: &Wants) -> Result<bool, Failure> {
    let fields = body.get("additionalModelRequestFields").unwrap_or(&Value::Null);
    let word = |pointer: &str| fields.pointer(pointer).and_then(Value::as_str);
    let kind =
        word("/thinking/type").or_else(|| word("/reasoning_config/type")).or_else(|| word("/reasoningConfig/type"));
    let effort = word("/output_config/effort").or_else(|| word("/reasoning_effort")).filter(|effort| *effort != "none");
    let is_on = match kind {
        Some("enabled" | "adaptive") => true,
        Some("disabled") => false,
        Some(other) => {
            return Err(Failure::invalid(format!("thinking: '{other}' is none of adaptive, disabled, enabled")));
        }
        None => effort.is_some() || body.pointer("/outputConfig/effort").is_some(),
    };
    let budget = fields.pointer("/thinking/budget_tokens").and_then(Value::as_u64);
    let errors = "The model returned the following errors:";
    if is_on && kind == Some("enabled") && has(fields, "thinking") {
        let budget = budget.unwrap_or(0);
        if budget < 1024 {
            let rule = "Input should be greater than or equal to 1024";
            return Err(Failure::invalid(format!("{errors} thinking.enabled.budget_tokens: {rule}")));
        }
        if limit.is_some_and(|limit| budget >= limit) {
            let rule = "`max_tokens` must be greater than `thinking.budget_tokens`.";
            return Err(Failure::invalid(format!("{errors} {rule}")));
        }
    }
    if is_on && kind.is_some() && matches!(wants.choice, Choice::Must | Choice::Named(_)) {
        let rule = "Thinking may not be enabled when tool_choice forces tool use.";
        return Err(Failure::invalid(format!("{errors} {rule}")));
    }
    Ok(is_on)
}

/// Roles in turn, blocks, and that every call of a tool is answered in the very next message.
fn turns(messages: &[Value], has_tools: bool, wants: &mut Wants) -> Result<(), Failure> {
    let mut called: Vec<&str> = Vec::new();
    let mut last = "assistant";
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role").unwrap_or_default();
        if !["user", "assistant"].contains(&role) {
            let rule = "Member must satisfy enum value set: [user, assistant]";
            return Err(Failure::invalid(format!(
                "Value '{role}' at 'messages.{at}.role' failed to satisfy constraint: {rule}"
            )));
        }
        if role == last {
            return Err(Failure::invalid(if at == 0 {
                "A conversation must start with a user message. Try again with a conversation that starts with a user message."
            } else {
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again."
            }));
        }
        last = role;
        let blocks = list(message, "content");
        if blocks.is_empty() {
            return Err(Failure::invalid(format!(
                "The content field in the Message object at messages.{at} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        // What a person says behind a result is of the same turn.
        if role == "assistant" {
            wants.result = None;
        }
        let mut calls = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            let place = format!("messages.{at}.content.{number}");
            let kind = union(block, &BLOCKS, &place)?;
            let inner = &block[kind];
            if ["toolUse", "toolResult"].contains(&kind) && !has_tools {
                return Err(Failure::invalid(
                    "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
                ));
            }
            match kind {
                "toolUse" => {
                    let (Some(id), Some(_), true) = (
                        text(inner, "toolUseId"),
                        text(inner, "name"),
                        inner.get("input").is_some_and(Value::is_object),
                    ) else {
                        return Err(Failure::invalid(format!(
                            "{place}.toolUse: toolUseId, name and input are required."
                        )));
                    };
                    calls.push(id);
                }
                "toolResult" => {
                    let id = text(inner, "toolUseId").unwrap_or_default();
                    let Some(known) = called.iter().position(|known| *known == id) else {
                        return Err(Failure::invalid(format!(
                            "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
                        )));
                    };
                    called.remove(known);
                    wants.result = Some(result(inner, &place, wants)?);
                }
                _ => said(kind, inner, &place, wants)?,
            }
        }
        let has_text = blocks.iter().any(|block| has(block, "text"));
        if blocks.iter().any(|block| has(block, "document")) && !has_text {
            return Err(Failure::invalid("A text block is required when a document block is included in the request."));
        }
        if let [first, ..] = called[..] {
            return Err(Failure::invalid(format!(
                "Expected toolResult blocks at messages.{at}.content for the following Ids: {first}"
            )));
        }
        called = calls;
    }
    Ok(())
}

fn result(result: &Value, place: &str, wants: &mut Wants) -> Result<String, Failure> {
    if text(result, "status").is_some_and(|status| !["success", "error"].contains(&status)) {
        return Err(Failure::invalid(format!("{place}.toolResult.status: must be success or error.")));
    }
    if !result.get("content").is_some_and(Value::is_array) {
        return Err(Failure::invalid(format!("{place}.toolResult.content: must be a list.")));
    }
    let mut all = String::new();
    for (at, part) in list(result, "content").iter().enumerate() {
        let place = format!("{place}.toolResult.content.{at}");
        let kind = union(part, &["json", "text", "image", "document", "video", "searchResult"], &place)?;
        match kind {
            "text" => all += part["text"].as_str().unwrap_or_default(),
            "json" => all += &part["json"].to_string(),
            _ => said(kind, &part[kind], &place, wants)?,
        }
    }
    Ok(all)
}

/// Checks a block that is neither a call nor a result.
fn said(kind: &str, inner: &Value, place: &str, wants: &mut Wants) -> Result<(), Failure> {
    match kind {
        "text" if inner.as_str().is_none_or(|text| text.trim().is_empty()) => Err(Failure::invalid(format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        ))),
        "cachePoint" if text(inner, "type") != Some("default") => {
            Err(Failure::invalid(format!("{place}.cachePoint.type: must be default.")))
        }
        "reasoningContent" => {
            let shown = inner.get("reasoningText");
            if shown.is_some_and(|shown| !shown.get("text").is_some_and(Value::is_string)) {
                return Err(Failure::invalid(format!("{place}.reasoningContent.reasoningText.text is required.")));
            }
            Ok(())
        }
        "image" | "document" => {
            let remarked = file(kind, inner).map_err(|why| Failure::invalid(format!("{place}.{kind}: {why}")))?;
            wants.remarks.extend(remarked);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn file(kind: &str, file: &Value) -> Result<Option<String>, String> {
    let format = text(file, "format").unwrap_or_default();
    let formats: &[&str] = if kind == "image" {
        &["png", "jpeg", "gif", "webp"]
    } else {
        &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"]
    };
    if !formats.contains(&format) {
        return Err(format!("the format '{format}' is none of {}", formats.join(", ")));
    }
    if kind == "document" {
        document_name(text(file, "name").unwrap_or_default())?;
    }
    let source = file.get("source").cloned().unwrap_or(json!({}));
    let Some(data) = text(&source, "bytes") else {
        let is_other = ["s3Location", "text", "content"].iter().any(|member| has(&source, member));
        return if is_other { Ok(None) } else { Err("source.bytes is required".to_owned()) };
    };
    let bytes = decoded(data).map_err(|why| format!("source.bytes {why}"))?;
    match format {
        "pdf" => remark("application/pdf", &bytes).map(Some),
        format if kind == "image" => remark(&format!("image/{format}"), &bytes).map(Some),
        _ => Ok(None),
    }
}

/// Document names take only a few characters, and no two spaces in a row.
fn document_name(name: &str) -> Result<(), String> {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || " -()[]".contains(letter);
    if name.is_empty() || name.len() > 200 || !name.chars().all(is_allowed) || name.contains("  ") {
        return Err(
            "the name may hold alphanumeric characters, single spaces, hyphens, parentheses and square brackets".into(),
        );
    }
    Ok(())
}
