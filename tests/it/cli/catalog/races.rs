//! Updates at the same time, updates that are killed, and everybody else meanwhile.

use super::super::super::support::command::Home;
use super::super::super::support::gate::Gate;
use super::super::super::support::server::{Script, Server, Step};
use super::{answer, held, list, moved, page, update, updated};

fn slow(gate: &Gate) -> Script {
    let body = list().to_string().into_bytes();
    let steps = vec![Step::Bytes(body[..1000].to_vec()), Step::Pause(gate.clone()), Step::Bytes(body[1000..].to_vec())];
    Script::stream_of("application/json", steps)
}

#[test]
fn one_at_a_time() {
    let home = Home::new();
    let gate = Gate::new();
    let server = Server::start(vec![slow(&gate)]);
    let first = update(&home, &server, &[]).spawn();
    gate.wait_reached();
    let second = update(&home, &server, &[]).run();
    let back = home.openmux(["catalog", "rollback"]).run();
    insta::assert_snapshot!(format!("{}\n{}", page(&second), page(&back)), @r"
    exit: 8
    --- stdout

    --- stderr
    error: another openmux is changing the catalog
      folder  $TMP/cache
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    wait until it is done, and try again

    exit: 8
    --- stdout

    --- stderr
    error: another openmux is changing the catalog
      folder  $TMP/cache
      fix:    wait until it is done, and try again
    ");
    gate.open();
    let first = first.wait();
    assert_eq!(first.code, Some(0), "{}", first.snapshot());
    assert_eq!(server.hits(), 1);
}

#[test]
#[cfg(unix)]
fn one_that_is_killed_leaves_what_was_there_and_no_lock() {
    let (home, _server) = updated();
    let before = held(&home);
    let gate = Gate::new();
    let server = Server::start(vec![slow(&gate)]);
    let killed = update(&home, &server, &[]).spawn();
    gate.wait_reached();
    killed.signal("KILL");
    assert_eq!(killed.wait().code, None);
    gate.open();
    // What is left of one that was killed while it wrote.
    home.write("cache/catalog.new", "openmux-catalog 1 half");
    assert_eq!(held(&home), before);
    let server = Server::start(vec![answer(&list())]);
    let next = update(&home, &server, &[]).run();
    assert_eq!(next.code, Some(0), "{}", next.snapshot());
    assert_ne!(held(&home), before);
}

#[test]
fn there_is_a_whole_catalog_at_every_moment() {
    let (home, _server) = updated();
    // Each of these replaces the catalog; whoever reads meanwhile has the one or the other.
    let lists = [list(), moved(), list(), moved()].map(|list| Server::start(vec![answer(&list)]));
    std::thread::scope(|scope| {
        let updates = scope.spawn(|| lists.iter().map(|server| update(&home, server, &[]).run()).collect::<Vec<_>>());
        while !updates.is_finished() {
            let output = home.openmux(["--sandbox", "chat", "-q", "-m", "claude-sonnet-5", "hi"]).run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            let shown = home.openmux(["models", "list", "claude-sonnet-5", "-o", "json", "--limit", "1"]).run();
            assert!(shown.stdout.contains("\"source\":\"updated\"") && shown.stderr.is_empty(), "{}", shown.snapshot());
        }
        for output in updates.join().unwrap() {
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
        }
    });
}
