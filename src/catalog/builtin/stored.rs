//! An updated catalog as it lies in a file: a line with a checksum and lengths, what is known of the update, then the
//! tables as they are searched.
//!
//! ```text
//! openmux-catalog 2 CRC32 ABOUT MODELS ENDPOINTS PROVIDERS SPELLINGS    the checksum of all that follows; lengths in bytes
//! {"date": ...}                                                         what is known of it, JSON
//! models.tsv, endpoints.tsv                                             complete: with what only the embedded tables have
//! providers.jsonl                                                       of providers that are not compiled in, alone
//! aliases.tsv                                                           spellings that mean something else there, or nothing
//! ```
//!
//! In a release ([`crate::catalog::release`]) the last two are complete as well: who made it may have another program.
//!
//! Loading it costs one pass for the checksum and one that it is UTF-8.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::Written;
use super::dated::{self, Days};
use crate::catalog::file::checks::is_date;

/// The first word of the file.
const MAGIC: &str = "openmux-catalog";
/// The number of the layout, `codes.rs` included; a change of either is a new number.
const LAYOUT: u32 = 2;

/// What is known of an update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The day of the data (UTC, `YYYY-MM-DD`).
    pub date: String,
    /// The day that most of the offers reach; computed where the file is written.
    pub as_of: String,
    /// When it was fetched or found unchanged (RFC 3339).
    pub fetched: String,
    /// The address or file that it came from.
    pub source: String,
    /// The source's own mark of this version.
    pub etag: Option<String>,
    /// The day of the embedded tables that it was laid over.
    pub embedded: String,
    /// How many providers the source listed.
    pub providers: usize,
    /// How many endpoints the source listed, those that were refused left out.
    pub endpoints: usize,
    /// How many of them had a price.
    pub priced: usize,
    /// Who answers for it, where it is a release.
    pub signed: Option<Signed>,
}

/// Who signed a release, and which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The name that the user gave to the key.
    pub by: String,
    /// The public key.
    pub key: String,
    /// The release's serial.
    pub serial: u64,
    /// When it was made (RFC 3339).
    pub issued: String,
}

/// Why a file is no updated catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// It begins otherwise.
    #[error("it is not one of openmux's")]
    Foreign,
    /// Its layout has another number.
    #[error("it was written by another version of openmux")]
    OtherLayout,
    /// It is shorter than it says.
    #[error("it is cut off")]
    Truncated,
    /// Its bytes are not those that were written.
    #[error("it is damaged")]
    Damaged,
}

/// An updated catalog, read from its file and not parsed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    text: String,
    about: About,
    models: Range<usize>,
    endpoints: Range<usize>,
    providers: Range<usize>,
    spellings: Range<usize>,
}

impl Stored {
    /// The file's text.
    #[must_use]
    pub fn text_of(about: &About, tables: &Written, providers: &str, spellings: &str) -> String {
        let days: Days = tables.endpoints.lines().map(|line| dated::day(line, about)).collect();
        let as_of = days.most().unwrap_or(&about.date).to_owned();
        let about = format!("{}\n", About { as_of, ..about.clone() }.json());
        let parts = [about.as_str(), &tables.models, &tables.endpoints, providers, spellings];
        let (body, lengths) = (parts.concat(), parts.map(str::len));
        let lengths = lengths.map(|length| length.to_string()).join(" ");
        format!("{MAGIC} {LAYOUT} {:08x} {lengths}\n{body}", crc32fast::hash(body.as_bytes()))
    }

    /// The same tables with something else known of them.
    #[must_use]
    pub fn with_about(&self, about: &About) -> String {
        let tables = Written { models: self.models().to_owned(), endpoints: self.endpoints().to_owned() };
        Self::text_of(about, &tables, self.providers(), self.spellings())
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// They are not those that [`Stored::text_of`] wrote.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, StoredError> {
        if !bytes.starts_with(MAGIC.as_bytes()) {
            return Err(StoredError::Foreign);
        }
        let line = bytes.iter().position(|&byte| byte == b'\n').ok_or(StoredError::Truncated)?;
        let head = bytes.get(..line).and_then(|head| std::str::from_utf8(head).ok()).ok_or(StoredError::Damaged)?;
        let words: Vec<&str> = head.split(' ').collect();
        let (Some(&layout), Some(&sum)) = (words.get(1), words.get(2)) else { return Err(StoredError::Foreign) };
        if layout.parse() != Ok(LAYOUT) {
            return Err(StoredError::OtherLayout);
        }
        let lengths: Option<Vec<usize>> = words.iter().skip(3).map(|word| word.parse().ok()).collect();
        let Some(&[about, models, endpoints, providers, spellings]) = lengths.as_deref() else {
            return Err(StoredError::Damaged);
        };
        let mut at = line + 1;
        let mut range = |length: usize| {
            let start = at;
            at = at.checked_add(length).ok_or(StoredError::Damaged)?;
            Ok(start..at)
        };
        let (about, models) = (range(about)?, range(models)?);
        let (endpoints, providers, spellings) = (range(endpoints)?, range(providers)?, range(spellings)?);
        let body = bytes.get(line + 1..).unwrap_or_default();
        match bytes.len().cmp(&at) {
            std::cmp::Ordering::Less => return Err(StoredError::Truncated),
            std::cmp::Ordering::Greater => return Err(StoredError::Damaged),
            std::cmp::Ordering::Equal => {}
        }
        if u32::from_str_radix(sum, 16) != Ok(crc32fast::hash(body)) {
            return Err(StoredError::Damaged);
        }
        let text = String::from_utf8(bytes).map_err(|_| StoredError::Damaged)?;
        let about = text.get(about).and_then(About::parse).ok_or(StoredError::Damaged)?;
        let mut read = Self { text, about, models, endpoints, providers, spellings };
        // A file of before does not say it.
        if !is_date(&read.about.as_of, false) {
            read.about.as_of = read.days().most().unwrap_or(&read.about.date).to_owned();
        }
        Ok(read)
    }

    /// Whether bytes are the beginning of such a file and no more.
    #[must_use]
    pub fn is_cut_off(bytes: &[u8]) -> bool {
        MAGIC.as_bytes().starts_with(bytes) || Self::parse(bytes.to_vec()) == Err(StoredError::Truncated)
    }

    /// What is known of it.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// The endpoints that the same source listed, the last time (`true`) or only before: provider and wire id.
    pub fn seen(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.endpoints().lines().filter_map(|line| {
            let mark = super::table::column(line, super::codes::endpoint::SEEN);
            dated::is_listed(mark).map(|last| {
                let mut columns = line.split('\t');
                (columns.next().unwrap_or_default(), columns.next().unwrap_or_default(), last)
            })
        })
    }

    /// Of which days its offers are.
    pub(super) fn days(&self) -> Days {
        self.endpoints().lines().map(|line| dated::day(line, &self.about)).collect()
    }

    pub(super) fn models(&self) -> &str {
        self.text.get(self.models.clone()).unwrap_or_default()
    }

    pub(super) fn endpoints(&self) -> &str {
        self.text.get(self.endpoints.clone()).unwrap_or_default()
    }

    pub(in crate::catalog) fn providers(&self) -> &str {
        self.text.get(self.providers.clone()).unwrap_or_default()
    }

    pub(in crate::catalog) fn spellings(&self) -> &str {
        self.text.get(self.spellings.clone()).unwrap_or_default()
    }
}

impl About {
    fn json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put("date", self.date.as_str().into());
        put("as_of", self.as_of.as_str().into());
        put("fetched", self.fetched.as_str().into());
        put("source", self.source.as_str().into());
        put("etag", self.etag.clone().into());
        put("embedded", self.embedded.as_str().into());
        put("providers", self.providers.into());
        put("endpoints", self.endpoints.into());
        put("priced", self.priced.into());
        if let Some(signed) = &self.signed {
            put(
                "signed",
                json!({"by": signed.by, "key": signed.key, "serial": signed.serial, "issued": signed.issued}),
            );
        }
        Value::Object(out)
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let count = |key: &str| value.get(key)?.as_u64().and_then(|count| usize::try_from(count).ok());
        Some(Self {
            date: word("date").filter(|date| is_date(date, false))?,
            as_of: word("as_of").unwrap_or_default(),
            fetched: word("fetched")?,
            source: word("source")?,
            etag: word("etag"),
            embedded: word("embedded")?,
            providers: count("providers")?,
            endpoints: count("endpoints")?,
            priced: count("priced")?,
            signed: match value.get("signed") {
                Some(signed) => Some(Signed::parse(signed)?),
                None => None,
            },
        })
    }
}

impl Signed {
    fn parse(value: &Value) -> Option<Self> {
        let word = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let serial = value.get("serial")?.as_u64()?;
        Some(Self { by: word("by")?, key: word("key")?, serial, issued: word("issued")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> String {
        let about = About {
            date: "2026-12-01".into(),
            source: "https://a.example/é".into(),
            embedded: "2026-11-24".into(),
            signed: Some(Signed {
                by: "acme".into(),
                key: "k".into(),
                serial: 7,
                issued: "2026-12-01T08:00:00Z".into(),
            }),
            ..About::default()
        };
        let tables = Written { models: "a/b\t0\t9\n".into(), endpoints: "p\ti\tc\n".into() };
        Stored::text_of(&about, &tables, "{}\n", "x\ta/b\n")
    }

    #[test]
    fn a_new_layout_has_a_new_number() {
        let codes = crc32fast::hash(include_bytes!("codes.rs"));
        assert_eq!((LAYOUT, codes), (2, 4_063_833_560), "raise LAYOUT where a file of before would be read wrongly");
    }

    #[test]
    fn no_byte_can_be_lost_or_changed() {
        let good = written().into_bytes();
        let stored = Stored::parse(good.clone()).unwrap();
        let tables = (stored.models(), stored.endpoints(), stored.providers(), stored.spellings());
        assert_eq!(tables, ("a/b\t0\t9\n", "p\ti\tc\n", "{}\n", "x\ta/b\n"));
        assert_eq!(stored.with_about(stored.about()).as_bytes(), good);
        for at in 0..good.len() {
            assert!(Stored::parse(good[..at].to_vec()).is_err(), "cut off at {at}");
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            assert!(Stored::parse(flipped).is_err(), "changed at {at}");
        }
        let longer = [&good[..], b"x"].concat();
        assert_eq!(Stored::parse(longer), Err(StoredError::Damaged));
        assert_eq!(Stored::parse(good[..good.len() - 1].to_vec()), Err(StoredError::Truncated));
        assert_eq!(Stored::parse(b"{}".to_vec()), Err(StoredError::Foreign));
        let other = String::from_utf8(good).unwrap().replacen(" 2 ", " 3 ", 1);
        assert_eq!(Stored::parse(other.into_bytes()), Err(StoredError::OtherLayout));
    }
}
