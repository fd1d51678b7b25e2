//! What is said about routing beside members of the body: suffixes of a model's name, headers, a body within the body.

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use super::super::json::member;
use super::litellm::{retries, stream_timeout, timeout};
use super::openrouter::session;
use super::{Reading, Refused, Row};
use crate::catalog::resolve::resolve;
use crate::routing::Preset;

/// What of `OpenRouter` is no member.
pub(super) const OPENROUTER: &[Row] = &[
    Row {
        option: "MODEL:nitro",
        becomes: "--prefer throughput",
        example: r#""model":"anthropic/claude-sonnet-5:nitro""#,
    },
    Row { option: "MODEL:floor", becomes: "--prefer price", example: r#""model":"anthropic/claude-sonnet-5:floor""# },
    Row {
        option: "MODEL:exacto",
        becomes: "a warning: nobody here measures the quality of answers",
        example: r#""model":"anthropic/claude-sonnet-5:exacto""#,
    },
    Row {
        option: "MODEL:online",
        becomes: "refused: openmux searches nothing",
        example: r#""model":"anthropic/claude-sonnet-5:online""#,
    },
    Row {
        option: "MODEL@preset/NAME",
        becomes: "refused: presets are kept at OpenRouter",
        example: r#""model":"anthropic/claude-sonnet-5@preset/mine""#,
    },
    Row {
        option: "MODEL:free and other variants",
        becomes: "that variant",
        example: r#""model":"cohere/north-mini-code:free""#,
    },
    Row { option: "x-session-id (header)", becomes: "--session", example: r#""headers":{"x-session-id":"agent-7"}"# },
    Row {
        option: "prompt_cache_key",
        becomes: "--session where no other is named, and goes on to OpenAI",
        example: r#""prompt_cache_key":"agent-7""#,
    },
    Row {
        option: "reasoning: {effort} or {max_tokens}",
        becomes: "--effort; the answer tells its thoughts in reasoning and reasoning_details",
        example: r#""max_tokens":4000,"reasoning":{"effort":"high"}"#,
    },
    Row {
        option: "reasoning: {enabled: true}",
        becomes: "thinking as the model likes; false is --effort none",
        example: r#""max_tokens":4000,"reasoning":{"enabled":true}"#,
    },
    Row {
        option: "reasoning: {exclude: true}, include_reasoning: false",
        becomes: "the answer does not tell its thoughts",
        example: r#""max_tokens":4000,"reasoning":{"effort":"high","exclude":true}"#,
    },
    Row {
        option: "include_reasoning: true",
        becomes: "thoughts in reasoning and reasoning_details, in place of reasoning_content",
        example: r#""max_tokens":4000,"reasoning_effort":"high","include_reasoning":true"#,
    },
    Row {
        option: "reasoning: {effort, max_tokens}",
        becomes: "refused: one of the two; so is what else contradicts itself, or reasoning_effort",
        example: r#""reasoning":{"effort":"high","max_tokens":2000}"#,
    },
    Row {
        option: "cache_control (of a part, a message, a tool, the request)",
        becomes: "kept where it is, and for as long, at providers of Anthropic's API and at Bedrock; elsewhere \
                  x-openmux-dropped names it",
        example: r#""model":"openai/gpt-5","cache_control":{"type":"ephemeral","ttl":"1h"}"#,
    },
    Row {
        option: "user",
        becomes: "goes on to OpenAI's dialects; elsewhere x-openmux-dropped names it",
        example: r#""model":"anthropic/claude-sonnet-5:anthropic","user":"u-1""#,
    },
];

/// What of `ZenMux` is no member.
pub(super) const ZENMUX: &[Row] = &[Row {
    option: "MODEL:PROVIDER",
    becomes: "--provider",
    example: r#""model":"anthropic/claude-sonnet-5:amazon-bedrock""#,
}];

/// What of `LiteLLM` is no member of its own.
pub(super) const LITELLM: &[Row] = &[
    Row {
        option: "x-litellm-timeout, -stream-timeout, -num-retries (headers)",
        becomes: "as the members",
        example: r#""headers":{"x-litellm-timeout":"12","x-litellm-num-retries":"0"}"#,
    },
    Row {
        option: "extra_body",
        becomes: "its members, as if they stood beside it",
        example: r#""extra_body":{"provider":{"only":["anthropic"]}}"#,
    },
];

/// Members of a body within the body, as some write what their client's library would unwrap.
pub(super) fn unwrap(body: &mut Map<String, Value>) -> Result<(), Refused> {
    let Some(inner) = body.remove("extra_body") else { return Ok(()) };
    let Value::Object(inner) = inner else {
        return if inner.is_null() { Ok(()) } else { Err(Refused::from("extra_body: not an object".to_owned())) };
    };
    for (name, value) in inner {
        if body.get(&name).is_some_and(|known| *known != value) {
            return Err(Refused::both(&format!("extra_body.{name}"), &name));
        }
        body.insert(name, value);
    }
    Ok(())
}

/// A suffix of the model's name that says what is favoured.
pub(super) fn suffix(reading: &mut Reading<'_>) -> Result<(), Refused> {
    let Some(typed) = reading.model.clone() else { return Ok(()) };
    if typed.contains("@preset/") || typed.starts_with('@') {
        let fix = "say in the request what it holds, or [profiles.NAME] of config.toml where openmux serve runs";
        return Err(Refused::fix("model: presets are kept at OpenRouter", fix));
    }
    let Some((name, suffix)) = typed.rsplit_once(':') else { return Ok(()) };
    let by = format!("model (:{suffix})");
    let suffix = suffix.to_ascii_lowercase();
    // Where somebody sells a model under such a name, that one is meant.
    if !["nitro", "floor", "exacto", "online"].contains(&suffix.as_str()) || resolve(reading.catalog, &typed).is_ok() {
        return Ok(());
    }
    match suffix.as_str() {
        "nitro" => reading.said.prefer.put(Preset::Throughput, &by)?,
        "floor" => reading.said.prefer.put(Preset::Price, &by)?,
        "exacto" => reading.warn(format!("{by}: the quality of answers is not measured")),
        _ => return Err(Refused::fix("model: openmux searches nothing", "give the model a tool that searches")),
    }
    reading.model = Some(name.to_owned());
    Ok(())
}

/// Headers that say the same as a member.
pub(super) fn headers(reading: &mut Reading<'_>, headers: &HeaderMap) -> Result<(), Refused> {
    type Read = fn(&mut Reading<'_>, &Value, &str) -> Result<(), Refused>;
    const LITELLM: [(HeaderName, Read); 3] = [
        (HeaderName::from_static("x-litellm-timeout"), timeout),
        (HeaderName::from_static("x-litellm-stream-timeout"), stream_timeout),
        (HeaderName::from_static("x-litellm-num-retries"), retries),
    ];
    const SESSION: HeaderName = HeaderName::from_static("x-session-id");
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(Value::from);
    for (name, read) in LITELLM {
        if let Some(value) = text(&name) {
            read(reading, &value, name.as_str())?;
        }
    }
    // The body says it louder.
    if let Some(value) = text(&SESSION).filter(|_| reading.said.session.get().is_none()) {
        session(reading, &value, SESSION.as_str())?;
    }
    Ok(())
}

/// What names a cache names a conversation, where nothing else does; it goes on as well.
pub(super) fn cache_key(reading: &mut Reading<'_>, body: &Map<String, Value>) {
    if let Some(key) = member(body, "prompt_cache_key").filter(|_| reading.said.session.get().is_none()) {
        // What is no name of a session is for the provider to judge.
        let _ = session(reading, key, "prompt_cache_key");
    }
}
