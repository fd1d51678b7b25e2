//! What kind of business each provider is: words in its id, else this table, else it runs others' models.

use openmux::catalog::ProviderKind;

/// They made (most of) what they serve.
const LABS: &[&str] = &[
    "abliteration-ai",
    "agnes",
    "alibaba-us",
    "amd",
    "ant-ling",
    "arcee",
    "bailing",
    "black-forest-labs",
    "byteplus",
    "cognition",
    "deepgram",
    "echo",
    "elevenlabs",
    "gigachat",
    "jina",
    "longcat",
    "lucidquery",
    "morph",
    "nomic",
    "nova",
    "perplexity-agent",
    "poolside",
    "qwen-ai-platform",
    "qwencloud",
    "recraft",
    "reducto",
    "reka-ai",
    "runway",
    "sakana",
    "sarvam",
    "scaledown",
    "sensenova",
    "soniox",
    "stability-ai",
    "stepfun-ai",
    "streamlake",
    "thinkingmachines",
    "transcribe",
    "v0",
    "vispark",
    "voyage",
];

/// General clouds.
const CLOUDS: &[&str] =
    &["aws-polly", "azure-cognitive-services", "claude-platform-aws", "heroku", "neon", "sagemaker"];

/// They pass requests on.
const GATEWAYS: &[&str] = &[
    "302ai",
    "abacus",
    "aiml",
    "aixy",
    "anyapi",
    "assemblyai",
    "auriko",
    "bothub",
    "cortecs",
    "crossmodel",
    "daoxe",
    "edenai",
    "empiriolabs",
    "freemodel",
    "frogbot",
    "helicone",
    "hyper",
    "iflowcn",
    "impossibl",
    "inferenceapis",
    "jiekou",
    "kenari",
    "kilo",
    "klokintegration",
    "kyma",
    "llmtr",
    "lynkr",
    "model-oracle-ai",
    "modelis",
    "neosmith",
    "ofox",
    "openreason",
    "opper",
    "pioneer",
    "qihang-ai",
    "qiniu-ai",
    "replicate",
    "salad-cloud",
    "tempr",
    "the-grid-ai",
    "tokengo",
    "vancine",
    "vivgrid",
    "wallaby",
    "xpersona",
];

/// Subscriptions whose ids do not say so.
const PLANS: &[&str] = &["cline-pass", "gitlab", "kimi-for-coding", "microsoft-365-copilot", "opencode-go"];

/// Servers on the user's own machine.
const LOCALS: &[&str] = &["atomic-chat", "lemonade", "qvac"];

/// Every id that the tables name, for a check that they name providers.
pub(super) fn listed() -> impl Iterator<Item = &'static str> {
    [LABS, CLOUDS, GATEWAYS, PLANS, LOCALS].into_iter().flatten().copied()
}

/// The kind of a provider for which the snapshot states none.
pub(super) fn kind(id: &str) -> ProviderKind {
    let tables = [
        (LABS, ProviderKind::Lab),
        (CLOUDS, ProviderKind::Cloud),
        (GATEWAYS, ProviderKind::Gateway),
        (PLANS, ProviderKind::Plan),
        (LOCALS, ProviderKind::Local),
    ];
    if let Some((_, kind)) = tables.into_iter().find(|(ids, _)| ids.contains(&id)) {
        return kind;
    }
    ProviderKind::guessed(id)
}
