//! The one integration-test binary.

mod generated;
