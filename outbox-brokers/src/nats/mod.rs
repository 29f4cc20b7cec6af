//! NATS JetStream: the messages of all topics in one stream.
//!
//! * A **topic** is a subject, its **queues** are the last word of it: `outbox.orders.placed.3`. A key always lands in the same
//!   one. So whoever knows nothing of us subscribes to `outbox.orders.placed.*`.
//! * **Published** is what the stream has acknowledged. A message that is sent again under its id is dropped by the stream for a
//!   while (`Nats-Msg-Id`; two minutes, unless [`StreamOptions::duplicate_window`] says otherwise), and by consumers' ledgers after that.
//! * A **consumer group** is a durable pull consumer per queue, of which one message is out at a time: so a key keeps its order,
//!   whoever of the group receives it, and a message that failed holds up the others of its *queue* until it comes again. For groups that
//!   need no order there is [`Ordering::None`]: one durable consumer per topic, with many messages out.
//! * An **ack** is answered by the server before it counts. A message without one comes again after the lease (`ack_wait`).
//! * **Attempts** are the server's count of deliveries, so those that killed their process count too.
//! * **Dead letters** go to a stream of their own, one subject per group, because JetStream has none: it would just stop to deliver.
//!
//! What it can't do: keep a message until a later time (the relay does that in the outbox), and refuse the outcome of a member whose
//! lease ran out (this side refuses it, by its own clock).
//!
//! ```no_run
//! use outbox_brokers::nats::Nats;
//! use outbox_brokers::{Broker, Ordering};
//! use outbox_core::Message;
//! use outbox_core::consumer::{Consumer, HandleError};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let nats = Nats::builder("nats://localhost:4222")?.connect().await?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in nats.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! let subscriber = nats.subscribe("shipping", &["orders.placed"], Ordering::PerKey).await?;
//! let consumer = Consumer::builder(subscriber, async |message: Message| -> Result<(), HandleError> {
//!     println!("{}", message.id());
//!     Ok(())
//! });
//! # Ok(())
//! # }
//! ```

mod acks;
mod connect;
mod dead;
mod delivery;
mod headers;
mod names;
mod publisher;
mod pull;
mod stream;
mod subscriber;

use std::sync::Arc;

use async_nats::jetstream::Context;
use async_trait::async_trait;
use outbox_core::{Publisher, Subscriber};

pub use connect::NatsBuilder;
pub use publisher::NatsPublisher;
pub use stream::StreamOptions;

use crate::broker::{Broker, Ordering};
use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::url::BrokerUrl;
use connect::Settings;
use dead::NatsDeadLetters;

/// A JetStream stream as a queue. Clones share the connection.
#[derive(Clone)]
pub struct Nats {
    context: Context,
    settings: Arc<Settings>,
}

impl Nats {
    /// Starts to set one up. The URL is as for [`connect`](crate::connect), settings and all: `nats://` or `tls://`, with user and
    /// password, or a token alone, where they are needed, and several servers divided by commas for a cluster.
    ///
    /// Its settings: `prefix`, `queues`, `timeout`, `lease`, `create`, `cloudevents`, `stream` (its name), `replicas`, `max_age`,
    /// `max_bytes`, `duplicate_window`, `credentials` (a file), `ca`, `cert`, `key`; each is the method of the like name here or of
    /// [`StreamOptions`].
    ///
    /// # Errors
    /// The URL can't be read, or a setting is unknown or can't be read.
    pub fn builder(url: &str) -> Result<NatsBuilder, BrokerError> {
        NatsBuilder::of_url(BrokerUrl::parse(url)?)
    }
}

#[async_trait]
impl Broker for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(NatsPublisher::new(
            self.context.clone(),
            Arc::clone(&self.settings),
        ))
    }

    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError> {
        let member = subscriber::open(&self.context, &self.settings, group, topics, ordering).await?;
        Ok(Box::new(member))
    }

    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError> {
        let dead = NatsDeadLetters::of(self.context.clone(), Arc::clone(&self.settings), group)?;
        Ok(Box::new(dead))
    }
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats")
            .field("stream", &self.settings.stream)
            .finish_non_exhaustive()
    }
}
