//! What the store costs a chat: reading what ten candidates are judged by, and keeping an attempt, where 100,000 attempts are
//! there already: `cargo bench --bench store`. Prints a table and fails where a median is beyond its limit.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

#[expect(dead_code, reason = "tests use all of it")]
#[path = "../it/support/attempts.rs"]
mod attempts;

use std::time::{Duration, Instant};

use attempts::{answered, before_noon, failed};
use openmux::observe::{ErrorClass, Observation};
use openmux::store::sqlite::Sqlite;
use openmux::store::{ObservationStore, StateKey};

/// Attempts that are there before anything is measured: one a minute.
const ATTEMPTS: u64 = 100_000;
/// Endpoints that they are spread over.
const ENDPOINTS: u64 = 10;
/// How often each thing is done.
const TIMES: u64 = 2_000;

/// The attempt so many minutes before noon; every fiftieth failed.
fn attempt(minutes: u64) -> Observation {
    let provider = format!("p{}", minutes % ENDPOINTS);
    if minutes % 50 == 3 { failed(&provider, minutes, ErrorClass::ProviderFault) } else { answered(&provider, minutes) }
}

/// Prints how long a thing takes; whether its median is within the limit.
fn row(what: &str, limit: Duration, mut thing: impl FnMut(u64)) -> bool {
    let took = |at: u64| {
        let began = Instant::now();
        thing(at);
        began.elapsed()
    };
    let mut times: Vec<Duration> = (0..TIMES).map(took).collect();
    times.sort_unstable();
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    let holds = rank(50) <= limit;
    let verdict = if holds { "ok" } else { "MISSED" };
    println!("{what:<52} {:>10.1?} {:>10.1?} {limit:>10.0?}  {verdict}", rank(50), rank(99));
    holds
}

fn main() -> std::process::ExitCode {
    let folder = tempfile::tempdir().expect("a temporary directory");
    attempts::keep(folder.path(), (1..=ATTEMPTS).rev().map(attempt));
    let path = folder.path().join("data/obs.db");
    let (store, _) = Sqlite::open(&path).expect("the store opens");
    let keys: Vec<StateKey> = (0..ENDPOINTS)
        .map(|at| StateKey { endpoint: attempt(at).endpoint, key_fingerprint: Some(String::new()) })
        .collect();
    let now = before_noon(0);
    println!("{:<52} {:>10} {:>10} {:>10}", format!("{ATTEMPTS} attempts are there"), "median", "p99", "at most");
    let held = [
        row("the state of 10 candidates", Duration::from_micros(50), |_| {
            assert_eq!(store.stats(&keys, now).map(|found| found.len()), Ok(keys.len()));
        }),
        row("the same, opening the file first", Duration::from_millis(1), |_| {
            let store = Sqlite::open_existing(&path).expect("the store opens").expect("it is there");
            assert_eq!(store.stats(&keys, now).map(|found| found.len()), Ok(keys.len()));
        }),
        row("keeping an attempt", Duration::from_millis(1), |at| {
            store.record(&Observation { at: now + Duration::from_millis(at), ..attempt(at + 4) }).expect("it is kept");
        }),
    ];
    std::process::ExitCode::from(u8::from(held.contains(&false)))
}
