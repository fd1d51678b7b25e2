//! One list in every format holds the same values, and money is never rounded.

use serde_json::Value;

use super::super::support::command::Home;

/// Lists with every column that they have.
const LISTS: [&[&str]; 4] = [
    &["models", "list", "--all", "--tokens", "8000/1000"],
    &["models", "show", "anthropic/claude-sonnet-4", "--all", "--tokens", "8000/1000/7000"],
    &["providers", "list"],
    &["providers", "compare", "qwen3-max", "--all"],
];

/// Lists of what this machine saw.
const SEEN: [&[&str]; 5] = [
    &["usage"],
    &["usage", "--each"],
    &["providers", "history", "alpha"],
    &["route", "simulate"],
    &["providers", "compare", "acme/tiny"],
];

fn print(home: &Home, args: &[&str], format: &str) -> String {
    let moment = ["--at", "2026-11-24T12:00:00Z"];
    let at = moment.into_iter().filter(|_| ["models", "compare"].iter().any(|word| args.contains(word)));
    let output = home.openmux(args.iter().copied().chain(at).chain(["-o", format])).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    output.stdout
}

/// The fields of a list, from the error that names them.
fn fields(home: &Home, args: &[&str]) -> String {
    let output = home.openmux(args.iter().copied().chain(["--fields", "nope", "-o", "json"])).run();
    let error = super::error_line(&output);
    error["fields"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(",")
}

/// RFC 4180, as a reader that knows nothing of the writer.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, quoted) {
            ('"', true) if signs.peek() == Some(&'"') => cell.extend(signs.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) if signs.peek() == Some(&'\n') => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (sign, _) => cell.push(sign),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the last row is whole");
    rows
}

/// A JSON value as a cell of text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[test]
fn every_format_of_a_list_holds_the_same_values() {
    same_in_every_format(&Home::new(), &LISTS);
    same_in_every_format(&super::contract::used().home, &SEEN);
}

fn same_in_every_format(home: &Home, lists: &[&[&str]]) {
    for list in lists {
        let fields = fields(home, list);
        let args: Vec<&str> = list.iter().copied().chain(["--fields", &fields]).collect();
        let document: Value = serde_json::from_str(&print(home, &args, "json")).unwrap();
        let data = &document["data"];
        let rows = data.as_array().or_else(|| data["endpoints"].as_array()).expect("rows");
        let cells = |row: &Value| {
            // What differs from the author's own endpoint is a mark on a cell elsewhere.
            let members = row.as_object().unwrap().iter().filter(|(key, _)| *key != "differs");
            members.map(|(_, value)| cell(value)).collect::<Vec<_>>()
        };
        let expected: Vec<Vec<String>> = rows.iter().map(cells).collect();
        assert!(!expected.is_empty() && expected[0].len() == fields.split(',').count(), "{list:?}");

        let lines: Vec<Value> =
            print(home, &args, "jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, rows, "{list:?} as JSONL");

        let table = csv(&print(home, &args, "csv"));
        assert_eq!(table[0].len(), expected[0].len());
        assert_eq!(table[1..], expected, "{list:?} as CSV");

        let printed = print(home, &args, "tsv");
        let table: Vec<Vec<String>> =
            printed.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        assert_eq!(table, expected, "{list:?} as TSV");

        let ids: Vec<String> = print(home, &args, "ids").lines().map(str::to_owned).collect();
        assert_eq!(ids, expected.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), "{list:?} as ids");
        assert_eq!(print(home, &args, "md").lines().count(), expected.len() + 2, "{list:?} as Markdown");
    }
}

#[test]
fn a_document_says_what_it_is_and_of_when() {
    let home = Home::new();
    for (list, schema) in
        LISTS.iter().zip(["models.list/1", "models.show/1", "providers.list/1", "providers.compare/1"])
    {
        let document: Value = serde_json::from_str(&print(&home, list, "json")).unwrap();
        assert_eq!(document["schema"], schema);
        assert_eq!(document["catalog"]["source"], "bundled");
        assert!(document["catalog"]["date"].as_str().is_some_and(|date| date.len() == 10));
        assert_eq!(document["warnings"], Value::Array(Vec::new()));
    }
}

/// Prices with as many digits as there can be come out as they went in, and so does what they are multiplied into.
#[test]
fn money_is_written_digit_for_digit() {
    let home = Home::new();
    home.write(
        "config/catalog.d/exact.toml",
        "[provider.exact]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n[[endpoint]]\n\
         provider = \"exact\"\nmodel = \"acme/exact\"\nid = \"exact\"\ncontext = 8192\n\
         price = { input = \"0.123456789012\", output = \"3\" }\n",
    );
    let args = ["models", "list", "acme/exact", "--tokens", "1000/0", "-o", "json"];
    let printed = home.openmux(args).run().stdout;
    assert!(printed.contains("\"input_usd_per_mtok\":0.123456789012,"), "{printed}");
    assert!(printed.contains("\"call_usd\":0.000123456789012,"), "{printed}");
    let explained = home.openmux(["route", "explain", "acme/exact", "--tokens", "1000/0", "-o", "json"]).run().stdout;
    let document: Value = serde_json::from_str(&explained).unwrap();
    let terms = document["candidates"][0]["terms"].as_array().unwrap();
    let price = terms.iter().find(|term| term["kind"] == "price").unwrap();
    assert_eq!(price["usd"].to_string(), "0.000123456789", "terms are rounded to 1e-12 dollars, and say so by it");
    let total: Value = document["candidates"][0]["total_usd"].clone();
    let digits = |value: &Value| {
        let text = value.to_string();
        let (whole, part) = text.split_once('.').map_or((text.as_str(), ""), |(whole, part)| (whole, part));
        format!("{whole}{part:0<12}").parse::<u64>().unwrap()
    };
    assert_eq!(terms.iter().map(|term| digits(&term["usd"])).sum::<u64>(), digits(&total), "terms add up to the total");
}
