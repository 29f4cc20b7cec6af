use std::fmt;

use sqlx::Transaction;

use crate::attempt::Watch;
use crate::database::ScopeDatabase;
use crate::error::TransactionError;
use crate::scoped::ScopedTransaction;

/// A [`scope`](crate::scope()) in pieces, for libraries that do something between its beginning, its work and its end.
/// One that is dropped is rolled back.
pub struct OpenScope<DB: ScopeDatabase> {
    tx: ScopedTransaction<DB>,
    watch: Watch,
}

impl<DB: ScopeDatabase> OpenScope<DB> {
    /// Around a transaction that was begun by [`ScopeDatabase`].
    pub fn new(inner: Transaction<'static, DB>) -> Self {
        Self {
            tx: ScopedTransaction { inner },
            watch: Watch::default(),
        }
    }

    /// The transaction, and what the work on it has to be run [over](Watch::over).
    pub fn split(&mut self) -> (&mut ScopedTransaction<DB>, &Watch) {
        (&mut self.tx, &self.watch)
    }

    /// Commits, unless an [`Attempt`](crate::Attempt) in the work failed or was cancelled; then it is rolled back.
    ///
    /// # Errors
    /// As [`scope`](crate::scope())'s, but for those of the work.
    pub async fn commit(self) -> Result<(), TransactionError> {
        match self.watch.failure() {
            None => DB::commit(self.tx.inner).await,
            Some(failure) => {
                self.tx.roll_back().await;
                Err(failure)
            }
        }
    }

    /// Rolls back; what was lost on the way there is lost anyway.
    pub async fn roll_back(self) {
        self.tx.roll_back().await;
    }
}

impl<DB: ScopeDatabase> fmt::Debug for OpenScope<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenScope").finish_non_exhaustive()
    }
}
