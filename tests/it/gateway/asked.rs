//! What an adapter sends in a dialect, the gateway's codec reads as the same request.

use bytes::Bytes;
use http::HeaderMap;
use openmux::catalog::{Capability, Catalog, Endpoint, EndpointId, ModelId, Protocol, ProviderId};
use openmux::chat::{
    AnswerSchema, CacheMark, CachePlace, ChatRequest, Effort, Force, Media, MediaKind, MediaSource, Message, Native,
    Part, Role, Tool, ToolCall, ToolChoice, ToolResult,
};
use openmux::gateway::codec::Dialect;
use openmux::units::Tokens;
use openmux::upstream::{Call, adapter};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Number, Value, json};

/// The smallest PNG, and what a PDF begins with.
const PNG: [u8; 24] = *b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
const PDF: &[u8] = b"%PDF-1.4\n";

/// A dialect, and what it has words for.
#[derive(Debug, Clone, Copy)]
struct Tongue {
    dialect: Dialect,
    protocol: Protocol,
    /// Results of tools may say that they failed, and stand in one turn with what the user says.
    flags_errors: bool,
    stops: bool,
    /// Thoughts without a signature are sent too.
    budgets: bool,
    /// Whether a tool always says if it is strict.
    says_strict: bool,
    caches: bool,
    schema_name: &'static str,
    natives: &'static [Protocol],
}

const MESSAGES: Tongue = Tongue {
    dialect: Dialect::AnthropicMessages,
    protocol: Protocol::AnthropicMessages,
    flags_errors: true,
    stops: true,
    budgets: true,
    says_strict: false,
    caches: true,
    schema_name: "answer",
    natives: &[Protocol::AnthropicMessages, Protocol::VertexAnthropic],
};

const RESPONSES: Tongue = Tongue {
    dialect: Dialect::OpenaiResponses,
    protocol: Protocol::OpenaiResponses,
    flags_errors: false,
    stops: false,
    budgets: false,
    says_strict: true,
    caches: false,
    schema_name: "weather",
    natives: &[Protocol::OpenaiResponses, Protocol::OpenaiChat],
};

const ALL: [Tongue; 2] = [MESSAGES, RESPONSES];

fn words() -> impl Strategy<Value = String> {
    "[a-z\"\\\\ {}\u{e9}\u{1f980}]{0,10}[a-z]"
}

fn media() -> impl Strategy<Value = Part> {
    let of = |kind, mime: &str, source, name: Option<&str>| {
        Part::Media(Media { kind, mime: mime.to_owned(), source, name: name.map(str::to_owned), detail: None })
    };
    prop_oneof![
        Just(of(MediaKind::Image, "image/png", MediaSource::Bytes(Bytes::from_static(&PNG)), None)),
        Just(of(MediaKind::Image, "image/webp", MediaSource::Url("https://example.com/a.webp".to_owned()), None)),
        Just(of(MediaKind::Pdf, "application/pdf", MediaSource::Bytes(Bytes::from_static(PDF)), Some("a.pdf"))),
    ]
}

fn said() -> impl Strategy<Value = Vec<Part>> {
    (words(), option::of(media())).prop_map(|(text, media)| {
        let text = Part::Text(text);
        media.into_iter().chain([text]).collect()
    })
}

/// A turn of the model's, and what the tools that it called answered.
fn turn(tongue: Tongue) -> impl Strategy<Value = Vec<Message>> {
    let thought = option::of((words(), "[A-Za-z0-9+/]{8}"));
    let calls = vec((words(), words(), any::<bool>(), option::of(media())), 0..3);
    (thought, words(), calls, said()).prop_map(move |(thought, text, calls, next)| {
        let mut parts = Vec::new();
        parts.extend(thought.map(|(text, signature)| Part::Reasoning { text, signature: Some(signature) }));
        parts.push(Part::Text(text));
        let mut results = Vec::new();
        for (at, (argument, answer, failed, media)) in calls.into_iter().enumerate() {
            let (id, name) = (format!("call_{at}"), "look".to_owned());
            let arguments = json!({ "a": argument, "n": 1.50 }).to_string();
            parts.push(Part::ToolCall(ToolCall { id: id.clone(), name: name.clone(), arguments, signature: None }));
            let content = media.into_iter().chain([Part::Text(answer)]).collect();
            let is_error = failed && tongue.flags_errors;
            results.push(Part::ToolResult(ToolResult { call_id: id, name: Some(name), content, is_error }));
        }
        let mut turns = vec![Message::of(Role::Assistant, parts)];
        if tongue.flags_errors {
            turns.push(Message::of(Role::User, results.into_iter().chain(next).collect()));
        } else {
            turns.extend((!results.is_empty()).then(|| Message::of(Role::User, results)));
            turns.push(Message::of(Role::User, next));
        }
        turns
    })
}

fn tools(tongue: Tongue) -> impl Strategy<Value = Vec<Tool>> {
    let tool = (option::of(words()), option::of(any::<bool>()));
    vec(tool, 0..3).prop_map(move |tools| {
        let named = |(at, (description, strict)): (usize, (Option<String>, Option<bool>))| Tool {
            name: format!("tool_{at}"),
            description,
            parameters: json!({ "type": "object", "properties": { "q": { "type": "string" } } }),
            strict: if tongue.says_strict { strict.or(Some(false)) } else { strict },
        };
        tools.into_iter().enumerate().map(named).collect()
    })
}

fn number(text: &'static str) -> Option<Number> {
    Some(text.parse().unwrap())
}

fn requests(tongue: Tongue) -> impl Strategy<Value = ChatRequest> {
    let turns = (option::of(vec(words(), 1..3)), said(), vec(turn(tongue), 0..3));
    let wishes = (tools(tongue), 0..5_u8, any::<bool>(), any::<bool>(), 0..6_u8);
    let marked = vec((any::<Index>(), any::<bool>()), 0..4);
    (turns, wishes, any::<[bool; 4]>(), marked).prop_map(move |((system, first, turns), wishes, flags, marked)| {
        let (tools, choice, parallel, shaped, effort) = wishes;
        let [stream, samples, stops, marks] = flags;
        let most = if tongue.caches { 2 } else { 1 };
        let system =
            system.map(|texts| Message::of(Role::System, texts.into_iter().take(most).map(Part::Text).collect()));
        let mut messages: Vec<Message> = system.into_iter().collect();
        messages.push(Message::of(Role::User, first));
        messages.extend(turns.into_iter().flatten());
        let mut request = ChatRequest::new(ModelId::new("tiny-1"), messages);
        request.max_tokens = Some(40_000);
        request.stream = stream;
        request.effort = match effort {
            0 => Some(Effort::None),
            1 => Some(Effort::High),
            2 if tongue.budgets => Some(Effort::Budget(2048)),
            _ => None,
        };
        let thinks = request.effort.is_some_and(|effort| effort != Effort::None);
        if samples && !thinks {
            (request.temperature, request.top_p) = (number("0.70"), number("0.9"));
        }
        request.stop = if stops && tongue.stops { vec!["END".to_owned(), "\n\n".to_owned()] } else { Vec::new() };
        request.tool_choice = match choice {
            _ if tools.is_empty() => None,
            0 => Some(ToolChoice::Auto),
            1 if !thinks => Some(ToolChoice::Required),
            2 if !thinks => Some(ToolChoice::Named(tools[0].name.clone())),
            3 => Some(ToolChoice::None),
            _ => None,
        };
        let asks = request.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::None);
        request.parallel_tools = asks.then_some(parallel);
        request.tools = tools;
        request.schema = shaped.then(|| AnswerSchema {
            name: tongue.schema_name.to_owned(),
            schema: json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
                            "additionalProperties": false }),
        });
        if tongue.caches {
            request.marks = cached(&request, &marked);
        }
        if marks {
            let value = json!({ "user_id": "u-1" });
            request.native.push(Native { protocols: tongue.natives, name: "metadata", value, force: Force::Hint });
        }
        request
    })
}

/// Some of the places of a request that can be marked, in the order in which they are read.
fn cached(request: &ChatRequest, marked: &[(Index, bool)]) -> Vec<CacheMark> {
    let mut places = Vec::new();
    for (message, said) in request.messages.iter().enumerate() {
        for (part, said) in said.parts.iter().enumerate().filter(|(_, part)| !matches!(part, Part::Reasoning { .. })) {
            places.push(CachePlace::Part { message, part, within: None });
            let Part::ToolResult(result) = said else { continue };
            places.extend((0..result.content.len()).map(|piece| CachePlace::Part {
                message,
                part,
                within: Some(piece),
            }));
        }
    }
    places.extend((0..request.tools.len()).map(CachePlace::Tool));
    let mut chosen: Vec<(usize, bool)> =
        marked.iter().map(|(index, hour)| (index.index(places.len()), *hour)).collect();
    chosen.sort_unstable();
    chosen.dedup_by_key(|(at, _)| *at);
    chosen.into_iter().map(|(at, hour)| CacheMark { place: places[at], hour }).collect()
}

/// The request as it is sent, and as it is read.
fn read_back(tongue: Tongue, request: &ChatRequest) -> Result<ChatRequest, String> {
    let id = EndpointId { provider: ProviderId::new("openai"), upstream_model: "tiny-1".to_owned() };
    let mut endpoint = Endpoint::new(id, ModelId::new("acme/tiny"));
    endpoint.capabilities.insert(Capability::Reasoning);
    endpoint.max_output = Some(Tokens::new(64_000));
    let provider = Catalog::builtin().provider(&ProviderId::new("openai")).unwrap();
    let call = Call { endpoint: &endpoint, provider: &provider, base_url: "http://127.0.0.1", request };
    let sent = adapter(tongue.protocol).unwrap().encode(&call).map_err(|error| error.to_string())?;
    let Value::Object(body) = serde_json::from_slice(sent.body()).unwrap() else { panic!("no object") };
    let asked = tongue.dialect.read(&HeaderMap::new(), &body).map_err(|wrong| format!("{wrong}: {body:?}"))?;
    Ok(asked.request)
}

fn tried(tongue: Tongue, change: fn(ChatRequest) -> ChatRequest) -> Result<(), String> {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&requests(tongue), |request| {
        let read = read_back(tongue, &request).map_err(TestCaseError::fail)?;
        prop_assert_eq!(change(read), request);
        Ok(())
    });
    outcome.map_err(|error| format!("{:?}: {error}", tongue.dialect))
}

#[test]
fn what_is_sent_is_read_as_the_same_request() {
    ALL.iter().for_each(|tongue| tried(*tongue, |request| request).unwrap());
}

#[test]
fn the_law_sees_what_is_lost() {
    for lost in [
        (|request| ChatRequest { temperature: None, ..request }) as fn(ChatRequest) -> ChatRequest,
        |request| ChatRequest { effort: None, ..request },
        |request| ChatRequest { schema: None, ..request },
        |request| ChatRequest { tool_choice: None, ..request },
        |request| ChatRequest { native: Vec::new(), ..request },
        |mut request| {
            request.messages.retain(|message| message.role != Role::System);
            request
        },
    ] {
        ALL.iter().for_each(|tongue| assert!(tried(*tongue, lost).is_err(), "what was lost went unnoticed"));
    }
    let hours = |mut request: ChatRequest| {
        request.marks.iter_mut().for_each(|mark| mark.hour = false);
        request
    };
    let within = |mut request: ChatRequest| {
        for mark in &mut request.marks {
            if let CachePlace::Part { within, .. } = &mut mark.place {
                *within = None;
            }
        }
        request
    };
    for lost in [hours as fn(ChatRequest) -> ChatRequest, within] {
        assert!(tried(MESSAGES, lost).is_err(), "what was lost of a mark went unnoticed");
    }
}
