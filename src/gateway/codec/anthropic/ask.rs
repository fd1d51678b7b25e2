//! Reads a request of Anthropic Messages. What only this dialect has goes on untouched to who speaks it; what this version
//! cannot send is refused by its name; nothing is dropped unsaid.

use std::collections::HashSet;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::super::Asked;
use super::super::cache::mark;
use super::super::json::{Wrong, count, few, flag, list, needed, number, object, only, others, set, text};
use super::super::openai::reasoning::level;
use super::super::openai::tools::{chosen, is_named};
use super::blocks::Reading;
use super::stream::Messages;
use crate::catalog::{ModelId, Protocol};
use crate::chat::{AnswerSchema, CachePlace, ChatRequest, Effort, Force, Message, Native, Role, Tool, ToolChoice};

/// Parameters that have a place in the canonical form.
const OWN: [&str; 15] = [
    "model",
    "messages",
    "system",
    "max_tokens",
    "stream",
    "temperature",
    "top_p",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "cache_control",
    "speed",
];

/// Parameters that have none and go on untouched, each with what an answer is without it. What changes the
/// shape of an answer (`container`, `mcp_servers`) or its price (`inference_geo`, the speed `fast`) is not among them;
/// whatever else there is goes on as well.
const NATIVE: [(&str, Force); 4] = [
    ("metadata", Force::Hint),
    ("service_tier", Force::Hint),
    ("user_profile_id", Force::Hint),
    ("top_k", Force::Term),
];

/// What is done to a long conversation before it is read.
const CONTEXT: &str = "context_management";

/// Parameters whose answers nothing here could hand back, or that have a price of their own.
const REFUSED: [&str; 3] = ["container", "mcp_servers", "inference_geo"];

/// Who speaks the dialect.
const SPEAKERS: &[Protocol] = &[Protocol::AnthropicMessages, Protocol::VertexAnthropic];

/// Switches on what is not yet part of the API; the adapter sends it on as a header.
const BETA: &str = "anthropic-beta";

/// The longest name of a tool: twice as long as elsewhere.
const LONGEST_NAME: usize = 128;

/// The request in a body, with what its headers say beside it.
///
/// # Errors
/// What is wrong, with its place before it.
pub fn read(headers: &HeaderMap, body: &Map<String, Value>) -> Result<Asked, String> {
    if let Some(name) = REFUSED.into_iter().find(|name| set(body, name).is_some_and(|value| *value != json!([]))) {
        return Err(format!("{name}: this version cannot send it"));
    }
    let model = needed(body, "model", "")?.to_owned();
    let mut reading = Reading::default();
    let mut messages = system(body, &mut reading)?;
    let said = list(body, "messages", "")?;
    if said.is_empty() {
        return Err("messages: missing".to_owned());
    }
    for (at, message) in said.iter().enumerate() {
        messages.push(reading.message(message, messages.len(), &format!("messages[{at}]"))?);
    }
    mark(body, "", CachePlace::End, &mut reading.marks)?;
    let tools = tools(list(body, "tools", "")?, &mut reading)?;
    let (tool_choice, parallel_tools) = choice(body, &tools)?;
    let mut native = natives(headers, body)?;
    let named = NATIVE.into_iter().map(|(name, _)| name);
    let rest = others(body, &OWN.into_iter().chain(REFUSED).chain([CONTEXT]).chain(named).collect::<Vec<_>>());
    if !rest.is_empty() {
        let (name, value) = (Native::MEMBERS, rest.into());
        native.push(Native { protocols: SPEAKERS, name, value, force: Force::Wish });
    }
    native.extend(eager(list(body, "tools", "")?));
    let thinking = thinking(body, &mut native)?;
    let continues = messages.last().is_some_and(|last| last.role == Role::Assistant);
    let request = ChatRequest {
        max_tokens: count(body, "max_tokens")?,
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        stop: stops(body)?,
        tools,
        tool_choice,
        parallel_tools,
        schema: schema(body)?,
        effort: thinking.effort,
        marks: reading.marks,
        native,
        stream: flag(body, "stream", "")?.unwrap_or(false),
        continues,
        ..ChatRequest::new(ModelId::new(model.clone()), messages)
    };
    Ok(Asked { model, request, voice: Box::new(Messages { hides_thoughts: thinking.is_hidden }) })
}

/// The instructions: a text, or blocks of it.
fn system(body: &Map<String, Value>, reading: &mut Reading) -> Result<Vec<Message>, Wrong> {
    let parts = match set(body, "system") {
        None => return Ok(Vec::new()),
        Some(content) => reading.texts(content, 0, "system")?,
    };
    Ok(if parts.is_empty() { Vec::new() } else { vec![Message::of(Role::System, parts)] })
}

fn tools(items: &[Value], reading: &mut Reading) -> Result<Vec<Tool>, Wrong> {
    few(items, "tools")?;
    let mut names = HashSet::new();
    let mut tools: Vec<Tool> = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let at = format!("tools[{number}]");
        let fields = object(item, &at)?;
        mark(fields, &at, CachePlace::Tool(number), &mut reading.marks)?;
        let tool = tool(fields, &at)?;
        if !names.insert(tool.name.clone()) {
            return Err(format!("{at}: there are two tools called \"{}\"", tool.name));
        }
        tools.push(tool);
    }
    Ok(tools)
}

fn tool(fields: &Map<String, Value>, at: &str) -> Result<Tool, Wrong> {
    const KNOWN: [&str; 9] = [
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "defer_loading",
        "eager_input_streaming",
        "allowed_callers",
    ];
    if let Some(other) = text(fields, "type", at)?.filter(|kind| *kind != "custom") {
        return Err(format!("{at}.type: \"{other}\" is run by a provider; only functions can be given"));
    }
    only(fields, at, &KNOWN)?;
    if flag(fields, "defer_loading", at)? == Some(true) {
        return Err(format!("{at}.defer_loading: this version cannot send it"));
    }
    flag(fields, "eager_input_streaming", at)?;
    let callers = list(fields, "allowed_callers", at)?;
    if callers.iter().any(|caller| caller != "direct") {
        return Err(format!("{at}.allowed_callers: only \"direct\" can be asked for"));
    }
    let name = needed(fields, "name", at)?;
    if !is_named(name, LONGEST_NAME) {
        return Err(format!("{at}.name: \"{name}\" is not 1 to {LONGEST_NAME} of A-Z a-z 0-9 _ -"));
    }
    let place = format!("{at}.input_schema");
    let parameters = fields.get("input_schema").cloned().unwrap_or_else(|| json!({ "type": "object" }));
    if object(&parameters, &place)?.get("type").is_some_and(|kind| kind != "object") {
        return Err(format!("{place}.type: arguments are always an \"object\""));
    }
    let description = text(fields, "description", at)?.map(str::to_owned);
    Ok(Tool { name: name.to_owned(), description, parameters, strict: flag(fields, "strict", at)? })
}

/// Whether tools must be called, and whether several at once.
fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<(Option<ToolChoice>, Option<bool>), Wrong> {
    let at = "tool_choice";
    let Some(value) = set(body, at) else { return Ok((None, None)) };
    let fields = object(value, at)?;
    only(fields, at, &["type", "name", "disable_parallel_tool_use"])?;
    let choice = match needed(fields, "type", at)? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => chosen(needed(fields, "name", at)?, tools)?,
        other => return Err(format!("{at}.type: \"{other}\" is none of auto, any, tool, none")),
    };
    Ok((Some(choice), flag(fields, "disable_parallel_tool_use", at)?.map(|disabled| !disabled)))
}

/// What is said about thinking.
#[derive(Debug, Default)]
struct Thinking {
    effort: Option<Effort>,
    /// Whether only the signatures of thoughts are to be told.
    is_hidden: bool,
}

/// An effort without a word about thinking switches none on, so it is none of another dialect's: it says how many words to
/// make, and an answer is one without it.
fn thinking(body: &Map<String, Value>, native: &mut Vec<Native>) -> Result<Thinking, Wrong> {
    let effort = match set(body, "output_config") {
        None => None,
        Some(config) => {
            let fields = object(config, "output_config")?;
            only(fields, "output_config", &["effort", "format"])?;
            text(fields, "effort", "output_config")?
        }
    };
    let mut untouched = |name: &'static str, value: Value, force: Force| {
        native.push(Native { protocols: SPEAKERS, name, value, force });
    };
    let config = |effort: &str| json!({ "effort": effort });
    let at = "thinking";
    let Some(value) = set(body, at) else {
        if let Some(effort) = effort {
            level(effort, "output_config.effort")?;
            untouched("output_config", config(effort), Force::Hint);
        }
        return Ok(Thinking::default());
    };
    let fields = object(value, at)?;
    only(fields, at, &["type", "budget_tokens", "display"])?;
    let is_hidden = match text(fields, "display", at)? {
        None | Some("summarized") => false,
        Some("omitted") => true,
        Some(other) => return Err(format!("{at}.display: \"{other}\" is neither summarized nor omitted")),
    };
    let wished = match needed(fields, "type", at)? {
        "disabled" => Effort::None,
        // The API's own default.
        "adaptive" => match effort {
            Some(effort) => level(effort, "output_config.effort")?,
            None => Effort::High,
        },
        "enabled" => {
            let budget = fields.get("budget_tokens").and_then(Value::as_u64).filter(|tokens| *tokens > 0);
            let budget = budget.ok_or_else(|| format!("{at}.budget_tokens: not a whole number above 0"))?;
            Effort::Budget(budget)
        }
        "between_tools" => {
            untouched("thinking", value.clone(), Force::Term);
            return Ok(Thinking { effort: None, is_hidden });
        }
        other => return Err(format!("{at}.type: \"{other}\" is none of adaptive, enabled, disabled, between_tools")),
    };
    // Beside a budget, or where nothing is thought, an effort says something else.
    if let Some(effort) = effort.filter(|_| matches!(wished, Effort::Budget(_) | Effort::None)) {
        level(effort, "output_config.effort")?;
        untouched("output_config", config(effort), Force::Hint);
    }
    Ok(Thinking { effort: Some(wished), is_hidden })
}

/// The shape of the answer, in its place or in that of the beta.
fn schema(body: &Map<String, Value>) -> Result<Option<AnswerSchema>, Wrong> {
    let inner = set(body, "output_config").and_then(Value::as_object).and_then(|config| set(config, "format"));
    let (format, at) = match (inner, set(body, "output_format")) {
        (Some(_), Some(_)) => return Err("output_format: output_config.format says the same thing twice".to_owned()),
        (Some(format), None) => (format, "output_config.format"),
        (None, Some(format)) => (format, "output_format"),
        (None, None) => return Ok(None),
    };
    let fields = object(format, at)?;
    only(fields, at, &["type", "schema"])?;
    match needed(fields, "type", at)? {
        "json_schema" => {}
        other => return Err(format!("{at}.type: \"{other}\" is not \"json_schema\"")),
    }
    let schema = fields.get("schema").cloned().unwrap_or(Value::Null);
    object(&schema, &format!("{at}.schema"))?;
    Ok(Some(AnswerSchema { name: "answer".to_owned(), schema }))
}

fn stops(body: &Map<String, Value>) -> Result<Vec<String>, Wrong> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let texts = list(body, "stop_sequences", "")?.iter().map(text).collect::<Option<_>>();
    texts.ok_or_else(|| "stop_sequences: not a list of texts".to_owned())
}

/// The tools whose arguments are to stream as they come.
fn eager(tools: &[Value]) -> Option<Native> {
    let is_eager = |tool: &Value| tool["eager_input_streaming"] == true;
    let numbers: Vec<Value> =
        tools.iter().enumerate().filter(|(_, tool)| is_eager(tool)).map(|(number, _)| number.into()).collect();
    let name = Native::EAGER;
    (!numbers.is_empty()).then(|| Native { protocols: SPEAKERS, name, value: numbers.into(), force: Force::Hint })
}

/// What goes untouched to whoever speaks the dialect.
fn natives(headers: &HeaderMap, body: &Map<String, Value>) -> Result<Vec<Native>, Wrong> {
    match text(body, "service_tier", "")? {
        None | Some("auto" | "standard_only") => {}
        Some(other) => return Err(format!("service_tier: \"{other}\" is neither auto nor standard_only")),
    }
    match text(body, "speed", "")? {
        None | Some("standard") => {}
        Some(other) => return Err(format!("speed: \"{other}\" has another price, only \"standard\" can be asked for")),
    }
    let beta = headers.get_all(BETA).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let beta = (!beta.is_empty()).then_some((BETA, beta.into(), Force::Hint));
    let named = NATIVE.into_iter().filter_map(|(name, force)| Some((name, set(body, name)?.clone(), force)));
    let cleared = |value: &Value| if only_clears(value) { Force::Hint } else { Force::Term };
    let context = set(body, CONTEXT).map(|value| (CONTEXT, value.clone(), cleared(value)));
    let all = named.chain(context).chain(beta);
    Ok(all.map(|(name, value, force)| Native { protocols: SPEAKERS, name, value, force }).collect())
}

/// Whether nothing is done to a conversation but that old thoughts and results of tools are left out of it, which makes it
/// shorter and cheaper and changes nothing that is said: it may be left undone. A summary in its place may not.
fn only_clears(context: &Value) -> bool {
    let Some(members) = context.as_object() else { return false };
    let clears = |edit: &Value| edit["type"].as_str().is_some_and(|kind| kind.starts_with("clear_"));
    members
        .iter()
        .all(|(name, value)| name == "edits" && value.as_array().is_some_and(|edits| edits.iter().all(clears)))
}
