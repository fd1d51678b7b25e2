//! What an answer used, as the dialect counts it.

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::Usage;
use crate::upstream::DecodeError;
use crate::upstream::openai::{service_tier, tokens};

/// Usage as the dialect counts it: cached and written input lie beside `input_tokens`, and every count only grows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Lifetimes>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u32>,
}

impl Counts {
    /// Reads a `usage` object; `None` where it holds something that no answer can have used. Accounting is no reason to
    /// throw an answer away.
    pub(super) fn read(usage: Value) -> Option<Self> {
        let counts = serde_json::from_value::<Self>(usage).ok()?;
        counts.canonical().ok()?;
        Some(counts)
    }

    /// What of it counts at the beginning of a stream. The output is a placeholder there; and of those who do not know the
    /// input yet, since no prompt has none, so is a 0.
    pub(super) fn at_start(self) -> Self {
        let is_known = self.input_tokens != Some(0) || self.cache_read_input_tokens.is_some_and(|read| read > 0);
        Self { output_tokens: None, input_tokens: self.input_tokens.filter(|_| is_known), ..self }
    }

    /// Takes later counts in. They are cumulative, so a smaller one is some server's placeholder.
    pub(super) fn grow(&mut self, later: Self) {
        self.input_tokens = self.input_tokens.max(later.input_tokens);
        self.output_tokens = self.output_tokens.max(later.output_tokens);
        self.cache_read_input_tokens = self.cache_read_input_tokens.max(later.cache_read_input_tokens);
        self.cache_creation_input_tokens = self.cache_creation_input_tokens.max(later.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.server_tool_use = later.server_tool_use.or(self.server_tool_use.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
    }

    /// The canonical form, in which `input` holds what is cached and written as well.
    ///
    /// # Errors
    /// A count that no answer can have.
    pub(super) fn canonical(&self) -> Result<Usage, DecodeError> {
        let lifetimes = self.cache_creation.as_ref();
        let hour = lifetimes.and_then(|written| written.ephemeral_1h_input_tokens);
        let minutes = lifetimes.and_then(|written| written.ephemeral_5m_input_tokens);
        let by_lifetime =
            (hour.is_some() || minutes.is_some()).then(|| hour.unwrap_or(0).saturating_add(minutes.unwrap_or(0)));
        let written = self.cache_creation_input_tokens.or(by_lifetime);
        let beside = self.cache_read_input_tokens.unwrap_or(0).saturating_add(written.unwrap_or(0));
        let tools = self.server_tool_use.as_ref();
        Ok(Usage {
            input: tokens(self.input_tokens.map(|input| input.saturating_add(beside)))?,
            output: tokens(self.output_tokens)?,
            cache_read: tokens(self.cache_read_input_tokens)?,
            cache_write: tokens(written)?,
            cache_write_1h: tokens(hour)?,
            reasoning: tokens(self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens))?,
            web_searches: tools.and_then(|tools| tools.web_search_requests).unwrap_or(0),
            service_tier: self.service_tier.as_deref().and_then(service_tier),
            ..Usage::default()
        })
    }
}
