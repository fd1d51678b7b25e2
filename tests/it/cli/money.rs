//! What is told of money: it comes out of what stands beside it, nothing is free because nobody knows it, and the price of a
//! call is that of the call.

use serde_json::Value;

use super::super::support::attempts::{NOON, failed, keep, waited};
use super::super::support::command::Home;
use super::super::support::server::Server;
use super::{World, answer};
use openmux::catalog::Protocol;
use openmux::observe::ErrorClass;

fn document(home: &Home, args: &str) -> Value {
    let output = home.openmux(args.split(' ').chain(["--at", NOON, "-o", "json"])).run();
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.snapshot()))
}

fn row<'d>(document: &'d Value, provider: &str) -> &'d Value {
    let rows = document["data"].as_array().or_else(|| document["data"]["endpoints"].as_array()).unwrap();
    rows.iter().find(|row| row["provider"] == provider).unwrap_or_else(|| panic!("{provider}: {document}"))
}

/// By hand, of the snapshot: azure's gpt-5.5-pro reads a cache at 3, and above 272,000 tokens at "0" beside input at 60 and
/// output at 270. 300,000 x 60 + 400 x 270 is $18.108, and never $0.708.
#[test]
fn a_rate_that_nobody_states_is_neither_free_nor_invented() {
    let home = Home::new();
    let compared = document(&home, "providers compare gpt-5.5-pro --tokens 300000/400/290000");
    let azure = row(&compared, "azure");
    assert_eq!(
        (azure["call_usd"].to_string(), &azure["call_cache_read_usd_per_mtok"]),
        ("18.108".to_owned(), &Value::Null)
    );
    assert_ne!(compared["data"][0]["provider"], "azure");
    // 300,000 x 30 + 400 x 135: the batch offer states no price of cached input at all.
    let batch = document(&home, "route explain openai/gpt-5.5-pro:batch --tokens 300000/400/290000");
    for candidate in batch["candidates"].as_array().unwrap() {
        assert_eq!(candidate["terms"][0]["usd"].to_string(), "9.054", "{}", candidate["provider"]);
    }
    // A base rate that the snapshot does not have.
    let shown = document(&home, "models show google/gemini-pro-latest");
    let google = row(&shown, "google");
    assert_eq!((&google["cache_write_usd_per_mtok"], &google["price"]["cache_write"]), (&Value::Null, &Value::Null));
    for (args, told) in [
        ("google/gemini-pro-latest --provider google --max-price-cache-write 2", "states no price for cache_write"),
        ("gpt-5.5-pro --provider azure --max-price-cache-write 100", "states no price for cache_write"),
        (
            "gpt-5.5-pro --provider azure --max-price-cache-read 100 --tokens 300000/1",
            "for cache_read of requests of that size",
        ),
    ] {
        let output = home.openmux(["check"].into_iter().chain(args.split(' ')).chain(["--at", NOON])).run();
        assert_eq!(output.code, Some(3), "{}", output.snapshot());
        assert!(output.stdout.contains(told), "{}", output.snapshot());
    }
    // One that is known above a size alone is told so: 2.5 above 256,000 tokens.
    let pages = home.openmux(["models", "show", "qwen3.6-plus", "--prices", "--at", NOON]).run().stdout;
    let auriko = pages.split("\n\n").find(|part| part.starts_with("auriko")).unwrap();
    assert!(auriko.contains("cache_write             not known\n"), "{auriko}");
    assert!(auriko.contains("2.50 where input > 256,000"), "{auriko}");
}

/// claude-sonnet-4.5 has a window of a million tokens at anthropic, of which 200,000 may go in and 64,000 come out.
#[test]
fn a_window_is_as_large_as_what_goes_in_and_comes_out() {
    let home = Home::new();
    let check = |args: &str| home.openmux(args.split(' ').chain(["--at", "2026-11-24T00:00:00Z"])).run();
    let large = check("check claude-sonnet-4.5 --provider anthropic --min-context 500k");
    assert_eq!(large.code, Some(1), "{}", large.snapshot());
    assert!(large.stdout.contains("anthropic takes 200,000 in and 64,000 out of it"), "{}", large.snapshot());
    assert_eq!(check("check claude-sonnet-4.5 --provider anthropic --min-context 200k").code, Some(0));
    // A window that is filled by what goes in and comes out is that window.
    let gpt = check("check gpt-5 --provider openai --min-context 400k");
    assert_eq!(gpt.code, Some(0), "{}", gpt.snapshot());
    assert!(gpt.stdout.contains("context 400,000 >= 400,000, at most 272,000 of it input"), "{}", gpt.snapshot());
    let listed = check("models list claude-sonnet-4.5 --provider anthropic --min-context 500k -o ids");
    assert_eq!(listed.stdout, "", "{}", listed.snapshot());
    assert!(
        check("models list claude-sonnet-4.5 --provider anthropic --min-context 200k -o ids").stdout.contains("4.5")
    );
    let compared = document(&home, "providers compare claude-sonnet-4.5");
    assert_eq!(row(&compared, "anthropic")["max_input_tokens"], 200_000);
}

#[test]
fn a_lock_keeps_the_longest_input() {
    let home = Home::new();
    let check = |args: &str| home.openmux(args.split(' ').chain(["--at", NOON])).run();
    assert_eq!(check("check claude-sonnet-5:anthropic --lock m.lock").code, Some(0));
    let lock = home.path().join("m.lock");
    #[expect(clippy::disallowed_methods, reason = "the lock that was written")]
    let written = std::fs::read_to_string(&lock).unwrap();
    home.write(
        "config/catalog.d/less.toml",
        "[[endpoint]]\nprovider = \"anthropic\"\nmodel = \"anthropic/claude-sonnet-5\"\nid = \"claude-sonnet-5\"\nmax_input = 100000\n",
    );
    let less = check("check --lock m.lock");
    assert_eq!(less.code, Some(1), "{}", less.snapshot());
    assert!(less.stdout.contains("max_input"), "{}", less.snapshot());
    // A lock of an older form says nothing of it, nor of what a model answers with and of a fixed temperature.
    assert!(written.contains("\noutput = [\"text\"]\n") && written.contains("\"no_temperature\", "), "{written}");
    let old: String = written
        .replace("version = 3", "version = 1")
        .replace("\"no_temperature\", ", "")
        .lines()
        .filter(|line| !line.starts_with("max_input") && !line.starts_with("output = ["))
        .map(|line| format!("{line}\n"))
        .collect();
    home.write("m.lock", &old);
    let before = check("check --lock m.lock");
    assert_eq!(before.code, Some(0), "{}", before.snapshot());
}

/// Every term of every candidate out of its own inputs.
fn recomputed(decision: &Value) {
    let candidates = decision["candidates"].as_array().unwrap();
    assert!(!candidates.is_empty(), "{decision}");
    for candidate in candidates {
        let mut sum = 0.0;
        for term in candidate["terms"].as_array().unwrap() {
            let input = |name: &str| {
                let inputs = term["inputs"].as_array().unwrap();
                inputs.iter().find(|input| input["name"] == name).and_then(|input| input["value"].as_f64())
            };
            let of = |name: &str| input(name).unwrap_or_else(|| panic!("{name}: {term}"));
            let price = |cached: f64, plain: &str, read: &str, output: f64| {
                let read = input(read).unwrap_or_else(|| of(plain));
                let input = (of("input_tokens") - cached) * of(plain) + cached * read;
                (input + output) / 1e6 + of("request_usd")
            };
            let mixed = |hit: f64, warm: f64, cold: f64| hit * warm + (1.0 - hit) * cold;
            let by_hand = match term["kind"].as_str().unwrap() {
                "price" => {
                    let output = of("output_tokens") * of("output_usd_per_mtok");
                    let at = |cached| price(cached, "input_usd_per_mtok", "cache_read_usd_per_mtok", output);
                    let certain = at(of("cached_tokens"));
                    input("warmest_tokens")
                        .map_or(certain, |warm| mixed(of("cache_hit"), at(warm.min(of("input_tokens"))), certain))
                }
                "wait" => {
                    let length = of("output_tokens") / of("tokens_per_s");
                    of("wait_usd_per_s") * of("ttft_s") + of("stream_usd_per_s") * length
                }
                "risk" => {
                    let fails = 1.0 - of("availability");
                    (of("wait_usd_per_s") * of("failure_s") + of("retry_usd")) * fails / (1.0 - fails)
                }
                "load" => {
                    let turned_away = of("rejection");
                    (of("wait_usd_per_s") * of("reject_s") + of("reject_usd")) * turned_away / (1.0 - turned_away)
                }
                "next" => {
                    let at = |cached| price(cached, "input_usd_per_mtok", "cache_read_usd_per_mtok", 0.0);
                    of("continuation") * mixed(of("cache_hit"), at(of("input_tokens")), at(0.0))
                }
                // It needs the price of the same call, which is another term.
                "switch" => term["usd"].as_f64().unwrap(),
                other => panic!("{other}"),
            };
            let told = term["usd"].as_f64().unwrap();
            assert!((told - by_hand).abs() < 2e-12, "{}: {term} is {by_hand}", candidate["provider"]);
            sum += told;
        }
        assert!((candidate["total_usd"].as_f64().unwrap() - sum).abs() < 1e-11, "{candidate}");
    }
}

#[test]
fn every_term_comes_out_of_its_inputs() {
    let home = Home::new();
    for args in [
        "sonar-pro --tokens 1000/400",
        "deepseek-v4-pro --tokens 300000/2000/250000",
        "claude-sonnet-4.5 --tokens 150000/100/1000",
        "gpt-5.5-pro --tokens 300000/400/290000",
    ] {
        recomputed(&document(&home, &format!("route explain {args} --all")));
    }
    recomputed(&document(&home, "route explain -m claude-sonnet-5 --session x --all hello"));
    let world = World::openai((0..3).map(|_| Server::start(Vec::new())).collect());
    let many = (0..50).map(|at| waited("alpha", 2 + at, 300 + (at * 37) % 200));
    keep(
        world.home.path(),
        many.chain([failed("beta", 3, ErrorClass::ProviderFault), failed("alpha", 1, ErrorClass::RateLimited)]),
    );
    recomputed(&document(&world.home, "route explain -m acme/tiny --session x hello"));
    // A fee a request is told to people as well: $0.014 at perplexity, beside 1,000 x 3 and 400 x 15.
    let page = home.openmux(["route", "explain", "sonar-pro", "--tokens", "1000/400", "--at", NOON]).run().stdout;
    assert!(page.contains("$0.014 at perplexity"), "{page}");
    let perplexity = document(&home, "providers compare sonar-pro --tokens 1000/400");
    let perplexity = row(&perplexity, "perplexity");
    assert_eq!(
        (perplexity["request_usd"].to_string(), perplexity["call_usd"].to_string()),
        ("0.014".into(), "0.023".into())
    );
}

/// A conversation's next turn is a sum of its own: neither the price of this call nor what it was expected to cost has it.
#[test]
fn the_next_turn_is_no_part_of_the_price() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    let price = |more: &[&str]| {
        let args = ["route", "explain", "-m", "acme/tiny", "--at", NOON, "-o", "json", "hi"];
        let output = world.openmux(args.into_iter().chain(more.iter().copied())).run();
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let terms = document["candidates"][0]["terms"].as_array().unwrap().clone();
        let of = |kind: &str| terms.iter().find(|term| term["kind"] == kind).map(|term| term["usd"].to_string());
        (of("price"), of("next"))
    };
    let (alone, nothing) = price(&[]);
    let (told, next) = price(&["--session", "x"]);
    assert_eq!((&told, nothing), (&alone, None));
    assert!(next.is_some());
    let page =
        world.openmux(["route", "explain", "-m", "acme/tiny", "--session", "x", "--at", NOON, "hi"]).run().stdout;
    assert!(page.contains("+ NEXT"), "{page}");
    assert_eq!(world.chat(["--session", "x"]).run().code, Some(0));
    let each = world.openmux(["usage", "--each", "-o", "json"]).run().stdout;
    let each: Value = serde_json::from_str(&each).unwrap();
    assert_eq!(Some(each["data"][0]["expected_usd"].to_string()), alone, "{each}");
}

/// By hand: 50,000 x 0.66 + 250,000 x its cached rate + 2,000 x its output off-peak, half of what it is at 02:00.
#[test]
fn a_price_of_other_hours_is_marked_and_its_rates_are_told() {
    let home = Home::new();
    let at = |moment: &str, format: &str| {
        let args = "providers compare deepseek-v4-pro --provider deepseek --tokens 300000/2000/250000 --at";
        home.openmux(args.split(' ').chain([moment, "-o", format])).run()
    };
    let call = |moment: &str| {
        let document: Value = serde_json::from_str(&at(moment, "json").stdout).unwrap();
        let row = row(&document, "deepseek").clone();
        let of = |name: &str| row[name].as_f64().unwrap();
        let by_hand = (50_000.0 * of("call_input_usd_per_mtok")
            + 250_000.0 * of("call_cache_read_usd_per_mtok")
            + 2_000.0 * of("call_output_usd_per_mtok"))
            / 1e6;
        assert!((of("call_usd") - by_hand).abs() < 1e-12, "{row}");
        of("call_usd")
    };
    let (cheap, dear) = ("2026-11-30T16:00:00Z", "2026-11-30T02:00:00Z");
    assert!((call(dear) - 2.0 * call(cheap)).abs() < 1e-12);
    let page = at(cheap, "table");
    assert!(page.stdout.contains("$0.04246+"), "{}", page.snapshot());
    assert!(!at(dear, "table").stdout.contains('+'), "{}", at(dear, "table").snapshot());
    let shown = home.openmux(["models", "show", "deepseek-v4-pro", "--at", NOON]).run().stdout;
    assert!(shown.contains("Off-peak"), "{shown}");
    let prices = home.openmux(["models", "show", "deepseek-v4-pro", "--prices", "--at", NOON]).run().stdout;
    let hours = "10:00 to 00:00 Mon Tue Wed Thu Fri; all day Sat Sun (UTC)";
    assert!(prices.split_whitespace().collect::<Vec<_>>().join(" ").contains(hours), "{prices}");
}

/// nano-gpt takes 16,384 tokens of magnum-v4-72b, in and out together.
#[test]
fn the_cheapest_is_of_those_that_take_such_a_call() {
    let home = Home::new();
    let listed = document(&home, "models list magnum-v4-72b --tokens 20000/1000");
    assert_ne!(listed["data"][0]["cheapest_provider"], "nano-gpt", "{listed}");
    let small = document(&home, "models list magnum-v4-72b --tokens 10000/1000");
    assert_eq!(small["data"][0]["cheapest_provider"], "nano-gpt", "{small}");
    // One is enough to see it of the whole: each is a process.
    let all = document(&home, "models list --tokens 500000/1000 --tools --sort cheapest --limit 1");
    let model = &all["data"][0];
    let compared =
        document(&home, &format!("providers compare {} --tokens 500000/1000", model["id"].as_str().unwrap()));
    let usable = row(&compared, model["cheapest_provider"].as_str().unwrap())["usable"].to_string();
    assert!(!usable.contains("too_small") && !usable.contains("too_long"), "{model}: {usable}");
}

/// A provider that only a list knows is never called: it is not the cheapest, not first, and marked.
#[test]
fn whom_a_list_alone_knows_decides_nothing() {
    let home = Home::new();
    let list = r#"{"evilhost":{"npm":"@ai-sdk/openai-compatible","api":"https://evil.example/v1","env":["EVILHOST_API_KEY"],
        "models":{"anthropic/claude-sonnet-5":{"cost":{"input":0.5,"output":2}}}},
        "anthropic":{"models":{"claude-sonnet-5":{"cost":{"input":2,"output":10}}}}}"#;
    home.write("list.json", list);
    let updated = home.openmux(["catalog", "update", "--from", "list.json"]).run();
    assert_eq!(updated.code, Some(0), "{}", updated.snapshot());
    let run = |args: &str| home.openmux(args.split(' ')).run();
    let compared = run("providers compare claude-sonnet-5 -o table");
    let rows: Vec<&str> = compared.stdout.lines().filter(|line| line.contains("evilhost")).collect();
    assert!(rows.len() == 1 && rows[0].starts_with("evilhost!"), "{}", compared.snapshot());
    assert!(!compared.stdout.lines().nth(1).unwrap().starts_with("evilhost"), "{}", compared.snapshot());
    let shown = run("models show claude-sonnet-5");
    assert!(!shown.stdout.contains("cheapest evilhost"), "{}", shown.snapshot());
    assert!(shown.stdout.contains("evilhost!"), "{}", shown.snapshot());
    let listed: Value =
        serde_json::from_str(&run("models list claude-sonnet-5 --tokens 1000/400 -o json").stdout).unwrap();
    assert_ne!(listed["data"][0]["cheapest_provider"], "evilhost", "{listed}");
    let checked = run("check claude-sonnet-5 --provider anthropic --max-price-in 1");
    assert_eq!(checked.code, Some(1), "{}", checked.snapshot());
    assert!(!checked.stdout.contains("evilhost") && !checked.stderr.contains("evilhost"), "{}", checked.snapshot());
    // Once an overlay says where it is, it is a provider like any other.
    home.write(
        "config/catalog.d/evil.toml",
        "[provider.evilhost]\nprotocol = \"openai-chat\"\nbase_url = \"https://evil.example/v1\"\nkey_env = \"EVILHOST_API_KEY\"\n",
    );
    assert!(!run("providers compare claude-sonnet-5 -o table").stdout.contains("evilhost!"));
    assert!(run("models show claude-sonnet-5").stdout.contains("cheapest evilhost"));
}

/// What was measured is not said to be assumed.
#[test]
fn a_failure_is_a_measurement() {
    let world = World::openai((0..2).map(|_| Server::start(Vec::new())).collect());
    keep(world.home.path(), [failed("alpha", 1, ErrorClass::Overloaded)]);
    let page = |args: &[&str]| {
        let all = ["route", "explain", "-m", "acme/tiny", "--at", NOON];
        let said = world.home.openmux(all.into_iter().chain(args.iter().copied())).run().stdout;
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let both = page(&["hi"]);
    assert!(
        both.contains("% available (n=1.0, 60 s old)") || both.contains("% available (n=1.0, 1 min old)"),
        "{both}"
    );
    assert!(both.contains("all else assumed") && !both.contains("nothing measured"), "{both}");
    assert!(page(&["--provider", "beta", "hi"]).contains("(nothing measured)"));
}
