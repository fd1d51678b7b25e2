//! The listener: finds the provider by its path, checks the key, and plays the planned reply on the clock.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response as HttpResponse;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::Draw;
use super::dialect::{Dialect, Failure, dialect};
use super::fault::Fault;
use super::reply::{End, Part, Reply, Response, refusal, reply};
use super::scenario::{Scenario, Script};
use super::{HEADER, KEY};
use crate::catalog::{Protocol, ProviderId};

/// The largest request body, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// How long before a cut the bytes ahead of it have for leaving the process.
const BEFORE_CUT: Duration = Duration::from_millis(5);

/// One provider that the sandbox plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxProvider {
    /// Its id, which is also the first part of its path: letters, digits, `.`, `_` and `-`.
    pub id: ProviderId,
    /// What it speaks: [`Protocol::OpenaiChat`] or [`Protocol::AnthropicMessages`].
    pub protocol: Protocol,
    /// Its name for people, which the answers mention.
    pub name: String,
}

/// Starts local providers.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Serves `providers` as `scenario` says, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// As [`Sandbox::start_on`].
    pub async fn start(scenario: Scenario, providers: Vec<SandboxProvider>) -> io::Result<Running> {
        Self::start_on(scenario, providers, 0).await
    }

    /// Serves `providers` as `scenario` says, on `port` of 127.0.0.1; 0 is any free port. Needs a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// The port cannot be had, or (`InvalidInput`) a protocol is not spoken here, an id cannot be a part of a path or is
    /// there twice.
    pub async fn start_on(scenario: Scenario, providers: Vec<SandboxProvider>, port: u16) -> io::Result<Running> {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
        let mut locals = BTreeMap::new();
        for provider in providers {
            let id = provider.id.as_str().to_owned();
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                return Err(invalid(format!("the provider id \"{id}\" cannot be a part of a path")));
            }
            let Some(dialect) = dialect(provider.protocol) else {
                return Err(invalid(format!("the sandbox does not speak {} ({id})", provider.protocol.name())));
            };
            let local = Local { provider, dialect, requests: AtomicU64::new(0), faults: AtomicU64::new(0) };
            if locals.insert(id.clone(), local).is_some() {
                return Err(invalid(format!("the provider {id} is there twice")));
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let header = HeaderValue::from_str(scenario.name()).unwrap_or(HeaderValue::from_static("custom"));
        let shared = Arc::new(Shared {
            scenario,
            header,
            locals,
            first_taken: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            stopped: stopped.clone(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        // Without nodelay the first small chunk of a stream waits 40 ms for the peer's delayed acknowledgement.
        let listener = listener.tap_io(|socket| {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
        });
        tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(until_stopped(stopped)).await;
            if let Err(error) = served {
                tracing::debug!(%error, "the sandbox stopped");
            }
        });
        let base_url = |local: &Local| (local.provider.id.clone(), format!("http://{addr}/{}/v1", local.provider.id));
        let base_urls = shared.locals.values().map(base_url).collect();
        Ok(Running { addr, base_urls, shared, _stop: stop })
    }
}

/// Local providers that are being served, until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where they listen.
    pub addr: SocketAddr,
    /// What a client appends `/chat/completions`, `/messages` or `/models` to, by provider; no trailing slash.
    pub base_urls: BTreeMap<ProviderId, String>,
    shared: Arc<Shared>,
    /// Dropping it stops the listener and every reply under way.
    _stop: watch::Sender<()>,
}

impl Running {
    /// How many chat requests have reached each provider, those with a bad key or body included.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<ProviderId, u64> {
        let count = |local: &Local| (local.provider.id.clone(), local.requests.load(Ordering::SeqCst));
        self.shared.locals.values().map(count).collect()
    }

    /// How many replies are under way. A reply whose client went away is not.
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.active.load(Ordering::SeqCst)
    }
}

struct Shared {
    scenario: Scenario,
    header: HeaderValue,
    locals: BTreeMap<String, Local>,
    first_taken: AtomicBool,
    active: AtomicUsize,
    stopped: watch::Receiver<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("scenario", &self.scenario.name()).finish_non_exhaustive()
    }
}

struct Local {
    provider: SandboxProvider,
    dialect: &'static dyn Dialect,
    /// Chat requests so far; the number of a request is what its randomness is drawn from.
    requests: AtomicU64,
    /// Requests that the provider's fault has hit, where the scenario limits them.
    faults: AtomicU64,
}

impl Shared {
    /// The fault that hits this request, counted where the scenario limits its number.
    fn fault(&self, local: &Local, script: &Script, refusable: bool) -> Option<Fault> {
        let fault = script.fault.filter(|fault| *fault != Fault::RefuseParameter || refusable)?;
        match script.times {
            Some(times) if local.faults.fetch_add(1, Ordering::SeqCst) >= times => None,
            _ => Some(fault),
        }
    }
}

/// Ends once the [`Running`] is gone.
async fn until_stopped(mut stopped: watch::Receiver<()>) {
    // Nothing is ever sent; an error says that the sender was dropped.
    while stopped.changed().await.is_ok() {}
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> HttpResponse {
    let arrived = Instant::now();
    let reply = answer(&shared, request).await;
    play(shared, reply, arrived).await
}

/// Which reply the request gets.
async fn answer(shared: &Shared, request: Request) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let place = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let Some((local, rest)) = place.and_then(|(id, rest)| shared.locals.get(id).map(|local| (local, rest))) else {
        let body = "{\"error\":{\"message\":\"[sandbox] no such provider here\"}}";
        return Reply::Response(Response::json(404, Bytes::from_static(body.as_bytes()), Duration::ZERO));
    };
    let dialect = local.dialect;
    let script = shared.scenario.script(&local.provider.id, false);
    let is_chat = head.method == Method::POST && rest.strip_prefix("v1") == Some(dialect.chat_path());
    let ordinal = if is_chat { local.requests.fetch_add(1, Ordering::SeqCst) } else { 0 };
    let draw = Draw::new(shared.scenario.seed(), local.provider.id.as_str(), ordinal);
    let refuse = |failure: Failure| {
        let id = format!("{:016x}", draw.clone().next());
        Reply::Response(refusal(dialect, &failure, &script, &id, Duration::ZERO))
    };
    if let Err(failure) = check_key(&head.headers) {
        return refuse(failure);
    }
    if head.method == Method::GET && rest == "v1/models" {
        return Reply::Response(Response::json(200, dialect.models().to_string().into(), Duration::ZERO));
    }
    if !is_chat {
        return refuse(Failure::NoSuchPath { method: head.method.to_string(), path: path.to_owned() });
    }
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return refuse(Failure::TooLarge);
    };
    let Some(body) = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object) else {
        let message = "We could not parse the JSON body of your request.".to_owned();
        return refuse(Failure::Invalid { parameter: None, message });
    };
    let ask = match dialect.ask(&head.headers, &body) {
        Ok(ask) => ask,
        Err(failure) => return refuse(failure),
    };
    let first = shared.scenario.singles_out_the_first() && !shared.first_taken.swap(true, Ordering::SeqCst);
    let script = shared.scenario.script(&local.provider.id, first);
    let fault = shared.fault(local, &script, ask.refusable.is_some());
    reply(dialect, &local.provider.name, &ask, &script, fault, draw.clone())
}

/// Both protocols take a key from either header, as their present clients send it.
fn check_key(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    match bearer.or_else(|| text("x-api-key")).filter(|key| !key.is_empty()) {
        Some(KEY) => Ok(()),
        Some(_) => Err(Failure::WrongKey),
        None => Err(Failure::NoKey),
    }
}

/// Counts a reply as under way until it is dropped: at its end, or because the client went away.
struct Active(Arc<Shared>);

impl Active {
    fn new(shared: Arc<Shared>) -> Self {
        shared.active.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Plays a reply: the head at its time, then the body. A client that goes away drops this, and with it all work.
async fn play(shared: Arc<Shared>, reply: Reply, arrived: Instant) -> HttpResponse {
    let active = Active::new(shared);
    let shared = &active.0;
    let (header, stopped) = (shared.header.clone(), until_stopped(shared.stopped.clone()));
    let Reply::Response(response) = reply else {
        stopped.await;
        return stopping(header);
    };
    tokio::select! {
        () = sleep_until(arrived + response.head_after) => {}
        () = stopped => return stopping(header),
    }
    let mut http = HttpResponse::new(Body::empty());
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &response.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            http.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    http.headers_mut().insert(HeaderName::from_static(HEADER), header);
    *http.body_mut() = body(active, response, arrived);
    http
}

/// What a client sees that was still waiting for a head when the sandbox was stopped.
fn stopping(header: HeaderValue) -> HttpResponse {
    let mut http = HttpResponse::new(Body::from("the sandbox is stopping\n"));
    *http.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    http.headers_mut().insert(HeaderName::from_static(HEADER), header);
    http
}

fn body(active: Active, response: Response, arrived: Instant) -> Body {
    let Response { parts, end, end_after, .. } = response;
    let state = (active, parts.into_iter(), false);
    Body::from_stream(stream::unfold(state, move |(active, mut parts, cut)| async move {
        if cut {
            return None;
        }
        let stopped = until_stopped(active.0.stopped.clone());
        let next = async {
            match parts.next() {
                Some(Part { after, bytes }) => {
                    sleep_until(arrived + after).await;
                    Some(Ok(bytes))
                }
                None => finish(end, arrived + end_after).await,
            }
        };
        let item = tokio::select! {
            item = next => item?,
            () = stopped => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        };
        let cut = item.is_err();
        Some((item, (active, parts, cut)))
    }))
}

/// Waits for the end of a body; an error makes the server close the socket in the middle of it.
async fn finish(end: End, at: Instant) -> Option<io::Result<Bytes>> {
    match end {
        End::Clean => {
            sleep_until(at).await;
            None
        }
        End::Cut => {
            sleep_until(at).await;
            sleep(BEFORE_CUT).await;
            Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)))
        }
        End::Hang => std::future::pending().await,
    }
}
