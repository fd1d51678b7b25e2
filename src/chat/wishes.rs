//! What a request may wish for beside an answer: tools, a shape, hard thinking.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

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
    /// Its name there; `a.b` is a member of an object.
    pub name: &'static str,
    /// What it is set to; null where its name alone is to be said.
    pub value: Value,
    /// What an answer is without it.
    pub force: Force,
}

/// What an answer is without something that a client set in its own dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// The same: it is the dialect's own form of what others are told in theirs.
    Form,
    /// The same (an account's own mark): an endpoint that does not take it may be used, and it is said.
    Hint,
    /// Poorer, if anything: endpoints that take it are used where there are any, else it is left out, and said.
    Wish,
    /// Another: an endpoint that does not take it is not used.
    Term,
}

impl Native {
    /// The name of all parameters together that nobody here knows: an object of them.
    pub const MEMBERS: &'static str = "parameters that openmux does not know";
    /// The name of what stands beside the content of messages and nobody here knows: an object for each message, by its
    /// number.
    pub const BESIDE: &'static str = "members of messages that openmux does not know";
    /// The same beside the items of OpenAI Responses: an array of the members (`more`) with the numbers of the message and of
    /// the piece that the item begins with (`at`).
    pub const BESIDE_ITEMS: &'static str = "members of items that openmux does not know";
    /// The name of a wish that the arguments of some tools stream as they come: a list of the tools' numbers.
    pub const EAGER: &'static str = "tools[].eager_input_streaming";

    /// Whether endpoints of that dialect are told.
    #[must_use]
    pub fn is_of(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }

    /// What is said where it is not told: a few names that a header can hold, whatever a client has called things.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        const MOST: usize = 16;
        let sign = |sign: char| if sign.is_ascii_graphic() && sign != ',' { sign } else { '?' };
        let short = |name: &String| name.chars().take(64).map(sign).collect::<String>();
        let keys = |value: &Value| value.as_object().into_iter().flat_map(Map::keys).map(short).collect::<Vec<_>>();
        let once = |each: &mut dyn Iterator<Item = String>, of: &str| {
            let once = each.collect::<BTreeSet<_>>().into_iter().take(MOST);
            once.map(|name| format!("{of}[].{name}")).collect()
        };
        match (self.name, self.force) {
            (_, Force::Form) => Vec::new(),
            (Self::MEMBERS, _) => keys(&self.value).into_iter().take(MOST).collect(),
            (Self::BESIDE, _) => {
                once(&mut self.value.as_object().into_iter().flat_map(Map::values).flat_map(keys), "messages")
            }
            (Self::BESIDE_ITEMS, _) => {
                once(&mut self.value.as_array().into_iter().flatten().flat_map(|item| keys(&item["more"])), "input")
            }
            (name, _) => vec![name.to_owned()],
        }
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

/// The longest name that every provider takes.
const LONGEST: usize = 64;

/// The name of a function in a group (`namespace`) of OpenAI Responses, where functions are not grouped: both names, in the
/// signs and of the length that everybody takes. One that is too long is cut, and ends in what tells it from others.
#[must_use]
pub fn flat_name(namespace: &str, name: &str) -> String {
    let between = if namespace.ends_with("__") { "" } else { "__" };
    let plain = |sign: char| if sign.is_ascii_alphanumeric() || sign == '_' || sign == '-' { sign } else { '_' };
    let flat: String = format!("{namespace}{between}{name}").chars().map(plain).collect();
    if flat.len() <= LONGEST {
        return flat;
    }
    // FNV-1a.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = [namespace, "/", name].concat().bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    format!("{}_{hash:016x}", flat.get(..LONGEST - 17).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_group_are_names_everywhere() {
        assert_eq!(flat_name("multi_agent_v1", "spawn_agent"), "multi_agent_v1__spawn_agent");
        assert_eq!(flat_name("mcp__files__", "read"), "mcp__files__read");
        assert_eq!(flat_name("a.b", "c d"), "a_b__c_d");
        let (one, other) = (flat_name(&"n".repeat(60), "one"), flat_name(&"n".repeat(60), "two"));
        assert_eq!((one.len(), other.len()), (64, 64));
        assert_ne!(one, other);
    }
}
