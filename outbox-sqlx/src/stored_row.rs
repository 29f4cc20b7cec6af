use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use outbox_core::relay::{DueCursor, Row};
use outbox_core::{Headers, Limits, Message, MessageError, MessageId, Shard};
use uuid::Uuid;

/// A column is not what the statement asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the database answered with an unreadable {0}")]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl From<Unreadable> for sqlx::Error {
    fn from(unreadable: Unreadable) -> Self {
        Self::Decode(Box::new(unreadable))
    }
}

/// A row as the database gave it, still in its buffers.
pub(crate) struct StoredRow<'a> {
    pub(crate) id: i64,
    pub(crate) message_id: &'a [u8],
    pub(crate) shard: i64,
    pub(crate) topic: &'a [u8],
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
    pub(crate) headers: &'a [u8],
    /// Microseconds since the Unix epoch.
    pub(crate) created_at: i64,
    /// Microseconds since the Unix epoch.
    pub(crate) due_at: Option<i64>,
    pub(crate) hold: i64,
    pub(crate) attempts: i64,
}

/// Turns stored rows into messages. Whatever foreign code has put into the table comes out as a row: at worst
/// one with a problem, which the relay can bury by its id.
#[derive(Debug)]
pub(crate) struct RowReader {
    /// The last row's topic, if it was a good one: most rows share it, and share its memory then.
    topic: Option<Arc<str>>,
    /// Payload and headers are what they are once they are stored; only their form counts.
    limits: Limits,
}

impl RowReader {
    pub(crate) fn new() -> Self {
        let mut limits = Limits::default()
            .with_payload_bytes(usize::MAX)
            .with_headers_bytes(usize::MAX);
        limits.headers_count = usize::MAX;
        Self { topic: None, limits }
    }

    pub(crate) fn read(&mut self, stored: &StoredRow<'_>) -> Row {
        let mut problem = None;
        let topic = self.topic(stored.topic, &mut problem);
        // The default content type adds no header; the stored headers, if any, say better right after.
        let id = message_id(stored.message_id, &mut problem);
        let mut builder = Message::restore(topic, id, time(stored.created_at)).payload(
            Bytes::copy_from_slice(stored.payload),
            Headers::DEFAULT_CONTENT_TYPE,
        );
        if let Some(key) = stored.key {
            builder = builder.key(read_key(key, &mut problem));
        }
        if stored.headers != b"{}" {
            builder = builder.headers(read_headers(stored.headers, &mut problem));
        }
        let message = builder.build_unchecked();
        // Names and values of headers are checked nowhere but in the whole message.
        if problem.is_none() && !message.headers().is_empty() {
            problem = message.check(&self.limits).err();
        }
        Row {
            id: stored.id,
            shard: Shard::from_stored(i16::try_from(stored.shard).unwrap_or(-1)),
            due: stored.due_at.map(|due_at| DueCursor {
                due_at,
                id: stored.id,
            }),
            held: stored.hold == 1,
            attempts: u32::try_from(stored.attempts.clamp(0, u32::MAX.into())).unwrap_or(0),
            message,
            problem,
        }
    }

    fn topic(&mut self, bytes: &[u8], problem: &mut Option<MessageError>) -> Arc<str> {
        if let Some(last) = &self.topic
            && last.as_bytes() == bytes
        {
            return last.clone();
        }
        let text = String::from_utf8_lossy(bytes);
        let topic: Arc<str> = text.as_ref().into();
        match Limits::check_topic(&text) {
            Ok(()) => self.topic = Some(topic.clone()),
            Err(error) => note(problem, error),
        }
        topic
    }
}

/// Remembers the first thing that is wrong.
fn note(problem: &mut Option<MessageError>, error: MessageError) {
    problem.get_or_insert(error);
}

fn read_key(bytes: &[u8], problem: &mut Option<MessageError>) -> Arc<str> {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = Limits::check_key(&text) {
        note(problem, error);
    } else if matches!(text, std::borrow::Cow::Owned(_)) {
        // Two keys that differ only in what is no text would become one.
        note(
            problem,
            MessageError::KeyInvalid {
                key: text.escape_debug().to_string(),
            },
        );
    }
    text.as_ref().into()
}

fn read_headers(bytes: &[u8], problem: &mut Option<MessageError>) -> Headers {
    let read = std::str::from_utf8(bytes)
        .map_err(|error| MessageError::HeadersNotAnObject {
            reason: error.to_string(),
        })
        .and_then(Headers::from_json);
    read.unwrap_or_else(|error| {
        note(problem, error);
        Headers::new()
    })
}

/// The id's 16 bytes. SQLite takes any bytes: others make an id that is still the same at every reading.
fn message_id(bytes: &[u8], problem: &mut Option<MessageError>) -> MessageId {
    if let Ok(id) = Uuid::from_slice(bytes) {
        return MessageId(id);
    }
    note(
        problem,
        MessageError::HeaderInvalid {
            name: "message_id".to_owned(),
        },
    );
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(bytes) {
        *to = *from;
    }
    MessageId(Uuid::from_bytes(id))
}

/// A stored time; one that the system's clock can't show counts as the epoch.
pub(crate) fn time(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let time = if micros < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> StoredRow<'static> {
        StoredRow {
            id: 7,
            message_id: &[1; 16],
            shard: 3,
            topic: b"orders",
            key: Some(b"k"),
            payload: b"\xff\x00",
            headers: b"{}",
            created_at: 1,
            due_at: None,
            hold: 0,
            attempts: 0,
        }
    }

    #[test]
    fn a_good_row_is_read_as_it_is() {
        let mut reader = RowReader::new();
        let row = reader.read(&StoredRow {
            headers: br#"{"content-type":"text/plain","n":1}"#,
            ..stored()
        });
        assert_eq!(row.problem, None);
        assert_eq!(row.message.content_type(), "text/plain");
        assert_eq!(row.message.headers().get("n"), Some("1"));
        assert_eq!(&row.message.payload()[..], b"\xff\x00");
        assert_eq!(
            row.message.created_at(),
            SystemTime::UNIX_EPOCH + Duration::from_micros(1)
        );
        let next = reader.read(&stored());
        assert!(Arc::ptr_eq(
            row.message.shared_topic(),
            next.message.shared_topic()
        ));
    }

    #[test]
    fn whatever_is_stored_comes_out_as_a_row() {
        let read = |stored: StoredRow<'_>| RowReader::new().read(&stored);
        for bad in [
            StoredRow {
                topic: b"",
                ..stored()
            },
            StoredRow {
                topic: b"a b",
                ..stored()
            },
            StoredRow {
                topic: b"\xff",
                ..stored()
            },
            StoredRow {
                key: Some(b""),
                ..stored()
            },
            StoredRow {
                key: Some(b"\xff"),
                ..stored()
            },
            StoredRow {
                key: Some(b"a\n"),
                ..stored()
            },
            StoredRow {
                headers: b"[]",
                ..stored()
            },
            StoredRow {
                headers: b"",
                ..stored()
            },
            StoredRow {
                headers: b"\xff",
                ..stored()
            },
            StoredRow {
                headers: br#"{"a":{}}"#,
                ..stored()
            },
            StoredRow {
                headers: br#"{"a":"\r\nb: c"}"#,
                ..stored()
            },
            StoredRow {
                message_id: &[1; 3],
                ..stored()
            },
        ] {
            let row = read(bad);
            assert!(row.problem.is_some(), "{row:?}");
            assert_eq!(row.id, 7);
        }
        let row = read(StoredRow {
            shard: i64::MAX,
            attempts: -1,
            created_at: i64::MIN,
            due_at: Some(i64::MAX),
            hold: -3,
            ..stored()
        });
        assert_eq!((row.shard.number(), row.attempts, row.held), (0, 0, false));
    }
}
