//! RS256 JSON web tokens, checked with the public key alone.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

/// A key made for these tests.
pub(crate) const PRIVATE_KEY: &str = include_str!("../../fixtures/auth/test_key_not_secret.pem");
const PUBLIC_KEY: &str = include_str!("../../fixtures/auth/test_key_public.pem");

/// Header and claims of a token that the test key signed.
pub(crate) fn verify(token: &str) -> Result<(Value, Value), String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err("not three parts".to_owned()) };
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|error| error.to_string());
    let pem: String = PUBLIC_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, BASE64_STANDARD.decode(pem).unwrap());
    key.verify(format!("{header}.{claims}").as_bytes(), &decoded(signature)?).map_err(|_| "a wrong signature")?;
    Ok((json(header)?, json(claims)?))
}
