//! Anthropic Messages, at Anthropic, at those who imitate it, and on Google Vertex AI.
//!
//! What is sent is what the official SDK 2.x sends. Three of the API's own rules show: instructions go apart in `system`,
//! wherever in the conversation they stand; turns of one role in a row become one turn, in which results of tools come
//! first; and what the API refuses though it says nothing is left out: empty text, blank text of the model's, and
//! thoughts without a signature, which the API would take for forged.
//!
//! The version is 2023-06-01 where a temperature, `top_p` or `top_k` is set, because 2026-10-21 refuses these; else it
//! is what the provider's headers say, and 2023-06-01 where they say nothing.

mod blocks;
mod event;
mod request;
mod schema;
mod think;
mod usage;
mod vertex;

use bytes::Bytes;
use http::{HeaderValue, Request};

use super::body::{post, text};
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::chat::ChatEvent;
use event::Answer;
pub use vertex::VertexAnthropic;

/// The dialect of `POST {base_url}/messages`.
#[derive(Debug)]
pub struct AnthropicMessages;

/// The header, and on Vertex the word for it in the catalog, that names the API's version.
const VERSION_HEADER: &str = "anthropic-version";
/// The version where neither the provider nor the caller names one, and the last that takes a temperature.
const VERSION: &str = "2023-06-01";

impl Adapter for AnthropicMessages {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        request::lacks(call)
    }

    fn continues(&self, call: &Call<'_>) -> bool {
        request::continues(call)
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let mut body = request::body(call)?;
        body.insert("model".into(), call.endpoint.id.upstream_model.as_str().into());
        let mut encoded = post(call, path(call.base_url), &body)?;
        let headers = encoded.headers_mut();
        request::beta(call.request, headers);
        if request::samples(call.request) {
            headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
        } else {
            headers.entry(VERSION_HEADER).or_insert(HeaderValue::from_static(VERSION));
        }
        Ok(encoded)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        decoder(call)
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        whole(call, body, out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }
}

fn decoder(call: &Call<'_>) -> Box<dyn Decoder> {
    Box::new(MessagesDecoder { answer: Answer::new(call.provider.quirks.errors) })
}

fn whole(call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
    Answer::new(call.provider.quirks.errors).whole(&text(body), out)
}

/// The path below a base URL. Catalogs and environment variables follow two customs: with the version (`.../v1`), or
/// as Anthropic's own clients take it, without.
fn path(base_url: &str) -> &'static str {
    let last = base_url.rsplit('/').next().unwrap_or_default();
    let is_version = last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()));
    if is_version { "/messages" } else { "/v1/messages" }
}

/// Reads named events until `message_stop`.
struct MessagesDecoder {
    answer: Answer,
}

impl Decoder for MessagesDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Sse { event, data } = frame else { return Ok(()) };
        if self.answer.ended() || data.trim().is_empty() {
            return Ok(());
        }
        self.answer.event(event, data.trim(), out)
    }

    fn ended(&self) -> bool {
        self.answer.ended()
    }

    fn end(&mut self, _out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        // A stop reason is not the end: the protocol's own end is `message_stop`.
        if self.answer.ended() { Ok(()) } else { Err(DecodeError::Truncated) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_customs_of_base_urls_lead_to_the_same_path() {
        for (base, expected) in [
            ("https://api.anthropic.com/v1", "/messages"),
            ("https://api.anthropic.com", "/v1/messages"),
            ("https://api.deepseek.com/anthropic", "/v1/messages"),
            ("https://zenmux.ai/api/anthropic/v1", "/messages"),
            ("https://example.com/v1beta1", "/messages"),
            ("https://example.com/vertex", "/v1/messages"),
        ] {
            assert_eq!(path(base), expected, "{base}");
        }
    }
}
