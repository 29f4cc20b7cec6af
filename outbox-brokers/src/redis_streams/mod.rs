//! Redis Streams: each queue of a topic is a stream.
//!
//! * A **topic**'s queues are the streams `{outbox:orders.placed}:3`. A key always lands in the same one.
//! * **Published** is what Redis has in its append-only file (and on its replicas, [`RedisStreamsBuilder::replicas`]), so it needs
//!   `appendonly yes` and `appendfsync always`; another server is warned of. A message that is sent again under its id is dropped for
//!   a while ([`RedisStreamsBuilder::duplicate_window`]), in the same step that would append it.
//! * A **consumer group** is one of the stream's own, of which one message is out at a time: so a key keeps its order, whoever of
//!   the group takes it, and a message that failed holds up the others of its *queue* until it comes again. For groups that need no
//!   order there is [`Ordering::None`], with many messages of each queue out.
//! * An **outcome** counts while its delivery is the newest one of its message; Redis decides. A message without one comes again
//!   after the lease.
//! * **Attempts** are Redis's count of deliveries, so those that killed their process count too.
//! * **Dead letters** go to a stream per queue and group, in the step that acknowledges them.
//! * **Trimming** removes what is older than [`RedisStreamsBuilder::max_age`] and that every group has finished.
//!
//! What it can't do: keep a message until a later time (the relay does that in the outbox), hold more than its memory, and run on a
//! Redis Cluster.
//!
//! ```no_run
//! use outbox_brokers::redis_streams::RedisStreams;
//! use outbox_brokers::{Broker, Ordering};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = RedisStreams::builder("redis://localhost?queues=16")?.connect().await?;
//! let subscriber = redis.subscribe("shipping", &["orders.placed"], Ordering::PerKey).await?;
//! # Ok(())
//! # }
//! ```

mod connect;
mod dead;
mod delivery;
mod fields;
mod keys;
mod link;
mod publisher;
mod scripts;
mod subscriber;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Publisher, Subscriber};
use redis::RedisResult;

pub use connect::RedisStreamsBuilder;
pub use publisher::RedisStreamsPublisher;

use crate::broker::{Broker, Ordering};
use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::names::check_group;
use crate::url::BrokerUrl;
use connect::Settings;
use dead::RedisDeadLetters;
use keys::Queue;
use link::Link;

/// How often old messages of a queue are removed, by each process that publishes to it or receives from it.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// The streams of a Redis as queues. Clones share the connection.
#[derive(Clone)]
pub struct RedisStreams {
    link: Link,
    settings: Arc<Settings>,
}

impl RedisStreams {
    /// Starts to set one up. The URL is as for [`connect`](crate::connect), settings and all: `redis://` or, with the feature
    /// `redis-rustls`, `rediss://`, with user and password where they are needed, and the number of the database as its path.
    ///
    /// Its settings: `prefix`, `queues`, `timeout`, `lease`, `cloudevents`, `max_age`, `max_length`, `max_message_bytes`,
    /// `duplicate_window`, `replicas`, `ca`, `cert`, `key`; each is the method of the like name of the builder.
    ///
    /// # Errors
    /// The URL can't be read, or a setting is unknown or can't be read.
    pub fn builder(url: &str) -> Result<RedisStreamsBuilder, BrokerError> {
        RedisStreamsBuilder::of_url(BrokerUrl::parse(url)?)
    }

    /// Removes a group that nobody needs any more from a topic, with its place there: messages are kept for it as long as it is
    /// there. Its dead letters stay. False: there was none.
    ///
    /// # Errors
    /// The server refuses or can't be reached.
    pub async fn remove_group(&self, group: &str, topic: &str) -> Result<bool, BrokerError> {
        let mut removed = false;
        for queue in self.queues(topic) {
            let mut command = redis::cmd("XGROUP");
            command.arg("DESTROY").arg(queue.stream()).arg(group);
            match self.link.query::<u32>(&command).await {
                Ok(count) => removed |= count > 0,
                // There is no such stream.
                Err(error) if error.code() == Some("ERR") => {}
                Err(error) => return Err(BrokerError::server("removing a group")(error)),
            }
            let mut command = redis::cmd("DEL");
            command.arg(queue.due(group));
            let deleted = self.link.query::<u32>(&command).await;
            deleted.map_err(BrokerError::server("removing a group"))?;
        }
        Ok(removed)
    }

    /// Removes now what is old enough and every group of a topic is past. It is done once a minute as well, by each process that
    /// publishes to it or receives from it.
    ///
    /// # Errors
    /// The server refuses or can't be reached.
    pub async fn trim(&self, topic: &str) -> Result<(), BrokerError> {
        for queue in self.queues(topic) {
            trim(&self.link, &self.settings, &queue)
                .await
                .map_err(BrokerError::server("removing old messages"))?;
        }
        Ok(())
    }

    fn queues(&self, topic: &str) -> impl Iterator<Item = Queue> {
        queues(&self.settings, topic)
    }
}

fn queues(settings: &Settings, topic: &str) -> impl Iterator<Item = Queue> {
    (0..settings.queues).map(move |number| Queue::new(&settings.prefix, topic, number))
}

/// Removes what is old and finished.
async fn trim(link: &Link, settings: &Settings, queue: &Queue) -> RedisResult<()> {
    let removed: u64 = link
        .run(&scripts::TRIM, |call| {
            call.key(queue.stream()).arg(publisher::ms(settings.max_age));
        })
        .await?;
    if removed > 0 {
        tracing::debug!(stream = queue.stream(), removed, "old messages were removed");
    }
    Ok(())
}

/// So that it is known where dead letters can be.
async fn note_topic(link: &Link, settings: &Settings, topic: &str) -> RedisResult<()> {
    let mut command = redis::cmd("SADD");
    command.arg(keys::topics(&settings.prefix)).arg(topic);
    link.query::<u32>(&command).await.map(|_| ())
}

#[async_trait]
impl Broker for RedisStreams {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        let publisher = RedisStreamsPublisher::new(&self.link, Arc::clone(&self.settings));
        Arc::new(publisher)
    }

    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError> {
        let member = subscriber::open(&self.link, &self.settings, group, topics, ordering).await?;
        Ok(Box::new(member))
    }

    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError> {
        check_group(group)?;
        let dead = RedisDeadLetters::of(self.link.clone(), Arc::clone(&self.settings), group);
        Ok(Box::new(dead))
    }
}

impl std::fmt::Debug for RedisStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStreams")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
