//! `--record DIR`: each exchange becomes a folder in the form of `tests/fixtures/<protocol>/<case>`, readable by its
//! owner alone. What is kept holds no key, but it does hold the prompt and the answer.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::contract::Exit;
use super::error::CliError;
use super::settings::reason;
use crate::catalog::OutputLimitField;
use crate::chat::{ChatRequest, Effort, MediaSource, Message, Part, Role, ToolChoice};
use crate::dispatch::{Reach, RecordedResponse, Recording};
use crate::units::Tokens;
use crate::upstream::shown_url;

/// What stands where a secret was: such a header says nothing.
const GONE: &str = "[redacted]";
/// Headers that are made anew for each request, or by each version.
const PASSING: [&str; 6] = ["user-agent", "host", "x-amz-date", "x-amz-content-sha256", "date", "transfer-encoding"];

/// Writes recordings below one folder.
#[derive(Debug)]
pub(crate) struct Recorder {
    folder: PathBuf,
    simulated: bool,
    count: u32,
}

impl Recorder {
    /// Makes the folder where it is not there. What is `simulated` says so as its source.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn open(folder: &Path, simulated: bool) -> Result<Self, CliError> {
        make(folder, true).map_err(|error| {
            CliError::new(Exit::Config, "record", format!("cannot make the folder {}", folder.display()))
                .fact("reason", reason(&error))
                .fix("--record with a folder that you may write to")
        })?;
        Ok(Self { folder: folder.to_owned(), simulated, count: 0 })
    }

    /// Writes one exchange.
    ///
    /// # Errors
    /// It cannot be written: why.
    pub(crate) fn keep(&mut self, recording: &Recording, reach: &Reach) -> Result<(), String> {
        self.count += 1;
        let when: String = recording.at.to_string().chars().filter(char::is_ascii_digit).take(17).collect();
        let name = format!("{}-{when}-{}", recording.endpoint.provider, self.count);
        let folder = self.folder.join(recording.protocol.name());
        let case = folder.join(name);
        let written = make(&folder, true).and_then(|()| make(&case, false)).and_then(|()| {
            write(&case.join("case.toml"), case_toml(recording, self.simulated).as_bytes())?;
            let request = serde_json::to_string_pretty(&request_json(recording, reach))?;
            write(&case.join("request.json"), (request + "\n").as_bytes())?;
            match &recording.response {
                Some(response) => write(&case.join(response_name(response)), &response.body),
                None => Ok(()),
            }
        });
        written.map_err(|error| reason(&error))
    }
}

/// Makes a folder for its owner alone.
fn make(folder: &Path, may_exist: bool) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(may_exist);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a new file for its owner alone.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

fn content_type(response: &RecordedResponse) -> &str {
    let found = response.headers.iter().find(|(name, _)| name == "content-type");
    found.map_or("", |(_, value)| value.as_str())
}

fn response_name(response: &RecordedResponse) -> &'static str {
    let kind = content_type(response);
    if kind.starts_with("text/event-stream") {
        "response.sse"
    } else if kind.contains("eventstream") || std::str::from_utf8(&response.body).is_err() {
        "response.bin"
    } else {
        "response.txt"
    }
}

/// Where it comes from and what came, without the events that are expected: the suite writes those.
fn case_toml(recording: &Recording, simulated: bool) -> String {
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: toml::Value| {
        table.insert(key.to_owned(), value);
    };
    let (day, version) = (recording.at.strftime("%Y-%m-%d"), env!("CARGO_PKG_VERSION"));
    let id = &recording.endpoint;
    let whose = if simulated { "the sandbox in the place of " } else { "" };
    let source = format!("recorded by openmux {version} on {day}: {} of {whose}{}", id.upstream_model, id.provider);
    put("source", source.into());
    put("provider", id.provider.as_str().into());
    if let Some(response) = &recording.response {
        let kind = content_type(response);
        put("stream", (recording.asked.stream && !kind.starts_with("application/json")).into());
        put("status", i64::from(response.status).into());
        put("content_type", kind.into());
        let kept = response
            .headers
            .iter()
            .filter(|(name, value)| name != "content-type" && value != GONE && !PASSING.contains(&name.as_str()));
        let headers: toml::Table = kept.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        if !headers.is_empty() {
            put("headers", headers.into());
        }
    }
    table.to_string()
}

/// The request in canonical form with what the catalog says of the endpoint, and what went over the wire.
fn request_json(recording: &Recording, reach: &Reach) -> Value {
    let kept = recording.headers.iter().filter(|(name, value)| value != GONE && !PASSING.contains(&name.as_str()));
    let headers: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let body = serde_json::from_slice(&recording.body).unwrap_or(Value::Null);
    json!({
        "call": call_json(&recording.asked, reach),
        "expect": { "url": recording.url, "headers": headers, "body": body },
    })
}

fn call_json(asked: &ChatRequest, reach: &Reach) -> Value {
    let (endpoint, quirks) = (&reach.endpoint, &reach.provider.quirks);
    let mut call = Map::new();
    let mut put = |key: &str, value: Value| {
        let says_nothing = match &value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !says_nothing {
            call.insert(key.to_owned(), value);
        }
    };
    put("base_url", shown_url(&reach.base_url).into());
    put("model", endpoint.id.upstream_model.as_str().into());
    put("provider_headers", json!(reach.provider.headers));
    if reach.provider.output_limit == OutputLimitField::MaxTokens {
        put("output_limit", "max_tokens".into());
    }
    put("max_output", json!(endpoint.max_output.map(Tokens::count)));
    put("capabilities", endpoint.capabilities.iter().map(|word| word.name()).collect());
    put("reasoning_options", json!(endpoint.reasoning_options));
    put(
        "quirks",
        json!({
            "thinking": quirks.thinking.name(),
            "errors": quirks.errors.name(),
            "developer_role": quirks.developer_role,
            "replays_reasoning": quirks.replays_reasoning,
            "output_excludes_reasoning": quirks.output_excludes_reasoning,
            "prefill": quirks.prefill.name(),
        }),
    );
    put("messages", asked.messages.iter().map(message_json).collect());
    put("max_tokens", json!(asked.max_tokens));
    put("temperature", json!(asked.temperature.as_ref().map(ToString::to_string)));
    put("top_p", json!(asked.top_p.as_ref().map(ToString::to_string)));
    put("seed", json!(asked.seed));
    put("stop", json!(asked.stop));
    let tools = asked.tools.iter().map(|tool| {
        json!({
            "name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": tool.strict,
        })
    });
    put("tools", tools.collect());
    let choice = asked.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::None => "none",
        ToolChoice::Required => "required",
        ToolChoice::Named(name) => name.as_str(),
    });
    put("tool_choice", json!(choice));
    put("schema", json!(asked.schema.as_ref().map(|schema| &schema.schema)));
    put("effort", asked.effort.map_or(Value::Null, effort_json));
    put("cache", asked.cache.into());
    put("extra", asked.extra.clone().into());
    put("stream", asked.stream.into());
    put("continues", asked.continues.into());
    // Here a plain `false` is a wish.
    if let Some(parallel) = asked.parallel_tools {
        call.insert("parallel_tools".to_owned(), parallel.into());
    }
    call.into()
}

fn effort_json(effort: Effort) -> Value {
    match effort {
        Effort::Budget(tokens) => tokens.into(),
        level => level.word().into(),
    }
}

fn message_json(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let content = match message.parts.as_slice() {
        [Part::Text(text)] => text.as_str().into(),
        parts => parts.iter().map(part_json).collect::<Value>(),
    };
    json!({ "role": role, "content": content })
}

fn part_json(part: &Part) -> Value {
    match part {
        Part::Text(text) => text.as_str().into(),
        Part::Media(media) => {
            let mut fields = json!({ "kind": media.kind.name(), "mime": media.mime, "name": media.name });
            match &media.source {
                MediaSource::Bytes(bytes) => fields["base64"] = STANDARD.encode(bytes).into(),
                MediaSource::Url(url) => fields["url"] = url.as_str().into(),
            }
            json!({ "media": fields })
        }
        Part::ToolCall(call) => json!({
            "call": {
                "id": call.id, "name": call.name, "arguments": call.arguments, "signature": call.signature,
            },
        }),
        Part::ToolResult(result) => json!({
            "result": {
                "id": result.call_id, "name": result.name, "is_error": result.is_error,
                "content": result.content.iter().map(part_json).collect::<Value>(),
            },
        }),
        Part::Reasoning { text, signature } => json!({ "reasoning": { "text": text, "signature": signature } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, ModelId};
    use crate::dispatch::Dispatcher;
    use crate::upstream::auth::{Keyring, Vars};

    #[test]
    fn what_may_be_secret_in_an_address_is_not_recorded() {
        let (catalog, store) = (Catalog::builtin(), crate::store::Memory::new());
        let url = ("OPENAI_BASE_URL".to_owned(), "https://u:canary@h.example/v1?key=canary".to_owned());
        let keys = Keyring { vars: Vars::new([url]), ..Keyring::default() };
        let now = || jiff::Timestamp::UNIX_EPOCH;
        let dispatcher = Dispatcher::new(&catalog, &store, &keys, &now);
        let model = ModelId::new("openai/gpt-4o");
        let reaches = dispatcher.reach(&model, None, false);
        let reach = reaches.iter().find(|reach| reach.provider.id.as_str() == "openai").unwrap();
        assert!(reach.base_url.contains("canary"), "the override is read: {}", reach.base_url);
        let call = call_json(&ChatRequest::new(model, Vec::new()), reach);
        assert_eq!(call["base_url"], "https://…@h.example/v1?…");
        assert!(!call.to_string().contains("canary"), "{call}");
    }
}
