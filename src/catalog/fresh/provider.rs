//! A provider that the embedded tables lack. Its list may not choose which key it is sent: a variable is taken where it
//! has the provider's own name and nobody else uses it, and an address where it is filled from such variables alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::checks;
use crate::catalog::file::default_auth;
use crate::catalog::{
    Catalog, OutputLimitField, Protocol, Provider, ProviderId, ProviderKind, ProviderProtocol, Quirks,
};

/// The packages that speak to a provider, and the dialect that each speaks.
const SPOKEN: &[(&str, Protocol)] = &[
    ("@ai-sdk/anthropic", Protocol::AnthropicMessages),
    ("@ai-sdk/google", Protocol::Gemini),
    ("@ai-sdk/openai", Protocol::OpenaiResponses),
    ("@ai-sdk/openai-compatible", Protocol::OpenaiChat),
    ("@openrouter/ai-sdk-provider", Protocol::OpenaiChat),
];

/// The variables that known providers use.
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    pub(super) fn new(known: &Catalog) -> Self {
        Self(known.providers().into_iter().flat_map(|provider| provider.env.into_values().flatten()).collect())
    }

    /// Whether a variable can be this provider's own: `FOO_API_KEY` of `foo`.
    fn is_own(&self, variable: &str, provider: &str) -> bool {
        let bare =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        checks::is_env_name(variable) && !self.0.contains(variable) && bare(variable).starts_with(&bare(provider))
    }
}

/// The provider, and what of its record is not taken.
pub(super) fn new(id: &str, record: &Value, taken: &Taken) -> (Provider, Vec<String>) {
    let text = |key: &str| record.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    let mut left_out = Vec::new();
    let stated = record.get("env").and_then(Value::as_array);
    let stated: Vec<&str> = stated.into_iter().flatten().filter_map(Value::as_str).collect();
    let (own, foreign): (Vec<&str>, Vec<&str>) = stated.into_iter().partition(|name| taken.is_own(name, id));
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().map(|name| plain(name)).collect();
        left_out.push(format!("may not ask for {}: an overlay can name its key_env", names.join(", ")));
    }
    let keys: Vec<String> = own.iter().filter(|name| is_key(name)).map(|name| (*name).to_owned()).collect();
    let spoken = text("npm").map(|npm| SPOKEN.iter().find(|(known, _)| *known == npm).map(|&(_, spoken)| spoken));
    let address = text("api").map(|api| api.replace("${", "{").trim_end_matches('/').to_owned());
    let protocols = match (spoken.unwrap_or(Some(Protocol::OpenaiChat)), address) {
        (Some(protocol), Some(base_url)) => match usable(&base_url, id, taken) {
            Ok(()) => vec![ProviderProtocol { protocol, base_url, auth: default_auth(protocol) }],
            Err(why) => {
                left_out.push(format!("has an address that is not taken: {why}"));
                Vec::new()
            }
        },
        _ => Vec::new(),
    };
    let env = if keys.is_empty() { BTreeMap::new() } else { BTreeMap::from([("key".to_owned(), keys)]) };
    let provider = Provider {
        id: ProviderId::new(id),
        name: text("name").map_or_else(|| id.to_owned(), plain),
        kind: ProviderKind::guessed(id),
        protocols,
        env,
        headers: BTreeMap::new(),
        models_url: None,
        doc: text("doc").filter(|doc| checks::base_url(doc).is_ok()).map(plain),
        output_limit: OutputLimitField::MaxTokens,
        hides_reasoning: false,
        tiers_inclusive: false,
        quirks: Quirks::default(),
    };
    (provider, left_out)
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

    fn read(record: &str) -> (Provider, Vec<String>) {
        let taken = Taken::new(&Catalog::builtin());
        new("foo-bar", &serde_json::from_str(record).unwrap(), &taken)
    }

    #[test]
    fn what_is_its_own_is_taken() {
        let (provider, left_out) = read(
            r#"{"name":"Foo","npm":"@ai-sdk/openai-compatible","api":"https://${FOO_BAR_ACCOUNT}.foo.example/v1/",
                "env":["FOO_BAR_ACCOUNT","FOO_BAR_API_KEY"],"doc":"https://foo.example/docs"}"#,
        );
        assert_eq!(left_out, [""; 0]);
        assert_eq!(provider.env_names("key"), ["FOO_BAR_API_KEY"]);
        assert_eq!(provider.protocols[0].base_url, "https://{FOO_BAR_ACCOUNT}.foo.example/v1");
    }

    #[test]
    fn no_key_of_anybody_elses_is_asked_for_or_sent_along() {
        for (env, api) in [
            (r#"["OPENAI_API_KEY"]"#, "https://foo.example/v1"),
            (r#"["GITHUB_TOKEN"]"#, "https://foo.example/v1"),
            (r#"["HOME"]"#, "https://foo.example/v1"),
            ("[]", "https://foo.example/{OPENAI_API_KEY}"),
            ("[]", "https://{FOO_BAR_API_KEY}.foo.example"),
            ("[]", "{HOME}"),
            ("[]", "http://127.0.0.1:11434/v1"),
            ("[]", "http://foo.example/v1"),
            ("[]", "https://user:pass@foo.example/v1"),
        ] {
            let (provider, left_out) = read(&format!(r#"{{"api":"{api}","env":{env}}}"#));
            assert_eq!(left_out.len(), 1, "{env} {api}: {left_out:?}");
            assert!(provider.env.is_empty(), "{env}");
            assert_eq!(provider.protocols.is_empty(), env == "[]", "{api}");
        }
    }
}
