//! openmux
pub mod catalog;
pub mod chat;
pub mod dispatch;
pub mod observe;
pub mod routing;
pub mod store;
pub mod units;
pub mod upstream;
