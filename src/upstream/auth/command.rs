//! A key from a command of the user's: its words without a shell, once, within a limit.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::error::one_line;
use super::{AuthError, Secret};

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
    let Ok(ended) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        return Err(AuthError::Command {
            program: program.clone(),
            reason: format!("printed nothing for {} ms and was stopped", limit.as_millis()),
        });
    };
    let output = ended.map_err(|error| failed(one_line(&error.to_string())))?;
    let complaint = one_line(&String::from_utf8_lossy(&output.stderr));
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
        key => Ok(Secret::new(key)),
    }
}
