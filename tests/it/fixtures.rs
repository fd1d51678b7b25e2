//! The recorded answers under `tests/fixtures/<protocol>/<case>`: `case.toml` (source, shape, expected events as lines),
//! the bytes of the response, and a request with the body that it must become.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are tests")]
#![expect(clippy::disallowed_methods, reason = "fixtures are files, and tests read them")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openmux::catalog::{
    Capability, Endpoint, EndpointId, ErrorFamily, ModelId, OutputLimitField, Prefill, Protocol, Provider, ProviderId,
    ProviderKind, Quirks, Thinking, Usage,
};
use openmux::chat::{
    AnswerSchema, ChatEvent, ChatRequest, Effort, Media, MediaKind, MediaSource, Message, Part, Role, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use openmux::units::Tokens;
use openmux::upstream::wire::{Frame, Framer};
use openmux::upstream::{Adapter, BUILT, Call, DecodeError, UpstreamError, adapter};
use serde_json::{Map, Value};

/// One folder.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    /// Where the bytes come from.
    pub(crate) source: String,
    pub(crate) stream: bool,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The streamed case that says the same as this whole one.
    pub(crate) twin: Option<String>,
    pub(crate) expect: Vec<String>,
    pub(crate) response: Option<Vec<u8>>,
    pub(crate) request: Option<Value>,
    pub(crate) provider: String,
}

impl Case {
    pub(crate) fn adapter(&self) -> &'static dyn Adapter {
        adapter(self.protocol).unwrap()
    }

    /// The streamed response, where this is a case of one.
    pub(crate) fn streamed(&self) -> Option<&[u8]> {
        self.response.as_deref().filter(|_| self.stream && self.status == 200)
    }
}

/// Every case of every built protocol; never empty.
pub(crate) fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut cases = Vec::new();
    for protocol in BUILT {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(root.join(protocol.name())).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        assert!(folders.len() >= 12, "{} has too few cases", protocol.name());
        cases.extend(folders.iter().map(|folder| read(protocol, folder)));
    }
    cases
}

fn read(protocol: Protocol, folder: &Path) -> Case {
    let name = format!("{}/{}", protocol.name(), folder.file_name().unwrap().to_str().unwrap());
    let table: toml::Table = std::fs::read_to_string(folder.join("case.toml")).unwrap().parse().unwrap();
    let text = |key: &str| table.get(key).map(|value| value.as_str().unwrap().to_owned());
    let headers = table.get("headers").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let mut headers: Vec<_> =
        headers.into_iter().map(|(key, value)| (key, value.as_str().unwrap().to_owned())).collect();
    headers.extend(text("content_type").map(|value| ("content-type".to_owned(), value)));
    let response =
        ["response.sse", "response.bin", "response.txt"].iter().find_map(|file| std::fs::read(folder.join(file)).ok());
    let request = std::fs::read(folder.join("request.json")).ok();
    let case = Case {
        source: text("source").unwrap(),
        stream: table.get("stream").and_then(toml::Value::as_bool).unwrap_or(false),
        status: table.get("status").map_or(200, |status| u16::try_from(status.as_integer().unwrap()).unwrap()),
        headers,
        twin: text("twin"),
        expect: table.get("expect").map_or_else(Vec::new, |lines| lines.clone().try_into().unwrap()),
        response,
        request: request.map(|bytes| serde_json::from_slice(&bytes).unwrap()),
        provider: text("provider").unwrap_or_else(|| "example".to_owned()),
        name,
        protocol,
    };
    assert!(case.source.len() > 20, "{} does not say where it comes from", case.name);
    assert!(case.response.is_some() || case.request.is_some(), "{} is empty", case.name);
    case
}

/// With `UPDATE`, writes the expected events of a case that has none.
pub(crate) fn fill_in(case: &Case, lines: &[String]) {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(&case.name).join("case.toml");
    let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    table.insert("expect".to_owned(), lines.to_vec().into());
    std::fs::write(path, toml::to_string_pretty(&table).unwrap()).unwrap();
}

/// Everything that a [`Call`] borrows.
pub(crate) struct World {
    endpoint: Endpoint,
    provider: Provider,
    base_url: String,
    request: ChatRequest,
}

impl World {
    pub(crate) fn call(&self) -> Call<'_> {
        Call { endpoint: &self.endpoint, provider: &self.provider, base_url: &self.base_url, request: &self.request }
    }
}

/// The world of a case: its own request where it has one, else a plain one.
pub(crate) fn world(case: &Case) -> World {
    let empty = Value::Object(Map::new());
    let call = case.request.as_ref().map_or(&empty, |request| &request["call"]);
    let provider = ProviderId::new(&case.provider);
    let headers = call["provider_headers"].as_object().cloned().unwrap_or_default();
    World {
        base_url: call["base_url"].as_str().unwrap_or("https://api.example.com/v1").to_owned(),
        endpoint: endpoint(&provider, call, case.protocol),
        provider: Provider {
            name: "Example".to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect(),
            output_limit: match call["output_limit"].as_str() {
                Some("max_tokens") => OutputLimitField::MaxTokens,
                _ => OutputLimitField::MaxCompletionTokens,
            },
            quirks: quirks(&call["quirks"]),
            ..Provider::new(provider, ProviderKind::Host)
        },
        request: ChatRequest {
            model: ModelId::new("example/model"),
            messages: call["messages"]
                .as_array()
                .map_or_else(Vec::new, |messages| messages.iter().map(message).collect()),
            max_tokens: call["max_tokens"].as_u64(),
            temperature: call["temperature"].as_str().map(|literal| literal.parse().unwrap()),
            top_p: call["top_p"].as_str().map(|literal| literal.parse().unwrap()),
            seed: call["seed"].as_i64(),
            stop: texts(&call["stop"]),
            tools: call["tools"].as_array().map_or_else(Vec::new, |tools| tools.iter().map(tool).collect()),
            tool_choice: call["tool_choice"].as_str().map(tool_choice),
            parallel_tools: call["parallel_tools"].as_bool(),
            schema: call.get("schema").map(|schema| AnswerSchema { name: "answer".to_owned(), schema: schema.clone() }),
            effort: call.get("effort").map(effort),
            cache: call["cache"].as_bool().unwrap_or(false),
            marks: Vec::new(),
            native: Vec::new(),
            relaxed: false,
            extra: call["extra"].as_object().cloned().unwrap_or_default(),
            continues: call["continues"].as_bool().unwrap_or(false),
            stream: if case.request.is_some() { call["stream"].as_bool().unwrap_or(false) } else { case.stream },
        },
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn quirks(value: &Value) -> Quirks {
    let word = |name: &str| value[name].as_str();
    Quirks {
        thinking: word("thinking").map_or(Thinking::ReasoningEffort, |word| Thinking::parse(word).unwrap()),
        errors: word("errors").map_or(ErrorFamily::General, |word| ErrorFamily::parse(word).unwrap()),
        developer_role: value["developer_role"].as_bool().unwrap_or(false),
        replays_reasoning: value["replays_reasoning"].as_bool().unwrap_or(false),
        output_excludes_reasoning: value["output_excludes_reasoning"].as_bool().unwrap_or(false),
        prefill: word("prefill").map_or(Prefill::None, |word| Prefill::parse(word).unwrap()),
        notes: BTreeMap::new(),
        ..Quirks::default()
    }
}

fn tool(value: &Value) -> Tool {
    Tool {
        name: value["name"].as_str().unwrap().to_owned(),
        description: value["description"].as_str().map(str::to_owned),
        parameters: value["parameters"].clone(),
        strict: value["strict"].as_bool(),
    }
}

fn tool_choice(word: &str) -> ToolChoice {
    match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        name => ToolChoice::Named(name.to_owned()),
    }
}

fn effort(value: &Value) -> Effort {
    match value.as_u64() {
        Some(tokens) => Effort::Budget(tokens),
        None => Effort::WORDS.into_iter().find(|level| level.word() == value.as_str()).unwrap(),
    }
}

fn message(value: &Value) -> Message {
    let role = match value["role"].as_str().unwrap() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "assistant" => Role::Assistant,
        _ => Role::User,
    };
    let parts = match &value["content"] {
        Value::Array(parts) => parts.iter().map(part).collect(),
        text => vec![part(text)],
    };
    Message::of(role, parts)
}

/// A string is text; an object has one member: `media` (`kind`, `mime`, `text` or
/// `base64` for its bytes or `url`, `name`), `call`
/// (`id`, `name`, `arguments`, `signature`), `result` (`id`, `name`, `content`, `is_error`), `reasoning` (`text`,
/// `signature`).
fn part(value: &Value) -> Part {
    let string = |value: &Value| value.as_str().map(str::to_owned);
    if let Value::String(text) = value {
        return Part::Text(text.clone());
    }
    if let Some(media) = value.get("media") {
        let source = match string(&media["url"]) {
            Some(url) => MediaSource::Url(url),
            None => MediaSource::Bytes(match string(&media["base64"]) {
                Some(base64) => STANDARD.decode(base64).unwrap().into(),
                None => string(&media["text"]).unwrap().into_bytes().into(),
            }),
        };
        let kind = if media["kind"] == "pdf" { MediaKind::Pdf } else { MediaKind::Image };
        return Part::Media(Media {
            kind,
            mime: string(&media["mime"]).unwrap(),
            source,
            name: string(&media["name"]),
            detail: None,
        });
    }
    if let Some(call) = value.get("call") {
        return Part::ToolCall(ToolCall {
            id: string(&call["id"]).unwrap(),
            name: string(&call["name"]).unwrap(),
            arguments: string(&call["arguments"]).unwrap(),
            signature: string(&call["signature"]),
        });
    }
    if let Some(result) = value.get("result") {
        return Part::ToolResult(ToolResult {
            call_id: string(&result["id"]).unwrap(),
            name: string(&result["name"]),
            content: result["content"].as_array().unwrap().iter().map(part).collect(),
            is_error: result["is_error"].as_bool().unwrap_or(false),
        });
    }
    let reasoning = &value["reasoning"];
    Part::Reasoning { text: string(&reasoning["text"]).unwrap(), signature: string(&reasoning["signature"]) }
}

fn endpoint(provider: &ProviderId, call: &Value, protocol: Protocol) -> Endpoint {
    let id = EndpointId {
        provider: provider.clone(),
        upstream_model: call["model"].as_str().unwrap_or("model-1").to_owned(),
    };
    Endpoint {
        protocol: Some(protocol),
        context: call["context"].as_u64().map(Tokens::new),
        max_output: call["max_output"].as_u64().map(Tokens::new),
        capabilities: texts(&call["capabilities"]).iter().map(|word| Capability::parse(word).unwrap()).collect(),
        reasoning_options: texts(&call["reasoning_options"]),
        ..Endpoint::new(id, ModelId::new(call["maker"].as_str().unwrap_or("example/model")))
    }
}

/// The frames of some bytes, given in pieces, in the framing that the case's content type names. Bytes that no frame can be
/// made of end them.
pub(crate) fn frames<'a>(case: &Case, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let kind = case.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value);
    let mut framer = Framer::of(kind, 1 << 20);
    let mut out = Vec::new();
    if pieces.into_iter().all(|piece| framer.push(piece, &mut out).is_ok()) {
        framer.finish(&mut out);
    }
    out
}

/// What a decoder makes of frames that end there.
pub(crate) fn decode(case: &Case, frames: &[Frame]) -> (Vec<ChatEvent>, Result<(), DecodeError>) {
    let world = world(case);
    let mut decoder = case.adapter().decoder(&world.call());
    let mut out = Vec::new();
    for frame in frames {
        if let Err(error) = decoder.frame(frame, &mut out) {
            return (out, Err(error));
        }
    }
    let end = decoder.end(&mut out);
    (out, end)
}

/// What becomes of a case's response, streamed, whole or failed.
pub(crate) fn outcome(case: &Case) -> (Vec<ChatEvent>, Result<(), DecodeError>) {
    let body = case.response.as_deref().unwrap_or_default();
    if case.streamed().is_some() {
        return decode(case, &frames(case, [body]));
    }
    let world = world(case);
    if case.status == 200 {
        let mut out = Vec::new();
        let result = case.adapter().whole(&world.call(), body, &mut out);
        return (out, result);
    }
    let mut head = http::Response::builder().status(case.status);
    for (name, value) in &case.headers {
        head = head.header(name, value);
    }
    let head = head.body(()).unwrap().into_parts().0;
    (Vec::new(), Err(DecodeError::Upstream(case.adapter().classify(&world.call(), &head, body))))
}

/// Events and their end as the lines of `case.toml`.
pub(crate) fn lines((events, end): &(Vec<ChatEvent>, Result<(), DecodeError>)) -> Vec<String> {
    let mut lines: Vec<String> = events.iter().map(event_line).collect();
    lines.extend(match end {
        Ok(()) => None,
        Err(DecodeError::Truncated) => Some("error truncated".to_owned()),
        Err(DecodeError::Corrupt(_)) => Some("error corrupt".to_owned()),
        Err(DecodeError::Upstream(error)) => Some(error_line(error)),
    });
    lines
}

fn event_line(event: &ChatEvent) -> String {
    match event {
        ChatEvent::Started { id, model } => format!("started{}{}", quoted("id", id), quoted("model", model)),
        ChatEvent::Text(text) => format!("text {text:?}"),
        ChatEvent::Refusal(text) => format!("refusal {text:?}"),
        ChatEvent::Item(item) => format!("item {item}"),
        ChatEvent::Reasoning(text) => format!("reasoning {text:?}"),
        ChatEvent::ToolCall { index, id, name, arguments } => {
            format!("tool {index}{}{} arguments={arguments:?}", quoted("id", id), quoted("name", name))
        }
        ChatEvent::Signature { index, signature } => {
            format!("signature{} {signature:?}", index.map(|index| format!(" tool={index}")).unwrap_or_default())
        }
        ChatEvent::Usage(usage) => usage_line(usage),
        ChatEvent::Billed(amount) => format!("billed {amount}"),
        ChatEvent::StopSequence(text) => format!("stopped at {text:?}"),
        ChatEvent::Finished { finish, native } => format!("finished {} native={native:?}", finish.name()),
    }
}

fn usage_line(usage: &Usage) -> String {
    let mut line = "usage".to_owned();
    for (name, count) in [
        ("input", usage.input),
        ("output", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("cache_write_1h", usage.cache_write_1h),
        ("input_audio", usage.input_audio),
        ("input_image", usage.input_image),
        ("input_video", usage.input_video),
        ("reasoning", usage.reasoning),
        ("output_audio", usage.output_audio),
        ("output_image", usage.output_image),
    ] {
        if let Some(count) = count {
            write!(line, " {name}={count}").unwrap();
        }
    }
    if usage.web_searches > 0 {
        write!(line, " web_searches={}", usage.web_searches).unwrap();
    }
    if let Some(tier) = &usage.service_tier {
        write!(line, " service_tier={tier}").unwrap();
    }
    line
}

fn error_line(error: &UpstreamError) -> String {
    let wait = error.retry_after.map(|wait| format!(" retry_after_ms={}", wait.as_millis())).unwrap_or_default();
    let (code, id) = (quoted("code", &error.code), quoted("request_id", &error.request_id));
    format!("error upstream {} {:?}{code}{wait}{id}", error.class.name(), error.message)
}

fn quoted(name: &str, text: &Option<String>) -> String {
    text.as_ref().map(|text| format!(" {name}={text:?}")).unwrap_or_default()
}
