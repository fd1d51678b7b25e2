//! Which project's files the user trusts: the path, and a hash of what the file said then. A changed file is another one.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::settings::{Settings, read_text, reason, write_whole};

/// The list, in the data folder: a line for each file, the hash and the path.
pub(super) const LIST: &str = "trusted";

/// The files that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trusted {
    /// Where the list lies.
    list: PathBuf,
    /// Path and hash, sorted by path.
    pub(super) files: Vec<(String, String)>,
}

impl Trusted {
    /// Reads the list; an empty one where there is none.
    ///
    /// # Errors
    /// It cannot be read, or there is no place for it.
    pub(super) fn read(settings: &Settings) -> Result<Self, CliError> {
        let Some(folder) = &settings.data_dir else {
            return Err(CliError::new(Exit::Config, "trust", "there is no home directory to keep the list in")
                .fix("set OPENMUX_DATA_DIR"));
        };
        let list = folder.join(LIST);
        let text = match std::fs::metadata(&list) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            _ => read_text(&list).map_err(|error| CliError { exit: Exit::Config, ..error })?,
        };
        let pair = |line: &str| line.split_once(' ').map(|(hash, path)| (path.to_owned(), hash.to_owned()));
        Ok(Self { list, files: text.lines().filter_map(pair).collect() })
    }

    /// Whether this file is trusted with this text.
    pub(super) fn holds(&self, path: &Path, text: &str) -> bool {
        let (path, hash) = (place(path), hash(text));
        self.files.iter().any(|(known, trusted)| *known == path && *trusted == hash)
    }

    /// Trusts a file with this text.
    ///
    /// # Errors
    /// The list cannot be written, or the path has a line break in it.
    pub(super) fn add(&mut self, path: &Path, text: &str) -> Result<(), CliError> {
        let path = place(path);
        if path.contains('\n') {
            return Err(CliError::usage("a path with a line break in it cannot be trusted").fix("rename the folder"));
        }
        self.files.retain(|(known, _)| *known != path);
        self.files.push((path, hash(text)));
        self.files.sort();
        self.write()
    }

    /// Trusts a file no longer; whether it was trusted.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) fn remove(&mut self, path: &Path) -> Result<bool, CliError> {
        let (before, path) = (self.files.len(), place(path));
        self.files.retain(|(known, _)| *known != path);
        let was = self.files.len() < before;
        if was {
            self.write()?;
        }
        Ok(was)
    }

    /// Whole or not at all: another process may read it now.
    fn write(&self) -> Result<(), CliError> {
        let text: String = self.files.iter().map(|(path, hash)| format!("{hash} {path}\n")).collect();
        let failed = |error: std::io::Error| {
            CliError::new(Exit::Config, "trust", format!("cannot write {}", self.list.display()))
                .fact("reason", reason(&error))
                .fix("make it writable, or set OPENMUX_CONFIG_DIR to a folder that is")
        };
        let folder = self.list.parent().unwrap_or(&self.list);
        std::fs::create_dir_all(folder).map_err(failed)?;
        write_whole(&self.list, text.as_bytes(), false).map_err(failed)
    }
}

/// What became of a trusted file.
pub(super) fn state(path: &str, trusted: &str) -> &'static str {
    match read_text(Path::new(path)) {
        Ok(text) if hash(&text) == trusted => "as trusted",
        Ok(_) => "changed",
        Err(_) => "gone",
    }
}

/// The path by which a file is known, whatever way led to it.
fn place(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
