//! Apache RocketMQ 5, spoken to in its remoting protocol: topics of its own, whose queues are the queues.
//!
//! * A **topic** is one of RocketMQ's; characters that it doesn't take (dots among them) are replaced, and the name gets a digest then.
//!   A key always lands in the same **queue** of it, over all brokers.
//! * **Published** is what the broker has answered for. What is on its disk and with its replicas by then is the broker's to say
//!   (`flushDiskType`, `brokerRole`); that it is not yet is no success here. A message that is published again, after an
//!   answer was lost, is there twice: consumers drop it by its id.
//! * A **consumer group** is one of RocketMQ's, and receives by POP. [`Ordering::PerKey`]: one message of a queue is out at a time, and
//!   one that failed stays at its head until it comes again. [`Ordering::None`]: so many of each member are out at a time, and
//!   one that failed waits in the group's topic of retries, for a second or so longer than it was told to.
//! * An **ack** is answered by the broker before it counts. A message without one comes again after the lease (POP's
//!   `invisibleTime`).
//! * **Attempts** are the broker's count of deliveries, so those that killed their process count too.
//! * **Dead letters** go to `%DLQ%{group}`, where RocketMQ's own tools look for them. It keeps them as long as all messages
//!   (`fileReservedTime`, three days unless it is set otherwise), and not until somebody decides.
//! * A message that is due **later** is kept back by the broker, three days at most.
//! * **Half messages** are RocketMQ's transactional ones ([`RocketMq::half_messages`]).
//!
//! What it can't do: drop what is published again, and refuse the outcome of a member whose lease ran out (this side refuses
//! it, by its own clock).
//!
//! ```no_run
//! use outbox_brokers::rocketmq::RocketMq;
//! use outbox_brokers::{Broker, Ordering};
//! use outbox_core::consumer::{Consumer, HandleError};
//! use outbox_core::{Message, Publisher};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let rocketmq = RocketMq::builder("rocketmq://localhost:9876")?.connect().await?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in rocketmq.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! let subscriber = rocketmq.subscribe("shipping", &["orders.placed"], Ordering::PerKey).await?;
//! let consumer = Consumer::builder(subscriber, async |message: Message| -> Result<(), HandleError> {
//!     println!("{}", message.id());
//!     Ok(())
//! });
//! # Ok(())
//! # }
//! ```

mod auth;
mod cluster;
mod code;
mod compression;
mod connect;
mod dead;
mod delivery;
mod fields;
mod frame;
mod half;
mod link;
mod names;
mod publisher;
mod receipt;
mod record;
mod sender;
mod subscriber;
mod tls;
mod topics;

use std::sync::Arc;

use async_trait::async_trait;
use outbox_core::half::Checker;
use outbox_core::{Publisher, Subscriber};

pub use connect::RocketMqBuilder;
pub use half::{Prepared, RocketMqHalfMessages};
pub use publisher::RocketMqPublisher;

use crate::broker::{Broker, Ordering};
use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::url::BrokerUrl;
use cluster::Cluster;
use connect::Settings;
use dead::RocketMqDeadLetters;

/// RocketMQ as a queue. Clones share the connections.
#[derive(Clone)]
pub struct RocketMq {
    cluster: Arc<Cluster>,
    settings: Arc<Settings>,
}

impl RocketMq {
    /// Starts to set one up. The URL is as for [`connect`](crate::connect), settings and all: `rocketmq://`, with an access key and its
    /// secret where they are needed, and the name servers, several of them divided by commas.
    ///
    /// Its settings: `prefix`, `queues`, `timeout`, `lease`, `create`, `max_message_bytes`, `broker`, `cloudevents`; each is the method of the
    /// like name here.
    ///
    /// # Errors
    /// The URL can't be read, or a setting is unknown or can't be read.
    pub fn builder(url: &str) -> Result<RocketMqBuilder, BrokerError> {
        RocketMqBuilder::of_url(BrokerUrl::parse(url)?)
    }

    /// Half messages that RocketMQ keeps, of the producers with this name; `checker` answers when it asks what became of one.
    ///
    /// # Errors
    /// The name can't be, or a broker can't be reached.
    pub async fn half_messages(
        &self,
        producers: &str,
        checker: Arc<dyn Checker>,
    ) -> Result<RocketMqHalfMessages, BrokerError> {
        RocketMqHalfMessages::open(&self.cluster, &self.settings, producers, checker).await
    }
}

#[async_trait]
impl Broker for RocketMq {
    fn name(&self) -> &'static str {
        "rocketmq"
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        let (cluster, settings) = (Arc::clone(&self.cluster), Arc::clone(&self.settings));
        Arc::new(RocketMqPublisher::new(cluster, settings))
    }

    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError> {
        let member = subscriber::open(&self.cluster, &self.settings, group, topics, ordering).await?;
        Ok(Box::new(member))
    }

    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let (cluster, settings) = (Arc::clone(&self.cluster), Arc::clone(&self.settings));
        Ok(Box::new(RocketMqDeadLetters::of(cluster, settings, group)?))
    }
}

impl std::fmt::Debug for RocketMq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocketMq")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
