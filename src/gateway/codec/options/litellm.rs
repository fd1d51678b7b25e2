//! `LiteLLM`: what its proxy takes in a body beside `OpenAI`'s own.

use serde_json::Value;

use super::openrouter::{any_error, session};
use super::{Entry, Next, Reading, Refused, Row, decimal, flag, seconds, unknown};
use crate::dispatch::FallbackClass;
use crate::observe::ErrorClass;

/// Its members.
pub(super) const OPTIONS: &[Entry] = &[
    Entry {
        name: "fallbacks",
        read: fallbacks,
        rows: &[
            Row {
                option: "fallbacks: [MODEL]",
                becomes: "a chain of models, after any error",
                example: r#""fallbacks":["anthropic/claude-haiku-4.5"]"#,
            },
            Row {
                option: "fallbacks: [{model: MODEL}], [{FOR: [MODEL]}]",
                becomes: "the same; what is for another model than the one that is asked is left out",
                example: r#""fallbacks":[{"model":"anthropic/claude-haiku-4.5"},{"openai/gpt-5":["openai/gpt-5-mini"]}]"#,
            },
        ],
    },
    Entry {
        name: "context_window_fallbacks",
        read: context,
        rows: &[Row {
            option: "context_window_fallbacks",
            becomes: "a chain of models, after too_large and unusable",
            example: r#""context_window_fallbacks":["openai/gpt-4.1"]"#,
        }],
    },
    Entry {
        name: "content_policy_fallbacks",
        read: content,
        rows: &[Row {
            option: "content_policy_fallbacks",
            becomes: "a chain of models, after ok_filtered",
            example: r#""content_policy_fallbacks":["openai/gpt-5"]"#,
        }],
    },
    Entry {
        name: "disable_fallbacks",
        read: disable,
        rows: &[Row {
            option: "disable_fallbacks: true",
            becomes: "no chain of models, not even the gateway's own",
            example: r#""fallbacks":["openai/gpt-5"],"disable_fallbacks":true"#,
        }],
    },
    Entry {
        name: "num_retries",
        read: retries,
        rows: &[Row {
            option: "num_retries",
            becomes: "--retries: further tries of a provider, once no other is left (0 to 10)",
            example: r#""num_retries":1"#,
        }],
    },
    Entry {
        name: "max_retries",
        read: retries,
        rows: &[Row { option: "max_retries", becomes: "the same", example: r#""max_retries":0"# }],
    },
    Entry {
        name: "timeout",
        read: timeout,
        rows: &[Row {
            option: "timeout",
            becomes: "--timeout (seconds), within the gateway's own",
            example: r#""timeout":12.5"#,
        }],
    },
    Entry {
        name: "request_timeout",
        read: timeout,
        rows: &[Row { option: "request_timeout", becomes: "the same", example: r#""request_timeout":30"# }],
    },
    Entry {
        name: "stream_timeout",
        read: stream_timeout,
        rows: &[Row {
            option: "stream_timeout",
            becomes: "--first-token-timeout (seconds)",
            example: r#""stream_timeout":5"#,
        }],
    },
    Entry {
        name: "drop_params",
        read: drop_params,
        rows: &[Row { option: "drop_params: true", becomes: "--lenient", example: r#""drop_params":true"# }],
    },
    Entry {
        name: "litellm_session_id",
        read: session,
        rows: &[Row {
            option: "litellm_session_id",
            becomes: "--session",
            example: r#""litellm_session_id":"agent-7""#,
        }],
    },
    Entry {
        name: "cache",
        read: cache,
        rows: &[Row {
            option: "cache",
            becomes: "no-cache: nothing, as no answer is ever kept; else a warning",
            example: r#""cache":{"ttl":60}"#,
        }],
    },
    Entry {
        name: "caching",
        read: caching,
        rows: &[Row { option: "caching: true", becomes: "a warning: no answer is kept", example: r#""caching":true"# }],
    },
    Entry {
        name: "tags",
        read: unused,
        rows: &[Row { option: "tags", becomes: "a warning: they are not used", example: r#""tags":["team-a"]"# }],
    },
    Entry {
        name: "litellm_metadata",
        read: unused,
        rows: &[Row {
            option: "litellm_metadata, litellm_call_id, litellm_trace_id",
            becomes: "a warning: they are not used",
            example: r#""litellm_metadata":{"a":"b"},"litellm_call_id":"c","litellm_trace_id":"t""#,
        }],
    },
    Entry { name: "litellm_call_id", read: unused, rows: &[] },
    Entry { name: "litellm_trace_id", read: unused, rows: &[] },
    Entry {
        name: "guardrails",
        read: guardrails,
        rows: &[Row { option: "guardrails", becomes: "refused: openmux has none", example: r#""guardrails":["pii"]"# }],
    },
    Entry {
        name: "mock_response",
        read: mock,
        rows: &[Row {
            option: "mock_response, mock_testing_fallbacks",
            becomes: "refused: openmux --sandbox serve is for tests",
            example: r#""mock_response":"hi""#,
        }],
    },
    Entry { name: "mock_testing_fallbacks", read: mock, rows: &[] },
    Entry {
        name: "api_key",
        read: credentials,
        rows: &[Row {
            option: "api_key, api_base, base_url, custom_llm_provider",
            becomes: "refused: keys and addresses are the gateway's",
            example: r#""api_key":"sk-1""#,
        }],
    },
    Entry { name: "api_base", read: credentials, rows: &[] },
    Entry { name: "base_url", read: credentials, rows: &[] },
    Entry { name: "custom_llm_provider", read: credentials, rows: &[] },
];

/// Models, each as its name, as `{model}`, or under the name of the model that they are for.
fn chain(reading: &Reading<'_>, value: &Value, at: &str, on: &[FallbackClass]) -> Result<Vec<Next>, Refused> {
    let items = value.as_array().ok_or_else(|| Refused::from(format!("{at}: not a list")))?;
    let mut chain = Vec::new();
    let next = |model: &str, at: String| Next { model: model.trim().to_owned(), at, on: on.to_vec() };
    for (place, item) in items.iter().enumerate() {
        let at = format!("{at}[{place}]");
        match item {
            Value::String(name) if !name.trim().is_empty() => chain.push(next(name, at)),
            Value::Object(members) => match members.get("model") {
                Some(Value::String(name)) if members.len() == 1 => chain.push(next(name, format!("{at}.model"))),
                Some(_) => {
                    let wrong = format!("{at}: another model gets the same request");
                    return Err(Refused::fix(wrong, "name the model, and nothing beside it"));
                }
                None => {
                    let own =
                        |name: &String| reading.model.as_deref().is_some_and(|model| model == name || name == "*");
                    for (_, listed) in members.iter().filter(|(name, _)| own(name)) {
                        for (place, name) in super::texts(listed, &at)? {
                            chain.push(next(name, place));
                        }
                    }
                }
            },
            _ => return Err(Refused::from(format!("{at}: neither a model's name nor an object"))),
        }
    }
    Ok(chain)
}

fn fallbacks(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let chain = chain(reading, value, at, &any_error())?;
    reading.said.chain.put(chain, at)
}

fn context(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let on = [FallbackClass::Class(ErrorClass::TooLarge), FallbackClass::Unusable];
    let chain = chain(reading, value, at, &on)?;
    reading.said.special.extend(chain);
    Ok(())
}

fn content(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let chain = chain(reading, value, at, &[FallbackClass::Class(ErrorClass::OkFiltered)])?;
    reading.said.special.extend(chain);
    Ok(())
}

fn disable(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    reading.said.no_chain = flag(value, at)?;
    Ok(())
}

pub(super) fn retries(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let count = decimal(value, at)?.parse::<u32>().ok().filter(|count| *count <= 10);
    let count = count.ok_or_else(|| Refused::from(format!("{at}: not a whole number from 0 to 10")))?;
    reading.said.retries.put(count, at)
}

pub(super) fn timeout(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let time = seconds(value, at)?;
    reading.said.total.put(time, at)
}

pub(super) fn stream_timeout(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let time = seconds(value, at)?;
    reading.said.first_token.put(time, at)
}

fn drop_params(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    reading.said.lenient.put(flag(value, at)?, at)
}

fn cache(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    const KNOWN: [&str; 6] = ["no-cache", "no-store", "ttl", "s-maxage", "namespace", "use-cache"];
    let members = value.as_object().ok_or_else(|| Refused::from(format!("{at}: not an object")))?;
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(unknown(at, name, &KNOWN));
    }
    if members.keys().any(|name| !name.starts_with("no-")) {
        reading.warn(format!("{at}: no answer is kept"));
    }
    Ok(())
}

fn caching(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    if flag(value, at)? {
        reading.warn(format!("{at}: no answer is kept"));
    }
    Ok(())
}

fn unused(reading: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    reading.warn(format!("{at}: not used"));
    Ok(())
}

fn guardrails(_: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    Err(Refused::fix(format!("{at}: openmux has none"), "check what goes in and out before and after the call"))
}

fn mock(_: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    Err(Refused::fix(format!("{at}: nothing is made up"), "openmux --sandbox serve simulates providers"))
}

fn credentials(_: &mut Reading<'_>, _: &Value, at: &str) -> Result<(), Refused> {
    let wrong = format!("{at}: keys and addresses are the gateway's own");
    Err(Refused::fix(wrong, "set them where openmux serve runs; provider.only names a provider"))
}
