//! What a failed run means to the queue.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::consumer::HandleError;
use transaction_scope::{TransactionError, is_conflict};

use crate::error::IdempotencyError;
use crate::guard::RunError;

/// Why messages were not handled.
pub(super) type Failure = RunError<HandleError>;

/// When a message comes again that others were in the way of.
const OTHERS_IN_THE_WAY: Duration = Duration::from_millis(100);

/// When a message comes again that found no database, or whose commit it did not answer.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// How many sources of an error are looked at.
const SOURCES: usize = 16;

pub(super) fn enqueue_failed<E: Error + Send + Sync + 'static>(error: E) -> Failure {
    RunError::Work(HandleError::from(error))
}

/// Given back where nothing is wrong with the message; otherwise what the handler said.
pub(super) fn handle_error(failure: Failure) -> HandleError {
    match failure {
        RunError::Work(error) if !error.is_permanent() && was_undone_by_others(error.cause()) => {
            HandleError::not_now(OTHERS_IN_THE_WAY, error.to_string())
        }
        RunError::Work(error) => error,
        RunError::Busy => HandleError::not_now(OTHERS_IN_THE_WAY, IdempotencyError::Busy),
        RunError::Transaction(error) => {
            if was_undone_by_others(&error) {
                return HandleError::not_now(OTHERS_IN_THE_WAY, error);
            }
            match error {
                TransactionError::CommitUnknown { .. } => HandleError::not_now(DATABASE_AWAY, error),
                // A write of the handler's that it swallowed the error of: the handler's failure.
                TransactionError::Forbidden { .. } | TransactionError::Cancelled => {
                    HandleError::retryable(error)
                }
                error if error.is_retryable() => HandleError::not_now(DATABASE_AWAY, error),
                error => HandleError::retryable(error),
            }
        }
        RunError::Conflict => HandleError::permanent(IdempotencyError::Conflict),
        RunError::Refused(error) => HandleError::permanent(error),
    }
}

/// Whether somewhere in it is a deadlock or a serialization failure.
fn was_undone_by_others(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    for _ in 0..SOURCES {
        let Some(error) = cause else { return false };
        let by_others = error.downcast_ref::<sqlx::Error>().is_some_and(is_conflict)
            || error
                .downcast_ref::<Arc<sqlx::Error>>()
                .is_some_and(|error| is_conflict(error));
        if by_others {
            return true;
        }
        cause = error.source();
    }
    false
}
