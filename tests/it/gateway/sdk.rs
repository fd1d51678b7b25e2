//! The official clients of OpenAI and Anthropic, unchanged, against the gateway as a command before simulated providers.
//!
//! They are Python, in an environment that `.ci/run` makes (`target/sdk-venv`, or where `OPENMUX_SDK_VENV` says).

#![expect(
    clippy::disallowed_methods,
    reason = "where the clients are, and whether they must be there, is for whoever runs the tests"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::super::support::command::Home;
use super::command::{Served, serve};

/// Set where the clients must be there.
const REQUIRED: &str = "OPENMUX_TEST_SDK";

/// Providers that answer at once.
const QUICK: &str = "seed = 1\n[default]\nttft_ms = [1, 3]\ntokens_per_second = 3000\ntokens = 60\n";
/// How those break off who do.
const BREAK: &str = "fault = \"close-mid-stream\"\nfault_after_tokens = 24\n";

/// Two that break off, before others that do not.
const SEAMS: &str = "[provider.anthropic]\nfault = \"close-mid-stream\"\nfault_after_tokens = 24\n\
                     [provider.openrouter]\nfault = \"close-mid-stream\"\nfault_after_tokens = 24\n";

/// The interpreter with the clients; `None` where there is none, which is said.
fn python() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("OPENMUX_SDK_VENV").map_or_else(|| PathBuf::from("target/sdk-venv"), PathBuf::from);
    let python = root.join(folder).join("bin/python");
    if Command::new(&python).args(["-c", "import anthropic, openai"]).output().is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os(REQUIRED).is_none(), "the official clients are not installed at {}", python.display());
    let place = std::thread::current().name().unwrap_or_default().to_owned();
    // Not `eprintln!`, which a passing test swallows.
    drop(writeln!(std::io::stderr(), "!! SKIPPED, the official clients are not installed (.ci/run does it): {place}"));
    None
}

fn served(home: &Home, name: &str, scenario: &str) -> Served {
    let file = home.write(name, scenario);
    serve(home, &format!("--sandbox={}", file.display()), &["-q"])
}

/// Runs a client's script against the three gateways.
fn driven(script: &str) {
    let Some(python) = python() else { return };
    let home = Home::new();
    let served = |name: &str, more: &str| served(&home, name, &[QUICK, more].concat());
    let gateways = [served("quick.toml", ""), served("breaking.toml", BREAK), served("seams.toml", SEAMS)];
    let script = format!("{}/tests/it/gateway/sdk/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.env_clear().current_dir(home.path()).arg("-B").arg(script);
    let ran = command.args(gateways.iter().map(|gateway| gateway.addr.to_string())).output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}", told(&ran.stdout), told(&ran.stderr));
    assert!(told(&ran.stdout).ends_with("all good\n"), "{}", told(&ran.stdout));
}

#[test]
fn the_client_of_openai_is_served() {
    driven("openai_sdk.py");
}

#[test]
fn the_client_of_anthropic_is_served() {
    driven("anthropic_sdk.py");
}
