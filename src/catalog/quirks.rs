//! What a provider does its own way, as data: adapters read these and never a provider's name.

use std::collections::BTreeMap;

use super::ModelId;
use super::words::{Protocol, words};

words! {
    /// How reasoning is steered in OpenAI-style requests.
    Thinking {
        /// `reasoning_effort: "low"`, as OpenAI, xAI, Groq, Cerebras and Fireworks take it.
        ReasoningEffort = "reasoning_effort",
        /// `reasoning: {effort | max_tokens | enabled}`, as the gateways OpenRouter, ZenMux and Vercel take it.
        ReasoningObject = "reasoning",
        /// `reasoning: {enabled: bool}` and `reasoning_effort` beside it, as Together takes it.
        ReasoningEnabled = "reasoning_enabled",
        /// `thinking: {type: "enabled" | "disabled"}` and `reasoning_effort` beside it: DeepSeek, Moonshot, Z.AI, Doubao,
        /// MiMo.
        ThinkingType = "thinking_type",
        /// `enable_thinking: bool` and `thinking_budget` beside it: Qwen, SiliconFlow.
        EnableThinking = "enable_thinking",
        /// `chat_template_kwargs: {enable_thinking: bool}`: NVIDIA NIM, vLLM, SGLang.
        TemplateKwargs = "chat_template_kwargs",
        /// `chat_template_args: {enable_thinking: bool}`: Baseten.
        TemplateArgs = "chat_template_args",
        /// `reasoning_split: true` takes the thinking out of the text; it cannot be steered: MiniMax.
        ReasoningSplit = "reasoning_split",
        /// `prompt_mode: "reasoning"`, or `reasoning_effort` where the model takes it: Mistral.
        PromptMode = "prompt_mode",
    }
}

words! {
    /// Whose own codes and habits a provider's failures follow, beyond what all have in common.
    #[expect(missing_docs, reason = "each is the family of its name")]
    ErrorFamily {
        General = "general",
        Zenmux = "zenmux",
        Openrouter = "openrouter",
        Zai = "zai",
        Opencode = "opencode",
        Dashscope = "dashscope",
        Cerebras = "cerebras",
    }
}

words! {
    /// How an answer that was begun is handed to a provider to go on with: it ends the conversation as the model's own
    /// message, marked in the provider's way.
    Prefill {
        /// It cannot be.
        None = "none",
        /// Without a mark: Anthropic's older models, llama.cpp.
        Plain = "plain",
        /// `prefix: true` in the message: Mistral.
        Prefix = "prefix",
        /// `partial: true` in the message: Moonshot, Qwen.
        Partial = "partial",
        /// `continue_final_message: true` beside the messages: vLLM.
        ContinueFinal = "continue_final_message",
    }
}

impl Prefill {
    /// Whether what it was handed comes back at the beginning of what is said: Mistral.
    #[must_use]
    pub const fn echoes(self) -> bool {
        matches!(self, Self::Prefix)
    }
}

words! {
    /// What is billed of a streamed answer whose connection is closed before its end.
    CancelBilling {
        /// Nobody says; it is taken for the worst.
        Unknown = "unknown",
        /// Nothing.
        None = "none",
        /// The prompt, and what was made until then.
        Partial = "partial",
        /// All of it: the model goes on to the end although nobody listens.
        Full = "full",
    }
}

/// What a provider does its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// How reasoning is steered in OpenAI-style requests.
    pub thinking: Thinking,
    /// Whose codes its failures follow.
    pub errors: ErrorFamily,
    /// Whether it knows the role `developer`; elsewhere such messages go as `system`.
    pub developer_role: bool,
    /// Whether it wants an assistant's reasoning back in `reasoning_content` (DeepSeek, Moonshot, MiMo).
    pub replays_reasoning: bool,
    /// Whether its `completion_tokens` leave out reasoning tokens, which are billed as output (older Grok).
    pub output_excludes_reasoning: bool,
    /// How an answer that was begun is handed to it to go on with.
    pub prefill: Prefill,
    /// The dialect in which alone it can be; `None` is every one that has the mark.
    pub prefill_protocol: Option<Protocol>,
    /// The models that alone can go on with one; empty is all.
    pub prefill_models: Vec<ModelId>,
    /// The dialects in which it makes and takes signatures that are good at every provider of which the same is said.
    pub portable_signatures: Vec<Protocol>,
    /// What it bills where the connection is closed before the end of a streamed answer.
    pub bills_on_cancel: CancelBilling,
    /// Further quirks in the catalog's own words, by short name (`usage`, `rfield`, `rl`, ...), for people.
    pub notes: BTreeMap<String, String>,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            thinking: Thinking::ReasoningEffort,
            errors: ErrorFamily::General,
            developer_role: false,
            replays_reasoning: false,
            output_excludes_reasoning: false,
            prefill: Prefill::None,
            prefill_protocol: None,
            prefill_models: Vec::new(),
            portable_signatures: Vec::new(),
            bills_on_cancel: CancelBilling::Unknown,
            notes: BTreeMap::new(),
        }
    }
}

impl Quirks {
    /// Whether a model is known to go on with an answer that was begun, where it is asked in this dialect.
    #[must_use]
    pub fn prefills(&self, protocol: Protocol, model: &ModelId) -> bool {
        self.prefill != Prefill::None
            && self.prefill_protocol.is_none_or(|only| only == protocol)
            && (self.prefill_models.is_empty() || self.prefill_models.contains(model))
    }
}
