//! What is unusual about a Redis or a machine: copies of a store, values that are not ours, TLS.

use serde_json::json;

use super::super::super::support::command::Home;
use super::super::super::support::overlay::overlay;
use super::super::super::support::redis::Redis;
use super::super::super::support::server::Server;
use super::{Machine, answer, broken, said};

/// Two gateways each of which was given a copy of one machine's store.
#[test]
fn copies_of_one_store_hear_each_other() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(broken()), Server::repeating(answer())];
    let first = Machine::start(&servers, &redis.url(), "");
    first.wait_sharing();
    let (_, home) = first.end();
    let copy = || {
        let other = Home::new();
        for name in ["config/catalog.d/private.toml", "config/config.toml", "data/obs.db"] {
            let to = other.path().join(name);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(home.path().join(name), to).unwrap();
        }
        Machine::at(other, &redis.url(), &[])
    };
    let (one, two) = (copy(), copy());
    [&one, &two].into_iter().for_each(Machine::wait_sharing);
    assert_eq!(one.chat(json!({})).header("x-openmux-attempts"), "2");
    two.wait("the outage", |two| two.rejects("alpha"));
    assert_eq!(two.chat(json!({})).header("x-openmux-attempts"), "1");
    assert_eq!(servers[0].hits(), 1);
    // Whoever begins again has its own past in its own file, and hears it from nobody.
    let (_, home) = one.end();
    let again = Machine::at(home, &redis.url(), &[]);
    again.wait_sharing();
    assert!(again.rejects("alpha"));
    drop(again.end());
    drop(two.end());
}

/// Bytes that are no text, values of a newer version, and what is no news at all lie where all listen.
#[test]
fn what_is_nobodys_news_is_passed_over() {
    let Some(redis) = Redis::start() else { return };
    let news: [&[&[u8]]; 5] = [
        &[b"by", b"\xff\xfe\x00", b"seen", b"\x80\x81"],
        &[b"\xc3\x28", b"x", b"by", b"me", b"as", b"\xff"],
        &[b"by", b"me", b"as", b"you", b"seen", b"{\"ts_ms\":-9223372036854775808}"],
        &[b"by", b"me", b"as", b"you", b"seen", b"[[[[[[[[[[", b"seen2", b"{}"],
        &[b"by", b"me", b"as", b"you", b"colour", b"red", b"stay", b"{\"id\":\"\"}"],
    ];
    let strange = || {
        for fields in news {
            let head: [&[u8]; 3] = [b"XADD", b"openmux:1:news", b"*"];
            redis.tell(&[&head[..], fields].concat());
        }
    };
    strange();
    let servers = vec![Server::repeating(broken()), Server::repeating(answer())];
    let machines = [Machine::start(&servers, &redis.url(), ""), Machine::start(&servers, &redis.url(), "")];
    machines.iter().for_each(Machine::wait_sharing);
    strange();
    assert_eq!(machines[0].chat(json!({})).header("x-openmux-attempts"), "2");
    machines[1].wait("the outage", |two| two.rejects("alpha"));
    for machine in machines {
        let (output, _) = machine.end();
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&output), @"note: state is shared through redis://127.0.0.1:PORT/3");
        }
    }
}

#[test]
fn a_redis_is_spoken_to_over_tls_where_it_shows_who_it_is() {
    let Some((_redis, state, authorities)) = Redis::with_tls() else { return };
    let servers = vec![Server::repeating(answer())];
    let machine = Machine::start(&servers, &state, "");
    assert_eq!(machine.chat(json!({})).status, 200);
    let (output, home) = machine.end();
    let told = said(&output);
    assert!(told.is_empty() || told.contains("cannot be used (invalid peer certificate: UnknownIssuer)"), "{told}");
    let machine = Machine::knowing(home, &state, &[], &authorities.display().to_string());
    machine.wait_sharing();
    let (output, _) = machine.end();
    assert!(said(&output).starts_with("note: state is shared through rediss://localhost:"), "{}", output.stderr);
}

/// A client with a budget and limits a minute.
fn limited(servers: &[Server], redis: &Redis) -> Machine {
    let home = Home::new();
    home.write("config/catalog.d/private.toml", &overlay(servers, "openai-chat"));
    let tokens = "[[token]]\nname = \"alice\"\ntoken = \"alice-token-0123456789\"\nday_usd = 5\nrequests_per_minute = 60\n\
        tokens_per_minute = 1000\n";
    let file = home.write("config/tokens.toml", tokens);
    Machine::at(home, &redis.url(), &["--tokens", &file.display().to_string()])
}

/// What counts is let go when nobody uses it any more, and not before its day or minute is over.
#[test]
fn budgets_and_limits_are_kept_for_as_long_as_they_hold() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    let machine = limited(&servers, &redis);
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    const DAY: i64 = 24 * 3_600_000;
    let budget = redis.kept_for("openmux:1:budget:client:alice:").unwrap();
    assert!((32 * DAY..=40 * DAY).contains(&budget), "longer than a month: {budget}");
    let minute = redis.kept_for("openmux:1:minute:alice:requests:").unwrap();
    assert!((1..=120_000).contains(&minute), "{minute}");
    drop(machine.end());
}

/// What was expected of tokens beyond what was used is there for the other machines.
#[test]
fn tokens_of_a_minute_that_were_not_used_are_given_back_to_all() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    let machine = limited(&servers, &redis);
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 900 })).status, 200);
    // As it was left by whoever took last, in sixty-thousandths.
    let left = || {
        let held = redis.dump();
        let mut lines = held.lines().skip_while(|line| !line.starts_with("openmux:1:minute:alice:tokens:1000 "));
        let words: Vec<&str> = lines.nth(1).unwrap_or_else(|| panic!("{held}")).split(' ').collect();
        let at = words.iter().position(|word| *word == "left").unwrap();
        words[at + 1].parse::<i64>().unwrap() / 60_000
    };
    machine.wait("what was not used", |_| left() > 900);
    drop(machine.end());
}

/// Somebody else's values lie where money and requests are counted.
#[test]
fn values_of_another_type_where_it_counts_fail_nothing() {
    let Some(redis) = Redis::start() else { return };
    let servers = vec![Server::repeating(answer())];
    // Which names those are, a machine shows.
    let machine = limited(&servers, &redis);
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    let names = ["budget:client:alice:", "minute:alice:requests:"].map(|name| {
        let held = redis.dump();
        let line = held.lines().find(|line| line.starts_with(&format!("openmux:1:{name}")));
        line.unwrap_or_else(|| panic!("{held}")).split(' ').next().unwrap().to_owned()
    });
    for (asked, name) in names.iter().enumerate() {
        machine.wait_sharing();
        redis.tell(&[b"SET", name.as_bytes(), b"mine"]);
        assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200, "{name}");
        assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200, "{name}");
        redis.tell(&[b"DEL", name.as_bytes()]);
        machine.wait_sharing();
        assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200, "{name}");
        assert_eq!(servers[0].hits(), 1 + 3 * (asked + 1));
        machine.wait("counting", |_| redis.kept_for(name).is_some());
    }
    let (output, _) = machine.end();
    assert!(said(&output).contains("WRONGTYPE"), "{}", said(&output));
}

/// Somebody else's value lies at a name of ours: that is said once, and nothing fails for it.
#[test]
fn a_name_that_somebody_else_uses_is_said_and_fails_nothing() {
    let Some(redis) = Redis::start() else { return };
    redis.tell(&[b"SET", b"openmux:1:news", b"mine"]);
    let servers = vec![Server::repeating(answer())];
    let machine = Machine::start(&servers, &redis.url(), "[budget]\nday_usd = 5\n");
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    machine.wait("being alone", |machine| !machine.is_sharing());
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    redis.tell(&[b"DEL", b"openmux:1:news"]);
    machine.wait_sharing();
    assert_eq!(machine.chat(json!({ "max_tokens": 10 })).status, 200);
    let (output, _) = machine.end();
    let said = said(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[1].starts_with("warning: ") && lines[1].contains("WRONGTYPE"), "{said}");
}
