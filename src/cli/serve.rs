//! `openmux serve`: the gateway, until it is stopped.

mod log;
mod renew;

use std::cell::Cell;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::log::Log;
use super::args::ServeArgs;
use super::contract::Exit;
use super::error::CliError;
use super::explain::fallback_json;
use super::render::decision::with_rates;
use super::render::hedge;
use super::render::json::head;
use super::render::whatif::Otherwise;
use super::settings::{self, Settings, read_text};
use super::{Outcome, chat, note, out, sandbox, tokens, warn};
use crate::catalog::Catalog;
use crate::dispatch::{Clerk, Sandboxed, group};
use crate::gateway::{Client, Explain, Gateway, Token, serve};
use crate::sandbox::{Running, SandboxProvider};
use crate::store::redis::{Address, Setup, Shared, Told};
use crate::store::{Memory, ObservationStore};
use renew::Kept;

/// How long what is under way may take to end after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// The variable of the token where none was named.
const TOKEN: &str = "OPENMUX_SERVE_TOKEN";

/// Runs the command: until Ctrl-C, or SIGTERM.
///
/// # Errors
/// It would listen beyond this machine without a token, or the address cannot be had.
pub(crate) fn run(settings: &Settings, args: &ServeArgs) -> Outcome {
    if token(settings, args)?.is_none() && args.tokens.is_none() && !args.address().ip().is_loopback() {
        return Err(CliError::new(Exit::Refused, "token", "will not listen beyond this machine without a token")
            .fix("--token-env NAME, --token-file FILE or --tokens FILE, or --listen 127.0.0.1:8080"));
    }
    if settings.offline && settings.sandbox.is_none() {
        return Err(CliError::new(Exit::Refused, "offline", "--offline refuses the network")
            .fix("leave out --offline, or try it with --sandbox"));
    }
    let tables = settings.tables();
    let (catalog, overlays) = settings.laid_over(tables.clone())?;
    let catalog = catalog.loaded();
    settings::note_age(settings, &catalog, settings::now());
    let failed = |error: std::io::Error| {
        CliError::new(Exit::Config, "listen", format!("cannot listen on {}", args.address()))
            .fact("reason", settings::reason(&error))
            .fix("another port: --listen 127.0.0.1:0 takes a free one")
    };
    let listener = TcpListener::bind(args.address()).map_err(failed)?;
    let budgeted = settings.config.day_budget().is_some() && settings.sandbox.is_none();
    let budgeted = budgeted || clients(settings, args, &catalog)?.iter().any(|client| client.is_budgeted());
    let (store, said, forgetful) = store(settings, budgeted)?;
    if let Some(text) = said {
        warn(settings, &text);
    }
    let store = match state(settings, args)? {
        Some(address) => share(settings, store, address)?,
        None => store,
    };
    let store: Arc<dyn ObservationStore> = store.into();
    let clerk = Clerk::new(&store).map(Arc::new).map_err(|error| {
        CliError::new(Exit::Config, "store", "there is no thread for budgets")
            .fact("reason", settings::reason(&error))
            .fix("stop other processes, or allow more threads")
    })?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let transport = settings.transport(settings.connect_timeout(args.connect_timeout))?;
    let quiet = settings.quiet;
    let runtime = chat::runtime()?;
    runtime.block_on(async {
        let started = match &settings.sandbox {
            Some(scenario) => Some(everybody(settings, &catalog, scenario).await?),
            None => None,
        };
        // Whoever has read the address may stop it at once.
        let stopped = chat::stop_signal();
        let (running, sandbox) = started.unzip();
        let kept = Kept {
            settings: settings.clone(),
            args: args.clone(),
            store,
            clerk,
            forgetful,
            retries: Arc::default(),
            sandbox,
            transport,
            tables: Mutex::new(tables),
            log: (!quiet).then(Log::start),
        };
        let (owned, config) = kept.with(settings, (catalog, overlays))?;
        let serving = serve(Gateway::new(owned, config), listener, threads).map_err(failed)?;
        let renewed = renew::renewed(Arc::new(kept), serving.renewal());
        if let Some(running) = &running {
            note(settings, "sandbox: the providers are simulated; nothing leaves this machine and nothing is spent");
            let (called, addr) = (sandbox::called(running), running.addr);
            note(settings, &format!("sandbox: {called} tells at http://{addr}/ what it has served"));
        }
        if !quiet {
            out::talk(&format!(
                "listening on http://{}/v1 (for clients of OpenAI and Anthropic; Ctrl-C stops it)\n",
                serving.addr
            ));
        }
        let exit = Cell::new(Exit::Ok);
        let (tell, told) = tokio::sync::oneshot::channel();
        let stop = async {
            exit.set(stopped.await);
            let _ = tell.send(());
        };
        let again = async {
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
            note(settings, "nothing more is taken in; what is under way may end (once more stops that, too)");
            chat::stop_signal().await;
        };
        tokio::select! {
            drained = serving.run(stop, again, GRACE) => {
                if !drained {
                    warn(settings, "what was still under way was stopped");
                }
            }
            () = renewed => {}
        }
        Ok(exit.get())
    })
}

/// The token that clients must show; `None` where none was asked for.
fn token(settings: &Settings, args: &ServeArgs) -> Result<Option<Token>, CliError> {
    let variable = || settings.keys.vars.plain(TOKEN).map(|_| TOKEN.to_owned());
    let named = args.token_env.clone().or_else(|| variable().filter(|_| args.token_file.is_none()));
    let (text, place) = match (named, &args.token_file) {
        (Some(name), _) => (settings.keys.vars.plain(&name).unwrap_or_default().to_owned(), name),
        (None, Some(path)) => (read_text(path)?, path.display().to_string()),
        (None, None) => return Ok(None),
    };
    let empty = || {
        CliError::new(Exit::Config, "token", format!("there is no token in {place}"))
            .fix("put one there, at least one character that is no space")
    };
    Token::new(&text).map(Some).ok_or_else(empty)
}

/// The clients with names.
fn clients(settings: &Settings, args: &ServeArgs, catalog: &Catalog) -> Result<Vec<Arc<Client>>, CliError> {
    let read = args.tokens.as_deref().map(|path| tokens::read(settings, catalog, path));
    Ok(read.transpose()?.unwrap_or_default())
}

/// A store, what is to be said of it, and why it is in memory alone, where it is.
type Opened = (Box<dyn ObservationStore>, Option<String>, Option<String>);

/// Where measurements are kept, and what is to be said of it. In the sandbox that is nowhere; where the day has a budget,
/// nothing is sent without the store.
fn store(settings: &Settings, budgeted: bool) -> Result<Opened, CliError> {
    if settings.sandbox.is_some() {
        return Ok((Box::new(Memory::new()), None, None));
    }
    match settings.store_behind() {
        Ok((store, note)) => Ok((store, note, None)),
        Err(reason) if budgeted => Err(unkept(reason)),
        Err(reason) => Ok((Box::new(Memory::new()), Some(format!("nothing is recorded: {reason}")), Some(reason))),
    }
}

/// Money is counted in the store alone.
fn unkept(reason: String) -> CliError {
    CliError::new(Exit::Config, "store", "budgets cannot be kept")
        .fact("reason", reason)
        .fix("make the folder of obs.db writable, or set OPENMUX_DATA_DIR to one that is")
}

/// The Redis that other gateways share with this one; `None` where there is none, and in the sandbox.
fn state(settings: &Settings, args: &ServeArgs) -> Result<Option<Address>, CliError> {
    let (place, url) = match (&args.state, settings.keys.vars.plain("OPENMUX_STATE")) {
        (Some(url), _) => ("--state", url.as_str()),
        (None, Some(url)) => ("OPENMUX_STATE", url),
        (None, None) => return Ok(None),
    };
    if settings.sandbox.is_some() {
        note(settings, "sandbox: nothing is shared with other gateways");
        return Ok(None);
    }
    // What was typed may hold a password.
    let wrong = |why| CliError::usage(format!("{place} is no address of a Redis: {why}")).fix("redis://HOST:PORT/DB");
    Address::parse(url).map(Some).map_err(wrong)
}

/// The same store, and what other gateways tell.
fn share(
    settings: &Settings,
    store: Box<dyn ObservationStore>,
    address: Address,
) -> Result<Box<dyn ObservationStore>, CliError> {
    let say = settings::talk(settings);
    let say = move |told: &Told| match told {
        Told::Together(text) => say(false, text),
        Told::Alone(text) => say(true, text),
    };
    let setup = Setup { address, process: group(settings::now()), now: settings::now, say: Box::new(say) };
    let failed = |error: crate::store::StoreError| {
        CliError::new(Exit::Config, "store", error.to_string()).fix("see --state, or leave it out")
    };
    Ok(Box::new(Shared::start(store, setup).map_err(failed)?))
}

/// Simulates every provider that can be: which model will be asked for nobody knows yet.
async fn everybody(settings: &Settings, catalog: &Catalog, scenario: &str) -> Result<(Running, Sandboxed), CliError> {
    let providers = catalog.providers().into_iter().filter_map(|provider| {
        let spoken = provider.protocols.iter().map(|spoken| (spoken.protocol, spoken.auth.clone()));
        let spoken = sandbox::playable(spoken);
        (!spoken.is_empty()).then_some(SandboxProvider { id: provider.id, name: provider.name, spoken })
    });
    sandbox::listen(settings, scenario, providers.collect(), 0).await
}

/// A decision as `route explain -o json` tells it.
fn explainer(catalog: &Catalog, overlays: usize) -> Explain {
    let catalog = catalog.clone();
    Box::new(move |explained| {
        let question = explained.question;
        let decision = question.decide();
        let days = catalog.days_of(&catalog.endpoints_for(&question.request.model));
        let day = days.most().unwrap_or(catalog.as_of());
        let envelope = Settings::envelope_of(&catalog, day, overlays, settings::now(), &explained.warnings);
        let mut document = head("route.explain/1", &envelope);
        document.extend(with_rates(&decision, explained.supposed, &|entry| Some(question.rates(entry))));
        document.extend(Otherwise::of(question, &decision, None).json(&decision));
        if let Some(hedge) = &explained.hedge {
            hedge::put(&mut document, hedge);
        }
        document.insert("fallback".to_owned(), fallback_json(&explained.fallback));
        document.into()
    })
}
