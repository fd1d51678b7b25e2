//! A list laid over the embedded tables by provider and wire id. What the list leaves out stays as it was; what it lists
//! for the first time is a new endpoint, of a known model or of a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::Names;
use super::{Entry, Listing};
use crate::catalog::price::{Item, Pricing};
use crate::catalog::{
    About, Catalog, Dispute, Endpoint, EndpointId, Mark, Modality, Model, ModelId, ModelKind, Protocol, Provider,
    ProviderId, Status, Stored, Written, provider_line, write,
};

/// The embedded tables with a list laid over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Models and endpoints, complete.
    pub tables: Written,
    /// The records of providers that are not compiled in.
    pub providers: String,
    /// Spellings that the embedded table lacks, or has otherwise.
    pub spellings: String,
}

impl Merged {
    /// The text of the file that holds it.
    #[must_use]
    pub fn text(&self, about: &About) -> String {
        Stored::text_of(about, &self.tables, &self.providers, &self.spellings)
    }
}

/// Spellings as a table.
pub(super) fn spelt(spellings: &BTreeMap<&str, &str>) -> String {
    spellings.iter().map(|(spelling, model)| format!("{spelling}\t{model}\n")).collect()
}

/// Lays a list over the embedded tables. `before` is what the same source listed the last time: what it lists no more is
/// marked as unlisted, and stays so until it is listed again; what it lists and cannot be read stays as it was.
#[must_use]
pub fn merge(list: &Listing, before: Option<&Stored>) -> Merged {
    let embedded = Catalog::builtin();
    let names = Names::new(&embedded);
    let mut all: BTreeMap<EndpointId, Endpoint> = BTreeMap::new();
    let mut models: BTreeMap<String, Model> = BTreeMap::new();
    let mut otherwise: BTreeMap<EndpointId, EndpointId> = BTreeMap::new();
    for line in embedded.models() {
        models.insert(line.id().to_owned(), line.model());
        for endpoint in line.endpoints().map(|endpoint| endpoint.endpoint()) {
            for aka in &endpoint.aka {
                let id = EndpointId { provider: endpoint.id.provider.clone(), upstream_model: aka.clone() };
                otherwise.insert(id, endpoint.id.clone());
            }
            all.insert(endpoint.id.clone(), endpoint);
        }
    }
    let siblings = Siblings::of(all.values(), list);
    let providers: BTreeMap<&ProviderId, &Provider> = list.providers.iter().map(|one| (&one.id, one)).collect();
    let mut seen: BTreeMap<EndpointId, Mark> = BTreeMap::new();
    let mut spelt_so: BTreeMap<String, BTreeSet<ModelId>> = BTreeMap::new();
    let is_listed = |id: &EndpointId| list.entries.iter().any(|entry| &entry.id == id);
    for entry in &list.entries {
        let main = otherwise.get(&entry.id).filter(|main| !all.contains_key(&entry.id) && !is_listed(main));
        let id = main.unwrap_or(&entry.id).clone();
        let mut mark = Mark::listed();
        if let Some(known) = all.get_mut(&id) {
            // A price that is not stated is as old as it was.
            if entry.pricing.is_none() && known.pricing.is_some() {
                mark.day = Some(Catalog::embedded().to_owned());
            }
            mark.day = entry.priced_on.clone().or(mark.day);
            entry.change(known);
        } else {
            let known = embedded.provider(&id.provider);
            let Some(provider) = known.as_ref().or_else(|| providers.get(&id.provider).copied()) else { continue };
            let meant = names.meant(provider, &id.upstream_model);
            if let Some(spelling) = meant.spelling {
                spelt_so.entry(spelling).or_default().insert(meant.model.clone());
            }
            mark.day = entry.priced_on.clone();
            let mut endpoint = entry.endpoint(meant.model, provider, &siblings);
            (endpoint.variant, endpoint.region, endpoint.floating) = (meant.variant, meant.region, meant.floating);
            models.entry(endpoint.model.as_str().to_owned()).or_insert_with(|| entry.model(&endpoint));
            all.insert(id.clone(), endpoint);
        }
        seen.insert(id, mark);
    }
    let mut kept: Vec<Provider> = Vec::new();
    for (model, endpoint, provider, day) in before.map(|before| unread(list, before)).unwrap_or_default() {
        if embedded.provider(&provider.id).is_none() && !providers.contains_key(&provider.id) {
            kept.push(provider);
        }
        models.entry(model.id.as_str().to_owned()).or_insert(model);
        seen.insert(endpoint.id.clone(), Mark { listed: None, day });
        all.insert(endpoint.id.clone(), endpoint);
    }
    for (provider, id, last) in before.into_iter().flat_map(Stored::seen) {
        let id = EndpointId { provider: ProviderId::new(provider), upstream_model: id.to_owned() };
        if list.is_unread(&id) {
            let as_it_was = || Mark { listed: None, day: Some(Catalog::embedded().to_owned()) };
            seen.entry(id).or_insert_with(as_it_was).listed = Some(last);
            continue;
        }
        if let (false, Some(gone)) = (seen.contains_key(&id), all.get_mut(&id)) {
            if !matches!(gone.status, Status::Retired | Status::Deprecated) {
                gone.status = Status::Unlisted;
            }
            seen.insert(id, Mark { listed: Some(false), day: None });
        }
    }
    // What two models are spelt like is no spelling of either.
    let spellings = spelt_so.iter().filter(|(spelling, _)| !models.contains_key(*spelling));
    let spellings = spellings.filter_map(|(spelling, meant)| match meant.iter().collect::<Vec<_>>()[..] {
        [model] if embedded.alias(spelling).is_none() => Some((spelling.as_str(), model.as_str())),
        _ => None,
    });
    let spellings = spelt(&spellings.collect());
    let mut models: Vec<Model> = models.into_values().collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    let mut endpoints: Vec<Endpoint> = all.into_values().collect();
    endpoints.sort_by(|a, b| (&a.model, &a.id).cmp(&(&b.model, &b.id)));
    let mut added: Vec<&Provider> = list.providers.iter().chain(&kept).collect();
    added.sort_by(|a, b| a.id.cmp(&b.id));
    added.dedup_by(|a, b| a.id == b.id);
    let providers = added.into_iter().map(|provider| provider_line(provider) + "\n").collect();
    Merged { tables: write(&models, &endpoints, &seen), providers, spellings }
}

/// What a list has and cannot be read, as the same source had it the last time, with its day.
fn unread(list: &Listing, before: &Stored) -> Vec<(Model, Endpoint, Provider, Option<String>)> {
    if list.unread.is_empty() || before.about().date.as_str() < Catalog::embedded() {
        return Vec::new();
    }
    let was = Catalog::updated(Arc::new(before.clone()));
    let mut found = Vec::new();
    for line in was.models() {
        for endpoint in line.endpoints() {
            let id = EndpointId {
                provider: ProviderId::new(endpoint.provider()),
                upstream_model: endpoint.wire_id().to_owned(),
            };
            let is_meant = list.is_unread(&id) && !list.entries.iter().any(|entry| entry.id == id);
            if let Some(provider) = was.provider(&id.provider).filter(|_| is_meant) {
                let endpoint = endpoint.endpoint();
                let day = was.day_of(&endpoint).map(str::to_owned);
                found.push((line.model(), endpoint, provider, day));
            }
        }
    }
    found
}

/// How a provider is spoken to about models of one author: what most of its endpoints have; and how a new one is.
struct Siblings<'l>(BTreeMap<(ProviderId, String), (Option<Protocol>, Option<Protocol>)>, &'l Listing);

impl<'l> Siblings<'l> {
    fn of<'e>(all: impl Iterator<Item = &'e Endpoint>, list: &'l Listing) -> Self {
        type Votes = BTreeMap<(Option<Protocol>, Option<Protocol>), usize>;
        let mut counted: BTreeMap<(ProviderId, String), Votes> = BTreeMap::new();
        for endpoint in all.filter(|endpoint| endpoint.base_url.is_none()) {
            for author in [endpoint.model.author(), ""] {
                let key = (endpoint.id.provider.clone(), author.to_owned());
                *counted.entry(key).or_default().entry((endpoint.protocol, endpoint.alternate)).or_default() += 1;
            }
        }
        let most = |votes: Votes| votes.into_iter().max_by_key(|(_, count)| *count).map(|(way, _)| way);
        Self(counted.into_iter().filter_map(|(key, votes)| Some((key, most(votes)?))).collect(), list)
    }

    fn way(&self, provider: &Provider, author: &str) -> (Option<Protocol>, Option<Protocol>) {
        let of = |author: &str| self.0.get(&(provider.id.clone(), author.to_owned())).copied();
        let stated = || self.1.spoken.get(&provider.id).copied();
        let first = || (provider.protocols.first().map(|spoken| spoken.protocol).or_else(stated), None);
        of(author).or_else(|| of("")).unwrap_or_else(first)
    }
}

impl Entry {
    /// Brings a known endpoint up to date.
    fn change(&self, known: &mut Endpoint) {
        known.context = self.context.or(known.context);
        known.max_input = self.max_input.or(known.max_input);
        known.max_output = self.max_output.or(known.max_output);
        for (&capability, &can) in &self.said {
            if can {
                known.capabilities.insert(capability)
            } else {
                known.capabilities.remove(&capability)
            };
        }
        if !self.input.is_empty() {
            known.input.clone_from(&self.input);
        }
        if !self.output.is_empty() {
            known.output.clone_from(&self.output);
        }
        known.status = match (known.status, self.status) {
            (Status::Retired, _) => Status::Retired,
            (_, Some(stated)) => stated,
            (Status::Deprecated, None) => Status::Deprecated,
            (_, None) => Status::Active,
        };
        if let Some(stated) =
            self.pricing.as_ref().filter(|stated| !known.pricing.as_ref().is_some_and(|sheet| agrees(sheet, stated)))
        {
            // Fees stay as they were; batch and off-peak rates were rates of the old price.
            let fees = known.pricing.take().map(|sheet| sheet.fees).unwrap_or_default();
            known.pricing = Some(Pricing { fees, ..stated.clone() });
            // A list is newer than what was disputed about; where it takes a side, there still are two.
            known.dispute = known.dispute.filter(|dispute| within(dispute, stated));
        }
    }

    /// A new endpoint.
    fn endpoint(&self, model: ModelId, provider: &Provider, siblings: &Siblings<'_>) -> Endpoint {
        let (protocol, alternate) = siblings.way(provider, model.author());
        let capabilities = self.said.iter().filter(|(_, can)| **can).map(|(capability, _)| *capability);
        Endpoint {
            kind: self.kind(),
            protocol,
            alternate,
            model,
            aka: Vec::new(),
            base_url: None,
            variant: Vec::new(),
            quant: None,
            region: None,
            upstream: None,
            context: self.context,
            max_input: self.max_input.filter(|input| self.context.is_none_or(|context| *input < context)),
            max_output: self.max_output,
            input: self.input.clone(),
            output: self.output.clone(),
            capabilities: capabilities.collect(),
            reasoning_options: Vec::new(),
            reasoning_field: self.reasoning_field.clone(),
            cache_min: None,
            pricing: self.pricing.clone(),
            dispute: None,
            status: self.status.unwrap_or(Status::Active),
            sunset: None,
            floating: false,
            released: self.released.clone(),
            overlay: None,
            id: self.id.clone(),
        }
    }

    fn model(&self, endpoint: &Endpoint) -> Model {
        Model {
            name: self.name.clone().unwrap_or_else(|| endpoint.model.slug().to_owned()),
            kinds: vec![endpoint.kind],
            released: self.released.clone(),
            knowledge: self.knowledge.clone(),
            open_weights: self.open_weights,
            context: self.context,
            max_output: self.max_output,
            floating: false,
            id: endpoint.model.clone(),
        }
    }

    /// What it is, by what comes out of it and by its name.
    pub(super) fn kind(&self) -> ModelKind {
        let has = |word: &str| self.id.upstream_model.to_ascii_lowercase().contains(word);
        let gives = |modality| self.output.contains(&modality);
        match () {
            () if has("rerank") => ModelKind::Rerank,
            () if has("embed") => ModelKind::Embedding,
            () if self.output.is_empty() || gives(Modality::Text) => ModelKind::Chat,
            () if gives(Modality::Image) => ModelKind::Image,
            () if gives(Modality::Video) => ModelKind::Video,
            () if gives(Modality::Audio) => ModelKind::Tts,
            () => ModelKind::Chat,
        }
    }
}

/// Whether what is stated lies between what was disputed about.
fn within(dispute: &Dispute, stated: &Pricing) -> bool {
    let inside = |item, (low, high)| stated.base(item).is_some_and(|price| low <= price && price <= high);
    inside(Item::Input, dispute.input) && inside(Item::Output, dispute.output)
}

/// Whether a sheet has every figure that is stated; it may have more, and what is left out is not denied.
pub(super) fn agrees(sheet: &Pricing, stated: &Pricing) -> bool {
    stated.rates.iter().all(|(item, rate)| {
        let known = sheet.rates.get(item);
        known.is_some_and(|known| known.base == rate.base && (rate.tiers.is_empty() || known.tiers == rate.tiers))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Capability;

    fn merged(list: &str, before: Option<&Stored>) -> Stored {
        let list = Listing::read(list.as_bytes()).unwrap();
        let merged = merge(&list, before);
        let about = About { date: "2026-12-01".into(), embedded: "2026-11-24".into(), ..About::default() };
        Stored::parse(merged.text(&about).into_bytes()).unwrap()
    }

    fn find(stored: &Stored, model: &str, provider: &str) -> Endpoint {
        let catalog = Catalog::updated(std::sync::Arc::new(stored.clone()));
        let mut all = catalog.endpoints_for(&ModelId::new(model));
        all.retain(|endpoint| endpoint.id.provider.as_str() == provider && endpoint.is_plain());
        all.swap_remove(0)
    }

    #[test]
    fn what_is_listed_changes_what_is_known_and_nothing_else() {
        let stored = merged(
            r#"{"anthropic":{"env":["EVIL"],"api":"https://evil.example","models":{
                "claude-sonnet-5":{"cost":{"input":99,"output":199},"limit":{"context":7000}},
                "claude-opus-99-1":{"name":"Claude Opus 99.1","tool_call":true,"cost":{"input":1,"output":2}}}}}"#,
            None,
        );
        let (plain, catalog) = (Catalog::builtin(), Catalog::updated(std::sync::Arc::new(stored.clone())));
        assert_eq!(catalog.providers(), plain.providers(), "nobody's address or key is touched");
        let sonnet = find(&stored, "anthropic/claude-sonnet-5", "anthropic");
        assert_eq!(sonnet.pricing.as_ref().unwrap().base(Item::Input).unwrap().exact(), "99");
        assert_eq!(sonnet.context.unwrap().count(), 7000);
        let before = plain.own_endpoint(&sonnet.model).unwrap();
        let back =
            Endpoint { pricing: before.pricing.clone(), dispute: before.dispute, context: before.context, ..sonnet };
        assert_eq!(back, before);
        let opus = find(&stored, "anthropic/claude-opus-99.1", "anthropic");
        assert_eq!((opus.protocol, opus.alternate), (before.protocol, before.alternate));
        assert!(opus.can(Capability::Tools));
        let same = |id: &str| catalog.endpoints_for(&ModelId::new(id)) == plain.endpoints_for(&ModelId::new(id));
        let changed: Vec<String> = catalog.models().map(|line| line.id().to_owned()).filter(|id| !same(id)).collect();
        assert_eq!(changed, ["anthropic/claude-opus-99.1", "anthropic/claude-sonnet-5"]);
    }

    #[test]
    fn what_is_listed_no_more_is_unlisted_until_it_is_again() {
        let list = |ids: &[&str]| {
            let models: Vec<String> = ids.iter().map(|id| format!("\"{id}\":{{}}")).collect();
            format!("{{\"anthropic\":{{\"models\":{{{}}}}}}}", models.join(","))
        };
        let both = list(&["claude-sonnet-5", "claude-haiku-4-5", "claude-opus-99"]);
        let first = merged(&both, None);
        let status = |stored: &Stored| find(stored, "anthropic/claude-sonnet-5", "anthropic").status;
        assert_eq!(status(&first), Status::Active);
        let second = merged(&list(&["claude-haiku-4-5"]), Some(&first));
        assert_eq!(status(&second), Status::Unlisted);
        let third = merged(&list(&["claude-haiku-4-5"]), Some(&second));
        assert_eq!(status(&third), Status::Unlisted, "it is not forgotten");
        assert_eq!(status(&merged(&both, Some(&third))), Status::Active);
        let gone = Catalog::updated(std::sync::Arc::new(second));
        assert_eq!(gone.model(&ModelId::new("anthropic/claude-opus-99")), None, "nobody else knew it");
    }

    #[test]
    fn a_list_settles_what_a_disputed_price_is_and_not_that_it_is_disputed() {
        let catalog = Catalog::builtin();
        let disputed = catalog
            .models()
            .flat_map(|line| line.endpoints().map(|e| e.endpoint()).collect::<Vec<_>>())
            .find(|e| e.dispute.is_some_and(|d| d.input.0 != d.input.1) && e.is_plain())
            .unwrap();
        let dispute = disputed.dispute.unwrap();
        let list = |input: &str, output: &str| {
            format!(
                "{{\"{}\":{{\"models\":{{\"{}\":{{\"cost\":{{\"input\":{input},\"output\":{output}}}}}}}}}}}",
                disputed.id.provider, disputed.id.upstream_model
            )
        };
        let model = disputed.model.as_str();
        let of = |stored: Stored| {
            let catalog = Catalog::updated(std::sync::Arc::new(stored));
            catalog.endpoints_for(&ModelId::new(model)).into_iter().find(|e| e.id == disputed.id).unwrap()
        };
        let known = of(merged(&list(&dispute.input.1.exact(), &dispute.output.1.exact()), None));
        let bases =
            |sheet: &Option<Pricing>| [Item::Input, Item::Output].map(|item| sheet.as_ref().unwrap().base(item));
        assert_eq!(bases(&known.pricing), [Some(dispute.input.1), Some(dispute.output.1)]);
        assert_eq!(known.dispute, disputed.dispute);
        let low = of(merged(&list(&dispute.input.0.exact(), &dispute.output.0.exact()), None));
        assert_ne!(bases(&low.pricing), bases(&known.pricing), "whichever was chosen, the other is taken");
        let new = of(merged(&list("777", "888"), None));
        assert_eq!((new.pricing.unwrap().base(Item::Input).unwrap().exact(), new.dispute), ("777".to_owned(), None));
    }

    #[test]
    fn what_is_listed_and_cannot_be_read_stays_as_it_was() {
        let list = |sonnet: &str, novel: &str| {
            format!(
                r#"{{"anthropic":{{"models":{{"claude-sonnet-5":{{"cost":{sonnet}}},"claude-haiku-4-5":{{}}}}}},
                "novel":{{"id":"{novel}","models":{{"first":{{"cost":{{"input":3,"output":4}}}}}}}}}}"#
            )
        };
        let first = merged(&list(r#"{"input":7,"output":8}"#, "novel"), None);
        let second = merged(&list(r#"{"input":-1,"output":8}"#, "other"), Some(&first));
        for (model, provider) in [("anthropic/claude-sonnet-5", "anthropic"), ("novel/first", "novel")] {
            let (was, is) = (find(&first, model, provider), find(&second, model, provider));
            assert_eq!((is.status, &is), (Status::Active, &was));
        }
        let novel = Catalog::updated(std::sync::Arc::new(second.clone())).provider(&ProviderId::new("novel"));
        assert!(novel.is_some());
        let third = merged(&list(r#"{"input":-1,"output":8}"#, "other"), Some(&second));
        assert_eq!(find(&third, "novel/first", "novel"), find(&first, "novel/first", "novel"), "however often");
    }
}
