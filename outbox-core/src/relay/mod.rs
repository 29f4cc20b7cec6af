//! The relay: reads the outbox and delivers what is in it, again and again until the queue says yes.
//!
//! The loop owns no SQL. It asks a [`RelayStore`] for pages of rows, lets the
//! [key scheduler](crate::scheduler) decide which of them may go, hands those to a
//! [`Publisher`](crate::Publisher), and settles what the publisher answered. Every statement goes over
//! one connection, one at a time; answers of publishes are applied at any moment, because a row whose
//! outcome is known stays in the window until its settlement is done, and so a page that was read before
//! it changes nothing.

mod apply;
mod config;
mod delivery;
mod failures;
mod passes;
mod plan;
mod run;
mod shards;
mod statements;
mod stats;
mod stopped;
mod store;

pub use config::{RelayConfig, RelayConfigError};
pub use run::Relay;
pub use stats::{Counter, RelayStats};
pub use stopped::{StopReason, Stopped};
pub use store::{
    Awaiting, DueCursor, Failure, FailureAction, Fetch, FloorRule, Holds, LeaseGrant, LeaseRequest, Page,
    ParkedRow, RelayStore, Row, ShardSet, StoreError,
};
