//! A server that streams on an exact schedule and knows to the microsecond when it sent what: the truth that measured
//! times are held against.
//!
//! A thread for each connection, `TCP_NODELAY`, deadlines counted from when the request was there, slept towards and then
//! spun for. The script is the name of the model, `s-<wait ms>-<gap ms>-<tokens>-<mode>`, so that any client can drive it;
//! the protocol is that of the path. Each chunk says in `sent_us` when it was sent, since the server started.

// Tests, benches and a standalone server each use a part of it.
#![expect(clippy::disallowed_methods, reason = "it is a clock")]

mod body;
pub(crate) mod drive;
pub(crate) mod script;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use script::{Script, Speech};

/// A deadline is slept towards until so long before it, then spun for.
const SPIN: Duration = Duration::from_micros(250);
/// How long [`Paced::truth`] waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one request was sent, and when.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    /// When the whole request was there.
    pub(crate) received: Instant,
    /// When each token-bearing event was sent.
    pub(crate) sent: Vec<Instant>,
    /// Which of them is the first of the answer.
    pub(crate) answer: usize,
}

impl Truth {
    /// From the request being there to the first token.
    pub(crate) fn ttft(&self) -> Duration {
        self.sent[0] - self.received
    }

    /// The same to the first token of the answer.
    pub(crate) fn ttfa(&self) -> Duration {
        self.sent[self.answer] - self.received
    }

    /// From the first token to the last.
    pub(crate) fn span(&self) -> Duration {
        self.sent[self.sent.len() - 1] - self.sent[0]
    }
}

/// The server; it runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Paced {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    stop: AtomicBool,
    truths: Mutex<Vec<Truth>>,
    told: Condvar,
}

impl Paced {
    /// On a free port of the loopback.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            began: Instant::now(),
            stop: AtomicBool::new(false),
            truths: Mutex::default(),
            told: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.stop.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A client that goes away ends its connection and nothing else.
                std::thread::spawn(move || converse(&stream, &shared));
            }
        });
        Self { addr, shared }
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What the oldest request was sent that was not asked for yet; waits until it is answered.
    pub(crate) fn truth(&self) -> Truth {
        let truths = self.shared.truths.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.told.wait_timeout_while(truths, PATIENCE, |truths| truths.is_empty());
        let (mut truths, wait) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "no request was answered");
        truths.remove(0)
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = request(&mut reader)? {
        let received = Instant::now();
        let mut writer = stream;
        let Some((script, speech)) = Script::of(&path, &body).zip(Speech::of(&path)) else {
            let body = script::list_of_models();
            let length = body.len();
            write!(
                writer,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )?;
            continue;
        };
        let truth = play(&mut writer, &script, speech, (received, shared.began))?;
        shared.truths.lock().unwrap_or_else(PoisonError::into_inner).push(truth);
        shared.told.notify_all();
    }
    Ok(())
}

/// Sends one answer.
fn play(
    writer: &mut impl Write,
    script: &Script,
    speech: Speech,
    (received, began): (Instant, Instant),
) -> std::io::Result<Truth> {
    let encoding = if script.is_gzipped() { "content-encoding: gzip\r\n" } else { "" };
    let kind = speech.content_type();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{encoding}transfer-encoding: chunked\r\n\r\n");
    let mut body = script.body();
    writer.write_all(head.as_bytes())?;
    let mut truth = Truth { received, sent: Vec::new(), answer: script.first_answer() };
    for moment in script.moments(speech) {
        until(received + moment.at);
        let mut sent = Instant::now();
        let micros = sent.saturating_duration_since(began).as_micros();
        let writes = body.writes(&moment.bytes(micros));
        for (at, write) in writes.iter().enumerate() {
            // What goes in pieces is there with the last one.
            if at > 0 && at + 1 == writes.len() {
                sent = Instant::now();
            }
            writer.write_all(write)?;
        }
        truth.sent.extend(std::iter::repeat_n(sent, moment.tokens));
    }
    for write in body.end() {
        writer.write_all(&write)?;
    }
    Ok(truth)
}

/// Sleeps, then spins: a sleep ends late.
fn until(deadline: Instant) {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > SPIN {
            std::thread::sleep(left - SPIN);
        } else {
            std::hint::spin_loop();
        }
    }
}

/// The path and the body of the next request; `None` where the connection ended.
fn request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut start = String::new();
    if reader.read_line(&mut start)? == 0 {
        return Ok(None);
    }
    let path = start.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((path, body)))
}
