//! What a project's file may not say by itself, one case each.

use openmux::catalog::Protocol;

use super::super::{World, answer};
use super::{OWN, PROJECT, held, home};

/// The user's own file, the project's, a key, and the value that holds where it is not the user's own (`-`: nobody's).
type Case = (&'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    ("[defaults]\nmax_cost = \"1\"", "[defaults]\nmax_cost = \"9\"", "defaults.max_cost", "1"),
    ("[defaults]\nmax_price_in = \"1\"", "[defaults]\nmax_price_in = \"9\"", "defaults.max_price_in", "1"),
    ("[defaults]\nmax_price_out = \"1\"", "[defaults]\nmax_price_out = \"9\"", "defaults.max_price_out", "1"),
    ("", "[defaults]\nretries = 3", "defaults.retries", "2"),
    ("[defaults]\nretries = 1", "[defaults]\nretries = 2", "defaults.retries", "1"),
    ("[budget]\nday_usd = 5", "[budget]\nday_usd = 9", "budget.day_usd", "5"),
    ("", "[probe]\nmax_run_usd = 9", "probe.max_run_usd", "1"),
    ("", "[probe]\nmax_day_usd = 9", "probe.max_day_usd", "5"),
    ("", "[probe]\nmax_probes_per_day = 900", "probe.max_probes_per_day", "200"),
    ("", "[defaults]\nlenient = true", "defaults.lenient", "false"),
    ("", "[defaults]\nallow_unpriced = true", "defaults.allow_unpriced", "false"),
    ("[defaults]\nonly = [\"a\"]", "[defaults]\nonly = [\"b\"]", "defaults.only", "a"),
    ("[defaults]\nonly = [\"a\"]", "[defaults]\nprovider = [\"b\"]", "defaults.provider", "-"),
    ("[defaults]\nignore = [\"a\"]", "[defaults]\nignore = [\"b\"]", "defaults.ignore", "a"),
    ("[defaults]\nregion = \"require:eu\"", "[defaults]\nregion = \"us\"", "defaults.region", "require:eu"),
    ("[defaults]\nquantization = [\"fp16\"]", "[defaults]\nquantization = [\"int4\"]", "defaults.quantization", "fp16"),
    ("[defaults]\nrequire = [\"tools\"]", "[defaults]\nrequire = [\"cache\"]", "defaults.require", "tools"),
    ("[defaults]\nmax_ttft = \"require:2s\"", "[defaults]\nmax_ttft = \"9s\"", "defaults.max_ttft", "require:2s"),
    (
        "[defaults]\nmin_throughput = \"require:50\"",
        "[defaults]\nmin_throughput = \"1\"",
        "defaults.min_throughput",
        "require:50",
    ),
    (
        "[defaults]\nmin_availability = \"require:99%\"",
        "[defaults]\nmin_availability = \"1%\"",
        "defaults.min_availability",
        "require:99%",
    ),
    ("[defaults]\noffline = true", "[defaults]\noffline = false", "defaults.offline", "true"),
    (
        "[defaults]\nprofile = \"eu\"\n[profiles.eu]\nregion = \"require:eu\"",
        "[defaults]\nprofile = \"any\"\n[profiles.any]\nprefer = \"price\"",
        "defaults.profile",
        "eu",
    ),
    ("[profiles.eu]\nregion = \"require:eu\"", "[profiles.eu]\nregion = \"us\"", "profiles.eu.region", "require:eu"),
    ("[aliases]\nfast = \"gpt-5\"", "[aliases]\nfast = \"gpt-4o\"", "aliases.fast", "gpt-5"),
    ("", "[serve]\norigins = [\"https://evil.example\"]", "serve.origins", "-"),
    ("", "[catalog]\nurl = \"https://evil.example/api.json\"", "catalog.url", "https://models.dev/api.json"),
];

#[test]
fn nothing_that_the_user_holds_to_is_given_up() {
    for (own, project, key, value) in CASES {
        let home = home(own, project);
        let shown = home.openmux(["config", "show", key, "-o", "json"]).run();
        assert_eq!(shown.stderr.matches("is not trusted").count(), 1, "{key}: {}", shown.snapshot());
        let (seen, from) = held(&home, key);
        assert_eq!(seen.as_str().unwrap_or("-"), *value, "{key}");
        assert!(!from.starts_with(PROJECT), "{key} is from {from}");
        assert_eq!(home.openmux(["config", "trust"]).run().code, Some(0));
        let shown = home.openmux(["config", "show", key, "-o", "json"]).run();
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{key}: {}", shown.snapshot());
        assert!(held(&home, key).1.starts_with(PROJECT), "{key} holds where it is trusted");
    }
}

#[test]
fn what_only_lowers_or_chooses_needs_no_trust() {
    let own = "[defaults]\nmax_cost = \"1\"\nretries = 2\nregion = \"require:eu\"\n[budget]\nday_usd = 5\n";
    let project = "[defaults]\nmodel = \"gpt-5\"\nmax_cost = \"0.5\"\nretries = 0\nregion = \"require:eu\"\n\
        prefer = \"price\"\nlenient = false\n[budget]\nday_usd = 1\n[aliases]\nquick = \"gpt-4o\"\n\
        [profiles.mine]\nignore = [\"poe\"]\n";
    let home = home(own, project);
    let shown = home.openmux(["config", "show", "-o", "json"]).run();
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{}", shown.snapshot());
    assert_eq!(held(&home, "defaults.max_cost"), ("0.5".into(), format!("{PROJECT}:3")));
    assert_eq!(held(&home, "budget.day_usd").0, "1");
}

#[test]
fn a_project_does_not_take_a_models_name_away() {
    let home = home("", "[aliases]\ngpt-5 = \"gpt-4o\"\n");
    let show = |home: &super::Home| home.openmux(["models", "show", "gpt-5", "-o", "json"]).run();
    let shown = show(&home);
    assert!(shown.stdout.contains("\"id\":\"openai/gpt-5\"") && shown.code == Some(0), "{}", shown.snapshot());
    insta::assert_snapshot!(shown.stderr.replace(&*home.path().to_string_lossy(), "~"), @"warning: gpt-5 is openai/gpt-5 and not gpt-4o, as ~/.openmux.toml:2 says, because that file is not trusted");
    assert_eq!(home.openmux(["config", "trust"]).run().code, Some(0));
    assert!(show(&home).stdout.contains("\"alias_of\":\"gpt-4o\""));
}

#[test]
fn a_project_that_says_whom_to_believe_is_refused() {
    let home = home("", "[catalog]\ntrusted_keys = { acme = \"x\" }\n");
    let output = home.openmux(["models", "list"]).env("COLUMNS", "200").run();
    assert_eq!(output.code, Some(5));
    let told =
        ".openmux.toml:2: catalog.trusted_keys: belongs in your own config.toml: no project says whom to believe";
    assert!(output.stderr.contains(told), "{}", output.snapshot());
}

/// A price that nobody pays would let a call through that `--max-cost` forbids.
#[test]
fn a_price_of_a_projects_file_counts_once_it_is_trusted() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    world.home.write(OWN, "[defaults]\nmodel = \"acme/tiny\"\nmax_cost = \"0.0000001\"\n");
    let chat = || world.openmux(["chat", "hi"]).env("COLUMNS", "300").run();
    let dear = chat();
    assert_eq!((dear.code, world.hits()), (Some(11), vec![0]), "{}", dear.snapshot());
    let free = "[[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\n\
        price = { input = \"0\", output = \"0\" }\nregion = \"eu\"\n";
    world.home.write(PROJECT, free);
    let claimed = chat();
    assert_eq!((claimed.code, world.hits()), (Some(11), vec![0]), "{}", claimed.snapshot());
    let first = claimed.stderr.lines().next().unwrap().replace(&*world.home.path().to_string_lossy(), "~");
    insta::assert_snapshot!(first, @"warning: ~/.openmux.toml is not trusted, so this of it is left out: endpoint (line 2); `openmux config trust --dry-run` says what it wants, without it the file is taken as it is now");
    let trust = world.openmux(["config", "trust"]).run();
    insta::assert_snapshot!(trust.stderr.replace(&*world.home.path().to_string_lossy(), "~"), @r"
    note: it may say what alpha:tiny-1 costs and can do
    note: ~/.openmux.toml is trusted as it is now; `openmux config trust --remove` takes that back
    ");
    let trusted = chat();
    assert_eq!((trusted.code, world.hits()), (Some(0), vec![1]), "{}", trusted.snapshot());
}
