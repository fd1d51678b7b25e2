//! From words, files and stdin to a [`ChatRequest`] and its [`Constraints`]; `chat` and `route explain` share it, so that
//! what is explained is what is sent.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::args::{Ask, Choice};
use super::contract::Exit;
use super::error::CliError;
use super::settings::{Settings, read_text, reason};
use super::{note, render};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, ProviderId};
use crate::chat::{ChatRequest, Message, Part, Role};
use crate::routing::{Constraints, Policy, Preset};

/// After so long without a byte from stdin a person is told what is being waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// The model that was asked for: the flag, then `OPENMUX_MODEL`.
///
/// # Errors
/// There is none.
pub(crate) fn model_name(settings: &Settings, typed: Option<&String>) -> Result<String, CliError> {
    let name = typed.cloned().or_else(|| settings.keys.vars.plain("OPENMUX_MODEL").map(str::to_owned));
    name.ok_or_else(|| {
        CliError::usage("no model was named").fix("-m MODEL, e.g. -m anthropic/claude-sonnet-5 (openmux models list)")
    })
}

/// The request: words, then stdin, after the system text and the messages of a file.
///
/// # Errors
/// There is no prompt, a file cannot be read, or stdin is silent or not UTF-8.
pub(crate) fn request(
    settings: &Settings,
    model: &Resolved,
    words: &[String],
    ask: &Ask,
    stream: bool,
) -> Result<ChatRequest, CliError> {
    let mut messages = Vec::new();
    if let Some(system) = &ask.system {
        let text = match system.strip_prefix('@') {
            Some(path) => read_text(Path::new(path))?,
            None => system.clone(),
        };
        messages.push(Message::text(Role::System, text));
    }
    if let Some(path) = &ask.messages {
        messages.extend(messages_of(path, &read_text(path)?)?);
    }
    let dash = words.iter().any(|word| word == "-");
    let typed = words.iter().filter(|word| *word != "-").cloned().collect::<Vec<_>>().join(" ");
    let piped = if ask.no_stdin && !dash { None } else { stdin(settings, dash, ask)? };
    let parts = [Some(typed), piped].into_iter().flatten().filter(|part| !part.trim().is_empty());
    let prompt = parts.collect::<Vec<_>>().join("\n\n");
    if !prompt.is_empty() {
        messages.push(Message::text(Role::User, prompt));
    }
    if !messages.iter().any(|message| message.role == Role::User) {
        return Err(CliError::usage("there is no prompt").fix("openmux chat -m MODEL \"...\", or pipe text into it"));
    }
    for (key, _) in &ask.set {
        if ["model", "messages", "stream"].contains(&key.as_str()) {
            return Err(CliError::usage(format!("--set cannot set \"{key}\"")));
        }
    }
    Ok(ChatRequest {
        max_tokens: ask.max_tokens.map(crate::units::Tokens::count),
        temperature: ask.temperature.clone(),
        extra: ask.set.iter().cloned().collect(),
        stream,
        ..ChatRequest::new(model.model.clone(), messages)
    })
}

/// Parameters of a provider's API that can make a call dearer than any bound of ours.
const UNBOUNDED: [&str; 7] =
    ["max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "tools", "service_tier"];

/// A cost limit must hold whatever is set.
///
/// # Errors
/// There is a limit, and `--set` sets what it cannot bound.
pub(crate) fn bounded(request: &ChatRequest, constraints: &Constraints) -> Result<(), CliError> {
    let dearer = UNBOUNDED.into_iter().find(|key| request.extra.contains_key(*key));
    match dearer.filter(|_| constraints.max_cost.is_some()) {
        Some(key) => {
            Err(CliError::new(Exit::Refused, "max_cost", format!("not sent: --max-cost cannot bound --set {key}")).fix(
                if key.starts_with("max_") {
                    "--max-tokens N".to_owned()
                } else {
                    format!("leave out --set {key}, or --max-cost")
                },
            ))
        }
        None => Ok(()),
    }
}

/// A JSON array of messages with text in them.
fn messages_of(path: &Path, text: &str) -> Result<Vec<Message>, CliError> {
    let place = path.display();
    let bad = |why: String| CliError::usage(format!("{place}: {why}"));
    let value: Value = serde_json::from_str(text).map_err(|error| bad(format!("not JSON: {error}")))?;
    let Value::Array(items) = value else {
        return Err(bad("not a JSON array of messages".to_owned()));
    };
    let mut messages = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let role = match item.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some(other) => return Err(bad(format!("[{at}].role: \"{other}\" is none of system, user, assistant"))),
            None => return Err(bad(format!("[{at}].role: missing"))),
        };
        let parts = match item.get("content") {
            Some(Value::String(text)) => vec![Part::Text(text.clone())],
            Some(Value::Array(parts)) => text_parts(parts).map_err(|why| bad(format!("[{at}].content{why}")))?,
            _ => return Err(bad(format!("[{at}].content: neither text nor an array of parts"))),
        };
        messages.push(Message { role, parts });
    }
    if messages.is_empty() {
        return Err(bad("holds no message".to_owned()));
    }
    Ok(messages)
}

fn text_parts(parts: &[Value]) -> Result<Vec<Part>, String> {
    let text = |(at, part): (usize, &Value)| match (part.get("type").and_then(Value::as_str), part.get("text")) {
        (Some("text"), Some(Value::String(text))) => Ok(Part::Text(text.clone())),
        (Some(kind), _) => Err(format!("[{at}].type: \"{kind}\" cannot be sent by this version, only text can")),
        (None, _) => Err(format!("[{at}].type: missing")),
    };
    parts.iter().enumerate().map(text).collect()
}

/// What is piped in. A terminal and `/dev/null` are not read; a pipe that stays silent is an error, because dropping late
/// input would be worse.
fn stdin(settings: &Settings, demanded: bool, ask: &Ask) -> Result<Option<String>, CliError> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return if demanded {
            Err(CliError::usage("`-` reads stdin, and stdin is a terminal")
                .fix("pipe text in, or give the prompt as words"))
        } else {
            Ok(None)
        };
    }
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut chunk = [0; 64 * 1024];
        let mut input = std::io::stdin().lock();
        let end = loop {
            match input.read(&mut chunk) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    bytes.extend_from_slice(&chunk[..count]);
                    let _ = sender.send(None);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let _ = sender.send(Some(end.map(|()| bytes)));
    });
    let bytes = match first_word(settings, &receiver, ask.stdin_timeout.0) {
        Some(Some(end)) => end,
        Some(None) => loop {
            match receiver.recv() {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(_) => break Ok(Vec::new()),
            }
        },
        None => {
            let waited = ask.stdin_timeout.0.unwrap_or_default();
            return Err(CliError::new(
                Exit::Timeout,
                "stdin",
                format!("stdin is an open pipe that gave nothing for {}", render::text::duration(waited)),
            )
            .fix("--no-stdin or </dev/null"));
        }
    };
    let bytes = bytes.map_err(|error| {
        CliError::new(Exit::Config, "stdin", "cannot read stdin")
            .fact("reason", reason(&error))
            .fix("--no-stdin or </dev/null")
    })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("stdin is not UTF-8 at byte {at}")).fix("convert it, e.g. iconv -t utf-8")
    })?;
    Ok((!text.is_empty()).then_some(text))
}

type Told = Option<std::io::Result<Vec<u8>>>;

/// The first thing that the reading thread says; `None` where the limit passes first.
fn first_word(settings: &Settings, receiver: &mpsc::Receiver<Told>, limit: Option<Duration>) -> Option<Told> {
    let first = limit.map_or(SILENCE, |limit| limit.min(SILENCE));
    if let Ok(told) = receiver.recv_timeout(first) {
        return Some(told);
    }
    let left = limit.map(|limit| limit.saturating_sub(first));
    if left != Some(Duration::ZERO) {
        note(settings, "waiting for input on stdin (a pipe); --no-stdin skips it");
    }
    match left {
        None => receiver.recv().ok(),
        Some(left) => receiver.recv_timeout(left).ok(),
    }
}

/// What is not negotiable: flags, the pinned provider of `model:provider`, then `OPENMUX_PROVIDER`.
///
/// # Errors
/// A provider does not exist, or two wishes exclude each other.
pub(crate) fn constraints(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    choice: &Choice,
) -> Result<Constraints, CliError> {
    let ids = |names: &[String]| names.iter().map(|name| provider(catalog, name)).collect::<Result<Vec<_>, _>>();
    let (mut only, wanted) = (ids(&choice.only)?, ids(&choice.provider)?);
    if only.is_empty() {
        only = wanted;
    } else if !wanted.is_empty() {
        only.retain(|provider| wanted.contains(provider));
        if only.is_empty() {
            return Err(CliError::usage("--provider and --only leave nobody").fix("leave one of them out"));
        }
    }
    if only.is_empty()
        && model.provider.is_none()
        && let Some(name) = settings.keys.vars.plain("OPENMUX_PROVIDER")
    {
        only.push(provider(catalog, name)?);
    }
    if let Some(pinned) = &model.provider {
        if !only.is_empty() && !only.contains(pinned) {
            return Err(CliError::usage(format!("the model pins {pinned}, which --provider leaves out")));
        }
        only = vec![pinned.clone()];
    }
    if !only.is_empty() && only.iter().all(|provider| choice.ignore.iter().any(|name| *name == provider.as_str())) {
        return Err(CliError::usage("--ignore leaves out everybody that --provider or --only names")
            .fix("leave one of them out"));
    }
    Ok(Constraints {
        order: ids(&choice.order)?,
        only,
        ignore: ids(&choice.ignore)?,
        max_price_in: choice.max_price_in,
        max_price_out: choice.max_price_out,
        max_cost: settings.max_cost(choice.max_cost)?,
        allow_unpriced: choice.allow_unpriced,
        no_gateways: choice.no_gateways,
    })
}

/// The provider of that name, in any case.
///
/// # Errors
/// There is none.
pub(crate) fn provider(catalog: &Catalog, name: &str) -> Result<ProviderId, CliError> {
    let id = ProviderId::new(name.to_lowercase());
    if catalog.provider(&id).is_some() {
        return Ok(id);
    }
    let providers = catalog.providers();
    let names: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
    let error = CliError::new(Exit::NotFound, "provider", format!("no provider is called \"{name}\""));
    let error = super::error::nearest(name, &names).map_or(error.clone(), |near| error.fact("did you mean", near));
    Err(error.fix("openmux providers list"))
}

/// What is traded: `--prefer`, `--time-value`, else balanced.
pub(crate) fn policy(choice: &Choice) -> Policy {
    match choice.time_value {
        Some(per_hour) => Policy::time_value(per_hour),
        None => Policy::preset(choice.prefer.unwrap_or(Preset::Balanced)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messages_file_is_read_and_its_mistakes_are_placed() {
        let read = |text: &str| messages_of(Path::new("m.json"), text);
        let messages =
            read(r#"[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}]"#);
        let messages = messages.unwrap();
        assert_eq!((messages[0].role, messages[1].joined().as_str()), (Role::System, "b"));
        let wrong = |text: &str| read(text).unwrap_err().message;
        assert_eq!(wrong(r#"{"role":"user"}"#), "m.json: not a JSON array of messages");
        assert_eq!(wrong(r#"[{"role":"tool"}]"#), "m.json: [0].role: \"tool\" is none of system, user, assistant");
        assert_eq!(
            wrong(r#"[{"role":"user","content":[{"type":"image"}]}]"#),
            "m.json: [0].content[0].type: \"image\" cannot be sent by this version, only text can"
        );
    }
}
