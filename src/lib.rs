//! openmux
pub mod catalog;
pub mod chat;
pub mod observe;
pub mod sandbox;
pub mod units;
pub mod upstream;
