//! A provider that comes back after an outage: it gets a share of what comes, and the others the rest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openmux::gateway::Config;
use serde_json::{Value, json};

use super::super::support::gate::Gate;
use super::super::support::overlay::serving;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, hello};

/// Seconds that have passed.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// A clock that stands still unless it is set.
fn clock() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + PASSED.load(Ordering::Relaxed))
}

fn passes(seconds: u64) {
    PASSED.fetch_add(seconds, Ordering::Relaxed);
}

/// The first is asked first for as long as it is there, whatever was seen.
fn order(mut more: Value) -> Value {
    more["provider"] = json!({ "order": ["alpha", "beta"] });
    more
}

/// So many in flight run nobody over.
const FEW: usize = 32;

/// A gateway before two providers, the first of which fails at first, and answers some requests slowly after its trial.
fn world(gate: &Gate) -> World {
    let events = wire::openai_events(&["Hello", ", you."], Some((7, 3)));
    let slow = vec![Step::bytes(events[..2].concat()), Step::Pause(gate.clone()), Step::bytes(events[2..].concat())];
    let good = || wire::openai_whole("Hello.", (7, 3));
    let mut alpha = vec![wire::openai_error(500, "server_error", None, "Oh"), good()];
    alpha.extend(std::iter::repeat_n(Script::stream(slow), FEW));
    alpha.extend(std::iter::repeat_with(good).take(100));
    let servers = vec![Server::start(alpha), Server::repeating(good())];
    let places: Vec<_> = servers.iter().map(|server| (server.base_url(), "tiny")).collect();
    let patient = |config: &mut Config| config.idle = Some(Duration::from_secs(600));
    let mut world = World::clocked(clock, 1, &[serving(places, "openai-chat")], patient);
    world.servers = servers;
    world
}

#[test]
fn who_comes_back_gets_more_and_more_while_it_is_busy() {
    let gate = Gate::new();
    let world = world(&gate);
    // So many go to the first, of so many that come.
    let chats = |many: usize| {
        let before = world.hits()[0];
        for _ in 0..many {
            assert_eq!(world.chat(&hello(order(json!({})))).status, 200);
        }
        world.hits()[0] - before
    };
    assert_eq!(chats(1), 1, "it fails, and the other answers");
    assert_eq!(chats(3), 0, "it is left alone");
    passes(5);
    assert_eq!(chats(1), 1, "the one trial");
    // A few are let in; they stay for long.
    let body = hello(order(json!({ "stream": true }))).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        world.addr,
        body.len()
    );
    let ask = |at: usize| {
        let mut slow = TcpStream::connect(world.addr).unwrap();
        slow.write_all(format!("{head}{body}").as_bytes()).unwrap();
        world.servers[0].wait_hits(3 + at);
        slow
    };
    let slow: Vec<TcpStream> = (0..FEW).map(ask).collect();
    let tenth = chats(30);
    passes(15);
    let quarter = chats(30);
    passes(10);
    let half = chats(30);
    let shares = (1..=8).contains(&tenth) && (3..=13).contains(&quarter) && (9..=21).contains(&half);
    assert!(shares, "{tenth}, {quarter} and {half} of 30");
    passes(10);
    assert_eq!(chats(10), 10, "and then everything");
    gate.open();
    for mut slow in slow {
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(", you.") && answer.contains("[DONE]"), "{answer}");
    }
}
