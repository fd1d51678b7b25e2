//! Completion scripts: those for bash, zsh and fish ask the program and are written by hand; the others are made from the
//! clap command.

use clap_complete::aot::{Generator, Shell, generate};

/// The scripts that are written by hand, as the program prints them.
const OWN: [(&str, &str); 3] = [
    ("openmux.bash", include_str!("../../../completions/openmux.bash")),
    ("_openmux", include_str!("../../../completions/_openmux")),
    ("openmux.fish", include_str!("../../../completions/openmux.fish")),
];

/// File name and content of each script.
pub(super) fn scripts() -> Vec<(String, String)> {
    let made = [Shell::PowerShell, Shell::Elvish].into_iter().map(|shell| {
        let mut script = Vec::new();
        generate(shell, &mut openmux::cli::command(), "openmux", &mut script);
        (shell.file_name("openmux"), String::from_utf8(script).unwrap())
    });
    made.chain(OWN.map(|(name, script)| (name.to_owned(), script.to_owned()))).collect()
}
