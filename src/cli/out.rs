//! stdout is data, stderr is talk; a reader that closed either is no failure.

use std::io::Write;

/// Whether somebody still reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Yes.
    Listening,
    /// The pipe was closed: stop, and exit 0.
    Gone,
}

/// Writes data to stdout and flushes it.
///
/// # Errors
/// stdout cannot be written for another reason than that its reader is gone.
pub(crate) fn data(text: &str) -> std::io::Result<Reader> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Listening),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error),
    }
}

/// Writes a line, or lines, to stderr; there is nobody to tell where that fails.
pub(crate) fn talk(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
