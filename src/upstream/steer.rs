//! How a wish for hard thinking meets what an endpoint says of itself.

use crate::catalog::{Capability, Endpoint};
use crate::chat::Effort;

/// What is to be said about reasoning, whatever the dialect's words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Nothing.
    Leave,
    /// It is switched off.
    Off,
    /// It is switched on, without a degree.
    On,
    /// It is set to a level; never [`Effort::Budget`] or [`Effort::On`].
    Level(Effort),
    /// It may take so many tokens.
    Budget(u64),
}

/// The ways of steering that an endpoint names (`reasoning_options`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// On and off.
    pub toggle: bool,
    /// The levels that it takes; empty where it takes none.
    pub levels: Vec<Effort>,
    /// The least and the most tokens, where it takes a budget.
    pub budget: Option<(u64, u64)>,
}

impl Ways {
    /// Reads the catalog's words: `toggle`, `effort:low|high`, `budget:1024-32000`.
    #[must_use]
    pub fn of(endpoint: &Endpoint) -> Self {
        let mut ways = Self::default();
        for option in &endpoint.reasoning_options {
            let (name, rest) = option.split_once(':').unwrap_or((option, ""));
            match name {
                "toggle" => ways.toggle = true,
                "effort" => {
                    let level = |word: &str| Effort::WORDS.into_iter().find(|level| level.word() == Some(word));
                    ways.levels = rest.split('|').filter_map(level).collect();
                }
                "budget" => {
                    let (least, most) = rest.split_once('-').unwrap_or((rest, ""));
                    ways.budget = Some((least.parse().unwrap_or(0), most.parse().unwrap_or(u64::MAX)));
                }
                _ => {}
            }
        }
        ways
    }

    /// The level that is taken where none is named: medium, or the next above it, or the next below.
    fn usual(&self) -> Option<Effort> {
        let (below, above) = Effort::WORDS.split_at(Effort::WORDS.iter().position(|level| *level == Effort::Medium)?);
        let below = below.iter().rev().filter(|level| **level != Effort::None);
        above.iter().chain(below).find(|level| self.levels.contains(level)).copied()
    }

    /// Whether nothing at all is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What an endpoint makes of a wish. `limit` is the output limit, which levels are shares of where only a budget can be
/// said.
///
/// # Errors
/// The endpoint cannot do it: the name of what it lacks.
pub fn steer(endpoint: &Endpoint, wish: Option<Effort>, limit: Option<u64>) -> Result<Steer, &'static str> {
    let Some(wish) = wish else { return Ok(Steer::Leave) };
    let ways = Ways::of(endpoint);
    let reasons = endpoint.can(Capability::Reasoning) || !ways.is_unknown();
    if !reasons {
        // What does not reason need not be kept from it.
        return if wish == Effort::None { Ok(Steer::Leave) } else { Err("reasoning effort") };
    }
    match wish {
        Effort::None | Effort::Budget(0) => off(&ways),
        Effort::Budget(tokens) => match ways.budget {
            Some((least, most)) if (least..=most).contains(&tokens) => Ok(Steer::Budget(tokens)),
            None if ways.is_unknown() => Ok(Steer::Budget(tokens)),
            _ => Err("this reasoning budget"),
        },
        Effort::On if ways.toggle => Ok(Steer::On),
        Effort::On if !ways.levels.is_empty() => ways.usual().map(Steer::Level).ok_or("reasoning effort"),
        Effort::On => steer(endpoint, Some(Effort::Medium), limit),
        level if ways.levels.contains(&level) => Ok(Steer::Level(level)),
        level => match ways.budget {
            Some((least, most)) if ways.levels.is_empty() => {
                Ok(Steer::Budget(level.budget(limit.unwrap_or(32_000)).clamp(least.max(1), most)))
            }
            _ if ways.is_unknown() => Ok(Steer::Level(level)),
            _ => Err("this reasoning effort"),
        },
    }
}

fn off(ways: &Ways) -> Result<Steer, &'static str> {
    if ways.levels.contains(&Effort::None) {
        return Ok(Steer::Level(Effort::None));
    }
    let from_nothing = ways.budget.is_some_and(|(least, _)| least == 0);
    if ways.toggle || from_nothing || ways.is_unknown() { Ok(Steer::Off) } else { Err("reasoning switched off") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::ModelId;

    fn endpoint(options: &[&str]) -> Endpoint {
        let model = ModelId::new("anthropic/claude-sonnet-5");
        let mut endpoint = Catalog::builtin().endpoints_for(&model).remove(0);
        endpoint.capabilities.clear();
        endpoint.reasoning_options = options.iter().map(|option| (*option).to_owned()).collect();
        endpoint
    }

    #[test]
    fn a_wish_is_met_exactly_or_refused() {
        let toggled = endpoint(&["toggle", "effort:low|high"]);
        assert_eq!(steer(&toggled, None, None), Ok(Steer::Leave));
        assert_eq!(steer(&toggled, Some(Effort::None), None), Ok(Steer::Off));
        assert_eq!(steer(&toggled, Some(Effort::Low), None), Ok(Steer::Level(Effort::Low)));
        assert_eq!(steer(&toggled, Some(Effort::Medium), None), Err("this reasoning effort"));
        assert_eq!(steer(&toggled, Some(Effort::Budget(2048)), None), Err("this reasoning budget"));
        let budget = endpoint(&["budget:1024-32000"]);
        assert_eq!(steer(&budget, Some(Effort::None), None), Err("reasoning switched off"));
        assert_eq!(steer(&budget, Some(Effort::Medium), Some(10_000)), Ok(Steer::Budget(5_000)));
        assert_eq!(steer(&budget, Some(Effort::Budget(512)), None), Err("this reasoning budget"));
    }

    #[test]
    fn thinking_as_the_model_likes_is_said_in_its_own_way() {
        let on = |options: &[&str]| steer(&endpoint(options), Some(Effort::On), Some(10_000));
        assert_eq!(on(&["toggle", "effort:low|high"]), Ok(Steer::On));
        for (levels, usual) in [
            ("effort:low|medium|high", Effort::Medium),
            ("effort:none|low|high|max", Effort::High),
            ("effort:minimal|low", Effort::Low),
        ] {
            assert_eq!(on(&[levels]), Ok(Steer::Level(usual)), "{levels}");
        }
        assert_eq!(on(&["budget:1024-4000"]), Ok(Steer::Budget(4_000)));
        for none in [&[][..], &["effort:none"]] {
            assert_eq!(on(none), Err("reasoning effort"));
        }
    }

    #[test]
    fn what_does_not_reason_cannot_be_made_to() {
        let plain = endpoint(&[]);
        assert_eq!(steer(&plain, Some(Effort::None), None), Ok(Steer::Leave));
        assert_eq!(steer(&plain, Some(Effort::High), None), Err("reasoning effort"));
        let mut reasoning = plain;
        reasoning.capabilities.insert(Capability::Reasoning);
        assert_eq!(steer(&reasoning, Some(Effort::High), None), Ok(Steer::Level(Effort::High)));
        assert_eq!(steer(&reasoning, Some(Effort::None), None), Ok(Steer::Off));
    }
}
