//! A Redis of the test's own, where one is installed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::server::closed_port;

/// Set where a Redis that is not installed fails the test: `.ci/run` installs one.
const REQUIRED: &str = "OPENMUX_TEST_REDIS";
/// What has to be given to log in, where a password is wanted.
pub(crate) const PASSWORD: &str = "redis-password-0123456789";

/// A server that keeps nothing on disk: what is killed has forgotten everything.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    folder: TempDir,
    more: Vec<String>,
    child: Option<Child>,
}

impl Redis {
    /// A server; `None` where none is installed, which is said.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// The same with further arguments.
    #[expect(clippy::disallowed_methods, reason = "whether a Redis must be there is for whoever runs the tests")]
    pub(crate) fn with(more: &[&'static str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os(REQUIRED).is_none(), "redis-server is not installed");
            let place = std::thread::current().name().unwrap_or_default().to_owned();
            drop(writeln!(std::io::stderr(), "!! SKIPPED, redis-server is not installed: {place}"));
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        let mut redis = Self { port: closed_port(), folder, more, child: None };
        redis.run();
        Some(redis)
    }

    /// One that is spoken to over TLS as well: its address there, and the file of who vouches for it.
    pub(crate) fn with_tls() -> Option<(Self, String, PathBuf)> {
        let mut redis = Self::start()?;
        let folder = redis.folder.path().to_owned();
        let names = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
        let file = std::fs::File::create(folder.join("names"));
        file.and_then(|mut file| file.write_all(names.as_bytes())).expect("a file");
        for command in [
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test",
            "req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=localhost",
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
        ] {
            let made = Command::new("openssl").args(command.split(' ')).current_dir(&folder).output();
            if !made.is_ok_and(|made| made.status.success()) {
                drop(writeln!(std::io::stderr(), "!! SKIPPED, openssl makes no certificate here"));
                return None;
            }
        }
        redis.kill();
        let port = closed_port();
        let more = format!(
            "--tls-port {port} --tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file ca.pem --tls-auth-clients no"
        );
        redis.more = more.split(' ').map(str::to_owned).collect();
        redis.run();
        Some((redis, format!("rediss://localhost:{port}/3"), folder.join("ca.pem")))
    }

    /// Starts it, again where it was killed.
    pub(crate) fn run(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).args(&self.more);
        command.current_dir(self.folder.path()).stdout(Stdio::null());
        let mut child = command.spawn().expect("redis-server can be run");
        while !self.answers() {
            assert!(child.try_wait().expect("a child can be waited for").is_none(), "redis-server runs");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child = Some(child);
    }

    /// Whether it says anything at all.
    fn answers(&self) -> bool {
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut byte = [0];
        socket.write_all(b"PING\r\n").and_then(|()| socket.read_exact(&mut byte)).is_ok()
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id();
        let kill = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(kill.expect("a shell can be run").success(), "SIG{name} was sent");
    }

    /// Empties it, while all lines stay up.
    pub(crate) fn forget(&self) {
        let flushed = Command::new("redis-cli").args(["-p", &self.port.to_string(), "FLUSHALL"]).output();
        assert!(flushed.expect("redis-cli can be run").status.success(), "it is empty");
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/3", self.port)
    }

    /// Its port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// A command to it, in that database.
    pub(crate) fn tell(&self, words: &[&[u8]]) {
        let mut request = format!("*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).into_bytes());
            request.extend_from_slice(word);
            request.extend(b"\r\n");
        }
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        socket.write_all(&request).expect("it reads");
        let mut answer = [0; 64];
        let mut said = String::new();
        while said.matches("\r\n").count() < 2 {
            let read = socket.read(&mut answer).expect("it answers");
            said.push_str(&String::from_utf8_lossy(&answer[..read]));
        }
        assert!(!said.contains('-') || said.contains("\r\n$"), "{said}");
    }

    /// The first name in that database that begins so, and for how many milliseconds it is still kept.
    pub(crate) fn kept_for(&self, beginning: &str) -> Option<i64> {
        let script = "for _, k in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do return redis.call('PTTL', k) end";
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "-n", "3", "EVAL", script, "0", beginning])
            .output()
            .expect("redis-cli can be run");
        String::from_utf8(output.stdout).expect("UTF-8").trim().parse().ok()
    }

    /// Everything that it holds in that database, as text.
    pub(crate) fn dump(&self) -> String {
        let script = "local out = {} for _, k in ipairs(redis.call('KEYS', '*')) do local t = redis.call('TYPE', k).ok \
                      out[#out + 1] = k .. ' ' .. t if t == 'string' then out[#out + 1] = redis.call('GET', k) \
                      elseif t == 'hash' then out[#out + 1] = table.concat(redis.call('HGETALL', k), ' ') \
                      elseif t == 'stream' then for _, e in ipairs(redis.call('XRANGE', k, '-', '+')) do \
                      out[#out + 1] = table.concat(e[2], ' ') end end end return table.concat(out, '\\n')";
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string(), "-n", "3", "EVAL", script, "0"])
            .output()
            .expect("redis-cli can be run");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
