//! The formats of `check`: the same answers in each, and names that cannot get out of it.

use serde_json::Value;

use super::super::super::support::attempts::NOON;
use super::{home, rows, run};

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
    ok       acme/tiny                  price_in 2.00 <= 2.50 (sure)
    no       acme/tiny                  price_in 3.00 <= 2.50: no, dull says 3.00
                                        mixed,100%.toml:7
                                        fix: openmux check acme/tiny --provider sure
                                             (who keeps to it: price_in 2.00 <=
                                             2.50)
    ok       acme/tiny                  has tools (sure)
    no       acme/tiny                  has pdf: no, sure lists it without
                                        mixed,100%.toml:8
                                        fix: openmux models show acme/tiny (no
                                             provider is known to keep to it)
    no       acme/tiny                  has tools: no, dull lists it without
                                        mixed,100%.toml:8
                                        fix: openmux check acme/tiny --provider sure
                                             (who keeps to it: has tools)
    no       acme/tiny                  has pdf: no, dull lists it without
                                        mixed,100%.toml:8
                                        fix: openmux models show acme/tiny (no
                                             provider is known to keep to it)
    no       anthropic/claude-sonnet-4  amazon-bedrock retired it on 2026-10-14
                                        mixed,100%.toml:11
                                        fix: openmux models show
                                             anthropic/claude-sonnet-5 (to replace
                                             it: the newest of its family at
                                             amazon-bedrock of which no end is
                                             announced)
    ok       anthropic/claude-sonnet-4  context 200,000 >= 200,000 (amazon-bedrock)
    unknown  claude-sonet-4             no model is called "claude-sonet-4"
                                        mixed,100%.toml:16
                                        fix: openmux models show
                                             anthropic/claude-sonnet-4 (if that is
                                             meant, or anthropic/claude-sonnet-5,
                                             anthropic/claude-sonnet-4.6)
    no       openai                     has a key: no, looked in OPENAI_API_KEY
                                        mixed,100%.toml:21
                                        fix: export OPENAI_API_KEY=...
    11 checks: 4 ok, 6 no, 1 unknown

    --- stderr
    "#);
    insta::assert_snapshot!(told("github"), @r#"
    exit: 1
    --- stdout
    ::error file=mixed%2C100%25.toml,line=7,title=acme/tiny max_price_in at dull::price_in 3.00 <= 2.50: no, dull says 3.00%0Afix: openmux check acme/tiny --provider sure   (who keeps to it: price_in 2.00 <= 2.50)
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has at sure::has pdf: no, sure lists it without%0Afix: openmux models show acme/tiny   (no provider is known to keep to it)
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has at dull::has tools: no, dull lists it without%0Afix: openmux check acme/tiny --provider sure   (who keeps to it: has tools)
    ::error file=mixed%2C100%25.toml,line=8,title=acme/tiny has at dull::has pdf: no, dull lists it without%0Afix: openmux models show acme/tiny   (no provider is known to keep to it)
    ::error file=mixed%2C100%25.toml,line=11,title=anthropic/claude-sonnet-4 served at amazon-bedrock::amazon-bedrock retired it on 2026-10-14%0Afix: openmux models show anthropic/claude-sonnet-5   (to replace it: the newest of its family at amazon-bedrock of which no end is announced)
    ::warning file=mixed%2C100%25.toml,line=16,title=claude-sonet-4 exists::no model is called "claude-sonet-4"%0Afix: openmux models show anthropic/claude-sonnet-4   (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6)
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
          <failure type="no" message="price_in 3.00 &lt;= 2.50: no, dull says 3.00">fix: openmux check acme/tiny --provider sure   (who keeps to it: price_in 2.00 &lt;= 2.50)</failure>
        </testcase>
        <testcase classname="acme/tiny" name="has tools at sure" file="mixed,100%.toml" line="8"/>
        <testcase classname="acme/tiny" name="has pdf at sure" file="mixed,100%.toml" line="8">
          <failure type="no" message="has pdf: no, sure lists it without">fix: openmux models show acme/tiny   (no provider is known to keep to it)</failure>
        </testcase>
        <testcase classname="acme/tiny" name="has tools at dull" file="mixed,100%.toml" line="8">
          <failure type="no" message="has tools: no, dull lists it without">fix: openmux check acme/tiny --provider sure   (who keeps to it: has tools)</failure>
        </testcase>
        <testcase classname="acme/tiny" name="has pdf at dull" file="mixed,100%.toml" line="8">
          <failure type="no" message="has pdf: no, dull lists it without">fix: openmux models show acme/tiny   (no provider is known to keep to it)</failure>
        </testcase>
        <testcase classname="anthropic/claude-sonnet-4" name="served at amazon-bedrock" file="mixed,100%.toml" line="11">
          <failure type="no" message="amazon-bedrock retired it on 2026-10-14">fix: openmux models show anthropic/claude-sonnet-5   (to replace it: the newest of its family at amazon-bedrock of which no end is announced)</failure>
        </testcase>
        <testcase classname="anthropic/claude-sonnet-4" name="min_context at amazon-bedrock" file="mixed,100%.toml" line="13"/>
        <testcase classname="claude-sonet-4" name="exists" file="mixed,100%.toml" line="16">
          <error type="unknown" message="no model is called &quot;claude-sonet-4&quot;">fix: openmux models show anthropic/claude-sonnet-4   (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6)</error>
        </testcase>
        <testcase classname="openai" name="has_key at openai" file="mixed,100%.toml" line="21">
          <failure type="no" message="has a key: no, looked in OPENAI_API_KEY">fix: export OPENAI_API_KEY=...</failure>
        </testcase>
      </testsuite>
    </testsuites>

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
      fix:  openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00
            <= 2.50)
    "#);
    insta::assert_snapshot!(told("jsonl"), @r#"
    exit: 1
    --- stdout
    {"verdict":"ok","subject":"catalog","provider":null,"assertion":"max_age","wanted":30,"found":0,"message":"0 days old <= 30","fix":null,"file":"mixed,100%.toml","line":2,"code":null}
    {"verdict":"ok","subject":"acme/tiny","provider":"sure","assertion":"max_price_in","wanted":2.5,"found":2,"message":"price_in 2.00 <= 2.50","fix":null,"file":"mixed,100%.toml","line":7,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"max_price_in","wanted":2.5,"found":3,"message":"price_in 3.00 <= 2.50: no, dull says 3.00","fix":"openmux check acme/tiny --provider sure   (who keeps to it: price_in 2.00 <= 2.50)","file":"mixed,100%.toml","line":7,"code":null}
    {"verdict":"ok","subject":"acme/tiny","provider":"sure","assertion":"has","wanted":"tools","found":["tools","vision","cache"],"message":"has tools","fix":null,"file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"sure","assertion":"has","wanted":"pdf","found":["tools","vision","cache"],"message":"has pdf: no, sure lists it without","fix":"openmux models show acme/tiny   (no provider is known to keep to it)","file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"has","wanted":"tools","found":[],"message":"has tools: no, dull lists it without","fix":"openmux check acme/tiny --provider sure   (who keeps to it: has tools)","file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"acme/tiny","provider":"dull","assertion":"has","wanted":"pdf","found":[],"message":"has pdf: no, dull lists it without","fix":"openmux models show acme/tiny   (no provider is known to keep to it)","file":"mixed,100%.toml","line":8,"code":null}
    {"verdict":"no","subject":"anthropic/claude-sonnet-4","provider":"amazon-bedrock","assertion":"served","wanted":"served","found":"2026-10-14","message":"amazon-bedrock retired it on 2026-10-14","fix":"openmux models show anthropic/claude-sonnet-5   (to replace it: the newest of its family at amazon-bedrock of which no end is announced)","file":"mixed,100%.toml","line":11,"code":null}
    {"verdict":"ok","subject":"anthropic/claude-sonnet-4","provider":"amazon-bedrock","assertion":"min_context","wanted":200000,"found":200000,"message":"context 200,000 >= 200,000","fix":null,"file":"mixed,100%.toml","line":13,"code":null}
    {"verdict":"unknown","subject":"claude-sonet-4","provider":null,"assertion":"exists","wanted":true,"found":false,"message":"no model is called \"claude-sonet-4\"","fix":"openmux models show anthropic/claude-sonnet-4   (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6)","file":"mixed,100%.toml","line":16,"code":"not_found"}
    {"verdict":"no","subject":"openai","provider":"openai","assertion":"has_key","wanted":true,"found":false,"message":"has a key: no, looked in OPENAI_API_KEY","fix":"export OPENAI_API_KEY=...","file":"mixed,100%.toml","line":21,"code":null}

    --- stderr
    {"error":{"code":"negative.check","exit":1,"message":"11 checks: 4 ok, 6 no, 1 unknown","fix":"openmux check acme/tiny --provider sure   (who keeps to it: price_in 2.00 <= 2.50)"}}
    "#);
    insta::assert_snapshot!(told("tsv"), @r#"
    exit: 1
    --- stdout
    ok	catalog		max_age	30	0	0 days old <= 30		mixed,100%.toml	2	
    ok	acme/tiny	sure	max_price_in	2.5	2	price_in 2.00 <= 2.50		mixed,100%.toml	7	
    no	acme/tiny	dull	max_price_in	2.5	3	price_in 3.00 <= 2.50: no, dull says 3.00	openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00 <= 2.50)	mixed,100%.toml	7	
    ok	acme/tiny	sure	has	tools	tools,vision,cache	has tools		mixed,100%.toml	8	
    no	acme/tiny	sure	has	pdf	tools,vision,cache	has pdf: no, sure lists it without	openmux models show acme/tiny (no provider is known to keep to it)	mixed,100%.toml	8	
    no	acme/tiny	dull	has	tools		has tools: no, dull lists it without	openmux check acme/tiny --provider sure (who keeps to it: has tools)	mixed,100%.toml	8	
    no	acme/tiny	dull	has	pdf		has pdf: no, dull lists it without	openmux models show acme/tiny (no provider is known to keep to it)	mixed,100%.toml	8	
    no	anthropic/claude-sonnet-4	amazon-bedrock	served	served	2026-10-14	amazon-bedrock retired it on 2026-10-14	openmux models show anthropic/claude-sonnet-5 (to replace it: the newest of its family at amazon-bedrock of which no end is announced)	mixed,100%.toml	11	
    ok	anthropic/claude-sonnet-4	amazon-bedrock	min_context	200000	200000	context 200,000 >= 200,000		mixed,100%.toml	13	
    unknown	claude-sonet-4		exists	true	false	no model is called "claude-sonet-4"	openmux models show anthropic/claude-sonnet-4 (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6)	mixed,100%.toml	16	not_found
    no	openai	openai	has_key	true	false	has a key: no, looked in OPENAI_API_KEY	export OPENAI_API_KEY=...	mixed,100%.toml	21	

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
      fix:  openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00
            <= 2.50)
    "#);
    insta::assert_snapshot!(told("csv"), @r#"
    exit: 1
    --- stdout
    verdict,subject,provider,assertion,wanted,found,message,fix,file,line,code
    ok,catalog,,max_age,30,0,0 days old <= 30,,"mixed,100%.toml",2,
    ok,acme/tiny,sure,max_price_in,2.5,2,price_in 2.00 <= 2.50,,"mixed,100%.toml",7,
    no,acme/tiny,dull,max_price_in,2.5,3,"price_in 3.00 <= 2.50: no, dull says 3.00",openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00 <= 2.50),"mixed,100%.toml",7,
    ok,acme/tiny,sure,has,tools,"tools,vision,cache",has tools,,"mixed,100%.toml",8,
    no,acme/tiny,sure,has,pdf,"tools,vision,cache","has pdf: no, sure lists it without",openmux models show acme/tiny (no provider is known to keep to it),"mixed,100%.toml",8,
    no,acme/tiny,dull,has,tools,,"has tools: no, dull lists it without",openmux check acme/tiny --provider sure (who keeps to it: has tools),"mixed,100%.toml",8,
    no,acme/tiny,dull,has,pdf,,"has pdf: no, dull lists it without",openmux models show acme/tiny (no provider is known to keep to it),"mixed,100%.toml",8,
    no,anthropic/claude-sonnet-4,amazon-bedrock,served,served,2026-10-14,amazon-bedrock retired it on 2026-10-14,openmux models show anthropic/claude-sonnet-5 (to replace it: the newest of its family at amazon-bedrock of which no end is announced),"mixed,100%.toml",11,
    ok,anthropic/claude-sonnet-4,amazon-bedrock,min_context,200000,200000,"context 200,000 >= 200,000",,"mixed,100%.toml",13,
    unknown,claude-sonet-4,,exists,true,false,"no model is called ""claude-sonet-4""","openmux models show anthropic/claude-sonnet-4 (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6)","mixed,100%.toml",16,not_found
    no,openai,openai,has_key,true,false,"has a key: no, looked in OPENAI_API_KEY",export OPENAI_API_KEY=...,"mixed,100%.toml",21,

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
      fix:  openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00
            <= 2.50)
    "#);
    insta::assert_snapshot!(told("md"), @r#"
    exit: 1
    --- stdout
    | VERDICT | SUBJECT | PROVIDER | ASSERTION | WANTED | FOUND | WHAT | FIX | FILE | LINE | CODE |
    | --- | --- | --- | --- | --- | --- | --- | --- | --- | ---: | --- |
    | ok | catalog | - | max_age | 30 | 0 | 0 days old <= 30 | - | mixed,100%.toml | 2 | - |
    | ok | acme/tiny | sure | max_price_in | 2.5 | 2 | price_in 2.00 <= 2.50 | - | mixed,100%.toml | 7 | - |
    | no | acme/tiny | dull | max_price_in | 2.5 | 3 | price_in 3.00 <= 2.50: no, dull says 3.00 | openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00 <= 2.50) | mixed,100%.toml | 7 | - |
    | ok | acme/tiny | sure | has | tools | tools,vision,cache | has tools | - | mixed,100%.toml | 8 | - |
    | no | acme/tiny | sure | has | pdf | tools,vision,cache | has pdf: no, sure lists it without | openmux models show acme/tiny (no provider is known to keep to it) | mixed,100%.toml | 8 | - |
    | no | acme/tiny | dull | has | tools |  | has tools: no, dull lists it without | openmux check acme/tiny --provider sure (who keeps to it: has tools) | mixed,100%.toml | 8 | - |
    | no | acme/tiny | dull | has | pdf |  | has pdf: no, dull lists it without | openmux models show acme/tiny (no provider is known to keep to it) | mixed,100%.toml | 8 | - |
    | no | anthropic/claude-sonnet-4 | amazon-bedrock | served | served | 2026-10-14 | amazon-bedrock retired it on 2026-10-14 | openmux models show anthropic/claude-sonnet-5 (to replace it: the newest of its family at amazon-bedrock of which no end is announced) | mixed,100%.toml | 11 | - |
    | ok | anthropic/claude-sonnet-4 | amazon-bedrock | min_context | 200000 | 200000 | context 200,000 >= 200,000 | - | mixed,100%.toml | 13 | - |
    | unknown | claude-sonet-4 | - | exists | yes | no | no model is called "claude-sonet-4" | openmux models show anthropic/claude-sonnet-4 (if that is meant, or anthropic/claude-sonnet-5, anthropic/claude-sonnet-4.6) | mixed,100%.toml | 16 | not_found |
    | no | openai | openai | has_key | yes | no | has a key: no, looked in OPENAI_API_KEY | export OPENAI_API_KEY=... | mixed,100%.toml | 21 | - |

    --- stderr
    error: 11 checks: 4 ok, 6 no, 1 unknown
      fix:  openmux check acme/tiny --provider sure (who keeps to it: price_in 2.00
            <= 2.50)
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
        if parts.pop() != Some("") || !parts.len().is_multiple_of(2) {
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

/// Of several providers each annotation says which it is about, in its title and in its words.
#[test]
fn an_annotation_names_its_provider() {
    let home = home();
    let output = run(&home, "acme/tiny --provider mute,late --max-price-in 1 -o github");
    for provider in ["mute", "late"] {
        let title = format!("::warning title=acme/tiny max_price_in at {provider}::");
        let line = output.stdout.lines().find(|line| line.starts_with(&title));
        assert!(line.is_some_and(|line| line[title.len()..].contains(provider)), "{}", output.snapshot());
    }
    let both = run(&home, "acme/tiny --provider mute,late --max-ttft 1ms -o github");
    let lines: Vec<&str> = both.stdout.lines().filter(|line| line.starts_with("::")).collect();
    assert!(lines.len() == 2 && lines[0] != lines[1], "{}", both.snapshot());
}

/// Whatever is to be done is one command, and each of them can be run as it stands.
#[test]
fn a_fix_is_a_command() {
    let home = home();
    let asked = [
        "acme/tiny --provider dull --max-price-in 2 --min-output 2000 --has tools,pdf --min-tps 5000",
        "acme/tiny:sure --max-price-in 1 --min-context 9000 --max-ttft 1ms --not-retiring 1d --min-providers 90",
        "acme/tiny:late --not-retiring 90d",
        "acme/tiny --served-by openai --provider anthropic",
        "anthropic/claude-3-opus acme/tyny --provider opnai",
        "gpt-5 --provider openai --not-retiring 90d --has-key opnai",
    ];
    let mut fixes = Vec::new();
    for args in asked {
        let output = run(&home, &format!("{args} -o jsonl"));
        for row in rows(&output).into_iter().filter(|row| row["verdict"] != "ok") {
            let fix = row["fix"].as_str().unwrap_or_else(|| panic!("{row}")).to_owned();
            let command = fix.split("   (").next().unwrap().to_owned();
            assert!(command.starts_with("openmux "), "{row}");
            if !command.contains(" probe ") {
                let done = home.openmux(command.split(' ').skip(1)).run();
                assert!(done.code.is_some_and(|code| code < 2), "{command}: {}", done.snapshot());
            }
            fixes.push(fix);
        }
    }
    insta::assert_snapshot!(fixes.join("\n"), @r"
    openmux check acme/tiny --provider sure   (who keeps to it: price_in 2.00 <= 2.00)
    openmux check acme/tiny --provider sure   (who keeps to it: max_output 4,096 >= 2,000)
    openmux check acme/tiny --provider sure   (who keeps to it: has tools)
    openmux models show acme/tiny   (no provider is known to keep to it)
    openmux providers probe acme/tiny dull
    openmux models show acme/tiny   (who serves it)
    openmux models show acme/tiny --prices   (no provider is known to keep to it)
    openmux check acme/tiny --provider dull   (who keeps to it: context 16,384 >= 9,000)
    openmux providers compare acme/tiny   (what was measured of others)
    openmux check acme/tiny --provider sure   (who still serves it)
    openmux check acme/tiny --provider sure   (who serves it)
    openmux check acme/tiny --provider sure   (who serves it)
    openmux providers list openai   (if that is meant)
    openmux models show acme/tiny   (if that is meant)
    openmux models show openai/gpt-5.6   (to replace it: the newest of its family at openai of which no end is announced)
    openmux providers list openai   (if that is meant)
    ");
}
