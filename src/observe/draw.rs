//! Numbers that look drawn and follow from what they are drawn for.

/// A hash of a seed and some bytes: FNV-1a over the bytes, then splitmix64's finalizer.
#[must_use]
pub fn draw(seed: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    let name = bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut z = name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
