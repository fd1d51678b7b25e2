//! x
use super::*;
use bytes::Bytes;
/// x
#[derive(Debug)]
pub struct AnthropicMessages;
impl Adapter for AnthropicMessages {
    fn encode(&self, _: &Call<'_>) -> Result<http::Request<Bytes>, EncodeError> {
        Err(EncodeError::NoOutputLimit)
    }
    fn decoder(&self, _: &Call<'_>) -> Box<dyn Decoder> {
        unimplemented!()
    }
    fn whole(&self, _: &Call<'_>, _: &[u8], _: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        Ok(())
    }
    fn classify(&self, _: &Call<'_>, _: &http::response::Parts, _: &[u8]) -> UpstreamError {
        unimplemented!()
    }
}
