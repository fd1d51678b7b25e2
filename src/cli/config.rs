//! The configuration: the user's `config.toml`, and over it the `.openmux.toml` of a project.
//!
//! ```toml
//! [defaults]                           # flags that are not typed, with _ for -
//! model   = "fast"
//! profile = "eu"
//!
//! [aliases]
//! fast = "anthropic/claude-haiku-4.5"
//!
//! [probe]                              # what `providers probe` may do; these are its defaults
//! max_run_usd = 1                      # what one run may cost at most, without --max-cost or --yes
//! max_day_usd = 5                      # the same of all runs of a day (UTC)
//! max_probes_per_day = 200             # calls that one endpoint gets in a day (UTC)
//!
//! [budget]
//! day_usd = 5.00                       # the most that all chats of a day (UTC) may cost
//!
//! [serve]                              # what requests of a gateway may wish: never, asked or always; its defaults
//! resume = "asked"                     # that a broken stream is gone on with by another provider
//! hedge  = "never"                     # that a second provider is asked beside a slow one
//! origins = ["app://obsidian.md"]       # pages that may ask, beside those of this machine
//! ```
//!
//! `[providers.ID]` is in `keys`, `[profiles.NAME]` in `profile`, `[catalog]` in `published`, what a project's file may not say by itself in `tame`.
//! An unknown table or key is an error with its line, as in overlays. A further table is a line in [`Config::read`].

mod aliases;
mod columns;
mod commands;
mod defaults;
mod files;
mod keys;
mod origin;
mod profile;
mod published;
mod serve;
mod shown;
mod tame;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;

use super::error::CliError;
use crate::catalog::file::{self, Overlay, OverlayError, Reader, Source, suggestion};
use crate::catalog::{Catalog, ProviderId};
use crate::gateway::Wished;
use crate::units::Usd;
use crate::upstream::auth::OwnKey;
use aliases::Alias;
use columns::Columns;
pub(crate) use commands::run;
pub(crate) use defaults::Defaults;
pub(crate) use files::Files;
use keys::ProviderTable;
pub(crate) use origin::{Entry, Origin};
pub(crate) use profile::{Profile, under};
pub(crate) use published::Published;
use serve::ServeTable;

/// The file's name in the configuration folder.
pub(crate) const FILE: &str = "config.toml";

/// A project's file, in its folder.
pub(crate) const PROJECT_FILE: &str = ".openmux.toml";

/// The tables of the user's own file.
const TABLES: [&str; 9] =
    ["defaults", "aliases", "columns", "profiles", "probe", "budget", "serve", "providers", "catalog"];

/// What the files say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// `[defaults]`.
    pub(crate) defaults: Defaults,
    /// `[aliases]`, in the order of the file.
    aliases: Vec<Alias>,
    /// `[columns]`.
    columns: Vec<Columns>,
    /// `[providers.ID]`, in the order of the file.
    providers: Vec<ProviderTable>,
    /// `[probe]`.
    probe: ProbeTable,
    /// `[profiles.NAME]`, in the order of the file.
    profiles: Vec<Profile>,
    /// `budget.day_usd`.
    day_budget: Option<Usd>,
    /// `[serve]`.
    serve: ServeTable,
    /// `[catalog]`.
    published: Published,
    /// Each value with its place, for `config show`.
    entries: Vec<Entry>,
    /// Values of the user's own file that the project's goes before.
    silenced: Vec<Entry>,
}

/// `[probe]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct ProbeTable {
    run: Option<Usd>,
    day: Option<Usd>,
    calls: Option<u32>,
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

impl Config {
    /// Parses the text of the user's own file; `name` is its path.
    ///
    /// # Errors
    /// It is not TOML, has an unknown key, or a value that cannot be right; the first such place is told.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, OverlayError> {
        let source = Source { file: name.into(), text };
        let document = source.document()?;
        let root = Reader::root(&source, document.get_ref());
        if let Some(table) = file::TABLES.into_iter().find(|table| root.has(table) && *table != "provider") {
            return Err(root.error(table, "belongs in a file in catalog.d beside this one, or in a project's file"));
        }
        root.known(&TABLES)?;
        Self::read(&root)
    }

    /// Parses the text of a project's file, which is also an overlay.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub(crate) fn parse_project(name: &str, text: &str) -> Result<(Self, Overlay), OverlayError> {
        let source = Source { file: name.into(), text };
        let document = source.document()?;
        let root = Reader::root(&source, document.get_ref());
        root.known(&[&TABLES[..], &file::TABLES].concat())?;
        if let Some(table) = root.table("catalog")?.filter(|table| table.has("trusted_keys")) {
            return Err(table.error("trusted_keys", "belongs in your own config.toml: no project says whom to believe"));
        }
        Ok((Self::read(&root)?, Overlay::read(name, &root)?))
    }

    fn read(root: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let defaults = root.table("defaults")?.map(|table| Defaults::read(&table)).transpose()?.unwrap_or_default();
        let aliases = root.table("aliases")?.map(|table| Alias::all(&table)).transpose()?.unwrap_or_default();
        let columns = root.table("columns")?.map(|table| Columns::all(&table)).transpose()?.unwrap_or_default();
        let mut providers = Vec::new();
        if let Some(tables) = root.table("providers")? {
            for (id, table) in tables.members()? {
                providers.push(ProviderTable::read(id, &tables, &table)?);
            }
        }
        let probe = root.table("probe")?.map(|table| ProbeTable::read(&table)).transpose()?.unwrap_or_default();
        let mut profiles = Vec::new();
        if let Some(tables) = root.table("profiles")? {
            for (name, table) in tables.members()? {
                if !aliases::is_name(&name) {
                    let message = "a profile's name is lower-case letters, digits, \".\", \"_\" and \"-\"";
                    return Err(tables.error(&name, message));
                }
                profiles.push(Profile::read(name, &table)?);
            }
        }
        let day_budget = match root.table("budget")? {
            Some(table) => {
                table.known(&["day_usd"])?;
                dollars(&table, "day_usd")?
            }
            None => None,
        };
        let serve = root.table("serve")?.map(|table| ServeTable::read(&table)).transpose()?.unwrap_or_default();
        let published = root.table("catalog")?.map(|table| Published::read(&table)).transpose()?.unwrap_or_default();
        Ok(Self {
            defaults,
            aliases,
            columns,
            providers,
            probe,
            profiles,
            day_budget,
            serve,
            published,
            entries: origin::entries(root),
            silenced: Vec::new(),
        })
    }

    /// A project's configuration over the user's own: what the project says goes first.
    fn over(self, own: Self) -> Self {
        let named = |profile: &Profile| self.profiles.iter().all(|ours| ours.name != profile.name);
        let profiles: Vec<Profile> = own.profiles.into_iter().filter(named).collect();
        let aliased = |alias: &Alias| self.aliases.iter().all(|ours| ours.name != alias.name);
        let aliases: Vec<Alias> = own.aliases.into_iter().filter(aliased).collect();
        let laid = |columns: &Columns| self.columns.iter().all(|ours| ours.command != columns.command);
        let columns: Vec<Columns> = own.columns.into_iter().filter(laid).collect();
        let (entries, silenced) = origin::over(self.entries, own.entries);
        let keyed = |table: &ProviderTable| self.providers.iter().all(|ours| ours.id != table.id);
        let providers: Vec<ProviderTable> = own.providers.into_iter().filter(keyed).collect();
        Self {
            defaults: self.defaults.over(own.defaults),
            aliases: aliases.into_iter().chain(self.aliases).collect(),
            columns: columns.into_iter().chain(self.columns).collect(),
            providers: providers.into_iter().chain(self.providers).collect(),
            probe: ProbeTable {
                run: self.probe.run.or(own.probe.run),
                day: self.probe.day.or(own.probe.day),
                calls: self.probe.calls.or(own.probe.calls),
            },
            profiles: profiles.into_iter().chain(self.profiles).collect(),
            day_budget: self.day_budget.or(own.day_budget),
            serve: self.serve.over(own.serve),
            published: self.published.over(own.published),
            entries,
            silenced,
        }
    }

    /// What `providers probe` may do.
    pub(crate) fn probe(&self) -> ProbeCaps {
        let default = ProbeCaps::default();
        ProbeCaps {
            run: self.probe.run.unwrap_or(default.run),
            day: self.probe.day.unwrap_or(default.day),
            calls: self.probe.calls.unwrap_or(default.calls),
        }
    }

    /// The profile of that name.
    pub(crate) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The names of all profiles.
    pub(crate) fn profile_names(&self) -> Vec<&str> {
        self.profiles.iter().map(|profile| profile.name.as_str()).collect()
    }

    /// The user's own names of models, and what each stands for.
    pub(crate) fn alias_names(&self) -> Vec<(String, String)> {
        self.aliases.iter().map(Alias::told).collect()
    }

    /// The most that all chats of a day (UTC) may cost, in USD.
    pub(crate) const fn day_budget(&self) -> Option<Usd> {
        self.day_budget
    }

    /// Whether a gateway goes on with streams that break off, and whether it asks a second provider beside a slow one.
    pub(crate) fn serve(&self) -> (Wished, Wished) {
        let default = crate::gateway::Config::default();
        (self.serve.resume.unwrap_or(default.resume), self.serve.hedge.unwrap_or(default.hedge))
    }

    /// The pages that may ask a gateway, beside those of this machine.
    pub(crate) fn origins(&self) -> Vec<String> {
        self.serve.origins.clone().unwrap_or_default()
    }

    /// Where `catalog update` fetches from, and whom it believes.
    pub(crate) const fn published(&self) -> &Published {
        &self.published
    }

    /// The columns of a command's table, where they were chosen, and where a complaint about them belongs.
    pub(crate) fn columns(&self, command: &str) -> Option<(&[String], &OverlayError)> {
        let columns = self.columns.iter().find(|columns| columns.command == command)?;
        Some((&columns.names, &columns.place))
    }

    /// Each value of the files that holds, with its place.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Values of the user's own file that the project's goes before.
    pub(crate) fn silenced(&self) -> &[Entry] {
        &self.silenced
    }

    /// The catalog with the aliases, where it knows every provider that is named, and what there is to say of aliases that
    /// mean a model already.
    ///
    /// # Errors
    /// A provider is unknown.
    pub(crate) fn named(&self, catalog: Catalog) -> Result<(Catalog, Vec<String>), OverlayError> {
        if let Some(unknown) = self.providers.iter().find(|table| catalog.provider(&table.id).is_none()) {
            let providers = catalog.providers();
            let hint = suggestion(unknown.id.as_str(), providers.iter().map(|provider| provider.id.as_str()));
            let mut error = unknown.unknown.clone();
            error.message += &hint;
            return Err(error);
        }
        Ok(aliases::laid_over(&self.aliases, catalog))
    }

    /// The keys, with the files that it names read. Commands are not run.
    pub(crate) fn keys(&self, home: Option<&Path>) -> BTreeMap<ProviderId, OwnKey> {
        self.providers.iter().map(|table| (table.id.clone(), table.own_key(home))).collect()
    }

    /// What a careful person should know, one sentence each: keys in the files themselves, and files that others can read.
    pub(crate) fn cautions(&self, home: Option<&Path>) -> Vec<String> {
        keys::cautions(&self.providers, home)
    }
}

impl ProbeTable {
    fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["max_run_usd", "max_day_usd", "max_probes_per_day"])?;
        let calls = match table.amount("max_probes_per_day")? {
            Some(text) => {
                Some(text.parse().map_err(|_| table.error("max_probes_per_day", "should be a whole number"))?)
            }
            None => None,
        };
        Ok(Self { run: dollars(table, "max_run_usd")?, day: dollars(table, "max_day_usd")?, calls })
    }
}

fn dollars(table: &Reader<'_, '_>, key: &str) -> Result<Option<Usd>, OverlayError> {
    let Some(text) = table.amount(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error: crate::units::MoneyError| table.error(key, error.to_string()))
}

/// The file is broken.
pub(crate) fn broken(error: &OverlayError) -> CliError {
    CliError::in_file("file", error)
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
            "[serve]\nhedge = \"often\"",
            "[serve]\nhedges = \"never\"",
            "[serve]\norigins = [\"*\"]",
            "[serve]\norigins = [\"https://a.example\", \"null\"]",
            "[serve]\norigins = [\"https://a.example/\"]",
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
        c.toml:2: serve.hedge: is none of never, asked, always
        c.toml:2: serve.hedges: unknown key; did you mean "hedge"?
        c.toml:2: serve.origins: "*" is no origin: name each as its browser does, scheme://host:port
        c.toml:2: serve.origins: "null" is no origin: name each as its browser does, scheme://host:port
        c.toml:2: serve.origins: "https://a.example/" is no origin: name each as its browser does, scheme://host:port
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
        let said = config.unwrap().named(Catalog::builtin()).unwrap_err().to_string();
        insta::assert_snapshot!(said, @r#"c.toml:3: providers.antropic: no provider is called "antropic"; did you mean "anthropic"?"#);
    }
}
