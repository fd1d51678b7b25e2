//! Every integration test, in one binary: each further one would link the whole program again.

mod sandbox;
mod support;
