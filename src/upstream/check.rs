//! Whether a provider answers and takes a key, asked without spending: which list is fetched, and what the answer means.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde_json::Value;

use super::auth::{Address, Vars, address};
use super::body::shown;
use super::{EncodeError, UpstreamError, classify};
use crate::catalog::{Protocol, Provider};
use crate::observe::ErrorClass;

/// Models in one answer: as many as a list gives at most.
const PAGE: &str = "1000";

/// A question that costs nothing.
#[derive(Debug, Clone)]
pub struct Question {
    /// The GET, without its credential.
    pub request: Request<Bytes>,
    /// Whether the provider is known to answer it. Elsewhere "no such path" says nothing about provider or key.
    pub stated: bool,
    /// Whether the answer lists models.
    pub lists: bool,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It answered as it should.
    Fine {
        /// The ids of its models; `None` where the answer lists none.
        models: Option<Vec<String>>,
        /// Whether there are more than it listed.
        more: bool,
    },
    /// It answered, but has no such list.
    NoList,
    /// It refused, or its answer makes no sense.
    Bad(UpstreamError),
}

/// The question for a provider, as it is reached in a protocol at `base_url` (no trailing slash, no placeholders).
/// `catalogued` says that this is the catalog's own address, so that the catalog's list belongs to it. `None` where the
/// protocol has no list and the provider states none: it cannot be checked without spending.
///
/// # Errors
/// The address or a header cannot be used.
pub fn question(
    provider: &Provider,
    protocol: Protocol,
    base_url: &str,
    catalogued: bool,
    vars: &Vars,
) -> Result<Option<Question>, EncodeError> {
    // A query in the base would swallow the path, and would be shown wherever the address is.
    if base_url.contains(['?', '#']) {
        return Err(EncodeError::BadUrl(shown(base_url)));
    }
    let Some((url, stated, lists)) = place(provider, protocol, base_url, catalogued, vars) else { return Ok(None) };
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = url.parse().map_err(|_| EncodeError::BadUrl(shown(&url)))?;
    let has_user = request.uri().authority().is_some_and(|authority| authority.as_str().contains('@'));
    if has_user || request.uri().host().is_none_or(str::is_empty) {
        return Err(EncodeError::BadUrl(shown(&url)));
    }
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("openmux/", env!("CARGO_PKG_VERSION"))));
    if protocol == Protocol::AnthropicMessages {
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    for (name, value) in &provider.headers {
        let bad_header = || EncodeError::BadHeader(name.clone());
        let name = HeaderName::try_from(name).map_err(|_| bad_header())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad_header())?);
    }
    Ok(Some(Question { request, stated, lists }))
}

/// The URL, whether it is known to be answered, and whether it lists models.
fn place(
    provider: &Provider,
    protocol: Protocol,
    base_url: &str,
    catalogued: bool,
    vars: &Vars,
) -> Option<(String, bool, bool)> {
    // The list of publishers' models says nothing of project and location; the location itself does.
    if let (Protocol::VertexGemini | Protocol::VertexAnthropic, Some((location, _))) =
        (protocol, base_url.split_once("/publishers/"))
    {
        return Some((location.to_owned(), true, false));
    }
    let listed = provider.models_url.as_deref().filter(|_| catalogued);
    if let Some(template) = listed
        && let Address::Known { url, .. } = address(&unaddressed(provider), protocol, template, vars)
    {
        return Some((with_page(protocol, url), true, true));
    }
    match protocol {
        Protocol::OpenaiChat | Protocol::OpenaiResponses => Some((format!("{base_url}/models"), false, true)),
        Protocol::AnthropicMessages | Protocol::Gemini => {
            Some((with_page(protocol, format!("{base_url}/models")), false, true))
        }
        Protocol::VertexGemini | Protocol::VertexAnthropic => Some((format!("{base_url}/models"), false, true)),
        Protocol::BedrockConverse
        | Protocol::CohereV2
        | Protocol::Ollama
        | Protocol::SapOrchestration
        | Protocol::Watsonx => None,
    }
}

/// The provider without the variables that say where its calls go: a list's address has placeholders alone.
fn unaddressed(provider: &Provider) -> Provider {
    let mut provider = provider.clone();
    provider.env.remove("base");
    provider
}

/// A list in pages is asked for its longest.
fn with_page(protocol: Protocol, url: String) -> String {
    let parameter = match protocol {
        Protocol::AnthropicMessages => "limit",
        Protocol::Gemini => "pageSize",
        _ => return url,
    };
    if url.contains('?') { url } else { format!("{url}?{parameter}={PAGE}") }
}

/// What the answer to a question means.
#[must_use]
pub fn verdict(provider: &Provider, question: &Question, head: &http::response::Parts, body: &[u8]) -> Verdict {
    let status = head.status.as_u16();
    if !head.status.is_success() {
        if !question.stated && matches!(status, 404 | 405 | 501) {
            return Verdict::NoList;
        }
        return Verdict::Bad(classify::response(provider.quirks.errors, head, body));
    }
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        return fault("an HTML page instead of an answer");
    }
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return fault("an answer that is no JSON");
    };
    if document.get("error").is_some_and(|error| !error.is_null()) {
        return Verdict::Bad(classify::in_band(provider.quirks.errors, body));
    }
    let models = question.lists.then(|| models(&document)).flatten();
    Verdict::Fine { models, more: continues(&document) }
}

fn fault(message: &str) -> Verdict {
    let class = ErrorClass::ProviderFault;
    Verdict::Bad(UpstreamError { class, message: message.to_owned(), code: None, retry_after: None, request_id: None })
}

/// The ids in a list of models, in whatever form it has.
fn models(document: &Value) -> Option<Vec<String>> {
    const LISTS: [&str; 5] = ["data", "models", "publisherModels", "modelSummaries", "result"];
    const IDS: [&str; 4] = ["id", "modelId", "name", "model"];
    let entries =
        document.as_array().or_else(|| LISTS.iter().find_map(|name| document.get(*name).and_then(Value::as_array)))?;
    let id = |entry: &Value| {
        let text = IDS.iter().find_map(|name| entry.get(*name).and_then(Value::as_str)).or(entry.as_str());
        text.map(str::to_owned)
    };
    Some(entries.iter().filter_map(id).collect())
}

/// Whether a list says that it goes on.
fn continues(document: &Value) -> bool {
    let token = ["nextPageToken", "nextToken", "next_page_token"].iter().find_map(|name| document.get(*name));
    document.get("has_more") == Some(&Value::Bool(true))
        || token.and_then(Value::as_str).is_some_and(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::auth::tests::vars;
    use super::*;
    use crate::catalog::{Catalog, ProviderId};

    fn named(id: &str) -> Provider {
        Catalog::builtin().provider(&ProviderId::new(id)).unwrap()
    }

    fn url(id: &str, protocol: Protocol, catalogued: bool, variables: &[(&str, &str)]) -> String {
        let (provider, vars) = (named(id), vars(variables));
        let spoken = provider.protocols.iter().find(|spoken| spoken.protocol == protocol).unwrap();
        let base = match address(&provider, protocol, &spoken.base_url, &vars) {
            Address::Known { url, .. } => url,
            Address::Missing(names) => panic!("{names:?}"),
        };
        let asked = question(&provider, protocol, &base, catalogued, &vars).unwrap();
        asked.map_or("-".to_owned(), |asked| format!("{} {}", asked.request.method(), asked.request.uri()))
    }

    #[test]
    fn each_protocol_has_its_list() {
        let aws = [("AWS_DEFAULT_REGION", "eu-west-1")];
        let google = [("GOOGLE_CLOUD_PROJECT", "p-1"), ("GOOGLE_CLOUD_LOCATION", "europe-west1")];
        let moved = [("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")];
        let asked = [
            url("openai", Protocol::OpenaiChat, true, &[]),
            url("openai", Protocol::OpenaiResponses, false, &moved),
            url("anthropic", Protocol::AnthropicMessages, true, &[]),
            url("google", Protocol::Gemini, true, &[]),
            url("google", Protocol::Gemini, false, &[]),
            url("google-vertex", Protocol::VertexGemini, true, &google),
            url("google-vertex", Protocol::VertexAnthropic, true, &google),
            url("amazon-bedrock", Protocol::BedrockConverse, true, &aws),
            url("amazon-bedrock", Protocol::BedrockConverse, false, &aws),
            url("groq", Protocol::OpenaiChat, true, &[]),
        ];
        insta::assert_snapshot!(asked.join("\n"), @r"
        GET https://api.openai.com/v1/models
        GET http://127.0.0.1:1/v1/models
        GET https://api.anthropic.com/v1/models?limit=1000
        GET https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000
        GET https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000
        GET https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1
        GET https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1
        GET https://bedrock.eu-west-1.amazonaws.com/foundation-models
        -
        GET https://api.groq.com/openai/v1/models
        ");
    }

    #[test]
    fn the_catalogs_list_is_not_asked_for_an_address_of_the_users_own() {
        let openai = named("openai");
        let asked = question(&openai, Protocol::OpenaiChat, "http://127.0.0.1:1/v1", false, &Vars::default());
        assert_eq!(asked.unwrap().unwrap().request.uri(), "http://127.0.0.1:1/v1/models");
        assert!(question(&openai, Protocol::OpenaiChat, "nowhere", false, &Vars::default()).is_err());
    }

    fn meant(status: u16, stated: bool, kind: &str, body: &str) -> Verdict {
        let provider = named("openai");
        let mut asked =
            question(&provider, Protocol::OpenaiChat, "https://a.example", false, &Vars::default()).unwrap().unwrap();
        asked.stated = stated;
        let head = http::Response::builder().status(status).header("content-type", kind).body(()).unwrap();
        verdict(&provider, &asked, &head.into_parts().0, body.as_bytes())
    }

    #[test]
    fn lists_come_in_many_forms() {
        let listed = |body: &str| match meant(200, true, "application/json", body) {
            Verdict::Fine { models, more } => (models.map(|models| models.join(",")), more),
            other => panic!("{other:?}"),
        };
        let two = Some("a,b".to_owned());
        assert_eq!(listed(r#"{"data":[{"id":"a"},{"id":"b"}],"has_more":true}"#), (two.clone(), true));
        assert_eq!(listed(r#"{"models":[{"name":"a"},{"name":"b"}],"nextPageToken":"x"}"#), (two.clone(), true));
        assert_eq!(listed(r#"{"modelSummaries":[{"modelId":"a"},{"modelId":"b"}]}"#), (two.clone(), false));
        assert_eq!(listed(r#"[{"id":"a"},"b"]"#), (two, false));
        assert_eq!(listed(r#"{"object":"list"}"#), (None, false));
    }

    #[test]
    fn what_is_no_list_is_told_apart() {
        let class = |status, stated, kind, body| match meant(status, stated, kind, body) {
            Verdict::Bad(error) => error.class.name(),
            Verdict::NoList => "no list",
            Verdict::Fine { .. } => "fine",
        };
        assert_eq!(class(401, true, "application/json", r#"{"error":{"message":"no"}}"#), "auth");
        assert_eq!(class(404, false, "text/plain", ""), "no list");
        assert_eq!(class(404, true, "text/plain", ""), "not_found");
        assert_eq!(class(503, false, "text/plain", ""), "overloaded");
        assert_eq!(class(200, true, "text/html; charset=utf-8", "<html>"), "provider_fault");
        assert_eq!(class(200, true, "application/json", "hello"), "provider_fault");
        assert_eq!(class(200, true, "application/json", r#"{"error":{"code":401,"message":"no"}}"#), "auth");
    }
}
