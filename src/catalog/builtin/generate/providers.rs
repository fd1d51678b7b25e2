//! Provider records: addresses, variables, and quirks brought into one form.

use std::collections::{BTreeMap, BTreeSet};

use openmux::catalog::{
    Auth, CancelBilling, ErrorFamily, ModelId, OutputLimitField, Prefill, Protocol, Provider, ProviderId, ProviderKind,
    ProviderProtocol, Quirks, Thinking,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Problems, checks, kinds, named};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    id: String,
    name: String,
    kind: Option<String>,
    protocols: Vec<ProtocolRecord>,
    env: BTreeMap<String, Vec<String>>,
    models_url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    q: BTreeMap<String, Value>,
    doc: Option<String>,
    #[serde(rename = "zenmux")]
    _zenmux: Option<String>,
    #[serde(rename = "basis")]
    _basis: Option<String>,
    #[serde(rename = "src")]
    _src: String,
    #[serde(rename = "endpoints")]
    _endpoints: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtocolRecord {
    proto: String,
    base_url: String,
    auth: String,
}

/// Variables that no shell can export, and the names that stand in for them.
const RENAMED: &[(&str, &str)] = &[("302AI_API_KEY", "AI302_API_KEY")];

/// Variables that official SDKs honour and the snapshot does not know, by provider and role. `base PROTOCOL` is where one
/// dialect alone is reached.
const FURTHER_ENV: &[(&str, &str, &[&str])] = &[
    ("google-vertex", "base vertex-anthropic", &["ANTHROPIC_VERTEX_BASE_URL"]),
    ("google-vertex", "project", &["ANTHROPIC_VERTEX_PROJECT_ID"]),
    ("google-vertex", "location", &["CLOUD_ML_REGION"]),
];

/// Endings of variables that hold a piece of the address, never a key, and the role they have.
const ADDRESS_ROLES: &[(&str, &str)] = &[
    ("_ACCOUNT_ID", "account"),
    ("_BASE_URL", "url"),
    ("_ENDPOINT", "endpoint"),
    ("_LOCATION", "location"),
    ("_PRODUCT_ID", "product"),
    ("_REGION", "region"),
    ("_RESOURCE_NAME", "resource"),
];

/// Variables with which a provider's own SDK is sent elsewhere, where the input does not name them.
const BASES: &[(&str, &str)] = &[("google", "GOOGLE_GEMINI_BASE_URL")];

/// Their reasoning is billed but not streamed.
const HIDES_REASONING: &[&str] = &["azure", "openai"];

/// What the catalog's words for a way of steering reasoning mean; the first that occur decide.
const THINKING: &[(&str, Thinking)] = &[
    ("chat_template_kwargs", Thinking::TemplateKwargs),
    ("chat_template_args", Thinking::TemplateArgs),
    ("enable_thinking", Thinking::EnableThinking),
    ("qwen", Thinking::EnableThinking),
    ("reasoning:{enabled", Thinking::ReasoningEnabled),
    ("reasoning:{", Thinking::ReasoningObject),
    ("reasoning_split", Thinking::ReasoningSplit),
    ("prompt_mode", Thinking::PromptMode),
    ("deepseek", Thinking::ThinkingType),
    ("thinking:{type", Thinking::ThinkingType),
    ("zai", Thinking::ThinkingType),
];

/// Providers whose failures follow codes and habits of their own, or of another's.
const ERRORS: &[(&[&str], ErrorFamily)] = &[
    (&["zenmux"], ErrorFamily::Zenmux),
    (&["openrouter"], ErrorFamily::Openrouter),
    (&["zai", "zhipuai"], ErrorFamily::Zai),
    (&["opencode"], ErrorFamily::Opencode),
    (&["alibaba", "alibaba-cn"], ErrorFamily::Dashscope),
    (&["cerebras"], ErrorFamily::Cerebras),
];

/// How an answer that was begun is handed to a provider to go on with, where its documentation says that it can be, and
/// in which of its dialects. DeepSeek takes one at another address alone, which an overlay can name.
const PREFILLS: &[(&[&str], Protocol, Prefill)] = &[
    (&["amazon-bedrock"], Protocol::BedrockConverse, Prefill::Plain),
    (&["anthropic"], Protocol::AnthropicMessages, Prefill::Plain),
    (&["google-vertex"], Protocol::VertexAnthropic, Prefill::Plain),
    (&["llamacpp"], Protocol::OpenaiChat, Prefill::Plain),
    (&["mistral"], Protocol::OpenaiChat, Prefill::Prefix),
    (&["alibaba", "alibaba-cn", "moonshotai", "moonshotai-cn"], Protocol::OpenaiChat, Prefill::Partial),
    (&["vllm"], Protocol::OpenaiChat, Prefill::ContinueFinal),
];

/// Anthropic's models from Claude 4.6 on refuse it.
const PREFILLED_CLAUDES: &[&str] = &[
    "anthropic/claude-3-haiku",
    "anthropic/claude-3-opus",
    "anthropic/claude-3-sonnet",
    "anthropic/claude-3.5-haiku",
    "anthropic/claude-3.5-sonnet",
    "anthropic/claude-3.7-sonnet",
    "anthropic/claude-haiku-4.5",
    "anthropic/claude-opus-4",
    "anthropic/claude-opus-4.1",
    "anthropic/claude-opus-4.5",
    "anthropic/claude-sonnet-4",
    "anthropic/claude-sonnet-4.5",
];

/// What Alibaba's documentation of its partial mode lists, without the snapshots that it counts in.
const PREFILLED_QWENS: &[&str] = &[
    "qwen/qwen-flash",
    "qwen/qwen-max",
    "qwen/qwen-max-latest",
    "qwen/qwen-plus",
    "qwen/qwen-plus-latest",
    "qwen/qwen-turbo",
    "qwen/qwen-turbo-latest",
    "qwen/qwen2.5-14b-instruct",
    "qwen/qwen2.5-32b-instruct",
    "qwen/qwen2.5-72b-instruct",
    "qwen/qwen2.5-7b-instruct",
    "qwen/qwen3-coder-30b-a3b-instruct",
    "qwen/qwen3-coder-480b-a35b-instruct",
    "qwen/qwen3-coder-flash",
    "qwen/qwen3-coder-plus",
    "qwen/qwen3-max",
    "qwen/qwen3-max-20250923",
    "qwen/qwen3-max-preview",
];

/// The providers of which only some models are known to go on with an answer.
const PREFILLED_ALONE: &[(&[&str], &[&str])] = &[
    (&["amazon-bedrock", "anthropic", "google-vertex"], PREFILLED_CLAUDES),
    (&["alibaba", "alibaba-cn"], PREFILLED_QWENS),
];

/// Claude's signatures are good on each of its platforms.
const PORTABLE_SIGNATURES: &[(&str, Protocol)] = &[
    ("amazon-bedrock", Protocol::BedrockConverse),
    ("anthropic", Protocol::AnthropicMessages),
    ("google-vertex", Protocol::VertexAnthropic),
];

/// What is billed of a streamed answer whose connection is closed, as OpenRouter's page on streaming tells of those that it
/// passes requests to: some stop, and bill what was made until then; others go on to the end. What a gateway bills depends on
/// whom it asks, and stays unknown.
const BILLS_ON_CANCEL: &[(&[&str], CancelBilling)] = &[
    (
        &[
            "anthropic",
            "avian",
            "azure",
            "chutes",
            "cloudflare-workers-ai",
            "cohere",
            "deepinfra",
            "deepseek",
            "fireworks-ai",
            "friendli",
            "hyperbolic",
            "novita-ai",
            "openai",
            "togetherai",
            "xai",
        ],
        CancelBilling::Partial,
    ),
    (
        &[
            "ai21",
            "alibaba",
            "alibaba-cn",
            "alibaba-us",
            "amazon-bedrock",
            "amazon-bedrock-mantle",
            "featherless",
            "google",
            "google-vertex",
            "groq",
            "lambda",
            "minimax",
            "minimax-cn",
            "mistral",
            "modal",
            "nebius",
            "perplexity",
            "replicate",
            "sambanova",
        ],
        CancelBilling::Full,
    ),
];

/// Their context tiers begin at the threshold itself.
const TIERS_INCLUSIVE: &[&str] = &["xai", "zenmux"];

/// All providers, sorted by id. `urls` are the addresses that endpoints have of their own, by provider.
pub(super) fn read(records: Vec<Record>, urls: &BTreeSet<(String, String)>, problems: &mut Problems) -> Vec<Provider> {
    let mut providers: Vec<Provider> = records.into_iter().map(|record| provider(record, urls, problems)).collect();
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    for pair in providers.windows(2) {
        if let [one, two] = pair
            && one.id == two.id
        {
            problems.add(one.id.as_str(), "is there twice");
        }
    }
    let ids: BTreeSet<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
    for unknown in kinds::listed().filter(|id| !ids.contains(id)) {
        problems.add(unknown, "the table of kinds names a provider that is not there");
    }
    providers
}

fn provider(record: Record, urls: &BTreeSet<(String, String)>, problems: &mut Problems) -> Provider {
    let id = record.id.as_str();
    if !checks::is_slug(id) {
        problems.add(id, "is no provider id");
    }
    let stated = record.kind.as_deref().and_then(|kind| named(kind, ProviderKind::parse, id, problems));
    let protocols = protocols(id, &record.protocols, problems);
    let own = urls.iter().filter(|(provider, _)| provider == id).map(|(_, url)| url.as_str());
    let addresses: Vec<&str> = protocols.iter().map(|entry| entry.base_url.as_str()).chain(own).collect();
    let mut variables = record.env;
    for (_, role, names) in FURTHER_ENV.iter().filter(|(provider, ..)| *provider == id) {
        variables.entry((*role).to_owned()).or_default().extend(names.iter().map(|name| (*name).to_owned()));
    }
    let env = env(id, variables, &addresses, problems);
    let mut quirks = record.q;
    let output_limit = output_limit(quirks.remove("max"));
    let quirks = quirks.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    });
    // Some addresses carry a note in brackets.
    let models_url = record.models_url.as_deref().and_then(|url| url.split(" (").next()).map(str::to_owned);
    if let Some(Err(problem)) = models_url.as_deref().and_then(|url| url.split('?').next()).map(checks::base_url) {
        problems.add(id, format!("models_url: {problem}"));
    }
    let headers = record.headers.into_iter().filter(|(_, value)| value != "optional");
    Provider {
        kind: stated.unwrap_or_else(|| kinds::kind(id)),
        protocols,
        env,
        headers: headers.map(|(name, value)| (name.to_lowercase(), value)).collect(),
        models_url,
        doc: record.doc,
        output_limit,
        hides_reasoning: HIDES_REASONING.contains(&id),
        tiers_inclusive: TIERS_INCLUSIVE.contains(&id),
        quirks: quirks_of(id, quirks.collect()),
        name: record.name,
        id: ProviderId::new(record.id),
    }
}

/// The quirks that adapters act on, from the catalog's words; the words themselves stay as notes.
fn quirks_of(id: &str, notes: BTreeMap<String, String>) -> Quirks {
    let said = |name: &str| notes.get(name).map_or("", String::as_str);
    let think = said("think");
    let thinking = THINKING.iter().find(|(words, _)| think.contains(words)).map(|&(_, thinking)| thinking);
    let errors = ERRORS.iter().find(|(ids, _)| ids.contains(&id)).map(|&(_, family)| family);
    let cancelled = BILLS_ON_CANCEL.iter().find(|(ids, _)| ids.contains(&id)).map(|&(_, bills)| bills);
    let prefill = PREFILLS.iter().find(|(ids, ..)| ids.contains(&id));
    let alone = PREFILLED_ALONE.iter().find(|(ids, _)| ids.contains(&id)).map_or(&[][..], |(_, models)| models);
    let portable = PORTABLE_SIGNATURES.iter().filter(|(provider, _)| *provider == id);
    Quirks {
        thinking: thinking.unwrap_or(Quirks::default().thinking),
        errors: errors.unwrap_or(Quirks::default().errors),
        developer_role: said("dev") == "true",
        replays_reasoning: said("replay_reasoning") == "true",
        output_excludes_reasoning: said("usage").contains("excludes reasoning_tokens"),
        prefill: prefill.map_or(Quirks::default().prefill, |&(.., way)| way),
        prefill_protocol: prefill.map(|&(_, protocol, _)| protocol),
        prefill_models: alone.iter().map(|model| ModelId::new(*model)).collect(),
        portable_signatures: portable.map(|&(_, protocol)| protocol).collect(),
        bills_on_cancel: cancelled.unwrap_or(Quirks::default().bills_on_cancel),
        notes,
    }
}

fn protocols(id: &str, records: &[ProtocolRecord], problems: &mut Problems) -> Vec<ProviderProtocol> {
    // Addresses that nobody states are left out: there is nothing to call.
    let stated = records.iter().filter(|record| !matches!(record.base_url.as_str(), "" | "per deployment"));
    let read = stated.filter_map(|record| {
        let protocol = named(&record.proto, Protocol::parse, id, problems)?;
        let base_url = address(&record.base_url).to_owned();
        if let Err(problem) = checks::base_url(&base_url) {
            problems.add(id, format!("{base_url}: {problem}"));
        }
        Some(ProviderProtocol { protocol, base_url, auth: auth(&record.auth) })
    });
    read.collect()
}

/// A base URL in the form that adapters expect: no trailing slash, no path of the call.
pub(super) fn address(url: &str) -> &str {
    url.trim_end_matches('/').trim_end_matches("/chat/completions")
}

/// The first way that this version can do; where there is none, the catalog's words.
fn auth(text: &str) -> Auth {
    for way in text.split('|') {
        match way.split_once(':') {
            None if way == "bearer" => return Auth::Bearer,
            None if way == "none" => return Auth::Optional,
            // Cloudflare's header wants the word "Bearer" before the key, which a plain header does not send.
            Some(("header", name)) if name != "cf-aig-authorization" => return Auth::Header(name.to_owned()),
            None if way == "sigv4" => return Auth::Aws,
            None if way == "gcp-oauth" => return Auth::Google,
            _ => {}
        }
    }
    Auth::Unsupported(text.to_owned())
}

/// Variables by role: keys apart from pieces of the address, and every `{VARIABLE}` of an address in some role.
fn env(
    id: &str,
    stated: BTreeMap<String, Vec<String>>,
    addresses: &[&str],
    problems: &mut Problems,
) -> BTreeMap<String, Vec<String>> {
    let mut env: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let has_key = stated.contains_key("key");
    for (role, names) in stated {
        // A bearer token is what other providers call a key.
        let role = if role == "bearer" && !has_key { "key".to_owned() } else { role };
        for name in names {
            let renamed = RENAMED.iter().find(|(from, _)| *from == name).map_or(name.as_str(), |&(_, to)| to);
            if !checks::is_env_name(renamed) {
                problems.add(id, format!("{renamed} cannot be exported"));
            }
            let role = if role == "key" { address_role(renamed).unwrap_or("key") } else { &role };
            env.entry(role.to_owned()).or_default().push(renamed.to_owned());
        }
    }
    for (_, name) in BASES.iter().filter(|(provider, _)| *provider == id) {
        env.entry("base".to_owned()).or_default().push((*name).to_owned());
    }
    for name in addresses.iter().flat_map(|url| variables(url)) {
        if env.values().flatten().any(|known| known == name) {
            continue;
        }
        match address_role(name) {
            Some(role) => env.entry(role.to_owned()).or_default().push(name.to_owned()),
            None => problems.add(id, format!("{{{name}}} is in an address and in no role")),
        }
    }
    env
}

fn address_role(name: &str) -> Option<&'static str> {
    ADDRESS_ROLES.iter().find(|(ending, _)| name.ends_with(ending)).map(|&(_, role)| role)
}

fn variables(url: &str) -> impl Iterator<Item = &str> {
    url.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

/// `mct` is `max_completion_tokens`; `mt`, `either` and other protocols' words are `max_tokens`.
fn output_limit(stated: Option<Value>) -> OutputLimitField {
    match stated.as_ref().and_then(Value::as_str) {
        Some("mct") => OutputLimitField::MaxCompletionTokens,
        _ => OutputLimitField::MaxTokens,
    }
}
