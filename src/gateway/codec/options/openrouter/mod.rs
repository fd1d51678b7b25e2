//! `OpenRouter`'s options: the members of `provider`, and those beside it.

mod provider;

use serde_json::Value;

use super::{Entry, Next, Reading, Refused, Row, flag, stranger, texts, unknown, word};
use crate::dispatch::FallbackClass;
use crate::observe::ErrorClass;
pub(super) use provider::PROVIDER;

/// Members beside `provider`.
pub(super) const OPTIONS: &[Entry] = &[
    Entry {
        name: "models",
        read: models,
        rows: &[Row {
            option: "models",
            becomes: "a chain of models: the next one after any error of the one before",
            example: r#""models":["anthropic/claude-haiku-4.5","openai/gpt-5"]"#,
        }],
    },
    Entry {
        name: "route",
        read: route,
        rows: &[Row {
            option: "route: \"fallback\"",
            becomes: "nothing: models says so",
            example: r#""route":"fallback""#,
        }],
    },
    Entry {
        name: "session_id",
        read: session,
        rows: &[Row { option: "session_id", becomes: "--session", example: r#""session_id":"agent-7""# }],
    },
    Entry {
        name: "usage",
        read: usage,
        rows: &[Row {
            option: "usage: {include: true}",
            becomes: "stream_options.include_usage; elsewhere usage is always there",
            example: r#""stream":true,"usage":{"include":true}"#,
        }],
    },
    Entry {
        name: "transforms",
        read: transforms,
        rows: &[Row {
            option: "transforms",
            becomes: "refused: openmux sends messages as they are",
            example: r#""transforms":["middle-out"]"#,
        }],
    },
    Entry {
        name: "plugins",
        read: plugins,
        rows: &[Row {
            option: "plugins",
            becomes: "refused, unless enabled: false",
            example: r#""plugins":[{"id":"web"}]"#,
        }],
    },
    Entry {
        name: "preset",
        read: preset,
        rows: &[Row {
            option: "preset",
            becomes: "refused: presets are kept at OpenRouter",
            example: r#""preset":"mine""#,
        }],
    },
    Entry {
        name: "debug",
        read: debug,
        rows: &[Row {
            option: "debug",
            becomes: "a warning: nothing is echoed",
            example: r#""debug":{"echo_upstream_body":true}"#,
        }],
    },
    Entry {
        name: "trace",
        read: trace,
        rows: &[Row {
            option: "trace",
            becomes: "a warning: it goes nowhere",
            example: r#""trace":{"trace_id":"t-1"}"#,
        }],
    },
];

/// What leads to the next of `models`: any error. A refusal by a content filter is an answer.
pub(super) fn any_error() -> Vec<FallbackClass> {
    FallbackClass::all().filter(|class| *class != FallbackClass::Class(ErrorClass::OkFiltered)).collect()
}

fn models(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let mut names: Vec<(String, &str)> = texts(value, at)?;
    if reading.model.is_none() && reading.instead.get().is_none() {
        let (place, first) = names.remove(0);
        reading.instead.put(first.to_owned(), &place)?;
    }
    let asked = reading.model.clone();
    names.retain(|(_, name)| Some(*name) != asked.as_deref());
    let next = |(at, name): (String, &str)| Next { model: name.to_owned(), at, on: any_error() };
    reading.said.chain.put(names.into_iter().map(next).collect(), at)
}

fn route(_: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    match word(value, at)? {
        "fallback" => Ok(()),
        other => Err(stranger(other, at, &["fallback"])),
    }
}

/// The longest name of a session.
const LONGEST: usize = 256;

pub(super) fn session(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let name = word(value, at)?;
    if name.is_empty() || name.chars().count() > LONGEST {
        return Err(Refused::from(format!("{at}: 1 to {LONGEST} characters")));
    }
    reading.said.session.put(name.to_owned(), at)
}

fn usage(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let members = value.as_object().ok_or_else(|| Refused::from(format!("{at}: not an object")))?;
    for (name, value) in members {
        match name.as_str() {
            "include" => reading.said.include_usage = flag(value, &format!("{at}.include"))?,
            other => return Err(unknown(at, other, &["include"])),
        }
    }
    Ok(())
}

fn transforms(_: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    let wrong = format!("{at}: openmux sends messages as they are");
    Err(Refused::fix(wrong, "shorten the conversation, or add a model with a larger window to models"))
}

fn plugins(_: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let items = value.as_array().ok_or_else(|| Refused::from(format!("{at}: not a list")))?;
    for (place, item) in items.iter().enumerate() {
        let id = item.get("id").and_then(Value::as_str);
        let id = id.ok_or_else(|| Refused::from(format!("{at}[{place}].id: missing")))?;
        if item.get("enabled") != Some(&Value::Bool(false)) {
            let shown: String = id.chars().take(80).collect();
            let wrong = format!("{at}[{place}]: {shown:?} is run by OpenRouter alone");
            return Err(Refused::fix(wrong, "leave it out, or ask OpenRouter itself: model:openrouter"));
        }
    }
    Ok(())
}

fn preset(_: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    let wrong = format!("{at}: presets are kept at OpenRouter");
    Err(Refused::fix(
        wrong,
        "say in the request what it holds, or [profiles.NAME] of config.toml where openmux serve runs",
    ))
}

fn debug(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let members = value.as_object().ok_or_else(|| Refused::from(format!("{at}: not an object")))?;
    match members.keys().find(|name| *name != "echo_upstream_body") {
        Some(name) => Err(unknown(at, name, &["echo_upstream_body"])),
        None => {
            reading.warn(format!("{at}: nothing is echoed"));
            Ok(())
        }
    }
}

fn trace(reading: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    reading.warn(format!("{at}: it goes nowhere"));
    Ok(())
}
