//! From a chat to what routing needs to know of it: lengths, needs and limits; no prompt text.

use super::session::makers;
use super::shape;
use crate::chat::{ChatRequest, Media, MediaKind, MediaSource, Message, Part};
use crate::routing::{Constraints, Expected, Needs, PRIOR_OUTPUT, RouteRequest};
use crate::units::Tokens;

/// Tokens that an image is expected to take: what Anthropic makes of one of its largest plain size, and near to what the
/// others do.
const IMAGE: u64 = 1_600;
/// More tokens than any image takes anywhere: the dearest known is 48,169, for GPT-4o mini (2,833 and eight tiles of
/// 5,667).
const IMAGE_BOUND: u64 = 50_000;
/// Tokens of a document of unknown size.
const DOCUMENT: u64 = 3_000;
/// What providers put before tools, or before a schema, in instructions of their own: at most 530 tokens are known.
const PREFACE_BOUND: u64 = 1_024;

/// What a piece of the request weighs.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// Expected, in quarters of a token, so that a text of four characters is one.
    quarters: u64,
    /// At most, in tokens; `None` is not known.
    bound: Option<u64>,
    /// Of what is expected, whole tokens that are a guess from a size in bytes.
    guessed: u64,
}

impl Weight {
    /// Four characters are a token, and a token is at least a byte.
    fn text(text: &str) -> Self {
        Self { quarters: length(text.chars().count()), bound: Some(length(text.len())), guessed: 0 }
    }

    fn tokens(expected: u64, bound: Option<u64>) -> Self {
        Self { quarters: expected.saturating_mul(4), bound, guessed: 0 }
    }

    /// Nobody knows.
    fn guess(tokens: u64) -> Self {
        Self { guessed: tokens, ..Self::tokens(tokens, None) }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            quarters: self.quarters.saturating_add(other.quarters),
            bound: self.bound.zip(other.bound).map(|(one, two)| one.saturating_add(two)),
            guessed: self.guessed.saturating_add(other.guessed),
        }
    }
}

/// What routing needs to know of a chat: lengths, needs and limits; no prompt text.
///
/// Input tokens are estimated: one for every four characters (of text, tool definitions, tool calls and the schema), four
/// a message, 1,600 an image, and one for every twenty bytes of a PDF. The bound is the UTF-8 bytes of all text, since a
/// token is at least one byte, 64 for the chat template and 16 for each further message, 50,000 an image, and 1,024 for
/// the instructions that providers add for tools or a schema. What is inside a PDF cannot be bounded without reading it,
/// so with one the bound is [`Tokens::MAX`], which stands for the endpoint's own window; and a page of pictures has as many
/// tokens as one of text and a hundred times the bytes, so what is expected of a PDF is a guess that rules nobody out.
#[must_use]
pub fn route_request(request: &ChatRequest, constraints: Constraints) -> RouteRequest {
    let messages = length(request.messages.len());
    let mut weight = Weight::tokens(4 * messages, Some(64 + 16 * messages.saturating_sub(1)));
    for message in &request.messages {
        weight = weight.plus(message_weight(message));
    }
    for tool in &request.tools {
        weight = weight.plus(Weight::text(&tool.name)).plus(Weight::text(&tool.parameters.to_string()));
        weight = weight.plus(Weight::text(tool.description.as_deref().unwrap_or_default()));
        weight = weight.plus(Weight::tokens(8, Some(64)));
    }
    if let Some(schema) = &request.schema {
        weight = weight.plus(Weight::text(&schema.schema.to_string()));
    }
    let prefaces = u64::from(!request.tools.is_empty()) + u64::from(request.schema.is_some());
    weight = weight.plus(Weight::tokens(0, Some(PREFACE_BOUND * prefaces)));
    let of_kind = |kind: MediaKind| request.media().any(|media| media.kind == kind);
    RouteRequest {
        input: Tokens::new(weight.quarters.div_ceil(4)),
        input_estimated: true,
        input_bound: weight.bound.map_or(Tokens::MAX, Tokens::new),
        guessed: Tokens::new(weight.guessed),
        expected_output: PRIOR_OUTPUT,
        output_from: Expected::Assumed,
        max_output: request.max_tokens.map(Tokens::new),
        stream: request.stream,
        needs: Needs {
            temperature: request.temperature.is_some(),
            tools: !request.tools.is_empty() || request.extra.contains_key("tools"),
            images: of_kind(MediaKind::Image),
            pdfs: of_kind(MediaKind::Pdf),
        },
        state: makers(&request.messages),
        ..shape(&request.model, Tokens::ZERO, PRIOR_OUTPUT, Tokens::ZERO, constraints)
    }
}

fn message_weight(message: &Message) -> Weight {
    message.parts.iter().map(part_weight).fold(Weight::tokens(0, Some(0)), Weight::plus)
}

fn part_weight(part: &Part) -> Weight {
    match part {
        Part::Text(text) => Weight::text(text),
        Part::Media(media) => media_weight(media),
        Part::ToolCall(call) => {
            let signature = Weight::text(call.signature.as_deref().unwrap_or_default());
            Weight::text(&call.name)
                .plus(Weight::text(&call.arguments))
                .plus(Weight::text(&call.id))
                .plus(signature)
                .plus(Weight::tokens(8, Some(64)))
        }
        Part::ToolResult(result) => result
            .content
            .iter()
            .map(part_weight)
            .fold(Weight::text(&result.call_id).plus(Weight::tokens(8, Some(64))), Weight::plus),
        Part::Reasoning { text, signature } => {
            Weight::text(text).plus(Weight::text(signature.as_deref().unwrap_or_default()))
        }
    }
}

fn media_weight(media: &Media) -> Weight {
    match (media.kind, &media.source) {
        (MediaKind::Image, _) => Weight::tokens(IMAGE, Some(IMAGE_BOUND)),
        (MediaKind::Pdf, MediaSource::Bytes(bytes)) => Weight::guess((length(bytes.len()) / 20).max(DOCUMENT)),
        (MediaKind::Pdf, MediaSource::Url(_)) => Weight::guess(DOCUMENT),
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelId;
    use crate::chat::{AnswerSchema, Role, Tool};

    fn weigh(change: impl FnOnce(&mut ChatRequest)) -> (u64, u64) {
        let messages = vec![Message::text(Role::User, "12345678")];
        let mut request = ChatRequest::new(ModelId::new("a/b"), messages);
        change(&mut request);
        let routed = route_request(&request, Constraints::default());
        (routed.input.count(), routed.input_bound.count())
    }

    fn media(kind: MediaKind, source: MediaSource) -> Part {
        Part::Media(Media { kind, mime: String::new(), source, name: None, detail: None })
    }

    #[test]
    fn everything_that_goes_along_is_weighed() {
        assert_eq!(weigh(|_| {}), (6, 72));
        assert_eq!(weigh(|request| request.messages.push(Message::text(Role::User, "1234"))), (11, 92));
        let url = || MediaSource::Url("https://example.com/a".to_owned());
        let image = media(MediaKind::Image, url());
        assert_eq!(weigh(|request| request.messages[0].parts.push(image)), (1_606, 50_072));
        let pdf = media(MediaKind::Pdf, MediaSource::Bytes(vec![0; 200_000].into()));
        assert_eq!(weigh(|request| request.messages[0].parts.push(pdf)), (10_006, Tokens::MAX.count()));
        let pdf = media(MediaKind::Pdf, MediaSource::Bytes(vec![0; 200_000].into()));
        let mut request = ChatRequest::new(ModelId::new("a/b"), vec![Message::text(Role::User, "12345678")]);
        request.messages[0].parts.push(pdf);
        assert_eq!(route_request(&request, Constraints::default()).known_input(), Tokens::new(6), "without the guess");
        let pdf = media(MediaKind::Pdf, url());
        assert_eq!(weigh(|request| request.messages[0].parts.push(pdf)), (3_006, Tokens::MAX.count()));
        let tool = Tool { name: "look".to_owned(), description: None, parameters: serde_json::json!({}), strict: None };
        // The name, the schema `{}`, and what surrounds a tool.
        assert_eq!(weigh(|request| request.tools.push(tool)), (6 + 8 + 2, 72 + 4 + 2 + 64 + 1_024));
        let schema = AnswerSchema { name: "answer".to_owned(), schema: serde_json::json!({"a": 1}) };
        assert_eq!(weigh(|request| request.schema = Some(schema)), (6 + 2, 72 + 7 + 1_024));
    }
}
