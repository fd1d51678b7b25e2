//! The event stream of AWS as its servers write it: length-prefixed frames with headers and two checksums.
//!
//! Written from the format's published description alone and with nothing of what the client reads it with, so that the
//! two check each other.

/// The type of a header whose value is text.
const STRING: u8 = 7;

/// One frame: `total length | headers length | CRC of both | headers | payload | CRC of everything before it`.
pub(super) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut named = Vec::new();
    for (name, value) in headers {
        named.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        named.extend_from_slice(name.as_bytes());
        named.push(STRING);
        named.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        named.extend_from_slice(value.as_bytes());
    }
    // 12 bytes of prelude and 4 of checksum.
    let length = 16 + named.len() + payload.len();
    let mut frame = Vec::with_capacity(length);
    frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&u32::try_from(named.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&named);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

/// The checksum of zlib and Ethernet: reflected, polynomial `0xEDB88320`.
fn crc32(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, fold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_eventstream::frame::read_message_from;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_empty_message_is_the_one_of_the_format_s_test_vectors() {
        let bytes = [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(frame(&[], b""), bytes);
    }

    #[test]
    fn another_s_reader_reads_it() {
        let bytes = frame(&[(":event-type", "messageStop"), (":message-type", "event")], "{\"a\":\"é\"}".as_bytes());
        let message = read_message_from(&mut &bytes[..]).unwrap();
        assert_eq!(&message.payload()[..], "{\"a\":\"é\"}".as_bytes());
        let header = |at: usize| {
            let header = &message.headers()[at];
            (header.name().as_str().to_owned(), header.value().as_string().unwrap().as_str().to_owned())
        };
        assert_eq!(header(0), (":event-type".to_owned(), "messageStop".to_owned()));
        assert_eq!(header(1), (":message-type".to_owned(), "event".to_owned()));
    }
}
