//! The help topic of failures: the table of the classes, as the code has it.

use std::time::Duration;

use super::super::render::text::wrap;
use crate::observe::{Cooldown, ErrorClass, Failover};

const WIDTH: usize = 72;
/// The longest name of a class, and a gap.
const INDENT: usize = 18;

const HEAD: &str = "\
How an attempt ended is its class: in notes, in attempts[] of chat -o
json, in usage and in providers history. Below each stand its owner,
whether it counts against the provider's availability, what is tried
next, and how long later calls leave the endpoint alone.

";

const TAIL: &str = "
What a provider asks for (Retry-After and its like) is obeyed up to an
hour; beyond that the limit counts as quota. The same endpoint is tried
again only when nobody else is left, --retries times. After text was
shown nothing is sent again.

Where no connection comes up, the next provider is tried at once. When
a second one fails alike, or nobody is left, two other providers that
you have set up are asked whether they can be reached (2 s at most, no
key is sent): if not, it is local_network, and the chat ends. A success
elsewhere within the last minute saves the question. With nobody to ask
the failure is marked unconfirmed, and left out of what is shown of the
provider's availability. This machine's own servers, and the sandbox,
are never asked about. A proxy that lets nothing through, a clock that
is wrong, and certificates that nobody here knows end the chat too.

A request that is refused for a parameter of our own (stream_options),
or for the name of one of yours (max_tokens, max_completion_tokens), is
sent again at once without it, or with the other name; that is said,
is no attempt of its own, and is remembered for 30 days. What you asked
for is never left out: an endpoint that refuses it is passed over.
";

/// The topic.
pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for class in ErrorClass::ALL {
        for (at, line) in wrap(class.meaning(), WIDTH - INDENT - 2).iter().enumerate() {
            let name = if at == 0 { class.name() } else { "" };
            text += &format!("  {name:<INDENT$}{line}\n");
        }
        if !class.is_success() {
            for line in wrap(&consequences(class), WIDTH - INDENT - 2) {
                text += &format!("  {:<INDENT$}{line}\n", "");
            }
        }
    }
    text + TAIL
}

/// Whose it is and what follows, in one line.
fn consequences(class: ErrorClass) -> String {
    let counts = match class {
        ErrorClass::RateLimited => "a share of its own",
        _ if class.is_provider_fault() => "counts",
        _ => "does not count",
    };
    let next = match class.failover() {
        Failover::Done => "done",
        Failover::Next { retry_same: true } => "next provider, then again",
        Failover::Next { retry_same: false } => "next provider",
        Failover::NextIfFits => "next provider that can",
        Failover::Stop => "ends the chat",
    };
    let mut parts = vec![class.owner().to_owned(), counts.to_owned(), next.to_owned()];
    parts.extend(match class.cooldown() {
        Cooldown::None => None,
        Cooldown::Fixed(pause) => Some(format!("rests {}", span(pause))),
        Cooldown::Hint(first, most) => Some(format!("rests as asked, else {} to {}", span(first), span(most))),
        Cooldown::InARow(least, first, most) => {
            Some(format!("rests after {least} in a row, {} to {}", span(first), span(most)))
        }
    });
    format!("({})", parts.join("; "))
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        3600.. => format!("{} h", time.as_secs() / 3600),
        60.. => format!("{} min", time.as_secs() / 60),
        _ => format!("{} s", time.as_secs_f64()),
    }
}
