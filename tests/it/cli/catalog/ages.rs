//! How old facts are: an update brings up to date what it lists, and nothing else.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use openmux::catalog::fresh::{Listing, merge};
use openmux::catalog::{About, Catalog, ModelId, Stored};
use serde_json::{Value, json};

use super::super::super::support::command::{Home, Output};
use super::super::super::support::server::{Script, Server};
use super::{answer, jiff_today, list, moved, page, undated, update};

/// A home with an update that lists one offer of one model.
fn with_one() -> Home {
    let home = Home::new();
    let list = json!({"anthropic": {"models": {"claude-sonnet-5": {"cost": {"input": 3, "output": 15}}}}});
    home.write("one.json", &list.to_string());
    let output = home.openmux(["catalog", "update", "--from", "one.json"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    home
}

fn run(home: &Home, args: &str) -> Output {
    home.openmux(args.split(' ')).run()
}

fn document(home: &Home, args: &str) -> Value {
    let output = run(home, &format!("{args} -o json"));
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn one_offer_makes_no_catalog_young() {
    let (home, today) = (with_one(), jiff_today());
    let status = document(&home, "catalog status");
    assert_eq!(status["catalog"]["date"], "2026-11-24");
    assert_eq!(status["data"]["current"]["date"], today.as_str());
    let days = status["data"]["days"].as_array().unwrap();
    assert_eq!(days[0], json!({"date": today, "endpoints": 1}));
    assert_eq!(days[1], json!({"date": "2026-11-24", "endpoints": 13_108}));
    let shown = page(&run(&home, "catalog status"));
    assert!(shown.contains("In use       2026-11-24, 6 days old: an update of TODAY\n"), "{shown}");
    assert!(shown.contains("Of which     1 offers of TODAY, 13,108 of 2026-11-24\n"), "{shown}");
    assert_eq!(document(&home, "models list claude-sonnet-5")["catalog"]["age_days"], 6);
}

#[test]
fn what_is_shown_of_a_model_is_as_old_as_its_offers() {
    let (home, today) = (with_one(), jiff_today());
    let shown = document(&home, "models show claude-sonnet-5");
    let offers = shown["data"]["endpoints"].as_array().unwrap();
    let of = |provider: &str| offers.iter().find(|offer| offer["provider"] == provider).unwrap()["dated"].clone();
    assert_eq!((of("anthropic"), of("amazon-bedrock")), (json!(today), json!("2026-11-24")));
    assert_eq!(shown["catalog"]["date"], "2026-11-24", "most of them are of that day");
    assert_eq!(document(&home, "models show claude-sonnet-5:anthropic")["catalog"]["date"], today.as_str());
    assert_eq!(document(&home, "providers compare claude-sonnet-5:anthropic")["catalog"]["age_days"], 0);
    assert_eq!(document(&home, "providers compare claude-opus-5")["catalog"]["age_days"], 6);
    // What an overlay alone says is no older than the user wants it.
    home.write(
        "config/catalog.d/x.toml",
        "[[endpoint]]\nprovider = \"groq\"\nid = \"novel\"\nmodel = \"groq/novel\"\nprice = { input = \"1\", output = \"2\" }\n",
    );
    assert_eq!(document(&home, "models show groq/novel")["data"]["endpoints"][0]["dated"], Value::Null);
}

#[test]
fn a_check_asks_how_old_the_facts_are_that_it_asserts() {
    let home = with_one();
    let said = |args: &str| {
        let output = run(&home, &format!("check {args} --max-catalog-age 3d -o tsv"));
        let rows: Vec<&str> = output.stdout.lines().filter(|row| row.contains("\tmax_age\t")).collect();
        format!("{} {}", output.code.unwrap_or(-1), undated(&rows.join("; ")))
    };
    let said: Vec<String> = [
        "claude-sonnet-5 --provider anthropic --max-price-in 9",
        "claude-sonnet-5 --provider anthropic,amazon-bedrock --max-price-in 9",
        "claude-sonnet-5 --served-by amazon-bedrock",
        "claude-opus-5 --max-price-in 99",
        "",
    ]
    .iter()
    .map(|args| said(args))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    0 ok	catalog		max_age	3	0	0 days old <= 3				
    1 no	catalog		max_age	3	6	6 days old <= 3: no, what it says of anthropic/claude-sonnet-5 at amazon-bedrock is of 2026-11-24	openmux catalog update --from a list that has it			
    1 no	catalog		max_age	3	6	6 days old <= 3: no, what it says of anthropic/claude-sonnet-5 at amazon-bedrock is of 2026-11-24	openmux catalog update --from a list that has it			
    1 no	catalog		max_age	3	6	6 days old <= 3: no, what it says of anthropic/claude-opus-5 at anthropic is of 2026-11-24	openmux catalog update --from a list that has it			
    1 no	catalog		max_age	3	6	6 days old <= 3: no, most of it is of 2026-11-24	openmux catalog update --from a list with more
    ");
}

#[test]
fn a_fact_is_dated_by_the_list_that_states_it() {
    let laid = |list: &Value, before: Option<&Stored>, date: &str| {
        let list = Listing::read(list.to_string().as_bytes()).unwrap();
        let about = About { date: date.into(), embedded: Catalog::embedded().to_owned(), ..About::default() };
        Stored::parse(merge(&list, before).text(&about).into_bytes()).unwrap()
    };
    let day = |stored: &Stored, model: &str, provider: &str| {
        let catalog = Catalog::updated(Arc::new(stored.clone()));
        let offers = catalog.endpoints_for(&ModelId::new(model));
        let offer = offers.iter().find(|offer| offer.id.provider.as_str() == provider && offer.is_plain()).unwrap();
        catalog.day_of(offer).unwrap().to_owned()
    };
    let list = |sonnet: Value| {
        json!({"anthropic": {"models": {"claude-sonnet-5": sonnet, "claude-haiku-4-5": {}}},
               "novel": {"models": {"first": {"cost": {"input": 3, "output": 4}}}}})
    };
    let first = laid(&list(json!({"cost": {"input": 7, "output": 8}})), None, "2026-12-01");
    let sonnet = "anthropic/claude-sonnet-5";
    assert_eq!(day(&first, sonnet, "anthropic"), "2026-12-01");
    assert_eq!(day(&first, "novel/first", "novel"), "2026-12-01");
    assert_eq!(day(&first, sonnet, "amazon-bedrock"), "2026-11-24", "nobody spoke of it");
    assert_eq!(day(&first, "anthropic/claude-haiku-4.5", "anthropic"), "2026-11-24", "its price was not stated");
    // What cannot be read stays as it was, and as old.
    let second = laid(&list(json!({"cost": {"input": -1, "output": 8}})), Some(&first), "2026-12-05");
    assert_eq!(day(&second, sonnet, "anthropic"), "2026-12-01");
    assert_eq!(day(&second, "novel/first", "novel"), "2026-12-05");
    let third = laid(&list(json!({"cost": {"input": -1, "output": 8}})), Some(&second), "2026-12-09");
    assert_eq!(day(&third, sonnet, "anthropic"), "2026-12-01", "however often");
    // What is listed no more is what the program says.
    let without = json!({"novel": {"models": {"first": {"cost": {"input": 3, "output": 4}}}}});
    assert_eq!(day(&laid(&without, Some(&first), "2026-12-05"), sonnet, "anthropic"), "2026-11-24");
}

#[test]
fn an_update_is_of_the_day_that_its_source_says_and_never_of_tomorrow() {
    let dated = |script: Script, date: &str| script.header("etag", "\"one\"").header("last-modified", date);
    let unchanged = || Script::body(304, "application/json", "");
    let server = Server::start(vec![
        dated(answer(&list()), "Thu, 26 Nov 2026 08:00:00 GMT"),
        dated(unchanged(), "Fri, 27 Nov 2026 08:00:00 GMT"),
        unchanged(),
        dated(answer(&moved()), "Wed, 01 Jan 2031 08:00:00 GMT"),
    ]);
    let home = Home::new();
    let today = jiff_today();
    for (at, day) in ["2026-11-26", "2026-11-27", &today, &today].into_iter().enumerate() {
        let output = update(&home, &server, &[]).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        assert_eq!(document(&home, "catalog status")["data"]["current"]["date"], day, "{at}");
    }
}

/// It says of no day itself, as a list on the network may.
#[test]
fn a_file_is_of_the_day_on_which_it_was_written() {
    let home = Home::new();
    let file = home.write("api.json", &list().to_string());
    let from_day = |day: &str| {
        let written = format!("{day}T12:00:00Z").parse::<jiff::Timestamp>().unwrap().as_second();
        let written = UNIX_EPOCH + Duration::from_secs(u64::try_from(written).unwrap());
        File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
        run(&home, "catalog update --from api.json")
    };
    let output = from_day("2026-11-26");
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(document(&home, "catalog status")["data"]["current"]["date"], "2026-11-26");
    insta::assert_snapshot!(page(&from_day("2026-11-23")), @r"
    exit: 11
    --- stdout

    --- stderr
    error: api.json is of 2026-11-23, before the catalog in the program
      in program  2026-11-24
      in use      the catalog of 2026-11-26 stays (an update)
      fix:        a newer one: openmux catalog update --from URL|FILE
    ");
    assert_eq!(document(&home, "catalog status")["data"]["current"]["date"], "2026-11-26");
    // A file whose clock ran ahead is of today.
    assert_eq!(from_day("2031-01-01").code, Some(0));
    assert_eq!(document(&home, "catalog status")["data"]["current"]["date"], jiff_today().as_str());
}

/// Whoever signs answers for prices, and makes none of them new.
#[test]
#[cfg(unix)]
fn a_release_makes_nothing_young_but_what_its_publisher_says() {
    let publisher = Home::new();
    let public = run(&publisher, "catalog key release.key");
    publisher.write(
        "config/catalog.d/x.toml",
        "[[endpoint]]\nprovider = \"anthropic\"\nid = \"claude-sonnet-5\"\nprice = { input = \"1\", output = \"2\" }\n",
    );
    let made = run(&publisher, "catalog release openmux.catalog --key release.key");
    assert_eq!(made.code, Some(0), "{}", made.snapshot());
    let home = Home::new();
    home.write("config/config.toml", &super::signed::trusting(public.stdout.trim()));
    let from = publisher.path().join("openmux.catalog");
    let updated = home.openmux(["catalog", "update", "--from", &from.to_string_lossy()]).run();
    assert_eq!(updated.code, Some(0), "{}", updated.snapshot());
    let days = &document(&home, "catalog status")["data"]["days"];
    assert_eq!(days[0], json!({"date": jiff_today(), "endpoints": 1}));
    assert_eq!(days[1], json!({"date": "2026-11-24", "endpoints": 13_108}));
}
