//! The body of a request, and what it cannot hold.

use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::super::body::merge;
use super::super::{Call, EncodeError};
use super::think::{Thinking, thinking};
use super::{blocks, schema};
use crate::catalog::{Capability, Prefill, Protocol};
use crate::chat::{CachePlace, ChatRequest, Native, Tool, ToolChoice};
use crate::units::Tokens;

/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];
/// Parameters that the newest version of the API does not know any more.
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// The header that switches on what is not yet part of the API, under which name a client's wish for it comes too.
pub(super) const BETA: &str = "anthropic-beta";

/// Marks the tools of these numbers.
fn eager(numbers: &[Value], body: &mut Map<String, Value>) {
    let Some(Value::Array(tools)) = body.get_mut("tools") else { return };
    for number in numbers.iter().filter_map(|number| usize::try_from(number.as_u64()?).ok()) {
        if let Some(Value::Object(tool)) = tools.get_mut(number) {
            tool.insert("eager_input_streaming".into(), true.into());
        }
    }
}

/// Hands on what a client wants switched on.
pub(super) fn beta(request: &ChatRequest, headers: &mut http::HeaderMap) {
    let wished = request.native.iter().filter(|native| native.name == BETA);
    for value in wished.filter_map(|native| HeaderValue::from_str(native.value.as_str()?).ok()) {
        headers.append(BETA, value);
    }
}

/// What cannot be said: by the dialect, or by this endpoint in it.
pub(super) fn lacks(call: &Call<'_>) -> Vec<&'static str> {
    let mut lacks = inexpressible(call);
    // Every request states a limit, and where nobody knows one it cannot be sent.
    if limit(call).is_none() && !call.request.extra.contains_key("max_tokens") {
        lacks.push("an output limit left open");
    }
    lacks
}

/// Whether the request holds a parameter of sampling, which decides about the version.
pub(super) fn samples(request: &ChatRequest) -> bool {
    let is_set =
        |name: &&str| request.extra.contains_key(*name) || request.native.iter().any(|native| native.name == *name);
    request.temperature.is_some() || request.top_p.is_some() || SAMPLING.iter().any(is_set)
}

/// Whether an answer can be gone on with: it needs no mark, but neither may the model think before it, nor may a tool be
/// forced upon it.
pub(super) fn continues(call: &Call<'_>) -> bool {
    let forced = matches!(call.request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let thinks = thinking(call, limit(call)).map_or(true, |thinking| thinking.is_on())
        || ["thinking", "output_config"].iter().any(|name| call.request.extra.contains_key(*name));
    call.provider.quirks.prefill == Prefill::Plain && !forced && !thinks
}

/// The body, but for the model, which has another place on Vertex.
pub(super) fn body(call: &Call<'_>) -> Result<Map<String, Value>, EncodeError> {
    let request = call.request;
    if let Some(&name) = inexpressible(call).first() {
        return Err(EncodeError::Inexpressible(name));
    }
    let mut body = Map::new();
    match limit(call) {
        Some(limit) => {
            body.insert("max_tokens".into(), limit.into());
        }
        None if request.extra.contains_key("max_tokens") => {}
        None => return Err(EncodeError::NoOutputLimit),
    }
    let mut system = blocks::system(request);
    let mut turns = blocks::turns(request).map_err(EncodeError::Inexpressible)?;
    let mut tools: Vec<Value> = request.tools.iter().map(tool).collect();
    if request.cache && request.marks.is_empty() {
        tools.last_mut().into_iter().for_each(|tool| blocks::mark(tool, false));
        system.last_mut().into_iter().for_each(|block| blocks::mark(block, false));
        blocks::mark_history(&mut turns);
    }
    for (number, tool) in tools.iter_mut().enumerate() {
        request.mark_at(CachePlace::Tool(number)).into_iter().for_each(|hour| blocks::mark(tool, hour));
    }
    request.mark_at(CachePlace::End).into_iter().for_each(|hour| blocks::mark_end(&mut turns, hour));
    if !system.is_empty() {
        body.insert("system".into(), blocks::content(system));
    }
    body.insert("messages".into(), turns.into_iter().map(blocks::Turn::into_value).collect());
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    if let Some(choice) = tool_choice(request) {
        body.insert("tool_choice".into(), choice);
    }
    if request.stream {
        body.insert("stream".into(), true.into());
    }
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        if let Some(value) = value {
            body.insert(name.into(), Value::Number(value.clone()));
        }
    }
    if !request.stop.is_empty() {
        body.insert("stop_sequences".into(), request.stop.clone().into());
    }
    let Thinking { thinking, effort } = thinking(call, limit(call)).map_err(EncodeError::Inexpressible)?;
    if let Some(thinking) = thinking {
        body.insert("thinking".into(), thinking);
    }
    let mut output = Map::new();
    if let Some(effort) = effort {
        output.insert("effort".into(), effort.into());
    }
    if let Some(answer) = &request.schema {
        output.insert("format".into(), json!({ "type": "json_schema", "schema": schema::accepted(&answer.schema) }));
    }
    for native in
        request.native.iter().filter(|native| native.name != BETA && native.is_of(Protocol::AnthropicMessages))
    {
        match (native.name, &native.value) {
            (Native::EAGER, Value::Array(numbers)) => eager(numbers, &mut body),
            (Native::MEMBERS, Value::Object(members)) => members.iter().for_each(|(name, value)| {
                body.entry(name.clone()).or_insert_with(|| value.clone());
            }),
            (name, value) => {
                body.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    merge(&mut body, &request.extra, &RESERVED);
    // A caller's own part of it does not drop the others.
    match body.get_mut("output_config") {
        Some(Value::Object(own)) => output.into_iter().for_each(|(name, value)| {
            own.entry(name).or_insert(value);
        }),
        Some(_) => {}
        None if output.is_empty() => {}
        None => {
            body.insert("output_config".into(), Value::Object(output));
        }
    }
    Ok(body)
}

/// The endpoint's own maximum where the caller leaves it open, never a number of ours that would cut an answer short
/// unseen.
fn limit(call: &Call<'_>) -> Option<u64> {
    call.request.max_tokens.or(call.endpoint.max_output.map(Tokens::count))
}

fn inexpressible(call: &Call<'_>) -> Vec<&'static str> {
    let request = call.request;
    let mut names = Vec::new();
    let mut add = |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    blocks::misplaced(request).for_each(&mut add);
    if request.seed.is_some() {
        add("seed");
    }
    if call.endpoint.can(Capability::NoTemperature) {
        request.temperature.iter().for_each(|_| add("temperature"));
        request.top_p.iter().for_each(|_| add("top_p"));
    }
    if request.schema.as_ref().is_some_and(|answer| !schema::is_expressible(&answer.schema)) {
        add("a schema with open property names");
    }
    match thinking(call, limit(call)) {
        Err(name) => add(name),
        Ok(thinking) if thinking.is_on() => beside_thinking(request).for_each(add),
        Ok(_) => {}
    }
    names
}

/// What the API refuses while the model thinks.
fn beside_thinking(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    let number = |number: &serde_json::Number| number.as_f64();
    // Temperature 1 and a `top_p` from 0.95 on are as good as none.
    let temperature = request.temperature.as_ref().is_some_and(|literal| number(literal) != Some(1.0));
    let top_p = request.top_p.as_ref().is_some_and(|literal| number(literal).is_none_or(|share| share < 0.95));
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let names = [
        (temperature, "temperature together with reasoning"),
        (top_p, "top_p together with reasoning"),
        (forced, "a forced tool call together with reasoning"),
    ];
    names.into_iter().filter_map(|(is_asked, name)| is_asked.then_some(name))
}

fn tool(tool: &Tool) -> Value {
    let mut value = Map::new();
    value.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        value.insert("description".into(), description.as_str().into());
    }
    value.insert("input_schema".into(), tool.parameters.clone());
    if let Some(strict) = tool.strict {
        value.insert("strict".into(), strict.into());
    }
    Value::Object(value)
}

/// How tools are chosen; `None` where nothing is wished, or where without tools the wish comes true anyway.
fn tool_choice(request: &ChatRequest) -> Option<Value> {
    let has_tools = !request.tools.is_empty() || request.extra.contains_key("tools");
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Required) => json!({ "type": "any" }),
        Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
        _ if !has_tools => return None,
        Some(ToolChoice::None) => return Some(json!({ "type": "none" })),
        Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        None if request.parallel_tools == Some(false) => json!({ "type": "auto" }),
        None => return None,
    };
    if let (Some(parallel), Value::Object(choice)) = (request.parallel_tools, &mut choice) {
        choice.insert("disable_parallel_tool_use".into(), (!parallel).into());
    }
    Some(choice)
}
