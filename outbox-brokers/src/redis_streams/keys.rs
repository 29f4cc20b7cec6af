//! Which keys are whose. Pure. What one script touches has the same part in braces, so that it is in one slot of a cluster.

/// The keys of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) topic: String,
    pub(super) number: u32,
    stream: String,
}

impl Queue {
    pub(super) fn new(prefix: &str, topic: &str, number: u32) -> Self {
        Self {
            topic: topic.to_owned(),
            number,
            stream: format!("{{{prefix}:{topic}}}:{number}"),
        }
    }

    /// Its messages.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Remember the ids of the messages that it has had, in turns.
    pub(super) fn ids(&self) -> [String; 2] {
        ["even", "odd"].map(|turn| format!("{}:ids:{turn}", self.stream))
    }

    /// When each message that a group has failed on is due again.
    pub(super) fn due(&self, group: &str) -> String {
        format!("{}:due:{group}", self.stream)
    }

    /// The dead letters of a group.
    pub(super) fn dead(&self, group: &str) -> String {
        format!("{}:dead:{group}", self.stream)
    }
}

/// All topics that were ever published or subscribed to.
pub(super) fn topics(prefix: &str) -> String {
    format!("{prefix}:topics")
}

/// Where it is said that a queue has something.
pub(super) fn channel(prefix: &str, topic: &str) -> String {
    format!("{prefix}:wake:{topic}")
}
