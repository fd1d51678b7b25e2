//! Secrets of a test, and the proof after every run of the command that none of them came out anywhere.
//!
//! What counts as a secret is what the test itself set as one: variables named like keys, files that hold keys, and every
//! credential that a scripted server of the test was shown. A piece of [`PIECE`] characters is a leak, and so is one of
//! the secret's base64.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// What is shown of a key is four characters; three times that is a leak.
const PIECE: usize = 12;

/// How the names of variables and settings that hold secrets end.
const SECRET_NAMES: [&str; 10] = [
    "_KEY",
    "_TOKEN",
    "_SECRET",
    "_PASSWORD",
    "AWS_BEARER_TOKEN_BEDROCK",
    "PRIVATE_KEY",
    "ACCESSTOKEN",
    "SECRETACCESSKEY",
    "SESSIONTOKEN",
    "PASSWORD",
];

/// Headers that carry a credential.
const HEADERS: [&str; 6] =
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "x-amz-sso_bearer_token"];

thread_local! {
    /// What the scripted servers of this thread's test were shown.
    static SHOWN: RefCell<Vec<Weak<Mutex<Vec<String>>>>> = const { RefCell::new(Vec::new()) };
}

/// The credentials that one scripted server was shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<String>>>);

impl Shown {
    /// Known to the runs of the test that makes it.
    pub(crate) fn new() -> Self {
        let shown = Self::default();
        SHOWN.with_borrow_mut(|all| {
            all.retain(|known| known.strong_count() > 0);
            all.push(Arc::downgrade(&shown.0));
        });
        shown
    }

    /// Takes down what one request shows.
    pub(crate) fn note(&self, headers: &[(String, String)], path: &str, body: &[u8]) {
        let mut shown = lock(&self.0);
        for (_, value) in headers.iter().filter(|(name, _)| HEADERS.contains(&name.as_str())) {
            // The rest of what AWS signs says who asks and for what.
            let value = value.rsplit_once("Signature=").map_or(value.as_str(), |(_, signature)| signature);
            shown.push(value.strip_prefix("Bearer ").unwrap_or(value).to_owned());
        }
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let form = headers.iter().any(|(name, value)| name == "content-type" && value.contains("form-urlencoded"));
        let form = if form { String::from_utf8_lossy(body) } else { Default::default() };
        let secret = ["key", "assertion", "refresh_token", "client_secret", "WebIdentityToken", "X-Amz-Signature"];
        for (name, value) in query.split('&').chain(form.split('&')).filter_map(|pair| pair.split_once('=')) {
            if secret.contains(&name) {
                shown.push(value.to_owned());
            }
        }
    }
}

/// The secrets of one home, and the files in which the test itself put them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canaries {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    secrets: BTreeSet<String>,
    written: BTreeSet<PathBuf>,
}

impl Canaries {
    /// A variable of the environment; it is a secret where its name says so.
    pub(crate) fn variable(&self, name: &str, value: &str) {
        if is_secret_name(name) {
            lock(&self.known).secrets.insert(value.to_owned());
        }
    }

    /// A file that the test writes, and the secrets in it.
    pub(crate) fn file(&self, path: &Path, text: &str) {
        let mut known = lock(&self.known);
        known.written.insert(path.to_owned());
        known.secrets.extend(secrets_of(text));
        let whole = text.trim();
        // A file that is a key and nothing else.
        if whole.starts_with("sk-") && !whole.contains(char::is_whitespace) {
            known.secrets.insert(whole.to_owned());
        }
    }

    /// Panics where one of the secrets is in an output or in a file that the test did not write.
    pub(crate) fn assert_unseen(&self, home: &Path, outputs: &[(&str, &[u8])], what: &str) {
        let known = lock(&self.known);
        let shown = SHOWN.with_borrow(|all| all.iter().filter_map(Weak::upgrade).collect::<Vec<_>>());
        let shown = shown.iter().flat_map(|one| lock(one).clone()).collect::<Vec<_>>();
        let pieces = Pieces::of(known.secrets.iter().chain(&shown));
        if pieces.is_empty() {
            return;
        }
        for (place, bytes) in outputs {
            pieces.assert_absent(bytes, place, what);
        }
        each_file(home, &mut |path, bytes| {
            if !known.written.contains(path) {
                pieces.assert_absent(bytes, &path.display().to_string(), what);
            }
        });
    }
}

/// Every run of [`PIECE`] characters that gives a secret away.
struct Pieces(BTreeSet<Vec<u8>>);

impl Pieces {
    fn of<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Self {
        let mut pieces = BTreeSet::new();
        for secret in secrets {
            for text in forms(secret) {
                pieces.extend(text.windows(PIECE).map(<[u8]>::to_vec));
            }
        }
        Self(pieces)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn assert_absent(&self, bytes: &[u8], place: &str, what: &str) {
        let starts: BTreeSet<[u8; 2]> = self.0.iter().map(|piece| [piece[0], piece[1]]).collect();
        let mut first = [false; 1 << 16];
        starts.iter().for_each(|start| first[usize::from(u16::from_be_bytes(*start))] = true);
        let found = bytes
            .windows(PIECE)
            .find(|piece| first[usize::from(u16::from_be_bytes([piece[0], piece[1]]))] && self.0.contains(*piece));
        if let Some(piece) = found {
            panic!(
                "a secret is in {place}: \"{}\"\n--- of {what}\n{}",
                String::from_utf8_lossy(piece),
                String::from_utf8_lossy(&bytes[..bytes.len().min(8000)])
            );
        }
    }
}

/// A secret as it is, as a URL and JSON would write it, and in base64 behind any bytes.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    // A PEM's first and last line are no secret, and a key over several lines is one in each of them.
    let lines = secret.lines().filter(|line| !line.starts_with("-----"));
    let mut forms: Vec<Vec<u8>> = lines.clone().map(|line| line.as_bytes().to_vec()).collect();
    forms.extend(lines.map(|line| line.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").into_bytes()));
    for shift in 0..3 {
        let behind = [&vec![0; shift][..], secret.as_bytes()].concat();
        // The first and the last characters mix with what is beside the secret.
        let inner = |text: String| text.as_bytes().get(4..text.len().saturating_sub(4)).map(<[u8]>::to_vec);
        forms.extend(inner(STANDARD_NO_PAD.encode(&behind)));
        forms.extend(inner(URL_SAFE_NO_PAD.encode(&behind)));
    }
    forms
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_NAMES.iter().any(|end| name.ends_with(end))
}

/// The secrets in a file of a cloud's or of ours: in JSON by their names, in lines as `name = value`.
fn secrets_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => in_json(&value, &mut found),
        Err(_) => {
            for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
                let name = name.trim();
                if name == "key" || is_secret_name(name) {
                    found.push(value.trim().trim_matches('"').to_owned());
                }
            }
        }
    }
    found
}

fn in_json(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if is_secret_name(name) => found.push(text.clone()),
                    value => in_json(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| in_json(item, found)),
        _ => {}
    }
}

/// Every plain file below a folder. What vanishes in between was not there.
#[expect(clippy::disallowed_methods, reason = "what the command wrote is read behind its back")]
fn each_file(folder: &Path, visit: &mut dyn FnMut(&Path, &[u8])) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => each_file(&path, visit),
            Ok(kind) if kind.is_file() => {
                if let Ok(bytes) = std::fs::read(&path) {
                    visit(&path, &bytes);
                }
            }
            _ => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::command::Home;

    const KEY: &str = "sk-canary-support-0123456789abcdef";

    fn run(script: &str) {
        let home = Home::new();
        drop(home.shell(script, []).env("SOME_API_KEY", KEY).run());
    }

    #[test]
    #[should_panic(expected = "a secret is in stdout: \"sk-canary-su\"")]
    fn a_key_on_stdout_is_found() {
        run("echo $SOME_API_KEY");
    }

    #[test]
    #[should_panic(expected = "a secret is in stderr")]
    fn a_piece_of_a_key_on_stderr_is_found() {
        run("echo \"{$SOME_API_KEY}\" | /usr/bin/cut -c 9-22 >&2");
    }

    #[test]
    #[should_panic(expected = "a secret is in stdout")]
    fn a_key_in_base64_is_found() {
        run("printf 'user:%s' $SOME_API_KEY | /usr/bin/base64");
    }

    #[test]
    #[should_panic(expected = "data/store.db")]
    fn a_key_in_a_file_is_found() {
        let home = Home::new();
        home.write("config/mine", KEY);
        drop(home.shell("printf 'x%s' $SOME_API_KEY > data/store.db", []).env("SOME_API_KEY", KEY).run());
    }

    #[test]
    fn the_end_of_a_key_and_the_tests_own_files_are_none() {
        let home = Home::new();
        home.write("config/mine", KEY);
        let run = home.shell("echo ending in cdef; cat config/mine > /dev/null", []).env("SOME_API_KEY", KEY);
        assert_eq!(run.run().code, Some(0));
    }
}
