//! What is not negotiable, and what is traded.

use super::super::args::Choice;
use super::super::contract::Exit;
use super::super::error::{CliError, nearest};
use super::super::settings::Settings;
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, ProviderId};
use crate::routing::{Constraints, Policy, Preset};

/// What is not negotiable: flags, the pinned provider of `model:provider`, then `OPENMUX_PROVIDER`.
///
/// # Errors
/// A provider does not exist, or two wishes exclude each other.
pub(crate) fn constraints(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    choice: &Choice,
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
    if only.is_empty()
        && model.provider.is_none()
        && let Some(name) = settings.keys.vars.plain("OPENMUX_PROVIDER")
    {
        only.push(provider(catalog, name)?);
    }
    if let Some(pinned) = &model.provider {
        if !only.is_empty() && !only.contains(pinned) {
            return Err(CliError::usage(format!("the model pins {pinned}, which --provider leaves out")));
        }
        only = vec![pinned.clone()];
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
    let error = nearest(name, &names).map_or(error.clone(), |near| error.fact("did you mean", near));
    Err(error.fix("openmux providers list"))
}

/// What is traded: `--prefer`, `--time-value`, else balanced.
pub(crate) fn policy(choice: &Choice) -> Policy {
    match choice.time_value {
        Some(per_hour) => Policy::time_value(per_hour),
        None => Policy::preset(choice.prefer.unwrap_or(Preset::Balanced)),
    }
}
