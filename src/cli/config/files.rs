//! Which files hold: the user's own, and the nearest `.openmux.toml` above where the command runs.

use std::path::{Path, PathBuf};

use super::trust::Trusted;
use super::{Config, FILE, PROJECT_FILE, broken, tame};
use crate::catalog::file::Overlay;
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::settings::{Settings, read_text};

/// A configuration file that may or may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The user's own; `None` where there is no folder for it.
    pub(crate) own: Option<PathBuf>,
    /// Whether it was named, and must be there.
    pub(crate) named: bool,
    /// The project's.
    pub(crate) project: Option<PathBuf>,
}

/// What the files come to.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// All of it.
    pub(crate) config: Config,
    /// What the project's file says of the catalog.
    pub(crate) overlay: Option<Overlay>,
    /// What is left out of the project's file for want of trust, in one sentence.
    pub(crate) untrusted: Option<String>,
}

impl Files {
    /// Looks for them.
    pub(crate) fn find(settings: &Settings) -> Self {
        let named = settings.config_file.clone();
        let own = named.clone().or_else(|| settings.config_dir.as_ref().map(|folder| folder.join(FILE)));
        let here = std::env::current_dir().ok();
        Self { named: named.is_some(), own, project: here.and_then(|here| upward(&here, settings.home().as_deref())) }
    }

    /// The user's own alone.
    ///
    /// # Errors
    /// It cannot be read or is broken.
    pub(super) fn own_alone(&self) -> Result<Config, CliError> {
        match self.own.as_deref().map(|path| text(path, self.named)).transpose()?.flatten() {
            Some((name, text)) => Config::parse(&name, &text).map_err(|error| broken(&error)),
            None => Ok(Config::default()),
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// One cannot be read or is broken.
    pub(crate) fn load(&self, settings: &Settings) -> Result<Loaded, CliError> {
        let own = self.own_alone()?;
        let Some(path) = &self.project else { return Ok(Loaded { config: own, ..Loaded::default() }) };
        let Some((name, text)) = text(path, false)? else { return Ok(Loaded { config: own, ..Loaded::default() }) };
        let (project, overlay) = Config::parse_project(&name, &text).map_err(|error| broken(&error))?;
        let (tamed, refused) = tame::tame(project.clone(), &overlay, &own);
        let trusts = || Trusted::read(settings).is_ok_and(|trusted| trusted.holds(path, &text));
        let anybodys = anybody_can_write_beside(path);
        if trusts() {
            return Ok(Loaded { config: project.over(own), overlay: some(overlay), untrusted: None });
        }
        if refused.is_empty() && !anybodys {
            return Ok(Loaded { config: tamed.over(own), overlay: None, untrusted: None });
        }
        if anybodys {
            let said = format!(
                "{name} is left out: anybody can write into its folder; `openmux config trust` takes it as it is now"
            );
            return Ok(Loaded { config: own, overlay: None, untrusted: Some(said) });
        }
        let parts: Vec<String> = refused.iter().map(|(path, line)| format!("{path} (line {line})")).collect();
        let said = format!(
            "{name} is not trusted, so this of it is left out: {}; `openmux config trust --dry-run` says what it wants, without \
             it the file is taken as it is now",
            parts.join(", ")
        );
        Ok(Loaded { config: tamed.over(own), overlay: None, untrusted: Some(said) })
    }
}

fn some(overlay: Overlay) -> Option<Overlay> {
    (!overlay.is_empty()).then_some(overlay)
}

/// The nearest project's file in this folder or one above it; a repository's root and the home are the last.
fn upward(here: &Path, home: Option<&Path>) -> Option<PathBuf> {
    for folder in here.ancestors() {
        let file = folder.join(PROJECT_FILE);
        if std::fs::symlink_metadata(&file).is_ok() {
            return Some(file);
        }
        if home == Some(folder) || std::fs::symlink_metadata(folder.join(".git")).is_ok() {
            return None;
        }
    }
    None
}

/// A file's name and text; `None` where it is not there and need not be.
pub(super) fn text(path: &Path, must_be: bool) -> Result<Option<(String, String)>, CliError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be => return Ok(None),
        Ok(about) if !about.is_file() => {
            let message = format!("{} is not a plain file", path.display());
            return Err(CliError::new(Exit::Config, "file", message).fix("put a file there, or --config FILE"));
        }
        _ => {}
    }
    let text = read_text(path).map_err(|error| match error.exit {
        Exit::Usage => CliError { exit: Exit::Config, code: "config.file".to_owned(), ..error },
        _ => error,
    })?;
    Ok(Some((path.display().to_string(), text)))
}

/// Whether every user of this machine can put a file beside this one, as into `/tmp`.
#[cfg(unix)]
fn anybody_can_write_beside(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().and_then(|folder| std::fs::metadata(folder).ok());
    folder.is_some_and(|about| about.permissions().mode() & 0o002 != 0)
}

/// Elsewhere folders have no such mode.
#[cfg(not(unix))]
fn anybody_can_write_beside(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the files are made here")]
    fn a_project_ends_at_its_repository_and_at_home() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path();
        let deep = top.join("home/work/repo/src/deep");
        std::fs::create_dir_all(&deep).unwrap();
        let home = top.join("home");
        let put = |at: &str| std::fs::write(top.join(at).join(PROJECT_FILE), "").unwrap();
        put("");
        assert_eq!(upward(&deep, Some(&home)), None, "what lies above the home is somebody else's");
        put("home");
        assert_eq!(upward(&deep, Some(&home)), Some(home.join(PROJECT_FILE)));
        std::fs::create_dir(top.join("home/work/repo/.git")).unwrap();
        assert_eq!(upward(&deep, Some(&home)), None);
        put("home/work/repo");
        assert_eq!(upward(&deep, Some(&home)), Some(top.join("home/work/repo").join(PROJECT_FILE)));
        put("home/work/repo/src");
        assert_eq!(upward(&deep, Some(&home)), Some(top.join("home/work/repo/src").join(PROJECT_FILE)));
    }
}
