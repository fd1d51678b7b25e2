//! A budget for a day: what an attempt can cost is set aside before it is sent, and replaced by what it did cost. Processes
//! side by side share it through the store.

use jiff::Timestamp;

use super::clerk::PATIENCE;
use super::{AttemptReport, Dispatcher, Plan};
use crate::catalog::EndpointId;
use crate::store::{ObservationStore, Reservation, StoreError};
use crate::units::Usd;

/// A budget of one's own, beside that of all: of a day or of a month (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purse {
    /// Whose it is.
    pub whose: String,
    /// The most that may be spent.
    pub cap: Usd,
    /// Whether it is a month's.
    pub monthly: bool,
}

impl Purse {
    /// The scope in the store, and the day that stands for the time that it is of.
    fn place(&self, now: Timestamp) -> (String, Timestamp) {
        if !self.monthly {
            return (format!("client:{}", self.whose), now);
        }
        let month: String = now.to_string().chars().take("2026-11".len()).collect();
        (format!("client:{}:month", self.whose), format!("{month}-01T00:00:00Z").parse().unwrap_or(now))
    }
}

/// What is set aside for one attempt: a number for each budget.
pub(super) type Held = Vec<i64>;

/// An attempt that a budget does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    /// Whom it would have asked.
    pub endpoint: EndpointId,
    /// The most that it could cost, in USD; `None` where no bound is known.
    pub bound: Option<Usd>,
    /// The budget of a day, in USD.
    pub cap: Usd,
    /// Whose budget it is, where it is not that of all.
    pub purse: Option<Purse>,
    /// What is spent or set aside today, in USD; `None` where it could not be read.
    pub used: Option<Usd>,
    /// Why nothing could be set aside, where the store is the reason.
    pub reason: Option<String>,
}

/// What is to be set aside in one budget.
struct Wish {
    scope: String,
    at: Timestamp,
    cap: Usd,
    purse: Option<Purse>,
}

/// An attempt, and the most that it can cost.
struct Most {
    endpoint: EndpointId,
    bound: Option<Usd>,
}

impl Most {
    fn over(self, (cap, purse): (Usd, Option<Purse>), used: Option<Usd>, reason: Option<String>) -> OverBudget {
        OverBudget { endpoint: self.endpoint, bound: self.bound, cap, purse, used, reason }
    }
}

/// Sets aside what an attempt can cost in every budget, or in none.
fn set_aside(store: &dyn ObservationStore, most: Most, wishes: Vec<Wish>) -> Result<Held, OverBudget> {
    let mut held = Held::new();
    for Wish { scope, at, cap, purse } in wishes {
        let (used, reason) = match most.bound {
            Some(amount) => match store.reserve(&scope, at, amount, cap) {
                Ok(Reservation::Granted(number)) => {
                    held.push(number);
                    continue;
                }
                Ok(Reservation::Exceeded(used)) => (Some(used), None),
                Err(error) => (None, Some(error.to_string())),
            },
            None => (store.set_aside(&scope, at).map(|used| used.total()).ok(), None),
        };
        // Nothing is sent: what the others have set aside is theirs again.
        give_back(store, held);
        return Err(most.over((cap, purse), used, reason));
    }
    Ok(held)
}

fn give_back(store: &dyn ObservationStore, held: Held) {
    say_lost(settle(store, held, Usd::ZERO));
}

fn settle(store: &dyn ObservationStore, held: Held, spent: Usd) -> Result<(), StoreError> {
    held.into_iter().map(|number| store.settle(number, spent)).fold(Ok(()), Result::and)
}

fn say_lost(settled: Result<(), StoreError>) {
    if let Err(error) = settled {
        tracing::warn!(%error, "what was set aside counts as spent");
    }
}

impl Dispatcher<'_> {
    /// Sets aside what an attempt can cost, in every budget that it is of; nothing where there is nothing to set aside.
    pub(super) async fn hold(
        &self,
        plan: &Plan<'_>,
        endpoint: &EndpointId,
        bound: Option<Usd>,
    ) -> Result<Held, OverBudget> {
        let now = (self.now)();
        let all = plan.day_cap.map(|cap| Wish { scope: plan.source.name().to_owned(), at: now, cap, purse: None });
        let own = plan.purses.iter().map(|purse| {
            let (scope, at) = purse.place(now);
            Wish { scope, at, cap: purse.cap, purse: Some(purse.clone()) }
        });
        let wishes: Vec<Wish> = all.into_iter().chain(own).filter(|_| bound != Some(Usd::ZERO)).collect();
        let Some(first) = wishes.first().map(|wish| (wish.cap, wish.purse.clone())) else { return Ok(Held::new()) };
        let most = || Most { endpoint: endpoint.clone(), bound };
        let asked = most();
        let undo = |store: &dyn ObservationStore, held: Result<Held, _>| give_back(store, held.unwrap_or_default());
        self.at_store(move |store| set_aside(store, asked, wishes), undo).await.unwrap_or_else(|| {
            let reason = format!("it did not answer within {} s", PATIENCE.as_secs());
            Err(most().over(first, None, Some(reason)))
        })
    }

    /// Gives back what was set aside for an attempt that is not made.
    pub(super) fn put_back(&self, held: Held) {
        let later = held.clone();
        if !held.is_empty() && !self.leave_to_store(move |store| give_back(store, later)) {
            give_back(self.store, held);
        }
    }

    /// Replaces what was set aside by what was spent, or likely was. Where nobody knows what that is, it counts as spent.
    /// Nobody waits for it where there is a thread for it.
    pub(super) fn release(&self, held: Held, report: &AttemptReport) -> Result<(), StoreError> {
        let Some(spent) = report.spent().or(report.likely).filter(|_| !held.is_empty()) else { return Ok(()) };
        let later = held.clone();
        if self.leave_to_store(move |store| say_lost(settle(store, later, spent))) {
            return Ok(());
        }
        settle(self.store, held, spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_kept_at_its_first_day() {
        let purse = |monthly| Purse { whose: "a".to_owned(), cap: Usd::ZERO, monthly };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for now in ["2026-11-01T00:00:00Z", "2026-11-30T23:59:59.999Z"] {
            let first = ("client:a:month".to_owned(), at("2026-11-01T00:00:00Z"));
            assert_eq!(purse(true).place(at(now)), first);
            assert_eq!(purse(false).place(at(now)), ("client:a".to_owned(), at(now)));
        }
    }
}
