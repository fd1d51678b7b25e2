//! What is limited by a flag is left out of a list, and a name that is nobody's is no empty list.

use super::super::support::command::{Home, Output};
use super::super::support::server::Server;
use super::World;

/// alpha, beta and gamma of `acme/tiny`, each dearer than the one before.
fn three() -> World {
    World::openai((0..3).map(|_| Server::start(Vec::new())).collect())
}

fn run(world: &World, args: &str) -> Output {
    let output = world.home.openmux(args.split(' ')).env("COLUMNS", "100").run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    output
}

#[test]
fn whom_a_limit_excludes_is_not_compared() {
    let world = three();
    let ids = |more: &str| run(&world, &format!("providers compare acme/tiny -o ids{more}")).stdout.replace('\n', " ");
    assert_eq!(ids(""), "alpha beta gamma ");
    for (limit, left) in [
        (" --max-price-in 21", "alpha beta "),
        (" --max-price-out 2", "alpha "),
        (" --ignore alpha", "beta gamma "),
        (" --provider gamma", "gamma "),
        (" --only beta,gamma --ignore gamma", "beta "),
        (" --max-cost 0.03 --tokens 1000/400", "alpha "),
        (" --require tools", ""),
        (" --quantization fp8", ""),
        (" --region require:eu", ""),
        (" --max-price-in 21 --all", "alpha beta gamma "),
    ] {
        assert_eq!(ids(limit), left, "{limit}");
    }
    // What the call itself does not fit into is told, not left out: it is no limit of the user's.
    assert_eq!(ids(" --tokens 500000/10"), "alpha beta gamma ");
    insta::assert_snapshot!(run(&world, "providers compare acme/tiny --max-price-in 21 --all -o table").stdout, @r"
    PROVIDER  KIND   KEY  IN $/M  OUT $/M  PER CALL  CONTEXT  TTFT  TOK/S  USABLE
    alpha     local  -      1.00     2.00   $0.0018     8192     -      -  no_credential
    beta      local  -     21.00    42.00   $0.0378     8192     -      -  no_credential
    gamma     local  -     41.00    82.00   $0.0738     8192     -      -  above_max_price,no_credential
    ");
    let none = run(&world, "providers compare acme/tiny --ignore alpha,beta,gamma -o json");
    assert!(none.stdout.contains("\"data\":[]"), "{}", none.snapshot());
    assert_eq!(none.stderr, "note: none of 3 providers is within your limits; --all shows why\n");
}

/// What is configured for calls leaves nobody out of a comparison, but a profile that is asked for does.
#[test]
fn a_comparison_goes_by_what_is_asked_of_it() {
    let world = three();
    let config = "[defaults]\nignore = [\"gamma\"]\n[profiles.own]\nonly = [\"beta\"]\n\
                  [profiles.cheap]\nmax_cost = \"0.03\"\n";
    world.home.write("config/config.toml", config);
    let ids = |more: &str| {
        let args = format!("providers compare acme/tiny -o ids{more}");
        let run = world.home.openmux(args.split(' ')).env("OPENMUX_MAX_COST", "0.000001");
        run.env("OPENMUX_PROVIDER", "alpha").run().stdout.replace('\n', " ")
    };
    let asked = (ids(""), ids(" --profile own"), ids(" --profile cheap"));
    assert_eq!(asked, ("alpha beta gamma ".to_owned(), "beta ".to_owned(), "alpha ".to_owned()));
    assert_eq!(ids(" --ignore alpha"), "beta gamma ", "whom the environment names may be left out");
    let help = world.home.openmux(["providers", "compare", "--help"]).run().stdout;
    assert!(!help.contains("OPENMUX_PROVIDER") && !help.contains("OPENMUX_MAX_COST"), "{help}");
    assert!(help.contains("OPENMUX_REGION") && help.contains("OPENMUX_PROFILE"), "{help}");
}

#[test]
fn a_name_that_is_nobodys_is_no_empty_list() {
    let home = Home::new();
    let run = |args: &str| home.openmux(args.split(' ')).run();
    for (args, near) in [
        ("models list --vendor antropic -o json", "anthropic"),
        ("models list --vendor anthropic,opnai", "openai"),
        ("models list --provider opnrouter", "openrouter"),
    ] {
        let output = run(args);
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{}", output.snapshot());
        assert!(output.stderr.contains(near), "{}", output.snapshot());
    }
    let (low, high) = (run("models list --provider groq -o ids"), run("models list --provider GROQ -o ids"));
    assert!(low.stdout.lines().count() > 3 && low.stdout == high.stdout, "{}", high.snapshot());
    assert_eq!(run("models list --vendor Mistralai -o ids").code, Some(0));
    // Words are looked for, so that none is found is an answer.
    let words = run("providers list opnrouter");
    assert_eq!((words.code, words.stderr.as_str()), (Some(0), "note: no provider matches; did you mean openrouter?\n"));
}

/// An address for a dialect that no chat is sent in takes no traffic, which is said with what would.
#[test]
fn an_address_that_chats_go_past_is_told() {
    let home = Home::new();
    let told = |text: &str| {
        home.write("config/catalog.d/proxy.toml", text);
        home.openmux(["models", "show", "claude-sonnet-5", "--fields", "provider", "-o", "tsv"]).run().stderr
    };
    let chat = "[provider.anthropic]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:9/v1\"\n";
    let said = told(chat);
    assert!(said.contains("proxy.toml: provider.anthropic.base_url is for openai-chat, but "), "{said}");
    assert!(said.contains("are called in anthropic-messages, at the catalog's address"), "{said}");
    assert!(said.contains("fix: protocol = \"anthropic-messages\""), "{said}");
    assert_eq!(said.matches("warning").count(), 1, "{said}");
    assert_eq!(told(&chat.replace("openai-chat", "anthropic-messages")), "");
    // One of one's own, and one that says its dialect alone.
    assert_eq!(told("[provider.own]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:9/v1\"\n"), "");
}

/// The limit of a call's cost: how far off the nearest is, and no advice that cannot help.
#[test]
fn a_fix_for_a_call_that_is_too_dear_helps() {
    let world = three();
    let told = |more: &str| {
        let args = format!("chat -m acme/tiny hi --provider alpha,beta,gamma --max-tokens {more}");
        let output = world.openmux(args.split(' ')).run();
        assert_eq!(output.code, Some(11), "{}", output.snapshot());
        output.stderr
    };
    insta::assert_snapshot!([told("100 --max-cost 0.0001"), told("5 --max-cost 0.000001")].join("\n"), @r"
    error: not sent: it could cost $0.000266, more than --max-cost 0.0001
      bound  66 in x $1.00/M + 100 out x $2.00/M at alpha
      fix:   --max-tokens with a smaller number, or --max-cost 0.000266

    error: not sent: it could cost $0.000076, more than --max-cost 0.000001
      bound  66 in x $1.00/M + 5 out x $2.00/M at alpha
      fix:   --max-cost 0.000076 (the prompt alone can cost $0.000068)
    ");
}

/// A region that nothing is in cannot be preferred, which is said once.
#[test]
fn a_region_that_is_nowhere_is_told() {
    let home = Home::new();
    let said = |region: &str| {
        home.openmux(["route", "explain", "claude-sonnet-5", "--region", region]).env("COLUMNS", "200").run().stderr
    };
    assert_eq!(said("mars").matches("nothing in the region \"mars\"").count(), 1, "{}", said("mars"));
    for region in ["eu", "us-east-1", "global"] {
        assert!(!said(region).contains("nothing in the region"), "{}", said(region));
    }
}

#[test]
fn whose_window_nobody_states_is_asked_and_named() {
    let home = Home::new();
    let explained = |context: &str| {
        let overlay = format!(
            "[provider.alpha]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
             [[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\n{context}"
        );
        home.write("config/catalog.d/local.toml", &overlay);
        let output = home.openmux(["route", "explain", "acme/tiny", "hi"]).env("COLUMNS", "100").run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        output.stdout
    };
    let said = "Window   not known of alpha, which may be asked all the same\n";
    assert!(explained("").contains(said), "{}", explained(""));
    assert!(!explained("context = 8192\n").contains("Window"), "{}", explained("context = 8192\n"));
}
