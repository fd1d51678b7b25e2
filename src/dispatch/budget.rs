//! A budget for a day: what an attempt can cost is set aside before it is sent, and replaced by what it did cost. Processes
//! side by side share it through the store.

use super::{AttemptReport, Dispatcher, Plan};
use crate::catalog::EndpointId;
use crate::store::{Reservation, StoreError};
use crate::units::Usd;

/// An attempt that the day's budget does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    /// Whom it would have asked.
    pub endpoint: EndpointId,
    /// The most that it could cost, in USD; `None` where no bound is known.
    pub bound: Option<Usd>,
    /// The budget of a day, in USD.
    pub cap: Usd,
    /// What is spent or set aside today, in USD; `None` where it could not be read.
    pub used: Option<Usd>,
    /// Why nothing could be set aside, where the store is the reason.
    pub reason: Option<String>,
}

impl Dispatcher<'_> {
    /// Sets aside what an attempt can cost; `None` where there is nothing to set aside.
    pub(super) fn hold(
        &self,
        plan: &Plan<'_>,
        endpoint: &EndpointId,
        bound: Option<Usd>,
    ) -> Result<Option<i64>, OverBudget> {
        let Some(cap) = plan.day_cap else { return Ok(None) };
        let over = |used, reason| OverBudget { endpoint: endpoint.clone(), bound, cap, used, reason };
        let (scope, now) = (plan.source.name(), (self.now)());
        let Some(amount) = bound else {
            let used = self.store.set_aside(scope, now).map(|used| used.total()).ok();
            return Err(over(used, None));
        };
        if amount == Usd::ZERO {
            return Ok(None);
        }
        match self.store.reserve(scope, now, amount, cap) {
            Ok(Reservation::Granted(number)) => Ok(Some(number)),
            Ok(Reservation::Exceeded(used)) => Err(over(Some(used), None)),
            Err(error) => Err(over(None, Some(error.to_string()))),
        }
    }

    /// Replaces what was set aside by what was spent. Where nobody knows what that is, it counts as spent.
    pub(super) fn release(&self, held: Option<i64>, report: &AttemptReport) -> Result<(), StoreError> {
        let Some(number) = held else { return Ok(()) };
        report.spent().map_or(Ok(()), |spent| self.store.settle(number, spent))
    }
}
