//! Who may ask: a token where one is set, and otherwise programs on this machine and its own pages, but no page of another site
//! that nobody has named.
//!
//! A page of another site can send requests here, and can let its own name point here (DNS rebinding). It cannot choose the
//! `Origin` and `Host` that the browser sends along.

use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::Config;
use super::client::Client;
use super::problem::Problem;

/// What clients must show. Only its digest is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of that text; `None` where it is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// The token of that SHA-256, in 64 hex digits; `None` where it is none.
    #[must_use]
    pub fn of_digest(hex: &str) -> Option<Self> {
        HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// Whether it is this one, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(other.0).fold(0, |bits, (own, other)| bits | (own ^ other));
        std::hint::black_box(differing) == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Where a browser says from which site a page asks; no page can change it.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The text of a header.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

/// Whether everybody is let in who is on this machine.
fn is_open(config: &Config) -> bool {
    config.token.is_none() && config.clients.is_empty()
}

/// The page that asks, where one does that may: a browser shows it what is answered.
pub(super) fn page<'h>(config: &Config, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    headers.get(header::ORIGIN).filter(|origin| origin.to_str().is_ok_and(|origin| is_welcome(config, origin)))
}

/// Whether a page may ask: one of this machine, or one that the gateway was told.
fn is_welcome(config: &Config, origin: &str) -> bool {
    let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    site.is_some_and(|site| is_own(config, site))
        || config.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
}

/// What a browser may be told before it asks, which shows no token yet.
///
/// # Errors
/// It asks for a page of another site, or under a strange name.
pub(super) fn look(config: &Config, headers: &HeaderMap) -> Result<(), Problem> {
    // Who is in front may go by the other one.
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "there are two Host headers");
        return Err(problem.fix("send one"));
    }
    let host = text(headers, header::HOST).unwrap_or_default();
    // No page knows the token; without one the name is all there is to tell by.
    if is_open(config) && !is_own(config, host) {
        let message = format!("\"{}\" is not a name of this gateway", plain(host));
        let fix = "call it as 127.0.0.1 or localhost, or name it with --host-name";
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_host", message).fix(fix));
    }
    if let Some(origin) = text(headers, header::ORIGIN).filter(|origin| !is_welcome(config, origin)) {
        let origin = plain(origin);
        let problem = wrong_origin(format!("pages of \"{origin}\" may not call this gateway"));
        // Any site can make a page that has no origin.
        return Err(match origin.as_str() {
            "null" => problem.fix("call it from a program, or from a page with an origin of its own"),
            origin => problem.fix(format!("[serve] origins = [\"{origin}\"] in config.toml, where you trust it")),
        });
    }
    // What a page of another site asks for without an `Origin`: an image, a form that leads here.
    let site = text(headers, SITE);
    if site.is_some_and(|site| site.eq_ignore_ascii_case("cross-site")) && !headers.contains_key(header::ORIGIN) {
        let problem = wrong_origin("pages of other sites may not call this gateway".to_owned());
        return Err(problem.fix("call it from a program, or with fetch and an origin that config.toml names"));
    }
    Ok(())
}

fn wrong_origin(message: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong_origin", message)
}

/// Whether a request may be answered, and whose it is where that has a name.
///
/// # Errors
/// It comes from a page of another site, under a strange name, or without a token.
pub(super) fn admit(config: &Config, headers: &HeaderMap) -> Result<Option<Arc<Client>>, Problem> {
    look(config, headers)?;
    if is_open(config) {
        return Ok(None);
    }
    let bearer = text(headers, header::AUTHORIZATION).and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    // Anthropic's older clients carry it there.
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let mut shown = bearer.into_iter().chain(key).peekable();
    if shown.peek().is_none() {
        return Err(unauthorized("the gateway wants a token: Authorization: Bearer ..."));
    }
    // A client that is set up for two gateways may show the token of the other one, too.
    let mut known = shown.filter_map(|shown| known(config, &Token(Sha256::digest(shown.as_bytes()).into())));
    known.next().ok_or_else(|| unauthorized("the gateway does not know this token"))
}

/// Whose a token is; without a name where it is the gateway's own, and `None` where it is nobody's.
fn known(config: &Config, shown: &Token) -> Option<Option<Arc<Client>>> {
    // All of them are compared, whichever it is.
    let mut whose = config.token.as_ref().filter(|token| token.is(shown)).map(|_| None);
    for client in &config.clients {
        if client.token().is(shown) {
            whose = Some(Some(Arc::clone(client)));
        }
    }
    whose
}

fn unauthorized(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
        .fix("send the token that openmux serve was given")
}

/// Whether a name, with or without a port, is one of this machine's, or one that the gateway was told.
fn is_own(config: &Config, place: &str) -> bool {
    let name = match place.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback
        || name.eq_ignore_ascii_case("localhost")
        || config.hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// What came from outside, short and harmless.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(config: &Config, headers: &[(&'static str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        admit(config, &map).map(drop).map_err(|problem| problem.code)
    }

    #[test]
    fn pages_of_other_sites_are_turned_away() {
        let origins = vec!["app://obsidian.md".to_owned()];
        let config = Config { hosts: vec!["gate.example".to_owned()], origins, ..Config::default() };
        for (host, origin, expected) in [
            ("127.0.0.1:8080", None, Ok(())),
            ("localhost", None, Ok(())),
            ("[::1]:8080", Some("http://localhost:3000"), Ok(())),
            ("gate.example:8080", None, Ok(())),
            ("evil.example", None, Err("wrong_host")),
            ("127.0.0.1.evil.example", None, Err("wrong_host")),
            ("", None, Err("wrong_host")),
            ("127.0.0.1:8080", Some("https://evil.example"), Err("wrong_origin")),
            ("127.0.0.1:8080", Some("null"), Err("wrong_origin")),
            ("127.0.0.1:8080", Some("app://obsidian.md"), Ok(())),
            ("127.0.0.1:8080", Some("app://obsidian.md.evil"), Err("wrong_origin")),
            ("evil.example", Some("app://obsidian.md"), Err("wrong_host")),
            ("127.0.0.1:8080", Some("https://localhost.evil.example"), Err("wrong_origin")),
        ] {
            let mut headers = vec![("host", host)];
            headers.extend(origin.map(|origin| ("origin", origin)));
            assert_eq!(asked(&config, &headers), expected.map_err(str::to_owned), "{host} {origin:?}");
        }
        let image =
            |site, more: &[_]| asked(&config, &[&[("host", "localhost"), ("sec-fetch-site", site)][..], more].concat());
        assert_eq!(image("cross-site", &[]), Err("wrong_origin".to_owned()));
        for site in ["none", "same-origin", "same-site"] {
            assert_eq!(image(site, &[]), Ok(()), "{site}");
        }
        assert_eq!(image("cross-site", &[("origin", "http://127.0.0.1:3000")]), Ok(()), "a page of this machine");
    }

    #[test]
    fn a_token_is_taken_from_either_header_and_never_shown() {
        let config = Config { token: Token::new(" secret\n"), ..Config::default() };
        let with = |name, value| asked(&config, &[("host", "192.168.1.7:8080"), (name, value)]);
        assert_eq!(with("authorization", "Bearer secret"), Ok(()));
        assert_eq!(with("authorization", "bearer  secret"), Ok(()));
        assert_eq!(with("x-api-key", "secret"), Ok(()));
        for (name, value) in [("authorization", "Bearer secre"), ("authorization", "Basic secret"), ("x-api-key", "")] {
            assert_eq!(with(name, value), Err("invalid_api_key".to_owned()), "{name}: {value}");
        }
        let both = |first, second| asked(&config, &[("authorization", first), ("x-api-key", second)]);
        assert_eq!(both("Bearer other", "secret"), Ok(()), "one that is wrong hides none that is right");
        assert_eq!(both("Basic secret", "secret"), Ok(()));
        assert_eq!(both("Bearer other", "another"), Err("invalid_api_key".to_owned()));
        assert!(!format!("{:?}", config.token).contains("secret"));
        assert!(Token::new(" \n").is_none());
    }
}
