//! Anthropic Messages, from the server's side, in both versions of the API: what clients ask ([`ask`]), and what they hear,
//! whole ([`whole`]) or as a stream ([`stream`]).
//!
//! Where marks of the prompt cache stand is the adapter's matter; that a client set one is the wish for them.

pub mod ask;
mod blocks;
pub mod stream;
pub mod whole;
