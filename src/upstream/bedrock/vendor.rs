//! What the makers of models want their own way behind the one API: data, by the maker and the beginning of the model's
//! name. Sources: AWS's pages on adaptive and extended thinking, on Nova 2 and on prompt caching, and what clients of
//! Converse found by trying.

use serde_json::{Map, Value, json};

use crate::catalog::{Endpoint, ModelId};
use crate::chat::{ChatRequest, Effort};
use crate::upstream::steer::{Steer, Ways, steer};

/// How reasoning is steered in `additionalModelRequestFields`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thinking {
    /// `thinking: {type: "adaptive"}` and `output_config: {effort}`; a budget only where the catalog has one.
    Adaptive,
    /// `thinking: {type: "enabled", budget_tokens}`.
    Budget,
    /// `reasoningConfig: {type, maxReasoningEffort}`.
    Config,
    /// `reasoning: {effort}`, as in OpenAI Responses.
    Nested,
    /// `reasoning_effort`, as in OpenAI Chat.
    Flat,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vendor {
    author: &'static str,
    /// How the slugs of these models begin.
    slug: &'static str,
    thinking: Thinking,
    /// The model's own field for the seed, where it takes one.
    pub(super) seed: Option<&'static str>,
    /// Whether it takes `cachePoint` blocks; others refuse the whole request, and cache by themselves if at all.
    pub(super) marks: bool,
}

const fn row(author: &'static str, slug: &'static str, thinking: Thinking) -> Vendor {
    Vendor { author, slug, thinking, seed: None, marks: false }
}

const fn claude(slug: &'static str, thinking: Thinking) -> Vendor {
    Vendor { marks: true, ..row("anthropic", slug, thinking) }
}

/// The first row that fits counts.
const VENDORS: [Vendor; 15] = [
    claude("claude-opus-4.6", Thinking::Adaptive),
    claude("claude-opus-4.7", Thinking::Adaptive),
    claude("claude-opus-4.8", Thinking::Adaptive),
    claude("claude-sonnet-4.6", Thinking::Adaptive),
    claude("claude-3", Thinking::Budget),
    claude("claude-opus-4", Thinking::Budget),
    claude("claude-sonnet-4", Thinking::Budget),
    claude("claude-haiku-4", Thinking::Budget),
    claude("", Thinking::Adaptive),
    row("amazon", "", Thinking::Config),
    // The open-weight models take OpenAI Chat's own fields, the others those of Responses.
    Vendor { seed: Some("seed"), ..row("openai", "gpt-oss", Thinking::Flat) },
    row("openai", "", Thinking::Nested),
    row("x-ai", "", Thinking::Nested),
    Vendor { seed: Some("seed"), ..row("cohere", "", Thinking::Flat) },
    // Nothing is known of whoever made it: the user's own words are taken at face value.
    Vendor { marks: true, ..row("", "", Thinking::Flat) },
];

/// Makers whose models take OpenAI Chat's fields and no `cachePoint`.
const PLAIN: Vendor = row("", "", Thinking::Flat);
const PLAIN_AUTHORS: [&str; 12] = [
    "ai21",
    "deepseek",
    "google",
    "meta",
    "minimax",
    "mistralai",
    "moonshotai",
    "nvidia",
    "qwen",
    "twelvelabs",
    "writer",
    "z-ai",
];

/// What is known of a model's maker.
pub(super) fn vendor(model: &ModelId) -> Vendor {
    if PLAIN_AUTHORS.contains(&model.author()) {
        return PLAIN;
    }
    let fits =
        |row: &&Vendor| (row.author.is_empty() || row.author == model.author()) && model.slug().starts_with(row.slug);
    VENDORS.iter().find(fits).copied().unwrap_or(PLAIN)
}

impl Vendor {
    /// Whether a cache point can be for an hour: of Claude since 4.5. Of those of whom nothing is known the caller knows.
    pub(super) fn keeps_hours(self, model: &ModelId) -> bool {
        let slug = model.slug();
        let older =
            slug.starts_with("claude-3") || ["claude-opus-4", "claude-opus-4.1", "claude-sonnet-4"].contains(&slug);
        self.marks && !older
    }

    /// The fields of `additionalModelRequestFields` that a wish for hard thinking becomes.
    ///
    /// # Errors
    /// The name of what cannot be said.
    pub(super) fn reasoning(
        self,
        endpoint: &Endpoint,
        request: &ChatRequest,
    ) -> Result<Map<String, Value>, &'static str> {
        let limit = request.max_tokens.or(endpoint.max_output.map(crate::units::Tokens::count));
        let steered = steer(endpoint, request.effort, limit)?;
        if steered == Steer::Leave {
            return Ok(Map::new());
        }
        let fields = match self.thinking {
            Thinking::Adaptive => adaptive(endpoint, request, steered),
            Thinking::Budget => budget(request, steered, limit),
            Thinking::Config => config(request, steered),
            Thinking::Nested => effort(steered, Some("none")).map(|word| json!({ "reasoning": { "effort": word } })),
            Thinking::Flat => effort(steered, None).map(|word| json!({ "reasoning_effort": word })),
        }?;
        match fields {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Map::new()),
        }
    }
}

fn adaptive(endpoint: &Endpoint, request: &ChatRequest, steered: Steer) -> Result<Value, &'static str> {
    // Without `display` newer models think in silence and send only the signature.
    let thinking = json!({ "type": "adaptive", "display": "summarized" });
    match steered {
        Steer::Level(level) => {
            let word = level.word().ok_or("this reasoning effort")?;
            Ok(json!({ "thinking": thinking, "output_config": { "effort": word } }))
        }
        Steer::Budget(_) if Ways::of(endpoint).budget.is_none() => Err("this reasoning budget"),
        Steer::Budget(tokens) => enabled(request, tokens),
        Steer::Off => Ok(json!({ "thinking": { "type": "disabled" } })),
        Steer::On | Steer::Leave => Ok(json!({ "thinking": thinking })),
    }
}

fn budget(request: &ChatRequest, steered: Steer, limit: Option<u64>) -> Result<Value, &'static str> {
    match steered {
        Steer::Level(level) => enabled(request, level.budget(limit.unwrap_or(32_000))),
        Steer::Budget(tokens) => enabled(request, tokens),
        Steer::Off => Ok(json!({ "thinking": { "type": "disabled" } })),
        Steer::On | Steer::Leave => enabled(request, Effort::Medium.budget(limit.unwrap_or(32_000))),
    }
}

/// A budget is a part of the answer's own limit, so it lies below it.
fn enabled(request: &ChatRequest, tokens: u64) -> Result<Value, &'static str> {
    if request.max_tokens.is_some_and(|limit| tokens >= limit) {
        return Err("reasoning within this output limit");
    }
    Ok(json!({ "thinking": { "type": "enabled", "budget_tokens": tokens } }))
}

fn config(request: &ChatRequest, steered: Steer) -> Result<Value, &'static str> {
    match steered {
        Steer::Off => Ok(json!({ "reasoningConfig": { "type": "disabled" } })),
        // At its highest level Nova 2 refuses a limit and any say in the sampling.
        Steer::Level(Effort::High)
            if request.max_tokens.is_some() || request.temperature.is_some() || request.top_p.is_some() =>
        {
            Err("an output limit or sampling parameters at high reasoning effort")
        }
        steered => {
            let word = effort(steered, None)?;
            Ok(json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": word } }))
        }
    }
}

/// The word of a level; `off` is the word for none at all, where there is one.
fn effort(steered: Steer, off: Option<&'static str>) -> Result<&'static str, &'static str> {
    match steered {
        Steer::Level(level) => level.word().ok_or("this reasoning effort"),
        Steer::Off => off.ok_or("reasoning switched off"),
        Steer::Budget(_) => Err("this reasoning budget"),
        Steer::On | Steer::Leave => Err("reasoning switched on"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_maker_has_its_row() {
        let thinking = |model: &str| vendor(&ModelId::new(model)).thinking;
        assert_eq!(thinking("anthropic/claude-sonnet-5"), Thinking::Adaptive);
        assert_eq!(thinking("anthropic/claude-sonnet-4.6"), Thinking::Adaptive);
        assert_eq!(thinking("anthropic/claude-sonnet-4.5"), Thinking::Budget);
        assert_eq!(thinking("anthropic/claude-3.7-sonnet"), Thinking::Budget);
        assert_eq!(thinking("amazon/nova-2-lite"), Thinking::Config);
        assert_eq!(thinking("openai/gpt-oss-120b"), Thinking::Flat);
        assert_eq!(thinking("openai/gpt-5.6-luna"), Thinking::Nested);
        assert_eq!(thinking("moonshotai/kimi-k2-thinking"), Thinking::Flat);
        assert!(vendor(&ModelId::new("anthropic/claude-haiku-4.5")).marks);
        assert!(!vendor(&ModelId::new("amazon/nova-pro")).marks);
        assert!(!vendor(&ModelId::new("qwen/qwen3-32b")).marks);
        assert!(vendor(&ModelId::new("mine/arn")).marks);
    }
}
