//! From a provider's bytes to a client's: every recorded answer goes through the whole gateway, and is put in each dialect;
//! what the client reads is what the provider said.

use openmux::catalog::Protocol;
use openmux::chat::{ChatEvent, Finish};
use openmux::upstream::BUILT;
use serde_json::{Value, json};

use super::grammar::kept;
use super::law::{ALL, Spoken, Sum, read_stream, read_whole, sum};
use super::{Response, World};
use crate::fixtures::{self, Case, outcome};
use crate::support::server::{Script, Server};

/// What a recorded answer says; `None` where it is none.
fn said(case: &Case) -> Option<Vec<ChatEvent>> {
    if case.response.is_none() || case.status != 200 {
        return None;
    }
    let (events, end) = outcome(case);
    let Some(ChatEvent::Finished { finish, .. }) = events.last() else { return None };
    let spoke = events.iter().any(ChatEvent::bears_tokens);
    let failed = *finish == Finish::Error || !(spoke || matches!(finish, Finish::Filter | Finish::Length));
    (end.is_ok() && !failed).then_some(events)
}

fn script(case: &Case) -> Script {
    let kind =
        case.headers.iter().find(|(name, _)| name == "content-type").map_or("application/json", |(_, kind)| kind);
    Script::body(200, kind, case.response.clone().unwrap())
}

/// A client's question in a dialect. What is limited says so: some providers' answers are read by it.
fn asked(spoken: &Spoken, case: &Case) -> (&'static str, Value) {
    let most = case.request.as_ref().and_then(|request| request["call"]["max_tokens"].as_u64());
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let (path, limit, mut body) = match spoken.protocol {
        Protocol::OpenaiChat => ("/v1/chat/completions", "max_completion_tokens", json!({ "messages": messages })),
        Protocol::OpenaiResponses => ("/v1/responses", "max_output_tokens", json!({ "input": "hi" })),
        _ => ("/v1/messages", "max_tokens", json!({ "messages": messages, "max_tokens": 50 })),
    };
    body["model"] = "acme/tiny".into();
    body["stream"] = case.stream.into();
    if let Some(most) = most {
        body[limit] = most.into();
    }
    (path, body)
}

/// What of an answer every dialect has a word for.
fn common(spoken: &Spoken, events: &[ChatEvent]) -> Sum {
    let of_calls = |event: &ChatEvent| matches!(event, ChatEvent::Signature { index: Some(_), .. });
    let unsigned = |event: &ChatEvent| matches!(event, ChatEvent::Signature { .. }) && !spoken.signs;
    // There a refusal is an end.
    let refuses = spoken.protocol == Protocol::AnthropicMessages
        && events.iter().any(|event| matches!(event, ChatEvent::Refusal(_)));
    let events: Vec<ChatEvent> = events.iter().filter(|event| !of_calls(event) && !unsigned(event)).cloned().collect();
    let mut sum = sum(&events);
    let calls = !sum.calls.is_empty();
    for event in &mut sum.tail {
        if let ChatEvent::Finished { finish, native } = event {
            native.clear();
            *finish = match *finish {
                Finish::Stop | Finish::Other if refuses => Finish::Filter,
                Finish::Stop | Finish::Other if calls => Finish::ToolCalls,
                Finish::Other => Finish::Stop,
                finish => finish,
            };
        }
    }
    for (_, arguments) in &mut sum.calls {
        // Where nothing is said there are none.
        let object = if arguments.is_empty() { "{}" } else { arguments.as_str() };
        *arguments =
            serde_json::from_str::<Value>(object).map_or_else(|_| object.to_owned(), |value| value.to_string());
    }
    sum.tail.retain(|event| matches!(event, ChatEvent::Finished { .. }));
    sum
}

/// One recorded answer in one dialect.
fn goes_through(case: &Case, spoken: &Spoken, answer: &Response, events: &[ChatEvent]) {
    let place = format!("{} in {:?}", case.name, spoken.dialect);
    assert_eq!(answer.status, 200, "{place}: {answer:?}");
    let (read, end) = if case.stream {
        read_stream(spoken.protocol, &answer.body)
    } else {
        read_whole(spoken.protocol, &answer.body)
    };
    if case.stream {
        kept(spoken.dialect, &answer.body).unwrap_or_else(|wrong| panic!("{place}: {wrong}"));
    }
    assert!(end.is_ok(), "{place}: {end:?}: {answer:?}");
    assert_eq!(common(spoken, &read), common(spoken, events), "{place}: {}", answer.body);
}

#[test]
fn what_a_provider_says_is_what_a_client_reads() {
    let cases = fixtures::all();
    // Vertex' dialects are two of the others, behind a credential that is no key.
    let vertex = |protocol: &Protocol| matches!(protocol, Protocol::VertexGemini | Protocol::VertexAnthropic);
    for protocol in BUILT.into_iter().filter(|protocol| !vertex(protocol)) {
        let answers: Vec<_> = cases
            .iter()
            .filter(|case| case.protocol == protocol)
            .filter_map(|case| Some((case, said(case)?)))
            .collect();
        assert!(answers.len() >= 4, "{}: {}", protocol.name(), answers.len());
        let scripts = answers.iter().flat_map(|(case, _)| ALL.iter().map(|_| script(case)));
        let world = World::with(vec![Server::start(scripts.collect())], protocol.name(), |_| {});
        for (case, events) in &answers {
            for spoken in &ALL {
                let (path, body) = asked(spoken, case);
                goes_through(case, spoken, &world.post(path, &body.to_string(), &[]), events);
            }
        }
    }
}
