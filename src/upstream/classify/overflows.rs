//! The table of wordings about the context window. All words are lower case.

/// How providers and servers say that a prompt does not fit into the context window.
pub(super) const OVERFLOWS: &[&[&str]] = &[
    // Anthropic, Z.AI, Ollama, ZenMux.
    &["prompt is too long"],
    &["prompt too long"],
    &["prompt exceeds max length"],
    &["exceeds the maximum size"],
    // OpenAI, LiteLLM and what imitates them.
    &["exceeds the context window"],
    &["exceed", "maximum context length"],
    &["maximum context length is"],
    &["context length exceeded"],
    &["context window exceeded"],
    &["context_length_exceeded"],
    // Google, Amazon, xAI, Groq, Mistral, Together, MiniMax, Moonshot, DashScope, Copilot.
    &["input token count", "exceeds the maximum"],
    &["input token count", "model only supports up to"],
    &["request payload size exceeds the limit"],
    &["input is too long for requested model"],
    &["maximum prompt length is"],
    &["reduce the length of the messages"],
    &["too large for model with", "maximum context length"],
    &["is longer than the model", "context length"],
    &["context window exceeds limit"],
    &["exceeded model token limit"],
    &["range of input length should be"],
    &["token count of", "exceeds the limit of"],
    &["exceeds the maximum allowed input length"],
    // llama.cpp, LM Studio, and other servers of one's own.
    &["exceeds the available context size"],
    &["greater than the context length"],
    &["but the configured context size is"],
    &["context size has been exceeded"],
    // Whoever else.
    &["too many tokens"],
    &["token limit exceeded"],
];

/// Signs that a wording about tokens is about their rate, not about the window.
pub(super) const ABOUT_RATES: [&str; 4] = ["rate limit", "too many requests", "per minute", "please wait"];
