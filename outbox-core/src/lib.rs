//! The part of the transactional outbox that knows no database and no broker.
//!
//! In reading order: what a [`Message`] is and what may be in it ([`Limits`]); how a typed [`Event`]
//! becomes one; the seams ([`Enqueue`] towards a transaction, [`Publisher`] and [`Subscriber`] towards
//! a queue); the pure decisions ([`scheduler`], [`retry`], [`breaker`], [`pacing`]) and the loops that
//! use them ([`relay`], [`consumer`]); what consumers say back ([`confirmation`]); [`half`] messages for producers without a
//! SQL database; and a queue in memory ([`memory`]) to run them against.
//!
//! The words are those of the field: the outbox is a local message table, the relay delivers what is
//! in it, a publisher is what the relay delivers to.

mod enqueue;
mod event;
mod headers;
mod limits;
mod message;
mod publisher;
mod shard;
mod subscriber;
mod trace_context;
mod wake;

pub mod breaker;
pub mod confirmation;
pub mod consumer;
pub mod group;
pub mod half;
pub mod memory;
pub mod pacing;
pub mod relay;
pub mod retry;
pub mod scheduler;

pub use confirmation::Confirm;
pub use enqueue::{Enqueue, Order};
pub use event::{DecodeError, Event, IntoMessage};
pub use headers::Headers;
pub use limits::Limits;
pub use message::{Due, Message, MessageBuilder, MessageError, MessageId};
pub use publisher::{Capabilities, PublishError, PublishErrorKind, Publisher};
pub use shard::{SHARDS, Shard};
pub use subscriber::{Acknowledge, Delivery, ReceiveError, Subscriber};
pub use trace_context::TraceContext;
pub use wake::Wake;
