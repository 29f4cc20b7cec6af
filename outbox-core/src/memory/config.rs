use std::time::Duration;

use super::MemoryQueue;

/// How many queues a topic has that was not declared.
pub(super) const DEFAULT_QUEUES: u32 = 8;
/// Most queues of one topic.
pub(super) const MAX_QUEUES: u32 = 1_024;
/// Longer delays count as this one, because a clock can't be added to for ever.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);
/// Most messages that one `publish` may bring.
pub(super) const MAX_BATCH: usize = 1_000;
/// Most deliveries that one `receive` returns.
pub(super) const MAX_RECEIVE: usize = 1_000;
/// Longer error texts are cut before they are kept.
pub(super) const MAX_ERROR_BYTES: usize = 2_048;

/// How much a [`MemoryQueue`] keeps before it refuses to take more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) capacity: Capacity,
    pub(super) queues: u32,
    pub(super) lease: Option<Duration>,
    pub(super) retention: Duration,
}

/// Sets up a [`MemoryQueue`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct MemoryQueueBuilder {
    settings: Settings,
}

impl MemoryQueueBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings {
                capacity: Capacity {
                    messages: 100_000,
                    bytes: 256 * 1024 * 1024,
                },
                queues: DEFAULT_QUEUES,
                lease: None,
                retention: Duration::ZERO,
            },
        }
    }

    /// From this many kept messages on nothing more is taken. A batch is taken whole while the queue is
    /// below its capacity, so it may go beyond it by one batch. Default: 100,000; 0 counts as 1.
    pub fn capacity_messages(mut self, messages: usize) -> Self {
        self.settings.capacity.messages = messages.max(1);
        self
    }

    /// From this many bytes of kept messages ([`Message::weight`](crate::Message::weight)) on nothing
    /// more is taken. Default: 256 MiB; 0 counts as 1.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.settings.capacity.bytes = bytes.max(1);
        self
    }

    /// How many queues a topic has that is not declared
    /// ([`MemoryQueue::declare_topic`]). Default: 8; at least 1 and at most 1,024.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.settings.queues = queues.clamp(1, MAX_QUEUES);
        self
    }

    /// A delivery without an outcome comes again after this time, and its outcome is
    /// [`Fenced`](crate::ReceiveError::Fenced) from then on. Default: none; a delivery is then its
    /// member's until it is dropped or the member leaves, which in one process is
    /// always noticed. At least a millisecond.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = Some(lease.max(Duration::from_millis(1)));
        self
    }

    /// How long messages are kept after they were appended although every group has read them, so that a new group, or one
    /// that is moved back ([`MemoryQueue::seek`]), can have them again. Older ones are let go when somebody next uses their
    /// queue. Default: zero; at most 30 years.
    ///
    /// What is kept for this alone counts against the capacity and never fills it: where there would be no room for a
    /// batch, the oldest of it is let go first.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention.min(MAX_DELAY);
        self
    }

    /// The queue, empty.
    pub fn build(self) -> MemoryQueue {
        MemoryQueue::with_settings(self.settings)
    }
}
