//! stdin: read to its end where something is piped in, and never waited for in silence.

use std::io::{IsTerminal, Read};
use std::sync::mpsc;
use std::time::Duration;

use super::super::args::Limit;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::platform::Platform;
use super::super::settings::{Settings, reason};
use super::super::{note, render};

/// After so long without a byte from stdin a person is told what is being waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// What is piped in, as text without its byte-order mark; `None` where there is none.
///
/// # Errors
/// As [`fn@bytes`]; or it is not UTF-8.
pub(super) fn text(settings: &Settings, demanded: Option<&str>, limit: Limit) -> Result<Option<String>, CliError> {
    let Some(bytes) = bytes(settings, demanded, limit)? else { return Ok(None) };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("stdin is not UTF-8 at byte {at}")).fix(Platform::HERE.piped_as_utf8())
    })?;
    Ok((!text.is_empty()).then_some(text))
}

/// What is piped in. A terminal is not read, unless `demanded` (what it was typed as) asks for stdin, which is an error
/// then; a pipe that stays silent is an error, because dropping late input would be worse.
///
/// # Errors
/// It stays silent, it cannot be read, or it is a terminal.
pub(super) fn bytes(settings: &Settings, demanded: Option<&str>, limit: Limit) -> Result<Option<Vec<u8>>, CliError> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return match demanded {
            Some(typed) => Err(CliError::usage(format!("`{typed}` reads stdin, and stdin is a terminal"))
                .fix("pipe something in, or name a file")),
            None => Ok(None),
        };
    }
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut chunk = [0; 64 * 1024];
        let mut input = std::io::stdin().lock();
        let end = loop {
            match input.read(&mut chunk) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    bytes.extend_from_slice(&chunk[..count]);
                    let _ = sender.send(None);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let _ = sender.send(Some(end.map(|()| bytes)));
    });
    let bytes = match first_word(settings, &receiver, limit.0) {
        Some(Some(end)) => end,
        Some(None) => loop {
            match receiver.recv() {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(_) => break Ok(Vec::new()),
            }
        },
        None => {
            let waited = limit.0.unwrap_or_default();
            return Err(CliError::new(
                Exit::Timeout,
                "stdin",
                format!("stdin is an open pipe that gave nothing for {}", render::text::duration(waited)),
            )
            .fix(Platform::HERE.no_input()));
        }
    };
    let bytes = bytes.map_err(|error| {
        CliError::new(Exit::Config, "stdin", "cannot read stdin")
            .fact("reason", reason(&error))
            .fix(Platform::HERE.no_input())
    })?;
    Ok(Some(bytes))
}

type Told = Option<std::io::Result<Vec<u8>>>;

/// The first thing that the reading thread says; `None` where the limit passes first.
fn first_word(settings: &Settings, receiver: &mpsc::Receiver<Told>, limit: Option<Duration>) -> Option<Told> {
    let first = limit.map_or(SILENCE, |limit| limit.min(SILENCE));
    if let Ok(told) = receiver.recv_timeout(first) {
        return Some(told);
    }
    let left = limit.map(|limit| limit.saturating_sub(first));
    if left != Some(Duration::ZERO) {
        note(settings, "waiting for input on stdin (a pipe); --no-stdin skips it");
    }
    match left {
        None => receiver.recv().ok(),
        Some(left) => receiver.recv_timeout(left).ok(),
    }
}
