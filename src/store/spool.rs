//! The spool: attempts that could not be written in time, one JSON object a line, until somebody takes them in.
//!
//! Writers and takers hold a lock of the operating system on the file. It is emptied, never removed, so that no writer is
//! left with a file that nobody will read. Where somebody holds it for long, the next of a few such files is written to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::StoreError;
use super::sqlite::jittered;
use super::words::{headroom_of, headroom_text};
use crate::catalog::price::SheetVersion;
use crate::catalog::{EndpointId, ModelId, Protocol, ProviderId, Usage};
use crate::observe::{Asked, CostState, ErrorClass, Flags, Observation, Phase, Source, Streamed, Timings, TokenSource};
use crate::units::{Tokens, Usd};

/// So many files a spool may have.
pub(super) const FILES: usize = 4;

/// The spool of a store.
#[derive(Debug)]
pub(super) struct Spool {
    store: PathBuf,
}

/// What lay in a file of the spool, which stays locked until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    file: File,
    bytes: Vec<u8>,
}

impl Spool {
    /// The spool of a store.
    pub(super) fn beside(store: &Path) -> Self {
        Self { store: store.to_owned() }
    }

    fn path(&self, at: usize) -> PathBuf {
        self.store.with_extension(if at == 0 { "spool.jsonl".to_owned() } else { format!("spool-{at}.jsonl") })
    }

    /// Keeps attempts, all or none.
    pub(super) fn append(&self, all: &[Observation]) -> Result<(), StoreError> {
        let mut text = String::new();
        for seen in all {
            let line = serde_json::to_string(&Line::of(seen)).map_err(|error| StoreError(error.to_string()))?;
            // Not on a line that a dying process left half-written.
            text.extend(["\n", &line, "\n"]);
        }
        let (mut file, path) = self.locked()?;
        let failed = |error: std::io::Error| StoreError(format!("{}: {error}", path.display()));
        let length = file.metadata().map_err(failed)?.len();
        file.write_all(text.as_bytes()).map_err(|error| {
            let _ = file.set_len(length);
            failed(error)
        })
    }

    /// A file to write to, locked. The first is waited for, as long as a chat may wait; whoever holds it for longer keeps
    /// it.
    fn locked(&self) -> Result<(File, PathBuf), StoreError> {
        let mut tries = 0;
        for at in 0..FILES {
            let path = self.path(at);
            let failed = |error: std::io::Error| StoreError(format!("{}: {error}", path.display()));
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path).map_err(failed)?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok((file, path)),
                    Err(TryLockError::WouldBlock) if at == 0 && jittered(tries) => tries += 1,
                    Err(TryLockError::WouldBlock) => break,
                    Err(TryLockError::Error(error)) => return Err(failed(error)),
                }
            }
        }
        Err(StoreError(format!("{} and the files after it are held by others", self.path(0).display())))
    }

    /// Whether anything lies in one of its files.
    pub(super) fn holds_any(&self, at: usize) -> bool {
        self.path(at).metadata().is_ok_and(|about| about.len() > 0)
    }

    /// What lies in one of its files; `None` where that is nothing, or somebody else is at it.
    pub(super) fn take(&self, at: usize) -> Result<Option<Taken>, StoreError> {
        let path = self.path(at);
        let failed = |error: std::io::Error| StoreError(format!("{}: {error}", path.display()));
        if !self.holds_any(at) {
            return Ok(None);
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        Ok((!bytes.is_empty()).then_some(Taken { file, bytes }))
    }
}

impl Taken {
    /// The attempts that are not in the store yet. `done` is the mark of the last spool that was taken in: where this one
    /// begins with it, it was not emptied after that.
    pub(super) fn unseen(&self, done: Option<&str>) -> Vec<Observation> {
        let begins = |(length, hash): (usize, &str)| {
            self.bytes.get(..length).is_some_and(|head| digest(head) == hash).then_some(length)
        };
        let mark =
            done.and_then(|mark| mark.split_once(' ')).and_then(|(length, hash)| Some((length.parse().ok()?, hash)));
        let rest = &self.bytes[mark.and_then(begins).unwrap_or(0)..];
        // A line that a dying process left half-written, in the middle of a character even, is nobody's attempt any more.
        let lines = rest.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        lines.filter_map(seen).collect()
    }

    /// What tells this spool, as it is, apart from any other.
    pub(super) fn mark(&self) -> String {
        format!("{} {}", self.bytes.len(), digest(&self.bytes))
    }

    /// Empties the spool.
    pub(super) fn empty(mut self) -> Result<(), StoreError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|error| StoreError(format!("the spool cannot be emptied: {error}")))
    }
}

fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// An attempt as a line that says nothing of what is not known, for whoever sends it elsewhere.
pub(super) fn line(seen: &Observation) -> Option<String> {
    let mut line = serde_json::to_value(Line::of(seen)).ok()?;
    line.as_object_mut()?.retain(|_, value| !value.is_null());
    Some(line.to_string())
}

/// Reads it back; `None` where it is in words that only a newer version knows.
pub(super) fn seen(line: &str) -> Option<Observation> {
    serde_json::from_str::<Line>(line).ok()?.seen()
}

/// One attempt as a line: the columns of the store, by their names there.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    ts_ms: i64,
    provider: String,
    upstream_model: String,
    model: String,
    host: String,
    protocol: String,
    key_fp: String,
    grp: [u8; 16],
    src: u8,
    class: i64,
    phase: u8,
    http: Option<u16>,
    code: Option<String>,
    connect_us: Option<u64>,
    #[serde(default)]
    dns_us: Option<u64>,
    #[serde(default)]
    tcp_us: Option<u64>,
    #[serde(default)]
    tls_us: Option<u64>,
    #[serde(default)]
    sched_lag_us: Option<u64>,
    head_us: Option<u64>,
    ttft_us: Option<u64>,
    ttfa_us: Option<u64>,
    decode_us: Option<u64>,
    e2e_us: Option<u64>,
    in_tok: Option<u64>,
    cached_tok: Option<u64>,
    cw_tok: Option<u64>,
    cw1h_tok: Option<u64>,
    out_tok: Option<u64>,
    reason_tok: Option<u64>,
    has_usage: bool,
    events: u32,
    reads: u32,
    #[serde(default)]
    stream_tok: Option<u64>,
    #[serde(default)]
    n1_tok: Option<u64>,
    #[serde(default)]
    burst_pm: Option<u16>,
    #[serde(default)]
    tok_src: Option<i64>,
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    prompt_ver: Option<i64>,
    retry_after_ms: Option<u64>,
    cost_pd: Option<i64>,
    bill_pd: Option<i64>,
    cost_state: u8,
    finish: Option<String>,
    #[serde(default)]
    flags: u16,
    #[serde(default)]
    warm_tok: Option<u64>,
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    streamed: Option<bool>,
    #[serde(default)]
    est_tok: Option<u64>,
    #[serde(default)]
    expect_pd: Option<i64>,
    #[serde(default)]
    bound_pd: Option<i64>,
    /// Hash, day and text.
    #[serde(default)]
    sheet: Option<(String, String, String)>,
}

const SOURCES: [Source; 3] = [Source::Probe, Source::Chat, Source::Gateway];
const PHASES: [Phase; 8] =
    [Phase::Dns, Phase::Tcp, Phase::Tls, Phase::Send, Phase::Head, Phase::FirstToken, Phase::Stream, Phase::Done];
const COST_STATES: [CostState; 3] = [CostState::Exact, CostState::None, CostState::Unknown];

fn place<T: PartialEq>(all: &[T], value: &T) -> u8 {
    all.iter().position(|known| known == value).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

impl Line {
    fn of(seen: &Observation) -> Self {
        let micros = |time: Option<Duration>| time.and_then(|time| u64::try_from(time.as_micros()).ok());
        let usage = seen.usage.clone().unwrap_or_default();
        let count = |tokens: Option<Tokens>| tokens.map(Tokens::count);
        Self {
            ts_ms: seen.at.as_millisecond(),
            provider: seen.endpoint.provider.as_str().to_owned(),
            upstream_model: seen.endpoint.upstream_model.clone(),
            model: seen.model.as_str().to_owned(),
            host: seen.host.clone(),
            protocol: seen.protocol.name().to_owned(),
            key_fp: seen.key_fingerprint.clone(),
            grp: seen.group,
            src: place(&SOURCES, &seen.source),
            class: seen.class.number(),
            phase: place(&PHASES, &seen.phase),
            http: seen.http_status,
            code: seen.code.clone(),
            connect_us: micros(seen.timings.connect),
            dns_us: micros(seen.timings.dns),
            tcp_us: micros(seen.timings.tcp),
            tls_us: micros(seen.timings.tls),
            sched_lag_us: micros(seen.timings.sched_lag),
            head_us: micros(seen.timings.head),
            ttft_us: micros(seen.timings.ttft),
            ttfa_us: micros(seen.timings.ttfa),
            decode_us: micros(seen.timings.decode),
            e2e_us: micros(seen.timings.e2e),
            in_tok: count(usage.input),
            cached_tok: count(usage.cache_read),
            cw_tok: count(usage.cache_write),
            cw1h_tok: count(usage.cache_write_1h),
            out_tok: count(usage.output),
            reason_tok: count(usage.reasoning),
            has_usage: seen.usage.is_some(),
            events: seen.events,
            reads: seen.reads,
            stream_tok: seen.streamed.tokens,
            n1_tok: seen.streamed.first,
            burst_pm: seen.streamed.burst_pm,
            tok_src: seen.streamed.source.map(TokenSource::number),
            effort: seen.effort.clone(),
            prompt_ver: seen.prompt_version,
            retry_after_ms: seen.retry_after.and_then(|wait| u64::try_from(wait.as_millis()).ok()),
            cost_pd: seen.cost.and_then(Usd::to_pico),
            bill_pd: seen.billed.and_then(Usd::to_pico),
            cost_state: place(&COST_STATES, &seen.cost_state),
            finish: seen.finish.clone(),
            flags: seen.flags.bits(),
            warm_tok: count(seen.warm),
            room: headroom_text(&seen.headroom),
            streamed: seen.asked.stream,
            est_tok: count(seen.asked.input),
            expect_pd: seen.asked.expected.and_then(Usd::to_pico),
            bound_pd: seen.asked.bound.and_then(Usd::to_pico),
            sheet: seen
                .asked
                .sheet
                .as_deref()
                .map(|sheet| (sheet.sha256.clone(), sheet.day.clone(), sheet.sheet.clone())),
        }
    }

    fn seen(self) -> Option<Observation> {
        let time = |micros: Option<u64>| micros.map(Duration::from_micros);
        let tokens = |count: Option<u64>| count.map(Tokens::new);
        let usage = Usage {
            input: tokens(self.in_tok),
            output: tokens(self.out_tok),
            cache_read: tokens(self.cached_tok),
            cache_write: tokens(self.cw_tok),
            cache_write_1h: tokens(self.cw1h_tok),
            reasoning: tokens(self.reason_tok),
            ..Usage::default()
        };
        Some(Observation {
            at: Timestamp::from_millisecond(self.ts_ms).ok()?,
            endpoint: EndpointId { provider: ProviderId::new(self.provider), upstream_model: self.upstream_model },
            model: ModelId::new(self.model),
            host: self.host,
            protocol: Protocol::parse(&self.protocol)?,
            key_fingerprint: self.key_fp,
            group: self.grp,
            source: *SOURCES.get(usize::from(self.src))?,
            class: ErrorClass::from_number(self.class)?,
            phase: *PHASES.get(usize::from(self.phase))?,
            http_status: self.http,
            code: self.code,
            timings: Timings {
                connect: time(self.connect_us),
                dns: time(self.dns_us),
                tcp: time(self.tcp_us),
                tls: time(self.tls_us),
                sched_lag: time(self.sched_lag_us),
                head: time(self.head_us),
                ttft: time(self.ttft_us),
                ttfa: time(self.ttfa_us),
                decode: time(self.decode_us),
                e2e: time(self.e2e_us),
            },
            usage: self.has_usage.then_some(usage),
            events: self.events,
            reads: self.reads,
            streamed: Streamed {
                tokens: self.stream_tok,
                first: self.n1_tok,
                burst_pm: self.burst_pm,
                source: self.tok_src.and_then(TokenSource::from_number),
            },
            effort: self.effort,
            prompt_version: self.prompt_ver,
            retry_after: self.retry_after_ms.map(Duration::from_millis),
            cost: self.cost_pd.map(Usd::from_pico),
            billed: self.bill_pd.map(Usd::from_pico),
            cost_state: *COST_STATES.get(usize::from(self.cost_state))?,
            finish: self.finish,
            flags: Flags::from_bits(i64::from(self.flags)),
            warm: tokens(self.warm_tok),
            headroom: headroom_of(self.room.as_deref().unwrap_or_default()),
            asked: Asked {
                input: tokens(self.est_tok),
                stream: self.streamed,
                expected: self.expect_pd.map(Usd::from_pico),
                bound: self.bound_pd.map(Usd::from_pico),
                sheet: self.sheet.map(|(sha256, day, sheet)| Arc::new(SheetVersion { sha256, day, sheet })),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests_support::seen;

    /// Everything that a stream leaves behind.
    fn mark(seen: &mut Observation) {
        let micros = |micros| Some(Duration::from_micros(micros));
        (seen.timings.tcp, seen.timings.tls, seen.timings.sched_lag) = (micros(1), micros(2), micros(3));
        seen.streamed =
            Streamed { tokens: Some(4), first: Some(5), burst_pm: Some(6), source: Some(TokenSource::Characters) };
        (seen.effort, seen.prompt_version) = (Some("low".to_owned()), Some(7));
        seen.flags = Flags::REUSED | Flags::UNCONFIRMED;
    }

    #[test]
    fn what_is_spooled_is_taken_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::beside(&folder.path().join("obs.db"));
        assert!(spool.take(0).unwrap().is_none());
        let mut first = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        first.usage = Some(Usage::text(10, 20));
        first.timings.ttft = Some(Duration::from_millis(420));
        first.cost = Some("0.0006".parse().unwrap());
        first.finish = Some("stop".into());
        let sheet = SheetVersion::of(&crate::catalog::price::Pricing::default(), "2026-11-24");
        first.asked = Asked {
            input: Some(Tokens::new(11)),
            stream: Some(true),
            expected: Some("0.0005".parse().unwrap()),
            bound: Some("0.1".parse().unwrap()),
            sheet: Some(Arc::new(sheet)),
        };
        mark(&mut first);
        let second = seen("2026-11-24T10:00:01Z", ErrorClass::RateLimited);
        spool.append(std::slice::from_ref(&first)).unwrap();
        let taken = spool.take(0).unwrap().unwrap();
        assert_eq!(taken.unseen(None), [first.clone()]);
        let mark = taken.mark();
        assert!(spool.take(0).unwrap().is_none(), "it is locked");
        drop(taken);
        // The taker died between its commit and emptying the file; somebody else wrote on.
        spool.append(std::slice::from_ref(&second)).unwrap();
        let taken = spool.take(0).unwrap().unwrap();
        assert_eq!(taken.unseen(Some(&mark)), std::slice::from_ref(&second));
        assert_eq!(taken.unseen(Some("12 of-another-spool")), [first, second.clone()]);
        taken.empty().unwrap();
        assert!(spool.take(0).unwrap().is_none());
        spool.append(std::slice::from_ref(&second)).unwrap();
        assert_eq!(spool.take(0).unwrap().unwrap().unseen(Some(&mark)), [second]);
    }

    #[test]
    fn half_a_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::beside(&folder.path().join("obs.db"));
        let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        spool.append(std::slice::from_ref(&one)).unwrap();
        let mut file = OpenOptions::new().append(true).open(spool.path(0)).unwrap();
        // Half a character, too.
        file.write_all(b"{\"ts_ms\": 12, \"model\": \"\xe6\xa8").unwrap();
        spool.append(std::slice::from_ref(&one)).unwrap();
        assert_eq!(spool.take(0).unwrap().unwrap().unseen(None), [one.clone(), one]);
    }

    /// Whoever was stopped with the file in its hands holds up nobody, and loses nothing for others.
    #[test]
    fn a_file_that_somebody_holds_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::beside(&folder.path().join("obs.db"));
        let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        spool.append(std::slice::from_ref(&one)).unwrap();
        let held = spool.take(0).unwrap().unwrap();
        spool.append(&[one.clone(), one.clone()]).unwrap();
        assert!(spool.take(0).unwrap().is_none());
        assert_eq!(spool.take(1).unwrap().unwrap().unseen(None), [one.clone(), one.clone()]);
        assert_eq!(held.unseen(None), [one]);
    }
}
