//! Writing files of the user's: whole or not at all.

use std::io::Write as _;
use std::path::Path;

/// Puts these bytes in the place of a file: at every moment there is the old file or the new one. A file that is `secret` is
/// its owner's alone.
///
/// # Errors
/// It cannot be written; then nothing has changed.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], secret: bool) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = opened(&beside, secret).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| std::fs::rename(&beside, path));
    if moved.is_err() {
        // What is half-written is of use to nobody.
        drop(std::fs::remove_file(&beside));
    }
    moved
}

/// A file to write to, which nobody but its owner can read from the beginning where it is secret.
#[cfg(unix)]
fn opened(path: &Path, secret: bool) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if secret { 0o600 } else { 0o666 };
    if secret {
        // One that is left of a run that was killed could have another mode.
        drop(std::fs::remove_file(path));
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)
}

/// Elsewhere files have no such mode.
#[cfg(not(unix))]
fn opened(path: &Path, _secret: bool) -> std::io::Result<std::fs::File> {
    std::fs::File::create(path)
}
