//! Files that go along: by name, by address, through stdin; and what does not go along.

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::support::command::{Output, Stdin};
use super::super::support::server::{Script, Server};
use super::{World, answer};

/// A PNG of one pixel.
const PNG: [u8; 67] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8,
    6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0a, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0, 1, 0, 0, 5, 0, 1,
    0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

fn world() -> World {
    World::of(vec![answer(Protocol::OpenaiChat)])
}

/// All text of the last message that reached the server, in whatever pieces it went.
fn said(world: &World) -> String {
    let body = world.servers[0].requests().last().expect("a request").json();
    match body["messages"].as_array().unwrap().last().unwrap()["content"].clone() {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        text => text.as_str().unwrap().to_owned(),
    }
}

fn bytes(world: &World, name: &str, bytes: &[u8]) {
    let path = world.home.write(name, "");
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), bytes).unwrap();
}

/// A run that must not reach the model's server.
fn refused(set: impl FnOnce(&World) -> Output) -> Output {
    let world = World::of(Vec::new());
    let output = set(&world);
    assert_eq!(world.hits(), [0]);
    output
}

#[test]
fn a_text_goes_along_with_its_name_before_the_prompt() {
    let world = world();
    world.home.write("notes/a.md", "# A\n");
    let output = world.chat(["-a", "notes/a.md"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(said(&world), "<file name=\"a.md\">\n# A\n</file>\nhi");
}

#[test]
fn stdin_is_attached_and_is_not_the_prompt() {
    let world = world();
    let output = world.chat(["-a", "-"]).stdin(Stdin::Bytes(b"from a pipe".to_vec())).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(said(&world), "<file name=\"stdin\">\nfrom a pipe\n</file>\nhi");
}

#[test]
fn an_attachment_alone_is_a_prompt() {
    let world = world();
    world.home.write("question.txt", "Why?");
    let output = world.openmux(["chat", "-m", "acme/tiny", "-a", "question.txt"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(said(&world), "<file name=\"question.txt\">\nWhy?\n</file>\n");
}

#[test]
fn an_address_is_fetched_without_a_key_and_over_redirects() {
    let world = world();
    let files = Server::start(vec![
        Script::body(302, "text/plain", "").header("location", "../b/there.csv?sig=s"),
        Script::body(200, "application/octet-stream", "a;b\n1;2\n"),
    ]);
    let url = format!("{}/a/here", files.base_url());
    let output = world.chat(["-a", &url]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(said(&world), "<file name=\"there.csv\">\na;b\n1;2\n</file>\nhi");
    for request in files.requests() {
        assert_eq!(request.method, "GET");
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(request.header(name), None);
        }
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("openmux/")));
    }
}

#[test]
fn an_image_weighs_what_images_weigh() {
    let weigh = |more: &[&str]| {
        let world = World::of(Vec::new());
        bytes(&world, "a.txt", &PNG);
        let args = ["route", "explain", "-m", "acme/tiny", "-o", "json", "hi"];
        let output = world.openmux(args.into_iter().chain(more.iter().copied())).run();
        let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
        document["request"]["input_tokens"].as_u64().unwrap()
    };
    assert_eq!(weigh(&["-a", "a.txt"]) - weigh(&[]), 1_600, "it is told by its bytes, not by its name");
    assert_eq!(weigh(&["-a", "a.txt", "-a", "a.txt"]) - weigh(&[]), 3_200);
}

#[test]
fn what_cannot_go_along_is_said_before_anything_is_sent() {
    let zip = refused(|world| {
        bytes(world, "x.png", b"PK\x03\x04\x14\0\0\0\xff\xff");
        world.chat(["-a", "x.png"]).run()
    });
    insta::assert_snapshot!(zip.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: x.png cannot go along: it is application/zip
      can   PNG, JPEG, GIF and WebP images, PDF documents, UTF-8 text
      fix:  convert it to one of these
    ");
    let folder = refused(|world| world.chat(["-a", "config"]).run());
    insta::assert_snapshot!(folder.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: config is a folder, not a file
      fix:  give the path of a file in it
    ");
    let missing = refused(|world| world.chat(["-a", "none.png"]).run());
    insta::assert_snapshot!(missing.snapshot(), @r"
    exit: 3
    --- stdout

    --- stderr
    error: cannot read none.png
      reason  No such file or directory
      fix:    give the path of a file that is there
    ");
    let empty = refused(|world| world.chat(["-a", "-"]).run());
    insta::assert_snapshot!(empty.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: stdin is empty: there is nothing to attach
      fix:  attach a file with something in it, or leave out -a
    ");
    let twice = refused(|world| world.chat(["-a", "-", "-"]).run());
    insta::assert_snapshot!(twice.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: stdin can be one thing: the prompt, one -a -, or --messages -
      fix:  write one of them to a file
    ");
    let scheme = refused(|world| world.chat(["-a", "ftp://example.com/a.png"]).run());
    insta::assert_snapshot!(scheme.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: ftp:// cannot be attached, only http:// and https:// are fetched
      fix:  fetch it yourself, and attach the file
    ");
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let output = refused(|world| {
        let path = world.home.write("big.png", "");
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(40_000_000_000).unwrap();
        world.chat(["-a", "big.png"]).run()
    });
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: big.png is too large: at most 20,000,000 bytes of a file go along
      fix:  make it smaller, e.g. with fewer pixels or pages
    ");
}

#[test]
#[cfg(unix)]
fn a_pipe_or_a_device_is_not_waited_for() {
    let args = ["chat", "-m", "acme/tiny", "hi", "-a", "pipe"];
    let output = refused(|world| {
        world.home.shell("mkfifo pipe 2>/dev/null || /usr/bin/mkfifo pipe; exec \"$0\" \"$@\"", args).run()
    });
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: pipe is a pipe or a device, not a file
      fix:  pipe it into stdin, as -a -
    ");
    let output = refused(|world| world.chat(["-a", "/dev/zero"]).run());
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}

#[test]
fn an_address_that_gives_nothing_is_no_provider_s_failure() {
    let files = Server::start(vec![Script::json(404, &json!({})), Script::json(500, &json!({}))]);
    let url = format!("{}/a.png?sig=secret", files.base_url());
    let gone = refused(|world| world.chat(["-a", &url]).run());
    insta::assert_snapshot!(gone.snapshot(), @r"
    exit: 3
    --- stdout

    --- stderr
    error: http://127.0.0.1:PORT/a.png cannot be fetched
      status  404
      fix:    fetch it yourself, and attach the file
    ");
    let failed = refused(|world| world.chat(["-a", &url, "-o", "json"]).run());
    let error = super::error_line(&failed);
    assert_eq!((&error["code"], &error["exit"]), (&json!("unavailable.attachment"), &json!(8)));
    assert_eq!((&error["class"], &error["owner"]), (&json!("local_network"), &json!("your network")));
    assert!(!failed.stderr.contains("secret"), "{}", failed.snapshot());
}

#[test]
fn an_address_that_leads_in_circles_or_sends_too_much_is_given_up() {
    let circle = Server::repeating(Script::body(302, "text/plain", "").header("location", "/again"));
    let url = format!("{}/a.png", circle.base_url());
    let output = refused(|world| world.chat(["-a", &url]).run());
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 8
    --- stdout

    --- stderr
    error: http://127.0.0.1:PORT/a.png redirects more than 5 times
      fix:  fetch it yourself, and attach the file
    ");
    assert_eq!(circle.hits(), 6);
    let away = Server::start(vec![Script::body(302, "text/plain", "").header("location", "file:///etc/passwd")]);
    let url = format!("{}/a.png", away.base_url());
    let output = refused(|world| world.chat(["-a", &url]).run());
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 8
    --- stdout

    --- stderr
    error: http://127.0.0.1:PORT/a.png redirects to what is no http address, which
    is not followed
      fix:  fetch it yourself, and attach the file
    ");
    let big = Server::start(vec![Script::body(200, "image/png", vec![b'a'; 20_000_001])]);
    let url = format!("{}/a.png", big.base_url());
    let output = refused(|world| world.chat(["-a", &url]).run());
    assert!(output.stderr.contains("at most 20,000,000 bytes"), "{}", output.snapshot());
}

#[test]
fn offline_nothing_is_fetched() {
    let args = ["-a", "http://127.0.0.1:9/a.png", "--offline", "-o", "json"];
    let output = refused(|world| world.chat(args).run());
    assert_eq!((output.code, &super::error_line(&output)["code"]), (Some(11), &json!("refused.offline")));
}

#[test]
fn in_the_sandbox_nothing_is_fetched_from_elsewhere() {
    let home = super::Home::new();
    let args = ["--sandbox", "chat", "-m", "anthropic/claude-sonnet-5", "-a", "https://example.com/a.png?x=1", "hi"];
    insta::assert_snapshot!(home.openmux(args).run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not fetched: with --sandbox nothing leaves this machine, and
    https://example.com/a.png is elsewhere
      fix:  fetch it yourself, and attach the file
    ");
}

#[test]
fn what_nobody_can_carry_is_an_error_that_names_it() {
    let world = World::of(Vec::new());
    bytes(&world, "a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3");
    // A later overlay corrects the endpoint of the first.
    let endpoint = "[[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\n";
    world.home.write("config/catalog.d/text.toml", &format!("{endpoint}input = [\"text\", \"image\"]\n"));
    insta::assert_snapshot!(world.chat(["-a", "a.pdf"]).run().snapshot(), @r"
    exit: 6
    --- stdout

    --- stderr
    error: no provider of acme/tiny can carry PDF input
      fix:  attach its text, or its pages as images
    ");
    let args = ["route", "explain", "-m", "acme/tiny", "-a", "a.pdf", "hi"];
    let explained = world.openmux(args).run();
    assert!(explained.stdout.contains("cannot carry PDF input"), "{}", explained.snapshot());
    assert_eq!(explained.code, Some(6), "{}", explained.snapshot());
}

#[test]
fn a_pdf_is_bounded_by_the_window() {
    let world = World::of(Vec::new());
    bytes(&world, "a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3");
    insta::assert_snapshot!(world.chat(["-a", "a.pdf", "--max-cost", "0.01"]).run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not sent: it could cost $0.016384, more than --max-cost 0.01
      bound  the whole window in, since what is in a PDF cannot be counted, + the
             model's longest answer
      fix:   --max-tokens with a smaller number, or --max-cost 0.016384
    ");
}
