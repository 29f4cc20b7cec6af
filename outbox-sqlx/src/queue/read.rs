//! What was read of the log, and of the retry table, as messages.

use std::sync::Arc;

use foldhash::HashMap;
use outbox_core::Message;

use crate::stored_row::{RowReader, StoredRow};

/// From where, and how much, one queue is read.
#[derive(Debug, Clone)]
pub struct ReadFrom {
    pub(super) queue: i64,
    pub(super) offset: i64,
    pub(super) rows: i64,
    pub(super) topic: Arc<str>,
}

/// A stored message, still in the driver's buffers.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredMessage<'a> {
    pub(super) queue: i64,
    pub(super) offset: i64,
    pub(super) message_id: &'a [u8],
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: &'a [u8],
    pub(super) headers: &'a [u8],
    /// Microseconds since 1970.
    pub(super) created_at: i64,
}

/// A message that was read; perhaps with what is wrong with it.
#[derive(Debug)]
pub(super) struct ReadMessage {
    pub(super) queue: i64,
    pub(super) offset: i64,
    pub(super) message: Message,
    pub(super) problem: Option<Arc<str>>,
}

/// Takes in what a database reads.
#[derive(Debug)]
pub struct PageBuilder {
    readers: HashMap<i64, (Arc<str>, RowReader)>,
    pub(super) rows: Vec<ReadMessage>,
    /// What they weigh.
    pub(super) weight: usize,
    /// Delayed messages are due.
    pub(super) delayed_due: bool,
}

impl PageBuilder {
    /// For rows of these queues, of these topics.
    pub(super) fn new(queues: impl IntoIterator<Item = (i64, Arc<str>)>) -> Self {
        let reader = |(queue, topic)| (queue, (topic, RowReader::new()));
        Self {
            readers: queues.into_iter().map(reader).collect(),
            rows: Vec::new(),
            weight: 0,
            delayed_due: false,
        }
    }

    /// Takes the next row of any of the queues; those of one queue in their order.
    pub(super) fn take(&mut self, stored: StoredMessage<'_>) {
        let Some((topic, reader)) = self.readers.get_mut(&stored.queue) else {
            return;
        };
        let row = reader.read(&StoredRow {
            id: stored.offset,
            message_id: stored.message_id,
            shard: 0,
            topic: topic.as_bytes(),
            key: stored.key,
            payload: stored.payload,
            headers: stored.headers,
            created_at: stored.created_at,
            due_at: None,
            hold: 0,
            attempts: 0,
        });
        self.weight += row.message.weight();
        self.rows.push(ReadMessage {
            queue: stored.queue,
            offset: stored.offset,
            message: row.message,
            problem: row.problem.map(|problem| problem.to_string().into()),
        });
    }
}
