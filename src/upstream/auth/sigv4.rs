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
