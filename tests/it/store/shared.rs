//! Two stores on one Redis: trials, conversations, budgets and what they know of the providers, whatever becomes of Redis.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::Protocol;
use openmux::observe::ErrorClass;
use openmux::store::redis::{Address, Setup, Shared, Told};
use openmux::store::sqlite::Sqlite;
use openmux::store::{Conversation, ObservationStore, Reservation, Stay};
use openmux::units::{Tokens, Usd};

use super::super::support::redis::Redis;
use super::{at, key, seen};

/// One machine's store.
struct Machine {
    store: Arc<Shared>,
    told: Receiver<Told>,
    _folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    at(60)
}

impl Machine {
    /// It shares when this returns.
    fn join(redis: &Redis, number: u8) -> Self {
        let machine = Self::start(redis, number);
        machine.hears(true);
        machine
    }

    fn start(redis: &Redis, number: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (local, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let (say, told) = channel();
        let setup = Setup {
            address: Address::parse(&redis.url()).unwrap(),
            process: [number; 16],
            now,
            say: Box::new(move |text| drop(say.send(text.clone()))),
        };
        Self { store: Arc::new(Shared::start(Box::new(local), setup).unwrap()), told, _folder: folder }
    }

    /// Waits until it says that it shares, or does not.
    fn hears(&self, together: bool) {
        loop {
            let told = self.told.recv_timeout(Duration::from_secs(30)).unwrap();
            if matches!(told, Told::Together(_)) == together {
                return;
            }
        }
    }

    fn wait(&self, what: &str, so: impl Fn(&Shared) -> bool) {
        for _ in 0..6_000 {
            if so(&self.store) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} did not come to be");
    }

    fn reserve(&self, scope: &str, pico: i64, cap: i64) -> Reservation {
        self.store.reserve(scope, now(), Usd::from_pico(pico), Usd::from_pico(cap)).unwrap()
    }

    fn settle(&self, granted: Reservation, pico: i64) {
        let Reservation::Granted(number) = granted else { panic!("{granted:?}") };
        self.store.settle(number, Usd::from_pico(pico)).unwrap();
    }
}

fn exceeded(pico: i64) -> Reservation {
    Reservation::Exceeded(Usd::from_pico(pico))
}

/// Waits until all have used so much: then nothing more fits into it.
fn wait_used(machine: &Machine, scope: &str, used: i64) {
    machine.wait("the sum", |_| match machine.reserve(scope, 1, used) {
        Reservation::Exceeded(all) => all == Usd::from_pico(used),
        granted @ Reservation::Granted(_) => {
            machine.settle(granted, 0);
            false
        }
    });
}

#[test]
fn what_one_sees_the_other_knows_and_one_has_the_trial() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    assert_eq!(one.store.salt().unwrap(), two.store.salt().unwrap(), "the first one's");
    for second in 0..3 {
        one.store.record(&seen("p", second)).unwrap();
    }
    let failed = openmux::observe::Observation { class: ErrorClass::RateLimited, ..seen("p", 3) };
    let failed = openmux::observe::Observation { retry_after: Some(Duration::from_secs(9)), ..failed };
    one.store.record(&failed).unwrap();
    let stats = |machine: &Machine, second| machine.store.stats(&[key("p")], at(second)).unwrap();
    two.wait("the pause", |_| stats(&two, 5).values().any(|stats| stats.cooling.is_some()));
    let (theirs, own) = (stats(&two, 5), stats(&one, 5));
    assert_eq!(theirs, own, "as if it had seen it itself");
    assert!(two.store.attempts(Timestamp::MIN, Timestamp::MAX).unwrap().is_empty(), "and has it in no ledger");
    assert!(two.store.hours(Timestamp::MIN, Timestamp::MAX).unwrap().is_empty());
    // Ten threads of two machines, and one trial.
    let claimed = std::thread::scope(|scope| {
        let claim = |at_once: usize| {
            let store = if at_once.is_multiple_of(2) { &one.store } else { &two.store };
            scope.spawn(move || store.claim_trial(&key("p"), at(30), at(50)).unwrap())
        };
        let claims: Vec<_> = (0..10).map(claim).collect();
        claims.into_iter().map(|claim| u32::from(claim.join().unwrap())).sum::<u32>()
    });
    assert_eq!(claimed, 1);
    two.store.record(&seen("p", 31)).unwrap();
    one.wait("the success", |_| stats(&one, 32).values().all(|stats| stats.cooling.is_none() && !stats.half_open));
    // A fault's pause that one meets and the other sees over: both know since when it is back.
    for second in 40..43 {
        one.store
            .record(&openmux::observe::Observation { class: ErrorClass::ProviderFault, ..seen("p", second) })
            .unwrap();
    }
    two.wait("the faults", |_| stats(&two, 43).values().any(|stats| stats.cooling.is_some()));
    two.store.record(&seen("p", 50)).unwrap();
    let back = |machine: &Machine| stats(machine, 51).values().find_map(|stats| stats.reopened);
    one.wait("the return", |_| back(&one).is_some());
    assert_eq!((back(&one), back(&two)), (Some(at(50)), Some(at(50))));
}

#[test]
fn a_conversation_goes_on_on_another_machine() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    let talk = Conversation([9; 16]);
    let stay = |provider, second| Stay {
        key: key(provider),
        protocol: Protocol::OpenaiChat,
        tokens: Tokens::new(5_000),
        at: at(second),
    };
    two.store.keep_warm(talk, &stay("p", 1)).unwrap();
    one.store.keep_warm(talk, &stay("p", 2)).unwrap();
    one.store.keep_warm(talk, &stay("q", 3)).unwrap();
    let expected = [stay("q", 3), stay("p", 2)];
    for machine in [&one, &two] {
        machine.wait("the conversation", |store| store.warm(talk, at(4)).unwrap() == expected);
        assert!(machine.store.warm(talk, at(100_000)).unwrap().is_empty(), "for a day");
    }
    // Who comes later is told.
    let late = Machine::join(&redis, 3);
    late.wait("the conversation", |store| store.warm(talk, at(4)).unwrap() == expected);
}

#[test]
fn what_one_machine_sets_aside_the_other_does_not_have() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    let held = one.reserve("chat", 600, 1_000);
    assert_eq!(two.reserve("chat", 401, 1_000), exceeded(600));
    let own = two.store.set_aside("chat", now()).unwrap().total();
    assert_eq!(own, Usd::ZERO, "what did not fit is not set aside on its own machine either");
    let other = two.reserve("chat", 400, 1_000);
    assert_eq!(one.reserve("chat", 1, 1_000), exceeded(1_000));
    one.settle(held, 100);
    two.settle(other, 400);
    wait_used(&one, "chat", 500);
    // To the last of 64 bits, where a float would round.
    let most = 9_007_199_254_740_993;
    let held = one.reserve("probe", most, most);
    assert!(matches!(held, Reservation::Granted(_)));
    assert_eq!(two.reserve("probe", 1, most), exceeded(most));
    assert!(matches!(two.reserve("probe", 1, most + 1), Reservation::Granted(_)));
    // Threads of both, and never more than the cap.
    let start = Barrier::new(16);
    let granted = std::thread::scope(|scope| {
        let ask = |at: usize| {
            let (machine, start) = (if at.is_multiple_of(2) { &one } else { &two }, &start);
            let (store, start) = (Arc::clone(&machine.store), start);
            scope.spawn(move || {
                start.wait();
                let asked =
                    (0..5).map(|_| store.reserve("gateway", now(), Usd::from_pico(7), Usd::from_pico(100)).unwrap());
                asked.filter(|one| matches!(one, Reservation::Granted(_))).count()
            })
        };
        let asked: Vec<_> = (0..16).map(ask).collect();
        asked.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
    });
    assert_eq!(granted, 14, "fourteen times seven fits into a hundred");
}

/// What is spent while Redis is away, and what it knew before it forgot everything, is told when it is back.
#[test]
fn a_redis_that_forgets_is_told_again() {
    let Some(mut redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    let before = one.reserve("chat", 300, 1_000);
    assert!(matches!(two.reserve("chat", 200, 1_000), Reservation::Granted(_)));
    redis.kill();
    one.hears(false);
    two.hears(false);
    one.settle(before, 100);
    let away = one.reserve("chat", 350, 1_000);
    assert!(matches!(away, Reservation::Granted(_)), "the machine's own rule holds");
    redis.run();
    one.hears(true);
    two.hears(true);
    wait_used(&two, "chat", 100 + 200 + 350);
    one.settle(away, 50);
    wait_used(&two, "chat", 100 + 200 + 50);
}

/// Redis stops in the middle of a wish, which goes out by the machine's own rule: it counts once, whether Redis has made it
/// or not.
#[test]
fn what_is_in_doubt_counts_once() {
    for forgets in [false, true] {
        let Some(mut redis) = Redis::start() else { return };
        let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
        assert!(matches!(one.reserve("chat", 300, 1_000), Reservation::Granted(_)));
        assert!(matches!(two.reserve("chat", 200, 1_000), Reservation::Granted(_)));
        redis.signal("STOP");
        let away = one.reserve("chat", 350, 1_000);
        assert!(matches!(away, Reservation::Granted(_)));
        one.hears(false);
        if forgets {
            redis.kill();
            redis.run();
        } else {
            redis.signal("CONT");
        }
        one.hears(true);
        wait_used(&two, "chat", 300 + 200 + 350);
        one.settle(away, 50);
        wait_used(&two, "chat", 300 + 200 + 50);
    }
}

/// It answers, but later than a request waits: the line is left, said to be, and found again.
#[test]
fn a_redis_that_is_slow_is_left_and_found_again() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    assert!(matches!(two.reserve("chat", 900, 1_000), Reservation::Granted(_)));
    redis.signal("STOP");
    let away = one.reserve("chat", 350, 1_000);
    redis.signal("CONT");
    one.hears(false);
    one.hears(true);
    // It did not fit, and went out all the same.
    assert!(matches!(away, Reservation::Granted(_)), "{away:?}");
    wait_used(&two, "chat", 900 + 350);
}

/// What was seen while Redis hung is told when it is there again; what was seen under another salt is not.
#[test]
fn news_waits_for_a_line_and_for_the_salt_that_all_share() {
    let Some(mut redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    let knows = |machine: &Machine, provider| !machine.store.stats(&[key(provider)], at(9)).unwrap().is_empty();
    redis.signal("STOP");
    one.store.record(&seen("p", 0)).unwrap();
    one.hears(false);
    redis.kill();
    redis.run();
    one.hears(true);
    two.wait("the news", |_| knows(&two, "p"));
    let heard = two.store.sharing().unwrap().heard;
    redis.signal("STOP");
    let late = Machine::start(&redis, 3);
    late.store.record(&seen("q", 1)).unwrap();
    late.hears(false);
    redis.signal("CONT");
    late.hears(true);
    late.store.record(&seen("r", 2)).unwrap();
    two.wait("the news", |_| knows(&two, "r"));
    assert!(!knows(&two, "q"), "nobody can tell whose key it was");
    assert_eq!(two.store.sharing().unwrap().heard, heard + 1);
}

/// A version that does not say which process it is tells its own machine nothing new.
#[test]
fn an_older_version_is_not_heard_by_its_own_machine() {
    let Some(redis) = Redis::start() else { return };
    let one = Machine::join(&redis, 1);
    one.store.record(&seen("p", 0)).unwrap();
    one.wait("the news", |store| store.sharing().unwrap().told == 1);
    let held = redis.dump();
    let told = held.lines().find_map(|line| line.split_once(" seen ").filter(|(by, _)| by.starts_with("by ")));
    let (by, text) = told.unwrap_or_else(|| panic!("{held}"));
    let machine = by.split(' ').nth(1).unwrap();
    let other = text.replace("\"provider\":\"p\"", "\"provider\":\"z\"");
    for (machine, text) in [(machine, text), ("0123456789abcdef0123456789abcdef", &*other)] {
        let fields: [&[u8]; 4] = [b"by", machine.as_bytes(), b"seen", text.as_bytes()];
        redis.tell(&[&[b"XADD".as_slice(), b"openmux:1:news", b"*"], &fields[..]].concat());
    }
    one.wait("the other's news", |store| !store.stats(&[key("z")], at(9)).unwrap().is_empty());
    assert_eq!(one.store.sharing().unwrap().heard, 1);
}

/// One a minute, so that nothing comes while the test runs.
#[test]
fn a_minute_is_everybodys_and_what_was_not_used_is_given_back() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (Machine::join(&redis, 1), Machine::join(&redis, 2));
    let take = |machine: &Machine, name, amount| machine.store.take_minute(name, 1, amount).unwrap();
    assert_eq!(take(&one, "x", 1), Ok(()));
    let wait = take(&two, "x", 1).unwrap_err();
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
    one.store.owe_minute("x", 1, -1);
    assert_eq!(take(&one, "x", 1), Ok(()), "it is there again");
    one.store.owe_minute("x", 1, 100);
    let hour = Duration::from_secs(3_600);
    assert!(take(&one, "x", 1).unwrap_err() > hour, "what was used beyond is owed");
    assert_eq!(one.store.take_minute("x", 2, 1), Some(Ok(())), "another limit is another bucket");
    // More than a minute's worth passes a full bucket, once.
    assert_eq!(take(&two, "y", 100), Ok(()));
    assert!(take(&one, "y", 100).unwrap_err() > hour);
}

/// What nobody uses any more goes away by itself.
#[test]
fn trials_and_news_have_an_end() {
    let Some(redis) = Redis::start() else { return };
    let fill = b"for i = 1, 25000 do redis.call('XADD', 'openmux:1:news', '*', 'seen', '{}') end";
    redis.tell(&[b"EVAL", fill, b"0"]);
    let one = Machine::join(&redis, 1);
    assert!(one.store.claim_trial(&key("q"), at(30), at(330)).unwrap());
    let left = redis.kept_for("openmux:1:trial:").unwrap();
    assert!((1..=300_000).contains(&left), "{left}");
    one.store.record(&seen("p", 0)).unwrap();
    one.wait("the news", |store| store.sharing().unwrap().told == 1);
    // Redis cuts the stream where that costs nothing, which is a little beyond.
    let held = redis.dump().lines().filter(|line| line.starts_with("seen ") || line.contains(" seen ")).count();
    assert!((20_000..20_500).contains(&held), "{held}");
}

/// What this machine spent on the day before it shared anything counts, once.
#[test]
fn what_was_spent_before_is_brought_along() {
    let Some(redis) = Redis::start() else { return };
    let one = Machine::start(&redis, 1);
    let spent = openmux::observe::Observation { cost: Some(Usd::from_pico(70)), ..seen("p", 0) };
    one.store.record(&spent).unwrap();
    one.hears(true);
    let scope = spent.source.name();
    assert!(matches!(one.reserve(scope, 20, 100), Reservation::Granted(_)));
    let two = Machine::join(&redis, 2);
    assert_eq!(two.reserve(scope, 11, 100), exceeded(90));
    assert!(matches!(two.reserve(scope, 10, 100), Reservation::Granted(_)));
}
