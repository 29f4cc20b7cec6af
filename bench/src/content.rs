//! What is written: the same on both sides of every comparison, and built outside of what is timed.

use std::fmt::Write;

use bytes::Bytes;

/// The topic of every message.
pub(crate) const TOPIC: &str = "bench.orders";
/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 256;
/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 16;

/// Digits of the number that a payload begins with.
const DIGITS: usize = 10;
const BEFORE: &str = r#"{"n":""#;
const BETWEEN: &str = r#"","pad":""#;
const AFTER: &str = r#""}"#;

/// A JSON document of [`PAYLOAD_BYTES`] that holds its number.
pub(crate) fn payload(number: u64) -> Bytes {
    let mut text = String::with_capacity(PAYLOAD_BYTES);
    text.push_str(BEFORE);
    let _ = write!(text, "{number:0DIGITS$}");
    text.push_str(BETWEEN);
    while text.len() < PAYLOAD_BYTES - AFTER.len() {
        text.push('x');
    }
    text.push_str(AFTER);
    text.into()
}

/// The number in a payload.
pub(crate) fn number_in(payload: &[u8]) -> Option<u64> {
    let digits = payload.get(BEFORE.len()..BEFORE.len() + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The parts of a payload before and after its number, for statements that build payloads in the database.
pub(crate) fn payload_parts() -> (&'static str, String) {
    let pad = PAYLOAD_BYTES - BEFORE.len() - DIGITS - BETWEEN.len() - AFTER.len();
    (BEFORE, format!("{BETWEEN}{}{AFTER}", "x".repeat(pad)))
}

/// A key of [`KEY_BYTES`].
pub(crate) fn key(number: u64) -> String {
    format!("key-{number:0width$}", width = KEY_BYTES - "key-".len())
}

/// What the clients of a publish comparison draw from: both sides bind these very bytes.
#[derive(Debug)]
pub(crate) struct Content {
    keys: Vec<String>,
    pub(crate) payload: Bytes,
}

impl Content {
    const KEYS: u64 = 4_096;

    pub(crate) fn new() -> Self {
        Self {
            keys: (0..Self::KEYS).map(key).collect(),
            payload: payload(0),
        }
    }

    /// The key of the n-th message.
    pub(crate) fn key(&self, n: u64) -> &str {
        &self.keys[(n % Self::KEYS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_promised_and_the_number_is_found() {
        let payload = payload(42);
        assert_eq!(payload.len(), PAYLOAD_BYTES);
        assert_eq!(number_in(&payload), Some(42));
        assert_eq!(key(7).len(), KEY_BYTES);
        let (before, after) = payload_parts();
        assert_eq!(format!("{before}{:010}{after}", 42).as_bytes(), &payload[..]);
        serde_json::from_slice::<serde_json::Value>(&payload).unwrap();
    }
}
