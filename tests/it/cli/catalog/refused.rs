//! Lists that are refused, entries that are left out, and files that are passed over.

use openmux::catalog::fresh::{Listing, merge};
use openmux::catalog::{About, Catalog, Signed};
use serde_json::{Value, json};

use super::super::super::support::command::Home;
use super::super::super::support::server::{Script, Server};
use super::faults::{pages, survives};
use super::{answer, current, held, list, moved, page, price_of, update, updated};

#[test]
fn a_list_that_looks_broken_is_refused_as_a_whole_until_it_is_allowed() {
    let (home, _server) = updated();
    let entries = |list: &mut Value, change: &dyn Fn(usize, &str, &mut Value)| {
        for provider in ["anthropic", "groq", "openai"] {
            for (at, (id, entry)) in list[provider]["models"].as_object_mut().unwrap().iter_mut().enumerate() {
                change(at, id, entry);
            }
        }
    };
    let times = |entry: &mut Value, factor: u32| {
        for side in ["input", "output"] {
            let price = entry["cost"][side].to_string();
            entry["cost"][side] = format!("{price}e{factor}").parse::<serde_json::Number>().unwrap().into();
        }
    };
    let mut thousandfold = list();
    entries(&mut thousandfold, &|_, _, entry| times(entry, 3));
    let mut tenfold = list();
    entries(&mut tenfold, &|_, _, entry| times(entry, 1));
    let mut negative = list();
    entries(&mut negative, &|at, _, entry| {
        if at % 5 == 0 {
            entry["cost"]["input"] = json!(-1);
        }
    });
    let mut unpriced = list();
    entries(&mut unpriced, &|_, _, entry| entry["cost"] = json!({"in": 1, "out": 2}));
    let outputs = vec![
        survives(&home, answer(&thousandfold), &[]),
        survives(&home, answer(&tenfold), &[]),
        survives(&home, answer(&negative), &[]),
        survives(&home, answer(&unpriced), &[]),
        survives(&home, answer(&tenfold), &["--allow", "fewer,schema"]),
    ];
    insta::assert_snapshot!(pages(outputs), @r#"
    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices   80 of 80 prices moved more than fourfold
               anthropic:claude-3-haiku-20240307 0.25/1.25 -> 250/1250
               anthropic:claude-haiku-4-5 1/5 -> 1000/5000
               anthropic:claude-haiku-5-5 0.1/0.5 -> 100/500
      entries  67 of 149 entries cannot be meant
               anthropic:claude-3-sonnet-20240229 cost.output is absurd: $15000 per
               1M tokens
               anthropic:claude-3-5-sonnet-20240620 cost.output is absurd: $15000
               per 1M tokens
               anthropic:claude-3-5-sonnet-20241022 cost.output is absurd: $15000
               per 1M tokens
      in use   the catalog of TODAY stays (an update)
      fix:     look at it; if it is right: openmux catalog update --allow
               prices,entries

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices  146 of 146 prices moved more than fourfold
              anthropic:claude-3-haiku-20240307 0.25/1.25 -> 2.5/12.5
              anthropic:claude-3-sonnet-20240229 3/15 -> 30/150
              anthropic:claude-3-5-sonnet-20240620 3/15 -> 30/150
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow prices

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      entries  31 of 149 entries cannot be meant
               anthropic:claude-3-haiku-20240307 cost.input: "-1" is negative
               anthropic:claude-fable-5 cost.input: "-1" is negative
               anthropic:claude-mythos-5 cost.input: "-1" is negative
      in use   the catalog of TODAY stays (an update)
      fix:     look at it; if it is right: openmux catalog update --allow entries

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      schema  nothing in it has a price
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow schema

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      prices  146 of 146 prices moved more than fourfold
              anthropic:claude-3-haiku-20240307 0.25/1.25 -> 2.5/12.5
              anthropic:claude-3-sonnet-20240229 3/15 -> 30/150
              anthropic:claude-3-5-sonnet-20240620 3/15 -> 30/150
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow prices
    "#);
    let server = Server::start(vec![answer(&tenfold)]);
    let allowed = update(&home, &server, &["--allow", "prices"]).run();
    assert_eq!(allowed.code, Some(0), "{}", allowed.snapshot());
    assert_eq!(price_of(&home, "openai/gpt-5").split('\t').nth(1), Some("12.5"));
}

#[test]
fn a_source_is_compared_with_itself() {
    let home = Home::new();
    let mut few = list();
    few["openai"]["models"].as_object_mut().unwrap().retain(|id, _| id.starts_with("gpt-5"));
    let mut gone = list();
    gone.as_object_mut().unwrap().remove("anthropic");
    let scripts = vec![answer(&list()), answer(&few), answer(&gone)];
    let server = Server::start(scripts);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let refused = [update(&home, &server, &[]).run(), update(&home, &server, &[]).run()];
    insta::assert_snapshot!(pages(refused.to_vec()), @r"
    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      fewer   it lists 66 offers, and listed 149 the last time
      in use  the catalog of TODAY stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow fewer

    exit: 11
    error: http://127.0.0.1:PORT/api.json looks broken, and is not used
      vanished  it lacks 1 model maker or cloud that it had
                anthropic
      in use    the catalog of TODAY stays (an update)
      fix:      look at it; if it is right: openmux catalog update --allow vanished
    ");
    // Another source never had more.
    let other = Server::start(vec![answer(&few)]);
    assert_eq!(update(&home, &other, &[]).run().code, Some(0));
}

#[test]
fn entries_that_cannot_be_meant_are_left_out_and_named() {
    let home = Home::new();
    let mut hostile = list();
    let models = hostile["openai"]["models"].as_object_mut().unwrap();
    let ids = ["../../etc/passwd", "a%2Fb", "\u{1b}[31m\tred", &"x".repeat(5000), "-rf", "$(id)", "a\u{85}\u{202e}b"];
    for id in ids.into_iter().chain(["gpt-5\u{200b}"]) {
        models.insert(id.to_owned(), json!({"id": id, "cost": {"input": 1, "output": 1}}));
    }
    models.insert("gpt-other".to_owned(), json!({"id": "gpt-5"}));
    models.insert(
        "gpt-named".to_owned(),
        json!({"name": "Seen\u{202e}\u{200b}\u{9b}31m", "limit": {"context": "\u{202e}"}}),
    );
    models.insert(
        "gpt-shown".to_owned(),
        json!({"name": "Seen\u{202e}\u{200b}\u{9b}31m", "cost": {"input": 1, "output": 1}}),
    );
    hostile["zqzq"] =
        json!({"name": "Zq\u{202e}", "doc": "https://z.example/\u{202e}", "models": {"a": {"name": "\u{2066}"}}});
    hostile["../zqzq"] = json!({"id": "../zqzq", "models": {"a": {}}});
    let twice = hostile.to_string().replacen(
        "\"gpt-5\":{",
        "\"gpt-5\":{\"cost\":{\"input\":0.1,\"output\":0.1}},\"gpt-5\":{",
        1,
    );
    let server = Server::start(vec![Script::body(200, "application/json", twice)]);
    let output = update(&home, &server, &["-v", "--allow", "entries"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    insta::assert_snapshot!(output.stderr, @r#"warning: 13 entries are left out or in part: zqzq is new, and not called until [provider.zqzq] of an overlay says where and with which key; it says protocol = "openai-chat"; openai:gpt-5 has a name that is there twice; openai:../../etc/passwd is no id that can be sent; openai:a%2Fb is no id that can be sent; openai:?[31m?red is no id that can be sent; openai:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... is no id that can be sent; openai:-rf is no id that can be sent; openai:$(id) is no id that can be sent; openai:a??b is no id that can be sent; openai:gpt-5? is no id that can be sent; openai:gpt-other states another id than the one it is listed by; openai:gpt-named limit.context is no count of tokens: "?"; ../zqzq is no provider id"#);
    let listed = [["models", "list", "--all", "-o", "json"], ["providers", "list", "-o", "json", "-q"]];
    let listed = listed.map(|args| home.openmux(args).run().stdout);
    let shown = listed.concat();
    for id in ["passwd", "2fb", "[31m", "xxxx", "../zqzq", "$(id)", "\"-rf"] {
        assert!(!shown.contains(id), "{id}");
    }
    assert!(shown.contains("\"Seen31m\"") && shown.contains("\"Zq\""));
    let hidden = |sign: char| matches!(sign, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{202e}' | '\u{2066}');
    assert!(!shown.contains(|sign| sign != '\u{2013}' && hidden(sign)) && !shown.contains("\\u20"));
}

#[test]
fn a_file_that_cannot_be_used_is_said_once_and_passed_over() {
    let (home, _server) = updated();
    let good = String::from_utf8(held(&home).unwrap()).unwrap();
    let embedded = Home::new();
    let known = price_of(&embedded, "anthropic/claude-sonnet-5");
    let broken = [
        good[..good.len() / 2].to_owned(),
        good.replacen("claude", "claudf", 1),
        good.replacen("openmux-catalog 2", "openmux-catalog 99", 1),
        "{\"anthropic\":{}}".to_owned(),
        String::new(),
    ];
    let mut said = Vec::new();
    for text in broken {
        home.write("cache/catalog.txt", &text);
        let output = home
            .openmux([
                "models",
                "list",
                "anthropic/claude-sonnet-5",
                "--fields",
                "id,input,output,context",
                "--limit",
                "1",
            ])
            .run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), known.as_str()), "{}", output.snapshot());
        assert_eq!(output.stderr.matches("warning").count(), 1);
        let answered = home.openmux(["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"]).run();
        assert_eq!(answered.code, Some(0), "{}", answered.snapshot());
        said.push(page(&output));
    }
    said.push(page(&home.openmux(["catalog", "status"]).run()));
    insta::assert_snapshot!(said.join("\n"), @r"
    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is cut off; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is damaged; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it was written by another version of openmux; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update

    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	2	10	1000000

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update

    exit: 0
    --- stdout
    In use       2026-11-24, 6 days old: the one in the program
    Update       cannot be used: it is not one of openmux's; fix: openmux catalog
                 update
    Before it    the one in the program
    In program   2026-11-24: 290 providers, 2,966 models, 13,109 offers
    Overlays     none
    File         $TMP/cache/catalog.txt

    --- stderr
    warning: $TMP/cache/catalog.txt is not used: it is not one of openmux's; fix: openmux catalog update
    ");
    let server = Server::start(vec![answer(&list())]);
    let output = update(&home, &server, &[]).run();
    assert_eq!(output.code, Some(0), "what cannot be used is no hindrance: {}", output.snapshot());
    std::fs::remove_file(current(&home)).unwrap();
    std::fs::create_dir(current(&home)).unwrap();
    assert_eq!(home.openmux(["models", "show", "claude-sonnet-5"]).run().code, Some(0));
}

/// What was fetched before this program was made knows less than the program does.
#[test]
fn an_update_that_is_older_than_the_program_is_passed_over() {
    let home = Home::new();
    let sonnet = "anthropic/claude-sonnet-5";
    let known = price_of(&home, sonnet);
    let list = merge(&Listing::read(moved().to_string().as_bytes()).unwrap(), None);
    let lies = |day: &str, signed: Option<Signed>| {
        let about = About { date: day.into(), embedded: Catalog::embedded().to_owned(), signed, ..About::default() };
        home.write("cache/catalog.txt", &list.text(&about));
    };
    lies("2026-11-23", None);
    assert_eq!(price_of(&home, sonnet), known);
    lies("2026-11-24", None);
    assert_ne!(price_of(&home, sonnet), known, "of the same day, it is what was fetched last");
    // Whom the user trusts is named.
    let signed = Signed { by: "acme".into(), key: String::new(), serial: 7, issued: "2026-11-23T10:00:00Z".into() };
    lies("2026-11-23", Some(signed));
    insta::assert_snapshot!(page(&home.openmux(["models", "list", sonnet, "--fields", "input", "--limit", "1"]).run()), @r"
    exit: 0
    --- stdout
    2

    --- stderr
    warning: the catalog that acme signed on 2026-11-23 is passed over: the one in the program is newer; fix: openmux catalog update
    ");
}

#[test]
fn a_file_that_is_larger_than_any_list_is_not_read() {
    let home = Home::new();
    let file = home.write("large.json", "");
    std::fs::File::options().write(true).open(file).unwrap().set_len((64 << 20) + 1).unwrap();
    insta::assert_snapshot!(page(&home.openmux(["catalog", "update", "--from", "large.json"]).run()), @r"
    exit: 2
    --- stdout

    --- stderr
    error: large.json is larger than 64 MB
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    no list is that large: --from with another file
    ");
}

#[test]
fn what_cannot_be_written_is_told() {
    let home = Home::new();
    home.write("plain", "");
    let server = Server::start(Vec::new());
    let output = update(&home, &server, &[]).env("OPENMUX_CACHE_DIR", home.path().join("plain/cache")).run();
    insta::assert_snapshot!(page(&output), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot write in $TMP/plain/cache
      reason  Not a directory
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    make it writable, or set OPENMUX_CACHE_DIR
    ");
    let shown =
        home.openmux(["models", "list", "claude-sonnet-5"]).env("OPENMUX_CACHE_DIR", home.path().join("plain/cache"));
    assert_eq!(shown.run().code, Some(0));
}
