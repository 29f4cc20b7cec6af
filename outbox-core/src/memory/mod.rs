//! A queue in memory, with the semantics of the durable ones: for tests, examples, and services whose
//! messages need not outlive the process (their outbox does).
//!
//! * A **topic** has some queues (8, or as declared); a key always lands in the same one, messages
//!   without a key take turns. Offsets in a queue are dense. A topic can [grow](MemoryQueue::grow_topic).
//! * Every **group** sees every message once; its members share the queues fairly, and a queue has one
//!   member at a time. A member that joins gets its share once what is in flight is finished; one that
//!   leaves or is dropped frees its own at once.
//! * **Order**: of a key at most one message is out at a time per group. One that failed waits, the later
//!   ones of its key wait behind it, and nothing else does.
//! * **Delayed** messages get their offset, and with it their place in their key's order, when they are
//!   due. The clock is tokio's, so a paused one works.
//! * **Dead letters** are kept per group with their error, and can be put back to their old places.
//! * A group can be [moved](MemoryQueue::seek) to another place, [paused](MemoryQueue::pause) and
//!   [listed](MemoryQueue::groups).
//! * **Half messages** are invisible until they are [committed](MemoryQueue::half_messages).
//! * A message is let go when every group has finished it, or later, if a
//!   [`retention`](MemoryQueueBuilder::retention) says so. What is kept is **bounded**: a full queue refuses to take
//!   more, and never drops what a group has still to handle.
//!
//! It does not look for duplicates: that is the consumer's ledger's job.
//!
//! ```
//! use outbox_core::memory::MemoryQueue;
//! use outbox_core::{Message, Publisher, Subscriber};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let queue = MemoryQueue::new();
//! let mut subscriber = queue.subscribe("shipping", ["orders.placed"])?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in queue.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! for delivery in subscriber.receive(10).await? {
//!     assert_eq!(delivery.message().key(), Some("order-7"));
//!     delivery.ack().await?;
//! }
//! assert!(queue.is_idle("shipping"));
//! # Ok(())
//! # }
//! ```

mod budget;
mod clock;
mod config;
mod dead;
mod delivery;
mod error;
mod group;
mod groups;
mod growth;
mod half;
mod publisher;
mod queue;
mod state;
mod subscriber;
mod topic;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

pub use budget::Usage;
pub use config::MemoryQueueBuilder;
pub use dead::DeadLetter;
pub use error::MemoryError;
pub use group::Backlog;
pub use groups::GroupInfo;
pub use publisher::MemoryPublisher;
pub use queue::FailedMessage;
pub use subscriber::MemorySubscriber;

pub use crate::group::Start;
use crate::message::MessageId;
use config::Settings;
use state::Shared;

/// A queue in memory; see the [module](self). Clones are handles of the same queue.
#[derive(Clone)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
}

impl MemoryQueue {
    /// A queue with the defaults of [`MemoryQueue::builder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets capacity, queues per topic and lease.
    pub fn builder() -> MemoryQueueBuilder {
        MemoryQueueBuilder::new()
    }

    fn with_settings(settings: Settings) -> Self {
        Self {
            shared: Arc::new(Shared::new(settings)),
        }
    }

    /// Declares a topic with so many queues: the number of members that can share it. Declaring it again
    /// with the same number, or with the one it has [grown](Self::grow_topic) to, changes nothing.
    ///
    /// # Errors
    /// The number is out of range, or the topic is there with another one.
    pub fn declare_topic(&self, topic: impl Into<Arc<str>>, queues: u32) -> Result<(), MemoryError> {
        self.shared.lock().declare(&topic.into(), queues, true)
    }

    /// Gives a topic more queues, up to this number; as many as it has change nothing. Each new queue takes over about half
    /// of the keys of one older queue ([`placement`](crate::group::placement)); all other keys stay where they are.
    ///
    /// Keys keep their order. A group gets nothing from a new queue before it has read all that was in the older one when
    /// that was split. From then on a key that has moved waits in the new queue until what was read of it in the older one
    /// is finished, so that a message that fails holds back its own key and nothing else.
    ///
    /// # Errors
    /// There is no such topic, it has more queues already, or the number is above 1,024. Nothing was added.
    pub fn grow_topic(&self, topic: &str, queues: u32) -> Result<(), MemoryError> {
        self.shared.lock().grow(topic, queues)
    }

    /// Declares a topic whose messages need not be kept while no group is registered for it, such as
    /// one that is there for others to subscribe to some day. Without this they wait for the first
    /// group, and a topic that never gets one fills the queue in the end.
    ///
    /// # Errors
    /// As [`MemoryQueue::declare_topic`].
    pub fn declare_optional_topic(&self, topic: impl Into<Arc<str>>, queues: u32) -> Result<(), MemoryError> {
        self.shared.lock().declare(&topic.into(), queues, false)
    }

    /// What a relay delivers to.
    pub fn publisher(&self) -> MemoryPublisher {
        MemoryPublisher::new(Arc::clone(&self.shared))
    }

    /// Joins `group` as a new member for these topics; a group that is new to a topic gets all of its
    /// messages that are still kept ([`Start::Beginning`]).
    ///
    /// # Errors
    /// The group has no name, there is no topic, or the queue is closed.
    pub fn subscribe<T: Into<Arc<str>>>(
        &self,
        group: impl Into<Arc<str>>,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<MemorySubscriber, MemoryError> {
        self.subscribe_from(Start::Beginning, group, topics)
    }

    /// As [`MemoryQueue::subscribe`], and says where a group begins that is new to a topic. The times of
    /// [`Start::At`] are those of tokio's clock, counted from the time of day when the queue was made: a paused clock
    /// works, and setting the computer's clock later changes nothing. A delayed message is appended when it is due.
    ///
    /// # Errors
    /// As [`MemoryQueue::subscribe`].
    pub fn subscribe_from<T: Into<Arc<str>>>(
        &self,
        start: Start,
        group: impl Into<Arc<str>>,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<MemorySubscriber, MemoryError> {
        let group = group.into();
        let mut topics: Vec<Arc<str>> = topics.into_iter().map(Into::into).collect();
        topics.sort_unstable();
        topics.dedup();
        if group.is_empty() {
            return Err(MemoryError::GroupUnnamed);
        }
        if topics.is_empty() {
            return Err(MemoryError::NoTopics {
                group: group.to_string(),
            });
        }
        if self.shared.lock().closed {
            return Err(MemoryError::Closed);
        }
        Ok(MemorySubscriber::join(&self.shared, group, topics, start))
    }

    /// What `group` has still to do; nothing for a group that does not exist.
    pub fn backlog(&self, group: &str) -> Backlog {
        let mut state = self.shared.lock();
        let Some(topics) = state
            .groups
            .get(group)
            .map(|group| group.topics().cloned().collect::<Vec<_>>())
        else {
            return Backlog::default();
        };
        state.promote(&topics, Instant::now());
        state
            .groups
            .get(group)
            .map_or_else(Backlog::default, |group| group.backlog(&state.topics))
    }

    /// Whether `group` has finished every message published to its topics so far, delayed ones included:
    /// handled or dead. True for a group that does not exist.
    pub fn is_idle(&self, group: &str) -> bool {
        self.backlog(group).total() == 0
    }

    /// Waits until [`MemoryQueue::is_idle`]. A group without members may never be.
    pub async fn wait_idle(&self, group: &str) {
        loop {
            let mut changed = std::pin::pin!(self.shared.idle.notified());
            changed.as_mut().enable();
            if self.is_idle(group) {
                return;
            }
            changed.await;
        }
    }

    /// The messages that failed in `group` and are tried again, by topic, queue and offset.
    pub fn failed(&self, group: &str) -> Vec<FailedMessage> {
        let state = self.shared.lock();
        state
            .groups
            .get(group)
            .map_or_else(Vec::new, |group| group.failed(Instant::now()))
    }

    /// The dead letters of `group`, in the order they died.
    pub fn dead_letters(&self, group: &str) -> Vec<DeadLetter> {
        let state = self.shared.lock();
        state
            .groups
            .get(group)
            .map_or_else(Vec::new, |group| group.dead().list())
    }

    /// Puts the dead letters of the message `id` back to their old place in their key's order, with their
    /// attempts forgotten, and returns how many there were (more than one if it was published twice).
    pub fn redrive(&self, group: &str, id: MessageId) -> usize {
        self.redrive_some(group, Some(id))
    }

    /// As [`MemoryQueue::redrive`], all dead letters of the group. Those of one key come in their old order.
    pub fn redrive_all(&self, group: &str) -> usize {
        self.redrive_some(group, None)
    }

    fn redrive_some(&self, group: &str, id: Option<MessageId>) -> usize {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        state
            .groups
            .get_mut(group)
            .map_or(0, |group| group.redrive(id, &state.topics, Instant::now()))
    }

    /// Throws the dead letters of the message `id` away, and returns how many there were.
    pub fn discard(&self, group: &str, id: MessageId) -> usize {
        let mut state = self.shared.lock();
        state
            .groups
            .get_mut(group)
            .map_or(0, |group| group.discard(Some(id)))
    }

    /// Removes a group with its dead letters: its members are closed, and messages are no longer kept for
    /// it. Whether there was one.
    pub fn remove_group(&self, group: &str) -> bool {
        let mut state = self.shared.lock();
        let Some(removed) = state.groups.remove(group) else {
            return false;
        };
        removed.wake_all();
        for topic in removed.topics() {
            let queues = state.topics.get(topic).map_or(0, topic::Topic::queues);
            for queue in 0..queues {
                state.forget_read(topic, queue, Instant::now());
            }
        }
        drop(state);
        self.shared.idle.notify_waiters();
        true
    }

    /// What is kept at the moment, for whichever group.
    pub fn usage(&self) -> Usage {
        self.shared.budget.usage()
    }

    /// Closes the queue: publishing is [`Unavailable`](crate::PublishErrorKind::Unavailable), receiving
    /// [`Closed`](crate::ReceiveError::Closed). Outcomes of what is in flight are still taken.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        for group in state.groups.values() {
            group.wake_all();
        }
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
