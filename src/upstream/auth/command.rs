//! A key from a command of the user's: its words without a shell, once, within a limit.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use super::error::{masked, one_line};
use super::{AuthError, Secret};

/// No key is longer, in bytes.
const LARGEST: usize = 64 * 1024;

/// The keys that commands printed, by their words: each runs once, however many requests wait for it. A failure is not
/// kept.
#[derive(Default)]
pub(super) struct Commands {
    printed: Mutex<BTreeMap<Vec<String>, Arc<OnceCell<Secret>>>>,
}

impl Commands {
    /// The key that a command prints.
    ///
    /// # Errors
    /// It cannot be started, fails, prints nothing, or takes longer than `limit`; it is killed then.
    pub(super) async fn key(&self, argv: &[String], limit: Duration) -> Result<Secret, AuthError> {
        let cell = {
            let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(printed.entry(argv.to_vec()).or_default())
        };
        cell.get_or_try_init(|| run(argv, limit)).await.cloned()
    }
}

/// Runs a command to its end. It inherits the environment of the process and nothing on stdin.
async fn run(argv: &[String], limit: Duration) -> Result<Secret, AuthError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(AuthError::Command { program: "(empty)".to_owned(), reason: "it has no words".to_owned() });
    };
    let failed = |reason: String| AuthError::Command { program: program.clone(), reason };
    let mut command = Command::new(program);
    // Dropped at the limit, or where nobody waits for the answer any more, it is killed.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| failed(one_line(&error.to_string())))?;
    let Ok(ended) = tokio::time::timeout(limit, output_of(child)).await else {
        return Err(AuthError::Command {
            program: program.clone(),
            reason: format!("printed nothing for {} ms and was stopped", limit.as_millis()),
        });
    };
    let output = ended.map_err(|error| failed(one_line(&error.to_string())))?;
    if output.stdout.len() > LARGEST {
        return Err(failed("printed more than 64 KiB".to_owned()));
    }
    let complaint = unquoted(&String::from_utf8_lossy(&output.stderr), &String::from_utf8_lossy(&output.stdout));
    let with_complaint =
        |what: String| failed(if complaint.is_empty() { what } else { one_line(&format!("{what}: {complaint}")) });
    if !output.status.success() {
        return Err(with_complaint(match output.status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => "was ended by a signal".to_owned(),
        }));
    }
    let printed = String::from_utf8(output.stdout).map_err(|_| failed("printed what is not UTF-8".to_owned()))?;
    match printed.trim() {
        "" => Err(with_complaint("printed nothing".to_owned())),
        several if several.contains('\n') => Err(failed("printed more than one line".to_owned())),
        key => Ok(Secret::new(key)),
    }
}

/// Waits for a command to end, and keeps no more of what it prints than a key can be long.
async fn output_of(mut child: Child) -> std::io::Result<Output> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(beginning(stdout), beginning(stderr))?;
    // Whoever still writes is told by a closed pipe that nobody reads.
    Ok(Output { status: child.wait().await?, stdout, stderr })
}

async fn beginning(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let most = u64::try_from(LARGEST + 1).unwrap_or(u64::MAX);
        pipe.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A complaint as one line, without what looks like a key and without the words that were printed as one.
fn unquoted(complaint: &str, printed: &str) -> String {
    let clean = printed.split_whitespace().fold(complaint.to_owned(), |text, word| Secret::new(word).redact(&text));
    one_line(&masked(&clean))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn shell(script: &str, limit: Duration) -> Result<Secret, AuthError> {
        run(&["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()], limit).await
    }

    async fn complaint(script: &str) -> String {
        shell(script, LIMIT).await.expect_err("it prints no key").to_string()
    }

    #[tokio::test]
    async fn what_it_prints_is_the_key_without_the_space_around_it() {
        assert_eq!(shell("echo '  sk-1 '; echo warning >&2", LIMIT).await.unwrap(), Secret::new("sk-1"));
        assert_eq!(shell("cat; echo read", LIMIT).await.unwrap(), Secret::new("read"), "stdin is empty");
    }

    #[tokio::test]
    async fn a_failure_is_told_in_the_words_of_its_stderr() {
        assert_eq!(
            complaint("echo sk-printed; printf 'not\\tlogged in\\nsecond\\n' >&2; exit 3").await,
            "key_cmd /bin/sh: ended with exit code 3: not logged in second"
        );
        assert_eq!(complaint("echo locked >&2").await, "key_cmd /bin/sh: printed nothing: locked");
        assert_eq!(complaint("printf '\\377'").await, "key_cmd /bin/sh: printed what is not UTF-8");
        let gone = run(&["/no/such/program".to_owned(), "sk-argument".to_owned()], LIMIT).await.unwrap_err();
        assert!(gone.to_string().starts_with("key_cmd /no/such/program: No such file"), "{gone}");
        assert!(!format!("{gone:?}").contains("sk-argument"));
        assert_eq!(run(&[], LIMIT).await.unwrap_err().class(), crate::observe::ErrorClass::Auth);
    }

    #[tokio::test]
    async fn no_complaint_quotes_the_key_and_nothing_is_read_without_end() {
        assert_eq!(
            complaint("echo plain-secret-words; echo no plain-secret-words here, nor sk-canary-0123456789 >&2; exit 1")
                .await,
            "key_cmd /bin/sh: ended with exit code 1: no [redacted] here, nor [redacted]"
        );
        assert_eq!(complaint("echo one; echo two").await, "key_cmd /bin/sh: printed more than one line");
        assert_eq!(complaint("exec cat /dev/zero").await, "key_cmd /bin/sh: printed more than 64 KiB");
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn it_is_killed_at_the_limit() {
        let pid = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo $$ > {}; exec cat /dev/zero > /dev/null", pid.path().display());
        let error = shell(&script, Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(error.to_string(), "key_cmd /bin/sh: printed nothing for 200 ms and was stopped");
        // It would spin for ever: gone or a zombie within a moment, since nobody but the kill ends it.
        let mut text = String::new();
        std::io::Read::read_to_string(&mut pid.as_file(), &mut text).unwrap();
        let alive = || {
            let test = format!("kill -0 {0} 2>/dev/null && ! grep -q 'State:.Z' /proc/{0}/status", text.trim());
            std::process::Command::new("/bin/sh").args(["-c", &test]).status().unwrap().success()
        };
        let ended = async {
            while alive() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, ended).await.expect("it is dead");
    }

    #[tokio::test]
    async fn it_runs_once_however_many_wait_and_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count").display().to_string();
        let commands = Commands::default();
        let good = vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("echo x >> {count}; wc -l < {count}")];
        let (a, b) = tokio::join!(commands.key(&good, LIMIT), commands.key(&good, LIMIT));
        assert_eq!((a.unwrap(), b.unwrap()), (Secret::new("1"), Secret::new("1")));
        assert_eq!(commands.key(&good, LIMIT).await.unwrap(), Secret::new("1"));
        let bad = format!("echo x >> {count}; test $(wc -l < {count}) -gt 2 && echo again");
        let bad = vec!["/bin/sh".to_owned(), "-c".to_owned(), bad];
        assert!(commands.key(&bad, LIMIT).await.is_err());
        assert_eq!(commands.key(&bad, LIMIT).await.unwrap(), Secret::new("again"));
    }
}
