//! `ZenMux`: its three grammars of routing, the fallback, and the choice between models.

use serde_json::{Map, Value};

use super::{Entry, Next, Reading, Refused, Row, names, says_nothing, stranger, texts, unknown, word};
use crate::catalog::resolve::resolve;
use crate::routing::Preset;

/// The model that stands for whichever is chosen.
pub(super) const AUTO: &str = "zenmux/auto";

/// Members of `provider`.
pub(super) const PROVIDER: &[Entry] = &[
    Entry {
        name: "routing",
        read: routing,
        rows: &[
            Row {
                option: "provider.routing {type: \"order\", providers}",
                becomes: "--order and --only: these, in this order, and nobody else",
                example: r#""provider":{"routing":{"type":"order","providers":["amazon-bedrock/BedrockAnthropic","anthropic/anthropic_endpoint"]}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", primary_factor: \"latency\"}",
                becomes: "--prefer zenmux",
                example: r#""provider":{"routing":{"type":"priority","primary_factor":"latency"}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", primary_factor: \"price\" or \"cost\"}",
                becomes: "--prefer price; with providers also --only",
                example: r#""provider":{"routing":{"type":"priority","primary_factor":"cost","providers":["anthropic","amazon-bedrock"]}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", primary_factor: \"throughput\"}",
                becomes: "--prefer throughput",
                example: r#""provider":{"routing":{"type":"priority","primary_factor":"throughput"}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", primary_factor: \"speed\"}",
                becomes: "--prefer latency",
                example: r#""provider":{"routing":{"type":"priority","primary_factor":"speed"}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", primary_factor: \"quality\"}",
                becomes: "a warning: nobody here measures the quality of answers",
                example: r#""provider":{"routing":{"type":"priority","primary_factor":"quality"}}"#,
            },
            Row {
                option: "provider.routing {type: \"priority\", providers}",
                becomes: "--order and --only",
                example: r#""provider":{"routing":{"type":"priority","providers":["amazon-bedrock","anthropic"]}}"#,
            },
            Row {
                option: "provider.routing {type: \"least_latency\"}",
                becomes: "--prefer zenmux; with providers also --only",
                example: r#""provider":{"routing":{"type":"least_latency","providers":["anthropic"]}}"#,
            },
            Row {
                option: "provider.routing {type: \"round_robin\", providers}",
                becomes: "--only, and each request begins with the next of them",
                example: r#""provider":{"routing":{"type":"round_robin","providers":["amazon-bedrock","anthropic"]}}"#,
            },
        ],
    },
    Entry {
        name: "fallback",
        read: fallback,
        rows: &[
            Row {
                option: "provider.fallback: MODEL",
                becomes: "--fallback MODEL",
                example: r#""provider":{"fallback":"anthropic/claude-haiku-4.5"}"#,
            },
            Row {
                option: "provider.fallback: \"false\"",
                becomes: "one attempt, at the first",
                example: r#""provider":{"fallback":"false"}"#,
            },
            Row {
                option: "provider.fallback: \"true\"",
                becomes: "nothing: failover is always there",
                example: r#""provider":{"fallback":"true"}"#,
            },
            Row {
                option: "provider.fallback: PROVIDER",
                becomes: "the last of those that routing.providers lists",
                example: r#""provider":{"routing":{"type":"order","providers":["anthropic"]},"fallback":"amazon-bedrock"}"#,
            },
        ],
    },
];

/// Members beside `provider`.
pub(super) const OPTIONS: &[Entry] = &[
    Entry {
        name: "provider_routing_strategy",
        read: strategy,
        rows: &[Row {
            option: "provider_routing_strategy {type: \"specified_providers\", providers}",
            becomes: "--order and --only",
            example: r#""provider_routing_strategy":{"type":"specified_providers","providers":["anthropic/anthropic_endpoint"]}"#,
        }],
    },
    Entry {
        name: "model_routing_config",
        read: models,
        rows: &[
            Row {
                option: "model_routing_config {available_models, preference: \"price\"}",
                becomes: "the model that is cheapest for this request first; the others are its chain",
                example: r#""model":"zenmux/auto","model_routing_config":{"available_models":["anthropic/claude-opus-4.5","anthropic/claude-haiku-4.5"],"preference":"price"}"#,
            },
            Row {
                option: "model_routing_config {available_models}",
                becomes: "a chain in the order of the list, and a warning: nobody here judges models",
                example: r#""model":"zenmux/auto","model_routing_config":{"available_models":["anthropic/claude-sonnet-5","openai/gpt-5"],"preference":"balanced"}"#,
            },
        ],
    },
];

/// The object, with no members but these.
fn members<'a>(value: &'a Value, at: &str, known: &[&str]) -> Result<&'a Map<String, Value>, Refused> {
    let members = value.as_object().ok_or_else(|| Refused::from(format!("{at}: not an object")))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(unknown(at, name, known)),
        None => Ok(members),
    }
}

fn said<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn routing(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let members = members(value, at, &["type", "primary_factor", "providers"])?;
    let kind = said(members, "type").ok_or_else(|| Refused::from(format!("{at}.type: missing")))?;
    let kind = word(kind, &format!("{at}.type"))?;
    let listed = match said(members, "providers") {
        None => None,
        Some(value) if says_nothing(value) => return Err(Refused::from(format!("{at}.providers: empty"))),
        Some(value) => Some(reading.plain_providers(value, &format!("{at}.providers"))?),
    };
    let factor =
        said(members, "primary_factor").map(|value| word(value, &format!("{at}.primary_factor"))).transpose()?;
    if factor.is_some() && kind != "priority" {
        return Err(Refused::both(&format!("{at}.primary_factor"), &format!("{at}.type")));
    }
    let needed = || Refused::from(format!("{at}.providers: missing"));
    let by = format!("{at}.providers");
    match kind {
        "order" | "round_robin" => {
            reading.said.rotates = kind == "round_robin";
            reading.said.order.put(listed.clone().ok_or_else(needed)?, &by)?;
        }
        "least_latency" => reading.said.prefer.put(Preset::Zenmux, at)?,
        "priority" => match factor {
            Some(factor) => favour(reading, factor, &format!("{at}.primary_factor"))?,
            None => reading.said.order.put(listed.clone().ok_or_else(needed)?, &by)?,
        },
        other => {
            return Err(stranger(other, &format!("{at}.type"), &["priority", "order", "round_robin", "least_latency"]));
        }
    }
    listed.map_or(Ok(()), |listed| reading.said.only.put(listed, &by))
}

fn favour(reading: &mut Reading<'_>, factor: &str, at: &str) -> Result<(), Refused> {
    let preset = match factor {
        "latency" => Preset::Zenmux,
        "price" | "cost" => Preset::Price,
        "throughput" => Preset::Throughput,
        "speed" => Preset::Latency,
        "quality" => {
            reading.warn(format!("{at}: the quality of answers is not measured"));
            return Ok(());
        }
        other => return Err(stranger(other, at, &["latency", "price", "throughput", "cost", "speed", "quality"])),
    };
    reading.said.prefer.put(preset, at)
}

/// A model, whether there is one, or a provider.
fn fallback(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let text = match value {
        Value::Bool(flag) => {
            if *flag {
                "true"
            } else {
                "false"
            }
        }
        value => word(value, at)?.trim(),
    };
    match text {
        "true" => Ok(()),
        "false" => reading.said.first_alone.put(true, at),
        name if resolve(reading.catalog, name).is_ok() => {
            let next = Next { model: name.to_owned(), at: at.to_owned(), on: Vec::new() };
            reading.said.chain.put(vec![next], at)
        }
        name => {
            let slug = name.split('/').next().unwrap_or(name);
            let Ok(provider) = names::provider(reading.catalog, slug, at) else {
                let shown: String = name.chars().take(80).collect();
                return Err(Refused::from(format!("{at}: {shown:?} is no model, no provider, neither true nor false")));
            };
            reading.last.put(provider, at)
        }
    }
}

fn strategy(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let members = members(value, at, &["type", "providers"])?;
    let kind = said(members, "type").ok_or_else(|| Refused::from(format!("{at}.type: missing")))?;
    let kind = word(kind, &format!("{at}.type"))?;
    if kind != "specified_providers" {
        return Err(stranger(kind, &format!("{at}.type"), &["specified_providers"]));
    }
    let by = format!("{at}.providers");
    let listed = said(members, "providers").filter(|value| !says_nothing(value));
    let listed = listed.ok_or_else(|| Refused::from(format!("{by}: missing")))?;
    let listed = reading.plain_providers(listed, &by)?;
    reading.said.order.put(listed.clone(), &by)?;
    reading.said.only.put(listed, &by)
}

fn models(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    if reading.model.as_deref().is_none_or(|model| !model.eq_ignore_ascii_case(AUTO)) {
        return Err(Refused::fix(
            format!("{at}: only where the model is {AUTO}"),
            "leave one of the two out; models lists models to go on to",
        ));
    }
    let members = members(value, at, &["available_models", "preference", "task_info"])?;
    let by = format!("{at}.available_models");
    let listed = said(members, "available_models").filter(|value| !says_nothing(value));
    let listed = listed.ok_or_else(|| Refused::from(format!("{by}: missing")))?;
    let mut listed = texts(listed, &by)?.into_iter();
    let (place, first) = listed.next().ok_or_else(|| Refused::from(format!("{by}: empty")))?;
    reading.instead.put(first.to_owned(), &place)?;
    let next = |(at, name): (String, &str)| Next { model: name.to_owned(), at, on: Vec::new() };
    reading.said.chain.put(listed.map(next).collect(), &by)?;
    let preference = said(members, "preference").map(|value| word(value, &format!("{at}.preference"))).transpose()?;
    match preference.unwrap_or("balanced") {
        "price" => reading.said.cheapest = true,
        "balanced" | "performance" => {
            reading.warn(format!("{by}: asked in this order; which model is better is not judged"));
        }
        other => {
            return Err(stranger(other, &format!("{at}.preference"), &["balanced", "performance", "price"]));
        }
    }
    if said(members, "task_info").is_some() {
        reading.warn(format!("{at}.task_info: it is not weighed"));
    }
    Ok(())
}
