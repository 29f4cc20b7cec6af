//! Real processes and servers, killed, frozen and cut off. Every run prints its seed and ends with one
//! line that says what it came to.

mod broker_down;
mod commit_order;
mod database_frozen;
mod database_killed;
mod due_flood;
mod frozen_relay;
mod many_relays;
mod old_transaction;
mod relay_killed;
mod stopped_relay;
mod two_snapshots;
