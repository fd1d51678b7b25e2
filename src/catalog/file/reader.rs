//! Reads a TOML table key by key; every complaint knows its line and the path of its key.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::OverlayError;
use crate::catalog::{Protocol, is_loopback};
use crate::units::Tokens;

/// The file that is being read, for messages.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Reader<'_> {
    pub(super) fn line(self, start: usize) -> usize {
        self.text.get(..start).map_or(1, |before| before.matches('\n').count() + 1)
    }

    pub(super) fn error(self, start: usize, key: &str, message: String) -> OverlayError {
        OverlayError { file: self.file.to_owned(), line: self.line(start), key: key.to_owned(), message }
    }
}

/// A table and where it stands.
pub(super) struct Node<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) table: &'a DeTable<'a>,
    pub(super) path: String,
    pub(super) start: usize,
}

impl<'a> Node<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    pub(super) fn place(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn error(&self, key: &str, message: String) -> OverlayError {
        let named = self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key);
        let start = named.map_or(self.start, |(name, _)| name.span().start);
        self.reader.error(start, &self.place(key), message)
    }

    pub(super) fn missing(&self, key: &str) -> OverlayError {
        self.error(key, "missing".to_owned())
    }

    pub(super) fn unknown(&self, key: &str, names: &[&str]) -> OverlayError {
        let near = names.iter().map(|name| (strsim::jaro_winkler(key, name), *name));
        let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.7);
        let hint = match nearest {
            Some((_, name)) => format!("; did you mean \"{name}\"?"),
            None => format!("; known are {}", names.join(", ")),
        };
        self.error(key, format!("unknown key{hint}"))
    }

    pub(super) fn known(&self, names: &[&str]) -> Result<(), OverlayError> {
        let mut keys = self.table.iter().map(|(name, _)| name.get_ref().as_ref());
        match keys.find(|key| !names.contains(key)) {
            Some(key) => Err(self.unknown(key, names)),
            None => Ok(()),
        }
    }

    pub(super) fn wrong(&self, key: &str, value: &DeValue<'_>, wanted: &str) -> OverlayError {
        self.error(key, format!("{wanted} is wanted, not {}", value.type_str()))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value
            .get_ref()
            .as_str()
            .map(|text| Some(text.to_owned()))
            .ok_or_else(|| self.wrong(key, value.get_ref(), "text"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.wrong(key, value.get_ref(), "true or false"))
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<Tokens>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let count =
            value.get_ref().as_integer().and_then(|whole| whole.as_str().parse().ok()).and_then(Tokens::reported);
        count.map(Some).ok_or_else(|| self.wrong(key, value.get_ref(), "a number of tokens"))
    }

    /// A price must be text, so that its characters are what is charged.
    pub(super) fn price(&self, key: &str) -> Result<String, OverlayError> {
        let Some(value) = self.get(key) else { return Err(self.missing(key)) };
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) => {
                Err(self.error(key, format!("write the price in quotes: \"{}\"", number.as_str())))
            }
            DeValue::Float(number) => {
                Err(self.error(key, format!("write the price in quotes: \"{}\"", number.as_str())))
            }
            other => Err(self.wrong(key, other, "a price in quotes")),
        }
    }

    pub(super) fn words(&self, key: &str) -> Result<Option<Vec<String>>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong(key, value.get_ref(), "a list"))?;
        let words = list.iter().map(|word| word.get_ref().as_str().map(str::to_owned));
        words
            .collect::<Option<Vec<_>>>()
            .map(Some)
            .ok_or_else(|| self.error(key, "a list of text is wanted".to_owned()))
    }

    pub(super) fn choice<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Result<Option<T>, OverlayError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| self.error(key, format!("\"{text}\" is none of {}", names.join(", "))))
    }

    pub(super) fn set<T: Ord>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Option<T>,
        names: &[&str],
    ) -> Result<Option<BTreeSet<T>>, OverlayError> {
        let Some(words) = self.words(key)? else { return Ok(None) };
        let one = |word: &String| {
            parse(word).ok_or_else(|| self.error(key, format!("\"{word}\" is none of {}", names.join(", "))))
        };
        words.iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn protocol(&self, key: &str) -> Result<Option<Protocol>, OverlayError> {
        self.choice(key, Protocol::parse, &Protocol::ALL.map(Protocol::name))
    }

    /// An address: https, or http on this machine.
    pub(super) fn url(&self, key: &str) -> Result<Option<String>, OverlayError> {
        let Some(url) = self.text(key)? else { return Ok(None) };
        let url = url.trim_end_matches('/').to_owned();
        let plain = url.starts_with("http://");
        if url.parse::<http::Uri>().is_err() && !url.contains('{') || !(plain || url.starts_with("https://")) {
            return Err(self.error(key, format!("\"{url}\" is not an address such as https://api.example.com/v1")));
        }
        if plain && !is_loopback(&url) {
            return Err(self.error(
                key,
                "http is for this machine only (127.0.0.1, localhost): a key would travel in the clear".to_owned(),
            ));
        }
        Ok(Some(url))
    }

    pub(super) fn table(&self, key: &str) -> Result<Option<Node<'a>>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong(key, value.get_ref(), "a table"))?;
        Ok(Some(Node { reader: self.reader, table, path: self.place(key), start: value.span().start }))
    }

    pub(super) fn tables(&self, key: &str) -> Result<Vec<Node<'a>>, OverlayError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong(key, value.get_ref(), "a list of tables"))?;
        let mut nodes = Vec::new();
        for (at, entry) in list.iter().enumerate() {
            let table = entry.get_ref().as_table().ok_or_else(|| self.wrong(key, entry.get_ref(), "a table"))?;
            let path = format!("{}[{at}]", self.place(key));
            nodes.push(Node { reader: self.reader, table, path, start: entry.span().start });
        }
        Ok(nodes)
    }
}
