//! Reading TOML tables with their places, so that every complaint names file, line and key.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::OverlayError;
use crate::units::Tokens;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    /// Its name.
    pub(crate) file: Arc<str>,
    /// Its text.
    pub(crate) text: &'t str,
}

impl<'t> Source<'t> {
    /// The text as a table with places.
    pub(crate) fn document(&self) -> Result<Spanned<DeTable<'t>>, OverlayError> {
        DeTable::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.error(offset, String::new(), error.message().to_owned())
        })
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn error(&self, offset: usize, path: String, message: String) -> OverlayError {
        OverlayError { file: self.file.to_string(), line: self.line(offset), path, message, is_missing: false }
    }
}

/// `; did you mean "x"?`, or nothing where no known word is close.
pub(crate) fn suggestion<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> String {
    let near = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    match near.min().filter(|&(distance, known)| distance <= 2.max(known.len() / 3) && distance < known.len()) {
        Some((_, known)) => format!("; did you mean \"{known}\"?"),
        None => String::new(),
    }
}

/// A place in a file: where a check that needs the whole catalog complains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    file: Arc<str>,
    path: String,
    line: usize,
    keys: Vec<(String, usize)>,
}

impl Place {
    /// A complaint about a key of the table, or about the whole table where it has no such key.
    pub(crate) fn error(&self, key: &str, message: impl Into<String>) -> OverlayError {
        let line = self.keys.iter().find(|(known, _)| known == key).map_or(self.line, |&(_, line)| line);
        OverlayError {
            file: self.file.to_string(),
            line,
            path: format!("{}.{key}", self.path),
            message: message.into(),
            is_missing: false,
        }
    }

    /// The same about what the catalog below lacks.
    pub(crate) fn missing(&self, key: &str, message: impl Into<String>) -> OverlayError {
        OverlayError { is_missing: true, ..self.error(key, message) }
    }
}

/// One value of a file, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The path of its key: `defaults.model`, `endpoint[0].price.input`.
    pub(crate) path: String,
    /// The line of the key.
    pub(crate) line: usize,
    /// The value; of a list, its members with commas.
    pub(crate) text: String,
}

/// One table of a file.
#[derive(Debug)]
pub(crate) struct Reader<'a, 't> {
    source: &'a Source<'t>,
    path: String,
    table: &'a DeTable<'t>,
    offset: usize,
}

impl<'a, 't> Reader<'a, 't> {
    /// The whole file.
    pub(crate) fn root(source: &'a Source<'t>, table: &'a DeTable<'t>) -> Self {
        Self { source, path: String::new(), table, offset: 0 }
    }

    /// The line on which the table begins.
    pub(crate) fn line(&self) -> usize {
        self.source.line(self.offset)
    }

    /// The line of a key, or that of the table where it has no such key.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.source.line(self.table.get_key_value(key).map_or(self.offset, |(key, _)| key.span().start))
    }

    /// The file's name.
    pub(crate) fn file(&self) -> Arc<str> {
        self.source.file.clone()
    }

    /// The place of this table and its keys, to be kept.
    pub(super) fn place(&self) -> Place {
        let keys = self.table.keys().map(|key| (key.get_ref().to_string(), self.source.line(key.span().start)));
        Place { file: self.source.file.clone(), path: self.path.clone(), line: self.line(), keys: keys.collect() }
    }

    /// A complaint about a key, or about the whole table where it has no such key.
    pub(crate) fn error(&self, key: &str, message: impl Into<String>) -> OverlayError {
        let offset = self.table.get_key_value(key).map_or(self.offset, |(key, _)| key.span().start);
        self.source.error(offset, self.path_to(key), message.into())
    }

    /// That there is no key but these.
    pub(crate) fn known(&self, keys: &[&str]) -> Result<(), OverlayError> {
        let unknown = self.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let hint = suggestion(key.get_ref(), keys.iter().copied());
                Err(self.error(key.get_ref(), format!("unknown key{hint}")))
            }
        }
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A string that is not empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, OverlayError> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::String(text)) if text.trim().is_empty() => Err(self.error(key, "is empty")),
            Some(DeValue::String(text)) => Ok(Some(text.to_string())),
            Some(other) => Err(self.error(key, format!("should be a string, not {}", kind(other)))),
        }
    }

    /// What a string says.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, OverlayError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        read(&text).map(Some).map_err(|why| self.error(key, why))
    }

    /// The words of a command: a program and its arguments.
    pub(crate) fn argv(&self, key: &str) -> Result<Option<Vec<String>>, OverlayError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            let message = "should be a list of words, as no shell is involved: [\"program\", \"argument\"]";
            return Err(self.error(key, message));
        };
        let words = items.iter().map(|item| match item.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            other => Err(self.error(key, format!("should hold strings, not {}", kind(other)))),
        });
        let words: Vec<String> = words.collect::<Result<_, _>>()?;
        match words.first().map(|program| program.trim().is_empty()) {
            Some(false) => Ok(Some(words)),
            _ => Err(self.error(key, "names no program")),
        }
    }

    /// A string that `check` accepts, or a complaint that lists what is accepted.
    pub(super) fn word<T>(
        &self,
        key: &str,
        names: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, OverlayError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| self.not_one_of(key, &text, names))
    }

    /// A string or a list of strings.
    pub(crate) fn list(&self, key: &str) -> Result<Option<Vec<String>>, OverlayError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            return self.text(key).map(|text| text.map(|text| vec![text]));
        };
        let texts = items.iter().map(|item| match item.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Ok(text.to_string()),
            other => Err(self.error(key, format!("should hold strings, not {}", kind(other)))),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// A list of words.
    pub(super) fn words<T, C: FromIterator<T>>(
        &self,
        key: &str,
        names: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<C>, OverlayError> {
        let Some(texts) = self.list(key)? else { return Ok(None) };
        let words = texts.iter().map(|text| parse(text).ok_or_else(|| self.not_one_of(key, text, names)));
        words.collect::<Result<_, _>>().map(Some)
    }

    /// A count of tokens, at least 1.
    pub(crate) fn tokens(&self, key: &str) -> Result<Option<Tokens>, OverlayError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let DeValue::Integer(number) = value.get_ref() else {
            let message = format!("should be a whole number of tokens, not {}", kind(value.get_ref()));
            return Err(self.error(key, message));
        };
        let count = u64::from_str_radix(number.as_str(), number.radix()).ok().and_then(Tokens::reported);
        let positive = count.filter(|&count| count > Tokens::ZERO);
        positive.map(Some).ok_or_else(|| self.error(key, "should be between 1 and 10000000000 tokens"))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, OverlayError> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::Boolean(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.error(key, format!("should be true or false, not {}", kind(other)))),
        }
    }

    /// A decimal in quotes. A bare number is refused: it would pass through binary floating point elsewhere.
    pub(crate) fn decimal(&self, key: &str) -> Result<Option<String>, OverlayError> {
        match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::Integer(number)) => Err(self.unquoted(key, number.as_str())),
            Some(DeValue::Float(number)) => Err(self.unquoted(key, number.as_str())),
            _ => self.text(key),
        }
    }

    /// A decimal as it is written, in quotes or without: it is read as text, never through binary floating point.
    pub(crate) fn amount(&self, key: &str) -> Result<Option<String>, OverlayError> {
        match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::Integer(number)) if number.radix() == 10 => Ok(Some(number.as_str().to_owned())),
            Some(DeValue::Float(number)) => Ok(Some(number.as_str().to_owned())),
            _ => self.text(key),
        }
    }

    /// A table.
    pub(crate) fn table(&self, key: &str) -> Result<Option<Reader<'a, 't>>, OverlayError> {
        let Some((name, value)) = self.table.get_key_value(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some(self.inner(self.path_to(key), table, name.span().start))),
            other => Err(self.error(key, format!("should be a table, not {}", kind(other)))),
        }
    }

    /// The tables inside this one, in the order of the file.
    pub(crate) fn members(&self) -> Result<Vec<(String, Reader<'a, 't>)>, OverlayError> {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.table(key.get_ref())?.map(|table| (key.get_ref().to_string(), table)));
        }
        Ok(found)
    }

    /// An array of tables.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<Reader<'a, 't>>, OverlayError> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("should be an array of tables, not {}", kind(value.get_ref()));
            return Err(self.error(key, message));
        };
        let tables = items.iter().enumerate().map(|(at, item)| match item.get_ref() {
            DeValue::Table(table) => Ok(self.inner(format!("{}[{at}]", self.path_to(key)), table, item.span().start)),
            other => Err(self.error(key, format!("should be an array of tables, not of {}", kind(other)))),
        });
        tables.collect()
    }

    /// The keys, in the order of the file.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        keys.into_iter().map(|key| key.get_ref().to_string()).collect()
    }

    /// Every value in this table and those below it, in the order of the file.
    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        let mut found = Vec::new();
        for key in keys {
            let (path, line) = (self.path_to(key.get_ref()), self.source.line(key.span().start));
            let Some(value) = self.table.get(&**key.get_ref()) else { continue };
            match value.get_ref() {
                DeValue::Table(table) => found.extend(self.inner(path, table, key.span().start).leaves()),
                DeValue::Array(items) if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))) => {
                    let tables = self.tables(key.get_ref()).unwrap_or_default();
                    found.extend(tables.iter().flat_map(Self::leaves));
                }
                value => found.push(Leaf { path, line, text: plain(value) }),
            }
        }
        found
    }

    fn inner(&self, path: String, table: &'a DeTable<'t>, offset: usize) -> Reader<'a, 't> {
        Reader { source: self.source, path, table, offset }
    }

    fn path_to(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{key}", self.path),
        }
    }

    fn not_one_of(&self, key: &str, text: &str, names: &[&str]) -> OverlayError {
        let hint = suggestion(text, names.iter().copied());
        self.error(key, format!("\"{text}\" is none of {}{hint}", names.join(", ")))
    }

    fn unquoted(&self, key: &str, number: &str) -> OverlayError {
        self.error(key, format!("prices are exact decimals in quotes: write {key} = \"{number}\""))
    }
}

/// A value without its quotes.
fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect::<Vec<_>>().join(", "),
        DeValue::Table(_) => "{...}".to_owned(),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(text) if text.trim().is_empty() => "an empty string",
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date (put it in quotes)",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
