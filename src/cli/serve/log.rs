//! What is noted of each request, on stderr: written by a thread of its own, so that no request waits for whoever reads it.

use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::out;
use crate::gateway::LogLine;

/// Lines that come within so long are written together.
const GATHERED: Duration = Duration::from_millis(5);
/// So many lines wait for a reader that does not read; what comes then is counted, and lost.
const WAITING: usize = 4096;

/// Writes lines until it is dropped; those that wait are written first.
pub(super) struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<LogLine>,
    lost: usize,
    /// Whether the thread has nothing to do, and must be told of a line.
    idle: bool,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut waiting = self.lock();
            waiting.idle = true;
            let empty = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.over;
            waiting = self.wake.wait_while(waiting, empty).unwrap_or_else(PoisonError::into_inner);
            waiting.idle = false;
            let more = |waiting: &mut Waiting| !waiting.over;
            let (mut waiting, _) =
                self.wake.wait_timeout_while(waiting, GATHERED, more).unwrap_or_else(PoisonError::into_inner);
            let (lines, lost) = (std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.lost));
            let over = waiting.over;
            drop(waiting);
            out::talk(&text(&lines, lost));
            if over {
                return;
            }
        }
    }
}

fn text(lines: &[LogLine], lost: usize) -> String {
    let mut text = String::with_capacity(384 * lines.len());
    for line in lines {
        line.write(&mut text);
        text.push('\n');
    }
    if lost > 0 {
        let _ = writeln!(text, "warning: {lost} lines were not written, because nobody read them in time");
    }
    text
}

impl Log {
    /// Starts the thread; where there can be none, every line is written at once.
    pub(super) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run());
        Self { shared, thread: thread.ok() }
    }

    /// Takes lines.
    pub(super) fn taker(&self) -> impl Fn(LogLine) + Send + Sync + use<> {
        let shared = self.thread.as_ref().map(|_| Arc::clone(&self.shared));
        move |line| match &shared {
            Some(shared) => shared.take(line),
            None => out::talk(&text(&[line], 0)),
        }
    }
}

impl Shared {
    fn take(&self, line: LogLine) {
        let mut waiting = self.lock();
        if waiting.lines.len() >= WAITING {
            waiting.lost += 1;
            return;
        }
        waiting.lines.push(line);
        if std::mem::take(&mut waiting.idle) {
            self.wake.notify_one();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_in_time_is_counted_and_said() {
        let shared = Shared::default();
        for _ in 0..WAITING + 3 {
            shared.take(LogLine::default());
        }
        let waiting = shared.lock();
        assert_eq!((waiting.lines.len(), waiting.lost), (WAITING, 3));
        let written = text(&waiting.lines[..2], waiting.lost);
        assert_eq!(written.lines().count(), 3);
        assert!(
            written.ends_with("warning: 3 lines were not written, because nobody read them in time\n"),
            "{written}"
        );
    }
}
