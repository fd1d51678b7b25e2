//! `check`: every assertion is told ok from no from unknown, in every format, with the place and one thing to do; a lock
//! says what has changed since.

mod cells;
mod ends;
mod formats;
mod lock;
mod probed;
mod typed;

use std::fmt::Write as _;

use openmux::observe::ErrorClass;
use serde_json::Value;

use super::super::support::attempts::{NOON, answered, failed, keep};
use super::super::support::command::{Home, Output};

/// `acme/tiny` at providers of which different things are known.
const FACTS: &str = r#"
[[endpoint]]
provider = "sure"
model = "acme/tiny"
id = "tiny-1"
context = 8192
max_output = 4096
input = ["text", "image"]
features = ["tools", "cache"]
price = { input = "2", output = "8", cache_read = "0.2", cache_write = "2.5" }

[[endpoint]]
provider = "mute"
model = "acme/tiny"
id = "tiny-1"

[[endpoint]]
provider = "dull"
model = "acme/tiny"
id = "tiny-1"
context = 16384
max_output = 1024
input = ["text"]
features = ["no_tools"]
price = { input = "3", output = "9", cache_read = "3", cache_write = "3" }

[[endpoint]]
provider = "gone"
model = "acme/tiny"
id = "tiny-1"
status = "retired"
sunset = "2026-10-01"
price = { input = "1", output = "1" }

[[endpoint]]
provider = "aged"
model = "acme/tiny"
id = "tiny-1"
status = "unlisted"
price = { input = "1", output = "1" }

[[endpoint]]
provider = "late"
model = "acme/tiny"
id = "tiny-1"
sunset = "2026-12-11"

[[endpoint]]
provider = "past"
model = "acme/tiny"
id = "tiny-1"
sunset = "2026-11-24"

[[endpoint]]
provider = "weak"
model = "acme/tiny"
id = "tiny-1"
status = "deprecated"
"#;

const PROVIDERS: [&str; 8] = ["sure", "mute", "dull", "gone", "aged", "late", "past", "weak"];

/// The overlay: `sure` and `aged` are on this machine and need no key.
fn overlay(facts: &str) -> String {
    let mut text = String::new();
    for name in PROVIDERS {
        let (base, key) = match name {
            "sure" | "aged" => ("http://127.0.0.1:1/v1".to_owned(), String::new()),
            name => (format!("https://{name}.example/v1"), format!("key_env = \"{}_KEY\"\n", name.to_uppercase())),
        };
        writeln!(text, "[provider.{name}]\nprotocol = \"openai-chat\"\nbase_url = \"{base}\"\n{key}").unwrap();
    }
    text + facts
}

/// A home with these facts, in which a hundred calls of `sure` were answered, three of `mute`, none of twenty of
/// `dull`, and not the one of `past`.
fn home() -> Home {
    let home = Home::new();
    home.write("config/catalog.d/acme.toml", &overlay(FACTS));
    let good = (0..100).map(|at| answered("sure", at)).chain((0..3).map(|at| answered("mute", at)));
    let once = [failed("past", 30, ErrorClass::ProviderFault)];
    keep(home.path(), good.chain(once).chain((0..20).map(|at| failed("dull", at, ErrorClass::ProviderFault))));
    home
}

fn run(home: &Home, args: &str) -> Output {
    home.openmux(["check"].into_iter().chain(args.split(' ')).chain(["--at", NOON])).run()
}

fn rows(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An assertion about `acme/tiny` at a provider (none is the model as such), and its answer.
const OF_OFFERS: &[(&str, &str, &str)] = &[
    ("exists = true", "", "ok"),
    ("exists = false", "", "no"),
    ("max_price_in = 2", "sure", "ok"),
    ("max_price_in = \"1.999999999999\"", "sure", "no"),
    ("max_price_in = 1000", "mute", "unknown"),
    ("max_price_out = 8", "sure", "ok"),
    ("max_price_out = 7.99", "sure", "no"),
    ("max_price_out = 1000", "mute", "unknown"),
    ("max_price_cache_read = 0.2", "sure", "ok"),
    ("max_price_cache_read = 0.19", "sure", "no"),
    ("max_price_cache_read = 1000", "mute", "unknown"),
    ("max_price_cache_write = 2.5", "sure", "ok"),
    ("max_price_cache_write = 2.49", "sure", "no"),
    ("max_price_cache_write = 1000", "mute", "unknown"),
    ("tokens = \"1000/1000\"\nmax_call_price = 0.01", "sure", "ok"),
    ("tokens = \"1000/1000\"\nmax_call_price = 0.0099", "sure", "no"),
    ("tokens = \"1000/1000\"\nmax_call_price = 1000", "mute", "unknown"),
    ("min_context = 8192", "sure", "ok"),
    ("min_context = 8193", "sure", "no"),
    ("min_context = 1", "mute", "unknown"),
    ("min_output = 4096", "sure", "ok"),
    ("min_output = 4097", "sure", "no"),
    ("min_output = 1", "mute", "unknown"),
    ("has = \"tools\"", "sure", "ok"),
    ("has = \"tools\"", "dull", "no"),
    ("has = \"tools\"", "mute", "unknown"),
    ("has = \"vision\"", "sure", "ok"),
    ("has = \"vision\"", "dull", "no"),
    ("has = \"vision\"", "mute", "unknown"),
    ("has = \"reasoning\"", "sure", "unknown"),
    ("not_retiring = 90", "sure", "ok"),
    ("not_retiring = 16", "late", "ok"),
    ("not_retiring = 17", "late", "no"),
    // Its last day is today, which is not over.
    ("not_retiring = 0", "past", "ok"),
    ("not_retiring = 1", "past", "no"),
    ("not_retiring = 0", "gone", "no"),
    ("not_retiring = 0", "weak", "ok"),
    ("not_retiring = 1", "weak", "unknown"),
    ("not_retiring = 0", "aged", "unknown"),
    ("served_by = \"sure\"", "", "ok"),
    ("served_by = \"openai\"", "", "no"),
    ("served_by = \"gone\"", "", "no"),
    ("served_by = \"aged\"", "", "unknown"),
    ("served_by = \"nobody\"", "", "unknown"),
    ("min_providers = 6", "", "ok"),
    ("min_providers = 7", "", "unknown"),
    ("min_providers = 8", "", "no"),
    ("min_callable = 1", "", "ok"),
    ("min_callable = 2", "", "unknown"),
    ("min_callable = 3", "", "no"),
    ("max_ttft = \"400ms\"", "sure", "ok"),
    ("max_ttft = \"399ms\"", "sure", "no"),
    ("max_ttft = \"10s\"", "mute", "unknown"),
    ("max_ttft = \"10s\"", "late", "unknown"),
    ("tokens = \"50000/100\"\nmax_ttft = \"10s\"", "sure", "unknown"),
    ("max_ttft = \"10s\"\nwindow = \"2026-11-25\"", "sure", "unknown"),
    ("min_tps = 50", "sure", "ok"),
    ("min_tps = 50.1", "sure", "no"),
    ("min_tps = 1", "mute", "unknown"),
    ("min_availability = 0.96", "sure", "ok"),
    ("min_availability = 0.97", "sure", "unknown"),
    ("min_availability = 0.2", "dull", "no"),
    ("min_availability = 0.5", "mute", "unknown"),
    ("min_availability = 0.01", "late", "unknown"),
    // One call that failed is no availability.
    ("min_availability = 0.9", "past", "unknown"),
];

/// An assertion about a provider, and its answer.
const OF_PROVIDERS: &[(&str, &str, &str)] = &[
    ("exists = true", "sure", "ok"),
    ("exists = true", "nobody", "no"),
    ("exists = false", "nobody", "ok"),
    ("exists = false", "sure", "no"),
    ("has_key = true", "sure", "ok"),
    ("has_key = true", "mute", "no"),
    ("has_key = true", "nobody", "unknown"),
    ("serves = \"acme/tiny\"", "sure", "ok"),
    ("serves = \"gpt-5\"", "sure", "no"),
    ("serves = \"acme/tiny\"", "aged", "unknown"),
    ("serves = \"acme/nothing\"", "sure", "unknown"),
    ("min_availability = 0.96", "sure", "ok"),
    ("min_availability = 0.2", "dull", "no"),
    ("min_availability = 0.5", "mute", "unknown"),
];

#[test]
fn every_assertion_tells_wrong_from_unknown() {
    let home = home();
    let (mut text, mut expected) = (String::new(), Vec::new());
    let mut line = 1;
    let offers = OF_OFFERS.iter().map(|case| ("model", case));
    for (kind, (claim, provider, verdict)) in offers.chain(OF_PROVIDERS.iter().map(|case| ("provider", case))) {
        let head = match (kind, *provider) {
            ("provider", provider) => format!("[[provider]]\nid = \"{provider}\"\n"),
            (_, "") => "[[model]]\nid = \"acme/tiny\"\n".to_owned(),
            (_, provider) => format!("[[model]]\nid = \"acme/tiny\"\nprovider = \"{provider}\"\n"),
        };
        // The assertion is the last line but where a window stands below it.
        let at = claim.lines().position(|line| !line.starts_with("tokens")).unwrap();
        let place = line + head.lines().count() + at;
        let table = format!("{head}{claim}\n");
        line += table.lines().count();
        text += &table;
        expected.push((place, *claim, *provider, *verdict));
    }
    text += "[catalog]\nmax_age = 0\n";
    home.write("all.toml", &text);
    let output = run(&home, "--file all.toml -o jsonl");
    assert_eq!(output.code, Some(1), "{}", output.snapshot());
    let rows = rows(&output);
    let mut wrong = Vec::new();
    for (place, claim, provider, verdict) in expected {
        let found: Vec<&Value> = rows.iter().filter(|row| row["line"] == place).collect();
        // A provider that nobody knows is told where it is named.
        let found = if found.is_empty() { rows.iter().filter(|row| row["line"] == place - 1).collect() } else { found };
        let said: Vec<&str> = found.iter().map(|row| row["verdict"].as_str().unwrap()).collect();
        if said != [verdict] {
            wrong.push(format!("{claim} at {provider}: {said:?}, not {verdict}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for row in &rows {
        let (verdict, code) = (row["verdict"].as_str().unwrap(), row["code"].as_str());
        assert_eq!(code.is_some(), verdict == "unknown", "{row}");
        assert_eq!(row["file"], "all.toml", "{row}");
        let word = format!(": {verdict}, ");
        let told = row["message"].as_str().unwrap();
        assert!(verdict == "ok" || told.contains(&word) || !told.contains(": "), "{told}");
    }
}

/// What is asserted by flags and by a file is the same.
#[test]
fn flags_say_what_a_file_says() {
    let home = home();
    let flags = "acme/tiny --provider sure --max-price-in 2 --max-price-out 7 --max-price-cache-read 1 \
                 --max-price-cache-write 1 --tokens 1000/1000 --max-call-price 1 --min-context 8k --min-output 8k \
                 --has tools,pdf --not-retiring 90d --served-by sure,aged --min-providers 1 --min-callable 1 \
                 --max-ttft 1s --min-tps 1 --min-availability 50% --has-key sure --max-catalog-age 30d";
    home.write(
        "same.toml",
        "[[model]]\nid = \"acme/tiny\"\nprovider = \"sure\"\ntokens = \"1000/1000\"\nmax_price_in = 2\nmax_price_out = 7\n\
         max_price_cache_read = 1\nmax_price_cache_write = 1\nmax_call_price = 1\nmin_context = \"8k\"\n\
         min_output = \"8k\"\nhas = [\"tools\", \"pdf\"]\nnot_retiring = \"90d\"\nserved_by = [\"sure\", \"aged\"]\n\
         min_providers = 1\nmin_callable = 1\nmax_ttft = \"1s\"\nmin_tps = 1\nmin_availability = \"50%\"\n\
         [[provider]]\nid = \"sure\"\nhas_key = true\n[catalog]\nmax_age = \"30d\"\n",
    );
    let told = |args: &str| {
        let output = run(&home, args);
        let mut rows: Vec<String> = rows(&output)
            .into_iter()
            .map(|row| format!("{} {} {} {}", row["verdict"], row["assertion"], row["wanted"], row["message"]))
            .collect();
        rows.sort();
        rows
    };
    let flags = flags.split_whitespace().collect::<Vec<_>>().join(" ");
    let by_flags = told(&format!("{flags} -o jsonl"));
    assert_eq!(by_flags, told("--file same.toml -o jsonl"));
    assert_eq!(by_flags.len(), 19, "{by_flags:#?}");
    // The names of the issue.
    let same = run(&home, "acme/tiny --provider sure --max-input-price 2 --max-output-price 8");
    assert_eq!(same.code, Some(0), "{}", same.snapshot());
}

#[test]
fn a_no_beats_an_unknown_and_an_unknown_is_never_ok() {
    let home = home();
    let code = |args: &str| {
        let all: Vec<Option<i32>> = ["table", "github", "junit", "json", "jsonl", "tsv", "csv", "md", "ids"]
            .iter()
            .map(|format| run(&home, &format!("{args} -o {format}")).code)
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{args}: {all:?}");
        all[0]
    };
    assert_eq!(code("acme/tiny --provider sure --max-price-in 2"), Some(0));
    assert_eq!(code("acme/tiny --provider sure --max-price-in 1"), Some(1));
    assert_eq!(code("acme/tiny --provider mute --max-price-in 1"), Some(3));
    assert_eq!(code("acme/tiny --provider sure,mute --max-price-in 1"), Some(1));
    assert_eq!(code("acme/tiny --provider sure,mute --max-price-in 2"), Some(3));
    assert_eq!(code("acme/tiny --provider aged --max-price-in 2"), Some(3), "an old list's word is not enough");
    assert_eq!(code("acme/tiny --provider gone --max-price-in 2"), Some(1), "what is retired is no use at any price");
    assert_eq!(code("acme/tiny --provider openai --max-price-in 2"), Some(1), "as --served-by says");
    assert_eq!(code("acme/tiny --provider opnai --max-price-in 2"), Some(3));
    assert_eq!(code("acme/tiny:sure"), Some(0));
    assert_eq!(code("acme/nothing"), Some(3));
    assert_eq!(code("acme/nothing acme/tiny:gone"), Some(1));
    // A reader that is gone makes no "no" a yes.
    let run = home.openmux(["check", "acme/tiny:gone", "-o", "tsv", "--at", NOON]).stdout_closed().run();
    assert_eq!(run.code, Some(1), "{}", run.snapshot());
    // Measurements that cannot be read are not "nothing measured".
    home.write(
        "data/obs.db",
        "this is no database, and longer than the head of one would be: it cannot be read as one",
    );
    assert_eq!(code("acme/tiny:sure --max-ttft 1s"), Some(5));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let home = home();
    home.write("typo.toml", "[[model]]\nid = \"acme/tiny\"\nmax_prise_in = \"3\"\n");
    home.write("empty.toml", "# nothing\n");
    home.write("binary.toml", "\u{0}");
    home.write("empty.lock", "version = 1\n");
    let said = [
        "--max-price-in 3",
        "--file typo.toml",
        "--file empty.toml",
        "--file binary.toml",
        "--lock empty.lock",
        "--file absent.toml",
        "acme/tiny --max-call-price 1",
        "acme/tiny --lock m.lock --locked",
        "--lock m.lock",
        "acme/tiny -o text",
        "acme/tiny --has telepathy",
    ]
    .map(|args| format!("$ openmux check {args}\n{}", run(&home, args).snapshot()));
    insta::assert_snapshot!(said.join("\n"), @r#"
    $ openmux check --max-price-in 3
    exit: 2
    --- stdout

    --- stderr
    error: of which model?
      fix:  openmux check MODEL --max-price-in 3 or openmux check --file
            models.check.toml

    $ openmux check --file typo.toml
    exit: 5
    --- stdout

    --- stderr
    error: typo.toml:3: model[0].max_prise_in: unknown key; did you mean
    "max_price_in"?
      fix:  correct line 3 of typo.toml

    $ openmux check --file empty.toml
    exit: 2
    --- stdout

    --- stderr
    error: nothing is to be checked
      file  it holds no assertion
      fix:  openmux check MODEL --max-price-in 3 or openmux check --file
            models.check.toml

    $ openmux check --file binary.toml
    exit: 5
    --- stdout

    --- stderr
    error: binary.toml:1: key with no value, expected `=`
      fix:  correct line 1 of binary.toml

    $ openmux check --lock empty.lock
    exit: 3
    --- stdout

    --- stderr
    error: nothing was checked
      fix:  openmux check MODEL, or a file that names models: openmux help check

    $ openmux check --file absent.toml
    exit: 3
    --- stdout

    --- stderr
    error: cannot read absent.toml
      reason  No such file or directory
      fix:    give the path of a file that is there

    $ openmux check acme/tiny --max-call-price 1
    exit: 2
    --- stdout

    --- stderr
    error: the following required arguments were not provided: --tokens
    <IN/OUT[/CACHED]>
      usage  openmux check --tokens <IN/OUT[/CACHED]> --max-call-price <USD> --at
             <TIME> <MODEL>...
      fix:   openmux check --help

    $ openmux check acme/tiny --lock m.lock --locked
    exit: 3
    --- stdout

    --- stderr
    error: there is no lock m.lock
      fix:  leave out --locked to write it

    $ openmux check --lock m.lock
    exit: 3
    --- stdout

    --- stderr
    error: there is no lock m.lock
      fix:  openmux check MODEL --lock m.lock

    $ openmux check acme/tiny -o text
    exit: 2
    --- stdout

    --- stderr
    error: this command has no format "text"
      formats  table wide json jsonl csv tsv md ids
      fix:     leave out -o, or unset OPENMUX_OUTPUT; -o json is there everywhere

    $ openmux check acme/tiny --has telepathy
    exit: 2
    --- stdout

    --- stderr
    error: invalid value 'telepathy' for '--has <CAN,CAN>': not one of tools,
    parallel_tools, structured, reasoning, cache, web_search, computer_use, vision,
    pdf, audio, video
      fix:  openmux check --help
    "#);
    let offline = home.openmux(["--offline", "check", "acme/tiny", "--max-ttft", "1s", "--probe"]).run();
    assert_eq!(offline.code, Some(11), "{}", offline.snapshot());
    let elsewhere = home.openmux(["models", "list", "-o", "junit"]).run();
    assert_eq!(elsewhere.code, Some(2), "{}", elsewhere.snapshot());
}
