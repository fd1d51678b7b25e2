//! What was measured, as it is shown: enough or too few, fresh or old, of which calls; never a mixture, never a guess.

use openmux::catalog::Usage;
use openmux::observe::{ErrorClass, Flags, Observation, Source};
use openmux::units::Tokens;
use serde_json::Value;

use super::super::support::attempts::{NOON, answered, failed, keep, waited};
use super::super::support::server::Server;
use super::World;

/// Three providers of `acme/tiny`: alpha much used, beta a little, gamma never.
fn measured() -> World {
    let world = World::openai((0..3).map(|_| Server::start(Vec::new())).collect());
    let many = (0..120).map(|at| waited("alpha", 2 + 10 * at, 300 + (at * 37) % 200));
    let limited = (0..6).map(|at| failed("alpha", 5 + 60 * at, ErrorClass::RateLimited));
    let few = (0..3).map(|at| waited("beta", 2_800 + at, 700));
    let down = [failed("beta", 2_790, ErrorClass::ProviderFault)];
    keep(world.home.path(), many.chain(limited).chain(few).chain(down));
    world
}

fn page(world: &World, args: &str) -> String {
    let run = world.home.openmux(args.split(' ').chain(["--at", NOON]));
    let output = run.env("ALPHA_KEY", "sk-0123456789").run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
    output.stdout
}

fn rows(world: &World, args: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(&page(world, args)).unwrap();
    let data = &document["data"];
    data.as_array().or_else(|| data["endpoints"].as_array()).unwrap().clone()
}

#[test]
fn a_person_sees_what_is_measured_how_often_and_how_long_ago() {
    let world = measured();
    let at = |width: &str, args: &str| {
        let run = world.home.openmux(args.split(' ').chain(["--at", NOON, "-o", "table"]));
        let output = run.env("ALPHA_KEY", "sk-0123456789").env("COLUMNS", width).run();
        let most: usize = width.parse().unwrap();
        for line in output.stdout.lines() {
            assert!(line.chars().count() <= most && line.trim_end() == line, "{width}: {line}");
        }
        output.stdout
    };
    insta::assert_snapshot!(at("60", "providers compare acme/tiny"), @r"
    PROVIDER  IN $/M  OUT $/M   PER CALL     TTFT    N  TOK/S
    alpha       1.00     2.00  $0.000702   400 ms  120   50.0
    beta       21.00    42.00  $0.014742      n=3    3    n=3
    gamma      41.00    82.00  $0.028782  assumed    -      -
    ");
    insta::assert_snapshot!(at("100", "providers compare acme/tiny"), @r"
    PROVIDER  KIND   KEY  IN $/M  OUT $/M   PER CALL  CONTEXT     TTFT    N    AGE  TOK/S  STATE
    alpha     local  yes    1.00     2.00  $0.000702     8192   400 ms  120  2 min   50.0  up
    beta      local  -     21.00    42.00  $0.014742     8192      n=3    3   46 h    n=3  unknown (n=4)
    gamma     local  -     41.00    82.00  $0.028782     8192  assumed    -      -      -  -
    ");
    insta::assert_snapshot!(at("200", "providers compare acme/tiny"), @r"
    PROVIDER  KIND   KEY  IN $/M  OUT $/M  CACHED   PER CALL  CONTEXT  MAX OUT  CAN     TTFT    N    AGE  TOK/S  STATE                 AVAILABLE  LIMITED  STATUS
    alpha     local  yes    1.00     2.00       -  $0.000702     8192     4096        400 ms  120  2 min   50.0  up             100.0 % (97-100)    4.8 %  active
    beta      local  -     21.00    42.00       -  $0.014742     8192     4096           n=3    3   46 h    n=3  unknown (n=4)    75.0 % (30-95)    0.0 %  active
    gamma     local  -     41.00    82.00       -  $0.028782     8192     4096       assumed    -      -      -  -                             -        -  active
    ");
    insta::assert_snapshot!(at("100", "models show acme/tiny"), @r"
    tiny                                                                                       acme/tiny

      Status      active at alpha
      Released    -; knowledge until -; weights -
      Context     8,192 tokens; longest answer 4,096 tokens
      Providers   3; cheapest alpha 1.00/2.00

    PROVIDER  KIND   IN $/M  OUT $/M  CONTEXT  CAN    TTFT    N    AGE  TOK/S  STATE          STATUS
    alpha     local    1.00     2.00     8192       400 ms  120  2 min   50.0  up             active
    beta      local   21.00    42.00     8192          n=3    3   46 h    n=3  unknown (n=4)  active
    gamma     local   41.00    82.00     8192            -    -      -      -  -              active
    ");
    insta::assert_snapshot!(at("100", "models list acme"), @r"
    MODEL      CONTEXT  MAX OUT  IN $/M  OUT $/M  CAN  PROVIDERS    TTFT    N    AGE  TOK/S  STATE
    acme/tiny     8192     4096    1.00     2.00               3  400 ms  120  2 min   50.0  up
    ");
}

#[test]
fn a_program_gets_the_same_and_no_pictures() {
    let world = measured();
    let rows = rows(&world, "providers compare acme/tiny -o json");
    let figures = |row: &Value| {
        let mut object = row.as_object().unwrap().clone();
        let known = object.keys().position(|name| name == "ttft_p50_ms").unwrap();
        object = object.into_iter().skip(known).take(24).collect();
        Value::Object(object).to_string()
    };
    insta::assert_snapshot!(figures(&rows[0]), @r#"{"ttft_p50_ms":400,"ttft_samples":120,"measured_age_s":120,"decode_tps_p50":50.0,"health":"up","trend":null,"availability":1.0000,"ok":"120/120","rate_limited_share":0.0476,"measured_at":"<=1k in","ttft_p90_ms":481,"ttft_p95_ms":490,"ttft_p99_ms":null,"ttfa_p50_ms":450,"decode_tps_p10":50.0,"availability_low":0.9690,"availability_high":1.0000,"last_success_age_s":120,"last_failure_age_s":null,"samples":126,"decode_samples":120,"ttft_cut_off":0,"ttft_p50_at_least":false,"throughput_unit":"tok/s"}"#);
    insta::assert_snapshot!(figures(&rows[1]), @r#"{"ttft_p50_ms":null,"ttft_samples":3,"measured_age_s":168000,"decode_tps_p50":null,"health":"unknown","trend":null,"availability":0.7500,"ok":"3/4","rate_limited_share":0.0000,"measured_at":"<=1k in","ttft_p90_ms":null,"ttft_p95_ms":null,"ttft_p99_ms":null,"ttfa_p50_ms":null,"decode_tps_p10":null,"availability_low":0.3006,"availability_high":0.9544,"last_success_age_s":168000,"last_failure_age_s":167400,"samples":4,"decode_samples":3,"ttft_cut_off":0,"ttft_p50_at_least":null,"throughput_unit":"tok/s"}"#);
    insta::assert_snapshot!(figures(&rows[2]), @r#"{"ttft_p50_ms":null,"ttft_samples":null,"measured_age_s":null,"decode_tps_p50":null,"health":null,"trend":null,"availability":null,"ok":null,"rate_limited_share":null,"measured_at":null,"ttft_p90_ms":null,"ttft_p95_ms":null,"ttft_p99_ms":null,"ttfa_p50_ms":null,"decode_tps_p10":null,"availability_low":null,"availability_high":null,"last_success_age_s":null,"last_failure_age_s":null,"samples":null,"decode_samples":null,"ttft_cut_off":null,"ttft_p50_at_least":null,"throughput_unit":"tok/s"}"#);
    for format in ["table", "wide", "tsv", "md"] {
        let text = page(&world, &format!("providers compare acme/tiny -o {format}"));
        assert!(!text.contains(['▁', '█', '▇']), "{text}");
    }
    assert_eq!(rows[0]["trend"], Value::Null);
}

#[test]
fn the_tail_is_shown_where_the_sample_allows_it_and_nowhere_else() {
    for (count, p90, p95, p99) in
        [(45, false, false, false), (46, true, false, false), (93, true, true, false), (473, true, true, true)]
    {
        let world = World::openai(vec![Server::start(Vec::new())]);
        keep(world.home.path(), (0..count).map(|at| waited("alpha", at, 100 + at)));
        let row = &rows(&world, "providers compare acme/tiny -o json")[0];
        let known = |name: &str| row[name].is_u64();
        let shown = (known("ttft_p90_ms"), known("ttft_p95_ms"), known("ttft_p99_ms"));
        assert_eq!(shown, (p90, p95, p99), "{count}: {row}");
        assert_eq!(row["ttft_samples"], count);
        assert_eq!(row["decode_tps_p10"].is_f64(), count >= 46);
    }
}

/// Long and short prompts, and different efforts, are never one figure; what is shown is said.
#[test]
fn the_kind_of_call_that_is_asked_about_is_the_one_that_is_shown() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    let sized = |minutes: u64, millis: u64, input: u64| {
        let mut seen = waited("alpha", minutes, millis);
        seen.usage = Some(Usage::text(input, 101));
        seen
    };
    let thinking = |minutes: u64| Observation { effort: Some("high".to_owned()), ..sized(minutes, 30_000, 500) };
    let whole = |minutes: u64| {
        let mut seen = answered("alpha", minutes);
        (seen.timings.ttft, seen.timings.ttfa, seen.timings.decode, seen.reads) = (None, None, None, 0);
        seen.asked.stream = Some(false);
        seen
    };
    let all = (0..20).flat_map(|at| {
        [
            sized(at, 300, 500),
            sized(100 + at, 2_000, 5_000),
            sized(200 + at, 9_000, 50_000),
            thinking(300 + at),
            whole(400 + at),
        ]
    });
    keep(world.home.path(), all);
    let shown = |tokens: &str| {
        let row = &rows(&world, &format!("providers compare acme/tiny -o json --tokens {tokens}"))[0];
        assert_eq!(row["ttft_samples"], 20, "no others are among them: {row}");
        (row["ttft_p50_ms"].as_u64().unwrap(), row["measured_at"].as_str().unwrap().to_owned())
    };
    assert_eq!(shown("1000/400"), (300, "<=1k in".to_owned()));
    assert_eq!(shown("1001/400"), (2_000, "1k-10k in".to_owned()));
    assert_eq!(shown("60000/400"), (9_000, "10k-100k in".to_owned()));
    assert_eq!(shown("500000/400"), (9_000, "10k-100k in".to_owned()), "the nearest there is, and it says so");
    let table =
        page(&world, "providers compare acme/tiny -o table --tokens 500000/400 --fields provider,ttft,measured_at");
    assert!(table.contains("MEASURED AT") && table.contains("10k-100k in"), "{table}");
}

#[test]
fn what_the_window_leaves_out_is_not_counted() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    keep(
        world.home.path(),
        (0..10).map(|at| answered("alpha", 60 + at)).chain((0..10).map(|at| waited("alpha", 6_000 + at, 9_000))),
    );
    let samples =
        |window: &str| rows(&world, &format!("providers compare acme/tiny -o json{window}"))[0]["ttft_samples"].clone();
    assert_eq!((samples(""), samples(" --window 7d"), samples(" --window 30m")), (10.into(), 20.into(), Value::Null));
    assert_eq!(samples(" --window 2026-11-24"), 10);
    assert_eq!(samples(" --window 2026-11-01"), 20);
}

#[test]
fn a_minute_of_tokens_is_sixty_seconds_of_them() {
    let world = measured();
    for command in ["providers compare acme/tiny", "models show acme/tiny", "models list acme"] {
        let speed = |unit: &str| {
            let rows = rows(&world, &format!("{command} -o json --unit {unit}"));
            let row = rows.iter().find(|row| row["provider"] != "beta").unwrap();
            (row["decode_tps_p50"].as_f64().unwrap(), row["throughput_unit"].clone())
        };
        assert!((speed("tok/s").0 * 60.0 - speed("tok/min").0).abs() < 1e-6, "{command}");
        assert_eq!(speed("tok/min").1, "tok/min");
        assert!(page(&world, &format!("{command} -o wide --unit tok/min")).contains("TOK/MIN"), "{command}");
    }
}

/// What our own limits cut off took at least that long: it neither vanishes nor counts as quick.
#[test]
fn a_wait_that_a_limit_cut_off_is_at_least_that_long() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    let cut = |minutes: u64| {
        let mut seen = failed("alpha", minutes, ErrorClass::ProviderTimeout);
        seen.timings.e2e = Some(std::time::Duration::from_secs(30));
        seen.flags = Flags::CENSORED;
        seen
    };
    keep(world.home.path(), (0..5).map(|at| answered("alpha", at)).chain((10..17).map(cut)));
    let table = page(&world, "providers compare acme/tiny -o table --fields provider,ttft,n,cut_off,state");
    insta::assert_snapshot!(table, @r"
    PROVIDER       TTFT   N  CUT OFF  STATE
    alpha     >= 30.0 s  12        7  down
    ");
    let row = &rows(&world, "providers compare acme/tiny -o json")[0];
    assert_eq!((&row["ttft_p50_ms"], &row["ttft_p50_at_least"]), (&30_000.into(), &true.into()));
}

/// The headline is the price of the user's own mean call, and it is said which call that is.
#[test]
fn without_tokens_the_call_is_ones_own_mean_and_probes_are_nobodys() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    let call = |world: &World, more: &str| {
        let row = rows(world, &format!("providers compare acme/tiny -o json{more}"))[0].clone();
        let count = |name: &str| row[name].as_u64().unwrap();
        let tokens = (count("call_input_tokens"), count("call_output_tokens"), count("call_cached_tokens"));
        (tokens, row["call_basis"].as_str().unwrap().to_owned(), row["call_usd"].to_string())
    };
    assert_eq!(call(&world, ""), ((1_000, 400, 0), "default".to_owned(), "0.0018".to_owned()));
    let used = |minutes: u64, input: u64| {
        let mut seen = answered("alpha", minutes);
        seen.usage = Some(Usage { cache_read: Some(Tokens::new(50)), ..Usage::text(input, 100) });
        seen
    };
    keep(world.home.path(), (0..7).map(|at| used(at, 1_000)));
    keep(world.home.path(), (0..50).map(|at| Observation { source: Source::Probe, ..used(at, 9_000) }));
    assert_eq!(call(&world, "").1, "default", "seven calls say little");
    keep(world.home.path(), [used(10, 2_000)]);
    assert_eq!(call(&world, "").0, (1_125, 100, 50));
    assert_eq!(call(&world, "").1, "history_of_model");
    assert_eq!(call(&world, " --tokens 10/20").1, "asked");
    let other = World::openai(vec![Server::start(Vec::new())]);
    let elsewhere = |minutes| Observation { model: openmux::catalog::ModelId::new("acme/other"), ..used(minutes, 300) };
    keep(other.home.path(), (0..8).map(elsewhere));
    assert_eq!((call(&other, "").0, call(&other, "").1), ((300, 100, 50), "history".to_owned()));
}

#[test]
fn history_shows_hours_and_days() {
    let world = measured();
    insta::assert_snapshot!(page(&world, "providers history acme/tiny -o table"), @r"
    FROM (UTC)  PROVIDER  MODEL      ATTEMPTS  FAULTS  STATE             TTFT  TOK/S
    2026-11-22  beta      acme/tiny         4       1  unknown (n=4)      n=3    n=3
    2026-11-23  alpha     acme/tiny        48       0  unknown (n=48)  400 ms   50.0
    2026-11-24  alpha     acme/tiny        78       0  unknown (n=72)  396 ms   50.0
    ");
    insta::assert_snapshot!(page(&world, "providers history alpha --since 2h --by hour -o json"), @r#"{"schema":"providers.history/1","catalog":{"date":"2026-11-24","age_days":0,"source":"bundled","overlays":1},"warnings":[],"data":[{"from":"2026-11-24T10:00","provider":"alpha","model":"acme/tiny","attempts":7,"successes":6,"provider_faults":0,"rate_limited":1,"availability":1.0000,"availability_low":0.6097,"health":"unknown","ttft_p50_ms":null,"decode_tps_p50":null,"measured_at":"<=1k in","ttft_samples":6,"cost_usd":0.0036,"hourly":false,"availability_high":1.0000,"throughput_unit":"tok/s"},{"from":"2026-11-24T11:00","provider":"alpha","model":"acme/tiny","attempts":7,"successes":6,"provider_faults":0,"rate_limited":1,"availability":1.0000,"availability_low":0.6097,"health":"unknown","ttft_p50_ms":null,"decode_tps_p50":null,"measured_at":"<=1k in","ttft_samples":6,"cost_usd":0.0036,"hourly":false,"availability_high":1.0000,"throughput_unit":"tok/s"}]}"#);
    insta::assert_snapshot!(page(&world, "providers history alpha --since 2h --by hour"), @r"
    2026-11-24T10:00	alpha	acme/tiny	7	6	0	1	1.0000	0.6097	unknown			<=1k in	6	0.0036	false	1.0000	tok/s
    2026-11-24T11:00	alpha	acme/tiny	7	6	0	1	1.0000	0.6097	unknown			<=1k in	6	0.0036	false	1.0000	tok/s
    ");
    let output = world.home.openmux(["providers", "history", "gamma", "--at", NOON, "-o", "table"]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout

    --- stderr
    note: nothing was measured of gamma in that time
    ");
}

/// Rows go after ninety days; their hourly sums stay, are read at the middle of their bins, and are said to be.
#[test]
fn history_goes_on_where_the_rows_end() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    let day = 24 * 60;
    let old = (0..30).map(|at| waited("alpha", 100 * day + at, 1_000));
    let faults = (0..2).map(|at| failed("alpha", 100 * day + at, ErrorClass::ProviderFault));
    keep(world.home.path(), old.chain(faults));
    // A day so far from the last one is believed on the next, whose first attempt lets them go.
    keep(world.home.path(), [waited("beta", 2 * day, 200)]);
    keep(world.home.path(), (0..10).map(|at| waited("alpha", day - at, 200)));
    let output =
        world.home.openmux("providers history alpha --since 120d --at 2026-11-24T12:00:00Z -o table".split(' ')).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    FROM (UTC)  PROVIDER  MODEL      ATTEMPTS  FAULTS  STATE             TTFT  TOK/S
    2026-08-16  alpha     acme/tiny        32       2  unknown (n=32)  TIME   50.1
    2026-11-23  alpha     acme/tiny        10       0  unknown (n=10)  TIME   50.0

    --- stderr
    note: before 2026-11-22T12:00:00Z only hourly sums are kept: counts are exact, medians are read from bins 2 % wide (off by at most 1 %) and mix all sizes of input
    ");
    let document = page_of_json(&world, "providers history alpha --since 120d -o json");
    let first = &document["data"][0];
    let median = first["ttft_p50_ms"].as_f64().unwrap();
    assert!((median / 1_000.0 - 1.0).abs() <= 0.0101, "{first}");
    assert_eq!(
        (&first["successes"], &first["provider_faults"], &first["hourly"]),
        (&30.into(), &2.into(), &true.into())
    );
    assert_eq!((&document["data"][1]["hourly"], &document["data"][1]["ttft_p50_ms"]), (&false.into(), &200.into()));
}

fn page_of_json(world: &World, args: &str) -> Value {
    let output = world.home.openmux(args.split(' ').chain(["--at", NOON])).run();
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn an_empty_store_is_said_in_every_command_and_is_no_failure() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    let table = page(&world, "providers compare acme/tiny -o table");
    insta::assert_snapshot!(table, @r"
    PROVIDER  KIND   KEY  IN $/M  OUT $/M  PER CALL  CONTEXT  CAN  TTFT  TOK/S
    alpha     local  yes    1.00     2.00   $0.0018     8192          -      -
    ");
    for args in ["providers history alpha -o table", "usage -o table", "usage --each -o csv", "usage -o json"] {
        let output = world.home.openmux(args.split(' ').chain(["--at", NOON])).run();
        assert_eq!(output.code, Some(0), "{args}: {}", output.snapshot());
    }
}

/// A comparison is of endpoints: what was measured with a key counts without it too.
#[test]
fn a_comparison_ranks_by_what_was_measured_with_any_key() {
    let world = World::openai(vec![Server::start(Vec::new()), Server::start(Vec::new())]);
    let first = || {
        let output = world.home.openmux(["providers", "compare", "acme/tiny", "--at", NOON, "-o", "ids"]).run();
        output.stdout.lines().next().map(str::to_owned)
    };
    assert_eq!(first().as_deref(), Some("alpha"), "the cheaper one");
    let with_a_key = |seen: Observation| Observation { key_fingerprint: "0a1b2c3d".into(), ..seen };
    keep(world.home.path(), (0..20).map(|at| with_a_key(waited("alpha", at, 25_000))));
    keep(world.home.path(), (0..20).map(|at| with_a_key(waited("beta", at, 100))));
    assert_eq!(first().as_deref(), Some("beta"), "25 s of waiting cost more");
}
