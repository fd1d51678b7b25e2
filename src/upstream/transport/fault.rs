//! From the client's error to what failed: its causes are walked, because the client itself tells few of them apart.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::{WireError, WireErrorKind};

/// Why a name has no address.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct NameError {
    kind: WireErrorKind,
    message: String,
}

impl NameError {
    /// What the system's resolver says, which it tells in words alone.
    pub(super) fn of(error: &io::Error) -> Self {
        const NO_SUCH_NAME: [&str; 5] =
            ["not known", "no address associated", "does not resolve", "no such host", "no data"];
        let message = plain(&error.to_string());
        let said = message.to_ascii_lowercase();
        let gone = NO_SUCH_NAME.iter().any(|words| said.contains(words)) || error.kind() == io::ErrorKind::NotFound;
        Self { kind: if gone { WireErrorKind::NoSuchName } else { WireErrorKind::Resolver }, message }
    }

    /// What failed.
    pub(super) const fn kind(&self) -> WireErrorKind {
        self.kind
    }
}

/// What the client's error comes to. `relayed` is whether a proxy for plain HTTP was asked in place of the origin.
pub(super) fn wire_error(error: &reqwest::Error, relayed: bool) -> WireError {
    WireError { kind: kind(error, relayed), message: innermost(error) }
}

fn kind(error: &reqwest::Error, relayed: bool) -> WireErrorKind {
    if error.is_builder() {
        return WireErrorKind::Request;
    }
    if !error.is_connect() {
        return WireErrorKind::Broken;
    }
    let causes = causes(error);
    let says = |words: &str| causes.iter().any(|cause| cause.to_string().contains(words));
    // The types of the tunnel are not public.
    if says("proxy authorization required") {
        return WireErrorKind::ProxyRefused;
    }
    if relayed || says("failed to create underlying connection") {
        return WireErrorKind::ProxyUnreachable;
    }
    if error.is_timeout() {
        return WireErrorKind::ConnectTimeout;
    }
    let known = |cause: &&(dyn Error + 'static)| {
        let name = cause.downcast_ref::<NameError>().map(NameError::kind);
        let tls = || cause.downcast_ref::<rustls::Error>().map(tls_kind);
        let io = || cause.downcast_ref::<io::Error>().and_then(io_kind);
        name.or_else(tls).or_else(io)
    };
    causes.iter().find_map(known).unwrap_or(WireErrorKind::Connect)
}

fn tls_kind(error: &rustls::Error) -> WireErrorKind {
    use CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else { return WireErrorKind::Tls };
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            WireErrorKind::CertificateTime
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => WireErrorKind::CertificateName,
        Bad::UnknownIssuer => WireErrorKind::CertificateIssuer,
        _ => WireErrorKind::Tls,
    }
}

/// What a failed connection comes to; `None` where the system's word does not say.
pub(super) fn io_kind(error: &io::Error) -> Option<WireErrorKind> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(WireErrorKind::Refused),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            Some(WireErrorKind::NoRoute)
        }
        io::ErrorKind::TimedOut => Some(WireErrorKind::ConnectTimeout),
        _ => None,
    }
}

/// The error and all its causes, outermost first. What an I/O error holds is a cause too.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut found = vec![error];
    let mut cause = error;
    loop {
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let next = match held {
            Some(held) => {
                let held: &(dyn Error + 'static) = held;
                Some(held)
            }
            None => cause.source(),
        };
        let Some(next) = next else { return found };
        found.push(next);
        cause = next;
    }
}

/// The message of the innermost cause, without the URL, which could hold a key.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| plain(&cause.to_string())).unwrap_or_default()
}

/// One line, without the system's number, which means nothing to people.
fn plain(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("tunnel error: ").unwrap_or(line);
    line.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_answers_is_told_from_one_that_does_not() {
        let kind = |said: &str| NameError::of(&io::Error::other(said.to_owned())).kind();
        for said in [
            "failed to lookup address information: Name or service not known",
            "failed to lookup address information: nodename nor servname provided, or not known",
            "failed to lookup address information: No address associated with hostname",
            "failed to lookup address information: Name does not resolve",
            "No such host is known. (os error 11001)",
        ] {
            assert_eq!(kind(said), WireErrorKind::NoSuchName, "{said}");
        }
        for said in [
            "failed to lookup address information: Temporary failure in name resolution",
            "failed to lookup address information: Try again",
            "failed to lookup address information: Non-recoverable failure in name resolution",
        ] {
            assert_eq!(kind(said), WireErrorKind::Resolver, "{said}");
        }
    }
}
