//! Updates at the same time, updates that are killed, and everybody else meanwhile.

use super::super::super::support::command::Home;
use super::super::super::support::gate::Gate;
use super::super::super::support::server::{Script, Server, Step};
use super::{answer, current, held, list, moved, page, price_of, update, updated};

fn slow(gate: &Gate) -> Script {
    let body = list().to_string().into_bytes();
    let steps = vec![Step::Bytes(body[..1000].to_vec()), Step::Pause(gate.clone()), Step::Bytes(body[1000..].to_vec())];
    Script::stream_of("application/json", steps)
}

#[test]
fn one_at_a_time() {
    let (home, _server) = updated();
    let lock = std::fs::File::create(home.path().join("cache/catalog.lock")).unwrap();
    lock.lock().unwrap();
    let server = Server::repeating(answer(&list()));
    let before = held(&home);
    let update = || update(&home, &server, &[]).run();
    let back = home.openmux(["catalog", "rollback"]).run();
    insta::assert_snapshot!(format!("{}\n{}", page(&update()), page(&back)), @r"
    exit: 8
    --- stdout

    --- stderr
    error: another openmux is changing the catalog
      folder  $TMP/cache
      in use  the catalog of TODAY stays (an update)
      fix:    wait until it is done, and try again

    exit: 8
    --- stdout

    --- stderr
    error: another openmux is changing the catalog
      folder  $TMP/cache
      fix:    wait until it is done, and try again
    ");
    assert_eq!(held(&home), before);
    drop(lock);
    assert_eq!(update().code, Some(0));
}

#[test]
fn a_source_that_is_slow_keeps_nobody_waiting() {
    let home = Home::new();
    let gate = Gate::new();
    let server = Server::start(vec![slow(&gate), answer(&moved())]);
    let first = update(&home, &server, &[]).spawn();
    gate.wait_reached();
    let second = update(&home, &server, &[]).run();
    assert_eq!(second.code, Some(0), "{}", second.snapshot());
    let fetched = held(&home);
    // What was asked for before, and came after, is no newer.
    gate.open();
    let first = first.wait();
    assert_eq!(first.code, Some(0), "{}", first.snapshot());
    assert!(first.stdout.contains("is the newest of"), "{}", first.snapshot());
    assert_eq!(held(&home), fetched);
}

#[test]
fn what_comes_late_is_held_against_what_is_there_by_then() {
    let home = Home::new();
    let gate = Gate::new();
    let server = Server::start(vec![slow(&gate)]);
    let first = update(&home, &server, &[]).spawn();
    gate.wait_reached();
    let mut dear = list();
    for provider in ["anthropic", "groq", "openai"] {
        for model in dear[provider]["models"].as_object_mut().unwrap().values_mut() {
            model["cost"] = serde_json::json!({"input": 1234, "output": 1234});
        }
    }
    let elsewhere = Server::start(vec![answer(&dear)]);
    let second = update(&home, &elsewhere, &["--allow", "prices"]).run();
    assert_eq!(second.code, Some(0), "{}", second.snapshot());
    let there = held(&home);
    gate.open();
    let first = first.wait();
    assert_eq!(first.code, Some(11), "{}", first.snapshot());
    assert!(first.stderr.contains("1234/1234 -> "), "{}", first.snapshot());
    assert_eq!(held(&home), there);
}

#[test]
fn what_was_unchanged_and_is_gone_by_then_is_fetched_anew() {
    let home = Home::new();
    let gate = Gate::new();
    let steps = vec![Step::Pause(gate.clone()), Step::bytes("HTTP/1.1 304 Not Modified\r\n\r\n"), Step::Close];
    let server = Server::start(vec![answer(&moved()).header("etag", "\"one\""), Script::raw(steps), answer(&moved())]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let first = update(&home, &server, &[]).spawn();
    gate.wait_reached();
    let back = home.openmux(["catalog", "rollback", "--embedded"]).run();
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    gate.open();
    insta::assert_snapshot!(page(&first.wait()), @r"
    exit: 8
    --- stdout

    --- stderr
    error: http://127.0.0.1:PORT/api.json was not used: another openmux has changed
    the catalog meanwhile
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    openmux catalog update
    ");
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
}

/// What a rollback leaves that is killed between its renames, and between the link and the first of them.
#[test]
#[cfg(unix)]
fn a_rollback_that_is_killed_loses_nothing() {
    for commands in [&["rollback"][..], &["status", "rollback"], &["path", "status", "rollback"]] {
        let (home, _server) = updated();
        let previous = held(&home);
        let server = Server::repeating(answer(&list()));
        assert_eq!(update(&home, &server, &[]).run().code, Some(0));
        let lost = held(&home);
        let cache = |name: &str| home.path().join("cache").join(name);
        std::fs::hard_link(current(&home), cache("catalog.old")).unwrap();
        std::fs::rename(cache("catalog.previous.txt"), current(&home)).unwrap();
        let chat = home.openmux(["--sandbox", "chat", "-q", "-m", "claude-sonnet-5", "hi"]).run();
        assert_eq!((chat.code, chat.stderr.as_str()), (Some(0), ""), "{}", chat.snapshot());
        assert_eq!(held(&home), previous, "what it went back to is in use");
        for command in commands {
            let output = home.openmux(["catalog", command]).run();
            assert_eq!(output.code, Some(0), "{command}: {}", output.snapshot());
            assert!(!cache("catalog.old").exists(), "{command}");
        }
        assert_eq!(held(&home), lost, "{commands:?}: the way back is there");
    }
    // The link alone: nothing has moved yet, and nothing moves.
    let (home, _server) = updated();
    let before = held(&home);
    std::fs::hard_link(current(&home), home.path().join("cache/catalog.old")).unwrap();
    let status = home.openmux(["catalog", "status", "-o", "json"]).run();
    assert!(status.stdout.contains("\"previous\":null"), "{}", status.snapshot());
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), None, "the one in the program was before it");
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), before);
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

/// A process that may write no more than so many bytes of a file is killed by the system at that byte (SIGXFSZ).
#[test]
#[cfg(unix)]
fn one_that_is_killed_at_any_byte_of_the_writing_leaves_what_was_there() {
    let (home, _server) = updated();
    let before = held(&home).unwrap();
    let known = price_of(&home, "anthropic/claude-sonnet-5");
    let from = home.write("api.json", &list().to_string());
    let from = from.to_string_lossy();
    let blocks = before.len() / 512;
    for limit in [0, 1, blocks / 3, blocks / 2, blocks - 1] {
        let script = format!("ulimit -c 0; ulimit -f {limit}; exec \"$0\" \"$@\"");
        let killed = home.shell(&script, ["catalog", "update", "--from", &from]).run();
        assert_eq!(killed.code, None, "at {limit}: {}", killed.snapshot());
        assert_eq!(held(&home).as_ref(), Some(&before), "at {limit}");
        assert!(size(&home, "catalog.new") <= limit * 512, "at {limit}");
        let output = home.openmux(["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"]).run();
        assert_eq!(output.code, Some(0), "at {limit}: {}", output.snapshot());
        assert!(!output.stderr.contains("warning"), "at {limit}: {}", output.snapshot());
        assert_eq!(price_of(&home, "anthropic/claude-sonnet-5"), known);
    }
    let next = home.openmux(["catalog", "update", "--from", &from]).run();
    assert_eq!(next.code, Some(0), "{}", next.snapshot());
    assert_ne!(held(&home).as_ref(), Some(&before));
}

#[cfg(unix)]
fn size(home: &Home, name: &str) -> usize {
    let about = std::fs::metadata(home.path().join("cache").join(name));
    about.map_or(0, |about| about.len().try_into().unwrap())
}

/// A name that cannot be taken ends an update between two of its steps, as a kill there does: what it leaves is whole.
#[test]
#[cfg(unix)]
fn one_that_ends_between_two_steps_leaves_a_whole_catalog() {
    for step in ["catalog.new", "catalog.old", "catalog.previous.txt"] {
        let (home, _server) = updated();
        let before = held(&home);
        let known = price_of(&home, "anthropic/claude-sonnet-5");
        home.write(&format!("cache/{step}/in-the-way"), "");
        let server = Server::start(vec![answer(&list()), answer(&list())]);
        let failed = update(&home, &server, &[]).run();
        assert_eq!(failed.code, Some(5), "{step}: {}", failed.snapshot());
        assert_eq!(held(&home), before, "{step}");
        assert_eq!(price_of(&home, "anthropic/claude-sonnet-5"), known, "{step}");
        std::fs::remove_dir_all(home.path().join("cache").join(step)).unwrap();
        let next = update(&home, &server, &[]).run();
        assert_eq!(next.code, Some(0), "{step}: {}", next.snapshot());
        assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0), "{step}");
        assert_eq!(held(&home), before, "{step}: the way back is there");
    }
    // The last step: the one before is kept already, and the new one lies beside the old.
    let (home, _server) = updated();
    std::fs::hard_link(current(&home), home.path().join("cache/catalog.previous.txt")).unwrap();
    home.write("cache/catalog.new", "openmux-catalog 2 half");
    let output = home.openmux(["--sandbox", "chat", "-q", "-m", "claude-sonnet-5", "hi"]).run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
}

#[test]
fn there_is_a_whole_catalog_at_every_moment() {
    let (home, _server) = updated();
    // Each of these replaces the catalog, and some go back; whoever reads meanwhile has the one or the other.
    let lists = [list(), moved(), list(), moved(), list(), moved()].map(|list| Server::start(vec![answer(&list)]));
    let changes = || {
        let change = |(at, server): (usize, &Server)| {
            let mut all = vec![update(&home, server, &[]).run()];
            if at % 2 == 1 {
                all.push(home.openmux(["catalog", "rollback"]).run());
            }
            if at == 3 {
                all.push(home.openmux(["catalog", "rollback", "--embedded"]).run());
            }
            all
        };
        lists.iter().enumerate().flat_map(change).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let changed = scope.spawn(changes);
        while !changed.is_finished() {
            let output = home.openmux(["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"]).run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            assert!(!output.stderr.contains("warning"), "{}", output.snapshot());
            let price = price_of(&home, "anthropic/claude-sonnet-5");
            let whole = [("2", "10", "1000000"), ("2.75", "12.5", "1500000")];
            let whole = whole.map(|(i, o, context)| format!("anthropic/claude-sonnet-5\t{i}\t{o}\t{context}\n"));
            assert!(whole.contains(&price), "{price}");
        }
        for output in changed.join().unwrap() {
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
        }
    });
}
