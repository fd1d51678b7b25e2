//! What the command line means, once the environment and the files are read: the one place that reads either.
//! Arguments win over the environment, and the environment over defaults.

mod catalog;
mod stores;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use catalog::stored;

use super::args::{self, Color, Format, Global};
use super::clouds;
use super::config::{self, Config};
use super::contract::{ENVIRONMENT, Exit};
use super::day;
use super::error::{CliError, nearest};
use super::render::json::Envelope;
use super::render::text::Style;
use crate::catalog::Catalog;
use crate::units::Usd;
use crate::upstream::auth::{Keyring, Vars};
use crate::upstream::transport::TransportConfig;

/// Everything that a command needs to know of its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The format that was asked for.
    pub format: Option<Format>,
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
    /// The user's configuration.
    pub config: Config,
    /// Where `config.toml` and `catalog.d` are.
    pub config_dir: Option<PathBuf>,
    /// Where `obs.db` is.
    pub data_dir: Option<PathBuf>,
    /// Where an updated catalog is.
    pub cache_dir: Option<PathBuf>,
    /// Whether it was said that the updated catalog cannot be used.
    said: Arc<AtomicBool>,
}

/// A snapshot of the environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn environment() -> Vars {
    let pairs =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Vars::new(pairs)
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the command line passes the clock in")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The bytes of a file that the user named.
#[expect(clippy::disallowed_methods, reason = "the command line reads the files that the user names")]
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Config };
        CliError::new(exit, "file", format!("cannot read {}", path.display())).fact("reason", reason(&error))
    })
}

/// The bytes of a regular file of at most so many; a pipe or a device could be waited for without end.
///
/// # Errors
/// There is none, it is something else, it is too large, or it cannot be read.
pub(crate) fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Config };
        CliError::new(exit, "file", format!("cannot read {}", path.display())).fact("reason", reason(&error))
    };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        let kind = if about.is_dir() { "a folder" } else { "a pipe or a device" };
        let error = CliError::usage(format!("{} is {kind}, not a file", path.display()));
        return Err(if about.is_dir() { error } else { error.fix("pipe it into stdin, as -a -") });
    }
    // One byte more than is allowed tells a file that is too large, or grows.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, most + 1), &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The operating system's words without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The text of a file that the user named.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is a pipe by name, whose writer could be waited for without end; the shell's own
/// (`<(...)`) has one.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let about = std::fs::metadata(path);
    let is_ours = ["/dev/", "/proc/"].into_iter().any(|folder| path.starts_with(folder));
    if !is_ours && about.is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return Err(CliError::usage(format!("{} is a pipe or a device, not a file", path.display())));
    }
    String::from_utf8(read_file(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("{} is not UTF-8 at byte {at}", path.display()))
    })
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
            (None, false, Some(name)) => Some(
                <Format as clap::ValueEnum>::from_str(name, true)
                    .map_err(|_| CliError::usage(format!("OPENMUX_OUTPUT holds \"{name}\", which is no format")))?,
            ),
            (None, false, None) => None,
        };
        let out_is_terminal = std::io::stdout().is_terminal();
        let err_is_terminal = std::io::stderr().is_terminal();
        let warnings = unknown_variables(&vars);
        let settings = Self {
            format,
            quiet: global.quiet,
            verbose: global.verbose,
            offline: global.offline || vars.plain("OPENMUX_OFFLINE").is_some_and(|value| value != "0"),
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
            cache_dir: directory(&vars, "OPENMUX_CACHE_DIR", "XDG_CACHE_HOME", dirs::cache_dir),
            said: Arc::default(),
            keys: clouds::keyring(vars),
            config: Config::default(),
        };
        Ok((settings, warnings))
    }

    /// The same with the user's configuration. The second value is warnings for whoever uses keys.
    ///
    /// # Errors
    /// The file cannot be read or is broken.
    pub(crate) fn configured(mut self) -> Result<(Self, Vec<String>), CliError> {
        let Some(folder) = self.config_dir.clone() else { return Ok((self, Vec::new())) };
        let path = folder.join(config::FILE);
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((self, Vec::new())),
            Ok(about) if !about.is_file() => {
                let message = format!("{} is not a plain file", path.display());
                return Err(CliError::new(Exit::Config, "file", message));
            }
            _ => read_text(&path).map_err(|error| match error.exit {
                Exit::Usage => CliError::new(Exit::Config, "file", error.message),
                _ => error,
            })?,
        };
        self.config = Config::parse(&path.display().to_string(), &text).map_err(|error| config::broken(&error))?;
        let home = self.home();
        self.keys.own = self.config.keys(&folder, home.as_deref());
        let cautions = self.config.cautions(&path, home.as_deref());
        Ok((self, cautions))
    }

    /// The same surroundings with the configuration that is there now.
    ///
    /// # Errors
    /// As [`Settings::configured`].
    pub(crate) fn again(&self) -> Result<(Self, Vec<String>), CliError> {
        let mut fresh = self.clone();
        fresh.config = Config::default();
        fresh.keys.own.clear();
        fresh.configured()
    }

    /// The user's home directory.
    fn home(&self) -> Option<PathBuf> {
        ["HOME", "USERPROFILE"].into_iter().find_map(|name| self.keys.vars.plain(name)).map(PathBuf::from)
    }

    /// The format of a list: what was asked for, else a table on a terminal and TSV in a pipe.
    ///
    /// # Errors
    /// The command has no such format.
    pub(crate) fn list_format(&self) -> Result<Format, CliError> {
        match self.format {
            Some(format @ (Format::Text | Format::Github | Format::Junit)) => {
                let name = clap::ValueEnum::to_possible_value(&format)
                    .map_or_else(String::new, |value| value.get_name().to_owned());
                Err(CliError::usage(format!("this command has no format \"{name}\""))
                    .fact("formats", "table wide json jsonl csv tsv md ids"))
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
        let updated = catalog.update().is_some();
        Envelope { catalog_date: catalog.generated(), age_days: age_days(catalog, now), updated, overlays, warnings }
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
        let Some(text) = self.keys.vars.plain(name) else { return Ok(None) };
        read(text).map(Some).map_err(|why| CliError::usage(format!("{name} holds \"{text}\": {why}")))
    }

    /// The total time limit: the flag, `OPENMUX_TIMEOUT`, ten minutes.
    ///
    /// # Errors
    /// The variable holds no time.
    pub(crate) fn total_timeout(&self, typed: Option<args::Limit>) -> Result<Option<Duration>, CliError> {
        if let Some(limit) = typed {
            return Ok(limit.0);
        }
        let set = self.fallback("OPENMUX_TIMEOUT", args::duration)?;
        Ok(set.map_or(Some(Duration::from_secs(600)), |limit| limit.0))
    }

    /// The cost limit: the flag, then `OPENMUX_MAX_COST`.
    ///
    /// # Errors
    /// The variable holds no amount.
    pub(crate) fn max_cost(&self, typed: Option<Usd>) -> Result<Option<Usd>, CliError> {
        if typed.is_some() {
            return Ok(typed);
        }
        self.fallback("OPENMUX_MAX_COST", |text| text.parse().map_err(|e: crate::units::MoneyError| e.to_string()))
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

/// How many days old the catalog is.
pub(crate) fn age_days(catalog: &Catalog, now: Timestamp) -> i64 {
    day::until(catalog.generated(), now).map_or(0, |left| (-left).max(0))
}

/// Says once that the catalog is old.
pub(crate) fn note_age(settings: &Settings, catalog: &Catalog, now: Timestamp) {
    let age = age_days(catalog, now);
    if age > 30 {
        let day = catalog.generated();
        super::note(settings, &format!("the catalog's prices are {age} days old ({day}); fix: openmux catalog update"));
    }
}

fn broken_overlay(error: crate::catalog::file::OverlayError) -> CliError {
    CliError::new(Exit::Config, "overlay", error.to_string())
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
