//! Takes the body of a request in: so far and no further, and no more of them at once than there is room for.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, StatusCode, header};
use hyper::body::{Body, Incoming};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::count::{Held, Permit};
use super::problem::Problem;
use super::{Config, Gateway};

/// How much of a body that is too large is taken off the wire, as a multiple of what is allowed: a client that writes on
/// does not read why it was refused.
const PATIENCE: usize = 8;

/// The most values in a body, more than the longest conversation has.
const VALUES: usize = 250_000;
/// What a value takes up once it is read, in bytes; beside what is written in it.
const VALUE: usize = 128;

/// The JSON object in a body, and what it holds while it is served.
///
/// # Errors
/// It is too large, too slow, or no JSON object; or too many requests are under way.
pub(super) async fn object(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(Held, Map<String, Value>), Problem> {
    let config = &gateway.config;
    if let Some(coding) =
        headers.get(header::CONTENT_ENCODING).filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let coding: String = coding.to_str().unwrap_or_default().chars().take(80).collect();
        let message = format!("the body is in {coding:?}, and only plain ones are read");
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message);
        return Err(problem.fix("send it without Content-Encoding"));
    }
    let place = gateway
        .under_way
        .take(config.at_once)
        .ok_or_else(|| busy(format!("{} requests are under way, and no more are taken", config.at_once)))?;
    let mut room = gateway.bodies.none();
    let bytes = match timeout(config.arrival, pin!(read(config, headers, body, &mut room))).await {
        Ok(read) => read?,
        Err(_) => {
            let message = format!("the body did not arrive within {} s", config.arrival.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).fix("send it at once"));
        }
    };
    let values = values(&bytes);
    if values > VALUES {
        return Err(too_large(format!("the body holds more than {VALUES} values")));
    }
    grow(&mut room, values * VALUE, config)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(body)) => Ok((Held { _place: place, _bytes: room }, body)),
        Ok(_) => Err(no_json("the body is not a JSON object".to_owned())),
        Err(error) => Err(no_json(format!("the body is not JSON: {error}"))),
    }
}

/// At most how many values a JSON text holds: what opens, and what goes on.
fn values(text: &[u8]) -> usize {
    let (mut count, mut quoted, mut bytes) = (1, false, text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => _ = bytes.next(),
            b',' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

fn no_json(message: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message)
        .fix("send one JSON object in UTF-8, {\"model\": ..., ...}")
}

fn too_large(message: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
        .fix("name files by their URL in place of their bytes, or send less of the conversation")
}

fn busy(message: String) -> Problem {
    let busy = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
    Problem { retry_after: Some(Duration::from_secs(1)), ..busy }.fix("ask again in a moment")
}

fn grow(room: &mut Permit, by: usize, config: &Config) -> Result<(), Problem> {
    let full = || busy(format!("the requests under way take up {} bytes, and no more are taken", config.bodies));
    room.grow(by, config.bodies).then_some(()).ok_or_else(full)
}

async fn read(
    config: &Config,
    headers: &HeaderMap,
    mut body: Incoming,
    room: &mut Permit,
) -> Result<BytesMut, Problem> {
    let most = config.largest_body;
    let too_large = || too_large(format!("the body is larger than {most} bytes"));
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
            Problem::new(StatusCode::BAD_REQUEST, "body_broken", message).fix("send it again")
        };
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= most {
            grow(room, data.len(), config)?;
            bytes.extend_from_slice(&data);
        } else if length > most.saturating_mul(PATIENCE) {
            return Err(too_large());
        }
    }
    if length > most { Err(too_large()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_where_they_are_none_of_a_string() {
        for (text, count) in [("{}", 2), (r#"{"a":1,"b":[2,3]}"#, 5), (r#"["[,{","\",[","\\",1]"#, 5), (r#""\""#, 1)] {
            assert_eq!(values(text.as_bytes()), count, "{text}");
        }
    }
}
