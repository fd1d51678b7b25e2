//! Checks of addresses and names, shared by overlays and the catalog generator.

/// What is wrong with a base URL, if anything. It may hold `{VARIABLE}`s, or begin with one.
pub(crate) fn base_url(url: &str) -> Result<(), &'static str> {
    if url.contains(char::is_whitespace) {
        return Err("an address has no spaces in it");
    }
    if url.contains(['?', '#']) {
        return Err("a base URL has no query and no fragment");
    }
    if !url.bytes().all(|byte| is_plain(byte) || matches!(byte, b'[' | b']' | b'{' | b'}' | b'%' | b'=' | b',')) {
        return Err("an address is of letters, digits and . _ - / : @ ~ + = , %, others as %XX or xn--");
    }
    if url.contains("/chat/completions") || url.ends_with("/messages") {
        return Err("give the base URL, without the path of the call");
    }
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) if url.starts_with('{') => return Ok(()),
        (None, None) => return Err("an address starts with https://"),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() {
        return Err("the address has no host");
    }
    if authority.contains('@') {
        return Err("an address must not hold credentials: name an environment variable in key_env");
    }
    if !secure && !is_loopback(url) {
        return Err("keys must not travel in the clear: http:// is for this machine alone, use https://");
    }
    Ok(())
}

/// Whether the address is this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    if let Some(v6) = authority.strip_prefix('[') {
        return v6.split(']').next().is_some_and(|host| host == "::1");
    }
    let host = authority.split(':').next().unwrap_or_default();
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a shell can export a variable of this name, by the catalog's narrower rule `[A-Z][A-Z0-9_]*`.
pub(crate) fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The longest id; the longest that is known has 63 bytes.
const LONGEST: usize = 200;

/// Whether the text can be a provider's id, or one side of a model's.
pub(crate) fn is_slug(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'@'))
        && !text.contains("..")
}

/// Whether the text is `author/slug`.
pub(crate) fn is_model_id(text: &str) -> bool {
    text.split_once('/').is_some_and(|(author, slug)| is_slug(author) && is_slug(slug))
}

/// Whether the text is safe as a model id, on the wire and on a terminal: one word that looks like nothing else, changes no
/// path where it stands in a URL, and is no flag and no code where it stands in a shell.
pub(crate) fn is_wire_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST
        && !text.contains("..")
        && !text.starts_with('-')
        && text.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@' | b'~' | b'+')
}

/// Whether a sign is without a glyph, or reorders a line: it can make a terminal show what is not there.
pub(crate) fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(sign, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A name for people as it may be shown: its beginning, without what cannot be seen.
pub(crate) fn shown_name(text: &str) -> String {
    text.chars().filter(|sign| !is_hidden(*sign)).take(100).collect()
}

/// Whether the text is `YYYY-MM-DD`, or with `partial` also `YYYY-MM` or `YYYY`.
pub(crate) fn is_date(text: &str, partial: bool) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, width: usize, range: std::ops::RangeInclusive<u32>| {
        part.len() == width
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n| range.contains(&n))
    };
    match parts.as_slice() {
        [year] => partial && number(year, 4, 1990..=2100),
        [year, month] => partial && number(year, 4, 1990..=2100) && number(month, 2, 1..=12),
        [year, month, day] => number(year, 4, 1990..=2100) && number(month, 2, 1..=12) && number(day, 2, 1..=31),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine_alone() {
        for good in ["https://a.example/v1", "http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/v1"] {
            assert_eq!(base_url(good), Ok(()), "{good}");
        }
        assert_eq!(base_url("{GATEWAY_URL}/v1"), Ok(()));
        for bad in [
            "http://10.0.0.1/v1",
            "http://localhost.example/v1",
            "http://127.0.0.1.example/",
            "https://",
            "https://user:secret@a.example",
            "ftp://a",
            "https://a.example/v1?x=1",
            "https://a.example/v1/chat/completions",
            "https://a.example/\u{202e}v1",
            "https://\u{430}.example/v1",
            "https://a.example/$(id)",
            "https://a.example/a;b",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_dates() {
        assert!(is_env_name("AI302_API_KEY") && !is_env_name("302AI_API_KEY") && !is_env_name("key"));
        assert!(is_model_id("z-ai/glm-4.6") && !is_model_id("glm-4.6") && !is_model_id("a/b/c") && !is_model_id("A/b"));
        assert!(!is_model_id("a/..") && !is_slug("") && is_wire_id("~x/y:z@1") && !is_wire_id("a/../b"));
        assert!(is_wire_id(&"a".repeat(200)) && !is_wire_id(&"a".repeat(201)) && !is_slug(&"a".repeat(201)));
        for bad in [
            "",
            "-rf",
            "$(id)",
            "a;b",
            "a'b",
            "a b",
            "a\u{200b}",
            "a\u{202e}b",
            "a\u{85}b",
            "caf\u{e9}",
            "<b>",
            "a|b",
            "a*",
        ] {
            assert!(!is_wire_id(bad), "{bad:?}");
        }
        assert_eq!(shown_name("E\u{1b}[31mvil \u{202e}\u{200b}\u{9b}\u{2028}1 é 模型"), "E[31mvil 1 é 模型");
        assert!(is_date("2026-10-14", false) && is_date("2026-10", true) && !is_date("2026-10", false));
        assert!(!is_date("2026-13-01", false) && !is_date("2026-1-1", false));
    }
}
