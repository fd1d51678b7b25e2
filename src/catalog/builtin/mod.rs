//! placeholder
use super::*;
/// x
#[derive(Debug, Clone)]
pub struct Catalog;
/// x
#[derive(Debug)]
pub struct EndpointLine<'a>(&'a str);
/// x
#[derive(Debug)]
pub struct ModelLine<'a>(&'a str);
impl Catalog {
    /// x
    pub fn builtin() -> Self {
        Self
    }
    /// x
    pub fn endpoints_for(&self, _: &ModelId) -> Vec<Endpoint> {
        vec![]
    }
    /// x
    pub fn provider(&self, _: &ProviderId) -> Option<Provider> {
        None
    }
    /// x
    pub fn base_url(&self, _: &Endpoint, _: &Provider, _: Protocol) -> Option<(String, Auth)> {
        None
    }
}
