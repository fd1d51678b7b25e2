//! What has changed since a lock was written: a row for each fact that is not what it was.

use std::collections::BTreeSet;

use super::claim::{Check, Of, Place};
use super::court::{Court, name, wanted};
use super::judge::{self, plural};
use super::lock::{Entry, Locked};
use super::mend::{self, near};
use super::offer::Offer;
use super::row::{Finding, Row, Verdict};
use crate::catalog::{Endpoint, Status};
use crate::cli::render::sheet::Cell;
use crate::cli::{day, facts};

/// What a lock and today's facts come to.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// A row for each change, and one for each offer without any.
    pub(super) rows: Vec<Row>,
    /// The facts of today.
    pub(super) today: Vec<Locked>,
}

/// Compares the offers of a lock with today's. With `update` what has changed is only told: the lock will say it.
pub(super) fn compare(court: &Court<'_>, entries: &[Entry], update: bool) -> Compared {
    let mut compared = Compared::default();
    for entry in entries {
        let (rows, today) = one(court, entry, update);
        compared.rows.extend(rows);
        compared.today.extend(today);
    }
    compared
}

/// One fact that is not as it was.
struct Change {
    /// Which fact.
    what: String,
    /// What is so.
    finding: Finding,
    /// Whether a lock that says so cures it: no lock brings back what is gone.
    is_cured: bool,
}

impl Change {
    fn of(what: &str, finding: Option<Finding>) -> Option<Self> {
        finding.map(|finding| Self { what: what.to_owned(), finding, is_cured: true })
    }

    /// What is told of it where the lock is written anew.
    fn written(self) -> Self {
        if !self.is_cured {
            return self;
        }
        let Finding { wanted, found, told, why, .. } = self.finding;
        let told = if told.is_empty() { why } else { told };
        Self { finding: Finding::decided(true, (wanted, found), format!("{told} (written)"), ""), ..self }
    }
}

/// The offers that assertions are about, for a lock, and whether each of their models could be found.
pub(super) fn asked(court: &Court<'_>, checks: &[Check]) -> (Vec<(Locked, Option<Place>)>, bool) {
    let (mut found, mut whole) = (Vec::new(), true);
    for check in checks {
        let Of::Model { typed, providers, .. } = &check.of else { continue };
        let Ok(model) = facts::model(court.catalog(), typed) else {
            whole = false;
            continue;
        };
        let all = court.offers(&model);
        let (offers, strangers) = court.meant(&model, &all, &wanted(&model, providers));
        whole &= strangers.is_empty();
        found.extend(offers.into_iter().map(|offer| (Locked::of(&name(&model), offer), check.place.clone())));
    }
    (found, whole)
}

/// A row for each offer that is asked about and not in the lock.
pub(super) fn absent(asked: &[(Locked, Option<Place>)], entries: &[Entry], lock: &str) -> Vec<Row> {
    let is_in = |facts: &Locked| entries.iter().any(|entry| entry.facts.is_of(facts));
    let row = |(facts, place): &(Locked, Option<Place>)| {
        let wanted = Cell::Text(lock.to_owned());
        let finding = Finding::unknown(wanted, String::new(), format!("it is not in {lock}"))
            .fix(Some(mend::lock_too(&facts.model, &facts.provider, lock)));
        Row::new(&facts.model, Some(&facts.provider), "locked", finding, place.as_ref())
    };
    asked.iter().filter(|(facts, _)| !is_in(facts)).map(row).collect()
}

/// A row for each offer that a new lock has.
pub(super) fn written(offers: &[Locked], lock: &str) -> Vec<Row> {
    let row = |facts: &Locked| {
        let count = Cell::Count(u64::try_from(facts.count()).unwrap_or(u64::MAX));
        let told = format!("{} facts written to {lock}", facts.count());
        let finding = Finding::decided(true, (count.clone(), count), told, "");
        Row::new(&facts.model, Some(&facts.provider), "locked", finding, None)
    };
    offers.iter().map(row).collect()
}

fn one(court: &Court<'_>, entry: &Entry, update: bool) -> (Vec<Row>, Option<Locked>) {
    let then = &entry.facts;
    let row = |change: Change| {
        let change = if update { change.written() } else { change };
        let place = entry.at(&change.what);
        let relock = mend::relock(&place.file, "takes it as it is now");
        let mends = change.is_cured && change.finding.verdict != Verdict::Ok;
        let change = Change { finding: change.finding.fix(mends.then_some(relock)), ..change };
        Row::new(&then.model, Some(&then.provider), format!("locked.{}", change.what), change.finding, Some(&place))
    };
    let gone = |what: &str, told: String, why: String, fix: Option<String>| {
        let finding = Finding::decided(false, (Cell::Flag(true), Cell::Flag(false)), told, why).fix(fix);
        (Change::of(what, Some(finding)).map(row).into_iter().collect(), None)
    };
    let model = match facts::model(court.catalog(), &then.model) {
        Ok(model) => model,
        // Nobody knows what became of it, so a lock keeps what it says of it.
        Err(error) => {
            let finding = Finding::unknown(Cell::Flag(true), String::new(), error.message.clone());
            let finding = finding.found(Cell::Flag(false)).fix(near(&error));
            let change = Change { what: "model".to_owned(), finding, is_cured: false };
            return (vec![row(change)], Some(then.clone()));
        }
    };
    let is_renamed = name(&model) != then.model;
    if is_renamed && !update {
        let fix = Some(mend::relock(&entry.place.file, &format!("takes the name over: {}", name(&model))));
        return gone("model", String::new(), format!("it is called {} now", name(&model)), fix);
    }
    let all = court.offers(&model);
    let Some(offer) = all.iter().find(|offer| offer.provider().as_str() == then.provider) else {
        let other = super::offer::cheapest(&all, |_| true)
            .map(|other| mend::elsewhere(&mend::typed(&other.endpoint), other.provider(), "who serves it"));
        let why = format!("{} has no such offer in the catalog any more", then.provider);
        return gone("provider", format!("served by {}", then.provider), why, other);
    };
    let now = Locked::of(&name(&model), offer);
    let mut rows: Vec<Row> = changes(court, &entry.beside(&now), &now, (offer, &all)).into_iter().map(row).collect();
    if is_renamed {
        let cells = (Cell::Text(then.model.clone()), Cell::Text(now.model.clone()));
        let finding = Finding::decided(false, cells, format!("it is called {} now", now.model), "");
        rows.extend(Change::of("model", Some(finding)).map(row));
    }
    if rows.is_empty() {
        let count = Cell::Count(u64::try_from(then.count()).unwrap_or(u64::MAX));
        let told = format!("{} facts as in {}", then.count(), entry.place.file);
        let finding = Finding::decided(true, (count.clone(), count), told, "");
        rows.push(Row::new(&then.model, Some(&then.provider), "locked", finding, Some(&entry.place)));
    }
    (rows, Some(now))
}

/// What is not as it was.
fn changes(court: &Court<'_>, then: &Locked, now: &Locked, (offer, all): (&Offer, &[Offer])) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    found.extend(status(court, then, now, (offer, all)));
    found.extend(retires(court, then, now, (offer, all)));
    found.extend(Change::of("id", changed("id", Some(&then.id), Some(&now.id))));
    for (what, then, now) in [
        ("context", &then.context, &now.context),
        ("max_input", &then.max_input, &now.max_input),
        ("max_output", &then.max_output, &now.max_output),
        ("output", &then.output, &now.output),
    ] {
        found.extend(Change::of(what, changed(what, then.as_ref(), now.as_ref())));
    }
    found.extend(Change::of("can", abilities(then, now, &offer.endpoint)));
    let items: BTreeSet<&String> = then.price.keys().chain(now.price.keys()).collect();
    let price = |item: &String| {
        let finding = changed(&format!("price {item}"), then.price.get(item), now.price.get(item));
        Change::of(&format!("price.{item}"), finding)
    };
    found.extend(items.into_iter().filter_map(price));
    found
}

/// A fact that is another now; one that nobody states any more cannot be told.
fn changed(what: &str, then: Option<&String>, now: Option<&String>) -> Option<Finding> {
    if then == now {
        return None;
    }
    let cell = |value: Option<&String>| Cell::text(value.cloned());
    let word = |value: Option<&String>| value.map_or("unknown", String::as_str).to_owned();
    let told = format!("{what} {} -> {}", word(then), word(now));
    Some(match now {
        Some(_) => Finding::decided(false, (cell(then), cell(now)), told, "it has changed"),
        None => Finding::unknown(cell(then), told, "nobody states it any more"),
    })
}

fn status(court: &Court<'_>, then: &Locked, now: &Locked, (offer, all): (&Offer, &[Offer])) -> Option<Change> {
    // What is gone is gone, however the lock came to say so.
    if offer.endpoint.status == Status::Retired {
        let finding = Finding { wanted: Cell::Text(then.status.clone()), ..court.guard(offer, all)? };
        return Some(Change { what: "status".to_owned(), finding, is_cured: false });
    }
    if then.status == now.status {
        return None;
    }
    let (wanted, found) = (Cell::Text(then.status.clone()), Cell::Text(now.status.clone()));
    let told = format!("status {} -> {}", then.status, now.status);
    let finding = match offer.endpoint.status {
        Status::Unlisted => Finding::unknown(wanted, told, "no fresh list has it; it may be gone").found(found),
        _ => Finding::decided(false, (wanted, found), told, "it has changed"),
    };
    let ends = matches!(offer.endpoint.status, Status::Unlisted | Status::Deprecated);
    Change::of("status", Some(finding.fix(if ends { court.instead(offer, all) } else { None })))
}

fn retires(court: &Court<'_>, then: &Locked, now: &Locked, (offer, all): (&Offer, &[Offer])) -> Option<Change> {
    let left = now.retires.as_deref().and_then(|day| day::until(day, court.now()));
    if then.retires == now.retires {
        return None;
    }
    let (wanted, found) = (Cell::text(then.retires.clone()), Cell::text(now.retires.clone()));
    let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "no day".to_owned());
    let told = format!("retires {} -> {}", day(&then.retires), day(&now.retires));
    let why = match left {
        Some(left) => format!("it has changed: {} are left", plural(left)),
        None => "it has changed".to_owned(),
    };
    let fix = now.retires.as_ref().and_then(|_| court.instead(offer, all));
    let finding = Finding::decided(false, (wanted, found), told, why).fix(fix);
    Change::of("retires", Some(finding))
}

fn abilities(then: &Locked, now: &Locked, endpoint: &Endpoint) -> Option<Finding> {
    let missing = |of: &Locked, from: &Locked| -> Vec<String> {
        of.can.iter().filter(|ability| !from.can.contains(ability)).cloned().collect()
    };
    let (lost, gained) = (missing(then, now), missing(now, then));
    let cells = (Cell::words(then.can.clone()), Cell::words(now.can.clone()));
    let told = |words: &[String], sign: &str| words.iter().map(|word| format!("{sign}{word}")).collect::<Vec<_>>();
    let told = [told(&lost, "-"), told(&gained, "+")].concat();
    let told = format!("can {}", told.join(" "));
    let is_changed = !gained.is_empty() || lost.iter().any(|word| judge::denies_word(endpoint, word));
    match (lost.is_empty(), is_changed) {
        (true, false) => None,
        (_, true) => Some(Finding::decided(false, cells, told, "it has changed")),
        // Silence is not "no".
        (false, false) => Some(Finding::unknown(cells.0, told, "no source says so any more").found(cells.1)),
    }
}
