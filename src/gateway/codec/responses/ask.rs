//! Reads a request of OpenAI Responses. What only this dialect has goes on untouched to who speaks it; what would need a
//! store, or whose answer could not be handed back, is refused by its name; nothing is dropped unsaid.

use serde_json::{Map, Value, json};

use super::super::Asked;
use super::super::json::{Wrong, count, flag, list, needed, number, object, only, others, set, text};
use super::super::openai::ask::{schema_of, tier};
use super::super::openai::reasoning;
use super::super::openai::tools::chosen;
use super::items::{Read, messages};
use super::tools::{HERE, Offered, offered};
use super::whole::Responses;
use crate::catalog::{ModelId, Protocol};
use crate::chat::{AnswerSchema, ChatRequest, Effort, Force, Native, ToolChoice};

/// Parameters that have a place in the canonical form, or say nothing here.
const OWN: [&str; 18] = [
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
    "top_logprobs",
];

/// What would need a store, and what to do instead.
const STORED: [(&str, &str); 4] = [
    ("previous_response_id", "nothing is stored here; send the whole conversation as input"),
    ("conversation", "nothing is stored here; send the whole conversation as input"),
    ("prompt", "nothing is stored here; send the prompt itself as input"),
    ("background", "nothing is stored here; wait for the answer, or stream it"),
];

/// What is told wherever there are thoughts.
const THOUGHTS: &str = "reasoning.encrypted_content";

/// The dialects that share their parameters.
const BOTH: &[Protocol] = &[Protocol::OpenaiResponses, Protocol::OpenaiChat];
const CHAT: &[Protocol] = &[Protocol::OpenaiChat];

/// Parameters that have none and go on untouched; an answer is the same without them.
const NATIVE: [(&str, &[Protocol]); 8] = [
    ("user", BOTH),
    ("metadata", BOTH),
    ("safety_identifier", BOTH),
    ("prompt_cache_key", BOTH),
    ("prompt_cache_retention", BOTH),
    ("service_tier", BOTH),
    ("max_tool_calls", HERE),
    // What Codex says of itself and of the turn.
    ("client_metadata", HERE),
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
    let model = needed(body, "model", "")?.to_owned();
    let Read { messages, own, mut native } = messages(body)?;
    let Offered { functions, grouped, native: of_tools, has_own, .. } = offered(list(body, "tools", "")?)?;
    passed_over(body)?;
    native.extend(of_tools);
    let mut untouched = |protocols, name: &'static str, value: Value, force: Force| {
        native.push(Native { protocols, name, value, force });
    };
    if !own.is_empty() {
        untouched(HERE, "input", own.into(), Force::Form);
    }
    for (name, protocols) in NATIVE {
        set(body, name).into_iter().for_each(|value| untouched(protocols, name, value.clone(), Force::Hint));
    }
    let included: Vec<Value> = list(body, "include", "")?.iter().filter(|what| **what != THOUGHTS).cloned().collect();
    if !included.is_empty() {
        untouched(HERE, "include", included.into(), Force::Wish);
    }
    let stored = STORED.into_iter().map(|(name, _)| name);
    let known = OWN.into_iter().chain(stored).chain(NATIVE.into_iter().map(|(name, _)| name)).collect::<Vec<_>>();
    let rest = others(body, &known);
    if !rest.is_empty() {
        untouched(HERE, Native::MEMBERS, rest.into(), Force::Wish);
    }
    let (schema, verbosity, is_plain) = format(body)?;
    verbosity.into_iter().for_each(|word| untouched(HERE, "text.verbosity", word.into(), Force::Wish));
    if is_plain {
        // Plain JSON mode has a form of its own, which those know too who know no schemas.
        let mode = json!({ "type": "json_object" });
        untouched(HERE, "text.format", mode.clone(), Force::Form);
        untouched(CHAT, "response_format", mode, Force::Form);
    }
    let calling = choice(body)?;
    let tool_choice = match calling {
        // Of a tool that only this dialect has, or that stands in a group.
        Choice::Own(value) => {
            untouched(HERE, "tool_choice", value, Force::Term);
            None
        }
        Choice::Named(name) => Some(chosen(&name, &functions)?),
        Choice::Plain(choice) => choice,
    };
    if has_own {
        // Where one must be called and others know none of them, an answer of theirs is another one.
        let must_be_own = functions.is_empty() && tool_choice == Some(ToolChoice::Required);
        let calls = if must_be_own { Force::Term } else { Force::Form };
        for (name, force) in [("tool_choice", calls), ("parallel_tool_calls", Force::Form)] {
            set(body, name).into_iter().for_each(|value| untouched(HERE, name, value.clone(), force));
        }
    }
    let request = ChatRequest {
        max_tokens: count(body, "max_output_tokens")?,
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        tool_choice,
        tools: functions,
        parallel_tools: flag(body, "parallel_tool_calls", "")?,
        schema,
        effort: effort(body)?,
        native,
        stream: flag(body, "stream", "")?.unwrap_or(false),
        ..ChatRequest::new(ModelId::new(model.clone()), messages)
    };
    Ok(Asked { model, request, voice: Box::new(Responses { echo: echo(body), grouped }) })
}

/// What says nothing here, as long as it says nothing else.
fn passed_over(body: &Map<String, Value>) -> Result<(), Wrong> {
    // True is what clients send unless they are told otherwise; the response says that nothing was stored.
    flag(body, "store", "")?;
    let include = list(body, "include", "")?;
    if let Some(other) = include.iter().find(|what| **what == "message.output_text.logprobs") {
        return Err(format!("include: {other} cannot be asked for, since nothing here hands it back"));
    }
    if set(body, "top_logprobs").is_some_and(|count| *count != 0) {
        return Err("top_logprobs: it cannot be asked for, since nothing here hands it back".to_owned());
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

/// Whether tools must be called.
enum Choice {
    Plain(Option<ToolChoice>),
    /// This function.
    Named(String),
    /// In a form that only this dialect has.
    Own(Value),
}

fn choice(body: &Map<String, Value>) -> Result<Choice, Wrong> {
    let at = "tool_choice";
    Ok(match set(body, at) {
        None => Choice::Plain(None),
        Some(Value::String(word)) => Choice::Plain(Some(match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            other => return Err(format!("{at}: \"{other}\" is none of auto, none, required")),
        })),
        Some(value) => {
            let fields = object(value, at)?;
            match needed(fields, "type", at)? {
                "function" if set(fields, "namespace").is_none() => {
                    only(fields, at, &["type", "name"])?;
                    Choice::Named(needed(fields, "name", at)?.to_owned())
                }
                _ => Choice::Own(value.clone()),
            }
        }
    })
}

/// The shape of the answer, how long-winded it is to be, and whether the shape is any object.
fn format(body: &Map<String, Value>) -> Result<(Option<AnswerSchema>, Option<String>, bool), Wrong> {
    let Some(value) = set(body, "text") else { return Ok((None, None, false)) };
    let fields = object(value, "text")?;
    only(fields, "text", &["format", "verbosity"])?;
    let verbosity = text(fields, "verbosity", "text")?.map(str::to_owned);
    let Some(format) = set(fields, "format") else { return Ok((None, verbosity, false)) };
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
    Ok((schema, verbosity, kind == "json_object"))
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
