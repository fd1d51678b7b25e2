//! A whole reply as a plain value: which bytes after which delay, and how it ends. No clock and no socket.

use std::time::Duration;

use bytes::Bytes;

use super::answer::{Draw, blocks, limited};
use super::dialect::{Answer, Ask, Dialect, Event, Failure, Finish, Kind};
use super::fault::Fault;
use super::scenario::Script;

/// What goes back for one request. Every delay counts from the arrival of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing, ever.
    Silence,
    /// A response.
    Response(Response),
}

/// The head of a response and the schedule of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// When the head is sent.
    pub(super) head_after: Duration,
    /// The body.
    pub(super) parts: Vec<Part>,
    /// How the body ends.
    pub(super) end: End,
    /// When it ends; not before the last part.
    pub(super) end_after: Duration,
}

/// Bytes of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) after: Duration,
    pub(super) bytes: Bytes,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As HTTP says it should.
    Clean,
    /// The socket is closed although more was promised.
    Cut,
    /// Never: the connection stays open and silent.
    Hang,
}

/// The page that a proxy puts in front of a provider that is down.
const HTML_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>openmux-sandbox</center>\r\n</body>\r\n</html>\r\n";

/// One request that is well formed, and who answers it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) dialect: &'a dyn Dialect,
    /// The provider's name for people.
    pub(super) provider: &'a str,
    pub(super) ask: &'a Ask,
    /// Whether its marked beginning is in the prompt cache.
    pub(super) cached: bool,
}

/// The reply to a request. `fault` is the script's, unless its number of times is used up.
pub(super) fn reply(asked: Asked<'_>, script: &Script, fault: Option<Fault>, mut draw: Draw) -> Reply {
    let Asked { dialect, provider, ask, cached } = asked;
    let pace = Pace::new(script, &mut draw);
    let id = format!("{:016x}", draw.next());
    let failed = |failure| Reply::Response(refusal(dialect, &failure, script, &id, pace.ttft / 4));
    let refused = match fault {
        Some(Fault::NeverAnswer) => return Reply::Silence,
        Some(Fault::Html502) => return Reply::Response(html_502(pace.ttft / 4)),
        Some(Fault::Unauthorized) => Some(Failure::WrongKey),
        Some(Fault::NotFound) => Some(Failure::NoSuchModel { model: ask.model.clone() }),
        Some(Fault::RateLimit) => {
            Some(Failure::RateLimited { model: ask.model.clone(), retry_after_s: script.retry_after_s })
        }
        Some(Fault::Quota) => Some(Failure::Quota),
        Some(Fault::ServerError) => Some(Failure::Server),
        Some(Fault::Overloaded) => Some(Failure::Overloaded),
        Some(Fault::RefuseParameter) => ask.refusable.map(|parameter| Failure::Unsupported { parameter }),
        _ => None,
    };
    if let Some(failure) = refused {
        return failed(failure);
    }
    let limit = ask.max_tokens.unwrap_or(u64::MAX);
    let cut = fault.filter(|fault| *fault == Fault::Length).and(script.fault_after_tokens).unwrap_or(u64::MAX);
    let mut blocks = blocks(provider, &ask.wants, script.tokens, &mut draw);
    let is_cut = limited(&mut blocks, limit.min(cut));
    let finish = match fault {
        Some(Fault::EndWithoutDone) => Finish::Unsaid,
        Some(Fault::Length) => Finish::Length,
        _ if is_cut => Finish::Length,
        _ if blocks.iter().any(|block| matches!(block.kind, Kind::Call { .. })) => Finish::ToolCalls,
        _ => Finish::Stop,
    };
    let answer = Answer { ask, id, blocks, finish, reports_usage: script.reports_usage, cached };
    let mut response = if ask.stream {
        streamed(dialect, &answer, script, fault, &pace)
    } else {
        unstreamed(dialect, &answer, script, fault, &pace)
    };
    response.headers.push((dialect.request_id_header(), format!("req_{}", answer.id)));
    Reply::Response(response)
}

/// The envelope of a failure as a response of its own.
pub(super) fn refusal(
    dialect: &dyn Dialect,
    failure: &Failure,
    script: &Script,
    id: &str,
    after: Duration,
) -> Response {
    let request_id = format!("req_{id}");
    let envelope = dialect.failure(failure, &request_id);
    let mut response = Response::json(envelope.status, envelope.body.to_string().into(), after);
    response.headers.extend(envelope.headers);
    response.headers.push((dialect.request_id_header(), request_id));
    if let (Failure::RateLimited { .. } | Failure::Overloaded, Some(seconds)) = (failure, script.retry_after_s)
        && dialect.has_retry_after()
    {
        response.headers.push(("retry-after", seconds.to_string()));
    }
    response
}

impl Response {
    /// JSON at once and whole.
    pub(super) fn json(status: u16, body: Bytes, after: Duration) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned()), ("content-length", body.len().to_string())],
            head_after: after,
            parts: vec![Part { after, bytes: body }],
            end: End::Clean,
            end_after: after,
        }
    }
}

fn html_502(after: Duration) -> Response {
    let mut response = Response::json(502, Bytes::from_static(HTML_502.as_bytes()), after);
    response.headers[0].1 = "text/html".to_owned();
    response
}

/// When each token is due.
struct Pace {
    ttft: Duration,
    microtokens_per_second: u64,
}

impl Pace {
    fn new(script: &Script, draw: &mut Draw) -> Self {
        let ttft = Duration::from_millis(draw.within(script.ttft_low_ms, script.ttft_high_ms));
        Self { ttft, microtokens_per_second: script.microtokens_per_second.max(1) }
    }

    /// When the token at `index` is due.
    fn token(&self, index: usize) -> Duration {
        let nanos = index as u128 * 1_000_000_000_000_000 / u128::from(self.microtokens_per_second);
        self.ttft.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// Head and opening come half-way to the first token: neither of them is one, and a client must not take them for it.
fn streamed(
    dialect: &dyn Dialect,
    answer: &Answer<'_>,
    script: &Script,
    fault: Option<Fault>,
    pace: &Pace,
) -> Response {
    let head_after = pace.ttft / 2;
    let framing = dialect.framing();
    let mut response = Response {
        status: 200,
        headers: vec![("content-type", framing.content_type().to_owned()), ("cache-control", "no-cache".to_owned())],
        head_after,
        parts: Vec::new(),
        end: End::Clean,
        end_after: head_after,
    };
    match fault {
        Some(Fault::Empty) => return response,
        Some(Fault::HangAfterHeaders) => {
            response.end = End::Hang;
            return response;
        }
        _ => {}
    }
    let stream = dialect.stream(answer);
    let all = stream.tokens.len();
    let set = script.fault_after_tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX).min(all));
    let half = set.unwrap_or(all / 2);
    let sent = match fault {
        Some(Fault::CloseMidStream | Fault::ErrorEventMidStream | Fault::StallMidStream) => half,
        Some(Fault::EndWithoutDone) => set.unwrap_or(all),
        _ => all,
    };
    let (before, broken) = (stream.events_before(sent), fault == Some(Fault::Malformed));
    let mut tokens = stream.tokens;
    if broken {
        break_one(&mut tokens, half.min(all.saturating_sub(1)));
    }
    let mut push = |after: Duration, events: &[Event]| {
        if !events.is_empty() {
            response.parts.push(Part { after, bytes: framing.bytes(events).into() });
        }
    };
    push(head_after, &stream.opening);
    for (index, events) in tokens.iter().take(sent).enumerate() {
        push(pace.token(index), events);
    }
    response.end_after = pace.token(sent);
    let tail = match fault {
        Some(Fault::CloseMidStream) => {
            response.end = End::Cut;
            return response;
        }
        Some(Fault::StallMidStream) => {
            stall(&mut response, script);
            return response;
        }
        Some(Fault::EndWithoutDone) => return response,
        Some(Fault::ErrorEventMidStream) => {
            dialect.error_events(&Failure::Overloaded, &format!("req_{}", answer.id), before)
        }
        _ => {
            // A complete answer ends right after its last token.
            response.end_after = pace.token(sent.saturating_sub(1));
            stream.closing
        }
    };
    response.parts.push(Part { after: response.end_after, bytes: framing.bytes(&tail).into() });
    response
}

/// Breaks the payload of one event: the last one of the token at `index`, or of the first after it that sends any.
fn break_one(tokens: &mut [Vec<Event>], index: usize) {
    let Some(events) = tokens.iter_mut().skip(index).find(|events| !events.is_empty()) else { return };
    if let Some(event) = events.pop() {
        events.push(event.broken());
    }
}

/// Nothing more comes; where the scenario says how long that lasts, the connection is closed then.
fn stall(response: &mut Response, script: &Script) {
    response.end = script.stall.map_or(End::Hang, |_| End::Cut);
    response.end_after = response.end_after.saturating_add(script.stall.unwrap_or_default());
}

fn unstreamed(
    dialect: &dyn Dialect,
    answer: &Answer<'_>,
    script: &Script,
    fault: Option<Fault>,
    pace: &Pace,
) -> Response {
    let after = pace.token(usize::try_from(answer.output_tokens()).unwrap_or(usize::MAX).saturating_sub(1));
    let body = match fault {
        Some(Fault::ErrorEventMidStream) => dialect.failure(&Failure::Overloaded, &format!("req_{}", answer.id)).body,
        _ => dialect.whole(answer),
    };
    let body = Bytes::from(body.to_string());
    let half = body.slice(..body.len() / 2);
    let mut response = match fault {
        Some(Fault::Empty) => Response::json(200, Bytes::new(), after),
        Some(Fault::Malformed) => Response::json(200, half.clone(), after),
        _ => Response::json(200, body, after),
    };
    match fault {
        Some(Fault::CloseMidStream) => {
            response.parts[0].bytes = half;
            response.end = End::Cut;
        }
        Some(Fault::StallMidStream) => {
            response.parts[0].bytes = half;
            stall(&mut response, script);
        }
        Some(Fault::HangAfterHeaders) => {
            response.parts.clear();
            response.end = End::Hang;
        }
        _ => {}
    }
    response
}
