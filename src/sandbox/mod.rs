//! Local providers that speak the real wire protocols, with scripted speed and faults.
//!
//! [`Sandbox::start`] opens one listener on loopback and serves every provider under a path of its own, so that the real
//! client, decoder and failover run against it with no key and no network. A [`Scenario`] says how fast each provider
//! is and what it does wrong. A reply is planned as a plain value first (`reply`, with one `dialect` per protocol) and
//! then played on the clock (`server`): the same seed and the same requests give the same bytes after the same delays.
//!
//! Nothing here decides, routes or classifies: it is the other end of the wire.

mod answer;
mod anthropic;
mod dialect;
mod fault;
mod openai;
mod reply;
mod scenario;
mod server;

pub use fault::Fault;
pub use scenario::{Scenario, ScenarioError};
pub use server::{Running, Sandbox, SandboxProvider};

/// The one key that every local provider accepts, as a bearer token or in `x-api-key`. It is no secret.
pub const KEY: &str = "openmux-sandbox";

/// The response header that every reply carries; its value is the name of the scenario.
pub const HEADER: &str = "x-openmux-sandbox";
