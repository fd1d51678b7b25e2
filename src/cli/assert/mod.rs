//! `openmux check`: assertions about models, providers and the catalog, for CI. Each is answered ok, no or unknown; what
//! nobody knows is never ok.

mod changes;
mod claim;
mod court;
mod judge;
mod lock;
mod measured;
mod mend;
mod offer;
mod row;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

pub(crate) use row::{Row, Tally, Verdict};

use super::args::{CheckArgs, Format, ListArgs, ProvidersProbe};
use super::contract::Exit;
use super::error::CliError;
use super::offline::Offline;
use super::probe::{self, Beforehand};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::render::text::one_line;
use super::render::verdict;
use super::settings::{self, Settings, read_text};
use super::{Outcome, config, facts, note, print, print_page};
use crate::probe::plan::Kind;
use crate::units::Usd;
use claim::{Check, Claim, Of};
use court::Court;

/// The columns of every format but the page, in a fixed order.
const COLUMNS: [Column; 11] = [
    Column::new("verdict", "", "VERDICT", Show::Plain, 0),
    Column::new("subject", "", "SUBJECT", Show::Plain, 0),
    Column::new("provider", "", "PROVIDER", Show::Plain, 1),
    Column::new("assertion", "", "ASSERTION", Show::Plain, 1),
    Column::new("wanted", "", "WANTED", Show::Plain, 2),
    Column::new("found", "", "FOUND", Show::Plain, 2),
    Column::new("message", "", "WHAT", Show::Plain, 3),
    Column::new("fix", "", "FIX", Show::Plain, 4),
    Column::new("file", "", "FILE", Show::Plain, 5),
    Column::new("line", "", "LINE", Show::Number, 5),
    Column::new("code", "", "CODE", Show::Plain, 6),
];

/// Runs the command.
///
/// # Errors
/// A file cannot be read, or something in it cannot be meant.
pub(crate) fn check(settings: &Settings, args: &CheckArgs) -> Outcome {
    let format = format(settings)?;
    let mut checks = claim::typed(args);
    for path in &args.file {
        let text = read_text(path)?;
        checks.extend(claim::read(path, &text).map_err(|error| config::broken(&error))?);
    }
    let stands = args.models.is_empty() && claim::needs_a_model(args);
    if stands || (checks.is_empty() && args.lock.is_none()) {
        return Err(nothing(args, stands));
    }
    if args.probe && settings.offline && settings.sandbox.is_none() {
        return Err(CliError::new(Exit::Refused, "offline", "not probed: --offline refuses the network")
            .fix("leave out --probe, or try it with --sandbox"));
    }
    if let Some(option) = idle(args, &checks) {
        let (uses, fix) = match option {
            "--tokens" => ("a price, a wait or a speed", "--max-call-price 0.05"),
            _ => ("what is measured", "--max-ttft 2s"),
        };
        return Err(CliError::usage(format!("{option} is for {uses}, and nothing of that is asserted"))
            .fix(format!("leave out {option}, or assert something of it: {fix}")));
    }
    let mut offline = Offline::open(settings, args.at.at)?;
    let probed = match args.probe {
        true => match probed(&offline, args, &checks)? {
            Ok(probed) => probed,
            Err(signalled) => return Ok(signalled),
        },
        false => Probed::default(),
    };
    if args.probe {
        let (store, warning) = settings.store_to_show();
        offline.store = store;
        offline = offline.warned(warning);
    }
    let mut court = Court::new(&offline, &args.window).dated(&checks);
    (court.probed, court.unprobed) = (probed.since, probed.nobody);
    let mut rows: Vec<Row> = checks.iter().flat_map(|check| court.judge(check)).collect();
    if let Some(path) = &args.lock {
        rows.extend(locked(&court, path, args, &checks)?);
    }
    show(&offline, format, rows)
}

/// The format: also those of CI systems.
fn format(settings: &Settings) -> Result<Format, CliError> {
    match settings.format {
        Some(format @ (Format::Github | Format::Junit)) => Ok(format),
        _ => settings.list_format(),
    }
}

fn nothing(args: &CheckArgs, stands: bool) -> CliError {
    let message = if stands { "of which model?" } else { "nothing is to be checked" };
    let error = CliError::usage(message);
    let error = if args.file.is_empty() { error } else { error.fact("file", "it holds no assertion") };
    error.fix("openmux check MODEL --max-price-in 3   or   openmux check --file models.check.toml")
}

/// An option of the command line that nothing which is asserted makes use of.
fn idle(args: &CheckArgs, checks: &[Check]) -> Option<&'static str> {
    let claims = claim::claims(args);
    let is_measured = checks.iter().flat_map(|check| &check.claims).any(|(claim, _)| claim.is_measured());
    if args.tokens.is_some() && !claims.iter().any(Claim::is_of_a_size) {
        return Some("--tokens");
    }
    (args.window.window.is_some() && !is_measured).then_some("--window")
}

/// What came of probes, by the name of the model.
#[derive(Default)]
struct Probed {
    /// When each began.
    since: BTreeMap<String, Timestamp>,
    /// Why one could not be probed, or nobody answered.
    nobody: BTreeMap<String, CliError>,
}

/// Measures what is asserted, model by model, within one budget; or how a signal ended it.
fn probed(offline: &Offline<'_>, args: &CheckArgs, checks: &[Check]) -> Result<Result<Probed, Exit>, CliError> {
    let settings = offline.settings;
    let court = Court::new(offline, &args.window);
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for check in checks {
        let Of::Model { typed, providers, shape, .. } = &check.of else { continue };
        let (told, untold): (Vec<&Claim>, Vec<&Claim>) =
            check.claims.iter().map(|(claim, _)| claim).partition(|claim| claim.is_told_by_a_probe(*shape));
        if let (Some(claim), Some(shape)) = (untold.into_iter().find(|claim| claim.is_measured()), shape) {
            let name = claim.name();
            note(settings, &format!("a probe's calls are short: {name} of {} tokens in is not probed", shape.input));
        }
        if told.is_empty() {
            continue;
        }
        let Ok(model) = facts::model(court.catalog(), typed) else { continue };
        let all = court.offers(&model);
        let (offers, _) = court.meant(&model, &all, &court::wanted(&model, providers));
        let known = wanted.entry(court::name(&model)).or_default();
        for offer in offers {
            let provider = offer.provider().to_string();
            if !known.contains(&provider) {
                known.push(provider);
            }
        }
    }
    if wanted.values().all(Vec::is_empty) {
        note(settings, "nothing is asserted that a probe could tell");
    }
    let mut left = args.max_cost.unwrap_or(settings.config.probe().run);
    let mut probed = Probed::default();
    for (model, providers) in wanted.into_iter().filter(|(_, providers)| !providers.is_empty()) {
        let begun = settings::now();
        match probe::beforehand(settings, &asked(&model, providers, args.rounds, left)) {
            Ok(Beforehand { signalled: Some(signalled), .. }) => return Ok(Err(signalled)),
            Ok(Beforehand { spent, nobody, .. }) => {
                left = if spent < left { left - spent } else { Usd::ZERO };
                probed.since.insert(model.clone(), begun);
                probed.nobody.extend(nobody.map(|error| (model, error)));
            }
            Err(error) => {
                probed.nobody.insert(model, error);
            }
        }
    }
    Ok(Ok(probed))
}

/// A probe as it would be typed.
fn asked(model: &str, providers: Vec<String>, rounds: Option<u32>, left: Usd) -> ProvidersProbe {
    ProvidersProbe {
        targets: vec![model.to_owned()],
        provider: providers,
        kind: Kind::Speed,
        parallel: None,
        quick: false,
        precise: false,
        rounds,
        every: None,
        seed: None,
        max_cost: Some(left),
        yes: false,
        allow_unpriced: false,
        dry_run: false,
        list: plain(),
        unit: None,
    }
}

fn plain() -> ListArgs {
    ListArgs { fields: Vec::new(), sort: Vec::new(), reverse: false, limit: None }
}

/// What the lock says, or a new one.
fn locked(court: &Court<'_>, path: &Path, args: &CheckArgs, checks: &[Check]) -> Result<Vec<Row>, CliError> {
    let shown = path.display().to_string();
    let (asked, whole) = changes::asked(court, checks);
    let Some(entries) = lock::read(path)? else {
        if args.locked {
            return Err(CliError::new(Exit::NotFound, "lock", format!("there is no lock {shown}"))
                .fix("leave out --locked to write it"));
        }
        // What is asked about is unknown, which is said already.
        if !whole {
            return Ok(Vec::new());
        }
        if asked.is_empty() {
            return Err(CliError::new(Exit::NotFound, "lock", format!("there is no lock {shown}"))
                .fix(format!("openmux check MODEL --lock {shown}")));
        }
        let facts: Vec<_> = asked.into_iter().map(|(facts, _)| facts).collect();
        lock::write(path, court.catalog().generated(), &facts)?;
        return Ok(changes::written(&facts, &shown));
    };
    // Where something that is asked about is unknown nothing is written, so nothing is said to be.
    let update = args.update_lock && whole;
    let compared = changes::compare(court, &entries, update);
    let mut rows = compared.rows;
    if update {
        let known = |facts: &lock::Locked| entries.iter().any(|entry| entry.facts.is_of(facts));
        let new: Vec<_> = asked.into_iter().map(|(facts, _)| facts).filter(|facts| !known(facts)).collect();
        rows.extend(changes::written(&new, &shown));
        let today = [compared.today, new].concat();
        // One that says the same is left alone, whatever its catalog's day.
        if today != entries.into_iter().map(|entry| entry.facts).collect::<Vec<_>>() {
            lock::write(path, court.catalog().generated(), &today)?;
        }
    } else {
        rows.extend(changes::absent(&asked, &entries, &shown));
    }
    Ok(rows)
}

/// Prints the answers, and says how the command ends.
fn show(offline: &Offline<'_>, format: Format, rows: Vec<Row>) -> Outcome {
    let settings = offline.settings;
    // Of nothing at all nobody can say that it holds.
    if rows.is_empty() {
        return Err(CliError::new(Exit::NotFound, "check_unknown", "nothing was checked")
            .fix("openmux check MODEL, or a file that names models: openmux help check"));
    }
    let (exit, tally) = (row::exit(&rows), Tally::of(&rows));
    let fix = rows.iter().filter(|row| row.verdict != Verdict::Ok).find_map(|row| row.fix.clone());
    match format {
        Format::Table | Format::Wide => print_page(settings, &verdict::page(&rows, settings.width, settings.out))?,
        Format::Github => print(&verdict::github(&rows))?,
        Format::Junit => print(&verdict::junit(&rows))?,
        Format::Ids => print(&subjects(&rows))?,
        format => {
            let mut sheet = Sheet {
                schema: "check/1",
                command: "check",
                columns: COLUMNS.to_vec(),
                rows: rows.into_iter().map(cells).collect(),
                marked: Vec::new(),
            };
            let (printed, _) = offline.lay_out(&mut sheet, format, &plain(), &[], false)?;
            print(&printed.text)?
        }
    };
    if exit == Exit::Ok || format.is_page() || format == Format::Github {
        return Ok(exit);
    }
    let detail = if exit == Exit::Negative { "check" } else { "check_unknown" };
    let fix = fix.unwrap_or_else(|| "openmux help check   (what can be asserted, and what answers mean)".to_owned());
    Err(CliError::new(exit, detail, tally.told()).fix(fix))
}

/// What the answers are about, each once.
fn subjects(rows: &[Row]) -> String {
    let mut named: Vec<&str> = Vec::new();
    for row in rows {
        if !named.contains(&row.subject.as_str()) {
            named.push(&row.subject);
        }
    }
    named.into_iter().map(|name| format!("{}\n", one_line(name))).collect()
}

fn cells(row: Row) -> Vec<Cell> {
    let code = match row.verdict {
        Verdict::Unknown(exit) => Some(exit.name()),
        _ => None,
    };
    vec![
        Cell::Text(row.verdict.name().to_owned()),
        Cell::Text(row.subject),
        Cell::text(row.provider),
        Cell::Text(row.assertion.into_owned()),
        row.wanted,
        row.found,
        Cell::Text(row.message),
        Cell::text(row.fix),
        Cell::text(row.file),
        Cell::count(row.line.and_then(|line| u64::try_from(line).ok())),
        Cell::text(code),
    ]
}
