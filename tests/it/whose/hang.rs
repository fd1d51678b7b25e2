//! V11: servers that hang, reset, half-close or answer with a page, in every phase: the class, the phase, and that no
//! limit is outlived. Time stands still for the client and jumps to the next limit once the server is where the test wants it.

use std::time::Duration;

use openmux::catalog::Protocol;
use openmux::chat::{ChatEvent, ChatRequest, Message, Role};
use openmux::dispatch::Reach;
use openmux::observe::{ErrorClass, Phase, Source, WireErrorKind};
use openmux::upstream::exchange::{Limit, Limits, Outcome, exchange};
use openmux::upstream::transport::Transport;
use openmux::upstream::{Call, adapter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::support::wire;
use super::{Leads, reach, transport};

const LIMITS: Limits = Limits {
    first_token: Some(Duration::from_secs(20)),
    idle: Some(Duration::from_secs(7)),
    total: Some(Duration::from_secs(300)),
    patience: None,
};

/// What a server does with a connection.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// Nothing: not even TLS is answered.
    Ignore,
    /// Takes the request, and nothing more.
    Listen,
    /// These bytes of an answer, and nothing more.
    Say(&'static str),
    /// These bytes, and then the connection is reset.
    Reset(&'static str),
    /// These bytes, and then the end of the connection.
    Close(&'static str),
    /// These bytes, and then no more are sent, while more are still taken.
    HalfClose(&'static str),
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const ROLE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                    data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const TOKENS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                      data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n\
                      data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\", you\"}}]}\n\n";
const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 5000\r\n\r\n\
                     data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 34\r\n\r\n\
                    <html><title>Welcome</title></html";
const TOOL: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                    data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":\
                    {\"name\":\"look\",\"arguments\":\"{\\\"ci\"}}]}}]}\n\n";

/// What is expected: the class, the phase, the limit that fired, and what failed on the wire.
type Expected = (ErrorClass, Phase, Option<(Limit, u64)>, Option<WireErrorKind>);

#[test]
fn every_phase_has_its_class_and_ends_by_its_limit() {
    use ErrorClass::{Aborted, ProviderFault, ProviderTimeout, StreamBroken, Unreachable};
    let broken = Some(WireErrorKind::Broken);
    let silent = Some(WireErrorKind::ConnectTimeout);
    let rows: [(&str, Deed, Limits, Expected); 16] = [
        ("https", Deed::Ignore, LIMITS, (Unreachable, Phase::Tls, Some((Limit::Connect, 10)), silent)),
        (
            "https",
            Deed::Ignore,
            Limits { first_token: Some(Duration::from_secs(6)), ..LIMITS },
            (Unreachable, Phase::Tls, Some((Limit::FirstToken, 6)), silent),
        ),
        // The user's own limit before the connection was up is nobody's fault.
        (
            "https",
            Deed::Ignore,
            Limits { total: Some(Duration::from_secs(3)), ..LIMITS },
            (Aborted, Phase::Tls, Some((Limit::Total, 3)), None),
        ),
        ("http", Deed::Listen, LIMITS, (ProviderTimeout, Phase::Send, Some((Limit::FirstToken, 20)), None)),
        ("http", Deed::Say(HEAD), LIMITS, (ProviderTimeout, Phase::FirstToken, Some((Limit::FirstToken, 20)), None)),
        ("http", Deed::Say(ROLE), LIMITS, (ProviderTimeout, Phase::FirstToken, Some((Limit::FirstToken, 20)), None)),
        ("http", Deed::Say(TOKENS), LIMITS, (ProviderTimeout, Phase::Stream, Some((Limit::Idle, 7)), None)),
        (
            "http",
            Deed::Say(TOKENS),
            Limits { idle: None, ..LIMITS },
            (ProviderTimeout, Phase::Stream, Some((Limit::Total, 300)), None),
        ),
        ("http", Deed::Reset(""), LIMITS, (ProviderFault, Phase::Send, None, broken)),
        ("http", Deed::Close(HEAD), LIMITS, (ProviderFault, Phase::FirstToken, None, None)),
        ("http", Deed::Close(ROLE), LIMITS, (ProviderFault, Phase::FirstToken, None, None)),
        ("http", Deed::Close(TOKENS), LIMITS, (StreamBroken, Phase::Stream, None, None)),
        ("http", Deed::Close(SIZED), LIMITS, (StreamBroken, Phase::Stream, None, broken)),
        ("http", Deed::HalfClose(TOKENS), LIMITS, (StreamBroken, Phase::Stream, None, None)),
        ("http", Deed::Close(PAGE), LIMITS, (ProviderFault, Phase::Head, None, None)),
        // A tool call that breaks off within its arguments is no tool call.
        ("http", Deed::Close(TOOL), LIMITS, (StreamBroken, Phase::Stream, None, None)),
    ];
    for (scheme, deed, limits, expected) in rows {
        let outcome = played(scheme, deed, limits);
        let fired = outcome.limit.map(|(limit, waited)| (limit, waited.as_secs()));
        assert_eq!((outcome.class, outcome.phase, fired, outcome.wire), expected, "{scheme} {deed:?}: {outcome:?}");
    }
}

#[test]
fn what_the_caller_would_not_wait_for_is_nobodys_failure() {
    let patient = |seconds: u64| Limits { patience: Some(Duration::from_secs(seconds)), ..LIMITS };
    let brief = |seconds: u64| Limits { total: Some(Duration::from_secs(6)), idle: None, ..patient(seconds) };
    let rows = [
        (Deed::Say(HEAD), patient(20), false),
        (Deed::Say(HEAD), patient(21), true),
        (Deed::Say(HEAD), brief(6), false),
        (Deed::Say(HEAD), brief(7), true),
        // What has begun in time, and only is not done.
        (Deed::Say(TOKENS), brief(6), true),
        // It fell silent.
        (Deed::Say(TOKENS), patient(20), false),
    ];
    for (deed, limits, impatient) in rows {
        let outcome = played("http", deed, limits);
        let counted = if impatient { ErrorClass::Aborted } else { ErrorClass::ProviderTimeout };
        let owner = if impatient { "your request" } else { "provider" };
        assert_eq!(outcome.class, ErrorClass::ProviderTimeout);
        assert_eq!(outcome.pace(Source::Chat).counted_class(), counted, "{deed:?} {limits:?}");
        assert_eq!(outcome.owner(), owner, "{deed:?} {limits:?}");
    }
}

#[test]
fn a_reset_after_some_tokens_breaks_the_stream_whatever_of_them_was_read() {
    // A reset may overtake what was sent before it: then no token was shown, and it is a fault that fails over.
    let outcome = played("http", Deed::Reset(TOKENS), LIMITS);
    let expected = if outcome.events > 0 { ErrorClass::StreamBroken } else { ErrorClass::ProviderFault };
    assert_eq!((outcome.class, outcome.wire), (expected, Some(WireErrorKind::Broken)));
}

/// One exchange with a server that does this.
fn played(scheme: &'static str, deed: Deed, limits: Limits) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://a.test:{}/v1", listener.local_addr().unwrap().port());
        let network = transport(&[("a.test", Leads::Here)], None);
        let reach = reach("a", url);
        tokio::select! {
            outcome = exchanged(&reach, &network, limits, matches!(deed, Deed::Say(_))) => outcome,
            () = serve(&listener, deed) => unreachable!("a server never ends first"),
        }
    })
}

async fn exchanged(reach: &Reach, network: &Transport, limits: Limits, hangs: bool) -> Outcome {
    let (endpoint, provider, base_url) = (&reach.endpoint, &reach.provider, reach.base_url.as_str());
    let request = ChatRequest::new(endpoint.model.clone(), vec![Message::text(Role::User, "hi")]);
    let call = Call { endpoint, provider, base_url, request: &request };
    let adapter = adapter(Protocol::OpenaiChat).unwrap();
    let encoded = adapter.encode(&call).unwrap();
    let (_stop, cancel) = tokio::sync::watch::channel(false);
    let mut tokens = 0;
    let mut sink = |event: ChatEvent| {
        tokens += u32::from(event.bears_tokens());
        // All that ever comes has come: from here on time may jump to the limit.
        if hangs && tokens == 2 {
            tokio::time::pause();
        }
        true
    };
    exchange(network, adapter, &call, encoded, limits, cancel, &mut sink).await
}

/// Serves one connection in the client's own runtime, and stops the clock once the rest is waiting. It never returns.
async fn serve(listener: &TcpListener, deed: Deed) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let said = match deed {
        Deed::Ignore => {
            // The client has begun its handshake.
            socket.readable().await.unwrap();
            tokio::time::pause();
            return std::future::pending().await;
        }
        Deed::Listen => "",
        Deed::Say(said) | Deed::Reset(said) | Deed::Close(said) | Deed::HalfClose(said) => said,
    };
    request(&mut socket).await;
    socket.write_all(said.as_bytes()).await.unwrap();
    match deed {
        Deed::Reset(_) => socket.set_zero_linger().unwrap(),
        Deed::HalfClose(_) => {
            socket.shutdown().await.unwrap();
            return std::future::pending().await;
        }
        Deed::Say(TOKENS) => return std::future::pending().await,
        // What was written lies in the client's buffer, which is read before any time passes.
        Deed::Say(_) | Deed::Listen => {
            tokio::task::yield_now().await;
            tokio::time::pause();
            return std::future::pending().await;
        }
        _ => {}
    }
    drop(socket);
    std::future::pending().await
}

/// Reads one request, head and body.
async fn request(socket: &mut TcpStream) {
    let mut seen = Vec::new();
    let head = loop {
        assert!(socket.read_buf(&mut seen).await.unwrap() > 0, "a request");
        if let Some(end) = seen.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length: usize = length.parse().unwrap();
    while seen.len() < head + length {
        assert!(socket.read_buf(&mut seen).await.unwrap() > 0, "a body");
    }
}

/// The bytes above are what the adapters know.
#[test]
fn the_pieces_are_an_answer_where_nothing_breaks_it() {
    let events = wire::openai_events(&["Hello", ", you"], None).concat();
    let whole: &'static str = Box::leak(format!("{HEAD}{events}").into_boxed_str());
    let outcome = played("http", Deed::Close(whole), Limits::default());
    assert_eq!((outcome.class, outcome.phase, outcome.events), (ErrorClass::Ok, Phase::Done, 2));
}
