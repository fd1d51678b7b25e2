//! Attempts as a machine would have kept them, for tests of what is shown of them and a bench of the store.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{EndpointId, ModelId, Protocol, ProviderId, Usage};
use openmux::observe::{
    Asked, CostState, ErrorClass, Flags, Observation, Phase, Source, Streamed, Timings, TokenSource,
};
use openmux::store::ObservationStore;
use openmux::store::sqlite::Sqlite;
use openmux::units::Tokens;

/// The moment that such tests are about.
pub(crate) const NOON: &str = "2026-11-24T12:00:00Z";

/// So many minutes before [`NOON`].
pub(crate) fn before_noon(minutes: u64) -> Timestamp {
    NOON.parse::<Timestamp>().expect("sound") - Duration::from_secs(60 * minutes)
}

/// A good answer of `acme/tiny` so many minutes before noon: 500 tokens in, 101 out, first token after 400 ms, 50 tok/s.
pub(crate) fn answered(provider: &str, minutes: u64) -> Observation {
    Observation {
        at: before_noon(minutes),
        endpoint: EndpointId { provider: ProviderId::new(provider), upstream_model: "tiny-1".into() },
        model: ModelId::new("acme/tiny"),
        host: "127.0.0.1".into(),
        protocol: Protocol::OpenaiChat,
        key_fingerprint: String::new(),
        group: u128::from(minutes).to_le_bytes(),
        source: Source::Chat,
        class: ErrorClass::Ok,
        phase: Phase::Done,
        http_status: Some(200),
        code: None,
        timings: Timings {
            ttft: Some(Duration::from_millis(400)),
            ttfa: Some(Duration::from_millis(450)),
            decode: Some(Duration::from_secs(2)),
            e2e: Some(Duration::from_millis(2_400)),
            ..Timings::default()
        },
        usage: Some(Usage::text(500, 101)),
        events: 101,
        reads: 101,
        streamed: Streamed { tokens: Some(101), first: Some(1), burst_pm: Some(10), source: Some(TokenSource::Usage) },
        effort: None,
        prompt_version: None,
        retry_after: None,
        cost: Some("0.0006".parse().expect("sound")),
        billed: None,
        cost_state: CostState::Exact,
        finish: Some("stop".into()),
        flags: Flags::NONE,
        warm: None,
        headroom: openmux::observe::Headroom::default(),
        asked: Asked {
            input: Some(Tokens::new(480)),
            stream: Some(true),
            expected: Some("0.0005".parse().expect("sound")),
            bound: Some("0.01".parse().expect("sound")),
            sheet: None,
        },
    }
}

/// The same with another wait for the first token.
pub(crate) fn waited(provider: &str, minutes: u64, millis: u64) -> Observation {
    let mut seen = answered(provider, minutes);
    seen.timings.ttft = Some(Duration::from_millis(millis));
    seen
}

/// An attempt that failed: nothing was streamed, and nothing can have been billed.
pub(crate) fn failed(provider: &str, minutes: u64, class: ErrorClass) -> Observation {
    Observation {
        class,
        phase: Phase::Head,
        http_status: Some(if class == ErrorClass::RateLimited { 429 } else { 503 }),
        timings: Timings { e2e: Some(Duration::from_millis(300)), ..Timings::default() },
        usage: None,
        events: 0,
        reads: 0,
        streamed: Streamed::default(),
        cost: None,
        cost_state: CostState::None,
        finish: None,
        ..answered(provider, minutes)
    }
}

/// Puts attempts into the store of a home.
pub(crate) fn keep(home: &Path, attempts: impl IntoIterator<Item = Observation>) {
    let (store, note) = Sqlite::open(&home.join("data/obs.db")).expect("sound");
    assert_eq!(note, None);
    attempts.into_iter().for_each(|seen| store.record(&seen).expect("sound"));
}
