//! The body of a request, and what it cannot hold.

use serde_json::{Map, Value, json};

use super::{Gemini, is_recent, parts};
use crate::chat::{ChatRequest, Effort, Part, Role, Tool, ToolChoice};
use crate::units::Tokens;
use crate::upstream::steer::{Steer, steer};
use crate::upstream::{Call, EncodeError};

/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 1] = ["contents"];
/// Objects in which `extra` adds to what is there, so that one setting of theirs does not push out all of ours.
const SHARED: [&str; 4] = ["generationConfig", "thinkingConfig", "toolConfig", "functionCallingConfig"];
/// The most stop sequences that are taken.
const STOPS: usize = 5;

/// What the request asks for that cannot be said.
pub(super) fn gaps(gemini: Gemini, call: &Call<'_>) -> Vec<&'static str> {
    let request = call.request;
    let mut gaps: Vec<&'static str> = Vec::new();
    let spoken = request.messages.iter().filter(|message| !is_instruction(message.role));
    gaps.extend(spoken.flat_map(|message| &message.parts).filter_map(|part| parts::gap(gemini, call, part)));
    let mut instructions = request.messages.iter().filter(|message| is_instruction(message.role));
    let checks = [
        (
            "instructions beyond text",
            instructions.any(|message| message.parts.iter().any(|part| part.as_text().is_none())),
        ),
        ("tool calls one at a time", request.parallel_tools == Some(false) && !request.tools.is_empty()),
        (
            "an answer schema beside tools",
            request.schema.is_some() && !request.tools.is_empty() && !is_recent(call.endpoint),
        ),
        ("more than 5 stop sequences", request.stop.len() > STOPS),
        ("a seed beyond 32 bits", request.seed.is_some_and(|seed| i32::try_from(seed).is_err())),
        ("models of other publishers", gemini == Gemini::Vertex && call.endpoint.id.upstream_model.contains('/')),
    ];
    gaps.extend(checks.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name));
    gaps.extend(thinking(call).err());
    let mut named = Vec::new();
    for gap in gaps {
        if !named.contains(&gap) {
            named.push(gap);
        }
    }
    named
}

/// The body.
///
/// # Errors
/// The request asks for what cannot be said.
pub(super) fn body(gemini: Gemini, call: &Call<'_>) -> Result<Map<String, Value>, EncodeError> {
    if let Some(&gap) = gaps(gemini, call).first() {
        return Err(EncodeError::Inexpressible(gap));
    }
    let request = call.request;
    let mut body = Map::new();
    let instructions = instructions(request);
    if !instructions.is_empty() {
        body.insert("systemInstruction".into(), json!({ "parts": instructions }));
    }
    body.insert("contents".into(), parts::contents(call).into());
    if !request.tools.is_empty() {
        body.insert("tools".into(), json!([{ "functionDeclarations": declarations(request) }]));
    }
    if let Some(config) = calling(request) {
        body.insert("toolConfig".into(), json!({ "functionCallingConfig": config }));
    }
    let generation = generation(call).map_err(EncodeError::Inexpressible)?;
    if !generation.is_empty() {
        body.insert("generationConfig".into(), generation.into());
    }
    let extra = request.extra.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
    extra.for_each(|(name, value)| lay(&mut body, name, value));
    Ok(body)
}

const fn is_instruction(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// All instructions, in order, each a part of its own.
fn instructions(request: &ChatRequest) -> Vec<Value> {
    let messages = request.messages.iter().filter(|message| is_instruction(message.role));
    let texts = messages.flat_map(|message| &message.parts).filter_map(Part::as_text);
    texts.filter(|text| !text.is_empty()).map(|text| json!({ "text": text })).collect()
}

fn declarations(request: &ChatRequest) -> Vec<Value> {
    let declaration = |tool: &Tool| {
        let mut declaration = Map::new();
        declaration.insert("name".into(), tool.name.as_str().into());
        if let Some(description) = &tool.description {
            declaration.insert("description".into(), description.as_str().into());
        }
        declaration.insert("parametersJsonSchema".into(), tool.parameters.clone());
        Value::Object(declaration)
    };
    request.tools.iter().map(declaration).collect()
}

/// Whether and what must be called. `ANY` and `VALIDATED` hold the model to the schemas of all tools, so that one strict
/// tool is enough for `VALIDATED`.
fn calling(request: &ChatRequest) -> Option<Value> {
    let is_strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    Some(match &request.tool_choice {
        None | Some(ToolChoice::Auto) if is_strict => json!({ "mode": "VALIDATED" }),
        None => return None,
        Some(ToolChoice::Auto) => json!({ "mode": "AUTO" }),
        Some(ToolChoice::None) => json!({ "mode": "NONE" }),
        Some(ToolChoice::Required) => json!({ "mode": "ANY" }),
        Some(ToolChoice::Named(name)) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    })
}

fn generation(call: &Call<'_>) -> Result<Map<String, Value>, &'static str> {
    let request = call.request;
    let number = |literal: &serde_json::Number| Value::Number(literal.clone());
    let stops = (!request.stop.is_empty()).then(|| Value::from(request.stop.clone()));
    let fields = [
        ("maxOutputTokens", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature.as_ref().map(number)),
        ("topP", request.top_p.as_ref().map(number)),
        ("seed", request.seed.map(Value::from)),
        ("stopSequences", stops),
        ("responseMimeType", request.schema.as_ref().map(|_| "application/json".into())),
        ("responseJsonSchema", request.schema.as_ref().map(|answer| answer.schema.clone())),
        ("thinkingConfig", thinking(call)?),
    ];
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// What is said about thinking: a level where the model takes words (Gemini 3 and later), else a budget. Thoughts are
/// asked for where thinking is.
///
/// # Errors
/// The endpoint cannot do it: the name of what it lacks.
fn thinking(call: &Call<'_>) -> Result<Option<Value>, &'static str> {
    let limit = call.request.max_tokens.or(call.endpoint.max_output.map(Tokens::count));
    Ok(Some(match steer(call.endpoint, call.request.effort, limit)? {
        Steer::Leave => return Ok(None),
        Steer::Off | Steer::Level(Effort::None) => json!({ "thinkingBudget": 0 }),
        Steer::On => json!({ "includeThoughts": true }),
        Steer::Budget(tokens) => json!({ "thinkingBudget": tokens, "includeThoughts": true }),
        Steer::Level(Effort::Max) => return Err("this reasoning effort"),
        Steer::Level(level) => {
            let word = level.word().ok_or("this reasoning effort")?.to_uppercase();
            json!({ "thinkingLevel": word, "includeThoughts": true })
        }
    }))
}

/// Lays one parameter of the caller's over a body: inside the objects that are shared, and after our own tools.
fn lay(body: &mut Map<String, Value>, name: &str, value: &Value) {
    match (body.get_mut(name), value) {
        (Some(Value::Object(ours)), Value::Object(theirs)) if SHARED.contains(&name) => {
            theirs.iter().for_each(|(name, value)| lay(ours, name, value));
        }
        (Some(Value::Array(ours)), Value::Array(theirs)) if name == "tools" => ours.extend(theirs.iter().cloned()),
        _ => {
            body.insert(name.to_owned(), value.clone());
        }
    }
}
