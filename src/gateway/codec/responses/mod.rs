//! OpenAI Responses, from the server's side: what clients ask ([`ask`]), and what they hear, whole ([`whole`]) or as a stream
//! ([`stream`]).
//!
//! Nothing is stored here: a response says so (`store: false`), its reasoning comes encrypted where its maker signs it, and
//! what would need a store (`previous_response_id`, `background`) is refused.

pub mod ask;
mod items;
pub mod stream;
mod tools;
pub mod whole;
