//! `usage`: what was spent, what was expected, what nobody knows, and what a provider billed instead.

use openmux::observe::{Asked, CostState, ErrorClass, Observation, Source};

use super::super::support::attempts::{NOON, answered, failed, keep};
use super::super::support::command::{Home, Output};

fn usage(home: &Home, args: &str) -> Output {
    home.openmux(["usage"].into_iter().chain(args.split(' ').filter(|word| !word.is_empty())).chain(["--at", NOON]))
        .run()
}

/// Three days: chats, a probe, a bill that differs, a stream that broke, a failure that nobody bounds.
fn spent() -> Home {
    let home = Home::new();
    let broken = |minutes: u64, bound: Option<&str>| Observation {
        cost_state: CostState::Unknown,
        asked: Asked { bound: bound.map(|bound| bound.parse().unwrap()), ..answered("beta", 0).asked },
        ..failed("beta", minutes, ErrorClass::StreamBroken)
    };
    let billed =
        |minutes: u64, bill: &str| Observation { billed: Some(bill.parse().unwrap()), ..answered("beta", minutes) };
    keep(home.path(), (0..10).map(|at| answered("alpha", 10 + 300 * at)));
    keep(
        home.path(),
        [
            billed(100, "0.0006"),
            billed(200, "0.00060000001"),
            broken(300, Some("0.02")),
            broken(301, None),
            Observation { source: Source::Probe, ..answered("alpha", 400) },
            failed("alpha", 401, ErrorClass::ProviderFault),
        ],
    );
    home
}

#[test]
fn the_ledger_adds_up_and_says_what_it_does_not_know() {
    let home = spent();
    insta::assert_snapshot!(usage(&home, "-o table").snapshot(), @r"
    exit: 0
    --- stdout
    PROVIDER  MODEL      REQUESTS    IN   OUT     COST  COST UNKNOWN  AT MOST
    alpha     acme/tiny        12  5500  1111  $0.0066             0        -
    beta      acme/tiny         4  1000   202  $0.0012             2    $0.02

    --- stderr
    note: 2 attempts may have been billed and nobody said how much (2 of them failed): at most $0.02 for 1 of them, and no bound is known for 1, not in COST
    note: budget of probes today (UTC): $0.0006 spent; $4.9994 left of $5
    ");
    insta::assert_snapshot!(usage(&home, "--by day,source").snapshot(), @r"
    exit: 0
    --- stdout
    2026-11-22	chat	2	2	2	1000	0	202	0	0.0012	0.0012			0	0		0	0.001	0.2	2	0
    2026-11-23	chat	5	5	5	2500	0	505	0	0.003	0.003			0	0		0	0.0025	0.2	5	0
    2026-11-24	chat	8	8	5	2500	0	505	0	0.00300000001	0.003	0.00120000001	0.00000000001	2	2	0.02	1	0.0025	0.2	5	0
    2026-11-24	probe	1	1	1	500	0	101	0	0.0006	0.0006			0	0		0	0.0005	0.2	1	0

    --- stderr
    note: 2 attempts may have been billed and nobody said how much (2 of them failed): at most $0.02 for 1 of them, and no bound is known for 1, not in COST
    note: budget of probes today (UTC): $0.0006 spent; $4.9994 left of $5
    ");
    insta::assert_snapshot!(usage(&home, "--by provider -o json").stdout, @r#"{"schema":"usage/1","catalog":{"date":"2026-11-24","age_days":0,"source":"bundled","overlays":0},"warnings":[],"data":[{"provider":"alpha","requests":12,"attempts":12,"successes":11,"input_tokens":5500,"cached_tokens":0,"output_tokens":1111,"reasoning_tokens":0,"cost_usd":0.0066,"sheet_usd":0.0066,"billed_usd":null,"drift_usd":null,"unknown_cost":0,"unknown_cost_failed":0,"unknown_cost_bound_usd":null,"unknown_cost_unbounded":0,"expected_usd":0.0055,"cost_over_expected":0.2,"expected_attempts":11,"drifted_attempts":0},{"provider":"beta","requests":4,"attempts":4,"successes":2,"input_tokens":1000,"cached_tokens":0,"output_tokens":202,"reasoning_tokens":0,"cost_usd":0.00120000001,"sheet_usd":0.0012,"billed_usd":0.00120000001,"drift_usd":0.00000000001,"unknown_cost":2,"unknown_cost_failed":2,"unknown_cost_bound_usd":0.02,"unknown_cost_unbounded":1,"expected_usd":0.001,"cost_over_expected":0.2,"expected_attempts":2,"drifted_attempts":0}],"budget":null,"probe_budget":{"day_usd":5,"spent_usd":0.0006,"set_aside_usd":0,"left_usd":4.9994}}"#);
    insta::assert_snapshot!(usage(&home, "--by provider --provider alpha -o csv").stdout.replace('\r', ""), @r"
    provider,requests,attempts,successes,input_tokens,cached_tokens,output_tokens,reasoning_tokens,cost_usd,sheet_usd,billed_usd,drift_usd,unknown_cost,unknown_cost_failed,unknown_cost_bound_usd,unknown_cost_unbounded,expected_usd,cost_over_expected,expected_attempts,drifted_attempts
    alpha,12,12,11,5500,0,1111,0,0.0066,0.0066,,,0,0,,0,0.0055,0.2,11,0
    ");
}

#[test]
fn every_width_shows_what_was_spent() {
    let home = spent();
    for width in ["60", "80", "100", "200"] {
        for args in ["usage", "usage --each", "usage --by day"] {
            let run = home.openmux(args.split(' ').chain(["-o", "table", "--at", NOON])).env("COLUMNS", width);
            let output = run.run();
            let most: usize = width.parse().unwrap();
            assert!(
                output.stdout.starts_with(|c: char| c.is_uppercase()) && output.stdout.contains("COST"),
                "{}",
                output.snapshot()
            );
            for line in output.stdout.lines() {
                assert!(line.chars().count() <= most && line.trim_end() == line, "{args} at {width}: {line}");
            }
        }
    }
}

#[test]
fn each_attempt_can_be_exported() {
    let home = spent();
    let output = usage(&home, "--each --since 7h --provider beta -o csv");
    insta::assert_snapshot!(output.stdout.replace('\r', ""), @r"
    at,source,provider,model,class,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,expected_usd,cost_usd,billed_usd,drift_usd,cost_state,bound_usd,price_sheet,price_sheet_sha256,request,upstream_model
    2026-11-24T06:59:00Z,chat,beta,acme/tiny,stream_broken,,,,,,0.0005,,,,unknown,,,,2d010000,tiny-1
    2026-11-24T07:00:00Z,chat,beta,acme/tiny,stream_broken,,,,,,0.0005,,,,unknown,0.02,,,2c010000,tiny-1
    2026-11-24T08:40:00Z,chat,beta,acme/tiny,ok,500,,,101,,0.0005,0.0006,0.00060000001,0.00000000001,billed,0.01,,,c8000000,tiny-1
    2026-11-24T10:20:00Z,chat,beta,acme/tiny,ok,500,,,101,,0.0005,0.0006,0.0006,0,billed,0.01,,,64000000,tiny-1
    ");
    let rows = usage(&home, "--each -o ids").stdout.lines().count();
    assert_eq!(rows, 16);
    let output = usage(&home, "--each --by day");
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}

/// The provider's own bill wins for what was spent; where it is not what the sheet says, both are shown.
#[test]
fn a_bill_that_drifts_from_the_sheet_is_said() {
    let home = Home::new();
    let billed =
        |minutes, bill: &str| Observation { billed: Some(bill.parse().unwrap()), ..answered("alpha", minutes) };
    keep(home.path(), [billed(1, "0.0006"), billed(2, "0.000600001"), answered("beta", 3)]);
    assert_eq!(usage(&home, "").stderr, "", "a billionth of a dollar is no drift");
    keep(home.path(), [billed(4, "0.000600001001"), billed(5, "0.0005"), answered("alpha", 6)]);
    insta::assert_snapshot!(usage(&home, "--by provider -o table").snapshot(), @r"
    exit: 0
    --- stdout
    PROVIDER  REQUESTS    IN  OUT     COST   BILLED          DRIFT  EXPECTED  OFF BY
    alpha            5  2500  505  $0.0029  $0.0023  -$0.000099998   $0.0025   +20 %
    beta             1   500  101  $0.0006        -              -   $0.0005   +20 %

    --- stderr
    note: alpha billed $0.0023 where the catalog's sheet says $0.0024 (2 of 5 attempts differ): COST is the bill
    ");
}

/// What is as old as the rows themselves is not shown as nothing.
#[test]
fn what_only_hourly_sums_are_left_of_is_said() {
    let home = Home::new();
    let day = 24 * 60;
    keep(home.path(), (0..5).map(|at| answered("alpha", 100 * day + at)));
    // A day so far from the last one is believed on the next.
    keep(home.path(), [2 * day, day, day + 1].map(|minutes| answered("alpha", minutes)));
    insta::assert_snapshot!(usage(&home, "--since 200d").snapshot(), @r"
    exit: 0
    --- stdout
    alpha	acme/tiny	3	3	3	1500	0	303	0	0.0018	0.0018			0	0		0	0.0015	0.2	3	0

    --- stderr
    note: 5 attempts before 2026-11-22, $0.003 by the sheets, are kept as hourly sums only and are not in these rows
    ");
    assert_eq!(usage(&home, "--since 30d").stderr, "");
}
