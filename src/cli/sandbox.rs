//! `openmux sandbox`, and what `--sandbox` does to other commands: simulated providers on this machine, and no others.

use std::path::Path;
use std::sync::Arc;

use super::args::SandboxArgs;
use super::contract::Exit;
use super::error::CliError;
use super::platform::Platform;
use super::settings::{self, Settings, read_text};
use super::{Outcome, facts, out, print};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Auth, Catalog, Protocol, Provider, ProviderId, Status};
use crate::dispatch::{Dispatcher, Sandboxed, Simulated};
use crate::routing::Constraints;
use crate::sandbox::{Credential, GOOGLE_PLACE, KEY, Place, Running, Sandbox, SandboxProvider, Scenario};
use crate::store::Memory;
use crate::upstream::BUILT;
use crate::upstream::auth::{Found, Lazy, Secret, Vars, base_variable};

/// How many providers of a model are simulated, beside those that were asked for by name.
const SIMULATED: usize = 3;

/// The scenario of that name, or in that file; what follows a last colon is the seed that it is drawn from.
///
/// # Errors
/// There is none, or the file is broken.
pub(crate) fn scenario(name: &str) -> Result<Scenario, CliError> {
    let seeded = name.rsplit_once(':').and_then(|(name, seed)| Some((name, seed.parse().ok()?)));
    if let Some((name, seed)) = seeded {
        return scenario(name).map(|scenario| scenario.with_seed(seed));
    }
    if let Ok(scenario) = Scenario::builtin(name) {
        return Ok(scenario);
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = read_text(path)?;
        return Scenario::parse(name, &text).map_err(|error| {
            CliError::new(Exit::Config, "scenario", error.to_string()).fix(format!("correct {name}"))
        });
    }
    let names: Vec<&str> = Scenario::names().collect();
    Err(CliError::usage(format!("there is no sandbox scenario \"{name}\"")).one_of(name, &names, "scenarios"))
}

/// What of this can be simulated: protocols that the client speaks, with credentials that it has.
pub(crate) fn playable(spoken: impl Iterator<Item = (Protocol, Auth)>) -> Vec<(Protocol, Auth)> {
    let mut playable: Vec<(Protocol, Auth)> = Vec::new();
    for (protocol, auth) in spoken {
        let twice = playable.iter().any(|(known, _)| *known == protocol);
        // A build may lack a cloud's library.
        let can_sign = match auth {
            Auth::Unsupported(_) => false,
            Auth::Aws => Lazy::Aws.unsupported().is_none(),
            Auth::Google => Lazy::Google.unsupported().is_none(),
            _ => true,
        };
        if !twice && can_sign && BUILT.contains(&protocol) {
            playable.push((protocol, auth));
        }
    }
    playable
}

/// The providers of a model that are simulated: its author's own, the clouds, then gateways and others by name; and
/// whichever were `named`.
fn simulated(catalog: &Catalog, model: &Resolved, named: &[ProviderId]) -> Vec<SandboxProvider> {
    let store = Memory::new();
    let keys = crate::upstream::auth::Keyring::default();
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let dispatcher = Dispatcher::new(catalog, &store, &keys, &now);
    let mut reaches = dispatcher.reach(&model.model, model.variant.as_deref(), true);
    reaches.retain(|reach| {
        reach.protocol.is_some() && reach.endpoint.pricing.is_some() && reach.endpoint.status != Status::Retired
    });
    let mut usable: Vec<SandboxProvider> = Vec::new();
    for reach in &reaches {
        if usable.iter().any(|known| known.id == reach.provider.id) {
            continue;
        }
        // Its regions may differ in what they speak.
        let all = reaches.iter().filter(|other| other.provider.id == reach.provider.id);
        let spoken = all.flat_map(|other| {
            let here = |protocol| Some((protocol, catalog.base_url(&other.endpoint, &other.provider, protocol)?.1));
            other.endpoint.protocols().filter_map(here).collect::<Vec<_>>()
        });
        let spoken = playable(spoken);
        if !spoken.is_empty() {
            usable.push(SandboxProvider { id: reach.provider.id.clone(), name: reach.provider.name.clone(), spoken });
        }
    }
    let own = Catalog::own_provider(model.model.author());
    usable.sort_by_key(|provider| {
        let id = provider.id.as_str();
        let place = if own == Some(id) {
            0
        } else {
            let known = ["google-vertex", "amazon-bedrock", "openrouter", "vercel"];
            known.iter().position(|known| *known == id).map_or(9, |at| at + 1)
        };
        (place, provider.id.clone())
    });
    let rest = usable.split_off(SIMULATED.min(usable.len()));
    usable.extend(rest.into_iter().filter(|provider| named.contains(&provider.id)));
    usable
}

/// The sandbox as `route explain` sees it: which providers there would be.
pub(crate) fn pretended(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    named: &[ProviderId],
) -> Option<Sandboxed> {
    settings.sandbox.as_ref()?;
    let pretend = |provider: SandboxProvider| {
        let found = Found::Key { source: source(), secret: Secret::new(KEY), auth: Auth::Bearer };
        let simulated = Simulated { base_url: "http://127.0.0.1".to_owned(), found };
        (provider.id, provider.spoken.into_iter().map(|(protocol, _)| (protocol, simulated.clone())).collect())
    };
    let providers = simulated(catalog, model, named).into_iter().map(pretend).collect();
    Some(Sandboxed { providers, vars: Vars::default() })
}

/// The providers that a command asks for by name.
pub(crate) fn named(constraints: &Constraints) -> Vec<ProviderId> {
    constraints.only.iter().chain(&constraints.order).cloned().collect()
}

/// Which simulated providers there are to be, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// The name of the scenario, or its file.
    pub scenario: &'a str,
    /// The port; 0 is any.
    pub port: u16,
    /// Providers that are simulated whatever their place in the list is.
    pub named: &'a [ProviderId],
}

/// Starts the simulated providers of a model.
///
/// # Errors
/// The scenario does not exist, nobody serves the model, or no port is free.
pub(crate) async fn start(
    settings: &Settings,
    catalog: &Catalog,
    model: &Resolved,
    stage: Stage<'_>,
) -> Result<(Running, Sandboxed), CliError> {
    let providers = simulated(catalog, model, stage.named);
    if providers.is_empty() {
        return Err(CliError::new(
            Exit::NotFound,
            "sandbox",
            format!("the sandbox can simulate no provider of {}", model.model),
        )
        .fix(format!("another model; openmux models show {} --all says who serves it", model.model)));
    }
    listen(settings, stage.scenario, providers, stage.port).await
}

/// Starts these simulated providers.
///
/// # Errors
/// The scenario does not exist, or no port is free.
pub(crate) async fn listen(
    settings: &Settings,
    scenario_name: &str,
    providers: Vec<SandboxProvider>,
    port: u16,
) -> Result<(Running, Sandboxed), CliError> {
    let scenario = scenario(scenario_name)?;
    let failed = |reason: String| {
        CliError::new(Exit::Config, "sandbox", format!("cannot listen on 127.0.0.1:{port}"))
            .fact("reason", reason)
            .fix("--port with another number, or 0 for a free one")
    };
    let clock = Some(Arc::new(settings::now) as crate::sandbox::Clock);
    let running =
        Sandbox::start_on(scenario, providers, port, clock).await.map_err(|error| failed(error.to_string()))?;
    let sandboxed = sandboxed(&running, behind_proxy(&settings.keys.vars)).map_err(failed)?;
    Ok((running, sandboxed))
}

/// Google's library sends a token's exchange through the proxy of the process, which knows no loopback of ours.
fn behind_proxy(vars: &Vars) -> bool {
    vars.names().any(|name| ["http_proxy", "all_proxy"].contains(&name.to_ascii_lowercase().as_str()))
}

/// The credentials as the client takes them; `alone` is where no token can be exchanged, so that assertions are signed.
fn sandboxed(running: &Running, alone: bool) -> Result<Sandboxed, String> {
    let mut sandboxed = Sandboxed::default();
    let places = running.places.iter().flat_map(|(id, places)| places.iter().map(move |place| (id, place)));
    for (id, place) in places {
        let found = match &place.credential {
            Credential::Key { key, auth } => {
                Found::Key { source: source(), secret: Secret::new(key.clone()), auth: auth.clone() }
            }
            Credential::Aws { access_key_id, secret_access_key, region } => {
                let pairs = [
                    ("AWS_ACCESS_KEY_ID", access_key_id),
                    ("AWS_SECRET_ACCESS_KEY", secret_access_key),
                    ("AWS_REGION", region),
                ];
                sandboxed.vars = Vars::new(pairs.map(|(name, value)| (name.to_owned(), value.clone())));
                Found::Lazy { source: source(), lazy: Lazy::Aws }
            }
            Credential::Google { document } => {
                let document = if alone { running.service_account(id)? } else { document.clone() };
                Found::Lazy { source: source(), lazy: Lazy::GoogleDocument(Secret::new(document)) }
            }
            Credential::NotNeeded => Found::NotNeeded,
        };
        let simulated = Simulated { base_url: place.base_url.clone(), found };
        sandboxed.providers.entry(id.clone()).or_default().insert(place.protocol, simulated);
    }
    Ok(sandboxed)
}

/// Where the credentials of simulated providers are from.
fn source() -> String {
    "sandbox".to_owned()
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
        let stage = Stage { scenario: &args.scenario, port: args.port, named: &[] };
        let (running, _) = start(settings, &catalog, &resolved, stage).await?;
        if !settings.quiet {
            out::talk(&format!(
                "sandbox {} on http://{} simulates providers of {}; nothing is real. Ctrl-C stops it.\n",
                called(&running),
                running.addr,
                resolved.model
            ));
        }
        let mut lines = String::new();
        for (id, places) in &running.places {
            let (Some(provider), Some(place)) = (catalog.provider(id), places.first()) else { continue };
            // Google's own clients ask their own server for an authorised user's token, whatever the document says.
            let document = match place.credential {
                Credential::Google { .. } => running.service_account(id).ok(),
                _ => None,
            };
            lines += &exports(&provider, place, document.as_deref());
        }
        print(&lines)?;
        Ok(stopped.await)
    })
}

/// What simulates, and from which seed.
pub(crate) fn called(running: &Running) -> String {
    format!("\"{}\" (seed {})", running.scenario(), running.seed())
}

/// What to say in another shell to call one provider from there; `document` is in place of the credential's own.
fn exports(provider: &Provider, place: &Place, document: Option<&str>) -> String {
    let mut lines = format!("# {}: {}, {}\n", provider.id, provider.name, place.protocol.name());
    let mut export = |name: &str, value: &str| lines += &(Platform::HERE.set(name, value) + "\n");
    let base = provider.env_names("base").first().cloned().unwrap_or_else(|| base_variable(&provider.id));
    // Clients of Anthropic's add the version themselves, and so does openmux.
    let is_anthropic = place.protocol == Protocol::AnthropicMessages;
    let url = if is_anthropic { place.base_url.trim_end_matches("/v1") } else { &place.base_url };
    export(&base, url);
    match &place.credential {
        Credential::Key { key, .. } => {
            if let Some(name) = provider.env_names("key").first() {
                export(name, key);
            }
        }
        Credential::Aws { access_key_id, secret_access_key, region } => {
            // What AWS's own clients call it.
            export("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &place.base_url);
            export("AWS_ACCESS_KEY_ID", access_key_id);
            export("AWS_SECRET_ACCESS_KEY", secret_access_key);
            // Some of AWS's clients read the one, some the other.
            export("AWS_REGION", region);
            export("AWS_DEFAULT_REGION", region);
        }
        Credential::Google { document: own } => {
            export("GOOGLE_CLOUD_PROJECT", GOOGLE_PLACE.0);
            export("GOOGLE_CLOUD_LOCATION", GOOGLE_PLACE.1);
            export("GOOGLE_APPLICATION_CREDENTIALS", "openmux-sandbox-google.json");
            lines += &(Platform::HERE.write(document.unwrap_or(own), "openmux-sandbox-google.json") + "\n");
        }
        Credential::NotNeeded => {}
    }
    lines + "\n"
}
