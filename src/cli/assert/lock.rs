//! The facts that a build relies on, in a file: TOML, sorted, with exact decimals, so that a change of one fact is a change
//! of one line.

use std::collections::BTreeMap;
use std::path::Path;

use super::claim::Place;
use super::offer::Offer;
use crate::catalog::file::{OverlayError, Reader, Source};
use crate::catalog::price::SheetVersion;
use crate::catalog::{Capability, Modality, Status};
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::facts;
use crate::cli::render::json::quote;
use crate::cli::settings::{self, read_text};

/// The version of the form. Form 1 says nothing of the longest input, and neither 1 nor 2 of what a model answers with and of
/// whether its temperature is fixed.
const VERSION: u8 = 3;

/// What a fixed temperature is called among the abilities.
const FIXED: &str = Capability::NoTemperature.name();

/// What the file begins with.
const HEAD: &str = "# Facts that this build relies on: `openmux check --lock` says what has changed since.\n\
    # Prices are USD per 1M tokens. Written by openmux; `--update-lock` writes it anew.\n";

/// The facts of one offer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locked {
    /// The model, with its variant.
    pub(super) model: String,
    /// The provider.
    pub(super) provider: String,
    /// What goes on the wire.
    pub(super) id: String,
    /// The status.
    pub(super) status: String,
    /// The day on which it ends.
    pub(super) retires: Option<String>,
    /// The context window.
    pub(super) context: Option<String>,
    /// The longest input, where it is below the window.
    pub(super) max_input: Option<String>,
    /// The longest answer.
    pub(super) max_output: Option<String>,
    /// What it answers with, in the catalog's order; `None` is unknown.
    pub(super) output: Option<String>,
    /// What it can do, and that its temperature is fixed, sorted.
    pub(super) can: Vec<String>,
    /// The price sheet: what is billed, and how; empty is unknown.
    pub(super) price: BTreeMap<String, String>,
}

/// What a lock says, with the line of each of its keys.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The facts.
    pub(super) facts: Locked,
    /// Where the offer begins.
    pub(super) place: Place,
    /// The version of its form.
    form: u8,
    /// The lines of keys (`context`, `price.input`).
    lines: BTreeMap<String, usize>,
}

impl Entry {
    /// Where a fact is written, or else its offer.
    pub(super) fn at(&self, key: &str) -> Place {
        let line = self.lines.get(key).copied().unwrap_or(self.place.line);
        Place { line, ..self.place.clone() }
    }

    /// What it says, and of what its form does not know, what is so now.
    pub(super) fn beside(&self, now: &Locked) -> Locked {
        let mut known = self.facts.clone();
        if self.form < 2 {
            known.max_input.clone_from(&now.max_input);
        }
        if self.form < 3 {
            known.output.clone_from(&now.output);
            known.can.extend(now.can.iter().filter(|word| *word == FIXED).cloned());
        }
        known
    }
}

impl Locked {
    /// The facts of an offer of a model.
    pub(super) fn of(model: &str, offer: &Offer) -> Self {
        let endpoint = &offer.endpoint;
        let mut can = facts::abilities(&endpoint.capabilities, &endpoint.input);
        if endpoint.input.contains(&Modality::Text) {
            can.push("text");
        }
        if endpoint.can(Capability::NoTemperature) {
            can.push(FIXED);
        }
        can.sort_unstable();
        let output: Vec<&str> = endpoint.output.iter().map(|modality| modality.name()).collect();
        let sheet = endpoint.pricing.as_ref().map(|pricing| SheetVersion::of(pricing, "").sheet).unwrap_or_default();
        Self {
            model: model.to_owned(),
            provider: endpoint.id.provider.to_string(),
            id: endpoint.id.upstream_model.clone(),
            status: endpoint.status.name().to_owned(),
            retires: endpoint.sunset.clone(),
            context: endpoint.context.map(|tokens| tokens.to_string()),
            max_input: endpoint.max_input.map(|tokens| tokens.to_string()),
            max_output: endpoint.max_output.map(|tokens| tokens.to_string()),
            output: (!output.is_empty()).then(|| output.join(", ")),
            can: can.into_iter().map(str::to_owned).collect(),
            price: prices(&sheet),
        }
    }

    /// Whether these are facts of the same offer.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (&self.model, &self.provider) == (&other.model, &other.provider)
    }

    /// How many facts there are.
    pub(super) fn count(&self) -> usize {
        let limits = [&self.retires, &self.context, &self.max_input, &self.max_output, &self.output];
        2 + limits.into_iter().flatten().count() + self.can.len() + self.price.len()
    }

    fn text(&self) -> String {
        let mut out = String::from("\n[[offer]]\n");
        let mut line = |key: &str, value: &str| {
            out.extend([key, " = "]);
            quote(value, &mut out);
            out.push('\n');
        };
        line("model", &self.model);
        line("provider", &self.provider);
        line("id", &self.id);
        line("status", &self.status);
        if let Some(day) = &self.retires {
            line("retires", day);
        }
        let counts = [("context", &self.context), ("max_input", &self.max_input), ("max_output", &self.max_output)];
        for (key, count) in counts.into_iter().filter_map(|(key, count)| Some((key, count.as_ref()?))) {
            out.push_str(&format!("{key} = {count}\n"));
        }
        let mut list = |key: &str, words: &[&str]| {
            out.extend([key, " = ["]);
            for (at, word) in words.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                quote(word, &mut out);
            }
            out.push_str("]\n");
        };
        if let Some(output) = &self.output {
            list("output", &output.split(", ").collect::<Vec<_>>());
        }
        list("can", &self.can.iter().map(String::as_str).collect::<Vec<_>>());
        if !self.price.is_empty() {
            out.push_str("[offer.price]\n");
        }
        for (key, price) in &self.price {
            let bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if bare {
                out.push_str(key)
            } else {
                quote(key, &mut out)
            }
            out.push_str(" = ");
            quote(price, &mut out);
            out.push('\n');
        }
        out
    }

    fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        const KEYS: [&str; 11] = [
            "model",
            "provider",
            "id",
            "status",
            "retires",
            "context",
            "max_input",
            "max_output",
            "output",
            "can",
            "price",
        ];
        table.known(&KEYS)?;
        let text = |key: &str| table.text(key)?.ok_or_else(|| table.error(key, "is missing"));
        let status = text("status")?;
        if Status::parse(&status).is_none() {
            return Err(table.error("status", format!("\"{status}\" is no status")));
        }
        let mut price = BTreeMap::new();
        if let Some(prices) = table.table("price")? {
            for key in prices.keys() {
                price.insert(key.clone(), prices.text(&key)?.unwrap_or_default());
            }
        }
        let tokens = |key: &str| Ok(table.tokens(key)?.map(|tokens| tokens.to_string()));
        Ok(Self {
            model: text("model")?,
            provider: text("provider")?,
            id: text("id")?,
            status,
            retires: table.text("retires")?,
            context: tokens("context")?,
            max_input: tokens("max_input")?,
            max_output: tokens("max_output")?,
            output: table.list("output")?.map(|words| words.join(", ")),
            can: table.list("can")?.unwrap_or_default(),
            price,
        })
    }
}

/// The lines of a sheet by what is billed: `input 3 >200000 input 6` is `input`, `batch output 7.5` is `batch output`.
fn prices(sheet: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for line in sheet.lines() {
        let is_figure = |word: &str| word == "-" || word.starts_with(|c: char| c.is_ascii_digit());
        let figure = line.split(' ').position(is_figure);
        let words: Vec<&str> = line.split(' ').collect();
        let (key, value) = words.split_at(figure.unwrap_or(words.len()));
        let value = value.join(" ");
        let known = found.entry(key.join(" ")).or_default();
        *known = if known.is_empty() { value } else { format!("{known}; {value}") };
    }
    found
}

/// Reads a lock; `None` where there is none.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Entry>>, CliError> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.exit == Exit::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = path.display().to_string();
    entries(&name, &text).map(Some).map_err(|error| {
        CliError::new(Exit::Config, "lock", error.to_string()).fix("repair it, or remove it and lock its models again")
    })
}

fn entries(name: &str, text: &str) -> Result<Vec<Entry>, OverlayError> {
    let source = Source { file: name.into(), text };
    let document = source.document()?;
    let root = Reader::root(&source, document.get_ref());
    let Some(version) = root.amount("version")? else {
        return Err(root.error("version", "is missing: this is no lock of openmux"));
    };
    let Some(form) = version.parse().ok().filter(|form| (1..=VERSION).contains(form)) else {
        return Err(root.error("version", format!("is {version}; this openmux reads 1 to {VERSION}")));
    };
    root.known(&["version", "catalog", "offer"])?;
    let mut entries: Vec<Entry> = Vec::new();
    for table in root.tables("offer")? {
        let facts = Locked::read(&table)?;
        let place = Place { file: name.to_owned(), line: table.line_of("model") };
        let same = |known: &&Entry| known.facts.is_of(&facts);
        if let Some(known) = entries.iter().find(same) {
            let message = format!("is already in line {}, at the same provider", known.place.line);
            return Err(table.error("model", message));
        }
        let mut lines: BTreeMap<String, usize> =
            table.keys().into_iter().map(|key| (key.clone(), table.line_of(&key))).collect();
        if let Some(prices) = table.table("price")? {
            lines.extend(prices.keys().into_iter().map(|key| (format!("price.{key}"), prices.line_of(&key))));
        }
        entries.push(Entry { facts, place, form, lines });
    }
    Ok(entries)
}

/// The text of a lock.
fn text(catalog: &str, offers: &[Locked]) -> String {
    let mut sorted = offers.to_vec();
    sorted.sort();
    sorted.dedup();
    let mut out = format!("{HEAD}version = {VERSION}\ncatalog = \"{catalog}\"\n");
    sorted.iter().for_each(|offer| out.push_str(&offer.text()));
    out
}

/// Writes a lock: whole, or not at all.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(path: &Path, catalog: &str, offers: &[Locked]) -> Result<(), CliError> {
    // A link stays one: what it leads to is written.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: std::io::Error| {
        CliError::new(Exit::Config, "lock", format!("cannot write {}", path.display()))
            .fact("reason", settings::reason(&error))
            .fix("--lock with a file in a folder that you may write to")
    };
    settings::write_whole(path, text(catalog, offers).as_bytes(), false).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Locked {
        let sheet = "input 3 >200000 input 6\ncache_write - >200000 input 7.5\noutput 15\nbatch output 7.5\noff-peak 60-120 [1]\noff-peak 200-300 []\n\
            request 0.01 / 1\n";
        Locked {
            model: "acme/a\"b".into(),
            provider: "acme".into(),
            id: "a".into(),
            status: "active".into(),
            retires: Some("2027-01-01".into()),
            context: Some("8192".into()),
            max_input: Some("8000".into()),
            max_output: None,
            output: Some("text, image".into()),
            can: vec!["no_temperature".into(), "tools".into(), "vision".into()],
            price: prices(sheet),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let offers = [locked(), Locked { provider: "other".into(), price: BTreeMap::new(), ..locked() }];
        let written = text("2026-11-24", &[offers[1].clone(), offers[0].clone()]);
        insta::assert_snapshot!(written, @r#"
        # Facts that this build relies on: `openmux check --lock` says what has changed since.
        # Prices are USD per 1M tokens. Written by openmux; `--update-lock` writes it anew.
        version = 3
        catalog = "2026-11-24"

        [[offer]]
        model = "acme/a\"b"
        provider = "acme"
        id = "a"
        status = "active"
        retires = "2027-01-01"
        context = 8192
        max_input = 8000
        output = ["text", "image"]
        can = ["no_temperature", "tools", "vision"]
        [offer.price]
        "batch output" = "7.5"
        cache_write = "- >200000 input 7.5"
        input = "3 >200000 input 6"
        off-peak = "60-120 [1]; 200-300 []"
        output = "15"
        request = "0.01 / 1"

        [[offer]]
        model = "acme/a\"b"
        provider = "other"
        id = "a"
        status = "active"
        retires = "2027-01-01"
        context = 8192
        max_input = 8000
        output = ["text", "image"]
        can = ["no_temperature", "tools", "vision"]
        "#);
        let entries = entries("m.lock", &written).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.facts.clone()).collect::<Vec<_>>(), offers);
        assert_eq!(
            (entries[0].place.line, entries[0].at("price.input").line, entries[1].at("price.input").line),
            (7, 19, 25)
        );
    }

    #[test]
    fn what_is_no_lock_is_told_with_its_place() {
        let offer = "version = 1\n[[offer]]\nmodel = \"a/b\"\nprovider = \"a\"\nid = \"b\"\nstatus = \"active\"\n";
        let said = [
            "".to_owned(),
            "version = 4".to_owned(),
            "<<<<<<< ours\nversion = 1".to_owned(),
            "version = 1\noffers = 3".to_owned(),
            offer.replace("active", "fine"),
            offer.replace("id = \"b\"\n", ""),
            format!("{offer}context = \"8k\""),
            format!("{offer}{}", offer.replace("version = 1\n", "")),
        ]
        .map(|text| entries("m.lock", &text).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"), @r#"
        m.lock:1: version: is missing: this is no lock of openmux
        m.lock:1: version: is 4; this openmux reads 1 to 3
        m.lock:1: key with no value, expected `=`
        m.lock:2: offers: unknown key; did you mean "offer"?
        m.lock:6: offer[0].status: "fine" is no status
        m.lock:2: offer[0].id: is missing
        m.lock:7: offer[0].context: should be a whole number of tokens, not a string
        m.lock:8: offer[1].model: is already in line 3, at the same provider
        "#);
    }
}
