use transaction_scope::TransactionError;

use crate::error::IdempotencyError;

/// Why a run came to no outcome. `E` is the work's own error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError<E> {
    /// The work failed, and all of its transaction was rolled back: nothing is stored.
    #[error("the work failed")]
    Work(#[source] E),

    /// Another is at the same key, and did not end within the lock timeout. Nothing was written.
    #[error("another is at the same key and did not end in time: try again later")]
    Busy,

    /// The key was used for something else: the fingerprints differ. Nothing was written, and nothing is said of what is
    /// stored.
    #[error("the same key was used before for another request")]
    Conflict,

    /// What the transaction met: nothing was committed, but for
    /// [`CommitUnknown`](TransactionError::CommitUnknown), after which asking again with the same key tells.
    #[error(transparent)]
    Transaction(TransactionError),

    /// The scope, the key or the answer can't be used.
    #[error(transparent)]
    Refused(IdempotencyError),
}

impl<E> RunError<E> {
    /// Whether the same call may succeed later. Of a failed work only its own error knows.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Transaction(error) => error.is_retryable(),
            Self::Work(_) | Self::Conflict | Self::Refused(_) => false,
        }
    }
}

impl<E> From<IdempotencyError> for RunError<E> {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Busy => Self::Busy,
            IdempotencyError::Conflict => Self::Conflict,
            IdempotencyError::Transaction(error) => Self::Transaction(error),
            error => Self::Refused(error),
        }
    }
}

impl<E> From<TransactionError> for RunError<E> {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}
