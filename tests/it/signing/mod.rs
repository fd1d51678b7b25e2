//! Credentials as the other side sees them: requests are checked by a verifier that shares no code with the signer, and
//! the clouds' token servers are scripted.

#[cfg(feature = "bedrock")]
mod aws;
mod command_line;
#[cfg(feature = "vertex")]
mod google;
#[cfg(feature = "vertex")]
mod jwt;
mod sigv4;

use bytes::Bytes;
use openmux::upstream::auth::{AuthError, Found, Lazy, Secret, Signer, Vars};

/// The moment of every signature.
const NOW: &str = "2026-11-24T07:43:01Z";

fn vars(pairs: &[(&str, &str)]) -> Vars {
    Vars::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn lazy(lazy: Lazy) -> Found {
    Found::Lazy { source: "a test".to_owned(), lazy }
}

fn post(url: &str, body: &str) -> http::Request<Bytes> {
    let request = http::Request::post(url).header("content-type", "application/json").header("accept", "*/*");
    request.body(Bytes::from(body.to_owned())).unwrap()
}

#[cfg(any(feature = "bedrock", feature = "vertex"))]
fn header<'a>(request: &'a http::Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn what_this_build_cannot_do_is_an_error_and_nothing_is_sent() {
    let clouds = [
        (Lazy::Aws, cfg!(feature = "bedrock")),
        (Lazy::Google, cfg!(feature = "vertex")),
        (Lazy::GoogleDocument(Secret::new("{}")), cfg!(feature = "vertex")),
    ];
    for (cloud, built) in clouds {
        assert_eq!(cloud.unsupported().is_none(), built, "{cloud:?}");
        if !built {
            let mut request = post("http://127.0.0.1:1/", "{}");
            let signer = Signer::new(vars(&[("AWS_REGION", "us-east-1")]));
            let error = signer.sign(&mut request, &lazy(cloud), NOW.parse().unwrap()).await.unwrap_err();
            assert!(matches!(error, AuthError::Unsupported(_)), "{error}");
        }
    }
}
