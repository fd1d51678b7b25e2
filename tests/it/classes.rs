//! What a failure permits next: the table of the error classes.

use std::time::Duration;

use openmux::observe::ErrorClass::{self, *};
use openmux::observe::{Cooldown, Failover};

/// What each class permits, word for word as the design has it: counted against availability, tried again at the same
/// endpoint, failed over, left alone.
#[test]
fn a_class_says_whether_it_counts_retries_fails_over_and_cools() {
    const PERMITS: [(ErrorClass, bool, Where, Pause); 22] = [
        (Ok, false, Where::Done, Pause::No),
        (OkTruncated, false, Where::Done, Pause::No),
        (OkNoAnswer, false, Where::Done, Pause::No),
        (OkFiltered, false, Where::Done, Pause::No),
        (ProviderFault, true, Where::SameOrNext, Pause::AfterThree),
        (Overloaded, true, Where::SameOrNext, Pause::AtOnce(10)),
        (ProviderTimeout, true, Where::Next, Pause::AfterThree),
        (StreamBroken, true, Where::SameOrNext, Pause::AfterThree),
        (Unreachable, true, Where::SameOrNext, Pause::AfterThree),
        (RateLimited, false, Where::SameOrNext, Pause::AtOnce(5)),
        (Quota, false, Where::Next, Pause::Hour),
        (Auth, false, Where::Next, Pause::Hour),
        (Forbidden, false, Where::Next, Pause::Hour),
        (NotFound, false, Where::Next, Pause::Hour),
        (Invalid, false, Where::Nowhere, Pause::No),
        (Unsupported, false, Where::WhereItFits, Pause::No),
        (TooLarge, false, Where::WhereItFits, Pause::No),
        (Conflict, false, Where::SameOrNext, Pause::No),
        (Aborted, false, Where::Nowhere, Pause::No),
        (LocalNetwork, false, Where::Nowhere, Pause::No),
        (LocalConfig, false, Where::Next, Pause::No),
        (ClientBug, false, Where::Next, Pause::No),
    ];
    assert_eq!(PERMITS.map(|(class, ..)| class), ErrorClass::ALL);
    for (class, counts, next, pause) in PERMITS {
        let name = class.name();
        assert_eq!(class.is_provider_fault(), counts, "{name}");
        let goes = match class.failover() {
            Failover::Done => Where::Done,
            Failover::Next { retry_same: true } => Where::SameOrNext,
            Failover::Next { retry_same: false } => Where::Next,
            Failover::NextIfFits => Where::WhereItFits,
            Failover::Stop => Where::Nowhere,
        };
        assert_eq!(goes, next, "{name}");
        let cools = match class.cooldown() {
            Cooldown::None => Pause::No,
            Cooldown::Hint(first, _) => Pause::AtOnce(first.as_secs()),
            Cooldown::Fixed(pause) if pause == Duration::from_secs(3600) => Pause::Hour,
            Cooldown::InARow(3, ..) => Pause::AfterThree,
            other => panic!("{name} cools as {other:?}"),
        };
        assert_eq!(cools, pause, "{name}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Done,
    SameOrNext,
    Next,
    WhereItFits,
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    No,
    AfterThree,
    /// Seconds, where the provider asks for nothing else.
    AtOnce(u64),
    Hour,
}
