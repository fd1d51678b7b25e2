//! What bytes are, told by themselves and never by a name.

use crate::chat::MediaKind;

/// The most bytes of one file: more than any provider takes of an image or a PDF in a request.
pub(crate) const MOST: u64 = 20_000_000;

/// What some bytes are.
pub(crate) enum Sniffed<'a> {
    /// An image or a document, and its media type.
    Media(MediaKind, &'static str),
    /// UTF-8 text, without its byte-order mark.
    Text(&'a str),
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
}
