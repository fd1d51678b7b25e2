use super::*;

fn taken(members: &str) -> Result<(Options, Map<String, Value>), Refused> {
    let Ok(Value::Object(mut body)) = serde_json::from_str(&format!("{{{members}}}")) else { panic!("{members}") };
    body.entry("model").or_insert_with(|| "anthropic/claude-sonnet-5".into());
    let options = take(&mut body, &HeaderMap::new(), &Catalog::builtin())?;
    Ok((options, body))
}

fn refused(members: &str) -> String {
    let refused = taken(members).map(|(options, _)| options).expect_err(members);
    assert!(!refused.fix.is_empty(), "{members}");
    refused.wrong
}

#[test]
fn what_is_not_understood_is_told_with_its_place() {
    let said = [
        r#""provider":{"ordr":["anthropic"]}"#,
        r#""provider":{"sort":"cheapest"}"#,
        r#""provider":{"sort":{"by":"price","partition":"all"}}"#,
        r#""provider":{"sort":{"bye":"price"}}"#,
        r#""provider":{"only":["anthropic",7]}"#,
        r#""provider":{"only":["antropic"]}"#,
        r#""provider":{"only":["google-vertex/us-east5"]}"#,
        r#""provider":{"max_price":{"promt":1}}"#,
        r#""provider":{"max_price":{"prompt":-1}}"#,
        r#""provider":{"preferred_max_latency":{"p42":1}}"#,
        r#""provider":{"preferred_min_throughput":"fast"}"#,
        r#""provider":{"quantizations":["fp9"]}"#,
        r#""provider":{"allow_fallbacks":"no"}"#,
        r#""provider":{"routing":{"type":"prioritize"}}"#,
        r#""provider":{"routing":{"type":"order"}}"#,
        r#""provider":{"routing":{"type":"order","providers":[]}}"#,
        r#""provider":{"routing":{"primary_factor":"price"}}"#,
        r#""provider":{"fallback":"nobody/nothing"}"#,
        r#""provider":"anthropic""#,
        r#""provider_routing_strategy":{"type":"specified"}"#,
        r#""model_routing_config":{"available_models":["openai/gpt-5"]}"#,
        r#""model":"zenmux/auto""#,
        r#""model":"zenmux/auto","model_routing_config":{"preference":"price"}"#,
        r#""usage":{"included":true}"#,
        r#""plugins":[{"enabled":true}]"#,
        r#""models":["a/b",7]"#,
        r#""fallbacks":[{"model":"a/b","messages":[]}]"#,
        r#""num_retries":11"#,
        r#""timeout":0"#,
        r#""cache":{"ttll":1}"#,
        r#""session_id":"""#,
        r#""extra_body":7"#,
    ]
    .map(refused);
    insta::assert_snapshot!(said.join("\n"), @r#"
    provider.ordr: there is no such option; did you mean order?
    provider.sort: "cheapest" is none of price, latency, throughput, exacto
    provider.sort.partition: "all" is none of model, none
    provider.sort.bye: there is no such option; did you mean by?
    provider.only[1]: not a text
    provider.only[0]: no provider is called "antropic"; did you mean anthropic?
    provider.only: "us-east5" is one endpoint of google-vertex, and openmux chooses among those
    provider.max_price.promt: there is no such option; did you mean prompt?
    provider.max_price.prompt: "-1" is negative
    provider.preferred_max_latency.p42: there is no such option
    provider.preferred_min_throughput: not a number
    provider.quantizations[0]: "fp9" is none of int4, int8, fp4, mxfp4, nvfp4, fp6, fp8, mxfp8, fp16, bf16, fp32, unknown; did you mean fp8?
    provider.allow_fallbacks: neither true nor false
    provider.routing.type: "prioritize" is none of priority, order, round_robin, least_latency; did you mean priority?
    provider.routing.providers: missing
    provider.routing.providers: empty
    provider.routing.type: missing
    provider.fallback: "nobody/nothing" is no model, no provider, neither true nor false
    provider: not an object
    provider_routing_strategy.type: "specified" is none of specified_providers
    model_routing_config: only where the model is zenmux/auto
    model_routing_config: missing, and the model is zenmux/auto
    model_routing_config.available_models: missing
    usage.included: there is no such option; did you mean include?
    plugins[0].id: missing
    models[1]: not a text
    fallbacks[0]: another model gets the same request
    num_retries: not a whole number from 0 to 10
    timeout: not a number of seconds above 0
    cache.ttll: there is no such option; did you mean ttl?
    session_id: 1 to 256 characters
    extra_body: not an object
    "#);
}

#[test]
fn two_that_contradict_each_other_are_both_named() {
    let said = [
        r#""provider":{"routing":{"type":"order","providers":["anthropic"]},"order":["openai"]}"#,
        r#""provider":{"routing":{"type":"least_latency"},"zdr":false}"#,
        r#""provider":{"sort":"price","routing":{"type":"priority","primary_factor":"latency"}}"#,
        r#""provider_routing_strategy":{"type":"specified_providers","providers":["anthropic"]},"provider":{"only":["openai"]}"#,
        r#""model":"anthropic/claude-sonnet-5:nitro","provider":{"sort":"price"}"#,
        r#""models":["openai/gpt-5"],"fallbacks":["openai/gpt-5-mini"]"#,
        r#""models":["openai/gpt-5"],"provider":{"fallback":"openai/gpt-5-mini"}"#,
        r#""session_id":"a","litellm_session_id":"b""#,
        r#""timeout":1,"request_timeout":2"#,
        r#""drop_params":true,"provider":{"require_parameters":true}"#,
        r#""extra_body":{"model":"openai/gpt-5"}"#,
        r#""provider":{"routing":{"type":"order","providers":["anthropic"],"primary_factor":"price"}}"#,
    ]
    .map(refused);
    insta::assert_snapshot!(said.join("\n"), @r#"
    provider.order: provider.routing.providers says something else
    provider.routing: it is ZenMux's, and provider.zdr is OpenRouter's
    provider.routing.primary_factor: provider.sort says something else
    provider.only: provider_routing_strategy.providers says something else
    provider.sort: model (:nitro) says something else
    fallbacks: models says something else
    provider.fallback: models says something else
    litellm_session_id: session_id says something else
    request_timeout: timeout says something else
    provider.require_parameters: drop_params says something else
    extra_body.model: model says something else
    provider.routing.primary_factor: provider.routing.type says something else
    "#);
    assert!(taken(r#""timeout":30,"request_timeout":"30""#).is_ok(), "both say the same");
}

#[test]
fn what_says_nothing_is_nothing_and_what_is_left_is_the_dialects() {
    let members =
        r#""provider":{},"models":[],"plugins":[],"transforms":[],"session_id":null,"usage":{},"temperature":1"#;
    let (options, body) = taken(members).unwrap();
    assert_eq!(options, Options::default());
    assert!(body.len() == 2 && body.contains_key("temperature"), "{body:?}");
}

#[test]
fn the_first_of_models_is_the_model_where_no_other_is_named() {
    let Ok(Value::Object(mut body)) =
        serde_json::from_str(r#"{"models":["openai/gpt-5","anthropic/claude-haiku-4.5"]}"#)
    else {
        panic!()
    };
    let options = take(&mut body, &HeaderMap::new(), &Catalog::builtin()).unwrap();
    assert_eq!(body["model"], "openai/gpt-5");
    assert_eq!(options.chain.get().map(Vec::len), Some(1));
    let (options, body) = taken(r#""models":["anthropic/claude-sonnet-5","openai/gpt-5"]"#).unwrap();
    assert_eq!(
        (body["model"].as_str(), options.chain.get().map(Vec::len)),
        (Some("anthropic/claude-sonnet-5"), Some(1))
    );
}

#[test]
fn every_option_has_a_line_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for (whose, row) in rows() {
        assert!(seen.insert((whose, row.option)), "{whose} {}: twice", row.option);
        let example = serde_json::from_str::<Value>(&format!("{{{}}}", row.example));
        assert!(example.is_ok_and(|example| example.is_object()), "{}: {}", row.option, row.example);
    }
}
