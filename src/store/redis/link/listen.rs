//! The thread that listens: first to what was told of late, then to each piece of news as it comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Connection, RedisResult, Value, cmd, from_redis_value};

use super::super::wire::News;
use super::{LATE, PATIENCE, PREFIX, SOON, State, patient};

/// So much of the past is listened to at the start.
const PAST: usize = 4_096;
/// So many pieces of news come at once.
const AT_ONCE: usize = 512;
/// How long Redis waits for news; it is given a little longer to say that there is none.
const BLOCK: Duration = Duration::from_secs(1);

/// A piece of news: its place in the stream, and its fields, in whatever bytes somebody has written there.
type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);

/// Listens until the gateway ends.
pub(super) fn run(state: &Arc<State>) {
    let mut last = None;
    let mut pause = SOON;
    while !state.over.load(Ordering::SeqCst) {
        if let Err(error) = listen(state, &mut last, &mut pause) {
            // The other thread says so.
            tracing::debug!(%error, "nothing is heard");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LATE);
    }
}

fn listen(state: &State, last: &mut Option<String>, pause: &mut Duration) -> RedisResult<()> {
    let mut line = state.client.get_connection_with_timeout(PATIENCE)?;
    patient(&line)?;
    line.set_read_timeout(Some(PATIENCE + BLOCK))?;
    while !state.over.load(Ordering::SeqCst) {
        let is_past = last.is_none();
        let entries = match last.as_deref() {
            Some(last) => news(&mut line, last)?,
            None => past(&mut line)?,
        };
        *pause = SOON;
        *last = entries.last().map(|(id, _)| id.clone()).or_else(|| last.take()).or_else(|| Some("0-0".to_owned()));
        for (_, fields) in entries {
            hear(state, &fields, is_past);
        }
    }
    Ok(())
}

/// What was told of late, oldest first.
fn past(line: &mut Connection) -> RedisResult<Vec<Entry>> {
    let name = format!("{PREFIX}news");
    let mut entries: Vec<Entry> = cmd("XREVRANGE").arg(name).arg("+").arg("-").arg("COUNT").arg(PAST).query(line)?;
    entries.reverse();
    Ok(entries)
}

/// What was told after a place in the stream; nothing where nothing comes for a while.
fn news(line: &mut Connection, last: &str) -> RedisResult<Vec<Entry>> {
    let name = format!("{PREFIX}news");
    let mut read = cmd("XREAD");
    read.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(BLOCK.as_millis().to_string()).arg("STREAMS").arg(name).arg(last);
    match read.query::<Value>(line)? {
        Value::Nil => Ok(Vec::new()),
        value => {
            let streams: Vec<(String, Vec<Entry>)> = from_redis_value(value)?;
            Ok(streams.into_iter().flat_map(|(_, entries)| entries).collect())
        }
    }
}

/// Takes in what somebody else has told. What this machine told before this process began is in its own store; what it tells
/// from then on and this process does not is told by another process that has a copy of that store.
fn hear(state: &State, fields: &[(Vec<u8>, Vec<u8>)], is_past: bool) {
    let now = (state.now)();
    let Some(known) = state.known.upgrade().filter(|_| !state.over.load(Ordering::SeqCst)) else { return };
    // What is no text is nobody's of ours.
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let fields: Vec<(&str, &str)> =
        fields.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let of = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let own = match of("as") {
        Some(process) => process == state.process || is_past && of("by") == Some(&state.machine),
        // An older version does not say which process it is.
        None => of("by") == Some(&state.machine),
    };
    if own {
        return;
    }
    for news in fields.iter().filter_map(|(name, text)| News::read(name, text, now)) {
        state.heard.fetch_add(1, Ordering::Relaxed);
        known.hear(news, now);
    }
}
