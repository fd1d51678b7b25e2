//! Every integration test, in one binary: each further one would link the whole program again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails; the lint's own exception misses helpers")]

mod bedrock;
mod catalog;
mod classes;
mod classify;
mod cli;
mod conformance;
mod dialects;
mod failover;
mod fixtures;
mod gateway;
mod generated;
mod hedge;
mod help;
mod laws;
mod layering;
mod prefill;
mod probe;
mod readme;
mod sandbox;
mod signing;
mod simulation;
mod store;
mod support;
mod timing;
mod transport;
mod vectors;
mod whose;
