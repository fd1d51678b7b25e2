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
    if let Some((name, value)) = base_override(provider, vars) {
        return Address::Known { url: overridden(protocol, value), overridden_by: Some(name) };
    }
    let mut url = String::new();
    let mut missing = Vec::new();
    let mut rest = template;
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
    if missing.is_empty() {
        Address::Known { url: url.trim_end_matches('/').to_owned(), overridden_by: None }
    } else {
        Address::Missing(missing)
    }
}

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

/// An override as its SDK means it: Anthropic's leaves out `/v1`, Ollama's may be a bare `host:port`.
fn overridden(protocol: Protocol, value: &str) -> String {
    let value = value.trim_end_matches('/');
    let bare = !value.contains("://");
    let url = if bare { format!("http://{value}") } else { value.to_owned() };
    let needs_version = bare || protocol == Protocol::AnthropicMessages;
    if needs_version && !url.ends_with("/v1") { format!("{url}/v1") } else { url }
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
        assert_eq!(overridden(Protocol::AnthropicMessages, "http://127.0.0.1:1/"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::AnthropicMessages, "http://127.0.0.1:1/v1"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::OpenaiChat, "http://127.0.0.1:1/v1/"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::OpenaiChat, "127.0.0.1:11434"), "http://127.0.0.1:11434/v1");
    }
}
