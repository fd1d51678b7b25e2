//! The provider's side of OpenAI Responses.

mod ask;

use http::HeaderMap;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Block, CREATED, Dialect, Envelope, Event, Failure, Finish, Kind, Route, Stream};
use super::openai::{models, told};

/// OpenAI Responses.
#[derive(Debug)]
pub(super) struct OpenaiResponses;

impl Dialect for OpenaiResponses {
    fn route(&self, path: &str, _query: &str) -> Option<Route> {
        (path == "/v1/responses").then_some(Route::PLAIN)
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn ask(&self, _route: &Route, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        ask::read(body)
    }

    fn failure(&self, failure: &Failure, _request_id: &str) -> Envelope {
        told(failure)
    }

    fn models(&self) -> Value {
        models()
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        ended(answer)
    }

    fn stream(&self, answer: &Answer<'_>) -> Stream {
        let mut numbered = Numbered(0);
        let begun = response(answer, "in_progress", &[]);
        let mut stream = Stream::default();
        for kind in ["response.created", "response.in_progress"] {
            stream.opening.push(numbered.event(kind, json!({ "response": begun })));
        }
        for (index, block) in answer.blocks.iter().enumerate() {
            let last = block.pieces.len().saturating_sub(1);
            for (at, piece) in block.pieces.iter().enumerate() {
                let mut events = Vec::new();
                if at == 0 {
                    events.extend(begin(&mut numbered, answer, index, block));
                }
                let kind = format!("{}.delta", words(&block.kind));
                events.push(numbered.event(&kind, placed(answer, index, block, json!({ "delta": piece }))));
                // The last item ends with the answer, which may never come.
                if at == last && index + 1 < answer.blocks.len() {
                    events.extend(end(&mut numbered, answer, index, block));
                }
                stream.tokens.push(events);
            }
        }
        if let Some(block) = answer.blocks.last() {
            stream.closing.extend(end(&mut numbered, answer, answer.blocks.len() - 1, block));
        }
        let kind = if answer.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
        stream.closing.push(numbered.event(kind, json!({ "response": ended(answer) })));
        stream
    }

    /// An `error` event, and the response as it failed.
    fn error_events(&self, failure: &Failure, request_id: &str, events: usize) -> Vec<Event> {
        let mut numbered = Numbered(events);
        let error = told(failure).body["error"].clone();
        let (code, message) = (error["code"].clone(), error["message"].clone());
        let first = numbered.event("error", json!({"code": code, "message": message, "param": null}));
        let response = json!({
            "id": format!("resp_{}", request_id.trim_start_matches("req_")),
            "object": "response",
            "created_at": CREATED,
            "status": "failed",
            "error": {"code": code, "message": message},
            "output": [],
            "usage": null,
        });
        vec![first, numbered.event("response.failed", json!({ "response": response }))]
    }
}

/// Numbers the events of a stream.
struct Numbered(usize);

impl Numbered {
    fn event(&mut self, kind: &str, mut data: Value) -> Event {
        data["type"] = kind.into();
        data["sequence_number"] = self.0.into();
        self.0 += 1;
        Event::named(kind, &data)
    }
}

/// What the events of a part are called.
fn words(kind: &Kind) -> &'static str {
    match kind {
        Kind::Reasoning => "response.reasoning_summary_text",
        Kind::Text => "response.output_text",
        Kind::Call { .. } => "response.function_call_arguments",
    }
}

/// The fields that say which part of which item an event is about.
fn placed(answer: &Answer<'_>, index: usize, block: &Block, mut data: Value) -> Value {
    data["item_id"] = item_id(answer, index, block).into();
    data["output_index"] = index.into();
    match block.kind {
        Kind::Reasoning => data["summary_index"] = 0.into(),
        Kind::Text => {
            data["content_index"] = 0.into();
            data["logprobs"] = json!([]);
        }
        Kind::Call { .. } => {}
    }
    data
}

fn begin(numbered: &mut Numbered, answer: &Answer<'_>, index: usize, block: &Block) -> Vec<Event> {
    let item = item(answer, index, block, false);
    let mut events = vec![numbered.event("response.output_item.added", json!({"output_index": index, "item": item}))];
    if let Some((kind, part)) = part(&block.kind, "") {
        let mut data = placed(answer, index, block, json!({ "part": part }));
        remove(&mut data, "logprobs");
        events.push(numbered.event(&format!("response.{kind}.added"), data));
    }
    events
}

fn end(numbered: &mut Numbered, answer: &Answer<'_>, index: usize, block: &Block) -> Vec<Event> {
    let text = block.text();
    let whole = match &block.kind {
        Kind::Call { name } => json!({"name": name, "arguments": text}),
        _ => json!({ "text": text }),
    };
    let kind = format!("{}.done", words(&block.kind));
    let mut events = vec![numbered.event(&kind, placed(answer, index, block, whole))];
    if let Some((kind, part)) = part(&block.kind, &text) {
        let mut data = placed(answer, index, block, json!({ "part": part }));
        remove(&mut data, "logprobs");
        events.push(numbered.event(&format!("response.{kind}.done"), data));
    }
    let item = item(answer, index, block, true);
    events.push(numbered.event("response.output_item.done", json!({"output_index": index, "item": item})));
    events
}

fn remove(data: &mut Value, field: &str) {
    if let Some(members) = data.as_object_mut() {
        members.remove(field);
    }
}

/// The part that stands in an item, and what it is called.
fn part(kind: &Kind, text: &str) -> Option<(&'static str, Value)> {
    match kind {
        Kind::Reasoning => Some(("reasoning_summary_part", json!({"type": "summary_text", "text": text}))),
        Kind::Text => {
            Some(("content_part", json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})))
        }
        Kind::Call { .. } => None,
    }
}

fn item_id(answer: &Answer<'_>, index: usize, block: &Block) -> String {
    let prefix = match block.kind {
        Kind::Reasoning => "rs_",
        Kind::Text => "msg_",
        Kind::Call { .. } => "fc_",
    };
    answer.call_id(prefix, index)
}

/// One item of the output, as it begins or as it ends.
fn item(answer: &Answer<'_>, index: usize, block: &Block, done: bool) -> Value {
    let id = item_id(answer, index, block);
    let text = if done { block.text() } else { String::new() };
    let is_cut = answer.finish == Finish::Length && index + 1 == answer.blocks.len();
    let status = match (done, is_cut) {
        (false, _) => "in_progress",
        (true, true) => "incomplete",
        (true, false) => "completed",
    };
    let parts: Vec<Value> = part(&block.kind, &text).filter(|_| done).map(|(_, part)| part).into_iter().collect();
    match &block.kind {
        Kind::Reasoning => {
            let mut item = json!({"id": id, "type": "reasoning", "summary": parts});
            if done {
                item["encrypted_content"] = answer.signature(index).into();
            }
            item
        }
        Kind::Text => {
            json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": parts})
        }
        Kind::Call { name } => json!({
            "id": id,
            "type": "function_call",
            "status": status,
            "call_id": answer.call_id("call_", index),
            "name": name,
            "arguments": text,
        }),
    }
}

/// The whole response as it ended.
fn ended(answer: &Answer<'_>) -> Value {
    let items: Vec<Value> =
        answer.blocks.iter().enumerate().map(|(index, block)| item(answer, index, block, true)).collect();
    let status = match answer.finish {
        Finish::Stop | Finish::ToolCalls => "completed",
        Finish::Length => "incomplete",
        Finish::Unsaid => "in_progress",
    };
    response(answer, status, &items)
}

fn response(answer: &Answer<'_>, status: &str, output: &[Value]) -> Value {
    let is_cut = status == "incomplete";
    let usage = if answer.reports_usage && status != "in_progress" { usage(answer) } else { Value::Null };
    let mut response = json!({
        "id": format!("resp_{}", answer.id),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": if is_cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "model": answer.ask.model,
        "output": output,
    });
    if answer.reports_usage {
        response["usage"] = usage;
    }
    response
}

fn usage(answer: &Answer<'_>) -> Value {
    json!({
        "input_tokens": answer.ask.input_tokens,
        "input_tokens_details": {"cached_tokens": answer.cache_read()},
        "output_tokens": answer.output_tokens(),
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens()},
        "total_tokens": answer.ask.input_tokens + answer.output_tokens(),
    })
}
