//! Where measurements are read from and written to. Those of simulated providers are apart: their probes are kept as real
//! ones are, so that what shows measurements can be tried. A chat in the sandbox knows none: each begins anew.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::cli::{noted, out, warning};
use crate::store::sqlite::Sqlite;
use crate::store::{Behind, Memory, ObservationStore, Word};

impl Settings {
    fn store_path(&self) -> Option<PathBuf> {
        self.data_dir.as_ref().map(|folder| folder.join("obs.db"))
    }

    /// Where probes of simulated providers are kept: apart from real ones, and each scenario by itself.
    fn sandbox_path(&self) -> Option<PathBuf> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let scenario: String = self.sandbox.as_ref()?.chars().map(plain).collect();
        Some(self.data_dir.as_ref()?.join("sandbox").join(scenario).join("obs.db"))
    }

    /// What was measured, for commands that decide on it: an empty store where there is none, and in a sandbox, where
    /// every call begins anew. The second value says why it could not be read.
    pub(crate) fn store_to_read(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        if self.sandbox.is_some() {
            return (Box::new(Memory::new()), None);
        }
        opened(self.store_path().as_deref())
    }

    /// What was measured, for commands that show it: in a sandbox, what its own probes measured. The second value says
    /// why it could not be read.
    pub(crate) fn store_to_show(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        let path = if self.sandbox.is_some() { self.sandbox_path() } else { self.store_path() };
        opened(path.as_deref())
    }

    /// The store for commands that record; one that lives as long as the process where the disk cannot be written.
    pub(crate) fn store_to_write(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        if self.sandbox.is_some() {
            return (Box::new(Memory::new()), None);
        }
        self.store_on_disk().unwrap_or_else(unkept)
    }

    /// The store for probes: of real providers the one that all share, in a sandbox its own.
    pub(crate) fn store_for_probes(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        let Some(path) = self.sandbox_path() else { return self.store_to_write() };
        written(&path).unwrap_or_else(unkept)
    }

    /// The store that all processes share.
    ///
    /// # Errors
    /// It cannot be opened: why.
    pub(crate) fn store_on_disk(&self) -> Result<(Box<dyn ObservationStore>, Option<String>), String> {
        written(&self.store_path().ok_or("there is no home directory (set OPENMUX_DATA_DIR)")?)
    }
}

impl Settings {
    /// The same for a process that serves: written behind the requests.
    ///
    /// # Errors
    /// It cannot be opened: why.
    pub(crate) fn store_behind(&self) -> Result<(Box<dyn ObservationStore>, Option<String>), String> {
        let path = self.store_path().ok_or("there is no home directory (set OPENMUX_DATA_DIR)")?;
        let say = talk(self);
        let say = Box::new(move |word: &Word| match word {
            Word::Warning(text) => say(true, text),
            Word::Note(text) => say(false, text),
        });
        let (store, note) = Behind::open(&path, say).map_err(|error| error.to_string())?;
        Ok((Box::new(store), note))
    }
}

/// Says something while the settings are elsewhere: a warning, or a note.
pub(crate) fn talk(settings: &Settings) -> impl Fn(bool, &str) + Send + Sync + use<> {
    let (quiet, style) = (settings.quiet, settings.err);
    move |warns, text| match warns {
        _ if quiet => {}
        true => out::talk(&warning(style, text)),
        false => out::talk(&noted(style, text)),
    }
}

fn written(path: &Path) -> Result<(Box<dyn ObservationStore>, Option<String>), String> {
    let (store, note) = Sqlite::open(path).map_err(|error| error.to_string())?;
    Ok((Box::new(store), note))
}

fn unkept(reason: String) -> (Box<dyn ObservationStore>, Option<String>) {
    (Box::new(Memory::new()), Some(format!("nothing is recorded: {reason}")))
}

/// The store of that path, or an empty one where there is none.
fn opened(path: Option<&Path>) -> (Box<dyn ObservationStore>, Option<String>) {
    match path.map(Sqlite::open_existing) {
        None | Some(Ok(None)) => (Box::new(Memory::new()), None),
        Some(Ok(Some(store))) => (Box::new(store), None),
        Some(Err(error)) => (Box::new(Memory::new()), Some(format!("measurements cannot be read: {error}"))),
    }
}
