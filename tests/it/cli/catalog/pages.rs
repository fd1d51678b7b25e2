//! What a person, a pull request and a program see of it.

use serde_json::Value;

use super::super::super::support::command::Home;
use super::super::super::support::server::Server;
use super::{answer, list, moved, page, update, updated};
use crate::generated::SNAPSHOT;

/// A text without the times of today.
pub(super) fn timeless(text: impl AsRef<str>) -> String {
    let mut parts = text.as_ref().split("TODAYT");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find('Z').unwrap_or_default();
        out += &format!("TODAYTTIME{}", &part[end..]);
    }
    out
}

#[test]
fn an_update_says_what_changed_at_every_width() {
    for (width, name) in [("60", "update at 60"), ("80", "update at 80"), ("200", "update at 200")] {
        let home = Home::new();
        let server = Server::start(vec![answer(&moved())]);
        let output = update(&home, &server, &[]).env("COLUMNS", width).run();
        insta::assert_snapshot!(name, page(&output));
    }
}

#[test]
fn the_status_says_what_is_in_use() {
    insta::assert_snapshot!(page(&Home::new().openmux(["catalog", "status", "--sources"]).run()), @r"
    exit: 0
    --- stdout
    In use       2026-11-24, 6 days old: the one in the program
    Update       none; openmux catalog update fetches one
    Before it    the one in the program
    In program   2026-11-24: 290 providers, 2,966 models, 13,109 offers
    Overlays     none
    File         $TMP/cache/catalog.txt
    Made of      models.dev api.json, 2026-09-28, MIT
                 LiteLLM model_prices_and_context_window, 2026-11, MIT
                 pi-ai model catalogue, 2026-11-10, MIT
                 genai-prices, 2026-11, MIT
                 models.dev repository, 2026-07-02, MIT
                 Portkey models, 2026-08-21, MIT
                 Catwalk, 2026-08-21, MIT

    --- stderr
    ");
    let (home, _server) = updated();
    home.write("config/catalog.d/mine.toml", "");
    insta::assert_snapshot!(timeless(page(&home.openmux(["catalog", "status"]).run())), @r#"
    exit: 0
    --- stdout
    In use       2026-11-24, 6 days old: an update of TODAY
    Of which     148 offers of TODAY, 12,962 of 2026-11-24
    From         http://127.0.0.1:PORT/api.json
    Signed by    nobody
    Fetched      TODAYTTIMEZ
    Its mark     "one"
    It lists     150 offers of 3 providers, 148 with a price
    Before it    the one in the program
    In program   2026-11-24: 290 providers, 2,966 models, 13,109 offers
    Overlays     $TMP/config/catalog.d/mine.toml
    File         $TMP/cache/catalog.txt

    --- stderr
    "#);
    insta::assert_snapshot!(timeless(page(&home.openmux(["catalog", "status", "-o", "json"]).run())), @r#"
    exit: 0
    --- stdout
    {"schema":"catalog.status/1","catalog":{"date":"2026-11-24","age_days":6,"source":"updated","overlays":1},"warnings":[],"data":{"in_use":"updated","days":[{"date":"TODAY","endpoints":148},{"date":"2026-11-24","endpoints":12962}],"current":{"date":"TODAY","fetched":"TODAYTTIMEZ","source":"http://127.0.0.1:PORT/api.json","etag":"\"one\"","over":"2026-11-24","providers":3,"endpoints":150,"priced":148,"signed":null},"previous":null,"embedded":{"date":"2026-11-24","providers":290,"models":2966,"endpoints":13109},"overlays":["$TMP/config/catalog.d/mine.toml"],"file":"$TMP/cache/catalog.txt"}}

    --- stderr
    "#);
    insta::assert_snapshot!(page(&home.openmux(["catalog", "path"]).run()), @r"
    exit: 0
    --- stdout
    $TMP/cache/catalog.txt

    --- stderr
    ");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "path", "-o", "json"]).run()), @r#"
    exit: 0
    --- stdout
    {"schema":"catalog.path/1","current":"$TMP/cache/catalog.txt","previous":"$TMP/cache/catalog.previous.txt","overlays":"$TMP/config/catalog.d"}

    --- stderr
    "#);
    insta::assert_snapshot!(page(&home.openmux(["catalog", "status", "-o", "csv"]).run()), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: this command has no format "csv"
      formats  text json
      fix:     leave out -o, or unset OPENMUX_OUTPUT; -o json is there everywhere
    "#);
}

#[test]
fn the_sources_are_those_of_the_input() {
    let output = Home::new().openmux(["catalog", "status", "--sources", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let told = document["data"]["sources"].as_array().unwrap();
    let input: Value = serde_json::from_str(SNAPSHOT).unwrap();
    // What was checked by hand is nobody's list.
    let lists: Vec<&Value> =
        input["sources"].as_object().unwrap().values().filter(|list| list["licence"] != "own").collect();
    assert_eq!(told.len(), lists.len());
    for list in lists {
        let is_it = |source: &&Value| source["name"] == list["name"] && source["date"] == list["date"];
        let licence = told.iter().find(is_it).and_then(|source| source["licence"].as_str());
        assert!(licence.is_some_and(|licence| list["licence"].as_str().unwrap().starts_with(licence)), "{list}");
    }
}

#[test]
fn differences_are_a_list_in_any_format() {
    let (home, _server) = updated();
    let server = Server::start(vec![answer(&list())]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let diff = |args: &[&str]| page(&home.openmux(["catalog", "diff"].into_iter().chain(args.iter().copied())).run());
    insta::assert_snapshot!(diff(&["-o", "table"]), @r"
    exit: 0
    --- stdout
    CHANGE      MODEL                       WHAT            BEFORE   AFTER
    gone model  anthropic/claude-opus-99.1  -               -        -
    removed     anthropic/claude-opus-99.1  -               4/20     -
    price       anthropic/claude-sonnet-5   batch input     -        1
    price       anthropic/claude-sonnet-5   batch output    -        5
    price       anthropic/claude-sonnet-5   cache_read      0.275    0.2
    price       anthropic/claude-sonnet-5   cache_write     -        2.5
    price       anthropic/claude-sonnet-5   cache_write_1h  -        4
    price       anthropic/claude-sonnet-5   input           2.75     2
    price       anthropic/claude-sonnet-5   output          12.5     10
    limit       anthropic/claude-sonnet-5   context         1500000  1000000

    --- stderr
    ");
    insta::assert_snapshot!(diff(&["embedded", "previous", "-o", "md"]), @r"
    exit: 0
    --- stdout
    | CHANGE | MODEL | PROVIDER | WHAT | BEFORE | AFTER |
    | --- | --- | --- | --- | --- | --- |
    | new model | anthropic/claude-opus-99.1 | - | - | - | - |
    | added | anthropic/claude-opus-99.1 | anthropic | - | - | 4/20 |
    | price | anthropic/claude-sonnet-5 | anthropic | batch input | 1 | - |
    | price | anthropic/claude-sonnet-5 | anthropic | batch output | 5 | - |
    | price | anthropic/claude-sonnet-5 | anthropic | cache_read | 0.2 | 0.275 |
    | price | anthropic/claude-sonnet-5 | anthropic | cache_write | 2.5 | - |
    | price | anthropic/claude-sonnet-5 | anthropic | cache_write_1h | 4 | - |
    | price | anthropic/claude-sonnet-5 | anthropic | input | 2 | 2.75 |
    | price | anthropic/claude-sonnet-5 | anthropic | output | 10 | 12.5 |
    | limit | anthropic/claude-sonnet-5 | anthropic | context | 1000000 | 1500000 |

    --- stderr
    ");
    insta::assert_snapshot!(diff(&["previous", "current", "-o", "json", "--limit", "2"]), @r#"
    exit: 0
    --- stdout
    {"schema":"catalog.diff/1","catalog":{"date":"2026-11-24","age_days":6,"source":"updated","overlays":0},"warnings":[],"data":[{"change":"gone model","model":"anthropic/claude-opus-99.1","provider":null,"wire_id":null,"what":null,"before":null,"after":null},{"change":"removed","model":"anthropic/claude-opus-99.1","provider":"anthropic","wire_id":"claude-opus-99-1","what":null,"before":"4/20","after":null}]}

    --- stderr
    "#);
    insta::assert_snapshot!(diff(&["embedded", "embedded", "-o", "table"]), @r"
    exit: 0
    --- stdout

    --- stderr
    note: embedded and embedded are the same
    ");
    home.write("api.json", &moved().to_string());
    insta::assert_snapshot!(diff(&["embedded", "api.json", "-o", "tsv", "--limit", "3"]), @r"
    exit: 0
    --- stdout
    new model	anthropic/claude-opus-99.1					
    added	anthropic/claude-opus-99.1	anthropic	claude-opus-99-1			4/20
    price	anthropic/claude-sonnet-5	anthropic	claude-sonnet-5	batch input	1	

    --- stderr
    ");
    insta::assert_snapshot!(diff(&["embedded", "nowhere.json"]), @r"
    exit: 3
    --- stdout

    --- stderr
    error: cannot read nowhere.json
      reason    No such file or directory
      catalogs  embedded, current, previous, overlaid, or a file
      fix:      give the path of a file that is there
    ");
    home.write("bad.json", "{\"data\": []}");
    insta::assert_snapshot!(diff(&["bad.json", "current"]), @r"
    exit: 5
    --- stdout

    --- stderr
    error: bad.json is no catalog: it is not a list of providers with their models,
    in the form of models.dev
      fix:  give a list in the form of models.dev, a release, or a file that openmux
            catalog update wrote
    ");
}

#[test]
fn a_provider_that_comes_or_goes_is_a_row() {
    let mut news = list();
    news["novel"] = serde_json::json!({"id": "novel", "models": {"first": {"cost": {"input": 3, "output": 4}}}});
    let home = Home::new();
    let server = Server::start(vec![answer(&news)]);
    let updated = update(&home, &server, &["-o", "json"]).run();
    let document: Value = serde_json::from_str(&updated.stdout).unwrap();
    insta::assert_snapshot!(document["data"]["changes"][0], @r#"{"change":"new provider","model":null,"provider":"novel","wire_id":null,"what":null,"before":null,"after":"1 offer"}"#);
    let diff = |args: &[&str]| page(&home.openmux(["catalog", "diff"].into_iter().chain(args.iter().copied())).run());
    insta::assert_snapshot!(diff(&["-o", "table"]), @r"
    exit: 0
    --- stdout
    CHANGE        MODEL        PROVIDER  WHAT  BEFORE  AFTER
    new provider  -            novel     -     -       1 offer
    new model     novel/first  -         -     -       -
    added         novel/first  novel     -     -       3/4

    --- stderr
    ");
    insta::assert_snapshot!(diff(&["current", "embedded", "-o", "tsv"]), @r"
    exit: 0
    --- stdout
    gone provider		novel			1 offer	
    gone model	novel/first					
    removed	novel/first	novel	first		3/4	

    --- stderr
    ");
    let text = Home::new();
    text.write("api.json", &news.to_string());
    let text = text.openmux(["catalog", "update", "--from", "api.json", "--dry-run"]).run();
    assert!(text.stdout.contains("+ 1 provider, 1 model, 1 offer"), "{}", text.snapshot());
}

#[test]
fn a_model_that_nobody_knew_is_one_model_by_every_name_that_it_has() {
    let mut news = list();
    let entry = |id: &str| serde_json::json!({"id": id, "tool_call": true, "cost": {"input": 4, "output": 20}});
    for (provider, id) in [
        ("anthropic", "claude-opus-99-1-20271101"),
        ("amazon-bedrock", "us.anthropic.claude-opus-99-1-20271101-v1:0"),
        ("openrouter", "anthropic/claude-opus-99-1"),
    ] {
        news[provider]["id"] = provider.into();
        news[provider]["models"][id] = entry(id);
    }
    let home = Home::new();
    let server = Server::start(vec![answer(&news)]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    let listed = home.openmux(["models", "list", "opus-99", "--fields", "id,providers,input,output"]).run();
    assert_eq!(listed.stdout, "anthropic/claude-opus-99.1\t3\t4\t20\n", "{}", listed.snapshot());
    let names =
        ["claude-opus-99.1", "claude-opus-99-1", "anthropic/claude-opus-99-1-20271101", "claude-opus-99-1-20271101"];
    for name in names {
        let compared =
            home.openmux(["providers", "compare", name, "--fields", "provider,kind", "--sort", "provider"]).run();
        assert_eq!(
            compared.stdout,
            "amazon-bedrock\tcloud\nanthropic\tofficial\nopenrouter\tgateway\n",
            "{name}: {}",
            compared.snapshot()
        );
    }
}

#[test]
fn an_alias_of_the_users_outlives_a_catalog_that_has_a_model_of_its_name() {
    let home = Home::new();
    home.write("config/config.toml", "[aliases]\n\"claude-opus-99.1\" = \"claude-sonnet-5\"\n");
    let before = home.openmux(["models", "show", "claude-opus-99.1", "-o", "ids"]).run();
    assert_eq!((before.code, before.stderr.as_str()), (Some(0), ""), "{}", before.snapshot());
    let server = Server::start(vec![answer(&moved())]);
    let updated = update(&home, &server, &[]).run();
    assert_eq!(updated.code, Some(0), "{}", updated.snapshot());
    insta::assert_snapshot!(page(&updated).lines().last().unwrap(), @"warning: claude-opus-99.1 is claude-sonnet-5, as $TMP/config/config.toml:2 says, and not the catalog's anthropic/claude-opus-99.1; fix: call the alias something else");
    let after = home.openmux(["models", "show", "claude-opus-99.1", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&after.stdout).unwrap();
    assert_eq!((after.code, &document["data"]["alias_of"]), (Some(0), &"claude-sonnet-5".into()));
    assert_eq!(after.stderr.matches("warning").count(), 1, "{}", after.snapshot());
    let chat = home.openmux(["--sandbox", "chat", "-m", "claude-opus-99.1", "-o", "json", "hi"]).run();
    assert_eq!(chat.code, Some(0), "{}", chat.snapshot());
    let shown = home.openmux(["config", "show", "aliases", "--fields", "key,value,over"]).run();
    insta::assert_snapshot!(shown.stdout, @"aliases.claude-opus-99.1	claude-sonnet-5	the catalog's anthropic/claude-opus-99.1");
}
