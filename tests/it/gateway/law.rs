//! The law of the codec: what the gateway writes, `upstream::openai` reads back as the same events, streamed or whole; and
//! what is cut off anywhere never ends.

use openmux::catalog::{Endpoint, EndpointId, ModelId, Protocol, Provider, ProviderId, Usage};
use openmux::chat::{ChatEvent, ChatRequest, Finish, Message, Role};
use openmux::gateway::codec::openai::chunk::Chunks;
use openmux::gateway::codec::openai::whole::completion;
use openmux::gateway::codec::{Dialect, Ended, Stream};
use openmux::units::{Tokens, Usd};
use openmux::upstream::wire::{Frame, Framer};
use openmux::upstream::{Call, DecodeError, adapter};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What a model says, and how it ends.
#[derive(Debug, Clone)]
struct Said {
    events: Vec<ChatEvent>,
    ended: Ended,
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![Just("\u{7f} \"\\\n\r\t/</script> [DONE]\n\ndata: x".to_owned()), "\\PC{1,12}"]
}

fn pieces() -> impl Strategy<Value = Vec<ChatEvent>> {
    let text = texts().prop_map(|text| vec![ChatEvent::Text(text)]);
    let thought = texts().prop_map(|text| vec![ChatEvent::Reasoning(text)]);
    let call = ("[a-z]{1,8}", proptest::collection::vec(texts(), 0..3)).prop_map(|(name, arguments)| {
        let first =
            ChatEvent::ToolCall { index: 0, id: Some(format!("c-{name}")), name: Some(name), arguments: String::new() };
        let rest =
            arguments.into_iter().map(|arguments| ChatEvent::ToolCall { index: 0, id: None, name: None, arguments });
        std::iter::once(first).chain(rest).collect()
    });
    prop_oneof![4 => text, 2 => thought, 1 => call]
}

fn said() -> impl Strategy<Value = Said> {
    let finish = prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ToolCalls), Just(Finish::Filter)];
    let counts = (0..5000_u64, 0..5000_u64, 0..100_u64, 0..100_u64, any::<bool>());
    (proptest::collection::vec(pieces(), 1..8), finish, counts).prop_map(|(pieces, finish, counts)| {
        let mut calls = 0;
        let mut events: Vec<ChatEvent> = Vec::new();
        for mut piece in pieces {
            if matches!(piece[0], ChatEvent::ToolCall { .. }) {
                for event in &mut piece {
                    if let ChatEvent::ToolCall { index, id, .. } = event {
                        *index = calls;
                        *id = id.take().map(|id| format!("{id}-{calls}"));
                    }
                }
                calls += 1;
            }
            events.extend(piece);
        }
        events.push(ChatEvent::Finished { finish, native: finish.name().to_owned() });
        let (input, output, cached, reasoning, priced) = counts;
        let usage = Usage {
            cache_read: Some(Tokens::new(cached)),
            reasoning: Some(Tokens::new(reasoning)),
            ..Usage::text(input + cached, output + reasoning)
        };
        let cost = priced.then(|| Usd::from_pico(i64::try_from(input * 1_234_567 + 1).unwrap()));
        let ended = Ended {
            id: "0".repeat(32),
            created: 1,
            model: "acme/tiny".to_owned(),
            provider: "alpha".to_owned(),
            maker: None,
            usage: Some(usage),
            cost,
            dropped: Vec::new(),
            metadata: None,
        };
        Said { events, ended }
    })
}

/// What a decoder is to say of it.
fn expected(said: &Said) -> Vec<ChatEvent> {
    let (finish, rest) = said.events.split_last().unwrap();
    let started = ChatEvent::Started { id: Some(Dialect::OpenaiChat.answer_id(&said.ended.id)), model: Some(said.ended.model.clone()) };
    let usage = said.ended.usage.clone().map(ChatEvent::Usage);
    let billed = said.ended.cost.map(ChatEvent::Billed);
    [started].into_iter().chain(rest.to_vec()).chain(usage).chain(billed).chain([finish.clone()]).collect()
}

type Encoder = fn(&Said) -> String;

fn encode(said: &Said) -> String {
    let mut stream = Chunks::new(&Dialect::OpenaiChat.answer_id(&said.ended.id), said.ended.created, &said.ended.model, true);
    let mut out = String::new();
    said.events.iter().for_each(|event| stream.event(event, &mut out));
    stream.end(&said.ended, &mut out);
    out
}

/// A provider that speaks the dialect as OpenAI does.
fn called<T>(stream: bool, f: impl FnOnce(&Call<'_>) -> T) -> T {
    let id = EndpointId { provider: ProviderId::new("openai"), upstream_model: "m".to_owned() };
    let endpoint = Endpoint::new(id, ModelId::new("acme/tiny"));
    let provider: Provider = openmux::catalog::Catalog::builtin().provider(&ProviderId::new("openai")).unwrap();
    let mut request = ChatRequest::new(ModelId::new("acme/tiny"), vec![Message::text(Role::User, "hi")]);
    request.stream = stream;
    f(&Call { endpoint: &endpoint, provider: &provider, base_url: "http://127.0.0.1", request: &request })
}

fn decode(bytes: &str) -> (Vec<ChatEvent>, Result<(), DecodeError>) {
    called(true, |call| {
        let mut decoder = adapter(Protocol::OpenaiChat).unwrap().decoder(call);
        let mut framer = Framer::of("text/event-stream", 1 << 20);
        let (mut frames, mut events): (Vec<Frame>, _) = (Vec::new(), Vec::new());
        framer.push(bytes.as_bytes(), &mut frames).unwrap();
        framer.finish(&mut frames);
        for frame in frames {
            if let Err(error) = decoder.frame(&frame, &mut events) {
                return (events, Err(error));
            }
        }
        let end = decoder.end(&mut events);
        (events, end)
    })
}

fn the_same(encode: Encoder, said: &Said) -> Result<(), String> {
    let (events, end) = decode(&encode(said));
    if end.is_ok() && events == expected(said) {
        return Ok(());
    }
    Err(format!("{:#?} became {events:#?}, {end:?}", expected(said)))
}

fn no_end_before_the_end(encode: Encoder, said: &Said) -> Result<(), String> {
    let whole = encode(said);
    let ends: Vec<usize> = whole.match_indices("\n\n").map(|(at, _)| at + 2).collect();
    for cut in &ends[..ends.len() - 1] {
        let (events, end) = decode(&whole[..*cut]);
        let finished = events.iter().any(|event| matches!(event, ChatEvent::Finished { .. }));
        // The finish is said before usage and `[DONE]`; a reader that takes it at its word has all of the answer.
        let said_all = whole[..*cut].contains("\"finish_reason\":\"");
        if !said_all && (finished || end.is_ok()) {
            return Err(format!("cut at {cut}: {end:?} {events:?}"));
        }
    }
    Ok(())
}

fn tried(law: fn(Encoder, &Said) -> Result<(), String>, encoder: Encoder) -> Result<(), String> {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&said(), |said| law(encoder, &said).map_err(TestCaseError::fail));
    outcome.map_err(|error| error.to_string())
}

#[test]
fn what_is_written_is_read_back_as_the_same_events() {
    tried(the_same, encode).unwrap();
}

#[test]
fn what_is_cut_off_never_ends() {
    tried(no_end_before_the_end, encode).unwrap();
}

#[test]
fn the_laws_see_planted_bugs() {
    let forgets_the_reasoning: Encoder = |said| encode(said).replace("reasoning_content", "thinking");
    let says_stop: Encoder = |said| encode(said).replace("\"finish_reason\":\"length\"", "\"finish_reason\":\"stop\"");
    let counts_cached_twice: Encoder = |said| {
        let mut said = said.clone();
        if let Some(usage) = &mut said.ended.usage {
            usage.input = usage.input.zip(usage.cache_read).map(|(input, cached)| input + cached + Tokens::new(1));
        }
        encode(&said)
    };
    let floats: Encoder = |said| {
        let mut said = said.clone();
        said.ended.cost = said.ended.cost.map(|cost| Usd::from_pico(cost.to_pico().unwrap() / 10 * 10));
        encode(&said)
    };
    for bug in [forgets_the_reasoning, says_stop, counts_cached_twice, floats] {
        assert!(tried(the_same, bug).is_err(), "a planted bug went unnoticed");
    }
    let always_done: Encoder = |said| encode(said).replace("\n\n", "\n\ndata: [DONE]\n\n");
    assert!(tried(no_end_before_the_end, always_done).is_err(), "a planted bug went unnoticed");
}

#[test]
fn a_whole_answer_says_the_same_as_a_stream() {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&said(), |said| {
        let body = completion(&said.events, &said.ended).to_string();
        let mut events = Vec::new();
        let read =
            called(false, |call| adapter(Protocol::OpenaiChat).unwrap().whole(call, body.as_bytes(), &mut events));
        prop_assert!(read.is_ok(), "{read:?}");
        let joined = |events: &[ChatEvent]| {
            let (mut text, mut thought, mut calls) = (String::new(), String::new(), Vec::<(String, String)>::new());
            for event in events {
                match event {
                    ChatEvent::Text(piece) => text.push_str(piece),
                    ChatEvent::Reasoning(piece) => thought.push_str(piece),
                    ChatEvent::ToolCall { name: Some(name), arguments, .. } => {
                        calls.push((name.clone(), arguments.clone()));
                    }
                    ChatEvent::ToolCall { index, arguments, .. } => {
                        calls[usize::try_from(*index).unwrap()].1.push_str(arguments);
                    }
                    _ => {}
                }
            }
            // A call without arguments has an empty object of them.
            calls.iter_mut().filter(|call| call.1.trim().is_empty()).for_each(|call| call.1 = "{}".to_owned());
            (text, thought, calls)
        };
        prop_assert_eq!(joined(&events), joined(&said.events));
        let tail = |events: &[ChatEvent]| -> Vec<ChatEvent> {
            let told = |event: &&ChatEvent| {
                matches!(event, ChatEvent::Usage(_) | ChatEvent::Billed(_) | ChatEvent::Finished { .. })
            };
            events.iter().filter(told).cloned().collect()
        };
        prop_assert_eq!(tail(&events), tail(&expected(&said)));
        Ok(())
    });
    outcome.unwrap();
}
