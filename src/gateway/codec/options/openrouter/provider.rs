//! `OpenRouter`'s members of `provider`.

use serde_json::Value;

use super::super::{
    Entry, Reading, Refused, Row, decimal, flag, millionths, says_nothing, stranger, texts, unknown, word,
};
use crate::routing::{Measure, Preset};
use crate::units::UsdPerMtok;

/// Members of `provider`.
pub(in super::super) const PROVIDER: &[Entry] = &[
    Entry {
        name: "order",
        read: order,
        rows: &[Row {
            option: "provider.order",
            becomes: "--order: these first, then the others by score",
            example: r#""provider":{"order":["amazon-bedrock","anthropic"]}"#,
        }],
    },
    Entry {
        name: "only",
        read: only,
        rows: &[Row {
            option: "provider.only",
            becomes: "--only, within what the gateway itself allows",
            example: r#""provider":{"only":["anthropic"]}"#,
        }],
    },
    Entry {
        name: "ignore",
        read: ignore,
        rows: &[Row {
            option: "provider.ignore",
            becomes: "--ignore, beside those that the gateway ignores",
            example: r#""provider":{"ignore":["anthropic"]}"#,
        }],
    },
    Entry {
        name: "allow_fallbacks",
        read: allow_fallbacks,
        rows: &[
            Row {
                option: "provider.allow_fallbacks: false",
                becomes: "one attempt, at the first",
                example: r#""provider":{"allow_fallbacks":false}"#,
            },
            Row {
                option: "provider.allow_fallbacks: false with order",
                becomes: "nobody but those that order lists",
                example: r#""provider":{"allow_fallbacks":false,"order":["amazon-bedrock","anthropic"]}"#,
            },
        ],
    },
    Entry {
        name: "require_parameters",
        read: require_parameters,
        rows: &[
            Row {
                option: "provider.require_parameters: true",
                becomes: "what holds anyway: who cannot be told a parameter is left out",
                example: r#""provider":{"require_parameters":true}"#,
            },
            Row {
                option: "provider.require_parameters: false",
                becomes: "--lenient: sampling hints are left out there, and x-openmux-dropped names them",
                example: r#""provider":{"require_parameters":false}"#,
            },
        ],
    },
    Entry {
        name: "data_collection",
        read: data_collection,
        rows: &[
            Row {
                option: "provider.data_collection: \"deny\"",
                becomes: "refused: nobody here knows what a provider keeps",
                example: r#""provider":{"data_collection":"deny"}"#,
            },
            Row {
                option: "provider.data_collection: \"allow\"",
                becomes: "nothing",
                example: r#""provider":{"data_collection":"allow"}"#,
            },
        ],
    },
    Entry {
        name: "zdr",
        read: zdr,
        rows: &[Row {
            option: "provider.zdr: true",
            becomes: "refused, likewise",
            example: r#""provider":{"zdr":true}"#,
        }],
    },
    Entry {
        name: "enforce_distillable_text",
        read: distillable,
        rows: &[Row {
            option: "provider.enforce_distillable_text: true",
            becomes: "refused: the catalog has no such mark",
            example: r#""provider":{"enforce_distillable_text":true}"#,
        }],
    },
    Entry {
        name: "quantizations",
        read: quantizations,
        rows: &[Row {
            option: "provider.quantizations",
            becomes: "--quantization",
            example: r#""provider":{"quantizations":["fp8","unknown"]}"#,
        }],
    },
    Entry {
        name: "sort",
        read: sort,
        rows: &[
            Row {
                option: "provider.sort: \"price\"",
                becomes: "--prefer price",
                example: r#""provider":{"sort":"price"}"#,
            },
            Row {
                option: "provider.sort: \"latency\"",
                becomes: "--prefer zenmux: the shortest wait, measured ones first",
                example: r#""provider":{"sort":"latency"}"#,
            },
            Row {
                option: "provider.sort: \"throughput\"",
                becomes: "--prefer throughput",
                example: r#""provider":{"sort":"throughput"}"#,
            },
            Row {
                option: "provider.sort: \"exacto\"",
                becomes: "a warning: nobody here measures the quality of answers",
                example: r#""provider":{"sort":"exacto"}"#,
            },
            Row {
                option: "provider.sort: {by, partition: \"none\"}",
                becomes: "the same; of several models the one whose best provider is cheapest for this request goes first",
                example: r#""provider":{"sort":{"by":"price","partition":"none"}},"models":["anthropic/claude-haiku-4.5"]"#,
            },
        ],
    },
    Entry {
        name: "preferred_min_throughput",
        read: min_throughput,
        rows: &[Row {
            option: "provider.preferred_min_throughput",
            becomes: "--min-throughput (tokens a second), as a preference",
            example: r#""provider":{"preferred_min_throughput":{"p50":50}}"#,
        }],
    },
    Entry {
        name: "preferred_max_latency",
        read: max_latency,
        rows: &[Row {
            option: "provider.preferred_max_latency",
            becomes: "--max-ttft (seconds), as a preference",
            example: r#""provider":{"preferred_max_latency":1.5}"#,
        }],
    },
    Entry {
        name: "max_price",
        read: max_price,
        rows: &[
            Row {
                option: "provider.max_price {prompt, completion}",
                becomes: "--max-price-in, --max-price-out (USD per 1M tokens)",
                example: r#""provider":{"max_price":{"prompt":1,"completion":"2.50"}}"#,
            },
            Row {
                option: "provider.max_price {request, image, audio}",
                becomes: "refused: only the prices of tokens are limited one by one",
                example: r#""provider":{"max_price":{"image":0.01}}"#,
            },
        ],
    },
];

fn order(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let named = reading.providers(value, at)?;
    for (provider, tag) in named.iter().filter_map(|(provider, tag)| Some((provider, tag.as_ref()?))) {
        let said = format!("{at}: which endpoint of {provider} is asked is not for {provider}/{tag:?} to say");
        reading.warn(said.replace('"', ""));
    }
    let mut order: Vec<_> = named.into_iter().map(|(provider, _)| provider).collect();
    order.dedup();
    reading.said.order.put(order, at)
}

/// The words for how weights are stored.
const QUANTS: [&str; 12] =
    ["int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown"];

fn only(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let named = reading.providers(value, at)?;
    let quant = |tag: &Option<String>| tag.clone().filter(|tag| QUANTS.contains(&tag.as_str()));
    let first = named.first().and_then(|(_, tag)| quant(tag));
    if let Some(tag) = first.filter(|first| named.iter().all(|(_, tag)| tag.as_ref() == Some(first))) {
        reading.said.quantization.put(vec![tag], at)?;
    } else if let Some((provider, Some(tag))) = named.iter().find(|(_, tag)| tag.is_some()) {
        let wrong = format!("{at}: {tag:?} is one endpoint of {provider}, and openmux chooses among those");
        let fix = format!("name {provider} alone; quantizations and the gateway's own region say which endpoint");
        return Err(Refused::fix(wrong, &fix));
    }
    let mut only: Vec<_> = named.into_iter().map(|(provider, _)| provider).collect();
    only.dedup();
    reading.said.only.put(only, at)
}

fn ignore(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let named = reading.providers(value, at)?;
    for (provider, _) in named.iter().filter(|(_, tag)| tag.is_some()) {
        reading.warn(format!("{at}: all of {provider} is left out"));
    }
    reading.said.ignore.extend(named.into_iter().map(|(provider, _)| provider));
    Ok(())
}

fn allow_fallbacks(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    reading.said.first_alone.put(!flag(value, at)?, at)
}

fn require_parameters(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    reading.said.lenient.put(!flag(value, at)?, at)
}

const PRIVACY: &str = "leave it out, and name the providers that you trust: provider.only";

fn data_collection(_: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    match word(value, at)? {
        "allow" => Ok(()),
        "deny" => Err(Refused::fix(format!("{at}: what a provider keeps is not in the catalog"), PRIVACY)),
        other => Err(stranger(other, at, &["allow", "deny"])),
    }
}

fn zdr(_: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    if flag(value, at)? {
        return Err(Refused::fix(format!("{at}: what a provider keeps is not in the catalog"), PRIVACY));
    }
    Ok(())
}

fn distillable(_: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    if flag(value, at)? {
        let wrong = format!("{at}: which model's text may be distilled is not in the catalog");
        return Err(Refused::fix(wrong, "leave it out, and name a model whose licence you know"));
    }
    Ok(())
}

fn quantizations(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let mut wanted = Vec::new();
    for (place, text) in texts(value, at)? {
        let lower = text.to_ascii_lowercase();
        if !QUANTS.contains(&lower.as_str()) {
            return Err(stranger(text, &place, &QUANTS));
        }
        wanted.push(lower);
    }
    reading.said.quantization.put(wanted, at)
}

fn sort(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    let Value::Object(members) = value else { return sorted(reading, word(value, at)?, at) };
    const KNOWN: [&str; 2] = ["by", "partition"];
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(unknown(at, name, &KNOWN));
    }
    if let Some(partition) = members.get("partition").filter(|value| !says_nothing(value)) {
        let at = format!("{at}.partition");
        match word(partition, &at)? {
            "model" => {}
            "none" => reading.said.cheapest = true,
            other => return Err(stranger(other, &at, &["model", "none"])),
        }
    }
    match members.get("by").filter(|value| !says_nothing(value)) {
        Some(by) => sorted(reading, word(by, &format!("{at}.by"))?, at),
        None => Err(Refused::from(format!("{at}.by: missing"))),
    }
}

fn sorted(reading: &mut Reading<'_>, by: &str, at: &str) -> Result<(), Refused> {
    let preset = match by {
        "price" => Preset::Price,
        "latency" => Preset::Zenmux,
        "throughput" => Preset::Throughput,
        "exacto" => {
            reading.warn(format!("{at}: the quality of answers is not measured"));
            return Ok(());
        }
        other => return Err(stranger(other, at, &["price", "latency", "throughput", "exacto"])),
    };
    reading.said.prefer.put(preset, at)
}

/// One number, or one for each of some percentiles: what is expected here is the middle.
fn cutoff(
    reading: &mut Reading<'_>,
    (value, at): (&Value, &str),
    measure: Measure,
    stricter: fn(u64, u64) -> u64,
) -> Result<(), Refused> {
    const KNOWN: [&str; 4] = ["p50", "p75", "p90", "p99"];
    let Value::Object(members) = value else {
        let limit = millionths(value, at)?;
        reading.prefers(measure, limit);
        return Ok(());
    };
    let mut strictest: Option<u64> = None;
    for (name, value) in members {
        if !KNOWN.contains(&name.as_str()) {
            return Err(unknown(at, name, &KNOWN));
        }
        let limit = millionths(value, &format!("{at}.{name}"))?;
        if name != "p50" {
            reading.warn(format!("{at}.{name}: held against what is expected, not against a percentile"));
        }
        strictest = Some(strictest.map_or(limit, |known| stricter(known, limit)));
    }
    strictest.into_iter().for_each(|limit| reading.prefers(measure, limit));
    Ok(())
}

fn min_throughput(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    cutoff(reading, (value, at), Measure::Throughput, u64::max)
}

fn max_latency(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    cutoff(reading, (value, at), Measure::Ttft, u64::min)
}

fn max_price(reading: &mut Reading<'_>, value: &Value, at: &str) -> Result<(), Refused> {
    const KNOWN: [&str; 5] = ["prompt", "completion", "request", "image", "audio"];
    let members = value.as_object().ok_or_else(|| Refused::from(format!("{at}: not an object")))?;
    for (name, value) in members.iter().filter(|(_, value)| !says_nothing(value)) {
        let place = format!("{at}.{name}");
        let price = || {
            let text = decimal(value, &place)?;
            text.parse::<UsdPerMtok>().map_err(|error| Refused::from(format!("{place}: {error}")))
        };
        match name.as_str() {
            "prompt" => reading.said.max_price_in.put(price()?, &place)?,
            "completion" => reading.said.max_price_out.put(price()?, &place)?,
            "request" | "image" | "audio" => {
                let wrong = format!("{place}: only the prices of tokens are limited one by one");
                return Err(Refused::fix(wrong, "prompt and completion, or OPENMUX_MAX_COST where openmux serve runs"));
            }
            other => return Err(unknown(at, other, &KNOWN)),
        }
    }
    Ok(())
}
