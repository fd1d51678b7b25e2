//! What was typed of `openmux catalog`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::lists::ListArgs;
use super::values::{Limit, duration};

/// `openmux catalog update`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "A list that looks broken is refused as a whole (exit 11), and what is in use stays:\n  \
    fewer     a fifth fewer offers than the same source had the last time\n  \
    vanished  a model maker or a cloud that it had is gone\n  \
    prices    more than one price in twenty moved more than fourfold, or most of a provider's more than\n            \
              twofold\n  \
    entries   more than one entry in twenty cannot be meant\n  \
    schema    hardly anything has a price any more\n  \
    unsigned  you trust keys ([catalog] trusted_keys in config.toml), and none of them signed it\n  \
    older     a list of a day before the update in use; a release of an older serial than one before\n\
    --allow takes it over nevertheless. A single price that nobody can mean is not taken (what was known\n\
    stays, a new offer has none) unless --allow prices says so: below $0.001 per 1M tokens, more than eight\n\
    times its model's median over five other offers or less than an eighth of it, or of what it was, a\n\
    larger request cheaper than a small one, or free. Nor is a window below 256 or above 20M tokens, or a\n\
    longest answer above the window. A list or a release never says where a key goes: addresses and\n\
    key variables of known providers stay as they are, and a provider that only a list knows is not called\n\
    until [provider.ID] in catalog.d/*.toml says where it is and which key it takes. A file is of the day on\n\
    which it was written. Where [catalog] url says where from, --from and OPENMUX_CATALOG_URL go before it.\n\n\
    Examples\n  \
    openmux catalog update\n  \
    openmux catalog update --dry-run\n  \
    openmux catalog update --from https://mirror.example/api.json\n  \
    openmux catalog update --allow prices,fewer")]
pub struct CatalogUpdate {
    /// Where from: an address or a file.
    #[arg(
        long,
        value_name = "URL|FILE",
        help = "Where from: an address or a file [default: https://models.dev/api.json] [env: OPENMUX_CATALOG_URL]"
    )]
    pub from: Option<String>,
    /// Fetch and check it and say what would change; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Take a list over although it breaks these rules.
    #[arg(long, value_enum, value_name = "RULE,RULE", value_delimiter = ',')]
    pub allow: Vec<AllowedRule>,
    /// How long the whole fetch may take: 30s, 2m; 0 is no limit.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub timeout: Limit,
}

/// The rules of `--allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is the rule of its name")]
pub enum AllowedRule {
    Fewer,
    Vanished,
    Prices,
    Entries,
    Schema,
    Unsigned,
    Older,
}

/// `openmux catalog status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux catalog status\n  \
    openmux catalog status --sources")]
pub struct CatalogStatus {
    /// Also where its facts come from, with dates and licences.
    #[arg(long)]
    pub sources: bool,
}

/// `openmux catalog diff`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A catalog is embedded (in the program), current (in use, without your overlays), previous (before the\n\
    last update), overlaid (current with your overlays), or a file: a list in the form of models.dev, a release of\n\
    somebody whom you trust, or one that openmux wrote.\n\n\
    Examples\n  \
    openmux catalog diff\n  \
    openmux catalog diff embedded current -o md\n  \
    openmux catalog diff current api.json --limit 20"
)]
pub struct CatalogDiff {
    /// The one before.
    #[arg(value_name = "BEFORE", default_value = "previous")]
    pub before: String,
    /// The one after.
    #[arg(value_name = "AFTER", default_value = "current")]
    pub after: String,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux catalog rollback`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Goes back to what was in use before the last update: an earlier one, or the one in the program. The two\n\
    change places, so that a second rollback is back at the update. One that cannot be read is not gone back to.\n\n\
    Examples\n  \
    openmux catalog rollback\n  \
    openmux catalog rollback --embedded"
)]
pub struct CatalogRollback {
    /// To the one in the program; also forgets the one before.
    #[arg(long)]
    pub embedded: bool,
}

/// `openmux catalog key`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "FILE holds the secret half, for its owner alone (mode 600); it is never printed. Give the public half to\n\
    those who shall trust it, by another way than the catalog.\n\n\
    Examples\n  \
    openmux catalog key release.key"
)]
pub struct CatalogKey {
    /// The file of the signing key; made where it is not there.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `openmux catalog release`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "One file, to be put where [catalog] url of those who use it points: the whole catalog with every price\n\
    item, limit, retirement date and spelling, and the providers of your overlays. Where a key goes is in\n\
    no release: of a provider that the program knows, nobody takes over an address or a variable.\n\n\
    Examples\n  \
    openmux catalog key release.key\n  \
    openmux catalog release openmux.catalog --key release.key\n  \
    openmux catalog release openmux.catalog --key release.key --catalog current --serial 7"
)]
pub struct CatalogRelease {
    /// The file to write.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The signing key, as openmux catalog key makes it.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Which catalog: embedded, current, previous, overlaid, or a file, as in openmux catalog diff.
    #[arg(long, value_name = "CATALOG", default_value = "overlaid")]
    pub catalog: String,
    /// What a later release has more of. [default: the seconds of the clock]
    #[arg(long, value_name = "NUMBER", help = "What a later release has more of [default: the seconds of the clock]")]
    pub serial: Option<u64>,
}
