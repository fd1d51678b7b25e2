//! A scripted HTTP/1.1 server on loopback: each request takes the next script, byte by byte as the test says.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::canary::Shown;
pub(crate) use super::script::{Script, Step};

/// How long [`Server::wait_hits`] waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// The number of the connection it came over, from 0.
    pub(crate) connection: usize,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    /// The value of the first header of that (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// A server that runs until it is dropped. A request beyond the scripts is answered with 500, and makes the drop panic:
/// a client that asks more often than the test says is wrong.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    shown: Shown,
}

#[derive(Debug)]
struct State {
    scripts: VecDeque<Script>,
    /// Whether the last script is played again and again.
    repeats: bool,
    requests: Vec<Recorded>,
    unscripted: usize,
    /// How many clients went away in the middle of a response.
    left: usize,
}

/// A port of this machine where nobody listens.
pub(crate) fn closed_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    // Two tests at once would take what the other one starts there for their own.
    loop {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        if GIVEN.lock().expect("nobody panics there").insert(port) {
            return port;
        }
    }
}

impl Server {
    /// Each request takes the next script.
    pub(crate) fn start(scripts: Vec<Script>) -> Self {
        Self::run(scripts, false)
    }

    /// Each request gets the same.
    pub(crate) fn repeating(script: Script) -> Self {
        Self::run(vec![script], true)
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many requests have arrived.
    pub(crate) fn hits(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// Blocks until that many requests have arrived.
    pub(crate) fn wait_hits(&self, count: usize) {
        let (_guard, wait) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), PATIENCE, |state| state.requests.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "{count} requests did not arrive");
    }

    /// Blocks until that many clients went away in the middle of a response.
    pub(crate) fn wait_left(&self, count: usize) {
        let (_guard, wait) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), PATIENCE, |state| state.left < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "{count} clients did not go away");
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    fn run(scripts: Vec<Script>, repeats: bool) -> Self {
        let state = State { scripts: scripts.into(), repeats, requests: Vec::new(), unscripted: 0, left: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), shown: Shown::new() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let addr = listener.local_addr().expect("a listener has an address");
        let (stop, stopped) = oneshot::channel();
        // A thread with a runtime of its own: the tests are blocking, asynchronous, or wait for another process.
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async move {
                    let listener = TcpListener::from_std(listener).expect("a listener");
                    tokio::select! {
                        () = accept(&listener, &shared) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        Self { addr, shared, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().map(JoinHandle::join);
        if std::thread::panicking() {
            return;
        }
        assert!(!matches!(thread, Some(Err(_))), "the server's thread panicked");
        let state = self.shared.lock();
        assert_eq!(state.unscripted, 0, "requests beyond the scripts: {:#?}", state.requests);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: Recorded) -> Script {
        self.shown.note(&request.headers, &request.path, &request.body);
        let mut state = self.lock();
        state.requests.push(request);
        self.changed.notify_all();
        let script = if state.repeats { state.scripts.front().cloned() } else { state.scripts.pop_front() };
        script.unwrap_or_else(|| {
            state.unscripted += 1;
            Script::body(500, "text/plain", "there is no script for this request")
        })
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in 0.. {
        let Ok((socket, _)) = listener.accept().await else { return };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // A client that goes away ends the connection, which is what many tests are about.
            if converse(socket, connection, &shared).await.is_err() {
                shared.lock().left += 1;
                shared.changed.notify_all();
            }
        });
    }
}

async fn converse(mut socket: TcpStream, connection: usize, shared: &Shared) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer, connection).await? {
        let script = shared.next(request);
        let chunked = script.is_chunked();
        socket.write_all(script.head().as_bytes()).await?;
        for step in &script.steps {
            match step {
                Step::Bytes(bytes) if chunked && bytes.is_empty() => {}
                Step::Bytes(bytes) if chunked => {
                    let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                    socket.write_all(&framed).await?;
                }
                Step::Bytes(bytes) => socket.write_all(bytes).await?,
                Step::Pause(gate) => gate.pass().await,
                Step::Open(gate) => gate.open(),
                Step::Sleep(time) => tokio::time::sleep(*time).await,
                Step::Reset => return socket.set_zero_linger(),
                Step::Close => return Ok(()),
                Step::HangForever => return Err(until_gone(&mut socket).await),
            }
        }
        match script.end() {
            Some(end) => socket.write_all(end).await?,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Waits for the client to go away, and says how it did.
async fn until_gone(socket: &mut TcpStream) -> std::io::Error {
    let mut rest = [0; 1024];
    loop {
        match socket.read(&mut rest).await {
            Ok(0) => return std::io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

/// The next request of a connection; `None` where it ended between two.
async fn read_request(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Option<Recorded>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = text.lines();
    let mut start = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Recorded { connection, method, path, headers, body: Vec::new() };
    assert_eq!(request.header("transfer-encoding"), None, "the scripted server reads sized bodies only");
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    while buffer.len() < end + length {
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request.body = buffer[end..end + length].to_vec();
    buffer.drain(..end + length);
    Ok(Some(request))
}

#[cfg(test)]
mod tests {
    use super::super::gate::Gate;
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    async fn post(client: &reqwest::Client, server: &Server) -> reqwest::Response {
        client.post(server.base_url() + "/v1/x?y=1").header("X-Name", "v").body("{\"a\":1}").send().await.unwrap()
    }

    #[test]
    fn requests_are_recorded_and_take_one_script_each() {
        let server = Server::start(vec![
            Script::json(200, &serde_json::json!({"b": 2})).header("x-more", "z"),
            Script::body(404, "text/plain", "no"),
        ]);
        block_on(async {
            let client = reqwest::Client::new();
            let response = post(&client, &server).await;
            assert_eq!(response.headers()["x-more"], "z");
            assert_eq!(response.text().await.unwrap(), "{\"b\":2}");
            assert_eq!(post(&client, &server).await.status(), 404);
        });
        server.wait_hits(2);
        let requests = server.requests();
        assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/v1/x?y=1"));
        assert_eq!((requests[0].header("x-name"), requests[0].json()["a"].as_u64()), (Some("v"), Some(1)));
        assert_eq!(requests[0].connection, requests[1].connection);
    }

    #[test]
    fn a_stream_stops_at_a_gate_until_it_is_opened() {
        let gate = Gate::new();
        let server =
            Server::repeating(Script::stream(vec![Step::bytes("a"), Step::Pause(gate.clone()), Step::bytes("b")]));
        block_on(async {
            let mut response = post(&reqwest::Client::new(), &server).await;
            assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
            gate.wait_reached();
            assert!(tokio::time::timeout(Duration::from_millis(20), response.chunk()).await.is_err());
            gate.open();
            assert_eq!(response.chunk().await.unwrap().unwrap(), "b");
            assert_eq!(response.chunk().await.unwrap(), None);
        });
    }

    #[test]
    fn a_connection_can_end_in_every_way() {
        let server = Server::start(vec![
            Script::stream(vec![Step::bytes("a"), Step::Sleep(Duration::from_millis(1)), Step::Close]),
            Script::stream(vec![Step::Reset]),
            Script::raw(vec![Step::Close]),
            Script::raw(vec![Step::bytes("HTTP/1.1 204 No Content\r\n\r\n")]),
            Script::body(200, "text/plain", "whole").then(Step::Close),
            Script::stream(vec![Step::HangForever]),
        ]);
        block_on(async {
            let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
            let request = || client.post(server.base_url()).send();
            assert!(request().await.unwrap().text().await.is_err());
            // A reset may overtake the head.
            if let Ok(response) = request().await {
                assert!(response.text().await.is_err());
            }
            assert!(request().await.is_err());
            assert_eq!(request().await.unwrap().status(), 204);
            assert_eq!(request().await.unwrap().text().await.unwrap(), "whole");
            let hung = request().await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(20), hung.text()).await.is_err());
        });
    }

    #[test]
    #[should_panic(expected = "requests beyond the scripts")]
    fn a_request_too_many_fails_the_test() {
        let server = Server::start(Vec::new());
        block_on(async { assert_eq!(post(&reqwest::Client::new(), &server).await.status(), 500) });
    }
}
