//! Header fields as NATS has them.

use std::str::FromStr;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue, NATS_MESSAGE_ID};
use outbox_core::{Message, PublishError};

use crate::mapping::Mapping;

/// The only group that is to receive it: one that was redriven.
pub(super) const FOR_GROUP: &str = "Outbox-For-Group";
/// What begins so is the server's.
const SERVERS: &str = "Nats-";

/// The headers of a message. The stream drops a second one of the same `unique` for a while.
pub(super) fn of(message: &Message, mapping: &Mapping, unique: &str) -> Result<HeaderMap, PublishError> {
    let mut headers = HeaderMap::new();
    for (name, value) in mapping.fields(message) {
        insert(&mut headers, &name, &value)?;
    }
    insert(&mut headers, NATS_MESSAGE_ID.as_ref(), unique)?;
    Ok(headers)
}

/// Names and values of messages that were checked can be headers of NATS; of one that somebody wrote by hand perhaps not.
pub(super) fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), PublishError> {
    let cant =
        |what: &str| PublishError::invalid(format!("{what} of the header {name:?} can't be sent by NATS"));
    let sent_name = HeaderName::from_str(name).map_err(|_| cant("the name"))?;
    let value = HeaderValue::from_str(value).map_err(|_| cant("the value"))?;
    headers.insert(sent_name, value);
    Ok(())
}

/// All that are not the server's; of a name that comes several times, the first.
pub(super) fn fields(headers: Option<&HeaderMap>) -> impl Iterator<Item = (&str, &str)> {
    headers
        .into_iter()
        .flat_map(HeaderMap::iter)
        .filter_map(|(name, values)| Some((name.as_ref(), values.first()?.as_str())))
        .filter(|(name, _): &(&str, &str)| !name.starts_with(SERVERS))
}

/// The text of one.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.as_str())
}
