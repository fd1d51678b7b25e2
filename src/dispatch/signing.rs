//! Obtaining a credential within the limits of an attempt, and what becomes of the attempt without one.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::observe::{ErrorClass, Flags, Phase, Streamed, Timings};
use crate::upstream::UpstreamError;
use crate::upstream::auth::{AuthError, Secret};
use crate::upstream::exchange::{Limit, Outcome};

/// What one attempt came to, and the secrets that it sent.
pub(super) struct Called {
    /// What it came to.
    pub outcome: Outcome,
    /// The secrets that went out.
    pub spent: Vec<Secret>,
    /// Why there was no credential, where nothing was sent for that.
    pub unsigned: Option<AuthError>,
}

impl Called {
    /// An attempt of which nothing was sent.
    pub(super) fn refused(class: ErrorClass, message: String) -> Self {
        Self { outcome: refused(class, message), spent: Vec::new(), unsigned: None }
    }
}

/// Why a request was not signed.
pub(super) enum Unsigned {
    /// The caller stopped it.
    Stopped,
    /// The limit over all attempts fired after so long.
    OutOfTime(Duration),
    /// There is no credential.
    Refused(AuthError),
}

impl From<Unsigned> for Called {
    fn from(why: Unsigned) -> Self {
        let (error, limit) = match why {
            Unsigned::Stopped => {
                return Self::refused(ErrorClass::Aborted, "stopped before anything was sent".to_owned());
            }
            Unsigned::OutOfTime(waited) => {
                let error = AuthError::TimedOut { what: "signing in".to_owned(), limit: waited };
                (error, Some((Limit::Total, waited)))
            }
            Unsigned::Refused(error) => (error, None),
        };
        let outcome = Outcome { limit, ..refused(error.class(), error.to_string()) };
        Self { outcome, spent: Vec::new(), unsigned: Some(error) }
    }
}

/// Signs, unless it is cancelled or the time is up before.
pub(super) async fn within(
    signing: Pin<&mut impl Future<Output = Result<Vec<Secret>, AuthError>>>,
    total: Option<Duration>,
    mut cancel: watch::Receiver<bool>,
) -> Result<Vec<Secret>, Unsigned> {
    let began = Instant::now();
    let signed = tokio::select! {
        biased;
        Ok(_) = cancel.wait_for(|stop| *stop) => return Err(Unsigned::Stopped),
        signed = timeout(total.unwrap_or(Duration::MAX), signing) => signed,
    };
    match signed {
        Ok(result) => result.map_err(Unsigned::Refused),
        Err(_) => Err(Unsigned::OutOfTime(began.elapsed())),
    }
}

/// An attempt that was never sent.
fn refused(class: ErrorClass, message: String) -> Outcome {
    let error = UpstreamError { class, message, code: None, retry_after: None, request_id: None };
    Outcome {
        class,
        error: Some(error),
        told: false,
        limit: None,
        wire: None,
        phase: Phase::Dns,
        http_status: None,
        request_id: None,
        timings: Timings::default(),
        usage: None,
        billed: None,
        finish: None,
        events: 0,
        reads: 0,
        streamed: Streamed::default(),
        shown: false,
        flags: Flags::NONE,
        headroom: crate::upstream::headroom::Told::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn hanging() -> impl Future<Output = Result<Vec<Secret>, AuthError>> {
        std::future::pending()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_limit_over_all_attempts_and_blames_nobody() {
        let (_stop, cancel) = watch::channel(false);
        let Err(why) = within(pin!(hanging()), Some(Duration::from_secs(3)), cancel).await else {
            panic!("it cannot sign")
        };
        let called = Called::from(why);
        assert_eq!(called.outcome.limit, Some((Limit::Total, Duration::from_secs(3))));
        assert!(!called.outcome.class.is_provider_fault());
        assert!(called.unsigned.is_some());
    }

    #[tokio::test]
    async fn it_ends_when_it_is_cancelled() {
        let (stop, cancel) = watch::channel(false);
        stop.send(true).unwrap();
        let Err(why) = within(pin!(hanging()), None, cancel).await else { panic!("it cannot sign") };
        assert_eq!(Called::from(why).outcome.class, ErrorClass::Aborted);
    }

    #[tokio::test]
    async fn nobody_left_to_cancel_is_no_cancellation() {
        let (stop, cancel) = watch::channel(false);
        drop(stop);
        let signing = std::future::ready(Err(AuthError::MissingRegion));
        let Err(why) = within(pin!(signing), None, cancel).await else { panic!("it cannot sign") };
        let called = Called::from(why);
        assert_eq!((called.outcome.class, called.unsigned), (ErrorClass::LocalConfig, Some(AuthError::MissingRegion)));
    }
}
