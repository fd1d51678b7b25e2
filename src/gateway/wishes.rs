//! What holds for one request: what the gateway's own configuration forbids, then what the request wishes, then what the
//! configuration would have it be. A request narrows what is forbidden, and never widens it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::Config;
use super::client::Client;
use super::codec::options::{Next, Options};
use super::problem::Problem;
use crate::catalog::ProviderId;
use crate::catalog::resolve::Resolved;
use crate::dispatch::Purse;
use crate::routing::{Constraints, Policy};

/// Whether something is done that a request may wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Wished {
    /// For no request, whatever it wishes.
    Never,
    /// For those that wish it.
    #[default]
    Asked,
    /// For those that do not wish otherwise.
    Always,
}

impl Wished {
    /// Every one, by its name in files, the strictest first.
    pub const ALL: [(&'static str, Self); 3] =
        [("never", Self::Never), ("asked", Self::Asked), ("always", Self::Always)];

    /// Whether it is done for a request that wishes it, or not, or says nothing.
    fn holds(self, asked: Option<bool>) -> bool {
        match self {
            Self::Never => false,
            Self::Asked => asked == Some(true),
            Self::Always => asked != Some(false),
        }
    }
}

/// What is not negotiable, and what is traded.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// What is not negotiable, but for a provider that a model's name pins.
    pub constraints: Constraints,
    /// The providers that the gateway itself allows; empty is all.
    allowed: Vec<ProviderId>,
    /// Whether each request begins with another one of the order.
    pub rotates: bool,
    /// What is traded.
    pub policy: Policy,
    /// The session that the client names.
    pub session: Option<String>,
    /// How long the whole request may take; `None` is no limit.
    pub total: Option<Duration>,
    /// How long all attempts may take to a first token, where the gateway or the client says so.
    pub first_token: Option<Option<Duration>>,
    /// The models to go on to.
    pub chain: Vec<Next>,
    /// Whether a stream that breaks off is gone on with.
    pub resume: bool,
    /// Whether a second provider is asked beside a slow one.
    pub hedge: bool,
    /// Whether those are the gateway's own, and not the request's.
    pub falls_back_by_itself: bool,
    /// Whether the cheapest of all models, as this request is decided, goes first.
    pub cheapest: bool,
    /// What is not done, though it was asked for.
    pub warnings: Vec<String>,
    /// Who asks, where that has a name.
    pub client: Option<Arc<Client>>,
    /// The budgets of whoever asks.
    pub purses: Vec<Purse>,
    /// The tokens that were taken of its minute.
    pub taken: Cell<u64>,
}

impl Wishes {
    /// What holds for a request that says this.
    ///
    /// # Errors
    /// It leaves nobody of those that the gateway allows.
    pub(super) fn of(config: &Config, client: Option<&Arc<Client>>, options: Options) -> Result<Self, Problem> {
        let mut constraints = config.constraints.clone();
        if let Some(own) = client.map(|client| &client.allowance.providers).filter(|own| !own.is_empty()) {
            constraints.only = within(&constraints.only, own).ok_or_else(|| not_allowed(&constraints.only))?;
        }
        let allowed = constraints.only.clone();
        if let Some(only) = options.only.get() {
            constraints.only = within(&allowed, only).ok_or_else(|| not_allowed(&allowed))?;
        }
        if let Some(order) = options.order.get() {
            constraints.order.clone_from(order);
        }
        constraints.ignore.extend(options.ignore);
        constraints.ignore.dedup();
        constraints.max_price_in = lower(constraints.max_price_in, options.max_price_in.get().copied());
        constraints.max_price_out = lower(constraints.max_price_out, options.max_price_out.get().copied());
        if let Some(wanted) = options.quantization.get() {
            let own = std::mem::take(&mut constraints.quantization);
            constraints.quantization = within(&own, wanted).ok_or_else(|| {
                let message = format!("provider.quantizations: this gateway uses {} alone", own.join(", "));
                Problem { param: Some("provider.quantizations".to_owned()), ..forbidden(message) }
            })?;
        }
        for wish in options.thresholds {
            let known = constraints.thresholds.iter_mut().find(|known| known.measure == wish.measure);
            match known {
                // What is required stays.
                Some(known) if known.firm => {}
                Some(known) => *known = wish,
                None => constraints.thresholds.push(wish),
            }
        }
        constraints.lenient = options.lenient.get().copied().unwrap_or(constraints.lenient);
        let mut policy = options.prefer.get().map_or_else(|| config.policy.clone(), |preset| Policy::preset(*preset));
        policy.retries = options.retries.get().copied().unwrap_or(config.policy.retries);
        if options.first_alone.get() == Some(&true) {
            policy.max_attempts = 1;
        }
        let own = || {
            config.fallback.iter().map(|model| Next {
                model: model.clone(),
                at: "model".to_owned(),
                on: config.fallback_on.clone(),
            })
        };
        let asked = options.special.into_iter().chain(options.chain.get().cloned().unwrap_or_default());
        let mut chain: Vec<Next> = asked.collect();
        let falls_back_by_itself = chain.is_empty() && options.chain.get().is_none();
        if falls_back_by_itself {
            chain.extend(own());
        }
        let mut warnings = options.warnings;
        let mut wished = |may: Wished, asked: Option<bool>, name: &str| {
            if may == Wished::Never && asked == Some(true) {
                warnings.push(format!("openmux.{name}: this gateway's configuration forbids it"));
            }
            may.holds(asked)
        };
        let resume = wished(config.resume, options.resume.get().copied(), "resume");
        let hedge = wished(config.hedge, options.hedge.get().copied(), "hedge");
        Ok(Self {
            constraints,
            allowed,
            rotates: options.rotates,
            policy,
            session: options.session.get().cloned(),
            total: lower(config.total, options.total.get().copied()),
            first_token: match options.first_token.get() {
                Some(asked) => Some(lower(config.first_token.flatten(), Some(*asked))),
                None => config.first_token,
            },
            chain: if options.no_chain { Vec::new() } else { chain },
            resume,
            hedge,
            falls_back_by_itself,
            cheapest: options.cheapest,
            warnings,
            client: client.cloned(),
            purses: client.map(|client| client.purses()).unwrap_or_default(),
            taken: Cell::default(),
        })
    }

    /// What is not negotiable of one model: also a provider that its name pins. `seed` is the request's.
    ///
    /// # Errors
    /// That one is ruled out.
    pub(super) fn of_model(&self, resolved: &Resolved, seed: u64) -> Result<Constraints, Problem> {
        let mut constraints = self.constraints.clone();
        if self.rotates && !constraints.order.is_empty() {
            let length = constraints.order.len();
            let at = seed % u64::try_from(length).unwrap_or(u64::MAX);
            constraints.order.rotate_left(usize::try_from(at).unwrap_or_default());
        }
        let Some(pinned) = &resolved.provider else { return Ok(constraints) };
        if !self.allowed.is_empty() && !self.allowed.contains(pinned) {
            return Err(Problem { param: Some("model".to_owned()), ..not_allowed(&self.allowed) });
        }
        if constraints.only != self.allowed && !constraints.only.contains(pinned) {
            let message = format!("model: it pins {pinned}, which provider.only leaves out");
            return Err(Problem::invalid(&message).fix("leave one of the two out"));
        }
        constraints.only = vec![pinned.clone()];
        Ok(constraints)
    }
}

/// Those that are wanted of those that are allowed; `None` where that is nobody.
fn within<T: Clone + PartialEq>(allowed: &[T], wanted: &[T]) -> Option<Vec<T>> {
    let kept: Vec<T> = wanted.iter().filter(|one| allowed.is_empty() || allowed.contains(one)).cloned().collect();
    (!kept.is_empty()).then_some(kept)
}

/// The lower of two limits.
fn lower<T: PartialOrd>(own: Option<T>, asked: Option<T>) -> Option<T> {
    match (own, asked) {
        (Some(own), Some(asked)) if asked < own => Some(asked),
        (None, asked) => asked,
        (own, _) => own,
    }
}

fn forbidden(message: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_allowed", message)
        .fix("ask for what it allows, or have its configuration changed where openmux serve runs")
}

fn not_allowed(allowed: &[ProviderId]) -> Problem {
    let names: Vec<&str> = allowed.iter().map(ProviderId::as_str).collect();
    let message = format!("this gateway asks {} alone", names.join(", "));
    Problem { param: Some("provider.only".to_owned()), ..forbidden(message) }
}
