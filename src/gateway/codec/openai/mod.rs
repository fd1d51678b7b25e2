//! OpenAI Chat Completions, from the server's side: what clients ask ([`ask`]), and what they hear, whole ([`whole`]) or as
//! a stream ([`chunk`]). The command line writes and reads conversations in the same form.

pub mod ask;
pub mod chunk;
mod marks;
pub(crate) mod messages;
mod parts;
pub mod reasoning;
pub mod thoughts;
pub(crate) mod tools;
pub mod whole;
