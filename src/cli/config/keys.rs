//! `[providers.ID]` of a configuration: where a provider's key comes from beside the environment.
//!
//! ```toml
//! [providers.anthropic]
//! key_cmd = ["op", "read", "op://private/anthropic/key"]   # words, no shell; run when a call is about to be made
//!
//! [providers.openai]
//! key_file = "~/.secrets/openai"                           # one line
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::catalog::ProviderId;
use crate::catalog::file::{OverlayError, Reader};
use crate::cli::settings::reason;
use crate::upstream::auth::{OwnKey, Secret};

/// The largest key file, in bytes.
const LARGEST_KEY: u64 = 64 * 1024;

/// One `[providers.ID]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProviderTable {
    /// Whose.
    pub(super) id: ProviderId,
    /// The words of a command that prints the key.
    pub(super) key_cmd: Option<Vec<String>>,
    /// The file that holds it.
    pub(super) key_file: Option<String>,
    /// The key itself.
    pub(super) key: Option<Secret>,
    /// The configuration that says so.
    pub(super) file: PathBuf,
    /// What is said where nobody has this id.
    pub(super) unknown: OverlayError,
}

impl ProviderTable {
    /// Reads one table.
    pub(super) fn read(id: String, tables: &Reader<'_, '_>, table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["key_cmd", "key_file", "key"])?;
        let key_file = table.text("key_file")?;
        if key_file.as_ref().is_some_and(|path| path.starts_with('~') && !path.starts_with("~/")) {
            return Err(table.error("key_file", "only \"~/\" stands for a home directory"));
        }
        Ok(Self {
            key_cmd: table.argv("key_cmd")?,
            key_file,
            key: table.text("key")?.map(|key| Secret::new(key.trim())),
            file: PathBuf::from(&*table.file()),
            unknown: tables.error(&id, format!("no provider is called \"{id}\"")),
            id: ProviderId::new(id),
        })
    }

    /// The key, with its file read. A command is not run.
    pub(super) fn own_key(&self, home: Option<&Path>) -> OwnKey {
        let file = self.key_file.as_ref().map(|path| {
            let read = place(path, self.folder(), home).and_then(|place| read_key(&place));
            (path.clone(), read)
        });
        OwnKey { command: self.key_cmd.clone(), file, key: self.key.clone() }
    }

    /// Where its relative paths begin.
    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }
}

/// What a careful person should know, one sentence each: keys in the files themselves, and files that others can read.
pub(super) fn cautions(tables: &[ProviderTable], home: Option<&Path>) -> Vec<String> {
    let mut said = Vec::new();
    let mut files: Vec<&Path> = tables.iter().map(|table| table.file.as_path()).collect();
    files.dedup();
    for file in files {
        let plain = tables.iter().filter(|table| table.key.is_some() && table.file == file);
        let plain: Vec<&str> = plain.map(|table| table.id.as_str()).collect();
        if !plain.is_empty() {
            let shown = file.display();
            said.push(format!("{shown} holds the key of {} itself; key_cmd or key_file is safer", plain.join(", ")));
            said.extend(open_to_others(file, &shown.to_string()));
        }
    }
    for table in tables {
        let Some(written) = table.key_file.as_deref() else { continue };
        said.extend(place(written, table.folder(), home).ok().and_then(|place| open_to_others(&place, written)));
    }
    said
}

/// A path as the user means it: `~/` is the home directory, and what is relative lies beside the configuration.
fn place(written: &str, folder: &Path, home: Option<&Path>) -> Result<PathBuf, String> {
    match (written.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        (Some(_), None) => Err("there is no home directory".to_owned()),
        (None, _) => Ok(folder.join(written)),
    }
}

/// The key in a file, or why there is none.
fn read_key(path: &Path) -> Result<Secret, String> {
    // Opening a pipe would wait for its writer: what is no plain file is not opened.
    let about = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if !about.is_file() {
        return Err("is not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    opened.and_then(|file| file.take(LARGEST_KEY + 1).read_to_end(&mut bytes)).map_err(|error| reason(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_KEY) {
        return Err("is larger than 64 KiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err("is empty".to_owned()),
        several if several.contains('\n') => Err("has more than one line".to_owned()),
        key => Ok(Secret::new(key)),
    }
}

/// A warning where other users of this machine can read a file.
#[cfg(unix)]
fn open_to_others(path: &Path, shown: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o044 != 0).then(|| format!("others can read {shown} (mode {mode:o}): chmod 600 {shown}"))
}

/// Elsewhere files have no such mode.
#[cfg(not(unix))]
fn open_to_others(_path: &Path, _shown: &str) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_users() {
        let (folder, home) = (Path::new("/etc/openmux"), Path::new("/home/me"));
        let at = |written, home| place(written, folder, home).unwrap();
        assert_eq!(at("~/k", Some(home)), Path::new("/home/me/k"));
        assert_eq!(at("/run/k", Some(home)), Path::new("/run/k"));
        assert_eq!(at("k", None), Path::new("/etc/openmux/k"));
        assert!(place("~/k", folder, None).is_err());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the files are made here")]
    fn a_key_file_is_one_line_of_a_plain_file() {
        let folder = tempfile::tempdir().unwrap();
        let read = |bytes: &[u8]| {
            let path = folder.path().join("key");
            std::fs::write(&path, bytes).unwrap();
            read_key(&path)
        };
        assert_eq!(read(b"\xef\xbb\xbf sk-1 \r\n\n"), Ok(Secret::new("sk-1")));
        assert_eq!(read(b" \n"), Err("is empty".to_owned()));
        assert_eq!(read(b"a\nb\n"), Err("has more than one line".to_owned()));
        assert_eq!(read(b"\xff"), Err("is not UTF-8".to_owned()));
        assert_eq!(read(&[b'a'; 64 * 1024 + 1]), Err("is larger than 64 KiB".to_owned()));
        assert_eq!(read_key(folder.path()), Err("is not a plain file".to_owned()));
        assert_eq!(read_key(&folder.path().join("none")), Err("No such file or directory".to_owned()));
    }
}
