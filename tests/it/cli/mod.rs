//! The command line as a black box: what it prints, how it ends, and what its providers see.
//!
//! The twelve suites that hold its contract, and where each is:
//!
//! 1. A bad server's twelve faults in every format: `faults`; in mid-chain and with costs: `suite`, `failover`, `resume`.
//! 2. A reader that is gone, for every command: `stdout`.
//! 3. Every kind of stdin, which matters to `chat` alone: `stdin`.
//! 4. No variable, no home, a home that cannot be written: `environment`.
//! 5. Colour by flag, variables and terminal: `environment`.
//! 6. Widths, no trailing space, the first column whole: `environment`; help: `crate::help`.
//! 7. Drift of man pages, completions, schemas and tables: `crate::generated`, `crate::readme`; JSON against its schemas in
//!    every run of every test: `crate::support::schemas`, and each document once: `contract`.
//! 8. Every example in help, man pages and README is run: `crate::help`, `crate::readme` by `crate::support::examples`.
//! 9. No key in any output or file, in every run of every test: `crate::support::canary`; `secrets`.
//! 10. CPU time against an empty program: `tests/benches/cpu.sh`, a bench.
//! 11. Completion of every name in bash, zsh and fish: `complete`.
//! 12. The same values in TSV, CSV, JSON and JSONL: `formats`.

mod assert;
mod attach;
mod budget;
mod catalog;
mod check;
mod complete;
mod config;
mod contract;
mod environment;
mod every;
mod failover;
mod faults;
mod formats;
mod gemini;
mod hedge;
mod hostile;
mod keys;
mod limits;
mod local;
mod money;
mod offline;
mod probe;
mod record;
mod replay;
mod resume;
mod schema;
mod secrets;
mod session;
mod shown;
mod signals;
mod simulated;
mod slips;
mod spent;
mod stdin;
mod stdout;
mod store;
mod suite;
mod tools;
mod usage;
mod whose;
mod wishes;

use openmux::catalog::Protocol;

use super::support::command::{Home, Output, Run};
use super::support::overlay::{NAMES, key_variable, overlay};
use super::support::server::{Script, Server};
use super::support::wire;

/// What every provider's key ends with.
const KEY_TAIL: &str = "tail";

/// The protocols that are spoken.
const BOTH: [Protocol; 2] = [Protocol::OpenaiChat, Protocol::AnthropicMessages];

/// A home whose overlay adds `acme/tiny`, served by one private provider for each scripted server.
#[derive(Debug)]
struct World {
    home: Home,
    servers: Vec<Server>,
}

impl World {
    /// The servers become providers `alpha`, `beta`, `gamma` of one protocol, each dearer than the one before.
    fn new(protocol: Protocol, servers: Vec<Server>) -> Self {
        let home = Home::new();
        home.write("config/catalog.d/private.toml", &overlay(&servers, protocol.name()));
        Self { home, servers }
    }

    /// The OpenAI protocol.
    fn openai(servers: Vec<Server>) -> Self {
        Self::new(Protocol::OpenaiChat, servers)
    }

    /// One OpenAI server that gives these scripts in turn.
    fn of(scripts: Vec<Script>) -> Self {
        Self::openai(vec![Server::start(scripts)])
    }

    /// The command, with a key for each provider.
    fn openmux<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        keyed(self.home.openmux(args))
    }

    /// The same command under a shell's script, which says where `"$0" "$@"` goes.
    fn shell<'a>(&self, script: &str, args: impl IntoIterator<Item = &'a str>) -> Run {
        keyed(self.home.shell(script, args))
    }

    /// `chat -m acme/tiny hi` with further arguments; the seed is fixed, so that backoffs are.
    fn chat<'a>(&self, more: impl IntoIterator<Item = &'a str>) -> Run {
        self.openmux(["chat", "-m", "acme/tiny", "--seed", "1", "hi"].into_iter().chain(more))
    }

    /// Requests that each server has got.
    fn hits(&self) -> Vec<usize> {
        self.servers.iter().map(Server::hits).collect()
    }
}

/// With a key for each provider.
fn keyed(run: Run) -> Run {
    NAMES.iter().fold(run, |run, name| run.env(&key_variable(name), format!("sk-{name}-0123456789-{KEY_TAIL}")))
}

/// A whole streamed answer of a protocol: `Hello, you.`.
fn answer(protocol: Protocol) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_stream(&["Hello", ", you."], (7, 3)),
        _ => wire::openai_stream(&["Hello", ", you."], Some((7, 3))),
    }
}

/// The same answer in one piece.
fn whole(protocol: Protocol) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_whole("Hello, you.", (7, 3)),
        _ => wire::openai_whole("Hello, you.", (7, 3)),
    }
}

/// The error object of the JSON line that ends stderr.
fn error_line(output: &Output) -> serde_json::Value {
    let line = output.stderr.lines().last().unwrap_or_default();
    let document: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON line on stderr: {}", output.snapshot()));
    document["error"].clone()
}
