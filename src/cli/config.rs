//! The user's `config.toml`: where a provider's key comes from beside the environment, and named choices of a provider.
//! `[profiles.NAME]` is in `profile`.
//!
//! ```toml
//! [providers.anthropic]
//! key_cmd = ["op", "read", "op://private/anthropic/key"]   # words, no shell; run when a call is about to be made
//!
//! [providers.openai]
//! key_file = "~/.secrets/openai"                           # one line
//!
//! [probe]                                                  # what `providers probe` may do; these are its defaults
//! max_run_usd = 1                                          # what one run may cost at most, without --max-cost or --yes
//! max_day_usd = 5                                          # the same of all runs of a day (UTC)
//! max_probes_per_day = 200                                 # calls that one endpoint gets in a day (UTC)
//!
//! [budget]
//! day_usd = 5.00                                           # the most that all chats of a day (UTC) may cost
//! ```
//!
//! An unknown table or key is an error with its line, as in overlays. A further table is a line in [`Config::parse`].

mod profile;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::contract::Exit;
use super::error::CliError;
use super::settings::reason;
use crate::catalog::file::{OverlayError, Reader, Source, suggestion};
use crate::catalog::{Catalog, ProviderId};
use crate::units::Usd;
use crate::upstream::auth::{OwnKey, Secret};
pub(crate) use profile::{Profile, under};

/// The file's name in the configuration folder.
pub(crate) const FILE: &str = "config.toml";

/// The largest key file, in bytes.
const LARGEST_KEY: u64 = 64 * 1024;

/// What the file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// `[providers.ID]`, in the order of the file.
    providers: Vec<ProviderTable>,
    /// `[probe]`.
    probe: ProbeCaps,
    /// `[profiles.NAME]`, in the order of the file.
    profiles: Vec<Profile>,
    /// `budget.day_usd`.
    day_budget: Option<Usd>,
}

/// What `providers probe` may do unless the command line says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeCaps {
    /// The most that one run may cost, in USD.
    pub(crate) run: Usd,
    /// The most that all runs of a day (UTC) may cost, in USD.
    pub(crate) day: Usd,
    /// The most calls that one endpoint gets in a day (UTC).
    pub(crate) calls: u32,
}

impl Default for ProbeCaps {
    fn default() -> Self {
        const DOLLAR: i64 = 1_000_000_000_000;
        Self { run: Usd::from_pico(DOLLAR), day: Usd::from_pico(5 * DOLLAR), calls: 200 }
    }
}

/// One `[providers.ID]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProviderTable {
    id: ProviderId,
    key_cmd: Option<Vec<String>>,
    key_file: Option<String>,
    key: Option<Secret>,
    /// What is said where nobody has this id.
    unknown: OverlayError,
}

impl Config {
    /// Parses the file's text; `name` is its path, for messages.
    ///
    /// # Errors
    /// It is not TOML, has an unknown key, or a value that cannot be right; the first such place is told.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, OverlayError> {
        let source = Source { file: name.into(), text };
        let document = source.document()?;
        let root = Reader::root(&source, document.get_ref());
        root.known(&["providers", "probe", "profiles", "budget"])?;
        let mut providers = Vec::new();
        if let Some(tables) = root.table("providers")? {
            for (id, table) in tables.members()? {
                providers.push(ProviderTable::read(id, &tables, &table)?);
            }
        }
        let probe = root.table("probe")?.map(|table| ProbeCaps::read(&table)).transpose()?.unwrap_or_default();
        let mut profiles = Vec::new();
        if let Some(tables) = root.table("profiles")? {
            for (name, table) in tables.members()? {
                profiles.push(Profile::read(name, &table)?);
            }
        }
        let day_budget = match root.table("budget")? {
            Some(table) => {
                table.known(&["day_usd"])?;
                let amount = table.amount("day_usd")?;
                let read =
                    |text: String| text.parse::<Usd>().map_err(|error| table.error("day_usd", error.to_string()));
                amount.map(read).transpose()?
            }
            None => None,
        };
        Ok(Self { providers, probe, profiles, day_budget })
    }

    /// What `providers probe` may do.
    pub(crate) const fn probe(&self) -> ProbeCaps {
        self.probe
    }

    /// The profile of that name.
    pub(crate) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The names of all profiles.
    pub(crate) fn profile_names(&self) -> Vec<&str> {
        self.profiles.iter().map(|profile| profile.name.as_str()).collect()
    }

    /// The most that all chats of a day (UTC) may cost, in USD.
    pub(crate) const fn day_budget(&self) -> Option<Usd> {
        self.day_budget
    }

    /// That the catalog knows every provider that is named.
    ///
    /// # Errors
    /// One is unknown.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<(), OverlayError> {
        let Some(unknown) = self.providers.iter().find(|table| catalog.provider(&table.id).is_none()) else {
            return Ok(());
        };
        let providers = catalog.providers();
        let hint = suggestion(unknown.id.as_str(), providers.iter().map(|provider| provider.id.as_str()));
        let mut error = unknown.unknown.clone();
        error.message += &hint;
        Err(error)
    }

    /// The keys, with the files that it names read. Commands are not run.
    pub(crate) fn keys(&self, folder: &Path, home: Option<&Path>) -> BTreeMap<ProviderId, OwnKey> {
        let own = |table: &ProviderTable| OwnKey {
            command: table.key_cmd.clone(),
            file: table.key_file.as_ref().map(|path| {
                let read = place(path, folder, home).and_then(|place| read_key(&place));
                (path.clone(), read)
            }),
            key: table.key.clone(),
        };
        self.providers.iter().map(|table| (table.id.clone(), own(table))).collect()
    }

    /// What a careful person should know, one sentence each: keys in the file itself, and files that others can read.
    /// `path` is where the file is.
    pub(crate) fn cautions(&self, path: &Path, home: Option<&Path>) -> Vec<String> {
        let mut said = Vec::new();
        let plain: Vec<&str> =
            self.providers.iter().filter(|table| table.key.is_some()).map(|table| table.id.as_str()).collect();
        if !plain.is_empty() {
            let shown = path.display();
            said.push(format!("{shown} holds the key of {} itself; key_cmd or key_file is safer", plain.join(", ")));
            said.extend(open_to_others(path, &shown.to_string()));
        }
        let folder = path.parent().unwrap_or(path);
        for written in self.providers.iter().filter_map(|table| table.key_file.as_deref()) {
            said.extend(place(written, folder, home).ok().and_then(|place| open_to_others(&place, written)));
        }
        said
    }
}

impl ProbeCaps {
    fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["max_run_usd", "max_day_usd", "max_probes_per_day"])?;
        let usd = |key: &str| -> Result<Option<Usd>, OverlayError> {
            let Some(text) = table.amount(key)? else { return Ok(None) };
            text.parse().map(Some).map_err(|error: crate::units::MoneyError| table.error(key, error.to_string()))
        };
        let calls = match table.amount("max_probes_per_day")? {
            Some(text) => {
                Some(text.parse().map_err(|_| table.error("max_probes_per_day", "should be a whole number"))?)
            }
            None => None,
        };
        let default = Self::default();
        Ok(Self {
            run: usd("max_run_usd")?.unwrap_or(default.run),
            day: usd("max_day_usd")?.unwrap_or(default.day),
            calls: calls.unwrap_or(default.calls),
        })
    }
}

impl ProviderTable {
    fn read(id: String, tables: &Reader<'_, '_>, table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["key_cmd", "key_file", "key"])?;
        let key_file = table.text("key_file")?;
        if key_file.as_ref().is_some_and(|path| path.starts_with('~') && !path.starts_with("~/")) {
            return Err(table.error("key_file", "only \"~/\" stands for a home directory"));
        }
        Ok(Self {
            key_cmd: table.argv("key_cmd")?,
            key_file,
            key: table.text("key")?.map(|key| Secret::new(key.trim())),
            unknown: tables.error(&id, format!("no provider is called \"{id}\"")),
            id: ProviderId::new(id),
        })
    }
}

/// A path as the user means it: `~/` is the home directory, and what is relative lies beside the configuration.
fn place(written: &str, folder: &Path, home: Option<&Path>) -> Result<PathBuf, String> {
    match (written.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        (Some(_), None) => Err("there is no home directory".to_owned()),
        (None, _) => Ok(folder.join(written)),
    }
}

/// The key in a file, or why there is none.
fn read_key(path: &Path) -> Result<Secret, String> {
    // Opening a pipe would wait for its writer: what is no plain file is not opened.
    let about = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if !about.is_file() {
        return Err("is not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    opened.and_then(|file| file.take(LARGEST_KEY + 1).read_to_end(&mut bytes)).map_err(|error| reason(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_KEY) {
        return Err("is larger than 64 KiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err("is empty".to_owned()),
        several if several.contains('\n') => Err("has more than one line".to_owned()),
        key => Ok(Secret::new(key)),
    }
}

/// A warning where other users of this machine can read a file.
#[cfg(unix)]
fn open_to_others(path: &Path, shown: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o044 != 0).then(|| format!("others can read {shown} (mode {mode:o}): chmod 600 {shown}"))
}

/// Elsewhere files have no such mode.
#[cfg(not(unix))]
fn open_to_others(_path: &Path, _shown: &str) -> Option<String> {
    None
}

/// The file is broken.
pub(crate) fn broken(error: &OverlayError) -> CliError {
    CliError::new(Exit::Config, "file", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse("c.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let said = [
            "[provider.openai]\nkey = \"k\"",
            "[providers.openai]\nkey_cdm = [\"op\"]",
            "[providers.openai]\nkey_cmd = \"op read x\"",
            "[providers.openai]\nkey_cmd = []",
            "[providers.openai]\nkey_cmd = [\"op\", 1]",
            "[providers.openai]\nkey_file = \"~me/key\"",
            "[providers.openai]\nkey = 7",
            "[providers]\nopenai = \"sk\"",
            "[probe]\nmax_usd = 1",
            "[probe]\nmax_run_usd = -1",
            "[probe]\nmax_day_usd = \"five\"",
            "[probe]\nmax_probes_per_day = 1.5",
            "[budget]\nday = 5",
            "[budget]\nday_usd = \"five\"",
            "[budget]\nday_usd = -1",
        ]
        .map(refused);
        insta::assert_snapshot!(said.join("\n"), @r#"
        c.toml:1: provider: unknown key; did you mean "providers"?
        c.toml:2: providers.openai.key_cdm: unknown key; did you mean "key_cmd"?
        c.toml:2: providers.openai.key_cmd: should be a list of words, as no shell is involved: ["program", "argument"]
        c.toml:2: providers.openai.key_cmd: names no program
        c.toml:2: providers.openai.key_cmd: should hold strings, not a number
        c.toml:2: providers.openai.key_file: only "~/" stands for a home directory
        c.toml:2: providers.openai.key: should be a string, not a number
        c.toml:2: providers.openai: should be a table, not a string
        c.toml:2: probe.max_usd: unknown key
        c.toml:2: probe.max_run_usd: "-1" is negative
        c.toml:2: probe.max_day_usd: "five" is not a decimal number
        c.toml:2: probe.max_probes_per_day: should be a whole number
        c.toml:2: budget.day: unknown key
        c.toml:2: budget.day_usd: "five" is not a decimal number
        c.toml:2: budget.day_usd: "-1" is negative
        "#);
    }

    #[test]
    fn what_probes_may_do_is_the_decimal_that_is_written() {
        let caps = |text: &str| Config::parse("c.toml", text).unwrap().probe();
        let said = caps("[probe]\nmax_run_usd = 0.1\nmax_day_usd = \"2.50\"\nmax_probes_per_day = 40");
        assert_eq!((said.run.exact(), said.day.exact(), said.calls), ("0.1".to_owned(), "2.5".to_owned(), 40));
        assert_eq!(caps("[probe]\nmax_run_usd = 1"), ProbeCaps::default());
        assert_eq!(caps(""), ProbeCaps::default());
    }

    #[test]
    fn a_budget_is_the_decimal_that_is_written() {
        let budget = |text: &str| Config::parse("c.toml", text).unwrap().day_budget().map(Usd::exact);
        assert_eq!(budget("[budget]\nday_usd = 0.1"), Some("0.1".to_owned()));
        assert_eq!(budget("[budget]\nday_usd = 5"), Some("5".to_owned()));
        assert_eq!(budget("[budget]\nday_usd = \"2.50\""), Some("2.5".to_owned()));
        assert_eq!(budget("[budget]"), None);
    }

    #[test]
    fn an_unknown_provider_is_told_with_the_nearest() {
        let config = Config::parse("c.toml", "[providers.openai]\nkey = \"k\"\n[providers.antropic]\nkey = \"k\"");
        let said = config.unwrap().check(&Catalog::builtin()).unwrap_err().to_string();
        insta::assert_snapshot!(said, @r#"c.toml:3: providers.antropic: no provider is called "antropic"; did you mean "anthropic"?"#);
    }

    #[test]
    fn paths_are_the_users() {
        let (folder, home) = (Path::new("/etc/openmux"), Path::new("/home/me"));
        let at = |written, home| place(written, folder, home).unwrap();
        assert_eq!(at("~/k", Some(home)), Path::new("/home/me/k"));
        assert_eq!(at("/run/k", Some(home)), Path::new("/run/k"));
        assert_eq!(at("k", None), Path::new("/etc/openmux/k"));
        assert!(place("~/k", folder, None).is_err());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the files are made here")]
    fn a_key_file_is_one_line_of_a_plain_file() {
        let folder = tempfile::tempdir().unwrap();
        let read = |bytes: &[u8]| {
            let path = folder.path().join("key");
            std::fs::write(&path, bytes).unwrap();
            read_key(&path)
        };
        assert_eq!(read(b"\xef\xbb\xbf sk-1 \r\n\n"), Ok(Secret::new("sk-1")));
        assert_eq!(read(b" \n"), Err("is empty".to_owned()));
        assert_eq!(read(b"a\nb\n"), Err("has more than one line".to_owned()));
        assert_eq!(read(b"\xff"), Err("is not UTF-8".to_owned()));
        assert_eq!(read(&[b'a'; 64 * 1024 + 1]), Err("is larger than 64 KiB".to_owned()));
        assert_eq!(read_key(folder.path()), Err("is not a plain file".to_owned()));
        assert_eq!(read_key(&folder.path().join("none")), Err("No such file or directory".to_owned()));
    }
}
