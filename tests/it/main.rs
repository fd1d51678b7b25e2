//! The one integration binary.

mod classify;
mod conformance;
mod fixtures;
