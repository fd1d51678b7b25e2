//! Whatever a source does, the catalog that is in use stays whole and in use.

use std::time::Duration;

use super::super::super::support::command::{Home, Output};
use super::super::super::support::server::{Script, Server, Step, closed_port};
use super::{held, list, page, price_of, update, updated};

/// What it says when its only source answers with this; what was there is there after it.
pub(super) fn survives(home: &Home, script: Script, args: &[&str]) -> Output {
    let before = held(home);
    let server = Server::start(vec![script]);
    let output = update(home, &server, args).run();
    assert_ne!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(held(home), before, "the file is as it was");
    output
}

pub(super) fn pages(outputs: Vec<Output>) -> String {
    let told = outputs.iter().map(|output| page(output).replace("--- stdout\n\n--- stderr\n", ""));
    told.collect::<Vec<_>>().join("\n")
}

/// A gzip stream of some hundred kilobytes that unpacks to more than 64 MB: one byte, repeated 258 times a match.
fn bomb() -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u32, 0);
    let mut put = |code: u32, length: u32| {
        // Codes of Huffman's go in by their highest bit first.
        for at in (0..length).rev() {
            bits |= (code >> at & 1) << count;
            count += 1;
            if count == 8 {
                out.push(u8::try_from(bits).unwrap());
                (bits, count) = (0, 0);
            }
        }
    };
    put(0b1, 1);
    put(0b10, 2);
    put(0b0011_0000 + u32::from(b' '), 8);
    for _ in 0..270_000 {
        put(0b1100_0101, 8);
        put(0, 5);
    }
    out
}

#[test]
fn bytes_that_are_no_list_change_nothing() {
    let (home, _server) = updated();
    let known = price_of(&home, "anthropic/claude-sonnet-5");
    let whole = list().to_string();
    let half = whole.as_bytes()[..whole.len() / 2].to_vec();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", whole.len());
    let megabyte = Step::bytes(vec![b' '; 1 << 20]);
    let json = "application/json";
    let outputs = vec![
        survives(&home, Script::raw(vec![Step::bytes(head), Step::bytes(half.clone()), Step::Close]), &[]),
        survives(&home, Script::stream_of(json, vec![Step::bytes(half.clone()), Step::Close]), &[]),
        survives(&home, Script::body(200, json, half), &[]),
        survives(&home, Script::body(200, "text/html", "<html>Log in</html>"), &[]),
        survives(&home, Script::body(200, json, "\n<!doctype html>"), &[]),
        survives(&home, Script::body(200, "image/png", "x"), &[]),
        survives(&home, Script::body(200, json, ""), &[]),
        survives(&home, Script::body(200, json, "{}"), &[]),
        survives(&home, Script::body(200, json, "[]"), &[]),
        survives(&home, Script::body(200, json, "{\"data\":[{\"id\":\"gpt-5\"}]}"), &[]),
        survives(&home, Script::body(200, json, "{\"a\":{\"models\":{}}}"), &[]),
        survives(&home, Script::raw(vec![Step::bytes("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")]), &[]),
        survives(&home, Script::stream_of(json, vec![megabyte; 65]), &[]),
        survives(&home, Script::body(200, json, bomb()).header("content-encoding", "gzip"), &[]),
        survives(&home, Script::body(200, json, &bomb()[..99]).header("content-encoding", "gzip"), &[]),
    ];
    insta::assert_snapshot!(pages(outputs), @r"
    exit: 8
    error: http://127.0.0.1:PORT/api.json broke off after 9513 bytes
      reason  end of file before message length reached
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 8
    error: http://127.0.0.1:PORT/api.json broke off after 9513 bytes
      reason  unexpected EOF during chunk size line
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 8
    error: http://127.0.0.1:PORT/api.json broke off after 9513 bytes
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 8
    error: http://127.0.0.1:PORT/api.json answered with text/html, not with a list
      in use  the catalog of TODAY stays (an update)
      fix:    a network that wants a log-in answers like this; else give another
              address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json gave a page, not a list
      in use  the catalog of TODAY stays (an update)
      fix:    a network that wants a log-in answers like this; else give another
              address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json answered with image/png, not with a list
      in use  the catalog of TODAY stays (an update)
      fix:    a network that wants a log-in answers like this; else give another
              address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json gave nothing
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it lists no model
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it is not a list of providers with their models, in the form of
              models.dev
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it is not a list of providers with their models, in the form of
              models.dev
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it lists no model
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

    exit: 8
    error: http://127.0.0.1:PORT/api.json is larger than 64 MB
      in use  the catalog of TODAY stays (an update)
      fix:    no list is that large: another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json is larger than 64 MB
      in use  the catalog of TODAY stays (an update)
      fix:    no list is that large: another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json is larger than 64 MB
      in use  the catalog of TODAY stays (an update)
      fix:    no list is that large: another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json broke off after 13675 bytes
      reason  unexpected end of file
      in use  the catalog of TODAY stays (an update)
      fix:    try again
    ");
    assert_eq!(price_of(&home, "anthropic/claude-sonnet-5"), known);
}

#[test]
fn a_server_that_fails_changes_nothing() {
    let (home, _server) = updated();
    let body = |status| Script::body(status, "text/plain", "no");
    let mut outputs: Vec<Output> =
        [401, 404, 429, 500, 503, 304].into_iter().map(|status| survives(&home, body(status), &[])).collect();
    for to in
        ["https://elsewhere.example/a;$(id)&b?sig=1", "/v2/api.json", "file:///etc/passwd", "http://u:p@e.example/"]
    {
        outputs.push(survives(&home, body(302).header("location", to), &[]));
    }
    outputs.push(survives(&home, Script::raw(vec![Step::Reset]), &[]));
    outputs.push(survives(
        &home,
        Script::stream_of("application/json", vec![Step::HangForever]),
        &["--timeout", "300ms"],
    ));
    outputs.push(survives(&home, Script::raw(vec![Step::HangForever]), &["--timeout", "300ms"]));
    let nobody = format!("http://127.0.0.1:{}/api.json", closed_port());
    outputs.push(home.openmux(["catalog", "update", "--from", &nobody]).timeout(Duration::from_secs(30)).run());
    insta::assert_snapshot!(pages(outputs), @r"
    exit: 4
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  401
      in use  the catalog of TODAY stays (an update)
      fix:    another address: --from URL

    exit: 3
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  404
      in use  the catalog of TODAY stays (an update)
      fix:    another address: --from URL

    exit: 7
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  429
      in use  the catalog of TODAY stays (an update)
      fix:    try again later, or another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  500
      in use  the catalog of TODAY stays (an update)
      fix:    try again later, or another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  503
      in use  the catalog of TODAY stays (an update)
      fix:    try again later, or another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json cannot be fetched
      status  304
      in use  the catalog of TODAY stays (an update)
      fix:    try again later, or another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      to      https://elsewhere.example/a;$(id)&b
      in use  the catalog of TODAY stays (an update)
      fix:    if you trust it: openmux catalog update --from
              'https://elsewhere.example/a;$(id)&b'

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      to      http://127.0.0.1:PORT/v2/api.json
      in use  the catalog of TODAY stays (an update)
      fix:    if you trust it: openmux catalog update --from
              'http://127.0.0.1:PORT/v2/api.json'

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      in use  the catalog of TODAY stays (an update)
      fix:    another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      in use  the catalog of TODAY stays (an update)
      fix:    another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json cannot be reached
      reason  Connection reset by peer
      in use  the catalog of TODAY stays (an update)
      fix:    try again with a network, or openmux catalog update --from FILE

    exit: 9
    error: http://127.0.0.1:PORT/api.json was not fetched within TIME
      in use  the catalog of TODAY stays (an update)
      fix:    openmux catalog update --timeout 5m

    exit: 9
    error: http://127.0.0.1:PORT/api.json was not fetched within TIME
      in use  the catalog of TODAY stays (an update)
      fix:    openmux catalog update --timeout 5m

    exit: 8
    error: http://127.0.0.1:PORT/api.json cannot be reached
      reason  Connection refused
      in use  the catalog of TODAY stays (an update)
      fix:    try again with a network, or openmux catalog update --from FILE
    ");
}
