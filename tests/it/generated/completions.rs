//! Completion scripts for the shells that people use, made from the clap command.

use clap_complete::aot::{Generator, Shell, generate};

/// File name and content of each script.
pub(super) fn scripts() -> Vec<(String, String)> {
    let shells = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish];
    shells
        .into_iter()
        .map(|shell| {
            let mut script = Vec::new();
            generate(shell, &mut openmux::cli::command(), "openmux", &mut script);
            (shell.file_name("openmux"), String::from_utf8(script).unwrap())
        })
        .collect()
}
