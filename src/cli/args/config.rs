//! `openmux config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Later, ListArgs};

/// `openmux config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// What holds, and where each value is from: a flag, a variable, a line of a file, the program. Works offline.
    Show(Later<ConfigShow>),
    /// Which files are looked at, and which of them are there. Works offline.
    Path(Later<ConfigPath>),
    /// Trust this project's .openmux.toml as it is now: then it may also run commands, name keys and addresses, and raise
    /// limits.
    Trust(Later<ConfigTrust>),
}

/// `openmux config show`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Keys are never shown, but where they are from is. `openmux help config` has all keys of the files.\n\n\
    Examples\n  \
    openmux config show\n  \
    openmux config show model\n  \
    openmux config show profiles -o json"
)]
pub struct ConfigShow {
    /// This key alone, or those below it: model, aliases, profiles.eu.
    pub key: Option<String>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux config path`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux config path\n  \
    openmux config path -o json")]
pub struct ConfigPath {
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux config trust`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Trust is of a path and of what the file says now: once it is changed, it must be trusted anew.\n\n\
    Examples\n  \
    openmux config trust --list"
)]
pub struct ConfigTrust {
    /// The file [default: the nearest .openmux.toml in this folder or above it].
    pub file: Option<PathBuf>,
    /// Show what is trusted.
    #[arg(long, conflicts_with_all = ["remove", "file"])]
    pub list: bool,
    /// Trust it no longer.
    #[arg(long, conflicts_with = "dry_run")]
    pub remove: bool,
    /// Say what the file wants, and trust nothing.
    #[arg(long, conflicts_with = "list")]
    pub dry_run: bool,
}
