use super::*;
use crate::observe::ErrorClass;
use crate::observe::tests_support::seen;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn silent() -> Say {
    Box::new(|_| {})
}

#[test]
fn what_is_seen_counts_at_once_and_lies_on_the_disk_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let first = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
    let second = seen("2026-11-24T10:00:01Z", ErrorClass::RateLimited);
    let (keys, now) = ([StateKey::of(&first)], at("2026-11-24T10:00:02Z"));
    Sqlite::open(&path).unwrap().0.record(&first).unwrap();
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let any = [StateKey { key_fingerprint: None, ..keys[0].clone() }];
    assert_eq!(behind.stats(&any, at("2026-11-24T10:00:00Z")).unwrap().len(), 1, "from the disk");
    behind.record(&second).unwrap();
    let known = behind.stats(&keys, now).unwrap();
    assert_eq!(behind.stats(&any, now).unwrap(), known, "the key that was used last speaks for it");
    assert_eq!(behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap(), [first.clone(), second.clone()]);
    drop(behind);
    let memory = super::super::Memory::new();
    memory.record(&first).unwrap();
    memory.record(&second).unwrap();
    assert_eq!(known, memory.stats(&keys, now).unwrap());
    let disk = Sqlite::open_existing(&path).unwrap().unwrap();
    assert_eq!(disk.stats(&keys, now).unwrap(), known);
}

#[test]
fn what_others_write_is_taken_over_without_losing_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let (other, _) = Sqlite::open(&path).unwrap();
    let of = |second: u32, class| seen(&format!("2026-11-24T10:00:0{second}Z"), class);
    let (keys, now) = ([StateKey::of(&of(0, ErrorClass::Ok))], at("2026-11-24T10:00:09Z"));
    assert!(behind.stats(&keys, now).unwrap().is_empty());
    other.record(&of(0, ErrorClass::Ok)).unwrap();
    // Held back, as if the thread were not there.
    let writing = behind.shared.writing.lock().unwrap();
    behind.record(&of(1, ErrorClass::ProviderFault)).unwrap();
    drop(writing);
    behind.shared.refresh();
    let known = behind.stats(&keys, now).unwrap();
    let memory = super::super::Memory::new();
    memory.record(&of(0, ErrorClass::Ok)).unwrap();
    memory.record(&of(1, ErrorClass::ProviderFault)).unwrap();
    assert_eq!(known, memory.stats(&keys, now).unwrap());
}

#[test]
fn while_others_hold_the_file_nothing_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let (other, _) = Sqlite::open(&path).unwrap();
    let (one, now) = (seen("2026-11-24T10:00:00Z", ErrorClass::ProviderFault), at("2026-11-24T10:00:01Z"));
    let keys = [StateKey::of(&one)];
    other.hold();
    behind.record(&one).unwrap();
    let known = behind.stats(&keys, now).unwrap();
    assert!(!behind.shared.write(), "the file is held");
    behind.shared.refresh();
    assert_eq!(behind.stats(&keys, now).unwrap(), known, "it counts all the same");
    other.release();
    assert_eq!(behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap(), [one]);
}

#[test]
fn a_conversation_and_what_was_learned_are_known_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let (talk, now) = (Conversation([1; 16]), at("2026-11-24T10:00:00Z"));
    let (protocol, tokens) = (crate::catalog::Protocol::OpenaiChat, crate::units::Tokens::new(7));
    let stay = Stay { key: StateKey::of(&one), protocol, tokens, at: now };
    behind.keep_warm(talk, &stay).unwrap();
    behind.learn(&one.endpoint, "h", now, &["x".to_owned()]).unwrap();
    // What another process wrote of a conversation before is known beside what is kept of it here, asked for or not.
    let elsewhere = StateKey { key_fingerprint: Some("another".to_owned()), ..stay.key.clone() };
    let earlier = Stay { key: elsewhere, at: now - std::time::Duration::from_secs(9), ..stay.clone() };
    for (other, is_asked) in [(Conversation([2; 16]), true), (Conversation([3; 16]), false)] {
        behind.shared.disk.keep_warm(other, &earlier).unwrap();
        if is_asked {
            assert_eq!(behind.warm(other, now).unwrap(), std::slice::from_ref(&earlier));
        }
        behind.keep_warm(other, &stay).unwrap();
        assert_eq!(behind.warm(other, now).unwrap(), [stay.clone(), earlier.clone()]);
    }
    // And what it wrote while an answer was long under way.
    let long = Conversation([4; 16]);
    assert!(behind.warm(long, earlier.at - LATELY).unwrap().is_empty());
    behind.shared.disk.keep_warm(long, &earlier).unwrap();
    behind.keep_warm(long, &stay).unwrap();
    assert_eq!(behind.warm(long, now).unwrap(), [stay.clone(), earlier.clone()]);
    assert_eq!(behind.warm(talk, now).unwrap(), std::slice::from_ref(&stay));
    assert_eq!(behind.learned(&one.endpoint, "h", now).unwrap(), ["x"]);
    let seed = behind.take_seed().unwrap();
    assert_eq!(behind.peek_seed().unwrap(), seed + 1);
    drop(behind);
    let disk = Sqlite::open_existing(&path).unwrap().unwrap();
    assert_eq!(
        (disk.warm(talk, now).unwrap(), disk.learned(&one.endpoint, "h", now).unwrap()),
        (vec![stay], vec!["x".to_owned()])
    );
    let (again, _) = Behind::open(&path, silent()).unwrap();
    assert!(again.take_seed().unwrap() > seed, "no seed is used twice");
}

/// A full disk: what waits is written when there is room again, and it is said once that there was none.
#[test]
fn what_a_full_disk_does_not_take_waits_and_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let said = Arc::<Mutex<Vec<Word>>>::default();
    let saying = Arc::clone(&said);
    let (behind, _) = Behind::open(&path, Box::new(move |word| saying.lock().unwrap().push(word.clone()))).unwrap();
    behind.shared.disk.fill(true);
    let all: Vec<Observation> = (0..300).map(|_| seen("2026-11-24T10:00:00Z", ErrorClass::Ok)).collect();
    all.iter().for_each(|seen| behind.record(seen).unwrap());
    assert!(!behind.shared.write() && !behind.shared.write(), "there is no room");
    behind.shared.disk.fill(false);
    assert_eq!(behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap().len(), all.len());
    let said = said.lock().unwrap();
    let [Word::Warning(fails), Word::Note(again)] = &said[..] else { panic!("{said:?}") };
    assert!(fails.contains("obs.db (database or disk is full)") && again.ends_with("obs.db again"), "{fails} {again}");
}

#[test]
fn a_decision_that_cannot_be_kept_takes_no_attempt_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    behind.shared.disk.refuse_decisions();
    let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
    behind.record(&one).unwrap();
    behind.keep_decision(super::super::codec::decided([1; 16], "2026-11-24T10:00:00Z")).unwrap();
    assert_eq!(behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap(), [one]);
    assert!(behind.decision("").unwrap().is_empty());
}

#[test]
fn a_clock_that_was_set_back_leaves_nobody_alone_until_it_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let retry_after = Some(std::time::Duration::from_secs(20));
    let ahead = Observation { retry_after, ..seen("2026-11-25T10:00:00Z", ErrorClass::RateLimited) };
    let keys = [StateKey::of(&ahead)];
    behind.record(&ahead).unwrap();
    let now = at("2026-11-24T10:00:00Z");
    let stats = |store: &dyn ObservationStore, now| store.stats(&keys, now).unwrap()[&ahead.endpoint].clone();
    let cooling = |store: &dyn ObservationStore, now| stats(store, now).cooling.map(|cooling| cooling.until);
    assert_eq!(cooling(&behind, now), Some(at("2026-11-24T10:00:20Z")));
    drop(behind);
    let disk = Sqlite::open_existing(&path).unwrap().unwrap();
    assert_eq!(cooling(&disk, now), Some(at("2026-11-24T10:00:20Z")), "on the disk, too");
    let later = at("2026-11-24T10:00:21Z");
    assert!(stats(&disk, later).half_open && disk.claim_trial(&keys[0], later, later).unwrap());
}

/// An endpoint that nobody asked for when the reading began holds what waits already.
#[test]
fn what_is_seen_while_the_disk_is_read_again_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
    let (keys, now) = ([StateKey::of(&one)], at("2026-11-24T10:00:01Z"));
    // Held back, as if the thread were not there.
    let writing = behind.shared.writing.lock().unwrap();
    let read = behind.shared.read_again();
    behind.record(&one).unwrap();
    let known = behind.stats(&keys, now).unwrap();
    behind.shared.take_over(read);
    assert_eq!(behind.stats(&keys, now).unwrap(), known);
    drop(writing);
}

#[test]
fn what_others_learn_is_known_and_what_is_old_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    let (other, _) = Sqlite::open(&path).unwrap();
    let endpoint = seen("2026-11-24T10:00:00Z", ErrorClass::Ok).endpoint;
    let now = at("2026-11-24T10:00:00Z");
    let learned = |now| behind.learned(&endpoint, "h", now).unwrap();
    assert!(learned(now).is_empty());
    other.learn(&endpoint, "h", now, &["x".to_owned()]).unwrap();
    behind.shared.refresh();
    assert_eq!(learned(now), ["x"]);
    behind.learn(&endpoint, "h", now, &["y".to_owned()]).unwrap();
    behind.shared.refresh();
    assert_eq!(learned(now), ["y"]);
    behind.shared.write();
    assert_eq!(learned(at("2026-12-24T10:00:00Z")), ["y"]);
    assert!(learned(at("2026-12-25T10:00:00Z")).is_empty());
}

#[test]
fn who_answered_is_known_without_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let one = |host: &str, class| Observation { host: host.to_owned(), ..seen("2026-11-24T10:00:00Z", class) };
    Sqlite::open(&path).unwrap().0.record(&one("elsewhere", ErrorClass::Ok)).unwrap();
    let (behind, _) = Behind::open(&path, silent()).unwrap();
    behind.record(&one("a", ErrorClass::Ok)).unwrap();
    behind.record(&one("b", ErrorClass::Unreachable)).unwrap();
    let (began, ended) = (at("2026-11-24T10:00:00Z"), at("2026-11-24T10:01:00Z"));
    assert_eq!(behind.answered(began, ended).unwrap(), ["a".to_owned()].into());
    assert!(behind.answered(ended, at("2026-11-24T10:02:00Z")).unwrap().is_empty());
    let memory = super::super::Memory::new();
    memory.record(&one("a", ErrorClass::Ok)).unwrap();
    memory.record(&one("b", ErrorClass::Unreachable)).unwrap();
    assert_eq!(memory.answered(began, ended).unwrap(), ["a".to_owned()].into());
}

#[cfg(unix)]
#[test]
fn a_file_that_is_removed_is_made_again_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let said = Arc::<Mutex<Vec<Word>>>::default();
    let saying = Arc::clone(&said);
    let (behind, _) = Behind::open(&path, Box::new(move |word| saying.lock().unwrap().push(word.clone()))).unwrap();
    let all = || behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap();
    let first = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
    let second = seen("2026-11-24T10:00:01Z", ErrorClass::RateLimited);
    let (keys, now) = ([StateKey::of(&first)], at("2026-11-24T10:00:02Z"));
    behind.record(&first).unwrap();
    assert_eq!(all(), std::slice::from_ref(&first));
    let held = behind.shared.writing.lock().unwrap();
    std::fs::remove_file(&path).unwrap();
    behind.record(&second).unwrap();
    drop(held);
    assert_eq!(all(), std::slice::from_ref(&second));
    behind.shared.refresh();
    assert!(behind.stats(&keys, now).unwrap()[&second.endpoint].cooling.is_some());
    let [Word::Warning(text)] = &said.lock().unwrap()[..] else { panic!("{said:?}") };
    assert!(text.contains("obs.db was removed or replaced"), "{text}");
    assert_eq!(Sqlite::open_existing(&path).unwrap().unwrap().salt(), behind.salt());
}
