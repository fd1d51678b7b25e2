//! How a connection comes up, with a stamp at each step: the name, TCP, TLS.
//!
//! The HTTP client tells none of them apart. The name is looked up by a resolver of ours; the whole is timed by a layer
//! around the connector; and TLS asks for an old session the moment it begins, which is when TCP is up.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, NamedGroup};
use tokio::time::Instant;

use super::{Names, TransportError};
use crate::observe::Phase;

/// How far a connection came up, and when. Nothing is set where a kept one was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// When it began to be made.
    pub began: Option<Instant>,
    /// When the name was asked for, where there was one to look up.
    pub asked: Option<Instant>,
    /// When it was known.
    pub resolved: Option<Instant>,
    /// When TCP was up and TLS began; through a proxy for plain HTTP, when the tunnel was up.
    pub secured: Option<Instant>,
    /// When it could carry a request.
    pub up: Option<Instant>,
}

impl Stamps {
    /// How long looking the name up took; `None` where there was none to look up, and as long as it is not known.
    #[must_use]
    pub fn dns(&self) -> Option<Duration> {
        Some(self.resolved?.saturating_duration_since(self.asked?))
    }

    /// From the name being known to TCP being up; `None` as long as it is not.
    #[must_use]
    pub fn tcp(&self) -> Option<Duration> {
        Some(self.secured.or(self.up)?.saturating_duration_since(self.resolved.or(self.began)?))
    }

    /// From TCP being up to the end of the handshake; `None` without TLS, and as long as it is not over.
    #[must_use]
    pub fn tls(&self) -> Option<Duration> {
        Some(self.up?.saturating_duration_since(self.secured?))
    }

    /// How far a request came of which no response is there yet.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match (self.began, self.up) {
            (None, _) | (_, Some(_)) => Phase::Send,
            _ if self.secured.is_some() => Phase::Tls,
            _ if self.asked.is_some() && self.resolved.is_none() => Phase::Dns,
            _ => Phase::Tcp,
        }
    }
}

tokio::task_local! {
    /// The notes of the request for which a connection is being made.
    static NOTES: Log;
}

/// The notes of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Stamps>>);

impl Log {
    pub(super) fn stamps(&self) -> Stamps {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is connected while the future runs, and in what it leaves running.
    pub(super) async fn during<T>(&self, future: Pin<&mut impl Future<Output = T>>) -> T {
        NOTES.scope(self.clone(), future).await
    }

    /// A handshake begins. Only the first one counts: with a proxy that speaks TLS itself, TCP was up before that.
    fn handshake() {
        let now = Instant::now();
        Log::note(|stamps| stamps.secured = stamps.secured.or(Some(now)));
    }

    fn note(change: impl FnOnce(&mut Stamps)) {
        let _ = NOTES.try_with(|log| change(&mut log.0.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

/// The resolver, with a stamp.
#[derive(Debug)]
pub(super) struct TimedResolver(pub(super) Names);

impl reqwest::dns::Resolve for TimedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let names = self.0.clone();
        Box::pin(async move {
            let asked = Instant::now();
            Log::note(|stamps| stamps.asked = Some(asked));
            let found = names.look_up(name.as_str(), 0).await;
            let now = Instant::now();
            Log::note(|stamps| stamps.resolved = found.is_ok().then_some(now));
            Ok(Box::new(found?.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[derive(Debug, Clone)]
pub(super) struct TimedLayer;

impl<S> tower_layer::Layer<S> for TimedLayer {
    type Service = Timed<S>;
    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Timed<S>(S);

impl<S, R> tower_service::Service<R> for Timed<S>
where
    S: tower_service::Service<R>,
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let began = Instant::now();
        Log::note(|stamps| *stamps = Stamps { began: Some(began), ..Stamps::default() });
        let connecting = self.0.call(target);
        let timed = async move {
            let connection = connecting.await?;
            let up = Instant::now();
            Log::note(|stamps| stamps.up = Some(up));
            Ok(connection)
        };
        // The client goes on connecting in the background where a kept connection comes free first.
        match NOTES.try_with(Clone::clone) {
            Ok(log) => Box::pin(NOTES.scope(log, timed)),
            Err(_) => Box::pin(timed),
        }
    }
}

/// The client's side of TLS: the system's roots and those further ones (PEM), and a stamp where it begins.
///
/// # Errors
/// The further roots cannot be read, or the system's cannot be used.
pub(super) fn tls(extra_roots: Option<&[u8]>) -> Result<ClientConfig, TransportError> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let failed = |error: rustls::Error| TransportError(error.to_string());
    let verifier = match extra_roots {
        None => rustls_platform_verifier::Verifier::new(Arc::clone(&provider)),
        Some(pem) => {
            let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let roots = roots.map_err(|error| TransportError(error.to_string()))?;
            if roots.is_empty() {
                return Err(TransportError("no certificate in the file of further roots".to_owned()));
            }
            rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.map_err(failed)?))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::store(Arc::new(TimedSessions(ClientSessionMemoryCache::new(256))));
    Ok(config)
}

/// The usual store of sessions; being asked for a hint is how a handshake begins.
#[derive(Debug)]
struct TimedSessions(ClientSessionMemoryCache);

impl ClientSessionStore for TimedSessions {
    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        Log::handshake();
        self.0.kx_hint(server_name)
    }

    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server_name, group);
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.0.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        Log::handshake();
        self.0.take_tls13_ticket(server_name)
    }
}
