//! Files that go along, wherever a dialect puts them. What their bytes are is told by themselves and never by a name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::json::{Wrong, needed, object, only, text};
use crate::chat::{Detail, Media, MediaKind, MediaSource, Part};

/// The most bytes of one file: more than any provider takes of an image or a PDF in a request.
pub(crate) const MOST: u64 = 20_000_000;

/// What bytes are that begin as UTF-16 does.
pub(crate) const UTF16: &str = "UTF-16 text, or binary data";

/// What some bytes are.
pub(crate) enum Sniffed<'a> {
    /// An image or a document, and its media type.
    Media(MediaKind, &'static str),
    /// UTF-8 text, without its byte-order mark.
    Text(&'a str),
    /// Text in UTF-16, or else nothing that can go along.
    Utf16,
    /// Nothing that can go along: what it is, in words.
    Other(String),
}

/// What these bytes are.
pub(crate) fn sniff(bytes: &[u8]) -> Sniffed<'_> {
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
        return Sniffed::Utf16;
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

/// Anthropic's source: base64, an address, or (for documents) text.
pub(crate) fn source(kind: &str, value: &Value, name: Option<String>, at: &str) -> Result<Part, Wrong> {
    let fields = object(value, at)?;
    only(fields, at, &["type", "media_type", "data", "url"])?;
    let wanted = if kind == "image" { MediaKind::Image } else { MediaKind::Pdf };
    match needed(fields, "type", at)? {
        "base64" => decoded(needed(fields, "data", at)?, Some(wanted), name, &format!("{at}.data")),
        "url" => located(needed(fields, "url", at)?, Some(wanted), name, &format!("{at}.url")),
        "text" if kind == "document" => Ok(Part::Text(needed(fields, "data", at)?.to_owned())),
        other => Err(format!("{at}.type: \"{other}\" is neither base64 nor url")),
    }
}

/// A `data:` URL, an address that the provider fetches, or bare base64.
pub(crate) fn located(place: &str, wanted: Option<MediaKind>, name: Option<String>, at: &str) -> Result<Part, Wrong> {
    let lower = place.get(..8).unwrap_or(place).to_ascii_lowercase();
    if lower.starts_with("data:") {
        let (head, data) = place.split_once(',').ok_or_else(|| format!("{at}: a data: URL without data"))?;
        if !head.ends_with(";base64") {
            return Err(format!("{at}: a data: URL that is not base64"));
        }
        return decoded(data, wanted, name, at);
    }
    if lower.starts_with("http://") || lower.starts_with("https://") {
        let address: http::Uri = place.parse().map_err(|_| format!("{at}: not an address"))?;
        let kind = wanted.unwrap_or(MediaKind::Pdf);
        let mime = mime_of(address.path(), kind).to_owned();
        return Ok(Part::Media(Media { kind, mime, source: MediaSource::Url(place.to_owned()), name, detail: None }));
    }
    if wanted == Some(MediaKind::Image) {
        return Err(format!("{at}: neither a data: URL nor an http address"));
    }
    decoded(place, wanted, name, at)
}

/// An image that is to be looked at as closely as `detail` beside it says.
///
/// # Errors
/// There is no such word; `at` is the place of the object that holds it.
pub(crate) fn looked_at(part: Part, fields: &Map<String, Value>, at: &str) -> Result<Part, Wrong> {
    let word = text(fields, "detail", at)?.filter(|word| *word != "auto");
    let Part::Media(media) = part else { return Ok(part) };
    let known = |word: &str| Detail::ALL.into_iter().find(|detail| detail.word() == word);
    let detail = word
        .map(|word| known(word).ok_or_else(|| format!("{at}.detail: \"{word}\" is none of auto, low, high, original")));
    Ok(Part::Media(Media { detail: detail.transpose()?, ..media }))
}

/// The type of what lies elsewhere, by its ending; nobody has looked at the bytes.
fn mime_of(path: &str, kind: MediaKind) -> &'static str {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match (kind, ending.as_str()) {
        (MediaKind::Pdf, _) => "application/pdf",
        (MediaKind::Image, "png") => "image/png",
        (MediaKind::Image, "gif") => "image/gif",
        (MediaKind::Image, "webp") => "image/webp",
        (MediaKind::Image, _) => "image/jpeg",
    }
}

/// Base64 that is what it should be, by its bytes.
fn decoded(data: &str, wanted: Option<MediaKind>, name: Option<String>, at: &str) -> Result<Part, Wrong> {
    let compact: String = data.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|error| format!("{at}: not base64: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|count| count > MOST) {
        return Err(format!("{at}: more than {MOST} bytes"));
    }
    match sniff(&bytes) {
        Sniffed::Media(kind, mime) if wanted.is_none_or(|wanted| wanted == kind) => Ok(Part::Media(Media {
            kind,
            mime: mime.to_owned(),
            source: MediaSource::Bytes(Bytes::from(bytes)),
            name,
            detail: None,
        })),
        Sniffed::Media(_, mime) => Err(format!("{at}: its bytes are {mime}")),
        Sniffed::Text(_) => Err(format!("{at}: its bytes are text")),
        Sniffed::Utf16 => Err(format!("{at}: it is {UTF16}")),
        Sniffed::Other(found) => Err(format!("{at}: it is {found}")),
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
        assert!(matches!(sniff(b"\xff\xfea\0"), Sniffed::Utf16));
        for (bytes, said) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04\x14\0\0\0\xff\xff", "application/zip"),
            (b"caf\xe9", "byte 3"),
            (b"a\0b", "zero bytes"),
        ] {
            let Sniffed::Other(found) = sniff(bytes) else { panic!("{bytes:?}") };
            assert!(found.contains(said), "{found}");
        }
    }
}
