use sqlx::Pool;

use super::Ledger;
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;

/// How many rows one transaction of [`Ledger::expire`] removes at most.
pub const EXPIRE_BATCH: u32 = 1_000;

impl<DB: LedgerDatabase> Ledger<DB> {
    /// Removes expired rows, `batches` times at most [`EXPIRE_BATCH`] of them, each batch in a transaction of its own;
    /// returns how many. Fewer than all means that there are no more. Several processes may do it at once, and it may be
    /// dropped at any time: what was removed stays removed.
    ///
    /// # Errors
    /// The database can't be reached, or refuses; [`IdempotencyError::is_retryable`] where another transaction was in the
    /// way.
    pub async fn expire(pool: &Pool<DB>, batches: u32) -> Result<u64, IdempotencyError> {
        let mut removed = 0;
        for _ in 0..batches {
            let mut tx = DB::begin_own(pool).await?;
            let rows = DB::expire(&mut tx, EXPIRE_BATCH.into())
                .await
                .map_err(IdempotencyError::database("removing expired rows"))?;
            DB::commit(tx).await?;
            removed += rows;
            if rows < EXPIRE_BATCH.into() {
                break;
            }
        }
        Ok(removed)
    }
}
