//! A message as properties of RocketMQ, and back. Pure.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use outbox_core::{Due, Message, PublishError};

use super::record::{PROPERTIES_BYTES_MAX, Properties, Record};
use super::sender::Letter;
use crate::mapping::{Mapping, Place};

/// The id by which RocketMQ and its tools find a message.
const UNIQUE_KEY: &str = "UNIQ_KEY";
/// By which messages of one key are told, in RocketMQ's words.
const SHARDING_KEY: &str = "__SHARDINGKEY";
/// The producer is answered when it is written down.
const WAIT: &str = "WAIT";
/// Milliseconds since 1970, or from now.
const DELIVER_AT: &str = "TIMER_DELIVER_MS";
const DELIVER_AFTER: &str = "TIMER_DELAY_MS";
/// It is a half message, and who prepared it.
pub(super) const PREPARED: &str = "TRAN_MSG";
pub(super) const PRODUCER_GROUP: &str = "PGROUP";
/// The receipt of a message that comes again, where the server writes it.
pub(super) const RECEIPT: &str = "POP_CK";

/// Redriven for this group alone.
pub(super) const FOR_GROUP: &str = "outbox-group";
/// Of a dead letter: its topic, its attempts, what was wrong, and where it was.
pub(super) const TOPIC: &str = "outbox-topic";
pub(super) const ATTEMPTS: &str = "outbox-attempts";
pub(super) const ERROR: &str = "outbox-error";
pub(super) const PLACE: &str = "outbox-place";
/// The message has no content: RocketMQ takes none without, so there is something that stands for it.
const NO_CONTENT: &str = "outbox-no-content";
const SOMETHING: &[u8] = b"-";
/// Names of headers without content, which RocketMQ drops.
const EMPTY: &str = "outbox-empty";

/// What RocketMQ writes beside the properties of users (`MessageConst` of its sources).
const SYSTEM: &[&str] = &[
    "1ST_POP_TIME",
    "ARRIVE_TIME",
    "BUYER_ID",
    "CHECK_IMMUNITY_TIME_IN_SECONDS",
    "CLUSTER",
    "CONSUME_START_TIME",
    "CORRECTION_FLAG",
    "CORRELATION_ID",
    "DELAY",
    "DLQ_ORIGIN_MESSAGE_ID",
    "DLQ_ORIGIN_TOPIC",
    "DUP_INFO",
    "EXTEND_UNIQ_INFO",
    "INNER_BASE",
    "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET",
    "INNER_NUM",
    "INSTANCE_ID",
    "KEYS",
    "MAX_OFFSET",
    "MAX_RECONSUME_TIMES",
    "MIN_OFFSET",
    "MQ2_FLAG",
    "MSG_REGION",
    "MSG_TYPE",
    "ORIGIN_MESSAGE_ID",
    "PGROUP",
    "POP_CK",
    "PUSH_REPLY_TIME",
    "REAL_QID",
    "REAL_TOPIC",
    "RECONSUME_TIME",
    "REPLY_TO_CLIENT",
    "RETRY_TOPIC",
    "TAGS",
    "TRACE_CONTEXT",
    "TRACE_ON",
    "TRANSACTION_CHECK_TIMES",
    "TRANSFER_FLAG",
    "TRAN_MSG",
    "TRAN_PREPARED_QUEUE_OFFSET",
    "TTL",
    "UNIQ_KEY",
    "WAIT",
];

/// Whether RocketMQ wrote it.
fn is_system(name: &str) -> bool {
    SYSTEM.binary_search(&name).is_ok() || name.starts_with("__") || name.starts_with("TIMER_")
}

/// A message as it is sent, with more properties of our own.
pub(super) fn letter(
    message: &Message,
    mapping: &Mapping,
    more: &[(&str, Cow<'_, str>)],
) -> Result<Letter, PublishError> {
    let no_content = message.payload().is_empty();
    Ok(Letter {
        properties: properties(message, mapping, no_content, more)?,
        body: match no_content {
            true => Bytes::from_static(SOMETHING),
            false => message.payload().clone(),
        },
        alone: message.due() != Due::Now,
    })
}

fn properties(
    message: &Message,
    mapping: &Mapping,
    no_content: bool,
    more: &[(&str, Cow<'_, str>)],
) -> Result<Properties, PublishError> {
    let mut properties = Properties::default();
    let mut empty: Vec<Cow<'_, str>> = Vec::new();
    let mut push = |name: &str, value: &str| match properties.push(name, value) {
        true => Ok(()),
        false => Err(PublishError::invalid(format!(
            "the header {name:?} has a character that RocketMQ divides properties by (U+0001 or U+0002)"
        ))),
    };
    let id = message.id().to_string();
    push(UNIQUE_KEY, &id)?;
    push(WAIT, "true")?;
    if let Some(key) = message.key() {
        push(SHARDING_KEY, key)?;
    }
    match message.due() {
        Due::Now => {}
        Due::After(delay) => push(DELIVER_AFTER, &delay.as_millis().to_string())?,
        Due::At(time) => {
            push(DELIVER_AT, &millis(time).to_string())?;
        }
    }
    for (name, value) in mapping.fields(message) {
        if is_system(&name) {
            return Err(PublishError::invalid(format!(
                "the header {name:?} has a name that RocketMQ uses itself"
            )));
        }
        match value.is_empty() {
            true => empty.push(name),
            false => push(&name, &value)?,
        }
    }
    for (name, value) in more {
        if !value.is_empty() {
            push(name, value)?;
        }
    }
    if no_content {
        push(NO_CONTENT, "true")?;
    }
    if !empty.is_empty() {
        push(EMPTY, &empty.join(" "))?;
    }
    let bytes = properties.as_str().len();
    if bytes > PROPERTIES_BYTES_MAX {
        return Err(PublishError::invalid(format!(
            "its headers have {bytes} bytes, and RocketMQ takes {PROPERTIES_BYTES_MAX} at most"
        )));
    }
    Ok(properties)
}

/// A message as it was published.
pub(super) fn message(record: &Record, topic: Arc<str>, mapping: &Mapping) -> Message {
    let empty = record.properties.get(EMPTY).unwrap_or_default();
    let empty = empty
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| (name, ""));
    let fields = record.properties.iter().filter(|(name, _)| !is_system(name));
    let unique = record.properties.get(UNIQUE_KEY);
    let place = format!("{}/{}/{}", record.topic, record.queue, record.offset);
    let place = Place {
        // It stays when a message comes again from elsewhere.
        unique: &unique.unwrap_or(&place),
        published: record.stored_at,
    };
    let key = record.properties.get(SHARDING_KEY).map(|key| ("outbox-key", key));
    // Ours say it as well, and later.
    let fields = key.into_iter().chain(fields).chain(empty);
    let content = match record.properties.get(NO_CONTENT) {
        Some(_) => Bytes::new(),
        None => record.body.clone(),
    };
    mapping.message(topic, content, fields, &place)
}

/// Milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_searched_in_their_order() {
        assert!(SYSTEM.is_sorted());
        for name in ["WAIT", "__SHARDINGKEY", "TIMER_ROLL_TIMES", "1ST_POP_TIME"] {
            assert!(is_system(name), "{name}");
        }
        for name in ["tenant", "TENANT", "outbox-id", "traceparent"] {
            assert!(!is_system(name), "{name}");
        }
    }
}
