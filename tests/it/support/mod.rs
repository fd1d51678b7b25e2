//! What several tests need: a scripted server, streams as providers send them, and the command in a bare environment.

pub(crate) mod attempts;
pub(crate) mod canary;
pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod decisions;
pub(crate) mod examples;
pub(crate) mod gate;
pub(crate) mod help;
pub(crate) mod overlay;
pub(crate) mod paced;
pub(crate) mod redis;
pub(crate) mod schemas;
mod script;
pub(crate) mod server;
pub(crate) mod stable;
pub(crate) mod tls;
pub(crate) mod wire;
