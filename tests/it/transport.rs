//! The HTTP client on the wire: what a kept connection that was closed does, and what is timed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Instant;

use bytes::Bytes;
use openmux::observe::Phase;
use openmux::upstream::transport::{Noted, Transport, TransportConfig, WireErrorKind};

use crate::support::tls;

/// Reads one request of `body` bytes.
fn read(stream: &mut impl Read, body: usize) -> String {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap() == 0 {
            return String::new();
        }
        seen.extend(byte);
    }
    let mut rest = vec![0; body];
    stream.read_exact(&mut rest).unwrap();
    String::from_utf8(rest).unwrap()
}

fn answer(stream: &mut impl Write) {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
}

async fn send(transport: &Transport, url: &str, body: &str) -> Result<(Vec<u8>, bool), WireErrorKind> {
    let request = http::Request::post(url).body(Bytes::from(body.to_owned())).unwrap();
    let mut incoming = transport.send(request).await.map_err(|error| error.kind)?;
    let mut whole = Vec::new();
    while let Some(chunk) = incoming.chunk().await.map_err(|error| error.kind)? {
        whole.extend(chunk);
    }
    Ok((whole, incoming.connected.is_some()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_kept_connection_that_was_closed_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        let mut seen = vec![read(&mut first, 3)];
        answer(&mut first);
        // The promise is broken: the second request is read and never answered.
        seen.push(read(&mut first, 3));
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        seen.push(read(&mut second, 3));
        answer(&mut second);
        seen
    });
    let transport = Transport::new(&TransportConfig::default()).unwrap();
    runtime().block_on(async {
        assert_eq!(send(&transport, &url, "one").await, Ok((b"ok".to_vec(), true)));
        assert_eq!(send(&transport, &url, "two").await, Ok((b"ok".to_vec(), true)), "on a connection of its own");
    });
    assert_eq!(server.join().unwrap(), ["one", "two", "two"]);
}

#[test]
fn a_fresh_connection_that_is_closed_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut only, _) = listener.accept().unwrap();
        let seen = read(&mut only, 3);
        drop(only);
        // Whoever else knocked would be seen here.
        listener.set_nonblocking(true).unwrap();
        (seen, listener)
    });
    let transport = Transport::new(&TransportConfig::default()).unwrap();
    runtime().block_on(async {
        assert_eq!(send(&transport, &url, "one").await, Err(WireErrorKind::Broken));
    });
    let (seen, listener) = server.join().unwrap();
    assert_eq!(seen, "one");
    assert!(listener.accept().is_err(), "it was sent twice");
}

#[test]
fn looking_a_name_up_is_timed_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read(&mut stream, 3);
        answer(&mut stream);
    });
    let transport = Transport::new(&TransportConfig::default()).unwrap();
    runtime().block_on(async {
        let request = http::Request::post(format!("http://localhost:{port}/")).body(Bytes::from("one")).unwrap();
        let incoming = transport.send(request).await.unwrap();
        let (began, up) = incoming.connected.unwrap();
        let (dns, tcp) = (incoming.stamps.dns().unwrap(), incoming.stamps.tcp().unwrap());
        assert!(dns + tcp <= up - began, "{:?}", incoming.stamps);
        assert_eq!(incoming.stamps.tls(), None);
    });
    server.join().unwrap();
}

/// A client that trusts the test's certificate.
fn trusting() -> Transport {
    let extra_roots = Some(tls::CERTIFICATE.as_bytes().to_vec());
    Transport::new(&TransportConfig { extra_roots, ..TransportConfig::default() }).unwrap()
}

#[test]
fn the_handshake_is_timed_apart_from_the_connection_under_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        #[expect(clippy::disallowed_methods, reason = "the server's own stamp, to hold the client's against")]
        let hello = {
            tls::wait_hello(&stream);
            Instant::now()
        };
        let mut secured = tls::accepted(stream);
        read(&mut secured, 3);
        answer(&mut secured);
        hello
    });
    let stamps = runtime().block_on(async {
        let request = http::Request::post(url).body(Bytes::from("one")).unwrap();
        trusting().send(request).await.unwrap().stamps
    });
    let hello = server.join().unwrap();
    let (secured, up) = (stamps.secured.unwrap().into_std(), stamps.up.unwrap().into_std());
    assert!(secured < hello && hello < up, "TLS begins before its first byte arrives and ends after it: {stamps:?}");
    let parts = stamps.dns().unwrap() + stamps.tcp().unwrap() + stamps.tls().unwrap();
    assert!(parts <= stamps.up.unwrap() - stamps.began.unwrap(), "{stamps:?}");
}

#[test]
fn how_far_a_connection_came_is_known_where_it_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        tls::wait_hello(&stream);
        drop(stream);
        listener
    });
    let transport = trusting();
    let phase = |url: String| {
        let noted = Noted::default();
        let request = http::Request::post(url).body(Bytes::from("one")).unwrap();
        let sent = runtime().block_on(transport.send_noting(request, &noted));
        (sent.unwrap_err().kind, noted.stamps().phase())
    };
    assert_eq!(phase(url.clone()), (WireErrorKind::Connect, Phase::Tls));
    drop(server.join().unwrap());
    assert_eq!(phase(url), (WireErrorKind::Refused, Phase::Tcp));
    assert_eq!(phase("http://name.invalid/".to_owned()), (WireErrorKind::Dns, Phase::Dns));
}
