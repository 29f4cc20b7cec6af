use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::group::Start;
use outbox_core::half::HalfMessages;
use outbox_core::memory::{MemoryError, MemoryQueue};
use outbox_core::{MessageId, Publisher, Subscriber};

use super::{Dead, DeadFilter, Features, GroupState, QueueBackend, Refused};

/// The queue in memory.
#[derive(Debug)]
pub struct MemoryBackend {
    queue: MemoryQueue,
}

impl MemoryBackend {
    /// A queue of its own, whose messages are kept for this long after they were read.
    pub fn new(keep: Duration) -> Self {
        Self {
            queue: MemoryQueue::builder().retention(keep).build(),
        }
    }

    fn known(&self, group: &str) -> Result<GroupState, Refused> {
        let found = self.queue.groups().into_iter().find(|info| &*info.name == group);
        let info = found.ok_or(Refused::UnknownGroup)?;
        Ok(GroupState {
            members: info.members as u64,
            unfinished: info.backlog.total() as u64,
            dead: info.backlog.dead as u64,
            paused: info.paused,
        })
    }
}

fn refused(error: MemoryError) -> Refused {
    match error {
        MemoryError::GroupUnnamed => Refused::GroupUnnamed,
        MemoryError::NoTopics { .. } => Refused::NoTopics,
        MemoryError::QueuesOutOfRange { .. } => Refused::Queues,
        MemoryError::TopicExists { .. } => Refused::TopicExists,
        MemoryError::TopicShrinks { .. } => Refused::Shrinks,
        MemoryError::UnknownTopic { .. } => Refused::UnknownTopic,
        MemoryError::UnknownGroup { .. } => Refused::UnknownGroup,
        MemoryError::NotRegistered { .. } => Refused::NotSubscribed,
        error => Refused::Other(error.to_string()),
    }
}

#[async_trait]
impl QueueBackend for MemoryBackend {
    fn features(&self) -> Features {
        Features {
            outlives_the_process: false,
            payload_bytes: None,
            checks_topic_names: false,
            fences_at_once: true,
            purges: false,
        }
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.queue.publisher())
    }

    fn half_messages(&self) -> HalfMessages {
        self.queue.half_messages()
    }

    async fn declare(&self, topic: &str, queues: u32) -> Result<(), Refused> {
        self.queue.declare_topic(topic, queues).map_err(refused)
    }

    async fn grow(&self, topic: &str, queues: u32) -> Result<(), Refused> {
        self.queue.grow_topic(topic, queues).map_err(refused)
    }

    async fn subscribe(
        &self,
        start: Start,
        group: &str,
        topics: &[&str],
    ) -> Result<Box<dyn Subscriber>, Refused> {
        let topics = topics.iter().copied();
        let member = self.queue.subscribe_from(start, group, topics).map_err(refused)?;
        Ok(Box::new(member))
    }

    async fn group(&self, group: &str) -> Result<GroupState, Refused> {
        self.known(group)
    }

    async fn pause(&self, group: &str, paused: bool) -> Result<(), Refused> {
        match paused {
            true => self.queue.pause(group),
            false => self.queue.resume(group),
        }
        .map_err(refused)
    }

    async fn seek(&self, group: &str, topic: &str, to: Start) -> Result<(), Refused> {
        self.queue.seek(group, topic, to).map_err(refused)
    }

    async fn remove_group(&self, group: &str) -> Result<bool, Refused> {
        Ok(self.queue.remove_group(group))
    }

    async fn dead(&self, group: &str, filter: &DeadFilter, _page: u32) -> Result<Vec<Dead>, Refused> {
        self.known(group)?;
        let letters = self.queue.dead_letters(group).into_iter();
        Ok(letters
            .filter(|letter| filter.takes(&letter.message))
            .map(|letter| Dead {
                message: letter.message,
                attempts: letter.attempts,
                error: letter.error.to_string(),
                queue: letter.queue,
                offset: letter.offset,
            })
            .collect())
    }

    async fn redrive(&self, group: &str, id: MessageId) -> Result<u64, Refused> {
        Ok(self.queue.redrive(group, id) as u64)
    }

    async fn redrive_all(&self, group: &str, filter: &DeadFilter) -> Result<u64, Refused> {
        let letters = self.dead(group, filter, 0).await?;
        let each = letters
            .iter()
            .map(|letter| self.queue.redrive(group, letter.message.id()));
        Ok(each.sum::<usize>() as u64)
    }

    async fn discard(&self, group: &str, id: MessageId) -> Result<u64, Refused> {
        Ok(self.queue.discard(group, id) as u64)
    }

    async fn purge(&self, _keep: Duration) -> Result<(u64, Vec<String>), Refused> {
        Ok((0, Vec::new()))
    }

    async fn reopen(&self) -> Option<Arc<dyn QueueBackend>> {
        None
    }
}
