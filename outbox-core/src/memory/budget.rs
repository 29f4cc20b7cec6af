use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use super::config::Capacity;
use crate::message::Message;

/// What is kept, counted where it is kept: a message counts until the last log, group or dead letter
/// lets go of it. So the count can't drift from the truth, and memory is bounded by it.
#[derive(Debug)]
pub(super) struct Budget {
    capacity: Capacity,
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// What a queue keeps at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Messages, each once however many groups still need it.
    pub messages: usize,
    /// Their weight in bytes ([`Message::weight`]).
    pub bytes: usize,
}

impl Budget {
    pub(super) fn new(capacity: Capacity) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        })
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether more may be taken. It does not ask how much: a batch that is larger than what is left
    /// would otherwise be refused while a probe says that there is room, and the relay would blame the
    /// messages.
    pub(super) fn has_room(&self) -> bool {
        let Usage { messages, bytes } = self.usage();
        messages < self.capacity.messages && bytes < self.capacity.bytes
    }

    /// Whether the whole of a batch would fit.
    pub(super) fn has_room_for(&self, batch: Usage) -> bool {
        let Usage { messages, bytes } = self.usage();
        messages.saturating_add(batch.messages) <= self.capacity.messages
            && bytes.saturating_add(batch.bytes) <= self.capacity.bytes
    }

    pub(super) fn capacity(&self) -> Capacity {
        self.capacity
    }

    pub(super) fn keep(self: &Arc<Self>, message: Message) -> Arc<Kept> {
        let weight = message.weight();
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        Arc::new(Kept {
            message,
            weight,
            appended: OnceLock::new(),
            budget: Arc::clone(self),
        })
    }
}

/// A message that counts against its queue's budget as long as anybody holds it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) message: Message,
    weight: usize,
    /// When it got its offset.
    appended: OnceLock<Instant>,
    budget: Arc<Budget>,
}

impl Kept {
    /// Notes when it got its offset; only the first time counts.
    pub(super) fn append(&self, at: Instant) {
        let _ = self.appended.set(at);
    }

    /// When it got its offset. One that has none is not in any log.
    pub(super) fn appended(&self) -> Option<Instant> {
        self.appended.get().copied()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.messages.fetch_sub(1, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.weight, Ordering::Relaxed);
    }
}
