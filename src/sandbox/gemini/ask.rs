//! Reads a request of Gemini's, and refuses what the real one refuses. Names may be written in either case of proto
//! JSON: `camelCase` or `snake_case`.

use serde_json::{Map, Value};

use crate::sandbox::check::{decoded_either, first_of, input_tokens, is_tool_name, remark, remark_url, text};
use crate::sandbox::dialect::{Ask, Failure, Route};
use crate::sandbox::wants::{Choice, Offered, Wants};

const FIELDS: [&str; 11] = [
    "contents",
    "tools",
    "toolConfig",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "model",
    "store",
    "labels",
    "serviceTier",
];
const CONFIG: [&str; 24] = [
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "enableEnhancedCivicAnswers",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
    "audioTimestamp",
    "routingConfig",
    "modelConfig",
    "responseFormat",
];
const THINKING: [&str; 3] = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
const CONTENT: [&str; 2] = ["role", "parts"];
/// What a part is; exactly one of these.
const KINDS: [&str; 7] =
    ["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"];
const PART: [&str; 12] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "thought",
    "thoughtSignature",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
];
const DECLARATION: [&str; 7] =
    ["name", "description", "parameters", "parametersJsonSchema", "behavior", "response", "responseJsonSchema"];
/// What Gemini's own form of a schema knows, which is less than JSON Schema does.
const SCHEMA: [&str; 27] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
    "additionalProperties",
    "ref",
    "defs",
    "prefixItems",
    "const",
];

/// What is asked, or what is wrong with it.
pub(super) fn read(route: &Route, body: &Value, on_vertex: bool) -> Result<Ask, Failure> {
    let body = &camel(body);
    known(body, &FIELDS, "")?;
    let contents = items(body, "contents");
    if contents.is_empty() {
        let message = "* GenerateContentRequest.contents: contents is not specified\n";
        return Err(Failure::field("contents", message));
    }
    let none = Value::Null;
    let config = body.get("generationConfig").unwrap_or(&none);
    known(config, &CONFIG, "generation_config")?;
    let limit = match config.get("maxOutputTokens") {
        None | Some(Value::Null) => None,
        Some(limit) => Some(
            limit
                .as_u64()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| Failure::field("max_output_tokens", "max_output_tokens must be positive."))?,
        ),
    };
    let mut wants = Wants { thinks: thinks(config)?, schema: schema(config)?, ..Wants::default() };
    tools(body, &mut wants)?;
    turns(contents, on_vertex, &mut wants)?;
    let system = body.get("systemInstruction");
    if let Some(system) = system {
        known(system, &CONTENT, "system_instruction")?;
    }
    Ok(Ask {
        model: route.model.clone().unwrap_or_default(),
        stream: route.stream,
        stream_usage: true,
        max_tokens: limit,
        input_tokens: input_tokens(contents.iter().chain(system)),
        mark: None,
        refusable: first_of(config, &["temperature", "topP", "topK", "seed", "thinkingConfig"]),
        wants,
    })
}

/// A body whose names are in `camelCase`; what a caller defines (schemas, arguments, results) stays as it is.
fn camel(value: &Value) -> Value {
    const OPAQUE: [&str; 7] =
        ["args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"];
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let name = camel_name(name);
                let value = if OPAQUE.contains(&name.as_str()) { value.clone() } else { camel(value) };
                (name, value)
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(camel).collect()),
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// A list, which proto JSON also takes as a single value of it.
fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    match value.get(field) {
        Some(Value::Array(items)) => items,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// Refuses names that there are not, at any depth, as Google does.
fn known(value: &Value, names: &[&str], place: &str) -> Result<(), Failure> {
    let stranger =
        value.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| !names.contains(&name.as_str()));
    let Some(name) = stranger else { return Ok(()) };
    let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
    Err(Failure::invalid(format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")))
}

fn thinks(config: &Value) -> Result<bool, Failure> {
    let Some(thinking) = config.get("thinkingConfig") else { return Ok(false) };
    known(thinking, &THINKING, "generation_config.thinking_config")?;
    let (budget, level) = (thinking.get("thinkingBudget"), text(thinking, "thinkingLevel"));
    if budget.is_some() && level.is_some() {
        return Err(Failure::invalid("You can only set one of thinking budget and thinking level."));
    }
    let levels = ["minimal", "low", "medium", "high", "THINKING_LEVEL_UNSPECIFIED"];
    if let Some(level) = level.filter(|level| !levels.contains(&level.to_ascii_lowercase().as_str())) {
        return Err(Failure::invalid(format!("Invalid value at 'generation_config.thinking_config': \"{level}\"")));
    }
    let shown = thinking.get("includeThoughts").and_then(Value::as_bool).unwrap_or(false);
    Ok(shown && budget.and_then(Value::as_i64) != Some(0))
}

fn schema(config: &Value) -> Result<Option<Value>, Failure> {
    let (own, json) = (config.get("responseSchema"), config.get("responseJsonSchema"));
    if own.is_some() && json.is_some() {
        return Err(Failure::invalid("Only one of response_schema and response_json_schema may be set."));
    }
    if let Some(own) = own {
        own_schema(own, "generation_config.response_schema", 0)?;
    }
    let Some(schema) = own.or(json) else {
        let is_json = text(config, "responseMimeType") == Some("application/json");
        return Ok(is_json.then(|| serde_json::json!({"type": "object", "properties": {"answer": {}}})));
    };
    if text(config, "responseMimeType") != Some("application/json") {
        let message = "Function calling config is set without function_declarations, or a response schema without the \
                       response mime type 'application/json'.";
        return Err(Failure::invalid(message));
    }
    Ok(Some(schema.clone()))
}

/// Gemini's own schemas know no more than [`SCHEMA`].
fn own_schema(schema: &Value, place: &str, depth: usize) -> Result<(), Failure> {
    if depth > 32 {
        return Err(Failure::invalid("The schema nests too deep."));
    }
    let named = camel_names(schema);
    known(&named, &SCHEMA, place)?;
    let inner = |schema: &Value, place: String| own_schema(schema, &place, depth + 1);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        inner(property, format!("{place}.properties[{name}].value"))?;
    }
    if let Some(of) = schema.get("items") {
        inner(of, format!("{place}.items"))?;
    }
    for of in items(schema, "anyOf") {
        inner(of, format!("{place}.any_of"))?;
    }
    Ok(())
}

fn camel_names(value: &Value) -> Value {
    let members = value.as_object().into_iter().flatten();
    Value::Object(members.map(|(name, _)| (camel_name(name), Value::Null)).collect())
}

fn tools(body: &Value, wants: &mut Wants) -> Result<(), Failure> {
    for (at, tool) in items(body, "tools").iter().enumerate() {
        for declaration in items(tool, "functionDeclarations") {
            let place = format!("tools[{at}].function_declarations");
            known(declaration, &DECLARATION, &place)?;
            let name = text(declaration, "name").unwrap_or_default();
            let first = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
            if !first || !is_tool_name(&name.replace(['.', ':'], "_"), 64) {
                return Err(Failure::invalid(format!("{place}: Invalid function name \"{name}\".")));
            }
            let (own, json) = (declaration.get("parameters"), declaration.get("parametersJsonSchema"));
            if own.is_some() && json.is_some() {
                return Err(Failure::invalid(format!("{place}: only one of parameters and parameters_json_schema.")));
            }
            if let Some(own) = own {
                own_schema(own, &format!("{place}.parameters"), 0)?;
            }
            let parameters = own.or(json).cloned().unwrap_or_else(|| serde_json::json!({"type": "object"}));
            wants.tools.push(Offered { name: name.to_owned(), parameters });
        }
    }
    let Some(config) = body.pointer("/toolConfig/functionCallingConfig") else { return Ok(()) };
    if wants.tools.is_empty() {
        return Err(Failure::invalid("Function calling config is set without function_declarations."));
    }
    let allowed: Vec<&str> = items(config, "allowedFunctionNames").iter().filter_map(Value::as_str).collect();
    if let Some(name) = allowed.iter().find(|name| !wants.tools.iter().any(|tool| tool.name == **name)) {
        return Err(Failure::invalid(format!("Allowed function name \"{name}\" is not declared.")));
    }
    wants.choice = match text(config, "mode").unwrap_or("AUTO").to_ascii_uppercase().as_str() {
        "AUTO" | "MODE_UNSPECIFIED" | "VALIDATED" if allowed.is_empty() => Choice::Auto,
        "NONE" => Choice::Never,
        "ANY" => allowed.first().map_or(Choice::Must, |name| Choice::Named((*name).to_owned())),
        "VALIDATED" => Choice::Auto,
        "AUTO" => return Err(Failure::invalid("Allowed function names should be set only when the mode is ANY.")),
        other => return Err(Failure::invalid(format!("Invalid value at 'tool_config': \"{other}\""))),
    };
    Ok(())
}

/// Roles, parts, and that the turn after calls answers each of them.
fn turns(contents: &[Value], on_vertex: bool, wants: &mut Wants) -> Result<(), Failure> {
    let mut called: Vec<String> = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        let place = format!("contents[{at}]");
        known(content, &CONTENT, &place)?;
        let role = content.get("role").and_then(Value::as_str).unwrap_or(if on_vertex { "" } else { "user" });
        if !["user", "model", "function"].contains(&role) {
            return Err(Failure::invalid("Please use a valid role: user, model."));
        }
        let parts = items(content, "parts");
        if parts.is_empty() {
            let message = format!("* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n");
            return Err(Failure::invalid(message));
        }
        let (mut calls, mut answers) = (Vec::new(), Vec::new());
        // What a person says behind a result is of the same turn.
        if role == "model" {
            wants.result = None;
        }
        for (number, part) in parts.iter().enumerate() {
            let place = format!("{place}.parts[{number}]");
            known(part, &PART, &place)?;
            let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| part.get(*kind).is_some()).collect();
            match kinds[..] {
                ["text" | "executableCode" | "codeExecutionResult"] => {}
                ["inlineData" | "fileData"] => wants.remarks.push(file(part, &place)?),
                ["functionCall"] => calls.push(name(&part["functionCall"], &place)?),
                ["functionResponse"] => {
                    let told = &part["functionResponse"];
                    answers.push(name(told, &place)?);
                    let response = told.get("response").filter(|response| response.is_object());
                    let response = response.ok_or_else(|| {
                        Failure::invalid(format!("Invalid value at '{place}.function_response.response' (Struct)"))
                    })?;
                    let words = |key: &str| response.get(key).and_then(Value::as_str).map(str::to_owned);
                    wants.result =
                        Some(words("output").or_else(|| words("result")).unwrap_or_else(|| response.to_string()));
                }
                [] => {
                    let message = "required oneof field 'data' must have one initialized field";
                    return Err(Failure::invalid(format!("* GenerateContentRequest.{place}.data: {message}\n")));
                }
                _ => return Err(Failure::invalid(format!("{place}: oneof field 'data' is already set."))),
            }
        }
        let (mut before, mut now) = (called, answers);
        before.sort();
        now.sort();
        if before != now {
            return Err(Failure::invalid(
                "Please ensure that the number of function response parts is equal to the number of function call parts \
                 of the function call turn.",
            ));
        }
        called = calls;
    }
    if called.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid("Please ensure that function call turn comes before a function response turn."))
}

fn name(call: &Value, place: &str) -> Result<String, Failure> {
    let name = text(call, "name").map(str::to_owned);
    name.ok_or_else(|| Failure::invalid(format!("* GenerateContentRequest.{place}: Name cannot be empty.\n")))
}

fn file(part: &Value, place: &str) -> Result<String, Failure> {
    let bad = |why: String| Failure::invalid(format!("Invalid value at '{place}': {why}"));
    if let Some(remote) = part.get("fileData") {
        let url = text(remote, "fileUri").ok_or_else(|| bad("file_uri is required".to_owned()))?;
        return remark_url("a file", &url.replacen("gs://", "https://", 1)).map_err(bad);
    }
    let inline = &part["inlineData"];
    let (mime, data) = (text(inline, "mimeType").unwrap_or_default(), text(inline, "data").unwrap_or_default());
    let bytes = decoded_either(data).map_err(|why| bad(format!("(TYPE_BYTES), Base64 decoding failed: it {why}")))?;
    remark(mime, &bytes).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_cases_are_read_and_what_the_caller_defines_is_left_alone() {
        let body = json!({"generation_config": {"response_schema": {"properties": {"a_b": {}}}}, "a_b_c": 1});
        let read = json!({"generationConfig": {"responseSchema": {"properties": {"a_b": {}}}}, "aBC": 1});
        assert_eq!(camel(&body), read);
    }

    #[test]
    fn its_own_schemas_know_less_than_json_schema() {
        let good = json!({"type": "OBJECT", "properties": {"$x": {"type": "STRING", "max_length": 3}}});
        assert_eq!(own_schema(&good, "s", 0), Ok(()));
        let bad = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
        let Err(Failure::Invalid { message, .. }) = own_schema(&bad, "s", 0) else { panic!("it is refused") };
        assert!(message.contains("Unknown name \"$ref\" at 's.properties[a].value'"), "{message}");
    }
}
