//! What the command line means, once the environment and the files are read: the one place that reads either.
//! Arguments win over the environment, and the environment over defaults.

mod catalog;
mod clock;
mod read;
mod stores;
mod write;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use catalog::{age_days, note_age, stored};
pub(crate) use clock::now;

use super::args::{self, Color, Format, Global};
use super::clouds;
use super::config::{self, Config};
use super::contract::ENVIRONMENT;
use super::error::{CliError, nearest};
use super::render::json::Envelope;
use super::render::text::Style;
use crate::catalog::Catalog;
use crate::catalog::file::Overlay;
use crate::units::Usd;
use crate::upstream::auth::{Keyring, Vars};
use crate::upstream::transport::TransportConfig;
pub(crate) use read::{read_file, read_regular, read_text, reason};
pub(crate) use stores::talk;
pub(crate) use write::write_whole;

/// The formats of a list.
pub(crate) const LIST_FORMATS: [&str; 8] = ["table", "wide", "json", "jsonl", "csv", "tsv", "md", "ids"];

/// Everything that a command needs to know of its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The format that was asked for.
    pub format: Option<Format>,
    /// That of lists where none was, as configured.
    pub listed: Option<Format>,
    /// `-q`.
    pub quiet: bool,
    /// How often `-v`.
    pub verbose: u8,
    /// `--offline`.
    pub offline: bool,
    /// `--sandbox`.
    pub sandbox: Option<String>,
    /// Escapes on stdout.
    pub out: Style,
    /// Escapes on stderr.
    pub err: Style,
    /// Columns of text that fit.
    pub width: usize,
    /// Whether a terminal of this locale knows more signs than ASCII.
    pub unicode: bool,
    /// Whether stdout is a terminal.
    pub out_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub err_is_terminal: bool,
    /// The environment, and where else keys come from.
    pub keys: Keyring,
    /// The user's configuration, with that of the project.
    pub config: Config,
    /// What the project says of the catalog.
    pub project: Option<Overlay>,
    /// What was typed of the options of every command.
    pub typed: Global,
    /// The configuration file that was named.
    pub config_file: Option<PathBuf>,
    /// Where `config.toml` and `catalog.d` are.
    pub config_dir: Option<PathBuf>,
    /// Where `obs.db` is.
    pub data_dir: Option<PathBuf>,
    /// Where an updated catalog is.
    pub cache_dir: Option<PathBuf>,
    /// Warnings that were given already, and are not given again.
    said: Arc<Mutex<BTreeSet<String>>>,
}

/// A snapshot of the environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn environment() -> Vars {
    let pairs =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Vars::new(pairs)
}

/// Whether a stream gets escapes: `--color`, then `NO_COLOR`, `CLICOLOR_FORCE` (unless 0), `CLICOLOR=0`, the terminal.
fn styled(choice: Color, vars: &Vars, terminal: bool) -> Style {
    let on = match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if vars.plain("NO_COLOR").is_some() => false,
        Color::Auto if vars.plain("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Color::Auto if vars.plain("CLICOLOR") == Some("0") => false,
        Color::Auto => terminal && vars.plain("TERM") != Some("dumb"),
    };
    Style { on }
}

/// What clap needs to know before anything is parsed: whether help and usage errors are coloured, and how wide they are.
pub(crate) fn before_parsing(typed: &[std::ffi::OsString]) -> (Style, Style, usize) {
    let vars = environment();
    let words: Vec<&str> = typed.iter().filter_map(|word| word.to_str()).collect();
    let after = words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
    let choice = match joined.or(after) {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => Color::Auto,
    };
    let out = styled(choice, &vars, std::io::stdout().is_terminal());
    let err = styled(choice, &vars, std::io::stderr().is_terminal());
    (out, err, columns(&vars))
}

/// By the locale: the first of these that is set decides. Systems without one write UTF-8.
fn knows_unicode(vars: &Vars) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| vars.plain(name));
    let utf8 = locale.map_or(cfg!(any(windows, target_os = "macos")), |locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    utf8 && vars.plain("TERM") != Some("linux")
}

/// What a variable holds, if it is set.
fn read_variable<T>(
    vars: &Vars,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, CliError> {
    let Some(text) = vars.plain(name) else { return Ok(None) };
    read(text)
        .map(Some)
        .map_err(|why| CliError::usage(format!("{name} holds \"{text}\": {why}")).fix(format!("unset {name}")))
}

fn columns(vars: &Vars) -> usize {
    let set = vars.plain("COLUMNS").and_then(|text| text.parse::<usize>().ok()).filter(|columns| *columns > 0);
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    set.or_else(terminal).unwrap_or(80)
}

impl Settings {
    /// Resolves the global options against the environment. The second value is a warning for people.
    ///
    /// # Errors
    /// A variable of ours holds something that cannot be meant.
    pub(crate) fn resolve(global: &Global) -> Result<(Self, Vec<String>), CliError> {
        let vars = environment();
        let format = match (global.output, global.json, vars.plain("OPENMUX_OUTPUT")) {
            (Some(format), ..) => Some(format),
            (None, true, _) => Some(Format::Json),
            (None, false, Some(name)) => Some(Format::named(name).ok_or_else(|| {
                CliError::usage(format!("OPENMUX_OUTPUT holds \"{name}\", which is no format"))
                    .fact(
                        "formats",
                        format!("{}; of chat also text, of check also github junit", LIST_FORMATS.join(" ")),
                    )
                    .fix("unset OPENMUX_OUTPUT")
            })?),
            (None, false, None) => None,
        };
        let out_is_terminal = std::io::stdout().is_terminal();
        let err_is_terminal = std::io::stderr().is_terminal();
        let warnings = unknown_variables(&vars);
        let offline = read_variable(&vars, "OPENMUX_OFFLINE", args::switch)?;
        let settings = Self {
            format,
            listed: None,
            quiet: global.quiet,
            verbose: global.verbose,
            offline: global.offline || offline.unwrap_or_default(),
            sandbox: global.sandbox.clone(),
            out: styled(global.color, &vars, out_is_terminal),
            err: styled(global.color, &vars, err_is_terminal),
            width: columns(&vars),
            unicode: knows_unicode(&vars),
            out_is_terminal,
            err_is_terminal,
            config_dir: directory(&vars, "OPENMUX_CONFIG_DIR", "XDG_CONFIG_HOME", dirs::config_dir),
            data_dir: directory(&vars, "OPENMUX_DATA_DIR", "XDG_STATE_HOME", || {
                dirs::state_dir().or_else(dirs::data_dir)
            }),
            typed: global.clone(),
            config_file: global.config.clone().or_else(|| vars.plain("OPENMUX_CONFIG").map(PathBuf::from)),
            cache_dir: directory(&vars, "OPENMUX_CACHE_DIR", "XDG_CACHE_HOME", dirs::cache_dir),
            said: Arc::default(),
            keys: clouds::keyring(vars),
            config: Config::default(),
            project: None,
        };
        Ok((settings, warnings))
    }

    /// The same with what the configuration files say. The second value is a warning for everybody, the third warnings for
    /// whoever uses keys.
    ///
    /// # Errors
    /// A file cannot be read or is broken.
    pub(crate) fn configured(mut self) -> Result<(Self, Option<String>, Vec<String>), CliError> {
        let loaded = config::Files::find(&self).load(&self)?;
        self.config = loaded.config;
        self.project = loaded.overlay;
        let home = self.home();
        self.keys.own = self.config.keys(home.as_deref());
        let cautions = self.config.cautions(home.as_deref());
        let defaults = &self.config.defaults;
        // Every command speaks JSON; the other formats are those of lists.
        let spoken = defaults.output.filter(|format| matches!(format, Format::Json | Format::Jsonl));
        self.format = self.format.or(spoken);
        self.listed = defaults.output;
        if self.keys.vars.plain("OPENMUX_OFFLINE").is_none() {
            self.offline |= defaults.offline.unwrap_or_default();
        }
        Ok((self, loaded.untrusted, cautions))
    }

    /// The same surroundings with the configuration that is there now.
    ///
    /// # Errors
    /// As [`Settings::configured`].
    pub(crate) fn again(&self) -> Result<(Self, Vec<String>), CliError> {
        let mut fresh = self.clone();
        fresh.config = Config::default();
        fresh.project = None;
        fresh.keys.own.clear();
        let (fresh, untrusted, cautions) = fresh.configured()?;
        Ok((fresh, untrusted.into_iter().chain(cautions).collect()))
    }

    /// The user's home directory.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        ["HOME", "USERPROFILE"].into_iter().find_map(|name| self.keys.vars.plain(name)).map(PathBuf::from)
    }

    /// The format of a list: what was asked for, else a table on a terminal and TSV in a pipe.
    ///
    /// # Errors
    /// The command has no such format.
    pub(crate) fn list_format(&self) -> Result<Format, CliError> {
        match self.format.or(self.listed) {
            Some(format @ (Format::Text | Format::Github | Format::Junit)) => {
                Err(CliError::no_format(format, &LIST_FORMATS))
            }
            Some(format) => Ok(format),
            None if self.out_is_terminal => Ok(Format::Table),
            None => Ok(Format::Tsv),
        }
    }

    /// Whether errors are written as JSON.
    pub(crate) fn json_errors(&self) -> bool {
        matches!(self.format, Some(Format::Json | Format::Jsonl))
    }

    /// The envelope of JSON documents.
    pub(crate) fn envelope<'a>(
        &self,
        catalog: &'a Catalog,
        overlays: usize,
        now: Timestamp,
        warnings: &'a [String],
    ) -> Envelope<'a> {
        Self::envelope_of(catalog, catalog.as_of(), overlays, now, warnings)
    }

    /// The same about facts of a certain day.
    pub(crate) fn envelope_of<'a>(
        catalog: &Catalog,
        day: &'a str,
        overlays: usize,
        now: Timestamp,
        warnings: &'a [String],
    ) -> Envelope<'a> {
        let updated = catalog.update().is_some();
        Envelope { catalog_date: day, age_days: age_days(day, now), updated, overlays, warnings }
    }

    /// A default from the environment, read as the flag reads it.
    ///
    /// # Errors
    /// The variable holds something that the flag would refuse.
    pub(crate) fn fallback<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, CliError> {
        read_variable(&self.keys.vars, name, read)
    }

    /// A setting: what was typed, the variable, the configuration.
    fn setting<T>(
        &self,
        typed: Option<T>,
        variable: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
        configured: Option<T>,
    ) -> Result<Option<T>, CliError> {
        if typed.is_some() {
            return Ok(typed);
        }
        Ok(self.fallback(variable, read)?.or(configured))
    }

    /// The unit of throughput: the flag, the configuration, a second.
    pub(crate) fn unit(&self, typed: Option<args::Unit>) -> args::Unit {
        typed.or(self.config.defaults.unit).unwrap_or(args::Unit::PerSecond)
    }

    /// How far back measured figures reach: the flag, the configuration, three days.
    pub(crate) fn window(&self, typed: &args::Window) -> args::Since {
        let said = typed.window.as_ref().or(self.config.defaults.window.as_ref());
        said.cloned().unwrap_or(args::Since::Ago(72 * 3600))
    }

    /// The total time limit: the flag, `OPENMUX_TIMEOUT`, the configuration, ten minutes.
    ///
    /// # Errors
    /// The variable holds no time.
    pub(crate) fn total_timeout(&self, typed: Option<args::Limit>) -> Result<Option<Duration>, CliError> {
        let limit = self.setting(typed, "OPENMUX_TIMEOUT", args::duration, self.config.defaults.timeout)?;
        Ok(limit.map_or(Some(Duration::from_secs(600)), |limit| limit.0))
    }

    /// How long making a connection may take: the flag, the configuration, ten seconds.
    pub(crate) fn connect_timeout(&self, typed: Option<args::Limit>) -> Option<Duration> {
        typed.or(self.config.defaults.connect_timeout).map_or(Some(Duration::from_secs(10)), |limit| limit.0)
    }

    /// How long an answer may be silent: the flag, the configuration, thirty seconds.
    pub(crate) fn idle_timeout(&self, typed: Option<args::Limit>) -> Option<Duration> {
        typed.or(self.config.defaults.idle_timeout).map_or(Some(Duration::from_secs(30)), |limit| limit.0)
    }

    /// The cost limit: the flag or what a profile says, `OPENMUX_MAX_COST`, the configuration.
    ///
    /// # Errors
    /// The variable holds no amount.
    pub(crate) fn max_cost(&self, typed: Option<Usd>) -> Result<Option<Usd>, CliError> {
        let read = |text: &str| text.parse().map_err(|error: crate::units::MoneyError| error.to_string());
        self.setting(typed, "OPENMUX_MAX_COST", read, self.config.defaults.choice.choice.max_cost)
    }

    /// The providers to ask where none was named: `OPENMUX_PROVIDER`, then the configuration.
    pub(crate) fn providers(&self) -> Vec<String> {
        let set = self.keys.vars.plain("OPENMUX_PROVIDER").map(|name| vec![name.to_owned()]);
        set.unwrap_or_else(|| self.config.defaults.choice.choice.provider.clone())
    }

    /// The model where none was typed: `OPENMUX_MODEL`, then the configuration.
    pub(crate) fn model(&self) -> Option<&str> {
        self.keys.vars.plain("OPENMUX_MODEL").or(self.config.defaults.model.as_deref())
    }

    /// The region to prefer where none was typed: `OPENMUX_REGION`, then the configuration.
    pub(crate) fn region(&self) -> Option<&str> {
        let configured = self.config.defaults.choice.choice.region.as_ref();
        self.keys.vars.plain("OPENMUX_REGION").or(configured.map(|region| region.name.as_str()))
    }

    /// The proxy that requests go through, without its credentials; `None` in the sandbox and where none is set.
    pub(crate) fn proxy(&self) -> Option<String> {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
        let url = names.into_iter().find_map(|name| self.keys.vars.plain(name)).filter(|_| self.sandbox.is_none())?;
        Some(url.rsplit('@').next().unwrap_or_default().to_owned())
    }

    /// How to reach the outside.
    ///
    /// # Errors
    /// `SSL_CERT_FILE` cannot be read.
    pub(crate) fn transport(&self, connect_timeout: Option<Duration>) -> Result<TransportConfig, CliError> {
        if self.sandbox.is_some() {
            return Ok(TransportConfig { connect_timeout, ..TransportConfig::default() });
        }
        let proxy = |names: [&str; 4]| names.into_iter().find_map(|name| self.keys.vars.plain(name)).map(str::to_owned);
        let extra_roots = match self.keys.vars.plain("SSL_CERT_FILE") {
            Some(path) => Some(read_file(Path::new(path))?),
            None => None,
        };
        Ok(TransportConfig {
            connect_timeout,
            https_proxy: proxy(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            http_proxy: proxy(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
            no_proxy: self.keys.vars.plain("NO_PROXY").or_else(|| self.keys.vars.plain("no_proxy")).map(str::to_owned),
            extra_roots,
            ..TransportConfig::default()
        })
    }
}

fn broken_overlay(error: crate::catalog::file::OverlayError) -> CliError {
    CliError::in_file("overlay", &error)
}

/// Our own variable, then `XDG_*` on every system where it is set, then the system's place; all with `openmux` below
/// but the first.
fn directory(vars: &Vars, own: &str, xdg: &str, system: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(path) = vars.plain(own) {
        return Some(PathBuf::from(path));
    }
    let absolute = vars.plain(xdg).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute
        .or_else(|| vars.plain("HOME").or_else(|| vars.plain("USERPROFILE")).and_then(|_| system()))
        .map(|base| base.join("openmux"))
}

/// One warning about `OPENMUX_*` variables that mean nothing.
fn unknown_variables(vars: &Vars) -> Vec<String> {
    let known: Vec<&str> = ENVIRONMENT.iter().flat_map(|(names, _)| names.split(", ")).collect();
    let is_base_url = |name: &str| name.ends_with("_BASE_URL");
    let unknown =
        vars.names().filter(|name| name.starts_with("OPENMUX_") && !known.contains(name) && !is_base_url(name));
    // What all have in common says nothing about nearness.
    let bare = |name: &str| name.trim_start_matches("OPENMUX_").to_owned();
    let ours: Vec<String> = known.iter().filter(|name| name.starts_with("OPENMUX_")).map(|name| bare(name)).collect();
    let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
    let told: Vec<String> = unknown
        .map(|name| match nearest(&bare(name), &ours) {
            Some(near) => format!("{name} (did you mean OPENMUX_{near}?)"),
            None => name.to_owned(),
        })
        .collect();
    if told.is_empty() { Vec::new() } else { vec![format!("unknown variable {}", told.join(", "))] }
}
