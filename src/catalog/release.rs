//! A release: a catalog of openmux's own that somebody answers for, signed, in one file.
//!
//! ```text
//! openmux-release 1 KEY SIGNATURE      the public key, and the signature (ed25519) of all that follows; both base64
//! {"openmux_release":1,"serial":7,"issued":"2026-12-01T08:00:00Z"}
//! openmux-catalog ...                  the whole catalog: `builtin/stored.rs`, with every provider and every spelling
//! ```
//!
//! The key in the file proves nothing: [`Release::open`] takes those alone that its caller trusts. The serial is what a
//! later release has more of, so that an older one cannot be passed off as news.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Stored, StoredError};

/// The first word of the file.
const MAGIC: &str = "openmux-release";
/// The number of the form.
const FORM: u32 = 1;
/// The first word of the file of a secret key.
const SECRET: &str = "openmux-signing-key";

/// Keys of openmux's own that are trusted without being named: none. There is no release by the project itself; whoever
/// publishes one says what their key is.
pub const BUILT_IN: &[(&str, &str)] = &[];

/// The key that a release is checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// The key that a release is signed with. It is printed nowhere but in its own file.
pub struct SigningKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// What makes a release this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Higher in every later release of the same key.
    pub serial: u64,
    /// When it was made (RFC 3339).
    pub issued: String,
}

/// A release that was signed by a trusted key, and is as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// By whom.
    pub key: PublicKey,
    /// Which.
    pub issue: Issue,
    /// Its catalog.
    pub catalog: Stored,
}

/// Why bytes are no release that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It begins otherwise.
    #[error("it is no release of openmux's")]
    Foreign,
    /// Its form has another number.
    #[error("it is of another version of openmux")]
    OtherForm,
    /// Nobody said that this key is to be trusted.
    #[error("it is signed by {0}, which is not trusted")]
    Untrusted(PublicKey),
    /// It is shorter than it says.
    #[error("it is cut off")]
    Truncated,
    /// Its bytes are not those that the key signed.
    #[error("it is not what the key signed: it was changed, or the signature is of something else")]
    Altered,
    /// What was signed is no catalog.
    #[error("what was signed is no catalog: {0}")]
    Content(StoredError),
}

impl Release {
    /// Whether the bytes look like a release.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC.as_bytes())
    }

    /// The file's bytes: a catalog as [`Stored::text_of`] writes it, signed.
    #[must_use]
    pub fn signed(issue: &Issue, catalog: &str, key: &SigningKey) -> Vec<u8> {
        let about = json!({"openmux_release": FORM, "serial": issue.serial, "issued": issue.issued});
        let body = format!("{about}\n{catalog}");
        let signature = STANDARD.encode(key.pair.sign(body.as_bytes()));
        format!("{MAGIC} {FORM} {} {signature}\n{body}", key.public()).into_bytes()
    }

    /// Reads a file's bytes, if one of these keys signed them.
    ///
    /// # Errors
    /// See [`ReleaseError`].
    pub fn open(bytes: &[u8], trusted: &[PublicKey]) -> Result<Self, ReleaseError> {
        if !Self::is_one(bytes) {
            return Err(ReleaseError::Foreign);
        }
        let (head, body) = line(bytes).ok_or(ReleaseError::Truncated)?;
        let words: Vec<&str> = head.split(' ').collect();
        let [MAGIC, form, key, signature] = words[..] else { return Err(ReleaseError::Altered) };
        if form.parse() != Ok(FORM) {
            return Err(ReleaseError::OtherForm);
        }
        let key = PublicKey::parse(key).ok_or(ReleaseError::Altered)?;
        if !trusted.contains(&key) {
            return Err(ReleaseError::Untrusted(key));
        }
        let signature = STANDARD.decode(signature).map_err(|_| ReleaseError::Altered)?;
        let content = line(body);
        if UnparsedPublicKey::new(&ED25519, key.0).verify(body, &signature).is_err() {
            let short = content.is_none_or(|(_, catalog)| Stored::is_cut_off(catalog));
            return Err(if short { ReleaseError::Truncated } else { ReleaseError::Altered });
        }
        let issue = content.and_then(|(about, catalog)| Some((Issue::parse(about)?, catalog)));
        let (issue, catalog) = issue.ok_or(ReleaseError::OtherForm)?;
        let catalog = Stored::parse(catalog.to_vec()).map_err(ReleaseError::Content)?;
        Ok(Self { key, issue, catalog })
    }
}

impl Issue {
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if value.get("openmux_release")?.as_u64() != Some(FORM.into()) {
            return None;
        }
        Some(Self { serial: value.get("serial")?.as_u64()?, issued: value.get("issued")?.as_str()?.to_owned() })
    }
}

/// The first line, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((line, bytes.get(end + 1..)?))
}

impl PublicKey {
    /// The key in base64, as it is printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl SigningKey {
    /// A new key; `None` where the system has no random numbers.
    #[must_use]
    pub fn generate() -> Option<Self> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).ok()?;
        Self::of(seed)
    }

    fn of(seed: [u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some(Self { seed, pair })
    }

    /// What its file says; `None` for a text that is no such file's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [SECRET, "1", seed] = words[..] else { return None };
        Self::of(STANDARD.decode(seed).ok()?.try_into().ok()?)
    }

    /// The text of its file, which nobody else may read.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{SECRET} 1 {}\n", STANDARD.encode(self.seed))
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        let bytes = self.pair.public_key().as_ref();
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        PublicKey(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{About, Written};

    fn catalog() -> String {
        let about = About { date: "2026-12-01".into(), ..About::default() };
        let tables = Written { models: "a/b\t0\t9\n".into(), endpoints: "p\ti\tc\n".into() };
        Stored::text_of(&about, &tables, "{}\n", "x\ta/b\n")
    }

    fn signed(serial: u64, key: &SigningKey) -> Vec<u8> {
        Release::signed(&Issue { serial, issued: "2026-12-01T08:00:00Z".into() }, &catalog(), key)
    }

    #[test]
    fn what_a_trusted_key_signed_is_read_and_nothing_else() {
        let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let good = signed(7, &ours);
        let trusted = [ours.public()];
        let release = Release::open(&good, &trusted).unwrap();
        let text = release.catalog.with_about(release.catalog.about());
        assert_eq!((release.key, release.issue.serial, text), (ours.public(), 7, catalog()));
        assert_eq!(Release::open(&good, &[]), Err(ReleaseError::Untrusted(ours.public())));
        let foreign = signed(7, &theirs);
        assert_eq!(Release::open(&foreign, &trusted), Err(ReleaseError::Untrusted(theirs.public())));
        // Another's bytes under our name, and the signature of another release of ours.
        let named =
            String::from_utf8(foreign).unwrap().replace(&theirs.public().to_string(), &ours.public().to_string());
        assert_eq!(Release::open(named.as_bytes(), &trusted), Err(ReleaseError::Altered));
        let head = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let (seven, eight) = (&good[..head(&good)], signed(8, &ours));
        let swapped = [seven, &eight[head(&eight)..]].concat();
        assert_eq!(Release::open(&swapped, &trusted), Err(ReleaseError::Altered));
        assert_eq!(Release::open(b"{}", &trusted), Err(ReleaseError::Foreign));
        let newer = String::from_utf8(good).unwrap().replacen(" 1 ", " 2 ", 1);
        assert_eq!(Release::open(newer.as_bytes(), &trusted), Err(ReleaseError::OtherForm));
    }

    #[test]
    fn no_byte_can_be_lost_or_changed() {
        let key = SigningKey::generate().unwrap();
        let (good, trusted) = (signed(7, &key), [key.public()]);
        let end = good.iter().position(|byte| *byte == b'\n').unwrap();
        for at in 0..good.len() {
            let cut = Release::open(&good[..at], &trusted);
            assert!(cut.is_err(), "cut off at {at}");
            assert!(at <= end || cut == Err(ReleaseError::Truncated), "cut off at {at}: {cut:?}");
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            assert!(Release::open(&flipped, &trusted).is_err(), "changed at {at}");
        }
        assert_eq!(Release::open(&[&good[..], b"x"].concat(), &trusted), Err(ReleaseError::Altered));
    }

    #[test]
    fn a_secret_key_is_in_its_file_alone() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::parse(&key.text()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::parse(&key.public().to_string()), Some(key.public()));
        let secret = key.text().split(' ').nth(2).unwrap().trim_end().to_owned();
        assert!(!format!("{key:?}").contains(&secret));
        assert!(
            ["", "openmux-signing-key 1 AAAA", "openmux-signing-key 2 x"]
                .iter()
                .all(|text| SigningKey::parse(text).is_none())
        );
    }
}
