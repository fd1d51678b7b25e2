//! The body of a request, and what of it cannot be said: one walk finds both, so that they cannot disagree.

use serde_json::{Map, Number, Value, json};

use super::marks::Marks;
use super::turns::{Turns, text_block};
use super::vendor::{Vendor, vendor};
use crate::catalog::{Capability, Prefill};
use crate::chat::{CachePlace, Message, Part, Role, ToolChoice};
use crate::units::Tokens;
use crate::upstream::Call;
use crate::upstream::steer::{Steer, steer};

/// The API's own members that a caller may set; whatever else it sets is the model's (`additionalModelRequestFields`).
const OWN: [&str; 11] = [
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "outputConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "toolConfig",
];
const MODEL_FIELDS: &str = "additionalModelRequestFields";

/// Whether an answer can be gone on with: as at the models' maker, neither may the model think before it, nor may a tool
/// be forced upon it.
pub(super) fn continues(call: &Call<'_>) -> bool {
    let request = call.request;
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let limit = request.max_tokens.or(call.endpoint.max_output.map(Tokens::count));
    let silent = matches!(steer(call.endpoint, request.effort, limit), Ok(Steer::Leave | Steer::Off));
    let own = request.extra.keys().all(|name| OWN.contains(&name.as_str()) && name != MODEL_FIELDS);
    call.provider.quirks.prefill == Prefill::Plain && !forced && silent && own
}

/// A body as far as it has been made, and what it lacks.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) body: Map<String, Value>,
    /// None twice.
    pub(super) lacks: Vec<&'static str>,
}

impl Draft {
    /// Puts a request into the API's words.
    pub(super) fn of(call: &Call<'_>) -> Self {
        let request = call.request;
        let vendor = vendor(&call.endpoint.model);
        let marks = Marks::of(call, vendor);
        let mut draft = Self::default();
        let turns = Turns::of(&request.messages, marks);
        draft.body.insert("messages".into(), turns.values.into());
        turns.lacks.into_iter().for_each(|what| draft.lack(what));
        draft.system(&request.messages, marks);
        draft.inference(call);
        draft.tools(call, marks);
        if let Some(answer) = &request.schema {
            // The schema goes as text.
            let schema = json!({ "schema": answer.schema.to_string(), "name": answer.name });
            let format = json!({ "type": "json_schema", "structure": { "jsonSchema": schema } });
            draft.body.insert("outputConfig".into(), json!({ "textFormat": format }));
        }
        draft.model_fields(call, vendor);
        for (name, value) in &request.extra {
            if OWN.contains(&name.as_str()) {
                draft.lay_over(name, value);
            } else {
                draft.lay_over(MODEL_FIELDS, &json!({ name: value }));
            }
        }
        draft
    }

    fn lack(&mut self, what: &'static str) {
        if !self.lacks.contains(&what) {
            self.lacks.push(what);
        }
    }

    /// Sets a member; where both are objects, what is in it, one by one.
    fn lay_over(&mut self, name: &str, value: &Value) {
        match (self.body.get_mut(name), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => ours.extend(theirs.clone()),
            _ => {
                self.body.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn system(&mut self, messages: &[Message], marks: Marks<'_>) {
        let is_instruction = |message: &Message| matches!(message.role, Role::System | Role::Developer);
        let mut blocks: Vec<Value> = Vec::new();
        for (number, message) in messages.iter().enumerate().filter(|(_, message)| is_instruction(message)) {
            for (at, part) in message.parts.iter().enumerate() {
                match part.as_text() {
                    Some(text) => blocks.extend(text_block(text)),
                    None => self.lack("anything but text in instructions"),
                }
                marks.put(
                    &mut blocks,
                    |place| matches!(place, CachePlace::Part { message, part, .. } if (message, part) == (number, at)),
                );
            }
        }
        if blocks.is_empty() {
            return;
        }
        marks.put_usual(&mut blocks);
        self.body.insert("system".into(), blocks.into());
    }

    fn inference(&mut self, call: &Call<'_>) {
        let request = call.request;
        let mut config = Map::new();
        if let Some(limit) = request.max_tokens {
            config.insert("maxTokens".into(), limit.into());
        }
        for (name, value) in [("temperature", &request.temperature), ("topP", &request.top_p)] {
            let Some(value) = value else { continue };
            // Who refuses a temperature refuses the other parameters of sampling too.
            if call.endpoint.can(Capability::NoTemperature) {
                self.lack(if name == "topP" { "top_p" } else { name });
            }
            if exceeds_one(value) {
                self.lack("a temperature or top_p above 1");
            }
            config.insert(name.into(), Value::Number(value.clone()));
        }
        if !request.stop.is_empty() {
            config.insert("stopSequences".into(), request.stop.clone().into());
        }
        if !config.is_empty() {
            self.body.insert("inferenceConfig".into(), config.into());
        }
    }

    fn tools(&mut self, call: &Call<'_>, marks: Marks<'_>) {
        let request = call.request;
        let parts = || request.messages.iter().flat_map(|message| &message.parts);
        let in_history = parts().any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
        let forbidden = request.tool_choice == Some(ToolChoice::None);
        // The API refuses calls in the conversation where no tool is defined, and has no word for "call none".
        if in_history && request.tools.is_empty() && !request.extra.contains_key("toolConfig") {
            self.lack("tool calls in the conversation without their tools");
        }
        if in_history && forbidden && !request.tools.is_empty() {
            self.lack("a ban on tool calls after some were made");
        }
        // Several calls in one answer are what it does anyway.
        if request.parallel_tools == Some(false) && !request.tools.is_empty() && !forbidden {
            self.lack("at most one tool call in an answer");
        }
        if request.tools.is_empty() || forbidden {
            return;
        }
        let spec = |tool: &crate::chat::Tool| {
            let mut spec = Map::new();
            spec.insert("name".into(), tool.name.as_str().into());
            if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
                spec.insert("description".into(), description.into());
            }
            spec.insert("inputSchema".into(), json!({ "json": tool.parameters }));
            if let Some(strict) = tool.strict {
                spec.insert("strict".into(), strict.into());
            }
            json!({ "toolSpec": spec })
        };
        let mut tools: Vec<Value> = Vec::new();
        for (number, tool) in request.tools.iter().enumerate() {
            tools.push(spec(tool));
            marks.put(&mut tools, |place| place == CachePlace::Tool(number));
        }
        marks.put_usual(&mut tools);
        let mut config = Map::from_iter([("tools".to_owned(), Value::from(tools))]);
        let choice = match &request.tool_choice {
            None | Some(ToolChoice::None) => None,
            Some(ToolChoice::Auto) => Some(json!({ "auto": {} })),
            Some(ToolChoice::Required) => Some(json!({ "any": {} })),
            Some(ToolChoice::Named(name)) => Some(json!({ "tool": { "name": name } })),
        };
        config.extend(choice.map(|choice| ("toolChoice".to_owned(), choice)));
        self.body.insert("toolConfig".into(), config.into());
    }

    fn model_fields(&mut self, call: &Call<'_>, vendor: Vendor) {
        let mut fields = vendor.reasoning(call.endpoint, call.request).unwrap_or_else(|what| {
            self.lack(what);
            Map::new()
        });
        if let Some(seed) = call.request.seed {
            match vendor.seed {
                Some(name) => {
                    fields.insert(name.to_owned(), seed.into());
                }
                None => self.lack("a seed"),
            }
        }
        if !fields.is_empty() {
            self.body.insert(MODEL_FIELDS.into(), fields.into());
        }
    }
}

fn exceeds_one(value: &Number) -> bool {
    value.as_f64().is_some_and(|value| value > 1.0)
}
