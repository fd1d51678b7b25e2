//! Releases: what somebody signed is taken over, all of it, and nothing that they did not sign, or not now.
#![cfg(unix)]

use std::collections::BTreeMap;

use openmux::catalog::fresh::Merged;
use openmux::catalog::release::{Issue, Release, SigningKey};
use openmux::catalog::{About, Catalog, write};
use serde_json::Value;

use super::super::super::support::clock;
use super::super::super::support::command::{Home, Output};
use super::super::super::support::server::{Script, Server};
use super::faults::{pages, survives};
use super::pages::timeless;
use super::{answer, current, held, list, price_of, update};

pub(super) const OWN: &str = "config/config.toml";

pub(super) fn trusting(key: &str) -> String {
    format!("[catalog]\ntrusted_keys = {{ acme = \"{key}\" }}\n")
}

/// The catalog of the program with what one provider offers alone, and its prices times a thousand where that is wanted.
fn text(provider: &str, times: Option<&str>) -> String {
    let mut endpoints = Vec::new();
    let mut models = Vec::new();
    for line in Catalog::builtin().models() {
        let offered =
            line.endpoints().filter(|offer| offer.provider() == provider && offer.status().name() == "active");
        let offered: Vec<_> = offered.map(|offer| offer.endpoint()).collect();
        if !offered.is_empty() {
            models.push(line.model());
            endpoints.extend(offered);
        }
    }
    for rate in
        endpoints.iter_mut().filter_map(|offer| offer.pricing.as_mut()).flat_map(|sheet| sheet.rates.values_mut())
    {
        if let Some(times) = times {
            rate.base = rate.base.map(|base| format!("{}{times}", base.exact()).parse().unwrap());
            rate.tiers.clear();
        }
    }
    let merged = Merged {
        tables: write(&models, &endpoints, &BTreeMap::new()),
        providers: String::new(),
        spellings: String::new(),
    };
    merged.text(&About { date: "2026-11-29".into(), ..About::default() })
}

fn now() -> String {
    clock::now().to_string()
}

fn signed(serial: u64, catalog: &str, key: &SigningKey) -> Vec<u8> {
    Release::signed(&Issue { serial, issued: now() }, catalog, key)
}

pub(super) fn served(bytes: impl Into<Vec<u8>>) -> Script {
    Script::body(200, "application/octet-stream", bytes)
}

/// Runs an update from a release that lies in a file.
fn from_file(home: &Home, bytes: &[u8], more: &[&str]) -> Output {
    home.write("openmux.catalog", std::str::from_utf8(bytes).unwrap());
    home.openmux(["catalog", "update", "--from", "openmux.catalog"].into_iter().chain(more.iter().copied())).run()
}

/// Pages without what no two runs have alike.
fn told(outputs: Vec<Output>, keys: &[(&str, &SigningKey)]) -> String {
    keys.iter().fold(pages(outputs), |text, (name, key)| {
        // A key is longer than a line may be with it.
        text.replace(&key.public().to_string(), name)
    })
}

#[test]
fn what_is_not_signed_by_whom_the_user_trusts_changes_nothing() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let home = Home::new();
    home.write(OWN, &trusting(&ours.public().to_string()));
    let good = signed(7, &text("anthropic", None), &ours);
    assert_eq!(from_file(&home, &good, &[]).code, Some(0));
    let known = price_of(&home, "anthropic/claude-sonnet-5");
    let later = String::from_utf8(signed(8, &text("anthropic", None), &ours)).unwrap();
    let by_another = String::from_utf8(signed(8, &text("anthropic", None), &theirs)).unwrap();
    let (first, body) = later.split_once('\n').unwrap();
    let (of_seven, _) = std::str::from_utf8(&good).unwrap().split_once('\n').unwrap();
    let cheaper = later.replacen(";o=", ";o=0", 1);
    assert_ne!(cheaper, later);
    let outputs = vec![
        survives(&home, served(later.as_bytes()[..later.len() / 2].to_vec()), &[]),
        survives(&home, served(later.as_bytes()[..60].to_vec()), &[]),
        survives(&home, served(cheaper), &[]),
        survives(&home, served(by_another.clone()), &[]),
        survives(&home, served(by_another.replace(&theirs.public().to_string(), &ours.public().to_string())), &[]),
        survives(&home, served(format!("{of_seven}\n{body}")), &[]),
        survives(&home, served(format!("{}\n{body}", first.replacen(" 1 ", " 2 ", 1))), &[]),
        survives(&home, served(signed(8, "openmux-catalog 99 0 0\n", &ours)), &[]),
        survives(&home, answer(&list()), &[]),
        survives(&home, served(text("anthropic", None)), &[]),
        survives(&home, served(format!("{later}{}", " ".repeat(65 << 20))), &[]),
    ];
    insta::assert_snapshot!(told(outputs, &[("OURS", &ours), ("THEIRS", &theirs)]), @r"
    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is cut off
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is cut off
      in use  the catalog of TODAY stays (an update)
      fix:    try again

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is not what the key
    signed: it was changed, or the signature is of something else
      in use  the catalog of TODAY stays (an update)
      fix:    try again; if it stays so, tell the publisher: somebody may have put
              another file there

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is signed by
    THEIRS, which is not trusted
      trusted  acme
      in use   the catalog of TODAY stays (an update)
      fix:     ask the publisher whether their key has changed; openmux config show
               catalog has those that you trust

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is not what the key
    signed: it was changed, or the signature is of something else
      in use  the catalog of TODAY stays (an update)
      fix:    try again; if it stays so, tell the publisher: somebody may have put
              another file there

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is not what the key
    signed: it was changed, or the signature is of something else
      in use  the catalog of TODAY stays (an update)
      fix:    try again; if it stays so, tell the publisher: somebody may have put
              another file there

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: it is of another version of
    openmux
      in use  the catalog of TODAY stays (an update)
      fix:    openmux --version: ask the publisher for one that this version reads

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: what was signed is no
    catalog: it was written by another version of openmux
      in use  the catalog of TODAY stays (an update)
      fix:    openmux --version: ask the publisher for one that this version reads

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: nobody signed it, and you
    trust signed catalogs alone
      trusted  acme
      in use   the catalog of TODAY stays (an update)
      fix:     the address of a release; this one nevertheless: openmux catalog
               update --allow unsigned

    exit: 11
    error: http://127.0.0.1:PORT/api.json is not used: nobody signed it, and you
    trust signed catalogs alone
      trusted  acme
      in use   the catalog of TODAY stays (an update)
      fix:     the address of a release; this one nevertheless: openmux catalog
               update --allow unsigned

    exit: 8
    error: http://127.0.0.1:PORT/api.json is larger than 64 MB
      in use  the catalog of TODAY stays (an update)
      fix:    no list is that large: another address: --from URL
    ");
    assert_eq!(price_of(&home, "anthropic/claude-sonnet-5"), known);
    let failed = survives(&home, served(by_another), &["-o", "json"]);
    let document: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    let error = &document["error"];
    assert_eq!(
        (&error["class"], &error["owner"]),
        (&"untrusted".into(), &"the publisher".into()),
        "{}",
        failed.snapshot()
    );
    // Without a signature it is taken where that is said, and where nobody is trusted.
    let server = Server::start(vec![answer(&list()), answer(&list())]);
    let allowed = update(&home, &server, &["--allow", "unsigned"]).run();
    assert_eq!(allowed.code, Some(0), "{}", allowed.snapshot());
    let status = home.openmux(["catalog", "status"]).run();
    assert!(status.stdout.contains("Signed by    nobody; you trust signed ones alone"), "{}", status.snapshot());
    let plain = Home::new();
    assert_eq!(update(&plain, &server, &[]).run().code, Some(0));
    let stranger = from_file(&Home::new(), &good, &[]);
    insta::assert_snapshot!(told(vec![stranger], &[("OURS", &ours)]), @r#"
    exit: 11
    error: openmux.catalog is not used: it is signed by
    OURS, which is not trusted
      in use  the catalog of 2026-11-24 stays (the one in the program)
      fix:    ask who publishes it for their key; if it is this one, [catalog]
              trusted_keys = { NAME = "OURS"
              } in config.toml
    "#);
}

#[test]
fn what_nobody_signed_does_not_do_once_a_key_is_trusted() {
    let home = Home::new();
    let unsigned = || answer(&list()).header("etag", "\"one\"");
    let server = Server::start(vec![unsigned(), unsigned()]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    home.write(OWN, &trusting(&SigningKey::generate().unwrap().public().to_string()));
    let refused = update(&home, &server, &[]).run();
    assert_eq!(refused.code, Some(11), "{}", refused.snapshot());
    assert_eq!(server.requests()[1].header("if-none-match"), None, "that it is unchanged would not make it good");
}

#[test]
fn no_variable_makes_a_key_trusted() {
    let key = SigningKey::generate().unwrap();
    let home = Home::new();
    let release = signed(1, &text("anthropic", None), &key);
    home.write("openmux.catalog", std::str::from_utf8(&release).unwrap());
    let run = home.openmux(["catalog", "update", "--from", "openmux.catalog"]);
    let output = run.env("OPENMUX_CATALOG_TRUSTED_KEYS", format!("{{ acme = \"{}\" }}", key.public())).run();
    assert_eq!((output.code, held(&home)), (Some(11), None), "{}", output.snapshot());
    assert!(output.stderr.contains("unknown variable OPENMUX_CATALOG_TRUSTED_KEYS"), "{}", output.stderr);
}

#[test]
fn a_signed_release_is_held_against_the_rules_of_every_list() {
    let ours = SigningKey::generate().unwrap();
    let home = Home::new();
    home.write(OWN, &trusting(&ours.public().to_string()));
    let all = text("anthropic", None);
    assert_eq!(from_file(&home, &signed(7, &all, &ours), &[]).code, Some(0));
    let outputs = vec![
        from_file(&home, &signed(8, &text("anthropic", Some("e3")), &ours), &[]),
        from_file(&home, &signed(8, &text("groq", None), &ours), &[]),
    ];
    insta::assert_snapshot!(told(outputs, &[]), @r"
    exit: 11
    error: openmux.catalog looks broken, and is not used
      fewer    it lists 4 offers, and listed 17 the last time
      prices   4 of 4 prices moved more than fourfold
               anthropic:claude-haiku-4-5 1/5 -> 1000/5000
               anthropic:claude-haiku-5-5 0.1/0.5 -> 100/500
               anthropic:claude-sonnet-5 2/10 -> 2000/10000
      entries  13 of 17 entries cannot be meant
               anthropic:claude-fable-5 has an absurd price of cache_write
               anthropic:claude-fable-5-1 has an absurd price of cache_write
               anthropic:claude-fable-5-2 has an absurd price of cache_write_1h
      in use   the catalog of TODAY stays (an update)
      fix:     look at it; if it is right: openmux catalog update --allow
               fewer,prices,entries

    exit: 11
    error: openmux.catalog looks broken, and is not used
      fewer     it lists 11 offers, and listed 17 the last time
      vanished  it lacks 1 model maker or cloud that it had
                anthropic
      in use    the catalog of TODAY stays (an update)
      fix:      look at it; if it is right: openmux catalog update --allow
                fewer,vanished
    ");
    let ten = from_file(&home, &signed(8, &text("anthropic", Some("e1")), &ours), &["--allow", "prices"]);
    assert_eq!(ten.code, Some(0), "{}", ten.snapshot());
}

#[test]
fn an_older_release_is_no_news() {
    let ours = SigningKey::generate().unwrap();
    let home = Home::new();
    home.write(OWN, &trusting(&ours.public().to_string()));
    let catalog = text("anthropic", None);
    let [five, six, seven] = [5, 6, 7].map(|serial| signed(serial, &catalog, &ours));
    for release in [&five, &seven] {
        let output = from_file(&home, release, &[]);
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
    }
    let another = signed(7, &catalog, &ours);
    let ahead = Release::signed(&Issue { serial: 8, issued: "2031-01-01T00:00:00Z".into() }, &catalog, &ours);
    let outputs = vec![from_file(&home, &six, &[]), from_file(&home, &another, &[]), from_file(&home, &ahead, &[])];
    insta::assert_snapshot!(timeless(told(outputs, &[])), @r"
    exit: 11
    error: openmux.catalog is not used: this release of acme is older than the one
    that was here
      it is     6 of TODAYTTIMEZ
      was here  7
      in use    the catalog of TODAY stays (an update)
      fix:      somebody may be holding back the newer one; if it is meant: openmux
                catalog update --allow older

    exit: 11
    error: openmux.catalog is not used: this release of acme has the serial of
    another that was here
      it is     7 of TODAYTTIMEZ
      was here  7
      in use    the catalog of TODAY stays (an update)
      fix:      somebody may be holding back the newer one; if it is meant: openmux
                catalog update --allow older

    exit: 11
    error: openmux.catalog is not used: it says that it was made on
    2031-01-01T00:00:00Z
      now     TODAYTTIMEZ
      in use  the catalog of TODAY stays (an update)
      fix:    set this machine's clock, or tell the publisher that theirs is wrong
    ");
    // To go back is the user's right, and no way in for what lies between.
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(from_file(&home, &six, &[]).code, Some(11));
    assert_eq!(from_file(&home, &seven, &[]).code, Some(0));
    // Nor is a cache that was cleaned.
    std::fs::remove_file(current(&home)).unwrap();
    assert_eq!(from_file(&home, &six, &[]).code, Some(11));
    assert_eq!(from_file(&home, &six, &["--allow", "older"]).code, Some(0));
    assert!(held(&home).is_some());
    assert_eq!(from_file(&home, &five, &["--dry-run"]).code, Some(11));
}
