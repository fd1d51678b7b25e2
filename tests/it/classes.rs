//! What a failure permits next: the table of the error classes.

use std::time::Duration;

use openmux::observe::ErrorClass::{self, *};
use openmux::observe::{Cooldown, Failover};

/// What each class permits, word for word as the design has it: counted against availability, tried again at the same
/// endpoint, failed over, left alone.
#[test]
fn a_class_says_whether_it_counts_retries_fails_over_and_cools() {
    const PERMITS: [(ErrorClass, bool, Next, Pause); 22] = [
        (Ok, false, Next::Done, Pause::No),
        (OkTruncated, false, Next::Done, Pause::No),
        (OkNoAnswer, false, Next::Done, Pause::No),
        (OkFiltered, false, Next::Done, Pause::No),
        (ProviderFault, true, Next::SameOrOther, Pause::AfterThree),
        (Overloaded, true, Next::SameOrOther, Pause::AtOnce(10_000)),
        (ProviderTimeout, true, Next::Other, Pause::AfterThree),
        (StreamBroken, true, Next::SameOrOther, Pause::AfterThree),
        (Unreachable, true, Next::SameOrOther, Pause::AfterThree),
        (RateLimited, false, Next::SameOrOther, Pause::AtOnce(1_500)),
        (Quota, false, Next::Other, Pause::Hour),
        (Auth, false, Next::Other, Pause::Hour),
        (Forbidden, false, Next::Other, Pause::Hour),
        (NotFound, false, Next::Other, Pause::Hour),
        (Invalid, false, Next::Nowhere, Pause::No),
        (Unsupported, false, Next::IfItFits, Pause::No),
        (TooLarge, false, Next::IfItFits, Pause::No),
        (Conflict, false, Next::SameOrOther, Pause::No),
        (Aborted, false, Next::Nowhere, Pause::No),
        (LocalNetwork, false, Next::Nowhere, Pause::No),
        (LocalConfig, false, Next::Other, Pause::No),
        (ClientBug, false, Next::Other, Pause::No),
    ];
    assert_eq!(PERMITS.map(|(class, ..)| class), ErrorClass::ALL);
    for (class, counts, next, pause) in PERMITS {
        let name = class.name();
        assert_eq!(class.is_provider_fault(), counts, "{name}");
        let goes = match class.failover() {
            Failover::Done => Next::Done,
            Failover::Next { retry_same: true } => Next::SameOrOther,
            Failover::Next { retry_same: false } => Next::Other,
            Failover::NextIfFits => Next::IfItFits,
            Failover::Stop => Next::Nowhere,
        };
        assert_eq!(goes, next, "{name}");
        let cools = match class.cooldown() {
            Cooldown::None => Pause::No,
            Cooldown::Hint(first, _) => Pause::AtOnce(first.as_millis()),
            Cooldown::Fixed(pause) if pause == Duration::from_secs(3600) => Pause::Hour,
            Cooldown::InARow(3, ..) => Pause::AfterThree,
            other => panic!("{name} cools as {other:?}"),
        };
        assert_eq!(cools, pause, "{name}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Done,
    SameOrOther,
    Other,
    IfItFits,
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    No,
    AfterThree,
    /// Milliseconds, where the provider asks for nothing else.
    AtOnce(u128),
    Hour,
}
