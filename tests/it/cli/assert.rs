//! `check`: every assertion is told ok from no from unknown, in every format, with the place and one thing to do; a lock
//! says what has changed since.

use std::fmt::Write as _;
use std::path::PathBuf;

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

/// A home with these facts, in which a hundred calls of `sure` were answered, three of `mute`, and none of twenty of
/// `dull`.
fn home() -> Home {
    let home = Home::new();
    home.write("config/catalog.d/acme.toml", &overlay(FACTS));
    let good = (0..100).map(|at| answered("sure", at)).chain((0..3).map(|at| answered("mute", at)));
    keep(&home, good.chain((0..20).map(|at| failed("dull", at, ErrorClass::ProviderFault))));
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
    ("not_retiring = 0", "past", "no"),
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

const MIXED: &str = r#"[catalog]
max_age = "30d"

[[model]]
id = "acme/tiny"
provider = ["sure", "dull"]
max_price_in = "2.50"
has = ["tools", "pdf"]

[[model]]
id = "anthropic/claude-sonnet-4"
provider = "amazon-bedrock"
min_context = "200k"

[[model]]
id = "claude-sonet-4"
max_price_in = "3"

[[provider]]
id = "openai"
has_key = true
"#;

#[test]
fn every_format_says_the_same() {
    let home = home();
    home.write("mixed,100%.toml", MIXED);
    let told = |format: &str| run(&home, &format!("--file mixed,100%.toml -o {format}")).snapshot().replace('\r', "");
    insta::assert_snapshot!(told("table"), @r#"
    exit: 1
    --- stdout
    ok       catalog                    0 days old <= 30
    ok       acme/tiny                  price_in 2.00 <= 2.50 at sure
    no       acme/tiny                  price_in 3.00 <= 2.50: no, dull says 3.00
                                        mixed,100%.toml:7
                                        fix: provider sure keeps to it: price_in
                                             2.00 <= 2.50
    ok       acme/tiny                  has tools at sure
    no       acme/tiny                  has pdf: no, sure lists it without
                                        mixed,100%.toml:8
    no       acme/tiny                  has tools: no, dull lists it without
                                        mixed,100%.toml:8
                                        fix: provider sure keeps to it: has tools
    no       acme/tiny                  has pdf: no, dull lists it without
                                        mixed,100%.toml:8
    no       anthropic/claude-sonnet-4  amazon-bedrock retired it on 2026-10-14
                                        mixed,100%.toml:11
                                        fix: replace it with
                                             anthropic/claude-sonnet-5, the newest
                                             of its family at amazon-bedrock
    ok       anthropic/claude-sonnet-4  context 200,000 >= 200,000 at amazon-bedrock
    unknown  claude-sonet-4             no model is called "claude-sonet-4"
                                        mixed,100%.toml:16
                                        fix: did you mean anthropic/claude-sonnet-4,
                                             anthropic/claude-sonnet-5,
                                             anthropic/claude-sonnet-4.6?
    no       openai                     has a key: no, looked in OPENAI_API_KEY
                                        mixed,100%.toml:21
                                        fix: export OPENAI_API_KEY=...
    11 checks: 4 ok, 6 no, 1 unknown

    --- stderr
    "#);
    insta::assert_snapshot!(told("github"), @r#"
    exit: 1
    --- stdout
    ::error file=mixed%2C100%25.toml,line=7,title=acme/tiny max_price_in::price_in 3.00 <= 2.50: no, dull says 3.00%0Afix: provider sure keeps to it: price_in 2.00 <= 2.50
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has::has pdf: no, sure lists it without
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has::has tools: no, dull lists it without%0Afix: provider sure keeps to it: has tools
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has::has pdf: no, dull lists it without
    ::error file=mixed%2C100%25.toml,line=11,title=anthropic/claude-sonnet-4 served::amazon-bedrock retired it on 2026-10-14%0Afix: replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock
    ::warning file=mixed%2C100%25.toml,line=16,title=claude-sonet-4 exists::no model is called "claude-sonet-4"%0Afix: did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6?
    ::error file=mixed%2C100%25.toml,line=21,title=openai has_key::has a key: no, looked in OPENAI_API_KEY%0Afix: export OPENAI_API_KEY=...
    11 checks: 4 ok, 6 no, 1 unknown

    --- stderr
    "#);
    insta::assert_snapshot!(told("junit"), @r#"
    exit: 1
    --- stdout
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="openmux check" tests="11" failures="6" errors="1" skipped="0">
      <testsuite name="mixed,100%.toml" tests="11" failures="6" errors="1" skipped="0">
        <testcase classname="catalog" name="max_age" file="mixed,100%.toml" line="2"/>
        <testcase classname="acme/tiny" name="max_price_in at sure" file="mixed,100%.toml" line="7"/>
        <testcase classname="acme/tiny" name="max_price_in at dull" file="mixed,100%.toml" line="7">
          <failure type="no" message="price_in 3.00 &lt;= 2.50: no, dull says 3.00">fix: provider sure keeps to it: price_in 2.00 &lt;= 2.50</failure>
        </testcase>
        <testcase classname="acme/tiny" name="has tools at sure" file="mixed,100%.toml" line="8"/>
        <testcase classname="acme/tiny" name="has pdf at sure" file="mixed,100%.toml" line="8">
          <failure type="no" message="has pdf: no, sure lists it without"></failure>
        </testcase>
        <testcase classname="acme/tiny" name="has tools at dull" file="mixed,100%.toml" line="8">
          <failure type="no" message="has tools: no, dull lists it without">fix: provider sure keeps to it: has tools</failure>
        </testcase>
        <testcase classname="acme/tiny" name="has pdf at dull" file="mixed,100%.toml" line="8">
          <failure type="no" message="has pdf: no, dull lists it without"></failure>
        </testcase>
        <testcase classname="anthropic/claude-sonnet-4" name="served at amazon-bedrock" file="mixed,100%.toml" line="11">
          <failure type="no" message="amazon-bedrock retired it on 2026-10-14">fix: replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock</failure>
        </testcase>
        <testcase classname="anthropic/claude-sonnet-4" name="min_context at amazon-bedrock" file="mixed,100%.toml" line="13"/>
        <testcase classname="claude-sonet-4" name="exists" file="mixed,100%.toml" line="16">
          <error type="unknown" message="no model is called &quot;claude-sonet-4&quot;">fix: did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6?</error>
        </testcase>
        <testcase classname="openai" name="has_key at openai" file="mixed,100%.toml" line="21">
          <failure type="no" message="has a key: no, looked in OPENAI_API_KEY">fix: export OPENAI_API_KEY=...</failure>
        </testcase>
      </testsuite>
    </testsuites>

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
    "#);
    insta::assert_snapshot!(told("jsonl"), @r#"
    exit: 1
    --- stdout
    {"verdict":"ok","subject":"catalog","provider":null,"assertion":"max_age","wanted":30,"found":0,"message":"0 days old <= 30","fix":null,"file":"mixed,100%.toml","line":2,"code":null}
    {"verdict":"ok","subject":"acme/tiny","provider":"sure","assertion":"max_price_in","wanted":2.5,"found":2,"message":"price_in 2.00 <= 2.50","fix":null,"file":"mixed,100%.toml","line":7,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"max_price_in","wanted":2.5,"found":3,"message":"price_in 3.00 <= 2.50: no, dull says 3.00","fix":"provider sure keeps to it: price_in 2.00 <= 2.50","file":"mixed,100%.toml","line":7,"code":null}
    {"verdict":"ok","subject":"acme/tiny","provider":"sure","assertion":"has","wanted":"tools","found":["tools","vision","cache"],"message":"has tools","fix":null,"file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"sure","assertion":"has","wanted":"pdf","found":["tools","vision","cache"],"message":"has pdf: no, sure lists it without","fix":null,"file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"has","wanted":"tools","found":[],"message":"has tools: no, dull lists it without","fix":"provider sure keeps to it: has tools","file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"has","wanted":"pdf","found":[],"message":"has pdf: no, dull lists it without","fix":null,"file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"anthropic/claude-sonnet-4","provider":"amazon-bedrock","assertion":"served","wanted":"served","found":"2026-10-14","message":"amazon-bedrock retired it on 2026-10-14","fix":"replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock","file":"mixed,100%.toml","line":11,"code":null}
    {"verdict":"ok","subject":"anthropic/claude-sonnet-4","provider":"amazon-bedrock","assertion":"min_context","wanted":200000,"found":200000,"message":"context 200,000 >= 200,000","fix":null,"file":"mixed,100%.toml","line":13,"code":null}
    {"verdict":"unknown","subject":"claude-sonet-4","provider":null,"assertion":"exists","wanted":true,"found":false,"message":"no model is called \"claude-sonet-4\"","fix":"did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6?","file":"mixed,100%.toml","line":16,"code":"not_found"}
    {"verdict":"no","subject":"openai","provider":"openai","assertion":"has_key","wanted":true,"found":false,"message":"has a key: no, looked in OPENAI_API_KEY","fix":"export OPENAI_API_KEY=...","file":"mixed,100%.toml","line":21,"code":null}

    --- stderr
    {"error":{"code":"negative.check","exit":1,"message":"11 checks: 4 ok, 6 no, 1 unknown"}}
    "#);
    insta::assert_snapshot!(told("tsv"), @r#"
    exit: 1
    --- stdout
    ok	catalog		max_age	30	0	0 days old <= 30		mixed,100%.toml	2	
    ok	acme/tiny	sure	max_price_in	2.5	2	price_in 2.00 <= 2.50		mixed,100%.toml	7	
    no	acme/tiny	dull	max_price_in	2.5	3	price_in 3.00 <= 2.50: no, dull says 3.00	provider sure keeps to it: price_in 2.00 <= 2.50	mixed,100%.toml	7	
    ok	acme/tiny	sure	has	tools	tools,vision,cache	has tools		mixed,100%.toml	8	
    no	acme/tiny	sure	has	pdf	tools,vision,cache	has pdf: no, sure lists it without		mixed,100%.toml	8	
    no	acme/tiny	dull	has	tools		has tools: no, dull lists it without	provider sure keeps to it: has tools	mixed,100%.toml	8	
    no	acme/tiny	dull	has	pdf		has pdf: no, dull lists it without		mixed,100%.toml	8	
    no	anthropic/claude-sonnet-4	amazon-bedrock	served	served	2026-10-14	amazon-bedrock retired it on 2026-10-14	replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock	mixed,100%.toml	11	
    ok	anthropic/claude-sonnet-4	amazon-bedrock	min_context	200000	200000	context 200,000 >= 200,000		mixed,100%.toml	13	
    unknown	claude-sonet-4		exists	true	false	no model is called "claude-sonet-4"	did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6?	mixed,100%.toml	16	not_found
    no	openai	openai	has_key	true	false	has a key: no, looked in OPENAI_API_KEY	export OPENAI_API_KEY=...	mixed,100%.toml	21	

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
    "#);
    insta::assert_snapshot!(told("csv"), @r#"
    exit: 1
    --- stdout
    verdict,subject,provider,assertion,wanted,found,message,fix,file,line,code
    ok,catalog,,max_age,30,0,0 days old <= 30,,"mixed,100%.toml",2,
    ok,acme/tiny,sure,max_price_in,2.5,2,price_in 2.00 <= 2.50,,"mixed,100%.toml",7,
    no,acme/tiny,dull,max_price_in,2.5,3,"price_in 3.00 <= 2.50: no, dull says 3.00",provider sure keeps to it: price_in 2.00 <= 2.50,"mixed,100%.toml",7,
    ok,acme/tiny,sure,has,tools,"tools,vision,cache",has tools,,"mixed,100%.toml",8,
    no,acme/tiny,sure,has,pdf,"tools,vision,cache","has pdf: no, sure lists it without",,"mixed,100%.toml",8,
    no,acme/tiny,dull,has,tools,,"has tools: no, dull lists it without",provider sure keeps to it: has tools,"mixed,100%.toml",8,
    no,acme/tiny,dull,has,pdf,,"has pdf: no, dull lists it without",,"mixed,100%.toml",8,
    no,anthropic/claude-sonnet-4,amazon-bedrock,served,served,2026-10-14,amazon-bedrock retired it on 2026-10-14,"replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock","mixed,100%.toml",11,
    ok,anthropic/claude-sonnet-4,amazon-bedrock,min_context,200000,200000,"context 200,000 >= 200,000",,"mixed,100%.toml",13,
    unknown,claude-sonet-4,,exists,true,false,"no model is called ""claude-sonet-4""","did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6?","mixed,100%.toml",16,not_found
    no,openai,openai,has_key,true,false,"has a key: no, looked in OPENAI_API_KEY",export OPENAI_API_KEY=...,"mixed,100%.toml",21,

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
    "#);
    insta::assert_snapshot!(told("md"), @r#"
    exit: 1
    --- stdout
    | VERDICT | SUBJECT | PROVIDER | ASSERTION | WANTED | FOUND | WHAT | FIX | FILE | LINE | CODE |
    | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---: | --- |
    | ok | catalog | - | max_age | 30 | 0 | 0 days old <= 30 | - | mixed,100%.toml | 2 | - |
    | ok | acme/tiny | sure | max_price_in | 2.5 | 2 | price_in 2.00 <= 2.50 | - | mixed,100%.toml | 7 | - |
    | no | acme/tiny | dull | max_price_in | 2.5 | 3 | price_in 3.00 <= 2.50: no, dull says 3.00 | provider sure keeps to it: price_in 2.00 <= 2.50 | mixed,100%.toml | 7 | - |
    | ok | acme/tiny | sure | has | tools | tools,vision,cache | has tools | - | mixed,100%.toml | 8 | - |
    | no | acme/tiny | sure | has | pdf | tools,vision,cache | has pdf: no, sure lists it without | - | mixed,100%.toml | 8 | - |
    | no | acme/tiny | dull | has | tools |  | has tools: no, dull lists it without | provider sure keeps to it: has tools | mixed,100%.toml | 8 | - |
    | no | acme/tiny | dull | has | pdf |  | has pdf: no, dull lists it without | - | mixed,100%.toml | 8 | - |
    | no | anthropic/claude-sonnet-4 | amazon-bedrock | served | served | 2026-10-14 | amazon-bedrock retired it on 2026-10-14 | replace it with anthropic/claude-sonnet-5, the newest of its family at amazon-bedrock | mixed,100%.toml | 11 | - |
    | ok | anthropic/claude-sonnet-4 | amazon-bedrock | min_context | 200000 | 200000 | context 200,000 >= 200,000 | - | mixed,100%.toml | 13 | - |
    | unknown | claude-sonet-4 | - | exists | yes | no | no model is called "claude-sonet-4" | did you mean anthropic/claude-sonnet-4, anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6? | mixed,100%.toml | 16 | not_found |
    | no | openai | openai | has_key | yes | no | has a key: no, looked in OPENAI_API_KEY | export OPENAI_API_KEY=... | mixed,100%.toml | 21 | - |

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
    "#);
    let document: Value = serde_json::from_str(&run(&home, "--file mixed,100%.toml -o json").stdout).unwrap();
    assert_eq!(document["schema"], "check/1");
    assert_eq!(document["data"].as_array().unwrap(), &rows(&run(&home, "--file mixed,100%.toml -o jsonl")));
    let narrow = home.openmux(["check", "--file", "mixed,100%.toml", "-o", "table", "--at", NOON]).env("COLUMNS", "40");
    let narrow = narrow.run();
    // A word that is longer stands alone.
    let is_long = |line: &&str| line.chars().count() > 40 && line.trim().contains(' ');
    let long: Vec<&str> = narrow.stdout.lines().filter(is_long).collect();
    assert_eq!(long, Vec::<&str>::new());
    assert!(narrow.stdout.lines().all(|line| !line.ends_with(' ')), "{}", narrow.stdout);
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
    assert_eq!(code("acme/tiny --provider openai --max-price-in 2"), Some(3));
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
    let said = [
        "--max-price-in 3",
        "--file typo.toml",
        "--file empty.toml",
        "--file binary.toml",
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

    $ openmux check --file absent.toml
    exit: 3
    --- stdout

    --- stderr
    error: cannot read absent.toml
      reason  No such file or directory

    $ openmux check acme/tiny --max-call-price 1
    exit: 2
    --- stdout

    --- stderr
    error: the following required arguments were not provided:
      --tokens <IN/OUT[/CACHED]>

    Usage: openmux check --tokens <IN/OUT[/CACHED]> --max-call-price <USD> --at <TIME> <MODEL>...

    For more information, try '--help'.

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

    $ openmux check acme/tiny --has telepathy
    exit: 2
    --- stdout

    --- stderr
    error: invalid value 'telepathy' for '--has <CAN,CAN>': not one of tools, parallel_tools, structured, reasoning, cache, web_search, computer_use, vision, pdf, audio, video

    For more information, try '--help'.
    "#);
    let offline = home.openmux(["--offline", "check", "acme/tiny", "--max-ttft", "1s", "--probe"]).run();
    assert_eq!(offline.code, Some(11), "{}", offline.snapshot());
    let elsewhere = home.openmux(["models", "list", "-o", "junit"]).run();
    assert_eq!(elsewhere.code, Some(2), "{}", elsewhere.snapshot());
}

/// The workflow commands and the XML hold names that try to end them.
#[test]
fn hostile_names_stay_inside() {
    let home = home();
    home.write(
        "evil:1,\n::error::x.toml",
        "[[model]]\nid = \"a/b::error::c\\n::set-output name=x::y<&>'\\\"\\u0001]]>\"\n\
         [[provider]]\nid = \"<p a='1'>%0A\\u001b[31m\"\nserves = \"x\"\n",
    );
    let args = |format| ["check", "--file", "evil:1,\n::error::x.toml", "-o", format];
    let github = home.openmux(args("github")).run().stdout;
    let commands: Vec<&str> = github.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 2, "{github}");
    let head = "::warning file=evil%3A1%2C%0A%3A%3Aerror%3A%3Ax.toml,line=";
    assert!(commands.iter().all(|line| line.starts_with(head)), "{github}");
    let junit = home.openmux(args("junit")).run().stdout;
    assert_eq!(balanced(&junit), Ok(6), "{junit}");
    assert!(!junit.contains(['\u{1}', '\u{1b}']), "{junit}");
    let table = home.openmux(args("table")).run().stdout;
    assert!(!table.contains(['\u{1}', '\u{1b}']), "{table}");
}

/// How many elements an XML document has whose tags balance, whose attributes are quoted and whose text holds no raw `<`,
/// nor an `&` that begins no entity.
fn balanced(xml: &str) -> Result<usize, String> {
    let (mut open, mut count) = (Vec::new(), 0);
    let rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").ok_or("no declaration")?;
    let mut rest = rest;
    while let Some((text, tail)) = rest.split_once('<') {
        entities(text)?;
        let (tag, after) = tail.split_once('>').ok_or("a tag has no end")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("{name} closes another"));
            }
            continue;
        }
        count += 1;
        let (tag, is_whole) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut parts: Vec<&str> = attributes.split('"').collect();
        if parts.pop() != Some("") || parts.len() % 2 != 0 {
            return Err(format!("attributes of {name}: {attributes}"));
        }
        for pair in parts.chunks(2) {
            if !pair[0].ends_with('=') {
                return Err(format!("{name}: {}", pair[0]));
            }
            entities(pair[1])?;
        }
        if !is_whole {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(count) } else { Err(format!("{open:?} are open")) }
}

fn entities(text: &str) -> Result<(), String> {
    let known = |tail: &str| {
        let name = tail.split_once(';').map(|(name, _)| name);
        name.is_some_and(|name| ["amp", "lt", "gt", "quot", "apos"].contains(&name) || name.starts_with('#'))
    };
    if text.split('&').skip(1).all(known) { Ok(()) } else { Err(format!("a bare &: {text}")) }
}

/// The facts of `sure` with a part put in another's place.
fn changed(home: &Home, from: &str, to: &str) {
    assert!(FACTS.contains(from), "{from}");
    home.write("config/catalog.d/acme.toml", &overlay(&FACTS.replacen(from, to, 1)));
}

#[expect(clippy::disallowed_methods, reason = "the lock that was written")]
fn lock(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("m.lock")).unwrap()
}

#[test]
fn a_lock_is_sorted_exact_and_says_nothing_where_nothing_changed() {
    let home = home();
    let first = run(&home, "acme/tiny anthropic/claude-sonnet-5 --provider sure,late,anthropic --lock m.lock -o table");
    // Nobody offers a model wherever it is asked for: what is missing is not locked.
    assert_eq!(first.code, Some(3), "{}", first.snapshot());
    assert!(!home.path().join("m.lock").exists());
    let first = run(&home, "acme/tiny:sure acme/tiny:late --lock m.lock -o table");
    insta::assert_snapshot!(first.snapshot(), @r"
    exit: 0
    --- stdout
    ok  acme/tiny  not retired: no end is announced at sure
    ok  acme/tiny  not retired: retires in 17 days, 2026-12-11 at late
    ok  acme/tiny  12 facts written to m.lock at sure
    ok  acme/tiny  3 facts written to m.lock at late
    4 checks: 4 ok

    --- stderr
    ");
    insta::assert_snapshot!(lock(&home), @r#"
    # Facts that this build relies on: `openmux check --lock` says what has changed since.
    # Prices are USD per 1M tokens. Written by openmux; `--update-lock` writes it anew.
    version = 1
    catalog = "2026-11-24"

    [[offer]]
    model = "acme/tiny"
    provider = "late"
    id = "tiny-1"
    status = "active"
    retires = "2026-12-11"
    can = []

    [[offer]]
    model = "acme/tiny"
    provider = "sure"
    id = "tiny-1"
    status = "active"
    context = 8192
    max_output = 4096
    can = ["cache", "text", "tools", "vision"]
    [offer.price]
    cache_read = "0.2"
    cache_write = "2.5"
    input = "2"
    output = "8"
    "#);
    let written = lock(&home);
    let again = run(&home, "--lock m.lock -o table");
    insta::assert_snapshot!(again.snapshot(), @r"
    exit: 0
    --- stdout
    ok  acme/tiny  3 facts as in m.lock at late
    ok  acme/tiny  12 facts as in m.lock at sure
    2 checks: 2 ok

    --- stderr
    ");
    assert_eq!(run(&home, "acme/tiny:late acme/tiny:sure --lock m.lock --update-lock").code, Some(0));
    assert_eq!(lock(&home), written, "the order of the command line is not that of the file");
    let names: Vec<PathBuf> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{names:?}");
    // A model that is not in it is not known to be as it was.
    let more = run(&home, "acme/tiny:dull --lock m.lock -o table");
    insta::assert_snapshot!(more.snapshot(), @r"
    exit: 3
    --- stdout
    ok       acme/tiny  not retired: no end is announced at dull
    ok       acme/tiny  3 facts as in m.lock at late
    ok       acme/tiny  12 facts as in m.lock at sure
    unknown  acme/tiny  it is not in m.lock at dull
                        fix: --update-lock adds it
    4 checks: 3 ok, 1 unknown

    --- stderr
    ");
    assert_eq!(lock(&home), written);
    assert_eq!(run(&home, "acme/tiny:dull --lock m.lock --update-lock").code, Some(0));
    assert_eq!(lock(&home).matches("[[offer]]").count(), 3);
}

/// What changes, and what the lock says of it: its answer, the fact, and the line of the lock.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    ("input = \"2\"", "input = \"2.00\"", "ok", "locked"),
    ("input = \"2\"", "input = \"2.000000000001\"", "no", "locked.price.input"),
    (
        "price = { input = \"2\", output = \"8\", cache_read = \"0.2\", cache_write = \"2.5\" }",
        "",
        "unknown",
        "locked.price.input",
    ),
    ("cache_write = \"2.5\"", "cache_write = \"2.5\", request = \"0.01\"", "no", "locked.price.request"),
    ("context = 8192", "context = 4096", "no", "locked.context"),
    ("context = 8192", "context = 16384", "no", "locked.context"),
    ("context = 8192\n", "", "unknown", "locked.context"),
    ("max_output = 4096", "max_output = 4095", "no", "locked.max_output"),
    ("\"tools\", \"cache\"", "\"tools\"", "unknown", "locked.can"),
    ("\"tools\", \"cache\"", "\"tools\", \"cache\", \"structured\"", "no", "locked.can"),
    ("context = 8192", "context = 8192\nsunset = \"2027-03-01\"", "no", "locked.retires"),
    ("context = 8192", "context = 8192\nstatus = \"deprecated\"", "no", "locked.status"),
    ("context = 8192", "context = 8192\nstatus = \"unlisted\"", "unknown", "locked.status"),
    ("context = 8192", "context = 8192\nstatus = \"retired\"", "no", "locked.status"),
    ("id = \"tiny-1\"", "id = \"tiny-2\"", "no", "locked.id"),
    (
        "provider = \"sure\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"",
        "provider = \"mute\"\nmodel = \"acme/tiny\"\nid = \"moved\"",
        "no",
        "locked.provider",
    ),
];

#[test]
fn every_kind_of_change_is_told_and_a_new_lock_takes_it() {
    let mut told = String::new();
    for (from, to, verdict, fact) in CHANGES {
        let home = home();
        assert_eq!(run(&home, "acme/tiny:sure --lock m.lock").code, Some(0));
        changed(&home, from, to);
        let output = run(&home, "--lock m.lock -o jsonl");
        let rows = rows(&output);
        let of_fact: Vec<&Value> = rows.iter().filter(|row| row["assertion"] == *fact).collect();
        let [row] = of_fact[..] else { panic!("{fact}: {}", output.snapshot()) };
        assert_eq!(row["verdict"], *verdict, "{row}");
        let alone =
            rows.iter().all(|row| row["assertion"].as_str().unwrap().split('.').nth(1) == fact.split('.').nth(1));
        assert!(alone, "{}", output.snapshot());
        let exit = match *verdict {
            "ok" => 0,
            "no" => 1,
            _ => 3,
        };
        assert_eq!(output.code, Some(exit), "{}", output.snapshot());
        let line = usize::try_from(row["line"].as_u64().unwrap()).unwrap();
        let fix = row["fix"].as_str().map(|fix| format!("\n  fix: {fix}")).unwrap_or_default();
        let text = lock(&home);
        let locked = text.lines().nth(line - 1).unwrap_or_default();
        writeln!(told, "{}\n  at: {locked}{fix}", row["message"].as_str().unwrap()).unwrap();
        // What is gone stays gone; all else is as the new lock says.
        let updated = run(&home, "--lock m.lock --update-lock -o jsonl");
        let stays = to.contains("retired");
        assert_eq!(updated.code, Some(if stays { 1 } else { 0 }), "{}", updated.snapshot());
        let after = run(&home, "--lock m.lock -o jsonl");
        assert_eq!(after.code, Some(if stays { 1 } else { 0 }), "{}", after.snapshot());
    }
    insta::assert_snapshot!(told, @r#"
    12 facts as in m.lock
      at: model = "acme/tiny"
    price input 2 -> 2.000000000001: no, it has changed
      at: input = "2"
    price input 2 -> unknown: unknown, nobody states it any more
      at: input = "2"
    price request unknown -> 0.01 / 1000: no, it has changed
      at: model = "acme/tiny"
    context 8192 -> 4096: no, it has changed
      at: context = 8192
    context 8192 -> 16384: no, it has changed
      at: context = 8192
    context 8192 -> unknown: unknown, nobody states it any more
      at: context = 8192
    max_output 4096 -> 4095: no, it has changed
      at: max_output = 4096
    can -cache: unknown, no source says so any more
      at: can = ["cache", "text", "tools", "vision"]
    can +structured: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
    retires no day -> 2027-03-01: no, it has changed: 97 days are left
      at: model = "acme/tiny"
      fix: dull still serves it
    status active -> deprecated: no, it has changed
      at: status = "active"
      fix: dull still serves it
    status active -> unlisted: unknown, no fresh list has it; it may be gone
      at: status = "active"
      fix: dull still serves it
    sure retired it
      at: status = "active"
      fix: dull still serves it
    id tiny-1 -> tiny-2: no, it has changed
      at: id = "tiny-1"
    served by sure: no, sure has no such offer in the catalog any more
      at: provider = "sure"
      fix: provider mute serves it
    "#);
}

#[test]
fn a_day_that_comes_and_a_model_that_goes_are_told() {
    let home = home();
    assert_eq!(run(&home, "acme/tiny:late --lock m.lock").code, Some(0));
    let then = home.openmux(["check", "--lock", "m.lock", "-o", "table", "--at", "2026-12-11T00:00:00Z"]).run();
    insta::assert_snapshot!(then.snapshot(), @r"
    exit: 1
    --- stdout
    no  acme/tiny  retires 2026-12-11 -> 2026-12-11: no, that day has come at late
                   m.lock:11
                   fix: sure still serves it
    1 check: 1 no

    --- stderr
    ");
    home.write("config/catalog.d/acme.toml", "");
    insta::assert_snapshot!(run(&home, "--lock m.lock -o github").snapshot(), @r#"
    exit: 1
    --- stdout
    ::error file=m.lock,line=7,title=acme/tiny locked.model::model: no, no model is called "acme/tiny"%0Afix: openmux models list tiny
    1 check: 1 no

    --- stderr
    "#);
    let text = lock(&home).replace("acme/tiny", "anthropic/claude-sonnet-4-20250514").replace("late", "anthropic");
    home.write("m.lock", &text);
    insta::assert_snapshot!(run(&home, "--lock m.lock -o table").snapshot(), @r"
    exit: 1
    --- stdout
    no  anthropic/claude-sonnet-4-20250514  model: no, it is called
                                            anthropic/claude-sonnet-4 now
                                            m.lock:7
                                            fix: replace it with
                                                 anthropic/claude-sonnet-4
    1 check: 1 no

    --- stderr
    ");
    home.write("m.lock", "<<<<<<< ours\n");
    insta::assert_snapshot!(run(&home, "--lock m.lock -o table").snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: m.lock:1: key with no value, expected `=`
      fix:  repair it, or write it anew with --update-lock and the models that it is
            for
    ");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = home.path().join("closed");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
        // Whoever is root may write anywhere.
        let output = run(&home, "gpt-5 --lock closed/m.lock");
        assert!(output.code == Some(5) || folder.join("m.lock").exists(), "{}", output.snapshot());
    }
}

/// A probe comes first, within its budget; what it cannot measure is unknown, with its own reason.
#[test]
fn a_probe_measures_first_within_its_budget() {
    let home = Home::new();
    let check = |more: &str| {
        let args = "--sandbox check claude-sonnet-5 --max-ttft 20s --probe --rounds 8 -o jsonl";
        home.openmux(args.split(' ').chain(more.split(' ').filter(|word| !word.is_empty()))).run()
    };
    let poor = check("--max-cost 0.0001");
    assert_eq!(poor.code, Some(11), "{}", poor.snapshot());
    let row = &rows(&poor)[0];
    assert_eq!((&row["verdict"], &row["code"]), (&Value::from("unknown"), &Value::from("refused")), "{row}");
    let output = check("");
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stderr.contains("8 rounds x 1 endpoint (anthropic): at most $"), "{}", output.stderr);
    let keyless = home.openmux(["check", "claude-sonnet-5", "--max-ttft", "20s", "--probe"]).run();
    assert_eq!(keyless.code, Some(4), "{}", keyless.snapshot());
}
