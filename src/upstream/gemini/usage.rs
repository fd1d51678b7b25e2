//! `usageMetadata`, brought into the canonical form (`metrics.md` 5.1.3).

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::Usage;
use crate::upstream::DecodeError;
use crate::upstream::openai::tokens;

/// The `usageMetadata` of a chunk: cumulative, so the last one counts. Zero counts are left out on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUsage {
    /// Contains what was read from the cache.
    prompt_token_count: Option<u64>,
    /// Leaves out the thoughts.
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    /// What Google's own tools brought in; not contained in the prompt's count.
    tool_use_prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    total_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<Share>>,
    tool_use_prompt_tokens_details: Option<Vec<Share>>,
    cache_tokens_details: Option<Vec<Share>>,
    candidates_tokens_details: Option<Vec<Share>>,
    traffic_type: Option<String>,
}

/// Tokens of one modality.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    modality: Option<String>,
    token_count: Option<u64>,
}

impl WireUsage {
    /// Reads what was reported: the canonical form, which is none where no count is there. `None` where a count is not one
    /// (negative, a fraction, a text) or beyond anything that an answer can have: then none of them can be believed.
    pub(super) fn read(reported: &Value) -> Option<Option<Usage>> {
        // Serde would read a list as the fields in order.
        let counts = reported.is_object().then(|| Self::deserialize(reported).ok())??;
        counts.canonical().ok()
    }

    /// The canonical form; `None` where no count is reported at all.
    ///
    /// # Errors
    /// A count that no answer can have.
    fn canonical(&self) -> Result<Option<Usage>, DecodeError> {
        if self.prompt_token_count.is_none() && self.output().is_none() {
            return Ok(None);
        }
        let of = |lists: &[&Option<Vec<Share>>], modality: &str| tokens(share(lists, modality));
        let sent = [&self.prompt_tokens_details, &self.tool_use_prompt_tokens_details];
        let cached = [&self.cache_tokens_details];
        let made = [&self.candidates_tokens_details];
        Ok(Some(Usage {
            input: tokens(self.input())?,
            output: tokens(self.output())?,
            cache_read: tokens(self.cached_content_token_count)?,
            input_audio: of(&sent, "AUDIO")?,
            input_image: of(&sent, "IMAGE")?,
            input_video: of(&sent, "VIDEO")?,
            cache_audio_read: of(&cached, "AUDIO")?,
            cache_image_read: of(&cached, "IMAGE")?,
            reasoning: tokens(self.thoughts_token_count)?,
            output_audio: of(&made, "AUDIO")?,
            output_image: of(&made, "IMAGE")?,
            output_video: of(&made, "VIDEO")?,
            service_tier: self.traffic_type.as_deref().and_then(service_tier),
            ..Usage::default()
        }))
    }

    fn input(&self) -> Option<u64> {
        self.prompt_token_count.map(|prompt| prompt.saturating_add(self.tool_use_prompt_token_count.unwrap_or(0)))
    }

    /// All output. Where neither of its counts is there, a total that the input explains says that there was none.
    fn output(&self) -> Option<u64> {
        match (self.candidates_token_count, self.thoughts_token_count) {
            (None, None) => (self.total_token_count.is_some() && self.total_token_count == self.input()).then_some(0),
            (answer, thoughts) => Some(answer.unwrap_or(0).saturating_add(thoughts.unwrap_or(0))),
        }
    }
}

/// The tokens of one modality in several lists; `None` where none of them names it.
fn share(lists: &[&Option<Vec<Share>>], modality: &str) -> Option<u64> {
    let shares = lists.iter().flat_map(|list| list.iter().flatten());
    let named = shares.filter(|share| share.modality.as_deref() == Some(modality));
    named.map(|share| share.token_count.unwrap_or(0)).reduce(u64::saturating_add)
}

/// The service tier of a `trafficType`, where it is one with prices of its own.
fn service_tier(traffic: &str) -> Option<String> {
    match traffic {
        "ON_DEMAND_PRIORITY" => Some("priority".to_owned()),
        "ON_DEMAND_FLEX" => Some("flex".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    fn usage(text: &str) -> Option<Usage> {
        serde_json::from_str::<WireUsage>(text).unwrap().canonical().unwrap()
    }

    #[test]
    fn thoughts_are_output_and_the_input_of_tools_is_input() {
        let told = usage(
            r#"{"promptTokenCount":50,"candidatesTokenCount":100,"thoughtsTokenCount":900,"toolUsePromptTokenCount":7,
            "cachedContentTokenCount":20,"totalTokenCount":1057,"trafficType":"ON_DEMAND_FLEX",
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"IMAGE","tokenCount":40}],
            "toolUsePromptTokensDetails":[{"modality":"IMAGE","tokenCount":2}],
            "cacheTokensDetails":[{"modality":"IMAGE","tokenCount":20}]}"#,
        );
        let expected = Usage {
            cache_read: Some(Tokens::new(20)),
            input_image: Some(Tokens::new(42)),
            cache_image_read: Some(Tokens::new(20)),
            reasoning: Some(Tokens::new(900)),
            service_tier: Some("flex".to_owned()),
            ..Usage::text(57, 1000)
        };
        assert_eq!(told, Some(expected));
    }

    #[test]
    fn a_count_that_no_answer_can_have_makes_all_of_them_unknown() {
        for bad in [
            r#"{"promptTokenCount":-5}"#,
            r#"{"promptTokenCount":5,"candidatesTokenCount":1.5}"#,
            r#"{"promptTokenCount":18446744073709551615}"#,
            "[5, 3]",
            "7",
        ] {
            assert_eq!(WireUsage::read(&serde_json::from_str(bad).unwrap()), None, "{bad}");
        }
    }

    #[test]
    fn a_count_that_is_left_out_is_zero_only_where_the_total_says_so() {
        assert_eq!(usage(r#"{"promptTokenCount":5,"totalTokenCount":5}"#), Some(Usage::text(5, 0)));
        let unsaid = Usage { output: None, ..Usage::text(5, 0) };
        assert_eq!(usage(r#"{"promptTokenCount":5}"#), Some(unsaid.clone()));
        assert_eq!(usage(r#"{"promptTokenCount":5,"totalTokenCount":9}"#), Some(unsaid));
        assert_eq!(usage(r#"{"trafficType":"ON_DEMAND"}"#), None);
    }
}
