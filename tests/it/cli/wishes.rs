//! Constraints, profiles, hosted rules, fallback models, and what would change a decision, through the command line.

use openmux::catalog::Protocol;
use serde_json::Value;

use super::super::support::command::Output;
use super::super::support::server::Server;
use super::super::support::wire;
use super::{World, answer, error_line};

/// `alpha` is cheap, `beta` is dear; what each answers is `Hello, you.`.
fn pair() -> World {
    let protocol = Protocol::OpenaiChat;
    World::openai(vec![Server::repeating(answer(protocol)), Server::repeating(answer(protocol))])
}

fn explain(world: &World, more: &[&str]) -> Output {
    let common = ["route", "explain", "acme/tiny", "--seed", "1"];
    world.openmux(common.into_iter().chain(more.iter().copied())).run()
}

fn document(world: &World, more: &[&str]) -> Value {
    let output = explain(world, &[more, &["-o", "json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()))
}

fn order(document: &Value) -> Vec<&str> {
    document["candidates"].as_array().unwrap().iter().map(|entry| entry["provider"].as_str().unwrap()).collect()
}

const NOON: [&str; 2] = ["--at", "2026-11-24T12:00:00Z"];

#[test]
fn a_page_says_what_would_change_it_and_why_another_is_not_first() {
    let world = pair();
    insta::assert_snapshot!(explain(&world, &[&NOON[..], &["--why", "beta"]].concat()).snapshot(), @r"
    exit: 0
    --- stdout
    alpha would answer. Nothing was sent.
    acme/tiny: 1,000 tokens in, 400 out expected

         PROVIDER           PRICE    + WAIT    + RISK    + LOAD   = TOTAL
      1  alpha           $0.00180  $0.00590  $0.00007  $0.00000  $0.00777  chosen
      2  beta            $0.03780  $0.00590  $0.00007  $0.00000  $0.04377  +463 %

    Margin   $0.036 behind it: beta, mostly price ($0.036 more)
    Chain    alpha TIME, beta TIME: how long each may take to its first token
             while another is open
    At most  $0.009192 for this call at alpha
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at 2026-11-24T12:00:00Z --seed 1
    Why beta
             beta is number 2 of 2: $0.036 more than the first, mostly price
               ($0.036 more)
             first would be beta, at --time-value 5449.206043 or more (now 18)
    Would change it
             beta, at --time-value 5449.206043 or more (now 18)
             beta, if alpha had input at $36.141725 per 1M or more (now 1), or
               output at $89.854313 per 1M or more (now 2), or a first token in
               TIME or more (now TIME)

    --- stderr
    ");
    insta::assert_snapshot!(explain(&world, &[&NOON[..], &["--ignore", "beta", "--why", "beta"]].concat()).snapshot(), @r"
    exit: 0
    --- stdout
    alpha would answer. Nothing was sent.
    acme/tiny: 1,000 tokens in, 400 out expected

         PROVIDER           PRICE    + WAIT    + RISK    + LOAD   = TOTAL
      1  alpha           $0.00180  $0.00590  $0.00007  $0.00000  $0.00777  chosen
      -  1 more: 1 ignored; --all shows them

    At most  $0.009192 for this call at alpha
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at 2026-11-24T12:00:00Z --seed 1
    Why beta
             left out by --ignore
             without that: $0.043772, number 2 of 2 by its sum

    --- stderr
    ");
    insta::assert_snapshot!(explain(&world, &["--why", "openai"]).snapshot(), @r"
    exit: 3
    --- stdout

    --- stderr
    error: openai does not serve acme/tiny
      fix:  openmux providers compare acme/tiny
    ");
    insta::assert_snapshot!(explain(&world, &["--why", "beto"]).snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no provider is called "beto"
      did you mean  beta
      fix:          openmux providers list
    "#);
}

#[test]
fn a_time_value_that_is_said_to_change_it_does() {
    let world = pair();
    // `beta` is measured, and faster than what is assumed of `alpha`.
    for _ in 0..3 {
        assert_eq!(world.chat(["--provider", "beta"]).run().code, Some(0));
    }
    let now = document(&world, &[]);
    assert_eq!(order(&now), ["alpha", "beta"]);
    let at = now["at"].as_str().unwrap();
    let flips = now["would_change"].as_array().unwrap();
    let flip = flips.iter().find(|flip| flip["kind"] == "time_value").unwrap_or_else(|| panic!("{now:#}"));
    let first = |value: &Value| {
        let again = document(&world, &["--at", at, "--time-value", &value.to_string()]);
        again["chosen"].clone()
    };
    assert_eq!((first(&flip["holds_at"]), first(&flip["flips_at"])), ("alpha".into(), "beta".into()), "{flip}");
    assert_eq!(flip["to"], "beta");
    // A key that would do it is told with the variable to set.
    let without = world
        .home
        .openmux(["route", "explain", "acme/tiny", "--seed", "1", "-o", "json"])
        .env("BETA_KEY", "sk-1")
        .run();
    let without: Value = serde_json::from_str(&without.stdout).unwrap();
    assert_eq!(without["chosen"], "beta");
    let key = without["would_change"].as_array().unwrap().iter().find(|change| change["kind"] == "key").unwrap();
    assert_eq!((&key["of"], &key["set"][0]), (&"alpha".into(), &"ALPHA_KEY".into()));
}

#[test]
fn each_term_lists_its_inputs_and_where_they_come_from() {
    let world = pair();
    assert_eq!(world.chat(["--provider", "beta"]).run().code, Some(0));
    let now = document(&world, &[]);
    let sources = |at: usize, kind: &str| -> Vec<String> {
        let terms = now["candidates"][at]["terms"].as_array().unwrap();
        let term = terms.iter().find(|term| term["kind"] == kind).unwrap();
        let inputs = term["inputs"].as_array().unwrap();
        inputs
            .iter()
            .map(|input| format!("{} {}", input["name"].as_str().unwrap(), input["source"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(
        sources(1, "wait"),
        [
            "output_tokens request",
            "wait_usd_per_s config",
            "stream_usd_per_s config",
            "ttft_s observed",
            "tokens_per_s prior"
        ]
    );
    assert_eq!(sources(0, "risk")[2..], ["availability prior", "failure_s prior"]);
    assert!(sources(0, "price").contains(&"input_usd_per_mtok catalog".to_owned()));
    assert_eq!(now["chain"][0]["provider"], "alpha");
}

#[test]
fn a_moment_of_the_past_knows_what_was_known_then() {
    let world = pair();
    assert_eq!(world.chat([]).run().code, Some(0));
    let basis = |document: &Value| document["candidates"][0]["inputs"]["ttft_s"]["basis"].clone();
    assert_eq!(basis(&document(&world, &[])), "measured");
    assert_eq!(basis(&document(&world, &["--at", "2020-01-01T00:00:00Z"])), "assumed");
}

#[test]
fn a_threshold_rejects_what_is_required_and_puts_last_what_is_preferred() {
    let world = pair();
    assert_eq!(world.chat(["--provider", "alpha"]).run().code, Some(0));
    // `alpha` was measured beyond a millisecond, of `beta` nothing is known.
    let preferred = document(&world, &["--max-ttft", "1ms"]);
    assert_eq!(order(&preferred), ["beta", "alpha"]);
    assert_eq!(preferred["candidates"][1]["missed"][0], "max_ttft_s");
    assert_eq!(preferred["candidates"][0]["unproven"][0], "max_ttft_s");
    let required = document(&world, &["--max-ttft", "require:1ms"]);
    assert_eq!(order(&required), ["beta"]);
    assert_eq!(required["rejected"][0]["reasons"][0]["code"], "above_max_ttft");
    // What keeps to it goes before what nobody measured.
    let kept = document(&world, &["--max-ttft", "require:20s", "--min-availability", "90%"]);
    assert_eq!(order(&kept), ["alpha", "beta"]);
    assert_eq!(kept["request"]["constraints"]["max_ttft_s"], serde_json::json!({"limit": 20, "mode": "require"}));
    let alone =
        world.chat(["--provider", "alpha", "--min-throughput", "require:999999", "--max-ttft", "require:1ms"]).run();
    assert_eq!(alone.code, Some(11), "{}", alone.snapshot());
    assert!(alone.stderr.contains("no provider of acme/tiny is known to keep to --max-ttft"), "{}", alone.snapshot());
    assert_eq!(world.hits(), [1, 0]);
    let chat = world.chat(["--max-ttft", "require:1ms"]).run();
    insta::assert_snapshot!(chat.snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    note: --max-ttft is not measured at beta, nor kept to elsewhere
    ");
}

#[test]
fn quantisation_region_and_abilities_are_facts_that_somebody_must_state() {
    let world = pair();
    world.home.write(
        "config/catalog.d/z.toml",
        "[[endpoint]]\nprovider = \"beta\"\nid = \"tiny-1\"\nquant = \"fp8\"\nregion = \"eu-west-1\"\nfeatures = [\"tools\"]\n",
    );
    let codes = |more: &[&str]| -> Vec<String> {
        let told = document(&world, more);
        assert_eq!(told["chosen"], "beta", "{told:#}");
        let reasons = told["rejected"][0]["reasons"].as_array().unwrap();
        reasons
            .iter()
            .map(|reason| format!("{}: {}", reason["code"].as_str().unwrap(), reason["text"].as_str().unwrap()))
            .collect()
    };
    let all = codes(&["--quantization", "FP8,bf16", "--region", "require:eu", "--require", "tools"]);
    insta::assert_snapshot!(all.join("\n"), @r"
    quantization: quantisation not known: `unknown` takes it; --quantization fp8,bf16
    region: region not known; --region require:eu
    not_stated: no source says that it has tools: --require tools
    ");
    assert_eq!(document(&world, &["--quantization", "unknown"])["chosen"], "alpha");
    assert_eq!(document(&world, &["--region", "eu"])["chosen"], "alpha", "a region is only preferred");
    let nobody = explain(&world, &["--region", "require:us"]);
    assert_eq!(nobody.code, Some(11), "{}", nobody.snapshot());
    let unknown = explain(&world, &["--require", "telepathy"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.snapshot());
}

#[test]
fn lenient_leaves_a_hint_out_and_says_so() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    world.home.write(
        "config/catalog.d/z.toml",
        "[[endpoint]]\nprovider = \"alpha\"\nid = \"tiny-1\"\nfeatures = [\"no_temperature\"]\n",
    );
    let strict = world.chat(["--temperature", "0.5"]).run();
    assert_eq!(strict.code, Some(6), "{}", strict.snapshot());
    assert_eq!(world.hits(), [0]);
    insta::assert_snapshot!(world.chat(["--temperature", "0.5", "--lenient"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    warning: temperature is not sent to alpha, which does not take it (--lenient)
    ");
    assert!(!world.servers[0].requests()[0].json().to_string().contains("temperature"));
}

#[test]
fn a_profile_says_what_the_flags_would() {
    let world = pair();
    world.home.write(
        "config/config.toml",
        "[profiles.dear]\nignore = [\"alpha\"]\nmax_cost = \"1\"\n[profiles.strange]\nonly = [\"beta\"]\n",
    );
    assert_eq!(document(&world, &["--profile", "dear"])["chosen"], "beta");
    assert_eq!(document(&world, &["--profile", "dear"])["request"]["constraints"]["max_cost_usd"], 1);
    assert_eq!(document(&world, &["--profile", "strange", "--provider", "alpha"])["chosen"], "alpha", "flags win");
    let chat = world.openmux(["chat", "-m", "acme/tiny", "-o", "json", "hi"]).env("OPENMUX_PROFILE", "dear").run();
    let chat: Value = serde_json::from_str(&chat.stdout).unwrap();
    assert_eq!(chat["provider"], "beta");
    insta::assert_snapshot!(explain(&world, &["--profile", "deer"]).snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no profile is called "deer"
      did you mean  dear
      profiles      dear strange
      fix:          write [profiles.deer] into config.toml (`openmux config path`
                    says where it is)
    "#);
}

#[test]
fn hosted_rules_decide_and_say_so() {
    let world = pair();
    let classic = document(&world, &["--prefer", "openrouter-classic"]);
    assert_eq!(
        (&classic["policy"]["rule"], &classic["policy"]["preset"]),
        (&"inverse_square_price".into(), &"openrouter-classic".into())
    );
    let listed = document(&world, &["--prefer", "order", "--order", "beta"]);
    assert_eq!(order(&listed), ["beta", "alpha"]);
    assert_eq!(world.chat(["--provider", "beta"]).run().code, Some(0));
    assert_eq!(order(&document(&world, &["--prefer", "zenmux"])), ["beta", "alpha"], "only beta was measured");
    let page = explain(&world, &["--prefer", "zenmux"]).stdout;
    assert!(page.contains("Order    by the rule of zenmux:"), "{page}");
}

/// `acme/tiny` at `alpha`, which refuses its key, and `acme/other` at `beta`, which answers.
fn two_models() -> World {
    let refusing = Server::repeating(wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "No"));
    let world = World::openai(vec![refusing, Server::repeating(answer(Protocol::OpenaiChat))]);
    world.home.write(
        "config/catalog.d/z.toml",
        "[[endpoint]]\nprovider = \"beta\"\nid = \"tiny-1\"\nhide = true\n\
         [[endpoint]]\nprovider = \"beta\"\nmodel = \"acme/other\"\nid = \"other-1\"\ncontext = 8192\nmax_output = 4096\n\
         price = { input = \"21\", output = \"42\" }\n",
    );
    world
}

#[test]
fn another_model_is_asked_only_along_the_list_and_after_what_was_agreed() {
    let world = two_models();
    let alone = world.chat([]).run();
    assert_eq!(alone.code, Some(4), "{}", alone.snapshot());
    insta::assert_snapshot!(two_models().chat(["--fallback", "acme/other"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    note: falling back from acme/tiny to acme/other: auth
    ");
    let world = two_models();
    let json = world.chat(["--fallback", "acme/other", "-o", "json"]).run();
    let told: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&told["model"], &told["provider"]), (&"acme/other".into(), &"beta".into()));
    assert_eq!(
        told["fallbacks"],
        serde_json::json!([{"from": "acme/tiny", "to": "acme/other", "class": "auth", "attempts": 1}])
    );
    assert_eq!(told["attempts"].as_array().unwrap().len(), 2);
    // Now no provider of it can be used, which is another reason.
    let json = world.chat(["--fallback", "acme/other", "--fallback-on", "unusable", "--ignore", "alpha"]).run();
    assert!(json.stderr.contains("falling back from acme/tiny to acme/other: unusable"), "{}", json.snapshot());
    // Not agreed to, too dear, or no such model: it stays as it is.
    let world = two_models();
    let other = world.chat(["--fallback", "acme/other", "--fallback-on", "rate_limited"]).run();
    assert_eq!((other.code, world.hits()), (Some(4), vec![1, 0]), "{}", other.snapshot());
    let world = two_models();
    let dear = world.chat(["--fallback", "acme/other", "--max-cost", "0.02"]).run();
    assert_eq!((dear.code, world.hits()), (Some(11), vec![1, 0]), "{}", dear.snapshot());
    let typo = world.chat(["--fallback", "acme/othr"]).run();
    assert_eq!((typo.code, world.hits()), (Some(3), vec![1, 0]), "{}", typo.snapshot());
    assert_eq!(error_line(&world.chat(["--fallback", "acme/othr", "-o", "json"]).run())["code"], "not_found.model");
}

#[test]
fn explain_shows_the_models_that_follow() {
    let world = two_models();
    let told = document(&world, &["--fallback", "acme/other"]);
    assert_eq!(
        (&told["fallback"][0]["model"], &told["fallback"][0]["provider"]),
        (&"acme/other".into(), &"beta".into())
    );
    let page = explain(&world, &["--fallback", "acme/other"]).stdout;
    assert!(page.contains("Fallback where every provider has failed or none can be used: acme/other at"), "{page}");
}
