//! The provider's side of Claude on Vertex AI: Anthropic's bodies under Google's paths, with Google's failures for all
//! that Google checks before the model sees the request.

use http::HeaderMap;
use serde_json::Value;

use super::anthropic::{self, Host};
use super::check::text;
use super::dialect::{Answer, Ask, Dialect, Envelope, Event, Failure, Route, Stream};
use super::gemini::{self, below_publisher};

/// The versions that stand in the body.
const VERSIONS: [&str; 2] = ["vertex-2023-10-16", "2026-10-21"];

/// Claude on Vertex AI.
#[derive(Debug)]
pub(super) struct VertexAnthropic;

impl Dialect for VertexAnthropic {
    fn base(&self) -> &'static str {
        "/v1/projects/sandbox/locations/global/publishers/anthropic"
    }

    fn route(&self, path: &str, _query: &str) -> Option<Route> {
        let (model, method) = below_publisher(path, "anthropic")?;
        let stream = match method {
            "rawPredict" => false,
            "streamRawPredict" => true,
            _ => return None,
        };
        Some(Route { model: Some(model), stream })
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn ask(&self, route: &Route, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        let version =
            text(body, "anthropic_version").ok_or_else(|| Failure::invalid("anthropic_version: Field required"))?;
        if !VERSIONS.contains(&version) {
            return Err(Failure::invalid(format!("anthropic_version: \"{version}\" is not a valid version")));
        }
        let mut ask = anthropic::read(body, &Host { model: route.model.as_deref(), version, in_body: true })?;
        if ask.stream && !route.stream {
            return Err(Failure::invalid("stream: streaming is what :streamRawPredict is for"));
        }
        ask.stream |= route.stream;
        Ok(ask)
    }

    fn failure(&self, failure: &Failure, request_id: &str) -> Envelope {
        match failure {
            Failure::Invalid { .. }
            | Failure::Unsupported { .. }
            | Failure::TooLarge
            | Failure::Server
            | Failure::Overloaded => anthropic::told(failure, request_id),
            _ => gemini::told(failure, true),
        }
    }

    fn has_retry_after(&self) -> bool {
        false
    }

    fn models(&self) -> Value {
        gemini::models("publishers/anthropic/models/sandbox")
    }

    fn shown(&self, path: &str) -> Option<Value> {
        gemini::shown_on_vertex(path, self.models())
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        anthropic::whole(answer)
    }

    fn stream(&self, answer: &Answer<'_>) -> Stream {
        anthropic::stream(answer)
    }

    fn error_events(&self, failure: &Failure, request_id: &str, _events: usize) -> Vec<Event> {
        vec![Event::named("error", &anthropic::told(failure, request_id).body)]
    }
}
