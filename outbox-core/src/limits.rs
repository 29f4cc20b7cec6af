use crate::message::MessageError;

/// What a message may weigh. Checked when a message is published, before anything is written.
///
/// The limits of topic and key are fixed, because every supported database and broker must be able to
/// hold them; those of payload and headers may be changed per outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most bytes of a payload. Default: 1 MiB.
    pub payload_bytes: usize,
    /// Most bytes of all header names and values together. Default: 16 KiB.
    pub headers_bytes: usize,
    /// Most headers of one message. Default: 64.
    pub headers_count: usize,
}

impl Limits {
    /// Most bytes of a topic.
    pub const TOPIC_BYTES: usize = 255;
    /// Most bytes of an ordering key.
    pub const KEY_BYTES: usize = 255;
    /// Most bytes of one header's name.
    pub const HEADER_NAME_BYTES: usize = 128;
    /// Most messages of one `publish_all`.
    pub const BATCH_MESSAGES: usize = 10_000;

    /// The same limits with another bound on the payload.
    #[must_use]
    pub fn with_payload_bytes(mut self, bytes: usize) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// The same limits with another bound on the headers' total size.
    #[must_use]
    pub fn with_headers_bytes(mut self, bytes: usize) -> Self {
        self.headers_bytes = bytes;
        self
    }

    /// A topic is 1 to 255 bytes of ASCII letters, digits, `.`, `_`, `-`, `:` and `/`.
    ///
    /// The alphabet is what NATS subjects, Kafka topics and RocketMQ topics can be mapped from without
    /// loss, and it keeps control characters out of logs and of the shard's hash.
    pub fn check_topic(topic: &str) -> Result<(), MessageError> {
        if topic.is_empty() {
            return Err(MessageError::TopicEmpty);
        }
        if topic.len() > Self::TOPIC_BYTES {
            return Err(MessageError::TopicTooLong {
                bytes: topic.len(),
                max: Self::TOPIC_BYTES,
            });
        }
        match topic
            .bytes()
            .find(|b| !(b.is_ascii_alphanumeric() || b"._-:/".contains(b)))
        {
            Some(_) => Err(MessageError::TopicInvalid {
                topic: topic.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// A key is 1 to 255 bytes of UTF-8 without control characters.
    pub fn check_key(key: &str) -> Result<(), MessageError> {
        if key.is_empty() {
            return Err(MessageError::KeyEmpty);
        }
        if key.len() > Self::KEY_BYTES {
            return Err(MessageError::KeyTooLong {
                bytes: key.len(),
                max: Self::KEY_BYTES,
            });
        }
        // ASCII is by far the usual case, and a byte scan is several times cheaper than one by `char`.
        let control = if key.is_ascii() {
            key.bytes().any(|b| b.is_ascii_control())
        } else {
            key.chars().any(char::is_control)
        };
        if control {
            Err(MessageError::KeyInvalid {
                key: key.escape_debug().to_string(),
            })
        } else {
            Ok(())
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: 1024 * 1024,
            headers_bytes: 16 * 1024,
            headers_count: 64,
        }
    }
}
