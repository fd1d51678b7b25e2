//! `openmux help dialects`: what clients of hosted gateways say about routing, from the table that reads it.

use super::{WIDTH, wrap};
use crate::gateway::codec::options::rows;

const BEFORE: &str = "\
Options of hosted gateways that `openmux serve` takes in the body of a
request, in every dialect, and in POST /v1/route/explain, which shows
what they come to (?dialect=chat, responses or messages says which API
the body is of). What cannot be honoured is refused (400, with the
place and a fix) where it is not negotiable, and else a warning:
x-openmux-warning. Two options that contradict each other are refused,
and both are named; so is a member of provider, openmux and the other
objects below that is none of these. A request narrows what the
gateway's own configuration allows, and never widens it (403). --flags
are those of `openmux chat`.

Parameters, tools and items that one API alone has go on untouched to
providers that speak it, and these are asked first. Where nobody of a
model does, what an answer can be without is left out, and
x-openmux-dropped names it: a search or a picture by the provider, the
name of whoever speaks, marks of an account, what openmux has never
heard of. What an answer cannot be without is refused (400): a tool of
another kind than a function, a predicted text, another sampling.
Functions in a group (namespace, as Codex has them) are told to
everybody as GROUP__FUNCTION, and called by their own names again.

What clients of Messages insist on: input_tokens and output_tokens are
numbers, before a provider has told them by estimate (usage.estimated
names which); a context_management that only clears thoughts and
results of tools is left undone where a provider does not know it
(x-openmux-dropped names it), and so is an effort (output_config) where
nothing is said of thinking. Clients of Anthropic (anthropic-version,
x-api-key) get its list at /v1/models, in pages.

A chain of models: the next one is asked where nobody is left for the
one before, and only before anything of an answer has come. model says
who answered, and x-openmux-fallback names it; x-openmux-attempts and
previous_errors have the attempts at all of them.
";

/// The topic.
pub(super) fn text() -> String {
    let mut text = BEFORE.to_owned();
    let mut last = "";
    for (whose, row) in rows() {
        if whose != last {
            text += &format!("\n{whose}\n\n");
            last = whose;
        }
        text += &format!("  {}\n", row.option);
        for line in wrap(row.becomes, WIDTH - 12) {
            text += &format!("      {line}\n");
        }
    }
    text
}
