//! The configuration of a gateway that serves, read again: what is under way ends as it began, what is broken changes
//! nothing.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use jiff::Timestamp;
use openmux::store::ObservationStore as _;
use openmux::store::sqlite::Sqlite;
use serde_json::{Value, json};

use super::super::support::command::{Home, Running};
use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step, closed_port};
use super::super::support::wire;
use super::{Response, ask, hello};

/// A gateway with files of its own, and where it says what it has to say.
struct Served {
    home: Home,
    addr: SocketAddr,
    running: Running,
    said: PathBuf,
}

impl Served {
    fn start(home: Home, more: &[&str]) -> Self {
        let addr: SocketAddr = ([127, 0, 0, 1], closed_port()).into();
        let (listen, said) = (addr.to_string(), home.path().join("said"));
        let args = ["serve", "--listen", &listen].into_iter().chain(more.iter().copied());
        let run = home.shell("exec \"$0\" \"$@\" 2>\"$SAID\"", args).env("SAID", &said);
        let mut running = run.env("ALPHA_KEY", "sk-alpha-0123456789").spawn();
        while TcpStream::connect(addr).is_err() {
            assert!(!running.has_ended(), "it runs");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Self { home, addr, running, said }
    }

    /// Waits until it has said something.
    #[expect(clippy::disallowed_methods, reason = "what it says is in a file")]
    fn until_said(&mut self, text: &str) -> String {
        loop {
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            if said.contains(text) {
                return said;
            }
            assert!(!self.running.has_ended(), "it runs: {said}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn chat(&self, more: Value, token: &str) -> Response {
        let authorization = format!("Bearer {token}");
        let body = hello(more).to_string();
        ask(self.addr, "POST", "/v1/chat/completions", body.as_bytes(), &[("authorization", &authorization)])
    }

    fn end(self) {
        drop(self.stopped());
    }

    /// Its files, once it has ended.
    fn stopped(self) -> Home {
        self.running.signal("TERM");
        assert_eq!(self.running.wait().code, Some(143));
        self.home
    }
}

/// An overlay with one provider, and its models with the price of input.
fn overlay(server: &Server, models: &[(&str, &str)]) -> String {
    let provider = format!(
        "[provider.alpha]\nprotocol = \"openai-chat\"\nbase_url = \"{}/v1\"\nkey_env = \"ALPHA_KEY\"\n",
        server.base_url()
    );
    let endpoint = |(model, price): &(&str, &str)| {
        format!(
            "[[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/{model}\"\nid = \"{model}-1\"\ncontext = 8192\n\
             max_output = 4096\nprice = {{ input = \"{price}\", output = \"2\" }}\n"
        )
    };
    provider + &models.iter().map(endpoint).collect::<String>()
}

const AGAIN: &str = "read again";

#[test]
fn a_hangup_reads_everything_again_and_what_is_under_way_ends_as_it_began() {
    let gate = Gate::new();
    let events = wire::openai_events(&["Hello", ", you."], Some((1_000_000, 1)));
    let steps = vec![Step::bytes(events[..2].concat()), Step::Pause(gate.clone()), Step::bytes(events[2..].concat())];
    let whole = || wire::openai_whole("Hello", (1_000_000, 1));
    let server = Server::start(vec![Script::stream(steps), whole(), whole(), whole()]);
    let home = Home::new();
    drop(home.write("config/catalog.d/private.toml", &overlay(&server, &[("tiny", "1")])));
    let mut served = Served::start(home, &[]);
    let body = hello(json!({ "stream": true, "stream_options": { "include_usage": true } })).to_string();
    let mut socket = TcpStream::connect(served.addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut lines = BufReader::new(&socket).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Hello")));
    let models = |served: &Served| ask(served.addr, "GET", "/v1/models", b"", &[]).body;
    assert!(models(&served).contains("acme/tiny") && !models(&served).contains("acme/more"));

    drop(served.home.write("config/catalog.d/private.toml", &overlay(&server, &[("tiny", "5"), ("more", "7")])));
    drop(served.home.write("config/config.toml", "[profiles.p]\nprefer = \"price\"\n"));
    served.running.signal("HUP");
    drop(served.until_said(AGAIN));
    assert!(models(&served).contains("acme/more"), "the list is made anew");
    let priced = served.chat(json!({}), "any");
    assert_eq!(priced.header("x-openmux-cost"), "5.000002", "{priced:?}");
    gate.open();
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("\"cost\":1.000002")), "by the old price: {rest:?}");
    assert!(rest.iter().any(|line| line == "data: [DONE]"), "{rest:?}");

    drop(served.home.write("config/catalog.d/private.toml", "[provider.alpha]\nprotocl = \"openai-chat\"\n"));
    served.running.signal("HUP");
    let said = served.until_said("stays as it was");
    assert!(said.contains("private.toml:2: provider.alpha.protocl: unknown key; did you mean \"protocol\"?"), "{said}");
    assert_eq!(served.chat(json!({}), "any").header("x-openmux-cost"), "5.000002");
    drop(served.home.write("config/catalog.d/private.toml", &overlay(&server, &[("tiny", "1")])));
    drop(served.home.write("config/config.toml", "[bugdet]\nday_usd = 5\n"));
    served.running.signal("HUP");
    drop(served.until_said("config.toml:1: bugdet"));
    assert_eq!(served.chat(json!({}), "any").header("x-openmux-cost"), "5.000002", "all of it or nothing");
    served.end();
}

/// As `chat` takes them, too: `[defaults]` says the limits of an attempt.
#[test]
fn limits_of_the_configuration_hold_for_every_attempt() {
    let events = wire::openai_events(&["Hello"], None);
    let texts = events.iter().position(|event| event.contains("Hello")).unwrap();
    let stalled = Script::stream(vec![Step::bytes(events[..=texts].concat()), Step::HangForever]);
    let silent = Script::raw(vec![Step::HangForever]);
    let busy = wire::openai_error(500, "server_error", None, "broken");
    for (script, code) in [(stalled, "limit:idle"), (silent, "limit:first_token"), (busy, "server_error")] {
        let server = Server::repeating(script);
        let home = Home::new();
        drop(home.write("config/catalog.d/private.toml", &overlay(&server, &[("tiny", "1")])));
        let limits = "retries = 0\ntimeout = \"2500ms\"\nfirst_token_timeout = \"300ms\"\nidle_timeout = \"300ms\"\n";
        drop(home.write("config/config.toml", &format!("[defaults]\n{limits}")));
        let served = Served::start(home, &[]);
        let told = served.chat(json!({ "stream": true, "provider": { "sort": "price" } }), "any");
        let home = served.stopped();
        let store = Sqlite::open_existing(&home.path().join("data/obs.db")).unwrap().expect("there is a store");
        let seen = store.attempts(Timestamp::UNIX_EPOCH, Timestamp::MAX).unwrap();
        assert_eq!(seen.iter().map(|seen| seen.code.as_deref()).collect::<Vec<_>>(), [Some(code)], "{told:?}");
    }
}

/// Without a signal: it looks at its files.
#[test]
fn a_file_that_changes_is_read_again() {
    let server = Server::start(vec![wire::openai_whole("Hello", (7, 3))]);
    let home = Home::new();
    drop(home.write("config/catalog.d/private.toml", &overlay(&server, &[("tiny", "1")])));
    drop(home.write("config/config.toml", "[profiles.p]\nignore = [\"alpha\"]\n"));
    let token = home.write("token", "first-token-0123456789\n").display().to_string();
    let mut served = Served::start(home, &["--profile", "p", "--token-file", &token]);
    let (first, second) = ("first-token-0123456789", "second-token-0123456789");
    assert_eq!(served.chat(json!({}), first).error("code"), "ignored");
    drop(served.home.write("token", &format!("{second}\n")));
    drop(served.until_said(AGAIN));
    assert_eq!(
        (served.chat(json!({}), first).status, served.chat(json!({}), second).error("code")),
        (401, "ignored".into())
    );
    drop(served.home.write("config/config.toml", "[profiles.p]\nmax_cost = \"0.000001\"\n"));
    let two = |said: &str| said.matches(AGAIN).count() == 2;
    while !two(&served.until_said(AGAIN)) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(served.chat(json!({}), second).error("code"), "above_max_cost");
    drop(served.home.write("config/config.toml", "[profiles.q]\nprefer = \"price\"\n"));
    let said = served.until_said("stays as it was");
    assert!(said.contains("no profile is called \"p\""), "{said}");
    assert_eq!(served.chat(json!({}), second).error("code"), "above_max_cost", "what was forbidden still is");
    served.end();
}

/// A token that is rotated in a file of its own, which only the file of clients names.
#[test]
fn a_rotated_token_of_a_client_is_read_again() {
    let home = Home::new();
    let tokens = home.write("tokens.toml", "[[token]]\nname = \"alice\"\ntoken_file = \"secrets/alice\"\n");
    drop(home.write("secrets/alice", "first-token-0123456789\n"));
    let mut served = Served::start(home, &["--sandbox", "--tokens", &tokens.display().to_string()]);
    let (first, second) = ("first-token-0123456789", "second-token-0123456789");
    assert_eq!(served.chat(json!({ "model": "claude-sonnet-5" }), first).status, 200);
    drop(served.home.write("secrets/alice", &format!("{second}\n")));
    drop(served.until_said(AGAIN));
    let status = |token| served.chat(json!({ "model": "claude-sonnet-5" }), token).status;
    assert_eq!((status(first), status(second)), (401, 200));
    served.end();
}

/// A catalog that is fetched while it serves is what the next request goes by; one that is damaged takes nothing away.
#[test]
fn an_updated_catalog_is_used_and_a_damaged_one_is_not() {
    let home = Home::new();
    let list = json!({"anthropic": {"id": "anthropic", "models": {"claude-opus-99-1": {
        "id": "claude-opus-99-1", "tool_call": true, "limit": {"context": 200_000, "output": 64_000},
        "cost": {"input": 4, "output": 20},
    }}}});
    drop(home.write("api.json", &list.to_string()));
    let mut served = Served::start(home, &["--sandbox"]);
    let knows = |served: &Served| {
        ask(served.addr, "GET", "/v1/models", b"", &[]).body.contains("\"anthropic/claude-opus-99.1\"")
    };
    let chat = |served: &Served| served.chat(json!({"model": "claude-opus-99-1"}), "any");
    assert!(!knows(&served));
    assert_eq!(chat(&served).status, 404);
    let updated = served.home.openmux(["catalog", "update", "--from", "api.json"]).run();
    assert_eq!(updated.code, Some(0), "{}", updated.snapshot());
    drop(served.until_said(AGAIN));
    assert!(knows(&served));
    let answered = chat(&served);
    assert_eq!((answered.status, answered.header("x-openmux-provider")), (200, "anthropic"), "{answered:?}");
    drop(served.home.write("cache/catalog.txt", "openmux-catalog 2 half"));
    let said = served.until_said("stays");
    assert!(said.contains("it is cut off"), "{said}");
    assert!(knows(&served));
    assert_eq!(chat(&served).status, 200);
    let back = served.home.openmux(["catalog", "rollback", "--embedded"]).run();
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    while knows(&served) {
        assert!(!served.running.has_ended());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    served.end();
}
