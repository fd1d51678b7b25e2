//! The store under many writers, in a folder that cannot be written, and on a file from the future.

mod crash;
mod shared;

use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{EndpointId, ModelId, ProviderId, Usage};
use openmux::observe::{Asked, ErrorClass, Observation, Source, Timings};
use openmux::store::sqlite::Sqlite;
use openmux::store::{ObservationStore, Reservation, StateKey};
use rusqlite::Connection;

use super::support::attempts::answered;

fn at(second: u64) -> Timestamp {
    "2026-11-24T10:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(second)
}

fn seen(provider: &str, second: u64) -> Observation {
    Observation {
        at: at(second),
        endpoint: EndpointId { provider: ProviderId::new(provider), upstream_model: "m".into() },
        model: ModelId::new("a/m"),
        group: [7; 16],
        timings: Timings { ttft: Some(Duration::from_millis(420)), ..Timings::default() },
        usage: Some(Usage::text(100, 20)),
        asked: Asked::default(),
        ..answered(provider, 0)
    }
}

fn key(provider: &str) -> StateKey {
    StateKey { endpoint: seen(provider, 0).endpoint, key_fingerprint: Some(String::new()) }
}

const WRITERS: u64 = 64;
const RECORDS: u64 = 16;

/// Each writer opens the file on its own, all at once and before it exists; half of the attempts are at one endpoint.
#[test]
fn sixty_four_writers_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let start = Barrier::new(usize::try_from(WRITERS).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let (store, note) = Sqlite::open(path).unwrap();
                assert_eq!(note, None);
                for record in 0..RECORDS {
                    let own = format!("p{writer}");
                    let provider = if record % 2 == 0 { "shared" } else { &own };
                    let mut attempt = seen(provider, 0);
                    attempt.group = (u128::from(writer) << 64 | u128::from(record)).to_le_bytes();
                    store.record(&attempt).unwrap();
                }
            });
        }
    });
    let (store, _) = Sqlite::open(&path).unwrap();
    // Whoever writes next takes in what could not be written in time.
    store.record(&seen("last", 0)).unwrap();
    let stats = store.stats(&[key("shared"), key("p0"), key("p7")], at(0)).unwrap();
    let shared = f64::from(u32::try_from(WRITERS * RECORDS / 2).unwrap());
    assert!(
        (stats[&key("shared").endpoint].lasting.successes - shared).abs() < 1e-6,
        "no fold was written over another"
    );
    assert!((stats[&key("p7").endpoint].lasting.successes - 8.0).abs() < 1e-6);
    drop(store);
    let raw = Connection::open(&path).unwrap();
    let count = |sql: &str| -> u64 {
        let found: i64 = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        found.try_into().unwrap()
    };
    assert_eq!(count("SELECT count(*) FROM obs"), WRITERS * RECORDS + 1);
    assert_eq!(count("SELECT count(*) FROM endpoint"), WRITERS + 2);
    assert_eq!(count("SELECT sum(cost_pd) FROM obs"), (WRITERS * RECORDS + 1) * 600_000_000);
    assert_eq!(count("SELECT sum(n) FROM tally"), WRITERS * RECORDS + 1);
    assert_eq!(count("SELECT sum(n) FROM hist WHERE metric = 0"), WRITERS * RECORDS + 1);
    let verdict: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// A seed that cannot be had in time is an error, never one that somebody else has too.
#[test]
fn no_seed_is_taken_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    let taken = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (store, _) = Sqlite::open(&path).unwrap();
                for _ in 0..20 {
                    if let Ok(seed) = store.take_seed() {
                        taken.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let mut taken = taken.into_inner().unwrap();
    taken.sort_unstable();
    let expected: Vec<u64> = (0..store.peek_seed().unwrap()).collect();
    assert!(!taken.is_empty());
    assert_eq!(taken, expected);
}

/// A write never delays a chat: it goes to the spool, and the next one takes it in, once.
#[test]
fn what_a_busy_file_does_not_take_is_kept_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.record(&seen("a", 0)).unwrap();
    store.record(&seen("a", 1)).unwrap();
    blocker.execute_batch("ROLLBACK").unwrap();
    let rows = || -> i64 { blocker.query_row("SELECT count(*) FROM obs", [], |row| row.get(0)).unwrap() };
    assert_eq!(rows(), 0);
    store.record(&seen("a", 2)).unwrap();
    assert_eq!(rows(), 3);
    store.record(&seen("a", 3)).unwrap();
    assert_eq!(rows(), 4);
}

#[test]
fn old_rows_go_and_their_sums_stay_for_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    store.record(&seen("a", 0)).unwrap();
    let day = 86_400;
    store.record(&seen("a", 91 * day)).unwrap();
    let raw = Connection::open(&path).unwrap();
    let count =
        |table: &str| -> i64 { raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
    assert_eq!(count("obs"), 2, "a day so far from the last one is not believed at once");
    store.record(&seen("a", 92 * day)).unwrap();
    assert_eq!((count("obs"), count("tally"), count("hist")), (2, 3, 3));
    store.record(&seen("a", 830 * day)).unwrap();
    store.record(&seen("a", 831 * day)).unwrap();
    assert_eq!((count("obs"), count("tally"), count("hist")), (2, 2, 2));
}

/// A clock that runs ten years ahead takes no attempt with it, and what grows old later goes all the same.
#[test]
fn a_clock_that_ran_ahead_removes_nothing_and_stops_no_removal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    let day = 86_400;
    (0..5).for_each(|second| store.record(&seen("a", second)).unwrap());
    (0..3).for_each(|second| store.record(&seen("a", 3650 * day + second)).unwrap());
    let kept = || store.attempts(Timestamp::MIN, Timestamp::MAX).unwrap().len();
    assert_eq!(kept(), 8);
    // The clock is right again.
    (30..=90).step_by(30).for_each(|days| store.record(&seen("a", days * day)).unwrap());
    assert_eq!(kept(), 11);
    store.record(&seen("a", 91 * day)).unwrap();
    assert_eq!(kept(), 12 - 5, "the first five are older than ninety days");
}

#[test]
fn where_nothing_can_be_written_there_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::File::create(&file).unwrap();
    let below_a_file = file.join("deep/obs.db");
    let error = Sqlite::open(&below_a_file).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    let a_folder = folder.path().join("obs.db");
    std::fs::create_dir(&a_folder).unwrap();
    let error = Sqlite::open(&a_folder).unwrap_err().to_string();
    assert!(error.contains(&a_folder.display().to_string()), "{error}");
    Sqlite::open_existing(&a_folder).unwrap_err();
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error_and_no_panic() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let lock = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    lock(0o555);
    let writable_all_the_same = std::fs::File::create(folder.path().join("probe")).is_ok();
    let opened = Sqlite::open(&folder.path().join("obs.db"));
    lock(0o755);
    // The superuser may write anywhere; then there is nothing to see here.
    assert!(opened.is_err() || writable_all_the_same);
}

fn from_the_future(path: &Path) {
    drop(Sqlite::open(path).unwrap());
    Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    from_the_future(&path);
    for error in [Sqlite::open(&path).unwrap_err(), Sqlite::open_existing(&path).unwrap_err()] {
        let said = error.to_string();
        assert!(said.contains("newer openmux") && said.contains("schema 99"), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
    }
    let raw = Connection::open(&path).unwrap();
    let version: i64 = raw.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

fn version_1(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("obs.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("../fixtures/store/version-1.sql")).unwrap();
    path
}

fn version(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Whoever opens it first brings it up to date, for reading too; all others find it so.
#[test]
fn an_older_store_is_brought_up_to_date_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = version_1(folder.path());
    let decision = "INSERT INTO decision VALUES (x'0102030405060708090a0b0c0d0e0f10', 1764000000000, '{}')";
    Connection::open(&path).unwrap().execute(decision, []).unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for at in 0..8 {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let store = if at % 2 == 0 {
                    Sqlite::open(path).unwrap().0
                } else {
                    Sqlite::open_existing(path).unwrap().unwrap()
                };
                assert_eq!(store.attempts(Timestamp::MIN, Timestamp::MAX).unwrap().len(), 2);
            });
        }
    });
    let fresh = folder.path().join("fresh.db");
    drop(Sqlite::open(&fresh).unwrap());
    assert!(version(&path) > 1);
    assert_eq!(version(&path), version(&fresh));
    let columns = |path: &Path| -> Vec<String> {
        let raw = Connection::open(path).unwrap();
        let mut statement = raw.prepare("SELECT m.name || '.' || c.name || ' ' || c.type FROM sqlite_schema m, pragma_table_info(m.name) c ORDER BY 1").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(columns(&path), columns(&fresh));
    let decisions = "SELECT n, hex(id), ts_ms, input FROM decision";
    let kept: (i64, String, i64, String) = Connection::open(&path)
        .unwrap()
        .query_row(decisions, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    assert_eq!(kept, (1, "0102030405060708090A0B0C0D0E0F10".to_owned(), 1_764_000_000_000, "{}".to_owned()));
    let (store, note) = Sqlite::open(&path).unwrap();
    assert_eq!(note, None);
    let attempts = store.attempts(Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!(attempts[0].cost, Some("0.003".parse().unwrap()));
    assert_eq!(attempts[0].timings.ttft, Some(Duration::from_millis(420)));
    assert_eq!(attempts[0].asked, Asked::default(), "what was not kept is not known");
    assert_eq!((attempts[1].class, attempts[1].http_status), (ErrorClass::ProviderFault, Some(529)));
    assert_eq!(store.peek_seed().unwrap(), 7);
    assert_eq!(store.salt().unwrap()[15], 15);
    let day = attempts[0].at;
    assert_eq!(store.set_aside("probe", day).unwrap().total(), "0.004".parse().unwrap());
    let hours = store.hours(Timestamp::MIN, Timestamp::MAX).unwrap();
    assert_eq!((hours.len(), hours[0].classes[&ErrorClass::Ok], hours[0].ttft_us.count()), (1, 1, 1));
    let key = StateKey { endpoint: attempts[0].endpoint.clone(), key_fingerprint: Some(String::new()) };
    let later = attempts[1].at + Duration::from_secs(1);
    assert_eq!(store.stats(&[key], later).unwrap().len(), 1, "what is known was folded anew");
    store.record(&seen("anthropic", 0)).unwrap();
}

/// A budget counts what was spent before anybody set money aside under it.
#[test]
fn what_was_spent_before_there_was_a_budget_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let usd = |text: &str| text.parse::<openmux::units::Usd>().unwrap();
    for store in [&disk as &dyn ObservationStore, &openmux::store::Memory::new()] {
        store.record(&seen("a", 0)).unwrap();
        store.record(&Observation { billed: Some(usd("0.01")), ..seen("a", 1) }).unwrap();
        store.record(&Observation { source: Source::Probe, ..seen("a", 2) }).unwrap();
        store.record(&seen("a", 86_400)).unwrap();
        assert_eq!(store.set_aside("chat", at(0)).unwrap().total(), usd("0.0106"));
        assert_eq!(
            store.reserve("chat", at(3), usd("0.1"), usd("0.11")).unwrap(),
            Reservation::Exceeded(usd("0.0106"))
        );
        let Reservation::Granted(first) = store.reserve("chat", at(3), usd("0.09"), usd("0.11")).unwrap() else {
            panic!("there is room");
        };
        // From now on what is set aside is counted, and no attempt twice.
        store.record(&seen("a", 3)).unwrap();
        store.settle(first, usd("0.0006")).unwrap();
        let used = store.set_aside("chat", at(4)).unwrap();
        assert_eq!((used.spent, used.open), (usd("0.0112"), usd("0")));
    }
}

/// Whatever is reserved and settled, in whatever order and by however many: what was spent and what may still be spent never
/// exceed the cap, and what is refused would have.
#[test]
fn no_order_of_reserving_and_settling_exceeds_a_cap() {
    use openmux::units::Usd;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    drop(Sqlite::open(&path).unwrap());
    let cap = 1_000_i64;
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let path = &path;
            scope.spawn(move || {
                let (store, _) = Sqlite::open(path).unwrap();
                let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(worker + 1);
                let mut next = |below: u64| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    i64::try_from((state >> 33) % below).unwrap()
                };
                for _ in 0..20 {
                    let bound = next(300) + 1;
                    let asked = store.reserve("chat", at(0), Usd::from_pico(bound), Usd::from_pico(cap)).unwrap();
                    match asked {
                        Reservation::Granted(number) => {
                            let spent = next(u64::try_from(bound).unwrap() + 1) / 4;
                            store.settle(number, Usd::from_pico(spent)).unwrap();
                        }
                        Reservation::Exceeded(used) => assert!(used + Usd::from_pico(bound) > Usd::from_pico(cap)),
                    }
                    let used = store.set_aside("chat", at(0)).unwrap();
                    assert!(used.total() <= Usd::from_pico(cap), "{used:?}");
                }
            });
        }
    });
    let (store, _) = Sqlite::open(&path).unwrap();
    let used = store.set_aside("chat", at(0)).unwrap();
    assert!(used.open == Usd::ZERO && used.spent > Usd::ZERO, "{used:?}");
}

/// What each version of a price sheet cost stays with the attempt, and a sheet is written down once.
#[test]
fn an_attempt_keeps_the_price_sheet_that_it_was_priced_by() {
    use openmux::catalog::price::{Pricing, SheetVersion};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    let sheet = |input: &str, day: &str| {
        let mut pricing = Pricing::default();
        pricing.set("input", input).unwrap();
        pricing.set("output", "15").unwrap();
        std::sync::Arc::new(SheetVersion::of(&pricing, day))
    };
    for (second, sheet) in [(0, sheet("3", "2026-11-01")), (1, sheet("2", "2026-11-20")), (2, sheet("3", "2026-11-24"))]
    {
        let asked = Asked { sheet: Some(sheet), ..Asked::default() };
        store.record(&Observation { asked, ..seen("a", second) }).unwrap();
    }
    let attempts = store.attempts(Timestamp::MIN, Timestamp::MAX).unwrap();
    let sheets: Vec<_> = attempts.iter().map(|seen| seen.asked.sheet.clone().unwrap()).collect();
    assert_eq!((sheets[0].sheet.as_str(), sheets[0].day.as_str()), ("input 3\noutput 15\n", "2026-11-01"));
    assert_eq!(sheets[1].sheet, "input 2\noutput 15\n");
    assert_eq!(sheets[2], sheets[0], "the same prices are the same sheet, from the day on which they were first seen");
    let rows: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM price", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
}

#[test]
fn a_store_that_is_not_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Sqlite::open_existing(&folder.path().join("obs.db")).unwrap().is_none());
}

/// A decision goes with the attempts of its time; a sheet goes when no decision uses it any more.
#[test]
fn decisions_are_kept_for_ninety_days() {
    use openmux::routing::{Input, Kept, Policy};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (store, _) = Sqlite::open(&path).unwrap();
    let day = Duration::from_secs(86_400);
    let decided = |id: u8, now: Timestamp, policy: Policy| {
        let shape = openmux::dispatch::shape;
        let tokens = openmux::units::Tokens::new;
        let request = shape(&ModelId::new("a/m"), tokens(9), tokens(9), tokens(0), Default::default());
        let input = Input { request, candidates: Vec::new(), policy, now, seed: id.into() };
        store.keep_decision(Kept::new([id; 16], input.clone(), &input.decide())).unwrap();
    };
    let hurried = Policy::time_value("99".parse().unwrap());
    decided(1, at(0) - 91 * day, hurried);
    decided(2, at(0) - 91 * day, Policy::default());
    decided(3, at(0) - 89 * day, Policy::default());
    store.record(&Observation { at: at(0) - day, ..seen("a", 0) }).unwrap();
    let raw = Connection::open(&path).unwrap();
    let count =
        |table: &str| -> i64 { raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
    assert_eq!((count("decision"), count("traded")), (3, 2));
    store.record(&seen("a", 0)).unwrap();
    assert_eq!((count("decision"), count("traded")), (1, 1));
    let last = store.decision("").unwrap();
    assert_eq!((last[0].id, last[0].input.seed), ([3; 16], 3));
    let mut seeds = Vec::new();
    store.decisions(Timestamp::UNIX_EPOCH, at(0), &mut |kept| seeds.push(kept.unwrap().input.seed)).unwrap();
    assert_eq!(seeds, [3]);

    // A damaged one is told, and hides no other.
    decided(4, at(0), Policy::default());
    raw.execute("UPDATE decision SET input = '{' WHERE id = ?1", [[3_u8; 16]]).unwrap();
    let mut read = Vec::new();
    store.decisions(Timestamp::UNIX_EPOCH, at(9), &mut |kept| read.push(kept.map(|kept| kept.id).is_ok())).unwrap();
    assert_eq!(read, [false, true]);
    assert_eq!(store.decision("").unwrap()[0].id, [4; 16]);

    // What another process holds is not waited for without end, and is no loss that anybody pays for.
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let input = last[0].input.clone();
    let decision = input.decide();
    assert!(store.keep_decision(Kept::new([5; 16], input, &decision)).is_err());
}
