//! `openmux sandbox`, and what `--sandbox` does to other commands: simulated providers on this machine, and no others.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::SandboxArgs;
use super::contract::Exit;
use super::error::{CliError, nearest};
use super::settings::{Settings, read_text};
use super::{Outcome, facts, out, print};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, ProviderId, Status};
use crate::dispatch::{Dispatcher, Reach, Sandboxed};
use crate::sandbox::{KEY, Running, Sandbox, SandboxProvider, Scenario};
use crate::store::Memory;

/// How many providers of a model are simulated.
const SIMULATED: usize = 3;

/// The scenario of that name, or in that file.
///
/// # Errors
/// There is none, or the file is broken.
pub(crate) fn scenario(name: &str) -> Result<Scenario, CliError> {
    if let Ok(scenario) = Scenario::builtin(name) {
        return Ok(scenario);
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = read_text(path)?;
        return Scenario::parse(name, &text)
            .map_err(|error| CliError::new(Exit::Config, "scenario", error.to_string()));
    }
    let names: Vec<&str> = Scenario::names().collect();
    let error = CliError::usage(format!("there is no sandbox scenario \"{name}\""));
    let error = nearest(name, &names).map_or(error.clone(), |near| error.fact("did you mean", near));
    Err(error.fact("scenarios", format!("{}, or a .toml file", names.join(" "))))
}

/// The providers of a model that are simulated: its author's own, OpenRouter, Vercel, then others by name.
fn simulated(catalog: &Catalog, model: &Resolved) -> Vec<Reach> {
    let store = Memory::new();
    let keys = crate::upstream::auth::Keyring::default();
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let dispatcher = Dispatcher { catalog, store: &store, keys: &keys, now: &now, sandbox: None, region: None };
    let reaches = dispatcher.reach(&model.model, model.variant.as_deref(), false);
    let own = Catalog::own_provider(model.model.author());
    let mut usable: Vec<Reach> = reaches
        .into_iter()
        .filter(|reach| {
            reach.protocol.is_some() && reach.endpoint.pricing.is_some() && reach.endpoint.status != Status::Retired
        })
        .collect();
    usable.sort_by_key(|reach| {
        let id = reach.provider.id.as_str();
        let place = if own == Some(id) {
            0
        } else {
            ["openrouter", "vercel"].iter().position(|known| *known == id).map_or(9, |at| at + 1)
        };
        (place, reach.provider.id.clone())
    });
    usable.truncate(SIMULATED);
    usable
}

/// The sandbox as `route explain` sees it: which providers there would be.
pub(crate) fn pretended(settings: &Settings, catalog: &Catalog, model: &Resolved) -> Option<Sandboxed> {
    settings.sandbox.as_ref()?;
    let base_urls =
        simulated(catalog, model).into_iter().map(|reach| (reach.provider.id, "http://127.0.0.1".to_owned()));
    Some(Sandboxed { base_urls: base_urls.collect(), key: KEY.to_owned() })
}

/// Starts the simulated providers of a model.
///
/// # Errors
/// The scenario does not exist, nobody serves the model, or no port is free.
pub(crate) async fn start(
    catalog: &Catalog,
    model: &Resolved,
    scenario_name: &str,
    port: u16,
) -> Result<(Running, Sandboxed), CliError> {
    let reaches = simulated(catalog, model);
    if reaches.is_empty() {
        return Err(CliError::new(
            Exit::NotFound,
            "sandbox",
            format!("the sandbox can simulate no provider of {}", model.model),
        ));
    }
    let providers = reaches.iter().filter_map(|reach| {
        Some(SandboxProvider {
            id: reach.provider.id.clone(),
            protocol: reach.protocol?,
            name: reach.provider.name.clone(),
        })
    });
    listen(scenario_name, providers.collect(), port).await
}

/// Starts these simulated providers.
///
/// # Errors
/// The scenario does not exist, or no port is free.
pub(crate) async fn listen(
    scenario_name: &str,
    providers: Vec<SandboxProvider>,
    port: u16,
) -> Result<(Running, Sandboxed), CliError> {
    let scenario = scenario(scenario_name)?;
    let running = Sandbox::start_on(scenario, providers, port).await.map_err(|error| {
        CliError::new(Exit::Config, "sandbox", format!("cannot listen on 127.0.0.1:{port}"))
            .fact("reason", error.to_string())
    })?;
    let base_urls: BTreeMap<ProviderId, String> = running.base_urls.clone();
    Ok((running, Sandboxed { base_urls, key: KEY.to_owned() }))
}

/// Runs the command: until Ctrl-C.
///
/// # Errors
/// As [`start`].
pub(crate) fn run(settings: &Settings, args: &SandboxArgs) -> Outcome {
    let (catalog, _) = settings.catalog()?;
    let resolved = facts::model(&catalog, &args.model)?;
    let runtime = super::chat::runtime()?;
    runtime.block_on(async {
        // Whoever has read the addresses may stop it at once.
        let stopped = super::chat::stop_signal();
        let (running, simulated) = start(&catalog, &resolved, &args.scenario, args.port).await?;
        if !settings.quiet {
            out::talk(&format!(
                "sandbox \"{}\" on http://{} simulates providers of {}; nothing is real. Ctrl-C stops it.\n",
                args.scenario, running.addr, resolved.model
            ));
        }
        let mut lines = String::new();
        for (provider, url) in &simulated.base_urls {
            lines += &format!("{provider}\t{url}\t{KEY}\n");
        }
        print(&lines)?;
        Ok(stopped.await)
    })
}
