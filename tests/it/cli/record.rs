//! `--record`: what went over the wire as a fixture, without secrets, for its owner alone.

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::support::server::Server;
use super::super::support::wire;
use super::{BOTH, World, answer, whole};

/// Folder after folder below one, with the permissions of each file.
fn files(root: &std::path::Path) -> Vec<(String, u32)> {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.clone());
            if path.is_dir() {
                walk(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(root, &mut found);
    found.sort();
    let mode = |path: &std::path::Path| {
        #[cfg(unix)]
        return std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777;
        #[cfg(not(unix))]
        return if path.is_dir() { 0o700 } else { 0o600 };
    };
    found.iter().map(|path| (path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), mode(path))).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test reads what the command wrote")]
fn text(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.home.path().join("rec").join(name)).unwrap()
}

#[test]
fn an_exchange_is_kept_as_a_fixture_that_its_owner_alone_can_read() {
    for protocol in BOTH {
        let world = World::new(protocol, vec![Server::start(vec![answer(protocol)])]);
        let output = world.chat(["--record", "rec", "--temperature", "0.70", "--top-p", "0.5"]).run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
        let files = files(&world.home.path().join("rec"));
        let [(top, 0o700), (case, 0o700), (toml, 0o600), (request, 0o600), (response, 0o600)] = files.as_slice() else {
            panic!("{files:?}");
        };
        assert_eq!(top, protocol.name());
        assert!(case.starts_with(&format!("{top}/alpha-")) && case.ends_with("-1"), "{case}");
        let names = [toml, request, response].map(|name| name.rsplit('/').next().unwrap());
        assert_eq!(names, ["case.toml", "request.json", "response.sse"]);
        let table: toml::Table = text(&world, toml).parse().unwrap();
        assert!(table["source"].as_str().unwrap().contains("tiny-1 of alpha"), "{table}");
        assert_eq!((table["stream"].as_bool(), table["status"].as_integer()), (Some(true), Some(200)));
        assert_eq!(table["content_type"].as_str(), Some("text/event-stream"));
        let request: Value = serde_json::from_str(&text(&world, request)).unwrap();
        assert_eq!(request["call"]["messages"], json!([{"role": "user", "content": "hi"}]));
        assert_eq!((&request["call"]["temperature"], &request["call"]["top_p"]), (&json!("0.70"), &json!("0.5")));
        assert_eq!(request["expect"]["body"], world.servers[0].requests()[0].json());
        assert_eq!(request["expect"]["headers"]["content-type"], "application/json");
        assert!(text(&world, response).contains("Hello"));
    }
}

#[test]
fn each_attempt_is_kept_and_no_key_is_in_any() {
    let key = format!("sk-alpha-0123456789-{}", super::KEY_TAIL);
    let refusal = wire::openai_error(429, "requests", None, &format!("slow down, {key}"))
        .header("retry-after", "0")
        .header("set-cookie", "session=hidden")
        .header("openai-organization", "org-hidden");
    let world = World::of(vec![refusal, whole(Protocol::OpenaiChat)]);
    let output = world.chat(["--record", "rec", "--no-stream"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    let root = world.home.path().join("rec");
    let names: Vec<String> = files(&root).into_iter().map(|(name, _)| name).filter(|name| name.contains('.')).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("response.txt")).count(), 2, "{names:?}");
    for name in &names {
        let text = text(&world, name);
        for secret in ["sk-alpha", "hidden", "Bearer"] {
            assert!(!text.contains(secret), "{name} holds {secret}: {text}");
        }
    }
    let refused: toml::Table =
        text(&world, names.iter().find(|name| name.ends_with("case.toml")).unwrap()).parse().unwrap();
    assert_eq!((refused["status"].as_integer(), refused["headers"]["retry-after"].as_str()), (Some(429), Some("0")));
}

#[test]
fn where_nothing_can_be_kept_nothing_is_sent() {
    let world = World::of(Vec::new());
    world.home.write("rec", "a file");
    insta::assert_snapshot!(world.chat(["--record", "rec"]).run().snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot make the folder rec
      reason  File exists
      fix:    --record with a folder that you may write to
    ");
    let output = world.chat(["--record", "r", "--dry-run"]).run();
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}

#[test]
fn what_breaks_off_is_kept_as_far_as_it_came() {
    let events = wire::openai_events(&["Hel", "lo"], None);
    let cut = wire::stream(events[..2].to_vec());
    let world = World::of(vec![cut]);
    let output = world.chat(["--record", "rec"]).run();
    assert_eq!(output.code, Some(10), "{}", output.snapshot());
    let names = files(&world.home.path().join("rec"));
    let (response, _) = names.iter().find(|(name, _)| name.ends_with("response.sse")).unwrap();
    assert_eq!(text(&world, response), events[..2].concat());
}
