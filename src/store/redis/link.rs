//! The line to Redis: one thread tells and asks, one listens; requests hand over what they have, and go on.
//!
//! Where Redis refuses, hangs, or takes longer than [`ASK`] to answer, the line is down: nobody waits for it, what is to be
//! told waits for a while, what is owed to a budget waits for as long as it takes, and the line is tried again, at longer
//! and longer intervals. Each change is said once.

mod budget;
mod listen;
mod minute;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult, Value, cmd};

use super::books::{Books, Which};
use super::known::Known;
use super::slot::Slot;
use super::wire::{News, bytes, hex};
use super::{ASK, Setup, StateKey, StoreError, Told};
use crate::store::Sharing;
pub(super) use minute::Minute;

/// What every name in Redis begins with; the number changes with what it means.
const PREFIX: &str = "openmux:1:";
/// The stream holds about so many pieces of news.
const STREAM: usize = 20_000;
/// So many pieces of news wait for a line that is down.
const BACKLOG: usize = 1_024;
/// So many wait for the thread.
const WAITING: usize = 8_192;
/// How long making a connection may take, and one exchange that no request waits for.
const PATIENCE: Duration = Duration::from_secs(1);
/// A line is asked as often as this whether it lives, and whether all still go by one salt.
const BEAT: Duration = Duration::from_secs(1);
/// Before the line is tried again: at first, and at most.
const SOON: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_secs(5);
/// A line that has held for so many beats is as good as new.
const STEADY: u32 = 30;
/// How long the end waits for what is still to be told.
const FAREWELL: Duration = Duration::from_millis(500);

/// What became of a wish to set money aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It fits, as far as all know.
    Granted,
    /// It does not: so much is used.
    Exceeded(i64),
}

/// What is handed to the thread.
enum Job {
    Tell(News),
    Open(Which, i64),
    Owe(Which, i64),
    Reserve { which: Which, bound: i64, cap: i64, slot: Arc<Slot<Option<Verdict>>> },
    Take { of: Minute, amount: u64, slot: Arc<Slot<Option<Result<(), Duration>>>> },
    OweMinute(Minute, i64),
    Claim { key: String, most: Duration, slot: Arc<Slot<Option<bool>>> },
    End,
}

/// What both threads and all requests know.
struct State {
    client: redis::Client,
    shown: String,
    machine: String,
    process: String,
    /// Its end is the store's, not these threads'.
    known: Weak<Known>,
    now: fn() -> jiff::Timestamp,
    up: AtomicBool,
    /// A request has waited in vain.
    slow: AtomicBool,
    over: AtomicBool,
    waiting: AtomicUsize,
    told: AtomicU64,
    heard: AtomicU64,
    lost: AtomicU64,
}

/// The requests' end of the line.
pub(super) struct Link {
    state: Arc<State>,
    jobs: Sender<Job>,
    ended: Mutex<Receiver<()>>,
}

impl Link {
    pub(super) fn start(known: &Arc<Known>, machine: [u8; 16], setup: Setup) -> Result<Self, StoreError> {
        let state = Arc::new(State {
            client: setup.address.client,
            shown: setup.address.shown,
            machine: hex(&machine),
            process: hex(&setup.process),
            known: Arc::downgrade(known),
            now: setup.now,
            up: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            over: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            told: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let (jobs, taken) = channel();
        let (end, ended) = channel();
        let (teller, listener, say) = (Arc::clone(&state), Arc::clone(&state), setup.say);
        let threads = [
            std::thread::Builder::new().name("share".to_owned()).spawn(move || {
                Teller::new(teller, say).run(&taken);
                let _ = end.send(());
            }),
            std::thread::Builder::new().name("hear".to_owned()).spawn(move || listen::run(&listener)),
        ];
        for thread in threads {
            thread.map_err(|error| StoreError(format!("no thread to share with: {error}")))?;
        }
        Ok(Self { state, jobs, ended: Mutex::new(ended) })
    }

    fn send(&self, job: Job) {
        // The thread ends with this alone.
        let _ = self.jobs.send(job);
    }

    /// Tells the others, some time soon.
    pub(super) fn tell(&self, news: News) {
        if self.state.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            self.state.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.send(Job::Tell(news));
    }

    /// Says what this machine has used of a budget so far.
    pub(super) fn open(&self, which: &Which, used: i64) {
        self.send(Job::Open(which.clone(), used));
    }

    /// Adds to what is used of a budget.
    pub(super) fn owe(&self, which: &Which, amount: i64) {
        self.send(Job::Owe(which.clone(), amount));
    }

    /// Asks, and waits for the answer for [`ASK`] at most; `None` where the line is down.
    fn ask<T>(&self, job: impl FnOnce(Arc<Slot<Option<T>>>) -> Job) -> Option<T> {
        let slot = Arc::new(Slot::new());
        self.send(job(Arc::clone(&slot)));
        if !self.state.up.load(Ordering::SeqCst) {
            // What nobody waits for is taken into account all the same.
            return slot.wait(Duration::ZERO).flatten();
        }
        let answer = slot.wait(ASK);
        if answer.is_none() {
            self.state.up.store(false, Ordering::SeqCst);
            self.state.slow.store(true, Ordering::SeqCst);
        }
        answer.flatten()
    }

    /// Sets money aside where it fits into what all have left; `None` where nobody knows, and it counts all the same.
    pub(super) fn reserve(&self, which: &Which, bound: i64, cap: i64) -> Option<Verdict> {
        self.ask(|slot| Job::Reserve { which: which.clone(), bound, cap, slot })
    }

    /// Takes of what all machines together have in a minute; what there is to wait, where it is not enough; `None` where nobody
    /// knows.
    pub(super) fn take(&self, of: Minute, amount: u64) -> Option<Result<(), Duration>> {
        self.ask(|slot| Job::Take { of, amount, slot })
    }

    /// So much more was used of it than was taken, or less.
    pub(super) fn owe_minute(&self, of: Minute, more: i64) {
        self.send(Job::OweMinute(of, more));
    }

    /// Takes a trial, of all machines; `None` where nobody knows.
    pub(super) fn claim(&self, key: &StateKey, most: Duration) -> Option<bool> {
        let fingerprint = key.key_fingerprint.as_deref().unwrap_or_default();
        let key = format!("{PREFIX}trial:{}:{fingerprint}:{}", key.endpoint.provider, key.endpoint.upstream_model);
        self.ask(|slot| Job::Claim { key, most, slot })
    }

    pub(super) fn sharing(&self) -> Sharing {
        let State { shown, up, told, heard, lost, .. } = &*self.state;
        Sharing {
            through: shown.clone(),
            up: up.load(Ordering::SeqCst),
            told: told.load(Ordering::Relaxed),
            heard: heard.load(Ordering::Relaxed),
            lost: lost.load(Ordering::Relaxed),
        }
    }
}

impl Link {
    /// What is to be told is told, unless that takes too long.
    pub(super) fn end(&self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.send(Job::End);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(FAREWELL);
    }
}

/// The thread that tells and asks.
struct Teller {
    state: Arc<State>,
    say: Box<dyn Fn(&Told) + Send>,
    line: Option<Connection>,
    books: Books,
    backlog: VecDeque<News>,
    /// Whether what is so was said: shared, alone.
    said: Option<bool>,
    /// Whether it was ever shared.
    ever: bool,
    pause: Duration,
    due: Instant,
    /// When the line is asked again whether it lives.
    beat: Instant,
    beats: u32,
    over: bool,
}

#[expect(clippy::disallowed_methods, reason = "intervals between tries of a line are real time")]
fn clock() -> Instant {
    Instant::now()
}

impl Teller {
    fn new(state: Arc<State>, say: Box<dyn Fn(&Told) + Send>) -> Self {
        let (books, backlog) = (Books::default(), VecDeque::new());
        let (line, said, due, beat) = (None, None, clock(), clock());
        Self { state, say, line, books, backlog, said, ever: false, pause: SOON, due, beat, beats: 0, over: false }
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
        self.connect();
        loop {
            let due = if self.line.is_some() { self.beat } else { self.due };
            match jobs.recv_timeout(due.saturating_duration_since(clock())) {
                Ok(job) => {
                    self.take(job);
                    while let Ok(job) = jobs.try_recv() {
                        self.take(job);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.over = true,
            }
            if self.state.slow.swap(false, Ordering::SeqCst) {
                self.fell(&format!("it does not answer within {} ms", ASK.as_millis()));
            }
            if self.line.is_none() && clock() >= self.due {
                self.connect();
            }
            if self.line.is_some() && clock() >= self.beat {
                self.beat();
            }
            self.flush();
            if self.over {
                return;
            }
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Tell(news) => {
                self.state.waiting.fetch_sub(1, Ordering::Relaxed);
                if self.line.is_none() && self.backlog.len() >= BACKLOG {
                    self.backlog.pop_front();
                    self.state.lost.fetch_add(1, Ordering::Relaxed);
                }
                self.backlog.push_back(news);
            }
            Job::Open(which, used) => self.books.open(&which, used),
            Job::Owe(which, amount) => self.books.purse(&which).owe(amount),
            Job::Reserve { which, bound, cap, slot } => self.reserve(&which, bound, cap, &slot),
            Job::Take { of, amount, slot } => self.take_minute(&of, amount, &slot),
            Job::OweMinute(of, more) => self.owe_minute(&of, more),
            Job::Claim { key, most, slot } => {
                if !slot.is_given_up() {
                    let most = most.as_millis().max(1);
                    let mut set = cmd("SET");
                    set.arg(key).arg(&self.state.process).arg("NX").arg("PX").arg(most.to_string());
                    let answer = self.with(|line| set.query::<Value>(line));
                    slot.answer(answer.map(|value| value != Value::Nil));
                }
            }
            Job::End => self.over = true,
        }
    }

    /// Something done on the line, where there is one; a failure ends it.
    fn with<T>(&mut self, work: impl FnOnce(&mut Connection) -> RedisResult<T>) -> Option<T> {
        let done = work(self.line.as_mut()?);
        done.map_err(|error| self.fell(&reason(&error))).ok()
    }

    /// The line is down, for a reason.
    fn fell(&mut self, reason: &str) {
        self.state.up.store(false, Ordering::SeqCst);
        self.line = None;
        self.beats = 0;
        self.due = clock() + self.pause;
        self.pause = (self.pause * 2).min(LATE);
        if self.said != Some(false) {
            self.said = Some(false);
            let through = &self.state.shown;
            (self.say)(&Told::Alone(format!(
                "{through} cannot be used ({reason}): this gateway goes on by itself, and budgets and limits a minute \
                 hold for each machine alone, until it is back"
            )));
        }
    }

    /// Tries the line: it is up where all of it answers, and a short question in time.
    fn connect(&mut self) {
        let Some(own) = self.state.known.upgrade().map(|known| hex(&known.salt())) else { return };
        let opened = self.state.client.get_connection_with_timeout(PATIENCE).and_then(|mut line| {
            patient(&line)?;
            let salt = salt(&mut line, &own)?;
            line.set_read_timeout(Some(ASK))?;
            let _: Value = cmd("PING").query(&mut line)?;
            line.set_read_timeout(Some(PATIENCE))?;
            Ok((line, salt))
        });
        let (line, salt) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.fell(&reason(&error)),
        };
        self.line = Some(line);
        self.beat = clock() + BEAT;
        if !self.agree(&salt) {
            return;
        }
        self.state.slow.store(false, Ordering::SeqCst);
        self.flush();
        if self.line.is_none() {
            return;
        }
        self.state.up.store(true, Ordering::SeqCst);
        if self.said != Some(true) {
            let through = &self.state.shown;
            let text = if self.ever {
                format!("{through} is back: state is shared again")
            } else {
                format!("state is shared through {through}")
            };
            (self.said, self.ever) = (Some(true), true);
            (self.say)(&Told::Together(text));
        }
    }

    /// The line lives, and a Redis that has forgotten everything knows the salt again: whoever comes new shares it.
    fn beat(&mut self) {
        self.beat = clock() + BEAT;
        let Some(own) = self.state.known.upgrade().map(|known| hex(&known.salt())) else { return };
        let Some(salt) = self.with(|line| salt(line, &own)) else { return };
        if self.agree(&salt) {
            self.beats += 1;
            if self.beats >= STEADY {
                self.pause = SOON;
            }
        }
    }

    /// Goes by the salt that all share; where that cannot be, the line is down.
    fn agree(&mut self, salt: &str) -> bool {
        let take = |salt| self.state.known.upgrade().map_or(Ok(false), |known| known.take_salt(salt));
        match bytes(salt).map(take) {
            // What was seen under another salt says nothing to anybody.
            Some(Ok(true)) => self.backlog.clear(),
            Some(Ok(false)) => {}
            Some(Err(error)) => self.fell(&format!("its salt cannot be kept: {error}")),
            None => self.fell("what it holds is not openmux's"),
        }
        self.line.is_some()
    }

    /// Tells what waits, and what is owed.
    fn flush(&mut self) {
        if self.line.is_none() {
            return;
        }
        for which in self.books.behind() {
            if self.settled(&which) && self.books.purse(&which).is_behind() {
                self.add(&which, None);
            }
        }
        if !self.backlog.is_empty() {
            let mut pipe = redis::pipe();
            let told = self.backlog.iter().filter_map(News::text);
            let count = told.fold(0, |count, (name, text)| {
                pipe.cmd("XADD").arg(format!("{PREFIX}news")).arg("MAXLEN").arg("~").arg(STREAM).arg("*");
                pipe.arg("by").arg(&self.state.machine).arg("as").arg(&self.state.process).arg(name).arg(text).ignore();
                count + 1
            });
            if self.with(|line| pipe.exec(line)).is_some() {
                self.backlog.clear();
                self.state.told.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

/// The salt that all share: this machine's where there is none.
fn salt(line: &mut Connection, own: &str) -> RedisResult<String> {
    let name = format!("{PREFIX}salt");
    let _: Value = cmd("SET").arg(&name).arg(own).arg("NX").query(line)?;
    cmd("GET").arg(&name).query(line)
}

/// No exchange is waited for without end.
fn patient(line: &Connection) -> RedisResult<()> {
    line.set_read_timeout(Some(PATIENCE))?;
    line.set_write_timeout(Some(PATIENCE))
}

/// Why, in few words: the system's number means nothing to people.
fn reason(error: &redis::RedisError) -> String {
    if error.is_timeout() {
        return format!("it does not answer within {} s", PATIENCE.as_secs());
    }
    if error.kind() == redis::ErrorKind::AuthenticationFailed {
        return "it refuses the password".to_owned();
    }
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
