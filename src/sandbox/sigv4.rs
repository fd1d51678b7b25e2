//! AWS Signature Version 4 from the server's side: the signature is computed anew from the request as it arrived.
//!
//! Written from AWS's published description alone and with nothing of what the client signs with, so that the two check
//! each other.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::dialect::Failure;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that Bedrock's requests are signed for.
const SERVICE: &str = "bedrock";
/// How far from now a signature may have been made, in seconds.
const WINDOW: i64 = 300;

/// A request as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) method: &'a str,
    /// The path as it was sent, with its percent-encoding.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// The key pair that signatures must be made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyPair<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) region: &'a str,
}

/// Whether the request carries a signature at all.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    header(headers, "authorization").is_some_and(|value| value.starts_with(ALGORITHM))
}

/// Checks the signature of a request; `now` is left out where the sandbox has no clock.
pub(super) fn verify(arrived: Arrived<'_>, key: KeyPair<'_>, now: Option<Timestamp>) -> Result<(), Failure> {
    let authorization = header(arrived.headers, "authorization").unwrap_or_default();
    let parts = Parts::read(&authorization)?;
    let date = header(arrived.headers, "x-amz-date").ok_or_else(|| {
        incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    })?;
    let signed_at = instant(&date)
        .ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format', e.g. '20130524T000000Z'."))?;
    if parts.key_id != key.id {
        return Err(denied("UnrecognizedClientException", "The security token included in the request is invalid."));
    }
    if date.get(..8) != Some(parts.day) {
        return Err(invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
        ));
    }
    if parts.region != key.region {
        return Err(invalid(&format!("Credential should be scoped to a valid region, not '{}'.", parts.region)));
    }
    if (parts.service, parts.terminator) != (SERVICE, "aws4_request") {
        return Err(invalid(&format!("Credential should be scoped to correct service: '{SERVICE}'.")));
    }
    must_be_signed(arrived.headers, &parts.signed)?;
    if let Some(now) = now
        && (now.as_second() - signed_at.as_second()).abs() > WINDOW
    {
        return Err(invalid(&format!("Signature expired: {date} is more than 5 minutes from the time here.")));
    }
    let payload = hex(&Sha256::digest(arrived.body));
    if header(arrived.headers, "x-amz-content-sha256").is_some_and(|told| told != payload) {
        return Err(invalid("The provided 'x-amz-content-sha256' header does not match what was computed."));
    }
    let canonical = canonical(arrived, &parts.signed, &payload)?;
    let scope = format!("{}/{}/{}/{}", parts.day, parts.region, parts.service, parts.terminator);
    let to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut signing = format!("AWS4{}", key.secret).into_bytes();
    for part in [parts.day, parts.region, parts.service, parts.terminator, &to_sign] {
        signing = mac(&signing, part);
    }
    if hex(&signing) == parts.signature {
        return Ok(());
    }
    Err(invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    ))
}

/// The parts of an `Authorization` header.
struct Parts<'a> {
    key_id: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
    /// The names of the signed headers, as they are listed.
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn read(authorization: &'a str) -> Result<Self, Failure> {
        let rest = authorization.strip_prefix(ALGORITHM).unwrap_or_default().trim();
        let part = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
        };
        let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        let mut scope = credential.split('/');
        let (Some(key_id), Some(day), Some(region), Some(service), Some(terminator), None) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements."));
        };
        Ok(Self { key_id, day, region, service, terminator, signed: signed.split(';').collect(), signature })
    }
}

/// The host and every header of AWS's own must be signed, in order of their names.
fn must_be_signed(headers: &HeaderMap, signed: &[&str]) -> Result<(), Failure> {
    if !signed.is_sorted() {
        return Err(invalid("SignedHeaders must be sorted."));
    }
    let amz = headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    match std::iter::once("host").chain(amz).find(|name| !signed.contains(name)) {
        Some(name) => Err(invalid(&format!("'{name}' must be a 'SignedHeader' in the AWS Authorization header."))),
        None => Ok(()),
    }
}

fn canonical(arrived: Arrived<'_>, signed: &[&str], payload: &str) -> Result<String, Failure> {
    let mut headers = String::new();
    for name in signed {
        let value = header(arrived.headers, name)
            .ok_or_else(|| invalid(&format!("The signed header '{name}' is not in the request.")))?;
        headers += &format!("{name}:{value}\n");
    }
    let mut parameters: Vec<String> = arrived
        .query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| if parameter.contains('=') { parameter.to_owned() } else { format!("{parameter}=") })
        .collect();
    parameters.sort();
    let (method, path) = (arrived.method, encoded_once_more(arrived.path));
    Ok(format!("{method}\n{path}\n{}\n{headers}\n{}\n{payload}", parameters.join("&"), signed.join(";")))
}

/// A path that was percent-encoded when it was sent, percent-encoded again.
fn encoded_once_more(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// A header's values, joined, trimmed, and with one space where there are several.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// `20261124T084302Z` as an instant.
fn instant(date: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn denied(code: &'static str, message: &str) -> Failure {
    Failure::Denied { code, message: message.to_owned() }
}

fn invalid(message: &str) -> Failure {
    denied("InvalidSignatureException", message)
}

fn incomplete(message: &str) -> Failure {
    denied("IncompleteSignatureException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize as _;
    use serde_json::Value;

    /// The key pair of AWS's published examples, which boto3 was given when its requests were captured.
    const PUBLISHED: KeyPair<'_> =
        KeyPair { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1" };

    /// Writes JSON with the spaces and escapes of Python's.
    struct Python;

    impl serde_json::ser::Formatter for Python {
        fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }

        fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }

        fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
            out.write_all(b": ")
        }
    }

    fn body(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Python)).unwrap();
        String::from_utf8(out).unwrap().replace('é', "\\u00e9").into_bytes()
    }

    #[test]
    fn what_boto3_signed_is_right_and_nothing_else_is() {
        let captured = include_str!("../../tests/fixtures/sdk/bedrock.jsonl");
        let mut checked = 0;
        for line in captured.lines() {
            let request: Value = serde_json::from_str(line).unwrap();
            let mut headers = HeaderMap::new();
            for header in request["headers"].as_array().unwrap() {
                let name: http::HeaderName = header[0].as_str().unwrap().parse().unwrap();
                headers.append(name, header[1].as_str().unwrap().parse().unwrap());
            }
            // The capture left out some headers that Anthropic's own client had signed.
            if !headers["user-agent"].to_str().unwrap().starts_with("Boto3") {
                continue;
            }
            let bytes = body(&request["body"]);
            assert_eq!(headers["content-length"], bytes.len().to_string());
            let path = request["path"].as_str().unwrap();
            let arrived = Arrived { method: "POST", path, query: "", headers: &headers, body: &bytes };
            let at = instant(headers["x-amz-date"].to_str().unwrap());
            assert_eq!(verify(arrived, PUBLISHED, at), Ok(()), "{path}");
            assert!(verify(Arrived { body: b"{}", ..arrived }, PUBLISHED, at).is_err());
            assert!(verify(Arrived { path: "/model/m/other", ..arrived }, PUBLISHED, at).is_err());
            assert!(verify(Arrived { query: "a=b", ..arrived }, PUBLISHED, at).is_err());
            assert!(verify(arrived, KeyPair { secret: "other", ..PUBLISHED }, at).is_err());
            checked += 1;
        }
        assert_eq!(checked, 7);
    }
}
