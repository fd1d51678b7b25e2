//! The caps of a run and of a day, and what is set aside before the first call.

use super::super::args::ProvidersProbe;
use super::super::config::ProbeCaps;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::money::dollars;
use super::super::settings;
use crate::observe::Source;
use crate::store::{ObservationStore, Reservation, StoreError};
use crate::units::Usd;

/// Money that was set aside.
#[derive(Debug)]
pub(super) struct Budget {
    reservation: Option<i64>,
}

impl Budget {
    /// Sets the bound of a run aside, where it is within what is accepted. A run that ends without settling, e.g. because
    /// it was killed, has spent its bound for the rest of the day.
    ///
    /// # Errors
    /// It is beyond the cap of a run or of a day, or cannot be set aside: nothing may be sent.
    pub(super) fn reserve(
        store: &dyn ObservationStore,
        bound: Usd,
        args: &ProvidersProbe,
        caps: ProbeCaps,
    ) -> Result<Self, CliError> {
        let run_cap = args.max_cost.unwrap_or(caps.run);
        if bound > run_cap && (args.max_cost.is_some() || !args.yes) {
            let limit = match args.max_cost {
                Some(limit) => format!("--max-cost {}", limit.exact()),
                None => format!("{} a run", dollars(caps.run)),
            };
            let message = format!("not sent: it could cost {}, more than {limit}", dollars(bound));
            return Err(CliError::new(Exit::Refused, "max_cost", message)
                .with("bound_usd", exact(bound))
                .with("cap_usd", exact(run_cap))
                .fix(format!("--max-cost {}   (or fewer --rounds, or fewer providers)", bound.exact())));
        }
        if bound == Usd::ZERO {
            return Ok(Self { reservation: None });
        }
        let day_cap = if args.yes { Usd::from_pico(i64::MAX) } else { caps.day };
        match store.reserve(Source::Probe.name(), settings::now(), bound, day_cap) {
            Ok(Reservation::Granted(number)) => Ok(Self { reservation: Some(number) }),
            Ok(Reservation::Exceeded(used)) => Err(CliError::new(
                Exit::Refused,
                "day_cost",
                format!("not sent: it could cost {}, and probes may cost {} a day", dollars(bound), dollars(caps.day)),
            )
            .fact("today", format!("{} is spent or set aside", dollars(used)))
            .with("bound_usd", exact(bound))
            .with("used_usd", exact(used))
            .with("cap_usd", exact(caps.day))
            .fix("wait until tomorrow (UTC), max_day_usd under [probe] in config.toml, or --yes")),
            Err(error) => Err(CliError::new(Exit::Config, "store", "not sent: its cost cannot be set aside")
                .fact("reason", error.to_string())
                .fix("make the folder of obs.db writable (`openmux config path` says where it is)")),
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
fn exact(amount: Usd) -> serde_json::Value {
    amount.exact().parse::<serde_json::Number>().map_or(serde_json::Value::Null, serde_json::Value::Number)
}
