//! What others call providers: OpenRouter's and ZenMux's slugs, LiteLLM's prefixes, names as people write them.

use super::super::json::nearest;
use super::Refused;
use crate::catalog::{Catalog, ProviderId};

/// Names that no rule leads to the catalog's from.
const ALIASES: [(&str, &str); 10] = [
    ("together", "togetherai"),
    ("fireworks", "fireworks-ai"),
    ("novita", "novita-ai"),
    ("google-ai-studio", "google"),
    ("gemini", "google"),
    ("vertex-ai", "google-vertex"),
    ("bedrock", "amazon-bedrock"),
    ("cloudflare", "cloudflare-workers-ai"),
    ("inference-net", "inference"),
    ("weights-and-biases", "wandb"),
];

/// The provider of that name.
///
/// # Errors
/// There is none.
pub(super) fn provider(catalog: &Catalog, typed: &str, at: &str) -> Result<ProviderId, Refused> {
    let name = typed.trim().to_lowercase().replace(['_', ' '], "-");
    let id = ProviderId::new(name.as_str());
    if catalog.provider(&id).is_some() {
        return Ok(id);
    }
    if let Some((_, known)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Ok(ProviderId::new(*known));
    }
    let squashed = |text: &str| text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let (wanted, providers) = (squashed(&name), catalog.providers());
    let alike = |one: &&crate::catalog::Provider| [one.id.as_str(), &one.name].map(squashed).contains(&wanted);
    if let Some(known) = providers.iter().find(alike) {
        return Ok(known.id.clone());
    }
    let names: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
    let hint = nearest(&name, &names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let shown: String = typed.chars().take(80).collect();
    Err(Refused::from(format!("{at}: no provider is called {shown:?}{hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_a_providers_and_is_none_itself() {
        let catalog = Catalog::builtin();
        for (alias, known) in ALIASES {
            assert!(catalog.provider(&ProviderId::new(known)).is_some(), "{known}");
            assert!(catalog.provider(&ProviderId::new(alias)).is_none(), "{alias}");
        }
        let named = |typed: &str| provider(&catalog, typed, "x").unwrap();
        for (typed, known) in
            [("Amazon Bedrock", "amazon-bedrock"), ("x-ai", "xai"), ("z-ai", "zai"), ("DeepInfra", "deepinfra")]
        {
            assert_eq!(named(typed).as_str(), known);
        }
        let wrong = provider(&catalog, "antropic", "provider.only[0]").unwrap_err().wrong;
        assert_eq!(wrong, "provider.only[0]: no provider is called \"antropic\"; did you mean anthropic?");
    }
}
