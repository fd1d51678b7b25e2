//! The one HTTP client. This module alone names reqwest.
//!
//! It follows no redirect (a key must not travel to another host), reads no environment (proxies and roots are passed
//! in), and notes when a connection began, how far it came and when it was up, so that waiting for it is not taken for the
//! model's time.

mod connect;
mod fault;
mod knock;
mod names;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use connect::Stamps;
use connect::{TimedLayer, TimedResolver};
use fault::{innermost, wire_error};
pub use names::Names;

pub use crate::observe::WireErrorKind;
use crate::recent::Recent;

/// How to reach the outside.
#[derive(Debug, Clone, Default)]
pub struct TransportConfig {
    /// The limit for DNS, TCP and TLS together; `None` is no limit.
    pub connect_timeout: Option<Duration>,
    /// Proxy for `https` URLs.
    pub https_proxy: Option<String>,
    /// Proxy for `http` URLs.
    pub http_proxy: Option<String>,
    /// Hosts that are reached without a proxy, as in `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Further root certificates, PEM.
    pub extra_roots: Option<Vec<u8>>,
    /// How names are looked up; by the system where nothing is said.
    pub names: Names,
}

/// The client could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// Why a request got no response, or a response no more bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WireError {
    /// What kind of failure it is.
    pub kind: WireErrorKind,
    /// The innermost cause, one line.
    pub message: String,
}

/// A pooled HTTP client.
#[derive(Debug, Clone)]
pub struct Transport {
    client: reqwest::Client,
    names: Names,
    /// Whether a proxy may stand in between.
    has_proxy: bool,
    /// Whose hosts a proxy for plain HTTP is not asked for; `None` without such a proxy.
    relay: Option<String>,
    known: Addresses,
    tape: Option<Tape>,
}

/// So many addresses are known at once.
const MOST: usize = 64;

/// Addresses that were read for the client, those of the last requests first: it reads one anew for each request.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<Recent<http::Uri, reqwest::Url, MOST>>>);

impl std::fmt::Debug for Addresses {
    /// How many; what is fetched may have secrets in its query.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Addresses").field(&self.lock().len()).finish()
    }
}

impl Addresses {
    fn lock(&self) -> MutexGuard<'_, Recent<http::Uri, reqwest::Url, MOST>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's request.
    ///
    /// # Errors
    /// It has no address that the client can read.
    fn request(&self, request: http::Request<Bytes>) -> Result<reqwest::Request, reqwest::Error> {
        // Letters of a user's name count, and not for whether two addresses are one.
        let is_plain = request.uri().authority().is_none_or(|place| !place.as_str().contains('@'));
        let known = self.lock().get(|uri, _| uri == request.uri()).cloned();
        let Some(url) = known.filter(|_| is_plain) else {
            let uri = request.uri().clone();
            let request = reqwest::Request::try_from(request)?;
            if is_plain {
                self.lock().put(uri, request.url().clone());
            }
            return Ok(request);
        };
        let (head, body) = request.into_parts();
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.version_mut() = head.version;
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

/// What came back over a transport, as far as it was read: see [`Transport::taped`].
#[derive(Debug, Clone, Default)]
pub struct Tape(Arc<Mutex<(Option<http::response::Parts>, Vec<u8>)>>);

impl Tape {
    /// The last response's head and the bytes of its body; `None` where no response came.
    #[must_use]
    pub fn take(&self) -> Option<(http::response::Parts, Vec<u8>)> {
        let mut tape = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, body) = std::mem::take(&mut *tape);
        head.map(|head| (head, body))
    }
}

/// How far a request came, for whoever gives up waiting for its response.
#[derive(Debug, Clone, Default)]
pub struct Noted(connect::Log);

impl Noted {
    /// How far its connection came up.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        self.0.stamps()
    }
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub struct Incoming {
    /// Status and headers.
    pub head: http::response::Parts,
    /// When the connection that carried it began to be made and when it was up; `None` where it was reused.
    pub connected: Option<(Instant, Instant)>,
    /// How long each part of that took.
    pub stamps: Stamps,
    body: reqwest::Response,
    tape: Option<Tape>,
}

impl Transport {
    /// Makes a client; takes a few milliseconds, so only commands that call somebody make one.
    ///
    /// # Errors
    /// A proxy or a certificate cannot be used.
    pub fn new(config: &TransportConfig) -> Result<Self, TransportError> {
        let failed = |error: reqwest::Error| TransportError(innermost(&error));
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(TimedResolver(config.names.clone())))
            .tls_backend_preconfigured(connect::tls(config.extra_roots.as_deref())?)
            .connector_layer(TimedLayer);
        if let Some(limit) = config.connect_timeout {
            builder = builder.connect_timeout(limit);
        }
        let exempt = config.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        for (proxy, https) in [(&config.https_proxy, true), (&config.http_proxy, false)] {
            let Some(url) = proxy else { continue };
            let proxy = if https { reqwest::Proxy::https(url) } else { reqwest::Proxy::http(url) };
            builder = builder.proxy(proxy.map_err(failed)?.no_proxy(exempt.clone()));
        }
        Ok(Self {
            client: builder.build().map_err(failed)?,
            names: config.names.clone(),
            has_proxy: config.https_proxy.is_some() || config.http_proxy.is_some(),
            relay: config.http_proxy.as_ref().map(|_| config.no_proxy.clone().unwrap_or_default()),
            known: Addresses::default(),
            tape: None,
        })
    }

    /// The same client, and a tape of what comes back over it.
    #[must_use]
    pub fn taped(&self) -> (Self, Tape) {
        let tape = Tape::default();
        (Self { tape: Some(tape.clone()), ..self.clone() }, tape)
    }

    /// Sends a request and waits for the response's head. Where a kept connection turns out to have been closed by the
    /// other side, it is sent once more, on another: servers promise to keep connections and close them (`llama-server`
    /// after 5 s, or after a streamed answer), which is nobody's fault and no attempt.
    ///
    /// # Errors
    /// No response came.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<Incoming, WireError> {
        self.send_noting(request, &Noted::default()).await
    }

    /// The same; how far it comes is noted meanwhile, for whoever gives up waiting.
    ///
    /// # Errors
    /// No response came.
    pub async fn send_noting(&self, request: http::Request<Bytes>, noted: &Noted) -> Result<Incoming, WireError> {
        let again = request.clone();
        let mut sent = noted.0.during(pin!(self.execute(request))).await;
        let reused = noted.stamps().began.is_none();
        if reused && sent.as_ref().is_err_and(|error| error.kind == WireErrorKind::Broken) {
            tracing::debug!("a kept connection was closed by the other side: sending on another");
            sent = noted.0.during(pin!(self.execute(again))).await;
        }
        let response = sent?;
        let mut head = http::Response::new(());
        *head.status_mut() = response.status();
        *head.version_mut() = response.version();
        *head.headers_mut() = response.headers().clone();
        let head = head.into_parts().0;
        if let Some(tape) = &self.tape {
            *tape.0.lock().unwrap_or_else(PoisonError::into_inner) = (Some(head.clone()), Vec::new());
        }
        let stamps = noted.stamps();
        Ok(Incoming { head, connected: stamps.began.zip(stamps.up), stamps, body: response, tape: self.tape.clone() })
    }

    /// Whether a plain HTTP request goes to a proxy in place of its origin. Networks in `NO_PROXY` are left to the client.
    fn is_relayed(&self, uri: &http::Uri) -> bool {
        let (Some(exempt), Some(host), Some("http")) = (&self.relay, uri.host(), uri.scheme_str()) else {
            return false;
        };
        let spared = |entry: &str| {
            let name = entry.trim().trim_start_matches('.');
            name == "*" || name == host || (!name.is_empty() && host.ends_with(&format!(".{name}")))
        };
        !exempt.split(',').any(spared)
    }

    async fn execute(&self, request: http::Request<Bytes>) -> Result<reqwest::Response, WireError> {
        let relayed = self.is_relayed(request.uri());
        let request = self.known.request(request).map_err(|error| wire_error(&error, relayed))?;
        self.client.execute(request).await.map_err(|error| wire_error(&error, relayed))
    }
}

impl Incoming {
    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, WireError> {
        let chunk = self.body.chunk().await.map_err(|error| wire_error(&error, false))?;
        if let (Some(tape), Some(bytes)) = (&self.tape, &chunk) {
            tape.0.lock().unwrap_or_else(PoisonError::into_inner).1.extend_from_slice(bytes);
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_read_is_the_same_address() {
        let known = Addresses::default();
        let made = |uri: &str| {
            let request = http::Request::post(uri).header("a", "b").body(Bytes::from_static(b"body")).unwrap();
            known.request(request).unwrap()
        };
        for round in 0..2 {
            for at in 0..2 * MOST {
                let uri = format!("https://h{at}.example/v1/Chat?k={at}");
                let request = made(&uri);
                assert_eq!(request.url().as_str(), uri, "{round}");
                assert_eq!(made(&uri).url().as_str(), uri);
                assert_eq!(made(&format!("https://H{at}.example/v1/Chat?k={at}")).url().as_str(), uri);
                for user in ["a", "A"] {
                    assert_eq!(made(&format!("https://{user}@h{at}.example/")).url().username(), user);
                }
                assert_eq!(made(&format!("https://h{at}.example/v1/chat?k={at}")).url().path(), "/v1/chat");
                let sent = (request.method().as_str(), request.headers()["a"].as_bytes(), request.body());
                assert_eq!((sent.0, sent.1, sent.2.unwrap().as_bytes()), ("POST", &b"b"[..], Some(&b"body"[..])));
            }
        }
        assert_eq!(format!("{known:?}"), format!("Addresses({})", MOST));
    }
}
