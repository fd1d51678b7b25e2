//! `openmux providers probe`: how fast providers answer now, by calls of its own whose cost is bounded before the first
//! one.

mod budget;
mod live;
mod table;
mod targets;

use std::time::Duration;

use tokio::sync::watch;

use super::args::{Format, ProvidersProbe};
use super::contract::Exit;
use super::error::CliError;
use super::offline::Offline;
use super::render::money::dollars;
use super::settings::{self, Settings};
use super::{Outcome, check, note, out, sandbox, warn};
use crate::dispatch::{Dispatcher, Forecast, Wire};
use crate::probe::report::{Line, lines};
use crate::probe::run::{Report, Schedule, Target, run};
use crate::units::Usd;
use crate::upstream::auth::Signer;
use crate::upstream::transport::Transport;
use budget::Budget;
use live::Live;
use targets::{Found, Wanted};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);
/// Rounds of `--quick`.
const QUICK: u32 = 3;
/// Rounds where nothing is said.
const DEFAULT: u32 = 10;
/// The most rounds of `--precise`.
const PRECISE: u32 = 30;

/// Runs the command.
///
/// # Errors
/// A name means nothing, nobody can be asked, it may cost too much, or nobody answered.
pub(crate) fn probe(settings: &Settings, args: &ProvidersProbe) -> Outcome {
    let format = settings.list_format()?;
    if settings.offline && settings.sandbox.is_none() && !args.dry_run {
        return Err(CliError::new(Exit::Refused, "offline", "not sent: --offline refuses the network")
            .fix("leave out --offline, see the cost with --dry-run, or try it with --sandbox"));
    }
    let mut offline = Offline::open(settings, None)?;
    let wanted = Wanted::read(&offline.catalog, args)?;
    if !args.dry_run {
        let (store, warning) = settings.store_to_write();
        offline.store = store;
        offline = offline.warned(warning);
    }
    let runtime = super::chat::runtime()?;
    let outcome = runtime.block_on(asked(&offline, args, &wanted, format));
    runtime.shutdown_background();
    outcome
}

async fn asked(offline: &Offline<'_>, args: &ProvidersProbe, wanted: &Wanted, format: Format) -> Outcome {
    let settings = offline.settings;
    let started = match (&settings.sandbox, wanted.models.first()) {
        (Some(scenario), Some(model)) => {
            let stage = sandbox::Stage { scenario, port: 0, named: &wanted.providers };
            Some(sandbox::start(settings, &offline.catalog, model, stage).await?)
        }
        _ => None,
    };
    let simulated = started.as_ref().map(|(_, simulated)| simulated);
    let dispatcher = Dispatcher { now: &settings::now, ..offline.dispatcher(simulated, None) };
    if simulated.is_some() {
        note(settings, "sandbox: the providers are simulated; nothing leaves this machine and nothing is spent");
    }
    let found = targets::find(&dispatcher, wanted, args)?;
    for left_out in &found.left_out {
        note(settings, left_out);
    }
    let rounds = match (args.quick, args.precise) {
        (true, _) => QUICK,
        (_, true) => PRECISE,
        _ => args.rounds.unwrap_or(DEFAULT),
    };
    let bound = bound(&found.targets, rounds);
    if !settings.quiet || args.dry_run {
        out::talk(&format!("{}\n", announced(&found, rounds, bound)));
    }
    if args.dry_run {
        return Ok(Exit::Ok);
    }
    for reach in found.reaches.iter().filter(|reach| reach.in_the_clear()) {
        warn(settings, &format!("{} is reached over plain http: its key travels in the clear", reach.provider.id));
    }
    let transport = Transport::new(&settings.transport(Some(CONNECT))?).map_err(|error| {
        CliError::new(Exit::Config, "transport", "cannot make an HTTP client").fact("reason", error.0)
    })?;
    let signer = Signer::new(simulated.map_or(&settings.keys.vars, |simulated| &simulated.vars).clone());
    let budget = Budget::reserve(dispatcher.store, bound, args)?;
    let schedule = Schedule {
        kind: args.kind,
        rounds,
        until_known: args.precise,
        every: args.every.and_then(|every| every.0),
        seed: args.seed.unwrap_or_else(fresh_seed),
        budget: bound,
    };
    if settings.verbose > 0 {
        note(settings, &format!("seed {}", schedule.seed));
    }
    let (stop, stopped) = watch::channel(false);
    let mut live = Live {
        dispatcher: &dispatcher,
        reaches: &found.reaches,
        forecasts: found
            .targets
            .iter()
            .map(|target| Forecast { bound: Some(target.bound), ..Forecast::default() })
            .collect(),
        wire: Wire { transport: &transport, signer: &signer },
        cancel: stopped.clone(),
        progress: live::Progress::new(settings, u64::from(rounds).saturating_mul(found.targets.len() as u64)),
        not_recorded: None,
        late: None,
    };
    let (report, signalled) = {
        let running = run(&schedule, &found.targets, &mut live, stopped);
        tokio::pin!(running);
        let signal = super::chat::stop_signal();
        tokio::pin!(signal);
        let mut signalled = None;
        loop {
            tokio::select! {
                report = &mut running => break (report, signalled),
                exit = &mut signal, if signalled.is_none() => {
                    signalled = Some(exit);
                    let _ = stop.send(true);
                }
            }
        }
    };
    live.progress.clear();
    if let Some(reason) = &live.not_recorded {
        warn(settings, &format!("not all calls were recorded: {reason}"));
    }
    if let Err(error) = budget.settle(dispatcher.store, report.spent) {
        warn(settings, &format!("what was set aside counts as spent: {error}"));
    }
    close(offline, args, format, &found, (&report, bound), signalled)
}

/// Prints what was found, says what it cost, and how the command ended.
fn close(
    offline: &Offline<'_>,
    args: &ProvidersProbe,
    format: Format,
    found: &Found,
    (report, bound): (&Report, Usd),
    signalled: Option<Exit>,
) -> Outcome {
    let settings = offline.settings;
    let lines = lines(report);
    table::print(offline, args, format, found, &lines)?;
    for told in table::told(found, &lines) {
        note(settings, &told);
    }
    if !report.late.is_zero() && report.late >= Duration::from_millis(50) {
        note(settings, &format!("a round began {} late", super::render::text::duration(report.late)));
    }
    let spent = lines.iter().map(|line| line.cost).sum::<Usd>();
    note(settings, &format!("spent {} of at most {}", dollars(spent), dollars(bound)));
    if spent > bound {
        warn(settings, "it cost more than its bound: a bug in openmux, or a price in the catalog that is too low");
    }
    if let Some(exit) = signalled {
        return Ok(exit);
    }
    if lines.iter().any(|line| line.successes > 0) {
        return Ok(Exit::Ok);
    }
    Err(nobody(&lines))
}

/// Nobody answered: what no retry cures decides the exit code, as in `providers check`.
fn nobody(lines: &[Line]) -> CliError {
    let exits: Vec<Exit> =
        lines.iter().flat_map(|line| &line.failures).map(|sample| check::exit(sample.class)).collect();
    let exit = check::ORDER.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Unavailable);
    CliError::new(exit, "probe", "no endpoint answered").fix("openmux providers check   (asks each without spending)")
}

/// The most that so many rounds can cost, in USD.
fn bound(targets: &[Target], rounds: u32) -> Usd {
    let round: Usd = targets.iter().map(|target| target.bound).sum();
    (0..rounds).map(|_| round).sum()
}

fn announced(found: &Found, rounds: u32, bound: Usd) -> String {
    let names: Vec<String> = found.targets.iter().map(|target| target.endpoint.id.provider.to_string()).collect();
    let plural = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let rounds = plural(usize::try_from(rounds).unwrap_or(usize::MAX), "round");
    let endpoints = plural(names.len(), "endpoint");
    let names = super::render::text::first_of(&names, 8);
    let beyond = if found.unpriced == 0 {
        String::new()
    } else {
        format!(", beside what {} without a price may cost", plural(found.unpriced, "endpoint"))
    };
    format!("{rounds} x {endpoints} ({names}): at most {}{beyond}", dollars(bound))
}

/// A seed that no other run has, so that no prompt was ever sent before.
fn fresh_seed() -> u64 {
    super::chat::group().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
