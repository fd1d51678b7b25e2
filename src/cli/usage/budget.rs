//! Today's budget of chats: what is spent of it, what is set aside, what is left.

use super::super::offline::Offline;
use super::super::render::json::literal;
use super::super::render::money::dollars;
use crate::observe::Source;
use crate::store::SetAside;
use crate::units::Usd;

/// A budget, and what is used of it today (UTC).
pub(super) struct Budget {
    day: Usd,
    used: SetAside,
}

/// Today's budget; `None` where none is set, or the store cannot be read.
pub(super) fn today(offline: &Offline<'_>) -> Option<Budget> {
    let day = offline.settings.config.day_budget()?;
    let used = offline.store.set_aside(Source::Chat.name(), offline.now).ok()?;
    Some(Budget { day, used })
}

impl Budget {
    fn left(&self) -> Usd {
        let used = self.used.total();
        if used < self.day { self.day - used } else { Usd::ZERO }
    }

    /// The line for people.
    pub(super) fn told(&self) -> String {
        let SetAside { spent, open } = self.used;
        let open =
            if open == Usd::ZERO { String::new() } else { format!(", {} set aside or never settled", dollars(open)) };
        format!(
            "budget of chats today (UTC): {} spent{open}; {} left of {}",
            dollars(spent),
            dollars(self.left()),
            dollars(self.day)
        )
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "day_usd": literal(&self.day.exact()),
            "spent_usd": literal(&self.used.spent.exact()),
            "set_aside_usd": literal(&self.used.open.exact()),
            "left_usd": literal(&self.left().exact()),
        })
    }
}

/// The JSON document with the member `budget`.
pub(super) fn with(document: &str, budget: Option<&Budget>) -> String {
    let json = budget.map_or(serde_json::Value::Null, Budget::json);
    let open = document.trim_end().strip_suffix('}').unwrap_or(document);
    format!("{open},\"budget\":{json}}}\n")
}
