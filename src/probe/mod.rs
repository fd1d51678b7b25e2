//! Measuring providers with calls of our own: what is sent ([`plan`]), what a call came to ([`sample`]), when enough is
//! known ([`verdict`]), the driver ([`run`]), and what it says of each endpoint ([`report`]).
//!
//! Rounds visit every endpoint once, in fresh random order, one after the other, without retries; what it can cost at
//! most is known before the first byte is sent.

pub mod plan;
pub mod report;
pub mod run;
pub mod sample;
pub mod verdict;
