//! A queue with consumer groups as the conformance suite sees it: what every backend does, and what only some can.

mod memory;
mod sql;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use outbox_core::group::Start;
use outbox_core::half::HalfMessages;
use outbox_core::{Message, MessageId, Publisher, Subscriber};

pub use memory::MemoryBackend;
pub use sql::SqlBackend;

/// What only some backends can, as data. What their publishers can is said by their `Capabilities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// What is published outlives the process: another handle of the queue goes on with it.
    pub outlives_the_process: bool,
    /// Payloads above this many bytes are refused one by one.
    pub payload_bytes: Option<usize>,
    /// A topic's name is checked when it is declared or subscribed to, and a message's when it is published.
    pub checks_topic_names: bool,
    /// Members are told of a move of their group's place before `seek` returns; others notice a moment later, and hand
    /// out what they have in memory until then. Its outcomes count for nothing either way.
    pub fences_at_once: bool,
    /// Old messages go when [`QueueBackend::purge`] says so; otherwise by themselves, as the queue was set up.
    pub purges: bool,
}

/// Why something was refused, whatever the backend calls it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The group has no name.
    #[error("the group has no name")]
    GroupUnnamed,
    /// A member without topics.
    #[error("there are no topics")]
    NoTopics,
    /// A topic can't be named so.
    #[error("a topic can't be named so")]
    TopicName,
    /// No queues, or too many.
    #[error("a topic can't have so many queues")]
    Queues,
    /// The topic is there with another number of queues.
    #[error("the topic has another number of queues")]
    TopicExists,
    /// Fewer queues than there are.
    #[error("a topic can't shrink")]
    Shrinks,
    /// No such topic.
    #[error("there is no such topic")]
    UnknownTopic,
    /// No such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// The group does not subscribe to the topic.
    #[error("the group does not subscribe to the topic")]
    NotSubscribed,
    /// Anything else is not part of the contract.
    #[error("{0}")]
    Other(String),
}

/// A group, and what it has still to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupState {
    /// Its members.
    pub members: u64,
    /// Messages that are not finished; dead letters are.
    pub unfinished: u64,
    /// Dead letters.
    pub dead: u64,
    /// Nothing is handed out.
    pub paused: bool,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this key.
    pub key: Option<String>,
}

impl DeadFilter {
    /// Only of this key.
    pub fn of_key(key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..Self::default()
        }
    }

    /// Only of this topic.
    pub fn of_topic(topic: &str) -> Self {
        Self {
            topic: Some(topic.to_owned()),
            ..Self::default()
        }
    }

    fn takes(&self, message: &Message) -> bool {
        self.topic.as_deref().is_none_or(|topic| topic == message.topic())
            && self.key.as_deref().is_none_or(|key| Some(key) == message.key())
    }
}

/// A dead letter with its content.
#[derive(Debug, Clone)]
pub struct Dead {
    /// The message as it was published.
    pub message: Message,
    /// How many attempts were made, the last one included.
    pub attempts: u32,
    /// What was wrong at the last one.
    pub error: String,
    /// Its queue.
    pub queue: u32,
    /// Its offset there.
    pub offset: u64,
}

/// What the suite asks of a queue.
#[async_trait]
pub trait QueueBackend: Send + Sync + 'static {
    /// What it can.
    fn features(&self) -> Features;

    /// Another publisher.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// Its half messages.
    fn half_messages(&self) -> HalfMessages;

    /// Declares a topic.
    async fn declare(&self, topic: &str, queues: u32) -> Result<(), Refused>;

    /// Gives a topic more queues.
    async fn grow(&self, topic: &str, queues: u32) -> Result<(), Refused>;

    /// A new member.
    async fn subscribe(
        &self,
        start: Start,
        group: &str,
        topics: &[&str],
    ) -> Result<Box<dyn Subscriber>, Refused>;

    /// A group.
    async fn group(&self, group: &str) -> Result<GroupState, Refused>;

    /// Pauses a group, or lets it go on.
    async fn pause(&self, group: &str, paused: bool) -> Result<(), Refused>;

    /// Moves a group's place.
    async fn seek(&self, group: &str, topic: &str, to: Start) -> Result<(), Refused>;

    /// Removes a group. Whether there was one.
    async fn remove_group(&self, group: &str) -> Result<bool, Refused>;

    /// Dead letters, fetched in pages of so many where the backend has pages.
    async fn dead(&self, group: &str, filter: &DeadFilter, page: u32) -> Result<Vec<Dead>, Refused>;

    /// Redrives one message. How many dead letters it had.
    async fn redrive(&self, group: &str, id: MessageId) -> Result<u64, Refused>;

    /// Redrives all that the filter finds.
    async fn redrive_all(&self, group: &str, filter: &DeadFilter) -> Result<u64, Refused>;

    /// Discards one message.
    async fn discard(&self, group: &str, id: MessageId) -> Result<u64, Refused>;

    /// Removes what is older than `keep` and read by all; how many, and the groups that hold old messages. Without
    /// [`Features::purges`] nothing is done.
    async fn purge(&self, keep: Duration) -> Result<(u64, Vec<String>), Refused>;

    /// Another handle of the same queue, as another process would have; `None` without
    /// [`Features::outlives_the_process`].
    async fn reopen(&self) -> Option<Arc<dyn QueueBackend>>;
}
