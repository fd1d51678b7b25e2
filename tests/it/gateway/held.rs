//! What waits for others' hold of the file, or for another machine, keeps no other request of its thread.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use openmux::gateway::{Allowance, Client, Config, Token};
use rusqlite::Connection;
use serde_json::json;

use super::super::support::overlay::overlay;
use super::super::support::server::Server;
use super::super::support::wire;
use super::{World, hello};

/// A gateway with one thread that answers, and a client with a budget beside one without.
fn world() -> World {
    let servers = vec![Server::repeating(wire::openai_whole("Hello.", (7, 3)))];
    let clients = |config: &mut Config| {
        let client = |name: &str, day_usd| {
            let token = Token::new(&format!("{name}-token-0123456789")).unwrap();
            Arc::new(Client::new(name.to_owned(), token, Allowance { day_usd, ..Allowance::default() }))
        };
        config.clients = vec![client("alice", Some("5".parse().unwrap())), client("bob", None)];
    };
    let mut world = World::answering(1, &[overlay(&servers, "openai-chat")], clients);
    world.servers = servers;
    world
}

#[test]
fn a_budget_that_waits_for_the_file_keeps_nobody_else() {
    let world = world();
    let file = Connection::open(world.folder.path().join("obs.db")).unwrap();
    file.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // One asks who has a budget, and is taken in before the other; the other is answered before it.
    let mut waiting = TcpStream::connect(world.addr).unwrap();
    let body = hello(json!({ "max_tokens": 100 })).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer alice-token-0123456789\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        world.addr,
        body.len()
    );
    waiting.write_all(format!("{head}{body}").as_bytes()).unwrap();
    for hits in 1..=3 {
        let bob = [("authorization", "Bearer bob-token-0123456789")];
        assert_eq!(world.post("/v1/chat/completions", &body, &bob).status, 200);
        assert_eq!(world.hits(), [hits], "nothing is sent before it is set aside");
    }
    file.execute_batch("COMMIT").unwrap();
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(world.hits(), [4]);
}
