//! A closed loop of clients that do nothing but send the same request and read the answer to its end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is asked, by how many at once, for how long.
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) clients: usize,
    pub(crate) time: Duration,
}

/// Where the gateway takes chats.
pub(crate) const GATEWAY: &str = "/v1/chat/completions";

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Answers that came to their end.
    pub(crate) answers: usize,
    /// How long it all took.
    pub(crate) took: Duration,
    /// From the request to the last byte.
    pub(crate) total: Vec<Duration>,
    /// On the way to the first byte of the body: of a paced answer without what the upstream waited itself.
    pub(crate) first: Vec<Duration>,
    /// How late each piece of a paced answer came.
    pub(crate) late: Vec<Duration>,
    /// How long the last request was on its way to the paced upstream.
    pub(crate) out: Duration,
    /// Answers that were not what they should be.
    pub(crate) wrong: usize,
    pub(crate) example: String,
}

/// A request's body.
pub(crate) fn json(model: &str, stream: bool) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello!"}}],"stream":{stream}}}"#)
}

fn request(port: u16, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The middle one.
pub(crate) fn median(values: &mut [Duration]) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// One request on a connection of its own, with the connection open already.
pub(crate) fn once(port: u16, body: &str) -> Duration {
    let runtime = runtime();
    runtime.block_on(async {
        let mut client = Client::new(port).await;
        let answer = client.ask(&request(port, GATEWAY, body), &mut Seen::default()).await;
        answer.expect("an answer").1
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Load {
    /// Runs it.
    pub(crate) fn run(&self) -> Seen {
        let request = request(self.port, &self.path, &self.body);
        let local = tokio::task::LocalSet::new();
        let began = Instant::now();
        let (port, time, clients) = (self.port, self.time, self.clients);
        let mut all = local.block_on(&runtime(), async move {
            let client = |_| {
                let request = request.clone();
                tokio::task::spawn_local(async move {
                    let mut seen = Seen::default();
                    let mut client = Client::new(port).await;
                    // The first answer opens what is open from then on.
                    let _ = client.ask(&request, &mut Seen::default()).await;
                    let end = Instant::now() + time;
                    while Instant::now() < end {
                        match client.ask(&request, &mut seen).await {
                            Ok((first, total)) => {
                                seen.answers += 1;
                                seen.first.push(first);
                                seen.total.push(total);
                            }
                            Err(what) => {
                                seen.wrong += 1;
                                seen.example = what;
                                client = Client::new(port).await;
                            }
                        }
                    }
                    seen
                })
            };
            let mut all = Seen::default();
            for task in (0..clients).map(client).collect::<Vec<_>>() {
                let seen = task.await.expect("a client");
                all.answers += seen.answers;
                all.total.extend(seen.total);
                all.first.extend(seen.first);
                all.late.extend(seen.late);
                all.wrong += seen.wrong;
                if seen.wrong > 0 {
                    all.example = seen.example;
                }
            }
            all
        });
        all.took = began.elapsed();
        all
    }
}

/// One connection.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn new(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        socket.set_nodelay(true).expect("nodelay");
        Self { socket, buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads the answer: how long until its first byte of the body, and its last.
    async fn ask(&mut self, request: &[u8], seen: &mut Seen) -> Result<(Duration, Duration), String> {
        self.buffer.clear();
        let began = Instant::now();
        self.socket.write_all(request).await.map_err(|error| error.to_string())?;
        let (mut head, mut length, mut first, mut told) = (None, None, None, 0);
        let pieces = seen.late.len();
        loop {
            let read = self.socket.read_buf(&mut self.buffer).await.map_err(|error| error.to_string())?;
            let now = Instant::now();
            let wrong = |buffer: &[u8]| Err(String::from_utf8_lossy(&buffer[..buffer.len().min(600)]).into_owned());
            if read == 0 {
                return wrong(&self.buffer);
            }
            if head.is_none() {
                head = find(&self.buffer, b"\r\n\r\n").map(|at| at + 4);
                if let Some(head) = head {
                    let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
                    if !text.starts_with("http/1.1 200") {
                        return wrong(&self.buffer);
                    }
                    let stated = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                    length = stated.and_then(|stated| stated.parse::<usize>().ok());
                    told = head;
                }
            }
            let Some(head) = head.filter(|head| self.buffer.len() > *head) else { continue };
            let first = *first.get_or_insert(now - began);
            told = late(&self.buffer, told, (began, now), seen);
            let whole = match length {
                Some(length) => self.buffer.len() >= head + length,
                None => self.buffer.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                let streamed = length.is_none() || find(&self.buffer[head..], b"data: ").is_some();
                if streamed && find(&self.buffer[self.buffer.len().saturating_sub(64)..], b"[DONE]").is_none() {
                    return wrong(&self.buffer[self.buffer.len().saturating_sub(600)..]);
                }
                // Both ways of the first piece, where it says when it was asked for.
                let both = seen.late.get(pieces).map(|back| *back + seen.out);
                return Ok((both.unwrap_or(first), now - began));
            }
        }
    }
}

/// Notes how late the pieces beyond `from` came; where the next search begins.
fn late(buffer: &[u8], mut from: usize, (began, now): (Instant, Instant), seen: &mut Seen) -> usize {
    let at = |nanos: u64| crate::paced::start_of_time() + Duration::from_nanos(nanos);
    while let Some(place) = find(&buffer[from..], b"<t") {
        let begin = from + place + 2;
        let Some(end) = find(&buffer[begin..], b">") else { return from + place };
        let stamps = std::str::from_utf8(&buffer[begin..begin + end]).ok().and_then(|text| text.split_once(':'));
        if let Some((Ok(came), Ok(sent))) = stamps.map(|(came, sent)| (came.parse(), sent.parse())) {
            seen.late.push(now.saturating_duration_since(at(sent)));
            seen.out = at(came).saturating_duration_since(began);
        }
        from = begin + end;
    }
    from
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}
