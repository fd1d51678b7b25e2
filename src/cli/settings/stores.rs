//! Where measurements are read from and written to.

use std::path::PathBuf;

use super::Settings;
use crate::store::sqlite::Sqlite;
use crate::store::{Memory, ObservationStore};

impl Settings {
    fn store_path(&self) -> Option<PathBuf> {
        self.data_dir.as_ref().map(|folder| folder.join("obs.db"))
    }

    /// What was measured, for commands that only read: an empty store where there is none. The second value says why it
    /// could not be read.
    pub(crate) fn store_to_read(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        if self.sandbox.is_some() {
            return (Box::new(Memory::new()), None);
        }
        match self.store_path().map(|path| Sqlite::open_existing(&path)) {
            None | Some(Ok(None)) => (Box::new(Memory::new()), None),
            Some(Ok(Some(store))) => (Box::new(store), None),
            Some(Err(error)) => (Box::new(Memory::new()), Some(format!("measurements cannot be read: {error}"))),
        }
    }

    /// The store for commands that record; one that lives as long as the process where the disk cannot be written.
    pub(crate) fn store_to_write(&self) -> (Box<dyn ObservationStore>, Option<String>) {
        if self.sandbox.is_some() {
            return (Box::new(Memory::new()), None);
        }
        let unkept = |reason| (Box::new(Memory::new()) as Box<_>, Some(format!("nothing is recorded: {reason}")));
        self.store_on_disk().unwrap_or_else(unkept)
    }

    /// The store that all processes share.
    ///
    /// # Errors
    /// It cannot be opened: why.
    pub(crate) fn store_on_disk(&self) -> Result<(Box<dyn ObservationStore>, Option<String>), String> {
        let path = self.store_path().ok_or("there is no home directory (set OPENMUX_DATA_DIR)")?;
        let (store, note) = Sqlite::open(&path).map_err(|error| error.to_string())?;
        Ok((Box::new(store), note))
    }
}
