//! From messages to queues: which one each belongs to, and what a database is asked to write.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use outbox_core::Message;

use super::topics::Topic;
use crate::sql_store::DueMicros;

/// A message with its queue, and its place among those of the same queue in the same batch.
#[derive(Debug, Clone, Copy)]
pub struct Appended<'a> {
    pub(super) queue: i64,
    pub(super) siblings: i64,
    pub(super) place: i64,
    pub(super) message: &'a Message,
}

/// A message that is not due yet.
#[derive(Debug, Clone, Copy)]
pub struct Delayed<'a> {
    pub(super) topic: i64,
    pub(super) due: DueMicros,
    pub(super) message: &'a Message,
}

/// Gives each message its queue and its place.
#[derive(Debug, Default)]
pub(super) struct Router {
    places: BTreeMap<i64, i64>,
}

impl Router {
    pub(super) fn route<'a>(&mut self, topic: &Topic, message: &'a Message) -> Option<Appended<'a>> {
        let queue = *topic.queues.get(topic.number_of(message))?;
        let next = self.places.entry(queue).or_default();
        let place = *next;
        *next += 1;
        Some(Appended {
            queue,
            siblings: i64::from(topic.len()),
            place,
            message,
        })
    }
}

/// When the message was created, in microseconds since 1970.
pub(super) fn created_at(message: &Message) -> i64 {
    let since = message
        .created_at()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A message's headers as they are stored. Most have none.
pub(super) fn headers_json(message: &Message) -> Cow<'static, str> {
    if message.headers().is_empty() {
        Cow::Borrowed("{}")
    } else {
        Cow::Owned(message.headers().to_json())
    }
}
