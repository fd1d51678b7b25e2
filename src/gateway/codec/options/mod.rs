//! What clients of hosted gateways say about routing, in every dialect of the gateway alike: `OpenRouter`'s, `ZenMux`'s and
//! `LiteLLM`'s options, and openmux's own, are taken out of the body, and become what openmux has for them.
//!
//! Nothing is passed over: what cannot be honoured is refused where it is not negotiable (privacy, price, whose key), and
//! else a warning that goes back with the answer. Two options that say different things are refused, and both are named.
//! Each file has one table of what it reads; the documentation and the tests walk the same tables.

mod beside;
mod litellm;
mod names;
mod openrouter;
mod own;
mod zenmux;

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::json::{Wrong, member, nearest};
use crate::catalog::{Catalog, ProviderId};
use crate::dispatch::FallbackClass;
use crate::routing::{Measure, Preset, Threshold};
use crate::units::UsdPerMtok;

/// What the body of a request says about routing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Providers to try first.
    pub order: Slot<Vec<ProviderId>>,
    /// The only providers that may be used.
    pub only: Slot<Vec<ProviderId>>,
    /// Providers that may not be used.
    pub ignore: Vec<ProviderId>,
    /// Whether each request begins with another one of `order`.
    pub rotates: bool,
    /// Whether only the first is asked.
    pub first_alone: Slot<bool>,
    /// What is favoured.
    pub prefer: Slot<Preset>,
    /// The dearest acceptable input price.
    pub max_price_in: Slot<UsdPerMtok>,
    /// The dearest acceptable output price.
    pub max_price_out: Slot<UsdPerMtok>,
    /// The only quantisations that may be used.
    pub quantization: Slot<Vec<String>>,
    /// Limits on estimates, as preferences.
    pub thresholds: Vec<Threshold>,
    /// Whether a sampling hint that an endpoint does not take is left out.
    pub lenient: Slot<bool>,
    /// Most further tries of a provider.
    pub retries: Slot<u32>,
    /// How long the whole request may take.
    pub total: Slot<Duration>,
    /// How long all attempts may take to a first token.
    pub first_token: Slot<Duration>,
    /// The conversation that the client names.
    pub session: Slot<String>,
    /// The models to go on to.
    pub chain: Slot<Vec<Next>>,
    /// Those that only certain failures lead to; they go before the others.
    pub special: Vec<Next>,
    /// Whether a stream that breaks off is to be gone on with.
    pub resume: Slot<bool>,
    /// Whether a second provider is to be asked beside a slow one.
    pub hedge: Slot<bool>,
    /// Whether the cheapest of the models, as this request is decided, goes first.
    pub cheapest: bool,
    /// Whether no other model is asked, whatever the gateway's configuration says.
    pub no_chain: bool,
    /// Whether a stream is to end with what was used.
    pub include_usage: bool,
    /// What is not done, though it was asked for.
    pub warnings: Vec<String>,
}

/// A model to go on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// As it was named.
    pub model: String,
    /// Where.
    pub at: String,
    /// After which failures; empty is after those that every provider was tried for.
    pub on: Vec<FallbackClass>,
}

/// Something that one option says; a second one may only say the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot<T>(Option<(T, String)>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> Slot<T> {
    /// What was said.
    pub const fn get(&self) -> Option<&T> {
        match &self.0 {
            Some((value, _)) => Some(value),
            None => None,
        }
    }

    /// Which option says it.
    fn by(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, by)| by.as_str())
    }

    fn put(&mut self, value: T, by: &str) -> Result<(), Refused> {
        match &self.0 {
            Some((known, other)) if *known != value => Err(Refused::both(by, other)),
            _ => {
                self.0 = Some((value, by.to_owned()));
                Ok(())
            }
        }
    }
}

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, with its place before it.
    pub wrong: Wrong,
    /// What to do about it.
    pub fix: String,
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self { wrong, fix: "openmux help dialects lists what is understood".to_owned() }
    }
}

impl Refused {
    fn fix(wrong: impl Into<String>, fix: &str) -> Self {
        Self { wrong: wrong.into(), fix: fix.to_owned() }
    }

    /// Two options exclude each other.
    fn both(one: &str, other: &str) -> Self {
        Self::fix(format!("{one}: {other} says something else"), "leave one of the two out")
    }
}

/// One line of the documentation: an option, and what it becomes here.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The option, as it is written.
    pub option: &'static str,
    /// What it becomes.
    pub becomes: &'static str,
    /// Members of a body that use it; `headers` stands for the request's.
    pub example: &'static str,
}

/// A member that is read: its name, who reads it, what is told of it.
struct Entry {
    name: &'static str,
    read: fn(&mut Reading<'_>, &Value, &str) -> Result<(), Refused>,
    rows: &'static [Row],
}

/// A body being read.
struct Reading<'a> {
    catalog: &'a Catalog,
    said: Options,
    /// The model that the body names, as far as it is known.
    model: Option<String>,
    /// The model that is asked in its place, and which option says so.
    instead: Slot<String>,
    /// The provider that comes after those that are listed.
    last: Slot<ProviderId>,
}

/// Members of a body that say something about routing.
const TABLES: [&[Entry]; 4] = [openrouter::OPTIONS, zenmux::OPTIONS, litellm::OPTIONS, own::OPTIONS];
/// Members of `provider`.
const PROVIDER: [&[Entry]; 2] = [openrouter::PROVIDER, zenmux::PROVIDER];

/// Every option, by whose it is.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    let of = |whose: &'static str, entries: &'static [Entry]| {
        entries.iter().flat_map(|entry| entry.rows).map(move |row| (whose, row))
    };
    of("OpenRouter", openrouter::PROVIDER)
        .chain(of("OpenRouter", openrouter::OPTIONS))
        .chain(beside::OPENROUTER.iter().map(|row| ("OpenRouter", row)))
        .chain(of("ZenMux", zenmux::PROVIDER))
        .chain(of("ZenMux", zenmux::OPTIONS))
        .chain(beside::ZENMUX.iter().map(|row| ("ZenMux", row)))
        .chain(of("LiteLLM", litellm::OPTIONS))
        .chain(beside::LITELLM.iter().map(|row| ("LiteLLM", row)))
        .chain(of("openmux", own::OPTIONS))
}

/// Takes what is said about routing out of a request's body and headers; what is left is the dialect's own. Where the
/// options name the model, or it has a suffix that is one, the body's `model` is set anew.
///
/// # Errors
/// An option is not understood, cannot be honoured though it is not negotiable, or contradicts another.
pub fn take(body: &mut Map<String, Value>, headers: &HeaderMap, catalog: &Catalog) -> Result<Options, Refused> {
    beside::unwrap(body)?;
    let model = member(body, "model").and_then(Value::as_str).map(str::to_owned);
    let mut reading =
        Reading { catalog, said: Options::default(), model, instead: Slot::default(), last: Slot::default() };
    beside::suffix(&mut reading)?;
    let is_ours = |name: &str| name == "provider" || TABLES.iter().any(|table| table.iter().any(|e| e.name == name));
    let ours: Vec<String> = body.keys().filter(|name| is_ours(name)).cloned().collect();
    for name in ours {
        let value = body.remove(&name).unwrap_or_default();
        if says_nothing(&value) {
            continue;
        }
        if name == "provider" {
            provider(&mut reading, &value)?;
        } else if let Some(entry) = TABLES.iter().flat_map(|table| table.iter()).find(|entry| entry.name == name) {
            (entry.read)(&mut reading, &value, &name)?;
        }
    }
    beside::headers(&mut reading, headers)?;
    beside::cache_key(&mut reading, body);
    reading.finish(body)
}

/// Null, and what holds nothing.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The object that `OpenRouter` and `ZenMux` both call `provider`.
fn provider(reading: &mut Reading<'_>, value: &Value) -> Result<(), Refused> {
    let members = value.as_object().ok_or_else(|| "provider: not an object".to_owned())?;
    for (name, value) in members {
        let entry = PROVIDER.iter().flat_map(|table| table.iter()).find(|entry| entry.name == name);
        match entry {
            Some(entry) if !says_nothing(value) => (entry.read)(reading, value, &format!("provider.{name}"))?,
            Some(_) => {}
            None => {
                let known: Vec<&str> = PROVIDER.iter().flat_map(|table| table.iter()).map(|entry| entry.name).collect();
                return Err(unknown("provider", name, &known));
            }
        }
    }
    let says = |name: &str| members.get(name).is_some_and(|value| !says_nothing(value));
    match openrouter::PROVIDER.iter().find(|entry| says(entry.name)) {
        Some(entry) if says("routing") => {
            let other = format!("provider.{}", entry.name);
            Err(Refused::fix(
                format!("provider.routing: it is ZenMux's, and {other} is OpenRouter's"),
                "say it in one of the two grammars",
            ))
        }
        _ => Ok(()),
    }
}

/// A member that nobody reads.
fn unknown(at: &str, name: &str, known: &[&str]) -> Refused {
    let shown: String = name.chars().take(80).collect();
    let hint = nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Refused::from(format!("{at}.{shown}: there is no such option{hint}"))
}

impl Reading<'_> {
    fn warn(&mut self, text: impl Into<String>) {
        self.said.warnings.push(text.into());
    }

    /// A list of names of providers. What follows a slash names one of a provider's endpoints.
    fn providers(&self, value: &Value, at: &str) -> Result<Vec<(ProviderId, Option<String>)>, Refused> {
        let mut named: Vec<(ProviderId, Option<String>)> = Vec::new();
        for (place, text) in texts(value, at)? {
            let (name, rest) = text.split_once('/').map_or((text, None), |(name, rest)| (name, Some(rest)));
            let provider = names::provider(self.catalog, name, &place)?;
            if !named.iter().any(|(known, tag)| *known == provider && tag.as_deref() == rest) {
                named.push((provider, rest.map(str::to_owned)));
            }
        }
        Ok(named)
    }

    /// The same where one endpoint stands for its provider anyway.
    fn plain_providers(&self, value: &Value, at: &str) -> Result<Vec<ProviderId>, Refused> {
        let mut plain: Vec<ProviderId> = self.providers(value, at)?.into_iter().map(|(provider, _)| provider).collect();
        plain.dedup();
        Ok(plain)
    }

    /// A limit on an estimate, as a preference; the stricter of two holds.
    fn prefers(&mut self, measure: Measure, millionths: u64) {
        self.said.thresholds.retain(|known| known.measure != measure);
        self.said.thresholds.push(Threshold { measure, millionths, firm: false });
    }

    /// What follows from all options together.
    fn finish(mut self, body: &mut Map<String, Value>) -> Result<Options, Refused> {
        if self.said.first_alone.get() == Some(&true)
            && let Some(listed) = self.said.order.get().cloned()
        {
            // Nobody but those that are listed.
            let by = self.said.order.by().unwrap_or_default().to_owned();
            if self.said.only.get().is_none() {
                self.said.only.put(listed, &by)?;
            }
            self.said.first_alone = Slot::default();
        }
        if let Some(last) = self.last.get() {
            let listed = [&mut self.said.order, &mut self.said.only];
            for (providers, _) in listed.into_iter().filter_map(|slot| slot.0.as_mut()) {
                providers.retain(|provider| provider != last);
                providers.push(last.clone());
            }
        }
        if self.instead.get().is_none() && self.model.as_deref().is_some_and(|m| m.eq_ignore_ascii_case(zenmux::AUTO)) {
            let wrong = format!("model_routing_config: missing, and the model is {}", zenmux::AUTO);
            return Err(Refused::fix(wrong, "model_routing_config.available_models lists the models"));
        }
        let model = self.instead.get().or(self.model.as_ref());
        if let Some(model) = model.filter(|model| member(body, "model").is_none_or(|known| known != model.as_str())) {
            body.insert("model".to_owned(), model.as_str().into());
        }
        Ok(self.said)
    }
}

/// The texts of a list, each with its place; one text is a list of one.
fn texts<'a>(value: &'a Value, at: &str) -> Result<Vec<(String, &'a str)>, Refused> {
    let text = |(place, value): (usize, &'a Value)| {
        let at = format!("{at}[{place}]");
        match value.as_str().map(str::trim) {
            Some("") => Err(Refused::from(format!("{at}: empty"))),
            Some(text) => Ok((at, text)),
            None => Err(Refused::from(format!("{at}: not a text"))),
        }
    };
    match value {
        Value::Array(items) => items.iter().enumerate().map(text).collect(),
        Value::String(one) if !one.trim().is_empty() => Ok(vec![(at.to_owned(), one.trim())]),
        _ => Err(Refused::from(format!("{at}: not a list of texts"))),
    }
}

fn flag(value: &Value, at: &str) -> Result<bool, Refused> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Refused::from(format!("{at}: neither true nor false"))),
    }
}

fn word<'a>(value: &'a Value, at: &str) -> Result<&'a str, Refused> {
    value.as_str().ok_or_else(|| Refused::from(format!("{at}: not a text")))
}

/// A word that is none of those that are known.
fn stranger(word: &str, at: &str, known: &[&str]) -> Refused {
    let hint = nearest(word, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let shown: String = word.chars().take(80).collect();
    Refused::from(format!("{at}: {shown:?} is none of {}{hint}", known.join(", ")))
}

/// A number, or a text that holds one.
fn decimal(value: &Value, at: &str) -> Result<String, Refused> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) if text.trim().parse::<f64>().is_ok() => Ok(text.trim().to_owned()),
        _ => Err(Refused::from(format!("{at}: not a number"))),
    }
}

/// A time in seconds, above zero.
fn seconds(value: &Value, at: &str) -> Result<Duration, Refused> {
    let number = decimal(value, at)?.parse::<f64>().ok();
    let time = number.filter(|number| *number > 0.0).and_then(|number| Duration::try_from_secs_f64(number).ok());
    time.ok_or_else(|| Refused::from(format!("{at}: not a number of seconds above 0")))
}

/// A number that is not negative, in millionths.
fn millionths(value: &Value, at: &str) -> Result<u64, Refused> {
    let text = decimal(value, at)?;
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let read = || {
        let part = format!("{:0<6}", part.get(..6).unwrap_or(part)).parse::<u64>().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
    };
    let found = if digits(whole) && digits(part) { read() } else { None };
    found.ok_or_else(|| Refused::from(format!("{at}: not a plain number")))
}

#[cfg(test)]
mod tests;
