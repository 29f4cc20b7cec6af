use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use outbox_core::group::Start;
use outbox_core::half::HalfMessages;
use outbox_core::{Limits, MessageId, Publisher, Subscriber};
use outbox_sqlx::queue::{GroupDeadFilter, QueueError, SqlQueue};

use super::{Dead, DeadFilter, Features, GroupState, QueueBackend, Refused};
use crate::{Backend, on_pool};

/// Who does what is done here.
const BY: &str = "the tests";

/// The durable queue, on any kind of database.
#[derive(Debug)]
pub struct SqlBackend {
    url: String,
    queue: SqlQueue,
}

impl SqlBackend {
    /// The queue in this database, which is migrated already.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn open(url: &str) -> Result<Self> {
        let queue = on_pool!(Backend::connect(url).await?, pool => SqlQueue::new(pool));
        Ok(Self {
            url: url.to_owned(),
            queue,
        })
    }
}

fn refused(error: QueueError) -> Refused {
    match error {
        QueueError::TopicName(_) => Refused::TopicName,
        QueueError::GroupUnnamed => Refused::GroupUnnamed,
        QueueError::NoTopics { .. } => Refused::NoTopics,
        QueueError::QueuesOutOfRange { .. } => Refused::Queues,
        QueueError::TopicExists { .. } => Refused::TopicExists,
        QueueError::TopicShrinks { .. } => Refused::Shrinks,
        QueueError::UnknownTopic { .. } => Refused::UnknownTopic,
        QueueError::UnknownGroup { .. } => Refused::UnknownGroup,
        QueueError::NotSubscribed { .. } => Refused::NotSubscribed,
        error => Refused::Other(format!("{:#}", anyhow::Error::from(error))),
    }
}

fn filter_of(filter: &DeadFilter) -> GroupDeadFilter {
    let mut asked = GroupDeadFilter::new();
    asked.topic.clone_from(&filter.topic);
    asked.key.clone_from(&filter.key);
    asked
}

#[async_trait]
impl QueueBackend for SqlBackend {
    fn features(&self) -> Features {
        Features {
            outlives_the_process: true,
            payload_bytes: Some(Limits::default().payload_bytes),
            checks_topic_names: true,
            fences_at_once: false,
            purges: true,
        }
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.queue.publisher())
    }

    fn half_messages(&self) -> HalfMessages {
        self.queue.half_messages()
    }

    async fn declare(&self, topic: &str, queues: u32) -> Result<(), Refused> {
        self.queue.declare_topic(topic, queues).await.map_err(refused)
    }

    async fn grow(&self, topic: &str, queues: u32) -> Result<(), Refused> {
        self.queue.grow_topic(topic, queues).await.map_err(refused)
    }

    async fn subscribe(
        &self,
        start: Start,
        group: &str,
        topics: &[&str],
    ) -> Result<Box<dyn Subscriber>, Refused> {
        let topics: Vec<Arc<str>> = topics.iter().map(|&topic| topic.into()).collect();
        let member = self.queue.subscribe_from(start, group, topics).await;
        Ok(Box::new(member.map_err(refused)?))
    }

    async fn group(&self, group: &str) -> Result<GroupState, Refused> {
        let info = self.queue.group(group).await.map_err(refused)?;
        Ok(GroupState {
            members: info.members,
            unfinished: info.backlog(),
            dead: info.dead,
            paused: info.paused,
        })
    }

    async fn pause(&self, group: &str, paused: bool) -> Result<(), Refused> {
        match paused {
            true => self.queue.pause(group).await,
            false => self.queue.resume(group).await,
        }
        .map_err(refused)
    }

    async fn seek(&self, group: &str, topic: &str, to: Start) -> Result<(), Refused> {
        self.queue.seek(group, topic, to).await.map_err(refused)
    }

    async fn remove_group(&self, group: &str) -> Result<bool, Refused> {
        self.queue.remove_group(group).await.map_err(refused)
    }

    async fn dead(&self, group: &str, filter: &DeadFilter, page: u32) -> Result<Vec<Dead>, Refused> {
        let mut filter = filter_of(filter);
        let mut found = Vec::new();
        loop {
            let letters = self.queue.dead_letters(group, &filter, page).await;
            let letters = letters.map_err(refused)?;
            let Some(last) = letters.last() else {
                return Ok(found);
            };
            if letters.len() > page as usize {
                return Err(Refused::Other(format!("{} on a page of {page}", letters.len())));
            }
            filter = filter.after(last.place);
            for letter in letters {
                let message = self.queue.dead_message(group, &letter).await.map_err(refused)?;
                let message =
                    message.ok_or_else(|| Refused::Other("a dead letter without content".into()))?;
                if message.payload().len() as u64 != letter.payload_bytes || message.id() != letter.id {
                    return Err(Refused::Other(format!("{letter:?} is not {message:?}")));
                }
                found.push(Dead {
                    message,
                    attempts: letter.attempts,
                    error: letter.error.unwrap_or_default(),
                    queue: letter.queue,
                    offset: letter.offset,
                });
            }
        }
    }

    async fn redrive(&self, group: &str, id: MessageId) -> Result<u64, Refused> {
        self.queue.redrive(group, id, BY).await.map_err(refused)
    }

    async fn redrive_all(&self, group: &str, filter: &DeadFilter) -> Result<u64, Refused> {
        let redriven = self
            .queue
            .redrive_all(group, &filter_of(filter), BY, |_| {})
            .await;
        redriven.map_err(refused)
    }

    async fn discard(&self, group: &str, id: MessageId) -> Result<u64, Refused> {
        self.queue.discard(group, id, "a test", BY).await.map_err(refused)
    }

    async fn purge(&self, keep: Duration) -> Result<(u64, Vec<String>), Refused> {
        let purged = self.queue.purge(keep, |_| {}).await.map_err(refused)?;
        let held_by = purged.held_by.into_iter().map(|(group, _)| group).collect();
        Ok((purged.messages, held_by))
    }

    async fn reopen(&self) -> Option<Arc<dyn QueueBackend>> {
        match Self::open(&self.url).await {
            Ok(again) => Some(Arc::new(again)),
            Err(error) => panic!("can't open {} again: {error:#}", self.url),
        }
    }
}
