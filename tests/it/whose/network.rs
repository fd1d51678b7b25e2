//! V12 and V13: the network, names, and connections that went stale.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use jiff::Timestamp;
use openmux::dispatch::{Notice, Reach};
use openmux::observe::{CostState, ErrorClass, Fault, Flags};
use openmux::routing::GiveUp;
use openmux::store::Memory;

use super::super::support::server::Server;
use super::super::support::wire;
use super::{Leads, at, chat, chat_among, classes, closed, reach, runtime, transport};

/// So many seconds after ten o'clock.
fn later(seconds: u64) -> impl Fn() -> Timestamp + Sync {
    move || "2026-11-24T10:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(seconds)
}

fn answering() -> Server {
    Server::start(vec![wire::openai_stream(&["Hello"], Some((7, 3)))])
}

const THREE: [(&str, Leads); 3] = [("a.test", Leads::Here), ("b.test", Leads::Here), ("c.test", Leads::Here)];

#[test]
fn one_host_is_dead_and_the_next_one_answers_without_any_check() {
    let server = answering();
    let reaches = [reach("a", closed("a.test")), reach("b", at("b.test", &server.base_url()))];
    let store = Memory::new();
    let (report, heard) = runtime().block_on(chat(&reaches, &transport(&THREE, None), &store, 0));
    assert_eq!(classes(&report), ["unreachable", "ok"]);
    assert_eq!(report.attempts[0].fault, Some(Fault::Provider), "the answer of the other shows that the network is up");
    assert_eq!((server.hits(), heard.text.as_str()), (1, "Hello"));
    let seen = store.observations();
    let seen: Vec<_> = seen.iter().map(|seen| (seen.endpoint.provider.as_str(), seen.class)).collect();
    assert_eq!(seen, [("a", ErrorClass::Unreachable), ("b", ErrorClass::Ok)]);
    assert!(!store.observations()[0].flags.has(Flags::UNCONFIRMED));
}

#[test]
fn all_hosts_are_dead_and_nobody_is_blamed() {
    let reaches = ["a", "b", "c"].map(|name| reach(name, closed(&format!("{name}.test"))));
    let store = Memory::new();
    let (report, heard) = runtime().block_on(chat(&reaches, &transport(&THREE, None), &store, 2));
    assert_eq!(classes(&report), ["local_network", "local_network"], "no storm: the third is not even tried");
    assert_eq!(report.gave_up, Some(GiveUp::Final));
    assert!(store.observations().iter().all(|seen| seen.class == ErrorClass::LocalNetwork));
    assert_eq!(heard.notices.iter().filter(|notice| matches!(notice, Notice::FailingOver { .. })).count(), 1);
    assert!(report.attempts.iter().all(|attempt| attempt.cost_state == CostState::None));
}

#[test]
fn the_resolver_is_dead() {
    let names = THREE.map(|(name, _)| (name, Leads::Silence));
    let reaches = ["a", "b", "c"].map(|name| reach(name, format!("http://{name}.test/v1")));
    let store = Memory::new();
    let (report, _) = runtime().block_on(chat(&reaches, &transport(&names, None), &store, 2));
    assert_eq!(classes(&report), ["local_network", "local_network"]);
    assert_eq!(report.attempts[0].fault, Some(Fault::Network));
}

#[test]
fn one_name_does_not_exist() {
    let names = [("a.test", Leads::Nowhere), ("b.test", Leads::Here)];
    let server = Server::repeating(wire::openai_stream(&["Hello"], Some((7, 3))));
    let reaches = [reach("a", "http://a.test/v1".into()), reach("b", at("b.test", &server.base_url()))];
    let store = Memory::new();
    // It never led anywhere: a mistake in the address, which says nothing of the provider.
    let (report, _) = runtime().block_on(chat(&reaches, &transport(&names, None), &store, 0));
    assert_eq!(classes(&report), ["local_config", "ok"]);
    assert_eq!(report.attempts[0].fault, Some(Fault::Address));
    // It has answered before: it is gone.
    let elsewhere = Server::start(vec![wire::openai_stream(&["Hello"], Some((7, 3)))]);
    let before = [reach("a", at("a.test", &elsewhere.base_url()))];
    let (report, _) = runtime().block_on(chat(&before, &transport(&THREE, None), &store, 0));
    assert_eq!(classes(&report), ["ok"]);
    let (report, _) = runtime().block_on(chat(&reaches, &transport(&names, None), &store, 0));
    assert_eq!(classes(&report), ["unreachable", "ok"]);
}

#[test]
fn the_last_candidate_is_asked_about_before_it_is_blamed() {
    // Two are set up; the second one, which runs, is asked only for its TCP.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = reach("b", format!("http://b.test:{}/v1", listener.local_addr().unwrap().port()));
    let dead = [reach("a", closed("a.test")), other];
    let store = Memory::new();
    let runtime = runtime();
    let ask = |reaches: &[Reach], store: &Memory| {
        let network = transport(&THREE, None);
        runtime.block_on(chat_among(&reaches[..1], reaches, &network, store, 0, later(0)))
    };
    let (report, _) = ask(&dead, &store);
    assert_eq!((classes(&report), report.attempts[0].fault), (vec!["unreachable"], Some(Fault::Provider)));
    let (mut knocked, _) = listener.accept().unwrap();
    let mut sent = Vec::new();
    knocked.read_to_end(&mut sent).unwrap();
    assert!(sent.is_empty(), "nothing is said to it");
    // With nobody else it is taken for the provider's, and marked.
    let alone = [dead[0].clone()];
    let store = Memory::new();
    let (report, _) = ask(&alone, &store);
    assert_eq!((classes(&report), report.attempts[0].fault), (vec!["unreachable"], Some(Fault::Unconfirmed)));
    assert!(store.observations()[0].flags.has(Flags::UNCONFIRMED));
}

#[test]
fn a_success_elsewhere_within_the_last_minute_stands_in_for_the_check() {
    let server = answering();
    let store = Memory::new();
    let runtime = runtime();
    let network = transport(&THREE, None);
    let lively = [reach("b", at("b.test", &server.base_url()))];
    runtime.block_on(chat(&lively, &network, &store, 0));
    // Its server is gone now, so that a check would find nobody.
    drop(server);
    let dead = [reach("a", closed("a.test"))];
    let both = [dead[0].clone(), lively[0].clone()];
    let (report, _) = runtime.block_on(chat_among(&dead, &both, &network, &store, 0, later(59)));
    assert_eq!(classes(&report), ["unreachable"]);
    let (report, _) = runtime.block_on(chat_among(&dead, &both, &network, &store, 0, later(61)));
    assert_eq!(classes(&report), ["local_network"]);
    let (report, _) = runtime.block_on(chat_among(&dead, &dead, &network, &store, 0, later(500)));
    assert_eq!(report.attempts[0].fault, Some(Fault::Unconfirmed));
}

#[test]
fn a_server_on_this_machine_is_never_an_outage_and_never_asked_about() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = reach("c", format!("http://c.test:{}/v1", listener.local_addr().unwrap().port()));
    let all = [reach("a", closed("127.0.0.1")), reach("b", closed("127.0.0.1")), elsewhere];
    let store = Memory::new();
    let (network, now) = (transport(&THREE, None), later(0));
    let (report, _) = runtime().block_on(chat_among(&all[..2], &all, &network, &store, 2, now));
    assert_eq!(classes(&report), ["local_config", "local_config"]);
    assert_eq!(report.attempts[0].fault, Some(Fault::NotRunning));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody is asked");
}

/// Reads one request, head and body.
fn read(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return false;
        }
        seen.extend(byte);
    }
    let head = String::from_utf8_lossy(&seen).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    true
}

fn say(stream: &mut TcpStream) {
    let body = wire::openai_events(&["Hello"], Some((7, 3))).concat();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
}

#[test]
fn a_connection_that_went_stale_is_one_fresh_try_and_one_observation() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://a.test:{}/v1", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        assert!(read(&mut first));
        say(&mut first);
        // It promised to keep the connection, takes the next request, and goes.
        assert!(read(&mut first));
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        assert!(read(&mut second));
        say(&mut second);
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_err()
    });
    let (store, reaches, network) = (Memory::new(), [reach("a", url)], transport(&THREE, None));
    runtime().block_on(async {
        for _ in 0..2 {
            let (report, heard) = chat(&reaches, &network, &store, 2).await;
            assert_eq!((classes(&report), heard.text.as_str()), (vec!["ok"], "Hello"));
            assert_eq!(heard.notices.len(), 1, "silently: {:?}", heard.notices);
        }
    });
    assert!(server.join().unwrap(), "one fresh try and no more");
    let seen = store.observations();
    assert_eq!(seen.len(), 2, "none is lost and none invented");
    assert!(seen.iter().all(|seen| seen.class == ErrorClass::Ok && !seen.flags.has(Flags::REUSED)));
}

#[test]
fn a_fresh_connection_that_closes_is_the_providers_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://a.test:{}/v1", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let (mut only, _) = listener.accept().unwrap();
        assert!(read(&mut only));
    });
    let store = Memory::new();
    let (report, _) = runtime().block_on(chat(&[reach("a", url)], &transport(&THREE, None), &store, 0));
    server.join().unwrap();
    assert_eq!((classes(&report), report.attempts[0].fault), (vec!["provider_fault"], None));
    assert_eq!(store.observations().len(), 1);
}
