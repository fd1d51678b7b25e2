//! Where a provider is reached: the catalog's address, its variables filled in, or an override.

use super::Vars;
use crate::catalog::{Protocol, Provider, ProviderId};

/// An address with its variables filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Where to call, without a trailing slash, and the variable that set it, where one did.
    Known {
        /// The base URL.
        url: String,
        /// The variable that overrides the catalog's address.
        overridden_by: Option<String>,
    },
    /// Variables that the address needs are not set.
    Missing(Vec<String>),
}

/// Fills in a base URL: an override from the environment wins, then `{VARIABLE}` placeholders are replaced.
#[must_use]
pub fn address(provider: &Provider, protocol: Protocol, template: &str, vars: &Vars) -> Address {
    let (template, overridden_by) = match base_override(provider, vars) {
        Some((name, value)) => (overridden(protocol, value, template), Some(name)),
        None => (template.to_owned(), None),
    };
    let mut url = String::new();
    let mut missing = Vec::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        url.push_str(before);
        match setting(provider, name, vars) {
            Some(value) => url.push_str(value),
            None if missing.iter().any(|known| known == name) => {}
            None => missing.push(name.to_owned()),
        }
        rest = tail;
    }
    url.push_str(rest);
    if !missing.is_empty() {
        return Address::Missing(missing);
    }
    for (host, right) in HOSTS {
        if let Some(path) = url.strip_prefix(host) {
            url = format!("{right}{path}");
            break;
        }
    }
    Address::Known { url: url.trim_end_matches('/').to_owned(), overridden_by }
}

/// Where a location that is no region makes another host than the pattern of the catalog.
const HOSTS: [(&str, &str); 3] = [
    ("https://global-aiplatform.googleapis.com", "https://aiplatform.googleapis.com"),
    ("https://us-aiplatform.googleapis.com", "https://aiplatform.us.rep.googleapis.com"),
    ("https://eu-aiplatform.googleapis.com", "https://aiplatform.eu.rep.googleapis.com"),
];

/// The value of a placeholder: the variable of that name, or another of the same role.
fn setting<'a>(provider: &Provider, name: &str, vars: &'a Vars) -> Option<&'a str> {
    let role = provider.env.values().find(|names| names.iter().any(|known| known == name));
    let alternatives = role.map_or(&[][..], Vec::as_slice).iter().map(String::as_str);
    std::iter::once(name).chain(alternatives).find_map(|name| vars.plain(name))
}

/// `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL`, and so on for every provider: the catalog's `base` variables, then the
/// provider's id in upper case with `_BASE_URL`.
fn base_override<'a>(provider: &Provider, vars: &'a Vars) -> Option<(String, &'a str)> {
    let names = provider.env_names("base").iter().cloned().chain([base_variable(&provider.id)]);
    names.into_iter().find_map(|name| vars.plain(&name).map(|value| (name, value)))
}

/// The variable that says where any provider is reached: its id in upper case with `_BASE_URL`.
#[must_use]
pub fn base_variable(provider: &ProviderId) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = provider.as_str().chars().map(upper).collect();
    // No shell can export a name that begins with a digit.
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    format!("{}{name}_BASE_URL", if digit { "P" } else { "" })
}

/// Whether the environment says where a provider is reached.
#[must_use]
pub fn is_overridden(provider: &Provider, vars: &Vars) -> bool {
    base_override(provider, vars).is_some()
}

/// An override as its SDK means it: Anthropic's and Google's leave out the version, Vertex AI's the whole path, Ollama's
/// may be a bare `host:port`.
fn overridden(protocol: Protocol, value: &str, template: &str) -> String {
    let value = value.trim_end_matches('/');
    let bare = !value.contains("://");
    let url = if bare { format!("http://{value}") } else { value.to_owned() };
    match protocol {
        Protocol::Gemini if !ends_in_version(&url) => format!("{url}/v1beta"),
        Protocol::Gemini => url,
        Protocol::VertexGemini | Protocol::VertexAnthropic if !url.contains("/publishers/") => {
            // An address that the catalog does not know has no path either.
            format!("{url}{}", template.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default())
        }
        _ if (bare || protocol == Protocol::AnthropicMessages) && !url.ends_with("/v1") => format!("{url}/v1"),
        _ => url,
    }
}

/// Whether the last piece of an address is a version: `v1`, `v1beta`.
fn ends_in_version(url: &str) -> bool {
    let last = url.rsplit('/').next().unwrap_or_default();
    last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{provider, vars};
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn placeholders_are_filled_by_any_variable_of_their_role_and_never_guessed() {
        let provider = provider(&[("region", &["AWS_REGION", "AWS_DEFAULT_REGION"])]);
        let template = "https://bedrock-runtime.{AWS_REGION}.amazonaws.com/";
        let known =
            address(&provider, Protocol::BedrockConverse, template, &vars(&[("AWS_DEFAULT_REGION", "eu-west-1")]));
        let url = "https://bedrock-runtime.eu-west-1.amazonaws.com".to_owned();
        assert_eq!(known, Address::Known { url, overridden_by: None });
        let missing = address(&provider, Protocol::BedrockConverse, template, &vars(&[]));
        assert_eq!(missing, Address::Missing(vec!["AWS_REGION".into()]));
    }

    #[test]
    fn overrides_follow_the_convention_of_their_sdk() {
        for (protocol, value, expected) in [
            (Protocol::AnthropicMessages, "http://127.0.0.1:1/", "http://127.0.0.1:1/v1"),
            (Protocol::AnthropicMessages, "http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"),
            (Protocol::OpenaiChat, "http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1"),
            (Protocol::OpenaiChat, "127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            (Protocol::Gemini, "http://127.0.0.1:1", "http://127.0.0.1:1/v1beta"),
            (Protocol::Gemini, "https://proxy.example/gemini/", "https://proxy.example/gemini/v1beta"),
            (Protocol::Gemini, "https://proxy.example/gemini/v1", "https://proxy.example/gemini/v1"),
            (Protocol::Gemini, "127.0.0.1:1", "http://127.0.0.1:1/v1beta"),
            (Protocol::VertexGemini, "http://127.0.0.1:1/", "http://127.0.0.1:1/v1/projects/{P}/publishers/google"),
            (
                Protocol::VertexGemini,
                "http://127.0.0.1:1/v1/publishers/google",
                "http://127.0.0.1:1/v1/publishers/google",
            ),
        ] {
            let template = "https://{L}-aiplatform.googleapis.com/v1/projects/{P}/publishers/google";
            assert_eq!(overridden(protocol, value, template), expected, "{value}");
        }
        assert_eq!(overridden(Protocol::VertexGemini, "http://127.0.0.1:1", ""), "http://127.0.0.1:1");
    }

    #[test]
    fn google_is_reached_where_its_own_variables_say() {
        let of = |id| Catalog::builtin().provider(&ProviderId::new(id)).unwrap();
        let at = |id, pairs: &[(&str, &str)]| {
            let provider = of(id);
            let entry = &provider.protocols[0];
            address(&provider, entry.protocol, &entry.base_url, &vars(pairs))
        };
        let known =
            |url: &str, by: Option<&str>| Address::Known { url: url.to_owned(), overridden_by: by.map(str::to_owned) };
        assert_eq!(at("google", &[]), known("https://generativelanguage.googleapis.com/v1beta", None));
        for name in ["GOOGLE_GEMINI_BASE_URL", "GOOGLE_BASE_URL"] {
            assert_eq!(at("google", &[(name, "http://[::1]:9")]), known("http://[::1]:9/v1beta", Some(name)));
        }
        let place = [("GOOGLE_CLOUD_PROJECT", "p1"), ("GOOGLE_CLOUD_LOCATION", "us-central1")];
        let path = "/v1/projects/p1/locations/us-central1/publishers/google";
        let regional = format!("https://us-central1-aiplatform.googleapis.com{path}");
        assert_eq!(at("google-vertex", &place), known(&regional, None));
        let proxied = [place[0], place[1], ("GOOGLE_VERTEX_BASE_URL", "http://127.0.0.1:9")];
        assert_eq!(
            at("google-vertex", &proxied),
            known(&format!("http://127.0.0.1:9{path}"), Some("GOOGLE_VERTEX_BASE_URL"))
        );
        for (location, host) in [
            ("global", "aiplatform.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
        ] {
            let url = format!("https://{host}/v1/projects/p1/locations/{location}/publishers/google");
            assert_eq!(at("google-vertex", &[place[0], ("VERTEX_LOCATION", location)]), known(&url, None));
        }
        assert_eq!(at("google-vertex", &[place[1]]), Address::Missing(vec!["GOOGLE_CLOUD_PROJECT".to_owned()]));
    }
}
