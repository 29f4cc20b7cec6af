//! A message as header fields of an engine, and back. Pure.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use outbox_core::{Headers, Message, MessageId};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

/// The message's id.
const ID: &str = "outbox-id";
const KEY: &str = "outbox-key";
/// Microseconds since 1970.
const CREATED_AT: &str = "outbox-created-at";
/// What else is ours, for the way through the engine, and no header of the message: names that begin so.
pub(crate) const OURS: &str = "outbox-";

/// What CloudEvents' bindings to HTTP and its like have encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(0x7f);

/// A header on its way.
pub(crate) type Field<'a> = (Cow<'a, str>, Cow<'a, str>);

/// How messages are written for an engine. Both ways are understood, whichever is written.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// The source of CloudEvents; otherwise our own headers.
    pub(crate) cloudevents: Option<Arc<str>>,
    /// What the engine's binding of CloudEvents puts before the name of an attribute.
    pub(crate) attribute: &'static str,
    /// Whether that binding has values percent-encoded.
    pub(crate) encoded: bool,
}

/// Where a message was in its engine.
pub(crate) struct Place<'a> {
    /// The same for every delivery of it, and for no other message.
    pub(crate) unique: &'a dyn std::fmt::Display,
    pub(crate) published: SystemTime,
}

impl Mapping {
    /// The message's own headers, and what says the rest of it.
    pub(crate) fn fields<'a>(&self, message: &'a Message) -> Vec<Field<'a>> {
        let mut fields: Vec<Field<'_>> = Vec::with_capacity(message.headers().len() + 7);
        for (name, value) in message.headers().iter() {
            fields.push((name.into(), value.into()));
        }
        let Some(source) = &self.cloudevents else {
            fields.push((ID.into(), message.id().to_string().into()));
            if let Some(key) = message.key() {
                fields.push((KEY.into(), key.into()));
            }
            let created_at = message.created_at().duration_since(UNIX_EPOCH);
            let created_at = created_at.unwrap_or(Duration::ZERO).as_micros();
            fields.push((CREATED_AT.into(), created_at.to_string().into()));
            return fields;
        };
        if message.headers().get(Headers::CONTENT_TYPE).is_none() {
            fields.push((Headers::CONTENT_TYPE.into(), message.content_type().into()));
        }
        let mut attribute = |name: &str, value: &str| {
            let value = match self.encoded {
                true => utf8_percent_encode(value, ENCODED).to_string(),
                false => value.to_owned(),
            };
            fields.push((format!("{}{name}", self.attribute).into(), value.into()));
        };
        attribute("specversion", "1.0");
        attribute("id", &message.id().to_string());
        attribute("source", source);
        attribute("type", message.topic());
        if let Ok(time) = jiff::Timestamp::try_from(message.created_at()) {
            attribute("time", &time.to_string());
        }
        if let Some(key) = message.key() {
            attribute("partitionkey", key);
        }
        fields
    }

    /// The message. One that somebody else has published gets an id that follows from what it is called there, or from its place:
    /// the same in every delivery.
    pub(crate) fn message<'a>(
        &self,
        topic: Arc<str>,
        payload: Bytes,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
        place: &Place<'_>,
    ) -> Message {
        let mut read = Read::default();
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            if let Some(attribute) = name.strip_prefix(self.attribute) {
                let value = match self.encoded {
                    true => percent_decode_str(value).decode_utf8_lossy(),
                    false => value.into(),
                };
                read.attribute(attribute, value.into_owned());
            } else if name.starts_with(OURS) {
                read.ours(&name, value);
            } else {
                read.headers.insert(&name, value);
            }
        }
        let id = read.id.unwrap_or_else(|| {
            let named = match (&read.source, &read.event_id) {
                (Some(source), Some(id)) => format!("{source} {id}"),
                _ => place.unique.to_string(),
            };
            Uuid::new_v5(&Uuid::NAMESPACE_URL, named.as_bytes())
        });
        let created_at = read.created_at.unwrap_or(place.published);
        let mut message = Message::restore(topic, MessageId(id), created_at);
        if let Some(key) = read.key {
            message = message.key(key);
        }
        let content_type = read.headers.get(Headers::CONTENT_TYPE);
        let content_type = content_type.unwrap_or(Headers::DEFAULT_CONTENT_TYPE).to_owned();
        // Shown as it is: whoever handles it decides what to do with one that is not as ours are.
        message
            .payload(payload, &content_type)
            .headers(read.headers)
            .build_unchecked()
    }
}

/// What was found so far.
#[derive(Default)]
struct Read {
    id: Option<Uuid>,
    event_id: Option<String>,
    source: Option<String>,
    key: Option<String>,
    created_at: Option<SystemTime>,
    headers: Headers,
}

impl Read {
    fn ours(&mut self, name: &str, value: &str) {
        match name {
            ID => self.id = Uuid::parse_str(value).ok(),
            KEY => self.key = Some(value.to_owned()),
            CREATED_AT => {
                let micros = value.parse().ok();
                self.created_at =
                    micros.and_then(|micros| UNIX_EPOCH.checked_add(Duration::from_micros(micros)));
            }
            _ => {}
        }
    }

    fn attribute(&mut self, name: &str, value: String) {
        match name {
            "id" => {
                self.id = self.id.or_else(|| Uuid::parse_str(&value).ok());
                self.event_id = Some(value);
            }
            "source" => self.source = Some(value),
            "partitionkey" => self.key = Some(value),
            "time" => {
                let time = value.parse::<jiff::Timestamp>().ok();
                self.created_at = time.and_then(|time| SystemTime::try_from(time).ok());
            }
            // That it is one, and of which type: its topic says so already.
            "specversion" | "type" => {}
            // Its extensions, and what ours have no name for.
            other => {
                self.headers.insert(other, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mapping(cloudevents: bool, encoded: bool) -> Mapping {
        Mapping {
            cloudevents: cloudevents.then(|| "/orders".into()),
            attribute: "ce-",
            encoded,
        }
    }

    fn through(mapping: &Mapping, message: &Message) -> Message {
        let fields = mapping.fields(message);
        let fields = fields.iter().map(|(name, value)| (&**name, &**value));
        let place = Place {
            unique: &"stream/7",
            published: UNIX_EPOCH,
        };
        mapping.message(message.topic().into(), message.payload().clone(), fields, &place)
    }

    #[test]
    fn a_cloud_event_is_as_its_specification_says() {
        let id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        let created_at = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        let message = Message::restore("orders.placed", MessageId(id), created_at)
            .key("kunde \"7\" 100%")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .json(&7)
            .unwrap()
            .build()
            .unwrap();
        let fields = mapping(true, true).fields(&message);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            fields,
            [
                (
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                ),
                ("content-type", "application/json"),
                ("ce-specversion", "1.0"),
                ("ce-id", "01890a5d-ac96-774b-bcce-b302099a8057"),
                ("ce-source", "/orders"),
                ("ce-type", "orders.placed"),
                ("ce-time", "2023-11-14T22:13:20.123456Z"),
                ("ce-partitionkey", "kunde%20%227%22%20100%25"),
            ]
        );
    }

    #[test]
    fn somebody_else_s_event_is_a_message() {
        let place = Place {
            unique: &"stream/7",
            published: UNIX_EPOCH,
        };
        let event = |id: &'static str| {
            let fields = [
                ("ce-specversion", "1.0"),
                ("CE-Id", id),
                ("ce-source", "https://example.org/a b"),
                ("ce-time", "2023-11-14T23:13:20+01:00"),
                ("ce-tenant", "eu"),
            ];
            mapping(false, false).message("t".into(), Bytes::new(), fields, &place)
        };
        let (one, two) = (event("A1"), event("A2"));
        assert_eq!(one.id(), event("A1").id(), "the same in every delivery");
        assert_ne!(one.id(), two.id());
        assert_eq!(one.created_at(), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        assert_eq!(one.headers().get("tenant"), Some("eu"));
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(
            cloudevents: bool,
            encoded: bool,
            key in proptest::option::of("\\PC{1,40}"),
            value in "\\PC{0,40}",
            payload: Vec<u8>,
            micros in 0u64..4_000_000_000_000_000,
        ) {
            let created_at = UNIX_EPOCH + Duration::from_micros(micros);
            let message = Message::restore("orders.placed", MessageId::new(), created_at)
                .payload(payload, "a/b")
                .header("tenant", value);
            let message = match key {
                Some(key) => message.key(key),
                None => message,
            }
            .build_unchecked();
            let back = through(&mapping(cloudevents, encoded), &message);
            prop_assert_eq!(back.id(), message.id());
            prop_assert_eq!(back.key(), message.key());
            prop_assert_eq!(back.payload(), message.payload());
            prop_assert_eq!(back.headers(), message.headers());
            prop_assert_eq!(back.created_at(), message.created_at());
        }

        #[test]
        fn whatever_is_received_is_a_message(
            encoded: bool,
            fields in proptest::collection::vec(
                (prop_oneof!["\\PC{0,20}", "(ce-|outbox-)(id|key|time|created-at|source)"], "\\PC{0,20}"), 0..8),
        ) {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let place = Place { unique: &7, published: UNIX_EPOCH };
            mapping(true, encoded).message("t".into(), Bytes::new(), fields, &place);
        }
    }
}
