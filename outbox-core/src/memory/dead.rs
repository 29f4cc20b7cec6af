use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use super::budget::Kept;
use crate::message::{Message, MessageId};

/// A message that a group gave up on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The message, as it was published.
    pub message: Message,
    /// The queue of its topic.
    pub queue: u32,
    /// Its offset there, which it keeps when it is redriven.
    pub offset: u64,
    /// How many attempts were made, the last one included.
    pub attempts: u32,
    /// What was wrong at the last attempt.
    pub error: Arc<str>,
    /// When it died, by this process's clock.
    pub died_at: SystemTime,
}

/// A dead letter as it is kept: it counts against the queue's capacity.
pub(super) struct DeadRow {
    pub(super) kept: Arc<Kept>,
    pub(super) queue: u32,
    pub(super) offset: u64,
    pub(super) attempts: u32,
    pub(super) error: Arc<str>,
    pub(super) died_at: SystemTime,
}

impl DeadRow {
    fn show(&self) -> DeadLetter {
        DeadLetter {
            message: self.kept.message.clone(),
            queue: self.queue,
            offset: self.offset,
            attempts: self.attempts,
            error: Arc::clone(&self.error),
            died_at: self.died_at,
        }
    }
}

/// A group's dead letters, in the order they died.
#[derive(Default)]
pub(super) struct DeadLetters {
    rows: VecDeque<DeadRow>,
}

impl DeadLetters {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, row: DeadRow) {
        self.rows.push_back(row);
    }

    pub(super) fn list(&self) -> Vec<DeadLetter> {
        self.rows.iter().map(DeadRow::show).collect()
    }

    /// Takes out those of the message `id`, or all: each is in the answer once, and here no more.
    pub(super) fn take(&mut self, id: Option<MessageId>) -> VecDeque<DeadRow> {
        let Some(id) = id else {
            return std::mem::take(&mut self.rows);
        };
        let (taken, left) = std::mem::take(&mut self.rows)
            .into_iter()
            .partition(|row| row.kept.message.id() == id);
        self.rows = left;
        taken
    }
}
