//! Several gateways on one Redis, each a process with a home of its own: what one meets the others avoid, and whatever
//! becomes of Redis, no request fails for it.

mod strange;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::command::{Home, Output, Running};
use super::super::support::gate::Gate;
use super::super::support::overlay::{NAMES, key_variable, overlay};
use super::super::support::redis::{PASSWORD, Redis};
use super::super::support::server::{Script, Server, Step, closed_port};
use super::super::support::stable::stable;
use super::super::support::wire;
use super::{Response, ask, hello};

/// What a client shows.
const CLIENT: &str = "Bearer alice-token-0123456789";

/// One gateway of several.
struct Machine {
    home: Home,
    addr: SocketAddr,
    running: Running,
}

impl Machine {
    /// A gateway before these providers that shares through an address, where there is one.
    fn start(servers: &[Server], state: &str, config: &str) -> Self {
        let home = Home::new();
        home.write("config/catalog.d/private.toml", &overlay(servers, "openai-chat"));
        home.write("config/config.toml", config);
        Self::at(home, state, &[])
    }

    fn at(home: Home, state: &str, more: &[&str]) -> Self {
        Self::knowing(home, state, more, "")
    }

    /// The same, and who is in that file is trusted.
    fn knowing(home: Home, state: &str, more: &[&str], authorities: &str) -> Self {
        let run = home
            .openmux(["serve", "--listen", "127.0.0.1:0"].into_iter().chain(more.iter().copied()))
            .env("OPENMUX_STATE", state);
        let run = if authorities.is_empty() { run } else { run.env("SSL_CERT_FILE", authorities) };
        let run = NAMES.iter().fold(run, |run, name| run.env(&key_variable(name), format!("sk-{name}-0123456789")));
        let mut running = run.spawn();
        Self { home, addr: running.listening(), running }
    }

    fn get(&self, path: &str) -> Response {
        ask(self.addr, "GET", path, b"", &[])
    }

    fn chat(&self, more: Value) -> Response {
        ask(self.addr, "POST", "/v1/chat/completions", hello(more).to_string().as_bytes(), &[("authorization", CLIENT)])
    }

    /// Waits until something is so.
    fn wait(&self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..6_000 {
            if so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} did not come to be");
    }

    fn is_sharing(&self) -> bool {
        let ready = self.get("/readyz");
        assert_eq!((ready.status, &ready.json()["status"]), (200, &"ok".into()), "it is ready whatever Redis does");
        ready.json()["sharing"]["up"] == true
    }

    fn wait_sharing(&self) {
        self.wait("sharing", Self::is_sharing);
    }

    /// Why a provider is not used for now.
    fn rejects(&self, provider: &str) -> bool {
        let told = self.get("/v1/route/explain?model=acme/tiny&tokens=10/10").json();
        let rejected = told["rejected"].as_array().unwrap();
        rejected.iter().any(|entry| entry["provider"] == provider && entry.to_string().contains("cooling_down"))
    }

    fn metric(&self, name: &str) -> Option<u64> {
        let text = self.get("/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Ends it; what it has said, and its home.
    fn end(self) -> (Output, Home) {
        self.running.signal("TERM");
        let output = self.running.wait();
        assert_eq!(output.code, Some(143), "{}", output.snapshot());
        (output, self.home)
    }
}

fn answer() -> Script {
    wire::openai_whole("Hello.", (7, 3))
}

fn broken() -> Script {
    wire::openai_error(500, "server_error", None, "no")
}

/// What an output says that is no log of a request.
fn said(output: &Output) -> String {
    let stderr = stable(&output.stderr);
    let usual = ["{", "listening on", "note: nothing more is taken in"];
    let unusual = stderr.lines().filter(|line| !usual.iter().any(|usual| line.starts_with(usual)));
    unusual.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_outage_that_one_meets_is_avoided_by_the_other() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(broken()), Server::repeating(answer())];
    let (one, two) = (Machine::start(&servers, &redis.url(), ""), Machine::start(&servers, &redis.url(), ""));
    // Keys have the same fingerprint on all machines once both have met.
    [&one, &two].into_iter().for_each(Machine::wait_sharing);
    let first = one.chat(json!({}));
    assert_eq!((first.status, first.header("x-openmux-attempts")), (200, "2"), "{first:?}");
    two.wait("the outage", |two| two.rejects("alpha"));
    let second = two.chat(json!({}));
    assert_eq!((second.status, second.header("x-openmux-attempts")), (200, "1"), "{second:?}");
    assert_eq!(servers[0].hits(), 1, "nobody else has asked it");
    assert_eq!((two.metric("openmux_sharing_up"), two.metric("openmux_sharing_lost_total")), (Some(1), Some(0)));
    assert!(two.metric("openmux_sharing_heard_total") >= Some(2));
    let held = redis.dump();
    assert!(held.contains("\"provider\":\"alpha\""), "{held}");
    for secret in ["sk-alpha", "sk-beta", "\"hi\"", "Hello."] {
        assert!(!held.contains(secret), "{secret} in {held}");
    }
    // What others did is in nobody's own ledger.
    let (output, home) = two.end();
    insta::assert_snapshot!(said(&output), @"note: state is shared through redis://127.0.0.1:PORT/3");
    let usage: Value = serde_json::from_str(&home.openmux(["usage", "-o", "json"]).run().stdout).unwrap();
    let rows = usage["data"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["provider"], &rows[0]["attempts"]), (1, &"beta".into(), &1.into()), "{usage}");
    // Who comes later is told what was.
    let late = Machine::start(&servers, &redis.url(), "");
    late.wait("the outage", |late| late.rejects("alpha"));
    drop(late.end());
    drop(one.end());
}

/// Eight at once on two machines, and room for three: three go out, whoever is first.
#[test]
fn machines_side_by_side_share_the_day() {
    let Some(redis) = Redis::start() else { return };
    let gate = Gate::new();
    let mut steps: Vec<Step> = wire::openai_events(&["Hello"], Some((7, 3))).into_iter().map(Step::bytes).collect();
    steps.insert(0, Step::Pause(gate.clone()));
    let servers = vec![Server::repeating(Script::stream(steps))];
    let config = "[budget]\nday_usd = 0.0008\n";
    let machines = [Machine::start(&servers, &redis.url(), config), Machine::start(&servers, &redis.url(), config)];
    machines.iter().for_each(Machine::wait_sharing);
    let body = json!({ "stream": true, "max_tokens": 100 });
    let statuses = std::thread::scope(|scope| {
        let ask = |at: usize| (&machines[at % 2], body.clone());
        let asked: Vec<_> = (0..8).map(ask).map(|(machine, body)| scope.spawn(move || machine.chat(body))).collect();
        servers[0].wait_hits(3);
        // Those that do not fit are answered while the others wait for their provider.
        while asked.iter().filter(|one| one.is_finished()).count() < 5 {
            std::thread::yield_now();
        }
        gate.open();
        asked.into_iter().map(|one| one.join().unwrap().status).collect::<Vec<_>>()
    });
    let of = |status: u16| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((of(200), of(402), servers[0].hits()), (3, 5, 3), "{statuses:?}");
    // What was spent is less than what was set aside: on either machine there is room again.
    for machine in &machines {
        machine.wait("room", |machine| machine.chat(body.clone()).status == 200);
    }
    machines.into_iter().for_each(|machine| drop(machine.end()));
}

/// One client on two machines: each alone would let three through.
#[test]
fn a_client_has_one_budget_on_all_machines() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    let tokens = "[[token]]\nname = \"alice\"\ntoken = \"alice-token-0123456789\"\nday_usd = 0.0003\n";
    let machines = [(); 2].map(|()| {
        let home = Home::new();
        home.write("config/catalog.d/private.toml", &overlay(&servers, "openai-chat"));
        let file = home.write("config/tokens.toml", tokens);
        Machine::at(home, &redis.url(), &["--tokens", &file.display().to_string()])
    });
    machines.iter().for_each(Machine::wait_sharing);
    let asked = (0..10).map(|at: usize| machines[at % 2].chat(json!({ "max_tokens": 100 })).status);
    let statuses: Vec<u16> = asked.collect();
    let granted = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=3).contains(&granted) && statuses.iter().all(|status| [200, 402].contains(status)), "{statuses:?}");
    assert_eq!(servers[0].hits(), granted);
    let held = redis.dump();
    assert!(held.contains("budget:client:alice:") && !held.contains("alice-token"), "{held}");
    machines.into_iter().for_each(|machine| drop(machine.end()));
}

/// One client on two machines, each of which alone would let four through.
#[test]
fn a_client_has_one_minute_on_all_machines() {
    let Some(mut redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    let tokens = "[[token]]\nname = \"alice\"\ntoken = \"alice-token-0123456789\"\nrequests_per_minute = 4\n\
        tokens_per_minute = 100000\n";
    let machines = [(); 2].map(|()| {
        let home = Home::new();
        home.write("config/catalog.d/private.toml", &overlay(&servers, "openai-chat"));
        let file = home.write("config/tokens.toml", tokens);
        Machine::at(home, &redis.url(), &["--tokens", &file.display().to_string()])
    });
    machines.iter().for_each(Machine::wait_sharing);
    let answers: Vec<Response> = (0..8).map(|at: usize| machines[at % 2].chat(json!({ "max_tokens": 10 }))).collect();
    let granted = answers.iter().filter(|answer| answer.status == 200).count();
    // One more comes every fifteen seconds, where this machine is that slow.
    assert!((4..8).contains(&granted), "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status)), "{answers:?}");
    if granted == 4 {
        let refused = &answers[7];
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=15).contains(&wait) && refused.error("code") == "client_rate_limited", "{refused:?}");
    }
    let held = redis.dump();
    assert!(held.contains("minute:alice:requests:4") && held.contains("minute:alice:tokens:100000"), "{held}");
    // By itself each has what is left of its own minute: two of four, of which nobody else knows.
    redis.kill();
    machines.iter().for_each(|machine| machine.wait("being alone", |machine| !machine.is_sharing()));
    for machine in &machines {
        assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    }
    machines.into_iter().for_each(|machine| drop(machine.end()));
}

#[test]
fn a_redis_that_is_killed_fails_nothing_and_is_shared_again_when_it_is_back() {
    let Some(mut redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer()), Server::repeating(answer())];
    let config = "[budget]\nday_usd = 5\n";
    let machines = [Machine::start(&servers, &redis.url(), config), Machine::start(&servers, &redis.url(), config)];
    machines.iter().for_each(Machine::wait_sharing);
    let over = std::sync::atomic::AtomicBool::new(false);
    let over = &over;
    std::thread::scope(|scope| {
        let traffic: Vec<_> = machines
            .iter()
            .map(|machine| {
                scope.spawn(move || {
                    let mut served = 0;
                    while !over.load(std::sync::atomic::Ordering::SeqCst) || served == 0 {
                        let answer = machine.chat(json!({ "max_tokens": 10 }));
                        assert_eq!((answer.status, answer.header("x-openmux-attempts")), (200, "1"), "{answer:?}");
                        served += 1;
                    }
                })
            })
            .collect();
        redis.kill();
        machines.iter().for_each(|machine| machine.wait("being alone", |machine| !machine.is_sharing()));
        machines.iter().for_each(|machine| assert_eq!(machine.metric("openmux_sharing_up"), Some(0)));
        redis.run();
        machines.iter().for_each(Machine::wait_sharing);
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        traffic.into_iter().for_each(|one| one.join().unwrap());
    });
    let heard = machines[1].metric("openmux_sharing_heard_total");
    assert_eq!(machines[0].chat(json!({})).status, 200);
    machines[1].wait("news", |machine| machine.metric("openmux_sharing_heard_total") > heard);
    for machine in machines {
        let (output, _) = machine.end();
        let said = said(&output);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[1].starts_with("warning: redis://127.0.0.1:PORT/3 cannot be used ("), "{said}");
        assert_eq!(lines[2], "note: redis://127.0.0.1:PORT/3 is back: state is shared again");
    }
}

/// Its salt is told again by whoever knows it, before a machine that comes new can bring its own.
#[test]
fn a_redis_that_is_emptied_under_its_lines_knows_the_same_salt_again() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    let machine = Machine::start(&servers, &redis.url(), "");
    machine.wait_sharing();
    let salt = || {
        let dump = redis.dump();
        let (_, rest) = dump.split_once("openmux:1:salt string\n")?;
        rest.lines().next().map(str::to_owned)
    };
    let first = salt().unwrap();
    redis.forget();
    machine.wait("the salt", |_| salt().is_some());
    assert_eq!(salt().unwrap(), first);
    drop(machine.end());
}

/// It takes connections in, and says nothing: from the start, and in the middle.
#[test]
fn a_redis_that_hangs_fails_nothing() {
    let servers = vec![Server::repeating(answer())];
    let config = "[budget]\nday_usd = 5\n";
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let machine = Machine::start(&servers, &format!("redis://127.0.0.1:{port}"), config);
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    assert!(!machine.is_sharing());
    let (output, home) = machine.end();
    assert!(said(&output).is_empty() || said(&output).starts_with("warning: "), "{}", output.stderr);
    let Some(redis) = Redis::start() else { return };
    let machine = Machine::at(home, &redis.url(), &[]);
    machine.wait_sharing();
    redis.signal("STOP");
    for _ in 0..3 {
        assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    }
    machine.wait("being alone", |machine| !machine.is_sharing());
    redis.signal("CONT");
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    let (output, _) = machine.end();
    let said = said(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[1].contains("cannot be used (it does not answer within"), "{said}");
}

#[test]
fn a_redis_that_refuses_is_told_without_the_password() {
    let closed = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", closed_port());
    let servers = vec![Server::repeating(answer())];
    let machine = Machine::start(&servers, &closed, "");
    assert_eq!(machine.chat(json!({})).status, 200);
    let (output, home) = machine.end();
    assert!(!output.stderr.contains(PASSWORD), "{}", output.stderr);
    insta::assert_snapshot!(said(&output), @"warning: redis://127.0.0.1:PORT/0 cannot be used (Connection refused): this gateway goes on by itself, and budgets and limits a minute hold for each machine alone, until it is back");
    let wrong = home.openmux(["serve", "--state", &format!("http://:{PASSWORD}@h.example")]).run();
    insta::assert_snapshot!(wrong.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: --state is no address of a Redis: it does not begin with redis:// or
    rediss://
      fix:  redis://HOST:PORT/DB
    ");
    let Some(redis) = Redis::with(&["--requirepass", PASSWORD]) else { return };
    for (login, shares) in [("", false), (":wrong-password-0123456789@", false), (&format!(":{PASSWORD}@"), true)] {
        let state = format!("redis://{login}127.0.0.1:{}/3", redis.port());
        let machine = Machine::start(&servers, &state, "");
        if shares {
            machine.wait_sharing();
        }
        assert_eq!(machine.chat(json!({})).status, 200);
        let (output, _) = machine.end();
        assert!(!output.stderr.contains("password-0123456789"), "{}", output.stderr);
        let expected = if shares { "note: state is shared" } else { "warning: redis://127.0.0.1" };
        assert!(said(&output).is_empty() || said(&output).starts_with(expected), "{}", output.stderr);
    }
}

#[test]
fn nothing_of_the_sandbox_is_shared() {
    let home = Home::new();
    let run = home.openmux(["--sandbox", "serve", "--listen", "127.0.0.1:0", "--state", "redis://127.0.0.1:1/0"]);
    let mut running = run.spawn();
    let addr = running.listening();
    assert_eq!(ask(addr, "GET", "/readyz", b"", &[]).json()["sharing"], Value::Null);
    running.signal("TERM");
    let output = running.wait();
    assert!(output.stderr.contains("note: sandbox: nothing is shared with other gateways\n"), "{}", output.stderr);
}
