//! Every assertion before catalog, environment and measurements: a row each.

mod provider;

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::claim::{Check, Claim, Of, Place};
use super::judge;
use super::measured;
use super::mend::{self, near};
use super::offer::{Offer, cheapest, offers, speaker, successor};
use super::row::{Finding, Row, Verdict};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, EndpointId, Status};
use crate::cli::args::{Shape, Since, Window};
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::offline::Offline;
use crate::cli::platform::set_key;
use crate::cli::render::sheet::Cell;
use crate::cli::report::is_variable;
use crate::cli::usage::begins;
use crate::cli::{facts, prompt};
use crate::dispatch::Dispatcher;
use crate::observe::{Measured, Stratum};
use crate::units::Tokens;
use crate::upstream::auth::Found;

/// What was measured of every endpoint, or that it cannot be read.
type Seen = Result<BTreeMap<EndpointId, Measured>, String>;

/// Everything that an answer is made of.
pub(super) struct Court<'a> {
    offline: &'a Offline<'a>,
    dispatcher: Dispatcher<'a>,
    window: Since,
    /// Why a model could not be probed, by its name.
    pub(super) unprobed: BTreeMap<String, CliError>,
    /// Of the offers that something is asserted of: the oldest day of their facts, and whose they are.
    oldest: Option<(String, String)>,
    /// When the probe of a model began, by its name.
    pub(super) probed: BTreeMap<String, Timestamp>,
    seen: RefCell<BTreeMap<Timestamp, std::rc::Rc<Seen>>>,
}

/// Of one provider's offer.
struct Asked<'a> {
    model: &'a Resolved,
    offer: &'a Offer,
    others: &'a [Offer],
    shape: Option<Shape>,
    window: &'a Since,
}

impl<'a> Court<'a> {
    /// Measured figures reach back as far as `window` says where an assertion has no word of its own.
    pub(super) fn new(offline: &'a Offline<'a>, window: &Window) -> Self {
        let (dispatcher, window) = (offline.dispatcher(None, None), offline.settings.window(window));
        Self {
            offline,
            dispatcher,
            window,
            unprobed: BTreeMap::new(),
            oldest: None,
            probed: BTreeMap::new(),
            seen: RefCell::default(),
        }
    }

    /// The catalog.
    pub(super) fn catalog(&self) -> &'a Catalog {
        &self.offline.catalog
    }

    /// The moment of the answer.
    pub(super) fn now(&self) -> Timestamp {
        self.offline.now
    }

    /// The offers of a model.
    pub(super) fn offers(&self, model: &Resolved) -> Vec<Offer> {
        offers(&self.dispatcher, model)
    }

    /// Looks up how old the facts are of which something is asserted: the catalog's age is theirs.
    pub(super) fn dated(mut self, checks: &[Check]) -> Self {
        if !checks.iter().any(|check| check.claims.iter().any(|(claim, _)| matches!(claim, Claim::Age(_)))) {
            return self;
        }
        let mut days = Vec::new();
        for check in checks {
            let Of::Model { typed, providers, .. } = &check.of else { continue };
            let Ok(model) = facts::model(self.catalog(), typed) else { continue };
            let all = self.offers(&model);
            let mut meant = match check.claims.iter().any(|(claim, _)| claim.is_of_offer()) {
                true => self.meant(&model, &all, &wanted(&model, providers)).0,
                false => Vec::new(),
            };
            meant.extend(all.iter().filter(|offer| {
                let served_by = |claim: &Claim| matches!(claim, Claim::ServedBy(id) if id.eq_ignore_ascii_case(offer.provider().as_str()));
                check.claims.iter().any(|(claim, _)| served_by(claim))
            }));
            days.extend(meant.into_iter().filter_map(|offer| {
                let day = self.catalog().day_of(&offer.endpoint)?;
                Some((day.to_owned(), format!("{} at {}", name(&model), offer.provider())))
            }));
        }
        self.oldest = days.into_iter().min();
        self
    }

    /// The answers to assertions about one thing.
    pub(super) fn judge(&self, check: &Check) -> Vec<Row> {
        match &check.of {
            Of::Model { typed, providers, shape, window } => {
                let window = window.as_ref().unwrap_or(&self.window);
                self.model(check, typed, providers, *shape, window)
            }
            Of::Provider { typed, window } => self.provider(check, typed, window.as_ref().unwrap_or(&self.window)),
            Of::Catalog => check.claims.iter().map(|(claim, place)| self.age(claim, place.as_ref())).collect(),
        }
    }

    fn model(
        &self,
        check: &Check,
        typed: &str,
        providers: &[String],
        shape: Option<Shape>,
        window: &Since,
    ) -> Vec<Row> {
        let exists = check.claims.iter().find_map(|(claim, place)| match claim {
            Claim::Exists(wanted) => Some((*wanted, place.as_ref())),
            _ => None,
        });
        let model = match facts::model(self.catalog(), typed) {
            Ok(model) => model,
            Err(error) => return vec![missing(typed, exists, check.place.as_ref(), &error)],
        };
        let subject = name(&model);
        let mut rows = Vec::new();
        if let Some((wanted, place)) = exists {
            let fix = mend::read(&subject, "what is known of it");
            rows.push(found(&subject, wanted, fix, place));
        }
        let all = self.offers(&model);
        let wanted = wanted(&model, providers);
        for (claim, place) in check.claims.iter().filter(|(claim, _)| !claim.is_of_offer()) {
            if let Some(finding) = self.of_model(claim, &all, &wanted) {
                let finding = match finding.verdict {
                    Verdict::Ok => finding,
                    _ => finding.fix(mend::kept_by_nobody(claim, &subject)),
                };
                rows.push(Row::new(&subject, None, claim.name(), finding, place.as_ref()));
            }
        }
        let claims: Vec<_> = check.claims.iter().filter(|(claim, _)| claim.is_of_offer()).collect();
        if exists.is_some_and(|(wanted, _)| !wanted) || (claims.is_empty() && wanted.is_empty()) {
            return rows;
        }
        let (offers, strangers) = self.meant(&model, &all, &wanted);
        for (provider, finding) in strangers {
            let provider = Some(provider.as_str()).filter(|provider| !provider.is_empty());
            rows.push(Row::new(&subject, provider, "served_by", finding, check.place.as_ref()));
        }
        for offer in offers {
            let asked = Asked { model: &model, offer, others: &all, shape, window };
            rows.extend(self.offer(&subject, &asked, check.place.as_ref(), &claims));
        }
        rows.sort_by_key(|row| row.line);
        rows
    }

    /// The offers that are meant, and what is to be said of providers that make none.
    pub(super) fn meant<'o>(
        &self,
        model: &Resolved,
        all: &'o [Offer],
        wanted: &[String],
    ) -> (Vec<&'o Offer>, Vec<(String, Finding)>) {
        let (mut offers, mut strangers) = (Vec::new(), Vec::new());
        if wanted.is_empty() {
            match speaker(all, &model.model) {
                Some(offer) => offers.push(offer),
                None => strangers.push((String::new(), unserved("somebody", "nobody in the catalog serves it", all))),
            }
        }
        for typed in wanted {
            match prompt::provider(self.catalog(), typed) {
                Err(error) => strangers.push((typed.clone(), unheard(typed, &error))),
                Ok(id) => match all.iter().find(|offer| *offer.provider() == id) {
                    Some(offer) => offers.push(offer),
                    None => {
                        let why = format!("{id} has no such offer in the catalog");
                        strangers.push((id.to_string(), unserved(id.as_str(), &why, all)));
                    }
                },
            }
        }
        (offers, strangers)
    }

    fn offer(
        &self,
        subject: &str,
        asked: &Asked<'_>,
        place: Option<&Place>,
        claims: &[&(Claim, Option<Place>)],
    ) -> Vec<Row> {
        let provider = asked.offer.provider().as_str();
        let mut rows = Vec::new();
        let about_its_end = claims.iter().any(|(claim, _)| matches!(claim, Claim::NotRetiring(_)));
        if let Some(finding) = self.guard(asked.offer, asked.others).filter(|_| !about_its_end) {
            rows.push(Row::new(subject, Some(provider), "served", finding, place));
        }
        for (claim, place) in claims {
            if let Some(finding) = self.of_offer(claim, asked) {
                rows.push(Row::new(subject, Some(provider), claim.name(), finding, place.as_ref()));
            }
        }
        rows
    }

    /// That an offer is gone or may be, with what to use in its place.
    pub(super) fn guard(&self, offer: &Offer, others: &[Offer]) -> Option<Finding> {
        judge::guard(&offer.endpoint).map(|finding| finding.fix(self.instead(offer, others)))
    }

    /// What to use in place of an offer that goes.
    pub(super) fn instead(&self, offer: &Offer, others: &[Offer]) -> Option<String> {
        if let Some(model) = successor(self.catalog(), &offer.endpoint) {
            let provider = offer.provider();
            let why = format!("to replace it: the newest of its family at {provider} of which no end is announced");
            return Some(mend::read(&model, &why));
        }
        let lasting = |other: &Offer| other.provider() != offer.provider() && other.endpoint.sunset.is_none();
        let other = cheapest(others, |other| lasting(other) && other.endpoint.status == Status::Active)?;
        Some(mend::elsewhere(&mend::typed(&other.endpoint), other.provider(), "who still serves it"))
    }

    fn of_offer(&self, claim: &Claim, asked: &Asked<'_>) -> Option<Finding> {
        let offer = asked.offer;
        if claim.is_measured() {
            return Some(self.of_measured(claim, asked));
        }
        let finding = judge::offer(claim, offer, asked.shape, self.now())?;
        if finding.verdict == Verdict::Ok {
            return Some(finding);
        }
        let name = name(asked.model);
        let nobody = mend::kept_by_nobody(claim, &name);
        if matches!(claim, Claim::NotRetiring(_)) {
            return Some(finding.fix(self.instead(offer, asked.others)).fix(nobody));
        }
        let holds = |other: &Offer| {
            other.provider() != offer.provider()
                && judge::offer(claim, other, asked.shape, self.now())
                    .is_some_and(|finding| finding.verdict == Verdict::Ok)
        };
        let other = cheapest(asked.others, holds).and_then(|other| {
            let told = judge::offer(claim, other, asked.shape, self.now())?.told;
            Some(mend::elsewhere(&name, other.provider(), &format!("who keeps to it: {told}")))
        });
        Some(finding.fix(other).fix(nobody))
    }

    fn of_measured(&self, claim: &Claim, asked: &Asked<'_>) -> Finding {
        let id = &asked.offer.endpoint.id;
        let name = name(asked.model);
        // What was measured for the answer is the answer: a share of few calls alone takes older ones as well.
        let probed = self.probed.get(&name).filter(|_| claim.is_told_by_a_probe(asked.shape));
        let probed = probed.filter(|_| !matches!(claim, Claim::Availability(_)));
        let seen = self.seen(probed.copied().unwrap_or_else(|| begins(asked.window, self.now())));
        let known = match seen.as_ref() {
            Ok(seen) => seen.get(id),
            Err(_) => None,
        };
        let input = asked.shape.map_or(Tokens::new(1_000), |shape| shape.input);
        let exact = asked.shape.is_some() && probed.is_none();
        let finding = measured::endpoint(claim, known, &Stratum::plain(input), exact);
        let Some(finding) = finding else { return Finding::unknown(Cell::Unknown, String::new(), "not measured") };
        let finding = self.unread(finding, seen.as_ref());
        match finding.verdict {
            Verdict::Ok => return finding,
            Verdict::No => return finding.fix(mend::kept_by_nobody(claim, &name)),
            Verdict::Unknown(_) => {}
        }
        if let Some(error) = self.unprobed.get(&name) {
            let why = format!("{}; the probe: {}", finding.why, error.message);
            let verdict = Verdict::Unknown(error.exit);
            return Finding { why, verdict, ..finding }.fix(Some(error.fix.clone()));
        }
        let openmux = if self.offline.settings.sandbox.is_some() { "openmux --sandbox" } else { "openmux" };
        finding.fix(Some(format!("{openmux} providers probe {name} {}", id.provider)))
    }

    /// The same, where measurements cannot be read, with that reason.
    fn unread(&self, finding: Finding, seen: &Seen) -> Finding {
        let reason = match (seen, self.offline.warnings.iter().find(|text| text.contains("cannot be read"))) {
            (Err(reason), _) => format!("measurements cannot be read: {reason}"),
            (Ok(_), Some(warning)) => warning.clone(),
            (Ok(_), None) => return finding,
        };
        Finding { verdict: Verdict::Unknown(Exit::Config), why: reason, ..finding }
    }

    fn seen(&self, since: Timestamp) -> std::rc::Rc<Seen> {
        let read = || std::rc::Rc::new(self.offline.store.measured(since).map_err(|error| error.to_string()));
        self.seen.borrow_mut().entry(since).or_insert_with(read).clone()
    }

    /// A claim about all offers of a model.
    fn of_model(&self, claim: &Claim, all: &[Offer], pinned: &[String]) -> Option<Finding> {
        match claim {
            Claim::ServedBy(typed) => Some(self.served_by(typed, all)),
            Claim::Providers(least) => {
                let counted = count(all.iter(), *least, "providers", "serve it");
                Some(counted)
            }
            Claim::Callable(least) => {
                let meant = |offer: &&Offer| {
                    pinned.is_empty() || pinned.iter().any(|id| id.eq_ignore_ascii_case(offer.provider().as_str()))
                };
                let callable = all.iter().filter(meant).filter(|offer| offer.is_callable());
                let fix = all.iter().filter(meant).filter(|offer| offer.is_sure() && !offer.is_callable());
                let own = fix.clone().find(|offer| {
                    Catalog::own_provider(offer.endpoint.model.author()) == Some(offer.provider().as_str())
                });
                let fix = own.into_iter().chain(fix).find_map(key_fix);
                Some(count(callable, *least, "callable", "could be called from here").fix(fix))
            }
            _ => None,
        }
    }

    fn served_by(&self, typed: &str, all: &[Offer]) -> Finding {
        let wanted = Cell::Text(typed.to_owned());
        let id = match prompt::provider(self.catalog(), typed) {
            Ok(id) => id,
            Err(error) => return unheard(typed, &error),
        };
        let told = format!("served by {id}");
        match all.iter().find(|offer| *offer.provider() == id) {
            None => unserved(id.as_str(), &format!("{id} has no such offer in the catalog"), all),
            Some(offer) => match self.guard(offer, all) {
                Some(finding) => Finding { wanted, told, ..finding },
                None => Finding::decided(true, (wanted.clone(), wanted), told, ""),
            },
        }
    }
}

/// A model as it was meant, with its variant.
pub(super) fn name(model: &Resolved) -> String {
    match &model.variant {
        Some(variant) => format!("{}:{variant}", model.model),
        None => model.model.to_string(),
    }
}

/// What is named does exist.
fn found(subject: &str, wanted: bool, fix: String, place: Option<&Place>) -> Row {
    let told = if wanted { "exists" } else { "does not exist" };
    let finding =
        Finding::decided(wanted, (Cell::Flag(wanted), Cell::Flag(true)), told.to_owned(), "it is in the catalog");
    let finding = if wanted { finding } else { finding.fix(Some(fix)) };
    Row::new(subject, None, "exists", finding, place)
}

/// What is named does not exist: a no where that was asserted, else nothing of it can be told.
fn missing(typed: &str, exists: Option<(bool, Option<&Place>)>, place: Option<&Place>, error: &CliError) -> Row {
    let cells = |wanted: bool| (Cell::Flag(wanted), Cell::Flag(false));
    let ambiguous = error.code.ends_with("ambiguous");
    let finding = match exists.filter(|_| !ambiguous) {
        Some((false, _)) => Finding::decided(true, cells(false), "does not exist".to_owned(), ""),
        Some((true, _)) => Finding::decided(false, cells(true), "exists".to_owned(), error.message.clone()),
        None => Finding::unknown(Cell::Flag(true), String::new(), error.message.clone()).found(Cell::Flag(false)),
    };
    let fix = if exists.is_some_and(|(wanted, _)| !wanted) { None } else { near(error) };
    Row::new(typed, None, "exists", finding.fix(fix), exists.map_or(place, |(_, place)| place))
}

/// The providers that are asked about: the one that the model pins, and those that are named, each once.
pub(super) fn wanted(model: &Resolved, providers: &[String]) -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for id in model.provider.iter().map(ToString::to_string).chain(providers.iter().cloned()) {
        if !wanted.iter().any(|known| known.eq_ignore_ascii_case(&id)) {
            wanted.push(id);
        }
    }
    wanted
}

/// A provider makes no such offer.
fn unserved(provider: &str, why: &str, all: &[Offer]) -> Finding {
    let fix = cheapest(all, |_| true)
        .map(|offer| mend::elsewhere(&mend::typed(&offer.endpoint), offer.provider(), "who serves it"));
    let cells = (Cell::Text(provider.to_owned()), Cell::Flag(false));
    Finding::decided(false, cells, format!("served by {provider}"), why).fix(fix)
}

/// No provider is called that.
fn unheard(typed: &str, error: &CliError) -> Finding {
    Finding::unknown(Cell::Text(typed.to_owned()), format!("served by {typed}"), error.message.clone()).fix(near(error))
}

/// So many offers at least: what only an old list has may be there or not.
fn count<'o>(offers: impl Iterator<Item = &'o Offer>, least: u32, name: &str, what: &str) -> Finding {
    let living: Vec<&Offer> = offers.filter(|offer| offer.endpoint.status != Status::Retired).collect();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (sure, perhaps) = (number(living.iter().filter(|offer| offer.is_sure()).count()), number(living.len()));
    let (wanted, found) = (Cell::Count(u64::from(least)), Cell::Count(u64::from(sure)));
    let told = format!("{name} {sure} >= {least}");
    if sure < least && perhaps >= least {
        let why = format!("{} more are in no fresh list and may be gone", perhaps - sure);
        return Finding::unknown(wanted, told, why).found(found);
    }
    Finding::decided(sure >= least, (wanted, found), told, format!("{sure} {what}"))
}

/// What an offer lacks to be called.
fn key_fix(offer: &Offer) -> Option<String> {
    let reach = offer.reach.as_ref()?;
    if reach.unsupported.is_some() || reach.no_base_url || reach.protocol.is_none() {
        return None;
    }
    let missing = match &reach.found {
        Found::Missing { looked_in } => looked_in.iter().find(|name| is_variable(name)),
        _ => reach.missing_settings.first(),
    };
    missing.map(|name| format!("{}   (for {})", set_key(name), offer.provider()))
}
