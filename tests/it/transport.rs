//! The HTTP client on the wire: what a kept connection that was closed does, and what is timed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use openmux::upstream::transport::{Transport, TransportConfig, WireErrorKind};

/// Reads one request of `body` bytes.
fn read(stream: &mut TcpStream, body: usize) -> String {
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

fn answer(stream: &mut TcpStream) {
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
        assert!(incoming.dns.is_some_and(|dns| dns <= up - began), "{:?}", incoming.dns);
    });
    server.join().unwrap();
}
