//! AWS's chain, each link of it, and what it signs.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use openmux::observe::ErrorClass;
use openmux::upstream::auth::{AuthError, Lazy, Signer};
use serde_json::json;

use super::super::support::command::Home;
use super::super::support::server::{Script, Server, Step};
use super::sigv4::{SECRET, Seen, verify};
use super::{NOW, header, lazy, post, vars};

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse";

/// A request as it would arrive: the client adds the host.
fn arrived(request: &http::Request<Bytes>) -> Seen {
    let headers = request.headers().iter();
    let mut headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.push(("host".to_owned(), request.uri().authority().unwrap().to_string()));
    Seen {
        method: request.method().to_string(),
        target: request.uri().path_and_query().unwrap().to_string(),
        headers,
        body: request.body().to_vec(),
    }
}

async fn signed(signer: &Signer, url: &str, now: &str) -> Result<http::Request<Bytes>, AuthError> {
    let mut request = post(url, r#"{"messages":[]}"#);
    signer.sign(&mut request, &lazy(Lazy::Aws), now.parse().unwrap()).await.map(|_| request)
}

/// The environment of a test: a home of its own, no instance, and further variables.
fn signer(home: &Home, pairs: &[(&str, &str)]) -> Signer {
    let path = home.path().to_string_lossy().into_owned();
    let own = [("HOME", path.as_str()), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "us-east-1")];
    Signer::new(vars(&[&own[..], pairs].concat()))
}

const STATIC: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// What AWS's endpoints for temporary credentials answer.
fn temporary(expiry: &str) -> serde_json::Value {
    json!({
        "Code": "Success", "AccessKeyId": "ASIATEMPORARY", "SecretAccessKey": SECRET, "Token": "canary-token+/=",
        "Expiration": expiry, "LastUpdated": NOW, "Type": "AWS-HMAC",
    })
}

fn sts(action: &str) -> Script {
    let body = format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>ASIATEMPORARY</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>canary-token+/=</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:x</Arn>\
         <AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
    );
    Script::body(200, "text/xml", body)
}

/// A request that a signer made with the temporary credentials passes.
async fn assert_temporary(signer: &Signer) {
    let request = signed(signer, URL, NOW).await.unwrap();
    assert_eq!(verify(&arrived(&request), SECRET, "us-east-1").as_deref(), Ok("ASIATEMPORARY"));
    assert_eq!(header(&request, "x-amz-security-token"), "canary-token+/=");
}

#[tokio::test]
async fn a_server_that_recomputes_the_signature_accepts_every_path_and_no_change() {
    let home = Home::new();
    let token = [("AWS_SESSION_TOKEN", "canary-token+/=")];
    for pairs in [STATIC.to_vec(), [&STATIC[..], &token].concat()] {
        let signer = signer(&home, &pairs);
        for path in [
            "/model/anthropic.claude-sonnet-5-v1:0/converse",
            "/model/anthropic.claude-sonnet-5-v1%3A0/converse-stream",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a-v2%3A0/converse",
            "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a-v2:0/converse",
            "/model/a@b~c_d!$'()*,;=+/converse",
            "/model/%E1%88%B4%20%25/converse?b=2&a=1",
            "/",
        ] {
            let request = signed(&signer, &format!("http://127.0.0.1:9102{path}"), NOW).await.unwrap();
            let seen = arrived(&request);
            assert_eq!(verify(&seen, SECRET, "us-east-1").as_deref(), Ok("AKIDEXAMPLE"), "{path}");
            assert_eq!(header(&request, "x-amz-date"), "20261124T074301Z");
            assert!(verify(&Seen { target: format!("{path}x"), ..seen.clone() }, SECRET, "us-east-1").is_err());
            assert!(verify(&Seen { body: b"{ }".to_vec(), ..seen }, SECRET, "us-east-1").is_err());
            assert!(!request.headers().contains_key("x-amz-content-sha256"), "boto3 sends none");
            let shown = format!("{:?} {signer:?}", request.headers());
            assert!(!shown.contains("canary") && !shown.contains("Signature="), "{shown}");
        }
    }
}

#[tokio::test]
async fn the_region_is_that_of_the_address_then_of_the_environment_and_never_a_default() {
    let home = Home::new();
    let there = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse";
    let request = signed(&signer(&home, &STATIC), there, NOW).await.unwrap();
    assert!(verify(&arrived(&request), SECRET, "eu-central-1").is_ok());
    let nowhere = Signer::new(vars(&STATIC));
    let error = signed(&nowhere, "http://127.0.0.1:9102/model/m/converse", NOW).await.unwrap_err();
    assert_eq!(error, AuthError::MissingRegion);
    assert_eq!(Lazy::Aws.missing("http://127.0.0.1:9102", &vars(&STATIC)), Some("AWS_REGION"));
    assert_eq!(Lazy::Aws.missing(there, &vars(&STATIC)), None);
}

#[tokio::test]
async fn a_containers_credentials_are_kept_until_they_run_out() {
    let home = Home::new();
    let (soon, later) = (temporary("2099-01-01T00:00:00Z"), temporary("2099-01-01T06:00:00Z"));
    let server = Server::start(vec![Script::json(200, &soon), Script::json(200, &later)]);
    let uri = format!("{}/creds", server.base_url());
    let pairs =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-9")];
    let signer = signer(&home, &pairs);
    assert_temporary(&signer).await;
    signed(&signer, URL, "2098-12-31T23:58:00Z").await.unwrap();
    assert_eq!(server.hits(), 1, "they hold for two minutes more");
    let (first, second) =
        tokio::join!(signed(&signer, URL, "2098-12-31T23:59:30Z"), signed(&signer, URL, "2098-12-31T23:59:30Z"));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(server.hits(), 2, "half a minute is too little, and who waits asks not again");
    assert_eq!(server.requests()[0].header("authorization"), Some("canary-9"));
}

#[tokio::test]
async fn what_still_holds_is_used_where_nothing_newer_is_given() {
    let home = Home::new();
    let first = Script::json(200, &temporary("2099-01-01T00:00:00Z"));
    let refusal = Script::json(403, &json!({"code": "AccessDenied", "message": "no more"}));
    let server = Server::start(vec![first, refusal.clone(), refusal]);
    let signer = signer(&home, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &server.base_url())]);
    assert_temporary(&signer).await;
    assert!(signed(&signer, URL, "2098-12-31T23:59:30Z").await.is_ok());
    let error = signed(&signer, URL, "2099-01-01T00:00:01Z").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth, "{error}");
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_named_whatever_else_was_asked_after_it() {
    let home = Home::new();
    let nobody = format!("http://127.0.0.1:{}", super::super::support::server::closed_port());
    for metadata in [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", nobody.as_str())] {
        let path = home.path().to_string_lossy().into_owned();
        let own = [("HOME", path.as_str()), ("AWS_REGION", "us-east-1"), ("AWS_PROFILE", "nowhere"), metadata];
        let error = signed(&Signer::new(vars(&own)), URL, NOW).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("the profile \"nowhere\""), "{metadata:?}: {said}");
        assert!(!said.contains("127.0.0.1"), "{said}");
        assert_eq!(error.class(), ErrorClass::Auth, "{said}");
        assert_eq!(error.fix().as_deref(), Some("aws sts get-caller-identity --profile nowhere"));
    }
}

#[tokio::test]
async fn an_instances_role_is_found_by_its_metadata() {
    let home = Home::new();
    let server = Server::start(vec![
        Script::body(200, "text/plain", "metadata-token").header("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
        Script::body(200, "text/plain", "a-role"),
        Script::json(200, &temporary("2099-01-01T00:00:00Z")),
    ]);
    let (endpoint, path) = (server.base_url(), home.path().to_string_lossy().into_owned());
    let pairs =
        [("HOME", path.as_str()), ("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)];
    assert_temporary(&Signer::new(vars(&pairs))).await;
}

#[tokio::test]
async fn profiles_lead_to_keys_roles_and_processes() {
    let home = Home::new();
    home.write(
        ".aws/credentials",
        &format!("[keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"),
    );
    let printed = json!({
        "Version": 1, "AccessKeyId": "ASIATEMPORARY", "SecretAccessKey": SECRET, "SessionToken": "canary-token+/=",
        "Expiration": "2099-01-01T00:00:00Z",
    });
    let file = home.write("printed.json", &printed.to_string());
    home.write(
        ".aws/config",
        &format!(
            "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n\
             [profile process]\ncredential_process = cat {}\n\
             [profile broken]\ncredential_process = echo locked >&2; exit 4\n",
            file.display()
        ),
    );
    let request = signed(&signer(&home, &[("AWS_PROFILE", "keys")]), URL, NOW).await.unwrap();
    assert_eq!(verify(&arrived(&request), SECRET, "us-east-1").as_deref(), Ok("AKIDEXAMPLE"));

    assert_temporary(&signer(&home, &[("AWS_PROFILE", "process")])).await;
    let error = signed(&signer(&home, &[("AWS_PROFILE", "broken")]), URL, NOW).await.unwrap_err();
    assert!(error.to_string().contains("Stderr: locked"), "{error}");
    assert_eq!(error.fix().as_deref(), Some("aws sts get-caller-identity --profile broken"));

    let server = Server::start(vec![sts("AssumeRole")]);
    let role = signer(&home, &[("AWS_PROFILE", "role"), ("AWS_ENDPOINT_URL_STS", &server.base_url())]);
    assert_temporary(&role).await;
    let asked = String::from_utf8(server.requests()[0].body.clone()).unwrap();
    assert!(asked.contains("Action=AssumeRole") && asked.contains("role%2Fr"), "{asked}");
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_a_role() {
    let home = Home::new();
    let file = home.write("token", "canary-web-identity");
    let server = Server::start(vec![sts("AssumeRoleWithWebIdentity")]);
    let file = file.to_string_lossy().into_owned();
    let pairs = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
        ("AWS_ENDPOINT_URL_STS", &server.base_url()),
    ];
    assert_temporary(&signer(&home, &pairs)).await;
    let asked = String::from_utf8(server.requests()[0].body.clone()).unwrap();
    assert!(asked.contains("WebIdentityToken=canary-web-identity"), "{asked}");
}

/// A profile of AWS IAM Identity Center, and the token of a log-in that holds until then.
#[cfg(feature = "sso")]
fn logged_in(home: &Home, until: &str) {
    home.write(
        ".aws/config",
        "[profile work]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\nregion = us-east-1\n\
         [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n",
    );
    let token = json!({"accessToken": "canary-sso-token", "expiresAt": until, "region": "us-east-1"});
    // The file's name is the SHA-1 of the session's name.
    home.write(".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json", &token.to_string());
}

#[tokio::test]
#[cfg(feature = "sso")]
async fn a_log_in_of_identity_center_gives_credentials() {
    let home = Home::new();
    logged_in(&home, "2099-01-01T00:00:00Z");
    let role = json!({"roleCredentials": {
        "accessKeyId": "ASIATEMPORARY", "secretAccessKey": SECRET, "sessionToken": "canary-token+/=",
        "expiration": 4_070_908_800_000_u64,
    }});
    let server = Server::start(vec![Script::json(200, &role)]);
    let pairs = [("AWS_PROFILE", "work"), ("AWS_ENDPOINT_URL_SSO", &server.base_url())];
    assert_temporary(&signer(&home, &pairs)).await;
    assert_eq!(server.requests()[0].header("x-amz-sso_bearer_token"), Some("canary-sso-token"));
}

#[tokio::test]
#[cfg(feature = "sso")]
async fn a_log_in_that_ran_out_says_how_to_log_in_again() {
    let home = Home::new();
    logged_in(&home, "2020-01-01T00:00:00Z");
    let error = signed(&signer(&home, &[("AWS_PROFILE", "work")]), URL, NOW).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth);
    assert_eq!(error.fix().as_deref(), Some("aws sso login --profile work"), "{error}");
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn finding_nothing_and_being_refused_are_told_in_one_line() {
    let home = Home::new();
    let error = signed(&signer(&home, &[]), URL, NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "AWS gave no credential: no key, profile, token or role was found");
    assert_eq!(error.fix().as_deref(), Some("aws sts get-caller-identity"));

    let server = Server::start(vec![Script::body(
        403,
        "text/xml",
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform \
         sts:AssumeRoleWithWebIdentity with canary-web-identity</Message></Error></ErrorResponse>",
    )]);
    let file = home.write("token", "canary-web-identity").to_string_lossy().into_owned();
    let pairs = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
        ("AWS_ENDPOINT_URL_STS", &server.base_url()),
    ];
    let error = signed(&signer(&home, &pairs), URL, NOW).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth);
    assert!(error.to_string().contains("Not authorized to perform"), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_nobody_up() {
    let home = Home::new();
    let server = Server::start(vec![Script::raw(vec![Step::HangForever])]);
    let hanging = signer(&home, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &server.base_url())]);
    let error = signed(&hanging.with_limit(Duration::from_millis(300)), URL, NOW).await.unwrap_err();
    assert!(matches!(error, AuthError::TimedOut { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::LocalConfig, "the next provider is tried");
    assert!(Path::new(&home.path().join(".aws")).metadata().is_err(), "nothing is written");
}
