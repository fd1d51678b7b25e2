//! How fast an answer came, and why that is sometimes not known (`metrics.md` 1.4). Pure.

use std::time::Duration;

use super::{ErrorClass, Flags, Observation, Source, Timings};

/// Where the number of streamed tokens comes from, the most trusted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The provider's usage in the answer.
    Usage,
    /// The provider's own record of the request, asked for later.
    Record,
    /// A tokenizer of ours.
    Tokenizer,
    /// The length of what was seen, at four characters a token: right to a third.
    Characters,
}

impl TokenSource {
    /// Every source; the position is the number in the store.
    pub const ALL: [Self; 4] = [Self::Usage, Self::Record, Self::Tokenizer, Self::Characters];

    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Record => "record",
            Self::Tokenizer => "tokenizer",
            Self::Characters => "characters",
        }
    }

    /// The number in the store.
    #[must_use]
    pub fn number(self) -> i64 {
        Self::ALL.iter().position(|known| *known == self).and_then(|at| i64::try_from(at).ok()).unwrap_or_default()
    }

    /// The source of that number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// The tokens that came over the stream: those that are billed, without the reasoning that stayed hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streamed {
    /// How many; `None` where the answer was not streamed.
    pub tokens: Option<u64>,
    /// How many of them came with the first token-bearing read, at least one.
    pub first: Option<u64>,
    /// The largest share of them that came in one read, in thousandths.
    pub burst_pm: Option<u16>,
    /// Where the number comes from.
    pub source: Option<TokenSource>,
}

/// Why there is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its word says")]
pub enum Why {
    Failed,
    NotStreamed,
    TooFewTokens,
    TooShort,
    Burst,
    UsageMissing,
    Suspended,
    ClientBusy,
}

impl Why {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotStreamed => "not_streamed",
            Self::TooFewTokens => "too_few_tokens",
            Self::TooShort => "too_short",
            Self::Burst => "burst",
            Self::UsageMissing => "usage_missing",
            Self::Suspended => "suspended",
            Self::ClientBusy => "client_busy",
        }
    }
}

/// The fewest tokens after the first read that make a rate.
pub const RATE_TOKENS: u64 = 32;
/// The shortest time from the first token to the last that makes a rate.
pub const RATE_SPAN: Duration = Duration::from_millis(500);
/// The fewest token-bearing reads that make a rate.
pub const RATE_READS: u32 = 8;
/// The largest share of an answer in one read that still is a stream, in thousandths.
pub const BURST_PM: u16 = 500;
/// The most tokens a chunk at which the gap between chunks may be called the time between tokens.
pub const ITL_TOKENS: f64 = 1.5;

/// Marks of times that say nothing of the provider: this machine slept or was too busy, or nothing was warm yet.
pub const BLIND: Flags = Flags::SUSPENDED.with(Flags::CLIENT_BUSY).with(Flags::WARMUP);

/// What the rates of an attempt follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Where it came from.
    pub source: Source,
    /// How it ended.
    pub class: ErrorClass,
    /// What is to be known before its times are believed.
    pub flags: Flags,
    /// How long everything took.
    pub timings: Timings,
    /// What was streamed.
    pub streamed: Streamed,
    /// Token-bearing events.
    pub events: u32,
    /// Token-bearing reads; 0 where the answer was not streamed.
    pub reads: u32,
    /// Billed output tokens, hidden reasoning among them.
    pub output: Option<u64>,
}

impl Pace {
    /// Of an attempt.
    #[must_use]
    pub fn of(seen: &Observation) -> Self {
        Self {
            source: seen.source,
            class: seen.class,
            flags: seen.flags,
            timings: seen.timings,
            streamed: seen.streamed,
            events: seen.events,
            reads: seen.reads,
            output: seen.usage.as_ref().and_then(|usage| usage.output).map(crate::units::Tokens::count),
        }
    }

    /// Tokens per second from the first token to the last, without those of the first read.
    ///
    /// # Errors
    /// The sample says nothing of the speed.
    pub fn decode_tps(&self) -> Result<f64, Why> {
        let (after_first, span) = self.gated()?;
        Ok(per_second(after_first, span))
    }

    /// Billed output tokens per second from the first token to the provider's end.
    ///
    /// # Errors
    /// The sample says nothing of the speed.
    pub fn after_first_tps(&self) -> Result<f64, Why> {
        self.gated()?;
        let output = self.output.ok_or(Why::UsageMissing)?;
        let (Some(end), Some(ttft)) = (self.timings.e2e, self.timings.ttft) else { return Err(Why::NotStreamed) };
        Ok(per_second(output, end.saturating_sub(ttft)))
    }

    /// Time for a token after the first read, in milliseconds.
    ///
    /// # Errors
    /// The sample says nothing of the speed.
    pub fn tpot_ms(&self) -> Result<f64, Why> {
        self.decode_tps().map(|speed| 1000.0 / speed)
    }

    /// Billed output tokens per second from the request to the last token; to the end where it was not streamed. `None`
    /// where the tokens are not reported, or the attempt failed.
    #[must_use]
    pub fn e2e_tps(&self) -> Option<f64> {
        let streamed = self.timings.ttft.zip(self.timings.decode).map(|(first, rest)| first + rest);
        let span = streamed.or(self.timings.e2e).filter(|span| !span.is_zero())?;
        let trusted = self.class.is_success() && !self.flags.has(Flags::SUSPENDED);
        trusted.then_some(())?;
        Some(per_second(self.output?, span))
    }

    /// Streamed tokens per token-bearing event; `None` where either is not known.
    #[must_use]
    pub fn tokens_per_chunk(&self) -> Option<f64> {
        (self.events > 0).then_some(())?;
        Some(float(self.streamed.tokens?) / f64::from(self.events))
    }

    /// The mean gap between token-bearing reads, in milliseconds; `None` below two reads.
    #[must_use]
    pub fn chunk_gap_ms(&self) -> Option<f64> {
        let gaps = self.reads.checked_sub(1).filter(|gaps| *gaps > 0)?;
        let trusted = !self.flags.has(Flags::SUSPENDED | Flags::CLIENT_BUSY);
        trusted.then_some(())?;
        Some(self.timings.decode?.as_secs_f64() * 1000.0 / f64::from(gaps))
    }

    /// The same where a chunk is about a token, so that it is the time between tokens.
    #[must_use]
    pub fn itl_ms(&self) -> Option<f64> {
        let per_read = float(self.streamed.tokens?) / f64::from(self.reads.max(1));
        let apart = self.tokens_per_chunk()? <= ITL_TOKENS && per_read <= ITL_TOKENS;
        self.chunk_gap_ms().filter(|_| apart)
    }

    /// An estimate of the provider's own share of the wait for the first token: without one round trip, which is what the
    /// TCP handshake took. `None` on a kept connection.
    #[must_use]
    pub fn server_est(&self) -> Option<Duration> {
        let (ttft, tcp) = (self.counted_ttft()?, self.timings.tcp?);
        Some(ttft.saturating_sub(tcp))
    }

    /// The wait for the first token where it counts: not while this machine slept or was too busy, not of a warm-up, and
    /// not of a probe whose prompt came from a cache. Chats have long prompts that are cached as a rule, and count. Of two
    /// that were asked side by side the slower one's would make it look fast.
    #[must_use]
    pub fn counted_ttft(&self) -> Option<Duration> {
        let cached = self.source == Source::Probe && self.flags.has(Flags::CACHE_HIT);
        self.timings.ttft.filter(|_| !cached && !self.flags.has(BLIND | Flags::SPARED))
    }

    /// The class where it is counted: a failure that may as well be the network's is nobody's, and so is a wait that the
    /// caller would not wait for.
    #[must_use]
    pub fn counted_class(&self) -> ErrorClass {
        match self.class {
            ErrorClass::ProviderTimeout if self.flags.has(Flags::IMPATIENT) => ErrorClass::Aborted,
            _ if self.flags.has(Flags::UNCONFIRMED) => ErrorClass::LocalNetwork,
            class => class,
        }
    }

    /// Tokens after the first read and the time that they took, where that is a sample of the speed.
    fn gated(&self) -> Result<(u64, Duration), Why> {
        if !self.class.is_success() {
            return Err(Why::Failed);
        }
        if self.flags.has(Flags::SUSPENDED) {
            return Err(Why::Suspended);
        }
        if self.flags.has(Flags::CLIENT_BUSY) {
            return Err(Why::ClientBusy);
        }
        let (Some(span), true) = (self.timings.decode, self.reads > 0) else { return Err(Why::NotStreamed) };
        let (Some(tokens), Some(_)) = (self.streamed.tokens, self.output) else { return Err(Why::UsageMissing) };
        if tokens <= RATE_TOKENS {
            return Err(Why::TooFewTokens);
        }
        if self.reads < RATE_READS || self.streamed.burst_pm.is_none_or(|share| share > BURST_PM) {
            return Err(Why::Burst);
        }
        let after_first = tokens.saturating_sub(self.streamed.first.unwrap_or(1));
        if after_first < RATE_TOKENS {
            return Err(Why::TooFewTokens);
        }
        if span < RATE_SPAN {
            return Err(Why::TooShort);
        }
        Ok((after_first, span))
    }
}

/// Decode speed in tokens per second, where the sample is large and slow enough to mean anything.
#[must_use]
pub fn decode_speed(seen: &Observation) -> Option<f64> {
    Pace::of(seen).decode_tps().ok()
}

impl Observation {
    /// The class where it is counted, as [`Pace::counted_class`] says.
    #[must_use]
    pub fn counted_class(&self) -> ErrorClass {
        Pace::of(self).counted_class()
    }

    /// How long a first token was waited for in vain, where it counts: one of our limits fired before it, or another was
    /// faster.
    #[must_use]
    pub fn cut_off(&self) -> Option<Duration> {
        let unseen = self.timings.ttft.is_none() || self.flags.has(Flags::SPARED);
        let unseen = unseen && self.flags.has(Flags::CENSORED);
        self.timings.e2e.filter(|_| unseen && !self.flags.has(BLIND))
    }

    /// The wait for the first token where it counts, as [`Pace::counted_ttft`] says.
    #[must_use]
    pub fn counted_ttft(&self) -> Option<Duration> {
        Pace::of(self).counted_ttft()
    }
}

fn per_second(tokens: u64, span: Duration) -> f64 {
    float(tokens) / span.as_secs_f64()
}

/// A number of tokens as a float; beyond 2^32 there is none.
fn float(tokens: u64) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    /// 201 tokens, one each 10 ms after a wait of 400 ms.
    fn steady() -> Pace {
        Pace {
            source: Source::Chat,
            class: ErrorClass::Ok,
            flags: Flags::NONE,
            timings: Timings {
                tcp: millis(30),
                ttft: millis(400),
                ttfa: millis(400),
                decode: millis(2000),
                e2e: millis(2500),
                ..Timings::default()
            },
            streamed: Streamed {
                tokens: Some(201),
                first: Some(1),
                burst_pm: Some(5),
                source: Some(TokenSource::Usage),
            },
            events: 201,
            reads: 201,
            output: Some(301),
        }
    }

    #[test]
    fn every_rate_follows_its_formula() {
        let pace = steady();
        assert_eq!(pace.decode_tps(), Ok(100.0));
        assert_eq!(pace.tpot_ms(), Ok(10.0));
        assert_eq!(pace.e2e_tps(), Some(301.0 / 2.4));
        assert_eq!(pace.after_first_tps(), Ok(301.0 / 2.1));
        assert_eq!(pace.tokens_per_chunk(), Some(1.0));
        assert_eq!((pace.chunk_gap_ms(), pace.itl_ms()), (Some(10.0), Some(10.0)));
        assert_eq!(pace.server_est(), millis(370));
    }

    #[test]
    fn each_gate_has_its_reason() {
        type Change = fn(&mut Pace);
        let gates: [(Why, Change); 12] = [
            (Why::Failed, |pace| pace.class = ErrorClass::StreamBroken),
            (Why::Suspended, |pace| pace.flags = Flags::SUSPENDED),
            (Why::ClientBusy, |pace| pace.flags = Flags::CLIENT_BUSY),
            (Why::NotStreamed, |pace| (pace.timings.decode, pace.reads) = (None, 0)),
            (Why::UsageMissing, |pace| pace.output = None),
            (Why::UsageMissing, |pace| pace.streamed.tokens = None),
            (Why::TooFewTokens, |pace| pace.streamed.tokens = Some(32)),
            (Why::TooFewTokens, |pace| (pace.streamed.tokens, pace.streamed.first) = (Some(60), Some(29))),
            (Why::Burst, |pace| pace.reads = 7),
            (Why::Burst, |pace| pace.streamed.burst_pm = Some(501)),
            (Why::Burst, |pace| (pace.reads, pace.timings.decode) = (1, millis(0))),
            (Why::TooShort, |pace| pace.timings.decode = millis(499)),
        ];
        for (why, change) in gates {
            let mut pace = steady();
            change(&mut pace);
            assert_eq!(pace.decode_tps(), Err(why), "{pace:?}");
            assert_eq!(pace.after_first_tps(), Err(why), "{pace:?}");
        }
        let mut least = steady();
        least.streamed = Streamed { tokens: Some(33), burst_pm: Some(500), ..least.streamed };
        (least.reads, least.timings.decode) = (8, millis(500));
        assert_eq!(least.decode_tps(), Ok(64.0), "what just passes");
    }

    #[test]
    fn a_chunk_of_four_tokens_has_no_time_between_tokens() {
        let mut pace = steady();
        (pace.events, pace.reads) = (50, 50);
        assert_eq!(pace.tokens_per_chunk(), Some(4.02));
        assert!(pace.chunk_gap_ms().is_some() && pace.itl_ms().is_none());
        // One token an event, and four events a read.
        pace.events = 201;
        assert_eq!(pace.itl_ms(), None);
    }

    #[test]
    fn a_wait_that_cannot_be_believed_does_not_count() {
        for flag in [Flags::SUSPENDED, Flags::CLIENT_BUSY, Flags::WARMUP] {
            let mut pace = steady();
            pace.flags = flag;
            assert_eq!((pace.counted_ttft(), pace.server_est()), (None, None));
        }
        let mut seen = crate::observe::tests_support::seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        seen.timings.ttft = millis(400);
        seen.flags = Flags::CACHE_HIT;
        assert_eq!(seen.counted_ttft(), millis(400));
        seen.source = Source::Probe;
        assert_eq!(seen.counted_ttft(), None);
    }

    #[test]
    fn sources_survive_storage() {
        for source in TokenSource::ALL {
            assert_eq!(TokenSource::from_number(source.number()), Some(source));
        }
        assert_eq!(TokenSource::from_number(4), None);
    }
}
