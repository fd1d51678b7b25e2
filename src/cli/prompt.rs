//! From words, files and stdin to a [`ChatRequest`] and its [`Constraints`]; `chat` and `route explain` share it, so that
//! what is explained is what is sent.

mod attach;
mod choice;
pub(super) mod fetch;
mod schema;
mod stdin;
mod tools;

use std::path::Path;

use serde_json::{Map, Value};

use super::args::Ask;
use super::contract::Exit;
use super::error::CliError;
use super::settings::{Settings, read_text};
use crate::catalog::ModelId;
use crate::chat::{ChatRequest, Message, Part, Role};
use crate::gateway::codec::openai::messages;
use crate::routing::Constraints;
pub(crate) use choice::{Standing, ask, choice, constrained, constraints, policy, profile, provider, standing};
pub(crate) use schema::{Checker, Verdict};

/// The error of a whole file.
fn in_file(path: &Path, wrong: &str) -> CliError {
    let name = if path.as_os_str() == "-" { "stdin".into() } else { path.display().to_string() };
    CliError::usage(format!("{name}: {wrong}")).fix(format!("correct that in {name}"))
}

/// The model that was asked for: the flag, `OPENMUX_MODEL`, the configuration.
///
/// # Errors
/// There is none.
pub(crate) fn model_name(settings: &Settings, typed: Option<&String>) -> Result<String, CliError> {
    let name = typed.cloned().or_else(|| settings.model().map(str::to_owned));
    name.ok_or_else(|| {
        CliError::usage("no model was named").fix("-m MODEL, e.g. -m anthropic/claude-sonnet-5 (openmux models list)")
    })
}

/// The request: the system text, the messages of a file, then one message of what is attached, the words, and stdin.
///
/// # Errors
/// There is no prompt, a file cannot be read or is not what it should be, or stdin is silent or not UTF-8.
pub(crate) fn request(
    settings: &Settings,
    model: &ModelId,
    words: &[String],
    ask: &Ask,
    stream: bool,
) -> Result<ChatRequest, CliError> {
    let taker = taker(words, ask)?;
    let mut messages = Vec::new();
    if let Some(system) = &ask.system {
        let text = match system.strip_prefix('@') {
            Some(path) => read_text(Path::new(path))?,
            None => system.clone(),
        };
        messages.push(Message::text(Role::System, text));
    }
    if let Some(path) = &ask.messages {
        let text = if taker == Taker::Messages {
            stdin::text(settings, Some("--messages -"), ask.stdin_timeout)?.unwrap_or_default()
        } else {
            read_text(path)?
        };
        messages.extend(messages::read(&text).map_err(|wrong| in_file(path, &wrong))?);
    }
    let attached = match taker {
        Taker::Attachment => stdin::bytes(settings, Some("-a -"), ask.stdin_timeout)?,
        _ => None,
    };
    let mut parts = attach::parts(settings, &ask.attach, attached)?;
    let typed = words.iter().filter(|word| *word != "-").cloned().collect::<Vec<_>>().join(" ");
    let piped = match taker {
        Taker::Prompt => stdin::text(settings, Some("-"), ask.stdin_timeout)?,
        Taker::Whoever if !ask.no_stdin => stdin::text(settings, None, ask.stdin_timeout)?,
        _ => None,
    };
    let texts = [Some(typed), piped].into_iter().flatten().filter(|part| !part.trim().is_empty());
    let prompt = texts.collect::<Vec<_>>().join("\n\n");
    if !prompt.is_empty() {
        parts.push(Part::Text(prompt));
    }
    if !parts.is_empty() {
        messages.push(Message::of(Role::User, parts));
    }
    if !messages.iter().any(|message| message.role == Role::User) {
        return Err(CliError::usage("there is no prompt").fix("openmux chat -m MODEL \"...\", or pipe text into it"));
    }
    wishes(model, ask, messages, stream)
}

/// A request for these messages with everything else that was wished for.
///
/// # Errors
/// A file cannot be read or is not what it should be, or two wishes contradict each other.
pub(crate) fn wishes(
    model: &ModelId,
    ask: &Ask,
    messages: Vec<Message>,
    stream: bool,
) -> Result<ChatRequest, CliError> {
    let (tools, tool_choice) = tools::read(ask)?;
    if ask.stop.iter().any(String::is_empty) {
        return Err(CliError::usage("--stop is empty").fix("leave it out, or --stop TEXT"));
    }
    let mut extra = extra(ask)?;
    Ok(ChatRequest {
        max_tokens: ask.max_tokens.map(crate::units::Tokens::count),
        temperature: ask.temperature.clone(),
        top_p: lift(&mut extra, "top_p", number)?.or_else(|| ask.top_p.clone()),
        seed: lift(&mut extra, "seed", |value| value.as_i64().ok_or("a whole number"))?,
        stop: lift(&mut extra, "stop", stops)?.unwrap_or_else(|| ask.stop.clone()),
        tools,
        tool_choice,
        parallel_tools: ask.no_parallel_tools.then_some(false),
        schema: ask.schema.as_deref().map(schema::read).transpose()?,
        effort: ask.effort,
        cache: ask.cache,
        extra,
        stream,
        ..ChatRequest::new(model.clone(), messages)
    })
}

/// Who gets stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taker {
    Prompt,
    Attachment,
    Messages,
    /// The prompt, if something is piped in.
    Whoever,
}

/// There is one stdin, and one thing can be read from it.
fn taker(words: &[String], ask: &Ask) -> Result<Taker, CliError> {
    let prompts = usize::from(words.iter().any(|word| word == "-"));
    let attached = ask.attach.iter().filter(|place| *place == "-").count();
    let messages = usize::from(ask.messages.as_ref().is_some_and(|path| path.as_os_str() == "-"));
    match (prompts, attached, messages) {
        (0, 0, 0) => Ok(Taker::Whoever),
        (1, 0, 0) => Ok(Taker::Prompt),
        (0, 1, 0) => Ok(Taker::Attachment),
        (0, 0, 1) => Ok(Taker::Messages),
        _ => Err(CliError::usage("stdin can be one thing: the prompt, one -a -, or --messages -")
            .fix("write one of them to a file")),
    }
}

/// What `--set` sets beside a flag that says the same.
const SAID_BY: [(&str, &str); 9] = [
    ("temperature", "--temperature"),
    ("top_p", "--top-p"),
    ("stop", "--stop"),
    ("tools", "--tool"),
    ("tool_choice", "--tool-choice"),
    ("parallel_tool_calls", "--no-parallel-tools"),
    ("response_format", "--schema"),
    ("reasoning_effort", "--effort"),
    ("max_tokens", "--max-tokens"),
];

/// The parameters of `--set`.
fn extra(ask: &Ask) -> Result<Map<String, Value>, CliError> {
    let given = |flag: &str| match flag {
        "--temperature" => ask.temperature.is_some(),
        "--top-p" => ask.top_p.is_some(),
        "--stop" => !ask.stop.is_empty(),
        "--tool" => !ask.tool.is_empty(),
        "--tool-choice" => ask.tool_choice.is_some(),
        "--no-parallel-tools" => ask.no_parallel_tools,
        "--schema" => ask.schema.is_some(),
        "--effort" => ask.effort.is_some(),
        _ => ask.max_tokens.is_some(),
    };
    for (key, _) in &ask.set {
        if ["model", "messages", "stream"].contains(&key.as_str()) {
            return Err(CliError::usage(format!("--set cannot set \"{key}\""))
                .fix("-m names the model, --messages the messages, and --no-stream asks for all at once"));
        }
        if let Some((_, flag)) = SAID_BY.iter().find(|(said, flag)| said == key && given(flag)) {
            return Err(CliError::usage(format!("--set {key} and {flag} say the same thing twice"))
                .fix("leave one of them out"));
        }
    }
    Ok(ask.set.iter().cloned().collect())
}

/// Takes a parameter that every protocol has its own words for out of `--set`, so that it is said in them.
fn lift<T>(
    extra: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Result<T, &'static str>,
) -> Result<Option<T>, CliError> {
    let Some(value) = extra.shift_remove(key) else { return Ok(None) };
    let fix = if key == "stop" { "--stop TEXT".to_owned() } else { format!("--set {key}=1, or leave it out") };
    read(&value).map(Some).map_err(|what| CliError::usage(format!("--set {key} is not {what}")).fix(fix))
}

fn number(value: &Value) -> Result<serde_json::Number, &'static str> {
    value.as_number().cloned().ok_or("a number")
}

fn stops(value: &Value) -> Result<Vec<String>, &'static str> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let texts = match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    };
    texts.ok_or("a text, nor a list of texts")
}

/// Parameters of a provider's API that can make a call dearer than any bound of ours.
const UNBOUNDED: [&str; 10] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "tools",
    "functions",
    "web_search_options",
    "plugins",
    "service_tier",
];

/// A cost limit must hold whatever is set: that of the call, and that of the day where there is one (`budgeted`).
///
/// # Errors
/// There is a limit, and `--set` sets what it cannot bound.
pub(crate) fn bounded(request: &ChatRequest, constraints: &Constraints, budgeted: bool) -> Result<(), CliError> {
    let dearer = UNBOUNDED.into_iter().find(|key| request.extra.contains_key(*key));
    let limit = if constraints.max_cost.is_some() { "--max-cost" } else { "the budget of the day" };
    match dearer.filter(|_| constraints.max_cost.is_some() || budgeted) {
        Some(key) => {
            Err(CliError::new(Exit::Refused, "max_cost", format!("not sent: {limit} cannot bound --set {key}")).fix(
                match key {
                    "tools" | "functions" => "--tool FILE".to_owned(),
                    key if key.starts_with("max_") => "--max-tokens N".to_owned(),
                    key if limit == "--max-cost" => format!("leave out --set {key}, or --max-cost"),
                    key => format!("leave out --set {key}"),
                },
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        ask: Ask,
    }

    fn asked(typed: &[&str]) -> Result<ChatRequest, CliError> {
        let ask = Typed::parse_from(["chat"].iter().chain(typed)).ask;
        wishes(&ModelId::new("a/b"), &ask, vec![Message::text(Role::User, "hi")], true)
    }

    #[test]
    fn what_every_protocol_has_its_own_words_for_is_lifted_out_of_set() {
        let request =
            asked(&["--set", "seed=7", "--set", "top_p=0.90", "--set", "stop=[\"a\",\"b\"]", "--set", "top_k=5"]);
        let request = request.unwrap();
        assert_eq!(request.seed, Some(7));
        assert_eq!(request.top_p.unwrap().to_string(), "0.90");
        assert_eq!(request.stop, ["a", "b"]);
        assert_eq!(Value::from(request.extra).to_string(), r#"{"top_k":5}"#);
        assert_eq!(asked(&["--set", "stop=END"]).unwrap().stop, ["END"]);
        assert_eq!(asked(&["--stop", "--", "--stop", "b"]).unwrap().stop, ["--", "b"]);
        let request = asked(&["--effort", "2048", "--cache", "--top-p", "0.5"]).unwrap();
        assert_eq!(request.effort, Some(crate::chat::Effort::Budget(2048)));
        assert!(request.cache && request.top_p.is_some());
    }

    #[test]
    fn what_contradicts_itself_is_not_guessed_at() {
        let wrong = |typed: &[&str]| asked(typed).unwrap_err().message;
        assert_eq!(wrong(&["--set", "seed=x"]), "--set seed is not a whole number");
        assert_eq!(wrong(&["--set", "stop=[1]"]), "--set stop is not a text, nor a list of texts");
        assert_eq!(wrong(&["--set", "top_p=1", "--top-p", "1"]), "--set top_p and --top-p say the same thing twice");
        assert_eq!(wrong(&["--set", "model=x"]), "--set cannot set \"model\"");
        assert_eq!(wrong(&["--stop", ""]), "--stop is empty");
    }

    #[test]
    fn stdin_is_one_thing() {
        let takes = |typed: &[&str], words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            taker(&words, &Typed::parse_from(["chat"].iter().chain(typed)).ask).ok()
        };
        assert_eq!(takes(&[], &["hi"]), Some(Taker::Whoever));
        assert_eq!(takes(&[], &["hi", "-"]), Some(Taker::Prompt));
        assert_eq!(takes(&["-a", "-"], &["hi"]), Some(Taker::Attachment));
        assert_eq!(takes(&["--messages", "-"], &[]), Some(Taker::Messages));
        assert_eq!(takes(&["-a", "-"], &["-"]), None);
        assert_eq!(takes(&["-a", "-", "-a", "-"], &[]), None);
        assert_eq!(takes(&["-a", "-", "--messages", "-"], &[]), None);
    }
}
