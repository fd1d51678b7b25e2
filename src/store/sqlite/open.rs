//! Opening the file: making it, bringing it up to date, and waiting for whoever holds it.

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::{StoreError, schema};
use super::{Sqlite, state};

impl Sqlite {
    /// Opens the store at `path`, and makes it, its folder and its tables where they are missing. A file that is no
    /// database is moved aside, and the second value says so.
    ///
    /// # Errors
    /// The folder or file cannot be written, or was made by a newer version.
    pub fn open(path: &Path) -> Result<(Self, Option<String>), StoreError> {
        let failed = |error: std::io::Error| StoreError(format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                // The system's number means nothing to people.
                let reason = error.to_string();
                let reason = reason.split(" (os error").next().unwrap_or_default();
                StoreError(format!("{}: cannot make its folder: {reason}", path.display()))
            })?;
        }
        make(path);
        match Self::connect(path) {
            Ok(connection) => {
                readable(&connection, path)?;
                Ok((Self::of(path, connection), None))
            }
            Err(rusqlite::Error::SqliteFailure(error, _))
                if matches!(error.code, rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) =>
            {
                let aside = path.with_extension("db.damaged");
                std::fs::rename(path, &aside).map_err(failed)?;
                make(path);
                let connection = Self::connect(path)?;
                let note = format!("{} was damaged; it was moved to {}", path.display(), aside.display());
                Ok((Self::of(path, connection), Some(note)))
            }
            Err(error) => Err(StoreError(format!("{}: {error}", path.display()))),
        }
    }

    /// Opens the store for reading where it exists; `None` where there is none.
    ///
    /// # Errors
    /// The file is there but cannot be read, or was made by a newer version.
    pub fn open_existing(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError(format!("{}: {error}", path.display())))?;
        connection.busy_handler(Some(patient))?;
        match readable(&connection, path)? {
            0 => return Ok(None),
            schema::VERSION => {}
            _ => {
                connection = Self::connect(path).map_err(|error| {
                    let path = path.display();
                    let old = "was written by an older openmux and cannot be brought up to date";
                    StoreError(format!("{path} {old}: {error}"))
                })?;
            }
        }
        connection.busy_handler(Some(jittered))?;
        Ok(Some(Self::of(path, connection)))
    }

    /// Whether the file that is open is not the one that lies at its path any more.
    pub(in crate::store) fn is_gone(&self) -> bool {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) != identity(&self.path)
    }

    /// Opens what lies at their path, which is one; and makes it where there is nothing.
    ///
    /// # Errors
    /// As [`Sqlite::open`]; then they hold nothing.
    pub(in crate::store) fn reopen(all: [&Self; 2]) -> Result<(), StoreError> {
        let mut held = all.map(Self::lock);
        // None of the old ones is left when the first new one begins.
        for connection in &mut held {
            **connection = Connection::open_in_memory()?;
        }
        for (store, connection) in all.into_iter().zip(&mut held) {
            let (new, _) = Self::open(&store.path)?;
            *store.file.lock().unwrap_or_else(PoisonError::into_inner) = identity(&store.path);
            **connection = new.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
        let mut connection = Connection::open(path)?;
        connection.busy_handler(Some(patient))?;
        // The switch to WAL does not ask the busy handler while another process makes the same file.
        let mut tries = 0;
        while let Err(error) = connection.execute_batch(schema::PRAGMAS) {
            if error.sqlite_error_code() != Some(rusqlite::ErrorCode::DatabaseBusy) || !patient(tries) {
                return Err(error);
            }
            tries += 1;
        }
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version < schema::VERSION {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
            migrate(&transaction)?;
            transaction.commit()?;
        }
        connection.busy_handler(Some(jittered))?;
        Ok(connection)
    }
}

/// Makes the newest version of whatever version there is.
fn migrate(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for step in schema::STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    if version == 0 {
        transaction.execute("INSERT INTO meta(k, v) VALUES ('seed', '0'), ('salt', lower(hex(randomblob(16))))", [])?;
    } else if version < schema::FOLDED {
        // A fold that cannot be made anew is only a worse estimate.
        if let Err(error) = state::refold(transaction) {
            tracing::debug!(%error, "what was known of the providers was not carried over");
        }
    }
    transaction.pragma_update(None, "user_version", schema::VERSION.max(version))
}

/// The schema version of a file, where this version can read it.
fn readable(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| StoreError(format!("{}: {error}", path.display())))?;
    if version <= schema::VERSION {
        return Ok(version);
    }
    let known = schema::VERSION;
    let path = path.display();
    Err(StoreError(format!("{path} was written by a newer openmux (schema {version}, this one knows {known})")))
}

/// Random 0.5 to 5 ms sleeps, about 250 ms in all: sixty-four writers wait for 0.2 s at worst (`metrics.md` 3).
pub(in crate::store) fn jittered(tries: i32) -> bool {
    pause();
    tries < 90
}

/// The same for about 5 s: where there is no other place to write to, and no answer is waited for.
pub(super) fn patient(tries: i32) -> bool {
    pause();
    tries < 1800
}

fn pause() {
    // Two processes differ in their id, two threads of one in the number of the call.
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let mut z = call.wrapping_add(u64::from(std::process::id()) << 32);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    std::thread::sleep(Duration::from_micros(500 + (z >> 32) % 4500));
}

/// Makes an empty file where there is none, for the user alone: what SQLite makes beside it is as open as it is.
fn make(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Why it cannot be made SQLite says.
    let _ = options.open(path);
}

/// What tells a file apart from another at its path.
pub(super) type Identity = Option<(u64, u64)>;

#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|about| (about.dev(), about.ino()))
}

/// A file that is open cannot be removed elsewhere.
#[cfg(not(unix))]
pub(super) fn identity(_: &Path) -> Identity {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ErrorClass;
    use crate::observe::tests_support::seen;
    use crate::store::ObservationStore;

    #[test]
    fn a_damaged_file_is_moved_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("obs.db");
        std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, &[b'x'; 4096]))
            .unwrap();
        let (store, note) = Sqlite::open(&path).unwrap();
        assert!(note.unwrap().contains("obs.db.damaged"));
        store.record(&seen("2026-11-24T10:00:00Z", ErrorClass::Ok)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_the_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("obs.db");
        let _store = Sqlite::open(&path).unwrap();
        for end in ["db", "db-wal", "db-shm"] {
            assert_eq!(path.with_extension(end).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{end}");
        }
    }
}
