//! Reads a request of OpenAI Chat Completions, and refuses what the real one refuses.

use serde_json::Value;

use crate::sandbox::check::{
    data_url, first_of, has, input_tokens, is_tool_name, list, model, output_limit, remark, remark_url, stranger, text,
};
use crate::sandbox::dialect::{Ask, Failure};
use crate::sandbox::wants::{Begun, Choice, Offered, Wants};

/// What not every model takes, the ones that clients can do without first.
const REFUSABLE: [&str; 5] = ["temperature", "top_p", "seed", "reasoning_effort", "stream_options"];

/// Every field of OpenAI's own.
const OWN: [&str; 36] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
];

/// Fields that hosts and gateways with this protocol take beside them.
const OTHERS: [&str; 32] = [
    "add_generation_prompt",
    "chat_template_args",
    "chat_template_kwargs",
    "cache_control",
    "continue_final_message",
    "enable_thinking",
    "extra_body",
    "guided_json",
    "include_reasoning",
    "min_p",
    "models",
    "options",
    "plugins",
    "preset",
    "prompt_mode",
    "provider",
    "providerOptions",
    "random_seed",
    "reasoning",
    "reasoning_format",
    "reasoning_split",
    "repetition_penalty",
    "route",
    "safe_prompt",
    "search_parameters",
    "thinking",
    "thinking_budget",
    "top_a",
    "top_k",
    "transforms",
    "usage",
    "web_search_options",
];

/// What is asked, or what is wrong with it.
pub(super) fn read(body: &Value) -> Result<Ask, Failure> {
    let model = model(body).ok_or_else(|| Failure::invalid("you must provide a model parameter"))?;
    let known = [&OWN[..], &OTHERS[..]].concat();
    if let Some(name) = stranger(body, &known) {
        return Err(Failure::invalid(format!("Unrecognized request argument supplied: {name}")));
    }
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .ok_or_else(|| Failure::field("messages", "Missing required parameter: 'messages'."))?;
    if messages.is_empty() {
        return Err(Failure::field("messages", "[] is too short - 'messages'"));
    }
    let limit = |field| {
        output_limit(body, field).map_err(|()| Failure::field(field, format!("Invalid '{field}': below minimum 1.")))
    };
    let (old, new) = (limit("max_tokens")?, limit("max_completion_tokens")?);
    if old.is_some() && new.is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Failure::field("max_tokens", message));
    }
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    if has(body, "stream_options") && !stream {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Failure::field("stream_options", message));
    }
    let mut wants = Wants { thinks: thinks(body), ..Wants::default() };
    tools(body, &mut wants)?;
    wants.schema = schema(body)?;
    turns(messages, &mut wants)?;
    wants.begun = begun(body, messages.last())?;
    Ok(Ask {
        model: model.to_owned(),
        stream,
        stream_usage: body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
        max_tokens: old.or(new),
        input_tokens: input_tokens(messages.iter().filter_map(|message| message.get("content"))),
        mark: None,
        refusable: first_of(body, &REFUSABLE),
        wants,
    })
}

/// The beginning of the answer, where one of the hosts' marks says that the last message is one.
fn begun(body: &Value, last: Option<&Value>) -> Result<Option<Begun>, Failure> {
    let set = |of: &Value, name: &str| of.get(name).and_then(Value::as_bool) == Some(true);
    let Some(last) = last else { return Ok(None) };
    let goes_on = set(body, "continue_final_message");
    if goes_on && body.get("add_generation_prompt").and_then(Value::as_bool) != Some(false) {
        let message = "Cannot set both `continue_final_message` and `add_generation_prompt` to True.";
        return Err(Failure::invalid(message));
    }
    let echoed = set(last, "prefix");
    if !(goes_on || echoed || set(last, "partial")) {
        return Ok(None);
    }
    match (text(last, "role"), text(last, "content")) {
        (Some("assistant"), Some(said)) => Ok(Some(Begun { text: said.to_owned(), echoed })),
        _ => Err(Failure::field("messages", "Only the last message, of the assistant, can be a prefix.")),
    }
}

/// Whether thinking is asked for in any host's words.
fn thinks(body: &Value) -> bool {
    let word = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let on = |pointer: &str| body.pointer(pointer).and_then(Value::as_bool);
    let effort = word("/reasoning_effort").or_else(|| word("/reasoning/effort"));
    let switches = [
        "/reasoning/enabled",
        "/enable_thinking",
        "/chat_template_kwargs/enable_thinking",
        "/chat_template_args/enable_thinking",
        "/reasoning_split",
    ];
    effort.is_some_and(|effort| effort != "none")
        || word("/thinking/type") == Some("enabled")
        || word("/prompt_mode") == Some("reasoning")
        || body.pointer("/reasoning/max_tokens").and_then(Value::as_u64).is_some_and(|budget| budget > 0)
        || switches.iter().any(|pointer| on(pointer) == Some(true))
}

fn tools(body: &Value, wants: &mut Wants) -> Result<(), Failure> {
    let bad = |message: String| Failure::field("tools", message);
    for (at, tool) in list(body, "tools").iter().enumerate() {
        if text(tool, "type") != Some("function") {
            return Err(bad(format!("Invalid value: 'tools[{at}].type'. Supported values are: 'function'.")));
        }
        let function = tool.get("function").unwrap_or(&Value::Null);
        let name = text(function, "name")
            .ok_or_else(|| bad(format!("Missing required parameter: 'tools[{at}].function.name'.")))?;
        if !is_tool_name(name, 64) {
            let pattern =
                "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'";
            return Err(bad(format!("Invalid 'tools[{at}].function.name': {pattern}.")));
        }
        let parameters = function.get("parameters").cloned().unwrap_or_else(|| serde_json::json!({"type": "object"}));
        if !parameters.is_object() {
            return Err(bad(format!("Invalid schema for function '{name}': it is not an object.")));
        }
        wants.tools.push(Offered { name: name.to_owned(), parameters });
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    if wants.tools.is_empty() {
        return Err(Failure::field("tool_choice", "'tool_choice' is only allowed when 'tools' are specified."));
    }
    wants.choice = match choice.as_str() {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::Never,
        Some("required" | "any") => Choice::Must,
        Some(other) => return Err(Failure::field("tool_choice", format!("Invalid value: '{other}'."))),
        None => {
            let name = choice.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
            if !wants.tools.iter().any(|tool| tool.name == name) {
                let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
                return Err(Failure::field("tool_choice", message));
            }
            Choice::Named(name.to_owned())
        }
    };
    Ok(())
}

fn schema(body: &Value) -> Result<Option<Value>, Failure> {
    let Some(format) = body.get("response_format").filter(|format| !format.is_null()) else { return Ok(None) };
    let bad = |message: &str| Failure::field("response_format", message);
    match text(format, "type") {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(serde_json::json!({"type": "object", "properties": {"answer": {}}}))),
        Some("json_schema") => {
            let wrapped = format.get("json_schema").unwrap_or(&Value::Null);
            if text(wrapped, "name").is_none_or(|name| !is_tool_name(name, 64)) {
                return Err(bad("Missing required parameter: 'response_format.json_schema.name'."));
            }
            let schema = wrapped.get("schema").filter(|schema| schema.is_object());
            schema.cloned().map(Some).ok_or_else(|| bad("Invalid schema for response_format: it is not an object."))
        }
        _ => Err(bad("Invalid value: 'response_format.type'.")),
    }
}

/// Roles, parts, and that every call of a tool is answered before anything else is said.
fn turns(messages: &[Value], wants: &mut Wants) -> Result<(), Failure> {
    let bad = |message: String| Failure::field("messages", message);
    let mut open: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role").unwrap_or_default();
        if !open.is_empty() && role != "tool" {
            return Err(bad(format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
                 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
                open.join(", ")
            )));
        }
        match role {
            "assistant" => wants.result = None,
            // What a person says behind a result is of the same turn.
            "system" | "developer" | "user" | "function" => {}
            "tool" => {
                let id = text(message, "tool_call_id").unwrap_or_default();
                let Some(place) = open.iter().position(|known| *known == id) else {
                    let rule = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
                    return Err(bad(rule.to_owned()));
                };
                open.remove(place);
            }
            other => {
                return Err(bad(format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', \
                 'user', 'function', 'tool', and 'developer'."
                )));
            }
        }
        for call in list(message, "tool_calls") {
            let function = call.get("function").unwrap_or(&Value::Null);
            let arguments = function.get("arguments").and_then(Value::as_str);
            let (Some(id), Some(_), Some(_)) = (text(call, "id"), text(function, "name"), arguments) else {
                return Err(bad(format!("Missing required parameter in 'messages[{at}].tool_calls'.")));
            };
            open.push(id);
        }
        let said = content(message, at, wants)?;
        if role == "tool" {
            wants.result = Some(said);
        }
    }
    match open[..] {
        [] => Ok(()),
        _ => Err(bad(format!("The following tool_call_ids did not have response messages: {}", open.join(", ")))),
    }
}

/// The text of a message; its files are remarked upon.
fn content(message: &Value, at: usize, wants: &mut Wants) -> Result<String, Failure> {
    let bad = |why: &str| Failure::field("messages", format!("Invalid 'messages[{at}].content': {why}."));
    let parts = match message.get("content") {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        None | Some(Value::Null) if has(message, "tool_calls") => return Ok(String::new()),
        _ => return Err(bad("expected a string or an array")),
    };
    let mut said = String::new();
    for part in parts {
        let inner = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
        let file = match text(part, "type") {
            Some("text") => {
                said += part.get("text").and_then(Value::as_str).ok_or_else(|| bad("a text part has no text"))?;
                continue;
            }
            Some("image_url") => inner("/image_url/url").ok_or_else(|| bad("an image part has no url"))?,
            Some("file") if inner("/file/file_id").is_some() => continue,
            Some("file") => inner("/file/file_data").ok_or_else(|| bad("a file part has no file_data"))?,
            Some("input_audio" | "refusal" | "thinking") => continue,
            other => return Err(bad(&format!("unknown part type '{}'", other.unwrap_or_default()))),
        };
        let remarked = match data_url(file) {
            Some(read) => read.map_err(str::to_owned).and_then(|(mime, bytes)| remark(&mime, &bytes)),
            None => remark_url("a file", file),
        };
        wants.remarks.push(remarked.map_err(|why| bad(&why))?);
    }
    Ok(said)
}
