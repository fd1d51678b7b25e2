//! `POST /v1/messages/count_tokens`: what openmux can say without asking anybody, which is the estimate that its decisions
//! are made with. A header says that it is one.

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Map, Value, json};

use super::Gateway;
use super::client::Client;
use super::codec::Dialect;
use super::problem::Problem;
use super::reply::{Answer, json as document, set};
use crate::catalog::resolve::resolve;
use crate::dispatch::route_request;

/// Names what in the answer is estimated.
const ESTIMATED: HeaderName = HeaderName::from_static("x-openmux-estimated");

/// The tokens of a request.
///
/// # Errors
/// Whoever asks has had its requests of this minute, the body is no request, or there is no such model.
pub(super) fn answer(
    gateway: &Gateway,
    client: Option<&Client>,
    headers: &HeaderMap,
    body: &Map<String, Value>,
) -> Result<Answer, Problem> {
    client.map_or(Ok(()), |client| client.take_one(gateway.owned.store.as_ref(), (gateway.owned.now)()))?;
    let asked = Dialect::AnthropicMessages.read(headers, body).map_err(|wrong| Problem::invalid(&wrong))?;
    resolve(&gateway.owned.catalog, &asked.model).map_err(|error| Problem::no_model(&error))?;
    let tokens = route_request(&asked.request, gateway.config.constraints.clone()).input;
    let mut response = document(StatusCode::OK, &json!({ "input_tokens": tokens.count() }));
    set(&mut response, ESTIMATED, "input_tokens");
    Ok(response)
}
