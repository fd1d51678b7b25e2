//! Whatever a source does, the catalog that is in use stays whole and in use.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::support::command::{Home, Output};
use super::super::super::support::server::{Script, Server, Step, closed_port};
use super::{answer, current, held, list, page, price_of, update, updated};

/// What it says when its only source answers with this; what was there is there after it.
fn survives(home: &Home, script: Script, args: &[&str]) -> Output {
    let before = held(home);
    let server = Server::start(vec![script]);
    let output = update(home, &server, args).run();
    assert_ne!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(held(home), before, "the file is as it was");
    output
}

fn pages(outputs: Vec<Output>) -> String {
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
    let half = whole[..whole.len() / 2].as_bytes().to_vec();
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

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it is not JSON: EOF while parsing an object at line 1 column 9513
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

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

    exit: 5
    error: http://127.0.0.1:PORT/api.json is no catalog
      reason  it is not JSON: EOF while parsing a value at line 1 column 0
      in use  the catalog of TODAY stays (an update)
      fix:    another source: --from URL|FILE

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
        ["https://elsewhere.example/api.json?sig=1", "/v2/api.json", "file:///etc/passwd", "http://u:p@e.example/"]
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
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  304
      in use  the catalog of TODAY stays (an update)
      fix:    another address: --from URL

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      to      https://elsewhere.example/api.json
      in use  the catalog of TODAY stays (an update)
      fix:    openmux catalog update --from https://elsewhere.example/api.json, if
              you trust it

    exit: 8
    error: http://127.0.0.1:PORT/api.json has moved; redirects are not followed
      status  302
      to      http://127.0.0.1:PORT/v2/api.json
      in use  the catalog of TODAY stays (an update)
      fix:    openmux catalog update --from http://127.0.0.1:PORT/v2/api.json, if
              you trust it

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

#[test]
fn a_list_that_looks_broken_is_refused_as_a_whole_until_it_is_allowed() {
    let (home, _server) = updated();
    let entries = |list: &mut Value, change: &dyn Fn(usize, &str, &mut Value)| {
        for provider in ["anthropic", "groq", "openai"] {
            for (at, (id, entry)) in list[provider]["models"].as_object_mut().unwrap().iter_mut().enumerate() {
                change(at, id, entry);
            }
        }
    };
    let times = |entry: &mut Value, factor: u32| {
        for side in ["input", "output"] {
            let price = entry["cost"][side].to_string();
            entry["cost"][side] = format!("{price}e{factor}").parse::<serde_json::Number>().unwrap().into();
        }
    };
    let mut thousandfold = list();
    entries(&mut thousandfold, &|_, _, entry| times(entry, 3));
    let mut tenfold = list();
    entries(&mut tenfold, &|_, _, entry| times(entry, 1));
    let mut negative = list();
    entries(&mut negative, &|at, _, entry| {
        if at % 5 == 0 {
            entry["cost"]["input"] = json!(-1);
        }
    });
    let mut unpriced = list();
    entries(&mut unpriced, &|_, _, entry| entry["cost"] = json!({"in": 1, "out": 2}));
    let outputs = vec![
        survives(&home, answer(&thousandfold), &[]),
        survives(&home, answer(&tenfold), &[]),
        survives(&home, answer(&negative), &[]),
        survives(&home, answer(&unpriced), &[]),
        survives(&home, answer(&tenfold), &["--allow", "fewer,schema"]),
    ];
    insta::assert_snapshot!(pages(outputs), @r#"
    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices   80 of 80 prices moved more than fourfold
               anthropic:claude-3-haiku-20240307 0.25/1.25 -> 250/1250
               anthropic:claude-haiku-4-5 1/5 -> 1000/5000
               anthropic:claude-haiku-5-5 0.1/0.5 -> 100/500
      entries  67 of 149 entries cannot be meant
               anthropic:claude-3-sonnet-20240229 cost.output is absurd: $15e+3 per
               1M tokens
               anthropic:claude-3-5-sonnet-20240620 cost.output is absurd: $15e+3
               per 1M tokens
               anthropic:claude-3-5-sonnet-20241022 cost.output is absurd: $15e+3
               per 1M tokens
      in use   the catalog of TODAY stays (an update)
      fix:     look at it; if it is right: openmux catalog update --allow
               prices,entries

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices  146 of 146 prices moved more than fourfold
              anthropic:claude-3-haiku-20240307 0.25/1.25 -> 2.5/12.5
              anthropic:claude-3-sonnet-20240229 3/15 -> 30/150
              anthropic:claude-3-5-sonnet-20240620 3/15 -> 30/150
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow prices

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      entries  31 of 149 entries cannot be meant
               anthropic:claude-3-haiku-20240307 cost.input: "-1" is negative
               anthropic:claude-fable-5 cost.input: "-1" is negative
               anthropic:claude-mythos-5 cost.input: "-1" is negative
      in use   the catalog of TODAY stays (an update)
      fix:     look at it; if it is right: openmux catalog update --allow entries

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      schema  nothing in it has a price
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow schema

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices  146 of 146 prices moved more than fourfold
              anthropic:claude-3-haiku-20240307 0.25/1.25 -> 2.5/12.5
              anthropic:claude-3-sonnet-20240229 3/15 -> 30/150
              anthropic:claude-3-5-sonnet-20240620 3/15 -> 30/150
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow prices
    "#);
    let server = Server::start(vec![answer(&tenfold)]);
    let allowed = update(&home, &server, &["--allow", "prices"]).run();
    assert_eq!(allowed.code, Some(0), "{}", allowed.snapshot());
    assert_eq!(price_of(&home, "openai/gpt-5").split('\t').nth(1), Some("12.5"));
}

#[test]
fn a_source_is_compared_with_itself() {
    let home = Home::new();
    let mut few = list();
    few["openai"]["models"].as_object_mut().unwrap().retain(|id, _| id.starts_with("gpt-5"));
    let mut gone = list();
    gone.as_object_mut().unwrap().remove("anthropic");
    let scripts = vec![answer(&list()), answer(&few), answer(&gone)];
    let server = Server::start(scripts);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let refused = [update(&home, &server, &[]).run(), update(&home, &server, &[]).run()];
    insta::assert_snapshot!(pages(refused.to_vec()), @r"
    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      fewer   it lists 66 offers, and listed 149 the last time
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow fewer

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      vanished  1 of the model makers and clouds that it had are not in it
                anthropic
      in use    the catalog of TODAY stays (an update)
      fix:      look at it; if it is right: openmux catalog update --allow vanished
    ");
    // Another source never had more.
    let other = Server::start(vec![answer(&few)]);
    assert_eq!(update(&home, &other, &[]).run().code, Some(0));
}

#[test]
fn entries_that_cannot_be_meant_are_left_out_and_named() {
    let home = Home::new();
    let mut hostile = list();
    let models = hostile["openai"]["models"].as_object_mut().unwrap();
    for id in ["../../etc/passwd", "a%2Fb", "\u{1b}[31m\tred", &"x".repeat(5000)] {
        models.insert(id.to_owned(), json!({"id": id, "cost": {"input": 1, "output": 1}}));
    }
    models.insert("gpt-other".to_owned(), json!({"id": "gpt-5"}));
    hostile["../evil"] = json!({"id": "../evil", "models": {"a": {}}});
    let twice = hostile.to_string().replacen(
        "\"gpt-5\":{",
        "\"gpt-5\":{\"cost\":{\"input\":0.1,\"output\":0.1}},\"gpt-5\":{",
        1,
    );
    let server = Server::start(vec![Script::body(200, "application/json", twice)]);
    let output = update(&home, &server, &["-v"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    insta::assert_snapshot!(output.stderr, @"");
    for id in ["passwd", "2fb", "31m", "xxxx", "evil"] {
        assert_eq!(
            home.openmux(["models", "list", id, "--all", "-o", "json"]).run().stdout.matches(id).count(),
            0,
            "{id}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_used_is_said_once_and_passed_over() {
    let (home, _server) = updated();
    let good = String::from_utf8(held(&home).unwrap()).unwrap();
    let embedded = Home::new();
    let known = price_of(&embedded, "anthropic/claude-sonnet-5");
    let broken = [
        good[..good.len() / 2].to_owned(),
        good.replacen("claude", "claudf", 1),
        good.replacen("openmux-catalog 1", "openmux-catalog 99", 1),
        "{\"anthropic\":{}}".to_owned(),
        String::new(),
    ];
    let mut said = Vec::new();
    for text in broken {
        home.write("cache/catalog.txt", &text);
        let output = home
            .openmux([
                "models",
                "list",
                "anthropic/claude-sonnet-5",
                "--fields",
                "id,input,output,context",
                "--limit",
                "1",
            ])
            .run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), known.as_str()), "{}", output.snapshot());
        assert_eq!(output.stderr.matches("warning").count(), 1);
        let answered = home.openmux(["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"]).run();
        assert_eq!(answered.code, Some(0), "{}", answered.snapshot());
        said.push(page(&output));
    }
    said.push(page(&home.openmux(["catalog", "status"]).run()));
    insta::assert_snapshot!(said.join("\n"), @r"
    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is cut off; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is damaged; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it was written by another version of openmux; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update

    exit: 0
    --- stdout
    In use       2026-11-24, 6 days old: the one in the program
    Update       cannot be used: it is not one of openmux's; fix: openmux catalog
                 update
    Before it    the one in the program
    In program   2026-11-24: 290 providers, 2,985 models, 13,109 offers
    Overlays     none
    File         $TMP/cache/catalog.txt

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update
    ");
    let server = Server::start(vec![answer(&list())]);
    let output = update(&home, &server, &[]).run();
    assert_eq!(output.code, Some(0), "what cannot be used is no hindrance: {}", output.snapshot());
    std::fs::remove_file(current(&home)).unwrap();
    std::fs::create_dir(current(&home)).unwrap();
    assert_eq!(home.openmux(["models", "show", "claude-sonnet-5"]).run().code, Some(0));
}

#[test]
fn what_cannot_be_written_is_told() {
    let home = Home::new();
    home.write("plain", "");
    let server = Server::start(Vec::new());
    let output = update(&home, &server, &[]).env("OPENMUX_CACHE_DIR", home.path().join("plain/cache")).run();
    insta::assert_snapshot!(page(&output), @r"
    exit: 5
    --- stdout

    --- stderr
    warning: $TMP/plain/cache/catalog.txt is not used: Not a directory; fix: openmux catalog update
    error: cannot write in $TMP/plain/cache
      reason  Not a directory
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    make it writable, or set OPENMUX_CACHE_DIR
    ");
    let shown =
        home.openmux(["models", "list", "claude-sonnet-5"]).env("OPENMUX_CACHE_DIR", home.path().join("plain/cache"));
    assert_eq!(shown.run().code, Some(0));
}
