use async_trait::async_trait;

use super::answer::{CheckAnswer, CheckError};
use super::checker::Checker;
use super::local::{LocalOutcome, LocalRecord, Recorded};
use crate::message::Message;

/// A checker that makes a late commit impossible before it says that there was none: it puts a tombstone where the local
/// work would record itself, so that local work that comes later fails on the unique key.
#[derive(Debug, Clone)]
pub struct TombstoneChecker<R> {
    record: R,
}

impl<R: LocalRecord> TombstoneChecker<R> {
    /// Asks this record.
    pub const fn new(record: R) -> Self {
        Self { record }
    }
}

#[async_trait]
impl<R: LocalRecord> Checker for TombstoneChecker<R> {
    async fn check(&self, message: &Message) -> Result<CheckAnswer, CheckError> {
        let recorded = self.record.put(message.id(), LocalOutcome::RolledBack).await?;
        Ok(match recorded {
            Recorded::As(LocalOutcome::Committed) => CheckAnswer::Committed,
            Recorded::As(LocalOutcome::RolledBack) => CheckAnswer::RolledBack,
            Recorded::Undecided => CheckAnswer::Unknown,
        })
    }
}
