//! How a job is stored: one byte of version, eight of the time it was enqueued, then the payload as JSON. A frame is
//! written once; what changes in a job's life (tries, times) is kept beside it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::QueueError;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 9;

/// The stored form of a payload.
pub(crate) fn encode(payload: &impl Serialize, enqueued: DateTime<Utc>) -> Result<Vec<u8>, QueueError> {
    let mut frame = Vec::with_capacity(256);
    frame.push(VERSION);
    frame.extend_from_slice(&enqueued.timestamp_millis().to_be_bytes());
    serde_json::to_writer(&mut frame, payload).map_err(QueueError::Encode)?;
    Ok(frame)
}

/// The time at which the job was enqueued and its payload, or `None` for bytes that are no frame of ours.
pub(crate) fn decode(frame: &[u8]) -> Option<(DateTime<Utc>, &[u8])> {
    let (header, payload) = frame.split_first_chunk::<HEADER_BYTES>()?;
    let [version, time @ ..] = *header;
    if version != VERSION {
        return None;
    }
    Some((DateTime::from_timestamp_millis(i64::from_be_bytes(time))?, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_and_its_layout_is_fixed() {
        let time = DateTime::from_timestamp_millis(1_767_322_800_123).unwrap();
        let frame = encode(&"ä", time).unwrap();
        assert_eq!(frame, b"\x01\x00\x00\x01\x9b\x7c\xa5\xcf\xfb\"\xc3\xa4\"".to_vec());
        assert_eq!(decode(&frame), Some((time, "\"ä\"".as_bytes())));
    }

    #[test]
    fn other_bytes_are_no_frame() {
        for bytes in [&b""[..], b"\x01short", b"\x02\0\0\0\0\0\0\0\0{}"] {
            assert_eq!(decode(bytes), None);
        }
    }
}
