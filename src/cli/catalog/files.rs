//! The files of an updated catalog: written whole or not at all, one process at a time, the one before kept.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::settings::{Settings, reason, stored};

/// Where they are.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// What is in use.
    pub(super) current: PathBuf,
    /// What was before.
    pub(super) previous: PathBuf,
}

/// What becomes of the one before, where another is put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is the previous one from then on.
    Current,
    /// The previous one stays what it is.
    Nothing,
}

impl Files {
    /// The files of this user.
    ///
    /// # Errors
    /// There is no place for them.
    pub(super) fn of(settings: &Settings) -> Result<Self, CliError> {
        let (Some(folder), Some(current)) = (settings.cache_dir.clone(), settings.update_file()) else {
            return Err(CliError::new(Exit::Config, "catalog", "there is no home directory to keep a catalog in")
                .fix("set OPENMUX_CACHE_DIR"));
        };
        let files = Self { previous: folder.join("catalog.previous.txt"), current, folder };
        if files.old().exists() {
            // Whoever has the lock is at it.
            let _ = files.lock();
        }
        Ok(files)
    }

    /// The second name of the current file, while it changes places.
    fn old(&self) -> PathBuf {
        self.folder.join("catalog.old")
    }

    /// Puts in order what somebody left who was killed: between the two renames of a rollback the one that was in use has
    /// its second name alone, and is the previous one.
    fn mend(&self) {
        let (old, new) = (self.old(), self.folder.join("catalog.new"));
        let _ = std::fs::remove_file(new);
        let is_lost = !self.previous.exists() && self.current.exists();
        let held = if is_lost { stored(&old).ok().flatten() } else { None };
        if held.is_some() && held != stored(&self.current).ok().flatten() {
            let _ = self.rename(&old, &self.previous);
        }
        let _ = std::fs::remove_file(old);
    }

    /// The right to change them; given back when the process ends, however it does.
    ///
    /// # Errors
    /// Another process has it, or the folder cannot be written.
    pub(super) fn lock(&self) -> Result<File, CliError> {
        std::fs::create_dir_all(&self.folder).map_err(|error| self.failed(&error))?;
        let file = File::create(self.folder.join("catalog.lock")).map_err(|error| self.failed(&error))?;
        match file.try_lock() {
            Ok(()) => {
                self.mend();
                Ok(file)
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(CliError::new(Exit::Unavailable, "busy", "another openmux is changing the catalog")
                    .fact("folder", self.folder.display().to_string())
                    .fix("wait until it is done, and try again"))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(self.failed(&error)),
        }
    }

    /// Puts a new catalog in the place of the current one. At every moment there is a whole one under the name.
    ///
    /// # Errors
    /// It cannot be written; what is half-written is removed.
    pub(super) fn replace(&self, text: &str, keep: Keep) -> Result<(), CliError> {
        let new = self.folder.join("catalog.new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = written {
            let _ = std::fs::remove_file(&new);
            return Err(self.failed(&error));
        }
        match keep {
            Keep::Nothing => {}
            Keep::Current if self.current.exists() => {
                let second = self.second()?;
                self.rename(&second, &self.previous)?;
            }
            // The one in the program was in use: that is what a rollback goes back to.
            Keep::Current => self.remove(&self.previous)?,
        }
        self.rename(&new, &self.current)
    }

    /// The previous one and the current one change places; the one in the program stands for a file that is not there. Nothing
    /// is lost: a second time is back again. Whether there was anything to change.
    ///
    /// # Errors
    /// The previous one cannot be used, or the files cannot be moved; the current one stays then.
    pub(super) fn back(&self) -> Result<bool, CliError> {
        let unusable = |why: String| {
            CliError::new(Exit::Config, "catalog", format!("{} cannot be used: {why}", self.previous.display()))
                .fix("openmux catalog rollback --embedded")
        };
        let previous = stored(&self.previous).map_err(unusable)?.is_some();
        match (self.current.exists(), previous) {
            (false, false) => return Ok(false),
            (false, true) => self.rename(&self.previous, &self.current)?,
            (true, false) => self.rename(&self.current, &self.previous)?,
            (true, true) => {
                let second = self.second()?;
                self.rename(&self.previous, &self.current)?;
                self.rename(&second, &self.previous)?;
            }
        }
        Ok(true)
    }

    /// A second name for the current file.
    fn second(&self) -> Result<PathBuf, CliError> {
        let second = self.old();
        let _ = std::fs::remove_file(&second);
        let linked = std::fs::hard_link(&self.current, &second);
        linked.or_else(|_| std::fs::copy(&self.current, &second).map(|_| ())).map_err(|error| self.failed(&error))?;
        Ok(second)
    }

    /// Neither is there any more.
    ///
    /// # Errors
    /// They cannot be removed.
    pub(super) fn forget(&self) -> Result<(), CliError> {
        self.remove(&self.current)?;
        self.remove(&self.previous)
    }

    fn remove(&self, path: &Path) -> Result<(), CliError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), CliError> {
        std::fs::rename(from, to).map_err(|error| self.failed(&error))?;
        // The name is on the disk once the folder is; systems that cannot open one need not.
        if let Ok(folder) = File::open(&self.folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> CliError {
        let fix = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "make room there, or set OPENMUX_CACHE_DIR"
            }
            _ => "make it writable, or set OPENMUX_CACHE_DIR",
        };
        CliError::new(Exit::Config, "catalog", format!("cannot write in {}", self.folder.display()))
            .fact("reason", reason(error))
            .fix(fix)
    }
}
