//! What a request may wish for beside an answer: tools, a shape, hard thinking.

use serde_json::Value;

use crate::catalog::Protocol;

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name: 1 to 64 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
    /// Whether the provider should hold the model to that schema; `None` leaves it to the provider.
    pub strict: Option<bool>,
}

/// Whether the model must call a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    Auto,
    /// It must not.
    None,
    /// It must call at least one.
    Required,
    /// It must call this one.
    Named(String),
}

/// The shape that the answer must have.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerSchema {
    /// A name for it, which some protocols demand: 1 to 64 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The JSON Schema.
    pub schema: Value,
}

/// A parameter of a dialect that the canonical form has no word for: it goes untouched to endpoints that speak it.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The dialects that have it; none where nobody can be told.
    pub protocols: &'static [Protocol],
    /// Its name there.
    pub name: &'static str,
    /// What it is set to.
    pub value: Value,
    /// Whether an answer is the same without it (an account's own mark): an endpoint that does not take it may be used all
    /// the same.
    pub hint: bool,
}

impl Native {
    /// Whether endpoints of that dialect are told.
    #[must_use]
    pub fn is_of(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// How hard the model should think before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// As usual.
    Medium,
    /// Much.
    High,
    /// More.
    Xhigh,
    /// As much as it can.
    Max,
    /// As the model likes, but it should.
    On,
    /// At most so many tokens.
    Budget(u64),
}

impl std::fmt::Display for Effort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.word(), self) {
            (Some(word), _) => f.write_str(word),
            (None, Self::Budget(tokens)) => write!(f, "{tokens}"),
            (None, _) => Ok(()),
        }
    }
}

impl Effort {
    /// Every level that can be asked for by a word.
    pub const WORDS: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The word of a level, as in `--effort` and in the catalog, or `on`; `None` for a budget.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
            Self::On => "on",
            Self::Budget(_) => return None,
        })
    }

    /// What a level is in tokens, where a protocol takes only a budget: the figures that gateways agree on (OpenRouter:
    /// shares of 0.1, 0.2, 0.5, 0.8 and 0.95 of the output limit), over `limit` tokens, at least 1,024.
    #[must_use]
    pub fn budget(self, limit: u64) -> u64 {
        let percent = match self {
            Self::None => return 0,
            Self::Budget(tokens) => return tokens,
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium | Self::On => 50,
            Self::High => 80,
            Self::Xhigh | Self::Max => 95,
        };
        (limit.saturating_mul(percent) / 100).max(1024)
    }

    /// The level nearest to a budget, where a protocol takes only words.
    #[must_use]
    pub const fn level(self) -> Self {
        match self {
            Self::Budget(0) => Self::None,
            Self::Budget(1..=2048) => Self::Low,
            Self::Budget(2049..=8192) => Self::Medium,
            Self::Budget(_) => Self::High,
            level => level,
        }
    }
}
