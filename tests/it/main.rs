//! Every integration test, in one binary: each further one would link the whole program again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails; the lint's own exception misses helpers")]

mod classify;
mod cli;
mod conformance;
mod fixtures;
mod generated;
mod sandbox;
mod support;
