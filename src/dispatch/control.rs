//! The control check (`metrics.md` 4.2): where no connection came up, whether others can be reached. It asks nobody but
//! providers that the user has set up, two at once, for two seconds at most, and only where the answer changes what
//! happens next or what is recorded: never before a failover.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::timeout;

use super::attempt::host_of;
use super::{AttemptReport, Dispatcher, Reach};
use crate::catalog::{ProviderKind, is_loopback};
use crate::observe::{Evidence, Fault, Flags, Others, WireErrorKind, blame};
use crate::upstream::auth::Found;
use crate::upstream::transport::Transport;

/// How long the check may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How old a success elsewhere may be to stand in for it.
const RECENT: Duration = Duration::from_secs(60);
/// How many others are asked.
const ASKED: usize = 2;

impl Dispatcher<'_> {
    /// How an attempt failed on the wire, where the user's own network may be behind it. What runs on this machine, and
    /// what is simulated, needs no network.
    pub(super) fn suspicion(&self, reach: &Reach, report: &AttemptReport) -> Option<WireErrorKind> {
        let ambiguous = report.outcome.wire.filter(|kind| kind.is_ambiguous());
        ambiguous.filter(|_| self.sandbox.is_none() && !is_loopback(&reach.base_url))
    }

    /// What is known of others than `reach`, which failed in that way: for nothing where one answered within the last
    /// minute, else by asking two of them.
    pub(super) async fn others(
        &self,
        transport: &Transport,
        reach: &Reach,
        kind: WireErrorKind,
        reaches: &[Reach],
        mut cancel: watch::Receiver<bool>,
    ) -> Others {
        // Whether our clock is right nobody has told.
        let asks_time = kind == WireErrorKind::CertificateTime;
        if !asks_time && self.answered_lately(&host_of(&reach.base_url)) {
            return Others::Up { clock_off: None };
        }
        let origins = self.origins(reach, reaches);
        if origins.is_empty() {
            return Others::Unknown;
        }
        tracing::debug!(?kind, ?origins, "control check");
        let knocks = origins.iter().map(|url| timeout(LIMIT, transport.knock(url, kind.is_tls())));
        let answers = tokio::select! {
            answers = join_all(knocks) => answers,
            Ok(_) = cancel.wait_for(|stop| *stop) => return Others::Unknown,
        };
        let answers = answers.into_iter().map(|answer| answer.unwrap_or(Err(WireErrorKind::ConnectTimeout)));
        let (up, down): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
        if up.is_empty() {
            return Others::Down(down.into_iter().filter_map(Result::err).collect());
        }
        let now = (self.now)();
        let off = |told: jiff::Timestamp| now.duration_since(told).unsigned_abs();
        // The nearer clock speaks for both: one of them may be wrong itself.
        Others::Up { clock_off: up.into_iter().filter_map(Result::ok).flatten().map(off).min() }
    }

    /// Whose fault it was, given what is known of others.
    pub(super) fn fault(&self, reach: &Reach, kind: WireErrorKind, others: Others) -> Fault {
        let key = reach.state_key(self.store.salt().ok().as_ref());
        let stats = self.store.stats(std::slice::from_ref(&key), (self.now)()).unwrap_or_default();
        let answered_before = stats.get(&key.endpoint).is_some_and(|stats| stats.last_success.is_some());
        blame(&Evidence { kind, loopback: is_loopback(&reach.base_url), answered_before, others })
    }

    /// Whether another origin answered within the last minute, whoever asked it.
    fn answered_lately(&self, host: &str) -> bool {
        let now = (self.now)();
        let since = now.checked_sub(RECENT).unwrap_or(now);
        let lately = self.store.answered(since, now).unwrap_or_default();
        let elsewhere = |other: &str| other != host && !is_loopback(&format!("http://{other}"));
        lately.iter().any(|other| elsewhere(other))
    }

    /// Up to two other origins that the user has set up: those that serve the model before the rest.
    fn origins(&self, reach: &Reach, reaches: &[Reach]) -> Vec<String> {
        let mut hosts = BTreeSet::from([host_of(&reach.base_url)]);
        let mut urls = Vec::new();
        let rest = self.catalog.providers().into_iter().filter_map(|provider| self.reach_provider(&provider));
        for other in reaches.iter().cloned().chain(rest) {
            if urls.len() == ASKED {
                break;
            }
            if is_set_up(&other) && hosts.insert(host_of(&other.base_url)) {
                urls.push(other.base_url);
            }
        }
        urls
    }
}

/// Whether the user has given a key, or an address, of a machine elsewhere.
fn is_set_up(reach: &Reach) -> bool {
    let given = match &reach.found {
        Found::Key { .. } => true,
        Found::NotNeeded => reach.overridden_by.is_some() || reach.provider.kind == ProviderKind::Local,
        Found::Lazy { .. } | Found::Missing { .. } => false,
    };
    given && !reach.outside_sandbox && !reach.base_url.is_empty() && !is_loopback(&reach.base_url)
}

impl AttemptReport {
    /// Takes the verdict in.
    pub(super) fn take_fault(&mut self, fault: Fault) {
        let class = fault.class();
        self.fault = Some(fault);
        self.outcome.class = class;
        if let Some(error) = &mut self.outcome.error {
            error.class = class;
        }
        self.outcome.flags = self.outcome.flags.with_if(Flags::UNCONFIRMED, fault == Fault::Unconfirmed);
    }
}
