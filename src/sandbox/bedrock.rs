//! The provider's side of Bedrock's `Converse` and `ConverseStream`.

mod ask;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Block, Dialect, Envelope, Event, Failure, Finish, Framing, Kind, Route, Stream};

/// What the padding of a delta is cut from; it hides how long a token is.
const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Bedrock Converse.
#[derive(Debug)]
pub(super) struct BedrockConverse;

impl Dialect for BedrockConverse {
    fn base(&self) -> &'static str {
        ""
    }

    /// The model is one segment, percent-encoded or not: an ARN may hold a slash as `%2F`.
    fn route(&self, path: &str, _query: &str) -> Option<Route> {
        let (model, method) = path.strip_prefix("/model/")?.split_once('/')?;
        let stream = match method {
            "converse" => false,
            "converse-stream" => true,
            _ => return None,
        };
        let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
        Some(Route { model: Some(model), stream })
    }

    fn request_id_header(&self) -> &'static str {
        "x-amzn-requestid"
    }

    fn ask(&self, route: &Route, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        ask::read(route, body)
    }

    fn failure(&self, failure: &Failure, _request_id: &str) -> Envelope {
        let (status, kind, message) = told(failure);
        let mut envelope = Envelope::new(status, json!({ "message": format!("[sandbox] {message}") }));
        envelope
            .headers
            .push(("x-amzn-errortype", format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/")));
        envelope
    }

    fn models(&self) -> Value {
        json!({"modelSummaries": [{"modelId": "sandbox", "modelName": "Sandbox (answers to any name)"}]})
    }

    fn shown(&self, path: &str) -> Option<Value> {
        (path == "/foundation-models").then(|| self.models())
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        let block = |(index, block): (usize, &Block)| match &block.kind {
            Kind::Reasoning => {
                let text = json!({"text": block.text(), "signature": answer.signature(index)});
                json!({"reasoningContent": {"reasoningText": text}})
            }
            Kind::Text => json!({"text": block.text()}),
            Kind::Call { name } => {
                let id = answer.call_id("tooluse_", index);
                json!({"toolUse": {"toolUseId": id, "name": name, "input": block.arguments()}})
            }
        };
        let content: Vec<Value> = answer.blocks.iter().enumerate().map(block).collect();
        let mut body = json!({
            "metrics": {"latencyMs": 500},
            "output": {"message": {"content": content, "role": "assistant"}},
        });
        if let Some(reason) = stop_reason(answer.finish) {
            body["stopReason"] = reason.into();
        }
        if answer.reports_usage {
            body["usage"] = usage(answer);
        }
        body
    }

    /// Text and reasoning begin without an event of their own; only a call has one.
    fn stream(&self, answer: &Answer<'_>) -> Stream {
        let start = Event::named("messageStart", &json!({"p": PADDING.get(..7), "role": "assistant"}));
        let mut stream = Stream { opening: vec![start], ..Stream::default() };
        for (index, block) in answer.blocks.iter().enumerate() {
            for (at, piece) in block.pieces.iter().enumerate() {
                let mut events = Vec::new();
                let delta = match &block.kind {
                    Kind::Reasoning => json!({"reasoningContent": {"text": piece}}),
                    Kind::Text => json!({"text": piece}),
                    Kind::Call { name } => {
                        if at == 0 {
                            let call = json!({"name": name, "toolUseId": answer.call_id("tooluse_", index)});
                            let start = json!({"contentBlockIndex": index, "start": {"toolUse": call}});
                            events.push(Event::named("contentBlockStart", &start));
                        }
                        json!({"toolUse": {"input": piece}})
                    }
                };
                events.push(delta_event(index, &delta, piece.len()));
                stream.tokens.push(events);
            }
            let mut end = Vec::new();
            if block.kind == Kind::Reasoning {
                end.push(delta_event(index, &json!({"reasoningContent": {"signature": answer.signature(index)}}), 0));
            }
            end.push(Event::named("contentBlockStop", &json!({"contentBlockIndex": index})));
            match stream.tokens.last_mut() {
                Some(last) if index + 1 < answer.blocks.len() => last.extend(end),
                _ => stream.closing.extend(end),
            }
        }
        let stop = json!({ "stopReason": stop_reason(answer.finish) });
        stream.closing.push(Event::named("messageStop", &stop));
        if answer.reports_usage {
            let metadata = json!({"metrics": {"latencyMs": 500}, "usage": usage(answer)});
            stream.closing.push(Event::named("metadata", &metadata));
        }
        stream
    }

    fn error_events(&self, failure: &Failure, _request_id: &str, _events: usize) -> Vec<Event> {
        let (_, kind, message) = told(failure);
        // The members of the stream are named as their exceptions, in lower case.
        let mut letters = kind.chars();
        let name =
            letters.next().map(|letter| letter.to_ascii_lowercase()).into_iter().chain(letters).collect::<String>();
        let event = Event::named(name, &json!({ "message": format!("[sandbox] {message}") }));
        vec![Event { is_exception: true, ..event }]
    }

    fn framing(&self) -> Framing {
        Framing::Aws
    }
}

fn delta_event(index: usize, delta: &Value, length: usize) -> Event {
    let padding = PADDING.get(..PADDING.len() - length.min(PADDING.len()));
    Event::named("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta, "p": padding}))
}

/// Status, exception and words of a failure.
fn told(failure: &Failure) -> (u16, &str, String) {
    match failure {
        Failure::NoKey => (403, "MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()),
        Failure::WrongKey => {
            (403, "AccessDeniedException", "Authentication failed: the API key is not valid.".to_owned())
        }
        Failure::Denied { code, message } => (403, code, message.clone()),
        Failure::NoSuchPath { .. } => (404, "UnknownOperationException", "Unknown operation".to_owned()),
        Failure::NoSuchModel { model } => {
            (404, "ResourceNotFoundException", format!("Could not resolve the foundation model from {model}."))
        }
        Failure::Invalid { message, .. } => (400, "ValidationException", message.clone()),
        Failure::Unsupported { parameter } => (
            400,
            "ValidationException",
            format!("The model returned the following errors: {parameter}: Extra inputs are not permitted"),
        ),
        Failure::TooLarge => (400, "ValidationException", "Input is too long for requested model.".to_owned()),
        Failure::RateLimited { .. } => {
            let message = "Too many requests, please wait before trying again.";
            (429, "ThrottlingException", message.to_owned())
        }
        Failure::Quota => {
            let message = "Your request exceeds the service quota for your account: tokens per day.";
            (400, "ServiceQuotaExceededException", message.to_owned())
        }
        Failure::Server => (500, "InternalServerException", "The system encountered an unexpected error.".to_owned()),
        Failure::Overloaded => {
            (503, "ServiceUnavailableException", "Bedrock is unable to process your request.".to_owned())
        }
    }
}

fn stop_reason(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop => Some("end_turn"),
        Finish::ToolCalls => Some("tool_use"),
        Finish::Length => Some("max_tokens"),
        Finish::Unsaid => None,
    }
}

/// What was read from the cache or written to it is no part of `inputTokens`.
fn usage(answer: &Answer<'_>) -> Value {
    let total = answer.ask.input_tokens + answer.output_tokens();
    json!({
        "cacheReadInputTokens": answer.cache_read(),
        "cacheWriteInputTokens": answer.cache_write(),
        "inputTokens": answer.uncached(),
        "outputTokens": answer.output_tokens(),
        "totalTokens": total,
    })
}
