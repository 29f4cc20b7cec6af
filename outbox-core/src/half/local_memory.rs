use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use foldhash::HashMap;

use super::answer::CheckError;
use super::local::{LocalOutcome, LocalRecord, LocalRefused, Recorded};
use crate::message::MessageId;

/// A [`LocalRecord`] in memory, for tests and examples: it is gone with the process, and it keeps all ids until they are
/// [forgotten](Self::forget). Clones are handles of the same one.
#[derive(Debug, Clone, Default)]
pub struct MemoryLocalRecord {
    recorded: Arc<Mutex<HashMap<MessageId, LocalOutcome>>>,
}

impl MemoryLocalRecord {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that the local work of this message is done.
    ///
    /// # Errors
    /// A check-back came first, or it is recorded already: the local work must not be done.
    pub fn record(&self, id: MessageId) -> Result<(), LocalRefused> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        match recorded.get(&id) {
            Some(LocalOutcome::RolledBack) => Err(LocalRefused::RolledBack { id }),
            Some(LocalOutcome::Committed) => Err(LocalRefused::RecordedBefore { id }),
            None => {
                recorded.insert(id, LocalOutcome::Committed);
                Ok(())
            }
        }
    }

    /// Forgets what is recorded of a message that has ended; of an undecided one it would be a lie.
    pub fn forget(&self, id: MessageId) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.remove(&id);
    }
}

#[async_trait]
impl LocalRecord for MemoryLocalRecord {
    async fn put(&self, id: MessageId, outcome: LocalOutcome) -> Result<Recorded, CheckError> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Recorded::As(*recorded.entry(id).or_insert(outcome)))
    }
}
