//! What is particular to Postgres.

mod dead;
mod durability;
mod enqueue;
mod notifier;
mod purge;
mod tx;

pub use durability::{Durability, check_durability};
pub use notifier::{NOTIFY_CHANNEL, Notifier, NotifierBuilder};
