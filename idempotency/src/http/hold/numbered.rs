//! Where parameters have numbers, the code is the same.

use sqlx::Pool;
use transaction_scope::sql;

use super::{Held, Hold, HoldStatements, held};

macro_rules! hold_statements {
    ($database:ty, $folder:literal) => {
        impl HoldStatements for $database {
            async fn hold(pool: &Pool<Self>, hold: Hold<'_>) -> sqlx::Result<bool> {
                let done = sqlx::query(sql!($folder, "/hold.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .bind(&hold.fingerprint.as_bytes()[..])
                    .bind(hold.lease)
                    .bind(hold.keep)
                    .bind(hold.epoch)
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected() > 0)
            }

            async fn read_held(pool: &Pool<Self>, hold: Hold<'_>) -> sqlx::Result<Option<Held>> {
                let row = sqlx::query(sql!($folder, "/hold_read.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .fetch_optional(pool)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                Ok(Some(held!(row)))
            }

            async fn take_over_held(pool: &Pool<Self>, hold: Hold<'_>, former: i64) -> sqlx::Result<bool> {
                let done = sqlx::query(sql!($folder, "/hold_take_over.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .bind(&hold.fingerprint.as_bytes()[..])
                    .bind(hold.lease)
                    .bind(hold.keep)
                    .bind(hold.epoch)
                    .bind(former)
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected() > 0)
            }

            async fn extend_hold(pool: &Pool<Self>, hold: Hold<'_>) -> sqlx::Result<bool> {
                let done = sqlx::query(sql!($folder, "/hold_extend.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .bind(hold.epoch)
                    .bind(hold.lease)
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected() > 0)
            }

            async fn finish_hold(pool: &Pool<Self>, hold: Hold<'_>, answer: &[u8]) -> sqlx::Result<bool> {
                let done = sqlx::query(sql!($folder, "/hold_finish.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .bind(hold.epoch)
                    .bind(hold.keep)
                    .bind(answer)
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected() > 0)
            }

            async fn release_hold(pool: &Pool<Self>, hold: Hold<'_>) -> sqlx::Result<bool> {
                let done = sqlx::query(sql!($folder, "/hold_release.sql"))
                    .bind(hold.scope)
                    .bind(hold.key)
                    .bind(hold.epoch)
                    .execute(pool)
                    .await?;
                Ok(done.rows_affected() > 0)
            }
        }
    };
}

#[cfg(feature = "postgres")]
hold_statements!(sqlx::Postgres, "postgres");
#[cfg(feature = "sqlite")]
hold_statements!(sqlx::Sqlite, "sqlite");
