//! Google's credentials by the type of their document, against scripted token servers.

use std::time::Duration;

use bytes::Bytes;
use openmux::observe::ErrorClass;
use openmux::upstream::auth::{AuthError, Lazy, Secret, Signer};
use serde_json::{Value, json};

use super::super::support::command::Home;
use super::super::support::server::{Script, Server, Step};
use super::jwt::{self, PRIVATE_KEY};
use super::{NOW, header, lazy, post, vars};

const URL: &str = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

async fn signed(signer: &Signer, document: &Value) -> Result<http::Request<Bytes>, AuthError> {
    let mut request = post(URL, "{}");
    let found = lazy(Lazy::GoogleDocument(Secret::new(document.to_string())));
    let spent = signer.sign(&mut request, &found, NOW.parse().unwrap()).await?;
    let token = header(&request, "authorization").strip_prefix("Bearer ").unwrap();
    assert_eq!(spent, [Secret::new(token)], "what went out can be redacted");
    assert!(!format!("{:?}", request.headers()).contains(token), "it is sensitive");
    Ok(request)
}

fn user(token_uri: &str) -> Value {
    json!({
        "type": "authorized_user", "client_id": "id.apps.googleusercontent.com", "client_secret": "canary-client-secret",
        "refresh_token": "1//canary-refresh-token", "token_uri": token_uri, "quota_project_id": "pays",
    })
}

fn token(name: &str) -> Script {
    Script::json(200, &json!({"access_token": name, "expires_in": 3599, "token_type": "Bearer", "scope": SCOPE}))
}

#[tokio::test]
async fn a_service_account_signs_a_token_of_its_own() {
    let document = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "key-1", "private_key": PRIVATE_KEY,
        "client_email": "robot@p.iam.gserviceaccount.com", "client_id": "1",
        // Nobody is asked: a server there would see nothing.
        "token_uri": "http://127.0.0.1:1/token",
    });
    let signer = Signer::default();
    let request = signed(&signer, &document).await.unwrap();
    let token = header(&request, "authorization").strip_prefix("Bearer ").unwrap().to_owned();
    let (head, claims) = jwt::verify(&token).unwrap();
    assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    assert_eq!(claims["iss"], "robot@p.iam.gserviceaccount.com");
    assert_eq!(claims["sub"], claims["iss"]);
    assert_eq!(claims["scope"], SCOPE);
    let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((3600..=3660).contains(&lasts), "{lasts}");
    let broken = format!("{}x", &token[..token.len() - 1]);
    assert!(jwt::verify(&broken).is_err(), "the verifier is no rubber stamp");
    let again = signed(&signer, &document).await.unwrap();
    assert_eq!(header(&again, "authorization"), header(&request, "authorization"), "it is kept");
}

#[tokio::test]
async fn an_authorised_user_exchanges_the_refresh_token_once() {
    let server = Server::start(vec![token("ya29.canary-access")]);
    let signer = Signer::default();
    let document = user(&format!("{}/token", server.base_url()));
    for _ in 0..3 {
        let request = signed(&signer, &document).await.unwrap();
        assert_eq!(header(&request, "authorization"), "Bearer ya29.canary-access");
        assert_eq!(header(&request, "x-goog-user-project"), "pays");
    }
    let asked = &server.requests()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str(), server.hits()), ("POST", "/token", 1));
    // The library asks in JSON, which Google's server takes beside a form.
    let mut fields = asked.json();
    fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let expected = json!({
        "grant_type": "refresh_token", "client_id": "id.apps.googleusercontent.com",
        "client_secret": "canary-client-secret", "refresh_token": "1//canary-refresh-token",
    });
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn the_environment_says_who_pays() {
    let server = Server::start(vec![token("ya29.other")]);
    let signer = Signer::new(vars(&[("GOOGLE_CLOUD_QUOTA_PROJECT", "another")]));
    let request = signed(&signer, &user(&server.base_url())).await.unwrap();
    assert_eq!(header(&request, "x-goog-user-project"), "another");
}

#[tokio::test]
async fn a_refusal_is_told_in_googles_words_and_asked_anew() {
    let refusal = json!({
        "error": "invalid_grant",
        "error_description": "Token has been\nexpired or revoked: 1//canary-refresh-token",
    });
    let server = Server::start(vec![Script::json(400, &refusal), token("ya29.other")]);
    let signer = Signer::default();
    let document = user(&server.base_url());
    let error = signed(&signer, &document).await.unwrap_err();
    let words = "Google gave no credential: invalid_grant: Token has been expired or revoked: [redacted]";
    assert_eq!(error.to_string(), words);
    assert_eq!(error.class(), ErrorClass::Auth);
    assert_eq!(error.fix().as_deref(), Some("gcloud auth application-default login"));
    assert!(!format!("{error:?} {signer:?}").contains("canary"));
    assert!(signed(&signer, &document).await.is_ok(), "a failure is not kept");
}

#[tokio::test]
async fn a_token_server_that_is_away_is_not_a_wrong_key() {
    let signer = Signer::default();
    let error = signed(&signer, &user("http://127.0.0.1:1/token")).await.unwrap_err();
    assert!(matches!(error, AuthError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::LocalConfig);
    let server = Server::start(vec![Script::raw(vec![Step::HangForever])]);
    let signer = signer.with_limit(Duration::from_millis(200));
    let error = signed(&signer, &user(&server.base_url())).await.unwrap_err();
    assert_eq!(error.to_string(), "Google's chain gave no credential within 200 ms");
}

#[tokio::test]
async fn a_workload_identity_exchanges_its_subject_token() {
    let home = Home::new();
    let file = home.write("subject", "canary-subject");
    let server = Server::start(vec![Script::json(
        200,
        &json!({
            "access_token": "sts-token", "expires_in": 3599, "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }),
    )]);
    let document = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", server.base_url()), "credential_source": {"file": file},
    });
    let request = signed(&Signer::default(), &document).await.unwrap();
    assert_eq!(header(&request, "authorization"), "Bearer sts-token");
    let asked = String::from_utf8(server.requests()[0].body.clone()).unwrap();
    assert!(asked.contains("subject_token=canary-subject"), "{asked}");
    assert!(asked.contains("cloud-platform"), "{asked}");
}

#[tokio::test]
async fn a_document_that_cannot_be_used_is_not_quoted() {
    for document in [
        r#"{"type": "service_account", "private_key": "canary""#.to_owned(),
        json!({"type": "canary-free", "private_key": "canary-key"}).to_string(),
        json!({"type": "service_account", "private_key": "canary-key-material"}).to_string(),
        json!({
            "type": "service_account", "project_id": "p", "private_key_id": "k", "client_email": "e",
            "private_key": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
        })
        .to_string(),
    ] {
        let mut request = post(URL, "{}");
        let found = lazy(Lazy::GoogleDocument(Secret::new(document.clone())));
        let error = Signer::default().sign(&mut request, &found, NOW.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Auth, "{error}");
        let told = format!("{error} {error:?}").replace("canary-free", "");
        assert!(!told.contains("canary"), "{told}");
    }
}
