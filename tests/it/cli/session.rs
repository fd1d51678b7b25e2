//! A conversation stays where its prompt cache is warm as long as that saves money, and where its signatures are good.
#![expect(clippy::disallowed_methods, reason = "what lies in the store's folder")]

use std::fmt::Write as _;

use openmux::store::sqlite::Sqlite;
use serde_json::{Value, json};

use super::super::support::command::{Home, Run};
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::error_line;

/// Two providers of one model that cache prompts; beta's plain input costs so much. Only money counts.
struct World {
    home: Home,
    servers: [Server; 2],
}

/// An answer to a prompt of 6,000 tokens, so many of them from the cache.
fn answer(cached: u64) -> Script {
    let usage = json!({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
        "usage": {"prompt_tokens": 6000, "completion_tokens": 3, "total_tokens": 6003,
                  "prompt_tokens_details": {"cached_tokens": cached}},
    });
    let mut events = wire::openai_events(&["Hello"], None);
    events.insert(events.len() - 1, wire::openai_event(&usage));
    Script::stream(events.into_iter().map(Step::bytes).collect())
}

impl World {
    fn new(beta: &str) -> Self {
        let servers = [Server::repeating(answer(0)), Server::repeating(answer(0))];
        let home = Home::new();
        let mut overlay = String::new();
        for (server, (name, price)) in servers.iter().zip([("alpha", "3"), ("beta", beta)]) {
            writeln!(
                overlay,
                "[provider.{name}]\nprotocol = \"openai-chat\"\nbase_url = \"{}/v1\"\nkey_env = \"{}_KEY\"\n\
                 [[endpoint]]\nprovider = \"{name}\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\ncontext = 100000\n\
                 max_output = 4096\nprice = {{ input = \"{price}\", output = \"5\", cache_read = \"0.01\" }}",
                server.base_url(),
                name.to_uppercase(),
            )
            .unwrap();
        }
        home.write("config/catalog.d/private.toml", &overlay);
        home.write("prompt.txt", &"word".repeat(6000));
        Self { home, servers }
    }

    fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        let run = self.home.openmux(args);
        run.env("ALPHA_KEY", "sk-alpha-0123456789").env("BETA_KEY", "sk-beta-0123456789")
    }

    fn chat(&self, more: &[&str]) -> Run {
        self.run(
            ["chat", "-m", "acme/tiny", "--seed", "1", "--prefer", "price", "-s", "@prompt.txt"]
                .into_iter()
                .chain(more.iter().copied()),
        )
    }

    fn explain(&self, more: &[&str]) -> Value {
        let args = ["route", "explain", "-m", "acme/tiny", "--prefer", "price", "-s", "@prompt.txt", "-o", "json"];
        let output = self.run(args.into_iter().chain(more.iter().copied())).run();
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()))
    }

    fn hits(&self) -> [usize; 2] {
        [self.servers[0].hits(), self.servers[1].hits()]
    }
}

#[test]
fn a_session_stays_where_its_prompt_is_cached_although_another_is_cheaper_without() {
    let world = World::new("2.5");
    assert_eq!(world.explain(&["hi"])["chosen"], "beta", "without a cache beta is cheaper");
    assert_eq!(world.chat(&["--session", "a", "--provider", "alpha", "one"]).run().code, Some(0));
    let document = world.explain(&["--session", "a", "two"]);
    assert_eq!(document["chosen"], "alpha");
    assert_eq!(document["request"]["continues"], true);
    assert_eq!(document["request"]["warm"], json!([{"provider": "alpha", "upstream_model": "tiny-1", "tokens": 6000}]));
    let switch = document["candidates"][1]["terms"].as_array().unwrap().iter().find(|term| term["kind"] == "switch");
    // 6,000 tokens at 2.50 instead of 0.01 $/M, as often as the cache holds them (0.8).
    assert_eq!(switch.unwrap()["usd"].to_string(), "0.011952");

    let output = world.chat(&["--session", "a", "two"]).run();
    assert_eq!((output.code, world.hits()), (Some(0), [2, 0]), "{}", output.snapshot());
    assert_eq!(world.explain(&["--session", "b", "two"])["chosen"], "beta", "another session knows nothing of it");
    let text = world.run(["route", "explain", "-m", "acme/tiny", "-s", "@prompt.txt", "--session", "a", "two"]).run();
    assert!(text.stdout.contains("+ $0.0119 switch + "), "{}", text.stdout);
    assert!(text.stdout.contains("alpha may hold 6,000 tokens of this conversation"), "{}", text.stdout);
}

#[test]
fn it_leaves_where_that_saves_money_and_says_what_leaving_costs() {
    let world = World::new("0.02");
    assert_eq!(world.chat(&["--session", "a", "--provider", "alpha", "one"]).run().code, Some(0));
    let output = world.chat(&["--session", "a", "two"]).run();
    assert_eq!((output.code, world.hits()), (Some(0), [1, 1]), "{}", output.snapshot());
    let note = "note: leaving the prompt cache at alpha for beta costs $0.000048 (";
    assert!(output.stderr.starts_with(note) && output.stderr.contains(" less in all)"), "{}", output.stderr);
    let json = world.chat(&["--session", "a", "-o", "json", "three"]).run();
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["decision"]["switch_usd"], json!(0), "it is warm at beta now: {document}");
}

#[test]
fn a_conversation_is_known_by_its_beginning_and_no_word_of_it_is_kept() {
    let world = World::new("2.5");
    let secret = "the quick brown fox";
    assert_eq!(world.chat(&["--provider", "alpha", secret]).run().code, Some(0));
    let turns = json!([{"role": "user", "content": secret}, {"role": "assistant", "content": "Hello"}]);
    world.home.write("turns.json", &turns.to_string());
    let document = world.explain(&["--messages", "turns.json", "and then?"]);
    assert_eq!((&document["chosen"], &document["request"]["continues"]), (&json!("alpha"), &json!(true)));
    let other = json!([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello"}]);
    world.home.write("turns.json", &other.to_string());
    let document = world.explain(&["--messages", "turns.json", "and then?"]);
    assert_eq!((&document["chosen"], &document["request"]["continues"]), (&json!("beta"), &json!(true)));
    let first = world.explain(&[secret]);
    assert_eq!(first["request"]["continues"], false, "a first question may be the last");

    let folder = world.home.path().join("data");
    drop(Sqlite::open_existing(&folder.join("obs.db")).unwrap());
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|five| five == b"quick" || five == b"brown"), "a prompt is on disk");
    }
}

#[test]
fn what_one_provider_signed_is_not_sent_to_another() {
    let world = World::new("2.5");
    let turns = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi.", "reasoning": "Hm.", "signature": "c2ln",
         "origin": {"provider": "alpha", "protocol": "openai-chat"}},
    ]);
    world.home.write("turns.json", &turns.to_string());
    let document = world.explain(&["--messages", "turns.json", "and then?"]);
    assert_eq!(document["chosen"], "alpha");
    assert_eq!(document["rejected"][0]["provider"], "beta");
    assert_eq!(
        document["rejected"][0]["reasons"],
        json!([{"code": "foreign_state", "text": "cannot take back the reasoning or tool calls that alpha signed"}])
    );
    let output = world.chat(&["--messages", "turns.json", "--provider", "beta", "-o", "json", "and then?"]).run();
    let error = error_line(&output);
    assert_eq!(
        (output.code, &error["code"], world.hits()),
        (Some(6), &json!("rejected.foreign_state"), [0, 0]),
        "{error}"
    );
}

#[test]
fn where_a_signature_does_not_say_who_made_it_the_store_does() {
    let world = World::new("2.5");
    assert_eq!(world.chat(&["--provider", "alpha", "Hello"]).run().code, Some(0));
    let turns = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi.", "reasoning": "Hm.", "signature": "c2ln"},
    ]);
    world.home.write("turns.json", &turns.to_string());
    let known = world.explain(&["--messages", "turns.json", "and then?"]);
    assert_eq!(known["request"]["state"], json!([{"provider": "alpha", "protocol": "openai-chat"}]));
    assert_eq!(known["rejected"][0]["reasons"][0]["code"], "foreign_state");
    // Two places it may be from: nobody is turned away on a guess.
    assert_eq!(world.chat(&["--provider", "beta", "Hello"]).run().code, Some(0));
    let either = world.explain(&["--messages", "turns.json", "and then?"]);
    assert_eq!((&either["request"]["state"], &either["rejected"]), (&json!([]), &json!([])));
}
