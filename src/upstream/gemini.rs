//! Gemini's `generateContent`, as Google AI Studio and Vertex AI speak it.
//!
//! Both take the same body; they differ in which addresses of files they fetch. Streams are server-sent events, each a
//! whole `GenerateContentResponse`; there is no end marker, so the end is a finish reason and then the end of the bytes.
//!
//! This tool is about text. A part of an answer that is a file (`inlineData`, `fileData`) is an error, since leaving it
//! out would be a loss that nobody sees; parts that tell what Google's own tools did (`executableCode`,
//! `codeExecutionResult`, `toolCall`, `toolResponse`) are skipped.

mod chunk;
mod parts;
mod request;
mod usage;

use bytes::Bytes;
use http::Request;

use super::body::{post, text};
use super::steer::Ways;
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::catalog::{Capability, Endpoint, Protocol};
use crate::chat::{ChatEvent, Part};
use crate::observe::ErrorClass;
use crate::units::Tokens;
use chunk::Answer;

/// The dialect of `POST {base_url}/models/{id}:generateContent` and `:streamGenerateContent?alt=sse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gemini {
    /// Google AI Studio, and gateways that imitate it.
    Studio,
    /// Vertex AI, where the base URL ends in `/publishers/google`.
    Vertex,
}

impl Gemini {
    /// The catalog's name of the dialect.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Studio => Protocol::Gemini,
            Self::Vertex => Protocol::VertexGemini,
        }
    }

    /// The path of a model below the base URL. Google's SDK leaves the `/` of an id in it, which gateways rely on; on
    /// Vertex such an id is another publisher's, who is in the base URL already.
    fn path(self, id: &str, stream: bool) -> Result<String, EncodeError> {
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
        let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#&\\\"<>{}^`|".contains(&byte));
        if !is_plain || !id.split('/').all(is_segment) || (self == Self::Vertex && id.contains('/')) {
            return Err(EncodeError::UnsafeModelId(id.to_owned()));
        }
        let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        Ok(format!("/models/{id}:{method}"))
    }
}

impl Adapter for Gemini {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        request::gaps(*self, call)
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let path = self.path(&call.endpoint.id.upstream_model, call.request.stream)?;
        post(call, &path, &request::body(*self, call)?)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(GeminiDecoder { answer: Answer::new(call) })
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let mut answer = Answer::new(call);
        answer.whole(&text(body), out)?;
        answer.finish(out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        let mut error = classify::response(call.provider.quirks.errors, head, body);
        // Google fails over a prompt that does not fit as if it were its own fault.
        if error.class == ErrorClass::ProviderFault && head.status.as_u16() == 500 && is_nearly_full(call) {
            error.class = ErrorClass::TooLarge;
        }
        error
    }
}

/// Whether a model is of the third generation or later: it reasons, and is not told how much in tokens. These take tools
/// beside a schema and files in the results of tools, and want every call of a tool signed.
fn is_recent(endpoint: &Endpoint) -> bool {
    let ways = Ways::of(endpoint);
    ways.budget.is_none() && (endpoint.can(Capability::Reasoning) || !ways.levels.is_empty())
}

/// Whether the text of a request alone fills more than 80 % of the context window, at four characters a token.
fn is_nearly_full(call: &Call<'_>) -> bool {
    let Some(window) = call.endpoint.context.or(call.endpoint.max_input).map(Tokens::count) else { return false };
    let parts = call.request.messages.iter().flat_map(|message| &message.parts);
    let characters: usize = parts.filter_map(Part::as_text).map(|text| text.chars().count()).sum();
    let tokens = u64::try_from(characters / 4).unwrap_or(u64::MAX);
    tokens.saturating_mul(100) > window.saturating_mul(80)
}

/// Reads `data:` payloads; a finish reason is held back until the end of the bytes, because usage may come after it.
struct GeminiDecoder {
    answer: Answer,
}

impl Decoder for GeminiDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Sse { event, data } = frame else { return Ok(()) };
        let data = data.trim();
        // Google sends no end marker; gateways that also speak OpenAI's dialect do.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        // The dialect names no events but errors; a named one without an object is some server's own note.
        if !matches!(event.as_str(), "" | "message" | "error") && !data.starts_with('{') {
            return Ok(());
        }
        self.answer.read(data, event == "error", out)
    }

    fn ended(&self) -> bool {
        false
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        self.answer.finish(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_change_the_path_is_refused() {
        let path = |id| Gemini::Studio.path(id, false).ok();
        assert_eq!(path("gemini-2.5-flash").as_deref(), Some("/models/gemini-2.5-flash:generateContent"));
        assert_eq!(path("google/gemini-3.5-flash").as_deref(), Some("/models/google/gemini-3.5-flash:generateContent"));
        for id in
            ["", "..", ".", "a/../b", "../b", "a//b", "/a", "a/", "a%2Fb", "a?b", "a#b", "a b", "a\nb", "ä", "a\\b"]
        {
            assert_eq!(path(id), None, "{id:?}");
        }
        assert_eq!(Gemini::Vertex.path("xai/grok-4.7", true), Err(EncodeError::UnsafeModelId("xai/grok-4.7".into())));
        let streamed = Gemini::Vertex.path("gemini-2.5-flash", true);
        assert_eq!(streamed.as_deref(), Ok("/models/gemini-2.5-flash:streamGenerateContent?alt=sse"));
    }
}
