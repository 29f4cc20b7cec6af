//! Remembers, for one [`scope`](crate::scope()), that a write inside it failed.
//!
//! A task-local and not a field of the transaction: application code passes transactions and bare connections around,
//! and a write through either must count, however deep it is called.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::TransactionError;

tokio::task_local! {
    static WATCH: Watch;
}

/// The first failure within one scope.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    failure: Arc<Mutex<Option<TransactionError>>>,
}

impl Watch {
    /// Runs `body` so that each [`Attempt`] in it reports here.
    pub async fn over<F: Future>(&self, body: F) -> F::Output {
        WATCH.scope(self.clone(), body).await
    }

    /// Why this transaction must not commit, if so.
    pub(crate) fn failure(&self) -> Option<TransactionError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fail(&self, error: TransactionError) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}

/// A write that the transaction around it must not be committed without, from its first poll to its result: for
/// libraries that write into the application's transactions. Where it fails, or is dropped before it is
/// [finished](Attempt::finish) (its statement may or may not have reached the database), the [`scope`](crate::scope())
/// around it rolls back, even if the application swallows the error. Outside of a scope it does nothing.
pub struct Attempt {
    watch: Option<Watch>,
}

impl Attempt {
    /// Begins one.
    #[must_use = "an attempt that is dropped has failed"]
    pub fn start() -> Self {
        Self {
            watch: WATCH.try_with(Watch::clone).ok(),
        }
    }

    /// Tells how it ended.
    ///
    /// # Errors
    /// `result`, as it is.
    pub fn finish<T, E>(mut self, result: Result<T, E>) -> Result<T, E>
    where
        E: Error + Clone + Send + Sync + 'static,
    {
        if let (Some(watch), Err(error)) = (self.watch.take(), &result) {
            watch.fail(TransactionError::Forbidden {
                source: Arc::new(error.clone()),
            });
        }
        result
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.fail(TransactionError::Cancelled);
        }
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("watched", &self.watch.is_some())
            .finish()
    }
}
