//! RabbitMQ: a direct exchange per topic, and quorum queues per consumer group.
//!
//! * A **topic** is the exchange `outbox.orders.placed`, its **queues** are routing keys, `0` to `7`. A key always has the same one.
//!   So whoever knows nothing of us binds a queue of their own to that exchange.
//! * **Published** is what every bound queue has confirmed. What reaches no queue at all, because no group is there yet, is refused, and
//!   so kept by the relay's outbox.
//! * A **consumer group** has a queue per topic and routing key, `outbox.shipping.orders.placed.3`, with a *single active
//!   consumer* and one message out at a time: so a key keeps its order, whoever of the group receives it, and a message that failed holds
//!   up the others of its *queue* until it comes again. For groups that need no order there is
//!   [`Ordering::None`]: one queue per topic, with many messages out at each member. It is decided once for a group: the two have queues
//!   of their own.
//! * An **ack** is not answered by the server. One that is lost with its connection makes a duplicate.
//! * **Attempts** are the server's count of deliveries, so those that killed their process count too.
//! * **Dead letters** go to the exchange `outbox-dead` and from there to a queue per group. What the server itself gives up (a queue's
//!   policy, another consumer's reject) goes there as well.
//!
//! What it can't do: give a group what was published before it was there; drop what is published again under its id (consumers' ledgers
//! do that); give back messages after a time (a member has them as long as its connection lives); keep a message until a later time (the
//! relay does that in the outbox); and share the queues of a group evenly: the member that came first has them all, the others
//! follow it when it is gone.
//!
//! ```no_run
//! use outbox_brokers::rabbitmq::RabbitMq;
//! use outbox_brokers::{Broker, Ordering};
//! use outbox_core::Message;
//! use outbox_core::consumer::{Consumer, HandleError};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let rabbitmq = RabbitMq::builder("amqp://user:password@localhost")?.connect().await?;
//!
//! // A group that is there has what is published from now on.
//! let subscriber = rabbitmq.subscribe("shipping", &["orders.placed"], Ordering::PerKey).await?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in rabbitmq.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! let consumer = Consumer::builder(subscriber, async |message: Message| -> Result<(), HandleError> {
//!     println!("{}", message.id());
//!     Ok(())
//! });
//! # Ok(())
//! # }
//! ```

mod confirm;
mod connect;
mod dead;
mod delivery;
mod link;
mod names;
mod properties;
mod publisher;
mod subscriber;
mod topology;

use std::sync::Arc;

use async_trait::async_trait;
use outbox_core::{Publisher, Subscriber};

pub use connect::RabbitMqBuilder;
pub use publisher::RabbitMqPublisher;

use crate::broker::{Broker, Ordering};
use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::url::BrokerUrl;
use confirm::Confirmer;
use connect::Settings;
use dead::RabbitMqDeadLetters;
use link::Link;

/// A RabbitMQ server or cluster as a queue. Clones share the connections: one to publish, one to consume.
#[derive(Clone)]
pub struct RabbitMq {
    confirmer: Arc<Confirmer>,
    consuming: Arc<Link>,
    settings: Arc<Settings>,
}

impl RabbitMq {
    /// Starts to set one up. The URL is as for [`connect`](crate::connect), settings and all: `amqp://` or `amqps://`, with user and
    /// password (default: `guest` and `guest`), the virtual host as its path (default: `/`), and several servers divided by commas for a
    /// cluster.
    ///
    /// Its settings: `prefix`, `queues`, `timeout`, `heartbeat`, `create`, `cloudevents`, `max_message_bytes`, `max_queue_bytes`,
    /// `replicas`, `ca`, `cert`, `key`; each is the method of the like name of [`RabbitMqBuilder`] (`create` is
    /// [`declare`](RabbitMqBuilder::declare)).
    ///
    /// # Errors
    /// The URL can't be read, or a setting is unknown or can't be read.
    pub fn builder(url: &str) -> Result<RabbitMqBuilder, BrokerError> {
        RabbitMqBuilder::of_url(BrokerUrl::parse(url)?)
    }
}

#[async_trait]
impl Broker for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(RabbitMqPublisher::new(
            Arc::clone(&self.confirmer),
            Arc::clone(&self.settings),
        ))
    }

    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError> {
        let (confirmer, settings) = (&self.confirmer, &self.settings);
        let member = subscriber::open(&self.consuming, confirmer, settings, group, topics, ordering).await?;
        Ok(Box::new(member))
    }

    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let (confirmer, settings) = (Arc::clone(&self.confirmer), Arc::clone(&self.settings));
        Ok(Box::new(RabbitMqDeadLetters::of(settings, confirmer, group)?))
    }
}

impl std::fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMq")
            .field("hosts", &self.settings.hosts)
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
