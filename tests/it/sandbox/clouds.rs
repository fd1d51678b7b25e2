//! The near end's own signing against the far end's own checking: AWS's library signs, Google's library exchanges.

use bytes::Bytes;
use jiff::Timestamp;
use openmux::upstream::auth::{Found, Lazy, Secret, Signer, Vars};

use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

async fn sandbox(protocol: Protocol) -> Running {
    let scenario = Scenario::parse("test", FAST).unwrap();
    let clock: openmux::sandbox::Clock = std::sync::Arc::new(now);
    Sandbox::start_on(scenario, vec![provider("cloud", protocol)], 0, Some(clock)).await.unwrap()
}

/// Status and body of a request that the near end has signed.
async fn sent(sandbox: &Running, protocol: Protocol, signer: &Signer, lazy: Lazy) -> (u16, String) {
    let request = ask(sandbox, "cloud", protocol, &json!({})).header("content-type", "application/json");
    let request = request.build().unwrap();
    let mut signed = http::Request::new(Bytes::copy_from_slice(request.body().unwrap().as_bytes().unwrap()));
    *signed.method_mut() = http::Method::POST;
    *signed.uri_mut() = request.url().as_str().parse().unwrap();
    *signed.headers_mut() = request.headers().clone();
    let found = Found::Lazy { source: "sandbox".to_owned(), lazy };
    signer.sign(&mut signed, &found, now()).await.unwrap();
    let (head, body) = signed.into_parts();
    let sent = client().post(head.uri.to_string()).headers(head.headers).body(body).send().await.unwrap();
    (sent.status().as_u16(), sent.text().await.unwrap())
}

#[tokio::test]
async fn bedrock_takes_what_aws_s_library_signs() {
    let sandbox = sandbox(Protocol::BedrockConverse).await;
    let Credential::Aws { access_key_id, secret_access_key, region } =
        &sandbox.places.values().next().unwrap()[0].credential
    else {
        panic!("AWS's")
    };
    let vars = |secret: &str| {
        let pairs =
            [("AWS_ACCESS_KEY_ID", access_key_id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_REGION", region)];
        Vars::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    };
    let good = Signer::new(vars(secret_access_key));
    let (status, text) = sent(&sandbox, Protocol::BedrockConverse, &good, Lazy::Aws).await;
    assert_eq!(status, 200, "{text}");
    let bad = Signer::new(vars("another"));
    let (status, text) = sent(&sandbox, Protocol::BedrockConverse, &bad, Lazy::Aws).await;
    assert_eq!(status, 403);
    assert!(text.contains("The request signature we calculated does not match"), "{text}");
}

#[tokio::test]
async fn vertex_takes_what_google_s_library_exchanges_or_signs() {
    for protocol in [Protocol::VertexAnthropic, Protocol::VertexGemini] {
        let sandbox = sandbox(protocol).await;
        let Credential::Google { document } = &sandbox.places.values().next().unwrap()[0].credential else {
            panic!("Google's")
        };
        let signer = Signer::new(Vars::default());
        let lazy = Lazy::GoogleDocument(Secret::new(document.clone()));
        let (status, text) = sent(&sandbox, protocol, &signer, lazy).await;
        assert_eq!(status, 200, "{text}");
    }
}
