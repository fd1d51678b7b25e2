//! Files that go along: what each is is told by its bytes, never by its name.

use std::path::Path;

use bytes::Bytes;

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::platform::Platform;
use super::super::render::text::grouped;
use super::super::settings::{Settings, read_regular};
use super::fetch;
use crate::chat::{Media, MediaSource, Part};
use crate::gateway::codec::media::{MOST, Sniffed, UTF16, sniff};

/// What can go along, for people.
const TAKEN: &str = "PNG, JPEG, GIF and WebP images, PDF documents, UTF-8 text";

/// The parts that `-a` adds before the prompt, in the order in which they were typed. `piped` is what stdin held, where
/// `-a -` took it.
///
/// # Errors
/// A file cannot be read or fetched, is too large, or is nothing that can go along.
pub(super) fn parts(settings: &Settings, typed: &[String], piped: Option<Vec<u8>>) -> Result<Vec<Part>, CliError> {
    let mut piped = piped;
    typed.iter().map(|place| one(settings, place, piped.take_if(|_| place == "-"))).collect()
}

fn one(settings: &Settings, place: &str, piped: Option<Vec<u8>>) -> Result<Part, CliError> {
    if place == "-" {
        return part("stdin", "stdin", piped.unwrap_or_default());
    }
    if let Some((scheme, _)) = place.split_once("://") {
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(CliError::usage(format!(
                "{scheme}:// cannot be attached, only http:// and https:// are fetched"
            ))
            .fix("fetch it yourself, and attach the file"));
        }
        let fetched = fetch::get(settings, place, MOST)?;
        return part(&fetched.shown, &fetched.name, fetched.bytes);
    }
    let path = Path::new(place);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    part(place, &name, read_regular(path, MOST)?)
}

/// One file as a part. `shown` is how it was typed, `name` what the model is told that it is called.
pub(super) fn part(shown: &str, name: &str, bytes: Vec<u8>) -> Result<Part, CliError> {
    let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if count > MOST {
        return Err(too_large(shown));
    }
    if bytes.is_empty() {
        return Err(CliError::usage(format!("{shown} is empty: there is nothing to attach"))
            .fix("attach a file with something in it, or leave out -a"));
    }
    let refused = |found: &str| CliError::usage(format!("{shown} cannot go along: it is {found}")).fact("can", TAKEN);
    match sniff(&bytes) {
        Sniffed::Media(kind, mime) => Ok(Part::Media(Media {
            kind,
            mime: mime.to_owned(),
            source: MediaSource::Bytes(Bytes::from(bytes)),
            name: (!name.is_empty()).then(|| name.to_owned()),
            detail: None,
        })),
        Sniffed::Text(text) => Ok(Part::Text(named(name, text))),
        Sniffed::Utf16 => Err(refused(UTF16).fix(Platform::HERE.utf16_as_utf8())),
        Sniffed::Other(found) => Err(refused(&found).fix("convert it to one of these")),
    }
}

/// The file is larger than what is attached.
pub(super) fn too_large(shown: &str) -> CliError {
    let message = format!("{shown} is too large: at most {} bytes of a file go along", grouped(MOST));
    CliError::new(Exit::Usage, "too_large", message).fix("make it smaller, e.g. with fewer pixels or pages")
}

/// A text in the words in which the model gets it: its name, so that several can be told apart.
fn named(name: &str, text: &str) -> String {
    let name = name.replace(['"', '<', '>', '&'], "_").replace(char::is_control, "_");
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    // Some protocols join texts as they are: the next one begins on a line of its own.
    format!("<file name=\"{name}\">\n{text}{newline}</file>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_file_keeps_its_name() {
        let part = part("notes/a.md", "a\"b.md", b"# A".to_vec()).unwrap();
        assert_eq!(part, Part::Text("<file name=\"a_b.md\">\n# A\n</file>\n".to_owned()));
        let error = super::part("x.bin", "x.bin", b"a\0b".to_vec()).unwrap_err();
        assert_eq!(error.message, "x.bin cannot go along: it is binary data (it holds zero bytes)");
        assert_eq!(error.facts[0].1, TAKEN);
        let error = super::part("x.txt", "x.txt", b"\xff\xfea\0".to_vec()).unwrap_err();
        assert_eq!((error.facts[0].1.as_str(), error.fix.as_str()), (TAKEN, Platform::HERE.utf16_as_utf8()));
    }
}
