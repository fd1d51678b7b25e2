//! Where measurements of simulated providers are: their probes are kept as real ones are, so that what shows measurements
//! can be tried, but apart from them. A chat in the sandbox knows none: each begins anew.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::store::sqlite::Sqlite;
use crate::store::{Memory, ObservationStore};

impl Settings {
    /// Where probes of simulated providers are kept: apart from real ones, and each scenario by itself.
    fn sandbox_path(&self) -> Option<PathBuf> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let scenario: String = self.sandbox.as_ref()?.chars().map(plain).collect();
        Some(self.data_dir.as_ref()?.join("sandbox").join(scenario).join("obs.db"))
    }

    /// What was measured, for commands that show it: in a sandbox, what its own probes measured. The second value says
    /// why it could not be read.
    pub(crate) fn store_to_show(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        let path = if self.sandbox.is_some() { self.sandbox_path() } else { self.store_path() };
        opened(path.as_deref())
    }

    /// The store for probes: of real providers the one that all share, in a sandbox its own.
    pub(crate) fn store_for_probes(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        let Some(path) = self.sandbox_path() else { return self.store_to_write() };
        match Sqlite::open(&path) {
            Ok((store, note)) => (Box::new(store), note),
            Err(error) => (Box::new(Memory::new()), Some(format!("nothing is recorded: {error}"))),
        }
    }
}

/// The store of that path, or an empty one where there is none.
pub(super) fn opened(path: Option<&Path>) -> (Box<dyn ObservationStore>, Option<String>) {
    match path.map(Sqlite::open_existing) {
        None | Some(Ok(None)) => (Box::new(Memory::new()), None),
        Some(Ok(Some(store))) => (Box::new(store), None),
        Some(Err(error)) => (Box::new(Memory::new()), Some(format!("measurements cannot be read: {error}"))),
    }
}
