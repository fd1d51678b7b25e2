//! The signature of a tool call, in its id. Gemini wants each back, and the dialects of OpenAI and Anthropic have no place
//! for it that clients keep; but what a call is named by always comes back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What stands between an id and a signature.
const MARK: &str = "__signed__";

/// The id with the signature in it. One that looks as if it had one gets an empty one, so that it is read as it was.
pub(crate) fn signed<'a>(id: &'a str, signature: Option<&str>) -> Cow<'a, str> {
    match signature {
        None if id.contains(MARK) => Cow::Owned(format!("{id}{MARK}")),
        None => Cow::Borrowed(id),
        Some(signature) => {
            // Signatures are Base64, whose signs are not all those of an id; anything else is put into it first.
            let (kind, bytes) =
                STANDARD.decode(signature).map_or_else(|_| ('t', signature.as_bytes().to_vec()), |bytes| ('b', bytes));
            Cow::Owned(format!("{id}{MARK}{kind}{}", URL_SAFE_NO_PAD.encode(bytes)))
        }
    }
}

/// The id and the signature in it; what is not ours stays as it is.
pub(crate) fn parted(id: &str) -> (&str, Option<String>) {
    let Some((own, sealed)) = id.rsplit_once(MARK).filter(|(own, _)| !own.is_empty()) else { return (id, None) };
    let read = |kind: char| URL_SAFE_NO_PAD.decode(sealed.strip_prefix(kind)?).ok();
    if sealed.is_empty() {
        return (own, None);
    }
    let text = || String::from_utf8(read('t')?).ok();
    match read('b').map(|bytes| STANDARD.encode(bytes)).or_else(text) {
        Some(signature) => (own, Some(signature)),
        None => (id, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_an_id_comes_out_of_it() {
        let signatures = ["CiQB+/8=", "AAAA", "no base64", "YQ", "\u{e9}", "bAAAA", ""].map(Some);
        for id in ["call_0", "toolu_1-x", "x", "call_0__signed__bAAAA", "call_0__signed__", "a__signed__b__signed__"] {
            for signature in signatures.into_iter().chain([None]) {
                let whole = signed(id, signature);
                assert_eq!(parted(&whole), (id, signature.map(str::to_owned)), "{whole}");
                let is_sign = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
                assert!(whole.chars().all(is_sign), "{whole}");
            }
        }
        assert_eq!(signed("call_0", Some("CiQB+/8=")), "call_0__signed__bCiQB-_8");
        assert_eq!(signed("call_0", None), "call_0");
        for foreign in ["", "call_0", "__signed__bAAAA", "call_0__signed__?", "call_0__thought__AAAA", "a__signed__tx"]
        {
            assert_eq!(parted(foreign), (foreign, None), "{foreign}");
        }
    }
}
