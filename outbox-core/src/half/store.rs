use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::error::HalfError;
use super::listing::{HalfFilter, HalfMessage};
use super::state::{Decided, Ending};
use crate::message::{Message, MessageId};

/// Where half messages are kept: what [`HalfMessages`](super::HalfMessages) and the check-back need of a queue.
///
/// Each method is atomic, every transition conditional on the state that it leaves, and all times are by the store's
/// clock. Dropping a future is safe; whether it was done is then not known.
#[async_trait]
pub trait HalfStore: Send + Sync + 'static {
    /// Keeps a message, to be asked after in `first`.
    ///
    /// # Errors
    /// It is out of bounds, a message of this id is or was here, or the store can't be reached or is full.
    async fn prepare(&self, message: Message, first: Duration) -> Result<(), HalfError>;

    /// Ends a message as [`HalfState::end`](super::HalfState::end) says. One that is committed is appended to its topic by
    /// the same transaction.
    ///
    /// # Errors
    /// As that, there is no such message, or the store can't be reached.
    async fn end(&self, id: MessageId, ending: &Ending) -> Result<Decided, HalfError>;

    /// At most `limit` prepared messages of a topic that are due for a check, those first that are due longest.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn due(&self, topic: &str, limit: usize) -> Result<Vec<MessageId>, HalfError>;

    /// Takes a message for one check, if it is prepared and still due: nobody else does for `claim.hold`. It is no check.
    /// `None`: somebody else has it, or it has ended.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn claim(&self, id: MessageId, claim: Claim) -> Result<Option<Claimed>, HalfError>;

    /// Writes down what follows from a check that did not decide, with what it said. False, and nothing is written, when
    /// the message has ended or somebody else has claimed it since.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn after_check(
        &self,
        id: MessageId,
        claim: Uuid,
        after: AfterCheck,
        said: &str,
    ) -> Result<bool, HalfError>;

    /// At most `limit` messages, in the order of their ids.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn list(&self, filter: &HalfFilter, limit: u32) -> Result<Vec<HalfMessage>, HalfError>;

    /// The content of a message that has not ended.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn message(&self, id: MessageId) -> Result<Option<Message>, HalfError>;

    /// Makes a parked message prepared, due for a check at once, with its checks counted anew.
    ///
    /// # Errors
    /// As [`HalfState::redrive`](super::HalfState::redrive), there is no such message, or the store can't be reached.
    async fn redrive(&self, id: MessageId) -> Result<(), HalfError>;

    /// Forgets at most `limit` messages that ended longer ago than `remember`. How many there were.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn forget_ended(&self, remember: Duration, limit: u32) -> Result<u64, HalfError>;
}

/// A right to check a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Unique; what is written down carries it.
    pub id: Uuid,
    /// How long it is nobody else's.
    pub hold: Duration,
}

/// A message that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The message.
    pub message: Message,
    /// How many checks were answered before.
    pub checks: u32,
}

/// What follows from a check that did not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCheck {
    /// It was answered, which is counted; the next one is after this time.
    CheckAgain(Duration),
    /// It was answered, which is counted, and was the last one.
    Park,
    /// There was no answer: nothing is counted, and it is tried again after this time.
    Unreachable(Duration),
}

/// Object safety is part of the contract: a store is chosen at run time.
fn _obj_safe(_: &dyn HalfStore) {}
