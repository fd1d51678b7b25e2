//! The records of embedded providers (JSON, one a line), and the words for credentials.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::catalog::{
    Auth, CancelBilling, ErrorFamily, ModelId, OutputLimitField, Prefill, Protocol, Provider, ProviderId, ProviderKind,
    ProviderProtocol, Quirks, Thinking,
};

#[derive(Deserialize)]
struct Record {
    id: String,
    name: String,
    kind: String,
    #[serde(default)]
    protocols: Vec<(String, String, String)>,
    #[serde(default)]
    env: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    models_url: Option<String>,
    doc: Option<String>,
    output_limit: Option<String>,
    #[serde(default)]
    hides_reasoning: bool,
    #[serde(default)]
    tiers_inclusive: bool,
    thinking: Option<String>,
    errors: Option<String>,
    #[serde(default)]
    developer_role: bool,
    #[serde(default)]
    replays_reasoning: bool,
    #[serde(default)]
    output_excludes_reasoning: bool,
    prefill: Option<String>,
    prefill_protocol: Option<String>,
    #[serde(default)]
    prefill_models: Vec<String>,
    #[serde(default)]
    portable_signatures: Vec<String>,
    bills_on_cancel: Option<String>,
    #[serde(default)]
    quirks: BTreeMap<String, String>,
}

/// One line of `providers.jsonl`; `None` for a line that is no such record.
pub(in super::super) fn provider_record(line: &str) -> Option<Provider> {
    let record: Record = serde_json::from_str(line).ok()?;
    let protocols = record.protocols.into_iter().map(|(protocol, base_url, auth)| {
        Some(ProviderProtocol { protocol: Protocol::parse(&protocol)?, base_url, auth: auth_named(&auth)? })
    });
    Some(Provider {
        id: ProviderId::new(record.id),
        name: record.name,
        kind: ProviderKind::parse(&record.kind)?,
        protocols: protocols.collect::<Option<_>>()?,
        env: record.env,
        headers: record.headers,
        models_url: record.models_url,
        doc: record.doc,
        output_limit: match record.output_limit {
            Some(field) => output_limit_named(&field)?,
            None => OutputLimitField::MaxTokens,
        },
        hides_reasoning: record.hides_reasoning,
        tiers_inclusive: record.tiers_inclusive,
        quirks: Quirks {
            thinking: record.thinking.map_or(Some(Quirks::default().thinking), |word| Thinking::parse(&word))?,
            errors: record.errors.map_or(Some(Quirks::default().errors), |word| ErrorFamily::parse(&word))?,
            developer_role: record.developer_role,
            replays_reasoning: record.replays_reasoning,
            output_excludes_reasoning: record.output_excludes_reasoning,
            prefill: record.prefill.map_or(Some(Quirks::default().prefill), |word| Prefill::parse(&word))?,
            prefill_protocol: match record.prefill_protocol {
                Some(word) => Some(Protocol::parse(&word)?),
                None => None,
            },
            prefill_models: record.prefill_models.into_iter().map(ModelId::new).collect(),
            portable_signatures: record
                .portable_signatures
                .iter()
                .map(|word| Protocol::parse(word))
                .collect::<Option<_>>()?,
            bills_on_cancel: record
                .bills_on_cancel
                .map_or(Some(Quirks::default().bills_on_cancel), |word| CancelBilling::parse(&word))?,
            notes: record.quirks,
        },
    })
}

/// `none`, `bearer`, `header:NAME`, `aws`, `google`, and in embedded records `unsupported:WORDS`.
pub(super) fn auth_named(text: &str) -> Option<Auth> {
    match text.split_once(':') {
        None if text == "none" => Some(Auth::Optional),
        None if text == "bearer" => Some(Auth::Bearer),
        None if text == "aws" => Some(Auth::Aws),
        None if text == "google" => Some(Auth::Google),
        Some(("header", name)) if is_header(name) => Some(Auth::Header(name.to_owned())),
        Some(("unsupported", words)) => Some(Auth::Unsupported(words.to_owned())),
        _ => None,
    }
}

/// The field of this name.
pub(super) fn output_limit_named(text: &str) -> Option<OutputLimitField> {
    match text {
        "max_tokens" => Some(OutputLimitField::MaxTokens),
        "max_completion_tokens" => Some(OutputLimitField::MaxCompletionTokens),
        _ => None,
    }
}

/// Whether the text is a lower-case header name.
pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// How a protocol carries a key where nothing else is said.
pub(crate) fn default_auth(protocol: Protocol) -> Auth {
    match protocol {
        Protocol::OpenaiChat | Protocol::OpenaiResponses | Protocol::CohereV2 => Auth::Bearer,
        Protocol::BedrockConverse => Auth::Aws,
        Protocol::AnthropicMessages => Auth::Header("x-api-key".into()),
        Protocol::Gemini => Auth::Header("x-goog-api-key".into()),
        Protocol::VertexGemini | Protocol::VertexAnthropic => Auth::Google,
        Protocol::Ollama => Auth::Optional,
        Protocol::SapOrchestration | Protocol::Watsonx => Auth::Unsupported("exchange".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_or_nothing() {
        let line =
            r#"{"id":"p","name":"P","kind":"host","protocols":[["openai-chat","https://p/v1","header:api-key"]]}"#;
        let provider = provider_record(line).unwrap();
        assert_eq!(provider.protocols[0].auth, Auth::Header("api-key".into()));
        assert_eq!(provider.output_limit, OutputLimitField::MaxTokens);
        assert_eq!(provider_record(&line.replace("openai-chat", "openai-chatter")), None);
        assert_eq!(provider_record("{}"), None);
        assert_eq!(auth_named("header:X-Key"), None);
    }
}
