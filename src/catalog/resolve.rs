//! What a person typed -> a model, and perhaps a pinned provider or a variant. Exact after case folding and published
//! aliases; nothing is matched by prefix.

use std::collections::BTreeSet;

use super::{Catalog, EndpointId, ModelId, ProviderId, own_provider};

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The model.
    pub model: ModelId,
    /// The provider that `model:provider` pins.
    pub provider: Option<ProviderId>,
    /// The variant that `model:variant` asks for.
    pub variant: Option<String>,
    /// What was typed, where it is an alias.
    pub via_alias: Option<String>,
}

/// Why nothing, or nothing single, was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no model of that name.
    #[error("no model is called \"{typed}\"")]
    Unknown {
        /// What was typed.
        typed: String,
        /// Near names, at most three, the likeliest first.
        suggestions: Vec<ModelId>,
    },
    /// Several are meant equally well.
    #[error("\"{typed}\" can mean several things")]
    Ambiguous {
        /// What was typed.
        typed: String,
        /// Each of them, spelled so that it is not ambiguous.
        candidates: Vec<String>,
    },
    /// The model exists, and what follows the colon is neither a provider nor a variant of it.
    #[error("{model} has neither a provider nor a variant \"{suffix}\"")]
    UnknownSuffix {
        /// The model.
        model: ModelId,
        /// What follows the colon.
        suffix: String,
        /// Who serves it.
        providers: Vec<String>,
        /// Its variants.
        variants: Vec<String>,
    },
}

/// What `typed` means.
///
/// # Errors
/// It means nothing, or several things.
pub fn resolve(catalog: &Catalog, typed: &str) -> Result<Resolved, ResolveError> {
    let folded = typed.trim().to_lowercase();
    if let Some(resolved) = name(catalog, typed, &folded)? {
        return Ok(resolved);
    }
    if let Some((left, suffix)) = folded.rsplit_once(':')
        && let Some(resolved) = name(catalog, left, left)?
    {
        return suffixed(catalog, resolved, suffix);
    }
    let wanted = folded.split(':').next().unwrap_or_default();
    Err(ResolveError::Unknown { typed: typed.to_owned(), suggestions: suggest(catalog, wanted) })
}

/// A name without a suffix: an id, an alias, or a bare slug that one author has.
fn name(catalog: &Catalog, typed: &str, folded: &str) -> Result<Option<Resolved>, ResolveError> {
    let plain = |model: ModelId, alias: Option<&str>| Resolved {
        model,
        provider: None,
        variant: None,
        via_alias: alias.map(str::to_owned),
    };
    let id = ModelId::new(folded);
    if catalog.model(&id).is_some() {
        return Ok(Some(plain(id, None)));
    }
    if let Some(model) = catalog.alias(folded) {
        return Ok(Some(plain(model, Some(folded))));
    }
    if folded.contains('/') {
        return Ok(None);
    }
    let slug_is = |id: &str| id.split_once('/').is_some_and(|(_, slug)| slug == folded);
    let named: BTreeSet<ModelId> = catalog.model_ids().filter(|id| slug_is(id)).map(ModelId::new).collect();
    let meant: BTreeSet<ModelId> = if named.is_empty() {
        let aliased = catalog.aliases().filter(|(alias, _)| slug_is(alias));
        aliased.map(|(_, model)| ModelId::new(model)).collect()
    } else {
        named
    };
    let via = |model: &ModelId| (model.slug() != folded).then_some(folded);
    match meant.len() {
        0 => Ok(None),
        1 => Ok(meant.into_iter().next().map(|model| {
            let alias = via(&model);
            plain(model, alias)
        })),
        _ => Err(ResolveError::Ambiguous {
            typed: typed.to_owned(),
            candidates: meant.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// `model:provider` pins, `model:variant` chooses; the catalog tells them apart.
fn suffixed(catalog: &Catalog, resolved: Resolved, suffix: &str) -> Result<Resolved, ResolveError> {
    let endpoints = catalog.endpoints_for(&resolved.model);
    let providers: BTreeSet<String> = endpoints.iter().map(|endpoint| endpoint.id.provider.to_string()).collect();
    let variants: BTreeSet<String> = endpoints.iter().flat_map(|endpoint| endpoint.variant.clone()).collect();
    match (providers.contains(suffix), variants.contains(suffix)) {
        (true, true) => Err(ResolveError::Ambiguous {
            typed: format!("{}:{suffix}", resolved.model),
            candidates: vec![
                format!("{} --provider {suffix}", resolved.model),
                format!("the variant {suffix} of {}", resolved.model),
            ],
        }),
        (true, false) => Ok(Resolved { provider: Some(ProviderId::new(suffix)), ..resolved }),
        (false, true) => Ok(Resolved { variant: Some(suffix.to_owned()), ..resolved }),
        (false, false) => Err(ResolveError::UnknownSuffix {
            model: resolved.model,
            suffix: suffix.to_owned(),
            providers: providers.into_iter().collect(),
            variants: variants.into_iter().collect(),
        }),
    }
}

/// Below this a name is not near.
const FLOOR: f64 = 0.86;

/// At most three near names: bare names are compared before authors; then the author's own offer, then how many serve it.
fn suggest(catalog: &Catalog, wanted: &str) -> Vec<ModelId> {
    let (author, slug) = wanted.split_once('/').map_or((None, wanted), |(author, slug)| (Some(author), slug));
    let mut near: Vec<(f64, &str)> = Vec::new();
    for id in catalog.model_ids() {
        let Some((maker, name)) = id.split_once('/') else { continue };
        // Swapped and dropped letters matter more than where they are.
        let distance = strsim::damerau_levenshtein(slug, name);
        let longest = slug.chars().count().max(name.chars().count()).max(1);
        let share =
            f64::from(u32::try_from(distance).unwrap_or(u32::MAX)) / f64::from(u32::try_from(longest).unwrap_or(1));
        let mut score = strsim::jaro_winkler(slug, name).max(1.0 - share);
        if author.is_some_and(|author| author == maker) {
            score += 0.02;
        }
        if score >= FLOOR {
            near.push((score - share / 10.0, id));
        }
    }
    let mut ranked: Vec<(i64, bool, std::cmp::Reverse<usize>, ModelId)> = near
        .into_iter()
        .map(|(score, id)| {
            let model = ModelId::new(id);
            let endpoints = catalog.endpoints_for(&model);
            let own = own_provider(model.author());
            let offered = endpoints.iter().any(|endpoint| Some(endpoint.id.provider.as_str()) == own);
            (bucket(score), !offered, std::cmp::Reverse(endpoints.len()), model)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().take(3).map(|(.., model)| model).collect()
}

/// Scores within two hundredths are equally near; the nearest comes first.
#[expect(clippy::cast_possible_truncation, reason = "a similarity lies between 0 and 1.02")]
fn bucket(score: f64) -> i64 {
    -((score * 50.0) as i64)
}

impl Resolved {
    /// Whether an endpoint is what was asked for.
    #[must_use]
    pub fn allows(&self, endpoint: &EndpointId) -> bool {
        self.provider.as_ref().is_none_or(|provider| *provider == endpoint.provider)
    }
}
