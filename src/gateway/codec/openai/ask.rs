//! Reads a request of OpenAI Chat Completions. What only this dialect has goes on untouched to who speaks it; whose answer
//! could not be handed back is refused by its name; nothing is dropped unsaid.

use serde_json::{Map, Value, json};

use super::super::Asked;
use super::super::json::{Wrong, count, flag, list, member, needed, number, object, only, others, set, text};
use super::chunk::Completions;
use super::marks;
use super::messages::messages_and_more;
use super::reasoning::{self, Wish};
use super::tools::{chosen, is_name, tools};
use crate::catalog::{ModelId, Protocol};
use crate::chat::{AnswerSchema, ChatRequest, Force, Native, Tool, ToolChoice};

/// Parameters that have a place in the canonical form.
const OWN: [&str; 26] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "include_reasoning",
    "cache_control",
    "logprobs",
    "modalities",
    "functions",
    "function_call",
    "top_logprobs",
    "audio",
    "web_search_options",
];

/// Parameters that have none and go on untouched, each with what an answer is without it. What changes the shape of an
/// answer that is handed back (`logprobs`, `modalities`) or its price (another `service_tier`, `web_search_options`) is not
/// among them. Whatever else there is goes on as well, and is left out where nobody of the model speaks the dialect.
const NATIVE: [(&str, Force); 20] = [
    ("user", Force::Hint),
    ("metadata", Force::Hint),
    ("store", Force::Hint),
    ("safety_identifier", Force::Hint),
    ("prompt_cache_key", Force::Hint),
    ("prompt_cache_retention", Force::Hint),
    ("service_tier", Force::Hint),
    ("frequency_penalty", Force::Term),
    ("presence_penalty", Force::Term),
    ("logit_bias", Force::Term),
    ("verbosity", Force::Term),
    ("top_k", Force::Term),
    ("min_p", Force::Term),
    ("repetition_penalty", Force::Term),
    ("prediction", Force::Term),
    ("guided_json", Force::Term),
    ("guided_regex", Force::Term),
    ("guided_choice", Force::Term),
    ("guided_grammar", Force::Term),
    ("structured_outputs", Force::Term),
];

/// Marks of an account's own are the same in OpenAI's other dialect.
const BOTH: &[Protocol] = &[Protocol::OpenaiChat, Protocol::OpenaiResponses];
const HERE: &[Protocol] = &[Protocol::OpenaiChat];
const RESPONSES: &[Protocol] = &[Protocol::OpenaiResponses];

/// The request in a body.
///
/// # Errors
/// What is wrong, with its place before it.
pub fn read(body: &Map<String, Value>) -> Result<Asked, String> {
    let model = needed(body, "model", "")?.to_owned();
    let (messages, beside) = match member(body, "messages") {
        Some(Value::Array(items)) if !items.is_empty() => messages_and_more(items, "messages")?,
        Some(Value::Array(_)) => return Err("messages: empty".to_owned()),
        None | Some(Value::Null) => return Err("messages: missing".to_owned()),
        Some(_) => return Err("messages: not an array".to_owned()),
    };
    passed_over(body)?;
    let tools = tools(&marks::bare(list(body, "tools", "")?))?;
    let marks = marks::of(body, &messages)?;
    let Wish { effort, telling } = reasoning::read(body)?;
    let request = ChatRequest {
        max_tokens: limit(body)?,
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        seed: match set(body, "seed") {
            None => None,
            Some(seed) => Some(seed.as_i64().ok_or("seed: not a whole number")?),
        },
        stop: stops(body)?,
        tool_choice: choice(body, &tools)?,
        tools,
        parallel_tools: flag(body, "parallel_tool_calls", "").map_err(placed)?,
        schema: schema(body)?,
        effort,
        marks,
        native: natives(body, beside),
        stream: flag(body, "stream", "").map_err(placed)?.unwrap_or(false),
        ..ChatRequest::new(ModelId::new(model.clone()), messages)
    };
    let voice = Completions { include_usage: include_usage(body, request.stream)?, telling };
    Ok(Asked { model, request, voice: Box::new(voice) })
}

/// What goes on untouched; `beside` is what stands beside the content of messages.
fn natives(body: &Map<String, Value>, beside: Map<String, Value>) -> Vec<Native> {
    let mut rest = others(body, &OWN);
    let mut natives = Vec::new();
    for (name, force) in NATIVE {
        if rest.is_empty() {
            break;
        }
        if let Some(value) = rest.shift_remove(name) {
            let protocols = if force == Force::Hint && name != "store" { BOTH } else { HERE };
            natives.push(Native { protocols, name, value, force });
        }
    }
    let mut here = |name: &'static str, value: Value, force: Force| {
        natives.push(Native { protocols: HERE, name, value, force });
    };
    if !rest.is_empty() {
        here(Native::MEMBERS, rest.into(), Force::Wish);
    }
    if !beside.is_empty() {
        here(Native::BESIDE, beside.into(), Force::Wish);
    }
    if let Some(choice) = set(body, "tool_choice").filter(|choice| choice["type"] == "allowed_tools") {
        here("tool_choice", choice.clone(), Force::Term);
    }
    // Plain JSON mode has a form of its own, which those know too who know no schemas.
    if let Some(format) = set(body, "response_format").filter(|format| format["type"] == "json_object") {
        here("response_format", format.clone(), Force::Form);
        natives.push(Native {
            protocols: RESPONSES,
            name: "text.format",
            value: json!({ "type": "json_object" }),
            force: Force::Form,
        });
    }
    natives
}

/// What says nothing here, as long as it says nothing else.
fn passed_over(body: &Map<String, Value>) -> Result<(), Wrong> {
    if set(body, "n").is_some_and(|n| n.as_u64() != Some(1)) {
        return Err("n: only one answer can be asked for".to_owned());
    }
    for (name, nothing) in [("logprobs", Value::Bool(false)), ("top_logprobs", 0.into()), ("audio", Value::Null)] {
        if set(body, name).is_some_and(|wanted| *wanted != nothing) {
            return Err(format!("{name}: it cannot be asked for, since nothing here hands it back"));
        }
    }
    if set(body, "web_search_options").is_some() {
        let message = "web_search_options: it has a price of its own and cannot be asked for";
        return Err(message.to_owned());
    }
    if let Some(other) = list(body, "modalities", "").map_err(placed)?.iter().find(|kind| **kind != "text") {
        return Err(format!("modalities: {other} cannot be asked for, only \"text\""));
    }
    for (name, instead) in [("functions", "tools"), ("function_call", "tool_choice")] {
        if set(body, name).is_some_and(|value| *value != json!([])) {
            return Err(format!("{name}: OpenAI has put {instead} in its place, and so do we"));
        }
    }
    tier(body)
}

/// # Errors
/// It names a tier that has a price of its own.
pub(crate) fn tier(body: &Map<String, Value>) -> Result<(), Wrong> {
    match text(body, "service_tier", "").map_err(placed)? {
        None | Some("auto" | "default") => Ok(()),
        Some(other) => Err(format!("service_tier: \"{other}\" has another price, only \"default\" can be asked for")),
    }
}

/// At the root there is nothing before the dot.
fn placed(wrong: Wrong) -> Wrong {
    wrong.trim_start_matches('.').to_owned()
}

/// The output limit, under its older or its newer name.
fn limit(body: &Map<String, Value>) -> Result<Option<u64>, Wrong> {
    match (count(body, "max_completion_tokens")?, count(body, "max_tokens")?) {
        (Some(one), Some(other)) if one != other => {
            Err("max_tokens: max_completion_tokens says something else".to_owned())
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn stops(body: &Map<String, Value>) -> Result<Vec<String>, Wrong> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let texts = match set(body, "stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(text).collect::<Option<Vec<_>>>(),
        Some(one) => text(one).map(|text| vec![text]),
    };
    texts.ok_or_else(|| "stop: neither a text nor a list of texts".to_owned())
}

fn choice(body: &Map<String, Value>, tools: &[Tool]) -> Result<Option<ToolChoice>, Wrong> {
    Ok(Some(match set(body, "tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            other => return Err(format!("tool_choice: \"{other}\" is none of auto, none, required")),
        },
        Some(value) => {
            let fields = object(value, "tool_choice")?;
            // It goes on as it is.
            if fields.get("type").is_some_and(|kind| kind == "allowed_tools") {
                return Ok(None);
            }
            only(fields, "tool_choice", &["type", "function"])?;
            match needed(fields, "type", "tool_choice")? {
                "function" => {}
                other => return Err(format!("tool_choice.type: \"{other}\" is not \"function\"")),
            }
            let function = object(fields.get("function").unwrap_or(&Value::Null), "tool_choice.function")?;
            only(function, "tool_choice.function", &["name"])?;
            chosen(needed(function, "name", "tool_choice.function")?, tools)?
        }
    }))
}

/// The shape of the answer. Plain JSON mode is a schema that any object satisfies.
fn schema(body: &Map<String, Value>) -> Result<Option<AnswerSchema>, Wrong> {
    let Some(format) = set(body, "response_format") else { return Ok(None) };
    let at = "response_format";
    let fields = object(format, at)?;
    only(fields, at, &["type", "json_schema"])?;
    match needed(fields, "type", at)? {
        "text" => Ok(None),
        "json_object" => Ok(Some(AnswerSchema { name: "answer".to_owned(), schema: json!({ "type": "object" }) })),
        "json_schema" => {
            let at = "response_format.json_schema";
            let wrapped = object(fields.get("json_schema").unwrap_or(&Value::Null), at)?;
            schema_of(wrapped, &["name", "schema", "strict", "description"], at).map(Some)
        }
        other => Err(format!("{at}.type: \"{other}\" is none of text, json_object, json_schema")),
    }
}

/// A schema with its name; `known` is what may stand beside it.
///
/// # Errors
/// What is wrong, with its place.
pub(crate) fn schema_of(wrapped: &Map<String, Value>, known: &[&str], at: &str) -> Result<AnswerSchema, Wrong> {
    only(wrapped, at, known)?;
    let name = needed(wrapped, "name", at)?;
    if !is_name(name) {
        return Err(format!("{at}.name: \"{name}\" is not 1 to 64 of A-Z a-z 0-9 _ -"));
    }
    let mut schema = wrapped.get("schema").cloned().unwrap_or(Value::Null);
    let members = schema.as_object_mut().ok_or_else(|| format!("{at}.schema: not an object"))?;
    if let Some(description) = text(wrapped, "description", at)? {
        members.entry("description").or_insert_with(|| description.into());
    }
    // Whether it is asked for in strict mode follows from the schema, at each provider.
    flag(wrapped, "strict", at)?;
    Ok(AnswerSchema { name: name.to_owned(), schema })
}

fn include_usage(body: &Map<String, Value>, stream: bool) -> Result<bool, Wrong> {
    let Some(options) = set(body, "stream_options") else { return Ok(false) };
    if !stream {
        return Err("stream_options: only where stream is true".to_owned());
    }
    let fields = object(options, "stream_options")?;
    // Obfuscation pads events against those who measure them on the wire; on this machine there is nobody to hide from.
    only(fields, "stream_options", &["include_usage", "include_obfuscation"])?;
    Ok(flag(fields, "include_usage", "stream_options")?.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Effort;

    fn asked(json: &str) -> Result<Asked, String> {
        let Value::Object(body) = serde_json::from_str(json).unwrap() else { panic!("{json}") };
        read(&body)
    }

    /// A request with these members beside a model and a message.
    fn with(members: &str) -> Result<Asked, String> {
        asked(&format!(r#"{{"model":"a/b","messages":[{{"role":"user","content":"hi"}}],{members}}}"#))
    }

    #[test]
    fn everything_has_its_place() {
        let all = with(
            r#""stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":7,"temperature":0.70,
               "top_p":1,"n":1,"stop":"END","seed":-3,"reasoning_effort":"low","parallel_tool_calls":false,
               "tools":[{"type":"function","function":{"name":"w","parameters":{"type":"object"}}}],
               "tool_choice":{"type":"function","function":{"name":"w"}},"user":"u-1","top_k":5,"logprobs":null,
               "response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object"}}}"#,
        );
        let Asked { model, request, voice } = all.unwrap();
        assert_eq!((model.as_str(), request.stream), ("a/b", true));
        assert_eq!(format!("{voice:?}"), "Completions { include_usage: true, telling: Content }");
        assert_eq!((request.max_tokens, request.seed, request.effort), (Some(7), Some(-3), Some(Effort::Low)));
        assert_eq!(request.temperature.unwrap().to_string(), "0.70", "the literal itself");
        assert_eq!((request.stop, request.parallel_tools), (vec!["END".to_owned()], Some(false)));
        assert_eq!(request.tool_choice, Some(ToolChoice::Named("w".to_owned())));
        assert_eq!(request.schema.unwrap().name, "s");
        let native: Vec<_> = request.native.iter().map(|native| (native.name, native.force)).collect();
        assert_eq!(native, [("user", Force::Hint), ("top_k", Force::Term)]);
        let plain =
            with(r#""logprobs":false,"modalities":["text"],"service_tier":"auto","functions":[],"n":null"#).unwrap();
        assert_eq!(plain.request.native.iter().map(|native| native.name).collect::<Vec<_>>(), ["service_tier"]);
        let plain = with(r#""stop":["a","b"],"response_format":{"type":"json_object"},"max_tokens":5"#).unwrap();
        assert_eq!((plain.request.stop.len(), plain.request.max_tokens, plain.request.stream), (2, Some(5), false));
        assert_eq!(plain.request.schema.unwrap().schema, json!({ "type": "object" }));
    }

    #[test]
    fn mistakes_are_placed_and_nothing_is_dropped() {
        for (members, wrong) in [
            (r#""logprobs":true"#, "logprobs: it cannot be asked for, since nothing here hands it back"),
            (r#""top_logprobs":3"#, "top_logprobs: it cannot be asked for, since nothing here hands it back"),
            (r#""web_search_options":{}"#, "web_search_options: it has a price of its own and cannot be asked for"),
            (r#""modalities":["text","audio"]"#, "modalities: \"audio\" cannot be asked for, only \"text\""),
            (r#""functions":[{"name":"w"}]"#, "functions: OpenAI has put tools in its place, and so do we"),
            (r#""function_call":"auto""#, "function_call: OpenAI has put tool_choice in its place, and so do we"),
            (
                r#""service_tier":"priority""#,
                "service_tier: \"priority\" has another price, only \"default\" can be asked for",
            ),
            (
                r#""tools":[{"type":"custom","name":"w","format":{"type":"text"}}]"#,
                "tools[0].type: a \"custom\" tool without input_schema cannot be given",
            ),
            (r#""n":2"#, "n: only one answer can be asked for"),
            (r#""stream":"yes""#, "stream: neither true nor false"),
            (r#""stream_options":{"include_usage":true}"#, "stream_options: only where stream is true"),
            (r#""max_tokens":0"#, "max_tokens: not a whole number above 0"),
            (r#""max_tokens":1,"max_completion_tokens":2"#, "max_tokens: max_completion_tokens says something else"),
            (r#""temperature":"hot""#, "temperature: not a number"),
            (r#""stop":[1]"#, "stop: neither a text nor a list of texts"),
            (
                r#""tools":[{"type":"web_search"}]"#,
                "tools[0].type: \"web_search\" is run by a provider; only functions can be given",
            ),
            (r#""tool_choice":"w""#, "tool_choice: \"w\" is none of auto, none, required"),
            (r#""tool_choice":{"type":"function","function":{"name":"w"}}"#, "tool_choice: no tool is called \"w\""),
            (
                r#""response_format":{"type":"grammar"}"#,
                "response_format.type: \"grammar\" is none of text, json_object, json_schema",
            ),
            (
                r#""reasoning_effort":"huge""#,
                "reasoning_effort: \"huge\" is none of none, minimal, low, medium, high, xhigh, max",
            ),
        ] {
            assert_eq!(with(members).unwrap_err(), wrong, "{members}");
        }
        assert_eq!(asked(r#"{"messages":[]}"#).unwrap_err(), ".model: missing");
        assert_eq!(asked(r#"{"model":"a/b","messages":[]}"#).unwrap_err(), "messages: empty");
        let role = r#"{"model":"a/b","messages":[{"role":"wizard","content":"x"}]}"#;
        assert!(asked(role).unwrap_err().starts_with("messages[0].role: \"wizard\""));
    }
}
