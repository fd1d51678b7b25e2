//! `check --probe`: what was never measured is measured first.

use serde_json::Value;

use super::super::super::support::command::Home;
use super::rows;

/// A probe comes first, within its budget; what it cannot measure is unknown, with its own reason. That answers came counts
/// whatever else the machine has to do; their times do not, where it had too much to do to read them.
#[test]
fn a_probe_measures_first_within_its_budget() {
    let home = Home::new();
    let check = |more: &str| {
        let args = "--sandbox check claude-sonnet-5 --min-availability 50% --probe --rounds 12 -o jsonl";
        home.openmux(args.split(' ').chain(more.split(' ').filter(|word| !word.is_empty()))).run()
    };
    let poor = check("--max-cost 0.0001");
    assert_eq!(poor.code, Some(11), "{}", poor.snapshot());
    let row = &rows(&poor)[0];
    assert_eq!((&row["verdict"], &row["code"]), (&Value::from("unknown"), &Value::from("refused")), "{row}");
    let output = check("");
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stdout.contains("availability 100.0 % >= 50.0 % (12/12)"), "{}", output.stdout);
    assert!(output.stderr.contains("12 rounds x 1 endpoint (anthropic): at most $"), "{}", output.stderr);
    // What was just measured is the answer: what was measured before does not stand in for it.
    let short =
        home.openmux("--sandbox check claude-sonnet-5 --max-ttft 20s --probe --rounds 3 -o jsonl".split(' ')).run();
    assert_eq!(short.code, Some(3), "{}", short.snapshot());
    assert!(rows(&short)[0]["message"].as_str().unwrap().contains("n=3 is too few"), "{}", short.snapshot());
    // Its calls are short ones, so of a long one it says nothing and none is sent.
    let long = home.openmux("--sandbox check claude-sonnet-5 --max-ttft 20s --tokens 50000/9 --probe".split(' ')).run();
    assert!(long.stderr.contains("max_ttft of 50000 tokens in is not probed"), "{}", long.snapshot());
    assert!(!long.stderr.contains("round"), "{}", long.snapshot());
    let keyless = home.openmux(["check", "claude-sonnet-5", "--max-ttft", "20s", "--probe"]).run();
    assert_eq!(keyless.code, Some(4), "{}", keyless.snapshot());
}
