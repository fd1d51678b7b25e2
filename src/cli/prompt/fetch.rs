//! Fetches a file that is attached by its address. No key and no cookie goes with it.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Uri, header};

use super::super::contract::Exit;
use super::super::error::{CliError, Wrong};
use super::super::render::text::duration;
use super::super::settings::Settings;
use super::attach::too_large;
use crate::catalog::is_loopback;
use crate::observe::ErrorClass;
use crate::upstream::transport::{Transport, WireError};

/// The longest that fetching takes, over all redirects.
const LIMIT: Duration = Duration::from_secs(30);
/// The most redirects that are followed.
const REDIRECTS: usize = 5;
/// What mends nearly everything here.
const YOURSELF: &str = "fetch it yourself, and attach the file";

/// A file from the network.
pub(super) struct Fetched {
    /// Its address without what could be a secret in it.
    pub shown: String,
    /// The last piece of its path.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Fetches `url`, at most `most` bytes.
///
/// # Errors
/// It is no address, the network is refused (`--offline`, `--sandbox`), it cannot be reached, answers with a failure,
/// takes too long, is too large, or leads elsewhere than it may.
pub(super) fn get(settings: &Settings, url: &str, most: u64) -> Result<Fetched, CliError> {
    let uri = parse(url)?;
    if settings.offline {
        return Err(CliError::new(Exit::Refused, "offline", format!("not fetched: --offline refuses {}", shown(&uri)))
            .fix("fetch it yourself, and attach the file"));
    }
    if settings.sandbox.is_some() && !is_loopback(&uri.to_string()) {
        return Err(CliError::new(
            Exit::Refused,
            "sandbox",
            format!("not fetched: with --sandbox nothing leaves this machine, and {} is elsewhere", shown(&uri)),
        )
        .fix("fetch it yourself, and attach the file"));
    }
    let transport = Transport::new(&settings.transport(Some(Duration::from_secs(10)))?)
        .map_err(|error| CliError::no_client(error.0))?;
    let runtime = super::super::chat::runtime()?;
    let fetched = runtime.block_on(async { tokio::time::timeout(LIMIT, follow(&transport, uri.clone(), most)).await });
    runtime.shutdown_background();
    let (last, bytes) = fetched.map_err(|_| {
        local(Exit::Timeout, &uri, format!("{} was not fetched within {}", shown(&uri), duration(LIMIT))).fix(YOURSELF)
    })??;
    let name = last.path().rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Fetched { shown: shown(&last), name, bytes })
}

async fn follow(transport: &Transport, first: Uri, most: u64) -> Result<(Uri, Vec<u8>), CliError> {
    let mut uri = first.clone();
    for _ in 0..=REDIRECTS {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = uri.clone();
        let agent = concat!("openmux/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(header::USER_AGENT, http::HeaderValue::from_static(agent));
        request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("*/*"));
        let mut incoming = transport.send(request).await.map_err(|error| unreachable(&uri, &error))?;
        let status = incoming.head.status;
        let location = incoming.head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        if let Some(location) = location.filter(|_| status.is_redirection()) {
            uri = redirected(&uri, location)?;
            continue;
        }
        if !status.is_success() {
            let exit = if matches!(status.as_u16(), 404 | 410) { Exit::NotFound } else { Exit::Unavailable };
            return Err(local(exit, &uri, format!("{} cannot be fetched", shown(&uri)))
                .fact("status", status.as_u16().to_string())
                .with("http_status", status.as_u16())
                .fix(YOURSELF));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = incoming.chunk().await.map_err(|error| unreachable(&uri, &error))? {
            bytes.extend_from_slice(&chunk);
            if u64::try_from(bytes.len()).is_ok_and(|count| count > most) {
                return Err(too_large(&shown(&uri)));
            }
        }
        return Ok((uri, bytes));
    }
    Err(local(Exit::Unavailable, &first, format!("{} redirects more than {REDIRECTS} times", shown(&first)))
        .fix(YOURSELF))
}

/// An http address without a user name in it.
///
/// # Errors
/// It is none.
pub(in crate::cli) fn parse(url: &str) -> Result<Uri, CliError> {
    let bad = |why: &str| CliError::usage(format!("\"{}\" {why}", url.split(['?', '#']).next().unwrap_or_default()));
    let whole = "a whole address: https://HOST/PATH";
    let uri: Uri = url.parse().map_err(|_| bad("is not an address").fix("write other characters as %XX"))?;
    let authority = uri.authority().ok_or_else(|| bad("is not an address").fix(whole))?;
    if authority.as_str().contains('@') {
        // Not shown: what stands before the @ is a password.
        return Err(CliError::usage("an address with a user name or password in it is not fetched").fix(YOURSELF));
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) || authority.host().is_empty() {
        return Err(bad("is not an http address").fix(whole));
    }
    Ok(uri)
}

/// Where a redirect leads: an http address again, and from the outside never into this machine or its own network, since
/// what is there would be shown to a provider.
fn redirected(from: &Uri, location: &str) -> Result<Uri, CliError> {
    let refused = |why: &str| {
        local(Exit::Unavailable, from, format!("{} redirects {why}, which is not followed", shown(from))).fix(YOURSELF)
    };
    let to = parse(&join(from, location)).map_err(|_| refused("to what is no http address"))?;
    if is_inside(&to) && !is_inside(from) {
        return Err(refused("into a private network"));
    }
    Ok(to)
}

/// A reference against the address that it stands in.
pub(in crate::cli) fn join(from: &Uri, location: &str) -> String {
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map(ToString::to_string).unwrap_or_default();
    if location.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':')) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

/// Whether an address names this machine or a network of its own.
fn is_inside(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
                || address.to_ipv4_mapped().is_some()
        }
        Err(_) => host == "localhost" || [".localhost", ".internal", ".local"].iter().any(|end| host.ends_with(end)),
    }
}

/// An address without its query, which often holds a signature.
pub(in crate::cli) fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    format!("{}://{}{}", uri.scheme_str().unwrap_or("https"), authority.unwrap_or_default(), uri.path())
}

fn unreachable(uri: &Uri, error: &WireError) -> CliError {
    local(Exit::Unavailable, uri, format!("{} cannot be fetched", shown(uri)))
        .fact("reason", error.message.clone())
        .fix(YOURSELF)
}

/// A failure between this machine and the file, which is no provider's.
fn local(exit: Exit, uri: &Uri, message: String) -> Wrong {
    let class = ErrorClass::LocalNetwork;
    CliError::new(exit, "attachment", message)
        .with("class", class.name())
        .with("owner", class.owner())
        .with("url", shown(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn redirects_stay_on_http_and_outside() {
        let from = uri("https://example.com/a/b.png?sig=1");
        for (location, to) in [
            ("c.png", "https://example.com/a/c.png"),
            ("/c.png?x=1", "https://example.com/c.png?x=1"),
            ("//cdn.example.com/c.png", "https://cdn.example.com/c.png"),
            ("http://other.example/c.png", "http://other.example/c.png"),
        ] {
            assert_eq!(redirected(&from, location).unwrap(), uri(to), "{location}");
        }
        for location in [
            "file:///etc/passwd",
            "ftp://example.com/x",
            "http://127.0.0.1:9/x",
            "http://169.254.169.254/latest",
            "http://[::1]/x",
            "http://[::ffff:127.0.0.1]/x",
            "http://localhost/x",
            "https://u:p@example.com/x",
        ] {
            assert!(redirected(&from, location).is_err(), "{location}");
        }
        assert!(redirected(&uri("http://127.0.0.1:1/a"), "http://127.0.0.1:2/b").is_ok());
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        assert_eq!(shown(&uri("https://h/a?X-Amz-Signature=s")), "https://h/a");
        let error = parse("https://user:secret@h/a").unwrap_err();
        assert!(!error.message.contains("secret"));
        assert!(!parse("https://h/a b?key=secret").unwrap_err().message.contains("secret"));
    }
}
