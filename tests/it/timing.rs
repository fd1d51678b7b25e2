//! What is measured, held against a server that knows when it sent what. Counts, gates and lower bounds are tests; errors of
//! time are a bench (`cargo bench --bench accuracy`), since a busy machine is late.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use openmux::catalog::Protocol;
use openmux::observe::{ErrorClass, Flags, Source, TokenSource, Why};

use crate::support::paced::Paced;
use crate::support::paced::drive::{Client, Run};

/// The protocols that the server speaks.
const SPOKEN: [Protocol; 5] = [
    Protocol::OpenaiChat,
    Protocol::OpenaiResponses,
    Protocol::AnthropicMessages,
    Protocol::Gemini,
    Protocol::BedrockConverse,
];

/// Whatever comes before the first token moves nothing: the clock stops at a token, not at an event.
#[test]
fn events_without_a_token_neither_count_nor_end_the_wait() {
    let (server, client) = (Paced::start(), Client::new());
    for protocol in SPOKEN {
        for mode in ["plain", "role", "ping"] {
            let Run { outcome, truth, .. } = client.attempt(&server, protocol, &format!("s-25-0-12-{mode}"));
            let name = format!("{} {mode}", protocol.name());
            assert_eq!((outcome.class, outcome.events), (ErrorClass::Ok, 12), "{name}");
            assert_eq!(truth.sent.len(), 12, "{name}");
            // What the client calls the wait begins before the server has the request, and ends after the token is sent.
            assert!(outcome.timings.ttft.unwrap() >= truth.ttft(), "{name}: {outcome:?}");
            assert!(outcome.timings.head.unwrap() <= outcome.timings.ttft.unwrap(), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn thoughts_end_the_wait_for_a_token_and_not_that_for_an_answer() {
    let (server, client) = (Paced::start(), Client::new());
    for protocol in SPOKEN {
        let Run { outcome, truth, .. } = client.attempt(&server, protocol, "s-5-2-12-reason");
        let name = protocol.name();
        assert_eq!((outcome.class, outcome.events, truth.answer), (ErrorClass::Ok, 12, 6), "{name}");
        let (ttft, ttfa) = (outcome.timings.ttft.unwrap(), outcome.timings.ttfa.unwrap());
        assert!(ttft >= truth.ttft() && ttfa >= truth.ttfa() && ttfa > ttft, "{name}: {outcome:?}");
    }
}

#[test]
fn a_burst_has_no_speed_and_says_why() {
    let (server, client) = (Paced::start(), Client::new());
    let Run { outcome, truth, .. } = client.attempt(&server, Protocol::OpenaiChat, "s-5-5-200-burst");
    assert!(truth.span().is_zero(), "it is one write");
    let pace = outcome.pace(Source::Chat);
    assert_eq!((pace.decode_tps(), pace.after_first_tps()), (Err(Why::Burst), Err(Why::Burst)), "{pace:?}");
    assert_eq!((pace.streamed.tokens, pace.itl_ms()), (Some(200), None));
    assert!(outcome.flags.has(Flags::BURST), "{outcome:?}");
    // The rate in all is there, and no faster than the server was.
    let most = 200.0 / truth.ttft().as_secs_f64();
    assert!(pace.e2e_tps().is_some_and(|speed| speed > 0.0 && speed <= most), "{pace:?}");
}

#[test]
fn a_chunk_of_four_tokens_is_not_called_a_token() {
    let (server, client) = (Paced::start(), Client::new());
    let pace = client.attempt(&server, Protocol::OpenaiChat, "s-5-5-40-x4").outcome.pace(Source::Chat);
    assert_eq!((pace.tokens_per_chunk(), pace.events, pace.streamed.tokens), (Some(4.0), 10, Some(40)));
    assert!(pace.chunk_gap_ms().is_some() && pace.itl_ms().is_none(), "{pace:?}");
    let each = client.attempt(&server, Protocol::OpenaiChat, "s-5-5-10-plain").outcome.pace(Source::Chat);
    assert_eq!((each.tokens_per_chunk(), each.events, each.streamed.first), (Some(1.0), 10, Some(1)));
}

#[test]
fn however_the_bytes_are_cut_up_the_text_and_the_counts_are_the_same() {
    let (server, client) = (Paced::start(), Client::new());
    for protocol in SPOKEN {
        let plain = client.attempt(&server, protocol, "s-5-1-40-plain");
        assert!(plain.text().contains("größer stands 日本 near"), "{}", plain.text());
        for mode in ["split", "several", "crlf", "cut", "bytes", "gzip"] {
            let run = client.attempt(&server, protocol, &format!("s-5-1-40-{mode}"));
            let name = format!("{} {mode}", protocol.name());
            assert_eq!((run.outcome.class, run.text()), (ErrorClass::Ok, plain.text()), "{name}");
            assert_eq!(run.outcome.events, 40, "{name}");
            assert_eq!(run.outcome.usage, plain.outcome.usage, "{name}");
            assert_eq!(run.outcome.streamed.tokens, plain.outcome.streamed.tokens, "{name}");
            assert!(run.outcome.timings.ttft.unwrap() >= run.truth.ttft(), "{name}");
        }
    }
}

#[test]
fn the_tokens_are_the_provider_s_count_or_an_estimate_that_says_so() {
    let (server, client) = (Paced::start(), Client::new());
    let counted = |mode: &str| {
        let outcome = client.attempt(&server, Protocol::OpenaiChat, &format!("s-2-0-40-{mode}")).outcome;
        assert_eq!((outcome.class, outcome.events), (ErrorClass::Ok, 40), "{mode}");
        let output = outcome.usage.as_ref().and_then(|usage| usage.output).map(|output| output.count());
        (outcome.streamed.tokens.unwrap(), outcome.streamed.source.unwrap(), output, outcome.pace(Source::Chat))
    };
    for mode in ["plain", "usageall"] {
        let (tokens, source, output, _) = counted(mode);
        assert_eq!((tokens, source, output), (40, TokenSource::Usage, Some(40)), "{mode}");
    }
    for mode in ["nousage", "usagehalf"] {
        let (tokens, source, output, pace) = counted(mode);
        // 5 x 40 characters, four a token.
        assert_eq!((tokens, source, output), (50, TokenSource::Characters, None), "{mode}");
        assert_eq!((pace.decode_tps(), pace.e2e_tps()), (Err(Why::UsageMissing), None), "{mode}");
    }
}

#[test]
fn a_clock_that_is_set_meanwhile_moves_no_duration() {
    let (server, client) = (Paced::start(), Client::new());
    for (moved, slept) in [(0, false), (3600, true), (-3600, false)] {
        let ahead = AtomicI64::new(0);
        let now = || {
            let began: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
            began + SignedDuration::from_secs(ahead.load(Ordering::Relaxed))
        };
        #[expect(clippy::disallowed_methods, reason = "a stopwatch of the test's own")]
        let began = std::time::Instant::now();
        let set = || ahead.store(moved, Ordering::Relaxed);
        let run = client.attempt_at(&server, Protocol::OpenaiChat, "s-10-2-20-plain", (&now, &set));
        let (took, times) = (began.elapsed(), run.outcome.timings);
        assert!(times.ttft.unwrap() >= run.truth.ttft() && times.e2e.unwrap() <= took, "{moved} s: {times:?}");
        assert_eq!(run.outcome.flags.has(Flags::SUSPENDED), slept, "{moved} s");
        assert_eq!((run.seen.timings, run.seen.counted_ttft().is_none()), (times, slept), "{moved} s");
    }
}
