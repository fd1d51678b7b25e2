//! Which path is what.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::client::Client;
use super::codec::Dialect;
use super::problem::Problem;
use super::reply::{Answer, JSON, json, refusal, set, whole};
use super::served::Served;
use super::{Gateway, Worker, chat, count_tokens, cross, explain, generation, guard, intake, models};

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Chat(Dialect),
    /// How many tokens a request of Anthropic's has.
    Count,
    Models,
    Model(String),
    Endpoints(String),
    Explain,
    /// Of the id in the path, else of the query's.
    Generation(Option<String>),
    Metrics,
    Health,
    Ready,
}

/// What paths may lie below: those of hosted gateways below `/api`, and ZenMux's of Anthropic's below `/api/anthropic`. One
/// that another begins with stands behind it.
const BASES: [&str; 3] = ["/api/anthropic", "/anthropic", "/api"];

impl Place {
    /// The place at a path, or at one below a base.
    fn at(path: &str) -> Option<Self> {
        let below = BASES.into_iter().filter_map(|base| path.strip_prefix(base));
        let path = below.into_iter().find(|rest| rest.starts_with("/v1/")).unwrap_or(path);
        let named = |name: &str| percent_decode_str(name).decode_utf8_lossy().into_owned();
        Some(match path {
            "/v1/chat/completions" => Self::Chat(Dialect::OpenaiChat),
            "/v1/responses" => Self::Chat(Dialect::OpenaiResponses),
            "/v1/messages" => Self::Chat(Dialect::AnthropicMessages),
            "/v1/messages/count_tokens" => Self::Count,
            "/v1/models" => Self::Models,
            "/v1/route/explain" => Self::Explain,
            "/v1/generation" => Self::Generation(None),
            "/metrics" => Self::Metrics,
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            _ => match (path.strip_prefix("/v1/models/"), path.strip_prefix("/v1/generation/")) {
                (Some(rest), _) if !rest.is_empty() => match rest.strip_suffix("/endpoints") {
                    Some(name) => Self::Endpoints(named(name)),
                    None => Self::Model(named(rest)),
                },
                (_, Some(id)) if !id.is_empty() => Self::Generation(Some(named(id))),
                _ => return None,
            },
        })
    }

    /// What it can be asked with.
    pub(super) const fn methods(&self) -> &'static str {
        match self {
            Self::Chat(_) | Self::Count => "POST",
            Self::Explain => "GET, POST",
            _ => "GET, HEAD",
        }
    }

    /// Its name for whoever counts.
    const fn route(&self) -> &'static str {
        match self {
            Self::Chat(Dialect::OpenaiChat) => "/v1/chat/completions",
            Self::Chat(Dialect::OpenaiResponses) => "/v1/responses",
            Self::Chat(Dialect::AnthropicMessages) => "/v1/messages",
            Self::Count => "/v1/messages/count_tokens",
            Self::Models => "/v1/models",
            Self::Model(_) => "/v1/models/{model}",
            Self::Endpoints(_) => "/v1/models/{model}/endpoints",
            Self::Explain => "/v1/route/explain",
            Self::Generation(_) => "/v1/generation/{id}",
            Self::Metrics => "/metrics",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
        }
    }

    /// Whether anybody who can reach it may ask: it tells nothing but that it lives.
    const fn is_open(&self) -> bool {
        matches!(self, Self::Health | Self::Ready)
    }
}

/// Answers one request, and a page in a browser so that it may read that.
pub(super) async fn answer(worker: Rc<Worker>, request: Request<Incoming>) -> Answer {
    let page = guard::page(&worker.gateway.config, request.headers()).cloned();
    let mut response = answered(worker, request).await;
    if let Some(page) = page {
        cross::share(&mut response, page);
    }
    response
}

async fn answered(worker: Rc<Worker>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let mut served = Served::new(&worker.gateway, request.method().as_str(), path);
    let place = Place::at(path);
    served.route(place.as_ref().map_or("", Place::route));
    let dialect = spoken(place.as_ref(), &request);
    if let Some(place) = place.as_ref().filter(|_| cross::is_question(&request)) {
        let answer = cross::answer(&worker.gateway.config, request.headers(), place.methods());
        return told(answer, dialect, &mut served);
    }
    let admitted = admitted(&worker.gateway, place.as_ref(), &request, &mut served);
    if let Err(problem) = admitted {
        served.refused(&problem);
        let mut response = refusal(dialect, &problem, None);
        if let Some(place) = place.filter(|_| problem.status == StatusCode::METHOD_NOT_ALLOWED) {
            set(&mut response, header::ALLOW, place.methods());
        }
        return response;
    }
    if let Some(Place::Chat(dialect)) = place {
        return chat::answer(worker, dialect, request, served).await;
    }
    let found = match place {
        Some(place) => looked_up(&worker, (place, dialect), request, served.client().cloned()).await,
        // It was not admitted.
        None => Err(nothing(&request)),
    };
    told(found, dialect, &mut served)
}

/// What was found, or why nothing was.
fn told(found: Result<Answer, Problem>, dialect: Dialect, served: &mut Served) -> Answer {
    found.inspect(|response| served.status(response.status())).unwrap_or_else(|problem| {
        served.refused(&problem);
        refusal(dialect, &problem, None)
    })
}

/// The dialect of whoever asks. Anthropic's clients name their version wherever they ask, and show their key in a header of
/// their own.
fn spoken(place: Option<&Place>, request: &Request<Incoming>) -> Dialect {
    let (path, headers) = (request.uri().path(), request.headers());
    let has = |name: &str| headers.contains_key(name);
    match place {
        Some(Place::Chat(dialect)) => *dialect,
        Some(Place::Count) => Dialect::AnthropicMessages,
        _ if has("anthropic-version") || (has("x-api-key") && !has("authorization")) => Dialect::AnthropicMessages,
        _ if path.starts_with("/anthropic/") || path.starts_with("/api/anthropic/") => Dialect::AnthropicMessages,
        _ => Dialect::OpenaiChat,
    }
}

/// Whether it is there, may be asked, and is asked as it wants to be.
fn admitted(
    gateway: &Gateway,
    place: Option<&Place>,
    request: &Request<Incoming>,
    served: &mut Served,
) -> Result<(), Problem> {
    if !place.is_some_and(Place::is_open) {
        served.asked_by(guard::admit(&gateway.config, request.headers())?);
    }
    let place = place.ok_or_else(|| nothing(request))?;
    if place.methods().split(", ").any(|method| method == request.method().as_str()) {
        return Ok(());
    }
    let message = format!("{} is asked with {}, not with {}", place.route(), place.methods(), request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    Err(problem.fix(format!("ask with {}", place.methods().replace(", ", " or "))))
}

fn nothing(request: &Request<Incoming>) -> Problem {
    let shown: String = request.uri().path().chars().take(200).collect();
    let message = format!("there is nothing at {} {shown}", request.method());
    Problem::new(StatusCode::NOT_FOUND, "not_found", message).fix(cure(request.uri().path()))
}

/// What to do about a path that is none: most are a base URL with a part too many or too few.
fn cure(path: &str) -> String {
    let bare = BASES.into_iter().find_map(|base| path.strip_prefix(base));
    let bare = bare.unwrap_or(path).trim_end_matches('/');
    let bare = bare.strip_prefix("/v1").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(bare);
    let whole = if bare.starts_with("/v1/") { bare.to_owned() } else { format!("/v1{bare}") };
    match Place::at(&whole) {
        Some(_) if !bare.is_empty() => {
            format!(
                "ask {whole}: the base URL ends in /v1 for clients of OpenAI, and has no /v1 for those of Anthropic"
            )
        }
        _ if bare.is_empty() => {
            "this is where paths begin: POST /v1/chat/completions, /v1/responses or /v1/messages".to_owned()
        }
        _ => "only chats are served: POST /v1/chat/completions, /v1/responses or /v1/messages".to_owned(),
    }
}

/// Everything but chats: what is looked up. What takes long keeps no other request of this thread waiting.
async fn looked_up(
    worker: &Worker,
    (place, dialect): (Place, Dialect),
    request: Request<Incoming>,
    client: Option<Arc<Client>>,
) -> Result<Answer, Problem> {
    let gateway = Arc::clone(&worker.gateway);
    let query = request.uri().query().map(pairs).unwrap_or_default();
    let told = match place {
        Place::Chat(_) => return Err(nothing(&request)),
        Place::Health => return Ok(lives(worker, true)),
        Place::Ready => return Ok(lives(worker, !*worker.draining.borrow())),
        Place::Metrics => {
            let store = gateway.owned.store.as_ref();
            let text = match &client {
                // What others ask, and what that costs, is no business of theirs.
                Some(client) if !client.allowance.all_metrics => gateway.metrics.of(&client.name, store),
                _ => gateway.metrics.text(gateway.under_way.taken(), store),
            };
            return Ok(whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text));
        }
        Place::Models if dialect == Dialect::AnthropicMessages => {
            aside(move || models::page(&gateway, client.as_deref(), &query)).await?
        }
        Place::Models => return models_document(gateway, client).await,
        Place::Model(name) if dialect == Dialect::AnthropicMessages => {
            aside(move || models::of_one(&gateway, client.as_deref(), &name)).await?
        }
        Place::Model(name) => aside(move || models::one(&gateway, client.as_deref(), &name)).await?,
        Place::Endpoints(name) => aside(move || models::endpoints(&gateway, client.as_deref(), &name)).await?,
        Place::Count => {
            let (head, body) = request.into_parts();
            let (_held, body) = intake::object(&gateway, &head.headers, body).await?;
            return count_tokens::answer(&gateway, client.as_ref(), &head.headers, body).await;
        }
        Place::Explain if request.method() == Method::POST => {
            let (head, body) = request.into_parts();
            let (held, body) = intake::object(&gateway, &head.headers, body).await?;
            aside(move || {
                let _held = held;
                explain::body(&gateway, client.as_ref(), (&head.headers, &query), body)
            })
            .await?
        }
        Place::Explain => aside(move || explain::query(&gateway, client.as_ref(), &query)).await?,
        Place::Generation(id) => {
            let asked = id.or_else(|| query.into_iter().find(|(name, _)| name == "id").map(|(_, id)| id));
            aside(move || generation::one(&gateway, client.as_deref(), &asked.unwrap_or_default())).await?
        }
    };
    Ok(json(StatusCode::OK, &told))
}

/// Looks something up on a thread of its own.
async fn aside(look: impl FnOnce() -> Result<Value, Problem> + Send + 'static) -> Result<Value, Problem> {
    spawn_blocking(look).await.unwrap_or_else(|_| Err(broken()))
}

fn broken() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "this is a bug in openmux").fix("please report it")
}

/// The list of models: the same for all who may ask everything.
async fn models_document(gateway: Arc<Gateway>, client: Option<Arc<Client>>) -> Result<Answer, Problem> {
    let client = client.filter(|client| client.is_narrowed());
    let known = gateway.models.get().filter(|_| client.is_none()).cloned();
    let document = match known {
        Some(document) => document,
        None => {
            let made = move || {
                let make = || Bytes::from(models::list(&gateway, client.as_deref()).to_string());
                if client.is_some() { make() } else { gateway.models.get_or_init(make).clone() }
            };
            spawn_blocking(made).await.map_err(|_| broken())?
        }
    };
    Ok(whole(StatusCode::OK, JSON, document))
}

fn lives(worker: &Worker, well: bool) -> Answer {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if well { "ok" } else { "draining" };
    let mut told = serde_json::json!({ "status": word, "under_way": worker.gateway.under_way.taken() });
    // It is ready without the others, too.
    if let Some(sharing) = worker.gateway.owned.store.sharing() {
        told["sharing"] = serde_json::json!({ "through": sharing.through, "up": sharing.up });
    }
    json(status, &told)
}

/// The pairs of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    let text = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (text(name), text(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_slashes_in_their_names() {
        assert_eq!(Place::at("/v1/models/a/b"), Some(Place::Model("a/b".to_owned())));
        assert_eq!(Place::at("/api/v1/models/a%2Fb/endpoints"), Some(Place::Endpoints("a/b".to_owned())));
        assert_eq!(Place::at("/v1/models"), Some(Place::Models));
        assert_eq!(Place::at("/api/models"), None);
        for base in ["", "/api", "/api/anthropic", "/anthropic"] {
            let messages = Place::at(&format!("{base}/v1/messages"));
            assert_eq!(messages, Some(Place::Chat(Dialect::AnthropicMessages)), "{base}");
        }
        assert_eq!(Place::at("/api/anthropic/v1/messages/count_tokens"), Some(Place::Count));
        assert_eq!(Place::at("/anthropic/messages"), None);
        assert_eq!(Place::at("/v1/models/"), None);
        for (path, asked) in [
            ("/chat/completions", "ask /v1/chat/completions: "),
            ("/api/v1/v1/messages", "ask /v1/messages: "),
            ("/v1", "this is where paths begin"),
            ("/api/", "this is where paths begin"),
            ("/v1/embeddings", "only chats are served"),
            ("/v1beta/models/x", "only chats are served"),
        ] {
            assert!(cure(path).starts_with(asked), "{path}: {}", cure(path));
        }
        assert_eq!(Place::at("/v1/generation/x"), Some(Place::Generation(Some("x".to_owned()))));
        assert_eq!(
            pairs("model=a%2Fb&tokens=1/2&x"),
            [("model", "a/b"), ("tokens", "1/2"), ("x", "")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
