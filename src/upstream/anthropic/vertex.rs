//! Claude on Google Vertex AI: the same body and the same events at another address.

use bytes::Bytes;
use http::Request;

use super::super::body::{path_segment, post};
use super::super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use super::{VERSION_HEADER, request};
use crate::chat::{ChatEvent, MediaKind, MediaSource};

/// The dialect of `POST {base_url}/models/{model}:rawPredict` and `:streamRawPredict`, where the base URL ends in
/// `/publishers/anthropic`. The model is in the path alone, and the API's version in the body.
#[derive(Debug)]
pub struct VertexAnthropic;

/// The version where neither the provider nor the caller names one, and the last that takes a temperature.
const VERSION: &str = "vertex-2023-10-16";

impl Adapter for VertexAnthropic {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        let mut lacks = request::lacks(call);
        // Vertex fetches nothing: "URL sources are not supported".
        for media in call.request.media().filter(|media| matches!(media.source, MediaSource::Url(_))) {
            let name = match media.kind {
                MediaKind::Image => "image input by URL",
                MediaKind::Pdf => "PDF input by URL",
            };
            if !lacks.contains(&name) {
                lacks.push(name);
            }
        }
        lacks
    }

    fn continues(&self, call: &Call<'_>) -> bool {
        request::continues(call)
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let mut body = request::body(call)?;
        let stated = call.provider.headers.get(VERSION_HEADER).map(String::as_str);
        let version = stated.filter(|_| !request::samples(call.request)).unwrap_or(VERSION);
        body.entry("anthropic_version").or_insert_with(|| version.into());
        let model = path_segment(&call.endpoint.id.upstream_model)?;
        let verb = if call.request.stream { "streamRawPredict" } else { "rawPredict" };
        let mut encoded = post(call, &format!("/models/{model}:{verb}"), &body)?;
        request::beta(call.request, encoded.headers_mut());
        encoded.headers_mut().remove(VERSION_HEADER);
        Ok(encoded)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        super::decoder(call)
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        super::whole(call, body, out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }
}
