//! Gemini through the whole command: where it is reached, how the key is carried, what is asked, what is told.

use openmux::catalog::{Auth, Catalog, Modality, ModelId, ModelKind, Protocol, ProviderId, Status};
use openmux::upstream::adapter;
use serde_json::json;

use super::super::support::command::Home;
use super::super::support::server::Server;
use super::super::support::wire::{openai_event, stream};

#[test]
fn a_chat_with_google_speaks_gemini_where_the_sdks_variable_says() {
    let usage =
        |answer: u64| json!({ "promptTokenCount": 5, "candidatesTokenCount": answer, "totalTokenCount": 5 + answer });
    let chunk = |text: &str, answer: u64, finish: Option<&str>| {
        let content = json!({ "role": "model", "parts": [{ "text": text }] });
        let candidate = json!({ "content": content, "finishReason": finish });
        openai_event(&json!({ "candidates": [candidate], "usageMetadata": usage(answer) }))
    };
    let server = Server::repeating(stream(vec![chunk("Hello", 1, None), chunk(", you.", 3, Some("STOP"))]));
    let home = Home::new();
    let output = home
        .openmux(["chat", "-m", "google/gemini-2.5-flash", "--provider", "google", "-o", "json", "hi"])
        .env("GEMINI_API_KEY", "AIza-0123456789")
        .env("GOOGLE_GEMINI_BASE_URL", server.base_url())
        .run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
    let told: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(told["text"], "Hello, you.");
    assert_eq!((&told["finish"], &told["finish_native"]), (&json!("stop"), &json!("STOP")));
    assert_eq!((&told["usage"]["input_tokens"], &told["usage"]["output_tokens"]), (&json!(5), &json!(3)));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert_eq!(requests[0].header("x-goog-api-key"), Some("AIza-0123456789"));
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[0].json(), json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] }));
}

#[test]
fn every_gemini_of_googles_has_an_address_and_a_protocol_that_is_built() {
    let catalog = Catalog::builtin();
    for (id, protocol, auth) in [
        ("google", Protocol::Gemini, Auth::Header("x-goog-api-key".to_owned())),
        ("google-vertex", Protocol::VertexGemini, Auth::Google),
    ] {
        let provider = catalog.provider(&ProviderId::new(id)).unwrap();
        let mut seen = 0;
        for model in catalog.models() {
            for endpoint in catalog.endpoints_for(&ModelId::new(model.id())) {
                let is_current = !matches!(endpoint.status, Status::Retired | Status::Unlisted | Status::Deprecated);
                let is_meant = endpoint.kind == ModelKind::Chat && endpoint.output.contains(&Modality::Text);
                let is_gemini = endpoint.id.upstream_model.starts_with("gemini-");
                if endpoint.id.provider != provider.id || !is_current || !is_meant || !is_gemini {
                    continue;
                }
                seen += 1;
                let first = endpoint.protocols().next();
                assert_eq!(first, Some(protocol), "{}", endpoint.id);
                assert!(adapter(protocol).is_some());
                let (url, found) = catalog.base_url(&endpoint, &provider, protocol).unwrap();
                assert!(url.starts_with("https://"), "{url}");
                assert_eq!(found, auth, "{}", endpoint.id);
            }
        }
        assert!(seen >= 8, "{id} has only {seen}");
    }
}
