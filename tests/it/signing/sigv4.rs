//! Signature Version 4, recomputed from its specification on the side of a server.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// AWS's published example of a secret key.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The signature of a string to sign; its third line is the scope: day, region, service, `aws4_request`.
fn signature(secret: &str, string_to_sign: &str) -> String {
    let scope = string_to_sign.lines().nth(2).unwrap();
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    hex(&hmac(&key, string_to_sign))
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str, keep: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
    text.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Checks a request as Bedrock does: who signed it, or why it is refused.
///
/// The path is encoded once more than it came; `content-type` and `host` must be signed, and what is signed must be there.
pub(crate) fn verify(seen: &Seen, secret: &str, region: &str) -> Result<String, String> {
    let authorization = seen.header("authorization").ok_or("no authorization")?;
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        let mut fields = rest.split(", ").filter_map(|field| field.split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).ok_or(format!("no {name}"))
    };
    let (credential, signed, given) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let (id, scope) = credential.split_once('/').ok_or("no scope")?;
    let date = seen.header("x-amz-date").ok_or("no date")?;
    let due = format!("{}/{region}/bedrock/aws4_request", date.get(..8).ok_or("a short date")?);
    if scope != due {
        return Err(format!("the scope is {scope} and not {due}"));
    }
    let token = seen.header("x-amz-security-token").map(|_| ";x-amz-security-token").unwrap_or_default();
    if signed != format!("content-type;host;x-amz-date{token}") {
        return Err(format!("{signed} is signed"));
    }
    let mut canonical = String::new();
    for name in signed.split(';') {
        let value = seen.header(name).ok_or(format!("{name} is missing"))?;
        canonical += &format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let path = encoded(path, "/");
    let body = hex(&Sha256::digest(&seen.body));
    let canonical = format!("{}\n{path}\n{}\n{canonical}\n{signed}\n{body}", seen.method, pairs.join("&"));
    let string_to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    if signature(secret, &string_to_sign) == given {
        Ok(id.to_owned())
    } else {
        Err("the signature differs".to_owned())
    }
}

fn fixture(name: &str) -> Value {
    let text = match name {
        "vectors" => include_str!("../../fixtures/auth/sigv4_vectors.json"),
        _ => include_str!("../../fixtures/auth/boto3_signed.json"),
    };
    serde_json::from_str(text).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn the_verifier_derives_keys_and_hashes_as_aws_published() {
    let suite = fixture("vectors");
    let vectors = suite["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 38);
    for vector in vectors {
        let string_to_sign = text(vector, "string_to_sign");
        let hashed = hex(&Sha256::digest(text(vector, "canonical_request").as_bytes()));
        assert_eq!(string_to_sign.lines().nth(3), Some(hashed.as_str()), "{}", text(vector, "name"));
        let signed = signature(text(vector, "secret_access_key"), string_to_sign);
        assert_eq!(signed, text(vector, "signature"), "{}", text(vector, "name"));
    }
}

#[test]
fn the_verifier_accepts_what_boto3_sent_and_nothing_else() {
    let captured = fixture("boto3");
    let requests = captured["requests"].as_array().unwrap();
    assert!(requests.len() >= 6);
    for request in requests {
        let mut headers = vec![
            ("host".to_owned(), text(request, "host").to_owned()),
            ("content-type".to_owned(), text(request, "content_type").to_owned()),
            ("x-amz-date".to_owned(), text(request, "date").to_owned()),
            ("authorization".to_owned(), text(request, "authorization").to_owned()),
        ];
        headers.extend(request["security_token"].as_str().map(|t| ("x-amz-security-token".to_owned(), t.to_owned())));
        let seen = Seen {
            method: "POST".to_owned(),
            target: text(request, "path").to_owned(),
            headers,
            body: text(request, "body").as_bytes().to_vec(),
        };
        assert_eq!(verify(&seen, SECRET, "us-east-1").as_deref(), Ok("AKIDEXAMPLE"));
        assert!(verify(&seen, "another secret", "us-east-1").is_err());
        assert!(verify(&seen, SECRET, "us-west-2").is_err());
        assert!(verify(&Seen { body: b"{}".to_vec(), ..seen.clone() }, SECRET, "us-east-1").is_err());
        assert!(verify(&Seen { target: "/model/other/converse".to_owned(), ..seen }, SECRET, "us-east-1").is_err());
    }
}
