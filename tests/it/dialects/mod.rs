//! What the laws of conformance need to know of one protocol: its end, strangers to it, and the fields that it reads.

pub(crate) mod bedrock;
