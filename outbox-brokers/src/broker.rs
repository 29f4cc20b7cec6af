use std::sync::Arc;

use async_trait::async_trait;
use outbox_core::{Publisher, Subscriber};

use crate::dead_letters::DeadLetters;
use crate::error::BrokerError;
use crate::url::BrokerUrl;

/// A message engine as a queue of the outbox, whichever it is. Made by [`connect`], or by an engine's own builder.
#[async_trait]
pub trait Broker: std::fmt::Debug + Send + Sync + 'static {
    /// The engine, as metrics and logs call it, such as `nats`.
    fn name(&self) -> &'static str;

    /// For the relay.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// A member of a consumer group, for topics that need not be there yet. All members of a group need the same `ordering`.
    ///
    /// # Errors
    /// A name can't be used, or the engine refuses or can't be reached.
    async fn subscribe(
        &self,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Box<dyn Subscriber>, BrokerError>;

    /// The dead letters of a group.
    ///
    /// # Errors
    /// The group can't be named so.
    fn dead_letters(&self, group: &str) -> Result<Box<dyn DeadLetters>, BrokerError>;
}

/// Which order a group needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ordering {
    /// That of each key: one message of a queue is out at a time, so a group handles at most as many at once as its topics have
    /// queues, and a message that failed holds up the others of its queue until it comes again.
    #[default]
    PerKey,
    /// None: so many messages of each topic are out at a time.
    None {
        /// 1 to 100,000. Of the whole group, or of each member where the engine counts so; its page says which.
        out: u32,
    },
}

#[cfg(feature = "engine")]
impl Ordering {
    /// The most that can be asked for.
    const OUT_MAX: u32 = 100_000;

    pub(crate) fn check(self) -> Result<Self, BrokerError> {
        match self {
            Self::None { out } if !(1..=Self::OUT_MAX).contains(&out) => {
                Err(BrokerError::setting("Ordering::None", out, "it is 1 to 100,000"))
            }
            _ => Ok(self),
        }
    }
}

/// Connects to the engine that the URL's scheme names: `nats://` and `tls://` for NATS JetStream, `amqp://` and `amqps://` for
/// RabbitMQ, `kafka://` for Apache Kafka, `redis://` and `rediss://` for Redis Streams, `rocketmq://` for Apache
/// RocketMQ.
///
/// `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?setting=value&…]`. User, password and values are percent-encoded
/// where they have to be. Each engine's page names its settings; these all have: `prefix`, `queues` (per topic), `timeout` (as in
/// `5s` or `500ms`), `cloudevents` (the source: messages are CloudEvents), `ca`, `cert` and `key` (PEM files for TLS).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = outbox_brokers::connect("nats://localhost:4222?queues=16").await?;
/// let publisher = broker.publisher();
/// let subscriber = broker.subscribe("shipping", &["orders.placed"], Default::default()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A URL that can't be read, an engine whose feature this program was built without, a setting that is unknown or can't be (each
/// named), and what [`Broker`]s say when they connect.
pub async fn connect(url: &str) -> Result<Arc<dyn Broker>, BrokerError> {
    let url = BrokerUrl::parse(url)?;
    match url.scheme() {
        #[cfg(feature = "kafka")]
        "kafka" => Ok(Arc::new(
            crate::kafka::KafkaBuilder::of_url(url)?.connect().await?,
        )),
        #[cfg(feature = "nats")]
        "nats" | "tls" => Ok(Arc::new(crate::nats::NatsBuilder::of_url(url)?.connect().await?)),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => Ok(Arc::new(
            crate::redis_streams::RedisStreamsBuilder::of_url(url)?
                .connect()
                .await?,
        )),
        #[cfg(feature = "rabbitmq")]
        "amqp" | "amqps" => Ok(Arc::new(
            crate::rabbitmq::RabbitMqBuilder::of_url(url)?.connect().await?,
        )),
        #[cfg(feature = "rocketmq")]
        "rocketmq" => Ok(Arc::new(
            crate::rocketmq::RocketMqBuilder::of_url(url)?.connect().await?,
        )),
        scheme => Err(unknown(scheme)),
    }
}

/// Every scheme, and the feature that it needs.
const SCHEMES: &[(&str, &str)] = &[
    ("kafka", "kafka"),
    ("nats", "nats"),
    ("tls", "nats"),
    ("redis", "redis"),
    ("rediss", "redis-rustls"),
    ("amqp", "rabbitmq"),
    ("amqps", "rabbitmq"),
    ("rocketmq", "rocketmq"),
];

fn unknown(scheme: &str) -> BrokerError {
    let reason = match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, feature)) => {
            format!("this program was built without the feature `{feature}`, which `{scheme}://` needs")
        }
        None => {
            let known: Vec<_> = SCHEMES.iter().map(|(scheme, _)| format!("{scheme}://")).collect();
            format!("`{scheme}://` is none of {}", known.join(", "))
        }
    };
    BrokerError::Url { reason }
}

/// Object safety is part of the contract: an engine is chosen at run time.
fn _obj_safe(_: &dyn Broker, _: &dyn DeadLetters) {}
