//! A chat over HTTP, in whatever dialect it is asked: read, decided, answered at once or as it comes.

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use super::codec::{Dialect, Voice, options};
use super::count::Held;
use super::decided::Decided;
use super::problem::Problem;
use super::reply::{Answer, Answering, JSON, Reply, refusal, set, whole};
use super::run::{Run, Said, ended};
use super::served::Served;
use super::{Worker, intake};
use crate::dispatch::ChatReport;

/// What OpenAI's clients and what Anthropic's call the id of a request.
const REQUEST: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];
const PROVIDER: HeaderName = HeaderName::from_static("x-openmux-provider");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-openmux-attempts");
const DECISION: HeaderName = HeaderName::from_static("x-openmux-decision-id");
const COST: HeaderName = HeaderName::from_static("x-openmux-cost");
const DROPPED: HeaderName = HeaderName::from_static("x-openmux-dropped");
/// The model that answers, where it is not the one that was asked for.
const FALLBACK: HeaderName = HeaderName::from_static("x-openmux-fallback");
/// What of the request's options is not done.
const WARNING: HeaderName = HeaderName::from_static("x-openmux-warning");
/// Asks for the routing in the body: `enabled`.
const METADATA: &str = "x-openmux-metadata";

/// Answers one request.
pub(super) async fn answer(
    worker: Rc<Worker>,
    dialect: Dialect,
    request: Request<Incoming>,
    mut served: Served,
) -> Answer {
    let (head, body) = request.into_parts();
    match begin(&worker, &mut served, dialect, &head.headers, body).await {
        Ok((held, begun)) if begun.decided.request.stream => stream(&worker, held, begun, served).await,
        Ok((_held, begun)) => at_once(&worker, begun, served).await,
        Err(problem) => {
            served.refused(&problem);
            refusal(dialect, &problem, None)
        }
    }
}

/// A request that was read and decided.
struct Begun {
    decided: Rc<Decided>,
    dialect: Dialect,
    voice: Box<dyn Voice>,
    metadata: bool,
}

async fn begin(
    worker: &Worker,
    served: &mut Served,
    dialect: Dialect,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(Held, Begun), Problem> {
    let gateway = &worker.gateway;
    let (held, mut body) = intake::object(gateway, headers, body).await?;
    if let Some(Value::String(model)) = body.get("model") {
        served.names(model);
    }
    let options = options::take(&mut body, headers, &gateway.owned.catalog).map_err(Problem::refused)?;
    let mut asked = dialect.read(headers, &body).map_err(|wrong| Problem::invalid(&wrong))?;
    if options.include_usage {
        asked.voice.include_usage();
    }
    let decided = Decided::new(gateway, served.client(), asked.request, options).await?;
    let metadata = headers.get(METADATA).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"enabled"));
    Ok((held, Begun { decided, dialect, voice: asked.voice, metadata }))
}

/// The whole answer, once it is there.
async fn at_once(worker: &Rc<Worker>, begun: Begun, served: Served) -> Answer {
    let mut run = Run::start(worker, begun.decided, served);
    let report = run.ended().await;
    let decided = Rc::clone(&run.decided);
    let mut response = match report.answered() {
        Some(answered) => {
            let ended = ended(&run, &report, answered, begun.metadata);
            let event = |said| match said {
                Said::Event(event) => Some(event),
                // What is not streamed has none.
                Said::Seam(_) => None,
            };
            let events: Vec<_> = run.take().into_iter().filter_map(event).collect();
            let mut response = whole(StatusCode::OK, JSON, begun.voice.whole(&events, &ended));
            set(&mut response, PROVIDER, answered.endpoint.provider.as_str());
            if let Some(cost) = ended.cost {
                set(&mut response, COST, &cost.exact());
            }
            say_dropped(&ended.dropped, &mut response);
            response
        }
        None => failure(begun.dialect, &mut run, &report),
    };
    set(&mut response, ATTEMPTS, &report.attempts.len().to_string());
    identify(&mut response, &decided);
    run.status(response.status());
    response
}

/// The answer as it comes.
async fn stream(worker: &Rc<Worker>, held: Held, begun: Begun, served: Served) -> Answer {
    let mut run = Run::start(worker, begun.decided, served);
    // Whoever does not begin in time has not failed yet: comments keep the stream open.
    let quiet = worker.gateway.config.quiet;
    let report = timeout(quiet, run.begun()).await.unwrap_or(None);
    let decided = Rc::clone(&run.decided);
    if let Some(report) = report.as_ref().filter(|report| report.answered().is_none() && !run.has_events()) {
        let mut response = failure(begun.dialect, &mut run, report);
        set(&mut response, ATTEMPTS, &report.attempts.len().to_string());
        identify(&mut response, &decided);
        return response;
    }
    let (id, model) = (decided.hex(), decided.request.model.as_str());
    let mut stream = begun.voice.stream(&id, decided.created(), model);
    stream.expects(decided.decision.request.input);
    // Of whom has said nothing yet somebody else may still take the place.
    let known = run.has_events().then(|| (run.so_far(), run.dropped_now()));
    run.status(StatusCode::OK);
    let answering = Answering::new((run, report), stream, (begun.metadata, quiet), held);
    let mut response = Response::new(Reply::Stream(Box::new(answering)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // What nginx is told, lest it gather events.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if let Some(((attempts, provider), dropped)) = known {
        set(&mut response, PROVIDER, &provider);
        set(&mut response, ATTEMPTS, &attempts.to_string());
        say_dropped(&dropped, &mut response);
    }
    identify(&mut response, &decided);
    response
}

/// Nobody has answered.
fn failure(dialect: Dialect, run: &mut Run, report: &ChatReport) -> Answer {
    let decided = Rc::clone(&run.decided);
    let problem = Problem::failed(report, &decided.decision, &decided.request.model);
    run.refused(&problem);
    refusal(dialect, &problem, Some(&decided.hex()))
}

/// By which id it can be asked for later; whether another model answered than was asked for; what was not done.
fn identify(response: &mut Answer, decided: &Decided) {
    if let Ok(id) = HeaderValue::try_from(decided.hex()) {
        for name in REQUEST.into_iter().chain([DECISION]) {
            response.headers_mut().insert(name, id.clone());
        }
    }
    if !decided.fallen.is_empty() {
        set(response, FALLBACK, decided.request.model.as_str());
    }
    if !decided.wishes.warnings.is_empty() {
        set(response, WARNING, &decided.wishes.warnings.join("; "));
    }
}

/// Names what the provider was not told, because it does not take it.
fn say_dropped(dropped: &[String], response: &mut Answer) {
    if !dropped.is_empty() {
        set(response, DROPPED, &dropped.join(", "));
    }
}
