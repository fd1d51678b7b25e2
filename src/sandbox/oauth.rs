//! Google's token endpoint, and the tokens that Vertex AI takes: those it has given, and assertions that a service
//! account has signed.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::Draw;
use super::dialect::Failure;
use super::reply::Response;

const CLIENT_ID: &str = "openmux-sandbox.apps.googleusercontent.com";
const CLIENT_SECRET: &str = "openmux-sandbox-client";
const REFRESH_TOKEN: &str = "1//openmux-sandbox";
const ACCOUNT: &str = "sandbox@openmux-sandbox.iam.gserviceaccount.com";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// What real clients name as the audience of an assertion, whatever the key file's `token_uri` says.
const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a token is good for, in seconds.
const LIFETIME: i64 = 3600;

/// The document of a user who has logged in, for the token endpoint at `token_uri`.
pub(super) fn authorized_user(token_uri: &str) -> String {
    json!({
        "type": "authorized_user",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "token_uri": token_uri,
    })
    .to_string()
}

/// One token endpoint.
pub(super) struct Google {
    provider: String,
    seed: u64,
    /// The tokens that were given, and when each runs out.
    given: BTreeMap<String, Option<i64>>,
    /// The service account's key, once somebody has asked for it.
    account: Option<KeyPair>,
}

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Google").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Google {
    pub(super) fn new(provider: &str, seed: u64) -> Self {
        Self { provider: provider.to_owned(), seed, given: BTreeMap::new(), account: None }
    }

    /// The key file of a service account whose assertions are taken. Its key is made at the first call.
    pub(super) fn service_account(&mut self, token_uri: &str) -> Result<String, String> {
        let failed = |_| "the key of the service account cannot be made".to_owned();
        if self.account.is_none() {
            self.account = Some(KeyPair::generate(KeySize::Rsa2048).map_err(failed)?);
        }
        let Some(pair) = &self.account else { return Err(failed(aws_lc_rs::error::Unspecified)) };
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
        let text = STANDARD.encode(der.as_ref());
        let mut lines = String::new();
        for (at, character) in text.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                lines.push('\n');
            }
            lines.push(character);
        }
        // In two pieces, so that nobody takes this file for one that holds a key.
        let (begin, end) = ("-----BEGIN PRIVATE", "-----END PRIVATE");
        Ok(json!({
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "openmux-sandbox",
            "private_key": format!("{begin} KEY-----\n{lines}\n{end} KEY-----\n"),
            "client_email": ACCOUNT,
            "client_id": "0",
            "token_uri": token_uri,
        })
        .to_string())
    }

    /// Whether a bearer token may ask for an answer.
    pub(super) fn accepts(&self, token: &str, now: Option<Timestamp>) -> Result<(), Failure> {
        match self.given.get(token) {
            Some(Some(until)) if now.is_some_and(|now| now.as_second() >= *until) => Err(Failure::WrongKey),
            Some(_) => Ok(()),
            None if token.split('.').count() == 3 => {
                self.assertion(token, now).map_err(|message| Failure::Denied { code: "UNAUTHENTICATED", message })
            }
            None => Err(Failure::WrongKey),
        }
    }

    /// Answers a request to the token endpoint: JSON or a form, as clients send both.
    pub(super) fn exchange(&mut self, body: &[u8], now: Option<Timestamp>) -> Response {
        let fields = fields(body);
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let granted = match field("grant_type") {
            "refresh_token" if (field("client_id"), field("client_secret")) != (CLIENT_ID, CLIENT_SECRET) => {
                Err((401, "invalid_client", "The OAuth client was not found.".to_owned()))
            }
            "refresh_token" if field("refresh_token") == REFRESH_TOKEN => Ok(()),
            "refresh_token" => Err((400, "invalid_grant", "Bad Request".to_owned())),
            JWT_BEARER => self.assertion(field("assertion"), now).map_err(|why| (400, "invalid_grant", why)),
            other => Err((400, "unsupported_grant_type", format!("Invalid grant_type: {other}"))),
        };
        let (status, answer) = match granted {
            Ok(()) => (200, self.grant(now)),
            Err((status, error, why)) => (status, json!({"error": error, "error_description": why})),
        };
        Response::json(status, Bytes::from(answer.to_string()), std::time::Duration::ZERO)
    }

    fn grant(&mut self, now: Option<Timestamp>) -> Value {
        let ordinal = self.given.len() as u64;
        let token = format!("ya29.sandbox-{:016x}", Draw::new(self.seed, &self.provider, ordinal).next());
        self.given.insert(token.clone(), now.map(|now| now.as_second() + LIFETIME));
        json!({"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer", "scope": SCOPE})
    }

    /// Checks an assertion: a JWT that the service account has signed with RS256. Why it is not taken, as Google says it.
    fn assertion(&self, token: &str, now: Option<Timestamp>) -> Result<(), String> {
        let unreadable = || "Invalid JWT: it cannot be read.".to_owned();
        let (signed, signature) = token.rsplit_once('.').ok_or_else(unreadable)?;
        let (head, claims) = signed.split_once('.').ok_or_else(unreadable)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable());
        let object = |part: &str| serde_json::from_slice::<Value>(&bytes(part)?).map_err(|_| unreadable());
        let (head, claims, signature) = (object(head)?, object(claims)?, bytes(signature)?);
        if head.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err("Invalid JWT: the algorithm must be RS256.".to_owned());
        }
        let Some(account) = &self.account else {
            return Err("Invalid JWT: no service account has a key here.".to_owned());
        };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.public_key().as_ref());
        if key.verify(signed.as_bytes(), &signature).is_err() {
            return Err("Invalid JWT Signature.".to_owned());
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(ACCOUNT) {
            return Err("Invalid grant: account not found".to_owned());
        }
        // A scope asks for what Vertex needs; without one, the audience must be Google's.
        let for_us = match (text("scope"), text("aud")) {
            (Some(scope), _) => scope.split(' ').any(|name| name == SCOPE),
            (None, Some(audience)) => audience == GOOGLE_TOKEN || audience.ends_with("aiplatform.googleapis.com/"),
            (None, None) => false,
        };
        if !for_us {
            return Err("Invalid JWT: neither its scope nor its audience is right.".to_owned());
        }
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        let (Some(made), Some(until)) = (time("iat"), time("exp")) else {
            return Err("Invalid JWT: iat and exp are required.".to_owned());
        };
        let is_current = now.is_none_or(|now| (made - 60..until + 60).contains(&now.as_second()));
        if !is_current || until - made > LIFETIME + 60 {
            return Err(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.".into()
            );
        }
        Ok(())
    }
}

/// The fields of a body: an object of JSON, or a form.
fn fields(body: &[u8]) -> BTreeMap<String, String> {
    if let Ok(Value::Object(members)) = serde_json::from_slice(body) {
        let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        return members.into_iter().filter_map(text).collect();
    }
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

    const NOW: i64 = 1_795_478_400;

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(second).unwrap())
    }

    fn told(response: &Response) -> (u16, Value) {
        (response.status, serde_json::from_slice(&response.parts[0].bytes).unwrap())
    }

    /// Signs as a client does that knows nothing but the key file.
    fn signed(key_file: &str, claims: &Value) -> String {
        let file: Value = serde_json::from_str(key_file).unwrap();
        let pem: String = file["private_key"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_user_who_has_logged_in_gets_a_token_for_an_hour() {
        let mut google = Google::new("google-vertex", 1);
        let document: Value = serde_json::from_str(&authorized_user("http://127.0.0.1:1/token")).unwrap();
        let mut request = document.clone();
        request["grant_type"] = json!("refresh_token");
        let (status, granted) = told(&google.exchange(request.to_string().as_bytes(), at(NOW)));
        assert_eq!(status, 200, "{granted}");
        let token = granted["access_token"].as_str().unwrap();
        assert_eq!(google.accepts(token, at(NOW + 3599)), Ok(()));
        assert_eq!(google.accepts(token, at(NOW + 3600)), Err(Failure::WrongKey));
        assert_eq!(google.accepts("ya29.other", at(NOW)), Err(Failure::WrongKey));

        let form = "grant_type=refresh_token&client_id=openmux-sandbox.apps.googleusercontent.com&\
                    client_secret=openmux-sandbox-client&refresh_token=1%2F%2Fopenmux-sandbox";
        let (status, again) = told(&google.exchange(form.as_bytes(), None));
        assert_eq!(status, 200);
        assert_ne!(again["access_token"], granted["access_token"]);
        request["refresh_token"] = json!("1//other");
        assert_eq!(told(&google.exchange(request.to_string().as_bytes(), None)).1["error"], "invalid_grant");
        request["client_secret"] = json!("other");
        assert_eq!(told(&google.exchange(request.to_string().as_bytes(), None)).1["error"], "invalid_client");
        assert_eq!(told(&google.exchange(b"x", None)).1["error"], "unsupported_grant_type");
    }

    #[test]
    fn an_assertion_is_taken_where_its_signature_and_claims_are_right() {
        let mut google = Google::new("google-vertex", 1);
        let key_file = google.service_account("http://127.0.0.1:1/token").unwrap();
        let claims = json!({"iss": ACCOUNT, "scope": SCOPE, "aud": GOOGLE_TOKEN, "iat": NOW, "exp": NOW + 3600});
        let jwt = signed(&key_file, &claims);
        let request = json!({"grant_type": JWT_BEARER, "assertion": jwt});
        assert_eq!(told(&google.exchange(request.to_string().as_bytes(), at(NOW))).0, 200);
        assert_eq!(google.accepts(&jwt, at(NOW)), Ok(()));

        let (text, signature) = jwt.rsplit_once('.').unwrap();
        let forged = format!("{}.{signature}", text.replace("eyJhbGciOiJSUzI1NiI", "eyJhbGciOiJSUzI1NiJ"));
        let other = Google::new("x", 1).service_account("http://127.0.0.1:1/token").unwrap();
        let changed = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            signed(&key_file, &claims)
        };
        for wrong in [
            forged,
            signed(&other, &claims),
            changed("iss", json!("someone@else")),
            changed("scope", json!("email")),
            changed("exp", json!(NOW - 3600)),
            changed("exp", json!(NOW + 86_400)),
            "a.b.c".to_owned(),
        ] {
            assert!(matches!(google.accepts(&wrong, at(NOW)), Err(Failure::Denied { .. })), "{wrong}");
        }
    }
}
