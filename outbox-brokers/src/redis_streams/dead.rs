//! Dead letters: a stream per queue and group.

use std::sync::Arc;

use async_trait::async_trait;

use super::connect::Settings;
use super::fields::{self, ATTEMPTS, ERROR, Entry, FOR_GROUP, Words};
use super::keys::{self, Queue};
use super::link::Link;
use super::scripts;
use crate::dead_letters::{DeadLetter, DeadLetters};
use crate::error::BrokerError;

/// The dead letters of one group.
#[derive(Clone)]
pub(super) struct RedisDeadLetters {
    link: Link,
    settings: Arc<Settings>,
    group: Arc<str>,
}

/// Where one is: `1700000000000-0@3@orders.placed`. They are in order by when they died.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    id: (u64, u64),
    queue: u32,
    topic: String,
}

impl Reference {
    fn parse(text: &str) -> Result<Self, BrokerError> {
        let parsed = || {
            let (id, rest) = text.split_once('@')?;
            let (ms, sequence) = id.split_once('-')?;
            let (queue, topic) = rest.split_once('@')?;
            Some(Self {
                id: (ms.parse().ok()?, sequence.parse().ok()?),
                queue: queue.parse().ok()?,
                topic: topic.to_owned(),
            })
        };
        parsed().ok_or_else(|| {
            let reason = "dead letters of Redis Streams have an id, a queue and a topic: `1700000000000-0@3@orders.placed`";
            BrokerError::setting("the reference", format!("{text:?}"), reason)
        })
    }

    fn id(&self) -> String {
        format!("{}-{}", self.id.0, self.id.1)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}@{}", self.id(), self.queue, self.topic)
    }
}

impl RedisDeadLetters {
    pub(super) fn of(link: Link, settings: Arc<Settings>, group: &str) -> Self {
        Self {
            link,
            settings,
            group: group.into(),
        }
    }

    fn queue(&self, reference: &Reference) -> Queue {
        Queue::new(&self.settings.prefix, &reference.topic, reference.queue)
    }

    /// At most `limit` of one queue after a reference.
    async fn of_queue(
        &self,
        queue: &Queue,
        after: Option<&Reference>,
        limit: usize,
    ) -> Result<Vec<(Reference, DeadLetter)>, BrokerError> {
        // Of those that died in the same moment, only those that come behind it.
        let from = match after {
            None => "-".to_owned(),
            Some(after) if (after.queue, &*after.topic) < (queue.number, &*queue.topic) => after.id(),
            Some(after) => format!("({}", after.id()),
        };
        let mut command = redis::cmd("XRANGE");
        command.arg(queue.dead(&self.group)).arg(from).arg("+");
        command.arg("COUNT").arg(limit);
        let found: Vec<(String, Words)> = self
            .link
            .query(&command)
            .await
            .map_err(BrokerError::server("listing dead letters"))?;
        Ok(found
            .into_iter()
            .map(|(id, words)| self.letter(queue, &id, words))
            .collect())
    }

    fn letter(&self, queue: &Queue, id: &str, words: Words) -> (Reference, DeadLetter) {
        let reference = Reference {
            id: fields::parts(id),
            queue: queue.number,
            topic: queue.topic.clone(),
        };
        let entry = Entry::of(&words);
        let topic: Arc<str> = queue.topic.as_str().into();
        let letter = DeadLetter {
            reference: reference.to_string(),
            message: entry.message(topic, &self.settings.mapping, &queue.dead(&self.group), id),
            attempts: entry
                .get(ATTEMPTS)
                .and_then(|attempts| attempts.parse().ok())
                .unwrap_or(0),
            error: entry.get(ERROR).unwrap_or_default().to_owned(),
            died_at: fields::time_of(id),
        };
        (reference, letter)
    }
}

#[async_trait]
impl DeadLetters for RedisDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let after = after.map(Reference::parse).transpose()?;
        let mut command = redis::cmd("SMEMBERS");
        command.arg(keys::topics(&self.settings.prefix));
        let topics: Vec<String> = self
            .link
            .query(&command)
            .await
            .map_err(BrokerError::server("listing dead letters"))?;
        let mut letters = Vec::new();
        for topic in topics {
            for queue in super::queues(&self.settings, &topic) {
                letters.extend(self.of_queue(&queue, after.as_ref(), limit).await?);
            }
        }
        letters.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(letters
            .into_iter()
            .take(limit)
            .map(|(_, letter)| letter)
            .collect())
    }

    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError> {
        let reference = Reference::parse(reference)?;
        let queue = self.queue(&reference);
        self.link
            .run(&scripts::REDRIVE, |call| {
                call.key(queue.stream())
                    .key(queue.dead(&self.group))
                    .arg(reference.id())
                    .arg(keys::channel(&self.settings.prefix, &queue.topic))
                    .arg(queue.number)
                    .arg(FOR_GROUP)
                    .arg(&*self.group)
                    .arg(ATTEMPTS)
                    .arg(ERROR);
            })
            .await
            .map_err(BrokerError::server("redriving"))
    }

    async fn discard(&self, reference: &str) -> Result<bool, BrokerError> {
        let reference = Reference::parse(reference)?;
        let mut command = redis::cmd("XDEL");
        command
            .arg(self.queue(&reference).dead(&self.group))
            .arg(reference.id());
        self.link
            .query(&command)
            .await
            .map_err(BrokerError::server("removing a dead letter"))
    }
}
