//! An answer that was begun, as each provider wants it marked ([`Prefill`]).

use serde_json::{Map, Value};

use super::messages::Turn;
use crate::catalog::{Capability, Prefill};
use crate::units::Tokens;
use crate::upstream::Call;
use crate::upstream::steer::{Steer, Ways, steer};

/// Whether an answer can be gone on with. A model that thinks would do so first, where nobody could tell its thoughts
/// from the text; and what becomes of tools is not told by those who take a beginning.
pub(super) fn continues(call: &Call<'_>) -> bool {
    let (request, endpoint) = (call.request, call.endpoint);
    let limit = request.max_tokens.or(endpoint.max_output.map(Tokens::count));
    let thinks = match steer(endpoint, request.effort, limit) {
        Ok(Steer::Leave) => endpoint.can(Capability::Reasoning) || !Ways::of(endpoint).is_unknown(),
        Ok(Steer::Off) => false,
        _ => true,
    };
    let tools = !request.tools.is_empty() || request.extra.contains_key("tools");
    call.provider.quirks.prefill != Prefill::None && !thinks && !tools
}

/// Marks the last message as one to be gone on with.
pub(super) fn mark(way: Prefill, messages: &mut [Turn<'_>], body: &mut Map<String, Value>) {
    let word = match way {
        Prefill::None | Prefill::Plain => return,
        Prefill::Prefix => "prefix",
        Prefill::Partial => "partial",
        Prefill::ContinueFinal => {
            // The header of a new turn, which is the default, would end the one that is to be gone on with.
            body.insert("add_generation_prompt".into(), false.into());
            body.insert("continue_final_message".into(), true.into());
            return;
        }
    };
    if let Some(last) = messages.last_mut() {
        last.put(word, true.into());
    }
}
