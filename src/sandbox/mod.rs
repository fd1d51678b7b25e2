//! x
use crate::catalog::*;
use std::collections::BTreeMap;
/// x
pub const ACCEPTED_KEY: &str = "openmux-sandbox";
/// x
#[derive(Debug)]
pub struct Running;
/// x
#[derive(Debug)]
pub struct Sandbox;
/// x
#[derive(Debug)]
pub struct SandboxProvider {
    /// x
    pub id: ProviderId,
    /// x
    pub protocol: Protocol,
    /// x
    pub name: String,
}
/// x
#[derive(Debug)]
pub struct Scenario;
impl Scenario {
    /// x
    pub fn builtin(_: &str) -> Option<Self> {
        None
    }
    /// x
    pub fn names() -> &'static [&'static str] {
        &[]
    }
    /// x
    pub fn parse(_: &str, _: &str) -> Result<Self, String> {
        Ok(Self)
    }
}
impl Sandbox {
    /// x
    pub async fn start(_: Scenario, _: Vec<SandboxProvider>, _: u16) -> std::io::Result<Running> {
        Ok(Running)
    }
}
impl Running {
    /// x
    pub fn addr(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }
    /// x
    pub fn base_urls(&self) -> &BTreeMap<ProviderId, String> {
        unimplemented!()
    }
}
