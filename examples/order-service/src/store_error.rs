use outbox_sqlx::OutboxError;

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refused, or can't be reached.
    #[error("the database did not do as asked")]
    Database(#[from] sqlx::Error),
    /// The same, of the framework's part: the transaction's begin and commit, and its messages.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A row holds what this version does not know. The schema forbids it, so a newer version wrote it.
    #[error("the column {column} holds {value:?}, which this version of the program does not know")]
    Unknown {
        /// Table and column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
}

impl StoreError {
    /// Whether nothing was done, and the same may work later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(error) => outbox_sqlx::is_retryable(error),
            Self::Outbox(error) => error.is_retryable(),
            Self::Unknown { .. } => false,
        }
    }

    /// Whether it may have been done: COMMIT was sent, and no answer came.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Outbox(OutboxError::CommitUnknown { .. }))
    }
}
