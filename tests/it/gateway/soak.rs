//! Many streams at once before providers that fail at random: each client gets a whole answer or a failure with a class, and
//! what was counted is what was served. `SOAK=10000` makes them more.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::wire;
use super::{World, hello};

/// Streams, and how many at once.
const STREAMS: usize = 300;
const AT_ONCE: usize = 64;
const PIECES: [&str; 6] = ["Never ", "half ", "an ", "answer ", "for ", "a whole."];

/// What a provider does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Whole,
    Overloaded,
    Limited,
    /// The connection closes before the end of the answer.
    Cut,
    /// An error within the stream.
    Error,
}

impl Deed {
    /// The same for the same number, at a provider: seven of ten are whole.
    fn of(number: usize, provider: usize) -> Self {
        let mixed = (number * 2 + provider + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        match mixed % 20 {
            0..14 => Self::Whole,
            14..16 => Self::Overloaded,
            16 => Self::Limited,
            17..19 => Self::Cut,
            _ => Self::Error,
        }
    }

    /// How an attempt ends that meets it.
    const fn class(self) -> ErrorClass {
        match self {
            Self::Whole => ErrorClass::Ok,
            Self::Overloaded => ErrorClass::Overloaded,
            Self::Limited => ErrorClass::RateLimited,
            Self::Cut | Self::Error => ErrorClass::StreamBroken,
        }
    }

    fn bytes(self) -> String {
        let refused = |status: &str, code: &str| {
            let body = json!({ "error": { "message": "not now", "type": code, "code": code } }).to_string();
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let stream = |events: &[String]| {
            // A chunk is never ended where the answer is not.
            let body = events.concat();
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked";
            format!("{head}\r\n\r\n{:x}\r\n{body}\r\n", body.len())
        };
        let events = wire::openai_events(&PIECES, Some((7, 3)));
        match self {
            Self::Whole => stream(&events) + "0\r\n\r\n",
            Self::Overloaded => refused("503 Service Unavailable", "overloaded"),
            Self::Limited => refused("429 Too Many Requests", "rate_limit_exceeded"),
            Self::Cut => stream(&events[..4]),
            Self::Error => {
                let error = wire::openai_event(&json!({ "error": { "message": "gone", "type": "server_error" } }));
                stream(&[&events[..3], &[error]].concat()) + "0\r\n\r\n"
            }
        }
    }
}

/// A provider that counts what it does.
struct Provider {
    base_url: String,
    done: Arc<Mutex<BTreeMap<Deed, usize>>>,
}

impl Provider {
    fn start(place: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let done = Arc::new(Mutex::new(BTreeMap::new()));
        let counts = Arc::clone(&done);
        // It ends with the test.
        std::thread::spawn(move || {
            for (number, socket) in listener.incoming().map_while(Result::ok).enumerate() {
                let deed = Deed::of(number, place);
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || answer(socket, deed, &counts));
            }
        });
        Self { base_url, done }
    }
}

fn answer(mut socket: TcpStream, deed: Deed, counts: &Mutex<BTreeMap<Deed, usize>>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        // A connection that was made ahead and is not needed asks nothing.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    if reader.read_exact(&mut vec![0; length]).is_err() {
        return;
    }
    *counts.lock().unwrap().entry(deed).or_default() += 1;
    let _ = socket.write_all(deed.bytes().as_bytes());
}

/// What a client got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Got {
    Whole,
    Refused(String),
    Broken(String),
}

/// How many streams: so many, but for whoever says otherwise.
#[expect(clippy::disallowed_methods, reason = "how many is for whoever runs it to say")]
pub(super) fn streams(few: usize) -> usize {
    std::env::var("SOAK").ok().map_or(few, |text| text.parse().unwrap())
}

/// So many streams, never more than so many at once.
pub(super) fn all<T: Send>(streams: usize, one: impl Fn() -> T + Sync) -> Vec<T> {
    let (next, got) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(streams)));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < streams {
                    let one = one();
                    got.lock().unwrap().push(one);
                }
            });
        }
    });
    got.into_inner().unwrap()
}

/// One stream, read to its end, with the id of its decision; what is neither a whole answer, of which it can be told by
/// its text, nor a failure with a class is no answer.
pub(super) fn stream(addr: SocketAddr, body: &Value, whole: impl Fn(&str) -> bool) -> (Got, String) {
    let body = body.to_string();
    let mut socket = TcpStream::connect(addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.0\r\nhost: localhost\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let class = |error: &Value| {
        let class = error["error"]["class"].as_str().unwrap_or_else(|| panic!("no class: {answer}"));
        assert!(error["error"]["fix"].is_string() && !class.starts_with("ok"), "{answer}");
        class.to_owned()
    };
    let id = head.lines().find_map(|line| line.strip_prefix("x-openmux-decision-id: ")).unwrap_or_default().to_owned();
    if !head.contains(" 200 ") {
        return (Got::Refused(class(&serde_json::from_str(body).unwrap())), id);
    }
    let events: Vec<&str> = body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let (last, rest) = events.split_last().unwrap_or_else(|| panic!("nothing was said: {answer}"));
    if *last != "[DONE]" {
        return (Got::Broken(class(&serde_json::from_str(last).unwrap())), id);
    }
    let chunks = rest.iter().map(|event| serde_json::from_str::<Value>(event).unwrap());
    let text: String =
        chunks.filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect();
    assert!(whole(&text), "half an answer that looks whole: {answer}");
    assert!(body.contains("\"finish_reason\":\"stop\""), "{answer}");
    (Got::Whole, id)
}

/// How many got what.
pub(super) fn tally(got: impl IntoIterator<Item = Got>) -> BTreeMap<Got, usize> {
    let mut tally = BTreeMap::new();
    for one in got {
        *tally.entry(one).or_default() += 1;
    }
    tally
}

/// How many attempts at a provider the gateway's own metrics count, of a class.
pub(super) fn counted(metrics: &str, provider: &str, class: ErrorClass) -> usize {
    let start = format!("openmux_attempts_total{{provider=\"{provider}\",class=\"{}\"}} ", class.name());
    metrics.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn nobody_gets_half_an_answer_for_a_whole_one_and_everything_is_counted() {
    let streams = streams(STREAMS);
    let providers = [Provider::start(0), Provider::start(1)];
    let places = providers.iter().map(|provider| (provider.base_url.clone(), "tiny")).collect();
    let world = World::at(places, "openai-chat", |_| {});
    let body = hello(json!({ "stream": true, "num_retries": 0 }));
    let got = tally(all(streams, || stream(world.addr, &body, |text| text == PIECES.concat()).0));
    assert_eq!(got.values().sum::<usize>(), streams, "{got:?}");
    let metrics = world.get("/metrics").body;
    let by_class = |wanted: ErrorClass, at: usize| -> usize {
        let done = providers[at].done.lock().unwrap();
        done.iter().filter(|(deed, _)| deed.class() == wanted).map(|(_, count)| *count).sum()
    };
    let (attempts, log) = world.end();
    for (at, name) in ["alpha", "beta"].into_iter().enumerate() {
        for class in [ErrorClass::Ok, ErrorClass::Overloaded, ErrorClass::RateLimited, ErrorClass::StreamBroken] {
            let kept = attempts.iter().filter(|seen| seen.endpoint.provider.as_str() == name && seen.class == class);
            let served = by_class(class, at);
            assert_eq!(
                (kept.count(), counted(&metrics, name, class)),
                (served, served),
                "{} at {name}: {got:?}",
                class.name()
            );
        }
    }
    let served: usize = providers.iter().map(|provider| provider.done.lock().unwrap().values().sum::<usize>()).sum();
    assert_eq!(attempts.len(), served, "every attempt is kept, and no other");
    let whole = attempts.iter().filter(|seen| seen.class == ErrorClass::Ok);
    assert!(whole.clone().all(|seen| seen.cost.is_some() && seen.usage.is_some()), "each with its cost");
    assert_eq!((got.get(&Got::Whole), log.len()), (Some(&whole.count()), streams + 1), "and a line for each: {got:?}");
}
