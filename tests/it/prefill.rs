//! Who is known to go on with an answer that was begun: the catalog's quirks as each dialect reads them.

use openmux::catalog::{Catalog, ModelId};
use openmux::chat::{ChatRequest, Effort, Message, Role, Tool, ToolChoice};
use openmux::dispatch::Dispatcher;
use openmux::store::Memory;
use openmux::upstream::auth::Keyring;

/// Whether a provider would be handed the beginning of a model's answer.
fn goes_on(model: &str, provider: &str, wish: impl Fn(&mut ChatRequest)) -> bool {
    let (catalog, store, keys) = (Catalog::builtin(), Memory::new(), Keyring::default());
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let dispatcher = Dispatcher::new(&catalog, &store, &keys, &now);
    let model = ModelId::new(model);
    let messages = vec![Message::text(Role::User, "Count"), Message::text(Role::Assistant, "One, two")];
    let mut request = ChatRequest { continues: true, ..ChatRequest::new(model.clone(), messages) };
    wish(&mut request);
    let reaches = dispatcher.reach_for(&model, None, false, Some(&request));
    let reach = reaches.iter().find(|reach| reach.provider.id.as_str() == provider);
    reach.unwrap_or_else(|| panic!("{provider} serves {model}")).continues(&request)
}

fn tool(request: &mut ChatRequest) {
    let parameters = serde_json::json!({"type": "object"});
    request.tools = vec![Tool { name: "f".to_owned(), description: None, parameters, strict: None }];
}

#[test]
fn only_who_is_known_to_take_a_beginning_gets_one() {
    let mut known = vec![
        ("anthropic/claude-haiku-4.5", "anthropic"),
        ("anthropic/claude-opus-4.5", "anthropic"),
        ("mistralai/mistral-large-2512", "mistral"),
        ("qwen/qwen-max", "alibaba"),
        ("moonshotai/kimi-k2", "moonshotai"),
    ];
    let mut unknown = vec![
        ("anthropic/claude-opus-4.6", "anthropic"),
        ("anthropic/claude-sonnet-4.6", "anthropic"),
        ("anthropic/claude-sonnet-5", "anthropic"),
        ("anthropic/claude-haiku-4.5", "openrouter"),
        ("openai/gpt-5", "openai"),
        ("openai/gpt-4o", "openai"),
        ("google/gemini-2.5-flash", "google"),
        ("mistralai/magistral-medium-latest", "mistral"),
        ("deepseek/deepseek-v3.2", "alibaba"),
        ("deepseek/deepseek-v4-pro", "deepseek"),
    ];
    if cfg!(all(feature = "bedrock", feature = "vertex")) {
        known.extend([
            ("anthropic/claude-haiku-4.5", "amazon-bedrock"),
            ("anthropic/claude-sonnet-4.5", "google-vertex"),
        ]);
        unknown.extend([
            ("anthropic/claude-sonnet-5", "amazon-bedrock"),
            ("anthropic/claude-sonnet-5", "google-vertex"),
            ("amazon/nova-pro", "amazon-bedrock"),
            ("google/gemini-2.5-flash", "google-vertex"),
        ]);
    }
    for (model, provider) in known {
        assert!(goes_on(model, provider, |_| {}), "{model} at {provider}");
    }
    for (model, provider) in unknown {
        assert!(!goes_on(model, provider, |_| {}), "{model} at {provider}");
    }
}

#[test]
fn who_would_think_first_or_must_call_a_tool_gets_none() {
    let claude = |wish: &dyn Fn(&mut ChatRequest)| {
        let at = |provider| goes_on("anthropic/claude-haiku-4.5", provider, wish);
        let here = at("anthropic");
        if cfg!(all(feature = "bedrock", feature = "vertex")) {
            assert_eq!((at("amazon-bedrock"), at("google-vertex")), (here, here));
        }
        here
    };
    assert!(!claude(&|request| request.effort = Some(Effort::Budget(2048))));
    assert!(claude(&tool));
    assert!(!claude(&|request| {
        tool(request);
        request.tool_choice = Some(ToolChoice::Required);
    }));
    assert!(!goes_on("mistralai/mistral-large-2512", "mistral", tool));
    assert!(!goes_on("moonshotai/kimi-k2.6", "moonshotai", |_| {}), "it thinks unless it is told not to");
    assert!(goes_on("moonshotai/kimi-k2.6", "moonshotai", |request| request.effort = Some(Effort::None)));
}
