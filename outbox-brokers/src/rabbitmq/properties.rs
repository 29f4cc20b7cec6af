//! A message as AMQP properties, and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use outbox_core::{Headers, Message};
use uuid::Uuid;

use crate::mapping::{Mapping, Place};

/// The mode in which a message is written to disk.
const PERSISTENT: u8 = 2;

/// What the binding of CloudEvents to AMQP puts before the name of an attribute; in messages of ours the first one.
pub(super) const ATTRIBUTES: [&str; 2] = ["cloudEvents:", "cloudEvents_"];
/// As [`Mapping`] has it.
pub(super) const ATTRIBUTE: &str = "cloudevents:";

/// Our id of a message whose headers don't say it.
const ID: &str = "outbox-id";
/// How often a message was tried before it was sent again.
pub(super) const ATTEMPTS: &str = "outbox-attempts";

/// What the server adds on a message's way. A copy without it is a message that has not been anywhere: with it the server takes the
/// third time in a queue for a circle, and drops it.
const OF_THE_SERVER: [&str; 3] = ["x-delivery-count", "x-acquired-count", "x-death"];
const OF_THE_SERVER_BEGIN: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// The properties of a message. `Err`: what of it they can't hold.
pub(super) fn of(message: &Message, mapping: &Mapping) -> Result<BasicProperties, String> {
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let mut headers = FieldTable::default();
    for (name, value) in mapping.fields(message) {
        if name == Headers::CONTENT_TYPE
            && let Ok(value) = ShortString::try_new(&*value)
        {
            properties = properties.with_content_type(value);
            continue;
        }
        let name = match name.strip_prefix(ATTRIBUTE) {
            Some(attribute) => format!("{}{attribute}", ATTRIBUTES[0]),
            None => name.into_owned(),
        };
        insert(&mut headers, &name, &value)?;
    }
    let created_at = message.created_at().duration_since(UNIX_EPOCH);
    properties = properties
        .with_message_id(ShortString::from(message.id().to_string()))
        .with_timestamp(created_at.unwrap_or(Duration::ZERO).as_secs());
    Ok(properties.with_headers(headers))
}

/// Sets a header.
pub(super) fn insert(headers: &mut FieldTable, name: &str, value: &str) -> Result<(), String> {
    let name = ShortString::try_new(name).map_err(|_| format!("the header {name:?} has too long a name"))?;
    headers.insert(name, AMQPValue::LongString(value.into()));
    Ok(())
}

/// The message. One that somebody else has published gets an id that follows from its own (`message_id`); without one, from its
/// content.
pub(super) fn message(mapping: &Mapping, topic: &str, body: Bytes, properties: &BasicProperties) -> Message {
    let mut fields: Vec<(String, String)> = Vec::new();
    if let Some(content_type) = properties.content_type() {
        fields.push((Headers::CONTENT_TYPE.to_owned(), content_type.to_string()));
    }
    for (name, value) in properties.headers().iter().flatten() {
        let name = name.as_str();
        if is_of_the_server(name) {
            continue;
        }
        let attribute = ATTRIBUTES.iter().find_map(|prefix| {
            let (begin, attribute) = name.split_at_checked(prefix.len())?;
            begin.eq_ignore_ascii_case(prefix).then_some(attribute)
        });
        let name = match attribute {
            Some(attribute) => format!("{ATTRIBUTE}{attribute}"),
            None => name.to_owned(),
        };
        if let Some(value) = text_of(value) {
            fields.push((name, value));
        }
    }
    let named = properties.message_id().as_ref().map(ShortString::as_str);
    let says = |wanted: &str| fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if let Some(id) = named.filter(|id| Uuid::parse_str(id).is_ok())
        && !says(ID)
        && !says(&format!("{ATTRIBUTE}id"))
    {
        fields.push((ID.to_owned(), id.to_owned()));
    }
    let unique = match named {
        Some(id) => format!("{topic}/{id}"),
        None => {
            let content = Uuid::new_v5(&Uuid::NAMESPACE_OID, &body);
            format!("{topic}/{:?}/{content}", properties.timestamp())
        }
    };
    let published = properties
        .timestamp()
        .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        .unwrap_or_else(SystemTime::now);
    let place = Place {
        unique: &unique,
        published,
    };
    let fields = fields.iter().map(|(name, value)| (&**name, &**value));
    mapping.message(topic.into(), body, fields, &place)
}

/// How often it was delivered before, here and before it was sent again.
pub(super) fn attempts_before(properties: &BasicProperties) -> u32 {
    let here = number(properties, "x-delivery-count").unwrap_or(0);
    let before = number(properties, ATTEMPTS).unwrap_or(0);
    here.saturating_add(before)
}

/// The same message, without what the server said of its way and without headers of ours that begin so.
pub(super) fn copy(properties: &BasicProperties, without: &[&str]) -> (BasicProperties, FieldTable) {
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flatten() {
        let is_left_out = without.iter().any(|begin| name.as_str().starts_with(begin));
        if !is_of_the_server(name.as_str()) && !is_left_out {
            headers.insert(name.clone(), value.clone());
        }
    }
    // One that expires on its way would be lost, and a copy is always written to disk.
    let copy = properties.clone().with_delivery_mode(PERSISTENT);
    let copy = match copy.expiration() {
        Some(_) => without_expiration(&copy),
        None => copy,
    };
    (copy, headers)
}

fn without_expiration(properties: &BasicProperties) -> BasicProperties {
    let mut copy = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if let Some(value) = properties.content_type() {
        copy = copy.with_content_type(value.clone());
    }
    if let Some(value) = properties.content_encoding() {
        copy = copy.with_content_encoding(value.clone());
    }
    if let Some(value) = properties.message_id() {
        copy = copy.with_message_id(value.clone());
    }
    if let Some(value) = properties.timestamp() {
        copy = copy.with_timestamp(*value);
    }
    if let Some(value) = properties.correlation_id() {
        copy = copy.with_correlation_id(value.clone());
    }
    if let Some(value) = properties.reply_to() {
        copy = copy.with_reply_to(value.clone());
    }
    if let Some(value) = properties.kind() {
        copy = copy.with_type(value.clone());
    }
    if let Some(value) = properties.app_id() {
        copy = copy.with_app_id(value.clone());
    }
    copy
}

/// The text of a header.
pub(super) fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    let headers = properties.headers().as_ref()?;
    headers.inner().get(name).and_then(text_of)
}

/// The number of a header.
pub(super) fn number(properties: &BasicProperties, name: &str) -> Option<u32> {
    text(properties, name)?.parse().ok()
}

/// Nothing for tables, lists and nothing at all.
fn text_of(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        _ => return None,
    })
}

fn is_of_the_server(name: &str) -> bool {
    OF_THE_SERVER.contains(&name) || OF_THE_SERVER_BEGIN.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(cloudevents: Option<&str>) -> Mapping {
        Mapping {
            cloudevents: cloudevents.map(Into::into),
            attribute: ATTRIBUTE,
            encoded: false,
        }
    }

    fn ours() -> Message {
        let message = Message::builder("orders")
            .key("k\u{1f511}")
            .header("tenant", "eu");
        message.payload("x", "text/plain").build().unwrap()
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        for mapping in [mapping(None), mapping(Some("/orders"))] {
            let published = ours();
            let properties = of(&published, &mapping).unwrap();
            let found = message(&mapping, "orders", published.payload().clone(), &properties);
            assert_eq!((found.id(), found.key()), (published.id(), published.key()));
            assert_eq!(found.headers(), published.headers());
        }
    }

    #[test]
    fn a_cloud_event_is_as_its_specification_says() {
        let properties = of(&ours(), &mapping(Some("/orders"))).unwrap();
        assert_eq!(
            text(&properties, "cloudEvents:source").as_deref(),
            Some("/orders")
        );
        assert_eq!(text(&properties, "cloudEvents:type").as_deref(), Some("orders"));
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "text/plain");
        let mut headers = FieldTable::default();
        for (name, value) in [
            ("cloudEvents_id", "7"),
            ("cloudEvents_source", "/x"),
            ("cloudEvents_tenant", "eu"),
        ] {
            insert(&mut headers, name, value).unwrap();
        }
        let theirs = BasicProperties::default().with_headers(headers);
        let event = || message(&mapping(None), "orders", Bytes::from_static(b"x"), &theirs);
        assert_eq!(event().id(), event().id());
        assert_eq!(event().headers().get("tenant"), Some("eu"));
    }

    #[test]
    fn somebody_else_s_message_has_an_id_that_stays() {
        let of = |properties: &BasicProperties, body: &'static [u8]| {
            message(&mapping(None), "orders", Bytes::from_static(body), properties).id()
        };
        let bare = BasicProperties::default();
        assert_eq!(of(&bare, b"a"), of(&bare, b"a"));
        assert_ne!(of(&bare, b"a"), of(&bare, b"b"));
        let named = |id: &str| BasicProperties::default().with_message_id(id.into());
        assert_ne!(of(&named("1"), b"a"), of(&named("2"), b"a"));
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(of(&named(id), b"a").to_string(), id);
    }

    #[test]
    fn a_copy_has_been_nowhere() {
        let mut headers = FieldTable::default();
        for name in [
            "x-death",
            "x-first-death-queue",
            "x-delivery-count",
            "outbox-attempts",
            "tenant",
        ] {
            insert(&mut headers, name, "3").unwrap();
        }
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_expiration("5".into());
        assert_eq!(attempts_before(&properties), 6);
        let (copied, headers) = copy(&properties, &["outbox-attempts"]);
        assert_eq!(headers.inner().len(), 1);
        assert!(copied.expiration().is_none());
    }
}
