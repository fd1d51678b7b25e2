//! What is not negotiable, and what is traded.

use std::time::Duration;

use super::super::args::{Ask, Choice};
use super::super::config::{Profile, under};
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::settings::Settings;
use crate::catalog::geo::geographies;
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, ModelId, ProviderId};
use crate::dispatch::FallbackClass;
use crate::routing::{Constraints, Policy, Preset};

/// The profile that was asked for: the flag, `OPENMUX_PROFILE`, the configuration.
pub(crate) fn profile<'a>(settings: &'a Settings, typed: Option<&str>) -> Result<Option<&'a Profile>, CliError> {
    let set = settings.keys.vars.plain("OPENMUX_PROFILE");
    let configured = settings.config.defaults.profile.as_deref();
    let Some(name) = typed.or(set).or(configured) else { return Ok(None) };
    if let Some(profile) = settings.config.profile(name) {
        return Ok(Some(profile));
    }
    let names = settings.config.profile_names();
    let error = CliError::new(Exit::NotFound, "profile", format!("no profile is called \"{name}\"")).near(name, &names);
    let error = if names.is_empty() { error } else { error.fact("profiles", names.join(" ")) };
    Err(error.fix(format!("write [profiles.{name}] into config.toml (`openmux config path` says where it is)")))
}

/// The variables that say of a call what a profile may say.
const OF_CALLS: [&str; 3] = ["OPENMUX_PROVIDER", "OPENMUX_MAX_COST", "OPENMUX_REGION"];

/// What the configuration says of a call: the profile that was asked for, over the defaults. What the environment says in
/// one of those variables goes before both, except before a region that is required. A provider, a region and a cost that are
/// merely a default give way as those of the environment do: `constraints` and [`Settings::region`] ask for them.
fn configured(settings: &Settings, typed: &Choice, above: &[&str]) -> Result<Profile, CliError> {
    let mut below = settings.config.defaults.choice.clone();
    below.choice.provider.clear();
    below.choice.max_cost = None;
    below.choice.region = below.choice.region.filter(|region| region.firm);
    let set = |name: &str| above.contains(&name) && settings.keys.vars.plain(name).is_some();
    if set("OPENMUX_PROVIDER") {
        below.choice.only.clear();
    }
    let Some(profile) = profile(settings, typed.profile.as_deref())? else { return Ok(below) };
    let mut own = profile.clone();
    if set("OPENMUX_PROVIDER") {
        own.choice.provider.clear();
        own.choice.only.clear();
    }
    if set("OPENMUX_MAX_COST") {
        own.choice.max_cost = None;
    }
    if set("OPENMUX_REGION") {
        own.choice.region = own.choice.region.filter(|region| region.firm);
    }
    Ok(own.over(&below))
}

/// What was typed of the choice of a provider for a comparison, with what the configuration says where nothing was. What the
/// environment says of calls, a comparison does without: it takes nothing from a profile.
///
/// # Errors
/// There is no such profile, or a variable of ours holds something that cannot be meant.
pub(crate) fn choice(settings: &Settings, typed: &Choice) -> Result<Choice, CliError> {
    Ok(under(typed, &configured(settings, typed, &["OPENMUX_REGION"])?.choice))
}

/// The same of everything that is asked: also the models to go on to, and whether a second provider is asked beside a slow
/// one.
///
/// # Errors
/// As [`choice`].
pub(crate) fn ask(settings: &Settings, typed: &Ask) -> Result<Ask, CliError> {
    let own = configured(settings, &typed.choice, &OF_CALLS)?;
    let mut ask = Ask { choice: under(&typed.choice, &own.choice), ..typed.clone() };
    ask.hedge |= settings.config.defaults.hedge.unwrap_or_default() && !ask.no_hedge;
    if ask.fallback.is_empty() {
        ask.fallback = own.fallback;
    }
    if ask.fallback_on.is_empty() {
        ask.fallback_on = own.fallback_on;
    }
    Ok(ask)
}

/// What is not negotiable: flags, the pinned provider of `model:provider`, then the provider of `OPENMUX_PROVIDER` or of
/// the configuration.
///
/// # Errors
/// A provider does not exist, or two wishes exclude each other.
pub(crate) fn constraints(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    choice: &Choice,
) -> Result<Constraints, CliError> {
    constrained(settings, catalog, model, (choice, &settings.providers()))
}

/// The same with other providers where neither flags nor the model name any.
///
/// # Errors
/// As [`constraints`].
pub(crate) fn constrained(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    (choice, otherwise): (&Choice, &[String]),
) -> Result<Constraints, CliError> {
    let ids = |names: &[String]| names.iter().map(|name| provider(catalog, name)).collect::<Result<Vec<_>, _>>();
    let (mut only, wanted) = (ids(&choice.only)?, ids(&choice.provider)?);
    if only.is_empty() {
        only = wanted;
    } else if !wanted.is_empty() {
        only.retain(|provider| wanted.contains(provider));
        if only.is_empty() {
            return Err(CliError::usage("--provider and --only leave nobody").fix("leave one of them out"));
        }
    }
    if only.is_empty() && model.provider.is_none() {
        only = ids(otherwise)?;
    }
    if let Some(pinned) = &model.provider {
        if !only.is_empty() && !only.contains(pinned) {
            return Err(CliError::usage(format!("the model pins {pinned}, which --provider leaves out"))
                .fix(format!("leave out :{pinned}, or name it among the providers")));
        }
        only = vec![pinned.clone()];
    }
    if let Some(name) = choice.region.as_ref().map(|region| &region.name).filter(|name| is_nowhere(catalog, name)) {
        settings.warn_once(&format!(
            "the catalog has nothing in the region \"{name}\", nor in a geography that holds it; fix: leave out --region {name}, \
             or write one of a provider's: openmux providers compare MODEL --all --fields provider,region"
        ));
    }
    if !only.is_empty() && only.iter().all(|provider| choice.ignore.iter().any(|name| *name == provider.as_str())) {
        return Err(CliError::usage("--ignore leaves out everybody that --provider or --only names")
            .fix("leave one of them out"));
    }
    Ok(Constraints {
        order: ids(&choice.order)?,
        only,
        ignore: ids(&choice.ignore)?,
        max_price_in: choice.max_price_in,
        max_price_out: choice.max_price_out,
        max_cost: settings.max_cost(choice.max_cost)?,
        allow_unpriced: choice.allow_unpriced,
        no_gateways: choice.no_gateways,
        thresholds: [choice.max_ttft, choice.min_throughput, choice.min_availability].into_iter().flatten().collect(),
        quantization: choice.quantization.iter().map(|quant| quant.to_ascii_lowercase()).collect(),
        region: choice.region.as_ref().filter(|region| region.firm).map(|region| region.name.clone()),
        require: choice.require.clone(),
        lenient: choice.lenient,
    })
}

/// Whether no endpoint lies in a region, nor in a geography that holds it.
fn is_nowhere(catalog: &Catalog, name: &str) -> bool {
    let held = geographies(name);
    let mut regions =
        catalog.models().flat_map(|line| line.endpoints().filter_map(|endpoint| endpoint.region()).collect::<Vec<_>>());
    !regions.any(|region| region == name || held.contains(&region))
}

/// What holds for a process that answers others.
pub(crate) struct Standing {
    /// What is not negotiable.
    pub(crate) constraints: Constraints,
    /// What is traded.
    pub(crate) policy: Policy,
    /// How long all attempts may take to a first token, where that is configured.
    pub(crate) first_token: Option<Option<Duration>>,
    /// The longest silence within an answer.
    pub(crate) idle: Option<Duration>,
    /// The region that is preferred.
    pub(crate) region: Option<String>,
    /// The models to go on to.
    pub(crate) fallback: Vec<String>,
    /// After which failures.
    pub(crate) fallback_on: Vec<FallbackClass>,
}

/// What the environment and the configuration ask of every chat.
///
/// # Errors
/// There is no such profile, one of its names is nobody's, or a variable of ours holds something that cannot be meant.
pub(crate) fn standing(settings: &Settings, catalog: &Catalog, named: Option<&String>) -> Result<Standing, CliError> {
    let typed = Choice { profile: named.cloned(), ..Choice::default() };
    let Profile { choice: own, fallback, fallback_on, .. } = configured(settings, &typed, &OF_CALLS)?;
    let choice = under(&typed, &own);
    let any = Resolved { model: ModelId::new(""), provider: None, variant: None, via_alias: None };
    for model in &fallback {
        super::super::facts::model(catalog, model)?;
    }
    let region = choice.region.as_ref().map(|region| region.name.clone());
    let policy = policy(&choice);
    Ok(Standing {
        constraints: constraints(settings, catalog, &any, &choice)?,
        policy: Policy { retries: settings.config.defaults.retries.unwrap_or(policy.retries), ..policy },
        first_token: settings.config.defaults.first_token_timeout.map(|limit| limit.0),
        idle: settings.idle_timeout(None),
        region: region.or_else(|| settings.region().map(str::to_owned)),
        fallback,
        fallback_on,
    })
}

/// The provider of that name, in any case.
///
/// # Errors
/// There is none.
pub(crate) fn provider(catalog: &Catalog, name: &str) -> Result<ProviderId, CliError> {
    let id = ProviderId::new(name.to_lowercase());
    if catalog.provider(&id).is_some() {
        return Ok(id);
    }
    let providers = catalog.providers();
    let names: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
    let error = CliError::new(Exit::NotFound, "provider", format!("no provider is called \"{name}\""));
    Err(error.near(name, &names).fix("openmux providers list"))
}

/// What is traded: `--prefer`, `--time-value`, else balanced.
pub(crate) fn policy(choice: &Choice) -> Policy {
    match choice.time_value {
        Some(per_hour) => Policy::time_value(per_hour),
        None => Policy::preset(choice.prefer.unwrap_or(Preset::Balanced)),
    }
}
