use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::budget::Kept;
use super::clock::Place;
use crate::group::placement::{key_hash, parent_of, queue_of};

/// A topic: its queues, and the messages that are not due yet.
pub(super) struct Topic {
    logs: Vec<Log>,
    /// How many queues it was made with.
    initial: u32,
    /// Of each queue that came later: the end of its parent when that was split.
    splits: Vec<u64>,
    delayed: BinaryHeap<Delayed>,
    /// Numbers delayed messages in the order they were published.
    delayed_seq: u64,
    /// The queue of the next message without a key.
    next_keyless: usize,
    /// Whether messages are kept while no group has subscribed.
    pub(super) keep_without_group: bool,
}

impl Topic {
    pub(super) fn new(queues: u32) -> Self {
        Self {
            logs: (0..queues).map(|_| Log::default()).collect(),
            initial: queues,
            splits: Vec::new(),
            delayed: BinaryHeap::new(),
            delayed_seq: 0,
            next_keyless: 0,
            keep_without_group: true,
        }
    }

    pub(super) fn queues(&self) -> u32 {
        self.logs.len() as u32
    }

    /// How many queues it was made with.
    pub(super) fn initial(&self) -> u32 {
        self.initial
    }

    /// Whether it has more queues than it was made with.
    pub(super) fn has_grown(&self) -> bool {
        !self.splits.is_empty()
    }

    /// Adds a queue, which takes over about half of the keys of another one.
    pub(super) fn grow(&mut self) {
        if let Some(parent) = parent_of(self.queues(), self.initial) {
            self.splits.push(self.log(parent).end());
            self.logs.push(Log::default());
        }
    }

    /// The queue that this one was split from, and the offset there below which the messages are that were appended before;
    /// `None` for one that was there from the beginning.
    pub(super) fn split_of(&self, queue: u32) -> Option<(u32, u64)> {
        let parent = parent_of(queue, self.initial)?;
        let split = self.splits.get((queue - self.initial) as usize)?;
        Some((parent, *split))
    }

    /// Whether a group that has read a queue from `before` up to `after` has thereby read it up to a split.
    pub(super) fn opens(&self, queue: u32, before: u64, after: u64) -> bool {
        before < after
            && (self.initial..self.queues())
                .filter_map(|child| self.split_of(child))
                .any(|(parent, split)| parent == queue && before < split && split <= after)
    }

    /// The queue of the messages that are appended with this key.
    pub(super) fn queue_of(&self, key: &str) -> u32 {
        queue_of(key_hash(key), self.initial, self.queues())
    }

    pub(super) fn log(&self, queue: u32) -> &Log {
        &self.logs[queue as usize]
    }

    pub(super) fn log_mut(&mut self, queue: u32) -> &mut Log {
        &mut self.logs[queue as usize]
    }

    pub(super) fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// How many messages are not due yet.
    pub(super) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// When the next delayed message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.peek().map(|delayed| delayed.due)
    }

    /// Keeps a message until it is due: only then does it get its offset, which is its place in the
    /// order of its key.
    pub(super) fn delay(&mut self, kept: Arc<Kept>, due: Instant) {
        let seq = self.delayed_seq;
        self.delayed_seq += 1;
        self.delayed.push(Delayed { due, seq, kept });
    }

    /// Appends a message that was due `at` this time or is appended now, and returns its queue.
    pub(super) fn append(&mut self, kept: Arc<Kept>, at: Instant) -> u32 {
        let queue = match kept.message.key() {
            Some(key) => self.queue_of(key),
            None => {
                self.next_keyless = (self.next_keyless + 1) % self.logs.len();
                self.next_keyless as u32
            }
        };
        self.logs[queue as usize].append(kept, at);
        queue
    }

    /// Appends what has become due, in the order it became due, and tells `appended` the queues.
    pub(super) fn promote(&mut self, now: Instant, mut appended: impl FnMut(u32)) {
        while self.delayed.peek().is_some_and(|delayed| delayed.due <= now) {
            let Some(delayed) = self.delayed.pop() else { break };
            appended(self.append(delayed.kept, delayed.due));
        }
    }
}

/// One queue: messages at dense offsets, of which the front may be gone.
#[derive(Default)]
pub(super) struct Log {
    /// The offset of the first row.
    first: u64,
    rows: VecDeque<Arc<Kept>>,
}

impl Log {
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The offset that the next message gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    pub(super) fn get(&self, offset: u64) -> Option<&Arc<Kept>> {
        let index = offset.checked_sub(self.first)?;
        self.rows.get(usize::try_from(index).ok()?)
    }

    /// Where a group begins to read.
    pub(super) fn offset_of(&self, place: Place) -> u64 {
        match place {
            Place::Beginning => self.first,
            Place::Now => self.end(),
            Place::From(at) => self.first + self.appended_before(at) as u64,
        }
    }

    /// How many of the rows were appended before this time.
    fn appended_before(&self, at: Instant) -> usize {
        self.rows
            .partition_point(|kept| kept.appended().is_some_and(|appended| appended < at))
    }

    fn append(&mut self, kept: Arc<Kept>, at: Instant) {
        // What became due is appended when somebody looks, and counts from when it was due: after the rows before it,
        // because whoever appended those looked too.
        let last = self.rows.back().and_then(|kept| kept.appended());
        kept.append(last.map_or(at, |last| last.max(at)));
        self.rows.push_back(kept);
    }

    /// When the first row was appended.
    pub(super) fn first_appended(&self) -> Option<Instant> {
        self.rows.front()?.appended()
    }

    /// Lets go of what is below `offset`, because every group has read it, and was appended `until` then or before.
    pub(super) fn truncate_below(&mut self, offset: u64, until: Instant) {
        let read = offset.saturating_sub(self.first).min(self.rows.len() as u64);
        let old = self
            .rows
            .partition_point(|kept| kept.appended().is_some_and(|appended| appended <= until));
        let gone = read.min(old as u64);
        self.rows.drain(..gone as usize);
        self.first += gone;
    }
}

struct Delayed {
    due: Instant,
    seq: u64,
    kept: Arc<Kept>,
}

/// The greatest is the one that is due first; of those due together the one published first.
impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.seq).cmp(&(self.due, self.seq))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Delayed {}
