//! The file of `serve --tokens`: the gateway's clients, each with a token of its own and what it may do.
//!
//! ```toml
//! [[token]]
//! name = "alice"                          # told in logs and counts
//! token_env = "ALICE_TOKEN"               # or token_file = "path", sha256 = "64 hex digits", token = "..."
//! day_usd = 5                             # the most that its chats of a day (UTC) may cost
//! month_usd = 50                          # and of a month
//! requests_per_minute = 60
//! tokens_per_minute = 100000              # read and written
//! models = ["anthropic/claude-sonnet-5"]  # none is all
//! providers = ["anthropic"]               # none is all
//! metrics = true                          # it sees everybody's counts in /metrics
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::contract::Exit;
use super::error::CliError;
use super::settings::{Settings, read_text};
use crate::catalog::file::{OverlayError, Reader, Source, suggestion};
use crate::catalog::resolve::{ResolveError, resolve};
use crate::catalog::{Catalog, ModelId, ProviderId};
use crate::gateway::{Allowance, Client, Token};
use crate::units::{MoneyError, Usd};

/// What a token may say.
const KEYS: [&str; 12] = [
    "name",
    "token",
    "token_env",
    "token_file",
    "sha256",
    "day_usd",
    "month_usd",
    "requests_per_minute",
    "tokens_per_minute",
    "models",
    "providers",
    "metrics",
];
/// Where a token may stand.
const PLACES: [&str; 4] = ["token", "token_env", "token_file", "sha256"];
/// The longest name.
const NAME: usize = 64;

/// The clients of a file.
///
/// # Errors
/// It cannot be read, has an unknown key or a value that cannot be right, or a token is not there.
pub(crate) fn read(settings: &Settings, catalog: &Catalog, path: &Path) -> Result<Vec<Arc<Client>>, CliError> {
    let text = read_text(path).map_err(|error| CliError { exit: Exit::Config, ..error })?;
    let variable = |name: &str| settings.keys.vars.plain(name).map(str::to_owned);
    let file = |name: &str| read_text(&folder(path).join(name)).map_err(|error| error.message);
    let known = Known { catalog, variable: &variable, file: &file };
    let clients = parse(&path.display().to_string(), &text, &known);
    clients.map_err(|error| CliError::in_file("tokens", &error))
}

/// The files that it has tokens from, as far as it can be read.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(text) = read_text(path) else { return Vec::new() };
    let source = Source { file: path.display().to_string().into(), text: &text };
    let Ok(document) = source.document() else { return Vec::new() };
    let named = |table: Reader<'_, '_>| table.text("token_file").ok().flatten();
    let tables = Reader::root(&source, document.get_ref()).tables("token").unwrap_or_default();
    tables.into_iter().filter_map(named).map(|name| folder(path).join(name)).collect()
}

/// Where what is named in it lies.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// What is looked up for a file.
struct Known<'a> {
    catalog: &'a Catalog,
    variable: &'a dyn Fn(&str) -> Option<String>,
    file: &'a dyn Fn(&str) -> Result<String, String>,
}

fn parse(name: &str, text: &str, known: &Known<'_>) -> Result<Vec<Arc<Client>>, OverlayError> {
    let source = Source { file: name.into(), text };
    let document = source.document()?;
    let root = Reader::root(&source, document.get_ref());
    root.known(&["token"])?;
    let mut clients: Vec<(Client, Token)> = Vec::new();
    for table in root.tables("token")? {
        let (client, token) = one(&table, known)?;
        if clients.iter().any(|(other, _)| other.name == client.name) {
            return Err(table.error("name", format!("another token is called \"{}\", too", client.name)));
        }
        if let Some((other, _)) = clients.iter().find(|(_, other)| other.is(&token)) {
            return Err(table.error("name", format!("it has the same token as \"{}\"", other.name)));
        }
        clients.push((client, token));
    }
    if clients.is_empty() {
        return Err(root.error("token", "there is no [[token]]"));
    }
    Ok(clients.into_iter().map(|(client, _)| Arc::new(client)).collect())
}

fn one(table: &Reader<'_, '_>, known: &Known<'_>) -> Result<(Client, Token), OverlayError> {
    table.known(&KEYS)?;
    let plain = |name: &String| {
        let harmless = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.', '@'].contains(&c);
        !name.is_empty() && name.len() <= NAME && name.chars().all(harmless)
    };
    let name = table.text("name")?.ok_or_else(|| table.error("name", "missing"))?;
    if !plain(&name) {
        return Err(table.error("name", format!("should be at most {NAME} letters, digits and -_.@")));
    }
    let token = token(table, known)?;
    let usd = |key: &str| -> Result<Option<Usd>, OverlayError> {
        let Some(text) = table.amount(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error: MoneyError| table.error(key, error.to_string()))
    };
    let rate = |key: &str| -> Result<Option<u64>, OverlayError> {
        let Some(text) = table.amount(key)? else { return Ok(None) };
        let rate = text.parse().ok().filter(|rate| *rate > 0);
        rate.map(Some).ok_or_else(|| table.error(key, "should be a whole number above 0"))
    };
    let mut models = Vec::new();
    for name in table.list("models")?.unwrap_or_default() {
        let resolved = resolve(known.catalog, &name).map_err(|error| {
            let near = match &error {
                ResolveError::Unknown { suggestions, .. } => suggestions.first().map(ModelId::as_str),
                _ => None,
            };
            let hint = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            table.error("models", error.to_string() + &hint)
        })?;
        models.push(resolved.model);
    }
    let mut providers = Vec::new();
    for name in table.list("providers")?.unwrap_or_default() {
        let id = ProviderId::new(name.as_str());
        if known.catalog.provider(&id).is_none() {
            let all = known.catalog.providers();
            let hint = suggestion(&name, all.iter().map(|provider| provider.id.as_str()));
            return Err(table.error("providers", format!("no provider is called \"{name}\"{hint}")));
        }
        providers.push(id);
    }
    let allowance = Allowance {
        day_usd: usd("day_usd")?,
        month_usd: usd("month_usd")?,
        requests_per_minute: rate("requests_per_minute")?,
        tokens_per_minute: rate("tokens_per_minute")?,
        models,
        providers,
        all_metrics: table.flag("metrics")?.unwrap_or(false),
    };
    Ok((Client::new(name, token.clone(), allowance), token))
}

/// The token, which stands in one place.
fn token(table: &Reader<'_, '_>, known: &Known<'_>) -> Result<Token, OverlayError> {
    let given: Vec<&str> = PLACES.into_iter().filter(|key| table.has(key)).collect();
    let [place] = given[..] else {
        let what = if given.is_empty() { "missing" } else { "stands in more than one place" };
        return Err(table.error(given.get(1).unwrap_or(&"token"), format!("{what}: one of {}", PLACES.join(", "))));
    };
    let written = table.text(place)?.unwrap_or_default();
    let found = match place {
        "sha256" => return Token::of_digest(&written).ok_or_else(|| table.error(place, "should be 64 hex digits")),
        "token_env" => (known.variable)(&written).ok_or_else(|| format!("{written} is not set")),
        "token_file" => (known.file)(&written),
        _ => Ok(written),
    };
    let text = found.map_err(|why| table.error(place, why))?;
    Token::new(&text).ok_or_else(|| table.error(place, "it is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Arc<Client>>, OverlayError> {
        let catalog = Catalog::builtin();
        let variable = |name: &str| (name == "SET").then(|| "set-0123456789".to_owned());
        let file =
            |name: &str| if name == "f" { Ok("file-0123456789\n".to_owned()) } else { Err("cannot read".to_owned()) };
        parse("t.toml", text, &Known { catalog: &catalog, variable: &variable, file: &file })
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let said = [
            "",
            "[[tokens]]\nname = \"a\"",
            "[[token]]\ntoken = \"t\"",
            "[[token]]\nname = \"a b\"\ntoken = \"t\"",
            "[[token]]\nname = \"a\"",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\ntoken_env = \"SET\"",
            "[[token]]\nname = \"a\"\ntoken_env = \"UNSET\"",
            "[[token]]\nname = \"a\"\ntoken_file = \"none\"",
            "[[token]]\nname = \"a\"\nsha256 = \"abc\"",
            "[[token]]\nname = \"a\"\ntoken = \" \"",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nday_us = 1",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nday_usd = -1",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nrequests_per_minute = 0",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nmodels = [\"claude-sonet-5\"]",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nproviders = [\"antropic\"]",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\nmetrics = \"all\"",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\n[[token]]\nname = \"a\"\ntoken = \"u\"",
            "[[token]]\nname = \"a\"\ntoken = \"t\"\n[[token]]\nname = \"b\"\ntoken = \"t\"",
        ]
        .map(|text| parsed(text).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"), @r#"
        t.toml:1: token: there is no [[token]]
        t.toml:1: tokens: unknown key; did you mean "token"?
        t.toml:1: token[0].name: missing
        t.toml:2: token[0].name: should be at most 64 letters, digits and -_.@
        t.toml:1: token[0].token: missing: one of token, token_env, token_file, sha256
        t.toml:4: token[0].token_env: stands in more than one place: one of token, token_env, token_file, sha256
        t.toml:3: token[0].token_env: UNSET is not set
        t.toml:3: token[0].token_file: cannot read
        t.toml:3: token[0].sha256: should be 64 hex digits
        t.toml:3: token[0].token: is empty
        t.toml:4: token[0].day_us: unknown key; did you mean "day_usd"?
        t.toml:4: token[0].day_usd: "-1" is negative
        t.toml:4: token[0].requests_per_minute: should be a whole number above 0
        t.toml:4: token[0].models: no model is called "claude-sonet-5"; did you mean "anthropic/claude-sonnet-5"?
        t.toml:4: token[0].providers: no provider is called "antropic"; did you mean "anthropic"?
        t.toml:4: token[0].metrics: should be true or false, not a string
        t.toml:5: token[1].name: another token is called "a", too
        t.toml:5: token[1].name: it has the same token as "a"
        "#);
    }

    #[test]
    fn a_token_may_stand_in_four_places_and_be_allowed_little() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let text = format!(
            "[[token]]\nname = \"a\"\ntoken_env = \"SET\"\nday_usd = 0.1\nmonth_usd = \"2.50\"\nrequests_per_minute = 6\n\
             tokens_per_minute = 1000\nmodels = [\"claude-sonnet-5\"]\nproviders = [\"anthropic\"]\n\
             metrics = true\n[[token]]\nname = \"b\"\ntoken_file = \"f\"\n[[token]]\nname = \"c\"\nsha256 = \"{digest}\"\n\
             [[token]]\nname = \"d\"\ntoken = \"plain\"\n"
        );
        let clients = parsed(&text).unwrap();
        let first = &clients[0].allowance;
        assert_eq!(first.day_usd.map(Usd::exact).as_deref(), Some("0.1"));
        assert_eq!(first.month_usd.map(Usd::exact).as_deref(), Some("2.5"));
        assert_eq!((first.requests_per_minute, first.tokens_per_minute), (Some(6), Some(1_000)));
        assert_eq!((first.models[0].as_str(), first.providers[0].as_str()), ("anthropic/claude-sonnet-5", "anthropic"));
        assert!(first.all_metrics && !clients[1].allowance.all_metrics);
        assert!(clients[0].is_budgeted() && !clients[1].is_budgeted() && clients.len() == 4);
        assert!(Token::of_digest(digest).unwrap().is(&Token::new("test").unwrap()));
        assert!(!format!("{clients:?}").contains("plain"));
    }
}
