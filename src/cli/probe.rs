//! `openmux providers probe`: how fast providers answer now, by calls of its own whose cost is bounded before the first
//! one.

mod budget;
mod live;
mod table;
mod targets;
mod told;

use std::time::Duration;

use tokio::sync::watch;

use super::args::{Format, ProvidersProbe};
use super::contract::Exit;
use super::error::CliError;
use super::offline::Offline;
use super::render::money::dollars;
use super::render::text::{listed, wrap};
use super::settings::{self, Settings};
use super::{Outcome, check, note, out, sandbox, warn};
use crate::dispatch::{Dispatcher, Wire};
use crate::probe::plan::Kind;
use crate::probe::report::{Line, lines};
use crate::probe::run::{Report, Schedule, run};
use crate::probe::sample::Ended;
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
    if args.parallel.is_some() && args.kind != Kind::Burst {
        return Err(CliError::usage("--parallel is for --kind burst; the other kinds make one call at a time")
            .fix("leave out --parallel, or add --kind burst"));
    }
    let args = &ProvidersProbe { unit: Some(settings.unit(args.unit)), ..args.clone() };
    let offline = Offline::open(settings, None)?;
    match measured(offline, args)? {
        (offline, Measured::Nothing(found, rounds)) => {
            // People have read the bound already; a format is asked for by a program.
            if settings.format.is_some() {
                table::print_plan(&offline, args, format, &found, rounds)?;
            }
            Ok(Exit::Ok)
        }
        (offline, Measured::Calls(calls)) => close(&offline, args, format, &calls),
    }
}

/// What was measured for another command.
pub(crate) struct Beforehand {
    /// What it cost, in USD.
    pub(crate) spent: Usd,
    /// How a signal ended it.
    pub(crate) signalled: Option<Exit>,
    /// That nobody answered, if nobody did.
    pub(crate) nobody: Option<CliError>,
}

/// Measures for another command, which prints what it makes of it.
///
/// # Errors
/// As for [`probe`], but that nobody answered is no error: it was measured.
pub(crate) fn beforehand(settings: &Settings, args: &ProvidersProbe) -> Result<Beforehand, CliError> {
    let (_, Measured::Calls(calls)) = measured(Offline::quietly(settings)?, args)? else {
        return Ok(Beforehand { spent: Usd::ZERO, signalled: None, nobody: None });
    };
    let lines = lines(&calls.report);
    for told in told::told(&calls.found, args.kind, &lines) {
        note(settings, &told);
    }
    say_cost(settings, &lines, calls.bound);
    let answered = lines.iter().any(|line| line.successes > 0);
    let nobody = (!answered).then(|| nobody(&lines));
    Ok(Beforehand { spent: calls.report.spent, signalled: calls.signalled, nobody })
}

/// What a probe comes to.
enum Measured {
    /// Nothing was sent, as was wished: whom it would ask, and how often.
    Nothing(Found, u32),
    /// What was sent.
    Calls(Box<Calls>),
}

/// Calls that were made.
struct Calls {
    found: Found,
    report: Report,
    bound: Usd,
    planned: u64,
    signalled: Option<Exit>,
}

fn measured<'a>(mut offline: Offline<'a>, args: &ProvidersProbe) -> Result<(Offline<'a>, Measured), CliError> {
    let wanted = Wanted::read(&offline.catalog, args)?;
    if !args.dry_run {
        let (store, warning) = offline.settings.store_for_probes();
        offline.store = store;
        offline = offline.warned(warning);
    }
    let runtime = super::chat::runtime()?;
    let outcome = runtime.block_on(asked(&offline, args, &wanted));
    runtime.shutdown_background();
    outcome.map(|measured| (offline, measured))
}

async fn asked(offline: &Offline<'_>, args: &ProvidersProbe, wanted: &Wanted) -> Result<Measured, CliError> {
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
    let caps = settings.config.probe();
    let found = targets::find(&dispatcher, wanted, args, if args.yes { u32::MAX } else { caps.calls })?;
    for left_out in &found.left_out {
        note(settings, left_out);
    }
    let rounds = match (args.quick, args.precise) {
        (true, _) => QUICK,
        (_, true) => PRECISE,
        _ => args.rounds.unwrap_or(DEFAULT),
    };
    let bound = times(rounds, found.parallel, found.targets.iter().map(|target| target.bound).sum());
    if !settings.quiet || args.dry_run {
        out::talk(&announced(&found, rounds, bound, settings.width));
    }
    if args.dry_run {
        return Ok(Measured::Nothing(found, rounds));
    }
    for reach in found.reaches.iter().filter(|reach| reach.in_the_clear()) {
        warn(settings, &format!("{} is reached over plain http: its key travels in the clear", reach.provider.id));
    }
    let transport =
        Transport::new(&settings.transport(Some(CONNECT))?).map_err(|error| CliError::no_client(error.0))?;
    let signer = Signer::new(simulated.map_or(&settings.keys.vars, |simulated| &simulated.vars).clone());
    let budget = Budget::reserve(dispatcher.store, bound, args, caps)?;
    let schedule = Schedule {
        kind: args.kind,
        rounds,
        parallel: found.parallel,
        until_known: args.precise,
        every: args.every,
        seed: args.seed.unwrap_or_else(fresh_seed),
        budget: bound,
    };
    if settings.verbose > 0 {
        note(settings, &format!("seed {}", schedule.seed));
    }
    let (stop, stopped) = watch::channel(false);
    let planned =
        u64::from(rounds).saturating_mul(u64::from(found.parallel)).saturating_mul(found.targets.len() as u64);
    let progress = live::Progress::new(settings, planned);
    let wire = Wire { transport: &transport, signer: &signer };
    let live = Live::new(&dispatcher, wire, &found, stopped.clone(), progress);
    let (report, signalled) = {
        let running = async {
            live.warm(settings, CONNECT).await;
            run(&schedule, &found.targets, &live, stopped).await
        };
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
    if let Some(reason) = live.finish() {
        warn(settings, &format!("not all calls were recorded: {reason}"));
    }
    if let Err(error) = budget.settle(dispatcher.store, report.spent) {
        warn(settings, &format!("what was set aside counts as spent: {error}"));
    }
    Ok(Measured::Calls(Box::new(Calls { found, report, bound, planned, signalled })))
}

/// Says what calls cost.
fn say_cost(settings: &Settings, lines: &[Line], bound: Usd) {
    let spent = lines.iter().map(|line| line.cost).sum::<Usd>();
    let verb = if settings.sandbox.is_some() { "it would have cost" } else { "spent" };
    note(settings, &format!("{verb} {} of at most {}", dollars(spent), dollars(bound)));
    if spent > bound {
        warn(settings, "it cost more than its bound: a bug in openmux, or a price in the catalog that is too low");
    }
}

/// Prints what was found, says what it cost, and how the command ended.
fn close(offline: &Offline<'_>, args: &ProvidersProbe, format: Format, calls: &Calls) -> Outcome {
    let settings = offline.settings;
    let lines = lines(&calls.report);
    table::print(offline, args, format, &calls.found, &lines)?;
    for told in told::told(&calls.found, args.kind, &lines) {
        note(settings, &told);
    }
    say_cost(settings, &lines, calls.bound);
    if let Some(exit) = calls.signalled {
        let made: u32 = lines.iter().map(|line| line.attempts).sum();
        note(settings, &format!("stopped after {made} of {} calls", calls.planned));
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
    if !lines.is_empty() && lines.iter().all(|line| line.ended == Ended::Offline) {
        return CliError::new(exit, "probe", "nobody could be reached")
            .fix("look at this machine's network, VPN and proxy (HTTPS_PROXY)");
    }
    CliError::new(exit, "probe", "no endpoint answered").fix("openmux providers check   (asks each without spending)")
}

/// What so many rounds cost where a call of each endpoint together costs `one`, in USD.
fn times(rounds: u32, parallel: u32, one: Usd) -> Usd {
    (0..u64::from(rounds) * u64::from(parallel)).map(|_| one).sum()
}

/// What is about to be asked, and what that can cost, in lines of so many columns.
fn announced(found: &Found, rounds: u32, bound: Usd, columns: usize) -> String {
    let names: Vec<String> = found.targets.iter().map(|target| target.endpoint.id.provider.to_string()).collect();
    let plural = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    // Without a price there is nothing to expect, and the sum of the others would be taken for all of it.
    let expected: Option<Usd> = found.expected.iter().copied().sum();
    let expected = expected.map(|one| format!(", expected {}", dollars(times(rounds, found.parallel, one))));
    let rounds = plural(usize::try_from(rounds).unwrap_or(usize::MAX), "round");
    let endpoints = plural(names.len(), "endpoint");
    let names = listed(&names, 8);
    let at_once = if found.parallel > 1 { format!(" x {} calls at once", found.parallel) } else { String::new() };
    let beyond = if found.unpriced == 0 {
        String::new()
    } else {
        format!(", beside what {} without a price may cost", plural(found.unpriced, "endpoint"))
    };
    let expected = expected.unwrap_or_default();
    let told = format!("{rounds} x {endpoints}{at_once} ({names}): at most {}{expected}{beyond}", dollars(bound));
    wrap(&told, columns.max(40)).iter().map(|line| format!("{line}\n")).collect()
}

/// A seed that no other run has, so that no prompt was ever sent before.
fn fresh_seed() -> u64 {
    crate::dispatch::group(settings::now()).iter().skip(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
