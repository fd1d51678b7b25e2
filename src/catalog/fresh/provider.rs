//! A provider that the embedded tables lack. Whoever writes a list may call a provider like anybody whose key lies in the
//! environment, so that nothing of it is called until the user says where it is and which key it takes: what it says itself
//! is told, and not taken. Of a release, which somebody answers for, a variable is taken where it has the provider's own name
//! and nobody else uses it, and an address where it is filled from such variables alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks;
use crate::catalog::{Catalog, Protocol, Provider, ProviderId, ProviderKind};

/// The packages that speak to a provider, and the dialect that each speaks.
const SPOKEN: &[(&str, Protocol)] = &[
    ("@ai-sdk/anthropic", Protocol::AnthropicMessages),
    ("@ai-sdk/google", Protocol::Gemini),
    ("@ai-sdk/openai", Protocol::OpenaiResponses),
    ("@ai-sdk/openai-compatible", Protocol::OpenaiChat),
    ("@openrouter/ai-sdk-provider", Protocol::OpenaiChat),
];

/// The first words of variables that are no provider's of models, whatever it is called.
const OTHERS: [&str; 14] =
    ["AWS", "AZURE", "CARGO", "CI", "DOCKER", "GCP", "GH", "GIT", "GITHUB", "GITLAB", "GOOGLE", "NPM", "PYPI", "SSH"];

/// The variables that known providers use.
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    pub(super) fn new(known: &Catalog) -> Self {
        Self(known.providers().into_iter().flat_map(|provider| provider.env.into_values().flatten()).collect())
    }

    /// Whether a variable can be this provider's own, `FOO_API_KEY` of `foo`: its name is the variable's first words.
    fn is_own(&self, variable: &str, provider: &str) -> bool {
        let bare =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let mut begins = variable.match_indices('_').filter_map(|(at, _)| variable.get(..at));
        let is_named = begins.any(|begin| bare(begin) == bare(provider));
        let first = variable.split('_').next().unwrap_or_default();
        checks::is_env_name(variable) && !self.0.contains(variable) && is_named && !OTHERS.contains(&first)
    }
}

/// The provider without an address and without a variable, the dialect that it is spoken to in, and what it says of itself.
pub(super) fn new(id: &str, record: &Value, taken: &Taken) -> (Provider, Option<Protocol>, Vec<String>) {
    let text = |key: &str| record.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut told = Vec::new();
    let stated = record.get("env").and_then(Value::as_array);
    let stated: Vec<&str> = stated.into_iter().flatten().filter_map(Value::as_str).collect();
    let (own, foreign): (Vec<&str>, Vec<&str>) = stated.into_iter().partition(|name| taken.is_own(name, id));
    let spoken = text("npm").map(|npm| SPOKEN.iter().find(|(known, _)| *known == npm).map(|&(_, spoken)| spoken));
    let spoken = spoken.unwrap_or(Some(Protocol::OpenaiChat));
    let mut says = Vec::new();
    says.extend(spoken.map(|protocol| format!("protocol = \"{}\"", protocol.name())));
    if let Some(url) = text("api").map(|api| api.replace("${", "{").trim_end_matches('/').to_owned()) {
        match usable(&url, id, taken) {
            Ok(()) => says.push(format!("base_url = \"{url}\"")),
            Err(why) => told.push(format!("has an address that is not taken: {why}")),
        }
    }
    if let Some(key) = own.iter().find(|name| is_key(name)) {
        says.push(format!("key_env = \"{key}\""));
    }
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().map(|name| checks::shown_name(name)).collect();
        told.push(format!("may not ask for {}", names.join(", ")));
    }
    let says = says.join(", ");
    told.insert(
        0,
        format!(
            "is new, and not called until [provider.{id}] of an overlay says where and with which key; it says {says}"
        ),
    );
    let provider = Provider {
        name: text("name").map_or_else(|| id.to_owned(), checks::shown_name),
        doc: text("doc").filter(|doc| checks::base_url(doc).is_ok()).map(checks::shown_name),
        ..Provider::new(ProviderId::new(id), ProviderKind::guessed(id))
    };
    (provider, spoken, told)
}

/// A provider that a release describes, and what of it is not taken: it may ask for its own variables alone, and be reached
/// where a key is safe.
pub(super) fn fit(mut provider: Provider, taken: &Taken) -> (Provider, Vec<String>) {
    let mut left_out = Vec::new();
    let id = provider.id.as_str().to_owned();
    for names in provider.env.values_mut() {
        let (own, foreign): (Vec<String>, Vec<String>) =
            std::mem::take(names).into_iter().partition(|name| taken.is_own(name, &id));
        if !foreign.is_empty() {
            left_out.push(format!("may not ask for {}: an overlay can name its key_env", foreign.join(", ")));
        }
        *names = own;
    }
    provider.env.retain(|_, names| !names.is_empty());
    provider.protocols.retain(|spoken| {
        let why = usable(&spoken.base_url, &id, taken).err();
        left_out.extend(why.iter().map(|why| format!("has an address that is not taken: {why}")));
        why.is_none()
    });
    let reached = |url: &String| provider.protocols.iter().any(|spoken| url.starts_with(&spoken.base_url));
    provider.models_url = provider.models_url.filter(reached);
    (provider, left_out)
}

fn is_key(variable: &str) -> bool {
    ["KEY", "TOKEN", "PAT"].iter().any(|end| variable.ends_with(end))
}

/// Whether an address may be taken. A list from elsewhere has no business on this machine.
fn usable(url: &str, id: &str, taken: &Taken) -> Result<(), String> {
    checks::base_url(url)?;
    if !url.starts_with("https://") {
        return Err("it does not start with https://".to_owned());
    }
    let mut rest = url;
    while let Some((_, after)) = rest.split_once('{') {
        let (variable, behind) = after.split_once('}').ok_or("it has a { without a }")?;
        if !taken.is_own(variable, id) || is_key(variable) {
            return Err(format!("{variable} is no part of its address"));
        }
        rest = behind;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: &str, record: &str) -> Vec<String> {
        let taken = Taken::new(&Catalog::builtin());
        let (provider, spoken, told) = new(id, &serde_json::from_str(record).unwrap(), &taken);
        assert!(provider.protocols.is_empty() && provider.env.is_empty() && provider.models_url.is_none(), "{record}");
        assert_eq!(spoken, Some(Protocol::OpenaiChat));
        told
    }

    #[test]
    fn what_a_new_provider_says_is_told_and_not_taken() {
        let told = read(
            "foo-bar",
            r#"{"name":"Foo","npm":"@ai-sdk/openai-compatible","api":"https://${FOO_BAR_ACCOUNT}.foo.example/v1/",
                "env":["FOO_BAR_ACCOUNT","FOO_BAR_API_KEY"],"doc":"https://foo.example/docs"}"#,
        );
        insta::assert_snapshot!(told.join("\n"), @r#"is new, and not called until [provider.foo-bar] of an overlay says where and with which key; it says protocol = "openai-chat", base_url = "https://{FOO_BAR_ACCOUNT}.foo.example/v1", key_env = "FOO_BAR_API_KEY""#);
    }

    #[test]
    fn no_key_of_anybody_elses_is_even_named() {
        for (id, env, api) in [
            ("foo-bar", r#"["OPENAI_API_KEY"]"#, "https://foo.example/v1"),
            ("foo-bar", r#"["GITHUB_TOKEN"]"#, "https://foo.example/v1"),
            ("foo-bar", r#"["HOME"]"#, "https://foo.example/v1"),
            ("foo-bar", "[]", "https://foo.example/{OPENAI_API_KEY}"),
            ("foo-bar", "[]", "https://{FOO_BAR_API_KEY}.foo.example"),
            ("foo-bar", "[]", "{HOME}"),
            ("foo-bar", "[]", "http://127.0.0.1:11434/v1"),
            ("foo-bar", "[]", "http://foo.example/v1"),
            ("foo-bar", "[]", "https://user:pass@foo.example/v1"),
            ("n", r#"["NPM_TOKEN"]"#, "https://foo.example/v1"),
            ("npm", r#"["NPM_TOKEN"]"#, "https://foo.example/v1"),
            ("p", r#"["PYPI_TOKEN"]"#, "https://foo.example/v1"),
            ("aws", r#"["AWS_SECRET_ACCESS_KEY"]"#, "https://foo.example/v1"),
        ] {
            let told = read(id, &format!(r#"{{"api":"{api}","env":{env}}}"#));
            assert_eq!(told.len(), 2, "{env} {api}: {told:?}");
            assert!(!told[0].contains("key_env") && told[0].contains("base_url") == (env != "[]"), "{told:?}");
        }
    }
}
