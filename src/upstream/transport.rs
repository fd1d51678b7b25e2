//! The one HTTP client. The only file that names reqwest.
//!
//! It follows no redirect (a key must not travel to another host), reads no environment (proxies and roots are passed
//! in), and notes when a connection began and when it was up, so that waiting for it is not taken for the model's time.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

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

/// What kind of failure of the wire it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireErrorKind {
    /// No connection: DNS, TCP or TLS.
    Connect,
    /// The connection was refused.
    Refused,
    /// The name does not resolve.
    Dns,
    /// The connection was not up in time.
    ConnectTimeout,
    /// The connection broke after the request went out.
    Broken,
    /// The request itself could not be made.
    Request,
}

#[derive(Debug, Default)]
struct ConnectLog {
    last: Mutex<Option<(Instant, Instant)>>,
    dns: Mutex<Option<Duration>>,
}

impl ConnectLog {
    /// What was noted since the last time; `None` where no connection was made, or no name was looked up.
    fn take(&self) -> (Option<(Instant, Instant)>, Option<Duration>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        (last, self.dns.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

/// A pooled HTTP client.
#[derive(Debug, Clone)]
pub struct Transport {
    client: reqwest::Client,
    log: Arc<ConnectLog>,
    tape: Option<Tape>,
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

/// A response whose body is still to be read.
#[derive(Debug)]
pub struct Incoming {
    /// Status and headers.
    pub head: http::response::Parts,
    /// When the connection that carried it began to be made and when it was up; `None` where it was reused.
    pub connected: Option<(Instant, Instant)>,
    /// How long looking the name up took, within that; `None` where none was.
    pub dns: Option<Duration>,
    body: reqwest::Response,
    tape: Option<Tape>,
}

impl Transport {
    /// Makes a client; takes a few milliseconds, so only commands that call somebody make one.
    ///
    /// # Errors
    /// A proxy or a certificate cannot be used.
    pub fn new(config: &TransportConfig) -> Result<Self, TransportError> {
        let log = Arc::new(ConnectLog::default());
        let failed = |error: reqwest::Error| TransportError(innermost(&error));
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(TimedResolver(Arc::clone(&log))))
            .connector_layer(TimedLayer(Arc::clone(&log)));
        if let Some(limit) = config.connect_timeout {
            builder = builder.connect_timeout(limit);
        }
        let exempt = config.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        for (proxy, https) in [(&config.https_proxy, true), (&config.http_proxy, false)] {
            let Some(url) = proxy else { continue };
            let proxy = if https { reqwest::Proxy::https(url) } else { reqwest::Proxy::http(url) };
            builder = builder.proxy(proxy.map_err(failed)?.no_proxy(exempt.clone()));
        }
        if let Some(pem) = &config.extra_roots {
            for root in reqwest::Certificate::from_pem_bundle(pem).map_err(failed)? {
                builder = builder.add_root_certificate(root);
            }
        }
        Ok(Self { client: builder.build().map_err(failed)?, log, tape: None })
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
        self.log.take();
        let again = request.clone();
        let mut sent = self.execute(request).await;
        let (mut connected, mut dns) = self.log.take();
        if connected.is_none() && sent.as_ref().is_err_and(|error| error.kind == WireErrorKind::Broken) {
            tracing::debug!("a kept connection was closed by the other side: sending on another");
            sent = self.execute(again).await;
            (connected, dns) = self.log.take();
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
        Ok(Incoming { head, connected, dns, body: response, tape: self.tape.clone() })
    }

    async fn execute(&self, request: http::Request<Bytes>) -> Result<reqwest::Response, WireError> {
        let request = reqwest::Request::try_from(request).map_err(|error| wire_error(&error))?;
        self.client.execute(request).await.map_err(|error| wire_error(&error))
    }
}

impl Incoming {
    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, WireError> {
        let chunk = self.body.chunk().await.map_err(|error| wire_error(&error))?;
        if let (Some(tape), Some(bytes)) = (&self.tape, &chunk) {
            tape.0.lock().unwrap_or_else(PoisonError::into_inner).1.extend_from_slice(bytes);
        }
        Ok(chunk)
    }
}

fn wire_error(error: &reqwest::Error) -> WireError {
    let message = innermost(error);
    let refused = message.to_ascii_lowercase().contains("refused");
    let kind = if error.is_builder() {
        WireErrorKind::Request
    } else if error.is_connect() && error.is_timeout() {
        WireErrorKind::ConnectTimeout
    } else if error.is_connect() && refused {
        WireErrorKind::Refused
    } else if error.is_connect() && chain_mentions(error, "dns") {
        WireErrorKind::Dns
    } else if error.is_connect() {
        WireErrorKind::Connect
    } else {
        WireErrorKind::Broken
    };
    WireError { kind, message }
}

/// The message of the innermost cause, without the URL, which could hold a key.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    let line = text.lines().next().unwrap_or_default();
    // The system's number means nothing to people.
    line.split(" (os error").next().unwrap_or_default().to_owned()
}

fn chain_mentions(error: &dyn std::error::Error, word: &str) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.to_string().to_ascii_lowercase().contains(word) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The system's resolver, with a stamp.
#[derive(Debug)]
struct TimedResolver(Arc<ConnectLog>);

impl reqwest::dns::Resolve for TimedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let log = Arc::clone(&self.0);
        Box::pin(async move {
            let began = Instant::now();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            *log.dns.lock().unwrap_or_else(PoisonError::into_inner) = Some(began.elapsed());
            let addresses: Vec<_> = found.map_err(|error| format!("dns error: {error}"))?.collect();
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[derive(Debug, Clone)]
struct TimedLayer(Arc<ConnectLog>);

impl<S> tower_layer::Layer<S> for TimedLayer {
    type Service = Timed<S>;
    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, log: Arc::clone(&self.0) }
    }
}

#[derive(Debug, Clone)]
struct Timed<S> {
    inner: S,
    log: Arc<ConnectLog>,
}

impl<S, R> tower_service::Service<R> for Timed<S>
where
    S: tower_service::Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let began = Instant::now();
        let log = Arc::clone(&self.log);
        let connecting = self.inner.call(target);
        Box::pin(async move {
            let connection = connecting.await?;
            *log.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((began, Instant::now()));
            Ok(connection)
        })
    }
}
