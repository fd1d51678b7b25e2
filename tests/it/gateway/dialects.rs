//! What clients of hosted gateways say about routing: every line of the documentation is sent, and does what it says.

use std::collections::BTreeMap;

use openmux::gateway::codec::options::rows;
use serde_json::{Map, Value, json};

use super::super::support::command::Home;
use super::command::{Served, serve};
use super::{Response, ask};

/// What an option does.
enum Effect {
    /// The decision has this at these places.
    Decides(&'static [(&'static str, &'static str)]),
    /// The decision is the usual one, and this is said.
    Warns(&'static str),
    /// 400, at this place.
    Refused(&'static str),
    /// The answer has this header.
    Answers(&'static str, &'static str),
    /// The body of the answer has this, and not that.
    Says(&'static str, &'static str),
    /// The stream ends with what was used.
    Counts,
    /// Two requests begin with different providers.
    Rotates,
}

use Effect::{Answers, Counts, Decides, Refused, Rotates, Says, Warns};

const SONNET: &str = "anthropic/claude-sonnet-5";
const ORDER: (&str, &str) = ("/request/constraints/order", r#"["amazon-bedrock","anthropic"]"#);
const ONLY: (&str, &str) = ("/request/constraints/only", r#"["amazon-bedrock","anthropic"]"#);
const HAIKU: (&str, &str) = ("/fallback/0/model", r#""anthropic/claude-haiku-4.5""#);
const SESSION: &[(&str, &str)] = &[("/request/continues", "true")];
const NOTHING: &[(&str, &str)] =
    &[("/warnings", "[]"), ("/fallback", "[]"), ("/policy/preset", r#""balanced""#), ("/policy/max_attempts", "4")];
const LENIENT: (&str, &str) = ("/request/constraints/lenient", "true");
const TTFT: (&str, &str) = ("/policy/rule", r#""ttft""#);
const CHEAP: (&str, &str) = ("/policy/preset", r#""price""#);
const FAST: (&str, &str) = ("/policy/preset", r#""throughput""#);
const QUALITY: &str = "the quality of answers is not measured";

/// By whose the option is, and how it is written.
const EFFECTS: &[(&str, &str, Effect)] = &[
    ("OpenRouter", "provider.order", Decides(&[ORDER, ("/candidates/0/provider", r#""amazon-bedrock""#)])),
    (
        "OpenRouter",
        "provider.only",
        Decides(&[("/request/constraints/only", r#"["anthropic"]"#), ("/candidates/1", "null")]),
    ),
    ("OpenRouter", "provider.ignore", Decides(&[("/request/constraints/ignore", r#"["anthropic"]"#)])),
    ("OpenRouter", "provider.allow_fallbacks: false", Decides(&[("/policy/max_attempts", "1"), ("/chain/1", "null")])),
    (
        "OpenRouter",
        "provider.allow_fallbacks: false with order",
        Decides(&[ORDER, ONLY, ("/policy/max_attempts", "4")]),
    ),
    ("OpenRouter", "provider.require_parameters: true", Decides(&[("/request/constraints/lenient", "false")])),
    ("OpenRouter", "provider.require_parameters: false", Decides(&[LENIENT])),
    ("OpenRouter", "provider.data_collection: \"deny\"", Refused("provider.data_collection")),
    ("OpenRouter", "provider.data_collection: \"allow\"", Decides(NOTHING)),
    ("OpenRouter", "provider.zdr: true", Refused("provider.zdr")),
    ("OpenRouter", "provider.enforce_distillable_text: true", Refused("provider.enforce_distillable_text")),
    ("OpenRouter", "provider.quantizations", Decides(&[("/request/constraints/quantization", r#"["fp8","unknown"]"#)])),
    ("OpenRouter", "provider.sort: \"price\"", Decides(&[CHEAP])),
    ("OpenRouter", "provider.sort: \"latency\"", Decides(&[TTFT])),
    ("OpenRouter", "provider.sort: \"throughput\"", Decides(&[FAST])),
    ("OpenRouter", "provider.sort: \"exacto\"", Warns(QUALITY)),
    (
        "OpenRouter",
        "provider.sort: {by, partition: \"none\"}",
        Decides(&[
            CHEAP,
            ("/model", r#""anthropic/claude-haiku-4.5""#),
            ("/fallback/0/model", r#""anthropic/claude-sonnet-5""#),
        ]),
    ),
    (
        "OpenRouter",
        "provider.preferred_min_throughput",
        Decides(&[("/request/constraints/min_tokens_per_s", r#"{"limit":50,"mode":"prefer"}"#)]),
    ),
    (
        "OpenRouter",
        "provider.preferred_max_latency",
        Decides(&[("/request/constraints/max_ttft_s", r#"{"limit":1.5,"mode":"prefer"}"#)]),
    ),
    (
        "OpenRouter",
        "provider.max_price {prompt, completion}",
        Decides(&[
            ("/request/constraints/max_input_usd_per_mtok", "1"),
            ("/request/constraints/max_output_usd_per_mtok", "2.5"),
            ("/chosen", "null"),
        ]),
    ),
    ("OpenRouter", "provider.max_price {request, image, audio}", Refused("provider.max_price.image")),
    (
        "OpenRouter",
        "models",
        Decides(&[HAIKU, ("/fallback/1/model", r#""openai/gpt-5""#), ("/model", r#""anthropic/claude-sonnet-5""#)]),
    ),
    ("OpenRouter", "route: \"fallback\"", Decides(NOTHING)),
    ("OpenRouter", "session_id", Decides(SESSION)),
    ("OpenRouter", "usage: {include: true}", Counts),
    ("OpenRouter", "transforms", Refused("transforms")),
    ("OpenRouter", "plugins", Refused("plugins[0]")),
    ("OpenRouter", "preset", Refused("preset")),
    ("OpenRouter", "debug", Warns("debug: nothing is echoed")),
    ("OpenRouter", "trace", Warns("trace: it goes nowhere")),
    ("OpenRouter", "MODEL:nitro", Decides(&[FAST, ("/model", r#""anthropic/claude-sonnet-5""#)])),
    ("OpenRouter", "MODEL:floor", Decides(&[CHEAP, ("/model", r#""anthropic/claude-sonnet-5""#)])),
    ("OpenRouter", "MODEL:exacto", Warns(QUALITY)),
    ("OpenRouter", "MODEL:online", Refused("model")),
    ("OpenRouter", "MODEL@preset/NAME", Refused("model")),
    (
        "OpenRouter",
        "MODEL:free and other variants",
        Decides(&[("/model", r#""cohere/north-mini-code-1.0""#), ("/candidates/0/terms/0/usd", "0")]),
    ),
    ("OpenRouter", "x-session-id (header)", Decides(SESSION)),
    ("OpenRouter", "prompt_cache_key", Decides(SESSION)),
    ("OpenRouter", "reasoning: {effort} or {max_tokens}", Says("\"reasoning_details\":[{", "reasoning_content")),
    ("OpenRouter", "reasoning: {enabled: true}", Says("\"reasoning\":\"", "reasoning_content")),
    (
        "OpenRouter",
        "reasoning: {exclude: true}, include_reasoning: false",
        Says("\"reasoning_tokens\":", "\"reasoning"),
    ),
    ("OpenRouter", "include_reasoning: true", Says("\"reasoning_details\":[{", "reasoning_content")),
    ("OpenRouter", "reasoning: {effort, max_tokens}", Refused("reasoning.max_tokens")),
    (
        "OpenRouter",
        "cache_control (of a part, a message, a tool, the request)",
        Answers("x-openmux-dropped", "cache_control"),
    ),
    ("OpenRouter", "user", Answers("x-openmux-dropped", "user")),
    ("ZenMux", "provider.routing {type: \"order\", providers}", Decides(&[ORDER, ONLY])),
    ("ZenMux", "provider.routing {type: \"priority\", primary_factor: \"latency\"}", Decides(&[TTFT])),
    (
        "ZenMux",
        "provider.routing {type: \"priority\", primary_factor: \"price\" or \"cost\"}",
        Decides(&[
            CHEAP,
            ("/request/constraints/only", r#"["anthropic","amazon-bedrock"]"#),
            ("/request/constraints/order", "[]"),
        ]),
    ),
    ("ZenMux", "provider.routing {type: \"priority\", primary_factor: \"throughput\"}", Decides(&[FAST])),
    (
        "ZenMux",
        "provider.routing {type: \"priority\", primary_factor: \"speed\"}",
        Decides(&[("/policy/preset", r#""latency""#)]),
    ),
    ("ZenMux", "provider.routing {type: \"priority\", primary_factor: \"quality\"}", Warns(QUALITY)),
    ("ZenMux", "provider.routing {type: \"priority\", providers}", Decides(&[ORDER, ONLY])),
    (
        "ZenMux",
        "provider.routing {type: \"least_latency\"}",
        Decides(&[TTFT, ("/request/constraints/only", r#"["anthropic"]"#)]),
    ),
    ("ZenMux", "provider.routing {type: \"round_robin\", providers}", Rotates),
    ("ZenMux", "provider.fallback: MODEL", Decides(&[HAIKU])),
    ("ZenMux", "provider.fallback: \"false\"", Decides(&[("/policy/max_attempts", "1")])),
    ("ZenMux", "provider.fallback: \"true\"", Decides(NOTHING)),
    (
        "ZenMux",
        "provider.fallback: PROVIDER",
        Decides(&[
            ("/request/constraints/order", r#"["anthropic","amazon-bedrock"]"#),
            ("/chain/1/provider", r#""amazon-bedrock""#),
        ]),
    ),
    (
        "ZenMux",
        "provider_routing_strategy {type: \"specified_providers\", providers}",
        Decides(&[
            ("/request/constraints/order", r#"["anthropic"]"#),
            ("/request/constraints/only", r#"["anthropic"]"#),
        ]),
    ),
    (
        "ZenMux",
        "model_routing_config {available_models, preference: \"price\"}",
        Decides(&[
            ("/model", r#""anthropic/claude-haiku-4.5""#),
            ("/fallback/0/model", r#""anthropic/claude-opus-4.5""#),
        ]),
    ),
    ("ZenMux", "model_routing_config {available_models}", Warns("which model is better is not judged")),
    ("ZenMux", "MODEL:PROVIDER", Decides(&[("/request/constraints/only", r#"["amazon-bedrock"]"#)])),
    ("LiteLLM", "fallbacks: [MODEL]", Decides(&[HAIKU])),
    ("LiteLLM", "fallbacks: [{model: MODEL}], [{FOR: [MODEL]}]", Decides(&[HAIKU, ("/fallback/1", "null")])),
    ("LiteLLM", "context_window_fallbacks", Decides(&[("/fallback/0/model", r#""openai/gpt-4.1""#)])),
    ("LiteLLM", "content_policy_fallbacks", Decides(&[("/fallback/0/model", r#""openai/gpt-5""#)])),
    ("LiteLLM", "disable_fallbacks: true", Decides(&[("/fallback", "[]")])),
    ("LiteLLM", "num_retries", Decides(&[("/policy/retries", "1")])),
    ("LiteLLM", "max_retries", Decides(&[("/policy/retries", "0")])),
    ("LiteLLM", "timeout", Decides(&[("/limits/total_s", "12.5")])),
    ("LiteLLM", "request_timeout", Decides(&[("/limits/total_s", "30.0")])),
    ("LiteLLM", "stream_timeout", Decides(&[("/limits/first_token_s", "5.0")])),
    ("LiteLLM", "drop_params: true", Decides(&[LENIENT])),
    ("LiteLLM", "litellm_session_id", Decides(SESSION)),
    ("LiteLLM", "cache", Warns("cache: no answer is kept")),
    ("LiteLLM", "caching: true", Warns("caching: no answer is kept")),
    ("LiteLLM", "tags", Warns("tags: not used")),
    ("LiteLLM", "litellm_metadata, litellm_call_id, litellm_trace_id", Warns("litellm_trace_id: not used")),
    ("LiteLLM", "guardrails", Refused("guardrails")),
    ("LiteLLM", "mock_response, mock_testing_fallbacks", Refused("mock_response")),
    ("LiteLLM", "api_key, api_base, base_url, custom_llm_provider", Refused("api_key")),
    (
        "LiteLLM",
        "x-litellm-timeout, -stream-timeout, -num-retries (headers)",
        Decides(&[("/limits/total_s", "12.0"), ("/policy/retries", "0")]),
    ),
    ("LiteLLM", "extra_body", Decides(&[("/request/constraints/only", r#"["anthropic"]"#)])),
    // What becomes of the two where they are allowed is a test of its own.
    ("openmux", "openmux.resume: true", Decides(NOTHING)),
    ("openmux", "openmux.hedge: true", Warns("openmux.hedge: this gateway's configuration forbids it")),
];

/// A question with these members, whose `headers` are the request's.
fn sent(served: &Served, path: &str, members: &str) -> Response {
    let mut body: Map<String, Value> = serde_json::from_str(&format!("{{{members}}}")).unwrap();
    let headers = body.remove("headers").unwrap_or_default();
    let headers: Vec<(String, String)> = headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    body.entry("model").or_insert_with(|| SONNET.into());
    body.insert("messages".to_owned(), json!([{ "role": "user", "content": "Hello!" }]));
    ask(served.addr, "POST", path, Value::from(body).to_string().as_bytes(), &headers)
}

const EXPLAIN: &str = "/v1/route/explain";
const CHAT: &str = "/v1/chat/completions";

fn held(served: &Served, example: &str, effect: &Effect) {
    let document = || {
        let told = sent(served, EXPLAIN, example);
        assert_eq!(told.status, 200, "{example}: {told:?}");
        told.json()
    };
    match effect {
        Decides(places) => {
            let document = document();
            for (place, wanted) in *places {
                let found = document.pointer(place).unwrap_or(&Value::Null);
                assert_eq!(found.to_string(), *wanted, "{example}: {place}");
            }
        }
        Warns(text) => {
            let warnings = document()["warnings"].to_string();
            assert!(warnings.contains(text), "{example}: {warnings}");
            let answer = sent(served, CHAT, example);
            assert_eq!(answer.status, 200, "{example}: {answer:?}");
            assert!(answer.header("x-openmux-warning").contains(text), "{example}: {answer:?}");
        }
        Refused(param) => {
            for path in [EXPLAIN, CHAT] {
                let refused = sent(served, path, example);
                assert_eq!((refused.status, refused.error("param")), (400, (*param).into()), "{example}: {refused:?}");
                assert!(refused.error("fix").is_string(), "{example}: {refused:?}");
            }
        }
        Answers(header, value) => {
            let answer = sent(served, CHAT, example);
            assert_eq!((answer.status, answer.header(header)), (200, *value), "{example}: {answer:?}");
        }
        Says(there, gone) => {
            let answer = sent(served, CHAT, example);
            assert_eq!(answer.status, 200, "{example}: {answer:?}");
            let message = answer.json()["choices"][0]["message"].to_string();
            assert!(answer.body.contains(there) && !message.contains(gone), "{example}: {answer:?}");
        }
        Counts => {
            let answer = sent(served, CHAT, example);
            assert!(answer.body.contains("\"usage\":{\"prompt_tokens\""), "{example}: {answer:?}");
            let without = sent(served, CHAT, r#""stream":true"#).events().concat();
            assert!(!without.contains("\"usage\":{\"prompt_tokens\""), "{without}");
        }
        Rotates => {
            let first = || sent(served, CHAT, example).header("x-openmux-provider").to_owned();
            let (one, two, three) = (first(), first(), first());
            assert!(one != two && one == three && !one.is_empty(), "{example}: {one} {two} {three}");
        }
    }
}

#[test]
fn every_line_of_the_documentation_does_what_it_says() {
    let home = Home::new();
    let served = serve(&home, "--sandbox", &["-q"]);
    let mut effects: BTreeMap<(&str, &str), &Effect> =
        EFFECTS.iter().map(|(whose, option, effect)| ((*whose, *option), effect)).collect();
    for (whose, row) in rows() {
        let effect = effects.remove(&(whose, row.option));
        held(&served, row.example, effect.unwrap_or_else(|| panic!("{whose} {}: nobody has tried it", row.option)));
    }
    assert!(effects.is_empty(), "not in the documentation: {:?}", effects.keys());
    served.running.signal("TERM");
    assert_eq!(served.running.wait().code, Some(143));
}
