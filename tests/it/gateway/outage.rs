//! Many streams at once through `openmux serve --sandbox=outage`, of which two providers fail at random: what the clients got,
//! what the gateway counted, what its store and its log hold, and what the sandbox served, agree. `SOAK=10000` makes it more.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::command::Home;
use super::ask;
use super::command::serve;
use super::soak::{Got, all, counted, stream, streams, tally};

/// Streams, where nobody says otherwise.
const STREAMS: usize = 256;
/// The two that fail, and one that does not.
const PROVIDERS: [&str; 3] = ["anthropic", "google-vertex", "amazon-bedrock"];
/// What each of them serves, and how an attempt ends that meets it.
const SERVED: [(&str, ErrorClass); 5] = [
    ("whole", ErrorClass::Ok),
    ("overloaded", ErrorClass::Overloaded),
    ("rate-limit", ErrorClass::RateLimited),
    ("close-mid-stream", ErrorClass::StreamBroken),
    ("stall-mid-stream", ErrorClass::StreamBroken),
];

/// Attempts by provider and class.
type Attempts = BTreeMap<(String, String), usize>;

#[test]
#[expect(clippy::print_stdout, reason = "the figures, for whoever asked for more")]
fn clients_gateway_store_log_and_sandbox_agree() {
    let streams = streams(STREAMS);
    let home = Home::new();
    let mut served = serve(&home, "--sandbox=outage", &[]);
    let told = served.running.line("tells at");
    let sandbox: SocketAddr = told.split(['/', ' ']).find_map(|word| word.parse().ok()).unwrap();
    let body = json!({
        "model": "anthropic/claude-sonnet-5", "messages": [{ "role": "user", "content": "Hello!" }], "stream": true,
        // Those that fail go first, however often they do.
        "provider": { "only": PROVIDERS, "order": PROVIDERS },
    });
    // An answer of this sandbox has sixty words.
    let whole = |text: &str| text.split_whitespace().count() == 60 && text.starts_with("[sandbox] ");
    let got = all(streams, || {
        let (got, id) = stream(served.addr, &body, whole);
        (got, kept(served.addr, &id))
    });
    let served_now = ask(sandbox, "GET", "/", b"", &[]).json();
    let metrics = ask(served.addr, "GET", "/metrics", b"", &[]).body;
    served.running.signal("TERM");
    let log = served.running.wait().stderr;

    // The store holds each stream as its client saw it.
    let mut attempts = Attempts::new();
    for (got, kept) in &got {
        let made = kept["provider_responses"].as_array().unwrap();
        for one in made {
            let word = |key: &str| one[key].as_str().unwrap().to_owned();
            *attempts.entry((word("provider_name"), word("class"))).or_default() += 1;
        }
        let class = kept["class"].as_str().unwrap();
        match got {
            Got::Whole => assert!(class == "ok" && kept["total_cost"].is_number(), "{told}: {kept}"),
            Got::Refused(said) | Got::Broken(said) => assert_eq!(said, class, "{told}: {kept}"),
        }
    }
    let got = tally(got.into_iter().map(|(got, _)| got));
    let summary = format!("{told}\n{got:?}\n{served_now}");
    println!("{summary}");
    // The sandbox served what was counted, and nothing else.
    let count = |provider: &str, what: &str| -> usize {
        served_now["served"][provider][what].as_u64().map_or(0, |count| count.try_into().unwrap())
    };
    assert_eq!(served_now["under_way"], 0, "{summary}");
    for provider in PROVIDERS {
        for class in [ErrorClass::Ok, ErrorClass::Overloaded, ErrorClass::RateLimited, ErrorClass::StreamBroken] {
            let served: usize =
                SERVED.iter().filter(|(_, of)| *of == class).map(|(what, _)| count(provider, what)).sum();
            let stored = attempts.remove(&(provider.to_owned(), class.name().to_owned())).unwrap_or(0);
            assert_eq!(
                (counted(&metrics, provider, class), stored),
                (served, served),
                "{class:?} {provider}: {summary}"
            );
        }
        let known = |(what, count): (&String, &Value)| SERVED.iter().any(|(known, _)| known == what) || *count == 0;
        assert!(served_now["served"][provider].as_object().unwrap().iter().all(known), "{summary}");
    }
    assert!(attempts.is_empty(), "of nobody else, and in no other way: {attempts:?}");
    assert_eq!(served_now["served"].as_object().unwrap().len(), PROVIDERS.len(), "{summary}");
    let faults = |provider: &str| SERVED[1..].iter().map(|(what, _)| count(provider, what)).sum::<usize>();
    assert!(faults("anthropic") > 0 && faults("google-vertex") > 0, "two fail: {summary}");
    // A line for each stream, which says how it ended.
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let chats: Vec<&Value> = lines.iter().filter(|line| line["decision_id"].is_string()).collect();
    let well = chats.iter().filter(|line| line["class"] == "ok").count();
    assert_eq!((chats.len(), Some(&well)), (streams, got.get(&Got::Whole)), "{summary}");
}

/// What the store holds of a stream.
fn kept(addr: SocketAddr, id: &str) -> Value {
    let answer = ask(addr, "GET", &format!("/v1/generation/{id}"), b"", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}
