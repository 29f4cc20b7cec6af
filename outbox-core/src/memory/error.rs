use super::config::MAX_QUEUES;

/// What a [`MemoryQueue`](super::MemoryQueue) can't do as asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// A group is known by its name.
    #[error("the consumer group's name is empty")]
    GroupUnnamed,
    /// A member without topics would wait for ever.
    #[error("group {group:?} subscribes to no topic")]
    NoTopics {
        /// The group.
        group: String,
    },
    /// A topic has at least one queue, and at most 1,024.
    #[error("topic {topic:?} can't have {queues} queues: 1 to {MAX_QUEUES} are allowed")]
    QueuesOutOfRange {
        /// The topic.
        topic: String,
        /// How many were asked for.
        queues: u32,
    },
    /// The topic is there with another number of queues. It must be declared before its first message and its first
    /// member; afterwards [`MemoryQueue::grow_topic`](super::MemoryQueue::grow_topic) can add queues.
    #[error("topic {topic:?} has {queues} queues already and can't have {asked}")]
    TopicExists {
        /// The topic.
        topic: String,
        /// How many queues it has.
        queues: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// A topic is there when it is declared, or from its first message or member on.
    #[error("there is no topic {topic:?}")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// A queue that is there can't be taken away: it has messages that nobody would read.
    #[error("topic {topic:?} has {queues} queues and can't shrink to {asked}")]
    TopicShrinks {
        /// The topic.
        topic: String,
        /// How many queues it has.
        queues: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// A group is there from its first member on.
    #[error("there is no consumer group {group:?}")]
    UnknownGroup {
        /// The group.
        group: String,
    },
    /// A group has a place only in topics that a member of it has subscribed to.
    #[error("group {group:?} is not registered for topic {topic:?}")]
    NotRegistered {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// [`MemoryQueue::close`](super::MemoryQueue::close) was called.
    #[error("the memory queue is closed")]
    Closed,
}
