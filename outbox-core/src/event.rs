use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{Message, MessageBuilder, MessageError, MessageId};

/// A typed event: what is published, where to, and under which ordering key.
///
/// ```
/// use std::borrow::Cow;
/// use outbox_core::Event;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct OrderPlaced { order_id: String, total: i64 }
///
/// impl Event for OrderPlaced {
///     const TOPIC: &'static str = "orders.placed";
///     fn key(&self) -> Option<Cow<'_, str>> { Some(Cow::from(&self.order_id)) }
/// }
/// ```
pub trait Event: Serialize {
    /// The topic of all events of this type.
    const TOPIC: &'static str;

    /// The ordering key: events with the same key are delivered in the order they were published.
    /// `None`: this event has no place in any order.
    fn key(&self) -> Option<Cow<'_, str>>;

    /// A message of this event as JSON, to which headers or a delay may be added before it is published.
    ///
    /// # Errors
    /// The event can't be serialized.
    fn to_message(&self) -> Result<MessageBuilder, MessageError> {
        let builder = Message::builder(Self::TOPIC).json(self)?;
        Ok(match self.key() {
            Some(key) => builder.key(key),
            None => builder,
        })
    }
}

/// Whatever can be published: an [`Event`], a [`MessageBuilder`] or a [`Message`].
pub trait IntoMessage {
    /// The message; its limits are checked by whoever publishes it.
    ///
    /// # Errors
    /// The event can't be serialized.
    fn into_message(self) -> Result<Message, MessageError>;
}

impl<E: Event> IntoMessage for E {
    fn into_message(self) -> Result<Message, MessageError> {
        Ok(self.to_message()?.build_unchecked())
    }
}

impl IntoMessage for MessageBuilder {
    fn into_message(self) -> Result<Message, MessageError> {
        Ok(self.build_unchecked())
    }
}

impl IntoMessage for Message {
    fn into_message(self) -> Result<Message, MessageError> {
        Ok(self)
    }
}

impl Message {
    /// The payload as the event it was published as.
    ///
    /// # Errors
    /// The topic or the content type is another one, or the payload is not such an event. The error
    /// names the place but shows nothing of the payload.
    pub fn decode<E: Event + DeserializeOwned>(&self) -> Result<E, DecodeError> {
        if self.topic() != E::TOPIC {
            return Err(DecodeError::OtherTopic {
                id: self.id(),
                topic: self.topic().to_owned(),
                expected: E::TOPIC,
            });
        }
        self.decode_json()
    }

    /// The payload as JSON of any type.
    ///
    /// # Errors
    /// The content type is not JSON, or the payload is not of this type.
    pub fn decode_json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let media = self.content_type().split(';').next().unwrap_or_default().trim();
        if media != "application/json" && !media.ends_with("+json") {
            return Err(DecodeError::NotJson {
                id: self.id(),
                content_type: self.content_type().to_owned(),
            });
        }
        serde_json::from_slice(self.payload()).map_err(|error| DecodeError::Malformed {
            id: self.id(),
            topic: self.topic().to_owned(),
            line: error.line(),
            column: error.column(),
            problem: match error.classify() {
                serde_json::error::Category::Data => "JSON of another shape",
                serde_json::error::Category::Eof => "JSON that ends too early",
                _ => "not JSON",
            },
        })
    }
}

/// A payload that is not what the consumer expects. Trying again can't help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message belongs to another topic.
    #[error("message {id} is of topic {topic:?}, not of {expected:?}")]
    OtherTopic {
        /// The message.
        id: MessageId,
        /// Its topic.
        topic: String,
        /// The event's topic.
        expected: &'static str,
    },
    /// The content type is not JSON.
    #[error("message {id} has content type {content_type:?}, not JSON")]
    NotJson {
        /// The message.
        id: MessageId,
        /// Its content type.
        content_type: String,
    },
    /// The payload does not fit. The position is told, the content is not: it may hold secrets.
    #[error("message {id} of topic {topic:?}: {problem}, at line {line} column {column}")]
    Malformed {
        /// The message.
        id: MessageId,
        /// Its topic.
        topic: String,
        /// What kind of misfit.
        problem: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}
