//! Examples that people are shown, run where there is no key and no network: a chat becomes a dry run or is asked in the
//! sandbox, a server is stopped once it is ready, and the rest is run as it stands.
#![cfg(unix)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::command::Home;
use super::decisions;

/// Examples that are not run, and why.
const NOT_RUN: [(&str, &str); 3] = [
    ("cargo run ", "it builds; what it runs is an example of its own"),
    ("cargo test ", "this is it"),
    ("cargo install ", "it builds, and writes beside the home"),
];

/// A home with what the examples name, a `git` and, where JSON alone is to be seen, a `jq` of our own.
pub(crate) fn home(own_jq: bool) -> Home {
    let home = Home::new();
    tool(&home, "git", "echo '+ a line'");
    if own_jq {
        tool(&home, "jq", "grep -q '^{'");
    }
    let files = [
        ("models.check.toml", "[[model]]\nid = \"claude-sonnet-5\"\nmax_price_in = \"3.00\"\n"),
        ("photo.jpg", "\u{0}"),
        ("style.md", "Be short."),
        ("api.json", "{\"anthropic\":{\"models\":{\"claude-sonnet-5\":{\"cost\":{\"input\":2,\"output\":10}}}}}"),
        ("weather.json", "{\"name\": \"weather\", \"parameters\": {\"type\": \"object\"}}"),
        (
            "city.json",
            "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}}, \"required\": [\"name\"]}",
        ),
        ("report.pdf", "%PDF-1.4\n%%EOF\n"),
    ];
    for (name, text) in files {
        drop(home.write(name, text));
    }
    // A picture is told by its first bytes, which are no text.
    std::fs::File::create(home.path().join("photo.jpg")).unwrap().write_all(&[0xff, 0xd8, 0xff, 0xe0, 0, 16]).unwrap();
    drop(decisions::kept(&home, Some("3f2a9c1b9d4e4b7fa1c05e6d2b8f7a90")));
    home
}

/// Runs an example; it ends well and complains of nothing.
pub(crate) fn run(home: &Home, example: &str) {
    if NOT_RUN.iter().any(|(begins, _)| example.starts_with(begins)) {
        return;
    }
    let line = format!("PATH=\"$HOME:$PATH\"; {}", without_network(example));
    let output = home.shell_line(&line).run();
    assert_eq!(output.code, Some(0), "{example}\n{}", output.snapshot());
    assert!(!output.stderr.contains("error:"), "{example}\n{}", output.snapshot());
}

fn tool(home: &Home, name: &str, body: &str) {
    let path = home.write(name, &format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for a line of a server's, does something, and stops it.
fn served(file: &str, line: &str, then: &str) -> String {
    format!(
        "pid=$!; while ! grep -q '{line}' {file}; do sleep 0.05; done; {then}; kill -TERM $pid; wait $pid || test $? -eq 143"
    )
}

fn without_network(example: &str) -> String {
    if example.starts_with("curl ") {
        let asked = format!(
            "port=$(sed -n 's/^listening.*127.0.0.1:\\([0-9]*\\).*/\\1/p' up); {}",
            example.replacen("curl ", "curl -sf ", 1).replace(":8080", ":$port")
        );
        return format!("openmux --sandbox serve --listen 127.0.0.1:0 2>up & {}", served("up", "^listening", &asked));
    }
    if example.contains("openmux providers check") {
        return "openmux --sandbox providers check".to_owned();
    }
    if example.contains("openmux catalog update") {
        let (before, _) = example.split_once(" --from").unwrap_or((example, ""));
        return before.replace("catalog update", "catalog update --from api.json");
    }
    if example.contains("openmux sandbox") {
        let (before, _) = example.split_once(" --port").unwrap_or((example, ""));
        return format!("{before} --port 0 >ready 2>/dev/null & {}", served("ready", "^# anthropic", "true"));
    }
    if example.contains("serve") {
        let example = example.replace("openmux serve", "openmux --sandbox serve").replace(":8080", ":0");
        let example = if example.contains("--listen") { example } else { example + " --listen 127.0.0.1:0" };
        return format!("export GATEWAY_TOKEN=x; {example} 2>up & {}", served("up", "^listening", "true"));
    }
    let example = example.replace("https://example.com/style.md", "style.md");
    let example = example.replace("openmux -q providers probe", "openmux --sandbox -q providers probe");
    let example = example.replace("--quick", "--rounds 1");
    if example.contains("| jq") || example.contains("--sandbox") {
        return example.replace("openmux chat", "openmux --sandbox chat");
    }
    example.replace("openmux chat", "openmux chat --dry-run")
}
