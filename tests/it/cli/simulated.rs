//! One model at three simulated providers: each over its own protocol with its own credential, and from one to the next.
#![expect(clippy::disallowed_methods, reason = "a file to attach")]

use super::*;

const MODEL: &str = "anthropic/claude-sonnet-5";

/// The smallest PNG, and a tool.
fn home() -> Home {
    let home = Home::new();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
    std::fs::write(home.path().join("a.png"), png).unwrap();
    let schema = r#"{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}"#;
    home.write("tool.json", &format!(r#"{{"name": "get_weather", "parameters": {schema}}}"#));
    home.write("shape.json", schema);
    home
}

#[test]
fn each_provider_answers_over_its_own_protocol_and_takes_its_own_credential() {
    let home = home();
    let clouds = cfg!(all(feature = "bedrock", feature = "vertex"));
    let providers: &[(&str, &str)] = if clouds {
        &[
            ("anthropic", "Anthropic"),
            ("google-vertex", "Google Vertex AI"),
            ("amazon-bedrock", "Amazon Bedrock"),
            ("openrouter", "OpenRouter"),
        ]
    } else {
        &[("anthropic", "Anthropic"), ("openrouter", "OpenRouter")]
    };
    for (id, name) in providers {
        let common = ["--sandbox", "-q", "chat", "-m", MODEL, "--provider", id];
        let output = home.openmux(common.iter().copied().chain(["-a", "a.png", "Hello!"])).run();
        let text = output.stdout.as_str();
        let start = format!(
            "[sandbox] This is a simulated answer from {name} (no model was called). I see a PNG image of 33 bytes"
        );
        assert!(text.starts_with(&start), "{}", output.snapshot());

        let output =
            home.openmux(common.iter().copied().chain(["--schema", "shape.json", "--no-stream", "Hello!"])).run();
        assert_eq!(output.stdout.as_str(), "{\"city\":\"sandbox\"}\n", "{}", output.snapshot());
    }
}

#[cfg(all(feature = "bedrock", feature = "vertex"))]
#[test]
fn an_outage_moves_a_call_with_a_tool_and_an_image_to_another_protocol() {
    let home = home();
    let trio = ["anthropic", "google-vertex", "amazon-bedrock"];
    for (first, second) in [(0, 1), (1, 2), (2, 0)] {
        let order = format!("{},{}", trio[first], trio[second]);
        let common = ["--sandbox=outage", "chat", "-m", MODEL, "--order", &order, "-o", "json"];
        let asked = ["--tool", "tool.json", "-a", "a.png", "Hello!"];
        let output = home.openmux(common.into_iter().chain(asked)).run();
        let answer: serde_json::Value = serde_json::from_str(output.stdout.as_str()).unwrap();
        let attempts: Vec<&str> = answer["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| attempt["provider"].as_str().unwrap())
            .collect();
        assert_eq!(attempts, [trio[first], trio[second]], "{}", output.snapshot());
        assert_eq!(answer["finish"], "tool_calls", "{answer}");
        assert!(answer.to_string().contains("get_weather"), "{answer}");
    }
}
