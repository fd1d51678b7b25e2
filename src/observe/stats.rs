//! x
/// x
#[derive(Debug)]
pub struct Counts;
/// x
#[derive(Debug)]
pub struct EndpointStats;
/// x
#[derive(Debug)]
pub struct Folded;
/// x
#[derive(Debug)]
pub struct Moments;
/// x
#[derive(Debug)]
pub struct StatsState;
