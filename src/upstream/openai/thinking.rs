//! How hard to think, in the words of each way of steering ([`Thinking`]).

use serde_json::{Map, Value, json};

use crate::catalog::{Capability, Thinking};
use crate::chat::Effort;
use crate::units::Tokens;
use crate::upstream::Call;
use crate::upstream::steer::{Steer, Ways, steer};

/// What is lacking where a wish cannot be said.
const EFFORT: &str = "this reasoning effort";
const BUDGET: &str = "a reasoning budget";
const OFF: &str = "reasoning switched off";
/// What levels are shares of, where no output limit is known.
const USUAL_LIMIT: u64 = 32_000;

/// Writes a request's wish into a body.
///
/// # Errors
/// The endpoint cannot do it, or its provider's words cannot say it: the name of what it lacks.
pub(super) fn say(call: &Call<'_>, body: &mut Map<String, Value>) -> Result<(), &'static str> {
    let limit = call.request.max_tokens.or(call.endpoint.max_output.map(Tokens::count));
    let steer = steer(call.endpoint, call.request.effort, limit)?;
    let ways = Ways::of(call.endpoint);
    // A level that only became a budget here is not what the person asked for.
    let is_level = !matches!(call.request.effort, Some(Effort::Budget(_)));
    let said = words(call.provider.quirks.thinking, steer, &ways, limit);
    let said = said.map_err(|lack| if lack == BUDGET && is_level { EFFORT } else { lack })?;
    body.extend(said);
    // It asks for nothing but a place of its own for the thinking, which otherwise lies in the text.
    if call.provider.quirks.thinking == Thinking::ReasoningSplit && call.endpoint.can(Capability::Reasoning) {
        body.insert("reasoning_split".into(), true.into());
    }
    Ok(())
}

/// The parameters of one way of steering.
fn words(
    thinking: Thinking,
    steer: Steer,
    ways: &Ways,
    limit: Option<u64>,
) -> Result<Vec<(String, Value)>, &'static str> {
    if steer == Steer::Leave {
        return Ok(Vec::new());
    }
    match thinking {
        Thinking::ReasoningEffort => match steer {
            Steer::Off => Ok(one("reasoning_effort", "none")),
            Steer::On => Ok(one("reasoning_effort", "medium")),
            Steer::Level(level) => Ok(effort(level)),
            _ => Err(BUDGET),
        },
        Thinking::ReasoningObject => Ok(one("reasoning", reasoning_object(steer))),
        Thinking::ReasoningEnabled => switched(steer, ways, |on| one("reasoning", json!({ "enabled": on }))),
        Thinking::ThinkingType => {
            switched(steer, ways, |on| one("thinking", json!({ "type": if on { "enabled" } else { "disabled" } })))
        }
        Thinking::EnableThinking => match steer {
            Steer::Budget(tokens) => Ok(thinking_budget(tokens)),
            // Where the catalog names no levels, a level is a share of the output.
            Steer::Level(level) if level != Effort::None && !ways.levels.contains(&level) => {
                Ok(thinking_budget(level.budget(limit.unwrap_or(USUAL_LIMIT))))
            }
            steer => switched(steer, ways, |on| one("enable_thinking", on)),
        },
        Thinking::TemplateKwargs => template("chat_template_kwargs", steer, ways),
        Thinking::TemplateArgs => template("chat_template_args", steer, ways),
        // It thinks as it sees fit.
        Thinking::ReasoningSplit => match steer {
            Steer::On => Ok(Vec::new()),
            Steer::Off | Steer::Level(Effort::None) => Err(OFF),
            Steer::Budget(_) => Err(BUDGET),
            _ => Err(EFFORT),
        },
        Thinking::PromptMode => match steer {
            Steer::On => Ok(one("prompt_mode", "reasoning")),
            Steer::Level(level) if ways.levels.contains(&level) => Ok(effort(level)),
            Steer::Off | Steer::Level(Effort::None) => Err(OFF),
            Steer::Budget(_) => Err(BUDGET),
            _ => Err(EFFORT),
        },
    }
}

/// A switch of its own, and the effort in OpenAI's field beside it. The switch is left out where the catalog names
/// levels and no switch.
fn switched(
    steer: Steer,
    ways: &Ways,
    switch: impl Fn(bool) -> Vec<(String, Value)>,
) -> Result<Vec<(String, Value)>, &'static str> {
    let has_switch = ways.toggle || ways.levels.is_empty();
    match steer {
        Steer::Off => Ok(switch(false)),
        Steer::Level(Effort::None) if has_switch => Ok(switch(false)),
        Steer::On => Ok(switch(true)),
        Steer::Level(level) if has_switch => Ok([switch(true), effort(level)].concat()),
        Steer::Level(level) => Ok(effort(level)),
        Steer::Budget(_) => Err(BUDGET),
        Steer::Leave => Ok(Vec::new()),
    }
}

/// A variable of the chat template that switches thinking. An effort is said only where the catalog names it: a switch
/// has no degrees.
fn template(name: &str, steer: Steer, ways: &Ways) -> Result<Vec<(String, Value)>, &'static str> {
    match steer {
        Steer::Level(level) if level != Effort::None && !ways.levels.contains(&level) => Err(EFFORT),
        steer => switched(steer, ways, |on| one(name, json!({ "enable_thinking": on }))),
    }
}

fn reasoning_object(steer: Steer) -> Value {
    match steer {
        Steer::Off | Steer::Level(Effort::None) => json!({ "enabled": false }),
        Steer::Level(level) => json!({ "effort": level.word() }),
        Steer::Budget(tokens) => json!({ "max_tokens": tokens }),
        Steer::On | Steer::Leave => json!({ "enabled": true }),
    }
}

fn effort(level: Effort) -> Vec<(String, Value)> {
    one("reasoning_effort", level.word())
}

fn thinking_budget(tokens: u64) -> Vec<(String, Value)> {
    [one("enable_thinking", true), one("thinking_budget", tokens)].concat()
}

fn one(name: &str, value: impl Into<Value>) -> Vec<(String, Value)> {
    vec![(name.to_owned(), value.into())]
}
