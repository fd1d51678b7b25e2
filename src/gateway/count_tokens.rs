//! `POST /v1/messages/count_tokens`: what openmux can say without asking anybody, which is the estimate that its decisions
//! are made with. A header says that it is one.
//!
//! Instructions, messages, tools and the schema are counted. What is said about routing is read as a chat's is, so that what
//! a chat would be refused for is refused here too, and changes no count: the estimate is the same for every model.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Map, Value, json};

use super::Gateway;
use super::client::Client;
use super::codec::{Dialect, options};
use super::decided::Asking;
use super::problem::Problem;
use super::reply::{Answer, json as document, set};
use crate::dispatch::route_request;

/// Names what in the answer is estimated.
const ESTIMATED: HeaderName = HeaderName::from_static("x-openmux-estimated");

/// The tokens of a request.
///
/// # Errors
/// Whoever asks has had its requests of this minute, the body is no request, or one that a chat would be refused for: there is no such model, or it may not be asked.
pub(super) async fn answer(
    gateway: &Gateway,
    client: Option<&Arc<Client>>,
    headers: &HeaderMap,
    mut body: Map<String, Value>,
) -> Result<Answer, Problem> {
    if let Some(client) = client {
        client.take_one(&gateway.owned, (gateway.owned.now)()).await?;
    }
    let options = options::take(&mut body, headers, &gateway.owned.catalog).map_err(Problem::refused)?;
    let asked = Dialect::AnthropicMessages.read(headers, &body).map_err(|wrong| Problem::invalid(&wrong))?;
    let seed = gateway.owned.store.peek_seed().unwrap_or(0);
    let asking = Asking::new(gateway, client, (&asked.model, options), seed)?;
    let tokens = route_request(&asked.request, asking.wishes.constraints.clone()).input;
    let mut response = document(StatusCode::OK, &json!({ "input_tokens": tokens.count() }));
    set(&mut response, ESTIMATED, "input_tokens");
    Ok(response)
}
