//! `openmux help` and `openmux completions`.

use clap::{Args, ValueEnum};

/// `openmux help`.
#[derive(Debug, Clone, Args)]
pub struct HelpArgs {
    /// A command, or a topic.
    #[arg(
        help = "A command, or: output [DOCUMENT], exit-codes, environment, config, routing, messages, failures, check, dialects"
    )]
    pub topic: Vec<String>,
}

/// A shell that there is a script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is the shell of its name")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

/// `openmux completions`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "For bash: eval \"$(openmux completions bash)\" in ~/.bashrc. For zsh: source <(openmux completions zsh) in \
    ~/.zshrc, after compinit. For fish: openmux completions fish | source in config.fish. For PowerShell: openmux \
    completions powershell | Out-String | Invoke-Expression in $PROFILE. For elvish: eval (openmux completions elvish | slurp) \
    in rc.elv. The first three ask for names of models and providers as well; those for PowerShell and elvish know commands \
    and flags. The same files are in completions/.\n\n\
    Examples\n  \
    openmux completions bash >openmux.bash\n  \
    openmux completions fish | head -n 2"
)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
    /// What the shell asks: see completions/.
    #[arg(last = true, hide = true)]
    pub asked: Vec<String>,
}
