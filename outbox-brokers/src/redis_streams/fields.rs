//! A message as an entry of a stream, and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use outbox_core::{Message, PublishError};

use crate::mapping::{Mapping, Place};

/// The field with the payload.
pub(super) const PAYLOAD: &str = "payload";
/// The only group that is to receive it: one that was redriven.
pub(super) const FOR_GROUP: &str = "outbox-for-group";
/// How often a dead letter was tried.
pub(super) const ATTEMPTS: &str = "outbox-attempts";
/// What was wrong with it the last time.
pub(super) const ERROR: &str = "outbox-error";
/// Most words of an entry: a script can't hand more of them on. Of a dead letter that somebody else has appended with more, the rest
/// is dropped.
pub(super) const WORDS_MAX: usize = 4_000;

/// An entry's words: name, value, name, value.
pub(super) type Words = Vec<Vec<u8>>;

/// The words of a message.
pub(super) fn words(message: &Message, mapping: &Mapping) -> Result<Words, PublishError> {
    let fields = mapping.fields(message);
    if fields.iter().any(|(name, _)| name == PAYLOAD) {
        return Err(PublishError::invalid(
            "no header can be called \"payload\" with Redis Streams: the payload is",
        ));
    }
    let mut words = Words::with_capacity(fields.len() * 2 + 2);
    for (name, value) in fields {
        words.push(name.into_owned().into_bytes());
        words.push(value.into_owned().into_bytes());
    }
    words.push(PAYLOAD.into());
    words.push(message.payload().to_vec());
    match words.len() <= WORDS_MAX {
        true => Ok(words),
        false => Err(PublishError::invalid(
            "it has more headers than an entry can hold",
        )),
    }
}

/// An entry's fields.
pub(super) struct Entry {
    payload: Bytes,
    fields: Vec<(String, String)>,
}

impl Entry {
    pub(super) fn of(words: &Words) -> Self {
        let mut entry = Self {
            payload: Bytes::new(),
            fields: Vec::with_capacity(words.len() / 2),
        };
        for field in words.chunks_exact(2) {
            let (name, value) = (&field[0], &field[1]);
            if name == PAYLOAD.as_bytes() {
                entry.payload = value.clone().into();
            } else {
                // Headers are text; what is none is shown as well as it can be.
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                entry.fields.push((text(name), text(value)));
            }
        }
        entry
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name)?;
        Some(&found.1)
    }

    /// The message at this id of a stream.
    pub(super) fn message(&self, topic: Arc<str>, mapping: &Mapping, stream: &str, id: &str) -> Message {
        let place = Place {
            unique: &format_args!("{stream}/{id}"),
            published: time_of(id),
        };
        let fields = self.fields.iter().map(|(name, value)| (&**name, &**value));
        mapping.message(topic, self.payload.clone(), fields, &place)
    }
}

/// When an entry was appended, by the server's clock: ids begin with the milliseconds.
pub(super) fn time_of(id: &str) -> SystemTime {
    let (ms, _) = parts(id);
    UNIX_EPOCH + Duration::from_millis(ms)
}

/// An id as one number, in order: for up to a million entries of one millisecond, until the year 2554.
pub(super) fn offset(id: &str) -> u64 {
    let (ms, sequence) = parts(id);
    ms.saturating_mul(1_000_000).saturating_add(sequence)
}

/// The two numbers of an id.
pub(super) fn parts(id: &str) -> (u64, u64) {
    let (ms, sequence) = id.split_once('-').unwrap_or((id, "0"));
    (ms.parse().unwrap_or(0), sequence.parse().unwrap_or(0))
}
