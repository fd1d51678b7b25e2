//! What is left of the store when its writers are processes that are killed in the middle of it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use openmux::store::ObservationStore;
use openmux::store::sqlite::Sqlite;
use rusqlite::Connection;

use super::seen;

/// Where the writer of a test writes, and how often at most.
const PLACE: &str = "TEST_STORE";
const TIMES: &str = "TEST_TIMES";
/// How a line begins that says that a record was kept.
const KEPT: &str = "kept ";

/// Writes until it has written enough or is killed, and says each record that was kept: a process of the tests below.
#[test]
#[ignore = "a process of other tests"]
#[expect(clippy::disallowed_methods, reason = "its parent tells it where to write")]
fn writer() {
    let (Ok(path), Ok(times)) = (std::env::var(PLACE), std::env::var(TIMES)) else { return };
    let (store, _) = Sqlite::open(Path::new(&path)).unwrap();
    let mut out = std::io::stdout().lock();
    for record in 0..times.parse::<u64>().unwrap() {
        let mut attempt = seen("shared", 0);
        attempt.group = (u128::from(std::process::id()) << 64 | u128::from(record)).to_le_bytes();
        store.record(&attempt).unwrap();
        writeln!(out, "\n{KEPT}{record}").unwrap();
    }
}

/// A writer, and what it says.
struct Writer {
    child: Child,
    said: Box<dyn Iterator<Item = String>>,
}

impl Writer {
    fn start(path: &Path, times: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "store::crash::writer", "--nocapture"])
            .env(PLACE, path)
            .env(TIMES, times.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        Self { child, said: Box::new(lines.filter(|line| line.starts_with(KEPT))) }
    }

    /// Waits until it has said so many records more, or has ended; how many it said.
    fn says(&mut self, enough: usize) -> usize {
        self.said.by_ref().take(enough).count()
    }
}

/// How many attempts are in the file, which is sound.
fn rows(path: &Path) -> usize {
    let raw = Connection::open(path).unwrap();
    let verdict: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let count = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let found = count("SELECT count(*) FROM obs");
    assert_eq!(count("SELECT count(DISTINCT grp) FROM obs"), found, "none is there twice");
    assert_eq!(count("SELECT sum(n) FROM tally"), found, "an attempt and its sums are written together or not at all");
    found.try_into().unwrap()
}

/// Whoever writes next takes in what could not be written in time.
fn write_one_more(path: &Path) {
    let (store, note) = Sqlite::open(path).unwrap();
    assert_eq!(note, None, "the file is not damaged");
    store.record(&seen("last", 0)).unwrap();
}

#[test]
fn sixty_four_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let writers: Vec<Writer> = (0..64).map(|_| Writer::start(&path, 50)).collect();
    for mut writer in writers {
        assert_eq!(writer.says(usize::MAX), 50);
        assert!(writer.child.wait().unwrap().success());
    }
    write_one_more(&path);
    assert_eq!(rows(&path), 64 * 50 + 1);
}

/// Each is killed as soon as it has said a number of records, so anywhere in the writing of the next.
#[test]
fn a_killed_writer_loses_nothing_that_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let writers: Vec<Writer> = (0..8).map(|_| Writer::start(&path, 1_000_000)).collect();
    let mut said = 0;
    for (mut writer, enough) in writers.into_iter().zip([1, 2, 3, 5, 8, 13, 21, 34]) {
        said += writer.says(enough);
        writer.child.kill().unwrap();
        // What it kept and said before the signal reached it.
        said += writer.says(usize::MAX);
        writer.child.wait().unwrap();
    }
    write_one_more(&path);
    let found = rows(&path) - 1;
    assert!((said..=said + 8).contains(&found), "{said} were said, and at most one a writer was not: {found}");
}
