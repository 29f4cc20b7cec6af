use async_trait::async_trait;

use super::answer::CheckError;
use crate::message::MessageId;

/// What is recorded about a half message's local work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocalOutcome {
    /// The local work recorded itself, in its own atomic step.
    Committed,
    /// A tombstone: the local work was not there when it was asked after, and can't come any more.
    RolledBack,
}

/// What a [`LocalRecord`] says of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// This is recorded now, by whomever, and for good.
    As(LocalOutcome),
    /// Somebody is about to record something and has not committed it: nothing can be said yet.
    Undecided,
}

/// Why local work must not be done. Its transaction has to be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalRefused {
    /// The check-back did not find the local work, and rolled the message back. Prepare another one.
    #[error(
        "half message {id} was rolled back by a check-back before its local work was recorded: roll the local work back, too"
    )]
    RolledBack {
        /// The message.
        id: MessageId,
    },
    /// The local work is done already: an earlier attempt of it was committed.
    #[error(
        "the local work of half message {id} is recorded already: an earlier attempt of it was committed"
    )]
    RecordedBefore {
        /// The message.
        id: MessageId,
    },
}

/// Where local work records itself: one outcome per message id, under a unique key, in the store of the producer's data.
///
/// The local work inserts [`Committed`](LocalOutcome::Committed) *in its own atomic step*, the checker
/// [`RolledBack`](LocalOutcome::RolledBack) under the same key. Whoever is second finds the other's, so a negative
/// answer makes a late commit impossible.
#[async_trait]
pub trait LocalRecord: Send + Sync + 'static {
    /// Atomically and durably: records `outcome` for the id unless something is recorded, and tells what is there then.
    ///
    /// Where somebody has recorded something and not committed yet, it waits, or answers
    /// [`Undecided`](Recorded::Undecided) after a short time. What it answers otherwise must never change, not even by a
    /// crash of the store.
    ///
    /// # Errors
    /// The store can't be reached. Perhaps it was recorded nevertheless: the next call tells.
    async fn put(&self, id: MessageId, outcome: LocalOutcome) -> Result<Recorded, CheckError>;
}

/// Object safety is part of the contract: where records are kept may be chosen at run time.
fn _obj_safe(_: &dyn LocalRecord) {}
