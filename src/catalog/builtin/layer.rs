//! What overlays add and change: the merged result, kept for the touched models and providers alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, Tables, lines, table};
use crate::catalog::file::{EndpointPatch, Overlay, OverlayError, suggestion};
use crate::catalog::{Endpoint, EndpointId, Model, ModelId, ModelKind, Provider, ProviderId};

/// The merged result of all overlays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Layer {
    /// Providers that overlays add or change, complete.
    pub(super) providers: BTreeMap<ProviderId, Provider>,
    /// Models that the tables lack, by id.
    pub(super) models: BTreeMap<String, Model>,
    /// All endpoints of every model that overlays touch, by the model's id.
    pub(super) endpoints: BTreeMap<String, Vec<Placed>>,
    /// The user's own names of models: what each stands for.
    pub(super) names: BTreeMap<String, String>,
}

/// An endpoint in the list of a touched model. A hidden one stays there, so that a later overlay can bring it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// The endpoint.
    pub(super) endpoint: Endpoint,
    /// Whether it is left out of every answer.
    pub(super) hidden: bool,
}

impl Layer {
    /// Lays one more overlay over this. `like` looks at the tables alone, so that an overlay laid over itself changes
    /// nothing. What needs something that the tables lack is passed over, and given back.
    pub(super) fn apply(&mut self, overlay: &Overlay, tables: &Tables) -> Result<Vec<OverlayError>, OverlayError> {
        let mut passed = Vec::new();
        let mut known = |result: Result<(), OverlayError>| match result {
            Err(error) if error.is_missing => {
                passed.push(error);
                Ok(())
            }
            result => result,
        };
        for patch in &overlay.providers {
            let base = self.provider(&patch.id, tables);
            let applied = patch.apply(base);
            known(applied.map(|provider| drop(self.providers.insert(patch.id.clone(), provider))))?;
        }
        let homes = homes(&overlay.endpoints, tables);
        for patch in &overlay.endpoints {
            known(self.apply_endpoint(patch, homes.get(&patch.id).copied(), tables))?;
        }
        Ok(passed)
    }

    fn provider(&self, id: &ProviderId, tables: &Tables) -> Option<Provider> {
        self.providers.get(id).cloned().or_else(|| tables.provider(id.as_str()))
    }

    fn apply_endpoint(
        &mut self,
        patch: &EndpointPatch,
        home: Option<&str>,
        tables: &Tables,
    ) -> Result<(), OverlayError> {
        let Some(provider) = self.provider(&patch.id.provider, tables) else {
            let known = tables.provider_ids().chain(self.providers.keys().map(ProviderId::as_str));
            let hint = suggestion(patch.id.provider.as_str(), known);
            return Err(patch.missing("provider", format!("there is no provider \"{}\"{hint}", patch.id.provider)));
        };
        let model = patch.model.as_ref().map(|model| ModelId::new(canonical(model.as_str(), tables)));
        let like = patch.like.as_ref().map(|like| canonical(like.as_str(), tables)).map(|like| {
            let below = Catalog { tables: tables.clone(), ..Catalog::default() };
            below.own_endpoint(&ModelId::new(like)).ok_or_else(|| {
                let message =
                    format!("\"{like}\" has no endpoint of its author's own to take limits and features from");
                patch.missing("like", message)
            })
        });
        let like = like.transpose()?;
        let current = self.place_of(&patch.id).or_else(|| home.filter(|home| !self.endpoints.contains_key(*home)));
        let existing = current.map(str::to_owned).and_then(|model| {
            let list = self.touch(&model, tables);
            let at = list.iter().position(|placed| placed.endpoint.id == patch.id)?;
            Some(list.remove(at))
        });
        let hidden = patch.hide.unwrap_or(existing.as_ref().is_some_and(|placed| placed.hidden));
        let base = existing.map(|placed| placed.endpoint);
        let endpoint = patch.apply(base, model, like.as_ref(), &provider)?;
        let model = endpoint.model.as_str().to_owned();
        let list = self.touch(&model, tables);
        list.push(Placed { endpoint, hidden });
        list.sort_by(|a, b| a.endpoint.id.cmp(&b.endpoint.id));
        self.describe(&model, tables);
        Ok(())
    }

    /// The touched model that lists this endpoint.
    fn place_of(&self, id: &EndpointId) -> Option<&str> {
        let holds = |list: &[Placed]| list.iter().any(|placed| &placed.endpoint.id == id);
        self.endpoints.iter().find(|(_, list)| holds(list)).map(|(model, _)| model.as_str())
    }

    /// The list of a model, copied from the tables at the first touch.
    fn touch(&mut self, model: &str, tables: &Tables) -> &mut Vec<Placed> {
        self.endpoints.entry(model.to_owned()).or_insert_with(|| {
            let line = tables.model_line(model);
            let below = line.map(|line| tables.block(line)).unwrap_or_default().lines();
            below.map(|line| Placed { endpoint: lines::parse_endpoint(model, line), hidden: false }).collect()
        })
    }

    /// A record for a model that the tables lack, from what its endpoints say.
    fn describe(&mut self, id: &str, tables: &Tables) {
        if tables.model_line(id).is_some() {
            return;
        }
        let endpoints = self.endpoints.get(id).map_or(&[][..], Vec::as_slice);
        let id = ModelId::new(id);
        let model = Model {
            name: id.slug().to_owned(),
            kinds: vec![ModelKind::Chat],
            released: None,
            knowledge: None,
            open_weights: None,
            context: endpoints.iter().filter_map(|placed| placed.endpoint.context).max(),
            max_output: endpoints.iter().filter_map(|placed| placed.endpoint.max_output).max(),
            floating: false,
            id,
        };
        self.models.insert(model.id.as_str().to_owned(), model);
    }
}

/// Which model of the tables each patched endpoint belongs to, in one pass over them.
fn homes<'t>(patches: &[EndpointPatch], tables: &'t Tables) -> BTreeMap<EndpointId, &'t str> {
    let known = |patch: &&EndpointPatch| tables.provider(patch.id.provider.as_str()).is_some();
    let wanted: BTreeSet<(&str, &str)> = patches
        .iter()
        .filter(known)
        .map(|patch| (patch.id.provider.as_str(), patch.id.upstream_model.as_str()))
        .collect();
    let mut homes = BTreeMap::new();
    if wanted.is_empty() {
        return homes;
    }
    for model in tables.models().lines() {
        for line in tables.block(model).lines() {
            let mut columns = line.split('\t');
            let key = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
            if wanted.contains(&key) {
                let id = EndpointId { provider: ProviderId::new(key.0), upstream_model: key.1.to_owned() };
                homes.insert(id, table::first_column(model));
            }
        }
    }
    homes
}

/// The canonical id of a model id in an overlay: as it stands where it exists, else through the published spellings.
fn canonical<'m>(model: &'m str, tables: &'m Tables) -> &'m str {
    match tables.model_line(model) {
        Some(_) => model,
        None => tables.alias(model).unwrap_or(model),
    }
}
