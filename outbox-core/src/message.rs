use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::confirmation::{Confirm, ConfirmError};
use crate::headers::Headers;
use crate::limits::Limits;
use crate::shard::Shard;
use crate::trace_context::TraceContext;

/// A message's identity: a UUIDv7 made by the producer, the same in every delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub Uuid);

impl MessageId {
    /// A new id (RFC 9562, version 7: the millisecond it was made, then random bits).
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// When it was made, to the millisecond; the epoch for an id of another kind. Cheaper than the clock, which
    /// was asked for the id already.
    fn made_at(self) -> SystemTime {
        self.0.get_timestamp().map_or(SystemTime::UNIX_EPOCH, |made| {
            let (seconds, nanos) = made.to_unix();
            SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
        })
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<Uuid> for MessageId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

/// When a message becomes due. Decided by the database's clock once the message is in the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Due {
    /// As soon as the transaction has committed.
    #[default]
    Now,
    /// This long after it was published, by the database's clock.
    After(Duration),
    /// At this time.
    At(SystemTime),
}

/// What is delivered: an id, a topic, perhaps an ordering key, bytes, and headers.
///
/// A clone is cheap: the texts and the payload are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    id: MessageId,
    topic: Arc<str>,
    key: Option<Arc<str>>,
    payload: Bytes,
    headers: Headers,
    created_at: SystemTime,
    due: Due,
}

impl Message {
    /// Starts a message for `topic`.
    pub fn builder(topic: impl Into<Arc<str>>) -> MessageBuilder {
        let id = MessageId::new();
        Self::restore(topic, id, id.made_at())
    }

    /// Starts a message that is there already: what a store or a queue does with each one it reads.
    pub fn restore(topic: impl Into<Arc<str>>, id: MessageId, created_at: SystemTime) -> MessageBuilder {
        MessageBuilder {
            message: Self {
                id,
                topic: topic.into(),
                key: None,
                payload: Bytes::new(),
                headers: Headers::new(),
                created_at,
                due: Due::Now,
            },
        }
    }

    /// The id, the same in every delivery.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The topic, shared.
    pub fn shared_topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The ordering key: messages of one topic and key are delivered in the order they were published.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The ordering key, shared.
    pub fn shared_key(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The payload's media type.
    pub fn content_type(&self) -> &str {
        self.headers
            .get(Headers::CONTENT_TYPE)
            .unwrap_or(Headers::DEFAULT_CONTENT_TYPE)
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to add what belongs to the way and not to the message, such as trace context.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// When it was published: by the producer's clock until it is in the outbox, by the database's after.
    pub fn created_at(&self) -> SystemTime {
        self.created_at
    }

    /// When it is due.
    pub fn due(&self) -> Due {
        self.due
    }

    /// The trace that created this message, if its headers tell.
    pub fn trace_context(&self) -> Option<TraceContext> {
        TraceContext::from_headers(&self.headers)
    }

    /// The shard this message belongs to.
    pub fn shard(&self) -> Shard {
        Shard::of(&self.topic, self.key.as_deref(), self.id)
    }

    /// Roughly the bytes this message keeps in memory.
    pub fn weight(&self) -> usize {
        /// The struct itself, its shared texts' counters and the allocator's rounding.
        const FIXED: usize = 256;
        FIXED + self.payload.len() + self.headers.bytes() + self.key.as_ref().map_or(0, |key| key.len())
    }

    /// Checks topic, key, payload and headers against `limits`.
    ///
    /// # Errors
    /// The first thing that is out of bounds, by name and with its size.
    pub fn check(&self, limits: &Limits) -> Result<(), MessageError> {
        Limits::check_topic(&self.topic)?;
        if let Some(key) = &self.key {
            Limits::check_key(key)?;
        }
        if self.payload.len() > limits.payload_bytes {
            return Err(MessageError::PayloadTooLarge {
                topic: self.topic.to_string(),
                bytes: self.payload.len(),
                max: limits.payload_bytes,
            });
        }
        self.headers.check(limits)
    }
}

/// Payload, key and header values may hold secrets: they are shown by size, never by content.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id.0)
            .field("topic", &self.topic)
            .field("key_bytes", &self.key.as_ref().map(|key| key.len()))
            .field("payload_bytes", &self.payload.len())
            .field("headers", &self.headers.len())
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Message`] without a type for its payload.
///
/// ```
/// use std::time::Duration;
/// use outbox_core::Message;
///
/// let message = Message::builder("orders.placed")
///     .key("order-7")
///     .json(&serde_json::json!({ "total": 990 }))?
///     .header("tenant", "eu")
///     .delay(Duration::from_secs(60))
///     .build()?;
/// assert_eq!(message.key(), Some("order-7"));
/// # Ok::<(), outbox_core::MessageError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is published or built"]
pub struct MessageBuilder {
    message: Message,
}

impl MessageBuilder {
    /// The id. Default: a new UUIDv7.
    pub fn id(mut self, id: impl Into<MessageId>) -> Self {
        self.message.id = id.into();
        self
    }

    /// The ordering key. Default: none, and then the message has no place in any order.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.message.key = Some(key.into());
        self
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// The value can't be serialized.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, MessageError> {
        let bytes = serde_json::to_vec(value).map_err(|source| MessageError::Serialize {
            topic: self.message.topic.to_string(),
            source: Arc::new(source),
        })?;
        self.message.payload = bytes.into();
        self.message.headers.remove(Headers::CONTENT_TYPE);
        Ok(self)
    }

    /// The payload as bytes of the given media type.
    pub fn payload(mut self, bytes: impl Into<Bytes>, content_type: &str) -> Self {
        self.message.payload = bytes.into();
        if content_type == Headers::DEFAULT_CONTENT_TYPE {
            self.message.headers.remove(Headers::CONTENT_TYPE);
        } else {
            self.message.headers.insert(Headers::CONTENT_TYPE, content_type);
        }
        self
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.message.headers.insert(name, value);
        self
    }

    /// Sets all of these headers.
    pub fn headers(mut self, headers: Headers) -> Self {
        if self.message.headers.is_empty() {
            self.message.headers = headers;
        } else {
            for (name, value) in headers.iter() {
                self.message.headers.insert(name, value);
            }
        }
        self
    }

    /// Links the message to the trace that creates it.
    pub fn trace_context(mut self, trace: &TraceContext) -> Self {
        trace.write_to(&mut self.message.headers);
        self
    }

    /// Asks for its confirmation: see [`confirmation`](crate::confirmation).
    ///
    /// # Errors
    /// Nobody can be asked so.
    pub fn confirm_by(mut self, confirm: Confirm) -> Result<Self, MessageError> {
        confirm.check()?;
        confirm.write_to(&mut self.message.headers);
        Ok(self)
    }

    /// Delivers it this long after it was published, by the database's clock.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.message.due = Due::After(delay);
        self
    }

    /// Delivers it at `time`, or at once when that is past.
    pub fn deliver_at(mut self, time: SystemTime) -> Self {
        self.message.due = Due::At(time);
        self
    }

    /// The message, checked against the default [`Limits`]; an outbox with limits of its own checks
    /// again when it publishes.
    ///
    /// # Errors
    /// Topic, key or headers are malformed, or something is too large.
    pub fn build(self) -> Result<Message, MessageError> {
        self.message.check(&Limits {
            payload_bytes: usize::MAX,
            headers_bytes: usize::MAX,
            headers_count: usize::MAX,
        })?;
        Ok(self.message)
    }

    /// The message, unchecked: whoever takes it checks it (an outbox does) or must show it as it is (a store).
    pub fn build_unchecked(self) -> Message {
        self.message
    }
}

/// Why a message can't be taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A topic needs at least one character.
    #[error("the topic is empty")]
    TopicEmpty,
    /// The topic is longer than [`Limits::TOPIC_BYTES`].
    #[error("the topic has {bytes} bytes, at most {max} are allowed")]
    TopicTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A character outside of the topic's alphabet.
    #[error("the topic {topic:?} may hold only ASCII letters, digits and . _ - : /")]
    TopicInvalid {
        /// The topic.
        topic: String,
    },
    /// An ordering key is either absent or not empty.
    #[error("the ordering key is empty; leave it out for a message without order")]
    KeyEmpty,
    /// The key is longer than [`Limits::KEY_BYTES`].
    #[error("the ordering key has {bytes} bytes, at most {max} are allowed")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A control character in the key.
    #[error("the ordering key {key:?} holds a control character")]
    KeyInvalid {
        /// The key, escaped.
        key: String,
    },
    /// The payload is larger than [`Limits::payload_bytes`].
    #[error(
        "the payload for topic {topic:?} has {bytes} bytes, at most {max} are allowed; put large content elsewhere and send a reference, or raise Limits::payload_bytes"
    )]
    PayloadTooLarge {
        /// The topic.
        topic: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// More headers than [`Limits::headers_count`].
    #[error("there are {count} headers, at most {max} are allowed")]
    TooManyHeaders {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The headers are larger than [`Limits::headers_bytes`].
    #[error("the headers have {bytes} bytes, at most {max} are allowed")]
    HeadersTooLarge {
        /// Their size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A name outside of the alphabet, or a value with a control character, or a nested value.
    #[error(
        "the header {name:?} is invalid: names hold ASCII letters, digits and - _ . (at most 128), values are flat text without control characters"
    )]
    HeaderInvalid {
        /// The header's name, escaped.
        name: String,
    },
    /// The stored headers are not a JSON object.
    #[error("the headers are not a JSON object: {reason}")]
    HeadersNotAnObject {
        /// What the parser said.
        reason: String,
    },
    /// More messages in one call than [`Limits::BATCH_MESSAGES`].
    #[error("{count} messages in one call, at most {max} are allowed")]
    BatchTooLarge {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The event's `Serialize` failed.
    #[error("the event for topic {topic:?} can't be serialized")]
    Serialize {
        /// The topic.
        topic: String,
        /// What serde said.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// Nobody can be asked for a confirmation so.
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
}

impl PartialEq for MessageError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_message_was_created_now() {
        let before = SystemTime::now();
        let message = Message::builder("t").build_unchecked();
        let age = message
            .created_at()
            .duration_since(before - Duration::from_millis(2));
        assert!(age.unwrap() < Duration::from_secs(60));
        assert_eq!(
            MessageId(Uuid::from_u128(u128::MAX)).made_at(),
            SystemTime::UNIX_EPOCH
        );
    }

    #[test]
    fn each_limit_is_named_in_its_error() {
        let limits = Limits::default().with_payload_bytes(4);
        let built = |builder: MessageBuilder| {
            builder
                .build_unchecked()
                .check(&limits)
                .map_err(|e| e.to_string())
        };
        assert_eq!(built(Message::builder("t").payload("1234", "text/plain")), Ok(()));
        assert!(
            built(Message::builder("t").payload("12345", "text/plain"))
                .unwrap_err()
                .contains("5 bytes, at most 4")
        );
        assert!(
            built(Message::builder(""))
                .unwrap_err()
                .contains("topic is empty")
        );
        assert!(built(Message::builder("a b")).unwrap_err().contains("\"a b\""));
        assert!(
            built(Message::builder("x".repeat(256)))
                .unwrap_err()
                .contains("256 bytes")
        );
        assert!(
            built(Message::builder("t").key(""))
                .unwrap_err()
                .contains("key is empty")
        );
        assert!(
            built(Message::builder("t").key("ü".repeat(128)))
                .unwrap_err()
                .contains("256 bytes")
        );
        assert!(
            built(Message::builder("t").key("a\nb"))
                .unwrap_err()
                .contains("control")
        );
        assert!(
            built(Message::builder("t").header("a b", "x"))
                .unwrap_err()
                .contains("\"a b\"")
        );
        assert!(
            built(Message::builder("t").header("a", "x\r\ny: z"))
                .unwrap_err()
                .contains("header \"a\"")
        );
    }

    #[test]
    fn debug_shows_no_content() {
        let text = format!(
            "{:?}",
            Message::builder("t")
                .key("secret-key")
                .payload("secret", "text/plain")
                .header("a", "secret")
                .build()
                .unwrap()
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
