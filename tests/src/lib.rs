//! What the tests of this crate share: a workload whose every commit is written down, a sink that
//! journals every delivery outside of the database, and the verdict that compares the two.

mod backend;
mod effects;
mod faulty_lock;
mod journal;
mod open;
mod queue_backend;
mod recording;
mod sink;
mod statement_proxy;
mod verdict;
mod workload;

pub use backend::{Backend, Committed, TOPIC, Write};
pub use effects::Effects;
pub use faulty_lock::{FaultyLock, LockFault};
pub use journal::{Delivered, Journal};
pub use open::Open;
pub use queue_backend::{
    Dead, DeadFilter, Features, GroupState, MemoryBackend, QueueBackend, Refused, SqlBackend,
};
pub use recording::RecordingSink;
pub use sink::{JournalSink, SinkRules};
pub use statement_proxy::{Held, StatementProxy};
pub use verdict::Verdict;
pub use workload::{Acknowledged, Workload};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The examples of the page on all brokers, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/brokers.md")]
struct BrokersPage;

/// The examples of the page on RabbitMQ, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rabbitmq.md")]
struct RabbitMqPage;

/// The examples of the page on NATS, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/nats.md")]
struct NatsPage;

/// The examples of the page on RocketMQ, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rocketmq.md")]
struct RocketMqPage;

/// The examples of the page on Redis Streams, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/redis-streams.md")]
struct RedisStreamsPage;
