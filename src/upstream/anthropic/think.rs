//! How hard the model is to think, in the dialect's words.

use serde_json::{Value, json};

use super::super::Call;
use super::super::steer::{Steer, Ways, steer};
use crate::chat::Effort;

/// The fewest tokens that thinking may be given.
const LEAST_BUDGET: u64 = 1024;
const NO_SUCH_EFFORT: &str = "this reasoning effort";
const NO_SUCH_BUDGET: &str = "this reasoning budget";

/// What is said about thinking.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// The `thinking` object.
    pub(super) thinking: Option<Value>,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
}

impl Thinking {
    /// Whether it is switched on.
    pub(super) fn is_on(&self) -> bool {
        self.thinking.as_ref().is_some_and(|thinking| thinking["type"] != "disabled")
    }
}

/// What becomes of the wish at this endpoint. `limit` is the output limit, which thinking counts against.
///
/// # Errors
/// It cannot be said: its name.
pub(super) fn thinking(call: &Call<'_>, limit: Option<u64>) -> Result<Thinking, &'static str> {
    let endpoint = call.endpoint;
    let is_exact = matches!(call.request.effort, Some(Effort::Budget(_)));
    let thinking = |thinking: Value| Thinking { thinking: Some(thinking), effort: None };
    match steer(endpoint, call.request.effort, limit)? {
        Steer::Leave => Ok(Thinking::default()),
        Steer::Off | Steer::Level(Effort::None) => Ok(thinking(json!({ "type": "disabled" }))),
        Steer::On => Ok(thinking(adaptive())),
        Steer::Budget(tokens) => Ok(thinking(enabled(tokens, limit, is_exact)?)),
        Steer::Level(level) => {
            let effort = match level {
                Effort::Low | Effort::Medium | Effort::High | Effort::Xhigh | Effort::Max => level.word(),
                Effort::None | Effort::Minimal | Effort::On | Effort::Budget(_) => return Err(NO_SUCH_EFFORT),
            };
            // Models that know the level `max` decide themselves how long they think. The older ones, and those who
            // imitate them, want a number as well.
            let ways = Ways::of(endpoint);
            let decides_itself = ways.budget.is_none() || ways.levels.contains(&Effort::Max);
            let thinking = if decides_itself {
                adaptive()
            } else {
                enabled(level.budget(limit.unwrap_or(32_000)), limit, is_exact)?
            };
            Ok(Thinking { thinking: Some(thinking), effort })
        }
    }
}

/// Thinking as long as the model likes. Without `display` newer models think in silence and send only the signature.
fn adaptive() -> Value {
    json!({ "type": "adaptive", "display": "summarized" })
}

/// Thinking within a budget, which must be smaller than the output limit; only one that nobody asked for to the token is
/// made to fit.
fn enabled(tokens: u64, limit: Option<u64>, is_exact: bool) -> Result<Value, &'static str> {
    let most = limit.map_or(u64::MAX, |limit| limit.saturating_sub(1));
    let budget = if is_exact { tokens } else { tokens.min(most) };
    if !(LEAST_BUDGET..=most).contains(&budget) {
        return Err(if is_exact { NO_SUCH_BUDGET } else { "reasoning within this output limit" });
    }
    Ok(json!({ "type": "enabled", "budget_tokens": budget }))
}
