//! What a person typed -> a model, and perhaps a pinned provider or a variant. Exact after case folding and published
//! spellings; never by prefix.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, EndpointLine, ModelId, ModelLine, ProviderId, ProviderKind};

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The model.
    pub model: ModelId,
    /// The provider that a `:provider` suffix pins.
    pub provider: Option<ProviderId>,
    /// The variant that a `:variant` suffix names, e.g. `free`.
    pub variant: Option<String>,
    /// The published spelling, or the user's own name, that led to the model, where the id itself was not typed.
    pub via_alias: Option<String>,
}

/// Why a text means no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No model has this id, slug or spelling.
    #[error("no model is called \"{typed}\"")]
    Unknown {
        /// What was typed.
        typed: String,
        /// At most three ids that are spelt like it, the likeliest first; empty where none is.
        suggestions: Vec<ModelId>,
    },
    /// It means more than one thing.
    #[error("\"{typed}\" can mean {}", candidates.join(" or "))]
    Ambiguous {
        /// What was typed.
        typed: String,
        /// Every reading: ids, or `the provider X of M` and `the variant X of M`.
        candidates: Vec<String>,
    },
    /// The model is there, but the part behind the colon is neither a provider that serves it nor a variant of it.
    #[error("\"{suffix}\" is neither a provider nor a variant of {model}")]
    UnknownSuffix {
        /// The model.
        model: ModelId,
        /// The part behind the colon.
        suffix: String,
        /// The providers that serve the model, sorted.
        providers: Vec<ProviderId>,
        /// Its variants, sorted.
        variants: Vec<String>,
    },
    /// The user's own name is there, but what it stands for means no model.
    #[error("{name} stands for \"{target}\", but {error}")]
    OwnName {
        /// The name.
        name: String,
        /// What it stands for.
        target: String,
        /// Why that means no model.
        error: Box<Self>,
    },
}

/// How alike two spellings must be for a suggestion, in percent.
const FLOOR: u32 = 60;

/// Finds what `typed` means: a name of the user's own, an id, a published spelling, a bare slug that one author has; each
/// of them also with `:provider` or `:variant` behind it.
///
/// # Errors
/// See [`ResolveError`]; the message has no suggestion in it, the fields have.
pub fn resolve(catalog: &Catalog, typed: &str) -> Result<Resolved, ResolveError> {
    let text = typed.trim().to_lowercase();
    let name = text.split(':').next().unwrap_or_default();
    let Some(target) = catalog.own_name(name) else { return published(catalog, typed) };
    match published(catalog, &format!("{target}{}", &text[name.len()..])) {
        Ok(resolved) => Ok(Resolved { via_alias: Some(name.to_owned()), ..resolved }),
        Err(error) => {
            Err(ResolveError::OwnName { name: name.to_owned(), target: target.to_owned(), error: Box::new(error) })
        }
    }
}

/// Which of these names (lower case, without a slash or a colon) mean a model already, and which; where they are the user's own,
/// they mean that no more. A gateway's word for a choice of its own (`auto`, `cheap`), or what several authors call something,
/// is free.
#[must_use]
pub fn taken<'n>(catalog: &Catalog, names: &[&'n str]) -> Vec<(&'n str, String)> {
    let mut meant: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> =
        names.iter().map(|name| (*name, (BTreeSet::new(), BTreeSet::new()))).collect();
    if meant.is_empty() {
        return Vec::new();
    }
    for line in catalog.models() {
        if let Some((ids, _)) = meant.get_mut(slug(line.id())) {
            ids.insert(line.id());
        }
    }
    for (spelling, id) in catalog.aliases() {
        if let Some((_, spelt)) = meant.get_mut(slug(spelling)) {
            spelt.insert(id);
        }
    }
    let is_one = |id: &str| {
        let line = catalog.model_line(id)?;
        let providers: BTreeSet<String> = line.endpoints().map(|endpoint| endpoint.provider().to_owned()).collect();
        let own = Catalog::own_provider(id.split('/').next().unwrap_or_default());
        let by_its_lab =
            own.filter(|own| providers.contains(*own)).and_then(|own| catalog.provider(&ProviderId::new(own)));
        Some(providers.len() > 1 || by_its_lab.is_some_and(|provider| provider.kind == ProviderKind::Lab))
    };
    let taken = names.iter().filter_map(|name| {
        let (ids, spelt) = &meant[name];
        let all = if ids.is_empty() { spelt } else { ids };
        let id = all.first().filter(|id| all.len() == 1 && is_one(id).unwrap_or_default())?;
        Some((*name, (*id).to_owned()))
    });
    taken.collect()
}

/// What a text means where no name of the user's own is meant.
fn published(catalog: &Catalog, typed: &str) -> Result<Resolved, ResolveError> {
    let text = typed.trim().to_lowercase();
    if catalog.model_line(&text).is_some() {
        return Ok(Resolved { model: ModelId::new(text), provider: None, variant: None, via_alias: None });
    }
    // The longest name with known suffixes goes before a spelling that has the colon in it: `x:free` is also published
    // as a spelling of `x`, and that reading would lose the variant.
    let mut unknown_suffix = None;
    for (at, _) in text.rmatch_indices(':') {
        let (name, suffix) = (&text[..at], &text[at + 1..]);
        let Some((model, via_alias)) = named(catalog, name, typed)? else { continue };
        match suffixed(catalog, typed, model, via_alias, suffix) {
            Err(error @ ResolveError::UnknownSuffix { .. }) => unknown_suffix = Some(error),
            other => return other,
        }
    }
    match (named(catalog, &text, typed)?, unknown_suffix) {
        (Some((model, via_alias)), _) => {
            let variant = variant_of_wire_id(catalog, &model, &text);
            Ok(Resolved { model, provider: None, variant, via_alias })
        }
        (None, Some(error)) => Err(error),
        (None, None) => {
            Err(ResolveError::Unknown { typed: typed.trim().to_owned(), suggestions: suggestions(catalog, &text) })
        }
    }
}

/// A name without suffixes: an id, a published spelling, or a slug. The second part is the spelling.
fn named(catalog: &Catalog, name: &str, typed: &str) -> Result<Option<(ModelId, Option<String>)>, ResolveError> {
    if catalog.model_line(name).is_some() {
        return Ok(Some((ModelId::new(name), None)));
    }
    if let Some(model) = catalog.alias(name) {
        return Ok(Some((ModelId::new(model), Some(name.to_owned()))));
    }
    if name.contains('/') || name.is_empty() {
        return Ok(None);
    }
    // A slug that an author has goes before one that is merely a published spelling (`claude-sonnet-4-5`).
    let mut meant: BTreeSet<&str> = catalog.models().map(|line| line.id()).filter(|id| slug(id) == name).collect();
    let via_alias = meant.is_empty().then(|| name.to_owned());
    if meant.is_empty() {
        meant = catalog.aliases().filter(|(spelling, _)| slug(spelling) == name).map(|(_, model)| model).collect();
    }
    if meant.len() > 1 {
        let candidates = meant.into_iter().map(str::to_owned).collect();
        return Err(ResolveError::Ambiguous { typed: typed.trim().to_owned(), candidates });
    }
    Ok(meant.first().map(|model| (ModelId::new(*model), via_alias)))
}

/// What the part behind the colon means for this model.
fn suffixed(
    catalog: &Catalog,
    typed: &str,
    model: ModelId,
    via_alias: Option<String>,
    suffix: &str,
) -> Result<Resolved, ResolveError> {
    let endpoints: Vec<EndpointLine<'_>> =
        catalog.model_line(model.as_str()).into_iter().flat_map(|line| line.endpoints()).collect();
    let serves = endpoints.iter().any(|endpoint| endpoint.provider() == suffix);
    let mut variants: Vec<String> =
        endpoints.iter().filter(|endpoint| !endpoint.is_plain()).flat_map(|line| line.endpoint().variant).collect();
    variants.sort();
    variants.dedup();
    let varies = variants.iter().any(|variant| variant == suffix);
    match (serves, varies) {
        (true, true) => {
            let candidates =
                vec![format!("the provider {suffix} of {model}"), format!("the variant {suffix} of {model}")];
            Err(ResolveError::Ambiguous { typed: typed.trim().to_owned(), candidates })
        }
        (true, false) => Ok(Resolved { model, provider: Some(ProviderId::new(suffix)), variant: None, via_alias }),
        (false, true) => Ok(Resolved { model, provider: None, variant: Some(suffix.to_owned()), via_alias }),
        (false, false) => {
            let mut providers: Vec<ProviderId> =
                endpoints.iter().map(|endpoint| ProviderId::new(endpoint.provider())).collect();
            providers.dedup();
            Err(ResolveError::UnknownSuffix { model, suffix: suffix.to_owned(), providers, variants })
        }
    }
}

/// The variant that a wire id with a colon stands for, where every endpoint of that id is one.
fn variant_of_wire_id(catalog: &Catalog, model: &ModelId, text: &str) -> Option<String> {
    if !text.contains(':') {
        return None;
    }
    let line = catalog.model_line(model.as_str())?;
    let meant: Vec<_> = line
        .endpoints()
        .map(|endpoint| endpoint.endpoint())
        .filter(|e| {
            e.id.upstream_model.eq_ignore_ascii_case(text) || e.aka.iter().any(|id| id.eq_ignore_ascii_case(text))
        })
        .collect();
    if meant.iter().any(super::Endpoint::is_plain) {
        return None;
    }
    meant.first()?.variant.first().cloned()
}

/// At most three ids that are spelt like `text`: bare slugs are compared, then whole ids; of two alike the author's own
/// offer goes first, then the model that more providers serve.
fn suggestions(catalog: &Catalog, text: &str) -> Vec<ModelId> {
    let name = text.split(':').next().unwrap_or(text);
    let (author, wanted) = name.split_once('/').unwrap_or(("", name));
    let mut found: Vec<(u32, u32, bool, usize, ModelLine<'_>)> = Vec::new();
    for line in catalog.models() {
        let likeness = likeness(wanted, slug(line.id()));
        if likeness < FLOOR {
            continue;
        }
        let same_author =
            if author.is_empty() { 0 } else { percent(author, line.id().split('/').next().unwrap_or_default()) };
        let own = Catalog::own_provider(ModelId::new(line.id()).author());
        let mut providers: Vec<&str> = line.endpoints().map(|endpoint| endpoint.provider()).collect();
        providers.dedup();
        let by_author = own.is_some_and(|own| providers.contains(&own));
        found.push((likeness, same_author, by_author, providers.len(), line));
    }
    found.sort_by(|a, b| (b.0, b.1, b.2, b.3).cmp(&(a.0, a.1, a.2, a.3)).then_with(|| a.4.id().cmp(b.4.id())));
    found.into_iter().take(3).map(|(.., line)| ModelId::new(line.id())).collect()
}

fn slug(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, slug)| slug)
}

/// How alike a typed name and a slug are, in percent. A name that is a part of the slug is like it, too.
fn likeness(wanted: &str, slug: &str) -> u32 {
    let part = if wanted.len() >= 4 && slug.contains(wanted) {
        FLOOR + share(wanted.len(), slug.len()) * (90 - FLOOR) / 100
    } else {
        0
    };
    let (short, long) = (wanted.len().min(slug.len()), wanted.len().max(slug.len()));
    if share(short, long) < FLOOR { part } else { percent(wanted, slug).max(part) }
}

/// Edits (a swap counts once) against length, in percent.
fn percent(a: &str, b: &str) -> u32 {
    let longest = a.chars().count().max(b.chars().count());
    let distance = strsim::osa_distance(a, b);
    share(longest.saturating_sub(distance), longest)
}

fn share(part: usize, whole: usize) -> u32 {
    u32::try_from(part * 100 / whole.max(1)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_has_a_floor_and_ranks_a_swap_before_two_edits() {
        assert!(likeness("claude-sonet-4", "claude-sonnet-4") > likeness("claude-sonet-4", "claude-sonnet-5"));
        assert!(likeness("gtp-5", "gpt-5") > likeness("gtp-5", "glm-5"));
        assert!(likeness("sonnet", "claude-sonnet-5") >= FLOOR);
        assert!(likeness("xyzzy-plugh", "claude-sonnet-5") < FLOOR);
        assert_eq!(likeness("", ""), 0);
    }
}
