//! Messages as RocketMQ stores them and takes them in batches. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::compression::Compression;

/// Between a property's name and its value.
const IS: char = '\u{1}';
/// After a property.
const END: char = '\u{2}';
/// All properties of a message together.
pub(super) const PROPERTIES_BYTES_MAX: usize = i16::MAX as usize;

/// Which of the two forms a stored message has.
const FORM_1: i32 = -626_843_481;
const FORM_2: i32 = -626_843_477;

/// Bits of a stored message's flag.
mod flag {
    pub(super) const BORN_AT_V6: i32 = 1 << 4;
    pub(super) const STORED_AT_V6: i32 = 1 << 5;
}

/// Properties, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties(String);

impl Properties {
    /// Adds one. False: what divides properties can't be in them.
    pub(super) fn push(&mut self, name: &str, value: &str) -> bool {
        let can_be = |text: &str| !text.contains([IS, END]);
        if !can_be(name) || !can_be(value) {
            return false;
        }
        // An empty one is none to the server: it is as if it were not there.
        self.0.push_str(name);
        self.0.push(IS);
        self.0.push_str(value);
        self.0.push(END);
        true
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(END).filter_map(|property| property.split_once(IS))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

/// A message as it is in a queue.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) queue: i32,
    pub(super) offset: i64,
    pub(super) stored_at: SystemTime,
    /// How often it was delivered and not acknowledged.
    pub(super) failed: u32,
    pub(super) compression: Compression,
    pub(super) topic: String,
    pub(super) properties: Properties,
    pub(super) body: Bytes,
}

impl Record {
    /// All that is there, in its order. What can't be read ends it.
    pub(super) fn all(mut bytes: Bytes) -> Vec<Self> {
        std::iter::from_fn(|| Self::next(&mut bytes)).collect()
    }

    fn next(bytes: &mut Bytes) -> Option<Self> {
        let size = usize::try_from(bytes.first_chunk().map(|size| i32::from_be_bytes(*size))?).ok()?;
        if size < 4 || size > bytes.len() {
            return None;
        }
        let mut record = bytes.split_to(size);
        record.advance(4);
        let form = record.try_get_i32().ok()?;
        if form != FORM_1 && form != FORM_2 {
            return None;
        }
        let _checksum = record.try_get_i32().ok()?;
        let queue = record.try_get_i32().ok()?;
        let _flag = record.try_get_i32().ok()?;
        let offset = record.try_get_i64().ok()?;
        let _log_offset = record.try_get_i64().ok()?;
        let flags = record.try_get_i32().ok()?;
        let _born_at = record.try_get_i64().ok()?;
        address(&mut record, flags & flag::BORN_AT_V6 != 0)?;
        let stored_at = record.try_get_i64().ok()?;
        address(&mut record, flags & flag::STORED_AT_V6 != 0)?;
        let failed = record.try_get_i32().ok()?;
        let _transaction_offset = record.try_get_i64().ok()?;
        let length = record.try_get_i32().ok()?;
        let body = take(&mut record, usize::try_from(length).ok()?)?;
        let length = match form {
            FORM_1 => record.try_get_u8().ok()?.into(),
            _ => record.try_get_u16().ok()?.into(),
        };
        let topic = take(&mut record, length)?;
        let length = record.try_get_i16().ok()?;
        let properties = take(&mut record, usize::try_from(length).ok()?)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Self {
            queue,
            offset,
            stored_at: time(stored_at),
            failed: u32::try_from(failed).unwrap_or(0),
            compression: Compression::of(flags),
            topic: text(&topic),
            properties: Properties(text(&properties)),
            body,
        })
    }
}

/// Milliseconds since 1970.
fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn address(record: &mut Bytes, v6: bool) -> Option<()> {
    take(record, if v6 { 20 } else { 8 }).map(drop)
}

fn take(record: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= record.len()).then(|| record.split_to(length))
}

/// How many bytes a message has in a batch.
pub(super) fn batched_bytes(properties: &Properties, body: &[u8]) -> usize {
    22 + body.len() + properties.as_str().len()
}

/// Puts a message into a batch. Its properties are not longer than [`PROPERTIES_BYTES_MAX`].
pub(super) fn put_batched(batch: &mut BytesMut, properties: &Properties, body: &[u8]) {
    let bytes = batched_bytes(properties, body);
    batch.reserve(bytes);
    batch.put_u32(bytes as u32);
    // No form, no checksum, no flag.
    batch.put_bytes(0, 12);
    batch.put_u32(body.len() as u32);
    batch.put_slice(body);
    batch.put_u16(properties.as_str().len() as u16);
    batch.put_slice(properties.as_str().as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn properties_are_found_again() {
        let mut properties = Properties::default();
        assert!(properties.push("outbox-key", "a b \u{1f511}"));
        assert!(properties.push("empty", ""));
        assert!(!properties.push("x", "a\u{1}b"));
        assert!(!properties.push("x\u{2}", "a"));
        assert_eq!(
            properties.as_str(),
            "outbox-key\u{1}a b \u{1f511}\u{2}empty\u{1}\u{2}"
        );
        assert_eq!(properties.get("empty"), Some(""));
        assert_eq!(properties.get("x"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_panics_nothing(bytes: Vec<u8>, rest in proptest::collection::vec(any::<u8>(), 80..200)) {
            Record::all(bytes.into());
            let mut framed = BytesMut::new();
            framed.put_u32(8 + rest.len() as u32);
            framed.put_i32(FORM_1);
            framed.put_slice(&rest);
            Record::all(framed.freeze());
        }
    }
}
