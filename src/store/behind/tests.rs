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
    behind.keep_decision(&super::super::codec::decided([1; 16], "2026-11-24T10:00:00Z")).unwrap();
    assert_eq!(behind.attempts(Timestamp::MIN, Timestamp::MAX).unwrap(), [one]);
    assert!(behind.decision("").unwrap().is_empty());
}
