//! The provider's side of Gemini's `generateContent`, on the Gemini API and on Vertex AI.

mod ask;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Block, Dialect, Envelope, Event, Failure, Finish, Kind, Route, Stream};

/// Gemini.
#[derive(Debug)]
pub(super) struct Gemini {
    /// Whether this is Vertex AI: its paths name a project and a location.
    pub(super) on_vertex: bool,
}

impl Dialect for Gemini {
    fn base(&self) -> &'static str {
        if self.on_vertex { "/v1/projects/sandbox/locations/global/publishers/google" } else { "/v1beta" }
    }

    fn route(&self, path: &str, query: &str) -> Option<Route> {
        let (model, method) = if self.on_vertex {
            below_publisher(path, "google")?
        } else {
            let (version, rest) = path.strip_prefix('/')?.split_once("/models/")?;
            if !["v1", "v1beta", "v1alpha"].contains(&version) {
                return None;
            }
            model_and_method(rest)?
        };
        let stream = match method {
            "generateContent" => false,
            // Without this the real one streams an array of JSON, which no client of today asks for.
            "streamGenerateContent" => query.split('&').any(|pair| pair == "alt=sse").then_some(true)?,
            _ => return None,
        };
        Some(Route { model: Some(model), stream })
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn ask(&self, route: &Route, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        ask::read(route, body, self.on_vertex)
    }

    fn failure(&self, failure: &Failure, _request_id: &str) -> Envelope {
        told(failure, self.on_vertex)
    }

    fn has_retry_after(&self) -> bool {
        false
    }

    fn models(&self) -> Value {
        models(if self.on_vertex { "publishers/google/models/sandbox" } else { "models/sandbox" })
    }

    fn shown(&self, path: &str) -> Option<Value> {
        if self.on_vertex {
            shown_on_vertex(path, self.models())
        } else {
            path.ends_with("/models").then(|| self.models())
        }
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        let parts: Vec<Value> =
            answer.blocks.iter().enumerate().map(|(at, block)| whole_part(answer, at, block)).collect();
        response(answer, &parts, true)
    }

    /// A call is never cut up: it comes whole with what would be its last token. The finish reason comes with the last
    /// token too, and nothing follows it.
    fn stream(&self, answer: &Answer<'_>) -> Stream {
        let mut stream = Stream::default();
        for (index, block) in answer.blocks.iter().enumerate() {
            let last = block.pieces.len().saturating_sub(1);
            for (at, piece) in block.pieces.iter().enumerate() {
                let part = match &block.kind {
                    Kind::Reasoning => json!({"text": piece, "thought": true}),
                    Kind::Text => json!({"text": piece}),
                    Kind::Call { .. } if at == last => whole_part(answer, index, block),
                    Kind::Call { .. } => {
                        stream.tokens.push(Vec::new());
                        continue;
                    }
                };
                let ends = at == last && index + 1 == answer.blocks.len();
                stream.tokens.push(vec![Event::plain(response(answer, &[part], ends))]);
            }
        }
        stream
    }

    fn error_events(&self, failure: &Failure, _request_id: &str, _events: usize) -> Vec<Event> {
        vec![Event::plain(told(failure, self.on_vertex).body)]
    }
}

/// Model and method of a path of Vertex AI: `/v1/projects/P/locations/L/publishers/WHO/models/MODEL:METHOD`.
pub(super) fn below_publisher<'a>(path: &'a str, publisher: &str) -> Option<(String, &'a str)> {
    let mut parts = path.strip_prefix('/')?.splitn(7, '/');
    let is_version = matches!(parts.next()?, "v1" | "v1beta1");
    let is_project = parts.next()? == "projects" && !parts.next()?.is_empty();
    let is_location = parts.next()? == "locations" && !parts.next()?.is_empty();
    let is_publisher = parts.next()? == "publishers";
    let rest = parts.next()?.strip_prefix(publisher)?.strip_prefix("/models/")?;
    if is_version && is_project && is_location && is_publisher { model_and_method(rest) } else { None }
}

/// What Vertex AI shows of a path: a location of a project, or the models of a publisher.
pub(super) fn shown_on_vertex(path: &str, models: Value) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["", "v1" | "v1beta1", "projects", project, "locations", location] => {
            Some(json!({"name": format!("projects/{project}/locations/{location}"), "locationId": location}))
        }
        _ => path.ends_with("/models").then_some(models),
    }
}

/// `MODEL:METHOD`, the model decoded.
fn model_and_method(rest: &str) -> Option<(String, &str)> {
    let (model, method) = rest.rsplit_once(':')?;
    let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
    (!model.is_empty() && !model.contains('/')).then_some((model, method))
}

/// The list of models.
pub(super) fn models(name: &str) -> Value {
    let methods = ["generateContent", "streamGenerateContent"];
    json!({"models": [{
        "name": name,
        "displayName": "Sandbox (answers to any name)",
        "supportedGenerationMethods": methods,
    }]})
}

/// The envelope of a failure: a status of Google's, and details where they help.
pub(super) fn told(failure: &Failure, on_vertex: bool) -> Envelope {
    let mut details = Vec::new();
    let info = |reason: &str| json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"});
    let (code, status, message) = match failure {
        Failure::NoKey | Failure::WrongKey if on_vertex => {
            details.push(info("ACCESS_TOKEN_TYPE_UNSUPPORTED"));
            let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                           other valid authentication credential.";
            (401, "UNAUTHENTICATED", message.to_owned())
        }
        Failure::NoKey => {
            let message = "Method doesn't allow unregistered callers (callers without established identity). Please use \
                           API Key or other form of API consumer identity to call this API.";
            (403, "PERMISSION_DENIED", message.to_owned())
        }
        Failure::WrongKey => {
            details.push(info("API_KEY_INVALID"));
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.".to_owned())
        }
        Failure::Denied { code, message } => (401, *code, message.clone()),
        Failure::NoSuchPath { path, .. } => (404, "NOT_FOUND", format!("Requested entity was not found: {path}")),
        Failure::NoSuchModel { model } => {
            (404, "NOT_FOUND", format!("models/{model} is not found, or is not supported for generateContent."))
        }
        Failure::Invalid { message, .. } => (400, "INVALID_ARGUMENT", message.clone()),
        Failure::Unsupported { parameter } => {
            (400, "INVALID_ARGUMENT", format!("{parameter} is not supported by this model."))
        }
        Failure::TooLarge => (400, "INVALID_ARGUMENT", "Request payload size exceeds the limit.".to_owned()),
        Failure::RateLimited { model, retry_after_s } => {
            if let Some(seconds) = retry_after_s {
                let delay = format!("{seconds}s");
                details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
            }
            (429, "RESOURCE_EXHAUSTED", format!("Resource has been exhausted: requests per minute of {model}."))
        }
        Failure::Quota => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            (429, "RESOURCE_EXHAUSTED", message.to_owned())
        }
        Failure::Server => (500, "INTERNAL", "An internal error has occurred.".to_owned()),
        Failure::Overloaded => (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".to_owned()),
    };
    let mut error = json!({"code": code, "message": format!("[sandbox] {message}"), "status": status});
    if !details.is_empty() {
        error["details"] = Value::Array(details);
    }
    Envelope::new(code, json!({ "error": error }))
}

/// One block in one part.
fn whole_part(answer: &Answer<'_>, index: usize, block: &Block) -> Value {
    match &block.kind {
        Kind::Reasoning => json!({"text": block.text(), "thought": true}),
        Kind::Text => json!({"text": block.text()}),
        Kind::Call { name } => json!({
            "functionCall": {"name": name, "args": block.arguments()},
            "thoughtSignature": answer.signature(index),
        }),
    }
}

/// One response; `ends` is whether it says why the answer ended.
fn response(answer: &Answer<'_>, parts: &[Value], ends: bool) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(reason) = finish_reason(answer.finish).filter(|_| ends) {
        candidate["finishReason"] = reason.into();
    }
    let mut response = json!({ "candidates": [candidate] });
    if answer.reports_usage {
        response["usageMetadata"] = usage(answer, ends);
    }
    response["modelVersion"] = answer.ask.model.as_str().into();
    response["responseId"] = answer.id.as_str().into();
    response
}

/// A call of a tool has no reason of its own here.
fn finish_reason(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop | Finish::ToolCalls => Some("STOP"),
        Finish::Length => Some("MAX_TOKENS"),
        Finish::Unsaid => None,
    }
}

/// Thoughts are counted apart from the candidate; before the end only the prompt is told.
fn usage(answer: &Answer<'_>, ends: bool) -> Value {
    let prompt = answer.ask.input_tokens;
    let mut usage = json!({"promptTokenCount": prompt, "totalTokenCount": prompt});
    if answer.cache_read() > 0 {
        usage["cachedContentTokenCount"] = answer.cache_read().into();
    }
    if ends {
        let thoughts = answer.reasoning_tokens();
        usage["candidatesTokenCount"] = (answer.output_tokens() - thoughts).into();
        usage["totalTokenCount"] = (prompt + answer.output_tokens()).into();
        if thoughts > 0 {
            usage["thoughtsTokenCount"] = thoughts.into();
        }
    }
    usage
}
