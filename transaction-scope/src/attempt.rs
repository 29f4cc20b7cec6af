//! Remembers, for the scope of one `transaction(…)`, that a publish inside it failed.
//!
//! A task-local and not a field of a transaction type of our own: application code passes transactions
//! and bare connections around, and a publish through either must count, however deep it is called.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::OutboxError;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The first failure of a publish within one transaction scope.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    failure: Arc<Mutex<Option<OutboxError>>>,
}

impl Scope {
    /// Runs `body` so that each publish in it reports here.
    pub(crate) async fn watch<F: Future>(&self, body: F) -> F::Output {
        SCOPE.scope(self.clone(), body).await
    }

    /// Why this transaction must not commit, if so.
    pub(crate) fn failure(&self) -> Option<OutboxError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fail(&self, error: OutboxError) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}

/// One publish, from its first poll to its result. Dropped before that it counts as failed, because its
/// statement may or may not have reached the database.
pub(crate) struct Attempt {
    scope: Option<Scope>,
}

impl Attempt {
    pub(crate) fn start() -> Self {
        Self {
            scope: SCOPE.try_with(Scope::clone).ok(),
        }
    }

    pub(crate) fn finish<T>(mut self, result: Result<T, OutboxError>) -> Result<T, OutboxError> {
        if let (Some(scope), Err(error)) = (self.scope.take(), &result) {
            scope.fail(error.clone());
        }
        result
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(scope) = self.scope.take() {
            scope.fail(OutboxError::PublishCancelled);
        }
    }
}
