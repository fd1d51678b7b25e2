//! `GET` and `POST /v1/route/explain`: the decision that a request would meet, before anything is sent.

use serde_json::{Map, Value};

use super::Gateway;
use super::codec::Dialect;
use super::problem::Problem;
use super::run::Wishes;
use crate::catalog::resolve::{Resolved, resolve};
use crate::chat::{ChatRequest, Message, Role};
use crate::dispatch::{Suppose, route_request, shape};
use crate::routing::{Question, RouteRequest};
use crate::units::Tokens;

/// A decision that is to be explained, for whoever has the words.
#[derive(Debug)]
pub struct Explained<'a> {
    /// What it is made of.
    pub question: &'a Question<'a>,
    /// Whether no key at all is set, so that it supposes every key.
    pub supposed: bool,
    /// What could not be read on the way to it.
    pub warning: Option<String>,
}

/// The call that is weighed where none was described.
const SHAPE: [u64; 3] = [1000, 400, 0];

/// Of a query: `model=M` and `tokens=IN/OUT[/CACHED]`.
///
/// # Errors
/// There is no such model, or the query says something else.
pub(super) fn query(gateway: &Gateway, pairs: &[(String, String)]) -> Result<Value, Problem> {
    let (mut model, mut tokens) = (None, SHAPE);
    for (name, value) in pairs {
        match name.as_str() {
            "model" => model = Some(value.as_str()),
            "tokens" => tokens = read(value).ok_or_else(|| Problem::invalid("tokens: not IN/OUT or IN/OUT/CACHED"))?,
            other => return Err(Problem::invalid(&format!("{other}: only model and tokens can be asked with"))),
        }
    }
    let model = model.ok_or_else(|| Problem::invalid("model: missing"))?;
    let resolved = resolve(&gateway.owned.catalog, model).map_err(|error| Problem::no_model(&error))?;
    let wishes = Wishes::of(&gateway.config, &resolved);
    let [input, output, cached] = tokens.map(Tokens::new);
    let chat = ChatRequest::new(resolved.model.clone(), vec![Message::text(Role::User, "")]);
    let route = RouteRequest {
        needs: route_request(&chat, wishes.constraints.clone()).needs,
        ..shape(&resolved.model, input, output, cached, wishes.constraints.clone())
    };
    told(gateway, &resolved, &chat, (route, wishes), false)
}

fn read(text: &str) -> Option<[u64; 3]> {
    let counts = text.split('/').map(|part| part.trim().parse().ok()).collect::<Option<Vec<u64>>>()?;
    match counts[..] {
        [input, output] => Some([input, output, 0]),
        [input, output, cached] => Some([input, output, cached]),
        _ => None,
    }
}

/// Of the body of a chat.
///
/// # Errors
/// The body is no chat, or there is no such model.
pub(super) fn body(gateway: &Gateway, body: &Map<String, Value>) -> Result<Value, Problem> {
    let asked = Dialect::OpenaiChat.read(&http::HeaderMap::new(), body).map_err(|wrong| Problem::invalid(&wrong))?;
    let resolved = resolve(&gateway.owned.catalog, &asked.model).map_err(|error| Problem::no_model(&error))?;
    let chat = ChatRequest { model: resolved.model.clone(), ..asked.request };
    let wishes = Wishes::of(&gateway.config, &resolved);
    let route = route_request(&chat, wishes.constraints.clone());
    told(gateway, &resolved, &chat, (route, wishes), true)
}

fn told(
    gateway: &Gateway,
    resolved: &Resolved,
    chat: &ChatRequest,
    (route, wishes): (RouteRequest, Wishes),
    talks: bool,
) -> Result<Value, Problem> {
    let Some(explain) = &gateway.config.explain else {
        let message = "this gateway explains nothing";
        return Err(Problem::new(http::StatusCode::NOT_FOUND, "not_found", message));
    };
    let dispatcher = gateway.owned.dispatcher();
    let Wishes { constraints, policy, session } = wishes;
    let variant = resolved.variant.as_deref();
    let reaches = dispatcher.reach_wanting(&resolved.model, variant, false, Some(chat), &constraints);
    let route = match dispatcher.talk(session.as_deref(), chat).filter(|_| talks) {
        Some(talk) => dispatcher.recall(route, (talk, chat), &reaches, &policy),
        None => route,
    };
    let seed = dispatcher.store.peek_seed().unwrap_or(0);
    let gathered = dispatcher.gather(&route, Some(chat), &reaches, &policy, Suppose::AllWhereNone);
    let question = Question {
        request: &gathered.request,
        candidates: &gathered.candidates,
        policy: &policy,
        now: gathered.now,
        seed,
    };
    Ok(explain(&Explained { question: &question, supposed: gathered.supposed, warning: gathered.warning.clone() }))
}
