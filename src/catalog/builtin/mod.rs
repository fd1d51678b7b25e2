//! placeholder
/// x
#[derive(Debug)]
pub struct Catalog;
/// x
#[derive(Debug)]
pub struct EndpointLine;
/// x
#[derive(Debug)]
pub struct ModelLine;
