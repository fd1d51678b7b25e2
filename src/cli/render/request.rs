//! A request as it would be sent, without its key and without the bulk of its attachments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::decision;
use super::text::grouped;
use crate::chat::{ChatRequest, MediaSource};
use crate::cli::chat::budget::Today;
use crate::dispatch::Reach;
use crate::routing::{Decision, Hedge, Unhedged};
use crate::upstream::auth::{Found, Lazy};
use crate::upstream::{Call, EncodeError, adapter};

/// The request as it would be sent, without its key.
pub(crate) fn request_text(request: &ChatRequest, reach: &Reach) -> String {
    let encoded = match encoded(request, reach) {
        Some(Ok(encoded)) => encoded,
        Some(Err(error)) => return format!("\nIt would not be sent: {error}.\n"),
        None => return String::new(),
    };
    let mut text = format!("\n{} {}\n", encoded.method(), encoded.uri());
    for (name, value) in encoded.headers() {
        text += &format!("{name}: {}\n", value.to_str().unwrap_or("[binary]"));
    }
    match &reach.found {
        Found::Key { source, .. } => text += &format!("(the key from {source} is added when it is sent)\n"),
        Found::Lazy { source, lazy: Lazy::Aws } => {
            text += &format!("(it is signed with the credential from {source} when it is sent)\n");
        }
        Found::Lazy { source, .. } => text += &format!("(the credential from {source} is added when it is sent)\n"),
        Found::NotNeeded | Found::Missing { .. } => {}
    }
    text + "\n" + &serde_json::to_string_pretty(&body(request, &encoded)).unwrap_or_default() + "\n"
}

/// The same for programs.
pub(crate) fn request_json(request: &ChatRequest, reach: &Reach) -> Value {
    let mut object = Map::new();
    let encoded = match encoded(request, reach) {
        Some(Ok(encoded)) => encoded,
        Some(Err(error)) => {
            object.insert("error".to_owned(), error.to_string().into());
            return object.into();
        }
        None => return Value::Null,
    };
    object.insert("method".to_owned(), encoded.method().as_str().into());
    object.insert("url".to_owned(), encoded.uri().to_string().into());
    object.insert("body".to_owned(), body(request, &encoded));
    object.into()
}

/// The body, each attachment in it shortened to its size.
fn body(request: &ChatRequest, encoded: &http::Request<bytes::Bytes>) -> Value {
    let mut body = serde_json::from_slice(encoded.body()).unwrap_or_default();
    for media in request.media() {
        if let MediaSource::Bytes(bytes) = &media.source {
            shorten(&mut body, &STANDARD.encode(bytes));
        }
    }
    body
}

/// Replaces the base64 of a file where it stands alone or ends a `data:` URL.
fn shorten(value: &mut Value, base64: &str) {
    match value {
        Value::String(text) => {
            if let Some(head) = text.strip_suffix(base64).filter(|_| !base64.is_empty()) {
                let size = u64::try_from(base64.len()).unwrap_or(u64::MAX);
                *text = format!("{head}<{} bytes of base64>", grouped(size));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, base64)),
        Value::Object(members) => members.values_mut().for_each(|member| shorten(member, base64)),
        _ => {}
    }
}

fn encoded(request: &ChatRequest, reach: &Reach) -> Option<Result<http::Request<bytes::Bytes>, EncodeError>> {
    let call = Call { endpoint: &reach.endpoint, provider: &reach.provider, base_url: &reach.base_url, request };
    Some(adapter(reach.protocol?)?.encode(&call))
}

/// A dry run for programs.
pub(crate) fn dry_run_json(
    (decided, hedge, today): (&Decision, &Result<Hedge, Unhedged>, Option<Today>),
    supposed: bool,
    request: Option<Value>,
) -> String {
    let mut object = Map::new();
    object.insert("schema".to_owned(), "chat.dry_run/1".into());
    object.insert("decision".to_owned(), decision::json(decided, supposed).into());
    super::hedge::put(&mut object, hedge);
    object.extend(today.map(|today| ("budget".to_owned(), today.json())));
    object.insert("request".to_owned(), request.unwrap_or_default());
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_shortened_to_its_size() {
        let mut body =
            serde_json::json!({"a": ["data:image/png;base64,QUJD", {"data": "QUJD"}, "QUJD and more"], "b": 1});
        shorten(&mut body, "QUJD");
        assert_eq!(
            body.to_string(),
            r#"{"a":["data:image/png;base64,<4 bytes of base64>",{"data":"<4 bytes of base64>"},"QUJD and more"],"b":1}"#
        );
    }
}
