//! A budget for a day: what an attempt can cost is set aside before it is sent, and replaced by what it did cost. Processes
//! side by side share it through the store.

use jiff::Timestamp;

use super::{AttemptReport, Dispatcher, Plan};
use crate::catalog::EndpointId;
use crate::store::{Reservation, StoreError};
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

impl Dispatcher<'_> {
    /// Sets aside what an attempt can cost, in every budget that it is of; nothing where there is nothing to set aside.
    pub(super) fn hold(&self, plan: &Plan<'_>, endpoint: &EndpointId, bound: Option<Usd>) -> Result<Held, OverBudget> {
        let now = (self.now)();
        let all = plan.day_cap.map(|cap| (plan.source.name().to_owned(), now, cap, None));
        let own = plan.purses.iter().map(|purse| {
            let (scope, at) = purse.place(now);
            (scope, at, purse.cap, Some(purse.clone()))
        });
        let mut held = Held::new();
        for (scope, at, cap, purse) in all.into_iter().chain(own) {
            let over = |used, reason| OverBudget { endpoint: endpoint.clone(), bound, cap, purse, used, reason };
            let failed = match bound {
                Some(amount) if amount == Usd::ZERO => continue,
                Some(amount) => match self.store.reserve(&scope, at, amount, cap) {
                    Ok(Reservation::Granted(number)) => {
                        held.push(number);
                        continue;
                    }
                    Ok(Reservation::Exceeded(used)) => over(Some(used), None),
                    Err(error) => over(None, Some(error.to_string())),
                },
                None => over(self.store.set_aside(&scope, at).map(|used| used.total()).ok(), None),
            };
            // Nothing is sent: what the others have set aside is theirs again.
            for number in held {
                if let Err(error) = self.store.settle(number, Usd::ZERO) {
                    tracing::warn!(%error, "what was set aside counts as spent");
                }
            }
            return Err(failed);
        }
        Ok(held)
    }

    /// Replaces what was set aside by what was spent, or likely was. Where nobody knows what that is, it counts as spent.
    pub(super) fn release(&self, held: Held, report: &AttemptReport) -> Result<(), StoreError> {
        let Some(spent) = report.spent().or(report.likely) else { return Ok(()) };
        held.into_iter().map(|number| self.store.settle(number, spent)).fold(Ok(()), Result::and)
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
