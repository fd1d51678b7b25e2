//! What is typed wrongly is told, never left out.

use super::{FACTS, home, overlay, rows, run};

/// What needs a model and has none is a mistake, not an assertion that is left out.
#[test]
fn an_assertion_without_its_model_is_refused() {
    for claim in ["--not-retiring 0d", "--min-context 1000"] {
        let output = run(&home(), &format!("--has-key sure {claim}"));
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{}", output.snapshot());
    }
}

/// A model that pins a provider is asked there, and at those that are named as well: nobody is left out.
#[test]
fn a_pin_and_a_named_provider_are_both_asked() {
    let home = home();
    home.write("config/config.toml", "[aliases]\nmine = \"acme/tiny:dull\"\n");
    home.write("pin.toml", "[[model]]\nid = \"mine\"\nprovider = [\"sure\"]\nmax_price_in = \"2.50\"\n");
    for args in ["acme/tiny:dull --provider sure,DULL --max-price-in 2.50", "--file pin.toml"] {
        let output = run(&home, &format!("{args} -o jsonl"));
        assert_eq!(output.code, Some(1), "{}", output.snapshot());
        let told = rows(&output).into_iter().map(|row| format!("{} {}", row["provider"], row["verdict"]));
        let told: Vec<String> = told.collect();
        assert_eq!(told, ["\"dull\" \"no\"", "\"sure\" \"ok\""]);
    }
}

/// Where a provider is named, another one that could be called does not stand in for it, and a key mends nothing that is gone.
#[test]
fn who_is_named_could_be_called_or_could_not() {
    let home = home();
    let told = |provider: &str| {
        let output = run(&home, &format!("acme/tiny --provider {provider} --min-callable 1 -o jsonl"));
        let row = rows(&output).remove(0);
        (row["verdict"].clone(), row["fix"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told("sure").0, "ok");
    let (verdict, fix) = told("mute");
    assert!(verdict == "no" && fix.contains("MUTE_KEY") && fix.ends_with("(for mute)"), "{verdict}: {fix}");
    assert_eq!(told("gone"), ("no".into(), String::new()));
}

/// A model without an offer of its author's is as cheap as the cheapest that is not gone.
#[test]
fn what_is_gone_speaks_for_no_model() {
    let home = home();
    let facts = FACTS
        .replace("status = \"unlisted\"\nprice = { input = \"1\"", "status = \"unlisted\"\nprice = { input = \"5\"");
    assert_ne!(facts, FACTS);
    home.write("config/catalog.d/acme.toml", &overlay(&facts));
    let output = run(&home, "acme/tiny --max-price-in 2 -o jsonl");
    let row = &rows(&output)[0];
    assert_eq!((&row["provider"], &row["verdict"]), (&"sure".into(), &"ok".into()), "{row}");
}

/// What nothing makes use of is a mistake.
#[test]
fn an_option_that_nothing_uses_is_refused() {
    let home = home();
    for args in
        ["acme/tiny:sure --window 30d", "acme/tiny:sure --min-context 1 --tokens 100/10", "acme/tiny --tokens 9/9"]
    {
        let output = run(&home, args);
        assert_eq!(output.code, Some(2), "{}", output.snapshot());
        assert!(output.stderr.contains("and nothing of that is"), "{}", output.snapshot());
    }
    home.write("timed.toml", "[[model]]\nid = \"acme/tiny:sure\"\nmin_availability = \"50%\"\n");
    for args in ["--file timed.toml --window 30d", "acme/tiny:sure --max-price-in 9 --tokens 100/10"] {
        let output = run(&home, args);
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
    }
    let cached = run(&home, "acme/tiny:sure --max-call-price 5 --tokens 1000/100/900 -o jsonl");
    assert!(rows(&cached)[0]["message"].as_str().unwrap().ends_with(" for 1000/100/900"), "{}", cached.snapshot());
}

/// A number that cannot be read is told in plain words.
#[test]
fn a_wrong_number_is_told_as_one() {
    let home = home();
    let told = |args: &str| home.openmux(args.split(' ')).run();
    let word = told("models list --limit x");
    assert!(word.stderr.contains("'x' for '--limit <N>': not a whole number"), "{}", word.snapshot());
    for args in ["models list --limit -1", "check acme/tiny --max-price-in -1"] {
        let output = told(args);
        assert_eq!(output.code, Some(2), "{}", output.snapshot());
        assert!(output.stderr.contains("takes no number below zero, such as -1"), "{}", output.snapshot());
        assert!(!output.stderr.contains("-- -1"), "{}", output.snapshot());
    }
}
