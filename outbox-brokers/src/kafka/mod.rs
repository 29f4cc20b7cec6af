//! Apache Kafka: topics of the same name, whose partitions are the queues.
//!
//! * A **topic** is one of Kafka's, a **queue** is a partition of it. The key's bytes choose it, as Java's clients do, so keys of
//!   other producers land where ours do. Characters that Kafka doesn't take are replaced, and the name gets a digest then.
//! * **Published** is what all in-sync replicas have (`acks=all`, idempotent producer). A message that is published again, after an
//!   answer was lost, is there twice: consumers drop it by its id.
//! * A **consumer group** is one of Kafka's. [`Ordering::PerKey`]: one message of a partition is out at a time, and one that failed stays
//!   at its head until it comes again. [`Ordering::None`]: so many of each partition are out at a time, and one that failed waits in the
//!   topic `{group}.{topic}.retry`.
//! * An **ack** moves the offset on, which is committed a moment later, for all of them together. A partition that goes to another
//!   member waits until what is in hand of it has an outcome ([`KafkaBuilder::drain`]), so members come and go without any message being
//!   handled twice.
//! * **Attempts** Kafka doesn't count. They are written beside the committed offset, and so is that somebody had a message in hand: one
//!   that kills its process ends as a dead letter too.
//! * **Dead letters** go to the topic `{group}.dead`, which is compacted: it keeps them until somebody decides. One that is redriven goes to
//!   the topic of retries, which the group alone reads.
//!
//! What it can't do: keep a message until a later time (the relay does that in the outbox), drop what is published again, and end a
//! member's hold on a message that takes too long: as long as its process lives, it keeps its queues.
//!
//! ```no_run
//! use outbox_brokers::kafka::Kafka;
//! use outbox_brokers::{Broker, Ordering};
//! use outbox_core::consumer::{Consumer, HandleError};
//! use outbox_core::{Message, Publisher};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let kafka = Kafka::builder("kafka://localhost:9092")?.replication(3).min_in_sync(2).connect().await?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in kafka.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! let subscriber = kafka.subscribe("shipping", &["orders.placed"], Ordering::PerKey).await?;
//! let consumer = Consumer::builder(subscriber, async |message: Message| -> Result<(), HandleError> {
//!     println!("{}", message.id());
//!     Ok(())
//! });
//! # Ok(())
//! # }
//! ```

mod client;
mod committer;
mod connect;
mod context;
mod dead;
mod delivery;
mod desk;
mod lane;
mod names;
mod position;
mod producer;
mod publisher;
mod reader;
mod record;
mod subscriber;
mod topics;

use std::sync::Arc;

use async_trait::async_trait;
use outbox_core::{Publisher, Subscriber};

pub use connect::{KafkaBuilder, Sasl};

use crate::broker::{Broker, Ordering};
use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::url::BrokerUrl;
use connect::Settings;
use dead::KafkaDeadLetters;
use producer::Sender;
use publisher::KafkaPublisher;
use subscriber::KafkaSubscriber;

/// Kafka as a queue. Clones share the connection of publishers; each member has its own.
#[derive(Clone)]
pub struct Kafka {
    settings: Arc<Settings>,
    sender: Arc<Sender>,
}

impl Kafka {
    /// Starts to set one up. The URL is as for [`connect`](crate::connect), settings and all: `kafka://`, with user and password where
    /// they are needed (SASL), and several servers of a cluster divided by commas, of which one that answers suffices.
    ///
    /// Its settings: `prefix`, `queues`, `timeout`, `session`, `drain`, `create`, `cloudevents`, `replication`, `min_in_sync`,
    /// `compression`, `sasl` (`plain`, `scram-sha-256` or `scram-sha-512`), `tls` (`true` or `false`), `ca`, `cert`, `key`; each is the
    /// method of the like name of [`KafkaBuilder`]. One whose name has a dot is a [property](KafkaBuilder::property) of the client.
    ///
    /// # Errors
    /// The URL can't be read, or a setting is unknown or can't be read.
    pub fn builder(url: &str) -> Result<KafkaBuilder, BrokerError> {
        KafkaBuilder::of_url(BrokerUrl::parse(url)?)
    }
}

#[async_trait]
impl Broker for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(KafkaPublisher::new(
            Arc::clone(&self.settings),
            Arc::clone(&self.sender),
        ))
    }

    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError> {
        let (settings, sender) = (Arc::clone(&self.settings), Arc::clone(&self.sender));
        Ok(Box::new(
            KafkaSubscriber::open(settings, sender, group, topics, ordering).await?,
        ))
    }

    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let (settings, sender) = (Arc::clone(&self.settings), Arc::clone(&self.sender));
        Ok(Box::new(KafkaDeadLetters::of(settings, sender, group)?))
    }
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
