//! What is sent and how it is cut up: the script that a model's name is, told in each protocol.

use std::time::Duration;

use serde_json::{Value, json};

use super::body::{Body, Cut};

/// Replaced by when a chunk was sent, in microseconds.
const SENT: &str = "@sent-@sent-@";

/// One token each; not every character is a byte.
const WORDS: [&str; 8] = ["the ", "lamp ", "größer ", "stands ", "日本 ", "near ", "a ", "window "];

/// What a provider says of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    AtTheEnd,
    Never,
    InEveryChunk,
    WithoutOutput,
}

/// A script, from the name of a model: `s-<wait ms>-<gap ms>-<tokens>-<mode>`.
///
/// Modes: `plain`; `role` (an event without a token at once); `ping` (comments every 10 ms until the first token);
/// `reason` (the first half are thoughts); `burst` (all in one write after the wait); `x4` (four tokens a chunk); `split`,
/// `several` (three events a write), `crlf`, `cut`, `bytes`, `gzip`; `nousage`, `usageall`, `usagehalf`.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    wait: Duration,
    gap: Duration,
    tokens: usize,
    thoughts: usize,
    per_chunk: usize,
    per_write: usize,
    role_first: bool,
    pings: bool,
    crlf: bool,
    told: Told,
    cut: Cut,
}

impl Script {
    /// That of a request; `None` where its model is no script.
    pub(crate) fn of(path: &str, body: &[u8]) -> Option<Self> {
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let named = body.as_ref().and_then(|body| body["model"].as_str());
        let in_path = || path.split(['/', ':', '?']).find(|part| part.starts_with("s-"));
        Self::parse(named.or_else(in_path)?)
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.rsplit('/').next()?.strip_prefix("s-")?.splitn(4, '-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (wait, gap, tokens) = (number()?, number()?, usize::try_from(number()?).ok()?);
        let plain = Self {
            wait: Duration::from_millis(wait),
            gap: Duration::from_millis(gap),
            tokens,
            thoughts: 0,
            per_chunk: 1,
            per_write: 1,
            role_first: false,
            pings: false,
            crlf: false,
            told: Told::AtTheEnd,
            cut: Cut::Whole,
        };
        Some(match parts.next()? {
            "plain" => plain,
            "role" => Self { role_first: true, ..plain },
            "ping" => Self { pings: true, ..plain },
            "reason" => Self { thoughts: tokens / 2, ..plain },
            "burst" => Self { per_write: tokens, ..plain },
            "x4" => Self { per_chunk: 4, ..plain },
            "several" => Self { per_write: 3, ..plain },
            "crlf" => Self { crlf: true, ..plain },
            "split" => Self { cut: Cut::Split, ..plain },
            "cut" => Self { cut: Cut::Characters, ..plain },
            "bytes" => Self { cut: Cut::Bytes, ..plain },
            "gzip" => Self { cut: Cut::Gzip, ..plain },
            "nousage" => Self { told: Told::Never, ..plain },
            "usageall" => Self { told: Told::InEveryChunk, ..plain },
            "usagehalf" => Self { told: Told::WithoutOutput, ..plain },
            _ => return None,
        })
    }

    /// The token-bearing event that is the first of the answer.
    pub(crate) fn first_answer(&self) -> usize {
        self.thoughts.div_ceil(self.per_chunk)
    }

    pub(crate) fn is_gzipped(&self) -> bool {
        self.cut == Cut::Gzip
    }

    /// How the body is put on the wire.
    pub(crate) fn body(&self) -> Body {
        Body::new(self.cut)
    }

    /// Everything that is sent, in order.
    pub(crate) fn moments(&self, speech: Speech) -> Vec<Moment> {
        let mut moments = Vec::new();
        let at_once = |events: Vec<Event>| Moment { at: Duration::ZERO, events, tokens: 0 };
        if self.role_first || speech != Speech::Chat {
            moments.push(at_once(speech.opening(self)));
        }
        if self.pings {
            let pings = self.wait.as_millis().saturating_sub(1) / 10;
            for at in 1..=pings {
                let events = speech.ping().into_iter().collect();
                moments.push(Moment {
                    at: Duration::from_millis(u64::try_from(at).unwrap_or(0) * 10),
                    events,
                    tokens: 0,
                });
            }
        }
        let mut chunks = Vec::new();
        let mut first = 0;
        while first < self.tokens {
            let thought = first < self.thoughts;
            let end = if thought { self.thoughts } else { self.tokens };
            let last = (first + self.per_chunk).min(end);
            let text: String = (first..last).map(|at| WORDS[at % WORDS.len()]).collect();
            chunks.push(speech.token(&text, thought, self));
            first = last;
        }
        for (at, events) in chunks.chunks(self.per_write).enumerate() {
            let gap = self.gap * u32::try_from(at * self.per_write.min(self.tokens - 1)).unwrap_or(0);
            let gap = if self.per_write >= self.tokens { Duration::ZERO } else { gap };
            let events: Vec<Event> = events.iter().map(|event| event.in_lines(self.crlf)).collect();
            moments.push(Moment { at: self.wait + gap, tokens: events.len(), events });
        }
        let at = moments.last().map_or(self.wait, |moment| moment.at);
        let events = speech.closing(self).iter().map(|event| event.in_lines(self.crlf)).collect();
        moments.push(Moment { at, events, tokens: 0 });
        moments
    }

    /// The counts of the usage: all output, and the thoughts in it.
    fn counts(&self) -> (usize, usize) {
        (self.tokens, self.thoughts)
    }
}

/// What is sent at one time, in one write.
#[derive(Debug)]
pub(crate) struct Moment {
    /// From the request being there.
    pub(crate) at: Duration,
    /// How many token-bearing events it has.
    pub(crate) tokens: usize,
    events: Vec<Event>,
}

impl Moment {
    /// Its bytes, sent so many microseconds after the server started.
    pub(crate) fn bytes(&self, micros: u128) -> Vec<u8> {
        self.events.iter().flat_map(|event| event.bytes(micros)).collect()
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// Lines of server-sent events.
    Lines(String),
    /// A message of AWS's event streams: its name and its payload.
    Message(&'static str, String),
}

impl Event {
    fn in_lines(&self, crlf: bool) -> Self {
        match self {
            Self::Lines(lines) if crlf => Self::Lines(lines.replace('\n', "\r\n")),
            other => other.clone(),
        }
    }

    fn bytes(&self, micros: u128) -> Vec<u8> {
        let stamp = format!("{micros:013}");
        match self {
            Self::Lines(lines) => lines.replace(SENT, &stamp).into_bytes(),
            Self::Message(name, payload) => {
                use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
                let text = |text: &'static str| HeaderValue::String(text.into());
                let message = Message::new(payload.replace(SENT, &stamp).into_bytes())
                    .add_header(Header::new(":event-type", text(name)))
                    .add_header(Header::new(":message-type", text("event")));
                let mut bytes = Vec::new();
                aws_smithy_eventstream::frame::write_message_to(&message, &mut bytes).expect("a message that can be");
                bytes
            }
        }
    }
}

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
}

impl Speech {
    /// That of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        let ends = [
            ("/chat/completions", Self::Chat),
            ("/responses", Self::Responses),
            ("/messages", Self::Messages),
            (":streamGenerateContent", Self::Gemini),
            ("/converse-stream", Self::Converse),
        ];
        ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, speech)| speech)
    }

    pub(crate) fn content_type(self) -> &'static str {
        if self == Self::Converse { "application/vnd.amazon.eventstream" } else { "text/event-stream" }
    }

    /// What comes before the first token.
    fn opening(self, script: &Script) -> Vec<Event> {
        match self {
            Self::Chat => vec![chat(json!([choice(&json!({"role": "assistant", "content": ""}), None)]), None)],
            Self::Responses => {
                let response =
                    json!({"id": "resp_1", "status": "in_progress", "model": "m", "output": [], "usage": null});
                vec![named(&json!({"type": "response.created", "sequence_number": 0, "response": response}))]
            }
            Self::Messages => {
                let kind = if script.thoughts > 0 {
                    json!({"type": "thinking", "thinking": "", "signature": ""})
                } else {
                    json!({"type": "text", "text": ""})
                };
                let mut events = vec![
                    named(&json!({"type": "message_start", "message": {
                        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1},
                    }})),
                    named(&json!({"type": "content_block_start", "index": 0, "content_block": kind})),
                ];
                events.extend(self.ping());
                events
            }
            Self::Gemini => Vec::new(),
            Self::Converse => vec![message("messageStart", &json!({"role": "assistant"}))],
        }
    }

    /// A sign of life; AWS's event streams have none.
    fn ping(self) -> Option<Event> {
        match self {
            Self::Messages => Some(named(&json!({"type": "ping"}))),
            Self::Converse => None,
            _ => Some(Event::Lines(": ping\n\n".to_owned())),
        }
    }

    fn token(self, text: &str, thought: bool, script: &Script) -> Event {
        // The thoughts are the first part or block.
        let index = usize::from(script.thoughts > 0 && !thought);
        match self {
            Self::Chat => {
                let delta = if thought { json!({ "reasoning_content": text }) } else { json!({ "content": text }) };
                let usage = (script.told == Told::InEveryChunk).then(|| chat_usage(script));
                chat(json!([choice(&delta, None)]), usage)
            }
            Self::Responses => {
                let kind = if thought { "response.reasoning_summary_text.delta" } else { "response.output_text.delta" };
                let mut data = json!({"type": kind, "item_id": "i", "output_index": index, "delta": text});
                data[if thought { "summary_index" } else { "content_index" }] = 0.into();
                named(&data)
            }
            Self::Messages => {
                let delta = if thought {
                    json!({"type": "thinking_delta", "thinking": text})
                } else {
                    json!({"type": "text_delta", "text": text})
                };
                named(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
            }
            Self::Gemini => {
                let part = if thought { json!({"text": text, "thought": true}) } else { json!({ "text": text }) };
                data(&json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}))
            }
            Self::Converse => {
                let delta = if thought { json!({"reasoningContent": {"text": text}}) } else { json!({ "text": text }) };
                message("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}))
            }
        }
    }

    fn closing(self, script: &Script) -> Vec<Event> {
        let (output, thoughts) = script.counts();
        match self {
            Self::Chat => {
                let mut events = vec![chat(json!([choice(&json!({}), Some("stop"))]), None)];
                if script.told != Told::Never {
                    events.push(chat(json!([]), Some(chat_usage(script))));
                }
                events.push(Event::Lines("data: [DONE]\n\n".to_owned()));
                events
            }
            Self::Responses => {
                let usage = json!({
                    "input_tokens": 10, "output_tokens": output, "total_tokens": 10 + output,
                    "output_tokens_details": {"reasoning_tokens": thoughts},
                });
                let response =
                    json!({"id": "resp_1", "status": "completed", "model": "m", "output": [], "usage": usage});
                vec![named(&json!({"type": "response.completed", "response": response}))]
            }
            Self::Messages => vec![
                named(&json!({"type": "content_block_stop", "index": usize::from(thoughts > 0)})),
                named(&json!({
                    "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                    "usage": {"output_tokens": output},
                })),
                named(&json!({"type": "message_stop"})),
            ],
            Self::Gemini => vec![data(&json!({
                "candidates": [{"content": {"parts": [], "role": "model"}, "finishReason": "STOP", "index": 0}],
                "usageMetadata": {
                    "promptTokenCount": 10, "candidatesTokenCount": output - thoughts, "thoughtsTokenCount": thoughts,
                    "totalTokenCount": 10 + output,
                },
            }))],
            Self::Converse => vec![
                message("contentBlockStop", &json!({"contentBlockIndex": usize::from(thoughts > 0)})),
                message("messageStop", &json!({"stopReason": "end_turn"})),
                message(
                    "metadata",
                    &json!({
                        "metrics": {"latencyMs": 1},
                        "usage": {"inputTokens": 10, "outputTokens": output, "totalTokens": 10 + output},
                    }),
                ),
            ],
        }
    }
}

/// A list of models, for clients that ask for one before they begin.
pub(crate) fn list_of_models() -> String {
    json!({"object": "list", "data": [{"id": "s-50-5-40-plain", "object": "model", "created": 1, "owned_by": "me"}]})
        .to_string()
}

fn choice(delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({"index": 0, "delta": delta, "finish_reason": finish_reason})
}

fn chat(choices: Value, usage: Option<Value>) -> Event {
    let mut chunk =
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
    if let Some(usage) = usage {
        chunk["usage"] = usage;
    }
    data(&chunk)
}

fn chat_usage(script: &Script) -> Value {
    let (output, thoughts) = script.counts();
    if script.told == Told::WithoutOutput {
        return json!({ "prompt_tokens": 10 });
    }
    json!({
        "prompt_tokens": 10, "completion_tokens": output, "total_tokens": 10 + output,
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    })
}

fn stamped(value: &Value) -> String {
    let mut value = value.clone();
    value["sent_us"] = SENT.into();
    value.to_string()
}

fn data(value: &Value) -> Event {
    Event::Lines(format!("data: {}\n\n", stamped(value)))
}

fn named(value: &Value) -> Event {
    Event::Lines(format!("event: {}\ndata: {}\n\n", value["type"].as_str().unwrap_or_default(), stamped(value)))
}

fn message(name: &'static str, value: &Value) -> Event {
    Event::Message(name, stamped(value))
}
