use std::time::SystemTime;

/// A place in a topic's queues: where a group begins that is new to the topic, or where it is moved to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the oldest message that is still kept.
    #[default]
    Beginning,
    /// With the next message that is published, or becomes due.
    Now,
    /// With the first message that was appended at this time or later, by the queue's clock. A time before all that
    /// is kept is the beginning, one in the future is now.
    At(SystemTime),
}
