use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::HalfError;
use super::listing::{HalfFilter, HalfMessage};
use super::schedule::CheckSchedule;
use super::state::{Decided, Ending};
use super::store::HalfStore;
use crate::message::{Message, MessageId};

/// Longer names of operators, and reasons, are refused.
const OPERATOR_BYTES: usize = 255;
const REASON_BYTES: usize = 2_048;
/// How long an ended message's id is remembered.
const REMEMBER: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The longest it may be.
const REMEMBER_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The half messages of one queue: what producers and operators do with them. Clones are handles of the same.
#[derive(Clone)]
pub struct HalfMessages {
    store: Arc<dyn HalfStore>,
    schedule: CheckSchedule,
    remember: Duration,
}

impl HalfMessages {
    /// Those in this store, with [`CheckSchedule::DEFAULT`]. A queue has a method that makes one.
    pub fn new(store: Arc<dyn HalfStore>) -> Self {
        Self {
            store,
            schedule: CheckSchedule::DEFAULT,
            remember: REMEMBER,
        }
    }

    /// When messages are asked after. Producers need `first` of it and the check-back the rest, so both should be told
    /// the same.
    #[must_use]
    pub fn with_schedule(mut self, schedule: CheckSchedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// How long an ended message's id is remembered, so that a late or repeated decision is answered with what happened:
    /// longer than any producer tries again. The check-back forgets older ones. Default: 7 days; 1 second to 10 years.
    ///
    /// # Errors
    /// [`HalfError::Setting`].
    pub fn remember_for(mut self, time: Duration) -> Result<Self, HalfError> {
        if time < Duration::from_secs(1) || time > REMEMBER_MAX {
            return Err(HalfError::setting(
                "remember_for",
                format!("{time:?}"),
                "1 second to 10 years",
            ));
        }
        self.remember = time;
        Ok(self)
    }

    /// Keeps a message, invisible to consumers, until it is decided. Before the local work begins.
    ///
    /// Its delay, if it has one, counts from its commit.
    ///
    /// # Errors
    /// It is out of bounds; a message of this id was prepared before; or the store can't be reached or is full, and then the
    /// local work must not begin.
    pub async fn prepare(&self, message: Message) -> Result<MessageId, HalfError> {
        let id = message.id();
        self.store.prepare(message, self.schedule.first()).await?;
        Ok(id)
    }

    /// The local work is done: consumers get the message. Repeating it is safe, and is what to do after an error of the
    /// store: the message is never appended twice.
    ///
    /// # Errors
    /// [`HalfError::Ended`] when it was rolled back or discarded before, [`HalfError::NotPrepared`], or the store can't be
    /// reached.
    pub async fn commit(&self, id: MessageId) -> Result<Decided, HalfError> {
        self.store.end(id, &Ending::Commit).await
    }

    /// The local work is not done and won't be: nobody gets the message. Repeating it is safe.
    ///
    /// # Errors
    /// [`HalfError::Ended`] when it was committed or discarded before, [`HalfError::NotPrepared`], or the store can't be
    /// reached.
    pub async fn roll_back(&self, id: MessageId) -> Result<Decided, HalfError> {
        self.store.end(id, &Ending::RollBack).await
    }

    /// At most `limit` messages in the order of their ids, those that have ended and are remembered included. The next page
    /// is had with [`HalfFilter::after`].
    ///
    /// # Errors
    /// The store can't be reached.
    pub async fn list(&self, filter: &HalfFilter, limit: u32) -> Result<Vec<HalfMessage>, HalfError> {
        self.store.list(filter, limit).await
    }

    /// A message that has not ended, with payload and headers.
    ///
    /// # Errors
    /// The store can't be reached.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>, HalfError> {
        self.store.message(id).await
    }

    /// Has a parked message asked after again, at once and with its checks counted anew.
    ///
    /// # Errors
    /// It is not parked, or the store can't be reached.
    pub async fn redrive(&self, id: MessageId) -> Result<(), HalfError> {
        self.store.redrive(id).await
    }

    /// Commits a parked message, because an operator found out that its local work is done. `by` says who, in at most 255
    /// bytes.
    ///
    /// # Errors
    /// It is not parked, nobody is named, or the store can't be reached.
    pub async fn commit_parked(&self, id: MessageId, by: &str) -> Result<Decided, HalfError> {
        let by = named(by)?;
        self.store.end(id, &Ending::CommitParked { by }).await
    }

    /// Gives a parked message up: nobody gets it. The reason (at most 2,048 bytes) and who decided (255) are kept as long as
    /// the id is remembered.
    ///
    /// # Errors
    /// It is not parked, there is no reason or nobody is named, or the store can't be reached.
    pub async fn discard(&self, id: MessageId, reason: &str, by: &str) -> Result<Decided, HalfError> {
        if reason.trim().is_empty() {
            return Err(HalfError::ReasonEmpty);
        }
        let reason = bounded("the reason", reason, REASON_BYTES)?;
        let by = named(by)?;
        self.store.end(id, &Ending::Discard { reason, by }).await
    }

    /// Where they are kept, for whoever asks after them in another way than [`CheckBack`](super::CheckBack) does.
    pub fn store(&self) -> &Arc<dyn HalfStore> {
        &self.store
    }

    pub(super) fn schedule(&self) -> &CheckSchedule {
        &self.schedule
    }

    pub(super) fn remember(&self) -> Duration {
        self.remember
    }
}

fn named(by: &str) -> Result<Arc<str>, HalfError> {
    if by.trim().is_empty() {
        return Err(HalfError::ByEmpty);
    }
    bounded("the operator's name", by, OPERATOR_BYTES)
}

fn bounded(what: &'static str, text: &str, max: usize) -> Result<Arc<str>, HalfError> {
    if text.len() > max {
        return Err(HalfError::TooLong {
            what,
            bytes: text.len(),
            max,
        });
    }
    Ok(text.into())
}

impl fmt::Debug for HalfMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HalfMessages")
            .field("schedule", &self.schedule)
            .field("remember", &self.remember)
            .finish_non_exhaustive()
    }
}
