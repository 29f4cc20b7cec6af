//! Half messages: prepared, and invisible to consumers, until their producer commits them or rolls them back.
//!
//! They serve producers whose data is in no SQL database, and who therefore have no transaction that could hold a
//! message together with their rows. The producer prepares the message, does its local work, and then commits or rolls
//! back. When neither comes, because its process died or its call was lost, the *check-back* asks a [`Checker`] what
//! became of the local work. (Where the data is in a SQL database the outbox is simpler, faster and needs no checker.)
//!
//! ```
//! use std::sync::Arc;
//!
//! use outbox_core::half::{CheckBack, Decided, MemoryLocalRecord, TombstoneChecker};
//! use outbox_core::memory::MemoryQueue;
//! use outbox_core::{Message, Subscriber};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let queue = MemoryQueue::new();
//! let half = queue.half_messages();
//! let mut subscriber = queue.subscribe("shipping", ["orders.placed"])?;
//!
//! // The producer.
//! let local = MemoryLocalRecord::new();
//! let id = half.prepare(Message::builder("orders.placed").json(&7)?.build()?).await?;
//! local.record(id)?; // part of the local work's own atomic step
//! assert_eq!(half.commit(id).await?, Decided::Now);
//!
//! let delivery = subscriber.receive(1).await?.remove(0);
//! assert_eq!(delivery.message().id(), id);
//! delivery.ack().await?;
//!
//! // In one process or several: what asks when neither commit nor rollback came.
//! let check_back = CheckBack::builder(half)
//!     .checker("orders.placed", Arc::new(TombstoneChecker::new(local)))
//!     .build()?;
//! let stop = CancellationToken::new();
//! let running = tokio::spawn(check_back.run(stop.clone()));
//! stop.cancel();
//! running.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The states
//!
//! | from | to | by |
//! |---|---|---|
//! | – | prepared | [`prepare`](HalfMessages::prepare) |
//! | prepared | committed | the producer's [`commit`](HalfMessages::commit), or a check answered [`Committed`](CheckAnswer::Committed) |
//! | prepared | rolled back | the producer's [`roll_back`](HalfMessages::roll_back), or a check answered [`RolledBack`](CheckAnswer::RolledBack) |
//! | prepared | prepared | a check answered [`Unknown`](CheckAnswer::Unknown), and checks are left |
//! | prepared | parked | the last check answered [`Unknown`](CheckAnswer::Unknown) |
//! | parked | committed | the producer's late [`commit`](HalfMessages::commit), or an operator's [`commit_parked`](HalfMessages::commit_parked) |
//! | parked | rolled back | the producer's late [`roll_back`](HalfMessages::roll_back) |
//! | parked | prepared | an operator's [`redrive`](HalfMessages::redrive): its checks begin anew |
//! | parked | discarded | an operator's [`discard`](HalfMessages::discard), with a reason |
//!
//! Committed, rolled back and discarded are ends: nothing leads out of them. The content is let go of there, and the
//! id is remembered for a while ([`remember_for`](HalfMessages::remember_for)), so that a commit that is repeated, or
//! that comes after a rollback, is answered with what happened. Each transition is one conditional statement, so of two
//! that want different ends one is told that it came too late.
//!
//! # Not found is not rolled back
//!
//! A checker that finds no trace of the local work does not know that it was rolled back: it may still be running, and
//! commit a moment later. Such a checker has to answer [`Unknown`](CheckAnswer::Unknown). Only one that has made a late
//! commit impossible may answer [`RolledBack`](CheckAnswer::RolledBack); [`TombstoneChecker`] does.

mod answer;
mod ask;
mod check_back;
mod checker;
mod error;
mod listing;
mod local;
mod local_memory;
mod messages;
mod schedule;
mod state;
mod stopped;
mod store;
mod sweep;
mod tombstone;

pub use answer::{CheckAnswer, CheckError};
pub use check_back::{CheckBack, CheckBackBuilder};
pub use checker::Checker;
pub use error::HalfError;
pub use listing::{HalfFilter, HalfMessage};
pub use local::{LocalOutcome, LocalRecord, LocalRefused, Recorded};
pub use local_memory::MemoryLocalRecord;
pub use messages::HalfMessages;
pub use schedule::{CheckSchedule, Decision};
pub use state::{Decided, Ending, HalfState};
pub use stopped::Stopped;
pub use store::{AfterCheck, Claim, Claimed, HalfStore};
pub use tombstone::TombstoneChecker;
