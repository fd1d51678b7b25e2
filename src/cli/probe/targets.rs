//! From the names that were typed to the endpoints that are asked.

use std::collections::BTreeMap;

use super::super::args::ProvidersProbe;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::text::listed;
use super::super::{day, facts, prompt, report};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, EndpointId, ProviderId, Status};
use crate::dispatch::{Dispatcher, Reach, Suppose, shape};
use crate::observe::Source;
use crate::probe::plan::{self, Kind};
use crate::probe::run::Target;
use crate::routing::{Constraints, Policy};
use crate::units::{Tokens, Usd};
use crate::upstream::auth::Found as Key;

/// What was typed.
pub(super) struct Wanted {
    /// The models.
    pub(super) models: Vec<Resolved>,
    /// The providers; empty is all that have a key.
    pub(super) providers: Vec<ProviderId>,
}

impl Wanted {
    /// Tells providers from models.
    ///
    /// # Errors
    /// A name means neither, or no model is named.
    pub(super) fn read(catalog: &Catalog, args: &ProvidersProbe) -> Result<Self, CliError> {
        let mut wanted = Self { models: Vec::new(), providers: Vec::new() };
        for typed in &args.targets {
            let id = ProviderId::new(typed.to_lowercase());
            if catalog.provider(&id).is_some() {
                wanted.providers.push(id);
                continue;
            }
            let model = facts::model(catalog, typed)?;
            wanted.providers.extend(model.provider.clone());
            wanted.models.push(model);
        }
        for typed in &args.provider {
            wanted.providers.push(prompt::provider(catalog, typed)?);
        }
        if wanted.models.is_empty() {
            let names: Vec<String> = wanted.providers.iter().map(ToString::to_string).collect();
            let names = names.join(" ");
            return Err(CliError::usage(format!("a model is needed: which one of {names}'s is asked?"))
                .fix(format!("openmux providers probe MODEL {names}   (openmux models list --provider {names})")));
        }
        Ok(wanted)
    }
}

/// Whom a probe asks.
pub(super) struct Found {
    /// How each is called.
    pub(super) reaches: Vec<Reach>,
    /// The same for the driver.
    pub(super) targets: Vec<Target>,
    /// What one call of each is likely to cost, in USD; `None` where its price is not known.
    pub(super) expected: Vec<Option<Usd>>,
    /// How many calls each gets at once.
    pub(super) parallel: u32,
    /// Sentences about those that are left out.
    pub(super) left_out: Vec<String>,
    /// How many of them have no known price.
    pub(super) unpriced: usize,
}

/// Finds the endpoints that can be asked, where one gets at most `cap` calls a day.
///
/// # Errors
/// There is none: why.
pub(super) fn find(
    dispatcher: &Dispatcher<'_>,
    wanted: &Wanted,
    args: &ProvidersProbe,
    cap: u32,
) -> Result<Found, CliError> {
    let parallel = if args.kind == Kind::Burst { args.parallel.unwrap_or(4) } else { 1 };
    let mut found = Found {
        reaches: Vec::new(),
        targets: Vec::new(),
        expected: Vec::new(),
        parallel,
        left_out: Vec::new(),
        unpriced: 0,
    };
    let asked = asked_today(dispatcher);
    let mut unpriced: Vec<String> = Vec::new();
    for model in &wanted.models {
        let all = dispatcher.reach(&model.model, model.variant.as_deref(), false);
        let (callable, others): (Vec<Reach>, Vec<Reach>) =
            all.iter().cloned().partition(|reach| is_callable(dispatcher, wanted, reach));
        if callable.is_empty() {
            return Err(nobody(dispatcher, wanted, model, &all));
        }
        let named = |reach: &&Reach| wanted.providers.contains(&reach.provider.id);
        for reach in others.iter().filter(named) {
            found.left_out.push(format!(
                "{} is left out: it cannot be called (openmux route explain {} --all says why)",
                reach.provider.id, model.model
            ));
        }
        for provider in wanted.providers.iter().filter(|id| !all.iter().any(|reach| reach.provider.id == **id)) {
            found.left_out.push(format!("{provider} is left out: it does not serve {}", model.model));
        }
        for reach in callable {
            let provider = &reach.provider;
            let lacks = reach.lacks(&plan::request(args.kind, &model.model, &reach.endpoint, 0));
            if !lacks.is_empty() {
                let lacks = lacks.join(", ");
                found.left_out.push(format!("{} is left out: the probe needs {lacks}, which it lacks", provider.id));
                continue;
            }
            let bound = match plan::bound(args.kind, &reach.endpoint, provider.kind) {
                Some(bound) => bound,
                None if args.allow_unpriced => {
                    found.unpriced += 1;
                    Usd::ZERO
                }
                None => {
                    unpriced.push(provider.id.to_string());
                    continue;
                }
            };
            let most = cap.saturating_sub(asked.get(&reach.endpoint.id).copied().unwrap_or(0));
            if most < parallel {
                found.left_out.push(format!(
                    "{} is left out: it had its {cap} calls of today (max_probes_per_day under [probe] in config.toml, \
                     or --yes)",
                    provider.id
                ));
                continue;
            }
            found.expected.push(plan::expected(args.kind, &reach.endpoint, provider.kind, (dispatcher.now)()));
            let (model, endpoint) = (model.model.clone(), reach.endpoint.clone());
            found.targets.push(Target { model, endpoint, bound, most });
            found.reaches.push(reach);
        }
    }
    if !unpriced.is_empty() {
        let (names, verb) = (listed(&unpriced, 8), if unpriced.len() == 1 { "has" } else { "have" });
        if found.targets.is_empty() {
            return Err(CliError::new(
                Exit::Refused,
                "unpriced",
                format!("not sent: {names} {verb} no known price, so nothing bounds the cost"),
            )
            .fix("--allow-unpriced, or a price in catalog.d/*.toml"));
        }
        found.left_out.push(format!("left out, as nothing bounds the cost: {names} (--allow-unpriced asks them too)"));
    }
    if found.targets.is_empty() {
        let message = format!("nobody can be asked a probe of kind {}", args.kind.name());
        let exit =
            if found.left_out.iter().any(|why| why.contains("of today")) { Exit::Refused } else { Exit::NotFound };
        let fix = match exit {
            Exit::Refused => "wait until tomorrow (UTC), or --yes",
            _ => "another --kind, or another model or provider",
        };
        return Err(CliError::new(exit, "no_provider", message).fact("because", found.left_out.join("\n")).fix(fix));
    }
    Ok(found)
}

/// How many probes each endpoint had today (UTC). Processes side by side may not see each other's last calls: this is for
/// the provider's sake, where money has a ledger.
fn asked_today(dispatcher: &Dispatcher<'_>) -> BTreeMap<EndpointId, u32> {
    let midnight = day::begun((dispatcher.now)());
    let mut asked = BTreeMap::new();
    // In the sandbox nobody is bothered.
    if dispatcher.sandbox.is_none()
        && let Ok(seen) = dispatcher.store.attempts(midnight, jiff::Timestamp::MAX)
    {
        for seen in seen.into_iter().filter(|seen| seen.source == Source::Probe) {
            *asked.entry(seen.endpoint).or_insert(0) += 1;
        }
    }
    asked
}

fn is_callable(dispatcher: &Dispatcher<'_>, wanted: &Wanted, reach: &Reach) -> bool {
    let named = wanted.providers.contains(&reach.provider.id);
    // A server that may not even run is asked where it is named.
    let is_meant = named || dispatcher.sandbox.is_some() || !matches!(reach.found, Key::NotNeeded);
    (named || wanted.providers.is_empty())
        && is_meant
        && reach.is_callable()
        && reach.endpoint.status != Status::Retired
}

/// Why nobody can be asked: what a chat would be told.
fn nobody(dispatcher: &Dispatcher<'_>, wanted: &Wanted, model: &Resolved, reaches: &[Reach]) -> CliError {
    let constraints = Constraints { only: wanted.providers.clone(), allow_unpriced: true, ..Constraints::default() };
    let request = shape(&model.model, Tokens::new(64), Tokens::new(16), Tokens::ZERO, constraints);
    let routed = dispatcher.route(&request, None, reaches, &Policy::default(), 0, Suppose::Nothing);
    match routed.decision.chosen() {
        None => {
            let error = report::unroutable(&routed.decision, &model.model, reaches);
            let keyless = "try it without a key: openmux --sandbox ";
            let probe = format!("{keyless}providers probe {}", model.model);
            let fix = error.fix.replace(&format!("{keyless}chat ..."), &probe);
            CliError { fix, ..error }
        }
        Some(first) => CliError::new(Exit::Auth, "no_key", format!("no provider of {} has a key", model.model))
            .fact("without one", format!("{} needs none, and is asked where it is named", first.endpoint.provider))
            .fix(format!("openmux providers probe {} {}", model.model, first.endpoint.provider)),
    }
}
