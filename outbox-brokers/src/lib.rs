//! Message engines that are there already, as queues of the outbox: a `Publisher` for the relay and a `Subscriber` for consumers,
//! a feature per engine. A program compiles only what it asks for.
//!
//! * [`kafka`] (feature `kafka`): Apache Kafka.
//! * [`nats`] (feature `nats`): NATS JetStream.
//! * [`redis_streams`] (feature `redis`, and `redis-rustls` for TLS): Redis Streams.
//! * [`rabbitmq`] (feature `rabbitmq`): RabbitMQ.
//! * [`rocketmq`] (feature `rocketmq`): Apache RocketMQ.
//!
//! [`connect`] chooses by a URL; each engine has a builder of its own as well, with the same settings. What an engine can't do is
//! said as data ([`Capabilities`](outbox_core::Capabilities)) and in its module; which words of ours are which of its own, in the
//! pages of `docs/`.

#![cfg_attr(
    not(all(
        feature = "nats",
        feature = "rabbitmq",
        feature = "kafka",
        feature = "redis",
        feature = "rocketmq"
    )),
    allow(dead_code, reason = "what one engine needs another does not")
)]

mod broker;
#[cfg(feature = "engine")]
mod common;
mod dead_letters;
mod error;
#[cfg(feature = "engine")]
mod mapping;
#[cfg(feature = "engine")]
mod member;
#[cfg(feature = "engine")]
mod names;
#[cfg(any(feature = "kafka", feature = "rocketmq"))]
mod newest;
#[cfg(feature = "engine")]
mod placement;
mod url;

#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis_streams;
#[cfg(feature = "rocketmq")]
pub mod rocketmq;

pub use broker::{Broker, Ordering, connect};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use error::BrokerError;
