//! Completion in real shells: every name of the catalog, those with `:` and `@` too, as readline, zsh and fish ask for it.
//! A shell that is not installed is skipped loudly; `.ci/run` installs all three.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::io::Write as _;

use openmux::catalog::Catalog;

use super::super::generated::top;
use super::super::support::command::{Home, Run};

/// What stands behind a completed line: each line is asked, and its answers are printed below it.
const BASH: &str = r#"
complete() { :; }
. "$SCRIPT"
unset -f complete
# As readline does it: words are broken at COMP_WORDBREAKS, and what is behind the last break is replaced, an @ with it.
ask() {
    COMP_LINE=$1 COMP_POINT=$(printf %s "$1" | wc -c)
    COMP_WORDS=(${1//[:=@]/ & }) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _openmux openmux "${COMP_WORDS[COMP_CWORD]}" ""
    local typed=${1##* } kept=''
    [[ $typed == \"* ]] && typed=''
    [[ $typed == *[:=@]* ]] && kept=${typed%"${typed##*[:=@]}"} && kept=${kept%@}
    local fits
    for fits in "${COMPREPLY[@]}"; do printf '%s\n' "$kept$fits"; done
}
compopt() { echo :files; }
COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
"#;

/// The function is called as zsh calls it, and what it would add is printed.
const ZSH: &str = r#"
compdef() { :; }
. "$SCRIPT"
compadd() { local name=${@[-1]}; print -rl -- ${(P)name}; }
_files() { print -r -- :files; }
ask() {
    words=("${(@s: :)1}") CURRENT=${#words}
    PREFIX=${(Q)words[CURRENT]#\"}
    _openmux
}
"#;

const FISH: &str = r#"
source $SCRIPT
function ask
    complete -C "$argv[1]" | string replace -r '\t.*' ''
end
"#;

struct Shell {
    program: &'static str,
    script: &'static str,
    setup: &'static str,
}

const SHELLS: [Shell; 3] = [
    Shell { program: "bash", script: "openmux.bash", setup: BASH },
    Shell { program: "zsh", script: "_openmux", setup: ZSH },
    Shell { program: "fish", script: "openmux.fish", setup: FISH },
];

impl Shell {
    fn is_installed(&self) -> bool {
        let found = Home::new().shell_line(&format!("command -v {}", self.program)).run().code == Some(0);
        if !found {
            // Not `eprintln!`, which a passing test swallows.
            drop(writeln!(std::io::stderr(), "!! SKIPPED, {} is not installed: its completion", self.program));
        }
        found
    }

    /// What fits at the end of each line.
    fn ask(&self, home: &Home, lines: &[String]) -> Vec<Vec<String>> {
        let asked: String = lines.iter().map(|line| format!("ask '{line}'; echo -----\n")).collect();
        home.write("ask", &format!("{}{asked}", self.setup));
        let output = self.run(home, &format!("{} ask", self.program)).run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
        let mut answers: Vec<Vec<String>> =
            output.stdout.split("-----\n").map(|part| part.lines().map(str::to_owned).collect()).collect();
        assert_eq!(answers.pop(), Some(Vec::new()));
        assert_eq!(answers.len(), lines.len());
        answers
    }

    fn run(&self, home: &Home, line: &str) -> Run {
        let script = top("completions").join(self.script);
        home.shell_line(line).env("SCRIPT", script).timeout(std::time::Duration::from_secs(300))
    }
}

fn each(check: impl Fn(&Shell, &Home)) {
    for shell in SHELLS.iter().filter(|shell| shell.is_installed()) {
        let home = Home::new();
        home.write(
            "config/catalog.d/mine.toml",
            "[provider.alpha]\nprotocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n[[endpoint]]\nprovider = \
             \"alpha\"\nmodel = \"acme/tiny\"\nid = \"t\"\nprice = { input = \"1\", output = \"2\" }\n",
        );
        home.write("config/config.toml", "[profiles.frugal]\nmax_price_in = \"1\"\n[profiles.free]\n");
        check(shell, &home);
    }
}

#[test]
fn every_name_is_completed_in_every_shell() {
    let catalog = Catalog::builtin();
    let ids: BTreeSet<String> = catalog.models().map(|line| line.id().to_owned()).collect();
    // All ids by their beginnings, and some of the spellings that have a break in them by all but their last letter.
    let beginnings: BTreeSet<String> = ids.iter().map(|id| id.chars().take(2).collect()).collect();
    let broken = |name: &&str| name.contains([':', '@']);
    let spellings: Vec<&str> = catalog.aliases().map(|(spelling, _)| spelling).filter(broken).step_by(11).collect();
    assert!(spellings.len() > 30 && beginnings.len() > 100);
    each(|shell, home| {
        let whole = beginnings.iter().map(String::as_str);
        let cut = spellings.iter().map(|name| &name[..name.len() - 1]);
        let lines: Vec<String> = whole.chain(cut).map(|typed| format!("openmux chat --no-stdin -m {typed}")).collect();
        let answers = shell.ask(home, &lines);
        let found: BTreeSet<&String> = answers[..beginnings.len()].iter().flatten().collect();
        let missing: Vec<_> = ids.iter().filter(|id| !found.contains(id)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", shell.program);
        for (name, answer) in spellings.iter().zip(&answers[beginnings.len()..]) {
            assert!(answer.iter().any(|found| found == name), "{}: {name} is not in {answer:?}", shell.program);
        }
    });
}

#[test]
fn providers_suffixes_profiles_columns_flags_and_files_fit_where_they_belong() {
    let lines = [
        "openmux chat -m acme/tiny:al",
        "openmux models show claude-sonnet-5:openr",
        "openmux providers compare --only poe,alph",
        "openmux chat --profile fr",
        "openmux models list --fields id,retir",
        "openmux usage --each --sort price_",
        "openmux chat --prefer=lat",
        "openmux provi",
        "openmux models list --open-w",
        "openmux help output models.l",
        "openmux chat hello nothing",
        "openmux models show \"claude-sonnet-5:openr",
    ];
    each(|shell, home| {
        let answers = shell.ask(home, &lines.map(str::to_owned));
        let told: Vec<String> = answers.iter().map(|fits| fits.join(" ")).collect();
        let expected = [
            "acme/tiny:alpha",
            "claude-sonnet-5:openrouter",
            "poe,alpha",
            "free frugal",
            "id,retires",
            "price_sheet price_sheet_sha256",
            "--prefer=latency",
            "providers",
            "--open-weights",
            "models.list/1",
            "",
            "claude-sonnet-5:openrouter",
        ];
        assert_eq!(told, expected, "{}", shell.program);
    });
}

#[test]
fn files_are_left_to_the_shell() {
    each(|shell, home| {
        home.write("photo.jpg", "");
        let answer = &shell.ask(home, &["openmux chat -a phot".to_owned()])[0];
        // The stand-ins of bash and zsh say that they were asked to.
        let expected = if shell.program == "fish" { "photo.jpg" } else { ":files" };
        assert_eq!(answer, &[expected], "{}", shell.program);
    });
}

#[test]
fn it_needs_no_home_writes_nothing_and_is_silent_where_something_is_broken() {
    let home = Home::new();
    let ask = |home: &Home| home.openmux(["completions", "fish", "--", "models", "show", "claude-sonnet-5."]);
    let bare = ask(&home).env_clear().run();
    assert_eq!((bare.code, bare.stdout.as_str(), bare.stderr.as_str()), (Some(0), "claude-sonnet-5.5\n", ""));
    home.write("config/config.toml", "no = toml =");
    home.write("config/catalog.d/broken.toml", "[provider");
    let before = files(&home);
    let broken = ask(&home).run();
    assert_eq!((broken.code, broken.stdout.as_str(), broken.stderr.as_str()), (Some(0), "claude-sonnet-5.5\n", ""));
    assert_eq!(files(&home), before);
    for (shell, file) in [("bash", "openmux.bash"), ("zsh", "_openmux"), ("fish", "openmux.fish")] {
        let printed = home.openmux(["completions", shell]).run();
        assert_eq!(printed.stdout, read(&top("completions").join(file)), "{shell}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a file of the repository")]
fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn files(home: &Home) -> BTreeSet<std::path::PathBuf> {
    let folders = ["", "config", "config/catalog.d", "data"].map(|folder| home.path().join(folder));
    let each = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    each.map(|entry| entry.unwrap().path()).collect()
}
