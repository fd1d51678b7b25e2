//! x
use super::Frame;
/// x
#[derive(Debug)]
pub struct SseFramer;
/// x
#[derive(Debug)]
pub struct TooLong;
impl SseFramer {
    /// x
    pub fn new(_: usize) -> Self {
        Self
    }
    /// x
    pub fn push(&mut self, _: &[u8], _: &mut Vec<Frame>) -> Result<(), TooLong> {
        Ok(())
    }
    /// x
    pub fn finish(&mut self, _: &mut Vec<Frame>) {}
}
