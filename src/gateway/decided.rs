//! A chat that is decided and not yet sent; and the models that may be asked after it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::Gateway;
use super::client::Client;
use super::codec::options::{Next, Options};
use super::problem::Problem;
use super::wishes::Wishes;
use crate::catalog::resolve::{Resolved, resolve};
use crate::chat::ChatRequest;
use crate::dispatch::{
    ChatReport, FallbackClass, Fallen, Plan, Prepared, Reach, Routed, Suppose, Talk, Turn, agreed, group, limits,
    route_request,
};
use crate::observe::Source;
use crate::routing::{Constraints, Decision, Input, decision_hex};
use crate::units::Usd;

/// The most models that one request may be for, one after the other.
const MODELS: usize = 16;

/// A chat that is decided and not yet sent.
#[derive(Debug)]
pub(super) struct Decided {
    /// What is asked.
    pub request: ChatRequest,
    /// Who was weighed.
    pub reaches: Vec<Reach>,
    /// The decision.
    pub decision: Decision,
    /// What it was made of, until that is kept.
    pub input: RefCell<Option<Input>>,
    /// The conversation.
    pub talk: Option<Talk>,
    /// The request's id, which its attempts and its decision carry.
    pub id: [u8; 16],
    /// What came before this model.
    pub fallen: Fallen,
    /// The decision for the model that was asked last before this one.
    pub after: Option<[u8; 16]>,
    /// What holds for every model.
    pub wishes: Rc<Wishes>,
    seed: u64,
    /// The models that may be asked after this one.
    rest: RefCell<Vec<Link>>,
}

/// A model that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The model, and what its name says beside.
    pub resolved: Resolved,
    /// What is not negotiable of it.
    pub constraints: Constraints,
    /// After which failures.
    on: Vec<FallbackClass>,
}

impl Link {
    /// A model that was named.
    ///
    /// # Errors
    /// There is none of that name, or it may not be asked.
    fn new(
        gateway: &Gateway,
        client: Option<&Arc<Client>>,
        next: &Next,
        (wishes, seed): (&Wishes, u64),
    ) -> Result<Self, Problem> {
        let placed = |problem: Problem| Problem { param: Some(next.at.clone()), ..problem };
        let resolved =
            resolve(&gateway.owned.catalog, &next.model).map_err(|error| placed(Problem::no_model(&error)))?;
        client.map_or(Ok(()), |client| client.may_ask(&resolved.model)).map_err(placed)?;
        let constraints = wishes.of_model(&resolved, seed)?;
        Ok(Self { resolved, constraints, on: next.on.clone() })
    }
}

/// Everything that is asked for: the model, those that may come after it, and what holds for all.
#[derive(Debug)]
pub(super) struct Asking {
    /// What holds for all.
    pub wishes: Rc<Wishes>,
    /// The models, the first to be asked first.
    pub links: Vec<Link>,
    /// The seed of all their decisions.
    pub seed: u64,
}

impl Asking {
    /// The models of a request; `seed` is the request's.
    ///
    /// # Errors
    /// There is no such model, or nobody may be asked for it.
    pub(super) fn new(
        gateway: &Gateway,
        client: Option<&Arc<Client>>,
        (model, options): (&str, Options),
        seed: u64,
    ) -> Result<Self, Problem> {
        let wishes = Rc::new(Wishes::of(&gateway.config, client, options)?);
        let first = Next { model: model.to_owned(), at: "model".to_owned(), on: Vec::new() };
        if let Some(next) = wishes.chain.get(MODELS - 1) {
            let message =
                format!("{}: {} models are named, and at most {MODELS} are asked", next.at, wishes.chain.len() + 1);
            return Err(Problem::invalid(&message).fix("name fewer"));
        }
        let mut links: Vec<Link> = Vec::with_capacity(1 + wishes.chain.len());
        for next in [&first].into_iter().chain(&wishes.chain) {
            let link = match Link::new(gateway, client, next, (&wishes, seed)) {
                Ok(link) => link,
                // What the gateway itself would go on to and this client may not ask is none of its requests' business.
                Err(_) if wishes.falls_back_by_itself && *next != first => continue,
                Err(problem) => return Err(problem),
            };
            let known = |known: &Link| known.resolved == link.resolved && known.on == link.on;
            if !links.iter().any(known) {
                links.push(link);
            }
        }
        Ok(Self { wishes, links, seed })
    }

    /// Puts the model first whose best provider is the cheapest for this request; those that nobody can be asked for last.
    pub(super) fn sort(&mut self, mut total: impl FnMut(&Link) -> Option<Usd>) {
        if self.wishes.cheapest {
            self.links.sort_by_cached_key(|link| total(link).map_or((true, Usd::ZERO), |total| (false, total)));
        }
    }
}

impl Decided {
    /// Decides for the first of the models that somebody can be asked for.
    ///
    /// # Errors
    /// There is no such model, nobody may be used, or whoever asks has had its share of this minute.
    pub(super) async fn new(
        gateway: &Gateway,
        client: Option<&Arc<Client>>,
        request: ChatRequest,
        options: Options,
    ) -> Result<Rc<Self>, Problem> {
        let decided = Self::undisputed(gateway, client, request, options)?;
        if let Some(client) = client {
            let route = &decided.decision.request;
            let tokens = route.known_input().count().saturating_add(route.expected_output.count());
            client.take(tokens, &gateway.owned, decided.decision.at).await?;
            decided.wishes.taken.set(tokens);
        }
        Ok(decided)
    }

    fn undisputed(
        gateway: &Gateway,
        client: Option<&Arc<Client>>,
        request: ChatRequest,
        options: Options,
    ) -> Result<Rc<Self>, Problem> {
        let seed = gateway.owned.store.take_seed().unwrap_or(0);
        let model = request.model.as_str().to_owned();
        let mut asking = Asking::new(gateway, client, (&model, options), seed)?;
        let wishes = Rc::clone(&asking.wishes);
        asking.sort(|link| {
            let (routed, _) = route(gateway, link, &mut of_model(&request, link), (&wishes, seed));
            Some(routed.decision.chosen()?.score.total())
        });
        let Asking { mut links, .. } = asking;
        let first = links.remove(0);
        let decided = Self::decide(gateway, &first, request, (wishes, seed), (links, Fallen::default(), None));
        if decided.decision.chosen().is_some() {
            return Ok(decided);
        }
        let problem = Problem::unroutable(&decided.decision, &decided.request.model);
        decided.next(gateway, FallbackClass::Unusable, None).ok_or(problem)
    }

    fn decide(
        gateway: &Gateway,
        link: &Link,
        request: ChatRequest,
        (wishes, seed): (Rc<Wishes>, u64),
        (rest, fallen, after): (Vec<Link>, Fallen, Option<[u8; 16]>),
    ) -> Rc<Self> {
        let mut request = ChatRequest { model: link.resolved.model.clone(), relaxed: false, ..request };
        let (routed, (reaches, talk)) = route(gateway, link, &mut request, (&wishes, seed));
        let Routed { decision, input, .. } = routed;
        let id = group(decision.at);
        let input = RefCell::new(Some(input));
        let rest = RefCell::new(rest);
        Rc::new(Self { request, reaches, decision, input, talk, id, fallen, after, wishes, seed, rest })
    }

    /// The next model that somebody can be asked for, where the failure of this one leads to one.
    pub(super) fn next(
        &self,
        gateway: &Gateway,
        class: FallbackClass,
        report: Option<&ChatReport>,
    ) -> Option<Rc<Self>> {
        let mut rest = self.rest.take();
        let mut fallen = self.fallen.clone();
        let (mut class, mut report, mut from) = (class, report, self.request.model.clone());
        loop {
            let at = rest.iter().position(|link| agreed(&link.on, class))?;
            let link = rest.remove(at);
            fallen.step((from, link.resolved.model.clone()), class, report);
            // One that nobody was asked for was not kept.
            let after = if self.decision.chosen().is_some() { Some(self.id) } else { self.after };
            let taken = (std::mem::take(&mut rest), std::mem::take(&mut fallen), after);
            let next = Self::decide(gateway, &link, self.request.clone(), (Rc::clone(&self.wishes), self.seed), taken);
            if next.decision.chosen().is_some() {
                return Some(next);
            }
            // What nobody can be asked for leads on to the next.
            (rest, fallen) = (next.rest.take(), next.fallen.clone());
            (class, report, from) = (FallbackClass::Unusable, None, next.request.model.clone());
        }
    }

    /// The id as it is printed.
    pub(super) fn hex(&self) -> String {
        decision_hex(&self.id)
    }

    /// When it was decided, in seconds since 1970.
    pub(super) fn created(&self) -> i64 {
        self.decision.at.as_second()
    }

    /// Whether no time is left for another model.
    pub(super) fn is_out_of_time(&self, report: &ChatReport) -> bool {
        self.wishes.total.is_some_and(|total| total <= self.fallen.elapsed() + report.elapsed)
    }

    /// How it is carried out.
    pub(super) fn plan<'a>(&'a self, gateway: &'a Gateway) -> Plan<'a> {
        Plan {
            request: &self.request,
            reaches: &self.reaches,
            decision: &self.decision,
            route_limits: limits(&self.decision, &self.reaches, self.wishes.first_token),
            idle: gateway.config.idle,
            total: self.wishes.total.map(|total| total.saturating_sub(self.fallen.elapsed())),
            before: self.fallen.attempts(),
            // What is not streamed reaches nobody before it is whole.
            hold: !self.request.stream,
            resume: self.wishes.resume && self.request.stream,
            hedge: self
                .wishes
                .hedge
                .then(|| gateway.hedges(|all| self.decision.hedge(Some(*all))))
                .and_then(Result::ok),
            hedges: Some(&gateway.hedges),
            retries: Some(&gateway.owned.retries),
            group: self.id,
            source: Source::Gateway,
            talk: self.talk,
            day_cap: gateway.config.day_cap,
            purses: &self.wishes.purses,
        }
    }
}

/// The same request for one model.
pub(super) fn of_model(request: &ChatRequest, link: &Link) -> ChatRequest {
    ChatRequest { model: link.resolved.model.clone(), ..request.clone() }
}

/// The decision for one model. What only some of its providers can be told is left out where none of them can be asked.
fn route(
    gateway: &Gateway,
    link: &Link,
    request: &mut ChatRequest,
    (wishes, seed): (&Wishes, u64),
) -> (Routed, (Vec<Reach>, Option<Talk>)) {
    let strict = routed(gateway, link, request, (wishes, seed));
    if strict.0.decision.chosen().is_some() || !request.relax() {
        return strict;
    }
    routed(gateway, link, request, (wishes, seed))
}

fn routed(
    gateway: &Gateway,
    link: &Link,
    request: &ChatRequest,
    (wishes, seed): (&Wishes, u64),
) -> (Routed, (Vec<Reach>, Option<Talk>)) {
    let dispatcher = gateway.owned.dispatcher();
    let (policy, session) = (&wishes.policy, wishes.session.as_deref());
    let turn = Turn { resolved: &link.resolved, chat: request, policy, session, talks: true, all: false };
    let prepared = dispatcher.prepare(turn, route_request(request, link.constraints.clone()));
    let Prepared { reaches, talk, route } = prepared;
    let mut gathered = dispatcher.gather(&route, Some(request), &reaches, policy, Suppose::Nothing);
    gateway.flights.tell(&mut gathered.candidates);
    let routed = gathered.decide(policy, seed);
    (routed, (reaches, talk))
}
