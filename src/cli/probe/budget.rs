//! The caps of a run and of a day, and what is set aside before the first call.

use super::super::args::ProvidersProbe;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::money::dollars;
use super::super::settings;
use crate::store::{ObservationStore, Reservation, StoreError};
use crate::units::Usd;

/// What is set aside under this name is spent by probes alone.
const SCOPE: &str = "probe";
/// The most that a run may cost, in picodollars: $1.
const RUN_CAP: i64 = 1_000_000_000_000;
/// The most that all runs of a day (UTC) may cost, in picodollars: $5.
const DAY_CAP: i64 = 5 * RUN_CAP;

/// Money that was set aside.
#[derive(Debug)]
pub(super) struct Budget {
    reservation: Option<i64>,
}

impl Budget {
    /// Sets the bound of a run aside, where it is within what is accepted.
    ///
    /// # Errors
    /// It is beyond the cap of a run or of a day, or cannot be set aside: nothing may be sent.
    pub(super) fn reserve(store: &dyn ObservationStore, bound: Usd, args: &ProvidersProbe) -> Result<Self, CliError> {
        let run_cap = args.max_cost.unwrap_or(Usd::from_pico(RUN_CAP));
        if bound > run_cap && (args.max_cost.is_some() || !args.yes) {
            let message = match args.max_cost {
                Some(limit) => {
                    format!("not sent: it could cost {}, more than --max-cost {}", dollars(bound), limit.exact())
                }
                None => format!("not sent: it could cost {}, more than $1 a run", dollars(bound)),
            };
            return Err(CliError::new(Exit::Refused, "max_cost", message)
                .with("bound_usd", bound_json(bound))
                .fix(format!("fewer --rounds, fewer providers, or --max-cost {}", bound.exact())));
        }
        if bound == Usd::ZERO {
            return Ok(Self { reservation: None });
        }
        let day_cap = Usd::from_pico(if args.yes { i64::MAX } else { DAY_CAP });
        match store.reserve(SCOPE, settings::now(), bound, day_cap) {
            Ok(Reservation::Granted(number)) => Ok(Self { reservation: Some(number) }),
            Ok(Reservation::Exceeded(used)) => Err(CliError::new(
                Exit::Refused,
                "day_cost",
                format!("not sent: it could cost {}, and probes may cost $5 a day", dollars(bound)),
            )
            .fact("today", format!("{} is spent or set aside", dollars(used)))
            .with("bound_usd", bound_json(bound))
            .fix("wait until tomorrow (UTC), or --yes")),
            Err(error) => Err(CliError::new(Exit::Config, "store", "not sent: its cost cannot be set aside")
                .fact("reason", error.to_string())),
        }
    }

    /// Replaces what was set aside by what was spent.
    ///
    /// # Errors
    /// It could not be written: what was set aside counts as spent.
    pub(super) fn settle(self, store: &dyn ObservationStore, spent: Usd) -> Result<(), StoreError> {
        self.reservation.map_or(Ok(()), |reservation| store.settle(reservation, spent))
    }
}

/// The exact number.
fn bound_json(bound: Usd) -> serde_json::Value {
    bound.exact().parse::<serde_json::Number>().map_or(serde_json::Value::Null, serde_json::Value::Number)
}
