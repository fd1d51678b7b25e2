//! Files that go along: what each is is told by its bytes, never by its name.

use std::path::Path;

use bytes::Bytes;

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::text::grouped;
use super::super::settings::{Settings, read_regular};
use super::fetch;
use crate::chat::{Media, MediaKind, MediaSource, Part};

/// The most bytes of one file: more than any provider takes of an image or a PDF in a request.
pub(super) const MOST: u64 = 20_000_000;

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
        return Err(CliError::usage(format!("{shown} is empty: there is nothing to attach")));
    }
    match sniff(&bytes) {
        Sniffed::Media(kind, mime) => Ok(Part::Media(Media {
            kind,
            mime: mime.to_owned(),
            source: MediaSource::Bytes(Bytes::from(bytes)),
            name: (!name.is_empty()).then(|| name.to_owned()),
        })),
        Sniffed::Text(text) => Ok(Part::Text(named(name, text))),
        Sniffed::Other(found) => Err(CliError::usage(format!("{shown} cannot go along: it is {found}"))
            .fact("can", TAKEN)
            .fix("convert it to one of these")),
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

/// What some bytes are.
pub(super) enum Sniffed<'a> {
    /// An image or a document, and its media type.
    Media(MediaKind, &'static str),
    /// UTF-8 text, without its byte-order mark.
    Text(&'a str),
    /// Nothing that can go along: what it is, in words.
    Other(String),
}

/// What these bytes are.
pub(super) fn sniff(bytes: &[u8]) -> Sniffed<'_> {
    if bytes.is_empty() {
        return Sniffed::Other("empty".to_owned());
    }
    let known = infer::get(bytes).map(|known| known.mime_type());
    match known {
        Some(mime @ ("image/png" | "image/jpeg" | "image/gif" | "image/webp")) => {
            return Sniffed::Media(MediaKind::Image, mime);
        }
        Some(mime @ "application/pdf") => return Sniffed::Media(MediaKind::Pdf, mime),
        _ => {}
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Sniffed::Other("UTF-16 text, or binary data (iconv -f utf-16 -t utf-8 makes it UTF-8)".to_owned());
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(text) {
        Ok(text) if !text.contains('\0') => Sniffed::Text(text),
        Ok(_) => Sniffed::Other(known.map_or_else(|| "binary data (it holds zero bytes)".to_owned(), str::to_owned)),
        Err(error) => Sniffed::Other(known.map_or_else(
            || format!("neither a known file type nor UTF-8 text (byte {} is neither)", error.valid_up_to()),
            str::to_owned,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
        match sniff(bytes) {
            Sniffed::Media(kind, mime) => Some((kind.name(), mime)),
            _ => None,
        }
    }

    #[test]
    fn what_a_file_is_is_told_by_its_bytes() {
        assert_eq!(media(b"\x89PNG\r\n\x1a\n...."), Some(("image", "image/png")));
        assert_eq!(media(b"\xff\xd8\xff\xe0..JFIF"), Some(("image", "image/jpeg")));
        assert_eq!(media(b"GIF89a......"), Some(("image", "image/gif")));
        assert_eq!(media(b"RIFF\x10\0\0\0WEBPVP8 ...."), Some(("image", "image/webp")));
        assert_eq!(media(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3"), Some(("pdf", "application/pdf")));
        assert!(matches!(sniff("\u{feff}caf\u{e9}".as_bytes()), Sniffed::Text("caf\u{e9}")));
        assert!(matches!(sniff(b"<?xml version=\"1.0\"?><svg/>"), Sniffed::Text(_)));
        assert!(matches!(sniff(b"#!/bin/sh\n"), Sniffed::Text(_)));
        for (bytes, said) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04\x14\0\0\0\xff\xff", "application/zip"),
            (b"\xff\xfea\0", "UTF-16 text"),
            (b"caf\xe9", "byte 3"),
            (b"a\0b", "zero bytes"),
        ] {
            let Sniffed::Other(found) = sniff(bytes) else { panic!("{bytes:?}") };
            assert!(found.contains(said), "{found}");
        }
    }

    #[test]
    fn a_text_file_keeps_its_name() {
        let part = part("notes/a.md", "a\"b.md", b"# A".to_vec()).unwrap();
        assert_eq!(part, Part::Text("<file name=\"a_b.md\">\n# A\n</file>\n".to_owned()));
        let error = super::part("x.bin", "x.bin", b"a\0b".to_vec()).unwrap_err();
        assert_eq!(error.message, "x.bin cannot go along: it is binary data (it holds zero bytes)");
        assert_eq!(error.facts[0].1, TAKEN);
    }
}
