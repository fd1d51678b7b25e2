//! Requests of every protocol with their credentials, and what comes back as text.

use super::*;

/// A request that is well formed, without its credential.
pub(super) fn ask(sandbox: &Running, id: &str, protocol: Protocol, extra: &Value) -> RequestBuilder {
    let stream = extra.get("stream") == Some(&json!(true));
    let text = "How are you?";
    let (path, mut body) = match protocol {
        Protocol::OpenaiChat => {
            let messages = json!([{"role": "user", "content": text}]);
            ("chat/completions", json!({"model": "m/1", "temperature": 1, "messages": messages}))
        }
        Protocol::OpenaiResponses => ("responses", json!({"model": "m/1", "temperature": 1, "input": text})),
        Protocol::AnthropicMessages => {
            let messages = json!([{"role": "user", "content": text}]);
            ("messages", json!({"model": "m/1", "max_tokens": 100, "temperature": 1, "messages": messages}))
        }
        Protocol::VertexAnthropic => {
            let messages = json!([{"role": "user", "content": text}]);
            let path = if stream { "models/m@1:streamRawPredict" } else { "models/m@1:rawPredict" };
            let version = "vertex-2023-10-16";
            (path, json!({"anthropic_version": version, "max_tokens": 100, "temperature": 1, "messages": messages}))
        }
        Protocol::BedrockConverse => {
            let messages = json!([{"role": "user", "content": [{"text": text}]}]);
            let path = if stream { "model/m.1%3A0/converse-stream" } else { "model/m.1%3A0/converse" };
            (path, json!({"messages": messages, "inferenceConfig": {"temperature": 1}}))
        }
        _ => {
            let contents = json!([{"role": "user", "parts": [{"text": text}]}]);
            let path = if stream { "models/m-1:streamGenerateContent?alt=sse" } else { "models/m-1:generateContent" };
            (path, json!({"contents": contents, "generationConfig": {"temperature": 1}}))
        }
    };
    let in_path = !matches!(
        protocol,
        Protocol::OpenaiChat | Protocol::OpenaiResponses | Protocol::AnthropicMessages | Protocol::VertexAnthropic
    );
    for (key, value) in extra.as_object().unwrap().iter().filter(|(key, _)| !in_path || *key != "stream") {
        body[key] = value.clone();
    }
    let url = format!("{}/{path}", sandbox.places[&ProviderId::new(id)][0].base_url);
    client().post(url).header("anthropic-version", "2023-06-01").body(body.to_string())
}

/// The same with the credential of its provider; a token is exchanged first where it takes one.
pub(super) async fn signed(sandbox: &Running, id: &str, protocol: Protocol, extra: &Value) -> RequestBuilder {
    let request = ask(sandbox, id, protocol, extra);
    match &sandbox.places[&ProviderId::new(id)][0].credential {
        Credential::Key { key, auth: Auth::Header(name) } => request.header(name, key),
        Credential::Google { document } => request.bearer_auth(exchanged(document).await),
        // A signature is tried elsewhere.
        _ => request.bearer_auth(KEY),
    }
}

/// What the token endpoint of a document gives for it.
pub(super) async fn exchanged(document: &str) -> String {
    let mut fields: Value = serde_json::from_str(document).unwrap();
    fields["grant_type"] = json!("refresh_token");
    let url = fields["token_uri"].as_str().unwrap().to_owned();
    let told: Value =
        serde_json::from_str(&client().post(url).body(fields.to_string()).send().await.unwrap().text().await.unwrap())
            .unwrap();
    told["access_token"].as_str().unwrap().to_owned()
}

/// The frames of AWS's event stream as lines, read by AWS's own library.
pub(super) fn frames(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while !bytes.is_empty() {
        let Ok(message) = aws_smithy_eventstream::frame::read_message_from(&mut bytes) else {
            return text + "(what cannot be read)\n";
        };
        let header = |name: &str| {
            let header = message.headers().iter().find(|header| header.name().as_str() == name);
            header.map_or("", |header| header.value().as_string().unwrap().as_str()).to_owned()
        };
        let payload = std::str::from_utf8(message.payload()).unwrap();
        let kind = header(":message-type");
        writeln!(text, "{kind} {}{}: {payload}", header(":event-type"), header(":exception-type")).unwrap();
    }
    text
}
