use sqlx::{MySql, MySqlPool};
use transaction_scope::sql;

use super::{Held, Hold, HoldStatements, held};

/// Parameters come in the order of the text here.
impl HoldStatements for MySql {
    async fn hold(pool: &MySqlPool, hold: Hold<'_>) -> sqlx::Result<bool> {
        let held = sqlx::query(sql!("mysql/hold.sql"))
            .bind(hold.scope)
            .bind(hold.key)
            .bind(&hold.fingerprint.as_bytes()[..])
            .bind(hold.lease)
            .bind(hold.keep)
            .bind(hold.epoch)
            .execute(pool)
            .await;
        match held {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_held(pool: &MySqlPool, hold: Hold<'_>) -> sqlx::Result<Option<Held>> {
        let row = sqlx::query(sql!("mysql/hold_read.sql"))
            .bind(hold.scope)
            .bind(hold.key)
            .fetch_optional(pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(held!(row)))
    }

    async fn take_over_held(pool: &MySqlPool, hold: Hold<'_>, former: i64) -> sqlx::Result<bool> {
        let done = sqlx::query(sql!("mysql/hold_take_over.sql"))
            .bind(&hold.fingerprint.as_bytes()[..])
            .bind(hold.lease)
            .bind(hold.keep)
            .bind(hold.epoch)
            .bind(hold.scope)
            .bind(hold.key)
            .bind(former)
            .execute(pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn extend_hold(pool: &MySqlPool, hold: Hold<'_>) -> sqlx::Result<bool> {
        let done = sqlx::query(sql!("mysql/hold_extend.sql"))
            .bind(hold.lease)
            .bind(hold.scope)
            .bind(hold.key)
            .bind(hold.epoch)
            .execute(pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn finish_hold(pool: &MySqlPool, hold: Hold<'_>, answer: &[u8]) -> sqlx::Result<bool> {
        let done = sqlx::query(sql!("mysql/hold_finish.sql"))
            .bind(hold.keep)
            .bind(answer)
            .bind(hold.scope)
            .bind(hold.key)
            .bind(hold.epoch)
            .execute(pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn release_hold(pool: &MySqlPool, hold: Hold<'_>) -> sqlx::Result<bool> {
        let done = sqlx::query(sql!("mysql/hold_release.sql"))
            .bind(hold.scope)
            .bind(hold.key)
            .bind(hold.epoch)
            .execute(pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}
