//! What a request holds beside text: tools, files, schemas, thinking, marks for the cache. In every protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const ALL: [Protocol; 7] = [BOTH[0], BOTH[1], NEW[0], NEW[1], NEW[2], NEW[3], NEW[4]];

fn is_claude(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::AnthropicMessages | Protocol::VertexAnthropic)
}

fn is_gemini(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Gemini | Protocol::VertexGemini)
}

async fn everyone(tokens: u64) -> Running {
    let scenario = FAST.replace("tokens = 4", &format!("tokens = {tokens}"));
    start(&scenario, &ALL.map(|protocol| (protocol.name(), protocol))).await
}

/// The body of an answer as JSON; of a streamed one its events.
async fn answer(sandbox: &Running, protocol: Protocol, extra: Value) -> Value {
    let response = chat(sandbox, protocol.name(), protocol, &extra).await;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    assert_eq!(status, 200, "{}: {}", protocol.name(), String::from_utf8_lossy(&bytes));
    if extra.get("stream") != Some(&json!(true)) {
        return serde_json::from_slice(&bytes).unwrap();
    }
    let text = match protocol {
        Protocol::BedrockConverse => frames(&bytes),
        _ => String::from_utf8(bytes.to_vec()).unwrap(),
    };
    let payload = |line: &str| {
        let payload = line.strip_prefix("data: ").or_else(|| line.split_once(": ").map(|(_, payload)| payload))?;
        serde_json::from_str::<Value>(payload).ok().filter(Value::is_object)
    };
    Value::Array(text.lines().filter_map(payload).collect())
}

/// All strings under these names, anywhere in a document, joined.
fn strings(document: &Value, names: &[&str]) -> String {
    match document {
        Value::Array(values) => values.iter().map(|value| strings(value, names)).collect(),
        Value::Object(members) => {
            let of = |(name, value): (&String, &Value)| match value {
                Value::String(text) if names.contains(&name.as_str()) => text.clone(),
                Value::String(_) => String::new(),
                inner => strings(inner, names),
            };
            members.iter().map(of).collect()
        }
        _ => String::new(),
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "unit": {"type": "string"}},
        "required": ["city", "days"],
    })
}

/// The tool in the protocol's words, and a choice of it by name.
fn tool(protocol: Protocol, forced: bool) -> Value {
    let (name, about) = ("get_weather", "Tells the weather");
    let mut extra = if is_claude(protocol) {
        json!({"tools": [{"name": name, "description": about, "input_schema": schema()}]})
    } else if is_gemini(protocol) {
        let declaration = json!({"name": name, "description": about, "parametersJsonSchema": schema()});
        json!({"tools": [{"functionDeclarations": [declaration]}]})
    } else if protocol == Protocol::BedrockConverse {
        let spec = json!({"name": name, "description": about, "inputSchema": {"json": schema()}});
        json!({"toolConfig": {"tools": [{"toolSpec": spec}]}})
    } else if protocol == Protocol::OpenaiResponses {
        json!({"tools": [{"type": "function", "name": name, "description": about, "parameters": schema()}]})
    } else {
        let function = json!({"name": name, "description": about, "parameters": schema()});
        json!({"tools": [{"type": "function", "function": function}]})
    };
    if forced {
        match protocol {
            Protocol::OpenaiChat => extra["tool_choice"] = json!({"type": "function", "function": {"name": name}}),
            Protocol::OpenaiResponses => extra["tool_choice"] = json!({"type": "function", "name": name}),
            Protocol::BedrockConverse => extra["toolConfig"]["toolChoice"] = json!({"tool": {"name": name}}),
            _ if is_gemini(protocol) => {
                let config = json!({"mode": "ANY", "allowedFunctionNames": [name]});
                extra["toolConfig"] = json!({ "functionCallingConfig": config });
            }
            _ => extra["tool_choice"] = json!({"type": "tool", "name": name}),
        }
    }
    extra
}

/// A conversation in which the tool was called, with what it answered.
fn answered(protocol: Protocol, call_id: &str) -> Value {
    let (question, result) = ("How is the weather?", "18 degrees and sunny");
    let arguments = json!({"city": "x", "days": 2});
    match protocol {
        Protocol::OpenaiChat => {
            let function = json!({"name": "get_weather", "arguments": arguments.to_string()});
            json!({"messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
                {"role": "tool", "tool_call_id": call_id, "content": result},
            ]})
        }
        Protocol::OpenaiResponses => json!({"input": [
            {"role": "user", "content": [{"type": "input_text", "text": question}]},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": arguments.to_string()},
            {"type": "function_call_output", "call_id": call_id, "output": result},
        ]}),
        Protocol::BedrockConverse => json!({"messages": [
            {"role": "user", "content": [{"text": question}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": arguments}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": call_id, "content": [{"text": result}]}}]},
        ]}),
        _ if is_gemini(protocol) => {
            let name = if call_id == "c1" { "get_weather" } else { "other" };
            json!({"contents": [
                {"role": "user", "parts": [{"text": question}]},
                {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": arguments}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"output": result}}}]},
            ]})
        }
        _ => json!({"messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "get_weather", "input": arguments}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call_id, "content": result}]},
        ]}),
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

/// The arguments of a call as JSON text, streamed or not.
fn arguments(protocol: Protocol, answer: &Value) -> Value {
    let args = |value: &Value| match value {
        Value::Object(_) => value.clone(),
        _ => Value::Null,
    };
    let whole = [
        "/content/0/input",
        "/output/message/content/0/toolUse/input",
        "/candidates/0/content/parts/0/functionCall/args",
    ];
    if let Some(found) = whole.iter().find_map(|place| answer.pointer(place)).filter(|value| value.is_object()) {
        return args(found);
    }
    let text = match (protocol, answer) {
        (Protocol::OpenaiResponses, Value::Array(events)) => {
            let deltas: Vec<Value> = events
                .iter()
                .filter(|event| event["type"] == "response.function_call_arguments.delta")
                .cloned()
                .collect();
            strings(&Value::Array(deltas), &["delta"])
        }
        (_, Value::Array(events)) if is_gemini(protocol) => {
            return events.iter().find_map(|event| event.pointer(whole[2])).cloned().unwrap_or_default();
        }
        (Protocol::BedrockConverse, events) => {
            let deltas = events.as_array().unwrap().iter().filter_map(|event| event.pointer("/delta/toolUse"));
            strings(&deltas.cloned().collect(), &["input"])
        }
        _ => strings(answer, &["arguments", "partial_json"]),
    };
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}: {answer}", protocol.name()))
}

#[tokio::test]
async fn a_tool_is_called_with_arguments_that_its_schema_allows() {
    let sandbox = everyone(4).await;
    for protocol in ALL {
        for (stream, forced) in [(false, false), (false, true), (true, false), (true, true)] {
            let extra = merged(tool(protocol, forced), json!({ "stream": stream }));
            let extra = if stream || !is_claude(protocol) { extra } else { merged(extra, json!({"stream": false})) };
            let answer = answer(&sandbox, protocol, extra).await;
            let arguments = arguments(protocol, &answer);
            assert_eq!(arguments, json!({"city": "sandbox", "days": 2}), "{}", protocol.name());
            let text = answer.to_string();
            assert!(text.contains("\"get_weather\""), "{text}");
            let word = match protocol {
                Protocol::OpenaiChat => "\"finish_reason\":\"tool_calls\"",
                Protocol::OpenaiResponses => "\"status\":\"completed\"",
                Protocol::BedrockConverse => "\"stopReason\":\"tool_use\"",
                _ if is_gemini(protocol) => "\"finishReason\":\"STOP\"",
                _ => "\"stop_reason\":\"tool_use\"",
            };
            assert!(text.contains(word), "{}: {text}", protocol.name());
        }
    }
}

#[tokio::test]
async fn a_tool_s_answer_is_read_and_must_match_its_call() {
    let sandbox = everyone(4).await;
    for protocol in ALL {
        let extra = merged(tool(protocol, false), answered(protocol, "c1"));
        let answer = answer(&sandbox, protocol, extra).await;
        let said = strings(&answer, &["text", "content"]);
        assert!(said.contains("The tool answered: 18 degrees and sunny."), "{}: {said}", protocol.name());

        let stray = merged(tool(protocol, false), answered(protocol, "c2"));
        let refused = chat(&sandbox, protocol.name(), protocol, &stray).await;
        assert_eq!(refused.status(), 400, "{}", protocol.name());
        if protocol == Protocol::BedrockConverse {
            let bare = chat(&sandbox, protocol.name(), protocol, &answered(protocol, "c1")).await;
            assert!(bare.text().await.unwrap().contains("The toolConfig field must be defined"));
        }
    }
}

/// A question with an image and a PDF.
fn files(protocol: Protocol, image: &[u8], pdf: &[u8]) -> Value {
    let (image, pdf) = (STANDARD.encode(image), STANDARD.encode(pdf));
    let (as_png, as_pdf) = (format!("data:image/png;base64,{image}"), format!("data:application/pdf;base64,{pdf}"));
    match protocol {
        Protocol::OpenaiChat => json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": as_png}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": as_pdf}},
        ]}]}),
        Protocol::OpenaiResponses => json!({"input": [{"role": "user", "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": as_png},
            {"type": "input_file", "filename": "a.pdf", "file_data": as_pdf},
        ]}]}),
        Protocol::BedrockConverse => json!({"messages": [{"role": "user", "content": [
            {"text": "What is this?"},
            {"image": {"format": "png", "source": {"bytes": image}}},
            {"document": {"format": "pdf", "name": "a", "source": {"bytes": pdf}}},
        ]}]}),
        _ if is_gemini(protocol) => json!({"contents": [{"role": "user", "parts": [
            {"text": "What is this?"},
            {"inlineData": {"mimeType": "image/png", "data": image}},
            {"inline_data": {"mime_type": "application/pdf", "data": pdf}},
        ]}]}),
        _ => json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": pdf}},
        ]}]}),
    }
}

#[tokio::test]
async fn files_are_seen_and_must_be_what_they_are_said_to_be() {
    let sandbox = everyone(4).await;
    let (png, pdf) = ([&b"\x89PNG\r\n\x1a\n"[..], &[0; 1226]].concat(), b"%PDF-1.7 ".repeat(2));
    for protocol in ALL {
        for stream in [false, true] {
            let extra = merged(files(protocol, &png, &pdf), json!({ "stream": stream }));
            let answer = answer(&sandbox, protocol, extra).await;
            let names =
                if protocol == Protocol::OpenaiResponses && stream { &["delta"][..] } else { &["text", "content"] };
            let said = strings(&answer, names);
            let remarks = "I see a PNG image of 1,234 bytes. I see a PDF document of 18 bytes.";
            assert!(said.contains(remarks), "{}: {said}", protocol.name());
        }
        let swapped = chat(&sandbox, protocol.name(), protocol, &files(protocol, &pdf, &png)).await;
        assert_eq!(swapped.status(), 400, "{}", protocol.name());
    }
}

#[tokio::test]
async fn a_schema_is_satisfied() {
    let sandbox = everyone(4).await;
    for protocol in ALL {
        let extra = match protocol {
            Protocol::OpenaiChat => {
                json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema()}}})
            }
            Protocol::OpenaiResponses => {
                json!({"text": {"format": {"type": "json_schema", "name": "a", "schema": schema()}}})
            }
            Protocol::BedrockConverse => {
                let structure = json!({"jsonSchema": {"name": "a", "schema": schema().to_string()}});
                json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}})
            }
            _ if is_gemini(protocol) => json!({"generationConfig": {
                "responseMimeType": "application/json", "responseJsonSchema": schema(),
            }}),
            _ => json!({"output_config": {"format": {"type": "json_schema", "schema": schema()}}}),
        };
        let answer = answer(&sandbox, protocol, extra).await;
        let text = strings(&answer, &["text", "content"]);
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(jsonschema::is_valid(&schema(), &document), "{}: {document}", protocol.name());
    }
}

#[tokio::test]
async fn thinking_is_shown_where_it_is_asked_for_and_counted() {
    let sandbox = everyone(4).await;
    for protocol in ALL {
        let (extra, words): (Value, &[&str]) = match protocol {
            Protocol::OpenaiChat => (json!({"reasoning_effort": "low"}), &["reasoning_content"]),
            Protocol::OpenaiResponses => (json!({"reasoning": {"effort": "low", "summary": "auto"}}), &["delta"]),
            Protocol::BedrockConverse => {
                let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
                (json!({"additionalModelRequestFields": thinking, "inferenceConfig": {"maxTokens": 2000}}), &["text"])
            }
            _ if is_gemini(protocol) => {
                (json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}}}), &["text"])
            }
            _ => (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}), &["thinking"]),
        };
        let extra = merged(extra, json!({"stream": true}));
        let answer = answer(&sandbox, protocol, extra).await;
        let thought = strings(&answer, words);
        assert!(thought.starts_with("[sandbox] Nobody thinks here"), "{}: {thought}", protocol.name());
        let text = answer.to_string();
        let word = match protocol {
            Protocol::OpenaiResponses => "\"reasoning_tokens\":12",
            Protocol::BedrockConverse => "\"signature\":",
            Protocol::OpenaiChat => "reasoning_content",
            _ if is_gemini(protocol) => "\"thoughtsTokenCount\":12",
            _ => "signature_delta",
        };
        assert!(text.contains(word), "{}: {text}", protocol.name());
    }
}

#[tokio::test]
async fn a_marked_beginning_is_written_once_and_read_afterwards() {
    let sandbox = everyone(4).await;
    for protocol in [Protocol::AnthropicMessages, Protocol::VertexAnthropic, Protocol::BedrockConverse] {
        let long = "word ".repeat(400);
        let extra = if protocol == Protocol::BedrockConverse {
            json!({"system": [{"text": long}, {"cachePoint": {"type": "default"}}]})
        } else {
            json!({"system": [{"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]})
        };
        let mut told = Vec::new();
        for _ in 0..2 {
            let usage = answer(&sandbox, protocol, extra.clone()).await["usage"].clone();
            let of = |names: [&str; 2]| names.iter().find_map(|name| usage[*name].as_u64()).unwrap();
            told.push((
                of(["input_tokens", "inputTokens"]),
                of(["cache_creation_input_tokens", "cacheWriteInputTokens"]),
                of(["cache_read_input_tokens", "cacheReadInputTokens"]),
            ));
        }
        let [first, second] = told[..] else { panic!("two answers") };
        assert_eq!((first.1, first.2), (second.2, second.1), "{told:?}");
        assert!(first.1 > 400 && first.2 == 0 && first.0 + first.1 == 503, "{told:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_in_the_provider_s_envelope() {
    let sandbox = everyone(4).await;
    let mut all = String::new();
    let mut note = async |what: &str, protocol: Protocol, extra: Value| {
        let response = chat(&sandbox, protocol.name(), protocol, &extra).await;
        let status = response.status().as_u16();
        writeln!(all, "{} {what}: {status} {}", protocol.name(), response.text().await.unwrap()).unwrap();
    };
    for protocol in ALL {
        note("unknown field", protocol, json!({"max_tokns": 1})).await;
        let field = match protocol {
            Protocol::OpenaiResponses => "input",
            _ if is_gemini(protocol) => "contents",
            _ => "messages",
        };
        note("nothing said", protocol, json!({ field: [] })).await;
    }
    let (chat, claude, responses, gemini) = (ALL[0], ALL[1], ALL[2], ALL[3]);
    let bedrock = Protocol::BedrockConverse;
    note("role", chat, json!({"messages": [{"role": "human", "content": "x"}]})).await;
    note(
        "open call",
        chat,
        json!({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]}),
    )
    .await;
    note("choice", chat, json!({"tool_choice": "auto"})).await;
    note("part", chat, json!({"messages": [{"role": "user", "content": [{"type": "image"}]}]})).await;
    note(
        "base64",
        chat,
        json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,!"}}]}]}),
    )
    .await;
    note("first role", claude, json!({"messages": [{"role": "assistant", "content": "x"}]})).await;
    note("empty text", claude, json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}))
        .await;
    note(
        "open call",
        claude,
        json!({"messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": "x"}]}),
    )
    .await;
    note("budget", claude, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})).await;
    note("no schema", claude, json!({"tools": [{"name": "f"}]})).await;
    note("model in the body", Protocol::VertexAnthropic, json!({"model": "m"})).await;
    note("version", Protocol::VertexAnthropic, json!({"anthropic_version": "2023-06-01"})).await;
    note("stop", responses, json!({"stop": ["x"]})).await;
    note("small limit", responses, json!({"max_output_tokens": 3})).await;
    note("part", responses, json!({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]})).await;
    note("nested field", gemini, json!({"generationConfig": {"maxTokens": 3}})).await;
    note("role", gemini, json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]})).await;
    note(
        "schema",
        gemini,
        json!({"generationConfig": {"responseMimeType": "application/json",
        "responseSchema": {"type": "object", "$schema": "x"}}}),
    )
    .await;
    note(
        "two roles",
        bedrock,
        json!({"messages": [{"role": "user", "content": [{"text": "a"}]},
        {"role": "user", "content": [{"text": "a"}]}]}),
    )
    .await;
    note("blank", bedrock, json!({"messages": [{"role": "user", "content": [{"text": " "}]}]})).await;
    note(
        "document alone",
        bedrock,
        json!({"messages": [{"role": "user", "content": [
        {"document": {"format": "txt", "name": "a", "source": {"bytes": "YQ=="}}}]}]}),
    )
    .await;
    note(
        "document name",
        bedrock,
        json!({"messages": [{"role": "user", "content": [{"text": "a"},
        {"document": {"format": "txt", "name": "a.txt", "source": {"bytes": "YQ=="}}}]}]}),
    )
    .await;
    insta::assert_snapshot!(all);
}
