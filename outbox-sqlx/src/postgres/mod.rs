//! What is particular to Postgres.

mod dead;
mod durability;
mod enqueue;
mod notifier;
mod purge;
pub(crate) mod wire;

pub use durability::{Durability, check_durability};
pub(crate) use notifier::QUEUE_CHANNEL;
pub use notifier::{NOTIFY_CHANNEL, Notifier, NotifierBuilder};
