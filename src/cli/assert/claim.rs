//! What can be asserted, of what, and where it was written.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::catalog::file::{OverlayError, Reader, Source};
use crate::catalog::price::Item;
use crate::cli::args::{
    CheckArgs, Shape, Since, ability, days, per_mtok, shape, share_millionths, span, speed_millionths, tokens,
    ttft_micros, usd,
};
use crate::observe::InputSize;
use crate::routing::Ability;
use crate::units::{Tokens, Usd, UsdPerMtok};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as it was named.
    pub(super) file: String,
    /// The line, from 1.
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One assertion.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Claim {
    /// There is such a model or provider, or there is none.
    Exists(bool),
    /// An item costs at most so much.
    Price(Item, UsdPerMtok),
    /// One call of the stated size costs at most so much.
    CallPrice(Usd),
    /// Context of at least so many tokens.
    Context(Tokens),
    /// Answers of at least so many tokens.
    Output(Tokens),
    /// It can do this.
    Has(Ability),
    /// Neither retired nor to be retired within so many days.
    NotRetiring(u32),
    /// This provider serves it.
    ServedBy(String),
    /// At least so many providers serve it.
    Providers(u32),
    /// At least so many of its providers could be called.
    Callable(u32),
    /// The median wait for the first token is at most this.
    Ttft(Duration),
    /// The median speed is at least so many millionths of a token per second.
    Tps(u64),
    /// The share of whole answers is at least so many millionths.
    Availability(u64),
    /// A key is set.
    HasKey,
    /// The provider serves this model.
    Serves(String),
    /// The catalog is at most so many days old.
    Age(u32),
}

/// The items whose price can be limited, and the key of the limit.
const PRICES: [(Item, &str); 4] = [
    (Item::Input, "max_price_in"),
    (Item::Output, "max_price_out"),
    (Item::CacheRead, "max_price_cache_read"),
    (Item::CacheWrite, "max_price_cache_write"),
];

/// The assertions about a model, by their keys in a file.
pub(super) const OF_MODEL: [&str; 16] = [
    "exists",
    "max_price_in",
    "max_price_out",
    "max_price_cache_read",
    "max_price_cache_write",
    "max_call_price",
    "min_context",
    "min_output",
    "has",
    "not_retiring",
    "served_by",
    "min_providers",
    "min_callable",
    "max_ttft",
    "min_tps",
    "min_availability",
];

/// The assertions about a provider.
pub(super) const OF_PROVIDER: [&str; 4] = ["exists", "has_key", "serves", "min_availability"];

/// The assertions about the catalog.
pub(super) const OF_CATALOG: [&str; 1] = ["max_age"];

impl Claim {
    /// Its key in a file, and its name in output.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Exists(_) => "exists",
            Self::Price(item, _) => PRICES.iter().find(|(known, _)| known == item).map_or("max_price", |(_, key)| key),
            Self::CallPrice(_) => "max_call_price",
            Self::Context(_) => "min_context",
            Self::Output(_) => "min_output",
            Self::Has(_) => "has",
            Self::NotRetiring(_) => "not_retiring",
            Self::ServedBy(_) => "served_by",
            Self::Providers(_) => "min_providers",
            Self::Callable(_) => "min_callable",
            Self::Ttft(_) => "max_ttft",
            Self::Tps(_) => "min_tps",
            Self::Availability(_) => "min_availability",
            Self::HasKey => "has_key",
            Self::Serves(_) => "serves",
            Self::Age(_) => "max_age",
        }
    }

    /// Whether calls of one's own must have been measured to tell.
    pub(super) const fn is_measured(&self) -> bool {
        matches!(self, Self::Ttft(_) | Self::Tps(_) | Self::Availability(_))
    }

    /// Whether a probe can tell, where a call of this size is meant: its own calls are short ones.
    pub(super) fn is_told_by_a_probe(&self, shape: Option<Shape>) -> bool {
        let is_short = shape.is_none_or(|shape| InputSize::of(Some(shape.input)) == InputSize::To1k);
        self.is_measured() && (is_short || matches!(self, Self::Availability(_)))
    }

    /// Whether the size of the call that is meant makes a difference.
    pub(super) const fn is_of_a_size(&self) -> bool {
        matches!(self, Self::Price(..) | Self::CallPrice(_) | Self::Ttft(_) | Self::Tps(_))
    }

    /// Whether it is about one provider's offer of a model.
    pub(super) const fn is_of_offer(&self) -> bool {
        !matches!(
            self,
            Self::Exists(_)
                | Self::ServedBy(_)
                | Self::Providers(_)
                | Self::Callable(_)
                | Self::HasKey
                | Self::Serves(_)
                | Self::Age(_)
        )
    }

    /// Reads one value of a key.
    fn read(key: &str, text: &str) -> Result<Self, String> {
        let count = |text: &str| text.parse::<u32>().map_err(|_| "not a whole number".to_owned());
        if let Some((item, _)) = PRICES.iter().find(|(_, known)| *known == key) {
            return per_mtok(text).map(|most| Self::Price(*item, most));
        }
        match key {
            "exists" => Ok(Self::Exists(text == "true")),
            "max_call_price" => usd(text).map(Self::CallPrice),
            "min_context" => tokens(text).map(Self::Context),
            "min_output" => tokens(text).map(Self::Output),
            "has" => ability(text).map(Self::Has),
            "not_retiring" => days(text).map(Self::NotRetiring),
            "served_by" => Ok(Self::ServedBy(text.to_owned())),
            "min_providers" => count(text).map(Self::Providers),
            "min_callable" => count(text).map(Self::Callable),
            "max_ttft" => ttft_micros(text).map(Duration::from_micros).map(Self::Ttft),
            "min_tps" => speed_millionths(text).map(Self::Tps),
            "min_availability" => share_millionths(text).map(Self::Availability),
            "has_key" if text == "true" => Ok(Self::HasKey),
            "has_key" => Err("only true can be asserted".to_owned()),
            "serves" => Ok(Self::Serves(text.to_owned())),
            "max_age" => days(text).map(Self::Age),
            other => Err(format!("there is no assertion {other}")),
        }
    }
}

/// What assertions are about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Of {
    /// A model, perhaps as certain providers offer it.
    Model {
        /// As it was typed.
        typed: String,
        /// The providers whose offers are meant; empty is the author's own, else the cheapest.
        providers: Vec<String>,
        /// The call that is meant.
        shape: Option<Shape>,
        /// How far back measured figures reach, where it has a word of its own.
        window: Option<Since>,
    },
    /// A provider.
    Provider {
        /// As it was typed.
        typed: String,
        /// As for a model.
        window: Option<Since>,
    },
    /// The catalog.
    Catalog,
}

/// Assertions about one thing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    /// About what.
    pub(super) of: Of,
    /// Where it is named.
    pub(super) place: Option<Place>,
    /// What is asserted, each with its place.
    pub(super) claims: Vec<(Claim, Option<Place>)>,
}

impl Check {
    /// A model of which nothing else is asserted must exist and not be retired.
    fn filled(mut self) -> Self {
        if self.claims.is_empty() && matches!(self.of, Of::Model { .. }) {
            self.claims = vec![(Claim::NotRetiring(0), self.place.clone())];
        }
        self
    }
}

/// What the command line asserts of its models.
pub(super) fn claims(args: &CheckArgs) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let limits = [args.max_price_in, args.max_price_out, args.max_price_cache_read, args.max_price_cache_write];
    claims.extend(PRICES.iter().zip(limits).filter_map(|((item, _), most)| Some(Claim::Price(*item, most?))));
    claims.extend(args.max_call_price.map(Claim::CallPrice));
    claims.extend(args.min_context.map(Claim::Context));
    claims.extend(args.min_output.map(Claim::Output));
    claims.extend(args.has.iter().copied().map(Claim::Has));
    claims.extend(args.not_retiring.map(Claim::NotRetiring));
    claims.extend(args.served_by.iter().cloned().map(Claim::ServedBy));
    claims.extend(args.min_providers.map(Claim::Providers));
    claims.extend(args.min_callable.map(Claim::Callable));
    claims.extend(args.max_ttft.map(Claim::Ttft));
    claims.extend(args.min_tps.map(Claim::Tps));
    claims.extend(args.min_availability.map(Claim::Availability));
    claims
}

/// The assertions of the command line.
pub(super) fn typed(args: &CheckArgs) -> Vec<Check> {
    let claims: Vec<_> = claims(args).into_iter().map(|claim| (claim, None)).collect();
    let model = |typed: &String| {
        let (typed, providers) = (typed.clone(), args.provider.clone());
        let of = Of::Model { typed, providers, shape: args.tokens, window: None };
        Check { of, place: None, claims: claims.clone() }.filled()
    };
    let key = |typed: &String| {
        let of = Of::Provider { typed: typed.clone(), window: None };
        Check { of, place: None, claims: vec![(Claim::HasKey, None)] }
    };
    let age =
        args.max_catalog_age.map(|days| Check { of: Of::Catalog, place: None, claims: vec![(Claim::Age(days), None)] });
    args.models.iter().map(model).chain(args.has_key.iter().map(key)).chain(age).collect()
}

/// Whether the command line asserts something that needs a model.
pub(super) fn needs_a_model(args: &CheckArgs) -> bool {
    !claims(args).is_empty() || !args.provider.is_empty() || args.tokens.is_some()
}

/// The assertions of a file, in the order of the file.
///
/// # Errors
/// It is not TOML, has an unknown key, or a value that cannot be meant; the first such place is told.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Check>, OverlayError> {
    let name = path.display().to_string();
    let source = Source { file: name.as_str().into(), text };
    let document = source.document()?;
    let root = Reader::root(&source, document.get_ref());
    root.known(&["catalog", "model", "provider"])?;
    let mut checks = Vec::new();
    for table in root.tables("model")? {
        checks.push(model(&name, &table)?);
    }
    for table in root.tables("provider")? {
        table.known(&[&["id", "window"], &OF_PROVIDER[..]].concat())?;
        let of = Of::Provider { typed: id(&table)?, window: table.parsed("window", span)? };
        let check = check(&name, &table, of, &OF_PROVIDER)?;
        if check.claims.is_empty() {
            return Err(table.error("id", format!("asserts nothing: {}", OF_PROVIDER.join(", "))));
        }
        checks.push(check);
    }
    if let Some(table) = root.table("catalog")? {
        table.known(&OF_CATALOG)?;
        let check = check(&name, &table, Of::Catalog, &OF_CATALOG)?;
        if check.claims.is_empty() {
            return Err(root.error("catalog", format!("asserts nothing: {}", OF_CATALOG.join(", "))));
        }
        checks.push(check);
    }
    checks.sort_by_key(|check| check.place.as_ref().map(|place| place.line));
    Ok(checks)
}

fn model(name: &str, table: &Reader<'_, '_>) -> Result<Check, OverlayError> {
    table.known(&[&["id", "provider", "tokens", "window"], &OF_MODEL[..]].concat())?;
    let of = Of::Model {
        typed: id(table)?,
        providers: if table.has("provider") { texts(table, "provider")? } else { Vec::new() },
        shape: table.parsed("tokens", shape)?,
        window: table.parsed("window", span)?,
    };
    let unsized_call = table.has("max_call_price") && !table.has("tokens");
    if unsized_call {
        return Err(table.error("max_call_price", "needs the size of the call: tokens = \"8000/1000\""));
    }
    let check = check(name, table, of, &OF_MODEL)?;
    let absent = check.claims.iter().any(|(claim, _)| *claim == Claim::Exists(false));
    if absent && check.claims.len() > 1 {
        return Err(table.error("exists", "of what does not exist nothing else can be asserted"));
    }
    Ok(check)
}

fn check(name: &str, table: &Reader<'_, '_>, of: Of, keys: &[&str]) -> Result<Check, OverlayError> {
    let at = |key: &str| Some(Place { file: name.to_owned(), line: table.line_of(key) });
    let mut claims = Vec::new();
    for key in table.keys().iter().filter(|key| keys.contains(&key.as_str())) {
        for text in texts(table, key)? {
            claims.push((Claim::read(key, &text).map_err(|why| table.error(key, why))?, at(key)));
        }
    }
    Ok(Check { of, place: at("id"), claims }.filled())
}

/// The values of a key, as text.
fn texts(table: &Reader<'_, '_>, key: &str) -> Result<Vec<String>, OverlayError> {
    match key {
        "exists" | "has_key" => Ok(table.flag(key)?.map(|flag| flag.to_string()).into_iter().collect()),
        "has" | "provider" | "served_by" | "serves" => match table.list(key)?.unwrap_or_default() {
            empty if empty.is_empty() => Err(table.error(key, "names nothing")),
            texts => Ok(texts),
        },
        _ => Ok(table.amount(key)?.into_iter().collect()),
    }
}

fn id(table: &Reader<'_, '_>) -> Result<String, OverlayError> {
    table.text("id")?.ok_or_else(|| table.error("id", "is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(Path::new("c.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn what_a_file_cannot_mean_is_told_with_its_place() {
        let said = [
            "[[modle]]\nid = \"m\"",
            "[model]\nid = \"m\"",
            "[[model]]\nmax_price_in = \"3\"",
            "[[model]]\nid = \"m\"\nmax_prise_in = \"3\"",
            "[[model]]\nid = \"m\"\nmax_price_in = \"three\"",
            "[[model]]\nid = \"m\"\nhas = [\"tools\", \"telepathy\"]",
            "[[model]]\nid = \"m\"\nhas = []",
            "[[model]]\nid = \"m\"\nprovider = []",
            "[[model]]\nid = \"m\"\nnot_retiring = \"soon\"",
            "[[model]]\nid = \"m\"\nmin_availability = 2",
            "[[model]]\nid = \"m\"\nmin_tps = -1",
            "[[model]]\nid = \"m\"\nmin_providers = \"some\"",
            "[[model]]\nid = \"m\"\nmax_call_price = \"1\"",
            "[[model]]\nid = \"m\"\nexists = \"no\"",
            "[[model]]\nid = \"m\"\nexists = false\nmin_context = 1",
            "[[provider]]\nid = \"p\"",
            "[[provider]]\nid = \"p\"\nhas_key = false",
            "[[provider]]\nid = \"p\"\nwindow = \"long\"",
            "[catalog]\nage = 3",
            "[catalog]",
            "a = [",
        ]
        .map(refused);
        insta::assert_snapshot!(said.join("\n"), @r#"
        c.toml:1: modle: unknown key; did you mean "model"?
        c.toml:1: model: should be an array of tables, not a table
        c.toml:1: model[0].id: is missing
        c.toml:3: model[0].max_prise_in: unknown key; did you mean "max_price_in"?
        c.toml:3: model[0].max_price_in: "three" is not a decimal number
        c.toml:3: model[0].has: not one of tools, parallel_tools, structured, reasoning, cache, web_search, computer_use, vision, pdf, audio, video
        c.toml:3: model[0].has: names nothing
        c.toml:3: model[0].provider: names nothing
        c.toml:3: model[0].not_retiring: not a number of days, such as 90d
        c.toml:3: model[0].min_availability: not a share such as 0.99 or 99%
        c.toml:3: model[0].min_tps: not a speed in tokens per second, such as 50
        c.toml:3: model[0].min_providers: not a whole number
        c.toml:3: model[0].max_call_price: needs the size of the call: tokens = "8000/1000"
        c.toml:3: model[0].exists: should be true or false, not a string
        c.toml:3: model[0].exists: of what does not exist nothing else can be asserted
        c.toml:2: provider[0].id: asserts nothing: exists, has_key, serves, min_availability
        c.toml:3: provider[0].has_key: only true can be asserted
        c.toml:3: provider[0].window: not a span such as 12h or 7d, nor a day
        c.toml:2: catalog.age: unknown key
        c.toml:1: catalog: asserts nothing: max_age
        c.toml:1: unclosed array, expected `]`
        "#);
    }

    #[test]
    fn numbers_may_stand_without_quotes_and_keep_every_digit() {
        let text = "[[model]]\nid = \"m\"\nmax_price_in = 0.10\nmin_context = 200_000\nnot_retiring = 90\n\
            min_availability = 0.99\nmin_tps = 50";
        let checks = read(Path::new("c.toml"), text).unwrap();
        let claims: Vec<Claim> = checks[0].claims.iter().map(|(claim, _)| claim.clone()).collect();
        let expected = [
            Claim::Price(Item::Input, "0.1".parse().unwrap()),
            Claim::Context(Tokens::new(200_000)),
            Claim::NotRetiring(90),
            Claim::Availability(990_000),
            Claim::Tps(50_000_000),
        ];
        assert_eq!(claims, expected);
        assert_eq!(checks[0].claims[2].1.as_ref().map(|place| place.line), Some(5));
    }

    #[test]
    fn every_key_of_a_table_is_read() {
        let value = |key: &str| match key {
            "exists" | "has_key" => "true",
            "has" => "tools",
            "max_ttft" => "1s",
            "min_availability" => "0.5",
            _ => "1",
        };
        for key in OF_MODEL.iter().chain(&OF_PROVIDER).chain(&OF_CATALOG) {
            assert_eq!(Claim::read(key, value(key)).unwrap().name(), *key);
        }
    }
}
