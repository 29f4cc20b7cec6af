//! A message as a record of Kafka, and back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use outbox_core::Message;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};

use crate::mapping::{Field, Mapping, Place};

/// When a message that failed is to come again: milliseconds since 1970.
pub(super) const DUE: &str = "outbox-due";
/// Which attempt of it comes then.
pub(super) const ATTEMPT: &str = "outbox-attempt";
/// What is said of dead letters: the topic they come from, how often they were tried, and what was wrong.
pub(super) const TOPIC: &str = "outbox-topic";
pub(super) const ATTEMPTS: &str = "outbox-attempts";
pub(super) const ERROR: &str = "outbox-error";

/// The name under which the mapping has a message's key.
const KEY: &str = "outbox-key";

/// The headers of a record, with `more` of ours. Its key is in the record itself, unless that has another one.
pub(super) fn headers(
    mapping: &Mapping,
    message: &Message,
    more: &[Field<'_>],
    with_key: bool,
) -> OwnedHeaders {
    let fields = mapping.fields(message);
    let mut headers = OwnedHeaders::new_with_capacity(fields.len() + more.len());
    for (name, value) in fields.iter().chain(more) {
        if with_key || name != KEY {
            headers = headers.insert(Header {
                key: name,
                value: Some(value.as_bytes()),
            });
        }
    }
    headers
}

/// A header of a record.
pub(super) fn header<'a>(record: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    fields(record)
        .filter(|(found, _)| *found == name)
        .last()
        .map(|(_, value)| value)
}

/// Headers that are text; ours are.
fn fields<'a>(record: &'a BorrowedMessage<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
    headers.filter_map(|header| Some((header.key, std::str::from_utf8(header.value?).ok()?)))
}

/// The message of a record; `keyed`: the record's key is its key. One without any content is an empty one.
pub(super) fn message(
    mapping: &Mapping,
    topic: Arc<str>,
    record: &BorrowedMessage<'_>,
    keyed: bool,
) -> Message {
    let place = Place {
        unique: &format_args!("{}/{}/{}", record.topic(), record.partition(), record.offset()),
        published: timestamp(record),
    };
    let key = record
        .key()
        .filter(|_| keyed)
        .and_then(|key| std::str::from_utf8(key).ok());
    let payload = Bytes::copy_from_slice(record.payload().unwrap_or_default());
    let fields = key.map(|key| (KEY, key)).into_iter().chain(fields(record));
    mapping.message(topic, payload, fields, &place)
}

/// When it was published.
pub(super) fn timestamp(record: &BorrowedMessage<'_>) -> SystemTime {
    let millis = record
        .timestamp()
        .to_millis()
        .and_then(|millis| u64::try_from(millis).ok());
    UNIX_EPOCH + Duration::from_millis(millis.unwrap_or(0))
}

/// Milliseconds since 1970, as a header has them.
pub(super) fn millis(time: SystemTime) -> Cow<'static, str> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().to_string().into()
}

/// How long it is until then, by this machine's clock. `None`: it is due.
pub(super) fn until(due: &str) -> Option<Duration> {
    let due = UNIX_EPOCH.checked_add(Duration::from_millis(due.parse().ok()?))?;
    due.duration_since(SystemTime::now()).ok()
}
