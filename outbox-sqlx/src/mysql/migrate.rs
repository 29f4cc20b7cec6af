use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlPool};

use crate::error::OutboxError;
use transaction_scope::sql;

/// A session that is the only one to migrate this database as long as it is open.
pub(crate) async fn migrate_alone(pool: &MySqlPool) -> Result<PoolConnection<MySql>, OutboxError> {
    let mut connection = pool
        .acquire()
        .await
        .map_err(OutboxError::database("connecting"))?;
    // The lock is the session's: back in the pool it would be kept.
    connection.close_on_drop();
    let failed = || OutboxError::database("waiting for another migration");
    sqlx::query(sql!("mysql/migrate_lock.sql"))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let interrupted: bool = sqlx::query_scalar(sql!("mysql/migrate_interrupted.sql"))
        .fetch_one(&mut *connection)
        .await
        .map_err(failed())?;
    if interrupted {
        // DDL commits by itself, so the migrator finds a half-done migration and refuses to go on. Ours may be run
        // again.
        sqlx::query(sql!("mysql/migrate_forget.sql"))
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
    }
    Ok(connection)
}
