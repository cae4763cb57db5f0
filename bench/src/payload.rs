//! Payloads of an exact size that say when they were to be sent, and of which run they are.

const FILLING: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/// Appends the payload of event `number` of `run`; `at_ns` is the time since the epoch at which it was to be sent.
pub fn write(into: &mut Vec<u8>, run: u64, number: u64, at_ns: u64, bytes: usize) {
    let end = into.len() + bytes;
    into.extend_from_slice(format!("{{\"run\":{run},\"number\":{number},\"at_ns\":{at_ns},\"filling\":\"").as_bytes());
    while into.len() + 2 < end {
        into.extend(FILLING.iter().take(end - 2 - into.len()));
    }
    into.extend_from_slice(b"\"}");
}

/// The number after `"name":` in a payload.
pub fn read(payload: &[u8], name: &str) -> Option<u64> {
    let mark = format!("\"{name}\":");
    // Near the beginning, or nowhere.
    let head = payload.get(..payload.len().min(160))?;
    let at = head.windows(mark.len()).position(|window| window == mark.as_bytes())?;
    let mut digits = payload.get(at + mark.len()..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_its_size_and_is_read_back() {
        let mut payload = Vec::new();
        write(&mut payload, 7, 42, 1_700_000_000_123_456_789, 1_024);
        assert_eq!(payload.len(), 1_024);
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(json["number"], 42);
        assert_eq!((read(&payload, "run"), read(&payload, "at_ns")), (Some(7), Some(1_700_000_000_123_456_789)));
        assert_eq!(read(&payload, "nothing"), None);
    }
}
