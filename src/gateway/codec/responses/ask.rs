//! Reads a request of OpenAI Responses. What this version cannot send is refused by its name, never dropped.

use serde_json::{Map, Value, json};

use super::super::Asked;
use super::super::json::{Wrong, count, flag, list, needed, number, object, only, set, text};
use super::super::openai::ask::{schema_of, tier};
use super::super::openai::reasoning;
use super::super::openai::tools::{chosen, tools};
use super::items::messages;
use super::whole::Responses;
use crate::catalog::{ModelId, Protocol};
use crate::chat::{AnswerSchema, ChatRequest, Effort, Native, Tool, ToolChoice};

/// Parameters that have a place in the canonical form, or say nothing here.
const OWN: [&str; 17] = [
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "store",
    "include",
    "truncation",
    "background",
];

/// What would need a store, and what to do instead.
const STORED: [(&str, &str); 4] = [
    ("previous_response_id", "nothing is stored here; send the whole conversation as input"),
    ("conversation", "nothing is stored here; send the whole conversation as input"),
    ("prompt", "nothing is stored here; send the prompt itself as input"),
    ("background", "nothing is stored here; wait for the answer, or stream it"),
];

/// The dialects that share their parameters.
const BOTH: &[Protocol] = &[Protocol::OpenaiResponses, Protocol::OpenaiChat];
const HERE: &[Protocol] = &[Protocol::OpenaiResponses];

/// Parameters that have none and go on untouched; an answer is the same without them.
const NATIVE: [(&str, &[Protocol]); 7] = [
    ("user", BOTH),
    ("metadata", BOTH),
    ("safety_identifier", BOTH),
    ("prompt_cache_key", BOTH),
    ("prompt_cache_retention", BOTH),
    ("service_tier", BOTH),
    ("max_tool_calls", HERE),
];

/// The request in a body.
///
/// # Errors
/// What is wrong, with its place before it.
pub fn read(body: &Map<String, Value>) -> Result<Asked, String> {
    for (name, why) in STORED {
        if set(body, name).is_some_and(|value| *value != Value::Bool(false)) {
            return Err(format!("{name}: {why}"));
        }
    }
    let stored = STORED.into_iter().map(|(name, _)| name);
    let known = OWN.into_iter().chain(stored).chain(NATIVE.into_iter().map(|(name, _)| name)).collect::<Vec<_>>();
    only(body, "", &known)?;
    let model = needed(body, "model", "")?.to_owned();
    let (messages, phased) = messages(body)?;
    let offered = list(body, "tools", "")?;
    let tools = tools(offered)?;
    passed_over(body)?;
    let mut native: Vec<Native> = NATIVE
        .into_iter()
        .filter_map(|(name, protocols)| Some(Native { protocols, name, value: set(body, name)?.clone(), hint: true }))
        .collect();
    native.extend(phased.then(|| Native { protocols: &[], name: "phase", value: Value::Null, hint: true }));
    let (schema, verbosity) = format(body)?;
    native.extend(verbosity.map(|word| Native {
        protocols: HERE,
        name: "text.verbosity",
        value: word.into(),
        hint: false,
    }));
    let request = ChatRequest {
        max_tokens: count(body, "max_output_tokens")?,
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        tool_choice: choice(body, &tools)?,
        tools,
        parallel_tools: flag(body, "parallel_tool_calls", "")?,
        schema,
        effort: effort(body)?,
        native,
        stream: flag(body, "stream", "")?.unwrap_or(false),
        ..ChatRequest::new(ModelId::new(model.clone()), messages)
    };
    Ok(Asked { model, request, voice: Box::new(Responses { echo: echo(body) }) })
}

/// What says nothing here, as long as it says nothing else.
fn passed_over(body: &Map<String, Value>) -> Result<(), Wrong> {
    // True is what clients send unless they are told otherwise; the response says that nothing was stored.
    flag(body, "store", "")?;
    let include = list(body, "include", "")?;
    if let Some(other) = include.iter().find(|what| **what != "reasoning.encrypted_content") {
        return Err(format!("include: {other} cannot be told, only \"reasoning.encrypted_content\""));
    }
    match text(body, "truncation", "")? {
        None | Some("disabled") => {}
        Some(other) => {
            return Err(format!("truncation: \"{other}\" cannot be asked for; no part of an input is left out"));
        }
    }
    tier(body)?;
    if let Some(options) = set(body, "stream_options") {
        only(object(options, "stream_options")?, "stream_options", &["include_obfuscation"])?;
    }
    Ok(())
}

fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<Option<ToolChoice>, Wrong> {
    let at = "tool_choice";
    Ok(Some(match set(body, at) {
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            other => return Err(format!("{at}: \"{other}\" is none of auto, none, required")),
        },
        Some(value) => {
            let fields = object(value, at)?;
            only(fields, at, &["type", "name"])?;
            match needed(fields, "type", at)? {
                "function" => chosen(needed(fields, "name", at)?, tools)?,
                other => return Err(format!("{at}.type: \"{other}\" is not \"function\"")),
            }
        }
    }))
}

/// The shape of the answer, and how long-winded it is to be.
fn format(body: &Map<String, Value>) -> Result<(Option<AnswerSchema>, Option<String>), Wrong> {
    let Some(value) = set(body, "text") else { return Ok((None, None)) };
    let fields = object(value, "text")?;
    only(fields, "text", &["format", "verbosity"])?;
    let verbosity = text(fields, "verbosity", "text")?.map(str::to_owned);
    let Some(format) = set(fields, "format") else { return Ok((None, verbosity)) };
    let at = "text.format";
    let fields = object(format, at)?;
    let kind = needed(fields, "type", at)?;
    if kind != "json_schema" {
        only(fields, at, &["type"])?;
    }
    let schema = match kind {
        "text" => None,
        "json_object" => Some(AnswerSchema { name: "answer".to_owned(), schema: json!({ "type": "object" }) }),
        "json_schema" => Some(schema_of(fields, &["type", "name", "schema", "strict", "description"], at)?),
        other => return Err(format!("{at}.type: \"{other}\" is none of text, json_object, json_schema")),
    };
    Ok((schema, verbosity))
}

/// How hard to think. A summary of what was thought comes with it anyway.
fn effort(body: &Map<String, Value>) -> Result<Option<Effort>, Wrong> {
    let Some(value) = set(body, "reasoning") else { return Ok(None) };
    let at = "reasoning";
    let fields = object(value, at)?;
    // `max_tokens` and `enabled` are OpenRouter's.
    only(fields, at, &["effort", "summary", "generate_summary", "max_tokens", "enabled"])?;
    for name in ["summary", "generate_summary"] {
        reasoning::summary(fields, name, at)?;
    }
    reasoning::effort(fields, at)
}

/// What a response repeats of its request.
fn echo(body: &Map<String, Value>) -> Map<String, Value> {
    let defaults = [
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", true.into()),
        ("reasoning", json!({ "effort": null, "summary": null })),
        ("temperature", Value::Null),
        ("text", json!({ "format": { "type": "text" } })),
        ("tool_choice", "auto".into()),
        ("tools", json!([])),
        ("top_p", Value::Null),
    ];
    let said = |(name, default): (&str, Value)| (name.to_owned(), set(body, name).cloned().unwrap_or(default));
    let unsaid = [
        ("background", false.into()),
        ("previous_response_id", Value::Null),
        ("store", false.into()),
        ("truncation", "disabled".into()),
    ];
    let unsaid = unsaid.map(|(name, value): (&str, Value)| (name.to_owned(), value));
    defaults.into_iter().map(said).chain(unsaid).collect()
}
