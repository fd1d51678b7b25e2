//! Usage of the OpenAI dialect in all its conventions, brought into the canonical one (`metrics.md` 5.1.3).

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::catalog::Usage;
use crate::units::{Tokens, Usd};
use crate::upstream::DecodeError;

/// Usage as a chunk reports it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Reported {
    /// Serde reads a list as the fields in order, but only one of exactly as many.
    Counts(Box<WireUsage>),
    /// A count is none (negative, a fraction, a text).
    Other(IgnoredAny),
}

/// The `usage` object of an answer.
#[derive(Debug, Default, Deserialize)]
pub(in crate::upstream) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
    /// DeepSeek's place for cached tokens.
    prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's place for cached tokens.
    cached_tokens: Option<u64>,
    /// Perplexity's place for searches, and OpenRouter's.
    num_search_queries: Option<u32>,
    server_tool_use: Option<ServerTools>,
    /// OpenRouter's bill as a number; Perplexity's as an object with a total.
    cost: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
    video_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u32>,
}

impl WireUsage {
    /// Reads what was reported; `None` where a count is not one (negative, a fraction, a text).
    pub(in crate::upstream) fn read(reported: &Value) -> Option<Self> {
        // Serde would read a list as the fields in order.
        reported.is_object().then(|| Self::deserialize(reported).ok())?
    }

    /// The canonical form; `None` where no total is reported at all, or a count is beyond anything that an answer can
    /// have: then none of them can be believed. `excludes_reasoning` is what the provider is known to do where its
    /// total does not tell.
    pub(in crate::upstream) fn canonical(&self, excludes_reasoning: bool) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        self.counted(excludes_reasoning).ok()
    }

    fn counted(&self, excludes_reasoning: bool) -> Result<Usage, DecodeError> {
        let input = self.prompt_tokens_details.as_ref();
        let output = self.completion_tokens_details.as_ref();
        let cached = input.and_then(|details| details.cached_tokens);
        Ok(Usage {
            input: tokens(self.prompt_tokens)?,
            output: tokens(self.output_total(excludes_reasoning))?,
            cache_read: tokens(cached.or(self.prompt_cache_hit_tokens).or(self.cached_tokens))?,
            cache_write: tokens(input.and_then(|details| details.cache_write_tokens))?,
            input_audio: tokens(input.and_then(|details| details.audio_tokens))?,
            input_image: tokens(input.and_then(|details| details.image_tokens))?,
            input_video: tokens(input.and_then(|details| details.video_tokens))?,
            reasoning: tokens(self.reasoning())?,
            output_audio: tokens(output.and_then(|details| details.audio_tokens))?,
            output_image: tokens(output.and_then(|details| details.image_tokens))?,
            web_searches: self.searches(),
            ..Usage::default()
        })
    }

    /// What the provider says that it bills: exact, or to the picodollar where it writes more digits than that.
    pub(in crate::upstream) fn billed(&self) -> Option<Usd> {
        let cost = match self.cost.as_ref()? {
            Value::Object(parts) => parts.get("total_cost")?,
            cost => cost,
        };
        match cost {
            // The literal itself: a float would not be money any more.
            Value::Number(literal) => dollars(literal.as_str()),
            Value::String(literal) => dollars(literal),
            _ => None,
        }
    }

    fn reasoning(&self) -> Option<u64> {
        self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens)
    }

    fn searches(&self) -> u32 {
        let counted = self.server_tool_use.as_ref().and_then(|tools| tools.web_search_requests);
        counted.or(self.num_search_queries).unwrap_or(0)
    }

    /// All output: xAI counts its reasoning outside `completion_tokens`, which the total gives away.
    fn output_total(&self, excludes_reasoning: bool) -> Option<u64> {
        let output = self.completion_tokens?;
        let Some(reasoning) = self.reasoning() else { return Some(output) };
        let with_reasoning = output.saturating_add(reasoning);
        let sum = |output: u64| self.prompt_tokens.map(|input| input.saturating_add(output));
        let reasoning_is_outside = match self.total_tokens {
            Some(total) if sum(output) == Some(total) => false,
            Some(total) if sum(with_reasoning) == Some(total) => true,
            // A total that nothing explains tells nothing; a part that is larger than its whole does.
            Some(_) => excludes_reasoning,
            None => excludes_reasoning || reasoning > output,
        };
        Some(if reasoning_is_outside { with_reasoning } else { output })
    }
}

/// An amount, of which only what lies below a picodollar is rounded: the dust of a provider's floats.
fn dollars(literal: &str) -> Option<Usd> {
    let parsed = Decimal::from_scientific(literal).or_else(|_| literal.parse::<Decimal>()).ok()?;
    let is_amount = !parsed.is_sign_negative() && parsed < Decimal::from(1_000_000);
    is_amount.then(|| Usd::from_decimal(parsed).rounded())
}

/// A count as reported.
///
/// # Errors
/// It is beyond anything that an answer can have.
pub(in crate::upstream) fn tokens(count: Option<u64>) -> Result<Option<Tokens>, DecodeError> {
    let Some(count) = count else { return Ok(None) };
    match Tokens::reported(count) {
        Some(tokens) => Ok(Some(tokens)),
        None => Err(DecodeError::Corrupt(format!("{count} is no count of tokens"))),
    }
}

/// The service tier, where it is one with prices of its own.
pub(in crate::upstream) fn service_tier(reported: &str) -> Option<String> {
    match reported {
        "fast" => Some("priority".to_owned()),
        "batch" | "flex" | "priority" => Some(reported.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(text: &str) -> Usage {
        WireUsage::read(&serde_json::from_str(text).unwrap()).unwrap().canonical(false).unwrap()
    }

    #[test]
    fn cached_tokens_are_found_in_every_place() {
        for place in [
            r#""prompt_tokens_details":{"cached_tokens":7}"#,
            r#""prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":3"#,
            r#""cached_tokens":7"#,
            r#""prompt_tokens_details":null,"cached_tokens":7"#,
        ] {
            let text = format!(r#"{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,{place}}}"#);
            let expected = Usage { cache_read: Some(Tokens::new(7)), ..Usage::text(10, 2) };
            assert_eq!(usage(&text), expected, "{place}");
        }
    }

    #[test]
    fn reasoning_outside_the_total_is_added_and_inside_is_not() {
        let with = |total: &str| {
            let text = format!(
                r#"{{"prompt_tokens":10,"completion_tokens":5{total},"completion_tokens_details":{{"reasoning_tokens":3}}}}"#
            );
            usage(&text).output
        };
        assert_eq!(with(r#","total_tokens":18"#), Some(Tokens::new(8)));
        assert_eq!(with(r#","total_tokens":15"#), Some(Tokens::new(5)));
        // A total that nothing explains changes nothing.
        assert_eq!(with(r#","total_tokens":99"#), Some(Tokens::new(5)));
        assert_eq!(with(""), Some(Tokens::new(5)));
        let larger = r#"{"prompt_tokens":1,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":9}}"#;
        assert_eq!(usage(larger).output, Some(Tokens::new(14)));
    }

    #[test]
    fn a_bill_is_exact() {
        let billed = |cost: &str| {
            let text = format!(r#"{{"prompt_tokens":1,"completion_tokens":1,"cost":{cost}}}"#);
            serde_json::from_str::<WireUsage>(&text).unwrap().billed().map(Usd::exact)
        };
        assert_eq!(billed("0.00014").as_deref(), Some("0.00014"));
        assert_eq!(billed("1.25e-06").as_deref(), Some("0.00000125"));
        assert_eq!(billed("0.1234567891234").as_deref(), Some("0.123456789123"));
        assert_eq!(billed(r#""0.1""#).as_deref(), Some("0.1"));
        assert_eq!(billed(r#"{"total_cost":0.005,"request_cost":0.005}"#).as_deref(), Some("0.005"));
        assert_eq!(billed("null"), None);
        assert_eq!(billed("-1"), None);
    }

    #[test]
    fn the_total_wins_over_what_a_provider_is_known_to_do() {
        let with = |total: &str| {
            let text = format!(
                r#"{{"prompt_tokens":10,"completion_tokens":5{total},"completion_tokens_details":{{"reasoning_tokens":3}}}}"#
            );
            let usage = WireUsage::read(&serde_json::from_str(&text).unwrap()).unwrap();
            usage.canonical(true).unwrap().output
        };
        assert_eq!(with(""), Some(Tokens::new(8)));
        assert_eq!(with(r#","total_tokens":18"#), Some(Tokens::new(8)));
        assert_eq!(with(r#","total_tokens":15"#), Some(Tokens::new(5)));
    }

    #[test]
    fn counts_that_no_answer_can_have_are_none() {
        let read =
            |text: &str| WireUsage::read(&serde_json::from_str(text).unwrap()).and_then(|usage| usage.canonical(false));
        let reported = |text: &str| match serde_json::from_str(text).unwrap() {
            Reported::Counts(usage) => usage.canonical(false),
            Reported::Other(_) => None,
        };
        for text in [
            r#"{"prompt_tokens":18446744073709551615,"completion_tokens":1}"#,
            r#"{"prompt_tokens":184467440737095516150,"completion_tokens":1}"#,
            r#"{"prompt_tokens":1.0,"completion_tokens":1}"#,
            r#"{"prompt_tokens":"1","completion_tokens":{}}"#,
            r#"{"prompt_tokens":-1,"completion_tokens":1}"#,
            r#"{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":-1}}"#,
            r#"{"prompt_tokens":null}"#,
            r#"[1,2]"#,
            "-3",
        ] {
            assert_eq!((read(text), reported(text)), (None, None), "{text}");
        }
        let counts = r#"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"a":[1.5]},"cost":0.10}"#;
        assert_eq!((read(counts), reported(counts)), (Some(Usage::text(1, 2)), Some(Usage::text(1, 2))));
        let Reported::Counts(told) = serde_json::from_str(counts).unwrap() else { panic!() };
        assert_eq!(told.billed(), Some(Usd::from_pico(100_000_000_000)));
    }
}
