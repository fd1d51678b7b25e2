//! The law of the codecs: what the gateway writes in a dialect, `upstream` reads back as the same events, streamed or whole;
//! and what is cut off anywhere never ends.

use super::grammar::kept;
use openmux::catalog::{Endpoint, EndpointId, ModelId, Protocol, Provider, ProviderId, Usage};
use openmux::chat::{ChatEvent, ChatRequest, Finish, Message, Role};
use openmux::gateway::codec::anthropic::stream::Messages;
use openmux::gateway::codec::openai::chunk::Completions;
use openmux::gateway::codec::openai::thoughts::Telling;
use openmux::gateway::codec::responses::whole::Responses;
use openmux::gateway::codec::{Dialect, Ended, Likely, Voice};
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

/// What signs a thought; Anthropic has a block of its own for one that nobody may read.
fn signatures() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        "[A-Za-z0-9+/]{4,12}".prop_map(Some),
        "redacted_thinking:[A-Za-z0-9+/]{4,12}".prop_map(Some)
    ]
}

fn pieces() -> impl Strategy<Value = Vec<ChatEvent>> {
    let text = texts().prop_map(|text| vec![ChatEvent::Text(text)]);
    let thought = (texts(), signatures()).prop_map(|(text, signature)| match signature {
        Some(signature) if signature.starts_with("redacted") => vec![ChatEvent::Signature { index: None, signature }],
        Some(signature) => vec![ChatEvent::Reasoning(text), ChatEvent::Signature { index: None, signature }],
        None => vec![ChatEvent::Reasoning(text)],
    });
    let call = ("[a-z]{1,8}", texts(), 0..20_usize).prop_map(|(name, argument, at)| {
        let arguments = serde_json::json!({ "a": argument, "b": 1.50 }).to_string();
        let at = (0..=at.min(arguments.len())).rev().find(|at| arguments.is_char_boundary(*at)).unwrap_or(0);
        let (one, two) = arguments.split_at(at);
        let first =
            ChatEvent::ToolCall { index: 0, id: Some(format!("c-{name}")), name: Some(name), arguments: String::new() };
        let rest = [one, two].map(str::to_owned).into_iter().filter(|arguments| !arguments.is_empty());
        let rest = rest.map(|arguments| ChatEvent::ToolCall { index: 0, id: None, name: None, arguments });
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
        // As every provider says it.
        let finish = match (calls > 0, finish) {
            (true, Finish::Stop) => Finish::ToolCalls,
            (false, Finish::ToolCalls) => Finish::Stop,
            (_, finish) => finish,
        };
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
            finish: Some((finish, finish.name().to_owned())),
            maker: None,
            usage: Some(usage),
            likely: Likely::default(),
            cost,
            estimate: None,
            dropped: Vec::new(),
            metadata: None,
        };
        Said { events, ended }
    })
}

/// A dialect, as what it makes of an answer, and what can be read of that.
#[derive(Clone, Copy)]
pub(super) struct Spoken {
    pub(super) dialect: Dialect,
    pub(super) protocol: Protocol,
    /// Its word for how an answer ended.
    native: fn(Finish) -> &'static str,
    /// Whether it has a place for signatures of thoughts, and for a bill.
    pub(super) signs: bool,
    bills: bool,
    /// Where the answer's own end begins in a stream.
    end: &'static str,
    stream: fn(&Said) -> String,
    whole: fn(&Said) -> String,
}

const CHAT: Spoken = Spoken {
    dialect: Dialect::OpenaiChat,
    protocol: Protocol::OpenaiChat,
    native: Finish::name,
    signs: false,
    bills: true,
    // The finish is said before usage and `[DONE]`; a reader that takes it at its word has all of the answer.
    end: "\"finish_reason\":\"",
    stream: |said| streamed(&Completions { include_usage: true, telling: Telling::Content }, said),
    whole: |said| Completions { include_usage: true, telling: Telling::Content }.whole(&said.events, &said.ended),
};

const MESSAGES: Spoken = Spoken {
    dialect: Dialect::AnthropicMessages,
    protocol: Protocol::AnthropicMessages,
    native: |finish| match finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filter => "refusal",
        _ => "end_turn",
    },
    signs: true,
    bills: false,
    end: "event: message_stop",
    stream: |said| streamed(&Messages { hides_thoughts: false }, said),
    whole: |said| Messages { hides_thoughts: false }.whole(&said.events, &said.ended),
};

const RESPONSES: Spoken = Spoken {
    dialect: Dialect::OpenaiResponses,
    protocol: Protocol::OpenaiResponses,
    native: |finish| match finish {
        Finish::Length => "max_output_tokens",
        Finish::Filter => "content_filter",
        _ => "completed",
    },
    signs: true,
    bills: true,
    end: "event: response.",
    stream: |said| streamed(&Responses::default(), said),
    whole: |said| Responses::default().whole(&said.events, &said.ended),
};

pub(super) const ALL: [Spoken; 3] = [CHAT, MESSAGES, RESPONSES];

/// What a decoder is to say of it.
fn expected(spoken: &Spoken, said: &Said) -> Vec<ChatEvent> {
    let (finish, rest) = said.events.split_last().unwrap();
    let ChatEvent::Finished { finish, .. } = *finish else { panic!("{finish:?}") };
    let id = spoken.dialect.answer_id(&said.ended.id);
    let started = ChatEvent::Started { id: Some(id), model: Some(said.ended.model.clone()) };
    let told = |event: &&ChatEvent| spoken.signs || !matches!(event, ChatEvent::Signature { .. });
    let rest: Vec<ChatEvent> = rest.iter().filter(told).cloned().collect();
    let usage = said.ended.usage.clone().map(|usage| ChatEvent::Usage(Box::new(usage)));
    let billed = said.ended.cost.filter(|_| spoken.bills).map(ChatEvent::Billed);
    let finished = ChatEvent::Finished { finish, native: (spoken.native)(finish).to_owned() };
    [started].into_iter().chain(rest).chain(usage).chain(billed).chain([finished]).collect()
}

/// Its clients can take a stream at its word, however the pieces of what is said lie between one another.
fn in_order(spoken: &Spoken, said: &Said) -> Result<(), String> {
    let calls = sum(&said.events).calls;
    for said in [said.clone(), upset(said)] {
        let stream = (spoken.stream)(&said);
        kept(spoken.dialect, &stream).map_err(|wrong| format!("{wrong} in {stream}"))?;
        let (read, end) = read_stream(spoken.protocol, &stream);
        let text = said.events.iter().filter_map(|event| match event {
            ChatEvent::Text(piece) => Some(piece.as_str()),
            _ => None,
        });
        let read = sum(&read);
        if end.is_err() || read.calls != calls || read.text != text.collect::<String>() {
            return Err(format!("{end:?}: {read:#?} in {stream}"));
        }
    }
    Ok(())
}

/// The same, but the name of a call comes after its id, and a word is said between any two pieces of a call.
fn upset(said: &Said) -> Said {
    let events = said.events.iter().flat_map(|event| match event {
        ChatEvent::ToolCall { index, id, name: Some(name), arguments } => {
            let (index, arguments, name) = (*index, arguments.clone(), Some(name.clone()));
            let first = ChatEvent::ToolCall { index, id: id.clone(), name: None, arguments: String::new() };
            vec![first, ChatEvent::ToolCall { index, id: None, name, arguments }]
        }
        ChatEvent::ToolCall { .. } => vec![ChatEvent::Text("\n".to_owned()), event.clone()],
        event => vec![event.clone()],
    });
    Said { events: events.collect(), ended: said.ended.clone() }
}

fn streamed(voice: &dyn Voice, said: &Said) -> String {
    let mut stream = voice.stream(&said.ended.id, said.ended.created, &said.ended.model);
    let mut out = String::new();
    said.events.iter().for_each(|event| stream.event(event, &mut out));
    stream.end(&said.ended, &mut out);
    out
}

/// A provider that speaks the dialect as its maker does.
fn called<T>(stream: bool, f: impl FnOnce(&Call<'_>) -> T) -> T {
    let id = EndpointId { provider: ProviderId::new("openai"), upstream_model: "m".to_owned() };
    let endpoint = Endpoint::new(id, ModelId::new("acme/tiny"));
    let provider: Provider = openmux::catalog::Catalog::builtin().provider(&ProviderId::new("openai")).unwrap();
    let mut request = ChatRequest::new(ModelId::new("acme/tiny"), vec![Message::text(Role::User, "hi")]);
    request.stream = stream;
    f(&Call { endpoint: &endpoint, provider: &provider, base_url: "http://127.0.0.1", request: &request })
}

/// What is read, with what was used as it was told last.
pub(super) fn read_stream(protocol: Protocol, bytes: &str) -> (Vec<ChatEvent>, Result<(), DecodeError>) {
    called(true, |call| {
        let mut decoder = adapter(protocol).unwrap().decoder(call);
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
        let last = events.iter().rposition(|event| matches!(event, ChatEvent::Usage(_)));
        let mut at = 0..;
        events.retain(|event| {
            let at = at.next();
            !matches!(event, ChatEvent::Usage(_)) || at == last
        });
        (events, end)
    })
}

fn the_same(spoken: &Spoken, said: &Said) -> Result<(), String> {
    let (events, end) = read_stream(spoken.protocol, &(spoken.stream)(said));
    let expected = expected(spoken, said);
    if end.is_ok() && events == expected {
        return Ok(());
    }
    Err(format!("{expected:#?} became {events:#?}, {end:?}"))
}

/// Cut after any event, and within each of them.
fn no_end_before_the_end(spoken: &Spoken, said: &Said) -> Result<(), String> {
    let whole = (spoken.stream)(said);
    let ends = whole.match_indices("\n\n").map(|(at, _)| at + 2).filter(|at| *at < whole.len());
    for cut in ends.flat_map(|at| [at, at - 7]).filter(|at| whole.is_char_boundary(*at)) {
        let (events, end) = read_stream(spoken.protocol, &whole[..cut]);
        let finished = events.iter().any(|event| matches!(event, ChatEvent::Finished { .. }));
        let is_said = whole.rfind(spoken.end).is_some_and(|end| end < cut);
        if !is_said && (finished || end.is_ok()) {
            return Err(format!("cut at {cut}: {end:?} {events:?}"));
        }
    }
    Ok(())
}

/// What an answer comes to, whole: the text, the thoughts, the calls, and its end.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Sum {
    text: String,
    thought: String,
    signatures: Vec<String>,
    pub(super) calls: Vec<(String, String)>,
    pub(super) tail: Vec<ChatEvent>,
}

pub(super) fn sum(events: &[ChatEvent]) -> Sum {
    let mut sum = Sum::default();
    for event in events {
        match event {
            ChatEvent::Text(piece) | ChatEvent::Refusal(piece) => sum.text.push_str(piece),
            ChatEvent::Reasoning(piece) => sum.thought.push_str(piece),
            ChatEvent::ToolCall { index, name, arguments, .. } => {
                let at = usize::try_from(*index).unwrap();
                sum.calls.resize(sum.calls.len().max(at + 1), <(String, String)>::default());
                sum.calls[at].0.push_str(name.as_deref().unwrap_or_default());
                sum.calls[at].1.push_str(arguments);
            }
            ChatEvent::Signature { signature, .. } => sum.signatures.push(signature.clone()),
            ChatEvent::Usage(_) | ChatEvent::Billed(_) | ChatEvent::StopSequence(_) | ChatEvent::Finished { .. } => {
                sum.tail.push(event.clone());
            }
            ChatEvent::Started { .. } | ChatEvent::Item(_) => {}
        }
    }
    sum
}

pub(super) fn read_whole(protocol: Protocol, body: &str) -> (Vec<ChatEvent>, Result<(), DecodeError>) {
    let mut events = Vec::new();
    let read = called(false, |call| adapter(protocol).unwrap().whole(call, body.as_bytes(), &mut events));
    (events, read)
}

fn the_same_whole(spoken: &Spoken, said: &Said) -> Result<(), String> {
    let body = (spoken.whole)(said);
    let (events, read) = read_whole(spoken.protocol, &body);
    let (read_sum, expected) = (sum(&events), sum(&expected(spoken, said)));
    if read.is_ok() && read_sum == expected {
        return Ok(());
    }
    Err(format!("{expected:#?} became {read_sum:#?}, {read:?}: {body}"))
}

type Law = fn(&Spoken, &Said) -> Result<(), String>;

fn tried(law: Law, spoken: &Spoken) -> Result<(), String> {
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&said(), |said| law(spoken, &said).map_err(TestCaseError::fail));
    outcome.map_err(|error| format!("{:?}: {error}", spoken.dialect))
}

#[test]
fn what_is_written_is_read_back_as_the_same_events() {
    ALL.iter().for_each(|spoken| tried(the_same, spoken).unwrap());
}

#[test]
fn what_is_cut_off_never_ends() {
    ALL.iter().for_each(|spoken| tried(no_end_before_the_end, spoken).unwrap());
}

#[test]
fn a_whole_answer_says_the_same_as_a_stream() {
    ALL.iter().for_each(|spoken| tried(the_same_whole, spoken).unwrap());
}

#[test]
fn a_stream_can_be_taken_at_its_word() {
    ALL.iter().for_each(|spoken| tried(in_order, spoken).unwrap());
}

#[test]
fn the_laws_see_planted_bugs() {
    let with = |spoken: Spoken, stream: fn(&Said) -> String| Spoken { stream, ..spoken };
    for bug in [
        with(CHAT, |said| (CHAT.stream)(said).replace("reasoning_content", "thinking")),
        with(CHAT, |said| (CHAT.stream)(said).replace("\"finish_reason\":\"length\"", "\"finish_reason\":\"stop\"")),
        with(CHAT, |said| (CHAT.stream)(&counted_twice(said))),
        with(CHAT, |said| (CHAT.stream)(&rounded(said))),
        with(MESSAGES, |said| (MESSAGES.stream)(said).replace("thinking_delta", "thought_delta")),
        with(MESSAGES, |said| (MESSAGES.stream)(said).replace("signature_delta", "seal_delta")),
        with(MESSAGES, |said| (MESSAGES.stream)(said).replace("\"refusal\"", "\"end_turn\"")),
        with(MESSAGES, |said| (MESSAGES.stream)(&counted_twice(said))),
        with(RESPONSES, |said| (RESPONSES.stream)(said).replace("reasoning_summary", "summary")),
        with(RESPONSES, |said| (RESPONSES.stream)(said).replace("encrypted_content", "sealed_content")),
        with(RESPONSES, |said| (RESPONSES.stream)(said).replace("response.incomplete", "response.completed")),
        with(RESPONSES, |said| (RESPONSES.stream)(&rounded(said))),
    ] {
        assert!(tried(the_same, &bug).is_err(), "a planted bug of {:?} went unnoticed", bug.dialect);
    }
    for bug in [
        with(CHAT, |said| (CHAT.stream)(said).replace("\n\n", "\n\ndata: [DONE]\n\n")),
        with(MESSAGES, |said| (MESSAGES.stream)(said).replace("content_block_stop", "message_stop")),
        with(RESPONSES, |said| (RESPONSES.stream)(said).replace("response.in_progress", "response.completed")),
    ] {
        assert!(tried(no_end_before_the_end, &bug).is_err(), "a planted bug of {:?} went unnoticed", bug.dialect);
    }
    for bug in [
        with(CHAT, |said| {
            (CHAT.stream)(said).replace("\"type\":\"function\",\"function\":{\"name\"", "\"function\":{\"nom\"")
        }),
        with(MESSAGES, |said| (MESSAGES.stream)(said).replacen("content_block_stop", "content_block_end", 2)),
        with(RESPONSES, |said| (RESPONSES.stream)(said).replace("\"arguments\":\"{", "\"arguments\":\"{ ")),
    ] {
        assert!(tried(in_order, &bug).is_err(), "a planted bug of {:?} went unnoticed", bug.dialect);
    }
    let whole = |said: &Said| (MESSAGES.whole)(said).replace("\"signature\"", "\"seal\"");
    assert!(tried(the_same_whole, &Spoken { whole, ..MESSAGES }).is_err(), "a planted bug went unnoticed");
}

fn counted_twice(said: &Said) -> Said {
    let mut said = said.clone();
    if let Some(usage) = &mut said.ended.usage {
        usage.input = usage.input.zip(usage.cache_read).map(|(input, cached)| input + cached + Tokens::new(1));
    }
    said
}

fn rounded(said: &Said) -> Said {
    let mut said = said.clone();
    said.ended.cost = said.ended.cost.map(|cost| Usd::from_pico(cost.to_pico().unwrap() / 10 * 10));
    said
}
