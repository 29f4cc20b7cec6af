//! Consumers of the durable queue in processes of their own, killed, frozen and poisoned. Every run prints its seed and
//! ends with one line that says what it came to.

mod appending;
mod consumers_at_random;
mod database;
mod former_owner;
mod peak;
mod poison;
mod recovery;
