//! The gateway over real HTTP: in this process before scripted providers, and as the command before simulated ones.

mod asked;
mod back;
mod cached;
mod carried;
mod chat;
mod command;
mod dialects;
mod ended;
mod fallback;
mod grammar;
mod held;
mod kept;
mod law;
mod lookups;
mod messages;
mod native;
mod outage;
mod pages;
mod pressure;
mod reasoning;
mod refused;
mod renew;
mod responses;
mod sdk;
mod shared;
mod signed;
mod soak;
mod stream;
mod strict;
mod through;
mod tokens;
mod wire;
mod wished;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use openmux::catalog::Catalog;
use openmux::catalog::file::Overlay;
use openmux::dispatch::{Clerk, Owned};
use openmux::gateway::{Config, Gateway, serve};
use openmux::observe::Observation;
use openmux::store::sqlite::Sqlite;
use openmux::store::{Behind, ObservationStore};
use openmux::upstream::auth::{Keyring, Vars};
use openmux::upstream::transport::TransportConfig;
use serde_json::Value;
use tokio::sync::oneshot;

use super::support::overlay::{NAMES, key_variable, serving};
use super::support::schemas;
use super::support::server::Server;

use super::support::clock::now;

/// A gateway before one provider of `acme/tiny` for each scripted server, each dearer than the one before.
#[derive(Debug)]
struct World {
    addr: SocketAddr,
    servers: Vec<Server>,
    /// What it has noted of each request.
    log: Arc<Mutex<Vec<Value>>>,
    folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    hurry: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl World {
    /// With everything as it is usually.
    fn new(servers: Vec<Server>) -> Self {
        Self::with(servers, "openai-chat", |_| {})
    }

    /// Before providers of another protocol, and with another configuration.
    fn with(servers: Vec<Server>, protocol: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::serving(servers.into_iter().map(|server| (server, "tiny")).collect(), protocol, change)
    }

    /// Before providers of whom more is known: this is said of each.
    fn of_whom(servers: Vec<Server>, known: &str, change: impl FnOnce(&mut Config)) -> Self {
        let places = servers.iter().map(|server| (server.base_url(), "tiny")).collect();
        let mut world = Self::knowing(places, "openai-chat", known, change);
        world.servers = servers;
        world
    }

    /// Before providers that serve one model each, `acme/` before its name.
    fn serving(servers: Vec<(Server, &str)>, protocol: &str, change: impl FnOnce(&mut Config)) -> Self {
        let places = servers.iter().map(|(server, model)| (server.base_url(), *model)).collect();
        let mut world = Self::at(places, protocol, change);
        world.servers = servers.into_iter().map(|(server, _)| server).collect();
        world
    }

    /// Before providers at these addresses, each with the model that it serves.
    fn at(places: Vec<(String, &str)>, protocol: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::of(serving(places, protocol), change)
    }

    /// The same, and this is said of each provider.
    fn knowing(places: Vec<(String, &str)>, protocol: &str, known: &str, change: impl FnOnce(&mut Config)) -> Self {
        let names = NAMES.iter().take(places.len());
        let known: String = names.map(|name| format!("[provider.{name}]\n{known}\n")).collect();
        Self::laid(&[serving(places, protocol), known], change)
    }

    /// Before providers of another protocol, of which more is known than usually.
    fn priced(servers: Vec<Server>, protocol: &str, more: impl FnOnce(String) -> String) -> Self {
        let places: Vec<(String, &str)> = servers.iter().map(|server| (server.base_url(), "tiny")).collect();
        let mut world = Self::of(more(serving(places, protocol)), |_| {});
        world.servers = servers;
        world
    }

    /// Before the providers of an overlay.
    fn of(overlay: String, change: impl FnOnce(&mut Config)) -> Self {
        Self::laid(&[overlay], change)
    }

    /// Before the providers of several, one over the other.
    fn laid(overlays: &[String], change: impl FnOnce(&mut Config)) -> Self {
        Self::answering(2, overlays, change)
    }

    /// The same, with so many threads that answer.
    fn answering(threads: usize, overlays: &[String], change: impl FnOnce(&mut Config)) -> Self {
        Self::clocked(now, threads, overlays, change)
    }

    /// The same by another clock.
    fn clocked(
        now: fn() -> jiff::Timestamp,
        threads: usize,
        overlays: &[String],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let read = |(at, text): (usize, &String)| Overlay::parse(&format!("private-{at}.toml"), text).unwrap();
        let overlays = overlays.iter().enumerate().map(read).collect();
        let key = |name: &&str| (key_variable(name), format!("sk-{name}-0123456789"));
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObservationStore> =
            Arc::new(Behind::open(&folder.path().join("obs.db"), Box::new(|_| {})).unwrap().0);
        let owned = Owned {
            clerk: Arc::new(Clerk::new(&store).unwrap()),
            retries: Arc::default(),
            catalog: Catalog::builtin().with_overlays(overlays).unwrap(),
            store,
            keys: Keyring { vars: Vars::new(NAMES.iter().map(key)), ..Keyring::default() },
            now,
            sandbox: None,
            region: None,
            transport: TransportConfig::default(),
        };
        let log = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&log);
        let mut config = Config {
            log: Box::new(move |line| {
                let mut text = String::new();
                line.write(&mut text);
                noted.lock().unwrap().push(serde_json::from_str(&text).unwrap());
            }),
            ..Config::default()
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let ((stop, stopped), (hurry, hurried)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = serve(Gateway::new(owned, config), listener, threads).unwrap();
                let hurried = async {
                    if hurried.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                serving.run(async { drop(stopped.await) }, hurried, Duration::from_secs(20)).await
            })
        });
        Self { addr, servers: Vec::new(), log, folder, stop: Some(stop), hurry: Some(hurry), thread: Some(thread) }
    }

    /// Asks for a chat.
    fn chat(&self, body: &Value) -> Response {
        self.post("/v1/chat/completions", &body.to_string(), &[])
    }

    /// Posts a body.
    fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Response {
        ask(self.addr, "POST", path, body.as_bytes(), headers)
    }

    /// Gets what lies at a path.
    fn get(&self, path: &str) -> Response {
        ask(self.addr, "GET", path, b"", &[])
    }

    /// Sends bytes as they are and reads until the other side closes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The other side may have said no before all is written.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Requests that each server has got.
    fn hits(&self) -> Vec<usize> {
        self.servers.iter().map(Server::hits).collect()
    }

    /// Stops the gateway, and gives every attempt that it has recorded; all of what was under way has ended.
    fn end(mut self) -> (Vec<Observation>, Vec<Value>) {
        drop(self.stop.take());
        assert!(self.thread.take().unwrap().join().unwrap(), "it was drained");
        self.seen()
    }

    /// The same, without waiting for what is under way.
    fn hurry(mut self) -> (Vec<Observation>, Vec<Value>) {
        drop(self.stop.take());
        self.hurry.take().unwrap().send(()).unwrap();
        assert!(!self.thread.take().unwrap().join().unwrap(), "something was left");
        self.seen()
    }

    fn seen(&self) -> (Vec<Observation>, Vec<Value>) {
        let store = Sqlite::open_existing(&self.folder.path().join("obs.db")).unwrap().unwrap();
        let attempts = store.attempts(jiff::Timestamp::MIN, jiff::Timestamp::MAX).unwrap();
        (attempts, std::mem::take(&mut *self.log.lock().unwrap()))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || !matches!(thread, Some(Err(_))), "the gateway panicked");
    }
}

/// What came back.
#[derive(Debug)]
struct Response {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body; a document of ours (`route.explain/1`) is what its schema says.
    fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body));
        if value["schema"].is_string() {
            schemas::assert_kept(&[], &format!("{value}\n"), "");
        }
        value
    }

    /// Whether an error says what to do about it.
    fn is_mended(&self) -> bool {
        let said = serde_json::from_str::<Value>(&self.body).unwrap_or_default();
        let fix = said["error"]["fix"].as_str();
        self.status < 400 || !said["error"].is_object() || fix.is_some_and(|fix| !fix.is_empty())
    }

    /// The error's member of that name.
    fn error(&self, name: &str) -> Value {
        self.json()["error"][name].clone()
    }

    /// The data of each event of a stream.
    fn events(&self) -> Vec<String> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// Status, our own headers and the body as one text, without what differs from run to run.
    fn snapshot(&self) -> String {
        let ours = self.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            name.starts_with("x-openmux") || ["content-type", "retry-after", "allow", "cache-control"].contains(&name)
        });
        let mut ours: Vec<_> = ours.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        ours.sort();
        stable(&format!("{}\n{}\n{}", self.status, ours.concat(), self.body))
    }
}

/// A text without ids, moments and times.
fn stable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let word: String = rest[at..].chars().take_while(char::is_ascii_hexdigit).collect();
        out.push_str(&rest[..at]);
        out.push_str(if word.len() == 32 { "ID" } else { &word });
        rest = &rest[at + word.len()..];
    }
    out.push_str(rest);
    for name in ["created", "created_at", "ttft_ms", "ms"] {
        let key = format!("\"{name}\":");
        let mut parts = out.split(&*key);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let tail = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let value = if tail.len() < part.len() { "N" } else { "" };
            whole = whole + &key + value + tail;
        }
        out = whole;
    }
    out
}

/// One request on a connection of its own.
fn ask(addr: SocketAddr, method: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Response {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("http://{addr}{path}")).body(body.to_vec());
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let response = Response { status, headers, body: response.text().await.unwrap() };
        assert!(response.is_mended(), "an error without a fix: {response:?}");
        response
    })
}

/// A question of one message, with further members.
fn hello(more: Value) -> Value {
    let mut body = serde_json::json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}
