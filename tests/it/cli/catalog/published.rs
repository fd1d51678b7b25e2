//! A catalog for others: made by somebody with prices of their own, used elsewhere; and the key that it is signed with.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use openmux::catalog::release::SigningKey;
use serde_json::Value;

use super::super::super::support::command::Home;
use super::super::super::support::server::{Script, Server};
use super::faults::pages;
use super::signed::{OWN, served, trusting};
use super::{page, price_of};

/// What a company has of its own: a gateway, a price that it negotiated, the day on which it stops using something.
const OVERLAY: &str = "[provider.acme]\nprotocol = \"openai-chat\"\nbase_url = \"https://llm.acme.example/v1\"\n\
    key_env = \"ACME_API_KEY\"\n\n[[endpoint]]\nprovider = \"acme\"\nmodel = \"acme/house\"\nid = \"house\"\ncontext = 8192\n\
    price = { input = \"1\", output = \"2\", web_search_per_1k = \"3.25\" }\n\n\
    [[endpoint]]\nprovider = \"anthropic\"\nid = \"claude-sonnet-5\"\nsunset = \"2027-03-01\"\n\
    price = { input = \"1.5\", output = \"7\", cache_read = \"0.15\", batch_input = \"0.75\", batch_output = \"3.5\" }\n";

#[test]
fn a_company_publishes_its_catalog_and_nothing_of_it_is_lost() {
    let publisher = Home::new();
    publisher.write("config/catalog.d/acme.toml", OVERLAY);
    let made = publisher.openmux(["catalog", "key", "release.key"]).run();
    assert_eq!(made.code, Some(0), "{}", made.snapshot());
    let key = made.stdout.trim_end().to_owned();
    insta::assert_snapshot!(made.stderr.replace(&key, "KEY"), @r#"
    note: release.key is new: keep it to yourself, and a copy of it safe
    note: whoever trusts it writes: [catalog] trusted_keys = { NAME = "KEY" }
    "#);
    let released =
        publisher.openmux(["catalog", "release", "openmux.catalog", "--key", "release.key", "--serial", "7"]).run();
    assert_eq!((released.code, released.stderr.as_str()), (Some(0), ""), "{}", released.snapshot());
    insta::assert_snapshot!(page(&released).replace(&key, "KEY"), @r"
    exit: 0
    --- stdout
    openmux.catalog: release 7 of TODAY
    13,110 offers of 288 providers, 11,670 with a price
    Signed by KEY

    --- stderr
    ");
    #[expect(clippy::disallowed_methods, reason = "the file is what it is about")]
    let bytes = std::fs::read(publisher.path().join("openmux.catalog")).unwrap();

    let reader = Home::new();
    let server =
        Server::start(vec![served(bytes.clone()).header("etag", "\"7\""), Script::body(304, "text/plain", "")]);
    let url = server.base_url() + "/openmux.catalog";
    reader.write(OWN, &format!("{}url = \"{url}\"\n", trusting(&key)));
    let updated = reader.openmux(["catalog", "update"]).run();
    assert_eq!((updated.code, updated.stderr.as_str()), (Some(0), ""), "{}", updated.snapshot());
    insta::assert_snapshot!(page(&updated), @r"
    exit: 0
    --- stdout
    Catalog 2026-11-24 (in the program) -> TODAY
    13,110 offers of 288 providers, 11,670 with a price, from
    http://127.0.0.1:PORT/openmux.catalog
    Signed by acme (release 7 of TODAY)

    + 1 provider, 1 model, 1 offer ~ 1 price

    CHANGE        MODEL                      PROVIDER   WHAT            BEFORE       AFTER
    new provider  -                          acme       -               -            1 offer
    new model     acme/house                 -          -               -            -
    added         acme/house                 acme       -               -            1/2
    price         anthropic/claude-sonnet-5  anthropic  batch input     1            0.75
    price         anthropic/claude-sonnet-5  anthropic  batch output    5            3.5
    price         anthropic/claude-sonnet-5  anthropic  cache_read      0.2          0.15
    price         anthropic/claude-sonnet-5  anthropic  cache_write     2.5          -
    price         anthropic/claude-sonnet-5  anthropic  cache_write_1h  4            -
    price         anthropic/claude-sonnet-5  anthropic  input           2            1.5
    price         anthropic/claude-sonnet-5  anthropic  output          10           7
    price         anthropic/claude-sonnet-5  anthropic  web_search      10 per 1000  -

    --- stderr
    ");
    let again = reader.openmux(["catalog", "update", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&document["data"]["outcome"], &document["data"]["signed"]["by"]), (&"newest".into(), &"acme".into()));
    assert_eq!(document["data"]["signed"]["serial"], 7);
    assert_eq!(server.requests()[1].header("if-none-match"), Some("\"7\""));

    // Everything that the publisher has, to the last price item; the publisher's overlays are in it.
    let sheet = |home: &Home| {
        let shown = home.openmux(["models", "show", "claude-sonnet-5", "--prices", "-o", "csv"]).run();
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{}", shown.snapshot());
        shown.stdout
    };
    assert_eq!(sheet(&reader), sheet(&publisher));
    let shown = reader.openmux(["models", "show", "claude-sonnet-5", "-o", "json"]).run();
    assert!(shown.stdout.contains("\"retires\":\"2027-03-01\""), "{}", shown.snapshot());
    std::fs::copy(publisher.path().join("openmux.catalog"), reader.path().join("same.catalog")).unwrap();
    let same = reader.openmux(["catalog", "diff", "current", "same.catalog"]).run();
    insta::assert_snapshot!(same.snapshot(), @r"
    exit: 0
    --- stdout

    --- stderr
    note: current and same.catalog are the same
    ");
    assert_eq!(price_of(&reader, "acme/house"), "acme/house\t1\t2\t8192\n");
    let listed = reader.openmux(["providers", "list", "acme", "-o", "json"]).run();
    assert!(listed.stdout.contains("ACME_API_KEY"), "{}", listed.snapshot());
    let status = reader.openmux(["catalog", "status"]).env("COLUMNS", "120").run();
    let status = status.stdout.lines().filter(|line| line.starts_with("Signed") || line.starts_with("From"));
    let status: Vec<String> =
        status.map(|line| super::undated(line).replace(&key, "KEY").replace(&url, "URL")).collect();
    insta::assert_snapshot!(status.join("\n"), @r"
    From         URL
    Signed by    acme, release 7 of TODAY, by the key KEY
    ");
    // Whoever trusts the key no longer is told so.
    reader.write(OWN, &trusting(&SigningKey::generate().unwrap().public().to_string()));
    let status = reader.openmux(["catalog", "status"]).env("COLUMNS", "200").run();
    assert!(status.stdout.contains("which you trust no longer"), "{}", status.snapshot());
}

#[test]
fn a_signing_key_is_its_owners_alone() {
    let home = Home::new();
    let made = home.openmux(["catalog", "key", "release.key", "-o", "json"]).run();
    let file = home.path().join("release.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    #[expect(clippy::disallowed_methods, reason = "the file is what it is about")]
    let text = std::fs::read_to_string(&file).unwrap();
    let secret = text.trim_end().rsplit(' ').next().unwrap();
    let again = home.openmux(["catalog", "key", "release.key"]).run();
    let document: Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!((again.stdout.trim_end(), &document["new"]), (document["public_key"].as_str().unwrap(), &true.into()));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let open = home.openmux(["catalog", "release", "x", "--key", "release.key"]).run();
    home.write("not.key", "sk-1\n");
    std::fs::set_permissions(home.path().join("not.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let wrong = home.openmux(["catalog", "release", "x", "--key", "not.key"]).run();
    let missing = home.openmux(["catalog", "release", "x", "--key", "nowhere.key"]).run();
    for output in [&made, &again, &open, &wrong] {
        assert!(secret.len() > 40 && !output.snapshot().contains(secret), "{}", output.snapshot());
    }
    assert!(!home.path().join("x").exists());
    insta::assert_snapshot!(pages(vec![open, wrong, missing]), @r"
    exit: 5
    error: others can read release.key (mode 640): a key that others have signs
    nothing
      fix:  chmod 600 release.key

    exit: 5
    error: not.key is no signing key
      fix:  openmux catalog key FILE makes one, where FILE is not there yet

    exit: 3
    error: cannot read nowhere.key
      reason  No such file or directory
      fix:    openmux catalog key nowhere.key makes one
    ");
}

#[test]
fn what_a_release_cannot_carry_is_said_by_whoever_makes_it() {
    let publisher = Home::new();
    publisher.write(
        "config/catalog.d/acme.toml",
        "[provider.anthropic]\nprotocol = \"anthropic-messages\"\nbase_url = \"https://llm.acme.example\"\n\n\
         [provider.acme]\nprotocol = \"openai-chat\"\nbase_url = \"https://llm.acme.example/v1\"\n\
         key_env = \"OUR_KEY\"\n\n[[endpoint]]\nprovider = \"groq\"\nmodel = \"acme/house\"\nid = \"house\"\n\
         base_url = \"https://llm.acme.example/v1\"\n",
    );
    assert_eq!(publisher.openmux(["catalog", "key", "k"]).run().code, Some(0));
    let output = publisher.openmux(["catalog", "release", "r", "--key", "k"]).env("COLUMNS", "120").run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    insta::assert_snapshot!(output.stderr, @r"
    warning: 2 entries are taken over by nobody, or in part: groq:house has an address that its provider does not have; acme may not ask for OUR_KEY: an overlay can name its key_env
    warning: what your overlays say of anthropic stays with you: where a key goes is in no release
    ");
}
