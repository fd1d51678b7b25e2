//! The listener: finds the provider by its path, checks the key, and plays the planned reply on the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::response::Response as HttpResponse;
use axum::serve::ListenerExt;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::{Access, Credential};
use super::answer::Draw;
use super::dialect::{Ask, Dialect, Failure, dialect};
use super::fault::Fault;
use super::play::{Stage, play, until_stopped};
use super::reply::{Asked, Reply, Response, refusal, reply};
use super::scenario::{Scenario, Script};
use super::sigv4::Arrived;
use crate::catalog::{Auth, Protocol, ProviderId};

/// The largest request body, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// One provider that the sandbox plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxProvider {
    /// Its id, which is also the first part of its path: letters, digits, `.`, `_` and `-`.
    pub id: ProviderId,
    /// What it speaks.
    pub protocol: Protocol,
    /// How it wants its credential carried, as the catalog says.
    pub auth: Auth,
    /// Its name for people, which the answers mention.
    pub name: String,
}

/// Says what time it is: signatures and tokens run out.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Starts local providers.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Serves `providers` as `scenario` says, on a free port of 127.0.0.1, without a clock.
    ///
    /// # Errors
    /// As [`Sandbox::start_on`].
    pub async fn start(scenario: Scenario, providers: Vec<SandboxProvider>) -> io::Result<Running> {
        Self::start_on(scenario, providers, 0, None).await
    }

    /// Serves `providers` as `scenario` says, on `port` of 127.0.0.1; 0 is any free port. Without a `clock` no signature
    /// and no token ever runs out. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// The port cannot be had, or (`InvalidInput`) a protocol is not spoken here, a credential cannot be checked here, an
    /// id cannot be a part of a path or is there twice.
    pub async fn start_on(
        scenario: Scenario,
        providers: Vec<SandboxProvider>,
        port: u16,
        clock: Option<Clock>,
    ) -> io::Result<Running> {
        let locals = locals(providers, scenario.seed())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let header = HeaderValue::from_str(scenario.name()).unwrap_or(HeaderValue::from_static("custom"));
        let shared = Arc::new(Shared {
            scenario,
            clock,
            locals,
            first_taken: AtomicBool::new(false),
            stage: Arc::new(Stage { header, active: AtomicUsize::new(0), stopped: stopped.clone() }),
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
        let mut running = Running {
            addr,
            base_urls: BTreeMap::new(),
            protocols: BTreeMap::new(),
            credentials: BTreeMap::new(),
            shared: Arc::clone(&shared),
            _stop: stop,
        };
        for (name, local) in &shared.locals {
            let id = &local.provider.id;
            let address = format!("http://{addr}/{name}");
            running.base_urls.insert(id.clone(), format!("{address}{}", local.dialect.base()));
            running.protocols.insert(id.clone(), local.provider.protocol);
            running.credentials.insert(id.clone(), local.access.credential(&format!("{address}/token")));
        }
        Ok(running)
    }
}

/// Every provider by its id, ready to be asked.
fn locals(providers: Vec<SandboxProvider>, seed: u64) -> io::Result<BTreeMap<String, Local>> {
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
        let Some(access) = Access::new(provider.protocol, &provider.auth, &id, seed) else {
            return Err(invalid(format!("the sandbox cannot check the credential of {id}")));
        };
        let local = Local {
            provider,
            dialect,
            access,
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            cache: Mutex::new(BTreeSet::new()),
        };
        if locals.insert(id.clone(), local).is_some() {
            return Err(invalid(format!("the provider {id} is there twice")));
        }
    }
    Ok(locals)
}

/// Local providers that are being served, until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where they listen.
    pub addr: SocketAddr,
    /// What a client appends its protocol's path to (`/chat/completions`, `/messages`, `/models/ID:generateContent`,
    /// `/model/ID/converse`), by provider; no trailing slash.
    pub base_urls: BTreeMap<ProviderId, String>,
    /// What each provider speaks.
    pub protocols: BTreeMap<ProviderId, Protocol>,
    /// What a client must show, by provider.
    pub credentials: BTreeMap<ProviderId, Credential>,
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

    /// The key file of a service account, whose signed assertions a provider with Google's credentials takes as well; its
    /// key is made at the first call.
    ///
    /// # Errors
    /// The provider has no such credentials, or no key can be made; as a sentence.
    pub fn service_account(&self, provider: &ProviderId) -> Result<String, String> {
        let google = match self.shared.locals.get(provider.as_str()).map(|local| &local.access) {
            Some(Access::Google(google)) => google,
            _ => return Err(format!("{provider} has no service accounts")),
        };
        let token_uri = format!("http://{}/{provider}/token", self.addr);
        google.lock().map_err(|_| "the sandbox has broken down".to_owned())?.service_account(&token_uri)
    }

    /// How many replies are under way. A reply whose client went away is not.
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.stage.active.load(Ordering::SeqCst)
    }
}

struct Shared {
    scenario: Scenario,
    clock: Option<Clock>,
    locals: BTreeMap<String, Local>,
    first_taken: AtomicBool,
    stage: Arc<Stage>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("scenario", &self.scenario.name()).finish_non_exhaustive()
    }
}

struct Local {
    provider: SandboxProvider,
    dialect: &'static dyn Dialect,
    access: Access,
    /// Chat requests so far; the number of a request is what its randomness is drawn from.
    requests: AtomicU64,
    /// Requests that the provider's fault has hit, where the scenario limits them.
    faults: AtomicU64,
    /// The marked beginnings that its prompt cache holds.
    cache: Mutex<BTreeSet<u64>>,
}

impl Local {
    /// Whether the marked beginning of a request was in the cache; afterwards it is.
    fn cached(&self, ask: &Ask) -> bool {
        let Some(mark) = ask.mark else { return false };
        self.cache.lock().is_ok_and(|mut cache| !cache.insert(mark.hash))
    }
}

impl Shared {
    /// What the request with that number is drawn from.
    fn draw(&self, local: &Local, ordinal: u64) -> Draw {
        Draw::new(self.scenario.seed(), local.provider.id.as_str(), ordinal)
    }

    /// The reply to a request that is refused before the scenario is asked.
    fn refusal(&self, local: &Local, ordinal: u64, failure: &Failure) -> Reply {
        let script = self.scenario.script(&local.provider.id, false);
        let id = format!("{:016x}", self.draw(local, ordinal).next());
        Reply::Response(refusal(local.dialect, failure, &script, &id, Duration::ZERO))
    }

    /// The fault that hits this request, counted where the scenario limits its number.
    fn fault(&self, local: &Local, script: &Script, refusable: bool) -> Option<Fault> {
        let fault = script.fault.filter(|fault| *fault != Fault::RefuseParameter || refusable)?;
        match script.times {
            Some(times) if local.faults.fetch_add(1, Ordering::SeqCst) >= times => None,
            _ => Some(fault),
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> HttpResponse {
    let arrived = Instant::now();
    let reply = answer(&shared, request).await;
    play(Arc::clone(&shared.stage), reply, arrived).await
}

/// Which reply the request gets.
async fn answer(shared: &Shared, request: Request) -> Reply {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let id = path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default();
    let Some(local) = shared.locals.get(id) else {
        let body = "{\"error\":{\"message\":\"[sandbox] no such provider here\"}}";
        return Reply::Response(Response::json(404, Bytes::from_static(body.as_bytes()), Duration::ZERO));
    };
    let below = path.get(id.len() + 1..).unwrap_or_default();
    let now = shared.clock.as_ref().map(|clock| clock());
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return shared.refusal(local, 0, &Failure::TooLarge);
    };
    if let Some(google) = local.access.token_endpoint(&head.method, below) {
        let granted = google.lock().map(|mut google| google.exchange(&body, now));
        return granted.map_or_else(|_| shared.refusal(local, 0, &Failure::Server), Reply::Response);
    }
    let route = local.dialect.route(below, query).filter(|_| head.method == Method::POST);
    let ordinal = if route.is_some() { local.requests.fetch_add(1, Ordering::SeqCst) } else { 0 };
    let arrived = Arrived { method: head.method.as_str(), path, query, headers: &head.headers, body: &body };
    if let Err(failure) = local.access.check(arrived, now) {
        return shared.refusal(local, ordinal, &failure);
    }
    if let Some(shown) = local.dialect.shown(below).filter(|_| head.method == Method::GET) {
        return Reply::Response(Response::json(200, shown.to_string().into(), Duration::ZERO));
    }
    let Some(route) = route else {
        let failure = Failure::NoSuchPath { method: head.method.to_string(), path: path.to_owned() };
        return shared.refusal(local, ordinal, &failure);
    };
    let ask = match serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object) {
        Some(body) => local.dialect.ask(&route, &head.headers, &body),
        None => Err(Failure::invalid("We could not parse the JSON body of your request.")),
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(failure) => return shared.refusal(local, ordinal, &failure),
    };
    let first = shared.scenario.singles_out_the_first() && !shared.first_taken.swap(true, Ordering::SeqCst);
    let script = shared.scenario.script(&local.provider.id, first);
    let fault = shared.fault(local, &script, ask.refusable.is_some());
    let cached = local.cached(&ask);
    let asked = Asked { dialect: local.dialect, provider: &local.provider.name, ask: &ask, cached };
    reply(asked, &script, fault, shared.draw(local, ordinal))
}
