//! What is taken over of a release: all of it, but read and written anew, entry by entry. A signature says who answers for
//! prices; where a key goes nobody says but the program and the user, so that addresses and variables are held against the
//! same rules as a list's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::entry::{Entry, too_dear};
use super::provider::{self, Taken};
use super::{Listing, Merged, Refusal, checks};
use crate::catalog::file::provider_record;
use crate::catalog::{Catalog, Endpoint, EndpointId, Mark, Model, Provider, ProviderId, Stored, provider_line, write};

/// The catalog of a release as it is used here, and its entries as those of a list, for the rules.
#[must_use]
pub fn adopt(release: &Stored) -> (Merged, Listing) {
    let embedded = Catalog::builtin();
    let taken = Taken::new(&embedded);
    let mut list = Listing::default();
    let mut providers: BTreeMap<ProviderId, Provider> = BTreeMap::new();
    for line in release.providers().lines() {
        let Some(stated) = provider_record(line).filter(|provider| checks::is_slug(provider.id.as_str())) else {
            list.refused.push(Refusal::new(line, "is no record of a provider"));
            continue;
        };
        if embedded.provider(&stated.id).is_none() {
            let (fit, left_out) = provider::fit(stated, &taken);
            list.reduced.extend(left_out.into_iter().map(|why| Refusal::new(fit.id.as_str(), why)));
            providers.insert(fit.id.clone(), fit);
        }
    }
    let known: BTreeSet<(ProviderId, String)> = addresses(&embedded);
    let theirs = Catalog::updated(Arc::new(release.clone()));
    let (mut models, mut endpoints): (Vec<Model>, Vec<Endpoint>) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<EndpointId, Mark> = BTreeMap::new();
    for line in theirs.models() {
        let model = line.model();
        if !checks::is_model_id(model.id.as_str()) || models.last().is_some_and(|last| last.id >= model.id) {
            list.refused.push(Refusal::new(model.id.as_str(), "is no model id, or out of order"));
            continue;
        }
        for endpoint in line.endpoints().map(|endpoint| endpoint.endpoint()) {
            let is_known = providers.contains_key(&endpoint.id.provider);
            let why = if !checks::is_wire_id(&endpoint.id.upstream_model) {
                Some("is no id that can be sent".to_owned())
            } else if !is_known && embedded.provider(&endpoint.id.provider).is_none() {
                Some("is of a provider that is not described".to_owned())
            } else if seen.contains_key(&endpoint.id) {
                Some("is there twice".to_owned())
            } else if let Some(item) = endpoint.pricing.as_ref().and_then(too_dear) {
                Some(format!("has an absurd price of {item}"))
            } else if is_elsewhere(&endpoint, &known) {
                Some("has an address that its provider does not have".to_owned())
            } else {
                None
            };
            if let Some(why) = why {
                list.refused.push(Refusal::new(&endpoint.id.to_string(), why));
                continue;
            }
            // What was not new to the publisher is none the newer for the signature.
            let day = theirs.day_of(&endpoint).filter(|day| *day < release.about().date.as_str());
            let mark = Mark { listed: Some(true), day: day.map(str::to_owned) };
            seen.insert(endpoint.id.clone(), mark);
            list.entries.push(Entry::of(&endpoint));
            endpoints.push(endpoint);
        }
        models.push(model);
    }
    endpoints.sort_by(|a, b| (&a.model, &a.id).cmp(&(&b.model, &b.id)));
    list.listed = endpoints.iter().map(|endpoint| &endpoint.id.provider).collect::<BTreeSet<_>>().len();
    let ids: BTreeSet<&str> = models.iter().map(|model| model.id.as_str()).collect();
    let new = |(spelling, model): &(&str, &str)| ids.contains(model) && embedded.alias(spelling) != Some(*model);
    let spellings = release.spellings().lines().filter_map(|line| line.split_once('\t')).filter(new);
    let spellings: BTreeMap<&str, &str> = spellings.collect();
    let merged = Merged {
        tables: write(&models, &endpoints, &seen),
        spellings: super::merge::spelt(&spellings),
        providers: providers.values().map(|provider| provider_line(provider) + "\n").collect(),
    };
    list.providers = providers.into_values().collect();
    (merged, list)
}

/// A catalog as a release has it: with every provider and every spelling, whatever program reads it. Its facts stay as old as
/// they are, below what the catalog was laid over.
#[must_use]
pub fn complete(catalog: &Catalog) -> (Merged, Vec<Endpoint>) {
    let (mut models, mut endpoints): (Vec<Model>, Vec<Endpoint>) = (Vec::new(), Vec::new());
    let mut marks: BTreeMap<EndpointId, Mark> = BTreeMap::new();
    for line in catalog.models() {
        models.push(line.model());
        endpoints.extend(line.endpoints().map(|endpoint| endpoint.endpoint()));
    }
    let below = catalog.update().map_or(Catalog::embedded(), |about| &about.embedded);
    for endpoint in &endpoints {
        // What the publisher's own overlays say is of the day of the release.
        let mark = match catalog.day_of(endpoint).filter(|_| endpoint.overlay.is_none()) {
            Some(day) if day == below => continue,
            Some(day) => Mark { listed: None, day: Some(day.to_owned()) },
            None => Mark::listed(),
        };
        marks.insert(endpoint.id.clone(), mark);
    }
    let spellings: BTreeMap<&str, &str> = catalog.aliases().collect();
    let merged = Merged {
        tables: write(&models, &endpoints, &marks),
        spellings: super::merge::spelt(&spellings),
        providers: catalog.providers().iter().map(|provider| provider_line(provider) + "\n").collect(),
    };
    (merged, endpoints)
}

/// Every address that an endpoint of an embedded provider has of its own.
fn addresses(embedded: &Catalog) -> BTreeSet<(ProviderId, String)> {
    let all = embedded.models().flat_map(|line| line.endpoints().map(|one| one.endpoint()).collect::<Vec<_>>());
    all.filter_map(|endpoint| Some((endpoint.id.provider, endpoint.base_url?))).collect()
}

/// Whether it has an address of its own that is none of its provider's: the provider's key would go there.
fn is_elsewhere(endpoint: &Endpoint, known: &BTreeSet<(ProviderId, String)>) -> bool {
    let own = endpoint.base_url.as_ref().map(|url| (endpoint.id.provider.clone(), url.clone()));
    own.is_some_and(|own| !known.contains(&own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::About;
    use crate::catalog::diff::changes;
    use crate::catalog::file::Overlay;

    fn stored(merged: &Merged) -> Stored {
        let about = About { date: "2026-12-01".into(), ..About::default() };
        Stored::parse(merged.text(&about).into_bytes()).unwrap()
    }

    fn overlaid(text: &str) -> Catalog {
        Catalog::builtin().with_overlays(vec![Overlay::parse("x.toml", text).unwrap()]).unwrap()
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        let catalog = overlaid(
            "[provider.acme]\nprotocol = \"openai-chat\"\nbase_url = \"https://llm.acme.example/v1\"\n\
             key_env = \"ACME_API_KEY\"\n\n[[endpoint]]\nprovider = \"acme\"\nmodel = \"acme/house\"\nid = \"house\"\n\
             price = { input = \"1\", output = \"2\" }\n\n[[endpoint]]\nprovider = \"anthropic\"\nid = \"claude-sonnet-5\"\n\
             price = { input = \"1.5\", output = \"7\" }\n",
        );
        let (merged, list) = adopt(&stored(&complete(&catalog).0));
        assert_eq!((list.refused, list.reduced), (vec![], vec![]), "the program's own catalog keeps the rules");
        let back = Catalog::updated(Arc::new(stored(&merged)));
        assert_eq!(changes(&catalog, &back), []);
        assert_eq!(back.providers(), catalog.providers());
        let plain = |endpoint: Endpoint| Endpoint { overlay: None, ..endpoint };
        let all = |catalog: &Catalog| -> Vec<(Model, Vec<Endpoint>)> {
            let of = |line: crate::catalog::ModelLine<'_>| line.endpoints().map(|one| plain(one.endpoint())).collect();
            catalog.models().map(|line| (line.model(), of(line))).collect()
        };
        assert_eq!(all(&back), all(&catalog));
        let spellings = |catalog: &Catalog| -> BTreeMap<String, String> {
            catalog.aliases().map(|(from, to)| (from.to_owned(), to.to_owned())).collect()
        };
        assert_eq!(spellings(&back), spellings(&catalog));
        assert_eq!(merged.spellings, "", "what the program knows already is not kept twice");
    }

    #[test]
    fn a_signature_moves_nobodys_key() {
        let catalog = overlaid(
            "[provider.openai]\nprotocol = \"openai-chat\"\nbase_url = \"https://evil.example/v1\"\n\n[provider.acme]\nprotocol = \"openai-chat\"\n\
             base_url = \"https://llm.acme.example/v1\"\nkey_env = \"OPENAI_API_KEY\"\n\n[[endpoint]]\nprovider = \"acme\"\n\
             model = \"acme/house\"\nid = \"house\"\n\n[[endpoint]]\nprovider = \"anthropic\"\nid = \"claude-sonnet-5\"\n\
             base_url = \"https://evil.example/v1\"\nprotocol = \"anthropic-messages\"\n\n\
             [[endpoint]]\nprovider = \"groq\"\nmodel = \"acme/dear\"\nid = \"dear\"\nprice = { input = \"99999\", output = \"1\" }\n",
        );
        let (merged, list) = adopt(&stored(&complete(&catalog).0));
        let said: Vec<String> = list
            .refused
            .iter()
            .chain(&list.reduced)
            .map(|refused| format!("{} {}", refused.what, refused.why))
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        groq:dear has an absurd price of input
        anthropic:claude-sonnet-5 has an address that its provider does not have
        acme may not ask for OPENAI_API_KEY: an overlay can name its key_env
        ");
        let back = Catalog::updated(Arc::new(stored(&merged)));
        let text = format!("{:?}", back.providers()) + &merged.tables.endpoints;
        assert!(!text.contains("evil.example"));
        assert_eq!(back.provider(&ProviderId::new("openai")), Catalog::builtin().provider(&ProviderId::new("openai")));
        assert_eq!(back.provider(&ProviderId::new("acme")).unwrap().env_names("key"), [""; 0]);
    }
}
