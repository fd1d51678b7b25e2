//! What `serve` goes by, read again while it serves: on SIGHUP, and when one of its files changes. What cannot be read
//! changes nothing, and is said.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::super::args::ServeArgs;
use super::super::config::Files;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::prompt::{self, Standing};
use super::super::settings::{self, Settings};
use super::super::{note, tokens, warn};
use super::log::Log;
use super::{clients, explainer, token};
use crate::catalog::Catalog;
use crate::dispatch::{Clerk, Owned, Sandboxed};
use crate::gateway::{Config, Renewal};
use crate::routing::RetryBudget;
use crate::store::ObservationStore;
use crate::upstream::transport::TransportConfig;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What stays while everything else may be read again.
pub(super) struct Kept {
    /// Where it runs.
    pub(super) settings: Settings,
    /// What was typed.
    pub(super) args: ServeArgs,
    /// Where measurements are kept.
    pub(super) store: Arc<dyn ObservationStore>,
    /// Who does there what may take long.
    pub(super) clerk: Arc<Clerk>,
    /// Why they are kept in memory alone, where they are.
    pub(super) forgetful: Option<String>,
    /// The attempts beyond the second that all requests share.
    pub(super) retries: Arc<Mutex<RetryBudget>>,
    /// The simulated providers.
    pub(super) sandbox: Option<Sandboxed>,
    /// How the outside is reached.
    pub(super) transport: TransportConfig,
    /// The catalog that is in use, without overlays: one that is damaged does not take its place.
    pub(super) tables: Mutex<Catalog>,
    /// Where lines go; `None` where it is quiet.
    pub(super) log: Option<Log>,
}

impl Kept {
    /// What a gateway goes by, as these settings and this catalog say.
    ///
    /// # Errors
    /// A name in them is nobody's, or the budget of the day cannot be kept.
    pub(super) fn with(&self, settings: &Settings, read: (Catalog, usize)) -> Result<(Owned, Config), CliError> {
        let (args, (catalog, overlays)) = (&self.args, read);
        let day_cap = settings.config.day_budget().filter(|_| settings.sandbox.is_none());
        let clients = clients(settings, args, &catalog)?;
        let budgeted = day_cap.is_some() || clients.iter().any(|client| client.is_budgeted());
        if let Some(reason) = self.forgetful.as_ref().filter(|_| budgeted) {
            return Err(super::unkept(reason.clone()));
        }
        let Standing { constraints, policy, first_token, idle, region, fallback, fallback_on } =
            prompt::standing(settings, &catalog, args.profile.as_ref())?;
        let (resume, hedge) = settings.config.serve();
        let config = Config {
            token: token(settings, args)?,
            clients,
            hosts: args.host_name.clone(),
            origins: settings.config.origins(),
            at_once: args.max_requests,
            constraints,
            policy,
            fallback,
            fallback_on,
            resume,
            hedge,
            total: settings.total_timeout(args.timeout)?,
            first_token,
            idle,
            day_cap,
            log: match &self.log {
                Some(log) => Box::new(log.taker()),
                None => Box::new(|_| {}),
            },
            explain: Some(explainer(&catalog, overlays)),
            ..Config::default()
        };
        let owned = Owned {
            retries: Arc::clone(&self.retries),
            catalog,
            store: Arc::clone(&self.store),
            clerk: Arc::clone(&self.clerk),
            keys: settings.keys.clone(),
            now: settings::now,
            sandbox: self.sandbox.clone(),
            region,
            transport: self.transport.clone(),
        };
        Ok((owned, config))
    }

    /// The same from the files as they are now, and what a careful person should know of them.
    fn again(&self) -> Result<(Owned, Config, Vec<String>), CliError> {
        let (settings, mut cautions) = self.settings.again()?;
        let mut in_use = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = match settings.update_file().map(|path| settings::stored(&path)) {
            Some(Err(why)) => {
                cautions.push(format!("the catalog of {} stays: {why}, what lies there now", in_use.generated()));
                in_use.clone()
            }
            _ => settings.tables(),
        };
        let (catalog, overlays) = settings.laid_over(tables.clone())?;
        let (owned, config) = self.with(&settings, (catalog.loaded(), overlays))?;
        let open = config.token.is_none() && config.clients.is_empty() && !self.args.address().ip().is_loopback();
        if open {
            return Err(CliError::new(Exit::Refused, "token", "beyond this machine it listens with a token alone")
                .fix("put the token back where it was"));
        }
        *in_use = tables;
        Ok((owned, config, cautions))
    }

    /// When each file was written last, and how long it is.
    fn stamp(&self) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
        let Files { own, project, .. } = Files::find(&self.settings);
        let mut files: Vec<PathBuf> = own.into_iter().chain(project).collect();
        files.extend(self.settings.overlay_files().unwrap_or_default());
        files.extend(self.settings.update_file());
        files.extend(self.args.token_file.clone().into_iter().chain(self.args.tokens.clone()));
        files.extend(self.args.tokens.as_deref().map(tokens::files).unwrap_or_default());
        let stamp = |path: PathBuf| {
            let about = std::fs::metadata(&path).ok();
            let written = about.as_ref().and_then(|about| about.modified().ok());
            (path, written, about.map_or(0, |about| about.len()))
        };
        files.into_iter().map(stamp).collect()
    }
}

/// Reads everything again whenever that is asked for or there is something new; never ends.
pub(super) async fn renewed(kept: Arc<Kept>, renewal: Renewal) {
    let mut asked = hang_up();
    let mut seen = kept.stamp();
    loop {
        let forced = tokio::select! {
            () = asked.next() => true,
            () = sleep(LOOK) => false,
        };
        let now = kept.stamp();
        if !forced && now == seen {
            continue;
        }
        seen = now;
        let reader = Arc::clone(&kept);
        let settings = &kept.settings;
        match spawn_blocking(move || reader.again()).await {
            Ok(Ok((owned, config, cautions))) => {
                renewal.renew(owned, config);
                cautions.iter().for_each(|caution| warn(settings, caution));
                note(settings, "the configuration was read again: requests that begin now go by it");
            }
            Ok(Err(error)) => {
                let why = error.message;
                warn(settings, &format!("the configuration stays as it was, because the new one is broken: {why}"));
            }
            Err(error) => warn(settings, &format!("the configuration stays as it was: {error}")),
        }
    }
}

/// SIGHUP, where there is such a thing. From the call on it ends the process no more.
struct HangUp {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

fn hang_up() -> HangUp {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        HangUp { signal: signal(SignalKind::hangup()).ok() }
    }
    #[cfg(not(unix))]
    HangUp {}
}

impl HangUp {
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
