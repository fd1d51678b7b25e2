//! openmux
pub mod catalog;
pub mod chat;
pub mod cli;
pub mod dispatch;
pub mod observe;
pub mod routing;
pub mod sandbox;
pub mod store;
pub mod units;
pub mod upstream;
