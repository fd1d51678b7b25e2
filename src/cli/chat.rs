//! `openmux chat`: one prompt, one answer, and the truth about how it went.

pub(super) mod budget;
mod close;
mod fallback;
mod send;
mod shape;

use super::args::{ChatArgs, Format};
use super::contract::Exit;
use super::error::CliError;
use super::out;
use super::printer::Printer;
use super::record::Recorder;
use super::render::cache::left_behind;
use super::render::explain::{View, human};
use super::render::hedge;
use super::render::request as render;
use super::settings::Settings;
use super::{Outcome, facts, note, print, print_page, prompt, report, sandbox, settings, warn};
use crate::catalog::resolve::Resolved;
use crate::chat::ChatRequest;
use crate::dispatch::{Dispatcher, Fallen, Prepared, Reach, Suppose, Turn, limits, route_request};
use crate::observe::ErrorClass;
use crate::routing::{Decision, Hedge, Unhedged};
use crate::upstream::auth::Signer;
use crate::upstream::transport::Transport;
use send::Session;
use shape::Shaped;

/// A runtime on this thread, for commands that do I/O.
///
/// # Errors
/// The system gives none.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(Exit::Config, "runtime", "cannot wait for the network")
            .fact("reason", error.to_string())
            .fix("allow more open files: ulimit -n 1024")
    })
}

/// Waits for Ctrl-C or SIGTERM, and says which exit code it means. From the call on, not from the first wait, neither
/// ends the process by itself.
pub(crate) fn stop_signal() -> impl Future<Output = Exit> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::interrupt()).and_then(|first| Ok((first, signal(SignalKind::terminate())?)));
        async move {
            let Ok((mut interrupt, mut terminate)) = signals else { return std::future::pending().await };
            tokio::select! {
                _ = interrupt.recv() => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
            }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
        Exit::Interrupted
    }
}

/// Runs the command.
///
/// # Errors
/// Everything that can go wrong with one chat, each with its exit code.
pub(crate) fn chat(settings: &Settings, args: &ChatArgs) -> Outcome {
    let format = match settings.format {
        None | Some(Format::Text | Format::Table) => Format::Text,
        Some(format @ (Format::Json | Format::Jsonl)) => format,
        Some(other) => return Err(CliError::no_format(other, &["text", "json", "jsonl"])),
    };
    let defaults = &settings.config.defaults;
    let args = &ChatArgs {
        ask: prompt::ask(settings, &args.ask)?,
        resume: args.resume || defaults.resume.unwrap_or_default() && !args.no_resume && !args.no_stream,
        usage: args.usage || defaults.usage.unwrap_or_default() && !args.no_usage,
        no_usage: args.no_usage || defaults.usage == Some(false) && !args.usage,
        ..args.clone()
    };
    let (catalog, _) = settings.catalog()?;
    let name = prompt::model_name(settings, args.ask.model.as_ref())?;
    let resolved = facts::model(&catalog, &name)?;
    let constraints = prompt::constraints(settings, &catalog, &resolved, &args.ask.choice)?;
    let request = prompt::request(settings, &resolved.model, &args.prompt, &args.ask, !args.no_stream)?;
    let day_cap = settings.config.day_budget().filter(|_| settings.sandbox.is_none() && !args.dry_run);
    prompt::bounded(&request, &constraints, day_cap.is_some())?;
    let links = fallback::links(settings, &catalog, args, &request)?;
    if settings.offline && settings.sandbox.is_none() && !args.dry_run {
        return Err(CliError::new(Exit::Refused, "offline", "not sent: --offline refuses the network")
            .fix("leave out --offline, or see the decision with --dry-run"));
    }
    settings::note_age(settings, &catalog, settings::now());
    let (store, store_note) = match (args.dry_run, day_cap) {
        (true, _) => settings.store_to_read(),
        (false, None) => settings.store_to_write(),
        // Without the store nobody knows what others spend.
        (false, Some(_)) => settings.store_on_disk().map_err(|reason| budget::unkept(&reason))?,
    };
    if let Some(text) = store_note {
        warn(settings, &text);
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let started = match &settings.sandbox {
            Some(scenario) => {
                let named = sandbox::named(&constraints);
                let stage = sandbox::Stage { scenario, port: 0, named: &named };
                Some(sandbox::start(settings, &catalog, &resolved, stage).await?)
            }
            None => None,
        };
        if started.is_some() {
            note(settings, "sandbox: the providers are simulated; nothing leaves this machine and nothing is spent");
        }
        let region = args.ask.choice.region.as_ref().map(|region| region.name.as_str()).or_else(|| settings.region());
        let dispatcher = Dispatcher {
            catalog: &catalog,
            store: store.as_ref(),
            keys: &settings.keys,
            now: &settings::now,
            sandbox: started.as_ref().map(|(_, simulated)| simulated),
            region,
            clerk: None,
        };
        let (fallen, rest) = (&std::cell::RefCell::default(), links.as_slice());
        let asked = Asked {
            settings,
            args,
            format,
            request: &request,
            resolved: &resolved,
            constraints,
            rest,
            fallen,
            day_cap,
        };
        asked.run(&dispatcher).await
    });
    runtime.shutdown_background();
    outcome
}

/// One chat that is ready to be decided and executed.
struct Asked<'a> {
    settings: &'a Settings,
    args: &'a ChatArgs,
    format: Format,
    request: &'a ChatRequest,
    resolved: &'a Resolved,
    constraints: crate::routing::Constraints,
    /// The models to go on to.
    rest: &'a [fallback::Link],
    /// What came before this model.
    fallen: &'a std::cell::RefCell<Fallen>,
    day_cap: Option<crate::units::Usd>,
}

impl Asked<'_> {
    async fn run(&self, dispatcher: &Dispatcher<'_>) -> Outcome {
        let (settings, args) = (self.settings, self.args);
        let store = dispatcher.store;
        let counted = if args.dry_run { store.peek_seed() } else { store.take_seed() };
        let seed = args.ask.choice.seed.unwrap_or_else(|| counted.unwrap_or(0));
        let mut policy = prompt::policy(&args.ask.choice);
        policy.retries = args.retries.or(settings.config.defaults.retries).unwrap_or(policy.retries);
        let turn = Turn {
            resolved: self.resolved,
            chat: self.request,
            policy: &policy,
            session: args.ask.session.as_deref(),
            talks: true,
            all: false,
        };
        let route = route_request(self.request, self.constraints.clone());
        let Prepared { reaches, talk, route } = dispatcher.prepare(turn, route);
        let routed =
            dispatcher.route(&route, Some(self.request), &reaches, &policy, seed, Suppose::where_none(args.dry_run));
        if let Some(text) = &routed.warning {
            warn(settings, text);
        }
        let decision = &routed.decision;
        if args.dry_run {
            if decision.chosen().is_none()
                && let Some(outcome) = self.without_provider(dispatcher).await
            {
                return outcome;
            }
            let hedge = dispatcher.hedge(decision, args.ask.hedge);
            let today = budget::Today::of(settings, store, decision);
            return self.dry_run((decision, &hedge, today), &reaches, routed.supposed);
        }
        let Some(first) = decision.chosen() else {
            if let Some(outcome) = self.without_provider(dispatcher).await {
                return outcome;
            }
            let model = &self.resolved.model;
            let error = report::unroutable(decision, model, &reaches);
            return Err(report::fits::told(error, decision, dispatcher.catalog, model));
        };
        let hedge = dispatcher.hedge(decision, args.ask.hedge);
        if settings.verbose > 0 {
            let view = View {
                width: settings.width.clamp(40, 120),
                style: settings.err,
                all: false,
                verbose: true,
                supposed: false,
                sending: true,
            };
            out::talk(&(human(decision, view) + &hedge::text(&hedge, view.width)));
        } else if let Some(why) = hedge.as_ref().err().and_then(hedge::reason) {
            note(settings, &format!("nobody is asked beside {}: {why}", first.endpoint.provider));
        }
        let hedge = hedge.ok();
        self.cautions(first, &reaches);
        if let Some(text) = left_behind(decision) {
            note(settings, &text);
        }
        let transport = Transport::new(&settings.transport(settings.connect_timeout(args.connect_timeout))?)
            .map_err(|error| CliError::no_client(error.0))?;
        // In the sandbox the clouds' chains see nothing of the real environment.
        let vars = dispatcher.sandbox.map_or(&settings.keys.vars, |sandbox| &sandbox.vars);
        let signer = Signer::new(vars.clone());
        let shaped = self.request.schema.is_some();
        let mut printer = Printer::new(settings, self.format, &self.request.model, &reaches);
        printer.show_reasoning = args.show_reasoning;
        printer.recorder = match &args.record {
            Some(folder) => Some(Recorder::open(folder, settings.sandbox.is_some())?),
            None => None,
        };
        let first_token = args.first_token_timeout.or(settings.config.defaults.first_token_timeout);
        let mut session = Session {
            dispatcher,
            reaches: &reaches,
            wire: crate::dispatch::Wire { transport: &transport, signer: &signer },
            limits: limits(decision, &reaches, first_token.map(|limit| limit.0)),
            idle: settings.idle_timeout(args.idle_timeout),
            total: (settings.total_timeout(args.timeout)?)
                .map(|total| total.saturating_sub(self.fallen.borrow().elapsed())),
            // What may have to be asked for once more is shown to nobody before.
            resume: args.resume,
            hold: args.no_stream || self.format == Format::Json || shaped,
            talk,
            gone: printer.gone(),
            day_cap: self.day_cap,
            hedge,
            signalled: None,
            kept: None,
        };
        let told = if shaped {
            shape::ask(self, &mut session, &routed, (&policy, seed), &mut printer).await?
        } else {
            Shaped::plain(session.send(self.request, &routed, &mut printer).await)
        };
        if told.answered().is_none_or(|attempt| attempt.outcome.class == ErrorClass::OkFiltered)
            && let Some(outcome) = self.without_answer(dispatcher, &session, &printer, &told.report).await
        {
            return outcome;
        }
        let told = told.after(&self.fallen.borrow());
        self.close(printer, &told, decision, (session.signalled, session.kept)).await
    }

    /// What a person should know before it is sent: a model that is on its way out, a key in the clear.
    fn cautions(&self, first: &crate::routing::Ranked, reaches: &[Reach]) {
        let (model, provider) = (&self.resolved.model, &first.endpoint.provider);
        let leaving = [crate::catalog::Status::Deprecated, crate::catalog::Status::Unlisted];
        if leaving.contains(&first.status) && self.settings.sandbox.is_none() {
            warn(self.settings, &format!("{model} is {} at {provider}", first.status.name()));
        }
        for measure in &first.missed {
            warn(
                self.settings,
                &format!("{provider} misses {}, and nobody else is known to keep to it", measure.flag()),
            );
        }
        for measure in &first.unproven {
            note(self.settings, &format!("{} is not measured at {provider}, nor kept to elsewhere", measure.flag()));
        }
        let reach = reaches.iter().find(|reach| reach.endpoint.id == first.endpoint);
        if reach.is_some_and(Reach::in_the_clear) {
            warn(self.settings, &format!("{provider} is reached over plain http: its key travels in the clear"));
        }
    }

    /// The route, the request without its key, and the bound; nothing is sent.
    fn dry_run(
        &self,
        (decision, hedge, today): (&Decision, &Result<Hedge, Unhedged>, Option<budget::Today>),
        reaches: &[Reach],
        supposed: bool,
    ) -> Outcome {
        let chosen =
            decision.chosen().and_then(|first| reaches.iter().find(|reach| reach.endpoint.id == first.endpoint));
        let view = View {
            width: self.settings.width.clamp(40, 120),
            style: self.settings.out,
            all: false,
            verbose: self.settings.verbose > 0,
            supposed,
            sending: false,
        };
        if self.format == Format::Text {
            let left = today.map(|today| today.text(view.width)).unwrap_or_default();
            print_page(self.settings, &(human(decision, view) + &left + &hedge::text(hedge, view.width)))?;
            print(&chosen.map(|reach| render::request_text(self.request, reach)).unwrap_or_default())?;
        } else {
            let sent = chosen.map(|reach| render::request_json(self.request, reach));
            print(&render::dry_run_json((decision, hedge, today), supposed, sent))?;
        }
        match decision.chosen() {
            Some(_) => Ok(Exit::Ok),
            None => Err(report::unroutable(decision, &self.resolved.model, reaches)),
        }
    }
}
