use std::time::Duration;

use super::*;
use crate::observe::{Asked, CostState, ErrorClass, Timings};
use crate::store::Memory;
use crate::store::codec::Sheets;

fn key(seen: &Observation) -> StateKey {
    StateKey::of(seen)
}

fn sample(at: &str, class: ErrorClass) -> Observation {
    let mut seen = crate::observe::tests_support::seen(at, class);
    let (ttft, dns) = (Some(Duration::from_millis(420)), Some(Duration::from_micros(77)));
    seen.timings = Timings { ttft, dns, ..Timings::default() };
    seen
}

#[test]
fn sqlite_and_memory_give_the_same_fold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/obs.db");
    let (disk, note) = Sqlite::open(&path).unwrap();
    assert_eq!(note, None);
    let memory = Memory::new();
    let attempts = [
        sample("2026-11-24T10:00:00Z", ErrorClass::Ok),
        sample("2026-11-24T10:20:00Z", ErrorClass::RateLimited),
        sample("2026-11-24T11:00:00Z", ErrorClass::ProviderFault),
    ];
    for seen in &attempts {
        disk.record(seen).unwrap();
        memory.record(seen).unwrap();
    }
    let now = "2026-11-24T11:00:01Z".parse().unwrap();
    let keys = [key(&attempts[0])];
    assert_eq!(disk.stats(&keys, now).unwrap(), memory.stats(&keys, now).unwrap());
    drop(disk);
    let again = Sqlite::open_existing(&path).unwrap().unwrap();
    assert_eq!(again.stats(&keys, now).unwrap(), memory.stats(&keys, now).unwrap());
    // After the pause it is seen well: since when is remembered.
    let back = sample("2026-11-24T11:00:09Z", ErrorClass::Ok);
    again.record(&back).unwrap();
    memory.record(&back).unwrap();
    let later = "2026-11-24T11:00:15Z".parse().unwrap();
    drop(again);
    let again = Sqlite::open_existing(&path).unwrap().unwrap();
    let stats = again.stats(&keys, later).unwrap();
    assert_eq!(stats, memory.stats(&keys, later).unwrap());
    assert_eq!(stats[&keys[0].endpoint].reopened, Some(back.at));
}

#[test]
fn a_conversation_is_remembered_for_a_day_at_each_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let kept = |provider: &str, tokens: u64, when: &str| {
        let mut key = key(&sample("2026-11-24T10:00:00Z", ErrorClass::Ok));
        key.endpoint.provider = crate::catalog::ProviderId::new(provider);
        let (protocol, tokens) = (crate::catalog::Protocol::AnthropicMessages, crate::units::Tokens::new(tokens));
        Stay { key, protocol, tokens, at: at(when) }
    };
    let (one, other) = (Conversation([1; 16]), Conversation([2; 16]));
    for store in [&disk as &dyn ObservationStore, &Memory::new()] {
        store.keep_warm(one, &kept("p", 100, "2026-11-24T10:00:00Z")).unwrap();
        store.keep_warm(one, &kept("q", 200, "2026-11-24T10:01:00Z")).unwrap();
        store.keep_warm(one, &kept("p", 300, "2026-11-24T10:02:00Z")).unwrap();
        store.keep_warm(other, &kept("p", 7, "2026-11-24T10:00:00Z")).unwrap();
        let newest = [kept("p", 300, "2026-11-24T10:02:00Z"), kept("q", 200, "2026-11-24T10:01:00Z")];
        assert_eq!(store.warm(one, at("2026-11-24T10:02:00Z")).unwrap(), newest);
        assert_eq!(store.warm(one, at("2026-11-24T10:01:00Z")).unwrap(), newest[1..], "the rest was not yet");
        assert_eq!(store.warm(one, at("2026-11-25T10:01:30Z")).unwrap(), newest[..1], "a day is over");
        store.keep_warm(other, &kept("q", 8, "2026-11-25T10:01:30Z")).unwrap();
        assert_eq!(store.warm(one, at("2026-11-24T10:02:00Z")).unwrap(), newest[..1], "what is old is gone");
    }
}

#[test]
fn sqlite_and_memory_give_the_same_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let memory = Memory::new();
    let mut full = sample("2026-11-24T10:00:00.123Z", ErrorClass::StreamBroken);
    full.usage = Some(crate::catalog::Usage {
        cache_read: Some(crate::units::Tokens::new(3)),
        cache_write: Some(crate::units::Tokens::new(7)),
        cache_write_1h: Some(crate::units::Tokens::new(2)),
        ..crate::catalog::Usage::text(10, 20)
    });
    full.cost = Some("0.000000000001".parse().unwrap());
    full.billed = Some("0.5".parse().unwrap());
    full.cost_state = crate::observe::CostState::Unknown;
    full.source = crate::observe::Source::Probe;
    full.group = [9; 16];
    let micros = |micros| Some(Duration::from_micros(micros));
    (full.timings.tcp, full.timings.tls, full.timings.sched_lag) = (micros(1), micros(2), micros(3));
    let source = Some(crate::observe::TokenSource::Characters);
    full.streamed = crate::observe::Streamed { tokens: Some(4), first: Some(5), burst_pm: Some(6), source };
    (full.effort, full.prompt_version) = (Some("low".to_owned()), Some(7));
    full.flags = crate::observe::Flags::REUSED | crate::observe::Flags::UNCONFIRMED;
    full.code = Some("overloaded".into());
    full.retry_after = Some(Duration::from_millis(1500));
    let sheet = crate::catalog::price::SheetVersion::of(&crate::catalog::price::Pricing::default(), "2026-11-24");
    full.asked = Asked {
        input: Some(crate::units::Tokens::new(11)),
        stream: Some(false),
        expected: Some("0.25".parse().unwrap()),
        bound: Some("0.75".parse().unwrap()),
        sheet: Some(std::sync::Arc::new(sheet)),
    };
    let mut used = sample("2026-11-24T10:30:00Z", ErrorClass::OkTruncated);
    used.usage = Some(crate::catalog::Usage::text(7, 8));
    let mut probe = Observation { source: crate::observe::Source::Probe, ..used.clone() };
    probe.usage = Some(crate::catalog::Usage::text(1_000, 8));
    for seen in [&full, &sample("2026-11-24T10:20:00Z", ErrorClass::Ok), &used, &probe] {
        disk.record(seen).unwrap();
        memory.record(seen).unwrap();
    }
    let since = "2026-11-24T10:00:00Z".parse().unwrap();
    let whole = "2026-11-24T11:00:00Z".parse().unwrap();
    assert_eq!(disk.attempts(since, whole).unwrap(), memory.attempts(since, whole).unwrap());
    assert_eq!(disk.hours(since, whole).unwrap(), memory.hours(since, whole).unwrap());
    assert_eq!(disk.measured(since).unwrap(), memory.measured(since).unwrap());
    assert_eq!(disk.oldest(), Ok(None));
    for model in [None, Some(ModelId::new("a/m")), Some(ModelId::new("a/other"))] {
        assert_eq!(disk.mix(model.as_ref(), since).unwrap(), memory.mix(model.as_ref(), since).unwrap());
    }
    let first = "2026-11-24T10:20:00Z".parse().unwrap();
    assert_eq!(disk.attempts(since, first).unwrap(), [full]);
}

#[test]
fn what_is_set_aside_never_exceeds_its_cap() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    for store in [&disk as &dyn ObservationStore, &Memory::new()] {
        let ask = |bound: &str| store.reserve("probe", at, usd(bound), usd("0.05")).unwrap();
        let Reservation::Granted(first) = ask("0.03") else { panic!("there is room") };
        assert_eq!(ask("0.03"), Reservation::Exceeded(usd("0.03")));
        store.settle(first, usd("0.01")).unwrap();
        assert!(matches!(ask("0.04"), Reservation::Granted(_)));
        assert_eq!(ask("0.000000000001"), Reservation::Exceeded(usd("0.05")));
        let tomorrow = at + Duration::from_secs(86_400);
        let other_day = store.reserve("probe", tomorrow, usd("0.05"), usd("0.05")).unwrap();
        assert!(matches!(other_day, Reservation::Granted(_)));
        assert!(matches!(store.reserve("chat", at, usd("0.05"), usd("0.05")).unwrap(), Reservation::Granted(_)));
    }
}

#[test]
fn a_failure_that_may_be_the_networks_is_shown_against_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let sure = sample("2026-11-24T10:00:00Z", ErrorClass::Unreachable);
    let unsure = Observation { flags: crate::observe::Flags::UNCONFIRMED, ..sure.clone() };
    for store in [&disk as &dyn ObservationStore, &Memory::new()] {
        store.record(&sure).unwrap();
        store.record(&unsure).unwrap();
        let measured = store.measured("2026-11-24T09:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(measured[&sure.endpoint].faults, 1);
    }
}

#[test]
fn what_was_learned_is_kept_for_a_month_and_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
    let days = |days: u64| at + Duration::from_secs(days * 86_400);
    let endpoint = key(&sample("2026-11-24T10:00:00Z", ErrorClass::Ok)).endpoint;
    let facts = ["without a".to_owned(), "with b in place of c".to_owned()];
    for store in [&disk as &dyn ObservationStore, &Memory::new()] {
        assert!(store.learned(&endpoint, "h", at).unwrap().is_empty());
        store.learn(&endpoint, "h", at, &facts).unwrap();
        assert_eq!(store.learned(&endpoint, "h", days(30)).unwrap(), facts);
        assert!(store.learned(&endpoint, "h", days(31)).unwrap().is_empty());
        assert!(store.learned(&endpoint, "elsewhere", at).unwrap().is_empty());
        store.learn(&endpoint, "h", at, &[]).unwrap();
        assert!(store.learned(&endpoint, "h", at).unwrap().is_empty());
    }
}

#[test]
fn the_seed_is_peeked_at_by_one_and_taken_by_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    assert_eq!((store.peek_seed().unwrap(), store.peek_seed().unwrap()), (0, 0));
    assert_eq!((store.take_seed().unwrap(), store.peek_seed().unwrap()), (0, 1));
    assert_ne!(store.salt().unwrap(), [0; 16]);
}

/// Neither look-up of an answer reads more than the index of its time: what others asked meanwhile may be much.
#[test]
fn a_request_and_a_decision_are_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let memory = Memory::new();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let one = |second: u8, group| {
        let moment = format!("2026-11-24T10:00:0{second}Z");
        Observation { group: [group; 16], ..sample(&moment, ErrorClass::Ok) }
    };
    let id = |first: u8, rest: u8| std::array::from_fn(|at| if at == 0 { first } else { rest });
    let decided = |id, second| crate::store::codec::decided(id, &format!("2026-11-24T10:00:0{second}Z"));
    for store in [&disk as &dyn ObservationStore, &memory] {
        [one(0, 1), one(1, 2), one(2, 1), one(3, 1)].iter().for_each(|seen| store.record(seen).unwrap());
        let found = store.of_request([1; 16], at("2026-11-24T10:00:00Z"), at("2026-11-24T10:00:03Z")).unwrap();
        assert_eq!(found, [one(0, 1), one(2, 1)]);
        for (id, second) in [(id(0x1f, 0), 0), (id(0x1f, 9), 1), (id(0x20, 0), 2), (id(0x1e, 0xff), 3)] {
            store.keep_decision(decided(id, second)).unwrap();
        }
        let found = |prefix: &str| store.decision(prefix).unwrap().iter().map(|kept| kept.id).collect::<Vec<_>>();
        assert_eq!(found("1f"), [id(0x1f, 9), id(0x1f, 0)]);
        assert_eq!(found("1"), [id(0x1e, 0xff), id(0x1f, 9)]);
        assert_eq!(found("1f090"), [id(0x1f, 9)]);
        assert_eq!((found("g"), found("21"), found(&"1f".repeat(17))), (vec![], vec![], vec![]));
        assert_eq!(found(""), [id(0x1e, 0xff)]);
    }
    let connection = disk.lock();
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let values = rusqlite::params_from_iter(std::iter::repeat_n(0, count));
        statement.query_map(values, |row| row.get::<_, String>(3)).unwrap().map(Result::unwrap).collect()
    };
    let told = plan(&ledger::of_request_sql());
    assert!(told.contains("USING INDEX obs_ts (ts_ms>? AND ts_ms<?)"), "{told}");
    let told = plan(&ledger::attempts_of_sql());
    assert!(told.contains("USING INDEX obs_ep_ts (ep=? AND ts_ms<?)") && !told.contains("ORDER BY"), "{told}");
    let told = plan(decisions::BETWEEN);
    assert!(told.contains("USING INDEX sqlite_autoindex_decision_1 (id>? AND id<?)"), "{told}");
    let told = plan(decisions::NEWEST);
    assert!(told.contains("USING INDEX decision_ts"), "{told}");
}

/// A budget that begins in the middle of a day counts what nobody knows the cost of at the most that it can have been.
#[test]
fn what_nobody_knows_the_cost_of_is_no_gift_to_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
    let asked = Asked { bound: Some(usd("0.5")), ..Asked::default() };
    let broken = sample("2026-11-24T10:00:00Z", ErrorClass::StreamBroken);
    let unknown = Observation { cost: None, cost_state: CostState::Unknown, asked, ..broken };
    let free = Observation { cost_state: CostState::None, ..unknown.clone() };
    let known = Observation { cost: Some(usd("0.25")), ..unknown.clone() };
    for store in [&disk as &dyn ObservationStore, &Memory::new()] {
        [&unknown, &free, &known].iter().for_each(|seen| store.record(seen).unwrap());
        let used = SetAside { spent: usd("0.25"), open: usd("0.5") };
        assert_eq!(store.set_aside("chat", at).unwrap(), used);
        assert_eq!(store.reserve("chat", at, usd("0.3"), usd("1")).unwrap(), Reservation::Exceeded(usd("0.75")));
        assert!(matches!(store.reserve("chat", at, usd("0.25"), usd("1")).unwrap(), Reservation::Granted(_)));
        let used = SetAside { spent: usd("0.25"), open: usd("0.75") };
        assert_eq!(store.set_aside("chat", at).unwrap(), used, "and goes on counting");
    }
}

/// What was known at a moment is told by the last attempts before it, however many there are.
#[test]
fn the_past_is_folded_of_so_many_attempts_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let (one, last) = (sample("2026-11-24T10:00:00Z", ErrorClass::Ok), sample("2026-11-25T10:00:00Z", ErrorClass::Ok));
    let mut connection = disk.lock();
    let transaction = connection.transaction().unwrap();
    (0..5_010).for_each(|_| rows::keep(&transaction, &one).unwrap());
    rows::keep(&transaction, &last).unwrap();
    transaction.commit().unwrap();
    drop(connection);
    let stats = disk.stats(&[key(&one)], one.at + Duration::from_millis(1)).unwrap();
    assert!((stats[&one.endpoint].lasting.successes - 5_000.0).abs() < 1.0);
    // An attempt that ends a day before the last one: the clock was set back, and it counts as the last.
    disk.record(&sample("2026-11-24T10:00:05Z", ErrorClass::RateLimited)).unwrap();
    let stats = disk.stats(&[key(&one)], "2026-11-24T10:00:06Z".parse().unwrap()).unwrap();
    assert_eq!(stats[&one.endpoint].age, Some(Duration::from_secs(1)));
}

/// What many attempts have in common is written once, and comes to what each would have come to alone.
#[test]
fn a_batch_comes_to_what_its_attempts_come_to_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| Sqlite::open(&folder.path().join(name)).unwrap().0;
    let (alone, together) = (open("alone.db"), open("together.db"));
    let sheet = |name: &str| {
        let (sha256, day, sheet) = (name.repeat(64), "2026-11-24".to_owned(), format!("input {name}"));
        std::sync::Arc::new(crate::catalog::price::SheetVersion { sha256, day, sheet })
    };
    let (cheap, dear) = (sheet("1"), sheet("2"));
    let seen: Vec<Observation> = (0..12_u64)
        .map(|number| {
            let class = if number % 5 == 0 { ErrorClass::RateLimited } else { ErrorClass::Ok };
            let mut seen = sample(&format!("2026-11-24T10:5{}:00Z", number % 10), class);
            seen.at += Duration::from_secs(600 * (number / 10));
            seen.timings.ttft = Some(Duration::from_millis(100 * (1 + number % 3)));
            seen.cost = Some(Usd::from_pico(250_000_000_000));
            seen.asked.sheet =
                [Some(&cheap), Some(&cheap), Some(&dear), None][usize::try_from(number % 4).unwrap()].cloned();
            seen.code = (number % 3 == 0).then(|| format!("code {number}"));
            seen.http_status = [Some(200), Some(200), None][usize::try_from(number % 3).unwrap()];
            seen.events = u32::try_from(number / 4).unwrap();
            match number % 6 {
                2 => seen.model = crate::catalog::ModelId::new("other/model"),
                3 => seen.host = "elsewhere.example".to_owned(),
                4 => seen.key_fingerprint = "another".to_owned(),
                5 => seen.endpoint.upstream_model = "another".to_owned(),
                _ => {}
            }
            seen
        })
        .collect();
    seen.iter().for_each(|seen| alone.record(seen).unwrap());
    let batch = Batch { seen, ..Batch::default() };
    together.write_batch(&batch, &mut Sheets::default()).unwrap();
    let rows = |disk: &Sqlite, table: &str| {
        let connection = disk.lock();
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect();
        statement.query_map([], row).unwrap().collect::<Result<Vec<Vec<_>>, _>>().unwrap()
    };
    for (table, least) in [("endpoint", 4), ("price", 2), ("obs", 12), ("tally", 7), ("hist", 5)] {
        let alone = rows(&alone, table);
        assert_eq!(rows(&together, table), alone, "{table}");
        assert!(alone.len() >= least, "{table}: {alone:?}");
    }
}

#[test]
fn decisions_of_a_batch_share_their_sheet() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
    let decided = |id, second: u8| crate::store::codec::decided([id; 16], &format!("2026-11-24T10:00:0{second}Z"));
    let mut other = decided(4, 4);
    other.input.policy.max_attempts += 1;
    let kept = vec![decided(1, 1), decided(2, 3), decided(3, 2), other];
    disk.write_batch(&Batch { kept, ..Batch::default() }, &mut Sheets::default()).unwrap();
    let connection = disk.lock();
    let mut statement = connection.prepare("SELECT last_ms % 10000 FROM traded ORDER BY last_ms").unwrap();
    let used: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(used, [3000, 4000], "the last use of each");
    drop(statement);
    drop(connection);
    let found = |prefix: &str| disk.decision(prefix).unwrap().remove(0).input.policy.max_attempts;
    assert_eq!(found("0404"), found("0202") + 1);
}

/// Whoever waits for the store with a file of the spool in hand keeps it from all who could write there.
#[test]
fn the_spool_is_free_for_others_while_the_store_is_waited_for() {
    static SPOOL: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    static FREE: std::sync::Mutex<Option<bool>> = std::sync::Mutex::new(None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (held, waiting) = (Sqlite::open(&path).unwrap().0, Sqlite::open(&path).unwrap().0);
    let one = sample("2026-11-24T10:00:00Z", ErrorClass::Ok);
    held.spool_all(std::slice::from_ref(&one)).unwrap();
    SPOOL.set(folder.path().join("obs.spool.jsonl")).unwrap();
    let mut connection = waiting.lock();
    // What it does while it waits: it looks once, and gives up.
    let look = |_| {
        let file = std::fs::File::open(SPOOL.get().unwrap()).unwrap();
        *FREE.lock().unwrap() = Some(file.try_lock().is_ok());
        false
    };
    connection.busy_handler(Some(look)).unwrap();
    held.lock().execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(upkeep::take_in(&mut connection, &waiting.spool).is_err());
    assert_eq!(*FREE.lock().unwrap(), Some(true));
    held.lock().execute_batch("ROLLBACK").unwrap();
    assert!(upkeep::take_in(&mut connection, &waiting.spool).unwrap());
    drop(connection);
    assert_eq!(waiting.attempts(Timestamp::MIN, Timestamp::MAX).unwrap(), [one]);
}
