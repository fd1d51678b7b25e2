//! Reads the body of a request, so far and no further.

use std::pin::Pin;

use bytes::BytesMut;
use http::{HeaderMap, StatusCode, header};
use hyper::body::{Body, Incoming};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::Config;
use super::problem::Problem;

/// How much of a body that is too large is taken off the wire, as a multiple of what is allowed: a client that writes on
/// does not read why it was refused.
const PATIENCE: usize = 8;

/// The JSON object in a body.
///
/// # Errors
/// It is too large, too slow, or no JSON object.
pub(super) async fn object(
    config: &Config,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Map<String, Value>, Problem> {
    let bytes = match timeout(config.arrival, read(config.largest_body, headers, body)).await {
        Ok(read) => read?,
        Err(_) => {
            let message = format!("the body did not arrive within {} s", config.arrival.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message));
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_json", "the body is not a JSON object")),
        Err(error) => {
            let message = format!("the body is not JSON: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message))
        }
    }
}

async fn read(most: usize, headers: &HeaderMap, mut body: Incoming) -> Result<BytesMut, Problem> {
    let too_large = || {
        let message = format!("the body is larger than {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // A client that asks first sends nothing where it is refused.
    if said.is_some_and(|said| said > most) && headers.contains_key(header::EXPECT) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::with_capacity(said.unwrap_or(0).min(most).min(1024 * 1024));
    let mut length = 0_usize;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken = |error: hyper::Error| {
            let message = format!("the body broke off: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "body_broken", message)
        };
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= most {
            bytes.extend_from_slice(&data);
        } else if length > most.saturating_mul(PATIENCE) {
            return Err(too_large());
        }
    }
    if length > most { Err(too_large()) } else { Ok(bytes) }
}
