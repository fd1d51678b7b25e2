//! From a model to the endpoints that are weighed: one a provider, each with how it would be called.

use std::collections::BTreeMap;

use super::Dispatcher;
use crate::catalog::file::default_auth;
use crate::catalog::geo::{geographies, is_out_of_reach};
use crate::catalog::{Auth, Endpoint, ModelId, ModelKind, Protocol, Provider, ProviderId, Status, is_loopback};
use crate::chat::ChatRequest;
use crate::routing::Constraints;
use crate::store::StateKey;
use crate::upstream::auth::{Address, Found, Lazy, Vars, address, find_key, is_overridden};
use crate::upstream::{BUILT, Call, adapter, keeps_marks, lacks, untold};

/// The simulated providers of a sandboxed command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sandboxed {
    /// Where each simulated provider listens by its protocols, and the credential that it takes there.
    pub providers: BTreeMap<ProviderId, BTreeMap<Protocol, Simulated>>,
    /// What the clouds' own chains of credentials read in place of the environment.
    pub vars: Vars,
}

/// One protocol of a simulated provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// Where it listens.
    pub base_url: String,
    /// The credential that it takes.
    pub found: Found,
}

/// An endpoint and how it would be called.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Who serves it.
    pub provider: Provider,
    /// The dialect it would be spoken to in; `None` where this version has none for it.
    pub protocol: Option<Protocol>,
    /// The protocol or scheme that this version cannot do, where that is why.
    pub unsupported: Option<String>,
    /// Whether the catalog knows no address.
    pub no_base_url: bool,
    /// The address, with all variables filled in; empty where it is not known.
    pub base_url: String,
    /// The variable that overrides the catalog's address, if one does.
    pub overridden_by: Option<String>,
    /// Variables that the address needs and that are not set.
    pub missing_settings: Vec<String>,
    /// The credential.
    pub found: Found,
    /// Whether the command runs in the sandbox and this is not simulated.
    pub outside_sandbox: bool,
}

impl Reach {
    /// Whether its model reasons without streaming that.
    #[must_use]
    pub fn hides_reasoning(&self) -> bool {
        self.provider.hides_reasoning && self.endpoint.can(crate::catalog::Capability::Reasoning)
    }

    /// Whether its key would travel in the clear: plain http to another machine, which only an override can ask for. What
    /// is signed does not carry the key.
    #[must_use]
    pub fn in_the_clear(&self) -> bool {
        let signed = matches!(self.found, Found::Lazy { lazy: Lazy::Aws, .. });
        self.base_url.starts_with("http://") && !is_loopback(&self.base_url) && !signed
    }

    /// What a request asks for that cannot be said to it.
    #[must_use]
    pub fn lacks(&self, request: &ChatRequest) -> Vec<&'static str> {
        let Some(protocol) = self.protocol else { return Vec::new() };
        let (endpoint, provider, base_url) = (&self.endpoint, &self.provider, self.base_url.as_str());
        lacks(protocol, &Call { endpoint, provider, base_url, request })
    }

    /// What of a request it is not told, though it answers all the same.
    #[must_use]
    pub fn untold(&self, request: &ChatRequest) -> Vec<&'static str> {
        let (endpoint, provider, base_url) = (&self.endpoint, &self.provider, self.base_url.as_str());
        let call = Call { endpoint, provider, base_url, request };
        self.protocol.map_or_else(Vec::new, |protocol| untold(protocol, &call))
    }

    /// Whether it is told what to keep in its prompt cache.
    #[must_use]
    pub fn keeps_marks(&self) -> bool {
        self.protocol.is_some_and(|protocol| keeps_marks(protocol, &self.endpoint.model))
    }

    /// Whether it is known to go on with the answer that a request ends in ([`ChatRequest::continues`]).
    #[must_use]
    pub fn continues(&self, request: &ChatRequest) -> bool {
        self.protocol.is_some() && self.lacks(request).is_empty()
    }

    /// Whether it can be called: it is spoken to in a protocol of this version, at an address that is known, with a key that
    /// is set.
    #[must_use]
    pub fn is_callable(&self) -> bool {
        let addressed = !self.no_base_url && self.missing_settings.is_empty() && !self.outside_sandbox;
        let spoken = self.protocol.is_some() && self.unsupported.is_none();
        addressed && spoken && !matches!(self.found, Found::Missing { .. })
    }

    /// Under which key its state is kept.
    #[must_use]
    pub fn state_key(&self, salt: Option<&[u8; 16]>) -> StateKey {
        let known = !matches!(self.found, Found::Missing { .. });
        StateKey { endpoint: self.endpoint.id.clone(), key_fingerprint: known.then(|| self.fingerprint(salt)) }
    }

    /// The fingerprint of its key; empty without one.
    #[must_use]
    pub fn fingerprint(&self, salt: Option<&[u8; 16]>) -> String {
        match (&self.found, salt) {
            (Found::Key { secret, .. }, Some(salt)) => secret.fingerprint(salt),
            _ => String::new(),
        }
    }
}

impl Dispatcher<'_> {
    /// The endpoints of a model that are weighed: chat endpoints of the plain offer (or of the variant that was asked
    /// for), one a provider; with `all`, every region and twin of them.
    #[must_use]
    pub fn reach(&self, model: &ModelId, variant: Option<&str>, all: bool) -> Vec<Reach> {
        self.reach_for(model, variant, all, None)
    }

    /// As [`Dispatcher::reach`], each in the first of its dialects that can carry what is asked; where none can, in the
    /// first.
    #[must_use]
    pub fn reach_for(
        &self,
        model: &ModelId,
        variant: Option<&str>,
        all: bool,
        asked: Option<&ChatRequest>,
    ) -> Vec<Reach> {
        self.reach_wanting(model, variant, all, asked, &Constraints::default())
    }

    /// As [`Dispatcher::reach_for`]; of several endpoints of a provider, one in a quantisation and a region that may be
    /// used stands for it where there is one. Where a region is required, an endpoint without one of its own lies where
    /// its provider is called.
    #[must_use]
    pub fn reach_wanting(
        &self,
        model: &ModelId,
        variant: Option<&str>,
        all: bool,
        asked: Option<&ChatRequest>,
        constraints: &Constraints,
    ) -> Vec<Reach> {
        self.reach_kind(ModelKind::Chat, (model, variant, all), asked, constraints)
    }

    /// As [`Dispatcher::reach`], of what a model is for if it is for no chats: only to be shown, since nothing else is called.
    #[must_use]
    pub fn reach_shown(&self, model: &ModelId, variant: Option<&str>, all: bool) -> Vec<Reach> {
        let line = self.catalog.model_line(model.as_str());
        let kinds = line.map(|line| line.kinds()).unwrap_or_default();
        let kind = if kinds.contains(&ModelKind::Chat) { None } else { kinds.first().copied() };
        self.reach_kind(kind.unwrap_or(ModelKind::Chat), (model, variant, all), None, &Constraints::default())
    }

    fn reach_kind(
        &self,
        kind: ModelKind,
        (model, variant, all): (&ModelId, Option<&str>, bool),
        asked: Option<&ChatRequest>,
        constraints: &Constraints,
    ) -> Vec<Reach> {
        let wanted = |endpoint: &Endpoint| match variant {
            None => endpoint.is_plain(),
            Some(name) => endpoint.variant.iter().any(|known| known == name),
        };
        let now = (self.now)();
        let endpoints = self.catalog.endpoints_for(model);
        let offered = endpoints
            .into_iter()
            .filter(|endpoint| endpoint.kind == kind && wanted(endpoint))
            .map(|offer| offer.at(now));
        let offered = offered.map(|endpoint| match (&endpoint.region, &constraints.region) {
            (None, Some(_)) => {
                let home = self.catalog.provider(&endpoint.id.provider).and_then(|provider| self.home(&provider));
                Endpoint { region: home, ..endpoint }
            }
            _ => endpoint,
        });
        let misses =
            |endpoint: &Endpoint| (!constraints.takes_region(endpoint), !constraints.takes_quantization(endpoint));
        let is_better = |endpoint: &Endpoint, known: &Endpoint| {
            (misses(endpoint), self.preference(endpoint)) < (misses(known), self.preference(known))
        };
        let mut kept: Vec<Endpoint> = Vec::new();
        for endpoint in offered {
            let same = |known: &&mut Endpoint| {
                if all { known.id == endpoint.id } else { known.id.provider == endpoint.id.provider }
            };
            match kept.iter_mut().find(same) {
                None => kept.push(endpoint),
                Some(known) if all || is_better(&endpoint, known) => *known = endpoint,
                Some(_) => {}
            }
        }
        kept.sort_by(|one, other| one.id.cmp(&other.id));
        kept.into_iter().filter_map(|endpoint| self.reach_one(endpoint, asked)).collect()
    }

    /// Of several endpoints of one provider the lowest stands for it: living, in the configured region or the narrowest
    /// geography that holds it, else unqualified or global, plain of quantisation and upstream, with the shortest name.
    /// The configured region is the one that was asked for, else the one that the provider is called in.
    fn preference<'a>(&self, endpoint: &'a Endpoint) -> (bool, usize, bool, bool, bool, usize, &'a str) {
        let home = || self.catalog.provider(&endpoint.id.provider).and_then(|provider| self.home(&provider));
        let region = match endpoint.region.as_deref() {
            None => 10,
            Some(own) => {
                let wanted = self.region.map(str::to_owned).or_else(home);
                let wanted = wanted.as_deref().unwrap_or_default();
                let held = geographies(wanted).iter().position(|geography| *geography == own);
                match held {
                    _ if own == wanted => 0,
                    Some(at) => 1 + at,
                    None if own == "global" => 11,
                    None => 12,
                }
            }
        };
        (
            endpoint.status == Status::Retired,
            region,
            endpoint.upstream.is_some(),
            endpoint.floating,
            endpoint.quant.is_some(),
            endpoint.id.upstream_model.len(),
            &endpoint.id.upstream_model,
        )
    }

    /// The region that a provider is called in, where the environment says.
    fn home(&self, provider: &Provider) -> Option<String> {
        let mut names = provider.env_names("region").iter();
        names.find_map(|name| self.keys.vars.plain(name)).map(str::to_owned)
    }

    /// How one endpoint would be called; `None` where its provider is not in the catalog.
    pub(super) fn reach_one(&self, endpoint: Endpoint, asked: Option<&ChatRequest>) -> Option<Reach> {
        let provider = self.catalog.provider(&endpoint.id.provider)?;
        let mut spoken: Vec<_> = endpoint
            .protocols()
            .filter(|protocol| BUILT.contains(protocol))
            .filter_map(|protocol| {
                let (url, auth) = self.catalog.base_url(&endpoint, &provider, protocol)?;
                Some((protocol, url, auth))
            })
            .collect();
        // Another server than the catalog's: what they nearly all speak is OpenAI's older dialect.
        if spoken.len() > 1 && is_overridden(&provider, &self.keys.vars) {
            spoken.sort_by_key(|(protocol, ..)| *protocol == Protocol::OpenaiResponses);
        }
        let carries = |(protocol, base_url, _): &&(Protocol, String, Auth)| {
            let (endpoint, provider) = (&endpoint, &provider);
            let lacks = |request| lacks(*protocol, &Call { endpoint, provider, base_url, request });
            asked.is_none_or(|asked| lacks(asked).is_empty())
        };
        // What the sandbox does not play is not called: nothing leaves this machine.
        if let Some(played) = self.sandbox.and_then(|sandbox| sandbox.providers.get(&provider.id)) {
            spoken.retain(|(protocol, ..)| played.contains_key(protocol));
        }
        let spoken = spoken.iter().find(carries).or(spoken.first()).cloned();
        // An address that the catalog does not know may still be the user's to give.
        let given = |protocol: &Protocol| BUILT.contains(protocol) && is_overridden(&provider, &self.keys.vars);
        let given = || endpoint.protocols().find(given);
        let spoken = spoken.or_else(|| given().map(|protocol| (protocol, String::new(), default_auth(protocol))));
        let built = endpoint.protocols().any(|protocol| adapter(protocol).is_some());
        let mut reach = Reach {
            protocol: spoken.as_ref().map(|(protocol, ..)| *protocol),
            unsupported: (!built).then(|| endpoint.protocol.map_or("unknown", Protocol::name).to_owned()),
            no_base_url: built && spoken.is_none(),
            base_url: String::new(),
            overridden_by: None,
            missing_settings: Vec::new(),
            found: Found::Missing { looked_in: provider.env_names("key").to_vec() },
            outside_sandbox: false,
            endpoint,
            provider,
        };
        let simulated = self.sandbox.map(|sandbox| sandbox.providers.contains_key(&reach.provider.id));
        match spoken {
            // The sandbox is all there is: why else it could not be called does not matter.
            _ if simulated == Some(false) => {
                reach.outside_sandbox = true;
                reach.found = Found::NotNeeded;
                reach.unsupported = None;
                reach.no_base_url = false;
            }
            Some((protocol, template, auth)) => self.call_at(&mut reach, protocol, &template, &auth),
            None => {}
        }
        Some(reach)
    }

    /// Whether an endpoint [can be called](Reach::is_callable).
    #[must_use]
    pub fn is_callable(&self, endpoint: Endpoint) -> bool {
        self.reach_one(endpoint, None).is_some_and(|reach| reach.is_callable())
    }

    fn call_at(&self, reach: &mut Reach, protocol: Protocol, template: &str, auth: &Auth) {
        let played = self.sandbox.and_then(|sandbox| sandbox.providers.get(&reach.provider.id));
        if let Some(simulated) = played.and_then(|protocols| protocols.get(&protocol)) {
            reach.base_url.clone_from(&simulated.base_url);
            reach.found = simulated.found.clone();
            return;
        }
        if let Auth::Unsupported(scheme) = auth {
            reach.unsupported = Some(scheme.clone());
            return;
        }
        reach.found = find_key(&reach.provider, auth, self.keys);
        if let Found::Lazy { lazy, .. } = &reach.found
            && let Some(what) = lazy.unsupported()
        {
            reach.unsupported = Some(what.to_owned());
            return;
        }
        match address(&reach.provider, protocol, template, &self.keys.vars) {
            Address::Known { url, overridden_by } => {
                // What is bound to a geography is refused from elsewhere.
                let bound = reach.endpoint.region.as_deref().filter(|_| overridden_by.is_none());
                if let (Some(bound), Some(home)) = (bound, self.home(&reach.provider))
                    && is_out_of_reach(bound, &home)
                    && let Some(name) = reach.provider.env_names("region").first()
                {
                    reach.missing_settings = vec![format!("{name} in {bound}")];
                }
                // A server of the user's own that was named in place of the provider seldom asks for a key.
                if overridden_by.is_some() && is_loopback(&url) && matches!(reach.found, Found::Missing { .. }) {
                    reach.found = Found::NotNeeded;
                }
                reach.base_url = url;
                reach.overridden_by = overridden_by;
            }
            Address::Missing(variables) => reach.missing_settings = variables,
        }
        // An address may be known where the region that requests to it are signed for is not.
        if let Found::Lazy { lazy, .. } = &reach.found
            && reach.missing_settings.is_empty()
        {
            reach.missing_settings.extend(lazy.missing(&reach.base_url, &self.keys.vars).map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::chat::{Message, Role};
    use crate::store::Memory;
    use crate::upstream::auth::{Keyring, Vars};

    /// In which dialect OpenAI itself would be asked.
    fn dialect(change: impl Fn(&mut ChatRequest), vars: &[(&str, &str)]) -> Option<Protocol> {
        let model = ModelId::new("openai/gpt-5-mini");
        let (catalog, store) = (Catalog::builtin(), Memory::new());
        let vars = Vars::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let keys = Keyring { vars, ..Keyring::default() };
        let now = || jiff::Timestamp::UNIX_EPOCH;
        let dispatcher = Dispatcher::new(&catalog, &store, &keys, &now);
        let mut asked = ChatRequest::new(model.clone(), vec![Message::text(Role::User, "hi")]);
        change(&mut asked);
        let reaches = dispatcher.reach_for(&model, None, false, Some(&asked));
        reaches.into_iter().find(|reach| reach.provider.id.as_str() == "openai")?.protocol
    }

    #[test]
    fn an_endpoint_is_asked_in_the_first_dialect_that_can_carry_the_request() {
        assert_eq!(dialect(|_| {}, &[]), Some(Protocol::OpenaiResponses));
        assert_eq!(dialect(|asked| asked.stop.push("END".to_owned()), &[]), Some(Protocol::OpenaiChat));
        assert_eq!(dialect(|asked| asked.seed = Some(7), &[]), Some(Protocol::OpenaiChat));
        assert_eq!(dialect(|asked| asked.max_tokens = Some(5), &[]), Some(Protocol::OpenaiChat));
        assert_eq!(dialect(|asked| asked.max_tokens = Some(16), &[]), Some(Protocol::OpenaiResponses));
        // Neither can: the first one's reasons are told.
        let neither = |asked: &mut ChatRequest| asked.effort = Some(crate::chat::Effort::Budget(4096));
        assert_eq!(dialect(neither, &[]), Some(Protocol::OpenaiResponses));
    }

    #[test]
    fn in_the_sandbox_a_dialect_that_it_does_not_play_is_never_called() {
        let model = ModelId::new("openai/gpt-5-mini");
        let (catalog, store, keys) = (Catalog::builtin(), Memory::new(), Keyring::default());
        let now = || jiff::Timestamp::UNIX_EPOCH;
        let mut asked = ChatRequest::new(model.clone(), vec![Message::text(Role::User, "hi")]);
        asked.stop.push("END".to_owned());
        let called = |played: &[Protocol]| {
            let place = |protocol: &Protocol| {
                let base_url = format!("http://127.0.0.1/{}", protocol.name());
                (*protocol, Simulated { base_url, found: Found::NotNeeded })
            };
            let providers = BTreeMap::from([(ProviderId::new("openai"), played.iter().map(place).collect())]);
            let sandbox = Sandboxed { providers, vars: Vars::default() };
            let dispatcher = Dispatcher {
                catalog: &catalog,
                store: &store,
                keys: &keys,
                now: &now,
                sandbox: Some(&sandbox),
                region: None,
                clerk: None,
            };
            let reaches = dispatcher.reach_for(&model, None, false, Some(&asked));
            reaches.into_iter().find(|reach| reach.provider.id.as_str() == "openai").unwrap().base_url
        };
        let both = [Protocol::OpenaiResponses, Protocol::OpenaiChat];
        assert_eq!(called(&both), "http://127.0.0.1/openai-chat");
        assert_eq!(called(&[Protocol::OpenaiResponses]), "http://127.0.0.1/openai-responses");
        assert_eq!(called(&[]), "");
    }

    #[test]
    fn a_server_in_the_place_of_the_catalogs_is_asked_in_the_older_dialect() {
        let vars = [("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")];
        assert_eq!(dialect(|_| {}, &vars), Some(Protocol::OpenaiChat));
    }
}
