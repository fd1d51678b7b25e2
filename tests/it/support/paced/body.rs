//! How the bytes of a response are cut up on their way to the wire.

/// How the bytes are cut up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Each write is a chunk of HTTP.
    Whole,
    /// Each chunk goes in three writes.
    Split,
    /// Wherever a character has several bytes it lies in two chunks.
    Characters,
    /// Each byte is a chunk.
    Bytes,
    /// Compressed.
    Gzip,
}

/// The body of a response on its way to the wire.
#[derive(Debug)]
pub(crate) struct Body {
    cut: Cut,
    begun: bool,
    crc: u32,
    length: u32,
}

impl Body {
    /// An empty one.
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, begun: false, crc: u32::MAX, length: 0 }
    }

    /// The writes that these bytes become.
    pub(crate) fn writes(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        if bytes.is_empty() {
            return Vec::new();
        }
        match self.cut {
            Cut::Whole => vec![chunk(bytes)],
            Cut::Split => {
                let whole = chunk(bytes);
                whole.chunks(whole.len().div_ceil(3)).map(<[u8]>::to_vec).collect()
            }
            Cut::Bytes => bytes.chunks(1).map(chunk).collect(),
            Cut::Characters => {
                // Before each byte that goes on with a character.
                let cuts = (1..bytes.len()).filter(|at| bytes[*at] & 0xc0 == 0x80);
                let mut places: Vec<usize> = std::iter::once(0).chain(cuts).collect();
                places.push(bytes.len());
                places.windows(2).map(|pair| chunk(&bytes[pair[0]..pair[1]])).collect()
            }
            Cut::Gzip => vec![chunk(&self.stored(bytes, false))],
        }
    }

    /// The writes that end it.
    pub(crate) fn end(&mut self) -> Vec<Vec<u8>> {
        let mut writes = Vec::new();
        if self.cut == Cut::Gzip {
            let mut last = self.stored(b"", true);
            last.extend((!self.crc).to_le_bytes());
            last.extend(self.length.to_le_bytes());
            writes.push(chunk(&last));
        }
        writes.push(b"0\r\n\r\n".to_vec());
        writes
    }

    /// A block of gzip that is stored as it is, so that each goes out whole.
    fn stored(&mut self, bytes: &[u8], last: bool) -> Vec<u8> {
        let mut block = Vec::new();
        if !self.begun {
            block.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
            self.begun = true;
        }
        let length = u16::try_from(bytes.len()).expect("a block of gzip is short");
        block.push(u8::from(last));
        block.extend(length.to_le_bytes());
        block.extend((!length).to_le_bytes());
        block.extend(bytes);
        self.length += u32::from(length);
        for byte in bytes {
            self.crc ^= u32::from(*byte);
            for _ in 0..8 {
                self.crc = if self.crc & 1 == 1 { (self.crc >> 1) ^ 0xedb8_8320 } else { self.crc >> 1 };
            }
        }
        block
    }
}

/// A chunk of HTTP.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
