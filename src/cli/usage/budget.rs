//! Today's budgets, of chats and of probes: what is spent, what is set aside, what is left.

use serde_json::Value;

use super::super::chat::budget::members;
use super::super::offline::Offline;
use super::super::render::money::dollars;
use crate::observe::Source;
use crate::store::SetAside;
use crate::units::Usd;

/// A budget, and what is used of it today (UTC).
struct Budget {
    /// Its name in JSON.
    name: &'static str,
    /// Who spends it.
    of: &'static str,
    day: Usd,
    used: SetAside,
}

/// Today's budgets: that of chats where one is set, that of probes where some of it is used.
pub(super) struct Budgets(Vec<Budget>);

/// The names of the budgets in JSON.
const NAMES: [&str; 2] = ["budget", "probe_budget"];

impl Budgets {
    /// Reads them; one that the store cannot tell is left out.
    pub(super) fn today(offline: &Offline<'_>) -> Self {
        let read = |name, of, source: Source, day: Usd| {
            let used = offline.store.set_aside(source.name(), offline.now).ok()?;
            Some(Budget { name, of, day, used })
        };
        let config = &offline.settings.config;
        let chats = config.day_budget().and_then(|day| read(NAMES[0], "chats", Source::Chat, day));
        let probes = read(NAMES[1], "probes", Source::Probe, config.probe().day);
        let probes = probes.filter(|budget| budget.used.total() > Usd::ZERO);
        Self(chats.into_iter().chain(probes).collect())
    }

    /// The lines for people.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Budget::told)
    }

    /// The JSON document with a member for each budget.
    pub(super) fn with(&self, document: &str) -> String {
        let mut text = document.trim_end().strip_suffix('}').unwrap_or(document).to_owned();
        for name in NAMES {
            let json = self.0.iter().find(|budget| budget.name == name).map_or(Value::Null, Budget::json);
            text += &format!(",\"{name}\":{json}");
        }
        text + "}\n"
    }
}

impl Budget {
    fn told(&self) -> String {
        let SetAside { spent, open } = self.used;
        let open =
            if open == Usd::ZERO { String::new() } else { format!(", {} set aside or never settled", dollars(open)) };
        format!(
            "budget of {} today (UTC): {} spent{open}; {} left of {}",
            self.of,
            dollars(spent),
            dollars(self.used.left_of(self.day)),
            dollars(self.day)
        )
    }

    fn json(&self) -> Value {
        members(self.day, self.used).into()
    }
}
