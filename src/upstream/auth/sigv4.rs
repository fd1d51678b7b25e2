//! AWS Signature Version 4 in headers, as botocore signs for Bedrock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signature};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::AuthError;
use super::error::one_line;

/// The headers of a request that are signed beside `x-amz-date` and `x-amz-security-token`; proxies may change others.
const SIGNED: [HeaderName; 2] = [CONTENT_TYPE, HOST];

/// Signs a request: adds `x-amz-date`, `x-amz-security-token` for temporary credentials, and `authorization`.
///
/// The path is signed as it is sent, encoded once more and with `.` and `//` folded; the body is hashed, without a header
/// for its hash. The same arguments give the same signature.
///
/// # Errors
/// A header or the address cannot be signed.
pub(super) fn sign(
    request: &mut http::Request<Bytes>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) -> Result<(), AuthError> {
    let failed = |error: &dyn std::fmt::Display| AuthError::Unsignable(one_line(&error.to_string()));
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(moment(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let method = request.method().as_str().to_owned();
    let uri = request.uri().to_string();
    let mut headers = Vec::new();
    for name in &SIGNED {
        for value in request.headers().get_all(name) {
            let value = value.to_str().map_err(|error| failed(&error))?.to_owned();
            headers.push((name.as_str(), value));
        }
    }
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(request.body());
    let signable = SignableRequest::new(&method, uri, headers, body).map_err(|error| failed(&error))?;
    let (instructions, _) = signature(signable, &params).map_err(|error| failed(&error))?.into_parts();
    let mut added = Vec::new();
    for (name, value) in instructions.headers() {
        let name = HeaderName::try_from(name).map_err(|error| failed(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| failed(&error))?;
        value.set_sensitive(name == AUTHORIZATION || name == "x-amz-security-token");
        added.push((name, value));
    }
    for (name, value) in added {
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// A moment as AWS's library takes it, to the second, as signatures have it.
fn moment(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn text<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name].as_str().unwrap()
    }

    fn header<'a>(request: &'a http::Request<Bytes>, name: &str) -> &'a str {
        request.headers()[name].to_str().unwrap()
    }

    /// A request as AWS's suite writes it; `None` where it holds other headers than we sign.
    fn parsed(text: &str) -> Option<http::Request<Bytes>> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next()?.split_once(' ')?;
        // The suite encodes a path once, as S3 does; that other services encode it twice is what boto3's requests show.
        let path = rest.strip_suffix(" HTTP/1.1").filter(|path| !path.contains([' ', '%']))?;
        let headers: Vec<(&str, &str)> = lines.map_while(|line| line.split_once(':')).collect();
        let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"))?.1;
        let uri: http::Uri = format!("https://{host}{path}").parse().ok()?;
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            if !name.eq_ignore_ascii_case("content-type") {
                return None;
            }
            request = request.header(name, value);
        }
        request.body(Bytes::copy_from_slice(body.as_bytes())).ok()
    }

    #[test]
    fn aws_published_vectors_are_signed_to_the_byte() {
        let suite = include_str!("../../../tests/fixtures/auth/sigv4_vectors.json");
        let suite: Value = serde_json::from_str(suite).unwrap();
        let mut passed = Vec::new();
        for vector in suite["vectors"].as_array().unwrap() {
            let name = text(vector, "name");
            let ours =
                vector["normalize"] == true && vector["sign_body"] == false && vector["omit_session_token"] != true;
            let Some(mut request) = parsed(text(vector, "request")).filter(|_| ours) else { continue };
            let token = vector["token"].as_str().map(str::to_owned);
            let credentials =
                Credentials::new(text(vector, "access_key_id"), text(vector, "secret_access_key"), token, None, "test");
            let now = text(vector, "timestamp").parse().unwrap();
            sign(&mut request, &credentials, text(vector, "region"), text(vector, "service"), now).unwrap();
            let signature = header(&request, "authorization").rsplit("Signature=").next().unwrap();
            assert_eq!(signature, text(vector, "signature"), "{name}");
            passed.push(name);
        }
        assert!(passed.len() >= 14, "{passed:?}");
        for name in ["get-vanilla", "get-vanilla-with-session-token", "get-slashes-normalized", "get-vanilla-query"] {
            assert!(passed.contains(&name), "{name}");
        }
    }

    #[test]
    fn requests_are_signed_as_boto3_signed_them() {
        let captured = include_str!("../../../tests/fixtures/auth/boto3_signed.json");
        let captured: Value = serde_json::from_str(captured).unwrap();
        let requests = captured["requests"].as_array().unwrap();
        assert!(requests.len() >= 6);
        for seen in requests {
            let mut request = http::Request::post(format!("http://{}{}", text(seen, "host"), text(seen, "path")))
                .header("content-type", text(seen, "content_type"))
                .header("user-agent", "not signed")
                .body(Bytes::from(text(seen, "body").to_owned()))
                .unwrap();
            let token = seen["security_token"].as_str().map(str::to_owned);
            let credentials =
                Credentials::new("AKIDEXAMPLE", text(&captured, "secret_access_key"), token.clone(), None, "test");
            let date = text(seen, "date");
            let (day, time) = date.trim_end_matches('Z').split_once('T').unwrap();
            let cut = |text: &str, at: usize| (text[..at].to_owned(), text[at..].to_owned());
            let ((year, rest), (hour, last)) = (cut(day, 4), cut(time, 2));
            let now = format!("{year}-{}-{}T{hour}:{}:{}Z", &rest[..2], &rest[2..], &last[..2], &last[2..]);
            sign(&mut request, &credentials, "us-east-1", "bedrock", now.parse().unwrap()).unwrap();
            assert_eq!(header(&request, "authorization"), text(seen, "authorization"), "{}", text(seen, "path"));
            assert_eq!(header(&request, "x-amz-date"), date);
            assert_eq!(
                request.headers().get("x-amz-security-token").map(|value| value.to_str().unwrap()),
                token.as_deref()
            );
            assert!(!format!("{:?}", request.headers()).contains("Signature"), "it is sensitive");
        }
    }
}
