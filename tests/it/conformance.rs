//! Laws that hold for every protocol, over every fixture.

use std::collections::BTreeMap;

use openmux::catalog::{Protocol, Usage};
use openmux::chat::ChatEvent;
use openmux::upstream::wire::Frame;
use openmux::upstream::{DecodeError, EncodeError};
use proptest::prelude::*;
use serde_json::Value;

use crate::dialects;
use crate::fixtures::{self, Case, decode, frames, lines, outcome, world};

fn sse(event: &str, data: impl Into<String>) -> Frame {
    Frame::Sse { event: event.to_owned(), data: data.into() }
}

/// The JSON of a frame, where it has some.
fn json(frame: &Frame) -> Option<Value> {
    serde_json::from_slice::<Value>(data(frame)?).ok().filter(Value::is_object)
}

/// What a frame carries.
fn data(frame: &Frame) -> Option<&[u8]> {
    match frame {
        Frame::Sse { data, .. } => Some(data.as_bytes()),
        Frame::Event { payload, .. } => Some(payload),
        Frame::Comment => None,
    }
}

/// The same frame with other data.
fn with(frame: &Frame, data: String) -> Frame {
    match frame {
        Frame::Sse { event, .. } => sse(event, data),
        Frame::Event { message_type, name, .. } => {
            Frame::Event { message_type: message_type.clone(), name: name.clone(), payload: data.into() }
        }
        Frame::Comment => Frame::Comment,
    }
}

/// Whether the frame reports a failure, every word of which is shown.
fn is_failure(frame: &Frame, value: &Value) -> bool {
    matches!(frame, Frame::Event { message_type, .. } if message_type != "event")
        || value.get("error").is_some_and(|error| !error.is_null())
}

fn is_finished(event: &ChatEvent) -> bool {
    matches!(event, ChatEvent::Finished { .. })
}

/// Whether the provider's own end is among these frames: the rule of the protocol, told independently of its decoder.
fn end_was_seen(protocol: Protocol, frames: &[Frame]) -> bool {
    if matches!(protocol, Protocol::Gemini | Protocol::VertexGemini) {
        return dialects::gemini::end_seen(frames);
    }
    if protocol == Protocol::BedrockConverse {
        return dialects::bedrock::end_was_seen(frames);
    }
    frames.iter().any(|frame| {
        let Frame::Sse { data, .. } = frame else { return false };
        match protocol {
            Protocol::OpenaiChat => {
                data == "[DONE]" || json(frame).is_some_and(|chunk| chunk["choices"][0]["finish_reason"].is_string())
            }
            Protocol::OpenaiResponses => dialects::responses::end_seen(std::slice::from_ref(frame)),
            _ => dialects::anthropic::end_seen(std::slice::from_ref(frame)),
        }
    })
}

#[test]
fn every_response_gives_its_events() {
    for case in fixtures::all().iter().filter(|case| case.response.is_some()) {
        let lines = lines(&outcome(case));
        if case.expect.is_empty() {
            // One that `chat --record` wrote: whoever adds it reads what is filled in, and runs the suite again.
            fixtures::fill_in(case, &lines);
        }
        assert_eq!(lines, case.expect, "{}: UPDATE=1 fills in what a recording lacks", case.name);
    }
}

#[test]
fn any_split_of_the_bytes_gives_the_same_events() {
    for case in &fixtures::all() {
        let Some(bytes) = case.streamed() else { continue };
        let whole = frames(case, [bytes]);
        assert_eq!(frames(case, bytes.chunks(1)), whole, "{}", case.name);
        assert_eq!(lines(&decode(case, &frames(case, bytes.chunks(1)))), case.expect, "{}", case.name);
        for cut in 0..bytes.len() {
            assert_eq!(frames(case, [&bytes[..cut], &bytes[cut..]]), whole, "{} cut at {cut}", case.name);
        }
    }
}

#[test]
fn a_cut_stream_is_never_a_finished_one() {
    for case in &fixtures::all() {
        let Some(bytes) = case.streamed() else { continue };
        for cut in 0..bytes.len() {
            let left = frames(case, [&bytes[..cut]]);
            let (events, end) = decode(case, &left);
            let finished = events.iter().filter(|event| is_finished(event)).count();
            if !end_was_seen(case.protocol, &left) {
                assert_eq!(finished, 0, "{} cut at {cut} is finished", case.name);
                assert!(end.is_err(), "{} cut at {cut} is no error", case.name);
            }
            assert!(finished <= 1, "{} cut at {cut} finishes twice", case.name);
            assert_eq!(finished == 1, end.is_ok(), "{} cut at {cut}: {end:?}", case.name);
            if finished == 1 {
                assert!(events.last().is_some_and(is_finished), "{} cut at {cut} goes on after its end", case.name);
            }
            // What was told of a cut stream is the beginning of what the whole one tells.
            let told = lines(&(events.into_iter().filter(|event| !is_finished(event)).collect(), Ok(())));
            assert!(case.expect.starts_with(&told), "{} cut at {cut} tells {told:?}", case.name);
        }
    }
}

#[test]
fn whatever_is_unknown_changes_nothing() {
    let strangers = |protocol| match protocol {
        Protocol::BedrockConverse => dialects::bedrock::strangers(),
        Protocol::OpenaiChat => vec![
            Frame::Comment,
            sse("", r#"{"object":"chat.completion.novelty","novelty":{"deep":[1,"choices"]}}"#),
            sse("novelty", "not JSON"),
            sse("", ""),
        ],
        Protocol::OpenaiResponses => dialects::responses::strangers().to_vec(),
        Protocol::Gemini | Protocol::VertexGemini => dialects::gemini::strangers().to_vec(),
        _ => dialects::anthropic::strangers().to_vec(),
    };
    for case in &fixtures::all() {
        let Some(bytes) = case.streamed() else { continue };
        let whole = frames(case, [bytes]);
        for stranger in strangers(case.protocol) {
            for at in 0..=whole.len() {
                let mut mixed = whole.clone();
                mixed.insert(at, stranger.clone());
                assert_eq!(lines(&decode(case, &mixed)), case.expect, "{}: {stranger:?} at {at}", case.name);
            }
        }
        let widened: Vec<Frame> = whole.iter().map(widen).collect();
        // Items are handed on with all that is in them.
        let read = |lines: Vec<String>| lines.into_iter().filter(|line| !line.starts_with("item ")).collect::<Vec<_>>();
        assert_eq!(
            read(lines(&decode(case, &widened))),
            read(case.expect.clone()),
            "{} with fields of tomorrow",
            case.name
        );
    }
}

/// The frame with fields in it that nobody knows, but for errors, whose every word is shown.
fn widen(frame: &Frame) -> Frame {
    let Some(mut value) = json(frame).filter(|value| !is_failure(frame, value)) else { return frame.clone() };
    add_novelty(&mut value);
    with(frame, value.to_string())
}

fn add_novelty(value: &mut Value) {
    match value {
        Value::Object(object) => {
            // The arguments of a call are the model's own words.
            let ours = object.iter_mut().filter(|(key, _)| !matches!(key.as_str(), "arguments" | "input" | "args"));
            ours.for_each(|(_, inner)| add_novelty(inner));
            object.insert("novelty".to_owned(), serde_json::json!({ "text": ["x"], "type": 1 }));
        }
        Value::Array(items) => items.iter_mut().for_each(add_novelty),
        _ => {}
    }
}

/// Fields that this version reads, and the values that they cannot have.
fn corrupted(protocol: Protocol, frame: &Frame, value: &Value) -> Vec<Value> {
    let paths: &[&str] = match protocol {
        Protocol::BedrockConverse => dialects::bedrock::fields(frame),
        Protocol::OpenaiChat => &[
            "/choices",
            "/choices/0",
            "/choices/0/delta",
            "/choices/0/delta/content",
            "/choices/0/delta/tool_calls",
            "/choices/0/delta/tool_calls/0/function",
            "/choices/0/delta/reasoning_content",
            "/choices/0/finish_reason",
        ],
        Protocol::OpenaiResponses => dialects::responses::typed_fields(value),
        Protocol::Gemini | Protocol::VertexGemini => &dialects::gemini::TYPED_FIELDS,
        _ => dialects::anthropic::typed_fields(value),
    };
    let wrong = |path: &&str| {
        let mut copy = value.clone();
        let field = copy.pointer_mut(path).filter(|field| !field.is_null())?;
        *field = serde_json::json!(-3);
        Some(copy)
    };
    paths.iter().filter_map(wrong).collect()
}

#[test]
fn a_known_event_that_is_corrupt_is_an_error() {
    let mut tried = 0;
    for case in &fixtures::all() {
        let Some(bytes) = case.streamed() else { continue };
        let whole = frames(case, [bytes]);
        for (at, frame) in whole.iter().enumerate() {
            let (Some(data), Some(value)) = (data(frame), json(frame)) else { continue };
            let data = String::from_utf8_lossy(data);
            let wrong = corrupted(case.protocol, frame, &value);
            let known = case.protocol == Protocol::OpenaiChat || !wrong.is_empty();
            if !known || is_failure(frame, &value) {
                continue;
            }
            let mut broken: Vec<String> = wrong.iter().map(Value::to_string).collect();
            broken.push(data[..data.len() - 1].to_owned());
            broken.push(format!("[{data}]"));
            broken.push("{]".to_owned());
            for data in broken {
                let mut mixed = whole.clone();
                mixed[at] = with(frame, data.clone());
                let (events, end) = decode(case, &mixed);
                // What merely stops is cut off, but for what had a checksum; everything else is corrupt.
                let is_cut = matches!(frame, Frame::Sse { .. })
                    && serde_json::from_str::<Value>(&data).is_err_and(|error| error.is_eof());
                let as_it_should = match end {
                    Err(DecodeError::Truncated) => is_cut,
                    Err(DecodeError::Corrupt(_)) => !is_cut,
                    _ => false,
                };
                assert!(as_it_should, "{}: {data} gives {end:?}", case.name);
                assert!(!events.iter().any(is_finished), "{}: {data} is finished", case.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "only {tried} corrupt events were tried");
}

#[test]
fn whole_and_streamed_answers_agree() {
    let cases = fixtures::all();
    let mut pairs = 0;
    for case in &cases {
        let Some(twin) = &case.twin else { continue };
        let streamed = cases.iter().find(|other| other.name == format!("{}/{twin}", case.protocol.name())).unwrap();
        assert_eq!(folded(case), folded(streamed), "{} and {twin}", case.name);
        pairs += 1;
    }
    assert!(pairs >= 4, "only {pairs} pairs");
}

/// An answer without the order in which it came; the last usage counts.
#[derive(Debug, Default, PartialEq)]
struct Folded {
    text: String,
    reasoning: String,
    /// By index: id, name and arguments.
    calls: BTreeMap<u32, [String; 3]>,
    signatures: String,
    usage: Option<Usage>,
    finish: Option<String>,
}

fn folded(case: &Case) -> Folded {
    let (events, end) = outcome(case);
    assert_eq!(end, Ok(()), "{}", case.name);
    let mut folded = Folded::default();
    for event in events {
        match event {
            ChatEvent::Started { .. } | ChatEvent::Item(_) | ChatEvent::Billed(_) | ChatEvent::StopSequence(_) => {}
            ChatEvent::Signature { signature, .. } => folded.signatures.push_str(&signature),
            ChatEvent::Text(piece) | ChatEvent::Refusal(piece) => folded.text.push_str(&piece),
            ChatEvent::Reasoning(piece) => folded.reasoning.push_str(&piece),
            ChatEvent::ToolCall { index, id, name, arguments } => {
                let call = folded.calls.entry(index).or_default();
                call[0].push_str(&id.unwrap_or_default());
                call[1].push_str(&name.unwrap_or_default());
                call[2].push_str(&arguments);
            }
            ChatEvent::Usage(usage) => folded.usage = Some(*usage),
            ChatEvent::Finished { finish, native } => folded.finish = Some(format!("{} {native}", finish.name())),
        }
    }
    folded
}

#[test]
fn requests_become_the_bodies_that_the_protocol_wants() {
    let mut tried = 0;
    for case in &fixtures::all() {
        let Some(expected) = case.request.as_ref().and_then(|request| request.get("expect")) else { continue };
        let world = world(case);
        let encoded = case.adapter().encode(&world.call()).unwrap();
        assert_eq!(encoded.method(), http::Method::POST);
        assert_eq!(encoded.uri().to_string(), expected["url"].as_str().unwrap(), "{}", case.name);
        for (name, value) in expected["headers"].as_object().unwrap() {
            assert_eq!(encoded.headers()[name], value.as_str().unwrap(), "{}: {name}", case.name);
        }
        assert!(encoded.headers().contains_key("user-agent"));
        for secret in ["authorization", "x-api-key"] {
            assert!(!encoded.headers().contains_key(secret), "{} carries a credential", case.name);
        }
        let body: Value = serde_json::from_slice(encoded.body()).unwrap();
        assert_eq!(body, expected["body"], "{}", case.name);
        tried += 1;
    }
    assert!(tried >= 8, "only {tried} requests");
}

/// `call` with what cannot be said in it, as `lacks`; everything else that has a request lacks nothing.
#[test]
fn what_a_protocol_cannot_carry_is_named_before_sending() {
    for case in fixtures::all().iter().filter(|case| case.request.is_some()) {
        let expected: Vec<&str> = case.request.as_ref().unwrap()["lacks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(case.adapter().lacks(&world(case).call()), expected, "{}", case.name);
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let cases = fixtures::all();
    let of = |protocol| cases.iter().find(|case| case.protocol == protocol).unwrap();
    let anthropic = of(Protocol::AnthropicMessages);
    let bare = Case { request: None, ..fixtures::all().swap_remove(cases.len() - 1) };
    assert_eq!(anthropic.adapter().encode(&world(&bare).call()).unwrap_err(), EncodeError::NoOutputLimit);
    let openai = of(Protocol::OpenaiChat);
    let world = world(&bare);
    for base_url in
        ["", "api.example.com/v1", "ftp://h", "https://h/v1?key=1", "https://h/v1#x", "https://", "https://a b"]
    {
        let call = openmux::upstream::Call { base_url, ..world.call() };
        assert!(matches!(openai.adapter().encode(&call), Err(EncodeError::BadUrl(_))), "{base_url}");
    }
}

/// Where the model's id is a part of the path, it leads nowhere else.
#[test]
fn an_id_that_would_change_the_path_is_refused() {
    for protocol in [Protocol::VertexAnthropic] {
        for id in ["../../secret", "a%2Fb", "a?key=1", "a#b", "publishers/x", ""] {
            let call = serde_json::json!({ "call": { "model": id, "max_tokens": 1, "messages": [] } });
            let case = Case { request: Some(call), protocol, ..fixtures::all().swap_remove(0) };
            let encoded = case.adapter().encode(&world(&case).call());
            assert_eq!(encoded.unwrap_err(), EncodeError::UnsafeModelId(id.to_owned()), "{}", protocol.name());
        }
    }
}

proptest! {
    // Nothing is kept on disk: a failure becomes a fixture or a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_decoder_panic(
        pick in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        thread_local! { static CASES: Vec<Case> = fixtures::all(); }
        CASES.with(|cases| -> Result<(), TestCaseError> {
            let case = pick.get(cases);
            let mut bytes = case.response.clone().unwrap_or_default();
            for &(at, byte) in &edits {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            let world = world(case);
            let mut out = Vec::new();
            // Failing is fine; panicking is not, and neither is an end that comes twice.
            let _ = case.adapter().whole(&world.call(), &bytes, &mut out);
            let (events, _) = decode(case, &frames(case, [&bytes[..]]));
            prop_assert!(events.iter().filter(|event| is_finished(event)).count() <= 1);
            // A checksum keeps broken bytes from the decoder: it is given broken data in whole frames too.
            if let Some(bytes) = case.streamed() {
                let mut whole = frames(case, [bytes]);
                for (at, byte) in edits {
                    let frame = at.get_mut(&mut whole);
                    let Some(mut data) = data(frame).map(<[u8]>::to_vec).filter(|data| !data.is_empty()) else { continue };
                    let at = at.index(data.len());
                    data[at] = byte;
                    *frame = with(frame, String::from_utf8_lossy(&data).into_owned());
                }
                let (events, _) = decode(case, &whole);
                prop_assert!(events.iter().filter(|event| is_finished(event)).count() <= 1);
            }
            Ok(())
        })?;
    }
}
