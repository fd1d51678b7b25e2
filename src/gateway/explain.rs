//! `GET` and `POST /v1/route/explain`: the decision that a request would meet, before anything is sent.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::Gateway;
use super::client::Client;
use super::codec::Dialect;
use super::codec::options::{self, Options};
use super::decided::{Asking, Link, of_model};
use super::problem::Problem;
use crate::catalog::ModelId;
use crate::chat::{ChatRequest, Message, Role};
use crate::dispatch::{Prepared, Suppose, Turn, route_request, shape};
use crate::routing::{Constraints, Decision, Hedge, Question, RouteRequest, Unhedged};
use crate::units::Tokens;

/// A decision that is to be explained, for whoever has the words.
#[derive(Debug)]
pub struct Explained<'a> {
    /// What it is made of.
    pub question: &'a Question<'a>,
    /// Whether no key at all is set, so that it supposes every key.
    pub supposed: bool,
    /// What could not be read on the way to it, and what is not done though it was asked for.
    pub warnings: Vec<String>,
    /// The decisions for the models that are asked after it.
    pub fallback: Vec<Decision>,
    /// Whom to ask beside the first, where that is wished.
    pub hedge: Option<Result<Hedge, Unhedged>>,
}

/// The call that is weighed where none was described.
const SHAPE: [u64; 3] = [1000, 400, 0];

/// Of a query: `model=M` and `tokens=IN/OUT[/CACHED]`.
///
/// # Errors
/// There is no such model, or the query says something else.
pub(super) fn query(
    gateway: &Gateway,
    client: Option<&Arc<Client>>,
    pairs: &[(String, String)],
) -> Result<Value, Problem> {
    let (mut model, mut tokens) = (None, SHAPE);
    for (name, value) in pairs {
        match name.as_str() {
            "model" => model = Some(value.as_str()),
            "tokens" => {
                tokens = read(value)
                    .ok_or_else(|| Problem::invalid("tokens: not IN/OUT or IN/OUT/CACHED").fix("tokens=1000/400"))?
            }
            other => return Err(Problem::invalid(&format!("{other}: only model and tokens can be asked with"))),
        }
    }
    let model = model.ok_or_else(|| Problem::invalid("model: missing"))?;
    let asking =
        Asking::new(gateway, client, (model, Options::default()), gateway.owned.store.peek_seed().unwrap_or(0))?;
    let chat = ChatRequest::new(ModelId::new(model), vec![Message::text(Role::User, "")]);
    told(gateway, asking, &chat, Some(tokens.map(Tokens::new)))
}

fn read(text: &str) -> Option<[u64; 3]> {
    let counts = text.split('/').map(|part| part.trim().parse().ok()).collect::<Option<Vec<u64>>>()?;
    match counts[..] {
        [input, output] => Some([input, output, 0]),
        [input, output, cached] => Some([input, output, cached]),
        _ => None,
    }
}

/// Of the body of a chat, in the dialect that the query names, else in the one that it looks like.
///
/// # Errors
/// The body is no chat, or there is no such model.
pub(super) fn body(
    gateway: &Gateway,
    client: Option<&Arc<Client>>,
    (headers, pairs): (&HeaderMap, &[(String, String)]),
    mut body: Map<String, Value>,
) -> Result<Value, Problem> {
    let dialect = dialect(headers, pairs, &body)?;
    let options = options::take(&mut body, headers, &gateway.owned.catalog).map_err(Problem::refused)?;
    let asked = dialect.read(headers, &body).map_err(|wrong| Problem::invalid(&wrong))?;
    let seed = gateway.owned.store.peek_seed().unwrap_or(0);
    let asking = Asking::new(gateway, client, (&asked.model, options), seed)?;
    let (total, first_token) = (asking.wishes.total, asking.wishes.first_token);
    let mut document = told(gateway, asking, &asked.request, None)?;
    if let Some(document) = document.as_object_mut() {
        let time = |time: Option<Duration>| time.map_or(Value::Null, |time| time.as_secs_f64().into());
        let limits = serde_json::json!({ "total_s": time(total), "first_token_s": time(first_token.flatten()) });
        document.insert("limits".to_owned(), limits);
    }
    Ok(document)
}

/// The dialect of a body: `dialect=` of the query says it. Else Anthropic's clients name their version in a header, and only
/// Responses has an `input` in place of messages.
fn dialect(headers: &HeaderMap, pairs: &[(String, String)], body: &Map<String, Value>) -> Result<Dialect, Problem> {
    const WORDS: [(&str, Dialect); 3] = [
        ("chat", Dialect::OpenaiChat),
        ("responses", Dialect::OpenaiResponses),
        ("messages", Dialect::AnthropicMessages),
    ];
    if let Some((other, _)) = pairs.iter().find(|(name, _)| name != "dialect") {
        return Err(Problem::invalid(&format!("{other}: beside a body only dialect can be asked with")));
    }
    if let Some((_, word)) = pairs.last() {
        let known = WORDS.into_iter().find(|(known, _)| known == word).map(|(_, dialect)| dialect);
        return known.ok_or_else(|| {
            let shown: String = word.chars().take(80).collect();
            Problem::invalid(&format!("dialect: {shown:?} is none of chat, responses, messages"))
        });
    }
    Ok(if headers.contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else if body.contains_key("input") && !body.contains_key("messages") {
        Dialect::OpenaiResponses
    } else {
        Dialect::OpenaiChat
    })
}

/// What routing needs to know of the chat, or of a call of a stated shape.
fn asked(chat: &ChatRequest, constraints: Constraints, shaped: Option<[Tokens; 3]>) -> RouteRequest {
    let route = route_request(chat, constraints.clone());
    match shaped {
        Some([input, output, cached]) => {
            RouteRequest { needs: route.needs, ..shape(&chat.model, input, output, cached, constraints) }
        }
        None => route,
    }
}

fn told(
    gateway: &Gateway,
    mut asking: Asking,
    chat: &ChatRequest,
    shaped: Option<[Tokens; 3]>,
) -> Result<Value, Problem> {
    let Some(explain) = &gateway.config.explain else {
        let message = "this gateway explains nothing";
        return Err(
            Problem::new(http::StatusCode::NOT_FOUND, "not_found", message).fix("ask one that openmux serve runs")
        );
    };
    let (dispatcher, seed, wishes) = (gateway.owned.dispatcher(), asking.seed, Rc::clone(&asking.wishes));
    let (policy, session) = (&wishes.policy, wishes.session.as_deref());
    let suppose = Suppose::AllWhereNone;
    let prepared = |link: &Link, chat: &ChatRequest| {
        let turn = Turn { resolved: &link.resolved, chat, policy, session, talks: shaped.is_none(), all: false };
        dispatcher.prepare(turn, asked(chat, link.constraints.clone(), shaped))
    };
    let decision = |link: &Link| {
        let chat = of_model(chat, link);
        let Prepared { reaches, route, .. } = prepared(link, &chat);
        dispatcher.route(&route, Some(&chat), &reaches, policy, seed, suppose).decision
    };
    asking.sort(|link| Some(decision(link).chosen()?.score.total()));
    let Some((first, rest)) = asking.links.split_first() else {
        let nobody = Problem::new(http::StatusCode::NOT_FOUND, "model_not_found", "no model was named");
        return Err(nobody.fix("name one; GET /v1/models lists them"));
    };
    let chat = of_model(chat, first);
    let Prepared { reaches, route, .. } = prepared(first, &chat);
    let mut gathered = dispatcher.gather(&route, Some(&chat), &reaches, policy, suppose);
    gateway.flights.tell(&mut gathered.candidates);
    let question =
        Question { request: &gathered.request, candidates: &gathered.candidates, policy, now: gathered.now, seed };
    let warnings = gathered.warning.iter().chain(&wishes.warnings).cloned().collect();
    let fallback = rest.iter().map(decision).collect();
    let hedge = wishes.hedge.then(|| question.decide().hedge(Some(gateway.hedges(|all| *all))));
    Ok(explain(&Explained { question: &question, supposed: gathered.supposed, warnings, fallback, hedge }))
}
