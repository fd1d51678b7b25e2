//! Amazon Bedrock: `Converse` and `ConverseStream`.
//!
//! One API for the models of many makers. What it has no word for goes in the model's own (`bedrock/vendor.rs`, a table).
//! A streamed answer is an AWS event stream; it ends with `messageStop`, and what was used comes after that.

mod answer;
mod marks;
mod request;
mod turns;
mod vendor;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::body::post;
use super::wire::{Frame, eventstream};
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::chat::ChatEvent;
use answer::Answer;
use request::Draft;

/// The dialect of `POST {base_url}/model/{id}/converse` and `/converse-stream`.
#[derive(Debug)]
pub struct BedrockConverse;

/// Everything is escaped that RFC 3986 does not leave free, the `:` and `/` of an ARN too, as AWS's own clients do.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Adapter for BedrockConverse {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        Draft::of(call).lacks
    }

    fn continues(&self, call: &Call<'_>) -> bool {
        request::continues(call)
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let path = path(&call.endpoint.id.upstream_model, call.request.stream)?;
        let draft = Draft::of(call);
        if let Some(what) = draft.lacks.first() {
            return Err(EncodeError::Inexpressible(what));
        }
        let mut encoded = post(call, &path, &draft.body)?;
        if call.request.stream {
            encoded.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(eventstream::MEDIA_TYPE));
        }
        Ok(encoded)
    }

    fn decoder(&self, _call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(ConverseDecoder { answer: Answer::default() })
    }

    fn whole(&self, _call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        Answer::default().whole(body, out)
    }

    fn classify(&self, _call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::aws(head, body)
    }
}

/// What of the marks of the prompt cache in a request a model is not told.
pub(super) fn untold(call: &Call<'_>) -> Option<&'static str> {
    let model = &call.endpoint.model;
    marks::untold(&call.request.marks, vendor::vendor(model), model)
}

/// Whether a model is told what to keep.
pub(super) fn keeps_marks(model: &crate::catalog::ModelId) -> bool {
    vendor::vendor(model).marks
}

/// The path below the base URL, with the model's id or ARN as one segment of it.
fn path(id: &str, stream: bool) -> Result<String, EncodeError> {
    let is_unsafe = |sign: char| matches!(sign, '?' | '#' | '%' | '\\') || sign.is_whitespace() || sign.is_control();
    if id.is_empty() || id == "." || id.contains("..") || id.contains(is_unsafe) {
        return Err(EncodeError::UnsafeModelId(id.to_owned()));
    }
    let action = if stream { "converse-stream" } else { "converse" };
    Ok(format!("/model/{}/{action}", utf8_percent_encode(id, ESCAPED)))
}

/// Reads events until `messageStop` and the `metadata` after it.
struct ConverseDecoder {
    answer: Answer,
}

impl Decoder for ConverseDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Event { message_type, name, payload } = frame else { return Ok(()) };
        if self.answer.ended() {
            return Ok(());
        }
        match message_type.as_str() {
            "event" => self.answer.event(name, payload, out),
            "exception" | "error" => Err(DecodeError::Upstream(classify::aws_event(name, payload))),
            _ => Ok(()),
        }
    }

    fn ended(&self) -> bool {
        self.answer.ended()
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        self.answer.end(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_of_the_path() {
        for (id, expected) in [
            ("anthropic.claude-sonnet-5", "/model/anthropic.claude-sonnet-5/converse"),
            (
                "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
                "/model/us.anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
            ),
        ] {
            assert_eq!(path(id, false).as_deref(), Ok(expected));
        }
        assert_eq!(path("m", true).as_deref(), Ok("/model/m/converse-stream"));
        for id in ["", ".", "..", "a/../b", "a?b", "a#b", "a%2Fb", "a b", "a\n", "a\\b"] {
            assert_eq!(path(id, true), Err(EncodeError::UnsafeModelId(id.to_owned())));
        }
    }
}
