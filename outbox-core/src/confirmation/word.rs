use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::ask::{Confirm, ConfirmError, check_group};
use crate::event::DecodeError;
use crate::message::{Message, MessageId};

/// The word of a consumer group that it has handled a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Confirmation {
    /// The message that was handled.
    pub message_id: MessageId,
    /// The group that handled it.
    pub group: String,
    /// When, in microseconds since 1970, by the consumer's clock. For people; nothing is decided by it.
    #[serde(default)]
    pub handled_at: i64,
}

impl Confirmation {
    /// A confirmation by a group, now.
    ///
    /// # Errors
    /// A group can't be named so.
    pub fn new(message_id: MessageId, group: impl Into<String>) -> Result<Self, ConfirmError> {
        let group = group.into();
        check_group(&group)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok(Self {
            message_id,
            group,
            handled_at: since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        })
    }

    /// What a message of the topic for confirmations says.
    ///
    /// # Errors
    /// It is no confirmation. Trying again can't help, and a handler's `?` makes it a permanent failure.
    pub fn decode(message: &Message) -> Result<Self, ConfirmationError> {
        let confirmation: Self = message.decode_json()?;
        check_group(&confirmation.group).map_err(|source| ConfirmationError::Group {
            id: message.id(),
            source,
        })?;
        Ok(confirmation)
    }
}

/// What a consumer of `group` sends back for a message that it has handled: a message for the topic that it names. `None`
/// when it asks for nothing, or not this group; also when it asks in a way that can't be understood, as its sender does
/// not wait for an answer then.
///
/// Each has an id of its own, because confirming twice is harmless; and it never asks to be confirmed itself.
pub fn confirmation_of(message: &Message, group: &str) -> Option<Message> {
    let confirm = Confirm::of(message.headers()).ok().flatten()?;
    if !confirm.asks(group) {
        return None;
    }
    let word = Confirmation::new(message.id(), group).ok()?;
    let mut builder = Message::builder(confirm.topic())
        .key(message.id().to_string())
        .json(&word)
        .ok()?;
    if let Some(trace) = message.trace_context() {
        builder = builder.trace_context(&trace);
    }
    Some(builder.build_unchecked())
}

/// Why a message is no confirmation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmationError {
    /// The payload is something else.
    #[error("a message of the topic for confirmations is none")]
    Payload(#[from] DecodeError),
    /// The group can't be named so.
    #[error("message {id} confirms for a group that can't be")]
    Group {
        /// The message.
        id: MessageId,
        /// What is wrong with the name.
        #[source]
        source: ConfirmError,
    },
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asking() -> Message {
        Message::builder("orders")
            .confirm_by(Confirm::by(["a", "b"], Duration::from_secs(1)).to("orders.confirmed"))
            .unwrap()
            .build()
            .unwrap()
    }

    #[test]
    fn a_group_that_is_asked_confirms() {
        let asking = asking();
        let word = confirmation_of(&asking, "b").unwrap();
        assert_eq!(word.topic(), "orders.confirmed");
        assert_eq!(word.key(), Some(&*asking.id().to_string()));
        assert_eq!(
            Confirm::of(word.headers()),
            Ok(None),
            "it asks for nothing itself"
        );
        assert_eq!(confirmation_of(&word, "b"), None);
        let confirmation = Confirmation::decode(&word).unwrap();
        assert_eq!(
            (confirmation.message_id, &*confirmation.group),
            (asking.id(), "b")
        );
        assert_ne!(confirmation.handled_at, 0);
    }

    #[test]
    fn nobody_confirms_what_was_not_asked_for() {
        assert_eq!(confirmation_of(&asking(), "c"), None);
        assert_eq!(
            confirmation_of(&Message::builder("orders").build_unchecked(), "a"),
            None
        );
        let malformed = Message::builder("orders")
            .header("confirm-by", "a")
            .build_unchecked();
        assert_eq!(confirmation_of(&malformed, "a"), None);
    }

    #[test]
    fn what_is_no_confirmation_is_refused() {
        let id = MessageId::new();
        for json in [
            serde_json::json!({}),
            serde_json::json!({ "message_id": id, "group": 7 }),
            serde_json::json!({ "message_id": "7", "group": "a" }),
            serde_json::json!({ "message_id": id, "group": "a\n" }),
            serde_json::json!({ "message_id": id, "group": "g".repeat(256) }),
        ] {
            let message = Message::builder("t").json(&json).unwrap().build().unwrap();
            assert!(Confirmation::decode(&message).is_err(), "{json}");
        }
        let foreign = serde_json::json!({ "message_id": id, "group": "a", "more": 1 });
        let message = Message::builder("t").json(&foreign).unwrap().build().unwrap();
        assert_eq!(Confirmation::decode(&message).unwrap().message_id, id);
    }
}
