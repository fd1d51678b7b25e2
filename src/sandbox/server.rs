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
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::{Access, Credential};
use super::answer::Draw;
use super::dialect::{Ask, Dialect, Failure, Route, dialect};
use super::fault::Fault;
use super::oauth::Google;
use super::play::{Stage, play, until_stopped};
use super::reply::{Asked, Reply, Response, refusal, reply};
use super::scenario::{Scenario, Script};
use super::served::{Counts, Planned, REFUSED, WHOLE};
use super::sigv4::Arrived;
use crate::catalog::{Auth, Protocol, ProviderId};

/// The largest request body, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// One provider that the sandbox plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxProvider {
    /// Its id, which is also the first part of its path: letters, digits, `.`, `_` and `-`.
    pub id: ProviderId,
    /// Its name for people, which the answers mention.
    pub name: String,
    /// What it speaks, the preferred first, each with how it wants its credential carried, as the catalog says.
    pub spoken: Vec<(Protocol, Auth)>,
}

/// Where one protocol of a local provider is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The protocol.
    pub protocol: Protocol,
    /// What a client appends the protocol's path to (`/chat/completions`, `/messages`, `/models/ID:generateContent`,
    /// `/model/ID/converse`); no trailing slash.
    pub base_url: String,
    /// What a client must show.
    pub credential: Credential,
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
        let places = shared.locals.iter().map(|(name, local)| {
            let address = format!("http://{addr}/{name}");
            let place = |voice: &Voice| Place {
                protocol: voice.protocol,
                base_url: format!("{address}{}", voice.dialect.base()),
                credential: voice.access.credential(&format!("{address}/token")),
            };
            (local.provider.clone(), local.voices.iter().map(place).collect())
        });
        let places = places.collect();
        Ok(Running { addr, places, shared, _stop: stop })
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
        let google = Arc::new(Mutex::new(Google::new(&id, seed)));
        let mut voices = Vec::new();
        for (protocol, auth) in provider.spoken {
            let Some(dialect) = dialect(protocol) else {
                return Err(invalid(format!("the sandbox does not speak {} ({id})", protocol.name())));
            };
            let Some(access) = Access::new(protocol, &auth, &google) else {
                return Err(invalid(format!("the sandbox cannot check the credential of {id}")));
            };
            voices.push(Voice { protocol, dialect, access });
        }
        if voices.is_empty() {
            return Err(invalid(format!("the provider {id} speaks nothing")));
        }
        let local = Local {
            provider: provider.id,
            name: provider.name,
            voices,
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            served: Arc::default(),
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
    /// Where each provider is, the preferred protocol first; never empty.
    pub places: BTreeMap<ProviderId, Vec<Place>>,
    shared: Arc<Shared>,
    /// Dropping it stops the listener and every reply under way.
    _stop: watch::Sender<()>,
}

impl Running {
    /// How many chat requests have reached each provider, those with a bad key or body included.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<ProviderId, u64> {
        let count = |local: &Local| (local.provider.clone(), local.requests.load(Ordering::SeqCst));
        self.shared.locals.values().map(count).collect()
    }

    /// What each provider has served: how many chats came [whole](super::WHOLE), met which fault, by its name, were
    /// [refused](super::REFUSED), or were [left](super::LEFT) by their client. Over HTTP it is `GET /`.
    #[must_use]
    pub fn served(&self) -> BTreeMap<ProviderId, BTreeMap<&'static str, u64>> {
        self.shared.locals.values().map(|local| (local.provider.clone(), local.served.now())).collect()
    }

    /// The name of its scenario.
    #[must_use]
    pub fn scenario(&self) -> &str {
        self.shared.scenario.name()
    }

    /// What its delays, texts and random faults are drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.scenario.seed()
    }

    /// The key file of a service account, whose signed assertions a provider with Google's credentials takes as well; its
    /// key is made at the first call.
    ///
    /// # Errors
    /// The provider has no such credentials, or no key can be made; as a sentence.
    pub fn service_account(&self, provider: &ProviderId) -> Result<String, String> {
        let voices = self.shared.locals.get(provider.as_str()).map_or(&[][..], |local| &local.voices);
        let google = voices.iter().find_map(|voice| match &voice.access {
            Access::Google(google) => Some(google),
            _ => None,
        });
        let google = google.ok_or_else(|| format!("{provider} has no service accounts"))?;
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

/// One protocol of a provider.
struct Voice {
    protocol: Protocol,
    dialect: &'static dyn Dialect,
    access: Access,
}

struct Local {
    provider: ProviderId,
    name: String,
    /// Never none.
    voices: Vec<Voice>,
    /// Chat requests so far; the number of a request is what its randomness is drawn from.
    requests: AtomicU64,
    /// Requests that the provider's fault has hit, where the scenario limits them.
    faults: AtomicU64,
    served: Arc<Counts>,
    /// The marked beginnings that its prompt cache holds.
    cache: Mutex<BTreeSet<u64>>,
}

impl Local {
    /// What a path below the provider's address is, and in which of its protocols; a path that is nothing is so in the
    /// preferred one.
    fn meant(&self, method: &Method, path: &str, query: &str) -> Option<(&Voice, Meant<'_>)> {
        let meant = |voice: &'_ Voice| match *method {
            Method::POST => voice.dialect.route(path, query).map(Meant::Chat),
            Method::GET => voice.dialect.shown(path).map(Meant::Look),
            _ => None,
        };
        let token = self.voices.iter().find_map(|voice| Some((voice, voice.access.token_endpoint(method, path)?)));
        if let Some((voice, google)) = token {
            return Some((voice, Meant::Token(google)));
        }
        let found = self.voices.iter().find_map(|voice| Some((voice, meant(voice)?)));
        found.or_else(|| Some((self.voices.first()?, Meant::Nothing)))
    }

    /// Whether the marked beginning of a request was in the cache; afterwards it is.
    fn cached(&self, ask: &Ask) -> bool {
        let Some(mark) = ask.mark else { return false };
        self.cache.lock().is_ok_and(|mut cache| !cache.insert(mark.hash))
    }
}

/// What a request is about.
enum Meant<'a> {
    Chat(Route),
    /// Something to look at.
    Look(Value),
    /// A token that is asked for.
    Token(&'a Mutex<Google>),
    Nothing,
}

impl Shared {
    /// What the request with that number is drawn from.
    fn draw(&self, local: &Local, ordinal: u64) -> Draw {
        Draw::new(self.scenario.seed(), local.provider.as_str(), ordinal)
    }

    /// The reply to a request that is refused before the scenario is asked.
    fn refusal(&self, local: &Local, dialect: &dyn Dialect, ordinal: u64, failure: &Failure) -> Reply {
        let script = self.scenario.script(&local.provider, false);
        let id = format!("{:016x}", self.draw(local, ordinal).next());
        Reply::Response(refusal(dialect, failure, &script, &id, Duration::ZERO))
    }

    /// The fault that hits this request, counted where the scenario limits its number; else one by chance.
    fn fault(&self, local: &Local, script: &Script, (ordinal, refusable): (u64, bool)) -> Option<Fault> {
        let can = |fault: &Fault| *fault != Fault::RefuseParameter || refusable;
        let told = script.fault.filter(can).filter(|_| match script.times {
            Some(times) => local.faults.fetch_add(1, Ordering::SeqCst) < times,
            None => true,
        });
        // Of its own, lest a fault changes the words of an answer.
        let draw = || Draw::new(!self.scenario.seed(), local.provider.as_str(), ordinal);
        told.or_else(|| script.random.as_ref()?.hit(ordinal, draw()).filter(can))
    }

    /// What there is to be told of the sandbox itself.
    fn told(&self) -> Reply {
        let providers = self.locals.iter().filter(|(_, local)| local.requests.load(Ordering::SeqCst) > 0);
        let providers: BTreeMap<&String, _> = providers.map(|(id, local)| (id, local.served.now())).collect();
        let told = json!({
            "sandbox": self.scenario.name(),
            "seed": self.scenario.seed(),
            "under_way": self.stage.active.load(Ordering::SeqCst),
            "served": providers,
        });
        Reply::Response(Response::json(200, told.to_string().into(), Duration::ZERO))
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> HttpResponse {
    let arrived = Instant::now();
    let reply = answer(&shared, request).await;
    play(Arc::clone(&shared.stage), reply, arrived).await
}

/// Which reply the request gets; of a chat with what it counts as.
async fn answer(shared: &Shared, request: Request) -> (Reply, Option<Planned>) {
    if request.method() == Method::GET && request.uri().path() == "/" {
        return (shared.told(), None);
    }
    let mut planned = None;
    let reply = chosen(shared, request, &mut planned).await;
    (reply, planned)
}

async fn chosen(shared: &Shared, request: Request, planned: &mut Option<Planned>) -> Reply {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let id = path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default();
    let Some(local) = shared.locals.get(id) else {
        let body = "{\"error\":{\"message\":\"[sandbox] no such provider here\"}}";
        return Reply::Response(Response::json(404, Bytes::from_static(body.as_bytes()), Duration::ZERO));
    };
    let below = path.get(id.len() + 1..).unwrap_or_default();
    let Some((voice, meant)) = local.meant(&head.method, below, query) else { return Reply::Silence };
    let refuse = |ordinal, failure| shared.refusal(local, voice.dialect, ordinal, &failure);
    let now = shared.clock.as_ref().map(|clock| clock());
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return refuse(0, Failure::TooLarge);
    };
    if let Meant::Token(google) = meant {
        let granted = google.lock().map(|mut google| google.exchange(&body, now));
        return granted.map_or_else(|_| refuse(0, Failure::Server), Reply::Response);
    }
    let is_chat = matches!(meant, Meant::Chat(_));
    let ordinal = if is_chat { local.requests.fetch_add(1, Ordering::SeqCst) } else { 0 };
    if is_chat {
        *planned = Some(local.served.plan(REFUSED));
    }
    let arrived = Arrived { method: head.method.as_str(), path, query, headers: &head.headers, body: &body };
    if let Err(failure) = voice.access.check(arrived, now) {
        return refuse(ordinal, failure);
    }
    let route = match meant {
        Meant::Chat(route) => route,
        Meant::Look(shown) => {
            return Reply::Response(Response::json(200, shown.to_string().into(), Duration::ZERO));
        }
        Meant::Token(_) | Meant::Nothing => {
            let failure = Failure::NoSuchPath { method: head.method.to_string(), path: path.to_owned() };
            return refuse(ordinal, failure);
        }
    };
    let ask = match serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object) {
        Some(body) => voice.dialect.ask(&route, &head.headers, &body),
        None => Err(Failure::invalid("We could not parse the JSON body of your request.")),
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(failure) => return refuse(ordinal, failure),
    };
    let first = shared.scenario.singles_out_the_first() && !shared.first_taken.swap(true, Ordering::SeqCst);
    let script = shared.scenario.script(&local.provider, first);
    let fault = shared.fault(local, &script, (ordinal, ask.refusable.is_some()));
    planned.iter_mut().for_each(|planned| planned.is(fault.map_or(WHOLE, Fault::name)));
    let cached = local.cached(&ask);
    let asked = Asked { dialect: voice.dialect, provider: &local.name, ask: &ask, cached };
    reply(asked, &script, fault, shared.draw(local, ordinal))
}
