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

/// Fills in a base URL: an override from the environment wins, then `{VARIABLE}` placeholders are replaced. Of an address
/// with a project in its path (Google's clouds) an override replaces what comes before; the project stays.
#[must_use]
pub fn address(provider: &Provider, protocol: Protocol, template: &str, vars: &Vars) -> Address {
    let Some((name, value)) = base_override(provider, protocol, vars) else {
        return match filled(provider, template, vars) {
            Ok(url) => Address::Known { url, overridden_by: None },
            Err(missing) => Address::Missing(missing),
        };
    };
    let url = match project_path(template).filter(|_| !value.contains(PROJECT)) {
        None => overridden(protocol, value),
        Some((version, path)) => match filled(provider, path, vars) {
            Ok(path) => moved(value, version, &path),
            Err(missing) => return Address::Missing(missing),
        },
    };
    Address::Known { url, overridden_by: Some(name) }
}

/// Where the part of Google's addresses begins that names a project.
const PROJECT: &str = "/projects/";

/// The version of an address with a project in its path, and the path from the project on.
fn project_path(template: &str) -> Option<(&str, &str)> {
    let at = template.find(PROJECT)?;
    let (before, path) = template.split_at_checked(at)?;
    Some((before.rsplit('/').next().unwrap_or_default(), path))
}

/// An override and the rest of the path. Some SDKs' overrides end in the version (`ANTHROPIC_VERTEX_BASE_URL`), some
/// leave it out (`GOOGLE_VERTEX_BASE_URL`).
fn moved(value: &str, version: &str, path: &str) -> String {
    let base = with_scheme(value);
    if ends_in_version(&base) { format!("{base}{path}") } else { format!("{base}/{version}{path}") }
}

/// A template with its variables filled in and without a trailing slash, or the variables that are not set.
fn filled(provider: &Provider, template: &str, vars: &Vars) -> Result<String, Vec<String>> {
    let mut url = String::new();
    let mut missing = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        url.push_str(before);
        rest = tail;
        match setting(provider, name, vars) {
            Some(value) => match regional(&url, value, tail) {
                Some((host, tail)) => {
                    url.push_str(&host);
                    rest = tail;
                }
                None => url.push_str(value),
            },
            None if missing.iter().any(|known| known == name) => {}
            None => missing.push(name.to_owned()),
        }
    }
    url.push_str(rest);
    if missing.is_empty() { Ok(url.trim_end_matches('/').to_owned()) } else { Err(missing) }
}

/// The host of a Google service whose name begins with the location, where the location is not a single region:
/// `global` has no prefix, and the multi-regions have hosts of their own. With it, the template behind the host.
fn regional<'a>(before: &str, location: &str, tail: &'a str) -> Option<(String, &'a str)> {
    const DOMAIN: &str = ".googleapis.com";
    let at = tail.find('/').unwrap_or(tail.len());
    let (host, tail) = tail.split_at_checked(at)?;
    let service = host.strip_prefix('-')?.strip_suffix(DOMAIN).filter(|_| before.ends_with("://"))?;
    match location {
        "global" => Some((format!("{service}{DOMAIN}"), tail)),
        "us" | "eu" => Some((format!("{service}.{location}.rep{DOMAIN}"), tail)),
        _ => None,
    }
}

/// The value of a placeholder: the variable of that name, or another of the same role.
fn setting<'a>(provider: &Provider, name: &str, vars: &'a Vars) -> Option<&'a str> {
    let role = provider.env.values().find(|names| names.iter().any(|known| known == name));
    let alternatives = role.map_or(&[][..], Vec::as_slice).iter().map(String::as_str);
    std::iter::once(name).chain(alternatives).find_map(|name| vars.plain(name))
}

/// `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL`, and so on for every provider: the catalog's variables for this protocol
/// (`base vertex-anthropic`), then those for all (`base`), then the provider's id in upper case with `_BASE_URL`.
fn base_override<'a>(provider: &Provider, protocol: Protocol, vars: &'a Vars) -> Option<(String, &'a str)> {
    let own = provider.env_names(&format!("base {}", protocol.name()));
    let names = own.iter().chain(provider.env_names("base")).cloned().chain([base_variable(&provider.id)]);
    names.into_iter().find_map(|name| vars.plain(&name).map(|value| (name, value)))
}

/// The variable that says where any provider is reached: its id in upper case with `_BASE_URL`.
#[must_use]
pub fn base_variable(provider: &ProviderId) -> String {
    let id = provider.as_str();
    let mut name = String::with_capacity(id.len() + 10);
    // No shell can export a name that begins with a digit.
    if id.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('P');
    }
    name.extend(id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }));
    name.push_str("_BASE_URL");
    name
}

/// Whether the environment says where a provider is reached.
#[must_use]
pub fn is_overridden(provider: &Provider, vars: &Vars) -> bool {
    let names = provider.env_names("base").iter().cloned().chain([base_variable(&provider.id)]);
    names.into_iter().any(|name| vars.plain(&name).is_some())
}

/// An override as its SDK means it: Anthropic's and Google's leave out the version, Ollama's may be a bare `host:port`.
fn overridden(protocol: Protocol, value: &str) -> String {
    let url = with_scheme(value);
    match protocol {
        Protocol::Gemini if !ends_in_version(&url) => format!("{url}/v1beta"),
        Protocol::Gemini => url,
        _ => {
            let needs_version = !value.contains("://") || protocol == Protocol::AnthropicMessages;
            if needs_version && !url.ends_with("/v1") { format!("{url}/v1") } else { url }
        }
    }
}

/// Whether the last piece of an address is a version: `v1`, `v1beta`.
fn ends_in_version(url: &str) -> bool {
    let last = url.rsplit('/').next().unwrap_or_default();
    last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()))
}

/// An override as a URL without a trailing slash.
fn with_scheme(value: &str) -> String {
    let value = value.trim_end_matches('/');
    if value.contains("://") { value.to_owned() } else { format!("http://{value}") }
}

/// The variables that name an AWS region, in the order in which AWS's tools read them.
pub(super) const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The AWS region that a URL is called in: the one in the name of AWS's own host, else the one that is set.
pub(super) fn region<'a>(url: &'a str, vars: &'a Vars) -> Option<&'a str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    region_of(host).or_else(|| REGION.iter().find_map(|name| vars.plain(name)))
}

/// The region in the name of one of AWS's hosts; `None` for any other host.
fn region_of(host: &str) -> Option<&str> {
    let zones = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let name = zones.into_iter().find_map(|zone| host.strip_suffix(zone))?;
    let is_region = |label: &&str| {
        let numbered = label.rsplit_once('-').is_some_and(|(_, last)| last.parse::<u8>().is_ok());
        numbered && label.split('-').count() >= 3 && label.starts_with(|c: char| c.is_ascii_lowercase())
    };
    name.rsplit('.').find(is_region)
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
    fn the_region_is_that_of_the_host_or_the_one_that_is_set_and_never_guessed() {
        let set = vars(&[("AWS_DEFAULT_REGION", "eu-west-1")]);
        let of = |url: &'static str| region(url, &set).unwrap().to_owned();
        assert_eq!(of("https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/x"), "us-gov-west-1");
        assert_eq!(of("https://bedrock-runtime-fips.ca-central-1.amazonaws.com"), "ca-central-1");
        assert_eq!(of("https://vpce-0a1b-2c.bedrock-runtime.ap-south-1.vpce.amazonaws.com"), "ap-south-1");
        assert_eq!(of("https://bedrock-runtime.cn-north-1.amazonaws.com.cn"), "cn-north-1");
        assert_eq!(of("http://127.0.0.1:9102/model/x"), "eu-west-1");
        assert_eq!(of("https://us-east-1.example.com"), "eu-west-1");
        assert_eq!(region("http://127.0.0.1:9102", &vars(&[])), None);
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
        ] {
            assert_eq!(overridden(protocol, value), expected, "{value}");
        }
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

    const VERTEX: &str = "https://{GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com/v1/projects/{GOOGLE_CLOUD_PROJECT}/locations/{GOOGLE_CLOUD_LOCATION}/publishers/anthropic";

    fn vertex() -> Provider {
        let env: &[(&str, &[&str])] = &[
            ("project", &["GOOGLE_CLOUD_PROJECT"]),
            ("location", &["GOOGLE_CLOUD_LOCATION"]),
            ("base vertex-anthropic", &["ANTHROPIC_VERTEX_BASE_URL"]),
        ];
        Provider { id: ProviderId::new("google-vertex"), ..provider(env) }
    }

    #[test]
    fn the_location_decides_about_googles_host() {
        for (location, host) in [
            ("us-east5", "us-east5-aiplatform.googleapis.com"),
            ("global", "aiplatform.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
        ] {
            let vars = vars(&[("GOOGLE_CLOUD_PROJECT", "p"), ("GOOGLE_CLOUD_LOCATION", location)]);
            let url = format!("https://{host}/v1/projects/p/locations/{location}/publishers/anthropic");
            let known = address(&vertex(), Protocol::VertexAnthropic, VERTEX, &vars);
            assert_eq!(known, Address::Known { url, overridden_by: None });
        }
        // Elsewhere a location is only a word.
        let azure = address(&vertex(), Protocol::OpenaiChat, "https://{A}-x.example.com/v1", &vars(&[("A", "global")]));
        let url = "https://global-x.example.com/v1".to_owned();
        assert_eq!(azure, Address::Known { url, overridden_by: None });
    }

    #[test]
    fn an_override_of_googles_cloud_keeps_the_project() {
        let path = "projects/p/locations/global/publishers/anthropic";
        for (name, value, url) in [
            ("ANTHROPIC_VERTEX_BASE_URL", "http://127.0.0.1:1/v1/", format!("http://127.0.0.1:1/v1/{path}")),
            ("ANTHROPIC_VERTEX_BASE_URL", "https://proxy/vertex", format!("https://proxy/vertex/v1/{path}")),
            ("GOOGLE_VERTEX_BASE_URL", "http://127.0.0.1:1", format!("http://127.0.0.1:1/v1/{path}")),
            ("GOOGLE_VERTEX_BASE_URL", "https://proxy/v1beta1", format!("https://proxy/v1beta1/{path}")),
            ("GOOGLE_VERTEX_BASE_URL", "https://proxy/v1/projects/q", "https://proxy/v1/projects/q".to_owned()),
        ] {
            let vars = [("GOOGLE_CLOUD_PROJECT", "p"), ("GOOGLE_CLOUD_LOCATION", "global"), (name, value)];
            let known = address(&vertex(), Protocol::VertexAnthropic, VERTEX, &super::super::tests::vars(&vars));
            assert_eq!(known, Address::Known { url, overridden_by: Some(name.to_owned()) });
        }
        let bare = vars(&[("ANTHROPIC_VERTEX_BASE_URL", "http://127.0.0.1:1/v1")]);
        let missing = vec!["GOOGLE_CLOUD_PROJECT".to_owned(), "GOOGLE_CLOUD_LOCATION".to_owned()];
        assert_eq!(address(&vertex(), Protocol::VertexAnthropic, VERTEX, &bare), Address::Missing(missing));
        // Another dialect of the same provider has another variable.
        let gemini = VERTEX.replace("anthropic", "google");
        let set = vars(&[
            ("GOOGLE_CLOUD_PROJECT", "p"),
            ("GOOGLE_CLOUD_LOCATION", "us-east5"),
            ("ANTHROPIC_VERTEX_BASE_URL", "http://127.0.0.1:1/v1"),
        ]);
        let known = address(&vertex(), Protocol::VertexGemini, &gemini, &set);
        assert!(matches!(known, Address::Known { overridden_by: None, .. }), "{known:?}");
    }
}
