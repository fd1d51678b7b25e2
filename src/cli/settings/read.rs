//! Reading files that the user named.

use std::path::Path;

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::platform::Platform;

/// The bytes of a file that the user named.
#[expect(clippy::disallowed_methods, reason = "the command line reads the files that the user names")]
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

/// A file cannot be read, or there is none.
fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let (exit, fix) = match error.kind() {
        std::io::ErrorKind::NotFound => (Exit::NotFound, "give the path of a file that is there"),
        std::io::ErrorKind::IsADirectory => (Exit::Config, "give the path of a file in it"),
        _ => (Exit::Config, "make it readable to you"),
    };
    let told = |name: &str| CliError::new(exit, "file", format!("cannot read {name}")).fact("reason", reason(error));
    match path.to_str() {
        Some("") => told("\"\"").fix("name a file"),
        Some("-") => told("-").fix(Platform::HERE.instead_of_dash()),
        _ => told(&path.display().to_string()).fix(fix),
    }
}

/// The bytes of a regular file of at most so many; a pipe or a device could be waited for without end.
///
/// # Errors
/// There is none, it is something else, it is too large, or it cannot be read.
pub(crate) fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        let kind = if about.is_dir() { "a folder" } else { "a pipe or a device" };
        let fix = if about.is_dir() { "give the path of a file in it" } else { "pipe it into stdin, as -a -" };
        return Err(CliError::usage(format!("{} is {kind}, not a file", path.display())).fix(fix));
    }
    // One byte more than is allowed tells a file that is too large, or grows. Room for all of it at once: a megabyte that
    // moves each time it grows is paid for twice, page by page.
    let room = about.len().min(most).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    let file = std::fs::File::open(path).map_err(failed)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, most + 1), &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The operating system's words without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The text of a file that the user named, without its byte-order mark.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is a pipe by name, whose writer could be waited for without end; the shell's own
/// (`<(...)`) has one.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let about = std::fs::metadata(path);
    let is_ours = ["/dev/", "/proc/"].into_iter().any(|folder| path.starts_with(folder));
    if !is_ours && about.is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return Err(CliError::usage(format!("{} is a pipe or a device, not a file", path.display()))
            .fix(Platform::HERE.plain_file()));
    }
    let text = String::from_utf8(read_file(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("{} is not UTF-8 at byte {at}", path.display())).fix(Platform::HERE.file_as_utf8())
    })?;
    // Editors of Windows put a byte-order mark in front.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
