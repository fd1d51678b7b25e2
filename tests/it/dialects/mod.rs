//! The rules of each dialect that the laws are held against, told independently of its decoder.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod gemini;
pub(crate) mod responses;
