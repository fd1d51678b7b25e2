//! Routers against simulated hosts: `cargo bench --bench simulate -- [--cells TEXT] [--seeds N] [--first SEED]
//! [--quick] [--summary] [--svg FILE] [--md FILE] [--set CONSTANTS] [--variants TEXT]`.
//!
//! Prints a table for every cell (market/weather/requests a second/twist/USD a second) whose name contains one of the
//! comma-separated texts, then one line a cell against its best peer. Seeds count at 4 requests a second: there are
//! four times as many at 0.2, half as many at 20. A variant is our policy with other constants, to be chosen on some
//! seeds and judged on others: `--set` changes them for ours and `--variants "quick: half_life_min=30 cap=10; slow:
//! half_life_min=300"`. `RESULTS.md` beside this file has the table of the held-out seeds.

#![expect(clippy::disallowed_methods, reason = "a bench measures time, and writes its plot to a file")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints")]

mod plot;
mod report;
#[expect(unreachable_pub, reason = "shared with the integration tests as a module")]
mod sim;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use sim::cells::{Cell, OURS, Place, Variant, cells, seeded};
use sim::product::Product;
use sim::world::{Twist, Weather};
use sim::{catalogs, peers};

const USAGE: &str = "simulate [--cells TEXT,..] [--seeds N] [--first SEED] [--quick] [--summary] [--svg FILE] \
                     [--md FILE] [--set CONSTANTS] [--variants TEXT]";

/// What is asked for.
#[derive(Debug)]
struct Args {
    cells: Vec<String>,
    seeds: u64,
    first: u64,
    quick: bool,
    summary: bool,
    svg: Option<String>,
    md: Option<String>,
    set: Constants,
    variants: Vec<(String, Constants)>,
}

/// Constants of the policy and their values.
type Constants = Vec<(String, f64)>;

fn args() -> Result<Args, String> {
    let mut args = Args {
        cells: Vec::new(),
        seeds: 8,
        first: 1,
        quick: false,
        summary: false,
        svg: None,
        md: None,
        set: Vec::new(),
        variants: Vec::new(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--cells" => args.cells = value()?.split(',').map(str::to_owned).collect(),
            "--seeds" => args.seeds = value()?.parse().map_err(|_| "--seeds takes a number".to_owned())?,
            "--first" => args.first = value()?.parse().map_err(|_| "--first takes a number".to_owned())?,
            "--svg" => args.svg = Some(value()?),
            "--md" => args.md = Some(value()?),
            "--set" => args.set = constants(&value()?)?,
            "--variants" => args.variants = variants(&value()?)?,
            "--quick" => args.quick = true,
            "--summary" => args.summary = true,
            // What cargo passes to every bench.
            "--bench" => {}
            other => return Err(format!("{other} is not known: {USAGE}")),
        }
    }
    Ok(args)
}

/// `constant=value constant=value`
fn constants(text: &str) -> Result<Constants, String> {
    let constant = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let value = value.parse().ok()?;
        Product::tuned(&mut Product::policy(0.005), name, value).map(|()| (name.to_owned(), value))
    };
    text.split_whitespace().map(|word| constant(word).ok_or(format!("no constant: {word}"))).collect()
}

/// `name: constants; name: constants`
fn variants(text: &str) -> Result<Vec<(String, Constants)>, String> {
    let variant = |text: &str| {
        let (name, rest) = text.split_once(':').ok_or(format!("a variant has no name: {text}"))?;
        Ok((format!("{OURS} {}", name.trim()), constants(rest)?))
    };
    text.split(';').map(variant).collect()
}

/// Every kind of world: the plain ones at three rates, the harsh ones at two.
fn places(quick: bool) -> Vec<Place> {
    let mut places = Vec::new();
    for twist in Twist::ALL {
        let rates: &[f64] = match twist {
            _ if quick => &[4.0],
            Twist::Plain => &[0.2, 4.0, 20.0],
            _ => &[0.2, 4.0],
        };
        for market in catalogs::NAMES {
            for weather in [Weather::Calm, Weather::Stormy] {
                places.extend(rates.iter().map(|&rate| Place { market, weather, rate, twist, seconds: 3600.0 }));
            }
        }
    }
    places
}

fn waits(twist: Twist, quick: bool) -> &'static [f64] {
    if quick || twist != Twist::Plain { &[0.005] } else { &[0.001, 0.005, 0.02] }
}

/// Plays a place on its seeds, as many at once as there are processors.
fn played(place: Place, args: &Args) -> Vec<Cell> {
    let all = waits(place.twist, args.quick);
    let name = |wait: &f64| format!("{}/{wait}", place.name());
    let wanted = |wait: &f64| args.cells.is_empty() || args.cells.iter().any(|text| name(wait).contains(text.as_str()));
    let waits: Vec<f64> = all.iter().copied().filter(wanted).collect();
    if waits.is_empty() {
        return Vec::new();
    }
    let many = match place.rate {
        rate if rate < 1.0 => args.seeds * 4,
        rate if rate > 10.0 => args.seeds.div_ceil(2).max(2),
        _ => args.seeds,
    };
    let tuned = |constants: &[(String, f64)], wait: f64| {
        let mut policy = Product::policy(wait);
        for (name, value) in constants {
            Product::tuned(&mut policy, name, *value).unwrap_or_default();
        }
        policy
    };
    let makers: Vec<_> = args.variants.iter().map(|(name, constants)| (name, |wait| tuned(constants, wait))).collect();
    let base = |wait| tuned(&args.set, wait);
    let mut ours: Vec<Variant<'_>> = vec![(OURS, &base)];
    ours.extend(makers.iter().map(|(name, maker)| (name.as_str(), maker as _)));
    let ours = &ours;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let stopwatch = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if seed >= many {
                        break;
                    }
                    let result = seeded(place, args.first + seed, &waits, (ours, &peers::NAMES), &stopwatch);
                    done.lock().unwrap_or_else(PoisonError::into_inner).extend(result.map(|result| (seed, result)));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(seed, _)| *seed);
    let seeds: Vec<_> = done.into_iter().map(|(_, result)| result).collect();
    eprintln!("{}: {:.1} s", place.name(), began.elapsed().as_secs_f64());
    cells(place, &waits, &seeds)
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let mut all = Vec::new();
    for place in places(args.quick) {
        for cell in played(place, &args) {
            if !args.summary {
                print!("{}", report::table(&cell));
            }
            all.push(cell);
        }
    }
    print!("{}", report::summary(&all));
    print!("{}", report::causes(&all));
    if !args.variants.is_empty() {
        print!("{}", report::variants(&all));
    }
    let files = [args.svg.map(|file| (file, plot::forest(&all))), args.md.map(|file| (file, report::markdown(&all)))];
    for (file, text) in files.into_iter().flatten() {
        if let Err(why) = std::fs::write(&file, text) {
            eprintln!("{file}: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
