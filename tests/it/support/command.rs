//! The `openmux` command in a bare environment: nothing of the machine's reaches it, and it cannot run for ever.

use std::io::{PipeWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::canary::Canaries;
use super::stable::stable;
use super::{clock, schemas};

/// How long a run may take unless the test says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// A home of its own for one or several runs, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    dir: TempDir,
    canaries: Canaries,
}

impl Home {
    /// An empty home.
    pub(crate) fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().expect("a temporary directory"), canaries: Canaries::default() };
        for part in ["config", "data"] {
            std::fs::create_dir(home.path().join(part)).expect("a directory");
        }
        home
    }

    /// Its path; the configuration is in `config`, the data in `data`.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file under the home, with the directories that it needs.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a directory");
        }
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
        self.canaries.file(&path, text);
        path
    }

    /// The command with these arguments; standard input is empty.
    pub(crate) fn openmux<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        let mut run = self.command(assert_cmd::cargo::cargo_bin!("openmux"));
        run.command.args(args);
        run
    }

    /// The command under `/bin/sh`, for what only a shell can set up; the script says where `"$0" "$@"` goes.
    pub(crate) fn shell<'a>(&self, script: &str, args: impl IntoIterator<Item = &'a str>) -> Run {
        let mut run = self.command("/bin/sh");
        run.command.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("openmux")).args(args);
        run
    }

    /// A line for the shell, in which `openmux` is this one and other programs are the machine's.
    #[cfg(unix)]
    #[expect(clippy::disallowed_methods, reason = "a pipe into another program needs the machine's PATH")]
    pub(crate) fn shell_line(&self, line: &str) -> Run {
        let mut path = assert_cmd::cargo::cargo_bin!("openmux").parent().expect("a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
        let mut run = self.command("/bin/sh").env("PATH", path);
        run.command.args(["-c", line]);
        run
    }

    fn command(&self, program: impl AsRef<Path>) -> Run {
        let path = self.path();
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .current_dir(path)
            .env("HOME", path)
            .env("TMPDIR", path)
            .env("OPENMUX_CONFIG_DIR", path.join("config"))
            .env("OPENMUX_DATA_DIR", path.join("data"))
            .env("OPENMUX_CACHE_DIR", path.join("cache"))
            .env("COLUMNS", "80")
            .env("NO_COLOR", "1")
            // A machine of Amazon's or Google's has credentials of its own.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_GCE_CHECK", "true")
            .env("TZ", "UTC")
            .env(clock::MOVED, clock::moved())
            .env("LC_ALL", "C.UTF-8");
        let canaries = self.canaries.clone();
        Run { command, home: path.to_owned(), canaries, stdin: Stdin::Null, stdout: None, timeout: TIMEOUT }
    }
}

/// What the command reads.
#[derive(Debug, Clone)]
pub(crate) enum Stdin {
    /// Nothing: `/dev/null`.
    Null,
    /// These bytes through a pipe, then the end.
    Bytes(Vec<u8>),
    /// A pipe that stays open and silent, as under many supervisors.
    OpenPipe,
}

/// One run that has not begun.
#[derive(Debug)]
#[must_use = "nothing runs until `run` or `spawn`"]
pub(crate) struct Run {
    command: Command,
    home: PathBuf,
    canaries: Canaries,
    stdin: Stdin,
    stdout: Option<PipeWriter>,
    timeout: Duration,
}

impl Run {
    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.canaries.variable(name, &value.as_ref().to_string_lossy());
        self.command.env(name, value);
        self
    }

    /// Unsets an environment variable, e.g. `NO_COLOR`.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Sets what the command reads.
    pub(crate) fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sends standard output into this pipe; the test holds the other end, and [`Output::stdout`] stays empty.
    pub(crate) fn stdout(mut self, pipe: PipeWriter) -> Self {
        self.stdout = Some(pipe);
        self
    }

    /// Sends standard output to a reader that is gone already, as `| true` does in time.
    pub(crate) fn stdout_closed(self) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        self.stdout(writer)
    }

    /// Unsets every environment variable, those of the harness too.
    pub(crate) fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets how long it may take before it is killed and the test fails.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it to its end. Panics with what it had printed where that takes too long.
    pub(crate) fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts it, for tests that do something while it runs.
    pub(crate) fn spawn(mut self) -> Running {
        let stdin = if matches!(self.stdin, Stdin::Null) { Stdio::null() } else { Stdio::piped() };
        let stdout = self.stdout.take().map_or_else(Stdio::piped, Stdio::from);
        let child = self.command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn();
        // The parent's copy of the pipe would keep it open.
        self.command.stdout(Stdio::null());
        let mut child = child.unwrap_or_else(|error| panic!("{:?} cannot be run: {error}", self.command));
        let pipe = child.stdin.take();
        let stdin = match self.stdin {
            Stdin::Null => None,
            Stdin::Bytes(bytes) => {
                let mut pipe = pipe.expect("a pipe");
                // A command that does not read all of it closes the pipe, which is its right.
                std::thread::spawn(move || drop(pipe.write_all(&bytes)));
                None
            }
            Stdin::OpenPipe => pipe,
        };
        let stdout = child.stdout.take().map(drain);
        let said = Arc::new(Mutex::new(Vec::new()));
        let stderr = follow(child.stderr.take().expect("a pipe"), Arc::clone(&said));
        let what = format!("{:?}", self.command);
        let args = self.command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        Running {
            child,
            what,
            args,
            stdin,
            stdout,
            stderr: Some(stderr),
            said,
            home: self.home,
            canaries: self.canaries,
            timeout: self.timeout,
        }
    }
}

/// A command that runs; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    what: String,
    args: Vec<String>,
    stdin: Option<std::process::ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<()>>,
    said: Arc<Mutex<Vec<u8>>>,
    home: PathBuf,
    canaries: Canaries,
    timeout: Duration,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// The first line on stderr that holds this; waits until it is there.
    pub(crate) fn line(&mut self, word: &str) -> String {
        loop {
            let ended = self.has_ended();
            let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
            let lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            if let Some(line) = lines.map(str::trim_end).find(|line| line.contains(word)) {
                return line.to_owned();
            }
            assert!(!ended, "it ended without a word of {word}: {said}");
            std::thread::sleep(POLL);
        }
    }

    /// Where a gateway listens that chose its port itself: waits until it says so.
    pub(crate) fn listening(&mut self) -> SocketAddr {
        let line = self.line("listening on http://");
        let addr = line.split_once("http://").and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        addr.unwrap_or_else(|| panic!("no address: {line}"))
    }

    /// Sends it a signal: `INT`, `TERM`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {}", self.id())]).status();
        assert!(kill.expect("a shell can be run").success(), "SIG{name} was sent");
    }

    /// Waits for its end. Panics with what it had printed where that takes too long, where a secret of the test's came
    /// out (on stdout, on stderr or in a file that the test did not write), where JSON is not what its schema says, and
    /// where an error does not say what mends it.
    pub(crate) fn wait(mut self) -> Output {
        let mut waited = Duration::ZERO;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break Some(status);
            }
            if waited >= self.timeout {
                break None;
            }
            std::thread::sleep(POLL);
            waited += POLL;
        };
        if status.is_none() {
            self.child.kill().expect("a child can be killed");
            self.child.wait().expect("a child can be waited for");
        }
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let stdout = text(self.stdout.take().map(JoinHandle::join).and_then(Result::ok).unwrap_or_default());
        drop(self.stderr.take().map(JoinHandle::join));
        let stderr = text(std::mem::take(&mut *self.said.lock().unwrap()));
        drop(self.stdin.take());
        let Some(status) = status else {
            panic!("killed after {:?}: {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", self.timeout, self.what);
        };
        let outputs = [("stdout", stdout.as_bytes()), ("stderr", stderr.as_bytes())];
        self.canaries.assert_unseen(&self.home, &outputs, &self.what);
        schemas::assert_kept(&self.args, &stdout, &stderr);
        assert!(mended(&stderr), "an error without a fix: {}\n{stderr}", self.what);
        Output { stdout, stderr: without_age(&stderr), code: status.code(), home: self.home.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless a test failed in between.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// What a run printed and how it ended.
#[derive(Debug, Clone)]
#[must_use = "snapshot the output or assert the exit code"]
pub(crate) struct Output {
    /// Standard output as it is.
    pub(crate) stdout: String,
    /// Standard error, without the note that the catalog of this build has grown old: tests outlive it.
    pub(crate) stderr: String,
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    home: PathBuf,
}

impl Output {
    /// Exit code and both outputs as one text for a snapshot. What differs from run to run is replaced: the home by
    /// `$TMP`, the port after `127.0.0.1:` by `PORT`, and durations (`1.3 s`, `812 ms`) by `TIME`.
    pub(crate) fn snapshot(&self) -> String {
        let code = self.code.map_or("signal".to_owned(), |code| code.to_string());
        let text = format!("exit: {code}\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        stable(&text.replace(&*self.home.to_string_lossy(), "$TMP"))
    }
}

/// Whether an error among these lines, for people or for programs, says what mends it.
fn mended(stderr: &str) -> bool {
    let is_error = |line: &str| line.starts_with("error:") || line.starts_with('\x1b') && line.contains("merror:");
    let mut objects = stderr.lines().filter(|line| line.starts_with("{\"error\":"));
    (!stderr.lines().any(is_error) || stderr.contains("fix:")) && objects.all(|line| line.contains("\"fix\":\""))
}

/// Reads a pipe to its end beside everything else, so that a command never waits for its reader.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// The same, and what was read so far can be looked at.
fn follow(mut pipe: impl Read + Send + 'static, said: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            match pipe.read(&mut bytes).expect("a pipe can be read") {
                0 => return,
                read => said.lock().unwrap().extend_from_slice(&bytes[..read]),
            }
        }
    })
}

fn without_age(stderr: &str) -> String {
    stderr.split_inclusive('\n').filter(|line| !line.starts_with("note: the catalog's prices are ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_found_and_run() {
        let home = Home::new();
        let output = home.openmux(["--version"]).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
    }

    #[test]
    #[cfg(unix)]
    fn nothing_of_the_machine_reaches_it() {
        let home = Home::new();
        let run = home.command("/usr/bin/env").env("MORE", "1").env("GONE", "1").env_remove("GONE");
        let output = run.timeout(Duration::from_secs(30)).run();
        let mut names: Vec<&str> = output.stdout.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        let expected = [
            "AWS_EC2_METADATA_DISABLED",
            "COLUMNS",
            "HOME",
            "LC_ALL",
            "MORE",
            "NO_COLOR",
            "NO_GCE_CHECK",
            "OPENMUX_CACHE_DIR",
            "OPENMUX_CONFIG_DIR",
            "OPENMUX_DATA_DIR",
            clock::MOVED,
            "TMPDIR",
            "TZ",
        ];
        assert_eq!(names, expected);
        assert!(output.snapshot().contains("HOME=$TMP\n"), "{}", output.snapshot());
    }

    #[test]
    #[cfg(unix)]
    fn it_reads_what_it_is_given() {
        let home = Home::new();
        home.write("deep/file.txt", "in a file\n");
        let cat = || home.command("/bin/cat");
        assert_eq!(cat().run().stdout, "");
        assert_eq!(cat().stdin(Stdin::Bytes(b"through a pipe".to_vec())).run().stdout, "through a pipe");
        let mut run = cat();
        run.command.arg("deep/file.txt");
        assert_eq!(run.run().snapshot(), "exit: 0\n--- stdout\nin a file\n\n--- stderr\n");
        let running = cat().stdin(Stdin::OpenPipe).spawn();
        assert!(running.id() > 0);
    }

    #[test]
    #[cfg(unix)]
    #[should_panic(expected = "killed after")]
    fn a_run_that_hangs_is_killed() {
        let home = Home::new();
        let run = home.command("/bin/cat").stdin(Stdin::OpenPipe).timeout(Duration::from_millis(50));
        drop(run.run());
    }
}
