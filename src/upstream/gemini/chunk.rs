//! One chunk of a streamed answer, or a whole answer: both are a `GenerateContentResponse`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::is_recent;
use super::parts::invented_id;
use super::usage::WireUsage;
use crate::catalog::{ErrorFamily, Usage};
use crate::chat::{ChatEvent, Finish, Part};
use crate::upstream::body::{self, unreadable};
use crate::upstream::{Call, DecodeError};

/// An answer as far as it has been read.
#[derive(Debug)]
pub(super) struct Answer {
    family: ErrorFamily,
    /// Whether searches are billed by the query; else by the prompt that led to any.
    bills_queries: bool,
    /// How many calls of tools the conversation held before this answer, so that invented ids stay apart.
    calls_before: usize,
    started: bool,
    /// How many calls of tools this answer has made.
    calls: u32,
    queries: BTreeSet<String>,
    counts: Option<Usage>,
    told: Option<Usage>,
    /// Held back until the end of the bytes.
    finish: Option<(Finish, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    response_id: Option<String>,
    model_version: Option<String>,
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Value>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    content: Option<Content>,
    finish_reason: Option<String>,
    grounding_metadata: Option<Grounding>,
}

#[derive(Debug, Deserialize)]
struct Content {
    parts: Option<Vec<Piece>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
    inline_data: Option<File>,
    file_data: Option<File>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Map<String, Value>>,
    partial_args: Option<Value>,
    will_continue: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    mime_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding {
    web_search_queries: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

impl Answer {
    pub(super) fn new(call: &Call<'_>) -> Self {
        let parts = call.request.messages.iter().flat_map(|message| &message.parts);
        Self {
            family: call.provider.quirks.errors,
            bills_queries: is_recent(call.endpoint),
            calls_before: parts.filter(|part| matches!(part, Part::ToolCall(_))).count(),
            started: false,
            calls: 0,
            queries: BTreeSet::new(),
            counts: None,
            told: None,
            finish: None,
        }
    }

    /// Reads one chunk.
    ///
    /// # Errors
    /// It is cut off or corrupt, or it reports a failure.
    pub(super) fn read(&mut self, text: &str, is_error: bool, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let is_failure = |chunk: &Chunk| chunk.error.as_ref().is_some_and(|error| !error.is_null());
        self.chunk(body::chunk(text, (self.family, is_error), is_failure)?, out)
    }

    /// Reads a whole answer: one object, or the list of chunks that a stream without `alt=sse` is.
    ///
    /// # Errors
    /// It is cut off or corrupt, or it reports a failure.
    pub(super) fn whole(&mut self, text: &str, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.starts_with('[') {
            return self.read(text, false, out);
        }
        let chunks: Vec<Value> = serde_json::from_str(text).map_err(|error| unreadable("the answer", &error))?;
        chunks.iter().try_for_each(|chunk| self.read(&chunk.to_string(), false, out))
    }

    /// The bytes are at an end.
    ///
    /// # Errors
    /// No finish reason was seen.
    pub(super) fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let (finish, native) = self.finish.take().ok_or(DecodeError::Truncated)?;
        // Google knows no reason of its own for calls.
        let finish = if finish == Finish::Stop && self.calls > 0 { Finish::ToolCalls } else { finish };
        out.push(ChatEvent::Finished { finish, native });
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (id, model) = (said(chunk.response_id), said(chunk.model_version));
        if !self.started && (id.is_some() || model.is_some()) {
            self.started = true;
            out.push(ChatEvent::Started { id, model });
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| said(feedback.block_reason)) {
            self.finish = Some((Finish::Filter, reason));
        }
        // Only one answer is asked for; others belong to nobody.
        for candidate in chunk.candidates.into_iter().flatten().filter(|candidate| candidate.index.unwrap_or(0) == 0) {
            for piece in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
                self.piece(piece, out)?;
            }
            self.queries
                .extend(candidate.grounding_metadata.and_then(|told| told.web_search_queries).into_iter().flatten());
            // "Unspecified" is that field's way of being empty.
            let reason = said(candidate.finish_reason).filter(|reason| reason != "FINISH_REASON_UNSPECIFIED");
            if let Some(reason) = reason {
                self.finish = Some((finish_of(&reason), reason));
            }
        }
        match chunk.usage_metadata.as_ref().filter(|counts| !counts.is_null()).map(WireUsage::read) {
            None | Some(Some(None)) => {}
            Some(Some(Some(counts))) => self.counts = Some(counts),
            // Counts that no answer can have are as good as none, also for those before: the answer itself is fine.
            Some(None) => self.counts = self.counts.take().map(|_| Usage::default()),
        }
        self.tell_usage(out);
        Ok(())
    }

    fn piece(&mut self, piece: Piece, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if let Some(file) = piece.inline_data.or(piece.file_data) {
            let mime = file.mime_type.unwrap_or_else(|| "an unknown type".to_owned());
            return Err(DecodeError::Corrupt(format!("the answer holds a file ({mime}), and only text can be read")));
        }
        let text = piece.text.unwrap_or_default();
        if !text.is_empty() {
            let is_thought = piece.thought.unwrap_or(false);
            out.push(if is_thought { ChatEvent::Reasoning(text) } else { ChatEvent::Text(text) });
        }
        // A call's comes before the call.
        if let Some(signature) = piece.thought_signature.filter(|signature| !signature.is_empty()) {
            let index = piece.function_call.as_ref().map(|_| self.calls);
            out.push(ChatEvent::Signature { index, signature });
        }
        piece.function_call.map_or(Ok(()), |call| self.call(call, out))
    }

    /// A call of a tool comes whole.
    fn call(&mut self, call: FunctionCall, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if call.partial_args.is_some() || call.will_continue == Some(true) {
            let problem = "a tool call comes in pieces: streamFunctionCallArguments cannot be read";
            return Err(DecodeError::Corrupt(problem.to_owned()));
        }
        if call.name.is_empty() {
            return Err(DecodeError::Corrupt("a tool call has no name".to_owned()));
        }
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let ordinal = self.calls_before.saturating_add(usize::try_from(index).unwrap_or(usize::MAX));
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| invented_id(ordinal));
        let arguments = Value::Object(call.args.unwrap_or_default()).to_string();
        out.push(ChatEvent::ToolCall { index, id: Some(id), name: Some(call.name), arguments });
        Ok(())
    }

    fn tell_usage(&mut self, out: &mut Vec<ChatEvent>) {
        let Some(counts) = &self.counts else { return };
        let queries = u32::try_from(self.queries.len()).unwrap_or(u32::MAX);
        let web_searches = if self.bills_queries { queries } else { queries.min(1) };
        let usage = Usage { web_searches, ..counts.clone() };
        if self.told.as_ref() != Some(&usage) {
            out.push(ChatEvent::Usage(Box::new(usage.clone())));
            self.told = Some(usage);
        }
    }
}

/// The normalised reason for Google's own word (`metrics.md` 4.4).
fn finish_of(native: &str) -> Finish {
    match native {
        "STOP" => Finish::Stop,
        // A continuation is an answer at the limit of one request.
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION" => Finish::Filter,
        "OTHER"
        | "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "IMAGE_OTHER"
        | "NO_IMAGE"
        | "PUP_LIMITED_DISABLED" => Finish::Error,
        _ => Finish::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_meaning() {
        let rows: [(&[&str], Finish); 5] = [
            (&["STOP"], Finish::Stop),
            (&["MAX_TOKENS", "CONTINUATION"], Finish::Length),
            (&["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"], Finish::Filter),
            (&["MALFORMED_FUNCTION_CALL", "OTHER", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"], Finish::Error),
            (&["NOVELTY", "stop"], Finish::Other),
        ];
        for (natives, expected) in rows {
            natives.iter().for_each(|native| assert_eq!(finish_of(native), expected, "{native}"));
        }
    }
}
