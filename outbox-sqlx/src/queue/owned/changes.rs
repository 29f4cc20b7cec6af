use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A message's key.
pub(in crate::queue) type Key = Arc<str>;

/// What an owner has to write down about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) enum Change {
    /// It is in the retry table from now on.
    Retry(Retry),
    /// It is finished: its row in the retry table goes.
    Finished,
    /// It is dead.
    Dead {
        attempts: u32,
        error: Arc<str>,
        /// Its content is in the log, not in the retry table.
        from_log: bool,
    },
}

/// A row of the retry table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::queue) struct Retry {
    pub(in crate::queue) attempts: u32,
    /// From now on; `None`: behind an earlier one of its key.
    pub(in crate::queue) wait: Option<Duration>,
    /// Its handler is about to run, and might take the process along.
    pub(in crate::queue) in_trial: bool,
    pub(in crate::queue) error: Option<Arc<str>>,
    /// Its content is in the log, not yet in the retry table.
    pub(in crate::queue) from_log: bool,
}

/// What an owner has to write down about its queue, all of it in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::queue) struct Changes {
    /// Everything below is finished or in the retry table.
    pub(in crate::queue) cursor: i64,
    pub(in crate::queue) rows: BTreeMap<i64, Change>,
    /// The queue has got past what may have killed its former owners.
    pub(in crate::queue) recovered: bool,
}

impl Changes {
    /// Whether a crash of the server must not undo them, because the owner goes on as if they were there: a message that the
    /// cursor has gone past would be lost with its row, and what the next owner suspects follows from `recovered`. Of a lost
    /// cursor and a lost end only duplicates come.
    pub(in crate::queue) fn must_last(&self) -> bool {
        let keeps = |change: &Change| matches!(change, Change::Retry(_) | Change::Dead { .. });
        self.recovered || self.rows.values().any(keeps)
    }
}
